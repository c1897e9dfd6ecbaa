"""The report as one JSON document, "report/1": made from a run, and read back strictly.

Every renderer works from the document and from nothing else, so that a report can be rendered
again from its ``report.json``, and so that what is shown is what is recorded.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from verification import strict_json
from verification.claim import AnyClaim, Dispute
from verification.decision import Result
from verification.report.figure_document import (
    MAX_FIGURES,
    figure_documents,
    read_figure_entry,
)
from verification.report.reading import (
    MAX_ITEMS,
    check_distinct,
    check_known,
    read_count,
    read_double,
    read_end_points,
    read_list,
    read_members,
    read_optional,
    read_plain_members,
    read_text,
    read_texts,
)
from verification.strict_json import Node
from verification.subject import Subject, digest
from verification.verdict import Enclosure, EvidenceKind, Relation, Verdict

SCHEMA = "report/1"

MAX_CLAIMS = 10_000
MAX_INSTANCES = 1_000_000
MAX_RESULTS = 10_000_000

_DIGITS = 30
_SECONDS_DECIMALS = 6

Document: TypeAlias = dict[str, Any]
"""A report: nothing but dicts, lists, texts, finite numbers, booleans and None."""


@dataclass(frozen=True, kw_only=True)
class MutantResult:
    """What became of one mutant on one instance.

    Parameters
    ----------
    claim, mutant : str
        Claim id and the mutant's name within it.
    error : str
        The error that the mutant makes, in words.
    result : Result
        REFUTED is the outcome that is hoped for.
    """

    claim: str
    mutant: str
    error: str
    result: Result


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything that one run has found, in the order in which it is to be shown.

    Parameters
    ----------
    created : str
        ISO 8601 date and time, UTC.
    environment : dict
        Run conditions, as JSON values.  Known keys: ``seed``; ``trusted``, a list of sentences;
        ``self_test``, a list of ``{"name", "passed", "fatal", "detail"}``.
    claims : tuple of Claim
        With distinct ids.
    instances : tuple of Subject
        With distinct names.
    results : tuple of Result
        At most one for a claim and an instance.
    mutants : tuple of MutantResult
    interrupted : str or None
        Why the run ended early, if it did.
    """

    created: str
    environment: dict[str, Any]
    claims: tuple[AnyClaim, ...]
    instances: tuple[Subject, ...]
    results: tuple[Result, ...]
    mutants: tuple[MutantResult, ...] = ()
    interrupted: str | None = None


def to_document(run: Run) -> Document:
    """Return the contract's document of a run; equal runs give equal documents.

    End points are decimal texts of at most 30 digits, rounded outward.

    Raises
    ------
    ValueError
        Where two claims, instances or results go by one name, which no reader could tell apart.
    """
    pairs = [(result.claim, result.instance) for result in run.results]
    for what, names in (
        ("claims", [claim.id for claim in run.claims]),
        ("instances", [subject.name for subject in run.instances]),
        ("results", pairs),
    ):
        repeated = [name for name, count in Counter(names).items() if count > 1]
        if repeated:
            raise ValueError(f"two {what} are named {repeated[0]!r}, expected distinct names")
    counts = Counter(result.verdict for result in run.results)
    return {
        "schema": SCHEMA,
        "created": run.created,
        "environment": run.environment,
        "interrupted": run.interrupted,
        "claims": [claim_document(claim) for claim in run.claims],
        "instances": [
            {
                "name": subject.name,
                "schema": subject.schema,
                "origin": subject.origin,
                "digest": digest(subject),
            }
            for subject in run.instances
        ],
        "results": [result_document(result) for result in run.results],
        "mutants": [_mutant(outcome) for outcome in run.mutants],
        "figures": figure_documents(run.claims, run.results),
        "summary": {str(verdict): counts[verdict] for verdict in Verdict},
    }


def claim_document(claim: AnyClaim) -> Document:
    """Return what the report records of a claim itself."""
    return {
        "id": claim.id,
        "title": claim.title,
        "source": claim.source,
        "uses": list(claim.uses),
        "statement": claim.statement,
        "theorem": claim.theorem,
        "kind": claim.kind,
        "formula": claim.formula,
        "relation": str(claim.relation),
        "assumptions": [assumption.text for assumption in claim.assumptions],
        "constants": [
            {
                "symbol": constant.symbol,
                "meaning": constant.meaning,
                "formula": constant.formula,
            }
            for constant in claim.constants
        ],
        "vacuities": [vacuity.reason for vacuity in claim.vacuities],
        "searched": list(claim.searched),
        "disputed": _dispute(claim.disputed),
        "proof": claim.proof,
        "establishes": claim.establishes,
        "sharp": list(claim.sharp),
        "mutants": [
            {
                "name": mutant.name,
                "error": mutant.error,
                "refuted_on": list(mutant.refuted_on),
            }
            for mutant in claim.mutants
        ],
    }


