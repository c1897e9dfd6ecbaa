"""Changes of instances: valid, different, of bounded size, and able to reach what they should."""

from __future__ import annotations

import json
import random

import pytest
import toy_claims as toys
from hypothesis import given
from hypothesis import strategies as st

from verification import gallery, strict_json
from verification.campaign.changes import (
    LARGEST_DENOMINATOR,
    LARGEST_WEIGHT,
    MAX_ATOMS,
    MAX_STATES,
    changed,
    nudged,
    weighted,
    without_state,
)
from verification.campaign.linear_strategies import (
    linear_functionals,
    single_functionals,
    trained_functionals,
)
from verification.campaign.regimes import all_cells, cells
from verification.campaign.strategies import instances
from verification.instance import AtomicLaw
from verification.linear_functional import PARTS, Switching, kind_of
from verification.subject import read_subject

SEEDS = st.integers(0, 2**32)


def reread(subject):
    return read_subject(strict_json.loads(json.dumps(subject.to_json())))


@given(instances() | linear_functionals() | single_functionals() | trained_functionals(), SEEDS)
def test_what_comes_out_is_valid_exact_json(subject, seed):
    after = changed(subject, random.Random(seed))
    assert after.schema == subject.schema
    assert reread(after) == after


@given(instances(), SEEDS)
def test_the_same_draws_make_the_same_changes(instance, seed):
    assert changed(instance, random.Random(seed)) == changed(instance, random.Random(seed))


def many_changes(subject, count=300):
    rng = random.Random(0)
    for _ in range(count):
        subject = changed(subject, rng)
        yield subject


def test_sizes_stay_bounded_through_hundreds_of_changes():
    found = list(many_changes(gallery.load("two-dimensional")))
    assert max(instance.chain.n_states for instance in found) <= MAX_STATES
    atoms = [len(i.law.atoms) for i in found if isinstance(i.law, AtomicLaw)]
    assert max(atoms) <= MAX_ATOMS
    denominators = [p.denominator for i in found for row in i.chain.rows for _, p in row]
    # A row of weights up to LARGEST_WEIGHT sums to at most as many times that as it has entries.
    assert max(denominators) <= MAX_STATES * LARGEST_WEIGHT
    inputs = [x.denominator for i in found for point in i.chain.inputs for x in point]
    assert max(inputs) <= LARGEST_DENOMINATOR


def test_changes_reach_most_cells_from_one_coin():
    reached = {cell for instance in many_changes(toys.instance()) for cell in cells(instance)}
    for wanted in (
        "chain: one state",
        "chain: not reversible",
        "activation: mixture",
        "law: atoms",
        "training: beta 0.6 to 0.8",
        "training: none",
        "q: below 0.01",
        "q: 1",
        "q: above 1",
    ):
        assert wanted in reached


def test_changes_reach_every_kind_of_training():
    found = list(many_changes(gallery.load("plateau-trapped"), 600))
    reached = {cell for instance in found for cell in cells(instance)}
    wanted = [cell for cell in all_cells("linear-functional/1") if cell[:5] in ("bump:", "delay")]
    assert len(wanted) == 9
    assert set(wanted) <= reached
    delays = [len(i.training.delays) for i in found if i.training is not None]
    assert max(delays) > 1
    radii = {i.training.radius for i in found if i.training is not None}
    assert len(radii) > 3


def test_changes_reach_other_numbers_of_channels():
    found = list(many_changes(gallery.load("sharp-two-channels"), 600))
    assert {subject.channels for subject in found} == {1, 2, 3, 4}
    twice = [subject for subject in found if len(set(subject.target)) < subject.channels]
    assert twice
    for subject in found:
        assert subject.network is None or all(len(u) == subject.channels for u in subject.network.u)


def test_changes_reach_other_widths_and_rates_of_decay():
    found = list(many_changes(gallery.load("erlang-four"), 1500))
    assert {width for subject in found for width in subject.widths} >= set(range(10))
    assert None in {subject.beta for subject in found}
    assert len({subject.beta for subject in found}) > 5


def test_changes_reach_every_kind_of_part_and_other_times():
    found = list(many_changes(gallery.load("erlang-four"), 3000))
    parts = [part for subject in found for channel in subject.target for part in channel]
    assert {kind_of(part) for part in parts} == set(PARTS)
    times = {part.times for part in parts if isinstance(part, Switching)}
    assert len({len(each) for each in times}) > 1
    assert all(list(each) == sorted(set(each)) for each in times)


@given(st.fractions(), SEEDS)
def test_nudged_numbers_are_of_bounded_length(value, seed):
    after = nudged(value, random.Random(seed))
    assert abs(after) <= 10**6
    assert after.denominator <= LARGEST_DENOMINATOR


@given(
    st.dictionaries(
        st.integers(0, 20), st.fractions(min_value="1e-30", max_value=10**9), min_size=1
    )
)
def test_weights_become_probabilities_of_bounded_length(weights):
    row = weighted(weights)
    assert [j for j, _ in row] == sorted(weights)
    assert sum(p for _, p in row) == 1
    assert all(p > 0 for _, p in row)
    assert max(p.denominator for _, p in row) <= len(row) * LARGEST_WEIGHT
    total = sum(weights.values())
    largest = max(weights.values())
    for j, p in row:
        # Rounding to whole weights moves one by at most 1 of LARGEST_WEIGHT, the sum by as many.
        assert abs(p - weights[j] / total) * total / largest <= (len(row) + 1) / LARGEST_WEIGHT


def test_changes_reach_states_that_are_only_passed_at_the_start():
    found = list(many_changes(gallery.load("fair-coin"), 600))
    passed = [
        all(i != j for row in each.chain.rows for j, _ in row)
        for each in found
        for i in [each.chain.initial]
    ]
    assert sum(passed) > 20


@pytest.mark.parametrize("state", [0, 1, 2])
def test_a_chain_without_one_state(state):
    chain = gallery.load("periodic-three").chain
    fewer = without_state(chain, state)
    assert fewer.n_states == chain.n_states - 1
    assert fewer.inputs == tuple(x for i, x in enumerate(chain.inputs) if i != state)
    assert all(sum(p for _, p in row) == 1 for row in fewer.rows)


def test_the_last_state_stays():
    assert without_state(gallery.load("one-state").chain, 0) is None
