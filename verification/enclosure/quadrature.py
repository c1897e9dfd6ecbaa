r"""Quadrature with a proved error for expectations of analytic functions.

A `Rule` for a random variable U consists of nodes, weights and two constants such that

    |E F(U) - sum_j w_j F(u_j)| <= analytic_error * sup_{|Im z| <= strip} |F|
                                   + real_error * sup_{real} |F|

for every F analytic in ``|Im z| < strip`` and continuous up to its border.

*Normal U*, trapezoidal rule.  With ``G(z) = F(m + s z) phi(z)`` and ``|phi(x + ib)| =
phi(x) exp(b^2/2)``, the integral of ``|G(. + ib)|`` is at most ``M = exp(a^2/2) sup |F|`` for
``|b| < a = strip / s``, and the rule of step h errs by at most ``2 M / (exp(2 pi a / h) - 1)``
(Trefethen and Weideman, SIAM Review 56, 2014, theorem 5.1).  Cutting the sum at ``|k| <= n``
costs at most ``sup |F| erfc(n h / sqrt 2)``, because phi decreases.

*Uniform U*, Gauss-Legendre.  F is analytic in the Bernstein ellipse of parameter rho whose
semi-minor axis, scaled to the interval, is the strip.  Its Chebyshev coefficients are at most
``2 M rho^-k``; n nodes integrate degrees up to ``2n - 1`` exactly; odd degrees vanish on both
sides by symmetry; an even degree k >= 4 contributes at most ``2/(k^2 - 1) + 2 <= 32/15``.  So the
*mean* over the interval errs by at most ``(32/15) M rho^(-2n) / (1 - rho^-2)`` for n >= 2.  Long
intervals are cut into equal panels.  A sum of independent uniforms has a density that is a
polynomial p on each of finitely many pieces; the rule is applied to F p there, with M multiplied by
a bound of ``|p|`` on the ellipse.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

from flint import arb

from verification.enclosure.balls import (
    Ball,
    ball,
    pi,
    power,
    square,
    symmetric,
    upper_double,
    working_precision,
)
from verification.errors import NotEnclosed

MAX_NODES = 50_000
MAX_UNIFORM_DIMENSION = 12

Polynomial: TypeAlias = tuple[Fraction, ...]
"""Exact coefficients, the constant one first."""

_GUARD_BITS = 8
_STEP_GRID = 2**12
_WIDTH_GRID = 64
# Strip over deviation: below the one every rule is too long, beyond the other all are the same.
_THINNEST = 2.0**-40
_WIDEST = 2**10


@dataclass(frozen=True, kw_only=True, eq=False)
class Rule:
    """Nodes, weights and error constants; see the module's docstring.

    Parameters
    ----------
    nodes, weights : tuple of Ball
    strip : Fraction
        Half-width of the strip of analyticity that `analytic_error` refers to.
    analytic_error, real_error : Ball
    """

    nodes: tuple[Ball, ...]
    weights: tuple[Ball, ...]
    strip: Fraction
    analytic_error: Ball
    real_error: Ball

    def error(self, strip_bound: Ball, real_bound: Ball) -> Ball:
        """Return a ball around 0 that contains the error for such an F."""
        if self.analytic_error.is_zero() and self.real_error.is_zero():
            return ball(0)
        return symmetric(self.analytic_error * strip_bound + self.real_error * real_bound)

    def mean(self, function: Callable[[Ball], Ball], strip_bound: Ball, real_bound: Ball) -> Ball:
        """Enclose ``E F(U)``.

        Parameters
        ----------
        function : callable
            F on the real line.
        strip_bound, real_bound : Ball
            Upper bounds of |F| on the strip and on the real line.
        """
        result = self.error(strip_bound, real_bound)
        for node, weight in zip(self.nodes, self.weights, strict=True):
            result = result + weight * function(node)
        return result


def point_rule(points: Sequence[Fraction], weights: Sequence[Fraction], strip: Fraction) -> Rule:
    """Return the exact rule of a law with finitely many atoms."""
    return Rule(
        nodes=tuple(ball(point) for point in points),
        weights=tuple(ball(weight) for weight in weights),
        strip=strip,
        analytic_error=ball(0),
        real_error=ball(0),
    )


def normal_rule(mean: Ball, deviation: Ball, strip: Fraction, *, bits: int | None = None) -> Rule:
    """Return a rule for the normal law with this mean and (positive) standard deviation.

    Its error is about ``2**-bits``, by default that of the working precision.
    """
    largest = upper_double(deviation)
    if not largest * _THINNEST < strip:
        raise NotEnclosed(f"an expectation needs more than {MAX_NODES} nodes")
    ratio = float(min(strip / Fraction(largest), Fraction(_WIDEST)))
    # Rounding the width down to a coarse grid lets inputs of like size share one rule.
    scale = 2.0 ** math.floor(math.log2(ratio))
    width = Fraction(math.floor(ratio / scale * _WIDTH_GRID * (1 - 2**-40)), _WIDTH_GRID)
    bits = working_precision() if bits is None else bits
    standard = _standard_normal_rule(width * Fraction(scale), bits, working_precision())
    return Rule(
        nodes=tuple(mean + deviation * node for node in standard.nodes),
        weights=standard.weights,
        strip=strip,
        analytic_error=standard.analytic_error,
        real_error=standard.real_error,
    )


@lru_cache(maxsize=64)
def _standard_normal_rule(width: Fraction, bits: int, _precision: int) -> Rule:
    """Trapezoidal rule for the standard normal law and strips of half-width at least `width`."""
    step, count, useful = normal_rule_parameters(width, bits)
    if 2 * count + 1 > MAX_NODES:
        raise NotEnclosed(f"an expectation needs more than {MAX_NODES} nodes")
    half = [ball(step * k) for k in range(count + 1)]
    heights = [(-square(node) / 2).exp() * ball(step) / (2 * pi()).sqrt() for node in half]
    growth = (2 * pi() * ball(useful) / ball(step)).expm1()
    return Rule(
        nodes=(*(-node for node in reversed(half[1:])), *half),
        weights=(*reversed(heights[1:]), *heights),
        strip=width,
        analytic_error=2 * (ball(useful**2) / 2).exp() / growth,
        real_error=(ball(step * count) / ball(2).sqrt()).erfc(),
    )


def normal_rule_parameters(width: Fraction, bits: int) -> tuple[Fraction, int, Fraction]:
    """Choose step h, half-count n and half-width a <= `width` for an error of about 2**-bits.

    Heuristic: the error is computed from what is chosen, not assumed.  ``h = 2 pi a / (L + a^2/2)``
    is largest at ``a = sqrt(2 L)``, L the logarithm of the reciprocal error.
    """
    target = (bits + _GUARD_BITS) * math.log(2)
    useful = min(width, Fraction(math.floor(math.sqrt(2 * target) * 64), 64))
    a = float(useful)
    step = Fraction(2 * math.pi * a / (target + a * a / 2))
    scale = Fraction(2) ** math.floor(math.log2(step))
    step = Fraction(math.floor(step / scale * _STEP_GRID), _STEP_GRID) * scale
    count = math.ceil(math.sqrt(2 * target) / float(step)) + 1
    return step, count, useful


def uniform_sum_rule(
    ranges: Sequence[tuple[Fraction, Fraction]], strip: Fraction, *, bits: int | None = None
) -> Rule:
    """Return a rule for a sum of independent uniforms on the given ranges (low < high).

    Its error is about ``2**-bits``, by default that of the working precision.
    """
    bits = working_precision() if bits is None else bits
    nodes: list[Ball] = []
    weights: list[Ball] = []
    error = ball(0)
    for lower, upper, density in _panels(_density_pieces(ranges), strip):
        half = (upper - lower) / 2
        ratio = strip / half
        count = _gauss_legendre_count(ratio, bits)
        if len(nodes) + count > MAX_NODES:
            raise NotEnclosed(f"an expectation needs more than {MAX_NODES} nodes")
        centre, scale = ball(lower + half), ball(half)
        coefficients = [ball(c * half**k) for k, c in enumerate(density)]
        for node, weight in _legendre(count, working_precision()):
            nodes.append(centre + scale * node)
            weights.append(scale * weight * _horner(coefficients, node))
        # The ellipse lies within (rho + 1/rho)/2 = (ratio^2 + 1)^(1/2) half-lengths of the centre.
        reach = (square(ball(ratio)) + 1).sqrt()
        height = _horner([abs(c) for c in coefficients], reach)
        error = error + 2 * scale * height * gauss_legendre_error(ball(ratio), count)
    return Rule(
        nodes=tuple(nodes),
        weights=tuple(weights),
        strip=strip,
        analytic_error=error,
        real_error=ball(0),
    )


def _density_pieces(
    ranges: Sequence[tuple[Fraction, Fraction]],
) -> list[tuple[Fraction, Fraction, Polynomial]]:
    """Return the density of a sum of independent uniforms, an exact polynomial on each piece.

    It is ``sum_S (-1)^|S| (u - c_S)_+^(d-1) / ((d-1)! a_1 .. a_d)`` over the subsets S of the
    dimensions, a_k the lengths and ``c_S`` the sum of the low ends and of the lengths in S.  Each
    piece comes as (lower end, upper end, coefficients about its centre).
    """
    if len(ranges) > MAX_UNIFORM_DIMENSION:
        raise NotEnclosed(
            f"a sum of {len(ranges)} uniforms has too many pieces "
            f"(at most {MAX_UNIFORM_DIMENSION} dimensions are supported)"
        )
    corners = {sum((low for low, _ in ranges), Fraction(0)): 1}
    for low, high in ranges:
        moved: dict[Fraction, int] = dict(corners)
        for corner, sign in corners.items():
            moved[corner + high - low] = moved.get(corner + high - low, 0) - sign
        corners = moved
    degree = len(ranges) - 1
    scale = Fraction(1, math.factorial(degree))
    for low, high in ranges:
        scale /= high - low
    ends = sorted(corners)
    pieces = []
    sums = [Fraction(0)] * (degree + 1)
    for lower, upper in pairwise(ends):
        # sum of sign (u - c)^degree over the corners passed, as a polynomial in u
        for k in range(degree + 1):
            sums[k] += corners[lower] * math.comb(degree, k) * _power(-lower, degree - k) * scale
        pieces.append((lower, upper, _recentred(sums, (lower + upper) / 2)))
    return pieces


def _panels(
    pieces: Iterable[tuple[Fraction, Fraction, Polynomial]], strip: Fraction
) -> Iterator[tuple[Fraction, Fraction, Polynomial]]:
    """Cut pieces into panels of at most four strip widths, each with its own centre."""
    for lower, upper, density in pieces:
        count = max(1, math.ceil((upper - lower) / (4 * strip)))
        if count > MAX_NODES:
            raise NotEnclosed(f"an expectation needs more than {MAX_NODES} nodes")
        middle, width = (lower + upper) / 2, (upper - lower) / count
        for k in range(count):
            start = lower + k * width
            yield start, start + width, _recentred(density, start + width / 2 - middle)


def _recentred(coefficients: Sequence[Fraction], shift: Fraction) -> Polynomial:
    """Return the coefficients of ``p(u + shift)`` in u."""
    return tuple(
        sum(
            (
                c * math.comb(k, j) * _power(shift, k - j)
                for k, c in enumerate(coefficients)
                if k >= j
            ),
            Fraction(0),
        )
        for j in range(len(coefficients))
    )


def _power(base: Fraction, exponent: int) -> Fraction:
    """Return ``base ** exponent``, exponent >= 0, typed as the rational that it is."""
    return Fraction(base.numerator**exponent, base.denominator**exponent)


def _horner(coefficients: Sequence[Ball], x: Ball) -> Ball:
    result = ball(0)
    for coefficient in reversed(coefficients):
        result = result * x + coefficient
    return result


def _gauss_legendre_count(ratio: Fraction, bits: int) -> int:
    """Choose the number of nodes of one panel for an error of about 2**-bits."""
    target = (bits + _GUARD_BITS) * math.log(2)
    return max(2, math.ceil(target / (2 * math.asinh(float(min(ratio, Fraction(_WIDEST)))))) + 1)


def gauss_legendre_error(ratio: Ball, count: int) -> Ball:
    """Bound the error of the mean over an interval, for F bounded by 1 on the strip.

    `ratio` is the strip's half-width over the interval's half-length; `count` >= 2 nodes.
    """
    rho = ratio + (square(ratio) + 1).sqrt()
    return ball(Fraction(32, 15)) / power(rho, 2 * count) / (1 - 1 / square(rho))


@lru_cache(maxsize=512)
def _legendre(count: int, _precision: int) -> tuple[tuple[Ball, Ball], ...]:
    # The precision is part of the key only: flint works at the global one.
    return tuple(arb.legendre_p_root(count, k, True) for k in range(count))
