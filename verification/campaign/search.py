"""Whose turn it is in a campaign, and what is done with what comes back from a turn."""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from verification.campaign.journal import Journal, load_instance
from verification.campaign.record import Counterexample, Entry, Kept, Moment, Record, Tally
from verification.campaign.sharing import Sharing
from verification.campaign.turns import (
    CHANGED,
    FAULT,
    FRESH,
    TURN_SECONDS,
    Example,
    Found,
    Shrinking,
    Shrunk,
    Turn,
    level_of,
    sharper,
    turn_seed,
)
from verification.claim import AnyClaim
from verification.report.files import write_counterexample
from verification.statistics.ledger import RUN_LEVEL
from verification.subject import Subject
from verification.verdict import Verdict

MOST_COUNTEREXAMPLES = 16
"""Of one claim; further ones are counted, not kept."""

_PARENTS = 8
_LENDERS = 2

T = TypeVar("T")


def _distinct(tally: Tally) -> list[Kept]:
    """Return the instances kept of a claim, faults apart, the tightest first."""
    kept = {
        kept.digest: kept for cell, kept in tally.tightest.items() if not cell.startswith(FAULT)
    }
    return sorted(kept.values(), key=lambda item: (-item.tightness, item.digest))


def _turned(items: list[T], turn: int) -> list[T]:
    start = turn % len(items) if items else 0
    return items[start:] + items[:start]


