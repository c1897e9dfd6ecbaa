"""C7G, C7, C7E, C7L and C7T: verdicts, sharpness, figures, and bounds against quadrature."""

from __future__ import annotations

import dataclasses
import itertools
import random
from decimal import Decimal
from fractions import Fraction

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theorems import late_bump, training_trap
from theorems import training_plateau as theorem
from theorems.late_bump import C7G
from theorems.training_plateau import C7, C7E, C7L
from theorems.training_trap import C7T
from verification import gallery
from verification.decision import decide
from verification.enclosure.balls import ball, end_points, lower_double, precision, upper_double
from verification.figure import Guarantee
from verification.linear_functional import (
    SCHEMA,
    Box,
    BumpTraining,
    Exponential,
    LinearFunctional,
)
from verification.linear_rnn import escape
from verification.linear_rnn.plateau import Plateau
from verification.verdict import Verdict

F = Fraction
CLAIMS = (C7G, C7, C7E, C7L, C7T)


def instance(units, delays=("2",), *, height="1", length="1", radius=None):
    return LinearFunctional(
        name="a set-up",
        target=(tuple(Exponential(coefficient=F(c), rate=F(w)) for c, w in units),),
        widths=(0, 1),
        training=BumpTraining(
            height=F(height),
            length=F(length),
            delays=tuple(map(F, delays)),
            radius=None if radius is None else F(radius),
        ),
    )


def number(x):
    return mpmath.mpf(x.numerator) / x.denominator


# Verdicts


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_what_the_claims_do_not_apply_to(claim):
    assert claim.kind == SCHEMA
    usual = gallery.load("plateau-from-nothing")

    def refused(subject, expected):
        result = decide(claim, subject)
        assert result.verdict is Verdict.INAPPLICABLE
        assert expected in result.reason

    refused(dataclasses.replace(usual, training=None), "no training")
    refused(dataclasses.replace(usual, target=usual.target * 2), "2 channels")
    refused(dataclasses.replace(usual, target=((),)), "0 parts")
    refused(dataclasses.replace(usual, target=(usual.target[0] * 7,)), "7 parts")
    box = Box(height=F(1), start=F(0), length=F(1))
    refused(dataclasses.replace(usual, target=((box,),)), "no plain exponential")
    wave = Exponential(coefficient=F(1), rate=F(1), frequency=F(2))
    refused(dataclasses.replace(usual, target=((wave,),)), "no plain exponential")
    later = Exponential(coefficient=F(1), rate=F(1), power=1)
    refused(dataclasses.replace(usual, target=((later,),)), "no plain exponential")
    refused(gallery.load("plateau-wide-ball"), "needs r < min w*, but r = 0.25, min w* = 0.25")
    assert decide(claim, gallery.load("plateau-no-bump")).verdict is Verdict.VACUOUS


@pytest.mark.parametrize("claim", [C7, C7E, C7L], ids=lambda claim: claim.id)
def test_where_the_flow_stays_for_ever_no_time_is_bounded(claim):
    result = decide(claim, gallery.load("sharp-trap"))
    assert result.verdict is Verdict.VACUOUS
    assert "stay in the ball for ever" in result.reason
    mixed = decide(claim, gallery.load("plateau-trapped"))
    assert mixed.verdict is Verdict.CERTIFIED
    assert mixed.cases == {"CERTIFIED": 2}


@pytest.mark.parametrize("claim", [C7G, C7, C7L], ids=lambda claim: claim.id)
def test_a_short_way_in_a_constant_pull_is_sharp(claim):
    assert decide(claim, gallery.load("sharp-plateau")).tightness > 0.998


def test_sharp_instances_of_the_energy_and_of_the_trap():
    assert decide(C7E, gallery.load("sharp-plateau-energy")).tightness > 0.65
    assert decide(C7T, gallery.load("sharp-trap")).tightness > 0.91


def test_the_trap_is_certified_where_the_bump_is_late_and_no_unit_is_spare():
    trapped = gallery.load("plateau-trapped")
    found = training_trap.traps(trapped, random.Random(0))
    assert [case.delay for case in found] == [8, 10]
    assert decide(C7T, trapped).verdict is Verdict.CERTIFIED
    for name in ("plateau-from-nothing", "plateau-spare-unit", "plateau-equal-rates"):
        assert training_trap.traps(gallery.load(name), random.Random(0)) == []
        assert decide(C7T, gallery.load(name)).verdict is Verdict.VACUOUS
    # Two units, neither spare.
    two = instance([("1", "1"), ("-1", "3")], ["20"], height="0.01")
    assert decide(C7T, two).verdict is Verdict.CERTIFIED


