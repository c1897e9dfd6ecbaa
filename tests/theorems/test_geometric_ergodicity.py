"""E1 to E5: constants and both sides against closed forms, brute force and exact rationals."""

from __future__ import annotations

import dataclasses
import itertools
import pickle
import random
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from theorems import geometric_ergodicity as theorem
from theorems.geometric_ergodicity import (
    CLAIMS,
    E1,
    E2,
    E3,
    E4,
    E5,
    HistoryCase,
    PairCase,
    RowVector,
    StartCase,
    hitting_times,
)
from verification import gallery
from verification.campaign import strategies
from verification.decision import decide
from verification.enclosure.balls import ball, enclosure, end_points, precision
from verification.errors import NotEnclosed
from verification.instance import (
    ActivationSpec,
    AtomicLaw,
    Chain,
    Constant,
    Instance,
    ProductLaw,
    Term,
)
from verification.markov import finite
from verification.recurrent import joint, sensitivity
from verification.recurrent.activation import activation
from verification.recurrent.law import projection
from verification.verdict import Verdict

F = Fraction
SIGMA = {"tanh": mpmath.tanh, "logistic": lambda t: 1 / (1 + mpmath.exp(-t))}


@pytest.fixture(autouse=True)
def _many_digits():
    with mpmath.workdps(40), precision(64):
        yield


def mp(value: Fraction) -> mpmath.mpf:
    return mpmath.mpf(value.numerator) / value.denominator


def contains(side: object, value: mpmath.mpf | Fraction, width: float = 1e-12) -> None:
    """Two-sided: the enclosure holds the oracle's value and is narrow."""
    bounds = enclosure(side)
    exact = value if isinstance(value, mpmath.mpf) else mp(value)
    low, high = (mpmath.mpf(str(end)) for end in (bounds.lower, bounds.upper))
    slack = mpmath.mpf(10) ** -28 * (1 + abs(exact))
    assert low - slack <= exact <= high + slack
    assert high - low <= width * max(1, abs(exact))


def phi(instance: Instance, state: int, v: mpmath.mpf) -> mpmath.mpf:
    law, sigma = instance.law, SIGMA[instance.activation.label]
    x = [mp(c) for c in instance.chain.inputs[state]]
    if isinstance(law, AtomicLaw):
        atoms = [(a.p, a.w, a.b) for a in law.atoms]
    else:
        assert isinstance(law.w, Constant)
        assert isinstance(law.b, Constant)
        atoms = [(F(1), law.w.value, law.b.value[0])]
    return mpmath.fsum(
        mp(p * b) * sigma(mpmath.fdot([mp(c) for c in w], x) + v) for p, w, b in atoms
    )


def matrix_of(chain: Chain) -> list[list[Fraction]]:
    return [[dict(row).get(j, F(0)) for j in range(chain.n_states)] for row in chain.rows]


def chain_of(rows: list[list[Fraction]], inputs: list[Fraction] | None = None) -> Chain:
    n = len(rows)
    return Chain(
        rows=tuple(tuple((j, p) for j, p in enumerate(row) if p) for row in rows),
        inputs=tuple((x,) for x in inputs or [F(i) for i in range(n)]),
        targets=(F(0),) * n,
        initial=0,
    )


def with_chain(name: str, chain: Chain) -> Instance:
    return dataclasses.replace(gallery.load(name), chain=chain)


def product(a, b):
    return [
        [sum((x * y for x, y in zip(row, col, strict=True)), F(0)) for col in zip(*b, strict=True)]
        for row in a
    ]


def dobrushin(rows) -> Fraction:
    return max(
        sum((abs(p - q) for p, q in zip(a, b, strict=True)), F(0)) / 2
        for a, b in itertools.combinations(rows, 2)
    )


def stationary_by_elimination(rows) -> list[Fraction]:
    """Solve pi P = pi, sum pi = 1, in rationals."""
    n = len(rows)
    system = [[rows[j][i] - F(i == j) for j in range(n)] + [F(0)] for i in range(n - 1)]
    system.append([F(1)] * (n + 1))
    for k in range(n):
        pivot = next(i for i in range(k, n) if system[i][k])
        system[k], system[pivot] = system[pivot], system[k]
        system[k] = [x / system[k][k] for x in system[k]]
        for i in range(n):
            if i != k and system[i][k]:
                system[i] = [
                    a - system[i][k] * b for a, b in zip(system[i], system[k], strict=True)
                ]
    return [row[n] for row in system]


