"""The claims on the memory, in balls: its slope, fixed points of words, and what it forgets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from fractions import Fraction

from verification.certificate.check.instances import Instance
from verification.certificate.check.numbers.balls import (
    Ball,
    around,
    at_precision,
    ball,
    integer_power,
    lower,
    magnitude,
    precision,
)
from verification.certificate.check.numbers.bounds import SLACK, Bounds, Shown, brief
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.reading import LEAST_DECIMALS, MOST_DECIMALS, Node
from verification.certificate.check.recurrent.activations import constant
from verification.certificate.check.recurrent.layer import (
    Function,
    layer_at,
    mean_square_of_conditional_b,
)
from verification.certificate.check.recurrent.memory import Memory, largest_slope
from verification.certificate.check.recurrent.speed import largest_squares

MAX_WORD = 64
MAX_PAST = 1_000
MAX_ITERATES = 64
_BITS = 192
_SLOPE_BITS = 64
_SPEED_BITS = 96
_SPARE_BITS = 32
"""Lost where near memories are subtracted: most cases need no second precision then."""


def read_memory(instance: Instance, witness: Node, budget: Budget) -> Memory:
    """Return the memory map; there is nothing that all cases share."""
    witness.fields(())
    with precision(_BITS):
        return Memory(instance, budget)


# M1


def steepest_slope(memory: Memory, case: Node, claimed: Bounds) -> Shown:
    """``max_i sup_{|v| <= vbar} |E[B sigma'(W.x_i + v)]| <= q``."""
    case.fields(("of",))["of"].choice("every state and memory")
    with precision(_SLOPE_BITS):
        ceiling = lower(memory.contraction_factor()) * (1 + SLACK / 2)
        left = largest_slope(memory, claimed, ceiling)
    return Shown("every state and memory", left, at_precision(memory.contraction_factor))


# M4


def distance_to_fixed_point(memory: Memory, case: Node, _claimed: Bounds) -> Shown:
    """``|F^n(c) - v*| <= q^(pn) |F(c) - c| / (1 - q^p)``."""
    members = case.fields(("word", "start", "iterates", "fixed_point"))
    word = members["word"].states(MAX_WORD, memory.instance.size)
    (start,) = members["start"].vector(1)
    iterates = members["iterates"].integer(0, MAX_ITERATES)
    near = members["fixed_point"].number()
    half = _half_unit(memory, word, members["fixed_point"])

    def distance() -> Ball:
        return magnitude(
            memory.iterate(word * iterates, ball(start)) - around(ball(near), ball(half))
        )

    def bound() -> Ball:
        q = memory.contraction_factor()
        step = abs(memory.iterate(word, ball(start)) - ball(start))
        rate = integer_power(q, len(word) * iterates)
        return rate * step / (1 - integer_power(q, len(word)))

    rounds = f"after {iterates} rounds" if iterates else "a posteriori"
    what = f"word {','.join(map(str, word))}, c = {brief(start)}, {rounds}"
    return Shown(what, at_precision(distance, _SPARE_BITS), at_precision(bound))


def _half_unit(memory: Memory, word: tuple[int, ...], node: Node) -> Fraction:
    """Show that F has a fixed point within half a unit of the last decimal; return this half.

    F is continuous, ``F(v) - v`` is positive at one end and negative at the other; no contraction
    enters.
    """
    decimals = len(str(node.value).partition(".")[2])
    if not LEAST_DECIMALS <= decimals <= MOST_DECIMALS:
        node.refuse(f"a number of {LEAST_DECIMALS} to {MOST_DECIMALS} decimals")
    half = Fraction(1, 2 * 10**decimals)
    middle, key = node.number(), (word, str(node.value))
    if key not in memory.fixed_points:
        with precision(48 + 10 * decimals // 3):
            low, high = ball(middle - half), ball(middle + half)
            rises = lower(memory.iterate(word, low) - low)
            falls = lower(high - memory.iterate(word, high))
        if rises <= 0 or falls <= 0:
            raise Invalid(f"{node.path}: F(v) - v does not change its sign around it")
        memory.fixed_points.add(key)
    return half


# M5


def forgetting(memory: Memory, case: Node, _claimed: Bounds) -> Shown:
    """``|v_k - v'_k| <= q^k |v_0 - v'_0|``, or a past against its last m inputs, ``q^m vbar``."""
    if case.has("past"):
        return _history(memory, case)
    members = case.fields(("word", "starts"))
    word = members["word"].states(MAX_WORD, memory.instance.size)
    first, second = members["starts"].vector(2)
    if first <= second:
        members["starts"].refuse("the larger of two starts first")

    def gap() -> Ball:
        return magnitude(memory.iterate(word, ball(first)) - memory.iterate(word, ball(second)))

    def bound() -> Ball:
        return integer_power(memory.contraction_factor(), len(word)) * ball(abs(first - second))

    what = f"after {len(word)} steps from {brief(first)} and {brief(second)}"
    return Shown(what, at_precision(gap, _SPARE_BITS), at_precision(bound))


def _history(memory: Memory, case: Node) -> Shown:
    members = case.fields(("past", "known"))
    past = members["past"].states(MAX_PAST, memory.instance.size)
    known = members["known"].integer(1, len(past))

    def gap() -> Ball:
        return magnitude(memory.remembered(past) - memory.iterate(past[-known:], ball(0)))

    def bound() -> Ball:
        return integer_power(memory.contraction_factor(), known) * memory.bound()

    return Shown(
        f"the last {known} of {len(past)} inputs",
        at_precision(gap, _SPARE_BITS),
        at_precision(bound),
    )


# M2, M3


def layer_contraction(memory: Memory, case: Node, _claimed: Bounds) -> Shown:
    """``|T_x h - T_x h'| <= s1 (E[E[B|W]^2])^(1/2) |h - h'|`` in L2, as a ratio."""
    instance = memory.instance

    def factor() -> Ball:
        root = ball(mean_square_of_conditional_b(instance)).sqrt()
        return constant(instance.activation, 1) * root

    return _ratio_of_norms(memory, case, at_precision(factor), gradient=False)


def sobolev_bound(memory: Memory, case: Node, _claimed: Bounds) -> Shown:
    """In H1 ``sup_u (sigma'^2 + R^2 sigma''^2)^(1/2)`` in the place of s1."""
    instance = memory.instance
    if memory.speed is None:
        with precision(_SPEED_BITS):
            memory.speed = largest_squares(
                instance.activation, 1, instance.squared_radius, memory.budget
            )
    speed, share = memory.speed, mean_square_of_conditional_b(instance)
    return _ratio_of_norms(memory, case, lambda bits: speed.times(share).root(bits), gradient=True)


def _ratio_of_norms(
    memory: Memory, case: Node, right: Callable[[int], Bounds], *, gradient: bool
) -> Shown:
    members = case.fields(("state", "first", "second"))
    instance = memory.instance
    state = members["state"].integer(0, instance.size - 1)
    first, second = (members[key].numbers(4) for key in ("first", "second"))
    if first <= second or any(slope == 0 != shift for _, slope, shift, _ in (first, second)):
        case.refuse("the larger function first, and no shift of what has no slope")
    one, other = Function(*first), Function(*second)

    def ratio() -> Ball:
        layer = layer_at(memory, state, gradient=gradient)
        image = layer.squared_image_distance(one, other).nonnegative_part()
        return (image / layer.squared_distance(one, other)).sqrt()

    def words(function: Function) -> str:
        level, slope, shift, share = (brief(x, 4) for x in astuple(function))
        return f"{level} + {slope} sigma(W.x + {shift}) + {share} E[B|W]"

    return Shown(f"state {state}, {words(one)}; {words(other)}", at_precision(ratio), right)
