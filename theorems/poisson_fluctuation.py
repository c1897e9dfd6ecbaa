r"""Averages along a Markov chain fluctuate no more than the Poisson equation allows.

**Setting.**  A chain xi on finitely many states with transition matrix P, one recurrent class and
stationary law pi; a real function f of the state, ``ft = f - pi(f)``;
``S_k = ft(xi_0) + ... + ft(xi_{k-1})``.  u solves the Poisson equation ``u - P u = ft``,
``pi(u) = 0``; ``u = Z ft`` with the fundamental matrix ``Z = (I - P + 1 pi)^(-1)``.
``osc(g) = max g - min g``; ``s(u)^2 = max_i Var_i(u(xi_1))``; delta is the Dobrushin coefficient,
m the least number of steps with ``delta(P^m) < 1``, ``Delta`` the bound
``m prod_{i<k} (1 + delta(P^(m 2^i))) / (1 - delta(P^(m 2^k)))`` of ``sum_j delta(P^j)``, k >= 0.

**Statements.**
P1.  ``u = Z ft`` solves the Poisson equation, and ``osc(u) <= Delta osc(f)``.
P2.  From every initial state ``E[S_n^2]^(1/2) <= osc(u) + n^(1/2) s(u)``.
P3.  ``E[max_{k<=n} S_k^2]^(1/2) <= osc(u) + 2 n^(1/2) s(u)``.
P4.  ``P(|S_n| >= osc(u) + r) <= 2 exp(-2 r^2 / (n osc(u)^2))``, and
``P(|S_n - E S_n| >= r) <= 2 exp(-2 r^2 / sum_{l<n} osc(u_l)^2)`` with ``u_l = sum_{k<l} P^k f``.
P5.  ``2 <ft, u>_pi - <ft, ft>_pi = pi(u^2) - pi((P u)^2) =: sigma_f^2``, and started from pi
``E[S_n^2] = n sigma_f^2 - 2 <ft, (I - P^n) Z P u>_pi``.  Equalities.

**Proof.**  P1: ``(I - P + 1 pi) u = ft`` gives ``pi(u) = pi(ft) = 0``; ``u = sum_k P^k ft`` (in the
mean, if need be), and P^k shrinks oscillations by ``delta(P^k)``, with ``delta(P^(j + M)) <=
delta(P^j) delta(P^M)``.  P2: ``ft(xi_k) = u(xi_k) -
u(xi_{k+1}) + D_{k+1}`` with ``D_{k+1} = u(xi_{k+1}) - (P u)(xi_k)``, martingale differences of
conditional variance at most s(u)^2; so ``S_n = u(xi_0) - u(xi_n) + M_n``; Minkowski.  P3: Doob's
inequality, ``E max M_k^2 <= 4 E M_n^2``.  P4: given the past D_{k+1} lies in an interval of length
osc(u): Azuma and Hoeffding; the second form does the same with the martingale
``E[S_n | xi_0 .. xi_k]``, whose increments lie in intervals of lengths ``osc(u_{n-k})``,
0 < k < n.  P5: multiply the Poisson equation out; ``E_pi S_n^2 = n <ft, ft> +
2 sum_{0<k<n} (n - k) <ft, P^k ft>`` and ``sum_{k<n} P^k ft = u - P^n u``.

**What the verdicts establish.**  CERTIFIED: the (in)equality for the observables, numbers of steps
and starts drawn, among the observables the instance's targets; for a small chain all of u, pi and
the moments are exact rationals and only roots are enclosed.  P2 to P5 hold for periodic chains too
and are decided there.  SUPPORTED (P3): the left side was simulated, at the error level stated.

Source: the Poisson equation is the tool of Lam, Sirignano and Spiliopoulos, arXiv 2308.14555,
section 5; the constants are this project's.  See also Glynn and Meyn, Annals of Probability 24
(1996).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial
from math import ceil

from theorems.geometric_ergodicity import MIXING, ONE_LAW, has_one_state
from verification.claim import (
    AnyClaim,
    Claim,
    Constant,
    Mutant,
    Number,
    Side,
    Vacuity,
)
from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    end_points,
    less,
    maximum,
    maximum_between,
    root,
    shown,
    square,
    working_precision,
)
from verification.enclosure.matrix import Matrix, largest
from verification.enclosure.numbers import times
from verification.errors import NotEnclosed
from verification.instance import SCHEMA, Chain, Instance
from verification.markov import finite
from verification.markov.columns import (
    averaged,
    carried,
    centred_column,
    is_exact,
    poisson_column,
    stationary_mean,
    stationary_row,
    summed_contraction,
)
from verification.markov.finite import BALL_STATES, fundamental_matrix, transition_matrix
from verification.markov.fluctuation import drifting_second_moments, second_moments
from verification.markov.maximum_draws import maximum_draws
from verification.markov.merged_paths import squared_maximum_bounds
from verification.markov.partial_sums import MAX_ENTRIES, lattice_of, sum_law, sum_ranges
from verification.markov.path_maximum import squared_maximum_mean
from verification.statistics.simulation import Simulation
from verification.verdict import EvidenceKind, Relation, Truth

_RANDOM_OBSERVABLES = 2
_STEPS = (1, 2, 5, 40, 1_000, 1_000_000)
_FEW_STEPS, _FEW_STATES = 1_000, 101
_EXACT_STEPS = (1, 2, 3, 8)
_MAXIMUM_STEPS = (3, 40, 200)
_TAIL_STEPS = (3, 10, 400)
_DEVIATIONS = (Fraction(7, 10), Fraction(1), Fraction(5, 2))
_MOST_WORK = 3 * 10**8


# Vacuities


def rests_in_one_state(instance: Instance) -> bool:
    """Tell whether the stationary law is a point mass: then nothing fluctuates under it."""
    return len(finite.recurrent_classes(instance.chain)[0].states) == 1


# Constants


def delta_sum(instance: Instance) -> Number:
    """Return ``Delta = m prod_{i<k} (1 + delta(P^(m 2^i))) / (1 - delta(P^(m 2^k)))``."""
    return summed_contraction(instance.chain)


def oscillation_for_targets(instance: Instance) -> Number:
    """Return ``osc(u)`` for f = y."""
    return poisson_column(instance.chain, instance.chain.targets).oscillation()


def deviation_for_targets(instance: Instance) -> Ball:
    """Return ``s(u)`` for f = y."""
    solution = poisson_column(instance.chain, instance.chain.targets)
    return root(ball(_step_variance(instance, solution)))


# Cases


@dataclass(frozen=True, kw_only=True)
class Observable:
    """A function of the state that is not constant."""

    label: str
    values: tuple[Fraction, ...]

    def __str__(self) -> str:
        return f"f = {self.label}"


@dataclass(frozen=True, kw_only=True)
class Equation:
    """The Poisson equation of an observable, solved by the fundamental matrix."""

    observable: Observable

    def __str__(self) -> str:
        return f"the equation, {self.observable}"


@dataclass(frozen=True, kw_only=True)
class Sum:
    """The sum of an observable over a number of steps."""

    observable: Observable
    steps: int

    def __str__(self) -> str:
        return f"{self.observable}, n = {self.steps}"


@dataclass(frozen=True, kw_only=True)
class Maximum:
    """The largest of the first partial sums of an observable, from one initial state."""

    observable: Observable
    start: int
    steps: int

    def __str__(self) -> str:
        return f"{self.observable}, from state {self.start}, n = {self.steps}"


@dataclass(frozen=True, kw_only=True)
class Tail:
    """The tail of a sum from one initial state, beyond a distance from 0 or from its mean."""

    observable: Observable
    start: int
    steps: int
    distance: Fraction
    about_mean: bool

    def __str__(self) -> str:
        about = "about its mean" if self.about_mean else "about 0"
        where = f"from state {self.start}, n = {self.steps}, r = {shown(self.distance, 4)}"
        return f"tail {about}, {self.observable}, {where}"


@dataclass(frozen=True, kw_only=True)
class Variance:
    """The asymptotic variance of an observable."""

    observable: Observable

    def __str__(self) -> str:
        return f"the asymptotic variance, {self.observable}"


def observables(instance: Instance, rng: random.Random) -> list[Observable]:
    """Return the targets, an indicator and two random observables, but for constant ones."""
    chain = instance.chain
    state = rng.randrange(chain.n_states)
    indicator = tuple(Fraction(int(i == state)) for i in range(chain.n_states))
    found = [
        Observable(label="y", values=chain.targets),
        Observable(label=f"1{{xi = {state}}}", values=indicator),
    ]
    for number in range(_RANDOM_OBSERVABLES):
        values = tuple(Fraction(rng.randint(-12, 12), 4) for _ in range(chain.n_states))
        found.append(Observable(label=f"random {number + 1}", values=values))
    return [item for item in found if len(set(item.values)) > 1]


def poisson_cases(instance: Instance, rng: random.Random) -> Sequence[Observable | Equation]:
    """Return every observable, and its equation where that is decided exactly."""
    found = observables(instance, rng)
    exact = is_exact(instance.chain)
    return [*found, *(Equation(observable=item) for item in found if exact)]


def sums(instance: Instance, rng: random.Random) -> Sequence[Sum]:
    """Return every observable with several numbers of steps, up to a million.

    On larger chains the million is for the targets, on large ones for nothing.
    """
    n_states = instance.chain.n_states
    return [
        Sum(observable=item, steps=steps)
        for item in observables(instance, rng)
        for steps in _STEPS
        if steps <= _FEW_STEPS
        or n_states <= _FEW_STATES
        or (n_states <= BALL_STATES and item.label == "y")
    ]


def maxima(instance: Instance, rng: random.Random) -> Sequence[Maximum]:
    """Return observables with a start and a number of steps each."""
    return [
        Maximum(observable=item, start=start, steps=steps)
        for item, start in _with_starts(instance, rng)
        for steps in _MAXIMUM_STEPS
    ]


def tails(instance: Instance, rng: random.Random) -> Sequence[Tail]:
    """Return tails, of both forms, where the right side is about 0.75, 0.3 and 1e-5.

    An observable is left out at a number of steps at which its sum's lattice is too large.
    """
    cases = []
    for item, start in _with_starts(instance, rng):
        for steps in _TAIL_STEPS:
            if not _has_small_lattice(instance, item, steps):
                continue
            for about_mean in (False, True):
                scale = _squared_scale(instance, item, steps, about_mean=about_mean).sqrt()
                for deviations in _DEVIATIONS:
                    distance = end_points(ball(deviations) * scale)[1]
                    if not distance:
                        continue
                    case = Tail(
                        observable=item,
                        start=start,
                        steps=steps,
                        distance=_rounded_up(distance),
                        about_mean=about_mean,
                    )
                    cases.append(case)
    return cases


def _with_starts(instance: Instance, rng: random.Random) -> list[tuple[Observable, int]]:
    """Pair every observable with an initial state, the targets with the instance's own."""
    chain = instance.chain
    return [
        (item, chain.initial if item.label == "y" else rng.randrange(chain.n_states))
        for item in observables(instance, rng)
    ]


