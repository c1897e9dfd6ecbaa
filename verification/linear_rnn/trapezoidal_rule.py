r"""Power laws as sums of exponentials by the trapezoidal rule, with a bound of its error in L1.

**The rule.**  ``rho_w(t) = w (1 + t)^-(1 + w)``, whose norm is 1, is a mean of exponentials: with
``s = e^z`` in ``Gamma(1 + w) (1 + t)^-(1 + w) = int_0^inf s^w exp(-s (1 + t)) ds``,

    rho_w(t) = int_R F(z) dz,    F(z) = (w / Gamma(1 + w)) exp((1 + w) z - e^z (1 + t)).

The trapezoidal rule of step h is a sum of exponentials of rates ``e^(z_j)``, ``z_j = z_0 + j h``,
with the positive masses ``b_j = int h F(z_j) dt = (w h / Gamma(1 + w)) exp(w z_j - e^(z_j))``.

**All nodes.**  By Poisson's formula the sum over all integers j is
``sum_k exp(2 pi i k z_0 / h) int_R F(z) exp(-2 pi i k z / h) dz``; the integral is
``rho_w(t) (1 + t)^(2 pi i k / h) Gamma(1 + w - 2 pi i k / h) / Gamma(1 + w)``.  The term k = 0 is
rho_w(t), so that the others are at most ``delta(h) rho_w(t)``, at every t,

    delta(h) = 2 sum_{k >= 1} |Gamma(1 + w + 2 pi i k / h)| / Gamma(1 + w).

**Its tail.**  ``log |Gamma(x + i y)|`` is harmonic, and for x >= 1 convex in x: its second
derivative is ``Re psi'(x + i y) = int_0^inf exp(-(x - 1) t) (t / (e^t - 1)) cos(y t) dt``, the
cosine transform of a convex function that decreases to 0, which is not negative.  So it is concave
in y; the ratios of successive terms decrease in k, and a geometric series bounds what is left out.

**Nodes dropped.**  All terms are positive: dropping nodes costs, in L1, exactly the masses b_j.

* Low end, z the highest node dropped there: ``b_j <= (w h / Gamma(1 + w)) exp(w z_j)``, which makes
  ``(w h / Gamma(1 + w)) exp(w z) / (1 - exp(-w h))``.
* High end, z the lowest node dropped there: ``b(z + h) / b(z) = exp(w h - e^z (e^h - 1))``
  decreases in z, which makes ``b(z) / (1 - exp(w h - e^z (e^h - 1)))`` where the exponent is
  negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from verification.enclosure.balls import (
    Ball,
    ball,
    complex_ball,
    gamma,
    less,
    pi,
    power,
    total,
    working_precision,
)
from verification.enclosure.matrix import Matrix
from verification.errors import NotEnclosed
from verification.linear_rnn.piece import Expansion
from verification.verdict import Truth

_MOST_TERMS = 400


@dataclass(frozen=True, kw_only=True)
class TrapezoidalRule:
    """The nodes ``z_j = first + j step``, j < count, for rho_w.

    Parameters
    ----------
    exponent : Fraction
        w > 0.
    step : Fraction
        h > 0.
    first : Fraction
        The lowest node.
    count : int
        Number of nodes, the width of the network.
    """

    exponent: Fraction
    step: Fraction
    first: Fraction
    count: int

    def __str__(self) -> str:
        return f"{self.count} nodes from {float(self.first):.6g}, step {float(self.step):.6g}"

    @property
    def nodes(self) -> tuple[Fraction, ...]:
        """The nodes, increasing."""
        return tuple(self.first + j * self.step for j in range(self.count))


def error_bound(rule: TrapezoidalRule) -> Ball:
    """Bound ``||rho_w - sum||``: ``delta(h)`` and the masses dropped at both ends."""
    low, high = rule.first - rule.step, rule.first + rule.count * rule.step
    return (
        discretisation_error(rule.exponent, rule.step)
        + dropped_below(rule.exponent, rule.step, low)
        + dropped_above(rule.exponent, rule.step, high)
    )


def discretisation_error(exponent: Fraction, step: Fraction, *, sides: int = 2) -> Ball:
    """Enclose ``delta(h)``; `sides` is 2, for the terms k and -k.

    Raises
    ------
    NotEnclosed
        Where the step is so long that the series needs too many terms.
    """
    return ball(sides) * _one_sided(exponent, step, working_precision())


@lru_cache(maxsize=256)
def _one_sided(exponent: Fraction, step: Fraction, bits: int) -> Ball:
    real = ball(1 + exponent)
    scale = gamma(real)
    terms: list[Ball] = []
    before = ball(1)
    tiny = ball(Fraction(1, 2**bits))
    for k in range(1, _MOST_TERMS):
        term = abs(gamma(complex_ball(real, 2 * k * pi() / ball(step)))) / scale
        ratio = term / before
        if less(term, tiny) is Truth.TRUE and less(ratio, ball(Fraction(1, 2))) is Truth.TRUE:
            # This term and all that follow.
            return total(terms) + (term / (1 - ratio)).union(ball(0))
        terms.append(term)
        before = term
    raise NotEnclosed("the step of a trapezoidal rule is too long")


def dropped_below(exponent: Fraction, step: Fraction, node: Fraction) -> Ball:
    """Bound the masses of a node and all below it."""
    w = ball(exponent)
    masses = _scale(exponent, step) * (w * ball(node)).exp()
    return masses / -(-w * ball(step)).expm1()


def dropped_above(exponent: Fraction, step: Fraction, node: Fraction) -> Ball:
    """Bound the masses of a node and all above it.

    Raises
    ------
    NotEnclosed
        Where the masses still increase there.
    """
    w, h, rate = ball(exponent), ball(step), ball(node).exp()
    decrease = w * h - rate * h.expm1()
    if less(decrease, ball(0)) is not Truth.TRUE:
        raise NotEnclosed("the masses of a trapezoidal rule increase at its high end")
    return mass(exponent, step, node) / -decrease.expm1()


def mass(exponent: Fraction, step: Fraction, node: Fraction) -> Ball:
    """Enclose ``b_j``, the L1 norm of one node's exponential."""
    z = ball(node)
    return _scale(exponent, step) * (ball(exponent) * z - z.exp()).exp()