FOUR = [
    [F(1, 2), F(1, 2), F(0), F(0)],
    [F(9, 10), F(0), F(1, 10), F(0)],
    [F(0), F(0), F(1, 2), F(1, 2)],
    [F(1, 10), F(0), F(9, 10), F(0)],
]
STICKY = [[F(9, 10), F(1, 10)], [F(1, 1000), F(999, 1000)]]
LADDER = [
    [F(1, 3), F(2, 3), F(0), F(0)],
    [F(1, 2), F(0), F(1, 2), F(0)],
    [F(0), F(1, 4), F(0), F(3, 4)],
    [F(1, 5), F(0), F(0), F(4, 5)],
]
CYCLE = [[F(0), F(1), F(0)], [F(0), F(0), F(1)], [F(1), F(0), F(0)]]
TRANSIENT = [[F(1, 2), F(1, 4), F(1, 4)], [F(0), F(1, 3), F(2, 3)], [F(0), F(1, 2), F(1, 2)]]
MATRICES = {"four": FOUR, "sticky": STICKY, "ladder": LADDER, "transient": TRANSIENT}


# --- constants ----------------------------------------------------------------------------------


def test_the_constants_of_a_chain_that_meets_in_one_step():
    instance = gallery.load("rain-tel-aviv")
    assert theorem.coupling_steps(instance) == 1
    assert theorem.dobrushin_coefficient(instance) == F(412, 1000)
    assert theorem.conditioning(instance) == 1 / (1 - F(412, 1000))
    grid = [mpmath.mpf(k) / 100 * mp(F(2, 5)) for k in range(-100, 101)]
    best = max(abs(phi(instance, 0, v) - phi(instance, 1, v)) for v in grid)
    contains(theorem.one_step_sensitivity(instance), best, 1e-6)
    contains(theorem.sensitivity(instance), best, 1e-6)
    contains(theorem.least_weight(instance), best / (1 - mp(F(412, 1000))), 1e-6)
    weight = F(1, 2)
    contains(
        theorem.contraction_of_laws(instance, weight),
        mp(F(412, 1000)) + best / mp(weight),
        1e-6,
    )
    # q = 0.1 is the larger where M is large and the chain forgets at once
    coin = with_chain("rain-tel-aviv", chain_of([[F(1, 2)] * 2] * 2))
    contains(theorem.contraction_of_laws(coin, F(10**6)), F(1, 10))


def test_the_constants_of_a_chain_that_needs_two_steps():
    instance = gallery.load("mutant-m-step")
    assert matrix_of(instance.chain) == FOUR
    assert theorem.coupling_steps(instance) == 2
    assert dobrushin(FOUR) == 1
    coefficient = dobrushin(product(FOUR, FOUR))
    assert theorem.dobrushin_coefficient(instance) == coefficient < 1
    # D is the difference at v = 0, the two steps add up to 1 + q = 1.9 times it
    d = 2 * mp(F(9, 10)) * mpmath.tanh(mp(F(1, 100)))
    contains(theorem.one_step_sensitivity(instance), d)
    contains(theorem.sensitivity(instance), d * mp(F(19, 10)))
    contains(theorem.conditioning(instance), 2 / (1 - coefficient))
    contains(theorem.least_weight(instance), d * mp(F(19, 10)) / mp(1 - coefficient))
    kappa = max(mp(F(81, 100)), mp(coefficient) + d * mp(F(19, 10)) / 3)
    contains(theorem.contraction_of_laws(instance, F(3)), kappa)


@pytest.mark.parametrize("n", [4, 210])
def test_the_conditioning_is_a_rational_or_a_ball(n):
    """All lead to 1, 1 leads to 0, and 0 to 0 or 1: m = 2, delta(P^2) = 1/2."""
    rows = [
        [F(1, 2), F(1, 2)] + [F(0)] * (n - 2),
        [F(1)] + [F(0)] * (n - 1),
        *([[F(0), F(1)] + [F(0)] * (n - 2)] * (n - 2)),
    ]
    instance = with_chain("sharp-ergodic", chain_of(rows))
    assert theorem.coupling_steps(instance) == 2
    assert isinstance(theorem.conditioning(instance), F) is (n == 4)
    contains(theorem.conditioning(instance), F(4))