def _has_small_lattice(instance: Instance, observable: Observable, steps: int) -> bool:
    """Tell whether the law of a sum takes few products and little memory."""
    points = steps * lattice_of(observable.values).span + 1
    products = points * steps * sum(len(row) for row in instance.chain.rows)
    return products <= _MOST_WORK and points * instance.chain.n_states <= MAX_ENTRIES


def _rounded_up(distance: Fraction) -> Fraction:
    """Return a number of a few bits, larger by a part in 64 at most."""
    unit = Fraction(2) ** (distance.numerator.bit_length() - distance.denominator.bit_length() - 7)
    return ceil(distance / unit) * unit


def identities(instance: Instance, rng: random.Random) -> Sequence[Variance | Sum]:
    """Return the variance and a few stationary sums of observables that fluctuate under pi."""
    states = finite.recurrent_classes(instance.chain)[0].states
    cases: list[Variance | Sum] = []
    for item in observables(instance, rng):
        if len({item.values[state] for state in states}) > 1:
            cases.append(Variance(observable=item))
            cases += [Sum(observable=item, steps=steps) for steps in _EXACT_STEPS]
    return cases


# Left sides


def oscillation_or_residual(
    instance: Instance, case: Observable | Equation, *, uniform: bool = False
) -> Number:
    """Return ``osc(u)``; of an equation the largest residual of ``u = Z ft`` and ``|pi(u)|``.

    A mutant puts the uniform law in place of pi into Z.
    """
    chain = instance.chain
    if isinstance(case, Observable):
        return poisson_column(chain, case.values).oscillation()
    centred = centred_column(instance.chain, case.observable.values)
    if uniform:
        share = Matrix.constant(chain.n_states, chain.n_states, Fraction(1, chain.n_states))
        system = Matrix.identity(chain.n_states) - transition_matrix(chain) + share
        solution = system.solve(centred)
    else:
        solution = fundamental_matrix(chain) @ centred
    residual = solution - transition_matrix(chain) @ solution - centred
    mean = stationary_row(chain) @ solution
    return largest([residual.largest_absolute(), mean.largest_absolute()])


