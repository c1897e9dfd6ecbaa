r"""The limit equation for a law with finitely many atoms, in balls.

``g_s = T_K u_s`` with ``u' = y - T_K u``, s = alpha t.  With the atoms' weights w_a and targets y_a
let ``S_ab = (w_a w_b)^(1/2) K(zeta_a, zeta_b)`` and ``z_a = w_a^(1/2) y_a``; of
`verification.certificate.check.linear.semigroups` come ``E_s z``, the residuals ``y - g_s``, and
``g_s z``, so that ``g_s(zeta) = sum_a w_a^(1/2) K(zeta, zeta_a) (g_s z)_a``.

The same in features: at the places of a law, their masses m_i and mean targets in the place of w_a
and y_a, ``theta_s = sum_i m_i^(1/2) (g_s z)_i F_i`` with the rows F_i of features.

*Errors of a rule.*  Where products of rows are K up to eps, let K~ be these products, and r, r~
the residuals of the two equations, both at most |y|.  ``e = r - r~`` has ``e' = -K~ e - (K - K~)
r``, so that ``|e| <= s eps |y|``; the loss ``|r|^2`` moves by ``2 s eps |y|^2`` at most, the norm
``|theta|^2 = 2 int <r, y - r>`` by ``2 int |<e, y - r - r~>| <= s^2 eps |y|^2``, and g at a point
by ``s eps |y| (1 + s k/2)``, where K~ is at most k there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from verification.certificate.check.instances import Instance, Vector
from verification.certificate.check.linear.semigroups import (
    Column,
    Flow,
    Rows,
    doubled_flow,
    inner,
    products,
    series_of_flow,
)
from verification.certificate.check.numbers.balls import (
    Ball,
    around,
    ball,
    largest,
    total,
    working_precision,
)
from verification.certificate.check.numbers.complex_balls import ball_matrix, entries
from verification.certificate.check.numbers.lattices import work_of_sum
from verification.certificate.check.outcome import Budget
from verification.certificate.check.recurrent.features import Features
from verification.certificate.check.recurrent.memory import Memory
from verification.certificate.check.recurrent.pair_kernels import PairKernels
from verification.certificate.check.recurrent.word_laws import Memories, Place, WordLaw

_PRODUCTS = 16
"""A kernel takes as long as so many inner products of its two inputs, where they are long."""

_Means = dict[Place, tuple[Fraction, Fraction]]


@dataclass(frozen=True)
class Spot:
    """An input with a memory that is a number."""

    input: Vector
    memory: Fraction


class Subject:
    """An instance with the units that matter: kernels at points, flows of laws, each found once.

    Parameters
    ----------
    instance : Instance
    memory : Memory or None
        What the memories of places are found with; none where all memories are numbers.
    budget : Budget
    """

    def __init__(self, instance: Instance, memory: Memory | None, budget: Budget) -> None:
        self.instance = instance
        self.memory = memory
        self.budget = budget
        self._memories: Memories | None = None
        self._kernels: dict[tuple[Place | Spot, Place | Spot, int], Ball] = {}
        self._rules: dict[tuple[tuple[Vector, ...], int], Features] = {}
        self._rows: dict[tuple[Place | Spot, tuple[Vector, ...], int], Column] = {}
        self._flows: dict[tuple[WordLaw, Fraction, int], Flow] = {}
        self._pair_kernels: PairKernels[Place | Spot] = PairKernels(
            instance, self._memory_at, budget
        )

    @property
    def memory_map(self) -> Memory:
        """What the memories of places are found with."""
        if self.memory is None:
            raise ValueError("places need a memory map")
        return self.memory

    # Kernels: a rule for each pair of inputs, or one for all points

    def kernel(self, first: Place | Spot, second: Place | Spot) -> Ball:
        """Enclose K at two points."""
        key = first, second, working_precision()
        if key not in self._kernels:
            value = self._new_kernel(first, second)
            self._kernels[key] = self._kernels[second, first, key[2]] = value
        return self._kernels[key]

    def _new_kernel(self, first: Place | Spot, second: Place | Spot) -> Ball:
        self.budget.spend(_PRODUCTS * work_of_sum((*first.input, *second.input)))
        if self._needs_pair_kernels(first):
            return self._pair_kernels.kernel(first, second)
        inputs = self._telling((first, second))
        self.budget.spend(len(self._row(first, inputs)), working_precision())
        product = inner(self._row(first, inputs), self._row(second, inputs))
        return around(product, self._rule(inputs).error)

    def _needs_pair_kernels(self, point: Place | Spot) -> bool:
        spread = self.instance.law.w
        return spread is not None and spread.kind != "constant" and len(point.input) > 1

    def _find_kernels(self, points: Sequence[Place | Spot]) -> None:
        """Enclose K between all points where it is not known, many pairs of one rule at once."""
        bits = working_precision()
        shared: dict[tuple[Vector, ...], list[tuple[Place | Spot, Place | Spot]]] = {}
        for count, first in enumerate(points, 1):
            for second in points[:count]:
                if (first, second, bits) in self._kernels:
                    continue
                inputs = self._telling((first, second))
                is_told_by_first = not inputs or first.input == inputs[0]
                pair = (first, second) if is_told_by_first else (second, first)
                shared.setdefault(inputs, []).append(pair)
        for inputs, pairs in shared.items():
            sides = [list(dict.fromkeys(side)) for side in zip(*pairs, strict=True)]
            rows = [[self._row(point, inputs) for point in side] for side in sides]
            self.budget.spend(len(rows[0]) * len(rows[1]) * len(rows[0][0]), bits)
            error = self._rule(inputs).error
            for first, row in zip(sides[0], products(*rows), strict=True):
                for second, x in zip(sides[1], row, strict=True):
                    value = around(x, error)
                    self._kernels[first, second, bits] = value
                    self._kernels[second, first, bits] = value

    def _telling(self, points: Sequence[Place | Spot]) -> tuple[Vector, ...]:
        """Return the inputs on which the rule for some points depends: the largest, or none."""
        spread = self.instance.law.w
        if spread is None or spread.kind == "constant":
            return ()
        return (max((point.input for point in points), key=lambda x: (abs(x[0]), x)),)

    def _rule(self, inputs: tuple[Vector, ...]) -> Features:
        key = inputs, working_precision()
        if key not in self._rules:
            self._rules[key] = Features(self.instance, inputs, self.budget)
        return self._rules[key]

    def _row(self, point: Place | Spot, inputs: tuple[Vector, ...]) -> Column:
        key = point, inputs, working_precision()
        if key not in self._rows:
            self._rows[key] = self._rule(inputs).row(point.input, self._memory_at(point))
        return self._rows[key]

    def _memory_at(self, point: Place | Spot) -> Ball:
        if isinstance(point, Spot):
            return ball(point.memory)
        if self._memories is None:
            self._memories = Memories(self.memory_map)
        return self._memories.at(point)

    def features(self, points: Sequence[Place | Spot]) -> tuple[list[Column], Ball]:
        """Return the rows of all points by one rule, and the error of their products."""
        inputs = self._telling(points)
        return [self._row(point, inputs) for point in points], self._rule(inputs).error

    def gram(self, points: Sequence[Place | Spot]) -> Rows:
        """Enclose K between all points by one rule."""
        rows, error = self.features(points)
        self.budget.spend(len(rows) ** 2 * sum(map(len, rows[:1])), working_precision())
        return [[around(x, error) for x in row] for row in products(rows, rows)]

    # The equation

    def flow(self, law: WordLaw, time: Fraction) -> Flow:
        """Return the flow of the law's atoms, K from a rule for each pair."""
        key = law, time, working_precision()
        if key not in self._flows:
            weights = [ball(atom.weight).sqrt() for atom in law.atoms]
            start = [w * ball(atom.target) for w, atom in zip(weights, law.atoms, strict=True)]
            places = list(dict.fromkeys(atom.place for atom in law.atoms))
            if not self._needs_pair_kernels(places[0]):
                self._find_kernels(places)
            rows = [
                [
                    a * b * self.kernel(one.place, other.place)
                    for b, other in zip(weights, law.atoms, strict=True)
                ]
                for a, one in zip(weights, law.atoms, strict=True)
            ]
            self._flows[key] = doubled_flow(rows, start, time, self.budget)
        return self._flows[key]

    def value(self, law: WordLaw, time: Fraction, spot: Spot) -> Ball:
        """Enclose g at a point."""
        gained = self.flow(law, time).gained
        return total(
            [
                ball(atom.weight).sqrt() * self.kernel(spot, atom.place) * x
                for atom, x in zip(law.atoms, gained, strict=True)
            ]
        )


