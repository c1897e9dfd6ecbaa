"""Arithmetic that is exact on rationals, and encloses as soon as a ball takes part."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.enclosure.balls import ball, end_points
from verification.enclosure.numbers import absolute, minus, over, times, total

rationals = st.fractions(min_value=-9, max_value=9, max_denominator=99)
OPERATIONS = {
    "minus": (minus, lambda a, b: a - b),
    "times": (times, lambda a, b: a * b),
    "over": (over, lambda a, b: a / b),
    "absolute": (lambda a, _: absolute(a), lambda a, _: abs(a)),
    "total": (lambda a, b: total([a, b, a]), lambda a, b: a + b + a),
}


@pytest.mark.parametrize("name", OPERATIONS)
@given(a=rationals, b=rationals.filter(bool))
def test_exact_on_rationals_and_enclosed_in_balls(name, a, b):
    operation, definition = OPERATIONS[name]
    expected = definition(a, b)
    assert operation(a, b) == expected
    for mixed in (operation(ball(a), b), operation(ball(a), ball(b))):
        low, high = end_points(mixed)
        assert low <= expected <= high
        # 53 bits, and a quotient by no less than 1/99.
        assert high - low <= Fraction(1, 2**30)
    assert total([]) == 0
