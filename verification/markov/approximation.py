"""Approximate laws, hitting times and Poisson solutions, by iterative refinement.

A law p is improved by a solution d of ``d (I - P) = p P - p``, a Poisson solution u by one of
``d - P d = f - (u - P u)`` up to constants, with residuals in double precision, until they no
longer halve.  What finds d, in lower precision or with rounding errors, is a `Method`: the sweeps
of `verification.markov.sweeps` or the factorisation of `verification.markov.elimination`.

Hitting times are proved at once: whether they can be decides which method serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol

import numpy as np
import numpy.typing as npt

from verification.errors import NotEnclosed
from verification.markov.elimination import Elimination, eliminated
from verification.markov.hitting import (
    HittingTimes,
    poisson_residual,
    summed,
    verified_hitting_times,
)
from verification.markov.rounded import ROUNDOFF, Array, RoundedChain
from verification.markov.sweeps import sweeps
from verification.markov.unrounded import unrounded_hitting_times

_MOST_CORRECTIONS = 12
_LATER_REDUCTION = 2.0**-10
_MUCH_LIKELIER = 16
_GUESSING_SWEEPS = 16


class Method(Protocol):
    """What finds approximate solutions, each with its number of sweeps; None where it is slow."""

    @property
    def route(self) -> str:
        """How solutions are found."""

    def start(self) -> Array:
        """Return the law that corrections start from."""

    def correct_law(self, residual: Array, reduction: float) -> tuple[Array, int] | None:
        """Return an estimate of d with ``d (I - P) = e``, to about a relative reduction."""

    def correct_poisson(self, residual: Array, reduction: float) -> tuple[Array, int] | None:
        """Return an estimate of d with ``d - P d = rho`` up to constants."""

    def hitting_times(self, law: Array) -> tuple[int, Array, int] | None:
        """Return a state with a multiple of about its hitting times."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A vector u, what ``f - (u - P u)`` lies between, and how many sweeps it took."""

    values: Array
    low: float
    high: float
    sweeps: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Approximated:
    """An approximate law, proved hitting times, approximate Poisson solutions, and their method."""

    chain: RoundedChain
    method: Method
    law: Array
    hitting: HittingTimes
    sweeps: int
    solutions: tuple[Candidate, ...]

    def law_correction(self, residual: Array) -> Array:
        """Return an estimate of d with ``d (I - P) = e``, ``sum d = 0``; 0 where there is none."""
        found = self.method.correct_law(residual, _LATER_REDUCTION)
        if found is None:
            return np.zeros_like(residual)
        return found[0] - summed(found[0]) * self.law

    def poisson_correction(self, residual: Array) -> Array:
        """Return an estimate of d with ``d - P d = rho - pi(rho)``; 0 where there is none."""
        found = self.method.correct_poisson(residual - self.law @ residual, _LATER_REDUCTION)
        return np.zeros_like(residual) if found is None else found[0]


def approximated(
    chain: RoundedChain, observables: Sequence[Array], tolerance: float
) -> Approximated:
    """Solve for the law and for the Poisson solutions of some observables.

    Parameters
    ----------
    chain : RoundedChain
    observables : sequence of Array, each of shape (n_states,)
    tolerance : float
        The error of the law that will be accepted.

    Raises
    ------
    NotEnclosed
        Where no method serves; the message says why.
    """
    for method in sweeps(chain):
        found = _law(chain, method)
        times = None if found is None else method.hitting_times(found[0])
        if found is None or times is None:
            continue
        law, law_sweeps = found
        solutions = _solutions(chain, method, law, observables)
        if solutions is None:
            continue
        return Approximated(
            chain=chain,
            method=method,
            law=law,
            hitting=verified_hitting_times(chain, times[0], times[1]),
            sweeps=law_sweeps + times[2],
            solutions=solutions,
        )
    law = np.full(chain.n_states, 1 / chain.n_states)
    for _ in range(_GUESSING_SWEEPS):
        law = (law + chain.matrix.T @ law) / 2
    likely = int(law.argmax())
    try:
        return _by_elimination(chain, observables, tolerance, state=likely)
    except NotEnclosed:
        # Either the law is not unique, and this says so, or the state may have been transient.
        members = _recurrent_states(chain)
        if members[likely]:
            raise
    return _by_elimination(chain, observables, tolerance, state=int((law * members).argmax()))


