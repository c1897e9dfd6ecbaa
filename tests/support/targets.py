"""Parts of targets, in few words."""

from __future__ import annotations

from fractions import Fraction

from verification.linear_functional import Exponential


def wave(coefficient, rate, power=0, frequency=0, sine=0) -> Exponential:
    """Return ``t^power exp(-rate t) (coefficient cos(frequency t) + sine sin(frequency t))``."""
    return Exponential(
        coefficient=Fraction(coefficient),
        rate=Fraction(rate),
        power=power,
        frequency=Fraction(frequency),
        sine=Fraction(sine),
    )
