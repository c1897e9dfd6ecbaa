r"""Functions of state and memory on equidistant memories, and what a step of the joint chain does.

Memories are counted in units of the grid's reach R: ``x = v / R``, in [-1, 1], h apart.  With ``(Q
g)(i, x) = sum_j P_ij g(j, Phi(x_i, R x) / R)`` a function is known at the grid's memories, and
between them by linear interpolation, whose error is at most ``h^2 / 8`` times the curvature of the
function itself: as it averages, it makes no error larger that was made before.

**Curvatures.**  Along any path of inputs the memory after k steps is a function of the first one,
of slope at most ``q^k`` and curvature at most w_k, ``w_0 = 0``, ``w_{k+1} = q w_k + c q^(2k)``, c a
bound of ``|Phi''| R``.  So a sum along a path has slope at most ``L = 1 / (1 - q)`` and curvature
at most ``B = c / ((1 - q) (1 - q^2))``, and for its square, below s, ``2 L^2 + 2 s B``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from operator import add, mul, sub
from typing import TypeAlias

from verification.certificate.check.markov.chains import Chain
from verification.certificate.check.numbers.balls import ball, upper
from verification.certificate.check.outcome import Refused
from verification.certificate.check.recurrent.activations import constant
from verification.certificate.check.recurrent.joint_laws import Grid
from verification.certificate.check.recurrent.memory import Memory, mean_absolute_b

BITS = 64
ONE = 1 << BITS
LEAST_CELLS, MOST_CELLS = 128, 4_096
_DENOMINATOR = 2**120

Rows: TypeAlias = list[list[int]]
"""A function times `ONE`, for each state at each memory of the grid."""


def cells_within(chain: Chain, steps: int, work: int) -> int:
    """Return a number of cells for which so many steps are so much work.

    Raises
    ------
    Refused
        Where they would be too few.
    """
    links = sum(map(len, chain.instance.rows))
    cells = MOST_CELLS
    while cells * steps * (links + 4 * chain.size) > work:
        cells //= 2
    if cells < LEAST_CELLS:
        raise Refused("functions of so many states and memories would be followed for too long")
    return cells


class JointFunctions:
    """The grid, and a step on it.

    Parameters
    ----------
    chain : Chain
    memory : Memory
    reach : Fraction
        The number R, vbar or more.
    cells : int

    Notes
    -----
    At the working precision.
    """

    def __init__(self, chain: Chain, memory: Memory, reach: Fraction, cells: int) -> None:
        self.chain = chain
        self.reach = reach
        self.cells = cells
        numbers = [2 * m - cells for m in range(cells + 1)]
        grid = Grid(chain, memory, [reach * Fraction(n, cells) for n in numbers])
        self.points = [n * ONE // cells for n in numbers]
        self.q = _up(upper(memory.contraction_factor()))
        bend = constant(memory.instance.activation, 2) * ball(mean_absolute_b(memory.instance))
        self.bend = _up(upper(bend) * reach)
        self.slope = _up(1 / (1 - self.q))
        self.curvature = _up(self.bend * self.slope / (1 - self.q * self.q))
        self.between = Fraction(1, 2 * cells * cells)
        """``h^2 / 8``."""
        self._off = 0
        scale = int(grid.unit * reach)
        places: dict[object, tuple[list[int], list[int]]] = {}
        for point in dict.fromkeys(memory.instance.inputs):
            found = list(grid.images(point))
            self._off = max(self._off, *(high - low for low, high in found))
            where = [
                min(max((low + high + 2 * scale) * cells * ONE // (4 * scale), 0), cells * ONE)
                for low, high in found
            ]
            left = [min(place >> BITS, cells - 1) for place in where]
            places[point] = left, [p - (c << BITS) for p, c in zip(where, left, strict=True)]
        self._places = [places[point] for point in memory.instance.inputs]
        self.image_error = _up(Fraction(self._off, scale) + Fraction(4, cells * ONE))
        self.links = [_whole(row) for row in chain.instance.rows]

    def step(self, rows: Rows) -> Rows:
        """Return ``Q g`` at the grid's memories, g interpolated."""
        links = sum(map(len, self.links))
        self.chain.budget.spend((links + 4 * len(rows)) * (self.cells + 1))
        result = []
        for row, (left, shares) in zip(self.links, self._places, strict=True):
            mean = [0] * (self.cells + 1)
            for j, p in row:
                mean = list(map(add, mean, map(mul, rows[j], [p] * len(mean))))
            mean = [value >> BITS for value in mean]
            rise = list(map(sub, mean[1:], mean))
            result.append(
                [mean[c] + (rise[c] * t >> BITS) for c, t in zip(left, shares, strict=True)]
            )
        return result

    def error(self, before: Fraction, slope: Fraction, bend: Fraction, size: Fraction) -> Fraction:
        """Bound the error after a step, of a function of that error, slope, curvature and size."""
        rounding = (size * (2 * len(self.links) + 2) + 4) / ONE
        return _up(before + self.between * bend + self.image_error * slope + rounding)


