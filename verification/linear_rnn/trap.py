r"""Where gradient flow is trapped: balls on whose boundary the loss without the bump pulls inward.

With ``L = ||f - rho_bar||^2``, which is least at th0, the *stiffness* at a distance rho is
``min_{|e| = rho} e . grad L(th0 + e) / rho^2``.  For one unit it is evaluated on arcs that cover
the circle.  For more it is at least ``lambda - C rho / 2``, lambda the least eigenvalue of the
second derivatives at th0, which are exact inner products, and C a bound of third derivatives.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

from verification.enclosure.balls import (
    Ball,
    ball,
    less,
    maximum,
    pi,
    symmetric,
    total,
    upper_double,
)
from verification.enclosure.matrix import Matrix
from verification.enclosure.spectrum import symmetric_spectrum
from verification.linear_rnn.plateau import (
    Plateau,
    gradient,
    gradient_and_hessian,
    third_derivative_upper,
)
from verification.verdict import Truth

_ARCS = 128
_ITERATIONS = 60
_SPARE = Fraction(2**20 + 1, 2**20)


@lru_cache(maxsize=256)
def trap_radius(
    plateau: Plateau, most: Fraction, pull: Callable[[Plateau, Fraction], Ball], _bits: int
) -> Fraction | None:
    """Return about the least rho up to `most` with ``e . grad L > g(rho) rho`` where |e| = rho.

    Found by iteration of ``rho -> g(rho) / stiffness(rho)``; what is returned is verified.

    Parameters
    ----------
    plateau : Plateau
    most : Fraction
        Below every rate.
    pull : callable
        Maps the set-up and rho to g(rho), a bound of the bump's pull in the ball.

    Returns
    -------
    Fraction or None
        None where no radius was found.
    """
    size = Fraction(0)
    for _ in range(_ITERATIONS):
        stiff = stiffness(plateau, size)
        if less(ball(0), stiff) is not Truth.TRUE:
            return None
        reached = upper_double(pull(plateau, size) / stiff)
        if math.isinf(reached):
            return None
        following = Fraction(reached) * _SPARE
        if following <= size:
            return size
        size = following * (_SPARE if size and following < size * _SPARE else 1)
        if size > most:
            return None
    return None


def stiffness(plateau: Plateau, size: Fraction) -> Ball:
    """Bound ``min_{|e| = size} e . grad L(th0 + e) / size^2`` from below."""
    if plateau.units == 1 and size:
        return _stiffness_on_a_circle(plateau, size)
    least = stiffnesses(plateau)[0]
    if not size:
        return least
    sizes = [ball(abs(c) + size) for c in plateau.coefficients]
    rates = [ball(w - size) for w in plateau.rates]
    # Without the bump nothing is missed at th0.
    steep = third_derivative_upper(sizes, rates, miss=ball(0), reach=ball(size))
    return least - steep * ball(size) / 2


def _stiffness_on_a_circle(plateau: Plateau, size: Fraction) -> Ball:
    """Evaluate ``e . grad L / |e|^2`` on arcs that cover the circle, by the mean value theorem."""
    without = dataclasses.replace(plateau, height=Fraction(0))
    half, scale = pi() / _ARCS, ball(size)
    heights = []
    for k in range(_ARCS):
        middle = 2 * k * half
        direction, turned = _directions(middle)
        at_middle = gradient(without, [scale * x for x in direction])
        inward = total(x * z for x, z in zip(direction, at_middle, strict=True)) / scale
        direction, turned = _directions(middle + symmetric(half))
        slope, bend = gradient_and_hessian(without, [scale * x for x in direction])
        # The derivative in the angle: that of the direction, and that of the gradient.
        moved = [total(x * z for x, z in zip(row, turned, strict=True)) for row in bend]
        change = total(x * z for x, z in zip(turned, slope, strict=True)) / scale
        change = change + total(x * z for x, z in zip(direction, moved, strict=True))
        heights.append(-(inward + symmetric(abs(change) * half)))
    return -maximum(heights)


def _directions(angle: Ball) -> tuple[list[Ball], list[Ball]]:
    """Enclose a unit vector and its derivative in the angle."""
    cosine, sine = angle.cos(), angle.sin()
    return [cosine, sine], [-sine, cosine]


def stiffnesses(plateau: Plateau) -> tuple[Ball, ...]:
    """Enclose the eigenvalues of the second derivatives of L at th0, in increasing order."""
    return symmetric_spectrum(_curvature(plateau).in_balls()).eigenvalues()


def _curvature(plateau: Plateau) -> Matrix:
    """Return the second derivatives of L at th0, exactly: twice a matrix of inner products."""
    units = list(zip(plateau.coefficients, plateau.rates, strict=True))
    # exp(-w t) and -a t exp(-w t): int t^k exp(-u t) = k! / u^(k+1).
    tops = [[2 / (w + v) for _, v in units] for _, w in units]
    mixed = [[-2 * b / (w + v) ** 2 for b, v in units] for _, w in units]
    lows = [[4 * a * b / (w + v) ** 3 for b, v in units] for a, w in units]
    rows = [[*top, *beside] for top, beside in zip(tops, mixed, strict=True)]
    for i, low in enumerate(lows):
        rows.append([*(row[i] for row in mixed), *low])
    return Matrix.exact(rows)
