"""Pieces in doubles, and the times at which they vary: candidates, never bounds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray
from scipy.special import airy, erfc, expn

from verification.linear_functional import Switching
from verification.linear_rnn.piece import Piece
from verification.linear_rnn.pieces import (
    BoxPiece,
    PowerLawPiece,
    QuasiPolynomial,
    Wave,
)
from verification.linear_rnn.special_pieces import (
    AiryPiece,
    DampedReciprocalPiece,
    GaussianPiece,
    SwitchingPiece,
)

Array: TypeAlias = NDArray[np.float64]

_NODES, _WEIGHTS = leggauss(12)
_FARTHEST = 1e12
_FADED = 40.0
_AIRY_FADED = 16.0
_AIRY_FIRST, _AIRY_LAST, _AIRY_CELLS = -128, 32, 4
_AIRY_NONE = 100.0
_NORMAL_FADED = 9.0
# Networks that are near a target which ends may last longer.
_BEYOND = 10
# Where y is above it exp(y) E_n(y) is taken from so many terms of its asymptotic series.
_LARGE, _TERMS = 200.0, 16


def value(piece: Piece, t: Array) -> Array:
    """Return f at some points."""
    return _VALUES[type(piece)](piece, t)


def primitive(piece: Piece, t: Array, times: int) -> Array:
    """Return the first primitive, the one that vanishes at infinity, or a second one."""
    return _PRIMITIVES[type(piece)](piece, t, times)


@dataclass(frozen=True, kw_only=True)
class Extent:
    """Where a piece varies.

    Parameters
    ----------
    first : float
        A time so short that little changes in it from 0 on.
    last : float
        Beyond it nothing is left, in doubles, nor of a network that is near.
    cells : tuple of (float, float, float)
        Start, end, and how far apart points may be between them at most.
    """

    first: float
    last: float
    cells: tuple[tuple[float, float, float], ...] = ()


def extent(piece: Piece) -> Extent:
    """Return where a piece varies."""
    return _EXTENTS[type(piece)](piece)


# Quasi-polynomials, power laws, boxes


def _waves(piece: QuasiPolynomial, t: Array) -> Array:
    exponents, factors = piece.in_doubles
    factor = factors[-1]
    for row in factors[-2::-1]:
        factor = factor * t[..., None] + row
    terms = np.exp(np.multiply.outer(t, exponents)) * factor
    return np.asarray(terms.sum(axis=-1).real)


def _integrated_waves(piece: QuasiPolynomial, t: Array, times: int) -> Array:
    once = piece.integrated
    return _waves(once if times == 1 else once.integrated, t)


def _power_law(piece: PowerLawPiece, t: Array) -> Array:
    c, w = float(piece.law.coefficient), float(piece.law.exponent)
    return np.asarray(c * w * (1 + t) ** (-1 - w))


def _integrated_power_law(piece: PowerLawPiece, t: Array, times: int) -> Array:
    c, w = float(piece.law.coefficient), float(piece.law.exponent)
    if times == 1:
        return np.asarray(-c * (1 + t) ** -w)
    return np.asarray(-c * (np.log1p(t) if w == 1 else (1 + t) ** (1 - w) / (1 - w)))


def _box(piece: BoxPiece, t: Array) -> Array:
    start, end = map(float, piece.jumps)
    return np.asarray(float(piece.box.height) * ((start <= t) & (t <= end)))


def _integrated_box(piece: BoxPiece, t: Array, times: int) -> Array:
    start, end = (np.maximum(float(jump) - t, 0) for jump in piece.jumps)
    height = float(piece.box.height)
    return np.asarray(height * (start - end if times == 1 else (end**2 - start**2) / 2))


# Others


def _damped_reciprocal(piece: DampedReciprocalPiece, t: Array) -> Array:
    c, r = float(piece.part.coefficient), float(piece.part.rate)
    return np.asarray(c * np.exp(-r * t) / (1 + t))


def _integrated_reciprocal(piece: DampedReciprocalPiece, t: Array, times: int) -> Array:
    c, r = float(piece.part.coefficient), float(piece.part.rate)
    y = r * (1 + t)
    near, far = np.minimum(y, _LARGE), np.maximum(y, _LARGE)
    series = np.zeros_like(far)
    for k in reversed(range(_TERMS)):
        series = 1 - (times + k) / far * series
    # exp(y) E_n(y), of which the two factors overflow and underflow where y is large.
    scaled = np.where(y < _LARGE, np.exp(near) * expn(times, near), series / far)
    found = c * np.exp(-r * t) * scaled
    return np.asarray(-found if times == 1 else found / r)


def _gaussian(piece: GaussianPiece, t: Array) -> Array:
    z = (t - float(piece.part.centre)) / float(piece.part.width)
    return np.asarray(float(piece.part.coefficient) * np.exp(-z * z / 2))


def _integrated_gaussian(piece: GaussianPiece, t: Array, times: int) -> Array:
    width = float(piece.part.width)
    z = (t - float(piece.part.centre)) / (width * math.sqrt(2))
    scale = float(piece.part.coefficient) * width * math.sqrt(math.pi / 2)
    if times == 1:
        return np.asarray(-scale * erfc(z))
    twice = np.exp(-z * z) / math.sqrt(math.pi) - z * erfc(z)
    return np.asarray(scale * width * math.sqrt(2) * twice)


def _airy(piece: AiryPiece, t: Array) -> Array:
    scale, shift = float(piece.part.scale), float(piece.part.shift)
    return np.asarray(float(piece.part.coefficient) * _ai(scale * (t - shift))[0])


def _integrated_airy(piece: AiryPiece, t: Array, times: int) -> Array:
    c, scale, shift = (float(x) for x in vars(piece.part).values())
    x = scale * (t - shift)
    once = _airy_integral(x)
    if times == 1:
        return np.asarray(-c / scale * once)
    return np.asarray(-c / scale**2 * (x * once + _ai(x)[1]))


def _ai(x: Array) -> tuple[Array, Array]:
    """Return Ai and its derivative, which scipy does not know far out."""
    value, slope, _, _ = airy(np.minimum(x, _AIRY_NONE))
    return value, slope


def _airy_integral(x: Array) -> Array:
    """Return about ``int_x^inf Ai``: a table, and a quadrature up to its next point."""
    table = _airy_table()
    inside = np.clip(x, _AIRY_FIRST, _AIRY_LAST)
    k = np.ceil((inside - _AIRY_FIRST) * _AIRY_CELLS).astype(int)
    half = (_AIRY_FIRST + k / _AIRY_CELLS - inside)[..., None] / 2
    points = inside[..., None] + half * (1 + _NODES)
    return np.asarray(table[k] + (_ai(points)[0] * half) @ _WEIGHTS)


@lru_cache(maxsize=1)
def _airy_table() -> Array:
    """Return the integrals from each of a grid of points on."""
    ends = np.arange(_AIRY_FIRST, _AIRY_LAST + 0.5 / _AIRY_CELLS, 1 / _AIRY_CELLS)
    half = 0.5 / _AIRY_CELLS
    areas = half * airy(ends[:-1, None] + half * (1 + _NODES))[0] @ _WEIGHTS
    return np.append(np.cumsum(areas[::-1])[::-1], 0.0)


def _switching(piece: SwitchingPiece, t: Array) -> Array:
    return _hinges(piece.part, t, 0)


def _integrated_switching(piece: SwitchingPiece, t: Array, times: int) -> Array:
    return _hinges(piece.part, t, times)


def _hinges(part: Switching, t: Array, times: int) -> Array:
    """Return the function or a primitive; see `SwitchingPiece`."""
    r = float(part.rate)
    result = (-1.0) ** len(part.times) * np.exp(-r * t)
    for j, time in enumerate(part.times):
        u = np.maximum(r * (float(time) - t), 0)
        # exp(-r T) (exp(u) - 1 - ..), without overflow.
        rest = -np.exp(-r * float(time)) * (
            1 + sum(u**k / math.factorial(k) for k in range(1, times + 1))
        )
        result += 2 * (-1.0) ** j * np.where(u > 0, np.exp(-r * t) + rest, 0)
    return np.asarray(float(part.coefficient) / (-r) ** (times + 1) * result)


# Extents


def _wave_extent(piece: QuasiPolynomial) -> Extent:
    def end(wave: Wave) -> float:
        return (_FADED + 3 * len(wave.cosine)) / float(wave.rate)

    swinging = [wave for wave in piece.waves if wave.frequency]
    fastest = max(float(wave.rate + wave.frequency) for wave in piece.waves)
    cells: tuple[tuple[float, float, float], ...] = ()
    if swinging:
        frequency = max(float(wave.frequency) for wave in swinging)
        cells = ((0.0, max(map(end, swinging)), 4 / frequency),)
    return Extent(first=0.1 / fastest, last=max(map(end, piece.waves)), cells=cells)


def _power_law_extent(_piece: PowerLawPiece) -> Extent:
    return Extent(first=0.1, last=_FARTHEST)


def _box_extent(_piece: BoxPiece) -> Extent:
    return Extent(first=0.1, last=1.0)


def _reciprocal_extent(piece: DampedReciprocalPiece) -> Extent:
    r = float(piece.part.rate)
    return Extent(first=0.1 / (r + 1), last=_FADED / r)


def _gaussian_extent(piece: GaussianPiece) -> Extent:
    centre, width = float(piece.part.centre), float(piece.part.width)
    start, end = centre - _NORMAL_FADED * width, centre + _NORMAL_FADED * width
    return Extent(first=0.1 * width, last=_BEYOND * end, cells=((start, end, width),))


def _airy_extent(piece: AiryPiece) -> Extent:
    scale, shift = float(piece.part.scale), float(piece.part.shift)
    unit = 1 / (scale * max(1.0, math.sqrt(abs(scale * shift))))
    end = max(shift + _AIRY_FADED / scale, _FADED * unit)
    return Extent(first=0.1 * unit, last=_BEYOND * end, cells=((0.0, end, 2 * unit),))


def _switching_extent(piece: SwitchingPiece) -> Extent:
    r = float(piece.part.rate)
    return Extent(first=0.1 / r, last=_FADED / r)


_VALUES: dict[type[Any], Callable[[Any, Array], Array]] = {
    QuasiPolynomial: _waves,
    PowerLawPiece: _power_law,
    BoxPiece: _box,
    DampedReciprocalPiece: _damped_reciprocal,
    GaussianPiece: _gaussian,
    AiryPiece: _airy,
    SwitchingPiece: _switching,
}
_PRIMITIVES: dict[type[Any], Callable[[Any, Array, int], Array]] = {
    QuasiPolynomial: _integrated_waves,
    PowerLawPiece: _integrated_power_law,
    BoxPiece: _integrated_box,
    DampedReciprocalPiece: _integrated_reciprocal,
    GaussianPiece: _integrated_gaussian,
    AiryPiece: _integrated_airy,
    SwitchingPiece: _integrated_switching,
}
_EXTENTS: dict[type[Any], Callable[[Any], Extent]] = {
    QuasiPolynomial: _wave_extent,
    PowerLawPiece: _power_law_extent,
    BoxPiece: _box_extent,
    DampedReciprocalPiece: _reciprocal_extent,
    GaussianPiece: _gaussian_extent,
    AiryPiece: _airy_extent,
    SwitchingPiece: _switching_extent,
}
