"""Stationary laws and Poisson equations of large chains, in double precision with proved errors.

For a chain with one recurrent class: the stationary law pi, and for an observable f the solution
u of ``u - P u = f - pi(f)``, ``pi(u) = 0``.  Approximations come from whatever is fast, and are
proved afterwards:

1. *Sweeps* (`verification.markov.sweeps`), where the chain mixes fast: a few dozen products with P.
   They notice in 32 sweeps that they will not do, and are tried again with damping, for chains
   that are nearly periodic.
2. *Elimination* (`verification.markov.elimination`) for slow chains: one factorisation, whose
   fill is bounded before it starts.
3. One product with P bounds the hitting times of a likely state, and with them the errors of the
   law and of every solution (`verification.markov.hitting`, where the proofs are).
4. Where rounding is what keeps a bound above its tolerance and P is given by integers, residuals
   are computed without rounding and the approximations improved (`verification.markov.unrounded`).

A chain that this does not decide within its limits is refused with `NotEnclosed`, whose message
says why: several recurrent classes, hitting times beyond double precision, too large factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from verification.errors import InvalidInstance, NotEnclosed
from verification.markov.approximation import Approximated, Candidate, approximated
from verification.markov.hitting import (
    law_error,
    mean_upper,
    poisson_error,
    sum_roundings,
    summed,
)
from verification.markov.rounded import (
    ROUNDOFF,
    Array,
    RoundedChain,
    chain_of_counts,
    rounded_chain,
)
from verification.markov.unrounded import unrounded_law, unrounded_poisson

__all__ = [
    "LawEnclosure",
    "PoissonEnclosure",
    "RoundedChain",
    "Solution",
    "chain_of_counts",
    "poisson_enclosure",
    "rounded_chain",
    "solve",
    "stationary_law_enclosure",
]

LAW_TOLERANCE = 1e-10
POISSON_TOLERANCE = 1e-6
"""How large the error of a Poisson solution may be, as a share of its oscillation."""

_LARGEST_OBSERVABLE = 2.0**400
_UP = 1 + 2.0**-40
_TINY = 2.0**-800


@dataclass(frozen=True, kw_only=True, eq=False)
class LawEnclosure:
    """A stationary law with a proved error.

    Parameters
    ----------
    law : Array, shape (n_states,)
        Not negative.
    l1_error : float
        Upper bound of ``|law - pi|_1 = sum_i |law_i - pi_i|``.
    route : str
        How it was found: sweeps, damped sweeps or elimination.
    sweeps : int
        Number of products with P in single precision.
    state : int
        The state whose hitting times prove the error.
    longest_hitting_time : float
        Upper bound of the expected number of steps to that state, from any state.
    """

    law: Array
    l1_error: float
    route: str
    sweeps: int
    state: int
    longest_hitting_time: float


@dataclass(frozen=True, kw_only=True, eq=False)
class PoissonEnclosure:
    """The solution u of ``u - P u = f - pi(f)``, ``pi(u) = 0``, with proved errors.

    Parameters
    ----------
    values : Array, shape (n_states,)
    sup_error : float
        Upper bound of ``max_i |values_i - u_i|``.
    oscillation_error : float
        Upper bound of ``osc(values - u)``, ``osc(g) = max g - min g``; never more than twice
        `sup_error`, and often less.
    mean, mean_error : float
        ``|mean - pi(f)| <= mean_error``.
    route : str
        How it was found: sweeps, damped sweeps or elimination.
    sweeps : int
        Number of products with P in single precision.
    """

    values: Array
    sup_error: float
    oscillation_error: float
    mean: float
    mean_error: float
    route: str
    sweeps: int

    @property
    def oscillation_lower(self) -> float:
        """A lower bound of ``max u - min u``."""
        return max(0.0, self._oscillation / _UP - self.oscillation_error * _UP)

    @property
    def oscillation_upper(self) -> float:
        """An upper bound of ``max u - min u``."""
        return (self._oscillation + self.oscillation_error) * _UP

    @property
    def _oscillation(self) -> float:
        return float(self.values.max() - self.values.min())


@dataclass(frozen=True, kw_only=True, eq=False)
class Solution:
    """A stationary law and the Poisson solutions of some observables."""

    law: LawEnclosure
    poisson: tuple[PoissonEnclosure, ...]


def stationary_law_enclosure(
    chain: RoundedChain, *, tolerance: float = LAW_TOLERANCE
) -> LawEnclosure:
    """Return the stationary law of a chain with one recurrent class.

    Parameters
    ----------
    chain : RoundedChain
    tolerance : float
        The largest error accepted.

    Returns
    -------
    LawEnclosure
        Its `l1_error` is a proved upper bound, at most the tolerance.

    Raises
    ------
    NotEnclosed
        Where the law is not unique, or not proved within the tolerance; the message says why.
    """
    return solve(chain, (), tolerance=tolerance).law


def poisson_enclosure(
    chain: RoundedChain, observable: Array, *, observable_error: float = 0.0
) -> PoissonEnclosure:
    """Return the solution u of ``u - P u = f - pi(f)``, ``pi(u) = 0``.

    Parameters
    ----------
    chain : RoundedChain
    observable : Array, shape (n_states,)
        Doubles near f.
    observable_error : float
        Upper bound of their distance from f.

    Returns
    -------
    PoissonEnclosure
        Its errors are proved upper bounds.

    Raises
    ------
    InvalidInstance
        Where the observable has another shape, or is not finite.
    NotEnclosed
        Where the law is not unique, or the solution is not proved to within `POISSON_TOLERANCE`
        times its oscillation (or the size of f) beside what the observable's error causes.
    """
    return solve(chain, (observable,), observable_error=observable_error).poisson[0]


def solve(
    chain: RoundedChain,
    observables: Sequence[Array] = (),
    *,
    tolerance: float = LAW_TOLERANCE,
    observable_error: float = 0.0,
) -> Solution:
    """Return the stationary law and the Poisson solutions of several observables.

    They share the hitting times, and the factorisation where there is one.

    Parameters
    ----------
    chain : RoundedChain
    observables : sequence of Array, each of shape (n_states,)
    tolerance : float
        The largest error of the law accepted.
    observable_error : float
        Upper bound of every observable's distance from the exact one.

    Raises
    ------
    InvalidInstance, NotEnclosed
        As `stationary_law_enclosure` and `poisson_enclosure` do.

    Notes
    -----
    Time and memory of sweeps are linear in the number of entries.
    """
    for number, observable in enumerate(observables):
        _check_observable(f"observables[{number}]", chain, observable, observable_error)
    found = approximated(chain, observables, tolerance)
    law = _proved_law(found, tolerance)
    return Solution(
        law=law,
        poisson=tuple(
            _proved_poisson(found, law, observable, candidate, observable_error)
            for observable, candidate in zip(observables, found.solutions, strict=True)
        ),
    )


def _proved_law(found: Approximated, tolerance: float) -> LawEnclosure:
    law, hitting = found.law, found.hitting
    error = inf
    # Each entry's residual errs by some roundings: where that alone is too much, only what is
    # computed without rounding will do.
    hopeless = 4 * ROUNDOFF * float(law @ hitting.scaled) / hitting.floor > tolerance
    if not hopeless or found.chain.totals is None:
        error = law_error(found.chain, hitting, law)
    if error > tolerance:
        better = unrounded_law(
            found.chain, hitting, law, correct=found.law_correction, tolerance=tolerance
        )
        if better is not None and better[1] < error:
            law, error = better
    if not error <= tolerance:
        raise NotEnclosed(
            f"the stationary law is proved to {error:.1g} only, not to {tolerance:.1g}: hitting"
            f" times of up to {hitting.longest:.1g} steps exceed what double precision resolves"
        )
    return LawEnclosure(
        law=law,
        l1_error=error,
        route=found.method.route,
        sweeps=found.sweeps,
        state=hitting.state,
        longest_hitting_time=hitting.longest,
    )


def _proved_poisson(
    found: Approximated,
    law: LawEnclosure,
    observable: Array,
    candidate: Candidate,
    observable_error: float,
) -> PoissonEnclosure:
    hitting = found.hitting
    u, low, high = candidate.values, candidate.low, candidate.high
    wanted = _poisson_tolerance(u, observable)
    rounding = 0.0
    if poisson_error(hitting, low, high) > wanted:
        better = unrounded_poisson(
            found.chain, hitting, observable, u, correct=found.poisson_correction, tolerance=wanted
        )
        if better is not None and better.high - better.low < high - low:
            u, low, high, rounding = better.values, better.low, better.high, better.rounding
    error = poisson_error(hitting, low, high)
    if not error <= _poisson_tolerance(u, observable):
        raise NotEnclosed(
            f"a solution of size {float(u.max() - u.min()):.1g} is proved to {error:.1g} only:"
            f" hitting times of up to {hitting.longest:.1g} steps exceed what double precision"
            " resolves"
        )
    # The residual of f itself lies within as much of what was enclosed.
    error += 2 * observable_error * hitting.longest
    values = u - law.law @ u
    rounding += ROUNDOFF * float(np.abs(values).max())
    mean, mean_error = _mean(law, observable, low, high)
    return PoissonEnclosure(
        values=values,
        sup_error=(error + 2 * rounding + mean_upper(law.law, law.l1_error, values)) * _UP,
        oscillation_error=(error + 2 * rounding) * _UP,
        mean=mean,
        mean_error=(mean_error + observable_error) * _UP,
        route=found.method.route,
        sweeps=candidate.sweeps,
    )


def _poisson_tolerance(u: Array, observable: Array) -> float:
    size = max(float(u.max() - u.min()), float(np.abs(observable).max()))
    # What underflows is allowed for, where f is 0.
    return POISSON_TOLERANCE * size + _TINY


def _mean(law: LawEnclosure, observable: Array, low: float, high: float) -> tuple[float, float]:
    """Return ``pi(f)`` and a bound of its error: from the law, or from the residual's bounds."""
    mean = low + (high - low) / 2
    error = max(high - mean, mean - low)
    products = law.law * observable
    size = float(np.abs(products).sum())
    rounding = (sum_roundings(law.law.size) + 2) * ROUNDOFF * size
    other = law.l1_error * float(np.abs(observable).max()) + rounding
    return (summed(products), other) if other < error else (mean, error)


def _check_observable(
    path: str, chain: RoundedChain, observable: Array, observable_error: float
) -> None:
    if observable.shape != (chain.n_states,) or observable.dtype != np.float64:
        raise InvalidInstance(
            path,
            f"has shape {observable.shape} and type {observable.dtype},"
            f" expected ({chain.n_states},) and float64",
        )
    if not float(np.abs(observable).max()) <= _LARGEST_OBSERVABLE:
        raise InvalidInstance(path, "is not finite, or beyond 2**400")
    if not 0 <= observable_error <= _LARGEST_OBSERVABLE:
        raise InvalidInstance("observable_error", f"is {observable_error}, expected 0 to 2**400")