def _whole(row: Sequence[tuple[int, Fraction]]) -> list[tuple[int, int]]:
    """Return probabilities in whole multiples of ``2^-BITS`` that sum to 1."""
    found = [[j, floor(p * ONE)] for j, p in row]
    found[0][1] += ONE - sum(p for _, p in found)
    return [(j, p) for j, p in found]


def _up(value: Fraction) -> Fraction:
    return Fraction(ceil(value * _DENOMINATOR), _DENOMINATOR)


@dataclass(frozen=True)
class MemorySum:
    """``V_K = sum_{k<K} Q^k f``, ``f(i, x) = x``, and what is left of f after K steps.

    Parameters
    ----------
    rows : list of list of int
    error : Fraction
        Of V_K at the grid's memories.
    left : tuple of Fraction
        The numbers ``(Q^K f)(i, 0)``, up to `left_error`.
    left_error : Fraction
    fading : Fraction
        The slope of ``Q^K f``, at most: ``q^K``.
    """

    rows: Rows
    error: Fraction
    left: tuple[Fraction, ...]
    left_error: Fraction
    fading: Fraction


def memory_sum(functions: JointFunctions, terms: int) -> MemorySum:
    """Return the sum of so many terms."""
    q, size = functions.q, Fraction(1)
    now = [list(functions.points) for _ in range(functions.chain.size)]
    summed: Rows = [[0] * len(functions.points) for _ in now]
    error, whole, slope, bend = Fraction(1, ONE), Fraction(0), Fraction(1), Fraction(0)
    for _ in range(terms):
        summed = [list(map(add, a, b)) for a, b in zip(summed, now, strict=True)]
        whole += error
        now = functions.step(now)
        error = functions.error(error, slope, bend, size)
        slope, bend = _up(slope * q), _up(q * bend + functions.bend * slope * slope)
    middle = functions.cells // 2
    left = tuple(Fraction(row[middle], ONE) for row in now)
    return MemorySum(summed, whole, left, error, slope)


@dataclass(frozen=True)
class Moments:
    """``E[S^2]`` and ``E[S Y]`` at the grid's memories, with bounds of their errors.

    S sums ``x_k - centre`` and Y numbers of the states, n steps long; `highest` and `largest` bound
    what a term of S and of Y is.
    """

    square: Rows
    square_error: Fraction
    product: Rows
    product_error: Fraction
    highest: Fraction
    largest: Fraction


def moments(
    functions: JointFunctions, centre: int, levels: Sequence[Fraction], steps: int
) -> Moments:
    """Return the moments of the sums of n terms, from the last term backwards.

    The centre is a multiple of ``2^-BITS``, times that.
    """
    whole = [floor(y * ONE) for y in levels]
    highest = 1 + Fraction(abs(centre), ONE)
    largest = max(map(abs, levels)) + Fraction(1, ONE)
    term = [x - centre for x in functions.points]
    zero: Rows = [[0] * len(term) for _ in whole]
    mean, square, product = zero, zero, zero
    ahead = [0] * len(whole)
    mean_error = square_error = product_error = Fraction(0)
    slope, bend, between = functions.slope, functions.curvature, functions.error
    for k in range(steps):
        size = k * highest
        tail = functions.step(mean)
        tail_error = between(mean_error, slope, bend, size)
        moved = [sum(p * ahead[j] for j, p in row) >> BITS for row in functions.links]
        square_error = between(
            square_error,
            2 * size * slope,
            2 * slope * slope + 2 * size * bend,
            size * size,
        )
        square_error += 2 * highest * (tail_error + Fraction(2, ONE)) + 4 * (size + 2) / ONE
        product_error = between(
            product_error, k * largest * slope, k * largest * bend, size * k * largest
        )
        # What comes of Y is known up to roundings.
        rough = Fraction(4 * (k + 1) * (len(whole) + 2), ONE) * (1 + largest)
        product_error += largest * tail_error + highest * rough + rough
        square = [
            [(f * (f + 2 * a) >> BITS) + b for f, a, b in zip(term, row, later, strict=True)]
            for row, later in zip(tail, functions.step(square), strict=True)
        ]
        product = [
            [
                (f * (y + after) + y * a >> BITS) + b
                for f, a, b in zip(term, row, later, strict=True)
            ]
            for y, after, row, later in zip(
                whole, moved, tail, functions.step(product), strict=True
            )
        ]
        mean = [list(map(add, term, row)) for row in tail]
        mean_error = _up(tail_error + Fraction(2, ONE))
        square_error, product_error = _up(square_error), _up(product_error)
        ahead = list(map(add, whole, moved))
    return Moments(square, square_error, product, product_error, highest, largest)
