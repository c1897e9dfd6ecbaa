r"""Distances of laws of the joint chain, enclosed.

The points (state, memory) are at the distance ``d_M((i, v), (j, w)) = M 1{i != j} + |v - w|``, and
two laws at the distance W, the cost of an optimal transport between them.

For two laws with the same law of the state and ``M >= 2 vbar`` no state need change, and W is the
sum over the states of the distances on the line, ``int |F_i - G_i|`` of the two distribution
functions: the potentials of the states can be shifted to values in ``[-vbar, vbar]``, so that
together they obey d_M.  For a smaller M, W is no larger.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from verification.enclosure.balls import Between, ball, exact_ball
from verification.enclosure.doubles import UNDERFLOW, gamma, nearest, upward
from verification.markov.transport import transport_between
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
    """Enclose W of two laws by an optimal transport between at most `POINTS` points of each.

    Parameters
    ----------
    first, second : JointLaw
    weight : Fraction
        The constant M of the distance.
    """
    here, there = _points(first), _points(second)
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


@dataclass(frozen=True, kw_only=True, eq=False)
class _Points:
    """A law on few points; `error` bounds the cost of moving there, `missing` the mass changed."""

    states: Indices
    memories: Array
    masses: tuple[Fraction, ...]
    error: Fraction
    missing: Fraction


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
