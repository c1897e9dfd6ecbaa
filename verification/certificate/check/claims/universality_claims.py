"""Networks that come as near to a target as is asked.

A certificate brings a network by its modes, and the points where its error changes its sign; or,
for a power law, a sum of exponentials (`verification.certificate.check.claims.law_claims`), or a
trapezoidal rule, of whose error a bound is stated.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from verification.certificate.check.claims.law_claims import (
    MAX_NODES,
    Law,
    distance_of_sum,
    read_sum,
)
from verification.certificate.check.claims.width_claims import SPARE_BITS
from verification.certificate.check.linear.kernels import Function, function_of, tail
from verification.certificate.check.linear.networks import read_modes
from verification.certificate.check.linear.norms import NORM_BITS, norms, read_changes
from verification.certificate.check.linear.rules import error_bound, read_rule
from verification.certificate.check.numbers.balls import bounds, precision, total, upper
from verification.certificate.check.numbers.bounds import Bounds, Shown, Side, brief
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.reading import Node
from verification.certificate.check.targets import (
    MAX_WIDTH,
    Box,
    PowerLaw,
    Target,
    exact_width,
    positive,
)


@dataclass(frozen=True)
class Continuous:
    """A target that does not jump, and its size and law where it is a single power law."""

    functions: tuple[Function, ...]
    budget: Budget
    size: Fraction
    law: Law | None

    @cached_property
    def largest_norm(self) -> Fraction:
        """A bound of the norm, the error of the network that says nothing."""
        with precision(SPARE_BITS):
            return upper(total([tail(function, Fraction(0)) for function in self.functions]))


def read_continuous(target: Target, witness: Node, budget: Budget) -> Continuous:
    """Verify that no part of the target jumps, and that it is not a network's kernel itself."""
    witness.fields(())
    parts = [part for parts in target.channels for part in parts]
    if any(isinstance(part, Box) for part in parts):
        raise Invalid("assumption: the target does not jump")
    if exact_width(target.channels) is not None:
        raise Invalid("assumption: the target is not the kernel of a network itself")
    functions = tuple(function_of(parts) for parts in target.channels)
    if len(target.channels) == len(parts) == 1 and isinstance(parts[0], PowerLaw):
        law = Law(parts[0].w, budget)
        return Continuous(functions, budget, abs(parts[0].factor), law)
    return Continuous(functions, budget, Fraction(1), None)


def network_within(known: Continuous, case: Node, _claimed: Bounds) -> Shown:
    """``||rho - rho_hat|| <= eps``."""
    if case.has("network"):
        members = case.fields(("error", "network", "changes"))
        left = _distance_of_modes(known, members)
        what = "a network"
    elif known.law is None:
        case.refuse("a network")
    elif case.has("rates"):
        members = case.fields(("error", "rates", "coefficients", "changes"))
        left = distance_of_sum(known.law, read_sum(members), members["changes"]).times(known.size)
        what = "a sum of exponentials"
    else:
        members = case.fields(("error", "step", "first", "count"))
        left = _bound_of_rule(known, known.law, case, members)
        what = "a trapezoidal rule"
    error = positive(members["error"])
    if error >= known.largest_norm:
        members["error"].invalid("is no smaller than a bound of the target's norm")
    return Shown(f"{what} within {brief(error)}", left, Bounds.exactly(error))


def _distance_of_modes(known: Continuous, members: dict[str, Node]) -> Side:
    waves = read_modes(members["network"], len(known.functions), MAX_WIDTH)
    rests = tuple((*f, *minus) for f, minus in zip(known.functions, waves, strict=True))
    changes = read_changes(members["changes"], rests, known.budget)

    def distance(bits: int) -> Bounds:
        with precision(bits + SPARE_BITS):
            return norms(rests, changes, NORM_BITS, known.budget)

    return distance


def _bound_of_rule(known: Continuous, law: Law, case: Node, members: dict[str, Node]) -> Side:
    rule = read_rule(case, members, law.exponent, MAX_NODES)

    def bound(bits: int) -> Bounds:
        with precision(bits + SPARE_BITS):
            return bounds(error_bound(rule, case, known.budget)).times(known.size)

    return bound
