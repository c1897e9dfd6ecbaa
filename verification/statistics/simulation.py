"""A number of which nothing but random draws is known.

This module holds what a claim says of such a number; `verification.statistics.sampling` makes the
draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from verification.enclosure.balls import Ball

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_CHUNK = 1_024
"""Number of draws in the first chunk, where the simulation allows as many."""


def _the_mean_itself(mean: Ball) -> Ball:
    return mean


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """The number ``g(E X)``, where X is a bounded variable that can be drawn.

    Parameters
    ----------
    draw : callable
        ``(generator, count) -> values``: `count` independent draws of X as an array of doubles of
        shape ``(count,)``, made from the `numpy.random.Generator` and from nothing else; a
        module-level function or an instance of a module-level class, so that it can be sent to
        another process.
    lower, upper : Fraction
        Bounds of X, with ``lower < upper``.  They hold for certain and need not be attained; the
        narrower they are, the fewer draws it takes.  What `draw` returns lies between the doubles
        next to them, outward.
    image : callable
        The increasing function g, from ball to ball, on the range widened by `error`; the mean
        itself where none is given.
    error : Fraction
        Proved upper bound of the distance between the mean of what `draw` returns and the mean
        that is meant: rounding, and random numbers of finite precision.
    most : int
        Number of draws after which the case is given up.
    chunk : int
        Largest number of draws that are asked for at a time; it bounds the memory that `draw`
        takes.
    """

    draw: Callable[[np.random.Generator, int], NDArray[np.float64]]
    lower: Fraction
    upper: Fraction
    image: Callable[[Ball], Ball] = _the_mean_itself
    error: Fraction = Fraction(0)
    most: int = 2**20
    chunk: int = 2**16

    def __post_init__(self) -> None:
        if not self.lower < self.upper:
            raise ValueError(f"the range is [{self.lower}, {self.upper}], expected lower < upper")
        if self.error < 0 or self.most < 1 or self.chunk < 1:
            raise ValueError("expected error >= 0, most >= 1 and chunk >= 1")
