r"""Functions on [0, inf) that are integrable there, as sums of pieces with known expansions.

A *piece* knows four things of a function f: its Taylor polynomial about a point with a bound of
what is left out over a whole interval, its iterated primitives, a bound of ``int_T^inf |f|``, and
the points at which it jumps.  What is computed of a sum of pieces (`verification.linear_rnn.norm`)
needs nothing else, so that targets and kernels of networks are treated alike.

The pieces of a target are

* quasi-polynomials, ``sum_j exp(-a_j t) (A_j(t) cos(w_j t) + B_j(t) sin(w_j t))`` with rational
  a_j > 0, w_j >= 0 and rational polynomials A_j, B_j.  Sums, and primitives, are exact: with
  ``Q' + lambda Q = P`` the primitive of ``P(t) exp(lambda t)`` is ``Q(t) exp(lambda t)``;
* power laws ``c w (1 + t)^-(1 + w)``;
* boxes, constant between two jumps;
* those of `verification.linear_rnn.special_pieces`.

**Remainders.**  About m, with ``lambda = -a + i w``, the coefficients of ``exp(lambda (m + x))``
are ``exp(lambda m) lambda^j / j!``, and ``sum_{j >= n} y^j / j! <= (y^n / n!) exp(y)``.  Those of a
power law have the ratio ``-(1 + w + j) / ((j + 1) (1 + m))``, which decreases in size, so that a
geometric series bounds what is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from verification.enclosure.balls import Ball, ball, power, total, working_precision
from verification.enclosure.matrix import Matrix
from verification.errors import NotEnclosed
from verification.linear_functional import (
    Airy,
    Box,
    DampedReciprocal,
    Exponential,
    Gaussian,
    Part,
    PowerLaw,
    Switching,
)
from verification.linear_rnn.piece import Expansion, Function, Piece, added
from verification.linear_rnn.special_pieces import (
    AiryPiece,
    DampedReciprocalPiece,
    GaussianPiece,
    SwitchingPiece,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "BoxPiece",
    "Expansion",
    "Function",
    "Piece",
    "PowerLawPiece",
    "QuasiPolynomial",
    "Wave",
    "added",
    "least_exact_width",
    "of_parts",
]

Polynomial: TypeAlias = tuple[Fraction, ...]
"""Exact coefficients, the constant one first."""

_ZERO = Fraction(0)


@dataclass(frozen=True, kw_only=True)
class Wave:
    """``exp(-rate t) (cosine(t) cos(frequency t) + sine(t) sin(frequency t))``."""

    rate: Fraction
    frequency: Fraction
    cosine: Polynomial
    sine: Polynomial

    @cached_property
    def integrated(self) -> Wave:
        """The primitive that vanishes at infinity."""
        a, w = self.rate, self.frequency
        size = a * a + w * w
        cosine, sine = [_ZERO], [_ZERO]
        for k in reversed(range(len(self.cosine))):
            p = self.cosine[k] - (k + 1) * cosine[-1]
            q = self.sine[k] - (k + 1) * sine[-1]
            cosine.append((-a * p - w * q) / size)
            sine.append((w * p - a * q) / size)
        return Wave(rate=a, frequency=w, cosine=tuple(cosine[:0:-1]), sine=tuple(sine[:0:-1]))

    @cached_property
    def derivative(self) -> Wave:
        """The derivative."""
        a, w = self.rate, self.frequency
        slopes = [[k * p[k] for k in range(1, len(p))] + [_ZERO] for p in (self.cosine, self.sine)]
        pairs = zip(self.cosine, self.sine, *slopes, strict=True)
        moved = [(dp - a * p + w * q, dq - a * q - w * p) for p, q, dp, dq in pairs]
        cosine, sine = zip(*moved, strict=True)
        return Wave(rate=a, frequency=w, cosine=cosine, sine=sine)

    @property
    def order(self) -> int:
        """Dimension of the state that a network needs for it."""
        return len(self.cosine) * (2 if self.frequency else 1)

    def value(self, point: Ball) -> Ball:
        """Enclose its values on a ball."""
        numbers = self._numbers()
        decay = (numbers.slope * point).exp()
        if not self.frequency:
            return decay * _horner(numbers.cosine, point)
        angle = numbers.frequency * point
        along = _horner(numbers.cosine, point) * angle.cos()
        return decay * (along + _horner(numbers.sine, point) * angle.sin())

    @cached_property
    def _kept(self) -> dict[int, _WaveInBalls]:
        return {}

    def _numbers(self) -> _WaveInBalls:
        """Return its numbers as balls, converted once at each precision."""
        found = self._kept.get(working_precision())
        if found is None:
            found = self._kept[working_precision()] = _WaveInBalls(
                -ball(self.rate),
                ball(self.frequency),
                tuple(map(ball, self.cosine)),
                tuple(map(ball, self.sine)),
            )
        return found

    def around(self, at: Ball) -> tuple[list[Ball], list[Ball]]:
        """Return it about a point in the functions of `series`, and bounds of its sizes.

        The sizes are those of the factors of ``exp(lambda x) x^i``, ``lambda = -rate + i
        frequency``, for each i.
        """
        numbers = self._numbers()
        decay = (numbers.slope * at).exp()
        cosine = [decay * x for x in _shifted(numbers.cosine, at)]
        if not self.frequency:
            return cosine, [abs(x) for x in cosine]
        sine = [decay * x for x in _shifted(numbers.sine, at)]
        angle = numbers.frequency * at
        along, across = angle.cos(), angle.sin()
        parts = [
            part
            for p, q in zip(cosine, sine, strict=True)
            for part in (p * along + q * across, q * along - p * across)
        ]
        return parts, [abs(p) + abs(q) for p, q in zip(cosine, sine, strict=True)]

    def series(self, order: int) -> list[list[Ball]]:
        """Return the power series of ``exp(-rate x) cos(frequency x) x^i`` and with sines, by i."""
        a, w = ball(self.rate), ball(self.frequency)
        along, across = [ball(1)], [ball(0)]
        for j in range(1, order):
            u, v = along[-1], across[-1]
            along.append((-(a * u) - w * v) / j)
            across.append((w * u - a * v) / j)
        waves = (along, across) if self.frequency else (along,)
        zero = ball(0)
        return [([zero] * i + wave)[:order] for i in range(len(self.cosine)) for wave in waves]

    def left_out(self, order: int) -> list[Ball]:
        """Return ``|lambda|^(order - i) / (order - i)!``, 1 from ``i = order`` on."""
        return [
            power(self.speed, order - i) / math.factorial(order - i) if i < order else ball(1)
            for i in range(len(self.cosine))
        ]

    @property
    def speed(self) -> Ball:
        """``|lambda|``."""
        a, w = ball(self.rate), ball(self.frequency)
        return (a * a + w * w).sqrt() if self.frequency else a

    def tail(self, start: Fraction) -> Ball:
        """See `Piece`."""
        return -self._integrated_bound.value(ball(start))

    @cached_property
    def _integrated_bound(self) -> Wave:
        size = tuple(abs(p) + abs(q) for p, q in zip(self.cosine, self.sine, strict=True))
        bound = Wave(rate=self.rate, frequency=_ZERO, cosine=size, sine=(_ZERO,) * len(size))
        return bound.integrated


@dataclass(frozen=True)
class _WaveInBalls:
    """Minus the rate of a wave, its frequency and its polynomials."""

    slope: Ball
    frequency: Ball
    cosine: tuple[Ball, ...]
    sine: tuple[Ball, ...]


@dataclass(frozen=True)
class QuasiPolynomial:
    """A sum of waves with distinct pairs of rate and frequency, none of which is zero."""

    waves: tuple[Wave, ...]

    @property
    def jumps(self) -> tuple[Fraction, ...]:
        """See `Piece`."""
        return ()

    @property
    def order(self) -> int:
        """The least width of a linear network whose kernel it is."""
        return sum(wave.order for wave in self.waves)

    @cached_property
    def derivative(self) -> QuasiPolynomial:
        """The derivative."""
        return QuasiPolynomial(tuple(wave.derivative for wave in self.waves))

    @property
    def unit(self) -> Fraction:
        """A power of two near its slowest rate."""
        rate = min(wave.rate for wave in self.waves)
        return Fraction(2) ** (rate.numerator.bit_length() - rate.denominator.bit_length())

    def in_units(self, unit: Fraction) -> QuasiPolynomial:
        """Return ``f(t/unit)/unit``, which has the same integral."""
        return QuasiPolynomial(
            tuple(
                Wave(
                    rate=wave.rate / unit,
                    frequency=wave.frequency / unit,
                    cosine=tuple(x / unit ** (k + 1) for k, x in enumerate(wave.cosine)),
                    sine=tuple(x / unit ** (k + 1) for k, x in enumerate(wave.sine)),
                )
                for wave in self.waves
            )
        )

    def value(self, point: Ball) -> Ball:
        """Enclose its values on a ball."""
        return total(wave.value(point) for wave in self.waves)

    def derivatives_at_zero(self, count: int) -> list[Fraction]:
        """Return the values of f, f', .. at 0, exactly."""
        result, found = [], self
        for _ in range(count):
            result.append(sum((wave.cosine[0] for wave in found.waves), _ZERO))
            found = found.derivative
        return result

    @cached_property
    def integrated(self) -> QuasiPolynomial:
        """The primitive that vanishes at infinity."""
        return QuasiPolynomial(tuple(wave.integrated for wave in self.waves))

    def primitive(self, t: Fraction, times: int = 1) -> Ball:
        """See `Piece`."""
        found = self
        for _ in range(times):
            found = found.integrated
        return found.value(ball(t))

    def expansion(self, centre: Fraction, radius: Fraction, order: int) -> Expansion:
        """See `Piece`."""
        at, reach = ball(centre), ball(radius)
        series, left_out = self._series(order)
        parts, missed = [], []
        for wave, (speed, factors) in zip(self.waves, left_out, strict=True):
            found, sizes = wave.around(at)
            parts += found
            if len(sizes) == 1:
                amount = sizes[0] * factors[0]
            else:
                # The powers of x from `order` on have the factor r^i instead of r^order.
                far = (power(reach, max(i - order, 0)) for i in range(len(sizes)))
                amount = total(a * b * c for a, b, c in zip(sizes, factors, far, strict=True))
            missed.append((speed * reach).exp() * amount)
        coefficients = Matrix.of_balls([parts]) @ series
        return Expansion(coefficients.balls(), total(missed) * power(reach, order))

    @cached_property
    def _kept(self) -> dict[tuple[int, int], tuple[Matrix, list[tuple[Ball, list[Ball]]]]]:
        return {}

    def _series(self, order: int) -> tuple[Matrix, list[tuple[Ball, list[Ball]]]]:
        """Return what all expansions have in common, computed once at each precision."""
        key = order, working_precision()
        if key not in self._kept:
            rows = [row for wave in self.waves for row in wave.series(order)]
            left_out = [(wave.speed, wave.left_out(order)) for wave in self.waves]
            self._kept[key] = Matrix.of_balls(rows), left_out
        return self._kept[key]

    def tail(self, start: Fraction) -> Ball:
        """See `Piece`."""
        return total(wave.tail(start) for wave in self.waves)

    @cached_property
    def in_doubles(self) -> tuple[NDArray[np.inexact], NDArray[np.inexact]]:
        """Return ``z_j``, and ``p_kj``, with which it is ``Re sum_jk p_kj t^k exp(z_j t)``.

        Arrays of shapes (waves,) and (powers, waves), real where no frequency is not 0.
        """
        import numpy as np  # noqa: PLC0415 - `theorems list` does without

        exponents = np.array([complex(-wave.rate, wave.frequency) for wave in self.waves])
        factors = np.zeros((max(len(wave.cosine) for wave in self.waves), len(self.waves)), complex)
        for j, wave in enumerate(self.waves):
            for k, (p, q) in enumerate(zip(wave.cosine, wave.sine, strict=True)):
                factors[k, j] = complex(p, -q)
        if not exponents.imag.any():
            return exponents.real, factors.real
        return exponents, factors


