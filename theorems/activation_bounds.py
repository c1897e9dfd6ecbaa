r"""Bounds of the activations: their suprema on the real line and on strips of the complex plane.

**Statement.**  For ``sigma(t) = sum_j a_j f_j(b_j t + c_j)``, f_j among tanh, logistic, erf,
arctan, sin, put ``s_k = sum_j |a_j| |b_j|^k s_k(f_j)`` with the family constants

    s0: 1, 1, 1, pi/2, 1     s1: 1, 1/4, 2/sqrt(pi), 1, 1
    s2: 4/(3 sqrt 3), 1/(6 sqrt 3), sqrt(8/(pi e)), 3 sqrt(3)/8, 1
    s3: 2, 1/8, 4/sqrt(pi), 2, 1.

A1.  ``sup |sigma^(k)| <= s_k`` for k = 0, .., 3, with equality for a single family (the limit at
infinity counts as attained).
A2.  ``|sigma| <= m(a)`` and ``|sigma'| <= m1(a)`` on the strip ``|Im z| <= a`` for every a below
the distance of the nearest pole, where ``m(a) = sum_j |a_j| m_j(|b_j| a)`` and likewise m1, with

    tanh: max(1, tan a), 1/cos^2 a          logistic: 1 (a <= pi/2) or 1/sin a, 1/(4 cos^2(a/2))
    erf: 1 + erfi a, (2/sqrt pi) exp(a^2)   arctan: pi/2 + artanh a, 1/(1 - a^2)
    sin: cosh a, cosh a.

**Proof.**  A1: calculus; s2 is attained at tanh^2 = 1/3 (tanh), at t = 1/sqrt(2) (erf), at
t = 1/sqrt(3) (arctan), s3 at t = 0.  A2:
``|tanh(t + ia)|^2 = (sinh^2 t + sin^2 a)/(sinh^2 t + cos^2 a)`` and
``|cosh(t + ia)|^2 = sinh^2 t + cos^2 a``; the logistic is ``(1 + tanh(z/2))/2`` with
``|1 + exp(-z)|^2 = 1 + 2 exp(-t) cos a + exp(-2t)``; erf and arctan by integrating the derivative
along the vertical segment from the real line.

**How it is checked.**  Left: branch and bound over ``[-T, T]`` and a monotone bound of the tail;
for A2 on the line ``Im z = a``, which suffices by the maximum principle (sigma is bounded on the
strip and real on the real line).  Right: the formulas above.

**What the verdicts establish.**  CERTIFIED: the inequality for this activation.  The constants of
a mixture are upper bounds only, so its tightness may be well below 1.

Source: A1 is calculus; A2 is this project's own, used by the quadrature rules.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial

from verification.claim import AnyClaim, Claim, Mutant, Side
from verification.enclosure.balls import (
    Ball,
    Between,
    ComplexBall,
    ball,
    maximum_between,
    shown,
    square,
    total,
    working_precision,
)
from verification.enclosure.supremum import absolute_supremum
from verification.instance import SCHEMA, ActivationSpec, Instance
from verification.recurrent.activation import ORDERS, Activation, activation

_STRIP_SHARES = (Fraction(1, 4), Fraction(1, 2), Fraction(95, 100))
_WIDEST_OF_ENTIRE = Fraction(2)


@dataclass(frozen=True, kw_only=True)
class OrderCase:
    """One derivative: that s_k bounds it, or (`attained`) that s_k is no larger than needed."""

    order: int
    attained: bool

    def __str__(self) -> str:
        symbol = "sup |sigma" + "'" * self.order + "|"
        return f"s{self.order} <= {symbol}" if self.attained else f"{symbol} <= s{self.order}"


@dataclass(frozen=True, kw_only=True)
class StripCase:
    """One derivative on one strip ``|Im z| <= width``."""

    order: int
    width: Fraction

    def __str__(self) -> str:
        return f"|sigma{chr(39) * self.order}| on |Im z| <= {shown(self.width, 6)}"


def order_cases(instance: Instance, _rng: random.Random) -> Sequence[OrderCase]:
    """Return the four orders; for a named activation also that the supremum is attained."""
    named = activation(instance.activation).named
    return [
        OrderCase(order=order, attained=attained)
        for order in ORDERS
        for attained in ((False, True) if named else (False,))
    ]


def strip_cases(instance: Instance, _rng: random.Random) -> Sequence[StripCase]:
    """Return four strips for each of sigma and sigma', the quadrature rules' own among them."""
    sigma = activation(instance.activation)
    widest = min(
        (_WIDEST_OF_ENTIRE if family.pole is None else family.pole) / abs(term.scale)
        for term, family in sigma.terms
    )
    widths = sorted({sigma.strip_width(), *(share * widest for share in _STRIP_SHARES)})
    return [StripCase(order=order, width=width) for order in (0, 1) for width in widths]


def supremum_on_the_line(spec: ActivationSpec, order: int) -> Between:
    """Enclose ``sup |sigma^(k)|`` over the real line."""
    return _supremum(spec, order, None, working_precision())


def supremum_on_the_strip(spec: ActivationSpec, order: int, width: Fraction) -> Between:
    """Enclose ``sup |sigma^(k)|`` over ``|Im z| <= width``, on its border ``Im z = width``."""
    return _supremum(spec, order, width, working_precision())


@lru_cache(maxsize=512)
def _supremum(spec: ActivationSpec, order: int, width: Fraction | None, bits: int) -> Between:
    """Search directly; for a mixture also term by term, for an upper bound.

    A mixture of very different scales can oscillate too often for the search; its supremum is at
    most the sum of its terms' suprema, each found by the same search.
    """
    sigma = activation(spec)
    direct = _on_the_line(sigma, order) if width is None else _on_the_strip(sigma, order, width)
    if sigma.named:
        return direct
    triangle = total(
        ball(abs(term.weight * term.scale**order))
        * _supremum(
            ActivationSpec.named(term.of),
            order,
            None if width is None else width * abs(term.scale),
            bits,
        ).upper
        for term in spec.terms
    )
    return Between(direct.lower, direct.upper.min(triangle))


def _on_the_line(sigma: Activation, order: int) -> Between:
    reach = sigma.compact_range()
    compact = absolute_supremum(
        partial(sigma.derivative, order), partial(sigma.derivative, order + 1), -reach, reach
    )
    return maximum_between((compact, sigma.tail(order)))


def _on_the_strip(sigma: Activation, order: int, width: Fraction) -> Between:
    height = ball(width)

    def squared(t: Ball) -> Ball:
        value = sigma.complex_derivative(order, ComplexBall(t, height))
        return square(value.real) + square(value.imag)

    def slope(t: Ball) -> Ball:
        z = ComplexBall(t, height)
        product = sigma.complex_derivative(order, z).conjugate()
        return 2 * (product * sigma.complex_derivative(order + 1, z)).real

    reach = sigma.compact_range()
    compact = absolute_supremum(squared, slope, -reach, reach).map(Ball.sqrt)
    return maximum_between((compact, sigma.strip_tail(order, height)))


def constant_or_supremum(instance: Instance, case: OrderCase) -> Side:
    """Return the left side of A1: the supremum, or s_k where the claim is that it is attained."""
    if case.attained:
        return activation(instance.activation).bound(case.order)
    return supremum_on_the_line(instance.activation, case.order)


def supremum_or_constant(instance: Instance, case: OrderCase, changed: int = -1) -> Side:
    """Return the right side of A1; `changed` is the order whose constant a mutant shrinks."""
    if case.attained:
        return supremum_on_the_line(instance.activation, case.order)
    constant = activation(instance.activation).bound(case.order)
    return ball(constant) * ball(Fraction(999, 1000)) if case.order == changed else constant


def enlarged_constant(instance: Instance, case: OrderCase) -> Side:
    """Return A1's left side for a mutant whose constants are 1.001 times too large."""
    if not case.attained:
        return constant_or_supremum(instance, case)
    return ball(activation(instance.activation).bound(case.order)) * ball(Fraction(1001, 1000))


