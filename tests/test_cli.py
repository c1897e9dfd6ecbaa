"""What a user types and gets: output, files, one line for every fault, and the exit code.

Most commands run in this process, on toy claims decided without worker processes; what depends on
processes, signals and streams runs as ``python`` does for a user.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest
import toy_claims as toys
from toy_claims import DRAWN, FALSE, TESTED, TRUE, UNDECIDABLE, UNTESTED, Inline

from theorems import CLAIMS
from verification import cli, gallery, verifying
from verification.certificate.check.formulas import FORMULAS
from verification.enclosure import selftest
from verification.enclosure.selftest import Check
from verification.instance import SCHEMA
from verification.verdict import Verdict
from verification.workers import available_cores

LIVENESS = 300
"""Seconds after which a process that should have ended is taken to hang."""

# The contract.
REPORT_KEYS = {"schema", "created", "environment", "claims", "results", "mutants", "summary"}
CLAIM_KEYS = {"id", "title", "source", "uses", "statement"}
RESULT_KEYS = {
    *("claim", "instance", "verdict", "left", "right", "tightness", "evidence", "confidence"),
    *("precision_bits", "samples", "seconds", "reason"),
}
MUTANT_KEYS = {"claim", "mutant", "instance", "verdict"}


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    """Work in an empty folder, decide in this process, skip the self-test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(verifying, "process_pool", lambda _tasks, _jobs: Inline)
    passed = Check(name="sums", passed=True, fatal=True, detail="1 + 1")
    monkeypatch.setattr(selftest, "run", lambda: (passed,))


@pytest.fixture
def run(capsys):
    """Return what runs the command: ``run(*arguments) -> (exit code, output, errors)``."""

    def command(*arguments, claims=(TRUE,)):
        with pytest.raises(SystemExit) as stop:
            cli.main(claims, [str(argument) for argument in arguments])
        return stop.value.code, *capsys.readouterr()

    return command


@pytest.fixture
def toy_gallery(monkeypatch):
    instances = (toys.instance(), toys.instance("die"))
    monkeypatch.setattr(gallery, "load_all", lambda: instances)
    return instances


@pytest.fixture
def coin(tmp_path) -> str:
    return written(tmp_path / "coin.json", toys.document())


def written(path: Path, content) -> str:
    """Write a file (JSON, or a text as it is) and return its name in the working folder."""
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path.name


def report_in(folder) -> dict:
    return json.loads((Path(folder) / "report.json").read_text(encoding="utf-8"))


