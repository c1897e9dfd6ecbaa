r"""The loss of a diagonal linear network beside a late bump: closed forms.

A network ``f(t) = sum_i a_i exp(-w_i t)`` is trained on a target that it equals but for a bump:
``rho = rho_bar + h 1_[S, S + l]``, ``rho_bar = sum_i a*_i exp(-w*_i t)``.  With
``J = int_0^inf (f - rho)^2`` and the offset ``(x, y) = (a - a*, w - w*)``,

    J(a, w) - J(a*, w*) = ||f - rho_bar||^2 - 2 h sum_i [a_i P(w_i) - a*_i P(w*_i)],

``P(w) = int_S^{S+l} exp(-w t) dt``; Q and R are the same integrals with t and t^2.  The gradient is
``2 (<phi_i, f - rho_bar> - h P_i)`` in a_i and ``-2 a_i (<t phi_i, f - rho_bar> - h Q_i)`` in w_i,
``phi_i = exp(-w_i t)``.  Everything is written in the offset, so that nothing cancels near the
start: with ``u = w_i + w_j`` and ``v = w_i + w*_j``

    <t^k phi_i, f - rho_bar> = k! sum_j (x_j v^(k+1) - a*_j (u^(k+1) - v^(k+1))) / (u v)^(k+1),

where ``u^(k+1) - v^(k+1)`` is y_j times a positive polynomial.

**Third derivatives.**  Along a line of direction e = (alpha, beta), |e| = 1, with
``tau_k(w) = ||t^k exp(-w t)|| = ((2k)! / (2w)^(2k+1))^(1/2)``:
``||Df|| <= (sum_i tau_0^2 + a_i^2 tau_1^2)^(1/2)`` (Cauchy-Schwarz);
``||D^2 f|| <= max_i (tau_1 + |a_i| tau_2)``, as ``2 |alpha beta| <= alpha^2 + beta^2``;
``||D^3 f|| <= max_i (2 tau_2 / 3^(1/2) + |a_i| tau_3)``, as ``3 |alpha| beta^2 <= 2 / 3^(1/2)``;
and ``|D^3 J| <= 6 ||Df|| ||D^2 f|| + 2 ||f - rho|| ||D^3 f||``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from verification.enclosure.balls import (
    AnyBall,
    Ball,
    ball,
    maximum,
    power,
    root,
    square,
    total,
    working_precision,
)
from verification.instance import Vector
from verification.linear_functional import BumpTraining, Exponential, LinearFunctional

MAX_UNITS = 6


@dataclass(frozen=True, kw_only=True)
class Plateau:
    """A network that equals the target but for a bump, which comes after a delay.

    Parameters
    ----------
    coefficients, rates : tuple of Fraction, shape (units,)
        a* and w* > 0.
    height, length : Fraction
        h and l > 0.
    delay : Fraction
        S > 0: the bump's start.
    """

    coefficients: Vector
    rates: Vector
    height: Fraction
    length: Fraction
    delay: Fraction

    @property
    def units(self) -> int:
        """Number of exponentials of the network."""
        return len(self.rates)

    @property
    def energy(self) -> Fraction:
        """The loss at the start, ``h^2 l``."""
        return self.height**2 * self.length


def obstacle(instance: LinearFunctional) -> str:
    """Return why the target is not a network to be trained; an empty text where it is one."""
    if instance.channels > 1:
        return f"{instance.channels} channels"
    parts = instance.target[0]
    if not 1 <= len(parts) <= MAX_UNITS:
        return f"{len(parts)} parts"
    if any(not isinstance(part, Exponential) or part.power or part.frequency for part in parts):
        return "a part that is no plain exponential"
    return ""


def training_of(instance: LinearFunctional) -> BumpTraining:
    """Return the instance's training; whoever asks for it assumes that there is one."""
    if instance.training is None:
        raise ValueError(f"{instance.name} gives no training")
    return instance.training


def rates_of(instance: LinearFunctional) -> Vector:
    """Return the rates of the target's exponentials."""
    return tuple(part.rate for part in instance.target[0] if isinstance(part, Exponential))


