"""The table of widths: every entry certified, no wider than a reference found by other code."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from verification.enclosure.balls import lower_double, precision, upper_double
from verification.errors import NotEnclosed
from verification.linear_rnn import power_law_width
from verification.linear_rnn.exponential_sum import ExponentialSum
from verification.linear_rnn.power_law_width import (
    ERRORS,
    EXPONENTS,
    entry,
    error_bounds,
    found_entry,
    necessary_width,
    sufficient_width,
    unit_law,
    witness_error,
)
from verification.linear_rnn.trace_bound import TracePlace
from verification.linear_rnn.trapezoidal_rule import TrapezoidalRule

F = Fraction
SOUND = {
    "exponent": "1",
    "error": "0.1",
    "rates": ["1", "2"],
    "coefficients": ["1", "3"],
    "place": {"ends": ["0", "1", "2"], "weights": ["1", "1"]},
}

# For an error of 1 %: what lower bounds, near-best sums and rules found by other code reached.
REFERENCE = {"1": (4, 5), "1/2": (5, 9), "1/5": (8, 18), "1/10": (15, 35), "1/20": (28, 68)}


@pytest.mark.parametrize("w", EXPONENTS, ids=str)
def test_every_entry_of_the_table_is_certified(w):
    before = 0, 0
    for error in ERRORS:
        assert (w, error) in power_law_width._table()
        with precision(64):
            widths = necessary_width(w, error), sufficient_width(w, error)
        # Half of the sufficient width is about what the bounds reach, a fourth for a rough error.
        assert widths[1] / 4.5 <= widths[0] <= widths[1]
        assert before[0] < widths[0]
        assert before[1] < widths[1]
        before = widths


@pytest.mark.parametrize(("w", "reference"), REFERENCE.items())
def test_the_table_is_no_worse_than_the_reference(w, reference):
    with precision(64):
        assert necessary_width(F(w), F(1, 100)) >= reference[0]
        assert sufficient_width(F(w), F(1, 100)) <= reference[1]


def test_stored_witnesses_are_decimals_of_positive_sums():
    witness = entry(F(1, 20), F(1, 100)).witness
    assert isinstance(witness, ExponentialSum)
    assert list(witness.rates) == sorted(witness.rates)
    # As long as 1 % of the memory is older than.
    assert 1 / witness.rates[0] > 10**40


def test_bounds_of_an_entry_decrease_with_the_width():
    for w, error in ((F(1), F(1, 100)), (F(1, 10), F(1, 10))):
        with precision(64):
            bounds = [lower_double(x) for x in error_bounds(w, error)]
            needed = necessary_width(w, error)
        assert bounds[0] == 1
        assert bounds[needed - 1] > error
        assert all(x <= error for x in bounds[needed:])


def test_nothing_is_needed_for_an_error_of_one():
    with precision(64):
        assert necessary_width(F(1), F(1)) == 0
        assert necessary_width(F(1), F(99, 100)) == 1


@pytest.mark.parametrize("w", ["3/10", "4"])
def test_entries_that_are_not_stored_are_found(w):
    found = found_entry(F(w), F(1, 10), thorough=False)
    assert isinstance(found.witness, ExponentialSum)
    with precision(64):
        assert 1 <= necessary_width(F(w), F(1, 10)) <= sufficient_width(F(w), F(1, 10))
        assert upper_double(witness_error(F(w), found.witness).upper) <= F(1, 10)


def test_a_very_long_memory_has_the_rule_for_a_witness():
    found = found_entry(F(1, 100), F(1, 10), thorough=False)
    assert isinstance(found.witness, TrapezoidalRule)
    assert isinstance(found.place, TracePlace)
    with precision(64):
        assert 5 <= necessary_width(F(1, 100), F(1, 10)) < sufficient_width(F(1, 100), F(1, 10))


def test_a_thorough_search_finds_what_the_table_has():
    found = found_entry(F(1), F(1, 100), thorough=True)
    stored = entry(F(1), F(1, 100))
    assert isinstance(found.witness, ExponentialSum)
    assert isinstance(stored.witness, ExponentialSum)
    assert found.witness.width == stored.witness.width
    document = power_law_width._document(F(1), F(1, 100))
    assert len(document["rates"]) == stored.witness.width


def test_the_unit_law_has_norm_one():
    (piece,) = unit_law(F(1, 7))
    with precision(64):
        assert lower_double(piece.tail(F(0))) == pytest.approx(1, abs=1e-15)


def test_a_witness_that_is_not_good_enough_is_refused(monkeypatch):
    rough = entry(F(1), F(1, 10))
    monkeypatch.setattr(power_law_width, "entry", lambda *_: rough)
    with precision(64):
        assert sufficient_width(F(1), F(1, 10)) == 3
        with pytest.raises(NotEnclosed, match="not below"):
            sufficient_width(F(1), F(1, 100))


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """Have the table read from a file that a test writes."""

    def written(text: str) -> None:
        (tmp_path / "power_law_table.json").write_text(text, encoding="utf-8")
        monkeypatch.setattr(power_law_width.resources, "files", lambda _: tmp_path)
        power_law_width._table.cache_clear()

    yield written
    monkeypatch.undo()
    power_law_width._table.cache_clear()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"rates": ["1", "1"]}, r"\[0\]: expected as many coefficients as distinct rates"),
        ({"coefficients": ["1", "-3"]}, r"\[0\]: expected positive rates and coefficients"),
        (
            {"place": {"ends": ["0", "2", "3"], "weights": ["1", "1"]}},
            r"\[0\]: expected end points",
        ),
        ({"place": {"ends": ["1", "2"], "points": ["0", "1"]}}, r"\[0\]: expected end points"),
        ({"place": {"ends": ["0", "2"]}}, r"\[0\].place: lacks the key 'points' or 'weights'"),
        ({"exponent": "-1"}, r"\[0\].exponent: is .-1., expected a positive"),
        ({"rates": "x"}, r"\[0\].rates: is "),
    ],
)
def test_a_damaged_table_is_said_to_be_so(stored, changed, said):
    stored(json.dumps([SOUND]))
    assert power_law_width.is_stored(F(1), F(1, 10))
    stored(json.dumps([{**SOUND, **changed}]))
    with pytest.raises(NotEnclosed, match=f"power_law_table.json, is damaged: {said}"):
        power_law_width.is_stored(F(1), F(1, 10))


def test_a_table_that_is_no_json_is_damaged(stored):
    stored("[")
    with pytest.raises(NotEnclosed, match="is damaged: line 1"):
        entry(F(1), F(1, 10))
