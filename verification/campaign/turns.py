"""One turn of the search: what a worker process does for one claim in a second or so.

A turn either draws fresh instances from a Hypothesis strategy, led towards tightness by
``target()``, or changes the tightest instances so far.  Its draws are seeded by the campaign's
seed, the number of its start and the number of the turn: no turn repeats the draws of another, and
each can be had again.  Hypothesis begins every search with its simplest example; that is decided
once, in a source's first turn, and skipped afterwards.

**Error level.**  A campaign decides without end, so that no share of an error level can be the same
for all.  The j-th example of the k-th turn of a claim's s-th start is decided at level
``L / (s (s + 1) k (k + 1) j (j + 1))``, and because ``sum 1/(k (k + 1)) = 1``, all that a campaign
ever says of random draws is wrong with probability at most L together.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, settings, target
from hypothesis import seed as seeded
from hypothesis import strategies as st

from verification import instance as first_kind
from verification import linear_functional as second_kind
from verification.campaign.changes import changed
from verification.campaign.linear_strategies import (
    linear_functionals,
    single_functionals,
    trained_functionals,
)
from verification.campaign.regimes import Cells, cells
from verification.campaign.shrinking import shrunk
from verification.campaign.slow_training import slow_trainings
from verification.campaign.strategies import ERGODIC_CHAIN_KINDS, instances
from verification.claim import AnyClaim, Mutant
from verification.decision import Result, decide
from verification.subject import Subject
from verification.verdict import Relation, Verdict
from verification.workers import limit_memory

CHANGED = "changed"
"""The source of instances that are not drawn afresh."""

FRESH: dict[str, dict[str, Callable[[], st.SearchStrategy[Any]]]] = {
    first_kind.SCHEMA: {
        "moderate": lambda: instances(contracting=True, moderate=True, max_states=4, training=True),
        "trained": lambda: instances(
            contracting=True,
            every_unit=True,
            centred=True,
            training=True,
            chain_kinds=ERGODIC_CHAIN_KINDS,
            dimension=1,
            max_states=4,
            moderate=True,
        ),
        "ergodic": lambda: instances(contracting=True, chain_kinds=ERGODIC_CHAIN_KINDS),
        "slow training": slow_trainings,
        "two states": lambda: instances(contracting=True, max_states=2),
        "any": instances,
    },
    second_kind.SCHEMA: {
        "one part": single_functionals,
        "any": linear_functionals,
        "in training": trained_functionals,
    },
}
"""For each kind of instances the strategies that are drawn from, under names."""

TURN_SECONDS = 1.5
"""A turn begins no example after this."""
EXAMPLE_SECONDS = 8.0
SHRINK_SECONDS = 6.0
TOO_LONG_SECONDS = 20.0
"""An example that has not heeded its deadline by then is given up, and kept as a fault."""
EXAMPLES_A_SEARCH = 60
BARREN_EXAMPLES = 150
"""After so many that are inapplicable or vacuous, and no other, a turn ends."""
MEMORY_BYTES = 3 * 2**30
"""Of one worker: an instance drawn at random may ask for any amount."""

FAULT = "fault"
"""Counted in place of a verdict where deciding raised an exception; such an instance is kept."""

_NOT_VACUOUS = frozenset((Verdict.CERTIFIED, Verdict.SUPPORTED, Verdict.REFUTED))
_OF_NO_USE = frozenset(map(str, (Verdict.INAPPLICABLE, Verdict.VACUOUS)))
_TIGHT = 1e-6
_SHARPER = 0.9
_LARGEST_TARGET = 1e6
_PARENTS = 24


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What a worker is asked to do.

    Parameters
    ----------
    claim : Claim
    mutant : Mutant or None
        To be refuted in the claim's place.
    source : str
        A strategy of `FRESH`, or `CHANGED`.
    number : int
        Counts the turns of the claim and source in this start, from 0.
    seed : int
    level : Fraction
        Error level of the whole turn.
    seconds : float
    tightest : tuple
        Instances to change.
    records : dict
        The largest tightness so far by cell.
    """

    claim: AnyClaim
    source: str
    number: int
    seed: int
    level: Fraction
    mutant: Mutant[object, object] | None = None
    seconds: float = TURN_SECONDS
    tightest: tuple[Subject, ...] = ()
    records: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Example:
    """An instance that a turn found worth keeping, the seed of its cases, and what came out."""

    subject: Subject
    seed: int
    verdict: Verdict
    tightness: float
    cells: Cells
    side: str = ""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What came of a turn.

    Parameters
    ----------
    seconds : float
    verdicts : dict
        Number of examples by verdict.
    cells : dict
        Number of examples, not counting vacuous ones, by cell.
    satisfied : tuple of int
        For each assumption, the examples that certainly satisfied it.
    kept : tuple of Example
        Each the tightest so far in its `cells`.
    refuted : Example or None
        Ends the turn.
    lost : str
        Why the turn was not brought to its end.
    """

    seconds: float = 0.0
    verdicts: dict[str, int] = field(default_factory=dict)
    cells: dict[str, int] = field(default_factory=dict)
    satisfied: tuple[int, ...] = ()
    kept: tuple[Example, ...] = ()
    refuted: Example | None = None
    lost: str = ""

    @property
    def charged(self) -> float:
        """The seconds that count when the claim's sources share its time.

        A turn that found nothing of use may have ended early; it counts as a whole one, so that
        the other sources have the time that it left.
        """
        return self.seconds if self.cells else max(self.seconds, TURN_SECONDS)


@dataclass(frozen=True, kw_only=True)
class Shrinking:
    """A counterexample that is to be made simpler, and how much of it has been done."""

    claim: AnyClaim
    example: Example
    first: str
    level: Fraction
    mutant: Mutant[object, object] | None = None
    seconds: float = SHRINK_SECONDS


@dataclass(frozen=True, kw_only=True)
class Shrunk:
    """The simplest counterexample so far; whether there is no simpler one to try."""

    example: Example
    done: bool


def turn_seed(seed: int, *names: object) -> int:
    """Return the seed of a turn from that of the campaign and what names the turn."""
    text = "/".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def level_of(number: int, level: Fraction) -> Fraction:
    """Return the part of an error level for the item of a number, counted from 0."""
    return level / ((number + 1) * (number + 2))


def sharper(tightness: float, record: float | None) -> bool:
    """Tell whether a tightness is a discovery: its distance from 1 fell by a tenth or more.

    Nearer to 1 than 1e-6 nothing is: an equality cannot become more of one.
    """
    if record is None:
        return True
    gap, former = 1 - min(tightness, 1.0), 1 - min(record, 1.0)
    return former > _TIGHT and gap <= _SHARPER * former


def work(task: Turn | Shrinking, seconds: float) -> Found | Shrunk:
    """Take a turn or shrink a counterexample, within `seconds`; runs in a worker."""
    limit_memory(MEMORY_BYTES)
    # What Hypothesis notes of source files between its runs, it would leave where the user works.
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", os.devnull)
    if isinstance(task, Shrinking):
        return shrink(task, min(task.seconds, seconds))
    return take_turn(task, min(task.seconds, seconds))


def take_turn(turn: Turn, seconds: float) -> Found:
    """Search for as long as told, or until an instance refutes."""
    notes = _Notes(turn, time.monotonic() + seconds)
    if turn.source == CHANGED:
        _search_by_changes(turn, notes)
    else:
        _search_afresh(turn, notes)
    return notes.found()


class _Notes:
    """Decides examples and takes note of what comes out, while there is time."""

    def __init__(self, turn: Turn, deadline: float) -> None:
        self._turn = turn
        self._deadline = deadline
        self._started = time.monotonic()
        self._verdicts: Counter[str] = Counter()
        self._cells: Counter[str] = Counter()
        self._satisfied = [0] * len(turn.claim.assumptions)
        self._kept: dict[str, Example] = {}
        self._refuted: Example | None = None

    def is_over(self) -> bool:
        return self._refuted is not None or time.monotonic() >= self._deadline or self._is_barren()

    def _is_barren(self) -> bool:
        tried = self._verdicts.total()
        return tried >= BARREN_EXAMPLES and self._verdicts.keys() <= _OF_NO_USE

    def examine(self, subject: Subject) -> Example | None:
        """Decide one example; return it where it came out tight or refuted."""
        turn = self._turn
        count = self._verdicts.total()
        try:
            with _given_up_after(TOO_LONG_SECONDS):
                result = _decided(turn, subject, level_of(count, turn.level))
        except Exception as error:  # a fault is a find, and costs one example
            self._note_fault(subject, type(error).__name__)
            return None
        self._verdicts[str(result.verdict)] += 1
        for k in range(_satisfied(turn.claim, result)):
            self._satisfied[k] += 1
        if result.verdict not in _NOT_VACUOUS:
            return None
        found = _example(turn.claim, subject, turn.seed, result)
        self._cells.update(found.cells)
        if result.verdict is Verdict.REFUTED:
            self._refuted = found
            return found
        for cell in found.cells:
            best = self._kept.get(cell)
            record = turn.records.get(cell) if best is None else best.tightness
            if sharper(found.tightness, record):
                self._kept[cell] = found
        return found

    def _note_fault(self, subject: Subject, name: str) -> None:
        self._verdicts[FAULT] += 1
        cell = f"{FAULT}: {name}"
        if cell not in self._turn.records and cell not in self._kept:
            self._kept[cell] = Example(
                subject=subject,
                seed=self._turn.seed,
                verdict=Verdict.UNDECIDED,
                tightness=-1.0,
                cells=(cell,),
            )

    def found(self) -> Found:
        distinct = {id(example): example for example in self._kept.values()}
        return Found(
            seconds=time.monotonic() - self._started,
            verdicts=dict(self._verdicts),
            cells=dict(self._cells),
            satisfied=tuple(self._satisfied),
            kept=tuple(distinct.values()),
            refuted=self._refuted,
        )


class TooLong(Exception):  # noqa: N818 - reads as the fault that it is
    """An example took longer than it was given."""


@contextmanager
def _given_up_after(seconds: float) -> Iterator[None]:
    """Raise `TooLong` in the block after some seconds, where an alarm can be set."""
    if not hasattr(signal, "setitimer") or (
        threading.current_thread() is not threading.main_thread()
    ):
        yield
        return

    def ring(_number: int, _frame: object) -> None:
        raise TooLong

    former = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def _decided(turn: Turn | Shrinking, subject: Subject, level: Fraction, seed: int = -1) -> Result:
    asked = turn.seed if isinstance(turn, Turn) else seed
    return decide(
        turn.claim,
        subject,
        seed=asked,
        level=level,
        mutant=turn.mutant,
        deadline=time.monotonic() + EXAMPLE_SECONDS,
    )


def _example(claim: AnyClaim, subject: Subject, seed: int, result: Result) -> Example:
    side = ""
    if result.verdict is Verdict.REFUTED:
        below = result.left and result.right and result.left.upper < result.right.lower
        side = "below" if claim.relation is Relation.EQUAL and below else "above"
    return Example(
        subject=subject,
        seed=seed,
        verdict=result.verdict,
        tightness=-1.0 if result.tightness is None else result.tightness,
        cells=cells(subject),
        side=side,
    )


def _satisfied(claim: AnyClaim, result: Result) -> int:
    """Return how many assumptions, which are decided one after the other, hold for certain."""
    for k, assumption in enumerate(claim.assumptions):
        failed = result.verdict is Verdict.INAPPLICABLE and result.reason.startswith(
            f"needs {assumption.text}, but"
        )
        if failed or result.reason.startswith(f"cannot decide whether {assumption.text}:"):
            return k
    return len(claim.assumptions)


@lru_cache(maxsize=32)
def _strategy(schema: str, source: str) -> st.SearchStrategy[Any]:
    return FRESH[schema][source]()


def _search_afresh(turn: Turn, notes: _Notes) -> None:
    searches = 0
    while not notes.is_over():
        skips_first = turn.number > 0 or searches > 0
        _search_once(turn, notes, turn_seed(turn.seed, searches), skips_first=skips_first)
        searches += 1


def _search_once(turn: Turn, notes: _Notes, seed: int, *, skips_first: bool) -> None:
    """Have Hypothesis draw some examples; once the time is over it draws them in vain."""
    to_skip = [skips_first]

    @seeded(seed)
    @settings(
        max_examples=EXAMPLES_A_SEARCH,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.target),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    @given(_strategy(turn.claim.kind, turn.source))
    def search(subject: Subject) -> None:
        if (to_skip and to_skip.pop()) or notes.is_over():
            return
        found = notes.examine(subject)
        if found is not None:
            target(min(found.tightness, _LARGEST_TARGET))

    search()


def _search_by_changes(turn: Turn, notes: _Notes) -> None:
    """Change the tightest instances, and what comes out where it is tighter still."""
    rng = random.Random(turn.seed)
    parents = [(-1.0, subject) for subject in turn.tightest]
    if not parents:
        return
    while not notes.is_over():
        k = _chosen([record for record, _ in parents], rng)
        record, parent = parents[k]
        child = changed(parent, rng)
        if child == parent:
            continue
        found = notes.examine(child)
        if found is None:
            continue
        if found.tightness > record:
            parents[k] = found.tightness, child
        elif len(parents) < _PARENTS:
            parents.append((found.tightness, child))


def _chosen(records: Sequence[float], rng: random.Random) -> int:
    """Choose among instances by tightness: the tightest, the tightest but equalities, or any.

    Beside an equality there may be a violation; but where the equality is one for a reason, such
    as a term that vanishes, nothing beside it gets anywhere, and the next tightest is worth more.
    """
    how = rng.randrange(3)
    places = list(range(len(records)))
    if how == 1:
        places = [k for k in places if records[k] < 1 - _TIGHT] or places
    if how == 2:
        return rng.choice(places)
    return max(places, key=records.__getitem__)


def shrink(task: Shrinking, seconds: float) -> Shrunk:
    """Make a counterexample simpler, for as long as told.

    The cases of an instance are drawn anew with every change of it: a simpler one is tried with a
    few seeds before it is said to refute no more.
    """
    deadline = time.monotonic() + seconds
    best = task.example
    tries = 0

    def refutes(subject: Subject) -> bool:
        nonlocal best, tries
        for seed in dict.fromkeys((best.seed, 0, 1)):
            tries += 1
            result = _decided(task, subject, level_of(tries, task.level), seed)
            if result.verdict is Verdict.REFUTED:
                best = _example(task.claim, subject, seed, result)
                return True
            if result.verdict is not Verdict.CERTIFIED:
                return False
        return False

    # The name says what an instance is, and enters the seed of its cases.
    _, done = shrunk(task.example.subject, refutes, lambda: time.monotonic() >= deadline)
    return Shrunk(example=best, done=done)
