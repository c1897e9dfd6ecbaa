"""Sums of observables that move: their second moments, against what the Poisson equation allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial

from verification.certificate.check.claims.chain_claims import named
from verification.certificate.check.claims.moment_claims import second_moments
from verification.certificate.check.markov.chains import Chain, Vector, oscillation
from verification.certificate.check.numbers.balls import (
    Ball,
    ball,
    balls_column,
    bounds,
    column,
    largest,
    matrix,
    precision,
    total,
    working_precision,
)
from verification.certificate.check.numbers.bounds import Bounds, Shown, Side, at
from verification.certificate.check.reading import Node

MAX_STEPS = 10**6

Moments = Callable[[], list[Ball]]


def moving_sum(chain: Chain, case: Node, _claimed: Bounds) -> Shown:
    """``E[(sum ft_k(xi_k))^2]^(1/2) <= osc(u_0) + Delta sum eps_k + (sum s(u_k)^2)^(1/2)``."""
    of = case.member("of").choice("drift", "sign", "visit")
    more = {"drift": ("moving", "moving_solution"), "sign": (), "visit": ("state",)}[of]
    members = case.fields(("of", "observable", "solution", "steps", *more))
    observable = members["observable"].numbers(chain.size)
    solution = members["solution"].vector(chain.size)
    chain.require_solution(observable, solution)
    steps = members["steps"].integer(2, MAX_STEPS)
    centred = chain.centred(observable)
    spread, variance = oscillation(observable), max(covariances(chain, solution, solution))
    what = f"{named(chain.instance, observable)}, n = {steps}"

    squares: Side = Bounds.exactly(steps * variance)
    moments: Moments = partial(second_moments, chain, centred, steps)
    if of == "sign":
        # There f_k(xi_k) - pi(f_k) = |ft(xi_k)|: f_k is f or its negative.
        moments = partial(second_moments, chain, tuple(map(abs, centred)), steps)
        moved, what = 2 * (steps - 1) * spread, f"sign(ft(xi_k)) f, {what}"
    elif of == "visit":
        state = members["state"].integer(0, chain.size - 1)
        moments = partial(_switched_at_visit, chain, centred, state, steps)
        moved, what = 2 * spread, f"-f from the first visit of {state} on, {what}"
    else:
        moving = members["moving"].numbers(chain.size)
        slope = members["moving_solution"].vector(chain.size)
        chain.require_solution(moving, slope)
        moved = Fraction(steps - 1, steps) * oscillation(moving)
        if any(slope):
            moments = partial(_drifting, chain, centred, chain.centred(moving), steps)
            chain.budget.spend(10 * steps)
            even = [Fraction(k, steps) for k in range(steps)]
            squares = partial(summed_variances, chain, solution, slope, even)
            what = f"f + (k/n) g, {what}"
    drifted = chain.summed_contraction().times(moved)
    boundary = drifted.plus(Bounds.exactly(oscillation(solution)))

    def left(bits: int) -> Bounds:
        with precision(bits):
            found = [bounds(x) for x in moments()]
        return Bounds(max(x.lower for x in found), max(x.upper for x in found)).root(bits)

    def right(bits: int) -> Bounds:
        return boundary.plus(at(squares, bits).root(bits))

    return Shown(what, left, right)


def _drifting(chain: Chain, fixed: Vector, moving: Vector, steps: int) -> list[Ball]:
    """Enclose ``E_i[(sum_{k<n} f(xi_k) + (k/n) g(xi_k))^2]``, from the last step backwards."""
    _charge(chain, steps)
    one_step = matrix(chain.dense())
    constant, slope = [ball(f) for f in fixed], [ball(g) for g in moving]
    mean = moment = column([Fraction(0)] * chain.size)
    for k in reversed(range(steps)):
        share = ball(Fraction(k, steps))
        now = [f + share * g for f, g in zip(constant, slope, strict=True)]
        following, further = (one_step * mean).entries(), (one_step * moment).entries()
        moment = balls_column(
            [f * (f + 2 * a) + b for f, a, b in zip(now, following, further, strict=True)]
        )
        mean = balls_column([f + a for f, a in zip(now, following, strict=True)])
    return moment.entries()


def _switched_at_visit(chain: Chain, centred: Vector, state: int, steps: int) -> list[Ball]:
    """Enclose the second moment of the sum of ft before the first visit of a state, -ft after.

    The sum after a visit has the moments of -ft from there; the sum before goes on, at each step,
    with what follows in the next state, or with what follows a visit.
    """
    _charge(chain, 2 * steps)
    one_step, factors = matrix(chain.dense()), [ball(f) for f in centred]
    zero = column([Fraction(0)] * chain.size)
    before, after = (zero, zero), (zero, zero)
    for _ in range(steps):
        joined = [
            balls_column(_taken(second.entries(), first.entries(), state))
            for first, second in zip(before, after, strict=True)
        ]
        moved = [(one_step * x).entries() for x in (*joined, *after)]
        before, after = (
            (
                balls_column([f + a for f, a in zip(signed, mean, strict=True)]),
                balls_column(
                    [f * (f + 2 * a) + b for f, a, b in zip(signed, mean, moment, strict=True)]
                ),
            )
            for signed, mean, moment in (
                (factors, moved[0], moved[1]),
                ([-f for f in factors], moved[2], moved[3]),
            )
        )
    return _taken(after[1].entries(), before[1].entries(), state)


def _charge(chain: Chain, steps: int) -> None:
    """Charge steps of two columns: a product of balls costs a fourth of what a unit stands for."""
    each = chain.size * (chain.size // 2 + 25) + 50
    chain.budget.spend(steps * each, working_precision())


def _taken(visited: list[Ball], others: list[Ball], state: int) -> list[Ball]:
    """Return what follows in each state: what follows a visit in the one, in the others not."""
    return [*others[:state], visited[state], *others[state + 1 :]]


def covariances(chain: Chain, first: Vector, second: Vector) -> list[Fraction]:
    """Return ``Cov_i(u(xi_1), w(xi_1))``."""
    products = chain.averaged([a * b for a, b in zip(first, second, strict=True)])
    means = zip(products, chain.averaged(first), chain.averaged(second), strict=True)
    return [product - a * b for product, a, b in means]


def summed_variances(
    chain: Chain, solution: Vector, slope: Vector, times: Sequence[Fraction], bits: int
) -> Bounds:
    """Return ``sum_k max_i Var_i((u + t_k w)(xi_1))``."""
    chain.budget.spend(len(times) * chain.size)
    pairs = ((solution, solution), (solution, slope), (slope, slope))
    exact = [covariances(chain, *pair) for pair in pairs]
    with precision(bits):
        coefficients = [(ball(a), ball(2 * b), ball(c)) for a, b, c in zip(*exact, strict=True)]
        return bounds(total([_largest(coefficients, t) for t in times]))


def _largest(coefficients: Sequence[tuple[Ball, Ball, Ball]], share: Fraction) -> Ball:
    t = ball(share)
    return largest([a + t * (b + t * c) for a, b, c in coefficients])
