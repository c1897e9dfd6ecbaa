"""Instances of any kind: what all of them have, and how the kind of a document is found.

Whatever handles instances in general (the runner, the report, replay, the gallery) uses nothing but
the `Subject` protocol; a claim names the one kind that it is about.  A new kind is a module like
`verification.instance` and a line in `KINDS`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from verification import instance, linear_functional, strict_json
from verification.instance import Json
from verification.strict_json import Node


class Subject(Protocol):
    """What the runner, the report and replay need to know of an instance of any kind."""

    @property
    def schema(self) -> str:
        """The kind, such as ``instance/1``."""

    @property
    def name(self) -> str:
        """The name that the report shows."""

    @property
    def origin(self) -> str | None:
        """Where the numbers come from, in one line."""

    def __hash__(self) -> int:
        """Equal instances have the same: caches hold what was computed of them."""

    def to_json(self) -> dict[str, Json]:
        """Return the document that `read_subject` reads."""


KINDS: dict[str, Callable[[Node], Subject]] = {
    instance.SCHEMA: instance.read_instance,
    linear_functional.SCHEMA: linear_functional.read_linear_functional,
}
"""How the instances of each kind are read, by the schema that they name."""


def read_subject(node: Node) -> Subject:
    """Read an instance of whichever kind its ``schema`` names.

    Raises
    ------
    InvalidInstance
        With the path of the field, the value and what was expected.
    """
    return KINDS[node.member("schema").choice(tuple(KINDS))](node)


def load_subject(path: Path) -> Subject:
    """Read an instance file of any kind; see `read_subject`."""
    return read_subject(strict_json.load(path))


@lru_cache(maxsize=256)
def digest(subject: Subject) -> str:
    """Return a SHA-256 of an instance's canonical document, as 64 hexadecimal digits."""
    text = json.dumps(subject.to_json(), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
