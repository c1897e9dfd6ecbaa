r"""The loss of a network of exponentials that is trained beside a bump: its derivatives.

``f(t) = sum_i a_i exp(-w_i t)`` is trained on ``rho``, which is f at the start, ``(a*, w*)``, and a
bump of height h between S and T.  With the Laplace transform E of ``f - rho`` and its derivatives,

    E_k(w) = int_0^inf t^k exp(-w t) (f - rho) dt
           = k! sum_i (a_i (w + w_i)^-(k+1) - a*_i (w + w*_i)^-(k+1)) - h int_S^T t^k exp(-w t) dt,

the loss ``J = int (f - rho)^2`` has the derivatives ``2 E_0(w_i)`` in a_i and ``-2 a_i E_1(w_i)``
in w_i, and so on.  Near the start much cancels: it is for the precision to make up for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TypeVar

from verification.certificate.check.numbers.balls import Ball, ball, total
from verification.certificate.check.numbers.complex_balls import ComplexBall
from verification.certificate.check.targets import Training, Vector

Number = TypeVar("Number", Ball, ComplexBall)


class Loss:
    """A loss; its numbers are enclosed at the precision at which it is made.

    Parameters
    ----------
    coefficients, rates : tuple of Fraction
        Where the training starts.
    training : Training
    delay : Fraction
        When the bump begins.
    """

    def __init__(
        self, coefficients: Vector, rates: Vector, training: Training, delay: Fraction
    ) -> None:
        self.units = len(rates)
        self.start = (*coefficients, *rates)
        self._coefficients = [ball(x) for x in coefficients]
        self._rates = [ball(x) for x in rates]
        self._height = ball(training.height)
        self._ends = ball(delay), ball(delay + training.length)
        self._energy = total(
            [
                a * b / (v + w)
                for a, v in zip(self._coefficients, self._rates, strict=True)
                for b, w in zip(self._coefficients, self._rates, strict=True)
            ]
        )

    def derivatives(self, point: Sequence[Number]) -> tuple[list[Number], list[list[Number]]]:
        """Enclose the gradient and the second derivatives of J at ``(a, w)``, Re w > 0."""
        m = self.units
        a, w = point[:m], point[m:]
        misses = [self._transforms(a, w, rate) for rate in w]
        slopes = [2 * miss[0] for miss in misses]
        slopes += [-2 * x * miss[1] for x, miss in zip(a, misses, strict=True)]
        rows = [[slope] * (2 * m) for slope in slopes]
        for i in range(m):
            for j in range(m):
                p = 1 / (w[i] + w[j])
                mixed, lower = -2 * a[j] * p * p, 4 * a[i] * a[j] * p * p * p
                if i == j:
                    mixed = mixed - 2 * misses[i][1]
                    lower = lower + 2 * a[i] * misses[i][2]
                rows[i][j] = 2 * p
                rows[i][m + j] = rows[m + j][i] = mixed
                rows[m + i][m + j] = lower
        return slopes, rows

    def gained(self, point: Sequence[Ball]) -> Ball:
        """Enclose ``J`` at the start less ``J`` at ``(a, w)``."""
        m = self.units
        a, w = point[:m], point[m:]
        found = -self._energy
        for i in range(m):
            found = found + 2 * self._height * a[i] * self._bump(w[i])[0]
            found = found - 2 * self._height * self._coefficients[i] * self._bump(self._rates[i])[0]
            for j in range(m):
                found = found - a[i] * a[j] / (w[i] + w[j])
                found = found + 2 * a[i] * self._coefficients[j] / (w[i] + self._rates[j])
        return found

    def _transforms(
        self, a: Sequence[Number], w: Sequence[Number], at: Number
    ) -> tuple[Number, Number, Number]:
        zeroth, first, second = (-(self._height * x) for x in self._bump(at))
        for x, v in zip(a, w, strict=True):
            p = 1 / (at + v)
            zeroth, first, second = zeroth + x * p, first + x * p * p, second + 2 * x * p * p * p
        for c, rate in zip(self._coefficients, self._rates, strict=True):
            p = 1 / (at + rate)
            zeroth, first, second = zeroth - c * p, first - c * p * p, second - 2 * c * p * p * p
        return zeroth, first, second

    def _bump(self, w: Number) -> tuple[Number, Number, Number]:
        """Enclose the integrals of ``t^k exp(-w t)`` over the bump, k = 0, 1, 2."""
        u = 1 / w
        (s, t), (early, late) = self._ends, ((-(w * end)).exp() * u for end in self._ends)
        zeroth = early - late
        first = early * (s + u) - late * (t + u)
        second = early * (s * s + 2 * u * (s + u)) - late * (t * t + 2 * u * (t + u))
        return zeroth, first, second
