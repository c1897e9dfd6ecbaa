"""Locally best sums of exponentials: derivatives, conditions of optimality, brute force."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import minimize

from verification.linear_functional import Exponential
from verification.linear_rnn import best_sums
from verification.linear_rnn.best_sums import nearest
from verification.linear_rnn.pieces import of_parts
from verification.linear_rnn.search import value_estimate

F = Fraction
PAIR = of_parts(
    (Exponential(coefficient=F(1), rate=F(1)), Exponential(coefficient=F(2), rate=F(10)))
)
ERLANG = of_parts((Exponential(coefficient=F(1, 6), rate=F(1), power=3),))
START = [(0.6, 0.9), (0.5, 0.0)]
NEAR, FACTORS_NEAR = [(0.69, 0.51), (0.55, 0.0)], np.array([[-1.6, -0.8, 1.7]])
FACTORS = np.array([[-0.3, 0.2, 0.35], [0.5, 0.1, 0.4]])


def test_derivatives_agree_with_differences():
    problem = best_sums._Problem((ERLANG, PAIR), np.array([False, True]))
    flat = problem.flat(best_sums._sum(START, FACTORS))
    value, gradient, hessian = problem.derivatives(flat)
    assert problem.value(flat) == pytest.approx(value, rel=1e-12)
    for k in range(len(flat)):
        step = np.zeros_like(flat)
        step[k] = 1e-5
        ahead, behind = problem.derivatives(flat + step), problem.derivatives(flat - step)
        # Central differences err by the third derivative, about 1e-10 here, and roundings.
        assert (ahead[0] - behind[0]) / 2e-5 == pytest.approx(gradient[k], abs=1e-7)
        np.testing.assert_allclose((ahead[1] - behind[1]) / 2e-5, hessian[k], atol=1e-4)


def test_the_distance_is_the_integral():
    problem = best_sums._Problem((ERLANG,), np.array([False, True]))
    found = problem.value(problem.flat(best_sums._sum(START, FACTORS[:1])))
    t = np.linspace(0, 80, 400_001)
    (a, w), (b, _) = START
    model = np.exp(-a * t) * (-0.3 * np.cos(w * t) + 0.2 * np.sin(w * t)) + 0.35 * np.exp(-b * t)
    truth = np.trapezoid(np.abs(value_estimate(ERLANG, t) - model), t)
    # Steps of 2e-4: second differences of order 1e-8.
    assert found == pytest.approx(truth, abs=1e-7)


def test_one_exponential_against_brute_force():
    distance, poles, factors = nearest((PAIR,), [(2.0, 0.0)], np.array([[1.5]]))
    t = np.concatenate([np.linspace(0, 3, 30_001), np.linspace(3, 40, 30_001)[1:]])
    heights = value_estimate(PAIR, t)

    def loss(x):
        return np.trapezoid(np.abs(heights - x[1] * np.exp(-np.exp(x[0]) * t)), t)

    brute = min(
        (
            minimize(loss, [a, c], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10})
            for a in (-1.0, 0.5, 2.0)
            for c in (0.5, 2.0)
        ),
        key=lambda found: found.fun,
    )
    assert distance == pytest.approx(brute.fun, rel=1e-5)
    assert poles[0][0] == pytest.approx(np.exp(brute.x[0]), rel=1e-2)
    assert factors[0, 0] == pytest.approx(brute.x[1], rel=1e-2)


def test_the_signs_of_the_error_are_orthogonal_to_the_exponentials_and_their_slopes():
    distance, poles, factors = nearest((ERLANG,), NEAR, FACTORS_NEAR)
    t = np.linspace(0, 100, 1_000_001)
    rest = value_estimate(ERLANG, t)
    columns, k = [], 0
    for rate, frequency in poles:
        decay = np.exp(-rate * t)
        both = [decay * np.cos(frequency * t), decay * np.sin(frequency * t)]
        for column in both if frequency else both[:1]:
            rest = rest - factors[0, k] * column
            columns += [column, t * column]
            k += 1
    assert np.trapezoid(np.abs(rest), t) == pytest.approx(distance, rel=1e-5)
    for column in columns:
        part = abs(np.trapezoid(np.sign(rest) * column, t)) / np.trapezoid(np.abs(column), t)
        # It stops where a step gains less than 1e-5 of the distance.
        assert part < 1e-2


@pytest.mark.parametrize("scale", [1, 1000])
def test_time_and_size_may_have_any_unit(scale):
    fast = of_parts((Exponential(coefficient=F(scale) ** 4 / 6, rate=F(scale), power=3),))
    plain = nearest((ERLANG,), NEAR, FACTORS_NEAR)[0]
    scaled = nearest((fast,), [(scale * a, scale * w) for a, w in NEAR], scale * FACTORS_NEAR)[0]
    assert scaled == pytest.approx(plain, rel=1e-6)


def test_it_never_gets_worse():
    for start in ([(5.0, 0.0)], [(1e-3, 0.0)], [(1.0, 30.0)]):
        width = 2 if start[0][1] else 1
        factors = np.ones((1, width))
        problem = best_sums._Problem((PAIR,), np.array([not start[0][1]]))
        before = problem.value(problem.flat(best_sums._sum(start, factors)))
        assert nearest((PAIR,), start, factors)[0] <= before
