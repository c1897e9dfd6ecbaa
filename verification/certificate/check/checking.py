"""Checking a certificate: what it claims, whether that was shown, and what was trusted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from verification.certificate.check import reading
from verification.certificate.check.formulas import FORMULAS
from verification.certificate.check.numbers.bounds import confirm, shown, stated_sides
from verification.certificate.check.outcome import Budget, Invalid, Refused, Unsupported
from verification.certificate.check.reading import Node

SCHEMA = "certificate/1"
MAX_CASES = 10_000
MADE_BY = ("kernel-limit-theorems", "git revision", "python", "python-flint", "FLINT", "seed")
BALLS = "FLINT's balls"
TRUSTED = ("this checker and its reading of the claim", "Python's integers")


@dataclass(frozen=True)
class CheckedCase:
    """A case in words, and its two sides to six digits."""

    what: str
    left: str
    right: str


@dataclass(frozen=True)
class Checked:
    """A certificate that is valid.

    Parameters
    ----------
    claim, instance : str
    says : str
        The (in)equality.
    identity : bool
        Whether it is an equality.
    cases : tuple of CheckedCase
    verified, trusted : tuple of str
    made_by : str
        What wrote the certificate, by its own account.
    """

    claim: str
    instance: str
    says: str
    identity: bool
    cases: tuple[CheckedCase, ...]
    verified: tuple[str, ...]
    trusted: tuple[str, ...]
    made_by: str


def check_file(path: Path) -> Checked:
    """Check a certificate in a file; see `check_text`."""
    return check_text(reading.read_text(path))


def check_text(text: str) -> Checked:
    """Check a certificate.

    Raises
    ------
    Refused
        Where the text is no certificate that can be read within the limits.
    Unsupported
        Where the claim, or the kind of instance, is not among `FORMULAS`.
    Invalid
        Where the certificate does not show what it says.
    """
    document = reading.parse(text)
    members = document.fields(
        ("schema", "claim", "instance", "witness", "cases", "made_by", "digest")
    )
    members["schema"].choice(SCHEMA)
    if not isinstance(document.value, dict):
        raise Refused("is no object")
    if members["digest"].text(64) != reading.digest(document.value):
        raise Invalid("digest: the document was altered since it was written")
    claim = members["claim"].text(16)
    if claim not in FORMULAS:
        raise Unsupported(
            f"no formula for claim {claim}: {', '.join(FORMULAS)} are what is checked"
        )
    formula, budget = FORMULAS[claim], Budget()
    if members["instance"].member("schema").value != formula.kind:
        raise Unsupported(f"an instance of another kind than {formula.kind}")
    instance = formula.read(members["instance"], budget)
    context = formula.prepare(instance, members["witness"], budget)
    cases: list[CheckedCase] = []
    before, seen = "", set[object]()
    for case in members["cases"].elements(1, MAX_CASES):
        parts = case.fields(("case", "left", "right"))
        text = json.dumps(parts["case"].value, sort_keys=True)
        if text <= before:
            case.invalid("is there twice, or out of order")
        before = text
        meant = reading.meaning(parts["case"].value)
        if meant in seen:
            case.invalid("is there twice, in other words")
        seen.add(meant)
        claimed = stated_sides(
            parts["left"], parts["right"], formula.least_digits, identity=formula.identity
        )
        if not formula.may_vanish and all(x.is_exact for x in claimed):
            case.invalid("both sides are 0: it says nothing")
        found = formula.derive(context, parts["case"], claimed[0])
        confirm(
            f"{case.path}, {found.what}",
            (found.left, found.right),
            claimed,
            identity=formula.identity,
        )
        cases.append(CheckedCase(found.what, shown(claimed[0]), shown(claimed[1])))
    members["witness"].require_all_used()
    return Checked(
        claim=claim,
        instance=instance.name,
        says=formula.says,
        identity=formula.identity,
        cases=tuple(cases),
        verified=(
            "the digest of the document",
            f"assumption: {formula.assumes}",
            f"witnesses: {formula.witnesses}",
            f"both sides of {len(cases)} case{'s' if len(cases) > 1 else ''}, and their order",
        ),
        trusted=(
            *TRUSTED,
            *((BALLS,) if formula.in_balls else ()),
            *((formula.relies_on,) if formula.relies_on else ()),
        ),
        made_by=_made_by(members["made_by"]),
    )


def _made_by(node: Node) -> str:
    """Return what made the certificate: nothing rests on it, and only the digest guards it."""
    members = node.fields(MADE_BY)
    members["seed"].integer(0, 2**63 - 1)
    return ", ".join(
        f"{key} {member.value if key == 'seed' else member.text(80)}"
        for key, member in members.items()
    )
