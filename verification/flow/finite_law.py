r"""Laws of (input, memory, target) with finitely many atoms, for the limit equation.

A *word* is a sequence of states ``(i_0, ..., i_m)``.  Its point is the input of its last state and
the memory that starts from 0 and has seen the inputs of the others; its target is that of the last
state.  A law of words is thus a law of points with targets:

* *all words* of length m + 1 with their stationary probabilities give the m-history law mu_m;
* *given words*, each with the same weight, give an empirical law;
* where the invariant law mu of state and memory has finitely many atoms for one of three reasons
  that are exact (the memory is 0; there is one recurrent input; the recurrent chain is a cycle),
  it is one of these laws as well.

Two words with the same inputs have the same point, with perhaps two targets: such points are
merged, which no comparison of balls could do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import TypeAlias

from verification.enclosure.balls import Number, ball, working_precision
from verification.enclosure.numbers import minus, over, times, total
from verification.errors import NotEnclosed
from verification.instance import Chain, Instance, Vector
from verification.kernel.limiting import Point
from verification.markov import finite
from verification.recurrent.memory import fixed_point, has_zero_recurrent_memory, memory_map

MAX_ATOMS = 64
MAX_CYCLE = 64

Word: TypeAlias = tuple[int, ...]
Past: TypeAlias = tuple[Vector, ...]


@dataclass(frozen=True, kw_only=True)
class AllWords:
    """All words of length ``known + 1``, with their stationary probabilities."""

    known: int

    def __str__(self) -> str:
        return f"mu_{self.known}"


@dataclass(frozen=True, kw_only=True)
class GivenWords:
    """Words of the same weight, of which the last ``known + 1`` states are used."""

    words: tuple[Word, ...]
    known: int

    def __str__(self) -> str:
        return f"words of length {self.known + 1} from a path, {len(self.words)} of them"


@dataclass(frozen=True, kw_only=True)
class InvariantLaw:
    """The invariant law, where `has_finite_invariant_law`."""

    def __str__(self) -> str:
        return "mu"


Data: TypeAlias = AllWords | GivenWords | InvariantLaw
"""What a law is the law of."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """An input and the inputs that its memory has seen: what makes two points the same."""

    input: Vector
    past: Past

    def reflected(self) -> Place:
        """Return the place with all signs changed."""
        return Place(input=_minus(self.input), past=tuple(map(_minus, self.past)))


def _minus(vector: Vector) -> Vector:
    return tuple(-x for x in vector)


@dataclass(frozen=True, kw_only=True)
class Atom:
    """The target seen at a place, by its number, and its weight."""

    place: int
    weight: Number
    target: Fraction


@dataclass(frozen=True, kw_only=True, eq=False)
class FiniteLaw:
    """A law of (point, target) with finitely many atoms.

    Parameters
    ----------
    places : tuple of Place
        Distinct.
    points : tuple of Point
        The point of each place.
    atoms : tuple of Atom
    """

    places: tuple[Place, ...]
    points: tuple[Point, ...]
    atoms: tuple[Atom, ...]

    @cached_property
    def masses(self) -> tuple[Number, ...]:
        """Weight of each place; they sum to 1."""
        return tuple(
            total([atom.weight for atom in self.atoms if atom.place == k])
            for k in range(len(self.places))
        )

    @cached_property
    def mean_targets(self) -> tuple[Number, ...]:
        """Mean target at each place, the regression function."""
        sums = (
            total([times(atom.weight, atom.target) for atom in self.atoms if atom.place == k])
            for k in range(len(self.places))
        )
        return tuple(over(value, mass) for value, mass in zip(sums, self.masses, strict=True))

    @cached_property
    def variance_within(self) -> Number:
        """Mean variance of the targets at a place: what no function of the point explains.

        Exactly 0 where no place has two targets, and rational where the weights are.
        """
        spreads: list[Number] = []
        for k, mean in enumerate(self.mean_targets):
            here = [atom for atom in self.atoms if atom.place == k]
            if len({atom.target for atom in here}) > 1:
                apart = [minus(atom.target, mean) for atom in here]
                spreads += [
                    times(atom.weight, times(x, x)) for atom, x in zip(here, apart, strict=True)
                ]
        return total(spreads)

    @cached_property
    def squared_target(self) -> Number:
        """Mean of the squared target, ``|y|^2`` in L2 of the law."""
        return total([times(atom.weight, atom.target * atom.target) for atom in self.atoms])

    def folded(self) -> FiniteLaw:
        """Return the law with places that are reflections of each other merged.

        For an odd activation the features at a reflected place are the same with the sign
        changed, and so are the values of every function in the range of the kernel: a target y
        there is a target -y here.  Where a place is its own reflection they all vanish: it is
        left out, with its weight.  Only masses, means and points of what is left have a meaning.
        """
        kept: list[int] = []
        number: dict[Place, tuple[int, int]] = {}
        for k, place in enumerate(self.places):
            if place == place.reflected():
                continue
            if place.reflected() in number:
                number[place] = number[place.reflected()][0], -1
            else:
                number[place] = len(kept), 1
                kept.append(k)
        atoms = []
        for atom in self.atoms:
            if self.places[atom.place] in number:
                where, sign = number[self.places[atom.place]]
                atoms.append(Atom(place=where, weight=atom.weight, target=sign * atom.target))
        return FiniteLaw(
            places=tuple(self.places[k] for k in kept),
            points=tuple(self.points[k] for k in kept),
            atoms=tuple(atoms),
        )

    def product_of_marginals(self) -> FiniteLaw:
        """Return the law with the same input and target, and an independent memory."""
        heads: dict[tuple[Vector, Fraction], list[Number]] = {}
        tails: dict[Past, list[Number]] = {}
        memories: dict[Past, Number] = {}
        for atom in self.atoms:
            place = self.places[atom.place]
            heads.setdefault((place.input, atom.target), []).append(atom.weight)
            tails.setdefault(place.past, []).append(atom.weight)
            memories[place.past] = self.points[atom.place].memory
        weighted = [
            (Place(input=x, past=past), times(total(one), total(other)), target)
            for (x, target), one in heads.items()
            for past, other in tails.items()
        ]
        return _of_weighted_places(weighted, memories)


def _of_weighted_places(
    weighted: Iterable[tuple[Place, Number, Fraction]], memories: Mapping[Past, Number]
) -> FiniteLaw:
    number: dict[Place, int] = {}
    weights: dict[tuple[int, Fraction], list[Number]] = {}
    for place, weight, target in weighted:
        key = number.setdefault(place, len(number)), target
        weights.setdefault(key, []).append(weight)
    return FiniteLaw(
        places=tuple(number),
        points=tuple(Point(input=p.input, memory=memories[p.past]) for p in number),
        atoms=tuple(
            Atom(place=k, weight=total(parts), target=target)
            for (k, target), parts in weights.items()
        ),
    )


def finite_law(instance: Instance, data: Data) -> FiniteLaw:
    """Return a law of points and targets, its memories enclosed at the current precision.

    Parameters
    ----------
    instance : Instance
        For all words and the invariant law its chain has one recurrent class.
    data : AllWords, GivenWords or InvariantLaw

    Raises
    ------
    NotEnclosed
        Where the words are more than `MAX_ATOMS`, or the invariant law is not known to be finite.
    """
    return _finite_law(instance, data, working_precision())


@lru_cache(maxsize=64)
def _finite_law(instance: Instance, data: Data, _bits: int) -> FiniteLaw:
    if isinstance(data, InvariantLaw):
        return _invariant_law(instance)
    if isinstance(data, GivenWords):
        share = Fraction(1, len(data.words))
        words: list[tuple[Word, Number]] = [(word[-1 - data.known :], share) for word in data.words]
    else:
        words = stationary_words(instance.chain, data.known)
    return _law_of_words(instance, words)


def stationary_words(chain: Chain, known: int) -> list[tuple[Word, Number]]:
    """Return the words of length ``known + 1`` with their probabilities, all positive.

    Raises
    ------
    NotEnclosed
        Where there are more than `MAX_ATOMS`.
    """
    states = finite.recurrent_classes(chain)[0].states
    _limit(len(states))
    law = finite.stationary_law(chain)
    words: list[tuple[Word, Number]] = [((i,), law[i]) for i in states]
    for _ in range(known):
        words = [
            ((*word, j), times(weight, p))
            for word, weight in words
            for j, p in chain.rows[word[-1]]
        ]
        _limit(len(words))
    return words


def _limit(count: int) -> None:
    if count > MAX_ATOMS:
        raise NotEnclosed(f"the law has {count} words, more than {MAX_ATOMS}")


def count_of_words(chain: Chain, known: int, limit: int) -> int | None:
    """Return how many words of length ``known + 1`` there are; None where more than `limit`."""
    ways = dict.fromkeys(finite.recurrent_classes(chain)[0].states, 1)
    for _ in range(known):
        # Of longer words there are no fewer.
        if len(ways) > limit:
            break
        following: dict[int, int] = {}
        for i, count in ways.items():
            for j, _ in chain.rows[i]:
                following[j] = following.get(j, 0) + count
        ways = following
    count = sum(ways.values())
    return count if count <= limit else None


def _law_of_words(instance: Instance, words: Sequence[tuple[Word, Number]]) -> FiniteLaw:
    inputs, targets = instance.chain.inputs, instance.chain.targets
    memories: dict[Past, Number] = {(): Fraction(0)}
    weighted = []
    for word, weight in words:
        past = tuple(inputs[i] for i in word[:-1])
        for length in range(1, len(past) + 1):
            if past[:length] not in memories:
                before = ball(memories[past[: length - 1]])
                memories[past[:length]] = memory_map(instance, word[length - 1], before)
        weighted.append((Place(input=inputs[word[-1]], past=past), weight, targets[word[-1]]))
    return _of_weighted_places(weighted, memories)


def has_finite_invariant_law(instance: Instance) -> bool:
    """Tell whether the invariant law certainly has finitely many atoms, for an exact reason.

    The chain has one recurrent class, and ``q < 1``.
    """
    states = finite.recurrent_classes(instance.chain)[0].states
    return (
        len({instance.chain.inputs[i] for i in states}) == 1
        or has_zero_recurrent_memory(instance)
        or _cycle(instance.chain) is not None
    )


def _cycle(chain: Chain) -> Word | None:
    """Return the recurrent states in the order of their succession, where that is certain."""
    states = finite.recurrent_classes(chain)[0].states
    if len(states) > MAX_CYCLE or any(len(chain.rows[i]) > 1 for i in states):
        return None
    cycle = [states[0]]
    while len(cycle) < len(states):
        cycle.append(chain.rows[cycle[-1]][0][0])
    return tuple(cycle)


def _invariant_law(instance: Instance) -> FiniteLaw:
    chain = instance.chain
    states = finite.recurrent_classes(chain)[0].states
    # The number of atoms is what matters here, and each state has one memory.
    if len(states) > MAX_ATOMS:
        raise NotEnclosed(f"the law has {len(states)} atoms, more than {MAX_ATOMS}")
    law, cycle = finite.stationary_law(chain), _cycle(chain)
    pasts: dict[int, Past]
    memories: dict[Past, Number]
    if has_zero_recurrent_memory(instance):
        pasts, memories = dict.fromkeys(states, ()), {(): Fraction(0)}
    elif len({chain.inputs[i] for i in states}) == 1:
        past: Past = (chain.inputs[states[0]],)
        pasts, memories = dict.fromkeys(states, past), {past: fixed_point(instance, states[:1])}
    elif cycle is not None:
        pasts, memories = {}, {}
        for k, state in enumerate(cycle):
            word = cycle[k:] + cycle[:k]
            past = tuple(chain.inputs[i] for i in word)
            if past not in memories:
                memories[past] = fixed_point(instance, word)
            pasts[state] = past
    else:
        raise NotEnclosed("the invariant law is not known to have finitely many atoms")
    return _of_weighted_places(
        ((Place(input=chain.inputs[i], past=pasts[i]), law[i], chain.targets[i]) for i in states),
        memories,
    )
