"""How fast the errors of linear networks decrease as their width grows.

With ``|y^(k)(t)| <= g beta^k exp(-beta t)``, k = 1..a+1, for the responses y to unit steps:

C2.  A network with the rates ``theta, 2 theta, .., m theta``, ``theta = beta/(a + 1)``, has an
error of at most ``d g (pi/4)^a (2a + 1)!/a! (m - a)!/m!``.  A certificate brings its coefficients.

C2P, disputed.  Some network of width m has one of at most ``C(a) g d / (beta m^a)``, where ``C(a) =
(pi/4)^a (2a + 1)!/a!``.  A certificate brings such a network, beside the lower bound of C4, which
holds for every network of that width: where that contradicts the claim, there is none to bring.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

from verification.certificate.check.claims.width_claims import (
    MATRIX_BITS,
    SPARE_BITS,
    Approximated,
    distance_of,
    hankel_bound,
    width_of,
)
from verification.certificate.check.linear.kernels import function_of
from verification.certificate.check.linear.norms import NORM_BITS, norms, read_changes
from verification.certificate.check.linear.suprema import (
    MOST_DERIVATIVES,
    decay_constant,
    derivatives,
    require_decay,
    slowest_rate,
)
from verification.certificate.check.numbers.balls import bounds, integer_power, pi, precision
from verification.certificate.check.numbers.bounds import Bounds, Shown, at
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.reading import Node
from verification.certificate.check.targets import MAX_WIDTH, Exponential, Part, Target, combined

_DISTANCE_BITS = 64
_BITS_A_UNIT = 6
"""So much larger than their sum the coefficients may be."""


@dataclass(frozen=True, eq=False)
class Smooth:
    """A target that decays faster than ``exp(-beta t)``, and its derivatives."""

    channels: tuple[tuple[Part, ...], ...]
    beta: Fraction
    budget: Budget

    @cached_property
    def approximated(self) -> Approximated:
        """The target as other claims see it."""
        return Approximated.of(self.channels, self.budget)

    @cached_property
    def most_derivatives(self) -> int:
        """How many derivatives are bounded, of those asked for."""
        return derivatives(self.channels)

    @lru_cache(maxsize=MOST_DERIVATIVES)  # noqa: B019 - as long as a certificate is checked
    def smoothness(self, order: int) -> Bounds:
        """Enclose g."""
        with precision(MATRIX_BITS):
            return decay_constant(self.channels, self.beta, order, self.budget)


def read_smooth(target: Target, witness: Node, budget: Budget) -> Smooth:
    """Verify that the target is smooth and decays."""
    witness.fields(())
    channels = tuple(combined(parts) for parts in target.channels)
    slowest = slowest_rate(channels)
    beta = target.beta or (slowest / 2 if slowest else Fraction(1))
    if derivatives(channels) < 1:
        raise Invalid("assumption: the target and its derivative decay exponentially")
    require_decay(channels, beta)
    if not any(channels):
        raise Invalid("assumption: the target is not zero")
    return Smooth(channels, beta, budget)


def _read_size(known: Smooth, members: dict[str, Node], least: int) -> tuple[int, int]:
    order = members["order"].integer(1, MOST_DERIVATIVES)
    if order > known.most_derivatives:
        members["order"].invalid("the target is not shown to have so many derivatives")
    return order, members["width"].integer(max(least, 1), MAX_WIDTH)


def _constant(order: int) -> Bounds:
    """Enclose ``C(a) = (pi/4)^a (2a + 1)!/a!``."""
    rational = Fraction(math.factorial(2 * order + 1), math.factorial(order) * 4**order)
    with precision(MATRIX_BITS):
        return bounds(integer_power(pi(), order)).times(rational)


def _bound(known: Smooth, order: int, factor: Fraction) -> Bounds:
    """Enclose ``d g C(a)`` times a factor."""
    constant, g = _constant(order), known.smoothness(order)
    scale = factor * len(known.channels)
    return Bounds(g.lower * constant.lower, g.upper * constant.upper).times(scale)


def polynomial_network(known: Smooth, case: Node, _claimed: Bounds) -> Shown:
    """``||rho - rho_hat|| <= d g C(a) (m - a)!/m!``."""
    members = case.fields(("order", "width", "coefficients", "changes"))
    order, width = _read_size(known, members, 0)
    if width < order:
        members["width"].refuse("no fewer units than derivatives")
    factor = 1 / Fraction(math.perm(width, order))
    if _constant(order).upper * factor >= 1:
        members["width"].invalid("the bound is no smaller than d g, which bounds the target itself")
    count, theta = len(known.channels), known.beta / (order + 1)
    rests = tuple(
        function_of(combined((*parts, *network_of(theta, node.numbers(width)))))
        for parts, node in zip(
            known.channels, members["coefficients"].elements(count, count), strict=True
        )
    )
    changes = read_changes(members["changes"], rests, known.budget)

    def left(bits: int) -> Bounds:
        with precision(bits + SPARE_BITS + _BITS_A_UNIT * width):
            return norms(rests, changes, NORM_BITS, known.budget)

    return Shown(f"a = {order}, m = {width}", left, _bound(known, order, factor))


def network_of(theta: Fraction, coefficients: tuple[Fraction, ...]) -> tuple[Exponential, ...]:
    """Return minus the kernel of a network with the rates theta, 2 theta, .."""
    zero = Fraction(0)
    return tuple(
        Exponential(rate=k * theta, frequency=zero, power=0, cosine=-x, sine=zero)
        for k, x in enumerate(coefficients, start=1)
    )


def quoted_rate(known: Smooth, case: Node, _claimed: Bounds) -> Shown:
    """``sum_i s_{m+1}(A_i) <= C(a) g d / (beta m^a)``, and one network's error is not larger."""
    members = case.fields(("order", "width", "places", "network", "changes"))
    order, _ = _read_size(known, members, 1)
    width = width_of(known.approximated, members["width"])
    left = hankel_bound(known.approximated, members["places"], width)
    right = _bound(known, order, 1 / (known.beta * width**order))
    reached = at(distance_of(known.approximated, members, width), _DISTANCE_BITS)
    if reached.upper > right.lower:
        members["network"].invalid("is not shown to be as near to the target as the claim says")
    return Shown(f"a = {order}, every network of width {width}, and one of them", left, right)
