r"""Quadrature with a proved error for expectations of functions of (C, W.x, W.x').

A `PairRule` for inputs x and x' is a sum over nodes (u_j, u'_j) with weights w_j, and constants
such that

    |E F(W.x, W.x') - sum_j w_j F(u_j, u'_j)| <= analytic_error * S + real_error * R

for every F that is bounded by S where both arguments are in the strip ``|Im z| < strip``, in which
it is analytic in each argument, and by R on the real plane.

Every expectation here is one over at most two independent variables, whatever the dimension, or
over one for each dimension:

* *atoms, constant*: the sum, exact.
* *normal*: with ``|x| >= |x'|``, ``W.x = m.x + s |x| Z`` and ``W.x' = m.x' + s (x.x'/|x|) Z +
  s (|x'|^2 - (x.x')^2/|x|^2)^(1/2) Z'``, Z and Z' independent and standard: the trapezoidal rule
  in each; in Z alone where x and x' are parallel.
* *uniform*: Gauss-Legendre in each component of W; where x and x' are parallel, in W.x alone.

*A product of rules.*  Of two rules with errors e_1, e_2 and sums of absolute weights ``A_1``,
``A_2``: ``E_1 E_2 - Q_1 Q_2 = (E_1 - Q_1) E_2 + Q_1 (E_2 - Q_2)`` errs by at most
``e_1 + A_1 e_2``, for F is bounded by S where one variable is in its strip and the others are real.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import repeat
from operator import mul
from typing import TypeAlias

from verification.deadline import heed_deadline
from verification.enclosure.balls import (
    Ball,
    KeyedBall,
    Number,
    ball,
    keyed,
    symmetric,
    total,
    working_precision,
)
from verification.enclosure.doubles import above
from verification.enclosure.quadrature import Rule, normal_rule, uniform_sum_rule
from verification.errors import NotEnclosed
from verification.instance import AtomicLaw, Constant, Law, Normal, Uniform, Vector
from verification.recurrent.law import dot, moment_of_c

MAX_PAIR_NODES = 2**18

Function: TypeAlias = Callable[[Ball], Ball]

# The values of longer rules would take too much memory.
_LONGEST_KEPT = 2**10


@dataclass(frozen=True)
class Factor:
    """A function of one variable: the product of some functions at ``u + v``.

    Its values at the nodes of a rule are kept, so that all the products that it is a factor of
    share them.

    Parameters
    ----------
    functions : tuple of callable
        Balls to balls, at the current working precision.
    shift : KeyedBall
        v.
    """

    functions: tuple[Function, ...]
    shift: KeyedBall

    def __call__(self, u: Ball) -> Ball:
        """Enclose the value at u."""
        return self.values((u,))[0]

    def values(self, places: Iterable[Ball]) -> list[Ball]:
        """Enclose the values at several u."""
        shift = self.shift.ball
        arguments = [u + shift for u in places]
        first, *others = self.functions
        found = list(map(first, arguments))
        for function in others:
            found = list(map(mul, found, map(function, arguments)))
        return found


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One of the independent variables, T: its rule, and its part in W.x and in W.x'."""

    rule: Rule
    first: Number
    second: Number


@dataclass(frozen=True, kw_only=True, eq=False)
class PairRule:
    """Quadrature for a pair of inputs; see the module's docstring.

    Parameters
    ----------
    points : tuple of (Fraction, Fraction, Fraction, Fraction)
        Values of W.x and W.x' to which the axes add, their probability p, and p times the mean
        of C^2 there.
    axes : tuple of Axis
        Independent variables T_k: W.x is a point and ``sum_k first_k T_k``, and W.x' likewise.
    analytic_error, real_error : Ball
        Of the rule for ``E F``.
    """

    points: tuple[tuple[Fraction, Fraction, Fraction, Fraction], ...]
    axes: tuple[Axis, ...]
    analytic_error: Ball
    real_error: Ball

    def mean(
        self,
        one: Factor,
        other: Factor,
        strip_bound: Ball,
        real_bound: Ball,
        *,
        squared: bool = False,
    ) -> Ball:
        """Enclose ``E[f(W.x) g(W.x')]``, with `squared` ``E[C^2 f(W.x) g(W.x')]``.

        Parameters
        ----------
        one, other : Factor
            f and g on the real line.
        strip_bound, real_bound : Ball
            Upper bounds of ``|f(z) g(z')|`` on the strip and on the real line.
        squared : bool
        """
        error = symmetric(self.analytic_error * strip_bound + self.real_error * real_bound)
        result = ball(0)
        for u, v, mass, square_mass in self.points:
            weight = square_mass if squared else mass
            if weight:
                value = self._sum_from(u, v, one, other)
                result = result + ball(weight) * (value + error if self.axes else value)
        return result

    def _sum_from(self, u: Fraction, v: Fraction, one: Factor, other: Factor) -> Ball:
        """Return the sum over the nodes from one of the points on."""
        # The first factor may depend on the first axis only, the second perhaps on all.
        if (
            self.axes
            and len(self.axes[0].rule.nodes) <= _LONGEST_KEPT
            and not _is_zero(self.axes[0].first)
            and all(_is_zero(further.first) for further in self.axes[1:])
        ):
            heed_deadline()
            bits, axis = working_precision(), self.axes[0]
            first = _values_on(_places(axis.rule, keyed(ball(axis.first)), u, bits), one, bits)
            second = _sums_from(self, v, other, bits)
            return total(map(mul, axis.rule.weights, map(mul, first, second)))
        return _sum_of_products(self.axes, ball(u), ball(v), one, other)


