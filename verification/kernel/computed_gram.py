"""Gram matrices of the kernel with a stated error: doubles, or what rounds balls."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from verification.enclosure.balls import ball, end_points, maximum, working_precision
from verification.enclosure.doubles import above
from verification.enclosure.matrix import Matrix
from verification.errors import NotEnclosed
from verification.instance import Instance
from verification.kernel.limiting import Point, gram_matrix


def computed_gram(instance: Instance, points: tuple[Point, ...]) -> tuple[Matrix, Fraction]:
    """Return an exact matrix of doubles and a bound of its distance from K, entry by entry.

    By the features of `verification.kernel.features`, or from balls where these are too many.
    """
    try:
        return gram_in_doubles(instance, points)
    except NotEnclosed:
        return _gram_from_balls(instance, points, working_precision())


@lru_cache(maxsize=128)
def gram_in_doubles(instance: Instance, points: tuple[Point, ...]) -> tuple[Matrix, Fraction]:
    """Return the matrix that the features give, and its stated error.

    Raises
    ------
    NotEnclosed
        Where the features are too many.
    """
    import numpy as np  # noqa: PLC0415 - balls do without

    from verification.kernel.features import gram_doubles  # noqa: PLC0415 - loads numpy

    inputs = np.array([[float(x) for x in p.input] for p in points])
    memory = np.array([float(p.memory) for p in points if isinstance(p.memory, Fraction)])
    matrix, error = gram_doubles(instance, inputs, memory)
    exact = [[Fraction(x) for x in row] for row in matrix.tolist()]
    return Matrix.exact(exact), Fraction(error)


@lru_cache(maxsize=128)
def _gram_from_balls(
    instance: Instance, points: tuple[Point, ...], _bits: int
) -> tuple[Matrix, Fraction]:
    rows, largest = [], ball(0)
    for enclosed in gram_matrix(instance, points).entries():
        row = [above(ball(x)) for x in enclosed]
        far = [abs(ball(x) - ball(y)) for x, y in zip(enclosed, row, strict=True)]
        largest = maximum((largest, *far))
        rows.append(row)
    return Matrix.exact(rows), end_points(largest)[1]
