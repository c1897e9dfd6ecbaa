r"""How large K(zeta, zeta) is at the inputs of a chain and the memories of the limit.

``K(zeta, zeta) = E[sigma(W.x + v)^2 + C^2 |x|^2 sigma'(W.x + v)^2]`` is analytic in v.  Where
there are few inputs its supremum over ``|v| <= vbar`` is enclosed by a polynomial for each; where
there are many, `verification.kernel.limiting.kernel_bound` has to do.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from verification.enclosure.balls import (
    Ball,
    ball,
    end_points,
    exact_ball,
    precision,
    square,
    upper_double,
)
from verification.enclosure.chebyshev import analytic_supremum
from verification.instance import Instance
from verification.kernel.limiting import kernel, kernel_bound, point, squared_input_bound
from verification.recurrent.activation import activation
from verification.recurrent.law import moment_of_c
from verification.recurrent.memory import memory_bound

MAX_INPUTS = 8

# For an upper bound; more bits cost more nodes and a larger degree.
_BITS = 40


def largest_diagonal(instance: Instance) -> tuple[Ball, ...]:
    """Bound ``sup_{|v| <= vbar} K((x_i, v), (x_i, v))`` from above, one entry a state."""
    with precision(_BITS):
        return _largest_diagonal(instance)


@lru_cache(maxsize=64)
def _largest_diagonal(instance: Instance) -> tuple[Ball, ...]:
    chain, spec, law = instance.chain, instance.activation, instance.law
    everywhere = exact_ball(upper_double(kernel_bound(instance).upper))
    if len(chain.first_states) > MAX_INPUTS:
        return (everywhere,) * chain.n_states
    sigma = activation(spec)
    strip = sigma.strip_width()
    t0, t1 = (sigma.quadrature_bound(order) for order in (0, 1))
    factor = moment_of_c(law, 2) * squared_input_bound(instance)
    bound = memory_bound(instance)
    reach = bound if isinstance(bound, Fraction) else end_points(bound)[1]

    def largest(state: int) -> Ball:
        def diagonal(memory: Ball) -> Ball:
            place = point(instance, state, memory)
            return kernel(spec, law, place, place)

        found = analytic_supremum(
            diagonal,
            -reach,
            reach,
            strip=strip,
            strip_bound=square(t0) + ball(factor) * square(t1),
        )
        return exact_ball(upper_double(everywhere.min(found.upper)))

    known = {chain.inputs[state]: largest(state) for state in chain.first_states}
    return tuple(known[x] for x in chain.inputs)