@dataclass(frozen=True)
class PowerLawPiece:
    """``c w (1 + t)^-(1 + w)``."""

    law: PowerLaw

    @property
    def jumps(self) -> tuple[Fraction, ...]:
        """See `Piece`."""
        return ()

    def _power(self, t: Fraction, exponent: Ball) -> Ball:
        return (exponent * ball(1 + t).log()).exp()

    @cached_property
    def _kept(self) -> dict[tuple[int, int], tuple[Ball, Ball]]:
        return {}

    def _factor_and_exponent(self, times: int) -> tuple[Ball, Ball]:
        """Return q and p for the primitive ``q (1 + t)^p``, computed once at each precision."""
        key = times, working_precision()
        if key not in self._kept:
            c, w = self.law.coefficient, self.law.exponent
            numbers = (-c, -w) if times == 1 else (-c / (1 - w), 1 - w)
            self._kept[key] = ball(numbers[0]), ball(numbers[1])
        return self._kept[key]

    def primitive(self, t: Fraction, times: int = 1) -> Ball:
        """See `Piece`."""
        if times != 1 and self.law.exponent == 1:
            return -ball(self.law.coefficient) * ball(1 + t).log()
        factor, exponent = self._factor_and_exponent(times)
        return factor * self._power(t, exponent)

    def expansion(self, centre: Fraction, radius: Fraction, order: int) -> Expansion:
        """See `Piece`."""
        w = self.law.exponent
        value = ball(self.law.coefficient * w) * self._power(centre, ball(-1 - w))
        coefficients = []
        for j in range(order):
            coefficients.append(value)
            value = -value * ball((1 + w + j) / ((j + 1) * (1 + centre)))
        ratio = (1 + w + order) / (order + 1) * radius / (1 + centre)
        if ratio >= 1:
            raise NotEnclosed("an interval is too long for the expansion of a power law")
        return Expansion(coefficients, abs(value) * power(ball(radius), order) / ball(1 - ratio))

    def tail(self, start: Fraction) -> Ball:
        """See `Piece`."""
        return abs(self.primitive(start))


