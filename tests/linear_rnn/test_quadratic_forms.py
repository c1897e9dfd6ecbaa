"""Bounds by quadratic forms: the form against quadrature, the bound against networks."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from verification.enclosure.balls import end_points, precision
from verification.errors import NotEnclosed
from verification.linear_functional import Box, Exponential, PowerLaw
from verification.linear_rnn.best_sums import nearest
from verification.linear_rnn.near_best import near_best_network
from verification.linear_rnn.pieces import of_parts
from verification.linear_rnn.quadratic_forms import QuadraticPlace, cells, form, quadratic_bound
from verification.linear_rnn.quadratic_search import quadratic_place
from verification.linear_rnn.search import value_estimate

F = Fraction
PAIR = (
    Exponential(coefficient=F(1), rate=F(1)),
    Exponential(coefficient=F(2), rate=F(10)),
)
RAMP = (Exponential(coefficient=F(1), rate=F(1), power=1),)
LAW = (PowerLaw(coefficient=F(1), exponent=F(1)),)
BOX = (Box(height=F(1), start=F(5), length=F(1, 10)),)
TURNING = (Exponential(coefficient=F(1), rate=F(1, 2), frequency=F(2), sine=F(-1, 2)),)


def least(found) -> float:
    return float(end_points(found.lower)[0])


def most(found) -> float:
    return float(end_points(found.upper)[1])


def values_of(place, channel, t) -> np.ndarray:
    """Return M(t) from its definition."""
    knots = [float(e) for e in place.knots]
    masses = np.array(place.masses)
    heights = np.array(place.heights[channel])
    result = np.zeros((masses.shape[1],) * 2)
    for j, shift in enumerate(place.shifts):
        if t >= float(shift):
            cell = np.searchsorted(knots, t - float(shift), side="right") - 1
            result += np.outer(heights[:, cell], masses[j])
    return (result + result.T) / 2


@pytest.mark.parametrize("parts", [RAMP, LAW, BOX, TURNING])
def test_the_form_is_its_integral(parts):
    function = of_parts(parts)
    place = QuadraticPlace(
        (F(0), F(1, 2), F(3)),
        ((1.0, -0.5), (0.25, 2.0), (-1.0, 0.5)),
        (F(0), F(1), F(5), F(11, 2)),
        (((1.0, -1.0, 0.5, 2.0), (0.0, 3.0, -0.5, -1.0)),),
    )
    with precision(64):
        found = [
            [float(sum(end_points(x)) / 2) for x in row]
            for row in form((function,), place).entries()
        ]
    points = sorted({float(e + s) for e in place.knots for s in place.shifts} | {5.1})
    truth = np.zeros((2, 2))
    for a, b in itertools.pairwise([*points, np.inf]):
        inside = a + (min(b, a + 1) - a) / 2
        area = quad(lambda t: value_estimate(function, np.array([t]))[0], a, b)[0]
        truth += area * values_of(place, 0, inside)
    np.testing.assert_allclose(found, truth, atol=1e-9)


def test_cells_before_a_shift_are_empty():
    found = cells((F(0), F(1)), (F(0), F(1, 2)))
    # Between 0, 1/2, 1, 3/2.
    assert found.tolist() == [[0, -1], [0, 0], [1, 0], [1, 1]]


def test_without_units_the_signs_of_the_target_give_its_norm():
    # rho = exp(-t) - 3 exp(-2t) changes its sign at log 3: ||rho|| = 2/3 + 1/6.
    function = of_parts(
        (
            Exponential(coefficient=F(1), rate=F(1)),
            Exponential(coefficient=F(-3), rate=F(2)),
        )
    )
    place = QuadraticPlace((F(0),), ((1.0,),), (F(0), F(np.log(3))), (((-1.2, 1.2),),))
    with precision(64):
        found = quadratic_bound((function,), place)
    assert least(found) == pytest.approx(5 / 6, rel=1e-12)
    assert most(found) == pytest.approx(5 / 6, rel=1e-12)


@pytest.mark.parametrize(
    ("parts", "width", "ratio"),
    [
        (PAIR, 1, 1.1),
        (RAMP, 1, 1.6),
        (LAW, 1, 1.8),
        (LAW, 3, 2.6),
        (BOX, 2, 1.05),
        (TURNING, 1, 1.8),
    ],
)
def test_bounds_are_near_the_best_networks(parts, width, ratio):
    functions = (of_parts(parts),)
    place = quadratic_place(functions, width)
    with precision(64):
        bound = least(quadratic_bound(functions, place))
    network = near_best_network(functions, width)
    t = np.concatenate([[0], np.geomspace(1e-5, 1e7, 400_001)])
    rest = value_estimate(functions[0], t)
    if network is not None:
        decay, turn = network.w, np.array([[float(x) for x in row] for row in network.u])[:, 0]
        values, vectors = np.linalg.eig(np.array([[float(x) for x in row] for row in decay]).T)
        weights = (turn @ vectors) * np.linalg.solve(vectors, [float(x) for x in network.c])
        rest = rest - (np.exp(np.multiply.outer(t, values)) @ weights).real
    error = np.trapezoid(np.abs(rest), t)
    # The trapezoidal rule errs by a box's edges at most.
    assert bound <= error * 1.001
    assert error <= ratio * bound


@settings(max_examples=25, deadline=None)
@given(
    octaves=st.lists(st.integers(-8, 8), min_size=2, max_size=3, unique=True),
    weights=st.lists(st.integers(-9, 9).filter(bool), min_size=3, max_size=3),
    seed=st.integers(0, 10**6),
)
def test_no_sum_of_exponentials_is_nearer(octaves, weights, seed):
    """Random targets, places searched for, random networks with real and complex rates."""
    parts = tuple(
        Exponential(coefficient=F(c), rate=F(3, 2) ** k)
        for k, c in zip(octaves, weights, strict=False)
    )
    functions = (of_parts(parts),)
    width = len(parts) - 1
    place = quadratic_place(functions, width)
    assert place is not None
    with precision(64):
        bound = least(quadratic_bound(functions, place))
    assert bound > 0
    rng = np.random.default_rng(seed)
    t = np.concatenate([np.linspace(0, 1, 4001), np.geomspace(1, 1000, 4001)[1:]])
    heights = value_estimate(functions[0], t)
    for _ in range(10):
        a, w = np.exp(rng.normal(0, 1.5, 2))
        pair = np.exp(-a * t)[:, None] * np.stack([np.cos(w * t), np.sin(w * t)], axis=1)
        basis = np.exp(-np.outer(t, np.exp(rng.normal(0, 1.5, width))))
        for columns in (basis, pair) if width == 2 else (basis,):
            factors = np.linalg.lstsq(columns, heights, rcond=None)[0]
            error = np.trapezoid(np.abs(heights - columns @ factors), t)
            assert bound <= error * (1 + 1e-3) + 1e-9


def test_channels_share_the_measures():
    """The second channel alone is a network of width 1, and the first another one."""
    functions = (
        of_parts((Exponential(coefficient=F(1), rate=F(1)),)),
        of_parts((Exponential(coefficient=F(1), rate=F(3)),)),
    )
    place = quadratic_place(functions, 1)
    with precision(64):
        joint = least(quadratic_bound(functions, place))
    start = [(1.5, 0.0)]
    best = nearest(functions, start, np.array([[1.0], [1.0]]))[0]
    assert 0.3 * best < joint <= best


def test_twice_the_target_twice_the_bound():
    place = quadratic_place((of_parts(RAMP),), 1)
    twice = of_parts((Exponential(coefficient=F(2), rate=F(1), power=1),))
    halved = QuadraticPlace(
        place.shifts,
        tuple(tuple(x / 2 for x in row) for row in place.masses),
        place.knots,
        place.heights,
    )
    with precision(64):
        one = least(quadratic_bound((of_parts(RAMP),), place))
        two = least(quadratic_bound((twice,), halved))
    assert two == pytest.approx(2 * one, rel=1e-9)


def test_a_form_that_is_not_near_the_unit_matrix_gives_less():
    function = of_parts(RAMP)
    place = QuadraticPlace((F(0),), ((1.0,),), (F(0),), (((0.25,),),))
    with precision(64):
        found = quadratic_bound((function,), place)
    # A = 1/4, |A - 1| = 3/4: the lower bound is (1 - 3/4)/(1/4) = 1 = ||rho||.
    assert least(found) == pytest.approx(1, rel=1e-12)
    with precision(64), pytest.raises(NotEnclosed):
        quadratic_bound((function,), QuadraticPlace((F(0),), ((1.0,),), (F(0),), (((0.0,),),)))


def test_no_place_where_there_is_no_target():
    assert quadratic_place(((),), 1) is None


@pytest.mark.parametrize(
    ("shifts", "knots", "expected"),
    [
        ((-1, 0), (0,), "shifts"),
        ((0, 0), (0,), "shifts"),
        ((), (0,), "shifts"),
        ((0,), (1, 2), "knots"),
        ((0,), (0, 2, 1), "knots"),
        ((0,), (), "knots"),
    ],
)
def test_functions_without_a_bound_are_refused(shifts, knots, expected):
    masses = ((1.0,),) * len(shifts)
    with pytest.raises(ValueError, match=expected):
        QuadraticPlace(
            tuple(map(F, shifts)), masses, tuple(map(F, knots)), (((1.0,) * len(knots),),)
        )
