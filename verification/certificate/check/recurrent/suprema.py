r"""Suprema of the activation's derivatives, on the real line and on strips of the complex plane.

By search on the line, and beyond an interval by a bound that decreases, or by the limit.  On the
strip ``|Im z| <= a`` the line ``Im z = a`` is searched: by the maximum principle the supremum lies
on the border, because sigma is bounded there, and the other line is its mirror image.

Beyond ``|Re z| = T``, ``|Im z| <= a``, with ``e = exp(-T)``, for arctan ``T >= 40``:

    tanh: (1 + e^2)/(1 - e^2), 4 e^2/(1 - e^2)^2   logistic: 1/(1 - e), e/(1 - e)^2
    erf: 1 + exp(a^2) erfc(T), (2/sqrt pi) exp(a^2 - T^2)   arctan: pi/2, 1/(T^2 - a^2)

Proof.  ``|exp(-2z)| = exp(-2 Re z)`` gives the first two; ``1 - erf(z) = (2/sqrt pi) int_z^inf
exp(-w^2) dw`` along a parallel to the real line the third; with u = 1/z, ``Re u > 0``, arctan z =
pi/2 - arctan u, ``|arctan u| <= artanh|u|`` and ``Re arctan u >= arctan(2 Re u)/2``, where ``Re u =
Re z |u|^2 >= 40 |u|^2``: so ``|arctan z|^2 = pi^2/4 - pi Re arctan u + |arctan u|^2 < pi^2/4``.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from verification.certificate.check.instances import Term
from verification.certificate.check.numbers.balls import (
    Ball,
    around,
    ball,
    lower,
    pi,
    precision,
    total,
    upper,
)
from verification.certificate.check.numbers.bounds import Bounds
from verification.certificate.check.numbers.complex_balls import ComplexBall
from verification.certificate.check.numbers.search import largest_value
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.recurrent.activations import curve, is_analytic_on

REACH = 40
_BITS = 128
_TOLERANCE = Fraction(1, 2**44)
_MOST_CELLS = 4_000
_WORK = 300


def largest_derivative(terms: tuple[Term, ...], order: int, budget: Budget) -> Bounds:
    """Return bounds of ``sup |sigma^(k)|``, k = 0, .., 3, over the real line.

    Raises
    ------
    Invalid
        Where the cells are too many.
    """
    with precision(_BITS):
        value, slope = curve(terms, order), curve(terms, order + 1)

        def look(low: Fraction, high: Fraction) -> tuple[Fraction, Fraction | None]:
            budget.spend(_WORK * len(terms))
            middle, half = ball((low + high) / 2), ball((high - low) / 2)
            cell = around(middle, half)
            at = abs(value(middle))
            return lower(at), _least((at + abs(slope(cell)) * half, abs(value(cell))))

        tail = beyond(terms, order, None)
        found = _searched(look, terms, tail)
        return _or_term_by_term(
            found, terms, lambda term: largest_derivative((term,), order, budget)
        )


def largest_on_strip(
    terms: tuple[Term, ...], order: int, width: Fraction, budget: Budget
) -> Bounds:
    """Return bounds of ``sup |sigma^(k)|``, k = 0, 1, over ``|Im z| <= width``.

    Raises
    ------
    Invalid
        Where the strip is too wide, or the cells are too many.
    """
    if not is_analytic_on(terms, width):
        raise Invalid("the strip is not below the nearest pole")
    with precision(_BITS):
        height = ball(width)

        def look(low: Fraction, high: Fraction) -> tuple[Fraction, Fraction | None]:
            budget.spend(3 * _WORK * len(terms))
            middle, half = ball((low + high) / 2), ball((high - low) / 2)
            cell = ComplexBall(around(middle, half), height)
            at = _squared(_sum(terms, order, ComplexBall(middle, height)))
            values = _sum(terms, order, cell)
            product = _sum(terms, order + 1, cell)
            steep = 2 * abs(values.real * product.real + values.imag * product.imag)
            bound = _least((at + steep * half, _squared(values)))
            if bound is None:
                far = _far(terms, order, (low, high), width)
                bound = None if far is None else upper(far * far)
            return lower(at), bound

        tail = beyond(terms, order, width)
        squared = None if tail is None else Bounds(tail.lower**2, tail.upper**2)
        found = _searched(look, terms, squared)
        return _or_term_by_term(
            None if found is None else found.root(_BITS),
            terms,
            lambda term: largest_on_strip((term,), order, width, budget),
        )


def _searched(
    look: Callable[[Fraction, Fraction], tuple[Fraction, Fraction | None]],
    terms: tuple[Term, ...],
    tail: Bounds | None,
) -> Bounds | None:
    least = Fraction(0) if tail is None else tail.lower
    inside = largest_value(look, reach_of(terms), _TOLERANCE, _MOST_CELLS, least)
    if inside is None or tail is None:
        return inside
    return Bounds(inside.lower, max(inside.upper, tail.upper))


def _or_term_by_term(
    found: Bounds | None, terms: tuple[Term, ...], of_term: Callable[[Term], Bounds]
) -> Bounds:
    """Return what was found, or a sum over the terms where that is a smaller bound."""
    if found is not None and found.upper <= found.lower * (1 + 2 * _TOLERANCE):
        return found
    if len(terms) == 1:
        raise Invalid("the supremum of the activation is not found in so many cells")
    most = sum((of_term(term).upper for term in terms), Fraction(0))
    if found is None:
        return Bounds(Fraction(0), most)
    return Bounds(found.lower, max(found.lower, min(found.upper, most)))


def _least(found: tuple[Ball, ...]) -> Fraction | None:
    # On a wide cell a quotient may not be enclosed at all.
    return min((upper(x) for x in found if x.is_finite()), default=None)


def _squared(z: ComplexBall) -> Ball:
    return z.real * z.real + z.imag * z.imag


def _sum(terms: tuple[Term, ...], order: int, z: ComplexBall) -> ComplexBall:
    result = ComplexBall(0)
    for term in terms:
        value = _COMPLEX[term.family][order](ball(term.scale) * z + ball(term.shift))
        result = result + ball(term.weight * term.scale**order) * value
    return result


def _tanh_slope(z: ComplexBall) -> ComplexBall:
    share = z.sech()
    return share * share


def _erf_slope(z: ComplexBall) -> ComplexBall:
    # Around 0 a ball's square has negative numbers too, of which the exponential may be huge.
    square = (z.real * z.real).nonnegative_part() - z.imag * z.imag
    return 2 * (-ComplexBall(square, 2 * z.real * z.imag)).exp() / pi().sqrt()


def _arctan_slope(z: ComplexBall) -> ComplexBall:
    return 1 / (1 + z * z)


_COMPLEX: dict[str, tuple[Callable[[ComplexBall], ComplexBall], ...]] = {
    "tanh": (
        lambda z: z.tanh(),
        _tanh_slope,
        lambda z: -2 * z.tanh() * _tanh_slope(z),
    ),
    "logistic": (
        lambda z: (1 + (z / 2).tanh()) / 2,
        lambda z: _tanh_slope(z / 2) / 4,
        lambda z: -(z / 2).tanh() * _tanh_slope(z / 2) / 4,
    ),
    "erf": (lambda z: z.erf(), _erf_slope, lambda z: -2 * z * _erf_slope(z)),
    "arctan": (
        lambda z: z.atan(),
        _arctan_slope,
        lambda z: -2 * z * _arctan_slope(z) * _arctan_slope(z),
    ),
    "sin": (lambda z: z.sin(), lambda z: z.cos(), lambda z: -z.sin()),
}


def _far(
    terms: tuple[Term, ...], order: int, cell: tuple[Fraction, Fraction], width: Fraction
) -> Ball | None:
    """Bound ``|sigma|`` or ``|sigma'|`` on a cell of the strip that is far from all poles."""
    parts = []
    for term in terms:
        ends = [term.scale * end + term.shift for end in cell]
        start = min(map(abs, ends)) if ends[0] * ends[1] > 0 else Fraction(0)
        if start < (REACH if term.family == "arctan" else 1):
            return None
        part = _tail_on_strip(term.family, order, ball(start), ball(abs(term.scale) * width))
        parts.append(ball(abs(term.weight * term.scale**order)) * part)
    return total(parts)


