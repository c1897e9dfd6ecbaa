"""The limiting kernel in balls: its value at two points, Gram matrices, and what bounds it.

Everything here is an enclosure at the current working precision.  The kernel is a sum of two parts,

    forward  = E[sigma(W.x + v) sigma(W.x' + v')],
    backward = E[C^2 sigma'(W.x + v) sigma'(W.x' + v')] x.x',

of training the output weights C and of training the input weights W.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil, log2

from verification.claim import Number
from verification.enclosure.balls import (
    Ball,
    Between,
    KeyedBall,
    ball,
    keyed,
    maximum_between,
    shown,
    square,
    upper_double,
    working_precision,
)
from verification.enclosure.matrix import Matrix
from verification.enclosure.numbers import times, total
from verification.enclosure.supremum import absolute_supremum
from verification.instance import ActivationSpec, AtomicLaw, Instance, Law, Vector
from verification.kernel.pair_rules import Factor, pair_rule
from verification.recurrent.activation import activation
from verification.recurrent.law import dot, has_free_square_of_c, moment_of_c


@dataclass(frozen=True, kw_only=True)
class Point:
    """A point zeta = (x, v): an input and a memory (a ball stands for all of its memories)."""

    input: Vector
    memory: Number

    def __str__(self) -> str:
        entries = ", ".join(str(x) for x in self.input)
        return f"x = ({entries}), v = {shown(self.memory, 6)}"


def point(instance: Instance, state: int, memory: Number) -> Point:
    """Return the point of a state of the chain and a memory."""
    return Point(input=instance.chain.inputs[state], memory=memory)


def forward_part(spec: ActivationSpec, law: Law, first: Point, second: Point) -> Ball:
    """Enclose ``E[sigma(W.x + v) sigma(W.x' + v')]``."""
    return _mean_of_product(spec, law, first, second, 0)


def backward_part(spec: ActivationSpec, law: Law, first: Point, second: Point) -> Ball:
    """Enclose ``E[C^2 sigma'(W.x + v) sigma'(W.x' + v')] x.x'``."""
    inner = dot(first.input, second.input)
    if not inner:
        return ball(0)
    return ball(inner) * _mean_of_product(spec, law, first, second, 1)


def kernel(spec: ActivationSpec, law: Law, first: Point, second: Point) -> Ball:
    """Enclose ``K(zeta, zeta')``.

    Raises
    ------
    NotEnclosed
        Where an expectation needs too many nodes.
    """
    return forward_part(spec, law, first, second) + backward_part(spec, law, first, second)


def _mean_of_product(
    spec: ActivationSpec, law: Law, first: Point, second: Point, order: int
) -> Ball:
    places = (first.input, keyed(ball(first.memory))), (second.input, keyed(ball(second.memory)))
    return _mean_at(spec, law, *places, order, working_precision())


@lru_cache(maxsize=4096)
def _mean_at(
    spec: ActivationSpec,
    law: Law,
    first: tuple[Vector, KeyedBall],
    second: tuple[Vector, KeyedBall],
    order: int,
    _bits: int,
) -> Ball:
    sigma = activation(spec)
    strip_bound, real_bound = sigma.quadrature_bound(order), ball(sigma.bound(order))
    growth = upper_double(strip_bound / real_bound) if sigma.bound(order) else 1.0
    rule = pair_rule(
        law,
        first[0],
        second[0],
        sigma.strip_width(),
        more_bits=ceil(2 * log2(max(growth, 1.0))),
    )
    one, other = (Factor((sigma.curve(order),), memory) for _, memory in (first, second))
    return rule.mean(one, other, square(strip_bound), square(real_bound), squared=order == 1)


def gram_matrix(instance: Instance, points: Sequence[Point]) -> Matrix:
    """Enclose the matrix ``K(zeta_i, zeta_j)``, in balls; shape (n_points, n_points)."""
    rows: list[list[Ball]] = [[] for _ in points]
    for i, first in enumerate(points):
        for j, second in enumerate(points[: i + 1]):
            value = kernel(instance.activation, instance.law, first, second)
            rows[i].append(value)
            if j < i:
                rows[j].append(value)
    return Matrix.of_balls(rows)


def squared_input_bound(instance: Instance) -> Fraction:
    """Return ``R^2 = max_i |x_i|^2``."""
    return max(dot(x, x) for x in instance.chain.inputs)


def kernel_bound(instance: Instance) -> Between:
    """Enclose a bound of |K| at all points whose inputs are those of the chain.

    Where C^2 is uncorrelated with every function of W it is ``Kbar = sup_u (sigma(u)^2 +
    E[C^2] R^2 sigma'(u)^2)``; for any other law, which has finitely many atoms, the mean over the
    values c of C of ``sup_u (sigma(u)^2 + c^2 R^2 sigma'(u)^2)``.
    """
    square_bound = squared_input_bound(instance)
    if has_free_square_of_c(instance.law) or not isinstance(instance.law, AtomicLaw):
        factor = moment_of_c(instance.law, 2) * square_bound
        return _kernel_bound(instance.activation, factor, working_precision())
    masses: dict[Fraction, Fraction] = {}
    for atom in instance.law.atoms:
        factor = atom.c * atom.c * square_bound
        masses[factor] = masses.get(factor, Fraction(0)) + atom.p
    low, high = ball(0), ball(0)
    for factor, mass in masses.items():
        bound = _kernel_bound(instance.activation, factor, working_precision())
        low, high = low + ball(mass) * bound.lower, high + ball(mass) * bound.upper
    return Between(low, high)


@lru_cache(maxsize=256)
def _kernel_bound(spec: ActivationSpec, factor: Fraction, _bits: int) -> Between:
    sigma = activation(spec)
    scale = ball(factor)

    def value(u: Ball) -> Ball:
        return square(sigma.derivative(0, u)) + scale * square(sigma.derivative(1, u))

    def slope(u: Ball) -> Ball:
        outer = sigma.derivative(0, u) + scale * sigma.derivative(2, u)
        return 2 * sigma.derivative(1, u) * outer

    reach = sigma.compact_range()
    centre = absolute_supremum(value, slope, -reach, reach)
    height, steepness = sigma.tail(0), sigma.tail(1)
    far = Between(square(height.lower), square(height.upper) + scale * square(steepness.upper))
    return maximum_between((centre, far))


def kernel_slope_bound(instance: Instance) -> Number:
    """Return ``L_K = s0 s1 + E[C^2] s1 s2 R^2``, the kernel's Lipschitz constant in v."""
    sigma = activation(instance.activation)
    s0, s1, s2 = (sigma.bound(order) for order in (0, 1, 2))
    factor = moment_of_c(instance.law, 2) * squared_input_bound(instance)
    return total([times(s0, s1), times(times(s1, s2), factor)])


def feature_slope_bound(instance: Instance) -> Ball:
    """Enclose ``L_phi = (s1^2 + E[C^2] s2^2 R^2)^(1/2)``.

    The random vector phi(zeta) = ``(sigma, C sigma' x)`` at ``W.x + v`` moves by at most
    ``L_phi |v - w|`` in L2 when the memory moves from v to w.
    """
    sigma = activation(instance.activation)
    factor = moment_of_c(instance.law, 2) * squared_input_bound(instance)
    s1, s2 = ball(sigma.bound(1)), ball(sigma.bound(2))
    return (square(s1) + ball(factor) * square(s2)).sqrt()
