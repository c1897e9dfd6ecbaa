"""Ball arithmetic: the rules by which the rest of the project may use it.

A *ball* (`Ball`) is a midpoint and a radius that enclose one real number; arithmetic on balls
encloses the result, rounding included.  Its precision is a global of the process (`precision`),
which is why parallel work uses processes.

Three rules, each because its opposite runs and is silently wrong:

* compare through `less`, `less_equal` and `sign`, which have three answers (`Truth`); the
  operators ``<``, ``==``, ``max`` and ``if`` are hidden from the type checker;
* leave the balls through `enclosure`, `upper_double` or `lower_double`, which round outward;
* enter them through `ball`, from exact rationals: a double or a decimal text is not what it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from functools import reduce
from math import ceil, inf, ldexp, log10, nextafter
from typing import TypeAlias, TypeVar

from flint import __FLINT_VERSION__, acb, arb, ctx

from verification.errors import NotEnclosed
from verification.verdict import Enclosure, Truth

Ball: TypeAlias = arb
"""A real ball: an enclosure of one real number."""

ComplexBall: TypeAlias = acb
"""A rectangular complex ball: an enclosure of one complex number."""

AnyBall = TypeVar("AnyBall", Ball, ComplexBall)

Number: TypeAlias = Fraction | Ball
"""A rational, or a ball at the current working precision."""

FLINT_VERSION: str = __FLINT_VERSION__
"""Version of the library behind the balls; no package metadata names it."""

PRECISIONS = (64, 128, 256, 512, 1024)
"""Working precisions in bits, tried in this order until a comparison is decided."""

_EXPONENT_LIMIT = 2**16
_DOUBLE_BITS = 53
_SMALLEST_EXPONENT = -1074
_NARROW = arb(2.0**-10)
_UNIT_INTERVAL = arb(0, 1)
_ONE = arb(1)
_SAFELY_NORMAL = 2.0**-1000
_ZERO = Fraction(0)


@dataclass(frozen=True)
class Between:
    """A number known to lie between two others, far apart perhaps.

    A ball's radius has 30 bits only, so that the union of two distant balls loses nine digits of
    both end points.  Where an end point is a verdict, keep the two apart.
    """

    lower: Ball
    upper: Ball

    def map(self, increasing: Callable[[Ball], Ball]) -> Between:
        """Apply an increasing function."""
        return Between(increasing(self.lower), increasing(self.upper))


@dataclass(frozen=True)
class KeyedBall:
    """A ball as an argument of cached functions, for balls have no hash; make it with `keyed`.

    Two are equal where their midpoints and radii are, bit for bit; a ball that is not finite
    equals itself only.
    """

    ball: Ball = field(compare=False)
    key: tuple[object, ...]


def keyed(x: Ball) -> KeyedBall:
    """Return a ball with its key."""
    finite = x.is_finite()
    return KeyedBall(x, (*x.mid().man_exp(), *x.rad().man_exp()) if finite else (object(),))


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Work at `bits` bits inside the ``with`` block."""
    with ctx.workprec(bits):
        yield


def working_precision() -> int:
    """Return the working precision in bits."""
    return ctx.prec


def ball(value: Fraction | int | Ball) -> Ball:
    """Enclose an exact number; a ball is returned as it is."""
    # In the order of how fast the question is answered: this is called millions of times.
    if isinstance(value, arb):
        return value
    if isinstance(value, int):
        return arb(value)
    if isinstance(value, Fraction):
        numerator, denominator = value.as_integer_ratio()
        # A quotient of exact balls is rounded once.
        return arb(numerator) if denominator == 1 else arb(numerator) / denominator
    return arb(value)


def exact_ball(value: float) -> Ball:
    """Return a double, infinities included, as an exact ball."""
    return arb(value)


def complex_ball(real: Ball, imaginary: Ball) -> ComplexBall:
    """Return the complex ball with these parts."""
    return acb(real, imaginary)


