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
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TypeAlias

from verification.enclosure.balls import (
    Ball,
    ball,
    maximum,
    precision,
    total,
    working_precision,
)
from verification.enclosure.matrix import Matrix
from verification.linear_rnn.norm import integral, second_difference
from verification.linear_rnn.pieces import Function, QuasiPolynomial, Wave

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
        End points 0 = e_0 < .. < e_m of the intervals, the last of which reaches to infinity.
    points : tuple of Fraction
        As many points t_i >= 0.
    """

    ends: tuple[Fraction, ...]
    points: tuple[Fraction, ...]


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
