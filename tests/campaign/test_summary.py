"""What a campaign says at its end."""

from __future__ import annotations

from pathlib import Path

import pytest
import toy_claims as toys

from verification.campaign.record import Counterexample, Entry, Kept, Record
from verification.campaign.regimes import all_cells
from verification.campaign.summary import failed, render, summarize, to_document

OUT = Path("out")
DIGEST = "ab" * 32


def record_of(claim, verdicts, **more):
    record = Record()
    record.add_turn(
        Entry(
            **{
                "claim": claim.id,
                "turns": 1,
                "lost": {},
                "seconds": 2.0,
                "verdicts": verdicts,
                "cells": {},
                "satisfied": (),
                "kept": (),
            }
            | more
        )
    )
    return record


def text_of(claim, record):
    return " ".join(render((claim,), record, OUT, seconds=3.0).split())


@pytest.mark.parametrize(
    ("claim", "verdicts", "problem", "fails"),
    [
        (toys.TRUE, {"CERTIFIED": 1, "VACUOUS": 5}, "", False),
        (toys.TRUE, {"SUPPORTED": 1}, "", False),
        (toys.EMPTY, {"VACUOUS": 5}, "never tried in earnest: 5 vacuous", True),
        (toys.UNMET, {"INAPPLICABLE": 2}, "never tried in earnest: 2 inapplicable", True),
        (toys.UNDECIDABLE, {"UNDECIDED": 2}, "never tried in earnest: 2 undecided", True),
        (toys.FAULTY, {"fault": 2}, "never tried in earnest: 2 fault", True),
        (toys.TRUE, {}, "never tried: its turn did not come", True),
        (toys.ELSEWHERE, {}, "never tried: there is no strategy for instances of kind", False),
    ],
)
def test_what_was_never_tried_in_earnest(claim, verdicts, problem, fails):
    record = record_of(claim, verdicts)
    (summary,) = summarize((claim,), record)
    assert summary.problem.startswith(problem)
    assert bool(summary.problem) is bool(problem)
    assert failed((claim,), record) is fails
    assert problem in text_of(claim, record)
    assert (to_document((claim,), record, OUT)["claims"][0]["problem"] is None) is (not problem)


def test_an_assumption_that_no_example_satisfied_is_named():
    record = record_of(toys.UNMET, {"INAPPLICABLE": 3}, satisfied=(0,))
    assert "V1 no example satisfied: the sky is green" in text_of(toys.UNMET, record)
    record.add_turn(record_of(toys.UNMET, {"CERTIFIED": 1}, satisfied=(1,)).tally("V1").entry("V1"))
    assert "no example satisfied" not in text_of(toys.UNMET, record)


def test_cells_that_were_never_reached_are_named():
    cells = dict.fromkeys(all_cells("instance/1"), 1)
    del cells["chain: periodic"]
    record = record_of(toys.TRUE, {"CERTIFIED": 9}, cells=cells)
    text = text_of(toys.TRUE, record)
    assert "T1 never reached: chain: periodic" in text
    assert f"{len(cells)}/{len(cells) + 1}" in text


def test_the_tightest_instance_and_its_replay_line():
    kept = [
        Kept(digest=digest * 32, verdict="CERTIFIED", tightness=tightness, cells=(cell,))
        for digest, tightness, cell in (("ab", 0.5, "q: 0"), ("cd", 0.75, "q: 1"))
    ]
    record = record_of(toys.TRUE, {"CERTIFIED": 2}, kept=tuple(kept))
    text = text_of(toys.TRUE, record)
    assert "0.75000" in text
    assert f"T1 theorems replay out/instances/{'cd' * 32}.json" in text
    tightest = to_document((toys.TRUE,), record, OUT)["claims"][0]["tightest"]
    assert tightest["q: 0"]["tightness"] == 0.5


def test_of_a_disputed_claim_a_counterexample_is_expected():
    claim = toys.DISPUTED
    record = record_of(claim, {"REFUTED": 1})
    record.add_counterexample(
        Counterexample(
            claim=claim.id,
            side="above",
            first=DIGEST,
            digest=DIGEST,
            cells=(),
            time="2026",
            revision="abc",
            steps=2,
            length=10,
            done=True,
        )
    )
    assert not failed((claim,), record)
    assert render((claim,), record, OUT, seconds=1.0).startswith(f"REFUTED {claim.id} (disputed)")


def test_counterexamples_come_first_and_fail():
    record = record_of(toys.FALSE, {"REFUTED": 1})
    record.add_counterexample(
        Counterexample(
            claim="F1",
            side="below",
            first=DIGEST,
            digest=DIGEST,
            cells=("q: 1",),
            time="2026-01-01T00:00:00+00:00",
            revision="abc",
            steps=2,
            length=10,
            done=True,
        )
    )
    assert failed((toys.FALSE,), record)
    assert not failed((toys.TRUE,), record_of(toys.TRUE, {"CERTIFIED": 1}))
    lines = render((toys.FALSE,), record, OUT, seconds=1.0).splitlines()
    assert lines[:3] == [
        "REFUTED F1: its left side lies below the right one",
        "  first seen 2026-01-01T00:00:00+00:00 at abc",
        f"  theorems replay out/instances/{DIGEST}.json",
    ]


def test_lost_turns_and_faults_are_said():
    fault = Kept(digest=DIGEST, verdict="UNDECIDED", tightness=-1.0, cells=("fault: LookupError",))
    record = record_of(toys.FAULTY, {"fault": 1}, kept=(fault,), lost={"it slept": 2})
    text = text_of(toys.FAULTY, record)
    assert "2 turns lost: it slept" in text
    assert "fault: LookupError, a fault of this project: theorems replay" in text