def pi() -> Ball:
    """Enclose the number pi."""
    return arb.pi()


def interval(lower: Ball, upper: Ball) -> Ball:
    """Return a ball that contains every point between two balls, and both balls."""
    return lower.union(upper)


def is_narrow(x: Ball) -> bool:
    """Tell whether the radius is below 2**-10, where flint's own functions enclose sharply."""
    # The radius is an exact number: this comparison is certain, and NaN counts as wide.
    return bool(x.rad() < _NARROW)  # type: ignore[operator]


def sharp_if_increasing(curve: Callable[[Ball], Ball]) -> Callable[[Ball], Ball]:
    """Return an increasing function's enclosure that stays sharp on wide balls.

    On narrow balls (`is_narrow`) it is `curve`.
    """

    def hull(x: Ball) -> Ball:
        # `is_narrow`, without the call: this is the innermost loop of every quadrature.
        if x.rad() < _NARROW:  # type: ignore[operator]
            return curve(x)
        return curve(x.lower()).union(curve(x.upper()))

    return hull


def sharp_if_even(curve: Callable[[Ball], Ball]) -> Callable[[Ball], Ball]:
    """Return the enclosure of an even function that decreases in |x|, sharp on wide balls.

    On narrow balls (`is_narrow`) it is `curve`.
    """

    def hull(x: Ball) -> Ball:
        if x.rad() < _NARROW:  # type: ignore[operator]
            return curve(x)
        return curve(x.abs_upper()).union(curve(x.abs_lower()))

    return hull


def symmetric(radius: Ball) -> Ball:
    """Return a ball that contains ``[-r, r]`` for every number r in `radius`."""
    return _UNIT_INTERVAL * radius.abs_upper()


def less(x: Ball, y: Ball) -> Truth:
    """Decide ``x < y`` for the numbers that two balls enclose."""
    return _order(y - x, strict=True)


def less_equal(x: Ball, y: Ball) -> Truth:
    """Decide ``x <= y`` for the numbers that two balls enclose."""
    return _order(y - x, strict=False)


def _order(difference: Ball, *, strict: bool) -> Truth:
    if not difference.is_finite():
        return Truth.UNKNOWN
    # The end points are exact and finite: their mantissas have their signs.
    low, high = int(difference.lower().man_exp()[0]), int(difference.upper().man_exp()[0])
    if strict:
        return Truth.of(certainly=low > 0, possibly=high > 0)
    return Truth.of(certainly=low >= 0, possibly=high >= 0)


def sign(x: Ball) -> int | None:
    """Return -1, 0 or 1 where the sign of the enclosed number is certain, else None."""
    if x.is_zero():
        return 0
    if not x.is_finite():
        return None
    if int(x.lower().man_exp()[0]) > 0:
        return 1
    return -1 if int(x.upper().man_exp()[0]) < 0 else None


def maximum(values: Iterable[Ball]) -> Ball:
    """Enclose the maximum of finitely many numbers (at least one)."""
    return reduce(Ball.max, values)


def total_between(values: Iterable[Between]) -> Between:
    """Enclose the sum of numbers that are known to lie between two others."""
    known = list(values)
    return Between(total(x.lower for x in known), total(x.upper for x in known))


def maximum_between(values: Iterable[Between]) -> Between:
    """Enclose the maximum of finitely many numbers (at least one)."""
    known = list(values)
    return Between(maximum(x.lower for x in known), maximum(x.upper for x in known))


def end_points(x: Ball) -> tuple[Fraction, Fraction]:
    """Return the rational end points of a finite ball: exact, unless tiny.

    A midpoint or a radius below 2**-65536 in size is replaced by a radius of that order, so that
    the interval still contains the ball.

    Raises
    ------
    NotEnclosed
        Where the ball is not finite, or reaches beyond 2**65536.
    """
    centre, distance = centre_and_radius(x)
    return centre - distance, centre + distance


