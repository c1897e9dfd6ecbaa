"""Approximate laws, Poisson solutions and hitting times of slow chains, by elimination.

Q is P without the row and the column of a state r, and ``A = I - Q``.  One factorisation of A
serves all: ``A g = 1`` gives the hitting times of r, ``x A = e`` corrects a law, ``A d = rho`` a
Poisson solution, both with nothing to change at r.  The diagonal of A is summed from the other
entries of P's rows, in which nothing cancels, as Grassmann, Taksar and Heyman do: ``1 - P_ii``
would lose all digits where the chain hardly moves.

The fill of a sparse factorisation is bounded before it starts: eliminating a symmetric pattern in a
fixed order fills its envelope at most, that of the reverse Cuthill-McKee order here (in which a
state of many neighbours comes after most of them).  A chain beyond the limits is refused.

Nothing here is proved: `verification.markov.hitting` bounds the errors of what comes out.

References
----------
W. K. Grassmann, M. I. Taksar and D. P. Heyman, *Regenerative analysis and steady state
distributions for Markov chains*, Operations Research 33 (1985).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from verification.errors import NotEnclosed
from verification.markov.rounded import Array, RoundedChain, SparseMatrix

MOST_DENSE_STATES = 3000
MOST_FILL = 2 * 10**7
MOST_OPERATIONS = 10**10


@dataclass(frozen=True, kw_only=True, eq=False)
class Elimination:
    """A factorisation of ``I - P`` without the row and the column of a state.

    Parameters
    ----------
    state : int
        The state r.
    n_states : int
    solve : callable
        From a right side b, and whether the factors are transposed, to the solution of ``A x = b``
        or ``x A = b``.
    """

    state: int
    n_states: int
    solve: Callable[[Array, bool], Array]

    @property
    def route(self) -> str:
        """How solutions are found."""
        return "elimination"

    def start(self) -> Array:
        """Return the law that corrections start from."""
        law = np.zeros(self.n_states)
        law[self.state] = 1
        return law

    def correct_law(self, residual: Array, reduction: float) -> tuple[Array, int]:
        """Return an estimate of d with ``d (I - P) = e``."""
        return self._pinned(residual, True), 0

    def correct_poisson(
        self,
        residual: Array,
        reduction: float,
    ) -> tuple[Array, int]:
        """Return an estimate of d with ``d - P d = rho`` off r."""
        return self._pinned(residual, False), 0

    def hitting_times(self, law: Array) -> tuple[int, Array, int]:
        """Return the state r with an estimate of its hitting times."""
        return self.state, self._pinned(np.ones(self.n_states), False), 0

    def _pinned(self, right: Array, transposed: bool) -> Array:
        solution = self.solve(np.delete(right, self.state), transposed)
        return np.insert(solution, self.state, 0.0)


def eliminated(chain: RoundedChain, state: int) -> Elimination:
    """Factorise ``I - P`` without the row and the column of a state.

    Raises
    ------
    NotEnclosed
        Where the factors would be too large, or a pivot is 0 in double precision.
    """
    matrix = chain.matrix
    if isinstance(matrix, np.ndarray):
        solve = _dense_solver(matrix, state)
    elif chain.n_states == 1:
        solve = _dense_solver(matrix.toarray(), state)
    else:
        reduced = _reduced(matrix, state)
        order, fill, operations = _order_of_elimination(reduced)
        if fill <= MOST_FILL and operations <= MOST_OPERATIONS:
            solve = _sparse_solver(reduced, order)
        elif chain.n_states <= MOST_DENSE_STATES:
            solve = _dense_solver(matrix.toarray(), state)
        else:
            raise NotEnclosed(
                "the chain mixes slowly, and elimination may take"
                f" {operations:.1g} operations and {fill:.1g} numbers,"
                f" more than the limits of {MOST_OPERATIONS:.1g} and {MOST_FILL:.1g}"
            )
    return Elimination(state=state, n_states=chain.n_states, solve=solve)


def _dense_solver(matrix: Array, state: int) -> Callable[[Array, bool], Array]:
    from scipy.linalg import get_lapack_funcs  # noqa: PLC0415 - heavy, and for slow chains only

    n = matrix.shape[0]
    if n == 1:
        return lambda right, transposed: np.zeros_like(right)
    system = np.negative(matrix, order="F")
    np.fill_diagonal(system, 0)
    np.fill_diagonal(system, -system.sum(axis=1))
    system = np.asfortranarray(np.delete(np.delete(system, state, 0), state, 1))
    routines: Any = get_lapack_funcs(("getrf", "getrs"), (system,))
    factorise, solve = routines
    factors, pivots, failed = factorise(system, overwrite_a=True)
    if failed:
        raise NotEnclosed("elimination met a pivot that is 0 in double precision")

    def solution(right: Array, transposed: bool) -> Array:
        found: Array = solve(factors, pivots, right, trans=int(transposed))[0]
        return found

    return solution


def _sparse_solver(
    reduced: SparseMatrix, order: npt.NDArray[np.int64]
) -> Callable[[Array, bool], Array]:
    from scipy.sparse.linalg import splu  # noqa: PLC0415 - heavy, and for slow chains only

    permuted = reduced[order][:, order].tocsc()
    try:
        # Without pivoting off the diagonal, which an M-matrix does not need, nothing leaves the
        # envelope that was measured.
        factors: Any = splu(
            permuted,
            permc_spec="NATURAL",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
    except RuntimeError as failure:
        raise NotEnclosed("elimination met a pivot that is 0 in double precision") from failure

    def solution(right: Array, transposed: bool) -> Array:
        found = np.empty_like(right)
        found[order] = factors.solve(right[order], trans="T" if transposed else "N")
        return found

    return solution


def _reduced(matrix: SparseMatrix, state: int) -> SparseMatrix:
    """Return ``I - P`` without a state's row and column, its diagonal summed from the rest."""
    from scipy.sparse import csr_array, diags_array  # noqa: PLC0415 - heavy, for large chains only

    n = matrix.shape[0]
    rows = np.repeat(np.arange(n), np.diff(matrix.indptr))
    data = np.where(rows == matrix.indices, 0.0, -matrix.data)
    others = csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)
    system = (others + diags_array(-np.asarray(others.sum(axis=1)))).tocsr()
    kept = np.delete(np.arange(n), state)
    result: SparseMatrix = system[kept][:, kept].tocsr()
    return result


def _order_of_elimination(system: SparseMatrix) -> tuple[npt.NDArray[np.int64], float, float]:
    """Return an order of elimination, and bounds of its fill and of its operations."""
    from scipy.sparse import csr_array, eye_array  # noqa: PLC0415 - heavy, and for large chains only
    from scipy.sparse.csgraph import reverse_cuthill_mckee  # noqa: PLC0415

    n = system.shape[0]
    pattern = csr_array(
        (np.ones(system.indices.size, dtype=np.int8), system.indices, system.indptr),
        shape=system.shape,
    )
    # An absorbing state has no entry left.
    pattern = (pattern + pattern.T + eye_array(n, dtype=np.int8)).tocsr()
    order = reverse_cuthill_mckee(pattern, symmetric_mode=True).astype(np.int64)
    place = np.empty(n, dtype=np.int64)
    place[order] = np.arange(n)
    first = np.minimum.reduceat(place[pattern.indices], pattern.indptr[:-1])
    widths = np.maximum(place - first, 0).astype(np.float64)
    # Both triangular factors; a row of width w meets at most w others, twice, with a product and
    # a sum each.
    return order, float(2 * widths.sum() + n), float(4 * (widths * (widths + 1)).sum())
