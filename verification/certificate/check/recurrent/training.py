r"""A finite network in training, in balls: weights, memories, outputs and errors, step by step.

N units with weights (C, W, B) are trained along a path of states; with x, y the data of step k,

    v_k = (1/N) sum_i B_k^i S_k^i,    S_{k+1}^i = sigma(W_k^i.x + v_k),    S_0 = 0,
    p_k = N^-beta sum_i C_k^i S_{k+1}^i,    e_k = psi(p_k) - y,    r = alpha N^(beta-2),
    C_{k+1}^i = C_k^i - r e_k S_{k+1}^i,    W_{k+1}^i = W_k^i - r e_k C_k^i sigma'(W_k^i.x + v_k) x,
    B_{k+1}^i = B_k^i - (r/N) e_k S_k^i sum_j C_k^j sigma'(W_k^j.x + v_k).

The clip psi is odd, with ``A = N^gamma`` it is z up to A, ``A + 2A (t - t^3 + t^4/2)`` from there
to 3A, ``t = (z - A)/(2A)``, and 2A beyond.  Weights are kept as what they were and what they have
moved, which is exactly 0 where nothing has moved, and so are arguments of sigma.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from verification.certificate.check.instances import Instance, Training, Vector
from verification.certificate.check.numbers.balls import (
    Ball,
    around,
    ball,
    lower,
    total,
    upper,
    working_precision,
)
from verification.certificate.check.outcome import Budget
from verification.certificate.check.recurrent.activations import curve
from verification.certificate.check.recurrent.memory import projections

_PER_UNIT = 30
"""What a unit costs at a point, for each term of sigma."""

Place: TypeAlias = tuple[Vector, Ball]
"""A point (x, v)."""


@dataclass(frozen=True)
class Network:
    """The weights of N units before training."""

    c: Vector
    w: tuple[Vector, ...]
    b: Vector

    @property
    def width(self) -> int:
        """N."""
        return len(self.c)


@dataclass(frozen=True)
class Weights:
    """Weights of N units, or what they have moved."""

    c: list[Ball]
    w: list[list[Ball]]
    b: list[Ball]

    def plus(self, other: Weights) -> Weights:
        """Return the sum."""
        return Weights(
            _sum(self.c, other.c),
            [_sum(*rows) for rows in zip(self.w, other.w, strict=True)],
            _sum(self.b, other.b),
        )


def _sum(first: list[Ball], second: list[Ball]) -> list[Ball]:
    return [x + y for x, y in zip(first, second, strict=True)]


class Rates:
    """The numbers of a training that depend on the width, at the working precision."""

    def __init__(self, training: Training, width: int) -> None:
        self.training = training
        self.width = width
        self.scale = self.power(-training.beta)
        self.rate = ball(training.alpha) * self.power(training.beta - 2)
        self.clip = self.power(training.gamma)
        self.step = ball(training.alpha / width)

    def power(self, exponent: Fraction) -> Ball:
        """Enclose ``N^s``."""
        return (ball(exponent) * ball(self.width).log()).exp()


class Course:
    """A training at the working precision, which can be followed further.

    Parameters
    ----------
    instance : Instance
    training : Training
        The instance's.
    network : Network
    budget : Budget

    Attributes
    ----------
    moved, weights, memories : list
        After each number of steps.
    outputs, clipped, errors : list
        ``p_k``, ``psi(p_k)`` and ``e_k``, for each step.
    """

    def __init__(
        self, instance: Instance, training: Training, network: Network, budget: Budget
    ) -> None:
        self.rates = Rates(training, network.width)
        self.first = Weights(
            [ball(c) for c in network.c],
            [[ball(x) for x in w] for w in network.w],
            [ball(b) for b in network.b],
        )
        self.path: list[int] = []
        nothing = [ball(0)] * network.width
        self.moved = [Weights(nothing, [[ball(0)] * len(w) for w in network.w], nothing)]
        self.weights = [self.first]
        self.memories = [ball(0)]
        self.outputs: list[Ball] = []
        self.clipped: list[Ball] = []
        self.errors: list[Ball] = []
        self._instance, self._network, self._budget = instance, network, budget
        self._value, self._slope = (curve(instance.activation, order) for order in (0, 1))
        self._projections: dict[Vector, list[Ball]] = {}
        self._hidden = nothing

    def follow(self, path: Sequence[int]) -> bool:
        """Train along a path, of which this may be the beginning; tell whether it goes this way."""
        common = min(len(path), len(self.path))
        if list(path[:common]) != self.path[:common]:
            return False
        for state in path[common:]:
            self._step(state)
        return True

    def _step(self, state: int) -> None:
        width, point = self.rates.width, self._instance.inputs[state]
        # What is kept of every step takes memory too.
        self._budget.spend(20 * width * (2 + len(point)))
        now = self.weights[-1]
        arguments = self.arguments(len(self.path), (point, self.memories[-1]))
        hidden = [self._value(u) for u in arguments]
        back = [c * self._slope(u) for c, u in zip(now.c, arguments, strict=True)]
        output = self.rates.scale * inner(now.c, hidden)
        clipped = clip(output, self.rates.clip)
        error = clipped - ball(self._instance.targets[state])
        pull = self.rates.rate * error
        shared, x = pull * total(back) / width, [ball(entry) for entry in point]
        change = Weights(
            [-pull * s for s in hidden],
            [[-pull * t * entry for entry in x] for t in back],
            [-shared * s for s in self._hidden],
        )
        self.path.append(state)
        self.moved.append(self.moved[-1].plus(change))
        self.weights.append(self.first.plus(self.moved[-1]))
        self.memories.append(inner(self.weights[-1].b, hidden) / width)
        self.outputs.append(output)
        self.clipped.append(clipped)
        self.errors.append(error)
        self._hidden = hidden

    def arguments(self, step: int, place: Place) -> list[Ball]:
        """Enclose ``W_k.x + v`` for each unit."""
        point, memory = place
        self._budget.spend(
            len(self.first.c) * (_PER_UNIT * len(self._instance.activation) + 10 * len(point)),
            working_precision(),
        )
        if point not in self._projections:
            # They are exact, however long the numbers are.
            exact = projections(self._network.w, point, self._budget)
            self._projections[point] = [ball(x) for x in exact]
        x = [ball(entry) for entry in point]
        return [
            projection + inner(turned, x) + memory
            for projection, turned in zip(self._projections[point], self.moved[step].w, strict=True)
        ]

    def output(self, step: int, place: Place) -> Ball:
        """Enclose ``G_k(x, v) = N^-beta sum_i C_k^i sigma(W_k^i.x + v)``."""
        hidden = [self._value(u) for u in self.arguments(step, place)]
        return self.rates.scale * inner(self.weights[step].c, hidden)

    def kernel(self, step: int, first: Place, second: Place) -> Ball:
        """Enclose ``K_k = (1/N) sum_i [sigma(u) sigma(u*) + C_k^2 sigma'(u) sigma'(u*) x.x*]``."""
        (exact,) = projections([first[0]], second[0], self._budget)
        product, found = ball(exact), ball(0)
        here, there = self.arguments(step, first), self.arguments(step, second)
        for c, u, t in zip(self.weights[step].c, here, there, strict=True):
            found = found + self._value(u) * self._value(t)
            found = found + c * c * self._slope(u) * self._slope(t) * product
        return found / self.rates.width

    def linear_part(self, step: int, place: Place) -> Ball:
        """Enclose ``N^-beta sum_i [DeltaC sigma(u) + C_k sigma'(u) x.DeltaW]``."""
        x, now, moved = [ball(entry) for entry in place[0]], self.weights[step], self.moved[step]
        found = ball(0)
        units = zip(now.c, self.arguments(step, place), moved.c, moved.w, strict=True)
        for c, u, change, turned in units:
            found = found + change * self._value(u) + c * self._slope(u) * inner(x, turned)
        return self.rates.scale * found

    def frozen_memory(self, path: Sequence[int]) -> Ball:
        """Enclose the memory of the units with the weights that they had at first."""
        memory = ball(0)
        for state in path:
            arguments = self.arguments(0, (self._instance.inputs[state], memory))
            hidden = [self._value(u) for u in arguments]
            memory = inner(self.first.b, hidden) / self.rates.width
        return memory

    def memory_is_frozen(self, step: int) -> bool:
        """Tell whether nothing that the memory depends on has moved so far, not by a hair."""
        self._budget.spend(len(self.first.c) * (1 + len(self.first.w[0])))
        still = [x for w in self.moved[max(step - 1, 0)].w for x in w] + self.moved[step].b
        return all(x.is_zero() for x in still)


def clip(output: Ball, bound: Ball) -> Ball:
    """Enclose psi of a number, A the bound."""
    size = abs(output)
    if upper(size) <= lower(bound):
        return output
    if lower(size) < upper(bound):
        # Near to A or anywhere: psi(+-A) = +-A, and 0 <= psi' <= 1.
        if lower(size) <= 0:
            return around(ball(0), size)
        near = around(bound, size - bound)
        return near if lower(output) > 0 else -near
    t = ((size - bound) / (2 * bound)).min(ball(1))
    value = bound * (1 + 2 * t - 2 * t * t * t + t * t * t * t)
    return value if lower(output) > 0 else -value


def inner(first: Sequence[Ball], second: Sequence[Ball]) -> Ball:
    """Enclose an inner product."""
    return total([x * y for x, y in zip(first, second, strict=True)])
