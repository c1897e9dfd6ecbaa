"""What a report says, before any format: per claim, per mutant, and in one sentence.

All functions take the document "report/1".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any

from verification.figure import DOES_NOT_APPLY
from verification.report.document import Document
from verification.report.text import plural, several
from verification.verdict import Verdict

GLYPHS: Mapping[str, str] = {
    Verdict.CERTIFIED: "✓",
    Verdict.SUPPORTED: "≈",
    Verdict.REFUTED: "✗",
    Verdict.UNDECIDED: "?",
    Verdict.VACUOUS: "○",
    Verdict.INAPPLICABLE: "–",
}
"""One shape for each verdict, so that no meaning hangs on a colour."""

MEANINGS: Mapping[str, str] = {
    Verdict.CERTIFIED: (
        "Proved on this instance: rigorous enclosures of both sides decide left ≤ right, or "
        "left = right, up to the relative slack 2⁻⁴⁰ without which no equality could be decided; "
        "where both sides are rational numbers, exactly."
    ),
    Verdict.SUPPORTED: (
        "One side is a mean or probability of which only random draws are known, and its "
        "confidence limits, valid at every number of draws and at the stated error level, decide "
        "left ≤ right. Not a proof. The reason says how large a violation would likely have been "
        "refuted."
    ),
    Verdict.REFUTED: (
        "The claim is false as stated here: the left side lies above the right side, or an "
        "identity fails, by enclosures or by confidence limits. For a mutant, a claim made false "
        "on purpose, this is the outcome that is hoped for, and for a disputed one, a published "
        "statement that this project refutes, the one that is expected."
    ),
    Verdict.UNDECIDED: (
        "The budget of precision or samples ended first. It speaks neither for nor against the "
        "claim."
    ),
    Verdict.VACUOUS: (
        "True here for a reason that tests nothing, such as a memory that is identically zero or "
        "a right side no smaller than what holds anyway."
    ),
    Verdict.INAPPLICABLE: (
        "An assumption of the claim certainly fails on this instance; the reason names it."
    ),
}
"""How each verdict is to be read."""

_TELLS_NOTHING = (Verdict.VACUOUS, Verdict.INAPPLICABLE)


class MutantStatus(StrEnum):
    """What became of a mutant over all instances on which it was tried."""

    REFUTED = "refuted"
    SURVIVED = "not refuted"
    UNFINISHED = "not tried on every instance meant for it"
    NOT_TRIED = "not tried"


@dataclass(frozen=True, kw_only=True)
class MutantSummary:
    """One mutant of one claim; `outcomes` are the document's entries for it."""

    claim: str
    name: str
    error: str
    refuted_on: tuple[str, ...]
    outcomes: tuple[Document, ...]

    @property
    def status(self) -> MutantStatus:
        """Refuted anywhere is refuted; only a mutant tried wherever it was meant to be survives."""
        if any(outcome["verdict"] == Verdict.REFUTED for outcome in self.outcomes):
            return MutantStatus.REFUTED
        if not self.outcomes:
            return MutantStatus.NOT_TRIED
        tried = {outcome["instance"] for outcome in self.outcomes}
        if tried.issuperset(self.refuted_on):
            return MutantStatus.SURVIVED
        return MutantStatus.UNFINISHED