def test_the_conditioning_of_one_state_is_zero():
    assert theorem.conditioning(gallery.load("one-state")) == 0


def test_a_chain_that_never_mixes_has_no_coupling_steps():
    with pytest.raises(ValueError, match="period 3"):
        theorem.coupling_steps(gallery.load("periodic-three"))


@pytest.mark.parametrize("name", MATRICES)
def test_hitting_times_solve_their_equation_and_are_those_of_long_paths(name):
    rows = MATRICES[name]
    n = len(rows)
    for target in [c for c in range(n) if not (name == "transient" and c == 0)]:
        times = hitting_times(chain_of(rows), target)
        assert times[target] == 0
        for i in set(range(n)) - {target}:
            assert times[i] == 1 + sum((rows[i][j] * times[j] for j in range(n)), F(0))
        # E[tau] = sum_k P(tau > k), the powers of P off the target
        off = np.array(
            [[float(p) if j != target else 0.0 for j, p in enumerate(row)] for row in rows]
        )
        survival, total = np.ones(n), np.zeros(n)
        for _ in range(60_000):
            total += survival
            survival = off @ survival
        expected = [0.0 if i == target else float(times[i]) for i in range(n)]
        total[target] = 0.0
        assert total == pytest.approx(expected, rel=1e-9)


def test_hitting_times_of_one_state_and_of_a_large_chain():
    assert hitting_times(chain_of([[F(1)]]), 0) == (F(0),)
    chain = gallery.load("snakes-and-ladders").chain
    rides = [F(int(s < 100 and len(row) == 1)) for s, row in enumerate(chain.rows)]
    # Mean number of throws from the start to 100: Althoen, King and Schilling (1993).
    throws = F(
        225837582538403273407117496273279920181931269186581786048583,
        5757472998140039232950575874628786131130999406013041613400,
    )
    contains(hitting_times(chain, 100)[0], throws + sum_until(chain, 100, rides)[0])


def sum_until(chain: Chain, target: int, observable: list[Fraction]) -> list[Fraction]:
    """The mean sum of an observable before a target that is the last state, by elimination."""
    n = target
    system = [
        [F(i == j) - dict(row).get(j, F(0)) for j in range(n)] + [observable[i]]
        for i, row in enumerate(chain.rows[:n])
    ]
    for k in range(n):
        system[k] = [value / system[k][k] for value in system[k]]
        for i in range(n):
            if i != k and system[i][k]:
                factor = system[i][k]
                system[i] = [a - factor * b for a, b in zip(system[i], system[k], strict=True)]
    return [row[n] for row in system]


# --- E1 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rain-tel-aviv", "sharp-l2", "dependent-b-on-w"])
@pytest.mark.parametrize(
    ("states", "memories"), [((0, 1), (F(1, 5), F(-1, 7))), ((1, 1), (F(1, 3), F(-1, 4)))]
)
def test_one_step_in_closed_form(name, states, memories):
    instance = gallery.load(name)
    weight = F(5, 3)
    rows = [matrix_of(instance.chain)[i] for i in states]
    variation = sum((abs(p - q) for p, q in zip(*rows, strict=True)), F(0)) / 2
    images = [phi(instance, i, mp(v)) for i, v in zip(states, memories, strict=True)]
    case = PairCase(states=states, memories=memories, weight=weight)
    exact = mp(weight * variation) + abs(images[0] - images[1])
    contains(theorem.distance_after_steps(instance, case), exact)


def enumerated(instance: Instance, state: int, memory: mpmath.mpf, steps: int):
    points = [(state, memory, F(1))]
    for _ in range(steps):
        points = [
            (j, image, mass * p)
            for i, v, mass in points
            for image in [phi(instance, i, v)]
            for j, p in instance.chain.rows[i]
        ]
    return points


