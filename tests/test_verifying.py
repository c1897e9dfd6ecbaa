"""The main job: what is decided, what is written, and that it is the same every time."""

from __future__ import annotations

import json

import pytest
import toy_claims as toys
from toy_claims import DRAWN, FALSE, SIMULATED, TESTED, TRUE, UNDECIDABLE, UNTESTED, Inline

from theorems import CLAIMS
from verification import gallery, verifying
from verification.deadline import BUDGET_SPENT
from verification.decision import Result
from verification.enclosure import selftest
from verification.enclosure.selftest import Check
from verification.errors import InvalidInstance, SelfTestFailed
from verification.instance import SCHEMA
from verification.report import files
from verification.report.document import read_report
from verification.runner import Task
from verification.verdict import Verdict

COIN, DIE = toys.instance(), toys.instance("die")
CREATED = "2025-11-20T11:03:00+00:00"
PASSED = Check(name="sums", passed=True, fatal=True, detail="1 + 1")
KNOWN_FAULT = Check(name="series", passed=False, fatal=False, detail="not used")
FAILED = Check(name="products", passed=False, fatal=True, detail="2 * 2 is 5")


@pytest.fixture
def inline(monkeypatch):
    """Decide in this process: for tests of what is done with the results."""
    monkeypatch.setattr(verifying, "process_pool", lambda _tasks, _jobs: Inline)
    monkeypatch.setattr(selftest, "run", lambda: (PASSED, KNOWN_FAULT))


def verified(out, *, claims=(TRUE,), instances=(COIN,), **changes):
    return verifying.verify_and_report(
        **{
            "claims": tuple(claims),
            "instances": tuple(instances),
            "with_mutants": False,
            "out": out,
            "jobs": 1,
            "seed": 0,
            "seconds": None,
            "created": CREATED,
            "quiet": True,
        }
        | changes
    )


def timeless(document, *, jobs: bool = True):
    """Return a copy without what may differ between two runs with one seed."""
    copy = json.loads(json.dumps(document))
    del copy["created"]
    if not jobs:
        del copy["environment"]["jobs"]
    for entry in (*copy["results"], *copy["mutants"]):
        del entry["seconds"]
    return copy


def decided(outcome):
    return {
        (result["claim"], result["instance"]): result["verdict"]
        for result in outcome.document["results"]
    }


def counterexamples(out):
    return sorted(path.name.rpartition("-")[0] for path in out.glob("counterexamples/*"))


# What comes out


def test_each_claim_is_decided_on_each_instance_of_its_kind(inline, tmp_path):
    other = toys.claim("O1", kind="other/1")
    found = verified(tmp_path, claims=(TRUE, other, FALSE), instances=(COIN, DIE))
    assert decided(found) == {
        ("T1", "coin"): "CERTIFIED",
        ("T1", "die"): "CERTIFIED",
        ("F1", "coin"): "REFUTED",
        ("F1", "die"): "REFUTED",
    }
    assert [claim["id"] for claim in found.document["claims"]] == ["T1", "O1", "F1"]
    assert [item["name"] for item in found.document["instances"]] == ["coin", "die"]


def test_a_disputed_claim_must_be_refuted_where_it_says_so(inline, tmp_path):
    refuted = verified(tmp_path / "refuted", claims=(TRUE, toys.DISPUTED), instances=(COIN, DIE))
    assert not refuted.failed
    assert "nothing refuted but what is disputed (P1)" in " ".join(refuted.text.split())
    assert counterexamples(tmp_path / "refuted") == ["p1-coin", "p1-die"]
    upheld = verified(tmp_path / "upheld", claims=(TRUE, toys.UPHELD))
    assert upheld.failed
    assert "P2 on coin is disputed, but CERTIFIED, expected REFUTED" in upheld.text
    # Where it does not say so, it may hold.
    assert not verified(tmp_path / "other", claims=(toys.UPHELD,), instances=(DIE,)).failed
    # A claim that is held to be true is refuted as before.
    both = verified(tmp_path / "both", claims=(FALSE, toys.DISPUTED))
    assert both.failed
    assert "1 REFUTED (F1), 1 disputed and refuted (P1)" in " ".join(both.text.split())


@pytest.mark.parametrize(
    ("claims", "failed", "undecided"),
    [
        ((TRUE,), False, False),
        ((TRUE, FALSE), True, False),
        ((TRUE, UNDECIDABLE), False, True),
        ((FALSE, UNDECIDABLE), True, True),
        ((toys.FAULTY,), False, True),
    ],
)
def test_the_outcome_says_whether_it_failed(inline, tmp_path, claims, failed, undecided):
    found = verified(tmp_path, claims=claims)
    assert (found.failed, found.undecided, found.interrupted) == (failed, undecided, False)


