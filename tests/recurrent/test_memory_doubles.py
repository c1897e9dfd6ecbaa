"""The memory map in double precision: errors against mpmath and balls stay below their bounds."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from verification import gallery
from verification.campaign import strategies
from verification.enclosure.balls import Ball, end_points, exact_ball, precision
from verification.enclosure.doubles import ASSUMED_ULP
from verification.enclosure.quadrature import MAX_NODES
from verification.errors import InvalidInstance, NotEnclosed
from verification.instance import (
    SCHEMA,
    ActivationSpec,
    AtomicLaw,
    Constant,
    Instance,
    Normal,
    Term,
    Uniform,
)
from verification.oracle import activation as sigma
from verification.oracle import memory as oracle
from verification.recurrent import activation_doubles, memory_doubles
from verification.recurrent.law import mean_absolute_b
from verification.recurrent.memory import memory_map, memory_map_derivative
from verification.recurrent.memory_doubles import memory_map_and_slope_doubles, memory_map_doubles

F = Fraction
ULP = Fraction(1, 2**53)

FEWER = settings(max_examples=max(10, settings.default.max_examples // 2))
"""Half of the profile's examples: an oracle's answer takes half a second."""


def exact(values) -> tuple[Fraction, ...]:
    return tuple(F(float(value)) for value in values)


def in_balls(instance: Instance, x, v, order: int) -> Ball:
    """Phi at a pair, or its derivative, in balls."""
    chain = dataclasses.replace(instance.chain, inputs=(exact(x),))
    seen = dataclasses.replace(instance, chain=chain)
    return (memory_map, memory_map_derivative)[order](seen, 0, exact_ball(float(v)))


def largest_error(instance, inputs, memory, order, bits=128) -> tuple[Fraction, float]:
    """Return the largest error seen, against balls, after asserting that none exceeds the bound."""
    values, bound = memory_map_doubles(instance, inputs, memory, order=order)
    assert values.shape == memory.shape
    worst = F(0)
    with precision(bits):
        for x, v, value in zip(inputs, memory, values.tolist(), strict=True):
            low, high = end_points(in_balls(instance, x, v, order) - exact_ball(value))
            # Neither end of the ball may be certainly out of reach.
            assert max(-high, low, F(0)) <= F(bound), (x, v)
            worst = max(worst, abs(low + high) / 2)
    return worst, bound


def scale_of(instance: Instance, order: int) -> Fraction:
    """E|B| times the sum of sigma's weights |a_j b_j^k|: the size of what is summed."""
    weights = (abs(term.weight * term.scale**order) for term in instance.activation.terms)
    return mean_absolute_b(instance.law) * sum(weights)


GALLERY = [
    name for name in gallery.names_of(SCHEMA) if name not in {"near-reducible", "random-dense-50"}
]


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("name", GALLERY)
def test_gallery_stays_within_its_bounds_and_they_are_not_absurd(name, order, record_property):
    instance = gallery.load(name)
    rng = np.random.default_rng(7)
    inputs = rng.uniform(-1, 1, (12, instance.chain.dimension))
    memory = rng.uniform(-1, 1, 12)
    worst, bound = largest_error(instance, inputs, memory, order)
    # Rounding errors mostly cancel, at most a hundred of them are bounded as if they did not.
    steep = max(max(abs(t.scale), 1) for t in instance.activation.terms)
    assert bound <= 400 * steep * max(worst, scale_of(instance, order) * ULP / 4)
    record_property(
        "largest error: Phi" + "'" * order + " on the gallery",
        (float(worst / ULP), f"on {name}, bound {bound * 2**53:.3f}"),
    )


def draw_case(data, law_kinds):
    """An instance with inputs and memories of moderate size, so that rules stay short."""
    instance = data.draw(strategies.instances(law_kinds=law_kinds))
    dimension = instance.chain.dimension
    coordinate = st.one_of(st.floats(-1, 1), st.sampled_from([0.0, 1.0, -0.5, 1e-300, 2.0]))
    count = data.draw(st.integers(1, 4))
    inputs = data.draw(
        st.lists(
            st.lists(coordinate, min_size=dimension, max_size=dimension),
            min_size=count,
            max_size=count,
        )
    )
    memory = data.draw(
        st.lists(st.one_of(st.floats(-3, 3), st.just(0.0)), min_size=count, max_size=count)
    )
    return instance, np.array(inputs), np.array(memory)


