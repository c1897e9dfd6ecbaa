r"""Means over the initial law of one unit at one input, as functions of the memory, in balls.

With sigma at ``W.x + v`` these are

    K = E[sigma^2] + |x|^2 E[C^2 sigma'^2],    A = E[C^2 sigma^2],    V = E[B^2 sigma^2] - Phi^2:

the kernel at a point and itself, the mean square of an output, the variance of what a unit adds to
the memory.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, TypeAlias

from verification.certificate.check.instances import Law, Vector
from verification.certificate.check.numbers.balls import (
    Ball,
    ball,
    integer_power,
    total,
    working_precision,
)
from verification.certificate.check.recurrent.activations import curve
from verification.certificate.check.recurrent.layer import layer_at
from verification.certificate.check.recurrent.memory import Memory, projections
from verification.certificate.check.recurrent.units import moment_of_c

Weight: TypeAlias = Literal["1", "C", "B"]
_WORK = 40


class UnitMeans:
    """Means at the input of a state, at the working precision; v may be a ball of memories.

    Parameters
    ----------
    memory : Memory
        The memory map, with the instance.
    state : int

    Raises
    ------
    Unsupported
        Where W has no rule.
    """

    def __init__(self, memory: Memory, state: int) -> None:
        law, terms = memory.instance.law, memory.instance.activation
        self.memory = memory
        self.point = memory.instance.inputs[state]
        (square,) = projections([self.point], self.point, memory.budget)
        self._square = ball(square)
        weights = [law.w.first] if law.w else [atom.w for atom in law.atoms]
        places = projections(weights, self.point, memory.budget)
        self._adds_one_number = _adds_one_number(law, places, self.point)
        self._curves = [curve(terms, order) for order in range(3)]
        self._places: list[Ball] = []
        self._factors: dict[Weight, list[Ball]] = {}
        if law.b is None or law.c is None:
            memory.budget.spend(4 * len(law.atoms))
            self._places = [ball(place) for place in places]
            self._factors = {
                "1": [ball(atom.p) for atom in law.atoms],
                "C": [ball(atom.p) * ball(atom.c) * ball(atom.c) for atom in law.atoms],
                "B": [ball(atom.p) * ball(atom.b) * ball(atom.b) for atom in law.atoms],
            }
            return
        self._layer = layer_at(memory, state, gradient=False)
        self._squares: dict[Weight, Fraction] = {
            "1": Fraction(1),
            "C": moment_of_c(law.c, 2),
            "B": moment_of_c(law.b, 2),
        }

    def product(self, weight: Weight, first: int, second: int, v: Ball) -> Ball:
        """Enclose ``E[w sigma^(j) sigma^(k)]``, w = 1, C^2 or B^2, j and k at most 2."""
        one, other = self._curves[first], self._curves[second]

        def at(u: Ball) -> Ball:
            value = one(u)
            return value * (value if first == second else other(u))

        if not self._places:
            found = self._layer.mean(
                lambda node, _: at(node + v), lambda sizes: sizes[first] * sizes[second]
            )
            return ball(self._squares[weight]) * found
        terms = len(self.memory.instance.activation)
        self.memory.budget.spend(_WORK * len(self._places) * terms, working_precision())
        units = zip(self._factors[weight], self._places, strict=True)
        return total([factor * at(place + v) for factor, place in units])

    def kernel(self, v: Ball) -> Ball:
        """Enclose K."""
        return self.product("1", 0, 0, v) + self._square * self.product("C", 1, 1, v)

    def kernel_slope(self, v: Ball) -> Ball:
        """Enclose K'."""
        return 2 * (self.product("1", 0, 1, v) + self._square * self.product("C", 1, 2, v))

    def output(self, v: Ball) -> Ball:
        """Enclose A."""
        return self.product("C", 0, 0, v)

    def output_slope(self, v: Ball) -> Ball:
        """Enclose A'."""
        return 2 * self.product("C", 0, 1, v)

    def variance(self, v: Ball) -> Ball:
        """Enclose V; it is 0 where all units add the same."""
        if self._adds_one_number:
            return ball(0)
        mean = self.memory.image(self.point, v)
        return self.product("B", 0, 0, v) - mean * mean

    def variance_slope(self, v: Ball) -> Ball:
        """Enclose V'."""
        if self._adds_one_number:
            return ball(0)
        mean, steep = (self.memory.image(self.point, v, order) for order in range(2))
        return 2 * (self.product("B", 0, 1, v) - mean * steep)


def _adds_one_number(law: Law, places: list[Fraction], point: Vector) -> bool:
    """Tell whether ``B sigma(W.x + v)`` is the same for all units, at every v."""
    if law.w is None or law.b is None:
        kinds = zip(law.atoms, places, strict=True)
        return len({(atom.b, place if atom.b else Fraction(0)) for atom, place in kinds}) == 1
    return law.b.kind == "constant" and (law.w.kind == "constant" or not any(point))


def absolute_moment(law: Law, order: int) -> Ball:
    """Enclose ``E|C|^j``."""
    if law.c is None:
        return total([ball(a.p) * integer_power(ball(abs(a.c)), order) for a in law.atoms])
    ends = [ball(x) * integer_power(ball(abs(x)), order) for x in law.c.first + law.c.second]
    if len(ends) == 1:
        return integer_power(ball(abs(law.c.first[0])), order)
    # The integral of |c|^j from 0 on is an odd function of its end.
    width = law.c.second[0] - law.c.first[0]
    return (ends[1] - ends[0]) / ball((order + 1) * width)


def mean_square_of_product(law: Law) -> Ball:
    """Enclose ``E[B^2 C^2]``."""
    if law.c is None or law.b is None:
        products = [(a.p, ball(a.b) * ball(a.c)) for a in law.atoms]
        return total([ball(p) * x * x for p, x in products])
    return ball(moment_of_c(law.b, 2)) * ball(moment_of_c(law.c, 2))
