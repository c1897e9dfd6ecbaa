"""Numbers between rational bounds, what a certificate states of them, and the comparison."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import isqrt
from typing import TypeAlias

from verification.certificate.check.outcome import Invalid, Refused
from verification.certificate.check.reading import Node

SLACK = Fraction(1, 2**40)
"""Numbers that are not both rational are compared up to this relative slack, as everywhere in the
project; an equality could never be decided otherwise."""

LEAST_DIGITS, MOST_DIGITS = 3, 40
MAX_EXPONENT = 5_000
PRECISIONS = (64, 128, 256, 512, 1024)

_STATED = re.compile(r"(-?)([0-9]{1,80})(?:\.([0-9]{1,80}))?(?:E([+-][0-9]{1,5}))?", re.ASCII)


@dataclass(frozen=True)
class Bounds:
    """A number between two rationals, both included; it is known exactly where they are equal."""

    lower: Fraction
    upper: Fraction

    def __post_init__(self) -> None:
        if self.lower > self.upper:
            raise ValueError("the lower bound exceeds the upper one")

    @staticmethod
    def exactly(value: Fraction) -> Bounds:
        """Return a number that is known."""
        return Bounds(value, value)

    @property
    def is_exact(self) -> bool:
        """Whether the number is known exactly."""
        return self.lower == self.upper

    def plus(self, other: Bounds) -> Bounds:
        """Return the sum."""
        return Bounds(self.lower + other.lower, self.upper + other.upper)

    def times(self, factor: Fraction) -> Bounds:
        """Return the product with a number >= 0."""
        return Bounds(self.lower * factor, self.upper * factor)

    def root(self, bits: int) -> Bounds:
        """Return the square root of a number >= 0, to about so many bits."""
        return Bounds(
            _root_below(max(self.lower, Fraction(0)), bits), _root_above(self.upper, bits)
        )


Side: TypeAlias = "Bounds | Callable[[int], Bounds]"
"""One side of a claim: bounds, or bounds at so many bits of precision."""


@dataclass(frozen=True)
class Shown:
    """One case: in words, its two sides."""

    what: str
    left: Side
    right: Side


def _root_below(value: Fraction, bits: int) -> Fraction:
    if not value:
        return Fraction(0)
    shift = max(bits + (value.denominator.bit_length() - value.numerator.bit_length() + 1) // 2, 0)
    return Fraction(isqrt((value.numerator << (2 * shift)) // value.denominator), 1 << shift)


def _root_above(value: Fraction, bits: int) -> Fraction:
    if not value:
        return Fraction(0)
    shift = max(bits + (value.denominator.bit_length() - value.numerator.bit_length() + 1) // 2, 0)
    scaled = -((-value.numerator << (2 * shift)) // value.denominator)
    root = isqrt(scaled)
    return Fraction(root if root * root == scaled else root + 1, 1 << shift)


def at(side: Side, bits: int) -> Bounds:
    """Return a side at a precision."""
    return side if isinstance(side, Bounds) else side(bits)


def stated_sides(
    left: Node, right: Node, least_digits: int = LEAST_DIGITS, *, identity: bool = False
) -> tuple[Bounds, Bounds]:
    """Read what a certificate states of both sides of a case.

    Of a left side that is to be no larger than the right one, and is lost in the slack of that
    comparison, no digit needs to be known.
    """
    larger = stated(right, least_digits)
    return stated(left, least_digits, Fraction(0) if identity else SLACK * larger.lower), larger


def stated(
    node: Node, least_digits: int = LEAST_DIGITS, negligible: Fraction = Fraction(0)
) -> Bounds:
    """Read what a certificate states of one side.

    Two decimals with one exponent, two units of the last digit apart: the number, rounded, lies in
    the middle.  Exactly 0 is stated as 0 and 0.  So neither end can be moved alone.  Where one
    digit is enough, or the number is negligible, 0 and a power of ten may be stated.
    """
    members = node.fields(("lower", "upper"))
    (lower, low_place), (upper, high_place) = (_decimal(members[key]) for key in ("lower", "upper"))
    if lower == upper == low_place == high_place == 0:
        return Bounds.exactly(Fraction(0))
    if (lower, upper) == (0, 1):
        power = Fraction(10) ** high_place
        if least_digits == 1 or power <= negligible:
            return Bounds(Fraction(0), power)
    digits = len(str(abs(lower + upper) // 2))
    if low_place != high_place or upper - lower != 2 or not least_digits <= digits <= MOST_DIGITS:
        node.invalid(
            f"is [{members['lower'].value}, {members['upper'].value}], expected a number of "
            f"{least_digits} to {MOST_DIGITS} digits, give or take one unit of the last"
        )
    unit = Fraction(10) ** low_place
    return Bounds(lower * unit, upper * unit)


def _decimal(node: Node) -> tuple[int, int]:
    """Return a decimal as an integer and the place of its last digit."""
    match = _STATED.fullmatch(node.value) if isinstance(node.value, str) else None
    if match is None or abs(int(match[4] or 0)) > MAX_EXPONENT:
        node.refuse("a decimal such as 0.125 or 1.25E-7")
    decimals = match[3] or ""
    value = int(match[2] + decimals)
    if match[1] and not value:
        node.refuse("0 without a sign")
    return (-value if match[1] else value), int(match[4] or 0) - len(decimals)


def confirm(
    what: str,
    sides: tuple[Side, Side],
    claimed: tuple[Bounds, Bounds],
    *,
    identity: bool = False,
) -> None:
    """Show that two sides are what is stated of them, and that left <= right, or left = right.

    Raises
    ------
    Invalid
        Where one of the three fails, or no precision shows it.
    """
    problem, width = "", None
    for bits in PRECISIONS:
        left, right = at(sides[0], bits), at(sides[1], bits)
        _require_overlap(f"{what}: left side", left, claimed[0])
        _require_overlap(f"{what}: right side", right, claimed[1])
        problem = (
            _gap("left", left, claimed[0])
            or _gap("right", right, claimed[1])
            or _violation(left, right, identity=identity)
        )
        if not problem:
            return
        before, width = width, (left.upper - left.lower) + (right.upper - right.lower)
        # More precision helps as long as it narrows something.
        if not width or (before is not None and 2 * width > before):
            break
    raise Invalid(f"{what}: {problem}")


def _require_overlap(what: str, found: Bounds, claimed: Bounds) -> None:
    if found.upper < claimed.lower or claimed.upper < found.lower:
        raise Invalid(f"{what} is {shown(found)}, not {shown(claimed)} as stated")


def _gap(name: str, found: Bounds, claimed: Bounds) -> str:
    if claimed.lower <= found.lower and found.upper <= claimed.upper:
        return ""
    return f"not shown that the {name} side, {shown(found)}, is {shown(claimed)} as stated"


def _violation(left: Bounds, right: Bounds, *, identity: bool) -> str:
    exact = left.is_exact and right.is_exact
    slack = Fraction(0) if exact else SLACK
    sign = "=" if identity else "<="
    holds = left.upper <= right.lower + slack * abs(right.lower)
    if identity:
        holds = holds and right.upper <= left.lower + slack * abs(left.lower)
    if holds:
        return ""
    return f"not shown that left {sign} right: {shown(left)} against {shown(right)}"


def brief(value: Fraction, digits: int = 6) -> str:
    """Return a number to a few digits, for a sentence."""
    try:
        return f"{float(value):.{digits}g}"
    except OverflowError:
        return "a number beyond 1e308"


def shown(bounds: Bounds) -> str:
    """Return a number for a sentence, or both its bounds where the lower one is 0."""
    if bounds.upper and not bounds.lower:
        return f"0 to {_six_digits(bounds.upper)}"
    return _six_digits((bounds.lower + bounds.upper) / 2)


def _six_digits(value: Fraction) -> str:
    try:
        number = float(value)
    except OverflowError as error:
        raise Refused("contains a number beyond 1e308") from error
    if value and not number:
        return f"{Decimal(value.numerator) / Decimal(value.denominator):.5e}"
    return f"{number:.6g}"