def with_toys() -> dict[str, str]:
    """Return an environment in which Python finds the toys."""
    path = [str(Path(toys.__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(path)}


def python(*arguments, **more) -> subprocess.CompletedProcess:
    """Run Python as a user does, with the toys at hand."""
    return subprocess.run(
        [sys.executable, *arguments],
        env=with_toys() | more.pop("env", {}),
        stdin=subprocess.DEVNULL,
        timeout=LIVENESS,
        check=False,
        **({"capture_output": True, "text": True} | more),
    )


def toy_command(names: str) -> str:
    """Return a program that is the command on some toy claims."""
    return (
        "import sys, toy_claims as toys; from verification import cli\n"
        f"cli.main({names}, sys.argv[1:])"
    )


# list, show


def test_list_has_a_line_for_each_claim(run):
    code, output, errors = run("list", claims=CLAIMS)
    assert (code, errors) == (0, "")
    lines = output.replace("\n" + " " * 16, " ").splitlines()  # a long one is folded
    for claim, line in zip(CLAIMS, lines, strict=True):
        assert line.split(maxsplit=2)[:2] == [claim.id, claim.evidence]
        assert claim.title in line
        assert all(used in line for used in claim.uses)


def test_list_tears_nothing_apart_that_a_claim_uses(run):
    _, output, _ = run("list", claims=CLAIMS)
    lines = output.splitlines()
    assert max(map(len, lines)) < 80
    assert not [line for line in lines if line.endswith("(uses")]
    assert any(line.strip().startswith("(uses M1, M5)") for line in lines)


def test_list_as_json(run):
    code, output, errors = run("list", "--json", claims=CLAIMS)
    assert (code, errors) == (0, "")
    for claim, entry in zip(CLAIMS, json.loads(output), strict=True):
        assert entry["id"] == claim.id
        assert entry["title"] == claim.title
        assert entry["evidence"] == claim.evidence
        assert entry["uses"] == list(claim.uses)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_show_says_everything_of_a_claim(run, claim):
    code, output, errors = run("show", claim.id, claims=CLAIMS)
    assert (code, errors) == (0, "")
    shown = "".join(output.split())
    for text in (
        *(claim.title, claim.statement, claim.formula, claim.proof, claim.establishes),
        *(claim.source, claim.theorem, *claim.uses, *claim.sharp),
        *(assumption.text for assumption in claim.assumptions),
        *(constant.meaning for constant in claim.constants),
        *(constant.formula for constant in claim.constants),
        *(vacuity.reason for vacuity in claim.vacuities),
        *(mutant.name for mutant in claim.mutants),
        *(mutant.error for mutant in claim.mutants),
    ):
        assert "".join(text.split()) in shown


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_show_as_json(run, claim):
    code, output, errors = run("show", claim.id, "--json", claims=CLAIMS)
    assert (code, errors) == (0, "")
    shown = json.loads(output)
    for key in ("id", "title", "statement", "formula", "proof", "establishes", "source", "theorem"):
        assert shown[key] == getattr(claim, key)
    assert shown["uses"] == list(claim.uses)
    for key in ("assumptions", "constants", "mutants"):
        assert len(shown[key]) == len(getattr(claim, key))


def test_nothing_is_wider_than_a_terminal(run, coin):
    outputs = [run("list", claims=CLAIMS), run("verify", coin, claims=CLAIMS)]
    outputs += [run("show", claim.id, claims=CLAIMS) for claim in CLAIMS]
    outputs += [run("--help")]
    outputs += [run(name, "--help") for name in cli._commands.commands]
    for code, output, _errors in outputs:
        assert code == 0
        assert [line for line in output.splitlines() if len(line) > 80] == []


# verify


def test_verify_on_a_file(run, coin):
    code, output, errors = run("verify", coin, claims=(TRUE, TESTED, DRAWN))
    assert code == 0
    assert [line.split()[0] for line in output.splitlines()[1:4]] == ["T1", "G1", "D1"]
    assert output.splitlines()[-1] == f"report: {Path('reports/latest/index.html')}"
    assert "not tried" in output  # the mutants: they are for the gallery
    report = report_in("reports/latest")
    assert report["mutants"] == []
    assert {result["verdict"] for result in report["results"]} == {"CERTIFIED"}
    assert len(errors.splitlines()) == 3


def test_verify_on_the_gallery_tries_the_mutants(run, toy_gallery):
    code, output, errors = run("verify", "--out", "out", claims=(TRUE, TESTED))
    assert code == 0
    assert "every mutant refuted (2 of 2)" in " ".join(output.split())
    report = report_in("out")
    assert len(report["results"]) == 2 * len(toy_gallery)
    assert [(entry["mutant"], entry["instance"]) for entry in report["mutants"]] == [
        ("swapped", "coin"),
        ("doubled", "die"),
        ("doubled", "coin"),
    ]
    assert {entry["verdict"] for entry in report["mutants"]} == {"REFUTED"}
    assert len(errors.splitlines()) == 3


def test_a_gallery_instance_may_be_named(run):
    code, _output, _errors = run("verify", "one-state", "--out", "out")
    assert code == 0
    assert [item["name"] for item in report_in("out")["instances"]] == ["one-state"]


def test_a_file_comes_before_the_gallery(run, tmp_path):
    written(tmp_path / "one-state", toys.document("mine"))
    code, _output, _errors = run("verify", "one-state", "--out", "out")
    assert code == 0
    assert [item["name"] for item in report_in("out")["instances"]] == ["mine"]


def test_verify_chosen_claims_only_and_once(run, coin):
    chosen = ("--claim", "F1", "--claim", "T1", "--claim", "F1")
    code, _output, _errors = run("verify", coin, *chosen, claims=(TRUE, FALSE, DRAWN))
    assert code == 1
    assert [result["claim"] for result in report_in("reports/latest")["results"]] == ["F1", "T1"]


def test_verify_as_json_is_the_report(run, toy_gallery):
    code, output, _errors = run(
        "verify", "--out", "out", "--json", "--quiet", "--seed", "7", "--jobs", "3",
        claims=(TRUE, FALSE, UNDECIDABLE, TESTED),
    )  # fmt: skip
    assert code == 1
    document = json.loads(output)
    assert document == report_in("out")
    assert document.keys() >= REPORT_KEYS
    assert document["schema"] == "report/1"
    assert document["environment"]["seed"] == 7
    assert document["environment"]["jobs"] == 3
    assert all(claim.keys() >= CLAIM_KEYS for claim in document["claims"])
    assert all(entry.keys() >= MUTANT_KEYS for entry in document["mutants"])
    for result in document["results"]:
        assert result.keys() >= RESULT_KEYS
        assert result["verdict"] in set(Verdict)
        for side in (result["left"], result["right"]):
            assert Decimal(side["lower"]) <= Decimal(side["upper"])
    found = [result["verdict"] for result in document["results"]]
    assert document["summary"] == {str(verdict): found.count(verdict) for verdict in Verdict}


def test_a_baseline_is_held_against_the_run(run, toy_gallery, tmp_path):
    assert run("verify", "--quiet")[0] == 0
    (tmp_path / "former.json").write_bytes((tmp_path / "reports/latest/report.json").read_bytes())
    code, output, _ = run("verify", "--quiet", "--baseline", "former.json")
    assert code == 0
    assert "no regression." in " ".join(output.split())
    worse = report_in("reports/latest")
    worse["results"][0]["constants"] = {}
    for result in worse["results"]:
        result["claim"] = "GONE"
    worse["claims"][0]["id"] = "GONE"
    worse["mutants"] = []
    written(tmp_path / "former.json", worse)
    code, output, _ = run("verify", "--quiet", "--baseline", "former.json")
    assert code == 1
    assert "GONE is no longer claimed" in output
    code, output, errors = run("verify", "--quiet", "--baseline", "former.json", "--json")
    assert code == 1
    assert json.loads(output)["schema"] == "report/1"
    assert "GONE is no longer claimed" in errors


@pytest.mark.parametrize(
    ("content", "problem"),
    [("[1, 2", "former.json"), ({"schema": "report/2"}, "schema"), (None, "cannot be read")],
)
def test_a_bad_baseline_is_found_before_the_work(run, toy_gallery, tmp_path, content, problem):
    if content is not None:
        written(tmp_path / "former.json", content)
    code, output, errors = run("verify", "--baseline", "former.json")
    assert (code, output) == (2, "")
    assert len(errors.splitlines()) == 1
    assert problem in errors
    assert not (tmp_path / "reports").exists()


def test_diff_compares_two_folders_or_files(run, toy_gallery, tmp_path):
    assert run("verify", "--quiet", "--out", "old")[0] == 0
    assert run("verify", "--quiet", "--out", "new", "--seed", "1")[0] == 0
    code, output, _ = run("diff", "old", "new/report.json")
    assert code == 0
    assert "no regression" in output
    code, output, _ = run("diff", "old", "new", "--json")
    assert code == 0
    assert json.loads(output)["schema"] == "comparison/1"
    changed = report_in("new")
    changed["results"][0]["verdict"] = "UNDECIDED"
    changed["summary"] = {**changed["summary"], "UNDECIDED": 1, "CERTIFIED": 1}
    written(tmp_path / "new/report.json", changed)
    code, output, _ = run("diff", "old", "new")
    assert code == 1
    assert "was CERTIFIED, is UNDECIDED" in " ".join(output.split())


def test_progress_is_one_line_a_claim(run, toy_gallery):
    _code, _output, errors = run(
        "verify", "--out", "out", claims=(TRUE, FALSE, UNDECIDABLE, TESTED)
    )
    lines = errors.splitlines()
    assert all(re.fullmatch(r"\S+( mutants)?: [0-9a-z, ]+ \([0-9.]+ s\)", line) for line in lines)
    assert [line.rpartition(" (")[0] for line in lines] == [
        "T1: 2 certified",
        "F1: 2 refuted",
        "U1: 2 undecided",
        "G1: 2 certified",
        "G1 mutants: 3 refuted",
    ]


def test_quiet_is_quiet(run, coin):
    _code, output, errors = run("verify", coin, "--quiet", claims=(TRUE, FALSE, UNDECIDABLE))
    assert errors == ""
    assert "refuted" in output


def test_two_runs_differ_in_time_only(run, coin):
    documents = []
    for out in ("one", "two"):
        _code, output, _errors = run("verify", coin, "--json", "--out", out, claims=(DRAWN, TRUE))
        document = json.loads(output)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", document.pop("created"))
        for result in document["results"]:
            assert result.pop("seconds") >= 0
        documents.append(document)
    assert documents[0] == documents[1]


def test_a_budget_is_kept_and_told(run, coin):
    claims = [toys.claim(f"N{i}", left=toys.naps) for i in range(6)]
    code, output, _errors = run("verify", coin, "--budget", "0.4s", claims=claims)
    assert code == 0
    assert "ended early" in " ".join(output.split())
    assert report_in("reports/latest")["interrupted"] == "the time budget was spent"


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1.5h", 5400), ("30", 30), ("0.5", 0.5)]
)
def test_durations(run, coin, monkeypatch, text, seconds):
    asked = {}

    def note(**options):
        asked.update(options)
        raise KeyboardInterrupt

    monkeypatch.setattr(verifying, "verify_and_report", note)
    assert run("verify", coin, "--budget", text)[0] == 130
    assert asked["seconds"] == seconds
    assert asked["jobs"] == available_cores() >= 1


# Counterexamples and replay


@pytest.mark.parametrize(
    ("claim", "name", "code"), [("P1", "coin", 0), ("P2", "coin", 1), ("P2", "die", 0)]
)
def test_replay_of_a_disputed_claim(run, tmp_path, claim, name, code):
    instance = toys.document(name)
    file = replay_file(tmp_path / "asked.json", claim=claim, seed=1, instance=instance)
    assert run("replay", file, claims=(toys.DISPUTED, toys.UPHELD))[0] == code


def test_a_disputed_constant_is_refuted_written_and_replayed(run):
    """Whatever the constant is, there is a target for it, and the file holds both."""
    chosen = ("--claim", "C2P", "--claim", "C2")
    arguments = ("verify", "fast-ramp", *chosen, "--constant", "1e40", "--json", "--out", "out")
    code, output, _errors = run(*arguments, claims=CLAIMS)
    assert code == 0
    verdicts = {(x["claim"], x["instance"]): x["verdict"] for x in json.loads(output)["results"]}
    assert verdicts["C2P", "ramp-in-small-units"] == Verdict.REFUTED
    assert verdicts["C2P", "fast-ramp"] == Verdict.CERTIFIED
    assert verdicts["C2", "fast-ramp"] == Verdict.CERTIFIED
    (claim,) = (x for x in json.loads(output)["claims"] if x["id"] == "C2P")
    assert "C = 1e40" in claim["statement"] or "C = 1" + "0" * 40 in claim["statement"]
    (file,) = Path("out/counterexamples").iterdir()
    document = json.loads(file.read_text("utf-8"))
    assert Decimal(document["constant"]) == Decimal("1e40")
    code, output, errors = run("replay", file, claims=CLAIMS)
    assert (code, errors) == (0, "")
    assert output.startswith("C2P on ramp-in-small-units: REFUTED")
    # A larger constant than the target was made for: it no longer refutes, which is a fault.
    file.write_text(json.dumps(document | {"constant": "1e42"}), encoding="utf-8")
    code, output, _errors = run("replay", file, claims=CLAIMS)
    assert code == 1
    assert "CERTIFIED" in output


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--claim", "C2", "--constant", "3"), "no claim chosen leaves a constant open"),
        (("--claim", "C2P", "--constant", "0"), "is 0, expected a positive number"),
        (("--claim", "C2P", "--constant=-1/2"), "is -0.5, expected a positive number"),
        (("--claim", "C2P", "--constant", "one"), "is one, expected a number such as"),
        (("--claim", "C2P", "--constant", "1e700"), "expected at most 1e496"),
    ],
)
def test_a_constant_that_is_of_no_use(run, arguments, problem):
    code, output, errors = run("verify", *arguments, claims=CLAIMS)
    assert (code, output) == (2, "")
    assert problem in errors
    assert errors.count("\n") == 1


