"""What a check can end in, and how much work a file may ask for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

MAX_WORK = 100_000_000


class Refused(Exception):  # noqa: N818 - an outcome
    """The file is not a certificate that can be read within the limits."""


class Invalid(Exception):  # noqa: N818 - an outcome
    """The certificate does not show what it says."""


class Unsupported(Exception):  # noqa: N818 - an outcome
    """The certificate is of a claim or kind that this checker does not know."""


def require(holds: bool, what: str) -> None:
    """Verify an assumption: Invalid where it is not shown."""
    if not holds:
        raise Invalid(f"assumption: {what} is not shown")


@dataclass
class Budget:
    """How much work is left; a file that asks for more is refused, whatever it says.

    Units are about a multiplication of short numbers; no clock is read, so that a file is refused
    everywhere or nowhere.
    """

    left: int = MAX_WORK

    def spend(self, operations: int, bits: int = 64) -> None:
        """Count operations on numbers of so many bits.

        Raises
        ------
        Refused
            Where that is more than what is left.
        """
        self.left -= operations * (1 + bits // 256)
        if self.left < 0:
            raise Refused(f"asks for more than {MAX_WORK} operations")


def longest(values: Iterable[Fraction]) -> int:
    """Return the bits of the longest of exact numbers: what arithmetic with them is charged by."""
    return max((x.numerator.bit_length() + x.denominator.bit_length() for x in values), default=0)
