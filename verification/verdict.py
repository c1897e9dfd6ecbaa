"""The vocabulary that everything else speaks: verdicts, three-valued truth, enclosures, evidence.

A claim on an instance is an inequality ``left <= right`` between two numbers, or an identity.
Mostly neither is known exactly; each is known as an *enclosure*, a closed interval with decimal end
points that contains it.  This module decides such a comparison and depends on nothing but the
standard library, so that the rule by which verdicts are given can be read and checked in one place.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, Inexact
from enum import Enum, StrEnum
from fractions import Fraction
from math import nextafter

SLACK_BITS = 40
"""Enclosures are compared up to the relative slack 2**-SLACK_BITS, so that a sharp claim (an
equality, which no two enclosures can ever decide) is certified and not left undecided.  Two
rationals are compared without it."""

_REPORT_DIGITS = 30
_EXACT = 10_000
_SLACK = Decimal(f"{5**SLACK_BITS}e-{SLACK_BITS}")


class Verdict(StrEnum):
    """What is said of one claim on one instance."""

    CERTIFIED = "CERTIFIED"
    SUPPORTED = "SUPPORTED"
    REFUTED = "REFUTED"
    UNDECIDED = "UNDECIDED"
    VACUOUS = "VACUOUS"
    INAPPLICABLE = "INAPPLICABLE"


class Truth(Enum):
    """Three-valued truth: certainly true, certainly false, or not decided at this precision.

    It has no truth value of its own: ``if truth:`` would silently merge two of the three.
    """

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"

    def __bool__(self) -> bool:
        raise TypeError("a Truth has three values: compare it with Truth.TRUE or Truth.FALSE")

    @staticmethod
    def of(*, certainly: bool, possibly: bool) -> Truth:
        """Return TRUE where it certainly holds, FALSE where it cannot, UNKNOWN between."""
        if certainly:
            return Truth.TRUE
        return Truth.UNKNOWN if possibly else Truth.FALSE


class Relation(StrEnum):
    """What a claim says of its two sides: an inequality, or an identity."""

    AT_MOST = "≤"
    EQUAL = "="


class EvidenceKind(StrEnum):
    """By what means a number was enclosed."""

    BALLS = "balls"
    RATIONALS = "rationals"
    DOUBLES = "doubles"
    SIMULATION = "simulation"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """How a result was reached.

    Parameters
    ----------
    kind : EvidenceKind
    precision_bits : int or None
        Largest working precision that was needed, in bits.
    samples : int or None
        Number of independent samples, for simulation.
    confidence : str or None
        Error level of the confidence statement, as a decimal string, for simulation.
    """

    kind: EvidenceKind
    precision_bits: int | None = None
    samples: int | None = None
    confidence: str | None = None


@dataclass(frozen=True)
class Enclosure:
    """A closed interval ``[lower, upper]`` that contains one real number.

    End points are decimals (infinities allowed, NaN not): they are printed without loss and
    compared without rounding.
    """

    lower: Decimal
    upper: Decimal

    def __post_init__(self) -> None:
        if self.lower.is_nan() or self.upper.is_nan() or self.lower > self.upper:
            raise ValueError(f"not an interval: [{self.lower}, {self.upper}]")

    @staticmethod
    def of_fraction(value: Fraction, digits: int = _REPORT_DIGITS) -> Enclosure:
        """Enclose a rational number, exactly where `digits` significant digits suffice."""
        return Enclosure(
            divide(value.numerator, value.denominator, digits, ROUND_FLOOR),
            divide(value.numerator, value.denominator, digits, ROUND_CEILING),
        )

    def contains(self, value: Fraction) -> bool:
        """Tell whether a rational number lies inside (end points included)."""
        return _at_most(self.lower, value) and not (
            self.upper.is_finite() and Fraction(self.upper) < value
        )

    def overlaps(self, other: Enclosure) -> bool:
        """Tell whether the two intervals share a point; two enclosures of one number must."""
        return self.lower <= other.upper and other.lower <= self.upper

    def width_upper(self) -> Decimal:
        """Return an upper bound of ``upper - lower``."""
        return _context(_REPORT_DIGITS, ROUND_CEILING).subtract(self.upper, self.lower)

    def rounded(self, digits: int) -> Enclosure:
        """Return a containing interval whose end points have at most `digits` digits."""
        return Enclosure(
            _context(digits, ROUND_FLOOR).plus(self.lower),
            _context(digits, ROUND_CEILING).plus(self.upper),
        )

    def to_json(self) -> dict[str, str]:
        """Return ``{"lower": ..., "upper": ...}``, decimal strings, without loss."""
        return {"lower": str(self.lower), "upper": str(self.upper)}

    @staticmethod
    def from_json(document: dict[str, str]) -> Enclosure:
        """Read what `to_json` wrote."""
        return Enclosure(Decimal(document["lower"]), Decimal(document["upper"]))


def divide(numerator: int, denominator: int, digits: int, rounding: str) -> Decimal:
    """Return ``numerator / denominator`` to `digits` significant digits, rounded as told.

    One directed rounding only: the integers themselves are converted exactly.
    """
    return _context(digits, rounding).divide(Decimal(numerator), Decimal(denominator))


def _context(digits: int, rounding: str) -> Context:
    # The default context's exponents end at a million; exp(-10^7) is a legitimate number.
    return Context(prec=digits, rounding=rounding, Emax=10**17, Emin=-(10**17))


def compare(left: Enclosure, right: Enclosure, relation: Relation = Relation.AT_MOST) -> Truth:
    """Decide a relation between two enclosed numbers, up to the slack.

    An inequality is ``left <= right + 2**-40 |right|``.  An identity is this both ways, so that
    equal numbers come out as such where their enclosures lie within the slack of one another; a
    number that is zero, but not known exactly, never does.

    Returns
    -------
    Truth
        TRUE where it holds for every pair of numbers in the two enclosures, FALSE where it
        fails for every pair, UNKNOWN otherwise.
    """
    at_most = Truth.of(
        certainly=left.upper <= _with_slack(right.lower),
        possibly=left.lower <= _with_slack(right.upper),
    )
    if relation is Relation.AT_MOST or at_most is Truth.FALSE:
        return at_most
    at_least = compare(right, left)
    return at_least if at_most is Truth.TRUE or at_least is Truth.FALSE else Truth.UNKNOWN


def compare_exactly(left: Fraction, right: Fraction, relation: Relation) -> Truth:
    """Decide a relation between two rationals, without any slack."""
    holds = left == right if relation is Relation.EQUAL else left <= right
    return Truth.TRUE if holds else Truth.FALSE


def ratio_lower(left: Enclosure, right: Enclosure) -> float | None:
    """Return a double no larger than ``left / right``, or None where right may be 0.

    This is the tightness that the report prints: the truth is at least as tight.  Both sides are
    taken as non-negative numbers.
    """
    if not (right.lower > 0 and right.upper.is_finite()):
        return None
    quotient = _context(17, ROUND_FLOOR).divide(max(left.lower, Decimal(0)), right.upper)
    nearest = float(quotient)
    return nearest if Decimal(nearest) <= quotient else nextafter(nearest, 0.0)


def _with_slack(value: Decimal) -> Decimal:
    if not value.is_finite():
        return value
    context = _context(_EXACT, ROUND_FLOOR)
    # The end points have far fewer digits than the context: a rounding would be a fault.
    context.traps[Inexact] = True
    return context.add(value, context.multiply(context.abs(value), _SLACK))


def _at_most(lower: Decimal, value: Fraction) -> bool:
    return not lower.is_finite() or Fraction(lower) <= value
