"""Enclosures and ratios as a reader wants them: few digits, every one of them true.

``0.93716…``
    The number begins with these digits.
``0.25 ± 2×10⁻¹⁹``
    The number is that close to 0.25; used where the end points share no digits, or where
    the shared ones end in a row of zeros.
``[0.3, 0.81]``
    It lies between; used where little is known.
``0.937[16, 18]``
    It lies between 0.93716 and 0.93718; used for end points.

All end points are rounded outward, so that what is shown is never more than what is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
)

from verification.verdict import SLACK_BITS

_MOST_DIGITS = 8
_MOST_EXACT_DIGITS = 12
_LEAST_RESOLVED = 3
_ROUND = 4
_POSITIONAL = range(-4, 13)
_WORK_DIGITS = 80
_RATIO_DIGITS = 5
_PLAIN_DIGITS = 7
_LEAST_SHARED = 4
_LEAST_DIGITS = 8
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def short(end_points: Mapping[str, str]) -> str:
    """Return a short text for ``{"lower": ..., "upper": ...}``; see the module's docstring."""
    lower, upper = Decimal(end_points["lower"]), Decimal(end_points["upper"])
    if not (lower.is_finite() and upper.is_finite()):
        return _half_line(lower, upper)
    if lower == upper:
        return _exact(lower)
    if lower.is_zero() or upper.is_zero() or (lower < 0 < upper):
        return _around_zero(lower, upper)
    width = _context(ROUND_CEILING).subtract(upper, lower)
    resolved = max(lower.adjusted(), upper.adjusted()) - width.adjusted()
    common = _common_digits(lower, upper)
    if resolved < _LEAST_RESOLVED:
        return f"[{_rounded(lower, ROUND_FLOOR, 3)}, {_rounded(upper, ROUND_CEILING, 3)}]"
    # Coarser than the width: where a carry runs through all digits, this is the number after it.
    near = _context(ROUND_HALF_EVEN)
    middle = near.divide(near.add(lower, upper), Decimal(2))
    middle = _context(ROUND_HALF_EVEN, middle.adjusted() - width.adjusted()).plus(middle)
    begins = common[:_MOST_DIGITS]
    round_number = len(_digits(middle)) <= len(begins) - _ROUND
    if len(common) >= min(resolved, _MOST_DIGITS) and not round_number:
        return _number(lower.is_signed(), begins, lower.adjusted(), more=True)
    above = _context(ROUND_CEILING)
    radius = max(above.subtract(upper, middle), above.subtract(middle, lower))
    return f"{_exact(middle)} ± {_rounded(radius, ROUND_CEILING, 1)}"


def end_points(bounds: Mapping[str, str]) -> str:
    """Return both end points, the digits that they share once; rounded outward, little."""
    ends = [Decimal(bounds["lower"]), Decimal(bounds["upper"])]
    if ends[0] == ends[1]:
        return bounds["lower"]
    digits = _LEAST_DIGITS
    if all(end.is_finite() for end in ends):
        width = _context(ROUND_CEILING).subtract(ends[1], ends[0])
        digits = max(max(end.adjusted() for end in ends if end) - width.adjusted() + 4, digits)
    lower, upper = (
        str(_context(rounding, digits).plus(end))
        for rounding, end in zip((ROUND_FLOOR, ROUND_CEILING), ends, strict=True)
    )
    shared = _shared(lower, upper)
    # Behind the point only: 12[34, 56] would read as a product.
    alike = _are_alike(lower, upper) and "." in shared
    if not alike or sum(map(str.isdigit, shared)) < _LEAST_SHARED:
        return f"[{lower}, {upper}]"
    rests = [text[len(shared) :].partition("E") for text in (lower, upper)]
    return f"{shared}[{rests[0][0]}, {rests[1][0]}]" + "".join(rests[0][1:])


def _are_alike(lower: str, upper: str) -> bool:
    """Tell whether two decimal texts have one exponent and their points in one place."""
    (first, _, power), (second, _, other) = lower.partition("E"), upper.partition("E")
    return power == other and first.find(".") == second.find(".")