def spread_of_w(instance: Instance) -> Fraction:
    law = instance.law
    if isinstance(law, AtomicLaw) or isinstance(law.w, Constant):
        return F(0)
    if isinstance(law.w, Normal):
        return 16 * law.w.std
    return sum(high - low for low, high in zip(law.w.low, law.w.high, strict=True))


@pytest.mark.parametrize("order", [0, 1])
def test_random_instances_stay_within_their_bounds(order, record_property):
    """Against balls at every pair, and against mpmath at 50 digits at one where that is quick."""
    largest, closest = [F(0)], [F(0)]

    @FEWER
    @given(st.data())
    def check(data):
        instance, inputs, memory = draw_case(data, None)
        panels = spread_of_w(instance) / sigma.length_scale(instance.activation)
        assume(panels <= 400)
        try:
            worst, bound = largest_error(instance, inputs, memory, order)
        except NotEnclosed:
            event("not enclosed")
            assume(False)
        scale = scale_of(instance, order)
        if scale:
            largest[0] = max(largest[0], worst / scale / ULP)
            closest[0] = max(closest[0], worst / F(bound))
        # Sides of a box that differ by many orders cost the oracle as many digits.
        even = all(x == 0 or abs(x) > 1e-6 for x in inputs[0])
        if panels <= 12 and even and instance.chain.dimension <= 2:
            event("against mpmath")
            values, _ = memory_map_doubles(instance, inputs, memory, order=order)
            answer = oracle.memory_map(
                instance, exact(inputs[0]), F(float(memory[0])), order=order, digits=50
            )
            assert abs(F(float(values[0])) - answer.value) <= F(bound) + answer.spread

    check()
    record_property(
        "largest error: Phi" + "'" * order + " on random instances, by E|B| sum |a_j b_j^k|",
        (float(largest[0]), f"at most {float(closest[0]):.3f} of a bound"),
    )


@FEWER
@given(st.data())
def test_atoms_stay_within_their_bounds_against_mpmath(data):
    instance, inputs, memory = draw_case(data, ["atoms", "symmetric-atoms", "constant"])
    for order in (0, 1):
        values, bound = memory_map_doubles(instance, inputs, memory, order=order)
        for x, v, value in zip(inputs, memory, values.tolist(), strict=True):
            answer = oracle.memory_map(instance, exact(x), F(float(v)), order=order, digits=50)
            assert abs(F(value) - answer.value) <= F(bound) + answer.spread


# The parts of the error, one at a time.

ONEGIN = gallery.load("markov-onegin")
HALF = F(1, 2)


def with_law(w, b="1", activation="tanh") -> Instance:
    law = dataclasses.replace(ONEGIN.law, w=w, b=Constant(value=(F(b),)))
    dimension = (
        len(w.value) if isinstance(w, Constant) else len(getattr(w, "mean", getattr(w, "low", ())))
    )
    chain = dataclasses.replace(ONEGIN.chain, inputs=((F(0),) * dimension,) * 2)
    return dataclasses.replace(
        ONEGIN, chain=chain, law=law, activation=ActivationSpec.named(activation)
    )


STANDARD = Normal(mean=(F(0),), std=F(1))


def test_closed_form_of_erf_for_a_normal_weight():
    """E erf(m + s Z) = erf(m / (1 + 2 s^2)^(1/2)), in two dimensions."""
    instance = with_law(Normal(mean=(F(1, 3), F(-1)), std=F(3, 4)), activation="erf")
    inputs = np.array([[0.5, 0.25], [-1.0, 1.0], [0.0, 0.0], [1e-200, 0.0]])
    memory = np.array([0.1, -2.0, 0.75, 0.0])
    values, bound = memory_map_doubles(instance, inputs, memory)
    with precision(128):
        for x, v, value in zip(inputs, memory, values.tolist(), strict=True):
            a, b = exact(x)
            mean = a / 3 - b + F(float(v))
            root = 1 + 2 * F(9, 16) * (a * a + b * b)
            truth = (
                Ball(1)
                * mean.numerator
                / mean.denominator
                / (Ball(root.numerator) / root.denominator).sqrt()
            ).erf()
            low, high = end_points(truth)
            assert low - F(bound) <= F(value) <= high + F(bound)
    assert bound < 1e-13


