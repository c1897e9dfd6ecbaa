r"""Where the loss without the bump pulls inward more than the bump pulls outward.

``L = ||f - rho_bar||^2``, rho_bar what f is at the start th0; the condition at a distance rho is
``e . grad L(th0 + e) > rho g(rho)`` for all ``|e| = rho``.  For one unit, with
``e = rho (c, s)``, ``a = a* + rho c`` and ``w = w* + rho s``,

    e . grad L / rho^2 = c (c / w - a* s / (w (w + w*)))
                         + a s (a s (3 w + w*) - 4 c w^2) / (2 w^2 (w + w*)^2),

on arcs that are halved until each shows it.  For more units, along ``th0 + tau e`` the third
derivative is at most ``6 N1 N2 + 2 tau rho N1 N3``, with bounds N1, N2 and N3 of the first, second
and third derivatives of f in unit directions, as ``||f - rho_bar|| <= tau rho N1``; so the left
side is at least ``rho^2 (lambda - 3 rho N1 N2 - rho^2 N1 N3 / 3)``, lambda the least eigenvalue of
the second derivatives at th0.  With ``T_k(w) = ||t^k exp(-w t)|| = ((2k)!/(2w)^(2k+1))^(1/2)``:
``N1^2 = sum T_0^2 + a^2 T_1^2``, N2 the largest ``(|a| T_2 + (a^2 T_2^2 + 4 T_1^2)^(1/2)) / 2``,
which is the norm of the matrix with the rows (0, T_1) and (T_1, |a| T_2), and N3 the largest
``2 T_2 / 3^(1/2) + |a| T_3``, as ``3 |x| y^2 <= 2/3^(1/2)`` where ``x^2 + y^2 = 1``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import factorial

from verification.certificate.check.linear.flows import determinant
from verification.certificate.check.linear.networks import norm_of
from verification.certificate.check.numbers.balls import (
    Ball,
    around,
    ball,
    integer_power,
    lower,
    pi,
)
from verification.certificate.check.outcome import Budget
from verification.certificate.check.reading import Node
from verification.certificate.check.targets import Vector, positive

_FIRST_ARCS = 64
_MOST_ARCS = 20_000
"""More than a condition needs that holds by a thousandth."""


@dataclass(frozen=True)
class Sphere:
    """A training's start, and a distance from it that is less than every rate."""

    coefficients: Vector
    rates: Vector
    radius: Fraction
    budget: Budget


def require_trap(sphere: Sphere, least: Ball, node: Node, curvature: Node | None) -> None:
    """Show that ``e . grad L > least |e|^2`` all over a sphere; for one unit without a curvature.

    Raises
    ------
    Invalid
        Where it is not shown.
    """
    if curvature is None:
        _require_on_circle(sphere, least, node)
        return
    stiffness = positive(curvature)
    determinant(_second_derivatives(sphere), -ball(stiffness), curvature)
    room = ball(stiffness) - _change(sphere) - least
    if not room.is_finite() or lower(room) <= 0:
        node.invalid("not shown that the loss without the bump pulls inward there")


def _require_on_circle(sphere: Sphere, least: Ball, node: Node) -> None:
    arcs = [(k, _FIRST_ARCS) for k in range(_FIRST_ARCS)]
    for _ in range(_MOST_ARCS):
        if not arcs:
            return
        sphere.budget.spend(120)
        k, count = arcs.pop()
        middle = pi() * (2 * k + 1) / count
        room = _inward(sphere, around(middle, pi() / count)) - least
        if not room.is_finite() or lower(room) <= 0:
            at_middle = _inward(sphere, middle) - least
            if not at_middle.is_finite() or lower(at_middle) <= 0:
                break
            arcs += [(2 * k, 2 * count), (2 * k + 1, 2 * count)]
    node.invalid("not shown that the loss without the bump pulls inward there")


def _inward(sphere: Sphere, angle: Ball) -> Ball:
    """Enclose ``e . grad L / rho^2`` in the directions of some angles."""
    start, rate = ball(sphere.coefficients[0]), ball(sphere.rates[0])
    rho, c, s = ball(sphere.radius), angle.cos(), angle.sin()
    a, w = start + rho * c, rate + rho * s
    turned = a * s * (a * s * (3 * w + rate) - 4 * c * w * w)
    inward = c * (c / w - start * s / (w * (w + rate)))
    return inward + turned / (2 * w * w * (w + rate) * (w + rate))


def _second_derivatives(sphere: Sphere) -> list[list[Ball]]:
    """Return twice the inner products of the derivatives of f at the start, exactly."""
    units = list(zip(sphere.coefficients, sphere.rates, strict=True))
    sphere.budget.spend(40 * len(units) ** 2)
    powers = [(Fraction(1), w, 0) for _, w in units] + [(-a, w, 1) for a, w in units]
    return [
        [ball(2 * x * y * factorial(j + k) / (v + w) ** (j + k + 1)) for y, w, k in powers]
        for x, v, j in powers
    ]


def _change(sphere: Sphere) -> Ball:
    size = sphere.radius
    sphere.budget.spend(60 * len(sphere.rates))
    first, second, third = [], ball(0), ball(0)
    for start, rate in zip(sphere.coefficients, sphere.rates, strict=True):
        a = ball(abs(start) + size)
        t = [
            (ball(factorial(2 * k)) / integer_power(ball(2 * (rate - size)), 2 * k + 1)).sqrt()
            for k in range(4)
        ]
        first += [t[0], a * t[1]]
        second = second.max((a * t[2] + norm_of([a * t[2], 2 * t[1]])) / 2)
        third = third.max(2 * t[2] / ball(3).sqrt() + a * t[3])
    rho, slope = ball(size), norm_of(first)
    return rho * slope * (3 * second + rho * third / 3)
