"""A1 and A2: the suprema and strip bounds against mpmath and closed forms."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import mpmath
import pytest
from activation_functions import FUNCTIONS
from hypothesis import given, settings

from theorems import activation_bounds as theorem
from theorems.activation_bounds import A1, A2
from verification import gallery
from verification.campaign import strategies
from verification.decision import decide
from verification.enclosure.balls import enclosure, precision
from verification.instance import FAMILIES, ActivationSpec, Instance
from verification.recurrent.activation import activation
from verification.verdict import Verdict

SUPREMA = {
    "tanh": (1, 1, 4 / (3 * mpmath.sqrt(3))),
    "logistic": (1, mpmath.mpf(1) / 4, 1 / (6 * mpmath.sqrt(3))),
    "erf": (1, 2 / mpmath.sqrt(mpmath.pi), mpmath.sqrt(8 / (mpmath.pi * mpmath.e))),
    "arctan": (mpmath.pi / 2, 1, 3 * mpmath.sqrt(3) / 8),
    "sin": (1, 1, 1),
}
POLES = {"tanh": mpmath.pi / 2, "logistic": mpmath.pi, "arctan": mpmath.mpf(1)}


def named(family: str) -> Instance:
    onegin = gallery.load("markov-onegin")
    return dataclasses.replace(onegin, activation=ActivationSpec.named(family), name=family)


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("family", FAMILIES)
def test_supremum_agrees_with_the_closed_form_and_the_constant(family, order):
    sigma = activation(ActivationSpec.named(family))
    with precision(64):
        found = enclosure(theorem.supremum_on_the_line(ActivationSpec.named(family), order))
        constant = enclosure(sigma.bound(order))
    exact = mpmath.mpf(SUPREMA[family][order])
    for bounds in (found, constant):
        assert mpmath.mpf(str(bounds.lower)) <= exact * (1 + mpmath.mpf(2) ** -50)
        assert exact * (1 - mpmath.mpf(2) ** -50) <= mpmath.mpf(str(bounds.upper))
        assert bounds.width_upper() < Fraction(1, 10**13)


@pytest.mark.parametrize("share", ["0.1", "0.5", "0.9"])
@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("family", FAMILIES)
def test_strip_supremum_agrees_with_dense_sampling(family, order, share):
    width = Fraction(share) * Fraction(str(mpmath.nstr(POLES.get(family, mpmath.mpf(2)), 12)))
    with precision(64):
        found = theorem.supremum_on_the_strip(ActivationSpec.named(family), order, width)
        bounds = enclosure(found)
    height = mpmath.mpf(width.numerator) / width.denominator
    with mpmath.workdps(25):
        samples = [
            abs(FUNCTIONS[family](z) if order == 0 else mpmath.diff(FUNCTIONS[family], z))
            for z in (mpmath.mpc(mpmath.mpf(k) / 40, height) for k in range(-320, 321))
        ]
    best = max(samples)
    assert best <= mpmath.mpf(str(bounds.upper)) * (1 + mpmath.mpf(10) ** -9)
    # A limit at infinity is approached by samples at |t| = 8 only so far.
    assert mpmath.mpf(str(bounds.lower)) <= best * mpmath.mpf("1.1")


@pytest.mark.parametrize("family", FAMILIES)
def test_strip_constants_are_the_formulas_of_the_statement(family):
    a = mpmath.mpf(1) / 2 if family != "logistic" else mpmath.mpf(2)
    formulas = {
        "tanh": (max(1, mpmath.tan(a)), 1 / mpmath.cos(a) ** 2),
        "logistic": (1 / mpmath.sin(a), 1 / (4 * mpmath.cos(a / 2) ** 2)),
        "erf": (1 + mpmath.erfi(a), 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(a * a)),
        "arctan": (mpmath.pi / 2 + mpmath.atanh(a), 1 / (1 - a * a)),
        "sin": (mpmath.cosh(a), mpmath.cosh(a)),
    }
    width = Fraction(2) if family == "logistic" else Fraction(1, 2)
    for order in (0, 1):
        case = theorem.StripCase(order=order, width=width)
        with precision(64):
            bounds = enclosure(theorem.strip_constant(named(family), case))
        value = formulas[family][order]
        assert abs(mpmath.mpf(str(bounds.lower)) - value) < mpmath.mpf(10) ** -13 * value
        assert abs(mpmath.mpf(str(bounds.upper)) - value) < mpmath.mpf(10) ** -13 * value


def test_small_strips_keep_the_logistic_below_one():
    case = theorem.StripCase(order=0, width=Fraction(3, 2))
    with precision(64):
        bounds = enclosure(theorem.strip_constant(named("logistic"), case))
    assert bounds.lower == bounds.upper == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_named_activations_are_certified_and_tight(family):
    for claim in (A1, A2):
        result = decide(claim, named(family))
        assert result.verdict is Verdict.CERTIFIED, result
        assert result.tightness is not None
        assert result.tightness > 0.999999
        assert set(result.cases) == {"CERTIFIED"}


@pytest.mark.parametrize("claim", [A1, A2], ids=lambda claim: claim.id)
def test_a_mixture_is_certified_with_its_upper_bounds(claim):
    result = decide(claim, gallery.load("mixture-activation"))
    assert result.verdict is Verdict.CERTIFIED
    assert result.tightness is not None
    assert 0.1 < result.tightness <= 1


@settings(max_examples=15, deadline=None)
@given(instance=strategies.instances(contracting=None))
def test_no_random_activation_refutes_a_bound(instance):
    for claim in (A1, A2):
        result = decide(claim, instance, precisions=(64, 128))
        assert result.verdict is Verdict.CERTIFIED, result
