r"""The kernel of one unit at two points, ``Y = f + C^2 g``: its values, mean and variance.

``f = sigma(u) sigma(t)``, ``g = sigma'(u) sigma'(t) x.x'``, u = W.x + v, t = W.x' + v'.  Atoms are
summed over; else there is a rule for W.x, to which W.x' is proportional.  Where f and g are at most
F and G on its strip, ``f^2``, ``f g`` and ``g^2`` are at most ``F^2``, ``F G`` and ``G^2`` there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from verification.certificate.check.instances import Instance, Vector
from verification.certificate.check.numbers.balls import Ball, around, ball, total
from verification.certificate.check.numbers.lattices import work_of_sum
from verification.certificate.check.outcome import Budget, Unsupported, longest
from verification.certificate.check.recurrent.activations import curve, strip_constant
from verification.certificate.check.recurrent.layer import Layer
from verification.certificate.check.recurrent.limit_equation import Spot
from verification.certificate.check.recurrent.memory import dot, projections
from verification.certificate.check.recurrent.units import moment_of_c

Masses: TypeAlias = dict[tuple[Fraction, Fraction, Fraction], Fraction]
"""Probabilities of W.x, W.x' and ``C^2 x.x'``."""

_PRODUCTS = 6
_SQUARE = 6
"""A square of C is as long as two of them, and looked up by all its digits."""


def variance_at(
    instance: Instance, inputs: tuple[Vector, Vector], budget: Budget
) -> Callable[[Fraction, Fraction], Ball]:
    """Return what encloses ``Var(Y)`` at two inputs and the memories given.

    Raises
    ------
    Unsupported
        What it returns, where W has a density and the inputs are not parallel.
    """
    one, other = inputs
    if instance.law.c is not None:
        return lambda v, w: variance_of_unit(
            unit_of_density(instance, Spot(one, v), Spot(other, w), budget)
        )
    masses = masses_of_atoms(instance, inputs, budget)
    return lambda v, w: variance_of_atoms(values_of_atoms(instance, masses, (v, w), budget))


# Atoms


def masses_of_atoms(instance: Instance, inputs: tuple[Vector, Vector], budget: Budget) -> Masses:
    """Return the probabilities of the kinds of units that two inputs tell apart."""
    atoms = instance.law.atoms
    (inner,) = projections(inputs[:1], inputs[1], budget)
    budget.spend(_SQUARE * len(atoms), longest([inner, *(atom.c for atom in atoms)]))
    places = [projections([atom.w for atom in atoms], point, budget) for point in inputs]
    masses: Masses = {}
    for u, t, atom in zip(*places, atoms, strict=True):
        key = u, t, atom.c**2 * inner
        masses[key] = masses.get(key, Fraction(0)) + atom.p
    return masses


def values_of_atoms(
    instance: Instance, masses: Masses, memories: tuple[Fraction, Fraction], budget: Budget
) -> list[tuple[Fraction, Ball]]:
    """Return the probabilities and values of Y, of atoms that agree once."""
    budget.spend(100 * len(masses) * len(instance.activation), 256)
    heights, slopes = (curve(instance.activation, order) for order in range(2))
    found = []
    for (u, t, factor), p in masses.items():
        x, y = ball(u + memories[0]), ball(t + memories[1])
        value = heights(x) * heights(y) + ball(factor) * slopes(x) * slopes(y)
        found.append((p, value))
    return found


def variance_of_atoms(values: list[tuple[Fraction, Ball]]) -> Ball:
    """Enclose ``Var(Y)``."""
    mean = total([ball(p) * y for p, y in values])
    return total([ball(p) * y * y for p, y in values]) - mean * mean


# Densities


@dataclass(frozen=True)
class Unit:
    """Values of one unit with their masses: f, g, and the moments of C^2 that are theirs."""

    masses: list[Ball]
    f: list[Ball]
    g: list[Ball]
    square: Ball
    fourth: Ball
    error: Ball
    size: tuple[Ball, Ball]

    def mean(self, values: list[Ball], bound: Ball) -> Ball:
        """Enclose the mean of a function of the unit, which is so large at most."""
        found = total([p * x for p, x in zip(self.masses, values, strict=True)])
        return around(found, bound * self.error)


def unit_of_density(instance: Instance, first: Spot, second: Spot, budget: Budget) -> Unit:
    """Return the values of f and g at the nodes of a rule for W.x, x the longer input."""
    budget.spend(_PRODUCTS * work_of_sum((*first.input, *second.input)))
    if dot(first.input, first.input) < dot(second.input, second.input):
        first, second = second, first
    point = first.input
    law, terms = instance.law, instance.activation
    size, mixed = dot(point, point), dot(point, second.input)
    if law.c is None or dot(second.input, second.input) * size != mixed * mixed:
        raise Unsupported("inputs that are not parallel")
    share = ball(mixed / size if size else 0)
    rule = Layer(instance, point, budget, gradient=False).rule
    budget.spend(100 * len(rule.nodes) * len(terms), 256)
    heights, slopes = (curve(terms, order) for order in range(2))
    inner = ball(dot(first.input, second.input))
    masses, f, g = [], [], []
    for node, weight, _ in rule.nodes:
        u, t = node + ball(first.memory), share * node + ball(second.memory)
        masses.append(weight)
        f.append(heights(u) * heights(t))
        g.append(slopes(u) * slopes(t) * inner)
    if not rule.strip:
        sizes, error = [ball(0), ball(0)], ball(0)
    else:
        sizes = [strip_constant(terms, order, rule.strip) for order in range(2)]
        error = rule.analytic + rule.left_out
    return Unit(
        masses,
        f,
        g,
        ball(moment_of_c(law.c, 2)),
        ball(moment_of_c(law.c, 4)),
        error,
        (sizes[0] * sizes[0], sizes[1] * sizes[1] * abs(inner)),
    )


def mean_of_unit(unit: Unit) -> Ball:
    """Enclose ``E[Y] = K``."""
    mean_f = unit.mean(unit.f, unit.size[0])
    return mean_f + unit.square * unit.mean(unit.g, unit.size[1])


def variance_of_unit(unit: Unit) -> Ball:
    """Enclose ``Var(Y)``."""
    kernel = mean_of_unit(unit)
    f, g = unit.f, unit.g
    flat = unit.mean([x * x for x in f], unit.size[0] * unit.size[0])
    mixed = unit.mean([x * y for x, y in zip(f, g, strict=True)], unit.size[0] * unit.size[1])
    steep = unit.mean([y * y for y in g], unit.size[1] * unit.size[1])
    return flat + 2 * unit.square * mixed + unit.fourth * steep - kernel * kernel
