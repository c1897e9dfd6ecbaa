"""The verification engine: verdicts, enclosures, instances, and how claims are decided.

It knows no theorem; the claims are handed to it.  `Instance`, `verify` and `Verdict` are loaded
where they are used first, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verification.decision import verify as verify
    from verification.instance import Instance as Instance
    from verification.verdict import Verdict as Verdict

__all__ = ["Instance", "Verdict", "verify"]

_HOMES = {"Instance": "instance", "Verdict": "verdict", "verify": "decision"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'verification' has no attribute {name!r}")
    return getattr(import_module(f"verification.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
