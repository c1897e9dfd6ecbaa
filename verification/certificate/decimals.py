"""Rounding of what a certificate brings to few digits."""

from __future__ import annotations

from fractions import Fraction

_DIGITS = 6


def few_digits(value: Fraction, *, digits: int = _DIGITS, upward: bool = False) -> Fraction:
    """Round to a few digits, towards 0 or away from it."""
    if not value:
        return value
    size = abs(value)
    unit = Fraction(10) ** (len(str(int(size))) - digits)
    while size < unit * 10 ** (digits - 1):
        unit /= 10
    steps = -(-size // unit) if upward else size // unit
    return steps * unit * (1 if value > 0 else -1)
