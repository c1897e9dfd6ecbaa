r"""A posteriori errors of stationary laws and Poisson solutions, from hitting times.

P is a transition matrix on states 0..n-1, r one of them, tau the first time at which the chain is
in r, and ``H_i = E_i[tau]`` (0 for i = r).  Whatever method proposes a law or a solution, one
product with P measures its residual, and hitting times turn the residual into a proved error.

**Supersolutions.**  Let g be a vector with ``g_r = 0`` and ``(g - P g)_i >= t > 0`` for all
i != r.  Then ``H_i <= g_i / t`` for every i.  Proof.  Where g is least off r, say at i with
``g_i < 0``, ``g_i >= t + (P g)_i >= t + g_i``, a contradiction: g >= 0.  With Q the matrix P
without row and column r, the rest of g satisfies
``g >= t 1 + Q g >= t (1 + Q 1 + ... + Q^k 1) + Q^(k+1) g``, and ``(Q^l 1)_i = P_i(tau > l)``: the
sums increase to H.  In particular r is reached from everywhere, so that one class is recurrent and
the stationary law pi is unique; the class may be periodic, and states may be transient.

**Law.**  Let p be any row vector and ``e = p P - p``.  With ``E+ = sum_i max(e_i, 0) H_i`` and
``E- = sum_i max(-e_i, 0) H_i``,

    |p - (sum p) pi|_1 <= 2 max(E+, E-) <= 2 sum_i |e_i| H_i.

Proof.  Pair with f = 1 - 2 1_B for the set B that attains the norm, b = pi(B).  The function
``v(i) = E_i[sum_{k < tau} (f - pi(f))(xi_k)]`` solves ``v - P v = f - pi(f)`` with ``v(r) = 0`` (at
r by the cycle formula for pi), so that ``(p - (sum p) pi) f = p (v - P v) = -e v``.  Since
``f - pi(f) = 2 (b - 1_B)`` and before tau the chain visits B between 0 and tau times,
``-2 (1 - b) H_i <= v(i) <= 2 b H_i``.  Hence
``-e v <= 2 (1 - b) E+ + 2 b E- <= 2 max(E+, E-)``.  The factor 2 is sharp: two states, r = 0,
``P_01 = a -> 0``, ``p = pi + x (1, -1)``, where left is 2 x and right ``2 x (1 + a/P_10)``.
Finally ``|p - pi|_1 <= |p - (sum p) pi|_1 + |sum p - 1|``.

**Poisson equation.**  Let u and f be any vectors and ``rho = f - (u - P u)``, with values in
[low, high], ``omega = high - low``.  Then ``pi(f) = pi(rho)`` lies in [low, high], and with u* the
solution of ``u* - P u* = f - pi(f)``, ``pi(u*) = 0``,

    osc(u - u*) <= omega max_i H_i,   |u - pi(u) - u*| <= omega max_i H_i.

Proof.  w = u - u* satisfies ``w - P w = pi(rho) - rho``, so that as above
``w(i) - w(r) = E_i[sum_{k < tau} (pi(rho) - rho)(xi_k)]`` lies between
``-(high - pi(rho)) H_i`` and ``(pi(rho) - low) H_i``; a difference of two such numbers is at most
``omega max H``.  The mean of w under pi lies between its extremes, and is pi(u).

**Rounding.**  Residuals are computed in doubles, in the model of `verification.enclosure.doubles`.
With M the rounded matrix and k_j the number of roundings, ``s = fl(p M)`` for p >= 0 satisfies
``|s_j - (p P)_j| <= gamma(k_j + 2) s_j <= (k_j + 3) u s_j``: the 2 are the rounding of M's entries
and the passage from the exact sum to s.  ``fl(s - p)`` adds its own rounding.  ``fl(M x)`` errs by
at most ``(k_i + 3) u max|x|``.  Bounds are themselves computed in doubles, from sums of
non-negative numbers: at most 2**26 + 2**10 roundings, which `GROWTH` covers; what underflows is
below `_TINY`.

Where hitting times are long these roundings are what is left of the bounds;
`verification.markov.unrounded` then computes the residuals without them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import frexp, inf, ldexp

import numpy as np

from verification.errors import NotEnclosed
from verification.markov.rounded import ROUNDOFF, Array, RoundedChain

GROWTH = 1 + 2.0**-24
LONGEST = 2.0**60
"""No longer hitting times are considered: one rounding of a law times them is beyond 1."""

_FEW_ROUNDINGS = 64
_TINY = 2.0**-900
"""More than the underflows of 2**75 products, times the longest hitting times."""


@dataclass(frozen=True, kw_only=True, eq=False)
class HittingTimes:
    """A proved upper bound ``scaled / floor`` of the expected hitting times of a state.

    Parameters
    ----------
    state : int
        The state r.
    scaled : Array, shape (n_states,)
        The supersolution g: 0 at r, not negative elsewhere, at most 1.
    floor : float
        A lower bound t > 0 of ``g - P g`` off r.
    """

    state: int
    scaled: Array
    floor: float

    @property
    def longest(self) -> float:
        """An upper bound of all expected hitting times."""
        return float(self.scaled.max()) / self.floor * GROWTH


def verified_hitting_times(chain: RoundedChain, state: int, candidate: Array) -> HittingTimes:
    """Prove that a multiple of a vector bounds the expected hitting times of a state.

    Parameters
    ----------
    chain : RoundedChain
    state : int
        The state r.
    candidate : Array, shape (n_states,)
        Near a multiple of the hitting times; its entry at r is taken to be 0.

    Raises
    ------
    NotEnclosed
        Where it is not certain that ``g - P g`` is positive off r.
    """
    g = candidate.copy()
    g[state] = 0
    if g.size == 1:
        return HittingTimes(state=state, scaled=g, floor=1.0)
    if not (np.isfinite(g).all() and g.min() >= 0 and g.max() > 0):
        raise NotEnclosed("hitting times exceed what double precision resolves")
    g *= ldexp(1.0, -frexp(g.max())[1])
    after, roundings = chain.successors(g), chain.row_roundings()
    gain = g - after
    # (k + 3) u of the product and u of the difference; the rest covers the rounding of these lines.
    roundings += 6
    roundings *= after
    roundings += 4 * np.abs(gain)
    roundings *= ROUNDOFF
    low = gain - roundings
    low[state] = inf
    floor = float(low.min()) - _TINY
    if not floor * LONGEST > 1:
        least = max(float(np.median(np.delete(gain, state))), 0.0)
        steps = f"near {1 / least:.1g} steps" if least * LONGEST > 1 else "without a bound"
        raise NotEnclosed(
            f"hitting times {steps} could not be verified: they exceed what double precision"
            " resolves"
        )
    return HittingTimes(state=state, scaled=g, floor=floor)


def law_error(chain: RoundedChain, hitting: HittingTimes, p: Array) -> float:
    """Bound ``|p - pi|_1`` from the residual of p in double precision.

    Parameters
    ----------
    p : Array, shape (n_states,)
        Not negative.

    Returns
    -------
    float
        Upper bound.
    """
    after, noise = chain.predecessors(p), chain.column_roundings()
    residual = after - p
    # (k + 3) u of the product and u of the difference; the rest covers the rounding of these lines.
    noise += 3
    noise *= after
    noise += 2 * np.abs(residual)
    noise *= ROUNDOFF * GROWTH
    return law_bound(hitting, residual, noise) + _excess(p)


def poisson_residual(
    chain: RoundedChain, observable: Array, u: Array
) -> tuple[float, float, Array]:
    """Enclose ``f - (u - P u)`` in double precision.

    Returns
    -------
    low, high : float
        No value is certainly outside.
    residual : Array
        An approximation of the values.
    """
    residual, roundings = chain.successors(u), chain.row_roundings()
    residual -= u
    residual += observable
    # (k + 3) u max|u| of the product, 2 u max|u| of the difference, and u of the last sum; the rest
    # covers the rounding of these lines.
    size = 2 * float(np.abs(residual).max()) + 6 * float(np.abs(u).max())
    scale = ROUNDOFF * float(np.abs(u).max()) * GROWTH
    if roundings.max() <= _FEW_ROUNDINGS:
        noise = float(roundings.max()) * scale + ROUNDOFF * size * GROWTH + _TINY
        return float(residual.min()) - noise, float(residual.max()) + noise, residual
    noises = roundings * scale + (ROUNDOFF * size * GROWTH + _TINY)
    return float((residual - noises).min()), float((residual + noises).max()), residual


def poisson_error(hitting: HittingTimes, low: float, high: float) -> float:
    """Bound ``osc(u - u*)``, from bounds of the residual's values."""
    return (high - low) * hitting.longest * GROWTH


