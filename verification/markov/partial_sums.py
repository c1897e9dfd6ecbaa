r"""The law of a sum ``f(xi_0) + ... + f(xi_{n-1})`` along a chain, for a rational function f.

f takes its values in a *lattice*: ``f(i) = origin + spacing m_i`` with integers ``m_i >= 0``, so
that the sum of n of them is ``n origin + spacing M_n`` with an integer M_n.  The laws
``L_k(i, m) = P_i(M_k = m)`` for every start i satisfy, by the first step of the chain,

    ``L_1(i, m) = 1{m = m_i}``,    ``L_{k+1}(i, m) = sum_j P_ij L_k(j, m - m_i)``.

**Error.**  These are sums of products of numbers >= 0, computed in doubles.  Write d for the
largest number of successors of a state.  In one step a term passes through the rounding of P_ij,
one product and fewer than d sums, so that ``L_n`` has a relative error of at most
``gamma((n - 1)(d + 1))`` (`verification.enclosure.doubles`), however small it is; and as P is
stochastic, an absolute error of at most ``2 n d 2**-1075`` from underflow besides, since the
factors ``1 + u`` of all steps together stay below 2.  The laws are computed times 2**1000, an exact
factor which moves that absolute error to about 1e-620: a tail is known to its leading digits
even where it is 1e-300, and it is summed, never taken as ``1 - P``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor, gcd, lcm
from typing import TYPE_CHECKING, TypeAlias

from verification.claim import Side
from verification.enclosure.balls import Between, Number, ball, end_points
from verification.enclosure.doubles import gamma, sum_bounds
from verification.errors import NotEnclosed
from verification.instance import Chain
from verification.markov.transitions import (
    SMALLEST_UNDERFLOW,
    blocks_of_states,
    rounded_transitions,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array: TypeAlias = npt.NDArray[np.float64]

MAX_OPERATIONS = 2 * 10**11
"""Products that one law may take: some ten seconds."""

MAX_ENTRIES = 2**25
"""Probabilities that one law may have, over all starts."""

_SCALE_BITS = 1_000


@dataclass(frozen=True, kw_only=True)
class Lattice:
    """The values of a function f of the state: ``f(i) = origin + spacing * positions[i]``.

    Parameters
    ----------
    origin : Fraction
        The least value.
    spacing : Fraction
        Positive, and the largest possible; 1 where f is constant.
    positions : tuple of int, shape (n_states,)
        The least of them is 0.
    """

    origin: Fraction
    spacing: Fraction
    positions: tuple[int, ...]

    @property
    def span(self) -> int:
        """The largest position."""
        return max(self.positions)


def lattice_of(observable: Sequence[Fraction]) -> Lattice:
    """Return the coarsest lattice that holds the values of a function, exactly."""
    origin = min(observable)
    denominator = lcm(*(value.denominator for value in observable))
    multiples = [int((value - origin) * denominator) for value in observable]
    divisor = gcd(*multiples)
    if not divisor:
        return Lattice(origin=origin, spacing=Fraction(1), positions=(0,) * len(multiples))
    return Lattice(
        origin=origin,
        spacing=Fraction(divisor, denominator),
        positions=tuple(multiple // divisor for multiple in multiples),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class SumLaw:
    """The law of ``f(xi_0) + ... + f(xi_{n-1})`` from every start.

    Parameters
    ----------
    lattice : Lattice
    steps : int
        The number n of terms.
    scaled : Array, shape (n_states, n * span + 1)
        Row i holds the law of M_n from start i, times 2**1000.
    relative, absolute : Fraction
        Bounds of the errors of an entry, the second at the same scale: it is
        ``exact (1 + t) + e`` with ``|t| <= relative``, ``|e| <= absolute``.
    """

    lattice: Lattice
    steps: int
    scaled: Array
    relative: Fraction
    absolute: Fraction

    def tail(self, *, start: int, about: Number, threshold: Number) -> Side:
        """Enclose ``P_start(|sum - about| >= threshold)``.

        Parameters
        ----------
        start : int
        about, threshold : Fraction or Ball
            A point of the lattice that balls leave undecided counts in the upper end only.

        Returns
        -------
        Fraction or Between
            Exactly 0 or 1 where no point of the lattice, or every one, is that far away.
        """
        # The event is M <= first or M >= last, each of the two known up to an interval.
        first = self._position(about, threshold, -1)
        last = self._position(about, threshold, 1)
        low_first, high_first = (floor(end) for end in first)
        low_last, high_last = (ceil(end) for end in last)
        lower, upper = self._mass(start, low_first, high_last)
        if (low_first, high_last) != (high_first, low_last):
            _, upper = self._mass(start, high_first, low_last)
        return lower if lower == upper else Between(ball(lower), ball(upper))

    def probability(self, start: int, position: int) -> Side:
        """Enclose ``P_start(sum = steps * origin + spacing * position)``."""
        lower, upper = self._bounds(self.scaled[start, position : position + 1])
        return Between(ball(lower), ball(upper))

    def _position(self, about: Number, threshold: Number, side: int) -> tuple[Fraction, Fraction]:
        offset, spacing = self.steps * self.lattice.origin, self.lattice.spacing
        if isinstance(about, Fraction) and isinstance(threshold, Fraction):
            exact = (about + side * threshold - offset) / spacing
            return exact, exact
        return end_points((ball(about) + side * ball(threshold) - ball(offset)) / ball(spacing))

    def _mass(self, start: int, first: int, last: int) -> tuple[Fraction, Fraction]:
        """Bound the probability of ``M <= first or M >= last``."""
        row = self.scaled[start]
        if last <= first + 1 or first >= len(row) - 1 or last <= 0:
            return Fraction(1), Fraction(1)
        below, above = row[: max(first + 1, 0)], row[last:]
        if not len(below) + len(above):
            return Fraction(0), Fraction(0)
        return self._bounds(below, above)

    def _bounds(self, *parts: Array) -> tuple[Fraction, Fraction]:
        values = [value for part in parts for value in part.tolist()]
        scale, underflow = 2**_SCALE_BITS, len(values) * self.absolute
        low, high = sum_bounds(values)
        lower = (low - underflow) / (1 + self.relative) / scale
        upper = (high + underflow) / (1 - self.relative) / scale
        return max(lower, Fraction(0)), min(upper, Fraction(1))


def sum_law(chain: Chain, observable: Sequence[Fraction], steps: int) -> SumLaw:
    """Return the law of ``f(xi_0) + ... + f(xi_{steps-1})`` from every start.

    The last two laws are kept.

    Parameters
    ----------
    chain : Chain
    observable : sequence of Fraction, shape (n_states,)
        The function f.
    steps : int
        At least 1.

    Raises
    ------
    NotEnclosed
        Where the lattice has too many points, or there are too many products.
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}, expected at least 1")
    return _sum_law(chain, tuple(observable), steps)


