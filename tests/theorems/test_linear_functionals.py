"""C4, C4B, C4K, C4Q: verdicts, sharpness, and lower bounds beside the errors of networks."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import pytest

from theorems import linear_functionals as theorem
from theorems.linear_functionals import C4, C4B, C4K, C4Q
from verification import gallery
from verification.decision import decide
from verification.enclosure.balls import end_points, precision
from verification.linear_functional import SCHEMA, Exponential
from verification.linear_rnn.pieces import least_exact_width, of_parts
from verification.linear_rnn.search import sign_changes_estimate
from verification.verdict import Verdict

F = Fraction


@pytest.mark.parametrize("claim", [C4, C4B, C4K, C4Q], ids=lambda claim: claim.id)
def test_verdicts_about_all_networks_of_a_width(claim):
    assert decide(claim, gallery.load("erlang-four")).verdict is Verdict.CERTIFIED
    # Its target is a network of width 1.
    exact = decide(claim, gallery.load("silent-network"))
    assert exact.verdict is Verdict.VACUOUS
    assert "no error" in exact.reason
    silent = dataclasses.replace(gallery.load("erlang-four"), target=((),))
    assert decide(claim, silent).verdict is Verdict.VACUOUS


def test_the_far_box_is_sharp():
    assert decide(C4B, gallery.load("sharp-far-box")).tightness > 1 - 2.0**-15
    assert decide(C4, gallery.load("sharp-far-box")).tightness > 0.99
    assert decide(C4K, gallery.load("sharp-far-box")).tightness > 0.95
    assert decide(C4Q, gallery.load("sharp-far-box")).tightness > 1 - 2.0**-15


def test_widths_that_represent_the_target_are_left_out():
    instance = dataclasses.replace(gallery.load("erlang-four"), widths=(0, 3, 4, 5))
    assert [case.width for case in theorem.informative_widths(instance, None)] == [0, 3]


@pytest.mark.parametrize("name", theorem.DRAWN)
def test_figures_show_bounds_below_the_error_of_a_network(name):
    instance = gallery.load(name)
    with precision(64):
        witness, *bounds = theorem.width_figure(instance).series
    small = [width for width in instance.widths if width <= theorem.MAX_WIDTH]
    assert [point.x for point in witness.points] == small
    assert len(bounds) == 3
    for bound in bounds:
        for low, high in zip(bound.points, witness.points, strict=True):
            assert low.x == high.x
            assert 0 < low.y.lower <= high.y.upper
    # At width 0 the witness is the zero network, whose error is the norm.
    assert witness.points[0].y.width_upper() < witness.points[0].y.lower / 10**9


@pytest.mark.parametrize(
    "name",
    [
        "erlang-four",
        "damped-wave",
        "power-law-one",
        "near-box",
        "damped-reciprocal",
        "airy",
        "gaussian-bump",
    ],
)
def test_no_lower_bound_is_above_the_error_of_the_witness(name):
    instance = gallery.load(name)
    with precision(64):
        for case in theorem.informative_widths(instance, None):
            error = theorem.witness_error(instance, case)
            low, high = end_points(error.lower)[0], end_points(error.upper)[1]
            assert high - low <= high / 10**4
            hankel = end_points(theorem.hankel_bound(instance, case).upper)[1]
            bang = end_points(theorem.bang_bang_side(instance, case))[1]
            ky_fan = end_points(theorem.ky_fan_side(instance, case).upper)[1]
            quadratic = end_points(theorem.quadratic_side(instance, case).lower)[0]
            assert max(hankel, bang, ky_fan, quadratic) <= high * (1 + F(1, 2**40))
            # The form is, at these widths, never more than a tenth below the others.
            assert quadratic >= F(9, 10) * max(hankel, bang, ky_fan)


QUASI_POLYNOMIALS = [
    name
    for name in gallery.names_of(SCHEMA)
    if (least_exact_width(gallery.load(name).target) or 0) > 1
]


def test_there_are_enough_targets_to_compare():
    assert len(QUASI_POLYNOMIALS) >= 8
    assert {"exponential-sum-eight", "far-bump", "erlang-four"} <= set(QUASI_POLYNOMIALS)


@pytest.mark.parametrize("name", QUASI_POLYNOMIALS)
def test_lower_bound_and_witness_are_within_a_factor_of_three(name):
    """Of exponential sums and of t^k exp(-t), for every width up to 8: both certified."""
    base = gallery.load(name)
    instance = dataclasses.replace(base, widths=tuple(range(1, 9)))
    with precision(64):
        for case in theorem.informative_widths(instance, None):
            error = end_points(theorem.witness_error(instance, case).upper)[1]
            bound = end_points(theorem.quadratic_side(instance, case).lower)[0]
            assert F(1, 10**12) < bound <= error < 3 * bound, case


def test_targets_that_swing_too_often_are_given_up_at_once():
    """No precision would help, and the search for a network would take long as well."""
    part = Exponential(coefficient=F(1), rate=F(1, 100), frequency=F(10))
    instance = dataclasses.replace(gallery.load("erlang-four"), target=((part,),), widths=(1, 2))
    # 2^-16 of it is left at t = 1109, after 10 t / pi = 3530 changes.
    assert sign_changes_estimate(of_parts((part,))) == pytest.approx(3530, rel=0.01)
    for claim in (C4, C4B, C4K, C4Q):
        result = decide(claim, instance)
        assert result.verdict is Verdict.UNDECIDED
        assert "changes its sign some 35" in result.reason
        assert result.seconds < 20


def test_knots_that_doubles_cannot_tell_apart_do_no_harm():
    rates = (F(1), F(10) ** 17)
    target = (tuple(Exponential(coefficient=rate, rate=rate) for rate in rates),)
    instance = dataclasses.replace(gallery.load("erlang-four"), target=target, widths=(0, 1))
    result = decide(C4Q, instance)
    assert result.verdict is Verdict.CERTIFIED


def test_bounds_of_several_channels_add_up():
    one = gallery.load("erlang-four")
    two = dataclasses.replace(one, target=one.target * 2)
    case = theorem.OfWidth(width=2)
    with precision(64):
        for side in (theorem.hankel_bound, theorem.bang_bang_side):
            first, both = side(one, case), side(two, case)
            if side is theorem.hankel_bound:
                first, both = first.lower, both.lower
            assert sum(end_points(both)) == pytest.approx(2 * sum(end_points(first)), rel=1e-12)
