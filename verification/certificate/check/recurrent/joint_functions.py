r"""Functions of state and memory as polynomials in the memory, and what a step of the chain does.

With ``(Q g)(i, x) = sum_j P_ij g(j, Phi(x_i, x))``, memories in units of R, a function is known by
a polynomial for each state.  A step averages them over the states that follow, and replaces what
``p o Phi`` is by a polynomial that is near to it on [-1, 1], by a bound in the coefficients of p
(`verification.certificate.check.recurrent.memory_polynomials`).  So no error grows: ``|Q (g - p)|
<= sup |g - p|``, as Q averages, and what a step leaves out is added.

**Curvatures.**  Along any path of inputs the memory after k steps is a function of the first one,
of slope at most ``q^k`` and curvature at most w_k, ``w_0 = 0``, ``w_{k+1} = q w_k + c q^(2k)``, c a
bound of ``|Phi''| R``.  So a sum along a path has slope at most ``L = 1 / (1 - q)`` and curvature
at most ``B = c / ((1 - q) (1 - q^2))``, and for its square, below s, ``2 L^2 + 2 s B``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from operator import add, mul
from typing import TypeAlias

from verification.certificate.check.instances import Vector
from verification.certificate.check.markov.chains import Chain
from verification.certificate.check.numbers.balls import (
    Integer,
    ball,
    integer_matrix,
    integer_rows,
    lower,
    upper,
)
from verification.certificate.check.numbers.bounds import Bounds
from verification.certificate.check.numbers.search import largest_value
from verification.certificate.check.recurrent.activations import constant
from verification.certificate.check.recurrent.memory import Memory, mean_absolute_b
from verification.certificate.check.recurrent.memory_polynomials import (
    BITS,
    ONE,
    ellipses,
    maps,
)

_DENOMINATOR = 2**120
_GRID_BITS = 40
_FEW, _FIRST_STEPS, _ROOM_BITS = 24, 6, 8
_MOST_CELLS = 4_000
_FOR_A_VALUE, _FOR_A_STEP = 250, 2_000
"""What is charged however small a function is: a value, and a step, take their time."""

Rows: TypeAlias = list[list[Integer]]
"""A function: of each state the coefficients in Chebyshev's basis, times `ONE`."""


