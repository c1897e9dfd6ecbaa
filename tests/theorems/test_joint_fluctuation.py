"""P6 and P7: constants and both sides against paths, and a spectral solution of the equation."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise, product
from math import isqrt

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.support.enumerated_paths import mean_over_paths
from theorems import joint_fluctuation as theorem
from theorems.joint_fluctuation import P6, P7, Adapted, Affine, Drifting, Path
from verification import gallery
from verification.campaign import strategies
from verification.decision import decide
from verification.enclosure.balls import Between, ball, enclosure, exact_ball, precision
from verification.errors import NotEnclosed
from verification.instance import ActivationSpec, Constant, Instance, ProductLaw, Term
from verification.markov.finite import is_ergodic
from verification.recurrent.activation import activation
from verification.recurrent.joint import invariant_law
from verification.recurrent.joint_grid import GridFunction, MemorySum, grid
from verification.recurrent.law import projection
from verification.recurrent.memory import memory_bound, memory_map
from verification.recurrent.sensitivity import input_sensitivity
from verification.verdict import Verdict

F = Fraction
ONE_STEP = ["rain-tel-aviv", "hidden-state", "markov-onegin"]
TWO_STEPS = "mutant-m-step"
"""Its scrambling index is 2."""

DIGITS = 40


def mp(value: Fraction) -> mpmath.mpf:
    return mpmath.mpf(value.numerator) / value.denominator


def ends(side) -> tuple[Fraction, Fraction]:
    bounds = enclosure(side)
    return F(bounds.lower), F(bounds.upper)


def contains(side, value: mpmath.mpf, width: float = 1e-12) -> None:
    """Two-sided: the enclosure holds the oracle's value and is narrow."""
    bounds = enclosure(side)
    low, high = (mpmath.mpf(str(end)) for end in (bounds.lower, bounds.upper))
    slack = (abs(value) + 1) * mpmath.mpf(10) ** (10 - DIGITS)
    assert low - slack <= value <= high + slack
    assert high - low <= width * max(1, abs(value))


@pytest.fixture(autouse=True)
def _many_digits():
    with mpmath.workdps(DIGITS), precision(128):
        yield


# The chain, written a second time in mpmath.


@dataclass(frozen=True)
class Solved:
    matrix: mpmath.matrix
    law: mpmath.matrix

    def solution(self, observable: Sequence[mpmath.mpf]) -> list[mpmath.mpf]:
        """(I - P + 1 pi) u = f - pi f."""
        n = len(observable)
        mean = mpmath.fsum(p * f for p, f in zip(self.law, observable, strict=True))
        system = mpmath.eye(n) - self.matrix + mpmath.ones(n, 1) * self.law.T
        return list(mpmath.lu_solve(system, mpmath.matrix([f - mean for f in observable])))

    def deviation(self, u: Sequence[mpmath.mpf]) -> mpmath.mpf:
        """The square of s(u), as half the mean squared difference of two independent successors."""
        n = len(u)
        return max(
            mpmath.fsum(
                self.matrix[i, j] * self.matrix[i, k] * (u[j] - u[k]) ** 2 / 2
                for j, k in product(range(n), repeat=2)
            )
            for i in range(n)
        )


def solved(instance: Instance) -> Solved:
    n = instance.chain.n_states
    matrix = mpmath.zeros(n)
    for i, row in enumerate(instance.chain.rows):
        for j, p in row:
            matrix[i, j] = mp(p)
    # sum pi = 1 in place of the first equation of pi (I - P) = 0.
    system = (mpmath.eye(n) - matrix).T
    for j in range(n):
        system[0, j] = 1
    return Solved(matrix, mpmath.lu_solve(system, mpmath.matrix([1] + [0] * (n - 1))))


def oscillation(values) -> mpmath.mpf:
    return max(values) - min(values)


def summed_coefficients(instance: Instance) -> Fraction:
    """Return Delta, in rationals, by powers of P."""
    n = instance.chain.n_states
    step = [[dict(row).get(j, F(0)) for j in range(n)] for row in instance.chain.rows]

    def times(a, b):
        return [[sum((r[k] * b[k][j] for k in range(n)), F(0)) for j in range(n)] for r in a]

    def coefficient(matrix):
        return max(
            sum((max(a - b, F(0)) for a, b in zip(matrix[i], matrix[j], strict=True)), F(0))
            for i, j in product(range(n), repeat=2)
        )

    matrix, total = step, F(n > 1)
    while coefficient(matrix) == 1:
        matrix, total = times(matrix, step), total + 1
    for _ in range(4):
        if coefficient(matrix) <= F(1, 4):
            break
        matrix, total = times(matrix, matrix), total * (1 + coefficient(matrix))
    return total / (1 - coefficient(matrix))


