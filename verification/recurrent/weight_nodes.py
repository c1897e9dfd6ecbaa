"""Nodes and weights for the law of W in double precision, with bounds of all their errors.

A law with atoms is a finite sum; a product law is a product of rules for the components of W,
taken about their centre.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, reduce
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from verification.enclosure.balls import Ball, ball, working_precision
from verification.enclosure.doubles import ONE, Rounded, nearest
from verification.enclosure.quadrature import MAX_NODES, Rule, normal_rule, uniform_sum_rule
from verification.errors import NotEnclosed
from verification.instance import Normal, Uniform, Vector

Array: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Axis:
    """A rule for one random variable of mean zero, in double precision.

    Parameters
    ----------
    nodes, weights : Array, shape (n_nodes,)
    node_error : Fraction
        Bound of each node's error.
    weight : Rounded
        Sum of the weights and sum of their errors.
    rule_error : tuple of Ball
        The rule's error for a function bounded by 1 on the strip, and on the real line.
    """

    nodes: Array
    weights: Array
    node_error: Fraction
    weight: Rounded
    rule_error: tuple[Ball, Ball]


@dataclass(frozen=True, kw_only=True, eq=False)
class WeightNodes:
    """Nodes of W and weights, their errors, and the rule's.

    Parameters
    ----------
    nodes : Array, shape (n_axes, n_nodes)
    weights : Array, shape (n_nodes,)
    node_errors : tuple of Fraction, length n_axes
        Bound of the error of every node's coordinate.
    weight_error : Fraction
        Bound of the sum of the weights' errors.
    rule_error : tuple of Ball
        The rule's error for a function bounded by 1 on the strip, and on the real line.
    """

    nodes: Array
    weights: Array
    node_errors: tuple[Fraction, ...]
    weight_error: Fraction
    rule_error: tuple[Ball, Ball]


def point_nodes(points: Sequence[Vector], weights: Sequence[Fraction]) -> WeightNodes:
    """Return the exact rule of a law with atoms, rounded."""
    nodes = [[nearest(point[k]) for point in points] for k in range(len(points[0]))]
    doubles = [nearest(weight) for weight in weights]
    return WeightNodes(
        nodes=np.array([[double for double, _ in row] for row in nodes]),
        weights=np.array([double for double, _ in doubles]),
        node_errors=tuple(max(bounds.error for _, bounds in row) for row in nodes),
        weight_error=sum((bounds.error for _, bounds in doubles), Fraction(0)),
        rule_error=(ball(0), ball(0)),
    )


def product_rule(
    w: Normal | Uniform,
    extents: Sequence[Fraction],
    strip: Fraction,
    *,
    bits: int,
    factor: Fraction,
) -> WeightNodes:
    """Return a rule about the centre of W, its weights times `factor`.

    Parameters
    ----------
    w : Normal or Uniform
    extents : sequence of Fraction, length n_axes
        Bounds of what each component is multiplied by.  A normal W may be given by one axis, for
        its projections on inputs of norms up to the extent.
    strip : Fraction
        Half-width of a strip in which the functions are analytic.
    bits : int
        The rule's error is about ``2**-bits``.
    factor : Fraction

    Raises
    ------
    NotEnclosed
        Where the rule has too many nodes.
    """
    make: Callable[[Fraction, Fraction, int], Axis]
    if isinstance(w, Normal):
        scales, make = [w.std] * len(extents), _normal_axis
    else:
        scales = [(high - low) / 2 for low, high in zip(w.low, w.high, strict=True)]
        make = _uniform_axis
    axes = [
        make(scale * extent, strip, bits) for scale, extent in zip(scales, extents, strict=True)
    ]
    return _product_nodes(axes, scales, factor)


def _product_nodes(
    axes: Sequence[Axis], scales: Sequence[Fraction], factor: Fraction
) -> WeightNodes:
    """Return the product rule of independent scaled coordinates, its weights times `factor`."""
    count = math.prod(len(axis.nodes) for axis in axes)
    if count > MAX_NODES:
        raise NotEnclosed(f"an expectation needs {count} nodes, more than {MAX_NODES}")
    factors = [nearest(scale) for scale in scales]
    grids = np.meshgrid(
        *(axis.nodes * scale for axis, (scale, _) in zip(axes, factors, strict=True)),
        indexing="ij",
    )
    errors = [
        (Rounded(Fraction(float(np.abs(axis.nodes).max())), axis.node_error) * bounds).error
        for axis, (_, bounds) in zip(axes, factors, strict=True)
    ]
    double, bounds = nearest(factor)
    weights = reduce(np.multiply.outer, (axis.weights for axis in axes)).ravel() * double
    weight = reduce(Rounded.__mul__, (axis.weight for axis in axes)) * bounds
    # E_1 E_2 - Q_1 Q_2 = (E_1 - Q_1) E_2 + Q_1 (E_2 - Q_2), and so on.
    rule_errors, absolute = [ball(0), ball(0)], abs(ball(factor))
    for axis in axes:
        rule_errors = [rule_errors[k] + absolute * axis.rule_error[k] for k in (0, 1)]
        absolute = absolute * ball(axis.weight.size + axis.weight.error)
    return WeightNodes(
        nodes=np.array([grid.ravel() for grid in grids]),
        weights=weights,
        node_errors=tuple(errors),
        weight_error=weight.error,
        rule_error=(rule_errors[0], rule_errors[1]),
    )


def _normal_axis(deviation: Fraction, strip: Fraction, bits: int) -> Axis:
    """Return a rule for a standard normal Z and functions of ``deviation * Z``."""
    if not deviation:
        return _centre_only()
    return _standard_axis(strip / deviation, bits, working_precision())


@lru_cache(maxsize=64)
def _standard_axis(strip: Fraction, bits: int, _precision: int) -> Axis:
    return _axis(normal_rule(ball(0), ball(1), strip, bits=bits))


def _uniform_axis(half: Fraction, strip: Fraction, bits: int) -> Axis:
    """Return a rule for T uniform on [-1, 1] and functions of ``half * T``."""
    if not half:
        return _centre_only()
    ends = (Fraction(-1), Fraction(1))
    return _axis(uniform_sum_rule([ends], strip / half, bits=bits))


def _centre_only() -> Axis:
    return Axis(
        nodes=np.zeros(1),
        weights=np.ones(1),
        node_error=Fraction(0),
        weight=ONE,
        rule_error=(ball(0), ball(0)),
    )


def _axis(rule: Rule) -> Axis:
    nodes = [nearest(node) for node in rule.nodes]
    weights = [nearest(weight) for weight in rule.weights]
    return Axis(
        nodes=np.array([double for double, _ in nodes]),
        weights=np.array([double for double, _ in weights]),
        node_error=max(bounds.error for _, bounds in nodes),
        weight=Rounded(
            sum((bounds.size for _, bounds in weights), Fraction(0)),
            sum((bounds.error for _, bounds in weights), Fraction(0)),
        ),
        rule_error=(rule.analytic_error, rule.real_error),
    )
