"""Residuals without rounding, for chains of integers.

In double precision a residual errs by a few roundings of the law, and times hitting times of 10^6
steps that is 10^-9.  Here P is given by integers, ``P_ij = c_ij / s_i``.  Write ``p_i = s_i q_i``:
then ``(p P - p)_j = sum_i q_i c_ij - q_j s_j``.  Let the q_i be multiples of a power of two g, and
``sum_i |q_i| c_ij < 2**53 g`` for every j.  Then all products and all partial sums, in whatever
order and fused or not, are multiples of g below 2**53 g, hence doubles: an ordinary product of a
matrix and a vector, at full speed, is exact.  The same holds for
``s_i (u - P u)_i = s_i u_i - sum_j c_ij u_j``, where ``max|u| max_i s_i < 2**53 g`` is enough.

One such q has too few bits for small p_i.  A sum of several has enough, each a correction of those
before it on a finer grid: each part's residual is exact, and they are added up in two doubles an
entry.  What is proved is proved of the exact sums ``s_i (q1 + q2 + ...)_i`` and
``(u1 + u2 + ...)_i``; passing to their doubles costs roundings that no hitting time multiplies.

Corrections, from an approximate solver, may do what they like: the residual is computed afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import frexp, inf, ldexp

import numpy as np

from verification.markov.hitting import (
    GROWTH,
    LONGEST,
    HittingTimes,
    law_bound,
    poisson_error,
    sum_roundings,
    summed,
)
from verification.markov.rounded import ROUNDOFF, Array, RoundedChain

_MOST_PARTS = 96
_LEFT_OUT = 2.0**-52
"""What parts may leave out of a correction, before there is another."""

_SMALLEST_GRID = 2.0**-900
_TINY = 2.0**-900
_ADDING = 2 * ROUNDOFF
"""Bounds the rounding of one addition, relative to its result, and of this bound."""


@dataclass(frozen=True, kw_only=True, eq=False)
class UnroundedPoisson:
    """A vector u, what ``f - (u - P u)`` lies between, and how far u's doubles may be from u."""

    values: Array
    low: float
    high: float
    rounding: float


def unrounded_hitting_times(
    chain: RoundedChain,
    state: int,
    candidate: Array,
    *,
    correct: Callable[[Array], Array],
) -> HittingTimes | None:
    """Prove a bound of hitting times that double precision alone does not resolve.

    Parameters
    ----------
    chain : RoundedChain
    state : int
        The state r.
    candidate : Array, shape (n_states,)
        Near the hitting times of r.
    correct : callable
        From b to an estimate of d with ``d_r = 0`` and ``d - P d = b`` off r.

    Returns
    -------
    HittingTimes or None
        None where the chain is not known by integers, or no bound is found.
    """
    counts, totals = chain.counts(), chain.totals
    if counts is None or totals is None:
        return None
    g = candidate.copy()
    g[state] = 0
    if not (np.isfinite(g).all() and float(np.abs(g).max()) > 0):
        return None
    unit = ldexp(1.0, -frexp(float(np.abs(g).max()))[1])
    if unit * LONGEST < 4:
        return None
    g *= unit
    most = float(totals.max())
    left_out = _LEFT_OUT
    values = drift = np.zeros_like(g)
    change: VectorSum | None = None
    for _ in range(1, _MOST_PARTS + 1):
        grid = _grid(most * float(np.abs(g).max()))
        if grid < _SMALLEST_GRID:
            break
        part = _on_grid(g, grid)
        change = _added(change, totals * part - counts @ part)
        values = values + part
        drift = drift + _ADDING * np.abs(values)
        g = g - part
        if float(np.abs(g).max()) > left_out:
            continue
        gain = change.value / totals
        low = gain - 2 * _ADDING * np.abs(gain) - _TINY
        if change.noise is not None:
            low -= change.noise / totals
        low[state] = unit
        if float(low.min()) >= unit / 2:
            # The exact sum of the parts is no larger than this.
            scaled = (values + drift) * (1 + 4 * _ADDING)
            return HittingTimes(state=state, scaled=scaled, floor=float(low.min()))
        gain[state] = unit
        g = correct(unit - gain)
        g[state] = 0
        left_out = _LEFT_OUT * float(np.abs(g).max())
    return None


def unrounded_law(
    chain: RoundedChain,
    hitting: HittingTimes,
    p: Array,
    *,
    correct: Callable[[Array], Array],
    tolerance: float,
) -> tuple[Array, float] | None:
    """Improve a law until its proved error is within a tolerance, or no longer shrinks.

    Parameters
    ----------
    chain : RoundedChain
    hitting : HittingTimes
    p : Array, shape (n_states,)
        Near the stationary law, not negative.
    correct : callable
        From a residual ``e = p P - p`` to an estimate of ``d`` with ``d (I - P) = e``.
    tolerance : float

    Returns
    -------
    tuple of Array and float, or None
        Doubles and an upper bound of their distance from the stationary law in the norm of L1;
        None where the chain is not known by integers.
    """
    counts, totals = chain.counts(), chain.totals
    if counts is None or totals is None:
        return None
    best: tuple[Array, float] | None = None
    q = p / totals
    left_out = _LEFT_OUT * float(np.abs(q).max())
    law, largest = np.zeros_like(p), 0.0
    residual: VectorSum | None = None
    for number in range(1, _MOST_PARTS + 1):
        if counts is None:
            counts = chain.counts()
        if counts is None:
            return None
        sizes = np.abs(q)
        most = float((counts.T @ sizes).max())
        sizes *= totals
        grid = _grid(max(most, float(sizes.max())))
        del sizes
        if grid < _SMALLEST_GRID:
            break
        part = _on_grid(q, grid)
        term = counts.T @ part
        q -= part
        part *= totals
        term -= part
        law += part
        residual = _added(residual, term)
        # These are the largest chains' vectors: none is kept longer than it is used.
        del part, term
        largest = max(largest, float(np.abs(law).sum()))
        if max(float(q.max()), -float(q.min())) > left_out:
            continue
        counts = None
        bound = law_bound(hitting, residual.value, residual.noise)
        total = summed(law)
        error = _normalised_error(
            total, bound, (2 * number + 2 + sum_roundings(law.size)) * largest
        )
        if error == inf:
            break
        if best is not None and error > best[1] / 2:
            break
        # A negative entry is farther from the stationary law than 0 is.
        best = np.maximum(law, 0) / total, error
        if error <= tolerance:
            break
        q = correct(residual.value) / totals
        left_out = _LEFT_OUT * float(np.abs(q).max())
    return best