def mean_upper(law: Array, law_error: float, u: Array) -> float:
    """Bound ``|pi(u)|``, from a law p and a bound of ``|p - pi|_1``."""
    products = law * u
    size = float(np.abs(products).sum())
    return (
        abs(summed(products)) + sum_roundings(u.size) * ROUNDOFF * size + law_error * _size(u)
    ) * GROWTH + _TINY


def summed(values: Array) -> float:
    """Return a sum in which no number passes through more than `sum_roundings` roundings."""
    while values.size > 64:
        whole = values.size // 64 * 64
        # Whatever the order within a row: 63 roundings a level.
        parts = values[:whole].reshape(-1, 64).sum(axis=1)
        values = np.concatenate((parts, values[whole:]))
    return float(values.sum())


def sum_roundings(length: int) -> int:
    """Return how many roundings `summed` takes a number through, or more."""
    levels = 1
    while length > 64:
        length = length // 64 + length % 64
        levels += 1
    return 64 * levels


def _size(u: Array) -> float:
    return float(np.abs(u).max())


def _excess(p: Array) -> float:
    # |sum p - 1| for p >= 0.
    total = summed(p)
    return abs(total - 1) * GROWTH + (sum_roundings(p.size) + 1) * ROUNDOFF * total * GROWTH


def law_bound(hitting: HittingTimes, residual: Array, noise: Array | None = None) -> float:
    """Bound ``|p - (sum p) pi|_1`` from a residual of p, known up to a noise."""
    parts = np.maximum(residual, 0)
    above = np.dot(parts, hitting.scaled)
    parts -= residual
    below = np.dot(parts, hitting.scaled)
    more = 0.0 if noise is None else np.dot(noise, hitting.scaled)
    return 2 * (float(max(above, below)) + float(more)) / hitting.floor * GROWTH + _TINY
