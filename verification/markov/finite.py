r"""The linear algebra of a finite Markov chain: stationary law, Poisson equation, contraction.

P is the transition matrix of a chain with one recurrent class (`verification.markov.chain` defines
the terms); its stationary law pi is then unique.  The *Poisson equation* of a function f of the
state is ``u - P u = f - pi(f)``; its solution with ``pi(u) = 0`` is ``u = Z (f - pi(f))`` with the
*fundamental matrix* ``Z = (I - P + 1 pi)^(-1)``.  A periodic chain has them too.

``delta(P^m)`` is the Dobrushin coefficient of m steps.  It is below 1 for some m exactly where the
recurrent class has period 1; the least such m is called the *scrambling index* here.  For any such
m, ``sum_k delta(P^k) <= sum_{j<m} delta(P^j) / (1 - delta(P^m))``, because
``delta(P^(j+km)) <= delta(P^j) delta(P^m)^k``; the least m seldom gives the least bound.

Every function returns rationals, exact, where the chain has n <= `EXACT_STATES` states and n^2
times the bits of its rows' denominators together are at most `EXACT_WORK` (60 states with 100 bits
a row, 200 with 2); balls at the current precision up to
`BALL_STATES` states; and raises `NotEnclosed`, saying so, beyond (but for the Dobrushin
coefficient of one step, up to `PAIR_STATES`).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from math import lcm
from typing import TYPE_CHECKING

from verification.enclosure.balls import Number, ball, end_points, less_equal, working_precision
from verification.enclosure.matrix import Matrix, largest
from verification.enclosure.numbers import absolute, minus, over, times, total
from verification.errors import InvalidInstance, NotEnclosed
from verification.instance import Chain
from verification.markov.chain import (
    CommunicatingClass,
    communicating_classes,
    dobrushin_coefficient,
    period,
)
from verification.verdict import Truth

if TYPE_CHECKING:
    import numpy as np

EXACT_STATES = 200
EXACT_WORK = 22_000_000
BALL_STATES = 400
PAIR_STATES = 2_000

_POWER_BITS = 60_000
_DOUBLINGS = 4
_SMALL_ENOUGH = Fraction(1, 4)
_STATES_NAMED = 5
_LARGEST_DOUBLE = 1e290


def recurrent_classes(chain: Chain) -> tuple[CommunicatingClass, ...]:
    """Return the recurrent classes, in the order of their smallest states."""
    return tuple(found for found in _classes(chain) if found.recurrent)


def has_one_recurrent_class(chain: Chain) -> bool:
    """Tell whether the stationary law is unique."""
    return len(recurrent_classes(chain)) == 1


def is_ergodic(chain: Chain) -> bool:
    """Tell whether the law of the chain converges to one law from every start."""
    found = recurrent_classes(chain)
    return len(found) == 1 and period(chain, found[0]) == 1


def require_one_law(chain: Chain) -> None:
    """Refuse a chain with several stationary laws.

    Raises
    ------
    InvalidInstance
        With its recurrent classes.
    """
    if not has_one_recurrent_class(chain):
        raise InvalidInstance(
            "chain.transition", f"has no unique stationary law: {why_not_ergodic(chain)}"
        )


def why_not_ergodic(chain: Chain) -> str:
    """Return what keeps a chain from converging, for a sentence."""
    found = recurrent_classes(chain)
    if len(found) > 1:
        return (
            f"it has {len(found)} recurrent classes: "
            + " and ".join(_named(item.states) for item in found[:3])
            + (" and others" if len(found) > 3 else "")
        )
    return f"its recurrent class {_named(found[0].states)} has period {period(chain, found[0])}"


def _named(states: Sequence[int]) -> str:
    shown = ", ".join(map(str, states[:_STATES_NAMED]))
    return f"{{{shown}{', ...' if len(states) > _STATES_NAMED else ''}}}"


@lru_cache(maxsize=64)
def _classes(chain: Chain) -> tuple[CommunicatingClass, ...]:
    return communicating_classes(chain)


def transition_matrix(chain: Chain) -> Matrix:
    """Return P, shape (n_states, n_states)."""
    return _transition_matrix(chain, working_precision())


@lru_cache(maxsize=64)
def _transition_matrix(chain: Chain, _bits: int) -> Matrix:
    size = chain.n_states
    if size > BALL_STATES:
        raise NotEnclosed(f"the chain has {size} states, more than {BALL_STATES}")
    rows = [dict(row) for row in chain.rows]
    zero = Fraction(0)
    exact = Matrix.exact([[row.get(j, zero) for j in range(size)] for row in rows])
    return exact if _height(chain) is not None else exact.in_balls()


def _height(chain: Chain) -> int | None:
    """Return the bits of all rows' denominators; None where the chain is not small."""
    if chain.n_states > EXACT_STATES:
        return None
    bits = sum(lcm(*(p.denominator for _, p in row)).bit_length() for row in chain.rows)
    return bits if bits * chain.n_states**2 <= EXACT_WORK else None


