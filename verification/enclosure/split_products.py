r"""Products of matrices in double precision, as if carried in more digits, with a proved error.

A sum of n products of doubles may err by n roundings of its size, too many where a bound is to be
within a small factor of the truth.  Here every factor a, ``|a| <= 1``, is split as ``a = h + l``: h
is the nearest multiple of ``2**-q`` and ``|l| <= 2**-(q+1)``, both doubles, without rounding.
With ``n 2**(2q) <= 2**53`` every partial sum of ``sum h h'`` is a multiple of ``2**-2q`` below
``2**(53 - 2q)``: in any order, fused or not, the sum is *exact*.  The other terms,

    sum l h' + sum a l',

are at most ``n 2**-q`` together, and rounding them errs by at most ``gamma(n + 1) n 2**-q``.  The
idea is that of Ozaki, Ogita, Oishi and Rump (Numerical Algorithms 59, 2012).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from verification.enclosure.doubles import UNDERFLOW, gamma

Array: TypeAlias = npt.NDArray[np.float64]

_SIGNIFICAND = 53
_SPLITTER = 2.0**27 + 1


@dataclass(frozen=True, eq=False)
class Split:
    """An array of numbers of size at most 1, each the sum of two doubles.

    Parameters
    ----------
    high : Array
        Multiples of ``2**-q``.
    low : Array
        At most ``2**-(q+1)`` in size.
    """

    high: Array
    low: Array

    def total(self) -> Array:
        """Return ``high + low``, rounded: exact for an array that was `split`."""
        result: Array = self.high + self.low
        return result

    def transposed(self) -> Split:
        """Return the transposed matrix."""
        return Split(self.high.T, self.low.T)

    def __getitem__(self, index: int | slice | tuple[int | slice, ...]) -> Split:
        """Return a part of the array."""
        return Split(self.high[index], self.low[index])


def two_sum(first: Array, second: Array) -> tuple[Array, Array]:
    """Return the rounded sum and its error: their sum is exact (Knuth)."""
    result = first + second
    part = result - first
    return result, (first - (result - part)) + (second - part)


def halves(values: Array) -> tuple[Array, Array]:
    """Return two doubles of at most 26 bits each whose sum is exact (Veltkamp).

    Sizes from 2**-480 to 2**480, and 0.
    """
    scaled = values * _SPLITTER
    high: Array = scaled - (scaled - values)
    return high, values - high


def two_product(first: Array, second: Array) -> tuple[Array, Array]:
    """Return the rounded product and its error: their sum is exact (Dekker); sizes as `halves`."""
    result = first * second
    a, b = halves(first)
    c, d = halves(second)
    return result, b * d - (((result - a * c) - b * c) - a * d)


def split_bits(count: int) -> int:
    """Return the largest q with which sums of so many products are exact in the high parts."""
    return (_SIGNIFICAND - max(count - 1, 0).bit_length()) // 2


def split(values: Array, bits: int) -> Split:
    """Split doubles of size at most 1 at ``2**-bits``, exactly.

    Raises
    ------
    ValueError
        Where a value is larger than 1, or not a number.
    """
    if not (np.abs(values) <= 1).all():
        raise ValueError("a value to be split is not between -1 and 1")
    high = np.rint(values * 2.0**bits) * 2.0**-bits
    return Split(high, values - high)


def squares(values: Split, bits: int) -> Split:
    """Return the squares of numbers that were split at ``2**-bits``.

    Of a = h + l, ``h^2`` is exact, and so is its difference from the multiple s of ``2**-bits``
    next to ``a^2``.  In ``a^2 = s + ((h^2 - s) + (2 h + l) l)`` the second part is at most
    ``2**(1 - bits)`` in size; its three roundings err by at most `squares_error`.
    """
    total = values.total()
    high = np.rint(total * total * 2.0**bits) * 2.0**-bits
    low = (values.high * values.high - high) + (2 * values.high + values.low) * values.low
    return Split(high, low)


def squares_error(bits: int) -> Fraction:
    """Bound what `squares` rounds in every entry."""
    return gamma(3) * 4 * Fraction(1, 2**bits) + UNDERFLOW


def matrix_product(first: Split, second: Split) -> Split:
    """Return the product of two matrices, or of a matrix and a vector; see `product_error`."""
    high = first.high @ second.high
    low = first.low @ second.high + first.total() @ second.low
    return Split(high, low)


def inner_products(first: Split, second: Split) -> Split:
    """Return the inner products of the rows of one array with those of another, one to one."""
    high = np.einsum("ij,ij->i", first.high, second.high)
    low = np.einsum("ij,ij->i", first.low, second.high)
    low += np.einsum("ij,ij->i", first.total(), second.low)
    return Split(high, low)


def product_error(count: int, bits: int, *, low: int = 1) -> Fraction:
    """Bound the error of the low part of sums of so many products; the high part is exact.

    Parameters
    ----------
    count : int
        Number of products in each sum, with ``count 4**bits <= 2**53``.
    bits : int
        Where both factors were split.
    low : int
        The low parts are at most ``low 2**-(bits + 1)`` in size: 1 for `split`, 4 for `squares`.

    Raises
    ------
    ValueError
        Where the sums of the high parts need not be exact.
    """
    if count * 4**bits > 2**_SIGNIFICAND:
        raise ValueError(f"sums of {count} products of {bits} bits each are not exact")
    # |a| <= 1, but for the squares' rounding: at most 2 is generous.
    size = count * Fraction(low + 2, 2 ** (bits + 1))
    return gamma(count + 2) * size + UNDERFLOW
