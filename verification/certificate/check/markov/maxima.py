r"""The mean square of the largest of the first n sums along a chain, between bounds.

``M = max_{1<=k<=n} |S_k|`` takes its values on a lattice, M = m g, and ``E[M^2] = g^2 sum_{m>=1}
(2m - 1) P(M >= m g)``.  The probabilities fall in m: between two places at which they are known,
they lie between the two, and where that leaves too much, a place in the middle is looked at.

P(M < a) is the mass that is left where all of it that reaches a is taken away.  Of each state the
masses at all sums stand in one long integer, as in `verification.certificate.check.markov.sums`,
from the first sum to the last that are nearer to 0 than a.  A step rounds down by less than one
unit of the last place for each slot, and for each link of the chain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from heapq import heappop, heappush
from math import ceil, floor

from verification.certificate.check.numbers.bounds import Bounds
from verification.certificate.check.numbers.lattices import largest_common_divisor
from verification.certificate.check.outcome import Budget, Refused

MOST_PLACES = 600
_BITS = 64
_SLOT_BYTES = 17
_KEPT = b"\xff" * 8 + b"\x03" + b"\x00" * 8
"""The low 66 bits of a slot of 136; the rest, after a step, are of its neighbour."""
_SLOT = 8 * _SLOT_BYTES
_MOST_SLOTS = 10_000_000
"""So many, of all states together, are some hundred megabytes."""
_ONE = 1 << _BITS

Rows = Sequence[Sequence[tuple[int, Fraction]]]
Values = tuple[Fraction, ...]


@dataclass(frozen=True)
class Walk:
    """Sums ``S_k = v_0(xi_0) + .. + v_{k-1}(xi_{k-1})`` along a chain from one start.

    Parameters
    ----------
    rows : sequence
        The chain's links, in every row once each.
    values : sequence of tuple of Fraction
        The functions ``v_k``.
    start : int
    """

    rows: Rows
    values: Sequence[Values]
    start: int

    def farthest(self) -> Fraction:
        """Bound ``|S_k|``."""
        return sum((max(map(abs, values)) for values in self.values), Fraction(0))


def rounded(walk: Walk, unit: Fraction, budget: Budget) -> tuple[Walk, Fraction]:
    """Return a walk with steps between states of a coarser lattice, and how far off its sums are.

    Where the differences between states are multiples of as large a unit already, nothing is done.
    """
    off, nearest, distinct = Fraction(0), {}, set(walk.values)
    if _unit_between(list(distinct), budget) >= unit:
        return walk, off
    for values in distinct:
        base = min(values)
        nearest[values] = tuple(base + round((x - base) / unit) * unit for x in values)
    for values in walk.values:
        off += max(abs(x - y) for x, y in zip(values, nearest[values], strict=True))
    return Walk(walk.rows, [nearest[values] for values in walk.values], walk.start), off


def _unit_between(functions: Sequence[Values], budget: Budget) -> Fraction:
    return largest_common_divisor([x - values[0] for values in functions for x in values], budget)


def mean_squared_maximum(
    walk: Walk, budget: Budget, tolerance: Fraction, enough: Callable[[Fraction], bool]
) -> Bounds:
    """Return bounds of ``E[M^2]``.

    Parameters
    ----------
    walk : Walk
    budget : Budget
    tolerance : Fraction
        The bounds are this near to each other, relative to the lower one, or the places looked at
        too many.
    enough : callable
        Whether an upper bound is low enough; if not, more places are looked at.
    """
    step = largest_common_divisor([x for values in set(walk.values) for x in values], budget)
    reaching = _Reaching(walk, budget, step)
    last = floor(walk.farthest() / step) + 1
    intervals: list[tuple[int, int, int, int, int]] = []
    lower = upper = exact = 0

    def add(low: int, high: int, at_low: tuple[int, int], at_high: tuple[int, int]) -> None:
        """Take a sum over low < m <= high into account, from what is known at both ends."""
        nonlocal lower, upper, exact
        weight = high * high - low * low
        bottom = at_high[0] * weight
        # The chance to reach the next place alone is that of the upper end.
        top = (at_high[1] if high == low + 1 else at_low[1]) * weight
        lower, upper = lower + bottom, upper + top
        if high > low + 1:
            heappush(intervals, (bottom - top, low, high, bottom, top))

    known = {0: (_ONE, _ONE), last: (0, 0)}
    add(0, last, known[0], known[last])
    scale = step * step / _ONE
    for _ in range(MOST_PLACES):
        near = upper - lower <= tolerance * lower
        if not intervals or (near and enough(upper * scale)):
            break
        _, low, high, bottom, top = heappop(intervals)
        lower, upper = lower - bottom, upper - top
        middle = (low + high) // 2
        known[middle] = reaching.chance(middle)
        add(low, middle, known[low], known[middle])
        add(middle, high, known[middle], known[high])
    return Bounds(lower * scale, upper * scale)


class _Reaching:
    """How probable it is that M reaches a multiple of a step."""

    def __init__(self, walk: Walk, budget: Budget, step: Fraction) -> None:
        self._budget = budget
        self._step = step
        self._start = walk.start
        self._links = [
            [(j, (p.numerator << _BITS) // p.denominator) for j, p in r] for r in walk.rows
        ]
        distinct = list(dict.fromkeys(walk.values))
        self._unit = _unit_between(distinct, budget)
        places = {
            values: (min(values), [int((x - min(values)) / self._unit) for x in values])
            for values in distinct
        }
        self._moves = [places[values] for values in walk.values]
        self._most = 1 + sum(max(where) for _, where in self._moves)

    def chance(self, multiple: int) -> tuple[int, int]:
        """Return bounds of ``2^64 P(M >= m g)``."""
        barrier = multiple * self._step
        slots = min(ceil(2 * barrier / self._unit) + 1, self._most)
        n_links = sum(map(len, self._links))
        self._budget.spend((n_links + 2 * len(self._links)) * len(self._moves) * slots // 16 + 1)
        if slots * len(self._links) > _MOST_SLOTS:
            raise Refused("the largest sum along the chain takes too many values")
        kept = int.from_bytes(_KEPT * slots, "little")
        masses = [0] * len(self._links)
        masses[self._start] = _ONE
        # The sum of slot 0, and how many slots there are.
        origin, width = Fraction(0), 1
        for lowest, places in self._moves:
            following = [0] * len(masses)
            moved = origin + lowest
            first = max(floor((-barrier - moved) / self._unit) + 1, 0)
            last = min(ceil((barrier - moved) / self._unit) - 1, width - 1 + max(places))
            inside = (1 << (max(last - first + 1, 0) * _SLOT)) - 1
            for mass, place, row in zip(masses, places, self._links, strict=True):
                if mass:
                    shift = (place - first) * _SLOT
                    left = (mass << shift if shift >= 0 else mass >> -shift) & inside
                    for j, p in row:
                        following[j] += p * left
            masses = [(mass >> _BITS) & kept for mass in following]
            origin, width = moved + first * self._unit, max(last - first + 1, 1)
        text = sum(masses).to_bytes(_SLOT_BYTES * slots, "little")
        left = sum(
            int.from_bytes(text[k : k + _SLOT_BYTES], "little")
            for k in range(0, len(text), _SLOT_BYTES)
        )
        lost = len(self._moves) * (slots * len(masses) + n_links + 1)
        return max(_ONE - left - lost, 0), _ONE - left
