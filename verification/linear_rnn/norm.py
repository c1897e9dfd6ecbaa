r"""The L1 norm of a sum of pieces on [0, inf), enclosed by isolating its changes of sign.

The half line is cut at T, where what is left is small, and [0, T] into cells that no jump divides.
On a cell of half-length r about m the expansion ``f(m + x) = p(x) + e``, ``p(x) = sum_k c_k x^k``,
shows a sign where ``|c_0| > sum_{k >= 1} |c_k| r^k + |e|``, or where p is monotone, which it is if
``|c_1| > sum_{k >= 2} k |c_k| r^(k-1)``, and beyond ``|e|`` on one side of 0 at both ends.  A cell
that shows none is cut on both sides of the root that Newton's method finds in doubles, or halved,
until it is so short that its length times ``sup |f|`` is below the tolerance.  Neighbouring cells
of one sign are joined to a *run*, on which ``int |f|`` is the difference of the primitive.
So, with F the primitive that
vanishes at infinity,

    sum over runs and undecided cells of |F(b) - F(a)| + |F(T)|  <=  ||f||
        <=  sum over runs of |F(b) - F(a)| + sum over undecided cells (b - a) sup |f| + tail(T).

The lower bound holds whatever the signs are: they only have to be right for the upper one.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import inf, isfinite

from verification.deadline import heed_deadline
from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    binary_exponent,
    is_finite,
    less,
    lower_double,
    total,
    upper_double,
    working_precision,
)
from verification.errors import NotEnclosed
from verification.linear_rnn.pieces import Expansion, Function, Piece, added
from verification.verdict import Truth

MAX_CELLS = 5_000

_ORDER = 20
_ROOT_BITS = 30
_NEWTON_STEPS = 8
_INSIDE = 0.98
_FIRST_END = Fraction(1, 16)
_FARTHEST = 2**600
# Beyond 2^500, and below its inverse, what is compared in doubles is scaled.
_MOST_EXPONENT = 500
_SPARE_BITS = 12
# What is smaller than this, relative to its pieces, is left unresolved at any precision.
_MOST_BITS = 112


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


def l1_norm(function: Function, *, bits: int = 44) -> Between:
    """Enclose ``int_0^inf |f|``, the upper bound to about ``2**-bits`` of it.

    Raises
    ------
    NotEnclosed
        Where the signs of f need more than `MAX_CELLS` cells, its size is not bounded, or the
        deadline has passed.
    """
    if not function:
        return Between(ball(0), ball(0))
    tails = total(piece.tail(Fraction(0)) for piece in function)
    if not is_finite(tails):
        raise NotEnclosed("the size of a kernel is not bounded at this precision")
    exponent = binary_exponent(tails)
    if abs(exponent) > _MOST_EXPONENT:
        scale = Fraction(2) ** -exponent
        found = l1_norm(tuple(_Scaled(piece, scale) for piece in function), bits=bits)
        return found.map(lambda x: x / ball(scale))
    size = sum(upper_double(piece.tail(Fraction(0))) for piece in function)
    floor = size * 2.0 ** (_SPARE_BITS - min(working_precision(), _MOST_BITS))
    end, rough = _end(function, floor, bits)
    tolerance = max(floor, rough * 2.0**-bits)
    lower, upper = _on_cells(function, _cells(function, end), tolerance)
    beyond = total(piece.tail(end) for piece in function)
    return Between(lower + abs(integral(function, end, None)), upper + beyond)


def _end(function: Function, floor: float, bits: int) -> tuple[Fraction, float]:
    """Return a T beyond which little is unknown, and a lower bound of the norm."""
    end, rough = _FIRST_END, 0.0
    previous = Fraction(0)
    while end <= _FARTHEST:
        heed_deadline()
        rough += max(0.0, lower_double(abs(integral(function, previous, end))))
        beyond = total(piece.tail(end) for piece in function)
        gap = upper_double(beyond - abs(integral(function, end, None)))
        if gap <= max(floor, rough * 2.0**-bits):
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
        heed_deadline()
        a, b = waiting.pop()
        tried += 1
        if tried > MAX_CELLS:
            raise NotEnclosed(f"the signs of a kernel need more than {MAX_CELLS} cells")
        seen = _look(function, a, b)
        if seen.sign is None and not seen.height * float(b - a) <= tolerance:
            waiting += [(c, d) for c, d in pairwise((a, *seen.cuts, b))][::-1]
            continue
        if seen.sign is None:
            close(a)
            lower = lower + abs(integral(function, a, b))
            upper = upper + ball(Fraction(seen.height) * (b - a))
            started, current = b, 0
        elif seen.sign != current:
            close(a)
            started, current = a, seen.sign
    close(cells[-1][1])
    return lower, upper


@dataclass(frozen=True)
class _Scaled:
    """A multiple of a piece that is too large, or too small, for doubles."""

    piece: Piece
    scale: Fraction

    @property
    def jumps(self) -> tuple[Fraction, ...]:
        """See `Piece`."""
        return self.piece.jumps

    def expansion(self, centre: Fraction, radius: Fraction, order: int) -> Expansion:
        """See `Piece`."""
        found, scale = self.piece.expansion(centre, radius, order), ball(self.scale)
        return Expansion([x * scale for x in found.coefficients], found.remainder * scale)

    def primitive(self, t: Fraction, times: int = 1) -> Ball:
        """See `Piece`."""
        return self.piece.primitive(t, times) * ball(self.scale)

    def tail(self, start: Fraction) -> Ball:
        """See `Piece`."""
        return self.piece.tail(start) * ball(self.scale)


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What an expansion shows of a cell: a sign, an upper bound of |f|, where to cut it."""

    sign: int | None
    height: float
    cuts: tuple[Fraction, ...]