@pytest.mark.parametrize(
    "w",
    [
        STANDARD,
        Normal(mean=(F(5),), std=F(1, 1000)),
        Normal(mean=(F(1), F(-2), F(1, 3)), std=F(2)),
        Uniform(low=(F(-1),), high=(F(3),)),
        Uniform(low=(F(-1), F(0)), high=(F(1), F(1, 100))),
        Uniform(low=(F(-1),) * 3, high=(F(1),) * 3),
        Constant(value=(F(1, 3), F(-7))),
    ],
    ids=str,
)
@pytest.mark.parametrize("family", ["tanh", "logistic", "erf", "arctan", "sin"])
def test_every_law_and_family_is_enclosed_closely(w, family):
    instance = with_law(w, b="-7/10", activation=family)
    rng = np.random.default_rng(3)
    dimension = instance.chain.dimension
    inputs, memory = rng.uniform(-1, 1, (4, dimension)), rng.uniform(-1, 1, 4)
    for order in (0, 1):
        worst, bound = largest_error(instance, inputs, memory, order, bits=80)
        assert bound < 2e-13
        assert worst <= F(bound)


@pytest.fixture
def fresh_plans():
    """Plans are kept; those of a test that changes what they are made of must not be."""
    memory_doubles._plan.cache_clear()
    yield
    memory_doubles._plan.cache_clear()


@pytest.mark.parametrize("bits", [-4, 4, 12, 24])
@pytest.mark.parametrize(
    "w", [STANDARD, Uniform(low=(F(-1),), high=(F(3),)), Uniform(low=(F(0),) * 2, high=(F(5),) * 2)]
)
@pytest.mark.usefixtures("fresh_plans")
def test_the_rules_own_error_is_bounded_where_it_is_visible(w, bits, monkeypatch):
    monkeypatch.setattr(memory_doubles, "_TARGET_BITS", bits)
    instance = with_law(w)
    dimension = instance.chain.dimension
    inputs = np.array([[1.0] * dimension, [0.5] * dimension, [-1.0] * dimension])
    worst, bound = largest_error(instance, inputs, np.array([0.7, -0.2, 3.0]), 0, bits=80)
    # The search aims at 8 bits more, and its bound is for the worst function on the strip.
    assert 2.0**-53 < bound < 2.0 ** (8 - bits)
    assert worst <= F(bound)


@pytest.mark.parametrize("size", [1e3, 1e6, 1e8])
def test_rounded_arguments_are_bounded_where_it_is_visible(size):
    """sin(w x + v) with w a third: the argument itself is off by its own rounding."""
    instance = with_law(Constant(value=(F(1, 3),)), activation="sin")
    inputs, memory = np.linspace(size / 2, size, 64)[:, None], np.linspace(0, size, 64)
    worst, bound = largest_error(instance, inputs, memory, 0, bits=200)
    assert size * 2.0**-55 < worst <= F(bound)
    assert bound < 20 * size * 2.0**-53


@pytest.mark.parametrize("direction", [-2.0, 2.0])
@pytest.mark.usefixtures("fresh_plans")
def test_elementary_functions_may_be_as_bad_as_assumed(direction, monkeypatch):
    def worse(name):
        def function(t, out):
            np.tanh(t, out=out)
            for _ in range(ASSUMED_ULP["tanh"] - 1):
                np.nextafter(out, direction, out=out)

        assert name == "tanh"
        return function

    monkeypatch.setattr(activation_doubles, "elementary", worse)
    rng = np.random.default_rng(11)
    for order in (0, 1):
        worst, bound = largest_error(
            with_law(STANDARD), rng.uniform(-1, 1, (9, 1)), rng.uniform(0, 1, 9), order
        )
        assert F(1, 2**53) < worst <= F(bound)


