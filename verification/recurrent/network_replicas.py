r"""Many replicas of a network: trained on several cores, and compared with a given curve.

A replica is what `verification.recurrent.network.train_replica` makes of the same numbers, bit for
bit, however many there are and however many workers train them.  Replicas are trained in groups
that fit a processor's nearest memory: while one waits for a sum over its units another goes on.
Workers are threads; compiled training runs in all of them at once, numpy mostly in one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain as joined
from typing import TypeVar

import numpy as np

from verification.errors import InvalidInstance
from verification.instance import Instance
from verification.recurrent.network import (
    Array,
    Indices,
    Setting,
    Trainer,
    Trajectory,
    Transitions,
    can_compile,
    draw_path,
    draw_units,
    increasing,
    is_compiled,
    places,
    replica_generators,
    run_together,
    setting,
    tables,
    trajectory,
    transitions,
)

_NEAR_UNITS = 512
"""So many units of one dimension fit the nearest memory of a core."""

_T = TypeVar("_T")


def train_replicas(
    instance: Instance,
    *,
    width: int,
    seed: int,
    replicas: Sequence[int],
    checkpoints: Sequence[int],
    points: Sequence[tuple[int, Fraction]] = (),
    frozen: bool = False,
    compiled: bool | None = None,
    workers: int = 1,
) -> list[Trajectory]:
    """Draw networks and paths, train, and look at them at some steps.

    Parameters
    ----------
    instance : Instance
        With training constants.
    width : int
        N.
    seed : int
    replicas : sequence of int
        Each determines its draws, together with the seed and the width.
    checkpoints : sequence of int
        Numbers of steps, increasing; the last one is where training ends.
    points : sequence of (int, Fraction)
        States, whose inputs count, and memories: where the output is wanted.
    frozen : bool
        Whether the parameters stay as they are.
    compiled : bool, optional
        Whether compiled code is used where numba is installed; by default where one replica is so
        large that starting numba pays.
    workers : int
        Number of threads.

    Returns
    -------
    list of Trajectory
        One a replica, that of `train_replica`.

    Raises
    ------
    InvalidInstance
        Where the instance has no training constants, or an argument is out of range.
    """
    ends = increasing(checkpoints)
    job = _Job(
        instance=instance,
        setting=setting(instance, width),
        law=transitions(instance.chain),
        width=width,
        seed=seed,
        steps=ends[-1],
        frozen=frozen,
        compiled=is_compiled(width, ends[-1], compiled),
    )
    at = places(job.setting, points)

    def train(some: Sequence[int]) -> list[Trajectory]:
        group = _Group(job, some)
        seen = []
        for end in ends:
            group.run(end)
            seen.append([trainer.look(*at) for trainer in group.trainers])
        return [trajectory(ends, own) for own in zip(*seen, strict=True)]

    return list(joined.from_iterable(_in_groups(train, replicas, width, workers)))


def largest_deviation(
    instance: Instance,
    *,
    width: int,
    seed: int,
    replicas: Sequence[int],
    points: Sequence[tuple[int, Fraction]],
    reference: Array,
    workers: int = 1,
) -> Array:
    r"""Return ``max_{k <= n} |G_k(\zeta_j) - reference[k, j]|`` for every replica and point.

    Paths are not stored.  Small networks too are trained by compiled code where numba is installed.

    Parameters
    ----------
    instance : Instance
        With training constants.
    width : int
        N.
    seed : int
    replicas : sequence of int
        Each determines its draws, together with the seed and the width.
    points : sequence of (int, Fraction)
        States, whose inputs count, and memories.
    reference : Array, shape (n_steps + 1, n_points)
        What the output at a point is compared with before the first step and after each.
    workers : int
        Number of threads.

    Returns
    -------
    Array, shape (n_replicas, n_points)
        In double precision, nothing proved.

    Raises
    ------
    InvalidInstance
        Where the instance has no training constants, or an argument is out of range.
    """
    if reference.ndim != 2 or len(reference) < 1 or reference.shape[1] != len(points):
        raise InvalidInstance(
            "reference", f"has shape {reference.shape}, expected (steps + 1, {len(points)})"
        )
    job = _Job(
        instance=instance,
        setting=setting(instance, width),
        law=transitions(instance.chain),
        width=width,
        seed=seed,
        steps=len(reference) - 1,
        frozen=False,
        compiled=can_compile(),
    )
    at = places(job.setting, points)

    def compare(some: Sequence[int]) -> Array:
        return _Group(job, some).largest_deviation(at, reference)

    found = _in_groups(compare, replicas, width, workers)
    return np.concatenate([np.zeros((0, len(points))), *found])


def _in_groups(
    work: Callable[[Sequence[int]], _T], replicas: Sequence[int], width: int, workers: int
) -> list[_T]:
    """Return what was made of each group of replicas, in their order."""
    if workers < 1:
        raise InvalidInstance("workers", f"is {workers}, expected 1 or more")
    size = max(1, min(_NEAR_UNITS // width, -(-len(replicas) // workers)))
    groups = [replicas[i : i + size] for i in range(0, len(replicas), size)]
    if workers == 1 or len(groups) < 2:
        return [work(group) for group in groups]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, groups))


@dataclass(frozen=True, kw_only=True)
class _Job:
    """What all groups of replicas have in common."""

    instance: Instance
    setting: Setting
    law: Transitions
    width: int
    seed: int
    steps: int
    frozen: bool
    compiled: bool


class _Group:
    """Replicas that are trained together, and the paths that they follow."""

    def __init__(self, job: _Job, replicas: Sequence[int]) -> None:
        self._compiled = job.compiled
        self._table = tables(len(replicas), job.setting.inputs.shape[1], job.width)
        self._paths: Indices = np.empty((len(replicas), job.steps), dtype=np.intp)
        self.trainers = []
        for path, table, replica in zip(self._paths, self._table, replicas, strict=True):
            for_units, for_path = replica_generators(job.seed, replica, job.width)
            units = draw_units(job.instance.law, job.width, for_units)
            path[:] = draw_path(job.law, job.steps, for_path, compiled=job.compiled)
            self.trainers.append(
                Trainer(job.setting, units, frozen=job.frozen, compiled=job.compiled, table=table)
            )

    def run(self, end: int) -> None:
        """Train up to a number of steps."""
        start = self.trainers[0].step
        if self._compiled:
            run_together(self.trainers, self._table, self._paths[:, start:end])
            return
        for trainer, path in zip(self.trainers, self._paths, strict=True):
            trainer.run(path[start:end])

    def largest_deviation(self, points: tuple[Array, Array], reference: Array) -> Array:
        """Train to the end of the paths; return the largest distances from the reference."""
        if self._compiled:
            return run_together(
                self.trainers, self._table, self._paths, points=points, reference=reference
            )
        largest = np.zeros((len(self.trainers), reference.shape[1]))
        for row, trainer, path in zip(largest, self.trainers, self._paths, strict=True):
            for k, expected in enumerate(reference):
                np.maximum(row, np.abs(trainer.output(*points) - expected), out=row)
                trainer.run(path[k : k + 1])
        return largest