@pytest.mark.parametrize("weight", [F(1, 50), F(1), F(30)])
@pytest.mark.parametrize("states", [(0, 2), (1, 3), (3, 3)])
def test_two_steps_by_the_simplex_over_all_words(weight, states):
    """Four words from each point: the least cost over all vertices, by a second program."""
    instance = gallery.load("mutant-m-step")
    memories = (F(1, 3), F(-1, 4))
    first, second = (
        enumerated(instance, i, mp(v), 2) for i, v in zip(states, memories, strict=True)
    )
    cost = np.array(
        [[float(mp(weight) * (i != j) + abs(v - w)) for j, w, _ in second] for i, v, _ in first]
    )
    n, m = cost.shape
    sums = np.zeros((n + m, n * m))
    for k, (a, b) in enumerate(itertools.product(range(n), range(m))):
        sums[a, k] = sums[n + b, k] = 1
    masses = [float(p) for _, _, p in first] + [float(p) for _, _, p in second]
    # HiGHS' own tolerances are 1e-7
    best = linprog(cost.ravel(), A_eq=sums[:-1], b_eq=masses[:-1], method="highs-ipm").fun
    case = PairCase(states=states, memories=memories, weight=weight)
    bounds = enclosure(theorem.distance_after_steps(instance, case))
    assert float(bounds.lower) - 1e-6 <= best <= float(bounds.upper) + 1e-6
    assert bounds.width_upper() <= F(1, 10**11)


def test_two_steps_from_one_state_do_not_drown_in_a_large_weight():
    instance = gallery.load("mutant-m-step")
    memories = (F(1, 3), F(-1, 4))
    exact = mpmath.mpf(0)
    first, second = (enumerated(instance, 0, mp(v), 2) for v in memories)
    for (i, v, p), (j, w, q) in zip(first, second, strict=True):
        # Phi increases: the words keep their order on the line
        assert (i, p) == (j, q)
        exact += mp(p) * abs(v - w)
    case = PairCase(states=(0, 0), memories=memories, weight=F(10**15))
    contains(theorem.distance_after_steps(instance, case), exact)


def test_e1_is_an_equality_for_two_states_at_the_pair_that_attains_d():
    for name in E1.sharp:
        instance = gallery.load(name)
        result = decide(E1, instance)
        assert result.verdict is Verdict.CERTIFIED
        assert result.tightness > 0.999999
        widest = theorem.pair_cases(instance, random.Random(0))[0]
        left = enclosure(theorem.distance_after_steps(instance, widest))
        right = enclosure(theorem.contracted_distance(instance, widest))
        assert float(left.lower) >= 0.99999 * float(right.upper)


def test_e1_has_cases_of_every_kind_above_the_least_weight():
    instance = gallery.load("mutant-m-step")
    cases = theorem.pair_cases(instance, random.Random(3))
    needed = end_points(theorem.least_weight(instance).upper)[1]
    assert all(case.weight > needed for case in cases)
    assert min(case.weight for case in cases) <= needed * F(1003, 1000)
    assert max(case.weight for case in cases) >= 500 * needed
    assert any(case.states[0] == case.states[1] for case in cases)
    assert any(case.states in {(0, 2), (2, 0)} and case.memories == (0, 0) for case in cases)
    vbar = F(9, 10)
    assert all(abs(v) <= vbar for case in cases for v in case.memories)


# --- E2, E3 -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "steps"), [("rain-tel-aviv", 8), ("sharp-l2", 8)])
@pytest.mark.parametrize("known", [1, 2])
def test_the_distance_of_histories_is_that_of_long_words(name, steps, known):
    """q = 0.1, vbar <= 0.4: words of 8 symbols leave 4e-9 of the memory open."""
    instance = gallery.load(name)
    law = stationary_by_elimination(matrix_of(instance.chain))

    def words(length):
        return [
            (i, v, law[start] * p)
            for start in range(2)
            for i, v, p in enumerated(instance, start, mpmath.mpf(0), length)
        ]

    exact = mpmath.mpf(0)
    long, short = words(steps), words(known)
    for state in range(2):
        jumps = sorted(
            [(v, mp(p)) for i, v, p in long if i == state]
            + [(v, -mp(p)) for i, v, p in short if i == state]
        )
        height = mpmath.mpf(0)
        for (left, jump), (right, _) in itertools.pairwise(jumps):
            height += jump
            exact += abs(height) * (right - left)
    bounds = enclosure(theorem.distance_of_histories(instance, HistoryCase(known=known)))
    slack = mpmath.mpf(10) ** -8 * 4 / 10
    assert mpmath.mpf(str(bounds.lower)) - slack <= exact <= mpmath.mpf(str(bounds.upper)) + slack
    assert bounds.width_upper() <= F(1, 10**7)
    mean = mpmath.fsum(mp(p) * abs(v) for _, v, p in long)
    right = enclosure(theorem.forgotten_memory(instance, HistoryCase(known=known)))
    value = mean / 10**known
    assert mpmath.mpf(str(right.lower)) - slack <= value <= mpmath.mpf(str(right.upper)) + slack
    assert right.width_upper() <= F(1, 10**7)


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_the_rare_hidden_state_converges_as_slowly_as_it_may(rounds):
    """From the rare state: M (0.99 0.9^k) and, with one memory for all states, |v_k - V|."""
    instance = gallery.load("sharp-ergodic")
    case = StartCase(state=0, memory=F(1, 4), weight=F(1000), rounds=rounds)
    v = fixed = mp(F(1, 4))
    for _ in range(rounds):
        v = phi(instance, 0, v)
    for _ in range(200):
        fixed = phi(instance, 0, fixed)
    exact = 1000 * mp(F(99, 100)) * mp(F(9, 10)) ** rounds + abs(v - fixed)
    contains(theorem.distance_from_invariant_law(instance, case), exact, 1e-11)
    contains(theorem.geometric_bound(instance, case), mp(F(9, 10)) ** rounds * 1001)