@pytest.mark.parametrize(
    ("units", "delays", "height", "length"),
    [
        ([("0", "1")], ["2000"], "1", "1"),
        ([("1", "1")], ["1e300"], "1", "1"),
        ([("1", "1")], ["1"], "1e300", "1"),
        ([("1", "1")], ["1"], "1e400", "1"),
        ([("1", "1")], ["1"], "1e-300", "1e-300"),
        ([("1", "1"), ("0", "2")], ["1e-30"], "1e30", "1e-3"),
        ([("1e30", "1e-10")], ["1"], "1", "1"),
        ([("1", "1e10")], ["1"], "1", "1"),
        ([("1", "1e400")], ["1"], "1", "1"),
        ([("1", "1e-400")], ["1"], "1", "1"),
        ([("1e400", "1")], ["1e-400"], "1", "1e400"),
    ],
)
def test_numbers_beyond_doubles_are_no_fault(units, delays, height, length):
    subject = instance(units, delays, height=height, length=length)
    for claim in CLAIMS:
        assert decide(claim, subject).verdict not in {Verdict.REFUTED, Verdict.INAPPLICABLE}


def test_a_pull_below_all_doubles_traps():
    found = instance([("1", "1")], ["2000"])
    assert decide(C7T, found).verdict is Verdict.CERTIFIED
    assert "stay in the ball for ever" in decide(C7, found).reason


@pytest.mark.parametrize("claim", [C7, C7E, C7L], ids=lambda claim: claim.id)
def test_nothing_is_said_of_a_flow_that_was_not_followed(claim, monkeypatch):
    monkeypatch.setattr(escape, "MAX_STEPS", 0)
    # No other test has its flow.
    found = decide(claim, instance([("0", "1")], ["2.0123"]))
    assert found.verdict is Verdict.UNDECIDED
    assert "the flow cannot be followed from its start" in found.reason


# Known figures


@pytest.mark.parametrize(
    ("name", "bounds", "times"),
    [
        (
            "plateau-from-nothing",
            [0.684, 2.78, 14.2, 79.8, 476],
            [5.05, 63.2, 1474, 4.47e4, 1.55e6],
        ),
        (
            "plateau-spare-unit",
            [0.254, 0.659, 2.46, 10.9, 53.8],
            [0.799, 3.44, 36.7, 423, 3.6e4],
        ),
    ],
)
def test_bounds_and_times_of_escape(name, bounds, times):
    subject = gallery.load(name)
    with precision(64):
        for case, bound, time in zip(
            theorem.escapes(subject, random.Random(0)), bounds, times, strict=True
        ):
            # Half a unit of the third digit, as for the times.
            certain = lower_double(theorem.certain_time(subject, case))
            assert certain == pytest.approx(bound, rel=5e-3)
            found = theorem.time_of_escape(subject, case)
            assert lower_double(found.lower) == pytest.approx(time, rel=5e-3)
            assert upper_double(found.upper) / lower_double(found.lower) < 1 + 1e-6


def test_the_bound_by_energy_grows_with_the_square_of_the_other():
    subject = gallery.load("plateau-from-nothing")
    with precision(64):
        ratios = [
            lower_double(theorem.certain_time_by_energy(subject, case))
            / lower_double(theorem.certain_time(subject, case)) ** 2
            for case in theorem.escapes(subject, random.Random(0))
        ]
    # 14 to 230,000, while the ratio to the square stays within a factor of 20.
    assert max(ratios) / min(ratios) < 20
    # exp(2 S) against exp(S) at the last delay.
    last = late_bump.Delayed(delay=F(10))
    assert lower_double(theorem.certain_time_by_energy(subject, last)) > 10 * 476


def test_mutants_err_by_the_factors_that_are_known():
    def excess(name, delay, wrong):
        subject = gallery.load(name)
        cases = late_bump.points_of_the_ball(subject, random.Random(0))
        case = next(c for c in cases if c.delay == delay and c.kind == "where it pulls most")
        with precision(64):
            return lower_double(late_bump.bump_pull(subject, case) / wrong(subject, case))

    assert excess("plateau-spare-unit", 4, late_bump.pull_without_time) > 2.7
    assert excess("plateau-spare-unit", 10, late_bump.pull_at_the_rates) == pytest.approx(
        43, abs=0.5
    )


