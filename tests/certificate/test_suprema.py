"""Suprema of the activation as the checker finds them, against another library and a grid."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import pytest
from activation_functions import FUNCTIONS

from verification.certificate.check.instances import FAMILIES, Term
from verification.certificate.check.numbers.balls import ball, lower, precision, upper
from verification.certificate.check.numbers.search import largest_value
from verification.certificate.check.outcome import Budget, Invalid, Refused
from verification.certificate.check.recurrent import suprema
from verification.certificate.check.recurrent.activations import constant, curve
from verification.certificate.check.recurrent.suprema import (
    largest_derivative,
    largest_on_strip,
    tail_on_line,
)

NAMED = {family: (Term(Fraction(1), Fraction(1), Fraction(0), family),) for family in FAMILIES}
MIXTURE = (
    Term(Fraction(1, 2), Fraction(1), Fraction(1, 5), "tanh"),
    Term(Fraction(-3, 10), Fraction(2), Fraction(-1), "logistic"),
    Term(Fraction(1, 4), Fraction(-4, 5), Fraction(1, 10), "erf"),
)
STEP = Fraction(1, 32)
"""Of a grid on which a largest value falls short by less than a thousandth."""


def value(terms, order, z):
    """Return a derivative by Cauchy's integral: mpmath's own differentiation."""
    return sum(
        mpmath.mpf(t.weight.numerator)
        / t.weight.denominator
        * mpmath.mpf(t.scale.numerator) ** order
        / mpmath.mpf(t.scale.denominator) ** order
        * mpmath.diff(FUNCTIONS[t.family], float(t.scale) * z + float(t.shift), order)
        for t in terms
    )


@pytest.mark.parametrize("order", range(4))
@pytest.mark.parametrize("family", FAMILIES)
def test_a_named_functions_supremum_is_its_constant(family, order):
    found = largest_derivative(NAMED[family], order, Budget())
    with precision(128):
        named = constant(NAMED[family], order)
        assert lower(named) * (1 - Fraction(1, 2**43)) <= found.lower <= upper(named)
        assert lower(named) <= found.upper <= upper(named) * (1 + Fraction(1, 2**43))


@pytest.mark.parametrize("order", range(4))
def test_a_mixtures_supremum_is_what_a_grid_shows(order):
    found = largest_derivative(MIXTURE, order, Budget())
    grid = [abs(value(MIXTURE, order, float(k * STEP))) for k in range(-160, 161)]
    most = max(*grid, mpmath.mpf("0.25") if order == 0 else 0)
    assert most * (1 - mpmath.mpf(2) ** -50) <= float(found.upper)
    assert float(found.lower) <= most * mpmath.mpf("1.001")
    assert found.upper <= found.lower * (1 + Fraction(1, 2**43))


@pytest.mark.parametrize("width", [Fraction(1, 4), Fraction(7, 10)])
@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("terms", [*NAMED.values(), MIXTURE[:2]])
def test_a_strips_supremum_is_what_a_grid_shows(terms, order, width):
    found = largest_on_strip(terms, order, width, Budget())
    grid = [
        abs(value(terms, order, mpmath.mpc(float(k * STEP), float(width))))
        for k in range(-160, 161)
    ]
    far = abs(value(terms, order, mpmath.mpc(1e6, float(width)))) if order == 0 else 0
    most = max(*grid, far)
    assert most * (1 - mpmath.mpf(2) ** -40) <= float(found.upper)
    assert float(found.lower) <= most * mpmath.mpf("1.001")


@pytest.mark.parametrize("order", range(4))
@pytest.mark.parametrize("family", FAMILIES)
def test_beyond_the_interval_derivatives_are_below_their_bounds(family, order):
    with precision(256):
        for start in (40, 60):
            bound = upper(tail_on_line(family, order, ball(start)))
            for at in (start, start + 1, -start, -2 * start):
                assert lower(abs(curve(NAMED[family], order)(ball(at)))) <= bound
            if family not in {"sin", "logistic"} or order < 2:
                near = abs(curve(NAMED[family], order)(ball(start)))
                assert bound <= 3 * max(upper(near), Fraction(1, 2) if family == "sin" else 0)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("family", FAMILIES)
def test_far_from_the_poles_a_strip_is_below_its_bound(family, order):
    start = 40 if family == "arctan" else 1
    width = Fraction(3, 4)
    with precision(128):
        bound = upper(suprema._tail_on_strip(family, order, ball(start), ball(width)))
    for x in (start, start + 0.5, 2 * start, -start, -3 * start):
        for y in (0, 0.3, 0.75):
            assert abs(value(NAMED[family], order, mpmath.mpc(x, y))) <= float(bound) * (1 + 1e-15)


@pytest.mark.parametrize("family", FAMILIES)
def test_far_out_a_function_is_near_its_limit(family):
    with mpmath.workdps(800), precision(256):
        gap = upper(suprema._gap(family, ball(40), ball(Fraction(3, 4))))
        gap = mpmath.mpf(gap.numerator) / gap.denominator
        for side in (-1, 1):
            limit = mpmath.mpf(suprema._limit(family, Fraction(side)).str(60, radius=False))
            for x, y in ((40, 0), (40, 0.75), (50, 0.75)):
                apart = abs(value(NAMED[family], 0, mpmath.mpc(side * x, y)) - limit)
                assert apart <= gap * (1 + mpmath.mpf(10) ** -50)
                assert x > 40 or family == "sin" or gap <= 10 * apart


def test_a_function_of_very_slow_and_fast_parts_is_searched():
    terms = (
        Term(Fraction(1), Fraction(1, 10_000), Fraction(20), "tanh"),
        Term(Fraction(1, 100), Fraction(1), Fraction(0), "tanh"),
    )
    found = largest_on_strip(terms, 1, Fraction(157, 400), Budget())
    # 1/100 / cos(a)^2, where the slow part is flat, and 1e-4 more where it is steep.
    assert 0.01171 < found.lower <= found.upper < 0.01172


def test_what_oscillates_too_often_is_bounded_term_by_term():
    terms = tuple(
        Term(Fraction(1), scale, Fraction(0), "sin") for scale in (Fraction(1), Fraction(99_991))
    )
    found = largest_derivative(terms, 0, Budget())
    assert found.upper <= 2 * (1 + Fraction(1, 2**43))
    assert found.lower >= 1


def test_a_strip_beyond_a_pole_is_invalid_and_much_work_refused():
    with pytest.raises(Invalid, match="nearest pole"):
        largest_on_strip(NAMED["arctan"], 0, Fraction(1), Budget())
    with pytest.raises(Refused, match="operations"):
        largest_derivative(NAMED["tanh"], 2, Budget(10_000))


def test_a_search_says_what_it_does_not_know():
    def look(low, high):
        return Fraction(0), None if high - low > 1 else high

    assert largest_value(look, Fraction(4), Fraction(1, 8), 2) is None
    found = largest_value(look, Fraction(4), Fraction(1, 8), 20, Fraction(7, 2))
    assert (found.lower, found.upper) == (Fraction(7, 2), Fraction(4))


def test_error_functions_of_unlike_scales_are_searched_far_out():
    """The search begins where the wider one ends, far beyond the other one's numbers."""
    terms = tuple(
        Term(Fraction(1), scale, Fraction(0), "erf") for scale in (Fraction(1, 16), Fraction(3))
    )
    slope = largest_derivative(terms, 1, Budget())
    on_strip = largest_on_strip(terms, 1, Fraction(1, 2), Budget())
    with mpmath.workdps(20):
        truth = 2 / mpmath.sqrt(mpmath.pi) * mpmath.mpf(49) / 16
        assert abs(float(slope.upper) - truth) < 1e-9
        # On the line through i/2 both are largest at 0.
        near, far = (scale * mpmath.exp(scale**2 / 4) for scale in (mpmath.mpf(1) / 16, 3))
        assert abs(float(on_strip.upper) - 2 / mpmath.sqrt(mpmath.pi) * (near + far)) < 1e-9
