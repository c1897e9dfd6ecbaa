"""Estimates of targets in doubles, and places for lower bounds: candidates, never bounds.

What is found here is rounded to exact numbers, and everything that is claimed of it is computed
again in balls.  A poor candidate gives a poor bound, not a wrong one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray
from scipy.optimize import minimize

from verification.deadline import heed_deadline
from verification.errors import NotEnclosed
from verification.linear_rnn import piece_estimates
from verification.linear_rnn.lower_bounds import (
    BangBangPlace,
    IndicatorPlace,
    KyFanPlace,
    LaguerrePlace,
)
from verification.linear_rnn.pieces import Function, QuasiPolynomial
from verification.linear_rnn.searching import exactly, finite, searching

Array: TypeAlias = NDArray[np.float64]

LAGUERRE_SIZE = 20
CELLS = 12
MOST_CELLS = 100_000
"""Of a grid on which a target is followed."""

KY_FAN_CELLS = 7

_NODES, _WEIGHTS = leggauss(12)
SCALES = (0.5, 1.0, 2.0, 4.0, 8.0)


def value_estimate(function: Function, t: Array) -> Array:
    """Return f at some points."""
    return sum((piece_estimates.value(piece, t) for piece in function), np.zeros_like(t))


def primitive_estimate(function: Function, t: Array, times: int = 1) -> Array:
    """Return the first primitive, the one that vanishes at infinity, or a second one."""
    parts = (piece_estimates.primitive(piece, t, times) for piece in function)
    return sum(parts, np.zeros_like(t))


def quadrature(functions: Sequence[Function]) -> tuple[Array, Array]:
    """Return nodes and weights for integrals over [0, inf), fine where the functions vary.

    Raises
    ------
    NotEnclosed
        Where they vary so often that there would be more than `MOST_CELLS` cells.
    OverflowError
        Where doubles do not hold the times at which they do.
    """
    extents = [piece_estimates.extent(piece) for function in functions for piece in function]
    jumps = [float(jump) for function in functions for piece in function for jump in piece.jumps]
    ranges = [cells for extent in extents for cells in extent.cells]
    last = max([*(extent.last for extent in extents), *(10 * jump for jump in jumps), 1.0])
    firsts = [extent.first for extent in extents] + [0.1 * jump for jump in jumps if jump]
    ends, point = [0.0], min(firsts, default=0.1)
    finite(np.array([last, 1 / point]))
    while point < last:
        ends.append(point)
        # Fine cells only where something oscillates: a power law lasts much longer.
        coming = [
            point + step if start <= point else start for start, end, step in ranges if point < end
        ]
        point = min([1.6 * point, *coming])
        if len(ends) > MOST_CELLS:
            raise NotEnclosed(
                f"the target varies too often to be followed in doubles, in more than {MOST_CELLS} "
                "cells"
            )
    cells = list(pairwise(sorted({*ends, last, *jumps})))
    middles = np.array([(a + b) / 2 for a, b in cells])[:, None]
    halves = np.array([(b - a) / 2 for a, b in cells])[:, None]
    return (middles + halves * _NODES).ravel(), (halves * _WEIGHTS).ravel()


def median_time(function: Function) -> float:
    """Return the time by which half of ``int |f|`` has passed."""
    t, weights = quadrature([function])
    passed = finite(np.cumsum(weights * np.abs(value_estimate(function, t))))
    if not passed[-1]:
        raise ZeroDivisionError("nothing is left of the target in doubles")
    return float(t[np.searchsorted(passed, passed[-1] / 2)])


@lru_cache(maxsize=256)
@searching("how often a target changes its sign")
def sign_changes_estimate(function: Function) -> int:
    """Return about how often a function changes its sign before all but 2^-16 of it has passed."""
    t, weights = quadrature([function])
    heights = value_estimate(function, t)
    passed = finite(np.cumsum(weights * np.abs(heights)))
    early = heights[passed <= passed[-1] * (1 - 2.0**-16)]
    return int((early[:-1] * early[1:] < 0).sum())


# Places for lower bounds


@lru_cache(maxsize=256)
@searching("a place for the bound by switched inputs")
def bang_bang_place(function: Function, width: int) -> BangBangPlace | None:
    """Return intervals and points for a large bang-bang bound, None where doubles find none.

    First with points at the end points, spaced geometrically; then by a simplex search in the
    logarithms of the steps, with points and end points tied, and last on their own.
    """
    if not width:
        return BangBangPlace((Fraction(0),), (Fraction(0),))
    half = median_time(function)
    starts = [
        np.log(half * scale * ratio ** np.arange(width))
        for scale in (0.03, 0.1, 0.3, 1.0, 2.0)
        for ratio in (1.0, 1.5, 2.5, 5.0, 12.0)
    ]
    starts += [np.log(np.full(width, half * scale / width)) for scale in (0.5, 0.9, 0.98, 1.5)]
    tied = max(starts, key=lambda x: _bang_bang_estimate(function, np.concatenate([x, x])))
    tied = _largest(lambda x: _bang_bang_estimate(function, np.concatenate([x, x])), tied)
    free = _largest(lambda x: _bang_bang_estimate(function, x), np.concatenate([tied, tied]))
    if not _bang_bang_estimate(function, free):
        return None
    steps = np.exp(free)
    places = [np.concatenate([[0], np.cumsum(part)]) for part in (steps[:width], steps[width:])]
    ends, points = (tuple(rounded(float(x)) for x in part) for part in places)
    return BangBangPlace(ends, points)


def _largest(function: Callable[[Array], float], start: Array) -> Array:
    """Return where a positive function is larger than at the start, by a simplex search."""

    def loss(x: Array) -> float:
        return -math.log(function(x) + 1e-300)

    found = minimize(
        loss,
        start,
        method="Nelder-Mead",
        options={"maxfev": 60 * len(start), "xatol": 1e-3, "fatol": 1e-3},
    )
    return np.asarray(found.x)


def _bang_bang_estimate(function: Function, logarithms: Array) -> float:
    heed_deadline()
    width = len(logarithms) // 2
    steps = np.exp(np.clip(logarithms, -60, 60))
    ends = np.concatenate([[0], np.cumsum(steps[:width])])
    points = np.concatenate([[0], np.cumsum(steps[width:])])
    primitive = primitive_estimate(function, points[:, None] + ends)
    matrix = -primitive
    matrix[:, :-1] += primitive[:, 1:]
    if not np.isfinite(matrix).all():
        return 0.0
    sizes = np.linalg.svd(matrix, compute_uv=False)
    if not 0 < sizes[0] <= 1e14 * sizes[-1]:
        return 0.0
    return float(1 / np.abs(np.linalg.inv(matrix)).sum(axis=1).max())


def laguerre_hankel(t: Array, weighted: Array, p: float) -> Array:
    """Return the compression to Laguerre functions of rate p; see `laguerre_matrix`."""
    size = LAGUERRE_SIZE
    functions = np.empty((2 * size + 1, len(t)))
    x = 2 * p * t
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        functions[0] = np.exp(-p * t)
        functions[1] = (1 - x) * functions[0]
        for n in range(1, 2 * size):
            functions[n + 1] = ((2 * n + 1 - x) * functions[n] - n * functions[n - 1]) / (n + 1)
    moments = np.nan_to_num(functions, posinf=0, neginf=0) @ weighted
    steps = moments[:-1] - moments[1:]
    return finite(np.array([steps[i : i + size] for i in range(size)]))


@lru_cache(maxsize=256)
@searching("a place for the bound by singular values")
def hankel_place(function: Function, width: int) -> LaguerrePlace | IndicatorPlace:
    """Return functions on which a compression has a large ``s_{m+1}``.

    Laguerre functions where their moments are known and enough of them are used, else intervals.
    """
    if len(function) == 1 and width < LAGUERRE_SIZE and isinstance(function[0], QuasiPolynomial):
        # Fast targets may have coefficients beyond all doubles.
        unit = function[0].unit
        scale = unit * laguerre_scale(function[0].in_units(unit), width)
        return LaguerrePlace(scale, LAGUERRE_SIZE)
    return IndicatorPlace(indicator_ends(function, width))


def laguerre_scale(function: QuasiPolynomial, width: int) -> Fraction:
    """Return a rate p of Laguerre functions for which ``s_{m+1}`` is large."""
    t, weights = quadrature([(function,)])
    weighted = weights * value_estimate((function,), t)
    half = median_time((function,))
    scales = [scale / half for scale in SCALES]
    values = [np.linalg.svd(laguerre_hankel(t, weighted, p))[1][width] for p in scales]
    return rounded(scales[int(np.argmax(values))], bits=4)


def indicator_ends(function: Function, width: int) -> tuple[Fraction, ...]:
    """Return end points of intervals on whose indicators ``s_{m+1}`` is large."""
    grids = _grids(function, width, max(CELLS, 2 * width + 2))
    best = max(grids, key=lambda ends: float(_indicator_values(function, ends)[width]))
    return tuple(rounded(float(x), bits=10) for x in best)


@lru_cache(maxsize=256)
@searching("a place for the Ky Fan bound")
def ky_fan_place(function: Function, width: int) -> KyFanPlace:
    """Return intervals and a number K >= 2 of singular values for a large Ky Fan bound."""
    best, found = -1.0, None
    for ends in _grids(function, width, max(KY_FAN_CELLS, width + 4)):
        values = _indicator_values(function, ends)[width:].cumsum()
        lengths = np.diff(ends)
        knots = (ends[:, None] + ends).ravel()[:, None, None]
        common = np.minimum(ends[1:, None], knots - ends[:-1])
        common = common - np.maximum(ends[:-1, None], knots - ends[1:])
        overlaps = np.maximum(common, 0) / np.sqrt(np.multiply.outer(lengths, lengths))
        norms = np.linalg.svd(overlaps, compute_uv=False).cumsum(axis=1).max(axis=0)
        ratios = values / norms[: len(values)]
        if len(ratios) > 1 and ratios[1:].max() > best:
            best, found = float(ratios[1:].max()), (ends, 2 + int(np.argmax(ratios[1:])))
    if found is None:
        raise NotEnclosed("doubles find no intervals with a Ky Fan bound")
    return KyFanPlace(tuple(rounded(float(x), bits=10) for x in found[0]), found[1])


def _grids(function: Function, width: int, cells: int) -> list[Array]:
    """Return end points that are spaced geometrically, or evenly, in different ways."""
    half = median_time(function)
    grids = [
        np.concatenate([[0], half * first * ratio ** np.arange(cells)])
        for first in (0.02, 0.1, 0.4)
        for ratio in (1.25, 1.6, 2.2, 4.0, 10.0)
    ]
    return grids + [
        np.linspace(0, half * span, count + 1)
        for span in (1.0, 1.6, 3.0)
        for count in (width + 1, 2 * width + 2, cells)
    ]


def _indicator_values(function: Function, ends: Array) -> Array:
    """Return the singular values of the compression to indicators."""
    lengths = np.diff(ends)
    second = primitive_estimate(function, ends[:, None] + ends, 2)
    matrix = np.diff(np.diff(second, axis=0), axis=1)
    scaled = matrix / np.sqrt(np.multiply.outer(lengths, lengths))
    return np.asarray(np.linalg.svd(finite(scaled), compute_uv=False))


def rounded(x: float, bits: int = 40) -> Fraction:
    """Round to some bits: what is found is not known better, and short numbers read well.

    Raises
    ------
    OverflowError
        Where it is infinite or no number.
    """
    if not exactly(x):
        return Fraction(0)
    exponent = bits - int(np.floor(np.log2(x)))
    return Fraction(round(Fraction(x) * Fraction(2) ** exponent)) / Fraction(2) ** exponent