def test_a_hundred_thousand_pairs_are_what_a_few_are():
    """Blocks do not change the values by more than the bound, nor their order."""
    instance = with_law(STANDARD)
    rng = np.random.default_rng(1)
    inputs, memory = rng.uniform(-1, 1, (100_000, 1)), rng.uniform(-1, 1, 100_000)
    values, bound = memory_map_doubles(instance, inputs, memory)
    assert bound < 1e-13
    some = rng.integers(0, 100_000, 300)
    few, few_bound = memory_map_doubles(instance, inputs[some], memory[some])
    assert np.abs(values[some] - few).max() <= bound + few_bound
    assert np.abs(values).max() <= 1


def test_more_nodes_than_a_block_are_summed():
    instance = with_law(Normal(mean=(F(0),), std=F(30)))
    inputs, memory = np.linspace(-1, 1, 5)[:, None], np.linspace(-1, 1, 5)
    worst, bound = largest_error(instance, inputs, memory, 0, bits=80)
    assert bound < 1e-12
    assert worst <= F(bound)


@pytest.mark.parametrize("name", GALLERY)
@pytest.mark.parametrize("pairs", [1, 700])
def test_values_and_slopes_together_are_what_they_are_alone(name, pairs):
    instance = gallery.load(name)
    generator = np.random.default_rng(8)
    inputs = generator.normal(size=(pairs, instance.chain.dimension))
    memory = generator.normal(size=pairs)
    both = memory_map_and_slope_doubles(instance, inputs, memory)
    for order, (found, error) in enumerate(both):
        values, bound = memory_map_doubles(instance, inputs, memory, order=order)
        assert error == bound
        assert np.array_equal(found, values)


def test_zero_b_gives_zero_with_a_tiny_bound():
    values, bound = memory_map_doubles(with_law(STANDARD, b="0"), np.ones((3, 1)), np.zeros(3))
    assert values.tolist() == [0.0, 0.0, 0.0]
    assert 0 <= bound < 1e-290


def test_an_odd_function_of_a_symmetric_weight_vanishes():
    values, bound = memory_map_doubles(with_law(STANDARD), np.ones((3, 1)), np.zeros(3))
    assert np.abs(values).max() <= bound


def test_no_pairs_give_no_values():
    values, bound = memory_map_doubles(ONEGIN, np.empty((0, 1)), np.empty(0))
    assert values.shape == (0,)
    assert 0 < bound < 1e-13


def test_arguments_are_left_alone():
    inputs, memory = np.full((4, 1), 0.3), np.full(4, 0.2)
    memory_map_doubles(ONEGIN, inputs, memory)
    assert (inputs == 0.3).all()
    assert (memory == 0.2).all()


def test_arrays_of_any_layout_give_the_same_values():
    instance = with_law(Uniform(low=(F(-1), F(0)), high=(F(1), F(2))))
    rng = np.random.default_rng(2)
    inputs, memory = rng.uniform(-1, 1, (40, 2)), rng.uniform(-1, 1, 40)
    values, _ = memory_map_doubles(instance, inputs, memory)
    wide = np.zeros((80, 2))
    wide[::2] = inputs
    again, _ = memory_map_doubles(instance, wide[::2], np.repeat(memory, 2)[::2])
    assert (np.asfortranarray(inputs).flags.f_contiguous, values.tolist()) == (True, again.tolist())
    third, _ = memory_map_doubles(instance, np.asfortranarray(inputs), memory)
    assert third.tolist() == values.tolist()


# Symmetries: the same numbers, up to the two bounds.


@FEWER
@given(st.data())
def test_permuting_atoms_and_scaling_inversely_change_nothing(data):
    instance, inputs, memory = draw_case(data, ["atoms", "symmetric-atoms"])
    atoms = data.draw(st.permutations(instance.law.atoms))
    factor = data.draw(st.sampled_from([2, -4, F(1, 8)]))
    scaled = AtomicLaw(
        atoms=tuple(
            dataclasses.replace(atom, w=tuple(x / factor for x in atom.w)) for atom in atoms
        )
    )
    other = dataclasses.replace(instance, law=scaled)
    values, bound = memory_map_doubles(instance, inputs, memory)
    again, other_bound = memory_map_doubles(other, inputs * float(factor), memory)
    assert np.abs(values - again).max() <= bound + other_bound


