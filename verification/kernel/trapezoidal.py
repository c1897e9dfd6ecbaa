r"""The trapezoidal rule of any step for the kernel of normal weights, its infinite sum enclosed.

With ``W.x = m.x + s |x| Z`` and ``W.x' = m.x' + s (x.x' / |x|) Z + s r Z'``, Z and Z' independent
and standard normal, ``r^2 = |x'|^2 - (x.x')^2 / |x|^2``, the kernel is an integral over Z, or over
(Z, Z') where x and x' are not parallel.  The rule of step h replaces each integral by
``h sum_k F(k h) phi(k h)``, k over all integers.  Coarse rules make its error visible.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from verification.enclosure.balls import (
    Ball,
    ball,
    maximum,
    pi,
    square,
    symmetric,
    working_precision,
)
from verification.enclosure.doubles import above
from verification.instance import ActivationSpec, Normal, ProductLaw
from verification.kernel.limiting import Point
from verification.recurrent.activation import activation
from verification.recurrent.law import dot, moment_of_c

_WIDTHS_TRIED = 16
_NARROWING = Fraction(3, 4)


@dataclass(frozen=True, kw_only=True)
class Directions:
    """What one unit of Z adds to W.x and to W.x', and one unit of Z' to W.x'; all >= 0 but one.

    Parameters
    ----------
    along, shared, across : Ball
        ``s |x|``, ``s x.x' / |x|`` (of either sign) and ``s r``.
    parallel : bool
        Whether r = 0, exactly.
    """

    along: Ball
    shared: Ball
    across: Ball
    parallel: bool


def directions(law: ProductLaw, first: Point, second: Point) -> Directions:
    """Return the directions for normal W; x must not be 0.

    Raises
    ------
    ValueError
        Where W is not normal, or x = 0.
    """
    size, mixed = dot(first.input, first.input), dot(first.input, second.input)
    if not isinstance(law.w, Normal) or not size:
        raise ValueError("the directions of Z need a normal W and an input other than 0")
    rest = dot(second.input, second.input) - mixed * mixed / size
    std = ball(law.w.std)
    return Directions(
        along=std * ball(size).sqrt(),
        shared=std * ball(mixed) / ball(size).sqrt(),
        across=std * ball(rest).sqrt(),
        parallel=not rest,
    )


def strip_widths(
    spec: ActivationSpec, law: ProductLaw, first: Point, second: Point, step: Fraction
) -> list[Fraction]:
    """Return widths of strips for Z that the error of a rule may be bounded by, the widest first.

    It is least at ``a = 2 pi / h`` where sigma allows it.
    """
    sigma, where = activation(spec), directions(law, first, second)
    top = Fraction(2 * math.pi) / step
    if sigma.pole() is not None:
        widest = maximum((where.along, abs(where.shared), where.across))
        top = min(top, -above(-(ball(sigma.strip_width()) / widest)))
    return [top * _NARROWING**k for k in range(_WIDTHS_TRIED)]


def trapezoidal_kernel(
    spec: ActivationSpec, law: ProductLaw, first: Point, second: Point, step: Fraction
) -> Ball:
    """Enclose what the trapezoidal rule of step h makes of the kernel; see the module's docstring.

    Notes
    -----
    The sum is cut where what is left of the weights, at most ``erfc(n h / sqrt 2)`` since phi
    decreases, is beyond the working precision; it is part of the enclosure.
    """
    sigma = activation(spec)
    where = directions(law, first, second)
    reach = math.sqrt(2 * math.log(2) * (working_precision() + 8))
    count = math.ceil(reach / float(step))
    tail = (ball(step * count) / ball(2).sqrt()).erfc()
    nodes = [ball(step * k) for k in range(-count, count + 1)]
    weights = [(-square(z) / 2).exp() * ball(step) / (2 * pi()).sqrt() for z in nodes]
    inner = ball(dot(first.input, second.input)) * ball(moment_of_c(law, 2))
    mean = law.w.mean if isinstance(law.w, Normal) else ()
    v = ball(dot(mean, first.input)) + ball(first.memory)
    w = ball(dot(mean, second.input)) + ball(second.memory)

    values, mass = ball(0), ball(0)
    for z, weight in zip(nodes, weights, strict=True):
        mass = mass + weight
        u, t = v + where.along * z, w + where.shared * z
        forward, backward = sigma.derivative(0, u), inner * sigma.derivative(1, u)
        if where.parallel:
            others = [(ball(1), t)]
        else:
            others = [(o, t + where.across * y) for y, o in zip(nodes, weights, strict=True)]
        for other, argument in others:
            value = forward * sigma.derivative(0, argument)
            value = value + backward * sigma.derivative(1, argument)
            values = values + weight * other * value
    s0, s1 = ball(sigma.bound(0)), ball(sigma.bound(1))
    height = square(s0) + abs(inner) * square(s1)
    # Of two sums, what is cut off one is multiplied by the whole mass of the other.
    cut = tail if where.parallel else tail * (2 * mass + tail)
    return values + symmetric(height * cut)
