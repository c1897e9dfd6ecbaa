"""Distances of sums of exponentials from power laws: against mpmath and the general norm."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verification.enclosure.balls import lower_double, precision, upper_double
from verification.errors import NotEnclosed
from verification.linear_functional import Exponential, PowerLaw
from verification.linear_rnn import power_law_search
from verification.linear_rnn.exponential_sum import ExponentialSum, distance_from_power_law
from verification.linear_rnn.norm import l1_norm
from verification.linear_rnn.pieces import of_parts
from verification.linear_rnn.power_law_search import least_sum, near_best_sum, zeros_estimate
from verification.oracle import power_law as oracle

F = Fraction


def general_norm(w, exponentials, bits=30):
    parts = [PowerLaw(coefficient=F(1), exponent=w)]
    parts += [
        Exponential(coefficient=-c, rate=r)
        for c, r in zip(exponentials.coefficients, exponentials.rates, strict=True)
    ]
    return l1_norm(of_parts(parts), bits=bits)


@pytest.mark.parametrize(("w", "width"), [("1", 1), ("1", 4), ("1/2", 6), ("1/5", 8)])
def test_the_distance_agrees_with_quadrature_and_the_general_norm(w, width):
    w = F(w)
    exponentials = near_best_sum(w, width)
    with precision(64):
        found = distance_from_power_law(w, exponentials)
        low, high = lower_double(found.lower), upper_double(found.upper)
        other = general_norm(w, exponentials)
    assert high - low <= 1e-13
    assert lower_double(other.lower) <= high
    assert upper_double(other.upper) >= low
    if width <= 4:
        terms = list(zip(exponentials.coefficients, exponentials.rates, strict=True))
        truth = oracle.distance(w, terms, digits=15)
        assert low - 1e-11 <= float(truth.value) <= high + 1e-11


def test_the_best_single_exponential_is_a_known_one():
    """For w = 1, m = 1 the two conditions ``int sign(g) t^n exp(-r t) = 0`` fix the zeros."""
    exponentials = near_best_sum(F(1), 1)
    rate = float(exponentials.rates[0])
    a, b = (float(t) * rate for t in zeros_estimate(F(1), exponentials))
    # 1 - 2 e^-a + 2 e^-b = 0 and the same with (1 + x) e^-x
    assert 1 - 2 * math.exp(-a) + 2 * math.exp(-b) == pytest.approx(0, abs=1e-4)
    once = [(1 + x) * math.exp(-x) for x in (a, b)]
    assert 1 - 2 * once[0] + 2 * once[1] == pytest.approx(0, abs=1e-4)
    with precision(64):
        error = distance_from_power_law(F(1), exponentials)
    assert lower_double(error.lower) == pytest.approx(0.2909675, abs=1e-6)


def test_no_change_of_the_best_sum_is_better():
    exponentials = near_best_sum(F(1, 2), 3)
    rng = np.random.default_rng(5)
    with precision(64):
        best = upper_double(distance_from_power_law(F(1, 2), exponentials).upper)
        for _ in range(10):
            moved = ExponentialSum(
                rates=tuple(r * F(1 + rng.normal() / 50) for r in exponentials.rates),
                coefficients=tuple(c * F(1 + rng.normal() / 50) for c in exponentials.coefficients),
            )
            assert lower_double(general_norm(F(1, 2), moved, bits=20).lower) > best


def test_too_few_changes_of_sign_are_no_certificate():
    above = ExponentialSum(rates=(F(1),), coefficients=(F(1, 1000),))
    with precision(64), pytest.raises(NotEnclosed, match="0 changes of sign were found of 2"):
        distance_from_power_law(F(1), above)


def test_one_change_of_sign_fewer_is_enough():
    """A sum that begins above the law crosses it an odd number of times: 2m - 1 at most."""
    above = ExponentialSum(rates=(F(3),), coefficients=(F(2),))
    with precision(64):
        found = distance_from_power_law(F(1), above)
        other = general_norm(F(1), above)
    assert upper_double(found.upper) >= lower_double(other.lower)
    assert upper_double(other.upper) >= lower_double(found.lower)
    assert len(zeros_estimate(F(1), above)) == 1


@pytest.mark.parametrize(
    ("rates", "coefficients"),
    [((1, 1), (1, 2)), ((1,), (1, 2)), ((0,), (1,)), ((1,), (-1,))],
)
def test_other_sums_are_refused(rates, coefficients):
    with pytest.raises(ValueError, match="expected"):
        ExponentialSum(rates=tuple(map(F, rates)), coefficients=tuple(map(F, coefficients)))


@settings(max_examples=20, deadline=None)
@given(
    st.fractions(F(1, 10), 2, max_denominator=10),
    st.lists(
        st.tuples(st.integers(-60, 30), st.integers(-60, 0)),
        min_size=1,
        max_size=3,
        unique_by=lambda x: x[0],
    ),
)
def test_whatever_is_certified_agrees_with_the_general_norm(w, logs):
    exponentials = ExponentialSum(
        rates=tuple(F(math.exp(x / 20)) for x, _ in logs),
        coefficients=tuple(F(math.exp(y / 20)) for _, y in logs),
    )
    with precision(64):
        try:
            found = distance_from_power_law(w, exponentials)
        except NotEnclosed:
            return
        other = general_norm(w, exponentials, bits=24)
    assert lower_double(found.lower) <= upper_double(other.upper)
    assert lower_double(other.lower) <= upper_double(found.upper)


def test_the_least_sum_is_as_narrow_as_the_reference():
    for w, error, width in (("1", "0.01", 5), ("1/5", "0.01", 18)):
        found = least_sum(F(w), F(error), 40)
        assert found is not None
        assert found.width <= width
        with precision(64):
            assert upper_double(distance_from_power_law(F(w), found).upper) <= F(error)
    assert least_sum(F(1), F("0.01"), 4) is None


def test_a_missing_last_change_of_sign_is_noticed(monkeypatch):
    """Two changes of sign, of which only the first is looked at: far away g is positive."""
    exponentials = near_best_sum(F(1), 1)
    first, _ = zeros_estimate(F(1), exponentials)
    monkeypatch.setattr(power_law_search, "zeros_estimate", lambda *_: [first])
    # Another precision than that of other tests: what is known is remembered.
    with precision(190), pytest.raises(NotEnclosed, match="1 changes of sign were found of 2"):
        distance_from_power_law(F(1), exponentials)
