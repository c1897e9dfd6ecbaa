"""The witnesses of claims on the joint chain: a grid of memories, and its invariant law there.

Nothing is proved here: the checker moves the laws to the grid, and adds up what that costs.  A
grid is the better the nearer it is to the memories that occur.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import frexp

import numpy as np
import numpy.typing as npt

from verification.certificate.check.claims.ergodicity_claims import MAX_WEIGHT
from verification.enclosure.balls import ball, precision, upper_double
from verification.instance import Instance
from verification.markov.finite import stationary_law
from verification.recurrent.joint import Array, invariant_law, rounded_transpose
from verification.recurrent.memory import memory_bound
from verification.recurrent.memory_doubles import memory_map_doubles

MOST_POINTS, MOST_MASSES = 2_048, 20_000
"""How many memories a grid has, and how many masses all states have together on it."""

_ROUNDS = 400
_PUSHES = 4_000
_BITS = 64
_PRECISION = 64
_FINEST = 2.0**-36
_STILL = 1e-15

_Places = npt.NDArray[np.intp]


def grid(
    instance: Instance, starts: Iterable[Fraction], finer: int = 1, rounds: int | None = None
) -> Array:
    """Return memories near to all that occur from the starts on, increasing.

    As few of them are kept as fit, `finer` times as many: one in each cell of a width that is found
    by trying, where the solver's invariant law has one, that one.  Or those that occur in a number
    of rounds, without regard to the invariant law.
    """
    bound = upper_double(ball(memory_bound(instance))) or 1.0
    most = min(MOST_POINTS, MOST_MASSES // instance.chain.n_states) * finer
    first = [(np.array([float(start) for start in starts]), rounds or _ROUNDS)]
    if rounds is None:
        with precision(_PRECISION):
            law = invariant_law(instance)
        first.insert(0, (law.memories[law.masses.sum(axis=0) > 0], _ROUNDS))
    width = bound * _FINEST
    while (found := _closure(instance, first, width, most)) is None:
        width *= 4
    narrow, wide = width / 4, width
    for _ in range(4 if width > bound * _FINEST else 0):
        middle = float(np.sqrt(narrow * wide))
        better = _closure(instance, first, middle, most)
        if better is None:
            narrow = middle
        else:
            found, wide = better, middle
    return found


def _inputs(instance: Instance) -> Array:
    points = dict.fromkeys(instance.chain.inputs)
    return np.array([[float(x) for x in point] for point in points])


def _closure(
    instance: Instance, starts: list[tuple[Array, int]], width: float, most: int
) -> Array | None:
    """Return memories with all their images, one for each cell; None where they are too many."""
    inputs, seen = _inputs(instance), {}
    for first, rounds in starts:
        frontier = first
        for _ in range(rounds + 1):
            fresh = {}
            for value in frontier.tolist():
                cell = int(value // width)
                if cell not in seen:
                    seen[cell] = fresh[cell] = value
            if len(seen) > most:
                return None
            if not fresh:
                break
            memories = np.array(list(fresh.values()))
            frontier = memory_map_doubles(
                instance, np.repeat(inputs, len(memories), axis=0), np.tile(memories, len(inputs))
            )[0]
    return np.sort(np.array(list(seen.values())))


def points(memories: Array) -> list[Fraction]:
    """Return memories as numbers of one denominator."""
    exponent = _BITS - frexp(float(np.abs(memories).max()) or 1.0)[1]
    unit = Fraction(2) ** -exponent
    return [k * unit for k in sorted({round(Fraction(float(v)) / unit) for v in memories})]


def weights(instance: Instance, memories: list[Fraction]) -> list[list[int]]:
    """Return roughly the invariant law of the joint chain, moved to the grid with every step.

    In each state relative weights.
    """
    places = np.array([float(v) for v in memories])
    inputs = _inputs(instance)
    images = memory_map_doubles(
        instance, np.repeat(inputs, len(places), axis=0), np.tile(places, len(inputs))
    )[0].reshape(len(inputs), -1)
    right = np.searchsorted(places, images).clip(0, len(places) - 1)
    left = (right - 1).clip(0)
    nearer = np.where(images - places[left] < places[right] - images, left, right)
    nearest: _Places = nearer[np.array(instance.chain.input_numbers)]
    size, count = instance.chain.n_states, len(places)
    keys = (np.arange(size)[:, np.newaxis] * count + nearest).ravel()
    matrix = rounded_transpose(instance.chain)
    law = np.zeros((size, count))
    start = int(np.abs(places).argmin())
    law[:, start] = [upper_double(ball(p)) for p in stationary_law(instance.chain)]
    for _ in range(_PUSHES):
        following = matrix @ np.bincount(keys, law.ravel(), size * count).reshape(size, count)
        still = float(np.abs(following - law).sum()) < _STILL
        law = following
        if still:
            break
    shares = law / np.maximum(law.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    shares[law.sum(axis=1) == 0, 0] = 1.0
    return [[int(x) for x in row] for row in np.rint(shares * (MAX_WEIGHT // 1000)).tolist()]
