r"""What no linear network of width m can do better: lower bounds of ``||rho - rho_hat||``.

All of them compare finite matrices ``A = int rho(t) M(t) dt`` that depend linearly on the kernel
and whose rank is at most m for the kernel of a network of width m, because
``rho_hat(t + s) = (exp(W t) U)^T (exp(W^T s) c)`` is a sum of m products of a function of t and a
function of s.  ``||.||`` is the norm in L1(0, inf) of one component; the bounds of several add up.

**Hankel** (`laguerre_matrix`, `indicator_matrix`).  With e_i orthonormal in L2(0, inf),
``A_ij = int int rho(t + s) e_i(t) e_j(s)`` is a compression of ``G f(t) = int rho(t + s) f(s) ds``,
and ``|G| <= ||rho||``, as the integral of ``|rho(t + s)|`` over either variable is at most that
(Schur).  So ``s_{m+1}(A) <= s_{m+1}(G) <= |G - G_hat| <= ||rho - rho_hat||``.

* Laguerre functions ``(2p)^(1/2) exp(-p t) L_i(2 p t)``: since ``int_0^x L_i(y) L_j(x - y) dy =
  L_{i+j}(x) - L_{i+j+1}(x)``, ``A_ij = g_{i+j} - g_{i+j+1}`` with
  ``g_n = int rho(t) exp(-p t) L_n(2 p t) dt``, rational for a rational quasi-polynomial.
* Normalised indicators of disjoint intervals: second differences of a second primitive of rho.

**Bang-bang** (`bang_bang_matrix`).  ``A_ij = int_{I_j} rho(t_i + s) ds`` for disjoint intervals
I_0..I_m and points t_0..t_m >= 0.  The network's matrix has rank at most m and m + 1 rows: it kills
some x with ``|x|_inf = 1``, and ``f = x_j`` on I_j is an input of size 1, so that
``||rho - rho_hat|| >= |(A - A_hat) x|_inf = |A x|_inf >= 1 / |A^-1|_{inf -> inf}``.

**Ky Fan** (`ky_fan_bound`).  With the indicators' ``M(t) = (e_i * e_j)(t)`` and the sum ``|.|_(K)``
of the K largest singular values, ``s_{m+1}(A) + .. + s_{m+K}(A) <= |A - A_hat|_(K) <=
||rho - rho_hat|| max_t |M(t)|_(K)``.  M is linear between the sums of two end points and the norm
is convex, so that the maximum is over these sums.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import combinations_with_replacement, pairwise
from typing import TypeAlias

from verification.deadline import heed_deadline
from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    less_equal,
    maximum,
    maximum_between,
    precision,
    square,
    total,
    total_between,
    working_precision,
)
from verification.enclosure.matrix import Matrix
from verification.linear_rnn.norm import integral, second_difference
from verification.linear_rnn.pieces import Function, QuasiPolynomial, Wave
from verification.verdict import Truth

# A Laguerre moment of order 2n is a sum of terms up to 3^(2n) times as large.
_LAGUERRE_BITS = 4

Interval: TypeAlias = tuple[Fraction, Fraction]


@dataclass(frozen=True)
class LaguerrePlace:
    """Laguerre functions of rate `scale`, `size` of them."""

    scale: Fraction
    size: int


@dataclass(frozen=True)
class IndicatorPlace:
    """Normalised indicators of the intervals between `ends`, which increase from 0 on."""

    ends: tuple[Fraction, ...]


@dataclass(frozen=True)
class BangBangPlace:
    """Where a bang-bang bound looks.

    Parameters
    ----------
    ends : tuple of Fraction
        End points ``0 = e_0 <= .. <= e_m`` of the intervals, the last of which reaches to infinity.
    points : tuple of Fraction
        As many points ``t_i >= 0``.

    Raises
    ------
    ValueError
        Where they are not so: the bound would be none.
    """

    ends: tuple[Fraction, ...]
    points: tuple[Fraction, ...]

    def __post_init__(self) -> None:
        if not self.ends or len(self.ends) != len(self.points):
            raise ValueError("expected as many points as end points, and one at the least")
        if self.ends[0] or any(b < a for a, b in pairwise(self.ends)):
            raise ValueError("expected end points from 0 on that do not decrease")
        if min(self.points) < 0:
            raise ValueError("expected points that are not negative")


def bang_bang_matrix(function: Function, where: BangBangPlace) -> Matrix:
    """Enclose ``A_ij = int_{I_j} rho(t_i + s) ds``."""
    ends = [*where.ends, None]
    return Matrix.of_balls(
        [
            [
                integral(function, t + a, None if b is None else t + b)
                for a, b in pairwise(ends)
                if a is not None
            ]
            for t in where.points
        ]
    )


def bang_bang_bound(function: Function, where: BangBangPlace) -> Ball:
    """Enclose ``1 / |A^-1|_{inf -> inf}``.

    Raises
    ------
    NotEnclosed
        Where A cannot be shown to be regular at this precision.
    """
    matrix = bang_bang_matrix(function, where)
    inverse = matrix.solve(Matrix.identity(len(where.points)).in_balls())
    return 1 / maximum(total(abs(ball(x)) for x in row) for row in inverse.entries())


def compression(function: Function, place: LaguerrePlace | IndicatorPlace) -> Matrix:
    """Enclose a compression of G.

    Raises
    ------
    ValueError
        Where a function that is no quasi-polynomial is to be expanded in Laguerre functions.
    """
    if isinstance(place, IndicatorPlace):
        return indicator_matrix(function, place.ends)
    (piece,) = function
    if not isinstance(piece, QuasiPolynomial):
        raise ValueError("Laguerre moments are known of quasi-polynomials only")
    return laguerre_matrix(piece, place.scale, place.size)


def indicator_matrix(function: Function, ends: Sequence[Fraction]) -> Matrix:
    """Enclose the compression to normalised indicators of the intervals between `ends`."""
    cells = list(pairwise(ends))
    rows = [[ball(0)] * len(cells) for _ in cells]
    for i, (a, b) in enumerate(cells):
        heed_deadline()
        for j, (c, d) in enumerate(cells[: i + 1]):
            area = second_difference(function, (b + d, a + d, b + c, a + c))
            rows[i][j] = rows[j][i] = area / ball((b - a) * (d - c)).sqrt()
    return Matrix.of_balls(rows)


def laguerre_matrix(function: QuasiPolynomial, scale: Fraction, size: int) -> Matrix:
    """Enclose the compression to `size` Laguerre functions of rate ``p = scale``."""
    with precision(working_precision() + _LAGUERRE_BITS * size):
        moments = [ball(0)] * (2 * size)
        for wave in function.waves:
            more = _laguerre_moments(wave, scale, 2 * size)
            moments = [x + y for x, y in zip(moments, more, strict=True)]
    return Matrix.of_balls(
        [[moments[i + j] - moments[i + j + 1] for j in range(size)] for i in range(size)]
    )


def _laguerre_moments(wave: Wave, p: Fraction, count: int) -> list[Ball]:
    """Enclose ``int wave(t) exp(-p t) L_n(2 p t) dt``, n < count, term by term.

    ``L_n(x) = sum_i C(n, i) (-x)^i / i!`` and ``int t^k exp(-z t) dt = k! / z^(k+1)``, here with
    ``z = rate + p - i frequency``.  The terms alternate, and are up to 3^n times their sum.
    """
    real, imaginary = wave.rate + p, wave.frequency
    size = real * real + imaginary * imaginary
    x, y = ball(real / size), ball(imaginary / size)
    powers = [(x, y)]
    for _ in range(count + len(wave.cosine)):
        u, v = powers[-1]
        powers.append((u * x - v * y, u * y + v * x))
    terms = [ball(0)] * count
    for k, (along, across) in enumerate(zip(wave.cosine, wave.sine, strict=True)):
        if along or across:
            for i in range(count):
                weight = (-2 * p) ** i * Fraction(math.factorial(k + i), math.factorial(i))
                u, v = powers[k + i]
                terms[i] = terms[i] + ball(weight * along) * u + ball(weight * across) * v
    return [total(math.comb(n, i) * terms[i] for i in range(n + 1)) for n in range(count)]


@dataclass(frozen=True)
class KyFanPlace:
    """Indicators of the intervals between `ends`, and how many singular values are summed."""

    ends: tuple[Fraction, ...]
    count: int


def ky_fan_bound(function: Function, place: KyFanPlace, first: int) -> Between:
    """Enclose ``s_{first+1} + .. + s_{first+K}`` over ``max_t |M(t)|_(K)``."""
    from verification.enclosure.singular import singular_values  # noqa: PLC0415 - loads numpy

    values = singular_values(indicator_matrix(function, place.ends))
    chosen = values[first : first + place.count]
    most = largest_ky_fan_norm(place.ends, place.count, working_precision())
    return Between(
        total(x.lower for x in chosen) / most.upper, total(x.upper for x in chosen) / most.lower
    )


@lru_cache(maxsize=64)
def largest_ky_fan_norm(ends: tuple[Fraction, ...], count: int, _bits: int) -> Between:
    """Enclose ``max_t |M(t)|_(K)``.

    ``|M|_(K) <= K^(1/2) |M|`` with the Frobenius norm tells most knots from the largest.
    """
    from verification.enclosure.singular import singular_values  # noqa: PLC0415 - loads numpy

    cells = list(pairwise(ends))
    coarse = []
    for t in {a + b for a, b in combinations_with_replacement(ends, 2)}:
        heed_deadline()
        common = [[_common(t, one, other) for other in cells] for one in cells]
        squares = Fraction(0)
        for row, (a, b) in zip(common, cells, strict=True):
            for x, (c, d) in zip(row, cells, strict=True):
                squares += x * x / ((b - a) * (d - c))
        coarse.append((squares * count, common))
    found: Between | None = None
    for squares, common in sorted(coarse, key=lambda knot: -knot[0]):
        if found is not None and less_equal(ball(squares), square(found.lower)) is Truth.TRUE:
            break
        heed_deadline()
        rows = [
            [ball(x) / ball((b - a) * (d - c)).sqrt() for x, (c, d) in zip(row, cells, strict=True)]
            for row, (a, b) in zip(common, cells, strict=True)
        ]
        values = singular_values(Matrix.of_balls(rows))[:count]
        norm = total_between(values)
        found = norm if found is None else maximum_between([found, norm])
    if found is None:
        raise ValueError("there is no interval")
    return found


def _common(t: Fraction, first: Interval, second: Interval) -> Fraction:
    """Return the length that ``I_i`` and ``t - I_j`` have in common."""
    (a, b), (c, d) = first, second
    return max(min(b, t - c) - max(a, t - d), Fraction(0))
