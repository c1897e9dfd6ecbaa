r"""What bounds the kernel: ``Kbar = sup_u (sigma(u)^2 + E[C^2] R^2 sigma'(u)^2)``, and its slope.

Where C^2 depends on W, a law of atoms, Kbar is the mean over the values of C of such suprema.
"""

from __future__ import annotations

from fractions import Fraction

from verification.certificate.check.instances import Instance, Vector
from verification.certificate.check.numbers.bounds import Bounds
from verification.certificate.check.outcome import Budget
from verification.certificate.check.recurrent.speed import largest_squares
from verification.certificate.check.recurrent.units import moment_of_c


def mean_square(instance: Instance) -> Fraction:
    """Return ``E[C^2]``."""
    law = instance.law
    if law.c is not None:
        return moment_of_c(law.c, 2)
    return sum((atom.p * atom.c**2 for atom in law.atoms), Fraction(0))


def kernel_bound(instance: Instance, budget: Budget) -> Bounds:
    """Return bounds of Kbar, at the working precision."""
    terms, square = instance.activation, instance.squared_radius
    if has_free_square(instance):
        return largest_squares(terms, 0, mean_square(instance) * square, budget)
    masses: dict[Fraction, Fraction] = {}
    for atom in instance.law.atoms:
        masses[atom.c**2] = masses.get(atom.c**2, Fraction(0)) + atom.p
    found = Bounds.exactly(Fraction(0))
    for c, mass in masses.items():
        found = found.plus(largest_squares(terms, 0, c * square, budget).times(mass))
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