def root_mean_square(instance: Instance, case: Sum) -> Ball | Between:
    """Enclose ``max_i E_i[S_n^2]^(1/2)`` by the recursion of the moments."""
    chain = instance.chain
    if chain.n_states > BALL_STATES:
        centred = centred_column(instance.chain, case.observable.values).numbers()
        still = (Fraction(0),) * chain.n_states
        found = drifting_second_moments(chain, centred, still, case.steps)
        return maximum_between(found).map(root)
    return root(ball(Matrix.column(_second_moments(instance, case)).largest()))


def root_mean_square_maximum(instance: Instance, case: Maximum) -> Side:
    """Enclose ``E[max_{k<=n} S_k^2]^(1/2)``, or simulate it where its lattice is too large."""
    chain, values = instance.chain, case.observable.values
    mean = stationary_mean(chain, values)
    if isinstance(mean, Fraction):
        bounds = squared_maximum_bounds(
            chain, values, start=case.start, steps=case.steps, centre=mean
        )
        if bounds is not None:
            return Between(*(root(ball(bound)) for bound in bounds))
    try:
        found = squared_maximum_mean(chain, values, start=case.start, steps=case.steps, centre=mean)
    except NotEnclosed:
        draws = maximum_draws(chain, values, start=case.start, steps=case.steps, centre=mean)
        return Simulation(
            draw=draws,
            lower=Fraction(0),
            upper=Fraction(1),
            image=partial(_scaled_root, draws.scale),
            error=draws.bias,
        )
    return found.map(root)


