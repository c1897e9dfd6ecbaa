r"""M6: the memory of N frozen units beside that of infinitely many, over all draws of the units.

The units of a law of atoms are drawn independently; to a word's inputs they are of finitely many
kinds, and all ways to draw so many of each kind are gone through, with their probabilities.  On the
other side ``s_Phi^2 = max_i sup_v V(v)``, ``V = E[B^2 sigma^2] - Phi^2`` at ``W.x_i + v``, is
searched over ``|v| <= vbar`` by the mean value theorem.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import comb

from verification.certificate.check.instances import Instance, Vector, first_states
from verification.certificate.check.numbers.balls import (
    Ball,
    ball,
    bounds,
    lower,
    precision,
    total,
    upper,
)
from verification.certificate.check.numbers.bounds import Bounds, Shown
from verification.certificate.check.numbers.search import by_mean_value, largest_value
from verification.certificate.check.outcome import Budget, Invalid, Unsupported
from verification.certificate.check.reading import Node
from verification.certificate.check.recurrent.activations import curve
from verification.certificate.check.recurrent.memory import Memory, dot
from verification.certificate.check.recurrent.unit_means import UnitMeans
from verification.certificate.check.recurrent.units import (
    require_unit_contraction,
    unit_contraction,
)

MAX_WIDTH, MAX_WORD, MAX_KINDS = 64, 64, 64
_BITS = 128
_SPARE_BITS = 64
_TOLERANCE = Fraction(1, 2**36)
_MOST_CELLS = 4_000


@dataclass
class Frozen:
    """An instance whose units are of finitely many kinds, and s_Phi^2 once it is found."""

    memory: Memory
    budget: Budget
    spread: list[Bounds] = field(default_factory=list)


def read_frozen(instance: Instance, witness: Node, budget: Budget) -> Frozen:
    """Verify that the law has atoms, and that ``qbar = s1 bbar < 1``."""
    witness.fields(())
    if not instance.law.atoms:
        raise Unsupported("M6 for a law without atoms, whose draws cannot all be summed")
    with precision(_BITS):
        known = Frozen(Memory(instance, budget), budget)
        require_unit_contraction(instance)
    return known


def distance_from_limit(known: Frozen, case: Node, _claimed: Bounds) -> Shown:
    """``(E|v_k^N - v_k|^2)^(1/2) <= (s_Phi / sqrt N) (1 + qbar + .. + qbar^(k-1))``."""
    members = case.fields(("width", "word"))
    instance, width = known.memory.instance, members["width"].integer(1, MAX_WIDTH)
    word = members["word"].states(MAX_WORD, instance.size)

    def left(bits: int) -> Bounds:
        with precision(bits + _SPARE_BITS):
            found = bounds(_mean_square(known, width, word, bits))
        return Bounds(max(found.lower, Fraction(0)), found.upper).root(bits + _SPARE_BITS)

    def right(bits: int) -> Bounds:
        spread = _squared_spread(known).root(_BITS)
        with precision(bits + _SPARE_BITS):
            series, q = ball(0), unit_contraction(known.memory.instance)
            for _ in word:
                series = 1 + q * series
            factor = series / ball(width).sqrt()
            low, high = bounds(ball(spread.lower) * factor), bounds(ball(spread.upper) * factor)
        return Bounds(low.lower, high.upper)

    return Shown(f"N = {width}, {len(word)} steps", left, right)


# Left


def _mean_square(known: Frozen, width: int, word: Sequence[int], bits: int) -> Ball:
    memory = known.memory
    instance = memory.instance
    points = [instance.inputs[state] for state in word]
    kinds = _kinds(instance, list(dict.fromkeys(points)))
    if len(kinds) > MAX_KINDS:
        raise Unsupported(f"M6 with more than {MAX_KINDS} kinds of units")
    ways = comb(width + len(kinds) - 1, width)
    known.budget.spend(20 * ways * len(kinds) * len(word) * len(instance.activation), bits)
    digits = max(chance.denominator.bit_length() for chance in kinds.values())
    known.budget.spend(ways * len(kinds), width * digits)
    limit, value = memory.iterate(word, ball(0)), curve(instance.activation, 0)
    place = {point: k for k, point in enumerate(dict.fromkeys(points))}
    order = [place[point] for point in points]
    at = [[ball(u) for u in projections] for _, projections in kinds]
    shares = [ball(b / width) for b, _ in kinds]
    found = ball(0)
    for counts, chance in _draws(width, list(kinds.values())):
        speaking = [(n * shares[j], at[j]) for j, n in enumerate(counts) if n]
        drawn = ball(0)
        for k in order:
            drawn = total([share * value(places[k] + drawn) for share, places in speaking])
        found = found + ball(chance) * (drawn - limit) * (drawn - limit)
    return found


def _kinds(
    instance: Instance, points: Sequence[Vector]
) -> dict[tuple[Fraction, tuple[Fraction, ...]], Fraction]:
    """Return the values of B and of W.x at each of the inputs, with their probabilities."""
    found: dict[tuple[Fraction, tuple[Fraction, ...]], Fraction] = {}
    for atom in instance.law.atoms:
        kind = atom.b, tuple(dot(atom.w, point) if atom.b else Fraction(0) for point in points)
        found[kind] = found.get(kind, Fraction(0)) + atom.p
    return found


def _draws(width: int, chances: Sequence[Fraction]) -> Iterator[tuple[tuple[int, ...], Fraction]]:
    """Yield how many of each kind are drawn, with the probability of it."""
    if len(chances) == 1:
        yield (width,), chances[0] ** width
        return
    for n in range(width + 1):
        first = comb(width, n) * chances[0] ** n
        for rest, chance in _draws(width - n, chances[1:]):
            yield (n, *rest), first * chance


# Right


def _squared_spread(known: Frozen) -> Bounds:
    if not known.spread:
        with precision(_BITS):
            found = Bounds.exactly(Fraction(0))
            for state in first_states(known.memory.instance):
                found = _largest_variance(known, state, found)
        known.spread.append(found)
    return known.spread[0]


def _largest_variance(known: Frozen, state: int, before: Bounds) -> Bounds:
    """Return bounds of the larger of what was found before and the supremum at one input."""
    memory, means = known.memory, UnitMeans(known.memory, state)
    reach = upper(memory.bound())
    ends = (lower(means.variance(ball(v))) for v in (-reach, reach))
    # vbar may be a little less than its upper bound: what is seen beyond it is no value.
    inside = lower(memory.bound()) == reach
    best = max(before.lower, *ends) if inside else before.lower
    look = by_mean_value(means.variance, means.variance_slope)
    found = largest_value(look, reach, _TOLERANCE, _MOST_CELLS, best)
    if found is None:
        raise Invalid("the largest spread of a unit is not found in so many cells")
    return Bounds(found.lower, max(found.upper, before.upper))