def unrounded_poisson(
    chain: RoundedChain,
    hitting: HittingTimes,
    observable: Array,
    u: Array,
    *,
    correct: Callable[[Array], Array],
    tolerance: float,
) -> UnroundedPoisson | None:
    """Improve a Poisson solution until its proved error is within a tolerance, or stays.

    Parameters
    ----------
    chain : RoundedChain
    hitting : HittingTimes
    observable : Array, shape (n_states,)
        The function f.
    u : Array, shape (n_states,)
        Near a solution of ``u - P u = f - pi(f)``.
    correct : callable
        From a residual rho to an estimate of ``d`` with ``d - P d = rho - pi(rho)``.
    tolerance : float
        Of the oscillation of ``u - u*``.

    Returns
    -------
    UnroundedPoisson or None
        None where the chain is not known by integers.
    """
    counts, totals = chain.counts(), chain.totals
    if counts is None or totals is None:
        return None
    most = float(totals.max())
    left_out = _LEFT_OUT * float(np.abs(u).max())
    best: UnroundedPoisson | None = None
    values, largest = np.zeros_like(u), 0.0
    change: VectorSum | None = None
    for number in range(1, _MOST_PARTS + 1):
        grid = _grid(most * float(np.abs(u).max()))
        if grid < _SMALLEST_GRID:
            break
        part = _on_grid(u, grid)
        change = _added(change, totals * part - counts @ part)
        values = values + part
        largest = max(largest, float(np.abs(values).max()))
        u = u - part
        if float(np.abs(u).max()) > left_out:
            continue
        step = change.value / totals
        residual = observable - step
        spread = _ADDING * (2 * np.abs(step) + 2 * np.abs(residual)) + _TINY
        if change.noise is not None:
            spread += change.noise / totals
        low, high = float((residual - spread).min()), float((residual + spread).max())
        if best is not None and high - low > (best.high - best.low) / 2:
            break
        rounding = number * _ADDING * largest
        best = UnroundedPoisson(values=values, low=low, high=high, rounding=rounding)
        if poisson_error(hitting, low, high) <= tolerance:
            break
        u = correct(residual)
        left_out = _LEFT_OUT * float(np.abs(u).max())
    return best


@dataclass(frozen=True, kw_only=True, eq=False)
class VectorSum:
    """A sum of vectors as up to three doubles an entry, with a bound of what was rounded.

    The last vector is kept apart: the sum of two, all that most chains need, is rounded once.
    """

    last: Array
    high: Array | None = None
    low: Array | None = None
    rounded: Array | None = None

    @property
    def value(self) -> Array:
        """The sum's doubles."""
        value = self.last if self.high is None else self.high + self.last
        return value if self.low is None else value + self.low

    @property
    def noise(self) -> Array | None:
        """A bound of their error; None for none."""
        if self.high is None:
            return None
        noise = np.abs(self.high + self.last)
        if self.low is not None:
            noise += np.abs(self.value)
        noise *= _ADDING
        return noise if self.rounded is None else noise + self.rounded

    def plus(self, term: Array) -> VectorSum:
        """Add a vector of exact numbers."""
        if self.high is None:
            return VectorSum(last=term, high=self.last)
        high = self.high + self.last
        moved = high - self.high
        # Knuth: what an addition rounds away is had exactly.
        lost = (self.high - (high - moved)) + (self.last - moved)
        if self.low is None:
            return VectorSum(last=term, high=high, low=lost)
        low = self.low + lost
        rounded = _ADDING * np.abs(low)
        if self.rounded is not None:
            rounded += self.rounded
        return VectorSum(last=term, high=high, low=low, rounded=rounded)


def _added(total: VectorSum | None, term: Array) -> VectorSum:
    return VectorSum(last=term) if total is None else total.plus(term)


def _normalised_error(total: float, bound: float, roundings: float) -> float:
    """Bound ``|fl(p/t) - pi|_1`` from ``|p - (sum p) pi|_1``.

    Here p is the exact sum of the parts, t the computed sum of its doubles, and u times
    `roundings` bounds together the error of the doubles, that of t as the sum of p, and the
    rounding of the division by t.
    """
    # |p/t - pi| <= (|p - (sum p) pi| + |sum p - t|) / t.
    gap = roundings * ROUNDOFF * GROWTH
    if total <= 2 * gap:
        return inf
    return (bound + 2 * gap) / total * GROWTH


def _on_grid(values: Array, grid: float) -> Array:
    """Round towards 0 to multiples of a power of two; nothing else is rounded."""
    part: Array = values / grid
    np.trunc(part, out=part)
    part *= grid
    return part


def _grid(bound: float) -> float:
    # bound < 2**51 g: so are both products, up to the rounding of the bound, and their difference
    # is below 2**53 g.
    return ldexp(1.0, frexp(bound)[1] - 51) if bound else 1.0
