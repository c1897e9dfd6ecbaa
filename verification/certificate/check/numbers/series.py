"""What is left of a Taylor series after some terms, by Cauchy's inequality."""

from __future__ import annotations

from fractions import Fraction

from verification.certificate.check.numbers.balls import Ball, ball, integer_power

TERMS = 20
"""How many terms of a Taylor series are used."""


def by_cauchy(height: Ball, ratio: Fraction) -> Ball:
    """Bound what follows the first `TERMS` terms: ``sup |f| q^N / (1 - q)``, q = r/R < 1."""
    return height * integer_power(ball(ratio), TERMS) / ball(1 - ratio)


def least(bounds: list[Ball]) -> Ball:
    """Return the least of some bounds."""
    found = bounds[0]
    for bound in bounds[1:]:
        found = found.min(bound)
    return found
