r"""Fluctuations of observables that move: drifting ones, and those that see the memory.

**Setting.**  As in `theorems.poisson_fluctuation`: a chain xi with one recurrent class of period 1,
its stationary law pi, ``osc``, ``s(u)^2 = max_i Var_i(u(xi_1))``, and the bound Delta of
``sum_k delta(P^k)``.  The joint chain is ``zeta_k = (xi_k, v_k)``, with
``v_{k+1} = Phi(x_{xi_k}, v_k)``, kernel Q and invariant law mu; ``q = s1 E|B| < 1``,
``vbar = s0 E|B|``, ``D = max_{i,j} sup_v |Phi(x_i, v) - Phi(x_j, v)|``.

**Statements.**
P6.  For observables f_k, deterministic or adapted, with Poisson solutions u_k and deterministic
bounds ``eps_k >= osc(f_k - f_{k-1})``, from every initial state:
``E[(sum_{k<n} f_k(xi_k) - pi(f_k))^2]^(1/2) <= osc(u_0) + Delta sum_{1<=k<n} eps_k +
(sum_{k<n} s(u_k)^2)^(1/2)``; for adapted f_k, with deterministic bounds of ``osc(u_0)`` and
``s(u_k)``.
P7.  Let F(i, v) differ by at most o_F between states at equal v, and have the Lipschitz constant l
in v.  The solution U of ``U - Q U = F - mu(F)`` differs between states at equal v by at most
``Omega = (o_F + l D / (1 - q)) Delta``, has the Lipschitz constant ``l / (1 - q)`` in v, and
``E[(sum_{k<n} F(zeta_k) - mu(F))^2]^(1/2) <= Omega + 2 vbar l / (1 - q) + (n p / 2)^(1/2) Omega``
from every (i, v), ``p = min(1/2, max_i (1 - sum_j P_ij^2))``.

**Proof.**  P6: ``f_k - pi(f_k) = [u_k(xi_k) - u_k(xi_{k+1})] + [u_k(xi_{k+1}) - (P u_k)(xi_k)]``.
The second brackets are martingale differences of variance at most s(u_k)^2.  With
``w_k = u_k - u_{k-1}`` the first sum to ``u_0(xi_0) - u_{n-1}(xi_n) + sum_{1<=k<n} w_k(xi_k)``,
which is ``u_0(xi_0) - u_0(xi_n) + sum_{1<=k<n} [w_k(xi_k) - w_k(xi_n)]``: at most the oscillation
of u_0 and those of the w_k, on every path; w_k solves the equation of ``f_k - f_{k-1}``, so that
``osc(w_k) <= Delta eps_k`` (P1).  For adapted f_k the bounds are deterministic, which is all that
Minkowski's inequality needs.  Where nothing moves, this is P2.
P7: ``U(i, v) - U(j, w) = sum_k E F(zeta_k) - E F(zeta'_k)`` for chains from (i, v) and (j, w),
however coupled.  From (i, v) and (i, w), fed the same inputs, ``|v_k - v'_k| <= q^k |v - w|``.
From (i, v) and (j, v) couple the states so that they are apart after k steps with probability
``TV(P^k_i, P^k_j) <= delta(P^k)``, for every k at once, and stay together once they have met (the
maximal coupling: Griffeath, Z. Wahrscheinlichkeitstheorie 31, 1975).  The expected number of steps
spent apart is at most Delta.  A step apart costs o_F, and moves the memories apart by D at most,
which is felt q times less in each later step: ``l D (1 + q + q^2 + ...)``.
The last statement is P2 with the oscillation ``Omega + 2 vbar l / (1 - q)`` of U over all (i, v);
given (i, v), ``v_1`` is known and U(xi_1, v_1) lies in an interval of length Omega: its variance
``sum_{j,k} P_ij P_ik (U_j - U_k)^2 / 2`` is at most ``Omega^2 (1 - sum_j P_ij^2) / 2``, and at most
``Omega^2 / 4`` (Popoviciu).

**How U is enclosed.**  For ``F(i, v) = a_i + l v``, ``U = u + l V`` up to a constant.  V is the sum
of all ``Q^k f``, ``f(i, v) = v``, on a grid of memories in double precision, with a proved error
(`verification.recurrent.joint_grid`).  After K terms ``g = Q^K f`` hardly depends on v:
``g(i, v) = c_i + eta(i, v)``.  The sum of all ``Q^k c = P^k c`` is a Poisson solution of the chain:
with its own of a it is solved as one linear system.  The sum of all ``Q^k eta`` is bounded by the
proof above, with the small oscillation and Lipschitz constant of eta: this is the only place where
the left side uses the theorem.  In the same way ``mu(v) = pi(c) + mu(eta)``.

**What the verdicts establish.**  CERTIFIED: the inequality for the observables and numbers of steps
drawn, for all states and all memories in ``[-vbar, vbar]``, whichever of them the memory that
starts from 0 visits; P7's Lipschitz constant for all memories a certain distance apart.

Source: Lam, Sirignano and Spiliopoulos, arXiv 2308.14555, section 5 (the Poisson equation of the
joint chain); constants and the inclusion of drifting observables are this project's.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial
from math import inf
from typing import TYPE_CHECKING, TypeAlias

from theorems.geometric_ergodicity import MIXING, D, one_step_sensitivity
from theorems.memory_contraction import CONTRACTION, NO_ACTIVATION, NO_MEMORY_WEIGHT, VBAR, Q
from theorems.poisson_fluctuation import DELTA, ONE_STATE, SOURCE
from verification.claim import AnyClaim, Claim, Mutant
from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    exact_ball,
    less,
    maximum,
    maximum_between,
    root,
    square,
    total,
    upper_double,
    working_precision,
)
from verification.enclosure.doubles import nearest
from verification.enclosure.matrix import Matrix, largest
from verification.enclosure.numbers import absolute
from verification.instance import SCHEMA, Chain, Instance
from verification.markov.columns import (
    averaged,
    centred_column,
    poisson_column,
    stationary_mean,
    summed_contraction,
)
from verification.markov.finite import BALL_STATES, scrambling_index
from verification.markov.fluctuation import drifting_second_moments, second_moments
from verification.recurrent.memory import contraction_factor, memory_bound
from verification.verdict import EvidenceKind, Truth

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from verification.recurrent.joint_grid import Grid, GridFunction, MemorySum

    Array: TypeAlias = npt.NDArray[np.float64]

_STEPS = (3, 30, 1_000)
_MANY_STEPS = 30_000
_JOINT_STEPS = (4, 30, 150)
_PIECES = 32
_RESOLVED = Fraction(1, 2**20)
# For a few roundings in doubles.
_ROOM = 1 + 2.0**-40


# Cases


@dataclass(frozen=True, kw_only=True)
class Drifting:
    """The observables ``f_k = f + (k/n) g``."""

    label: str
    fixed: tuple[Fraction, ...]
    moving: tuple[Fraction, ...]
    steps: int

    def __str__(self) -> str:
        return f"f_k = {self.label}, n = {self.steps}"


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """The observables ``f_k = sign(ft(xi_k)) f``, which know the state that they are taken at."""

    label: str
    values: tuple[Fraction, ...]
    steps: int

    def __str__(self) -> str:
        return f"f_k = sign(ft(xi_k)) f, f = {self.label}, n = {self.steps}"


@dataclass(frozen=True, kw_only=True)
class Affine:
    """The observable ``F(i, v) = a_i + l v``, and what is asked of it.

    Parameters
    ----------
    label : str
    levels : tuple of Fraction, shape (n_states,)
    slope : Fraction
    asked : str
        ``states`` or ``memory``: how much U differs between states, or between memories;
        ``sum``: the root mean square of a sum.
    steps : int
        Number of terms of the sum.
    """

    label: str
    levels: tuple[Fraction, ...]
    slope: Fraction
    asked: str
    steps: int = 0

    def __str__(self) -> str:
        what = {
            "states": "U between states",
            "memory": "U between memories",
            "sum": f"the sum of n = {self.steps} terms",
        }
        return f"F = {self.label}: {what[self.asked]}"


def moving_observables(instance: Instance, rng: random.Random) -> Sequence[Drifting | Adapted]:
    """Return drifts from the targets and from a random observable, and adapted observables."""
    n_states = instance.chain.n_states
    targets = instance.chain.targets
    drawn, other = (
        tuple(Fraction(rng.randint(-12, 12), 4) for _ in range(n_states)) for _ in range(2)
    )
    zero = (Fraction(0),) * n_states
    drifts = [
        ("y", targets, zero, (*_STEPS, _MANY_STEPS)),
        ("y + (k/n) g, g random", targets, drawn, _STEPS),
        ("random f + (k/n) g", other, drawn, _STEPS),
    ]
    cases: list[Drifting | Adapted] = [
        Drifting(label=label, fixed=fixed, moving=moving, steps=steps)
        for label, fixed, moving, lengths in drifts
        for steps in lengths
        if len(set(fixed)) > 1 or len(set(moving)) > 1
    ]
    for label, values in (("y", targets), ("random", drawn)):
        if len(set(values)) > 1:
            cases += [Adapted(label=label, values=values, steps=steps) for steps in _STEPS[:2]]
    return cases


def joint_observables(instance: Instance, _rng: random.Random) -> Sequence[Affine]:
    """Return v, y + v and y - v, and what is asked of each.

    Left out are y where it is constant, and how much the solution for v differs between states
    where the inputs hardly move the memory: no double tells it from 0.
    """
    targets, one = instance.chain.targets, Fraction(1)
    zero = (Fraction(0),) * instance.chain.n_states
    seen = ball(_RESOLVED) * ball(memory_bound(instance))
    moves = less(seen, one_step_sensitivity(instance).lower) is Truth.TRUE
    cases = [Affine(label="v", levels=zero, slope=one, asked="memory")]
    observables = [("v", zero, one, moves)]
    if len(set(targets)) > 1:
        observables += [("y + v", targets, one, True), ("y - v", targets, -one, True)]
    for label, levels, slope, differs in observables:
        if differs:
            cases.append(Affine(label=label, levels=levels, slope=slope, asked="states"))
        cases += [
            Affine(label=label, levels=levels, slope=slope, asked="sum", steps=steps)
            for steps in _JOINT_STEPS
        ]
    return cases


# Left sides


def root_mean_square_of_moving(instance: Instance, case: Drifting | Adapted) -> Between | Ball:
    """Enclose ``max_i E_i[(sum_{k<n} f_k(xi_k) - pi(f_k))^2]^(1/2)``."""
    chain = instance.chain
    if isinstance(case, Drifting) and any(case.moving):
        fixed, moving = (
            centred_column(instance.chain, values).numbers() for values in (case.fixed, case.moving)
        )
        return maximum_between(drifting_second_moments(chain, fixed, moving, case.steps)).map(root)
    if isinstance(case, Drifting):
        observable = centred_column(instance.chain, case.fixed).numbers()
    else:
        # Here f_k(xi_k) - pi(f_k) = |ft(xi_k)|.
        observable = [absolute(x) for x in centred_column(instance.chain, case.values).numbers()]
    if chain.n_states > BALL_STATES:
        still = (Fraction(0),) * chain.n_states
        found = drifting_second_moments(chain, observable, still, case.steps)
        return maximum_between(found).map(root)
    moments = second_moments(chain, observable, case.steps, centre=Fraction(0))
    return root(ball(largest(moments)))


def joint_left(instance: Instance, case: Affine) -> Between:
    """Enclose what U differs by between states or memories, or the root mean square of a sum."""
    return {
        "states": _between_states,
        "memory": _between_memories,
        "sum": _root_mean_square_of_joint,
    }[case.asked](instance, case)


def _between_states(instance: Instance, case: Affine) -> Between:
    """Enclose ``max_{i,j} sup_v |U(i, v) - U(j, v)|``."""
    from verification.recurrent import joint_grid  # noqa: PLC0415 - loads numpy

    known = joint_grid.grid(instance)
    memory = _summed_memory(instance, "states", working_precision())
    levels = _with_levels(case, _levels(memory.last))
    heights = [nearest(u) for u in poisson_column(instance.chain, levels).numbers()]
    solution = joint_grid.plus(
        joint_grid.affine(known, [Fraction(u) for u, _ in heights], Fraction(0)),
        joint_grid.scaled(memory.sum, case.slope),
    )
    inside, around = (
        exact_ball(_largest_spread(solution.values[:, where]))
        for where in (known.inside, known.around)
    )
    error = exact_ball(solution.error) + ball(max(bounds.error for _, bounds in heights))
    off = 2 * error + _rounding(around) + abs(ball(case.slope)) * exact_ball(memory.rest)
    low = (inside - off).nonnegative_part()
    return Between(low, around + off + 2 * _between(known, solution))


def _between_memories(instance: Instance, case: Affine) -> Between:
    """Enclose the largest ``|U(i, v) - U(i, w)| / |v - w|``, v and w as far apart as `_apart`."""
    from verification.recurrent import joint_grid  # noqa: PLC0415 - loads numpy

    known = joint_grid.grid(instance)
    memory = _summed_memory(instance, "memory", working_precision())
    cells, length = _apart(known)
    inside, around = (
        exact_ball(_largest_step(memory.sum.values[:, where], cells))
        for where in (known.inside, known.around)
    )
    off = 2 * exact_ball(memory.sum.error) + _rounding(around)
    low = ((inside - off) / length - exact_ball(memory.rest)).nonnegative_part()
    high = (around + off + 2 * _between(known, memory.sum)) / length + exact_ball(memory.rest)
    return Between(low, high).map(lambda value: abs(ball(case.slope)) * value)


def _root_mean_square_of_joint(instance: Instance, case: Affine) -> Between:
    """Enclose the largest ``E_{(i,v)}[(sum_{k<n} F(zeta_k) - mu(F))^2]^(1/2)``."""
    from verification.recurrent import joint_grid  # noqa: PLC0415 - loads numpy

    known = joint_grid.grid(instance)
    mean = invariant_mean(instance, case)
    centre, _ = nearest((mean.lower + mean.upper) / 2)
    function = joint_grid.shifted(joint_grid.affine(known, case.levels, case.slope), -centre)
    seen = joint_grid.second_moments(known, function, case.steps)
    low, high = joint_grid.supremum_bounds(known, seen)
    # The sum is off by n times what the centre is off by; Minkowski.
    off = maximum((mean.upper - exact_ball(centre), exact_ball(centre) - mean.lower))
    slack = case.steps * off
    lower = (root(exact_ball(low)) - slack).nonnegative_part()
    return Between(lower, root(exact_ball(high)) + slack)


def invariant_mean(instance: Instance, case: Affine) -> Between:
    """Enclose ``mu(F) = pi(a) + l mu(v)``; mu is invariant: ``mu(v) = mu(Q^K f)``, f(i, v) = v."""
    from verification.recurrent import joint_grid  # noqa: PLC0415 - loads numpy

    known = joint_grid.grid(instance)
    last = _summed_memory(instance, "memory", working_precision()).last
    values = last.values[:, known.around]
    levels, half = _levels(last), exact_ball(0.0)
    for value, low, high in zip(levels, values.min(axis=1), values.max(axis=1), strict=True):
        half = maximum((half, exact_ball(high - value), exact_ball(value - low)))
    mean = stationary_mean(instance.chain, _with_levels(case, levels))
    off = half + _rounding(half) + exact_ball(last.error) + _between(known, last)
    off, centre = abs(ball(case.slope)) * off, ball(mean)
    return Between(centre - off, centre + off)


@lru_cache(maxsize=16)
def _summed_memory(instance: Instance, asked: str, _bits: int) -> MemorySum:
    """Return enough terms of the sum V of all ``Q^k f``, ``f(i, v) = v``, for what is asked.

    Its `rest` bounds what the others add between states, or to the Lipschitz constant.  Between
    states they are ``Q^k c``, c as in `_levels`, which are not counted here, and ``Q^k eta``, which
    add ``(o_eta + l_eta D / (1 - q)) Delta`` at most.
    """
    from verification.recurrent import joint_grid  # noqa: PLC0415 - loads numpy

    known = joint_grid.grid(instance)
    lasting = 1 / (1 - ball(contraction_factor(instance)))
    per_slope = upper_double(lasting) * _ROOM
    if asked == "memory":
        weight = 2 * upper_double(1 / _apart(known)[1])
        return joint_grid.summed_memory(known, lambda last: per_slope * last.slope * _ROOM, weight)
    delta = ball(summed_contraction(instance.chain))
    per_state = upper_double(delta) * _ROOM
    per_slope = upper_double(delta * one_step_sensitivity(instance).upper * lasting) * _ROOM

    def rest(last: GridFunction) -> float:
        eta = last.values[:, known.around] - _levels(last)[:, None]
        error = last.error + known.spacing * known.spacing / 8 * last.curvature
        spread = _largest_spread(eta) + 2 * error + 2.0**-50 * last.size()
        return (per_state * spread + per_slope * last.slope) * _ROOM

    return joint_grid.summed_memory(known, rest, 2.0)


def _levels(last: GridFunction) -> Array:
    """Return the numbers c_i: ``Q^K f`` at the memory 0."""
    levels: Array = last.values[:, last.values.shape[1] // 2]
    return levels


def _with_levels(case: Affine, levels: Array) -> list[Fraction]:
    """Return ``a + l c``."""
    return [a + case.slope * Fraction(c) for a, c in zip(case.levels, levels.tolist(), strict=True)]


def _apart(known: Grid) -> tuple[int, Ball]:
    """Return a distance of memories, about ``vbar / 16``: in cells of the grid, and as it is."""
    cells = (len(known.memories) - 1) // _PIECES
    return cells, cells * exact_ball(known.spacing)


def _largest_spread(values: Array) -> float:
    return float((values.max(axis=0) - values.min(axis=0)).max())


def _largest_step(values: Array, cells: int) -> float:
    return float(abs(values[:, cells:] - values[:, :-cells]).max(initial=0.0))


def _between(known: Grid, function: GridFunction) -> Ball:
    """Bound the error of linear interpolation."""
    return exact_ball(function.curvature) * square(exact_ball(known.spacing)) / 8


def _rounding(difference: Ball) -> Ball:
    """Bound the rounding of a difference."""
    return ball(Fraction(1, 2**52)) * difference


# Right sides, and those of the mutants


def drift_bound(instance: Instance, case: Drifting | Adapted, *, with_drift: bool = True) -> Ball:
    """Return ``osc(u_0) + Delta sum eps_k + (sum s(u_k)^2)^(1/2)``.

    A mutant drops the drift's term.
    """
    chain, steps = instance.chain, case.steps
    drift = ball(0)
    if isinstance(case, Adapted):
        solution = poisson_column(chain, case.values)
        ends = ball(solution.oscillation())
        # Between sign(..) f and its negative lies twice the oscillation of f.
        each = 2 * (max(case.values) - min(case.values))
        squares = steps * ball(_covariance(chain, solution, solution).largest())
    else:
        fixed, moving = poisson_column(chain, case.fixed), poisson_column(chain, case.moving)
        ends = ball(fixed.oscillation())
        each = (max(case.moving) - min(case.moving)) / steps
        if any(case.moving):
            squares = _summed_variances(chain, fixed, moving, steps)
        else:
            squares = steps * ball(_covariance(chain, fixed, fixed).largest())
    if with_drift:
        drift = ball(summed_contraction(chain)) * ball((steps - 1) * each)
    return ends + drift + root(squares)


def _covariance(chain: Chain, first: Matrix, second: Matrix) -> Matrix:
    """Return ``Cov_i(u(xi_1), w(xi_1))`` for every i, as a column."""
    means = averaged(chain, first).hadamard(averaged(chain, second))
    return averaged(chain, first.hadamard(second)) - means


def _summed_variances(chain: Chain, fixed: Matrix, moving: Matrix, steps: int) -> Ball:
    """Return ``sum_{k<n} max_i Var_i((u + (k/n) w)(xi_1))``."""
    constant, cross, quadratic = (
        [ball(x) for x in _covariance(chain, u, w).numbers()]
        for u, w in ((fixed, fixed), (fixed, moving), (moving, moving))
    )
    times = [ball(Fraction(k, steps)) for k in range(steps)]
    return total(
        maximum(a + t * (2 * b + t * c) for a, b, c in zip(constant, cross, quadratic, strict=True))
        for t in times
    )


def joint_bound(
    instance: Instance,
    case: Affine,
    *,
    forgetting: bool = True,
    sensitive: bool = True,
    in_blocks: bool = True,
) -> Between:
    """Return Omega, ``l/(1 - q)``, or ``Omega + 2 vbar l/(1 - q) + (n p/2)^(1/2) Omega``.

    Mutants drop the factor ``1/(1 - q)``, or D, or the m in Delta.
    """
    remembering = 1 - ball(contraction_factor(instance)) if forgetting else ball(1)
    slope = abs(ball(case.slope)) / remembering
    if case.asked == "memory":
        return Between(slope, slope)
    chain = instance.chain
    spread = ball(max(case.levels) - min(case.levels))
    jump = one_step_sensitivity(instance) if sensitive else Between(ball(0), ball(0))
    factor = ball(summed_contraction(chain))
    if not in_blocks:
        factor = factor / (scrambling_index(chain) or 1)
    omega = jump.map(lambda d: (spread + slope * d) * factor)
    if case.asked == "states":
        return omega
    branching = max(1 - sum((share**2 for _, share in row), Fraction(0)) for row in chain.rows)
    noise = ball(min(branching, Fraction(1, 2)) * case.steps / 2).sqrt()
    ends = 2 * ball(memory_bound(instance)) * slope
    return omega.map(lambda value: value * (1 + noise) + ends)


# What holds without the theorem


def largest_moving_sum(instance: Instance, case: Drifting | Adapted) -> Ball:
    """Bound ``sum_k max_i |f_k(i) - pi(f_k)|``; with ``|ft|`` that is n times its maximum."""
    if isinstance(case, Adapted):
        return case.steps * ball(centred_column(instance.chain, case.values).largest_absolute())
    fixed, moving = (centred_column(instance.chain, values) for values in (case.fixed, case.moving))
    # A convex function of k/n lies below its chord.
    first, last = (ball(x.largest_absolute()) for x in (fixed, fixed + moving))
    return ((case.steps + 1) * first + (case.steps - 1) * last) / 2


def largest_joint(instance: Instance, case: Affine) -> Ball:
    """Return ``n (osc(a) + 2 |l| vbar)`` for a sum; nothing bounds U without the theorem."""
    if case.asked != "sum":
        return exact_ball(inf)
    spread = ball(max(case.levels) - min(case.levels))
    return case.steps * (spread + 2 * abs(ball(case.slope)) * ball(memory_bound(instance)))


# The claims

P6: Claim[Instance, Drifting | Adapted] = Claim(
    id="P6",
    theorem="joint_fluctuation",
    title="Sums of slowly varying observables",
    statement=(
        "For observables f_k with Poisson solutions u_k and ε_k ≥ osc(f_k − f_{k−1}): "
        "E_i[(Σ_{k<n} f_k(ξ_k) − π(f_k))²]^½ ≤ osc(u₀) + Δ Σ ε_k + (Σ s(u_k)²)^½."
    ),
    formula=(
        r"\mathbb{E}_i\Big[\big(\sum_{k<n} f_k(\xi_k) - \pi(f_k)\big)^2\Big]^{1/2} \le "
        r"\operatorname{osc}(u_0) + "
        r"\Delta \sum_{1 \le k < n} \varepsilon_k + \big(\sum_{k<n} s(u_k)^2\big)^{1/2}"
    ),
    kind=SCHEMA,
    assumptions=(MIXING,),
    constants=(DELTA,),
    vacuities=(ONE_STATE,),
    cases=moving_observables,
    left=root_mean_square_of_moving,
    right=drift_bound,
    trivial=largest_moving_sum,
    proof=(
        "f_k − π(f_k) = [u_k(ξ_k) − u_k(ξ_{k+1})] + [u_k(ξ_{k+1}) − (P u_k)(ξ_k)]: the second "
        "brackets are martingale differences; the first sum to u₀(ξ₀) − u₀(ξ_n) + "
        "Σ_{1≤k<n} [w_k(ξ_k) − w_k(ξ_n)], w_k = u_k − u_{k−1}, and osc(w_k) ≤ Δ ε_k."
    ),
    establishes=(
        "CERTIFIED: the inequality from every initial state for the observables drawn, drifting "
        "linearly or adapted."
    ),
    source=SOURCE,
    uses=("P1", "P2"),
    sharp=("fair-coin",),
    evidence=EvidenceKind.DOUBLES,
    mutants=(
        Mutant(
            name="drift-dropped",
            error="the term Δ Σ ε_k dropped, as if adapted observables could move for nothing",
            refuted_on=("fair-coin",),
            right=partial(drift_bound, with_drift=False),
        ),
    ),
)

P7: Claim[Instance, Affine] = Claim(
    id="P7",
    theorem="joint_fluctuation",
    title="The Poisson equation of the joint chain of state and memory",
    statement=(
        "U − Q U = F − μ(F): between states U differs by at most Ω = (o_F + l D/(1 − q)) Δ, its "
        "Lipschitz constant in v is at most l/(1 − q), and from every (i, v) "
        "E[(Σ_{k<n} F(ζ_k) − μ(F))²]^½ ≤ Ω + 2 v̄ l/(1 − q) + (n p/2)^½ Ω, "
        "p = min(½, max_i (1 − Σ_j P_ij²))."
    ),
    formula=(
        r"\max_{i,j} \sup_v |U(i, v) - U(j, v)| \le \Omega = "
        r"\left(o_F + \frac{l D}{1 - q}\right) \Delta, \qquad "
        r"\operatorname{Lip}_v(U) \le \frac{l}{1 - q}"
    ),
    kind=SCHEMA,
    assumptions=(CONTRACTION, MIXING),
    constants=(DELTA, Q, VBAR, D),
    vacuities=(NO_MEMORY_WEIGHT, NO_ACTIVATION),
    cases=joint_observables,
    left=joint_left,
    right=joint_bound,
    trivial=largest_joint,
    proof=(
        "Couple two joint chains: fed the same inputs memories approach at rate q; states stay "
        "apart for Δ steps on average, each of which costs o_F and moves the memories by D, felt "
        "1/(1 − q) times. The sum: P2 with U, whose variance over one step is at most p Ω²/2."
    ),
    establishes=(
        "CERTIFIED: the inequality for F = v, y + v and y − v, all states and all |v| ≤ v̄, for "
        "sums of the lengths listed; of the Lipschitz constant, for all v and w about v̄/16 apart. "
        "Where the memory that starts from 0 stays 0, the inequality is about the others."
    ),
    source=SOURCE,
    uses=("P1", "P2", "M1", "E1"),
    sharp=("sharp-ergodic", "sharp-fixed-point"),
    evidence=EvidenceKind.DOUBLES,
    mutants=(
        Mutant(
            name="memory-forgotten-at-once",
            error="the factor 1/(1 − q) dropped",
            refuted_on=("two-state-sticky",),
            right=partial(joint_bound, forgetting=False),
        ),
        Mutant(
            name="inputs-do-not-matter",
            error="the term l D/(1 − q) dropped",
            refuted_on=("two-state-sticky",),
            right=partial(joint_bound, sensitive=False),
        ),
        Mutant(
            name="one-step-apart",
            error="Δ replaced by Δ/m, as if states met within one step of a block of m",
            refuted_on=("mutant-m-step",),
            right=partial(joint_bound, in_blocks=False),
        ),
    ),
)

CLAIMS: tuple[AnyClaim, ...] = (P6, P7)
