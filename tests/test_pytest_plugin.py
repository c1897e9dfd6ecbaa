"""Claims as tests of pytest, in runs of pytest inside the tests."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np  # noqa: F401 - a run inside the test forgets what it loads; numpy loads once
import pytest
import toy_claims as toys

from theorems import CLAIMS
from verification import gallery, pytest_plugin

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
PLUGIN = """
import toy_claims as toys
from verification import pytest_plugin

def pytest_addoption(parser):
    pytest_plugin.add_options(parser)

def pytest_configure(config):
    config.pluginmanager.register(pytest_plugin.Plugin({claims}, config), "toys")
"""


@pytest.fixture
def inner(pytester, monkeypatch):
    """Return what runs pytest in an empty folder on claims of the tests."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.makefile(".json", **{"instances/coin": json.dumps(toys.document())})

    def run(*arguments, claims=(), plugin="some_toys"):
        names = ", ".join(f"toys.{name}" for name in claims)
        pytester.makepyfile(some_toys=PLUGIN.format(claims=f"({names},)" if names else "()"))
        # The plugin of an installation and that of the test have the same options.
        arguments = ("-p", plugin, "-p", "no:xdist", "-p", "no:hypothesispytest", *arguments)
        if plugin != "theorems.pytest_plugin":
            arguments = ("-p", "no:theorems.pytest_plugin", *arguments)
        pytester.syspathinsert()
        return pytester.runpytest_inprocess(*arguments)

    (pytester.path / "instances").mkdir(exist_ok=True)
    return run


