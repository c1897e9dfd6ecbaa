"""How much the units of a network differ in what they add to the memory and to the output.

N units that are drawn independently, fed the input x at memory v, add up to the next memory
``(1/N) sum_j B^j sigma(W^j.x + v)`` and to the output ``N^-beta sum_j C^j sigma(W^j.x + v)``.  The
standard deviation of the first is that of ``B sigma(W.x + v)`` over sqrt N; where
``E[C | W] = 0`` that of the second is ``N^(1/2 - beta) E[C^2 sigma(W.x + v)^2]^(1/2)``.  Everything
here is an enclosure at the current working precision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache, partial
from operator import mul

from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    end_points,
    keyed,
    lower_double,
    maximum_between,
    precision,
    root,
    square,
    total,
    working_precision,
)
from verification.enclosure.chebyshev import analytic_supremum
from verification.instance import AtomicLaw, Instance, Vector
from verification.recurrent.activation import activation
from verification.recurrent.law import (
    dot,
    mean_absolute_b,
    mean_square_b,
    moment_of_c,
    projection,
)
from verification.recurrent.memory import memory_bound, memory_map, values_at_nodes

# For an upper bound; more bits cost more nodes and a larger degree.
_BITS = 40


def spread_of_units(instance: Instance) -> Between:
    """Enclose ``s_Phi = max_i sup_{|v| <= vbar} sd(B sigma(W.x_i + v))``."""
    return _spread_of_units(instance, working_precision())


@lru_cache(maxsize=64)
def _spread_of_units(instance: Instance, _bits: int) -> Between:
    mean_square, mean = mean_square_b(instance.law), mean_absolute_b(instance.law)
    return _root_of_supremum(
        instance, variance_of_units, _squared_height(instance) * ball(mean_square + mean * mean)
    )


def variance_of_units(instance: Instance, state: int, memory: Ball) -> Ball:
    """Enclose ``Var(B sigma(W.x_i + v))``."""
    law = instance.law
    if isinstance(law, AtomicLaw):
        factors = [atom.p * atom.b**2 for atom in law.atoms]
    else:
        factors = [mean_square_b(law)]
    mean_square = _weighted_square(instance, instance.chain.inputs[state], memory, factors)
    return mean_square - square(memory_map(instance, state, memory))


def largest_output_spread(instance: Instance) -> Between:
    """Enclose ``max_i sup_{|v| <= vbar} E[C^2 sigma(W.x_i + v)^2]^(1/2)`` to some 12 digits."""
    with precision(_BITS):
        return _largest_output_spread(instance)


@lru_cache(maxsize=64)
def _largest_output_spread(instance: Instance) -> Between:
    bound = _squared_height(instance) * ball(moment_of_c(instance.law, 2))
    return _root_of_supremum(instance, mean_square_output, bound)


def mean_square_output(instance: Instance, state: int, memory: Ball) -> Ball:
    """Enclose ``E[C^2 sigma(W.x_i + v)^2]``."""
    law = instance.law
    if isinstance(law, AtomicLaw):
        factors = [atom.p * atom.c**2 for atom in law.atoms]
    else:
        factors = [moment_of_c(law, 2)]
    return _weighted_square(instance, instance.chain.inputs[state], memory, factors)


def _weighted_square(
    instance: Instance, x: Vector, memory: Ball, factors: Sequence[Fraction]
) -> Ball:
    """Enclose the sum over atoms, with these factors, or one factor times the mean over W."""
    sigma, law = activation(instance.activation), instance.law
    if isinstance(law, AtomicLaw):
        curve, places = sigma.curve(0), _places(law, x, working_precision())
        return total(
            ball(factor) * square(curve(place + memory))
            for factor, place in zip(factors, places, strict=True)
        )
    rule = projection(law, x, sigma.strip_width()).rule
    error = rule.error(_squared_height(instance), square(ball(sigma.bound(0))))
    # The same values as of the memory map.
    values = values_at_nodes(instance.activation, rule, keyed(memory), 0, working_precision())
    return ball(factors[0]) * total((error, *map(mul, rule.weights, map(square, values))))


@lru_cache(maxsize=64)
def _places(law: AtomicLaw, x: Vector, _bits: int) -> tuple[Ball, ...]:
    """Return W.x for each atom."""
    return tuple(ball(dot(atom.w, x)) for atom in law.atoms)


def _squared_height(instance: Instance) -> Ball:
    """Bound ``|sigma|^2`` on the strip of quadrature."""
    return square(activation(instance.activation).quadrature_bound(0))


def _root_of_supremum(
    instance: Instance, function: Callable[[Instance, int, Ball], Ball], strip_bound: Ball
) -> Between:
    """Enclose the root of the supremum of a function of state and memory, ``|v| <= vbar``."""
    bound = memory_bound(instance)
    reach = bound if isinstance(bound, Fraction) else end_points(bound)[1]
    found: list[Between] = []
    for state in instance.chain.first_states:
        found.append(
            analytic_supremum(
                partial(function, instance, state),
                -reach,
                reach,
                strip=activation(instance.activation).strip_width(),
                strip_bound=strip_bound,
                at_least=max((lower_double(each.lower) for each in found), default=0.0),
            )
        )
    return maximum_between(found).map(root)
