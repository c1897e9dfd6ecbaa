r"""Geometric ergodicity of the joint chain of data and memory, and of its data alone.

**Setting.**  xi is a Markov chain on states i with inputs x_i, transition matrix P and stationary
law pi; the memory obeys ``v_{k+1} = Phi(x_{xi_k}, v_k)``.  The *joint chain* zeta_k = (xi_k, v_k)
has the kernel Q: from (i, v) to ``(j, Phi(x_i, v))`` with probability P_ij.  Points are at the
distance ``d_M((i, v), (j, w)) = M 1{i != j} + |v - w|``, laws at the distance W, the least mean of
d_M over their couplings.  ``delta(P)`` is the largest total variation between two rows of P (the
Dobrushin coefficient), ``D = max_{i,j} sup_{|v| <= vbar} |Phi(x_i, v) - Phi(x_j, v)|``, and m the
least number of steps with ``delta(P^m) < 1``.

**Assumptions.**  ``q = s1 E|B| < 1``.  E1, E3, E4: ``delta(P^m) < 1`` for some m, that is, one
recurrent class, of period 1.  E2, E5: one recurrent class, of any period.

**Statements.**
E1.  For ``M > D_m / (1 - delta(P^m))``, ``D_m = D (1 - q^m) / (1 - q)``:
``W(zeta Q^m, zeta' Q^m) <= kappa d_M(zeta, zeta')`` with
``kappa = max(q^m, delta(P^m) + D_m / M) < 1``.
E2.  Q has exactly one invariant law mu, that of (xi_0, V(xi_{-1}, xi_{-2}, ...)), V the random
fixed point of M5.  The law mu_m of xi_0 and of the memory that starts from 0 m steps before obeys
``W(mu, mu_m) <= q^m int |v| dmu`` for every M.
E3.  ``W(zeta Q^{mk}, mu) <= kappa^k (M + 2 vbar)`` from every start.
E4.  For any row vector p:
``|p - pi|_1 <= |sum p - 1| + |pP - p|_1 sum_{j<m} delta(P^j) / (1 - delta(P^m))``.
E5.  Let r be a recurrent state, ``h_i = E_i[steps until r]``, ``h_r = 0``, and ``e = pP - p``:
``|p - (sum p) pi|_1 <= 2 max(sum_i e_i^+ h_i, sum_i e_i^- h_i)``, for any row vector p.  A larger h
may stand in its place: any ``h >= 0`` with ``h_i >= 1 + sum_{j != r} P_ij h_j`` for i != r.

**Proof.**  E1: couple xi_m and xi'_m so that they differ with probability at most delta(P^m) if
i != j, and never if i = j, and extend this to the path in any way.  Then ``|v_{k+1} - w_{k+1}| <=
q |v_k - w_k| + D 1{xi_k != xi'_k}`` sums to ``q^m |v - w| + D_m 1{i != j}`` at most.  E2: couple
with equal xi; the difference is at most ``q^m |V_{-m}|``, and V_{-m} has the law of v under mu; two
invariant laws, coupled so for ever, agree.  E3: iterate E1 and integrate over mu.  E4: for
``x = p - (sum p) pi``, ``x - x P^m = -sum_{j<m} e P^j``, and on vectors of sum 0, such as x and e,
P^j contracts by delta(P^j).  E5: x has sum 0, so that ``|x|_1 = 2 max_A |x(A)|``.  Let
``u_i = E_i sum_{k < tau} (1_A - pi(A))(xi_k)``, tau the first visit of r.  Then
``u - P u = 1_A - pi(A)`` (at r because the mean over a cycle from r is 0), hence ``x(A) = -e u``,
and ``-pi(A) h <= u <= (1 - pi(A)) h``: ``|e u|`` is at most a mean of the two sums.  A
supersolution is no smaller than h: iterate its inequality.

**What the verdicts establish.**  CERTIFIED: the inequality in the cases listed.  Where all inputs
are equal D = 0, and E1 and E3 still say that the law of the state and the memory contract.  That
E1 holds for all pairs, and that mu is unique, is proved, not computed.  The law of the joint chain
is enclosed by `verification.recurrent.joint`, in double precision with a proved bound of the
error, which serves mu to both sides of E2 and, like the map's own values, the left sides of E1 and
E3.  That the map is Phi is not tested by these claims: it is compared with a second implementation,
in balls, at a few points of every instance (a disagreement leaves the claims undecided) and in the
tests.  With one state E1 is M1, and E4 and E5 say nothing.  ``1 - delta(P^m)`` of a large sparse
chain is bounded below by `verification.markov.chain.doeblin_lower`.

Source: E1 to E3 make quantitative Lam, Sirignano and Spiliopoulos, arXiv 2308.14555, section 4
(geometric ergodicity); the constants, E4 and E5 are this project's.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from theorems.memory_contraction import CONTRACTION, NO_ACTIVATION, NO_MEMORY_WEIGHT, VBAR, Q
from verification.claim import AnyClaim, Assumption, Claim, Constant, Mutant, Number, Vacuity
from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    end_points,
    maximum,
    power,
    shown,
    upper_double,
)
from verification.enclosure.doubles import above
from verification.enclosure.matrix import Matrix, largest
from verification.enclosure.numbers import absolute, over, times, total
from verification.errors import NotEnclosed
from verification.instance import SCHEMA, Chain, Instance
from verification.markov import finite
from verification.recurrent.memory import (
    contraction_factor,
    has_zero_recurrent_memory,
    memory_bound,
    memory_map,
)
from verification.verdict import EvidenceKind, Truth

_KNOWN = (1, 2, 3, 5)
_ROUNDS = (1, 2, 4, 8)
_GRID = 2**40
_NUDGE = Fraction(1, 2**24)
_RESOLVED = 8

MAX_STEPS = 2_000
"""How many steps of the joint chain the cases of E1, or of E3, take together."""


# Assumptions, vacuities


def mixes(instance: Instance) -> Truth:
    """Decide ``delta(P^m) < 1`` for some m, on the graph of the chain."""
    return Truth.TRUE if finite.is_ergodic(instance.chain) else Truth.FALSE


def has_one_law(instance: Instance) -> Truth:
    """Decide whether the chain has one recurrent class only."""
    return Truth.TRUE if finite.has_one_recurrent_class(instance.chain) else Truth.FALSE


def obstacle(instance: Instance) -> str:
    """Return what keeps the chain from forgetting its start."""
    return finite.why_not_ergodic(instance.chain)


def has_one_state(instance: Instance) -> bool:
    """Tell whether the chain has one state."""
    return instance.chain.n_states == 1


# Constants


def coupling_steps(instance: Instance) -> int:
    """Return the least m with ``delta(P^m) < 1``."""
    steps = finite.scrambling_index(instance.chain)
    if steps is None:
        raise ValueError(f"the chain does not mix: {obstacle(instance)}")
    return steps


def shown_coupling_steps(instance: Instance) -> Fraction:
    """Return m for the report."""
    return Fraction(coupling_steps(instance))


def dobrushin_coefficient(instance: Instance) -> Number:
    """Return ``delta(P^m)``."""
    return finite.dobrushin_of_power(instance.chain, coupling_steps(instance))


def one_step_sensitivity(instance: Instance) -> Between:
    """Return D, where E1 can be decided at all."""
    # A chain that is too large for delta(P^m) is refused before D, which takes long, is enclosed.
    dobrushin_coefficient(instance)
    # Here and below: numpy is loaded where a claim is decided, not where claims are listed.
    from verification.recurrent.sensitivity import input_sensitivity  # noqa: PLC0415

    return input_sensitivity(instance).value


def sensitivity(instance: Instance) -> Between:
    """Return ``D_m = D (1 + q + ... + q^(m-1))``."""
    q, terms, term = ball(contraction_factor(instance)), ball(0), ball(1)
    for _ in range(coupling_steps(instance)):
        terms, term = terms + term, term * q
    return one_step_sensitivity(instance).map(lambda value: value * terms)


def least_weight(instance: Instance) -> Between:
    """Return ``D_m / (1 - delta(P^m))``, which M must exceed."""
    gap = 1 - ball(dobrushin_coefficient(instance))
    return sensitivity(instance).map(lambda value: value / gap)


def contraction_of_laws(instance: Instance, weight: Fraction) -> Between:
    """Return ``kappa = max(q^m, delta(P^m) + D_m / M)``."""
    memory = power(ball(contraction_factor(instance)), coupling_steps(instance))
    coefficient = ball(dobrushin_coefficient(instance))
    return sensitivity(instance).map(
        lambda value: maximum((memory, coefficient + value / ball(weight)))
    )


def conditioning(instance: Instance) -> Number:
    """Return ``sum_{j<m} delta(P^j) / (1 - delta(P^m))``."""
    # As m is the least, delta(P^j) = 1 for j < m; of one state all of them are 0.
    steps = Fraction(0 if has_one_state(instance) else coupling_steps(instance))
    coefficient = dobrushin_coefficient(instance)
    return over(steps, 1 - coefficient)


def hitting_times(chain: Chain, target: int) -> tuple[Number, ...]:
    """Return the mean number of steps until a recurrent state, from every state."""
    others = [i for i in range(chain.n_states) if i != target]
    if not others:
        return (Fraction(0),)
    among = finite.transition_matrix(chain).entries()
    matrix = Matrix.of_numbers([[among[i][j] for j in others] for i in others])
    ones = Matrix.constant(len(others), 1, 1)
    times = (Matrix.identity(len(others)) - matrix).solve(ones).numbers()
    return (*times[:target], Fraction(0), *times[target:])


# Cases


@dataclass(frozen=True, kw_only=True)
class PairCase:
    """Two points (state, memory), and the constant M of the distance."""

    states: tuple[int, int]
    memories: tuple[Fraction, Fraction]
    weight: Fraction

    def __str__(self) -> str:
        (i, j), (v, w) = self.states, self.memories
        points = f"({i}, {shown(v, 6)}) and ({j}, {shown(w, 6)})"
        return f"from {points}, M = {shown(self.weight, 6)}"


@dataclass(frozen=True, kw_only=True)
class HistoryCase:
    """The memory that starts from 0 so many steps ago."""

    known: int

    def __str__(self) -> str:
        return f"the last {self.known} inputs known"


@dataclass(frozen=True, kw_only=True)
class StartCase:
    """A point (state, memory), the constant M, and k rounds of m steps each."""

    state: int
    memory: Fraction
    weight: Fraction
    rounds: int

    def __str__(self) -> str:
        start = f"({self.state}, {shown(self.memory, 6)})"
        return f"k = {self.rounds} from {start}, M = {shown(self.weight, 6)}"


@dataclass(frozen=True, kw_only=True)
class RowVector:
    """A row vector p, and for E5 the state r."""

    name: str
    values: tuple[Fraction, ...]
    target: int = 0

    def __str__(self) -> str:
        return self.name


def pair_cases(instance: Instance, rng: random.Random) -> Sequence[PairCase]:
    """Return pairs that nearly attain D, delta(P^m) and q, and one drawn, each for three M.

    Raises
    ------
    NotEnclosed
        Where no pair can be pushed m steps within the limit.
    """
    from verification.recurrent.sensitivity import input_sensitivity  # noqa: PLC0415

    steps = coupling_steps(instance)
    if 2 * steps > MAX_STEPS:
        raise NotEnclosed(_too_many(steps))
    dobrushin_coefficient(instance)
    n, reach = instance.chain.n_states, _reach(instance)
    widest = input_sensitivity(instance)
    apart = _most_distant_states(instance)
    third, anywhere = reach / 3, rng.randrange(n)
    pairs = [
        (widest.states, (widest.memory, widest.memory)),
        (apart, (third, third)),
        ((rng.randrange(n), rng.randrange(n)), (reach, -third)),
        ((anywhere, anywhere), (reach, -reach)),
    ]
    cases = [
        PairCase(states=states, memories=memories, weight=weight)
        for weight in _weights(instance)
        for states, memories in pairs
        if states[0] != states[1] or memories[0] != memories[1]
    ]
    # One step is in closed form.
    return cases if steps == 1 else cases[: MAX_STEPS // (2 * steps)]


def history_cases(instance: Instance, _rng: random.Random) -> Sequence[HistoryCase]:
    """Return pasts of 1, 2, 3, 5 symbols, as far as the enclosure of mu tells them apart."""
    from verification.recurrent.joint import invariant_law  # noqa: PLC0415
    from verification.recurrent.joint_distance import mean_absolute_memory  # noqa: PLC0415

    law = invariant_law(instance)
    q, blur = ball(contraction_factor(instance)), float(law.spread())
    mean = upper_double(mean_absolute_memory(law).lower)
    return [
        HistoryCase(known=known)
        for known in _KNOWN
        if known == 1 or upper_double(power(q, known)) * mean >= _RESOLVED * blur
    ]


def start_cases(instance: Instance, rng: random.Random) -> Sequence[StartCase]:
    """Return the rarest state with a large M, and others, for several numbers of rounds.

    As far as the enclosure of mu resolves the right side, and the steps are not too many.

    Raises
    ------
    NotEnclosed
        Where that leaves nothing.
    """
    steps = coupling_steps(instance)
    if steps > MAX_STEPS:
        raise NotEnclosed(_too_many(steps))
    law = [upper_double(ball(p)) for p in finite.stationary_law(instance.chain)]
    reach, weights = _reach(instance), _weights(instance)
    rarest = min(range(len(law)), key=law.__getitem__)
    cases = [
        StartCase(state=rarest, memory=reach, weight=weights[-1], rounds=rounds)
        for rounds in _ROUNDS
    ]
    for weight in weights[:2]:
        start = rng.randrange(instance.chain.n_states)
        cases += [
            StartCase(state=instance.chain.initial, memory=Fraction(0), weight=weight, rounds=1),
            StartCase(state=start, memory=-reach, weight=weight, rounds=3),
        ]
    blurs = {weight: _blur(instance, weight) for weight in weights}
    kept, left = [], MAX_STEPS
    for case in cases:
        resolved = upper_double(geometric_bound(instance, case).lower) >= blurs[case.weight]
        if resolved and case.rounds * steps <= left:
            kept.append(case)
            left -= case.rounds * steps
    if not kept:
        raise NotEnclosed(
            "the enclosure of the invariant law does not resolve kappa^k (M + 2 vbar) for any k"
        )
    return kept


def _too_many(steps: int) -> str:
    return f"m = {steps}: the laws would be pushed more than {MAX_STEPS} steps"


def _blur(instance: Instance, weight: Fraction) -> float:
    """Return what a right side must exceed to stand out: `_RESOLVED` widths of a distance to mu."""
    from verification.recurrent.joint import invariant_law, point_law  # noqa: PLC0415
    from verification.recurrent.joint_distance import joint_distance  # noqa: PLC0415

    # From one point there is one plan: the width is what is not known of mu.
    point = point_law(instance, instance.chain.initial, Fraction(0))
    found = joint_distance(point, invariant_law(instance), weight)
    return _RESOLVED * upper_double(found.upper - found.lower)


def row_vectors(instance: Instance, rng: random.Random) -> Sequence[RowVector]:
    """Return row vectors near to pi, multiples of it, iterates, a state, and one at random.

    Those that are invariant are left out, but for a multiple of pi: they make both sides 0.
    """
    chain = instance.chain
    n = chain.n_states
    law = [_rounded(p) for p in finite.stationary_law(chain)]
    often = max(range(n), key=law.__getitem__)
    seldom = min((i for i in range(n) if i != often), key=law.__getitem__, default=often)
    nudged = list(law)
    nudged[often] -= _NUDGE
    nudged[seldom] += _NUDGE
    scaled = [Fraction(101, 100) * p for p in law]
    iterate = [Fraction(i == chain.initial) for i in range(n)]
    for _ in range(rng.randint(1, 5)):
        iterate = [_rounded(p) for p in _times_matrix(chain, iterate)]
    drawn = [Fraction(rng.randint(-8, 64), 64 * n) for _ in range(n)]
    other = rng.choice(finite.recurrent_classes(chain)[0].states)
    vectors = [
        RowVector(name=name, values=tuple(values), target=target)
        for name, values, target in (
            ("p = pi, some mass moved", nudged, often),
            ("p = 1.01 pi, some mass moved", [Fraction(101, 100) * p for p in nudged], other),
            ("p an iterate", iterate, often),
            ("p an iterate, r drawn", iterate, other),
            ("p drawn", drawn, other),
            ("p the most frequent state", [Fraction(i == often) for i in range(n)], often),
        )
        if tuple(_times_matrix(chain, values)) != tuple(values)
    ]
    return [RowVector(name="p = 1.01 pi, rounded", values=tuple(scaled), target=often), *vectors]


def varying_row_vectors(instance: Instance, rng: random.Random) -> Sequence[RowVector]:
    """Return row vectors that are not near to multiples of pi."""
    return row_vectors(instance, rng)[1:]


def _reach(instance: Instance) -> Fraction:
    """Return a memory next below vbar."""
    return max(-above(-ball(memory_bound(instance))), Fraction(0))


def _weights(instance: Instance) -> tuple[Fraction, Fraction, Fraction]:
    """Return three numbers M, just above what E1 asks for, twice it, and large.

    What it asks for may be 0.  For m > 1 the memories are known up to roundings of vbar, which a
    far smaller M would not stand out against.
    """
    reach = _reach(instance)
    needed = end_points(least_weight(instance).upper)[1]
    least = reach / (1024 if coupling_steps(instance) == 1 else 16)
    just = max(needed * Fraction(1025, 1024), least)
    unit = Fraction(2) ** (just.numerator.bit_length() - just.denominator.bit_length() - 16)
    just = (just // unit + 1) * unit
    return just, 2 * just, 1000 * max(just, reach)


def _most_distant_states(instance: Instance) -> tuple[int, int]:
    """Return two states whose rows of P^m are about as far apart as any; nothing is proved."""
    import numpy as np  # noqa: PLC0415 - as above

    chain = instance.chain
    matrix = np.zeros((chain.n_states, chain.n_states))
    for i, row in enumerate(chain.rows):
        matrix[i, [j for j, _ in row]] = [float(p) for _, p in row]
    matrix = np.linalg.matrix_power(matrix, coupling_steps(instance))
    best = max(
        (float(distance), i, j)
        for i in range(chain.n_states)
        for j, distance in enumerate(np.abs(matrix - matrix[i]).sum(axis=1))
    )
    return best[1], best[2]


def _rounded(number: Number) -> Fraction:
    low, high = (number, number) if isinstance(number, Fraction) else end_points(number)
    return Fraction(round((low + high) / 2 * _GRID), _GRID)


def _times_matrix(chain: Chain, values: Sequence[Fraction]) -> list[Fraction]:
    """Return p P."""
    result = [Fraction(0)] * chain.n_states
    for i, row in enumerate(chain.rows):
        if values[i]:
            for j, p in row:
                result[j] += values[i] * p
    return result


# Left sides


def distance_after_steps(instance: Instance, case: PairCase) -> Between | Ball:
    """Enclose ``W(zeta Q^m, zeta' Q^m)``.

    After one step each memory is one number: the distance is ``M TV(P_i, P_j)`` and that of the
    memories.  After more, it is an optimal transport between two enclosed laws.
    """
    from verification.recurrent.joint import law_after  # noqa: PLC0415
    from verification.recurrent.joint_distance import (  # noqa: PLC0415
        joint_distance,
        memory_distance,
    )

    (i, j), (v, w) = case.states, case.memories
    steps = coupling_steps(instance)
    if steps == 1:
        first, second = (dict(instance.chain.rows[state]) for state in (i, j))
        variation = 1 - sum(
            (min(p, second[k]) for k, p in first.items() if k in second), Fraction(0)
        )
        apart = abs(memory_map(instance, i, ball(v)) - memory_map(instance, j, ball(w)))
        return ball(case.weight * variation) + apart
    laws = [
        law_after(instance, state, memory, steps)
        for state, memory in zip(case.states, case.memories, strict=True)
    ]
    widest = 2 * end_points(ball(memory_bound(instance)))[1]
    if i == j and case.weight >= widest:
        # No state need change; in the transport, M would drown the memories.
        return memory_distance(laws[0], laws[1])
    return joint_distance(laws[0], laws[1], case.weight)


def distance_of_histories(instance: Instance, case: HistoryCase) -> Between:
    """Enclose ``W(mu, mu_m)`` for M at least 2 vbar, where it is largest."""
    from verification.recurrent.joint import history_law, invariant_law  # noqa: PLC0415
    from verification.recurrent.joint_distance import memory_distance  # noqa: PLC0415

    return memory_distance(invariant_law(instance), history_law(instance, case.known))


def distance_from_invariant_law(instance: Instance, case: StartCase) -> Between:
    """Enclose ``W(zeta Q^{mk}, mu)``."""
    from verification.recurrent.joint import invariant_law, law_after  # noqa: PLC0415
    from verification.recurrent.joint_distance import joint_distance  # noqa: PLC0415

    steps = case.rounds * coupling_steps(instance)
    law = law_after(instance, case.state, case.memory, steps)
    return joint_distance(law, invariant_law(instance), case.weight)


def distance_from_stationary_law(instance: Instance, case: RowVector) -> Number:
    """Return ``|p - pi|_1``."""
    law = finite.stationary_law(instance.chain)
    return _norm(
        [total([p, times(Fraction(-1), x)]) for p, x in zip(case.values, law, strict=True)]
    )


def distance_from_its_multiple(instance: Instance, case: RowVector) -> Number:
    """Return ``|p - (sum p) pi|_1``."""
    law, mass = finite.stationary_law(instance.chain), sum(case.values, Fraction(0))
    return _norm([total([p, times(-mass, x)]) for p, x in zip(case.values, law, strict=True)])


def _norm(values: Sequence[Number]) -> Number:
    return total([absolute(x) for x in values])


# Right sides, and those of the mutants


def contracted_distance(instance: Instance, case: PairCase) -> Between:
    """Return ``kappa d_M(zeta, zeta')``."""
    distance = _distance(case)
    return contraction_of_laws(instance, case.weight).map(lambda kappa: kappa * distance)


def contracted_without_sensitivity(instance: Instance, case: PairCase) -> Ball:
    """Return ``max(q^m, delta(P^m)) d_M``: D_m / M dropped."""
    memory = power(ball(contraction_factor(instance)), coupling_steps(instance))
    return maximum((memory, ball(dobrushin_coefficient(instance)))) * _distance(case)


def contracted_as_in_one_step(instance: Instance, case: PairCase) -> Between:
    """Return ``max(q, delta(P^m) + D / M) d_M``: q and D in place of q^m and D_m."""
    q, coefficient = ball(contraction_factor(instance)), ball(dobrushin_coefficient(instance))
    distance = _distance(case)
    return one_step_sensitivity(instance).map(
        lambda value: maximum((q, coefficient + value / ball(case.weight))) * distance
    )


def _distance(case: PairCase) -> Ball:
    (i, j), (v, w) = case.states, case.memories
    return ball((case.weight if i != j else Fraction(0)) + abs(v - w))


def forgotten_memory(instance: Instance, case: HistoryCase, *, extra: int = 0) -> Between:
    """Return ``q^m int |v| dmu``; a mutant adds `extra` to the exponent."""
    from verification.recurrent.joint import invariant_law  # noqa: PLC0415
    from verification.recurrent.joint_distance import mean_absolute_memory  # noqa: PLC0415

    factor = power(ball(contraction_factor(instance)), case.known + extra)
    return mean_absolute_memory(invariant_law(instance)).map(lambda mean: factor * mean)


def geometric_bound(instance: Instance, case: StartCase, *, extra: int = 0) -> Between:
    """Return ``kappa^k (M + 2 vbar)``; a mutant adds `extra` to the exponent."""
    widest = ball(case.weight) + 2 * ball(memory_bound(instance))
    return contraction_of_laws(instance, case.weight).map(
        lambda kappa: power(kappa, case.rounds + extra) * widest
    )


def residual_bound(
    instance: Instance, case: RowVector, *, divided: bool = True, mass: bool = True
) -> Number:
    """Return ``|sum p - 1| + |pP - p|_1 sum_{j<m} delta(P^j) / (1 - delta(P^m))``.

    Mutants drop the divisor or the first term.
    """
    chain = instance.chain
    factor: Number = Fraction(coupling_steps(instance))
    if divided:
        factor = conditioning(instance)
    following = _times_matrix(chain, case.values)
    residual = sum((abs(a - b) for a, b in zip(following, case.values, strict=True)), Fraction(0))
    excess = abs(sum(case.values, Fraction(0)) - 1)
    return total([excess if mass else Fraction(0), times(factor, residual)])


def hitting_bound(instance: Instance, case: RowVector, *, factor: int = 2, late: int = 0) -> Number:
    """Return ``2 max(sum_i e_i^+ h_i, sum_i e_i^- h_i)``.

    Mutants drop the factor, or start to count the steps `late`.
    """
    waits = hitting_times(instance.chain, case.target)
    return _weighted_residual(
        instance.chain,
        case,
        [
            total([time, Fraction(-late)]) if i != case.target else time
            for i, time in enumerate(waits)
        ],
        factor,
    )


def bound_by_mean_hitting_time(instance: Instance, case: RowVector) -> Number:
    """Return the right side of E5 with the mean ``sum_i pi_i h_i`` for every h_i, i != r."""
    waits = hitting_times(instance.chain, case.target)
    law = finite.stationary_law(instance.chain)
    mean = total([times(p, time) for p, time in zip(law, waits, strict=True)])
    means = [mean if i != case.target else Fraction(0) for i in range(len(waits))]
    return _weighted_residual(instance.chain, case, means, 2)


def _weighted_residual(
    chain: Chain, case: RowVector, waits: Sequence[Number], factor: int
) -> Number:
    following = _times_matrix(chain, case.values)
    residual = [a - b for a, b in zip(following, case.values, strict=True)]
    sums = [
        total(
            [times(sign * e, time) for e, time in zip(residual, waits, strict=True) if sign * e > 0]
        )
        for sign in (1, -1)
    ]
    return times(Fraction(factor), largest(sums))


# What holds without the theorems


def widest_distance(instance: Instance, case: StartCase) -> Ball:
    """Return ``M + 2 vbar``, which bounds d_M; M drops out where there is one state."""
    widest = 2 * ball(memory_bound(instance))
    return widest if has_one_state(instance) else ball(case.weight) + widest


def norms_together(_instance: Instance, case: RowVector) -> Fraction:
    """Return ``|p|_1 + 1``."""
    return sum((abs(x) for x in case.values), Fraction(1))


def norms_of_multiples(_instance: Instance, case: RowVector) -> Fraction:
    """Return ``|p|_1 + |sum p|``."""
    return sum((abs(x) for x in case.values), Fraction(0)) + abs(sum(case.values, Fraction(0)))


# The claims

MIXING = Assumption(text="delta(P^m) < 1 for some m", holds=mixes, offending=obstacle)
ONE_LAW = Assumption(text="one recurrent class", holds=has_one_law, offending=obstacle)
ONE_STATE = Vacuity(
    reason="there is one state only: no law of the state to speak of", holds=has_one_state
)
STEPS = Constant(
    symbol="m",
    meaning="steps after which any two states can meet",
    formula=r"m = \min\{m : \delta(P^m) < 1\}",
    value=shown_coupling_steps,
)
DELTA = Constant(
    symbol="delta",
    meaning="Dobrushin coefficient of m steps",
    formula=r"\delta(P^m) = \max_{i,j} \mathrm{TV}(P^m_i, P^m_j)",
    value=dobrushin_coefficient,
)
D = Constant(
    symbol="D",
    meaning="how much one input can move the memory",
    formula=r"D = \max_{i,j} \sup_{|v| \le \bar v} |\Phi(x_i, v) - \Phi(x_j, v)|",
    value=one_step_sensitivity,
)
LEAST_WEIGHT = Constant(
    symbol="M0",
    meaning="what M must exceed",
    formula=r"M_0 = D_m / (1 - \delta(P^m))",
    value=least_weight,
)
CONDITIONING = Constant(
    symbol="S",
    meaning="bound of the error of a stationary law by its residual",
    formula=r"S = \sum_{j<m} \delta(P^j) / (1 - \delta(P^m))",
    value=conditioning,
)
SOURCE = "Lam, Sirignano and Spiliopoulos (arXiv 2308.14555), section 4; constants of this project"

E1: Claim[Instance, PairCase] = Claim(
    id="E1",
    theorem="geometric_ergodicity",
    title="The joint chain contracts",
    statement=(
        "For M > D_m / (1 − δ(P^m)), W(ζQ^m, ζ′Q^m) ≤ κ d_M(ζ, ζ′) with "
        "κ = max(q^m, δ(P^m) + D_m / M) < 1 and D_m = D (1 − q^m) / (1 − q)."
    ),
    formula=(
        r"W(\zeta Q^m, \zeta' Q^m) \le \kappa\, d_M(\zeta, \zeta'), \qquad "
        r"\kappa = \max\left(q^m, \delta(P^m) + \frac{D_m}{M}\right)"
    ),
    kind=SCHEMA,
    assumptions=(CONTRACTION, MIXING),
    constants=(Q, VBAR, STEPS, DELTA, D, LEAST_WEIGHT),
    vacuities=(ONE_STATE, NO_MEMORY_WEIGHT),
    cases=pair_cases,
    left=distance_after_steps,
    right=contracted_distance,
    proof=(
        "Couple ξ_m and ξ′_m so that they differ with probability at most δ(P^m), never if they "
        "start equal; the memories then differ by at most q^m |v − w| + D_m 1{i ≠ j}."
    ),
    establishes=(
        "CERTIFIED: the inequality for the pairs listed, among them one that nearly attains D and "
        "one that nearly attains δ(P^m). For m > 1 the left side is an optimal transport, enclosed "
        "between a potential and a plan; pairs that take too many steps are left out. With equal "
        "inputs D = 0, and κ = max(q^m, δ(P^m))."
    ),
    source=SOURCE,
    uses=("M1",),
    sharp=("rain-tel-aviv", "two-state-sticky"),
    evidence=EvidenceKind.DOUBLES,
    mutants=(
        Mutant(
            name="sensitivity-dropped",
            error="κ = max(q^m, δ(P^m)): the term D_m / M dropped",
            refuted_on=("rain-tel-aviv", "two-state-sticky"),
            right=contracted_without_sensitivity,
        ),
        Mutant(
            name="one-step-constants",
            error="for m > 1, q and D kept in place of q^m and D_m",
            refuted_on=("mutant-m-step",),
            right=contracted_as_in_one_step,
        ),
    ),
)

E2: Claim[Instance, HistoryCase] = Claim(
    id="E2",
    theorem="geometric_ergodicity",
    title="One invariant law, given by the m-history law up to q^m",
    statement=(
        "The joint chain has one invariant law μ, that of (ξ₀, V(ξ₋₁, ξ₋₂, …)); the law μ_m of "
        "the memory that starts from 0 m steps before obeys W(μ, μ_m) ≤ q^m ∫|v| dμ."
    ),
    formula=r"W(\mu, \mu_m) \le q^m \int |v|\, d\mu \le q^m \bar v",
    kind=SCHEMA,
    assumptions=(CONTRACTION, ONE_LAW),
    constants=(Q, VBAR),
    vacuities=(
        NO_MEMORY_WEIGHT,
        NO_ACTIVATION,
        Vacuity(
            reason="Phi(x, 0) = 0 for every recurrent state: the memory is identically zero",
            holds=has_zero_recurrent_memory,
        ),
    ),
    cases=history_cases,
    left=distance_of_histories,
    right=forgotten_memory,
    evidence=EvidenceKind.DOUBLES,
    proof=(
        "Couple with equal states: the memories differ by at most q^m |V₋ₘ|, and V₋ₘ has the law "
        "of the memory under μ. Two invariant laws, coupled so for ever, agree."
    ),
    establishes=(
        "CERTIFIED: the inequality for the pasts listed, as far as the enclosure of μ resolves "
        "them, in the distance with M ≥ 2 v̄, the largest. μ is enclosed by pushing the whole "
        "interval [−v̄, v̄] through the chain; both sides use it. Uniqueness is proved."
    ),
    source=SOURCE,
    uses=("M1", "M5"),
    sharp=("sharp-forgetting",),
    mutants=(
        Mutant(
            name="one-step-too-many",
            error="q^m replaced by q^(m+1)",
            refuted_on=("sharp-forgetting",),
            right=partial(forgotten_memory, extra=1),
        ),
    ),
)

E3: Claim[Instance, StartCase] = Claim(
    id="E3",
    theorem="geometric_ergodicity",
    title="The joint chain converges geometrically from every start",
    statement="W(ζQ^{mk}, μ) ≤ κ^k (M + 2v̄) for every start ζ and every M as in E1.",
    formula=r"W(\zeta Q^{mk}, \mu) \le \kappa^k (M + 2 \bar v)",
    kind=SCHEMA,
    assumptions=(CONTRACTION, MIXING),
    constants=(Q, VBAR, STEPS, DELTA, D, LEAST_WEIGHT),
    vacuities=(NO_MEMORY_WEIGHT,),
    cases=start_cases,
    left=distance_from_invariant_law,
    right=geometric_bound,
    trivial=widest_distance,
    evidence=EvidenceKind.DOUBLES,
    proof="Iterate E1 from ζ and from every point of μ = μQ^{mk}; d_M is at most M + 2v̄.",
    establishes=(
        "CERTIFIED: the inequality for the starts, M and k listed, as far as the enclosure of μ "
        "resolves the right side and the steps are not too many; the left side is an optimal "
        "transport between two enclosed laws."
    ),
    source=SOURCE,
    uses=("E1", "E2"),
    sharp=("sharp-ergodic",),
    mutants=(
        Mutant(
            name="one-round-too-many",
            error="κ^k replaced by κ^(k+1)",
            refuted_on=("sharp-ergodic",),
            right=partial(geometric_bound, extra=1),
        ),
    ),
)

E4: Claim[Instance, RowVector] = Claim(
    id="E4",
    theorem="geometric_ergodicity",
    title="A stationary law is as good as its residual",
    statement=(
        "For any row vector p, |p − π|₁ ≤ |Σp − 1| + |pP − p|₁ Σ_{j<m} δ(P^j) / (1 − δ(P^m))."
    ),
    formula=(
        r"|p - \pi|_1 \le \left|\sum p - 1\right| + "
        r"\frac{\sum_{j<m} \delta(P^j)}{1 - \delta(P^m)}\, |pP - p|_1"
    ),
    kind=SCHEMA,
    assumptions=(MIXING,),
    constants=(STEPS, DELTA, CONDITIONING),
    vacuities=(ONE_STATE,),
    cases=row_vectors,
    left=distance_from_stationary_law,
    right=residual_bound,
    trivial=norms_together,
    evidence=EvidenceKind.RATIONALS,
    proof=(
        "x = p − (Σp)π has sum 0 and x(I − P^m) = −Σ_{j<m} (pP − p)P^j; on vectors of sum 0, P^j "
        "contracts by δ(P^j)."
    ),
    establishes=(
        "CERTIFIED: the inequality for the vectors listed; exact rationals on small chains. π "
        "solves a linear system on the left, and does not enter the right."
    ),
    source="this project",
    sharp=("rain-tel-aviv", "two-state-sticky"),
    mutants=(
        Mutant(
            name="divisor-dropped",
            error="the factor 1/(1 − δ(P^m)) dropped",
            refuted_on=("two-state-sticky", "rain-tel-aviv"),
            right=partial(residual_bound, divided=False),
        ),
        Mutant(
            name="mass-dropped",
            error="the term |Σp − 1| dropped",
            refuted_on=("rain-tel-aviv",),
            right=partial(residual_bound, mass=False),
        ),
    ),
)

E5: Claim[Instance, RowVector] = Claim(
    id="E5",
    theorem="geometric_ergodicity",
    title="A stationary law is as good as its residual, by hitting times",
    statement=(
        "For a recurrent state r, hᵢ = Eᵢ[steps until r] and e = pP − p of any row vector p, "
        "|p − (Σp)π|₁ ≤ 2 max(Σ eᵢ⁺hᵢ, Σ eᵢ⁻hᵢ)."
    ),
    formula=(
        r"\left|p - \left(\sum p\right)\pi\right|_1 \le "
        r"2 \max\left(\sum_i e_i^+ h_i, \sum_i e_i^- h_i\right), \qquad e = pP - p"
    ),
    kind=SCHEMA,
    assumptions=(ONE_LAW,),
    constants=(),
    vacuities=(ONE_STATE,),
    cases=varying_row_vectors,
    left=distance_from_its_multiple,
    right=hitting_bound,
    trivial=norms_of_multiples,
    evidence=EvidenceKind.RATIONALS,
    proof=(
        "x = p − (Σp)π has |x|₁ = 2 max_A |x(A)| and x(A) = −e·u, where u, the sum of 1_A − π(A) "
        "until r is hit, lies between −π(A)h and (1 − π(A))h."
    ),
    establishes=(
        "CERTIFIED: the inequality for the vectors and states r listed, on chains of any period; "
        "exact rationals on small chains. A larger h, such as any solution of h ≥ 1 + Ph off r, "
        "only weakens it."
    ),
    source="this project",
    sharp=("sharp-ergodic",),
    mutants=(
        Mutant(
            name="factor-two-dropped",
            error="the factor 2 dropped",
            refuted_on=("sharp-ergodic",),
            right=partial(hitting_bound, factor=1),
        ),
        Mutant(
            name="first-step-not-counted",
            error="hᵢ replaced by hᵢ − 1",
            refuted_on=("sharp-ergodic",),
            right=partial(hitting_bound, late=1),
        ),
        Mutant(
            name="mean-hitting-time",
            error="hᵢ replaced by its mean under π",
            refuted_on=("sharp-ergodic",),
            right=bound_by_mean_hitting_time,
        ),
    ),
)

CLAIMS: tuple[AnyClaim, ...] = (E1, E2, E3, E4, E5)
