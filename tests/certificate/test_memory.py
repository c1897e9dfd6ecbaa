"""The checker's memory map in balls, against mpmath at 50 digits and against definitions."""

from __future__ import annotations

import json
from fractions import Fraction

import mpmath
import pytest
from activation_functions import FUNCTIONS
from certificates import LOPSIDED, instance_named, made, replaced, sealed

from verification import gallery
from verification.certificate.check import reading
from verification.certificate.check.checking import check_text
from verification.certificate.check.instances import Term, read_instance
from verification.certificate.check.numbers.balls import ball, bounds, precision
from verification.certificate.check.numbers.bounds import SLACK, Bounds, shown
from verification.certificate.check.outcome import Budget, Invalid, Refused
from verification.certificate.check.recurrent.activations import (
    constant,
    curve,
    strip_constant,
    strip_rise,
)
from verification.certificate.check.recurrent.memory import Memory, largest_slope, mean_absolute_b
from verification.oracle import memory as oracle
from verification.recurrent.law import mean_absolute_b as solver_mean_absolute_b

# Every family; normal, uniform, constant W and atoms; two dimensions; a mixture.
NAMES = (
    "markov-onegin",
    "absorbing",
    "erf-uniform",
    "cyclic-with-noise",
    "sharp-erf",
    "sharp-sine",
    "sharp-fixed-point",
    "dependent-b-on-w",
    "mixture-activation",
    "two-dimensional",
    "two-dimensional-uniform",
)
ONE = Fraction(1)
MEMORY = Fraction(3, 8)


def memory_of(name):
    document = json.dumps(instance_named(name).to_json())
    instance = read_instance(reading.parse(document), Budget())
    with precision(192):
        return Memory(instance, Budget())


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_the_memory_map_contains_the_truth_tightly(name, order):
    memory, subject = memory_of(name), gallery.load(name)
    point = subject.chain.inputs[-1]
    truth = oracle.memory_map(subject, point, MEMORY, order=order, digits=30)
    for bits in (64, 80):
        with precision(bits):
            found = bounds(memory.image(point, ball(MEMORY), order))
        assert found.lower - truth.spread <= truth.value <= found.upper + truth.spread
        # A quadrature of a hundred terms, some of them cancelling, loses 16 bits at most.
        assert found.upper - found.lower < Fraction(1, 2 ** (bits - 16))


@pytest.mark.parametrize("name", NAMES)
def test_the_mean_size_of_b_is_that_of_the_solver(name):
    assert mean_absolute_b(memory_of(name).instance) == solver_mean_absolute_b(
        gallery.load(name).law
    )


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("family", ["tanh", "logistic", "erf", "arctan", "sin"])
def test_constants_bound_the_derivatives_and_are_nearly_reached(family, order):
    terms = (Term(Fraction(-3, 2), Fraction(2), Fraction(1, 4), family),)
    with precision(64):
        bound = bounds(constant(terms, order))
        values = [bounds(abs(curve(terms, order)(ball(Fraction(k, 64))))) for k in range(-800, 800)]
    largest = max(value.upper for value in values)
    assert largest <= bound.upper * (1 + Fraction(1, 2**50))
    # Between grid points sigma moves little; arctan's limit is far away.
    assert largest >= bound.lower * Fraction(95, 100)


@pytest.mark.parametrize("family", FUNCTIONS)
def test_the_rise_on_a_strip_holds_within_it_and_is_reached(family):
    """By mpmath: of one family, scaled, it is reached above its centre."""
    weight, scale, shift, width = (Fraction(x) for x in ("-3/2", "5/4", "1/4", "1/2"))
    terms = (Term(weight, scale, shift, family),)
    with precision(64):
        bound = float(bounds(strip_rise(terms, width)).upper)
    rises = [
        abs(mpmath.im(-1.5 * FUNCTIONS[family](mpmath.mpc(1.25 * k / 16 + 0.25, 1.25 * 0.5))))
        for k in (-3.2, *range(-80, 81))
    ]
    assert max(rises) == pytest.approx(bound, rel=1e-14)
    with pytest.raises(Refused, match="too wide"):
        strip_rise(terms, Fraction(100))


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("family", FUNCTIONS)
def test_constants_of_a_strip_hold_within_it(family, order):
    """By mpmath at complex points."""
    width = Fraction(1, 2)
    terms = (Term(ONE, ONE, Fraction(0), family),)
    with precision(64):
        bound = bounds(strip_constant(terms, order, width)).upper
    largest = max(
        abs(mpmath.diff(FUNCTIONS[family], mpmath.mpc(k / 16, 0.5), order)) for k in range(-80, 81)
    )
    assert largest <= bound
    assert order == 2 or largest > bound / 4


