r"""Features: ``K(zeta, zeta') = E[phi(zeta) . phi(zeta')]``, by one rule for W at all points.

``phi(zeta) = (sigma(W.x + v), C sigma'(W.x + v) x)``.  With nodes w_j, their weights p_j and means
c_j of C^2 there, the row of a point is

    (p_j^(1/2) sigma(w_j.x + v))_j, ((p_j c_j)^(1/2) sigma'(w_j.x + v) x_k)_{j,k},

and the product of two rows is K up to the error of the rule, 0 where W has finitely many values.
For W in one dimension the rule is for functions of ``X W``, X the largest ``|x|``: they are
analytic where the activation is, as ``|x/X| <= 1``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from verification.certificate.check.instances import Instance, Spread, Vector
from verification.certificate.check.numbers.balls import Ball, ball, working_precision
from verification.certificate.check.outcome import Budget, Unsupported
from verification.certificate.check.recurrent.activations import constant, curve, strip_constant
from verification.certificate.check.recurrent.memory import projections
from verification.certificate.check.recurrent.rules import (
    NormalRule,
    normal_rule,
    uniform_rule,
)
from verification.certificate.check.recurrent.units import moment_of_c

MAX_FEATURES = 20_000

Row = list[Ball]


@dataclass(frozen=True)
class _Node:
    """A value of W, or of X W where there is a rule, with p and p c."""

    place: Vector | Ball
    mass: Ball
    square: Ball


class Features:
    """The features of points with some inputs, at the working precision.

    Parameters
    ----------
    instance : Instance
    inputs : iterable of Vector
    budget : Budget

    Attributes
    ----------
    error : Ball
        Bounds the distance of the product of two rows from K.

    Raises
    ------
    Unsupported
        Where W has a density in several dimensions, or too many nodes would be needed.
    """

    def __init__(self, instance: Instance, inputs: Iterable[Vector], budget: Budget) -> None:
        self.instance = instance
        self.budget = budget
        self.error = ball(0)
        self.widest = Fraction(0)
        self._nodes = self._made_nodes(list(inputs))
        self._curves = [curve(instance.activation, order) for order in range(2)]
        self._heights = [(node.mass.sqrt(), node.square.sqrt()) for node in self._nodes]
        if len(self._nodes) * (1 + len(instance.inputs[0])) > MAX_FEATURES:
            raise Unsupported("W needs too many features")

    def row(self, point: Vector, memory: Ball) -> Row:
        """Return the row of a point."""
        work = 40 * len(self.instance.activation) + 8 * len(point)
        self.budget.spend(work * len(self._nodes), working_precision())
        where = [place + memory for place in self._projections(point)]
        row = [h * self._curves[0](u) for u, (h, _) in zip(where, self._heights, strict=True)]
        slopes = [h * self._curves[1](u) for u, (_, h) in zip(where, self._heights, strict=True)]
        for entry in point:
            factor = ball(entry)
            row += [factor * slope for slope in slopes] if entry else [factor] * len(slopes)
        return row

    def _projections(self, point: Vector) -> list[Ball]:
        """Return W.x at the nodes."""
        if self.widest:
            share = ball(point[0] / self.widest)
            return [node.place * share for node in self._nodes if not isinstance(node.place, tuple)]
        places = [node.place for node in self._nodes if isinstance(node.place, tuple)]
        return [ball(x) for x in projections(places, point, self.budget)]

    def _made_nodes(self, inputs: list[Vector]) -> list[_Node]:
        law = self.instance.law
        if law.w is None or law.c is None:
            return [
                _Node(atom.w, ball(atom.p), ball(atom.p * atom.c * atom.c)) for atom in law.atoms
            ]
        square = moment_of_c(law.c, 2)
        if law.w.kind == "constant":
            return [_Node(law.w.first, ball(1), ball(square))]
        if len(inputs[0]) > 1:
            raise Unsupported("W has a density in several dimensions")
        self.widest = max(abs(point[0]) for point in inputs)
        if not self.widest:
            return [_Node((Fraction(0),), ball(1), ball(square))]
        rule = self._rule(law.w, self.widest)
        self.budget.spend(40 * len(rule.nodes), working_precision())
        self.error = self._rule_error(rule, ball(square))
        return [_Node(node, weight, weight * ball(square)) for node, weight in rule.nodes]

    def _rule(self, spread: Spread, widest: Fraction) -> NormalRule:
        terms = self.instance.activation
        if spread.kind == "uniform":
            ends = widest * spread.first[0], widest * spread.second[0]
            return uniform_rule(terms, *ends, self.budget)
        centre, deviation = ball(widest * spread.first[0]), ball(widest * spread.second[0])
        return normal_rule(terms, centre, deviation, self.budget)

    def _rule_error(self, rule: NormalRule, square: Ball) -> Ball:
        terms, errors = self.instance.activation, []
        for order in range(2):
            height, size = strip_constant(terms, order, rule.strip), constant(terms, order)
            errors.append(rule.analytic * height * height + rule.left_out * size * size)
        return errors[0] + square * ball(self.widest**2) * errors[1]
