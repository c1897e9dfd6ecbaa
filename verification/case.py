"""Deciding one case of a claim: a comparison of two numbers, at rising precision or by drawing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from verification.claim import AnyClaim, Enclosed, Side
from verification.deadline import BUDGET_SPENT
from verification.enclosure.balls import enclosure, precision
from verification.errors import NotEnclosed
from verification.statistics.ledger import level_text
from verification.statistics.sampling import compare_by_sampling
from verification.statistics.simulation import Simulation
from verification.subject import Subject
from verification.verdict import (
    Enclosure,
    EvidenceKind,
    Relation,
    Truth,
    Verdict,
    compare,
    compare_exactly,
)

# Draws tell no number better than this; where more precision does not help, they go first too.
_NARROW = Decimal("1e-6")


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How hard to try, and with what draws.

    Parameters
    ----------
    precisions : tuple of int
        Working precisions in bits, tried in order.
    level : Fraction
        Probability with which the verdict of a case may be wrong where a side is simulated.
    seed : str
        Seeds the draws, together with the case.
    deadline : float or None
        Value of `time.monotonic` after which no further precision or chunk of draws is begun.
    """

    precisions: tuple[int, ...]
    level: Fraction
    seed: str
    deadline: float | None

    def is_late(self) -> bool:
        """Tell whether the deadline has passed."""
        return self.deadline is not None and time.monotonic() > self.deadline


@dataclass(frozen=True, kw_only=True)
class Decided:
    """One case, decided or given up.

    Parameters
    ----------
    verdict : Verdict
    case : str
        In words.
    left, right : Enclosure or None
        Both sides; of a simulated one, the confidence limits.  None where it was not enclosed.
    bits : int
        Working precision at the end.
    exact : bool
        Whether both sides are rationals.
    note : str
        Why it is UNDECIDED.
    samples : int or None
        Number of draws; None where neither side is simulated.
    detectable : float or None
        The smallest violation that the draws would have shown; see `Sampled`.
    """

    verdict: Verdict
    case: str
    left: Enclosure | None
    right: Enclosure | None
    bits: int
    exact: bool = False
    note: str = ""
    samples: int | None = None
    detectable: float | None = None


def decide_case(claim: AnyClaim, instance: Subject, case: object, effort: Effort) -> Decided:
    """Decide one case of a claim.

    Raises
    ------
    ValueError
        Where a side is simulated and the claim does not declare it, both are, or the claim is
        an identity, which no confidence limits can establish.
    """
    left = right = None
    note = ""
    simulated: tuple[int, Side, Side] | None = None
    width = Decimal("Infinity")
    bits = effort.precisions[0]
    for bits in effort.precisions:
        if effort.is_late():
            note = BUDGET_SPENT
            break
        try:
            with precision(bits):
                one, other = claim.left(instance, case), claim.right(instance, case)
                if isinstance(one, Simulation) or isinstance(other, Simulation):
                    simulated = bits, one, other
                    before, (width, size) = width, _width_and_size(one, other)
                    if width.is_finite() and (width <= _NARROW * size or 2 * width > before):
                        break
                    continue
                left, right = enclosure(one), enclosure(other)
                truth = _compare(claim.relation, (one, other), (left, right))
                trivial = truth is Truth.TRUE and (
                    _bounds_nothing(claim, left, right)
                    or _is_trivial(claim, instance, case, other, right)
                )
        except NotEnclosed as error:
            note = str(error)
            continue
        note = ""
        if truth is not Truth.UNKNOWN:
            return Decided(
                verdict=_verdict(truth, trivial=trivial, certain=True),
                case=str(case),
                left=left,
                right=right,
                bits=bits,
                exact=isinstance(one, Fraction) and isinstance(other, Fraction),
            )
    if simulated is not None and note != BUDGET_SPENT:
        return _decide_by_sampling(claim, instance, case, simulated, effort)
    return Decided(
        verdict=Verdict.UNDECIDED,
        case=str(case),
        left=left,
        right=right,
        bits=bits,
        note=note or f"the enclosures still overlap at {bits} bits",
    )


