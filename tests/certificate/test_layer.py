"""The checker's norms of functions of the weight, against sums and rules in doubles."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import activation_functions
import mpmath
import numpy as np
import pytest
from certificates import instance_named
from hypothesis import given, settings
from hypothesis import strategies as st

from verification.certificate.check import reading
from verification.certificate.check.instances import Term, read_instance
from verification.certificate.check.numbers.balls import ball, bounds, precision
from verification.certificate.check.outcome import Budget
from verification.certificate.check.recurrent import rules
from verification.certificate.check.recurrent.activations import curve
from verification.certificate.check.recurrent.layer import (
    Function,
    layer_at,
    mean_square_of_conditional_b,
)
from verification.certificate.check.recurrent.memory import Memory
from verification.certificate.check.recurrent.speed import largest_squares
from verification.recurrent.law import mean_square_of_conditional_b as solver_mean_square

# Normal, uniform and constant W, atoms with B dependent on W; two dimensions; a mixture.
NAMES = (
    "markov-onegin",
    "sharp-arctan",
    "erf-uniform",
    "cyclic-with-noise",
    "constant-weights",
    "dependent-b-on-w",
    "mixture-activation",
    "two-dimensional",
    "two-dimensional-uniform",
)
FUNCTIONS = (
    (Function(*map(Fraction, ("0.5", "-0.75", "0.25", "1"))), Function(*map(Fraction, "0120"))),
    (Function(*map(Fraction, "0001")), Function(*map(Fraction, ("0", "0", "0", "-1")))),
)
FAMILIES = {
    "tanh": np.tanh,
    "logistic": lambda t: (1 + np.tanh(t / 2)) / 2,
    "erf": np.vectorize(math.erf),
    "arctan": np.arctan,
    "sin": np.sin,
}
STEP = 1e-5


def sigma(terms, t):
    return sum(
        float(term.weight) * FAMILIES[term.family](float(term.scale) * t + float(term.shift))
        for term in terms
    )


def slope(terms, t):
    return (sigma(terms, t + STEP) - sigma(terms, t - STEP)) / (2 * STEP)


def places_of(instance, point):
    """Return values of W.x, their weights, and E[B | W], in doubles."""
    law = instance.law
    if law.w is None:
        units = {}
        for atom in law.atoms:
            p, moment = units.get(atom.w, (0, 0))
            units[atom.w] = p + atom.p, moment + atom.p * atom.b
        places = [float(sum(a * x for a, x in zip(w, point, strict=True))) for w in units]
        weights = [float(p) for p, _ in units.values()]
        return (
            np.array(places),
            np.array(weights),
            np.array([float(m / p) for p, m in units.values()]),
        )
    mean = float(sum(law.b.first + law.b.second) / (2 if law.b.second else 1))
    first = float(sum(a * x for a, x in zip(law.w.first, point, strict=True)))
    if law.w.kind == "constant":
        return np.array([first]), np.ones(1), np.full(1, mean)
    if law.w.kind == "normal":
        z = np.linspace(-9, 9, 2001)
        weights = np.exp(-z * z / 2)
        places = first + float(law.w.second[0]) * math.hypot(*map(float, point)) * z
        return places, weights / weights.sum(), np.full(len(z), mean)
    roots, shares = np.polynomial.legendre.leggauss(60)
    places, weights = np.zeros(1), np.ones(1)
    for low, high, x in zip(law.w.first, law.w.second, point, strict=True):
        part = float(x * (low + high) / 2) + float(x * (high - low) / 2) * roots
        places = np.add.outer(places, part).ravel()
        weights = np.multiply.outer(weights, shares / 2).ravel()
    return places, weights, np.full(len(places), mean)


def in_doubles(instance, point, functions, *, gradient):
    """Return ``|h - h'|^2`` and ``|T_x h - T_x h'|^2``, from the definitions."""
    places, weights, means = places_of(instance, point)
    terms, squared_input = instance.activation, float(sum(x * x for x in point))
    values, slopes, memories = [], [], []
    for h in functions:
        level, height, shift, share = (
            float(x) for x in (h.constant, h.slope, h.shift, h.conditional)
        )
        values.append(level + height * sigma(terms, places + shift) + share * means)
        slopes.append(height * slope(terms, places + shift))
        memories.append((weights * means * values[-1]).sum())
    images = [sigma(terms, places + v) for v in memories]
    turned = [slope(terms, places + v) for v in memories]
    found = []
    for one, steep in ((values, slopes), (images, turned)):
        total = (weights * (one[0] - one[1]) ** 2).sum()
        if gradient:
            total += squared_input * (weights * (steep[0] - steep[1]) ** 2).sum()
        found.append(total)
    return found


def read(name):
    document = json.dumps(instance_named(name).to_json())
    return read_instance(reading.parse(document), Budget())


@pytest.mark.parametrize("functions", FUNCTIONS, ids=["sloped", "flat"])
@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_norms_are_those_of_the_definitions_and_tight(name, gradient, functions):
    instance = read(name)
    point = instance.inputs[-1]
    expected = in_doubles(instance, point, functions, gradient=gradient)
    with precision(64):
        there = layer_at(Memory(instance, Budget()), instance.size - 1, gradient=gradient)
        found = [
            bounds(there.squared_distance(*functions)),
            bounds(there.squared_image_distance(*functions)),
        ]
    for enclosed, truth in zip(found, expected, strict=True):
        # The doubles' slopes are differences of values at a distance of 1e-5.
        assert float(enclosed.lower) - 1e-8 <= truth <= float(enclosed.upper) + 1e-8
        assert enclosed.upper - enclosed.lower < Fraction(1, 2**40)


@pytest.mark.parametrize("name", ["erf-uniform", "cyclic-with-noise"])
def test_a_rule_of_two_nodes_says_how_wrong_it_is(name, monkeypatch):
    instance = read(name)
    point = instance.inputs[-1]
    expected = in_doubles(instance, point, FUNCTIONS[0], gradient=False)[0]
    with precision(64):
        monkeypatch.setattr(rules, "working_precision", lambda: -1_000)
        rough = layer_at(Memory(instance, Budget()), instance.size - 1, gradient=False)
        found = bounds(rough.squared_distance(*FUNCTIONS[0]))
    assert len(rough.rule.nodes) % 2 == 0
    assert float(found.lower) <= expected <= float(found.upper)
    middle = float(found.lower + found.upper) / 2
    assert abs(middle - expected) > 1e-8


@pytest.mark.parametrize("name", NAMES)
def test_the_conditional_mean_square_is_that_of_the_solver(name):
    assert mean_square_of_conditional_b(read(name)) == solver_mean_square(instance_named(name).law)


@pytest.mark.parametrize("family", FAMILIES)
def test_third_derivatives_are_those_of_mpmath(family):
    terms = (Term(Fraction(-3, 2), Fraction(2), Fraction(1, 4), family),)
    with mpmath.workdps(40), precision(80):
        for place in (Fraction(-7, 4), Fraction(1, 8), Fraction(3)):
            x = mpmath.mpf(place.numerator) / place.denominator
            truth = mpmath.diff(
                lambda u: -1.5 * activation_functions.FUNCTIONS[family](2 * u + 0.25), x, 3
            )
            found = bounds(curve(terms, 3)(ball(place)))
            assert float(found.lower) - 1e-12 <= truth <= float(found.upper) + 1e-12
            assert found.upper - found.lower < Fraction(1, 2**60)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_the_largest_speed_is_enclosed_tightly(data):
    """By values on a grid, with derivatives in doubles: nothing above, and nearly all reached."""
    quarters = st.integers(-8, 8).filter(bool).map(lambda k: Fraction(k, 4))
    terms = tuple(
        Term(
            data.draw(quarters),
            data.draw(quarters),
            data.draw(quarters),
            data.draw(st.sampled_from([name for name in FAMILIES if name != "sin"])),
        )
        for _ in range(data.draw(st.integers(1, 2)))
    )
    stretch = data.draw(st.sampled_from([Fraction(0), Fraction(1, 2), Fraction(100)]))
    with precision(64):
        found = largest_squares(terms, 1, stretch, Budget())
    places = np.linspace(-60, 60, 240_001)
    here, there = slope(terms, places), slope(terms, places + 1e-4)
    back = slope(terms, places - 1e-4)
    seen = float((here**2 + float(stretch) * ((there - back) / 2e-4) ** 2).max())
    assert seen <= float(found.upper) * (1 + 1e-4) + 1e-6
    assert seen >= float(found.lower) * (1 - 1e-4) - 1e-6
    assert found.upper - found.lower <= found.upper / 2**31 or found.upper < Fraction(1, 100)


def test_slopes_on_wide_cells_are_no_larger_than_their_constants():
    """Of error functions of other scales, of which one is far out where the other one is not."""
    quarter = Fraction(1, 4)
    terms = tuple(Term(quarter, scale, quarter, "erf") for scale in (quarter, 3 * quarter))
    with precision(64):
        found = largest_squares(terms, 1, Fraction(0), Budget())
    places = np.linspace(-10, 10, 40_001)
    assert float(found.upper) == pytest.approx((slope(terms, places) ** 2).max(), rel=1e-6)
    assert found.upper - found.lower <= found.upper / 2**31


@pytest.mark.parametrize(("radius", "speed"), [(Fraction(1, 9), 36), (Fraction(4), 576)])
def test_a_sine_has_a_speed_in_closed_form(radius, speed):
    terms = (Term(Fraction(3), Fraction(2), Fraction(1), "sin"),)
    found = largest_squares(terms, 1, radius, Budget())
    assert found.lower == found.upper == speed