class JointFunctions:
    """Polynomials in the memory, for each state, and a step of the joint chain.

    Parameters
    ----------
    chain : Chain
    memory : Memory
    aim : int
        What a step leaves out of a function is about ``2^-aim`` of it.

    Notes
    -----
    At the working precision.
    """

    def __init__(self, chain: Chain, memory: Memory, aim: int) -> None:
        self.chain = chain
        pair = ellipses(memory)
        self.reach = pair.reach
        """The number R."""
        maps_degree = pair.degree(aim)
        found = maps(memory, pair, maps_degree)
        self._weights = found.weights
        self._groups: dict[Vector, list[int]] = {}
        for state, point in enumerate(memory.instance.inputs):
            self._groups.setdefault(point, []).append(state)
        dense = [[floor(p * ONE) for p in row] for row in chain.dense()]
        for row in dense:
            row[row.index(max(row))] += ONE - sum(row)
        self._transition = integer_matrix([list(map(Integer, row)) for row in dense])
        self.q = _up(upper(memory.contraction_factor()))
        bend = constant(memory.instance.activation, 2) * ball(mean_absolute_b(memory.instance))
        self.slope = _up(1 / (1 - self.q))
        self.curvature = _up(upper(bend) * self.reach * self.slope / (1 - self.q * self.q))
        # The memories that occur, up to a little: a multiple of a power of 2, for exact halves.
        cells = 1 << _GRID_BITS
        self.inside = Fraction(ceil(upper(memory.bound()) / self.reach * cells), cells)
        self.beyond = self.inside - lower(memory.bound()) / self.reach
        """How far beyond vbar, in units of R, `inside` is at most."""
        self._cut(found.of, maps_degree)
        if maps_degree > _FEW:
            self._cut(found.of, min(maps_degree, self._enough(aim)))

    def _cut(self, of: Mapping[Vector, list[list[Integer]]], degree: int) -> None:
        """Have functions be of a degree: what a step finds beyond it is left out, and counted."""
        self.degree = degree
        self._maps = {point: integer_matrix(rows[: degree + 1]) for point, rows in of.items()}

    def _enough(self, aim: int) -> int:
        """Return a degree beyond which the first images of f have hardly any coefficients.

        They are smoother by far than what is known of them beforehand.
        """
        now = [self.polynomial(0, ONE) for _ in range(self.chain.size)]
        needed, small = 1, BITS - aim - _ROOM_BITS
        for _ in range(_FIRST_STEPS):
            (now,), _ = self.step([now], [Fraction(2)])
            for row in now:
                needed = max([needed, *(c for c, a in enumerate(row) if int(abs(a)) >> small)])
        return needed + needed // 4 + 4

    def polynomial(self, *coefficients: int) -> list[Integer]:
        """Return a polynomial of so few coefficients, times `ONE`."""
        zeros = [0] * (self.degree + 1 - len(coefficients))
        return list(map(Integer, [*coefficients, *zeros]))

    def step(
        self, functions: Sequence[Rows], sizes: Sequence[Fraction]
    ) -> tuple[list[Rows], list[Fraction]]:
        """Return polynomials near ``Q p`` on [-1, 1], each with how far off it is.

        Parameters
        ----------
        functions : sequence of list of list of Integer
        sizes : sequence of Fraction
            Bounds of them on [-1, 1].
        """
        count, size, images = self.degree + 1, self.chain.size, len(self._weights)
        # With few rows a product takes the longer for each of its terms.
        each = 16 * images + count * size // 8 + count * images // 3
        self.chain.budget.spend(len(functions) * size * each)
        stacked = [[a for f in functions for a in f[i]] for i in range(size)]
        averaged = integer_rows(self._transition * integer_matrix(stacked))
        parts = [
            [row[k * count : (k + 1) * count] for k in range(len(functions))] for row in averaged
        ]
        found: list[Rows] = [[[]] * size for _ in functions]
        beyond = [[0] * size for _ in functions]
        for point, states in self._groups.items():
            block = integer_matrix([part for i in states for part in parts[i]])
            rows = iter(integer_rows(block * self._maps[point]))
            for i in states:
                for f, left_out in zip(found, beyond, strict=True):
                    row = [a >> 2 * BITS for a in next(rows)]
                    f[i], left_out[i] = row[:count], int(sum(map(abs, row[count:])))
        errors = []
        for k, bound in enumerate(sizes):
            off = max(sum(map(mul, map(abs, part[k]), self._weights)) for part in parts)
            # What is rounded: coefficients, and the probabilities of a row, its largest twice.
            whole = int(off >> 2 * BITS) + 1 + max(beyond[k]) + images + 2 * size * bound
            errors.append(_up(Fraction(whole) / ONE))
        return found, errors

    def averaged(self, values: Sequence[Integer]) -> list[Integer]:
        """Return ``P g``, each value off by 1 and by ``2 n |g| / ONE`` at most, n the states."""
        self.chain.budget.spend(len(values) * (4 + len(values) // 8))
        found = integer_rows(self._transition * integer_matrix([[value] for value in values]))
        return [value >> BITS for (value,) in found]

    def evaluated(self, functions: Rows) -> tuple[Callable[[Fraction], list[int]], Fraction]:
        """Return what gives the values of a function, times `ONE`, and how far off they are.

        In [-1, 1], by the recursion ``T_(c+1) = 2 x T_c - T_(c-1)``.  Where it rounds it is off by
        c^2 units at most, and so where x is rounded, as T_c is no steeper than c^2.
        """
        columns = integer_matrix(list(zip(*functions, strict=True)))
        cost = _FOR_A_VALUE + 4 * self.degree + len(functions) * (4 + self.degree // 8)

        def values(place: Fraction) -> list[int]:
            self.chain.budget.spend(cost)
            x = Integer(int(place * ONE))
            basis = [Integer(ONE), x]
            for _ in range(self.degree - 1):
                basis.append((x * basis[-1] >> BITS - 1) - basis[-2])
            (found,) = integer_rows(integer_matrix([basis]) * columns)
            return [int(value >> BITS) for value in found]

        largest = max(sum(map(abs, row)) for row in functions)
        return values, Fraction(2 * self.degree**2 * (1 + int(largest >> BITS)) + 1, ONE)


def largest_spread(functions: Rows) -> Fraction:
    """Bound what functions differ by on [-1, 1], by coefficients: well where that is constant."""
    first, above, below = functions[0], Integer(0), Integer(0)
    for row in functions:
        height, *others = (a - b for a, b in zip(row, first, strict=True))
        rest = sum(map(abs, others))
        above, below = max(above, height + rest), min(below, height - rest)
    return Fraction(int(above - below), ONE)


def supremum(
    value: Callable[[Fraction], int],
    bend: Fraction,
    reach: Fraction,
    tolerance: Fraction,
    most: Fraction | None = None,
) -> Bounds:
    """Return bounds of the supremum >= 0 on ``[-reach, reach]`` of a function, times `ONE`.

    It is the largest of some functions of curvature `bend` at most: between two places none is
    above its chord by more than ``h^2 / 8`` times that.  And none is above `most`.
    """
    seen: dict[Fraction, int] = {}
    bend = _up(bend)

    def look(low: Fraction, high: Fraction) -> tuple[Fraction, Fraction]:
        for place in (low, high):
            if place not in seen:
                seen[place] = value(place)
        top = Fraction(max(seen[low], seen[high]), ONE)
        bound = top + bend * (high - low) ** 2 / 8
        return top, bound if most is None else max(top, min(bound, most))

    found = largest_value(look, reach, tolerance, _MOST_CELLS)
    if found is None:
        raise ValueError("a cell has no bound")
    return found


def _up(value: Fraction) -> Fraction:
    return Fraction(ceil(value * _DENOMINATOR), _DENOMINATOR)


@dataclass(frozen=True)
class MemorySum:
    """``V_K = sum_{k<K} Q^k f``, ``f(i, x) = x``, and what is left of f after K steps.

    Parameters
    ----------
    rows : list of list of Integer
    error : Fraction
        Of V_K on [-1, 1].
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
    now = [functions.polynomial(0, ONE) for _ in range(functions.chain.size)]
    summed = [functions.polynomial() for _ in now]
    error, whole, slope = Fraction(0), Fraction(0), Fraction(1)
    for _ in range(terms):
        summed = [list(map(add, a, b)) for a, b in zip(summed, now, strict=True)]
        whole += error
        (now,), (further,) = functions.step([now], [1 + error])
        error, slope = _up(error + further), _up(slope * functions.q)
    # T_c(0) is 1, 0, -1, 0 and so on.
    left = tuple(Fraction(sum(map(int, row[::4])) - sum(map(int, row[2::4])), ONE) for row in now)
    return MemorySum(summed, whole, left, error, slope)


@dataclass(frozen=True)
class Moments:
    """``E[S^2]`` and ``E[S Y]``, with bounds of their errors on [-1, 1].

    S sums ``x_k - centre`` and Y numbers of the states, n steps long; `highest` and `largest` bound
    what a term of S and of Y is.
    """

    square: Rows
    square_error: Fraction
    product: Rows
    product_error: Fraction
    highest: Fraction
    largest: Fraction

    def largest_square(self) -> Fraction:
        """Bound ``E[S^2]`` on [-1, 1]."""
        whole = max(sum(map(abs, row)) for row in self.square)
        return Fraction(int(whole), ONE) + self.square_error


def moments(
    functions: JointFunctions, centre: int, levels: Sequence[Fraction], steps: int
) -> Moments:
    """Return the moments of the sums of n terms, from the last term backwards.

    The centre is a multiple of ``1 / ONE``, times that.  With S' and Y' what follows the terms t
    and y, ``S^2 = t (t + 2 S') + S'^2`` and ``S Y = y (t + S') + t Y' + S' Y'``.
    """
    whole = [Integer(floor(y * ONE)) for y in levels]
    highest = 1 + Fraction(abs(centre), ONE)
    largest = _up(max(map(abs, levels)) + Fraction(1, ONE))
    size, unit = len(whole), Fraction(functions.degree + 1, ONE)
    term, middle = functions.polynomial(-centre, ONE), Integer(centre)
    mean, square, product = ([functions.polynomial() for _ in whole] for _ in range(3))
    ahead = [Integer(0)] * size
    mean_error = square_error = product_error = Fraction(0)
    for k in range(steps):
        functions.chain.budget.spend(_FOR_A_STEP + 16 * size * (functions.degree + 1))
        sizes = (
            k * highest + mean_error,
            (k * highest) ** 2 + square_error,
            k * k * highest * largest + product_error,
        )
        (after, square, product), errors = functions.step([mean, square, product], sizes)
        mean_error, square_error, product_error = (
            a + b for a, b in zip((mean_error, square_error, product_error), errors, strict=True)
        )
        moved = functions.averaged(ahead)
        # What comes of Y is known up to roundings; a product's highest coefficient is dropped.
        rough = Fraction(4 * (k + 1) ** 2 * (size + 2), ONE) * (1 + largest)
        dropped = max(abs(row[-1]) for row in after)
        square_error += 2 * highest * mean_error + Fraction(int(dropped), ONE) + 4 * unit
        product_error += largest * mean_error + (highest + 1) * rough + sizes[0] / ONE + 4 * unit
        for i, (a, y, z) in enumerate(zip(after, whole, moved, strict=True)):
            both = [t + 2 * x for t, x in zip(term, a, strict=True)]
            square[i] = list(map(add, _times(both, middle), square[i]))
            mixed = [(t * (y + z) + y * x) >> BITS for t, x in zip(term, a, strict=True)]
            product[i] = list(map(add, mixed, product[i]))
        mean = [list(map(add, term, a)) for a in after]
        mean_error, square_error, product_error = map(
            _up, (mean_error, square_error, product_error)
        )
        ahead = list(map(add, whole, moved))
    return Moments(square, square_error, product, product_error, highest, largest)


def _times(p: list[Integer], centre: Integer) -> list[Integer]:
    """Return ``(x - centre) p``, rounded, without its highest coefficient."""
    before, after = [Integer(0), 2 * p[0], *p[1:-1]], [*p[1:], Integer(0)]
    return [(a + b >> 1) - (centre * c >> BITS) for a, b, c in zip(before, after, p, strict=True)]
