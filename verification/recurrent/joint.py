r"""The law of the joint chain zeta = (xi, v): pushed forward, and its invariant law.

One step of the joint chain's kernel Q takes (i, v) to (j, Phi(x_i, v)) with probability P_ij.  Its
law is enclosed by finitely many *atoms*, intervals of memories ``memories[a] +- radii[a]``: there
is a pair (zeta, A) such that zeta has the law in question, its memory lies in atom A, and
``P(xi = i, A = a)`` is ``masses[i, a]``: outside of an event, and up to errors, whose
probabilities sum to at most `mass_error`.

**A step.**  The memory v in ``c +- r`` becomes ``Phi(x_i, c)`` up to
``min(|Phi'(x_i, c)| r + s2 E|B| r^2 / 2, s1 E|B| r)`` (Taylor; A1).  Images nearer to each other
than a width that is chosen so that few enough are left become one interval, their hull.  Where
inputs coincide no memory branches, and where a chain visits few pasts the atoms stay few.

**The invariant law** mu has the chain's stationary law pi for its states and memories in
``[-vbar, vbar]``.  A step keeps it: it is enclosed by what becomes of pi and that whole interval
after any number of steps.

All of it runs in double precision with the bounds of `verification.enclosure.doubles`.  The memory
map in double precision is compared with that in balls, at a few points of every instance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from verification.enclosure.balls import (
    Ball,
    Number,
    ball,
    exact_ball,
    less,
    precision,
    shown,
    working_precision,
)
from verification.enclosure.doubles import UNDERFLOW, above, gamma, nearest, upward
from verification.errors import NotEnclosed
from verification.instance import AtomicLaw, Chain, Constant, Instance, Law, Normal
from verification.markov.finite import stationary_law
from verification.recurrent.activation import activation
from verification.recurrent.law import mean_absolute_b
from verification.recurrent.memory import memory_bound, memory_map, memory_map_derivative
from verification.recurrent.memory_doubles import memory_map_and_slope_doubles, memory_map_doubles
from verification.verdict import Truth

Array: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]

ATOMS_PER_BIT = 16
MAX_ATOMS = 4_096
"""How many atoms are kept: so many for each bit of the working precision, up to a limit."""

MAX_STEPS = 1_000
_FEW_STATES = 64
_PATIENCE = 8
_MORE_PATIENCE = 128
_PAIRS_PER_ATOM = 2_000
_PROGRESS = Fraction(99, 100)
_WIDE = 2.0**-6
_PIECES = 16
_MAX_PIECES = 40_000
_OUTWARD = 1 + 2.0**-40
_NARROW = 2.0**-44
_CHECKED_INPUTS = 4
_CHECKED_MEMORIES = (0.3, -0.7)
_CHECKED_BITS = 96


@dataclass(frozen=True, kw_only=True, eq=False)
class JointLaw:
    """An enclosed law of (state, memory).

    Parameters
    ----------
    memories, radii : Array, shape (n_atoms,)
        The atoms ``memories +- radii``, intervals of memories.
    masses : Array, shape (n_states, n_atoms)
        Probabilities of the pairs of a state and an atom.
    mass_error : Fraction
        Bound of the sum of the masses' errors.
    bound : Fraction
        Bound of every memory and of the atoms' centres.
    """

    memories: Array
    radii: Array
    masses: Array
    mass_error: Fraction
    bound: Fraction

    def spread(self) -> Fraction:
        """Bound how far a memory is from its atom's centre, on average."""
        return self._spread

    @cached_property
    def _spread(self) -> Fraction:
        mean = Fraction(float(self.masses.sum(axis=0) @ self.radii))
        # The terms are positive: their sum errs by a small part of itself.
        mean += 2 * gamma(self.masses.size + 2) * mean + UNDERFLOW
        return above(mean + 2 * self.mass_error * self.bound)

    def __len__(self) -> int:
        return len(self.memories)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Map:
    """What a step needs of an instance, at every precision.

    Parameters
    ----------
    inputs : Array, shape (n_inputs, dimension)
        The distinct inputs, rounded.
    input_of : Indices, shape (n_states,)
        Which of them each state has.
    input_error : float
        What rounding the inputs changes Phi by, and s2 E|B W| times it changes Phi' by.
    slope_error : float
    slope, curvature, bound : float
        Upper bounds of s1 E|B|, s2 E|B| and vbar.
    transposed : csr_array, shape (n_states, n_states)
        The transition matrix, rounded, transposed.
    in_degree : int
        The largest number of predecessors of a state.
    """

    inputs: Array
    input_of: Indices
    input_error: float
    slope_error: float
    slope: float
    curvature: float
    bound: float
    transposed: sparse.csr_array[np.float64]
    in_degree: int


