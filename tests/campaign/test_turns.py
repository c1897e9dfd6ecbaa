"""Turns of the search: seeded, ended by a refutation, and honest about what they met."""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction

import pytest
import toy_claims as toys

from verification.campaign import turns
from verification.campaign.turns import (
    BARREN_EXAMPLES,
    CHANGED,
    FAULT,
    FRESH,
    TURN_SECONDS,
    Example,
    Shrinking,
    Turn,
    level_of,
    sharper,
    shrink,
    take_turn,
    turn_seed,
)
from verification.decision import decide
from verification.verdict import Verdict

LIVENESS = 600.0
"""For turns that end by what they find: none takes as long."""


def turn(claim, **more):
    return Turn(
        **{
            "claim": claim,
            "source": "any",
            "number": 1,
            "seed": 5,
            "level": Fraction(1, 10**6),
            "seconds": LIVENESS,
        }
        | more
    )


def taken(claim, examples=20, **more):
    """Take a turn that ends after some examples: how many a second brings is not for a test."""
    is_over = turns._Notes.is_over

    def has_enough(notes):
        return is_over(notes) or sum(notes._verdicts.values()) >= examples

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turns._Notes, "is_over", has_enough)
        return take_turn(turn(claim, **more), LIVENESS)


@pytest.mark.parametrize("source", [*FRESH["instance/1"], CHANGED])
def test_every_source_is_drawn_from(source):
    found = taken(toys.TRUE, source=source, tightest=(toys.instance(),))
    assert found.verdicts == {"CERTIFIED": 20}
    assert found.kept
    assert found.refuted is None


def test_a_turn_ends_when_its_time_is_over():
    found = take_turn(turn(toys.TRUE), 0.2)
    assert 0.2 <= found.seconds < LIVENESS
    assert found.refuted is None
    assert take_turn(turn(toys.FALSE), 0.0).verdicts == {}


def test_the_same_seed_draws_the_same_and_another_one_others():
    first, again, other = (taken(toys.CROWDED, seed=seed) for seed in (1, 1, 2))
    assert first.refuted == again.refuted
    assert first.verdicts == again.verdicts
    assert first.refuted != other.refuted


def test_the_simplest_example_of_all_is_decided_in_the_first_turn_only():
    first, second = (
        [taken(toys.FALSE, seed=seed, number=number).refuted.subject for seed in (1, 2)]
        for number in (0, 1)
    )
    assert first[0] == first[1]
    assert first[0] not in second
    assert second[0] != second[1]


def test_a_refutation_ends_the_turn_and_is_replayed():
    found = taken(toys.CROWDED)
    assert found.verdicts["REFUTED"] == 1
    example = found.refuted
    assert example.side == "above"
    assert example.subject.chain.n_states > 3
    again = decide(toys.CROWDED, example.subject, seed=example.seed)
    assert again.verdict is Verdict.REFUTED


def test_search_by_changes_finds_what_is_tighter():
    found = taken(toys.SHARED, source=CHANGED, tightest=(toys.instance(),), examples=200)
    states = {example.subject.chain.n_states for example in found.kept}
    assert max(states) >= 5
    for example in found.kept:
        # A lower bound of the ratio, rounded once from 17 digits to a double.
        truth = min(example.subject.chain.n_states, 9) / 10
        assert truth - 1e-15 <= example.tightness <= truth


def test_equalities_the_next_tightest_and_all_others_are_changed():
    rng = random.Random(0)
    chosen = Counter(turns._chosen([0.2, 1.0, 0.9, 0.1], rng) for _ in range(900))
    # A third each for the tightest and for the tightest but equalities; a twelfth more for each.
    assert all(chosen[k] > 20 for k in range(4))
    assert min(chosen[1], chosen[2]) > 2 * max(chosen[0], chosen[3])
    assert turns._chosen([1.0], rng) == 0


def test_what_is_no_sharper_is_not_kept():
    found = taken(toys.TRUE)
    records = {cell: example.tightness for example in found.kept for cell in example.cells}
    assert taken(toys.TRUE, records=records).kept == ()


def test_assumptions_are_counted_in_their_order():
    assert taken(toys.UNMET).satisfied == (0,)
    assert taken(toys.UNMET).verdicts.keys() == {"INAPPLICABLE"}


@pytest.mark.parametrize("claim", [toys.UNMET, toys.EMPTY])
def test_a_turn_of_nothing_useful_ends_early_and_counts_as_a_whole_one(claim):
    found = take_turn(turn(claim), LIVENESS)
    assert sum(found.verdicts.values()) == BARREN_EXAMPLES
    assert found.charged == max(found.seconds, TURN_SECONDS)


def test_a_turn_of_something_useful_counts_as_long_as_it_took():
    found = taken(toys.TRUE)
    assert found.charged == found.seconds


def test_vacuous_examples_reach_no_cell():
    found = taken(toys.EMPTY)
    assert found.verdicts.keys() == {"VACUOUS"}
    assert (found.cells, found.kept) == ({}, ())


def test_a_fault_is_found_once_and_ends_nothing():
    found = taken(toys.FAULTY)
    assert found.verdicts == {FAULT: 20}
    (example,) = found.kept
    assert example.cells == ("fault: LookupError",)


def test_an_example_that_takes_too_long_is_given_up_and_kept(monkeypatch):
    monkeypatch.setattr(turns, "TOO_LONG_SECONDS", 0.2)
    found = taken(toys.SLOW, examples=1)
    assert found.verdicts == {FAULT: 1}
    (example,) = found.kept
    assert example.cells == ("fault: TooLong",)


def test_levels_of_all_items_sum_to_the_level():
    total = sum(level_of(number, Fraction(1)) for number in range(1000))
    assert total == 1 - Fraction(1, 1001)


def test_seeds_differ_with_everything_that_names_a_turn():
    seeds = [turn_seed(1, 1, "M1", "any", 0), turn_seed(2, 1, "M1", "any", 0)]
    seeds += [turn_seed(1, 2, "M1", "any", 0), turn_seed(1, 1, "M2", "any", 0)]
    seeds += [turn_seed(1, 1, "M1", "any", 1), turn_seed(1, 1, "M1", CHANGED, 0)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize(
    ("tightness", "record", "expected"),
    [
        (0.1, None, True),
        (-1.0, None, True),
        (0.5, 0.5, False),
        (0.55, 0.5, True),
        (0.54, 0.5, False),
        (0.4, 0.5, False),
        (1.0, 1 - 1e-5, True),
        (1.0, 1 - 1e-7, False),
        (2.0, 1.5, False),
        (0.0, -1.0, True),
    ],
)
def test_what_counts_as_sharper(tightness, record, expected):
    assert sharper(tightness, record) is expected


def test_shrinking_finds_four_states():
    found = taken(toys.CROWDED).refuted
    shrunk = shrink(
        Shrinking(claim=toys.CROWDED, example=found, first="", level=Fraction(1, 10**6)), LIVENESS
    )
    assert shrunk.done
    assert shrunk.example.subject.chain.n_states == 4
    assert shrunk.example.verdict is Verdict.REFUTED
    again = decide(toys.CROWDED, shrunk.example.subject, seed=shrunk.example.seed)
    assert again.verdict is Verdict.REFUTED


def test_without_time_nothing_is_shrunk():
    example = Example(
        subject=toys.instance(),
        seed=0,
        verdict=Verdict.REFUTED,
        tightness=-1.0,
        cells=(),
    )
    task = Shrinking(claim=toys.FALSE, example=example, first="", level=Fraction(1, 10**6))
    shrunk = shrink(task, 0.0)
    assert (shrunk.example, shrunk.done) == (example, False)
