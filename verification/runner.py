"""Deciding many claims in worker processes, through any `concurrent.futures.Executor`.

At most `jobs` tasks are under way at a time.  Where a worker dies (killed, out of memory, a crash
in a library), the executor breaks and takes the tasks under way with it; each of those is then
tried once more alone, so that only the one that kills its worker is lost: it becomes UNDECIDED.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from concurrent.futures import ProcessPoolExecutor as Pool
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from multiprocessing.process import BaseProcess

from verification.claim import AnyClaim, Mutant
from verification.decision import Result, decide
from verification.environment import limit_threads
from verification.instance import Subject
from verification.statistics.ledger import RUN_LEVEL
from verification.verdict import Verdict

_POLL_SECONDS = 0.2
_GRACE_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class Task:
    """One claim, or one of its mutants, to be decided on one instance.

    Parameters
    ----------
    claim, instance
    seed : int
    mutant : Mutant or None
    level : Fraction
        Probability with which the verdict may be wrong where sides are simulated.
    """

    claim: AnyClaim
    instance: Subject
    seed: int
    mutant: Mutant[object, object] | None = None
    level: Fraction = RUN_LEVEL

    def undecided(self, reason: str) -> Result:
        """Return the result of a task that was not brought to its end."""
        return Result(
            claim=self.claim.id,
            instance=self.instance.name,
            verdict=Verdict.UNDECIDED,
            reason=reason,
        )


def run_task(task: Task, seconds: float | None) -> Result:
    """Decide one task within `seconds` (None: without limit); runs in a worker."""
    return decide(
        task.claim,
        task.instance,
        seed=task.seed,
        level=task.level,
        mutant=task.mutant,
        deadline=None if seconds is None else time.monotonic() + seconds,
    )


def process_pool(tasks: Iterable[Task], jobs: int) -> Callable[[], Executor]:
    """Return a maker of process pools whose workers have the claims' modules loaded."""
    # Neither fork nor a thread: flint's precision is global, and forking beside threads is unsafe.
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    modules = {getattr(task.claim.cases, "__module__", __name__) for task in tasks}
    context.set_forkserver_preload(sorted(modules | {__name__}))
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


def decide_all(
    tasks: Sequence[Task],
    *,
    make_executor: Callable[[], Executor],
    jobs: int,
    seconds: float | None = None,
    on_result: Callable[[Task, Result], None] = lambda _task, _result: None,
) -> tuple[list[Result | None], bool]:
    """Decide tasks in parallel.

    Parameters
    ----------
    tasks : sequence of Task
    make_executor : callable
        Makes a fresh executor; called again after one has broken.
    jobs : int
        Number of tasks under way at a time.
    seconds : float, optional
        Time budget of the whole; tasks that it does not reach, or that are not done three seconds
        after it, are not decided.
    on_result : callable
        Called with every task and its result, in the order of completion.

    Returns
    -------
    list of Result or None
        In the order of `tasks`, one each; None where the budget or an interrupt came first.
    bool
        Whether it was interrupted (Ctrl-C).
    """
    results: list[Result | None] = [None] * len(tasks)
    started = time.monotonic()
    others = frozenset(multiprocessing.active_children())
    pending: dict[Future[Result], int] = {}
    queue, alone = deque(range(len(tasks))), deque[int]()
    solo = False

    def finish(index: int, result: Result) -> None:
        results[index] = result
        on_result(tasks[index], result)

    def has_room() -> bool:
        if alone or solo:
            return bool(alone or queue) and not pending
        return bool(queue) and len(pending) < jobs

    def time_left() -> float:
        return inf if seconds is None else seconds - (time.monotonic() - started)

    def submit(index: int) -> None:
        if time_left() > 0:
            with _blocked_interrupt():
                pending[executor.submit(run_task, tasks[index], time_left())] = index

    with _noted_interrupts() as interrupts:
        executor = make_executor()
        try:
            # A single step can outlast any budget: after a grace what is under way is given up.
            while (queue or alone or pending) and not interrupts and time_left() > -_GRACE_SECONDS:
                died: list[int] = []
                while has_room():
                    solo = bool(alone)
                    index = (alone or queue).popleft()
                    try:
                        submit(index)
                    except BrokenExecutor:
                        died.append(index)
                        break
                for future in wait(pending, _POLL_SECONDS, FIRST_COMPLETED).done:
                    index = pending.pop(future)
                    result = _outcome(tasks[index], future)
                    if result is None:
                        died.append(index)
                    else:
                        finish(index, result)
                if died:
                    died += pending.values()
                    pending.clear()
                    _stop(executor, others)
                    executor = make_executor()
                    if solo:
                        for index in died:
                            finish(index, tasks[index].undecided("its worker process died"))
                    else:
                        alone.extend(sorted(died))
        except KeyboardInterrupt:
            interrupts.append(signal.SIGINT)
        finally:
            _stop(executor, others)
    return results, bool(interrupts)


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


def _outcome(task: Task, future: Future[Result]) -> Result | None:
    """Return the result of a task that is done; None where its worker died."""
    try:
        return future.result()
    except BrokenExecutor:
        return None
    except (Exception, SystemExit) as error:  # a fault costs one result, not the run
        return task.undecided(f"internal error: {type(error).__name__}: {error}")


def _stop(executor: Executor, others: Container[BaseProcess]) -> None:
    executor.shutdown(wait=False, cancel_futures=True)
    for process in multiprocessing.active_children():
        if process not in others:
            process.terminate()
