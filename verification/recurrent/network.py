r"""Training of a finite network: the recursion itself, for independent replicas.

**The recursion.**  N hidden units i carry (C^i, W^i, B^i), independent draws of the initial law,
and a hidden state S^i, 0 at first.  With ``x = x_{xi_k}``, ``y = y_{xi_k}`` the data of step k,

    v_k = (1/N) sum_j B_k^j S_k^j,     S_{k+1}^i = sigma(W_k^i.x + v_k),
    p_k = N^-beta sum_i C_k^i S_{k+1}^i,     e_k = psi(p_k) - y,

and, sigma' taken at ``W_k^i.x + v_k``, online gradient descent with backpropagation truncated
after one step is

    C_{k+1}^i = C_k^i - alpha N^(beta-2) e_k S_{k+1}^i,
    W_{k+1}^i = W_k^i - alpha N^(beta-2) e_k C_k^i sigma' x,
    B_{k+1}^j = B_k^j - alpha N^(beta-3) e_k S_k^j sum_i C_k^i sigma'.

psi clips the output smoothly: with ``A = N^gamma`` and ``t = (|z| - A)/(2A)`` cut to [0, 1] it is z
up to ``|z| = A`` and ``sign(z) (A + 2A (t - t^3 + t^4/2))`` beyond.  The output at (x, v) is
``G_k(x, v) = N^-beta sum_i C_k^i sigma(W_k^i.x + v)``.

**Reproducible.**  A replica is determined by (seed, replica, width) alone: its units and its path
come from two streams of their own, whatever else is drawn, and however many workers there are.
Sums over units are taken in an order that depends on the processor: between machines the last
bits differ.

Nothing here is an enclosure: these are the floating-point numbers that training gives.

Many replicas at once, on several cores, and the largest deviation of the output from a given curve
over all steps: `verification.recurrent.network_replicas`.

Source: Lam, Sirignano and Spiliopoulos (arXiv 2308.14555), section 2.
"""

from __future__ import annotations

import importlib.util
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from verification.errors import InvalidInstance, NotEnclosed
from verification.instance import (
    ActivationSpec,
    AtomicLaw,
    Chain,
    Constant,
    Instance,
    Law,
    Normal,
    Uniform,
)
from verification.recurrent.activation_doubles import evaluate, evaluator

Array: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]
Seen: TypeAlias = tuple[Array, float, tuple[float, float, float], float, float]

MAX_WIDTH = 2**24
MAX_STEPS = 2**31

_ALIGNMENT = 64
_DOUBLES = 16
"""Rows are filled up with units that are zero to a multiple of this: no vector is cut short."""

_PAGE = 512
_ROWS = 6
"""C, B, S, the hidden state before, what goes through a unit, and room for arguments."""

_CALLS = 4_000
"""So many units are updated by numpy in the time that the calls of one step take."""

_MANY_UPDATES = 2**24
"""So many are in an eighth of the time that numba takes to start: replicas seldom come alone."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Units:
    """The parameters of N hidden units.

    Parameters
    ----------
    output : Array, shape (n_units,)
        C.
    input : Array, shape (dimension, n_units)
        W.
    feedback : Array, shape (n_units,)
        B.
    """

    output: Array
    input: Array
    feedback: Array

    def copy(self) -> Units:
        """Return a copy."""
        return Units(
            output=self.output.copy(), input=self.input.copy(), feedback=self.feedback.copy()
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Trajectory:
    """What was seen of one network at some steps.

    Parameters
    ----------
    steps : Indices, shape (n_checkpoints,)
        Numbers of steps taken.
    outputs : Array, shape (n_checkpoints, n_points)
        ``G_k`` at the points.
    memories : Array, shape (n_checkpoints,)
        ``v_k``.
    drifts : Array, shape (n_checkpoints, 3)
        The largest ``|C_k - C_0|``, ``|W_k - W_0|`` (Euclidean) and ``|B_k - B_0|`` over the units.
    absolute_errors, squared_errors : Array, shape (n_checkpoints,)
        ``sum_{j<k} |e_j|`` and ``sum_{j<k} e_j^2``.
    """

    steps: Indices
    outputs: Array
    memories: Array
    drifts: Array
    absolute_errors: Array
    squared_errors: Array


def replica_generators(
    seed: int, replica: int, width: int
) -> tuple[np.random.Generator, np.random.Generator]:
    """Return the generators of a replica's units and of its path."""
    if seed < 0 or replica < 0:
        raise InvalidInstance("seed", f"is {min(seed, replica)}, expected 0 or more")
    sequence = np.random.SeedSequence([seed, replica, width])
    units, path = sequence.spawn(2)
    return np.random.Generator(np.random.PCG64DXSM(units)), np.random.Generator(
        np.random.PCG64DXSM(path)
    )


