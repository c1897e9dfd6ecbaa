"""The report in a few lines of at most 80 columns."""

from __future__ import annotations

import textwrap
from pathlib import Path

from verification.report.comparison import Comparison
from verification.report.digits import ratio
from verification.report.document import Document
from verification.report.summary import ClaimSummary, headline, problems, summarize
from verification.report.text import brief
from verification.verdict import Verdict

_WIDTH = 79
_MAX_PROBLEMS = 20
_COLUMNS = (6, 43, 22, 7)


def render_terminal(document: Document, out: Path) -> str:
    """Return a table of the claims, what is wrong, and where the report lies."""
    lines = [_row("claim", "verdicts", "tightest", "mutants")]
    for summary in summarize(document):
        lines += _claim(summary)
    lines.append("")
    found = problems(document)
    for problem in found[:_MAX_PROBLEMS]:
        text = brief(f"{problem.subject} {problem.text}", 400)
        lines.append(textwrap.fill(text, _WIDTH, subsequent_indent="    "))
    if len(found) > _MAX_PROBLEMS:
        lines.append(f"... and {len(found) - _MAX_PROBLEMS} more")
    if found:
        lines.append("")
    lines += [textwrap.fill(headline(document), _WIDTH), f"report: {out / 'index.html'}"]
    return "\n".join(lines)


def render_comparison(comparison: Comparison) -> str:
    """Return what got worse and what changed, a line each, and a sentence on the whole."""
    lines: list[str] = []
    for title, changes, most in (
        ("regressions", comparison.regressions, _MAX_PROBLEMS),
        ("changes", comparison.others, _MAX_PROBLEMS // 2),
    ):
        if not changes:
            continue
        lines.append(f"{title}:")
        for change in changes[:most]:
            text = brief(f"{change.subject} {change.text}", 400)
            lines.append(textwrap.fill(text, _WIDTH, initial_indent="  ", subsequent_indent="    "))
        if len(changes) > most:
            lines.append(f"  ... and {len(changes) - most} more")
    return "\n".join([*lines, textwrap.fill(comparison.headline(), _WIDTH)])


def _claim(summary: ClaimSummary) -> list[str]:
    counts = summary.counts
    verdicts = ", ".join(f"{counts[name]} {name.lower()}" for name in Verdict if counts[name])
    wrapped = textwrap.wrap(verdicts or "no result", _COLUMNS[1] - 1)
    tightest = summary.tightest
    shown = "" if tightest is None else f"{ratio(tightest['tightness'])}"
    mutants = f"{summary.refuted_mutants}/{len(summary.mutants)}" if summary.mutants else ""
    where = "" if tightest is None else brief(str(tightest["instance"]), _COLUMNS[2] - 9)
    first = _row(brief(summary.id, _COLUMNS[0] - 1), wrapped[0], f"{shown} {where}", mutants)
    return [first, *(_row("", line, "", "") for line in wrapped[1:])]


def _row(*cells: str) -> str:
    return "".join(f"{cell:<{width}}" for cell, width in zip(cells, _COLUMNS, strict=True)).rstrip()
