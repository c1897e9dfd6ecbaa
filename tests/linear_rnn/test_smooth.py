"""Suprema of derivatives and polynomials in exp(-theta t), against closed forms and grids."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from verification.enclosure.balls import end_points, precision
from verification.linear_functional import Exponential, PowerLaw
from verification.linear_rnn.distance import distance
from verification.linear_rnn.pieces import of_parts
from verification.linear_rnn.search import value_estimate
from verification.linear_rnn.smooth import (
    decay_constant,
    least_polynomial_error,
    polynomial_network,
    slowest_rate,
)

F = Fraction


def wave(coefficient, rate, power=0, frequency=0, sine=0) -> Exponential:
    return Exponential(
        coefficient=F(coefficient),
        rate=F(rate),
        power=power,
        frequency=F(frequency),
        sine=F(sine),
    )


RAMP = (wave(1, 1, 1),)
TURNING = (wave(1, "0.5", 0, 2, "-0.5"), wave("0.25", 2, 1))


@pytest.mark.parametrize(("order", "truth"), [(1, 4), (2, 16), (3, 48)])
def test_the_constant_of_a_ramp_is_known(order, truth):
    # rho^(k-1) = (-1)^(k-1) (t - k + 1) exp(-t); for beta = 1/2 the supremum is k - 1, at t = 0,
    # from k = 2 on: 2^k (k - 1) = 4, 16, 48; for k = 1 it is 2 (2/e) < 4
    with precision(64):
        found = decay_constant((of_parts(RAMP),), F(1, 2), order, 64)
    low, high = end_points(found.lower)[0], end_points(found.upper)[1]
    assert low <= truth <= high
    assert high - low < F(1, 10**10)


def test_a_supremum_inside_is_found():
    # beta^-1 sup exp(t/2) t exp(-t) = 2 (2/e), at t = 2
    with precision(64):
        found = decay_constant((of_parts(RAMP),), F(1, 2), 0, 64)
    low, high = end_points(found.lower)[0], end_points(found.upper)[1]
    assert float(low) == pytest.approx(4 / np.e, rel=1e-10)
    assert float(high) == pytest.approx(4 / np.e, rel=1e-10)


def test_the_constant_agrees_with_a_grid():
    beta, t = 0.25, np.linspace(0, 80, 400_001)
    (piece,) = of_parts(TURNING)
    largest, slope = 0.0, piece
    for k in (1, 2, 3):
        heights = np.exp(beta * t) * np.abs(value_estimate((slope,), t)) / beta**k
        largest = max(largest, heights.max())
        slope = slope.derivative
    with precision(64):
        found = decay_constant(((piece,),), F(1, 4), 2, 64)
    low, high = (float(x) for x in (end_points(found.lower)[0], end_points(found.upper)[1]))
    assert largest <= high * (1 + 1e-12)
    # Between two points 2e-4 apart a smooth function gains about 1e-7 of itself.
    assert low <= largest * (1 + 1e-6)
    assert high - low <= 1e-9 * high


def test_it_is_the_largest_over_the_channels():
    with precision(64):
        one = decay_constant((of_parts(RAMP),), F(1, 2), 1, 64)
        both = decay_constant((of_parts(RAMP), of_parts((wave(3, 1, 1),))), F(1, 2), 1, 64)
    assert float(sum(end_points(both.upper))) == pytest.approx(
        3 * float(sum(end_points(one.upper)))
    )


def test_slowest_rates():
    assert slowest_rate((of_parts(RAMP), of_parts(TURNING))) == F(1, 2)
    assert slowest_rate((of_parts((PowerLaw(coefficient=F(1), exponent=F(1)),)),)) is None
    assert slowest_rate(((),)) is None


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
