r"""What a memory map does to polynomials in the memory, in Chebyshev's basis.

Memories are counted in units of a number R > vbar: ``x = v / R``, in [-1, 1].  ``Phi(x_i, .)`` is
analytic on ``|Im v| <= b``, and real on the reals, as its derivative is.  So it takes the ellipse
with the foci -R, R and the half axis b into

    |Im| <= E|B| int_0^b m1,    |Re| <= min(E|B| m(b), vbar + b^2/2 E|B| m2(b)).

That rectangle lies in a larger ellipse of the same foci.
The half axes of the two, in units of R, have the sums r and s.

A polynomial ``p = sum_c a_c T_c`` is at most ``sum_c |a_c| s^c`` on the second ellipse, and so is
``p o Phi`` on the first: its coefficients are at most ``2 M r^-c``, where M is that sum without
``a_0``, which is kept.  What agrees with it at the n + 1 roots of ``T_(n+1)`` takes a ``T_c``, c >
n, to one of lower degree, up to the sign, or to 0.  So it is off by ``4 M r^-n / (r - 1)`` at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, inf, log

from verification.certificate.check.instances import Vector
from verification.certificate.check.numbers.balls import (
    Ball,
    BallMatrix,
    Integer,
    ball,
    integer_power,
    lower,
    near_integers,
    pi,
    precision,
    upper,
)
from verification.certificate.check.numbers.complex_balls import ball_matrix
from verification.certificate.check.outcome import Invalid, Refused
from verification.certificate.check.recurrent.activations import (
    is_analytic_on,
    strip_constant,
    strip_rise,
    widest_strip,
)
from verification.certificate.check.recurrent.memory import Memory, mean_absolute_b

BITS = 128
ONE = 1 << BITS
_SPARE_BITS = 64
_ROOM = tuple(Fraction(1 + k, k) for k in (16, 8, 4, 2))
_NARROWER, _WIDTHS = Fraction(9, 10), 120
_LEAST, _LONGEST = Fraction(1, 2**20), 2**20
MOST_DEGREE = 800


@dataclass(frozen=True)
class Ellipses:
    """The number R, and the sums r and s of the half axes: r from below, s from above."""

    reach: Fraction
    first: Fraction
    second: Fraction

    def degree(self, aim: int) -> int:
        """Return a degree n with ``4 r^-n / (r - 1)`` below ``2^-aim``.

        Raises
        ------
        Refused
            Where it is large.
        """
        least = inf
        if self.first - 1 > _LEAST:
            least = (log(4 << aim) - log(self.first - 1)) / log(self.first)
        if least > MOST_DEGREE:
            raise Refused("the memory fades so slowly that no polynomials are near to it")
        return max(ceil(least), 2)


def ellipses(memory: Memory) -> Ellipses:
    """Return ellipses as wide as they are of use, at the working precision.

    That is, as long as the map takes the strip around the second one into itself: then functions
    along paths are bounded there.

    Raises
    ------
    Invalid
        Where the memory is always 0.
    """
    terms, vbar = memory.instance.activation, upper(memory.bound())
    if not vbar:
        raise Invalid("assumption: the memory is always 0")
    weight, widest = ball(mean_absolute_b(memory.instance)), widest_strip(terms)
    found = []
    for reach in (vbar * room for room in _ROOM):
        for k in range(1, _WIDTHS):
            memory.budget.spend(100 * len(terms))
            width = min(widest * _NARROWER**k, reach * _LONGEST)
            pair, around = _pair(memory, reach, width)
            if (
                is_analytic_on(terms, around)
                and upper(weight * strip_rise(terms, around)) <= around
            ):
                found.append(pair)
                break
    if not found:
        raise Refused("the memory fades so slowly that no strip is contracted")
    return max(found, key=lambda pair: pair.first)


def _pair(memory: Memory, reach: Fraction, width: Fraction) -> tuple[Ellipses, Fraction]:
    """Return the ellipses for b, and how far from the reals the second one lies."""
    terms, b, unit = memory.instance.activation, ball(width), ball(reach)
    weight = ball(mean_absolute_b(memory.instance))
    bent = memory.bound() + b * b * weight * strip_constant(terms, 2, width) / 2
    long = bent.min(weight * strip_constant(terms, 0, width)) / unit
    high = weight * strip_rise(terms, width) / unit
    # The half axes (1 + y)^(1/2), y^(1/2) of the ellipse through the corner of the rectangle.
    left = 1 - long * long - high * high
    root = (left * left + 4 * high * high).sqrt()
    square = (root - left) / 2
    if lower(left) > 0:
        square = 2 * high * high / (root + left)
    share, half = b / unit, ball(upper(square)).sqrt()
    first = share + (1 + share * share).sqrt()
    second = half + (1 + half * half).sqrt()
    return Ellipses(reach, _down(lower(first)), _up(upper(second))), _up(upper(half) * reach)


@dataclass(frozen=True)
class Maps:
    """What agrees with ``T_c o Phi(x_i, .)`` at the roots, for each input.

    Parameters
    ----------
    of : dict
        For each input, times `ONE`, in row c the coefficients of what becomes of T_c.
    weights : list of Integer
        ``sum_c |a_c| weight_c``, over `ONE`, bounds how far from ``p o Phi`` that is on [-1, 1].
    """

    of: dict[Vector, list[list[Integer]]]
    weights: list[Integer]


def maps(memory: Memory, pair: Ellipses, degree: int) -> Maps:
    """Return what the memory map does to polynomials, its images at the working precision."""
    count = degree + 1
    points = dict.fromkeys(memory.instance.inputs)
    memory.budget.spend(40 * count**2 * (1 + len(points)) + count**3 // 4 * len(points))
    with precision(BITS + _SPARE_BITS):
        angles = [pi() * (2 * m + 1) / (2 * count) for m in range(count)]
        roots = [angle.cos() for angle in angles]
        back = _cosines(angles, count, halved=True)
    images = {point: [memory.image(point, ball(pair.reach) * x) for x in roots] for point in points}
    found, errors = {}, [Fraction(0)] * count
    with precision(BITS + _SPARE_BITS):
        for point, values in images.items():
            there = [(v / ball(pair.reach)).acos() for v in values]
            product = _cosines(there, count).transpose() * back
            rows, off = near_integers(product, BITS)
            # A constant stays what it is.
            rows[0], off[0] = [Integer(ONE), *[Integer(0)] * degree], Fraction(0)
            found[point] = rows
            errors = list(map(max, errors, off))
        s, r = ball(pair.second), ball(pair.first)
        scale = 4 * ball(ONE) / (integer_power(r, degree) * (r - 1))
        left_out = [Fraction(0), *(upper(scale * power) for power in _powers(s, degree))]
    weights = [Integer(ceil(a + b)) for a, b in zip(left_out, errors, strict=True)]
    return Maps(found, weights)


def _cosines(angles: list[Ball], count: int, *, halved: bool = False) -> BallMatrix:
    """Return ``cos(c t)`` in the row of t; or so that values in the angles become coefficients."""
    scale = [ball(1)] * count
    if halved:
        scale = [ball(Fraction(2 if c else 1, count)) for c in range(count)]
    return ball_matrix([[factor * (c * t).cos() for c, factor in enumerate(scale)] for t in angles])


def _powers(x: Ball, count: int) -> Iterator[Ball]:
    power = ball(1)
    for _ in range(count):
        power = power * x
        yield power


def _down(value: Fraction) -> Fraction:
    return Fraction(int(value * 2**60), 2**60)


def _up(value: Fraction) -> Fraction:
    return Fraction(ceil(value * 2**60), 2**60)
