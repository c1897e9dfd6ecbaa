"""K1 to K5: both sides against formulas written a second time, and the verdicts they lead to."""

from __future__ import annotations

import dataclasses
import itertools
import math
import random
from fractions import Fraction

import mpmath
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from theorems import kernel_limit as theorem
from theorems.kernel_limit import (
    CLAIMS,
    K1,
    K2,
    K3,
    K4,
    K5,
    CoarseRule,
    Drawing,
    Entry,
    Move,
    Pair,
    PushedGram,
)
from verification import gallery
from verification.campaign import strategies
from verification.decision import decide
from verification.enclosure.balls import ball, enclosure, end_points, interval, precision
from verification.enclosure.matrix import Matrix
from verification.errors import NotEnclosed
from verification.instance import (
    ActivationSpec,
    Atom,
    AtomicLaw,
    Chain,
    Constant,
    Instance,
    Normal,
    ProductLaw,
    Term,
    Uniform,
)
from verification.kernel import computed_gram
from verification.kernel.limiting import Point, kernel
from verification.recurrent.activation import activation
from verification.recurrent.law import projection
from verification.verdict import EvidenceKind, Verdict

F = Fraction
DIGITS = 40
SECOND = {
    "tanh": lambda: 4 / (3 * mpmath.sqrt(3)),
    "logistic": lambda: 1 / (6 * mpmath.sqrt(3)),
    "sin": lambda: mpmath.mpf(1),
    "erf": lambda: mpmath.sqrt(8 / (mpmath.pi * mpmath.e)),
}
FIRST = {"tanh": 1, "logistic": mpmath.mpf(1) / 4, "sin": 1}
SIGMA = {
    "tanh": (mpmath.tanh, lambda t: mpmath.sech(t) ** 2),
    "logistic": (
        lambda t: 1 / (1 + mpmath.exp(-t)),
        lambda t: mpmath.exp(-t) / (1 + mpmath.exp(-t)) ** 2,
    ),
    "sin": (mpmath.sin, mpmath.cos),
}


def named(name: str) -> Instance:
    instance = gallery.load(name)
    assert isinstance(instance, Instance)
    return instance


def changed(name: str = "markov-onegin", **changes) -> Instance:
    return dataclasses.replace(named(name), **changes)


def mp(value: Fraction | int) -> mpmath.mpf:
    value = F(value)
    return mpmath.mpf(value.numerator) / value.denominator


def ends(side: object) -> tuple[mpmath.mpf, mpmath.mpf]:
    bounds = enclosure(side)
    return mpmath.mpf(str(bounds.lower)), mpmath.mpf(str(bounds.upper))


def contains(side: object, value: mpmath.mpf, width: float = 1e-15) -> None:
    """Two-sided: the enclosure holds the oracle's value and is narrow."""
    low, high = ends(side)
    slack = abs(value) * mpmath.mpf(10) ** (8 - DIGITS) + mpmath.mpf(10) ** (5 - DIGITS)
    assert low - slack <= value <= high + slack
    assert high - low <= width * max(1, abs(value))


@pytest.fixture(autouse=True)
def _many_digits():
    with mpmath.workdps(DIGITS), precision(128):
        yield


def oracle_kernel(instance: Instance, first: Point, second: Point, sign: int = 1) -> mpmath.mpf:
    """K for laws of atoms, from the definition; with sign -1 its parts subtracted."""
    value, slope = SIGMA[instance.activation.label]
    result = mpmath.mpf(0)
    for atom in instance.law.atoms:
        u, t = (
            mpmath.fsum(mp(a * b) for a, b in zip(atom.w, z.input, strict=True)) + mp(z.memory)
            for z in (first, second)
        )
        inner = mpmath.fsum(mp(a * b) for a, b in zip(first.input, second.input, strict=True))
        backward = mp(atom.c) ** 2 * slope(u) * slope(t) * inner
        result += mp(atom.p) * (value(u) * value(t) + sign * backward)
    return result


ATOMS = ["rain-tel-aviv", "dependent-b-on-w", "sharp-kernel", "sharp-kernel-slope", "sharp-l2"]
PAIR = Pair(state=0, memory=F(1, 3), other=1, other_memory=F(-3, 7))


# Left sides