def power(chain: Chain, steps: int) -> Matrix:
    """Return ``P^steps``; in balls where its exact entries would be too long."""
    return _power(chain, steps, working_precision())


@lru_cache(maxsize=64)
def _power(chain: Chain, steps: int, _bits: int) -> Matrix:
    matrix = transition_matrix(chain)
    height = _height(chain)
    if height is not None and height * steps > _POWER_BITS:
        matrix = matrix.in_balls()
    return matrix.power(steps)


def stationary_row(chain: Chain) -> Matrix:
    """Return the stationary law as a row, shape (1, n_states).

    Raises
    ------
    ValueError
        Where the chain has more than one recurrent class.
    """
    return _stationary_row(chain, working_precision())


@lru_cache(maxsize=512)
def _stationary_row(chain: Chain, _bits: int) -> Matrix:
    found = recurrent_classes(chain)
    if len(found) > 1:
        raise ValueError(f"no unique stationary law: {why_not_ergodic(chain)}")
    states, matrix = found[0].states, transition_matrix(chain).entries()
    # pi (I - P) = 0 on the class, one of these equations replaced by sum pi = 1.
    one, zero = Fraction(1), Fraction(0)
    system: list[list[Number]] = [
        [minus(one if i == j else zero, matrix[i][j]) for i in states] for j in states[:-1]
    ]
    system.append([one] * len(states))
    right = [zero] * (len(states) - 1) + [one]
    inside = Matrix.of_numbers(system).solve(Matrix.column(right)).numbers()
    everywhere: list[Number] = [zero] * chain.n_states
    for state, probability in zip(states, inside, strict=True):
        everywhere[state] = probability
    return Matrix.column(everywhere).transpose()


def stationary_law(chain: Chain) -> tuple[Number, ...]:
    """Return the stationary law, shape (n_states,).  See `stationary_row`."""
    return tuple(stationary_row(chain).numbers())


def poisson_column(chain: Chain, observable: Sequence[Fraction]) -> Matrix:
    """Return the solution u of the Poisson equation with ``pi(u) = 0``, shape (n_states, 1).

    Parameters
    ----------
    chain : Chain
        With one recurrent class, of any period.
    observable : sequence of Fraction, shape (n_states,)
        The function f.

    Notes
    -----
    Solved as a system for u, with ``u_r = 0`` at a recurrent state r, and the mean c in
    ``u - P u + c = f``; no fundamental matrix and no contraction enters.
    """
    return _poisson_column(chain, tuple(observable), working_precision())


@lru_cache(maxsize=256)
def _poisson_column(chain: Chain, observable: tuple[Fraction, ...], _bits: int) -> Matrix:
    pinned = recurrent_classes(chain)[0].states[0]
    law = stationary_row(chain)
    matrix = transition_matrix(chain).entries()
    one, zero = Fraction(1), Fraction(0)
    system: list[list[Number]] = [
        [
            one if j == pinned else minus(one if i == j else zero, probability)
            for j, probability in enumerate(row)
        ]
        for i, row in enumerate(matrix)
    ]
    values = Matrix.of_numbers(system).solve(Matrix.column(observable)).numbers()
    values[pinned] = zero
    solution = Matrix.column(values)
    mean = law @ solution
    return solution - Matrix.constant(chain.n_states, 1, 1) @ mean


def poisson_solution(chain: Chain, observable: Sequence[Fraction]) -> tuple[Number, ...]:
    """Return the solution of the Poisson equation, shape (n_states,).  See `poisson_column`."""
    return tuple(poisson_column(chain, observable).numbers())


def fundamental_matrix(chain: Chain) -> Matrix:
    """Return ``Z = (I - P + 1 pi)^(-1)``, shape (n_states, n_states)."""
    return _fundamental_matrix(chain, working_precision())


@lru_cache(maxsize=64)
def _fundamental_matrix(chain: Chain, _bits: int) -> Matrix:
    size = chain.n_states
    limit = Matrix.constant(size, 1, 1) @ stationary_row(chain)
    identity = Matrix.identity(size)
    return (identity - transition_matrix(chain) + limit).solve(identity)


def scrambling_index(chain: Chain) -> int | None:
    """Return the least m with ``delta(P^m) < 1``; None where there is none.

    Notes
    -----
    That is the least m at which every two rows of P^m share a positive entry: decided on the
    zeros and ones of the matrix, by doubling and bisection.
    """
    if not is_ergodic(chain):
        return None
    if chain.n_states > PAIR_STATES:
        raise NotEnclosed(f"the chain has {chain.n_states} states, more than {PAIR_STATES}")
    return _scrambling_index(chain)


@lru_cache(maxsize=512)
def _scrambling_index(chain: Chain) -> int:
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    # Sums of so few ones are exact in single precision.
    ones = np.zeros((chain.n_states, chain.n_states), dtype=np.float32)
    for i, row in enumerate(chain.rows):
        ones[i, [j for j, _ in row]] = 1
    if chain.n_states == 1:
        return 1
    powers = [ones]
    while not _is_scrambling(powers[-1]):
        powers.append(_reached(powers[-1], powers[-1]))
    # The largest power that is not scrambling, built from the largest squares down.
    steps, reached = 0, np.eye(chain.n_states, dtype=np.float32)
    for exponent in range(len(powers) - 2, -1, -1):
        further = _reached(reached, powers[exponent])
        if not _is_scrambling(further):
            steps, reached = steps + 2**exponent, further
    return steps + 1


