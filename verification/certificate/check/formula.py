"""One claim as the checker understands it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from verification.certificate.check.instances import SCHEMA as INSTANCE
from verification.certificate.check.instances import Instance, read_instance
from verification.certificate.check.numbers.bounds import LEAST_DIGITS, Bounds, Shown
from verification.certificate.check.outcome import Budget
from verification.certificate.check.reading import Node
from verification.certificate.check.targets import Target

ACTIVATIONS = (
    "the constants s0, s1, s2, m and m1 of the activation, of which A1 and A2 have certificates"
)


@dataclass(frozen=True)
class Formula:
    """One claim as the checker understands it.

    Parameters
    ----------
    says : str
        The (in)equality in words.
    prepare : callable
        ``(instance, witness, budget) -> context``: verify what all cases share, and assumptions.
    derive : callable
        ``(context, case, claimed) -> Shown``: verify a case's witness, return both sides; what is
        claimed of the left side may steer how well it is enclosed, and nothing else.
    identity : bool
        Whether the sides are equal.
    in_balls : bool
        Whether FLINT's balls are used, and trusted; rationals only, where not.
    relies_on : str
        What else is taken for granted.
    kind : str
        The kind of instance.
    read : callable
        ``(instance, budget) -> instance``: the reader of that kind.
    witnesses : str
        What the certificate brings and the checker verifies.
    assumes : str
        What is verified of the instance.
    least_digits : int
        To how many digits a side is stated at least.
    is_finer : bool
        Whether both sides are enclosed more narrowly here than by what certifies the claim: then
        they are stated as they are found here.
    may_vanish : bool
        Whether a case says something though both sides are exactly 0.
    """

    says: str
    prepare: Callable[[Any, Node, Budget], Any]
    derive: Callable[[Any, Node, Bounds], Shown]
    witnesses: str
    assumes: str
    identity: bool = False
    in_balls: bool = False
    relies_on: str = ""
    kind: str = INSTANCE
    read: Callable[[Node, Budget], Instance | Target] = read_instance
    least_digits: int = LEAST_DIGITS
    is_finer: bool = False
    may_vanish: bool = False


def lazily(module: str, name: str) -> Callable[..., Any]:
    """Return a function of `claims`, from a module that is loaded when needed: it loads FLINT."""

    def call(*arguments: object) -> object:
        home = import_module(f"verification.certificate.check.claims.{module}")
        found: object = getattr(home, name)(*arguments)
        return found

    return call
