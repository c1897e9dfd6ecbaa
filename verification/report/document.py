"""The report as one JSON document, "report/1": made from a run, and read back strictly.

Every renderer works from the document and from nothing else, so that a report can be rendered
again from its ``report.json``, and so that what is shown is what is recorded.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from verification import strict_json
from verification.claim import AnyClaim, Dispute
from verification.decision import Result
from verification.strict_json import Node, NumberText
from verification.subject import Subject, digest
from verification.verdict import Enclosure, EvidenceKind, Relation, Verdict

SCHEMA = "report/1"

MAX_CLAIMS = 10_000
MAX_INSTANCES = 1_000_000
MAX_RESULTS = 10_000_000
MAX_ITEMS = 100_000
MAX_TEXT = 100_000
MAX_DEPTH = 16

_DIGITS = 30
_SECONDS_DECIMALS = 6
_MAX_END_POINT = 100
_MAX_EXPONENT = 10**9

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
        ("instances", "interrupted"),
    )
    claims = _list(top["claims"], _read_claim, MAX_CLAIMS, "claims")
    _distinct(top["claims"], claims, "id")
    ids = {claim["id"] for claim in claims}
    results = _list(top["results"], _read_result, MAX_RESULTS, "results")
    mutants = _list(top["mutants"], _read_mutant, MAX_RESULTS, "mutants")
    if "instances" in top:
        instances = _list(top["instances"], _read_instance, MAX_INSTANCES, "instances")
    else:
        kinds = {claim["id"]: claim["kind"] for claim in claims}
        named = {result["instance"]: kinds.get(result["claim"], "") for result in results}
        instances = [
            {"name": name, "schema": kind, "origin": None, "digest": None}
            for name, kind in named.items()
        ]
    if "instances" in top:
        _distinct(top["instances"], instances, "name")
    names = {instance["name"] for instance in instances}
    for key, items in (("results", results), ("mutants", mutants)):
        for i, item in enumerate(items):
            _known(top[key], i, "claim", item, ids)
    for i, item in enumerate(results):
        _known(top["results"], i, "instance", item, names)
    _distinct(top["results"], results, "claim", "instance")
    return {
        "schema": SCHEMA,
        "created": _read_time(top["created"]),
        "environment": _object(top["environment"]),
        "interrupted": _optional(top, "interrupted", _text),
        "claims": claims,
        "instances": instances,
        "results": results,
        "mutants": mutants,
        "summary": _read_summary(top["summary"], results),
    }


def _read_claim(node: Node) -> Document:
    members = node.fields(
        ("id", "title", "source", "uses", "statement"),
        (
            *("theorem", "kind", "formula", "relation", "assumptions", "constants"),
            *("vacuities", "disputed", "proof", "establishes", "sharp", "mutants"),
        ),
    )
    return {
        **{key: _text(members[key]) for key in ("id", "title", "source")},
        "uses": _texts(members["uses"]),
        "statement": _text(members["statement"]),
        **{key: _optional(members, key, _text, "") for key in ("theorem", "kind", "formula")},
        "relation": _optional(members, "relation", _read_relation, str(Relation.AT_MOST)),
        "assumptions": _optional(members, "assumptions", _texts, []),
        "constants": _optional(members, "constants", _read_constants, []),
        "vacuities": _optional(members, "vacuities", _texts, []),
        "disputed": _optional(members, "disputed", _read_dispute),
        **{key: _optional(members, key, _text, "") for key in ("proof", "establishes")},
        "sharp": _optional(members, "sharp", _texts, []),
        "mutants": _optional(members, "mutants", _read_named_mutants, []),
    }


def _read_dispute(node: Node) -> Document:
    members = node.fields(("refuted_on", "corrected_by", "reading"))
    return {
        "refuted_on": _texts(members["refuted_on"]),
        "corrected_by": _text(members["corrected_by"]),
        "reading": _text(members["reading"]),
    }


def _read_constants(node: Node) -> list[Document]:
    def constant(item: Node) -> Document:
        members = item.fields(("symbol", "meaning", "formula"))
        return {key: _text(members[key]) for key in ("symbol", "meaning", "formula")}

    return _list(node, constant, MAX_ITEMS, "constants")


def _read_named_mutants(node: Node) -> list[Document]:
    def mutant(item: Node) -> Document:
        members = item.fields(("name", "error", "refuted_on"))
        return {
            "name": _text(members["name"]),
            "error": _text(members["error"]),
            "refuted_on": _texts(members["refuted_on"]),
        }

    return _list(node, mutant, MAX_ITEMS, "mutants")


def _read_instance(node: Node) -> Document:
    members = node.fields(("name", "schema"), ("origin", "digest"))
    return {
        "name": _text(members["name"]),
        "schema": _text(members["schema"]),
        "origin": _optional(members, "origin", _text),
        "digest": _optional(members, "digest", _text),
    }


def _read_result(node: Node) -> Document:
    contract = (
        *("claim", "instance", "verdict", "left", "right", "tightness", "evidence", "confidence"),
        *("precision_bits", "samples", "seconds", "reason"),
    )
    members = node.fields(contract, ("case", "cases", "constants"))
    return {
        "claim": _text(members["claim"]),
        "instance": _text(members["instance"]),
        "verdict": _read_verdict(members["verdict"]),
        "left": _optional(members, "left", _read_end_points),
        "right": _optional(members, "right", _read_end_points),
        "tightness": _optional(members, "tightness", _double),
        "evidence": _optional(members, "evidence", _read_evidence),
        "confidence": _optional(members, "confidence", _text),
        "precision_bits": _optional(members, "precision_bits", _count),
        "samples": _optional(members, "samples", _count),
        "seconds": _double(members["seconds"]),
        "reason": _text(members["reason"]),
        "case": _optional(members, "case", _text),
        "cases": _optional(members, "cases", _read_cases, {}),
        "constants": _optional(members, "constants", _read_values, {}),
    }


def _read_mutant(node: Node) -> Document:
    members = node.fields(
        ("claim", "mutant", "instance", "verdict"), ("error", "reason", "tightness", "seconds")
    )
    return {
        **{key: _text(members[key]) for key in ("claim", "mutant", "instance")},
        "verdict": _read_verdict(members["verdict"]),
        "error": _optional(members, "error", _text, ""),
        "reason": _optional(members, "reason", _text, ""),
        "tightness": _optional(members, "tightness", _double),
        "seconds": _optional(members, "seconds", _double, 0.0),
    }


def _read_summary(node: Node, results: Sequence[Document]) -> dict[str, int]:
    members = node.fields(tuple(map(str, Verdict)))
    counts = Counter(result["verdict"] for result in results)
    for verdict in Verdict:
        claimed = _count(members[verdict])
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
    return {verdict: _count(member) for verdict, member in members.items()}


def _read_values(node: Node) -> dict[str, dict[str, str]]:
    return {symbol: _read_end_points(member) for symbol, member in _members(node).items()}


def _read_end_points(node: Node) -> dict[str, str]:
    members = node.fields(("lower", "upper"))
    lower, upper = (_decimal(members[key]) for key in ("lower", "upper"))
    if lower > upper:
        node.fail(f"has lower = {lower} above upper = {upper}, expected an interval")
    return {"lower": str(lower), "upper": str(upper)}


def _decimal(node: Node) -> Decimal:
    text = node.value
    if isinstance(text, str) and text in ("Infinity", "-Infinity"):
        return Decimal(text)
    what = "a decimal text such as 0.1, 1E-30 or Infinity, of at most 100 characters"
    if not isinstance(text, str) or len(text) > _MAX_END_POINT:
        node.expected(what)
    mantissa, _, exponent = text.upper().partition("E")
    digits = exponent.removeprefix("-").removeprefix("+")
    if strict_json.parse_number(mantissa) is None or "/" in mantissa:
        node.expected(what)
    if exponent and not (digits.isascii() and digits.isdigit() and int(digits) <= _MAX_EXPONENT):
        node.expected(what)
    return Decimal(text)


def _read_time(node: Node) -> str:
    text = _text(node)
    try:
        datetime.fromisoformat(text)
    except ValueError:
        node.expected("an ISO 8601 date and time")
    return text


def _text(node: Node) -> str:
    if not isinstance(node.value, str):
        node.expected("a string")
    if len(node.value) > MAX_TEXT:
        node.fail(f"has {len(node.value)} characters, expected at most {MAX_TEXT}")
    return node.value


def _texts(node: Node) -> list[str]:
    return _list(node, _text, MAX_ITEMS, "strings")


def _list(node: Node, read: Callable[[Node], Any], most: int, of: str) -> list[Any]:
    return [read(item) for item in node.elements(least=0, most=most, of=of)]


def _optional(
    members: dict[str, Node], key: str, read: Callable[[Node], Any], default: object = None
) -> Any:  # noqa: ANN401 - whatever `read` returns
    if key not in members or members[key].value is None:
        return default
    return read(members[key])


def _count(node: Node) -> int:
    return node.integer(0, 2**63)


def _double(node: Node) -> float:
    if not isinstance(node.value, NumberText):
        node.expected("a number")
    try:
        return float(node.number())
    except OverflowError:
        node.expected("a number within the range of a double")


def _members(node: Node) -> dict[str, Node]:
    """Return all members of an object, whatever their names; none may be repeated."""
    known = tuple(node.value) if isinstance(node.value, dict) else ()
    return node.fields((), known)


def _object(node: Node) -> Document:
    return {key: _plain(member, MAX_DEPTH) for key, member in _members(node).items()}


def _plain(node: Node, depth: int) -> Any:  # noqa: ANN401 - any JSON value
    if depth == 0:
        node.fail(f"is nested too deeply, expected at most {MAX_DEPTH} levels")
    if isinstance(node.value, dict):
        return {key: _plain(member, depth - 1) for key, member in _members(node).items()}
    if isinstance(node.value, list):
        return _list(node, lambda item: _plain(item, depth - 1), MAX_ITEMS, "values")
    if isinstance(node.value, NumberText):
        text = node.value.text
        return int(text) if text.removeprefix("-").isdigit() else _double(node)
    return node.value


def _distinct(node: Node, items: Sequence[Document], *keys: str) -> None:
    seen: dict[tuple[str, ...], int] = {}
    for i, item in enumerate(items):
        name = tuple(item[key] for key in keys)
        if name in seen:
            _fail_at(node, i, f"repeats {', '.join(keys)} of element {seen[name]}")
        seen[name] = i


def _known(node: Node, i: int, key: str, item: Document, known: Collection[str]) -> None:
    if item[key] not in known:
        _fail_at(node, i, f"names the {key} {_shown(item[key])}, which the report does not list")


def _fail_at(node: Node, i: int, problem: str) -> NoReturn:
    Node(None, f"{node.path}[{i}]").fail(problem)


def _shown(text: str) -> str:
    return Node(text, "").shown()
