"""The hidden layer as a function of the weight: norms of differences, in balls.

``T_x h = sigma(w.x + E[B h(W)])`` for ``h(w) = c + s sigma(w.x + t) + r E[B | W = w]``, so that all
expectations are ones of functions of W.x and E[B | W].  Atoms and constants: the sum over the
values of W.  Normal and uniform W: a rule for W.x, see
`verification.certificate.check.recurrent.rules`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from verification.certificate.check.instances import Instance, Vector
from verification.certificate.check.numbers.balls import (
    Ball,
    around,
    ball,
    largest,
    working_precision,
)
from verification.certificate.check.outcome import Budget
from verification.certificate.check.recurrent.activations import (
    constant,
    curve,
    strip_constant,
)
from verification.certificate.check.recurrent.memory import Memory, mean_b, projections
from verification.certificate.check.recurrent.rules import normal_rule, sum_rule, uniform_parts


@dataclass(frozen=True)
class Function:
    """``h(w) = constant + slope sigma(w.x + shift) + conditional E[B | W = w]``."""

    constant: Fraction
    slope: Fraction
    shift: Fraction
    conditional: Fraction


@dataclass(frozen=True)
class _Rule:
    """Nodes of W.x with their weights and E[B | W]; factors of the bounds of g in the error."""

    nodes: tuple[tuple[Ball, Ball, Ball], ...]
    strip: Fraction
    analytic: Ball
    left_out: Ball


def conditional_atoms(instance: Instance) -> list[tuple[Vector, Fraction, Fraction]]:
    """Return the values of W in a law of atoms, their probabilities, and E[B | W]."""
    found: dict[Vector, tuple[Fraction, Fraction]] = {}
    for atom in instance.law.atoms:
        p, moment = found.get(atom.w, (Fraction(0), Fraction(0)))
        found[atom.w] = p + atom.p, moment + atom.p * atom.b
    return [(w, p, moment / p) for w, (p, moment) in found.items()]


def mean_square_of_conditional_b(instance: Instance) -> Fraction:
    """Return ``E[E[B | W]^2]``."""
    law = instance.law
    if law.b is not None:
        return mean_b(law.b) ** 2
    return sum((p * b * b for _, p, b in conditional_atoms(instance)), Fraction(0))


def layer_at(memory: Memory, state: int, *, gradient: bool) -> Layer:
    """Return the layer map at the input of a state, at the working precision."""
    point = memory.instance.inputs[state]
    key = point, working_precision(), gradient
    found = memory.layers.get(key)
    if not isinstance(found, Layer):
        found = Layer(memory.instance, point, memory.budget, gradient=gradient)
        memory.layers[key] = found
    return found


class Layer:
    """The layer map at one input, at the working precision.

    Parameters
    ----------
    instance : Instance
    point : Vector
        The input x.
    budget : Budget
    gradient : bool
        Whether norms are those of H1, with the gradient in w, or of L2.

    Raises
    ------
    Unsupported
        Where too many nodes would be needed.
    """

    def __init__(
        self, instance: Instance, point: Vector, budget: Budget, *, gradient: bool
    ) -> None:
        self.terms = instance.activation
        self.budget = budget
        self.gradient = gradient
        self.squared_input = ball(projections([point], point, budget)[0])
        self.rule = self._made_rule(instance, point)
        self.largest_mean = largest([abs(b) for _, _, b in self.rule.nodes])
        # Only rules with an error ask for these, and they know a strip.
        self.heights = [
            strip_constant(self.terms, order, self.rule.strip) if self.rule.strip else ball(0)
            for order in range(3)
        ]
        self.curves = [curve(self.terms, order) for order in range(2)]
        self.sizes = [constant(self.terms, order) for order in range(3)]

    def squared_distance(self, first: Function, second: Function) -> Ball:
        """Enclose ``|h - h'|^2``."""
        level = ball(first.constant - second.constant)
        share = ball(first.conditional - second.conditional)
        nothing = ball(0)

        parts = [
            (ball(sign * h.slope), ball(h.shift))
            for sign, h in ((1, first), (-1, second))
            if h.slope
        ]

        def difference(node: Ball, order: int) -> Ball:
            result = nothing
            for slope, shift in parts:
                result = result + slope * self.curves[order](node + shift)
            return result

        def squared(node: Ball, mean: Ball) -> Ball:
            height = level + share * mean + difference(node, 0)
            if not self.gradient:
                return height * height
            steepness = difference(node, 1)
            return height * height + self.squared_input * steepness * steepness

        def bound(sizes: list[Ball]) -> Ball:
            slopes = ball(abs(first.slope) + abs(second.slope))
            height = abs(level) + abs(share) * self.largest_mean + slopes * sizes[0]
            if not self.gradient:
                return height * height
            return height * height + self.squared_input * slopes * sizes[1] * slopes * sizes[1]

        return self.mean(squared, bound)

    def squared_image_distance(self, first: Function, second: Function) -> Ball:
        """Enclose ``|T_x h - T_x h'|^2``."""
        one, other = self._memory(first), self._memory(second)
        gap = abs(one - other)

        def squared(node: Ball, _mean: Ball) -> Ball:
            apart = self.curves[0](node + one) - self.curves[0](node + other)
            if not self.gradient:
                return apart * apart
            turned = self.curves[1](node + one) - self.curves[1](node + other)
            return apart * apart + self.squared_input * turned * turned

        def bound(sizes: list[Ball]) -> Ball:
            # By the mean value theorem along the shift, which is real and stays in the strip.
            height = gap * sizes[1] * gap * sizes[1]
            if not self.gradient:
                return height
            return height + self.squared_input * gap * sizes[2] * gap * sizes[2]

        return self.mean(squared, bound)

    def _memory(self, function: Function) -> Ball:
        """Enclose ``E[B h(W)]``."""
        level, share = ball(function.constant), ball(function.conditional)
        slope, shift = ball(function.slope), ball(function.shift)

        def product(node: Ball, mean: Ball) -> Ball:
            height = level + share * mean
            if function.slope:
                height = height + slope * self.curves[0](node + shift)
            return mean * height

        def bound(sizes: list[Ball]) -> Ball:
            height = ball(abs(function.constant)) + ball(abs(function.slope)) * sizes[0]
            height = height + ball(abs(function.conditional)) * self.largest_mean
            return self.largest_mean * height

        return self.mean(product, bound)

    def mean(
        self, value: Callable[[Ball, Ball], Ball], bound: Callable[[list[Ball]], Ball]
    ) -> Ball:
        """Enclose the mean of a function of W.x and E[B | W].

        Parameters
        ----------
        value : callable
            ``(W.x, E[B | W]) -> value``, analytic where sigma is.
        bound : callable
            A bound of its size from those of sigma, sigma' and sigma''.
        """
        self.budget.spend(60 * len(self.rule.nodes) * len(self.terms), working_precision())
        total = ball(0)
        for node, weight, mean in self.rule.nodes:
            total = total + weight * value(node, mean)
        if not self.rule.strip:
            return total
        error = self.rule.analytic * bound(self.heights) + self.rule.left_out * bound(self.sizes)
        return around(total, error)

    def _made_rule(self, instance: Instance, point: Vector) -> _Rule:
        law, nothing = instance.law, ball(0)
        if law.w is None or law.b is None:
            atoms = conditional_atoms(instance)
            places = projections([w for w, _, _ in atoms], point, self.budget)
            nodes = [
                (ball(place), ball(p), ball(b))
                for place, (_, p, b) in zip(places, atoms, strict=True)
            ]
            return _Rule(tuple(nodes), Fraction(0), nothing, nothing)
        mean = ball(mean_b(law.b))
        if law.w.kind == "constant" or not any(point):
            (place,) = projections([law.w.first], point, self.budget)
            return _Rule(((ball(place), ball(1), mean),), Fraction(0), nothing, nothing)
        if law.w.kind == "normal":
            deviation = ball(law.w.second[0]) * self.squared_input.sqrt()
            (place,) = projections([law.w.first], point, self.budget)
            rule = normal_rule(self.terms, ball(place), deviation, self.budget)
        else:
            rule = sum_rule(self.terms, uniform_parts(law.w, point), self.budget)
        rows = tuple((node, weight, mean) for node, weight in rule.nodes)
        return _Rule(rows, rule.strip, rule.analytic, rule.left_out)
