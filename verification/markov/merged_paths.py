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
from fractions import Fraction
from functools import lru_cache, partial
from math import lcm

from verification.instance import Chain
from verification.markov.walk import Walk

MAX_TRANSITIONS = 30_000
"""Transitions of merged paths that are followed, altogether: less than a tenth of a second."""

_FIRST_SHARE = 10
"""Of the transitions allowed one in so many is followed before it is asked how many there are."""

_ROUNDING = 2.0**-20
"""Far above what `3 * MAX_TRANSITIONS` roundings of doubles can do."""

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
    found = follow(bits=NEGLIGIBLE_BITS[0], most=MAX_TRANSITIONS // _FIRST_SHARE)
    if found is None:
        fine, coarse = NEGLIGIBLE_BITS
        too_many = _are_too_many(weighted, moves, start, shared=shared, bits=coarse)
        # Where the fewest are too many already, so are more.
        found = None if too_many else follow(bits=coarse, most=MAX_TRANSITIONS)
        if found is not None:
            found = follow(bits=fine, most=MAX_TRANSITIONS) or found
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
    # Probabilities times shared^k, in integers.
    merged = {(start, moves[0][start], abs(moves[0][start])): 1}
    followed, unit, given_up = 0, 1, Fraction(0)
    for move in moves[1:]:
        following: dict[tuple[int, int, int], int] = defaultdict(int)
        for (i, total, largest), weight in merged.items():
            followed += len(weighted[i])
            for j, share in weighted[i]:
                reached = total + move[j]
                following[j, reached, max(largest, abs(reached))] += weight * share
        if followed > most:
            return None
        unit *= shared
        least = unit >> bits
        lost = sum(weight for weight in following.values() if weight < least)
        given_up += Fraction(lost, unit)
        merged = {path: weight for path, weight in following.items() if weight >= least}
    squares = sum(weight * largest**2 for (_, _, largest), weight in merged.items())
    low = Fraction(squares, unit)
    return low, low + given_up * sum(max(map(abs, move)) for move in moves) ** 2


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

    size = len(weighted)
    reach = sum(max(map(abs, move)) for move in moves)
    if (2 * reach + 1) * (reach + 1) * size >= 2**62:
        return False
    counts = np.array([len(row) for row in weighted])
    firsts = np.concatenate(([0], np.cumsum(counts)))
    successors = np.array([j for row in weighted for j, _ in row])
    shares = np.array([share / shared for row in weighted for _, share in row])
    least = 2.0**-bits * (1 + _ROUNDING)
    states, totals = np.array([start]), np.array([moves[0][start]])
    largest, weights = abs(totals), np.array([1.0])
    followed = 0
    for move in moves[1:]:
        ways = counts[states]
        followed += int(ways.sum())
        if followed > MAX_TRANSITIONS:
            return True
        origin = np.repeat(np.arange(len(states)), ways)
        # The place of each way among those of its state.
        nth = np.arange(len(origin)) - np.repeat(np.cumsum(ways) - ways, ways)
        edges = firsts[states[origin]] + nth
        reached = successors[edges]
        sums = totals[origin] + np.array(move)[reached]
        keys = ((sums + reach) * (reach + 1) + np.maximum(largest[origin], abs(sums))) * size
        merged, place = np.unique(keys + reached, return_inverse=True)
        summed = np.bincount(place, weights[origin] * shares[edges])
        merged, weights = merged[summed >= least], summed[summed >= least]
        merged, states = np.divmod(merged, size)
        totals, largest = np.divmod(merged, reach + 1)
        totals = totals - reach
    return False
