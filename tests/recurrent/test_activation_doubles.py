"""Activations in double precision: errors against mpmath at 50 digits stay below their bounds."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from verification.campaign import strategies
from verification.enclosure.balls import ball, exact_ball, lower_double, precision, upper_double
from verification.enclosure.doubles import ASSUMED_ULP, ELEMENTARY_RANGE, Rounded
from verification.errors import NotEnclosed
from verification.instance import FAMILIES, ActivationSpec, Term
from verification.oracle import activation as oracle
from verification.recurrent.activation import activation
from verification.recurrent.activation_doubles import ORDERS, evaluate, evaluation

F = Fraction
FEWER = settings(max_examples=max(10, settings.default.max_examples // 2))
"""Half of the profile's examples."""
ULP = Fraction(1, 2**53)
"""One unit in the last place of a number just below one."""

arguments = st.one_of(
    st.floats(-8, 8),
    st.floats(-40, 40),
    st.floats(-1e9, 1e9),
    st.floats(-1e-300, 1e-300),
)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("family", FAMILIES)
def test_named_activations_stay_within_their_bounds(family, order, record_property):
    spec = ActivationSpec.named(family)
    bound = evaluation(spec, order, Rounded(F(10**9)), F(10**9))
    largest = [F(0)]

    @given(st.lists(arguments, min_size=1, max_size=5))
    def check(points):
        values = evaluate(spec, order, np.array(points))
        for t, value in zip(points, values.tolist(), strict=True):
            answer = oracle.derivative(spec, order, F(t), digits=50)
            error = abs(F(value) - answer.value)
            assert error <= bound.error + answer.spread
            assert abs(F(value)) <= bound.size
            largest[0] = max(largest[0], error)

    check()
    record_property(
        f"largest error: {family}, derivative {order}" if order else f"largest error: {family}",
        (float(largest[0] / ULP), f"bound {float(bound.error / ULP):.3f}"),
    )


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("family", FAMILIES)
def test_named_activations_stay_within_their_bounds_everywhere(family, order):
    """On a dense grid, against balls; and the bound is no more than what is assumed costs."""
    spec = ActivationSpec.named(family)
    bound = evaluation(spec, order, Rounded(F(10**9)), F(10**9)).error
    points = np.concatenate(
        [np.linspace(-9, 9, 2001), np.linspace(-750, 750, 301), np.geomspace(1e-310, 1e-3, 100)]
    )
    values = evaluate(spec, order, points.copy())
    sigma = activation(spec)
    worst = F(0)
    with precision(128):
        for t, value in zip(points.tolist(), values.tolist(), strict=True):
            gap = abs(exact_ball(value) - sigma.derivative(order, exact_ball(t)))
            worst = max(worst, F(upper_double(gap)))
    assert worst <= bound
    assert bound <= 12 * max(ASSUMED_ULP.values()) * max(worst, ULP / 2)


@FEWER
@given(st.data())
def test_mixtures_stay_within_their_bounds(data):
    spec = data.draw(strategies.activations())
    order = data.draw(st.sampled_from(ORDERS))
    points = np.array(data.draw(st.lists(st.floats(-20, 20), min_size=1, max_size=4)))
    # Arguments that are rounded already, by an error that each of them may have.
    blur = F(data.draw(st.integers(0, 100)), 10**14)
    bound = evaluation(spec, order, Rounded(F(20), blur), F(20))
    values = evaluate(spec, order, points.copy())
    sigma = activation(spec)
    with precision(200):
        for t, value in zip(points.tolist(), values.tolist(), strict=True):
            for exact in (F(t), F(t) - blur, F(t) + blur):
                gap = abs(exact_ball(value) - sigma.derivative(order, ball(exact)))
                assert F(lower_double(gap)) <= bound.error
            assert abs(F(value)) <= bound.size
    answer = oracle.derivative(spec, order, F(points[0]), digits=50)
    assert abs(F(float(values[0])) - answer.value) <= bound.error + answer.spread


def test_the_bound_grows_with_the_arguments_error_by_the_lipschitz_constant():
    spec = ActivationSpec.named("logistic")
    sharp, blurred = (
        evaluation(spec, 0, Rounded(F(1), error), F(1)).error for error in (F(0), F(1, 1000))
    )
    assert blurred - sharp == F(1, 4000)


def one_term(scale: str, shift: str = "0") -> ActivationSpec:
    return ActivationSpec(terms=(Term(weight=F(1), scale=F(scale), shift=F(shift), of="sin"),))


@pytest.mark.parametrize(
    ("spec", "largest"),
    [
        (ActivationSpec.named("sin"), F(ELEMENTARY_RANGE) + F(1, 10)),
        (one_term("1000"), F(2**21)),
        (one_term("1", "2e9"), F(1)),
    ],
)
def test_arguments_beyond_the_measured_range_are_not_enclosed(spec, largest):
    with pytest.raises(NotEnclosed, match="may exceed"):
        evaluation(spec, 0, Rounded(largest), largest)


def test_numbers_beyond_the_doubles_are_not_enclosed():
    with pytest.raises(NotEnclosed, match="beyond the range"):
        evaluation(one_term("1e400"), 0, Rounded(F(0)), F(0))


@given(strategies.activations(), st.sampled_from(ORDERS))
def test_named_activations_work_in_place_and_mixtures_leave_no_nan(spec, order):
    t = np.linspace(-1e6, 1e6, 7)
    assume(all(abs(term.scale) <= 100 for term in spec.terms))
    values = evaluate(spec, order, t)
    assert np.isfinite(values).all()
    assert (values is t) is (spec.label != "mixture")
