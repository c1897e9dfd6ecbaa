r"""The memory map for many inputs and memories at once, in double precision, with a proved error.

``Phi(x, v) = E[B sigma(W.x + v)]`` is a sum ``sum_j c_j sigma(a.t_j + o)``: nodes t_j and weights
c_j are those of one rule that serves the whole batch, coordinates a and offset o belong to a pair
(x, v).

===============  ==============  ===============  ====================================
law of W         coordinates a   offset o         nodes t_j
===============  ==============  ===============  ====================================
atoms, constant  x               v                the values of W: the sum is exact
normal           \|x\|           ``mean.x + v``   std times those of the standard law
uniform          x               ``centre.x + v`` product rule on the centred box
===============  ==============  ===============  ====================================

The error has five parts: the rule (bounded on a strip, for the largest coordinates of the batch),
the weights' rounding (times s_k), the arguments' rounding (times s_{k+1}), the elementary
functions' assumed ulps, and the summation.  Everything but the values depends on the instance and
on the coarse size of the batch alone: calls of like size share rule and bound.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, reduce
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from verification.enclosure.balls import Ball, ball, precision
from verification.enclosure.doubles import (
    ELEMENTARY_RANGE,
    ONE,
    UNDERFLOW,
    Rounded,
    above,
    dot,
    gamma,
    nearest,
    sum_lower,
    sum_upper,
    upward,
)
from verification.enclosure.quadrature import MAX_NODES, Rule, normal_rule, uniform_sum_rule
from verification.errors import InvalidInstance, NotEnclosed
from verification.instance import (
    ActivationSpec,
    AtomicLaw,
    Constant,
    Instance,
    Law,
    Normal,
    ProductLaw,
    Vector,
)
from verification.recurrent.activation import activation
from verification.recurrent.activation_doubles import ORDERS, evaluate, evaluation
from verification.recurrent.law import centre_of_w, conditional_atoms, mean_b

Array: TypeAlias = npt.NDArray[np.float64]

_TARGET_BITS = 48
_WORKING_BITS = 128
_COARSE = 8
_TINY = Fraction(1, 2**400)
_BLOCK_NODES = 128
_BLOCK_PAIRS = 256


@dataclass(frozen=True, kw_only=True)
class _Sizes:
    """Dimension, and bounds of each coordinate, of every input's entries and of the memories."""

    dimension: int
    coordinates: Vector
    input: Fraction
    memory: Fraction


@dataclass(frozen=True, kw_only=True, eq=False)
class _Axis:
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
class _Plan:
    """All that depends on the instance and on the size of the batch.

    Parameters
    ----------
    centre : Array or None, shape (dimension,)
        What is added to the offset, times x; None for zero.
    nodes : Array, shape (n_nodes, n_coordinates + 1)
        The last column is 1, for the offset.
    weights : Array, shape (n_nodes,)
    error : float
        Bound of the error of every value.
    """

    centre: Array | None
    nodes: Array
    weights: Array
    error: float


@dataclass(frozen=True, kw_only=True, eq=False)
class _Nodes:
    """Nodes and weights of ``E[B F(W.x)]``, their errors, and the rule's."""

    nodes: Array
    weights: Array
    node_errors: tuple[Fraction, ...]
    weight_error: Fraction
    rule_error: tuple[Ball, Ball]


