"""Axes of a figure: from numbers to places between 0 and 1, and ticks at round numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from math import ceil, floor, inf, isfinite, log10

from verification.figure import Scale
from verification.report.digits import plain

_MOST_TICKS = 7
_MOST_OWN_TICKS = 9
_LEAST_GAP = 0.075
_MARGIN = 0.04
_POWER_STEPS = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500)


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A round number on an axis: where (0 to 1), and its text."""

    place: float
    text: str


@dataclass(frozen=True, kw_only=True)
class PlottedAxis:
    """The part of an axis that is shown, from `low` to `high`: numbers, or their log10."""

    scale: str
    low: float
    high: float
    ticks: tuple[Tick, ...]

    def place(self, value: Decimal) -> float | None:
        """Return where a number stands, 0 to 1 within the axis; None where it has no place.

        What is beyond the axis stands at its end; on a log axis that holds for 0 and all below.
        """
        along = _along(value, self.scale)
        if along == -inf:
            return 0.0
        if along == inf:
            return 1.0
        return min(max((along - self.low) / (self.high - self.low), 0.0), 1.0)


def plotted_axis(scale: str, values: Iterable[Decimal], *, own_ticks: bool = False) -> PlottedAxis:
    """Return an axis on which all values have a place that are finite (and positive, for a log).

    Parameters
    ----------
    scale : str
        ``linear`` or ``log``.
    values : iterable of Decimal
    own_ticks : bool
        Put ticks at the values themselves where they are few and not too near each other.
    """
    placed = {along: value for value in values if isfinite(along := _along(value, scale))}
    low, high = min(placed, default=0.0), max(placed, default=1.0)
    if scale == Scale.LINEAR and 0 < low < 0.4 * high:
        low = 0.0
    if high - low < 1e-9 * max(abs(low), abs(high), 1e-300):
        low, high = (low - 0.5, high + 0.5) if scale == Scale.LOG or not low else (0.0, 2 * high)
        low, high = min(low, high), max(low, high)
    margin = _MARGIN * (high - low)
    from_zero = scale == Scale.LINEAR and low == 0
    low, high = low if from_zero else low - margin, high + margin

    def ticks(numbers: Iterable[Decimal]) -> tuple[Tick, ...]:
        found = []
        for number in numbers:
            place = (_along(number, scale) - low) / (high - low)
            if -1e-9 <= place <= 1 + 1e-9:
                found.append(Tick(place=place, text=plain(number)))
        return tuple(found)

    if own_ticks and len(placed) <= _MOST_OWN_TICKS:
        own = ticks(placed[along] for along in sorted(placed))
        apart = min((b.place - a.place for a, b in pairwise(own)), default=1.0)
        if own and apart >= _LEAST_GAP and max(len(tick.text) for tick in own) <= 6:
            return PlottedAxis(scale=scale, low=low, high=high, ticks=own)
    numbers = _powers(low, high) if scale == Scale.LOG else _round_numbers(low, high)
    return PlottedAxis(scale=scale, low=low, high=high, ticks=ticks(numbers))


def _along(value: Decimal, scale: str) -> float:
    """Return the number, or its log10, as a double; infinite where it has none."""
    if not value.is_finite():
        return inf if value > 0 else -inf
    if scale == Scale.LINEAR:
        return float(value)
    if value <= 0:
        return -inf
    exponent = value.adjusted()
    return exponent + log10(float(value.scaleb(-exponent)))


def _round_numbers(low: float, high: float) -> Sequence[Decimal]:
    rough = (high - low) / _MOST_TICKS
    exponent = floor(log10(rough))
    factor = next(f for f in (1, 2, 5, 10) if f * 10.0**exponent >= rough * (1 - 1e-9))
    step = Decimal(factor).scaleb(exponent)
    first, last = ceil(low / float(step) - 1e-9), floor(high / float(step) + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _powers(low: float, high: float) -> Sequence[Decimal]:
    """Return powers of ten; with 2 and 5 between where there are too few, else round numbers."""
    first, last = ceil(low), floor(high)
    if last - first >= 2:
        enough = (last - first) / _MOST_TICKS
        step = next((s for s in _POWER_STEPS if s >= enough), ceil(enough))
        begin = ceil(first / step) * step
        return [Decimal(1).scaleb(power) for power in range(begin, last + 1, step)]
    between = [
        Decimal(factor).scaleb(power)
        for power in range(floor(low), last + 1)
        for factor in (1, 2, 5)
        if low <= power + log10(factor) <= high
    ]
    if len(between) >= 3:
        return between
    return [number for number in _round_numbers(10.0**low, 10.0**high) if number > 0]
