"""Expectations over the initial law by Gauss-Legendre panels of mpmath.

``W.x`` has a density on the line: normal, or for a sum of independent uniforms with lengths l_k
the spline ``sum_S (-1)^|S| (u - a_S)_+^(d-1) / ((d-1)! prod l_k)`` over the corners a_S of the
box.  One integral whatever the dimension, split at the corners and into short panels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise, product

import mpmath

from verification.instance import AtomicLaw, Constant, Law, Normal, Uniform, Vector
from verification.oracle.answer import DIGITS, Answer, Real, at_two_precisions, real

Function = Callable[[Real], Real]


def mean(
    law: Law,
    point: Vector,
    function: Function,
    *,
    length: Fraction,
    weighted: bool,
) -> Real:
    """Return ``E F(W.x)``, or ``E[B F(W.x)]`` if `weighted`, at mpmath's precision.

    Parameters
    ----------
    law : ProductLaw or AtomicLaw
    point : tuple of Fraction
        The input x.
    function : callable
    length : Fraction
        A length on which F looks like a polynomial.
    weighted : bool
    """
    if isinstance(law, AtomicLaw):
        return mpmath.fsum(
            real(atom.p * (atom.b if weighted else 1)) * function(real(_dot(atom.w, point)))
            for atom in law.atoms
        )
    factor = _mean_of(law.b) if weighted else mpmath.mpf(1)
    return factor * _mean_over_w(law.w, point, function, length)


def second_moments(law: Law, *, digits: int = DIGITS) -> tuple[Answer, Answer]:
    """Return ``E|B|`` and ``E[B^2]``."""

    def moment(function: Function) -> Real:
        if isinstance(law, AtomicLaw):
            return mpmath.fsum(real(atom.p) * function(real(atom.b)) for atom in law.atoms)
        return _mean_of(law.b, function)

    return (
        at_two_precisions(lambda: moment(abs), digits),
        at_two_precisions(lambda: moment(lambda b: b * b), digits),
    )


def _dot(first: Vector, second: Vector) -> Fraction:
    return sum((a * b for a, b in zip(first, second, strict=True)), Fraction(0))


def _mean_of(law: Uniform | Constant, function: Function = lambda b: b) -> Real:
    if isinstance(law, Constant):
        return function(real(law.value[0]))
    low, high = law.low[0], law.high[0]
    ends = [real(end) for end in (low, *([Fraction(0)] if low < 0 < high else []), high)]
    return mpmath.quad(function, ends, method="gauss-legendre") / (ends[-1] - ends[0])


def _mean_over_w(
    law: Uniform | Normal | Constant, point: Vector, function: Function, length: Fraction
) -> Real:
    if isinstance(law, Constant):
        return function(real(_dot(law.value, point)))
    if isinstance(law, Normal):
        centre, squared = real(_dot(law.mean, point)), _dot(point, point)
        if not squared:
            return function(centre)
        deviation = real(law.std) * mpmath.sqrt(real(squared))
        reach = mpmath.ceil(mpmath.sqrt(2 * (mpmath.mp.dps + 5) * mpmath.ln(10)))

        def weighted(z: Real) -> Real:
            return function(centre + deviation * z) * mpmath.npdf(z)

        panel = min(mpmath.mpf(1), real(length) / deviation)
        return _integral(weighted, [-reach, reach], panel)
    return _mean_of_sum(
        [
            sorted((low * x, high * x))
            for low, high, x in zip(law.low, law.high, point, strict=True)
            if x
        ],
        function,
        length,
    )


def _mean_of_sum(
    ranges: Sequence[Sequence[Fraction]], function: Function, length: Fraction
) -> Real:
    if not ranges:
        return function(mpmath.mpf(0))
    lengths = [high - low for low, high in ranges]
    low, dimension = sum((low for low, _ in ranges), Fraction(0)), len(ranges)
    corners = [
        (low + sum(chosen, Fraction(0)), (-1) ** sum(1 for part in chosen if part))
        for chosen in product(*((Fraction(0), part) for part in lengths))
    ]
    scale = math.factorial(dimension - 1) * math.prod(lengths, start=Fraction(1))
    # The truncated powers cancel: as many digits more as they are larger than the density.
    lost = len(str(math.ceil((2 * sum(lengths, Fraction(0))) ** dimension / scale)))

    with mpmath.workdps(mpmath.mp.dps + lost + 5):
        pieces = [(real(corner), sign) for corner, sign in corners]

        def weighted(u: Real) -> Real:
            powers = (
                sign * (u - corner) ** (dimension - 1) for corner, sign in pieces if u > corner
            )
            return function(u) * sum(powers)

        ends = [real(corner) for corner in sorted({corner for corner, _ in corners})]
        result = _integral(weighted, ends, real(length)) / real(scale)
    return +result


def _integral(function: Function, ends: Sequence[Real], panel: Real) -> Real:
    points = [ends[0]]
    for start, end in pairwise(ends):
        count = int(mpmath.ceil((end - start) / panel))
        points += [start + (end - start) * k / count for k in range(1, count + 1)]
    return mpmath.quad(function, points, method="gauss-legendre")
