"""A real scheduler and real workers on this machine, some of which die."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
import toy_claims as toys
from predicted import RAIN

from verification import cli, cluster
from verification.errors import InvalidInstance

LIVENESS = 120
"""Seconds after which a process that should have answered is taken to hang."""

needs_dask = pytest.mark.skipif(
    find_spec("distributed") is None, reason="the package distributed is not installed"
)
SCHEDULER = """
import asyncio
from distributed import Scheduler

async def serve():
    async with Scheduler(host="127.0.0.1", port=0, dashboard=False) as scheduler:
        print(scheduler.address, flush=True)
        await scheduler.finished()

asyncio.run(serve())
"""
WORKER = """
import asyncio, sys
from distributed import Worker

async def serve():
    threads = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    async with Worker(sys.argv[1], nthreads=threads, dashboard=False) as worker:
        print(worker.address, flush=True)
        await worker.finished()

if __name__ == "__main__":
    asyncio.run(serve())
"""


@contextmanager
def started(program, *arguments):
    """Start a program; yield the process and the first line that it prints."""
    support = Path(__file__).parent / "support"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        # What a worker with a nanny has, and where the tests' own modules lie.
        env=os.environ
        | dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        | {"PYTHONPATH": os.pathsep.join([str(support), *sys.path])},
    )
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def scheduler():
    with started(SCHEDULER) as (_, address):
        yield address


@pytest.fixture
def workers(scheduler):
    with started(WORKER, scheduler) as (one, _), started(WORKER, scheduler) as (other, _):
        yield one, other


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Return what predicts with networks, in this process and an empty folder."""
    monkeypatch.chdir(tmp_path)
    Path("rain.json").write_text(json.dumps(RAIN), encoding="utf-8")

    def command(*arguments):
        with pytest.raises(SystemExit) as stop:
            cli.main((), ["predict", "rain.json", *arguments, "--quiet"])
        return stop.value.code, *capsys.readouterr()

    return command