@pytest.mark.parametrize("name", ATOMS)
def test_size_and_slope_are_those_of_the_definition(name):
    instance = named(name)
    first, second = PAIR.points(instance)
    value = oracle_kernel(instance, first, second)
    contains(theorem.kernel_size(instance, PAIR), abs(value))
    moved = dataclasses.replace(first, memory=F(1, 3) + F(5, 8))
    slope = abs(oracle_kernel(instance, moved, second) - value) / mp(F(5, 8))
    contains(theorem.kernel_slope(instance, Move(start=PAIR, by=F(5, 8))), slope)


def some_points(instance: Instance, count: int = 6) -> tuple[Point, ...]:
    inputs = instance.chain.inputs
    return tuple(
        Point(
            input=tuple(F(float(x)) for x in inputs[k % len(inputs)]),
            memory=F(2 * k + 1 - count, 8),
        )
        for k in range(count)
    )


@pytest.mark.parametrize("name", ["rain-tel-aviv", "sharp-l2", "sharp-kernel"])
def test_least_eigenvalue_is_that_of_the_matrix_that_was_moved(name):
    instance = named(name)
    points = some_points(instance)
    signs = (1, -1, 1, 1, -1, 1)
    case = PushedGram(points=points, signs=signs, push=F(1, 64))
    for sign, left in (
        (1, theorem.least_eigenvalue_negated),
        (-1, theorem.least_eigenvalue_of_difference),
    ):
        matrix = mpmath.matrix(
            [
                [oracle_kernel(instance, a, b, sign) - mp(F(i * j, 64)) for b, j in row]
                for a, i in zip(points, signs, strict=True)
                for row in [list(zip(points, signs, strict=True))]
            ]
        )
        least = min(mpmath.eigsy(matrix, eigvals_only=True))
        low, high = ends(left(instance, case))
        # The computed matrix is off by rounding.
        slack = mpmath.mpf(6) * mp(theorem.computed_gram(instance, points)[1])
        assert low - slack <= -least <= high + slack
        assert high - low < 1e-13


def test_both_ends_of_the_eigenvalue_are_carried_over():
    instance = named("rain-tel-aviv")
    points = some_points(instance)
    signs = (1, 1, -1, 1, -1, -1)
    case = PushedGram(points=points, signs=signs, push=F(1, 64))
    rows = theorem.computed_gram(instance, points)[0].entries()
    low, high = ends(theorem.least_eigenvalue_negated(instance, case))
    with mpmath.workdps(60):
        matrix = mpmath.matrix(
            [
                [mp(rows[i][j]) - mp(F(p * q, 64)) for j, q in enumerate(signs)]
                for i, p in enumerate(signs)
            ]
        )
        assert low < -min(mpmath.eigsy(matrix, eigvals_only=True)) < high
    assert high - low < mpmath.mpf(10) ** -30


@pytest.mark.parametrize("name", ["rain-tel-aviv", "two-dimensional", "seattle-weather"])
def test_the_computed_matrix_is_as_near_as_it_says(name):
    instance = named(name)
    points = some_points(instance, 3)
    with precision(64):
        matrix, error = theorem.computed_gram(instance, points)
    rows = matrix.entries()
    with precision(128):
        for (i, a), (j, b) in itertools.product(enumerate(points), repeat=2):
            exact = kernel(instance.activation, instance.law, a, b)
            assert end_points(abs(ball(rows[i][j]) - exact))[1] <= error
        assert 0 < error < F(1, 10**10)
        # seattle-weather has five dimensions, too many for features
        if name == "seattle-weather":
            with pytest.raises(NotEnclosed):
                theorem.gram_in_doubles(instance, points)


@pytest.mark.parametrize("row", [0, 1])
def test_a_matrix_from_balls_is_as_far_as_its_widest_entry(monkeypatch, row):
    rows = [[ball(1), ball(0)], [ball(0), ball(1)]]
    rows[row][1] = interval(ball(2), ball(3))
    monkeypatch.setattr(computed_gram, "gram_matrix", lambda *_: Matrix.of_balls(rows))
    matrix, error = computed_gram._gram_from_balls.__wrapped__(named("rain-tel-aviv"), (), 128)
    value = matrix.entries()[row][1]
    assert max(abs(value - 2), abs(value - 3)) <= error <= F(101, 100)


