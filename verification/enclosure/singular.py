r"""Singular values of a matrix, enclosed around those that doubles find.

Let U, S, V be what a singular value decomposition in doubles returns, taken as exact numbers, and
``A = U S V^T + E``.  With ``|U^T U - 1| <= u`` and ``|V^T V - 1| <= v`` (Frobenius norms, computed
in balls) every singular value of U lies between ``(1 - u)^(1/2)`` and ``(1 + u)^(1/2)``, so that

    ((1 - u)(1 - v))^(1/2) S_k  <=  s_k(U S V^T)  <=  ((1 + u)(1 + v))^(1/2) S_k,

and ``|s_k(A) - s_k(U S V^T)| <= |E|`` by Weyl.  Nothing rests on the decomposition being right: a
wrong one gives wide enclosures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    double_estimate,
    exact_ball,
    square,
    total,
)
from verification.enclosure.matrix import Matrix
from verification.errors import NotEnclosed


def singular_values(matrix: Matrix) -> list[Between]:
    """Enclose the singular values of a square matrix, the largest first.

    The widths are a few roundings of a double times the largest one.

    Raises
    ------
    NotEnclosed
        Where an entry is too large for a double, or not a number.
    """
    balls = matrix.in_balls()
    midpoints = np.array([[double_estimate(ball(x)) for x in row] for row in balls.entries()])
    if not np.isfinite(midpoints).all():
        raise NotEnclosed("the singular values of a matrix that is not finite")
    try:
        left, values, right = np.linalg.svd(midpoints)
    except np.linalg.LinAlgError as error:
        raise NotEnclosed("the singular values of a matrix without a decomposition") from error
    u, v = _exact(left), _exact(right.T)
    exact = [exact_ball(float(s)) for s in values]
    scaled = Matrix.of_balls(
        [[ball(x) * s for x, s in zip(row, exact, strict=True)] for row in u.entries()]
    )
    residual = _norm(balls - scaled @ v.transpose())
    of_left, of_right = _departure(u), _departure(v)
    shrunk = ((1 - of_left).nonnegative_part() * (1 - of_right).nonnegative_part()).sqrt()
    stretched = ((1 + of_left) * (1 + of_right)).sqrt()
    return [
        Between((shrunk * s - residual).nonnegative_part(), stretched * s + residual) for s in exact
    ]


def _exact(values: NDArray[np.float64]) -> Matrix:
    return Matrix.of_balls([[exact_ball(float(x)) for x in row] for row in values])


def _departure(basis: Matrix) -> Ball:
    """Bound ``|B^T B - 1|``."""
    size = basis.shape[0]
    return _norm(basis.transpose() @ basis - Matrix.identity(size).in_balls())


def _norm(matrix: Matrix) -> Ball:
    """Enclose the Frobenius norm."""
    return total(square(ball(x)) for x in matrix.numbers()).nonnegative_part().sqrt()
