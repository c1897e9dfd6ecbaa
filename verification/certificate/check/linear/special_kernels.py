r"""Pieces of functions in balls that need more than powers and exponentials.

* Gaussian, Airy: Taylor coefficients by ``f' = -(t - c)/w^2 f`` and ``Ai'' = x Ai``.  On a disc
  ``|exp(-z^2/2)| = exp((Im^2 - Re^2)/2)``, and along a ray of length R from x
  ``|Ai''| <= q |Ai|``, ``q = |x| + R``, whence ``|Ai| <= |Ai(x)| cosh(q^(1/2) R) + |Ai'(x)|
  q^(-1/2) sinh(q^(1/2) R)``.
* ``int_x^inf Ai`` is 1/3 minus the integrated power series; for large x it lies in
  ``[0, -Ai'(x)/x]``.  ``|Ai| <= 0.536`` on the whole line.

See `verification.certificate.check.linear.kernels` for what is known of each.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from verification.certificate.check.numbers.balls import (
    Ball,
    around,
    ball,
    integer_power,
    least,
    pi,
    precision,
    upper,
    working_precision,
)
from verification.certificate.check.numbers.complex_balls import airy, exponential_integral, hull
from verification.certificate.check.numbers.series import by_cauchy, reach_of

_ZERO = Fraction(0)
_LARGEST_AIRY = Fraction(67, 125)
_LARGEST_SERIES = 40
_RATIOS = (2, 4, 8)
_COMPARED = 48
_SQUARE_A_WORK = 36


@dataclass(frozen=True)
class DampedReciprocalPiece:
    """``factor exp(-rate t)/(1 + t)``."""

    factor: Fraction
    rate: Fraction

    @property
    def kinks(self) -> tuple[Fraction, ...]:
        """See `Piece`."""
        return ()

    def taylor(self, middle: Fraction, count: int) -> list[Ball]:
        """See `Piece`: the product of the exponential's series and the geometric one."""
        base = ball(1 + middle)
        wave = ball(self.factor) * (-ball(self.rate * middle)).exp()
        found: list[Ball] = []
        before = ball(0)
        for k in range(count):
            before = (wave - before) / base
            found.append(before)
            wave = wave * ball(-self.rate / (k + 1))
        return found

    def rest(self, middle: Fraction, reach: Fraction) -> Ball | None:
        """See `Piece`."""
        widest = Fraction(3, 4) * (1 + middle)
        if 4 * reach > 3 * widest:
            return None
        # Beyond TERMS / rate the exponential grows faster than the ratio helps.
        disc = min(widest, max(2 * reach, reach_of(self.rate)))
        height = (-ball(self.rate * (middle - disc))).exp() / ball(1 + middle - disc)
        return by_cauchy(ball(abs(self.factor)) * height, reach / disc)

    def primitive(self, t: Fraction, times: int = 1) -> Ball:
        """See `Piece`: by ``E_1`` and ``E_2``."""
        value = ball(self.factor) * ball(self.rate).exp()
        value = value * exponential_integral(times, ball(self.rate * (1 + t)))
        return -value if times == 1 else value / ball(self.rate)

    def tail(self, t: Fraction) -> Ball:
        """See `Piece`."""
        return abs(self.primitive(t))


