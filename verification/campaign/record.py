"""What a campaign has come to: counts, the tightest instances, counterexamples; how these add up.

Records of several starts, and of several campaigns that share a folder, are put together by
`Record.add_turn` and `Record.add_counterexample` in any order: counts add up, of two tightest
instances the tighter stays, of two versions of a counterexample the simpler one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from verification.campaign.regimes import Cells

MOST_REASONS = 8
"""Reasons for which turns were lost that are told apart."""
MOST_MOMENTS = 48
"""Moments kept of each claim at which its tightness rose."""


@dataclass(frozen=True, kw_only=True, order=True)
class Moment:
    """When an instance was found that was then the tightest: seconds since 1970, and how tight."""

    time: float
    tightness: float


@dataclass(frozen=True, kw_only=True, order=True)
class Start:
    """That a process began to search, and until when it is known to have.

    Parameters
    ----------
    begin, until : float
        Seconds since 1970.
    seed : int
    revision : str
        Of the code.
    claims : tuple of str
        Ids of the claims that it was to try; empty in journals that do not say.
    """

    begin: float
    until: float
    seed: int
    revision: str
    claims: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Kept:
    """An instance on disk that is, or was, the tightest of a claim in some cells.

    Parameters
    ----------
    digest : str
        Of its replay file, which is called after it.
    verdict : str
    tightness : float
        Lower bound of left / right; -1 where right may be 0.
    cells : tuple of str
    """

    digest: str
    verdict: str
    tightness: float
    cells: Cells


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What one turn, or all turns of a start together, came to for one claim.

    The time is that of its end, in seconds since 1970, or 0 where the journal does not say.
    """

    claim: str
    turns: int
    lost: dict[str, int]
    seconds: float
    verdicts: dict[str, int]
    cells: dict[str, int]
    satisfied: tuple[int, ...]
    kept: tuple[Kept, ...]
    time: float = 0.0
    history: tuple[Moment, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Counterexample:
    """A refuted claim: the instance as first met, and the simplest so far.

    Parameters
    ----------
    claim, side : str
        The claim, and on which side of the right side its left side lies.
    first, digest : str
        Digests of the replay files of the instance as it was found, and of the simplest so far.
    cells : tuple of str
        Of the simplest.
    time, revision : str
        When, and at which revision of the code, it was first seen.
    steps : int
        Number of turns that made it simpler.
    length : int
        Characters of the simplest one's replay file.
    done : bool
        Whether there is nothing left to make simpler.
    """

    claim: str
    side: str
    first: str
    digest: str
    cells: Cells
    time: str
    revision: str
    steps: int
    length: int
    done: bool

    def key(self) -> tuple[str, str, Cells]:
        """Return what two counterexamples share that say the same."""
        return self.claim, self.side, self.cells


@dataclass(kw_only=True)
class Tally:
    """All that was found out about one claim."""

    turns: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    verdicts: Counter[str] = field(default_factory=Counter)
    cells: Counter[str] = field(default_factory=Counter)
    satisfied: list[int] = field(default_factory=list)
    tightest: dict[str, Kept] = field(default_factory=dict)
    time: float = 0.0
    history: list[Moment] = field(default_factory=list)

    @property
    def best(self) -> Kept | None:
        """The tightest instance of all, where any tells a ratio."""
        told = [kept for kept in self.tightest.values() if kept.tightness >= 0]
        return max(told, key=_order, default=None)

    @property
    def examples(self) -> int:
        """Number of examples decided."""
        return self.verdicts.total()

    def add(self, entry: Entry) -> None:
        """Take note of an entry."""
        self.turns += entry.turns
        for reason, count in entry.lost.items():
            known = reason in self.lost or len(self.lost) < MOST_REASONS
            self.lost[reason if known else "other reasons"] += count
        self.seconds += entry.seconds
        self.verdicts.update(entry.verdicts)
        self.cells.update(entry.cells)
        missing = len(entry.satisfied) - len(self.satisfied)
        self.satisfied += [0] * missing
        for k, count in enumerate(entry.satisfied):
            self.satisfied[k] += count
        for kept in entry.kept:
            for cell in kept.cells:
                best = self.tightest.get(cell)
                if best is None or _order(kept) > _order(best):
                    self.tightest[cell] = kept
        self.time = max(self.time, entry.time)
        if entry.history:
            self.history = _risen([*self.history, *entry.history])

    def entry(self, claim: str) -> Entry:
        """Return one entry that says the same as all that were added."""
        distinct = {kept.digest: kept for kept in self.tightest.values()}
        return Entry(
            claim=claim,
            turns=self.turns,
            lost=dict(self.lost),
            seconds=self.seconds,
            verdicts=dict(self.verdicts),
            cells=dict(self.cells),
            satisfied=tuple(self.satisfied),
            kept=tuple(distinct.values()),
            time=self.time,
            history=tuple(self.history),
        )


def _risen(moments: list[Moment]) -> list[Moment]:
    """Return the moments at which the tightness rose; of very many those that matter least go."""
    risen: list[Moment] = []
    for moment in sorted(moments, key=lambda moment: (moment.time, -moment.tightness)):
        if not risen or moment.tightness > risen[-1].tightness:
            risen.append(moment)
    while len(risen) > MOST_MOMENTS:
        # The first and the last say when it was tried, and what it came to.
        rises = [risen[k].tightness - risen[k - 1].tightness for k in range(1, len(risen) - 1)]
        del risen[1 + rises.index(min(rises))]
    return risen


def _order(kept: Kept) -> tuple[float, str]:
    # The digest decides a tie, so that the order of the journals does not.
    return kept.tightness, kept.digest


@dataclass(kw_only=True)
class Record:
    """All that was found out."""

    tallies: dict[str, Tally] = field(default_factory=dict)
    counterexamples: dict[str, Counterexample] = field(default_factory=dict)
    # Not compared: two records that say the same may come from other searches.
    starts: list[Start] = field(default_factory=list, compare=False)

    def tally(self, claim: str) -> Tally:
        """Return what is known of a claim."""
        return self.tallies.setdefault(claim, Tally())

    def add_turn(self, entry: Entry) -> None:
        """Take note of a turn."""
        self.tally(entry.claim).add(entry)

    def add_counterexample(self, found: Counterexample) -> None:
        """Take note of a counterexample, or of a simpler version of one."""
        former = self.counterexamples.get(found.first)
        if former is None or _progress(found) > _progress(former):
            self.counterexamples[found.first] = found

    def distinct(self) -> list[Counterexample]:
        """Return the counterexamples, of those that say the same the simplest, first seen first.

        Its time is that at which any of them was first seen.
        """
        best: dict[tuple[str, str, Cells], Counterexample] = {}
        earliest: dict[tuple[str, str, Cells], Counterexample] = {}
        for found in self.counterexamples.values():
            key = found.key()
            if key not in best or _simplicity(found) < _simplicity(best[key]):
                best[key] = found
            if key not in earliest or found.time < earliest[key].time:
                earliest[key] = found
        return sorted(
            (_seen(best[key], earliest[key].time, earliest[key].revision) for key in best),
            key=lambda found: (found.time, found.digest),
        )

    def needed(self) -> set[str]:
        """Return the digests of the files that this record needs."""
        tightest = {
            kept.digest for tally in self.tallies.values() for kept in tally.tightest.values()
        }
        return tightest | {found.digest for found in self.counterexamples.values()}


def _seen(found: Counterexample, time: str, revision: str) -> Counterexample:
    return Counterexample(**{**vars(found), "time": time, "revision": revision})


def _progress(found: Counterexample) -> tuple[bool, int, str]:
    return found.done, found.steps, found.digest


def _simplicity(found: Counterexample) -> tuple[bool, int, str]:
    return not found.done, found.length, found.digest
