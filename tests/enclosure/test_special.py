"""Exponential integrals and Airy's integral against mpmath, from both sides."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import pytest

from verification.enclosure.balls import ball, end_points, precision
from verification.enclosure.special import (
    LARGEST_AIRY,
    airy,
    airy_integral,
    exponential_integral,
)
from verification.errors import NotEnclosed
from verification.oracle.answer import at_two_precisions, rational, real

F = Fraction
BITS = 100


def encloses(found, compute, *, slack: int = 20) -> None:
    """The oracle's answer is inside, and the ball is narrow for its precision."""
    answer = at_two_precisions(compute)
    low, high = end_points(found)
    assert low - answer.spread <= answer.value <= high + answer.spread
    assert high - low <= abs(answer.value) * F(1, 2 ** (BITS - slack))


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("x", [F(1, 1000), F(1, 3), F(1), F(7, 2), F(20), F(90)])
def test_exponential_integrals(order, x):
    with precision(BITS):
        encloses(exponential_integral(order, ball(x)), lambda: mpmath.expint(order, real(x)))


@pytest.mark.parametrize("x", [F(-40), F(-9, 2), F(-1, 7), F(0), F(1, 3), F(3), F(25, 2)])
def test_airy_and_its_derivative(x):
    with precision(BITS):
        value, slope = airy(ball(x))
        encloses(value, lambda: mpmath.airyai(real(x)))
        encloses(slope, lambda: mpmath.airyai(real(x), derivative=1))


@pytest.mark.parametrize("x", [F(-30), F(-9, 2), F(-1, 7), F(0), F(1, 3), F(3), F(25, 2), F(15)])
def test_airy_integrals(x):
    def from_zero_on():
        return mpmath.mpf(1) / 3 - mpmath.airyai(real(x), derivative=-1)

    with precision(BITS):
        encloses(airy_integral(x), from_zero_on)


def test_an_airy_integral_by_quadrature():
    with mpmath.workdps(25):
        # Beyond 20 there is less than exp(-59).
        truth = rational(mpmath.quad(mpmath.airyai, [-2, 1, 5, 20]))
    with precision(BITS):
        low, high = end_points(airy_integral(F(-2)))
    assert low - F(1, 10**20) <= truth <= high + F(1, 10**20)


def test_airy_integrals_far_out_are_between_bounds():
    with precision(64):
        low, high = end_points(airy_integral(F(300)))
        assert low <= 0 <= high <= F(1, 10**1000)
        for x in (F(60), F(100), F(130)):
            low, high = end_points(airy_integral(x))
            assert 0 < low <= high <= low * (1 + F(1, 2**44))
        # The bound by the derivative holds where both are known, and is near.
        for x in (F(2), F(10), F(40)):
            integral, slope = airy_integral(x), airy(ball(x))[1]
            low, high = end_points(integral)
            assert high <= end_points(-slope / ball(x))[1] <= high * (1 + 1 / x)
        with pytest.raises(NotEnclosed):
            airy_integral(F(-300))


def test_a_precision_that_grows_gives_other_digits():
    widths = []
    for bits in (64, 128):
        with precision(bits):
            low, high = end_points(airy_integral(F(1)))
            widths.append(high - low)
    assert widths[1] < widths[0] * F(1, 2**50)


def test_airy_is_nowhere_larger_than_its_bound():
    largest = at_two_precisions(lambda: mpmath.airyai(mpmath.airyaizero(1, derivative=1))).value
    assert largest < LARGEST_AIRY < largest * F(1002, 1000)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("x", [F(2**24) + F(1, 3), F(10**9, 7), F(10**40)])
def test_exponential_integrals_far_out(order, x):
    # Times exp(x), which is far beyond the range of end points.
    with precision(BITS):
        found = exponential_integral(order, ball(x)) * ball(x).exp()
    encloses(found, lambda: mpmath.expint(order, real(x)) * mpmath.exp(real(x)), slack=BITS // 2)
