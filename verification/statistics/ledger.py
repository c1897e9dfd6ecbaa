"""The error level of a whole run, shared between the decisions that rest on random draws.

Each of them errs with at most the probability that it was given; the probability that any errs is
at most their sum (Bonferroni), whatever they have in common.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING
from fractions import Fraction

from verification.verdict import divide

RUN_LEVEL = Fraction(1, 10**6)
"""Largest probability with which anything that a run says of random draws is wrong."""


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """An error level and the number of decisions that share it evenly.

    Parameters
    ----------
    decisions : int
        Number of decisions that may rest on random draws.
    total : Fraction
        Error level of all of them together.
    """

    decisions: int
    total: Fraction = RUN_LEVEL

    @property
    def share(self) -> Fraction:
        """Error level of one decision."""
        return self.total / max(self.decisions, 1)


def level_text(level: Fraction) -> str:
    """Return an error level as a decimal text of at most three digits, rounded up."""
    rounded = divide(level.numerator, level.denominator, 3, ROUND_CEILING)
    return f"{rounded.normalize():e}"