def test_the_supremum_of_the_slope_is_shown_and_nothing_less():
    memory = memory_of(LOPSIDED)
    # E B = 1/2, and sup E sigma'(W + v) lies where v makes up for the mean of W.
    document = made("M1", LOPSIDED)["cases"][0]["left"]
    claimed = Bounds(Fraction(document["lower"]), Fraction(document["upper"]))
    unit = claimed.upper - claimed.lower
    with precision(64):
        found = largest_slope(memory, claimed, ONE)
        assert claimed.lower <= found.lower
        too_high = Bounds(claimed.lower + unit, claimed.upper + unit)
        assert largest_slope(memory, too_high, ONE).lower < too_high.lower
        with pytest.raises(Invalid, match="not shown that the supremum"):
            largest_slope(memory, Bounds(claimed.lower - unit, claimed.upper - unit), ONE)
        with pytest.raises(Invalid, match="not shown that the supremum"):
            largest_slope(memory, claimed, claimed.lower)


def test_a_word_without_a_fixed_point_there_is_found_out():
    document = made("M4", LOPSIDED)
    path = ("cases", 0, "case", "fixed_point")
    forged = sealed(replaced(document, path, "0." + "1" * 40))
    with pytest.raises(Invalid, match="does not change its sign"):
        check_text(json.dumps(forged))


def test_an_expanding_memory_is_not_assumed_to_contract():
    with pytest.raises(Invalid, match="q = s1"):
        memory_of("expanding")


def test_a_fixed_point_that_is_soon_reached_has_as_many_decimals_as_there_may_be():
    document = made("M4", "sharp-stability")
    check_text(json.dumps(document))
    texts = {item["case"]["fixed_point"] for item in document["cases"]}
    assert max(len(text.partition(".")[2]) for text in texts) == reading.MOST_DECIMALS


@pytest.mark.parametrize("name", ["sharp-stability", "mutant-kernel-slope"])
def test_a_left_side_that_the_slack_hides_is_stated_as_such_and_no_other(name):
    """Saturated units forget so fast that no digit of what is left can be known."""
    document = made("M5", name)
    check_text(json.dumps(document))
    hidden = [item for item in document["cases"] if item["left"]["lower"] == "0"]
    assert 0 < len(hidden) < len(document["cases"])
    for item in hidden:
        power = Fraction(item["left"]["upper"])
        assert power <= SLACK * Fraction(item["right"]["lower"]) < 10 * power


def _stated(document, left):
    return json.dumps(sealed(replaced(document, ("cases", 0, "left"), left)))


def test_a_left_side_that_matters_is_stated_to_its_digits():
    document = made("M5", LOPSIDED)
    case = document["cases"][0]
    power = Fraction(case["left"]["upper"])
    exponent = next(k for k in range(-40, 40) if Fraction(10) ** k >= power)
    with pytest.raises(Invalid, match="expected a number of 3 to 40 digits"):
        check_text(_stated(document, {"lower": "0", "upper": f"1E{exponent:+d}"}))
    exponent = max(k for k in range(-80, 40) if Fraction(10) ** k <= SLACK * power)
    with pytest.raises(Invalid, match=rf"left side is .*, not 0 to 1e{exponent:+03d} as stated"):
        check_text(_stated(document, {"lower": "0", "upper": f"1E{exponent:+d}"}))


def test_no_side_of_an_identity_is_negligible():
    document = made("K4", "dependent-b-on-w")
    with pytest.raises(Invalid, match="expected a number of 3 to 40 digits"):
        check_text(_stated(document, {"lower": "0", "upper": "1E-100"}))


def test_a_number_below_all_floats_is_shown():
    assert shown(Bounds(Fraction(0), Fraction(10) ** -400)) == "0 to 1.00000e-400"
    assert shown(Bounds(-ONE, ONE)) == "0"
