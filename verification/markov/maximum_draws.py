r"""Draws of ``max_{k<=n} S_k^2`` along a chain, for what is too long to sum.

``S_k = sum_{j<k} (f_j(xi_j) - c_j)``, ``S_0 = 0``.  One draw walks one path from the start; draws
are independent.  Of the three places where a draw could be biased the first two are mostly exact:

* *Transitions.*  With a common denominator q of all probabilities, a uniform integer below q
  (numpy draws it without bias) falls into the integer cumulative sums of the row.  Where q times
  the number of states does not fit 62 bits, each row is rounded to a power of two; the two chains
  can be coupled so that their n - 1 transitions differ with a probability of at most n - 1 times
  the largest total variation between a row and its rounding, and a mean of values in [0, 1] moves
  by at most that probability.
* *Sums* are integers (`verification.markov.walk`): exact, or each within ``error``,
  and then ``|M^2 - M'^2| <= error (2 M' + error)``.
* *The value* ``(M / L)^2`` in [0, 1] is rounded: two conversions, a quotient and a product.

The sum of the three bounds is the bias of a draw; none grows with the number of draws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from math import lcm
from typing import TYPE_CHECKING, TypeAlias

from verification.enclosure.balls import Number
from verification.enclosure.doubles import gamma
from verification.instance import Chain, Row
from verification.markov.walk import Walk, walk

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array: TypeAlias = npt.NDArray[np.float64]
    Integers: TypeAlias = npt.NDArray[np.int64]

_KEY_BITS = 62
_BLOCK = 2**13
_BUCKETS_PER_BOUND = 8
_MOST_IN_A_BUCKET = 4
"""With more bounds in one bucket of keys a search by halves is faster."""


@dataclass(frozen=True, kw_only=True)
class MaximumDraws:
    """Independent draws of ``max_{k<=n} S_k^2 / scale^2``, each in [0, 1].

    Call it with a generator of numpy and a count.  Make it with `maximum_draws`.

    Parameters
    ----------
    start, steps : int
        The first state, and the number n.
    walk : Walk
    denominator : int
        What the probabilities are multiples of, but for their rounding.
    bounds : tuple of int
        ``i * denominator`` plus the cumulative sums of row i, for all rows in a row.
    successors : tuple of int
        The successor that belongs to each of the bounds.
    scale : Fraction
        A draw times its square is a square of a partial sum.
    bias : Fraction
        Bound of ``|E[draw] - E[max_{k<=n} S_k^2] / scale^2|``.
    """

    start: int
    steps: int
    walk: Walk
    denominator: int
    bounds: tuple[int, ...]
    successors: tuple[int, ...]
    scale: Fraction
    bias: Fraction

    def __call__(self, generator: np.random.Generator, count: int) -> Array:
        """Return `count` draws, shape (count,)."""
        import numpy as np  # noqa: PLC0415 - `theorems list` does without

        bounds = np.array(self.bounds, dtype=np.int64)
        successors = np.array(self.successors, dtype=np.int64)
        places_of = _search(bounds)
        rows = np.array(self.walk.rows, dtype=np.int64)
        largest = float(max(self.walk.reach(self.steps), 1))
        values = np.empty(count)
        for first in range(0, count, _BLOCK):
            part = values[first : first + _BLOCK]
            states = np.full(len(part), self.start)
            sums = np.zeros(len(part), dtype=np.int64)
            maxima = np.zeros(len(part), dtype=np.int64)
            for k in range(self.steps):
                if k:
                    keys = generator.integers(0, self.denominator, size=len(part))
                    keys += states * self.denominator
                    states = successors[places_of(keys)]
                sums += rows[min(k, len(rows) - 1)][states]
                np.maximum(maxima, np.abs(sums), out=maxima)
            np.divide(maxima, largest, out=part)
            part *= part
        return values


def _search(bounds: Integers) -> Callable[[Integers], Integers]:
    """Return what finds how many of increasing bounds, the last above all keys, a key is not below.

    Keys that share their leading bits start where the first of them would be, and are mostly there
    at once: a search by halves takes ten times as long among many bounds.
    """
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    def halving(keys: Integers) -> Integers:
        return np.searchsorted(bounds, keys, side="right")

    total, buckets = int(bounds[-1]), _BUCKETS_PER_BOUND * len(bounds)
    shift = max(total.bit_length() - buckets.bit_length(), 0)
    firsts = halving(np.arange((total >> shift) + 2, dtype=np.int64) << shift)
    most = int(np.diff(firsts).max())
    if most > _MOST_IN_A_BUCKET:
        return halving

    def stepping(keys: Integers) -> Integers:
        places: Integers = firsts[keys >> shift]
        for _ in range(most):
            places += bounds[places] <= keys
        return places

    return stepping


def maximum_draws(
    chain: Chain, observable: Sequence[Fraction], *, start: int, steps: int, centre: Number
) -> MaximumDraws:
    """Prepare draws of ``max_{k<=n} S_k^2``, n = steps, with the bound of their bias.

    Parameters
    ----------
    chain : Chain
    observable : sequence of Fraction, shape (n_states,)
        The function f.
    start : int
    steps : int
        At least 0.
    centre : Fraction or Ball
        The number c in ``S_k = sum_{j<k} (f(xi_j) - c)``.

    Raises
    ------
    NotEnclosed
        Where the lattice of f is so fine that its sums do not fit 64 bits.
    """
    return walk_maximum_draws(
        chain, walk(observable, steps, centre=centre), start=start, steps=steps
    )


def walk_maximum_draws(chain: Chain, walked: Walk, *, start: int, steps: int) -> MaximumDraws:
    """Prepare draws of the same maximum for any walk along the chain, moving or not."""
    denominator = lcm(*(p.denominator for row in chain.rows for _, p in row))
    if (denominator * chain.n_states).bit_length() > _KEY_BITS:
        denominator = 2 ** (_KEY_BITS - chain.n_states.bit_length())
    bounds = [
        i * denominator + end
        for i, row in enumerate(chain.rows)
        for end in _cumulative(row, denominator)
    ]
    largest = max(walked.reach(steps), 1)
    slack = walked.error / walked.unit / largest
    transitions = max(_total_variation(row, denominator) for row in chain.rows)
    return MaximumDraws(
        start=start,
        steps=steps,
        walk=walked,
        denominator=denominator,
        bounds=tuple(bounds),
        successors=tuple(j for row in chain.rows for j, _ in row),
        scale=walked.unit * largest,
        bias=max(steps - 1, 0) * transitions + slack * (2 + slack) + gamma(7),
    )


def _cumulative(row: Row, denominator: int) -> list[int]:
    """Return the cumulative sums of a row times the denominator, rounded; the last is exact."""
    return [round(total * denominator) for total in accumulate(p for _, p in row)]


def _total_variation(row: Row, denominator: int) -> Fraction:
    """Return the total variation between a row and its rounding."""
    ends = [0, *_cumulative(row, denominator)]
    differences = (
        abs(p - Fraction(high - low, denominator))
        for (_, p), low, high in zip(row, ends, ends[1:], strict=False)
    )
    return sum(differences, Fraction(0)) / 2
