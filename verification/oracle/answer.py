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
_LARGEST_EXPONENT = 10**5


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
    """Return a number of mpmath exactly, but 0 for one below ``2**-100000``.

    Raises
    ------
    ValueError
        Where it is not finite, or larger than ``2**100000``.
    """
    number = mpmath.mpf(value)
    size = mpmath.mag(number)
    if not (mpmath.isfinite(number) and size <= _LARGEST_EXPONENT):
        raise ValueError(f"an oracle's answer is {mpmath.nstr(number)}")
    if size < -_LARGEST_EXPONENT:
        return Fraction(0)
    # The mantissa has no sign in mpmath 1.4, and had one before.
    sign = -1 if number < 0 else 1
    return sign * abs(int(number.man)) * Fraction(2) ** int(number.exp)


def at_two_precisions(compute: Callable[[], Real], digits: int = DIGITS) -> Answer:
    """Compute a number at so many digits and at 15 more."""
    with mpmath.workdps(digits):
        first = rational(compute())
    with mpmath.workdps(digits + _MORE_DIGITS):
        second = rational(compute())
    unit = Fraction(1, 10**digits)
    return Answer(second, abs(first - second) + unit * max(abs(second), Fraction(1)))
