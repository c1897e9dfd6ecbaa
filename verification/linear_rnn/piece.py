"""What is known of a summand of a function on [0, inf), and sums of such."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, TypeAlias

from verification.enclosure.balls import Ball, total


@dataclass(frozen=True)
class Expansion:
    """``f(m + x) = sum_k coefficients[k] x^k + e``, ``|e| <= remainder`` for all ``|x| <= r``."""

    coefficients: list[Ball]
    remainder: Ball


class Piece(Protocol):
    """One summand of a function on [0, inf)."""

    @property
    def jumps(self) -> tuple[Fraction, ...]:
        """Where it is not smooth; no expansion may reach across."""

    def expansion(self, centre: Fraction, radius: Fraction, order: int) -> Expansion:
        """Expand it about `centre` up to the power ``order - 1`` for ``|x| <= radius``."""

    def primitive(self, t: Fraction, times: int = 1) -> Ball:
        """Enclose its first primitive, the one that vanishes at infinity, or its second."""

    def tail(self, start: Fraction) -> Ball:
        """Bound the integral of its absolute value from `start` on."""


Function: TypeAlias = tuple[Piece, ...]
"""A sum of pieces; an empty one is zero."""


def added(expansions: Sequence[Expansion], order: int) -> Expansion:
    """Return the expansion of a sum."""
    if len(expansions) == 1:
        return expansions[0]
    return Expansion(
        [total(each.coefficients[k] for each in expansions) for k in range(order)],
        total(each.remainder for each in expansions),
    )