@lru_cache(maxsize=16)
def _map(instance: Instance) -> _Map:
    """Return what a step needs, after a look at the memory map in double precision.

    Raises
    ------
    NotEnclosed
        Where a bound is beyond the range of doubles, or where the memory map in double precision
        and that in balls do not agree.
    """
    prepared = _unchecked_map(instance)
    _check_map(prepared, instance)
    return prepared


def _check_map(prepared: _Map, instance: Instance) -> None:
    """Compare the two memory maps, and their derivatives, at some inputs and memories.

    Both sides of a claim rest on the one in double precision: a fault in it would show in neither.
    """
    kinds = np.unique(np.linspace(0, len(prepared.inputs) - 1, _CHECKED_INPUTS).astype(np.intp))
    first = [int(np.flatnonzero(prepared.input_of == kind)[0]) for kind in kinds]
    memories = np.array(_CHECKED_MEMORIES) * prepared.bound
    allowed = (prepared.input_error, prepared.slope_error)
    for order, rounding in enumerate(allowed):
        values, error = memory_map_doubles(
            instance,
            np.repeat(prepared.inputs[kinds], len(memories), axis=0),
            np.tile(memories, len(kinds)),
            order=order,
        )
        within = exact_ball(error) + exact_ball(rounding)
        for k, value in enumerate(values):
            state = first[k // len(memories)]
            memory = exact_ball(float(memories[k % len(memories)]))
            with precision(_CHECKED_BITS):
                truth = (
                    memory_map_derivative(instance, state, memory)
                    if order
                    else memory_map(instance, state, memory)
                )
                apart = abs(exact_ball(float(value)) - truth)
                if less(within, apart) is Truth.TRUE:
                    what = "the memory map's derivative" if order else "the memory map"
                    raise NotEnclosed(
                        f"{what} in double precision is {shown(apart, 3)} off at state {state}, "
                        f"beyond its bound {shown(within, 3)}: a fault of this project or of the "
                        "machine's elementary functions"
                    )


def _unchecked_map(instance: Instance) -> _Map:
    chain, law = instance.chain, instance.law
    sigma = activation(instance.activation)
    mean = mean_absolute_b(law)
    slope, curvature = (ball(sigma.bound(order)) * ball(mean) for order in (1, 2))
    rounded = [[nearest(x) for x in chain.inputs[state]] for state in chain.first_states]
    moved = max(
        sum(
            (_mean_absolute_bw(law, k) * bounds.error for k, (_, bounds) in enumerate(point)),
            Fraction(0),
        )
        for point in rounded
    )
    matrix = rounded_transpose(chain)
    return _Map(
        inputs=np.array([[x for x, _ in point] for point in rounded]),
        input_of=np.array(chain.input_numbers, dtype=np.intp),
        input_error=_finite(ball(sigma.bound(1)) * ball(moved)),
        slope_error=_finite(ball(sigma.bound(2)) * ball(moved)),
        slope=_finite(slope),
        curvature=_finite(curvature),
        bound=_finite(ball(memory_bound(instance))),
        transposed=matrix,
        in_degree=int(np.diff(matrix.indptr).max()),
    )


def _finite(number: Ball) -> float:
    """Return a double no smaller than a number, or refuse."""
    return float(above(number))


def input_rounding(instance: Instance) -> float:
    """Bound what rounding an input to doubles changes Phi by."""
    return _map(instance).input_error


def rounded_transpose(chain: Chain) -> sparse.csr_array[np.float64]:
    """Return the transition matrix, transposed, each probability the double next to it."""
    entries = [(j, i, float(p)) for i, row in enumerate(chain.rows) for j, p in row]
    rows, columns, values = zip(*entries, strict=True)
    shape = (chain.n_states, chain.n_states)
    return sparse.csr_array((np.array(values), (rows, columns)), shape=shape)


def _mean_absolute_bw(law: Law, k: int) -> Fraction:
    """Bound ``E|B W_k|``."""
    if isinstance(law, AtomicLaw):
        return sum((atom.p * abs(atom.b * atom.w[k]) for atom in law.atoms), Fraction(0))
    if isinstance(law.w, Constant):
        size = abs(law.w.value[k])
    elif isinstance(law.w, Normal):
        size = abs(law.w.mean[k]) + law.w.std
    else:
        size = max(abs(law.w.low[k]), abs(law.w.high[k]))
    return mean_absolute_b(law) * size


def law_with_memory(
    instance: Instance, states: Sequence[Number], memory: Fraction, radius: float = 0.0
) -> JointLaw:
    """Return a law whose memory is one number, or lies in one interval, in every state.

    Parameters
    ----------
    instance : Instance
    states : sequence of Number, shape (n_states,)
        The law of the state.
    memory : Fraction
    radius : float
    """
    rounded = [nearest(p) for p in states]
    centre, bounds = nearest(memory)
    return JointLaw(
        memories=np.array([centre]),
        radii=np.array([upward(Fraction(radius) + bounds.error)]),
        masses=np.array([[max(p, 0.0)] for p, _ in rounded]),
        mass_error=above(sum((error.error for _, error in rounded), Fraction(0))),
        # The memory may be the double's rounding farther out than the double.
        bound=max(
            abs(Fraction(centre)) + Fraction(radius) + bounds.error,
            Fraction(_map(instance).bound),
        ),
    )


def point_law(instance: Instance, state: int, memory: Fraction) -> JointLaw:
    """Return the law of one point (state, memory)."""
    states = [Fraction(i == state) for i in range(instance.chain.n_states)]
    return law_with_memory(instance, states, memory)


def pushed(instance: Instance, law: JointLaw, steps: int) -> JointLaw:
    """Return the law after so many steps of the joint chain."""
    for _ in range(steps):
        law = _step(_map(instance), instance, law, _limit())
    return law


@dataclass
class _Latest:
    """The law after the largest number of steps that was asked for so far."""

    law: JointLaw
    steps: int = 0


@lru_cache(maxsize=8)
def _latest(instance: Instance, state: int | None, memory: Fraction, _bits: int) -> _Latest:
    return _Latest(_first_law(instance, state, memory))


def _first_law(instance: Instance, state: int | None, memory: Fraction) -> JointLaw:
    if state is None:
        return law_with_memory(instance, stationary_law(instance.chain), memory)
    return point_law(instance, state, memory)


def law_after(instance: Instance, state: int | None, memory: Fraction, steps: int) -> JointLaw:
    """Return the law after so many steps from one memory and state (None: stationary).

    It is found from the law after fewer steps, where that was the last one asked for.
    """
    latest = _latest(instance, state, memory, working_precision())
    if steps < latest.steps:
        return pushed(instance, _first_law(instance, state, memory), steps)
    latest.law = pushed(instance, latest.law, steps - latest.steps)
    latest.steps = steps
    return latest.law


def _limit() -> int:
    return min(ATOMS_PER_BIT * working_precision(), MAX_ATOMS)


def history_law(instance: Instance, known: int) -> JointLaw:
    """Return the m-history law: xi stationary, the memory 0 before its last m = `known` inputs."""
    return law_after(instance, None, Fraction(0), known)


def invariant_law(instance: Instance) -> JointLaw:
    """Return the invariant law of the joint chain; the chain has one recurrent class.

    Notes
    -----
    Steps are taken until the atoms are as narrow as their number allows: with few atoms first,
    which soon forget the whole interval, then with more.
    """
    few = instance.chain.n_states <= _FEW_STATES
    return (_of_few_states if few else _of_many_states)(instance, working_precision())


def _invariant_law(instance: Instance, _bits: int) -> JointLaw:
    prepared, limit = _map(instance), _limit()
    goal = _NARROW * Fraction(prepared.bound)
    best = law_with_memory(instance, stationary_law(instance.chain), Fraction(0), prepared.bound)
    steps = pairs = 0
    for atoms in (limit // 64, limit // 16, limit // 4, limit):
        law, spreads = best, [best.spread()]
        while steps < MAX_STEPS and pairs < _PAIRS_PER_ATOM * limit and best.spread() > goal:
            law = _step(prepared, instance, law, atoms)
            steps, pairs = steps + 1, pairs + len(law) * len(prepared.inputs)
            spreads.append(law.spread())
            if spreads[-1] < best.spread():
                best = law
            # Few atoms are cheap to push, and may converge slowly; many are soon as narrow as
            # their number allows.
            patience = _PATIENCE if len(law) > atoms // 4 else _MORE_PATIENCE
            if len(spreads) > patience and spreads[-1] > _PROGRESS * spreads[-1 - patience]:
                break
    return best


# Several claims ask for each: small ones are kept for as many instances as a run has.
_of_few_states = lru_cache(maxsize=64)(_invariant_law)
_of_many_states = lru_cache(maxsize=8)(_invariant_law)


def _step(prepared: _Map, instance: Instance, law: JointLaw, limit: int) -> JointLaw:
    n_states, n_atoms = law.masses.shape
    n_inputs = len(prepared.inputs)
    # The pairs of a state and an atom that have mass, and those of an input and an atom.
    is_present = law.masses > 0
    states, places = np.nonzero(is_present)
    inputs = prepared.input_of[states]
    is_held = np.zeros((n_inputs, n_atoms), dtype=bool)
    is_held[inputs, places] = True
    kinds, atoms = np.nonzero(is_held)
    images, radii = _images(prepared, instance, prepared.inputs[kinds], law, atoms)
    labels, centres, widths = _merged(images, radii, limit, _NARROW * prepared.bound)
    targets = np.empty((n_inputs, n_atoms), dtype=np.intp)
    targets[kinds, atoms] = labels
    keys = states * len(centres) + targets[inputs, places]
    size = n_states * len(centres)
    gathered = np.bincount(keys, law.masses[is_present], size).reshape(n_states, -1)
    terms = int(np.bincount(keys).max()) + prepared.in_degree + 3
    masses: Array = prepared.transposed @ gathered
    return JointLaw(
        memories=centres,
        radii=widths,
        masses=masses,
        # Rounded up: exact, its denominator would grow with every step.
        mass_error=above(law.mass_error + gamma(terms) * (1 + law.mass_error) + UNDERFLOW),
        bound=max(law.bound, Fraction(float(np.abs(centres).max()))),
    )


def _images(
    prepared: _Map, instance: Instance, inputs: Array, law: JointLaw, atoms: Indices
) -> tuple[Array, Array]:
    """Return centres and radii of the images of atoms under Phi(x, .).

    A wide atom is cut into pieces, whose images are joined.
    """
    memories, radii = law.memories[atoms], law.radii[atoms]
    wide = float(radii.max()) > _WIDE * prepared.bound
    if not wide or len(atoms) * _PIECES > _MAX_PIECES:
        return _images_of_pieces(prepared, instance, inputs, memories, radii)
    offsets = np.linspace(1 / _PIECES - 1, 1 - 1 / _PIECES, _PIECES)
    pieces = memories[:, np.newaxis] + radii[:, np.newaxis] * offsets
    # Rounding moves a piece's centre by less than this much of the ends.
    margin = (np.abs(memories) + radii)[:, np.newaxis] * 2.0**-50
    halves = np.broadcast_to(radii[:, np.newaxis] / _PIECES + margin, pieces.shape)
    values, spread = (
        each.reshape(pieces.shape)
        for each in _images_of_pieces(
            prepared, instance, np.repeat(inputs, _PIECES, axis=0), pieces.ravel(), halves.ravel()
        )
    )
    return _hull((values - spread).min(axis=1), (values + spread).max(axis=1))


def _images_of_pieces(
    prepared: _Map, instance: Instance, inputs: Array, memories: Array, radii: Array
) -> tuple[Array, Array]:
    spread = prepared.slope * radii
    if radii.any():
        (values, error), (slopes, slope_error) = memory_map_and_slope_doubles(
            instance, inputs, memories
        )
        steepness = np.abs(slopes) + (slope_error + prepared.slope_error)
        spread = np.minimum(spread, (steepness + prepared.curvature * radii / 2) * radii)
    else:
        values, error = memory_map_doubles(instance, inputs, memories)
    return values, (spread + (error + prepared.input_error)) * _OUTWARD


def _hull(low: Array, high: Array) -> tuple[Array, Array]:
    """Return centres and radii of intervals whose ends were rounded once."""
    rounding = 4 * 2.0**-53 * (np.abs(low) + np.abs(high))
    return (low + high) / 2, ((high - low) / 2 + rounding) * _OUTWARD


def _merged(centres: Array, radii: Array, limit: int, least: float) -> tuple[Indices, Array, Array]:
    """Merge intervals into at most `limit` + 1 hulls: a label for each, hulls' centres and radii.

    Those in one cell of a grid are merged; the grid is as fine as the limit allows, and no finer
    than `least`.
    """
    order = np.argsort(centres)
    offsets = centres[order]
    start, extent = float(offsets[0]), float(offsets[-1] - offsets[0])
    offsets -= start
    # Where B = 0 all centres are 0, and any width will do.
    width = least = least or 1.0
    if len(centres) > limit:
        width = max(extent / limit, least)
        while width > least:
            finer = max(width / 4, least)
            if np.count_nonzero(np.diff(np.floor(offsets / finer))) >= limit:
                break
            width = finer
    is_new = np.concatenate(([True], np.diff(np.floor(offsets / width)) > 0))
    firsts = np.flatnonzero(is_new)
    labels = np.empty(len(centres), dtype=np.intp)
    labels[order] = np.cumsum(is_new) - 1
    count = np.diff(firsts, append=len(centres))
    low = np.minimum.reduceat((centres - radii)[order], firsts)
    high = np.maximum.reduceat((centres + radii)[order], firsts)
    middle, widths = _hull(low, high)
    alone = count[labels] == 1
    middle[labels[alone]] = centres[alone]
    widths[labels[alone]] = radii[alone]
    return labels, middle, widths
