"""``theorems predict``: files, output, exit codes, one line for every fault."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from predicted import RAIN

from verification import cli
from verification.enclosure import selftest
from verification.enclosure.selftest import Check
from verification.prediction import files as files_module
from verification.prediction import prediction as prediction_module
from verification.prediction.replicas import Plan

LIVENESS = 300
"""Seconds after which a process that should have ended is taken to hang."""

FILES = {"prediction.json", "limit.csv", "spectrum.csv", "limit.svg"}


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    """Work in an empty folder, without the self-test."""
    monkeypatch.chdir(tmp_path)
    passed = Check(name="sums", passed=True, fatal=True, detail="1 + 1")
    monkeypatch.setattr(selftest, "run", lambda: (passed,))
    (tmp_path / "rain.json").write_text(json.dumps(RAIN), encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(capsys):
    def command(*arguments):
        if "--widths" not in arguments:
            arguments += ("--widths", "none")
        with pytest.raises(SystemExit) as stop:
            cli.main((), ["predict", *(str(argument) for argument in arguments)])
        return stop.value.code, *capsys.readouterr()

    return command


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def written(**changes) -> str:
    document = RAIN | changes
    path = Path("mine.json")
    path.write_text(json.dumps({k: v for k, v in document.items() if v is not None}))
    return path.name


def test_a_table_and_four_files(run):
    code, output, errors = run("rain.json")
    assert code == 0
    assert output.startswith("rain-atoms: the limit of infinite width")
    assert output.splitlines()[-1].startswith(f"files: {Path('reports/prediction')}")
    assert contents("reports/prediction").keys() == FILES
    stages = errors.splitlines()
    assert len(stages) == 5
    assert all(stage.startswith("predict: ") for stage in stages)


def test_two_runs_give_the_same_files(run):
    for name in ("one", "two"):
        assert run("rain.json", "--out", name)[0] == 0
    assert contents("one") == contents("two")


def test_json_is_the_file(run):
    code, output, errors = run("rain.json", "--json", "--quiet", "--out", "out")
    assert (code, errors) == (0, "")
    document = json.loads(output)
    assert document == json.loads(contents("out")["prediction.json"])
    assert document["schema"] == "prediction/1"
    environment = document["environment"]
    assert {"numpy", "matplotlib", "FLINT", "CPU", "git revision"} <= environment.keys()
    assert environment["self_test"][0]["name"] == "sums"
    assert environment["trusted"]
    assert document["networks"] is None
    # They change nothing.
    assert not {"seed", "jobs"} & environment.keys()


def test_a_gallery_instance_may_be_named(run):
    code, output, _errors = run("one-state", "--quiet")
    assert code == 0
    assert output.startswith("one-state:")


def refused(result, said, expected=2):
    code, output, errors = result
    assert (code, output) == (expected, "")
    (line,) = errors.splitlines()
    assert line.startswith("theorems: ")
    assert said in line


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"training": None}, "mine.json: training: is missing, expected constants such as"),
        (
            {"training": RAIN["training"] | {"horizon": "1e10"}},
            "mine.json: training.horizon: is 10000000000, expected at most 1073741824",
        ),
        (
            {"chain": RAIN["chain"] | {"transition": [["1", "0"], ["0", "1"]]}},
            "mine.json: chain.transition: has no unique stationary law",
        ),
        (
            {"chain": RAIN["chain"] | {"targets": ["1e999", "0"]}},
            "mine.json: chain.targets[0]: is too large",
        ),
        (
            {"law": {"kind": "atoms", "atoms": [{"p": "1", "C": "0", "W": ["0"], "B": "-4"}]}},
            "mine.json: law: has q = s1 E|B| = 1, expected q < 1",
        ),
        (
            {
                "law": {
                    "C": {"kind": "uniform", "low": "-1e9", "high": "1e9"},
                    "W": {"kind": "normal", "mean": ["0"], "std": "1"},
                    "B": {"kind": "constant", "value": "1"},
                }
            },
            "known too coarsely for so long a time; expected a training.horizon up to about",
        ),
    ],
    ids=["no training", "too long", "reducible", "huge target", "expanding", "too coarse"],
)
def test_what_is_wrong_is_one_line(run, changes, said):
    refused(run(written(**changes), "--quiet"), said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing argument 'INSTANCE.json'"),
        (("absent.json",), "absent.json: cannot be read"),
        (("rain.json", "--widths", "few"), "'--widths': is few, expected numbers such as"),
        (("rain.json", "--widths", "8,0"), "theorems: --widths: has 0, expected 1 to 16777216"),
        (("rain.json", "--widths", "8,4,8"), "--widths: is 4,8,8, expected distinct"),
        (("rain.json", "--widths", "8", "--replicas", "0"), "'--replicas': 0 is not in the range"),
        (("rain.json", "--out", "rain.json"), "--out: rain.json cannot be made"),
    ],
)
def test_wrong_usage_is_one_line(run, arguments, said):
    refused(run(*arguments), said)


def test_a_folder_that_cannot_be_written_is_found_out_before_the_work(run, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(selftest, "run", lambda: pytest.fail("worked"))
    refused(run("rain.json", "--out", "out"), "--out: out cannot be written")


def test_a_full_disk_is_one_line_and_leaves_no_part(run, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    refused(run("rain.json", "--quiet", "--out", "out"), "--out: out cannot be written: No space")
    assert contents("out") == {}


def test_a_failed_self_test_predicts_nothing(run, monkeypatch):
    failed = Check(name="sums", passed=False, fatal=True, detail="1 + 1 = 3")
    monkeypatch.setattr(selftest, "run", lambda: (failed,))
    refused(run("rain.json", "--quiet", "--out", "out"), "self-test", expected=4)
    assert contents("out") == {}


def interrupt(*_arguments, **_options):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (prediction_module, "joint_law"),
        (prediction_module, "limit_flow"),
        (files_module, "render_plot"),
        (Path, "replace"),
    ],
    ids=["law", "flow", "plot", "rename"],
)
def test_an_interrupt_leaves_no_part(run, monkeypatch, place, name):
    monkeypatch.setattr(place, name, interrupt)
    refused(run("rain.json", "--quiet", "--out", "out"), "interrupted", expected=130)
    assert contents("out") == {}


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_files_have_the_usual_permissions(run):
    assert run("rain.json", "--out", "out")[0] == 0
    usual = Path("usual")
    usual.touch()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in Path("out").iterdir()}
    assert modes == {stat.S_IMODE(usual.stat().st_mode)}


@pytest.mark.parametrize("command", ["list", "predict"])
def test_nothing_heavy_is_loaded_before_there_is_work(command):
    """What numpy reads when it is loaded is set before."""
    program = (
        "import sys\n"
        "from verification import cli\n"
        "try:\n"
        f"    cli.main((), ['{command}', '--help'])\n"
        "except SystemExit:\n"
        "    heavy = {'matplotlib', 'numpy', 'scipy'} & sys.modules.keys()\n"
        "    sys.exit(f'loaded: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def theorems(*arguments, **options):
    """Start the command as a user does, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "theorems", "predict", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        **options,
    )


