"""Centred partial sums along a chain as walks on the integers.

``S_k = sum_{j<k} (f(xi_j) - c)`` is ``unit T_k``, where T_k is a sum of integers.  That is exact
for rational f and c of moderate denominators.  For other numbers c, such as a ball or a stationary
mean with a long denominator, and where the values of f lie on too fine a lattice, such as means
over samples of different sizes, one or both are rounded: exact up to a stated error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, gcd, lcm

from verification.enclosure.balls import Number, end_points
from verification.errors import NotEnclosed
from verification.markov.partial_sums import lattice_of

INTEGER_BITS = 61
"""No sum of increments is longer, so that sums and differences of two of them fit 64 bits."""


@dataclass(frozen=True, kw_only=True)
class Walk:
    """The partial sums ``S_k = sum_{j<k} (f(xi_j) - c)`` in integers.

    ``|S_k - unit * sum_{j<k} increments[xi_j]| <= error`` for every k up to the number of steps,
    and no sum of integers leaves 64 bits.

    Parameters
    ----------
    unit : Fraction
        Positive.
    increments : tuple of int, shape (n_states,)
    gap : int
        Positive; divides the difference of any two increments.
    error : Fraction
        0 where f and c are rational and their denominators are not too large.
    """

    unit: Fraction
    increments: tuple[int, ...]
    gap: int
    error: Fraction

    @property
    def largest(self) -> int:
        """The largest absolute value of an increment."""
        return max(map(abs, self.increments))


def walk(observable: Sequence[Fraction], steps: int, *, centre: Number) -> Walk:
    """Write the partial sums of ``f - centre`` in integers.

    Where the sums on the lattice of f do not fit 64 bits its values are rounded, to the finest grid
    of which they do: ``2**(s - 60)`` of the largest ``|f - centre|``, s the number of bits of
    `steps`.

    Raises
    ------
    NotEnclosed
        Where there are more than ``2**59`` steps.
    """
    lattice = lattice_of(observable)
    if isinstance(centre, Fraction):
        denominator = lcm(lattice.spacing.denominator, (lattice.origin - centre).denominator)
        multiples = [int((value - centre) * denominator) for value in observable]
        divisor = gcd(*multiples) or 1
        exact = Walk(
            unit=Fraction(divisor, denominator),
            increments=tuple(multiple // divisor for multiple in multiples),
            # Where f is constant any gap will do.
            gap=max(int(lattice.spacing * denominator) // divisor, 1),
            error=Fraction(0),
        )
        if steps * exact.largest < 2**INTEGER_BITS:
            return exact
    low, high = (centre, centre) if isinstance(centre, Fraction) else end_points(centre)
    # The centre becomes a multiple of a fine part of the spacing.
    reach = lattice.span + abs((low + high) / 2 - lattice.origin) / lattice.spacing + 1
    bits = INTEGER_BITS - 1 - ceil(steps * reach).bit_length()
    if bits < 1:
        return _rounded(observable, steps, low, high)
    unit = lattice.spacing / 2**bits
    drift = round(((low + high) / 2 - lattice.origin) / unit)
    used = lattice.origin + drift * unit
    return Walk(
        unit=unit,
        increments=tuple(position * 2**bits - drift for position in lattice.positions),
        gap=2**bits,
        error=steps * max(abs(used - low), abs(high - used)),
    )


def _rounded(observable: Sequence[Fraction], steps: int, low: Fraction, high: Fraction) -> Walk:
    """Write the partial sums of rounded values, less a centre between two numbers."""
    middle = (low + high) / 2
    size = max(abs(value - middle) for value in observable) or Fraction(1)
    # An increment is at most 2**bits: the sums fit.
    bits = INTEGER_BITS - 1 - steps.bit_length()
    if bits < 1:
        raise NotEnclosed(f"sums of {steps} values of the observable do not fit 64-bit integers")
    unit = size / 2**bits
    increments = tuple(round((value - middle) / unit) for value in observable)
    moved = max(
        abs(unit * increment - (value - middle))
        for increment, value in zip(increments, observable, strict=True)
    )
    return Walk(
        unit=unit,
        increments=increments,
        gap=_gap(increments),
        error=steps * (moved + (high - low) / 2),
    )


def _gap(increments: Sequence[int]) -> int:
    return gcd(*(increment - increments[0] for increment in increments)) or 1


def coarser(walked: Walk, steps: int, move: Fraction) -> Walk:
    """Round the increments, so that no sum of so many moves by more than about `move` units.

    Returns
    -------
    Walk
        Its error includes by how much the sums do move.
    """
    factor = max(int(2 * move / max(steps, 1)), 1)
    rounded = tuple(round(Fraction(increment, factor)) for increment in walked.increments)
    moved = max(
        abs(exact - factor * near) for exact, near in zip(walked.increments, rounded, strict=True)
    )
    return Walk(
        unit=factor * walked.unit,
        increments=rounded,
        gap=_gap(rounded),
        error=walked.error + steps * moved * walked.unit,
    )