@lru_cache(maxsize=2)
def _sum_law(chain: Chain, observable: tuple[Fraction, ...], steps: int) -> SumLaw:
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    lattice, transitions = lattice_of(observable), rounded_transitions(chain)
    size, span = chain.n_states, lattice.span
    points = steps * span + 1
    if size * points > MAX_ENTRIES:
        raise NotEnclosed(
            f"the sum of {steps} values lies on a lattice of {points} points, for {size} states "
            f"more than {MAX_ENTRIES} together"
        )
    if transitions.work * points * steps > 2 * MAX_OPERATIONS:
        raise NotEnclosed(
            f"the law of the sum of {steps} values takes more than {MAX_OPERATIONS:.0e} products"
        )

    blocks, order = blocks_of_states(lattice.positions)
    matrix = transitions.matrix[order][:, order]
    # A block of states writes at its own offset and ever wider: what lies beside stays 0.
    law, following = np.zeros((2, size, points))
    law[np.arange(size), np.array(lattice.positions)[order]] = 2.0**_SCALE_BITS
    for k in range(1, steps):
        width = k * span + 1
        product = matrix @ law[:, :width]
        for states, position in blocks:
            following[states, position : position + width] = product[states]
        law, following = following, law
    scaled = np.empty_like(law)
    scaled[order] = law
    return SumLaw(
        lattice=lattice,
        steps=steps,
        scaled=scaled,
        relative=gamma((steps - 1) * (transitions.successors + 1)),
        absolute=2 * steps * transitions.successors * SMALLEST_UNDERFLOW,
    )


def sum_ranges(
    chain: Chain, observable: Sequence[Fraction], steps: int
) -> tuple[tuple[Fraction, Fraction], ...]:
    """Return the least and the largest possible sum of n = steps values, from every start.

    Raises
    ------
    NotEnclosed
        Where the lattice is so fine that its sums do not fit 64 bits.
    """
    return _sum_ranges(chain, tuple(observable), steps)


@lru_cache(maxsize=64)
def _sum_ranges(
    chain: Chain, observable: tuple[Fraction, ...], steps: int
) -> tuple[tuple[Fraction, Fraction], ...]:
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    lattice = lattice_of(observable)
    if steps * lattice.span >= 2**62:
        raise NotEnclosed(f"sums of {steps} values of the observable do not fit 64-bit integers")
    positions = np.array(lattice.positions, dtype=np.int64)
    successors = np.array([j for row in chain.rows for j, _ in row])
    firsts = np.cumsum([0, *(len(row) for row in chain.rows[:-1])])
    least = most = positions
    for _ in range(steps - 1):
        least = positions + np.minimum.reduceat(least[successors], firsts)
        most = positions + np.maximum.reduceat(most[successors], firsts)
    return tuple(
        (
            steps * lattice.origin + low * lattice.spacing,
            steps * lattice.origin + high * lattice.spacing,
        )
        for low, high in zip(least.tolist(), most.tolist(), strict=True)
    )


def tail_probability(
    chain: Chain,
    observable: Sequence[Fraction],
    *,
    start: int,
    steps: int,
    threshold: Number,
    centre: Number,
) -> Side:
    """Enclose ``P_start(|sum_{j<n} f(xi_j) - n centre| >= threshold)``, n = steps.

    One law (`sum_law`, where the errors are) serves every start, centre and threshold.

    Parameters
    ----------
    chain : Chain
    observable : sequence of Fraction, shape (n_states,)
        The function f.
    start, steps : int
    threshold, centre : Fraction or Ball

    Raises
    ------
    NotEnclosed
        Where the lattice has too many points, or there are too many products.
    """
    if isinstance(centre, Fraction):
        return sum_law(chain, observable, steps).tail(
            start=start, about=steps * centre, threshold=threshold
        )
    about = ball(steps) * centre
    return sum_law(chain, observable, steps).tail(start=start, about=about, threshold=threshold)