def test_the_sharp_instances_are_tight():
    tight = {
        (claim.id, name): decide(claim, gallery.load(name)).tightness
        for claim, least in ((E2, 0.99), (E3, 0.98), (E5, 0.989))
        for name in claim.sharp
        if decide(claim, gallery.load(name)).tightness < least
    }
    assert tight == {}


def test_e2_is_decided_on_a_periodic_chain():
    result = decide(E2, gallery.load("periodic-three"))
    assert result.verdict is Verdict.CERTIFIED
    assert decide(E3, gallery.load("periodic-three")).verdict is Verdict.INAPPLICABLE


def test_e2_is_vacuous_where_only_transient_states_remember():
    """State 0 has an input and is left for ever; state 1 sees x = 0 under tanh."""
    chain = chain_of([[F(1, 2), F(1, 2)], [F(0), F(1)]], [F(1), F(0)])
    assert decide(E2, with_chain("sharp-ergodic", chain)).verdict is Verdict.VACUOUS
    assert decide(E2, gallery.load("zero-memory")).verdict is Verdict.VACUOUS


# --- E4, E5 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*MATRICES, "rain"])
def test_e4_and_e5_against_elimination(name):
    rows = MATRICES.get(name) or matrix_of(gallery.load("rain-tel-aviv").chain)
    instance = with_chain("sharp-ergodic", chain_of(rows))
    n = len(rows)
    law = stationary_by_elimination(rows)
    assert finite.stationary_law(instance.chain) == tuple(law)
    steps, power = 1, rows
    while dobrushin(power) == 1:
        steps, power = steps + 1, product(power, rows)
    rng = random.Random(name)
    for _ in range(40):
        p = [F(rng.randint(-20, 20), 10) for _ in range(n)]
        target = rng.choice([i for i in range(n) if law[i]])
        case = RowVector(name="", values=tuple(p), target=target)
        mass = sum(p)
        moved = [sum((p[i] * rows[i][j] for i in range(n)), F(0)) - p[j] for j in range(n)]
        residual = sum(map(abs, moved))
        left = sum((abs(a - b) for a, b in zip(p, law, strict=True)), F(0))
        assert theorem.distance_from_stationary_law(instance, case) == left
        right = abs(mass - 1) + residual * steps / (1 - dobrushin(power))
        assert theorem.residual_bound(instance, case) == right >= left
        left = sum((abs(a - mass * b) for a, b in zip(p, law, strict=True)), F(0))
        assert theorem.distance_from_its_multiple(instance, case) == left
        times = hitting_times(instance.chain, target)
        up, down = (
            sum((max(sign * e, F(0)) * h for e, h in zip(moved, times, strict=True)), F(0))
            for sign in (1, -1)
        )
        assert theorem.hitting_bound(instance, case) == 2 * max(up, down) >= left
        # any larger h will do
        assert 2 * max(up, down) <= 2 * (up + down)


