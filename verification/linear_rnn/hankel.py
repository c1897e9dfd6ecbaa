r"""Singular values of the Hankel operator ``G f(t) = int_0^inf rho(t + s) f(s) ds`` on L2(0, inf).

**Quasi-polynomials.**  rho is a combination of basis functions f_i, ``t^k exp(-a t)`` times a
cosine or a sine, and by the binomial theorem and the addition theorems ``rho(t + s) = sum_ij
f_i(t) B_ij f_j(s)`` with a symmetric rational matrix B.  With the Gram matrix ``P = L L^T``, ``P_ij
= int f_i f_j``, also rational, the functions ``sum_j (L^-1)_ij f_j`` are orthonormal: G is the
symmetric matrix ``L^T B L`` on their span, and zero on its complement.  So its singular values are
the sizes of the eigenvalues of this matrix.

**All others.**  A compression of G has smaller singular values, and ``s_k(G) <= |G - G_hat| <=
||rho - rho_hat||`` for every network of width k - 1, because its G_hat has rank k - 1 at most.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    end_points,
    less,
    total,
    working_precision,
)
from verification.enclosure.matrix import Matrix
from verification.enclosure.spectrum import symmetric_spectrum
from verification.errors import NotEnclosed
from verification.linear_functional import Part
from verification.linear_rnn.distance import distance
from verification.linear_rnn.lower_bounds import compression
from verification.linear_rnn.pieces import QuasiPolynomial, Wave, of_parts
from verification.verdict import Truth

_ZERO = Fraction(0)
# Of wider networks doubles find none that are much nearer.
_WIDEST = 8


class _State(NamedTuple):
    """``t^power exp(-rate t)`` times ``cos(frequency t)``, or ``sin(frequency t)``."""

    rate: Fraction
    frequency: Fraction
    power: int
    sine: int


def exact_singular_values(function: QuasiPolynomial) -> list[Between]:
    """Enclose all singular values of G that are not zero, the largest first.

    Raises
    ------
    NotEnclosed
        Where the Gram matrix is not shown to be positive at this precision.
    """
    states = [state for wave in function.waves for state in _states(wave)]
    factor = _cholesky([[_inner(one, other) for other in states] for one in states])
    symmetric = factor.transpose() @ _combination(function, states).in_balls() @ factor
    symmetric = (symmetric + symmetric.transpose()).scale(ball(Fraction(1, 2)))
    sizes = [abs(value) for value in symmetric_spectrum(symmetric).eigenvalues()]
    # The k-th largest of numbers lies between the k-th largest of bounds of them.
    lower = _sorted([x.abs_lower() for x in sizes])
    upper = _sorted([x.abs_upper() for x in sizes])
    return [Between(x, y) for x, y in zip(lower, upper, strict=True)]


def singular_value(parts: tuple[Part, ...], index: int) -> Between:
    """Enclose the singular value of G of an index, counted from 1, for one channel of a target.

    Raises
    ------
    NotEnclosed
        See `exact_singular_values`, and where a norm is not enclosed.
    """
    function = of_parts(parts)
    if not function:
        return Between(ball(0), ball(0))
    if len(function) == 1 and isinstance(function[0], QuasiPolynomial):
        if index > function[0].order:
            return Between(ball(0), ball(0))
        return exact_singular_values(function[0])[index - 1]
    from verification.enclosure.singular import singular_values  # noqa: PLC0415 - loads numpy
    from verification.linear_rnn import search  # noqa: PLC0415 - loads scipy
    from verification.linear_rnn.near_best import near_best_network  # noqa: PLC0415

    place = search.hankel_place(function, index - 1)
    lower = singular_values(compression(function, place))[index - 1].lower
    # Singular values decrease: a smaller network bounds them too.
    network = near_best_network((function,), min(index - 1, _WIDEST))
    return Between(lower, distance((parts,), network, working_precision()).upper)


def _states(wave: Wave) -> list[_State]:
    return [
        _State(wave.rate, wave.frequency, power, sine)
        for power in range(len(wave.cosine))
        for sine in ((0, 1) if wave.frequency else (0,))
    ]


def _inner(first: _State, second: _State) -> Fraction:
    """Return the integral of a product, by ``int t^n exp(-z t) dt = n!/z^(n+1)``."""
    rate, power = first.rate + second.rate, first.power + second.power

    def wave(frequency: Fraction, *, sine: bool) -> Fraction:
        # 1/z = (rate + i frequency)/size; a real part for the cosine.
        size = rate * rate + frequency * frequency
        x, y = Fraction(1), _ZERO
        for _ in range(power + 1):
            x, y = (x * rate - y * frequency) / size, (x * frequency + y * rate) / size
        return math.factorial(power) * (y if sine else x)

    apart, together = first.frequency - second.frequency, first.frequency + second.frequency
    if first.sine and second.sine:
        return (wave(apart, sine=False) - wave(together, sine=False)) / 2
    if first.sine:
        return (wave(together, sine=True) + wave(apart, sine=True)) / 2
    if second.sine:
        return (wave(together, sine=True) - wave(apart, sine=True)) / 2
    return (wave(apart, sine=False) + wave(together, sine=False)) / 2


def _combination(function: QuasiPolynomial, states: list[_State]) -> Matrix:
    """Return B."""
    place = {state: i for i, state in enumerate(states)}
    rows = [[_ZERO] * len(states) for _ in states]
    for wave in function.waves:
        a, w = wave.rate, wave.frequency
        for k, (along, across) in enumerate(zip(wave.cosine, wave.sine, strict=True)):
            for i in range(k + 1):
                weight = math.comb(k, i)
                one, other = place[_State(a, w, i, 0)], place[_State(a, w, k - i, 0)]
                rows[one][other] += weight * along
                if w:
                    sine, last = place[_State(a, w, i, 1)], place[_State(a, w, k - i, 1)]
                    rows[sine][last] -= weight * along
                    rows[sine][other] += weight * across
                    rows[one][last] += weight * across
    return Matrix.exact(rows)


def _cholesky(rows: Sequence[Sequence[Fraction]]) -> Matrix:
    """Enclose the lower triangular factor of a positive matrix."""
    factor: list[list[Ball]] = [[ball(0)] * len(rows) for _ in rows]
    for i, row in enumerate(rows):
        for j in range(i + 1):
            rest = ball(row[j]) - total(factor[i][k] * factor[j][k] for k in range(j))
            if j < i:
                factor[i][j] = rest / factor[j][j]
            elif less(ball(0), rest) is Truth.TRUE:
                factor[i][i] = rest.sqrt()
            else:
                raise NotEnclosed("exponentials too much alike for this precision")
    return Matrix.of_balls(factor)


def _sorted(values: list[Ball]) -> list[Ball]:
    """Return exact balls, the largest first."""
    return sorted(values, key=end_points, reverse=True)
