"""How much the input can move the memory: ``D = max_{i,j} sup_v |Phi(x_i, v) - Phi(x_j, v)|``.

Over ``|v| <= vbar``.  Let F be the difference of two inputs, the larger less the smaller at the
centre c of a cell of memories, h half the cell's width and T an enclosure of F'' there.  Then
``|F| <= F(c) + |F'(c)| h + |T| h^2 / 2`` on the cell.  Where F stays positive and ``T <= -a < 0``,
``F <= F(p) + F'(p)^2 / (2 a)`` for any p in it, which a step of Newton's brings near to the
maximum.  The cell whose bound is largest is halved, until none is much above what was seen.
"""

from __future__ import annotations

from fractions import Fraction
from heapq import heappop, heappush
from itertools import combinations, count
from typing import TypeAlias

from verification.certificate.check.instances import Vector
from verification.certificate.check.numbers.balls import Ball, around, ball, lower, upper
from verification.certificate.check.numbers.bounds import Bounds
from verification.certificate.check.recurrent.activations import constant
from verification.certificate.check.recurrent.memory import Memory, mean_absolute_b

_TOLERANCE = Fraction(1, 2**30)
_TINY = Fraction(1, 2**36)
_MOST_CELLS = 4_000
_PER_PAIR = 60
_GRID = 2**60

_Pair: TypeAlias = tuple[Vector, Vector]


class _Search:
    """Cells of memories with the pairs of inputs that matter there, the largest bound first."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.best = Fraction(0)
        self.cells: list[tuple[Fraction, int, Fraction, Fraction, list[_Pair]]] = []
        self._number = count()
        bend = constant(memory.instance.activation, 2) * ball(mean_absolute_b(memory.instance))
        self._anything = around(ball(0), bend)

    def look(self, low: Fraction, high: Fraction, pairs: list[_Pair]) -> None:
        """Bound the differences on a cell, and keep it where one may be the largest."""
        self.memory.budget.spend(_PER_PAIR * len(pairs))
        middle, half = (low + high) / 2, (high - low) / 2
        width = ball(half)
        found = {
            point: self._taylor(point, middle, half)
            for point in dict.fromkeys(point for pair in pairs for point in pair)
        }
        most, kept = Fraction(0), []
        for pair in pairs:
            value, slope, turn = (
                a - b for a, b in zip(found[pair[0]], found[pair[1]], strict=True)
            )
            change = abs(slope) * width + abs(turn) * width * width / 2
            bound = upper(abs(value) + change)
            if bound <= self.best:
                continue
            self.best = max(self.best, lower(abs(value)))
            if upper(value) < 0:
                value, slope, turn = -value, -slope, -turn
            if upper(turn) < 0 and lower(value - change) > 0:
                step = -(lower(slope) + upper(slope)) / (lower(turn) + upper(turn))
                # Rounded towards the centre: p is in the cell.
                place = middle + Fraction(int(max(-half, min(step, half)) * _GRID), _GRID)
                bound = min(bound, self._summit(pair, place, -upper(turn)))
            if bound > self.best:
                kept.append(pair)
                most = max(most, bound)
        if kept:
            heappush(self.cells, (-most, next(self._number), low, high, kept))

    def _taylor(self, point: Vector, middle: Fraction, half: Fraction) -> tuple[Ball, Ball, Ball]:
        centre = ball(middle)
        turn = self.memory.image(point, around(centre, ball(half)), 2)
        return (
            self.memory.image(point, centre),
            self.memory.image(point, centre, 1),
            # On a wide cell a quotient may not be enclosed at all.
            turn if turn.is_finite() else self._anything,
        )

    def _summit(self, pair: _Pair, place: Fraction, bend: Fraction) -> Fraction:
        value, slope = (
            self.memory.image(pair[0], ball(place), order)
            - self.memory.image(pair[1], ball(place), order)
            for order in (0, 1)
        )
        self.best = max(self.best, lower(abs(value)))
        return upper(abs(value) + slope * slope / ball(2 * bend))


def input_sensitivity(memory: Memory) -> Bounds:
    """Return bounds of D, at the working precision.

    They are far apart only where D is so small that the cells would be too many.
    """
    search, points = _Search(memory), list(dict.fromkeys(memory.instance.inputs))
    reach = upper(memory.bound())
    if len(points) > 1 and reach:
        search.look(-reach, reach, list(combinations(points, 2)))
    cells = search.cells
    for _ in range(_MOST_CELLS):
        if not cells or -cells[0][0] <= search.best * (1 + _TOLERANCE) + reach * _TINY:
            break
        _, _, low, high, pairs = heappop(cells)
        for side in ((low, (low + high) / 2), ((low + high) / 2, high)):
            search.look(*side, pairs)
    return Bounds(search.best, max(search.best, -cells[0][0]) if cells else search.best)


def weighted(memory: Memory, sensitivity: Bounds, steps: int) -> tuple[Ball, Ball]:
    """Return ``D_m = D (1 + q + ... + q^(m-1))`` for the lower and for the upper bound of D."""
    q, terms, term = memory.contraction_factor(), ball(0), ball(1)
    for _ in range(steps):
        terms, term = terms + term, term * q
    return terms * ball(sensitivity.lower), terms * ball(sensitivity.upper)
