"""The least eigenvalue is enclosed: closed forms, mpmath, multiple eigenvalues, wide balls."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.enclosure.balls import (
    ball,
    end_points,
    exact_ball,
    interval,
    pi,
    precision,
    symmetric,
)
from verification.enclosure.eigenvalue import is_positive_definite, least_eigenvalue
from verification.enclosure.matrix import Matrix
from verification.errors import NotEnclosed

F = Fraction


def exact(rows) -> Matrix:
    return Matrix.exact([[F(x) for x in row] for row in rows])


def ends(enclosed) -> tuple[Fraction, Fraction]:
    return end_points(enclosed.lower)[0], end_points(enclosed.upper)[1]


def path(n: int) -> np.ndarray:
    """Second differences: eigenvalues ``2 - 2 cos(k pi / (n + 1))``, k = 1..n."""
    return 2 * np.eye(n, dtype=int) - np.eye(n, k=1, dtype=int) - np.eye(n, k=-1, dtype=int)


@pytest.mark.parametrize("bits", [64, 128])
@pytest.mark.parametrize("n", [1, 2, 7, 24])
def test_second_differences_have_their_closed_form(n, bits):
    with precision(bits):
        low, high = ends(least_eigenvalue(exact(path(n).tolist())))
    with precision(256):
        truth = end_points(2 - 2 * (pi() / (n + 1)).cos())
    assert low <= truth[1]
    assert truth[0] <= high
    assert high - low < F(2) ** (10 - min(bits, 100))


@pytest.mark.parametrize(
    ("rows", "least"),
    [
        (3 * np.eye(5, dtype=int), 3),
        (np.ones((6, 6), dtype=int), 0),
        (-np.ones((6, 6), dtype=int), -6),
        (np.diag([4, -7, 2, -7]), -7),
        (np.zeros((3, 3), dtype=int), 0),
        (np.array([[0, 1], [1, 0]]), -1),
    ],
    ids=["multiple", "rank one", "negative", "twice", "zero", "no pivot"],
)
def test_multiple_eigenvalues_and_singular_matrices_are_no_obstacle(rows, least):
    with precision(64):
        low, high = ends(least_eigenvalue(exact(rows.tolist())))
    assert low <= least <= high
    assert high - low < F(1, 2**50)


@given(
    n=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
    rank=st.integers(1, 6),
    shift=st.sampled_from([0, 0, 1, -3]),
    size=st.sampled_from([1, 10**6, 10**30, F(1, 10**40)]),
)
def test_random_matrices_agree_with_mpmath(n, seed, rank, shift, size):
    factor = np.random.default_rng(seed).integers(-9, 10, (n, rank))
    rows = [
        [size * (int(factor[i] @ factor[j]) + shift * (i == j)) for j in range(n)] for i in range(n)
    ]
    with precision(64):
        low, high = ends(least_eigenvalue(exact(rows)))
    with mpmath.workdps(80):
        matrix = mpmath.matrix(
            [[mpmath.mpf(F(x).numerator) / F(x).denominator for x in row] for row in rows]
        )
        least = min(mpmath.eigsy(matrix, eigvals_only=True))
        scale = size * (n * rank * 100 + 3)
        slack = mpmath.mpf(10) ** -60 * (mpmath.mpf(F(scale).numerator) / F(scale).denominator)
        least, slack = (F(*mpmath.mpf(x).as_integer_ratio()) for x in (least, slack))
    assert low - slack <= least <= high + slack
    assert high - low <= F(1, 2**44) * scale


def test_only_the_lower_triangle_is_read():
    with precision(64):
        low, high = ends(least_eigenvalue(exact([[2, 99], [1, 2]])))
    assert low <= 1 <= high
    assert high - low < F(1, 2**50)


def test_every_symmetric_matrix_within_the_balls_is_meant():
    wide = ball(F(1, 2)) + symmetric(ball(F(1, 4)))
    with precision(64):
        matrix = Matrix.of_balls([[ball(1), wide], [wide, ball(1)]])
        low, high = ends(least_eigenvalue(matrix))
    # 1 - |b| for b in [1/4, 3/4]; the steps down grow by 16
    assert low <= F(1, 4)
    assert F(3, 4) <= high
    assert low > -16


def test_what_cannot_be_bounded_is_refused():
    with precision(64), pytest.raises(NotEnclosed, match="finite"):
        least_eigenvalue(Matrix.of_balls([[exact_ball(float("inf"))]]))
    unknown = interval(ball(-(10**9)), ball(10**9))
    with precision(64):
        low, high = ends(least_eigenvalue(Matrix.of_balls([[unknown]])))
    assert low <= -(10**9)
    assert high >= 10**9


@pytest.mark.parametrize(
    ("rows", "positive"),
    [
        ([[1]], True),
        ([[0]], False),
        ([[-1]], False),
        ([[2, 1], [1, 2]], True),
        ([[1, 2], [2, 1]], False),
        ([[1, 1], [1, 1]], False),
        ([[4, 2, 1], [2, 2, 1], [1, 1, 1]], True),
        ([[4, 2, 1], [2, 1, 1], [1, 1, 9]], False),
        ([[1, 0, 1], [0, 1, 1], [1, 1, 2]], False),
    ],
)
def test_positive_definite_means_positive_leading_minors(rows, positive):
    with precision(64):
        assert is_positive_definite([[ball(x) for x in row] for row in rows]) is positive
    minors = [np.linalg.det(np.array(rows)[:k, :k]) for k in range(1, len(rows) + 1)]
    assert all(round(minor) > 0 for minor in minors) is positive


def test_a_pivot_that_may_be_zero_proves_nothing():
    with precision(64):
        doubtful = ball(1) + symmetric(ball(1))
        assert not is_positive_definite([[doubtful]])
        assert not is_positive_definite([[ball(1)], [ball(1), doubtful]])
