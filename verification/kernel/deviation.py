r"""How far the kernel of one unit is from its mean, at worst.

``Y = sigma(W.x + v) sigma(W.x' + v') + C^2 sigma'(W.x + v) sigma'(W.x' + v') x.x'`` is what one
unit contributes to the kernel of a drawn network; x and x' are inputs of the chain, v and v'
memories in [-r, r].  `kernel_deviation` bounds the standard deviation of Y at all such points.

*Everywhere*: by Cauchy-Schwarz ``|Y| <= s0^2 + C^2 s1^2 R^2``, so that

    sd(Y)^2 <= E[Y^2] <= s0^4 + 2 s0^2 s1^2 R^2 E[C^2] + s1^4 R^4 E[C^4].

*By branch and bound*, where there are few pairs of inputs and the variance is cheap: sd is a
seminorm, and Y moves by at most ``lambda |v - w|`` in L2 when v moves to w, ``lambda = s0 s1 +
s1 s2 R^2 E[C^4]^(1/2)``.  So on a square of half-width h about (v, v') it is at most
``sd(Y(v, v')) + 2 lambda h``.  The square with the largest bound is cut in four first; after a
fixed number of evaluations the largest bound left is returned.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from functools import lru_cache
from itertools import combinations_with_replacement

from verification.deadline import heed_deadline
from verification.enclosure.balls import (
    Ball,
    ball,
    exact_ball,
    lower_double,
    precision,
    root,
    square,
    upper_double,
)
from verification.errors import NotEnclosed
from verification.instance import AtomicLaw, Instance
from verification.kernel.limiting import point, squared_input_bound
from verification.kernel.variance import unit_variance
from verification.recurrent.activation import activation
from verification.recurrent.law import dot, moment_of_c

MAX_PAIRS = 10
MAX_ATOMS = 64

_EVALUATIONS = {True: 400, False: 80}
_TOLERANCE = 2.0**-6
# For an upper bound; more bits cost more nodes.
_BITS = 40


def kernel_deviation(instance: Instance, reach: Fraction) -> Ball:
    """Bound sd(Y) from above, over all inputs of the chain and memories in [-r, r].

    Parameters
    ----------
    instance : Instance
    reach : Fraction
        r.

    Raises
    ------
    NotEnclosed
        Where the deadline has passed.
    """
    with precision(_BITS):
        return _kernel_deviation(instance, reach)


@lru_cache(maxsize=64)
def _kernel_deviation(instance: Instance, reach: Fraction) -> Ball:
    found = upper_double(bound_everywhere(instance))
    if _is_cheap(instance):
        with suppress(NotEnclosed):
            found = min(found, _by_branch_and_bound(instance, reach))
    # A bound that time has cut short would be kept for later decisions.
    heed_deadline()
    return exact_ball(found)


def bound_everywhere(instance: Instance) -> Ball:
    """Return ``(s0^4 + 2 s0^2 s1^2 R^2 E[C^2] + s1^4 R^4 E[C^4])^(1/2)``."""
    sigma, law = activation(instance.activation), instance.law
    forward = square(ball(sigma.bound(0)))
    backward = square(ball(sigma.bound(1))) * ball(squared_input_bound(instance))
    second, fourth = (ball(moment_of_c(law, order)) for order in (2, 4))
    return root(square(forward) + 2 * forward * backward * second + square(backward) * fourth)


def _is_cheap(instance: Instance) -> bool:
    """Tell whether there are few pairs of inputs, few atoms, or one variable to integrate over."""
    inputs = set(instance.chain.inputs)
    if len(inputs) * (len(inputs) + 1) > 2 * MAX_PAIRS:
        return False
    if isinstance(instance.law, AtomicLaw):
        return len(instance.law.atoms) <= MAX_ATOMS
    return all(
        dot(x, y) ** 2 == dot(x, x) * dot(y, y) for x, y in combinations_with_replacement(inputs, 2)
    )


def _by_branch_and_bound(instance: Instance, reach: Fraction) -> float:
    sigma, law = activation(instance.activation), instance.law
    s0, s1, s2 = (ball(sigma.bound(order)) for order in range(3))
    curved = s1 * s2 * ball(squared_input_bound(instance)) * ball(moment_of_c(law, 4)).sqrt()
    slope = s0 * s1 + curved
    heap: list[tuple[float, int, int, Fraction, Fraction, Fraction]] = []
    best = 0.0

    def push(i: int, j: int, v: Fraction, w: Fraction, half: Fraction) -> None:
        nonlocal best
        first, second = point(instance, i, v), point(instance, j, w)
        deviation = root(unit_variance(instance.activation, law, first, second))
        best = max(best, lower_double(deviation))
        bound = upper_double(deviation + 2 * slope * ball(half))
        heapq.heappush(heap, (-bound, i, j, v, w, half))

    states = instance.chain.first_states
    for i, j in combinations_with_replacement(states, 2):
        push(i, j, Fraction(0), Fraction(0), reach)
    left = _EVALUATIONS[isinstance(law, AtomicLaw)]
    while left > 0 and reach and -heap[0][0] > best * (1 + _TOLERANCE):
        heed_deadline()
        _, i, j, v, w, half = heapq.heappop(heap)
        for dv, dw in _quarters(half / 2):
            push(i, j, v + dv, w + dw, half / 2)
        left -= 4
    return -heap[0][0]


def _quarters(by: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
    for dv in (-by, by):
        for dw in (-by, by):
            yield dv, dw
