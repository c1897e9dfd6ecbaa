r"""The mean square of a path's largest partial sum, where few sums are likely.

Paths from one start that agree in their state, their sum S_k and ``max_{l<=k} |S_l|`` are merged:
what follows has the same law.  Merged paths of a tiny probability are given up; all that they could
add is ``(sum_k max|f_k - c_k|)^2`` times their probability.  For a few steps, a deterministic or
nearly deterministic chain, or sums that keep returning to few values the paths stay few, and the
mean is a rational number, or lies between two that are next to each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache, partial
from math import lcm
from typing import TYPE_CHECKING, Any, TypeAlias

from verification.instance import Chain
from verification.markov.walk import Walk

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Integers: TypeAlias = npt.NDArray[np.int64]
    Weights: TypeAlias = npt.NDArray[Any]

Merged: TypeAlias = dict[tuple[int, int, int], int]

MAX_TRANSITIONS = 30_000
"""Transitions of merged paths that are followed, altogether: less than a tenth of a second."""

_FIRST_SHARE = 10
"""Of the transitions allowed one in so many is followed before it is asked how many there are."""

_ROUNDING = 2.0**-20
"""Far above what `3 * MAX_TRANSITIONS` roundings of doubles can do."""

_FEW_WAYS = 64
"""So few transitions at a time are followed one by one, which is faster than in arrays."""

_LONG = 2**63
"""Integers from here on do not fit 64 bits."""

MAX_BITS = 20_000
"""Bits of the common denominator of the paths' probabilities, at most."""

NEGLIGIBLE_BITS = (60, 36)
"""Merged paths of a probability below 2**-60 are given up, or where too many are left 2**-36."""


def squared_maximum_bounds(
    chain: Chain, observable: Sequence[Fraction], *, start: int, steps: int, centre: Fraction
) -> tuple[Fraction, Fraction] | None:
    """Bound ``E_start[max_{k<=n} S_k^2]``, ``S_k = sum_{j<k} (f(xi_j) - c)``, n = steps.

    Parameters
    ----------
    chain : Chain
    observable : sequence of Fraction, shape (n_states,)
        The function f.
    start, steps : int
    centre : Fraction
        The number c.

    Returns
    -------
    tuple of Fraction or None
        A lower and an upper bound, equal where no path was given up; None where more than
        `MAX_TRANSITIONS` would have to be followed.
    """
    return _bounds(chain, tuple(observable), start, steps, centre=centre)


@lru_cache(maxsize=256)
def _bounds(
    chain: Chain, observable: tuple[Fraction, ...], start: int, steps: int, *, centre: Fraction
) -> tuple[Fraction, Fraction] | None:
    if not steps:
        return Fraction(0), Fraction(0)
    denominator = lcm(centre.denominator, *(value.denominator for value in observable))
    moves = [int((value - centre) * denominator) for value in observable]
    return _bounds_of_moves(chain, [moves] * steps, start, Fraction(1, denominator))


def walk_maximum_bounds(
    chain: Chain, walked: Walk, *, start: int, steps: int
) -> tuple[Fraction, Fraction] | None:
    """Bound the same mean for a walk along the chain that is exact, moving or not.

    Raises
    ------
    ValueError
        Where the walk has an error.
    """
    if walked.error:
        raise ValueError(f"the walk has an error of {walked.error}, expected none")
    return _bounds_of_moves(chain, [walked.row(k) for k in range(steps)], start, walked.unit)


