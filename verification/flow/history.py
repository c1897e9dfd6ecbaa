r"""The law of the joint chain from finite histories: words of past symbols, adaptively long.

A *word* ``i_0 .. i_m`` says that the present state is i_m and the past ones were ``i_{m-1}, ..``;
under the stationary chain it has the probability ``pi(i_0) P(i_0, i_1) .. P(i_{m-1}, i_m)``.  It
fixes the memory up to the past before it: with

    c = Phi_{i_{m-1}} o ... o Phi_{i_0}(0),   r = vbar prod_k slope(i_k),

slope(i) a bound of ``|Phi_i'|`` on ``[-vbar, vbar]``, the memory lies within r of c.  A word whose
r is wider than asked is replaced by its extensions into the past; their probabilities add up to
its own.  The law of (i_m, c) is the history law; coupled with the invariant law mu at equal words,
its memories are at most r away, so that the mean of r is the `spread`.  With all words of one
length m it is mu_m of claim E2.

A law rho in the place of pi gives a word the probability ``rho(i_0) P(i_0, i_1) .. P(i_{m-1},
i_m)``.  Over the words of one length these err by at most ``|rho - pi|_1`` together; words of M
different lengths, for which rho would have to be stationary, by at most M times as much.

**In double precision** each Phi_i is replaced by a polynomial, its interpolant at Chebyshev points
with a proved error, evaluated by Clenshaw's recurrence ``b_k = a_k + 2 t b_{k+1} - b_{k+2}``; a
rounding in step k moves the result by at most ``k + 1`` times itself.  What a step errs, later
steps contract.

Source: this project.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from verification.enclosure.balls import ball, less, precision, upper_double
from verification.enclosure.chebyshev import analytic_supremum, interpolant
from verification.enclosure.doubles import UNIT_ROUNDOFF, above, gamma, nearest, sum_upper, upward
from verification.errors import InvalidInstance, NotEnclosed
from verification.flow.node_law import NodeLaw, invariant_law, invariant_state_law
from verification.instance import Instance
from verification.recurrent.activation import activation
from verification.recurrent.law import mean_absolute_b
from verification.recurrent.memory import (
    contraction_factor,
    memory_bound,
    memory_map,
    memory_map_derivative,
)
from verification.verdict import Truth

Array: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]
Words: TypeAlias = npt.NDArray[np.int32]

MAX_WORDS = 2**22
"""How many words are kept at most."""

_BITS = 80
_MAX_LENGTH = 200
_FALLBACK_WIDTH = 1e-12
_FALLBACK_WORDS = 2**18
_BLOCK = 2**15
_LEAST = Fraction(1, 2**20)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Polynomials:
    """The memory maps of all distinct inputs as Chebyshev series on ``[-bound, bound]``.

    Parameters
    ----------
    coefficients : Array, shape (n_coefficients, n_inputs)
    slopes : Array, shape (n_inputs,)
        Upper bounds of ``|Phi_i'|`` on the interval.
    bound : float
        vbar, rounded up a little, so that what roundings add stays inside.
    error : float
        Bound of what one evaluation errs.
    """

    coefficients: Array
    slopes: Array
    bound: float
    error: float


def history_law(
    instance: Instance,
    *,
    length: int | None = None,
    width: float = 0.0,
    max_words: int = MAX_WORDS,
) -> NodeLaw:
    """Return the law of (state, memory) from words of past symbols.

    Parameters
    ----------
    instance : Instance
    length : int, optional
        How many symbols before the present one a word has at most; without it, as many as
        `max_words` allows.
    width : float
        A word is extended while its memory is known to within more than this.
    max_words : int
        A round of extensions that would make more words than this is not begun.

    Returns
    -------
    NodeLaw
        One node a word.  Its `spread` says how far the memories are off on average;
        `analytic_error` is 0.

    Raises
    ------
    InvalidInstance
        Where the chain has no unique stationary law, or a parameter is out of range.
    NotEnclosed
        Where the memory map has no short interpolant.

    Notes
    -----
    The cost is one evaluation of a polynomial a word and symbol; eight bytes a word, number and
    symbol of the longest words that are under way.
    """
    if length is not None and not 0 <= length <= _MAX_LENGTH:
        raise InvalidInstance("length", f"is {length}, expected 0 to {_MAX_LENGTH}")
    if not 1 <= max_words <= 2**24:
        raise InvalidInstance("max_words", f"is {max_words}, expected 1 to {2**24}")
    chain = instance.chain
    law, law_error = invariant_state_law(chain)
    input_of = np.array(chain.input_numbers, dtype=np.intp)
    maps = _polynomials(instance)

    before = _predecessors(instance, law)
    slopes = maps.slopes[input_of]
    present = np.flatnonzero(law > 0)
    words: Words = present.astype(np.int32)[:, np.newaxis]
    weights, radii = law[present], np.full(len(present), maps.bound)
    found: list[tuple[Indices, Array, Array, Array]] = []
    kept, depth = 0, 0
    limit = _MAX_LENGTH if length is None else length
    while len(words):
        wide = (radii > width) & (depth < limit)
        if kept + int(before.counts[words[wide, 0]].sum()) + int((~wide).sum()) > max_words:
            wide[:] = False
        leaves = words[~wide]
        found.append(
            (
                leaves[:, -1].astype(np.intp),
                _memories(leaves, maps, input_of),
                weights[~wide],
                radii[~wide],
            )
        )
        kept += len(leaves)
        words, weights, radii = _extended(words[wide], weights[wide], radii[wide], before, slopes)
        depth += 1
    states, memories, masses, spreads = (np.concatenate(part) for part in zip(*found, strict=True))
    steepest = Fraction(float(maps.slopes.max()))
    steps = Fraction(depth) if steepest >= 1 else min(Fraction(depth), 1 / (1 - steepest))
    spreads += upward(Fraction(maps.error) * steps)
    mean = sum_upper((masses * spreads).tolist())
    # A word's probability is a product of at most 5 rounded numbers a symbol.
    relative = gamma(5 * depth + 8)
    # Of every length there may be words, or words that are missing: the law has no mass there.
    of_law = (depth + 1) * law_error
    return NodeLaw(
        states=states,
        memories=memories,
        weights=masses,
        # The bound of the memory has room for roundings, but not for what the law errs.
        spread=upward(mean * (1 + gamma(2)) + of_law * Fraction(float(spreads.max()))),
        mass_error=upward(of_law + relative * sum_upper(masses.tolist())),
        analytic_error=0.0,
        strip=Fraction(0),
    )


def joint_law(instance: Instance) -> NodeLaw:
    """Return the invariant law of (state, memory) in the way that knows it best.

    By interpolation, and where that does not succeed by words.

    Raises
    ------
    InvalidInstance
        Where the chain has no unique stationary law.
    NotEnclosed
        Where the memory need not forget.
    """
    try:
        return invariant_law(instance)
    except NotEnclosed:
        with precision(_BITS):
            if less(ball(contraction_factor(instance)), ball(1)) is not Truth.TRUE:
                raise
        return history_law(instance, width=_FALLBACK_WIDTH, max_words=_FALLBACK_WORDS)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Predecessors:
    """States by what comes before them: of state j those from ``starts[j]`` on.

    Parameters
    ----------
    starts, counts : Indices, shape (n_states,)
    states : array of int32, shape (n_entries,)
    factors : Array, shape (n_entries,)
        ``pi_k P_kj / pi_j``.
    """

    starts: Indices
    counts: Indices
    states: npt.NDArray[np.int32]
    factors: Array


def _predecessors(instance: Instance, law: Array) -> _Predecessors:
    lists: list[list[tuple[int, float]]] = [[] for _ in law]
    for k, row in enumerate(instance.chain.rows):
        for j, p in row:
            if law[k] > 0 and law[j] > 0:
                lists[j].append((k, law[k] * float(p) / law[j]))
    counts = np.array([len(found) for found in lists], dtype=np.intp)
    entries = [entry for found in lists for entry in found]
    return _Predecessors(
        starts=np.concatenate(([0], np.cumsum(counts)[:-1])),
        counts=counts,
        states=np.array([k for k, _ in entries], dtype=np.int32),
        factors=np.array([factor for _, factor in entries]),
    )


def _extended(
    words: Words, weights: Array, radii: Array, before: _Predecessors, slopes: Array
) -> tuple[Words, Array, Array]:
    """Return all words with one symbol more, put before them."""
    counts = before.counts[words[:, 0]]
    parents = np.repeat(np.arange(len(words)), counts)
    place = np.arange(len(parents)) - np.repeat(np.cumsum(counts) - counts, counts)
    entries = before.starts[words[parents, 0]] + place
    older = before.states[entries]
    return (
        np.concatenate((older[:, np.newaxis], words[parents]), axis=1),
        weights[parents] * before.factors[entries],
        radii[parents] * slopes[older],
    )


def _memories(words: Words, maps: _Polynomials, input_of: Indices) -> Array:
    """Return what the words make of the memory 0, in blocks that stay in the cache."""
    result = np.zeros(len(words))
    for start in range(0, len(words), _BLOCK):
        block = words[start : start + _BLOCK]
        memory = result[start : start + _BLOCK]
        for k in range(words.shape[1] - 1):
            memory[:] = _step(memory, input_of[block[:, k]], maps)
    return result


def _step(memory: Array, inputs: Indices, maps: _Polynomials) -> Array:
    """Return ``Phi_i(v)`` for many pairs by Clenshaw's recurrence."""
    twice = memory * (2 / maps.bound)
    above_one, above_two = np.zeros_like(memory), np.zeros_like(memory)
    for row in maps.coefficients[:0:-1]:
        following = twice * above_one
        following -= above_two
        following += row[inputs]
        above_one, above_two = following, above_one
    value: Array = maps.coefficients[0][inputs] + twice / 2 * above_one - above_two
    return value


