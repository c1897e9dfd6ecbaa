"""Singular values: known ones, numpy's, and what is claimed where the decomposition is poor."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verification.enclosure.balls import end_points, exact_ball, precision
from verification.enclosure.matrix import Matrix
from verification.enclosure.singular import singular_values
from verification.errors import NotEnclosed

F = Fraction


def bounds(found):
    return [(end_points(x.lower)[0], end_points(x.upper)[1]) for x in found]


def test_a_diagonal_matrix_shows_its_entries():
    rows = [[F(1, 3), F(0), F(0)], [F(0), F(-2), F(0)], [F(0), F(0), F(0)]]
    with precision(64):
        found = bounds(singular_values(Matrix.exact(rows)))
    for (low, high), truth in zip(found, (F(2), F(1, 3), F(0)), strict=True):
        assert low <= truth <= high
        assert high - low < F(1, 10**14)


def test_hilbert_matrices_against_mpmath():
    size = 8
    rows = [[F(1, i + j + 1) for j in range(size)] for i in range(size)]
    with mpmath.workdps(60):
        truth = mpmath.svd_r(mpmath.hilbert(size), compute_uv=False)
        with precision(128):
            found = bounds(singular_values(Matrix.exact(rows)))
        for (low, high), value in zip(found, truth, strict=True):
            assert mpmath.mpf(low.numerator) / low.denominator <= value
            assert value <= mpmath.mpf(high.numerator) / high.denominator
            assert high - low < F(1, 10**14)
    # The smallest is about 1e-10: it is certainly positive.
    assert found[-1][0] > 0


entries = st.floats(min_value=-4, max_value=4, allow_subnormal=False)


@settings(max_examples=40)
@given(st.integers(1, 5).flatmap(lambda n: st.lists(entries, min_size=n * n, max_size=n * n)))
def test_random_matrices_agree_with_numpy(flat):
    size = round(len(flat) ** 0.5)
    values = np.array(flat).reshape(size, size)
    with precision(64):
        matrix = Matrix.of_balls([[exact_ball(float(x)) for x in row] for row in values])
        found = bounds(singular_values(matrix))
    for (low, high), value in zip(found, np.linalg.svd(values)[1], strict=True):
        # numpy's own error is a few roundings of the largest.
        assert float(low) - 1e-13 <= value <= float(high) + 1e-13
        assert high - low < F(1, 10**12)


def test_a_poor_decomposition_gives_wide_enclosures(monkeypatch):
    rows = [[F(2), F(1)], [F(0), F(1)]]
    left, values, right = np.linalg.svd(np.array([[2.0, 1.0], [0.0, 1.0]]))

    def poor(_matrix):
        return left * 1.01, values * 0.98 + 0.003, right

    with precision(64):
        truth = bounds(singular_values(Matrix.exact(rows)))
        monkeypatch.setattr(np.linalg, "svd", poor)
        found = bounds(singular_values(Matrix.exact(rows)))
    for (low, high), (least, most) in zip(found, truth, strict=True):
        assert low <= least
        assert most <= high
        assert F(1, 1000) < high - low < F(1, 5)


def test_wide_balls_widen_the_enclosures():
    with precision(64):
        wide = exact_ball(1.0).union(exact_ball(1.5))
        ((low, high),) = bounds(singular_values(Matrix.of_balls([[wide]])))
    assert low <= 1
    assert high >= F(3, 2)


def test_a_matrix_that_is_not_finite_is_not_enclosed():
    with precision(64), pytest.raises(NotEnclosed, match="not finite"):
        singular_values(Matrix.of_balls([[exact_ball(float("inf"))]]))