def centre_and_radius(x: Ball) -> tuple[Fraction, Fraction]:
    """Return the midpoint and the radius of a finite ball; see `end_points`."""
    if not x.is_finite():
        raise NotEnclosed("a ball that is not finite has no rational end points")
    (mid, beside), (rad, more) = _dyadic(x.mid()), _dyadic(x.rad())
    return mid, rad + beside + more if beside or more else rad


def _dyadic(x: Ball) -> tuple[Fraction, Fraction]:
    """Return an exact ball as a rational and a bound of its error, 0 unless it is tiny."""
    mantissa, exponent = (int(part) for part in x.man_exp())
    if exponent > _EXPONENT_LIMIT:
        raise NotEnclosed("a ball's exponent is beyond the supported range")
    if exponent < -_EXPONENT_LIMIT:
        size = max(mantissa.bit_length() + exponent, -_EXPONENT_LIMIT)
        return _ZERO, Fraction(2) ** size if mantissa else _ZERO
    return _times_power_of_two(mantissa, exponent), _ZERO


def _times_power_of_two(mantissa: int, exponent: int) -> Fraction:
    if exponent >= 0:
        return Fraction(mantissa << exponent)
    return Fraction(mantissa, 1 << -exponent)


def enclosure(x: Ball | Fraction | Between) -> Enclosure:
    """Return decimal end points, rounded outward, of an enclosed number or a rational.

    The decimals carry three digits more than the working precision.  A ball that is not finite
    becomes the whole line.
    """
    digits = ceil(ctx.prec * log10(2)) + 3
    if isinstance(x, Fraction):
        return Enclosure.of_fraction(x, digits)
    if isinstance(x, Between):
        return Enclosure(enclosure(x.lower).lower, enclosure(x.upper).upper)
    if not x.is_finite():
        return Enclosure(Decimal("-Infinity"), Decimal("Infinity"))
    low, high = _decimal_end_points(x, digits)
    return Enclosure(low, high)


def _decimal_end_points(x: Ball, digits: int) -> tuple[Decimal, Decimal]:
    # Tiny numbers such as exp(-1e9) are legitimate: their end points would not fit in memory as
    # rationals, so the decimal context (whose exponents are 64-bit) takes powers of two itself.
    bounds = []
    for bound, rounding in ((x.lower(), ROUND_FLOOR), (x.upper(), ROUND_CEILING)):
        mantissa, exponent = (int(part) for part in bound.man_exp())
        if abs(exponent) > _EXPONENT_LIMIT:
            bounds.append(_far(mantissa, exponent, rounding))
            continue
        exact = _times_power_of_two(mantissa, exponent)
        context = Context(prec=digits, rounding=rounding, Emax=10**9, Emin=-(10**9))
        bounds.append(context.divide(Decimal(exact.numerator), Decimal(exact.denominator)))
    return bounds[0], bounds[1]


def _far(mantissa: int, exponent: int, rounding: str) -> Decimal:
    """Bound ``mantissa * 2**exponent`` from the side that `rounding` names, coarsely."""
    if mantissa == 0:
        return Decimal(0)
    outward = (rounding == ROUND_CEILING) == (mantissa > 0)
    if exponent > 0:
        huge = Decimal("Infinity") if outward else Decimal(1).scaleb(19_000)
    else:
        huge = Decimal(1).scaleb(-19_000) if outward else Decimal(0)
    return huge if mantissa > 0 else -huge


