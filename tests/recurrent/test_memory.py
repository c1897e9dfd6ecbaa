"""The memory map and its fixed points in balls, against mpmath at 50 digits."""

from __future__ import annotations

import dataclasses
import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verification import gallery
from verification.campaign import strategies
from verification.enclosure.balls import (
    Ball,
    ball,
    end_points,
    interval,
    less_equal,
    precision,
)
from verification.errors import NotEnclosed
from verification.instance import (
    ActivationSpec,
    AtomicLaw,
    Constant,
    Instance,
    Normal,
    ProductLaw,
    Term,
    Uniform,
)
from verification.oracle import memory as oracle
from verification.recurrent.activation import activation
from verification.recurrent.law import mean_absolute_b
from verification.recurrent.memory import (
    contraction_factor,
    fixed_point,
    has_zero_memory,
    iterate,
    memory_bound,
    memory_map,
    memory_map_derivative,
)
from verification.verdict import Truth

F = Fraction
FEWER = settings(max_examples=max(10, settings.default.max_examples // 2))
"""Half of the profile's examples."""
DISCRETE = ("dependent-b-on-w", "snakes-and-ladders", "mutant-signed-b", "sharp-fixed-point")
CONTINUOUS = ("markov-onegin", "erf-uniform", "mixture-activation", "two-dimensional-uniform")


def covers(x: Ball, answer) -> bool:
    low, high = end_points(x)
    return low - answer.spread <= answer.value <= high + answer.spread


def width(x: Ball) -> Fraction:
    low, high = end_points(x)
    return high - low


@pytest.mark.parametrize(
    ("name", "order"),
    [(name, order) for name in (*DISCRETE, *CONTINUOUS[:2]) for order in (0, 1)]
    + [("two-dimensional-uniform", 0), ("mixture-activation", 0)],
)
def test_memory_map_agrees_with_mpmath_and_is_narrow(name, order):
    instance = gallery.load(name)
    state, memory = instance.chain.n_states - 1, F(-2, 7)
    answer = oracle.memory_map(
        instance, instance.chain.inputs[state], memory, order=order, digits=35
    )
    with precision(192):
        if order == 0:
            value = memory_map(instance, state, ball(memory))
        else:
            value = memory_map_derivative(instance, state, ball(memory))
    assert covers(value, answer), value.str(40)
    assert width(value) < F(1, 2**130)


def word_of(instance: Instance, length: int) -> tuple[int, ...]:
    rng = random.Random(length)
    return tuple(rng.randrange(instance.chain.n_states) for _ in range(length))


@pytest.mark.parametrize(
    ("name", "length"),
    [(name, length) for name in DISCRETE for length in (1, 2, 5)]
    + [("dependent-b-on-w", 50), ("sharp-fixed-point", 50)],
)
def test_fixed_point_of_a_long_word_is_narrow_and_agrees_with_mpmath(name, length):
    instance = gallery.load(name)
    word = word_of(instance, length)
    with precision(128):
        found = fixed_point(instance, word)
        # It is a fixed point as far as balls can see, and lies where memories lie.
        assert iterate(instance, word, found).overlaps(found)
        assert less_equal(abs(found), ball(memory_bound(instance))) is not Truth.FALSE
    assert width(found) / 2 < F(1, 10**25)
    assert covers(found, oracle.fixed_point(instance, word))


@pytest.mark.parametrize(("name", "length"), [("markov-onegin", 2), ("erf-uniform", 1)])
def test_fixed_point_of_a_continuous_law_agrees_with_mpmath(name, length):
    instance = gallery.load(name)
    word = word_of(instance, length)
    with precision(128):
        found = fixed_point(instance, word)
    assert width(found) / 2 < F(1, 10**25)
    assert covers(found, oracle.fixed_point(instance, word, digits=25))


@pytest.mark.parametrize("name", CONTINUOUS)
def test_fixed_point_of_a_long_word_of_a_continuous_law_is_narrow(name):
    instance = gallery.load(name)
    word = word_of(instance, 50 if name == "markov-onegin" else 12)
    with precision(128):
        found = fixed_point(instance, word)
        again = iterate(instance, word, found)
    assert width(found) / 2 < F(1, 10**25)
    assert again.overlaps(found)


def test_fixed_point_of_a_repeated_word_is_the_same():
    instance = gallery.load("dependent-b-on-w")
    word = word_of(instance, 3)
    with precision(128):
        assert fixed_point(instance, word).overlaps(fixed_point(instance, word * 4))
        rotated = word[1:] + word[:1]
        moved = memory_map(instance, word[0], fixed_point(instance, word))
        assert moved.overlaps(fixed_point(instance, rotated))


@FEWER
@given(st.data())
def test_fixed_points_of_random_contractions_are_narrow(data):
    """As close to q = 1 as a billionth: the change of sign needs no contraction factor."""
    instance = data.draw(
        strategies.instances(contracting=True, law_kinds=["atoms", "symmetric-atoms", "constant"])
    )
    word = data.draw(strategies.words(instance.chain))
    with precision(256):
        found = fixed_point(instance, word)
        assert iterate(instance, word, found).overlaps(found)
    # 256 bits, less what q = 1 - 1e-9 and slopes of order 1 lose.
    assert width(found) < F(1, 10**25)


def one_unit(activation_spec: ActivationSpec, w: str, b: str, x: str = "1") -> Instance:
    base = gallery.load("one-state")
    law = ProductLaw(
        c=Constant(value=(F(0),)), w=Constant(value=(F(w),)), b=Constant(value=(F(b),))
    )
    chain = dataclasses.replace(base.chain, inputs=((F(x),),))
    return dataclasses.replace(base, activation=activation_spec, law=law, chain=chain)


@pytest.mark.parametrize(("family", "b"), [("tanh", "3"), ("sin", "2"), ("tanh", "1")])
def test_a_fixed_point_that_does_not_attract_is_not_enclosed(family, b):
    """At 0 the map b sigma(v) crosses the diagonal upward, or touches it."""
    instance = one_unit(ActivationSpec.named(family), w="0", b=b)
    with pytest.raises(NotEnclosed, match="no change of sign"):
        fixed_point(instance, (0,))


NEGATED = ActivationSpec(terms=(Term(weight=F(1), scale=F(-1), shift=F(1, 2), of="tanh"),))


@pytest.mark.parametrize(
    ("spec", "w", "b"),
    [
        # Newton's first step from 0 goes to 6.6, where the sine's slope is another.
        (ActivationSpec.named("sin"), "1/10", "99/100"),
        # The fixed point is 0 exactly, and rounding in the argument hides the signs around it.
        (NEGATED, "1/2", "1/2"),
        (ActivationSpec.named("arctan"), "-3", "-99/100"),
    ],
)
def test_fixed_points_that_newton_alone_misses(spec, w, b):
    instance = one_unit(spec, w=w, b=b)
    for bits, digits in ((64, 15), (128, 33), (512, 140)):
        with precision(bits):
            found = fixed_point(instance, (0,))
        assert width(found) < F(1, 10**digits)
    assert covers(found, oracle.fixed_point(instance, (0,)))


@pytest.mark.parametrize("gap", ["1e-3", "1e-12"])
def test_a_fixed_point_is_narrow_however_slowly_it_attracts(gap):
    instance = one_unit(ActivationSpec.named("tanh"), w="1/10", b=str(1 - F(gap)))
    with precision(128):
        found = fixed_point(instance, (0,))
    assert width(found) < F(1, 10**25)
    assert covers(found, oracle.fixed_point(instance, (0,)))


# The derivative.


@pytest.mark.parametrize("name", [*DISCRETE, *CONTINUOUS])
def test_difference_quotients_lie_in_the_enclosure_of_the_derivative(name):
    """Mean value theorem: the quotient over an interval is a value of the derivative there."""
    instance = gallery.load(name)
    with precision(192):
        for bits in (2, 30):
            low, high = ball(F(1, 3)), ball(F(1, 3) + F(1, 2**bits))
            rise = memory_map(instance, 0, high) - memory_map(instance, 0, low)
            slope = memory_map_derivative(instance, 0, interval(low, high))
            assert slope.overlaps(rise * 2**bits)
            # The derivative itself moves by its Lipschitz constant over the interval at most.
            assert width(slope) < F(50, 2**bits)


@FEWER
@given(st.data())
def test_slopes_never_exceed_the_contraction_factor(data):
    instance = data.draw(strategies.instances(law_kinds=["atoms", "symmetric-atoms", "constant"]))
    memory = data.draw(st.fractions(-3, 3, max_denominator=100))
    with precision(128):
        q = ball(contraction_factor(instance))
        slope = abs(memory_map_derivative(instance, 0, ball(memory)))
        assert less_equal(slope, q) is not Truth.FALSE
        image = abs(memory_map(instance, 0, ball(memory)))
        assert less_equal(image, ball(memory_bound(instance))) is not Truth.FALSE


def test_the_constants_are_products():
    instance = gallery.load("markov-onegin")
    assert contraction_factor(instance) == F(1, 4) * mean_absolute_b(instance.law)
    assert memory_bound(instance) == mean_absolute_b(instance.law)
    erf = gallery.load("erf-uniform")
    with precision(128):
        factor = contraction_factor(erf)
        bound = ball(activation(erf.activation).bound(1)) * ball(mean_absolute_b(erf.law))
        assert isinstance(factor, Ball)
        assert factor.overlaps(bound)


# The memory that is identically zero, decided exactly.

TANH, LOGISTIC = ActivationSpec.named("tanh"), ActivationSpec.named("logistic")
SHIFTED = ActivationSpec(terms=(Term(weight=F(1), scale=F(1), shift=F(1, 10**40), of="tanh"),))
TINY = F(1, 10**60)


def with_law(spec: ActivationSpec, law, inputs) -> Instance:
    base = gallery.load("markov-onegin")
    points = tuple(tuple(map(F, point)) for point in inputs)
    return dataclasses.replace(
        base, activation=spec, law=law, chain=dataclasses.replace(base.chain, inputs=points)
    )


def product_law(w, b) -> ProductLaw:
    return ProductLaw(c=Constant(value=(F(0),)), w=w, b=b)


def pair_of_atoms(first, second) -> AtomicLaw:
    base = gallery.load("dependent-b-on-w").law.atoms[0]
    return AtomicLaw(
        atoms=tuple(dataclasses.replace(base, p=p, w=(w,), b=b) for p, w, b in (first, second))
    )


HALF, ONE = F(1, 2), F(1)
POSITIVE_B = Uniform(low=(F(1, 5),), high=(F(4, 5),))
CENTRED_B = Uniform(low=(F(-1),), high=(F(1),))
NORMAL = Normal(mean=(F(0),), std=F(1))
ZERO_MEMORY = {
    "odd and symmetric": (TANH, product_law(NORMAL, POSITIVE_B), "12"),
    "odd and symmetric uniform": (
        TANH,
        product_law(Uniform(low=(F(-2),), high=(F(2),)), POSITIVE_B),
        "12",
    ),
    "E[B] = 0": (LOGISTIC, product_law(Normal(mean=(ONE,), std=ONE), CENTRED_B), "12"),
    "inputs are 0 and sigma odd": (
        TANH,
        product_law(Normal(mean=(ONE,), std=ONE), POSITIVE_B),
        "00",
    ),
    "mirrored atoms": (TANH, pair_of_atoms((HALF, ONE, ONE), (HALF, -ONE, ONE)), "12"),
    "mirrored atoms of unequal weight": (
        TANH,
        pair_of_atoms((F(1, 4), ONE, F(3)), (F(3, 4), -ONE, ONE)),
        "12",
    ),
    "atoms that cancel": (LOGISTIC, pair_of_atoms((HALF, ONE, ONE), (HALF, ONE, -ONE)), "12"),
    "atoms whose projections cancel at 0": (
        LOGISTIC,
        pair_of_atoms((HALF, ONE, ONE), (HALF, -ONE, -ONE)),
        "00",
    ),
}
NEAR_MISSES = {
    "a mean of 1e-60": (TANH, product_law(Normal(mean=(TINY,), std=ONE), POSITIVE_B), "12"),
    "a shift of 1e-40": (SHIFTED, product_law(NORMAL, POSITIVE_B), "12"),
    "an activation that is not odd": (LOGISTIC, product_law(NORMAL, POSITIVE_B), "12"),
    "E[B] = 1e-60": (
        LOGISTIC,
        product_law(NORMAL, Uniform(low=(F(-1),), high=(F(1) + 2 * TINY,))),
        "12",
    ),
    "one input that is not 0": (
        TANH,
        product_law(Normal(mean=(ONE,), std=ONE), POSITIVE_B),
        "01",
    ),
    "unequal b": (TANH, pair_of_atoms((HALF, ONE, ONE), (HALF, -ONE, ONE + TINY)), "12"),
    "unequal w": (TANH, pair_of_atoms((HALF, ONE, ONE), (HALF, -ONE - TINY, ONE)), "12"),
    "unequal p": (
        TANH,
        pair_of_atoms((HALF + TINY, ONE, ONE), (HALF - TINY, -ONE, ONE)),
        "12",
    ),
    "opposite atoms of an even part": (
        LOGISTIC,
        pair_of_atoms((HALF, ONE, ONE), (HALF, -ONE, ONE)),
        "12",
    ),
}


@pytest.mark.parametrize("case", ZERO_MEMORY)
def test_a_memory_that_is_zero_is_recognised(case):
    spec, law, inputs = ZERO_MEMORY[case]
    instance = with_law(spec, law, inputs)
    assert has_zero_memory(instance)
    with precision(256):
        for state in range(2):
            value = memory_map(instance, state, ball(0))
            assert value.contains(0)
            assert width(value) < F(1, 10**60)


@pytest.mark.parametrize("case", NEAR_MISSES)
def test_a_memory_that_is_nearly_zero_is_not(case):
    spec, law, inputs = NEAR_MISSES[case]
    instance = with_law(spec, law, inputs)
    assert not has_zero_memory(instance)
    with precision(512):
        values = [memory_map(instance, state, ball(0)) for state in range(2)]
        assert not all(value.contains(0) for value in values)


# Symmetries.


def relabelled(instance: Instance, order: list[int]) -> Instance:
    chain = instance.chain
    place = {old: new for new, old in enumerate(order)}
    rows = tuple(tuple(sorted((place[j], p) for j, p in chain.rows[old])) for old in order)
    return dataclasses.replace(
        instance,
        chain=dataclasses.replace(
            chain,
            rows=rows,
            inputs=tuple(chain.inputs[old] for old in order),
            targets=tuple(chain.targets[old] for old in order),
            initial=place[chain.initial],
        ),
    )


@FEWER
@given(st.data())
def test_relabelling_states_and_permuting_atoms_change_nothing(data):
    instance = data.draw(strategies.instances(law_kinds=["atoms", "symmetric-atoms"]))
    order = data.draw(st.permutations(range(instance.chain.n_states)))
    shuffled = data.draw(st.permutations(instance.law.atoms))
    other = dataclasses.replace(relabelled(instance, order), law=AtomicLaw(atoms=tuple(shuffled)))
    assert has_zero_memory(instance) is has_zero_memory(other)
    assert contraction_factor(instance) == contraction_factor(other) or not isinstance(
        contraction_factor(instance), Fraction
    )
    with precision(128):
        for new, old in enumerate(order):
            first = memory_map(instance, old, ball(F(1, 3)))
            second = memory_map(other, new, ball(F(1, 3)))
            assert first.overlaps(second)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_relabelling_states_changes_nothing_at_all_for_a_product_law(name):
    instance = gallery.load(name)
    order = list(reversed(range(instance.chain.n_states)))
    other = relabelled(instance, order)
    with precision(128):
        for new, old in enumerate(order):
            first = memory_map(instance, old, ball(F(1, 3)))
            assert end_points(first) == end_points(memory_map(other, new, ball(F(1, 3))))


def test_scaling_the_activations_argument_scales_weights_and_memory():
    """sigma(c t) with law of W and memory divided by c: the same units."""
    instance = gallery.load("markov-onegin")
    factor, memory = F(3), F(2, 5)
    slowed = ActivationSpec(terms=(Term(weight=ONE, scale=factor, shift=F(0), of="logistic"),))
    w = instance.law.w
    law = dataclasses.replace(
        instance.law, w=Normal(mean=tuple(m / factor for m in w.mean), std=w.std / factor)
    )
    other = dataclasses.replace(instance, activation=slowed, law=law)
    with precision(128):
        first = memory_map(instance, 0, ball(memory))
        second = memory_map(other, 0, ball(memory / factor))
        assert first.overlaps(second)
        steep = memory_map_derivative(other, 0, ball(memory / factor))
        assert steep.overlaps(factor.numerator * memory_map_derivative(instance, 0, ball(memory)))
