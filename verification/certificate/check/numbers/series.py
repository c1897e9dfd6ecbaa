"""What is left of a Taylor series after some terms, by Cauchy's inequality."""

from __future__ import annotations

from fractions import Fraction

from verification.certificate.check.numbers.balls import Ball, ball, integer_power

TERMS = 20
"""How many terms of a Taylor series are used."""

_BITS = 8


def by_cauchy(height: Ball, ratio: Fraction) -> Ball:
    """Bound what follows the first `TERMS` terms: ``sup |f| q^N / (1 - q)``, q = r/R < 1."""
    return height * integer_power(ball(ratio), TERMS) / ball(1 - ratio)


def reach_of(speed: Fraction) -> Fraction:
    """Return how far ``exp(speed x)`` grows to about ``exp(TERMS)``: beyond, less is gained.

    Its digits are few whatever the unit of time is.
    """
    exact = TERMS / speed
    unit = Fraction(2) ** (exact.numerator.bit_length() - exact.denominator.bit_length() - _BITS)
    return unit * (exact // unit)
