"""The width that long memories need: verdicts, tightness, mutants, instances beyond the gallery."""

from __future__ import annotations

import dataclasses
import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theorems import memory_width as theorem
from theorems.memory_width import C4T, C5, C5L, C5W
from verification import gallery
from verification.case import Effort, decide_case
from verification.decision import decide
from verification.enclosure.balls import lower_double, precision, upper_double
from verification.figure import Guarantee
from verification.linear_functional import Box, PowerLaw
from verification.linear_rnn.power_law_width import ERRORS, EXPONENTS
from verification.verdict import Verdict

F = Fraction
README = Path(__file__).parents[2] / "README.md"
ONE = "power-law-one"


def law(w, coefficient=1):
    part = PowerLaw(coefficient=F(coefficient), exponent=F(w))
    return dataclasses.replace(gallery.load(ONE), name="a law", target=((part,),))


@pytest.mark.parametrize("claim", [C5, C5W, C5L], ids=lambda claim: claim.id)
@pytest.mark.parametrize("name", ["power-law-one", "power-law-fifth"])
def test_power_laws_are_certified(claim, name):
    assert decide(claim, gallery.load(name)).verdict is Verdict.CERTIFIED


def test_each_claim_is_sharp_somewhere():
    # Long memories: nearly all of the error is a geometric sum of dropped masses.
    assert decide(C5, gallery.load("power-law-twentieth")).tightness > 0.99
    # Four nodes, where 0.76 log(1/eps)^2 = 4.06.
    assert decide(C5W, gallery.load(ONE)).tightness > 0.98
    assert decide(C5L, gallery.load(ONE)).tightness == 1
    assert decide(C4T, gallery.load("sharp-far-box")).tightness > 0.98


@pytest.mark.parametrize("claim", [C4T, C5, C5W, C5L], ids=lambda claim: claim.id)
def test_mutants_are_refuted_where_they_say(claim):
    for mutant in claim.mutants:
        verdicts = [
            decide(claim.mutated(mutant), gallery.load(name)).verdict for name in mutant.refuted_on
        ]
        assert Verdict.REFUTED in verdicts, mutant.name


@pytest.mark.parametrize("claim", [C5, C5W, C5L], ids=lambda claim: claim.id)
def test_other_targets_are_inapplicable(claim):
    for name in ("erlang-four", "sharp-far-box", "sharp-two-channels"):
        found = decide(claim, gallery.load(name))
        assert found.verdict is Verdict.INAPPLICABLE
        assert "one power law" in found.reason
    nothing = law(1, coefficient=0)
    assert decide(claim, nothing).verdict is Verdict.INAPPLICABLE
    box = Box(height=F(1), start=F(0), length=F(1))
    both = dataclasses.replace(nothing, target=((*law(1).target[0], box),))
    assert decide(claim, both).verdict is Verdict.INAPPLICABLE


def test_short_memories_have_no_constant():
    found = decide(C5W, law(2))
    assert found.verdict is Verdict.INAPPLICABLE
    assert "w = 2" in found.reason


def test_a_bound_that_bounds_nothing_is_vacuous():
    """A step of 2 is too long for a law that ends at about 1/30."""
    instance = law(30)
    effort = Effort(precisions=(64,), level=F(1, 10**6), seed="", deadline=None)
    found = [decide_case(C5, instance, rule, effort) for rule in theorem.rules(instance, None)]
    assert [each.verdict for each in found if "step 2" in each.case] == [Verdict.VACUOUS]
    assert Verdict.REFUTED not in [each.verdict for each in found]


def test_exact_targets_are_vacuous_for_the_trace_norm():
    assert decide(C4T, gallery.load("silent-network")).verdict is Verdict.VACUOUS


def test_a_multiple_of_the_law_needs_the_same_width():
    case = theorem.WithinError(error=F(1, 10))
    with precision(64):
        for side in (theorem.width_needed, theorem.width_found, theorem.nodes_needed):
            assert side(law("1/2"), case) == side(law("1/2", -7), case)


@settings(max_examples=8, deadline=None)
@given(st.fractions(F(1, 12), 3, max_denominator=30))
def test_other_exponents_are_certified_too(w):
    claims = [C5, C5L, *([C5W] if w <= 1 else [])]
    for claim in claims:
        assert decide(claim, law(w)).verdict in (Verdict.CERTIFIED, Verdict.VACUOUS)


def test_the_constant_is_attained_between_the_errors_of_the_table():
    """Three nodes reach 0.1 for w = 1, and no more: just below it takes four."""
    with precision(64):
        three = theorem.nodes_needed(law(1), theorem.WithinError(error=F(1, 10)))
        four = theorem.nodes_needed(law(1), theorem.WithinError(error=theorem._HARD))
        allowed = theorem.squared_logarithm(law(1), theorem.WithinError(error=theorem._HARD))
    assert (three, four) == (3, 4)
    assert 4 < lower_double(allowed) < 4.1


def test_the_figure_orders_its_series():
    with precision(64):
        figure = theorem.width_figure(gallery.load("power-law-fifth"))
        without = theorem.width_figure(gallery.load("power-law-fifth"), construction=False)
    found = {series.name: series for series in figure.series}
    values = [float(series.points[0].y.upper) for series in figure.series]
    # The construction, the claim, the rule, the best network, the lower bound.
    assert values == sorted(values, reverse=True)
    assert without.series == figure.series[1:]
    assert without.title != figure.title
    assert found["best network found"].guarantee is Guarantee.UPPER
    assert found["no network is narrower"].guarantee is Guarantee.LOWER
    assert {float(series.points[0].x) for series in figure.series} == {5.0}


def test_the_table_in_the_readme_is_what_is_certified():
    rows = re.findall(r"^\| (\d+/?\d*) \|(.+)\|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    table = {F(w): cells for w, cells in rows if len(cells.split("|")) == len(ERRORS)}
    assert set(table) == set(EXPONENTS)
    with precision(64):
        for w in EXPONENTS:
            for error, cell in zip(ERRORS, table[w].split("|"), strict=True):
                case = theorem.WithinError(error=error)
                sides = (theorem.width_needed, theorem.width_found, theorem.nodes_needed)
                assert cell.split("(")[0].split() == [
                    str(sides[0](law(w), case)),
                    "–",
                    str(sides[1](law(w), case)),
                ]
                assert f"({sides[2](law(w), case)})" in cell


def test_sides_of_the_rule_are_computed_apart():
    """The error of a rule never exceeds its bound by more than rounding, nor is it far below."""
    for w in (F(1), F(1, 5)):
        for rule in theorem.rules(law(w), None):
            with precision(64):
                error = theorem.rule_error(law(w), rule)
                bound = theorem.rule_bound(law(w), rule)
            assert upper_double(error.upper) <= upper_double(bound)
            assert lower_double(error.lower) >= 0.4 * lower_double(bound)
