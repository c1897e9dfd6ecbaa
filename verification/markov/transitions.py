"""A transition matrix in doubles, for sums of products of numbers >= 0 over many positions at once.

Such sums have a small relative error where every factor has one: each positive probability is the
correctly rounded double of the exact one, and none is so small that it would lose digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from verification.errors import NotEnclosed
from verification.instance import Chain

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SMALLEST_UNDERFLOW = Fraction(1, 2**1075)
"""Bound of the absolute error of one product that underflows."""

_LEAST_PROBABILITY = Fraction(1, 2**1000)
_SPARSE_ADVANTAGE = 12
"""So many times fewer products make a sparse one faster than a dense one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RoundedTransitions:
    """A transition matrix in doubles, each entry with a relative error of at most 2**-53.

    Parameters
    ----------
    matrix : ndarray or csr_array, shape (n_states, n_states)
    successors : int
        Largest number of successors of a state.
    work : int
        Products in one application to a vector, a sparse one counted as several dense ones.
    """

    matrix: Any
    successors: int
    work: int


@lru_cache(maxsize=16)
def rounded_transitions(chain: Chain) -> RoundedTransitions:
    """Return the transition matrix in doubles, sparse where that is faster.

    Raises
    ------
    NotEnclosed
        Where a positive probability is below 2**-1000, so that its double may be inexact or 0.
    """
    import numpy as np  # noqa: PLC0415 - `theorems list` does without
    from scipy.sparse import csr_array  # noqa: PLC0415 - heavy

    if any(p < _LEAST_PROBABILITY for row in chain.rows for _, p in row):
        raise NotEnclosed("a transition probability is below 2**-1000")
    size = chain.n_states
    # The division behind float(Fraction) is rounded correctly.
    values = np.array([float(p) for row in chain.rows for _, p in row])
    columns = np.array([j for row in chain.rows for j, _ in row])
    starts = np.cumsum([0, *(len(row) for row in chain.rows)])
    sparse = csr_array((values, columns, starts), shape=(size, size))
    is_sparse = len(values) * _SPARSE_ADVANTAGE < size * size
    return RoundedTransitions(
        matrix=sparse if is_sparse else sparse.toarray(),
        successors=max(len(row) for row in chain.rows),
        work=len(values) * _SPARSE_ADVANTAGE if is_sparse else size * size,
    )


def blocks_of_states(
    positions: Sequence[int],
) -> tuple[list[tuple[slice, int]], npt.NDArray[np.intp]]:
    """Order the states by position.

    Returns
    -------
    blocks : list of (slice, int)
        The states, in the new order, that share a position.
    order : ndarray of int, shape (n_states,)
        The states in the new order.
    """
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    order = np.argsort(np.array(positions), kind="stable")
    values, firsts = np.unique(np.array(positions)[order], return_index=True)
    ends = [*firsts.tolist()[1:], len(positions)]
    slices = [slice(first, end) for first, end in zip(firsts.tolist(), ends, strict=True)]
    return list(zip(slices, values.tolist(), strict=True)), order
