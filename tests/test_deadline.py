"""Long computations are given up where a decision has no more time."""

from __future__ import annotations

import random
import time
from fractions import Fraction

import numpy as np
import pytest

from theorems.linear_functionals import CLAIMS as CLAIMS_OF_SEARCHES
from verification import gallery
from verification.claim import Claim
from verification.deadline import BUDGET_SPENT, deadline, heed_deadline
from verification.decision import decide
from verification.enclosure.balls import upper_double
from verification.enclosure.supremum import absolute_supremum
from verification.errors import NotEnclosed
from verification.kernel import deviation
from verification.kernel.limiting import kernel, point
from verification.linear_rnn import (
    lower_bounds,
    near_best,
    quadratic_search,
    search,
    trace_search,
)
from verification.linear_rnn.norm import l1_norm
from verification.linear_rnn.pieces import of_parts
from verification.recurrent.memory_doubles import memory_map_doubles
from verification.verdict import Verdict

PAST = 0.0


def far() -> float:
    return time.monotonic() + 10**6


def test_there_is_no_deadline_unless_one_is_set():
    heed_deadline()
    with deadline(None):
        heed_deadline()
    with deadline(far()):
        heed_deadline()


def test_the_innermost_deadline_counts_and_ends_with_its_block():
    with deadline(far()):
        with pytest.raises(NotEnclosed, match=BUDGET_SPENT), deadline(PAST):
            heed_deadline()
        heed_deadline()
    heed_deadline()


@pytest.mark.parametrize("name", ["markov-onegin", "two-dimensional-uniform"])
def test_rules_with_many_nodes_heed_it(name):
    instance = gallery.load(name)
    inputs = np.array([[float(x) for x in row] for row in instance.chain.inputs])

    def of_kernel(memory):
        points = [point(instance, state, memory) for state in (0, 1)]
        return kernel(instance.activation, instance.law, *points)

    def of_memory_map(memory):
        return memory_map_doubles(instance, inputs, np.full(len(inputs), float(memory)))

    for rule in (of_kernel, of_memory_map):
        # Nodes and weights are there afterwards, and values at this memory, which are kept.
        rule(Fraction(0))
        with deadline(PAST), pytest.raises(NotEnclosed, match=BUDGET_SPENT):
            rule(Fraction(1, 8))


@pytest.fixture
def nothing_is_known():
    """Empty the caches of what is tested here: an answer that is known takes no time."""
    for cached in (
        deviation._kernel_deviation,
        lower_bounds.largest_ky_fan_norm,
        near_best.near_best_network,
        quadratic_search.quadratic_place,
        search.bang_bang_place,
        trace_search.trace_place,
    ):
        cached.cache_clear()


@pytest.mark.usefixtures("nothing_is_known")
def test_a_bound_of_the_deviation_that_time_cuts_short_is_not_kept():
    """It would be the coarse bound that needs no search, for good."""
    instance = gallery.load("sharp-kernel")
    with deadline(PAST), pytest.raises(NotEnclosed, match=BUDGET_SPENT):
        deviation.kernel_deviation(instance, Fraction(1, 2))
    found = deviation.kernel_deviation(instance, Fraction(1, 2))
    assert upper_double(found) < 0.9 * upper_double(deviation.bound_everywhere(instance))


@pytest.mark.usefixtures("nothing_is_known")
@pytest.mark.parametrize("claim", CLAIMS_OF_SEARCHES, ids=lambda claim: claim.id)
def test_searches_for_lower_bounds_heed_it(claim):
    target = gallery.load("damped-reciprocal")
    *_, case = claim.cases(target, random.Random(0))
    for side in (claim.left, claim.right):
        with deadline(PAST), pytest.raises(NotEnclosed, match=BUDGET_SPENT):
            side(target, case)


def test_changes_of_sign_are_isolated_only_while_there_is_time():
    (parts,) = gallery.load("damped-reciprocal").target
    with deadline(PAST), pytest.raises(NotEnclosed, match=BUDGET_SPENT):
        l1_norm(of_parts(parts))


def test_a_supremum_is_looked_for_only_while_there_is_time():
    def wave(x):
        return (8 * x).sin()

    def slope(x):
        return 8 * (8 * x).cos()

    absolute_supremum(wave, slope, Fraction(0), Fraction(3))
    with deadline(PAST), pytest.raises(NotEnclosed, match=BUDGET_SPENT):
        absolute_supremum(wave, slope, Fraction(0), Fraction(3))


def endless(_instance, _case):
    while True:
        heed_deadline()


def test_a_side_without_end_leaves_the_case_undecided():
    instance = gallery.load("fair-coin")
    claim = Claim(
        id="X1",
        theorem="toy",
        title="",
        statement="",
        formula="",
        kind=instance.schema,
        cases=lambda _instance, _rng: ["only"],
        left=endless,
        right=endless,
        proof="",
        establishes="",
        source="",
        sharp=(),
        mutants=(),
    )
    found = decide(claim, instance, deadline=time.monotonic() + 0.2)
    assert (found.verdict, found.reason) == (
        Verdict.UNDECIDED,
        f"not decided in 1 of 1 cases: {BUDGET_SPENT}",
    )
    in_set_up = Claim(**{**vars(claim), "cases": endless})
    found = decide(in_set_up, instance, deadline=time.monotonic() + 0.2)
    assert (found.verdict, found.reason) == (
        Verdict.UNDECIDED,
        f"its cases could not be set up: {BUDGET_SPENT}",
    )
    heed_deadline()
