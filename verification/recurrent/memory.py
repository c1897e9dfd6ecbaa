"""The memory of the limit network: the map Phi, its derivative, orbits and fixed points.

``Phi(x, v) = E[B sigma(W.x + v)]``; the memory obeys ``v_{k+1} = Phi(x_{xi_k}, v_k)``, ``v_0 = 0``.
Everything here is an enclosure at the current working precision.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import lru_cache, reduce
from operator import mul

from verification.claim import Number
from verification.enclosure.balls import (
    Ball,
    ComplexBall,
    KeyedBall,
    ball,
    complex_ball,
    interval,
    keyed,
    less,
    midpoint,
    radius,
    sign,
    total,
    working_precision,
)
from verification.enclosure.quadrature import Rule
from verification.errors import NotEnclosed
from verification.instance import ActivationSpec, AtomicLaw, Chain, Instance, Law, Vector
from verification.markov.finite import recurrent_classes
from verification.recurrent.activation import activation
from verification.recurrent.law import (
    centre_of_w,
    conditional_atoms,
    dot,
    mean_absolute_b,
    mean_b,
    projection,
)
from verification.verdict import Truth

_WIDENINGS = 60
_NEWTON_STEPS = 200


def memory_map(instance: Instance, state: int, memory: Ball) -> Ball:
    """Enclose ``Phi(x_i, v)`` for every v in the ball `memory`."""
    return _mean(instance.activation, instance.law, instance.chain.inputs[state], memory, 0)


def memory_map_derivative(instance: Instance, state: int, memory: Ball, order: int = 1) -> Ball:
    """Enclose the derivative in v, ``E[B sigma^(order)(W.x_i + v)]``, order 1 or 2."""
    return _mean(instance.activation, instance.law, instance.chain.inputs[state], memory, order)


def _mean(spec: ActivationSpec, law: Law, point: Vector, memory: Ball, order: int) -> Ball:
    """Enclose ``E[B sigma^(order)(W.x + v)]``, order 0, 1 or 2."""
    return _mean_at(spec, law, point, keyed(memory), order, working_precision())


@lru_cache(maxsize=4096)
def _mean_at(
    spec: ActivationSpec, law: Law, point: Vector, memory: KeyedBall, order: int, _bits: int
) -> Ball:
    sigma = activation(spec)
    known = projection(law, point, sigma.strip_width())
    rule = known.memory_rule
    error = rule.error(sigma.quadrature_bound(order), ball(sigma.bound(order)))
    # At the nodes of both rules, which are the same.
    values = values_at_nodes(spec, known.rule, memory, order, working_precision())
    return total((error, *map(mul, rule.weights, values)))


@lru_cache(maxsize=4)  # of up to 50,000 nodes each
def values_at_nodes(
    spec: ActivationSpec, rule: Rule, memory: KeyedBall, order: int, _bits: int
) -> tuple[Ball, ...]:
    """Enclose ``sigma^(order)(u_j + v)`` at the nodes u_j of a rule; `_bits`: the precision."""
    curve, v = activation(spec).curve(order), memory.ball
    return tuple(map(curve, [node + v for node in rule.nodes]))


def complex_memory_map(
    instance: Instance, state: int, memory: ComplexBall, strip: Fraction
) -> ComplexBall:
    """Enclose ``Phi(x_i, z)`` at complex memories z with ``|Im z| <= strip``.

    The strip must be thinner than `Activation.strip_width`: what is left of it is where the
    quadrature's integrand is analytic.
    """
    sigma = activation(instance.activation)
    whole = sigma.strip_width()
    point = instance.chain.inputs[state]
    rule = projection(instance.law, point, whole - strip).memory_rule
    error = rule.error(sigma.quadrature_bound(0), sigma.strip_bound(0, ball(strip)))
    result = complex_ball(error, error)
    for node, weight in zip(rule.nodes, rule.weights, strict=True):
        result = result + sigma.complex_derivative(0, memory + node) * weight
    return result


def contraction_factor(instance: Instance) -> Number:
    """Return ``q = s1 E|B|``, exact where s1 is rational."""
    return _times(activation(instance.activation).bound(1), mean_absolute_b(instance.law))


def memory_bound(instance: Instance) -> Number:
    """Return ``vbar = s0 E|B|``: every memory lies in ``[-vbar, vbar]`` from step 1 on."""
    return _times(activation(instance.activation).bound(0), mean_absolute_b(instance.law))


def _times(bound: Number, factor: Fraction) -> Number:
    return bound * factor if isinstance(bound, Fraction) else bound * ball(factor)


def iterate(instance: Instance, word: Iterable[int], memory: Ball) -> Ball:
    """Enclose the memory after the inputs of `word`, from any start in the ball `memory`."""
    for state in word:
        memory = memory_map(instance, state, memory)
    return memory


def fixed_point(instance: Instance, word: Sequence[int]) -> Ball:
    """Enclose a fixed point of ``F = Phi_{i_p} o ... o Phi_{i_1}`` by a change of sign.

    A candidate is found by Newton's method; then ``F(v) - v`` is enclosed a little below and a
    little above it.  Where the signs differ, F, being continuous, has a fixed point between.  No
    contraction factor enters (uniqueness is the theorem's).

    Raises
    ------
    NotEnclosed
        Where no change of sign is found at this precision.
    """
    points = tuple(instance.chain.inputs[state] for state in word)
    return _fixed_point(instance.activation, instance.law, points, working_precision())


@lru_cache(maxsize=512)
def _fixed_point(spec: ActivationSpec, law: Law, points: tuple[Vector, ...], bits: int) -> Ball:
    def image(memory: Ball) -> Ball:
        return reduce(lambda v, point: _mean(spec, law, point, v, 0), points, memory)

    candidate = _candidate(spec, law, points)
    mapped = image(candidate)
    unit = ball(Fraction(1, 2**bits))
    spread = abs(mapped - candidate) + radius(mapped) + unit * (abs(candidate) + unit)
    for _ in range(_WIDENINGS):
        spread = midpoint(2 * spread)
        below, above = midpoint(candidate - spread), midpoint(candidate + spread)
        lower, upper = image(below), image(above)
        rises, falls = less(below, lower), less(upper, above)
        if rises is Truth.TRUE and falls is Truth.TRUE:
            return interval(below, above)
        # Around 0 rounding may hide the signs far beyond the first spread.
        spread = spread + radius(lower) + radius(upper)
    raise NotEnclosed("no change of sign of F(v) - v was found around the candidate")


def _candidate(spec: ActivationSpec, law: Law, points: tuple[Vector, ...]) -> Ball:
    """Return a point near a fixed point; nothing is proved of it.

    Newton's method between two points where F(v) - v has opposite signs, bisection where a step
    would leave them: where the slope is near 1, Newton's steps are wild.
    """
    high = midpoint(2 * ball(_times(activation(spec).bound(0), mean_absolute_b(law))))
    low, candidate = -high, ball(0)
    for _ in range(_NEWTON_STEPS):
        image, slope = candidate, ball(1)
        for point in points:
            image, slope = midpoint(image), midpoint(slope * _mean(spec, law, point, image, 1))
            image = _mean(spec, law, point, image, 0)
        side = sign(image - candidate)
        if side is None or side == 0:
            break
        low, high = (candidate, high) if side > 0 else (low, candidate)
        following = midpoint(candidate + (image - candidate) / (1 - slope))
        if (following - candidate).is_zero():
            break
        inside = less(low, following) is Truth.TRUE and less(following, high) is Truth.TRUE
        candidate = following if inside else midpoint((low + high) / 2)
    return candidate


def has_zero_memory(instance: Instance) -> bool:
    """Tell whether the memory that starts from 0 is certainly zero for ever, in exact arithmetic.

    That is so where ``Phi(x_i, 0) = 0`` for every state that can follow the initial one.
    Recognised are cancellation between atoms, ``E[B] = 0`` in a product law, an odd activation
    with W.x symmetric, and an activation that vanishes.
    """
    sigma = activation(instance.activation)
    odd = sigma.is_odd()
    if odd and sigma.is_constant():
        return True
    inputs = {instance.chain.inputs[state] for state in _reachable(instance.chain)}
    return all(_maps_zero_to_zero(instance.law, point, odd=odd) for point in inputs)


def has_zero_recurrent_memory(instance: Instance) -> bool:
    """Tell whether the memory is certainly 0 under the invariant law.

    The chain has one recurrent class, the contraction factor is below 1.
    """
    recurrent = recurrent_classes(instance.chain)[0].states[0]
    chain = dataclasses.replace(instance.chain, initial=recurrent)
    return has_zero_memory(dataclasses.replace(instance, chain=chain))


def _reachable(chain: Chain) -> set[int]:
    found, frontier = {chain.initial}, [chain.initial]
    while frontier:
        following = {j for j, _ in chain.rows[frontier.pop()]} - found
        found |= following
        frontier += following
    return found


def _sign(value: Fraction) -> int:
    return (value > 0) - (value < 0)


def _maps_zero_to_zero(law: Law, point: Vector, *, odd: bool) -> bool:
    if isinstance(law, AtomicLaw):
        mass: dict[Fraction, Fraction] = {}
        for unit in conditional_atoms(law):
            where = dot(unit.w, point)
            amount = unit.p * unit.b
            if odd:
                where, amount = abs(where), amount * _sign(where)
            mass[where] = mass.get(where, Fraction(0)) + amount
        return not any(mass.values())
    return mean_b(law) == 0 or (odd and dot(centre_of_w(law), point) == 0)
