"""The largest value of a function on an interval, by halving the cell with the largest bound."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from heapq import heappop, heappush
from typing import TypeAlias

from verification.certificate.check.numbers.balls import Ball, around, ball, lower, upper
from verification.certificate.check.numbers.bounds import Bounds

Look: TypeAlias = Callable[[Fraction, Fraction], tuple[Fraction, Fraction | None]]
"""Of a cell: a value of the function in it, from below, and a bound of them all, if any."""


def largest_value(
    look: Look, reach: Fraction, tolerance: Fraction, most_cells: int, best: Fraction = Fraction(0)
) -> Bounds | None:
    """Return bounds of the supremum on ``[-reach, reach]`` and of `best`.

    Parameters
    ----------
    look : callable
        Charges its own work.
    reach : Fraction
    tolerance : Fraction
        The search ends where no bound is larger than the largest value seen by more than this
        part of it.
    most_cells : int
    best : Fraction
        A value that is reached elsewhere, or approached.

    Returns
    -------
    Bounds or None
        Wider than the tolerance where the cells were too many; None where no bound is known then.
    """
    cells: list[tuple[Fraction | float, Fraction, Fraction]] = []

    def add(low: Fraction, high: Fraction) -> None:
        nonlocal best
        value, bound = look(low, high)
        best = max(best, value)
        if bound is None or bound > best:
            heappush(cells, (float("-inf") if bound is None else -bound, low, high))

    add(-reach, reach)
    for _ in range(most_cells):
        if not cells or -cells[0][0] <= best * (1 + tolerance):
            break
        _, low, high = heappop(cells)
        middle = (low + high) / 2
        add(low, middle)
        add(middle, high)
    if not cells:
        return Bounds.exactly(best)
    top = -cells[0][0]
    return Bounds(best, max(best, top)) if isinstance(top, Fraction) else None


def by_mean_value(value: Callable[[Ball], Ball], slope: Callable[[Ball], Ball]) -> Look:
    """Return what looks at a cell by the mean value theorem: balls to balls, and the derivative."""

    def look(low: Fraction, high: Fraction) -> tuple[Fraction, Fraction | None]:
        middle, half = ball((low + high) / 2), ball((high - low) / 2)
        at = value(middle)
        bound = at + abs(slope(around(middle, half))) * half
        # On a wide cell a quotient may not be enclosed at all.
        return lower(at), upper(bound) if bound.is_finite() else None

    return look


def is_at_most(look: Look, reach: Fraction, bound: Fraction, most_cells: int) -> bool:
    """Show that a function is at most `bound` on ``[-reach, reach]``, if so many cells show it."""
    cells = [(-reach, reach)]
    for _ in range(most_cells):
        if not cells:
            return True
        low, high = cells.pop()
        value, most = look(low, high)
        if value > bound:
            return False
        if most is None or most > bound:
            middle = (low + high) / 2
            cells += [(low, middle), (middle, high)]
    return not cells