def test_what_is_avoidable_is_certified_by_a_better_network():
    late = gallery.load("plateau-from-nothing")
    with precision(64):
        assert lower_double(theorem.avoidable(late)) > 0.005
        assert lower_double(theorem.avoidable(gallery.load("plateau-opposite-units"))) > 0.02
        trapped = gallery.load("plateau-trapped")
        assert upper_double(theorem.avoidable(trapped)) < 0


# The constants against quadrature


UNITS = st.lists(
    st.tuples(st.sampled_from(["0", "1", "-1/2", "3"]), st.sampled_from(["1", "1/2", "2"])),
    min_size=1,
    max_size=3,
)


@given(UNITS, st.sampled_from(["1", "3", "8"]), st.sampled_from(["1", "1/4", "-2"]))
@settings(max_examples=20)
def test_the_pull_is_the_one_of_the_definition(units, delay, height):
    subject = instance(units, [delay], height=height, length="1/2")
    r = late_bump.radius(subject)
    assert r == min(F(w) for _, w in units) / 2
    with mpmath.workdps(30):
        squares = mpmath.mpf(0)
        start, end = number(F(delay)), number(F(delay) + F(1, 2))
        for c, w in units:
            rate = number(F(w) - r)
            squares += mpmath.quad(lambda t, w=rate: mpmath.exp(-w * t), [start, end]) ** 2
            weighted = mpmath.quad(lambda t, w=rate: t * mpmath.exp(-w * t), [start, end])
            squares += ((abs(number(F(c))) + number(r)) * weighted) ** 2
        expected = 2 * abs(number(F(height))) * mpmath.sqrt(squares)
    with precision(128):
        low, high = end_points(late_bump.first_pull(subject))
    assert float(low) == pytest.approx(float(expected), rel=1e-13)
    assert high - low < F(1, 10**30) * high


@given(UNITS, st.sampled_from(["1/2", "3", "8"]))
@settings(max_examples=15)
def test_what_can_be_gained_is_no_more_than_the_energy_bound(units, delay):
    subject = instance(units, [delay])
    plateau = theorem.plateau_at(subject, F(delay))
    size = late_bump.radius(subject)
    # The squared norm of the projection of the bump on the exponentials of any network in the
    # ball, together with those of the start, at a few of them.
    rng = random.Random(1)
    with precision(64):
        bound = upper_double(theorem.energy_gain(plateau, size))
    old = sorted({F(w) for c, w in units if F(c)})
    with mpmath.workdps(60):
        for _ in range(3):
            rates = [number(w) for w in old]
            rates += [number(F(w) + size * F(rng.randint(-100, 100), 101)) for _, w in units]
            rates = [w + mpmath.mpf(k) / 10**9 for k, w in enumerate(rates)]
            n = len(rates)
            gram = mpmath.matrix(n, n)
            inner = mpmath.matrix(n, 1)
            for i, v in enumerate(rates):
                start = number(F(delay))
                inner[i] = (mpmath.exp(-v * start) - mpmath.exp(-v * (start + 1))) / v
                for j, w in enumerate(rates):
                    gram[i, j] = 1 / (v + w)
            gained = (inner.T * mpmath.lu_solve(gram, inner))[0]
            assert 0 < float(gained) <= bound


def test_any_weight_gives_a_bound_and_the_one_found_is_about_the_best():
    plateau = theorem.plateau_at(gallery.load("plateau-from-nothing"), F(10))
    with precision(64):
        found = lower_double(theorem.energy_gain(plateau, F(1, 10)))
    # One exponential: exp(-2 s S) L / (L - s) is least at s = L - 1/(2 S).
    least = mpmath.mpf("0.9")
    s = least - mpmath.mpf(1) / 20
    assert found == pytest.approx(float(mpmath.exp(-20 * s) * least / (least - s)), rel=1e-6)