def _bounds_of_moves(
    chain: Chain, moves: Sequence[Sequence[int]], start: int, unit: Fraction
) -> tuple[Fraction, Fraction] | None:
    """Bound the mean for the integers by which a sum moves at each time, in units."""
    steps = len(moves)
    shared = lcm(*(p.denominator for row in chain.rows for _, p in row))
    weighted = [[(j, int(p * shared)) for j, p in row] for row in chain.rows]
    if steps * shared.bit_length() > MAX_BITS:
        return None
    follow = partial(_followed, weighted, moves, start, shared=shared)
    fine, coarse = NEGLIGIBLE_BITS
    found = follow(bits=fine, most=MAX_TRANSITIONS // _FIRST_SHARE)
    # Where the fewest are too many already, so are more.
    if found is None and not _are_too_many(weighted, moves, start, shared=shared, bits=coarse):
        found = follow(bits=fine, most=MAX_TRANSITIONS) or follow(bits=coarse, most=MAX_TRANSITIONS)
    return None if found is None else (found[0] * unit**2, found[1] * unit**2)


def _followed(
    weighted: Sequence[Sequence[tuple[int, int]]],
    moves: Sequence[Sequence[int]],
    start: int,
    *,
    shared: int,
    bits: int,
    most: int,
) -> tuple[Fraction, Fraction] | None:
    """Bound the mean for integer moves and probabilities in parts of `shared`.

    None where more than `most` transitions would have to be followed.
    """
    edges = _Edges.of(weighted)
    reach = sum(max(map(abs, move)) for move in moves)
    # Probabilities times shared^k, in integers: of a few paths in a mapping, of many in arrays.
    few: Merged = {(start, moves[0][start], abs(moves[0][start])): 1}
    many: _Paths | None = None
    followed, unit, given_up = 0, 1, 0
    for move in moves[1:]:
        if many is None:
            ways = sum(len(weighted[i]) for i, _, _ in few)
        else:
            ways = int(edges.counts[many.states].sum())
        followed += ways
        if followed > most:
            return None
        if reach < _LONG and many is None and ways > _FEW_WAYS:
            many = _Paths.of(few, unit)
        elif many is not None and ways <= _FEW_WAYS:
            few, many = many.merged(), None
        unit *= shared
        if many is None:
            few = _next(few, weighted, move)
            few, lost = _likely(few, unit >> bits)
        else:
            many = edges.step(many, move, edges.whole_shares(unit))
            many, lost = many.likely(unit >> bits)
        given_up = given_up * shared + lost
    if many is not None:
        few = many.merged()
    squares = sum(weight * largest**2 for (_, _, largest), weight in few.items())
    low = Fraction(squares, unit)
    return low, low + Fraction(given_up, unit) * reach**2


def _next(
    merged: Merged, weighted: Sequence[Sequence[tuple[int, int]]], move: Sequence[int]
) -> Merged:
    """Follow a few paths for one step."""
    following: Merged = defaultdict(int)
    for (i, total, largest), weight in merged.items():
        for j, share in weighted[i]:
            reached = total + move[j]
            following[j, reached, max(largest, abs(reached))] += weight * share
    return following


def _likely(merged: Merged, least: int) -> tuple[Merged, int]:
    """Return the paths of at least so much weight, and the weight of the others."""
    lost = sum(weight for weight in merged.values() if weight < least)
    return {path: weight for path, weight in merged.items() if weight >= least}, lost


def _are_too_many(
    weighted: Sequence[Sequence[tuple[int, int]]],
    moves: Sequence[Sequence[int]],
    start: int,
    *,
    shared: int,
    bits: int,
) -> bool:
    """Tell whether certainly more than `MAX_TRANSITIONS` would have to be followed.

    The same paths are followed in doubles, which is faster, and a little more of them is given up
    than rounding can hide.  What is followed here is then part of what `_followed` follows.
    """
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    edges = _Edges.of(weighted)
    reach = sum(max(map(abs, move)) for move in moves)
    if reach >= _LONG:
        return False
    shares = np.array([share / shared for row in weighted for _, share in row])
    least = 2.0**-bits * (1 + _ROUNDING)
    paths = _Paths.of({(start, moves[0][start], abs(moves[0][start])): 1}, 1)
    followed = 0
    for move in moves[1:]:
        ways = int(edges.counts[paths.states].sum())
        followed += ways
        if followed > MAX_TRANSITIONS or not ways:
            break
        paths = edges.step(paths, move, shares)
        paths, _ = paths.likely(least)
    return followed > MAX_TRANSITIONS


@dataclass(frozen=True, kw_only=True, eq=False)
class _Paths:
    """Merged paths: states, sums, largest absolute sums so far, and weights, shape (n_paths,).

    The weights are doubles, or integers: 64-bit ones or, where they may be longer, Python's.
    """

    states: Integers
    totals: Integers
    largest: Integers
    weights: Weights

    @staticmethod
    def of(merged: Merged, unit: int) -> _Paths:
        """Return paths from a mapping; the weights are integers that sum to at most `unit`."""
        import numpy as np  # noqa: PLC0415 - `theorems list` does without

        states, totals, largest = np.array(list(merged), dtype=np.int64).T
        weights = np.array(list(merged.values()), dtype=np.int64 if unit < _LONG else object)
        return _Paths(states=states, totals=totals, largest=largest, weights=weights)

    def merged(self) -> Merged:
        """Return a mapping."""
        columns = (self.states, self.totals, self.largest)
        places = zip(*(column.tolist() for column in columns), strict=True)
        return dict(zip(places, self.weights.tolist(), strict=True))

    def likely(self, least: float) -> tuple[_Paths, int]:
        """Return the paths of at least so much weight, and the weight of the others."""
        is_likely = self.weights >= least
        if is_likely.all():
            return self, 0
        kept = _Paths(
            states=self.states[is_likely],
            totals=self.totals[is_likely],
            largest=self.largest[is_likely],
            weights=self.weights[is_likely],
        )
        return kept, int(self.weights[~is_likely].sum())


@dataclass(frozen=True, kw_only=True, eq=False)
class _Edges:
    """The transitions of a chain, state by state.

    Parameters
    ----------
    counts, firsts : ndarray of int, shape (n_states,)
        How many a state has, and the first of them.
    successors : ndarray of int, shape (n_transitions,)
    shares : list of int, shape (n_transitions,)
        Their probabilities, times a number that makes them integers.
    """

    counts: Integers
    firsts: Integers
    successors: Integers
    shares: Sequence[int]

    @staticmethod
    def of(weighted: Sequence[Sequence[tuple[int, int]]]) -> _Edges:
        """Return the transitions of which each state's list has the successors and shares."""
        import numpy as np  # noqa: PLC0415 - `theorems list` does without

        counts = np.array([len(row) for row in weighted])
        return _Edges(
            counts=counts,
            firsts=np.cumsum(counts) - counts,
            successors=np.array([j for row in weighted for j, _ in row]),
            shares=[share for row in weighted for _, share in row],
        )

    def whole_shares(self, unit: int) -> Weights:
        """Return the shares as an array, for a step after which all weights sum to `unit`."""
        return self._short_shares if unit < _LONG else self._long_shares

    @cached_property
    def _short_shares(self) -> Integers:
        import numpy as np  # noqa: PLC0415 - `theorems list` does without

        return np.array(self.shares, dtype=np.int64)

    @cached_property
    def _long_shares(self) -> Weights:
        import numpy as np  # noqa: PLC0415 - `theorems list` does without

        return np.array(self.shares, dtype=object)

    def step(self, paths: _Paths, move: Sequence[int], shares: Weights) -> _Paths:
        """Follow paths for one step, where the sum moves by integers, and merge them."""
        import numpy as np  # noqa: PLC0415 - `theorems list` does without

        ways = self.counts[paths.states]
        origin = np.repeat(np.arange(len(ways)), ways)
        # The place of each way among those of its state, after the state's first.
        before = self.firsts[paths.states] - (np.cumsum(ways) - ways)
        edges = np.arange(len(origin)) + before[origin]
        states = self.successors[edges]
        totals = paths.totals[origin] + np.array(move)[states]
        largest = np.maximum(paths.largest[origin], np.abs(totals))
        order, firsts = _grouped(states, totals, largest)
        weights = (paths.weights[origin] * shares[edges])[order]
        chosen = order[firsts]
        return _Paths(
            states=states[chosen],
            totals=totals[chosen],
            largest=largest[chosen],
            weights=np.add.reduceat(weights, firsts),
        )


def _grouped(states: Integers, totals: Integers, largest: Integers) -> tuple[Integers, Integers]:
    """Order paths so that equal ones are neighbours: the order, and where each group begins."""
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    size, least, reach = int(states.max()) + 1, int(totals.min()), int(largest.max()) + 1
    if (int(totals.max()) - least + 1) * reach * size < _LONG:
        # One integer tells them apart.
        keys = ((totals - least) * reach + largest) * size + states
        order = np.argsort(keys)
        keys = keys[order]
        differ = keys[1:] != keys[:-1]
    else:
        order = np.lexsort((states, totals, largest))
        differ = np.zeros(len(order) - 1, dtype=bool)
        for column in (states, totals, largest):
            differ |= column[order[1:]] != column[order[:-1]]
    return order, np.flatnonzero(np.concatenate(([True], differ)))