def test_a_constant_in_a_file_that_is_of_no_use(run, tmp_path):
    instance = gallery.load("fast-ramp").to_json()
    for claim, constant, problem in (
        ("C2", "3", 'constant: is "3", expected no constant: C2 leaves none open'),
        ("C2P", "-3", 'constant: is "-3", expected a positive number'),
        ("C2P", None, "constant: is null, expected a number"),
    ):
        file = replay_file(
            tmp_path / "asked.json", claim=claim, seed=1, instance=instance, constant=constant
        )
        code, output, errors = run("replay", file, claims=CLAIMS)
        assert (code, output) == (2, "")
        assert problem in errors


def test_show_says_what_is_disputed(run):
    _code, output, _errors = run("show", "P1", claims=(TRUE, toys.DISPUTED))
    assert "corrected by T1" in output
    assert "One half is more." in output


def test_a_counterexample_is_written_and_replayed(run, coin):
    code, _output, _errors = run("verify", coin, "--out", "out", claims=(TRUE, FALSE))
    assert code == 1
    (file,) = Path("out/counterexamples").iterdir()
    code, output, errors = run("replay", file, claims=(TRUE, FALSE))
    assert (code, errors) == (1, "")
    *lines, right = output.splitlines()
    assert lines == [
        "F1 on coin: REFUTED",
        "fails in 1 of 1 cases, by most in: the only case",
        "left  in [0.5, 0.5]",
    ]
    assert re.fullmatch(r"right in \[0\.3{15,}, 0\.3{15,}4\]", right)


def test_a_counterexample_is_decided_on_the_same_draws(run, coin):
    drawn = toys.claim(
        "D2", left=toys.square_root_of_two, right=toys.the_case, cases=toys.drawn_cases
    )
    code, output, _errors = run("verify", coin, "--seed", "5", "--json", claims=(drawn,))
    assert code == 1
    (file,) = Path("reports/latest/counterexamples").iterdir()
    code, again, _errors = run("replay", file, "--json", claims=(drawn,))
    assert code == 1
    first, second = json.loads(output)["results"][0], json.loads(again)
    assert second.pop("mutant") is None
    assert second.keys() == first.keys()
    assert {**first, "seconds": 0} == {**second, "seconds": 0}


def test_no_counterexample_of_what_is_not_refuted(run, toy_gallery):
    claims = (TRUE, UNDECIDABLE, TESTED, UNTESTED)
    run("verify", "--out", "out", claims=claims)
    assert not Path("out/counterexamples").exists()


def replay_file(path, **members) -> str:
    return written(path, {"schema": "replay/1", "instance": toys.document()} | members)


@pytest.mark.parametrize(
    ("claim", "mutant", "verdict", "code"),
    [
        ("T1", None, "CERTIFIED", 0),
        ("F1", None, "REFUTED", 1),
        ("U1", None, "UNDECIDED", 0),
        ("G1", "swapped", "REFUTED", 0),
        ("B1", "equal", "CERTIFIED", 1),
    ],
)
def test_replay_of_a_claim_and_of_a_mutant(run, tmp_path, claim, mutant, verdict, code):
    file = replay_file(tmp_path / "asked.json", claim=claim, mutant=mutant, seed=1)
    claims = (TRUE, FALSE, UNDECIDABLE, TESTED, UNTESTED)
    found, output, errors = run("replay", file, claims=claims)
    assert (found, errors) == (code, "")
    name = f"{claim} mutant {mutant}" if mutant else claim
    assert output.splitlines()[0] == f"{name} on coin: {verdict}"
    found, output, errors = run("replay", file, "--json", claims=claims)
    assert (found, errors) == (code, "")
    document = json.loads(output)
    assert document.keys() >= {*RESULT_KEYS, "mutant"}
    assert (document["verdict"], document["mutant"]) == (verdict, mutant)