def predict(*arguments):
    """Start the command as a user does."""
    return subprocess.Popen(
        [sys.executable, "-m", "theorems", "predict", "rain.json", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
    )


def networks(folder):
    return json.loads((Path(folder) / "prediction.json").read_text(encoding="utf-8"))["networks"]


@needs_dask
def test_a_worker_that_dies_half_way_changes_nothing(run, scheduler, workers):
    """It is killed once the first width is done and networks of the next are under way."""
    asked = ("--widths", "64,4096", "--replicas", "10")
    assert run(*asked, "--out", "here")[0] == 0
    process = predict(*asked, "--out", "there", "--executor", scheduler)
    try:
        for line in process.stderr:
            if "N = 64: 10 done" in line:
                break
        workers[0].send_signal(signal.SIGKILL)
        _, errors = process.communicate(timeout=LIVENESS)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    # It was not yet done.
    assert "N = 4096: 10 done" in errors
    assert networks("there") == networks("here")
    assert (Path("there") / "networks.csv").read_bytes() == Path("here/networks.csv").read_bytes()


@needs_dask
def test_two_workers_give_what_processes_give(run, scheduler, workers):
    assert all(worker.poll() is None for worker in workers)
    asked = ("--widths", "16,32", "--replicas", "3", "--seed", "4")
    assert run(*asked, "--out", "here")[0] == 0
    assert run(*asked, "--out", "there", "--executor", scheduler, "--jobs", "5")[0] == 0
    assert networks("there") == networks("here")


@needs_dask
def test_equal_tasks_are_done_each(scheduler, workers):
    """Dask would merge them, had it not been told that they are no pure functions."""
    with cluster.cluster(scheduler) as (make_executor, threads):
        assert threads == len(workers)
        executor = make_executor()
        drawn = [executor.submit(os.urandom, 8) for _ in range(4)]
        assert len({future.result(LIVENESS) for future in drawn}) == 4


def campaign(claims, *arguments):
    """Search on claims of the tests, by their names."""
    with pytest.raises(SystemExit) as stop:
        cli.main([getattr(toys, name) for name in claims], ["campaign", *arguments, "--quiet"])
    return stop.value.code


@needs_dask
def test_a_campaign_searches_on_the_workers(scheduler, workers, tmp_path, capsys):
    asked = ("--executor", scheduler, "--budget", "4s", "--seed", "1", "--json")
    assert campaign(["TRUE"], "--out", str(tmp_path / "true"), *asked) == 0
    (tried,) = json.loads(capsys.readouterr().out)["claims"]
    assert tried["examples"] > 0
    assert all(worker.poll() is None for worker in workers)
    assert campaign(["CROWDED"], "--out", str(tmp_path / "false"), *asked) == 1
    assert list((tmp_path / "false" / "counterexamples").iterdir())


@needs_dask
def test_workers_with_several_threads_search_nothing(tmp_path, capsys):
    with started(SCHEDULER) as (_, address), started(WORKER, address, "2") as (_, worker):
        code = campaign(["TRUE"], "--out", str(tmp_path), "--executor", address, "--budget", "1s")
        refused(
            (code, *capsys.readouterr()),
            f"--executor: worker {worker} has 2 threads, expected 1: start it with --nthreads 1",
        )


def refused(result, said):
    code, output, errors = result
    assert (code, output) == (2, "")
    (line,) = errors.splitlines()
    assert re.search(said, line)


@needs_dask
def test_a_scheduler_without_workers_is_one_line(run):
    with started(SCHEDULER) as (_, address):
        refused(
            run("--widths", "8", "--executor", address), f"--executor: {address} has no workers"
        )


@needs_dask
@pytest.mark.parametrize("listens", [True, False])
def test_what_cannot_be_reached_is_one_line(run, monkeypatch, listens):
    """Nobody, or one who says nothing."""
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        if not listens:
            server.close()
        refused(
            run("--widths", "8", "--executor", address),
            f"--executor: {address} cannot be reached, expected a Dask scheduler such as",
        )


@needs_dask
@pytest.mark.parametrize("address", ["foo", "http://host:80", "tcp://host", "tcp:///"])
def test_what_is_no_address_is_one_line(run, address):
    refused(
        run("--widths", "8", "--executor", address), f"--executor: is {address}, expected a Dask"
    )


@needs_dask
@pytest.mark.usefixtures("run")
def test_a_scheduler_that_dies_is_one_line():
    with started(SCHEDULER) as (process, address), started(WORKER, address) as (_, worker):
        assert worker.startswith("tcp://")
        command = predict("--widths", "64,8192", "--executor", address, "--out", "out")
        try:
            for line in command.stderr:
                if "N = 64: 32 done" in line:
                    break
            process.send_signal(signal.SIGKILL)
            output, errors = command.communicate(timeout=LIVENESS)
        finally:
            command.kill()
            command.communicate()
    assert (command.returncode, output) == (2, "")
    assert errors == "theorems: --widths: 8192 cannot be trained: its executor has given it up\n"


def test_without_the_extra_it_is_one_line(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    refused(
        run("--widths", "8", "--executor", "tcp://127.0.0.1:1"),
        r"needs the package distributed: pip install 'kernel-limit-theorems\[cluster\]'",
    )


def test_workers_that_know_nothing_of_this_project_are_told():
    def fails(_function):
        raise ModuleNotFoundError("No module named 'verification'")

    with pytest.raises(InvalidInstance, match="its workers have not this project: ModuleNotFound"):
        cluster._require_versions(fails)


@pytest.mark.parametrize("package", cluster.versions())
def test_workers_of_another_version_are_told(package):
    cluster._require_versions(lambda function: {"tcp://one:1": function()})
    ours = cluster.versions()[package]
    with pytest.raises(
        InvalidInstance,
        match=rf"worker tcp://two:2 has {package} 0\.0, expected {re.escape(ours)} as here",
    ):
        cluster._require_versions(
            lambda function: {
                "tcp://one:1": function(),
                "tcp://two:2": function() | {package: "0.0"},
            }
        )


def test_no_cluster_is_asked_where_no_network_is_wanted(run):
    assert run("--widths", "none", "--executor", "tcp://127.0.0.1:1")[0] == 0
