"""The committed baseline: it is of the claims and the gallery as they are, and it finds faults."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from theorems import CLAIMS
from verification import gallery, verify
from verification.recurrent import memory
from verification.report.comparison import compare_reports
from verification.report.document import Run, read_report, to_document
from verification.subject import digest
from verification.verdict import Verdict

BASELINE = Path(__file__).parents[1] / "reports" / "baseline" / "report.json"
RENEW = "renew the baseline (make baseline), and look at what it changes"


@pytest.fixture(scope="module")
def baseline():
    return read_report(BASELINE)


def test_the_baseline_is_of_the_claims_and_the_gallery_as_they_are(baseline):
    instances = gallery.load_all()
    assert {x["name"]: x["digest"] for x in baseline["instances"]} == {
        instance.name: digest(instance) for instance in instances
    }, RENEW
    decided = {(result["claim"], result["instance"]) for result in baseline["results"]}
    assert decided == {
        (claim.id, instance.name)
        for claim in CLAIMS
        for instance in instances
        if claim.kind == instance.schema
    }, RENEW
    assert {(x["claim"], x["mutant"]) for x in baseline["mutants"]} == {
        (claim.id, mutant.name) for claim in CLAIMS for mutant in claim.mutants
    }, RENEW


def test_the_baseline_is_a_whole_run_in_which_nothing_failed(baseline):
    assert baseline["interrupted"] is None
    disputed = {claim.id for claim in CLAIMS if claim.disputed is not None}
    assert {
        result["claim"]
        for result in baseline["results"]
        if result["verdict"] in (Verdict.REFUTED, Verdict.UNDECIDED)
    } <= disputed
    refuted = {x["mutant"] for x in baseline["mutants"] if x["verdict"] == Verdict.REFUTED}
    assert refuted == {mutant.name for claim in CLAIMS for mutant in claim.mutants}


def test_a_constant_that_is_off_by_a_millionth_is_found_where_both_sides_agree(
    baseline, monkeypatch
):
    """With q too large every inequality still holds: only the former enclosures tell."""
    assert compare(baseline, run_again()).regressions == ()

    mean = memory.mean_absolute_b
    monkeypatch.setattr(memory, "mean_absolute_b", lambda law: mean(law) * (1 + Fraction(1, 10**6)))
    wrong = run_again()
    assert {result["verdict"] for result in wrong["results"]} == {Verdict.CERTIFIED}
    found = compare(baseline, wrong).regressions
    assert found
    assert all("disjoint" in change.text for change in found)
    assert any("constant q" in change.text for change in found)


def run_again():
    """Decide M1 on one instance, in this process."""
    (claim,) = (claim for claim in CLAIMS if claim.id == "M1")
    instance = gallery.load("markov-onegin")
    return to_document(
        Run(
            created="2026-01-01T00:00:00+00:00",
            environment={"seed": 0},
            claims=(claim,),
            instances=(instance,),
            results=tuple(verify((claim,), instance)),
            mutants=(),
        )
    )


def compare(baseline, document):
    return compare_reports(baseline, document, claims={"M1"}, instances={"markov-onegin"})
