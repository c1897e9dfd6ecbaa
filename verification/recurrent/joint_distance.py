r"""Distances of laws of the joint chain, enclosed.

The points (state, memory) are at the distance ``d_M((i, v), (j, w)) = M 1{i != j} + |v - w|``, and
two laws at the distance W, the cost of an optimal transport between them.

For two laws with the same law of the state and ``M >= 2 vbar`` no state need change, and W is the
sum over the states of the distances on the line, ``int |F_i - G_i|`` of the two distribution
functions: the potentials of the states can be shifted to values in ``[-vbar, vbar]``, so that
together they obey d_M.  For a smaller M, W is no larger.

Else W is an optimal transport, a linear program between few points of each law.  Where even these
are too many it is enclosed by sorting alone.  Write p_i and q_i for the laws' masses of the states.

* *Below.*  ``M 1{i in A} + g(v)`` with ``A = {i: p_i > q_i}`` and any g of slope at most 1 changes
  by d_M at most from one point to another: ``W >= M sum_i (p_i - q_i)^+ + W_1``, W_1 the distance
  on the line of the two laws of the memory, whose best g is taken.
* *Above.*  Of each state the part ``min(p_i, q_i) / p_i`` of the first law is matched with the part
  ``min(p_i, q_i) / q_i`` of the second, both in the order of the memories; what is left over,
  ``sum_i (p_i - q_i)^+`` of each law, is matched in that order whatever its state.

The two differ by sums of distances on the line only, none of which M multiplies.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from verification.enclosure.balls import Between, ball, exact_ball
from verification.enclosure.doubles import UNDERFLOW, gamma, nearest, upward
from verification.markov.transport import MAX_PAIRS, transport_between
from verification.recurrent.joint import Array, Indices, JointLaw

POINTS = 96
"""How many points of each law a transport is computed between, if the states are no more."""


def mean_absolute_memory(law: JointLaw) -> Between:
    """Enclose the mean of |v|."""
    weights = law.masses.sum(axis=0)
    value = Fraction(float(weights @ np.abs(law.memories)))
    rounding = gamma(law.masses.size + 2) * (1 + law.mass_error) * law.bound + UNDERFLOW
    return _around(value, rounding + law.mass_error * law.bound + law.spread())


def memory_distance(first: JointLaw, second: JointLaw) -> Between:
    """Enclose W of two laws with the same law of the state, M at least 2 vbar."""
    memories = np.concatenate((first.memories, second.memories))
    order = np.argsort(memories)
    signed = np.concatenate((first.masses, -second.masses), axis=1)[:, order]
    gaps = np.diff(memories[order])
    value = Fraction(float((np.abs(np.cumsum(signed, axis=1))[:, :-1] @ gaps).sum()))
    extent = 2 * max(first.bound, second.bound)
    errors = first.mass_error + second.mass_error
    # Each state's distribution functions are sums of fewer terms than there are masses.
    rounding = 2 * gamma(signed.size + len(gaps) + 4) * (2 + errors) * extent + UNDERFLOW
    return _around(value, rounding + errors * extent + first.spread() + second.spread())


def joint_distance(first: JointLaw, second: JointLaw, weight: Fraction) -> Between:
    """Enclose W of two laws, by an optimal transport between few points of each if they are few.

    Parameters
    ----------
    first, second : JointLaw
    weight : Fraction
        The constant M of the distance.

    Returns
    -------
    Between
        Where the points have more than `MAX_PAIRS` pairs, as wide as `sorted_distance` makes it.
    """
    here, there = _points(first), _points(second)
    if len(here.masses) * len(there.masses) > MAX_PAIRS:
        return sorted_distance(first, second, weight)
    differences = np.abs(here.memories[:, np.newaxis] - there.memories)
    apart = here.states[:, np.newaxis] != there.states
    price = nearest(weight)[0]
    # Two roundings, and that of M.
    costs = differences + np.where(apart, price, 0.0)
    inward, outward = 1 - 2.0**-50, 1 + 2.0**-50
    found = transport_between(here.masses, there.masses, costs * inward, costs * outward)
    error = here.error + there.error
    missing = first.mass_error + second.mass_error + here.missing + there.missing
    # Masses that were miscounted cost at most what the costs vary by, times the total variation,
    # half of their sum; that they were not moved to the few points, a memory's way besides.
    bound = max(first.bound, second.bound)
    slack = exact_ball(upward(error + missing * (weight / 2 + 3 * bound)))
    return Between((found.lower - slack).nonnegative_part(), found.upper + slack)


def sorted_distance(first: JointLaw, second: JointLaw, weight: Fraction) -> Between:
    """Enclose W of two laws by sorting their memories: for laws of any size.

    Parameters
    ----------
    first, second : JointLaw
    weight : Fraction
        The constant M of the distance.

    Returns
    -------
    Between
        Between a potential and a plan, see the module's docstring; beyond roundings the two differ
        by less than ``2 vbar``, and by nothing where the laws have no state in common or each has
        one memory only.
    """
    memories = np.concatenate((first.memories, second.memories))
    order = np.argsort(memories)
    gaps = np.diff(memories[order])
    here, there = first.masses.sum(axis=1), second.masses.sum(axis=1)
    common = np.minimum(here, there)[:, np.newaxis]
    shares = [
        np.divide(common, mass, out=np.zeros_like(common), where=mass > 0)
        for mass in (here[:, np.newaxis], there[:, np.newaxis])
    ]

    def on_the_line(one: Array, other: Array) -> Fraction:
        """Return the distance, summed over the rows."""
        signed = np.concatenate((one, -other), axis=-1)[..., order]
        return Fraction(float((np.abs(np.cumsum(signed, axis=-1))[..., :-1] @ gaps).sum()))

    within = on_the_line(first.masses * shares[0], second.masses * shares[1])
    across = on_the_line(
        *(
            (law.masses * (1 - share)).sum(axis=0)
            for law, share in zip((first, second), shares, strict=True)
        )
    )
    of_memories = on_the_line(first.masses.sum(axis=0), second.masses.sum(axis=0))
    moved = weight * Fraction(float(np.maximum(here - there, 0.0).sum()))

    bound = max(first.bound, second.bound)
    errors = first.mass_error + second.mass_error
    # A potential, less a constant, is at most M/2 + vbar: masses that are miscounted, or that the
    # plan leaves out because the totals differ, cost at most twice that; and on the line no more
    # than the interval of length 2 vbar.  A mass passes through so many roundings in sums over
    # atoms, states and gaps.
    most = weight + 4 * bound
    rounding = 2 * gamma(3 * len(memories) + 2 * len(here) + 16) * (2 + errors) * most + UNDERFLOW
    slack = errors * most + rounding + first.spread() + second.spread()
    low = max(moved + of_memories - slack, Fraction(0))
    return Between(ball(low), ball(moved + within + across + slack))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Points:
    """A law on few points; `error` bounds the cost of moving there, `missing` the mass changed."""

    states: Indices
    memories: Array
    masses: tuple[Fraction, ...]
    error: Fraction
    missing: Fraction


# Laws are compared by identity, and one is often compared with several others.
@lru_cache(maxsize=8)
def _points(law: JointLaw) -> _Points:
    """Return a law of rational masses that sum to 1, at few points, beside an enclosed one."""
    states, atoms = np.nonzero(law.masses)
    memories, masses = law.memories[atoms], law.masses[states, atoms]
    limit = max(POINTS, len(np.unique(states)))
    labels = np.arange(len(states))
    if len(states) > limit:
        labels = _few(states, memories, limit)
    total = np.bincount(labels, masses)
    centres = np.bincount(labels, masses * memories) / total
    first = np.zeros(len(total), dtype=np.intp)
    first[labels] = states
    moved = Fraction(float(masses @ np.abs(memories - centres[labels])))
    exact = [Fraction(float(mass)) for mass in total]
    whole = sum(exact, Fraction(0))
    rational = tuple(mass / whole for mass in exact)
    # Roundings of the sums of masses, then scaling all of them by 1/whole.
    missing = gamma(len(masses) + 2) * whole + abs(whole - 1)
    return _Points(
        states=first,
        memories=centres,
        masses=rational,
        error=moved * (1 + 2 * gamma(len(masses) + 4)) + law.spread() + UNDERFLOW,
        missing=missing,
    )


def _few(states: Indices, memories: Array, limit: int) -> Indices:
    """Label points so that those of a label share a state and are near to each other."""
    start, extent = float(memories.min()), float(np.ptp(memories)) or 1.0

    def labelled(cells: float) -> Indices:
        keys = np.floor((memories - start) / extent * cells) * (states.max() + 1) + states
        labels: Indices = np.unique(keys, return_inverse=True)[1]
        return labels

    best, cells = labelled(0.5), 1.0
    while (finer := labelled(cells)).max() < limit and cells < 2.0**40:
        best, cells = finer, cells * 1.25
    return best


def _around(value: Fraction, error: Fraction) -> Between:
    return Between(ball(max(value - error, Fraction(0))), ball(value + error))