@dataclass(frozen=True)
class BoxPiece:
    """A constant between two jumps, 0 elsewhere."""

    box: Box

    @property
    def jumps(self) -> tuple[Fraction, ...]:
        """See `Piece`."""
        return (self.box.start, self.box.start + self.box.length)

    def _after(self, t: Fraction) -> tuple[Fraction, Fraction]:
        start, end = self.jumps
        return max(end - t, _ZERO), max(start - t, _ZERO)

    def primitive(self, t: Fraction, times: int = 1) -> Ball:
        """See `Piece`."""
        far, near = self._after(t)
        if times == 1:
            return ball(self.box.height * (near - far))
        return ball(self.box.height * (far * far - near * near) / 2)

    def expansion(self, centre: Fraction, radius: Fraction, order: int) -> Expansion:
        """See `Piece`."""
        start, end = self.jumps
        inside = start <= centre - radius and centre + radius <= end
        height = self.box.height if inside else _ZERO
        return Expansion([ball(height)] + [ball(0)] * (order - 1), ball(0))

    def tail(self, start: Fraction) -> Ball:
        """See `Piece`."""
        far, near = self._after(start)
        return ball(abs(self.box.height) * (far - near))


_PIECES: dict[type[Part], Callable[[Any], Piece]] = {
    PowerLaw: PowerLawPiece,
    Box: BoxPiece,
    DampedReciprocal: DampedReciprocalPiece,
    Gaussian: GaussianPiece,
    Airy: AiryPiece,
    Switching: SwitchingPiece,
}