def _scale(exponent: Fraction, step: Fraction) -> Ball:
    return ball(exponent * step) / gamma(ball(1 + exponent))


@dataclass(frozen=True)
class RulePiece:
    """A number times the sum of exponentials of a rule; see `verification.linear_rnn.pieces`."""

    rule: TrapezoidalRule
    factor: Fraction = Fraction(-1)

    @property
    def jumps(self) -> tuple[Fraction, ...]:
        """See `verification.linear_rnn.pieces.Piece`."""
        return ()

    def expansion(self, centre: Fraction, radius: Fraction, order: int) -> Expansion:
        """See `verification.linear_rnn.pieces.Piece`."""
        at, reach = ball(centre), ball(radius)
        masses_and_rates = self._masses_and_rates()
        terms = [m * rate * (-rate * at).exp() for m, rate in masses_and_rates]
        series, left_out = _series(self.rule, order, working_precision())
        missed = total(
            abs(term) * factor * (rate * reach).exp()
            for term, factor, (_, rate) in zip(terms, left_out, masses_and_rates, strict=True)
        )
        coefficients = Matrix.of_balls([terms]) @ series
        return Expansion(coefficients.balls(), missed * power(reach, order))

    def primitive(self, t: Fraction, times: int = 1) -> Ball:
        """See `verification.linear_rnn.pieces.Piece`."""
        at = ball(t)
        if times == 1:
            return -total(m * (-rate * at).exp() for m, rate in self._masses_and_rates())
        return total(m / rate * (-rate * at).exp() for m, rate in self._masses_and_rates())

    def tail(self, start: Fraction) -> Ball:
        """See `verification.linear_rnn.pieces.Piece`."""
        return abs(self.primitive(start))

    def _masses_and_rates(self) -> tuple[tuple[Ball, Ball], ...]:
        return _masses_and_rates(self.rule, self.factor, working_precision())


@lru_cache(maxsize=64)
def _masses_and_rates(
    rule: TrapezoidalRule, factor: Fraction, _bits: int
) -> tuple[tuple[Ball, Ball], ...]:
    return tuple(
        (ball(factor) * mass(rule.exponent, rule.step, z), ball(z).exp()) for z in rule.nodes
    )


@lru_cache(maxsize=64)
def _series(rule: TrapezoidalRule, order: int, _bits: int) -> tuple[Matrix, list[Ball]]:
    """Return the coefficients of the power series of ``exp(-rate x)``, a row for each node."""
    rows = [[ball(1)] for _ in rule.nodes]
    for row, z in zip(rows, rule.nodes, strict=True):
        slope = -ball(z).exp()
        for j in range(1, order + 1):
            row.append(row[-1] * slope / j)
    return Matrix.of_balls([row[:-1] for row in rows]), [abs(row[-1]) for row in rows]