def _dispute(dispute: Dispute | None) -> Document | None:
    if dispute is None:
        return None
    return {
        "refuted_on": list(dispute.refuted_on),
        "corrected_by": dispute.corrected_by,
        "reading": dispute.reading,
    }


def result_document(result: Result) -> Document:
    """Return the contract's entry for one result."""
    evidence = result.evidence
    return {
        "claim": result.claim,
        "instance": result.instance,
        "verdict": str(result.verdict),
        "left": _end_points(result.left),
        "right": _end_points(result.right),
        "tightness": _tightness(result.tightness),
        "evidence": None if evidence is None else str(evidence.kind),
        "confidence": None if evidence is None else evidence.confidence,
        "precision_bits": None if evidence is None else evidence.precision_bits,
        "samples": None if evidence is None else evidence.samples,
        "seconds": round(result.seconds, _SECONDS_DECIMALS),
        "reason": result.reason,
        "case": result.case,
        "cases": dict(result.cases),
        "constants": {
            symbol: _end_points(enclosure) for symbol, enclosure in result.constants.items()
        },
    }


def _mutant(outcome: MutantResult) -> Document:
    return {
        "claim": outcome.claim,
        "mutant": outcome.mutant,
        "instance": outcome.result.instance,
        "verdict": str(outcome.result.verdict),
        "error": outcome.error,
        "reason": outcome.result.reason,
        "tightness": _tightness(outcome.result.tightness),
        "seconds": round(outcome.result.seconds, _SECONDS_DECIMALS),
    }


def _end_points(enclosure: Enclosure | None) -> dict[str, str] | None:
    return None if enclosure is None else enclosure.rounded(_DIGITS).to_json()


def _tightness(value: float | None) -> float | None:
    # A lower bound: where it overflows, the largest double is one too, and JSON has no infinity.
    return None if value is None else min(value, sys.float_info.max)


def read_report(path: Path) -> Document:
    """Read a ``report.json``, trusting nothing in it.

    Keys that the contract does not name may be missing and are filled in, so that reports of
    earlier versions can be read.

    Raises
    ------
    InvalidInstance
        With the path of the field, the value and what was expected.
    """
    return _read(strict_json.load(path))


def _read(node: Node) -> Document:
    node.member("schema").choice((SCHEMA,))
    top = node.fields(
        ("schema", "created", "environment", "claims", "results", "mutants", "summary"),
        ("instances", "interrupted", "figures"),
    )
    claims = read_list(top["claims"], _read_claim, MAX_CLAIMS, "claims")
    check_distinct(top["claims"], claims, "id")
    ids = {claim["id"] for claim in claims}
    results = read_list(top["results"], _read_result, MAX_RESULTS, "results")
    mutants = read_list(top["mutants"], _read_mutant, MAX_RESULTS, "mutants")
    if "instances" in top:
        instances = read_list(top["instances"], _read_instance, MAX_INSTANCES, "instances")
    else:
        kinds = {claim["id"]: claim["kind"] for claim in claims}
        named = {result["instance"]: kinds.get(result["claim"], "") for result in results}
        instances = [
            {"name": name, "schema": kind, "origin": None, "digest": None}
            for name, kind in named.items()
        ]
    if "instances" in top:
        check_distinct(top["instances"], instances, "name")
    names = {instance["name"] for instance in instances}
    for key, items in (("results", results), ("mutants", mutants)):
        for i, item in enumerate(items):
            check_known(top[key], i, "claim", item, ids)
    for i, item in enumerate(results):
        check_known(top["results"], i, "instance", item, names)
    check_distinct(top["results"], results, "claim", "instance")
    figures = []
    if "figures" in top:
        figures = read_list(top["figures"], read_figure_entry, MAX_FIGURES, "figures")
        for i, item in enumerate(figures):
            check_known(top["figures"], i, "claim", item, ids)
    return {
        "schema": SCHEMA,
        "created": _read_time(top["created"]),
        "environment": read_plain_members(top["environment"]),
        "interrupted": read_optional(top, "interrupted", read_text),
        "claims": claims,
        "instances": instances,
        "results": results,
        "mutants": mutants,
        "figures": figures,
        "summary": _read_summary(top["summary"], results),
    }


def _read_claim(node: Node) -> Document:
    members = node.fields(
        ("id", "title", "source", "uses", "statement"),
        (
            *("theorem", "kind", "formula", "relation", "assumptions", "constants"),
            *("vacuities", "searched", "disputed", "proof", "establishes", "sharp", "mutants"),
        ),
    )
    return {
        **{key: read_text(members[key]) for key in ("id", "title", "source")},
        "uses": read_texts(members["uses"]),
        "statement": read_text(members["statement"]),
        **{
            key: read_optional(members, key, read_text, "")
            for key in ("theorem", "kind", "formula")
        },
        "relation": read_optional(members, "relation", _read_relation, str(Relation.AT_MOST)),
        "assumptions": read_optional(members, "assumptions", read_texts, []),
        "constants": read_optional(members, "constants", _read_constants, []),
        "vacuities": read_optional(members, "vacuities", read_texts, []),
        "searched": read_optional(members, "searched", read_texts, []),
        "disputed": read_optional(members, "disputed", _read_dispute),
        **{key: read_optional(members, key, read_text, "") for key in ("proof", "establishes")},
        "sharp": read_optional(members, "sharp", read_texts, []),
        "mutants": read_optional(members, "mutants", _read_named_mutants, []),
    }


