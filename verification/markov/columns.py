"""Rows and columns over the states of a chain, small or large: law, Poisson solution, products.

Up to `BALL_STATES` states these are exact, or balls at the working precision
(`verification.markov.finite`).  Larger chains are solved in double precision, with errors that
hitting times prove (`verification.markov.large`): balls then, whose radii no precision narrows.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from verification.enclosure.balls import (
    Ball,
    Number,
    ball,
    exact_ball,
    symmetric,
    working_precision,
)
from verification.enclosure.doubles import UNDERFLOW, gamma, nearest, upward
from verification.enclosure.matrix import Matrix
from verification.enclosure.numbers import over
from verification.errors import NotEnclosed
from verification.instance import Chain
from verification.markov import finite
from verification.markov.chain import dobrushin_coefficient
from verification.markov.finite import BALL_STATES
from verification.markov.transitions import rounded_transitions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from verification.markov.large import RoundedChain, Solution

LARGE_STATES = 100_000

_UP = 1 + 2.0**-40
_TINY = 2.0**-1000


def stationary_row(chain: Chain) -> Matrix:
    """Return the stationary law as a row, shape (1, n_states).

    Raises
    ------
    NotEnclosed
        Where the chain has more than `LARGE_STATES` states, or mixes too slowly for doubles.
    """
    if chain.n_states <= BALL_STATES:
        return finite.stationary_row(chain)
    found = _solution(chain, None).law
    return _around(found.law, found.l1_error).transpose()


def poisson_column(chain: Chain, observable: Sequence[Fraction]) -> Matrix:
    """Return the solution of the Poisson equation, ``pi(u) = 0``, shape (n_states, 1).

    Raises
    ------
    NotEnclosed
        As `stationary_row`.
    """
    if chain.n_states <= BALL_STATES:
        return finite.poisson_column(chain, observable)
    (found,) = _solution(chain, tuple(observable)).poisson
    return _around(found.values, found.sup_error)


def stationary_mean(chain: Chain, observable: Sequence[Fraction]) -> Number:
    """Return ``pi(f)``."""
    if chain.n_states <= BALL_STATES:
        return (finite.stationary_row(chain) @ Matrix.column(observable)).numbers()[0]
    (found,) = _solution(chain, tuple(observable)).poisson
    return exact_ball(found.mean) + symmetric(exact_ball(found.mean_error))


def centred_column(chain: Chain, observable: Sequence[Fraction]) -> Matrix:
    """Return ``f - pi(f)``, shape (n_states, 1)."""
    mean = stationary_mean(chain, observable)
    return Matrix.column(observable) - Matrix.column([mean] * chain.n_states)


def averaged(chain: Chain, column: Matrix) -> Matrix:
    """Return ``P g``, shape (n_states, 1)."""
    if chain.n_states <= BALL_STATES:
        return _matrix_for(chain, column) @ column
    transitions = rounded_transitions(chain)
    values, errors = _doubles(column)
    matrix = transitions.matrix
    # A term passes through the rounding of P_ij, its product and the sums.
    rounding = upward(2 * gamma(transitions.successors + 4))
    return _around(matrix @ values, _radii(matrix @ errors, matrix @ abs(values), rounding))


def carried(chain: Chain, row: Matrix) -> Matrix:
    """Return ``p P``, shape (1, n_states)."""
    if chain.n_states <= BALL_STATES:
        return row @ _matrix_for(chain, row)
    matrix = rounded_transitions(chain).matrix
    values, errors = _doubles(row)
    rounding = upward(2 * gamma(chain.n_states + 4))
    radii = _radii(errors @ matrix, abs(values) @ matrix, rounding)
    return _around(values @ matrix, radii).transpose()


def _matrix_for(chain: Chain, vector: Matrix) -> Matrix:
    """Return P in the kind of numbers that a vector has: converting it each time is slow."""
    if vector.is_exact:
        return finite.transition_matrix(chain)
    return _transition_balls(chain, working_precision())


@lru_cache(maxsize=16)
def _transition_balls(chain: Chain, _bits: int) -> Matrix:
    return finite.transition_matrix(chain).in_balls()


def is_exact(chain: Chain) -> bool:
    """Tell whether the chain is solved in rationals."""
    return chain.n_states <= BALL_STATES and finite.transition_matrix(chain).is_exact


def summed_contraction(chain: Chain) -> Number:
    """Bound ``sum_k delta(P^k)`` as `finite.summed_contraction` does; of large chains undoubled.

    Raises
    ------
    NotEnclosed
        Where the chain has more than `PAIR_STATES` states.
    """
    if chain.n_states <= BALL_STATES:
        return finite.summed_contraction(chain)
    index = finite.scrambling_index(chain)
    if index is None:
        raise ValueError(f"the chain does not converge: {finite.why_not_ergodic(chain)}")
    coefficient = (
        dobrushin_coefficient(chain) if index == 1 else _contraction_of_power(chain, index)
    )
    return over(Fraction(index), 1 - coefficient)


@lru_cache(maxsize=8)
def _contraction_of_power(chain: Chain, steps: int) -> Ball:
    """Enclose ``delta(P^steps)`` in doubles."""
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    matrix = rounded_transitions(chain).matrix
    dense = np.asarray(matrix if isinstance(matrix, np.ndarray) else matrix.toarray())
    power = np.linalg.matrix_power(dense, steps)
    size = chain.n_states
    widest = max(
        float(np.abs(power[i] - power[i + 1 :]).sum(axis=1).max()) for i in range(size - 1)
    )
    # Entries are sums of products of numbers >= 0, of relative error gamma; rows sum to 1, so that
    # two of them are off by 2 gamma at most, and the sum of their differences by as much again.
    error = 4 * gamma(steps * (size + 2)) + UNDERFLOW
    return ball(Fraction(widest) / 2) + symmetric(ball(error))


@lru_cache(maxsize=2)
def _rounded(chain: Chain) -> RoundedChain:
    from verification.markov import large  # noqa: PLC0415 - loads scipy for sparse chains

    return large.rounded_chain(chain)


@lru_cache(maxsize=16)
def _solution(chain: Chain, observable: tuple[Fraction, ...] | None) -> Solution:
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    from verification.markov import large  # noqa: PLC0415 - loads scipy for sparse chains

    if chain.n_states > LARGE_STATES:
        raise NotEnclosed(f"the chain has {chain.n_states} states, more than {LARGE_STATES}")
    rounded = [nearest(y) for y in observable or ()]
    return large.solve(
        _rounded(chain),
        (np.array([y for y, _ in rounded]),) if rounded else (),
        observable_error=upward(max((bounds.error for _, bounds in rounded), default=Fraction(0))),
    )


def _radii(
    errors: NDArray[np.float64], sizes: NDArray[np.float64], rounding: float
) -> NDArray[np.float64]:
    """Bound the errors of a product from the products of its factors' errors and sizes.

    Both are sums of numbers >= 0, computed with relative errors below the rounding given.
    """
    radii: NDArray[np.float64] = (errors * (1 + rounding) + sizes * rounding) * _UP + _TINY
    return radii


def _around(values: NDArray[np.float64], errors: NDArray[np.float64] | float) -> Matrix:
    """Return a column of balls around doubles."""
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    pairs = zip(values.tolist(), np.broadcast_to(errors, values.shape).tolist(), strict=True)
    return Matrix.of_balls([[exact_ball(x) + symmetric(exact_ball(e))] for x, e in pairs])


def _doubles(vector: Matrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a vector in doubles, with a bound of the error of each entry."""
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    rounded = [nearest(x) for x in vector.numbers()]
    return (
        np.array([x for x, _ in rounded]),
        np.array([upward(bounds.error) for _, bounds in rounded]),
    )