def strip_supremum(instance: Instance, case: StripCase) -> Between:
    """Return the left side of A2."""
    return supremum_on_the_strip(instance.activation, case.order, case.width)


def strip_constant(instance: Instance, case: StripCase) -> Ball:
    """Return the right side of A2, m(a) or m1(a)."""
    return activation(instance.activation).strip_bound(case.order, ball(case.width))


def strip_constant_of_the_line(instance: Instance, case: StripCase) -> Ball:
    """Return s0 in place of m(a): the real line's supremum taken for the strip's."""
    if case.order:
        return strip_constant(instance, case)
    return ball(activation(instance.activation).bound(0))


def strip_constant_without_square(instance: Instance, case: StripCase) -> Ball:
    """Return 1/cos a in place of 1/cos^2 a for tanh'."""
    constant = strip_constant(instance, case)
    return constant.sqrt() if case.order else constant


def logistic_strip_constant_always_one(instance: Instance, case: StripCase) -> Ball:
    """Return m(a) = 1 for the logistic beyond a = pi/2 too."""
    return strip_constant(instance, case) if case.order else ball(1)


A1: Claim[Instance, OrderCase] = Claim(
    id="A1",
    theorem="activation_bounds",
    title="Suprema of the activation and its derivatives",
    statement=(
        "The constants s₀, s₁, s₂, s₃ bound |σ|, |σ′|, |σ″|, |σ‴| on the real line; for a named "
        "activation they are the suprema (the limit at infinity counts as attained)."
    ),
    formula=r"\sup_{t \in \mathbb{R}} |\sigma^{(k)}(t)| \le s_k, \qquad k = 0, \dots, 3",
    kind=SCHEMA,
    cases=order_cases,
    left=constant_or_supremum,
    right=supremum_or_constant,
    proof=(
        "Calculus for the five families; the triangle inequality for a mixture. Beyond a compact "
        "interval each derivative is bounded by a decreasing function."
    ),
    establishes=(
        "CERTIFIED: the bounds hold for this activation, and a named activation's cannot be "
        "lowered by more than a factor 1 - 2^-40. For a mixture nothing is said about attainment, "
        "and where it oscillates too often for a search of its own, only its terms are searched."
    ),
    source="calculus; used by Lam, Sirignano and Spiliopoulos (arXiv 2308.14555), section 2",
    sharp=("sharp-slope", "rain-tel-aviv", "sharp-arctan", "sharp-sine", "sharp-erf"),
    mutants=(
        *(
            Mutant(
                name=f"s{order}-times-0.999",
                error=f"s{order} replaced by 0.999 s{order}",
                refuted_on=("sharp-slope", "rain-tel-aviv", "sharp-arctan", "sharp-erf"),
                right=partial(supremum_or_constant, changed=order),
            )
            for order in ORDERS
        ),
        Mutant(
            name="constants-times-1.001",
            error="the constants are claimed to be attained, but are 1.001 times too large",
            refuted_on=("sharp-slope", "rain-tel-aviv", "sharp-arctan", "sharp-erf"),
            left=enlarged_constant,
        ),
    ),
)

