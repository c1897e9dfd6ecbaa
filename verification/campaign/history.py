"""Tightness found over time: from the moments at which it rose to figures."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from verification.campaign.record import Start
from verification.campaign.summary import ClaimSummary
from verification.figure import Axis, Figure, Guarantee, Kind, Scale, Series
from verification.report.figure_document import figure_document
from verification.report.plot import plot
from verification.verdict import EvidenceKind

LARGEST_DRAWN = 2.0
"""A false claim's ratio can have any size; the others are to be seen beside it."""
MOST_CURVES = 6
_EARLIEST = 0.1


def searched_before(starts: Sequence[Start], moment: float) -> float:
    """Return for how many seconds at least one process had searched at a moment.

    Parameters
    ----------
    starts : sequence of Start
        In the order of their beginnings.
    moment : float
        In seconds since 1970.
    """
    total, covered = 0.0, 0.0
    for start in starts:
        begin = max(start.begin, covered)
        until = min(start.until, moment)
        total += max(until - begin, 0.0)
        covered = max(covered, until)
    return total


def figures(summaries: Sequence[ClaimSummary], starts: Sequence[Start]) -> list[dict[str, Any]]:
    """Return figures for the page, of a few claims of one theorem each, laid out."""
    entries = []
    for theorem, group in groupby(summaries, key=lambda summary: summary.claim.theorem):
        told = [summary for summary in group if summary.tally.history]
        for k in range(0, len(told), MOST_CURVES):
            part = told[k : k + MOST_CURVES]
            figure = _figure(part, starts)
            entries.append(
                {
                    "claim": part[0].claim.id,
                    "drawing": f"tightness-{theorem}-{k}",
                    "instances": [],
                    "missing": [],
                    "plot": plot(figure_document(figure)),
                }
            )
    return entries


def _figure(summaries: Sequence[ClaimSummary], starts: Sequence[Start]) -> Figure:
    theorem = summaries[0].claim.theorem.replace("_", " ").capitalize() or "Claims"
    above = any(
        moment.tightness > LARGEST_DRAWN
        for summary in summaries
        for moment in summary.tally.history
    )
    return Figure(
        title=f"{theorem[:80]}: the tightest found so far",
        description=(
            "Lower bounds of left / right of the tightest instance at each time; 1 is an equality."
            + (
                f" What lies above {LARGEST_DRAWN:g} is given as {LARGEST_DRAWN:g}."
                if above
                else ""
            )
        ),
        x=Axis(label="seconds of search, pauses left out", scale=Scale.LOG),
        y=Axis(label="left / right"),
        series=tuple(_series(summary, starts) for summary in summaries),
    )


def _series(summary: ClaimSummary, starts: Sequence[Start]) -> Series:
    tally = summary.tally
    points: dict[float, float] = {}
    last = tally.history[-1].tightness
    for time, tightness in (
        *((moment.time, moment.tightness) for moment in tally.history),
        (max(start.until for start in starts) if starts else tally.time, last),
    ):
        # Of what was found within one tenth of a second the last is the tightest.
        x = max(round(searched_before(starts, time), 1), _EARLIEST)
        points[x] = min(tightness, LARGEST_DRAWN)
    simulated = summary.claim.evidence is EvidenceKind.SIMULATION
    return Series.of(
        summary.claim.id[:100],
        points.items(),
        guarantee=Guarantee.CONFIDENCE if simulated else Guarantee.LOWER,
        kind=Kind.STEPS,
    )
