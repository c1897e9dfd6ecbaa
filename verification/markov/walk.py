"""Centred partial sums along a chain as walks on the integers.

``S_m = sum_{k<m} (f_k(xi_k) - c_k)`` is ``unit T_m``, where T_m is a sum of integers.  That is
exact for rational f_k and c_k of moderate denominators.  For other numbers c_k, such as a ball or a
stationary mean with a long denominator, and where the values of the f_k lie on too fine a lattice,
such as means over samples of different sizes, one or both are rounded: exact up to a stated error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, gcd, lcm

from verification.enclosure.balls import Number, end_points
from verification.errors import NotEnclosed

INTEGER_BITS = 61
"""No sum of increments is longer, so that sums and differences of two of them fit 64 bits."""


@dataclass(frozen=True, kw_only=True)
class Walk:
    """The partial sums ``S_m = sum_{k<m} (f_k(xi_k) - c_k)`` in integers.

    ``|S_m - unit * sum_{k<m} row(k)[xi_k]| <= error`` for every m up to the number of steps, and no
    sum of integers leaves 64 bits.

    Parameters
    ----------
    unit : Fraction
        Positive.
    rows : tuple of tuple of int, each of shape (n_states,)
        The increments at the times 0, 1, ...; the last row serves all later times too, so that one
        row is enough where nothing moves.
    gap : int
        Positive; divides the difference of any two increments of a row.
    error : Fraction
        0 where all f_k and c_k are rational and their denominators are not too large.
    """

    unit: Fraction
    rows: tuple[tuple[int, ...], ...]
    gap: int
    error: Fraction

    def row(self, time: int) -> tuple[int, ...]:
        """Return the increments at a time."""
        return self.rows[min(time, len(self.rows) - 1)]

    def reach(self, steps: int) -> int:
        """Bound the absolute value of every sum of so many increments, from the first time on."""
        return self._summed(steps, lambda row: max(map(abs, row)))

    def span(self, steps: int) -> int:
        """Return the difference of the largest and the least sum of any increments."""
        return self._summed(steps, lambda row: max(row) - min(row))

    def _summed(self, steps: int, value: Callable[[tuple[int, ...]], int]) -> int:
        known = sum(value(row) for row in self.rows[:steps])
        return known + max(steps - len(self.rows), 0) * value(self.rows[-1])


@dataclass(frozen=True, kw_only=True)
class _Stage:
    """A function of the state less a number between two others, for so many steps."""

    values: Sequence[Fraction]
    origin: Fraction
    """The least value."""
    low: Fraction
    high: Fraction
    is_rational: bool
    """Whether the number was given as a rational, and is both of these."""
    steps: int

    @property
    def middle(self) -> Fraction:
        return (self.low + self.high) / 2


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
    return _walk([_stage(observable, centre, steps)])


def moving_walk(observables: Sequence[Sequence[Fraction]], *, centres: Sequence[Number]) -> Walk:
    """Write the partial sums of ``f_k - c_k`` in integers, a function and a number for each step.

    Of a number that is a ball only its ends are used: each of its values may belong to another
    state.  Values are rounded as in `walk`.

    Parameters
    ----------
    observables : sequence, shape (n, n_states)
        The functions f_0, ..., f_{n-1}; n is at least 1.
    centres : sequence of Fraction or Ball, shape (n,)
    """
    return _walk(
        [_stage(values, centre, 1) for values, centre in zip(observables, centres, strict=True)]
    )


def _stage(values: Sequence[Fraction], centre: Number, steps: int) -> _Stage:
    is_rational = isinstance(centre, Fraction)
    low, high = (centre, centre) if isinstance(centre, Fraction) else end_points(centre)
    return _Stage(
        values=values,
        origin=min(values),
        low=low,
        high=high,
        is_rational=is_rational,
        steps=steps,
    )


def _walk(stages: Sequence[_Stage]) -> Walk:
    if all(stage.is_rational for stage in stages):
        exact = _exact(stages)
        if sum(
            stage.steps * max(map(abs, row)) for stage, row in zip(stages, exact.rows, strict=True)
        ) < (2**INTEGER_BITS):
            return exact
    spacing = _spacing(stages)
    # The centres become multiples of a fine part of the spacing.
    reach = sum(
        stage.steps
        * ((max(stage.values) - stage.origin + abs(stage.middle - stage.origin)) / spacing + 1)
        for stage in stages
    )
    bits = INTEGER_BITS - 1 - ceil(reach).bit_length()
    if bits < 1:
        return _rounded(stages)
    unit = spacing / 2**bits
    rows, error = [], Fraction(0)
    for stage in stages:
        drift = round((stage.middle - stage.origin) / unit)
        used = stage.origin + drift * unit
        rows.append(tuple(int((value - stage.origin) / unit) - drift for value in stage.values))
        error += stage.steps * max(abs(used - stage.low), abs(stage.high - used))
    return Walk(unit=unit, rows=tuple(rows), gap=_gap(rows), error=error)


def _exact(stages: Sequence[_Stage]) -> Walk:
    differences = [[value - stage.low for value in stage.values] for stage in stages]
    denominator = lcm(*(x.denominator for row in differences for x in row))
    multiples = [[int(x * denominator) for x in row] for row in differences]
    divisor = gcd(*(x for row in multiples for x in row)) or 1
    rows = tuple(tuple(x // divisor for x in row) for row in multiples)
    return Walk(unit=Fraction(divisor, denominator), rows=rows, gap=_gap(rows), error=Fraction(0))


def _spacing(stages: Sequence[_Stage]) -> Fraction:
    """Return the largest number of which all differences of values at one time are multiples."""
    differences = [value - stage.origin for stage in stages for value in stage.values]
    denominator = lcm(*(x.denominator for x in differences))
    return Fraction(gcd(*(int(x * denominator) for x in differences)) or denominator, denominator)


def _rounded(stages: Sequence[_Stage]) -> Walk:
    """Write the partial sums of rounded values, less a centre between two numbers."""
    steps = sum(stage.steps for stage in stages)
    size = max(abs(value - stage.middle) for stage in stages for value in stage.values) or Fraction(
        1
    )
    # An increment is at most 2**bits: the sums fit.
    bits = INTEGER_BITS - 1 - steps.bit_length()
    if bits < 1:
        raise NotEnclosed(f"sums of {steps} values of the observable do not fit 64-bit integers")
    unit = size / 2**bits
    rows, error = [], Fraction(0)
    for stage in stages:
        exact = [value - stage.middle for value in stage.values]
        row = tuple(round(x / unit) for x in exact)
        moved = max(abs(unit * near - x) for near, x in zip(row, exact, strict=True))
        error += stage.steps * (moved + (stage.high - stage.low) / 2)
        rows.append(row)
    return Walk(unit=unit, rows=tuple(rows), gap=_gap(rows), error=error)


def _gap(rows: Iterable[Sequence[int]]) -> int:
    return gcd(*(increment - row[0] for row in rows for increment in row)) or 1


def coarser(walked: Walk, steps: int, move: Fraction) -> Walk:
    """Round the increments, so that no sum of so many moves by more than about `move` units.

    Returns
    -------
    Walk
        Its error includes by how much the sums do move.
    """
    factor = max(int(2 * move / max(steps, 1)), 1)
    rows = tuple(
        tuple(round(Fraction(increment, factor)) for increment in row) for row in walked.rows
    )
    moved = max(
        abs(exact - factor * near)
        for old, new in zip(walked.rows, rows, strict=True)
        for exact, near in zip(old, new, strict=True)
    )
    return Walk(
        unit=factor * walked.unit,
        rows=rows,
        gap=_gap(rows),
        error=walked.error + steps * moved * walked.unit,
    )
