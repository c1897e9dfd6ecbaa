"""The vocabulary of rounding errors: bounds hold against exact rationals, and are not far off."""

from __future__ import annotations

from fractions import Fraction
from math import fsum, inf, isinf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.enclosure.balls import ball, precision
from verification.enclosure.doubles import (
    ASSUMED_ULP,
    ONE,
    UNIT_ROUNDOFF,
    Rounded,
    above,
    dot,
    elementary,
    elementary_error,
    gamma,
    nearest,
    sum_bounds,
    sum_lower,
    sum_upper,
    upward,
)
from verification.errors import NotEnclosed

doubles = st.floats(min_value=-1e100, max_value=1e100)
fractions = st.fractions(min_value=-(10**9), max_value=10**9)
"""Exact numbers, and the errors that their doubles already have."""
errors = st.integers(0, 2**20).map(lambda k: Fraction(k, 2**60))


@st.composite
def approximations(draw):
    """A double, an exact number near it, and the bounds that say so."""
    double, error = draw(doubles), draw(errors)
    exact = Fraction(double) + draw(st.integers(-8, 8)) * error / 8
    return double, exact, Rounded(abs(Fraction(double)), error)


def test_gamma_bounds_the_growth_of_n_roundings():
    for n in (0, 1, 2, 70, 1000):
        growth = (1 + UNIT_ROUNDOFF) ** n - 1
        shrinking = 1 - (1 - UNIT_ROUNDOFF) ** n
        assert max(growth, shrinking) <= gamma(n)
        assert gamma(n) <= n * UNIT_ROUNDOFF * (1 + 2 * n * UNIT_ROUNDOFF)


@pytest.mark.parametrize("count", [-1, 2**53])
def test_gamma_ends_where_it_means_nothing(count):
    with pytest.raises(ValueError, match="expected 0 to"):
        gamma(count)


@given(approximations(), approximations())
def test_a_sum_and_a_product_stay_within_their_bounds(first, second):
    (x, exact_x, bounds_x), (y, exact_y, bounds_y) = first, second
    for value, exact, bounds in (
        (x + y, exact_x + exact_y, bounds_x + bounds_y),
        (x * y, exact_x * exact_y, bounds_x * bounds_y),
    ):
        assert abs(Fraction(value)) <= bounds.size
        assert abs(Fraction(value) - exact) <= bounds.error


@given(st.lists(st.tuples(approximations(), approximations()), min_size=1, max_size=20))
def test_a_dot_product_stays_within_its_bounds_in_any_order(terms):
    exact = sum((x[1] * y[1] for x, y in terms), Fraction(0))
    bounds = dot(((x[2], y[2]) for x, y in terms), roundings=len(terms))
    a, b = np.array([x[0] for x, _ in terms]), np.array([y[0] for _, y in terms])
    for value in (float(a @ b), float(a[::-1] @ b[::-1]), sum((a * b).tolist()), fsum(a * b)):
        assert abs(Fraction(value)) <= bounds.size
        assert abs(Fraction(value) - exact) <= bounds.error


@pytest.mark.parametrize("n", [1, 10, 1000])
def test_the_bound_of_a_sum_is_its_first_order_term(n):
    bounds = dot(((Rounded(Fraction(1)), ONE) for _ in range(n)), roundings=n)
    assert n * n * UNIT_ROUNDOFF <= bounds.error <= n * n * UNIT_ROUNDOFF * Fraction(1001, 1000)


def test_errors_pass_through_functions():
    argument = Rounded(Fraction(3), Fraction(1, 100))
    value = argument.of_function(lipschitz=Fraction(2), size=Fraction(1), error=Fraction(1, 1000))
    assert value == Rounded(Fraction(1001, 1000), Fraction(21, 1000))


@given(fractions)
def test_nearest_knows_its_own_error(value):
    double, bounds = nearest(value)
    assert double == float(value)
    assert bounds == Rounded(abs(Fraction(double)), abs(Fraction(double) - value))


@given(fractions)
def test_nearest_to_a_ball_covers_all_of_it(value):
    with precision(80):
        double, bounds = nearest(ball(value) / 3)
    assert abs(Fraction(double) - value / 3) <= bounds.error
    assert bounds.error <= UNIT_ROUNDOFF * (1 + Fraction(1, 2**20)) * max(
        bounds.size, UNIT_ROUNDOFF
    )


@pytest.mark.parametrize("value", [Fraction(10**400), -Fraction(10**400)])
def test_numbers_beyond_the_doubles_are_not_enclosed(value):
    with pytest.raises(NotEnclosed, match="beyond the range"):
        nearest(value)
    with pytest.raises(NotEnclosed, match="beyond the range"):
        above(abs(value))
    assert isinf(upward(abs(value)))


@given(fractions)
def test_upward_is_tight(value):
    double = upward(value)
    assert Fraction(double) >= value
    assert Fraction(double) - value <= 2**-40 * max(abs(value), 1)
    assert above(value) == Fraction(double)


@given(st.lists(doubles, max_size=50))
def test_sums_are_bounded_on_both_sides(values):
    exact = sum(map(Fraction, values), Fraction(0))
    assert sum_lower(values) <= exact <= sum_upper(values)
    assert sum_upper(values) - sum_lower(values) <= 4 * UNIT_ROUNDOFF * abs(exact) + Fraction(
        1, 2**1070
    )
    assert sum_bounds(values) == (sum_lower(values), sum_upper(values))


@pytest.mark.parametrize("name", ASSUMED_ULP)
def test_elementary_errors_are_in_units_of_the_largest_value(name):
    """The largest double below a function's supremum has the unit that the bound uses."""
    largest = {"tanh": 1.0, "erf": 1.0, "sin": 1.0, "arctan": 1.57, "cos": 1.5, "exp": 1.5}[name]
    assert elementary_error(name) == ASSUMED_ULP[name] * Fraction(
        np.spacing(np.nextafter(largest, 0))
    )


@pytest.mark.parametrize("name", ASSUMED_ULP)
def test_elementary_functions_are_those_of_numpy_and_scipy(name):
    function = elementary(name)
    assert isinstance(function, np.ufunc)
    assert function.__name__ == name
    assert function(np.zeros(3)).tolist() == [float(name in ("cos", "exp"))] * 3


def test_an_infinite_bound_is_not_enclosed():
    with pytest.raises(NotEnclosed):
        above(ball(1) / ball(0))
    assert upward(Fraction(10**309)) == inf


@pytest.mark.parametrize("values", [[1.7e308, 1.7e308], [inf, 1.0], [inf, -inf], [nan]])
def test_no_sum_beyond_doubles(values):
    for bound in (sum_upper, sum_lower, sum_bounds):
        with pytest.raises(NotEnclosed, match="a sum is beyond"):
            bound(values)
