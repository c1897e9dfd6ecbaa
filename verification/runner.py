"""Deciding many claims in worker processes, through any `concurrent.futures.Executor`.

A claim that kills its worker twice, the second time alone, is UNDECIDED; see
`verification.workers`.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from verification.claim import AnyClaim, Mutant
from verification.decision import Result, decide
from verification.drawing import draw_figures
from verification.statistics.ledger import RUN_LEVEL
from verification.subject import Subject
from verification.verdict import Verdict
from verification.workers import run_all, worker_pool


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
    draw : bool
        Whether to compute the claim's figures as well.
    """

    claim: AnyClaim
    instance: Subject
    seed: int
    mutant: Mutant[object, object] | None = None
    level: Fraction = RUN_LEVEL
    draw: bool = False

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
    deadline = None if seconds is None else time.monotonic() + seconds
    instance = _known(task.instance)
    result = decide(
        task.claim,
        instance,
        seed=task.seed,
        level=task.level,
        mutant=task.mutant,
        deadline=deadline,
    )
    if not task.draw:
        return result
    applicable = result.verdict is not Verdict.INAPPLICABLE
    drawn = draw_figures(task.claim, instance, applicable=applicable, deadline=deadline)
    return dataclasses.replace(result, drawn=drawn)


@lru_cache(maxsize=256)
def _known(instance: Subject) -> Subject:
    """Return the equal instance that came first: caches find what is theirs by identity at once."""
    return instance


def process_pool(tasks: Iterable[Task], jobs: int) -> Callable[[], Executor]:
    """Return a maker of process pools whose workers have the claims' modules loaded."""
    modules = {getattr(task.claim.cases, "__module__", __name__) for task in tasks}
    return worker_pool({*modules, __name__}, jobs)


def decide_all(
    tasks: Sequence[Task],
    *,
    make_executor: Callable[[], Executor],
    jobs: int,
    seconds: float | None = None,
    on_result: Callable[[Task, Result], None] = lambda _task, _result: None,
    executors: int = 1,
) -> tuple[list[Result | None], bool]:
    """Decide tasks in parallel.

    Parameters
    ----------
    tasks : sequence of Task
    make_executor, jobs, seconds, on_result, executors
        See `verification.workers.run_all`.

    Returns
    -------
    list of Result or None
        In the order of `tasks`, one each; None where the budget or an interrupt came first.
    bool
        Whether it was interrupted (Ctrl-C).
    """
    return run_all(
        run_task,
        tasks,
        make_executor=make_executor,
        jobs=jobs,
        failed=Task.undecided,
        seconds=seconds,
        on_result=on_result,
        executors=executors,
        place=_name,
    )


def _name(task: Task) -> str:
    return task.instance.name