@pytest.mark.parametrize("name", ["rain-tel-aviv", "sharp-l2"])
def test_the_error_of_an_entry_is_the_distance_from_the_definition(name):
    instance = named(name)
    points = some_points(instance)
    matrix, error = theorem.computed_gram(instance, points)
    for i, j in ((0, 0), (1, 4), (5, 2)):
        case = Entry(points=points, row=i, column=j)
        truth = abs(mp(matrix.entries()[i][j]) - oracle_kernel(instance, points[i], points[j]))
        contains(theorem.error_of_entry_or_rule(instance, case), truth, width=1e-30)
        assert theorem.stated_error(instance, case) == error
        height = abs(sum(a * b for a, b in zip(points[i].input, points[j].input, strict=True)))
        height *= sum(atom.p * atom.c**2 for atom in instance.law.atoms)
        s1 = FIRST[instance.activation.label]
        trivial = 1 + mp(height) * s1**2 + abs(mp(matrix.entries()[i][j]))
        contains(theorem.largest_error(instance, case), trivial)


def coarse(state: int, other: int, step: str, v: str = "0", w: str = "0") -> CoarseRule:
    pair = Pair(state=state, memory=F(v), other=other, other_memory=F(w))
    return CoarseRule(pair=pair, step=F(step))


@pytest.mark.parametrize(("state", "other"), [(0, 0), (0, 1), (1, 0)])
@pytest.mark.parametrize("step", ["2", "1.25"])
def test_the_error_of_a_coarse_rule_for_the_sine_is_what_poisson_says(state, other, step):
    """What a wave gains in a sum: ``sum_{j != 0} exp(-(w + 2 pi j / h)^2 / 2)``, at phase 0."""
    instance = named("sharp-trapezoid")
    case = coarse(state, other, step, "0.25", "-0.5")
    h, s = mp(F(step)), mp(F("0.05"))
    phases = [mp(F(m) + F(v)) for m, v in zip(("1.5", "1.6"), (0, 0), strict=True)]
    a, b = phases[state] + mp(F("0.25")), phases[other] - mp(F("0.5"))

    def wave(frequency, *, coarsely: bool):
        terms = range(-12, 13) if coarsely else (0,)
        return mpmath.fsum(
            mpmath.exp(-((frequency + 2 * mpmath.pi * j / h) ** 2) / 2) for j in terms
        )

    def kernel_by(*, coarsely: bool):
        if state == other:
            minus, plus = (
                wave(k * s, coarsely=coarsely) * mpmath.cos(phase)
                for k, phase in ((0, a - b), (2, a + b))
            )
            return (minus - plus) / 2 + mp(F("0.01")) / 3 * (minus + plus) / 2
        return wave(s, coarsely=coarsely) ** 2 * mpmath.sin(a) * mpmath.sin(b)

    truth = abs(kernel_by(coarsely=True) - kernel_by(coarsely=False))
    contains(theorem.error_of_entry_or_rule(instance, case), truth)


@pytest.mark.parametrize("units", [1, 2, 3])
def test_the_drawn_kernel_is_averaged_over_all_draws(units):
    instance = named("rain-tel-aviv")
    case = Drawing(pair=PAIR, units=units)
    first, second = PAIR.points(instance)
    masses = [mp(atom.p) for atom in instance.law.atoms]
    values = []
    for atom in instance.law.atoms:
        alone = dataclasses.replace(
            instance, law=AtomicLaw(atoms=(dataclasses.replace(atom, p=F(1)),))
        )
        values.append(oracle_kernel(alone, first, second))
    mean = oracle_kernel(instance, first, second)
    variance = mpmath.fsum(p * (y - mean) ** 2 for p, y in zip(masses, values, strict=True))
    contains(theorem.distance_of_drawn_kernel(instance, case), variance / units)
    contains(theorem.variance_over_units(instance, case), variance / units)
    contains(theorem.variance_over_units(instance, case, squared=True), variance / units**2)
    contains(theorem.sample_variance_over_units(instance, case), variance / max(units - 1, 1))
    # C^2 is 0 or 1 with mean 1/3, independent of W
    tame = AtomicLaw(
        atoms=tuple(
            dataclasses.replace(atom, p=3 * atom.p, c=F(1))
            for atom in instance.law.atoms
            if atom.c == 1
        )
    )
    scale = sum(atom.p for atom in tame.atoms)
    fixed, square = mpmath.mpf(0), mpmath.mpf(0)
    for atom in tame.atoms:
        alone = AtomicLaw(atoms=(dataclasses.replace(atom, p=F(1)),))
        forward, both = (
            oracle_kernel(dataclasses.replace(instance, law=law), first, second)
            for law in (AtomicLaw(atoms=(dataclasses.replace(atom, p=F(1), c=F(0)),)), alone)
        )
        value = forward + (both - forward) / 3
        fixed += mp(atom.p / scale) * value
        square += mp(atom.p / scale) * value**2
    contains(theorem.variance_without_that_of_c(instance, case), (square - fixed**2) / units)