def of_parts(parts: Iterable[Part]) -> Function:
    """Return the function that the parts of a target add up to; what cancels is gone."""
    waves: dict[tuple[Fraction, Fraction], tuple[list[Fraction], list[Fraction]]] = {}
    others: list[Piece] = []
    for part in parts:
        if isinstance(part, Exponential):
            size = part.power + 1
            cosine, sine = waves.setdefault((part.rate, part.frequency), ([], []))
            missing = size - len(cosine)
            cosine += [_ZERO] * missing
            sine += [_ZERO] * missing
            cosine[part.power] += part.coefficient
            sine[part.power] += part.sine
        elif part.height if isinstance(part, Box) else part.coefficient:
            others.append(_PIECES[type(part)](part))
    kept = []
    for (rate, frequency), (cosine, sine) in waves.items():
        while cosine and not cosine[-1] and not sine[-1]:
            cosine.pop()
            sine.pop()
        if cosine:
            kept.append(
                Wave(rate=rate, frequency=frequency, cosine=tuple(cosine), sine=tuple(sine))
            )
    return (QuasiPolynomial(tuple(kept)), *others) if kept else tuple(others)


def least_exact_width(target: Iterable[Iterable[Part]]) -> int | None:
    """Return the width of a network with this kernel, the least one for one channel, else None."""
    needed: dict[tuple[Fraction, Fraction], int] = {}
    for parts in target:
        for piece in of_parts(parts):
            if not isinstance(piece, QuasiPolynomial):
                return None
            for wave in piece.waves:
                key = wave.rate, wave.frequency
                needed[key] = max(needed.get(key, 0), wave.order)
    return sum(needed.values())


def _shifted(polynomial: Sequence[Ball], at: Ball) -> Sequence[Ball]:
    """Return the coefficients of ``p(at + x)`` in x."""
    if len(polynomial) == 1:
        return polynomial
    return [
        total(
            c * math.comb(k, i) * power(at, k - i)
            for k, c in enumerate(polynomial)
            if k >= i and not c.is_zero()
        )
        for i in range(len(polynomial))
    ]


def _horner(polynomial: Sequence[Ball], t: Ball) -> Ball:
    result = polynomial[-1]
    for coefficient in polynomial[-2::-1]:
        result = result * t + coefficient
    return result
