"""O1 to O5: both sides against formulas written a second time, in mpmath."""

from __future__ import annotations

import dataclasses
import random
from fractions import Fraction

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import limit_equation as oracle
from theorems import ode_limit as theorem
from theorems.ode_limit import CLAIMS, O1, O2, O3, O4, O5, Quantity
from verification import gallery
from verification.campaign import strategies
from verification.decision import decide
from verification.enclosure.balls import ball, enclosure, end_points, precision
from verification.errors import NotEnclosed
from verification.flow.finite_law import AllWords, GivenWords, InvariantLaw, finite_law
from verification.instance import ActivationSpec, Instance, Term, Uniform
from verification.kernel.limiting import kernel_bound, kernel_slope_bound
from verification.verdict import Truth, Verdict

DISCRETE = ["rain-tel-aviv", "dependent-b-on-w"]
SOLVED = 1e-26
"""What 24 Gauss-Legendre nodes in time leave, for the times tried here."""


def named(name: str) -> Instance:
    subject = gallery.load(name)
    assert isinstance(subject, Instance)
    return subject


@pytest.fixture(autouse=True)
def _many_digits():
    with mpmath.workdps(45), precision(160):
        yield


def contains(side: object, value: mpmath.mpf, slack: float = 1e-36, width: float = 1e-20) -> None:
    """Two-sided: the enclosure holds the oracle's value and is narrow."""
    bounds = enclosure(side)
    low, high = (mpmath.mpf(str(end)) for end in (bounds.lower, bounds.upper))
    assert low - slack <= value <= high + slack
    assert high - low <= width * max(1, abs(value))


def cases(claim, instance):
    return claim.cases(instance, random.Random(3))


def atoms_of(instance, data):
    assert isinstance(data, AllWords)
    return oracle.history_atoms(instance, data.known)


def mean_at_points(atoms):
    """Mass and mean target at each point, points with equal memories taken together."""
    points: list = []
    for point, weight, target in atoms:
        for entry in points:
            if entry[0][0] == point[0] and abs(entry[0][1] - point[1]) < 1e-30:
                entry[1] += weight
                entry[2] += weight * target
                break
        else:
            points.append([point, weight, weight * target])
    return [(point, mass, total / mass) for point, mass, total in points]


# --- both sides ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", DISCRETE)
def test_both_forms_give_what_mpmath_gives(name):
    instance = named(name)
    for case in cases(O1, instance)[:3] + cases(O1, instance)[-3:]:
        atoms, time = atoms_of(instance, case.data), oracle.real(case.time)
        if case.quantity is Quantity.LOSS:
            expected = oracle.loss(instance, atoms, time)
        elif case.quantity is Quantity.NORM:
            expected = oracle.squared_norm(instance, atoms, time)
        else:
            place = case.place.input, oracle.real(case.place.memory)
            expected = abs(oracle.value(instance, atoms, time, place))
        for side in (O1.left(instance, case), O1.right(instance, case)):
            contains(side, expected, slack=SOLVED)


@pytest.mark.parametrize("name", [*DISCRETE, "sharp-l2"])
def test_both_sides_of_the_loss_are_those_of_mpmath(name):
    instance = named(name)
    for case in cases(O2, instance):
        expected = oracle.loss(instance, atoms_of(instance, case.data), oracle.real(case.time))
        for side in (O2.left(instance, case), O2.right(instance, case)):
            contains(side, expected)


@pytest.mark.parametrize("name", DISCRETE)
def test_the_excess_and_its_bound_are_those_of_mpmath(name):
    instance = named(name)
    for case in cases(O3, instance):
        atoms, time = atoms_of(instance, case.data), oracle.real(case.time)
        means = mean_at_points(atoms)
        square = mpmath.fsum(w * y * y for _, w, y in atoms)
        floor = square - mpmath.fsum(m * y * y for _, m, y in means)
        contains(O3.left(instance, case), oracle.loss(instance, atoms, time) - floor, width=1e-14)
        points = [point for point, _, _ in means]
        gram = mpmath.matrix([[oracle.kernel(instance, p, q) for q in points] for p in points])
        targets = mpmath.matrix([y for _, _, y in means])
        shortest = (targets.T * mpmath.lu_solve(gram, targets))[0]
        contains(O3.right(instance, case), shortest / (2 * mpmath.e * time), slack=1e-30)