def radius_of(instance: LinearFunctional) -> Fraction:
    """Return the radius of the ball around the start, by default half of the least rate."""
    given = training_of(instance).radius
    return min(rates_of(instance)) / 2 if given is None else given


def plateau_at(instance: LinearFunctional, delay: Fraction) -> Plateau:
    """Return the set-up of an instance that has no `obstacle`, with the bump at a delay."""
    training = training_of(instance)
    units = [part for part in instance.target[0] if isinstance(part, Exponential)]
    return Plateau(
        coefficients=tuple(part.coefficient for part in units),
        rates=tuple(part.rate for part in units),
        height=training.height,
        length=training.length,
        delay=delay,
    )


def gradient(plateau: Plateau, offset: Sequence[AnyBall]) -> list[AnyBall]:
    """Enclose the gradient of J at an offset, the coefficients' part first.

    Parameters
    ----------
    plateau : Plateau
    offset : sequence of balls, shape (2 units,)
        ``(x, y)``, real or complex, with ``w_i > 0`` (a positive real part).
    """
    return _derivatives(plateau, offset, second=False)[0]


def gradient_and_hessian(
    plateau: Plateau, offset: Sequence[AnyBall]
) -> tuple[list[AnyBall], list[list[AnyBall]]]:
    """Enclose the gradient and the matrix of second derivatives of J; see `gradient`."""
    return _derivatives(plateau, offset, second=True)


def _derivatives(
    plateau: Plateau, offset: Sequence[AnyBall], *, second: bool
) -> tuple[list[AnyBall], list[list[AnyBall]]]:
    m = plateau.units
    starts, rates = (_exact(values, working_precision()) for values in _start(plateau))
    x, y = offset[:m], offset[m:]
    a = [z + c for z, c in zip(x, starts, strict=True)]
    w = [z + c for z, c in zip(y, rates, strict=True)]
    height = ball(plateau.height)
    orders = range(3 if second else 2)
    slopes: list[AnyBall] = []
    bends: list[AnyBall] = []
    turns: list[AnyBall] = []
    inverses = [[1 / (w[i] + w[j]) for j in range(i + 1)] for i in range(m)]
    for i in range(m):
        bumps = _bump_integrals(plateau, w[i], len(orders))
        misses = [-(height * bump) for bump in bumps]
        for j in range(m):
            p = inverses[max(i, j)][min(i, j)]
            q = 1 / (w[i] + rates[j])
            # 1/v^(k+1) = q^(k+1); a/u^(k+1) - a*/v^(k+1) over the common denominator.
            change, moved = starts[j] * y[j], p * q
            misses[0] = misses[0] + x[j] * p - change * moved
            p2 = p * p
            misses[1] = misses[1] + x[j] * p2 - change * moved * (p + q)
            if second:
                both = p2 + moved + q * q
                misses[2] = misses[2] + 2 * (x[j] * p2 * p - change * moved * both)
        slopes.append(misses[0])
        bends.append(misses[1])
        turns.append(misses[-1])
    slope = [2 * g for g in slopes] + [-2 * c * g for c, g in zip(a, bends, strict=True)]
    if not second:
        return slope, []
    rows: list[list[AnyBall]] = [[z] * (2 * m) for z in offset]
    for i in range(m):
        for j in range(m):
            p = inverses[max(i, j)][min(i, j)]
            p2 = p * p
            rows[i][j] = 2 * p
            mixed = -2 * a[j] * p2
            twice = 4 * a[i] * a[j] * p2 * p
            if i == j:
                mixed = mixed - 2 * bends[i]
                twice = twice + 2 * a[i] * turns[i]
            rows[i][m + j] = rows[m + j][i] = mixed
            rows[m + i][m + j] = twice
    return slope, rows


def _start(plateau: Plateau) -> tuple[Vector, Vector]:
    return plateau.coefficients, plateau.rates


@lru_cache(maxsize=512)
def _exact(values: Vector, _bits: int) -> list[Ball]:
    return [ball(value) for value in values]


