"""Gradient flow of the loss beside a late bump, in doubles: candidates, nothing is promised.

The flow is stiff: the coefficients settle in the time 1, while the plateau lasts for millions.  It
is followed by collocation at Radau's points, of order 15 and stable for any step, in the offset
from the start, so that its relative accuracy does not depend on how small the bump's pull is.  What
comes out is a polynomial on each step; `verification.linear_rnn.escape` proves how near the flow
is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.polynomial import chebyshev, legendre
from numpy.typing import NDArray

from verification.instance import Vector
from verification.linear_rnn.plateau import Plateau

Array = NDArray[np.float64]

STAGES = 8
_NEWTON_STEPS = 12
_CONVERGED = 1e-14
_NEARLY = 1e-9
_TOLERANCE = 1e-9
_NOISE = 1e-13
_ROUNDING = 4e-16
_GROWTH = 4.0
_LARGEST_CHANGE = 0.08
_REJECTIONS = 60
_CHECKS = np.cos(np.pi * (np.arange(24) + 0.5) / 24)


@dataclass(frozen=True)
class Step:
    """The offset ``sum_k coefficients[k] T_k(s)`` at the times ``start + (s + 1) length / 2``.

    Parameters
    ----------
    start, length : float
    coefficients : array of float, shape (STAGES + 1, 2 units)
    """

    start: float
    length: float
    coefficients: Array

    def offsets(self, s: Array) -> Array:
        """Return the offsets at points of [-1, 1], shape ``(len(s), 2 units)``."""
        values = chebyshev.chebval(s, self.coefficients)
        return np.asarray(values.T, dtype=np.float64)


def double(value: Fraction) -> np.float64:
    """Return the nearest double, infinite where there is none."""
    try:
        return np.float64(float(value))
    except OverflowError:
        return np.float64(math.inf if value > 0 else -math.inf)


def doubles(values: Vector) -> Array:
    """Return the nearest doubles."""
    return np.array([double(value) for value in values])


def gradient_estimate(plateau: Plateau, offsets: Array) -> Array:
    """Return the gradient of J at some offsets, shape ``(count, 2 units)``."""
    return _derivatives(plateau, offsets)[0]


def derivatives_estimate(plateau: Plateau, offsets: Array) -> tuple[Array, Array]:
    """Return the gradients and, shape ``(count, 2 units, 2 units)``, the second derivatives."""
    return _derivatives(plateau, offsets)


@np.errstate(all="ignore")
def _derivatives(plateau: Plateau, offsets: Array) -> tuple[Array, Array]:
    m = plateau.units
    starts = doubles(plateau.coefficients)
    rates = doubles(plateau.rates)
    x, y = offsets[:, :m], offsets[:, m:]
    a, w = x + starts, y + rates
    p = 1 / (w[:, :, None] + w[:, None, :])
    q = 1 / (w[:, :, None] + rates)
    change = (starts * y)[:, None, :] * p * q
    own = x[:, None, :] * p
    bumps = bump_integrals(plateau, w)
    misses = [
        (own - change).sum(axis=2) - bumps[0],
        (own * p - change * (p + q)).sum(axis=2) - bumps[1],
        2 * (own * p**2 - change * (p**2 + p * q + q**2)).sum(axis=2) - bumps[2],
    ]
    slope = np.concatenate([2 * misses[0], -2 * a * misses[1]], axis=1)
    bend = np.empty((len(offsets), 2 * m, 2 * m))
    units = np.arange(m)
    bend[:, :m, :m] = 2 * p
    mixed = -2 * a[:, None, :] * p**2
    mixed[:, units, units] -= 2 * misses[1]
    bend[:, :m, m:], bend[:, m:, :m] = mixed, mixed.transpose(0, 2, 1)
    twice = 4 * a[:, :, None] * a[:, None, :] * p**3
    twice[:, units, units] += 2 * a * misses[2]
    bend[:, m:, m:] = twice
    return slope, bend


@np.errstate(all="ignore")
def bump_integrals(plateau: Plateau, w: Array, *, shift: float = 0.0) -> tuple[Array, Array, Array]:
    """Return ``h int_S^{S+l} t^k exp(-w t) dt`` for k = 0, 1, 2, times ``exp(shift S)``."""
    delay, length = double(plateau.delay), double(plateau.length)
    # int_0^l t^k exp(-w t) dt, of which the higher ones lose digits only where they matter little.
    decay = np.exp(-w * length)
    first = -np.expm1(-w * length) / w
    second = (first - length * decay) / w
    third = (2 * second - length**2 * decay) / w
    scale = double(plateau.height) * np.exp((shift - w) * delay)
    return (
        scale * first,
        scale * (delay * first + second),
        scale * (delay**2 * first + 2 * delay * second + third),
    )


@lru_cache(maxsize=1)
def _collocation() -> tuple[Array, Array, Array]:
    """Return Radau's points in [-1, 1], the collocation matrix, and values to Chebyshev's basis.

    The collocation matrix maps derivatives in s at the points to values less that at -1; the last
    matrix maps values at -1 and at the points to coefficients.
    """
    difference = np.zeros(STAGES + 1)
    difference[STAGES], difference[STAGES - 1] = 1.0, -1.0
    points = np.sort(legendre.legroots(difference).real)
    points[-1] = 1.0
    basis = chebyshev.chebvander(points, STAGES - 1)
    to_basis = np.linalg.inv(basis)
    integrated = np.array([chebyshev.chebint(row, lbnd=-1) for row in np.eye(STAGES)])
    matrix = chebyshev.chebvander(points, STAGES) @ integrated.T @ to_basis
    all_points = np.concatenate([[-1.0], points])
    return points, matrix, np.linalg.inv(chebyshev.chebvander(all_points, STAGES))


@np.errstate(all="ignore")
def _attempt(
    plateau: Plateau, at: Array, length: float, *, patient: bool
) -> tuple[Array, float] | None:
    """Return Chebyshev coefficients of one step and its defect over what is allowed."""
    _, matrix, to_chebyshev = _collocation()
    half, count = length / 2, len(at)
    values = np.tile(at, (STAGES, 1))
    identity = np.eye(STAGES * count)
    blocks = np.arange(STAGES)
    least = doubles(plateau.rates)
    m = plateau.units
    converged = False
    for _ in range(_NEWTON_STEPS):
        if not np.isfinite(values).all() or (values[:, m:] + least <= 0).any():
            return None
        slope, bend = _derivatives(plateau, values)
        residual = values - at + half * (matrix @ slope)
        coupled = np.zeros((STAGES, count, STAGES, count))
        coupled[:, :, blocks, :] = half * np.einsum("ij,jkl->ikjl", matrix, bend)
        system = identity + coupled.reshape(STAGES * count, STAGES * count)
        try:
            change = np.linalg.solve(system, residual.reshape(-1)).reshape(STAGES, count)
        except np.linalg.LinAlgError:
            return None
        values = values - change
        scale = np.abs(values).max(axis=0) + np.abs(at)
        if (np.abs(change) <= _CONVERGED * scale).all():
            converged = True
            break
    near = converged or bool((np.abs(change) <= _NEARLY * scale).all())
    if not near or (values[:, m:] + least <= 0).any():
        return None
    slope = _derivatives(plateau, values)[0]
    # From the values: slopes times a long step would lose what the stiff directions have settled.
    coefficients = to_chebyshev @ np.concatenate([at[None], values])
    between = chebyshev.chebval(_CHECKS, coefficients).T
    if (between[:, m:] + least <= 0).any():
        return None
    speed = chebyshev.chebval(_CHECKS, chebyshev.chebder(coefficients)).T / half
    needed = _derivatives(plateau, between)[0]
    defect = np.sqrt(((speed + needed) ** 2).sum(axis=1)).max()
    moving = np.sqrt((slope**2).sum(axis=1)).max()
    # What rounding leaves: of the pull, and of the values where a short step divides them.
    size = float(np.abs(values).max())
    noise = _NOISE * (_pull(plateau, at) + size / length)
    if patient:
        # And of what cancels in the gradient where the stiff directions have settled.
        noise += _ROUNDING * float(np.abs(bend).sum(axis=2).max()) * size
    allowed = float(_TOLERANCE * moving + noise)
    # Beyond the range of doubles nothing moves.
    excess = float(defect) / allowed if allowed else math.inf if defect else 0.0
    return coefficients, excess


def _pull(plateau: Plateau, at: Array) -> float:
    """Return the size of the bump's part of the gradient."""
    m = plateau.units
    w = at[None, m:] + doubles(plateau.rates)
    a = at[None, :m] + doubles(plateau.coefficients)
    zeroth, first, _ = bump_integrals(plateau, w)
    return 2 * math.sqrt(float((zeroth**2).sum() + ((a * first) ** 2).sum()))