@pytest.mark.parametrize(("a", "b"), [(F(1, 100), F(1, 2)), (F(1, 1000), F(1, 3))])
def test_e5_is_nearly_an_equality_where_one_of_two_states_dominates(a, b):
    """left / right = b / (a + b), the stationary probability of the state that is hit."""
    instance = with_chain("sharp-ergodic", chain_of([[1 - a, a], [b, 1 - b]]))
    case = RowVector(name="", values=(F(1, 3), F(5, 7)), target=0)
    left = theorem.distance_from_its_multiple(instance, case)
    assert left / theorem.hitting_bound(instance, case) == b / (a + b)


@pytest.mark.parametrize("name", E4.sharp)
def test_e4_is_an_equality_for_two_states_and_mass_one(name):
    instance = gallery.load(name)
    case = next(
        case for case in theorem.row_vectors(instance, random.Random(0)) if "moved" in case.name
    )
    mass = abs(sum(case.values) - 1)
    left = theorem.distance_from_stationary_law(instance, case)
    assert left >= (theorem.residual_bound(instance, case) - 2 * mass) * F(99999, 100000)
    assert mass <= F(1, 10**11)


def test_e5_holds_on_periodic_chains():
    instance = with_chain("sharp-ergodic", chain_of(CYCLE))
    result = decide(E5, instance)
    assert result.verdict is Verdict.CERTIFIED
    assert decide(E4, instance).verdict is Verdict.INAPPLICABLE


def test_no_case_of_e5_is_nothing_at_most_nothing():
    for name in ("absorbing", "cyclic-with-noise", "sharp-slope"):
        instance = gallery.load(name)
        for case in theorem.varying_row_vectors(instance, random.Random(1)):
            assert theorem.hitting_bound(instance, case) > 0


def test_every_row_vector_is_tried_with_a_recurrent_state():
    instance = with_chain("sharp-ergodic", chain_of(TRANSIENT))
    for seed in range(20):
        cases = theorem.row_vectors(instance, random.Random(seed))
        assert {case.target for case in cases} <= {1, 2}


# --- verdicts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("claim", [E1, E4, E5], ids=lambda claim: claim.id)
def test_one_state_is_vacuous(claim):
    result = decide(claim, gallery.load("one-state"))
    assert result.verdict is Verdict.VACUOUS
    assert "one state" in result.reason


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_two_recurrent_classes_are_named(claim):
    result = decide(claim, gallery.load("reducible"))
    assert result.verdict is Verdict.INAPPLICABLE
    assert "2 recurrent classes: {0, 1} and {2, 3}" in result.reason


@pytest.mark.parametrize("claim", [E1, E2, E3], ids=lambda claim: claim.id)
def test_an_expanding_memory_is_inapplicable(claim):
    assert decide(claim, gallery.load("expanding")).verdict is Verdict.INAPPLICABLE


@pytest.mark.parametrize("claim", [E4, E5], ids=lambda claim: claim.id)
def test_the_chain_alone_does_not_mind_an_expanding_memory(claim):
    assert decide(claim, gallery.load("expanding")).verdict is Verdict.CERTIFIED


def test_e3_with_one_state_is_compared_with_the_memories_alone():
    instance = gallery.load("one-state")
    case = StartCase(state=0, memory=F(0), weight=F(10), rounds=1)
    contains(theorem.widest_distance(instance, case), 2 * mp(F(95, 100)))
    two = gallery.load("sharp-ergodic")
    contains(theorem.widest_distance(two, case), mpmath.mpf(11))


def test_the_sides_of_a_large_chain_are_narrow_balls():
    instance = gallery.load("snakes-and-ladders")
    for case in theorem.row_vectors(instance, random.Random(0)):
        for side in (
            theorem.distance_from_stationary_law,
            theorem.distance_from_its_multiple,
            theorem.residual_bound,
            theorem.hitting_bound,
        ):
            low, high = end_points(ball(side(instance, case)))
            assert high - low <= F(1, 10**12) * (1 + high)


