r"""How much the input can move the memory: ``D = max_{i,j} sup_v |Phi(x_i, v) - Phi(x_j, v)|``.

The supremum is over ``|v| <= vbar``.  Only distinct inputs matter.  All of them are evaluated on
one grid of memories in double precision; with ``F = Phi(x_i, .) - Phi(x_j, .)``, whose second
derivative is at most ``2 s2 E|B|``, the largest |F| is at most ``h^2 s2 E|B| / 4`` above the
largest on a grid of step h.  The few pairs that this leaves in question are enclosed by a
polynomial (`verification.enclosure.chebyshev`), in the order of their values on the grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial

import numpy as np

from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    end_points,
    exact_ball,
    lower_double,
    maximum_between,
    upper_double,
    working_precision,
)
from verification.enclosure.chebyshev import analytic_supremum
from verification.enclosure.doubles import nearest
from verification.instance import Instance
from verification.recurrent.activation import activation
from verification.recurrent.joint import input_rounding
from verification.recurrent.law import mean_absolute_b
from verification.recurrent.memory import memory_bound, memory_map
from verification.recurrent.memory_doubles import memory_map_doubles

GRID = 257
MAX_PAIRS = 24
"""How many pairs are enclosed by polynomials; what the grid says of the others bounds them."""


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """The number D, and a pair of states and a memory at which it is nearly attained.

    Parameters
    ----------
    value : Between
        Encloses D.
    states : tuple of int, length 2
        Equal where all inputs are.
    memory : Fraction
        Inside of ``[-vbar, vbar]``; nothing is proved of it.
    """

    value: Between
    states: tuple[int, int]
    memory: Fraction


def input_sensitivity(instance: Instance) -> Sensitivity:
    """Enclose ``D = max_{i,j} sup_{|v| <= vbar} |Phi(x_i, v) - Phi(x_j, v)|``.

    Raises
    ------
    NotEnclosed
        Where an input is beyond the range of doubles, or the supremum needs too many panels.
    """
    return _input_sensitivity(instance, working_precision())


@lru_cache(maxsize=512)
def _input_sensitivity(instance: Instance, _bits: int) -> Sensitivity:
    first = {point: state for state, point in reversed(list(enumerate(instance.chain.inputs)))}
    states = sorted(first.values())
    if len(states) == 1:
        zero = ball(0)
        return Sensitivity(value=Between(zero, zero), states=(0, 0), memory=Fraction(0))
    bound = memory_bound(instance)
    reach = bound if isinstance(bound, Fraction) else end_points(bound)[1]
    grid = np.linspace(-1.0, 1.0, GRID) * lower_double(ball(bound))
    inputs = np.array([[nearest(x)[0] for x in instance.chain.inputs[state]] for state in states])
    values, error = memory_map_doubles(
        instance, np.repeat(inputs, GRID, axis=0), np.tile(grid, len(states))
    )
    table = values.reshape(len(states), GRID)
    heights = [(np.abs(table[a] - table[a + 1 :]).max(axis=1), a) for a in range(len(states) - 1)]
    # What the doubles miss of every difference: their error, the inputs' rounding, the grid.
    sigma, mean = activation(instance.activation), ball(mean_absolute_b(instance.law))
    step = ball(reach) * ball(Fraction(2, GRID - 1)) + exact_ball(
        float(np.spacing(abs(grid[0]))) * 4
    )
    missed = (
        2 * exact_ball(error)
        + 2 * exact_ball(input_rounding(instance))
        + step * step * ball(sigma.bound(2)) * mean / 4
        + ball(sigma.bound(1)) * mean * step * ball(Fraction(1, 2**40))
    )
    slack = upper_double(missed) + 4 * float(np.spacing(np.abs(table).max()))
    ranked = sorted(
        ((float(h), a, a + 1 + k) for row, a in heights for k, h in enumerate(row)), reverse=True
    )
    found: list[Between] = []
    best = 0.0
    for rank, (height, a, b) in enumerate(ranked):
        if found and height + slack <= best:
            break
        if rank == MAX_PAIRS:
            found.append(Between(ball(0), exact_ball(float(np.nextafter(height + slack, np.inf)))))
            break
        found.append(_supremum(instance, states[a], states[b], reach, best))
        best = max(best, lower_double(found[-1].lower))
    _, a, b = ranked[0]
    where = int(np.abs(table[a] - table[b]).argmax())
    return Sensitivity(
        value=maximum_between(found),
        states=(states[a], states[b]),
        memory=Fraction(float(grid[where])),
    )


def _supremum(instance: Instance, i: int, j: int, reach: Fraction, at_least: float) -> Between:
    sigma = activation(instance.activation)
    strip = sigma.strip_width()
    height = ball(mean_absolute_b(instance.law)) * sigma.strip_bound(0, ball(strip))
    return analytic_supremum(
        partial(_difference, instance, i, j),
        -reach,
        reach,
        strip=strip,
        strip_bound=2 * height,
        at_least=at_least,
    )


def _difference(instance: Instance, i: int, j: int, memory: Ball) -> Ball:
    return memory_map(instance, i, memory) - memory_map(instance, j, memory)
