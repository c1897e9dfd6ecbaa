r"""Trapezoidal rules for power laws: their networks, and a bound of their errors.

``rho_w(t) = (w/Gamma(1+w)) int_R exp((1+w) z - e^z (1+t)) dz``.  A rule with nodes ``z_j = z_0 + j
h`` is a sum of exponentials of rates ``e^(z_j)`` and masses ``b(z_j)``, ``b(z) = (w h / Gamma(1+w))
exp(w z - e^z)``.

**All nodes**, j any integer, err by at most ``delta(h) rho_w(t)``, ``delta = 2 sum_{k>=1} |Gamma(1
+ w + 2 pi i k/h)| / Gamma(1 + w)`` (Poisson).  For 0 < w <= n, n an integer, a term with
``y = 2 pi k/h`` is at most
``|Gamma(1 + n + i y)| = (prod_{j<=n} (j^2 + y^2) pi y / sinh(pi y))^(1/2)``, as
``log |Gamma(x + i y)|`` is convex in x >= 1 and not larger at x = 1; these decrease from k to
k + 1 by the factor ``(1 + 1/k)^(n+1/2) exp(-pi^2/h)`` at least.

**Nodes left out** cost their masses: below, from z on down, at most ``(w h/Gamma(1+w)) e^(w z)/(1 -
e^(-w h))``; above, from z on up, at most ``b(z)/(1 - q)``, ``q = b(z + h)/b(z) < 1``, which
decreases in z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from verification.certificate.check.linear.kernels import Function
from verification.certificate.check.numbers.balls import (
    Ball,
    ball,
    integer_power,
    pi,
    total,
    upper,
    working_precision,
)
from verification.certificate.check.numbers.complex_balls import gamma, hull, size_of_gamma
from verification.certificate.check.numbers.series import TERMS
from verification.certificate.check.outcome import Budget
from verification.certificate.check.reading import Node
from verification.certificate.check.targets import positive

MAX_NODE = 10_000
MAX_EXPONENT = 64
_LONGEST_STEP = 8
_FEWEST_TERMS, _TERMS_A_UNIT = 24, 12
_OPERATIONS = 400


@dataclass(frozen=True)
class Rule:
    """The nodes ``first + j step``, j < count, for ``rho_w``."""

    w: Fraction
    step: Fraction
    first: Fraction
    count: int

    @property
    def kernel(self) -> Function:
        """Minus the sum of exponentials."""
        return tuple(NodePiece(self, self.first + j * self.step) for j in range(self.count))


def read_rule(node: Node, members: dict[str, Node], w: Fraction, most: int) -> Rule:
    """Read a rule of at most so many nodes from the members step, first and count."""
    step, first = positive(members["step"]), members["first"].number()
    count = members["count"].integer(1, most)
    if step > _LONGEST_STEP or w > MAX_EXPONENT:
        node.refuse(f"a step of {_LONGEST_STEP} at most, for an exponent of {MAX_EXPONENT} at most")
    if abs(first) > MAX_NODE or first + count * step > MAX_NODE:
        node.refuse(f"nodes between -{MAX_NODE} and {MAX_NODE}")
    return Rule(w, step, first, count)


def error_bound(rule: Rule, node: Node, budget: Budget) -> Ball:
    """Enclose ``delta(h)`` and the masses left out, which bound the error together.

    Raises
    ------
    Invalid
        Where the sums are not seen to converge.
    """
    w, h = ball(rule.w), ball(rule.step)
    unit = _unit(rule.w, rule.step, working_precision())
    low = ball(rule.first - rule.step)
    below = unit * (w * low).exp() / (1 - (-(w * h)).exp())
    high = ball(rule.first + rule.count * rule.step)
    ratio = (w * h - high.exp() * (h.exp() - 1)).exp()
    if upper(ratio) >= 1:
        node.invalid("the masses do not decrease above the rule")
    above = unit * (w * high - high.exp()).exp() / (1 - ratio)
    return _delta(rule, node, budget) + below + above


def _delta(rule: Rule, node: Node, budget: Budget) -> Ball:
    w, h = ball(rule.w), ball(rule.step)
    terms = _FEWEST_TERMS + math.ceil(_TERMS_A_UNIT * rule.step)
    budget.spend(_OPERATIONS * terms, working_precision())
    found = [size_of_gamma(1 + w, 2 * k * pi() / h) for k in range(1, terms)]
    y, n = 2 * terms * pi() / h, math.ceil(rule.w)
    factors = pi() * y
    for j in range(1, n + 1):
        factors = factors * (j * j + y * y)
    # sinh x = (e^x - e^-x)/2.
    largest = (2 * factors / ((pi() * y).exp() - (-(pi() * y)).exp())).sqrt()
    slower = integer_power(ball(1 + Fraction(1, terms)), 2 * n + 1).sqrt()
    shrinking = slower * (-(pi() * pi() / h)).exp()
    if upper(shrinking) >= 1:
        node.invalid("the step is too long")
    rest = hull(ball(0), largest / (1 - shrinking))
    return 2 * (total(found) + rest) / gamma(1 + w)


@lru_cache(maxsize=64)
def _unit(w: Fraction, step: Fraction, _bits: int) -> Ball:
    return ball(w * step) / gamma(ball(1 + w))


@lru_cache(maxsize=4096)
def _mass_and_rate(rule: Rule, node: Fraction, bits: int) -> tuple[Ball, Ball]:
    rate = ball(node).exp()
    return _unit(rule.w, rule.step, bits) * (ball(rule.w * node) - rate).exp(), rate


@dataclass(frozen=True)
class NodePiece:
    """Minus the exponential of one node."""

    rule: Rule
    node: Fraction

    @property
    def kinks(self) -> tuple[Fraction, ...]:
        """See `verification.certificate.check.linear.kernels.Piece`."""
        return ()

    def _at(self, t: Fraction) -> tuple[Ball, Ball]:
        """Return the mass that is left from t on, and the rate."""
        mass, rate = _mass_and_rate(self.rule, self.node, working_precision())
        return mass * (-(rate * ball(t))).exp(), rate

    def taylor(self, middle: Fraction, count: int) -> list[Ball]:
        """See `verification.certificate.check.linear.kernels.Piece`."""
        mass, rate = self._at(middle)
        found = [-(mass * rate)]
        for k in range(1, count):
            found.append(-(found[-1] * rate) / k)
        return found

    def rest(self, middle: Fraction, reach: Fraction) -> Ball | None:
        """See `verification.certificate.check.linear.kernels.Piece`: by Lagrange's remainder."""
        mass, rate = self._at(middle)
        moved = rate * ball(reach)
        return mass * rate * integer_power(moved, TERMS) / math.factorial(TERMS) * moved.exp()

    def primitive(self, t: Fraction, times: int = 1) -> Ball:
        """See `verification.certificate.check.linear.kernels.Piece`."""
        mass, rate = self._at(t)
        return mass if times == 1 else -(mass / rate)

    def tail(self, t: Fraction) -> Ball:
        """See `verification.certificate.check.linear.kernels.Piece`."""
        return self._at(t)[0]
