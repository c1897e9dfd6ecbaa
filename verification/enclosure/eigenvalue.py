"""The least eigenvalue of a symmetric matrix, enclosed between two proofs.

*From above*: the Rayleigh quotient of any vector, in balls.  *From below*: ``A - t I`` is positive
definite, hence every eigenvalue of A above t, where all pivots of its elimination ``L D L^T`` are
certainly positive (Sylvester's law of inertia).  Floating point only proposes the vector and t;
multiple eigenvalues are no obstacle.
"""

from __future__ import annotations

from collections.abc import Sequence

from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    exact_ball,
    midpoint,
    precision,
    sign,
    square,
    total,
    upper_double,
    working_precision,
)
from verification.enclosure.matrix import Matrix
from verification.errors import NotEnclosed

_GUARD_BITS = 8
_COARSENING = 16


def least_eigenvalue(matrix: Matrix) -> Between:
    """Enclose the least eigenvalue of a symmetric matrix.

    Parameters
    ----------
    matrix : Matrix, shape (n, n)
        Of rationals or of balls; the entries on and below the diagonal are read.

    Returns
    -------
    Between
        About as wide as the entries are, or as the working precision is in units of the largest
        entry; where the eigenvalue is one of a cluster, as wide as double precision resolves it.

    Raises
    ------
    NotEnclosed
        Where an entry is not finite, or balls are too wide to say anything.

    Notes
    -----
    The cost is a few eliminations, of about ``n^3 / 6`` products each.
    """
    bits = working_precision()
    n = matrix.shape[0]
    # Elimination in balls may lose a few bits a row.
    with precision(bits + 2 * n + 32):
        rows = [[ball(x) for x in row[: i + 1]] for i, row in enumerate(matrix.entries())]
        vector = _eigenvector_estimate(rows)
        quotient = _rayleigh_quotient(rows, vector)
        below = midpoint(quotient)
        size = max(upper_double(abs(x)) for row in rows for x in row)
        step = exact_ball(size or 1.0) * exact_ball(2.0 ** (_GUARD_BITS - bits))
        while True:
            if is_positive_definite(_shifted(rows, below - step)):
                return Between(below - step, quotient)
            step = step * _COARSENING
            # Gershgorin: beyond n times the largest entry only wide balls are left to blame.
            if upper_double(step) > 4 * _COARSENING * n * (size or 1.0):
                raise NotEnclosed("an eigenvalue cannot be bounded at this precision")


def is_positive_definite(rows: Sequence[Sequence[Ball]]) -> bool:
    """Tell whether every symmetric matrix within the balls is certainly positive definite.

    Parameters
    ----------
    rows : sequence of sequence of Ball
        Row i holds at least the entries ``0..i``.
    """
    # Row i of L D: reduced[i][j] = a_ij - sum_k l_ik d_k l_jk, its last one the pivot d_i.
    reduced: list[list[Ball]] = []
    factors: list[list[Ball]] = []
    for i, row in enumerate(rows):
        current: list[Ball] = []
        for j in range(i + 1):
            other = factors[j] if j < i else [x / reduced[k][k] for k, x in enumerate(current)]
            taken = total(x * y for x, y in zip(current, other, strict=False))
            if j == i:
                factors.append(other)
            current.append(row[j] - taken)
        if sign(current[i]) != 1:
            return False
        reduced.append(current)
    return True


def _shifted(rows: Sequence[Sequence[Ball]], shift: Ball) -> list[list[Ball]]:
    return [[*row[:-1], row[-1] - shift] for row in rows]


def _rayleigh_quotient(rows: Sequence[Sequence[Ball]], vector: Sequence[Ball]) -> Ball:
    value = ball(0)
    for i, row in enumerate(rows):
        cross = total(x * y for x, y in zip(row[:-1], vector, strict=False))
        value = value + vector[i] * (2 * cross + row[-1] * vector[i])
    return value / total(square(x) for x in vector)


def _eigenvector_estimate(rows: Sequence[Sequence[Ball]]) -> list[Ball]:
    """Return an approximate eigenvector of the least eigenvalue, as exact balls."""
    import numpy as np  # noqa: PLC0415 - balls do without

    n = len(rows)
    lower = np.zeros((n, n))
    for i, row in enumerate(rows):
        for j, entry in enumerate(row):
            lower[i, j] = upper_double(midpoint(entry)) if entry.is_finite() else np.inf
    if not np.isfinite(lower).all():
        raise NotEnclosed("a matrix without finite entries has no enclosed eigenvalues")
    # Scaled, for numbers whose squares overflow.
    scale = float(np.abs(lower).max()) or 1.0
    _, vectors = np.linalg.eigh(lower / scale, UPLO="L")
    return [exact_ball(x) for x in vectors[:, 0].tolist()]
