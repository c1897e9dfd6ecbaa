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
from typing import Any, TypeAlias

from verification.enclosure.balls import Ball, ball, power, total
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
        decay = (-ball(self.rate) * point).exp()
        if not self.frequency:
            return decay * _horner(self.cosine, point)
        angle = ball(self.frequency) * point
        along = _horner(self.cosine, point) * angle.cos()
        return decay * (along + _horner(self.sine, point) * angle.sin())

    def expansion(self, centre: Fraction, radius: Fraction, order: int) -> Expansion:
        """See `Piece`."""
        at, a, w = ball(centre), ball(self.rate), ball(self.frequency)
        decay = (-a * at).exp()
        cosine, sine = _shifted(self.cosine, at), _shifted(self.sine, at)
        if self.frequency:
            u, v = decay * (w * at).cos(), decay * (w * at).sin()
            speed = (a * a + w * w).sqrt()
        else:
            u, v, speed = decay, ball(0), a
        waves = [(u, v)]
        for j in range(1, order):
            if self.frequency:
                u, v = (-(a * u) - w * v) / j, (w * u - a * v) / j
            else:
                u = -(a * u) / j
            waves.append((u, v))
        coefficients = [
            total(
                cosine[i] * waves[j - i][0] + sine[i] * waves[j - i][1]
                if self.frequency
                else cosine[i] * waves[j - i][0]
                for i in range(min(len(cosine), j + 1))
            )
            for j in range(order)
        ]
        reach = ball(radius)
        stretch = speed * reach
        left_out = [
            (abs(cosine[i]) + abs(sine[i]))
            * power(reach, i)
            * power(stretch, order - i)
            / math.factorial(order - i)
            for i in range(min(len(cosine), order))
        ]
        return Expansion(coefficients, decay * stretch.exp() * total(left_out))

    def tail(self, start: Fraction) -> Ball:
        """See `Piece`."""
        size = tuple(abs(p) + abs(q) for p, q in zip(self.cosine, self.sine, strict=True))
        bound = Wave(rate=self.rate, frequency=_ZERO, cosine=size, sine=(_ZERO,) * len(size))
        return -bound.integrated.value(ball(start))


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
        plain = [w for w in self.waves if not w.frequency and len(w.cosine) == 1]
        others = [w for w in self.waves if w.frequency or len(w.cosine) > 1]
        found = [wave.expansion(centre, radius, order) for wave in others]
        if plain:
            terms = [(ball(wave.cosine[0]), ball(wave.rate)) for wave in plain]
            found.append(sum_expansion(terms, centre, radius, order))
        return added(found, order)

    def tail(self, start: Fraction) -> Ball:
        """See `Piece`."""
        return total(wave.tail(start) for wave in self.waves)


@dataclass(frozen=True)
class PowerLawPiece:
    """``c w (1 + t)^-(1 + w)``."""

    law: PowerLaw

    @property
    def jumps(self) -> tuple[Fraction, ...]:
        """See `Piece`."""
        return ()

    def _power(self, t: Fraction, exponent: Fraction) -> Ball:
        return (ball(exponent) * ball(1 + t).log()).exp()

    def primitive(self, t: Fraction, times: int = 1) -> Ball:
        """See `Piece`."""
        c, w = self.law.coefficient, self.law.exponent
        if times == 1:
            return -ball(c) * self._power(t, -w)
        if w == 1:
            return -ball(c) * ball(1 + t).log()
        return -ball(c / (1 - w)) * self._power(t, 1 - w)

    def expansion(self, centre: Fraction, radius: Fraction, order: int) -> Expansion:
        """See `Piece`."""
        w = self.law.exponent
        value = ball(self.law.coefficient * w) * self._power(centre, -1 - w)
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


def sum_expansion(
    exponentials: Sequence[tuple[Ball, Ball]], centre: Fraction, radius: Fraction, order: int
) -> Expansion:
    """Expand ``sum c exp(-r t)``, pairs (c, r): one product for each of them and each power."""
    slopes = [-rate for _, rate in exponentials]
    at, reach = ball(centre), ball(radius)
    terms = [c * (slope * at).exp() for (c, _), slope in zip(exponentials, slopes, strict=True)]
    coefficients, factorial = [], 1
    for k in range(order):
        coefficients.append(total(terms) / factorial)
        terms = [term * slope for term, slope in zip(terms, slopes, strict=True)]
        factorial *= k + 1
    left_out = total(
        abs(term) * (-slope * reach).exp() for term, slope in zip(terms, slopes, strict=True)
    )
    return Expansion(coefficients, left_out * power(reach, order) / factorial)


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


def _shifted(polynomial: Polynomial, at: Ball) -> list[Ball]:
    """Return the coefficients of ``p(at + x)`` in x."""
    if len(polynomial) == 1:
        return [ball(polynomial[0])]
    return [
        total(
            ball(c * math.comb(k, i)) * power(at, k - i)
            for k, c in enumerate(polynomial)
            if k >= i and c
        )
        for i in range(len(polynomial))
    ]


def _horner(polynomial: Polynomial, t: Ball) -> Ball:
    result = ball(0)
    for coefficient in reversed(polynomial):
        result = result * t + ball(coefficient)
    return result
