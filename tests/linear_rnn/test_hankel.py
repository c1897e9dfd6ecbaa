"""Hankel singular values against closed forms, Lyapunov equations and compressions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.linalg import hankel, solve_sylvester
from targets import wave

from verification.enclosure.balls import ball, end_points, precision
from verification.enclosure.singular import singular_values
from verification.errors import NotEnclosed
from verification.linear_functional import Airy, Box
from verification.linear_rnn.hankel import exact_singular_values, singular_value
from verification.linear_rnn.lower_bounds import laguerre_matrix
from verification.linear_rnn.pieces import of_parts
from verification.linear_rnn.search import primitive_estimate

F = Fraction


SUMS = {
    "ramp": [wave(1, 1, 1)],
    "pair": [wave(1, 1), wave(-3, 2)],
    "wave": [wave(1, "0.5", 0, 2, "-0.5")],
    "many": [wave(1, "0.5", 2, 3, "-0.5"), wave(2, "0.7"), wave("0.1", "0.2", 1)],
}


def ends(found) -> tuple[float, float]:
    return float(end_points(found.lower)[0]), float(end_points(found.upper)[1])


def by_sylvester(parts) -> np.ndarray:
    """Sizes of the eigenvalues of X, ``A X + X A + b c = 0``, with blocks written out by hand."""
    blocks, b, c = [], [], []
    for part in parts:
        # Jordan blocks: t^k exp(-a t) k! is a chain of k + 1 integrators, complex for waves.
        pole = complex(-part.rate, float(part.frequency))
        factor = complex(part.coefficient, -float(part.sine))
        for z, f in (
            ((pole, factor / 2), (pole.conjugate(), factor.conjugate() / 2))
            if part.frequency
            else ((pole, factor),)
        ):
            size = part.power + 1
            blocks.append(z * np.eye(size) + np.eye(size, k=1))
            b += [0.0] * (size - 1) + [1.0]
            c += [f * float(np.prod(range(1, size)))] + [0.0] * (size - 1)
    n = len(b)
    matrix, k = np.zeros((n, n), dtype=complex), 0
    for block in blocks:
        matrix[k : k + len(block), k : k + len(block)] = block
        k += len(block)
    x = solve_sylvester(matrix, matrix, -np.outer(b, c))
    return np.sort(np.abs(np.linalg.eigvals(x)))[::-1]


def test_the_singular_values_of_a_ramp_are_known():
    with precision(128):
        first, second = exact_singular_values(of_parts(SUMS["ramp"])[0])
        root = ball(2).sqrt()
        for found, truth in ((first, (root + 1) / 4), (second, (root - 1) / 4)):
            assert end_points(found.lower)[0] <= end_points(truth)[1]
            assert end_points(truth)[0] <= end_points(found.upper)[1]
            assert end_points(found.upper)[1] - end_points(found.lower)[0] < F(1, 2**110)
        zero = singular_value(tuple(SUMS["ramp"]), 3)
        assert (zero.lower.is_zero(), zero.upper.is_zero()) == (True, True)


@pytest.mark.parametrize("name", SUMS)
def test_they_are_eigenvalues_of_the_cross_gramian(name):
    with precision(128):
        found = [ends(value) for value in exact_singular_values(of_parts(SUMS[name])[0])]
    expected = by_sylvester(SUMS[name])
    assert len(found) == len(expected)
    for (low, high), truth in zip(found, expected, strict=True):
        assert low <= high <= low * (1 + 1e-12)
        assert low == pytest.approx(truth, rel=1e-9)


@pytest.mark.parametrize("name", SUMS)
def test_compressions_have_smaller_ones_and_nearly_as_large(name):
    (piece,) = of_parts(SUMS[name])
    with precision(128):
        found = [ends(value) for value in exact_singular_values(piece)]
        compressed = singular_values(laguerre_matrix(piece, F(2), 80))
    for (low, high), value in zip(found, compressed, strict=False):
        assert ends(value)[0] <= high + 1e-13
        assert ends(value)[1] >= low - 1e-3 * found[0][0]


rates = st.fractions(min_value=F(1, 4), max_value=F(4), max_denominator=8)
factors = st.fractions(min_value=F(-2), max_value=F(2), max_denominator=8).filter(bool)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(factors, rates, st.integers(0, 1)), min_size=1, max_size=3), rates)
def test_they_scale_with_the_target_but_not_with_the_unit_of_time(terms, unit):
    parts = [wave(c, a, k) for c, a, k in terms]
    # c rho(c t): the same operator, in another unit of time.
    scaled = [wave(c * unit ** (k + 1), a * unit, k) for c, a, k in terms]
    pieces, others = of_parts(parts), of_parts(scaled)
    assume(pieces)
    with precision(512):
        for one, other in zip(
            exact_singular_values(pieces[0]), exact_singular_values(others[0]), strict=True
        ):
            (low, high), (least, most) = ends(one), ends(other)
            assert low <= most * (1 + 1e-12) + 1e-60
            assert least <= high * (1 + 1e-12) + 1e-60
            assert high - low <= 1e-60


def test_rates_that_are_too_close_are_said_to_be():
    (piece,) = of_parts([wave(1, 1), wave(-1, 1 + F(1, 10**30))])
    with precision(64), pytest.raises(NotEnclosed, match="too much alike"):
        exact_singular_values(piece)
    with precision(512):
        first = ends(exact_singular_values(piece)[0])
    # Nearly 1e-30 times the ramp.
    assert first[0] == pytest.approx((2**0.5 + 1) / 4 * 1e-30, rel=1e-12)


@pytest.mark.parametrize(
    ("part", "index"),
    [
        (Airy(coefficient=F(1), scale=F(9, 4), shift=F(2)), 3),
        (Box(height=F(1), start=F(5), length=F(1, 10)), 1),
    ],
)
def test_of_other_targets_there_are_two_bounds(part, index):
    with precision(64):
        low, high = ends(singular_value((part,), index))
    assert 0 < low <= high * (1 + 1e-9)
    # A network's error is not the norm of its operator: some way is left.
    assert high <= 5 * low
    # On indicators of ever more intervals, in doubles.
    step, size = 12 / 800, 800
    second = primitive_estimate(of_parts([part]), step * np.arange(2 * size + 1), 2)
    matrix = hankel(np.diff(second, n=2))[:size, :size] / step
    about = np.linalg.svd(matrix, compute_uv=False)[index - 1]
    assert low * 0.999 <= about <= high * 1.001


def test_a_zero_target_has_none():
    with precision(64):
        assert ends(singular_value((), 1)) == (0.0, 0.0)
