"""A few planted bugs, found by search alone; benchmarks/test_planted_bugs.py tries them all."""

from __future__ import annotations

import pytest

from theorems import CLAIMS
from verification.campaign.planted import hunt
from verification.decision import decide
from verification.verdict import Verdict

SECONDS = 60.0
"""Far more than these take: the search ends with the first refutation."""

QUICK = [
    ("A1", "s1-times-0.999"),
    ("M4", "divisor-dropped"),
    ("E4", "mass-dropped"),
    ("P1", "second-eigenvalue"),
    ("P5", "one-step-missing"),
    ("C1", "w-not-transposed"),
    ("C7G", "half-the-pull"),
    ("C7T", "stiffest-direction"),
    ("C4Q", "one-function-too-few"),
    ("C4B", "one-row-too-few"),
]


@pytest.mark.parametrize(("claim_id", "name"), QUICK)
def test_a_planted_bug_is_found(claim_id, name):
    claim = next(claim for claim in CLAIMS if claim.id == claim_id)
    mutant = next(mutant for mutant in claim.mutants if mutant.name == name)
    found = hunt(claim, mutant, seconds=SECONDS, seed=0)
    assert found.refuted is not None
    again = decide(claim, found.refuted.subject, seed=found.refuted.seed, mutant=mutant)
    assert again.verdict is Verdict.REFUTED
    assert decide(claim, found.refuted.subject).verdict is not Verdict.REFUTED


def test_a_hunt_without_game_ends_in_time():
    claim = next(claim for claim in CLAIMS if claim.id == "A1")
    harmless = claim.mutants[0].__class__(name="none", error="none at all", refuted_on=())
    found = hunt(claim, harmless, seconds=1.0, seed=0)
    assert found.refuted is None
    assert found.examples > 0
