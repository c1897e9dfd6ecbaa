"""Networks whose kernels are near a target in L1, found in doubles: candidates, never bounds.

Exponents are first those of balanced truncations of Laguerre expansions, at several time scales, or
for long memories spaced geometrically and then moved; coefficients minimise the L1 distance on a
grid.  From the best few of these starts Newton's method leads to a local minimum of the distance
(`verification.linear_rnn.best_sums`), nearly always the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import numpy as np

from verification.deadline import heed_deadline
from verification.linear_functional import Network
from verification.linear_rnn.best_sums import Poles, nearest
from verification.linear_rnn.pieces import Function, PowerLawPiece
from verification.linear_rnn.search import (
    SCALES,
    Array,
    laguerre_hankel,
    median_time,
    quadrature,
    value_estimate,
)
from verification.linear_rnn.searching import exactly, finite, searching

STARTS = 3
"""From how many starts a minimum is looked for."""

_REACHES = (1e1, 1e3, 1e6)
_ROUNDS = 12
_STEPS = 20


@lru_cache(maxsize=256)
@searching("a network that is near the target")
def near_best_network(functions: tuple[Function, ...], width: int) -> Network | None:
    """Return a network of at most this width whose kernel is near the functions in L1.

    None means that none better than the zero network was found.
    """
    if not width:
        return None
    t, weights = quadrature(functions)
    heights = finite(np.array([value_estimate(function, t) for function in functions]))
    best = float((np.abs(heights) * weights).sum())
    found: tuple[Poles, Array] | None = None
    starts = [
        (*_fitted(poles, t, weights, heights), poles)
        for poles in _candidates(functions, t, weights, heights, width)
    ]
    for _, coefficients, poles in sorted(starts, key=lambda start: start[0])[:STARTS]:
        distance, moved, factors = nearest(functions, poles, coefficients)
        if distance < best:
            best, found = distance, (moved, factors)
    return None if found is None else _network(*found)


def _candidates(
    functions: Sequence[Function], t: Array, weights: Array, heights: Array, width: int
) -> list[Poles]:
    found: list[Poles] = []
    for function, values in zip(functions, heights, strict=True):
        if not function:
            continue
        half = median_time(function)
        for scale in SCALES:
            heed_deadline()
            poles = _balanced(t, weights * values, scale / half, width)
            if poles is not None:
                found.append(poles)
        if any(isinstance(piece, PowerLawPiece) for piece in function):
            for reach in _REACHES:
                rates = np.geomspace(0.3 / reach, 3.0, width) if width > 1 else [0.3 / half]
                geometric = [(float(rate), 0.0) for rate in rates]
                found.append(_improved(geometric, t, weights, values))
    return found


def _balanced(t: Array, weighted: Array, p: float, width: int) -> Poles | None:
    """Return the poles of a balanced truncation of the Laguerre expansion with rate p."""
    hankel = laguerre_hankel(t, weighted, p)
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
            columns, wanted = finite(basis * scale[:, None]), finite(values * scale)
            found = np.linalg.lstsq(columns, wanted, rcond=None)[0]
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
        heed_deadline()
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
        step = np.linalg.lstsq(finite(system), finite(wanted), rcond=None)[0] / sizes
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
    u = [[exactly(x) for x in row] for row in coefficients.T]
    for rate, frequency in poles:
        reads[k] = one
        rows[k][k] = -exactly(rate)
        if frequency:
            # The kernel is (u_1 cos + u_2 sin) exp(-a t) where c = (1, 0).
            rows[k + 1][k + 1] = -exactly(rate)
            rows[k][k + 1], rows[k + 1][k] = exactly(frequency), -exactly(frequency)
        k += 2 if frequency else 1
    return Network(w=tuple(map(tuple, rows)), u=tuple(map(tuple, u)), c=tuple(reads))