@dataclass(frozen=True, eq=False)
class _Places:
    """Where the nodes of a rule take W.x; one is another where it is the same object."""

    values: tuple[Ball, ...]


@lru_cache(maxsize=128)
def _places(rule: Rule, move: KeyedBall, start: Fraction, _bits: int) -> _Places:
    begin = ball(start)
    return _Places(tuple(begin + move.ball * node for node in rule.nodes))


@lru_cache(maxsize=512)
def _values_on(places: _Places, factor: Factor, _bits: int) -> tuple[Ball, ...]:
    return tuple(factor.values(places.values))


def _sums_from(rule: PairRule, start: Fraction, factor: Factor, bits: int) -> tuple[Ball, ...]:
    """Return the second factor's sums over all axes but the first, one for each node of it."""
    axis = rule.axes[0]
    places = _places(axis.rule, keyed(ball(axis.second)), start, bits)
    if len(rule.axes) == 1:
        return _values_on(places, factor, bits)
    return _longer_sums(rule, places, factor, bits)


@lru_cache(maxsize=128)
def _longer_sums(rule: PairRule, places: _Places, factor: Factor, _bits: int) -> tuple[Ball, ...]:
    return tuple(_sum_of_values(rule.axes[1:], place, factor) for place in places.values)


def _is_zero(move: Number) -> bool:
    return isinstance(move, Fraction) and not move


def _sum_of_products(axes: Sequence[Axis], u: Ball, v: Ball, one: Factor, other: Factor) -> Ball:
    """Return the sum over the nodes of all axes, from the point (u, v) on."""
    if not axes:
        return one(u) * other(v)
    if all(_is_zero(axis.first) for axis in axes):
        # What the remaining variables do not move is computed once.
        return one(u) * _sum_of_values(axes, v, other)
    heed_deadline()
    axis, rest = axes[0], axes[1:]
    x, y = ball(axis.first), ball(axis.second)
    if not rest:
        nodes = axis.rule.nodes
        first = one.values(u + x * node for node in nodes)
        # What this variable does not move is computed once.
        second = (
            repeat(other(v))
            if _is_zero(axis.second)
            else other.values(v + y * node for node in nodes)
        )
        return total(map(mul, axis.rule.weights, map(mul, first, second)))
    return total(
        weight * _sum_of_products(rest, u + x * node, v + y * node, one, other)
        for node, weight in zip(axis.rule.nodes, axis.rule.weights, strict=True)
    )


def _sum_of_values(axes: Sequence[Axis], v: Ball, other: Factor) -> Ball:
    if not axes:
        return other(v)
    heed_deadline()
    axis, rest = axes[0], axes[1:]
    y = ball(axis.second)
    places = (v + y * node for node in axis.rule.nodes)
    if not rest:
        return total(map(mul, axis.rule.weights, other.values(places)))
    return total(
        weight * _sum_of_values(rest, place, other)
        for place, weight in zip(places, axis.rule.weights, strict=True)
    )


def pair_rule(
    law: Law, first: Vector, second: Vector, strip: Fraction, *, more_bits: int = 0
) -> PairRule:
    """Return a rule for ``(C, W.x, W.x')`` and functions that are analytic on a strip.

    Parameters
    ----------
    law : ProductLaw or AtomicLaw
    first, second : tuple of Fraction, shape (dimension,)
        The inputs x and x'.
    strip : Fraction
        Half-width of a strip in which the functions are analytic in each argument.
    more_bits : int
        How many bits beyond the working precision the rule's error is to be small: as many as
        the functions are larger on the strip than on the real line.

    Raises
    ------
    NotEnclosed
        Where a rule has too many nodes.
    """
    precisions = working_precision() + more_bits, working_precision()
    return _pair_rule(law, first, second, strip, precisions)