@pytest.mark.parametrize("name", DISCRETE)
def test_the_difference_of_solutions_is_that_of_mpmath(name):
    instance = named(name)
    law = finite_law(instance, AllWords(known=0))
    for case in cases(O4, instance)[-2:]:
        place = case.place.input, oracle.real(case.place.memory)
        time = oracle.real(case.time)
        long, short = (
            oracle.value(instance, oracle.history_atoms(instance, known), time, place)
            for known in (case.data.known, case.known)
        )
        contains(O4.left(instance, case), abs(long - short), slack=SOLVED)
        kbar, slope = kernel_bound(instance).upper, kernel_slope_bound(instance)
        tau = mpmath.mpf(str(enclosure(kbar).upper)) * time
        slope = mpmath.mpf(str(enclosure(slope).upper))
        q, vbar = (
            mpmath.mpf(str(enclosure(f(instance)).upper))
            for f in (theorem.contraction_factor, theorem.memory_bound)
        )
        growth = 1 + min(tau, mpmath.sqrt(2 * tau / 3))
        size = mpmath.sqrt(oracle.real(law.squared_target))
        contains(O4.right(instance, case), time * size * slope * growth * q**case.known * vbar)


@pytest.mark.parametrize("time", [Fraction(1, 10), Fraction(1, 2), Fraction(3), Fraction(20)])
def test_the_bound_of_stability_grows_like_the_time_to_the_power_of_three_halves(time):
    """One state, Kbar = L_K = 1, q = vbar = 0.009, y = 1: tau is the time."""
    instance = named("sharp-stability")
    place = theorem.Point(input=instance.chain.inputs[0], memory=Fraction(0))
    case = theorem.HistoryCase(data=InvariantLaw(), known=2, time=time, place=place)
    t = oracle.real(time)
    growth = 1 + t if time < Fraction(2, 3) else 1 + mpmath.sqrt(2 * t / 3)
    contains(O4.right(instance, case), t * growth * mpmath.mpf("0.009") ** 3)


@pytest.mark.parametrize("name", DISCRETE)
def test_the_weight_and_its_bound_are_those_of_mpmath(name):
    instance = named(name)
    constant = max((1 - mpmath.exp(-s)) ** 2 / s for s in mpmath.linspace(1.25, 1.26, 2001))
    for case in cases(O5, instance)[::2]:
        atoms, time = atoms_of(instance, case.data), oracle.real(case.time)
        contains(O5.left(instance, case), oracle.squared_norm(instance, atoms, time), slack=SOLVED)
        square = mpmath.fsum(w * y * y for _, w, y in atoms)
        # the grid misses the maximum by less than the square of its step
        contains(O5.right(instance, case), constant * time * square, slack=1e-10)


def test_the_growth_constant_is_the_maximum():
    where = mpmath.findroot(lambda s: mpmath.diff(lambda t: (1 - mpmath.exp(-t)) ** 2 / t, s), 1.25)
    contains(theorem.steepest_growth(), where, slack=1e-30)
    value = (1 - mpmath.exp(-where)) ** 2 / where
    contains(theorem.growth_constant(named("one-state")), value, slack=1e-30)
    grid = mpmath.linspace(0.01, 60, 3000)
    assert all((1 - mpmath.exp(-s)) ** 2 / s <= value + 1e-30 for s in grid)


# --- sharp, vacuous, inapplicable ----------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "name", "tightness"),
    [(O3, "one-state", 1 - 1e-12), (O4, "sharp-stability", 0.98), (O5, "one-state", 1 - 1e-12)],
    ids=lambda value: getattr(value, "id", str(value)),
)
def test_the_sharp_instances_are_sharp(claim, name, tightness):
    assert name in claim.sharp
    result = decide(claim, named(name))
    assert result.verdict is Verdict.CERTIFIED
    assert result.tightness is not None
    assert result.tightness >= tightness


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_what_is_assumed_is_looked_at(claim):
    assert decide(claim, named("critical")).reason == "needs q < 1, but q = 1"
    several = decide(claim, named("reducible"))
    assert several.verdict is Verdict.INAPPLICABLE
    assert "2 recurrent classes" in several.reason
    untrained = decide(claim, dataclasses.replace(named("fair-coin"), training=None))
    assert untrained.verdict is Verdict.INAPPLICABLE
    assert untrained.reason == "needs training constants, but the instance gives none"