# P6


def drifting(instance: Instance, steps: int) -> Drifting:
    n = instance.chain.n_states
    return Drifting(
        label="f + (k/n) g",
        fixed=tuple(F(3 * i * i - 4, 5) for i in range(n)),
        moving=tuple(F(2 - 5 * i, 3) for i in range(n)),
        steps=steps,
    )


@pytest.mark.parametrize("steps", [1, 2, 30])
def test_times_add_up(steps):
    case = drifting(gallery.load("fair-coin"), steps)
    path = Path(label="", fixed=case.fixed, moving=case.moving, times=case.times, start=0)
    for each in (case, path):
        assert each.total_time == sum(each.times)
        assert each.passed == each.times[-1] - each.times[0]
    back = dataclasses.replace(path, times=(F(0), F(1), F(1, 2)))
    assert (back.total_time, back.passed) == (F(3, 2), F(3, 2))


def observables(case: Drifting, k: int) -> list[Fraction]:
    return [f + F(k, case.steps) * g for f, g in zip(case.fixed, case.moving, strict=True)]


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("name", [*ONE_STEP, TWO_STEPS])
def test_left_of_p6_is_the_mean_over_all_paths(name, steps):
    instance = gallery.load(name)
    chain, law = instance.chain, solved(instance).law
    case = drifting(instance, steps)
    # The laws of these chains are rationals of small denominators, which forty digits tell.
    pi = [F(mpmath.nstr(p, 38)).limit_denominator(10**9) for p in law]
    assert sum(pi) == 1
    assert all(
        sum((pi[i] * dict(row).get(j, F(0)) for i, row in enumerate(chain.rows)), F(0)) == pi[j]
        for j in range(chain.n_states)
    )
    centred = []
    for k in range(steps):
        f = observables(case, k)
        mean = sum((p * x for p, x in zip(pi, f, strict=True)), F(0))
        centred.append([x - mean for x in f])
    largest = max(
        mean_over_paths(
            chain, i, steps, lambda path: sum(g[s] for g, s in zip(centred, path, strict=True)) ** 2
        )
        for i in range(chain.n_states)
    )
    contains(theorem.root_mean_square_of_moving(instance, case), mpmath.sqrt(mp(largest)))

    # sign(ft(xi_k)) f, and f itself for all times.
    still = dataclasses.replace(case, moving=(F(0),) * chain.n_states)
    adapted = Adapted(label="f", values=case.fixed, steps=steps)
    for other, image in ((still, lambda x: x), (adapted, abs)):
        largest = max(
            mean_over_paths(
                chain, i, steps, lambda path, h=image: sum(h(centred[0][s]) for s in path) ** 2
            )
            for i in range(chain.n_states)
        )
        contains(theorem.root_mean_square_of_moving(instance, other), mpmath.sqrt(mp(largest)))


@pytest.mark.parametrize("steps", [1, 2, 5, 60])
@pytest.mark.parametrize("name", [*ONE_STEP, TWO_STEPS, "near-periodic"])
def test_right_of_p6_is_what_the_statement_says(name, steps):
    instance = gallery.load(name)
    chain, case = solved(instance), drifting(instance, steps)
    delta = mp(summed_coefficients(instance))
    values = [[mp(x) for x in observables(case, k)] for k in range(steps)]
    solutions = [chain.solution(f) for f in values]
    drift = mpmath.fsum(
        oscillation([a - b for a, b in zip(f, g, strict=True)])
        for f, g in zip(values[1:], values, strict=False)
    )
    ends_of_sum = oscillation(solutions[0])
    noise = mpmath.sqrt(mpmath.fsum(chain.deviation(u) for u in solutions))
    contains(theorem.drift_bound(instance, case), ends_of_sum + delta * drift + noise)
    contains(theorem.drift_bound(instance, case, with_drift=False), ends_of_sum + noise)

    u = solutions[0]
    noise = mpmath.sqrt(steps * chain.deviation(u))
    still = dataclasses.replace(case, moving=(F(0),) * instance.chain.n_states)
    contains(theorem.drift_bound(instance, still), oscillation(u) + noise)
    adapted = Adapted(label="f", values=case.fixed, steps=steps)
    jumps = 2 * (steps - 1) * mp(max(case.fixed) - min(case.fixed))
    contains(theorem.drift_bound(instance, adapted), oscillation(u) + delta * jumps + noise)
    # The Poisson solutions drift no faster than Delta times the observables.
    for before, after in pairwise(solutions):
        moved = oscillation([a - b for a, b in zip(after, before, strict=True)])
        assert moved <= delta * drift / (steps - 1) * (1 + mpmath.mpf(10) ** -30)