A2: Claim[Instance, StripCase] = Claim(
    id="A2",
    theorem="activation_bounds",
    title="Bounds of the activation on a strip of the complex plane",
    statement=(
        "On |Im z| ≤ a, a below the distance of the nearest pole, |σ| ≤ m(a) and |σ′| ≤ m₁(a)."
    ),
    formula=(
        r"\sup_{|\operatorname{Im} z| \le a} |\sigma(z)| \le m(a), \qquad "
        r"\sup_{|\operatorname{Im} z| \le a} |\sigma'(z)| \le m_1(a)"
    ),
    kind=SCHEMA,
    cases=strip_cases,
    left=strip_supremum,
    right=strip_constant,
    proof=(
        "|tanh(t+ia)|² = (sinh²t + sin²a)/(sinh²t + cos²a) and |cosh(t+ia)|² = sinh²t + cos²a; "
        "the logistic is a tanh; erf and arctan by integrating the derivative vertically."
    ),
    establishes=(
        "CERTIFIED: the bound holds on this activation's strips that were tried (four widths). "
        "The error bounds of the quadrature rules rest on it."
    ),
    source="this project",
    sharp=("sharp-sine", "sharp-slope", "sharp-arctan"),
    mutants=(
        Mutant(
            name="line-for-strip",
            error="m(a) replaced by the supremum on the real line, pi/2 for arctan",
            refuted_on=("sharp-arctan", "sharp-sine"),
            right=strip_constant_of_the_line,
        ),
        Mutant(
            name="square-dropped",
            error="m1(a) replaced by its square root, 1/cos a for tanh",
            refuted_on=("sharp-slope",),
            right=strip_constant_without_square,
        ),
        Mutant(
            name="logistic-always-one",
            error="m(a) = 1 kept for the logistic beyond a = pi/2",
            refuted_on=("rain-tel-aviv",),
            right=logistic_strip_constant_always_one,
        ),
    ),
)

CLAIMS: tuple[AnyClaim, ...] = (A1, A2)
