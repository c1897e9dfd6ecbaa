"""Changes of sign for a certificate to bring, found with the checker's own functions.

Nothing rests on this search: the checker shows that each is one, and that there is no other that
matters.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from verification.certificate.check.linear.kernels import Function
from verification.certificate.check.linear.norms import end_of, marks_of, rough_norm
from verification.certificate.check.numbers.balls import (
    Ball,
    ball,
    bounds,
    integer_power,
    lower,
    precision,
    total,
    upper,
)
from verification.certificate.check.numbers.series import TERMS
from verification.certificate.check.outcome import Budget
from verification.errors import NotEnclosed
from verification.instance import Json

_BITS = 256
_DIGITS = 20
_HALVINGS, _TOWARDS_ZERO = 40, 120
_MOST = 4_000
_NEGLIGIBLE_BITS = 20
_ROUNDS = 4
_BISECTIONS, _NEWTON_STEPS = 48, 4
_ROUNDING = 2**100


def sign_changes(function: Function, bits: int) -> list[Json]:
    """Return where a function changes its sign, as decimals, for its norm to so many bits.

    Raises
    ------
    NotEnclosed
        Where it does so too often.
    """
    if not function:
        return []
    with precision(_BITS):
        # What is left out beside the norm is known when the changes are.
        tolerance = upper(total([piece.tail(Fraction(0)) for piece in function])) / 2**bits
        for _ in range(_ROUNDS):
            end = end_of(function, tolerance, Budget())
            known = _known_signs(function, end, tolerance / 2**_NEGLIGIBLE_BITS)
            found = [
                _decimal(_root(function, before, after, first))
                for (before, first), (after, second) in pairwise(known)
                if first != second
            ]
            least = lower(rough_norm(function, tuple(map(Fraction, found))))
            before, tolerance = tolerance, max(least, tolerance / 2**bits) / 2 ** (bits + 4)
            if before <= 2 * tolerance:
                break
        return list(found)


def _known_signs(
    function: Function, end: Fraction, negligible: Fraction
) -> list[tuple[Fraction, int]]:
    """Return points with the sign that f has beside them, both ends of each interval.

    Intervals on which the integral of ``|f|`` is negligible are left out.
    """
    # A function may be as fast near 0 as it lasts long.
    waiting = [
        (a, b, 0 if a else _HALVINGS - _TOWARDS_ZERO)
        for a, b in pairwise(marks_of(function, (), end))
    ][::-1]
    found: list[tuple[Fraction, int]] = []
    tried = 0
    while waiting:
        a, b, depth = waiting.pop()
        tried += 1
        if tried > _MOST:
            raise NotEnclosed("a function changes its sign too often for a certificate")
        signs = _signs(function, a, b, negligible)
        if signs is not None:
            found += [(t, s) for t, s in zip((a, b), signs, strict=True) if s]
        elif depth < _HALVINGS:
            middle = (a + b) / 2
            waiting += [(middle, b, max(depth, 0) + 1), (a, middle, depth + 1)]
    return found


def _signs(
    function: Function, a: Fraction, b: Fraction, negligible: Fraction
) -> tuple[int, int] | None:
    """Return the signs at both ends, 0 where unknown, where f is monotone or has one sign."""
    reach = (b - a) / 2
    rests = [piece.rest(a + reach, reach) for piece in function]
    known = [x for x in rests if x is not None]
    if len(known) < len(rests):
        return None
    series = [piece.taylor(a + reach, TERMS) for piece in function]
    terms = [
        total(each) * integer_power(ball(reach), k)
        for k, each in enumerate(zip(*series, strict=True))
    ]
    rest = total(known)
    if lower(abs(terms[0]) - total([abs(x) for x in terms[1:]]) - rest) >= 0:
        return (_sign(terms[0]),) * 2
    if upper(total([abs(x) for x in terms]) + rest) * (b - a) <= negligible:
        return 0, 0
    turning = total([k * abs(x) for k, x in enumerate(terms[2:], start=2)])
    if lower(abs(terms[1]) - turning) <= 0:
        return None
    even, odd = total(terms[::2]), total(terms[1::2])
    # At an end where f is 0, or nearly, nothing is known: the other one tells.
    ends = even - odd, even + odd
    first, last = (_sign(x) if lower(abs(x) - rest) > 0 else 0 for x in ends)
    return (first, last) if first or last else None


def _sign(value: Ball) -> int:
    return (lower(value) > 0) - (upper(value) < 0)


def _root(function: Function, before: Fraction, after: Fraction, first: int) -> Fraction:
    """Return about where f changes its sign between two points: Newton's steps end a bisection."""
    start, end = before, after
    for _ in range(_BISECTIONS):
        middle = (before + after) / 2
        sign = _sign(total([piece.taylor(middle, 1)[0] for piece in function]))
        if not sign:
            return middle
        before, after = (middle, after) if sign == first else (before, middle)
        if after - before < (end - start) / 2**12 and _is_smooth(function, before, after):
            break
    point = (before + after) / 2
    if not _is_smooth(function, before, after):
        return point
    for _ in range(_NEWTON_STEPS):
        series = [piece.taylor(point, 2) for piece in function]
        value, slope = (total(each) for each in zip(*series, strict=True))
        if lower(abs(slope)) <= 0:
            return point
        step = bounds(value / slope)
        scale = _ROUNDING / min(end, after)
        moved = point - Fraction(round((step.lower + step.upper) / 2 * scale)) / scale
        point = max(start, min(end, moved))
    return point


def _is_smooth(function: Function, before: Fraction, after: Fraction) -> bool:
    return not any(before <= x <= after for piece in function for x in piece.kinks)


def _decimal(value: Fraction) -> str:
    decimals = max(0, _DIGITS - len(str(int(value))))
    scaled = str(round(value * 10**decimals)).rjust(decimals + 1, "0")
    return f"{scaled[:-decimals]}.{scaled[-decimals:]}" if decimals else scaled
