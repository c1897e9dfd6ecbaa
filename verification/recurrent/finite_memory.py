"""The mean square distance of the memory of N frozen units from the limit's, by summing all draws.

``v^N_{k+1} = (1/N) sum_j B^j sigma(W^j.x_{i_k} + v^N_k)`` from v^N_0 = 0 along a word of states,
against ``v_{k+1} = Phi(x_{i_k}, v_k)`` from 0.  Units matter only through B and the numbers W.x at
the word's inputs; where these take few values, all draws of N units are summed, grouped by how
often each value comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb, factorial, prod

from verification.enclosure.balls import Ball, ball, square, total
from verification.errors import NotEnclosed
from verification.instance import (
    AtomicLaw,
    Constant,
    Instance,
    Law,
    Vector,
)
from verification.recurrent.activation import activation
from verification.recurrent.law import dot
from verification.recurrent.memory import iterate

MAX_EVALUATIONS = 60_000
"""How many activations an exact sum may take."""


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
    curve = activation(instance.activation).curve(0)
    projections = [[ball(u) for u in kind.projections] for kind in kinds]
    terms = []
    for counts in compositions(width, len(kinds)):
        speaking = [
            (ball(kind.b * n / width), at)
            for kind, n, at in zip(kinds, counts, projections, strict=True)
            if n and kind.b
        ]
        memory = ball(0)
        for place in places:
            memory = total([share * curve(at[place] + memory) for share, at in speaking])
        ways = Fraction(factorial(width), prod(factorial(n) for n in counts))
        mass = prod((kind.p**n for kind, n in zip(kinds, counts, strict=True)), start=ways)
        terms.append(ball(mass) * square(memory - limit))
    return total(terms)


def compositions(sum_: int, parts: int) -> Iterator[tuple[int, ...]]:
    """Yield all tuples of so many integers >= 0 with this sum."""
    if parts == 1:
        yield (sum_,)
        return
    for first in range(sum_ + 1):
        for rest in compositions(sum_ - first, parts - 1):
            yield (first, *rest)