@pytest.mark.parametrize(
    ("units", "count"),
    [
        ([("0", "1")], 1),
        ([("1", "1")], 2),
        ([("1", "1"), ("0", "2")], 3),
        ([("1", "1"), ("-0.5", "2"), ("0", "1")], 5),
        # Of which the target is none.
        ([("1", "1"), ("-1", "1")], 2),
    ],
)
def test_the_exponentials_of_start_and_network_are_counted(units, count):
    plateau = theorem.plateau_at(instance(units, ["6"], height="3", length="1/2"), F(6))
    with precision(64):
        found = lower_double(theorem.energy_gain(plateau, F(1, 5)))
    least = mpmath.mpf("0.8")

    def gain(s):
        ratio = ((least + s) / (least - s)) ** 2
        spread = sum(ratio**k for k in range(count))
        return 9 * 0.5 * mpmath.exp(-12 * s) * least / (least - s) * spread

    best = min(gain(least * k / 4000) for k in range(4000))
    assert found == pytest.approx(float(best), rel=1e-4)


def test_the_radius_found_is_about_the_best():
    subject = gallery.load("plateau-from-nothing")
    with precision(64):
        for case in (late_bump.Delayed(delay=F(4)), late_bump.Delayed(delay=F(10))):
            plateau = theorem.plateau_at(subject, case.delay)
            found = lower_double(theorem.certain_time(subject, case))
            others = [
                upper_double(ball(F(k, 200)) / late_bump.pull(plateau, F(k, 200)))
                for k in range(1, 101)
            ]
            assert max(others) <= found * (1 + 1e-3)


@given(UNITS, st.sampled_from(["2", "5"]), st.sampled_from(["1", "-1", "0.01"]))
@settings(max_examples=10, deadline=None)
def test_random_set_ups_are_never_refuted(units, delay, height):
    subject = instance(units, [delay], height=height)
    for claim in CLAIMS:
        result = decide(claim, subject)
        assert result.verdict in {Verdict.CERTIFIED, Verdict.VACUOUS}, (claim.id, result.reason)


def test_points_lie_in_the_ball_and_the_first_pulls_most():
    subject = gallery.load("plateau-spare-unit")
    r = late_bump.radius(subject)
    cases = late_bump.points_of_the_ball(subject, random.Random(3))
    assert len(cases) == 4 * 5
    assert all(sum(x * x for x in case.offset) <= r * r for case in cases)
    with precision(64):
        for k in range(0, len(cases), 4):
            pulls = [lower_double(late_bump.bump_pull(subject, case)) for case in cases[k : k + 4]]
            assert pulls[0] == max(pulls)


def test_a_set_up_keeps_every_unit():
    plateau = theorem.plateau_at(instance([("1", "1"), ("0", "2"), ("0", "2")]), F(2))
    assert plateau == Plateau(
        coefficients=(F(1), F(0), F(0)),
        rates=(F(1), F(2), F(2)),
        height=F(1),
        length=F(1),
        delay=F(2),
    )
    assert plateau.energy == 1


# The figures


def test_the_figure_of_escapes_shows_true_times_above_both_bounds():
    with precision(64):
        figure = theorem.escape_figure(gallery.load("plateau-spare-unit"))
        trapped = theorem.escape_figure(gallery.load("plateau-trapped"))
    times, bound, by_energy = figure.series
    assert times.guarantee is Guarantee.ENCLOSURE
    assert {bound.guarantee, by_energy.guarantee} == {Guarantee.LOWER}
    assert [point.x for point in times.points] == [2, 4, 6, 8, 10]
    for time, one, other in zip(times.points, bound.points, by_energy.points, strict=True):
        assert time.y.lower > max(one.y.upper, other.y.upper)
        assert time.y.upper < time.y.lower * 2
    assert float(times.points[-1].y.lower) == pytest.approx(3.6e4, rel=5e-3)
    assert [point.x for point in trapped.series[0].points] == [2, 4]


def test_the_figure_of_the_loss_stays_and_falls():
    with precision(64):
        figure = theorem.loss_figure(gallery.load("plateau-from-nothing"))
    assert [series.name for series in figure.series] == ["S = 2", "S = 4", "S = 6"]
    assert all(series.guarantee is Guarantee.ENCLOSURE for series in figure.series)
    late = figure.series[-1].points
    assert all(point.y.lower > 0.998 for point in late if point.x < 1400)
    # Where it settles, one exponential takes 1/(e S) of the energy, about.
    assert float(late[-1].y.upper) == pytest.approx(1 - 1 / (2.718 * 6.5), abs=2e-3)
    levels = [point.y.lower for point in late]
    assert all(b <= a + Decimal("2e-3") for a, b in itertools.pairwise(levels))
