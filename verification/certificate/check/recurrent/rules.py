r"""Rules for means of functions of W.x that are analytic where the activation is, in balls.

Normal W: the trapezoidal rule of step h over all of R; with F analytic on ``|Im z| <= a`` and M a
bound of ``int |F(. + ib)|``, ``|b| <= a``, its error is at most ``2 M / (exp(2 pi a / h) - 1)``
(Trefethen and Weideman, SIAM Review 56 (2014), theorem 5.1).  For ``F(z) = g(m + s z) phi(z)`` with
the normal density phi, ``M = exp(a^2/2) sup |g|`` over ``|Im| <= s a``; the nodes beyond L, left
out, carry at most ``sup |g| erfc((L - h)/sqrt 2)``.

Uniform numbers: Gauss and Legendre's rule of n >= 2 nodes on panels of half-width l; with g
analytic and ``|g| <= M`` on ``|Im| <= a`` its error is at most ``(64/15) M rho^(-2n) /
(1 - rho^(-2))`` times l, ``rho = b + (b^2 + 1)^(1/2)``, ``b = a/l`` (Trefethen, SIAM Review 50
(2008), theorem 4.5).

Sums of independent uniform numbers, W.x in several directions: the product of their rules.  The
mean of g over the numbers that follow the k-th is analytic, and bounded by M, on the strip too; so
what replacing the k-th mean by its rule changes is at most ``A_1 .. A_(k-1) e_k``, with the sums
``A_j`` of the absolute weights and the errors ``e_j`` of the rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, isqrt

from verification.certificate.check.instances import Spread, Term, Vector
from verification.certificate.check.numbers.balls import (
    Ball,
    ball,
    integer_power,
    legendre,
    lower,
    pi,
    total,
    upper,
    working_precision,
)
from verification.certificate.check.outcome import Budget, Unsupported
from verification.certificate.check.recurrent.activations import strip_constant, widest_strip

MOST_DIRECTIONS = 3
"""In so many directions at most may W be uniform: of products of more rules nodes are too many."""
_STRIPS = tuple(Fraction(1, 8) * Fraction(3, 2) ** k for k in range(10))
_SHARE = Fraction(4, 5)
_MOST_NODES = 20_000
_MOST_PANELS = 2_000
_SPARE_BITS = 24


@dataclass(frozen=True)
class NormalRule:
    """``E[g(Z)] = sum of weight g(node)`` up to an error that depends on g.

    Z is normal, uniform, or a sum of independent uniform numbers.

    Parameters
    ----------
    nodes : tuple of (Ball, Ball)
        Nodes and weights.
    strip : Fraction
        g must be analytic for so large imaginary parts.
    analytic, left_out : Ball
        With ``|g| <= m`` on that strip and ``|g| <= s`` on the line, ``analytic m + left_out s``
        bounds the error.
    """

    nodes: tuple[tuple[Ball, Ball], ...]
    strip: Fraction
    analytic: Ball
    left_out: Ball


def normal_rule(
    terms: tuple[Term, ...], centre: Ball, deviation: Ball, budget: Budget
) -> NormalRule:
    """Return the trapezoidal rule for functions that are analytic where the activation is.

    Raises
    ------
    Unsupported
        Where it would have too many nodes.
    """
    bits, spread = working_precision(), upper(deviation)
    room = _SHARE * widest_strip(terms) / spread
    # ln 2 < 7/10; a few bits more for what else is in M.
    wanted = (bits + 8) * Fraction(7, 10)
    strips = [a for a in _STRIPS if a <= room] or [room]
    step, strip = max(
        (44 * a / 7 / (wanted + a * a / 2 + _log(_height(terms, spread * a))), a) for a in strips
    )
    step = Fraction(int(step * 4096), 4096) or Fraction(1, 65536)
    reach = Fraction(isqrt(int(2 * wanted * 256)) + 1, 16) + step
    count = int(reach / step)
    if count > _MOST_NODES:
        raise Unsupported("W is so wide that its rule would have too many nodes")
    budget.spend(40 * count, bits)
    unit = ball(step)
    height = unit / (2 * pi()).sqrt()
    weights = [height * (-(unit * unit * j * j) / 2).exp() for j in range(count + 1)]
    spacing = deviation * unit
    nodes = [(centre + spacing * j, weights[abs(j)]) for j in range(-count, count + 1)]
    decay = (2 * pi() * ball(strip / step)).exp() - 1
    return NormalRule(
        nodes=tuple(nodes),
        strip=spread * strip,
        analytic=2 * (ball(strip * strip / 2)).exp() / decay,
        left_out=(ball(count * step) / ball(2).sqrt()).erfc(),
    )


def _height(terms: tuple[Term, ...], width: Fraction) -> Fraction:
    return upper(strip_constant(terms, 1, width))


def _log(value: Fraction) -> Fraction:
    """Return roughly the logarithm of a number, at least 0; nothing is proved of it."""
    bits = value.numerator.bit_length() - value.denominator.bit_length() + 1
    return max(Fraction(7 * bits, 10), Fraction(0))


def uniform_rule(
    terms: tuple[Term, ...], one: Fraction, other: Fraction, budget: Budget
) -> NormalRule:
    """Return a rule for functions that are analytic where the activation is, of a uniform number.

    Parameters
    ----------
    terms : tuple of Term
    one, other : Fraction
        The ends between which the number lies, in any order.
    budget : Budget

    Raises
    ------
    Unsupported
        Where it would have too many nodes.
    """
    low, high = min(one, other), max(one, other)
    strip = widest_strip(terms) * _SHARE
    panels = ceil((high - low) / (2 * strip))
    if panels > _MOST_PANELS:
        raise Unsupported("W is so wide that its rule would have too many nodes")
    half = (high - low) / (2 * panels)
    aspect = ball(strip / half)
    rho = aspect + (aspect * aspect + 1).sqrt()
    # ln 2 < 7/10, and g may be a square; the error is proved of any number of nodes from 2 on.
    wanted = (working_precision() + _SPARE_BITS) * Fraction(7, 20) + _log(_height(terms, strip))
    count = max(ceil(wanted / lower(rho.log())), 2)
    budget.spend(10 * count * (count + panels), working_precision())
    roots = legendre(count)
    nodes = []
    for k in range(panels):
        centre = ball(low + (2 * k + 1) * half)
        nodes += [(centre + ball(half) * x, weight / (2 * panels)) for x, weight in roots]
    shrunk = integer_power(1 / rho, 2 * count) / (1 - 1 / (rho * rho))
    # Panels have equal weights: the mean of their errors, of integrals over [-1, 1] halved.
    return NormalRule(tuple(nodes), strip, ball(Fraction(32, 15)) * shrunk, ball(0))


def uniform_parts(spread: Spread, point: Vector) -> list[tuple[Fraction, Fraction]]:
    """Return the ends of the independent uniform numbers whose sum is W.x, the widest one first.

    Raises
    ------
    Unsupported
        Where they are too many for a rule.
    """
    ends = zip(point, spread.first, spread.second, strict=True)
    parts = [(x * low, x * high) for x, low, high in ends if x]
    if len(parts) > MOST_DIRECTIONS:
        raise Unsupported(f"W is uniform in more than {MOST_DIRECTIONS} directions")
    return sorted(parts, key=lambda part: -abs(part[1] - part[0]))


def sum_rule(
    terms: tuple[Term, ...], parts: Sequence[tuple[Fraction, Fraction]], budget: Budget
) -> NormalRule:
    """Return a rule for functions that are analytic where the activation is, of a sum.

    Parameters
    ----------
    terms : tuple of Term
    parts : sequence of (Fraction, Fraction)
        The ends between which each of the independent uniform numbers lies.
    budget : Budget

    Raises
    ------
    Unsupported
        Where it would have too many nodes.
    """
    nodes, error, sums = [(ball(0), ball(1))], ball(0), ball(1)
    for one, other in parts:
        rule = uniform_rule(terms, one, other, budget)
        if len(nodes) * len(rule.nodes) > _MOST_NODES:
            raise Unsupported("W is so wide that its rule would have too many nodes")
        budget.spend(4 * len(nodes) * len(rule.nodes), working_precision())
        nodes = [(u + v, p * q) for u, p in nodes for v, q in rule.nodes]
        error = error + sums * rule.analytic
        sums = sums * total([abs(weight) for _, weight in rule.nodes])
    return NormalRule(tuple(nodes), widest_strip(terms) * _SHARE, error, ball(0))
