"""The largest sum along a path: its mean square, against what Doob's inequality allows."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from itertools import pairwise

from verification.certificate.check.claims.chain_claims import named
from verification.certificate.check.claims.moving_claims import covariances, summed_variances
from verification.certificate.check.markov.chains import Chain, oscillation
from verification.certificate.check.markov.maxima import Rows, Walk, mean_squared_maximum, rounded
from verification.certificate.check.numbers.bounds import Bounds, Shown, Side, at
from verification.certificate.check.outcome import longest
from verification.certificate.check.reading import Node

MAX_STEPS = 1_000
_TOLERANCE = Fraction(1, 32)
_COARSE = 64
_EXACT = 10
_BITS = 128


def largest_sum(chain: Chain, case: Node, _claimed: Bounds) -> Shown:
    """``E_i[max_{k<=n} S_k^2]^(1/2) <= osc(u) + 2 n^(1/2) s(u)``."""
    members = case.fields(("observable", "solution", "start", "steps"))
    observable = members["observable"].numbers(chain.size)
    solution = members["solution"].vector(chain.size)
    chain.require_solution(observable, solution)
    start = members["start"].integer(0, chain.size - 1)
    steps = members["steps"].integer(1, MAX_STEPS)
    variance = max(covariances(chain, solution, solution))
    boundary = Bounds.exactly(oscillation(solution))
    walk = Walk(chain.instance.rows, [chain.centred(observable)] * steps, start)
    what = f"{named(chain.instance, observable)}, from state {start}, n = {steps}"
    return _shown(chain, what, walk, boundary, Bounds.exactly(steps * variance))


def largest_moving_sum(chain: Chain, case: Node, _claimed: Bounds) -> Shown:
    """Bound the largest sum of observables that move: ``Delta sum eps_k`` more on the right."""
    of = case.member("of").choice("path", "visit", "return")
    more = {
        "path": ("moving", "moving_solution", "times", "steps"),
        "visit": ("state", "steps"),
        "return": ("steps",),
    }[of]
    members = case.fields(("of", "observable", "solution", "start", *more))
    observable = members["observable"].numbers(chain.size)
    solution = members["solution"].vector(chain.size)
    chain.require_solution(observable, solution)
    start = members["start"].integer(0, chain.size - 1)
    centred, spread = chain.centred(observable), oscillation(observable)
    opposite = tuple(-f for f in centred)
    rows: Rows = chain.instance.rows
    boundary = oscillation(solution)
    name = f"{named(chain.instance, observable)}, from state {start}"
    if of == "path":
        moving = members["moving"].numbers(chain.size)
        slope = members["moving_solution"].vector(chain.size)
        chain.require_solution(moving, slope)
        times = _read_times(members["times"], members["steps"].integer(2, MAX_STEPS))
        drift = chain.centred(moving)
        chain.budget.spend(_EXACT * len(set(times)) * chain.size, longest((*centred, *drift)))
        at_time = {
            t: tuple(f + t * g for f, g in zip(centred, drift, strict=True)) for t in set(times)
        }
        values = [at_time[t] for t in times]
        boundary = oscillation([u + times[0] * w for u, w in zip(solution, slope, strict=True)])
        moved = sum((abs(t - s) for s, t in pairwise(times)), Fraction(0)) * oscillation(moving)
        squares: Side = partial(summed_variances, chain, solution, slope, times)
        what = f"f + t_k g, {name}, n = {len(times)}"
    else:
        steps = members["steps"].integer(2, MAX_STEPS)
        squares = Bounds.exactly(steps * max(covariances(chain, solution, solution)))
        if of == "visit":
            state = members["state"].integer(0, chain.size - 1)
            # State i + n is i after a visit: from there the observable is -f.
            rows = [
                *(tuple((j + chain.size if j == state else j, p) for j, p in row) for row in rows),
                *(tuple((j + chain.size, p) for j, p in row) for row in rows),
            ]
            start += chain.size if start == state else 0
            values, moved = [(*centred, *opposite)] * steps, 2 * spread
            what = f"-f from the first visit of {state} on, {name}, n = {steps}"
        else:
            rising = tuple(map(abs, centred))
            falling = tuple(-f for f in rising)
            values = [rising if 2 * k < steps else falling for k in range(steps)]
            moved, what = (
                2 * (steps - 1) * spread,
                f"sign(ft(xi_k)) f and back, {name}, n = {steps}",
            )
    drifted = chain.summed_contraction().times(moved)
    walk = Walk(rows, values, start)
    return _shown(chain, what, walk, drifted.plus(Bounds.exactly(boundary)), squares)


def _read_times(node: Node, steps: int) -> list[Fraction]:
    """Return k/n, or 0 before a step and 1 from it on."""
    if isinstance(node.value, str):
        node.choice("even")
        return [Fraction(k, steps) for k in range(steps)]
    first = node.integer(1, steps - 1)
    return [Fraction(int(k >= first)) for k in range(steps)]


def _shown(chain: Chain, what: str, walk: Walk, boundary: Bounds, squares: Side) -> Shown:
    def right(bits: int) -> Bounds:
        return boundary.plus(at(squares, bits).root(bits).times(Fraction(2)))

    bound = right(_BITS).lower
    coarse, off = rounded(walk, bound / (_COARSE * len(walk.values)), chain.budget)
    most = max(bound - off, Fraction(0)) ** 2
    found = mean_squared_maximum(coarse, chain.budget, _TOLERANCE, lambda upper: upper <= most)

    def left(bits: int) -> Bounds:
        near = found.root(bits)
        return Bounds(max(near.lower - off, Fraction(0)), near.upper + off)

    return Shown(what, left, right)