def now() -> str:
    """Return the time, as journals note it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Search:
    """The state of a campaign in its own process.

    Parameters
    ----------
    claims : tuple of Claim
        At least one, each with a strategy.
    record : Record
        What the folder holds; what comes back is added to it.
    journal : Journal
    out : Path
    seed : int
    revision : str
    """

    def __init__(
        self,
        *,
        claims: tuple[AnyClaim, ...],
        record: Record,
        journal: Journal,
        out: Path,
        seed: int,
        revision: str,
    ) -> None:
        self._claims = {claim.id: claim for claim in claims}
        self._record = record
        self._journal = journal
        self._out = out
        self._seed = seed
        self._revision = revision
        self._level = level_of(journal.start - 1, RUN_LEVEL) / max(len(claims), 1)
        self._between_claims = Sharing(self._claims)
        # A campaign that is killed often begins elsewhere each time.
        self._between_sources = {
            claim.id: Sharing((*_turned(list(FRESH[claim.kind]), journal.start - 1), CHANGED))
            for claim in claims
        }
        self._turns = dict.fromkeys(self._claims, 0)
        self._numbers: dict[tuple[str, str], int] = {}
        self._subjects: dict[str, Subject] = {}
        self._to_shrink: deque[Shrinking] = deque()
        for found in record.counterexamples.values():
            if not found.done and found.claim in self._claims:
                self._to_shrink.append(self._shrinking(found))

    def next_task(self) -> Turn | Shrinking:
        """Return what a free worker is to do."""
        if self._to_shrink:
            return self._to_shrink.popleft()
        claim = self._claims[self._between_claims.begin(TURN_SECONDS)]
        tally = self._record.tally(claim.id)
        tightest = self._tightest(claim)
        source = self._between_sources[claim.id].begin(
            TURN_SECONDS, but_not=() if tightest else (CHANGED,)
        )
        number = self._numbers.get((claim.id, source), 0)
        self._numbers[claim.id, source] = number + 1
        return Turn(
            claim=claim,
            source=source,
            number=number,
            seed=turn_seed(self._seed, self._journal.start, claim.id, source, number),
            level=self._next_level(claim),
            tightest=tightest if source == CHANGED else (),
            records={cell: kept.tightness for cell, kept in tally.tightest.items()},
        )

    def note(self, task: Turn | Shrinking, found: Found | Shrunk) -> Record:
        """Write what a task came to; return the record."""
        if isinstance(task, Shrinking):
            if isinstance(found, Shrunk):
                self._note_shrunk(task, found)
        elif isinstance(found, Found):
            self._note_turn(task, found)
        return self._record

    def _next_level(self, claim: AnyClaim) -> Fraction:
        self._turns[claim.id] += 1
        return level_of(self._turns[claim.id] - 1, self._level)

    def _tightest(self, claim: AnyClaim) -> tuple[Subject, ...]:
        """Return the tightest instances of a claim, one a cell, the tightest of all first.

        After them a few of other claims about the same kind of instances: where one is nearly an
        equality, others of the same theory often are.
        """
        own = _distinct(self._record.tally(claim.id))
        # Of all but the first others each time, so that every cell's turn comes.
        turn = self._turns[claim.id]
        chosen = [(claim, kept) for kept in own[:1] + _turned(own[1:], turn)[: _PARENTS - 1]]
        others = [
            other
            for other in self._claims.values()
            if other.kind == claim.kind and other is not claim
        ]
        for other in _turned(others, _LENDERS * turn)[:_LENDERS] if own else ():
            chosen += [(other, kept) for kept in _distinct(self._record.tally(other.id))[:1]]
        subjects = (self._subject(kept.digest, owner) for owner, kept in chosen)
        return tuple(subject for subject in subjects if subject is not None)

    def _subject(self, digest: str, claim: AnyClaim) -> Subject | None:
        if digest not in self._subjects:
            try:
                task = load_instance(self._out, digest, (claim,)).task
            except FileNotFoundError:  # another campaign has found a tighter one meanwhile
                return None
            self._subjects[digest] = task.instance
        return self._subjects[digest]

    def _note_turn(self, turn: Turn, found: Found) -> None:
        claim = turn.claim
        tally = self._record.tally(claim.id)
        before = self._record.needed()
        new_cells = sum(cell not in tally.cells for cell in found.cells)
        kept = [self._kept(claim, example) for example in found.kept]
        sharpened = sum(
            any(
                sharper(item.tightness, former.tightness if former else None)
                for former in map(tally.tightest.get, item.cells)
            )
            for item in kept
        )
        ended = round(time.time(), 1)
        best = max((item.tightness for item in kept), default=-1.0)
        rises = best > (tally.best.tightness if tally.best else -1.0)
        entry = Entry(
            claim=claim.id,
            turns=1,
            lost={found.lost: 1} if found.lost else {},
            seconds=found.seconds,
            verdicts=found.verdicts,
            cells=found.cells,
            satisfied=found.satisfied,
            kept=tuple(kept),
            time=ended,
            history=(Moment(time=ended, tightness=best),) if rises else (),
        )
        self._journal.note_turn(entry)
        self._record.add_turn(entry)
        refuted = found.refuted is not None and self._note_refuted(claim, found.refuted)
        self._forget(before | {item.digest for item in kept})
        discoveries = new_cells + sharpened + refuted
        self._between_claims.end(claim.id, seconds=found.seconds, discoveries=discoveries)
        self._between_sources[claim.id].end(
            turn.source, seconds=found.charged, discoveries=discoveries
        )

    def _forget(self, digests: set[str]) -> None:
        unneeded = digests - self._record.needed()
        self._journal.forget(unneeded)
        for digest in unneeded:
            self._subjects.pop(digest, None)

    def _kept(self, claim: AnyClaim, example: Example) -> Kept:
        digest, _ = self._journal.keep(claim.id, example.subject, example.seed)
        self._subjects[digest] = example.subject
        return Kept(
            digest=digest,
            verdict=str(example.verdict),
            tightness=example.tightness,
            cells=example.cells,
        )

    def _note_refuted(self, claim: AnyClaim, example: Example) -> bool:
        """Keep a counterexample, unless there are many of the claim; tell whether it was kept."""
        known = [f for f in self._record.counterexamples.values() if f.claim == claim.id]
        if len(known) >= MOST_COUNTEREXAMPLES:
            return False
        digest, length = self._journal.keep(claim.id, example.subject, example.seed)
        found = Counterexample(
            claim=claim.id,
            side=example.side,
            first=digest,
            digest=digest,
            cells=example.cells,
            time=now(),
            revision=self._revision,
            steps=0,
            length=length,
            done=False,
        )
        self._write(found)
        self._to_shrink.append(self._shrinking(found))
        return True

    def _write(self, found: Counterexample) -> None:
        self._journal.note_counterexample(found)
        self._record.add_counterexample(found)

    def _shrinking(self, found: Counterexample) -> Shrinking:
        claim = self._claims[found.claim]
        asked = load_instance(self._out, found.digest, (claim,)).task
        return Shrinking(
            claim=claim,
            first=found.first,
            level=self._next_level(claim),
            example=Example(
                subject=asked.instance,
                seed=asked.seed,
                verdict=Verdict.REFUTED,
                tightness=-1.0,
                cells=found.cells,
                side=found.side,
            ),
        )

    def _note_shrunk(self, task: Shrinking, found: Shrunk) -> None:
        claim, example = task.claim, found.example
        former = self._record.counterexamples[task.first]
        digest, length = self._journal.keep(claim.id, example.subject, example.seed)
        # What did not become simpler in all that time is as simple as it will be.
        simpler = dataclasses.replace(
            former,
            digest=digest,
            cells=example.cells,
            side=example.side,
            steps=former.steps + 1,
            length=length,
            done=found.done or digest == former.digest,
        )
        if simpler.done and not self._says_the_same(simpler):
            write_counterexample(self._out, claim.id, None, example.subject, example.seed)
        self._write(simpler)
        self._forget({former.digest})
        if not simpler.done:
            self._to_shrink.append(self._shrinking(simpler))

    def _says_the_same(self, found: Counterexample) -> bool:
        """Tell whether a counterexample that says the same is there already."""
        return any(
            other.done and other.key() == found.key() and other.first != found.first
            for other in self._record.counterexamples.values()
        )