VERDICTS = {
    "TRUE": ("passed", None),
    "SIMULATED": ("passed", None),
    "FALSE": ("failed", "F1 on coin is REFUTED: "),
    "DISPUTED": ("xfailed", "P1 on coin is REFUTED: .*(disputed; T1 holds in its place)"),
    "UPHELD": ("passed", None),
    "UNDECIDABLE": ("skipped", "U1 on coin is UNDECIDED: "),
    "EMPTY": ("skipped", "V2 on coin is VACUOUS: nothing is said"),
    "UNMET": ("skipped", "V1 on coin is INAPPLICABLE: needs the sky is green, but "),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_what_becomes_of_a_verdict(inner, name):
    outcome, said = VERDICTS[name]
    result = inner("--theorems=instances", "-rsxX", claims=[name])
    result.assert_outcomes(**{outcome: 1})
    assert said is None or re.search(re.escape(said).replace(r"\.\*", ".*"), result.stdout.str())
    assert result.ret == (pytest.ExitCode.TESTS_FAILED if outcome == "failed" else 0)


def test_a_refutation_shows_both_sides_and_is_decided_again(inner, pytester):
    result = inner("--theorems=instances", claims=["TRUE", "FALSE"])
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["  left   [[]0.5, 0.5]", "  right  [[]0.3333*, 0.3333*]"])
    text = result.stdout.str()
    assert "Traceback" not in text
    assert "pytest_plugin.py" not in text
    # Where the variable CI is set, pytest's summary has the whole message a second time.
    (file,) = set(re.findall(r"again  theorems replay (\S+)", text))
    program = "import toy_claims as toys; from verification.cli import main; main([toys.FALSE])"
    again = subprocess.run(
        [sys.executable, "-c", program, "replay", file],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert again.returncode == 1, again.stderr
    assert "REFUTED" in again.stdout


def test_what_is_undecided_fails_where_that_is_asked_for(inner):
    result = inner("--theorems=instances", "--theorems-strict", claims=["UNDECIDABLE", "EMPTY"])
    result.assert_outcomes(failed=1, skipped=1)
    result.stdout.fnmatch_lines(["*U1 on coin is UNDECIDED: *"])


def test_one_test_for_each_claim_and_instance_of_its_kind(inner, pytester):
    pytester.makefile(".json", **{"instances/other": json.dumps(toys.document("other"))})
    pytester.makepyfile(test_mine="def test_mine(): pass")
    pytester.makefile(".json", elsewhere="{")
    claims = ["TRUE", "ELSEWHERE", "IDENTITY"]
    result = inner("--theorems=instances", "--collect-only", "-q", claims=claims)
    expected = {
        f"instances/{file}.json::{claim}" for file in ("coin", "other") for claim in ("T1", "I1")
    }
    found = [line for line in result.stdout.lines if "::" in line]
    assert set(found) == expected | {"test_mine.py::test_mine"}
    assert len(found) == 5
    inner("--theorems=instances", "instances", claims=claims).assert_outcomes(passed=4)
    one = "instances/coin.json::I1"
    inner("--theorems=instances", one, claims=claims).assert_outcomes(passed=1)
    inner("test_mine.py", claims=claims).assert_outcomes(passed=1)


def test_the_error_level_is_shared_by_what_is_simulated(inner, pytester, monkeypatch):
    pytester.makefile(".json", **{"instances/other": json.dumps(toys.document("other"))})
    levels = []
    real = pytest_plugin.decide
    monkeypatch.setattr(
        pytest_plugin,
        "decide",
        lambda claim, *args, level, **more: (
            levels.append(level) or real(claim, *args, level=level, **more)
        ),
    )
    inner("--theorems=instances", "-k", "coin", claims=["SIMULATED"]).assert_outcomes(
        passed=1, deselected=1
    )
    # That of the one left out is not spent by the other.
    assert levels == [pytest_plugin.RUN_LEVEL / 2]


def test_a_bad_file_is_one_line_and_the_others_are_decided(inner, pytester):
    wrong = toys.document(**{"chain.initial": 2})
    pytester.makefile(".json", **{"instances/wrong": json.dumps(wrong), "instances/text": "no"})
    result = inner("--theorems=instances", "--continue-on-collection-errors", claims=["TRUE"])
    result.assert_outcomes(passed=1, errors=2)
    lines = [line for line in result.stdout.lines if line.startswith("wrong.json: ")]
    assert lines == ["wrong.json: chain.initial: is 2, expected an integer from 0 to 1"]
    assert any(line.startswith("text.json: ") for line in result.stdout.lines)
    assert "Traceback" not in result.stdout.str()


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("nowhere", "--theorems: nowhere is no folder"),
        ("empty", "--theorems: empty holds no instance file, expected *.json"),
    ],
)
def test_a_folder_without_instances_is_one_line(inner, pytester, folder, said):
    pytester.mkdir("empty")
    result = inner(f"--theorems={folder}", claims=["TRUE"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.stderr.lines if line] == [f"ERROR: {said}"]


FIXTURE = """
import pytest
from pathlib import Path
import toy_claims as toys
from verification import Instance, Verdict

COIN = Path("instances/coin.json")

def test_it_holds(verify_claim):
    assert verify_claim("T1", COIN).verdict is Verdict.CERTIFIED
    assert verify_claim("T1", Instance.load(COIN), seed=3).verdict is Verdict.CERTIFIED
    assert verify_claim(toys.IDENTITY, "fair-coin").verdict is Verdict.CERTIFIED

def test_it_does_not(verify_claim):
    verify_claim(toys.FALSE, str(COIN))

def test_it_is_not_decided(verify_claim):
    verify_claim(toys.UNDECIDABLE, COIN)
    raise RuntimeError

def test_no_claim(verify_claim):
    verify_claim("T9", COIN)

def test_no_file(verify_claim):
    verify_claim("T1", "nothing.json")

def test_another_kind(verify_claim):
    verify_claim(toys.ELSEWHERE, COIN)
"""


def test_the_fixture(inner, pytester):
    pytester.makepyfile(test_fixture=FIXTURE)
    result = inner("-rs", claims=["TRUE"])
    result.assert_outcomes(passed=1, failed=4, skipped=1)
    result.stdout.fnmatch_lines(["*F1 on coin is REFUTED: *"])
    text = result.stdout.str()
    for said in (
        "claim: is 'T9', expected one of T1",
        "nothing.json",
        "coin: schema: is instance/1, expected another/1",
        "U1 on coin is UNDECIDED: ",
    ):
        assert said in text


def test_the_plugin_of_this_project(inner, pytester):
    name = "fair-coin"
    source = json.dumps(gallery.load(name).to_json())
    pytester.makefile(".json", **{f"mine/{name}": source})
    about = sum(claim.kind == gallery.load(name).schema for claim in CLAIMS)
    arguments = ("--theorems=mine", "mine", "-k", "M1 or C1", "-v")
    result = inner(*arguments, plugin="theorems.pytest_plugin")
    result.assert_outcomes(passed=1, deselected=about - 1)
    result.stdout.fnmatch_lines([f"mine/{name}.json::M1 PASSED*"])


def test_a_run_of_pytest_that_asks_for_no_claim_loads_no_numpy():
    program = "import sys, theorems.pytest_plugin; print('numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout == "False\n"


def test_the_installation_names_the_plugin():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    # Named as its module, it is no second plugin where it is asked for with -p.
    assert project["entry-points"]["pytest11"] == {
        "theorems.pytest_plugin": "theorems.pytest_plugin"
    }
