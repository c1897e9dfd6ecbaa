"""The error level of a run, shared."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.statistics.ledger import RUN_LEVEL, Ledger, level_text


@given(st.integers(1, 10**6), st.fractions(Fraction(1, 10**12), Fraction(1, 2)))
def test_the_shares_of_all_decisions_are_the_whole(decisions, total):
    assert Ledger(decisions=decisions, total=total).share * decisions == total


def test_a_run_without_simulation_has_its_level_left():
    assert Ledger(decisions=0).share == RUN_LEVEL == Fraction(1, 10**6)


@pytest.mark.parametrize(
    ("level", "text"),
    [
        (Fraction(1, 10**6), "1e-6"),
        (Fraction(1, 10**6) / 3, "3.34e-7"),
        (Fraction(1, 4), "2.5e-1"),
        (Fraction(1, 10**6) / 40, "2.5e-8"),
        (Fraction(9999, 10**8), "1e-4"),
    ],
)
def test_a_level_is_shown_in_few_digits_rounded_up(level, text):
    assert level_text(level) == text
    assert level <= Fraction(text) <= level * Fraction(101, 100)
