r"""The kernel at two points where W has a density in several dimensions, in balls.

Independent variables T_k move W.x and W.x': of a normal W with ``|x| >= |x'|`` two of them,

    W.x = m.x + T_1,    W.x' = m.x' + (x.x'/|x|^2) T_1 + T_2,

of a uniform W its components, each times the larger of ``|x_k|`` and ``|x'_k|``: so the functions
are analytic in each T_k where the activation is.  Of a product of rules with errors e_k, of which
one variable is in its strip and the others are real, and sums of weights ``A_k``, the error is at
most ``e_1 + A_1 e_2 + A_1 A_2 e_3 + ...``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from verification.certificate.check.instances import Instance, Spread, Vector
from verification.certificate.check.numbers.balls import (
    Ball,
    around,
    ball,
    total,
    working_precision,
)
from verification.certificate.check.outcome import Budget, Unsupported
from verification.certificate.check.recurrent.activations import constant, curve, strip_constant
from verification.certificate.check.recurrent.memory import dot
from verification.certificate.check.recurrent.rules import (
    NormalRule,
    normal_rule,
    uniform_rule,
)
from verification.certificate.check.recurrent.units import moment_of_c

MAX_PAIR_NODES = 2**18

_Function: TypeAlias = Callable[[Ball], Ball]


@dataclass(frozen=True)
class _Axis:
    """A variable T, its rule, and what part of it W.x and W.x' have."""

    rule: NormalRule
    first: Fraction
    second: Fraction


Point: TypeAlias = tuple[Vector, Ball]
"""An input and a memory."""


def pair_kernel(instance: Instance, first: Point, second: Point, budget: Budget) -> Ball:
    """Enclose K at two points, W and C independent.

    Raises
    ------
    Unsupported
        Where W has no density, or the rules have too many nodes together.
    """
    if dot(first[0], first[0]) < dot(second[0], second[0]):
        first, second = second, first
    law, terms = instance.law, instance.activation
    if law.w is None or law.c is None or law.w.kind == "constant":
        raise Unsupported("a law of this kind")
    axes = _axes(instance, law.w, first[0], second[0], budget)
    count = 1
    for axis in axes:
        budget.spend(40 * len(axis.rule.nodes), working_precision())
        count *= len(axis.rule.nodes)
    if count > MAX_PAIR_NODES:
        raise Unsupported("a mean over W would need too many nodes")
    budget.spend(60 * count * len(terms), working_precision())
    starts = [memory for _, memory in (first, second)]
    if law.w.kind == "normal":
        starts = [ball(dot(law.w.first, point)) + memory for point, memory in (first, second)]
    inner = ball(dot(first[0], second[0]) * moment_of_c(law.c, 2))
    means = []
    for order in range(2):
        function = curve(terms, order)
        value = _mean_of_product(axes, starts[0], starts[1], function)
        means.append(around(value, _error(instance, axes, order)))
    return means[0] + inner * means[1]


def _axes(
    instance: Instance, spread: Spread, longer: Vector, other: Vector, budget: Budget
) -> list[_Axis]:
    terms, one, zero = instance.activation, Fraction(1), Fraction(0)
    if spread.kind == "uniform":
        axes = []
        for low, high, x, y in zip(spread.first, spread.second, longer, other, strict=True):
            most = max(abs(x), abs(y))
            if most:
                rule = uniform_rule(terms, most * low, most * high, budget)
                axes.append(_Axis(rule, x / most, y / most))
        return axes
    size, mixed = dot(longer, longer), dot(longer, other)
    if not size:
        return []
    deviation = ball(spread.second[0])
    along = normal_rule(terms, ball(0), deviation * ball(size).sqrt(), budget)
    axes = [_Axis(along, one, mixed / size)]
    rest = dot(other, other) - mixed * mixed / size
    if rest:
        across = normal_rule(terms, ball(0), deviation * ball(rest).sqrt(), budget)
        axes.append(_Axis(across, zero, one))
    return axes


def _mean_of_product(axes: Sequence[_Axis], u: Ball, v: Ball, function: _Function) -> Ball:
    """Return the sum of ``f f`` over the nodes of all axes."""
    if all(not axis.first for axis in axes):
        return function(u) * _mean(axes, v, function)
    axis, rest = axes[0], axes[1:]
    x, y = ball(axis.first), ball(axis.second)
    return total(
        [
            weight * _mean_of_product(rest, u + x * node, v + y * node, function)
            for node, weight in axis.rule.nodes
        ]
    )


def _mean(axes: Sequence[_Axis], v: Ball, function: _Function) -> Ball:
    if not axes:
        return function(v)
    axis, rest = axes[0], axes[1:]
    y = ball(axis.second)
    return total([weight * _mean(rest, v + y * node, function) for node, weight in axis.rule.nodes])


def _error(instance: Instance, axes: Sequence[_Axis], order: int) -> Ball:
    """Bound the error of the sum, of which each factor has the bounds of the activation."""
    terms, error, sums = instance.activation, ball(0), ball(1)
    size = constant(terms, order)
    for axis in axes:
        height = strip_constant(terms, order, axis.rule.strip)
        own = axis.rule.analytic * height * height + axis.rule.left_out * size * size
        error = error + sums * own
        sums = sums * total([abs(weight) for _, weight in axis.rule.nodes])
    return error
