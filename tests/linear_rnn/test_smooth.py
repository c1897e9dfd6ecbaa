"""Polynomials in exp(-theta t) near a target, against least squares on a grid."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from targets import wave

from verification.enclosure.balls import end_points, precision
from verification.linear_rnn.distance import distance
from verification.linear_rnn.pieces import of_parts
from verification.linear_rnn.search import value_estimate
from verification.linear_rnn.smooth import least_polynomial_error, polynomial_network

F = Fraction


RAMP = (wave(1, 1, 1),)
TURNING = (wave(1, "0.5", 0, 2, "-0.5"), wave("0.25", 2, 1))


def test_a_polynomial_is_found_exactly():
    # exp(-t) - 3 exp(-2t) = u - 3 u^2
    target = (wave(1, 1), wave(-3, 2))
    with precision(64):
        found = polynomial_network((of_parts(target),), F(1), 4)
    weights = [float(row[0]) for row in found.u]
    np.testing.assert_allclose(weights, [1, -3, 0, 0], atol=1e-20)
    assert [float(found.w[i][i]) for i in range(4)] == [-1, -2, -3, -4]


@pytest.mark.parametrize(("width", "share"), [(1, 0.1), (3, 0.95), (8, 0.95)])
def test_no_polynomial_is_nearer_than_the_lower_bound(width, share):
    """Any coefficients at all; and those that interpolate come within a few per cent of it."""
    functions, theta = (of_parts(RAMP), of_parts(TURNING)), F(1, 4)
    with precision(160):
        bound = least_polynomial_error(functions, theta, width, 2.0, 160)
        low = float(end_points(bound)[0])
        one = least_polynomial_error(functions[:1], theta, width, 2.0, 160)
        network = polynomial_network(functions[:1], theta, width)
        error = float(end_points(distance((RAMP,), network, 160).upper)[1])
    assert share * error <= float(end_points(one)[0]) <= error
    t = np.linspace(0, 120, 60_001)
    basis = np.exp(-np.outer(t, 0.25 * np.arange(1, width + 1)))
    rng = np.random.default_rng(width)
    for _ in range(20):
        distances = []
        for function in functions:
            heights = value_estimate(function, t)
            scale = np.exp(rng.normal(0, 1) * np.sin(t))
            found = np.linalg.lstsq(basis * scale[:, None], heights * scale, rcond=None)[0]
            distances.append(np.trapezoid(np.abs(heights - basis @ found), t))
        # Steps of .002: the rule errs by 1e-6 of it.
        assert low <= sum(distances) * (1 + 1e-5)


@pytest.mark.parametrize("width", [3, 8, 16])
def test_the_error_is_near_the_best_one(width):
    """Least squares on a grid, reweighted for L1, does not do much better."""
    function, theta = of_parts(RAMP), 0.25
    with precision(128):
        network = polynomial_network((function,), F(1, 4), width)
        error = float(end_points(distance((RAMP,), network, 128).upper)[1])
    u = (np.arange(4_000) + 0.5) / 4_000
    q = value_estimate(function, -np.log(u) / theta) / u
    basis = np.polynomial.chebyshev.chebvander(2 * u - 1, width - 1)
    weights, best = np.ones_like(u), np.inf
    for _ in range(30):
        scale = np.sqrt(weights)
        rest = q - basis @ np.linalg.lstsq(basis * scale[:, None], q * scale, rcond=None)[0]
        best = min(best, np.abs(rest).mean() / theta)
        weights = 1 / np.maximum(np.abs(rest), 1e-3 * np.median(np.abs(rest)))
    # The midpoint rule and the reweighting err by some per cent.
    assert 0.9 * best <= error <= 1.5 * best
