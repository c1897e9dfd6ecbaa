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
from functools import lru_cache
from math import lcm

from verification.instance import Chain
from verification.markov.walk import Walk

MAX_TRANSITIONS = 30_000
"""Transitions of merged paths that are followed, altogether: less than a tenth of a second."""

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
    for bits in NEGLIGIBLE_BITS:
        found = _followed(weighted, moves, start, shared=shared, bits=bits)
        if found is not None:
            return found[0] * unit**2, found[1] * unit**2
    return None


def _followed(
    weighted: Sequence[Sequence[tuple[int, int]]],
    moves: Sequence[Sequence[int]],
    start: int,
    *,
    shared: int,
    bits: int,
) -> tuple[Fraction, Fraction] | None:
    """Bound the mean for integer moves and probabilities in parts of `shared`."""
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
        if followed > MAX_TRANSITIONS:
            return None
        unit *= shared
        least = unit >> bits
        lost = sum(weight for weight in following.values() if weight < least)
        given_up += Fraction(lost, unit)
        merged = {path: weight for path, weight in following.items() if weight >= least}
    squares = sum(weight * largest**2 for (_, _, largest), weight in merged.items())
    low = Fraction(squares, unit)
    return low, low + given_up * sum(max(map(abs, move)) for move in moves) ** 2
