"""How fast sigma and R times its derivative change: ``sup_u sigma'(u)^2 + R^2 sigma''(u)^2``.

Over the whole real line: cells of an interval, the one with the largest bound halved until none is
much above the largest value seen, by the mean value theorem; beyond the interval each term by a
decreasing bound, or a sine by 1.  A sine alone, a sin(b u + c), has ``(a b)^2 max(1, (R b)^2)``.
"""

from __future__ import annotations

from fractions import Fraction

from verification.certificate.check.instances import Term
from verification.certificate.check.numbers.balls import Ball, around, ball, lower, total, upper
from verification.certificate.check.numbers.bounds import Bounds
from verification.certificate.check.numbers.search import largest_value
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.recurrent.activations import constant, curve
from verification.certificate.check.recurrent.suprema import REACH, tail_on_line

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
    anything = upper(most[0] * most[0] + stretch * most[1] * most[1])

    def look(low: Fraction, high: Fraction) -> tuple[Fraction, Fraction]:
        budget.spend(200 * len(terms))
        middle, half = ball((low + high) / 2), ball((high - low) / 2)
        slope, turn = first(middle), second(middle)
        value = slope * slope + stretch * turn * turn
        cell = around(middle, half)
        bend = second(cell)
        steep = 2 * bend * (first(cell) + stretch * third(cell))
        bound = anything
        # On wide cells a quotient may not be enclosed at all.
        for found in (value + abs(steep) * half, first(cell) * first(cell) + stretch * bend * bend):
            if found.is_finite():
                bound = min(bound, upper(found))
        return lower(value), bound

    reach, beyond = _beyond(terms, stretch)
    found = largest_value(look, reach, _TOLERANCE, _MOST_CELLS)
    if found is None or found.upper > found.lower * (1 + _TOLERANCE):
        raise Invalid("the supremum of sigma'^2 + R^2 sigma''^2 is not found in so many cells")
    return Bounds(found.lower, max(found.upper, beyond))


def _beyond(terms: tuple[Term, ...], stretch: Ball) -> tuple[Fraction, Fraction]:
    """Return the end of the interval, and a bound of what lies beyond it."""
    reach = max((REACH + abs(term.shift)) / abs(term.scale) for term in terms)
    slopes, turns = [], []
    for term in terms:
        least = ball(abs(term.scale) * reach - abs(term.shift))
        slope, turn = (tail_on_line(term.family, order, least) for order in (1, 2))
        slopes.append(ball(abs(term.weight * term.scale)) * slope)
        turns.append(ball(abs(term.weight) * term.scale**2) * turn)
    slope, turn = total(slopes), total(turns)
    return reach, upper(slope * slope + stretch * turn * turn)
