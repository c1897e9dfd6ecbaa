r"""T4: the output of N units before training, which are independent and centred given W.

``G_0(x, v) = N^-beta sum_i Y_i``, the ``Y_i = C^i sigma(W^i.x + v)`` independent.  Where few draws
of the units are possible, the mean of its square is summed over all of them; else the units are
added one by one, ``E[(T + Y)^2] = E[T^2] + 2 E[T] E[Y] + E[Y^2]``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations_with_replacement
from math import comb, factorial, prod

from verification.certificate.check.instances import Instance, Training, Vector, read_state_of_input
from verification.certificate.check.numbers.balls import (
    Ball,
    ball,
    bounds,
    integer_power,
    precision,
    total,
)
from verification.certificate.check.numbers.bounds import Bounds, Shown, Side, brief
from verification.certificate.check.numbers.lattices import work_of_sum
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.reading import Node
from verification.certificate.check.recurrent.activations import curve
from verification.certificate.check.recurrent.layer import Layer
from verification.certificate.check.recurrent.memory import dot
from verification.certificate.check.recurrent.training import Rates
from verification.certificate.check.recurrent.units import (
    has_centred_output,
    moment_of_c,
)

MAX_WIDTH = 64
_MOST_DRAWS = 500
_SPARE_BITS = 64


@dataclass(frozen=True)
class Untrained:
    """An instance whose output is centred."""

    instance: Instance
    training: Training
    budget: Budget
    layers: dict[tuple[Vector, int], Layer] = field(default_factory=dict)


def read_untrained(instance: Instance, witness: Node, budget: Budget) -> Untrained:
    """Verify that ``E[C | W] = 0``, and that there are training constants."""
    witness.fields(())
    if instance.training is None:
        raise Invalid("assumption: the instance gives training constants")
    if not has_centred_output(instance.law):
        raise Invalid("assumption: E[C | W] = 0")
    return Untrained(instance, instance.training, budget)


def initial_output(known: Untrained, case: Node, _claimed: Bounds) -> Shown:
    """``E[G_0^2] = N^(1 - 2 beta) E[C^2 sigma(W.x + v)^2]`` at a point."""
    members = case.fields(("width", "state", "memory"))
    instance, width = known.instance, members["width"].integer(1, MAX_WIDTH)
    state = read_state_of_input(members["state"], instance)
    point, memory = instance.inputs[state], members["memory"].number()

    def left(bits: int) -> Bounds:
        with precision(bits + _SPARE_BITS):
            scale = Rates(known.training, width).scale
            return bounds(scale * scale * _mean_square_of_sum(known, width, point, memory, bits))

    def right(bits: int) -> Bounds:
        with precision(bits + _SPARE_BITS):
            factor = Rates(known.training, width).power(1 - 2 * known.training.beta)
            return bounds(factor * _moment(known, point, memory, 2, bits))

    sides: tuple[Side, Side] = left, right
    return Shown(f"N = {width}, state {state}, v = {brief(memory)}", *sides)


def _mean_square_of_sum(
    known: Untrained, width: int, point: Vector, memory: Fraction, bits: int
) -> Ball:
    kinds = _kinds(known, point)
    if kinds and comb(width + len(kinds) - 1, width) <= _MOST_DRAWS:
        return _over_all_draws(known, kinds, width, memory)
    mean, alone = (_moment(known, point, memory, order, bits) for order in (1, 2))
    first, second = ball(0), ball(0)
    for _ in range(width):
        second = second + 2 * first * mean + alone
        first = first + mean
    return second


def _kinds(known: Untrained, point: Vector) -> dict[tuple[Fraction, Fraction], Fraction]:
    """Return the values of (C, W.x) of a law of atoms, with their probabilities."""
    known.budget.spend(10 * len(known.instance.law.atoms) * len(point))
    known.budget.spend(work_of_sum([atom.p for atom in known.instance.law.atoms]))
    found: dict[tuple[Fraction, Fraction], Fraction] = {}
    for atom in known.instance.law.atoms:
        known.budget.spend(work_of_sum((*atom.w, *point)))
        kind = atom.c, dot(atom.w, point)
        found[kind] = found.get(kind, Fraction(0)) + atom.p
    return found


def _over_all_draws(
    known: Untrained,
    kinds: dict[tuple[Fraction, Fraction], Fraction],
    width: int,
    memory: Fraction,
) -> Ball:
    known.budget.spend(_MOST_DRAWS * 10 * width)
    value = curve(known.instance.activation, 0)
    heights = {(c, place): ball(c) * value(ball(place + memory)) for c, place in kinds}
    masses = {kind: ball(p) for kind, p in kinds.items()}
    found = ball(0)
    for drawn in combinations_with_replacement(kinds, width):
        counts = Counter(drawn)
        chance = ball(factorial(width) // prod(map(factorial, counts.values())))
        for kind, count in counts.items():
            chance = chance * integer_power(masses[kind], count)
        summed = total([heights[kind] for kind in drawn])
        found = found + chance * summed * summed
    return found


def _moment(known: Untrained, point: Vector, memory: Fraction, order: int, bits: int) -> Ball:
    """Enclose ``E[(C sigma(W.x + v))^k]``, k = 1, 2."""
    instance, law, shift = known.instance, known.instance.law, ball(memory)
    value = curve(instance.activation, 0)
    if law.c is None:
        known.budget.spend(40 * len(law.atoms) * len(instance.activation), bits)
        for atom in law.atoms:
            known.budget.spend(work_of_sum((*atom.w, *point)))
        return total(
            [
                ball(atom.p * atom.c**order)
                * integer_power(value(ball(dot(atom.w, point)) + shift), order)
                for atom in law.atoms
            ]
        )
    key = point, bits
    if key not in known.layers:
        known.layers[key] = Layer(instance, point, known.budget, gradient=False)
    mean = known.layers[key].mean(
        lambda node, _: integer_power(value(node + shift), order),
        lambda sizes: integer_power(sizes[0], order),
    )
    return ball(moment_of_c(law.c, order)) * mean