# Right sides, constants


@pytest.mark.parametrize("name", ["rain-tel-aviv", "sharp-l2", "sharp-kernel", "sharp-sobolev"])
def test_bounds_are_what_the_statements_name(name):
    instance = named(name)
    label = instance.activation.label
    s1, s2 = FIRST[label], SECOND[label]()
    lever = mp(
        {
            "rain-tel-aviv": F(1, 3),
            "sharp-l2": F(1),
            "sharp-kernel": F(16),
            "sharp-sobolev": F(100, 3),
        }[name]
    )
    assert mp(theorem.mean_squared_lever(instance)) == lever
    contains(theorem.slope_bound(instance, None), s1 + lever * s1 * s2)
    one = theorem.slope_bound_of_one_part
    contains(one(instance, None, forward=True), mpmath.mpf(s1))
    contains(one(instance, None, forward=False), lever * s1 * s2)
    contains(theorem.larger_of_both_bounds(instance, None), max(1, lever * s1**2))
    value, slope = SIGMA[label]
    grid = [mpmath.mpf(k) / 64 for k in range(-64 * 40, 64 * 40)]
    best = max(value(u) ** 2 + lever * slope(u) ** 2 for u in grid)
    low, high = ends(theorem.bound_kbar(instance, None))
    assert low <= best * (1 + 1e-3)
    assert best * (1 - mpmath.mpf(2) ** -40) <= high
    assert high - low <= high * 1e-12


def test_the_bound_of_sharp_kernel_is_the_root_of_its_quadratic():
    """``32 s^2 - 48 s + 17 = 0`` where the derivative vanishes, s the logistic."""
    s = (48 - mpmath.sqrt(128)) / 64
    contains(
        theorem.bound_kbar(named("sharp-kernel"), None), s**2 + 16 * (s * (1 - s)) ** 2, width=1e-12
    )


def test_the_bound_of_eigenvalues_grows_with_the_number_of_points():
    instance = named("rain-tel-aviv")
    points = some_points(instance)
    case = PushedGram(points=points, signs=(1,) * 6, push=F(1, 64))
    _, error = theorem.computed_gram(instance, points)
    assert theorem.eigenvalue_bound(instance, case) == 6 * (error + F(1, 64))
    assert theorem.eigenvalue_bound(instance, case, times_n=False) == error + F(1, 64)
    assert theorem.no_smaller_than_a_billionth(instance, case) == F(-1, 10**9)


def least_over(widths, bound) -> mpmath.mpf:
    return min(bound(a) for a in widths)


@pytest.mark.parametrize("step", ["2", "1.5"])
def test_the_stated_error_of_a_rule_is_the_formula_at_its_best_width(step):
    instance = named("sharp-trapezoid")
    h, s = mp(F(step)), mp(F("0.05"))
    top = mp(F(2 * math.pi)) / h  # rounded, as any width will do
    widths = [top * mpmath.mpf(3) ** k / mpmath.mpf(4) ** k for k in range(16)]

    def error(a, factor=2):
        return factor * mpmath.exp(a * a / 2) / mpmath.expm1(2 * mpmath.pi * a / h)

    def strip(a, lever):
        return (1 + lever) * mpmath.cosh(a * s) ** 2

    line, plane = coarse(0, 0, step), coarse(0, 1, step)
    lever = mp(F("0.01")) / 3
    stated = theorem.stated_error
    contains(stated(instance, line), least_over(widths, lambda a: strip(a, lever) * error(a)))
    contains(
        stated(instance, line, factor=1),
        least_over(widths, lambda a: strip(a, lever) * error(a, 1)),
    )
    contains(
        stated(instance, plane),
        least_over(widths, lambda a: strip(a, 0) * error(a) * (2 + error(a))),
    )
    contains(
        stated(instance, plane, variables=1), least_over(widths, lambda a: strip(a, 0) * error(a))
    )
    # a rule's weights sum to at most 1 + h / sqrt(2 pi)
    mass = 1 + h / mpmath.sqrt(2 * mpmath.pi)
    contains(theorem.largest_error(instance, line), (1 + lever) * (1 + mass))
    contains(theorem.largest_error(instance, plane), 1 + mass**2)


