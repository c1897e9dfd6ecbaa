"""Exact sums of rational numbers, and the lattice on which they lie: charged by their digits."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fractions import Fraction
from math import gcd, lcm

from verification.certificate.check.outcome import Budget, longest

_SHARE = 18
"""A gcd of numbers of m and n bits is charged m n / 2^18."""


def work_of_gcd(first: int, second: int) -> int:
    """Return what a common divisor or multiple of two integers is charged."""
    return 1 + (first.bit_length() * second.bit_length() >> _SHARE)


def work_of_sum(numbers: Collection[Fraction]) -> int:
    """Return what an exact sum is charged: it has the denominators of all."""
    bits = sum(x.bit_length() for x in {x.denominator for x in numbers})
    return len(numbers) * (1 + (bits * longest(numbers) >> _SHARE))


def largest_common_divisor(numbers: Iterable[Fraction], budget: Budget) -> Fraction:
    """Return the largest number of which all are multiples; 1 where all are 0."""
    distinct = list(dict.fromkeys(numbers))
    common, found = 1, 0
    for denominator in dict.fromkeys(x.denominator for x in distinct):
        budget.spend(work_of_gcd(common, denominator))
        common = lcm(common, denominator)
    for x in distinct:
        whole = x.numerator * (common // x.denominator)
        budget.spend(work_of_gcd(common, max(found, x.denominator)))
        found = gcd(found, whole)
    return Fraction(found or common, common)
