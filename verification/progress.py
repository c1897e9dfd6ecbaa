"""Progress on standard error: a bar on a terminal, one line a claim otherwise."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol, TypeVar

import click

from verification.campaign.record import Record
from verification.decision import Result
from verification.runner import Task
from verification.verdict import Verdict

T = TypeVar("T")


class Progress(Protocol):
    """What is told of every result, as it comes."""

    def __call__(self, task: Task, result: Result) -> None:
        """Take note of one result."""


@contextmanager
def progress(tasks: Sequence[Task], *, quiet: bool) -> Iterator[Progress]:
    """Show progress while the block runs."""
    if quiet:
        yield lambda _task, _result: None
    elif sys.stderr.isatty():
        with click.progressbar(length=len(tasks), label="deciding", file=sys.stderr) as bar:
            yield lambda _task, _result: bar.update(1)
    else:
        yield _Lines(tasks)


@contextmanager
def counted(label: str, left: Mapping[T, int], *, quiet: bool) -> Iterator[Callable[[T], None]]:
    """Show how many things of each kind are done; yield what is told of each."""
    remaining = Counter(left)

    def line(kind: T) -> None:
        remaining[kind] -= 1
        if not remaining[kind]:
            with suppress(OSError):  # whoever read it has gone; the work has not
                click.echo(f"{label} {kind}: {left[kind]} done", err=True)

    if quiet:
        yield lambda _kind: None
    elif sys.stderr.isatty():
        with click.progressbar(length=remaining.total(), label=label, file=sys.stderr) as bar:
            yield lambda _kind: bar.update(1)
    else:
        yield line


class _Lines:
    """One line for each claim, and one for its mutants, once its last result is there."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._left = Counter(_key(task) for task in tasks)
        self._seen: dict[tuple[str, bool], Counter[Verdict]] = {}
        self._seconds: Counter[tuple[str, bool]] = Counter()

    def __call__(self, task: Task, result: Result) -> None:
        key = _key(task)
        self._left[key] -= 1
        seen = self._seen.setdefault(key, Counter())
        seen[result.verdict] += 1
        self._seconds[key] += result.seconds  # type: ignore[assignment] # seconds are floats
        if self._left[key] == 0:
            name = f"{key[0]} mutants" if key[1] else key[0]
            verdicts = ", ".join(f"{seen[v]} {v.lower()}" for v in Verdict if seen[v])
            with suppress(OSError):  # whoever read it has gone; the run has not
                click.echo(f"{name}: {verdicts} ({self._seconds[key]:.1f} s)", err=True)


_REPORT_SECONDS = 20.0


def campaign_progress(*, quiet: bool) -> Callable[[Record], None]:
    """Return what shows how far a campaign has come: a line, not more often than every 20 s."""
    started = shown = time.monotonic()

    def show(record: Record) -> None:
        nonlocal shown
        now = time.monotonic()
        if quiet or now - shown < _REPORT_SECONDS:
            return
        shown = now
        tallies = record.tallies.values()
        examples = sum(tally.examples for tally in tallies)
        tried = sum(bool(tally.examples) for tally in tallies)
        with suppress(OSError):  # whoever read it has gone; the campaign has not
            click.echo(
                f"campaign: {now - started:.0f} s, {examples} examples of {tried} claims, "
                f"{len(record.distinct())} counterexamples",
                err=True,
            )

    return show


def _key(task: Task) -> tuple[str, bool]:
    return task.claim.id, task.mutant is not None
