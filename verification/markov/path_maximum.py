r"""The mean square of a path's largest partial sum, ``E_i[max_{k<=n} S_k^2]``.

``S_k = sum_{j<k} (f_j(xi_j) - c_j)`` along a chain, ``S_0 = 0``.  It is a walk on the integers
(`verification.markov.walk`): ``S_k = unit T_k``, ``T_k = low_0 + ... + low_{k-1} + gap B_k`` with
B_k >= 0 and low_j the least increment at time j.  For a level l,

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

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache, partial
from itertools import accumulate, pairwise
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
_RESIDUES = 16
"""Of so few residues all sums are compared with the levels at once."""
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
    return walk_maximum_means(chain, walk(observable, steps, centre=centre), steps=steps)


def walk_maximum_means(chain: Chain, walked: Walk, *, steps: int) -> tuple[Between, ...]:
    """Enclose the same mean for any walk along the chain, moving or not, for every start i.

    Raises
    ------
    NotEnclosed
        As `squared_maximum_means`.
    """
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
    top, slack = walked.reach(steps), walked.error / walked.unit
    if not top:
        return ((Fraction(0), slack**2),) * chain.n_states
    transitions = rounded_transitions(chain)
    levels = _levels(walked, steps, transitions, limit)
    exceeded = _exceedances(walked, steps, levels, transitions)

    # max |S_k| / unit is within the slack of M; the square of a negative number would not do.
    # In parts of the slack's denominator, which are integers.
    parts, beside = slack.denominator, slack.numerator
    lowest = [0, *(max((level + 1) * parts - beside, 0) for level in levels)]
    highest = [level * parts + beside for level in (*levels, top)]
    below, above = (
        [(high**2 - low**2) / parts**2 for low, high in pairwise(values)]
        for values in (lowest, highest)
    )
    relative = gamma((steps - 1) * (transitions.successors + 1) + 3)
    underflow = 2 * steps * transitions.successors * SMALLEST_UNDERFLOW * 2 * (top + slack + 1) ** 2
    return tuple(
        (
            max((sum_lower((row * below).tolist()) - underflow) / (1 + relative), Fraction(0)),
            (sum_upper((row * above).tolist()) + underflow) / (1 - relative)
            + (levels[0] + slack) ** 2,
        )
        for row in exceeded
    )


def _levels(walked: Walk, steps: int, transitions: RoundedTransitions, limit: int) -> list[int]:
    """Choose levels from 0 to below the largest possible value."""
    top = walked.reach(steps)
    work = transitions.work + _ELEMENTWISE * len(walked.row(0))
    reachable = walked.span(steps) // walked.gap + 1

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
    """Estimate the largest root mean square of ``T_n - T_k`` over all k and states at time k.

    The moments are followed back for some time only, and then grow by the power of n that they
    show.
    """
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    first = second = np.zeros(len(walked.row(0)))
    followed = min(steps, _FOLLOWED)
    halfway = largest = 1.0
    for k in range(1, followed + 1):
        increments = np.array(walked.row(steps - k), dtype=float)
        carried = transitions.matrix @ first
        second = increments * (increments + 2 * carried) + transitions.matrix @ second
        first = increments + carried
        largest = max(float(second.max()), largest)
        if 2 * k <= followed + 1:
            halfway = largest
    growth = min(max(log2(largest / halfway), 0.0), 2.0)
    return sqrt(largest * (steps / followed) ** growth)


def _exceedances(
    walked: Walk, steps: int, levels: Sequence[int], transitions: RoundedTransitions
) -> Array:
    """Return ``P_i(M > level)``, shape (n_states, n_levels)."""
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    size, top = len(walked.row(0)), walked.reach(steps)
    result = np.empty((size, len(levels)))
    first = 0
    while first < len(levels):
        end = first + 1
        while end < len(levels):
            band = min(2 * levels[end] // walked.gap + 1, top)
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

    gap, size, depth, highest = walked.gap, len(walked.row(0)), len(levels), levels[-1]
    _, order = blocks_of_states(walked.row(0))
    blocks_of = lru_cache(partial(_blocks, gap=gap, order=order))
    matrix = transitions.matrix[order][:, order]
    lows, spans = (
        [0, *accumulate(value(walked.row(k)) for k in range(steps))]
        for value in (min, lambda row: (max(row) - min(row)) // gap)
    )

    def band(k: int) -> tuple[int, int]:
        """Return the first and the last reachable position with ``|T_k| <= highest``."""
        return max(0, -((highest + lows[k]) // gap)), min(spans[k], (highest - lows[k]) // gap)

    # At time k + 1: which positions are beyond which level, and the probability for the others.
    widest = max(last - first + 1 for first, last in map(band, range(steps + 1)))
    held, carried = (np.zeros(size * max(widest, 0) * depth) for _ in range(2))
    beyond = _comparison(lows, gap, levels, widest=widest)
    later: Array = held[:0].reshape(size, 0, depth)
    begin, stop = band(steps)
    for k in range(steps - 1, -1, -1):
        width = max(stop - begin + 1, 0)
        is_beyond = beyond(k + 1, begin, width)
        product = carried[: size * width * depth].reshape(size, width, depth)
        if k + 1 < steps and width:
            if isinstance(matrix, np.ndarray):
                np.matmul(matrix, later.reshape(size, -1), out=product.reshape(size, -1))
            else:
                product = (matrix @ later.reshape(size, -1)).reshape(product.shape)
        start, last = band(k)
        length = max(last - start + 1, 0)
        later = held[: size * length * depth].reshape(size, length, depth)
        for states, position in blocks_of(walked.row(k)):
            left, right = max(start, begin - position), min(last, stop - position)
            if left > right:
                later[states] = 1.0
                continue
            here = slice(left - start, right - start + 1)
            there = slice(left + position - begin, right + position - begin + 1)
            later[states, : here.start] = 1.0
            later[states, here.stop :] = 1.0
            if isinstance(states, slice):
                np.maximum(product[states, there], is_beyond[there], out=later[states, here])
            else:
                later[states, here] = np.maximum(product[states, there], is_beyond[there])
        begin, stop = start, last
    result = np.empty((size, depth))
    result[order] = later[:, 0]
    return result


def _comparison(
    lows: Sequence[int], gap: int, levels: Sequence[int], *, widest: int
) -> Callable[[int, int, int], Array]:
    """Return what tells, of so many positions at a time, from one on, which are beyond which level.

    Arguments are the time, the first position and their number, `widest` at most; the result has
    the shape (n_positions, n_levels) and is 1 or 0.
    """
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    highest, bars = levels[-1], np.array(levels)
    which = _firsts(len(levels))

    def compared(first: int, count: int) -> Array:
        sums = np.abs(first + gap * np.arange(count))
        row: Array = np.take(which, np.searchsorted(bars, sums), axis=0)
        return row

    # Where the sums have few residues, all of a residue up to the highest level at once.
    least, all_of_them = -highest // gap * gap, 2 * highest // gap + 2
    if len({low % gap for low in lows}) > _RESIDUES or all_of_them > 2 * widest + 2:
        return lambda k, begin, count: compared(lows[k] + gap * begin, count)
    table = lru_cache(lambda residue: compared(least + residue, all_of_them))

    def looked_up(k: int, begin: int, count: int) -> Array:
        first = lows[k] + gap * begin
        place = (first - least) // gap
        return table(first % gap)[place : place + count]

    return looked_up


@lru_cache(maxsize=16)
def _firsts(count: int) -> Array:
    """Return a row for each number k up to `count`, which holds k ones and then zeros."""
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    return np.tri(count + 1, count, -1)


def _blocks(
    row: tuple[int, ...], *, gap: int, order: npt.NDArray[np.intp]
) -> list[tuple[slice | npt.NDArray[np.intp], int]]:
    """Return the states, in the order given, that share an increment, with its position."""
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    low, increments = min(row), np.array(row)[order]
    found: list[tuple[slice | npt.NDArray[np.intp], int]] = []
    for increment in sorted(set(row)):
        states = np.flatnonzero(increments == increment)
        first, last = int(states[0]), int(states[-1])
        # A slice is faster, and the first row's states are in its order.
        together = last - first + 1 == len(states)
        found.append((slice(first, last + 1) if together else states, (increment - low) // gap))
    return found