@dataclass(frozen=True)
class GaussianPiece:
    """``factor exp(-(t - centre)^2 / (2 width^2))``."""

    factor: Fraction
    centre: Fraction
    width: Fraction

    @property
    def kinks(self) -> tuple[Fraction, ...]:
        """See `Piece`."""
        return ()

    def taylor(self, middle: Fraction, count: int) -> list[Ball]:
        """See `Piece`."""
        off, square = middle - self.centre, self.width**2
        found = [ball(self.factor) * ball(-off * off / (2 * square)).exp()]
        for k in range(count - 1):
            before = found[k - 1] if k else ball(0)
            found.append(-(ball(off) * found[k] + before) / ball((k + 1) * square))
        return found

    def rest(self, middle: Fraction, reach: Fraction) -> Ball | None:
        """See `Piece`."""
        found = []
        for ratio in _RATIOS:
            disc = ratio * reach
            near = max(abs(middle - self.centre) - disc, _ZERO)
            grown = ball((disc * disc - near * near) / (2 * self.width**2)).exp()
            found.append(by_cauchy(ball(abs(self.factor)) * grown, Fraction(1, ratio)))
        return least(found)

    def primitive(self, t: Fraction, times: int = 1) -> Ball:
        """See `Piece`: with ``z = (t - c)/(w 2^(1/2))`` by erfc and its integral."""
        root = ball(2).sqrt() * ball(self.width)
        z = ball(t - self.centre) / root
        scale = ball(self.factor) * root * pi().sqrt() / 2
        if times == 1:
            return -(scale * z.erfc())
        return scale * root * ((-(z * z)).exp() / pi().sqrt() - z * z.erfc())

    def tail(self, t: Fraction) -> Ball:
        """See `Piece`."""
        return abs(self.primitive(t))


@dataclass(frozen=True)
class AiryPiece:
    """``factor Ai(scale (t - shift))``."""

    factor: Fraction
    scale: Fraction
    shift: Fraction

    @property
    def kinks(self) -> tuple[Fraction, ...]:
        """See `Piece`."""
        return ()

    @property
    def work(self) -> int:
        """How many exponentials an integral costs: its series is the longer, the larger |x| is."""
        farthest = max(_LARGEST_SERIES, math.ceil(self.scale * self.shift))
        return farthest**2 // _SQUARE_A_WORK

    def taylor(self, middle: Fraction, count: int) -> list[Ball]:
        """See `Piece`."""
        x = self.scale * (middle - self.shift)
        at, (value, slope) = ball(x), airy(ball(x))
        found = [value, slope, at * value / 2]
        while len(found) < count:
            k = len(found)
            found.append((at * found[k - 2] + found[k - 3]) / (k * (k - 1)))
        factor, scale = ball(self.factor), ball(self.scale)
        return [factor * integer_power(scale, k) * found[k] for k in range(count)]

    def rest(self, middle: Fraction, reach: Fraction) -> Ball | None:
        """See `Piece`."""
        x = self.scale * (middle - self.shift)
        value, slope = (abs(y) for y in airy(ball(x)))
        found = []
        for ratio in _RATIOS:
            disc = self.scale * reach * ratio
            root = ball(abs(x) + disc).sqrt()
            grown = (root * ball(disc)).exp()
            # cosh and sinh are at most exp.
            height = ball(abs(self.factor)) * grown * (value + slope / root)
            found.append(by_cauchy(height, Fraction(1, ratio)))
        return least(found)

    def primitive(self, t: Fraction, times: int = 1) -> Ball:
        """See `Piece`: ``int_x^inf int_y^inf Ai = -x int_x^inf Ai - Ai'(x)``."""
        x = self.scale * (t - self.shift)
        once = _airy_integral(x, working_precision())
        if times == 1:
            return ball(-self.factor / self.scale) * once
        twice = -(ball(x) * once) - airy(ball(x))[1]
        return ball(self.factor / self.scale**2) * twice

    def tail(self, t: Fraction) -> Ball:
        """See `Piece`."""
        x = self.scale * (t - self.shift)
        beyond = _airy_integral(max(x, _ZERO), working_precision())
        swinging = ball(_LARGEST_AIRY * max(-x, _ZERO))
        return ball(abs(self.factor) / self.scale) * (beyond + swinging)


