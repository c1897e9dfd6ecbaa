"""Norms of many small symmetric matrices against mpmath and exact squares."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from verification.enclosure.balls import end_points
from verification.enclosure.symmetric import largest_norm, product_error
from verification.errors import NotEnclosed


def ends(found) -> tuple[Fraction, Fraction]:
    return end_points(found.lower)[0], end_points(found.upper)[1]


def drawn(count: int, size: int, seed: int) -> np.ndarray:
    entries = np.random.default_rng(seed).normal(size=(count, size, size))
    return (entries + entries.transpose(0, 2, 1)) / 2


@pytest.mark.parametrize(("size", "seed"), [(1, 0), (2, 1), (5, 2), (9, 3)])
def test_norms_agree_with_mpmath(size, seed):
    matrices = drawn(7, size, seed) * 10.0 ** np.arange(7)[:, None, None]
    with mpmath.workdps(40):
        truth = max(
            max(abs(x) for x in mpmath.eigsy(mpmath.matrix(matrix.tolist()), eigvals_only=True))
            for matrix in matrices
        )
        low, high = (mpmath.mpf(x.numerator) / x.denominator for x in ends(largest_norm(matrices)))
        assert low <= truth <= high
        assert high - low <= 1e-12 * truth


def test_a_norm_that_is_known_exactly():
    # ((3, 4), (4, -3)) squares to 25.
    low, high = ends(largest_norm(np.array([[[3.0, 4.0], [4.0, -3.0]], [[1.0, 0.0], [0.0, 2.0]]])))
    assert low <= 5 <= high
    assert high - low < Fraction(5, 10**13)


def test_errors_are_added():
    matrices = np.array([[[2.0]], [[1.0]]])
    low, high = ends(largest_norm(matrices, np.array([0.0, 1.5])))
    assert low <= 2
    assert 2.5 <= high < 2.5 + 1e-12
    # Whatever is within the error is enclosed.
    low, high = ends(largest_norm(matrices[:1], np.array([0.5])))
    assert low <= 1.5 < 2.5 <= high


def test_bad_decompositions_only_widen(monkeypatch):
    """Nothing rests on the decomposition being right."""
    matrices = drawn(4, 4, 5)
    truth = np.abs(np.linalg.eigvalsh(matrices)).max()
    plain = np.linalg.eigh
    monkeypatch.setattr(
        np.linalg,
        "eigh",
        lambda m: [x * factor for x, factor in zip(plain(m), (0.9, 1.02), strict=True)],
    )
    low, high = ends(largest_norm(matrices))
    assert low < truth < high
    assert high > truth * 1.01


def test_degenerate_stacks():
    assert ends(largest_norm(np.zeros((0, 3, 3)))) == (0, 0)
    low, high = ends(largest_norm(np.zeros((2, 3, 3))))
    assert low <= 0 <= high < 1e-100
    for bad in (np.nan, np.inf, 1e200):
        with pytest.raises(NotEnclosed):
            largest_norm(np.full((1, 1, 1), bad))


def test_errors_of_products_are_bounded():
    rng = np.random.default_rng(8)
    left, right = rng.normal(size=(6, 3, 40)), rng.normal(size=(40, 4))
    bounds = product_error(left, right)
    for k, rounded in enumerate(left @ right):
        exact = [
            [
                sum(Fraction(x) * Fraction(y) for x, y in zip(row, column, strict=True))
                for column in right.T
            ]
            for row in left[k]
        ]
        errors = np.array(
            [
                [float(Fraction(a) - b) for a, b in zip(*rows, strict=True)]
                for rows in zip(rounded, exact, strict=True)
            ]
        )
        assert 0 < np.linalg.norm(errors) <= bounds[k] <= 1e-12
