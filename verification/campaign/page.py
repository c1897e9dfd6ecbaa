"""A campaign as one page: counterexamples first, then what was tried, how tightly, and where not.

It is rendered from what the folder's journals say, at any time and again; several campaigns that
share a folder have one page.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from verification.campaign.history import figures
from verification.campaign.journal import read_folder, read_instance_file
from verification.campaign.record import Counterexample, Kept, Record, Start
from verification.campaign.regimes import all_cells
from verification.campaign.summary import ClaimSummary, summarize
from verification.campaign.turns import FAULT
from verification.claim import AnyClaim
from verification.errors import InvalidInstance
from verification.instance import Json
from verification.report.document import claim_document
from verification.report.files import write_atomically
from verification.report.page import in_words, page
from verification.report.text import Anchors, plural, several
from verification.verdict import Verdict

PAGE = "index.html"
LEAST_SECONDS = 60.0
"""While a campaign is under way its page is not renewed more often."""

_SHARE = 0.01
_MOST_SHOWN = 20
_LONGEST_INSTANCE = 6_000
_SOME, _MANY = 10, 100


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """Cells of one axis, and for each the number of examples of every claim."""

    cells: tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, kw_only=True)
class _Coverage:
    """The claims about one kind of instances, in groups by theorem, and the cells of its axes."""

    schema: str
    groups: tuple[tuple[str, tuple[ClaimSummary, ...]], ...]
    axes: tuple[_Axis, ...]


def write_page(
    claims: Sequence[AnyClaim], out: Path, conditions: Mapping[str, Json], *, made: str
) -> None:
    """Write a folder's page, from what is in the folder now.

    Raises
    ------
    InvalidInstance
        Where the folder's state is corrupt.
    OSError
        Where the page cannot be written; a former one stays whole.
    """
    record = read_folder(out)
    texts = {found.digest: _instance_text(out, found.digest) for found in record.distinct()}
    text = render_page(claims, record, out, conditions=conditions, texts=texts, made=made)
    write_atomically(out / PAGE, text.encode())


def renewed_page(
    claims: Sequence[AnyClaim],
    out: Path,
    conditions: Mapping[str, Json],
    *,
    then: Callable[[Record], None],
) -> Callable[[Record], None]:
    """Return what renews the page now and then: at most a hundredth of the time goes into it.

    What prevents it now may not prevent it later, and never ends a campaign.
    """
    due = time.monotonic() + LEAST_SECONDS

    def renew(record: Record) -> None:
        nonlocal due
        then(record)
        began = time.monotonic()
        if began < due:
            return
        with suppress(InvalidInstance, OSError):
            write_page(claims, out, conditions, made=_now())
        ended = time.monotonic()
        due = ended + max(LEAST_SECONDS, (ended - began) / _SHARE)

    return renew


def render_page(
    claims: Sequence[AnyClaim],
    record: Record,
    out: Path,
    *,
    conditions: Mapping[str, Json],
    texts: Mapping[str, str],
    made: str,
) -> str:
    """Return the page.

    Parameters
    ----------
    claims : sequence of Claim
        All that are known; those are shown that a start was to try, or that were tried.
    record : Record
    out : Path
        The folder, as replay lines name it.
    conditions : mapping
        Of the machine that renders the page.
    texts : mapping
        From the digest of a counterexample to its replay file, where that is short enough to show.
    made : str
        When, in ISO 8601.
    """
    asked = {name for start in record.starts for name in start.claims}
    asked |= {name for name, tally in record.tallies.items() if tally.turns}
    asked |= {found.claim for found in record.counterexamples.values()}
    shown = [claim for claim in claims if claim.id in asked]
    summaries = summarize(shown, record)
    ids = {claim.id for claim in shown}
    anchors = Anchors()
    for claim in shown:
        anchors("claim", claim.id)
    disputed = {claim.id for claim in shown if claim.disputed is not None}
    found = sorted(record.distinct(), key=lambda item: item.claim in disputed)
    return page(
        "verification.campaign/campaign.html.jinja",
        outcome=_outcome(summaries, found),
        lead=_lead(summaries, record, found),
        made=made,
        made_in_words=in_words(made),
        found=found,
        texts=texts,
        disputed=disputed,
        attention=[(summary, notes) for summary in summaries if (notes := _notes(summary, out))],
        unknown=sorted(asked - ids)[:_MOST_SHOWN],
        summaries=summaries,
        by_theorem=_by_theorem(summaries),
        documents={claim.id: claim_document(claim) for claim in shown},
        figures=figures(summaries, record.starts),
        coverage=_coverage(summaries),
        number_of_cells=lambda summary: len(all_cells(summary.claim.kind)),
        sharpest=sharpest,
        level=_level,
        known_verdicts=frozenset(map(str, Verdict)),
        starts=[_start(start) for start in record.starts[-_MOST_SHOWN:]],
        further_starts=max(len(record.starts) - _MOST_SHOWN, 0),
        conditions={key.replace("_", " "): value for key, value in conditions.items()},
        again=lambda digest: again(out, digest),
        link=lambda digest: f"instances/{digest}.json",
        moment=_moment,
        anchors=anchors,
        claim_address=lambda name: f"#{anchors('claim', name)}" if name in ids else None,
        elsewhere="not in this campaign",
        instance_address=lambda _name: None,
    )


def again(out: Path, digest: str) -> str:
    """Return the command that decides an instance of the folder again."""
    return shlex.join(["theorems", "replay", str(out / "instances" / f"{digest}.json")])


def sharpest(summary: ClaimSummary) -> list[tuple[Kept, list[str]]]:
    """Return the instances kept, the tightest first, each with the cells where it is that."""
    cells: dict[str, list[str]] = {}
    kept: dict[str, Kept] = {}
    for cell, item in sorted(summary.tally.tightest.items()):
        if item.tightness >= 0 and not cell.startswith(FAULT):
            cells.setdefault(item.digest, []).append(cell)
            kept[item.digest] = item
    order = sorted(kept.values(), key=lambda item: (-item.tightness, item.digest))
    return [(item, cells[item.digest]) for item in order]


def _instance_text(out: Path, digest: str) -> str:
    """Return a replay file as it is; nothing where it is long, or gone meanwhile."""
    with suppress(FileNotFoundError):
        text = read_instance_file(out, digest).decode(errors="replace")
        if len(text) <= _LONGEST_INSTANCE:
            return text
    return ""


def _outcome(summaries: Sequence[ClaimSummary], found: Sequence[Counterexample]) -> str:
    disputed = {summary.claim.id for summary in summaries if summary.claim.disputed is not None}
    refuted = [item.claim for item in found if item.claim not in disputed]
    if refuted:
        return f"Refuted: {several(refuted)}"
    untried = [summary.claim.id for summary in summaries if summary.failed]
    words = "Nothing is refuted" + (" but what is disputed" if found else "")
    if untried:
        return f"{words}; never tried in earnest: {several(untried)}"
    return words if any(summary.tried for summary in summaries) else "Nothing was tried"


def _lead(
    summaries: Sequence[ClaimSummary], record: Record, found: Sequence[Counterexample]
) -> str:
    examples = sum(summary.tally.examples for summary in summaries)
    seconds = sum(summary.tally.seconds for summary in summaries)
    tried = sum(bool(summary.tried) for summary in summaries)
    rate = f", {examples / seconds:.1f} a second" if seconds else ""
    return (
        f"{plural(examples, 'example')} in {_duration(seconds)} of search{rate}; "
        f"{tried} of {plural(len(summaries), 'claim')} tried in earnest; "
        f"{plural(len(found), 'counterexample')}; {plural(len(record.starts), 'start')}."
    )


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _notes(summary: ClaimSummary, out: Path) -> list[tuple[str, str]]:
    """Return what needs attention, each with a command that shows it, if there is one."""
    notes = [(summary.problem, "")] if summary.problem else []
    if summary.never_satisfied:
        notes.append((f"no example satisfied: {', '.join(summary.never_satisfied)}", ""))
    notes += [
        (f"{plural(count, 'turn')} lost: {reason}", "")
        for reason, count in sorted(summary.tally.lost.items())
    ]
    notes += [
        (f"{cell}, a fault of this project", again(out, kept.digest))
        for cell, kept in sorted(summary.tally.tightest.items())
        if cell.startswith(FAULT)
    ]
    return notes


def _by_theorem(
    summaries: Sequence[ClaimSummary],
) -> tuple[tuple[str, tuple[ClaimSummary, ...]], ...]:
    return tuple(
        (theorem.replace("_", " ").capitalize() or "Claims", tuple(group))
        for theorem, group in groupby(summaries, key=lambda summary: summary.claim.theorem)
    )


def _coverage(summaries: Sequence[ClaimSummary]) -> list[_Coverage]:
    kinds = []
    for schema in dict.fromkeys(summary.claim.kind for summary in summaries):
        own = [summary for summary in summaries if summary.claim.kind == schema]
        axes = [
            _Axis(
                cells=tuple(
                    (cell, tuple(summary.tally.cells[cell] for summary in own)) for cell in group
                )
            )
            for _, group in groupby(all_cells(schema), key=lambda cell: cell.partition(":")[0])
        ]
        if axes:
            kinds.append(_Coverage(schema=schema, groups=_by_theorem(own), axes=tuple(axes)))
    return kinds


def _level(count: int) -> str:
    """Return the class of a cell of the coverage."""
    if count == 0:
        return "unreached"
    return "few" if count < _SOME else "some" if count < _MANY else "many"


def _start(start: Start) -> dict[str, Any]:
    return {
        "begin": _moment(start.begin),
        "lasted": _duration(start.until - start.begin),
        "seed": start.seed,
        "revision": start.revision,
        "claims": len(start.claims) or "not noted",
    }


def _moment(time: float | str) -> str:
    """Return a moment, in seconds since 1970 or in ISO 8601, in words."""
    try:
        text = time if isinstance(time, str) else datetime.fromtimestamp(time, UTC).isoformat()
        return in_words(text)
    except (ValueError, OverflowError):
        return str(time)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
