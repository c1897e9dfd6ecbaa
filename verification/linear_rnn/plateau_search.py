"""Radii, weights and points for the plateau's bounds, found in doubles: candidates, never bounds.

What is found here is rounded to exact numbers within their limits; any of them gives a bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from verification.linear_rnn.gradient_flow import bump_integrals, double, doubles, gradient_estimate
from verification.linear_rnn.plateau import Plateau

Array = NDArray[np.float64]

_GRID = 200
_SMALLEST = 1e-6
_ZOOMS = 4
_ASCENTS = 50
_POINT_GRID = 2**40
# Shares of [0, 1), closer and closer to 1; the last is still below it on the grid of points.
_SHARES = -np.expm1(np.linspace(0, -25, 2 * _GRID))


@lru_cache(maxsize=512)
@np.errstate(all="ignore")
def best_radius(plateau: Plateau, most: Fraction) -> Fraction:
    """Return about the rho up to `most` that makes ``rho / g(rho)`` largest."""
    starts = abs(doubles(plateau.coefficients))
    rates = doubles(plateau.rates)

    def height(sizes: Array) -> Array:
        zeroth, first, _ = bump_integrals(plateau, rates - sizes[:, None], shift=_shift(plateau))
        both = zeroth**2 + ((starts + sizes[:, None]) * first) ** 2
        return np.asarray(np.log(sizes) - np.log(both.sum(axis=1)) / 2)

    return _maximiser(height, most)


@lru_cache(maxsize=512)
@np.errstate(all="ignore")
def best_energy_radius(plateau: Plateau, most: Fraction) -> Fraction:
    """Return about the rho up to `most` that makes ``rho^2 / K(rho)`` largest."""
    active: dict[Fraction, Fraction] = {}
    for c, w in zip(plateau.coefficients, plateau.rates, strict=True):
        active[w] = active.get(w, Fraction(0)) + c
    count = plateau.units + sum(c != 0 for c in active.values())
    least, delay = float(double(min(plateau.rates))), double(plateau.delay)

    def height(sizes: Array) -> Array:
        gains = _log_gains(least - sizes, delay, count, _SHARES).min(axis=1)
        return np.asarray(2 * np.log(sizes) - gains)

    return _maximiser(height, most)


@np.errstate(all="ignore")
def weight(least: Fraction, delay: Fraction, count: int) -> Fraction:
    """Return about the s of [0, least) that makes K smallest."""
    shares = _SHARES
    for _ in range(_ZOOMS):
        gains = _log_gains(np.array([double(least)]), double(delay), count, shares)[0]
        k = int(np.argmin(gains))
        found = float(shares[k])
        shares = np.linspace(shares[max(k - 1, 0)], shares[min(k + 1, len(shares) - 1)], _GRID)
    return least * Fraction(round(found * _POINT_GRID), _POINT_GRID)


def _log_gains(least: Array, delay: float, count: int, shares: Array) -> Array:
    """Return ``log K / (h^2 l)`` for some L (rows) and some s over L (columns)."""
    powers = np.log((1 + shares) / (1 - shares))[:, None] * (2 * np.arange(count))
    top = powers[:, -1]
    spread = top + np.log(np.exp(powers - top[:, None]).sum(axis=1))
    return np.asarray(-2 * delay * least[:, None] * shares - np.log1p(-shares) + spread)


def _shift(plateau: Plateau) -> float:
    """Return a rate by which all are reduced, so that nothing underflows."""
    return float(double(min(plateau.rates)))


def _maximiser(height: Callable[[Array], Array], most: Fraction) -> Fraction:
    shares = np.exp(np.linspace(math.log(_SMALLEST), 0, _GRID))
    best = 1.0
    for _ in range(_ZOOMS):
        values = np.nan_to_num(height(shares * double(most)), nan=-np.inf)
        k = int(np.argmax(values))
        best = float(shares[k])
        shares = np.linspace(shares[max(k - 1, 0)], shares[min(k + 1, len(shares) - 1)], _GRID)
    return most * min(Fraction(1), Fraction(max(1, round(best * _POINT_GRID)), _POINT_GRID))


@np.errstate(all="ignore")
def strongest_pull(plateau: Plateau, size: Fraction) -> tuple[Fraction, ...]:
    """Return a direction from the start in which the pull is about largest at a distance.

    The squared pull is convex along each coordinate; steps to where its gradient points never
    lower a convex function on a ball.
    """
    starts = doubles(plateau.coefficients)
    rates = doubles(plateau.rates)
    m, distance, shift = plateau.units, double(size), _shift(plateau)
    signs = np.where(starts < 0, -1.0, 1.0)
    best, found = -math.inf, np.concatenate([signs, -np.ones(m)])
    firsts = [np.concatenate([signs, -np.ones(m)])]
    for i in range(m):
        axis = np.zeros(2 * m)
        axis[m + i] = -1.0
        axis[i] = 0.1 * signs[i]
        firsts.append(axis)
    for first in firsts:
        direction = first / np.linalg.norm(first)
        for _ in range(_ASCENTS):
            a = starts + distance * direction[:m]
            w = rates + distance * direction[m:]
            p, q, r = (x[0] for x in bump_integrals(plateau, w[None], shift=shift - distance))
            value = float((p**2 + (a * q) ** 2).sum())
            slope = np.concatenate([a * q**2, -p * q - a**2 * q * r])
            if value > best:
                best, found = value, direction
            length = float(np.linalg.norm(slope))
            if not 0 < length < math.inf:
                break
            direction = slope / length
    return tuple(Fraction(round(float(x) * _POINT_GRID), _POINT_GRID) for x in found)


@lru_cache(maxsize=256)
@np.errstate(all="ignore")
def better_offset(plateau: Plateau) -> tuple[Fraction, ...]:
    """Return the offset of a network with a smaller loss than at the start; 0 if none is found."""
    m = plateau.units
    starts = doubles(plateau.coefficients)
    rates = doubles(plateau.rates)
    delay, length = double(plateau.delay), double(plateau.length)
    best, found = 0.0, np.zeros(2 * m)

    def loss(point: Array) -> tuple[float, Array]:
        offset = np.concatenate([point[:m] - starts, np.exp(point[m:]) - rates])
        slope = gradient_estimate(plateau, offset[None])[0]
        return -_gain(plateau, offset), np.concatenate([slope[:m], slope[m:] * np.exp(point[m:])])

    for i in range(m):
        point = np.concatenate([starts, np.log(rates)])
        # One exponential for the bump: rate 1/(2 S), of the height that suits it.
        rate = 1 / (2 * delay + length)
        point[m + i] = np.log(rate)
        weight_of_bump = np.exp(-rate * delay) * -np.expm1(-rate * length)
        point[i] = 2 * double(plateau.height) * weight_of_bump
        result = minimize(loss, point, jac=True, method="BFGS", options={"maxiter": 200})
        reached = np.concatenate([result.x[:m] - starts, np.exp(result.x[m:]) - rates])
        if np.isfinite(reached).all() and -float(result.fun) > best:
            best, found = -float(result.fun), reached
    exact = [Fraction(float(x)) for x in found]
    if any(w + y <= 0 for w, y in zip(plateau.rates, exact[m:], strict=True)):
        return (Fraction(0),) * (2 * m)
    return tuple(exact)


def _gain(plateau: Plateau, offset: Array) -> float:
    """Return ``J(th0) - J(th)``, about."""
    starts = doubles(plateau.coefficients)
    rates = doubles(plateau.rates)
    m = plateau.units
    c = np.concatenate([starts + offset[:m], -starts])
    w = np.concatenate([rates + offset[m:], rates])
    energy = float(c @ (1 / (w[:, None] + w)) @ c)
    return 2 * float(c @ bump_integrals(plateau, w[None])[0][0]) - energy