def _bump_integrals(plateau: Plateau, w: AnyBall, count: int) -> list[AnyBall]:
    """Enclose ``int_S^{S+l} t^k exp(-w t) dt`` for k below `count`, at most 3."""
    ends = (plateau.delay, plateau.delay + plateau.length)
    inverse = 1 / w
    integrals: list[AnyBall] = []
    start, end = ((-(w * ball(t))).exp() for t in ends)
    for k in range(count):
        # int t^k exp = -t^k exp / w + (k / w) int t^(k-1) exp.
        value = start * ball(ends[0] ** k) - end * ball(ends[1] ** k)
        if k:
            value = value + k * integrals[-1]
        integrals.append(value * inverse)
    return integrals


def bump_gradient(plateau: Plateau, offset: Sequence[Ball]) -> list[Ball]:
    """Enclose the gradient of ``2 <f, rho_0>``, rho_0 the bump, at an offset."""
    m = plateau.units
    twice = 2 * ball(plateau.height)
    a = [ball(c) + x for c, x in zip(plateau.coefficients, offset[:m], strict=True)]
    w = [ball(c) + y for c, y in zip(plateau.rates, offset[m:], strict=True)]
    found = [_bump_integrals(plateau, rate, 2) for rate in w]
    return [twice * pair[0] for pair in found] + [
        -twice * c * pair[1] for c, pair in zip(a, found, strict=True)
    ]


def drop(plateau: Plateau, offset: Sequence[Ball]) -> Ball:
    """Enclose ``J(th0) - J(th)``: what training from the start to an offset has gained."""
    m = plateau.units
    starts, rates = (_exact(values, working_precision()) for values in _start(plateau))
    x, y = offset[:m], offset[m:]
    a = [c + z for c, z in zip(starts, x, strict=True)]
    w = [c + z for c, z in zip(rates, y, strict=True)]
    gained = ball(0)
    for i in range(m):
        new = _bump_integrals(plateau, w[i], 1)[0]
        old = _bump_integrals(plateau, rates[i], 1)[0]
        gained = gained + 2 * ball(plateau.height) * (a[i] * new - starts[i] * old)
        for j in range(m):
            # <a_i phi_i - a*_i phi*_i, a_j phi_j - a*_j phi*_j>.
            gained = gained - a[i] * a[j] / (w[i] + w[j])
            gained = gained + a[i] * starts[j] / (w[i] + rates[j])
            gained = gained + starts[i] * a[j] / (rates[i] + w[j])
            gained = gained - starts[i] * starts[j] / (rates[i] + rates[j])
    return gained


def miss_upper(plateau: Plateau, offset: Sequence[Ball]) -> Ball:
    """Bound ``||f - rho||``, the root of J, at an offset."""
    return root(ball(plateau.energy) - drop(plateau, offset))


def third_derivative_upper(
    sizes: Sequence[Ball], rates: Sequence[Ball], *, miss: Ball, reach: Ball
) -> Ball:
    """Bound ``|D^3 J|`` along unit directions where ``|a_i| <= sizes[i]`` and ``w_i >= rates[i]``.

    Parameters
    ----------
    sizes, rates : sequence of Ball, shape (units,)
        Of a convex set.
    miss, reach : Ball
        Bounds of ``||f - rho||`` at one point of it, and of the distances from there.
    """
    norms = [[_power_norm(k, w) for k in range(4)] for w in rates]
    first = root(
        total(
            square(tau[0]) + square(size) * square(tau[1])
            for size, tau in zip(sizes, norms, strict=True)
        )
    )
    second = maximum(tau[1] + size * tau[2] for size, tau in zip(sizes, norms, strict=True))
    steep = 2 / ball(3).sqrt()
    third = maximum(steep * tau[2] + size * tau[3] for size, tau in zip(sizes, norms, strict=True))
    return 6 * first * second + 2 * (miss + reach * first) * third


def _power_norm(k: int, rate: Ball) -> Ball:
    """Enclose ``||t^k exp(-rate t||`` in L2(0, inf)."""
    return root(math.factorial(2 * k) / power(2 * rate, 2 * k + 1))
