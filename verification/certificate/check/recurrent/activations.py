r"""The activation in balls: derivatives, the constants that bound them, strips, antiderivatives.

``sigma(t) = sum_j a_j f_j(b_j t + c_j)`` with f_j among tanh, logistic, erf, arctan and sin.  The
constants are those that the claims name: with ``s_k = sum_j |a_j| |b_j|^k s_k(f_j)``,

    s0: 1, 1, 1, pi/2, 1     s1: 1, 1/4, 2/sqrt(pi), 1, 1
    s2: 4/(3 sqrt 3), 1/(6 sqrt 3), sqrt(8/(pi e)), 3 sqrt(3)/8, 1
    s3: 2, 1/8, 4/sqrt(pi), 2, 1,

and on ``|Im z| <= a``, ``|f| <= m(a)`` and ``|f'| <= m1(a)``:

    tanh: max(1, tan a), 1/cos^2 a          logistic: 1 or 1/sin a, 1/(4 cos^2(a/2))
    erf: 1 + erfi a, (2/sqrt pi) exp(a^2)   arctan: pi/2 + artanh a, 1/(1 - a^2)
    sin: cosh a, cosh a.

The integrals of m1 from 0 to a are tan a, tan(a/2) / 2, erfi a, artanh a and sinh a.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from verification.certificate.check.instances import Term
from verification.certificate.check.numbers.balls import Ball, ball, lower, pi, total, upper
from verification.certificate.check.outcome import Refused

_POLE = {
    "tanh": Fraction(157, 100),
    "logistic": Fraction(314, 100),
    "arctan": Fraction(1),
    "erf": Fraction(4),
    "sin": Fraction(64),
}
"""Below the distance of the nearest pole; of an entire function the widest that a rule is given."""

_ENTIRE = ("erf", "sin")
_WIDEST = 64


def weighted_derivatives(
    terms: tuple[Term, ...], order: int, nodes: Sequence[tuple[Ball, Ball]], shift: Ball
) -> Ball:
    """Enclose the sum of ``weight sigma^(k)(node + v)``, k = 0, 1, 2, over nodes and weights."""
    result = ball(0)
    for term in terms:
        function = _DERIVATIVES[term.family][order]
        if term.scale == 1 and not term.shift:
            parts = [weight * function(node + shift) for node, weight in nodes]
        else:
            scale, offset = ball(term.scale), ball(term.shift)
            parts = [weight * function(scale * (node + shift) + offset) for node, weight in nodes]
        result = result + ball(term.weight * term.scale**order) * total(parts)
    return result


def curve(terms: tuple[Term, ...], order: int) -> Callable[[Ball], Ball]:
    """Return ``sigma^(k)``, k <= 4, its numbers enclosed once at the working precision."""
    parts = [
        (
            ball(term.weight * term.scale**order),
            _DERIVATIVES[term.family][order],
            None if term.scale == 1 and not term.shift else (ball(term.scale), ball(term.shift)),
        )
        for term in terms
    ]

    def value(t: Ball) -> Ball:
        return total(
            [
                weight * function(t if change is None else change[0] * t + change[1])
                for weight, function, change in parts
            ]
        )

    return value


def _tanh_slope(t: Ball) -> Ball:
    share = t.sech()
    return share * share


def _tanh_turn(t: Ball) -> Ball:
    return -2 * t.tanh() * _tanh_slope(t)


def _erf_slope(t: Ball) -> Ball:
    # Around 0 a ball's square has negative numbers too, of which the exponential may be huge.
    return 2 * (-(t * t).nonnegative_part()).exp() / pi().sqrt()


def _arctan_slope(t: Ball) -> Ball:
    return 1 / (1 + t * t)


def _arctan_turn(t: Ball) -> Ball:
    share = _arctan_slope(t)
    return -2 * t * share * share


def _tanh_third(t: Ball) -> Ball:
    value = t.tanh()
    return _tanh_slope(t) * (6 * value * value - 2)


def _arctan_third(t: Ball) -> Ball:
    share = _arctan_slope(t)
    return (6 * t * t - 2) * share * share * share


def _tanh_fourth(t: Ball) -> Ball:
    slope = _tanh_slope(t)
    return 8 * t.tanh() * slope * (3 * slope - 1)


def _arctan_fourth(t: Ball) -> Ball:
    share = _arctan_slope(t)
    squared = share * share
    return 24 * t * (1 - t * t) * squared * squared


# The logistic function is (1 + tanh(t/2)) / 2.
_DERIVATIVES: dict[str, tuple[Callable[[Ball], Ball], ...]] = {
    "tanh": (Ball.tanh, _tanh_slope, _tanh_turn, _tanh_third, _tanh_fourth),
    "logistic": (
        lambda t: (1 + (t / 2).tanh()) / 2,
        lambda t: _tanh_slope(t / 2) / 4,
        lambda t: _tanh_turn(t / 2) / 8,
        lambda t: _tanh_third(t / 2) / 16,
        lambda t: _tanh_fourth(t / 2) / 32,
    ),
    "erf": (
        Ball.erf,
        _erf_slope,
        lambda t: -2 * t * _erf_slope(t),
        lambda t: (4 * t * t - 2) * _erf_slope(t),
        lambda t: (12 - 8 * t * t) * t * _erf_slope(t),
    ),
    "arctan": (Ball.atan, _arctan_slope, _arctan_turn, _arctan_third, _arctan_fourth),
    "sin": (
        Ball.sin,
        Ball.cos,
        lambda t: -t.sin(),
        lambda t: -t.cos(),
        Ball.sin,
    ),
}


def antiderivative(terms: tuple[Term, ...], t: Ball) -> Ball:
    """Enclose ``int_0^t sigma`` up to a constant."""
    return total(
        [
            ball(term.weight / term.scale)
            * _family_antiderivative(term.family, ball(term.scale) * t + ball(term.shift))
            for term in terms
        ]
    )


def _family_antiderivative(family: str, t: Ball) -> Ball:
    if family == "tanh":
        return t.cosh().log()
    if family == "logistic":
        return t / 2 + (t / 2).cosh().log()
    if family == "erf":
        return t * t.erf() + (-(t * t)).exp() / pi().sqrt()
    if family == "arctan":
        return t * t.atan() - (t * t).log1p() / 2
    return -t.cos()


def constant(terms: tuple[Term, ...], order: int) -> Ball:
    """Return ``s_k``, k = 0, .., 3."""
    return total(
        [
            ball(abs(term.weight * term.scale**order)) * _family_constant(term.family, order)
            for term in terms
        ]
    )


def _family_constant(family: str, order: int) -> Ball:
    three = ball(3).sqrt()
    table = {
        "tanh": (ball(1), ball(1), 4 / (3 * three), ball(2)),
        "logistic": (ball(1), ball(Fraction(1, 4)), 1 / (6 * three), ball(Fraction(1, 8))),
        "erf": (
            ball(1),
            2 / pi().sqrt(),
            (8 / (pi() * ball(1).exp())).sqrt(),
            4 / pi().sqrt(),
        ),
        "arctan": (pi() / 2, ball(1), 3 * three / 8, ball(2)),
        "sin": (ball(1), ball(1), ball(1), ball(1)),
    }
    return table[family][order]


def widest_strip(terms: tuple[Term, ...]) -> Fraction:
    """Return a half-width at which every term is still analytic."""
    return min(_POLE[term.family] / abs(term.scale) for term in terms)


def is_analytic_on(terms: tuple[Term, ...], width: Fraction) -> bool:
    """Tell whether ``|Im z| <= width`` lies below every pole, and is no wider than 64 units."""
    return width > 0 and all(
        abs(term.scale) * width <= _WIDEST
        if term.family in _ENTIRE
        else abs(term.scale) * width < _POLE[term.family]
        for term in terms
    )


def strip_constant(terms: tuple[Term, ...], order: int, width: Fraction) -> Ball:
    """Return ``m(a)`` or ``m1(a)``; of order 2 what Cauchy's estimate makes of ``m1``.

    Raises
    ------
    Refused
        Where the strip is too wide.
    """
    if order == 2:
        room = min((widest_strip(terms) - width) / 2, Fraction(1, 2))
        return strip_constant(terms, 1, width + room) / ball(room)
    if not is_analytic_on(terms, width):
        raise Refused("a strip is too wide")
    return total(
        [
            ball(abs(term.weight * term.scale**order))
            * _family_strip_constant(term.family, order, ball(abs(term.scale) * width))
            for term in terms
        ]
    )


def strip_rise(terms: tuple[Term, ...], width: Fraction) -> Ball:
    """Bound ``|Im sigma|`` on ``|Im z| <= a``: by ``int_0^a m1``, as sigma is real on the reals.

    Raises
    ------
    Refused
        Where the strip is too wide.
    """
    if not is_analytic_on(terms, width):
        raise Refused("a strip is too wide")
    return total(
        [
            ball(abs(term.weight)) * _family_strip_rise(term.family, ball(abs(term.scale) * width))
            for term in terms
        ]
    )


def _family_strip_rise(family: str, a: Ball) -> Ball:
    if family == "sin":
        return a.sinh()
    if family == "tanh":
        return a.tan()
    if family == "logistic":
        return (a / 2).tan() / 2
    return a.erfi() if family == "erf" else a.atanh()


def _family_strip_constant(family: str, order: int, a: Ball) -> Ball:
    if family == "sin":
        return a.cosh()
    if family == "tanh":
        return ball(1).max(a.tan()) if order == 0 else 1 / (a.cos() * a.cos())
    if family == "logistic":
        if order == 1:
            return 1 / (4 * (a / 2).cos() * (a / 2).cos())
        return ball(1) if upper(a) <= lower(pi() / 2) else ball(1).max(1 / a.sin())
    if family == "erf":
        return 1 + a.erfi() if order == 0 else 2 * (a * a).exp() / pi().sqrt()
    return pi() / 2 + a.atanh() if order == 0 else 1 / (1 - a * a)
