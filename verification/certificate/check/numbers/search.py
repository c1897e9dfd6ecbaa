"""The largest value of a function on an interval, by halving the cell with the largest bound."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from heapq import heappop, heappush
from typing import TypeAlias

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
