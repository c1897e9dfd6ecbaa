"""Deciding in parallel: what dies, fails, lasts too long or is interrupted costs its own result."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from concurrent.futures import ThreadPoolExecutor as Threads
from fractions import Fraction

import pytest
import toy_claims as toys
from toy_claims import DRAWN, FALSE, FAULTY, KILLER, SIMULATED, SLOW, TRUE, UNDECIDABLE, Inline

from verification.claim import Claim
from verification.decision import Result, decide
from verification.environment import limit_threads
from verification.runner import Task, decide_all, process_pool, run_task
from verification.verdict import Verdict

COIN, DIE = toys.instance(), toys.instance("die")
DIED = "its worker process died"


def task(claim: Claim, instance=COIN, seed: int = 0, mutant=None) -> Task:
    return Task(claim=claim, instance=instance, seed=seed, mutant=mutant)


def decided(tasks, jobs: int = 2, **more) -> list[Result | None]:
    """Decide in a pool of processes."""
    results, interrupted = decide_all(
        tasks, make_executor=process_pool(tasks, jobs), jobs=jobs, **more
    )
    assert not interrupted
    return results


def verdicts(results) -> list[str | None]:
    return [result and result.verdict.value for result in results]


def without_time(result: Result) -> dict:
    return {name: value for name, value in vars(result).items() if name != "seconds"}


# One task


def test_a_task_is_decided_as_in_this_process():
    found = run_task(task(DRAWN, seed=7), None)
    assert without_time(found) == without_time(decide(DRAWN, COIN, seed=7))
    assert without_time(found) != without_time(run_task(task(DRAWN, seed=8), None))


def test_a_task_stops_beginning_cases_when_its_time_is_spent():
    naps = toys.claim("N1", left=toys.naps, cases=toys.four_cases)
    found = run_task(task(naps), 0.4)
    assert found.verdict is Verdict.UNDECIDED
    assert "the time budget was spent" in found.reason
    assert found.cases["CERTIFIED"] >= 1
    assert found.cases["UNDECIDED"] >= 2


def test_a_mutant_is_decided_in_place_of_its_claim():
    assert run_task(task(toys.TESTED), None).verdict is Verdict.CERTIFIED
    mutant = toys.TESTED.mutants[0]
    assert run_task(task(toys.TESTED, mutant=mutant), None).verdict is Verdict.REFUTED


def test_a_task_tells_its_error_level():
    for level, shown in ((Fraction(1, 10**6), "1e-6"), (Fraction(1, 10**9), "1e-9")):
        found = run_task(Task(claim=SIMULATED, instance=COIN, seed=0, level=level), None)
        assert (found.verdict, found.evidence.confidence) == (Verdict.SUPPORTED, shown)
    assert run_task(task(SIMULATED), None).evidence.confidence == "1e-6"


# A pool of processes


def test_results_come_in_the_order_of_the_tasks():
    tasks = [
        task(claim, instance)
        for claim in (TRUE, FALSE, UNDECIDABLE, DRAWN, SIMULATED)
        for instance in (COIN, DIE)
    ]
    told = []
    found = decided(tasks, on_result=lambda *both: told.append(both))
    assert [(result.claim, result.instance) for result in found] == [
        (asked.claim.id, asked.instance.name) for asked in tasks
    ]
    assert verdicts(found) == (
        ["CERTIFIED"] * 2
        + ["REFUTED"] * 2
        + ["UNDECIDED"] * 2
        + ["CERTIFIED"] * 2
        + ["SUPPORTED"] * 2
    )
    assert sorted(map(id, found)) == sorted(id(result) for _, result in told)
    assert all(
        (asked.claim.id, asked.instance.name) == (result.claim, result.instance)
        for asked, result in told
    )
    here = [run_task(asked, None) for asked in tasks]
    assert [without_time(result) for result in found] == [without_time(result) for result in here]


def test_one_that_kills_its_worker_costs_one_result(tmp_path):
    attempts = tmp_path / "attempts"
    asked = [task(TRUE, toys.instance(str(i))) for i in range(6)]
    asked.insert(2, task(KILLER, toys.instance("coin", origin=str(attempts))))
    found = decided(asked)
    assert verdicts(found) == ["CERTIFIED"] * 2 + ["UNDECIDED"] + ["CERTIFIED"] * 4
    assert found[2].reason == DIED
    assert (found[2].claim, found[2].instance) == ("K1", "coin")
    # Once beside others, once alone, and never again.
    workers = attempts.read_text(encoding="utf-8").split()
    assert len(workers) == len(set(workers)) == 2


def test_many_that_kill_their_workers_cost_their_own_results():
    killers = {0, 1, 4}
    asked = [task(KILLER if i in killers else DRAWN, toys.instance(str(i))) for i in range(6)]
    seen = []
    found = decided(asked, on_result=lambda _task, result: seen.append(result))
    assert [result.verdict for result in found] == [
        Verdict.UNDECIDED if i in killers else Verdict.CERTIFIED for i in range(6)
    ]
    assert {result.reason for result in found if result.claim == "K1"} == {DIED}
    assert sorted(result.instance for result in seen) == list("012345")


def test_nothing_but_killers_ends_too():
    asked = [task(KILLER, toys.instance(str(i))) for i in range(3)]
    found = decided(asked)
    assert [result.reason for result in found] == [DIED] * 3


@pytest.mark.parametrize(
    ("left", "reason"),
    [
        (toys.has_a_fault, "internal error: LookupError: a fault of two lines"),
        (toys.exits, "internal error: SystemExit: 0"),
        (toys.raises_what_no_process_can_send, ""),
        (lambda *_: 1, "internal error: "),
    ],
    ids=["fault", "exit", "unsendable", "unpicklable"],
)
def test_an_unexpected_exception_costs_one_result(left, reason):
    asked = [task(TRUE), task(toys.claim("X1", left=left)), task(FALSE)]
    found = decided(asked)
    assert verdicts(found) == ["CERTIFIED", "UNDECIDED", "REFUTED"]
    assert " ".join(found[1].reason.split()).startswith(reason)


def test_a_run_leaves_no_process_behind_and_ends_none_but_its_own():
    context = multiprocessing.get_context("spawn")
    mine = context.Process(target=time.sleep, args=(toys.DROWSY,))
    mine.start()
    try:
        assert verdicts(decided([task(TRUE), task(KILLER), task(FALSE)])) == [
            "CERTIFIED",
            "UNDECIDED",
            "REFUTED",
        ]
        deadline = time.monotonic() + 30
        while len(multiprocessing.active_children()) > 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert multiprocessing.active_children() == [mine]
        assert mine.is_alive()
    finally:
        mine.kill()
        mine.join()
        mine.close()


# The budget


def test_tasks_that_the_budget_does_not_reach_are_not_decided():
    asked = [task(toys.claim(f"N{i}", left=toys.naps)) for i in range(9)]
    results, interrupted = decide_all(asked, make_executor=Inline, jobs=1, seconds=0.5)
    assert not interrupted
    reached = sum(result is not None for result in results)
    assert 1 <= reached <= 2
    assert verdicts(results) == ["CERTIFIED"] * reached + [None] * (9 - reached)


def test_a_budget_in_worker_processes():
    asked = [
        task(toys.claim(f"N{i}", left=toys.naps, cases=toys.four_cases), toys.instance())
        for i in range(12)
    ]
    found = decided(asked, seconds=1.5)
    assert found[-1] is None
    reached = [result for result in found if result is not None]
    assert [result.claim for result in reached] == [f"N{i}" for i in range(len(reached))]
    assert all(
        result.verdict is Verdict.CERTIFIED or "the time budget was spent" in result.reason
        for result in reached
    )


def test_an_ample_budget_changes_nothing():
    asked = [task(TRUE), task(FALSE)]
    results, _ = decide_all(asked, make_executor=Inline, jobs=2, seconds=3600.0)
    assert verdicts(results) == ["CERTIFIED", "REFUTED"]


# Other executors


class Broken(Executor):
    """One that takes nothing, or loses whatever it takes."""

    def __init__(self, *, at_once: bool):
        self.at_once = at_once

    def submit(self, _fn, /, *_args, **_kwargs):
        if self.at_once:
            raise BrokenExecutor("gone")
        future = Future()
        future.set_exception(BrokenExecutor("lost"))
        return future


def test_threads_do_where_no_ball_is_used():
    made = []

    def threads():
        made.append(Threads(3))
        return made[-1]

    asked = [task(claim, toys.instance(str(i))) for i in range(5) for claim in (TRUE, FALSE)]
    results, interrupted = decide_all(asked, make_executor=threads, jobs=3)
    assert not interrupted
    assert verdicts(results) == ["CERTIFIED", "REFUTED"] * 5
    assert len(made) == 1


def test_a_fault_in_a_thread_costs_one_result():
    results, _ = decide_all([task(FAULTY), task(TRUE)], make_executor=lambda: Threads(1), jobs=1)
    assert verdicts(results) == ["UNDECIDED", "CERTIFIED"]


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("jobs", [1, 3])
def test_an_executor_that_is_always_broken_decides_nothing_and_ends(at_once, jobs):
    asked = [task(TRUE, toys.instance(str(i))) for i in range(4)]
    seen = []
    results, interrupted = decide_all(
        asked,
        make_executor=lambda: Broken(at_once=at_once),
        jobs=jobs,
        on_result=lambda _task, result: seen.append(result.instance),
    )
    assert not interrupted
    assert [result.reason for result in results] == [DIED] * 4
    assert sorted(seen) == list("0123")


def test_an_executor_that_breaks_once_is_replaced():
    made = []

    def executor():
        made.append(Broken(at_once=False) if not made else Inline())
        return made[-1]

    asked = [task(TRUE, toys.instance(str(i))) for i in range(5)]
    results, _ = decide_all(asked, make_executor=executor, jobs=2)
    assert verdicts(results) == ["CERTIFIED"] * 5
    assert len(made) == 2


class Fragile(Executor):
    """One that a certain task breaks; the first task given to the first of them is never done."""

    def __init__(self, submitted: list[list[str]]):
        self.slow = not submitted
        self.submitted: list[str] = []
        submitted.append(self.submitted)

    def submit(self, fn, /, asked, seconds):
        self.submitted.append(asked.instance.name)
        future = Future()
        if asked.claim is KILLER:
            future.set_exception(BrokenExecutor("died"))
        elif not self.slow or len(self.submitted) > 1:
            future.set_result(fn(asked, seconds))
        return future


def test_each_task_of_a_broken_pool_is_tried_once_more_and_alone():
    submitted: list[list[str]] = []
    asked = [task(TRUE, toys.instance(str(i))) for i in range(6)]
    asked[1] = task(KILLER, toys.instance("1"))
    results, _ = decide_all(asked, make_executor=lambda: Fragile(submitted), jobs=2)
    assert verdicts(results) == ["CERTIFIED", "UNDECIDED"] + ["CERTIFIED"] * 4
    # 0 and 1 were under way; then each alone, nothing beside it; then the others.
    assert submitted == [["0", "1"], ["0", "1"], ["2", "3", "4", "5"]]


class Counting(Threads):
    """Threads that know how many tasks were under way at most."""

    most = 0

    def submit(self, fn, /, *args, **kwargs):
        self.under_way = getattr(self, "under_way", set())
        future = super().submit(fn, *args, **kwargs)
        self.under_way = {other for other in self.under_way if not other.done()} | {future}
        self.most = max(self.most, len(self.under_way))
        return future


@pytest.mark.parametrize("jobs", [1, 2, 4])
def test_no_more_tasks_are_under_way_than_jobs(jobs):
    executor = Counting(8)
    asked = [task(TRUE, toys.instance(str(i))) for i in range(12)]
    results, _ = decide_all(asked, make_executor=lambda: executor, jobs=jobs)
    assert verdicts(results) == ["CERTIFIED"] * 12
    assert 1 <= executor.most <= jobs


def test_nothing_to_do():
    assert decide_all([], make_executor=Inline, jobs=2) == ([], False)


# Interruption


def test_an_interrupt_keeps_what_is_decided():
    told = []

    def interrupt(_task, result):
        told.append(result)
        if len(told) == 3:
            raise KeyboardInterrupt

    asked = [task(TRUE, toys.instance(str(i))) for i in range(6)]
    results, interrupted = decide_all(asked, make_executor=Inline, jobs=1, on_result=interrupt)
    assert interrupted
    assert verdicts(results) == ["CERTIFIED"] * 3 + [None] * 3


def test_an_interrupt_does_not_wait_for_what_is_under_way():
    def interrupt(_task, _result):
        raise KeyboardInterrupt

    asked = [task(TRUE), task(SLOW), task(SLOW, DIE)]
    started = time.monotonic()
    results, interrupted = decide_all(
        asked, make_executor=process_pool(asked, 2), jobs=2, on_result=interrupt
    )
    assert interrupted
    assert verdicts(results) == ["CERTIFIED", None, None]
    assert time.monotonic() - started < toys.DROWSY / 2


@pytest.fixture
def default_interrupt():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Interrupting(Inline):
    """One that Ctrl-C meets while it takes a task."""

    def submit(self, fn, /, *args, **kwargs):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        return super().submit(fn, *args, **kwargs)


@pytest.mark.usefixtures("default_interrupt")
def test_an_interrupt_while_a_task_is_submitted_is_not_lost_and_loses_nothing():
    asked = [task(TRUE, toys.instance(str(i))) for i in range(4)]
    results, interrupted = decide_all(asked, make_executor=Interrupting, jobs=1)
    assert interrupted
    assert verdicts(results) == ["CERTIFIED", None, None, None]
    # Afterwards it is raised again, as everywhere.
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_fault_of_the_listener_is_no_result():
    told = []

    def listen(_task, result):
        told.append(result.verdict)
        if len(told) == 1:
            raise LookupError("the listener's own")

    with pytest.raises(LookupError, match="the listener's own"):
        decide_all([task(TRUE)], make_executor=Inline, jobs=1, on_result=listen)
    assert told == [Verdict.CERTIFIED]


def test_workers_share_no_memory_and_do_not_see_an_interrupt(monkeypatch):
    monkeypatch.setattr(toys, "MARK", "set here")
    with process_pool([task(TRUE)], 1)() as pool:
        assert isinstance(pool, ProcessPoolExecutor)
        assert pool.submit(toys.mark).result() == "as it was"
        worker = pool.submit(os.getpid).result()
        os.kill(worker, signal.SIGINT)
        assert pool.submit(os.getpid).result() == worker


def test_one_thread_unless_the_user_says_otherwise(monkeypatch):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    limit_threads()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
    assert os.environ["OMP_NUM_THREADS"] == "3"