def _read_dispute(node: Node) -> Document:
    members = node.fields(("refuted_on", "corrected_by", "reading"))
    return {
        "refuted_on": read_texts(members["refuted_on"]),
        "corrected_by": read_text(members["corrected_by"]),
        "reading": read_text(members["reading"]),
    }


def _read_constants(node: Node) -> list[Document]:
    def constant(item: Node) -> Document:
        members = item.fields(("symbol", "meaning", "formula"))
        if not read_text(members["symbol"]).strip():
            members["symbol"].expected("a symbol")
        return {key: read_text(members[key]) for key in ("symbol", "meaning", "formula")}

    return read_list(node, constant, MAX_ITEMS, "constants")


def _read_named_mutants(node: Node) -> list[Document]:
    def mutant(item: Node) -> Document:
        members = item.fields(("name", "error", "refuted_on"))
        return {
            "name": read_text(members["name"]),
            "error": read_text(members["error"]),
            "refuted_on": read_texts(members["refuted_on"]),
        }

    return read_list(node, mutant, MAX_ITEMS, "mutants")


def _read_instance(node: Node) -> Document:
    members = node.fields(("name", "schema"), ("origin", "digest"))
    return {
        "name": read_text(members["name"]),
        "schema": read_text(members["schema"]),
        "origin": read_optional(members, "origin", read_text),
        "digest": read_optional(members, "digest", read_text),
    }


def _read_result(node: Node) -> Document:
    contract = (
        *("claim", "instance", "verdict", "left", "right", "tightness", "evidence", "confidence"),
        *("precision_bits", "samples", "seconds", "reason"),
    )
    members = node.fields(contract, ("case", "cases", "constants"))
    return {
        "claim": read_text(members["claim"]),
        "instance": read_text(members["instance"]),
        "verdict": _read_verdict(members["verdict"]),
        "left": read_optional(members, "left", read_end_points),
        "right": read_optional(members, "right", read_end_points),
        "tightness": read_optional(members, "tightness", read_double),
        "evidence": read_optional(members, "evidence", _read_evidence),
        "confidence": read_optional(members, "confidence", read_text),
        "precision_bits": read_optional(members, "precision_bits", read_count),
        "samples": read_optional(members, "samples", read_count),
        "seconds": read_double(members["seconds"]),
        "reason": read_text(members["reason"]),
        "case": read_optional(members, "case", read_text),
        "cases": read_optional(members, "cases", _read_cases, {}),
        "constants": read_optional(members, "constants", _read_values, {}),
    }


def _read_mutant(node: Node) -> Document:
    members = node.fields(
        ("claim", "mutant", "instance", "verdict"), ("error", "reason", "tightness", "seconds")
    )
    return {
        **{key: read_text(members[key]) for key in ("claim", "mutant", "instance")},
        "verdict": _read_verdict(members["verdict"]),
        "error": read_optional(members, "error", read_text, ""),
        "reason": read_optional(members, "reason", read_text, ""),
        "tightness": read_optional(members, "tightness", read_double),
        "seconds": read_optional(members, "seconds", read_double, 0.0),
    }


def _read_summary(node: Node, results: Sequence[Document]) -> dict[str, int]:
    members = node.fields(tuple(map(str, Verdict)))
    counts = Counter(result["verdict"] for result in results)
    for verdict in Verdict:
        claimed = read_count(members[verdict])
        if claimed != counts[verdict]:
            members[verdict].fail(f"is {claimed}, expected {counts[verdict]}, as the results say")
    return {str(verdict): counts[verdict] for verdict in Verdict}


def _read_verdict(node: Node) -> str:
    return node.choice(tuple(map(str, Verdict)))


def _read_relation(node: Node) -> str:
    return node.choice(tuple(map(str, Relation)))


def _read_evidence(node: Node) -> str:
    return node.choice(tuple(map(str, EvidenceKind)))


def _read_cases(node: Node) -> dict[str, int]:
    members = node.fields((), tuple(map(str, Verdict)))
    return {verdict: read_count(member) for verdict, member in members.items()}


def _read_values(node: Node) -> dict[str, dict[str, str]]:
    return {symbol: read_end_points(member) for symbol, member in read_members(node).items()}


def _read_time(node: Node) -> str:
    text = read_text(node)
    try:
        datetime.fromisoformat(text)
    except ValueError:
        node.expected("an ISO 8601 date and time")
    return text