def reach_of(terms: tuple[Term, ...]) -> Fraction:
    """Return the end of the interval that is searched."""
    if repeats(terms):
        return Fraction(8, 5) / abs(terms[0].scale)
    return max((REACH + abs(term.shift)) / abs(term.scale) for term in terms)


def repeats(terms: tuple[Term, ...]) -> bool:
    """Tell whether the activation is a sine: its size has the period pi < 16/5."""
    return len(terms) == 1 and terms[0].family == "sin"


def beyond(terms: tuple[Term, ...], order: int, width: Fraction | None) -> Bounds | None:
    """Return bounds of ``sup |sigma^(k)|`` beyond the interval; None of a sine, which repeats."""
    if repeats(terms):
        return None
    reach = reach_of(terms)
    parts = []
    for term in terms:
        start = ball(abs(term.scale) * reach - abs(term.shift))
        if width is None:
            part = tail_on_line(term.family, order, start)
        else:
            part = _tail_on_strip(term.family, order, start, ball(abs(term.scale) * width))
        parts.append(ball(abs(term.weight * term.scale**order)) * part)
    most, least = upper(total(parts)), Fraction(0)
    if order == 0:
        most, least = _near_limits(terms, reach, width, most)
    return Bounds(least, max(least, most))


def _near_limits(
    terms: tuple[Term, ...], reach: Fraction, width: Fraction | None, most: Fraction
) -> tuple[Fraction, Fraction]:
    """Bound ``|sigma|`` far out from above by `most` or by its limits, and from below by these."""
    gap = total(
        [
            ball(abs(term.weight))
            * _gap(
                term.family,
                ball(abs(term.scale) * reach - abs(term.shift)),
                ball(abs(term.scale) * (width or 0)),
            )
            for term in terms
        ]
    )
    limits = [
        abs(total([ball(term.weight) * _limit(term.family, side * term.scale) for term in terms]))
        for side in (-1, 1)
    ]
    least = max(map(lower, limits))
    if any(term.family == "sin" for term in terms):
        least = Fraction(0)
    return min(most, max(upper(limit + gap) for limit in limits)), least


