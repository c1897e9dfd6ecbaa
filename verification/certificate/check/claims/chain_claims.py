"""The claims on the chain: what must be shown, case by case, in rationals.

Notation: P, pi, f, ``ft = f - pi(f)``; u solves ``u - P u = ft``, ``pi(u) = 0``; ``osc(g) = max g -
min g``.  The sides of a case are computed from the instance and the verified witnesses.
"""

from __future__ import annotations

from fractions import Fraction

from verification.certificate.check.instances import Instance
from verification.certificate.check.markov.chains import Chain, Vector, oscillation
from verification.certificate.check.numbers.bounds import Bounds, Shown, brief
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.reading import Node

MAX_STEPS = 64
"""How many steps the rational claims take: their numbers grow with each."""


def read_chain(instance: Instance, witness: Node, budget: Budget) -> Chain:
    """Verify the witness that all claims on the chain share, its stationary law."""
    law = witness.fields(("stationary_law",))["stationary_law"].vector(instance.size)
    return Chain(instance, law, budget)


def named(instance: Instance, values: Vector) -> str:
    """Name an observable for a sentence."""
    if values == instance.targets:
        return "f = y"
    if sorted(values) == [0] * (len(values) - 1) + [1]:
        return f"f = 1{{xi = {values.index(Fraction(1))}}}"
    return "f = (" + ", ".join(map(str, values[:4])) + (", ...)" if len(values) > 4 else ")")


def _exactly(left: Fraction, right: Fraction) -> tuple[Bounds, Bounds]:
    return Bounds.exactly(left), Bounds.exactly(right)


# P1


def poisson_equation(chain: Chain, case: Node, _claimed: Bounds) -> Shown:
    """``osc(u) <= Delta osc(f)``; or that ``u = Z ft`` solves the equation: no residual, 0 <= 0."""
    members = case.fields(("of", "observable", "solution"))
    observable = members["observable"].numbers(chain.size)
    solution = members["solution"].vector(chain.size)
    chain.coupling_steps()
    what = named(chain.instance, observable)
    if members["of"].choice("oscillation", "equation") == "equation":
        # u = Z ft is (I - P + 1 pi) u = ft, and Z is an inverse since there is one law.
        total = chain.mean(solution)
        following, centred = chain.averaged(solution), chain.centred(observable)
        if any(u - v + total != f for u, v, f in zip(solution, following, centred, strict=True)):
            raise Invalid(f"{case.path}: (I - P + 1 pi) u = f - pi(f) does not hold")
        residual = max(abs(u - v - f) for u, v, f in zip(solution, following, centred, strict=True))
        left = max(residual, abs(total), Fraction(0))
        return Shown(f"the equation, {what}", *_exactly(left, Fraction(0)))
    chain.require_solution(observable, solution)
    bound = chain.summed_contraction().times(oscillation(observable))
    return Shown(what, Bounds.exactly(oscillation(solution)), bound)


# P5


def variance_identities(chain: Chain, case: Node, _claimed: Bounds) -> Shown:
    """``2 <ft,u> - <ft,ft> = pi(u^2) - pi((Pu)^2) = s``.

    And started from pi ``E[S_n^2] = n s - 2 <ft, (I - P^n) Z P u>``.
    """
    sums = case.has("steps")
    members = case.fields(("observable", "solution", *(("steps", "potential") if sums else ())))
    observable = members["observable"].numbers(chain.size)
    solution = members["solution"].vector(chain.size)
    chain.require_solution(observable, solution)
    centred, following = chain.centred(observable), chain.averaged(solution)
    what = named(chain.instance, observable)
    variance = chain.mean([u * u - v * v for u, v in zip(solution, following, strict=True)])
    if not sums:
        left = chain.mean([f * (2 * u - f) for f, u in zip(centred, solution, strict=True)])
        return Shown(f"the asymptotic variance, {what}", *_exactly(left, variance))
    steps = members["steps"].integer(1, MAX_STEPS)
    potential = members["potential"].vector(chain.size)
    # z = Z P u is (I - P + 1 pi) z = P u, and pi(z) = pi(P u) = 0.
    further, total = chain.averaged(potential), chain.mean(potential)
    if any(z - w + total != v for z, w, v in zip(potential, further, following, strict=True)):
        raise Invalid(f"{case.path}: (I - P + 1 pi) z = P u does not hold")
    moved = potential
    for _ in range(steps):
        moved = chain.averaged(moved)
    correction = chain.mean(
        [f * (z - w) for f, z, w in zip(centred, potential, moved, strict=True)]
    )
    left = chain.mean(_second_moments(chain, centred, steps))
    return Shown(f"{what}, n = {steps}", *_exactly(left, steps * variance - 2 * correction))


def _second_moments(chain: Chain, centred: Vector, steps: int) -> Vector:
    """Return ``b_n(i) = E_i[S_n^2]``.

    By ``b_n = ft^2 + 2 ft P a_{n-1} + P b_{n-1}``, ``a_n = ft + P a_{n-1}``.
    """
    first = second = (Fraction(0),) * len(centred)
    for _ in range(steps):
        mean, mean_square = chain.averaged(first), chain.averaged(second)
        second = tuple(
            f * (f + 2 * a) + b for f, a, b in zip(centred, mean, mean_square, strict=True)
        )
        first = tuple(f + a for f, a in zip(centred, mean, strict=True))
    return second


# E4, E5


def error_by_contraction(chain: Chain, case: Node, _claimed: Bounds) -> Shown:
    """``|p - pi|_1 <= |sum p - 1| + |pP - p|_1 m / (1 - delta(P^m))``."""
    vector = case.fields(("vector",))["vector"].vector(chain.size)
    residual = sum(
        (abs(a - b) for a, b in zip(chain.carried(vector), vector, strict=True)), Fraction(0)
    )
    left = sum((abs(a - b) for a, b in zip(vector, chain.law, strict=True)), Fraction(0))
    excess = Bounds.exactly(abs(sum(vector, Fraction(-1))))
    right = excess.plus(chain.conditioning().times(residual))
    return Shown(_shown_vector(vector), Bounds.exactly(left), right)


def error_by_hitting_times(chain: Chain, case: Node, _claimed: Bounds) -> Shown:
    """``|p - (sum p) pi|_1 <= 2 max(sum e+ h, sum e- h)``, ``e = pP - p``, h steps until r."""
    members = case.fields(("vector", "target", "hitting_times"))
    vector = members["vector"].vector(chain.size)
    target = members["target"].integer(0, chain.size - 1)
    times = members["hitting_times"].vector(chain.size)
    chain.require_hitting_times(target, times)
    mass = sum(vector, Fraction(0))
    if mass < 0:
        members["vector"].refuse("a sum >= 0: p and -p are one case")
    left = sum((abs(a - mass * b) for a, b in zip(vector, chain.law, strict=True)), Fraction(0))
    residual = [a - b for a, b in zip(chain.carried(vector), vector, strict=True)]
    sums = [
        sum(
            (sign * e * h for e, h in zip(residual, times, strict=True) if sign * e > 0), Fraction()
        )
        for sign in (1, -1)
    ]
    return Shown(f"{_shown_vector(vector)}, r = {target}", *_exactly(left, 2 * max(sums)))


def _shown_vector(vector: Vector) -> str:
    numbers = ", ".join(brief(x, 3) for x in vector[:4])
    return f"p = ({numbers}{', ...' if len(vector) > 4 else ''})"