def tail(instance: Instance, case: Tail) -> Side:
    """Enclose ``P(|S_n| >= osc(u) + r)``, or ``P(|S_n - E S_n| >= r)``, from the law of the sum."""
    chain, values = instance.chain, case.observable.values
    law = sum_law(chain, values, case.steps)
    if case.about_mean:
        mean = _mean_of_sum(instance, case)
        return law.tail(start=case.start, about=mean, threshold=case.distance)
    mean = ball(case.steps) * ball(stationary_mean(chain, values))
    spread = poisson_column(chain, values).oscillation()
    return law.tail(start=case.start, about=mean, threshold=ball(spread) + ball(case.distance))


def _mean_of_sum(instance: Instance, case: Tail) -> Number:
    """Enclose ``E_i[f(xi_0) + ... + f(xi_{n-1})]``, pushing the law of xi forward."""
    occupation = _occupation(instance.chain, case.start, case.steps, working_precision())
    return (occupation @ Matrix.column(case.observable.values)).numbers()[0]


@lru_cache(maxsize=64)
def _occupation(chain: Chain, start: int, steps: int, _bits: int) -> Matrix:
    """Enclose how often each state is expected in ``xi_0, ..., xi_{n-1}``, as a row."""
    first = [[Fraction(int(j == start)) for j in range(chain.n_states)]]
    law = occupation = Matrix.exact(first).in_balls()
    for _ in range(steps - 1):
        law = carried(chain, law)
        occupation = occupation + law
    return occupation


def _scaled_root(scale: Fraction, x: Ball) -> Ball:
    return ball(scale) * root(x)


