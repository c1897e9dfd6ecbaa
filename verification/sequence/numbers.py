"""A column's numbers, exact: over a common denominator, their means, and a short change of scale.

A column has millions of numbers; integers over one denominator are compared, sorted and summed at
a fraction of what rationals cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, lcm

from verification.errors import InvalidInstance
from verification.sequence.table import Column, shown
from verification.strict_json import format_number, parse_number

_LARGE_DIGITS = 400
_LARGE = 10**_LARGE_DIGITS
_POWERS = [10**places for places in range(40)]


@dataclass(frozen=True, kw_only=True)
class AffineMap:
    """The exact map ``value -> (value - centre) / scale``, `scale` positive."""

    centre: Fraction
    scale: Fraction

    def __call__(self, value: Fraction) -> Fraction:
        """Return the image of a value."""
        return (value - self.centre) / self.scale

    def __str__(self) -> str:
        sign = "+" if self.centre < 0 else "-"
        return f"(value {sign} {format_number(abs(self.centre))}) / {format_number(self.scale)}"


IDENTITY = AffineMap(centre=Fraction(0), scale=Fraction(1))


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """Exact numbers, one a row, over a common denominator."""

    numerators: list[int]
    denominator: int

    def shifted(self) -> Numbers:
        """Return the next number for each row, the first for the last row."""
        return Numbers(
            numerators=self.numerators[1:] + self.numerators[:1], denominator=self.denominator
        )

    def means(
        self, states: Sequence[int], n_states: int, scaling: AffineMap = IDENTITY
    ) -> list[Fraction]:
        """Return for each state the exact mean over the rows at which it is visited.

        Parameters
        ----------
        states : sequence of int
            The state at each row; every state occurs.
        n_states : int
        scaling : AffineMap
            Applied to the means.
        """
        sums, counts = [0] * n_states, [0] * n_states
        for state, numerator in zip(states, self.numerators, strict=True):
            sums[state] += numerator
            counts[state] += 1
        # (sum / (count d) - p/q) / (r/s) as one fraction: there may be a million of them.
        p, q = scaling.centre.as_integer_ratio()
        r, s = scaling.scale.as_integer_ratio()
        bases = [visits * self.denominator for visits in counts]
        return [
            Fraction((total * q - p * base) * s, base * q * r)
            for total, base in zip(sums, bases, strict=True)
        ]


def ratio(text: str) -> tuple[int, int] | None:
    """Return a number as a numerator and a positive denominator, or None where it is none.

    The same as `parse_number`, but in lowest terms only where it is not a plain short decimal: a
    column has millions of those.
    """
    whole, _, decimals = text.removeprefix("-").partition(".")
    digits = whole + decimals
    if digits.isascii() and digits.isdigit() and len(digits) < len(_POWERS):
        numerator = int(digits)
        return -numerator if text[0] == "-" else numerator, _POWERS[len(decimals)]
    value = parse_number(text)
    return None if value is None else (value.numerator, value.denominator)


def first_not_number(column: Column) -> int | None:
    """Return the index of the first text of a column that is not a number."""
    return next((i for i, text in enumerate(column.texts) if ratio(text) is None), None)


def exact_numbers(column: Column) -> Numbers:
    """Return the numbers in a column.

    Raises
    ------
    InvalidInstance
        Where a cell is no number, or where the numbers are too unlike for their sums to be
        written: one with more than 400 digits, or no common denominator of less.
    """
    ratios, common = [], 1
    for text, line in zip(column.texts, column.lines, strict=True):
        found = ratio(text)
        if found is None:
            raise InvalidInstance(
                f"line {line}", f"{shown(text)} in column {shown(column.name)}, expected a number"
            )
        numerator, denominator = found
        if common % denominator:
            common = lcm(common, denominator)
        if max(common, abs(numerator)) >= _LARGE:
            raise InvalidInstance(
                f"line {line}",
                f"{shown(text)} in column {shown(column.name)}: the column's numbers have more "
                f"than {_LARGE_DIGITS} digits, or no common denominator of less",
            )
        ratios.append(found)
    distinct = [numerator * (common // denominator) for numerator, denominator in ratios]
    numerators = [distinct[code] for code in column.codes]
    return Numbers(numerators=numerators, denominator=common)


def affine_map(low: Fraction, high: Fraction) -> AffineMap:
    """Return a map of ``[low, high]`` into ``[-1, 1]`` by numbers of some two digits.

    Both are multiples of a tenth of the power of ten next below ``(high - low) / 2``, the centre
    that next to the middle, the scale the least for which the map is into ``[-1, 1]``.  It is at
    most ``(high - low) / 2`` and one and a half such multiples.
    """
    half = (high - low) / 2
    exponent = len(str(half.numerator)) - len(str(half.denominator))
    unit = Fraction(10) ** (exponent - 1 if Fraction(10) ** exponent <= half else exponent - 2)
    centre = round((low + high) / 2 / unit) * unit
    return AffineMap(centre=centre, scale=ceil(max(high - centre, centre - low) / unit) * unit)
