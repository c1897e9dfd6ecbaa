r"""Special functions of balls: exponential integrals and Airy's function with its integral.

**Airy's integral** ``int_x^inf Ai``.  From the power series of Ai at 0,

    int_0^x Ai = Ai(0) x 1F2(1/3; 2/3, 4/3; x^3/9) + Ai'(0) (x^2/2) 1F2(2/3; 4/3, 5/3; x^3/9),

and ``int_0^inf Ai = 1/3``.  For x > 0 the result is ``exp(-4/3 x^(3/2))`` times smaller than the
two terms, for x < 0 ``exp(-2/3 |x|^(3/2))`` times: so many bits more are carried.  Where those were
too many, ``0 < int_x^inf Ai < -Ai'(x)/x``, because ``Ai(y) = Ai''(y)/y <= Ai''(y)/x`` for y >= x.

**Exponential integrals** of large x.  ``x exp(x) E_n(x) = int_0^inf exp(-s) (1 + s/x)^-n ds``, and
what Taylor's polynomial of ``(1 + u)^-n`` at 0 leaves out is at most its next term, for u >= 0: so
that ``sum_{k < K} (-1)^k n (n + 1) .. (n + k - 1) / x^k`` is the integral but for its next term.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from flint import arb

from verification.enclosure.balls import (
    Ball,
    ball,
    interval,
    less,
    precision,
    symmetric,
    total,
    working_precision,
)
from verification.errors import NotEnclosed
from verification.verdict import Truth

LARGEST_AIRY = Fraction(67, 125)
"""``|Ai| <= 0.536`` on the whole line.

``Ai^2 - Ai'^2/x`` has the derivative ``Ai'^2/x^2``: over x < 0 it grows, so that of the extrema the
one next to 0 is the largest, ``Ai(-1.0188) = 0.53566``; beyond it Ai decreases.
"""

_FAR = 2**24
_MOST_BITS = 6_000
_SPARE_BITS = 40
# 4/3 over log 2 is 1.924: bits that cancel at x^(3/2).  The series themselves lose a few more.
_CANCELLED = 2.1


def exponential_integral(order: int, x: Ball) -> Ball:
    """Enclose ``E_n(x) = int_1^inf exp(-x s) s^-n ds`` for x > 0."""
    return _far_integral(order, x) if less(ball(_FAR), x) is Truth.TRUE else x.expint(arb(order))


def _far_integral(order: int, x: Ball) -> Ball:
    """Enclose ``E_n(x)`` for large x, where flint takes up to seconds; see the docstring above."""
    terms, term = [], ball(1)
    tiny = ball(Fraction(1, 2 ** working_precision()))
    for k in range(order, order + working_precision()):
        if less(term, tiny) is Truth.TRUE:
            break
        terms.append(-term if (k - order) % 2 else term)
        term = term * k / x
    return (total(terms) + symmetric(term)) * (-x).exp() / x


def airy(x: Ball) -> tuple[Ball, Ball]:
    """Enclose ``Ai(x)`` and ``Ai'(x)``."""
    return x.airy_ai(), x.airy_ai(derivative=1)


def airy_integral(x: Fraction) -> Ball:
    """Enclose ``int_x^inf Ai``.

    Raises
    ------
    NotEnclosed
        Where x is below about -200.
    """
    return _airy_integral(x, working_precision())


@lru_cache(maxsize=4096)
def _airy_integral(x: Fraction, bits: int) -> Ball:
    size = float(min(abs(x), Fraction(10**6)))
    spare = int(_CANCELLED * size**1.5) + _SPARE_BITS
    if bits + spare > _MOST_BITS:
        if x < 0:
            raise NotEnclosed("the integral of Ai from far below 0 on")
        point = ball(x)
        return interval(ball(0), -point.airy_ai(derivative=1) / point)
    with precision(bits + spare):
        point = ball(x)
        cube = point * point * point / 9
        first = _series(cube, (1, 3), ((2, 3), (4, 3))) * point * arb(0).airy_ai()
        second = _series(cube, (2, 3), ((4, 3), (5, 3))) * point * point / 2
        return ball(Fraction(1, 3)) - first - second * arb(0).airy_ai(derivative=1)


def _series(
    z: Ball, above: tuple[int, int], below: tuple[tuple[int, int], tuple[int, int]]
) -> Ball:
    """Enclose ``1F2(a; b, c; z)``."""
    return z.hypgeom([ball(Fraction(*above))], [ball(Fraction(*each)) for each in below])
