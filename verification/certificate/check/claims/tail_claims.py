"""How rare large sums along the chain are: the law of the sum, and an exponential bound of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from verification.certificate.check.claims.chain_claims import named, read_chain
from verification.certificate.check.instances import Instance
from verification.certificate.check.markov.chains import Chain, Vector, oscillation
from verification.certificate.check.markov.sums import SumLaw, law_of_sum
from verification.certificate.check.numbers.balls import (
    ball,
    balls_column,
    bounds,
    column,
    matrix,
    precision,
)
from verification.certificate.check.numbers.bounds import Bounds, Shown, brief
from verification.certificate.check.outcome import Budget
from verification.certificate.check.reading import Node

MAX_STEPS = 2_000
_BITS = 192
_FEW = 20
"""What a number costs beside the products in which it is."""


@dataclass(frozen=True)
class Sums:
    """The chain, and what cases share: laws of sums; means and squares of oscillations."""

    chain: Chain
    laws: dict[tuple[Vector, int, int], SumLaw] = field(default_factory=dict)
    means: dict[tuple[Vector, int], tuple[list[Bounds], Bounds]] = field(default_factory=dict)


def read_sums(instance: Instance, witness: Node, budget: Budget) -> Sums:
    """Verify the stationary law."""
    return Sums(read_chain(instance, witness, budget))


def rare_sums(sums: Sums, case: Node, _claimed: Bounds) -> Shown:
    """``P(|S_n| >= osc(u) + r)``, ``P(|S_n - E S_n| >= r)``: at most ``2 exp(-2 r^2 / scale)``."""
    members = case.fields(("about", "observable", "start", "steps", "distance"), ("solution",))
    chain = sums.chain
    observable = members["observable"].numbers(chain.size)
    start = members["start"].integer(0, chain.size - 1)
    steps = members["steps"].integer(2, MAX_STEPS)
    distance = members["distance"].number()
    if distance <= 0:
        members["distance"].refuse("a positive number")
    about = members["about"].choice("0", "the mean")
    if ("solution" in members) != (about == "0"):
        case.refuse("the Poisson solution where the tail is about 0, and only there")
    if about == "0":
        solution = members["solution"].vector(chain.size)
        chain.require_solution(observable, solution)
        spread = oscillation(solution)
        centre = Bounds.exactly(steps * chain.mean(observable))
        threshold, scale = spread + distance, Bounds.exactly(steps * spread**2)
    else:
        expected, scale = _means(sums, observable, steps)
        centre, threshold = expected[start], distance
    if scale.lower <= 0:
        members["observable"].refuse("an observable that is not constant")
    key = (observable, start, steps)
    if key not in sums.laws:
        sums.laws[key] = law_of_sum(chain, *key)
    chain.budget.spend(len(sums.laws[key].probabilities))
    left = sums.laws[key].beyond(centre, Bounds.exactly(threshold))

    def right(bits: int) -> Bounds:
        with precision(bits):
            least, most = (
                2 * (-2 * ball(distance**2 / squared)).exp()
                for squared in (scale.lower, scale.upper)
            )
            return Bounds(bounds(least).lower, bounds(most).upper)

    what = f"about {about}, {named(chain.instance, observable)}, from state {start}, n = {steps}"
    return Shown(f"{what}, r = {brief(distance)}", left, right)


def _means(sums: Sums, observable: Vector, steps: int) -> tuple[list[Bounds], Bounds]:
    """Return ``E_i[S_n]`` and ``sum_{l<n} osc(u_l)^2``, ``u_l(i) = E_i[S_l]``."""
    if (observable, steps) not in sums.means:
        chain = sums.chain
        chain.budget.spend(steps * chain.size * (chain.size + _FEW))
        with precision(_BITS):
            one_step, factors = matrix(chain.dense()), [ball(f) for f in observable]
            mean = column([Fraction(0)] * chain.size)
            lower = upper = Fraction(0)
            for _ in range(steps):
                now = [bounds(x) for x in mean.entries()]
                low = max(x.lower for x in now) - min(x.upper for x in now)
                high = max(x.upper for x in now) - min(x.lower for x in now)
                lower, upper = lower + max(low, Fraction(0)) ** 2, upper + high**2
                following = (one_step * mean).entries()
                mean = balls_column([f + a for f, a in zip(factors, following, strict=True)])
            sums.means[observable, steps] = (
                [bounds(x) for x in mean.entries()],
                Bounds(lower, upper),
            )
    return sums.means[observable, steps]