@dataclass(frozen=True, kw_only=True)
class ClaimSummary:
    """One claim with everything that the report records of it.

    Parameters
    ----------
    claim : dict
        The document's entry.
    results : dict of str to dict
        The document's results by instance name, in the order of the instances.
    missing : tuple of str
        Instances that the claim is about and that have no result.
    mutants : tuple of MutantSummary
    used_by : tuple of str
        Claims of this report whose proofs use it.
    """

    claim: Document
    results: Mapping[str, Document]
    missing: tuple[str, ...]
    mutants: tuple[MutantSummary, ...]
    used_by: tuple[str, ...]

    @property
    def id(self) -> str:
        """The claim's identifier."""
        return str(self.claim["id"])

    @property
    def counts(self) -> Mapping[str, int]:
        """Number of results for each of the six verdicts."""
        counts = Counter(result["verdict"] for result in self.results.values())
        return {str(verdict): counts[verdict] for verdict in Verdict}

    @property
    def disputed(self) -> Document | None:
        """What the claim says of its being disputed; None for a claim that is held to be true."""
        return self.claim["disputed"] or None

    @property
    def faults(self) -> Mapping[str, Document]:
        """The results that must not be: REFUTED, or of a disputed claim not so where it must."""
        disputed = self.disputed
        return {
            name: result
            for name, result in self.results.items()
            if (
                result["verdict"] == Verdict.REFUTED
                if disputed is None
                else name in disputed["refuted_on"] and result["verdict"] != Verdict.REFUTED
            )
        }

    @property
    def told(self) -> list[Document]:
        """The results that test the claim and tell left / right."""
        return [
            result
            for result in self.results.values()
            if result["tightness"] is not None and result["verdict"] not in _TELLS_NOTHING
        ]

    @property
    def tightest(self) -> Document | None:
        """The result with the largest left / right, of those that test the claim."""
        return max(self.told, key=lambda result: float(result["tightness"]), default=None)

    @property
    def refuted_mutants(self) -> int:
        """Number of mutants that were refuted."""
        return sum(mutant.status is MutantStatus.REFUTED for mutant in self.mutants)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that a reader must see first.

    Parameters
    ----------
    verdict : str
        The verdict whose glyph it is shown with.
    subject : str
        What it is about, such as ``M1 on coin``.
    text : str
        What is wrong, in a sentence.
    claim, instance : str or None
        Where to read on.
    """

    verdict: str
    subject: str
    text: str
    claim: str | None = None
    instance: str | None = None


def summarize(document: Document) -> tuple[ClaimSummary, ...]:
    """Return a summary of each claim, in the report's order."""
    results: dict[str, dict[str, Document]] = {}
    for result in document["results"]:
        results.setdefault(result["claim"], {})[result["instance"]] = result
    outcomes: dict[str, list[Document]] = {}
    for outcome in document["mutants"]:
        outcomes.setdefault(outcome["claim"], []).append(outcome)
    summaries = []
    for claim in document["claims"]:
        own = results.get(claim["id"], {})
        about = [
            instance["name"]
            for instance in document["instances"]
            if instance["schema"] == claim["kind"] or instance["name"] in own
        ]
        summaries.append(
            ClaimSummary(
                claim=claim,
                results={name: own[name] for name in about if name in own},
                missing=tuple(name for name in about if name not in own),
                mutants=_mutants(claim, outcomes.get(claim["id"], [])),
                used_by=tuple(
                    other["id"] for other in document["claims"] if claim["id"] in other["uses"]
                ),
            )
        )
    return tuple(summaries)


def _mutants(claim: Document, outcomes: list[Document]) -> tuple[MutantSummary, ...]:
    listed = {mutant["name"]: mutant for mutant in claim["mutants"]}
    for outcome in outcomes:
        listed.setdefault(
            outcome["mutant"],
            {"name": outcome["mutant"], "error": outcome["error"], "refuted_on": ()},
        )
    return tuple(
        MutantSummary(
            claim=claim["id"],
            name=name,
            error=mutant["error"],
            refuted_on=tuple(mutant["refuted_on"]),
            outcomes=tuple(outcome for outcome in outcomes if outcome["mutant"] == name),
        )
        for name, mutant in listed.items()
    )


def headline(document: Document) -> str:
    """Return one sentence in plain words: how much was decided, and whether all is well."""
    summaries = summarize(document)
    total = len(document["results"])
    words = [
        f"{plural(len(summaries), 'claim')} on {plural(len(document['instances']), 'instance')}: "
    ]
    if total == 0:
        words.append("nothing was decided")
    else:
        counts = document["summary"]
        words.append(f"{counts[Verdict.CERTIFIED]} of {plural(total, 'result')} certified")
        if counts[Verdict.SUPPORTED]:
            words.append(f", {counts[Verdict.SUPPORTED]} supported by simulation")
        words.append(f", {_refuted(summaries)}")
        if counts[Verdict.UNDECIDED]:
            words.append(f", {counts[Verdict.UNDECIDED]} undecided")
    sentence = "".join(words) + f"; {_mutants_in_words(summaries)}."
    if document["interrupted"] is not None:
        sentence += f" The run ended early{_missing(summaries)}."
    return sentence


def _missing(summaries: Iterable[ClaimSummary]) -> str:
    count = sum(len(summary.missing) for summary in summaries)
    return f"; {plural(count, 'result')} missing" if count else ""


def _refuted(summaries: Iterable[ClaimSummary]) -> str:
    claims, expected, unexpected = [], [], []
    for summary in summaries:
        count = summary.counts[Verdict.REFUTED]
        if summary.disputed is None:
            claims += [summary.id] * count
        else:
            expected += [summary.id] * count
            unexpected += [summary.id] * len(summary.faults)
    words = f"{len(claims)} REFUTED ({several(claims)})" if claims else "nothing refuted"
    if expected:
        words += f" but what is disputed ({several(expected)})" if not claims else ""
        words += f", {len(expected)} disputed and refuted ({several(expected)})" if claims else ""
    if unexpected:
        words += f", {len(unexpected)} disputed and NOT REFUTED ({several(unexpected)})"
    return words


