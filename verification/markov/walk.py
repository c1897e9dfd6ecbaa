"""Centred partial sums along a chain as walks on the integers.

``S_m = sum_{k<m} (f_k(xi_k) - c_k)`` is ``unit T_m``, where T_m is a sum of integers.  That is
exact for rational f_k and c_k of moderate denominators.  For other numbers c_k, such as a ball or a
stationary mean with a long denominator, and where the values of the f_k lie on too fine a lattice,
such as means over samples of different sizes, one or both are rounded: exact up to a stated error.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
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


@dataclass(frozen=True, kw_only=True, eq=False)
class _Stage:
    """A function of the state less a number between two others, for so many steps."""

    numerators: tuple[int, ...]
    denominator: int
    """Of all values."""
    low: Fraction
    high: Fraction
    is_rational: bool
    """Whether the number was given as a rational, and is both of these."""
    steps: int

    @property
    def middle(self) -> Fraction:
        return (self.low + self.high) / 2

    @property
    def origin(self) -> Fraction:
        """The least value."""
        return Fraction(min(self.numerators), self.denominator)

    @property
    def highest(self) -> Fraction:
        """The largest value."""
        return Fraction(max(self.numerators), self.denominator)

    def less(self, number: Fraction) -> tuple[list[int], int]:
        """Return the values less a number: numerators and a denominator."""
        common = lcm(self.denominator, number.denominator)
        factor = common // self.denominator
        off = number.numerator * (common // number.denominator)
        return [factor * numerator - off for numerator in self.numerators], common


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
    # Most functions and numbers serve many steps: each pair is looked at once.
    pairs = list(zip(observables, centres, strict=True))
    distinct = {(id(values), id(centre)): (values, centre) for values, centre in pairs}
    stages = {key: _stage(values, centre, 1) for key, (values, centre) in distinct.items()}
    return _walk([stages[id(values), id(centre)] for values, centre in pairs])


def _stage(values: Sequence[Fraction], centre: Number, steps: int) -> _Stage:
    is_rational = isinstance(centre, Fraction)
    low, high = (centre, centre) if isinstance(centre, Fraction) else end_points(centre)
    denominator = lcm(*(value.denominator for value in values))
    return _Stage(
        numerators=tuple(value.numerator * (denominator // value.denominator) for value in values),
        denominator=denominator,
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
    reach = _total(
        stages,
        lambda stage: (
            (stage.highest - stage.origin + abs(stage.middle - stage.origin)) / spacing + 1
        ),
    )
    bits = INTEGER_BITS - 1 - ceil(reach).bit_length()
    if bits < 1:
        return _rounded(stages)
    unit = spacing / 2**bits

    def row_and_error(stage: _Stage) -> tuple[tuple[int, ...], Fraction]:
        drift = round((stage.middle - stage.origin) / unit)
        used = stage.origin + drift * unit
        numerators, denominator = stage.less(stage.origin)
        # All of them are multiples of the unit.
        divisor = unit.numerator * denominator
        row = tuple(x * unit.denominator // divisor - drift for x in numerators)
        return row, max(abs(used - stage.low), abs(stage.high - used))

    return _of_rows(stages, unit, row_and_error)


def _total(stages: Sequence[_Stage], value: Callable[[_Stage], Fraction]) -> Fraction:
    """Return the sum of a value over all steps."""
    steps: dict[_Stage, int] = defaultdict(int)
    for stage in stages:
        steps[stage] += stage.steps
    return sum((count * value(stage) for stage, count in steps.items()), Fraction(0))


def _of_rows(
    stages: Sequence[_Stage],
    unit: Fraction,
    row_and_error: Callable[[_Stage], tuple[tuple[int, ...], Fraction]],
) -> Walk:
    """Return a walk from the increments of each stage, and what a step of it errs by."""
    found = {stage: row_and_error(stage) for stage in dict.fromkeys(stages)}
    rows = tuple(found[stage][0] for stage in stages)
    error = _total(stages, lambda stage: found[stage][1])
    return Walk(unit=unit, rows=rows, gap=_gap(rows), error=error)


def _exact(stages: Sequence[_Stage]) -> Walk:
    differences = {stage: stage.less(stage.low) for stage in dict.fromkeys(stages)}
    common = lcm(*(denominator for _, denominator in differences.values()))
    multiples = {
        stage: [x * (common // denominator) for x in numerators]
        for stage, (numerators, denominator) in differences.items()
    }
    divisor = gcd(*(x for row in multiples.values() for x in row))
    unit = Fraction(divisor, common) if divisor else Fraction(1)
    return _of_rows(
        stages,
        unit,
        lambda stage: (tuple(x // (divisor or 1) for x in multiples[stage]), Fraction(0)),
    )


def _spacing(stages: Sequence[_Stage]) -> Fraction:
    """Return the largest number of which all differences of values at one time are multiples."""
    divisors = [
        Fraction(gcd(*(x - stage.numerators[0] for x in stage.numerators)), stage.denominator)
        for stage in dict.fromkeys(stages)
    ]
    common = lcm(*(x.denominator for x in divisors))
    return Fraction(
        gcd(*(x.numerator * (common // x.denominator) for x in divisors)) or common, common
    )


def _rounded(stages: Sequence[_Stage]) -> Walk:
    """Write the partial sums of rounded values, less a centre between two numbers."""
    steps = sum(stage.steps for stage in stages)
    centred = {stage: stage.less(stage.middle) for stage in dict.fromkeys(stages)}
    size = max(
        Fraction(max(map(abs, numerators)), denominator)
        for numerators, denominator in centred.values()
    ) or Fraction(1)
    # An increment is at most 2**bits: the sums fit.
    bits = INTEGER_BITS - 1 - steps.bit_length()
    if bits < 1:
        raise NotEnclosed(f"sums of {steps} values of the observable do not fit 64-bit integers")
    unit = size / 2**bits

    def row_and_error(stage: _Stage) -> tuple[tuple[int, ...], Fraction]:
        numerators, denominator = centred[stage]
        divisor = denominator * unit.numerator
        row = tuple(_nearest(x * unit.denominator, divisor) for x in numerators)
        off = max(
            abs(near * divisor - x * unit.denominator)
            for near, x in zip(row, numerators, strict=True)
        )
        moved = Fraction(off, denominator * unit.denominator)
        return row, moved + (stage.high - stage.low) / 2

    return _of_rows(stages, unit, row_and_error)


def _nearest(numerator: int, denominator: int) -> int:
    """Return the integer nearest to a quotient, the even one of two; the denominator is positive.

    As `round` does, for a quotient that is not in lowest terms.
    """
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1))


def _gap(rows: Sequence[tuple[int, ...]]) -> int:
    return gcd(*(x - row[0] for row in _distinct(rows) for x in row)) or 1


def _distinct(rows: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Return the rows, one that serves many times once."""
    return list({id(row): row for row in rows}.values())


def coarser(walked: Walk, steps: int, move: Fraction) -> Walk:
    """Round the increments, so that no sum of so many moves by more than about `move` units.

    Returns
    -------
    Walk
        Its error includes by how much the sums do move.
    """
    factor = max(int(2 * move / max(steps, 1)), 1)
    old = _distinct(walked.rows)
    new = [tuple(_nearest(increment, factor) for increment in row) for row in old]
    moved = max(
        abs(exact - factor * near)
        for before, after in zip(old, new, strict=True)
        for exact, near in zip(before, after, strict=True)
    )
    rounded = {id(before): after for before, after in zip(old, new, strict=True)}
    rows = tuple(rounded[id(row)] for row in walked.rows)
    return Walk(
        unit=factor * walked.unit,
        rows=rows,
        gap=_gap(rows),
        error=walked.error + steps * moved * walked.unit,
    )
