r"""What changes in a network when its units move: bounds of second order in eps.

Training moves the units of a network by amounts of the order ``eps = N^(beta-1)``.  With
``X_k = h sum_{j<k} |e_j|`` and ``a = |C_0|`` of a unit,

    |Delta C_k| <= eps s0 X_k,    |Delta W_k| <= eps s1 R X_k (a + eta/2),    eta >= eps s0 X_k,

and to first order Delta C is an even function of C_0, Delta W an odd one.  `Expansion` bounds what
is left of the changes of kernel, memory and outputs when all odd functions of C_0 of degree at most
3 are taken out, as means ``<.>`` over the units; `verification.flow.second_order` derives the
formulas and says what they are for.

Source: this project.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import TypeAlias

from verification.enclosure.balls import Ball, ball, power, square, total
from verification.instance import Instance
from verification.recurrent.activation import activation

Suprema: TypeAlias = tuple[Ball, Ball, Ball, Ball]


def suprema(instance: Instance) -> Suprema:
    """Return s0, .., s3: bounds of the activation and of its first three derivatives."""
    sigma = activation(instance.activation)
    s0, s1, s2, s3 = (ball(sigma.bound(order)) for order in range(4))
    return s0, s1, s2, s3


@dataclass(frozen=True, kw_only=True)
class Expansion:
    """Upper bounds of what is of second order.

    Parameters
    ----------
    suprema : tuple of Ball
        s0, .., s3.
    radius : Ball
        R.
    moments : tuple of Ball, length 5
        ``c_j >= <a^j>``, j = 0, .., 4.
    feedback_moments : tuple of Ball, length 3
        ``g_j >= <|B| a^j>``, j = 0, 1, 2.
    shift : Ball
        eta.
    """

    suprema: Suprema
    radius: Ball
    moments: tuple[Ball, ...]
    feedback_moments: tuple[Ball, ...]
    shift: Ball

    def shifted(self, order: int) -> Ball:
        """Return ``<(a + eta)^order>``."""
        return total(
            ball(comb(order, k)) * self.moments[k] * power(self.shift, order - k)
            for k in range(order + 1)
        )

    def pull(self) -> Ball:
        """Return nu, a bound of ``<a |Delta W|>`` over eps X."""
        _, s1, _, _ = self.suprema
        return s1 * self.radius * (self.moments[2] + self.moments[1] * self.shift / 2)

    def output_slope(self) -> Ball:
        """Return ``lhat = s0 s1 + s2 R nu``: outputs have moved by lhat X more a unit of memory."""
        s0, s1, s2, _ = self.suprema
        return s0 * s1 + s2 * self.radius * self.pull()

    def energy_slope(self) -> Ball:
        """Return c_e: z is the initial output up to ``eps c_e X^2``."""
        s0, s1, s2, _ = self.suprema
        curved = s2 * square(self.radius) * self._squares(self.moments[1:4]) / 2
        return curved + s0 * square(s1 * self.radius) * (self.moments[1] + self.shift / 2)

    def memory_source(self) -> Ball:
        """Return ``(1 - q) w``: what a step adds to the memory's distance, over eps^2 X^2."""
        s0, s1, s2, _ = self.suprema
        feedback = square(s0) * (s0 * s1 + s2 * self.radius * self.pull()) / 2
        first = s1 * self.radius * self._missed(self.feedback_moments)
        return (
            feedback + first + s2 * square(self.radius) * (self._squares(self.feedback_moments) / 2)
        )

    def kernel_change(self) -> Ball:
        """Return kappa without its part in w: the change of the kernel at two given points."""
        s0, s1, s2, s3 = self.suprema
        r, c = self.radius, self.moments
        slope, cube = square(s1 * r), power(r, 3)
        forward = 2 * s0 * s1 * r * self._missed(c)
        forward = forward + square(r) * (s0 * s2 + square(s1)) * self._squares(c)
        backward = (
            square(slope) * (c[2] + c[1] * self.shift / 2)
            + 4 * s0 * s1 * s2 * cube * self.pull()
            + slope * square(s0)
            + 2 * s1 * s2 * cube * self._missed(c[2:])
            + power(r, 4) * (s1 * s3 + square(s2)) * self._squares(c[2:])
        )
        return forward + backward

    def remainders(self) -> tuple[Ball, Ball]:
        """Return rho_1 and rho_2: what one step of the outputs leaves beside the kernel."""
        s0, s1, s2, s3 = self.suprema
        r, c, eta = self.radius, self.moments, self.shift
        bent, sixth = s0 * s2 * square(s1) * power(r, 4), power(r, 6)
        first = (
            square(s0) * square(s1 * r)
            + power(r, 3) * s1 * (square(s1) + 2 * s0 * s2) * self.pull()
            + bent * (3 * c[2] + 3 * c[1] * eta + square(eta)) / 2
            + sixth * square(s1) * (s1 * s3 + 2 * square(s2)) * (c[4] + c[3] * eta / 2) / 2
        )
        second = bent * self.shifted(2) / 2 + sixth * power(s1, 3) * s3 * self.shifted(4) / 6
        return first, second

    def _squares(self, moments: tuple[Ball, ...]) -> Ball:
        """Bound the mean of ``|Delta W|^2`` with the weight of these moments, over eps^2 X^2."""
        _, s1, _, _ = self.suprema
        eta = self.shift
        return square(s1 * self.radius) * (
            moments[2] + moments[1] * eta + moments[0] * square(eta) / 4
        )

    def _missed(self, moments: tuple[Ball, ...]) -> Ball:
        """Bound the mean of Q_W with the weight of these moments."""
        s0, s1, s2, _ = self.suprema
        curved = s2 * square(self.radius) * (moments[2] + moments[1] * self.shift / 2)
        return s1 * self.radius * (s0 * moments[0] + curved) / 2