def test_the_strips_of_a_rule_end_before_the_poles():
    """two-dimensional: tanh, s = 0.8; x = (1, 0) and x' = (-1/2, 3/4), |x'| < |x|."""
    instance = named("two-dimensional")
    case = coarse(0, 1, "2")
    along, shared, across = (mp(F(k)) for k in ("0.8", "0.4", "0.6"))
    room = F(157, 100) * F(9, 10) / F("0.8")
    top = mp(max(F(x) for x in (float(room), math.nextafter(float(room), 0.0)) if F(x) <= room))
    assert top < mpmath.pi
    widths = [top * mpmath.mpf(3) ** k / mpmath.mpf(4) ** k for k in range(16)]
    lever = mp(F(1, 2)) / 3

    def bound(a):
        one, other = a * along, a * max(shared, across)
        height = max(1, mpmath.tan(one)) * max(1, mpmath.tan(other))
        height += lever / (mpmath.cos(one) * mpmath.cos(other)) ** 2
        error = 2 * mpmath.exp(a * a / 2) / mpmath.expm1(mpmath.pi * a)
        return height * error * (2 + error)

    contains(theorem.stated_error(instance, case), least_over(widths, bound))


# Cases


def test_extreme_pairs_hold_the_maximiser_and_saturated_units():
    instance = named("sharp-kernel")
    pairs = theorem.extreme_pairs(instance, random.Random(1))
    s = (48 - mpmath.sqrt(128)) / 64
    best = mpmath.log(s / (1 - s)) - mp(F("0.25"))
    assert abs(mp(pairs[0].memory) - best) < 0.01
    assert pairs[0].memory == pairs[0].other_memory
    assert {pair.memory for pair in pairs} > {2**20, -(2**20)}
    assert pairs[0].state == 0


def test_moves_begin_where_each_part_is_steep():
    instance = named("sharp-fixed-point")
    moves = theorem.memory_moves(instance, random.Random(1))
    # logistic, one W: sigma' is largest at 0, |sigma''| at +-1.317
    first = moves[0].start
    x = instance.chain.inputs[first.state]
    offset = sum(a * b for a, b in zip(instance.law.w.value, x, strict=True))
    assert abs(first.memory + moves[0].by / 2 + offset) < F(1, 100)
    assert first.other_memory == 2**20
    bent = moves[2].start
    assert abs(abs(bent.memory + moves[2].by / 2 + offset) - F("1.317")) < F(1, 100)
    assert abs(bent.other_memory + offset) < F(1, 100)
    assert all(move.by > 0 for move in moves)


@pytest.mark.parametrize("name", ["sharp-sobolev", "two-dimensional", "random-dense-50"])
def test_pushed_matrices_have_a_negative_eigenvalue_or_a_stated_push(name):
    instance = named(name)
    with precision(64):
        cases = theorem.pushed_grams(instance, random.Random(3))
        assert len(cases) == 4
        for along, everywhere in (cases[:2], cases[2:]):
            assert ends(theorem.least_eigenvalue_negated(instance, along))[0] > 0
            assert everywhere.push == F(1, 1024)
            assert set(everywhere.signs) == {1}
            for case in (along, everywhere):
                assert len(case.signs) == len(case.points) >= 10
    grid = {point.memory for point in cases[0].points}
    assert grid == {-memory for memory in grid}
    assert max(grid) == 2


def test_entries_and_rules_are_drawn_where_they_can_be():
    with precision(64):
        rng = random.Random(5)
        kinds = [
            [type(case).__name__ for case in theorem.entries_and_rules(named(name), rng)]
            for name in ("rain-tel-aviv", "sharp-trapezoid", "seattle-weather")
        ]
        assert kinds[0] == ["Entry"] * 4
        assert kinds[1] == ["Entry"] * 4 + ["CoarseRule"] * 6
        assert kinds[2] == ["CoarseRule"] * 6
        diagonal = theorem.entries_and_rules(named("rain-tel-aviv"), rng)[3]
        assert diagonal.row == diagonal.column
        # |W.x| of a deviation of 12: the steps shrink with it
        law = ProductLaw(
            c=Constant(value=(F(1),)),
            w=Normal(mean=(F(0),), std=F(12)),
            b=Constant(value=(F(1, 2),)),
        )
        steps = {
            case.step
            for case in theorem.entries_and_rules(changed(law=law), rng)
            if isinstance(case, CoarseRule)
        }
        assert steps == {F(2, 12), F(3, 24)}
        # too fine for sums over two variables, and beyond all measure for one
        wide = dataclasses.replace(
            named("two-dimensional"),
            law=dataclasses.replace(law, w=Normal(mean=(F(0),) * 2, std=F(12))),
        )
        rules = [
            case for case in theorem.entries_and_rules(wide, rng) if isinstance(case, CoarseRule)
        ]
        assert rules
        assert {case.pair.state for case in rules} == {case.pair.other for case in rules}
        wider = dataclasses.replace(law, w=Normal(mean=(F(0),), std=F(10**6)))
        rules = theorem.entries_and_rules(changed(law=wider), rng)
        assert not any(isinstance(case, CoarseRule) for case in rules)