@dataclass(frozen=True)
class Solution:
    """The solution at one time, in features.

    Parameters
    ----------
    law : WordLaw
    means : dict
        Weight and mean target of each place.
    rows : list of Column
        The features of the places, and of one more point, if any.
    weights : Column
        theta.
    time : Fraction
    blur : Ball
        ``s eps``.
    """

    law: WordLaw
    means: _Means
    rows: list[Column]
    weights: Column
    time: Fraction
    blur: Ball

    def loss(self) -> Ball:
        """Enclose ``|g - y|^2``: at the mean targets, and what the targets vary about them."""
        apart = [
            ball(mass) * _squared(inner(self.weights, row) - ball(mean))
            for (mass, mean), row in zip(self.means.values(), self.rows, strict=False)
        ]
        varied = ball(variance_about(self.law, self.means))
        return around(total(apart) + varied, 2 * self.blur * self._size())

    def squared_norm(self) -> Ball:
        """Enclose ``|theta|^2``."""
        return around(inner(self.weights, self.weights), ball(self.time) * self.blur * self._size())

    def last_value(self) -> Ball:
        """Enclose g at the point beyond the places."""
        most = largest([inner(row, row) for row in self.rows])
        error = self.blur * self._size().sqrt() * (1 + ball(self.time) * most / 2)
        return around(inner(self.weights, self.rows[-1]), error)

    def _size(self) -> Ball:
        return ball(self.law.squared_target)


def solution(subject: Subject, law: WordLaw, time: Fraction, spot: Spot | None) -> Solution:
    """Solve the equation in features, by its power series in the time."""
    means = law.means(odd=False)
    points: list[Place | Spot] = [*means]
    if spot:
        points.append(spot)
    rows, error = subject.features(points)
    shares = [ball(mass).sqrt() for mass, _ in means.values()]
    scaled = [[a * x for x in row] for a, row in zip(shares, rows, strict=False)]
    subject.budget.spend((len(means) + 2) ** 2 * len(rows[0]), working_precision())
    start = [a * ball(mean) for a, (_, mean) in zip(shares, means.values(), strict=True)]
    gained = series_of_flow(products(scaled, scaled), start, time, subject.budget)
    (weights,) = entries(ball_matrix([gained]) * ball_matrix(scaled))
    return Solution(law, means, rows, weights, time, ball(time) * error)


def variance_about(law: WordLaw, means: _Means) -> Fraction:
    """Return ``|y|^2`` without that of the mean targets."""
    learnt = sum((mass * mean * mean for mass, mean in means.values()), Fraction(0))
    return law.squared_target - learnt


def _squared(x: Ball) -> Ball:
    return x * x
