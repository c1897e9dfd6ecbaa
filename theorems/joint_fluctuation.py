r"""Fluctuations of observables that move: drifting ones, and those that see the memory.

**Setting.**  As in `theorems.poisson_fluctuation`: a chain xi with one recurrent class of period 1,
its stationary law pi, ``osc``, ``s(u)^2 = max_i Var_i(u(xi_1))``, and the bound Delta of
``sum_k delta(P^k)``.  The joint chain is ``zeta_k = (xi_k, v_k)``, with
``v_{k+1} = Phi(x_{xi_k}, v_k)``, kernel Q and invariant law mu; ``q = s1 E|B| < 1``,
``vbar = s0 E|B|``, ``D = max_{i,j} sup_v |Phi(x_i, v) - Phi(x_j, v)|``.

**Statements.**
P6.  For observables f_k, deterministic or adapted, with Poisson solutions u_k and
``eps_k = osc(f_k - f_{k-1})``, from every initial state:
``E[(sum_{k<n} f_k(xi_k) - pi(f_k))^2]^(1/2) <= osc(u_0) + Delta sum_{1<=k<n} eps_k +
(sum_{k<n} s(u_k)^2)^(1/2)``; for adapted f_k, with deterministic bounds of ``osc(u_0)`` and of the
two sums.
P6M.  ``E[max_{m<=n} (sum_{k<m} f_k(xi_k) - pi(f_k))^2]^(1/2) <= osc(u_0) + Delta sum_{1<=k<n} eps_k
+ 2 (sum_{k<n} s(u_k)^2)^(1/2)``, for the same f_k: only the last term is doubled.
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
Minkowski's inequality needs, and ``E M_n^2 = E sum_k Var(u_k(xi_{k+1}) | xi_0, ..., xi_k)``.  Where
nothing moves, this is P2.
P6M: the same with m in place of n, on every path and for every m at once,
``|sum_{k<m} f_k(xi_k) - pi(f_k)| <= osc(u_0) + Delta sum_{1<=k<m} eps_k + |M_m|``, M_m the sum of
the first m martingale differences; and the sum up to m is at most the one up to n.  So the maximum
over m, wherever it is attained, costs ``max_m |M_m|`` alone: Doob's inequality,
``E max_{m<=n} M_m^2 <= 4 E M_n^2``.  (Summed by parts the usual way the boundary terms are
``osc(u_0) + osc(u_{m-1})``, the second one that of the random m; as ``osc(u_{m-1}) <=
osc(u_{n-1}) + sum_{m<=k<n} osc(w_k)``, which are the w_k that the sum up to m does not use,
``osc(u_0) + osc(u_{n-1}) + Delta sum eps_k`` would do as well.  It is never needed.)
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
drawn, for all states (P6M: the initial states drawn) and all memories in ``[-vbar, vbar]``,
whichever of them the memory that starts from 0 visits; P7's Lipschitz constant for all memories a
certain distance apart.  SUPPORTED (P6M): the left side was simulated, at the error level stated.

Source: Lam, Sirignano and Spiliopoulos, arXiv 2308.14555, section 5 (the Poisson equation of the
joint chain); constants and the inclusion of drifting observables are this project's.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING, TypeAlias

from theorems.geometric_ergodicity import MIXING, D, one_step_sensitivity
from theorems.memory_contraction import CONTRACTION, NO_ACTIVATION, NO_MEMORY_WEIGHT, VBAR, Q
from theorems.poisson_fluctuation import DELTA, ONE_STATE, SOURCE
from verification.claim import AnyClaim, Claim, Mutant, Number, Side
from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    end_points,
    exact_ball,
    less,
    maximum,
    maximum_between,
    root,
    square,
    symmetric,
    total,
    upper_double,
    working_precision,
)
from verification.enclosure.doubles import nearest
from verification.enclosure.matrix import Matrix, largest
from verification.enclosure.numbers import absolute, minus, times
from verification.errors import NotEnclosed
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
from verification.markov.maximum_draws import walk_maximum_draws
from verification.markov.merged_paths import walk_maximum_bounds
from verification.markov.path_maximum import walk_maximum_means
from verification.markov.visits import first_pair, remembering_visit
from verification.markov.walk import Walk, moving_walk
from verification.recurrent.memory import contraction_factor, memory_bound
from verification.statistics.simulation import Simulation
from verification.verdict import EvidenceKind, Truth

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from verification.recurrent.joint_grid import Grid, GridFunction, MemorySum

    Array: TypeAlias = npt.NDArray[np.float64]

_STEPS = (3, 30, 1_000)
_MANY_STEPS = 30_000
_DRIFT_STEPS = 30
_PATH_STEPS = (40, 400)
_LONG_PATH, _FEW_STATES = 400, 10
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

    @property
    def times(self) -> tuple[Fraction, ...]:
        """The numbers k/n."""
        return _even(self.steps)

    @property
    def total_time(self) -> Fraction:
        """The sum of the numbers k/n."""
        return Fraction(self.steps - 1, 2)

    @property
    def passed(self) -> Fraction:
        """By how much they change altogether."""
        return Fraction(self.steps - 1, self.steps)


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """The observables ``f_k = sign(ft(xi_k)) f``, which know the state that they are taken at."""

    label: str
    values: tuple[Fraction, ...]
    steps: int

    def __str__(self) -> str:
        return f"f_k = sign(ft(xi_k)) f, f = {self.label}, n = {self.steps}"


@dataclass(frozen=True, kw_only=True)
class Switching:
    """The observables f until the path first visits a state, and ``-f`` from then on.

    Parameters
    ----------
    label : str
        What f is.
    values : tuple of Fraction, shape (n_states,)
        The function f.
    state, steps : int
    start : int, optional
        The initial state; none where the largest value over all of them is meant.
    """

    label: str
    values: tuple[Fraction, ...]
    state: int
    steps: int
    start: int | None = None

    def __str__(self) -> str:
        where = "" if self.start is None else f", from state {self.start}"
        what = f"f, from the first visit of {self.state} on -f, f = {self.label}"
        return f"f_k = {what}{where}, n = {self.steps}"


@dataclass(frozen=True, kw_only=True)
class Path:
    """The observables ``f_k = f + t_k g``, ``0 <= t_k <= 1``, from one initial state.

    `label` says of both what they are, `times` are the t_k.
    """

    label: str
    fixed: tuple[Fraction, ...]
    moving: tuple[Fraction, ...]
    times: tuple[Fraction, ...]
    start: int

    def __str__(self) -> str:
        return f"f_k = {self.label}, from state {self.start}, n = {self.steps}"

    @property
    def steps(self) -> int:
        """The number n."""
        return len(self.times)

    @property
    def total_time(self) -> Fraction:
        """The sum of the t_k."""
        return sum(self.times, Fraction(0))

    @property
    def passed(self) -> Fraction:
        """By how much the t_k change altogether."""
        return sum((abs(t - s) for s, t in pairwise(self.times)), Fraction(0))


@dataclass(frozen=True, kw_only=True)
class Returning:
    """The observables ``sign(ft(xi_k)) f`` while ``k < n/2``, then their negatives.

    The sum of the first half is as large as any, and the second half takes it away again.
    """

    label: str
    values: tuple[Fraction, ...]
    steps: int
    start: int

    def __str__(self) -> str:
        what = f"f_k = sign(ft(xi_k)) f, from n/2 on its negative, f = {self.label}"
        return f"{what}, from state {self.start}, n = {self.steps}"


Moving: TypeAlias = Drifting | Adapted | Switching | Path | Returning


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


def moving_observables(
    instance: Instance, rng: random.Random
) -> Sequence[Drifting | Adapted | Switching]:
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
    cases: list[Drifting | Adapted | Switching] = [
        Drifting(label=label, fixed=fixed, moving=moving, steps=steps)
        for label, fixed, moving, lengths in drifts
        for steps in lengths
        if len(set(fixed)) > 1 or len(set(moving)) > 1
    ]
    for label, values in (("y", targets), ("random", drawn)):
        if len(set(values)) > 1:
            cases += [Adapted(label=label, values=values, steps=steps) for steps in _STEPS[:2]]
            state = rng.randrange(n_states)
            cases += [
                Switching(label=label, values=values, state=state, steps=steps)
                for steps in _STEPS[1:]
            ]
    return cases


def moving_paths(instance: Instance, rng: random.Random) -> Sequence[Path | Switching | Returning]:
    """Return drifts, a jump, an observation that begins late, and adapted observables.

    Each has an initial state, that of the targets the instance's own.
    """
    chain = instance.chain
    targets, n_states = chain.targets, chain.n_states
    drawn = tuple(Fraction(rng.randint(-12, 12), 4) for _ in range(n_states))
    slow = tuple(Fraction(rng.randint(-4, 4), 4) for _ in range(n_states))
    zero, opposite = (Fraction(0),) * n_states, tuple(-2 * y for y in targets)
    start = rng.randrange(n_states)
    turning = [n for n in _PATH_STEPS if n < _LONG_PATH or n_states <= _FEW_STATES]
    paths = [
        *(
            Path(label=label, fixed=fixed, moving=slow, times=_even(_DRIFT_STEPS), start=first)
            for label, fixed, first in (
                ("y + (k/n) g, g random", targets, chain.initial),
                ("random f + (k/n) g", drawn, start),
            )
        ),
        *(
            Path(
                label="y, from n/2 on -y",
                fixed=targets,
                moving=opposite,
                times=_step_at(steps // 2, steps),
                start=chain.initial,
            )
            for steps in turning
        ),
        Path(
            label="0, from k = 1 on y",
            fixed=zero,
            moving=targets,
            times=_step_at(1, _PATH_STEPS[0]),
            start=chain.initial,
        ),
    ]
    cases: list[Path | Switching | Returning] = [
        path for path in paths if len(set(path.fixed)) > 1 or len(set(path.moving)) > 1
    ]
    for label, values, first in (("y", targets, chain.initial), ("random", drawn, start)):
        state = rng.randrange(n_states)
        if len(set(values)) > 1:
            cases.append(
                Switching(
                    label=label, values=values, state=state, steps=_PATH_STEPS[0], start=first
                )
            )
    if len(set(targets)) > 1:
        cases.append(
            Returning(label="y", values=targets, steps=_PATH_STEPS[0], start=chain.initial)
        )
    return cases


@lru_cache(maxsize=16)
def _even(steps: int) -> tuple[Fraction, ...]:
    """Return the numbers k/n."""
    return tuple(Fraction(k, steps) for k in range(steps))


def _step_at(first: int, steps: int) -> tuple[Fraction, ...]:
    """Return 0 before a time and 1 from then on."""
    return tuple(Fraction(int(k >= first)) for k in range(steps))


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


def root_mean_square_of_moving(
    instance: Instance, case: Drifting | Adapted | Switching
) -> Between | Ball:
    """Enclose ``max_i E_i[(sum_{k<n} f_k(xi_k) - pi(f_k))^2]^(1/2)``."""
    chain, firsts = instance.chain, list(range(instance.chain.n_states))
    if isinstance(case, Drifting) and any(case.moving):
        fixed, moving = (
            centred_column(instance.chain, values).numbers() for values in (case.fixed, case.moving)
        )
        return maximum_between(drifting_second_moments(chain, fixed, moving, case.steps)).map(root)
    if isinstance(case, Drifting):
        observable = centred_column(instance.chain, case.fixed).numbers()
    elif isinstance(case, Switching):
        centred = centred_column(instance.chain, case.values).numbers()
        observable = [*centred, *(times(Fraction(-1), x) for x in centred)]
        firsts = [first_pair(chain, case.state, start) for start in firsts]
        chain = remembering_visit(chain, case.state)
    else:
        # Here f_k(xi_k) - pi(f_k) = |ft(xi_k)|.
        observable = [absolute(x) for x in centred_column(instance.chain, case.values).numbers()]
    if chain.n_states > BALL_STATES:
        still = (Fraction(0),) * chain.n_states
        found = drifting_second_moments(chain, observable, still, case.steps)
        return maximum_between([found[i] for i in firsts]).map(root)
    moments = second_moments(chain, observable, case.steps, centre=Fraction(0))
    return root(ball(largest([moments[i] for i in firsts])))


def root_mean_square_maximum_of_moving(
    instance: Instance, case: Path | Switching | Returning
) -> Side:
    """Enclose ``E[max_{m<=n} (sum_{k<m} f_k(xi_k) - pi(f_k))^2]^(1/2)``, or simulate it."""
    chain, start, walked = walk_of(instance, case)
    if not walked.error:
        bounds = walk_maximum_bounds(chain, walked, start=start, steps=case.steps)
        if bounds is not None:
            return Between(*(root(ball(bound)) for bound in bounds))
    try:
        found = walk_maximum_means(chain, walked, steps=case.steps)[start]
    except NotEnclosed:
        draws = walk_maximum_draws(chain, walked, start=start, steps=case.steps)
        return Simulation(
            draw=draws,
            lower=Fraction(0),
            upper=Fraction(1),
            image=partial(_scaled_root, draws.scale),
            error=draws.bias,
        )
    return found.map(root)


def walk_of(instance: Instance, case: Path | Switching | Returning) -> tuple[Chain, int, Walk]:
    """Write the sums of ``f_k(xi_k) - pi(f_k)`` as a walk along a chain, from a state of it."""
    chain, start = instance.chain, case.start
    if start is None:
        raise ValueError(f"{case}: expected an initial state")
    if isinstance(case, Path):
        means = [stationary_mean(chain, values) for values in (case.fixed, case.moving)]
        # Of equal times there is one function and one centre.
        at = {
            t: (
                [f + t * g for f, g in zip(case.fixed, case.moving, strict=True)],
                minus(means[0], times(-t, means[1])),
            )
            for t in set(case.times)
        }
        observables, centres = zip(*(at[t] for t in case.times), strict=True)
        return chain, start, moving_walk(observables, centres=centres)
    near, off = _near_centred(case.values, stationary_mean(chain, case.values))
    if isinstance(case, Switching):
        pairs = remembering_visit(chain, case.state)
        both = [*near, *(-x for x in near)]
        start = first_pair(chain, case.state, start)
        return pairs, start, moving_walk([both] * case.steps, centres=[off] * case.steps)
    # Here sign(ft(xi_k)) (f(xi_k) - pi(f)) = |ft(xi_k)|.
    rising, falling = [abs(x) for x in near], [-abs(x) for x in near]
    functions = [rising if 2 * k < case.steps else falling for k in range(case.steps)]
    return chain, start, moving_walk(functions, centres=[off] * case.steps)


def _near_centred(values: Sequence[Fraction], mean: Number) -> tuple[list[Fraction], Number]:
    """Return rationals near ``f(i) - mean``, and a number that holds what they are off by."""
    if isinstance(mean, Fraction):
        return [value - mean for value in values], Fraction(0)
    low, high = end_points(mean)
    middle = (low + high) / 2
    return [value - middle for value in values], symmetric(ball((high - low) / 2))


def _scaled_root(scale: Fraction, x: Ball) -> Ball:
    return ball(scale) * root(x)


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
    function = _less(instance, case.levels, case.slope, centre, working_precision())
    seen = joint_grid.second_moments(known, function, case.steps)
    low, high = joint_grid.supremum_bounds(known, seen)
    # The sum is off by n times what the centre is off by; Minkowski.
    off = maximum((mean.upper - exact_ball(centre), exact_ball(centre) - mean.lower))
    slack = case.steps * off
    lower = (root(exact_ball(low)) - slack).nonnegative_part()
    return Between(lower, root(exact_ball(high)) + slack)


# One function for several numbers of terms, whose moments follow from each other.
@lru_cache(maxsize=1)
def _less(
    instance: Instance, levels: tuple[Fraction, ...], slope: Fraction, centre: float, _bits: int
) -> GridFunction:
    from verification.recurrent import joint_grid  # noqa: PLC0415 - loads numpy

    function = joint_grid.affine(joint_grid.grid(instance), levels, slope)
    return joint_grid.shifted(function, -centre)


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


def drift_bound(
    instance: Instance,
    case: Moving,
    *,
    with_drift: bool = True,
    with_delta: bool = True,
    factor: int = 1,
) -> Ball:
    """Return ``osc(u_0) + Delta sum eps_k + factor (sum s(u_k)^2)^(1/2)``.

    Mutants drop the drift's term, Delta in it, or the factor 2 of Doob's inequality.
    """
    chain, steps = instance.chain, case.steps
    drift = ball(0)
    if isinstance(case, Adapted | Switching | Returning):
        solution = poisson_column(chain, case.values)
        boundary = ball(solution.oscillation())
        # Between f and its negative lies twice the oscillation of f; one case switches once.
        changes = min(steps - 1, 1) if isinstance(case, Switching) else steps - 1
        moved = 2 * changes * (max(case.values) - min(case.values))
        squares = steps * ball(_covariance(chain, solution, solution).largest())
    else:
        fixed, moving = poisson_column(chain, case.fixed), poisson_column(chain, case.moving)
        if any(case.moving):
            at = case.times
            boundary = ball((fixed + moving.scale(at[0])).oscillation())
            moved = case.passed * (max(case.moving) - min(case.moving))
            squares = _summed_variances(chain, fixed, moving, at)
        else:
            boundary, moved = ball(fixed.oscillation()), Fraction(0)
            squares = steps * ball(_covariance(chain, fixed, fixed).largest())
    if with_drift:
        drift = (ball(summed_contraction(chain)) if with_delta else 1) * ball(moved)
    return boundary + drift + factor * root(squares)


def _covariance(chain: Chain, first: Matrix, second: Matrix) -> Matrix:
    """Return ``Cov_i(u(xi_1), w(xi_1))`` for every i, as a column."""
    means = averaged(chain, first).hadamard(averaged(chain, second))
    return averaged(chain, first.hadamard(second)) - means


def _summed_variances(chain: Chain, fixed: Matrix, moving: Matrix, at: Sequence[Fraction]) -> Ball:
    """Return ``sum_k max_i Var_i((u + t_k w)(xi_1))``."""
    constant, cross, quadratic = (
        [ball(x) for x in _covariance(chain, u, w).numbers()]
        for u, w in ((fixed, fixed), (fixed, moving), (moving, moving))
    )
    coefficients = [(a, 2 * b, c) for a, b, c in zip(constant, cross, quadratic, strict=True)]
    return total(
        count * maximum(a + t * (b + t * c) for a, b, c in coefficients)
        for t, count in ((ball(t), count) for t, count in Counter(at).items())
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


def largest_moving_sum(instance: Instance, case: Moving) -> Ball:
    """Bound ``sum_k max_i |f_k(i) - pi(f_k)|``; with ``|ft|`` that is n times its maximum."""
    if isinstance(case, Adapted | Switching | Returning):
        return case.steps * ball(centred_column(instance.chain, case.values).largest_absolute())
    fixed, moving = (centred_column(instance.chain, values) for values in (case.fixed, case.moving))
    # A convex function of t_k lies below its chord.
    first, last = (ball(x.largest_absolute()) for x in (fixed, fixed + moving))
    at_last = case.total_time
    return ball(case.steps - at_last) * first + ball(at_last) * last


def largest_joint(instance: Instance, case: Affine) -> Ball:
    """Return ``n (osc(a) + 2 |l| vbar)`` for a sum; nothing bounds U without the theorem."""
    if case.asked != "sum":
        return exact_ball(inf)
    spread = ball(max(case.levels) - min(case.levels))
    return case.steps * (spread + 2 * abs(ball(case.slope)) * ball(memory_bound(instance)))


# The claims

P6: Claim[Instance, Drifting | Adapted | Switching] = Claim(
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
        "CERTIFIED: the inequality from every initial state for the observables drawn: drifting "
        "linearly, or adapted (their sign follows the state, or turns at a first visit)."
    ),
    source=SOURCE,
    uses=("P1", "P2"),
    sharp=("fair-coin", "sharp-ladder"),
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

P6M: Claim[Instance, Path | Switching | Returning] = Claim(
    id="P6M",
    theorem="joint_fluctuation",
    title="The largest sum of slowly varying observables along a path",
    statement=(
        "For observables f_k with Poisson solutions u_k and ε_k ≥ osc(f_k − f_{k−1}): "
        "E_i[max_{m≤n} (Σ_{k<m} f_k(ξ_k) − π(f_k))²]^½ ≤ osc(u₀) + Δ Σ ε_k + 2 (Σ s(u_k)²)^½."
    ),
    formula=(
        r"\mathbb{E}_i\Big[\max_{m \le n} \big(\sum_{k<m} f_k(\xi_k) - \pi(f_k)\big)^2\Big]^{1/2} "
        r"\le \operatorname{osc}(u_0) + \Delta \sum_{1 \le k < n} \varepsilon_k + "
        r"2 \big(\sum_{k<n} s(u_k)^2\big)^{1/2}"
    ),
    kind=SCHEMA,
    assumptions=(MIXING,),
    constants=(DELTA,),
    vacuities=(ONE_STATE,),
    cases=moving_paths,
    left=root_mean_square_maximum_of_moving,
    right=partial(drift_bound, factor=2),
    trivial=largest_moving_sum,
    proof=(
        "As P6 with m in place of n: the first brackets sum to no more than osc(u₀) + Δ Σ ε_k on "
        "every path and for every m at once, and E[max M_m², m ≤ n] ≤ 4 E[M_n²] (Doob)."
    ),
    establishes=(
        "CERTIFIED: the inequality for the observables and initial states drawn: drifting, "
        "jumping or adapted. SUPPORTED: the left side was simulated by independent paths, where "
        "the lattice of the sums is too large to be enumerated."
    ),
    source=SOURCE,
    uses=("P1", "P3", "P6"),
    sharp=("sharp-ladder", "fair-coin"),
    evidence=EvidenceKind.SIMULATION,
    mutants=(
        Mutant(
            name="without-doob",
            error="the factor 2 of Doob's inequality dropped",
            refuted_on=("fair-coin",),
            right=drift_bound,
        ),
        Mutant(
            name="drift-dropped",
            error="the term Δ Σ ε_k dropped, as if adapted observables could move for nothing",
            refuted_on=("fair-coin",),
            right=partial(drift_bound, factor=2, with_drift=False),
        ),
        Mutant(
            name="solutions-move-like-observables",
            error="Δ dropped, as if osc(w_k) were at most ε_k",
            refuted_on=("sharp-ladder",),
            right=partial(drift_bound, factor=2, with_delta=False),
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

CLAIMS: tuple[AnyClaim, ...] = (P6, P6M, P7)
