"""Every mutant of every claim is refuted on the gallery, and every sharp instance exists."""

from __future__ import annotations

import pytest

from theorems import CLAIMS
from verification import gallery
from verification.decision import decide
from verification.verdict import Verdict

STANDING = [claim for claim in CLAIMS if claim.disputed is None]
DISPUTED = [claim for claim in CLAIMS if claim.disputed is not None]
MUTANTS = [(claim, mutant) for claim in CLAIMS for mutant in claim.mutants]

# Nothing but random networks tells their left sides, and wide ones are dear.
SIMULATED_ONLY = {"T6"}


@pytest.mark.parametrize(
    ("claim", "mutant"), MUTANTS, ids=[f"{claim.id}-{mutant.name}" for claim, mutant in MUTANTS]
)
def test_mutant_is_refuted_on_each_instance_that_it_names(claim, mutant):
    assert mutant.refuted_on
    verdicts = {
        name: decide(claim, gallery.load(name), mutant=mutant).verdict for name in mutant.refuted_on
    }
    assert set(verdicts.values()) == {Verdict.REFUTED}, verdicts


@pytest.mark.parametrize("claim", STANDING, ids=lambda claim: claim.id)
def test_claim_has_mutants_that_change_it_and_sharp_instances_that_exist(claim):
    assert claim.mutants
    assert claim.sharp
    assert set(claim.sharp) <= set(gallery.names_of(claim.kind))
    assert len({mutant.name for mutant in claim.mutants}) == len(claim.mutants)
    for mutant in claim.mutants:
        changed = claim.mutated(mutant)
        assert changed.left is not claim.left or changed.right is not claim.right


@pytest.mark.parametrize("claim", STANDING, ids=lambda claim: claim.id)
def test_claim_is_not_refuted_anywhere_on_the_gallery(claim):
    about = gallery.load_all(claim.kind)
    verdicts = {subject.name: decide(claim, subject).verdict for subject in about}
    assert Verdict.REFUTED not in verdicts.values()
    assert Verdict.UNDECIDED not in verdicts.values()
    held = [verdict in {Verdict.CERTIFIED, Verdict.SUPPORTED} for verdict in verdicts.values()]
    if claim.id in SIMULATED_ONLY:
        assert sum(held) >= 6
        return
    # Where an instance lacks what the claim is about, such as a network, it says nothing of it.
    applicable = sum(verdict is not Verdict.INAPPLICABLE for verdict in verdicts.values())
    assert sum(held) >= max(3, min(10, applicable // 3))
    assert Verdict.CERTIFIED in verdicts.values()


@pytest.mark.parametrize("claim", DISPUTED, ids=lambda claim: claim.id)
def test_disputed_claim_is_refuted_where_it_must_be_and_corrected(claim):
    assert claim.disputed.refuted_on
    for name in claim.disputed.refuted_on:
        assert decide(claim, gallery.load(name)).verdict is Verdict.REFUTED
    assert claim.disputed.corrected_by in {other.id for other in STANDING}
    for name in claim.disputed.refuted_on:
        corrected = next(c for c in STANDING if c.id == claim.disputed.corrected_by)
        assert decide(corrected, gallery.load(name)).verdict is not Verdict.REFUTED
