"""The report as one page: no script, no network, nothing outside the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from verification.report import margins
from verification.report.digits import short
from verification.report.document import Document
from verification.report.evidence import EVIDENCE
from verification.report.graph import NODE_HEIGHT, NODE_WIDTH, uses_graph
from verification.report.page import in_words, page
from verification.report.plot import plot
from verification.report.summary import (
    GLYPHS,
    MEANINGS,
    ClaimSummary,
    MutantStatus,
    by_theorem,
    headline,
    problems,
    self_test,
    summarize,
)
from verification.report.text import Anchors, several
from verification.verdict import EvidenceKind, Verdict

MAX_PROBLEMS = 50

_WORST_FIRST = (
    Verdict.REFUTED,
    Verdict.UNDECIDED,
    Verdict.SUPPORTED,
    Verdict.CERTIFIED,
    Verdict.VACUOUS,
    Verdict.INAPPLICABLE,
)
_SHOWN_APART = ("self_test", "trusted")


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """The claims about one kind of instance, and those instances: one verdict matrix."""

    schema: str
    instances: tuple[Document, ...]
    theorems: tuple[tuple[str, list[ClaimSummary]], ...]

    @property
    def claims(self) -> list[ClaimSummary]:
        return [summary for _, group in self.theorems for summary in group]


def render_html(document: Document) -> str:
    """Return the page; the same document gives the same page."""
    summaries = summarize(document)
    found = problems(document)
    anchors = Anchors()
    for summary in summaries:
        anchors("claim", summary.id)
    claim_ids = {summary.id for summary in summaries}
    instance_names = {instance["name"] for instance in document["instances"]}
    return page(
        "index.html.jinja",
        document=document,
        summaries=summaries,
        theorems=by_theorem(summaries),
        kinds=_kinds(document, summaries),
        headline=headline(document),
        outcome=outcome(document),
        problems=found[:MAX_PROBLEMS],
        further_problems=len(found[MAX_PROBLEMS:]),
        figures=_figures(document),
        margins=margins,
        graph=uses_graph({summary.id: summary.claim["uses"] for summary in summaries}),
        looks={summary.id: _look(summary) for summary in summaries},
        node_width=NODE_WIDTH,
        node_height=NODE_HEIGHT,
        checks=self_test(document),
        trusted=_trusted(document),
        conditions=_conditions(document),
        created=in_words(document["created"]),
        anchors=anchors,
        claim_address=lambda name: f"#{anchors('claim', name)}" if name in claim_ids else None,
        elsewhere="not in this run",
        instance_address=lambda name: f"#{anchors('i', name)}" if name in instance_names else None,
        glyphs=GLYPHS,
        meanings=MEANINGS,
        spread=_spread,
        statuses=MutantStatus,
        evidence=_evidence,
    )


def _look(summary: ClaimSummary) -> tuple[str, str]:
    """Return a claim's shape in the graph, and the worst of its verdicts (or nothing)."""
    found = summary.counts
    verdict = next((str(name) for name in _WORST_FIRST if found[name]), "")
    if summary.disputed is not None:
        return "disputed", verdict
    simulated = any(
        result["evidence"] == EvidenceKind.SIMULATION for result in summary.results.values()
    )
    return ("simulated" if simulated else "enclosed"), verdict


def _figures(document: Document) -> dict[str, list[Document]]:
    """Return each claim's figures, laid out."""
    figures: dict[str, list[Document]] = {}
    for entry in document["figures"]:
        laid_out = None if entry["figure"] is None else plot(entry["figure"])
        figures.setdefault(entry["claim"], []).append({**entry, "plot": laid_out})
    return figures


def outcome(document: Document) -> str:
    """Return the page's heading: the outcome in a few words."""
    if any(check["fatal"] and not check["passed"] for check in self_test(document)):
        return "The self-test failed"
    summaries = summarize(document)
    refuted = [summary.id for summary in summaries if summary.faults and summary.disputed is None]
    if refuted:
        return f"Refuted: {several(refuted)}"
    standing = [summary.id for summary in summaries if summary.faults]
    if standing:
        return f"Disputed, but not refuted: {several(standing)}"
    survived = sum(
        mutant.status is MutantStatus.SURVIVED
        for summary in summaries
        for mutant in summary.mutants
    )
    if survived:
        return f"{survived} mutant{'s are' if survived > 1 else ' is'} not refuted"
    if not document["results"]:
        return "Nothing was decided"
    disputed = any(summary.counts[Verdict.REFUTED] for summary in summaries)
    words = "Nothing is refuted" + (" but what is disputed" if disputed else "")
    return words + (" so far" if document["interrupted"] is not None else "")


def _kinds(document: Document, summaries: Sequence[ClaimSummary]) -> list[_Kind]:
    kinds = []
    for schema in dict.fromkeys(summary.claim["kind"] for summary in summaries):
        about = [summary for summary in summaries if summary.claim["kind"] == schema]
        decided = {name for summary in about for name in summary.results}
        kinds.append(
            _Kind(
                schema=schema,
                instances=tuple(
                    instance
                    for instance in document["instances"]
                    if instance["schema"] == schema or instance["name"] in decided
                ),
                theorems=tuple(by_theorem(about)),
            )
        )
    return kinds


def _spread(constant: str, results: Mapping[str, Document]) -> str:
    """Return a constant's value, or its range over the instances, in words."""
    values = [
        result["constants"][constant]
        for result in results.values()
        if result["constants"].get(constant) is not None
    ]
    if not values:
        return "no value"
    texts = {short(value) for value in values}
    if len(texts) == 1:
        return texts.pop()
    least = min(values, key=lambda value: Decimal(value["lower"]))
    most = max(values, key=lambda value: Decimal(value["upper"]))
    return f"from {short(least)} to {short(most)}"


def _evidence(result: Document) -> str:
    """Return in words what a result rests on."""
    if result["evidence"] is None:
        return "no number was needed"
    words = [EVIDENCE[EvidenceKind(result["evidence"])]]
    if result["precision_bits"] is not None:
        words.append(f"at most {result['precision_bits']} bits")
    if result["samples"] is not None:
        words.append(f"{result['samples']} samples")
    if result["confidence"] is not None:
        words.append(f"error level {result['confidence']}")
    return ", ".join(words)


def _trusted(document: Document) -> list[str]:
    trusted = document["environment"].get("trusted")
    return [str(sentence) for sentence in trusted] if isinstance(trusted, list) else []


def _conditions(document: Document) -> dict[str, Any]:
    return {
        key.replace("_", " "): value
        for key, value in document["environment"].items()
        if key not in _SHOWN_APART
    }