@pytest.mark.parametrize("claim", [O1, O2, O3, O5], ids=lambda claim: claim.id)
def test_a_target_that_nothing_can_learn_makes_vacuous(claim):
    """One point with two targets of mean 0, or an even target where all functions are odd."""
    for name in ("sharp-fixed-point", "erf-uniform"):
        result = decide(claim, named(name))
        assert result.verdict is Verdict.VACUOUS
        assert "mean target is 0" in result.reason


def test_nothing_learnt_from_any_past_leaves_nothing_to_forget():
    result = decide(O4, named("sharp-fixed-point"))
    assert result.verdict is Verdict.VACUOUS
    assert "whatever is remembered" in result.reason


def test_words_that_are_drawn_teach_where_their_law_would_not():
    """By symmetry erf-uniform's law has no mean target, but five of its words do."""
    result = decide(O4, named("erf-uniform"))
    assert result.verdict is Verdict.CERTIFIED
    assert result.tightness > 0.01


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_targets_that_are_zero_make_vacuous(claim):
    instance = named("hidden-state")
    chain = dataclasses.replace(instance.chain, targets=(Fraction(0),) * 3)
    result = decide(claim, dataclasses.replace(instance, chain=chain))
    assert result.verdict is Verdict.VACUOUS


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_an_activation_that_cancels_makes_vacuous(claim):
    spec = ActivationSpec(
        terms=tuple(
            Term(weight=Fraction(sign, 8), scale=Fraction(2), shift=Fraction(1), of="tanh")
            for sign in (1, -1)
        )
    )
    instance = dataclasses.replace(named("markov-onegin"), activation=spec)
    assert decide(claim, instance).verdict is Verdict.VACUOUS


@pytest.mark.parametrize("name", ["zero-memory", "zero-memory-atoms"])
def test_what_is_forgotten_is_nothing_where_the_memory_is_zero(name):
    result = decide(O4, named(name))
    assert result.verdict is Verdict.VACUOUS
    assert "identically zero" in result.reason


def test_the_floor_is_exact():
    for name in ("periodic-three", "zero-memory-atoms", "fair-coin"):
        assert theorem.shown_floor(named(name)) == 0
    # the states 0 and 1 show one input: the variance of their targets, given the state before
    hidden = named("hidden-state")
    assert theorem.shown_floor(hidden) == Fraction(3, 4)
    assert decide(O3, hidden).constants["floor"] == enclosure(Fraction(3, 4))
    # one point, the rare state has the target 1
    assert theorem.shown_floor(named("sharp-ergodic")) == 1 - Fraction(98, 100) ** 2


def test_the_floor_is_not_given_where_the_kernel_is_singular():
    # one unit without gradient: a kernel of rank 1
    with pytest.raises(NotEnclosed, match="positive definite"):
        theorem.loss_floor(named("constant-weights"), AllWords(known=0))


def test_the_floor_counts_reflections_once():
    """The memory of an odd activation: y is even at inputs 1 and -1, and cannot be learnt."""
    instance = named("fair-coin")
    chain = dataclasses.replace(instance.chain, targets=(Fraction(1), Fraction(3)))
    even = dataclasses.replace(instance, chain=chain)
    # (1, 3) at (1, -1): the odd part is (-1, 1), or (1, -1)
    assert theorem.loss_floor(even, AllWords(known=0)) == 4


def test_the_loss_reaches_its_floor():
    """Long after the start, with no use of the bound."""
    instance = named("hidden-state")
    data = AllWords(known=0)
    late = theorem.EnergyCase(data=data, time=Fraction(10**6))
    with precision(256):
        low, high = end_points(theorem.excess_loss(instance, late))
    assert 0 <= high < Fraction(1, 10**12)
    assert low > -Fraction(1, 10**12)


# --- cases ---------------------------------------------------------------------------------


