r"""Analytic functions on an interval, replaced by a polynomial with a proved error.

Let F be analytic and bounded by M on the strip ``|Im z| <= a``, hence for ``[c - r, c + r]`` on the
Bernstein ellipse whose semi-minor axis is a: ``rho = a/r + (a^2/r^2 + 1)^(1/2)``.  Its Chebyshev
coefficients are at most ``2 M rho^-k``.  The interpolant of degree n in the points ``cos(pi j/n)``
folds each ``T_k``, k > n, onto some ``T_m``, m <= n, so that it errs by at most
``sum_{k > n} 4 M rho^-k = 4 M rho^-n / (rho - 1)`` (Trefethen, Approximation Theory and
Approximation Practice, theorem 8.2).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from operator import mul

from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    exact_ball,
    lower_double,
    maximum_between,
    pi,
    power,
    precision,
    square,
    total,
    upper_double,
    working_precision,
)
from verification.enclosure.matrix import Matrix
from verification.enclosure.supremum import ABSOLUTE_TOLERANCE, RELATIVE_TOLERANCE
from verification.errors import NotEnclosed

MAX_DEGREE = 2_000
MAX_PANELS = 2_000
MAX_BOXES = 2_000

_GUARD_BITS = 8
_LARGE_RATIO = Fraction(2**60)


@dataclass(frozen=True, kw_only=True)
class Interpolant:
    """A polynomial ``sum_k coefficients[k] T_k(t)`` and a bound of its error, t in [-1, 1].

    The variable is ``t = (x - centre) / half``.
    """

    centre: Fraction
    half: Fraction
    coefficients: tuple[Ball, ...]
    error: Ball


def interpolant(
    function: Callable[[Ball], Ball],
    lower: Fraction,
    upper: Fraction,
    *,
    strip: Fraction,
    strip_bound: Ball,
) -> Interpolant:
    """Interpolate an analytic function on ``[lower, upper]``, lower < upper.

    Parameters
    ----------
    function : callable
        F on the real line, balls to balls.
    lower, upper : Fraction
    strip : Fraction
        Half-width of a strip around the real line on which F is analytic.
    strip_bound : Ball
        Upper bound of |F| on that strip.

    Raises
    ------
    NotEnclosed
        Where the strip is so thin that the degree exceeds `MAX_DEGREE`.
    """
    centre, half = (lower + upper) / 2, (upper - lower) / 2
    ratio = ball(strip / half)
    degree = _degree(strip / half, working_precision())
    cosines = _cosines(degree, working_precision())
    values = [function(ball(centre) + ball(half) * cosines[j]) for j in range(degree + 1)]
    values[0], values[-1] = values[0] / 2, values[-1] / 2
    coefficients = [
        2 * total(map(mul, values, row)) / degree
        for row in _cosine_rows(degree, working_precision())
    ]
    coefficients[0], coefficients[-1] = coefficients[0] / 2, coefficients[-1] / 2
    rho = ratio + (square(ratio) + 1).sqrt()
    return Interpolant(
        centre=centre,
        half=half,
        coefficients=tuple(coefficients),
        error=4 * strip_bound / power(rho, degree) / (rho - 1),
    )


def _degree(ratio: Fraction, bits: int) -> int:
    target = (bits + _GUARD_BITS) * math.log(2)
    # The error is bounded for any degree.  A ratio beyond the range of doubles is replaced by a
    # smaller one, which asks for a larger degree or the same.
    sufficient = target / math.asinh(float(min(ratio, _LARGE_RATIO)))
    degree = max(2, math.ceil(sufficient) + 1)
    if degree > MAX_DEGREE:
        raise NotEnclosed(f"an interpolant needs degree {degree}, more than {MAX_DEGREE}")
    return degree


@lru_cache(maxsize=256)
def _cosines(degree: int, _bits: int) -> tuple[Ball, ...]:
    # The precision is part of the key only: flint works at the global one.
    return tuple((pi() * j / degree).cos() for j in range(2 * degree))


@lru_cache(maxsize=32)
def _cosine_rows(degree: int, bits: int) -> tuple[tuple[Ball, ...], ...]:
    """Return ``cos(pi j k / n)``, one row for each k = 0 .. n."""
    cosines, period = _cosines(degree, bits), 2 * degree
    return tuple(
        tuple(cosines[j * k % period] for j in range(degree + 1)) for k in range(degree + 1)
    )


def chebyshev_points(degree: int) -> list[Ball]:
    """Return ``cos(pi j / n)``, j = 0 .. n: where a polynomial of degree n interpolates."""
    return list(_cosines(degree, working_precision())[: degree + 1])


def coefficients_matrix(degree: int) -> Matrix:
    """Enclose the matrix that maps values at the Chebyshev points to Chebyshev coefficients."""
    cosines, period = _cosines(degree, working_precision()), 2 * degree
    half = {0: 2, degree: 2}
    return Matrix.of_balls(
        [
            [
                cosines[j * k % period] * 2 / (degree * half.get(j, 1) * half.get(k, 1))
                for j in range(degree + 1)
            ]
            for k in range(degree + 1)
        ]
    )


def lagrange_values(points: Sequence[Ball], degree: int) -> Matrix:
    """Enclose the Lagrange polynomials of the Chebyshev points at points of [-1, 1].

    Returns
    -------
    Matrix, shape (len(points), degree + 1)
        The interpolant of F is ``sum_j F(x_j) l_j(t)``; ``l_j(t)`` is
        ``2/n sum_k T_k(x_j) T_k(t)`` with the terms k = 0 and k = n, and the values at j = 0 and
        j = n, halved.
    """
    rows = []
    for t in points:
        # A ball that reaches beyond the interval has no arc cosine.
        angle = t.min(ball(1)).max(ball(-1)).acos()
        rows.append(basis_at(angle, degree + 1))
    return Matrix.of_balls(rows) @ coefficients_matrix(degree)


def basis(t: Fraction, count: int) -> list[Ball]:
    """Enclose ``T_0(t), ..., T_{count-1}(t)``, t in [-1, 1]."""
    # Not by recurrence: in ball arithmetic its radii grow like (1 + sqrt 2)^k.
    return basis_at(ball(t).acos(), count)


def _kept_basis(t: Fraction, count: int) -> list[Ball]:
    """Return at least `count` of the values of `basis`."""
    # Branch and bound looks at the same dyadic points again and again.
    known = _basis_so_far(t, working_precision())
    if len(known) < count:
        angle = ball(t).acos()
        known += [(k * angle).cos() for k in range(len(known), count)]
    return known


@lru_cache(maxsize=1024)
def _basis_so_far(_t: Fraction, _bits: int) -> list[Ball]:
    return []


def basis_at(angle: Ball, count: int) -> list[Ball]:
    """Enclose ``T_0(t), ..., T_{count-1}(t)`` at ``t = cos(angle)``."""
    return [(k * angle).cos() for k in range(count)]


def combine(coefficients: Sequence[Ball], values: Sequence[Ball]) -> Ball:
    """Enclose ``sum_k coefficients[k] values[k]`` (there may be more values than needed)."""
    return total(map(mul, coefficients, values))


def differentiated(coefficients: Sequence[Ball]) -> list[Ball]:
    """Return the Chebyshev coefficients of the derivative in t."""
    degree = len(coefficients) - 1
    result = [ball(0)] * (degree + 2)
    for k in range(degree, 0, -1):
        result[k - 1] = result[k + 1] + 2 * k * coefficients[k]
    result[0] = result[0] / 2
    return result[: max(degree, 1)]


def analytic_supremum(
    function: Callable[[Ball], Ball],
    lower: Fraction,
    upper: Fraction,
    *,
    strip: Fraction,
    strip_bound: Ball,
    at_least: float = 0.0,
) -> Between:
    """Enclose ``sup |F|`` over ``[lower, upper]`` for F analytic on a strip.

    The arguments are those of `interpolant`; where the supremum is certainly no larger than
    `at_least`, the enclosure says only that.  It costs a few dozen evaluations of F for each
    four strip widths of the interval.
    """
    if lower == upper:
        value = abs(function(ball(lower)))
        return Between(value, value)
    panels = max(1, math.ceil((upper - lower) / (4 * strip)))
    if panels > MAX_PANELS:
        raise NotEnclosed(f"a supremum needs {panels} panels, more than {MAX_PANELS}")
    width = (upper - lower) / panels
    found: list[Between] = []
    # The sums over nodes and coefficients lose some bits, the verdict's tolerance has none to lose.
    with precision(working_precision() + _GUARD_BITS * 4):
        for k in range(panels):
            start = lower + k * width
            polynomial = interpolant(
                function, start, start + width, strip=strip, strip_bound=strip_bound
            )
            found.append(_polynomial_supremum(polynomial, at_least))
            at_least = max(at_least, lower_double(found[-1].lower))
    return maximum_between(found)


def _polynomial_supremum(polynomial: Interpolant, at_least: float) -> Between:
    """Enclose the supremum of the function that a polynomial stands for, by branch and bound.

    On a box of centre c and half-width r, ``|p| <= |p(c)| + |p'(c)| r + max|p''| r^2 / 2``, and
    p is monotone where ``|p'(c)| > max|p''| r``.
    """
    coefficients = polynomial.coefficients
    slopes = differentiated(coefficients)
    curvature = total(abs(c) for c in differentiated(slopes))
    error = polynomial.error
    best = 0.0
    settled = 0.0
    heap: list[tuple[float, Fraction, Fraction]] = []

    def look(t: Fraction) -> tuple[Ball, Ball]:
        nonlocal best
        values = _kept_basis(t, len(coefficients))
        height = abs(combine(coefficients, values))
        best = max(best, lower_double(height - error))
        return height, abs(combine(slopes, values))

    def push(centre: Fraction, half: Fraction) -> None:
        nonlocal settled
        height, slope = look(centre)
        radius = ball(half)
        if lower_double(slope - curvature * radius) > 0:
            for end in (centre - half, centre + half):
                settled = max(settled, upper_double(look(end)[0] + error))
            return
        bound = height + slope * radius + curvature * square(radius) / 2 + error
        heapq.heappush(heap, (-upper_double(bound), centre, half))

    push(Fraction(0), Fraction(1))
    for _ in range(MAX_BOXES):
        target = max(best * (1 + RELATIVE_TOLERANCE), best + ABSOLUTE_TOLERANCE, at_least, settled)
        if not heap or -heap[0][0] <= target:
            break
        _, centre, half = heapq.heappop(heap)
        push(centre - half / 2, half / 2)
        push(centre + half / 2, half / 2)
    top = max(settled, -heap[0][0] if heap else 0.0, best)
    return Between(ball(Fraction(best)), exact_ball(top))