def _width_and_size(*sides: Side) -> tuple[Decimal, Decimal]:
    """Return how well the side is known that is not simulated, and how large it may be."""
    known = [enclosure(side) for side in sides if not isinstance(side, Simulation)]
    return (
        max((bounds.width_upper() for bounds in known), default=Decimal(0)),
        max((max(abs(bounds.lower), abs(bounds.upper)) for bounds in known), default=Decimal(0)),
    )


def _verdict(truth: Truth, *, trivial: bool, certain: bool) -> Verdict:
    if truth is Truth.UNKNOWN:
        return Verdict.UNDECIDED
    if truth is Truth.FALSE:
        return Verdict.REFUTED
    if trivial:
        return Verdict.VACUOUS
    return Verdict.CERTIFIED if certain else Verdict.SUPPORTED


def _compare(
    relation: Relation, numbers: tuple[Enclosed, Enclosed], enclosures: tuple[Enclosure, Enclosure]
) -> Truth:
    left, right = numbers
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return compare_exactly(left, right, relation)
    return compare(*enclosures, relation)


def _bounds_nothing(claim: AnyClaim, left: Enclosure, right: Enclosure) -> bool:
    """Tell whether the left side is certainly 0 below a positive right one: nothing is bounded.

    Where both are 0 the claim says that something vanishes, which is not nothing.
    """
    return claim.relation is Relation.AT_MOST and left.upper <= 0 < right.lower


def _is_trivial(
    claim: AnyClaim, instance: Subject, case: object, right: Side, bounds: Enclosure
) -> bool:
    """Tell whether the right side is no smaller than what bounds the left one anyway."""
    if claim.trivial is None:
        return False
    trivial = claim.trivial(instance, case)
    if isinstance(right, Fraction) and isinstance(trivial, Fraction):
        return trivial <= right
    return enclosure(trivial).upper <= bounds.lower


def _decide_by_sampling(
    claim: AnyClaim,
    instance: Subject,
    case: object,
    simulated: tuple[int, Side, Side],
    effort: Effort,
) -> Decided:
    bits, one, other = simulated
    if claim.evidence is not EvidenceKind.SIMULATION:
        raise ValueError(f"claim {claim.id} is simulated, but its evidence is {claim.evidence}")
    if claim.relation is Relation.EQUAL:
        raise ValueError(f"claim {claim.id} is an identity, which no simulation establishes")
    on_left = isinstance(one, Simulation)
    simulation, known = (one, other) if on_left else (other, one)
    if not isinstance(simulation, Simulation) or isinstance(known, Simulation):
        raise ValueError(f"claim {claim.id} has a case of which both sides are simulated")
    with precision(bits):
        certain = enclosure(known)
        try:
            found = compare_by_sampling(
                simulation,
                certain,
                on_left=on_left,
                level=effort.level,
                seed=f"{effort.seed}/{case}",
                deadline=effort.deadline,
            )
        except NotEnclosed as error:
            return Decided(
                verdict=Verdict.UNDECIDED,
                case=str(case),
                left=None if on_left else certain,
                right=certain if on_left else None,
                bits=bits,
                note=str(error),
            )
        left, right = (found.bounds, certain) if on_left else (certain, found.bounds)
        # Where the range of the draws decides, the theorem says no more than what holds anyway.
        trivial = found.truth is Truth.TRUE and (
            found.samples == 0 or _is_trivial(claim, instance, case, other, right)
        )
    note = ""
    if found.truth is Truth.UNKNOWN:
        note = f"{found.samples} samples do not decide it at error level {level_text(effort.level)}"
    return Decided(
        verdict=_verdict(found.truth, trivial=trivial, certain=False),
        case=str(case),
        left=left,
        right=right,
        bits=bits,
        note=BUDGET_SPENT if found.late else note,
        samples=found.samples,
        detectable=found.detectable,
    )
