"""Finite networks, drawn and trained: each is a task of its own, in whatever process it runs.

A network is determined by (seed, replica, width): neither the number of workers nor their order
changes a digit, on processors of one kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from verification.errors import InvalidInstance
from verification.instance import Instance
from verification.recurrent.network import MAX_STEPS, MAX_WIDTH, Trajectory, train_replica
from verification.subject import Subject
from verification.workers import available_cores, run_all, worker_pool

LADDER = (256, 1024, 4096)
"""The usual widths."""

REPLICAS = 32
"""The usual number of networks of each width."""

MAX_REPLICAS = 100_000

_USUAL_WORK = 2**32


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which networks are trained.

    Parameters
    ----------
    widths : tuple of int
        Increasing; possibly none.
    replicas : int
        Independent networks of each width.
    seed : int
    left_out : tuple of int
        Usual widths that would take too long unasked.
    """

    widths: tuple[int, ...] = LADDER
    replicas: int = REPLICAS
    seed: int = 0
    left_out: tuple[int, ...] = ()


def make_plan(subject: Subject, *, widths: Sequence[int] | None, replicas: int, seed: int) -> Plan:
    """Return a plan for an instance.

    Parameters
    ----------
    subject : Subject
        One without training constants has no plan but that of no widths.
    widths : sequence of int or None
        None: the usual widths, as far as they take at least one step and little time.
    replicas, seed : int

    Raises
    ------
    InvalidInstance
        Where a width, its number of steps or the number of replicas is out of range.
    """
    if not isinstance(subject, Instance) or subject.training is None:
        return Plan(widths=(), replicas=replicas, seed=seed)
    horizon = subject.training.horizon
    if widths is None:
        work, kept = 0, []
        for width in LADDER:
            steps = int(width * horizon)
            work += replicas * width * steps * subject.chain.dimension
            if steps and work <= _USUAL_WORK:
                kept.append(width)
        left_out = tuple(width for width in LADDER if width not in kept)
        return Plan(widths=tuple(kept), replicas=replicas, seed=seed, left_out=left_out)
    plan = Plan(widths=tuple(sorted(widths)), replicas=replicas, seed=seed)
    require_plan(plan, horizon)
    return plan


def require_plan(plan: Plan, horizon: Fraction) -> None:
    """Find out before the work what cannot be trained.

    Raises
    ------
    InvalidInstance
        Where a width, its number of steps or the number of replicas is out of range.
    """
    if any(a >= b for a, b in pairwise(plan.widths)):
        listed = ",".join(map(str, plan.widths))
        raise InvalidInstance("--widths", f"is {listed}, expected distinct increasing numbers")
    for width in plan.widths:
        if not 1 <= width <= MAX_WIDTH:
            raise InvalidInstance("--widths", f"has {width}, expected 1 to {MAX_WIDTH}")
        if width * horizon > MAX_STEPS:
            raise InvalidInstance(
                "--widths",
                f"has {width}, expected at most {int(MAX_STEPS / horizon)} or none: up to the "
                f"horizon a network takes N T steps, at most {MAX_STEPS}",
            )
    if not 1 <= plan.replicas <= MAX_REPLICAS:
        raise InvalidInstance("--replicas", f"is {plan.replicas}, expected 1 to {MAX_REPLICAS}")


def steps_at(times: Sequence[Fraction], width: int) -> tuple[int, ...]:
    """Return the number of steps that a network of N units has taken at each time: ``[N t]``."""
    return tuple(int(width * time) for time in times)


@dataclass(frozen=True, kw_only=True)
class Replica:
    """One network to be drawn and trained.

    Parameters
    ----------
    instance : Instance
    width, seed, number : int
    checkpoints : tuple of int
        Numbers of steps, increasing.
    points : tuple of (int, Fraction)
        States and memories.
    """

    instance: Instance
    width: int
    seed: int
    number: int
    checkpoints: tuple[int, ...]
    points: tuple[tuple[int, Fraction], ...]


def train(replica: Replica, _seconds: float) -> Trajectory | str:
    """Train one network; runs in a worker."""
    # Training with a rate that is too large overflows; the numbers say so.
    with np.errstate(all="ignore"):
        return train_replica(
            replica.instance,
            width=replica.width,
            seed=replica.seed,
            replica=replica.number,
            checkpoints=replica.checkpoints,
            points=replica.points,
        )


def train_all(
    instance: Instance,
    plan: Plan,
    times: Sequence[Fraction],
    points: Sequence[tuple[int, Fraction]],
    *,
    make_executor: Callable[[], Executor] | None,
    jobs: int | None,
    on_replica: Callable[[int], None],
) -> tuple[dict[int, list[Trajectory]], bool]:
    """Train all networks of a plan.

    Parameters
    ----------
    instance : Instance
    plan : Plan
    times : sequence of Fraction
        When they are looked at.
    points : sequence of (int, Fraction)
        Where.
    make_executor : callable or None
        Makes an executor; None for worker processes.
    jobs : int or None
        Networks under way at a time; None for as many as there are processors.
    on_replica : callable
        Is told the width of each network that is trained.

    Returns
    -------
    dict
        For each width the networks that were trained, in the order of their numbers; fewer than
        planned only where it was interrupted.
    bool
        Whether it was (Ctrl-C).

    Raises
    ------
    InvalidInstance
        Where a network cannot be trained: its worker died, or has not what it needs.
    """
    tasks = [
        Replica(
            instance=instance,
            width=width,
            seed=plan.seed,
            number=number,
            checkpoints=tuple(sorted(set(steps_at(times, width)))),
            points=tuple(points),
        )
        for width in plan.widths
        for number in range(plan.replicas)
    ]

    def take(task: Replica, result: Trajectory | str) -> None:
        if isinstance(result, str):
            raise InvalidInstance("--widths", f"{task.width} cannot be trained: {result}")
        on_replica(task.width)

    jobs = jobs or available_cores()
    results, interrupted = run_all(
        train,
        tasks,
        make_executor=make_executor or worker_pool((__name__,), jobs),
        jobs=jobs,
        failed=_reason,
        on_result=take,
    )
    trained: dict[int, list[Trajectory]] = {width: [] for width in plan.widths}
    for task, result in zip(tasks, results, strict=True):
        if isinstance(result, Trajectory):
            trained[task.width].append(result)
    return trained, interrupted


def _reason(_replica: Replica, reason: str) -> str:
    return reason