# evaluate


def test_evaluate(run, coin):
    code, output, errors = run("evaluate", coin, "contraction-factor")
    assert (code, errors) == (0, "")
    found = json.loads(output)
    assert found.keys() >= {"quantity", "lower", "upper", "evidence"}
    assert found["quantity"] == "contraction-factor"
    assert found["lower"] == found["upper"] == "0.5"
    assert found["evidence"] == "rationals"
    assert run("evaluate", coin, "contraction-factor", "--json") == (0, output, "")


@pytest.mark.parametrize("digits", [1, 20, 250])
def test_evaluate_with_options(run, coin, digits):
    options = ("--state", "1", "--memory", "-1/3", "--digits", digits)
    code, output, errors = run("evaluate", coin, "phi", *options)
    assert (code, errors) == (0, "")
    low, high = (Decimal(json.loads(output)[key]) for key in ("lower", "upper"))
    assert low < high < 0
    assert high - low < abs(high) * Decimal(10) ** -digits
    assert len(output.splitlines()) == 1


def test_evaluate_on_the_gallery_and_a_word(run):
    code, output, errors = run("evaluate", "negative-b", "memory-fixed-point", "--word", "0,1,2")
    assert (code, errors) == (0, "")
    assert json.loads(output)["evidence"] == "balls"


# report


# instance from-csv

WORDS = "day,word\n1,a\n2,b\n3,b\n4,a\n5,c\n"


def made_from(run, path, content=WORDS, *arguments):
    file = written(path / "data.csv", content)
    return run("instance", "from-csv", file, *arguments)


def test_an_instance_is_made_from_a_sequence_and_verified(run, tmp_path):
    code, output, errors = made_from(
        run, tmp_path, WORDS, "--column", "word", "-o", "new/mine.json"
    )
    assert (code, output) == (0, "")
    assert errors == (
        "mine: 5 rows, 3 states of order 1, 5 transitions, 1 recurrent class of period 1\n"
    )
    assert [path.name for path in Path("new").iterdir()] == ["mine.json"]
    document = json.loads(Path("new/mine.json").read_text(encoding="utf-8"))
    assert document["name"] == "mine"
    assert document["chain"]["transition"] == [
        ["0", "0.5", "0.5"], ["0.5", "0.5", "0"], ["1", "0", "0"],
    ]  # fmt: skip
    code, output, _ = run("verify", "new/mine.json", claims=CLAIMS)
    assert code == 0
    verdicts = {r["claim"]: r["verdict"] for r in report_in("reports/latest")["results"]}
    assert {verdicts[claim] for claim in ("M1", "M2", "M3", "M4", "M5")} == {"CERTIFIED"}


def test_options_of_from_csv_are_passed_on(run, tmp_path):
    content = "5;x;1\n7;y;2\n;x;3\n9;y;4\n11;x;5\n"
    arguments = (
        *("--column", "1", "--states", "2", "--order", "2", "--target", "3", "--missing", "skip"),
        *("--kind", "numeric", "--no-header", "--source", "A gauge", "-o", "mine.json"),
    )
    code, output, errors = made_from(run, tmp_path, content, *arguments)
    assert (code, output) == (0, "")
    assert errors.splitlines() == [
        "1 rows with a missing value left out",
        "mine: 4 rows, 4 states of order 2, 4 transitions, 1 recurrent class of period 4",
    ]
    document = json.loads(Path("mine.json").read_text(encoding="utf-8"))
    assert document["origin"].startswith("A gauge: data.csv, column '1', 4 rows (1 with missing")
    assert "column '3'" in document["origin"]
    # the rows 5 7 9 11 are low low high high, on the circle after high; targets 1 2 4 5
    assert document["chain"]["targets"] == ["-0.5", "0.5", "-1", "1"]
    assert document["chain"]["initial"] == 2


def test_from_csv_to_standard_output_and_quiet(run, tmp_path):
    code, output, errors = made_from(run, tmp_path, WORDS, "--column", "word", "-o", "-", "--quiet")
    assert (code, errors) == (0, "")
    assert json.loads(output)["name"] == "data"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv"]
    made_from(run, tmp_path, WORDS, "--column", "word", "-o", "data.json", "--quiet")
    assert Path("data.json").read_text(encoding="utf-8") == output


def test_from_csv_replaces_a_former_file_whole_or_not_at_all(run, tmp_path, monkeypatch):
    former = written(tmp_path / "mine.json", "former")
    assert "--column: is required" in refused(made_from(run, tmp_path, WORDS, "-o", former))
    assert Path(former).read_text(encoding="utf-8") == "former"

    def full(_file):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        result = made_from(run, tmp_path, WORDS, "--column", "word", "-o", former)
    line = refused(result)
    assert line == "theorems: --output: mine.json cannot be written: No space left on device"
    assert Path(former).read_text(encoding="utf-8") == "former"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv", "mine.json"]
    assert made_from(run, tmp_path, WORDS, "--column", "word", "-o", former)[0] == 0
    assert json.loads(Path(former).read_text(encoding="utf-8"))["name"] == "mine"


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        (WORDS, (), "Missing option '-o'"),
        (WORDS, ("-o", "x.json"), "data.csv: --column: is required, the columns are 'day', 'word'"),
        (
            WORDS,
            ("--column", "wrd", "-o", "x.json"),
            "data.csv: --column: is 'wrd', expected one of",
        ),
        (
            WORDS,
            ("--column", "word", "--order", "0", "-o", "x.json"),
            "--order: is 0, expected 1 to",
        ),
        (WORDS, ("--column", "word", "--order", "2.5", "-o", "x.json"), "'2.5' is not a valid int"),
        (WORDS, ("--column", "day", "--states", "1", "-o", "x.json"), "--states: is 1, expected 2"),
        (
            WORDS,
            ("--column", "word", "--states", "3", "-o", "x.json"),
            "--states: is not used by a",
        ),
        (WORDS, ("--column", "day", "--kind", "text", "-o", "x.json"), "'text' is not one of"),
        (WORDS, ("--column", "day", "-o", "data.csv"), "--output: data.csv is the CSV file itself"),
        (
            WORDS,
            ("--column", "day", "-o", "."),
            "--output: . is not a file, expected FILE.json or -",
        ),
        (WORDS, ("--column", "day", "-o", os.devnull), "is not a file, expected FILE.json or -"),
        (
            WORDS,
            ("--column", "day", "-o", "data.csv/x.json"),
            "data.csv/x.json cannot be written: ",
        ),
        ("", ("-o", "x.json"), "data.csv: has no rows, expected a CSV file"),
        ("v\n1\n1\n", ("-o", "x.json"), "data.csv: column 'v': is 1 throughout, expected at least"),
        ("v\n1\nNA\n", ("-o", "x.json"), "data.csv: line 3: 'NA' in column 'v', expected a value"),
        ("v\n1\n\0\n", ("-o", "x.json"), "data.csv: line 3: contains a NUL character"),
        ("v,w\n1,2\n1\n", ("--column", "v", "-o", "x.json"), "data.csv: line 3: has 1 cells"),
        ("v\n1\n" + "9" * 10**7, ("-o", "x.json"), "data.csv: line 3: is not CSV: field larger"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_2_for_a_sequence_that_makes_no_instance(run, tmp_path, content, arguments, said):
    assert said in refused(made_from(run, tmp_path, content, *arguments))
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]


