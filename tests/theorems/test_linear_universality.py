"""Networks within any error: verdicts, witnesses, and what is said of targets that jump."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import pytest

from theorems import linear_universality as theorem
from theorems.linear_universality import C3, ERRORS
from verification import gallery
from verification.decision import decide
from verification.enclosure.balls import lower_double, precision, upper_double
from verification.linear_functional import DampedReciprocal, Gaussian, PowerLaw
from verification.linear_rnn.exponential_sum import ExponentialSum
from verification.linear_rnn.norm import l1_norm
from verification.linear_rnn.pieces import of_parts
from verification.linear_rnn.trapezoidal_rule import TrapezoidalRule
from verification.linear_rnn.witnesses import witness
from verification.verdict import Verdict

F = Fraction
LAWS = ("power-law-one", "power-law-half", "power-law-fifth", "power-law-twentieth")


def with_target(*parts):
    return dataclasses.replace(gallery.load("power-law-one"), name="other", target=(parts,))


@pytest.mark.parametrize("name", LAWS)
def test_power_laws_are_reached_for_all_errors(name):
    instance = gallery.load(name)
    assert [case.error for case in theorem.errors_reached(instance, None)] == list(ERRORS)
    found = decide(C3, instance)
    assert found.verdict is Verdict.CERTIFIED
    assert found.tightness > 0.8


def test_the_longest_memory_takes_hundreds_of_units():
    cases = theorem.errors_reached(gallery.load("power-law-twentieth"), None)
    widths = [case.found.width for case in cases]
    assert widths == sorted(widths)
    assert widths[-1] <= 520
    assert isinstance(cases[0].found.network, ExponentialSum)
    assert isinstance(cases[-1].found.network, TrapezoidalRule)
    # Rates down to e^-280.
    assert cases[-1].found.network.first < -270


def test_a_smooth_target_is_reached_by_near_best_networks():
    instance = with_target(DampedReciprocal(coefficient=F(1), rate=F(1)))
    cases = theorem.errors_reached(instance, None)
    assert [case.error for case in cases] == list(ERRORS)
    assert cases[-1].found.width <= 6
    assert decide(C3, instance).verdict is Verdict.CERTIFIED


def test_errors_that_no_search_reaches_are_no_cases():
    instance = with_target(Gaussian(coefficient=F(1), centre=F(6), width=F(1, 4)))
    errors = [case.error for case in theorem.errors_reached(instance, None)]
    assert errors == list(ERRORS)[: len(errors)]
    assert len(errors) < len(ERRORS)


def test_a_multiple_is_measured_absolutely():
    instance = with_target(PowerLaw(coefficient=F(-50), exponent=F(1)))
    found = witness(instance, F(1, 10))
    assert found is not None
    with precision(64):
        error = theorem.network_error(instance, theorem.Within(error=F(1, 10), found=found))
    assert 0.02 < upper_double(error.upper) <= 0.1
    # 1/500 of the norm takes more units than 1/10 of it.
    assert found.width > witness(gallery.load("power-law-one"), F(1, 10)).width


def test_the_error_is_that_of_the_network():
    instance = with_target(DampedReciprocal(coefficient=F(1), rate=F(1)))
    case = theorem.errors_reached(instance, None)[1]
    with precision(64):
        error = theorem.network_error(instance, case)
        norm = l1_norm(of_parts(instance.target[0]))
    assert lower_double(error.lower) <= case.found.error
    assert lower_double(norm.lower) > 0.5


def test_targets_that_jump_are_inapplicable():
    for name, width in (("sharp-far-box", 8), ("near-box", 6)):
        found = decide(C3, gallery.load(name))
        assert found.verdict is Verdict.INAPPLICABLE
        assert f"no network of width {width} is within 1 % of the norm (C4)" in found.reason


def test_kernels_are_vacuous():
    for name in ("erlang-four", "damped-wave", "silent-network"):
        assert decide(C3, gallery.load(name)).verdict is Verdict.VACUOUS


def test_half_as_many_units_are_not_enough():
    (mutant,) = C3.mutants
    found = decide(C3.mutated(mutant), gallery.load("power-law-one"))
    assert found.verdict is Verdict.REFUTED