@pytest.mark.parametrize("order", [0, 1])
def test_a_rotation_of_inputs_changes_nothing_for_a_centred_normal_law(order):
    instance = with_law(Normal(mean=(F(0), F(0)), std=F(2)))
    rng = np.random.default_rng(5)
    inputs, memory = rng.integers(-4, 5, (30, 2)) / 8, rng.uniform(-1, 1, 30)
    turned = inputs[:, ::-1] * [1.0, -1.0]
    values, bound = memory_map_doubles(instance, inputs, memory, order=order)
    again, _ = memory_map_doubles(instance, turned, memory, order=order)
    assert np.abs(values - again).max() <= 2 * bound


# Malformed input, and what cannot be proved.


@pytest.mark.parametrize(
    ("inputs", "memory", "said"),
    [
        (np.zeros((2, 2)), np.zeros(2), r"inputs: has shape \(2, 2\), expected .*\(n_points, 1\)"),
        (np.zeros(2), np.zeros(2), r"inputs: has shape \(2,\)"),
        (np.zeros((2, 1)), np.zeros(3), r"memory: has shape \(3,\), expected .*\(2,\)"),
        (np.zeros((2, 1)), np.zeros((2, 1)), r"memory: has shape \(2, 1\)"),
        (np.zeros((2, 1), dtype=np.float32), np.zeros(2), "inputs: is float32, expected a float64"),
        ([[0.0]], np.zeros(1), "inputs: is .*list.*, expected a float64"),
        (np.array([[0.0], [np.nan]]), np.zeros(2), r"inputs\[1\]\[0\]: is nan, expected a finite"),
        (np.zeros((2, 1)), np.array([np.inf, 0]), r"memory\[0\]: is inf, expected a finite"),
    ],
)
def test_malformed_arrays_are_named(inputs, memory, said):
    with pytest.raises(InvalidInstance, match=said):
        memory_map_doubles(ONEGIN, inputs, memory)


@pytest.mark.parametrize("order", [-1, 2])
def test_other_orders_are_refused(order):
    with pytest.raises(ValueError, match="expected 0 or 1"):
        memory_map_doubles(ONEGIN, np.zeros((1, 1)), np.zeros(1), order=order)


STEEP = ActivationSpec(terms=(Term(weight=F(1), scale=F(10**7), shift=F(0), of="tanh"),))


@pytest.mark.parametrize(
    ("instance", "x", "v", "said"),
    [
        (ONEGIN, 1e10, 0.0, "about 1e.10 in size"),
        (ONEGIN, 0.0, -1e300, "about 1e.300 in size"),
        (ONEGIN, 1e300, 0.0, "about 1e.300 in size"),
        (ONEGIN, 1e6, 0.0, f"more than {MAX_NODES}"),
        (dataclasses.replace(ONEGIN, activation=STEEP), 1.0, 0.0, f"more than {MAX_NODES}"),
        (with_law(Uniform(low=(F(0),), high=(F(10**7),))), 1.0, 0.0, f"more than {MAX_NODES}"),
        (with_law(Constant(value=(F(10**12),))), 1.0, 0.0, "may exceed"),
        (with_law(Constant(value=(F(10**400),))), 1.0, 0.0, "beyond the range"),
        (with_law(STANDARD, b="1e400"), 1.0, 0.0, "beyond the range"),
    ],
)
def test_what_cannot_be_proved_is_not_enclosed(instance, x, v, said):
    with pytest.raises(NotEnclosed, match=said):
        memory_map_doubles(instance, np.full((1, 1), x), np.full(1, v))


def test_a_product_rule_too_long_is_not_enclosed():
    instance = with_law(Uniform(low=(F(-1),) * 6, high=(F(1),) * 6))
    with pytest.raises(NotEnclosed, match=f"more than {MAX_NODES}"):
        memory_map_doubles(instance, np.ones((1, 6)), np.zeros(1))
    values, bound = memory_map_doubles(instance, np.eye(6)[:1], np.ones(1))
    assert bound < 1e-13
    assert 0.5 < values[0] < 0.8
