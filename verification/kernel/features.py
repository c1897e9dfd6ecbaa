r"""The limiting kernel of many points at once, in double precision, with a proved error.

``K(zeta, zeta') = phi(zeta).phi(zeta')`` up to the error of a quadrature rule with nodes t_j and
weights w_j for the law of W that serves the whole batch: the features of a point are

    sigma(t_j.x + v) w_j^(1/2)   and   sigma'(t_j.x + v) (w_j E[C^2])^(1/2) x_k

for every node j and coordinate k (with atoms, w_j E[C^2] is the mean of C^2 on the atom).  A Gram
matrix is one product of matrices.

**Errors.**  `Features.kernel_error` bounds ``|K - phi.phi|`` for the features phi that the rounded
nodes and weights define *exactly*: the rule (bounded on a strip, for the largest coordinates of
the batch), the rounding of the weights (times s_0^2 and E[C^2] R^2 s_1^2), and that of the nodes,
which moves arguments.  `Features.value_error` bounds the Euclidean norm, over the features of a
point, of what evaluating them in double precision adds: the rounding of the arguments (times s_1
and s_2), the assumed ulps of the elementary functions, two products.  Everything but the
features themselves depends on the instance and on the coarse size of the batch alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from verification.enclosure.balls import ball, precision, root
from verification.enclosure.doubles import (
    ONE,
    UNDERFLOW,
    Rounded,
    above,
    dot,
    gamma,
    nearest,
    sum_upper,
    upward,
)
from verification.errors import NotEnclosed
from verification.instance import (
    ActivationSpec,
    AtomicLaw,
    Constant,
    Instance,
    Law,
    Vector,
)
from verification.recurrent.activation import activation
from verification.recurrent.activation_doubles import evaluate_both, evaluation
from verification.recurrent.batches import check_points, coarse_size
from verification.recurrent.law import centre_of_w, masses_of_w, moment_of_c
from verification.recurrent.weight_nodes import WeightNodes, point_nodes, product_rule

Array: TypeAlias = npt.NDArray[np.float64]

MAX_FEATURES = 50_000

_TARGET_BITS = 42
_WORKING_BITS = 128
_BLOCK_ENTRIES = 2**15
_STRIP_SHARES = (Fraction(1), Fraction(3, 4), Fraction(1, 2), Fraction(1, 4))


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """Features of points, whose inner products are the kernel.

    Parameters
    ----------
    values : Array, shape (n_points, n_features)
    kernel_error : float
        Proved: for no two points is ``K`` farther than this from the inner product of their
        exact features.
    value_error : float
        Proved: of no point are the values farther than this from its exact features, in the
        Euclidean norm.
    largest : float
        Upper bound of every point's values, in the Euclidean norm.
    """

    values: Array
    kernel_error: float
    value_error: float
    largest: float

    def product_error(self) -> float:
        """Bound ``|K - sum of products of the values|``, the sum taken exactly."""
        size, error = Fraction(self.largest), Fraction(self.value_error)
        return upward(Fraction(self.kernel_error) + 2 * error * size + error * error)


@dataclass(frozen=True, kw_only=True)
class _Sizes:
    """Bounds of each coordinate of the inputs, and of the memories."""

    coordinates: Vector
    memory: Fraction


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureMap:
    """The features of all points up to a certain size; make it with `feature_map`.

    Parameters
    ----------
    activation : ActivationSpec
    centre : Array, shape (dimension,)
        What is added to every node.
    nodes : Array, shape (dimension, n_nodes)
    forward, backward : Array, shape (n_nodes,)
        Roots of the weights.
    kernel_error, value_error : float
        See `Features`.
    """

    activation: ActivationSpec
    centre: Array
    nodes: Array
    forward: Array
    backward: Array
    kernel_error: float
    value_error: float

    @property
    def n_features(self) -> int:
        """Number of features of a point."""
        return len(self.forward) * (1 + len(self.centre))

    def features(self, inputs: Array, memory: Array) -> Features:
        """Return the features of points no larger than what the map was made for."""
        values = self._values(inputs, memory)
        return Features(
            values=values,
            kernel_error=self.kernel_error,
            value_error=self.value_error,
            largest=largest_norm(values),
        )

    def _values(self, inputs: Array, memory: Array) -> Array:
        """Evaluate in blocks of points that stay in the cache."""
        n_points, dimension = inputs.shape
        n_nodes = len(self.forward)
        result = np.empty((n_points, self.n_features))
        nodes = self.nodes + self.centre[:, np.newaxis]
        size = max(1, _BLOCK_ENTRIES // n_nodes)
        for start in range(0, n_points, size):
            x = inputs[start : start + size]
            block = x @ nodes
            block += memory[start : start + size, np.newaxis]
            value, slope = evaluate_both(self.activation, block)
            rows = result[start : start + size]
            np.multiply(value, self.forward, out=rows[:, :n_nodes])
            slope *= self.backward
            for k in range(dimension):
                columns = rows[:, (1 + k) * n_nodes : (2 + k) * n_nodes]
                np.multiply(slope, x[:, k : k + 1], out=columns)
        return result


def feature_map(instance: Instance, coordinates: Array, memory: float) -> FeatureMap:
    """Prepare the features of all points up to a size.

    Parameters
    ----------
    instance : Instance
        Its activation and its law; the inputs of its chain play no part.
    coordinates : Array, shape (dimension,)
        Bounds of the inputs' coordinates, in size.
    memory : float
        Bound of the memories.

    Raises
    ------
    NotEnclosed
        Where the rule has too many nodes, or numbers are so large that the elementary functions
        are not bounded there.
    """
    sizes = _Sizes(
        coordinates=tuple(coarse_size(column) for column in coordinates),
        memory=coarse_size(np.array(memory)),
    )
    with precision(_WORKING_BITS):
        return _feature_map(instance.activation, instance.law, sizes)


def kernel_features(instance: Instance, inputs: Array, memory: Array) -> Features:
    """Return the features of many points (x, v).

    Parameters
    ----------
    instance : Instance
        Its activation and its law; the inputs of its chain play no part.
    inputs : Array, shape (n_points, dimension)
        The inputs x, taken as the exact doubles they are.
    memory : Array, shape (n_points,)
        The memories v, likewise.

    Returns
    -------
    Features
        ``n_features`` is ``(1 + dimension)`` times the number of nodes.

    Raises
    ------
    InvalidInstance
        Where the arrays do not have these shapes, or hold a number that is not finite.
    NotEnclosed
        Where the rule has too many nodes, or numbers are so large that the elementary functions
        are not bounded there.

    Notes
    -----
    The cost is one evaluation of sigma and sigma' for each point and node.
    """
    check_points(inputs, memory, instance.chain.dimension)
    coordinates = np.abs(inputs).max(axis=0, initial=0)
    return feature_map(instance, coordinates, np.abs(memory).max(initial=0)).features(
        inputs, memory
    )


def gram_doubles(instance: Instance, inputs: Array, memory: Array) -> tuple[Array, float]:
    """Return the matrix ``K(zeta_i, zeta_j)`` of many points, and a proved bound of its error.

    Parameters
    ----------
    instance, inputs, memory
        As for `kernel_features`.

    Returns
    -------
    matrix : Array, shape (n_points, n_points)
    error : float
        Proved: no entry is farther than this from the kernel.
    """
    features = kernel_features(instance, inputs, memory)
    # Higham, section 3.1: gamma(n) times the norms, whatever the order of the sum.
    rounding = gamma(features.values.shape[1]) * Fraction(features.largest) ** 2 + UNDERFLOW
    error = upward(Fraction(features.product_error()) + rounding)
    return features.values @ features.values.T, error


def kernel_product(features: Features, vector: Array) -> tuple[Array, float]:
    """Return ``sum_j K(zeta_i, zeta_j) x_j`` for every i; the matrix is never formed.

    Parameters
    ----------
    features : Features
    vector : Array, shape (n_points,)
        The numbers x_j, taken as the exact doubles they are.

    Returns
    -------
    values : Array, shape (n_points,)
    error : float
        Proved: no value is farther than this from the truth.
    """
    values = features.values
    n_points, n_features = values.shape
    inner, inner_error = _transposed_product(values, vector)
    result = values @ inner
    largest = Fraction(features.largest)
    size = above(root(ball(sum_upper((inner * inner).tolist()) * (1 + gamma(2)) + UNDERFLOW)))
    total = sum_upper(np.abs(vector).tolist())
    error = (
        Fraction(features.product_error()) * total
        + largest * inner_error
        + gamma(n_features) * largest * size
        + UNDERFLOW * (n_points + 1)
    )
    return result, upward(error)


def _transposed_product(values: Array, vector: Array) -> tuple[Array, Fraction]:
    """Return ``F^T x`` and a bound of its error in the Euclidean norm."""
    n_points = len(vector)
    # Short sums of long ones: the bound of the rounding grows with the longest chain of sums.
    length = max(1, math.isqrt(n_points))
    parts = [
        vector[start : start + length] @ values[start : start + length]
        for start in range(0, n_points, length)
    ]
    roundings = length + len(parts)
    # |error_r| <= gamma sum_i |F_ir| |x_i|; its norm is at most gamma sum_i |F_i| |x_i|.
    norms = np.sqrt(np.einsum("ij,ij->i", values, values))
    weight = sum_upper((norms * np.abs(vector)).tolist())
    error = gamma(roundings + values.shape[1] + 4) * weight * 2 + UNDERFLOW * n_points
    return np.sum(parts, axis=0), error


def largest_norm(values: Array) -> float:
    """Return an upper bound of the Euclidean norm of every row."""
    if not values.size:
        return 0.0
    square = Fraction(float(np.einsum("ij,ij->i", values, values).max()))
    return upward(above(root(ball(square * (1 + gamma(values.shape[1] + 2)) + UNDERFLOW))))


@lru_cache(maxsize=64)
def _feature_map(spec: ActivationSpec, law: Law, sizes: _Sizes) -> FeatureMap:
    """Prepare for batches up to these sizes."""
    sigma = activation(spec)
    s0, s1, s2 = (above(sigma.bound(order)) for order in (0, 1, 2))
    squared_input = sum((x * x for x in sizes.coordinates), Fraction(0))
    strip, (forward, backward) = _nodes(spec, law, sizes)
    t0, t1 = (above(sigma.strip_bound(order, ball(strip))) for order in (0, 1))

    # The rounded nodes, weights and centre against the exact ones.
    total = sum_upper(forward.weights.tolist())
    square_total = sum_upper(backward.weights.tolist())
    centre = [nearest(x) for x in _centre(law, len(sizes.coordinates))]
    moved = sum(
        (
            extent * (node_error + bounds.error)
            for extent, node_error, (_, bounds) in zip(
                sizes.coordinates, forward.node_errors, centre, strict=True
            )
        ),
        Fraction(0),
    )
    kernel_error = Fraction(0)
    for nodes, factor, strip_bound, real_bound, slope, mass in (
        (forward, Fraction(1), t0, s0, s1, total),
        (backward, squared_input, t1, s1, s2, square_total),
    ):
        analytic, real = nodes.rule_error
        exact_mass = mass + nodes.weight_error
        kernel_error += factor * (
            above(analytic) * strip_bound * strip_bound
            + above(real) * real_bound * real_bound
            # The square of a rounded root differs by two roundings from the weight.
            + (nodes.weight_error + gamma(3) * mass) * real_bound * real_bound
            + 2 * real_bound * slope * moved * exact_mass
        )

    # The evaluation: root mean squares over the nodes are the norm for `Rounded`.
    means, farthest = [], []
    for row, (_, bounds) in zip(forward.nodes, centre, strict=True):
        far = Fraction(float(np.abs(row).max()))
        spread = max(_root_mean_square(row, rule.weights) for rule in (forward, backward))
        means.append(Rounded(min(far, spread) + bounds.size))
        farthest.append(Rounded(far + bounds.size))
    values = []
    for order in (0, 1):
        argument = _arguments(sizes, means)
        largest = _arguments(sizes, farthest).size
        values.append(evaluation(spec, order, argument, largest))
    length, backward_length = (
        above(root(ball(mass * (1 + gamma(4))))) for mass in (total, square_total)
    )
    reach = above(root(ball(squared_input)))
    value_error = length * (values[0].error + gamma(2) * values[0].size) + (
        reach * backward_length * (values[1].error + gamma(4) * values[1].size)
    )
    return FeatureMap(
        activation=spec,
        centre=np.array([double for double, _ in centre]),
        nodes=forward.nodes,
        forward=np.sqrt(forward.weights),
        backward=np.sqrt(backward.weights),
        kernel_error=upward(kernel_error + UNDERFLOW),
        value_error=upward(value_error + UNDERFLOW),
    )


def _root_mean_square(nodes: Array, weights: Array) -> Fraction:
    """Bound the root of a weighted mean of squares; 0 where the weights are."""
    total = sum_upper(weights.tolist())
    if not weights.any():
        return Fraction(0)
    mean = sum_upper((weights * nodes * nodes).tolist()) / total
    return above(root(ball(mean * (1 + gamma(8)) + UNDERFLOW / total)))


def _arguments(sizes: _Sizes, nodes: list[Rounded]) -> Rounded:
    """Bound ``x.(t + m) + v``; the nodes and the centre count as exact, their sum is rounded."""
    terms = [
        (Rounded(extent), node * ONE) for extent, node in zip(sizes.coordinates, nodes, strict=True)
    ]
    return dot([*terms, (Rounded(sizes.memory), ONE)], roundings=len(terms) + 1)


def _centre(law: Law, dimension: int) -> Vector:
    if isinstance(law, AtomicLaw) or isinstance(law.w, Constant):
        return (Fraction(0),) * dimension
    return centre_of_w(law)


def _nodes(
    spec: ActivationSpec, law: Law, sizes: _Sizes
) -> tuple[Fraction, tuple[WeightNodes, WeightNodes]]:
    """Return a strip, and rules for ``E F(W)`` and ``E[C^2 F(W)]`` with the same nodes."""
    sigma = activation(spec)
    if isinstance(law, AtomicLaw):
        masses = masses_of_w(law)
        pairs = [list(column) for column in zip(*masses.values(), strict=True)]
        first, second = (point_nodes(list(masses), weights) for weights in pairs)
        return sigma.strip_width(), (first, second)
    one, mean_square = Fraction(1), moment_of_c(law, 2)
    if isinstance(law.w, Constant):
        points = [law.w.value]
        return sigma.strip_width(), (
            point_nodes(points, [one]),
            point_nodes(points, [mean_square]),
        )
    best: tuple[Fraction, WeightNodes, WeightNodes] | None = None
    for share in _STRIP_SHARES:
        strip = share * sigma.strip_width()
        growth = max(
            float(above(sigma.strip_bound(order, ball(strip)))) / max(size, 2.0**-400)
            for order in (0, 1)
            for size in (float(above(sigma.bound(order))),)
        )
        bits = _TARGET_BITS + max(0, math.ceil(2 * math.log2(growth)))
        try:
            found = [
                product_rule(law.w, sizes.coordinates, strip, bits=bits, factor=mass)
                for mass in (Fraction(1), mean_square)
            ]
        except NotEnclosed:
            continue
        if best is None or len(found[0].weights) < len(best[1].weights):
            best = strip, found[0], found[1]
    if best is None or len(best[1].weights) * (1 + len(sizes.coordinates)) > MAX_FEATURES:
        raise NotEnclosed(f"the kernel needs more than {MAX_FEATURES} features")
    return best[0], (best[1], best[2])