def _look(function: Function, a: Fraction, b: Fraction) -> _Seen:
    radius = (b - a) / 2
    middle = a + radius
    try:
        found = expansion(function, middle, radius, _ORDER)
    except NotEnclosed:
        return _Seen(sign=None, height=inf, cuts=(middle,))
    powers = [ball(1)]
    for _ in found.coefficients[1:]:
        powers.append(powers[-1] * ball(radius))
    sign, height = _sign_and_height(found, powers)
    if sign is not None:
        return _Seen(sign=sign, height=height, cuts=())
    # In units of the radius: its powers may be beyond the range of doubles.
    scaled = [lower_double(c * x) for c, x in zip(found.coefficients, powers, strict=True)]
    root = _root_estimate(scaled)
    if root is None:
        return _Seen(sign=None, height=height, cuts=(middle,))
    # The root falls into a cell so short that its sign does not matter.
    near = middle + Fraction(round(root * 2**_ROOT_BITS), 2**_ROOT_BITS) * radius
    beside = radius / 2 ** (_ROOT_BITS - 2)
    return _Seen(sign=None, height=height, cuts=(near - beside, near + beside))


def _sign_and_height(found: Expansion, powers: list[Ball]) -> tuple[int | None, float]:
    """Return the sign of f on a cell where its expansion shows one, and an upper bound of |f|.

    The powers are those of half of the cell's length.
    """
    first, rest = found.coefficients[0], found.remainder
    sizes = [abs(coefficient) for coefficient in found.coefficients]
    spread = rest + total(map(operator.mul, sizes[1:], powers[1:]))
    height = upper_double(sizes[0] + spread)
    for side in (1, -1):
        if less(spread, side * first) is Truth.TRUE:
            return side, height
    turns = total(k * sizes[k] * powers[k - 1] for k in range(2, len(sizes)))
    if less(turns, sizes[1]) is Truth.TRUE:
        # The polynomial is monotone: beyond the remainder at both ends is so between.
        ends = [_horner(found.coefficients, x) for x in (powers[1], -powers[1])]
        for side in (1, -1):
            if all(less(rest, side * x) is Truth.TRUE for x in ends):
                return side, height
    return None, height


def _horner(coefficients: list[Ball], x: Ball) -> Ball:
    result = ball(0)
    for coefficient in reversed(coefficients):
        result = result * x + coefficient
    return result


def _root_estimate(coefficients: list[float]) -> float | None:
    """Return where a polynomial is about zero, if well inside of [-1, 1]."""
    x = 0.0
    for _ in range(_NEWTON_STEPS):
        value = slope = 0.0
        for c in reversed(coefficients):
            slope = slope * x + value
            value = value * x + c
        if not slope or not isfinite(value / slope):
            return None
        step = value / slope
        x -= step
        if abs(x) > _INSIDE:
            return None
    return x if abs(step) < 2.0**-_ROOT_BITS else None
