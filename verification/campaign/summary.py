"""What a campaign says at its end: counterexamples first, then each claim, and what was missed."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verification.campaign.campaign import searchable
from verification.campaign.record import Counterexample, Record, Tally
from verification.campaign.regimes import all_cells
from verification.campaign.turns import FAULT
from verification.claim import AnyClaim
from verification.report.text import plural
from verification.verdict import Verdict

SCHEMA = "campaign-summary/1"

_WIDTH = 79
_NOT_VACUOUS = (Verdict.CERTIFIED, Verdict.SUPPORTED, Verdict.REFUTED)


@dataclass(frozen=True, kw_only=True)
class ClaimSummary:
    """What became of one claim.

    Parameters
    ----------
    claim : Claim
    tally : Tally
    never_satisfied : tuple of str
        Assumptions that no example satisfied.
    never_reached : tuple of str
        Cells that no example reached on which the claim says something.
    """

    claim: AnyClaim
    tally: Tally
    never_satisfied: tuple[str, ...]
    never_reached: tuple[str, ...]

    @property
    def tried(self) -> int:
        """Number of examples on which the claim was not vacuous, inapplicable or undecided."""
        return sum(self.tally.verdicts[str(verdict)] for verdict in _NOT_VACUOUS)

    @property
    def problem(self) -> str:
        """Why the claim was not tried; nothing where it was."""
        if not searchable(self.claim):
            return f"never tried: there is no strategy for instances of kind {self.claim.kind}"
        if not self.tally.examples:
            return "never tried: its turn did not come"
        if self.tried:
            return ""
        verdicts = self.tally.verdicts
        counts = ", ".join(f"{count} {name.lower()}" for name, count in sorted(verdicts.items()))
        return f"never tried in earnest: {counts}"

    @property
    def failed(self) -> bool:
        """Whether the claim could be tried, and was not."""
        return searchable(self.claim) and not self.tried


def summarize(claims: Sequence[AnyClaim], record: Record) -> list[ClaimSummary]:
    """Return what became of each claim."""
    found = []
    for claim in claims:
        tally = record.tally(claim.id)
        satisfied = [*tally.satisfied, *[0] * len(claim.assumptions)]
        found.append(
            ClaimSummary(
                claim=claim,
                tally=tally,
                never_satisfied=tuple(
                    assumption.text
                    for assumption, count in zip(claim.assumptions, satisfied, strict=False)
                    if not count and tally.examples
                ),
                never_reached=tuple(
                    cell for cell in all_cells(claim.kind) if not tally.cells[cell]
                ),
            )
        )
    return found


def failed(claims: Sequence[AnyClaim], record: Record) -> bool:
    """Tell whether a claim was refuted, or could have been tried in earnest and was not."""
    untried = any(summary.failed for summary in summarize(claims, record))
    return refuted(claims, record) or untried


def refuted(claims: Sequence[AnyClaim], record: Record) -> bool:
    """Tell whether a claim was refuted, those apart that are disputed: of them it is expected."""
    asked = {claim.id for claim in claims if claim.disputed is None}
    return any(found.claim in asked for found in record.counterexamples.values())


def to_document(claims: Sequence[AnyClaim], record: Record, out: Path) -> dict[str, Any]:
    """Return the summary as a JSON document."""
    return {
        "schema": SCHEMA,
        "counterexamples": [
            {
                "claim": found.claim,
                "side": found.side,
                "cells": list(found.cells),
                "first_seen": found.time,
                "revision": found.revision,
                "shrunk": found.done,
                "file": str(_file(out, found.digest)),
            }
            for found in record.distinct()
        ],
        "claims": [_claim_document(summary, out) for summary in summarize(claims, record)],
    }


def _claim_document(summary: ClaimSummary, out: Path) -> dict[str, Any]:
    tally = summary.tally
    return {
        "id": summary.claim.id,
        "examples": tally.examples,
        "seconds": round(tally.seconds, 3),
        "turns": tally.turns,
        "turns_lost": dict(tally.lost),
        "verdicts": dict(sorted(tally.verdicts.items())),
        "problem": summary.problem or None,
        "assumptions_never_satisfied": list(summary.never_satisfied),
        "cells_never_reached": list(summary.never_reached),
        "tightest": {
            cell: {
                "tightness": None if kept.tightness < 0 else kept.tightness,
                "verdict": kept.verdict,
                "examples": tally.cells[cell],
                "file": str(_file(out, kept.digest)),
            }
            for cell, kept in sorted(tally.tightest.items())
        },
    }


def render(claims: Sequence[AnyClaim], record: Record, out: Path, *, seconds: float) -> str:
    """Return the summary in lines for a terminal."""
    summaries = summarize(claims, record)
    lines: list[str] = []
    counterexamples = record.distinct()
    for found in counterexamples:
        disputed = any(claim.id == found.claim and claim.disputed for claim in claims)
        lines += _counterexample_lines(found, out, expected=disputed)
    if counterexamples:
        lines.append("")
    lines += _table(summaries)
    notes = [line for summary in summaries for line in _notes(summary, out)]
    if notes:
        lines += ["", *notes]
    lines += ["", *_sharpest(summaries, out)]
    examples = sum(summary.tally.examples for summary in summaries)
    spent = sum(summary.tally.seconds for summary in summaries)
    refuted = plural(len(counterexamples), "counterexample")
    lines.append(
        f"{examples} examples of {plural(len(summaries), 'claim')} in {spent:.0f} s of search "
        f"({seconds:.0f} s of this campaign); {refuted}. State: {out}"
    )
    return "\n".join(lines)


def _counterexample_lines(found: Counterexample, out: Path, *, expected: bool) -> list[str]:
    where = "its left side lies above the right one"
    if found.side == "below":
        where = "its left side lies below the right one"
    shrunk = "" if found.done else " (not yet made as simple as can be)"
    return [
        f"REFUTED {found.claim}{' (disputed)' if expected else ''}: {where}{shrunk}",
        f"  first seen {found.time} at {found.revision}",
        f"  theorems replay {_file(out, found.digest)}",
    ]


def _table(summaries: Sequence[ClaimSummary]) -> list[str]:
    lines = [f"{'claim':<6}{'examples':>9}{'per s':>8}{'in earnest':>12}{'cells':>9}  tightest"]
    for summary in summaries:
        tally = summary.tally
        cells = all_cells(summary.claim.kind)
        reached = len(cells) - len(summary.never_reached)
        rate = tally.examples / tally.seconds if tally.seconds else 0.0
        best = max((kept.tightness for kept in tally.tightest.values()), default=-1.0)
        lines.append(
            f"{summary.claim.id:<6}{tally.examples:>9}{rate:>8.1f}{summary.tried:>12}"
            f"{f'{reached}/{len(cells)}':>9}  {f'{best:.5f}' if best >= 0 else '-'}"
        )
    return lines


def _notes(summary: ClaimSummary, out: Path) -> list[str]:
    name = summary.claim.id
    notes = [summary.problem] if summary.problem else []
    if summary.never_satisfied:
        notes.append(f"no example satisfied: {', '.join(summary.never_satisfied)}")
    if summary.tried and summary.never_reached:
        notes.append(f"never reached: {'; '.join(summary.never_reached)}")
    notes += [
        f"{plural(count, 'turn')} lost: {reason}"
        for reason, count in sorted(summary.tally.lost.items())
    ]
    notes += [
        f"{cell}, a fault of this project: theorems replay {_file(out, kept.digest)}"
        for cell, kept in sorted(summary.tally.tightest.items())
        if cell.startswith(FAULT)
    ]
    return [
        textwrap.fill(
            note,
            _WIDTH,
            initial_indent=f"{name:<6}",
            subsequent_indent=" " * 6,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for note in notes
    ]


def _sharpest(summaries: Sequence[ClaimSummary], out: Path) -> list[str]:
    lines = []
    for summary in summaries:
        kept = [item for item in summary.tally.tightest.values() if item.tightness >= 0]
        if kept:
            best = max(kept, key=lambda item: (item.tightness, item.digest))
            lines.append(f"{summary.claim.id:<6}theorems replay {_file(out, best.digest)}")
    return ["the sharpest instance of each claim:", *lines, ""] if lines else []


def _file(out: Path, digest: str) -> Path:
    return out / "instances" / f"{digest}.json"
