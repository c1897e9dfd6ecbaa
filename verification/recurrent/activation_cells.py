r"""Activations on arrays with an error far below a rounding of one, and without a library's tanh.

The line is cut into cells of half-width r, a power of two, small beside the strip on which the
activation is analytic and beside the lengths on which it changes; on each it is a polynomial
``sum_k p_k y^k``, ``y = (t - c)/r``, enclosed in balls (`verification.enclosure.chebyshev`).  The
coefficients decrease about like ``32**-k``, so that p_0, kept in two doubles, carries nearly all
of the value: what is rounded is small.  An argument is the sum of two doubles, high and low.

**Error.**  ``t_high - c`` is exact and at most r in size, and dividing by r is exact.  Adding t_low
rounds y once; term k passes through that k times, through the rounding of p_k, and through at most
2k operations of Horner's rule; the sum with the rest of p_0 rounds once more:

    gamma(3k + 2) |p_k|  for k >= 1,  and  2 u |p_0 - leading part|,

besides the interpolation's error and the balls' radii.  The low part of an argument may take y
beyond [-1, 1] by ``2**-10``: the interpolation's error is proved there, and powers of y up to the
49-th are at most 21/20.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from verification.enclosure.balls import ball, fixed_point, precision, radius, total
from verification.enclosure.chebyshev import interpolant
from verification.enclosure.doubles import UNDERFLOW, UNIT_ROUNDOFF, above, gamma
from verification.enclosure.split_products import Split
from verification.errors import NotEnclosed
from verification.instance import ActivationSpec
from verification.recurrent.activation import ORDERS, activation

Array: TypeAlias = npt.NDArray[np.float64]

MAX_CELLS = 2**14

LEADING_BITS = 16

_SHARE = 32
_WORKING_BITS = 96
_FIXED_BITS = 100
_NEGLIGIBLE = 2 ** (_FIXED_BITS - 66)
_WIDER = 1 + Fraction(1, 2**10)
_POWER = Fraction(21, 20)
_MAX_TERMS = 50


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """A derivative of an activation, divided by a power of two, as a piecewise polynomial.

    Parameters
    ----------
    half : float
        r.
    exponent : int
        The function divided by ``2**exponent`` is at most 1.
    leading : Array, shape (n_cells,)
        Multiples of ``2**-LEADING_BITS`` next to p_0.
    coefficients : Array, shape (degree + 1, n_cells)
        Of degree 0, the rest of p_0.
    error : Fraction
        Bound of the error of every value of the divided function.
    """

    half: float
    exponent: int
    leading: Array
    coefficients: Array
    error: Fraction

    def evaluate(self, high: Array, low: Array, bits: int) -> Split:
        """Return the values at ``high + low``, split at ``2**-bits``, bits >= `LEADING_BITS`.

        Parameters
        ----------
        high, low : Array
            Arguments within the reach of the cells, ``|low| <= 2**-10 r``.  Both are overwritten.
        bits : int
        """
        where = np.rint(high * (0.5 / self.half))
        high -= where * (2 * self.half)
        high += low
        high *= 1 / self.half
        index = where.astype(np.intp)
        index += len(self.leading) // 2
        result = self.coefficients[-1].take(index)
        for row in self.coefficients[-2::-1]:
            result *= high
            result += row.take(index)
        leading = np.rint(result * 2.0**bits, out=low)
        leading *= 2.0**-bits
        result -= leading
        leading += self.leading.take(index)
        return Split(leading, result)


@lru_cache(maxsize=64)
def activation_cells(spec: ActivationSpec, order: int, reach: Fraction) -> Cells:
    """Return the derivative of an order, 0 or 1, for arguments up to `reach` in size.

    Raises
    ------
    NotEnclosed
        Where it needs more than `MAX_CELLS` cells.
    """
    half = _half(spec)
    count = math.ceil(reach / (2 * half)) + 1
    if 2 * count + 1 > MAX_CELLS:
        raise NotEnclosed(
            f"an activation is wanted at arguments up to {float(reach):.3g}, which needs more "
            f"than {MAX_CELLS} cells"
        )
    exponent = _exponent(spec, order)
    cells = [_cell(spec, order, index) for index in range(-count, count + 1)]
    length = max(len(cell.coefficients) for cell in cells)
    table = np.zeros((length, len(cells)))
    for column, cell in enumerate(cells):
        table[: len(cell.coefficients), column] = cell.coefficients
    return Cells(
        half=float(half),
        exponent=exponent,
        leading=np.array([cell.leading for cell in cells]),
        coefficients=table,
        error=max(cell.error for cell in cells),
    )


@lru_cache(maxsize=1024)
def _half(spec: ActivationSpec) -> Fraction:
    sigma = activation(spec)
    with precision(_WORKING_BITS):
        bounds = [above(sigma.bound(order)) for order in ORDERS]
    widest = sigma.strip_width() / _SHARE
    for bound, slope in pairwise(bounds):
        if slope:
            widest = min(widest, bound / slope / _SHARE)
    power = widest.numerator.bit_length() - widest.denominator.bit_length()
    half = Fraction(2) ** power
    return half if half <= widest else half / 2


@lru_cache(maxsize=1024)
def _exponent(spec: ActivationSpec, order: int) -> int:
    with precision(_WORKING_BITS):
        _, exponent = math.frexp(float(above(activation(spec).bound(order))))
    return exponent


@dataclass(frozen=True, kw_only=True, eq=False)
class _Cell:
    """One cell of `Cells`."""

    leading: float
    coefficients: tuple[float, ...]
    error: Fraction


@lru_cache(maxsize=2**16)
def _cell(spec: ActivationSpec, order: int, index: int) -> _Cell:
    sigma, half, exponent = activation(spec), _half(spec), _exponent(spec, order)
    scale = Fraction(1, 2**exponent) if exponent >= 0 else Fraction(2**-exponent)
    wider = half * _WIDER
    with precision(_WORKING_BITS):
        found = interpolant(
            lambda t: sigma.derivative(order, t),
            2 * half * index - wider,
            2 * half * index + wider,
            strip=sigma.strip_width(),
            strip_bound=sigma.strip_bound(order, ball(sigma.strip_width())),
        )
        # From Chebyshev polynomials in y / (1 + 2**-10) to powers of y.
        powers = [ball(0)] * len(found.coefficients)
        for k, coefficient in enumerate(found.coefficients):
            for i, integer in _chebyshev(k):
                powers[i] = powers[i] + integer * coefficient
        factor = ball(scale)
        for i, power in enumerate(powers):
            powers[i], factor = power * factor, factor / ball(_WIDER)
        error = above(found.error * ball(scale) + ball(_POWER) * total(map(radius, powers)))
        fixed = [fixed_point(power, _FIXED_BITS) for power in powers]
    if len(powers) > _MAX_TERMS:
        raise NotEnclosed(f"a cell of an activation needs more than {_MAX_TERMS} coefficients")
    error += _POWER * Fraction(len(powers), 2**_FIXED_BITS)
    while len(fixed) > 1 and abs(fixed[-1]) < _NEGLIGIBLE:
        error += _POWER * Fraction(abs(fixed.pop()), 2**_FIXED_BITS)
    rest = _FIXED_BITS - LEADING_BITS
    top = (fixed[0] + (1 << (rest - 1))) >> rest
    doubles = [math.ldexp(fixed[0] - (top << rest), -_FIXED_BITS)]
    doubles += [math.ldexp(x, -_FIXED_BITS) for x in fixed[1:]]
    rounding = 2 * UNIT_ROUNDOFF / 2**LEADING_BITS + sum(
        (gamma(3 * k + 2) * Fraction(abs(x), 2**_FIXED_BITS) for k, x in enumerate(fixed) if k),
        Fraction(0),
    )
    return _Cell(
        leading=math.ldexp(top, -LEADING_BITS),
        coefficients=tuple(doubles),
        error=error + _POWER * rounding + UNDERFLOW,
    )


@lru_cache(maxsize=64)
def _chebyshev(degree: int) -> tuple[tuple[int, int], ...]:
    """Return the powers and the integer coefficients of ``T_k``."""
    before, here = {0: 1}, {1: 1}
    if not degree:
        return tuple(before.items())
    for _ in range(degree - 1):
        following = {power + 1: 2 * value for power, value in here.items()}
        for power, value in before.items():
            following[power] = following.get(power, 0) - value
        before, here = here, following
    return tuple(here.items())
