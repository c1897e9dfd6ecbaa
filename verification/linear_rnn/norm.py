r"""The L1 norm of a sum of pieces on [0, inf), enclosed by isolating its changes of sign.

The half line is cut at T, where what is left is small, and [0, T] into cells that no jump divides.
On a cell of half-length r about m the expansion ``f(m + x) = sum_k c_k x^k + e`` shows a sign where
``|c_0| > sum_{k >= 1} |c_k| r^k + |e|``; a cell that shows none is halved, until it is so short
that its length times ``sup |f|`` is below the tolerance.  Neighbouring cells of one sign are joined
to a *run*, on which ``int |f|`` is the difference of the primitive.  So, with F the primitive that
vanishes at infinity,

    sum over runs and undecided cells of |F(b) - F(a)| + |F(T)|  <=  ||f||
        <=  sum over runs of |F(b) - F(a)| + sum over undecided cells (b - a) sup |f| + tail(T).

The lower bound holds whatever the signs are: they only have to be right for the upper one.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    less,
    lower_double,
    power,
    total,
    upper_double,
    working_precision,
)
from verification.errors import NotEnclosed
from verification.linear_rnn.pieces import Expansion, Function, added
from verification.verdict import Truth

MAX_CELLS = 20_000

_ORDER = 24
_FIRST_END = Fraction(1, 16)
_FARTHEST = 2**600
_SPARE_BITS = 12
_TOLERANCE_BITS = 44


def integral(function: Function, lower: Fraction, upper: Fraction | None) -> Ball:
    """Enclose the integral of a function over an interval; `upper` None means infinity."""
    result = -total(piece.primitive(lower) for piece in function)
    if upper is None:
        return result
    return result + total(piece.primitive(upper) for piece in function)


def second_difference(function: Function, points: tuple[Fraction, ...]) -> Ball:
    """Enclose ``P(t0) - P(t1) - P(t2) + P(t3)``, P a second primitive, ``t0 - t1 = t2 - t3``.

    For ``t = (b + b', a + b', b + a', a + a')`` it is the integral of ``f(s + s')`` over s from a
    to b and s' from a' to b'.
    """
    signs = (1, -1, -1, 1)
    return total(
        sign * piece.primitive(t, 2)
        for piece in function
        for sign, t in zip(signs, points, strict=True)
    )


def expansion(function: Function, centre: Fraction, radius: Fraction, order: int) -> Expansion:
    """Expand a sum of pieces; see `Piece.expansion`."""
    return added([piece.expansion(centre, radius, order) for piece in function], order)


def l1_norm(function: Function) -> Between:
    """Enclose ``int_0^inf |f|``.

    Raises
    ------
    NotEnclosed
        Where the signs of f need more than `MAX_CELLS` cells.
    """
    if not function:
        return Between(ball(0), ball(0))
    size = sum(upper_double(piece.tail(Fraction(0))) for piece in function)
    floor = size * 2.0 ** (_SPARE_BITS - working_precision())
    end, rough = _end(function, floor)
    tolerance = max(floor, rough * 2.0**-_TOLERANCE_BITS)
    lower, upper = _on_cells(function, _cells(function, end), tolerance)
    beyond = total(piece.tail(end) for piece in function)
    return Between(lower + abs(integral(function, end, None)), upper + beyond)


def _end(function: Function, floor: float) -> tuple[Fraction, float]:
    """Return a T beyond which little is unknown, and a lower bound of the norm."""
    end, rough = _FIRST_END, 0.0
    previous = Fraction(0)
    while end <= _FARTHEST:
        rough += max(0.0, lower_double(abs(integral(function, previous, end))))
        beyond = total(piece.tail(end) for piece in function)
        gap = upper_double(beyond - abs(integral(function, end, None)))
        if gap <= max(floor, rough * 2.0**-_TOLERANCE_BITS):
            return end, rough
        previous, end = end, 2 * end
    raise NotEnclosed("the tail of a kernel is too long to be bounded")


def _cells(function: Function, end: Fraction) -> list[tuple[Fraction, Fraction]]:
    """Cut [0, end] at the jumps and at points that double."""
    ends = {Fraction(0), end} | {
        jump for piece in function for jump in piece.jumps if 0 < jump < end
    }
    point = _FIRST_END
    while point < end:
        ends.add(point)
        point *= 2
    return list(pairwise(sorted(ends)))


def _on_cells(
    function: Function, cells: list[tuple[Fraction, Fraction]], tolerance: float
) -> tuple[Ball, Ball]:
    """Return a lower and an upper bound of the integral of |f| over the cells."""
    lower = upper = ball(0)
    started, current = Fraction(0), 0
    waiting, tried = cells[::-1], 0

    def close(at: Fraction) -> None:
        nonlocal lower, upper
        if current and at > started:
            area = abs(integral(function, started, at))
            lower, upper = lower + area, upper + area

    while waiting:
        a, b = waiting.pop()
        tried += 1
        if tried > MAX_CELLS:
            raise NotEnclosed(f"the signs of a kernel need more than {MAX_CELLS} cells")
        sign, height = _sign_and_height(function, a, b)
        if sign is None and height * float(b - a) > tolerance:
            middle = (a + b) / 2
            waiting += [(middle, b), (a, middle)]
            continue
        if sign is None:
            close(a)
            lower = lower + abs(integral(function, a, b))
            upper = upper + ball(Fraction(height) * (b - a))
            started, current = b, 0
        elif sign != current:
            close(a)
            started, current = a, sign
    close(cells[-1][1])
    return lower, upper


def _sign_and_height(function: Function, a: Fraction, b: Fraction) -> tuple[int | None, float]:
    """Return the sign of f on a cell where it shows one, and an upper bound of |f|."""
    radius = (b - a) / 2
    try:
        found = expansion(function, a + radius, radius, _ORDER)
    except NotEnclosed:
        return None, float("inf")
    reach = ball(radius)
    spread = found.remainder
    for k in range(1, _ORDER):
        spread = spread + abs(found.coefficients[k]) * power(reach, k)
    middle = found.coefficients[0]
    height = upper_double(abs(middle) + spread)
    if less(spread, middle) is Truth.TRUE:
        return 1, height
    if less(spread, -middle) is Truth.TRUE:
        return -1, height
    return None, height