@pytest.mark.parametrize("name", [*ONE_STEP, TWO_STEPS])
def test_trivial_bounds_of_p6_hold_without_it(name):
    instance = gallery.load(name)
    law, steps = solved(instance).law, 7
    case = drifting(instance, steps)
    largest, ends_of_chord = mpmath.mpf(0), []
    for k in range(steps + 1):
        f = [mp(x) for x in observables(case, k)]
        mean = mpmath.fsum(p * x for p, x in zip(law, f, strict=True))
        size = max(abs(x - mean) for x in f)
        largest += size if k < steps else 0
        ends_of_chord += [size] if k in {0, steps} else []
    bound = theorem.largest_moving_sum(instance, case)
    assert largest <= mpmath.mpf(str(enclosure(bound).upper))
    # A chord from time 0 to time n: no larger than the largest value n times.
    assert mpmath.mpf(str(enclosure(bound).lower)) <= steps * max(ends_of_chord)
    still = dataclasses.replace(case, moving=(F(0),) * instance.chain.n_states)
    contains(theorem.largest_moving_sum(instance, still), steps * ends_of_chord[0])
    adapted = Adapted(label="f", values=case.fixed, steps=steps)
    contains(theorem.largest_moving_sum(instance, adapted), steps * ends_of_chord[0])


def test_p6_is_nearly_an_equality_for_the_simple_random_walk():
    instance = gallery.load("fair-coin")
    result = decide(P6, instance)
    assert result.verdict is Verdict.CERTIFIED
    assert result.case == "f_k = y, n = 30000"
    # E S_n^2 = n, u = y: sqrt(n) / (2 + sqrt(n))
    wanted = 30_000**0.5 / (2 + 30_000**0.5)
    assert result.tightness == pytest.approx(wanted, rel=1e-12)
    assert wanted > 0.988


def test_observables_that_are_constant_are_left_out():
    instance = gallery.load("rain-tel-aviv")
    chain = dataclasses.replace(instance.chain, targets=(F(1), F(1)))
    still = dataclasses.replace(instance, chain=chain)
    for case in theorem.moving_observables(still, random.Random(3)):
        drifts = isinstance(case, Drifting)
        values = (*case.fixed, *case.moving) if drifts else case.values
        assert len(set(values)) > 1
    joint = theorem.joint_observables(still, random.Random(3))
    assert {case.label for case in joint} == {"v"}
    assert {case.asked for case in joint} == {"states", "memory", "sum"}


# P7: the equation solved by collocation in Chebyshev points, in doubles.


@dataclass(frozen=True)
class Spectral:
    """Functions of (i, v) by their values at Chebyshev points of [-vbar, vbar]."""

    vbar: float
    nodes: np.ndarray
    images: np.ndarray
    matrix: np.ndarray

    def interpolation(self, points: np.ndarray) -> np.ndarray:
        """Barycentric; the rows belong to the points."""
        n = len(self.nodes)
        weights = (-1.0) ** np.arange(n)
        weights[[0, -1]] /= 2
        gaps = np.asarray(points)[:, np.newaxis] - self.nodes
        hit = gaps == 0
        terms = weights / np.where(hit, 1.0, gaps)
        terms = np.where(hit.any(axis=1, keepdims=True), hit, terms)
        return terms / terms.sum(axis=1, keepdims=True)

    def pushed(self, values: np.ndarray) -> np.ndarray:
        mixed = self.matrix @ values
        return np.array(
            [self.interpolation(row) @ g for row, g in zip(self.images, mixed, strict=True)]
        )

    def solution(self, values: np.ndarray) -> tuple[np.ndarray, float]:
        """U and the mean c with ``U - Q U + c = F``."""
        n_states, n = values.shape
        size = n_states * n
        kernel = np.zeros((size, size))
        for i, row in enumerate(self.images):
            kernel[i * n : (i + 1) * n] = np.kron(self.matrix[i], self.interpolation(row))
        system = np.ones((size + 1, size + 1))
        system[:size, :size] = np.eye(size) - kernel
        system[size, :size] = np.arange(size) == 0
        system[size, size] = 0
        found = np.linalg.solve(system, np.append(values.ravel(), 0.0))
        return found[:size].reshape(values.shape), float(found[size])