def test_instance_alone_names_its_commands(run):
    line = refused(run("instance"))
    assert "expected one of from-csv; theorems instance --help explains them" in line
    code, output, _ = run("instance", "from-csv", "--help")
    assert code == 0
    assert [line for line in output.splitlines() if len(line) > 80] == []


def test_report_renders_the_same_again(run, coin):
    run("verify", coin, "--out", "out", claims=(TRUE, FALSE))
    names = ("index.html", "junit.xml", "summary.md", "report.json")
    before = {name: (Path("out") / name).read_bytes() for name in names}
    for name in names[:3]:
        (Path("out") / name).unlink()
    code, output, errors = run("report", "out", claims=())
    assert (code, errors) == (0, "")
    assert str(Path("out/index.html")) in output
    assert {name: (Path("out") / name).read_bytes() for name in names} == before


# Exit codes: 1, 3, 4


def test_1_where_a_mutant_survives(run, toy_gallery):
    code, output, _errors = run("verify", "--out", "out", claims=(TRUE, UNTESTED))
    assert code == 1
    assert "mutant equal of B1" in output
    assert report_in("out")["summary"]["REFUTED"] == 0


def test_1_where_a_claim_is_refuted_whatever_else(run, coin):
    claims = (UNDECIDABLE, FALSE, TRUE)
    assert run("verify", coin, "--strict", claims=claims)[0] == 1


@pytest.mark.parametrize(("strict", "code"), [((), 0), (("--strict",), 3)])
def test_3_where_strict_and_undecided(run, coin, strict, code):
    found, output, _errors = run("verify", coin, *strict, claims=(TRUE, UNDECIDABLE))
    assert found == code
    assert "U1 on coin undecided: " in " ".join(output.split())
    assert run("verify", coin, *strict, claims=(TRUE,))[0] == 0


def test_3_where_strict_and_the_budget_was_spent(run, coin):
    claims = [toys.claim(f"N{i}", left=toys.naps) for i in range(4)]
    assert run("verify", coin, "--strict", "--budget", "0.4", claims=claims)[0] == 3


def test_4_where_the_arithmetic_fails(run, coin, tmp_path, monkeypatch):
    failed = Check(name="products of balls", passed=False, fatal=True, detail="2 * 2\nis 5")
    monkeypatch.setattr(selftest, "run", lambda: (failed,))
    monkeypatch.setattr(verifying, "decide_all", None)
    monkeypatch.setattr("verification.runner.run_task", None)
    monkeypatch.setattr("verification.quantity.evaluate", None)
    replayed = replay_file(tmp_path / "asked.json", claim="T1")
    for arguments in (
        ("verify", coin, "--out", "out"),
        ("verify", "--out", "out"),
        ("replay", replayed),
        ("evaluate", coin, "contraction-factor"),
    ):
        code, output, errors = run(*arguments)
        assert (code, output) == (4, "")
        (line,) = errors.splitlines()
        assert "self-test" in line
        assert "nothing decided" in line
        assert "products of balls" in line
    assert [path for path in Path("out").rglob("*") if path.is_file()] == []


def test_a_known_fault_is_not_fatal(run, coin, monkeypatch):
    fault = Check(name="series", passed=False, fatal=False, detail="not used")
    monkeypatch.setattr(selftest, "run", lambda: (fault,))
    assert run("verify", coin)[0] == 0
    (check,) = report_in("reports/latest")["environment"]["self_test"]
    assert check == {"name": "series", "passed": False, "fatal": False, "detail": "not used"}


# Exit code 2: one line that says what, where, and what was expected


