"""How large a derivative of sigma and a multiple of the next are together, over the real line.

``sup_u sigma^(k)(u)^2 + c sigma^(k+1)(u)^2``: of k = 1 and c = R^2 the squared speed of a layer, of
k = 0 and ``c = E[C^2] R^2`` the bound of the kernel.  By search on an interval, with the mean value
theorem; beyond it by bounds of both terms, or by the limit of the first.  A sine alone, a sin(b u +
c'), has ``(a b^k)^2 max(1, b^2 c)``.
"""

from __future__ import annotations

from fractions import Fraction

from verification.certificate.check.instances import Term
from verification.certificate.check.numbers.balls import around, ball, lower, upper
from verification.certificate.check.numbers.bounds import Bounds
from verification.certificate.check.numbers.search import largest_value
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.recurrent.activations import curve
from verification.certificate.check.recurrent.suprema import beyond, reach_of, repeats

_TOLERANCE = Fraction(1, 2**40)
_MOST_CELLS = 20_000
_WORK = 200


def largest_squares(
    terms: tuple[Term, ...], order: int, factor: Fraction, budget: Budget
) -> Bounds:
    """Return bounds of ``sup sigma^(k)^2 + factor sigma^(k+1)^2``, k = 0, 1.

    Raises
    ------
    Invalid
        Where the cells are too many.
    """
    if repeats(terms):
        squared = terms[0].scale ** 2
        size = terms[0].weight ** 2 * squared**order
        return Bounds.exactly(size * max(Fraction(1), squared * factor))
    scale = ball(factor)
    first, second, third = (curve(terms, order + k) for k in range(3))
    far, steep = (beyond(terms, order + k, None) for k in range(2))

    def look(low: Fraction, high: Fraction) -> tuple[Fraction, Fraction | None]:
        budget.spend(_WORK * len(terms))
        middle, half = ball((low + high) / 2), ball((high - low) / 2)
        one, two = first(middle), second(middle)
        value = one * one + scale * two * two
        cell = around(middle, half)
        one, two = first(cell), second(cell)
        change = 2 * two * (one + scale * third(cell))
        # On wide cells a quotient may not be enclosed at all.
        found = (value + abs(change) * half, one * one + scale * two * two)
        return lower(value), min((upper(x) for x in found if x.is_finite()), default=None)

    least = far.lower**2 if far else Fraction(0)
    found = largest_value(look, reach_of(terms), _TOLERANCE, _MOST_CELLS, least)
    if found is None or far is None or steep is None:
        raise Invalid("a supremum of the activation is not found in so many cells")
    return Bounds(found.lower, max(found.upper, far.upper**2 + factor * steep.upper**2))