def _second_moments(instance: Instance, case: Sum) -> tuple[Number, ...]:
    mean = stationary_mean(instance.chain, case.observable.values)
    return second_moments(instance.chain, case.observable.values, case.steps, centre=mean)


def variance_by_covariance(instance: Instance, case: Variance | Sum) -> Number:
    """Return ``2 <ft, u> - <ft, ft>``, or ``E_pi[S_n^2]`` by the recursion of the moments."""
    law = stationary_row(instance.chain)
    if isinstance(case, Sum):
        moments = _second_moments(instance, case)
        return (law @ Matrix.column(moments)).numbers()[0]
    centred = centred_column(instance.chain, case.observable.values)
    solution = poisson_column(instance.chain, case.observable.values)
    return (law @ (centred.hadamard(solution.scale(2) - centred))).numbers()[0]


# Right sides, and those of the mutants


def contraction_bound(instance: Instance, case: Observable | Equation) -> Number:
    """Return ``Delta osc(f)``; of an equation 0."""
    if isinstance(case, Equation):
        return Fraction(0)
    spread = max(case.values) - min(case.values)
    return times(spread, delta_sum(instance))


def second_eigenvalue_bound(instance: Instance, case: Observable | Equation) -> Number:
    """Return a bound of ``osc(f) / (1 - |lambda_2|)``, the mutant's, from above.

    ``|lambda_2| <= |P^k - 1 pi|^(1/k)`` for every k: what is refuted with the larger number is
    refuted with ``|lambda_2|``.
    """
    if isinstance(case, Equation):
        return Fraction(0)
    chain, doublings = instance.chain, 7
    deviation = transition_matrix(chain) - Matrix.constant(chain.n_states, 1, 1) @ stationary_row(
        chain
    )
    high = deviation.in_balls().power(2**doublings)
    ones = Matrix.constant(chain.n_states, 1, 1)
    absolute = Matrix.of_balls([[abs(ball(x)) for x in row] for row in high.entries()])
    rate = ball((absolute @ ones).largest())
    for _ in range(doublings):
        rate = rate.sqrt()
    return ball(max(case.values) - min(case.values)) / (1 - rate)


def martingale_bound(
    instance: Instance, case: Sum | Maximum, *, boundary: int = 1, factor: Fraction = Fraction(1)
) -> Ball:
    """Return ``boundary osc(u) + factor n^(1/2) s(u)``."""
    solution = poisson_column(instance.chain, case.observable.values)
    deviation = root(ball(_step_variance(instance, solution)))
    fluctuation = ball(factor) * ball(case.steps).sqrt() * deviation
    return boundary * ball(solution.oscillation()) + fluctuation


def _step_variance(instance: Instance, solution: Matrix) -> Number:
    """Return ``s(u)^2 = max_i Var_i(u(xi_1))``."""
    mean = averaged(instance.chain, solution)
    mean_square = averaged(instance.chain, solution.hadamard(solution))
    return (mean_square - mean.hadamard(mean)).largest()


def tail_bound(instance: Instance, case: Tail, *, factor: int = 2) -> Ball:
    """Return ``2 exp(-2 r^2 / (n osc(u)^2))``, or with ``sum_{l<n} osc(u_l)^2`` below.

    A mutant has another factor in the exponent.
    """
    scale = _squared_scale(instance, case.observable, case.steps, about_mean=case.about_mean)
    return 2 * (-factor * ball(case.distance**2) / scale).exp()


def _squared_scale(
    instance: Instance, observable: Observable, steps: int, *, about_mean: bool
) -> Ball:
    """Return ``n osc(u)^2``, or ``sum_{l<n} osc(u_l)^2``, ``u_l = sum_{k<l} P^k f``."""
    if not about_mean:
        solution = poisson_column(instance.chain, observable.values)
        return steps * square(ball(solution.oscillation()))
    return _summed_squares(instance.chain, observable.values, steps, working_precision())


@lru_cache(maxsize=64)
def _summed_squares(chain: Chain, values: tuple[Fraction, ...], steps: int, _bits: int) -> Ball:
    power = Matrix.column(values).in_balls()
    partial_sum, squares = power, ball(0)
    for _ in range(steps - 1):
        squares = squares + square(ball(partial_sum.oscillation()))
        power = averaged(chain, power)
        partial_sum = partial_sum + power
    return squares