def test_mutants_of_the_bounds_are_what_they_say():
    instance = gallery.load("mutant-m-step")
    case = PairCase(states=(0, 2), memories=(F(1, 3), F(1, 4)), weight=F(2))
    d = 2 * mp(F(9, 10)) * mpmath.tanh(mp(F(1, 100)))
    coefficient = mp(dobrushin(product(FOUR, FOUR)))
    distance = mp(F(2) + F(1, 12))
    kappa = max(mp(F(81, 100)), coefficient)
    contains(theorem.contracted_without_sensitivity(instance, case), kappa * distance)
    kappa = max(mp(F(9, 10)), coefficient + d / 2)
    contains(theorem.contracted_as_in_one_step(instance, case), kappa * distance)
    row = RowVector(name="", values=(F(1), F(0), F(0), F(1, 2)), target=0)
    steps = F(2)
    residual = sum(
        abs(sum(row.values[i] * FOUR[i][j] for i in range(4)) - row.values[j]) for j in range(4)
    )
    assert theorem.residual_bound(instance, row, divided=False) == F(1, 2) + steps * residual
    exact = steps * residual / (1 - dobrushin(product(FOUR, FOUR)))
    assert theorem.residual_bound(instance, row, mass=False) == exact
    full = theorem.hitting_bound(instance, row)
    assert theorem.hitting_bound(instance, row, factor=1) == full / 2
    assert theorem.hitting_bound(instance, row, late=1) < full


def product_instance(chain: Chain, b: Fraction, activation: ActivationSpec) -> Instance:
    """W = 1, B = b."""
    one, zero = Constant(value=(F(1),)), Constant(value=(F(0),))
    return dataclasses.replace(
        with_chain("rain-tel-aviv", chain),
        activation=activation,
        law=ProductLaw(c=zero, w=one, b=Constant(value=(b,))),
    )


LOGISTIC, TANH = ActivationSpec.named("logistic"), ActivationSpec.named("tanh")
FLAT = ActivationSpec(terms=(Term(weight=F(10**200), scale=F(1, 10**401), shift=F(0), of="tanh"),))
BEYOND_DOUBLES = {
    "input": product_instance(chain_of(STICKY, [F(0), F(10**400)]), F(1, 2), LOGISTIC),
    "weight": product_instance(chain_of(STICKY), F(1, 10**310), LOGISTIC),
    "bound": product_instance(chain_of(STICKY), F(10**200), FLAT),
}


@pytest.mark.parametrize("claim", [E1, E2, E3], ids=lambda claim: claim.id)
@pytest.mark.parametrize("name", BEYOND_DOUBLES)
def test_numbers_beyond_the_range_of_doubles_are_no_fault(claim, name):
    result = decide(claim, BEYOND_DOUBLES[name], precisions=(64,))
    if (claim, name) == (E1, "weight"):
        assert result.verdict is Verdict.CERTIFIED
    else:
        assert result.verdict is Verdict.UNDECIDED
        assert result.reason


def test_a_wrong_map_in_double_precision_certifies_nothing(monkeypatch):
    instance = gallery.load("sharp-forgetting")
    doubles = joint.memory_map_doubles

    def wrong(*args, **options):
        values, error = doubles(*args, **options)
        return values * (1 - 1e-6), error

    caches = joint._map, joint._of_few_states, sensitivity._input_sensitivity
    for cache in caches:
        cache.cache_clear()
    monkeypatch.setattr(joint, "memory_map_doubles", wrong)
    result = decide(E2, instance)
    monkeypatch.undo()
    assert result.verdict is Verdict.UNDECIDED
    assert "the memory map in double precision" in result.reason
    assert decide(E2, instance).verdict is Verdict.CERTIFIED


@pytest.mark.parametrize("b", [F(1, 10), F(1, 20), F(1, 1000)])
@pytest.mark.parametrize("activation", [LOGISTIC, TANH], ids=lambda spec: spec.label)
def test_rounds_that_the_enclosure_does_not_resolve_are_left_out(b, activation):
    """The fair coin forgets at once, kappa^8 is far below the spread of mu."""
    instance = product_instance(chain_of([[F(1, 2)] * 2] * 2), b, activation)
    result = decide(E3, instance, precisions=(64,))
    assert result.verdict is Verdict.CERTIFIED, result.reason
    cases = theorem.start_cases(instance, random.Random(0))
    assert {case.rounds for case in cases} >= {1, 2}
    for case in cases:
        left = enclosure(theorem.distance_from_invariant_law(instance, case))
        right = enclosure(theorem.geometric_bound(instance, case))
        assert left.width_upper() <= F(float(right.upper))


