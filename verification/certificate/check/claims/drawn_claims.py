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
from functools import cached_property
from itertools import combinations_with_replacement
from math import comb, factorial, prod

from verification.certificate.check.claims.limit_claims import read_spot
from verification.certificate.check.instances import Instance
from verification.certificate.check.numbers.balls import Ball, around, at_precision, ball, total
from verification.certificate.check.numbers.bounds import Bounds, Shown, brief
from verification.certificate.check.numbers.lattices import work_of_sum
from verification.certificate.check.outcome import Budget, Unsupported
from verification.certificate.check.reading import Node
from verification.certificate.check.recurrent.activations import curve, strip_constant
from verification.certificate.check.recurrent.layer import Layer
from verification.certificate.check.recurrent.limit_equation import Spot
from verification.certificate.check.recurrent.memory import dot, projections
from verification.certificate.check.recurrent.units import moment_of_c

MAX_UNITS = 3
MAX_DRAWS = 5_000
_PRODUCTS = 6
_SPARE_BITS = 64


@dataclass(frozen=True)
class _Unit:
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
    units = members["units"].integer(1, MAX_UNITS)
    if known.instance.law.c is None:
        sides = _Atoms(known, first, second, units)
        left, right = at_precision(sides.left, _SPARE_BITS), at_precision(sides.right, _SPARE_BITS)
    else:
        if units > 2:
            members["units"].refuse("1 or 2, where units have a density")
        left = at_precision(lambda: _left(_unit(known, first, second), units, known), _SPARE_BITS)
        right = at_precision(lambda: _right(_unit(known, first, second)) / units, _SPARE_BITS)
    return Shown(f"N = {units}, v = {brief(first.memory)} and {brief(second.memory)}", left, right)


# Atoms


@dataclass(frozen=True)
class _Atoms:
    known: Drawn
    first: Spot
    second: Spot
    units: int

    @cached_property
    def _masses(self) -> dict[tuple[Fraction, Fraction, Fraction], Fraction]:
        """The probabilities of W.x, W.x' and ``C^2 x.x'``."""
        atoms, budget = self.known.instance.law.atoms, self.known.budget
        inputs = self.first.input, self.second.input
        (inner,) = projections(inputs[:1], inputs[1], budget)
        places = [projections([atom.w for atom in atoms], point, budget) for point in inputs]
        masses: dict[tuple[Fraction, Fraction, Fraction], Fraction] = {}
        for u, t, atom in zip(*places, atoms, strict=True):
            key = u, t, atom.c**2 * inner
            masses[key] = masses.get(key, Fraction(0)) + atom.p
        return masses

    def _values(self) -> list[tuple[Fraction, Ball]]:
        """Return the probabilities and values of Y, of atoms that agree once."""
        instance, masses = self.known.instance, self._masses
        self.known.budget.spend(100 * len(masses) * len(instance.activation), 256)
        heights, slopes = (curve(instance.activation, order) for order in range(2))
        found = []
        for (u, t, factor), p in masses.items():
            x, y = ball(u + self.first.memory), ball(t + self.second.memory)
            value = heights(x) * heights(y) + ball(factor) * slopes(x) * slopes(y)
            found.append((p, value))
        return found

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
        values = self._values()
        mean = total([ball(p) * y for p, y in values])
        return (total([ball(p) * y * y for p, y in values]) - mean * mean) / self.units


# Densities


def _unit(known: Drawn, first: Spot, second: Spot) -> _Unit:
    """Return the values of f and g at the nodes of a rule for W.x, x the longer input."""
    known.budget.spend(_PRODUCTS * work_of_sum((*first.input, *second.input)))
    if dot(first.input, first.input) < dot(second.input, second.input):
        first, second = second, first
    instance, point = known.instance, first.input
    law, terms = instance.law, instance.activation
    size, mixed = dot(point, point), dot(point, second.input)
    if law.c is None or dot(second.input, second.input) * size != mixed * mixed:
        raise Unsupported("inputs that are not parallel")
    share = ball(mixed / size if size else 0)
    rule = Layer(instance, point, known.budget, gradient=False).rule
    known.budget.spend(100 * len(rule.nodes) * len(terms), 256)
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
    return _Unit(
        masses,
        f,
        g,
        ball(moment_of_c(law.c, 2)),
        ball(moment_of_c(law.c, 4)),
        error,
        (sizes[0] * sizes[0], sizes[1] * sizes[1] * abs(inner)),
    )


def _kernel(unit: _Unit) -> Ball:
    mean_f = unit.mean(unit.f, unit.size[0])
    return mean_f + unit.square * unit.mean(unit.g, unit.size[1])


def _largest(unit: _Unit, kernel: Ball) -> Ball:
    reach = unit.size[0] + abs(kernel) + unit.square * unit.size[1]
    return reach * reach + (unit.fourth + unit.square * unit.square) * unit.size[1] * unit.size[1]


def _left(unit: _Unit, units: int, known: Drawn) -> Ball:
    kernel = _kernel(unit)
    # Of Y - K at a node: its mean over C, and its variance.
    middle = [f - kernel + unit.square * g for f, g in zip(unit.f, unit.g, strict=True)]
    spread = unit.fourth - unit.square * unit.square
    varied = [spread * g * g for g in unit.g]
    bound = _largest(unit, kernel)
    if units == 1:
        return unit.mean([a * a + b for a, b in zip(middle, varied, strict=True)], bound)
    known.budget.spend(20 * len(middle) ** 2, 256)
    found = ball(0)
    for p, a, b in zip(unit.masses, middle, varied, strict=True):
        row = total(
            [
                q * ((a + c) * (a + c) + b + d)
                for q, c, d in zip(unit.masses, middle, varied, strict=True)
            ]
        )
        found = found + p * row / 4
    mass = total([abs(p) for p in unit.masses])
    return around(found, bound * unit.error * (1 + mass))


def _right(unit: _Unit) -> Ball:
    kernel = _kernel(unit)
    f, g = unit.f, unit.g
    flat = unit.mean([x * x for x in f], unit.size[0] * unit.size[0])
    mixed = unit.mean([x * y for x, y in zip(f, g, strict=True)], unit.size[0] * unit.size[1])
    steep = unit.mean([y * y for y in g], unit.size[1] * unit.size[1])
    return flat + 2 * unit.square * mixed + unit.fourth * steep - kernel * kernel