def spectral(instance: Instance, count: int) -> Spectral:
    chain = instance.chain
    vbar = float(ends(memory_bound(instance))[1])
    nodes = vbar * np.cos(np.pi * np.arange(count) / (count - 1))
    images = np.array(
        [
            [float(sum(ends(memory_map(instance, i, exact_ball(float(v))))) / 2) for v in nodes]
            for i in range(chain.n_states)
        ]
    )
    matrix = np.zeros((chain.n_states, chain.n_states))
    for i, row in enumerate(chain.rows):
        for j, p in row:
            matrix[i, j] = float(p)
    return Spectral(vbar, nodes, images, matrix)


def affine_values(known: Spectral, case: Affine) -> np.ndarray:
    levels = np.array([float(a) for a in case.levels])
    return levels[:, np.newaxis] + float(case.slope) * known.nodes


def affine(instance: Instance, kind: str, asked: str, steps: int = 0) -> Affine:
    n = instance.chain.n_states
    levels = {
        "v": (F(0),) * n,
        "y - v": instance.chain.targets,
        "other": tuple(F((-2) ** i, 3) for i in range(n)),
    }[kind]
    slope = {"v": F(1), "y - v": F(-1), "other": F(-7, 4)}[kind]
    return Affine(label=kind, levels=levels, slope=slope, asked=asked, steps=steps)


SOLVED = [*ONE_STEP, TWO_STEPS, "dependent-b-on-w", "one-state", "two-state-sticky"]
KINDS = ["v", "y - v", "other"]
ORACLE = 1e-8
"""What two resolutions of the spectral method agree to, relatively: a test holds them to it."""


def both(instance: Instance, of: Callable[[Spectral], float]) -> float:
    """Return what is computed with 60 nodes, having compared it with 45."""
    coarse, fine = (of(spectral(instance, count)) for count in (45, 60))
    assert abs(fine - coarse) <= ORACLE / 2 * max(1.0, abs(fine))
    return fine


def assert_between(side: Between, least: float, most: float, width: float) -> None:
    """Two-sided; what the oracle finds on the grid's own memories is no less than the lower end."""
    low, high = (float(end) for end in ends(side))
    assert low <= most + ORACLE * max(1.0, abs(most))
    assert least - ORACLE * max(1.0, abs(least)) <= high
    assert high - low <= width


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SOLVED)
def test_the_solution_differs_between_states_as_the_spectral_one(name, kind):
    instance = gallery.load(name)
    case = affine(instance, kind, "states")
    with precision(256):
        found = theorem.joint_left(instance, case)
        known = grid(instance)
        inside = known.memories[known.inside]

    def spread(method: Spectral) -> float:
        solution, _ = method.solution(affine_values(method, case))
        values = method.interpolation(inside) @ solution.T
        return float(np.ptp(values, axis=1).max())

    value = both(instance, spread)
    assert_between(found, value, value, 1e-3 * max(1.0, value))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SOLVED)
def test_the_solution_differs_between_memories_as_the_spectral_one(name, kind):
    instance = gallery.load(name)
    case = affine(instance, kind, "memory")
    with precision(256):
        found = theorem.joint_left(instance, case)
        known = grid(instance)
        cells = (len(known.memories) - 1) // 32
        pairs = known.memories[known.inside]
        distance = cells * known.spacing
    assert distance == pytest.approx(float(ends(memory_bound(instance))[1]) / 16, rel=1e-3)

    def steepest(method: Spectral) -> float:
        solution, _ = method.solution(affine_values(method, case))
        values = method.interpolation(pairs) @ solution.T
        return float(np.abs(values[cells:] - values[:-cells]).max() / distance)

    value = both(instance, steepest)
    assert_between(found, value, value, 2e-3 * abs(float(case.slope)) * max(1.0, value))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SOLVED)
def test_the_invariant_mean_agrees_with_two_other_methods(name, kind):
    instance = gallery.load(name)
    case = affine(instance, kind, "sum")
    with precision(256):
        found = theorem.invariant_mean(instance, case)
    value = both(instance, lambda method: method.solution(affine_values(method, case))[1])
    assert_between(found, value, value, 1e-3)
    with precision(64):
        law = invariant_law(instance)
    levels = np.array([float(a) for a in case.levels])
    mean = float(levels @ law.masses.sum(axis=1)) + float(case.slope) * float(
        law.masses.sum(axis=0) @ law.memories
    )
    largest = float(np.abs(levels).max()) + 1
    doubt = abs(float(case.slope)) * float(law.spread()) + float(law.mass_error) * largest + 1e-12
    assert_between(found, mean - doubt, mean + doubt, 1e-3)


