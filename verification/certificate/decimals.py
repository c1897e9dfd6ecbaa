"""How numbers of a certificate are written: rounded to few digits, or over one denominator."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm

from verification.certificate.check.reading import MAX_DIGITS
from verification.errors import NotEnclosed
from verification.instance import Json
from verification.strict_json import format_number

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


def vector(values: Sequence[Fraction | object]) -> Json:
    """Write a vector over its least common denominator.

    Raises
    ------
    NotEnclosed
        Where it is not exact, or too long.
    """
    exact = [value for value in values if isinstance(value, Fraction)]
    if len(exact) < len(values):
        raise NotEnclosed(
            "the chain is not solved in rationals: such certificates are not made yet"
        )
    common = lcm(*(value.denominator for value in exact))
    numerators = [value.numerator * (common // value.denominator) for value in exact]
    if max(common, *map(abs, numerators)).bit_length() > MAX_DIGITS * 3:
        raise NotEnclosed(f"a witness has numbers of more than {MAX_DIGITS} digits")
    return {"denominator": str(common), "numerators": [str(value) for value in numerators]}


def texts(values: Sequence[Fraction]) -> list[Json]:
    """Write exact numbers."""
    return [format_number(value) for value in values]