def variance_by_martingale(instance: Instance, case: Variance | Sum, *, missing: int = 0) -> Number:
    """Return ``sigma_f^2 = pi(u^2) - pi((P u)^2)``, or ``n sigma_f^2 - 2 <ft, (I - P^n) Z P u>``.

    A mutant takes `missing` steps from the exponent.
    """
    chain, observable = instance.chain, case.observable
    law, matrix = stationary_row(chain), transition_matrix(chain)
    solution = poisson_column(chain, observable.values)
    mean = matrix @ solution
    variance = law @ (solution.hadamard(solution) - mean.hadamard(mean))
    if isinstance(case, Variance):
        return variance.numbers()[0]
    potential = fundamental_matrix(chain) @ mean
    left_over = potential - finite.power(chain, case.steps - missing) @ potential
    correction = law @ centred_column(instance.chain, observable.values).hadamard(left_over)
    return (variance.scale(case.steps) - correction.scale(2)).numbers()[0]


# What holds without the theorem


def possible_tail(instance: Instance, case: Tail) -> Number:
    """Return 1; 0 where no possible sum is so far off."""
    chain, values = instance.chain, case.observable.values
    low, high = sum_ranges(chain, values, case.steps)[case.start]
    if case.about_mean:
        centre, threshold = ball(_mean_of_sum(instance, case)), ball(case.distance)
    else:
        centre = ball(case.steps) * ball(stationary_mean(chain, values))
        threshold = ball(poisson_column(chain, values).oscillation()) + ball(case.distance)
    farthest = maximum((ball(high) - centre, centre - ball(low)))
    return Fraction(0) if less(farthest, threshold) is Truth.TRUE else Fraction(1)


def largest_sum(instance: Instance, case: Sum | Maximum) -> Number:
    """Return ``n max|ft|``."""
    return times(
        Fraction(case.steps),
        centred_column(instance.chain, case.observable.values).largest_absolute(),
    )


# The claims

ONE_STATE = Vacuity(
    reason="the chain has one state, so that every observable is constant", holds=has_one_state
)
POINT_MASS = Vacuity(
    reason="the stationary law is a point mass: nothing fluctuates under it",
    holds=rests_in_one_state,
)
DELTA = Constant(
    symbol="Delta",
    meaning="bound of the summed Dobrushin coefficients of all powers",
    formula=r"\Delta = m \prod_{i<k} (1 + \delta(P^{m 2^i})) / (1 - \delta(P^{m 2^k}))",
    value=delta_sum,
)
SPREAD = Constant(
    symbol="osc(u)",
    meaning="oscillation of the Poisson solution of the targets",
    formula=r"\operatorname{osc}(u) = \max u - \min u, \quad u - P u = y - \pi(y)",
    value=oscillation_for_targets,
)
DEVIATION = Constant(
    symbol="s(u)",
    meaning="largest deviation of one step of it",
    formula=r"s(u)^2 = \max_i \operatorname{Var}_i(u(\xi_1))",
    value=deviation_for_targets,
)
SOURCE = "Lam, Sirignano and Spiliopoulos (arXiv 2308.14555), section 5; constants of this project"
DRAWN = "for the observables, numbers of steps and starts drawn, not for all."

