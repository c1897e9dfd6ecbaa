"""Campaigns of real processes: killed and resumed, side by side, interrupted, refuted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SUPPORT = Path(__file__).parents[1] / "support"
LIVENESS = 60.0


def command(names, *arguments):
    program = (
        "import sys; import toy_claims as toys; from verification.cli import main; "
        f"main(({names},), sys.argv[1:])"
    )
    return [sys.executable, "-c", program, "campaign", "--jobs", "1", *arguments]


def environment():
    paths = [str(SUPPORT), *filter(None, sys.path)]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def campaign(names, *arguments):
    """Run a campaign to its end; return the exit code, standard output and standard error."""
    done = subprocess.run(
        command(names, *arguments),
        env=environment(),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=LIVENESS,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def begun(names, *arguments):
    return subprocess.Popen(
        command(names, *arguments),
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def lines(folder):
    return [
        line
        for path in (folder / "journals").glob("*.jsonl")
        for line in path.read_bytes().splitlines()[1:]
    ]


def wait_for(condition):
    deadline = time.monotonic() + LIVENESS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def document(text):
    return json.loads(text)


def of_claim(found, name):
    return next(claim for claim in found["claims"] if claim["id"] == name)


def test_killed_three_times_and_resumed_it_has_lost_nothing_that_it_had_written(tmp_path):
    reported = []
    for _ in range(3):
        process = begun("toys.SHARED, toys.TRUE", "--out", str(tmp_path), "--resume", "--quiet")
        before = len(lines(tmp_path))
        wait_for(lambda before=before: len(lines(tmp_path)) >= before + 2)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        reported = [line for line in lines(tmp_path) if line.endswith(b"}}")]
    turns = [json.loads(line)["entry"] for line in reported]
    code, output, _ = campaign(
        "toys.SHARED, toys.TRUE", "--out", str(tmp_path), "--resume", "--budget", "2s", "--json"
    )
    assert code == 0
    assert set(reported) <= set(lines(tmp_path))
    found = document(output)
    for name in ("Z1", "T1"):
        of_this = [turn for turn in turns if turn["claim"] == name]
        claim = of_claim(found, name)
        assert claim["turns"] >= sum(turn["turns"] for turn in of_this)
        for verdict in ("CERTIFIED",):
            counted = sum(turn["verdicts"].get(verdict, 0) for turn in of_this)
            assert claim["verdicts"][verdict] >= counted
        for kept in (kept for turn in of_this for kept in turn["kept"]):
            for cell in kept["cells"]:
                assert claim["tightest"][cell]["tightness"] >= kept["tightness"]
    for claim in found["claims"]:
        for kept in claim["tightest"].values():
            assert Path(kept["file"]).is_file()


def test_two_campaigns_in_one_folder(tmp_path):
    arguments = ("--out", str(tmp_path), "--resume", "--budget", "4s", "--quiet", "--json")
    first, second = begun("toys.SHARED", *arguments), begun("toys.SHARED", *arguments)
    outputs = [process.communicate(timeout=LIVENESS) for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], outputs
    turns = [json.loads(line)["entry"]["turns"] for line in lines(tmp_path)]
    assert len(list((tmp_path / "journals").iterdir())) == 2
    last = max(of_claim(document(output), "Z1")["turns"] for output, _ in outputs)
    assert last == sum(turns)


def interrupted(process):
    """Send Ctrl-C; return the exit code, standard output and standard error."""
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=LIVENESS)
    return process.returncode, output, errors


def test_a_counterexample_is_shrunk_written_and_replayed(tmp_path):
    readable = tmp_path / "counterexamples"
    process = begun("toys.CROWDED", "--out", str(tmp_path), "--seed", "1", "--json", "--quiet")
    wait_for(readable.is_dir)
    code, output, _ = interrupted(process)
    assert code == 1
    found = document(output)["counterexamples"]
    shrunk = [item for item in found if item["shrunk"]]
    assert shrunk
    for item in shrunk:
        asked = json.loads(Path(item["file"]).read_text(encoding="utf-8"))
        assert len(asked["instance"]["chain"]["inputs"]) == 4
        assert item["side"] == "above"
    keys = [(item["claim"], item["side"], tuple(item["cells"])) for item in found]
    assert len(set(keys)) == len(keys)
    files = [path for path in readable.iterdir() if path.suffix == ".json"]
    assert len(files) == len({tuple(item["cells"]) for item in shrunk})
    replayed = subprocess.run(
        [*command("toys.CROWDED")[:3], "replay", str(files[0])],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert replayed.returncode == 1
    assert "REFUTED" in replayed.stdout


def test_a_claim_that_was_not_tried_in_earnest_fails(tmp_path):
    code, output, _ = campaign("toys.UNMET", "--out", str(tmp_path), "--budget", "2s")
    assert code == 1
    assert "V1 never tried" in " ".join(output.split())


def test_a_claim_without_a_strategy_alone_fails_nothing(tmp_path):
    code, output, _ = campaign("toys.ELSEWHERE", "--out", str(tmp_path), "--budget", "2s")
    assert code == 0
    assert "there is no strategy" in " ".join(output.split())


def test_ctrl_c_ends_with_a_summary(tmp_path):
    process = begun("toys.TRUE", "--out", str(tmp_path), "--quiet")
    wait_for(lambda: lines(tmp_path))
    code, output, errors = interrupted(process)
    assert code == 130, errors
    assert "1 claim" in output


def test_a_folder_with_a_campaign_is_not_taken_for_another(tmp_path):
    (tmp_path / "journals").mkdir()
    (tmp_path / "journals" / "0001.jsonl").write_bytes(b"")
    code, _, errors = campaign("toys.TRUE", "--out", str(tmp_path), "--budget", "1s")
    assert code == 2
    assert "--resume goes on with it" in errors
    assert errors.count("\n") == 1


def test_a_corrupt_folder_is_one_line_and_exit_code_2(tmp_path):
    (tmp_path / "journals").mkdir()
    journal = tmp_path / "journals" / "0001.jsonl"
    journal.write_bytes(b"hello\n")
    code, _, errors = campaign("toys.TRUE", "--out", str(tmp_path), "--budget", "1s", "--resume")
    assert code == 2
    assert "0001.jsonl:1: is not a line of a journal" in errors
    assert errors.count("\n") == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["journals", "0001.jsonl"]
    assert journal.read_bytes() == b"hello\n"


def test_a_worker_that_dies_costs_its_turn(tmp_path):
    process = begun("toys.KILLER", "--out", str(tmp_path), "--quiet")
    wait_for(lambda: len(lines(tmp_path)) > 1)
    _, output, _ = interrupted(process)
    text = " ".join(output.split())
    assert "lost: its worker process died" in text
    assert "K1 never tried" in text


@pytest.mark.parametrize("budget", ["0", "forever"])
def test_bad_budgets(budget, tmp_path):
    code, _, errors = campaign("toys.TRUE", "--out", str(tmp_path), "--budget", budget)
    assert code == 2
    assert "expected a time" in errors
