"""The second moment of sums along the chain, in balls, against what the Poisson equation allows."""

from __future__ import annotations

from fractions import Fraction

from verification.certificate.check.claims.chain_claims import named
from verification.certificate.check.markov.chains import Chain, Vector, oscillation
from verification.certificate.check.numbers.balls import (
    Ball,
    BallMatrix,
    ball,
    balls_column,
    bounds,
    column,
    matrix,
    precision,
)
from verification.certificate.check.numbers.bounds import Bounds, Shown
from verification.certificate.check.reading import Node

MAX_STEPS = 10**9
_SPARE_BITS = 96
"""Lost while n is doubled: with fewer to spare all is done again at the next precision."""


def root_mean_square(chain: Chain, case: Node, _claimed: Bounds) -> Shown:
    """``max_i E_i[S_n^2]^(1/2) <= osc(u) + n^(1/2) s(u)``, ``s(u)^2 = max_i Var_i(u(xi_1))``."""
    members = case.fields(("observable", "steps", "solution"))
    observable = members["observable"].numbers(chain.size)
    steps = members["steps"].integer(1, MAX_STEPS)
    solution = members["solution"].vector(chain.size)
    chain.require_solution(observable, solution)
    centred = chain.centred(observable)
    mean = chain.averaged(solution)
    mean_square = chain.averaged([u * u for u in solution])
    variance = max(b - a * a for a, b in zip(mean, mean_square, strict=True))
    spread = Bounds.exactly(oscillation(solution))

    def left(bits: int) -> Bounds:
        with precision(bits + _SPARE_BITS):
            found = [bounds(x) for x in second_moments(chain, centred, steps)]
        largest = max(x.lower for x in found), max(x.upper for x in found)
        return Bounds(*largest).root(bits)

    def right(bits: int) -> Bounds:
        return spread.plus(Bounds.exactly(steps * variance).root(bits))

    return Shown(f"{named(chain.instance, observable)}, n = {steps}", left, right)


def second_moments(chain: Chain, centred: Vector, steps: int) -> list[Ball]:
    """Enclose ``b_n(i) = E_i[S_n^2]``: few steps one by one, many by doubling n and adding 1.

    With ``a_n(i) = E_i[S_n]`` and ``A_n(i, j) = E_i[S_n 1{xi_n = j}]``, and S_2n = S_n + S'_n,
    ``b_2n = b_n + 2 A_n a_n + P^n b_n`` and ``A_2n = A_n P^n + P^n A_n``.
    """
    one_step, size = matrix(chain.dense()), chain.size
    if steps <= 2 * size:
        chain.budget.spend(steps * size**2)
        return _step_by_step(one_step, centred, steps)
    chain.budget.spend(size**3 * steps.bit_length() // 8)
    weighted = matrix([[f * p for p in row] for f, row in zip(centred, chain.dense(), strict=True)])
    first, square = column(centred), column([f * f for f in centred])
    twice = matrix([[2 * x for x in row] for row in _diagonal(centred)])
    power, joint, mean, moment = one_step, weighted, first, square
    for digit in bin(steps)[3:]:
        moment = moment + joint * mean + joint * mean + power * moment
        joint = joint * power + power * joint
        mean = mean + power * mean
        power = power * power
        if digit == "1":
            moment = square + twice * (one_step * mean) + one_step * moment
            joint = weighted * power + one_step * joint
            mean = first + one_step * mean
            power = one_step * power
    return moment.entries()


def _step_by_step(one_step: BallMatrix, centred: Vector, steps: int) -> list[Ball]:
    factors = [ball(f) for f in centred]
    mean = moment = column([Fraction(0)] * len(centred))
    for _ in range(steps):
        following, further = (one_step * mean).entries(), (one_step * moment).entries()
        moment = balls_column(
            [f * (f + 2 * a) + b for f, a, b in zip(factors, following, further, strict=True)]
        )
        mean = balls_column([f + a for f, a in zip(factors, following, strict=True)])
    return moment.entries()


def _diagonal(values: Vector) -> list[list[Fraction]]:
    return [
        [value if i == j else Fraction(0) for j in range(len(values))]
        for i, value in enumerate(values)
    ]
