"""Arithmetic on numbers that are rationals or balls: exact where both are rational."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from verification.enclosure.balls import Number, ball
from verification.enclosure.balls import total as ball_total


def minus(a: Number, b: Number) -> Number:
    """Return ``a - b``."""
    return a - b if isinstance(a, Fraction) and isinstance(b, Fraction) else ball(a) - ball(b)


def times(a: Number, b: Number) -> Number:
    """Return ``a b``."""
    return a * b if isinstance(a, Fraction) and isinstance(b, Fraction) else ball(a) * ball(b)


def over(a: Number, b: Number) -> Number:
    """Return ``a / b``."""
    return a / b if isinstance(a, Fraction) and isinstance(b, Fraction) else ball(a) / ball(b)


def absolute(x: Number) -> Number:
    """Return ``|x|``."""
    return abs(x) if isinstance(x, Fraction) else abs(ball(x))


def total(numbers: Sequence[Number]) -> Number:
    """Return the sum of finitely many numbers."""
    rationals = [x for x in numbers if isinstance(x, Fraction)]
    if len(rationals) == len(numbers):
        return sum(rationals, Fraction(0))
    return ball_total(ball(x) for x in numbers)
