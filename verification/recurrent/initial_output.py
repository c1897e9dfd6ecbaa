r"""The mean square of the output of N drawn units before training, over all their draws.

``G_0(x, v) = N^-beta sum_i C^i sigma(W^i.x + v)``, the units independent draws of the initial law.
What is enclosed here is ``N^(2 beta) E[G_0^2]``, the mean of the square of the sum:

* *few atoms*: the sum over the multinomial counts of the distinct pairs (C, W.x);
* *any other law*: the square multiplied out, ``N E[Y^2] + N (N - 1) E[Y]^2`` with
  ``Y = C sigma(W.x + v)``, from sums over the atoms, or exact moments of C and one rule for W.x.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import comb, factorial, prod
from typing import TypeAlias

from verification.enclosure.balls import Ball, ball, square, total
from verification.instance import AtomicLaw, Instance, Vector
from verification.recurrent.activation import activation
from verification.recurrent.finite_memory import compositions
from verification.recurrent.law import dot, moment_of_c, projection

_MAX_DRAWS = 2_000

Masses: TypeAlias = dict[tuple[Fraction, Fraction], Fraction]
"""The law of (C, W.x): probabilities of pairs."""


def mean_square_of_sum(instance: Instance, width: int, state: int, memory: Fraction) -> Ball:
    """Enclose ``E[(sum_i C^i sigma(W^i.x + v))^2]`` for N independent units."""
    law, point = instance.law, instance.chain.inputs[state]
    sigma = activation(instance.activation)
    if isinstance(law, AtomicLaw):
        masses = _masses(law, point)
        probabilities = list(masses.values())
        values = [ball(c) * sigma.derivative(0, ball(u + memory)) for c, u in masses]
        if comb(width + len(values) - 1, width) <= _MAX_DRAWS:
            return _over_counts(probabilities, values, width)
        weighted = [(ball(p), y) for p, y in zip(probabilities, values, strict=True)]
        alone = total(p * square(y) for p, y in weighted)
        mean = total(p * y for p, y in weighted)
    else:
        strip = sigma.strip_width()
        rule = projection(law, point, strip).rule
        on_strip, on_line = sigma.strip_bound(0, ball(strip)), ball(sigma.bound(0))
        v = ball(memory)
        alone = ball(moment_of_c(law, 2)) * rule.mean(
            lambda u: square(sigma.derivative(0, u + v)), square(on_strip), square(on_line)
        )
        mean = ball(moment_of_c(law, 1)) * rule.mean(
            lambda u: sigma.derivative(0, u + v), on_strip, on_line
        )
    return width * alone + width * (width - 1) * square(mean)


def _masses(law: AtomicLaw, point: Vector) -> Masses:
    masses: Masses = {}
    for atom in law.atoms:
        where = atom.c, dot(atom.w, point)
        masses[where] = masses.get(where, Fraction(0)) + atom.p
    return masses


def _over_counts(probabilities: Sequence[Fraction], values: Sequence[Ball], width: int) -> Ball:
    terms = []
    for counts in compositions(width, len(values)):
        ways = Fraction(factorial(width), prod(factorial(n) for n in counts))
        mass = prod((p**n for p, n in zip(probabilities, counts, strict=True)), start=ways)
        drawn = total(n * value for n, value in zip(counts, values, strict=True) if n)
        terms.append(ball(mass) * square(drawn))
    return total(terms)