def test_laws_are_the_invariant_one_few_words_or_a_path():
    def data(name):
        return [str(case.data) for case in cases(O2, named(name))]

    assert data("one-state") == ["mu", "mu"]
    assert data("fair-coin") == ["mu_2", "mu_2", "mu_0", "mu_0"]
    assert data("random-dense-50") == ["words of length 3 from a path, 8 of them"] * 2


def test_densities_in_the_plane_are_replaced_by_drawn_units():
    instance = named("two-dimensional")
    for case in cases(O1, instance):
        assert case.units is not None
        assert len(case.units.atoms) == 8
    assert all(case.units is None for case in cases(O1, named("fair-coin")))


def test_weights_whose_rule_is_long_are_replaced_by_drawn_units():
    instance = named("fair-coin")
    law = dataclasses.replace(instance.law, w=dataclasses.replace(instance.law.w, std=Fraction(50)))
    wide = dataclasses.replace(instance, law=law)
    for claim in CLAIMS:
        for case in cases(claim, wide):
            assert len(case.units.atoms) == 8
            assert theorem.contracts(theorem.with_units(wide, case.units)) is Truth.TRUE
        assert decide(claim, wide).verdict is Verdict.CERTIFIED


def test_drawn_units_that_do_not_contract_are_no_case():
    """B is uniform with mean 0.99: nearly half of the networks of eight units have q > 1."""
    instance = named("fair-coin")
    law = dataclasses.replace(instance.law, b=Uniform(low=(Fraction(0),), high=(Fraction("1.98"),)))
    plane = dataclasses.replace(
        named("two-dimensional"), law=dataclasses.replace(law, w=named("two-dimensional").law.w)
    )
    for seed in range(10):
        for case in O4.cases(plane, random.Random(seed)):
            assert theorem.contracts(theorem.with_units(plane, case.units)) is Truth.TRUE


def test_long_trainings_are_tried_at_a_time_that_can_be_solved():
    instance = named("fair-coin")
    training = dataclasses.replace(instance.training, alpha=Fraction(10**6))
    long = dataclasses.replace(instance, training=training)
    tau = theorem.latest_time(long) * end_points(kernel_bound(long).upper)[1]
    assert Fraction("31.99") < tau < Fraction("32.01")
    for claim in CLAIMS:
        assert decide(claim, long).verdict is Verdict.CERTIFIED


def test_a_longer_past_is_one_of_the_same_words():
    instance = named("random-dense-50")
    for case in cases(O4, instance):
        assert isinstance(case.data, GivenWords)
        assert case.known < case.data.known
    assert isinstance(cases(O4, named("one-state"))[0].data, InvariantLaw)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_the_same_seed_gives_the_same_result(claim):
    instance = named("two-dimensional-uniform")
    first, second = (
        dataclasses.replace(decide(claim, instance, seed=7), seconds=0.0) for _ in range(2)
    )
    assert first == second


# --- random instances ----------------------------------------------------------------------


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
@settings(max_examples=20)
@given(
    instance=strategies.instances(
        contracting=True, training=True, moderate=True, max_states=4, dimension=1
    )
)
def test_no_claim_is_refuted_on_a_random_instance(claim, instance):
    verdict = decide(claim, instance, precisions=(64, 128)).verdict
    assert verdict is not Verdict.REFUTED


@settings(max_examples=20)
@given(
    instance=strategies.instances(
        contracting=True, training=True, moderate=True, max_states=3, dimension=1
    ),
    data=st.data(),
)
def test_the_bound_of_stability_holds_for_any_words(instance, data):
    """Words that no chain need have drawn, at any point and time."""
    state = st.integers(0, instance.chain.n_states - 1)
    words = data.draw(st.lists(st.tuples(*[state] * 4), min_size=1, max_size=4))
    memory = data.draw(st.fractions(-3, 3, max_denominator=8))
    case = theorem.HistoryCase(
        data=GivenWords(words=tuple(words), known=3),
        known=data.draw(st.integers(0, 2)),
        time=data.draw(st.fractions(Fraction(1, 16), 8, max_denominator=16)),
        place=theorem.Point(input=instance.chain.inputs[words[0][0]], memory=memory),
    )
    with precision(64):
        low, _ = end_points(O4.left(instance, case))
        _, high = end_points(ball(O4.right(instance, case)))
    assert low <= high * (1 + Fraction(1, 2**40))