@pytest.mark.parametrize(
    ("claim", "instances", "failed", "tried"),
    [
        (
            TESTED,
            (COIN, DIE),
            False,
            [("swapped", "coin"), ("doubled", "die"), ("doubled", "coin")],
        ),
        (TESTED, (DIE,), False, [("doubled", "die")]),
        (UNTESTED, (COIN, DIE), True, [("equal", "coin")]),
        (UNTESTED, (DIE,), False, []),
    ],
)
def test_mutants_are_tried_where_they_are_meant_to_be(
    inline, tmp_path, claim, instances, failed, tried
):
    found = verified(tmp_path, claims=(claim,), instances=instances, with_mutants=True)
    assert [(entry["mutant"], entry["instance"]) for entry in found.document["mutants"]] == tried
    assert found.failed is failed
    assert counterexamples(tmp_path) == []
    without = verified(tmp_path, claims=(claim,), instances=instances)
    assert without.document["mutants"] == []
    assert not without.failed


def test_one_refuting_instance_is_enough_for_a_mutant(inline, tmp_path):
    def left(instance, _case):
        return toys.one(instance, _case) if instance.name == "die" else toys.third(instance, _case)

    mutant = toys.Mutant(name="rare", error="none", refuted_on=("coin", "die"), left=left)
    found = verified(
        tmp_path,
        claims=(toys.claim("G2", mutants=(mutant,)),),
        instances=(COIN, DIE),
        with_mutants=True,
    )
    verdicts = {entry["instance"]: entry["verdict"] for entry in found.document["mutants"]}
    assert verdicts == {"coin": "CERTIFIED", "die": "REFUTED"}
    assert not found.failed


def test_the_files_of_a_report_are_written(inline, tmp_path):
    out = tmp_path / "some" / "where"
    found = verified(out, claims=(TRUE, FALSE), instances=(COIN, DIE))
    assert {path.name for path in out.iterdir()} == {
        "report.json",
        "index.html",
        "junit.xml",
        "summary.md",
        "counterexamples",
    }
    assert read_report(out / "report.json") == found.document
    assert counterexamples(out) == ["f1-coin", "f1-die"]
    assert str(out / "index.html") in found.text


def test_the_conditions_are_recorded(inline, tmp_path):
    recorded = verified(tmp_path, seed=5, jobs=3).document
    assert recorded["created"] == CREATED
    conditions = recorded["environment"]
    assert (conditions["seed"], conditions["jobs"]) == (5, 3)
    assert conditions["trusted"] == list(selftest.TRUSTED)
    assert conditions["self_test"] == [
        {"name": "sums", "passed": True, "fatal": True, "detail": "1 + 1"},
        {"name": "series", "passed": False, "fatal": False, "detail": "not used"},
    ]
    for name in ("python", "python-flint", "FLINT", "numpy", "CPU", "BLAS", "git revision"):
        assert conditions[name]


def test_a_budget_that_is_spent_is_told(inline, tmp_path):
    claims = [toys.claim(f"N{i}", left=toys.naps) for i in range(6)]
    found = verified(tmp_path, claims=claims, seconds=0.4)
    assert found.document["interrupted"] == "the time budget was spent"
    assert 1 <= len(found.document["results"]) < 6
    assert "ended early" in " ".join(found.text.split())
    # What was not reached is not decided: --strict must not pass over it.
    assert (found.failed, found.undecided, found.interrupted) == (False, True, False)


def test_a_budget_that_suffices_is_not_told(inline, tmp_path):
    found = verified(tmp_path, seconds=3600.0)
    assert found.document["interrupted"] is None
    assert "ended early" not in found.text
    assert not found.undecided


# Simulation and identities


def test_the_simulated_decisions_of_a_run_share_its_error_level(inline, tmp_path):
    """Five: the claim on two instances, one mutant on two and another on one."""
    found = verified(
        tmp_path, claims=(TRUE, SIMULATED, FALSE), instances=(COIN, DIE), with_mutants=True
    )
    results = {
        (result["claim"], result["instance"]): (
            result["verdict"],
            result["evidence"],
            result["confidence"],
        )
        for result in found.document["results"]
    }
    assert results["R1", "coin"] == results["R1", "die"] == ("SUPPORTED", "simulation", "2e-7")
    assert results["T1", "coin"] == ("CERTIFIED", "rationals", None)
    assert found.document["environment"]["error level of the simulations"] == "1e-6"
    tried = {
        (mutant["mutant"], mutant["instance"]): (mutant["verdict"], mutant["reason"])
        for mutant in found.document["mutants"]
    }
    assert tried["smaller", "die"] == (
        "REFUTED",
        "fails in 1 of 1 cases at error level 2e-7, by most in: the only case",
    )
    assert tried["sharp", "coin"][0] == "UNDECIDED"
    alone = verified(tmp_path, claims=(SIMULATED,))
    assert alone.document["results"][0]["confidence"] == "1e-6"


def test_a_run_without_simulation_tells_no_error_level(inline, tmp_path):
    conditions = verified(tmp_path).document["environment"]
    assert "error level of the simulations" not in conditions


