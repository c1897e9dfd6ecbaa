"""Interpolants of analytic functions: they hold the truth, narrowly, and so do their suprema."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verification.enclosure import chebyshev
from verification.enclosure.balls import Ball, ball, enclosure, exact_ball, precision
from verification.errors import NotEnclosed

STRIP = Fraction(1)


def wave(x: Ball) -> Ball:
    return (3 * x).sin()


def wave_bound() -> Ball:
    return (3 * ball(STRIP)).cosh()


def held(poly: chebyshev.Interpolant, x: Fraction) -> tuple[mpmath.mpf, mpmath.mpf]:
    t = (x - poly.centre) / poly.half
    values = chebyshev.basis(t, len(poly.coefficients))
    bounds = enclosure(chebyshev.combine(poly.coefficients, values))
    error = mpmath.mpf(str(enclosure(poly.error).upper))
    return mpmath.mpf(str(bounds.lower)) - error, mpmath.mpf(str(bounds.upper)) + error


@settings(max_examples=60)
@given(
    ends=st.tuples(st.integers(-80, 80), st.integers(1, 60)),
    where=st.integers(0, 97),
)
def test_interpolant_holds_the_function_and_is_narrow(ends, where):
    lower = Fraction(ends[0], 20)
    upper = lower + Fraction(ends[1], 20)
    x = lower + (upper - lower) * Fraction(where, 97)
    with precision(96), mpmath.workdps(40):
        poly = chebyshev.interpolant(wave, lower, upper, strip=STRIP, strip_bound=wave_bound())
        low, high = held(poly, x)
        truth = mpmath.sin(3 * mpmath.mpf(x.numerator) / x.denominator)
        assert low <= truth <= high
        assert high - low < mpmath.mpf(10) ** -24


@pytest.mark.parametrize("degree", [2, 3, 5, 8, 12])
def test_the_error_bound_holds_where_the_degree_is_far_too_small(degree, monkeypatch):
    monkeypatch.setattr(chebyshev, "_degree", lambda _ratio, _bits: degree)
    with precision(96), mpmath.workdps(40):
        poly = chebyshev.interpolant(
            wave, Fraction(-1), Fraction(1), strip=STRIP, strip_bound=wave_bound()
        )
        error = mpmath.mpf(str(enclosure(poly.error).upper))
        worst = mpmath.mpf(0)
        for k in range(-50, 51):
            t = Fraction(k, 50)
            values = chebyshev.basis(t, degree + 1)
            value = mpmath.mpf(str(enclosure(chebyshev.combine(poly.coefficients, values)).lower))
            worst = max(worst, abs(value - mpmath.sin(3 * mpmath.mpf(k) / 50)))
    assert worst <= error
    # An entire function does better than any one strip says; the bound may not be absurd.
    assert worst > error * mpmath.mpf(10) ** -8


def test_derivative_coefficients():
    # T_3 = 4 t^3 - 3 t, derivative 12 t^2 - 3 = 6 T_2 + 3 T_0
    coefficients = [ball(c) for c in (0, 0, 0, 1)]
    derivative = [enclosure(c) for c in chebyshev.differentiated(coefficients)]
    assert [float(c.lower) for c in derivative] == [3.0, 0.0, 6.0]
    assert [c.lower == c.upper for c in derivative] == [True] * 3
    assert [float(enclosure(c).upper) for c in chebyshev.differentiated([ball(7)])] == [0.0]


@pytest.mark.parametrize(
    ("lower", "upper", "exact"),
    [
        ("0", "0.25", mpmath.sin(mpmath.mpf("0.75"))),
        ("-3", "10", mpmath.mpf(1)),
        ("0.5", "0.55", mpmath.sin(mpmath.mpf("1.57079632679489661923")) ** 0),
        ("1", "1.25", mpmath.sin(mpmath.mpf("3.75")) * -1),
    ],
)
def test_supremum_of_the_absolute_value(lower, upper, exact):
    with precision(64):
        found = enclosure(
            chebyshev.analytic_supremum(
                wave, Fraction(lower), Fraction(upper), strip=STRIP, strip_bound=wave_bound()
            )
        )
    assert mpmath.mpf(str(found.lower)) <= exact * (1 + mpmath.mpf(2) ** -50)
    assert exact * (1 - mpmath.mpf(2) ** -50) <= mpmath.mpf(str(found.upper))
    assert found.width_upper() < Fraction(1, 10**13)


def test_supremum_of_a_constant_and_of_a_point():
    with precision(64):
        for lower, upper in ((0, 1), (2, 2)):
            found = enclosure(
                chebyshev.analytic_supremum(
                    lambda _x: exact_ball(-0.5),
                    Fraction(lower),
                    Fraction(upper),
                    strip=STRIP,
                    strip_bound=ball(1),
                )
            )
            assert float(found.lower) <= 0.5 <= float(found.upper)
            assert found.width_upper() < Fraction(1, 10**13)


def test_a_supremum_below_the_threshold_is_only_bounded():
    with precision(64):
        found = chebyshev.analytic_supremum(
            wave, Fraction(-3), Fraction(3), strip=STRIP, strip_bound=wave_bound(), at_least=1.5
        )
        bounds = enclosure(found)
    assert float(bounds.lower) <= 1 <= float(bounds.upper) <= 1.5


def test_a_strip_that_is_too_thin_is_not_enclosed():
    with precision(64), pytest.raises(NotEnclosed, match="panels"):
        chebyshev.analytic_supremum(
            wave, Fraction(0), Fraction(1), strip=Fraction(1, 10**6), strip_bound=wave_bound()
        )
    with precision(64), pytest.raises(NotEnclosed, match="degree"):
        chebyshev.interpolant(
            wave, Fraction(0), Fraction(1), strip=Fraction(1, 10**4), strip_bound=wave_bound()
        )


@pytest.mark.parametrize("exponent", [200, 310, 400])
def test_an_interval_beyond_the_range_of_doubles_is_not_too_short(exponent):
    """On [0, 10^-310] the strip is 10^310 intervals wide, which no double holds."""
    tiny = Fraction(1, 10**exponent)
    with precision(64), mpmath.workdps(40):
        poly = chebyshev.interpolant(wave, Fraction(0), tiny, strip=STRIP, strip_bound=wave_bound())
        low, high = held(poly, tiny / 3)
        assert low <= mpmath.sin(mpmath.mpf(10) ** -exponent) <= high
        assert high - low < mpmath.mpf(10) ** -(exponent + 12)
        bounds = enclosure(
            chebyshev.analytic_supremum(
                wave, Fraction(0), tiny, strip=STRIP, strip_bound=wave_bound()
            )
        )
        truth = mpmath.sin(3 * mpmath.mpf(10) ** -exponent)
        slack = 1 + mpmath.mpf(2) ** -50
        # The supremum is known up to 2^-60 only, but never from the wrong side.
        assert mpmath.mpf(str(bounds.lower)) <= truth * slack
        assert truth <= mpmath.mpf(str(bounds.upper)) * slack
        assert bounds.width_upper() <= Fraction(1, 2**59)


def test_a_wider_strip_never_asks_for_a_larger_degree():
    degrees = [
        chebyshev._degree(Fraction(10) ** power, 64) for power in (-1, 0, 1, 5, 17, 18, 19, 40, 400)
    ]
    assert degrees == sorted(degrees, reverse=True)
    assert degrees[-1] >= 2
