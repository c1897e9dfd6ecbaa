"""The main job: decide claims on instances, try the mutants, write the report."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verification.claim import AnyClaim
from verification.deadline import BUDGET_SPENT
from verification.decision import Result
from verification.enclosure import selftest
from verification.environment import environment
from verification.errors import InvalidInstance
from verification.progress import progress
from verification.report.document import Document, MutantResult, Run, to_document
from verification.report.files import require_folder, write_counterexample, write_report
from verification.report.summary import MutantStatus, summarize
from verification.report.terminal import render_terminal
from verification.runner import Task, decide_all, process_pool
from verification.statistics.ledger import Ledger, level_text
from verification.subject import Subject
from verification.verdict import EvidenceKind, Verdict

_MOST_POOLS = 64
"""Most processes of which each is a pool of its own; each pool keeps some files open."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a verification run has come to.

    Parameters
    ----------
    document : dict
        The report, "report/1".
    text : str
        The report in a few lines for a terminal.
    failed : bool
        Whether a claim was REFUTED, or a mutant or a disputed claim was not.
    undecided : bool
        Whether anything is UNDECIDED, or was not reached.
    interrupted : bool
    """

    document: Document
    text: str
    failed: bool
    undecided: bool
    interrupted: bool


def verify_and_report(
    *,
    claims: tuple[AnyClaim, ...],
    instances: tuple[Subject, ...],
    with_mutants: bool,
    out: Path,
    jobs: int,
    seed: int,
    seconds: float | None,
    created: str,
    quiet: bool,
) -> Outcome:
    """Decide claims on instances and write the report's files.

    Parameters
    ----------
    claims, instances : tuple
        Each claim is decided on the instances of its kind.
    with_mutants : bool
        Also try every mutant on those of `instances` that it names.
    out : Path
        Folder for the report.
    jobs : int
        Number of worker processes.
    seed : int
    seconds : float or None
        Time budget of the whole run.
    created : str
        ISO 8601 time for the report.
    quiet : bool
        Show no progress.

    Raises
    ------
    SelfTestFailed
        Where the arithmetic fails its test: nothing is decided.
    InvalidInstance
        Where two instances have one name, no claim is about one of them, or `out` cannot be
        written.
    """
    _check_names(instances)
    _check_kinds(claims, instances)
    require_folder(out)
    checks = selftest.run()
    selftest.require(checks)
    tasks = [
        Task(claim=claim, instance=instance, seed=seed, draw=True)
        for claim in claims
        for instance in instances
        if claim.kind == instance.schema
    ]
    if with_mutants:
        tasks += _mutant_tasks(claims, instances, seed)
    tasks, ledger = _with_levels(tasks)
    pools = jobs if jobs <= _MOST_POOLS else 1
    with progress(tasks, quiet=quiet) as on_result:
        results, interrupted = decide_all(
            tasks,
            make_executor=process_pool(tasks, jobs // pools),
            jobs=jobs // pools,
            executors=pools,
            seconds=seconds,
            on_result=on_result,
        )
    conditions: dict[str, Any] = {
        **environment(seed=seed, jobs=jobs),
        **selftest.record(checks),
    }
    if ledger.decisions:
        conditions["error level of the simulations"] = level_text(ledger.total)
    ended = None
    if any(result is None for result in results):
        ended = "by the user" if interrupted else BUDGET_SPENT
    decided, mutants = _sorted(tasks, results)
    run = Run(
        created=created,
        environment=conditions,
        claims=claims,
        instances=instances,
        results=decided,
        mutants=mutants,
        interrupted=ended,
    )
    document = to_document(run)
    _write(document, run, out, seed)
    summaries = summarize(document)
    survivors = any(
        mutant.status is MutantStatus.SURVIVED
        for summary in summaries
        for mutant in summary.mutants
    )
    return Outcome(
        document=document,
        text=render_terminal(document, out),
        failed=survivors or any(summary.faults for summary in summaries),
        undecided=bool(document["summary"][Verdict.UNDECIDED]) or run.interrupted is not None,
        interrupted=interrupted,
    )


def _check_names(instances: tuple[Subject, ...]) -> None:
    seen: set[str] = set()
    for instance in instances:
        if instance.name in seen:
            raise InvalidInstance("name", f"is {instance.name!r} twice, expected distinct names")
        seen.add(instance.name)


def _check_kinds(claims: tuple[AnyClaim, ...], instances: tuple[Subject, ...]) -> None:
    """Refuse an instance that no claim is about: the report would be silent on it."""
    kinds = sorted({claim.kind for claim in claims})
    for instance in instances:
        if instance.schema not in kinds:
            raise InvalidInstance(
                f"{instance.name}: schema",
                f"is {instance.schema}, expected {' or '.join(kinds)}, the kind of these claims",
            )


def _mutant_tasks(
    claims: tuple[AnyClaim, ...], instances: tuple[Subject, ...], seed: int
) -> list[Task]:
    named = {instance.name: instance for instance in instances}
    return [
        Task(claim=claim, instance=named[name], seed=seed, mutant=mutant)
        for claim in claims
        for mutant in claim.mutants
        for name in mutant.refuted_on
        if name in named
    ]


def _with_levels(tasks: list[Task]) -> tuple[list[Task], Ledger]:
    """Share the run's error level evenly between the tasks that are simulated."""
    simulated = [task.claim.evidence is EvidenceKind.SIMULATION for task in tasks]
    ledger = Ledger(decisions=sum(simulated))
    return [
        dataclasses.replace(task, level=ledger.share) if drawn else task
        for task, drawn in zip(tasks, simulated, strict=True)
    ], ledger


def _sorted(
    tasks: list[Task], results: list[Result | None]
) -> tuple[tuple[Result, ...], tuple[MutantResult, ...]]:
    """Tell the claims' results from the mutants'; what was not reached is left out."""
    decided, mutants = [], []
    for task, result in zip(tasks, results, strict=True):
        if result is None:
            continue
        if task.mutant is None:
            decided.append(result)
        elif result.verdict is not Verdict.UNDECIDED or BUDGET_SPENT not in result.reason:
            # A mutant that the clock has cut short is neither refuted nor a survivor.
            mutants.append(
                MutantResult(
                    claim=task.claim.id,
                    mutant=task.mutant.name,
                    error=task.mutant.error,
                    result=result,
                )
            )
    return tuple(decided), tuple(mutants)


def _write(document: Document, run: Run, out: Path, seed: int) -> None:
    named = {instance.name: instance for instance in run.instances}
    disputes = {claim.id: claim.disputed for claim in run.claims if claim.disputed is not None}
    try:
        # First of all what cannot be had again from report.json.
        for result in run.results:
            if result.verdict is Verdict.REFUTED:
                constant = disputes[result.claim].constant if result.claim in disputes else None
                subject = named[result.instance]
                write_counterexample(out, result.claim, None, subject, seed, constant=constant)
        write_report(document, out)
    except OSError as error:
        raise InvalidInstance("--out", f"{out} cannot be written: {error.strerror}") from error