def memory_map_doubles(
    instance: Instance, inputs: Array, memory: Array, *, order: int = 0
) -> tuple[Array, float]:
    """Return ``Phi(x, v)``, or its derivative in v, for many pairs (x, v).

    Parameters
    ----------
    instance : Instance
        Its activation and its law; the inputs of its chain play no part.
    inputs : Array, shape (n_pairs, dimension)
        The inputs x, taken as the exact doubles they are.
    memory : Array, shape (n_pairs,)
        The memories v, likewise.
    order : int
        Order of the derivative in v, 0 or 1.

    Returns
    -------
    values : Array, shape (n_pairs,)
    error : float
        Proved: no value is farther than this from the truth.

    Raises
    ------
    InvalidInstance
        Where the arrays do not have these shapes, or hold a number that is not finite.
    ValueError
        Where `order` is neither 0 nor 1.
    NotEnclosed
        Where no bound can be proved: the strip of analyticity is so thin that the rule has too
        many nodes, or numbers are so large that the elementary functions are not bounded there.

    Notes
    -----
    The cost is one evaluation of the activation for each pair and node.
    """
    if order not in ORDERS:
        raise ValueError(f"order is {order}, expected 0 or 1")
    _check("inputs", inputs, (None, instance.chain.dimension))
    _check("memory", memory, (inputs.shape[0],))
    largest_input, largest_memory = _size(inputs), _size(memory)
    coordinates = _norms(inputs) if _by_norm(instance.law) else inputs.T
    sizes = _Sizes(
        dimension=inputs.shape[1],
        coordinates=tuple(_size(row) for row in coordinates),
        input=largest_input,
        memory=largest_memory,
    )
    with precision(_WORKING_BITS):
        plan = _plan(instance.activation, instance.law, order, sizes)
    offset = memory if plan.centre is None else inputs @ plan.centre + memory
    return _sum(plan, instance.activation, order, np.vstack((coordinates, offset))), plan.error


def _check(name: str, array: object, shape: tuple[int | None, ...]) -> None:
    expected = f"a float64 array of shape {shape}".replace("None", "n_pairs")
    if not isinstance(array, np.ndarray) or array.dtype != np.float64:
        raise InvalidInstance(
            name, f"is {getattr(array, 'dtype', type(array))}, expected {expected}"
        )
    if len(array.shape) != len(shape) or any(
        want not in (None, have) for have, want in zip(array.shape, shape, strict=True)
    ):
        raise InvalidInstance(name, f"has shape {array.shape}, expected {expected}")
    finite = np.isfinite(array)
    if not finite.all():
        where = tuple(int(index) for index in np.argwhere(~finite)[0])
        at = "".join(f"[{index}]" for index in where)
        raise InvalidInstance(f"{name}{at}", f"is {array[where]}, expected a finite number")


def _norms(inputs: Array) -> Array:
    if inputs.shape[1] == 1:
        return np.abs(inputs).T
    squares: Array = np.einsum("ij,ij->i", inputs, inputs)
    return np.sqrt(squares)[np.newaxis]


def _by_norm(law: Law) -> bool:
    return isinstance(law, ProductLaw) and isinstance(law.w, Normal)


def _size(array: Array) -> Fraction:
    """Bound an array's entries, with four significant bits: like batches share a plan."""
    size = float(np.abs(array).max(initial=0))
    if not size <= ELEMENTARY_RANGE:
        raise NotEnclosed(
            f"an input or a memory is about {size:.3g} in size; double precision is bounded up "
            f"to {ELEMENTARY_RANGE}"
        )
    mantissa, exponent = math.frexp(size)
    return Fraction(math.ceil(mantissa * 2 * _COARSE), 2 * _COARSE) * Fraction(2) ** exponent