def draw_units(law: Law, width: int, generator: np.random.Generator) -> Units:
    """Draw N units independently from the initial law.

    Raises
    ------
    NotEnclosed
        Where doubles do not hold a parameter of the law.
    """
    _check_width(width)
    try:
        return _drawn_units(law, width, generator)
    except OverflowError as error:
        raise NotEnclosed(
            "units are drawn in doubles, which do not hold a parameter of their law"
        ) from error


def _drawn_units(law: Law, width: int, generator: np.random.Generator) -> Units:
    if isinstance(law, AtomicLaw):
        probabilities = np.array([float(atom.p) for atom in law.atoms])
        bounds = np.cumsum(probabilities)[:-1]
        which = np.searchsorted(bounds, generator.random(width), side="right")
        table = np.array(
            [[float(atom.c), *map(float, atom.w), float(atom.b)] for atom in law.atoms]
        )
        drawn = table[which]
        return Units(output=drawn[:, 0], input=drawn[:, 1:-1].T, feedback=drawn[:, -1])
    return Units(
        output=_drawn(law.c, width, generator)[0],
        input=_drawn(law.w, width, generator),
        feedback=_drawn(law.b, width, generator)[0],
    )


def _check_width(width: int) -> None:
    if not 1 <= width <= MAX_WIDTH:
        raise InvalidInstance("width", f"is {width}, expected 1 to {MAX_WIDTH}")


def _drawn(
    component: Uniform | Normal | Constant, width: int, generator: np.random.Generator
) -> Array:
    """Draw N times one component; shape (dimension, n_units)."""
    if isinstance(component, Constant):
        values = np.array([float(x) for x in component.value])
        return np.repeat(values[:, np.newaxis], width, axis=1)
    if isinstance(component, Normal):
        means = np.array([float(x) for x in component.mean])
        draws: Array = generator.standard_normal((len(means), width))
        return means[:, np.newaxis] + float(component.std) * draws
    low = np.array([float(x) for x in component.low])[:, np.newaxis]
    high = np.array([float(x) for x in component.high])[:, np.newaxis]
    uniforms: Array = generator.random((len(low), width))
    scaled: Array = (high - low) * uniforms
    return low + scaled


@dataclass(frozen=True, kw_only=True, eq=False)
class Transitions:
    """A chain's transition probabilities, ready for drawing paths.

    Parameters
    ----------
    initial : int
    starts : Indices, shape (n_states + 1,)
        Where each state's row starts in the others.
    successors : Indices, shape (n_entries,)
    bounds : Array, shape (n_entries,)
        Sums of each row's probabilities from its first to this one.
    """

    initial: int
    starts: Indices
    successors: Indices
    bounds: Array


def transitions(chain: Chain) -> Transitions:
    """Return a chain's transition probabilities in doubles."""
    lengths = [len(row) for row in chain.rows]
    sums = [total for row in chain.rows for total in accumulate(float(p) for _, p in row)]
    return Transitions(
        initial=chain.initial,
        starts=np.array([0, *accumulate(lengths)], dtype=np.intp),
        successors=np.array([j for row in chain.rows for j, _ in row], dtype=np.intp),
        bounds=np.array(sums),
    )