def test_drawings_take_as_many_units_as_is_cheap_and_no_pair_without_variance():
    with precision(64):
        rng = random.Random(7)
        rain = theorem.drawings(named("rain-tel-aviv"), rng)
        assert [case.units for case in rain] == [2, 3] * 3
        # x = 0 at state 0: W.x is the same for all units
        slope = theorem.drawings(named("sharp-slope"), rng)
        assert {(case.pair.state, case.pair.other) for case in slope} == {(1, 1), (1, 0)}
        assert all(case.pair.memory.denominator == 64 for case in rain)


def test_units_that_agree_at_some_inputs_only_leave_something_to_claim():
    # at x = 0, one of the two inputs
    assert decide(K4, named("sharp-slope")).verdict is Verdict.CERTIFIED


def test_where_no_mean_over_draws_is_feasible_nothing_is_claimed():
    law = ProductLaw(
        c=Uniform(low=(F(-1),), high=(F(1),)),
        w=Normal(mean=(F(0),), std=F(10**12)),
        b=Constant(value=(F(1, 2),)),
    )
    result = decide(K4, changed(law=law), precisions=(64,))
    assert result.verdict is Verdict.UNDECIDED
    assert "too many terms" in result.reason


# Verdicts


@pytest.mark.parametrize(
    ("claim", "name", "least"),
    [
        (K1, "sharp-kernel", 0.99999),
        (K1, "sharp-forgetting", 0.9999999),
        (K2, "sharp-sobolev", 0.999999),
        (K3, "sharp-trapezoid", 0.99),
        (K4, "rain-tel-aviv", 0.9999999),
        (K4, "markov-onegin", 0.9999999),
        (K5, "sharp-kernel-slope", 0.998),
    ],
    ids=lambda value: getattr(value, "id", value),
)
def test_each_claim_is_nearly_an_equality_where_it_says_so(claim, name, least):
    assert name in claim.sharp
    result = decide(claim, named(name))
    assert result.verdict is Verdict.CERTIFIED
    assert result.tightness is not None
    assert least < result.tightness <= 1 + 2.0**-40


def test_both_variables_of_the_error_formula_are_nearly_sharp():
    instance = named("sharp-trapezoid")
    for case in (coarse(0, 0, "2"), coarse(0, 1, "2")):
        left, right = (
            ends(side(instance, case))
            for side in (theorem.error_of_entry_or_rule, theorem.stated_error)
        )
        assert 0.95 < left[0] / right[1] <= 1


def test_the_bound_needs_a_free_square_and_the_reason_names_the_weight():
    result = decide(K1, named("sharp-kernel-slope"))
    assert result.verdict is Verdict.INAPPLICABLE
    assert result.reason == (
        "needs E[C^2 F(W)] = E[C^2] E[F(W)] for every F, but "
        "E[C^2 | W = (-0.032925, -1.64625)] = 36 and E[C^2] = 0.036"
    )


def test_without_a_free_square_the_bound_is_false():
    """All of C^2 sits where sigma' is largest: K = 1/2 100 > sup_u (tanh^2 + 50 tanh'^2) = 50."""
    rows = (("0.5", "10", "0"), ("0.5", "0", "40"))
    law = AtomicLaw(atoms=tuple(Atom(p=F(p), c=F(c), w=(F(w),), b=F(1, 2)) for p, c, w in rows))
    instance = changed(law=law, activation=ActivationSpec.named("tanh"))
    assert decide(K1, instance).verdict is Verdict.INAPPLICABLE
    # with F and the bound taken as if C were free
    pair = Pair(state=0, memory=F(0), other=0, other_memory=F(0))
    x = instance.chain.inputs[0][0]
    size = ends(theorem.kernel_size(instance, pair))[0]
    assert size > mp(F(50) * x * x)


