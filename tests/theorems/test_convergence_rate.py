"""T6, T6D, T5: supported or certified, refutable, recognised where they say nothing."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest

from theorems.convergence_rate import (
    T5,
    T6,
    T6D,
    Networks,
    Wider,
    decayed_bound,
    end_of_recursion,
    largest_error,
    networks,
    recursions,
    summed_forces,
    training_figure,
    trivial_bound,
    wider_bound,
    width_figure,
)
from verification import gallery
from verification.decision import decide
from verification.enclosure.balls import ball, end_points, precision
from verification.figure import Guarantee
from verification.flow.driven import Driven, without_gradient
from verification.flow.explicit_bound import explicit_bound
from verification.flow.history import joint_law
from verification.flow.limit_flow import limit_flow
from verification.flow.network_draws import limit_curve, network_draws, with_equal_states
from verification.instance import Instance
from verification.kernel.limiting import forward_part, gram_matrix, kernel, point
from verification.recurrent.network import train_replica
from verification.verdict import EvidenceKind, Verdict

F = Fraction


def load(name: str) -> Instance:
    instance = gallery.load(name)
    assert isinstance(instance, Instance)
    return instance


def middle(x) -> float:
    low, high = end_points(ball(x))
    return float((low + high) / 2)


@pytest.mark.parametrize("name", ["rain-tel-aviv", "sharp-small-steps", "sharp-convergence"])
def test_networks_support_it(name):
    result = decide(T6, load(name))
    assert result.verdict is Verdict.SUPPORTED
    assert result.evidence is not None
    assert result.evidence.kind is EvidenceKind.SIMULATION
    assert result.evidence.samples


def test_three_exponents_and_two_activations_are_supported():
    names = ("rain-tel-aviv", "sharp-small-steps", "sharp-convergence")
    assert len({load(name).training.beta for name in names}) == 3
    assert len({load(name).activation.label for name in names}) == 2


@pytest.mark.parametrize("mutant", T6.mutants, ids=lambda mutant: mutant.name)
def test_a_wrong_limit_is_refuted_by_networks(mutant):
    for name in mutant.refuted_on:
        result = decide(T6, load(name), mutant=mutant)
        assert result.verdict is Verdict.REFUTED
        assert result.evidence is not None
        assert result.evidence.samples


@pytest.mark.parametrize(
    ("claim", "name", "mutant"),
    [(claim, name, mutant) for claim in (T6D, T5) for mutant in claim.mutants
     for name in mutant.refuted_on],
)  # fmt: skip
def test_other_mutants_are_refuted(claim, name, mutant):
    assert decide(claim, load(name), mutant=mutant).verdict is Verdict.REFUTED


def test_where_the_bound_says_nothing_it_is_vacuous():
    result = decide(T6, load("hidden-state"))
    assert result.verdict is Verdict.VACUOUS
    assert "no smaller than what holds anyway" in result.reason


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("expanding", "qbar = 3"),
        ("sharp-drift", "E[C] = 1"),
        ("mixture-activation", "theta > 0"),
        ("periodic-three", "recurrent class"),
        ("sharp-finite-memory", "training constants"),
    ],
)
def test_what_fails_is_named(name, text):
    for claim in (T6, T5):
        result = decide(claim, load(name))
        assert result.verdict is Verdict.INAPPLICABLE
        assert text in result.reason


def test_draws_are_distances_of_trained_networks():
    instance = load("sharp-small-steps")
    draws = network_draws(instance, 8, 1, F(1, 5))
    found = draws(np.random.default_rng(3), 5)
    seed = int(np.random.default_rng(3).integers(2**62))
    steps = range(len(draws.curve))
    for replica, distance in enumerate(found):
        path = train_replica(
            instance,
            width=8,
            seed=seed,
            replica=replica,
            checkpoints=steps,
            points=[(1, F(1, 5))],
        )
        expected = np.abs(path.outputs[:, 0] - np.array(draws.curve)).max()
        # Sums of 8 doubles in another order, for 32 steps.
        assert abs(distance - expected) < 1e-12


def test_draws_stay_in_their_range():
    instance = load("sharp-convergence")
    (case,) = networks(instance, random.Random(0))
    with precision(64):
        simulation = largest_error(instance, case)
        values = simulation.draw(np.random.default_rng(1), 64)
        assert values.min() >= 0
        assert values.max() < float(simulation.upper)
        # What holds anyway is the range with the mean of |G_0| in place of its maximum.
        assert middle(trivial_bound(instance, case)) < float(simulation.upper) * 1.5


def test_the_curve_is_the_limit_within_its_error():
    instance = load("rain-tel-aviv")
    curve, error = limit_curve(instance, 100, 1, F(1, 5))
    flow = limit_flow(instance, joint_law(instance), [(1, F(1, 5))])
    times = [F(k, 100) for k in range(0, 101, 7)]
    exact = flow.output(times)
    apart = np.abs(np.array(curve)[::7] - exact.values[:, 0])
    assert len(curve) == 101
    assert (apart <= float(error) + exact.errors).all()
    # The bound of interpolation is not idle: a thousandth of it would be passed.
    assert apart.max() > float(error) / 1_000
    assert float(error) < 1e-4


def test_wrong_curves_are_far_from_the_limit_and_solve_what_they_say():
    instance = load("sharp-convergence")
    right = np.array(limit_curve(instance, 64, 1, F(0))[0])
    for driven in (Driven.WITHOUT_GRADIENT, Driven.EQUAL_STATES):
        wrong = np.array(limit_curve(instance, 64, 1, F(0), driven)[0])
        assert abs(right[-1] - wrong[-1]) > 0.05
    for name in ("rain-tel-aviv", "markov-onegin"):
        subject = load(name)
        places = point(subject, 0, F(1, 3)), point(subject, 1, F(-1, 4))
        with precision(64):
            flat = without_gradient(subject)
            found = kernel(flat.activation, flat.law, *places)
            expected = forward_part(subject.activation, subject.law, *places)
            assert middle(found) == pytest.approx(middle(expected), rel=1e-14)
    law = with_equal_states(joint_law(load("rain-tel-aviv")), 2)
    assert np.bincount(law.states, law.weights) == pytest.approx([0.5, 0.5], abs=1e-14)
    # Transient states have no share.
    law = with_equal_states(joint_law(load("absorbing")), 5)
    assert np.bincount(law.states, law.weights, 5) == pytest.approx([1, 0, 0, 0, 0], abs=1e-14)


def test_the_recursion_is_that_of_vectors():
    instance = load("rain-tel-aviv")
    case = recursions(instance, random.Random(4))[-1]
    with precision(64):
        gram = np.array(
            [[middle(x) for x in row] for row in gram_matrix(instance, case.places).entries()]
        )
        # Rows whose inner products are the kernel.
        values, vectors = np.linalg.eigh(gram)
        phi = vectors * np.sqrt(np.maximum(values, 0))
        h, d = 1 / gram.diagonal().max(), np.zeros(len(gram))
        for row, c, m in zip(phi, map(float, case.factors), map(float, case.forces), strict=True):
            d = d - h * c * row * (d @ row - m)
        assert middle(end_of_recursion(instance, case)) == pytest.approx(d @ d, rel=1e-7)
        forces = sum(float(m) ** 2 for m in case.forces)
        assert middle(summed_forces(instance, case)) == pytest.approx(h * forces, rel=1e-12)


def test_one_step_is_an_equality():
    result = decide(T6D, load("rain-tel-aviv"))
    assert result.verdict is Verdict.CERTIFIED
    assert result.tightness is not None
    assert result.tightness > 1 - 2**-40


@pytest.mark.parametrize(("name", "r"), [("sharp-small-steps", 0.1), ("sharp-convergence", 0.15)])
def test_the_bound_decays_at_the_rate(name, r):
    instance, case = load(name), Wider(width=10**8, times=10**4)
    with precision(64):
        at = explicit_bound(instance, 10**8, instance.chain.initial, F(0)).total
        assert middle(decayed_bound(instance, case)) == pytest.approx(middle(at) * 1e4**-r)
        assert middle(wider_bound(instance, case)) <= middle(decayed_bound(instance, case))
    result = decide(T5, instance)
    assert result.verdict is Verdict.CERTIFIED


def test_the_rate_is_attained_where_the_initial_output_is_what_is_left():
    result = decide(T5, load("sharp-small-steps"))
    assert result.tightness is not None
    assert result.tightness > 0.999


def test_the_width_is_smaller_for_a_long_horizon():
    instance = load("sharp-energy")
    (case,) = networks(instance, random.Random(0))
    assert case == Networks(width=4, state=instance.chain.initial, memory=F(0))


def test_the_figure_shows_the_bound_the_parts_and_networks_below_it():
    instance = gallery.load("mutant-kernel-slope")
    with precision(64):
        shown = width_figure(instance)
    total, anyway, *parts, drawn = (
        {int(point.x): point.y for point in series.points} for series in shown.series
    )
    assert set(total) == {10**k for k in range(1, 13)}
    for width in total:
        with precision(128):
            bound = explicit_bound(instance, width, instance.chain.initial, Fraction(0))
            low, high = end_points(bound.total)
        assert total[width].contains(low)
        assert total[width].contains(high)
        assert float(total[width].lower) == pytest.approx(
            sum(float(part[width].upper) for part in parts), rel=1e-12
        )
        assert (total[width].upper < anyway[width].lower) or width < 10**3
    for width, mean in drawn.items():
        # The rest of the two standard errors: the mean itself is drawn again, by other draws.
        simulated = largest_error(instance, Networks(width=width, state=0, memory=Fraction(0)))
        again = simulated.draw(np.random.default_rng(1), 512)
        error = float(mean.width_upper()) / 4
        assert abs(again.mean() - float(mean.lower + mean.upper) / 2) < 8 * error
        assert again.std() / 8 == pytest.approx(error, rel=0.5)
    assert [series.guarantee for series in shown.series] == [Guarantee.UPPER] * 5 + [
        Guarantee.ESTIMATE
    ]


def test_the_figure_of_training_shows_the_limit_and_networks_around_it():
    instance = gallery.load("sharp-convergence")
    limit, narrow, wide = training_figure(instance).series
    start, horizon = instance.chain.initial, instance.training.horizon
    flow = limit_flow(instance, joint_law(instance), [(start, Fraction(0))])
    exact = flow.output([Fraction(point.x) for point in limit.points])
    for place, value in zip(limit.points, exact.values[:, 0], strict=True):
        assert float(place.y.lower) - 1e-9 <= value <= float(place.y.upper) + 1e-9
        assert float(place.y.width_upper()) < 1e-3
    assert limit.points[-1].x == horizon
    one = train_replica(
        instance,
        width=32,
        seed=0,
        replica=3,
        checkpoints=[int(32 * point.x) for point in narrow.points],
        points=[(start, Fraction(0))],
    )
    for place, output in zip(narrow.points, one.outputs[:, 0], strict=True):
        # Sums of 32 doubles in another order.
        assert float(place.y.lower) - 1e-12 <= output <= float(place.y.upper) + 1e-12
    spread = [float(series.points[-1].y.width_upper()) for series in (narrow, wide)]
    assert spread[1] < spread[0]
    assert narrow.guarantee is wide.guarantee is Guarantee.ESTIMATE
