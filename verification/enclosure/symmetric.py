r"""The largest norm of many small symmetric matrices of doubles, with a proved error.

Let B be one of them and let V, L be what an eigenvalue decomposition in doubles returns, taken as
exact numbers.  With ``B = V L V^T + E`` and ``|V^T V - 1| <= d`` (Frobenius norms)

    (1 - d) max|L| - |E|  <=  |B|  <=  (1 + d) max|L| + |E|,

since ``|V|^2 = |V^T V| <= 1 + d``, and ``|V L V^T| >= (1 - d) max|L|`` because V stretches no
vector by less than ``(1 - d)^(1/2)``.  Nothing rests on the decomposition being right.  E and d are
computed in doubles: a product of n x n matrices X, Y errs by at most ``gamma(n) |X| |Y|`` in this
norm (`verification.enclosure.doubles`).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from verification.enclosure.balls import Between, ball, exact_ball
from verification.enclosure.doubles import UNDERFLOW, gamma
from verification.errors import NotEnclosed

Array: TypeAlias = npt.NDArray[np.float64]


def largest_norm(matrices: Array, errors: Array | None = None) -> Between:
    """Enclose the largest spectral norm of symmetric matrices.

    Parameters
    ----------
    matrices : Array, shape (count, size, size)
        Symmetric, entry for entry.
    errors : Array, shape (count,), optional
        Bounds of the Frobenius norms of what separates each from the matrix that is meant.

    Raises
    ------
    NotEnclosed
        Where an entry is not finite, or no decomposition is found.
    """
    count, size, _ = matrices.shape
    if not count:
        return Between(ball(0), ball(0))
    if not np.isfinite(matrices).all() or np.abs(matrices).max() > 2.0**500:
        raise NotEnclosed("the norm of a matrix that is too large for doubles")
    try:
        values, vectors = np.linalg.eigh(matrices)
    except np.linalg.LinAlgError as error:
        raise NotEnclosed("the norm of a matrix without a decomposition") from error
    spare = _spare(size * size)
    rounding = float(gamma(4 * size + 4)) * spare
    squares = _norms(vectors) ** 2
    turned = np.swapaxes(vectors, -1, -2)
    departure = _norms(turned @ vectors - np.eye(size)) + rounding * (squares + size)
    tallest = np.abs(values).max(axis=1)
    rest = _norms(matrices - (vectors * values[:, None, :]) @ turned)
    # One product and one scaling, and the difference.
    rest = rest + rounding * (squares * tallest + _norms(matrices))
    if errors is not None:
        rest = rest + errors
    tiny = float(UNDERFLOW)
    upper = ((1 + departure) * tallest + rest).max() * spare + tiny
    lower = max(0.0, float(((1 - departure) * tallest - rest).max()) / spare - tiny)
    return Between(exact_ball(lower), exact_ball(float(upper)))


def product_error(left: Array, right: Array) -> Array:
    """Bound the Frobenius norms of the errors of rounded products of matrices.

    Parameters
    ----------
    left : Array, shape (count, rows, size)
    right : Array, shape (size, columns)
    """
    spare = _spare(right.size)
    rounding = float(gamma(right.shape[0] + 2)) * spare
    result: Array = rounding * _norms(left) * np.linalg.norm(right) * spare + float(UNDERFLOW)
    return result


def _norms(matrices: Array) -> Array:
    """Return the Frobenius norms, a little more than they are."""
    spare = _spare(matrices.shape[-1] * matrices.shape[-2])
    result: Array = np.sqrt((matrices * matrices).sum(axis=(-1, -2))) * spare
    return result


def _spare(count: int) -> float:
    """Return a factor that makes up for the roundings of a sum of so many squares, and a few."""
    return 1 + 2 * float(gamma(count + 8))