@pytest.mark.parametrize(
    ("claim", "name", "part"),
    [
        (K1, "constant-weights", "E[C^2] R^2 = 0"),
        (K4, "constant-weights", "every unit"),
        (K4, "sharp-kernel", "every unit"),
    ],
    ids=lambda value: getattr(value, "id", value),
)
def test_claims_that_are_true_of_nothing_are_vacuous(claim, name, part):
    result = decide(claim, named(name))
    assert result.verdict is Verdict.VACUOUS
    assert part in result.reason


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_an_activation_whose_terms_cancel_makes_every_claim_vacuous(claim):
    spec = ActivationSpec(
        terms=tuple(Term(weight=F(sign, 8), scale=F(2), shift=F(1), of="tanh") for sign in (1, -1))
    )
    assert decide(claim, changed(activation=spec)).verdict is Verdict.VACUOUS


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_inputs_of_zero_are_no_fault(claim):
    instance = named("markov-onegin")
    chain = dataclasses.replace(instance.chain, inputs=((F(0),), (F(0),)))
    verdict = decide(claim, dataclasses.replace(instance, chain=chain)).verdict
    expected = Verdict.VACUOUS if claim in (K1, K4) else Verdict.CERTIFIED
    assert verdict is expected


def test_a_rule_too_coarse_to_bound_anything_is_vacuous():
    instance = named("sharp-trapezoid")
    case = coarse(0, 1, "16")
    left, right, trivial = (
        ends(side(instance, case))
        for side in (theorem.error_of_entry_or_rule, theorem.stated_error, theorem.largest_error)
    )
    assert left[1] < trivial[0] < right[0]
    one = dataclasses.replace(K3, cases=lambda *_: [case])
    assert decide(one, instance).verdict is Verdict.VACUOUS


def test_evidence_is_named():
    for claim, kind in (
        (K1, EvidenceKind.BALLS),
        (K2, EvidenceKind.DOUBLES),
        (K3, EvidenceKind.DOUBLES),
        (K4, EvidenceKind.BALLS),
        (K5, EvidenceKind.BALLS),
    ):
        assert decide(claim, named("rain-tel-aviv")).evidence.kind is kind


@pytest.mark.parametrize("claim", [K1, K4, K5], ids=lambda claim: claim.id)
def test_saturated_units_are_no_fault(claim):
    law = ProductLaw(
        c=Uniform(low=(F(-1),), high=(F(1),)),
        w=Constant(value=(F(-(10**7)),)),
        b=Constant(value=(F(1, 2),)),
    )
    for spec in ("logistic", "tanh", "arctan"):
        instance = changed(law=law, activation=ActivationSpec.named(spec))
        assert decide(claim, instance).verdict in (Verdict.CERTIFIED, Verdict.UNDECIDED)


