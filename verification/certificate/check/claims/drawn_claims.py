r"""K4: how far the kernel of N drawn units is from the limiting kernel, in the mean square.

``K^N = N^-1 sum_i Y_i``, ``Y = f + C^2 g``, ``f = sigma(u) sigma(t)``, ``g = sigma'(u) sigma'(t)
x.x'``, u = W.x + v, t = W.x' + v'.  Left: the mean of ``(K^N - K)^2`` over all draws, of atoms as
a sum over multisets, else over N nodes, ``N <= 2``, of a rule for W.x, to which W.x' is
proportional; right: ``(E[f^2] + 2 E[C^2] E[f g] + E[C^4] E[g^2] - K^2)/N``.

*Errors.*  Where f and g are at most F and G on the strip of the rule, each function of one unit
that is averaged here is at most ``B = (F + |K| + E[C^2] G)^2 + (E[C^4] + E[C^2]^2) G^2`` there, and
so is that of two units with one of them real: a rule with the error e for functions of size 1 errs
by B e, two of them by ``B e (1 + A)``, A the sum of the weights.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from itertools import combinations_with_replacement
from math import comb, factorial, prod

from verification.certificate.check.claims.limit_claims import read_spot, require_order
from verification.certificate.check.instances import Instance
from verification.certificate.check.numbers.balls import Ball, around, at_precision, ball, total
from verification.certificate.check.numbers.bounds import Bounds, Shown, brief
from verification.certificate.check.outcome import Budget, Unsupported
from verification.certificate.check.reading import Node
from verification.certificate.check.recurrent.limit_equation import Spot
from verification.certificate.check.recurrent.unit_kernels import (
    Masses,
    Unit,
    masses_of_atoms,
    mean_of_unit,
    unit_of_density,
    values_of_atoms,
    variance_of_atoms,
    variance_of_unit,
)

MAX_UNITS = 3
MAX_DRAWS = 5_000
_PRODUCTS = 6
_SPARE_BITS = 64


@dataclass(frozen=True)
class Drawn:
    """An instance, and the work that is left."""

    instance: Instance
    budget: Budget


def read_drawn(instance: Instance, witness: Node, budget: Budget) -> Drawn:
    """Return the instance; nothing is assumed."""
    witness.fields(())
    return Drawn(instance, budget)


def distance_of_drawn_kernel(known: Drawn, case: Node, _claimed: Bounds) -> Shown:
    """``E[(K^N - K)^2] = Var(Y)/N``."""
    members = case.fields(("first", "second", "units"))
    first, second = (read_spot(members[key], known.instance) for key in ("first", "second"))
    require_order(case, (first, second))
    units = members["units"].integer(1, MAX_UNITS)
    if known.instance.law.c is None:
        sides = _Atoms(known, first, second, units)
        left, right = at_precision(sides.left, _SPARE_BITS), at_precision(sides.right, _SPARE_BITS)
    else:
        if units > 2:
            members["units"].refuse("1 or 2, where units have a density")
        drawn = partial(unit_of_density, known.instance, first, second, known.budget)
        left = at_precision(lambda: _left(drawn(), units, known), _SPARE_BITS)
        right = at_precision(lambda: variance_of_unit(drawn()) / units, _SPARE_BITS)
    return Shown(f"N = {units}, v = {brief(first.memory)} and {brief(second.memory)}", left, right)


# Atoms


@dataclass(frozen=True)
class _Atoms:
    known: Drawn
    first: Spot
    second: Spot
    units: int

    @cached_property
    def _masses(self) -> Masses:
        inputs = self.first.input, self.second.input
        return masses_of_atoms(self.known.instance, inputs, self.known.budget)

    def _values(self) -> list[tuple[Fraction, Ball]]:
        known, memories = self.known, (self.first.memory, self.second.memory)
        return values_of_atoms(known.instance, self._masses, memories, known.budget)

    def left(self) -> Ball:
        values = self._values()
        if comb(len(values) + self.units - 1, self.units) > MAX_DRAWS:
            raise Unsupported("so many draws of atoms")
        self.known.budget.spend(MAX_DRAWS * 20)
        mean = total([ball(p) * y for p, y in values])
        found = ball(0)
        for drawn in combinations_with_replacement(range(len(values)), self.units):
            orders = factorial(self.units) // prod(map(factorial, Counter(drawn).values()))
            chance = prod((values[i][0] for i in drawn), start=Fraction(orders))
            apart = total([values[i][1] for i in drawn]) / self.units - mean
            found = found + ball(chance) * apart * apart
        return found

    def right(self) -> Ball:
        return variance_of_atoms(self._values()) / self.units


# Densities


def _largest(unit: Unit, kernel: Ball) -> Ball:
    reach = unit.size[0] + abs(kernel) + unit.square * unit.size[1]
    return reach * reach + (unit.fourth + unit.square * unit.square) * unit.size[1] * unit.size[1]


def _left(unit: Unit, units: int, known: Drawn) -> Ball:
    kernel = mean_of_unit(unit)
    # Of Y - K at a node: its mean over C, and its variance.
    middle = [f - kernel + unit.square * g for f, g in zip(unit.f, unit.g, strict=True)]
    spread = unit.fourth - unit.square * unit.square
    varied = [spread * g * g for g in unit.g]
    bound = _largest(unit, kernel)
    if units == 1:
        return unit.mean([a * a + b for a, b in zip(middle, varied, strict=True)], bound)
    known.budget.spend(10 * len(middle) ** 2, 256)
    # (Y + Y')^2 / 4 over pairs of nodes: what varies with C, then each two nodes once.
    spread_out = total([p * b for p, b in zip(unit.masses, varied, strict=True)])
    found = total(unit.masses) * spread_out / 2
    for count, (p, a) in enumerate(zip(unit.masses, middle, strict=True)):
        earlier = zip(unit.masses[:count], middle[:count], strict=True)
        row = total([q * (both := a + c) * both for q, c in earlier])
        found = found + p * (row / 2 + p * a * a)
    mass = total([abs(p) for p in unit.masses])
    return around(found, bound * unit.error * (1 + mass))
