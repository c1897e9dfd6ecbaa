"""The variance of one unit's contribution to the kernel, from moments of products.

With ``Y = f + C^2 g``, ``f = sigma(W.x + v) sigma(W.x' + v')`` and ``g = sigma'(W.x + v)
sigma'(W.x' + v') x.x'``, so that ``K = E Y``:

    Var Y = E[f^2] + 2 E[C^2 f g] + E[C^4 g^2] - K^2,

each a mean of a function of W.x times a function of W.x', which `pair_rule` encloses.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, log2

from verification.enclosure.balls import Ball, ball, keyed, square, upper_double
from verification.instance import ActivationSpec, Atom, AtomicLaw, Law
from verification.kernel.limiting import Point, kernel
from verification.kernel.pair_rules import Factor, pair_rule
from verification.recurrent.activation import activation
from verification.recurrent.law import dot, moment_of_c


def unit_variance(spec: ActivationSpec, law: Law, first: Point, second: Point) -> Ball:
    """Enclose ``Var(sigma sigma' + C^2 sigma' sigma' x.x')``.

    Raises
    ------
    NotEnclosed
        Where an expectation needs too many nodes.
    """
    inner = ball(dot(first.input, second.input))
    mixed = mean_of_products(spec, law, first, second, (0, 1), squared=True)
    steep = mean_of_products(
        spec, _with_squared_c(law), first, second, (1, 1), squared=isinstance(law, AtomicLaw)
    )
    if not isinstance(law, AtomicLaw):
        steep = ball(moment_of_c(law, 4)) * steep
    flat = mean_of_products(spec, law, first, second, (0, 0))
    second_moment = flat + 2 * inner * mixed + square(inner) * steep
    return second_moment - square(kernel(spec, law, first, second))


@lru_cache(maxsize=64)
def _with_squared_c(law: Law) -> Law:
    """Return a law of atoms with C^2 in place of C, so that squares of it are fourth powers."""
    if not isinstance(law, AtomicLaw):
        return law
    return AtomicLaw(
        atoms=tuple(Atom(p=atom.p, c=atom.c * atom.c, w=atom.w, b=atom.b) for atom in law.atoms)
    )


def mean_of_products(
    spec: ActivationSpec,
    law: Law,
    first: Point,
    second: Point,
    orders: tuple[int, int],
    *,
    squared: bool = False,
) -> Ball:
    """Enclose ``E[F(W.x + v) F(W.x' + v')]``, F the product of two derivatives of sigma.

    With `squared` the mean of C^2 times that.
    """
    sigma = activation(spec)
    on_strip = on_line = ball(1)
    for order in orders:
        on_strip = on_strip * sigma.quadrature_bound(order)
        on_line = on_line * ball(sigma.bound(order))
    growth = upper_double(on_strip / on_line) if not on_line.is_zero() else 1.0
    rule = pair_rule(
        law,
        first.input,
        second.input,
        sigma.strip_width(),
        more_bits=ceil(2 * log2(max(growth, 1.0))),
    )
    curves = sigma.curve(orders[0]), sigma.curve(orders[1])
    one, other = (Factor(curves, keyed(ball(place.memory))) for place in (first, second))
    return rule.mean(one, other, square(on_strip), square(on_line), squared=squared)