def _shared(first: str, second: str) -> str:
    """Return what two mantissas begin with, but never all of either."""
    first, second = (text.partition("E")[0] for text in (first, second))
    most = min(len(first), len(second)) - 1
    return first[: next((i for i in range(most) if first[i] != second[i]), most)]


def plain(value: Decimal) -> str:
    """Return a number on an axis: exact where it is short, of seven digits else."""
    if value.is_zero():
        return "0"
    rounded = _context(ROUND_HALF_EVEN, _PLAIN_DIGITS).plus(value)
    digits = _digits(rounded)
    positional = range(-3, 5) if len(digits) == 1 else range(-3, _PLAIN_DIGITS)
    return _number(rounded.is_signed(), digits, rounded.adjusted(), positional=positional)


def ratio(value: float) -> str:
    """Return a tightness, rounded down; ``1`` where the two sides agree up to the slack."""
    if abs(value - 1) <= 2.0**-SLACK_BITS:
        return "1"
    # The shortest text of a double: 1.0007 is not to become 1.0006 for being stored below it.
    rounded = _context(ROUND_FLOOR, _RATIO_DIGITS).plus(Decimal(repr(value)))
    if rounded.is_zero():
        return "0"
    digits = _digits(rounded).ljust(_RATIO_DIGITS, "0")
    return _number(rounded.is_signed(), digits, rounded.adjusted())


def _context(rounding: str, digits: int = _WORK_DIGITS) -> Context:
    return Context(prec=digits, rounding=rounding, Emax=MAX_EMAX, Emin=MIN_EMIN)


def _half_line(lower: Decimal, upper: Decimal) -> str:
    if lower.is_finite():
        return f"≥ {_rounded(lower, ROUND_FLOOR, 3)}"
    if upper.is_finite():
        return f"≤ {_rounded(upper, ROUND_CEILING, 3)}"
    return f"{'−' if upper < 0 else ''}∞" if lower == upper else "not bounded"


def _exact(value: Decimal) -> str:
    if value.is_zero():
        return "0"
    digits = _digits(value)
    if len(digits) <= _MOST_EXACT_DIGITS:
        return _number(value.is_signed(), digits, value.adjusted())
    return _number(value.is_signed(), digits[:_MOST_DIGITS], value.adjusted(), more=True)


def _around_zero(lower: Decimal, upper: Decimal) -> str:
    if lower == -upper:
        return f"0 ± {_rounded(upper, ROUND_CEILING, 1)}"
    return f"[{_rounded(lower, ROUND_FLOOR, 3)}, {_rounded(upper, ROUND_CEILING, 3)}]"


def _rounded(value: Decimal, rounding: str, digits: int) -> str:
    value = _context(rounding, digits).plus(value)
    if value.is_zero():
        return "0"
    return _number(value.is_signed(), _digits(value), value.adjusted())


def _digits(value: Decimal) -> str:
    return "".join(map(str, value.as_tuple().digits)).rstrip("0")


def _common_digits(lower: Decimal, upper: Decimal) -> str:
    """Return the leading digits that two numbers of one sign share, none if sizes differ."""
    if lower.is_signed() != upper.is_signed() or lower.adjusted() != upper.adjusted():
        return ""
    texts = [_digits(value).ljust(_WORK_DIGITS, "0") for value in (lower, upper)]
    count = 0
    while texts[0][count] == texts[1][count]:
        count += 1
    return texts[0][:count]


def _number(
    negative: bool,
    digits: str,
    exponent: int,
    *,
    more: bool = False,
    positional: range = _POSITIONAL,
) -> str:
    """Return ``d.ddd * 10**exponent``, positional where that is short; `more` digits follow."""
    sign, rest = "−" if negative else "", "…" if more else ""
    # Digits left of the point cannot be elided: 123… would read as a number near 123.
    if exponent not in positional or (more and exponent >= len(digits) - 1):
        mantissa = digits[0] + (f".{digits[1:]}" if digits[1:] else "")
        if mantissa == "1" and not more:
            mantissa = ""
        power = "10" + str(exponent).translate(_SUPERSCRIPTS)
        return f"{sign}{mantissa}{rest}{'×' if mantissa else ''}{power}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}{rest}"
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    decimals = digits[exponent + 1 :]
    return f"{sign}{whole}{f'.{decimals}' if decimals else ''}{rest}"
