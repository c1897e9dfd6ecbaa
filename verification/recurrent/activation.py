r"""Activations: values and derivatives in balls, suprema, and bounds on complex strips.

An activation is a finite sum ``sigma(t) = sum_j a_j f_j(b_j t + c_j)`` of members of five families
(a named activation is the sum with one term, a = b = 1, c = 0).  For each family this module states

===========  ==================  =====================  ==============  ==========  =====  =========
family       value               s0, s1                 s2              s3          pole   odd
===========  ==================  =====================  ==============  ==========  =====  =========
tanh         tanh t              1, 1                   4/(3 sqrt 3)    2           pi/2   yes
logistic     1/(1 + exp(-t))     1, 1/4                 1/(6 sqrt 3)    1/8         pi     no
erf          erf t               1, 2/sqrt(pi)          sqrt(8/(pi e))  4/sqrt(pi)  none   yes
arctan       arctan t            pi/2, 1                3 sqrt(3)/8     2           1      yes
sin          sin t               1, 1                   1               1           none   yes
===========  ==================  =====================  ==============  ==========  =====  =========

where s_k bounds the k-th derivative on the real line and *pole* is the distance of the nearest
singularity from the real line.  Claim A1 checks the suprema, claim A2 the bounds on strips.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from operator import mul
from typing import TypeAlias

from verification.claim import Number
from verification.enclosure.balls import (
    Ball,
    Between,
    ComplexBall,
    ball,
    less_equal,
    maximum,
    pi,
    sharp_if_even,
    sharp_if_increasing,
    square,
    total,
    working_precision,
)
from verification.instance import ActivationSpec, Term
from verification.verdict import Truth

Curve: TypeAlias = Callable[[Ball], Ball]
ComplexCurve: TypeAlias = Callable[[ComplexBall], ComplexBall]

ORDERS = (0, 1, 2, 3)
"""Orders of the derivatives whose suprema s0, .., s3 the theorems use."""

_ENTIRE_STRIP = Fraction(4)
_ENTIRE_STEP = Fraction(1, 2)
_POLE_SHARE = Fraction(9, 10)
_TAIL_START = Fraction(32)
_HALF_PERIOD = Fraction(4)


@dataclass(frozen=True, kw_only=True)
class Family:
    """One named activation function.

    Parameters
    ----------
    name : str
    derivatives : tuple of callable, length 5
        The function and its first four derivatives, balls to balls.
    complex_derivatives : tuple of callable, length 3
        The function and its first two derivatives, complex balls to complex balls.
    supremum : callable
        Order k in (0, .., 3) to s_k, the supremum of the k-th derivative's absolute value.
    tail : callable
        ``(k, T)`` to an upper bound of the k-th derivative's absolute value where ``|t| >= T``,
        for T >= 1.
    limits : callable or None
        The limits at minus and plus infinity, where they exist.
    pole : Fraction or None
        A lower bound of the distance of the nearest singularity from the real line; None for an
        entire function.
    strip : callable
        ``(k, a)``, k in (0, 1), to an upper bound of the k-th derivative on ``|Im z| <= a``.
    strip_tail : callable
        ``(k, a, T)``, k in (0, 1), to an upper bound of the k-th derivative where
        ``|Im z| <= a`` and ``|Re z| >= T``, for T >= 2.
    odd : bool
    """

    name: str
    derivatives: tuple[Curve, Curve, Curve, Curve, Curve]
    complex_derivatives: tuple[ComplexCurve, ComplexCurve, ComplexCurve]
    supremum: Callable[[int], Number]
    tail: Callable[[int, Ball], Ball]
    limits: Callable[[], tuple[Ball, Ball]] | None
    pole: Fraction | None
    strip: Callable[[int, Ball], Ball]
    strip_tail: Callable[[int, Ball, Ball], Ball]
    odd: bool


_ONE = ball(1)  # exact at every precision

# Flint's own functions are sharp on narrow balls only: tanh of 0 +/- 50 is NaN.
_tanh = sharp_if_increasing(Ball.tanh)
_erf = sharp_if_increasing(Ball.erf)
_arctan = sharp_if_increasing(Ball.atan)
_logistic = sharp_if_increasing(lambda t: _ONE / (_ONE + (-t).exp()))
_sech_squared = sharp_if_even(lambda t: square(t.sech()))
_gauss = sharp_if_even(lambda t: (-square(t)).exp())
_arctan_1 = sharp_if_even(lambda t: _ONE / (_ONE + square(t)))


def _tanh_2(t: Ball) -> Ball:
    return -2 * _tanh(t) * _sech_squared(t)


def _tanh_3(t: Ball) -> Ball:
    square = _sech_squared(t)
    return square * (4 - 6 * square)


def _tanh_4(t: Ball) -> Ball:
    square = _sech_squared(t)
    return 8 * _tanh(t) * square * (3 * square - 1)


def _complex_tanh_1(z: ComplexBall) -> ComplexBall:
    return square(z.sech())


def _complex_tanh_2(z: ComplexBall) -> ComplexBall:
    return -2 * z.tanh() * square(z.sech())


def _tanh_supremum(order: int) -> Number:
    return (Fraction(1), Fraction(1), 4 / (3 * ball(3).sqrt()), Fraction(2))[order]


def _tanh_tail(order: int, start: Ball) -> Ball:
    # |tanh''| <= 2 sech^2 and |tanh'''| <= 4 sech^2, which decrease.
    return ball(1) if order == 0 else (1, 2, 4)[order - 1] * _sech_squared(start)


def _tanh_strip(order: int, width: Ball) -> Ball:
    return maximum((ball(1), width.tan())) if order == 0 else 1 / square(width.cos())


def _tanh_strip_tail(order: int, _width: Ball, start: Ball) -> Ball:
    # |tanh z| <= (1 + e)/(1 - e), e = exp(-2 Re z); |cosh z| >= sinh(Re z).
    small = (-2 * start).exp()
    return (1 + small) / (1 - small) if order == 0 else 1 / square(start.sinh())


def _logistic_1(t: Ball) -> Ball:
    return _sech_squared(t / 2) / 4


def _logistic_2(t: Ball) -> Ball:
    return -_tanh(t / 2) * _sech_squared(t / 2) / 4


def _logistic_3(t: Ball) -> Ball:
    square = _sech_squared(t / 2)
    return square * (2 - 3 * square) / 8


def _logistic_4(t: Ball) -> Ball:
    square = _sech_squared(t / 2)
    return _tanh(t / 2) * square * (3 * square - 1) / 4


def _complex_logistic(z: ComplexBall) -> ComplexBall:
    return 1 / (1 + (-z).exp())


def _complex_logistic_1(z: ComplexBall) -> ComplexBall:
    return _complex_logistic(z) * _complex_logistic(-z)


def _complex_logistic_2(z: ComplexBall) -> ComplexBall:
    value = _complex_logistic(z)
    return value * _complex_logistic(-z) * (1 - 2 * value)


def _logistic_supremum(order: int) -> Number:
    return (Fraction(1), Fraction(1, 4), 1 / (6 * ball(3).sqrt()), Fraction(1, 8))[order]


def _logistic_tail(order: int, start: Ball) -> Ball:
    # |logistic''| and |logistic'''| are at most sech^2(t/2)/4, which decreases.
    return ball(1) if order == 0 else _sech_squared(start / 2) / 4


def _logistic_strip(order: int, width: Ball) -> Ball:
    if order == 1:
        return 1 / (4 * square((width / 2).cos()))
    # 1/sin a bounds it for every a below pi; up to pi/2 the bound 1 is better.
    within = less_equal(width, pi() / 2) is Truth.TRUE
    return ball(1) if within else 1 / width.sin()


def _logistic_strip_tail(order: int, _width: Ball, start: Ball) -> Ball:
    return 1 / (1 - (-start).exp()) if order == 0 else 1 / (4 * square((start / 2).sinh()))


def _erf_1(t: Ball) -> Ball:
    return 2 * _gauss(t) / pi().sqrt()


def _erf_2(t: Ball) -> Ball:
    return -4 * t * _gauss(t) / pi().sqrt()


def _erf_3(t: Ball) -> Ball:
    return (8 * square(t) - 4) * _gauss(t) / pi().sqrt()


def _erf_4(t: Ball) -> Ball:
    return (24 - 16 * square(t)) * t * _gauss(t) / pi().sqrt()


def _complex_erf_1(z: ComplexBall) -> ComplexBall:
    return 2 * (-square(z)).exp() / pi().sqrt()


def _complex_erf_2(z: ComplexBall) -> ComplexBall:
    return -2 * z * _complex_erf_1(z)


def _erf_supremum(order: int) -> Number:
    if order == 0:
        return Fraction(1)
    root = pi().sqrt()
    return (2 / root, (8 / ball(1).exp()).sqrt() / root, 4 / root)[order - 1]


def _erf_tail(order: int, start: Ball) -> Ball:
    # |erf''| decreases from 1/sqrt(2) on; |erf'''| <= 8 t^2 exp(-t^2)/sqrt(pi), which decreases
    # from 1 on.
    if order == 3:
        return 8 * square(start) * _gauss(start) / pi().sqrt()
    return ball(1) if order == 0 else abs((_erf_1, _erf_2)[order - 1](start))


def _erf_strip(order: int, width: Ball) -> Ball:
    return 1 + width.erfi() if order == 0 else 2 * square(width).exp() / pi().sqrt()


def _erf_strip_tail(order: int, width: Ball, start: Ball) -> Ball:
    # |erfc z| <= exp((Im z)^2) erfc(Re z), from erfc z = (2/sqrt pi) int exp(-(z+s)^2) ds.
    growth = square(width).exp()
    return 1 + growth * start.erfc() if order == 0 else growth * _erf_1(start)


def _arctan_2(t: Ball) -> Ball:
    return -2 * t * square(_arctan_1(t))


def _arctan_3(t: Ball) -> Ball:
    density = _arctan_1(t)
    return (6 - 8 * density) * square(density)


def _arctan_4(t: Ball) -> Ball:
    density = _arctan_1(t)
    return 24 * t * square(density) * density * (2 * density - 1)


def _complex_arctan_1(z: ComplexBall) -> ComplexBall:
    return 1 / (1 + square(z))


def _complex_arctan_2(z: ComplexBall) -> ComplexBall:
    return -2 * z / square(1 + square(z))


def _arctan_supremum(order: int) -> Number:
    return (pi() / 2, Fraction(1), 3 * ball(3).sqrt() / 8, Fraction(2))[order]


def _arctan_tail(order: int, start: Ball) -> Ball:
    # |arctan''| decreases from 1/sqrt(3) on; |arctan'''| <= 6/(1 + t^2)^2.
    if order == 3:
        return 6 * square(_arctan_1(start))
    return pi() / 2 if order == 0 else abs((_arctan_1, _arctan_2)[order - 1](start))


def _arctan_strip(order: int, width: Ball) -> Ball:
    return pi() / 2 + width.atanh() if order == 0 else 1 / (1 - square(width))


def _arctan_strip_tail(order: int, width: Ball, start: Ball) -> Ball:
    # |Re arctan z| <= pi/2, Im arctan(t + ia) = log((t^2 + (1+a)^2)/(t^2 + (1-a)^2))/4, which
    # decreases in t and increases in a; |1 + z^2| >= |z|^2 - 1.
    far = square(start)
    if order == 1:
        return 1 / (far - 1)
    imaginary = ((far + square(1 + width)) / (far + square(1 - width))).log() / 4
    return (square(pi() / 2) + square(imaginary)).sqrt()


def _minus_sin(t: Ball) -> Ball:
    return -t.sin()


def _complex_minus_sin(z: ComplexBall) -> ComplexBall:
    return -z.sin()


def _minus_cos(t: Ball) -> Ball:
    return -t.cos()


def _sin_supremum(_order: int) -> Number:
    return Fraction(1)


def _sin_tail(_order: int, _start: Ball) -> Ball:
    return ball(1)


def _sin_strip(_order: int, width: Ball) -> Ball:
    return width.cosh()


def _sin_strip_tail(_order: int, width: Ball, _start: Ball) -> Ball:
    return width.cosh()


def _unit_limits() -> tuple[Ball, Ball]:
    return ball(-1), ball(1)


def _logistic_limits() -> tuple[Ball, Ball]:
    return ball(0), ball(1)


def _arctan_limits() -> tuple[Ball, Ball]:
    return -pi() / 2, pi() / 2


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            name="tanh",
            derivatives=(_tanh, _sech_squared, _tanh_2, _tanh_3, _tanh_4),
            complex_derivatives=(ComplexBall.tanh, _complex_tanh_1, _complex_tanh_2),
            supremum=_tanh_supremum,
            tail=_tanh_tail,
            limits=_unit_limits,
            pole=Fraction(157, 100),
            strip=_tanh_strip,
            strip_tail=_tanh_strip_tail,
            odd=True,
        ),
        Family(
            name="logistic",
            derivatives=(_logistic, _logistic_1, _logistic_2, _logistic_3, _logistic_4),
            complex_derivatives=(_complex_logistic, _complex_logistic_1, _complex_logistic_2),
            supremum=_logistic_supremum,
            tail=_logistic_tail,
            limits=_logistic_limits,
            pole=Fraction(314, 100),
            strip=_logistic_strip,
            strip_tail=_logistic_strip_tail,
            odd=False,
        ),
        Family(
            name="erf",
            derivatives=(_erf, _erf_1, _erf_2, _erf_3, _erf_4),
            complex_derivatives=(ComplexBall.erf, _complex_erf_1, _complex_erf_2),
            supremum=_erf_supremum,
            tail=_erf_tail,
            limits=_unit_limits,
            pole=None,
            strip=_erf_strip,
            strip_tail=_erf_strip_tail,
            odd=True,
        ),
        Family(
            name="arctan",
            derivatives=(_arctan, _arctan_1, _arctan_2, _arctan_3, _arctan_4),
            complex_derivatives=(ComplexBall.atan, _complex_arctan_1, _complex_arctan_2),
            supremum=_arctan_supremum,
            tail=_arctan_tail,
            limits=_arctan_limits,
            pole=Fraction(1),
            strip=_arctan_strip,
            strip_tail=_arctan_strip_tail,
            odd=True,
        ),
        Family(
            name="sin",
            derivatives=(Ball.sin, Ball.cos, _minus_sin, _minus_cos, Ball.sin),
            complex_derivatives=(ComplexBall.sin, ComplexBall.cos, _complex_minus_sin),
            supremum=_sin_supremum,
            tail=_sin_tail,
            limits=None,
            pole=None,
            strip=_sin_strip,
            strip_tail=_sin_strip_tail,
            odd=True,
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class Activation:
    """An activation as a function; build it with `activation`.

    Every method that returns a ball works at the current working precision.
    """

    terms: tuple[tuple[Term, Family], ...]
    named: bool

    def derivative(self, order: int, t: Ball) -> Ball:
        """Enclose the derivative of an order from 0 to 4 at a real ball."""
        return self.curve(order)(t)

    def curve(self, order: int) -> Curve:
        """Return `derivative` as a function of the ball, for use at the current precision only."""
        if self.named:
            return self.terms[0][1].derivatives[order]
        key = order, working_precision()
        if key not in self._curves:
            self._curves[key] = self._mixed(order)
        return self._curves[key]

    @cached_property
    def _curves(self) -> dict[tuple[int, int], Curve]:
        return {}

    def _mixed(self, order: int) -> Curve:
        terms = [
            (factor, family.derivatives[order], scale, shift)
            for factor, family, scale, shift in self._parts(order)
        ]

        def mixture(t: Ball) -> Ball:
            return total([weight * of(scale * t + shift) for weight, of, scale, shift in terms])

        return mixture

    def complex_derivative(self, order: int, z: ComplexBall) -> ComplexBall:
        """Enclose the derivative of an order from 0 to 2 at a complex ball."""
        if self.named:
            return self.terms[0][1].complex_derivatives[order](z)
        result = ComplexBall(0)
        for factor, family, scale, shift in self._parts(order):
            result = result + family.complex_derivatives[order](z * scale + shift) * factor
        return result

    def _parts(self, order: int) -> list[tuple[Ball, Family, Ball, Ball]]:
        """Return ``a_j b_j^k``, f_j, b_j and c_j of each term, converted once a precision."""
        key = order, working_precision()
        if key not in self._known_parts:
            self._known_parts[key] = [
                (ball(term.weight * term.scale**order), family, ball(term.scale), ball(term.shift))
                for term, family in self.terms
            ]
        return self._known_parts[key]

    @cached_property
    def _known_parts(self) -> dict[tuple[int, int], list[tuple[Ball, Family, Ball, Ball]]]:
        return {}

    def bound(self, order: int) -> Number:
        """Return s_k, k in (0, .., 3): the supremum of a named activation's k-th derivative.

        For a mixture it is the triangle inequality ``sum_j |a_j| |b_j|^k s_k(f_j)``, an upper
        bound.  Exact (a Fraction) where all the families' suprema are rational.
        """
        exact = self._exact_bounds[order]
        if exact is not None:
            return exact
        return total(
            ball(factor) * ball(family.supremum(order))
            for factor, (_, family) in zip(self._factors[order], self.terms, strict=True)
        )

    @cached_property
    def _factors(self) -> tuple[tuple[Fraction, ...], ...]:
        """The numbers ``|a_j b_j^k|`` for every order k."""
        return tuple(
            tuple(abs(term.weight * term.scale**order) for term, _ in self.terms)
            for order in ORDERS
        )

    @cached_property
    def _exact_bounds(self) -> tuple[Fraction | None, ...]:
        """Bounds of every order, None where a family's supremum is no rational."""
        bounds: list[Fraction | None] = []
        for order, factors in zip(ORDERS, self._factors, strict=True):
            suprema = [family.supremum(order) for _, family in self.terms]
            rational = [supremum for supremum in suprema if isinstance(supremum, Fraction)]
            bounds.append(
                sum(map(mul, factors, rational), Fraction(0))
                if len(rational) == len(suprema)
                else None
            )
        return tuple(bounds)

    def strip_bound(self, order: int, width: Ball) -> Ball:
        """Bound the derivative of order 0, 1 or 2 on the strip ``|Im z| <= width``.

        Order 2 follows, term by term, from order 1 on a wider strip by Cauchy's estimate
        ``|f'(z)| <= max |f| / r`` over the disc of radius r.
        """
        bounds = []
        for term, family in self.terms:
            factor = ball(abs(term.weight * term.scale**order))
            inner = width * ball(abs(term.scale))
            if order <= 1:
                bounds.append(factor * family.strip(order, inner))
                continue
            pole = family.pole
            step = ball(_ENTIRE_STEP) if pole is None else (ball(pole) - inner) / 2
            bounds.append(factor * family.strip(1, inner + step) / step)
        return total(bounds)

    def quadrature_bound(self, order: int) -> Ball:
        """Return `strip_bound` for the strip of `strip_width`, computed once a precision."""
        key = order, working_precision()
        if key not in self._quadrature_bounds:
            self._quadrature_bounds[key] = self.strip_bound(order, ball(self.strip_width()))
        return self._quadrature_bounds[key]

    @cached_property
    def _quadrature_bounds(self) -> dict[tuple[int, int], Ball]:
        return {}

    def pole(self) -> Fraction | None:
        """Return a lower bound of the distance of the poles from the real line, None: entire."""
        poles = [
            family.pole / abs(term.scale) for term, family in self.terms if family.pole is not None
        ]
        return min(poles) if poles else None

    def strip_width(self) -> Fraction:
        """Return a half-width at which the strip bounds are moderate, for quadrature."""
        return self._strip_width

    @cached_property
    def _strip_width(self) -> Fraction:
        return min(
            (_ENTIRE_STRIP if family.pole is None else _POLE_SHARE * family.pole) / abs(term.scale)
            for term, family in self.terms
        )

    def compact_range(self) -> Fraction:
        """Return T > 0 such that beyond ``|t| = T`` every term is in its tail.

        For a periodic activation ``[-T, T]`` contains a whole period instead.
        """
        if self._is_periodic():
            return _HALF_PERIOD / abs(self.terms[0][0].scale)
        return max((_TAIL_START + abs(term.shift)) / abs(term.scale) for term, _ in self.terms)

    def tail(self, order: int) -> Between:
        """Enclose the supremum of the k-th derivative's absolute value over ``|t| >= T``.

        T is `compact_range`.  The limit at infinity counts as attained.  Where the limit is all
        that is known from below, the enclosure is ``[limit, upper bound]``.  A periodic
        activation has no tail: the compact range holds a whole period.
        """
        if self._is_periodic():
            return Between(ball(0), ball(0))
        start = self.compact_range()
        upper = total(
            ball(abs(term.weight * term.scale**order))
            * family.tail(order, ball(abs(term.scale) * start - abs(term.shift)))
            for term, family in self.terms
        )
        limits = self._limits() if order == 0 else None
        lower = maximum(abs(limit) for limit in limits) if limits is not None else ball(0)
        return Between(lower, upper)

    def strip_tail(self, order: int, width: Ball) -> Between:
        """Enclose the supremum over ``|Im z| <= width``, ``|Re z| >= T``; see `tail`."""
        if self._is_periodic():
            return Between(ball(0), ball(0))
        start = self.compact_range()
        upper = total(
            ball(abs(term.weight * term.scale**order))
            * family.strip_tail(
                order,
                width * ball(abs(term.scale)),
                ball(abs(term.scale) * start - abs(term.shift)),
            )
            for term, family in self.terms
        )
        limits = self._limits() if order == 0 else None
        lower = maximum(abs(limit) for limit in limits) if limits is not None else ball(0)
        return Between(lower, upper)

    def _is_periodic(self) -> bool:
        return len(self.terms) == 1 and self.terms[0][1].limits is None

    def _limits(self) -> tuple[Ball, Ball] | None:
        below, above = ball(0), ball(0)
        for term, family in self.terms:
            if family.limits is None:
                return None
            low, high = family.limits()
            if term.scale < 0:
                low, high = high, low
            below = below + ball(term.weight) * low
            above = above + ball(term.weight) * high
        return below, above

    def is_odd(self) -> bool:
        """Tell whether the activation is certainly an odd function."""
        constant, waves = self._normal_form()
        return not constant and all(
            waves.get((of, scale, -shift)) == weight for (of, scale, shift), weight in waves.items()
        )

    def is_constant(self) -> bool:
        """Tell whether the terms certainly cancel but for a constant."""
        return not self._normal_form()[1]

    def _normal_form(self) -> tuple[Fraction, dict[tuple[str, Fraction, Fraction], Fraction]]:
        """Return a constant and the weights of ``f(b t + c)``, f odd, b > 0, by (f, b, c).

        It uses ``f(-u) = -f(u)`` and ``logistic(u) = 1/2 + tanh(u/2)/2``; equal terms are merged.
        """
        constant = Fraction(0)
        waves: dict[tuple[str, Fraction, Fraction], Fraction] = {}
        for term, family in self.terms:
            weight, scale, shift, of = term.weight, term.scale, term.shift, term.of
            if not family.odd:
                constant += weight / 2
                weight, scale, shift, of = weight / 2, scale / 2, shift / 2, "tanh"
            if scale < 0:
                weight, scale, shift = -weight, -scale, -shift
            waves[of, scale, shift] = waves.get((of, scale, shift), Fraction(0)) + weight
        return constant, {key: weight for key, weight in waves.items() if weight}


@lru_cache(maxsize=1024)
def activation(spec: ActivationSpec) -> Activation:
    """Return the activation that a specification describes."""
    return Activation(
        terms=tuple((term, FAMILIES[term.of]) for term in spec.terms),
        named=spec.label != "mixture",
    )
