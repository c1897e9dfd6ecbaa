"""The search for counterexamples and for the tightest instances, without end or supervision.

The process that runs a campaign decides nothing: it says whose turn it is (`sharing`), hands turns
to workers (`turns`), and writes what comes back to disk (`journal`) before anything else.  Killed
at any moment it loses what the turns under way would have brought.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from verification.campaign.journal import (
    Journal,
    holds_a_campaign,
    read_folder,
    require_instances,
)
from verification.campaign.record import Record
from verification.campaign.search import Search, now
from verification.campaign.turns import (
    FRESH,
    TURN_SECONDS,
    Found,
    Shrinking,
    Shrunk,
    Turn,
    work,
)
from verification.claim import AnyClaim
from verification.errors import InvalidInstance
from verification.report.text import brief
from verification.workers import run_stream, worker_pool

PATIENCE_SECONDS = 40.0
"""A single step of a library can outlast an alarm; then its worker is ended."""
_LONGEST_REASON = 100


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a campaign has come to, together with all that its folder held and others added.

    Parameters
    ----------
    record : Record
    interrupted : bool
    seconds : float
    """

    record: Record
    interrupted: bool
    seconds: float


def searchable(claim: AnyClaim) -> bool:
    """Tell whether there is a strategy for the kind of instances that a claim is about."""
    return claim.kind in FRESH


def run_campaign(
    *,
    claims: tuple[AnyClaim, ...],
    out: Path,
    jobs: int,
    seed: int,
    seconds: float | None,
    resume: bool,
    revision: str,
    on_turn: Callable[[Record], None] = lambda _record: None,
    make_executor: Callable[[], Executor] | None = None,
) -> Outcome:
    """Search until the time is over or Ctrl-C.

    Parameters
    ----------
    claims : tuple of Claim
        Those without a strategy are left out.
    out : Path
        Folder of the state; several campaigns may share it.
    jobs : int
    seed : int
    seconds : float or None
        None: without end.
    resume : bool
        Whether the folder may hold a campaign already, which then goes on.
    revision : str
        Of the code, for what is found.
    on_turn : callable
        Called with the record after every turn.
    make_executor : callable, optional
        Makes an executor whose workers are processes that do one task at a time; default: worker
        processes of this machine.

    Raises
    ------
    InvalidInstance
        Where the folder holds a campaign and is not to be resumed, or is corrupt.
    """
    started = time.monotonic()
    if not resume and holds_a_campaign(out):
        raise InvalidInstance("--out", f"{out} holds a campaign; --resume goes on with it")
    record = read_folder(out)
    tried = tuple(filter(searchable, claims))
    require_instances(out, record, tried)
    asked = tuple(claim.id for claim in claims)
    journal = Journal(out, seed=seed, time=now(), revision=revision, claims=asked)
    interrupted = False
    try:
        search = Search(
            claims=tried, record=record, journal=journal, out=out, seed=seed, revision=revision
        )

        def note(task: Turn | Shrinking, found: Found | Shrunk) -> None:
            on_turn(search.note(task, found))

        if tried:
            modules = {claim.cases.__module__ for claim in tried}
            interrupted = run_stream(
                work,
                search.next_task,
                make_executor=make_executor or worker_pool({*modules, work.__module__}, jobs),
                jobs=jobs,
                failed=_failed,
                patience=PATIENCE_SECONDS,
                seconds=seconds,
                on_result=note,
            )
    finally:
        journal.close()
    return Outcome(
        record=read_folder(out), interrupted=interrupted, seconds=time.monotonic() - started
    )


def _failed(task: Turn | Shrinking, reason: str) -> Found | Shrunk:
    if isinstance(task, Shrinking):
        return Shrunk(example=task.example, done=True)
    return Found(lost=brief(reason, _LONGEST_REASON), seconds=TURN_SECONDS)
