r"""What bounds the kernel: ``Kbar = sup_u (sigma(u)^2 + E[C^2] R^2 sigma'(u)^2)``, and its slope.

By search on an interval, with the mean value theorem; beyond it by bounds of both terms, or by the
limit of the first.  A sine alone, a sin(b u + c), has ``a^2 max(1, b^2 E[C^2] R^2)``.  Where C^2
depends on W, a law of atoms, it is the mean over the values of C of such suprema.
"""

from __future__ import annotations

from fractions import Fraction

from verification.certificate.check.instances import Instance, Term, Vector
from verification.certificate.check.numbers.balls import around, ball, lower, upper
from verification.certificate.check.numbers.bounds import Bounds
from verification.certificate.check.numbers.search import largest_value
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.recurrent.activations import curve
from verification.certificate.check.recurrent.features import mean_square_of_c
from verification.certificate.check.recurrent.suprema import beyond, reach_of, repeats

_TOLERANCE = Fraction(1, 2**40)
_MOST_CELLS = 20_000
_WORK = 200


def mean_square(instance: Instance) -> Fraction:
    """Return ``E[C^2]``."""
    law = instance.law
    if law.c is not None:
        return mean_square_of_c(law.c)
    return sum((atom.p * atom.c**2 for atom in law.atoms), Fraction(0))


def squared_radius(instance: Instance) -> Fraction:
    """Return ``R^2``."""
    return instance.squared_radius


def kernel_bound(instance: Instance, budget: Budget) -> Bounds:
    """Return bounds of Kbar, at the working precision."""
    terms, square = instance.activation, squared_radius(instance)
    if has_free_square(instance):
        return largest_height(terms, mean_square(instance) * square, budget)
    masses: dict[Fraction, Fraction] = {}
    for atom in instance.law.atoms:
        masses[atom.c**2] = masses.get(atom.c**2, Fraction(0)) + atom.p
    found = Bounds.exactly(Fraction(0))
    for c, mass in masses.items():
        found = found.plus(largest_height(terms, c * square, budget).times(mass))
    return found


def has_free_square(instance: Instance) -> bool:
    """Tell whether ``E[C^2 F(W)] = E[C^2] E[F(W)]`` for every F."""
    if instance.law.c is not None:
        return True
    mean = mean_square(instance)
    moments: dict[Vector, Fraction] = {}
    for atom in instance.law.atoms:
        moments[atom.w] = moments.get(atom.w, Fraction(0)) + atom.p * (atom.c**2 - mean)
    return not any(moments.values())


def largest_height(terms: tuple[Term, ...], factor: Fraction, budget: Budget) -> Bounds:
    """Return bounds of ``sup_u sigma(u)^2 + factor sigma'(u)^2``.

    Raises
    ------
    Invalid
        Where the cells are too many.
    """
    if repeats(terms):
        return Bounds.exactly(terms[0].weight ** 2 * max(Fraction(1), terms[0].scale ** 2 * factor))
    scale = ball(factor)
    values, slopes, turns = (curve(terms, order) for order in range(3))
    far, steep = (beyond(terms, order, None) for order in range(2))
    if far is None or steep is None:
        raise Invalid("the supremum Kbar is not found")
    anything = sum((abs(term.weight) * 2 for term in terms), Fraction(0)) ** 2
    anything += (
        factor * sum((abs(term.weight * term.scale) * 2 for term in terms), Fraction(0)) ** 2
    )

    def look(low: Fraction, high: Fraction) -> tuple[Fraction, Fraction]:
        budget.spend(_WORK * len(terms))
        middle, half = ball((low + high) / 2), ball((high - low) / 2)
        height, slope = values(middle), slopes(middle)
        value = height * height + scale * slope * slope
        cell = around(middle, half)
        height, slope = values(cell), slopes(cell)
        change = 2 * slope * (height + scale * turns(cell))
        bound = anything
        # On wide cells a quotient may not be enclosed at all.
        for found in (value + abs(change) * half, height * height + scale * slope * slope):
            if found.is_finite():
                bound = min(bound, upper(found))
        return lower(value), bound

    found = largest_value(look, reach_of(terms), _TOLERANCE, _MOST_CELLS, far.lower**2)
    if found is None:
        raise Invalid("the supremum Kbar is not found in so many cells")
    return Bounds(found.lower, max(found.upper, far.upper**2 + factor * steep.upper**2))