def draw_path(
    chain: Chain | Transitions,
    steps: int,
    generator: np.random.Generator,
    *,
    compiled: bool = False,
) -> Indices:
    """Draw ``xi_0, .., xi_{steps-1}`` from the chain's initial state; shape (steps,).

    Compiled or not, the path is the same.
    """
    if not 0 <= steps <= MAX_STEPS:
        raise InvalidInstance("steps", f"is {steps}, expected 0 to {MAX_STEPS}")
    law = transitions(chain) if isinstance(chain, Chain) else chain
    uniforms = generator.random(max(steps - 1, 0))
    path = np.empty(steps, dtype=np.intp)
    if compiled:
        from verification.recurrent import network_compiled  # noqa: PLC0415 - loads numba

        network_compiled.walk(law.initial, law.starts, law.successors, law.bounds, uniforms, path)
        return path
    starts, successors, bounds = law.starts.tolist(), law.successors.tolist(), law.bounds.tolist()
    state = law.initial
    path[:1] = state
    for k, u in enumerate(uniforms.tolist(), start=1):
        # The last bound may be less than 1 by roundings: it is left out.
        entry = bisect_right(bounds, u, starts[state], starts[state + 1] - 1)
        state = successors[entry]
        path[k] = state
    return path


@dataclass(frozen=True, kw_only=True)
class Rates:
    """The constants of training at one width, in doubles.

    Parameters
    ----------
    output_scale : float
        ``N^-beta``.
    weight_rate, feedback_rate : float
        ``alpha N^(beta-2)`` and ``alpha N^(beta-3)``.
    clip : float
        ``N^gamma``.
    """

    output_scale: float
    weight_rate: float
    feedback_rate: float
    clip: float


def rates(instance: Instance, width: int) -> Rates:
    """Return the constants of training at one width.

    Raises
    ------
    InvalidInstance
        Where the instance has no training constants, or the width is out of range.
    """
    training = instance.training
    if training is None:
        raise InvalidInstance("training", "is missing, expected alpha, beta, gamma and horizon")
    _check_width(width)
    alpha, beta, gamma = (float(x) for x in (training.alpha, training.beta, training.gamma))
    return Rates(
        output_scale=width**-beta,
        weight_rate=alpha * width ** (beta - 2),
        feedback_rate=alpha * width ** (beta - 3),
        clip=width**gamma,
    )


def clipped(output: float, bound: float) -> float:
    """Return ``psi(z)`` for ``A = bound``."""
    size = abs(output)
    if size <= bound:
        return output
    t = min((size - bound) / (2 * bound), 1.0)
    value = bound + 2 * bound * (t - t**3 + t**4 / 2)
    return value if output > 0 else -value


def can_compile() -> bool:
    """Tell whether numba is installed, which the compiled recursion needs."""
    return importlib.util.find_spec("numba") is not None


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """What all replicas of one width share, in doubles.

    Parameters
    ----------
    activation : ActivationSpec
    inputs : Array, shape (n_states, dimension)
    targets : Array, shape (n_states,)
    rates : Rates
    """

    activation: ActivationSpec
    inputs: Array
    targets: Array
    rates: Rates


def setting(instance: Instance, width: int) -> Setting:
    """Return what all replicas of one width share.

    Raises
    ------
    InvalidInstance
        Where the instance has no training constants, or the width is out of range.
    """
    chain = instance.chain
    return Setting(
        activation=instance.activation,
        inputs=np.array([[float(x) for x in point] for point in chain.inputs]),
        targets=np.array([float(y) for y in chain.targets]),
        rates=rates(instance, width),
    )