@pytest.mark.parametrize("steps", [1, 3, 20])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SOLVED)
def test_the_root_mean_square_of_a_sum_is_the_spectral_one(name, kind, steps):
    instance = gallery.load(name)
    case = affine(instance, kind, "sum", steps)
    with precision(256):
        found = theorem.joint_left(instance, case)
        known = grid(instance)
        inside = known.memories[known.inside]

    def root(method: Spectral) -> float:
        values = affine_values(method, case)
        centred = values - method.solution(values)[1]
        first, second = centred, centred**2
        for _ in range(steps - 1):
            carried = method.pushed(first)
            second = centred**2 + 2 * centred * carried + method.pushed(second)
            first = centred + carried
        return float((method.interpolation(inside) @ second.T).max()) ** 0.5

    value = both(instance, root)
    assert_between(found, value, value, 1e-2 * max(1.0, value))


@pytest.mark.parametrize("name", ["rain-tel-aviv", "two-state-sticky", TWO_STEPS])
def test_a_fault_in_the_sensitivity_does_not_hide_in_the_left_side(monkeypatch, name):
    """The left side uses D for what is left of the memory alone, which is next to nothing."""
    instance = gallery.load(name)
    case = affine(instance, "v", "states")
    true = ends(theorem.joint_left(instance, case))
    small = input_sensitivity(instance).value.map(lambda value: value / 16)
    monkeypatch.setattr(theorem, "one_step_sensitivity", lambda _instance: small)
    theorem._summed_memory.cache_clear()
    try:
        found, right = theorem.joint_left(instance, case), theorem.joint_bound(instance, case)
    finally:
        theorem._summed_memory.cache_clear()
    assert abs(ends(found)[0] - true[0]) < true[0] / 100
    assert ends(found)[0] > ends(right)[1]


def test_a_mean_that_is_not_known_well_widens_the_sum(monkeypatch):
    instance = gallery.load("rain-tel-aviv")
    case = affine(instance, "other", "sum", 4)
    true = theorem.joint_left(instance, case)
    mean = theorem.invariant_mean(instance, case)
    off = Between(mean.lower - ball(F(1, 8)), mean.upper + ball(F(1, 64)))
    monkeypatch.setattr(theorem, "invariant_mean", lambda *_: off)
    wide = theorem.joint_left(instance, case)
    assert ends(wide.lower)[0] <= ends(true.lower)[0]
    assert ends(true.upper)[1] <= ends(wide.upper)[1]
    # The centre may be off by nine 128ths, in each of four terms, on both sides.
    assert ends(wide)[1] - ends(wide)[0] <= 16 * F(9, 128) + F(1, 100)


def test_the_solution_may_differ_most_between_the_grid_s_memories(monkeypatch):
    """V(0, v) = 0 and V(1, v) = 1 - (v - c)^2 with c halfway between two memories."""
    instance = gallery.load("rain-tel-aviv")
    with precision(64):
        known = grid(instance)
        centre = float(known.memories[130]) + known.spacing / 2
        rows = [np.zeros_like(known.memories), 1 - (known.memories - centre) ** 2]
        found = GridFunction(values=np.array(rows), error=0.0, slope=1.0, curvature=2.0)
        nothing = GridFunction(values=0 * found.values, error=0.0, slope=0.0, curvature=0.0)
        summed = MemorySum(sum=found, last=nothing, rest=0.0)
        monkeypatch.setattr(theorem, "_summed_memory", lambda *_: summed)
        low, high = ends(theorem.joint_left(instance, affine(instance, "v", "states")))
        assert low < 1 <= high < 1 + F(known.spacing) ** 2
        # What other terms may add is on both sides of it.
        more = dataclasses.replace(summed, rest=0.25)
        monkeypatch.setattr(theorem, "_summed_memory", lambda *_: more)
        wider = ends(theorem.joint_left(instance, affine(instance, "v", "states")))
    assert wider[0] == pytest.approx(float(low) - 0.25)
    assert wider[1] == pytest.approx(float(high) + 0.25)