@dataclass(frozen=True)
class SwitchingPiece:
    """Zero at infinity, with the derivative ``s factor exp(-rate t)``; s = 1, -1, 1, .. in turns.

    Between two of the times ``f = A - s (factor/rate) exp(-rate t)`` with a constant A of its own.
    """

    factor: Fraction
    rate: Fraction
    times: tuple[Fraction, ...]

    @property
    def kinks(self) -> tuple[Fraction, ...]:
        """See `Piece`."""
        return self.times

    def _sign_after(self, t: Fraction) -> int:
        return -1 if bisect_right(self.times, t) % 2 else 1

    def taylor(self, middle: Fraction, count: int) -> list[Ball]:
        """See `Piece`: by ``f(t) = -int_t^inf f'``, and f' from there on."""
        sign = self._sign_after(middle)
        slope = ball(sign * self.factor) * (-ball(self.rate * middle)).exp()
        found = [self._derivative_ahead(middle, 1)]
        for k in range(1, count):
            found.append(slope / k)
            slope = slope * ball(-self.rate / k)
        return found

    def _derivative_ahead(self, t: Fraction, times: int) -> Ball:
        """Return ``(-1)^n int_t^inf (s - t)^(n-1)/(n-1)! f'(s) ds``: the n-fold primitive of f'.

        On ``[a, b]`` with one sign, and from the last time on, by the primitives of
        ``exp(-r s)``: with ``E_n(a) = int_a^inf (s - t)^(n-1)/(n-1)! exp(-r s) ds =
        exp(-r a) sum_{i<n} (a - t)^i / i! / r^(n-i)``.
        """
        here, rate = ball(t), ball(self.rate)
        powers = [integer_power(rate, times - i) for i in range(times)]

        def beyond(a: Ball) -> Ball:
            value = ball(0)
            for i, power in enumerate(powers):
                value = value + integer_power(a - here, i) / math.factorial(i) / power
            return (-(rate * a)).exp() * value

        # In balls: powers of long exact numbers are longer still.
        sign = self._sign_after(t)
        value = sign * (-(rate * here)).exp() / powers[0]
        for time in self.times[bisect_right(self.times, t) :]:
            value = value - 2 * sign * beyond(ball(time))
            sign = -sign
        return ball(-self.factor if times % 2 else self.factor) * value

    def rest(self, middle: Fraction, reach: Fraction) -> Ball | None:
        """See `Piece`: as for an exponential."""
        disc = min(max(2 * reach, reach_of(self.rate)), 2**12 * reach)
        height = ball(abs(self.factor) / self.rate) * ball(self.rate * (disc - middle)).exp()
        return by_cauchy(height, reach / disc)

    def primitive(self, t: Fraction, times: int = 1) -> Ball:
        """See `Piece`."""
        return self._derivative_ahead(t, times + 1)

    def tail(self, t: Fraction) -> Ball:
        """See `Piece`."""
        return ball(abs(self.factor) / self.rate**2) * (-ball(self.rate * t)).exp()


@lru_cache(maxsize=8192)
def _airy_integral(x: Fraction, bits: int) -> Ball:
    """Enclose ``int_x^inf Ai``."""
    if x > _LARGEST_SERIES:
        most = -airy(ball(x))[1] / ball(x)
        return hull(ball(0), most)
    # Terms grow to exp(2/3 |x|^(3/2)), and for x > 0 the result is as much smaller than 1.
    spare = 64 + 2 * (math.isqrt(math.ceil(abs(x)) ** 3) + 1)
    with precision(bits + spare):
        at, (value, slope) = ball(x), airy(ball(0))
        cube, floor = at * at * at, Fraction(1, 2 ** (bits + spare))
        result = ball(Fraction(1, 3))
        growing = math.ceil(2 * abs(x) ** 3)
        # a_k x^(k+1), k = 0, 3, 6, .. and k = 1, 4, 7, ..; a_(k+3) = a_k / ((k+2)(k+3)).
        for first, term in enumerate((value * at, slope * at * at)):
            k = first
            # A term is compared now and then only: that takes longer than the next few terms.
            while (
                growing > (k + 2) * (k + 3) or (k - first) % _COMPARED or upper(abs(term)) > floor
            ):
                result = result - term / (k + 1)
                term = term * cube / ((k + 2) * (k + 3))  # noqa: PLW2901 - the next one
                k += 3
            # Each further term is at most half of the one before.
            result = around(result, 2 * abs(term))
        return result
