"""What an oracle returns: a number computed at two precisions, and exact rationals in and out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import mpmath

Real: TypeAlias = Any
"""A real number of mpmath, which ships no types."""

DIGITS = 50

_MORE_DIGITS = 15


@dataclass(frozen=True)
class Answer:
    """A number, and how far the answer at the lower precision was from it.

    Parameters
    ----------
    value : Fraction
        The answer at the higher precision, exactly as it was computed.
    spread : Fraction
        Its distance from the answer at the lower precision, and at least one unit of that.
    """

    value: Fraction
    spread: Fraction


def real(value: Fraction) -> Real:
    """Return a rational at mpmath's working precision."""
    return mpmath.mpf(value.numerator) / value.denominator


def rational(value: Real) -> Fraction:
    """Return a number of mpmath exactly."""
    number = mpmath.mpf(value)
    if not mpmath.isfinite(number):
        raise ValueError(f"an oracle's answer is {number}")
    mantissa, exponent = int(number.man), int(number.exp)
    return (-1 if number < 0 else 1) * abs(mantissa) * Fraction(2) ** exponent


def at_two_precisions(compute: Callable[[], Real], digits: int = DIGITS) -> Answer:
    """Compute a number at so many digits and at 15 more."""
    with mpmath.workdps(digits):
        first = rational(compute())
    with mpmath.workdps(digits + _MORE_DIGITS):
        second = rational(compute())
    unit = Fraction(1, 10**digits)
    return Answer(second, abs(first - second) + unit * max(abs(second), Fraction(1)))