@pytest.mark.parametrize("name", ["rain-tel-aviv", "mutant-m-step"])
def test_the_root_mean_square_of_a_sum_over_all_paths(name):
    """At 0 and at the ends of the range; the sum's left side is the largest over all of them."""
    instance = gallery.load(name)
    steps = 5
    case = affine(instance, "other", "sum", steps)
    with precision(256):
        found = theorem.joint_left(instance, case)
        mean = theorem.invariant_mean(instance, case)
        high = ends(memory_bound(instance))[1]
        squares = []
        for start, v in product(range(instance.chain.n_states), (-high, F(0), high)):
            waiting = [(F(1), start, ball(v), ball(0), 1)]
            square = ball(0)
            while waiting:
                p, i, memory, total, length = waiting.pop()
                value = ball(case.levels[i]) + ball(case.slope) * memory - mean.lower
                total = total + value
                if length == steps:
                    square = square + ball(p) * total * total
                    continue
                image = memory_map(instance, i, memory)
                waiting += [
                    (p * share, j, image, total, length + 1) for j, share in instance.chain.rows[i]
                ]
            squares.append(float(ends(square)[1]))
    doubt = steps * float(ends(mean)[1] - ends(mean)[0]) + 1e-9
    assert max(squares) ** 0.5 <= float(ends(found)[1]) + doubt
    # The largest square is at an end of the range, where the sum starts farthest out.
    assert float(ends(found)[0]) <= max(squares) ** 0.5 + doubt


@pytest.mark.parametrize("name", [*ONE_STEP, TWO_STEPS, "near-periodic", "one-state"])
def test_right_of_p7_is_what_the_statement_says(name):
    instance = gallery.load(name)
    chain = instance.chain
    q, vbar = (
        mp(sum(ends(value)) / 2)
        for value in (theorem.Q.value(instance), theorem.VBAR.value(instance))
    )
    jump = input_sensitivity(instance).value
    delta = mpmath.mpf(0) if chain.n_states == 1 else mp(summed_coefficients(instance))
    worst = max(1 - sum((p * p for _, p in row), F(0)) for row in chain.rows)
    p = mp(min(worst, F(1, 2)))
    for kind in KINDS:
        slope = abs(mp(affine(instance, kind, "sum").slope))
        for forgetting, sensitive in ((True, True), (False, True), (True, False)):
            lasting = slope / (1 - q) if forgetting else slope
            spread = mp(oscillation(affine(instance, kind, "sum").levels))
            omegas = [
                (spread + (lasting * mp(end) if sensitive else 0)) * delta for end in ends(jump)
            ]
            roots = [omega * (1 + mpmath.sqrt(9 * p / 2)) + 2 * vbar * lasting for omega in omegas]
            for asked, wanted in (
                ("states", omegas),
                ("memory", [lasting] * 2),
                ("sum", roots),
            ):
                found = theorem.joint_bound(
                    instance,
                    affine(instance, kind, asked, 9),
                    forgetting=forgetting,
                    sensitive=sensitive,
                )
                contains(found.lower, wanted[0])
                contains(found.upper, wanted[1])
    if chain.n_states > 1:
        trivial = theorem.largest_joint(instance, affine(instance, "other", "sum", 9))
        other = affine(instance, "other", "sum")
        contains(trivial, 9 * (mp(oscillation(other.levels)) + 2 * mp(F(7, 4)) * vbar))
    assert enclosure(theorem.largest_joint(instance, affine(instance, "v", "states"))).upper > 1e300


def test_a_chain_with_many_successors_has_the_variance_of_a_fair_coin():
    """p would be 0.98 in random-dense-50; no variance exceeds a quarter of the squared length."""
    instance = gallery.load("random-dense-50")
    case = affine(instance, "v", "sum", 8)
    omega, all_of_it = (
        theorem.joint_bound(instance, affine(instance, "v", asked, 8)).upper
        for asked in ("states", "sum")
    )
    ends_of_range = (
        2
        * ball(memory_bound(instance))
        * theorem.joint_bound(instance, affine(instance, "v", "memory")).upper
    )
    contains((all_of_it - ends_of_range) / omega, 1 + mpmath.sqrt(mpmath.mpf(8) / 4))
    assert case.steps == 8


def test_the_mutant_of_p7_counts_a_block_as_one_step():
    instance = gallery.load(TWO_STEPS)
    case = affine(instance, "y - v", "states")
    whole, part = (
        theorem.joint_bound(instance, case, in_blocks=blocks).upper for blocks in (True, False)
    )
    contains(whole / part, mpmath.mpf(2))
    other = gallery.load("rain-tel-aviv")
    case = affine(other, "v", "states")
    assert enclosure(theorem.joint_bound(other, case).upper) == enclosure(
        theorem.joint_bound(other, case, in_blocks=False).upper
    )