def test_inputs_beyond_double_precision_are_undecided():
    instance = named("markov-onegin")
    chain = dataclasses.replace(instance.chain, inputs=((F(10**400),), (F(1),)))
    for claim in (K2, K3):
        result = decide(claim, dataclasses.replace(instance, chain=chain), precisions=(64,))
        assert result.verdict is Verdict.UNDECIDED
        assert "double precision" in result.reason


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_the_same_seed_gives_the_same_result(claim):
    first, second = (
        dataclasses.replace(decide(claim, named("sunspots"), seed=7), seconds=0.0) for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize(
    ("claim", "values"),
    [(K1, {"Kbar": (1.28, 1.29)}), (K2, {}), (K3, {}), (K4, {}), (K5, {"L_K": (0.63, 0.64)})],
    ids=lambda value: getattr(value, "id", ""),
)
def test_the_report_shows_each_constant_under_its_own_name(claim, values):
    if claim is K4:
        constants = decide(claim, named("rain-tel-aviv")).constants
    else:
        constants = decide(claim, named("sharp-kernel")).constants
    assert set(constants) == set(values)
    for symbol, (low, high) in values.items():
        assert low < constants[symbol].lower <= constants[symbol].upper < high


# What the claims say of each other


@pytest.mark.parametrize("name", ["rain-tel-aviv", "two-dimensional", "snakes-and-ladders"])
def test_cauchy_and_schwarz_hold_between_drawn_points(name):
    """``K(z, z')^2 <= K(z, z) K(z', z')``, the heart of K1's proof and of K2."""
    instance = named(name)
    rng = random.Random(11)
    with precision(64):
        for _ in range(4):
            pair = theorem._drawn_pair(range(min(3, instance.chain.n_states)), rng)
            first, second = pair.points(instance)
            mixed, one, other = (
                kernel(instance.activation, instance.law, a, b)
                for a, b in ((first, second), (first, first), (second, second))
            )
            assert end_points(mixed * mixed)[0] <= end_points(one * other)[1]


def test_relabelled_states_have_the_same_bounds():
    instance = named("two-dimensional")
    order = (2, 0, 1)
    rows = tuple(
        tuple(sorted((order.index(j), p) for j, p in instance.chain.rows[i])) for i in order
    )
    chain = dataclasses.replace(
        instance.chain, rows=rows, inputs=tuple(instance.chain.inputs[i] for i in order)
    )
    other = dataclasses.replace(instance, chain=chain)
    for bound in (theorem.bound_kbar, theorem.slope_bound):
        assert enclosure(bound(instance, None)) == enclosure(bound(other, None))


def is_light(instance: Instance) -> bool:
    """Whether its expectations need few nodes, so that a test is a matter of a second."""
    strip = activation(instance.activation).strip_width()
    try:
        rules = [projection(instance.law, x, strip).rule for x in set(instance.chain.inputs)]
    except NotEnclosed:
        return False
    nodes = max(len(rule.nodes) for rule in rules) * len(instance.activation.terms)
    return nodes <= (200 if instance.chain.dimension == 1 else 60)


@settings(max_examples=25, deadline=None)
@given(instance=strategies.instances(moderate=True, max_states=5), seed=st.integers(0, 2**32))
def test_no_random_instance_refutes_a_claim(instance, seed):
    with precision(64):
        assume(is_light(instance))
    for claim in CLAIMS:
        result = decide(claim, instance, seed=seed, precisions=(64, 128))
        assert result.verdict is not Verdict.REFUTED, result
        if claim is not K1:
            assert result.verdict is not Verdict.INAPPLICABLE, result


@settings(max_examples=10, deadline=None)
@given(
    instance=strategies.instances(
        moderate=True, max_states=4, dimension=1, law_kinds=("atoms", "symmetric-atoms", "constant")
    ),
    seed=st.integers(0, 2**32),
)
def test_random_laws_of_few_units_are_decided(instance, seed):
    for claim in CLAIMS:
        result = decide(claim, instance, seed=seed)
        assert result.verdict in (Verdict.CERTIFIED, Verdict.VACUOUS, Verdict.INAPPLICABLE), result


@pytest.mark.parametrize("activation", ["sin", "tanh"])
def test_units_whose_sine_and_cosine_add_up_leave_nothing_to_draw(activation):
    """With ``C^2 x.x = 1`` every unit adds cos(v - v') for the sine: 0 = 0, which no ball shows."""
    chain = Chain(rows=(((0, F(1)),),), inputs=((F(1),),), targets=(F(0),), initial=0)
    atoms = tuple(Atom(p=F(1, 2), c=F(1), w=(F(w),), b=F(1, 2)) for w in (0, 1))
    instance = Instance(
        name="adds-up",
        chain=chain,
        activation=ActivationSpec.named(activation),
        law=AtomicLaw(atoms=atoms),
    )
    expected = Verdict.VACUOUS if activation == "sin" else Verdict.CERTIFIED
    assert decide(K4, instance).verdict is expected


def test_units_that_two_points_exchange_leave_nothing_undecided():
    """W = +-1/100 at inputs 3/2 and -3/2: at equal memories both kinds of units give one value."""
    onegin = named("markov-onegin")
    inputs = ((F(3, 2),), (F(-3, 2),))
    law = AtomicLaw(
        atoms=tuple(Atom(p=F(1, 2), c=F(1), w=(w,), b=F(1, 2)) for w in (F(1, 100), F(-1, 100)))
    )
    instance = dataclasses.replace(
        onegin, law=law, chain=dataclasses.replace(onegin.chain, inputs=inputs)
    )
    cases = [
        case for seed in range(300) for case in theorem.drawings(instance, random.Random(seed))
    ]
    pairs = [case.pair for case in cases if case.pair.state != case.pair.other]
    assert len(pairs) >= 300
    assert all(abs(pair.memory) != abs(pair.other_memory) for pair in pairs)
    assert decide(K4, instance).verdict is Verdict.CERTIFIED