def upper_double(x: Ball) -> float:
    """Return the least double no smaller than what a ball encloses (may be infinite)."""
    if not x.is_finite():
        return inf
    top = x.upper()
    nearby = float(top)  # type: ignore[arg-type]
    if _SAFELY_NORMAL < abs(nearby) < 1 / _SAFELY_NORMAL:
        # Exact comparisons of exact numbers: a double next to it on one side or the other.
        return nextafter(nearby, inf) if top > nearby else nearby  # type: ignore[operator]
    parts = top.man_exp()
    mantissa, exponent = int(parts[0]), int(parts[1])
    # What is left has 53 bits or fewer, and none below those of the subnormal doubles.
    excess = max(mantissa.bit_length() - _DOUBLE_BITS, _SMALLEST_EXPONENT - exponent, 0)
    rounded = -(-mantissa >> excess)
    if not rounded:
        # As usual in doubles, what is rounded to zero keeps its sign.
        return -0.0 if mantissa else 0.0
    try:
        return ldexp(rounded, exponent + excess)
    except OverflowError:
        return inf if mantissa > 0 else -nextafter(inf, 0)


def lower_double(x: Ball) -> float:
    """Return the largest double no larger than what a ball encloses (may be infinite)."""
    return -upper_double(-x)


def double_estimate(x: Ball) -> float:
    """Return about the midpoint of a ball, faster than a bound (may be infinite)."""
    if not x.is_finite():
        return inf
    mantissa, exponent = (int(part) for part in x.mid().man_exp())
    spare = max(mantissa.bit_length() - 64, 0)
    try:
        return ldexp(mantissa >> spare, exponent + spare)
    except OverflowError:
        return inf


def binary_exponent(x: Ball) -> int:
    """Return the least integer k for which a ball is surely within 2**k of 0; 0 where it is 0.

    Raises
    ------
    NotEnclosed
        Where the ball is not finite, or k is beyond 65536 in size.
    """
    if not x.is_finite():
        raise NotEnclosed("a ball that is not finite has no size")
    mantissa, exponent = (int(part) for part in x.abs_upper().man_exp())
    found = exponent + mantissa.bit_length() if mantissa else 0
    if abs(found) > _EXPONENT_LIMIT:
        raise NotEnclosed("a ball's exponent is beyond the supported range")
    return found


def midpoint(x: Ball) -> Ball:
    """Return the midpoint as an exact ball: a candidate, never a bound."""
    return x.mid()


def radius(x: Ball) -> Ball:
    """Return the radius as an exact ball."""
    return x.rad()


def fixed_point(x: Ball, bits: int) -> int:
    """Return an integer n with ``|n - 2**bits m| <= 1/2``, m the midpoint of a finite ball.

    So ``n 2**-bits`` is within ``radius(x) + 2**-(bits + 1)`` of the number.
    """
    mantissa, exponent = (int(part) for part in x.mid().man_exp())
    shift = exponent + bits
    if shift >= 0:
        return mantissa << shift
    return ((mantissa >> (-shift - 1)) + 1) >> 1


def square(x: AnyBall) -> AnyBall:
    """Enclose ``x * x``."""
    # Not ``x ** 2``: flint's power of a ball around 0 is NaN.
    return x * x


def root(x: Ball) -> Ball:
    """Enclose the square root of a number >= 0, of which the ball may say less."""
    return x.nonnegative_part().sqrt()


def gamma(x: AnyBall) -> AnyBall:
    """Enclose the gamma function, of a complex number too."""
    return x.gamma()


def power(x: Ball, exponent: int) -> Ball:
    """Enclose ``x ** exponent`` for an exponent >= 0."""
    result = _ONE
    while exponent:
        if exponent & 1:
            result = result * x
        x, exponent = x * x, exponent >> 1
    return result


def total(terms: Iterable[Ball]) -> Ball:
    """Enclose a finite sum."""
    return sum(terms, arb(0))


def is_finite(x: Ball) -> bool:
    """Tell whether a ball is a bounded interval."""
    return x.is_finite()


def shown(x: Ball | Fraction | Between, digits: int = 10) -> str:
    """Return a short decimal for a sentence, marked with ~ where it is rounded."""
    bounds = enclosure(x).rounded(digits)
    if bounds.lower == bounds.upper:
        return f"{bounds.lower.normalize():f}"
    return f"~{bounds.upper:.{digits - 1}g}"
