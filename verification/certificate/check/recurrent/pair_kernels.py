r"""The kernel at two points where W has a density in several dimensions, in balls.

Independent variables T_k move W.x and W.x': of a normal W with ``|x| >= |x'|`` two of them,

    W.x = m.x + T_1,    W.x' = m.x' + (x.x'/|x|^2) T_1 + T_2,

of a uniform W its components, each times the larger of ``|x_k|`` and ``|x'_k|``: so the functions
are analytic in each T_k where the activation is.  Of a product of rules with errors e_k, of which
one variable is in its strip and the others are real, and sums of weights ``A_k``, the error is at
most ``e_1 + A_1 e_2 + A_1 A_2 e_3 + ...``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, Protocol, TypeAlias, TypeVar

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

_PER_VALUE = 30
"""What a value of sigma costs, for each of its terms."""

_Function: TypeAlias = Callable[[Ball], Ball]


class _HasInput(Protocol):
    @property
    def input(self) -> Vector: ...


Point = TypeVar("Point", bound=_HasInput)


@dataclass(frozen=True)
class _Axis:
    """A variable T, its rule, and what part of it W.x and W.x' have."""

    rule: NormalRule
    first: Fraction
    second: Fraction


class PairKernels(Generic[Point]):
    """The kernel at pairs of points, W and C independent, W with a density.

    Of a normal W only ``T_1`` moves both arguments: then the mean of the second factor over
    ``T_2``, at the nodes of ``T_1``, serves every first point with the same input.

    Parameters
    ----------
    instance : Instance
    memory_at : callable
        The memory of a point, at the working precision; points are told apart by ``==``.
    budget : Budget
    """

    def __init__(
        self, instance: Instance, memory_at: Callable[[Point], Ball], budget: Budget
    ) -> None:
        self._instance, self._memory_at, self._budget = instance, memory_at, budget
        self._known_axes: dict[tuple[Vector, Vector, int], list[_Axis]] = {}
        self._values: dict[tuple[Vector, Vector, Point, int, int], list[Ball]] = {}

    def kernel(self, first: Point, second: Point) -> Ball:
        """Enclose K at two points.

        Raises
        ------
        Unsupported
            Where W has no density, or the rules have too many nodes together.
        """
        if dot(first.input, first.input) < dot(second.input, second.input):
            first, second = second, first
        law, terms = self._instance.law, self._instance.activation
        if law.w is None or law.c is None or law.w.kind == "constant":
            raise Unsupported("a law of this kind")
        axes = self._axes(law.w, first.input, second.input)
        product = ball(dot(first.input, second.input) * moment_of_c(law.c, 2))
        means = []
        for order in range(2):
            if law.w.kind == "normal" and axes:
                value = self._mean_along(axes, first, second, order)
            else:
                starts = self._start(first), self._start(second)
                count = math.prod(len(axis.rule.nodes) for axis in axes)
                self._budget.spend(_PER_VALUE * count * len(terms), working_precision())
                value = _mean_of_product(axes, *starts, curve(terms, order))
            means.append(around(value, _error(self._instance, axes, order)))
        return means[0] + product * means[1]

    def _axes(self, spread: Spread, longer: Vector, other: Vector) -> list[_Axis]:
        key = longer, other, working_precision()
        if key not in self._known_axes:
            axes = _axes(self._instance, spread, longer, other, self._budget)
            for axis in axes:
                self._budget.spend(40 * len(axis.rule.nodes), working_precision())
            if math.prod(len(axis.rule.nodes) for axis in axes) > MAX_PAIR_NODES:
                raise Unsupported("a mean over W would need too many nodes")
            self._known_axes[key] = axes
        return self._known_axes[key]

    def _start(self, point: Point) -> Ball:
        """Enclose ``m.x + v``, m the mean of a normal W."""
        spread, memory = self._instance.law.w, self._memory_at(point)
        if spread is None or spread.kind != "normal":
            return memory
        return ball(dot(spread.first, point.input)) + memory

    def _mean_along(self, axes: Sequence[_Axis], first: Point, second: Point, order: int) -> Ball:
        inputs, weights = (first.input, second.input), [p for _, p in axes[0].rule.nodes]
        here, there = (self._factor(inputs, point, order, axes) for point in (first, second))
        return total([p * a * b for p, a, b in zip(weights, here, there, strict=True)])

    def _factor(
        self, inputs: tuple[Vector, Vector], point: Point, order: int, axes: Sequence[_Axis]
    ) -> list[Ball]:
        """Return a factor at the nodes of ``T_1``, its mean over what moves it alone."""
        key = (*inputs, point, order, working_precision())
        if key not in self._values:
            is_first, terms = point.input == inputs[0], self._instance.activation
            along, across = axes[0], [] if is_first else axes[1:]
            count = math.prod(len(axis.rule.nodes) for axis in (along, *across))
            self._budget.spend(_PER_VALUE * count * len(terms), working_precision())
            start, part = self._start(point), ball(along.first if is_first else along.second)
            function = curve(terms, order)
            self._values[key] = [
                _mean(across, start + part * node, function) for node, _ in along.rule.nodes
            ]
        return self._values[key]


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
