"""Long computations are given up where a decision has no more time."""

from __future__ import annotations

import time

import numpy as np
import pytest

from verification import gallery
from verification.claim import Claim
from verification.deadline import BUDGET_SPENT, deadline, heed_deadline
from verification.decision import decide
from verification.errors import NotEnclosed
from verification.kernel.limiting import kernel, point
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
    points = [point(instance, state, 0) for state in (0, 1)]
    inputs = np.array([[float(x) for x in row] for row in instance.chain.inputs])

    def rules():
        yield lambda: kernel(instance.activation, instance.law, *points)
        yield lambda: memory_map_doubles(instance, inputs, np.zeros(len(inputs)))

    for rule in rules():
        rule()
        with deadline(PAST), pytest.raises(NotEnclosed, match=BUDGET_SPENT):
            rule()


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
