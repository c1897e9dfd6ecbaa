"""Tasks done in parallel, in worker processes or through any `concurrent.futures.Executor`.

At most `jobs` tasks are under way at a time.  Where a worker dies (killed, out of memory, a crash
in a library), the executor breaks and takes the tasks under way with it; each of those is then
tried once more alone, so that only the one that kills its worker is lost.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    wait,
)
from concurrent.futures import ProcessPoolExecutor as Pool
from contextlib import contextmanager
from math import inf
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

from verification.environment import limit_threads

T = TypeVar("T")
R = TypeVar("R")

_POLL_SECONDS = 0.2
_GRACE_SECONDS = 3.0
_DIED = "its worker process died"


def available_cores() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limit_memory(size: int) -> None:
    """Have this process fail rather than take more than `size` bytes, where the system can.

    What asks for more meets a MemoryError, or ends this process; not another one, which the
    system might choose where its memory runs out.
    """
    try:
        import resource  # noqa: PLC0415 - only where there is one
    except ImportError:
        return
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    size = size if most == resource.RLIM_INFINITY else min(size, most)
    resource.setrlimit(resource.RLIMIT_DATA, (size, most))


def worker_pool(modules: Iterable[str], jobs: int) -> Callable[[], Executor]:
    """Return a maker of process pools whose workers have some modules loaded."""
    # The server that loads them, and with them BLAS, has our environment.
    limit_threads()
    # Neither fork nor a thread: flint's precision is global, and forking beside threads is unsafe.
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    context.set_forkserver_preload(sorted({*modules, __name__}))
    return lambda: Pool(max_workers=jobs, mp_context=context, initializer=_prepare_worker)


def _prepare_worker() -> None:
    limit_threads()  # the cores are shared between the workers already
    # Ctrl-C reaches the whole process group; the parent alone decides what is written.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    # Where the parent is killed, a worker would wait for its next task for ever.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def run_all(
    call: Callable[[T, float], R],
    tasks: Sequence[T],
    *,
    make_executor: Callable[[], Executor],
    jobs: int,
    failed: Callable[[T, str], R],
    seconds: float | None = None,
    on_result: Callable[[T, R], None] = lambda _task, _result: None,
    executors: int = 1,
    place: Callable[[T], Hashable] | None = None,
) -> tuple[list[R | None], bool]:
    """Call a function on every task, in parallel.

    Parameters
    ----------
    call : callable
        Is handed a task and the seconds that are left, infinity without a budget; runs in a
        worker.
    tasks : sequence
    make_executor : callable
        Makes a fresh executor; called again after one has broken.
    jobs : int
        Number of tasks that an executor has under way at a time.
    failed : callable
        Returns the result of a task that raised an exception or whose worker died, from the task
        and the reason.
    seconds : float, optional
        Time budget of the whole; tasks that it does not reach, or that are not done three seconds
        after it, have no result.
    on_result : callable
        Called with every task and its result, in the order of completion.
    executors : int
        Number of executors that share the tasks.
    place : callable, optional
        Tasks of one place share what a worker has computed for it: they go to one executor, unless
        another one would have nothing to do.  By default every task is a place of its own.

    Returns
    -------
    list
        In the order of `tasks`, one each; None where the budget or an interrupt came first.
    bool
        Whether it was interrupted (Ctrl-C).
    """
    results: list[R | None] = [None] * len(tasks)
    started = time.monotonic()
    others = frozenset(multiprocessing.active_children())
    queue = _Queue(range(len(tasks)) if place is None else map(place, tasks))
    alone = deque[int]()
    solo = False
    lanes: list[_Lane[R]] = []

    def finish(index: int, result: R) -> None:
        results[index] = result
        on_result(tasks[index], result)

    def under_way() -> list[Future[R]]:
        return [future for lane in lanes for future in lane.pending]

    def has_room(lane: _Lane[R]) -> bool:
        if alone or solo:
            return bool(alone or queue) and not under_way()
        return bool(queue) and len(lane.pending) < jobs

    def time_left() -> float:
        return inf if seconds is None else seconds - (time.monotonic() - started)

    def fill(lane: _Lane[R]) -> None:
        nonlocal solo
        while has_room(lane) and not lane.lost:
            solo = bool(alone)
            index = alone.popleft() if alone else queue.take(lane)
            if time_left() > 0:
                lane.submit(index, call, tasks[index], time_left())

    def collect(lane: _Lane[R]) -> None:
        for index, future in lane.done():
            outcome = _outcome(tasks[index], future, failed)
            if outcome is None:
                lane.lost.append(index)
            else:
                finish(index, outcome[0])
        if lane.lost and solo:
            for index in lane.replace():
                finish(index, failed(tasks[index], _DIED))
        elif lane.lost:
            alone.extend(lane.replace())

    with _noted_interrupts() as interrupts:
        try:
            lanes += [_Lane(make_executor) for _ in range(max(1, min(executors, len(tasks))))]
            # A single step can outlast any budget: after a grace what is under way is given up.
            while (
                (queue or alone or under_way()) and not interrupts and time_left() > -_GRACE_SECONDS
            ):
                for lane in lanes:
                    fill(lane)
                wait(under_way(), _POLL_SECONDS, FIRST_COMPLETED)
                for lane in lanes:
                    collect(lane)
        except KeyboardInterrupt:
            interrupts.append(signal.SIGINT)
        finally:
            for lane in lanes:
                _release(lane.executor, lane.pending)
            _end_workers(others)
    return results, bool(interrupts)


class _Lane(Generic[R]):
    """An executor, the tasks that it has under way, and those lost with it, by their numbers."""

    def __init__(self, make_executor: Callable[[], Executor]) -> None:
        self._make_executor = make_executor
        self.executor = make_executor()
        self.pending: dict[Future[R], int] = {}
        self.lost: list[int] = []

    def submit(self, index: int, call: Callable[..., R], *arguments: object) -> None:
        """Hand a task to the executor; it is lost where that has broken."""
        try:
            with _blocked_interrupt():
                future = self.executor.submit(call, *arguments)
        except BrokenExecutor:
            self.lost.append(index)
        else:
            self.pending[future] = index

    def done(self) -> list[tuple[int, Future[R]]]:
        """Return what is not under way any more."""
        done = [future for future in self.pending if future.done()]
        return [(self.pending.pop(future), future) for future in done]

    def replace(self) -> list[int]:
        """Replace a broken executor; return the tasks that are lost with it, in order."""
        lost = sorted([*self.lost, *self.pending.values()])
        _release(self.executor, self.pending)
        self.executor, self.pending, self.lost = self._make_executor(), {}, []
        return lost


class _Queue:
    """The numbers of the tasks that wait, given out in order as far as places allow.

    A place belongs to the lane that first took a task of it; a lane that has none left takes over
    the fullest place of the lane that has most to do.
    """

    def __init__(self, places: Iterable[Hashable]) -> None:
        self._waiting: dict[Hashable, deque[int]] = {}
        for index, place in enumerate(places):
            self._waiting.setdefault(place, deque()).append(index)
        self._free = deque(self._waiting)
        self._own: dict[Hashable, dict[Hashable, deque[int]]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def take(self, lane: Hashable) -> int:
        """Give the next task to a lane."""
        own = self._own.setdefault(lane, {})
        place = min(own, key=lambda place: own[place][0], default=None)
        if self._free and (place is None or self._waiting[self._free[0]][0] < own[place][0]):
            place = self._free.popleft()
            own[place] = self._waiting[place]
        elif place is None:
            other = max(self._own.values(), key=lambda places: sum(map(len, places.values())))
            place = max(other, key=lambda place: len(other[place]))
            own[place] = other.pop(place)
        index = own[place].popleft()
        if not own[place]:
            del own[place], self._waiting[place]
        return index


def run_stream(
    call: Callable[[T, float], R],
    next_task: Callable[[], T],
    *,
    make_executor: Callable[[], Executor],
    jobs: int,
    failed: Callable[[T, str], R],
    patience: float,
    seconds: float | None = None,
    on_result: Callable[[T, R], None],
) -> bool:
    """Call a function on tasks that are thought of one at a time, until the time is over or Ctrl-C.

    Parameters
    ----------
    call, make_executor, jobs, failed, seconds, on_result
        See `run_all`.
    next_task : callable
        Asked for a task whenever a worker is free.
    patience : float
        Seconds after which a task that is still under way is given up, and its worker ended.

    Returns
    -------
    bool
        Whether it was interrupted (Ctrl-C).

    Notes
    -----
    Where a worker dies, every task under way with it has failed: none is tried again, because
    there is always another task to think of.
    """
    started = time.monotonic()
    others = frozenset(multiprocessing.active_children())
    pending: dict[Future[R], tuple[T, float]] = {}

    def time_left() -> float:
        return inf if seconds is None else seconds - (time.monotonic() - started)

    def fill() -> bool:
        while len(pending) < jobs and time_left() > 0:
            task = next_task()
            try:
                with _blocked_interrupt():
                    future = executor.submit(call, task, time_left())
            except BrokenExecutor:
                on_result(task, failed(task, _DIED))
                return False
            pending[future] = task, time.monotonic()
        return True

    with _noted_interrupts() as interrupts:
        executor = make_executor()
        try:
            while not interrupts and time_left() > -_GRACE_SECONDS:
                sound = fill()
                if sound and not pending:  # the time is over
                    break
                for future in wait(pending, _POLL_SECONDS, FIRST_COMPLETED).done:
                    task, _ = pending.pop(future)
                    outcome = _outcome(task, future, failed)
                    sound = sound and outcome is not None
                    on_result(task, failed(task, _DIED) if outcome is None else outcome[0])
                overdue = time.monotonic() - patience
                late = any(begun < overdue for _, begun in pending.values())
                if late or not sound:
                    _release(executor, pending)
                    _end_workers(others)
                    for task, begun in pending.values():
                        why = f"it took more than {patience:.0f} seconds"
                        on_result(task, failed(task, why if begun < overdue else _DIED))
                    pending.clear()
                    executor = make_executor()
        except KeyboardInterrupt:
            interrupts.append(signal.SIGINT)
        finally:
            _release(executor, pending)
            _end_workers(others)
    return bool(interrupts)


@contextmanager
def _noted_interrupts() -> Iterator[list[int]]:
    """Note Ctrl-C in a list instead of raising it: in the birth of a worker, it would be lost."""
    noted: list[int] = []
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not ours or threading.current_thread() is not threading.main_thread():
        yield noted
        return
    signal.signal(signal.SIGINT, lambda number, _frame: noted.append(number))
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def _blocked_interrupt() -> Iterator[None]:
    """Keep Ctrl-C from this thread, and for ever from the processes that it starts meanwhile."""
    # A start of multiprocessing's resource tracker would let it through again; it runs since the
    # pool was made.
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _outcome(task: T, future: Future[R], failed: Callable[[T, str], R]) -> tuple[R] | None:
    """Return the result of a task that is done; None where its worker died."""
    try:
        return (future.result(),)
    except BrokenExecutor:
        return None
    except CancelledError:
        return (failed(task, "its executor has given it up"),)
    except (Exception, SystemExit) as error:  # a fault costs one result, not all
        return (failed(task, f"internal error: {type(error).__name__}: {error}"),)


def _release(executor: Executor, pending: Iterable[Future[R]]) -> None:
    # Not every executor has `cancel_futures`: dask's has not.
    for future in pending:
        future.cancel()
    executor.shutdown(wait=False)


def _end_workers(others: Container[BaseProcess]) -> None:
    for process in multiprocessing.active_children():
        if process not in others:
            process.terminate()
