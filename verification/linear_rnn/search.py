"""Near-best networks and places for lower bounds, found in doubles: candidates, never bounds.

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
from numpy.polynomial.polynomial import polyval
from numpy.typing import NDArray
from scipy.optimize import minimize

from verification.linear_functional import Network
from verification.linear_rnn.lower_bounds import (
    BangBangPlace,
    IndicatorPlace,
    KyFanPlace,
    LaguerrePlace,
)
from verification.linear_rnn.pieces import BoxPiece, Function, PowerLawPiece, QuasiPolynomial

Array: TypeAlias = NDArray[np.float64]
Poles: TypeAlias = list[tuple[float, float]]
"""Rate and frequency of each exponential; a frequency stands for a pair of units."""

LAGUERRE_SIZE = 20
CELLS = 12
KY_FAN_CELLS = 7

_NODES, _WEIGHTS = leggauss(12)
_FARTHEST = 1e12
_SCALES = (0.5, 1.0, 2.0, 4.0, 8.0)
_REACHES = (1e1, 1e3, 1e6)
_ROUNDS = 12
_STEPS = 20


def value_estimate(function: Function, t: Array) -> Array:
    """Return f at some points."""
    result = np.zeros_like(t)
    for piece in function:
        if isinstance(piece, QuasiPolynomial):
            result += _waves(piece, t)
        elif isinstance(piece, PowerLawPiece):
            c, w = float(piece.law.coefficient), float(piece.law.exponent)
            result += c * w * (1 + t) ** (-1 - w)
        elif isinstance(piece, BoxPiece):
            start, end = map(float, piece.jumps)
            result += float(piece.box.height) * ((start <= t) & (t <= end))
    return result


def primitive_estimate(function: Function, t: Array, times: int = 1) -> Array:
    """Return the first primitive, the one that vanishes at infinity, or a second one."""
    result = np.zeros_like(t)
    for piece in function:
        if isinstance(piece, QuasiPolynomial):
            once = piece.integrated
            result += _waves(once if times == 1 else once.integrated, t)
        elif isinstance(piece, PowerLawPiece):
            c, w = float(piece.law.coefficient), float(piece.law.exponent)
            if times == 1:
                result -= c * (1 + t) ** -w
            else:
                result -= c * (np.log1p(t) if w == 1 else (1 + t) ** (1 - w) / (1 - w))
        elif isinstance(piece, BoxPiece):
            start, end = (np.maximum(float(jump) - t, 0) for jump in piece.jumps)
            height = float(piece.box.height)
            result += height * (start - end if times == 1 else (end**2 - start**2) / 2)
    return result


def _waves(piece: QuasiPolynomial, t: Array) -> Array:
    result = np.zeros_like(t)
    for wave in piece.waves:
        angle = float(wave.frequency) * t
        along = polyval(t, [float(x) for x in wave.cosine]) * np.cos(angle)
        across = polyval(t, [float(x) for x in wave.sine]) * np.sin(angle)
        result += np.exp(-float(wave.rate) * t) * (along + across)
    return result


def quadrature(functions: Sequence[Function]) -> tuple[Array, Array]:
    """Return nodes and weights for integrals over [0, inf), fine where the functions vary."""
    waves = [
        wave
        for function in functions
        for piece in function
        if isinstance(piece, QuasiPolynomial)
        for wave in piece.waves
    ]
    jumps = [float(jump) for function in functions for piece in function for jump in piece.jumps]
    lasts = [(40 + 3 * len(wave.cosine)) / float(wave.rate) for wave in waves]
    swinging = [end for end, wave in zip(lasts, waves, strict=True) if wave.frequency]
    fastest = max((float(wave.rate + wave.frequency) for wave in waves), default=1.0)
    frequency, swung = (
        max((float(w.frequency) for w in waves), default=0.0),
        max(swinging, default=0),
    )
    has_law = any(isinstance(piece, PowerLawPiece) for f in functions for piece in f)
    last = max([*lasts, *(10 * jump for jump in jumps), _FARTHEST if has_law else 1.0])
    ends, point = [0.0], min([0.1 / fastest, *(0.1 * jump for jump in jumps if jump)])
    while point < last:
        ends.append(point)
        # Fine cells only as long as something oscillates: a power law lasts much longer.
        point = min(1.6 * point, point + 4 / frequency) if point < swung else 1.6 * point
    cells = list(pairwise(sorted({*ends, last, *jumps})))
    middles = np.array([(a + b) / 2 for a, b in cells])[:, None]
    halves = np.array([(b - a) / 2 for a, b in cells])[:, None]
    return (middles + halves * _NODES).ravel(), (halves * _WEIGHTS).ravel()


def median_time(function: Function) -> float:
    """Return the time by which half of ``int |f|`` has passed."""
    t, weights = quadrature([function])
    passed = np.cumsum(weights * np.abs(value_estimate(function, t)))
    return float(t[np.searchsorted(passed, passed[-1] / 2)])


# Near-best exponential sums


@lru_cache(maxsize=256)
def near_best_network(functions: tuple[Function, ...], width: int) -> Network | None:
    """Return a network of at most this width whose kernel is near the functions in L1.

    Its rates and frequencies are those of balanced truncations of Laguerre expansions, or for long
    memories spaced geometrically and then improved; the coefficients minimise the L1 distance on a
    grid.  None means that none better than the zero network was found.
    """
    if not width:
        return None
    t, weights = quadrature(functions)
    heights = np.array([value_estimate(function, t) for function in functions])
    best, found = float((np.abs(heights) * weights).sum()), None
    for poles in _candidates(functions, t, weights, heights, width):
        fitted = _fitted(poles, t, weights, heights)
        if fitted[0] < best:
            best, found = fitted[0], (poles, fitted[1])
    return None if found is None else _network(*found)


def _candidates(
    functions: Sequence[Function], t: Array, weights: Array, heights: Array, width: int
) -> list[Poles]:
    found: list[Poles] = []
    for function, values in zip(functions, heights, strict=True):
        if not function:
            continue
        half = median_time(function)
        for scale in _SCALES:
            poles = _balanced(t, weights * values, scale / half, width)
            if poles is not None:
                found.append(poles)
        if any(isinstance(piece, PowerLawPiece) for piece in function):
            for reach in _REACHES:
                rates = np.geomspace(0.3 / reach, 3.0, width) if width > 1 else [0.3 / half]
                geometric = [(float(rate), 0.0) for rate in rates]
                found.append(_improved(geometric, t, weights, values))
    return found


def _laguerre_hankel(t: Array, weighted: Array, p: float) -> Array:
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
    return np.array([steps[i : i + size] for i in range(size)])


def _balanced(t: Array, weighted: Array, p: float, width: int) -> Poles | None:
    """Return the poles of a balanced truncation of the Laguerre expansion with rate p."""
    hankel = _laguerre_hankel(t, weighted, p)
    left = np.linalg.svd(hankel)[0][:, :width]
    shift = np.linalg.lstsq(left[:-1], left[1:], rcond=None)[0]
    values = np.linalg.eigvals(shift)
    if (np.abs(values - 1) < 1e-12).any():
        return None
    poles = p * (values + 1) / (values - 1)
    if (poles.real >= 0).any():
        return None
    return [(float(-z.real), float(z.imag)) for z in poles if z.imag >= 0]


def _basis(poles: Poles, t: Array) -> Array:
    columns: list[Array] = []
    for rate, frequency in poles:
        decay = np.exp(-rate * t)
        if frequency:
            columns += [decay * np.cos(frequency * t), decay * np.sin(frequency * t)]
        else:
            columns.append(decay)
    return np.array(columns).T


def _fitted(poles: Poles, t: Array, weights: Array, heights: Array) -> tuple[float, Array]:
    """Return about the least L1 distance, and its coefficients, by reweighted least squares."""
    basis, distance, coefficients = _basis(poles, t), 0.0, []
    for values in heights:
        scale = np.sqrt(weights)
        best: tuple[float, Array] | None = None
        for _ in range(_ROUNDS):
            found = np.linalg.lstsq(basis * scale[:, None], values * scale, rcond=None)[0]
            rest = np.abs(values - basis @ found)
            error = float(weights @ rest)
            if best is None or error < best[0]:
                best = error, found
            scale = _reweighted(weights, rest, 1e-3, values)
        if best is not None:
            distance += best[0]
            coefficients.append(best[1])
    return distance, np.array(coefficients)


def _reweighted(weights: Array, rest: Array, share: float, values: Array) -> Array:
    """Return the roots of weights that make squares of what is left its absolute values.

    What is left counts as no less than a share of its median, nor than what would overflow.
    """
    floor = share * float(np.median(rest)) + 1e-30 * float(np.abs(values).max()) + 1e-150
    scale: Array = np.sqrt(weights / np.maximum(rest, floor))
    return scale


def _improved(poles: Poles, t: Array, weights: Array, values: Array) -> Poles:
    """Move real rates to a smaller L1 distance, by reweighted Gauss-Newton steps."""
    best, found = _fitted(poles, t, weights, values[None, :])
    damping = 1e-3
    for _ in range(_STEPS):
        coefficients = found[0]
        basis = _basis(poles, t)
        rest = values - basis @ coefficients
        scale = _reweighted(weights, np.abs(rest), 0.05, values)
        rates = np.array([rate for rate, _ in poles])
        slopes = -basis * coefficients * t[:, None] * rates
        jacobian = np.hstack([basis, slopes]) * scale[:, None]
        sizes = np.linalg.norm(jacobian, axis=0) + 1e-300
        system = np.vstack([jacobian / sizes, np.sqrt(damping) * np.eye(len(sizes))])
        wanted = np.concatenate([rest * scale, np.zeros(len(sizes))])
        step = np.linalg.lstsq(system, wanted, rcond=None)[0] / sizes
        moved = [
            (float(rate * np.exp(np.clip(change, -0.5, 0.5))), 0.0)
            for rate, change in zip(rates, step[len(poles) :], strict=True)
        ]
        error, other = _fitted(moved, t, weights, values[None, :])
        if error < best:
            poles, best, found, damping = moved, error, other, max(damping / 3, 1e-9)
        else:
            damping *= 10
    return poles


def _network(poles: Poles, coefficients: Array) -> Network:
    """Return the network in blocks (-a) and ((-a, w), (-w, -a)) with these coefficients."""
    zero, one = Fraction(0), Fraction(1)
    width = coefficients.shape[1]
    rows = [[zero] * width for _ in range(width)]
    reads = [zero] * width
    k = 0
    u = [[Fraction(float(x)) for x in row] for row in coefficients.T]
    for rate, frequency in poles:
        reads[k] = one
        rows[k][k] = -Fraction(rate)
        if frequency:
            # The kernel is (u_1 cos + u_2 sin) exp(-a t) where c = (1, 0).
            rows[k + 1][k + 1] = -Fraction(rate)
            rows[k][k + 1], rows[k + 1][k] = Fraction(frequency), -Fraction(frequency)
        k += 2 if frequency else 1
    return Network(w=tuple(map(tuple, rows)), u=tuple(map(tuple, u)), c=tuple(reads))


# Places for lower bounds


@lru_cache(maxsize=256)
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
    ends, points = (tuple(_rounded(float(x)) for x in part) for part in places)
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
    width = len(logarithms) // 2
    steps = np.exp(np.clip(logarithms, -60, 60))
    ends = np.concatenate([[0], np.cumsum(steps[:width])])
    points = np.concatenate([[0], np.cumsum(steps[width:])])
    primitive = primitive_estimate(function, points[:, None] + ends)
    matrix = np.diff(primitive, axis=1, append=0)
    if np.linalg.cond(matrix) > 1e14:
        return 0.0
    return float(1 / np.abs(np.linalg.inv(matrix)).sum(axis=1).max())


@lru_cache(maxsize=256)
def hankel_place(function: Function, width: int) -> LaguerrePlace | IndicatorPlace:
    """Return functions on which a compression has a large ``s_{m+1}``.

    Laguerre functions where their moments are known and enough of them are used, else intervals.
    """
    if len(function) == 1 and width < LAGUERRE_SIZE and isinstance(function[0], QuasiPolynomial):
        return LaguerrePlace(laguerre_scale(function[0], width), LAGUERRE_SIZE)
    return IndicatorPlace(indicator_ends(function, width))


def laguerre_scale(function: QuasiPolynomial, width: int) -> Fraction:
    """Return a rate p of Laguerre functions for which ``s_{m+1}`` is large."""
    t, weights = quadrature([(function,)])
    weighted = weights * value_estimate((function,), t)
    half = median_time((function,))
    scales = [scale / half for scale in _SCALES]
    values = [np.linalg.svd(_laguerre_hankel(t, weighted, p))[1][width] for p in scales]
    return _rounded(scales[int(np.argmax(values))], bits=4)


def indicator_ends(function: Function, width: int) -> tuple[Fraction, ...]:
    """Return end points of intervals on whose indicators ``s_{m+1}`` is large."""
    grids = _grids(function, width, max(CELLS, 2 * width + 2))
    best = max(grids, key=lambda ends: float(_indicator_values(function, ends)[width]))
    return tuple(_rounded(float(x), bits=10) for x in best)


@lru_cache(maxsize=256)
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
        raise ValueError("there are too few intervals")
    return KyFanPlace(tuple(_rounded(float(x), bits=10) for x in found[0]), found[1])


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
    return np.asarray(np.linalg.svd(scaled, compute_uv=False))


def _rounded(x: float, bits: int = 40) -> Fraction:
    """Round to some bits: what is found is not known better, and short numbers read well."""
    if not x:
        return Fraction(0)
    exponent = bits - int(np.floor(np.log2(x)))
    return Fraction(round(Fraction(x) * Fraction(2) ** exponent)) / Fraction(2) ** exponent
