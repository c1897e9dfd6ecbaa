r"""The L1 norm of a function on [0, inf), by the changes of its sign that a certificate brings.

Let F be the primitive that vanishes at infinity, T a time beyond which little is left, and cut
[0, T] at the changes of sign, at kinks and at points that double.  On each *segment* ``[a, b]`` let
s be the sign of ``F(b) - F(a)``.  If ``s f >= -e_I`` on each of the intervals I into which segments
are divided, then

    sum |F(b) - F(a)| + |F(T)|  <=  ||f||  <=  sum |F(b) - F(a)| + sum_I 2 e_I |I| + tail(T),

since ``|f| <= s f + 2 e_I`` there.  Both bounds hold whatever the changes are; with wrong ones, or
without one, they are far apart.  With Taylor's polynomial p on I, and rest e, ``s f >= -e_I``
follows from ``s p(0) - sum_{k>=1} |p_k| r^k - e``, or, where p is monotone by
``|p_1| > sum_{k>=2} k |p_k| r^(k-1)``, from p at both ends.

A change is written as a decimal, and f must have opposite signs half a unit of the last digit
before and after it: so each is one.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

from verification.certificate.check.linear.kernels import (
    Function,
    numbers_of,
    primitive,
    tail,
    weight,
)
from verification.certificate.check.numbers.balls import (
    Ball,
    ball,
    bounds,
    integer_power,
    lower,
    precision,
    total,
    upper,
)
from verification.certificate.check.numbers.bounds import Bounds
from verification.certificate.check.numbers.series import TERMS
from verification.certificate.check.outcome import Budget, Invalid, longest
from verification.certificate.check.reading import Node

MAX_CHANGES = 500
NORM_BITS, DISTANCE_BITS = 36, 20
"""How well norms of networks, and distances from targets, are enclosed."""
MAX_INTERVALS = 4_000
_SIGN_BITS, _NORM_BITS, _LONG_BITS = 256, 128, 256
_OPERATIONS = 20
_SHARE = 1_024
_FIRST = Fraction(1, 16)
_DOUBLINGS = 600
_DOUBLED = 40


def read_changes(
    node: Node, functions: tuple[Function, ...], budget: Budget
) -> tuple[tuple[Fraction, ...], ...]:
    """Read the changes of sign of each function, and show that each is one.

    Raises
    ------
    Invalid
        Where a function does not change its sign there.
    """
    found = []
    for item, function in zip(
        node.elements(len(functions), len(functions)), functions, strict=True
    ):
        before, changes = Fraction(0), []
        for change in item.elements(0, MAX_CHANGES):
            value = change.number()
            text = str(change.value)
            if "/" in text or value <= before:
                change.refuse("an increasing decimal above 0")
            budget.spend(2 * _work(function, (value,)), _SIGN_BITS)
            half = Fraction(1, 2 * 10 ** len(text.partition(".")[2]))
            with precision(_SIGN_BITS):
                signs = [_sign_at(function, max(value + x, before)) for x in (-half, half)]
            if signs[0] * signs[1] >= 0:
                change.invalid("the function does not change its sign there")
            changes.append(value)
            before = value
        found.append(tuple(changes))
    return tuple(found)


def _work(function: Function, times: Iterable[Fraction] = ()) -> int:
    """Return about how many operations a value of a function takes, at times so long."""
    # Times are halved, compared and multiplied by rates exactly, for each piece.
    exact = len(function) * (longest([*times, *numbers_of(function)]) // _LONG_BITS)
    return _OPERATIONS * (weight(function) + exact)


def _sign_at(function: Function, t: Fraction) -> int:
    value = total([piece.taylor(t, 1)[0] for piece in function])
    return (lower(value) > 0) - (upper(value) < 0)


def norm(
    function: Function, changes: tuple[Fraction, ...], tolerance: Fraction, budget: Budget
) -> Bounds:
    """Enclose the norm, to about a tolerance where the changes and the precision allow it.

    Raises
    ------
    Invalid
        Where the signs are not shown by `MAX_INTERVALS` intervals.
    """
    if not function:
        return Bounds.exactly(Fraction(0))
    end = end_of(function, tolerance / 4, budget)
    marks = marks_of(function, changes, end)
    work = _work(function, marks)
    budget.spend(len(marks) * work, _NORM_BITS)
    area, slack = ball(0), Fraction(0)
    before = primitive(function, marks[0])
    waiting: list[tuple[Fraction, Fraction, int]] = []
    for a, b in pairwise(marks):
        after = primitive(function, b)
        difference, before = after - before, after
        area = area + abs(difference)
        waiting.append((a, b, -1 if upper(difference) < 0 else 1))
    share, tried = tolerance / _SHARE, 0
    while waiting:
        a, b, sign = waiting.pop()
        tried += 1
        budget.spend(4 * TERMS * work // _OPERATIONS, _NORM_BITS)
        if tried > MAX_INTERVALS:
            raise Invalid(f"the signs of a function are not shown by {MAX_INTERVALS} intervals")
        reach = (b - a) / 2
        against = _largest_against(function, sign, a + reach, reach)
        if against is not None and 2 * against * (b - a) <= share:
            slack += 2 * against * (b - a)
        else:
            # So much of the other sign makes the bounds differ by more than is allowed.
            if upper(sign * (primitive(function, b) - primitive(function, a))) < -2 * tolerance:
                raise Invalid("a function changes its sign where no change of sign is stated")
            waiting += [(a, a + reach, sign), (a + reach, b, sign)]
    rest = abs(primitive(function, end))
    return Bounds(lower(area + rest), upper(area + tail(function, end)) + slack)


def end_of(function: Function, tolerance: Fraction, budget: Budget) -> Fraction:
    """Return a time beyond which the norm is known up to a tolerance, within a factor of two."""
    end, work = _FIRST, _work(function)
    while _is_known_beyond(function, end, tolerance):
        budget.spend(work, _NORM_BITS)
        if end < Fraction(1, 2**_DOUBLINGS):
            return end
        end /= 2
    for _ in range(2 * _DOUBLINGS):
        end *= 2
        budget.spend(work, _NORM_BITS)
        if _is_known_beyond(function, end, tolerance):
            return end
    raise Invalid("the tail of a function is too long to be bounded")


def _is_known_beyond(function: Function, end: Fraction, tolerance: Fraction) -> bool:
    return bounds(tail(function, end) - abs(primitive(function, end))).upper <= tolerance


def marks_of(function: Function, changes: tuple[Fraction, ...], end: Fraction) -> list[Fraction]:
    """Return 0, the changes, kinks, and points that double up to the end."""
    marks = {end / 2**k for k in range(_DOUBLED)} | {Fraction(0)} | set(changes)
    marks |= {x for piece in function for x in piece.kinks}
    return sorted(x for x in marks if x <= end)


def _largest_against(
    function: Function, sign: int, middle: Fraction, reach: Fraction
) -> Fraction | None:
    """Bound ``max(-s f, 0)`` around a point; None where Taylor's series says nothing."""
    rests = [piece.rest(middle, reach) for piece in function]
    known = [x for x in rests if x is not None]
    if len(known) < len(rests):
        return None
    series = [piece.taylor(middle, TERMS) for piece in function]
    first, *others = [sign * total(terms) for terms in zip(*series, strict=True)]
    powers = [integer_power(ball(reach), k) for k in range(1, TERMS)]
    moved = [abs(c) * p for c, p in zip(others, powers, strict=True)]
    rest = total(known)
    least = lower(first - total(moved) - rest)
    if least < 0:
        turning = total([k * x for k, x in enumerate(moved[1:], start=2)])
        if lower(moved[0] - turning) > 0:
            even, odd = first, ball(0)
            for k, (c, p) in enumerate(zip(others, powers, strict=True), start=1):
                even, odd = (even, odd + c * p) if k % 2 else (even + c * p, odd)
            least = max(least, lower(even - abs(odd) - rest))
    return max(-least, Fraction(0))


def norms(
    functions: tuple[Function, ...],
    changes: tuple[tuple[Fraction, ...], ...],
    bits: int,
    budget: Budget,
) -> Bounds:
    """Enclose the sum of the norms of functions, to about so many bits of it."""
    for function, marks in zip(functions, changes, strict=True):
        budget.spend(len(marks) * _work(function, marks), _NORM_BITS)
    rough = total([rough_norm(f, marks) for f, marks in zip(functions, changes, strict=True) if f])
    if lower(rough) <= 0:
        most = total([tail(function, Fraction(0)) for function in functions])
        return Bounds(Fraction(0), max(upper(most), Fraction(0)))
    tolerance = lower(rough) / 2**bits / len(functions)
    found = Bounds.exactly(Fraction(0))
    for function, marks in zip(functions, changes, strict=True):
        found = found.plus(norm(function, marks, tolerance, budget))
    return found


def rough_norm(function: Function, changes: tuple[Fraction, ...]) -> Ball:
    """Return the sum of sizes of the integrals between the changes, at most the norm."""
    values = [primitive(function, t) for t in (Fraction(0), *changes)]
    steps = zip(values, [*values[1:], ball(0)], strict=True)
    return total([abs(after - before) for before, after in steps])
