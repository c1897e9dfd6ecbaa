r"""Draws of the squared distance between the memory of N frozen units and the limit's.

See `verification.recurrent.finite_memory` for the two memories.  The drawn numbers are doubles:
uniform ones are within 2^-53 of the range of real ones that have the law, atoms are drawn with the
rounded probabilities (a unit is another one with a probability of that order), normal ones are
taken for normal.  With e a bound of the mean of what one step errs, the memory errs by at most
``e / (1 - s1 bbar)`` on average, and the squared distance by that times twice its range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from verification.enclosure.balls import ball, root
from verification.enclosure.doubles import (
    UNDERFLOW,
    UNIT_ROUNDOFF,
    Rounded,
    above,
    gamma,
    nearest,
)
from verification.errors import NotEnclosed
from verification.instance import ActivationSpec, AtomicLaw, Constant, Instance, Law, Uniform
from verification.recurrent.activation import activation
from verification.recurrent.activation_doubles import evaluate, evaluation
from verification.recurrent.law import bound_b, mean_square_of_w
from verification.recurrent.memory import iterate, memory_bound
from verification.recurrent.network import draw_units

Array: TypeAlias = npt.NDArray[np.float64]

_BLOCK_UNITS = 2**20


@dataclass(frozen=True, kw_only=True)
class SquareDistanceDraws:
    """Independent draws of ``|v^N_k - v_k|^2``; make it with `square_distance_draws`.

    Call it with a generator of numpy and a count.

    Parameters
    ----------
    spec : ActivationSpec
    law : Law
    inputs : tuple of tuple of float
        One a symbol of the word.
    width : int
    limit : float
        ``v_k``.
    largest : Fraction
        Bound of ``|v^N_k - v_k|^2``.
    bias : Fraction
        Bound of the distance between the mean of the draws and the mean that is meant.
    """

    spec: ActivationSpec
    law: Law
    inputs: tuple[tuple[float, ...], ...]
    width: int
    limit: float
    largest: Fraction
    bias: Fraction

    def __call__(self, generator: np.random.Generator, count: int) -> Array:
        """Draw networks and run their memories; shape (count,)."""
        result = np.empty(count)
        block = max(1, _BLOCK_UNITS // self.width)
        for start in range(0, count, block):
            part = result[start : start + block]
            units = draw_units(self.law, self.width * len(part), generator)
            shape = len(part), self.width
            feedback = units.feedback.reshape(shape)
            memory = np.zeros(len(part))
            for x in self.inputs:
                argument = np.tensordot(np.array(x), units.input, 1).reshape(shape)
                argument += memory[:, np.newaxis]
                value = evaluate(self.spec, 0, argument)
                memory = np.einsum("ij,ij->i", feedback, value) / self.width
            part[:] = np.minimum((memory - self.limit) ** 2, float(self.largest))
        return result


def square_distance_draws(
    instance: Instance, width: int, word: Sequence[int]
) -> SquareDistanceDraws:
    """Return a way to draw ``|v^N_k - v_k|^2``.

    Raises
    ------
    NotEnclosed
        Where ``s1 bbar`` is not certainly below 1, or numbers are too large for doubles.
    """
    law, chain = instance.law, instance.chain
    sigma = activation(instance.activation)
    s0, slope = above(sigma.bound(0)), above(ball(sigma.bound(1)) * ball(bound_b(law)))
    if slope >= 1:
        raise NotEnclosed("s1 bbar is not certainly below 1")
    limit, limit_bounds = nearest(iterate(instance, word, ball(0)))
    reach = s0 * bound_b(law) + above(ball(memory_bound(instance)))

    # The mean over the units, and over the draws, is the norm for `Rounded`.
    entries = [[nearest(x) for x in chain.inputs[state]] for state in word]
    worst = Fraction(0)
    for row in entries:
        moved = size = Fraction(0)
        for k, (_, bounds) in enumerate(row):
            w = above(root(ball(mean_square_of_w(law, k))))
            size += bounds.size * w
            moved += bounds.error * w + bounds.size * _drawn_error(law, k, w)
        rounding = gamma(2 * len(row) + 2) * (size + reach)
        argument = Rounded(size + reach, moved + rounding + UNDERFLOW)
        farthest = sum(
            (bounds.size * _largest_w(law, k) for k, (_, bounds) in enumerate(row)), 2 * reach
        )
        value = evaluation(instance.activation, 0, argument, farthest)
        worst = max(worst, value.error)
    b = bound_b(law)
    in_b = 4 * UNIT_ROUNDOFF * b
    step = (b + in_b) * worst + in_b * s0 + gamma(width + 4) * (b + in_b) * (s0 + worst)
    if isinstance(law, AtomicLaw):
        step += 2 * gamma(len(law.atoms) + 3) * b * s0
    off = step / (1 - slope) + limit_bounds.error
    largest = reach * reach
    return SquareDistanceDraws(
        spec=instance.activation,
        law=law,
        inputs=tuple(tuple(x for x, _ in row) for row in entries),
        width=width,
        limit=limit,
        largest=largest,
        bias=off * (2 * reach + off) + gamma(4) * largest + UNDERFLOW,
    )


def _largest_w(law: Law, k: int) -> Fraction:
    """Bound ``|W_k|``; of a normal one, but for a probability below 2**-1000."""
    if isinstance(law, AtomicLaw):
        return max(abs(atom.w[k]) for atom in law.atoms)
    if isinstance(law.w, Constant):
        return abs(law.w.value[k])
    if isinstance(law.w, Uniform):
        return max(abs(law.w.low[k]), abs(law.w.high[k]))
    return abs(law.w.mean[k]) + 40 * law.w.std


def _drawn_error(law: Law, k: int, size: Fraction) -> Fraction:
    """Bound the mean error of a drawn ``W_k``: roundings, and uniform numbers on a grid."""
    if not isinstance(law, AtomicLaw) and isinstance(law.w, Uniform):
        extent = abs(law.w.low[k]) + abs(law.w.high[k])
        return 6 * UNIT_ROUNDOFF * extent
    return 4 * UNIT_ROUNDOFF * size