@lru_cache(maxsize=1024)
def _pair_rule(
    law: Law, first: Vector, second: Vector, strip: Fraction, precisions: tuple[int, int]
) -> PairRule:
    bits, _ = precisions
    if isinstance(law, AtomicLaw):
        return _of_atoms(law, first, second)
    if dot(first, first) < dot(second, second):
        swapped = _pair_rule(law, second, first, strip, precisions)
        return PairRule(
            points=tuple((u, v, mass, square) for v, u, mass, square in swapped.points),
            axes=tuple(
                Axis(rule=axis.rule, first=axis.second, second=axis.first) for axis in swapped.axes
            ),
            analytic_error=swapped.analytic_error,
            real_error=swapped.real_error,
        )
    axes: list[Axis] = []
    offsets = Fraction(0), Fraction(0)
    if isinstance(law.w, Constant):
        offsets = dot(law.w.value, first), dot(law.w.value, second)
    elif isinstance(law.w, Normal):
        offsets = dot(law.w.mean, first), dot(law.w.mean, second)
        axes = _normal_axes(law.w.std, first, second, strip, bits)
    else:
        axes = _uniform_axes(law.w, first, second, strip, bits)
    return _product(axes, offsets, moment_of_c(law, 2))


def _of_atoms(law: AtomicLaw, first: Vector, second: Vector) -> PairRule:
    masses: dict[tuple[Fraction, Fraction], tuple[Fraction, Fraction]] = {}
    for atom in law.atoms:
        where = dot(atom.w, first), dot(atom.w, second)
        mass, square_mass = masses.get(where, (Fraction(0), Fraction(0)))
        masses[where] = mass + atom.p, square_mass + atom.p * atom.c * atom.c
    return PairRule(
        points=tuple((*where, *mass) for where, mass in masses.items()),
        axes=(),
        analytic_error=ball(0),
        real_error=ball(0),
    )


def _normal_axes(
    std: Fraction, first: Vector, second: Vector, strip: Fraction, bits: int
) -> list[Axis]:
    size, mixed, other = dot(first, first), dot(first, second), dot(second, second)
    if not size:
        return []
    along, rule = _along_normal(std, size, strip, (bits, working_precision()))
    axes = [Axis(rule=rule, first=along, second=along * ball(mixed / size))]
    rest = other - mixed * mixed / size
    if rest:
        across, rule = _along_normal(std, rest, strip, (bits, working_precision()))
        axes.append(Axis(rule=rule, first=Fraction(0), second=across))
    return axes


@lru_cache(maxsize=128)
def _along_normal(
    std: Fraction, size: Fraction, strip: Fraction, precisions: tuple[int, int]
) -> tuple[Ball, Rule]:
    """Return a deviation ``s size^(1/2)``, and a rule for a standard normal Z.

    The rule is for functions analytic in the deviation times Z.
    """
    deviation = ball(std) * ball(size).sqrt()
    ratio = ball(strip) / deviation
    bits, _ = precisions
    return deviation, normal_rule(ball(0), ball(1), -above(-ratio), bits=bits)


def _uniform_axes(
    w: Uniform, first: Vector, second: Vector, strip: Fraction, bits: int
) -> list[Axis]:
    mixed, size = dot(first, second), dot(first, first)
    if not size:
        return []
    if mixed * mixed == size * dot(second, second):
        ends = [
            (min(low * x, high * x), max(low * x, high * x))
            for low, high, x in zip(w.low, w.high, first, strict=True)
            if x
        ]
        rule = uniform_sum_rule(ends, strip, bits=bits)
        return [Axis(rule=rule, first=Fraction(1), second=mixed / size)]
    return [
        Axis(
            rule=uniform_sum_rule([(low, high)], strip / max(abs(x), abs(y)), bits=bits),
            first=x,
            second=y,
        )
        for low, high, x, y in zip(w.low, w.high, first, second, strict=True)
        if x or y
    ]


def _product(
    axes: Sequence[Axis], offsets: tuple[Fraction, Fraction], mean_square: Fraction
) -> PairRule:
    count = math.prod(len(axis.rule.nodes) for axis in axes)
    if count > MAX_PAIR_NODES:
        raise NotEnclosed(f"an expectation needs {count} nodes, more than {MAX_PAIR_NODES}")
    analytic, real, absolute = ball(0), ball(0), ball(1)
    for axis in axes:
        analytic = analytic + absolute * axis.rule.analytic_error
        real = real + absolute * axis.rule.real_error
        absolute = absolute * total(abs(weight) for weight in axis.rule.weights)
    return PairRule(
        points=((*offsets, Fraction(1), mean_square),),
        axes=tuple(axes),
        analytic_error=analytic,
        real_error=real,
    )
