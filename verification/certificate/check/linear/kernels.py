r"""Functions on [0, inf) in balls, by formulas of the checker's own: what a norm needs of them.

A function is a sum of *pieces*.  Of each piece f are known: its Taylor coefficients about a point;
a bound of ``|f|`` on the complex disc of radius R there, so that by Cauchy what follows the first N
terms is at most ``sup |f| (r/R)^N / (1 - r/R)`` for ``|x| <= r < R``; its first and second
primitives that vanish at infinity (of ``(1+t)^-(1+w)``, w <= 1, the second one grows instead: only
its second differences are used); and a bound of ``int_T^inf |f|``.

* Exponentials: ``Re(P(t) exp(z t))`` with a complex polynomial P.  The primitive is
  ``Re(Q(t) exp(z t))`` with ``Q' + z Q = P``.
* Those of `verification.certificate.check.linear.special_kernels`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, TypeAlias

from verification.certificate.check.linear.special_kernels import (
    AiryPiece,
    DampedReciprocalPiece,
    GaussianPiece,
    SwitchingPiece,
)
from verification.certificate.check.numbers.balls import (
    Ball,
    ball,
    integer_power,
    total,
)
from verification.certificate.check.numbers.complex_balls import (
    ComplexBall,
    complex_ball,
    real_part,
    size,
)
from verification.certificate.check.numbers.series import by_cauchy, reach_of
from verification.certificate.check.targets import (
    Airy,
    Box,
    DampedReciprocal,
    Exponential,
    Gaussian,
    Part,
    PowerLaw,
    Switching,
)

_ZERO = Fraction(0)


class Piece(Protocol):
    """A summand of a function on [0, inf)."""

    @property
    def kinks(self) -> tuple[Fraction, ...]:
        """Where it is not smooth; no Taylor polynomial is used across."""

    def taylor(self, middle: Fraction, count: int) -> list[Ball]:
        """Return Taylor coefficients about a point that is no kink."""

    def rest(self, middle: Fraction, reach: Fraction) -> Ball | None:
        """Bound what follows the first `TERMS` terms, where that is known."""

    def primitive(self, t: Fraction, times: int = 1) -> Ball:
        """Enclose the primitive, or the second one."""

    def tail(self, t: Fraction) -> Ball:
        """Bound the integral of the absolute value from t on."""


Function: TypeAlias = tuple[Piece, ...]


def function_of(parts: tuple[Part, ...], *, sign: int = 1) -> Function:
    """Return the sum of the parts of a channel, or its negative."""
    pieces: list[Piece] = []
    for part in parts:
        if isinstance(part, Exponential):
            pieces.append(Wave.of(part, sign))
        elif isinstance(part, PowerLaw):
            pieces.append(PowerLawPiece(sign * part.factor, part.w))
        elif isinstance(part, Box):
            pieces.append(BoxPiece(sign * part.height, part.start, part.end))
        elif isinstance(part, DampedReciprocal):
            pieces.append(DampedReciprocalPiece(sign * part.factor, part.rate))
        elif isinstance(part, Gaussian):
            pieces.append(GaussianPiece(sign * part.factor, part.centre, part.width))
        elif isinstance(part, Airy):
            pieces.append(AiryPiece(sign * part.factor, part.scale, part.shift))
        elif isinstance(part, Switching):
            pieces.append(SwitchingPiece(sign * part.factor, part.rate, part.times))
    return tuple(pieces)


def weight(function: Function) -> int:
    """Return about how many exponentials a value or a primitive of a function costs."""
    found = 0
    for piece in function:
        found += 1 + len(piece.kinks)
        if isinstance(piece, Wave):
            found += piece.power
        elif isinstance(piece, AiryPiece):
            found += piece.work
    return found


def numbers_of(function: Function) -> list[Fraction]:
    """Return the exact numbers of a function, kinks included: by their digits work is charged."""
    own = [x for piece in function for x in vars(piece).values() if isinstance(x, Fraction)]
    return own + [x for piece in function for x in piece.kinks]


def primitive(function: Function, t: Fraction, times: int = 1) -> Ball:
    """Enclose a primitive of a function."""
    return total([piece.primitive(t, times) for piece in function])


def tail(function: Function, t: Fraction) -> Ball:
    """Bound the integral of the absolute value from t on: from 0 on the norm."""
    return total([piece.tail(t) for piece in function])


def integral(function: Function, start: Fraction, end: Fraction | None) -> Ball:
    """Enclose an integral; None is infinity."""
    found = -primitive(function, start)
    return found if end is None else found + primitive(function, end)


@dataclass(frozen=True)
class Wave:
    """``t^power exp(-rate t) (cosine cos(frequency t) + sine sin(frequency t))``."""

    rate: Fraction
    frequency: Fraction
    power: int
    cosine: Fraction
    sine: Fraction

    @staticmethod
    def of(part: Exponential, sign: int) -> Wave:
        """Return a part of a target, or its negative."""
        return Wave(part.rate, part.frequency, part.power, sign * part.cosine, sign * part.sine)

    @property
    def kinks(self) -> tuple[Fraction, ...]:
        """See `Piece`."""
        return ()

    @property
    def factor(self) -> ComplexBall:
        """The complex amplitude ``cosine - i sine``."""
        return complex_ball(self.cosine, -self.sine)

    @property
    def exponent(self) -> ComplexBall:
        """``z = -rate + i frequency``."""
        return complex_ball(-self.rate, self.frequency)

    def taylor(self, middle: Fraction, count: int) -> list[Ball]:
        """See `Piece`: the product of the series of ``(m + x)^k`` and of ``exp(z x)``."""
        z, at = self.exponent, ball(middle)
        wave = self.factor * (z * at).exp()
        waves = [wave]
        for k in range(1, count):
            wave = wave * z / k
            waves.append(wave)
        if not self.power:
            return [real_part(x) for x in waves]
        powers = [
            math.comb(self.power, i) * integer_power(at, self.power - i)
            for i in range(self.power + 1)
        ]
        return [
            total([powers[i] * real_part(waves[k - i]) for i in range(min(k, self.power) + 1)])
            for k in range(count)
        ]

    def rest(self, middle: Fraction, reach: Fraction) -> Ball | None:
        """See `Piece`: ``|t^k exp(z t)| <= (m + R)^k exp(-a m + |z| R)``."""
        disc = min(max(2 * reach, reach_of(self.rate + self.frequency)), 2**12 * reach)
        height = size(self.factor) * integer_power(ball(middle + disc), self.power)
        growth = (size(self.exponent) * ball(disc) - ball(self.rate * middle)).exp()
        return by_cauchy(height * growth, reach / disc)

    def _polynomial(self, times: int) -> list[ComplexBall]:
        """Return Q, the least power first."""
        z, zero = self.exponent, complex_ball(_ZERO, _ZERO)
        found = [zero] * self.power + [self.factor]
        for _ in range(times):
            above = zero
            for k in reversed(range(len(found))):
                above = (found[k] - (k + 1) * above) / z
                found[k] = above
        return found

    def primitive(self, t: Fraction, times: int = 1) -> Ball:
        """See `Piece`."""
        at, value = ball(t), complex_ball(_ZERO, _ZERO)
        for coefficient in reversed(self._polynomial(times)):
            value = value * at + coefficient
        return real_part(value * (self.exponent * at).exp())

    def tail(self, t: Fraction) -> Ball:
        """See `Piece`: ``int_T^inf t^k exp(-a t) = exp(-a T) sum_i k!/i! T^i / a^(k-i+1)``."""
        at, a = ball(t), ball(self.rate)
        terms = [
            math.perm(self.power, self.power - i)
            * integer_power(at, i)
            / integer_power(a, self.power - i + 1)
            for i in range(self.power + 1)
        ]
        return size(self.factor) * (-(a * at)).exp() * total(terms)


@dataclass(frozen=True)
class PowerLawPiece:
    """``factor w (1 + t)^-(1 + w)``."""

    factor: Fraction
    w: Fraction

    @property
    def kinks(self) -> tuple[Fraction, ...]:
        """See `Piece`."""
        return ()

    def _power(self, base: Fraction, exponent: Fraction) -> Ball:
        return (ball(base).log() * ball(exponent)).exp()

    def taylor(self, middle: Fraction, count: int) -> list[Ball]:
        """See `Piece`: the binomial series."""
        base = 1 + middle
        value = ball(self.factor * self.w) * self._power(base, -1 - self.w)
        found = []
        for k in range(count):
            found.append(value)
            value = value * ball(-(1 + self.w + k) / ((k + 1) * base))
        return found

    def rest(self, middle: Fraction, reach: Fraction) -> Ball | None:
        """See `Piece`: on the disc ``|1 + z| >= 1 + m - R``."""
        disc = Fraction(3, 4) * (1 + middle)
        if 4 * reach > 3 * disc:
            return None
        height = self._power(1 + middle - disc, -1 - self.w)
        return by_cauchy(ball(abs(self.factor) * self.w) * height, reach / disc)

    def primitive(self, t: Fraction, times: int = 1) -> Ball:
        """See `Piece`."""
        if times == 1:
            return ball(-self.factor) * self._power(1 + t, -self.w)
        if self.w == 1:
            return ball(-self.factor) * ball(1 + t).log()
        return ball(self.factor / (self.w - 1)) * self._power(1 + t, 1 - self.w)

    def tail(self, t: Fraction) -> Ball:
        """See `Piece`."""
        return abs(self.primitive(t))


@dataclass(frozen=True)
class BoxPiece:
    """`height` between `start` and `end`."""

    height: Fraction
    start: Fraction
    end: Fraction

    @property
    def kinks(self) -> tuple[Fraction, ...]:
        """See `Piece`."""
        return (self.start, self.end)

    def taylor(self, middle: Fraction, count: int) -> list[Ball]:
        """See `Piece`."""
        inside = self.start < middle < self.end
        return [ball(self.height if inside else 0), *[ball(0)] * (count - 1)]

    def rest(self, middle: Fraction, reach: Fraction) -> Ball | None:
        """See `Piece`."""
        del middle, reach
        return ball(0)

    def primitive(self, t: Fraction, times: int = 1) -> Ball:
        """See `Piece`: ``(-1)^n int_t^inf (s - t)^(n-1) f(s) ds``."""
        far, near = max(self.end - t, _ZERO), max(self.start - t, _ZERO)
        moment = (far**times - near**times) / times
        return ball((-1) ** times * self.height * moment)

    def tail(self, t: Fraction) -> Ball:
        """See `Piece`."""
        return abs(self.primitive(t))