def test_a_supported_run_is_well_and_every_file_says_so(inline, tmp_path):
    found = verified(tmp_path, claims=(SIMULATED, toys.IDENTITY))
    assert (found.failed, found.undecided) == (False, False)
    assert "1 supported" in found.text
    assert "1 of 2 results certified, 1 supported by simulation" in " ".join(found.text.split())
    assert decided(found) == {("R1", "coin"): "SUPPORTED", ("I1", "coin"): "CERTIFIED"}
    read = read_report(tmp_path / "report.json")
    assert read == found.document
    assert read["results"][0]["samples"] >= 1_024
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert f"{read['results'][0]['samples']} samples, error level 1e-6" in page
    assert "Results of I1, left = right" in page
    rows = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "| **R1** A toy | 0 | 1 | 0 | 0 | 0 | 0 |" in rows
    junit = (tmp_path / "junit.xml").read_text(encoding="utf-8")
    assert "<failure" not in junit
    assert "<error" not in junit


# What keeps a run from beginning


def test_a_failed_self_test_decides_and_writes_nothing(inline, tmp_path, monkeypatch):
    monkeypatch.setattr(selftest, "run", lambda: (PASSED, FAILED, KNOWN_FAULT))
    monkeypatch.setattr(verifying, "decide_all", None)
    with pytest.raises(SelfTestFailed, match="products"):
        verified(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_two_instances_of_one_name_are_refused(inline, tmp_path):
    with pytest.raises(InvalidInstance, match="name: is 'die' twice, expected distinct names"):
        verified(tmp_path, instances=(COIN, DIE, DIE))
    assert list(tmp_path.iterdir()) == []


def test_instances_that_no_claim_is_about_are_refused(inline, tmp_path):
    claims = (toys.claim("O1", kind="other/1"), toys.claim("O2", kind="another/1"))
    with pytest.raises(InvalidInstance, match=r"^coin: schema: .* expected another/1 or other/1"):
        verified(tmp_path, claims=claims)


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_is_found_out_before_the_work(
    inline, tmp_path, monkeypatch, place
):
    monkeypatch.setattr(verifying, "decide_all", None)
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(InvalidInstance, match="cannot be made") as refused:
        verified(tmp_path / place)
    assert refused.value.path == "--out"
    assert str(tmp_path / place) in refused.value.problem
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_a_folder_without_permission_is_found_out_before_the_work(inline, tmp_path, monkeypatch):
    # The permission is feigned: to root every folder is writable.
    monkeypatch.setattr(verifying, "decide_all", None)
    monkeypatch.setattr(files.os, "access", lambda path, _mode: path != tmp_path)
    with pytest.raises(InvalidInstance, match=r"--out: .* cannot be written"):
        verified(tmp_path)


def test_a_file_that_cannot_be_replaced_is_named(inline, tmp_path):
    (tmp_path / "index.html").mkdir()
    with pytest.raises(InvalidInstance, match=r"--out: .* cannot be written: "):
        verified(tmp_path)
    # The data come first.
    assert read_report(tmp_path / "report.json")["results"]


# The same every time, in worker processes


def test_toys_are_decided_alike_by_one_worker_and_by_two(tmp_path):
    more = {
        "claims": (TRUE, DRAWN, FALSE, UNDECIDABLE, TESTED, UNTESTED, SIMULATED),
        "instances": (COIN, DIE),
        "with_mutants": True,
    }
    one = verified(tmp_path / "one", jobs=1, seed=3, **more)
    two = verified(tmp_path / "two", jobs=2, seed=3, **more)
    assert timeless(one.document, jobs=False) == timeless(two.document, jobs=False)
    assert (one.document["environment"]["jobs"], two.document["environment"]["jobs"]) == (1, 2)
    assert read_report(tmp_path / "two" / "report.json") == two.document
    assert set(decided(two).values()) == {
        Verdict.CERTIFIED,
        Verdict.SUPPORTED,
        Verdict.REFUTED,
        Verdict.UNDECIDED,
    }


def test_theorems_are_decided_alike_in_two_runs(tmp_path):
    more = {
        "claims": CLAIMS,
        "instances": [gallery.load(name) for name in ("one-state", "sharp-slope", "sharp-l2")],
        "with_mutants": True,
        "jobs": 2,
    }
    first = verified(tmp_path / "first", created="2025-01-01T00:00:00+00:00", **more)
    second = verified(tmp_path / "second", **more)
    assert first.document["created"] != second.document["created"]
    assert timeless(first.document) == timeless(second.document)
    assert len(first.document["results"]) == 3 * sum(claim.kind == SCHEMA for claim in CLAIMS)
    assert not first.failed


def test_the_seed_chooses_what_is_drawn(inline, tmp_path):
    def results(seed):
        return timeless(verified(tmp_path, claims=(DRAWN,), seed=seed).document)["results"]

    assert results(1) == results(1)
    assert results(1) != results(2)


def test_a_mutant_that_the_clock_cut_short_is_no_survivor():
    tasks = [Task(claim=TESTED, instance=COIN, seed=0, mutant=TESTED.mutants[0])] * 2
    cut, decided = (
        Result(claim=TESTED.id, instance=COIN.name, verdict=Verdict.UNDECIDED, reason=reason)
        for reason in (
            f"not decided in 1 of 4 cases: {BUDGET_SPENT}",
            "not decided in 1 of 4 cases: the enclosures still overlap at 1024 bits",
        )
    )
    results, mutants = verifying._sorted(tasks, [cut, decided])
    assert results == ()
    assert [outcome.result for outcome in mutants] == [decided]