def tables(count: int, dimension: int, width: int) -> Array:
    """Return room for the rows of some replicas; shape (count, dimension + 6, n_units or more).

    Every row starts at a multiple of 64 bytes, and no two of them a multiple of 4096 bytes apart,
    which processors would take for the same place for a while.
    """
    length = -(-width // _DOUBLES) * _DOUBLES
    length += _DOUBLES if length % _PAGE == 0 else 0
    size = count * (dimension + _ROWS) * length
    raw = np.zeros(size + _ALIGNMENT // 8)
    start = (-raw.ctypes.data % _ALIGNMENT) // 8
    return raw[start : start + size].reshape(count, dimension + _ROWS, length)


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """A network between two steps.

    Parameters
    ----------
    units, initial : Units
        The parameters now and before the first step.
    hidden : Array, shape (n_units,)
        S.
    memory, absolute_error, squared_error : float
    step : int
    frozen : bool
        Those of the `Trainer`.
    """

    units: Units
    initial: Units
    hidden: Array
    memory: float
    absolute_error: float
    squared_error: float
    step: int
    frozen: bool


class Trainer:
    """One network under training; its state is changed in place.

    Parameters
    ----------
    instance : Instance or Setting
        An instance with training constants, or what `setting` made of it.
    units : Units
        The initial parameters; they are copied.
    frozen : bool
        Whether the parameters stay as they are and only the memory runs.
    compiled : bool
        Whether to use `verification.recurrent.network_compiled`; see `can_compile`.
    table : Array, optional
        Room among other replicas' for this one's rows, zero; see `tables`.

    Attributes
    ----------
    units : Units
        The present parameters.
    step : int
        k.
    """

    def __init__(
        self,
        instance: Instance | Setting,
        units: Units,
        *,
        frozen: bool = False,
        compiled: bool = False,
        table: Array | None = None,
    ) -> None:
        width = len(units.output)
        self._setting = instance if isinstance(instance, Setting) else setting(instance, width)
        self._frozen = frozen
        self._compiled = compiled
        self._initial = units.copy()
        dimension = len(units.input)
        self._table = tables(1, dimension, width)[0] if table is None else table
        rows = self._table[:, :width]
        self.units = Units(
            output=rows[dimension], input=rows[:dimension], feedback=rows[dimension + 1]
        )
        self.units.output[:] = units.output
        self.units.input[:] = units.input
        self.units.feedback[:] = units.feedback
        self._hidden, self._former, self._through, self._scratch = rows[dimension + 2 :]
        if not compiled:
            self._evaluate = evaluator(self._setting.activation, (width,))
        self._numbers = np.zeros(3)
        self.step = 0

    @classmethod
    def resumed(
        cls, instance: Instance | Setting, state: State, *, compiled: bool = False
    ) -> Trainer:
        """Return a network that goes on from a state, in the same bits as if it had not stopped."""
        trainer = cls(instance, state.units, frozen=state.frozen, compiled=compiled)
        trainer._initial = state.initial.copy()
        trainer._hidden[:] = state.hidden
        trainer._numbers[:] = state.memory, state.absolute_error, state.squared_error
        trainer.step = state.step
        return trainer

    def state(self) -> State:
        """Return all that training needs to go on; it can be pickled."""
        return State(
            units=self.units.copy(),
            initial=self._initial.copy(),
            hidden=self._hidden.copy(),
            memory=self.memory,
            step=self.step,
            absolute_error=self.absolute_error,
            squared_error=self.squared_error,
            frozen=self._frozen,
        )

    @property
    def memory(self) -> float:
        """``v_k``."""
        return float(self._numbers[0])

    @property
    def absolute_error(self) -> float:
        """``sum_{j<k} |e_j|``."""
        return float(self._numbers[1])

    @property
    def squared_error(self) -> float:
        """``sum_{j<k} e_j^2``."""
        return float(self._numbers[2])

    def run(self, states: Indices) -> None:
        """Take one step for each state of the path."""
        if self._compiled:
            run_together([self], self._table[np.newaxis], states[np.newaxis])
            return
        for state in states.tolist():
            self._step(state)
        self.step += len(states)

    def _step(self, state: int) -> None:
        constants, units = self._setting.rates, self.units
        x, y = self._setting.inputs[state].tolist(), float(self._setting.targets[state])
        # The hidden state before last makes room for the next one.
        value, slope, scratch = self._former, self._through, self._scratch
        np.multiply(units.input[0], x[0], out=value)
        for row, entry in zip(units.input[1:], x[1:], strict=True):
            np.add(value, np.multiply(row, entry, out=scratch), out=value)
        np.add(value, self._numbers[0], out=value)
        self._evaluate(value, slope)
        # einsum, not dot: a library of linear algebra may split the sum among threads.
        output = float(np.einsum("i,i", units.output, value)) * constants.output_scale
        error = clipped(output, constants.clip) - y
        if not self._frozen:
            rate = constants.weight_rate * error
            # The gradient in W and B is taken at the old C.
            through = np.multiply(units.output, slope, out=slope)
            feedback = constants.feedback_rate * error * float(through.sum())
            np.subtract(
                units.feedback, np.multiply(self._hidden, feedback, out=scratch), out=units.feedback
            )
            for row, entry in zip(units.input, x, strict=True):
                np.subtract(row, np.multiply(through, rate * entry, out=scratch), out=row)
            np.subtract(units.output, np.multiply(value, rate, out=scratch), out=units.output)
        self._hidden, self._former = value, self._hidden
        self._numbers[0] = float(np.einsum("i,i", units.feedback, value)) / len(value)
        self._numbers[1] += abs(error)
        self._numbers[2] += error * error

    def output(self, inputs: Array, memories: Array) -> Array:
        """Return ``G_k`` at points (x, v); shapes (n_points, dimension), (n_points,)."""
        arguments = inputs @ self.units.input + memories[:, np.newaxis]
        values: Array = evaluate(self._setting.activation, 0, arguments) @ self.units.output
        return values * self._setting.rates.output_scale

    def look(self, inputs: Array, memories: Array) -> Seen:
        """Return what a `Trajectory` holds of one step, the outputs at points (x, v)."""
        return (
            self.output(inputs, memories),
            self.memory,
            self.drifts(),
            self.absolute_error,
            self.squared_error,
        )

    def drifts(self) -> tuple[float, float, float]:
        """Return the largest changes of C, of W in the Euclidean norm, and of B."""
        now, then = self.units, self._initial
        moved = now.input - then.input
        return (
            float(np.abs(now.output - then.output).max()),
            float(np.sqrt(np.einsum("ki,ki->i", moved, moved).max())),
            float(np.abs(now.feedback - then.feedback).max()),
        )


def run_together(
    trainers: Sequence[Trainer],
    table: Array,
    paths: Indices,
    *,
    points: tuple[Array, Array] | None = None,
    reference: Array | None = None,
) -> Array:
    """Take one step in every network for each state of its path, compiled.

    Parameters
    ----------
    trainers : sequence of Trainer
        Of one setting, alike in being frozen.
    table : Array, shape (n_trainers, dimension + 6, n_units or more)
        That of the networks.
    paths : Indices, shape (n_trainers, n_steps)
    points : (Array, Array), optional
        Inputs and memories, shapes (n_points, dimension), (n_points,).
    reference : Array, shape (n_steps + 1, n_points), optional
        Numbers to compare the outputs with, before the first step and after each.

    Returns
    -------
    Array, shape (n_trainers, n_points)
        The largest distance of the output from the reference; each replica's is the same whatever
        the others are.
    """
    from verification.recurrent import network_compiled  # noqa: PLC0415 - loads numba

    first = trainers[0]
    shared, constants = first._setting, first._setting.rates
    inputs, memories = points or (np.zeros((0, shared.inputs.shape[1])), np.zeros(0))
    largest = np.zeros((len(trainers), len(memories)))
    numbers = np.array([trainer._numbers for trainer in trainers])
    network_compiled.runner(shared.activation, shared.inputs.shape[1])(
        len(first.units.output),
        first._frozen,
        network_compiled.terms_of(shared.activation),
        table,
        numbers,
        np.ascontiguousarray(paths),
        shared.inputs,
        shared.targets,
        (
            constants.output_scale,
            constants.weight_rate,
            constants.feedback_rate,
            constants.clip,
        ),
        inputs,
        memories,
        np.zeros((1, 0)) if reference is None else np.ascontiguousarray(reference),
        largest,
    )
    for trainer, row in zip(trainers, numbers, strict=True):
        trainer._numbers[:] = row
        trainer.step += paths.shape[1]
    return largest


def train_replica(
    instance: Instance,
    *,
    width: int,
    seed: int,
    replica: int,
    checkpoints: Sequence[int],
    points: Sequence[tuple[int, Fraction]] = (),
    frozen: bool = False,
    compiled: bool | None = None,
) -> Trajectory:
    """Draw a network and a path, train, and look at it at some steps.

    Parameters
    ----------
    instance : Instance
        With training constants.
    width : int
        N.
    seed, replica : int
        What determines the draws, together with the width.
    checkpoints : sequence of int
        Numbers of steps, increasing; the last one is where training ends.
    points : sequence of (int, Fraction)
        States, whose inputs count, and memories: where the output is wanted.
    frozen : bool
        Whether the parameters stay as they are.
    compiled : bool, optional
        Whether compiled code is used where numba is installed; by default where a replica is so
        large that starting numba pays.

    Raises
    ------
    InvalidInstance
        Where the instance has no training constants, or an argument is out of range.
    """
    ends = increasing(checkpoints)
    shared = setting(instance, width)
    compiled = is_compiled(width, ends[-1], compiled)
    for_units, for_path = replica_generators(seed, replica, width)
    units = draw_units(instance.law, width, for_units)
    trainer = Trainer(shared, units, frozen=frozen, compiled=compiled)
    path = draw_path(instance.chain, ends[-1], for_path, compiled=compiled)
    at = places(shared, points)
    seen = []
    for end in ends:
        trainer.run(path[trainer.step : end])
        seen.append(trainer.look(*at))
    return trajectory(ends, seen)


def increasing(checkpoints: Sequence[int]) -> list[int]:
    """Return numbers of steps.

    Raises
    ------
    InvalidInstance
        Where there are none, one is negative, or they do not increase.
    """
    ends = list(checkpoints)
    if not ends or ends[0] < 0 or any(a >= b for a, b in pairwise(ends)):
        raise InvalidInstance("checkpoints", "must increase from 0 or more")
    return ends


def is_compiled(width: int, steps: int, wanted: bool | None) -> bool:
    """Tell whether a replica is trained by compiled code.

    Where nothing is said, it depends on one replica's size only, whose bits then do not depend on
    the others.
    """
    pays = steps * (width + _CALLS) >= _MANY_UPDATES if wanted is None else wanted
    return pays and can_compile()


def places(shared: Setting, points: Sequence[tuple[int, Fraction]]) -> tuple[Array, Array]:
    """Return inputs and memories of points; shapes (n_points, dimension), (n_points,)."""
    inputs = shared.inputs[np.array([state for state, _ in points], dtype=np.intp)]
    return inputs, np.array([float(v) for _, v in points])


def trajectory(ends: Sequence[int], seen: Sequence[Seen]) -> Trajectory:
    """Return what was seen at some steps, one kind after the other."""
    outputs, found, drifts, absolute, squared = zip(*seen, strict=True)
    return Trajectory(
        steps=np.array(ends, dtype=np.intp),
        outputs=np.array(outputs),
        memories=np.array(found),
        drifts=np.array(drifts),
        absolute_errors=np.array(absolute),
        squared_errors=np.array(squared),
    )