def _reached(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    product: np.ndarray = (first @ second > 0).astype(first.dtype)
    return product


def _is_scrambling(ones: np.ndarray) -> bool:
    return bool((ones @ ones.T > 0).all())


def dobrushin_of_power(chain: Chain, steps: int) -> Number:
    """Return ``delta(P^steps)``; 1 for steps = 0 and two states or more."""
    if chain.n_states == 1:
        return Fraction(0)
    if steps == 0:
        return Fraction(1)
    return _dobrushin_of_power(chain, steps, working_precision())


@lru_cache(maxsize=512)
def _dobrushin_of_power(chain: Chain, steps: int, _bits: int) -> Number:
    if steps == 1 and (
        chain.n_states <= EXACT_STATES or BALL_STATES < chain.n_states <= PAIR_STATES
    ):
        return dobrushin_coefficient(chain)
    index = scrambling_index(chain)
    if index is None or steps < index:
        return Fraction(1)
    return most_distant_rows(power(chain, steps))[0]


def most_distant_rows(matrix: Matrix) -> tuple[Number, tuple[int, int]]:
    """Return half the largest distance ``sum_j |A_ij - A_kj|`` of two rows, and two such rows.

    Parameters
    ----------
    matrix : Matrix
        At least two rows.

    Returns
    -------
    tuple
        The number, exact or enclosed; in balls the rows may be others of nearly that distance.
    """
    pairs = _most_distant(matrix)
    distances = [_total_variation(matrix, i, j) for i, j in pairs]
    widest = max(range(len(pairs)), key=lambda k: end_points(ball(distances[k]))[1])
    return largest(distances), pairs[widest]


def _total_variation(matrix: Matrix, i: int, j: int) -> Number:
    pairs = zip(matrix.row(i), matrix.row(j), strict=True)
    return total([absolute(minus(p, q)) for p, q in pairs]) / 2


def _most_distant(matrix: Matrix) -> list[tuple[int, int]]:
    """Return pairs of rows, among them one of largest distance."""
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    from verification.enclosure.balls import lower_double, upper_double  # noqa: PLC0415

    size = matrix.shape[0]
    if size <= 6:
        return list(combinations(range(size), 2))
    low = np.array([[lower_double(ball(x)) for x in row] for row in matrix.entries()])
    high = np.array([[upper_double(ball(x)) for x in row] for row in matrix.entries()])
    greatest = max(1.0, float(np.abs(low).max()), float(np.abs(high).max()))
    if greatest > _LARGEST_DOUBLE:
        return list(combinations(range(size), 2))
    # Each entry lies between two doubles; n + 3 roundings of sums below 2 scale follow.
    scale = max(1.0, float(np.maximum(np.abs(low), np.abs(high)).sum(axis=1).max()))
    margin = 2 * float((high - low).sum(axis=1).max()) + 4 * (size + 3) * 2.0**-53 * scale
    estimates = np.array([np.abs(low[i] - low[i + 1 :]).sum(axis=1).max() for i in range(size - 1)])
    # The true maximum is no smaller than that of the estimates less the margin.
    least = float(estimates.max()) - 2 * margin
    return [
        (int(i), int(i + 1 + j))
        for i in np.flatnonzero(estimates >= least)
        for j in np.flatnonzero(np.abs(low[i] - low[i + 1 :]).sum(axis=1) >= least)
    ]


def summed_contraction(chain: Chain) -> Number:
    """Bound ``sum_k delta(P^k)`` by contraction alone.

    Returns
    -------
    Number
        ``Delta = m prod_{i<k} (1 + delta_i) / (1 - delta_k)``, ``delta_i = delta(P^(m 2^i))``, m
        the scrambling index, k the least with ``delta_k <= 1/4``, at most 4; of one state 0.

    Raises
    ------
    ValueError
        Where the chain is not ergodic.

    Notes
    -----
    ``sum_{j<2M} delta(P^j) <= (1 + delta(P^M)) sum_{j<M} delta(P^j)``, and ``sum_{j<m} <= m``.  As
    ``delta(P^2M) <= delta(P^M)^2``, no doubling makes the bound larger.
    """
    index = scrambling_index(chain)
    if index is None:
        raise ValueError(f"the chain does not converge: {why_not_ergodic(chain)}")
    if chain.n_states == 1:
        return Fraction(0)
    factor: Number = Fraction(index)
    for _ in range(_DOUBLINGS):
        coefficient = dobrushin_of_power(chain, index)
        if less_equal(ball(coefficient), ball(_SMALL_ENOUGH)) is Truth.TRUE:
            break
        factor = times(factor, 1 + coefficient)
        index *= 2
    return over(factor, minus(Fraction(1), dobrushin_of_power(chain, index)))