P1: Claim[Instance, Observable | Equation] = Claim(
    id="P1",
    theorem="poisson_fluctuation",
    title="The Poisson equation's solution oscillates little",
    statement=(
        "u = Z f̃ solves u − P u = f̃ with π(u) = 0, and osc(u) ≤ Δ osc(f), "
        "Δ = m Π_{i<k} (1 + δ(P^{m 2^i})) / (1 − δ(P^{m 2^k})) for any m and k with "
        "δ(P^{m 2^k}) < 1."
    ),
    formula=(
        r"\operatorname{osc}(u) \le \operatorname{osc}(f)\, \Delta, \qquad \Delta = "
        r"\frac{m \prod_{i<k} (1 + \delta(P^{m 2^i}))}{1 - \delta(P^{m 2^k})}"
    ),
    kind=SCHEMA,
    assumptions=(MIXING,),
    constants=(DELTA,),
    vacuities=(ONE_STATE,),
    cases=poisson_cases,
    left=oscillation_or_residual,
    right=contraction_bound,
    proof=(
        "(I − P + 1π) u = f̃ gives π(u) = π(f̃) = 0; u = Σ_k Pᵏ f̃, and Pᵏ shrinks oscillations by "
        "δ(Pᵏ), with δ(P^{j+km}) ≤ δ(Pʲ) δ(Pᵐ)ᵏ, so that doubling M multiplies Σ_{j<M} δ(Pʲ) by at "
        "most 1 + δ(P^M)."
    ),
    establishes=(
        "CERTIFIED: the equation (in exact rationals, for small chains) and the bound " + DRAWN
    ),
    source=SOURCE,
    sharp=("rain-tel-aviv", "two-state-sticky", "fair-coin"),
    mutants=(
        Mutant(
            name="second-eigenvalue",
            error="δ replaced by |λ₂|, as if the chain were reversible",
            refuted_on=("de-bruijn-history",),
            right=second_eigenvalue_bound,
        ),
        Mutant(
            name="no-stationary-law",
            error="Z replaced by (I − P + 1ν)⁻¹ with ν uniform, in place of 1π",
            refuted_on=("rain-tel-aviv",),
            left=partial(oscillation_or_residual, uniform=True),
        ),
    ),
)

P2: Claim[Instance, Sum] = Claim(
    id="P2",
    theorem="poisson_fluctuation",
    title="Sums along the chain grow like the root of the number of steps",
    statement="E_i[S_n^2]^½ ≤ osc(u) + √n s(u) from every state i, s(u)² = max_i Var_i(u(ξ₁)).",
    formula=(
        r"\max_i \mathbb{E}_i[S_n^2]^{1/2} \le \operatorname{osc}(u) + \sqrt{n}\, s(u), \qquad "
        r"s(u)^2 = \max_i \operatorname{Var}_i(u(\xi_1))"
    ),
    kind=SCHEMA,
    assumptions=(ONE_LAW,),
    constants=(SPREAD, DEVIATION),
    vacuities=(ONE_STATE,),
    cases=sums,
    left=root_mean_square,
    right=martingale_bound,
    trivial=largest_sum,
    proof=(
        "S_n = u(ξ₀) − u(ξ_n) + M_n, M_n a martingale whose increments have conditional variance "
        "at most s(u)²; Minkowski."
    ),
    establishes="CERTIFIED: the inequality from every initial state, " + DRAWN,
    source=SOURCE,
    uses=("P1",),
    sharp=("fair-coin",),
    evidence=EvidenceKind.DOUBLES,
    mutants=(
        Mutant(
            name="half-the-deviation",
            error="s(u) replaced by s(u)/2",
            refuted_on=("fair-coin",),
            right=partial(martingale_bound, factor=Fraction(1, 2)),
        ),
        Mutant(
            name="boundary-dropped",
            error="the term osc(u) dropped",
            refuted_on=("near-periodic",),
            right=partial(martingale_bound, boundary=0),
        ),
    ),
)

P3: Claim[Instance, Maximum] = Claim(
    id="P3",
    theorem="poisson_fluctuation",
    title="The largest sum along a path grows no faster",
    statement="E_i[max S_k^2, k ≤ n]^½ ≤ osc(u) + 2 √n s(u) from every state i.",
    formula=(
        r"\mathbb{E}_i\left[\max_{k \le n} S_k^2\right]^{1/2} \le "
        r"\operatorname{osc}(u) + 2 \sqrt{n}\, s(u)"
    ),
    kind=SCHEMA,
    assumptions=(ONE_LAW,),
    constants=(SPREAD, DEVIATION),
    vacuities=(ONE_STATE,),
    cases=maxima,
    left=root_mean_square_maximum,
    right=partial(martingale_bound, factor=Fraction(2)),
    trivial=largest_sum,
    proof="As P2, with Doob's inequality E[max M_k^2, k ≤ n] ≤ 4 E[M_n^2].",
    establishes=(
        "CERTIFIED: the inequality " + DRAWN + " SUPPORTED: the left side was simulated by "
        "independent paths, where the lattice of the sums is too large to be enumerated."
    ),
    source=SOURCE,
    uses=("P2",),
    sharp=("fair-coin",),
    evidence=EvidenceKind.SIMULATION,
    mutants=(
        Mutant(
            name="without-doob",
            error="the factor 2 of Doob's inequality dropped",
            refuted_on=("fair-coin",),
            right=martingale_bound,
        ),
    ),
)