def refused(result) -> str:
    """Return the one line of a command that was refused."""
    code, output, errors = result
    assert (code, output) == (2, "")
    (line,) = errors.splitlines()
    assert line.startswith("theorems: ")
    assert "Traceback" not in line
    return line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no command given, expected one of list, show, verify"),
        (("campain",), "No such command 'campain'. Did you mean 'campaign'?"),
        (("verify", "--budgte", "1m"), "'--budgte'"),
        (("verify", "--jobs"), "'--jobs' requires an argument"),
        (("list", "everything"), "everything"),
        (("show",), "CLAIM"),
        (("show", "T2"), "CLAIM: is 'T2', expected one of T1, F1 (nearest: T1)"),
        (("show", "t1\nt2"), r"CLAIM: is 't1\nt2', expected one of T1, F1"),
        (("verify", "--claim", "X9"), "CLAIM: is 'X9', expected one of T1, F1"),
        (("verify", "--budget", "10x"), "'--budget': is 10x, expected a time such as 90s, 10m"),
        (("verify", "--budget", "0"), "'--budget': is 0, expected a time"),
        (("verify", "--budget", "-5"), "'--budget': is -5, expected a time"),
        (("verify", "--budget", "nan"), "'--budget': is nan, expected a time"),
        (("verify", "--budget", ""), "'--budget': is , expected a time"),
        (("verify", "--budget", "1m30s"), "'--budget': is 1m30s, expected a time"),
        (("verify", "--jobs", "0"), "'--jobs': 0 is not in the range 1<=x<=1024"),
        (("verify", "--jobs", "two"), "'--jobs': 'two' is not a valid integer range"),
        (("verify", "--seed", "-1"), "'--seed': -1 is not in the range"),
        (("verify", "--seed", "9223372036854775808"), "'--seed': 9223372036854775808 is not in"),
        (("verify", "nowhere.json"), "nowhere.json: cannot be read: No such file"),
        (("verify", "."), ".: is a folder, expected a JSON file"),
        (("verify", "coin.json", "coin.json"), "coin.json: name: is 'coin' as in coin.json"),
        (("verify", "coin.json", "copy.json"), "copy.json: name: is 'coin' as in coin.json"),
        (("verify", "coin.json", "--out", "coin.json"), "--out: coin.json cannot be made: "),
        (("verify", "coin.json", "--out", "coin.json/o"), "cannot be made: Not a directory"),
        (("replay",), "FILE.json"),
        (("replay", "nowhere.json"), "nowhere.json: cannot be read: No such file"),
        (("replay", "coin.json"), "coin.json: has the unknown key"),
        (("evaluate", "coin.json"), "QUANTITY"),
        (("evaluate", "coin.json", "psi"), "QUANTITY: is 'psi', expected one of phi, "),
        (("evaluate", "coin.json", "phi"), "--state: is required by phi"),
        (("evaluate", "coin.json", "phi", "--state", "0"), "--memory: is required by phi"),
        (
            ("evaluate", "coin.json", "phi", "--state", "2", "--memory", "0"),
            "--state: is 2, expected 0 to 1",
        ),
        (("evaluate", "coin.json", "phi", "--state", "-1"), "'--state': -1 is not in the range"),
        (("evaluate", "coin.json", "phi", "--memory", "0.1.2"), "'--memory': is 0.1.2, expected"),
        (("evaluate", "coin.json", "phi", "--memory", "1/0"), "'--memory': is 1/0, expected"),
        (("evaluate", "coin.json", "phi", "--memory", "nan"), "'--memory': is nan, expected"),
        (("evaluate", "coin.json", "phi", "--memory", "1e9999"), "'--memory': is 1e9999, expected"),
        (("evaluate", "coin.json", "contraction-factor", "--state", "0"), "--state: is not used"),
        (("evaluate", "coin.json", "memory-fixed-point"), "--word: is required"),
        (
            ("evaluate", "coin.json", "memory-fixed-point", "--word", "0,2"),
            "--word: contains 2, expected 0 to 1",
        ),
        (("evaluate", "coin.json", "memory-fixed-point", "--word", ""), "'--word': is , expected"),
        (
            ("evaluate", "coin.json", "memory-fixed-point", "--word", "0,,1"),
            "'--word': is 0,,1, expected states such as 0,1,2",
        ),
        (("evaluate", "coin.json", "phi", "--digits", "0"), "'--digits': 0 is not in the range"),
        (
            ("evaluate", "coin.json", "phi", "--digits", "251"),
            "'--digits': 251 is not in the range",
        ),
        (("evaluate", "nowhere", "phi"), "nowhere: cannot be read"),
        (("report", "nowhere"), f"{Path('nowhere/report.json')}: cannot be read: No such file"),
        (("report", "coin.json"), "cannot be read: Not a directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_2_for_bad_usage(run, coin, tmp_path, arguments, said):
    written(tmp_path / "copy.json", toys.document())
    before = sorted(tmp_path.rglob("*"))
    assert said in refused(run(*arguments, claims=(TRUE, FALSE)))
    assert sorted(tmp_path.rglob("*")) == before


MALFORMED = [
    ("", "line 1, column 1: not JSON: "),
    ("{", "line 1, column 2: not JSON: "),
    ("[" * 100_000, "is nested too deeply"),
    ("[]", "is a list of 0, expected an object with schema"),
    (
        '{"schema": "instance/2"}',
        'schema: is "instance/2", expected one of instance/1, linear-functional/1',
    ),
    ('{"name": "coin"}', "expected an object with schema"),
    (toys.document() | {"chian": 1}, "has the unknown key \"chian\", nearest known key: 'chain'"),
    ({"schema": "instance/1"}, "lacks the key 'name', expected schema, name, chain"),
    (
        '{"schema": "instance/1", "name": "a", "name": "b"}',
        'has the key "name" twice, expected it once',
    ),
    (
        toys.document(**{"chain.transition": [["1/2", "1/2"], ["0.5", "0.49"]]}),
        "chain.transition[1]: row sums to 99/100, expected 1",
    ),
    (
        toys.document(**{"chain.transition": [["1/2", "1/2"], ["0.5"]]}),
        "chain.transition[1]: has 1 elements, expected 2 numbers",
    ),
    (
        toys.document(**{"chain.transition": [["1/2", "1/2"], ["3/2", "-1/2"]]}),
        "chain.transition[1][1]: is -0.5, expected a probability",
    ),
    (
        toys.document(**{"chain.transition": [["half", "1/2"], ["1", "0"]]}),
        'chain.transition[0][0]: is "half", expected a number such as 0.1',
    ),
    (toys.document(**{"chain.initial": 2}), "chain.initial: is 2, expected an integer from 0 to 1"),
    (toys.document(**{"activation.kind": "relu"}), 'activation.kind: is "relu", expected one of'),
    (toys.document(**{"law.B.high": "-1"}), "law.B.high: is -1, expected more than low = 0"),
    (json.dumps(toys.document()).replace('"1/2"', "NaN"), "contains NaN, expected finite numbers"),
]


@pytest.mark.parametrize(("content", "said"), MALFORMED, ids=[said for _, said in MALFORMED])
def test_2_for_a_malformed_instance(run, coin, tmp_path, content, said):
    file = written(tmp_path / "bad.json", content)
    for arguments in (("verify", coin, file), ("evaluate", file, "contraction-factor")):
        line = refused(run(*arguments))
        assert line.startswith("theorems: bad.json: ")
        assert said in line
    assert not Path("reports").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema": "replay/9"}, 'schema: is "replay/9", expected one of replay/1'),
        ({"claim": "T7"}, 'claim: is "T7", expected one of T1, G1'),
        (
            {"mutant": "swaped"},
            "mutant: is \"swaped\", expected one of swapped, doubled (did you mean 'swapped'?)",
        ),
        ({"mutant": 3}, "mutant: is 3, expected a non-empty string"),
        ({"seed": -1}, "seed: is -1, expected an integer from 0"),
        ({"seed": 0.5}, "seed: is 0.5, expected an integer"),
        ({"instance": "coin"}, 'instance: is "coin", expected an object'),
        (
            {"instance": toys.document(**{"chain.transition": [["1", "0"], ["0.5", "0.49"]]})},
            "instance.chain.transition[1]: row sums to 99/100, expected 1",
        ),
        ({"code": "import os"}, 'has the unknown key "code"'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_2_for_a_malformed_replay(run, tmp_path, changes, said):
    file = replay_file(tmp_path / "bad.json", **{"claim": "G1"} | changes)
    line = refused(run("replay", file, claims=(TRUE, TESTED)))
    assert line.startswith("theorems: bad.json: ")
    assert said in line


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema": "report/2"}, 'schema: is "report/2", expected one of report/1'),
        ({"summary": {"CERTIFIED": 1}}, "summary: lacks the key 'SUPPORTED'"),
        ({"created": "yesterday"}, 'created: is "yesterday", expected an ISO 8601 date'),
        ({"results": [{}]}, "results[0]: lacks the key 'claim'"),
    ],
)
def test_2_for_a_malformed_report(run, coin, changes, said):
    run("verify", coin, "--out", "out")
    before = Path("out/index.html").read_bytes()
    written(Path("out/report.json"), report_in("out") | changes)
    line = refused(run("report", "out"))
    assert line.startswith(f"theorems: {Path('out/report.json')}: ")
    assert said in line
    assert Path("out/index.html").read_bytes() == before


