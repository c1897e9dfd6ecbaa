"""Suprema contain the truth, closed forms or what mpmath finds from below, and are narrow."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import pytest

from verification.enclosure.balls import (
    Ball,
    ball,
    end_points,
    exact_ball,
    interval,
    lower_double,
    power,
    precision,
    square,
    upper_double,
)
from verification.enclosure.supremum import (
    ABSOLUTE_TOLERANCE,
    MAX_BOXES,
    RELATIVE_TOLERANCE,
    absolute_supremum,
    maximiser_estimate,
)
from verification.oracle.supremum import absolute_supremum_estimate


def cubic(t: Ball) -> Ball:
    return power(t, 3) - t


def cubic_slope(t: Ball) -> Ball:
    return 3 * square(t) - 1


def cosine(frequency: int):
    return lambda t: (frequency * t).cos(), lambda t: -frequency * (frequency * t).sin()


# function, derivative, interval, the supremum as a closed form
CASES = {
    "constant": (lambda t: ball(-2), lambda t: ball(0), (-1, 3), lambda: ball(2)),
    "zero": (lambda t: ball(0), lambda t: ball(0), (-1, 3), lambda: ball(0)),
    "increasing": (Ball.exp, Ball.exp, (-1, 2), lambda: ball(2).exp()),
    "decreasing": (lambda t: (-t).exp(), lambda t: -(-t).exp(), (-1, 2), lambda: ball(1).exp()),
    "negative": (lambda t: square(t) - 9, lambda t: 2 * t, (-1, 2), lambda: ball(9)),
    "twice": (cubic, cubic_slope, (-1, 1), lambda: 2 / (3 * ball(3).sqrt())),
    "at the end": (cubic, cubic_slope, (-1, 2), lambda: ball(6)),
    "many times": (*cosine(60), (0, 3), lambda: ball(1)),
    "a point": (Ball.sin, Ball.cos, (2, 2), lambda: ball(2).sin()),
    "a tiny interval": (Ball.sin, Ball.cos, (0, Fraction(1, 10**30)), lambda: ball(1) / 10**30),
    "flat": (lambda t: 1 - power(t, 6), lambda t: -6 * power(t, 5), (-1, 2), lambda: ball(63)),
    "flat inside": (
        lambda t: 1 - power(t, 6),
        lambda t: -6 * power(t, 5),
        (-1, 1),
        lambda: ball(1),
    ),
    "a kink": (Ball.sin, Ball.cos, (-2, 3), lambda: ball(1)),
    "sharp": (
        lambda t: 1 / (1 + 10**6 * square(t - ball(Fraction(1, 7)))),
        lambda t: (
            -2
            * 10**6
            * (t - ball(Fraction(1, 7)))
            / square(1 + 10**6 * square(t - ball(Fraction(1, 7))))
        ),
        (-3, 4),
        lambda: ball(1),
    ),
}


@pytest.mark.parametrize("bits", [64, 256])
@pytest.mark.parametrize("case", CASES)
def test_contains_the_closed_form_and_is_narrow(case, bits):
    function, derivative, (lower, upper), closed_form = CASES[case]
    with precision(bits):
        found = absolute_supremum(function, derivative, Fraction(lower), Fraction(upper))
    with precision(1024):
        low, high = end_points(abs(closed_form()))
    least, most = end_points(found.lower)[0], end_points(found.upper)[1]
    assert least <= low <= high <= most
    # One tolerance for the search and one for the balls' own rounding at 64 bits.
    assert most - least <= 2 * max(
        Fraction(RELATIVE_TOLERANCE) * high, Fraction(ABSOLUTE_TOLERANCE)
    )


# |f|, f and f' on an interval, where no closed form is at hand
CURVES = {
    "damped": (
        lambda t: mpmath.sin(t) * mpmath.exp(-t / 5),
        lambda t: t.sin() * (-t / 5).exp(),
        lambda t: (t.cos() - t.sin() / 5) * (-t / 5).exp(),
        (-3, 30),
    ),
    "beating": (
        lambda t: mpmath.sin(7 * t) + mpmath.cos(t),
        lambda t: (7 * t).sin() + t.cos(),
        lambda t: 7 * (7 * t).cos() - t.sin(),
        (0, 10),
    ),
    "growing": (
        lambda t: t * mpmath.cos(3 * t),
        lambda t: t * (3 * t).cos(),
        lambda t: (3 * t).cos() - 3 * t * (3 * t).sin(),
        (-2, 5),
    ),
}


@pytest.mark.parametrize("curve", CURVES)
def test_contains_what_an_oracle_finds_from_below(curve):
    oracle, function, derivative, (lower, upper) = CURVES[curve]
    estimate = absolute_supremum_estimate(oracle, Fraction(lower), Fraction(upper))
    with precision(128):
        found = absolute_supremum(function, derivative, Fraction(lower), Fraction(upper))
    least, most = end_points(found.lower)[0], end_points(found.upper)[1]
    assert least <= estimate * (1 + Fraction(RELATIVE_TOLERANCE))
    assert estimate <= most <= estimate * (1 + 4 * Fraction(RELATIVE_TOLERANCE))


def test_stops_early_where_the_bound_suffices():
    calls = []

    def slope(t: Ball) -> Ball:
        calls.append(t)
        return cosine(60)[1](t)

    wanted = absolute_supremum(cosine(60)[0], slope, Fraction(0), Fraction(3))
    needed = len(calls)
    calls.clear()
    bounded = absolute_supremum(cosine(60)[0], slope, Fraction(0), Fraction(3), at_least=5.0)
    assert len(calls) < needed
    assert lower_double(bounded.lower) <= 1 <= upper_double(bounded.upper) <= 5.0
    assert upper_double(wanted.upper) < 1 + 2.0**-45


def test_gives_up_correctly_where_the_enclosures_are_poor():
    """A derivative known only to lie in [-9, 9] can never bound a maximum closely."""
    found = absolute_supremum(
        Ball.sin, lambda t: exact_ball(9.0) * interval(ball(-1), ball(1)), Fraction(0), Fraction(2)
    )
    assert lower_double(found.lower) <= 1 <= upper_double(found.upper) < 1.01


@pytest.mark.parametrize("broken", [Ball.nan(), Ball.pos_inf()])
def test_a_function_that_is_not_enclosed_has_no_upper_bound(broken):
    made = 0

    def slope(_t: Ball) -> Ball:
        nonlocal made
        made += 1
        return broken

    found = absolute_supremum(lambda _t: broken, slope, Fraction(0), Fraction(1))
    assert end_points(found.lower)[0] == 0
    assert upper_double(found.upper) == float("inf")
    assert made <= MAX_BOXES + 16


def test_a_wide_enclosure_of_the_function_is_inherited():
    blur = interval(ball(Fraction(-1, 100)), ball(Fraction(1, 100)))
    found = absolute_supremum(lambda t: t.sin() + blur, Ball.cos, Fraction(0), Fraction(3))
    assert lower_double(found.lower) <= 0.99 + 2.0**-40
    assert 1.01 <= upper_double(found.upper) < 1.011


@pytest.mark.parametrize(
    ("function", "ends", "largest"),
    [
        (Ball.sin, (-4, 4), 1.0),
        (cubic, (-1, 1), 2 / (3 * 3**0.5)),
        (cubic, (-1, 2), 6.0),
        (lambda t: square(t) - 9, (-1, 2), 9.0),
        (lambda t: 1 / (1 + square(100 * t - 31)), (-1, 2), 1.0),
        (lambda t: ball(0), (0, 1), 0.0),
    ],
)
def test_the_estimated_maximiser_is_inside_and_nearly_the_best(function, ends, largest):
    low, high = map(Fraction, ends)
    with precision(64):
        best = maximiser_estimate(function, low, high)
        value = lower_double(abs(function(ball(best))))
    assert low <= best <= high
    assert largest * (1 - 1e-3) <= value <= largest
