r"""Pieces that are no quasi-polynomials, and smooth but for kinks.

* ``c exp(-r t)/(1 + t)``: primitives by the exponential integrals E_1 and E_2.
* Gaussian bumps: primitives by ``erfc`` and its integral.
* ``c Ai(s (t - b))``: primitives by the integral of Ai, and ``int_x^inf int_y^inf Ai = -x int_x^inf
  Ai - Ai'(x)``, by ``Ai'' = x Ai``.
* Switching functions: with the sign sigma_0 = 1 before the first time,
  ``-(r/c) f(t) = sigma_n exp(-r t) + 2 sum_{t < T_j} sigma_{j-1} (exp(-r t) - exp(-r T_j))``, where
  each term is ``exp(-r T_j)`` times ``exp(u) - 1``, u = r (T_j - t), and its primitives are, up to
  powers of r, ``exp(-r T_j)`` times ``exp(u) - 1 - u`` and ``exp(u) - 1 - u - u^2/2``.

**Remainders.**  Let ``t_k = |a_k| R^k`` for the Taylor coefficients a_k about m and a radius R, and
let S be the sum of the t_k from N on.  It is finite, as the series converges.

* ``exp(-r t)/(1 + t)``: ``q a_k = g_k - a_{k-1}`` with q = 1 + m and the coefficients g_k of the
  exponential; as g_k and -a_{k-1} have one sign, ``S (q - R) = sum_{k >= N} |g_k| R^k +
  |a_{N-1}| R^N``.
* Gaussian: ``(k + 1) w^2 a_{k+1} = -(d a_k + a_{k-1})`` with d = m - centre, so that
  ``N w^2 S <= |d| R (t_{N-1} + S) + R^2 (t_{N-2} + t_{N-1} + S)``.
* Ai: ``(k + 2)(k + 1) a_{k+2} = x a_k + a_{k-1}``, so that ``N (N - 1) S <= |x| R^2 (t_{N-2} +
  t_{N-1} + S) + R^3 (t_{N-3} + t_{N-2} + t_{N-1} + S)``.

Where S is not bounded in this way the expansion is 0, with a bound of the function for remainder.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from verification.enclosure.balls import Ball, ball, less, pi, power, square, total
from verification.enclosure.special import (
    LARGEST_AIRY,
    airy,
    airy_integral,
    exponential_integral,
)
from verification.linear_functional import Airy, DampedReciprocal, Gaussian, Switching
from verification.linear_rnn.piece import Expansion
from verification.verdict import Truth

_FEWEST_TERMS = 24


@dataclass(frozen=True)
class DampedReciprocalPiece:
    """``c exp(-r t)/(1 + t)``."""

    part: DampedReciprocal

    @property
    def jumps(self) -> tuple[Fraction, ...]:
        """See `Piece`."""
        return ()

    def primitive(self, t: Fraction, times: int = 1) -> Ball:
        """See `Piece`."""
        c, r = ball(self.part.coefficient), self.part.rate
        integral = exponential_integral(times, ball(r * (1 + t)))
        found = c * ball(r).exp() * integral
        return -found if times == 1 else found / ball(r)

    def expansion(self, centre: Fraction, radius: Fraction, order: int) -> Expansion:
        """See `Piece`."""
        r, q, reach = ball(self.part.rate), ball(1 + centre), ball(radius)
        wave = ball(self.part.coefficient) * (-r * ball(centre)).exp()
        value = wave / q
        coefficients = []
        for k in range(1, order + 1):
            coefficients.append(value)
            wave = -wave * r / k
            value = (wave - value) / q
        waves = abs(wave) * (r * reach).exp() + abs(coefficients[-1])
        left_out = waves * power(reach, order) / ball(1 + centre - radius)
        return Expansion(coefficients, left_out)

    def tail(self, start: Fraction) -> Ball:
        """See `Piece`."""
        return abs(self.primitive(start))


@dataclass(frozen=True)
class GaussianPiece:
    """``c exp(-(t - centre)^2 / (2 width^2))``."""

    part: Gaussian

    @property
    def jumps(self) -> tuple[Fraction, ...]:
        """See `Piece`."""
        return ()

    def value(self, t: Fraction) -> Ball:
        """Enclose f(t)."""
        far = (t - self.part.centre) / self.part.width
        return ball(self.part.coefficient) * ball(-far * far / 2).exp()

    def primitive(self, t: Fraction, times: int = 1) -> Ball:
        """See `Piece`."""
        width = ball(self.part.width)
        z = ball((t - self.part.centre) / self.part.width) / ball(2).sqrt()
        scale = ball(self.part.coefficient) * width * (pi() / 2).sqrt()
        if times == 1:
            return -scale * z.erfc()
        twice = (-square(z)).exp() / pi().sqrt() - z * z.erfc()
        return scale * width * ball(2).sqrt() * twice

    def expansion(self, centre: Fraction, radius: Fraction, order: int) -> Expansion:
        """See `Piece`."""
        off, variance = centre - self.part.centre, square(ball(self.part.width))
        count = max(order + 2, _FEWEST_TERMS)
        taylor, before = [self.value(centre)], ball(0)
        for k in range(count - 1):
            following = -(ball(off) * taylor[k] + before) / (variance * (k + 1))
            before = taylor[k]
            taylor.append(following)
        reach = ball(radius)
        sizes = [abs(a) * power(reach, k) for k, a in enumerate(taylor)]
        first, second = abs(ball(off)) * reach, square(reach)
        known = first * sizes[-1] + second * (sizes[-2] + sizes[-1])
        rest = count * variance - first - second
        if less(ball(0), rest) is Truth.TRUE:
            return Expansion(taylor[:order], total(sizes[order:]) + known / rest)
        nearest = max(min(self.part.centre, centre + radius), centre - radius)
        return _bounded_by(abs(self.value(nearest)), order)

    def tail(self, start: Fraction) -> Ball:
        """See `Piece`."""
        return abs(self.primitive(start))


@dataclass(frozen=True)
class AiryPiece:
    """``c Ai(scale (t - shift))``."""

    part: Airy

    @property
    def jumps(self) -> tuple[Fraction, ...]:
        """See `Piece`."""
        return ()

    def _argument(self, t: Fraction) -> Fraction:
        return self.part.scale * (t - self.part.shift)

    def primitive(self, t: Fraction, times: int = 1) -> Ball:
        """See `Piece`."""
        x = self._argument(t)
        once = airy_integral(x)
        if times == 1:
            return -ball(self.part.coefficient / self.part.scale) * once
        _, slope = airy(ball(x))
        return -ball(self.part.coefficient / self.part.scale**2) * (ball(x) * once + slope)

    def expansion(self, centre: Fraction, radius: Fraction, order: int) -> Expansion:
        """See `Piece`."""
        x, scale = self._argument(centre), self.part.scale
        c, at = ball(self.part.coefficient), ball(x)
        count = max(order + 3, _FEWEST_TERMS)
        value, slope = airy(at)
        taylor = [c * value, c * slope, c * at * value / 2]
        for k in range(1, count - 2):
            taylor.append((at * taylor[k] + taylor[k - 1]) / ((k + 1) * (k + 2)))
        reach = ball(scale * radius)
        sizes = [abs(a) * power(reach, k) for k, a in enumerate(taylor)]
        first, second = abs(at) * square(reach), power(reach, 3)
        known = first * (sizes[-2] + sizes[-1]) + second * total(sizes[-3:])
        rest = count * (count - 1) - first - second
        if less(ball(0), rest) is Truth.TRUE:
            stretched = [a * power(ball(scale), k) for k, a in enumerate(taylor[:order])]
            return Expansion(stretched, total(sizes[order:]) + known / rest)
        lowest = x - scale * radius
        # Ai decreases on the right of 0.
        height = airy(ball(lowest))[0] if lowest >= 0 else ball(LARGEST_AIRY)
        return _bounded_by(abs(c) * height, order)

    def tail(self, start: Fraction) -> Ball:
        """See `Piece`."""
        x = self._argument(start)
        before = max(-x, Fraction(0))
        beyond = airy_integral(max(x, Fraction(0))) + ball(before * LARGEST_AIRY)
        return ball(abs(self.part.coefficient) / self.part.scale) * beyond


@dataclass(frozen=True)
class SwitchingPiece:
    """The function with the derivative ``+- c exp(-r t)`` that vanishes at infinity."""

    part: Switching

    @property
    def jumps(self) -> tuple[Fraction, ...]:
        """See `Piece`."""
        return self.part.times

    def _ahead(self, t: Fraction) -> Iterator[tuple[int, Fraction]]:
        """Return the times after t with the signs before them."""
        for j, time in enumerate(self.part.times):
            if time > t:
                yield (-1) ** j, time

    @cached_property
    def _last_sign(self) -> int:
        return int((-1) ** len(self.part.times))

    def _integrated(self, t: Fraction, times: int) -> Ball:
        """Enclose a primitive times ``(-r)^(times + 1) / c``."""
        r = ball(self.part.rate)
        found = self._last_sign * (-r * ball(t)).exp()
        for sign, time in self._ahead(t):
            u = r * ball(time - t)
            rest = u.expm1() - total(power(u, k) / math.factorial(k) for k in range(1, times + 1))
            found = found + 2 * sign * (-r * ball(time)).exp() * rest
        return found

    def primitive(self, t: Fraction, times: int = 1) -> Ball:
        """See `Piece`."""
        scale = self.part.coefficient / (-self.part.rate) ** (times + 1)
        return ball(scale) * self._integrated(t, times)

    def expansion(self, centre: Fraction, radius: Fraction, order: int) -> Expansion:
        """See `Piece`.

        Raises
        ------
        ValueError
            Where the interval reaches across one of the times.
        """
        r, reach = self.part.rate, ball(radius)
        if any(abs(time - centre) < radius for time in self.part.times):
            raise ValueError("an expansion reaches across a kink")
        # Right of a time at the centre itself, which then is the whole interval.
        passed = sum(time <= centre for time in self.part.times)
        scale = -ball(self.part.coefficient / r)
        term = scale * (-1) ** passed * (-ball(r * centre)).exp()
        level = total(2 * sign * (-ball(r * time)).exp() for sign, time in self._ahead(centre))
        coefficients = [term - scale * level]
        for k in range(1, order + 1):
            term = -term * ball(r) / k
            coefficients.append(term)
        left_out = abs(coefficients.pop()) * power(reach, order) * (ball(r) * reach).exp()
        return Expansion(coefficients, left_out)

    def tail(self, start: Fraction) -> Ball:
        """See `Piece`."""
        r = self.part.rate
        return ball(abs(self.part.coefficient) / r**2) * (-ball(r * start)).exp()


def _bounded_by(height: Ball, order: int) -> Expansion:
    return Expansion([ball(0)] * order, height)