def _mutants_in_words(summaries: Iterable[ClaimSummary]) -> str:
    counts = Counter(mutant.status for summary in summaries for mutant in summary.mutants)
    total = counts.total()
    if not total:
        return "there are no mutants"
    if counts[MutantStatus.REFUTED] == total:
        return f"every mutant refuted ({total} of {total})"
    if counts[MutantStatus.NOT_TRIED] == total:
        return (
            "the only mutant was not tried" if total == 1 else f"the {total} mutants were not tried"
        )
    words = f"{counts[MutantStatus.REFUTED]} of {plural(total, 'mutant')} refuted"
    if counts[MutantStatus.SURVIVED]:
        words += f", {counts[MutantStatus.SURVIVED]} NOT REFUTED"
    if counts[MutantStatus.UNFINISHED]:
        words += f", {counts[MutantStatus.UNFINISHED]} not tried on every instance meant for it"
    if counts[MutantStatus.NOT_TRIED]:
        words += f", {counts[MutantStatus.NOT_TRIED]} not tried"
    return words


def problems(document: Document) -> tuple[Problem, ...]:
    """Return what needs attention, the gravest first.

    The order: a failed self-test, refuted claims (or disputed ones that are not), mutants that
    survive, an interruption, undecided results, figures that are missing.
    """
    summaries = summarize(document)
    found = [
        Problem(
            verdict=Verdict.REFUTED,
            subject=f"self-test “{check['name']}”",
            text=f"failed: {check['detail']}",
        )
        for check in self_test(document)
        if check["fatal"] and not check["passed"]
    ]
    found += [
        Problem(
            verdict=result["verdict"],
            subject=f"{summary.id} on {name}",
            text=(
                f"refuted: {result['reason']}"
                if summary.disputed is None
                else f"is disputed, but {result['verdict']}, expected REFUTED: {result['reason']}"
            ),
            claim=summary.id,
            instance=name,
        )
        for summary in summaries
        for name, result in summary.faults.items()
    ]
    found += [
        Problem(
            verdict=Verdict.REFUTED,
            subject=f"mutant {mutant.name} of {mutant.claim}",
            text=f"is refuted nowhere, so the claim may test nothing ({mutant.error})",
            claim=mutant.claim,
        )
        for summary in summaries
        for mutant in summary.mutants
        if mutant.status is MutantStatus.SURVIVED
    ]
    if document["interrupted"] is not None:
        found.append(
            Problem(
                verdict=Verdict.UNDECIDED,
                subject="the run",
                text=f"ended early ({document['interrupted']}){_missing(summaries)}",
            )
        )
    return (*found, *_results_with(summaries, Verdict.UNDECIDED), *_missing_figures(document))


def _results_with(summaries: Iterable[ClaimSummary], verdict: Verdict) -> list[Problem]:
    return [
        Problem(
            verdict=verdict,
            subject=f"{summary.id} on {name}",
            text=f"{verdict.lower()}: {result['reason']}",
            claim=summary.id,
            instance=name,
        )
        for summary in summaries
        for name, result in summary.results.items()
        if result["verdict"] == verdict
    ]


def _missing_figures(document: Document) -> list[Problem]:
    return [
        Problem(
            verdict=Verdict.UNDECIDED,
            subject=f"figure {entry['drawing']} of {entry['claim']}",
            text=f"is missing on {gap['instance']}: {gap['reason']}",
            claim=entry["claim"],
        )
        for entry in document["figures"]
        for gap in entry["missing"]
        if gap["reason"] != DOES_NOT_APPLY
    ]


def self_test(document: Document) -> list[dict[str, Any]]:
    """Return the arithmetic's start-up checks with every key; what is no check is left out."""
    checks = document["environment"].get("self_test")
    if not isinstance(checks, list):
        return []
    return [
        {
            "name": str(check.get("name", "")),
            "passed": check.get("passed") is True,
            "fatal": check.get("fatal", True) is True,
            "detail": str(check.get("detail", "")),
        }
        for check in checks
        if isinstance(check, dict)
    ]


def by_theorem(summaries: Iterable[ClaimSummary]) -> list[tuple[str, list[ClaimSummary]]]:
    """Return the summaries in groups of one theorem each, with the theorem's name in words."""
    return [
        (theorem.replace("_", " ").capitalize() or "Claims", list(group))
        for theorem, group in groupby(summaries, key=lambda summary: str(summary.claim["theorem"]))
    ]
