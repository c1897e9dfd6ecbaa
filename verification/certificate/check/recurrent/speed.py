"""How fast sigma and R times its derivative change: ``sup_u sigma'(u)^2 + R^2 sigma''(u)^2``.

Over the whole real line: cells of an interval, the one with the largest bound halved until none is
much above the largest value seen, by the mean value theorem; beyond the interval each term by a
decreasing bound, or a sine by 1.  A sine alone, a sin(b u + c), has ``(a b)^2 max(1, (R b)^2)``.
"""

from __future__ import annotations

from fractions import Fraction
from heapq import heappop, heappush

from verification.certificate.check.instances import Term
from verification.certificate.check.numbers.balls import Ball, around, ball, lower, pi, total, upper
from verification.certificate.check.numbers.bounds import Bounds
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.recurrent.activations import constant, curve

_REACH = 40
_TOLERANCE = Fraction(1, 2**32)
_MOST_CELLS = 20_000


def largest_squared_speed(
    terms: tuple[Term, ...], squared_radius: Fraction, budget: Budget
) -> Bounds:
    """Return bounds of the supremum, at the working precision.

    Raises
    ------
    Invalid
        Where the cells are too many.
    """
    if len(terms) == 1 and terms[0].family == "sin":
        squared = terms[0].scale ** 2
        speed = max(Fraction(1), squared_radius * squared)
        return Bounds.exactly(terms[0].weight ** 2 * squared * speed)
    stretch = ball(squared_radius)
    first, second, third = (curve(terms, order) for order in (1, 2, 3))
    most = constant(terms, 1), constant(terms, 2)
    anything = most[0] * most[0] + stretch * most[1] * most[1]
    best = Fraction(0)
    cells: list[tuple[Fraction, Fraction, Fraction]] = []

    def look(low: Fraction, high: Fraction) -> Fraction:
        """Put a cell on the heap; return the largest value seen."""
        budget.spend(200 * len(terms))
        middle, half = ball((low + high) / 2), ball((high - low) / 2)
        slope, turn = first(middle), second(middle)
        value = slope * slope + stretch * turn * turn
        cell = around(middle, half)
        bend = second(cell)
        steep = 2 * bend * (first(cell) + stretch * third(cell))
        bound = upper(anything)
        # On wide cells a quotient may not be enclosed at all.
        for found in (value + abs(steep) * half, first(cell) * first(cell) + stretch * bend * bend):
            if found.is_finite():
                bound = min(bound, upper(found))
        largest = max(best, lower(value))
        if bound > largest:
            heappush(cells, (-bound, low, high))
        return largest

    reach, beyond = _beyond(terms, stretch)
    best = look(-reach, reach)
    for _ in range(_MOST_CELLS):
        if not cells or -cells[0][0] <= best * (1 + _TOLERANCE):
            top = -cells[0][0] if cells else best
            return Bounds(best, max(best, top, beyond))
        _, low, high = heappop(cells)
        best = look(low, (low + high) / 2)
        best = look((low + high) / 2, high)
    raise Invalid("the supremum of sigma'^2 + R^2 sigma''^2 is not found in so many cells")


def _beyond(terms: tuple[Term, ...], stretch: Ball) -> tuple[Fraction, Fraction]:
    """Return the end of the interval, and a bound of what lies beyond it."""
    reach = max((_REACH + abs(term.shift)) / abs(term.scale) for term in terms)
    slopes, turns = [], []
    for term in terms:
        least = ball(abs(term.scale) * reach - abs(term.shift))
        slope, turn = _tails(term.family, least)
        slopes.append(ball(abs(term.weight * term.scale)) * slope)
        turns.append(ball(abs(term.weight) * term.scale**2) * turn)
    slope, turn = total(slopes), total(turns)
    return reach, upper(slope * slope + stretch * turn * turn)


def _tails(family: str, t: Ball) -> tuple[Ball, Ball]:
    """Bound ``|f'|`` and ``|f''|`` beyond t >= 40."""
    if family == "sin":
        return ball(1), ball(1)
    if family == "tanh":
        slope = 4 * (-2 * t).exp()
        return slope, 2 * slope
    if family == "logistic":
        return (-t).exp(), (-t).exp()
    if family == "erf":
        slope = 2 * (-(t * t)).exp() / pi().sqrt()
        return slope, 2 * t * slope
    share = 1 / (1 + t * t)
    return share, 2 * t * share * share
