r"""The trapezoidal rule of a step h for the kernel of normal weights, and what it errs by.

With ``W.x = m.x + a Z``, ``W.x' = m.x' + b Z + c Z'``, Z and Z' independent and standard normal,
``a = s |x|``, ``b = s x.x'/|x|`` and ``c^2 = s^2 |x'|^2 - b^2``, an integral over Z becomes ``h
sum_k F(k h) phi(k h)``, k over all integers.  A function of Z that is at most S where ``|Im Z| <=
w`` costs ``S E``, ``E = 2 exp(w^2/2) / (exp(2 pi w/h) - 1)``; of Z and Z' it costs ``S E (2 + E)``,
as the weights sum to 1 + E at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil, log, sqrt

from verification.certificate.check.instances import Instance, Vector
from verification.certificate.check.numbers.balls import (
    Ball,
    around,
    ball,
    pi,
    total,
    upper,
    working_precision,
)
from verification.certificate.check.numbers.lattices import work_of_sum
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.recurrent.activations import constant, curve, strip_constant
from verification.certificate.check.recurrent.memory import projections
from verification.certificate.check.recurrent.units import moment_of_c

_PRODUCTS = 16
"""The quotient of inner products takes as long as so many of them, where they are long."""

Point = tuple[Vector, Fraction]


@dataclass(frozen=True)
class CoarseRule:
    """A rule of a step for K at two points, W normal and C independent of it.

    Raises
    ------
    Invalid
        Where W is not normal, or the first input is 0.
    """

    instance: Instance
    first: Point
    second: Point
    step: Fraction
    budget: Budget

    def __post_init__(self) -> None:
        law = self.instance.law
        if law.w is None or law.c is None or law.w.kind != "normal":
            raise Invalid("a coarse rule is for normal W")
        if not any(self.first[0]) or self.step <= 0:
            raise Invalid("a coarse rule is for a first input other than 0, and a step > 0")

    @cached_property
    def _products(self) -> tuple[Fraction, Fraction, Fraction]:
        """``|x|^2``, ``x.x'`` and ``c^2 / s^2``."""
        self.budget.spend(_PRODUCTS * work_of_sum((*self.first[0], *self.second[0])))
        size, mixed = projections((self.first[0], self.second[0]), self.first[0], self.budget)
        (other,) = projections((self.second[0],), self.second[0], self.budget)
        return size, mixed, other - mixed * mixed / size

    @cached_property
    def _means(self) -> list[Fraction]:
        """``m.x`` and ``m.x'``."""
        mean = self.instance.law.w.first if self.instance.law.w else ()
        return projections((self.first[0], self.second[0]), mean, self.budget)

    def _parts(self) -> tuple[Ball, Ball, Ball]:
        """Return a, b and c."""
        spread = self.instance.law.w
        deviation = ball(spread.second[0]) if spread else ball(0)
        size, mixed, rest = map(ball, self._products)
        along = size.sqrt()
        return deviation * along, deviation * mixed / along, deviation * rest.sqrt()

    def _lever(self) -> Ball:
        """Return ``E[C^2] x.x'``."""
        spread = self.instance.law.c
        square = moment_of_c(spread, 2) if spread else Fraction(0)
        return ball(square * self._products[1])

    def value(self) -> Ball:
        """Enclose the rule's sum, at the working precision."""
        terms, rest = self.instance.activation, self._products[2]
        bits = working_precision() + 8
        count = ceil(Fraction(sqrt(2 * log(2) * bits)) / self.step)
        cells = (2 * count + 1) ** (2 if rest else 1)
        self.budget.spend(80 * cells * len(terms), bits)
        nodes = [ball(self.step * k) for k in range(-count, count + 1)]
        weights = [(-node * node / 2).exp() * ball(self.step) / (2 * pi()).sqrt() for node in nodes]
        memories = self.first[1], self.second[1]
        starts = [ball(mean + v) for mean, v in zip(self._means, memories, strict=True)]
        along, mixed, across = self._parts()
        heights, slopes = (curve(terms, order) for order in range(2))
        lever, found = self._lever(), ball(0)
        for node, weight in zip(nodes, weights, strict=True):
            u, t = starts[0] + along * node, starts[1] + mixed * node
            others = [(t, ball(1))]
            if rest:
                others = [(t + across * z, p) for z, p in zip(nodes, weights, strict=True)]
            forward = total([p * heights(x) for x, p in others])
            backward = total([p * slopes(x) for x, p in others])
            found = found + weight * (heights(u) * forward + lever * slopes(u) * backward)
        # What lies beyond the last node weighs less than the normal law does there.
        beyond = (ball(self.step * count) / ball(2).sqrt()).erfc()
        s0, s1 = constant(terms, 0), constant(terms, 1)
        if rest:
            beyond = beyond * (2 * total(weights) + beyond)
        return around(found, (s0 * s0 + abs(lever) * s1 * s1) * beyond)

    def mass(self) -> Ball:
        """Bound the sum of the weights: the normal density is monotone on both sides of 0."""
        mass = 1 + ball(self.step) / (2 * pi()).sqrt()
        return mass * mass if self._products[2] else mass

    def error(self, width: Fraction) -> Ball:
        """Bound the distance from K by strips of a width w."""
        terms = self.instance.activation
        along, mixed, across = self._parts()
        widest, aside = (upper(ball(width) * part) for part in (along, abs(mixed).max(across)))
        # A strip that both functions are analytic on, rounded up by no more than a ball is wide.
        strips = [
            strip_constant(terms, order, widest) * self._height(order, aside) for order in range(2)
        ]
        size = strips[0] + abs(self._lever()) * strips[1]
        w = ball(width)
        one = 2 * (w * w / 2).exp() / (2 * pi() * w / ball(self.step)).expm1()
        return size * (one * (2 + one) if self._products[2] else one)

    def _height(self, order: int, width: Fraction) -> Ball:
        if not width:
            return constant(self.instance.activation, order)
        return strip_constant(self.instance.activation, order, width)