def test_as_a_user_runs_it(folder):
    """With one BLAS thread, worker processes and the real self-test."""
    process = theorems("rain.json", "--widths", "16,64", "--replicas", "3")
    output, errors = process.communicate()
    assert process.returncode == 0
    assert contents(folder / "reports/prediction").keys() == FILES | {"networks.csv"}
    assert "  64        3  " in output
    lines = errors.splitlines()
    assert all(line.startswith("predict: ") for line in lines)
    for width in (16, 64):
        assert f"predict: networks of N = {width}: 3 done" in lines


def test_what_was_trained_until_an_interrupt_is_written(folder):
    narrow, wide = 16, 2**16
    process = theorems("rain.json", "--widths", f"{narrow},{wide}", start_new_session=True)
    try:
        for line in process.stderr:
            if f"N = {narrow}" in line:
                break
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=LIVENESS)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert f"  {narrow}        32 " in output
    assert "Interrupted" in output
    found = json.loads(contents(folder / "reports/prediction")["prediction.json"])["networks"]
    assert found["interrupted"]
    assert len(found["widths"][0]["errors"]) == 32
    assert sum(len(ensemble["errors"]) for ensemble in found["widths"]) < 64


def test_networks_of_a_former_prediction_do_not_stay(run):
    trained = ("rain.json", "--widths", "8", "--replicas", "2", "--quiet", "--out", "out")
    assert run(*trained)[0] == 0
    assert contents("out").keys() == FILES | {"networks.csv"}
    assert run("rain.json", "--quiet", "--out", "out")[0] == 0
    assert contents("out").keys() == FILES


def test_the_usual_widths_are_trained_where_none_are_named(run, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "verification.prediction.networks.train_networks",
        lambda found, plan, **_options: asked.append(plan),
    )
    monkeypatch.setattr("verification.prediction.files.write_prediction", lambda *_: None)
    with pytest.raises(SystemExit):
        cli.main((), ["predict", "rain.json", "--quiet", "--seed", "5"])
    assert asked == [Plan(widths=(256, 1024, 4096), replicas=32, seed=5)]
