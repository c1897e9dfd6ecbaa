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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from verification.deadline import heed_deadline
from verification.enclosure.balls import ball, precision
from verification.enclosure.doubles import (
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
from verification.recurrent.activation_doubles import ORDERS, evaluate, evaluate_both, evaluation
from verification.recurrent.batches import check_points, coarse_size
from verification.recurrent.law import centre_of_w, conditional_atoms, mean_b
from verification.recurrent.weight_nodes import WeightNodes, point_nodes, product_rule

Array: TypeAlias = npt.NDArray[np.float64]

_TARGET_BITS = 48
_WORKING_BITS = 128
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
    (plan,), coordinates = _prepared(instance, inputs, memory, (order,))
    return _sum(plan, instance.activation, order, coordinates(plan)), plan.error


def memory_map_and_slope_doubles(
    instance: Instance, inputs: Array, memory: Array
) -> tuple[tuple[Array, float], tuple[Array, float]]:
    """Return ``Phi(x, v)`` and its derivative in v, for many pairs (x, v).

    Both are those of `memory_map_doubles`, to the last bit; where one rule serves both, the
    activation is evaluated once.
    """
    plans, coordinates = _prepared(instance, inputs, memory, ORDERS)
    spec = instance.activation
    if _share_nodes(*plans):
        values, slopes = _sums(plans[0], spec, coordinates(plans[0]))
    else:
        values, slopes = (
            _sum(plan, spec, order, coordinates(plan))
            for plan, order in zip(plans, ORDERS, strict=True)
        )
    return (values, plans[0].error), (slopes, plans[1].error)


def _prepared(
    instance: Instance, inputs: Array, memory: Array, orders: Sequence[int]
) -> tuple[list[_Plan], Callable[[_Plan], Array]]:
    """Return a plan for each order, and what gives a plan's coordinates and offset of all pairs."""
    check_points(inputs, memory, instance.chain.dimension)
    coordinates = _norms(inputs) if _by_norm(instance.law) else inputs.T
    sizes = _Sizes(
        dimension=inputs.shape[1],
        coordinates=tuple(coarse_size(row) for row in coordinates),
        input=coarse_size(inputs),
        memory=coarse_size(memory),
    )
    with precision(_WORKING_BITS):
        plans = [_plan(instance.activation, instance.law, order, sizes) for order in orders]

    def stacked(plan: _Plan) -> Array:
        offset = memory if plan.centre is None else inputs @ plan.centre + memory
        return np.vstack((coordinates, offset))

    return plans, stacked


@lru_cache(maxsize=128)
def _share_nodes(first: _Plan, second: _Plan) -> bool:
    """Tell whether two plans have the same nodes, weights and centre."""
    return all(
        np.array_equal(one, other) if one is not None and other is not None else one is other
        for one, other in (
            (first.centre, second.centre),
            (first.nodes, second.nodes),
            (first.weights, second.weights),
        )
    )


def _norms(inputs: Array) -> Array:
    if inputs.shape[1] == 1:
        return np.abs(inputs).T
    squares: Array = np.einsum("ij,ij->i", inputs, inputs)
    return np.sqrt(squares)[np.newaxis]


def _by_norm(law: Law) -> bool:
    return isinstance(law, ProductLaw) and isinstance(law.w, Normal)


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


def _nodes(law: Law, extents: Sequence[Fraction], strip: Fraction, bits: int) -> WeightNodes:
    if isinstance(law, AtomicLaw):
        units = conditional_atoms(law)
        return point_nodes([unit.w for unit in units], [unit.p * unit.b for unit in units])
    if isinstance(law.w, Constant):
        return point_nodes([law.w.value], [mean_b(law)])
    return product_rule(law.w, extents, strip, bits=bits, factor=mean_b(law))


def _sum(plan: _Plan, spec: ActivationSpec, order: int, coordinates: Array) -> Array:
    """Return the weighted sums of the activation's derivative of an order."""
    result = np.zeros(coordinates.shape[1])
    for part, start, block in _blocks(plan, coordinates):
        result[part] += plan.weights[start : start + _BLOCK_NODES] @ evaluate(spec, order, block)
    return result


def _sums(plan: _Plan, spec: ActivationSpec, coordinates: Array) -> tuple[Array, Array]:
    """Return those of the activation and those of its derivative."""
    sums = np.zeros((2, coordinates.shape[1]))
    for part, start, block in _blocks(plan, coordinates):
        weights = plan.weights[start : start + _BLOCK_NODES]
        for result, values in zip(sums, evaluate_both(spec, block), strict=True):
            result[part] += weights @ values
    return sums[0], sums[1]


def _blocks(plan: _Plan, coordinates: Array) -> Iterator[tuple[slice, int, Array]]:
    """Yield the activation's arguments in blocks that stay in the cache.

    With each: the pairs, and the first of the nodes.  A block lasts until the next one.
    """
    n_nodes, n_pairs = len(plan.weights), coordinates.shape[1]
    high = min(n_nodes, _BLOCK_NODES)
    wide = _BLOCK_NODES * _BLOCK_PAIRS // high
    memory = np.empty(high * min(wide, n_pairs))
    for first in range(0, n_pairs, wide):
        heed_deadline()
        pairs = np.ascontiguousarray(coordinates[:, first : first + wide])
        for start in range(0, n_nodes, _BLOCK_NODES):
            nodes = plan.nodes[start : start + _BLOCK_NODES]
            block = memory[: len(nodes) * pairs.shape[1]].reshape(len(nodes), -1)
            np.matmul(nodes, pairs, out=block)
            yield slice(first, first + wide), start, block
