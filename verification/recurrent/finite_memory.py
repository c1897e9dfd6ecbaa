r"""The memory of N frozen units: its mean square distance from the limit, exactly or by drawing.

``v^N_{k+1} = (1/N) sum_j B^j sigma(W^j.x_{i_k} + v^N_k)`` from v^N_0 = 0 along a word of states,
against ``v_{k+1} = Phi(x_{i_k}, v_k)`` from 0.

*Exactly.*  Units matter only through B and the numbers W.x at the word's inputs; where these take
few values, all draws of N units are summed, grouped by how often each value comes.

*By drawing.*  The drawn numbers are doubles: uniform ones are within 2^-53 of the range of real
ones that have the law, atoms are drawn with the rounded probabilities (a unit is another one with a
probability of that order), normal ones are taken for normal.  With e a bound of the mean of what
one step errs, the memory errs by at most ``e / (1 - s1 bbar)`` on average, and the squared distance
by that times twice its range.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb, factorial, prod
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from verification.enclosure.balls import Ball, ball, root, square, total
from verification.enclosure.doubles import (
    UNDERFLOW,
    UNIT_ROUNDOFF,
    Rounded,
    above,
    gamma,
    nearest,
)
from verification.errors import NotEnclosed
from verification.instance import (
    ActivationSpec,
    AtomicLaw,
    Constant,
    Instance,
    Law,
    Uniform,
    Vector,
)
from verification.recurrent.activation import activation
from verification.recurrent.activation_doubles import evaluate, evaluation
from verification.recurrent.law import bound_b, dot, mean_square_of_w
from verification.recurrent.memory import iterate, memory_bound
from verification.recurrent.network import draw_units

Array: TypeAlias = npt.NDArray[np.float64]

MAX_EVALUATIONS = 60_000
"""How many activations an exact sum may take."""

_BLOCK_UNITS = 2**20


@dataclass(frozen=True, kw_only=True)
class UnitKind:
    """Units with one B and one number W.x for each input of a word, and their probability."""

    p: Fraction
    b: Fraction
    projections: Vector


def unit_kinds(law: Law, inputs: Sequence[Vector]) -> tuple[UnitKind, ...] | None:
    """Return the kinds of units that inputs tell apart; None where they are not finitely many."""
    if isinstance(law, AtomicLaw):
        atoms = [(atom.p, atom.w, atom.b) for atom in law.atoms]
    elif isinstance(law.w, Constant) and isinstance(law.b, Constant):
        atoms = [(Fraction(1), law.w.value, law.b.value[0])]
    else:
        return None
    masses: dict[tuple[Fraction, Vector], Fraction] = {}
    for p, w, b in atoms:
        # Where B = 0 a unit does not speak, whatever its W.
        where = b, tuple(dot(w, x) if b else Fraction(0) for x in inputs)
        masses[where] = masses.get(where, Fraction(0)) + p
    return tuple(UnitKind(p=p, b=b, projections=u) for (b, u), p in masses.items())


def is_summable(instance: Instance, width: int, word: Sequence[int]) -> bool:
    """Tell whether `square_distance` can sum over all draws of the units."""
    kinds = unit_kinds(instance.law, _inputs(instance, word))
    if kinds is None:
        return False
    count = comb(width + len(kinds) - 1, len(kinds) - 1)
    return count * len(kinds) * len(word) <= MAX_EVALUATIONS


def _inputs(instance: Instance, word: Sequence[int]) -> list[Vector]:
    return list(dict.fromkeys(instance.chain.inputs[state] for state in word))


def square_distance(instance: Instance, width: int, word: Sequence[int]) -> Ball:
    """Enclose ``E|v^N_k - v_k|^2`` after the word, at the current working precision.

    Raises
    ------
    NotEnclosed
        Where the draws of the units cannot be summed.
    """
    inputs = _inputs(instance, word)
    kinds = unit_kinds(instance.law, inputs)
    if kinds is None or not is_summable(instance, width, word):
        raise NotEnclosed("there are too many ways to draw the units to sum over all")
    places = [inputs.index(instance.chain.inputs[state]) for state in word]
    limit = iterate(instance, word, ball(0))
    sigma = activation(instance.activation)
    terms = []
    for counts in _compositions(width, len(kinds)):
        memory = ball(0)
        for place in places:
            memory = total(
                ball(kind.b * n / width)
                * sigma.derivative(0, ball(kind.projections[place]) + memory)
                for kind, n in zip(kinds, counts, strict=True)
                if n and kind.b
            )
        ways = Fraction(factorial(width), prod(factorial(n) for n in counts))
        mass = prod((kind.p**n for kind, n in zip(kinds, counts, strict=True)), start=ways)
        terms.append(ball(mass) * square(memory - limit))
    return total(terms)


def _compositions(sum_: int, parts: int) -> Iterator[tuple[int, ...]]:
    """Yield all tuples of so many integers >= 0 with this sum."""
    if parts == 1:
        yield (sum_,)
        return
    for first in range(sum_ + 1):
        for rest in _compositions(sum_ - first, parts - 1):
            yield (first, *rest)


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
