r"""How far a sum of m exponentials is from a power law in L1, by finding all changes of sign.

**At most 2m.**  Let ``g(t) = rho_w(t) - sum_j c_j exp(-r_j t)`` with m distinct rates r_j > 0, and
``rho_w(t) = w (1 + t)^-(1 + w) = int_0^inf exp(-t s) k(s) ds``, k(s) a multiple of ``s^w e^-s``.
The operator ``(d/dt + r) f = exp(-r t) (exp(r t) f)'`` costs a function at most one zero (Rolle).
Applying each ``(d/dt + r_j)`` twice kills the sum and leaves
``int_0^inf exp(-t s) prod_j (r_j - s)^2 k(s) ds > 0``, which has no zero.  So g has at most 2m,
whatever the signs of the coefficients.

**All of them found.**  Let there be n disjoint intervals [a_i, b_i] with certain and opposite signs
of g at their end points, and equal ones at b_i and a_{i+1}, at 0 and a_1, and, as g is positive far
away, a positive one at b_n.  Counted with their multiplicity there is an odd number of zeros in
each of them, and an even number between them.  So if n >= 2m - 1, each holds one and there is none
elsewhere.  With the primitive G that vanishes at infinity the norm is then the sum of
``|G(a_{i+1}) - G(b_i)|`` over the gaps, ``|G(a_1) - G(0)|`` and ``|G(b_n)|`` included, and of what
the intervals hold: at least ``|G(b_i) - G(a_i)|``, and at most ``b_i - a_i`` times the larger of
``rho_w(a_i) - f(b_i)`` and ``f(a_i) - rho_w(b_i)``, as the sum f decreases too (c_j > 0).

The lower bound needs no zeros: it holds for any points.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    precision,
    sign,
    total,
    working_precision,
)
from verification.errors import NotEnclosed

# The zeros' intervals are this short, relative to where they are: what happens inside is far below
# all else, and the sign at their end points shows at twice as many bits beyond the error's size.
_ZERO_BITS = 26
_LEAST_BITS = 128


@dataclass(frozen=True, kw_only=True)
class ExponentialSum:
    """``f(t) = sum_j coefficients[j] exp(-rates[j] t)``, the kernel of a network of that width.

    Parameters
    ----------
    rates : tuple of Fraction
        Distinct and positive.
    coefficients : tuple of Fraction
        As many, positive.

    Raises
    ------
    ValueError
        Where they are not.
    """

    rates: tuple[Fraction, ...]
    coefficients: tuple[Fraction, ...]

    def __post_init__(self) -> None:
        if len(self.rates) != len(self.coefficients) or len(set(self.rates)) < len(self.rates):
            raise ValueError("expected as many coefficients as distinct rates")
        if any(x <= 0 for x in (*self.rates, *self.coefficients)):
            raise ValueError("expected positive rates and coefficients")

    @property
    def width(self) -> int:
        """The number of exponentials."""
        return len(self.rates)


def distance_from_power_law(
    exponent: Fraction, exponentials: ExponentialSum, *, bits: int = _LEAST_BITS
) -> Between:
    """Enclose ``||rho_w - f||``.

    Raises
    ------
    NotEnclosed
        Where so few changes of sign are found that there may be more between them.
    """
    with precision(max(bits, working_precision())):
        return _distance(exponent, exponentials, working_precision())


@lru_cache(maxsize=512)
def _distance(exponent: Fraction, exponentials: ExponentialSum, _bits: int) -> Between:
    from verification.linear_rnn.power_law_search import (  # noqa: PLC0415 - loads numpy
        zeros_estimate,
    )

    w = ball(exponent)
    terms = [
        (ball(c), ball(c / r), -ball(r))
        for c, r in zip(exponentials.coefficients, exponentials.rates, strict=True)
    ]

    def look(t: Fraction) -> _Seen:
        at, law = ball(t), (-w * ball(1 + t).log()).exp()
        decays = [(slope * at).exp() for *_, slope in terms]
        return _Seen(
            law=w * law / ball(1 + t),
            sum=total(c * x for (c, _, _), x in zip(terms, decays, strict=True)),
            primitive=total(m * x for (_, m, _), x in zip(terms, decays, strict=True)) - law,
        )

    beside = Fraction(1, 2**_ZERO_BITS)
    start = look(Fraction(0))
    lower, upper = ball(0), ball(0)
    found, at, current, end = 0, start, sign(start.law - start.sum) or 0, Fraction(0)
    known = current != 0
    for zero in zeros_estimate(exponent, exponentials):
        a, b = zero * (1 - beside), zero * (1 + beside)
        if a <= end:
            continue
        left, right = look(a), look(b)
        before, after = sign(left.law - left.sum), sign(right.law - right.sum)
        if not before or after != -before or current not in (before, 0):
            continue
        area = abs(left.primitive - at.primitive)
        inside = (left.law - right.sum).max(left.sum - right.law)
        lower = lower + area + abs(right.primitive - left.primitive)
        upper = upper + area + ball(b - a) * inside
        found, at, current, end = found + 1, right, after, b
    possible = 2 * exponentials.width
    if found < possible - 1 or (found < possible and not (known and current == 1)):
        raise NotEnclosed(f"{found} changes of sign were found of {possible} that are possible")
    return Between(lower + abs(at.primitive), upper + abs(at.primitive))


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """Of one point: the law, the sum, and the primitive of their difference."""

    law: Ball
    sum: Ball
    primitive: Ball
