r"""Numbers that bound suprema over all memories, as the explicit bound asks for them.

Whether a number bounds a function of the memory, ``|v| <= vbar``, is searched by the mean value
theorem, cell by cell.  The deviation of one unit's kernel Y is a seminorm, and Y moves by at most
``s0 s1 + s1 s2 R^2 E[C^4]^(1/2)`` in L2 as one of its two memories moves by 1: on a square of
half-width h the deviation is at most that at the centre and 2 h times as much.  By Cauchy and
Schwarz ``E[Y^2]`` is at most ``s0^4 + 2 s0^2 s1^2 R^2 E[C^2] + s1^4 R^4 E[C^4]`` anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, combinations_with_replacement

from verification.certificate.check.instances import Vector, first_states
from verification.certificate.check.numbers.balls import (
    Ball,
    ball,
    precision,
    root,
    upper,
)
from verification.certificate.check.numbers.search import by_mean_value, is_at_most
from verification.certificate.check.outcome import Invalid
from verification.certificate.check.recurrent.activations import constant
from verification.certificate.check.recurrent.memory import Memory
from verification.certificate.check.recurrent.unit_kernels import variance_at
from verification.certificate.check.recurrent.unit_means import UnitMeans, absolute_moment

_MOST_CELLS = 4_000
_MOST_SQUARES = 4_000
_BITS, _SQUARE_BITS = 128, 64


@dataclass(frozen=True)
class Suprema:
    """Numbers of which it is claimed that they bound suprema over ``|v| <= vbar``.

    Parameters
    ----------
    kernels : tuple of Fraction
        For each state one for ``K((x_i, v), (x_i, v))``.
    output, spread : Fraction
        For the roots of ``E[C^2 sigma(W.x + v)^2]`` and of ``Var(B sigma(W.x + v))``, any input.
    sensitivity : Fraction
        For ``|Phi(x_i, v) - Phi(x_j, v)|``.
    deviation : Fraction
        For the deviation of one unit's kernel between any two points.
    """

    kernels: Vector
    output: Fraction
    spread: Fraction
    sensitivity: Fraction
    deviation: Fraction


def require_suprema(memory: Memory, stated: Suprema) -> None:
    """Show that the numbers bound the suprema.

    Raises
    ------
    Invalid
        Where that is not shown of one of them; it is named.
    """
    instance = memory.instance
    lowest: dict[Vector, Fraction] = {}
    for point, bound in zip(instance.inputs, stated.kernels, strict=True):
        lowest[point] = min(bound, lowest.get(point, bound))
    states = first_states(instance)
    with precision(_BITS):
        reach = upper(memory.bound())
        for state in states:
            means = UnitMeans(memory, state)
            for name, value, slope, bound in (
                ("kernel", means.kernel, means.kernel_slope, lowest[means.point]),
                ("output", means.output, means.output_slope, stated.output**2),
                ("spread", means.variance, means.variance_slope, stated.spread**2),
            ):
                shown = is_at_most(by_mean_value(value, slope), reach, bound, _MOST_CELLS)
                _require(shown, name)
        for pair in combinations([instance.inputs[state] for state in states], 2):
            if memory.is_same_map(*pair):
                continue
            for one, other in (pair, pair[::-1]):
                shown = _is_apart_at_most(memory, (one, other), reach, stated.sensitivity)
                _require(shown, "sensitivity")
    with precision(_SQUARE_BITS):
        if upper(_deviation_anywhere(memory)) > stated.deviation:
            _require(_deviates_at_most(memory, stated.deviation), "deviation")


def _require(shown: bool, name: str) -> None:
    if not shown:
        raise Invalid(f"witness.bounds.{name}: is not shown to bound what it should")


def _is_apart_at_most(
    memory: Memory, pair: tuple[Vector, Vector], reach: Fraction, bound: Fraction
) -> bool:
    def difference(v: Ball, order: int) -> Ball:
        one, other = (memory.image(point, v, order) for point in pair)
        return one - other

    look = by_mean_value(lambda v: difference(v, 0), lambda v: difference(v, 1))
    return is_at_most(look, reach, bound, _MOST_CELLS)


def _deviation_anywhere(memory: Memory) -> Ball:
    s0, s1 = (constant(memory.instance.activation, order) for order in range(2))
    forward, backward = s0 * s0, s1 * s1 * ball(memory.instance.squared_radius)
    second, fourth = (absolute_moment(memory.instance.law, order) for order in (2, 4))
    return root(forward * forward + 2 * forward * backward * second + backward * backward * fourth)


def _deviates_at_most(memory: Memory, bound: Fraction) -> bool:
    """Tell whether every square is shown to be below a bound, cut in four where it is not."""
    instance = memory.instance
    s0, s1, s2 = (constant(instance.activation, order) for order in range(3))
    fourth = absolute_moment(instance.law, 4)
    steep = s0 * s1 + s1 * s2 * ball(instance.squared_radius) * root(fourth)
    reach, zero = upper(memory.bound()), Fraction(0)
    points = [instance.inputs[state] for state in first_states(instance)]
    if len(points) * (len(points) + 1) // 2 > _MOST_SQUARES:
        return False
    squares = [
        (variance_at(instance, pair, memory.budget), zero, zero, reach)
        for pair in combinations_with_replacement(points, 2)
    ]
    for _ in range(_MOST_SQUARES):
        if not squares:
            return True
        variance, v, w, half = squares.pop()
        deviation = root(variance(v, w))
        if upper(deviation) > bound:
            return False
        if upper(deviation + 2 * steep * ball(half)) > bound:
            quarter = half / 2
            ends = (-quarter, quarter)
            squares += [(variance, v + a, w + b, quarter) for a in ends for b in ends]
    return not squares