def _by_elimination(
    chain: RoundedChain,
    observables: Sequence[Array],
    tolerance: float,
    *,
    state: int,
    again: bool = True,
) -> Approximated:
    method = eliminated(chain, state)
    law, _ = _law(chain, method) or (method.start(), 0)
    likeliest = int(law.argmax())
    # From an unlikely state hitting times are needlessly long: one more factorisation then.
    again = again and bool(law[likeliest] > _MUCH_LIKELIER * law[state])
    hitting = _proved_hitting_times(chain, method, law, tolerance, once=again)
    if hitting is None:
        return _by_elimination(chain, observables, tolerance, state=likeliest, again=False)
    return Approximated(
        chain=chain,
        method=method,
        law=law,
        hitting=hitting,
        sweeps=0,
        solutions=_solutions(chain, method, law, observables) or (),
    )


def _proved_hitting_times(
    chain: RoundedChain, method: Elimination, law: Array, tolerance: float, *, once: bool
) -> HittingTimes | None:
    """Bound the hitting times of the method's state; None where another one may do better.

    Raises
    ------
    NotEnclosed
        Where there is no other state to be tried.
    """
    state, times, _ = method.hitting_times(law)
    hitting: HittingTimes | None = None
    try:
        hitting = verified_hitting_times(chain, state, times)
    except NotEnclosed:
        if not once and chain.totals is None:
            raise
    # Rounding may take most of what a step gains.
    poor = hitting is None or hitting.longest > 2 * float(times.max())
    if hitting is not None and chain.totals is None:
        # Nothing will make up for rounding then.
        poor = poor or 8 * ROUNDOFF * float(law @ hitting.scaled) / hitting.floor > tolerance
    if poor and once:
        return None
    better = None
    if poor:
        better = unrounded_hitting_times(
            chain, state, times, correct=lambda gap: method.correct_poisson(gap, 1.0)[0]
        )
    if better is None and hitting is None:
        raise NotEnclosed("hitting times exceed what double precision resolves")
    return hitting if better is None else better


def _law(chain: RoundedChain, method: Method) -> tuple[Array, int] | None:
    law, total = method.start(), 0
    kept, smallest = law, inf
    for _ in range(_MOST_CORRECTIONS):
        residual = chain.predecessors(law) - law
        size = float(np.abs(residual).sum())
        if size > smallest / 2:
            break
        kept, smallest = law, size
        if size <= 2 * ROUNDOFF:
            break
        correction = method.correct_law(residual, ROUNDOFF / size)
        if correction is None:
            return None
        law = np.maximum(law + correction[0], 0)
        law /= summed(law)
        total += correction[1]
    return kept, total


def _solutions(
    chain: RoundedChain, method: Method, law: Array, observables: Sequence[Array]
) -> tuple[Candidate, ...] | None:
    found = []
    for observable in observables:
        candidate = _solution(chain, method, law, observable)
        if candidate is None:
            return None
        found.append(candidate)
    return tuple(found)


def _solution(
    chain: RoundedChain, method: Method, law: Array, observable: Array
) -> Candidate | None:
    u, total = np.zeros(chain.n_states), 0
    kept = Candidate(values=u, low=-inf, high=inf, sweeps=0)
    smallest = inf
    for _ in range(_MOST_CORRECTIONS):
        low, high, residual = poisson_residual(chain, observable, u)
        residual -= law @ residual
        spread = float(np.abs(residual).max())
        if not spread <= smallest / 2:
            break
        kept, smallest = Candidate(values=u, low=low, high=high, sweeps=total), spread
        noise = 4 * ROUNDOFF * (float(np.abs(u).max()) + float(np.abs(observable).max()))
        if spread <= noise:
            break
        correction = method.correct_poisson(residual, noise / spread)
        if correction is None:
            return None
        u = u + correction[0]
        u -= law @ u
        total += correction[1]
    return kept


def _recurrent_states(chain: RoundedChain) -> npt.NDArray[np.bool_]:
    """Tell which states belong to the one recurrent class.

    Raises
    ------
    NotEnclosed
        Where there are several.
    """
    from scipy.sparse import csr_array  # noqa: PLC0415 - heavy, and for slow chains only
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    pattern = csr_array(chain.matrix)
    number, labels = connected_components(pattern, connection="strong")
    sources = np.repeat(labels, np.diff(pattern.indptr))
    left = np.zeros(number, dtype=bool)
    left[sources[sources != labels[pattern.indices]]] = True
    closed = np.flatnonzero(~left)
    if closed.size > 1:
        first, second = (int(np.flatnonzero(labels == label)[0]) for label in closed[:2])
        raise NotEnclosed(
            f"the chain has {closed.size} recurrent classes, such as those of states {first} and"
            f" {second}: its stationary law is not unique"
        )
    members: npt.NDArray[np.bool_] = labels == closed[0]
    return members
