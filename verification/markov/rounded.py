"""Large chains as arrays of doubles, each entry the exact probability rounded once.

A `RoundedChain` stands for an exact transition matrix P, whose rows sum to 1 exactly, through the
matrix M of its correctly rounded entries: ``|M_ij - P_ij| <= u P_ij`` with ``u = 2**-53``, and
``M_ij > 0`` exactly where ``P_ij > 0``.  Where it was made of integers, ``P_ij = c_ij / s_i``, the
row totals s_i are kept beside it, and the integers are had again as the integers next to
``M_ij s_i``: with ``s_i < 2**51`` that product errs by at most ``(2 u + u^2) c_ij < 1/2``.

Products with M carry a count of roundings, from which `verification.markov.hitting` bounds their
error: ``fl(M x)_i`` differs from ``(P x)_i`` by at most ``gamma(k_i + 2) (P |x|)_i`` where the
count is k_i, and ``fl(p M)_j`` likewise.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt, lcm
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from verification.errors import InvalidInstance, NotEnclosed
from verification.instance import Chain

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Array: TypeAlias = npt.NDArray[np.float64]
SparseMatrix: TypeAlias = "csr_array[np.float64, tuple[int, int]]"

ROUNDOFF = 2.0**-53
MAX_STATES = 2**26
"""So many roundings in a row change a number by a factor below ``1 + 2**-26``."""

MAX_TOTAL = 2**53
_RECOVERABLE_TOTAL = 2**51
_SMALLEST_NORMAL = 2.0**-1022
_DENSE_STATES = 64
_DENSE_SHARE = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class RoundedChain:
    """The transition matrix P of a chain, each entry rounded once to a double.

    Parameters
    ----------
    matrix : csr_array or ndarray, shape (n_states, n_states)
        The correctly rounded probabilities; a sparse one stores the positive ones only, once each.
    totals : Array, shape (n_states,), or None
        Positive integers below 2**51 such that ``P_ij totals_i`` are integers, where known: errors
        can then be computed without rounding.

    Raises
    ------
    InvalidInstance
        Where the matrix cannot be a rounded transition matrix: its shape, an entry outside [0, 1],
        a row whose sum differs from 1 by more than the rounding of its entries.

    Notes
    -----
    That the entries are correctly rounded is what the builders `rounded_chain` and
    `chain_of_counts` guarantee; whoever passes a matrix of his own answers for it.  The arrays are
    not copied.
    """

    matrix: SparseMatrix | Array
    totals: Array | None = None

    def __post_init__(self) -> None:
        _check_shape(self.matrix)
        if self.matrix.dtype != np.float64:
            raise InvalidInstance("matrix", f"holds {self.matrix.dtype}, expected float64")
        data = self.matrix if isinstance(self.matrix, np.ndarray) else self.matrix.data
        least, most = (float(data.min()), float(data.max())) if data.size else (0.0, 0.0)
        stored = not isinstance(self.matrix, np.ndarray)
        if not (least >= 0 and most <= 1 and (least > 0 or not stored)):
            raise InvalidInstance("matrix", f"has entries from {least} to {most}, expected 0 to 1")
        sums = np.asarray(self.matrix.sum(axis=1))
        excess = np.abs(sums - 1)
        # n additions of numbers whose sum is about 1, and the rounding of the entries.
        worst = int(excess.argmax())
        if not excess[worst] <= (self.n_states + 4) * ROUNDOFF:
            raise InvalidInstance(f"matrix[{worst}]", f"row sums to {sums[worst]}, expected 1")
        if self.totals is not None:
            _check_totals(self.totals, self.n_states)

    @property
    def n_states(self) -> int:
        """Number of states."""
        return int(self.matrix.shape[0])

    @property
    def n_entries(self) -> int:
        """Number of stored entries."""
        return int(self.matrix.size)

    def successors(self, x: Array) -> Array:
        """Return ``M x``, each entry with no more than `row_roundings`."""
        if isinstance(self.matrix, np.ndarray):
            parts = [self.matrix[:, block] @ x[block] for block in _blocks(self.n_states)]
            return _total(parts)
        product: Array = cast(Any, self.matrix) @ x
        return product

    def predecessors(self, p: Array) -> Array:
        """Return ``p M``, each entry with no more than `column_roundings`."""
        if isinstance(self.matrix, np.ndarray):
            parts = [p[block] @ self.matrix[block] for block in _blocks(self.n_states)]
            return _total(parts)
        product: Array = cast(Any, self.matrix).T @ p
        return product

    def row_roundings(self) -> Array:
        """Return how many roundings a term of each row's sum of products passes through."""
        if isinstance(self.matrix, np.ndarray):
            return _block_roundings(self.n_states)
        return np.diff(self.matrix.indptr).astype(np.float64)

    def column_roundings(self) -> Array:
        """Return how many roundings a term of each column's sum of products passes through."""
        if isinstance(self.matrix, np.ndarray):
            return _block_roundings(self.n_states)
        counts = np.bincount(self.matrix.indices, minlength=self.n_states)
        return counts.astype(np.float64)

    def counts(self) -> SparseMatrix | Array | None:
        """Return the integers ``P_ij totals_i`` as doubles, without error; None where unknown."""
        if self.totals is None:
            return None
        if isinstance(self.matrix, np.ndarray):
            return np.rint(self.matrix * self.totals[:, None])
        from scipy.sparse import csr_array  # noqa: PLC0415 - heavy, and for large chains only

        data = np.repeat(self.totals, np.diff(self.matrix.indptr))
        data *= self.matrix.data
        np.rint(data, out=data)
        return csr_array((data, self.matrix.indices, self.matrix.indptr), shape=self.matrix.shape)