def steps(plateau: Plateau, scale: float) -> Iterator[Step]:
    """Follow the flow from the start for ever, step by step.

    Parameters
    ----------
    plateau : Plateau
    scale : float
        No step moves the offset by more than a fraction of it.

    Yields
    ------
    Step
        Ends where no step succeeds any more.
    """
    at = np.zeros(2 * plateau.units)
    slope, bend = _derivatives(plateau, at[None])
    with np.errstate(all="ignore"):
        fastest = np.abs(slope).max() / (scale * _LARGEST_CHANGE)
        length = float(1 / np.maximum(10 * np.abs(bend).sum(axis=2).max(), fastest))
    start, last, rejected = 0.0, length, 0
    while rejected < _REJECTIONS and math.isfinite(length) and start + length > start:
        # A step that need not be shorter than the last one but for rounding does not become so.
        tried = _attempt(plateau, at, length, patient=length <= last)
        moved = math.inf
        if tried is not None:
            moved = float(np.abs(tried[0][1:]).sum(axis=0).max()) / (scale * _LARGEST_CHANGE)
        if tried is None or tried[1] > 1 or moved > 1:
            worst = math.inf if tried is None else max(tried[1], moved**STAGES)
            length *= min(0.7, max(0.1, 0.8 * worst ** (-1 / STAGES))) if worst < math.inf else 0.25
            rejected += 1
            continue
        coefficients, excess = tried
        yield Step(start, length, coefficients)
        last, rejected = length, 0
        at = coefficients.sum(axis=0)
        start += length
        length *= min(_GROWTH, 0.8 * max(excess, moved**STAGES, 1e-9) ** (-1 / STAGES))