@lru_cache(maxsize=8)
def _polynomials(instance: Instance) -> _Polynomials:
    sigma, mean = activation(instance.activation), mean_absolute_b(instance.law)
    with precision(_BITS):
        strip = sigma.strip_width()
        bounds = [ball(mean) * sigma.strip_bound(order, ball(strip)) for order in (0, 1)]
        bound = above(ball(memory_bound(instance)) + ball(_LEAST))
        bound = Fraction(upward(bound * (1 + _LEAST)))
        series, slopes = [], []
        for state in instance.chain.first_states:
            curve = interpolant(
                partial(memory_map, instance, state),
                -bound,
                bound,
                strip=strip,
                strip_bound=bounds[0],
            )
            steepest = analytic_supremum(
                partial(memory_map_derivative, instance, state),
                -bound,
                bound,
                strip=strip,
                strip_bound=bounds[1],
            )
            series.append(curve)
            slopes.append(upper_double(steepest.upper))
        count = max(len(curve.coefficients) for curve in series)
        table = np.zeros((count, len(series)))
        error = Fraction(0)
        for column, curve in enumerate(series):
            rounded = [nearest(c) for c in curve.coefficients]
            table[: len(rounded), column] = [value for value, _ in rounded]
            in_coefficients = sum((known.error for _, known in rounded), Fraction(0))
            sizes = [known.size for _, known in rounded]
            # |b_k| <= sum_{j >= k} (j - k + 1) |a_j|: two running sums from the end.
            run, b, rounding = Fraction(0), Fraction(0), Fraction(0)
            for k in range(len(sizes) - 1, -1, -1):
                run += sizes[k]
                b += run
                rounding += (k + 1) * 16 * UNIT_ROUNDOFF * b
            moved = 4 * UNIT_ROUNDOFF * bound * Fraction(slopes[column])
            error = max(error, above(curve.error) + in_coefficients + rounding + moved)
    return _Polynomials(
        coefficients=table,
        slopes=np.array(slopes),
        bound=float(bound),
        error=upward(error),
    )