def rounded_chain(chain: Chain) -> RoundedChain:
    """Round an exact chain: sparse where few transitions are positive, else dense.

    Parameters
    ----------
    chain : Chain

    Raises
    ------
    NotEnclosed
        Where a positive probability is below 2**-1022: its double would lose the relative error.

    Notes
    -----
    One division of integers an entry, which Python rounds correctly; the least common denominator
    of a row is its total.
    """
    n = chain.n_states
    lengths = [len(row) for row in chain.rows]
    data = np.array([p.numerator / p.denominator for row in chain.rows for _, p in row])
    if data.min() < _SMALLEST_NORMAL:
        raise NotEnclosed("a positive probability is below the range of double precision")
    columns = np.array([j for row in chain.rows for j, _ in row], dtype=np.int32)
    totals = [lcm(*(p.denominator for _, p in row)) for row in chain.rows]
    kept = np.array(totals, dtype=np.float64) if max(totals) < _RECOVERABLE_TOTAL else None
    if n <= _DENSE_STATES or data.size * _DENSE_SHARE > n * n:
        dense = np.zeros((n, n))
        dense[np.repeat(np.arange(n), lengths), columns] = data
        return RoundedChain(matrix=dense, totals=kept)
    from scipy.sparse import csr_array  # noqa: PLC0415 - heavy, and for large chains only

    starts = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    return RoundedChain(matrix=csr_array((data, columns, starts), shape=(n, n)), totals=kept)


def chain_of_counts(counts: Any) -> RoundedChain:  # noqa: ANN401 - any array or sparse array
    """Round the chain with ``P_ij = c_ij / sum_j c_ij``, of integers c.

    Parameters
    ----------
    counts : sparse array or array of integers, shape (n_states, n_states)
        Not negative, every row with a positive sum below 2**53.  Not changed.

    Raises
    ------
    InvalidInstance
        Where they are not.

    Notes
    -----
    One division of doubles an entry: both are integers below 2**53, so that it rounds the exact
    probability, and no quotient is below 2**-53.
    """
    from scipy.sparse import csr_array, issparse  # noqa: PLC0415 - heavy, for large chains only

    sparse = issparse(counts)
    kept = counts if sparse else np.asarray(counts)
    if kept.dtype.kind not in "iu":
        raise InvalidInstance("counts", f"holds {kept.dtype}, expected integers")
    _check_shape(kept)
    if sparse:
        # A copy: adding up what is stored twice and dropping zeros change an array in place.
        kept = csr_array(kept, copy=True)
        kept.sum_duplicates()
        kept.eliminate_zeros()
    data: npt.NDArray[np.int64] = cast(Any, kept).data if sparse else np.asarray(kept)
    if data.size and (int(data.min()) < 0 or int(data.max()) >= MAX_TOTAL):
        raise InvalidInstance(
            "counts", f"has entries from {data.min()} to {data.max()}, expected 0 to 2**53 - 1"
        )
    # The doubles of these integers are exact; so are sums below 2**53, and larger ones stay larger.
    doubles: Any = kept.astype(np.float64)
    totals = np.asarray(doubles.sum(axis=1), dtype=np.float64)
    for state in (int(totals.argmin()), int(totals.argmax())):
        if not 1 <= totals[state] < MAX_TOTAL:
            raise InvalidInstance(
                f"counts[{state}]", f"row sums to {totals[state]:.17g}, expected 1 to 2**53 - 1"
            )
    if sparse:
        doubles.data /= np.repeat(totals, np.diff(doubles.indptr))
    else:
        doubles /= totals[:, None]
    return RoundedChain(
        matrix=doubles, totals=totals if totals.max() < _RECOVERABLE_TOTAL else None
    )


def _check_totals(totals: Array, n_states: int) -> None:
    if totals.shape != (n_states,) or totals.dtype != np.float64:
        raise InvalidInstance(
            "totals",
            f"has shape {totals.shape} and type {totals.dtype}, expected ({n_states},) and float64",
        )
    if not ((totals >= 1) & (totals < _RECOVERABLE_TOTAL) & (totals == np.rint(totals))).all():
        raise InvalidInstance("totals", "holds other numbers than the integers 1 to 2**51 - 1")


def _check_shape(matrix: Any) -> None:  # noqa: ANN401 - any array or sparse array
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.shape[0]:
        raise InvalidInstance("matrix", f"has shape {matrix.shape}, expected (n, n) with n >= 1")
    if matrix.shape[0] > MAX_STATES:
        raise InvalidInstance("matrix", f"has {matrix.shape[0]} states, expected at most 2**26")


def _total(parts: list[Array]) -> Array:
    total: Array = np.sum(parts, axis=0, dtype=np.float64)
    return total


def _blocks(length: int) -> list[slice]:
    # BLAS may add a row's n products one after the other: n roundings.  In about sqrt(n) blocks
    # they are at most 2 sqrt(n) + 1.
    size = isqrt(length - 1) + 1
    return [slice(start, start + size) for start in range(0, length, size)]


def _block_roundings(length: int) -> Array:
    blocks = _blocks(length)
    return np.full(length, float(blocks[0].stop + len(blocks)))
