r"""Laws of (input, memory, target) with finitely many atoms, read from a certificate.

An *atom* has a place, a weight and a target; a *place* an input and a past, the inputs that its
memory has seen.  Two atoms of one place have one point and perhaps two targets.  Three kinds:

* *all words* of m + 1 states with their stationary probabilities: the memory starts from 0 and
  sees the inputs of all states but the last, whose input and target are those of the atom;
* *words* that are listed, each with the same weight;
* the *invariant law* of the joint chain, where it is finite for one of three reasons: the memory is
  exactly 0; there is one recurrent input; each recurrent state has one successor.  Memories are
  then 0, or fixed points: that of F is within ``|F(c) - c| / (1 - q)`` of any c.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from verification.certificate.check.instances import Instance, Vector, require_steps
from verification.certificate.check.markov.chains import Chain
from verification.certificate.check.numbers.balls import (
    Ball,
    around,
    ball,
    precision,
    upper,
    working_precision,
)
from verification.certificate.check.outcome import Budget, Refused
from verification.certificate.check.reading import Node
from verification.certificate.check.recurrent.memory import Memory, mean_b, projections

MAX_ATOMS = 64
MAX_KNOWN = 64
_ITERATES, _NEWTON_STEPS = 20, 16
_FEW_BITS, _GUARD_BITS = 53, 8

Word = tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """An input and a past; `is_fixed`: the memory is the fixed point of the past, as a word."""

    input: Vector
    past: tuple[Vector, ...]
    is_fixed: bool = False

    def __post_init__(self) -> None:
        # It is looked up again and again, and long pasts take long to hash.
        object.__setattr__(self, "_hash", hash((self.input, self.past, self.is_fixed)))

    def __hash__(self) -> int:
        """Return the hash that was computed once."""
        found: int = self.__dict__["_hash"]
        return found

    def reflected(self) -> Place:
        """Return the place with all signs changed."""
        return Place(_minus(self.input), tuple(map(_minus, self.past)), self.is_fixed)


def _minus(vector: Vector) -> Vector:
    return tuple(-x for x in vector)


@dataclass(frozen=True)
class Atom:
    """A place with a weight and a target."""

    place: Place
    weight: Fraction
    target: Fraction


@dataclass(frozen=True)
class WordLaw:
    """A law with finitely many atoms.

    Parameters
    ----------
    what : str
    atoms : tuple of Atom
    known : int
        How many inputs its memories have seen; more than any number that is asked for where it is
        the invariant law.
    words : tuple of Word
        The words of which it is the law, where they are listed.
    """

    what: str
    atoms: tuple[Atom, ...]
    known: int
    words: tuple[Word, ...] = ()

    @property
    def squared_target(self) -> Fraction:
        """``|y|^2``."""
        return sum((atom.weight * atom.target**2 for atom in self.atoms), Fraction(0))

    def means(self, *, odd: bool) -> dict[Place, tuple[Fraction, Fraction]]:
        """Return weight and mean target of each place.

        Where the activation is odd the features of a reflected place are the same with the sign
        changed: both are one place, a target y there is -y here; they vanish where a place is its
        own reflection, which is left out.
        """
        sums: dict[Place, tuple[Fraction, Fraction]] = {}
        for atom in self.atoms:
            place, target = atom.place, atom.target
            if odd:
                other = place.reflected()
                if other == place:
                    continue
                if other in sums:
                    place, target = other, -target
            weight, moment = sums.get(place, (Fraction(0), Fraction(0)))
            sums[place] = weight + atom.weight, moment + atom.weight * target
        return {place: (weight, moment / weight) for place, (weight, moment) in sums.items()}


def read_law(node: Node, chain: Chain, instance: Instance, budget: Budget) -> WordLaw:
    """Read a law of words.

    Parameters
    ----------
    node : Node
    chain : Chain
    instance : Instance
        With the law of the units that matters: it says whether the memory is 0.
    budget : Budget

    Raises
    ------
    Refused
        Where it has too many atoms, or is not known to be finite.
    """
    kind = node.member("of").choice("all words", "words", "invariant law")
    if kind == "all words":
        known = node.fields(("of", "known"))["known"].integer(0, MAX_KNOWN)
        return all_words(chain, known, budget)
    if kind == "words":
        lines = node.fields(("of", "words"))["words"].elements(1, MAX_ATOMS)
        length = len(lines[0].elements(1, MAX_KNOWN + 1))
        words = [line.states(length, instance.size) for line in lines]
        if any(len(word) < length for word in words) or sorted(words) != words:
            node.refuse("words of one length, in order")
        for line, word in zip(lines, words, strict=True):
            require_steps(line, word, instance)
        return given_words(instance, words)
    node.fields(("of",))
    return _invariant_law(chain, instance)


def given_words(instance: Instance, words: list[Word]) -> WordLaw:
    """Return the law of words of the same weight."""
    share = Fraction(1, len(words))
    atoms = _of_words(instance, ((word, share) for word in words))
    known = len(words[0]) - 1
    return WordLaw(f"{len(words)} words of {known + 1} states", atoms, known, tuple(words))


def all_words(chain: Chain, known: int, budget: Budget) -> WordLaw:
    """Return mu_m, m = `known`."""
    words: list[tuple[Word, Fraction]] = [((i,), p) for i, p in enumerate(chain.law) if p]
    for step in range(known + 1):
        if len(words) > MAX_ATOMS:
            raise Refused(f"a law has more than {MAX_ATOMS} words")
        # Probabilities grow longer with each step.
        bits = max(weight.denominator.bit_length() for _, weight in words)
        budget.spend(8 * len(words) * (step + 1), bits)
        if step < known:
            words = [
                ((*word, j), weight * p)
                for word, weight in words
                for j, p in chain.instance.rows[word[-1]]
            ]
    return WordLaw(f"mu_{known}", _of_words(chain.instance, words), known)


def _of_words(instance: Instance, words: Iterable[tuple[Word, Fraction]]) -> tuple[Atom, ...]:
    inputs, targets = instance.inputs, instance.targets
    return tuple(
        Atom(
            Place(inputs[word[-1]], tuple(inputs[i] for i in word[:-1])), weight, targets[word[-1]]
        )
        for word, weight in words
    )


def _invariant_law(chain: Chain, instance: Instance) -> WordLaw:
    states = [i for i, p in enumerate(chain.law) if p]
    if len(states) > MAX_ATOMS:
        raise Refused(f"a law has more than {MAX_ATOMS} atoms")
    inputs = instance.inputs
    pasts: dict[int, tuple[Vector, ...]] = {}
    if has_no_memory(chain, instance):
        pasts = dict.fromkeys(states, ())
    elif len({inputs[i] for i in states}) == 1:
        pasts = dict.fromkeys(states, (inputs[states[0]],))
    elif all(len(instance.rows[i]) == 1 for i in states):
        cycle = [states[0]]
        while len(cycle) < len(states):
            cycle.append(instance.rows[cycle[-1]][0][0])
        for k, state in enumerate(cycle):
            pasts[state] = tuple(inputs[i] for i in cycle[k:] + cycle[:k])
    else:
        raise Refused("the invariant law is not known to have finitely many atoms")
    atoms = (
        Atom(Place(inputs[i], pasts[i], bool(pasts[i])), chain.law[i], instance.targets[i])
        for i in states
    )
    return WordLaw("mu", tuple(atoms), MAX_KNOWN + 1)


def has_no_memory(chain: Chain, instance: Instance) -> bool:
    """Tell whether the memory of recurrent states is 0, for an exact reason."""
    points = dict.fromkeys(instance.inputs[i] for i, p in enumerate(chain.law) if p)
    return all(_maps_zero_to_zero(instance, point, chain.budget) for point in points)


def is_odd(instance: Instance) -> bool:
    """Tell whether the activation is odd, term by term."""
    return all(not term.shift and term.family != "logistic" for term in instance.activation)


def _maps_zero_to_zero(instance: Instance, point: Vector, budget: Budget) -> bool:
    """Tell whether ``E[B sigma(W.x)] = 0`` for an exact reason."""
    law, odd = instance.law, is_odd(instance)
    if law.w is None or law.b is None:
        masses: dict[Fraction, Fraction] = {}
        places = projections([atom.w for atom in law.atoms], point, budget)
        for where, atom in zip(places, law.atoms, strict=True):
            side = -1 if odd and where < 0 else 1
            masses[side * where] = masses.get(side * where, Fraction(0)) + side * atom.p * atom.b
        return not any(mass for where, mass in masses.items() if where or not odd)
    if not mean_b(law.b):
        return True
    ends = [law.w.first, law.w.second] if law.w.kind == "uniform" else [law.w.first]
    centre = sum(projections(ends, point, budget), Fraction(0))
    return odd and not centre


class Memories:
    """The memories of places, at the working precision."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self._inputs: dict[Vector, int] = {}
        self._found: dict[tuple[tuple[int, ...], bool, int], Ball] = {}

    def at(self, place: Place) -> Ball:
        """Enclose the memory of a place."""
        # Numbers are hashed faster than inputs.
        numbers = [self._inputs.setdefault(x, len(self._inputs)) for x in place.past]
        bits, memory = working_precision(), ball(0)
        for length in range(len(numbers) if place.is_fixed else 0, len(numbers) + 1):
            key = tuple(numbers[:length]), place.is_fixed, bits
            if key not in self._found:
                if place.is_fixed:
                    memory = self._fixed_point(place.past)
                elif length:
                    memory = self.memory.image(place.past[length - 1], memory)
                self._found[key] = memory
            memory = self._found[key]
        return memory

    def _fixed_point(self, past: tuple[Vector, ...]) -> Ball:
        """Enclose it by a step of Banach's from where Newton's method ends."""
        centre = ball(0)
        with precision(_FEW_BITS):
            for _ in range(_ITERATES):
                centre = self._round(past, centre)[0].mid()
        goal = Fraction(1, 2 ** (working_precision() - _GUARD_BITS))
        for _ in range(_NEWTON_STEPS):
            image, slope = self._round(past, centre)
            step = (image - centre) / (1 - slope)
            centre = (centre + step).mid()
            # The error after a step is of the order of the square of the step.
            if upper(abs(step)) ** 2 <= goal:
                break
        image, _ = self._round(past, centre)
        q = self.memory.contraction_factor()
        return around(centre, abs(image - centre) / ball(1 - upper(q)))

    def _round(self, past: tuple[Vector, ...], memory: Ball) -> tuple[Ball, Ball]:
        slope = ball(1)
        for point in past:
            slope = slope * self.memory.image(point, memory, 1)
            memory = self.memory.image(point, memory)
        return memory, slope
