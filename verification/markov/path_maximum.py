r"""The mean square of a path's largest partial sum, ``E_i[max_{k<=n} S_k^2]``.

``S_k = sum_{j<k} (f(xi_j) - c)`` along a chain, ``S_0 = 0``.  It is a walk on the integers
(`verification.markov.walk`): ``S_k = unit T_k``, ``T_k = k low + gap B_k`` with B_k >= 0.  For a
level l,

    ``U_k(i, b) = P(max_{k<j<=n} |T_j| > l  |  xi_k = i, B_k = b)``

is 1 where the step from k leads beyond the level, else ``sum_j P_ij U_{k+1}(j, b')``, b' the new
position: products and sums of numbers >= 0, for all starts and many levels at once, over the band
``|T_k| <= l`` only.  They are computed in doubles, with a relative error of at most
``gamma((n - 1)(d + 1))`` and an absolute one of ``2 n d 2**-1075``, as in
`verification.markov.partial_sums`, d the largest number of successors.

With ``M = max_k |T_k|``, an integer, and levels ``0 <= l_1 < l_2 < ... < l_K``, the event
``l_j < M <= l_{j+1}`` means ``l_j + 1 <= M <= l_{j+1}``, where ``l_{K+1}`` bounds M surely, so that

    ``sum_j [(l_j + 1)^2 - (l_{j-1} + 1)^2] P(M > l_j)  <=  E[M^2]
    <=  l_1^2 + sum_j (l_{j+1}^2 - l_j^2) P(M > l_j)``

(in the first term ``l_0 + 1`` is 0).  Where every integer is a level the two sides agree: the mean
is known up to rounding.  Else they enclose it to some per cent; levels chosen by an estimate make
that narrow, and cannot make it wrong.  Where even a few levels are too many, because f takes values
on a fine lattice, they are rounded to a coarser one: every ``|S_k|`` moves by a bounded amount, by
which the two sides give way.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from math import ceil, log2, sqrt
from typing import TYPE_CHECKING, TypeAlias

from verification.enclosure.balls import Between, Number, ball
from verification.enclosure.doubles import gamma, sum_lower, sum_upper
from verification.errors import NotEnclosed
from verification.instance import Chain
from verification.markov.transitions import (
    SMALLEST_UNDERFLOW,
    RoundedTransitions,
    blocks_of_states,
    rounded_transitions,
)
from verification.markov.walk import Walk, coarser, walk

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array: TypeAlias = npt.NDArray[np.float64]

EXACT_OPERATIONS = 10**9
"""Products up to which every integer is a level, or f at least is not rounded: about a second."""

MAX_OPERATIONS = 10**9
"""Products that the means may take: a few seconds."""

_LEVELS = (512, 256, 128, 64, 32)
_DEVIATIONS = 5
"""Up to so many estimated deviations of S_n the levels are dense."""
_FAR_LEVELS = 12
_FOLLOWED = 1_000
_COARSE_SHARE = 0.05
"""Where the values of f are rounded, sums move by at most this part of their deviation."""
_BLOCK = 2**16
_ELEMENTWISE = 32
"""An entry of a law costs as much as so many products, beside its own."""


def squared_maximum_means(
    chain: Chain, observable: Sequence[Fraction], *, steps: int, centre: Number
) -> tuple[Between, ...]:
    """Enclose ``E_i[max_{k<=n} S_k^2]``, n = steps, for every start i.

    Parameters
    ----------
    chain : Chain
    observable : sequence of Fraction, shape (n_states,)
        The function f.
    steps : int
        At least 0.
    centre : Fraction or Ball
        The number c in ``S_k = sum_{j<k} (f(xi_j) - c)``.

    Returns
    -------
    tuple of Between, shape (n_states,)
        As narrow as rounding allows where the values of S_k are few, else some per cent wide,
        some ten where f was rounded too; exactly 0 where f is c everywhere.

    Raises
    ------
    NotEnclosed
        Where too many products are needed: then simulate (`verification.markov.maximum_draws`).
    """
    walked = walk(observable, steps, centre=centre)
    try:
        bounds = _bounds(chain, walked, steps, EXACT_OPERATIONS)
    except NotEnclosed:
        deviation = _deviation_estimate(walked, steps, rounded_transitions(chain))
        walked = coarser(walked, steps, Fraction(_COARSE_SHARE * deviation))
        bounds = _bounds(chain, walked, steps, MAX_OPERATIONS)
    square = walked.unit**2
    return tuple(Between(ball(lower * square), ball(upper * square)) for lower, upper in bounds)


def squared_maximum_mean(
    chain: Chain, observable: Sequence[Fraction], *, start: int, steps: int, centre: Number
) -> Between:
    """Enclose ``E_start[max_{k<=n} S_k^2]``; all starts cost the same (`squared_maximum_means`)."""
    return squared_maximum_means(chain, observable, steps=steps, centre=centre)[start]


@lru_cache(maxsize=64)
def _bounds(
    chain: Chain, walked: Walk, steps: int, limit: int
) -> tuple[tuple[Fraction, Fraction], ...]:
    """Bound ``E_i[max_{k<=n} S_k^2 / unit^2]`` for every start i."""
    top, slack = steps * walked.largest, walked.error / walked.unit
    if not top:
        return ((Fraction(0), slack**2),) * chain.n_states
    transitions = rounded_transitions(chain)
    levels = _levels(walked, steps, transitions, limit)
    exceeded = _exceedances(walked, steps, levels, transitions)

    # max |S_k| / unit is within the slack of M; the square of a negative number would not do.
    lowest = [Fraction(0), *(max(level + 1 - slack, Fraction(0)) for level in levels)]
    highest = [level + slack for level in (*levels, top)]
    below = [float(high**2 - low**2) for low, high in pairwise(lowest)]
    above = [float(high**2 - low**2) for low, high in pairwise(highest)]
    relative = gamma((steps - 1) * (transitions.successors + 1) + 3)
    underflow = 2 * steps * transitions.successors * SMALLEST_UNDERFLOW * 2 * (top + slack + 1) ** 2
    return tuple(
        (
            max((sum_lower(row * below) - underflow) / (1 + relative), Fraction(0)),
            (sum_upper(row * above) + underflow) / (1 - relative) + highest[0] ** 2,
        )
        for row in exceeded
    )


def _levels(walked: Walk, steps: int, transitions: RoundedTransitions, limit: int) -> list[int]:
    """Choose levels from 0 to below the largest possible value."""
    top = steps * walked.largest
    work = transitions.work + _ELEMENTWISE * len(walked.increments)
    reachable = steps * (max(walked.increments) - min(walked.increments)) // walked.gap + 1

    def products(levels: Sequence[int]) -> int:
        return steps * work * sum(min(2 * level // walked.gap + 1, reachable) for level in levels)

    stride = -(-top // 1_000)
    if stride * products(range(0, top, stride)) <= EXACT_OPERATIONS:
        return list(range(top))
    deviation = _deviation_estimate(walked, steps, transitions)
    for count in _LEVELS:
        levels = _dense_below(min(ceil(_DEVIATIONS * deviation), top), top, count)
        if products(levels) <= (EXACT_OPERATIONS if count > _LEVELS[-1] else limit):
            return levels
    raise NotEnclosed(
        f"the law of the largest of {steps} partial sums takes more than {limit:.0e} products"
    )


def _dense_below(knee: int, top: int, count: int) -> list[int]:
    """Return about so many levels, evenly up to a knee and in a geometric sequence from there."""
    knee = max(knee, 1)
    levels = {knee * j // count for j in range(count)}
    levels |= {int(knee * (top / knee) ** (j / _FAR_LEVELS)) for j in range(_FAR_LEVELS)}
    return sorted(level for level in levels if level < top)


def _deviation_estimate(walked: Walk, steps: int, transitions: RoundedTransitions) -> float:
    """Estimate the largest root mean square of T_n over all starts.

    The moments are followed for some time only, and then grow by the power of n that they show.
    """
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    increments = np.array(walked.increments, dtype=float)
    first = second = np.zeros_like(increments)
    followed = min(steps, _FOLLOWED)
    halfway = 1.0
    for k in range(1, followed + 1):
        carried = transitions.matrix @ first
        second = increments * (increments + 2 * carried) + transitions.matrix @ second
        first = increments + carried
        if 2 * k <= followed + 1:
            halfway = max(float(second.max()), 1.0)
    last = max(float(second.max()), 1.0)
    growth = min(max(log2(last / halfway), 0.0), 2.0)
    return sqrt(last * (steps / followed) ** growth)


def _exceedances(
    walked: Walk, steps: int, levels: Sequence[int], transitions: RoundedTransitions
) -> Array:
    """Return ``P_i(M > level)``, shape (n_states, n_levels)."""
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    size = len(walked.increments)
    result = np.empty((size, len(levels)))
    first = 0
    while first < len(levels):
        end = first + 1
        while end < len(levels):
            band = min(2 * levels[end] // walked.gap + 1, steps * walked.largest)
            if size * band * (end + 1 - first) > _BLOCK:
                break
            end += 1
        result[:, first:end] = _exceedances_of(walked, steps, levels[first:end], transitions)
        first = end
    return result


def _exceedances_of(
    walked: Walk, steps: int, levels: Sequence[int], transitions: RoundedTransitions
) -> Array:
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    low, gap, size, depth = min(walked.increments), walked.gap, len(walked.increments), len(levels)
    positions = [(increment - low) // gap for increment in walked.increments]
    span, highest = max(positions), levels[-1]
    blocks, order = blocks_of_states(positions)
    matrix = transitions.matrix[order][:, order]
    bars = np.array(levels)

    def band(k: int) -> tuple[int, int]:
        """Return the first and the last reachable position with ``|T_k| <= highest``."""
        return max(0, -((highest + k * low) // gap)), min(k * span, (highest - k * low) // gap)

    # At time k + 1: which positions are beyond which level, and the probability for the others.
    later: Array = np.zeros((size, 0, depth))
    begin = stop = 0
    for k in range(steps - 1, -1, -1):
        begin, stop = band(k + 1)
        width = max(stop - begin + 1, 0)
        sums = np.abs((k + 1) * low + gap * np.arange(begin, begin + width))
        beyond = (sums[:, np.newaxis] > bars).astype(float)
        if k + 1 < steps and width:
            product = (matrix @ later.reshape(size, -1)).reshape(size, width, depth)
            np.maximum(product, beyond, out=product)
        else:
            product = np.broadcast_to(beyond, (size, width, depth))
        start, last = band(k)
        later = np.ones((size, max(last - start + 1, 0), depth))
        for states, position in blocks:
            left, right = max(start, begin - position), min(last, stop - position)
            if left <= right:
                later[states, left - start : right - start + 1] = product[
                    states, left + position - begin : right + position - begin + 1
                ]
    result = np.empty((size, depth))
    result[order] = later[:, 0]
    return result