def test_2_where_a_report_cannot_be_rendered(run, coin):
    run("verify", coin, "--out", "out")
    Path("out/summary.md").unlink()
    Path("out/summary.md").mkdir()
    assert "DIR: out cannot be written: " in refused(run("report", "out"))


def test_2_where_no_claim_is_about_the_instance(run, coin):
    claims = (toys.claim("O1", kind="other/1"),)
    assert "schema: is instance/1, expected other/1" in refused(run("verify", coin, claims=claims))


# As processes: streams


def test_the_module_runs_as_a_command():
    done = python("-m", "theorems", "list", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert [entry["id"] for entry in json.loads(done.stdout)] == [claim.id for claim in CLAIMS]
    done = python("-m", "theorems", "show", "M1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("M1")


def test_the_module_verifies_and_refutes_without_asserts(coin):
    # `python -O` removes asserts: no verdict may depend on one.
    done = python("-m", "theorems", "verify", "one-state", "--claim", "M1", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 certified" in done.stdout
    assert report_in("reports/latest")["environment"]["trusted"]
    claims = toy_command("(toys.TRUE, toys.FALSE)")
    done = python("-O", "-c", claims, "verify", coin, "--jobs", "2", "--json")
    assert done.returncode == 1
    assert sorted(line.partition(" (")[0] for line in done.stderr.splitlines()) == [
        "F1: 1 refuted",
        "T1: 1 certified",
    ]
    assert json.loads(done.stdout)["summary"]["REFUTED"] == 1


def test_bad_usage_of_the_module():
    done = python("-m", "theorems", "verify", "nowhere.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "theorems: nowhere.json: cannot be read: No such file or directory"
    ]


def test_a_stream_without_the_signs_shows_their_escapes():
    done = python("-m", "theorems", "show", "M1", env={"PYTHONIOENCODING": "latin-1"}, text=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\u03a6" in done.stdout


@contextlib.contextmanager
def closed_pipe():
    """Yield the writing end of a pipe that no one reads."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        yield writing
    finally:
        os.close(writing)


def test_the_exit_code_stands_where_no_one_reads(coin):
    command = ("-c", toy_command("(toys.FALSE,)"), "verify", coin, "--jobs", "1")
    with closed_pipe() as pipe:
        done = python(
            *command, "--quiet", stdout=pipe, stderr=subprocess.PIPE, capture_output=False
        )
    assert (done.returncode, done.stderr) == (1, "")
    with closed_pipe() as pipe:
        done = python(
            *command, "--out", "out", stdout=subprocess.PIPE, stderr=pipe, capture_output=False
        )
    assert done.returncode == 1
    assert "1 refuted" in done.stdout
    assert report_in("out")["summary"]["REFUTED"] == 1


@pytest.mark.parametrize("arguments", [("list",), ("--help",)])
def test_no_traceback_where_no_one_reads_or_nothing_can_be_written(arguments):
    with closed_pipe() as pipe:
        done = python(
            "-m", "theorems", *arguments, stdout=pipe, stderr=subprocess.PIPE, capture_output=False
        )
    assert (done.returncode, done.stderr) == (0, "")
    if Path("/dev/full").exists():
        with Path("/dev/full").open("w", encoding="utf-8") as full:
            done = python(
                "-m", "theorems", *arguments,
                stdout=full, stderr=subprocess.PIPE, capture_output=False,
            )  # fmt: skip
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert line.startswith("theorems: ")


def test_a_bar_on_a_terminal(coin):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    program = toy_command("(toys.TRUE, toys.DRAWN, toys.UNDECIDABLE)")
    try:
        done = python(
            "-c", program, "verify", coin, "--jobs", "1",
            stdout=subprocess.PIPE, stderr=theirs, capture_output=False,
        )  # fmt: skip
        os.write(theirs, b"end")
        shown = b""
        while not shown.endswith(b"end"):
            shown += os.read(ours, 4096)
    finally:
        os.close(theirs)
        os.close(ours)
    assert done.returncode == 0
    assert b"deciding" in shown
    assert b"100%" in shown
    assert b"certified" not in shown


# As processes: Ctrl-C


def living(group: int) -> list[str]:
    """Return the processes of a group that still run, without those that are dead already."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pgid=,stat=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    return [" ".join(row) for row in rows if row[0] == str(group) and not row[1].startswith("Z")]


@contextlib.contextmanager
def started(*arguments, names: str = "toys.INTERRUPTED"):
    """Run the command in a process group of its own, as a shell does; end whatever is left."""
    process = subprocess.Popen(
        [sys.executable, "-c", toy_command(names), *arguments],
        env=with_toys(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        with process:
            yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def assert_none_is_left(group: int) -> None:
    deadline = time.monotonic() + LIVENESS
    while living(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert living(group) == []


@pytest.mark.parametrize("send", [os.killpg, os.kill], ids=["group", "process"])
def test_130_with_what_was_decided(coin, send):
    options = ("--jobs", "2", "--out", "out") + (("--json",) if send is os.kill else ())
    with started("verify", coin, *options) as process:
        line = process.stderr.readline()
        assert line.startswith("T1: 1 certified")
        assert len(living(process.pid)) > 1
        send(process.pid, signal.SIGINT)
        # The claims under way sleep longer: that it ends is that it does not wait.
        output, errors = process.communicate(timeout=LIVENESS)
        assert (process.returncode, errors) == (130, "")
        assert_none_is_left(process.pid)
    report = report_in("out")
    assert [(result["claim"], result["verdict"]) for result in report["results"]] == [
        ("T1", "CERTIFIED")
    ]
    assert report["interrupted"] == "by the user"
    assert [claim["id"] for claim in report["claims"]] == ["T1", "S1", "S2"]
    if send is os.kill:
        assert json.loads(output) == report
    else:
        assert "The run ended early; 2 results missing" in " ".join(output.split())
    assert {path.name for path in Path("out").iterdir()} == {
        *("report.json", "index.html", "junit.xml", "summary.md"),
    }


@pytest.mark.parametrize("delay", [0, 0.2, 0.5, 1])
def test_130_without_a_traceback_whenever_it_comes(coin, delay):
    """Also while worker processes are being born, and wherever the signal finds them."""
    options = ("--jobs", "2", "--out", "out")
    with started("verify", coin, *options, names="(toys.SLOW,)") as process:
        deadline = time.monotonic() + LIVENESS
        while not Path("out").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGINT)
        _output, errors = process.communicate(timeout=LIVENESS)
        # Where it comes while a library executes text of its own (scipy does so for long),
        # Python dies of the signal in the end; a shell calls that 130 too.
        assert process.returncode in {130, -signal.SIGINT}
        assert errors in {"", "theorems: interrupted\n"}
        assert_none_is_left(process.pid)
    if Path("out/report.json").exists():
        assert report_in("out")["interrupted"] == "by the user"
        assert report_in("out")["results"] == []


@pytest.mark.parametrize("deadly", [signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_a_command_that_is_killed(coin, deadly):
    with started("verify", coin, "--jobs", "2", "--out", "out") as process:
        assert process.stderr.readline().startswith("T1: 1 certified")
        assert len(living(process.pid)) > 2
        os.kill(process.pid, deadly)
        # Not until every worker has closed the stream is it at its end.
        _output, errors = process.communicate(timeout=LIVENESS)
        assert process.returncode == -deadly
        assert "Traceback" not in errors
        assert_none_is_left(process.pid)


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="no signal masks here")
def test_workers_are_born_deaf_to_it(coin):
    # Not only made so once they run: one that is interrupted at its birth leaves a traceback.
    done = python("-c", toy_command("(toys.DEAF,)"), "verify", coin, "--jobs", "1", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 certified" in done.stdout


# As processes: what is loaded


def loaded_by(program: str, *arguments: str) -> set[str]:
    show = "print(*sorted(name for name in sys.modules if '.' not in name), file=sys.stderr)"
    done = python("-c", f"import sys\n{program}\n{show}", *arguments, stdout=subprocess.PIPE,
                  stderr=subprocess.PIPE, capture_output=False)  # fmt: skip
    assert done.returncode == 0
    return set(done.stderr.split())


NUMERICAL = {"numpy", "scipy", "flint", "matplotlib", "numba", "mpmath", "jax", "torch"}


def test_importing_the_engine_loads_nothing_heavy():
    loaded = loaded_by("import verification")
    assert "verification" in loaded
    assert not loaded & (NUMERICAL | {"click", "hypothesis", "jinja2", "latex2mathml"})


def test_listing_loads_nothing_heavy():
    program = "from theorems.__main__ import main\ntry: main()\nexcept SystemExit: pass"
    loaded = loaded_by(program, "list")
    assert {"theorems", "click"} <= loaded
    assert not loaded & ((NUMERICAL - {"flint"}) | {"hypothesis", "jinja2", "latex2mathml"})


def test_from_python():
    program = (
        "from verification import Instance, verify; from theorems import CLAIMS\n"
        "from verification import gallery\n"
        "instance = Instance.from_json(gallery.load('fair-coin').to_json())\n"
        "print(*(f'{result.claim}={result.verdict}' for result in verify(CLAIMS, instance)))"
    )
    done = python("-c", program)
    assert (done.returncode, done.stderr) == (0, "")
    verdicts = dict(line.split("=") for line in done.stdout.split())
    assert list(verdicts) == [claim.id for claim in CLAIMS if claim.kind == SCHEMA]
    # Its W is normal: the memory of finitely many units is simulated.
    assert verdicts.pop("M6") == "SUPPORTED"
    # The explicit bound says nothing at a width that is quickly simulated, nor does its energy.
    assert (verdicts.pop("T5"), verdicts.pop("T6")) == ("VACUOUS", "VACUOUS")
    assert set(verdicts.values()) == {"CERTIFIED"}


# certify, check


def test_a_certificate_is_written_checked_and_replayed(run):
    file = "p5.json"
    code, output, errors = run(
        *("certify", "fair-coin", "--claim", "P5", "--out", file), claims=CLAIMS
    )
    assert (code, errors) == (0, "")
    assert file in output
    code, output, errors = run("check", file)
    assert (code, errors) == (0, "")
    assert output.startswith("VALID     P5 on fair-coin\n")
    code, output, _ = run("check", file, "--json")
    assert (code, json.loads(output)["outcome"]) == (0, "VALID")
    code, output, _ = run("replay", file, claims=CLAIMS)
    assert (code, output.splitlines()[0]) == (0, "P5 on fair-coin: CERTIFIED")


def test_a_damaged_certificate_is_invalid(run):
    run("certify", "fair-coin", "--claim", "E4", "--out", "e4.json", claims=CLAIMS)
    text = Path("e4.json").read_text(encoding="utf-8")
    Path("e4.json").write_text(text.replace("fair-coin", "fair-corn"), encoding="utf-8")
    code, output, errors = run("check", "e4.json")
    assert (code, errors) == (1, "")
    assert output.startswith("INVALID   digest: ")
    code, output, _ = run("check", "e4.json", "--json")
    assert (code, json.loads(output)["outcome"]) == (1, "INVALID")


UNWRITTEN = next(x.id for x in CLAIMS if x.kind == SCHEMA and x.id not in FORMULAS)
"""A claim of which there are no certificates yet."""


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("certify", "fair-coin", "--claim", UNWRITTEN), f"no certificates of {UNWRITTEN} yet"),
        (("certify", "fair-coin", "--claim", "C1"), "C1 is about linear-functional/1"),
        (("certify", "one-state", "--claim", "P5"), "P5 on one-state is VACUOUS"),
        (("certify", "periodic-three", "--claim", "P1"), "P1 on periodic-three is INAPPLICABLE"),
        (("certify", "fair-coin"), "'--claim'"),
    ],
)
def test_what_cannot_be_certified_is_one_line(run, arguments, problem):
    code, output, errors = run(*arguments, "--out", "out.json", claims=CLAIMS)
    assert (code, output) == (2, "")
    assert problem in errors
    assert errors.count("\n") == 1
    assert not Path("out.json").exists()


def test_what_is_no_certificate_is_one_line(run):
    Path("other.json").write_text('{"schema": "replay/1"}', encoding="utf-8")
    for file in ("other.json", "missing.json", "."):
        code, output, errors = run("check", file)
        assert (code, output) == (2, "")
        assert errors.startswith(f"theorems: {file}: ")
        assert errors.count("\n") == 1


def test_show_says_whether_a_claim_can_be_certified(run):
    assert "can be certified and checked" in run("show", "P5", claims=CLAIMS)[1]
    assert "not made of this claim yet" in run("show", UNWRITTEN, claims=CLAIMS)[1]
