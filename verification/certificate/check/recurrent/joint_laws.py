"""Laws of the joint chain of data and memory on a grid of memories, and their distances.

A law has a mass, an integer multiple of ``2^-BITS``, for each state and point of the grid.  A step
takes the mass at (i, v) to ``Phi(x_i, v)``, moved to the nearest point of the grid, and on to the
states j by P_ij.  What the true law and this one are apart is kept account of: `cost` bounds the
mean distance of memories when equal states are coupled, which a step multiplies by q at most and
to which it adds what moving to the grid costs; `misplaced` is the mass that roundings lost, which
is put anywhere.

Points are ``d_M((i, v), (j, w)) = M 1{i != j} + |v - w|`` apart, laws W_M.  Where the states have
one law and ``M >= 2 V``, V a bound of all memories, W_M is the sum over the states of the
distances on the line, ``int |F_i - G_i|`` of the distribution functions.  Else, p and q the laws
of the state,

* from below, by the function ``M 1{p_i > q_i} + g(v)``, g the best on the line for the memories
  alone, which changes by d_M at most: ``W_M >= M sum_i (p_i - q_i)^+ + int |F - G|``;
* from above, by the plan that leaves ``min(p_i, q_i)`` in the state i, sorted by memory, and
  matches what is left over in that order, whatever its state.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor, lcm

from verification.certificate.check.instances import Vector
from verification.certificate.check.markov.chains import Chain
from verification.certificate.check.numbers.balls import around, ball, bounds, lower, upper
from verification.certificate.check.numbers.bounds import Bounds
from verification.certificate.check.outcome import Invalid
from verification.certificate.check.recurrent.memory import Memory

BITS = 96
_ONE = 1 << BITS
_FINE = 64
_SHARP = 128
_FINER = 32
_MOST_BITS = 256
_CELLS = 128
_FEW = 6
_DENOMINATOR = 2**120


@dataclass(frozen=True)
class Law:
    """A law on the grid and how far it is from the law it stands for.

    Parameters
    ----------
    rows : list of list of int
        Masses, for each state and point of the grid; they sum to ``2^BITS``.
    cost : Fraction
    misplaced : Fraction
    """

    rows: list[list[int]]
    cost: Fraction
    misplaced: Fraction


class Grid:
    """Finitely many memories, and where each input takes each of them.

    Parameters
    ----------
    chain : Chain
    memory : Memory
    points : sequence of Fraction
        Increasing, within ``2 vbar``.

    Notes
    -----
    At the working precision.
    """

    def __init__(self, chain: Chain, memory: Memory, points: Sequence[Fraction]) -> None:
        self.chain = chain
        self.memory = memory
        # Images are rounded to whole units, which are small beside the distances of the points.
        self.unit = lcm(*(point.denominator for point in points)) << _FINER
        self.points = [int(point * self.unit) for point in points]
        if any(a >= b for a, b in pairwise(self.points)) or self.unit.bit_length() > _MOST_BITS:
            raise Invalid("witness.grid: does not increase, or is too fine")
        if max(map(abs, points)) > 2 * upper(memory.bound()):
            raise Invalid("witness.grid: has memories that never occur")
        self.gaps = [b - a for a, b in pairwise(self.points)]
        self.reach = max(upper(memory.bound()), *map(abs, points))
        self.factor = _up(upper(memory.contraction_factor()))
        self._maps: dict[Vector, tuple[list[int], list[int]]] = {}
        self._transition = [
            [(j, floor(p * (1 << _FINE))) for j, p in row] for row in memory.instance.rows
        ]

    # Laws

    def at(self, state_law: Iterable[Fraction], memory: Fraction) -> Law:
        """Return the law with one memory, moved to the grid, and any law of the state."""
        target, cost = self._nearest(floor(memory * self.unit), ceil(memory * self.unit))
        rows = [[0] * len(self.points) for _ in range(self.chain.size)]
        for row, p in zip(rows, state_law, strict=True):
            row[target] = floor(p * _ONE)
        return self._completed(rows, Fraction(cost, self.unit), Fraction(0))

    def law(self, weights: Sequence[Sequence[int]]) -> Law:
        """Return the law with the stationary law of the state, and given weights in each."""
        rows = []
        for p, row in zip(self.chain.law, weights, strict=True):
            share = floor(p / sum(row) * (1 << (BITS + _FINE)))
            rows.append([share * weight >> _FINE for weight in row])
        return self._completed(rows, Fraction(0), Fraction(0))

    def pushed(self, law: Law) -> Law:
        """Return the law after a step of the joint chain."""
        size, count = self.chain.size, len(self.points)
        self.chain.budget.spend(3 * size * count + sum(map(len, self._transition)) * count)
        moved, cost = [], 0
        for point, row in zip(self.memory.instance.inputs, law.rows, strict=True):
            targets, costs = self._map(point)
            gathered = [0] * count
            for mass, target, far in zip(row, targets, costs, strict=True):
                if mass:
                    gathered[target] += mass
                    cost += mass * far
            moved.append(gathered)
        rows = self._averaged(moved)
        return self._completed(
            rows,
            _up(self.factor * law.cost + Fraction(cost, self.unit << BITS)),
            law.misplaced,
        )

    def invariant(self, law: Law) -> Law:
        """Return a law of the right law of the state with its distance from the invariant law mu.

        For laws with that law of the state let w be the distance when equal states are coupled: a
        step shrinks it by q, so that ``w(mu, l) <= w(l Q, l) / (1 - q)``.
        """
        following = self.pushed(law)
        mass = law.misplaced + following.misplaced
        moved = self.distance_of_memories(following, law, clean=True).upper
        residual = moved + following.cost + 8 * mass * self.reach
        return Law(law.rows, _up(residual / (1 - self.factor)), law.misplaced)

    def _averaged(self, rows: list[list[int]]) -> list[list[int]]:
        """Return the masses after the move of the state, rounded down."""
        slot = BITS + _FINE + 8
        slot += -slot % 8
        width, count = slot // 8, len(self.points)
        packed = [
            int.from_bytes(b"".join(x.to_bytes(width, "little") for x in row), "little")
            for row in rows
        ]
        sums = [0] * len(rows)
        for whole, row in zip(packed, self._transition, strict=True):
            if whole:
                for j, p in row:
                    sums[j] += p * whole
        result = []
        for total in sums:
            text = total.to_bytes(width * count, "little")
            result.append(
                [
                    int.from_bytes(text[k : k + width], "little") >> _FINE
                    for k in range(0, width * count, width)
                ]
            )
        return result

    def _completed(self, rows: list[list[int]], cost: Fraction, misplaced: Fraction) -> Law:
        lost = _ONE - sum(map(sum, rows))
        if lost < 0:
            raise ValueError("a law has more than all mass")
        place = max(range(len(rows)), key=lambda i: sum(rows[i]))
        rows[place][max(range(len(self.points)), key=rows[place].__getitem__)] += lost
        return Law(rows, cost, misplaced + Fraction(lost, _ONE))

    # Distances

    def mean_absolute_memory(self, law: Law) -> Bounds:
        """Return bounds of the mean of |v|."""
        total = sum(
            mass * abs(point)
            for row in law.rows
            for mass, point in zip(row, self.points, strict=True)
            if mass
        )
        error = law.cost + 2 * law.misplaced * self.reach
        return _within(Fraction(total, self.unit << BITS), error)

    def distance_of_memories(self, first: Law, second: Law, *, clean: bool = False) -> Bounds:
        """Return bounds of W_M, M >= 2 V, of two laws with one law of the state.

        Or, with `clean`, of the two laws on the grid themselves.
        """
        self.chain.budget.spend(2 * self.chain.size * len(self.points))
        value, unequal = 0, 0
        for one, other in zip(first.rows, second.rows, strict=True):
            value += self._on_the_line(one, other)
            unequal += abs(sum(one) - sum(other))
        # Where roundings made the laws of the state differ a little, so much mass is exchanged.
        error = Fraction(unequal, _ONE) * 8 * self.reach
        if not clean:
            mass = first.misplaced + second.misplaced
            error += first.cost + second.cost + 8 * mass * self.reach
        return _within(Fraction(value, self.unit << BITS), error)

    def distance(self, first: Law, second: Law, weight: Fraction) -> Bounds:
        """Return bounds of W_M, by a function and by a plan."""
        count, moved, within = len(self.points), 0, 0
        self.chain.budget.spend(6 * self.chain.size * count)
        left_over, alone = [0] * count, [0] * count
        here, there = [sum(row) for row in first.rows], [sum(row) for row in second.rows]
        for one, other, p, q in zip(first.rows, second.rows, here, there, strict=True):
            alone = [x + a - b for x, a, b in zip(alone, one, other, strict=True)]
            if p < q:
                # The same with the two laws exchanged.
                shared, rest, larger, part = other, one, q, p
            else:
                shared, rest, larger, part = one, other, p, q
            if part:
                apart = self._on_the_line([part * a for a in shared], [larger * b for b in rest])
                within += -(-apart // larger)
            if larger > part:
                sign = 1 if shared is one else -1
                extra = [sign * (a * (larger - part) // larger) for a in shared]
                left_over = [x + y for x, y in zip(left_over, extra, strict=True)]
                moved += (larger - part) * (sign > 0)
        zeros = [0] * count
        across = self._on_the_line(left_over, zeros)
        # Each mass left over was rounded down by less than one unit.
        rounding = 2 * count * len(here) * sum(self.gaps)
        certain = weight * Fraction(moved, _ONE)
        scale = self.unit << BITS
        mass = first.misplaced + second.misplaced
        error = first.cost + second.cost + mass * (weight + 2 * self.reach)
        least = certain + Fraction(self._on_the_line(alone, zeros), scale) - error
        most = certain + Fraction(within + across + rounding, scale) + error
        return Bounds(max(least, Fraction(0)), most)

    def _on_the_line(self, first: Sequence[int], second: Sequence[int]) -> int:
        """Return ``int |F - G|`` between the first point and the last."""
        total = level = 0
        for a, b, gap in zip(first, second, self.gaps, strict=False):
            level += a - b
            if level:
                total += abs(level) * gap
        return total

    # The map

    def _map(self, point: Vector) -> tuple[list[int], list[int]]:
        if point not in self._maps:
            targets, costs = [], []
            for low, high in self.images(point):
                target, cost = self._nearest(low, high)
                targets.append(target)
                costs.append(cost)
            self._maps[point] = targets, costs
        return self._maps[point]

    def _nearest(self, low: int, high: int) -> tuple[int, int]:
        """Return a point of the grid near a memory between two bounds, and how far it may be."""
        points, middle = self.points, (low + high) // 2
        k = bisect(points, middle)
        if k == len(points) or (k and middle - points[k - 1] < points[k] - middle):
            k -= 1
        return k, max(abs(low - points[k]), abs(high - points[k]))

    def images(self, point: Vector) -> Iterable[tuple[int, int]]:
        """Return whole bounds, in units, of the image of each point of the grid.

        The grid is cut into cells; where points are many in one, and the memory map is no short
        sum, ``Phi(x, .)`` is developed about its centre, with ``Phi''`` enclosed on all of it.
        """
        law = self.memory.instance.law
        is_short = law.w is None or law.w.kind == "constant"
        width = (self.points[-1] - self.points[0]) // _CELLS + 1
        cells: dict[int, list[int]] = {}
        for place in self.points:
            cells.setdefault((place - self.points[0]) // width, []).append(place)
        self.chain.budget.spend(20 * len(self.points))
        for members in cells.values():
            if len(members) > _FEW and not is_short:
                yield from self._developed(point, members)
            else:
                for place in members:
                    found = bounds(self.memory.image(point, ball(Fraction(place, self.unit))))
                    yield floor(found.lower * self.unit), ceil(found.upper * self.unit)

    def _developed(self, point: Vector, members: list[int]) -> Iterable[tuple[int, int]]:
        centre, unit = (members[0] + members[-1]) // 2, self.unit
        middle = ball(Fraction(centre, unit))
        half = ball(Fraction((members[-1] - members[0]) // 2 + 1, unit))
        orders = (
            self.memory.image(point, middle),
            self.memory.image(point, middle, 1),
            self.memory.image(point, around(middle, half), 2),
        )
        # In units, times 2^SHARP: Phi, what a unit of memory changes, and half of what its square.
        one = Fraction(1 << _SHARP)
        scales = (one * unit, one, one / (2 * unit))
        low = [floor(lower(x) * scale) for x, scale in zip(orders, scales, strict=True)]
        high = [ceil(upper(x) * scale) for x, scale in zip(orders, scales, strict=True)]
        for place in members:
            t = place - centre
            square = t * t
            first, last = (low[1], high[1]) if t >= 0 else (high[1], low[1])
            yield (
                (low[0] + first * t + low[2] * square) >> _SHARP,
                -(-(high[0] + last * t + high[2] * square) >> _SHARP),
            )


def _within(value: Fraction, error: Fraction) -> Bounds:
    return Bounds(max(value - error, Fraction(0)), value + error)


def _up(value: Fraction) -> Fraction:
    """Round up to a denominator that does not grow."""
    return Fraction(ceil(value * _DENOMINATOR), _DENOMINATOR)
