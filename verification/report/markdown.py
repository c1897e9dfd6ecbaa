"""The report for a pull request: one table, what is wrong before it."""

from __future__ import annotations

import re

from verification.report.digits import ratio
from verification.report.document import Document
from verification.report.summary import (
    GLYPHS,
    ClaimSummary,
    MutantStatus,
    headline,
    problems,
    summarize,
)
from verification.report.text import brief
from verification.verdict import Verdict

MAX_PROBLEMS = 20

_SPECIAL = re.compile(r"([\\`*_\[\]#|~$])")


def render_markdown(document: Document) -> str:
    """Return the summary in GitHub's Markdown."""
    lines = ["## Verification report", "", f"**{_escape(headline(document), 1_000)}**", ""]
    found = problems(document)
    for problem in found[:MAX_PROBLEMS]:
        subject, text = _escape(problem.subject), _escape(problem.text, 400)
        lines.append(f"- {GLYPHS[problem.verdict]} **{subject}** {text}")
    if len(found) > MAX_PROBLEMS:
        lines.append(f"- … and {len(found) - MAX_PROBLEMS} more")
    if found:
        lines.append("")
    summaries = summarize(document)
    if summaries:
        verdicts = [f"{GLYPHS[verdict]} {verdict.lower()}" for verdict in Verdict]
        heads = ["Claim", *verdicts, "Tightness", "Mutants refuted"]
        lines += [_row(heads), _row([":---", *["---:"] * (len(heads) - 1)])]
        lines += [_row(_cells(summary)) for summary in summaries]
        lines += ["", "Tightness is the largest left side / right side seen, rounded down.", ""]
    lines += [_conditions(document), ""]
    return "\n".join(lines)


def _cells(summary: ClaimSummary) -> list[str]:
    counts = summary.counts
    cells = [f"**{_escape(summary.id)}** {_escape(summary.claim['title'])}"]
    for verdict in Verdict:
        count = counts[verdict]
        loud = count and verdict is Verdict.REFUTED and summary.disputed is None
        cells.append(f"**{count}**" if loud else str(count))
    tightest = summary.tightest
    if tightest is None:
        cells.append("")
    else:
        cells.append(f"{ratio(tightest['tightness'])} on {_escape(tightest['instance'])}")
    survived = any(mutant.status is MutantStatus.SURVIVED for mutant in summary.mutants)
    of = f"{summary.refuted_mutants}/{len(summary.mutants)}"
    cells.append(f"**{of}**" if survived else of)
    return cells


def _conditions(document: Document) -> str:
    words = [f"Run of {_escape(document['created'])}"]
    words += [
        f"{_escape(key.replace('_', ' '))} {_escape(str(value))}"
        for key, value in document["environment"].items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    ]
    return " · ".join(words)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escape(text: str, most: int = 120) -> str:
    """Return text that Markdown shows as it is: no markup, no HTML, no table cell, no mention."""
    line = _SPECIAL.sub(r"\\\1", brief(text, most))
    for sign, reference in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("@", "&#64;")):
        line = line.replace(sign, reference)
    return line
