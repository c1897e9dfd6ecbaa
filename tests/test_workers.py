"""What is done in parallel, whatever it is; `test_runner` has the rest, on claims."""

from __future__ import annotations

import operator
from concurrent.futures import Executor, Future
from concurrent.futures import ThreadPoolExecutor as Threads
from math import inf

import pytest
import toy_claims as toys

from verification import workers
from verification.workers import _Queue, run_all, run_stream, worker_pool


def told(task: float, reason: str) -> str:
    return f"{task}: {reason}"


@pytest.mark.parametrize("make_executor", [lambda: Threads(2), worker_pool((), 2)])
def test_results_and_faults_come_in_the_order_of_the_tasks(make_executor):
    results, interrupted = run_all(
        operator.mod, [7.0, 2, 9.0], make_executor=make_executor, jobs=2, failed=told
    )
    assert (results, interrupted) == ([7.0, 2, 9.0], False)
    results, _ = run_all(
        operator.floordiv, [1, "one"], make_executor=make_executor, jobs=1, failed=told
    )
    assert results[0] == 1 // inf
    assert results[1].startswith("one: internal error: TypeError: ")


class Forgetful(Executor):
    """One that gives up whatever it takes."""

    def submit(self, _fn, /, *_args, **_kwargs):
        future = Future()
        future.cancel()
        future.set_running_or_notify_cancel()
        return future


def test_what_the_executor_gives_up_is_told():
    results, interrupted = run_all(
        operator.mod, [1.0, 2.0], make_executor=Forgetful, jobs=2, failed=told
    )
    assert results == ["1.0: its executor has given it up", "2.0: its executor has given it up"]
    assert not interrupted


class Plain(Executor):
    """One whose `shutdown` knows no `cancel_futures`, and which never does anything."""

    def __init__(self):
        self.futures = []
        self.waited = None

    def submit(self, _fn, /, *_args, **_kwargs):
        self.futures.append(Future())
        return self.futures[-1]

    def shutdown(self, wait=True):
        self.waited = wait


def test_what_is_under_way_at_the_end_is_cancelled(monkeypatch):
    monkeypatch.setattr(workers, "_GRACE_SECONDS", 0.0)
    plain = Plain()
    results, interrupted = run_all(
        operator.mod, [1, 2, 3], make_executor=lambda: plain, jobs=2, failed=told, seconds=0.3
    )
    assert (results, interrupted, plain.waited) == ([None] * 3, False, False)
    assert [future.cancelled() for future in plain.futures] == [True, True]


def streamed(tasks, *, patience=60.0, make_executor=None):
    """Run a stream of tasks, and then of the word "more", until all of the tasks have ended."""
    waiting, ended = list(tasks), []

    def next_task():
        return waiting.pop(0) if waiting else "more"

    def on_result(task, result):
        ended.append((task, result))
        if {task for task, _ in ended} >= set(tasks):
            raise KeyboardInterrupt

    interrupted = run_stream(
        toys.answers,
        next_task,
        make_executor=make_executor or worker_pool(("toy_claims",), 2),
        jobs=2,
        failed=told,
        patience=patience,
        on_result=on_result,
    )
    assert interrupted
    return dict(ended)


def test_a_stream_of_tasks_goes_on_until_it_is_told_to_stop():
    found = streamed(["one", "two", "three"], make_executor=lambda: Threads(2))
    assert {task: found[task] for task in ("one", "two", "three")} == {
        "one": "one!",
        "two": "two!",
        "three": "three!",
    }


def test_a_stream_survives_faults_deaths_and_sleepers():
    found = streamed(["fault", "dies", "one"])
    assert found["fault"].startswith("fault: internal error: ValueError")
    assert found["dies"] == "dies: its worker process died"
    found = streamed(["sleeps", "one"], patience=2.0)
    assert found["sleeps"] == "sleeps: it took more than 2 seconds"
    assert found["one"] == "one!"


def test_a_stream_ends_with_its_time():
    asked = []

    def next_task():
        asked.append(None)
        return "one"

    interrupted = run_stream(
        toys.answers,
        next_task,
        make_executor=lambda: Threads(1),
        jobs=1,
        failed=told,
        patience=60.0,
        seconds=0.3,
        on_result=lambda _task, _result: None,
    )
    assert not interrupted
    assert len(asked) > 1


def test_a_worker_that_wants_too_much_memory_fails_alone():
    results, _ = run_all(
        toys.takes, [1, 200], make_executor=worker_pool(("toy_claims",), 1), jobs=1, failed=told
    )
    assert results == [2**20, "200: internal error: MemoryError: "]


def test_tasks_of_a_place_go_to_one_executor_while_there_is_other_work():
    made: list[Seen] = []

    class Seen(Executor):
        def __init__(self):
            self.seen = []
            made.append(self)

        def submit(self, fn, /, task, seconds):
            self.seen.append(task)
            future = Future()
            future.set_result(fn(task, seconds))
            return future

    tasks = [(place, step) for step in range(4) for place in "abcd"]
    found, _ = run_all(
        lambda task, _seconds: task,
        tasks,
        make_executor=Seen,
        jobs=1,
        failed=told,
        executors=2,
        place=operator.itemgetter(0),
    )
    assert found == tasks
    assert [{place for place, _ in executor.seen} for executor in made] == [{"a", "c"}, {"b", "d"}]


def given(places, takers):
    queue = _Queue(places)
    return [(places[index], index) for index in map(queue.take, takers)], bool(queue)


def test_a_lane_keeps_to_its_places_and_takes_over_the_fullest_of_another():
    # Lane 0 takes all of a and b; lane 1 comes late and has the fuller of the two.
    order = [0, 0, 0, 1, 1, 0, 1]
    assert given("abaabbb", order) == (
        [("a", 0), ("b", 1), ("a", 2), ("b", 4), ("b", 5), ("a", 3), ("b", 6)],
        False,
    )
    # What is left over when a place is empty is given out in order.
    assert given("aab", [0, 1, 1]) == ([("a", 0), ("b", 2), ("a", 1)], False)
    assert given("aab", [0, 1]) == ([("a", 0), ("b", 2)], True)


def test_a_lane_whose_worker_dies_costs_no_other_lane_its_task():
    found = {}
    results, _ = run_all(
        toys.answers,
        ["one", "dies", "two", "three", "four"],
        make_executor=worker_pool(("toy_claims",), 1),
        jobs=1,
        failed=told,
        on_result=found.__setitem__,
        executors=2,
    )
    assert results == ["one!", "dies: its worker process died", "two!", "three!", "four!"]
    assert set(found) == {"one", "dies", "two", "three", "four"}
