"""Deciding again the one claim and instance that a file names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from verification import strict_json
from verification.claim import AnyClaim
from verification.instance import MAX_NAME
from verification.runner import Task
from verification.strict_json import Node
from verification.subject import read_subject

SCHEMA = "replay/1"
CERTIFICATE = "certificate/1"


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What a file asks to be decided again."""

    task: Task
    mutant: str | None


def load(path: Path, claims: Sequence[AnyClaim]) -> Replay:
    """Read a replay file, or a certificate: claim, optionally mutant and seed, the whole instance.

    Raises
    ------
    InvalidInstance
        Where the file is malformed, or names a claim or mutant that does not exist.
    """
    return read(strict_json.load(path), claims)


def _restated(node: Node, claim: AnyClaim) -> AnyClaim:
    if claim.disputed is None or claim.disputed.with_constant is None:
        node.expected(f"no constant: {claim.id} leaves none open")
    constant = node.number(lambda x: x > 0, "a positive number")
    return claim.disputed.with_constant(constant).claim


def read(node: Node, claims: Sequence[AnyClaim]) -> Replay:
    """Read a parsed replay file; see `load`.

    Of a certificate its claim, instance and seed are taken, and nothing of what it says of them.
    """
    if node.has("schema") and node.member("schema").value == CERTIFICATE:
        members = node.fields(
            ("schema", "claim", "instance", "witness", "cases", "made_by", "digest")
        )
        members = {key: members[key] for key in ("claim", "instance")} | {
            "seed": members["made_by"].member("seed")
        }
    else:
        members = node.fields(("schema", "claim", "instance"), ("seed", "mutant", "constant"))
        members["schema"].choice((SCHEMA,))
    known = {claim.id: claim for claim in claims}
    claim = known[members["claim"].choice(tuple(known))]
    if "constant" in members:
        claim = _restated(members["constant"], claim)
    mutant = None
    if "mutant" in members and members["mutant"].value is not None:
        mutants = {mutant.name: mutant for mutant in claim.mutants}
        members["mutant"].string(MAX_NAME)
        mutant = mutants[members["mutant"].choice(tuple(mutants))]
    instance = read_subject(members["instance"])
    if instance.schema != claim.kind:
        members["instance"].member("schema").expected(f"{claim.kind}, which {claim.id} is about")
    return Replay(
        task=Task(
            claim=claim,
            instance=instance,
            seed=members["seed"].integer(0, 2**63 - 1) if "seed" in members else 0,
            mutant=mutant,
        ),
        mutant=mutant.name if mutant else None,
    )