def nearly_linear() -> Instance:
    """Two states that alternate seldom, inputs of size 1/1000, Phi(x, v) = tanh(x + v) / 2."""
    instance = gallery.load("rain-tel-aviv")
    law = ProductLaw(
        c=Constant(value=(F(0),)), w=Constant(value=(F(1, 1000),)), b=Constant(value=(F(1, 2),))
    )
    return dataclasses.replace(instance, law=law, activation=ActivationSpec.named("tanh"))


def test_sensitivity_enters_p7_sharply_where_the_memory_is_nearly_linear():
    """V(1, 0) - V(0, 0) = (b / (1 - b)) 2 g / (1 - lambda), up to the tanh of 1/1000."""
    instance = nearly_linear()
    case = affine(instance, "v", "states")
    # lambda = 1 - 0.25 - 0.338 = delta(P)
    wanted = 2 * 0.001 / 0.588
    with precision(1024):
        left = theorem.joint_left(instance, case)
        right = theorem.joint_bound(instance, case)
    assert float(ends(left)[1]) >= wanted * (1 - 1e-5)
    assert float(ends(right)[1]) == pytest.approx(wanted, rel=1e-5)
    assert ends(left)[0] / ends(right)[1] > F(999, 1000)
    assert decide(P7, instance).verdict is Verdict.CERTIFIED


def test_p7_is_an_equality_between_states_that_show_the_same_input():
    result = decide(P7, gallery.load("sharp-ergodic"))
    assert result.verdict is Verdict.CERTIFIED
    assert result.tightness is not None
    assert 1 - 2.0**-40 < result.tightness <= 1 + 2.0**-40


def test_p7_is_nearly_an_equality_between_memories_where_the_slope_is_q():
    """U(v) - U(w) = 4 (v - w) near the fixed point of sharp-fixed-point."""
    instance = gallery.load("sharp-fixed-point")
    case = affine(instance, "v", "memory")
    with precision(256):
        left, right = theorem.joint_left(instance, case), theorem.joint_bound(instance, case)
    assert ends(right)[0] <= 4 <= ends(right)[1]
    assert F(998, 1000) * 4 < ends(left)[0] <= ends(left)[1] < 4


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("periodic-three", "has period 3"),
        ("reducible", "2 recurrent classes"),
    ],
)
@pytest.mark.parametrize("claim", [P6, P7], ids=lambda claim: claim.id)
def test_chains_that_do_not_converge_are_inapplicable(claim, name, reason):
    result = decide(claim, gallery.load(name))
    assert result.verdict is Verdict.INAPPLICABLE
    assert reason in result.reason


@pytest.mark.parametrize(
    ("name", "reason"), [("expanding", "q = 1.5"), ("critical", "needs q < 1, but q = 1")]
)
def test_p7_needs_a_contraction_and_p6_none(name, reason):
    result = decide(P7, gallery.load(name))
    assert result.verdict is Verdict.INAPPLICABLE
    assert reason in result.reason
    assert decide(P6, gallery.load(name)).verdict is Verdict.CERTIFIED


def test_with_one_state_p6_is_vacuous_and_p7_is_about_the_memory():
    instance = gallery.load("one-state")
    result = decide(P6, instance)
    assert result.verdict is Verdict.VACUOUS
    assert "one state" in result.reason
    cases = theorem.joint_observables(instance, random.Random(0))
    assert {case.asked for case in cases} == {"memory", "sum"}
    assert decide(P7, instance).verdict is Verdict.CERTIFIED


def with_b(b: Fraction) -> Instance:
    instance = gallery.load("markov-onegin")
    law = dataclasses.replace(instance.law, b=Constant(value=(b,)))
    return dataclasses.replace(instance, law=law)


def without_activation() -> Instance:
    terms = tuple(Term(weight=F(sign, 8), scale=F(2), shift=F(1), of="tanh") for sign in (1, -1))
    return dataclasses.replace(
        gallery.load("markov-onegin"), activation=ActivationSpec(terms=terms)
    )


@pytest.mark.parametrize("instance", [with_b(F(0)), without_activation()], ids=["B = 0", "sigma"])
def test_p7_is_vacuous_without_memory(instance):
    result = decide(P7, instance)
    assert result.verdict is Verdict.VACUOUS
    assert "Phi" in result.reason
    # The sides can be computed all the same.
    for case in theorem.joint_observables(instance, random.Random(0)):
        left, right = theorem.joint_left(instance, case), theorem.joint_bound(instance, case)
        assert ends(left)[0] <= ends(right)[1]


