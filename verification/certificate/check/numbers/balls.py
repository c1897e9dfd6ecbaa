"""Ball arithmetic for the checker; here and in `complex_balls` FLINT is loaded, nowhere else.

A ball encloses a number.  It is compared by its rational end points only, and never by the
operators of python-flint, which answer yes or no where nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import TypeVar

from flint import arb, arb_mat, ctx, fmpq, fmpz, fmpz_mat

from verification.certificate.check.numbers.bounds import Bounds
from verification.certificate.check.outcome import Refused

Ball = arb
BallMatrix = arb_mat
Integer = fmpz
"""An integer of FLINT's: in matrices of long ones Python's would cost more than the products."""
IntegerMatrix = fmpz_mat

_Entry = TypeVar("_Entry")

_EXPONENT_LIMIT = 40_000


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Work at so many bits."""
    with ctx.workprec(bits):
        yield


def working_precision() -> int:
    """Return the working precision in bits."""
    return ctx.prec


def ball(value: Fraction | int) -> Ball:
    """Enclose an exact number."""
    return arb(fmpq(value.numerator, value.denominator))


def pi() -> Ball:
    """Enclose the number pi."""
    return arb.pi()


def around(middle: Ball, radius: Ball) -> Ball:
    """Return a ball that contains everything within a radius of a number."""
    return middle + arb(0, 1) * radius.abs_upper()


def between(lower: Fraction, upper: Fraction) -> Ball:
    """Return a ball that contains an interval."""
    return ball(lower).union(ball(upper))


def legendre(count: int) -> list[tuple[Ball, Ball]]:
    """Return nodes and weights of the Gauss-Legendre rule on ``[-1, 1]``."""
    return [arb.legendre_p_root(count, k, True) for k in range(count)]


def total(values: Sequence[Ball]) -> Ball:
    """Return a sum."""
    result = arb(0)
    for value in values:
        result = result + value
    return result


def largest(values: Sequence[Ball]) -> Ball:
    """Enclose the largest of numbers, at least one."""
    result = values[0]
    for value in values[1:]:
        result = result.max(value)
    return result


def least(values: Sequence[Ball]) -> Ball:
    """Enclose the least of numbers, at least one."""
    result = values[0]
    for value in values[1:]:
        result = result.min(value)
    return result


def root(x: Ball) -> Ball:
    """Enclose the root of a number that is no less than 0, whatever its ball has below."""
    return x.nonnegative_part().sqrt()


def matrix(rows: Sequence[Sequence[Fraction]]) -> BallMatrix:
    """Enclose a matrix of exact numbers."""
    return arb_mat([[ball(x) for x in row] for row in rows])


def column(values: Sequence[Fraction]) -> BallMatrix:
    """Enclose a column of exact numbers."""
    return matrix([[value] for value in values])


def balls_column(values: Sequence[Ball]) -> BallMatrix:
    """Return balls as a column."""
    return arb_mat(len(values), 1, values)


def integer_matrix(rows: Sequence[Sequence[Integer]]) -> IntegerMatrix:
    """Return a matrix of integers, whose products are exact."""
    return fmpz_mat(len(rows), len(rows[0]), [x for row in rows for x in row])


def integer_rows(entries: IntegerMatrix) -> list[list[Integer]]:
    """Return the rows of a matrix of integers."""
    return _in_rows(entries.entries(), entries.ncols())


def near_integers(entries: BallMatrix, bits: int) -> tuple[list[list[Integer]], list[Fraction]]:
    """Return integers near ``2^bits`` times the entries, and how far off a row is, added up."""
    width = entries.ncols()
    rows = _in_rows(entries.entries(), width)
    off = [upper(total([x.rad() for x in row])) * (1 << bits) + width for row in rows]
    return [[_shifted(x.mid(), bits) for x in row] for row in rows], off


def _in_rows(entries: list[_Entry], width: int) -> list[list[_Entry]]:
    return [entries[k : k + width] for k in range(0, len(entries), width)]


def _shifted(x: Ball, bits: int) -> Integer:
    mantissa, exponent = x.man_exp()
    shift = int(exponent) + bits
    return mantissa << shift if shift >= 0 else mantissa >> -shift


def bounds(x: Ball) -> Bounds:
    """Return the rational end points of a ball.

    Raises
    ------
    Refused
        Where it is not finite, or beyond all reason.
    """
    if not x.is_finite():
        raise Refused("a number cannot be enclosed at any precision tried")
    return Bounds(_exact(x.lower()), _exact(x.upper()))


def _exact(x: Ball) -> Fraction:
    if x.is_zero():
        return Fraction(0)
    mantissa, exponent = (int(part) for part in x.man_exp())
    if abs(exponent) > _EXPONENT_LIMIT:
        raise Refused("a number is too large or too small")
    if exponent >= 0:
        return Fraction(mantissa << exponent)
    return Fraction(mantissa, 1 << -exponent)


def at_precision(value: Callable[[], Ball], spare: int = 0) -> Callable[[int], Bounds]:
    """Return a side that is enclosed at the precision asked for, with some bits to spare."""

    def at(bits: int) -> Bounds:
        with precision(bits + spare):
            return bounds(value())

    return at


def upper(x: Ball) -> Fraction:
    """Return a rational no smaller than a number."""
    return bounds(x).upper


def lower(x: Ball) -> Fraction:
    """Return a rational no larger than a number."""
    return bounds(x).lower


def magnitude(x: Ball) -> Ball:
    """Return ``|x|``, nowhere below 0: ``abs`` of a ball around 0 is."""
    return abs(x).nonnegative_part()


def integer_power(x: Ball, exponent: int) -> Ball:
    """Return ``x^n``, n >= 0."""
    result, factor = arb(1), x
    while exponent:
        if exponent & 1:
            result = result * factor
        factor = factor * factor
        exponent >>= 1
    return result