@lru_cache(maxsize=128)
def _plan(spec: ActivationSpec, law: Law, order: int, sizes: _Sizes) -> _Plan:
    """Prepare for batches up to these sizes."""
    sigma = activation(spec)
    strip = sigma.strip_width()
    strip_bound, real_bound = (
        above(sigma.strip_bound(order, ball(strip))),
        above(sigma.bound(order)),
    )
    # A heuristic: the error is computed from the rule that it chooses.
    bits = _TARGET_BITS + max(0, math.ceil(math.log2(strip_bound / real_bound)))
    coordinates = _coordinates(law, sizes)
    extents = [bounds.size + bounds.error for bounds in coordinates]
    found = _nodes(law, extents, strip, bits)
    centre, offset = _centre(law, sizes)

    # Means of |node| over nodes, with the weights' absolute values: the norm for `Rounded`.
    absolute = np.abs(found.weights)
    total = sum_upper(absolute)
    least = sum_lower(absolute)
    means, farthest = [], []
    for row, node_error in zip(np.abs(found.nodes), found.node_errors, strict=True):
        far = mean = Fraction(float(row.max()))
        if least > _TINY:
            mean = min(far, (1 + gamma(2)) * sum_upper(absolute * row) / least + UNDERFLOW / _TINY)
        means.append(Rounded(mean, node_error))
        farthest.append(Rounded(far))
    argument = _arguments(coordinates, means, offset)
    value = evaluation(spec, order, argument, _arguments(coordinates, farthest, offset).size)

    blocks = -(-len(absolute) // _BLOCK_NODES)
    rounding = gamma(min(len(absolute), _BLOCK_NODES) + blocks) * value.size + UNDERFLOW
    analytic, real = found.rule_error
    error = (
        above(analytic) * strip_bound
        + (above(real) + found.weight_error) * real_bound
        + total * (value.error + rounding)
    )
    return _Plan(
        centre=centre,
        nodes=np.vstack((found.nodes, np.ones_like(found.weights))).T.copy(),
        weights=found.weights,
        error=upward(error),
    )


def _arguments(coordinates: list[Rounded], nodes: list[Rounded], offset: Rounded) -> Rounded:
    terms = [*zip(coordinates, nodes, strict=True), (offset, ONE)]
    return dot(terms, roundings=len(terms))


def _coordinates(law: Law, sizes: _Sizes) -> list[Rounded]:
    coordinates = [Rounded(extent) for extent in sizes.coordinates]
    if not _by_norm(law) or sizes.dimension == 1:
        return coordinates
    # The norm's square is a sum of positive products; its root halves that relative error.
    # Squares that underflow matter only where the norm itself is below 2**-400.
    relative = gamma(sizes.dimension + 2)
    return [Rounded(x.size, relative * x.size + Fraction(1, 2**400)) for x in coordinates]


def _centre(law: Law, sizes: _Sizes) -> tuple[Array | None, Rounded]:
    """Return the centre of W, where it is not a node, and bounds of ``centre.x + v``."""
    memory = Rounded(sizes.memory)
    if isinstance(law, AtomicLaw) or isinstance(law.w, Constant) or not any(centre_of_w(law)):
        return None, memory
    centre = [nearest(value) for value in centre_of_w(law)]
    terms = [(Rounded(sizes.input), bounds) for _, bounds in centre]
    offset = dot([*terms, (memory, ONE)], roundings=len(terms) + 1)
    return np.array([double for double, _ in centre]), offset


def _nodes(law: Law, extents: Sequence[Fraction], strip: Fraction, bits: int) -> _Nodes:
    if isinstance(law, AtomicLaw):
        units = conditional_atoms(law)
        return _points([unit.w for unit in units], [unit.p * unit.b for unit in units])
    if isinstance(law.w, Constant):
        return _points([law.w.value], [mean_b(law)])
    if isinstance(law.w, Normal):
        scales = [law.w.std]
        axes = [_normal_axis(scales[0] * extents[0], strip, bits)]
    else:
        scales = [(high - low) / 2 for low, high in zip(law.w.low, law.w.high, strict=True)]
        axes = [
            _uniform_axis(scale * extent, strip, bits)
            for scale, extent in zip(scales, extents, strict=True)
        ]
    return _product(axes, scales, mean_b(law))


def _points(points: list[Vector], weights: list[Fraction]) -> _Nodes:
    nodes = [[nearest(point[k]) for point in points] for k in range(len(points[0]))]
    doubles = [nearest(weight) for weight in weights]
    return _Nodes(
        nodes=np.array([[double for double, _ in row] for row in nodes]),
        weights=np.array([double for double, _ in doubles]),
        node_errors=tuple(max(bounds.error for _, bounds in row) for row in nodes),
        weight_error=sum((bounds.error for _, bounds in doubles), Fraction(0)),
        rule_error=(ball(0), ball(0)),
    )


def _product(axes: list[_Axis], scales: list[Fraction], mean: Fraction) -> _Nodes:
    """Return the product rule of independent coordinates, each scaled, with weights times E[B]."""
    count = math.prod(len(axis.nodes) for axis in axes)
    if count > MAX_NODES:
        raise NotEnclosed(f"an expectation needs {count} nodes, more than {MAX_NODES}")
    factors = [nearest(scale) for scale in scales]
    grids = np.meshgrid(
        *(axis.nodes * factor for axis, (factor, _) in zip(axes, factors, strict=True)),
        indexing="ij",
    )
    errors = [
        (Rounded(Fraction(float(np.abs(axis.nodes).max())), axis.node_error) * bounds).error
        for axis, (_, bounds) in zip(axes, factors, strict=True)
    ]
    factor, bounds = nearest(mean)
    weights = reduce(np.multiply.outer, (axis.weights for axis in axes)).ravel() * factor
    weight = reduce(Rounded.__mul__, (axis.weight for axis in axes)) * bounds
    rule_errors = [
        abs(ball(mean)) * sum((axis.rule_error[k] for axis in axes), ball(0)) for k in (0, 1)
    ]
    return _Nodes(
        nodes=np.array([grid.ravel() for grid in grids]),
        weights=weights,
        node_errors=tuple(errors),
        weight_error=weight.error,
        rule_error=(rule_errors[0], rule_errors[1]),
    )


def _normal_axis(deviation: Fraction, strip: Fraction, bits: int) -> _Axis:
    """Return a rule for a standard normal Z and functions of ``deviation * Z``."""
    if not deviation:
        return _centre_only()
    return _axis(normal_rule(ball(0), ball(1), strip / deviation, bits=bits))


def _uniform_axis(half: Fraction, strip: Fraction, bits: int) -> _Axis:
    """Return a rule for T uniform on [-1, 1] and functions of ``half * T``."""
    if not half:
        return _centre_only()
    ends = (Fraction(-1), Fraction(1))
    return _axis(uniform_sum_rule([ends], strip / half, bits=bits))


def _centre_only() -> _Axis:
    return _Axis(
        nodes=np.zeros(1),
        weights=np.ones(1),
        node_error=Fraction(0),
        weight=ONE,
        rule_error=(ball(0), ball(0)),
    )


def _axis(rule: Rule) -> _Axis:
    nodes = [nearest(node) for node in rule.nodes]
    weights = [nearest(weight) for weight in rule.weights]
    return _Axis(
        nodes=np.array([double for double, _ in nodes]),
        weights=np.array([double for double, _ in weights]),
        node_error=max(bounds.error for _, bounds in nodes),
        weight=Rounded(
            sum((bounds.size for _, bounds in weights), Fraction(0)),
            sum((bounds.error for _, bounds in weights), Fraction(0)),
        ),
        rule_error=(rule.analytic_error, rule.real_error),
    )


def _sum(plan: _Plan, spec: ActivationSpec, order: int, coordinates: Array) -> Array:
    """Return the weighted sums, in blocks that stay in the cache."""
    n_nodes, n_pairs = len(plan.weights), coordinates.shape[1]
    result = np.zeros(n_pairs)
    high = min(n_nodes, _BLOCK_NODES)
    wide = _BLOCK_NODES * _BLOCK_PAIRS // high
    memory = np.empty(high * min(wide, n_pairs))
    for first in range(0, n_pairs, wide):
        pairs = np.ascontiguousarray(coordinates[:, first : first + wide])
        part = result[first : first + wide]
        for start in range(0, n_nodes, _BLOCK_NODES):
            nodes = plan.nodes[start : start + _BLOCK_NODES]
            block = memory[: len(nodes) * pairs.shape[1]].reshape(len(nodes), -1)
            np.matmul(nodes, pairs, out=block)
            part += plan.weights[start : start + _BLOCK_NODES] @ evaluate(spec, order, block)
    return result