@pytest.mark.parametrize("name", ["zero-memory", "zero-memory-atoms"])
def test_where_the_memory_from_zero_is_zero_others_still_move(name):
    """The statement is about every (i, v): the left side of F = v is far from 0."""
    instance = gallery.load(name)
    assert decide(P7, instance).verdict is Verdict.CERTIFIED
    for asked in ("memory", "sum"):
        left = theorem.joint_left(instance, affine(instance, "v", asked, 4))
        assert ends(left)[0] > F(1, 5) * ends(memory_bound(instance))[0]
    mean = theorem.invariant_mean(instance, affine(instance, "v", "sum"))
    assert ends(mean)[0] <= 0 <= ends(mean)[1]


def test_inputs_that_hardly_move_the_memory_are_not_asked_between_states():
    cases = theorem.joint_observables(gallery.load("mutant-signed-b"), random.Random(0))
    assert "F = v: U between states" not in {str(case) for case in cases}
    assert "F = y + v: U between states" in {str(case) for case in cases}


@pytest.mark.parametrize("size", [F(1, 10**4), F(1, 10**12), F(1, 10**40)])
def test_p7_is_decided_for_small_memories(size):
    assert decide(P7, with_b(size)).verdict is Verdict.CERTIFIED


def test_p7_of_a_memory_too_large_for_doubles_is_undecided_and_says_so():
    term = Term(weight=F(10**10), scale=F(1, 10**10), shift=F(0), of="tanh")
    instance = dataclasses.replace(with_b(F(1, 2)), activation=ActivationSpec(terms=(term,)))
    result = decide(P7, instance)
    assert result.verdict is Verdict.UNDECIDED
    assert "double precision" in result.reason


@pytest.mark.parametrize("target", [F(10) ** 200, F(10) ** 308])
def test_huge_targets_do_no_harm(target):
    instance = with_b(F(1, 2))
    chain = dataclasses.replace(instance.chain, targets=(target, -target))
    result = decide(P7, dataclasses.replace(instance, chain=chain), precisions=(64, 128))
    assert result.verdict in {Verdict.CERTIFIED, Verdict.UNDECIDED}


def test_the_numbers_of_steps_include_long_ones():
    instance = gallery.load("fair-coin")
    moving = theorem.moving_observables(instance, random.Random(0))
    assert max(case.steps for case in moving) == 30_000
    joint = theorem.joint_observables(instance, random.Random(0))
    assert sorted({case.steps for case in joint if case.asked == "sum"}) == [4, 30, 150]
    # Each observable is asked what it can differ by, v alone also between memories.
    assert len(joint) == 13


@pytest.mark.parametrize(
    ("claim", "constants"),
    [(P6, {"Delta": "1"}), (P7, {"Delta": "1", "q": "0.4", "vbar": "0.4"})],
    ids=["P6", "P7"],
)
def test_the_report_shows_the_constants(claim, constants):
    found = decide(claim, gallery.load("fair-coin")).constants
    assert set(found) == set(constants) | ({"D"} if claim is P7 else set())
    for symbol, value in constants.items():
        assert found[symbol].contains(F(value))


def is_light(instance: Instance) -> bool:
    """Whether its expectations need few nodes, so that a test is a matter of a second."""
    strip = activation(instance.activation).strip_width()
    try:
        rules = [projection(instance.law, x, strip).rule for x in set(instance.chain.inputs)]
    except NotEnclosed:
        return False
    return sum(len(rule.nodes) for rule in rules) * len(instance.activation.terms) <= 200


@settings(max_examples=25, deadline=None)
@given(
    instance=strategies.instances(contracting=True, moderate=True, max_states=5),
    seed=st.integers(0, 2**32),
)
def test_no_random_instance_refutes_a_claim(instance, seed):
    with precision(64):
        assume(is_ergodic(instance.chain) and is_light(instance))
    for claim in (P6, P7):
        result = decide(claim, instance, seed=seed, precisions=(64, 128))
        assert result.verdict is not Verdict.REFUTED, result
        assert result.verdict is not Verdict.INAPPLICABLE, result


def test_an_exact_square_root_of_the_walks_length():
    """The oracle for n = 4: E S_4^2 = 4 from either state of the coin."""
    instance = gallery.load("fair-coin")
    zero = (F(0),) * 2
    case = Drifting(label="y", fixed=instance.chain.targets, moving=zero, steps=4)
    low, high = ends(theorem.root_mean_square_of_moving(instance, case))
    assert low <= isqrt(4) <= high
