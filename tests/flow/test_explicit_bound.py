"""The explicit bound: a table, its formulas again in doubles, every supremum, what it refuses."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction

import numpy as np
import pytest

from tests.support.explicit_reference import Given, Setting, first_form, present_form
from verification import gallery
from verification.enclosure.balls import ball, end_points, precision
from verification.errors import InvalidInstance
from verification.flow.explicit_bound import explicit_bound, is_admissible
from verification.flow.lazy_terms import Training, second_order_terms
from verification.instance import ActivationSpec, Atom, AtomicLaw, Instance
from verification.kernel.deviation import bound_everywhere, kernel_deviation
from verification.kernel.diagonal import largest_diagonal
from verification.kernel.limiting import kernel_bound
from verification.quantity import Options, evaluate
from verification.recurrent.memory import memory_bound
from verification.recurrent.sensitivity import input_sensitivity
from verification.recurrent.unit_spread import largest_output_spread, spread_of_units

F = Fraction
GAMMAS = tuple(F(5, 10_000) * F(3, 2) ** k for k in range(15))
# The smallest over gamma at N = 10^2, .., 10^8 of the bound in its first form.
TABLE = (2.57, 0.734, 0.278, 0.122, 0.0585, 0.0299, 0.0159)


def load(name: str = "rain-tel-aviv", **training: Fraction) -> Instance:
    instance = gallery.load(name)
    assert isinstance(instance, Instance)
    assert instance.training is not None
    return dataclasses.replace(
        instance, training=dataclasses.replace(instance.training, **training)
    )


def skewed(instance: Instance) -> Instance:
    """With C of mean 0 and a third moment, so that nothing of first order vanishes."""
    assert isinstance(instance.law, AtomicLaw)
    to = {F(-1): F(-1, 2), F(0): F(0), F(1): F(1)}
    weights = {F(-1): F(2), F(0): F(3, 4), F(1): F(1)}
    atoms = tuple(
        Atom(p=atom.p * weights[atom.c], c=to[atom.c], w=atom.w, b=atom.b)
        for atom in instance.law.atoms
    )
    return dataclasses.replace(instance, law=AtomicLaw(atoms=atoms))


def upper(x) -> float:
    return float(end_points(ball(x))[1])


def test_the_first_form_gives_the_table():
    m = Setting(load())
    for k, expected in enumerate(TABLE, start=2):
        found = min(first_form(m, 10**k, float(gamma), 1, 0.2) for gamma in GAMMAS)
        assert found == pytest.approx(expected, rel=0.01)


def test_the_bound_is_less_than_half_of_its_first_form():
    m, gamma = Setting(load()), GAMMAS[0]
    with precision(64):
        for k, first in enumerate(TABLE, start=2):
            found = upper(explicit_bound(load(gamma=gamma), 10**k, 1, F(1, 5)).total)
            # A hundredth is what the table is rounded to.
            assert found < first * 0.99 / 2
            assert found < first_form(m, 10**k, float(gamma), 1, 0.2) / 2


CASES = {
    "rain, N = 100": (load(), 100, 1, F(1, 5)),
    "rain, N = 10^6": (load(), 10**6, 0, F(-1, 3)),
    "long": (load(alpha=F(3, 2), gamma=F(1, 5)), 3_000, 1, F(0)),
    "a third moment": (skewed(load()), 100, 1, F(1, 5)),
    "a third moment, wide": (skewed(load(beta=F(9, 10))), 10**5, 0, F(1, 5)),
    "tanh": (
        dataclasses.replace(skewed(load(alpha=F(1, 10))), activation=ActivationSpec.named("tanh")),
        200,
        1,
        F(1, 4),
    ),
    "beta near 1": (load(alpha=F(1, 4), beta=F(19, 20)), 50, 1, F(1, 5)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_formulas_give_the_same_in_doubles(name):
    instance, width, state, memory = CASES[name]
    m = Setting(instance)
    with precision(64):
        found = explicit_bound(instance, width, state, memory)
        second = None
        if m.p @ m.c**3 == pytest.approx(0, abs=1e-12):
            # x4 is that of the first denominator.
            s0, s1, s2, _ = m.s
            tau, eps = m.alpha * m.horizon, width ** (m.beta - 1)
            shift, e8, b = (
                upper(z) for z in (found.output_shift, found.largest_error, found.memory_reach)
            )
            cbar, kappa1 = abs(m.c).max(), (s1 * abs(m.x).max()) ** 2
            half = cbar + shift / 2
            slope = kappa1 * half * (s0 + cbar * half * s2 * abs(m.x).max() ** 2 / 2)
            theta = 1 - m.alpha / width * (s0**2 + kappa1 * (cbar + shift) ** 2) / 2
            theta -= eps * tau**2 * e8 / 3 * slope
            m4 = (3 * (m.p @ m.c**2) ** 2 + m.p @ m.c**4 / width) ** 0.25
            energy = abs(m.y).max() + width ** (0.5 - m.beta) * m4 * (s0 + b * s1)
            if theta > 0:
                terms = second_order_terms(
                    instance,
                    Training(
                        width=width,
                        step=found.step,
                        time=found.time,
                        laziness=found.laziness,
                        shift=found.output_shift,
                        energy=ball(F(tau**0.5 * energy / theta)),
                        spread=spread_of_units(instance).upper,
                    ),
                )
                second = (upper(terms.kernel), upper(terms.memory))
        reach = max(end_points(ball(memory_bound(instance)))[1], abs(memory))
        given = Given(
            unit_spread=upper(spread_of_units(instance).upper),
            kernel_spread=upper(kernel_deviation(instance, reach)),
            sensitivity=upper(input_sensitivity(instance).value.upper),
            diagonal=[upper(k) for k in largest_diagonal(instance)],
            output_spread=upper(largest_output_spread(instance).upper),
            second_order=second,
        )
        expected = present_form(m, width, state, float(memory), given)
        parts = [found.initial_part, found.network_part, found.recursion_part, found.error]
        # Roundings of a few hundred operations in doubles.
        assert [upper(part) for part in parts] == pytest.approx(list(expected), rel=1e-11)
        assert upper(found.total) == pytest.approx(sum(expected[:3]), rel=1e-11)


def test_second_order_counts_where_c_is_symmetric():
    with precision(64):
        symmetric = explicit_bound(load(beta=F(3, 5)), 10**5, 1, F(0)).lazy
        other = explicit_bound(skewed(load(beta=F(3, 5))), 10**5, 1, F(0)).lazy
    assert upper(symmetric.kernel) < upper(other.kernel) / 4


@pytest.mark.parametrize("activation", ["logistic", "tanh"])
def test_suprema_are_those_of_a_grid(activation):
    instance = dataclasses.replace(load(), activation=ActivationSpec.named(activation))
    m = Setting(instance)
    with precision(64):
        reach = end_points(ball(memory_bound(instance)))[1]
        deviation = upper(kernel_deviation(instance, reach))
        crude = upper(bound_everywhere(instance))
        diagonal = [upper(k) for k in largest_diagonal(instance)]
        spread = upper(largest_output_spread(instance).upper)
    # Of 100 squares that are cut, 63 may be larger than an eighth of the range: the bound left is
    # at most this slope times an eighth, in both memories, above the largest value.
    s0, s1, s2, _ = m.s
    slope = s0 * s1 + s1 * s2 * (m.p @ m.c**4) ** 0.5
    assert m.kernel_spread <= deviation <= m.kernel_spread + slope * float(reach) * (2 / 8)
    assert deviation < crude
    for found, grid in zip(diagonal, m.diagonal, strict=True):
        assert grid * (1 - 1e-12) <= found <= grid * (1 + 1e-3)
    assert m.output_spread * (1 - 1e-12) <= spread <= m.output_spread * (1 + 1e-3)


@pytest.mark.parametrize("name", ["markov-onegin", "fair-coin"])
def test_suprema_of_continuous_laws_bound_draws(name):
    """By the moments of many units at random points."""
    instance = gallery.load(name)
    assert isinstance(instance, Instance)
    from verification.recurrent.network import draw_units  # noqa: PLC0415

    rng = np.random.default_rng(5)
    units = draw_units(instance.law, 100_000, rng)
    with precision(64):
        vbar = end_points(ball(memory_bound(instance)))[1]
        deviation = upper(kernel_deviation(instance, vbar))
        diagonal = [upper(k) for k in largest_diagonal(instance)]
        spread = upper(largest_output_spread(instance).upper)
    apply = {
        "logistic": lambda t: (1 / (1 + np.exp(-t)), np.exp(-t) / (1 + np.exp(-t)) ** 2),
        "tanh": lambda t: (np.tanh(t), 1 - np.tanh(t) ** 2),
    }[instance.activation.label]
    inputs = np.array([[float(z) for z in x] for x in instance.chain.inputs])
    largest = np.zeros(2)
    for v in np.linspace(-float(vbar), float(vbar), 9):
        for i, x in enumerate(inputs):
            value, slope = apply(x @ units.input + v)
            y = value**2 + units.output**2 * slope**2 * (x @ x)
            error = 6 * y.std() / np.sqrt(len(y))
            assert y.mean() - error <= diagonal[i]
            largest = np.maximum(largest, [y.std(), np.sqrt((units.output**2 * value**2).mean())])
    # Six standard errors of 10^5 draws are below a fiftieth.
    assert largest[0] * 0.98 <= deviation <= 3 * largest[0]
    assert spread == pytest.approx(largest[1], rel=0.02)


REFUSED = {
    "law": ({"name": "expanding"}, 1000, "qbar"),
    "chain": ({"name": "reducible"}, 1000, "forgets"),
    "training": (
        {"name": "rain-tel-aviv", "horizon": F(20), "gamma": F(1, 2000)},
        10**12,
        "tau Kbar",
    ),
}


@pytest.mark.parametrize("path", REFUSED)
def test_it_names_the_assumption_that_fails(path):
    arguments, width, text = REFUSED[path]
    instance = load(**arguments)
    with precision(64):
        assert not is_admissible(instance, width)
        with pytest.raises(InvalidInstance, match=text) as caught:
            explicit_bound(instance, width, 0, F(0))
    assert caught.value.path == path


def test_it_names_what_a_small_width_fails():
    with precision(64), pytest.raises(InvalidInstance, match="theta > 0"):
        explicit_bound(load(alpha=F(5, 2), gamma=F(1, 5)), 2, 0, F(0))
    saturated = AtomicLaw(
        atoms=tuple(Atom(p=F(1, 2), c=c, w=(F(9),), b=F(0)) for c in (F(-1), F(1)))
    )
    instance = dataclasses.replace(load(alpha=F(3, 2), horizon=F(1, 1000)), law=saturated)
    with precision(64), pytest.raises(InvalidInstance, match="alpha Kbar <= N"):
        explicit_bound(instance, 1, 1, F(0))


def test_a_mean_of_c_and_targets_beyond_the_clip_are_refused():
    instance = load()
    assert isinstance(instance.law, AtomicLaw)
    atoms = tuple(dataclasses.replace(atom, c=atom.c + 1) for atom in instance.law.atoms)
    tall = dataclasses.replace(instance.chain, targets=(F(3), F(-3)))
    with precision(64):
        with pytest.raises(InvalidInstance, match=r"E\[C \| W\] = 0"):
            explicit_bound(dataclasses.replace(instance, law=AtomicLaw(atoms=atoms)), 1000, 0, F(0))
        with pytest.raises(InvalidInstance, match="N\\^gamma >= ybar at"):
            explicit_bound(dataclasses.replace(instance, chain=tall), 1000, 0, F(0))


def test_no_training_is_refused():
    instance = gallery.load("sharp-finite-memory")
    assert isinstance(instance, Instance)
    with pytest.raises(InvalidInstance, match="missing"):
        explicit_bound(instance, 10, 0, F(0))


def test_it_is_evaluated_at_a_width_and_a_time():
    options = Options(state=1, memory=F(1, 5), width=10**4)
    found = evaluate(load(), "explicit-bound", options)
    document = json.loads(json.dumps(found.to_json()))
    with precision(64):
        expected = upper(explicit_bound(load(), 10**4, 1, F(1, 5)).total)
    assert float(document["lower"]) <= expected <= float(document["upper"]) * (1 + 1e-15)
    assert float(document["upper"]) - float(document["lower"]) < 1e-15
    sooner = evaluate(load(), "explicit-bound", dataclasses.replace(options, time=F(1, 4)))
    assert float(sooner.to_json()["upper"]) < expected


def test_a_width_is_asked_for_and_has_limits():
    with pytest.raises(InvalidInstance, match="--width: is required"):
        evaluate(load(), "explicit-bound", Options(state=1, memory=F(0)))
    with pytest.raises(InvalidInstance, match="expected 1 to"):
        evaluate(load(), "explicit-bound", Options(state=1, memory=F(0), width=10**19))


def test_at_time_0_the_initial_output_and_the_boundary_term_are_left():
    with precision(64):
        found = explicit_bound(load(), 100, 1, F(1, 5), F(0))
        left = found.initial_part + found.kernel.sqrt() * found.step * found.oscillation
        assert upper(found.total) == pytest.approx(upper(left), rel=1e-12)


def test_what_bounds_the_kernel_s_deviation_everywhere_is_its_formula():
    m, instance = Setting(load()), load()
    s0, s1, _, _ = m.s
    c2, c4 = (float(m.p @ m.c**k) for k in (2, 4))
    with precision(64):
        found = upper(bound_everywhere(instance))
    assert found == pytest.approx((s0**4 + 2 * s0**2 * s1**2 * c2 + s1**4 * c4) ** 0.5, rel=1e-12)


def test_many_inputs_have_the_bound_of_the_kernel_everywhere():
    instance = load("random-dense-50")
    with precision(64):
        everywhere = upper(kernel_bound(instance).upper)
        found = {upper(k) for k in largest_diagonal(instance)}
    # They are taken at 40 bits.
    assert len(found) == 1
    assert found.pop() == pytest.approx(everywhere, rel=2**-36)
