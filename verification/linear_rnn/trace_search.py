"""Places for trace bounds, found in doubles: candidates, see `verification.linear_rnn.search`."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.polynomial.polynomial import polyval
from numpy.typing import NDArray
from scipy.optimize import minimize

from verification.deadline import heed_deadline
from verification.errors import NotEnclosed
from verification.linear_rnn.pieces import Function, PowerLawPiece
from verification.linear_rnn.search import median_time, value_estimate
from verification.linear_rnn.searching import finite, searching
from verification.linear_rnn.trace_bound import TracePlace

Array: TypeAlias = NDArray[np.float64]

_NODES, _WEIGHTS = leggauss(8)
_DIGITS = 6
_FARTHEST = 300.0
# End points at least double.
_CLOSEST, _UNIT = math.log(2.001), 0.4
# Logarithms of: the first cell in units of time, the part beyond `_CLOSEST` of the logarithm of a
# ratio of end points, its slope and curvature along the cells; and those of the weights.
_START = (-1.2, 0.0, 1.3, -0.1, 0.4, -0.15)
_SIMPLEX = (0.5, 0.15, 0.3, 0.3, 0.15, 0.15)
_FEW_MORE, _MANY_MORE, _SPAN, _EVALUATIONS = 2, 8, 14.0, 30


def trace_place_of_width(function: Function, width: int) -> TracePlace:
    """Return the better of two places for this width: with few more cells, and with many."""
    few, more = width + _FEW_MORE, width + _MANY_MORE
    return trace_place(function, width, ((few, float(few)), (more, _SPAN)), _EVALUATIONS)


@lru_cache(maxsize=128)
@searching("a place for the trace bound")
def trace_place(
    function: Function, width: int, grids: tuple[tuple[int, float], ...], evaluations: int
) -> TracePlace:
    """Return cells and weights with a large bound for this width, by simplex searches.

    Ratios of end points and weights vary smoothly along the cells.

    Parameters
    ----------
    function : Function
    width : int
    grids : tuple of (int, float)
        Numbers of cells that are tried, each with the logarithm of the ratio of the last end point
        to the first one from which the search starts.
    evaluations : int
        The most that each search may do.
    """
    # Half of a power law's memory may be older than 10^6, and yet it begins at 1.
    law = any(isinstance(piece, PowerLawPiece) for piece in function)
    unit = min(median_time(function), 1.0) if law else median_time(function)
    best, found = -1.0, None
    for cells, span in grids:
        ends, weights = _searched(function, width, (cells, span, unit), evaluations)
        bound = _bound_estimate(function, ends, weights, width)
        if bound > best:
            best, found = bound, (ends, weights)
    if found is None:
        raise NotEnclosed("doubles find no cells with a trace bound")
    finite(np.concatenate([*found, 1 / found[0][1:], 1 / found[1]]))
    return TracePlace(
        (Fraction(0), *(Fraction(f"{x:.{_DIGITS}g}") for x in found[0][1:])),
        tuple(Fraction(f"{x:.{_DIGITS}g}") for x in found[1]),
    )


def _searched(
    function: Function, width: int, grid: tuple[int, float, float], evaluations: int
) -> tuple[Array, Array]:
    cells, span, unit = grid

    def loss(x: Array) -> float:
        heed_deadline()
        ends, weights = _cells(x, cells, unit)
        return -math.log(_bound_estimate(function, ends, weights, width) + 1e-300)

    start = np.array(_START)
    shape = np.exp(polyval(np.arange(cells) / cells, start[1:4])).mean()
    start[1] = math.log(max(span / cells - _CLOSEST, 0.1) / (_UNIT * shape))
    simplex = np.vstack([start, start + np.diag(_SIMPLEX)])
    found = minimize(
        loss,
        start,
        method="Nelder-Mead",
        options={"maxfev": evaluations, "adaptive": True, "initial_simplex": simplex},
    )
    return _cells(found.x, cells, unit)


def largest_impossible_width(function: Function, place: TracePlace, error: float) -> int:
    """Return about the largest width at which the bound exceeds an error, -1 where none does."""
    ends = np.array([float(x) for x in place.ends])
    weights = np.array([float(x) for x in place.weights])
    tails = _singular_values(function, ends, weights)[::-1].cumsum()[::-1]
    return int((tails / _norm_estimate(ends, weights) > error).sum()) - 1


def _cells(x: Array, cells: int, unit: float) -> tuple[Array, Array]:
    along = np.arange(cells) / cells
    lengths = _CLOSEST + _UNIT * np.exp(np.clip(polyval(along, x[1:4]), -20, 4))
    first = min(math.exp(x[0]), 100.0)
    ends = (
        unit * first * np.exp(np.minimum(np.concatenate([[0], np.cumsum(lengths[1:])]), _FARTHEST))
    )
    weights = np.exp(np.clip(polyval(along, [0, *x[4:]]), -20, 20))
    return np.concatenate([[0], ends]), weights


def _bound_estimate(function: Function, ends: Array, weights: Array, width: int) -> float:
    if not np.diff(ends).min() > 0:
        return 0.0
    values = _singular_values(function, ends, weights)
    return float(values[width:].sum() / _norm_estimate(ends, weights))


def _singular_values(function: Function, ends: Array, weights: Array) -> Array:
    lengths, middles = np.diff(ends), (ends[1:] + ends[:-1]) / 2
    t = middles[:, None] + lengths[:, None] / 2 * _NODES
    n, k = t.shape
    values = value_estimate(function, np.add.outer(t.ravel(), t.ravel())).reshape(n, k, n, k)
    means = np.einsum("iajb,a,b->ij", values, _WEIGHTS / 2, _WEIGHTS / 2)
    scale = weights * np.sqrt(lengths)
    weighted = finite(means * np.multiply.outer(scale, scale))
    found: Array = np.linalg.svd(weighted, compute_uv=False)
    return found


def _norm_estimate(ends: Array, weights: Array) -> float:
    """Return ``max_t |M(t)|_1``, by the formula of `verification.linear_rnn.trace_bound`."""
    lengths, n = np.diff(ends), len(weights)
    below = np.concatenate([[0], np.cumsum(weights**2 * lengths)])
    first = 2 * weights[:, None] * np.sqrt(below / lengths[:, None])
    diagonal = weights[:, None] ** 2 * (1 - (ends[:-1, None] - ends) / lengths[:, None])
    beside = 4 * weights[:, None] ** 2 * (below[:-1, None] - below) / lengths[:, None]
    second = np.sqrt(diagonal**2 + np.maximum(beside, 0))
    norms = np.zeros((n + 1, n + 1))
    norms[:n] += first
    norms[1:] += np.where(np.arange(n + 1) <= np.arange(n)[:, None], second, 0)
    return float(np.where(np.arange(n + 1) <= np.arange(n + 1)[:, None], norms, 0).max())
