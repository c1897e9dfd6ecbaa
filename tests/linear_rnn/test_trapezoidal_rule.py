"""The trapezoidal rule for power laws against mpmath, and its bound against the true error."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verification.enclosure.balls import end_points, lower_double, precision, upper_double
from verification.errors import NotEnclosed
from verification.linear_rnn.norm import integral, l1_norm
from verification.linear_rnn.power_law_search import rule_of_error, rule_of_width
from verification.linear_rnn.power_law_width import unit_law
from verification.linear_rnn.trapezoidal_rule import (
    RulePiece,
    TrapezoidalRule,
    discretisation_error,
    dropped_above,
    dropped_below,
    error_bound,
    mass,
)
from verification.oracle import power_law as oracle

F = Fraction


def make(w, step, first, count) -> TrapezoidalRule:
    return TrapezoidalRule(exponent=F(w), step=F(step), first=F(first), count=count)


def test_the_discretisation_error_agrees_with_mpmath():
    for w, h in ((F(1), F(1)), (F(1, 20), F(3, 2)), (F(3), F(1, 2)), (F(1, 2), F(8))):
        truth = oracle.discretisation_error(w, h, digits=30)
        for bits in (64, 200):
            with precision(bits):
                low, high = end_points(discretisation_error(w, h))
            # The oracle sums fewer terms than there are.
            assert low - truth.spread <= truth.value <= high + truth.spread
            assert high - low <= truth.value * F(1, 2 ** (bits - 20))


def test_gamma_on_the_line_of_real_part_two_is_known():
    # |Gamma(2 + i y)|^2 = (1 + y^2) pi y / sinh(pi y)
    with precision(100):
        found = discretisation_error(F(1), F(2))
    with mpmath.workdps(30):
        terms = []
        for k in range(1, 30):
            y = mpmath.pi * k
            terms.append(mpmath.sqrt((1 + y * y) * mpmath.pi * y / mpmath.sinh(mpmath.pi * y)))
        truth = 2 * mpmath.fsum(terms)
        low, high = (mpmath.mpf(x.numerator) / x.denominator for x in end_points(found))
        assert low - mpmath.mpf(10) ** -25 <= truth <= high + mpmath.mpf(10) ** -25


def test_a_very_long_step_is_not_enclosed():
    with precision(64), pytest.raises(NotEnclosed, match="too long"):
        discretisation_error(F(1), F(1000))


@pytest.mark.parametrize(
    ("w", "h", "z"), [("1", "1", "-2"), ("1/20", "3/2", "-40"), ("2", "1/2", "-1")]
)
def test_masses_dropped_below_are_bounded_sharply(w, h, z):
    w, h, z = F(w), F(h), F(z)
    with precision(64):
        bound = upper_double(dropped_below(w, h, z))
        masses = sum(lower_double(mass(w, h, z - j * h)) for j in range(4000))
    assert masses <= bound
    # exp(-e^z) is all that was left out.
    assert masses >= bound * float(mpmath.exp(-mpmath.exp(float(z)))) * (1 - 1e-12)


@pytest.mark.parametrize(
    ("w", "h", "z"), [("1", "1", "2"), ("1/20", "3/2", "1"), ("2", "1/2", "2")]
)
def test_masses_dropped_above_are_bounded_sharply(w, h, z):
    w, h, z = F(w), F(h), F(z)
    with precision(64):
        bound = upper_double(dropped_above(w, h, z))
        first = lower_double(mass(w, h, z))
        masses = sum(lower_double(mass(w, h, z + j * h)) for j in range(60))
    assert masses <= bound * (1 + 1e-15)
    assert masses >= 0.9 * bound
    assert bound > first


def test_masses_that_increase_are_not_bounded():
    with precision(64), pytest.raises(NotEnclosed, match="increase"):
        dropped_above(F(3), F(1), F(0))


def test_the_piece_is_what_its_primitives_say():
    piece = RulePiece(make("1/2", 1, -4, 7), F(1))
    with precision(100):
        norm = l1_norm((piece,), bits=40)
        exact = integral((piece,), F(0), None)
        masses = [mass(F(1, 2), F(1), z) for z in piece.rule.nodes]
        assert lower_double(norm.lower) == pytest.approx(lower_double(exact), rel=1e-15)
        total = sum(lower_double(m) for m in masses)
        assert lower_double(exact) == pytest.approx(total, rel=1e-14)
        # The second primitive: its differences are integrals of the first one.
        t, d = F(1), F(1, 2**20)
        slope = (piece.primitive(t + d, 2) - piece.primitive(t - d, 2)) / (2 * 2.0**-20 and 1)
        assert lower_double(slope) * 2**19 == pytest.approx(
            lower_double(piece.primitive(t)), rel=1e-9
        )


@pytest.mark.parametrize("rule", [make(1, "1.373", "-2.145", 3), make("1/5", 2, -20, 13)])
def test_the_error_of_a_rule_agrees_with_quadrature(rule):
    with precision(64):
        found = l1_norm((*unit_law(rule.exponent), RulePiece(rule)), bits=30)
    with precision(200):
        terms = []
        for z in rule.nodes:
            rate = end_points(mass_rate(z))[0]
            weight = end_points(mass(rule.exponent, rule.step, z))[0]
            terms.append((weight * rate, rate))
    truth = oracle.distance(rule.exponent, terms, digits=15)
    assert lower_double(found.lower) <= float(truth.value) * (1 + 1e-9)
    assert upper_double(found.upper) >= float(truth.value) * (1 - 1e-9)
    assert upper_double(found.upper) <= float(truth.value) * (1 + 1e-6)


def mass_rate(z):
    from verification.enclosure.balls import ball  # noqa: PLC0415

    return ball(z).exp()


@settings(max_examples=25, deadline=None)
@given(
    st.fractions(F(1, 20), 3, max_denominator=20),
    st.fractions(F(1, 2), 3, max_denominator=8),
    st.integers(-8, 0),
    st.integers(1, 8),
)
def test_the_bound_holds_for_any_rule(w, h, first, count):
    rule = make(w, h, first, count)
    with precision(64):
        try:
            bound = error_bound(rule)
        except NotEnclosed:
            # The masses still increase at the high end.
            return
        error = l1_norm((*unit_law(w), RulePiece(rule)), bits=8)
        assert lower_double(error.lower) <= upper_double(bound)


@pytest.mark.parametrize(
    ("w", "counts"),
    [("1", (3, 7, 13, 19)), ("1/2", (5, 12, 21, 32)), ("1/10", (17, 45, 83, 133))],
)
def test_rules_are_no_wider_than_the_reference(w, counts):
    """Counts of a search over step and both ends by other code."""
    for k, count in enumerate(counts, start=1):
        error = F(1, 10**k)
        rule = rule_of_error(F(w), error)
        assert rule.count <= count
        with precision(64):
            assert upper_double(error_bound(rule)) <= error


def test_the_bound_in_doubles_is_that_in_balls():
    for w, width in ((F(1), 4), (F(1, 10), 30), (F(1, 100), 80)):
        rule, bound = rule_of_width(w, width)
        with precision(64):
            assert upper_double(error_bound(rule)) == pytest.approx(bound, rel=1e-7)