def wielandt(n: int) -> Instance:
    """A cycle of n states with one shortcut: m is as large as it can be."""
    rows = [[F(j == i + 1) for j in range(n)] for i in range(n - 1)]
    rows.append([F(j in {0, 1}) / 2 for j in range(n)])
    return product_instance(chain_of(rows, [F(i, n) for i in range(n)]), F(1, 2), TANH)


@pytest.mark.parametrize("n", [12, 35])
def test_a_chain_that_mixes_late_has_fewer_cases(n):
    instance = wielandt(n)
    # Akelbek and Kirkland (2009): the largest scrambling index of n states.
    steps = -(-((n - 1) ** 2 + 1) // 2)
    assert theorem.coupling_steps(instance) == steps
    pairs = theorem.pair_cases(instance, random.Random(0))
    starts = theorem.start_cases(instance, random.Random(0))
    assert len(pairs) == min(theorem.MAX_STEPS // (2 * steps), 12)
    assert 1 <= sum(case.rounds for case in starts) <= theorem.MAX_STEPS // steps
    assert decide(E1, instance, precisions=(64,)).verdict is Verdict.CERTIFIED


@pytest.mark.parametrize(("claim", "n"), [(E1, 60), (E1, 100), (E3, 100)])
def test_a_chain_that_mixes_too_late_is_refused(claim, n):
    result = decide(claim, wielandt(n))
    assert result.verdict is Verdict.UNDECIDED
    assert "more than 2000 steps" in result.reason


@pytest.mark.parametrize("claim", [E1, E3], ids=lambda claim: claim.id)
def test_a_chain_that_is_too_large_is_refused_before_d_is_enclosed(claim, monkeypatch):
    def unwanted(_instance):
        raise AssertionError("D was enclosed")

    monkeypatch.setattr(sensitivity, "input_sensitivity", unwanted)
    n = 500
    rows = tuple(tuple(sorted(((i, F(1, 2)), ((i + 1) % n, F(1, 2))))) for i in range(n))
    ring = Chain(
        rows=rows, inputs=tuple((F(i, n),) for i in range(n)), targets=(F(0),) * n, initial=0
    )
    result = decide(claim, product_instance(ring, F(1, 2), TANH))
    assert result.verdict is Verdict.UNDECIDED
    assert "500 states" in result.reason


def test_what_e1_establishes_does_not_say_too_much():
    assert "nearly attains δ(P^m)" in E1.establishes
    assert " attains" not in E1.establishes.replace("nearly attains", "")


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_claims_travel_and_repeat(claim):
    assert pickle.loads(pickle.dumps(claim)).id == claim.id
    instance = gallery.load("markov-onegin")
    first, second = (
        dataclasses.replace(decide(claim, instance, seed=7), seconds=0.0) for _ in range(2)
    )
    assert first == second
    assert first.verdict is Verdict.CERTIFIED


def is_light(instance: Instance) -> bool:
    """Whether its expectations need few nodes, so that a test is a matter of a second."""
    strip = activation(instance.activation).strip_width()
    try:
        rules = [projection(instance.law, x, strip).rule for x in set(instance.chain.inputs)]
    except NotEnclosed:
        return False
    return sum(len(rule.nodes) for rule in rules) * len(instance.activation.terms) <= 200


@settings(max_examples=25, deadline=None)
@given(instance=strategies.instances(contracting=True), seed=st.integers(0, 2**32))
def test_no_random_instance_refutes_a_claim(instance, seed):
    assume(is_light(instance))
    for claim in CLAIMS:
        result = decide(claim, instance, seed=seed, precisions=(64, 128))
        assert result.verdict is not Verdict.REFUTED, result
        if result.verdict is Verdict.INAPPLICABLE:
            assert "recurrent class" in result.reason, result


@settings(max_examples=50, deadline=None)
@given(chain=strategies.chains(max_states=6), seed=st.integers(0, 2**32))
def test_e4_and_e5_are_decided_on_every_random_chain(chain, seed):
    instance = with_chain(
        "rain-tel-aviv", dataclasses.replace(chain, inputs=((F(1),),) * chain.n_states)
    )
    for claim, applies in (
        (E4, finite.is_ergodic(chain)),
        (E5, finite.has_one_recurrent_class(chain)),
    ):
        verdict = decide(claim, instance, seed=seed).verdict
        expected = {Verdict.CERTIFIED, Verdict.VACUOUS} if applies else {Verdict.INAPPLICABLE}
        assert verdict in expected
