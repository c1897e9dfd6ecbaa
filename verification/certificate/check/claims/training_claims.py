r"""What a late bump pulls at a network that is trained by gradient flow.

``f(t) = sum_i a_i exp(-w_i t)`` starts at the target, ``(a*, w*)``, to which a bump rho_0 of height
h is added on ``[S, S + l]``.  The gradient of ``2 <f, rho_0>`` has the components
``2 h int exp(-w_i t) dt`` and ``-2 h a_i int t exp(-w_i t) dt``, and in the ball of radius r, where
``w_i >= w*_i - r`` and ``|a_i| <= |a*_i| + r``, its norm is at most

    g(r) = 2 |h| (sum_i A_i^2 + B_i^2)^(1/2),  A_i = int exp(-(w*_i - r) t) dt,
    B_i = (|a*_i| + r) int t exp(-(w*_i - r) t) dt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from verification.certificate.check.linear.networks import norm_of
from verification.certificate.check.numbers.balls import (
    Ball,
    at_precision,
    ball,
    working_precision,
)
from verification.certificate.check.numbers.bounds import Bounds, Shown, brief
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.reading import Node
from verification.certificate.check.targets import Exponential, Target, Training, Vector

MAX_UNITS = 16
_SPARE_BITS = 96


@dataclass(frozen=True)
class Plateau:
    """Where a training starts, and the ball in which it is watched."""

    coefficients: Vector
    rates: Vector
    training: Training
    radius: Fraction
    budget: Budget


def read_plateau(target: Target, witness: Node, budget: Budget) -> Plateau:
    """Verify that there is a bump, beside a network of plain exponentials, and that r < min w*."""
    witness.fields(())
    if target.training is None:
        raise Invalid("assumption: the instance gives a training")
    if not target.training.height:
        raise Invalid("assumption: the bump is not zero")
    units = [part for part in target.channels[0] if isinstance(part, Exponential)]
    plain = len(target.channels) == 1 and len(units) == len(target.channels[0])
    if not plain or not 1 <= len(units) <= MAX_UNITS or any(x.power or x.frequency for x in units):
        raise Invalid("assumption: the target has one channel, of plain exponentials")
    rates = tuple(unit.rate for unit in units)
    given = target.training.radius
    radius = min(rates) / 2 if given is None else given
    if radius >= min(rates):
        raise Invalid("assumption: r < min w*")
    coefficients = tuple(unit.cosine for unit in units)
    return Plateau(coefficients, rates, target.training, radius, budget)


def pull(known: Plateau, case: Node, _claimed: Bounds) -> Shown:
    """``|grad 2 <f, rho_0>| <= g(r)`` at a point of the ball."""
    members = case.fields(("delay", "offset"))
    delay, size = members["delay"].number(), len(known.rates)
    offset = members["offset"].numbers(2 * size)
    if delay not in known.training.delays:
        members["delay"].refuse("one of the delays of the training")
    if sum((x * x for x in offset), Fraction(0)) > known.radius**2:
        members["offset"].invalid("lies outside of the ball")
    a = [x + d for x, d in zip(known.coefficients, offset[:size], strict=True)]
    w = [x + d for x, d in zip(known.rates, offset[size:], strict=True)]
    left = at_precision(lambda: _pull(known, delay, a, w), _SPARE_BITS)
    right = at_precision(lambda: largest_pull(known, delay, known.radius), _SPARE_BITS)
    moved = "the start" if not any(offset) else "a point of the ball"
    return Shown(f"S = {brief(delay)}, {moved}", left, right)


def largest_pull(known: Plateau, delay: Fraction, size: Fraction) -> Ball:
    """Enclose ``g(size)``, for a size below every rate."""
    wider = [abs(x) + size for x in known.coefficients]
    return _pull(known, delay, wider, [x - size for x in known.rates])


def _pull(
    known: Plateau, delay: Fraction, factors: Sequence[Fraction], rates: Sequence[Fraction]
) -> Ball:
    known.budget.spend(40 * len(rates), working_precision())
    parts = []
    for factor, rate in zip(factors, rates, strict=True):
        first, second = _moments(rate, delay, known.training.length)
        parts += [first, ball(abs(factor)) * second]
    return ball(2 * abs(known.training.height)) * norm_of(parts)


def _moments(rate: Fraction, start: Fraction, length: Fraction) -> tuple[Ball, Ball]:
    """Enclose the integrals of ``exp(-v t)`` and of ``t exp(-v t)`` over the bump, v > 0."""
    ends = start, start + length
    early, late = ((-ball(rate * t)).exp() for t in ends)
    far = [ball(t / rate + 1 / rate**2) for t in ends]
    return (early - late) / ball(rate), far[0] * early - far[1] * late
