r"""The law of ``S_n = f(xi_0) + .. + f(xi_{n-1})`` from one start, on the lattice of its values.

With ``f = low + unit k`` the sum is ``n low + unit K``, K an integer.  Of each state the
probabilities of all K stand in one long integer, a slot for each: a step multiplies and adds such
integers, and cuts every slot to `_BITS` binary places, all at once.  Everything is rounded down, so
that what is missing from a total of 1 is all that any probability can lack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from verification.certificate.check.markov.chains import Chain, Vector
from verification.certificate.check.numbers.bounds import Bounds
from verification.certificate.check.numbers.lattices import largest_common_divisor
from verification.certificate.check.outcome import Budget, Refused

_BITS = 96
_SLOT_BYTES = 25
_MOST_SLOTS = 10_000_000
"""So many, of all states together, are some hundred megabytes."""
_KEPT = b"\xff" * 12 + b"\x03" + b"\x00" * 12
"""The low 98 bits of a slot of 200: a sum of numbers below 2^96; the rest are of its neighbour."""


@dataclass(frozen=True)
class SumLaw:
    """Probabilities of ``base + unit K``, K = 0, 1, .., from below; `missing` is left over."""

    base: Fraction
    unit: Fraction
    probabilities: Sequence[int]
    missing: int

    def beyond(self, centre: Bounds, threshold: Bounds) -> Bounds:
        """Return the probability that the sum is no nearer to a number than a threshold > 0."""
        sure = self._outside(centre.lower - threshold.upper, centre.upper + threshold.upper)
        possible = self._outside(centre.upper - threshold.lower, centre.lower + threshold.lower)
        most = min(possible + self.missing, 1 << _BITS)
        return Bounds(Fraction(sure, 1 << _BITS), Fraction(most, 1 << _BITS))

    def _outside(self, low: Fraction, high: Fraction) -> int:
        """Sum up what is at most `low` or at least `high`."""
        last = max(floor((low - self.base) / self.unit) + 1, 0)
        first = max(ceil((high - self.base) / self.unit), last)
        return sum(self.probabilities[:last]) + sum(self.probabilities[first:])


def lattice(values: Vector, budget: Budget) -> tuple[Fraction, Fraction, list[int]]:
    """Return low, unit and k of ``f = low + unit k``; the unit of a constant is 1."""
    low = min(values)
    unit = largest_common_divisor([value - low for value in values], budget)
    return low, unit, [int((value - low) / unit) for value in values]


def law_of_sum(chain: Chain, values: Vector, start: int, steps: int) -> SumLaw:
    """Return the law of ``S_n``.

    Raises
    ------
    Refused
        Where that is too much work.
    """
    low, unit, places = lattice(values, chain.budget)
    span = max(places)
    links = [
        [(j, (p.numerator << _BITS) // p.denominator) for j, p in row]
        for row in chain.instance.rows
    ]
    n_links = sum(map(len, links))
    chain.budget.spend((n_links + chain.size) * steps * (steps * span + 2) // 8)
    if (steps * span + 1) * chain.size > _MOST_SLOTS:
        raise Refused("a sum along the chain takes too many values")
    slot, kept = 8 * _SLOT_BYTES, int.from_bytes(_KEPT * (steps * span + 1), "little")
    masses = [0] * chain.size
    masses[start] = 1 << _BITS
    for _ in range(steps - 1):
        following = [0] * chain.size
        for mass, place, row in zip(masses, places, links, strict=True):
            if mass:
                shifted = mass << (place * slot)
                for j, p in row:
                    following[j] += p * shifted
        masses = [(mass >> _BITS) & kept for mass in following]
    total = sum(mass << (place * slot) for mass, place in zip(masses, places, strict=True))
    text = total.to_bytes(_SLOT_BYTES * (steps * span + 1), "little")
    probabilities = [
        int.from_bytes(text[k : k + _SLOT_BYTES], "little")
        for k in range(0, len(text), _SLOT_BYTES)
    ]
    return SumLaw(steps * low, unit, probabilities, (1 << _BITS) - sum(probabilities))
