"""Double precision with proved errors: roundings, sums, elementary functions.

**The model.**  Doubles are IEEE 754 binary64, rounded to nearest, with gradual underflow.  One
operation returns ``(a op b)(1 + d) + e`` with ``|d| <= u = 2**-53``, and ``|e| <= 2**-1075`` where
it can underflow (never in a sum).  A sum of n products, in any order, with fused operations or
without, errs by at most ``gamma(n) sum |a_i| |b_i|``, ``gamma(n) = n u / (1 - n u)`` (Higham,
*Accuracy and Stability of Numerical Algorithms*, 2nd ed., section 3.1), and as many underflows.

**Elementary functions.**  IEEE promises nothing for them and numpy documents no bound; they differ
by a few units in the last place (ulp) between processors.  `ASSUMED_ULP` says how many are
assumed here; `verification.enclosure.selftest` measures them against balls at every start.

**Use.**  A kernel is written twice: once on arrays, once on `Rounded`, which carries a bound of the
array's entries and of their error through the same operations.  All bounds are exact rationals.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import fsum, inf, isfinite, nextafter
from typing import TYPE_CHECKING

from verification.enclosure.balls import Ball, ball, centre_and_radius, upper_double
from verification.errors import NotEnclosed

if TYPE_CHECKING:
    import numpy as np

UNIT_ROUNDOFF = Fraction(1, 2**53)

UNDERFLOW = Fraction(1, 2**1000)
"""More than the underflows of 2**75 operations together."""

ASSUMED_ULP = {"tanh": 4, "exp": 2, "arctan": 2, "sin": 2, "cos": 2, "erf": 4}
"""Largest error of each elementary function in ulp of the exact value, on `ELEMENTARY_RANGE`."""

ELEMENTARY_RANGE = 2**30
"""Elementary functions are used, and measured, at arguments up to this size."""

# The exact values lie below 2**m: those of cos and of exp, at arguments <= 0, include 1.
_BINADE = {"tanh": 0, "exp": 1, "arctan": 1, "sin": 0, "cos": 1, "erf": 0}


@lru_cache(maxsize=16)
def elementary(name: str) -> np.ufunc:
    """Return the elementary function that the kernels use, a universal function of numpy."""
    if name == "erf":
        from scipy.special import erf  # noqa: PLC0415 - heavy, and needed by one function only

        return erf
    import numpy  # noqa: PLC0415 - this module's bounds do without

    function: np.ufunc = getattr(numpy, name)
    return function


def elementary_error(name: str) -> Fraction:
    """Bound the absolute error of an elementary function; of exp, at arguments <= 0."""
    return ASSUMED_ULP[name] * Fraction(2) ** (_BINADE[name] - 53)


def gamma(count: int) -> Fraction:
    """Return ``n u / (1 - n u)``: n roundings in a row change a number by at most this factor."""
    if not 0 <= count * UNIT_ROUNDOFF < 1:
        raise ValueError(f"count is {count}, expected 0 to 2**53 - 1")
    return count * UNIT_ROUNDOFF / (1 - count * UNIT_ROUNDOFF)


@dataclass(frozen=True)
class Rounded:
    """Bounds for an array of doubles beside the exact numbers that it stands for.

    Both are bounds in one norm of arrays in which ``|1| <= 1`` and ``|a b| <= |a| |b|``, such as
    the maximum; or a weighted mean of absolute values over an index that at most one of a and b
    depends on.

    Parameters
    ----------
    size : Fraction
        Upper bound of the doubles.
    error : Fraction
        Upper bound of their distance from the exact numbers.
    """

    size: Fraction
    error: Fraction = Fraction(0)

    def __add__(self, other: Rounded) -> Rounded:
        """Bound a rounded sum."""
        return dot(((self, ONE), (other, ONE)), roundings=1)

    def __mul__(self, other: Rounded) -> Rounded:
        """Bound a rounded product."""
        return dot(((self, other),), roundings=1)

    def of_function(self, lipschitz: Fraction, size: Fraction, error: Fraction) -> Rounded:
        """Bound a function's rounded values.

        Parameters
        ----------
        lipschitz, size : Fraction
            Bounds of the exact function's derivative and of its values.
        error : Fraction
            Bound of the rounded function's error at arguments that are doubles.
        """
        return Rounded(size + error, lipschitz * self.error + error)


ONE = Rounded(Fraction(1))


def dot(terms: Iterable[tuple[Rounded, Rounded]], *, roundings: int) -> Rounded:
    """Bound a sum of products in which no term passes through more than so many roundings.

    A sum of n products takes n, whatever the order of the summation and fused or not.
    """
    sizes = errors = Fraction(0)
    for a, b in terms:
        sizes += a.size * b.size
        # |a'b' - ab| <= |a'| |b' - b| + |a' - a| |b|, with |b| <= |b'| + |b' - b|.
        errors += a.size * b.error + a.error * (b.size + b.error)
    rounding = gamma(roundings) * sizes + UNDERFLOW
    return Rounded(sizes + rounding, errors + rounding)


def nearest(value: Fraction | Ball) -> tuple[float, Rounded]:
    """Return a double next to a number, with its size and its error.

    Raises
    ------
    NotEnclosed
        Where the number is beyond the range of doubles.
    """
    centre, radius = (value, None) if isinstance(value, Fraction) else centre_and_radius(value)
    try:
        double = float(centre)
    except OverflowError:
        raise NotEnclosed("a number is beyond the range of double precision") from None
    exact = Fraction(double)
    error = abs(exact - centre)
    return double, Rounded(abs(exact), error + radius if radius else error)


def upward(bound: Fraction) -> float:
    """Return a double no smaller than a rational number (may be infinite)."""
    return upper_double(ball(bound))


def above(bound: Fraction | Ball) -> Fraction:
    """Return a rational no smaller than a number.

    Raises
    ------
    NotEnclosed
        Where no double is as large.
    """
    double = upper_double(ball(bound))
    if double == inf:
        raise NotEnclosed("a bound is beyond the range of double precision")
    return Fraction(double)


def sum_upper(values: Iterable[float]) -> Fraction:
    """Return a number no smaller than the exact sum of doubles; see `sum_bounds`."""
    return sum_bounds(values)[1]


def sum_lower(values: Iterable[float]) -> Fraction:
    """Return a number no larger than the exact sum of doubles; see `sum_bounds`."""
    return sum_bounds(values)[0]


def sum_bounds(values: Iterable[float]) -> tuple[Fraction, Fraction]:
    """Return numbers no larger and no smaller than the exact sum of doubles.

    Raises
    ------
    NotEnclosed
        Where the next doubles to the sum are not finite.
    """
    try:
        # fsum rounds the exact sum once.
        rounded = fsum(values)
    except (OverflowError, ValueError):
        # Of an infinite sum, or of infinities of both signs.
        rounded = inf
    bounds = nextafter(rounded, -inf), nextafter(rounded, inf)
    if not (isfinite(bounds[0]) and isfinite(bounds[1])):
        raise NotEnclosed("a sum is beyond the range of double precision")
    return Fraction(bounds[0]), Fraction(bounds[1])