def _limit(family: str, direction: Fraction) -> Ball:
    """Return what a function tends to; of a sine its mean."""
    if family == "sin":
        return ball(0)
    if family == "logistic":
        return ball(1 if direction > 0 else 0)
    size = pi() / 2 if family == "arctan" else ball(1)
    return size if direction > 0 else -size


def _gap(family: str, t: Ball, a: Ball) -> Ball:
    """Bound the distance from the limit where ``|Re z| >= t >= 40`` and ``|Im z| <= a``."""
    if family == "sin":
        return a.cosh()
    if family == "tanh":
        small = (-2 * t).exp()
        return 2 * small / (1 - small)
    if family == "logistic":
        small = (-t).exp()
        return small / (1 - small)
    return (a * a).exp() * t.erfc() if family == "erf" else (1 / t).atanh()


def tail_on_line(family: str, order: int, t: Ball) -> Ball:
    """Bound ``|f^(k)|``, k = 0, .., 3, beyond t >= 40: all of these decrease, or are limits."""
    if family == "sin":
        return ball(1)
    if order == 0:
        return pi() / 2 if family == "arctan" else ball(1)
    if family == "tanh":
        return (4, 8, 16)[order - 1] * (-2 * t).exp()
    if family == "logistic":
        return (-t).exp()
    if family == "erf":
        return 2 * (-(t * t)).exp() / pi().sqrt() * (1, 2 * t, 4 * t * t)[order - 1]
    share = 1 / (1 + t * t)
    return (share, 2 * t * share * share, 6 * share * share)[order - 1]


def _tail_on_strip(family: str, order: int, t: Ball, a: Ball) -> Ball:
    """Bound ``|f|`` or ``|f'|`` where ``|Re z| >= t`` and ``|Im z| <= a``; for arctan t >= 40."""
    if family == "sin":
        return a.cosh()
    if family == "tanh":
        small = (-2 * t).exp()
        return (1 + small) / (1 - small) if order == 0 else 4 * small / ((1 - small) * (1 - small))
    if family == "logistic":
        small = (-t).exp()
        return 1 / (1 - small) if order == 0 else small / ((1 - small) * (1 - small))
    if family == "erf":
        if order == 0:
            return 1 + (a * a).exp() * t.erfc()
        return 2 * (a * a - t * t).exp() / pi().sqrt()
    return pi() / 2 if order == 0 else 1 / (t * t - a * a)
