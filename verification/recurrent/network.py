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

from verification.errors import InvalidInstance
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
from verification.recurrent.activation_doubles import evaluate, evaluate_both

Array: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]

MAX_WIDTH = 2**24
MAX_STEPS = 2**31

_ALIGNMENT = 64
_COMPILED = ("tanh", "logistic")
_MANY_UPDATES = 2**24


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
        """Return a copy whose rows start at multiples of 64 bytes."""
        return Units(
            output=_aligned(self.output),
            input=_aligned(self.input),
            feedback=_aligned(self.feedback),
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
    """Draw N units independently from the initial law."""
    if not 1 <= width <= MAX_WIDTH:
        raise InvalidInstance("width", f"is {width}, expected 1 to {MAX_WIDTH}")
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


def draw_path(chain: Chain, steps: int, generator: np.random.Generator) -> Indices:
    """Draw ``xi_0, .., xi_{steps-1}`` from the chain's initial state; shape (steps,)."""
    if not 0 <= steps <= MAX_STEPS:
        raise InvalidInstance("steps", f"is {steps}, expected 0 to {MAX_STEPS}")
    bounds = [list(accumulate(float(p) for _, p in row))[:-1] for row in chain.rows]
    successors = [[j for j, _ in row] for row in chain.rows]
    path = np.empty(steps, dtype=np.intp)
    state = chain.initial
    uniforms = generator.random(max(steps - 1, 0)).tolist()
    if steps:
        path[0] = state
    for k, u in enumerate(uniforms, start=1):
        row = bounds[state]
        state = successors[state][bisect_right(row, u)]
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
        Where the instance has no training constants.
    """
    training = instance.training
    if training is None:
        raise InvalidInstance("training", "is missing, expected alpha, beta, gamma and horizon")
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


def can_compile(spec: ActivationSpec) -> bool:
    """Tell whether the compiled recursion exists for an activation, and numba is installed."""
    return spec.label in _COMPILED and importlib.util.find_spec("numba") is not None


class Trainer:
    """One network under training; its state is changed in place.

    Parameters
    ----------
    instance : Instance
        With training constants.
    units : Units
        The initial parameters; they are copied.
    frozen : bool
        Whether the parameters stay as they are and only the memory runs.
    compiled : bool
        Whether to use `verification.recurrent.network_compiled`; see `can_compile`.

    Attributes
    ----------
    units : Units
        The present parameters.
    memory : float
        ``v_k``.
    step : int
        k.
    absolute_error, squared_error : float
        Sums of ``|e_j|`` and ``e_j^2`` over the steps taken.
    """

    def __init__(
        self, instance: Instance, units: Units, *, frozen: bool = False, compiled: bool = False
    ) -> None:
        chain = instance.chain
        self._spec = instance.activation
        self._inputs = np.array([[float(x) for x in point] for point in chain.inputs])
        self._targets = np.array([float(y) for y in chain.targets])
        width = len(units.output)
        self._rates = rates(instance, width)
        self._frozen = frozen
        self._compiled = compiled
        self._initial = units.copy()
        self.units = units.copy()
        self._hidden, self._next, self._scratch = (_aligned(np.zeros(width)) for _ in range(3))
        self.memory = 0.0
        self.step = 0
        self.absolute_error = 0.0
        self.squared_error = 0.0

    def run(self, states: Indices) -> None:
        """Take one step for each state of the path."""
        if self._compiled:
            self._run_compiled(states)
            return
        width = len(self._hidden)
        constants, units = self._rates, self.units
        for state in states.tolist():
            x = self._inputs[state]
            argument, scratch = self._next, self._scratch
            np.multiply(units.input[0], x[0], out=argument)
            for k in range(1, len(x)):
                argument += np.multiply(units.input[k], x[k], out=scratch)
            argument += self.memory
            value, slope = evaluate_both(self._spec, argument)
            error = clipped(
                float(units.output @ value) * constants.output_scale, constants.clip
            ) - float(self._targets[state])
            if not self._frozen:
                self._update(error, x, value, slope)
            self._hidden, self._next = value, self._hidden
            self.memory = float(units.feedback @ value) / width
            self.absolute_error += abs(error)
            self.squared_error += error * error
            self.step += 1

    def _run_compiled(self, states: Indices) -> None:
        from verification.recurrent import network_compiled  # noqa: PLC0415 - loads numba

        constants, units, sums = self._rates, self.units, np.zeros(2)
        self.memory = network_compiled.run(
            self._spec.label == "logistic",
            self._frozen,
            states,
            self._inputs,
            self._targets,
            units.output,
            units.input,
            units.feedback,
            self._hidden,
            self._next,
            self._scratch,
            self.memory,
            constants.output_scale,
            constants.weight_rate,
            constants.feedback_rate,
            constants.clip,
            sums,
        )
        self.absolute_error += float(sums[0])
        self.squared_error += float(sums[1])
        self.step += len(states)

    def _update(self, error: float, x: Array, value: Array, slope: Array) -> None:
        units, scratch = self.units, self._scratch
        rate = self._rates.weight_rate * error
        # The gradient in W and B is taken at the old C.
        slope *= units.output
        through = float(slope.sum())
        np.multiply(self._hidden, self._rates.feedback_rate * error * through, out=scratch)
        units.feedback[:] -= scratch
        for k, entry in enumerate(x.tolist()):
            np.multiply(slope, rate * entry, out=scratch)
            units.input[k] -= scratch
        np.multiply(value, rate, out=scratch)
        units.output[:] -= scratch

    def output(self, inputs: Array, memories: Array) -> Array:
        """Return ``G_k`` at points (x, v); shapes (n_points, dimension), (n_points,)."""
        arguments = inputs @ self.units.input + memories[:, np.newaxis]
        values: Array = evaluate(self._spec, 0, arguments) @ self.units.output
        return values * self._rates.output_scale

    def drifts(self) -> tuple[float, float, float]:
        """Return the largest changes of C, of W in the Euclidean norm, and of B."""
        now, then = self.units, self._initial
        moved = now.input - then.input
        return (
            float(np.abs(now.output - then.output).max()),
            float(np.sqrt(np.einsum("ki,ki->i", moved, moved).max())),
            float(np.abs(now.feedback - then.feedback).max()),
        )


def train_replica(
    instance: Instance,
    *,
    width: int,
    seed: int,
    replica: int,
    checkpoints: Sequence[int],
    points: Sequence[tuple[int, Fraction]] = (),
    frozen: bool = False,
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

    Raises
    ------
    InvalidInstance
        Where the instance has no training constants, or an argument is out of range.
    """
    ends = list(checkpoints)
    if not ends or ends[0] < 0 or any(a >= b for a, b in pairwise(ends)):
        raise InvalidInstance("checkpoints", "must increase from 0 or more")
    for_units, for_path = replica_generators(seed, replica, width)
    # Compiled code is loaded only where it pays; which way is taken depends on the numbers above.
    compiled = width * ends[-1] >= _MANY_UPDATES and can_compile(instance.activation)
    units = draw_units(instance.law, width, for_units)
    trainer = Trainer(instance, units, frozen=frozen, compiled=compiled)
    path = draw_path(instance.chain, ends[-1], for_path)
    rows = np.array([[float(x) for x in point] for point in instance.chain.inputs])
    inputs = rows[np.array([state for state, _ in points], dtype=np.intp)]
    memories = np.array([float(v) for _, v in points])
    seen: list[tuple[Array, float, tuple[float, float, float], float, float]] = []
    for end in ends:
        trainer.run(path[trainer.step : end])
        seen.append(
            (
                trainer.output(inputs, memories),
                trainer.memory,
                trainer.drifts(),
                trainer.absolute_error,
                trainer.squared_error,
            )
        )
    outputs, found, drifts, absolute, squared = zip(*seen, strict=True)
    return Trajectory(
        steps=np.array(ends, dtype=np.intp),
        outputs=np.array(outputs),
        memories=np.array(found),
        drifts=np.array(drifts),
        absolute_errors=np.array(absolute),
        squared_errors=np.array(squared),
    )


def _aligned(array: Array) -> Array:
    """Return a copy, each row of which starts at a multiple of 64 bytes."""
    rows = array.reshape(-1, array.shape[-1])
    padded = -(-rows.shape[1] // 8) * 8
    raw = np.zeros(len(rows) * padded + 8)
    start = (-raw.ctypes.data % _ALIGNMENT) // 8
    table = raw[start : start + len(rows) * padded].reshape(len(rows), padded)[:, : rows.shape[1]]
    table[:] = rows
    return table.reshape(array.shape) if array.ndim > 1 else table[0]