P4: Claim[Instance, Tail] = Claim(
    id="P4",
    theorem="poisson_fluctuation",
    title="Large sums are exponentially rare",
    statement=(
        "P_i(|S_n| ≥ osc(u) + r) ≤ 2 exp(−2r²/(n osc(u)²)); P_i(|S_n − E_i S_n| ≥ r) ≤ "
        "2 exp(−2r²/Σ_{l<n} osc(u_l)²), u_l = Σ_{k<l} Pᵏ f."
    ),
    formula=(
        r"\mathbb{P}_i(|S_n| \ge \operatorname{osc}(u) + r) \le "
        r"2 \exp\left(-\frac{2 r^2}{n \operatorname{osc}(u)^2}\right)"
    ),
    kind=SCHEMA,
    assumptions=(ONE_LAW,),
    constants=(SPREAD,),
    vacuities=(ONE_STATE,),
    cases=tails,
    left=tail,
    right=tail_bound,
    trivial=possible_tail,
    proof=(
        "Given the past, the martingale's increment lies in an interval of length osc(u); in the "
        "second form, of length osc(u_{n−k}): Azuma and Hoeffding."
    ),
    establishes=(
        "CERTIFIED: the inequality, against the exact law of the sum on its lattice, " + DRAWN
    ),
    source=SOURCE,
    uses=("P1",),
    sharp=("fair-coin",),
    evidence=EvidenceKind.DOUBLES,
    mutants=(
        Mutant(
            name="exponent-doubled",
            error="2r² replaced by 4r²",
            refuted_on=("fair-coin",),
            right=partial(tail_bound, factor=4),
        ),
    ),
)

P5: Claim[Instance, Variance | Sum] = Claim(
    id="P5",
    theorem="poisson_fluctuation",
    title="The variance of stationary sums, exactly",
    statement=(
        "2⟨f̃, u⟩ − ⟨f̃, f̃⟩ = π(u²) − π((P u)²) = σ_f^2, and from π "
        "E[S_n^2] = n σ_f^2 − 2⟨f̃, (I − Pⁿ) Z P u⟩. Equalities; the chain may be periodic."
    ),
    formula=(
        r"\mathbb{E}_\pi[S_n^2] = n\, \sigma_f^2 - "
        r"2 \langle \tilde f, (I - P^n) Z P u \rangle_\pi, "
        r"\qquad 2 \langle \tilde f, u \rangle_\pi - \langle \tilde f, \tilde f \rangle_\pi = "
        r"\pi(u^2) - \pi((P u)^2) = \sigma_f^2"
    ),
    kind=SCHEMA,
    relation=Relation.EQUAL,
    assumptions=(ONE_LAW,),
    vacuities=(ONE_STATE, POINT_MASS),
    cases=identities,
    left=variance_by_covariance,
    right=variance_by_martingale,
    proof=(
        "Multiply f̃ = u − P u out under π; E_π S_n^2 = n⟨f̃, f̃⟩ + 2 Σ_{0<k<n} (n − k)⟨f̃, Pᵏ f̃⟩, and "
        "Σ_{k<n} Pᵏ f̃ = u − Pⁿ u."
    ),
    establishes="CERTIFIED: the equalities (in exact rationals, for small chains) " + DRAWN,
    source=SOURCE,
    uses=("P1",),
    sharp=("fair-coin", "rain-tel-aviv"),
    mutants=(
        Mutant(
            name="one-step-missing",
            error="Pⁿ replaced by Pⁿ⁻¹",
            refuted_on=("rain-tel-aviv", "periodic-three"),
            right=partial(variance_by_martingale, missing=1),
        ),
    ),
)

CLAIMS: tuple[AnyClaim, ...] = (P1, P2, P3, P4, P5)
