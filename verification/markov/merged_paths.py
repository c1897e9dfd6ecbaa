r"""The mean square of a path's largest partial sum, exactly, where few sums are possible.

Paths from one start that agree in their state, their sum S_k and ``max_{l<=k} |S_l|`` are merged:
what follows has the same law.  For a few steps, a deterministic chain, or sums that keep returning
to few values the merged paths stay few, and the mean is a rational number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from math import lcm

from verification.instance import Chain

MAX_TRANSITIONS = 50_000
"""Transitions of merged paths that are followed, altogether: a tenth of a second."""


def exact_squared_maximum_mean(
    chain: Chain, observable: Sequence[Fraction], *, start: int, steps: int, centre: Fraction
) -> Fraction | None:
    """Return ``E_start[max_{k<=n} S_k^2]``, ``S_k = sum_{j<k} (f(xi_j) - c)``, n = steps.

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
    Fraction or None
        None where more than `MAX_TRANSITIONS` would have to be followed.
    """
    if not steps:
        return Fraction(0)
    denominator = lcm(centre.denominator, *(value.denominator for value in observable))
    moves = [int((value - centre) * denominator) for value in observable]
    shared = lcm(*(p.denominator for row in chain.rows for _, p in row))
    weighted = [[(j, int(p * shared)) for j, p in row] for row in chain.rows]
    # Probabilities times shared^k, in integers.
    merged = {(start, moves[start], abs(moves[start])): 1}
    followed = 0
    for _ in range(steps - 1):
        following: dict[tuple[int, int, int], int] = defaultdict(int)
        for (i, total, largest), weight in merged.items():
            followed += len(weighted[i])
            for j, share in weighted[i]:
                reached = total + moves[j]
                following[j, reached, max(largest, abs(reached))] += weight * share
        if followed > MAX_TRANSITIONS:
            return None
        merged = following
    squares = sum(weight * largest**2 for (_, _, largest), weight in merged.items())
    return Fraction(squares, shared ** (steps - 1) * denominator**2)
