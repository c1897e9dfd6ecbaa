r"""Sums of exponentials that are locally nearest in L1, by Newton's method: candidates in doubles.

Wanted is a minimum of ``J = int |r|``, ``r = rho - Re sum_k c_k exp(-z_k t)``, over the exponents
z_k, real or complex, and the coefficients c_k, one set for each channel.  Where the zeros of r are
simple J is smooth: with ``s = sign r``

    dJ = int s dr,    d^2 J = int s d^2 r + 2 sum over the zeros of dr dr^T / |r'|.

The integrals of ``s t^n exp(-z t)`` are alternating sums of primitives over the zeros, which are
found between neighbouring points of a grid.  The step solves ``(|H| + mu) x = -g`` in units in
which the parameters are of size 1, |H| with the absolute values of its eigenvalues; mu falls after
a step to a smaller J and grows after any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from verification.deadline import heed_deadline
from verification.linear_rnn.pieces import Function
from verification.linear_rnn.search import (
    Array,
    primitive_estimate,
    quadrature,
    value_estimate,
)

Complex: TypeAlias = NDArray[np.complex128]

Poles: TypeAlias = list[tuple[float, float]]
"""Rate and frequency of each exponential; a frequency stands for a pair of units."""

_STEPS = 40
_ROOT_STEPS = 40
_ROOT_ERROR = 1e-8
_ENOUGH = 1e-5
_FIRST_DAMPING = 1e-5
_LEAST_DAMPING = 1e-17
_MOST_DAMPING = 1e9
_SLOPE_STEP = 1e-6
_LARGEST = 1e200


@dataclass(frozen=True)
class _Sum:
    """Exponents, and coefficients of shape (channels, exponents)."""

    exponents: Complex
    coefficients: Complex

    def values(self, channel: int, t: Array) -> Array:
        waves = np.exp(-np.outer(self.exponents, t))
        return np.asarray((self.coefficients[channel] @ waves).real)


def nearest(
    functions: Sequence[Function], poles: Poles, coefficients: Array
) -> tuple[float, Poles, Array]:
    """Return a sum at least as near in L1 as the one given, with its distance.

    Parameters
    ----------
    functions : sequence of Function
        The target, one function a channel.
    poles : Poles
    coefficients : Array, shape (channels, width)
        Of the cosine and the sine of each pole that has a frequency, and of each other one.
    """
    is_real = np.array([not frequency for _, frequency in poles])
    problem = _Problem(functions, is_real)
    # Where nothing is left but roundings the zeros are not simple, and anything may overflow.
    with np.errstate(all="ignore"):
        found = _minimum(problem, problem.flat(_sum(poles, coefficients)))
    distance, best = found[0], problem.of_flat(found[1])
    moved = [
        (float(z.real), 0.0 if real else float(-z.imag))
        for z, real in zip(best.exponents, is_real, strict=True)
    ]
    columns: list[Array] = []
    for k, real in enumerate(is_real):
        column = best.coefficients[:, k]
        columns += [column.real] if real else [column.real, -column.imag]
    return distance, moved, np.array(columns).T


def _sum(poles: Poles, coefficients: Array) -> _Sum:
    columns, k = [], 0
    for _, frequency in poles:
        sine = coefficients[:, k + 1] if frequency else 0
        columns.append(coefficients[:, k] - 1j * sine)
        k += 2 if frequency else 1
    exponents = np.array([complex(rate, -frequency) for rate, frequency in poles])
    return _Sum(exponents, np.array(columns).T)


def _minimum(problem: _Problem, start: Array) -> tuple[float, Array]:
    """Return the least value of J on the way, and where it is."""
    best, damping = start, _FIRST_DAMPING
    value, gradient, hessian = problem.derivatives(best)
    for _ in range(_STEPS):
        heed_deadline()
        units = problem.units(best)
        scaled = hessian * np.outer(units, units)
        if not (np.abs(scaled) < _LARGEST).all():
            break
        sizes, axes = np.linalg.eigh(scaled)
        sizes = np.abs(sizes) + damping * np.abs(sizes).max() + 1e-300
        tried = best - units * (axes @ ((axes.T @ (gradient * units)) / sizes))
        other = problem.value(tried)
        if other < value:
            gained, best = value - other, tried
            value, gradient, hessian = problem.derivatives(best)
            damping = max(damping / 5, _LEAST_DAMPING)
            if gained < _ENOUGH * value:
                break
        else:
            damping *= 10
            if damping > _MOST_DAMPING:
                break
    return value, best


class _Problem:
    """The distance as a function of real parameters: the exponents, then each channel's factors."""

    def __init__(self, functions: Sequence[Function], is_real: NDArray[np.bool_]) -> None:
        self.functions = functions
        nodes, _ = quadrature(functions)
        self.grid = np.concatenate([[0.0], nodes])
        self.heights = [value_estimate(function, self.grid) for function in functions]
        # A complex number is a real part and, where it is free, an imaginary one.
        free = np.stack([np.ones_like(is_real), ~is_real], axis=1)
        self.free = np.tile(free, (1 + len(functions), 1))

    def flat(self, point: _Sum) -> Array:
        """Return the parameters of a sum."""
        every = np.concatenate([point.exponents, point.coefficients.ravel()])
        return np.stack([every.real, every.imag], axis=1)[self.free]

    def of_flat(self, flat: Array) -> _Sum:
        """Return the sum that has these parameters."""
        parts = np.zeros(self.free.shape)
        parts[self.free] = flat
        rows = (parts[:, 0] + 1j * parts[:, 1]).reshape(1 + len(self.functions), -1)
        return _Sum(rows[0], rows[1:])

    def units(self, flat: Array) -> Array:
        """Return the size of the complex number that each parameter is a part of."""
        parts = np.zeros(self.free.shape)
        parts[self.free] = flat
        sizes = np.hypot(parts[:, 0], parts[:, 1]) + 1e-9 * np.abs(flat).max()
        return np.stack([sizes, sizes], axis=1)[self.free]

    def value(self, flat: Array) -> float:
        """Return J, infinity where an exponential does not decay."""
        point = self.of_flat(flat)
        if not (point.exponents.real > 0).all():
            return np.inf
        result = 0.0
        for channel, function in enumerate(self.functions):
            ends, jumps = self._signs(channel, point)
            integral = _integrals(point.exponents, ends, jumps)[0]
            result += float(primitive_estimate(function, ends) @ jumps)
            result -= float((point.coefficients[channel] @ integral).real)
        return result if np.isfinite(result) else np.inf

    def derivatives(self, flat: Array) -> tuple[float, Array, Array]:
        """Return J, its gradient, and its matrix of second derivatives."""
        point = self.of_flat(flat)
        count = len(point.exponents)
        total = len(self.free)
        first = np.zeros(total, dtype=complex)
        second = np.zeros((total, total), dtype=complex)
        kinks = np.zeros((len(flat), len(flat)))
        value = 0.0
        here = np.arange(count)
        for channel, function in enumerate(self.functions):
            ends, jumps = self._signs(channel, point)
            zeroth, once, twice = _integrals(point.exponents, ends, jumps)
            factors, own = point.coefficients[channel], count * (1 + channel) + here
            value += float(primitive_estimate(function, ends) @ jumps)
            value -= float((factors @ zeroth).real)
            first[here] += factors * once
            first[own] -= zeroth
            second[here, here] -= factors * twice
            second[here, own] += once
            second[own, here] += once
            zeros = ends[1:]
            waves = np.exp(-np.outer(point.exponents, zeros))
            slopes = np.zeros((total, len(zeros)), dtype=complex)
            slopes[here], slopes[own] = factors[:, None] * zeros * waves, -waves
            moved = _of_parts(slopes, self.free)
            steepness = np.abs(self._slope(channel, point, zeros)) + 1e-300
            kinks += 2 * (moved / steepness) @ moved.T
        return value, _of_parts(first, self.free), _of_pairs(second, self.free) + kinks

    def _rest(self, channel: int, point: _Sum, t: Array) -> Array:
        return value_estimate(self.functions[channel], t) - point.values(channel, t)

    def _signs(self, channel: int, point: _Sum) -> tuple[Array, Array]:
        """Return 0 and the zeros of r, and factors that make primitives there the integrals.

        ``int s f = sum_k jumps_k F(ends_k)`` for a primitive F that vanishes at infinity.
        """
        rest = self.heights[channel] - point.values(channel, self.grid)
        before = np.nonzero(rest[:-1] * rest[1:] < 0)[0]
        a, b = self.grid[before], self.grid[before + 1]
        at_a, at_b = rest[before], rest[before + 1]
        middle, kept = a, np.zeros(len(a))
        for _ in range(_ROOT_STEPS):
            # Regula falsi; the value at an end that stays is halved (Illinois).
            last, middle = middle, (a * at_b - b * at_a) / (at_b - at_a)
            middle = np.where((a <= middle) & (middle <= b), middle, (a + b) / 2)
            if (np.abs(middle - last) <= _ROOT_ERROR * b).all():
                break
            value = self._rest(channel, point, middle)
            left = at_a * value > 0
            at_b = np.where(left & (kept > 0), at_b / 2, at_b)
            at_a = np.where(~left & (kept < 0), at_a / 2, at_a)
            a, at_a = np.where(left, middle, a), np.where(left, value, at_a)
            b, at_b = np.where(left, b, middle), np.where(left, at_b, value)
            kept = np.where(left, 1, -1)
        first = rest[np.nonzero(rest)[0][:1]]
        sign = float(np.sign(first[0])) if len(first) else 1.0
        signs = sign * (-1.0) ** np.arange(len(middle) + 1)
        return np.concatenate([[0.0], middle]), np.diff(-signs, prepend=0.0)

    def _slope(self, channel: int, point: _Sum, t: Array) -> Array:
        step = _SLOPE_STEP * t
        rise = self._rest(channel, point, t + step) - self._rest(channel, point, t - step)
        return rise / (2 * step)


def _integrals(exponents: Complex, ends: Array, jumps: Array) -> tuple[Complex, Complex, Complex]:
    """Return ``int s t^n exp(-z t)`` for n = 0, 1, 2."""
    z = exponents[:, None]
    decay = -np.exp(-z * ends)
    zeroth = decay / z
    once = decay * ends / z + zeroth / z
    twice = decay * ends**2 / z + 2 * once / z
    return zeroth @ jumps, once @ jumps, twice @ jumps


def _of_parts(first: Complex, free: NDArray[np.bool_]) -> Array:
    """Return the real derivatives of ``Re f``, f analytic, from the complex ones."""
    return np.stack([first.real, -first.imag], axis=1)[free]


def _of_pairs(second: Complex, free: NDArray[np.bool_]) -> Array:
    """Return the real second derivatives of ``Re f``, f analytic, from the complex ones."""
    blocks = np.array([[second.real, -second.imag], [-second.imag, -second.real]])
    flat = free.ravel()
    rows = blocks.transpose(2, 0, 3, 1).reshape(flat.size, flat.size)
    return np.asarray(rows[flat][:, flat])
