"""Certificates of how near some networks come: second oracles of the checker's tools; forgeries."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from certificates import CLAIM, at, lopsided, made, outcome, replaced, sealed
from scipy import special

from theorems.linear_approximation import RateCase
from verification import gallery
from verification.certificate import approximation_witnesses
from verification.certificate.check.checking import check_text
from verification.certificate.check.linear import suprema
from verification.certificate.check.linear.rules import NodePiece, Rule
from verification.certificate.check.numbers.balls import bounds, precision
from verification.certificate.check.numbers.series import TERMS
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.targets import (
    Airy,
    Box,
    DampedReciprocal,
    Exponential,
    Gaussian,
    Switching,
    combined,
)
from verification.certificate.writing import NotCertified, certificate
from verification.decision import decide
from verification.verdict import Verdict

F = Fraction


COEFFICIENTS = ("cases", 0, "case", "coefficients")


def of(claim_id):
    return made(claim_id, lopsided(claim_id))


def with_factor(document, path, factor):
    return replaced(document, path, f"{float(F(at(document, path))) * factor:.17f}")


def with_larger_digit(document, side):
    """State a side a thousandth larger, with as many digits."""
    stated = document["cases"][0][side]
    places = len(stated["lower"].partition(".")[2])
    unit = F(1, 10**places)
    moved = round((F(stated["lower"]) + unit) * F(1001, 1000) / unit)
    texts = [str(moved + k).rjust(places + 1, "0") for k in (-1, 1)]
    written = {
        key: f"{text[:-places]}.{text[-places:]}"
        for key, text in zip(("lower", "upper"), texts, strict=True)
    }
    return replaced(document, ("cases", 0, side), written)


# Trapezoidal rules

NODE = NodePiece(Rule(F(1, 2), F(3, 2), F(-12), 11), F(-3))
"""Of rate exp(-3)."""


def node_by_mpmath(t):
    mass = mpmath.mpf(0.75) / mpmath.gamma(1.5) * mpmath.exp(-1.5 - mpmath.exp(-3))
    return -mass * mpmath.exp(-3 - mpmath.exp(-3) * t)


def test_a_node_is_what_mpmath_says_of_it():
    with precision(192), mpmath.workdps(40):
        series = [bounds(x) for x in NODE.taylor(F(2), 4)]
        truths = mpmath.taylor(node_by_mpmath, 2, 3)
        primitives = [bounds(NODE.primitive(F(2), times)) for times in (1, 2)]
        rate = mpmath.exp(-3)
        truths += [-node_by_mpmath(2) / rate, node_by_mpmath(2) / rate**2]
        for found, truth in zip([*series, *primitives], truths, strict=True):
            assert float((found.lower + found.upper) / 2) == pytest.approx(float(truth), rel=1e-14)
            assert found.upper - found.lower < F(1, 10**30)
        assert bounds(NODE.tail(F(2))).upper >= -truths[-2] * (1 - mpmath.mpf(10) ** -30)


def test_what_follows_twenty_terms_of_a_node_is_bounded_but_not_by_much():
    with precision(192), mpmath.workdps(60):
        bounded = bounds(NODE.rest(F(30), F(30)))
        series = NODE.taylor(F(30), TERMS)
        kept = sum((bounds(x).lower * (-30) ** k for k, x in enumerate(series)), F(0))
        missed = abs(node_by_mpmath(0) - mpmath.mpf(kept.numerator) / kept.denominator)
    assert missed <= float(bounded.upper) <= 20 * missed


def test_a_change_of_sign_that_is_kept_back_is_missed():
    document = of("C5")
    found = [item["case"]["changes"][0] for item in document["cases"]]
    k, changes = max(enumerate(found), key=lambda item: len(item[1]))
    assert len(changes) > 5
    for i in range(len(changes)):
        fewer = [x for j, x in enumerate(changes) if j != i]
        changed = replaced(document, ("cases", k, "case", "changes", 0), fewer)
        assert outcome(sealed(changed)) == "INVALID"


# Networks


def in_law(key, member, change):
    """Return a certificate of a power law with one case whose networks have a key, changed."""
    k = cases_with(key)[0]
    document = of_law() | {"cases": of_law()["cases"][k : k + 1]}
    path = ("cases", 0, "case", member)
    return replaced(document, path, change(at(document, path)))


def of_law():
    return made("C3", "power-law-one")


def cases_with(key):
    """Return the numbers of the cases whose networks are written with a key."""
    return [k for k, item in enumerate(of_law()["cases"]) if key in item["case"]]


def test_the_error_of_a_network_is_that_of_a_quadrature():
    part = of("C3")["instance"]["target"][0][0]
    c, r = (float(F(part[key])) for key in ("coefficient", "rate"))
    for item in of("C3")["cases"]:
        modes = [[F(m["rate"]), F(m["cosine"][0])] for m in item["case"]["network"]]
        u = np.linspace(0, 1, 2_000_001)[1:]
        t = -np.log(u)
        rest = c * u**r / (1 + t) - sum(float(q) * u ** float(p) for p, q in modes)
        stated = float(F(item["left"]["lower"]) + F(item["left"]["upper"])) / 2
        assert np.trapezoid(np.abs(rest) / u, u) == pytest.approx(stated, rel=1e-2, abs=1e-7)


def test_the_error_of_a_sum_is_that_of_a_quadrature():
    for k in cases_with("rates"):
        case, stated = of_law()["cases"][k]["case"], of_law()["cases"][k]["left"]
        rates, factors, changes = (
            [mpmath.mpf(float(F(x))) for x in case[key]]
            for key in ("rates", "coefficients", "changes")
        )

        def primitive(t, rates=rates, factors=factors):
            waves = sum(q / p * mpmath.exp(-p * t) for p, q in zip(rates, factors, strict=True))
            return waves - 1 / (1 + t)

        steps = [primitive(t) for t in (0, *changes)] + [0]
        truth = sum(abs(b - a) for a, b in pairwise(steps))
        assert float(truth) == pytest.approx(float(F(stated["lower"])), rel=1e-6)


# Rates


@pytest.mark.parametrize(
    ("part", "beta", "order", "truth"),
    [
        (Exponential(F(1), F(0), 1, F(3), F(0)), F(1, 2), 0, 6 / mpmath.e),
        (Exponential(F(1), F(0), 1, F(3), F(0)), F(1, 2), 1, 3),
        (Exponential(F(1), F(2), 0, F(1), F(0)), F(1, 4), 4, None),
        (DampedReciprocal(F(2), F(1)), F(1), 2, 10),
        (Gaussian(F(2), F(3), F(1, 2)), F(1), 0, 2 * mpmath.exp(3.125)),
        (Gaussian(F(2), F(3), F(1, 2)), F(1), 3, None),
        (Airy(F(1), F(9, 4), F(2)), F(1), 0, None),
        (Airy(F(1), F(9, 4), F(2)), F(1), 4, None),
        (Switching(F(3), F(2), (F(1),)), F(2), 1, 3),
    ],
)
def test_a_supremum_is_that_of_its_formula_or_of_a_grid(part, beta, order, truth):
    with precision(160):
        found = suprema._supremum((part,), beta, order, Budget())
    if truth is None:
        truth = max(abs(weighted(part, beta, order, t)) for t in mpmath.linspace(0, 9, 2001))
    # Points of a grid 0.0045 apart miss a maximum by some 10^-4 of it.
    off = 1e-3 if isinstance(truth, mpmath.mpf) and part_is_searched(part, order) else 1e-12
    assert float(found.lower) <= float(truth) * (1 + off)
    assert float(truth) <= float(found.upper) * (1 + 1e-12)
    assert found.upper - found.lower <= found.upper / 2**35


def part_is_searched(part, order):
    return isinstance(part, (Airy, Gaussian)) or order == 4


def weighted(part, beta, order, t):
    """Return ``exp(beta t) f^(j)(t)``."""
    scale = mpmath.exp(float(beta) * t)
    if isinstance(part, Airy):
        x = float(part.scale) * (t - float(part.shift))
        value, slope, *_ = special.airy(float(x))
        derived = {0: value, 3: value + x * slope, 4: x * x * value + 2 * slope}[order]
        return scale * float(part.scale) ** order * derived
    if isinstance(part, Gaussian):
        y, w = (t - float(part.centre)) / float(part.width), float(part.width)
        polynomial = y**3 - 3 * y if order == 3 else 1
        return scale * float(part.factor) * polynomial * mpmath.exp(-y * y / 2) / w**order
    z = mpmath.mpc(-float(part.rate), float(part.frequency))
    return scale * mpmath.re(z**order * mpmath.exp(z * t))


@pytest.mark.parametrize(
    ("part", "tail", "order"),
    [
        (Airy(F(1), F(9, 4), F(2)), suprema._airy_tail, 0),
        (Airy(F(1), F(9, 4), F(2)), suprema._airy_tail, 4),
        (Gaussian(F(2), F(3), F(1, 2)), suprema._gaussian_tail, 0),
        (Gaussian(F(2), F(3), F(1, 2)), suprema._gaussian_tail, 3),
    ],
)
def test_nothing_is_larger_after_what_is_bounded(part, tail, order):
    start, beyond = tail(part, F(1), order)
    with precision(128):
        bound = float(bounds(beyond(start)).upper)
    late = [abs(weighted(part, F(1), order, float(start) + x)) for x in mpmath.linspace(0, 5, 101)]
    assert float(max(late)) <= bound
    assert sorted(late, reverse=True)[:50] == late[:50]


def test_equal_waves_are_one_and_what_cancels_is_gone():
    wave, other = Exponential(F(1), F(0), 1, F(3), F(0)), Exponential(F(1), F(0), 0, F(3), F(0))
    against = Exponential(F(1), F(0), 1, F(-3), F(0))
    box = Box(F(0), F(1), F(2))
    assert combined((wave, other, wave)) == (Exponential(F(1), F(0), 1, F(6), F(0)), other)
    assert combined((wave, box, other, against)) == (other,)


def test_the_error_of_a_polynomial_is_that_of_a_quadrature():
    (item,) = of("C2")["cases"]
    theta = 0.11 / (item["case"]["order"] + 1)
    coefficients = [float(F(x)) for x in item["case"]["coefficients"][0]]
    t = np.linspace(0, 200, 2_000_001)
    target = 0.8 * t * np.exp(-0.3 * t)
    target += (-0.3 * np.cos(1.5 * t) + 0.4 * np.sin(1.5 * t)) * np.exp(-0.7 * t)
    rest = target - sum(c * np.exp(-k * theta * t) for k, c in enumerate(coefficients, start=1))
    # Beyond, exp(-theta t) times the first coefficient is left.
    beyond = abs(coefficients[0]) / theta * np.exp(-200 * theta)
    stated = float(F(item["left"]["lower"]))
    assert np.trapezoid(np.abs(rest), t) + beyond == pytest.approx(stated, rel=1e-4)


def test_what_is_refuted_is_not_shown_even_if_it_is_said_to_be_certified():
    claim = dataclasses.replace(CLAIM["C2P"], right=lambda _instance, _case: F(1000))
    instance = gallery.load("fast-erlang")
    assert decide(CLAIM["C2P"], instance).verdict is Verdict.REFUTED
    with pytest.raises(
        NotCertified, match="does not show C2P: network: is not shown to be as near"
    ):
        certificate(claim, instance)


def test_an_error_that_no_network_reaches_is_not_shown_even_if_it_is_said_to_be_certified():
    def closer(instance, rng):
        return [
            dataclasses.replace(case, error=case.error / 10**6)
            for case in CLAIM["C3"].cases(instance, rng)
        ]

    claim = dataclasses.replace(
        CLAIM["C3"], cases=closer, left=lambda _instance, case: case.error / 2
    )
    with pytest.raises(NotCertified, match="does not show C3 in the case: a network within"):
        certificate(claim, gallery.load("damped-reciprocal"))


def test_what_is_refuted_is_not_certified_by_a_lower_bound_that_says_nothing():
    """At no place the bound is 0, which contradicts nothing: a network has to be brought."""
    instance = gallery.load("fast-erlang")
    case = approximation_witnesses.quoted_case(instance, RateCase(order=1, width=1))
    document = of("C2P") | {
        "instance": instance.to_json(),
        "cases": [
            {
                "case": case | {"places": ["none"]},
                "left": {"lower": "0", "upper": "0"},
                "right": {"lower": "0.000373", "upper": "0.000375"},
            }
        ],
    }
    with pytest.raises(Invalid, match="not shown to be as near to the target as the claim says"):
        check_text(json.dumps(sealed(document)))


ZERO = [[{"kind": "exponential", "coefficient": "0", "rate": "1"}]]
NOTHING = {
    "no target, C2": (lambda: of("C2"), ("instance", "target"), ZERO, "not zero"),
    "no target, C2P": (lambda: of("C2P"), ("instance", "target"), ZERO, "not zero"),
    "no target, C3": (lambda: of("C3"), ("instance", "target"), ZERO, "kernel of a network itself"),
    "a multiple of 0": (
        of_law,
        ("instance", "target", 0, 0, "coefficient"),
        "0",
        "kernel of a network itself",
    ),
    "an error beyond the norm": (
        lambda: of("C3"),
        ("cases", 0, "case", "error"),
        "10",
        "no smaller than a bound of the target's norm",
    ),
    "a rule beyond the norms": (
        lambda: of("C5"),
        ("cases", 0, "case"),
        {"step": "7", "first": "-21", "count": 3, "changes": [[]]},
        "no smaller than the norms of the law and of the network",
    ),
    "a bound beyond the norm": (
        lambda: of("C2"),
        ("cases", 0, "case"),
        {"order": 2, "width": 5, "coefficients": [["0"] * 5], "changes": [[]]},
        "no smaller than d g",
    ),
    "a kernel of the width": (
        lambda: of("C2P"),
        ("instance", "target"),
        [[{"kind": "exponential", "coefficient": "1", "rate": "1"}]],
        "the kernel of a network so wide",
    ),
}


@pytest.mark.parametrize("name", NOTHING)
def test_where_a_claim_says_nothing_there_is_no_certificate(name):
    document, path, value, words = NOTHING[name]
    with pytest.raises(Invalid, match=words):
        check_text(json.dumps(sealed(replaced(document(), path, value))))


FORGERIES = {
    "a node less": lambda: replaced(
        of("C5"), ("cases", 0, "case", "count"), of("C5")["cases"][0]["case"]["count"] - 1
    ),
    "a longer step": lambda: with_factor(of("C5"), ("cases", 0, "case", "step"), 1.001),
    "another first node": lambda: with_factor(of("C5"), ("cases", 0, "case", "first"), 1.001),
    "a larger error": lambda: with_larger_digit(of("C5"), "left"),
    "a larger bound": lambda: with_larger_digit(of("C5"), "right"),
    "an error larger than a polynomial's": lambda: with_larger_digit(of("C2"), "left"),
    "a larger rate of decrease": lambda: with_larger_digit(of("C2"), "right"),
    "a coefficient more": lambda: replaced(
        of("C2"),
        (*COEFFICIENTS, 0),
        [*at(of("C2"), COEFFICIENTS)[0], "1"],
    ),
    "another coefficient": lambda: with_factor(of("C2"), (*COEFFICIENTS, 0, 0), 1.001),
    "a derivative more": lambda: replaced(of("C2"), ("cases", 0, "case", "order"), 2),
    "a unit more": lambda: replaced(of("C2"), ("cases", 0, "case", "width"), 6),
    "a beta above the rates": lambda: replaced(of("C2"), ("instance", "beta"), "0.3"),
    "a derivative of a target with kinks": lambda: replaced(
        made("C2", "sharp-switching"), ("cases", 0, "case", "order"), 2
    ),
    "a target that decays slowly": lambda: replaced(
        of("C2"),
        ("instance", "target", 0, 0),
        {"kind": "power-law", "coefficient": "1", "exponent": "1"},
    ),
    "a larger singular value": lambda: with_larger_digit(of("C2P"), "left"),
    "a larger quoted bound": lambda: with_larger_digit(of("C2P"), "right"),
    "another order": lambda: replaced(of("C2P"), ("cases", 0, "case", "order"), 3),
    "another width": lambda: replaced(of("C2P"), ("cases", 0, "case", "width"), 2),
    "a network's larger error": lambda: with_larger_digit(of("C3"), "left"),
    "a smaller error allowed": lambda: with_factor(of("C3"), ("cases", 0, "case", "error"), 0.5),
    "a mode less": lambda: replaced(
        of("C3"),
        ("cases", 0, "case", "network"),
        of("C3")["cases"][0]["case"]["network"][1:],
    ),
    "a mode that grows": lambda: replaced(
        of("C3"), ("cases", 0, "case", "network", 0, "rate"), "-0.1"
    ),
    "a node of a rule less": lambda: in_law("step", "count", lambda x: x - 1),
    "a rule's longer step": lambda: in_law("step", "step", lambda x: f"{float(F(x)) * 1.01:.9f}"),
    "a coefficient below 0": lambda: in_law("rates", "coefficients", lambda x: ["-1", *x[1:]]),
    "a rate less": lambda: in_law("rates", "rates", lambda x: x[1:]),
    "changes missing": lambda: in_law("rates", "changes", lambda x: x[2:]),
    "a jump": lambda: replaced(
        of("C3"),
        ("instance", "target", 0),
        [
            *of("C3")["instance"]["target"][0],
            {"kind": "box", "height": "0", "start": "1", "length": "1"},
        ],
    ),
    "a sum for another target": lambda: replaced(
        of("C3"), ("cases", 0, "case"), of_law()["cases"][cases_with("rates")[0]]["case"]
    ),
    "a rule for another target": lambda: replaced(
        of("C3"), ("cases", 0, "case"), of_law()["cases"][cases_with("step")[0]]["case"]
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_found_out(name):
    assert outcome(sealed(FORGERIES[name]())) in {"INVALID", "REFUSED"}


HARMFUL = {
    "huge coefficients": (of("C2"), (*COEFFICIENTS, 0, 0), "1" + "0" * 3000),
    "a tiny coefficient": (of("C2"), (*COEFFICIENTS, 0, 0), "0." + "0" * 3000 + "1"),
    "a tiny beta": (of("C2"), ("instance", "beta"), "0." + "0" * 3000 + "1"),
    "a beta just below the rate": (of("C2"), ("instance", "beta"), "0.2" + "9" * 3000),
    "a huge frequency": (of("C2"), ("instance", "target", 0, 1, "frequency"), "1" + "0" * 3000),
    "a far bump": (
        of("C2P"),
        ("instance", "target", 0),
        [
            {
                "kind": "gaussian",
                "coefficient": "1",
                "centre": "1" + "0" * 3000,
                "width": "0." + "0" * 3000 + "1",
            }
        ],
    ),
    "a tiny step": (of("C5"), ("cases", 0, "case", "step"), "0." + "0" * 3000 + "1"),
    "a long step": (of("C5"), ("cases", 0, "case", "step"), "8.1"),
    "far nodes": (of("C5"), ("cases", 0, "case", "first"), "-9000"),
    "high nodes": (of("C5"), ("cases", 0, "case", "first"), "9000"),
    "many nodes": (of("C5"), ("cases", 0, "case", "count"), 65),
    "a huge exponent": (of("C5"), ("instance", "target", 0, 0, "exponent"), "1" + "0" * 3000),
    "a tiny exponent": (
        of("C5"),
        ("instance", "target", 0, 0, "exponent"),
        "0." + "0" * 3000 + "1",
    ),
    "a huge rate": (of("C3"), ("cases", 0, "case", "network", 0, "rate"), "1" + "0" * 3000),
    "a tiny rate": (
        of("C3"),
        ("cases", 0, "case", "network", 0, "rate"),
        "0." + "0" * 3000 + "1",
    ),
    "a huge target": (of("C3"), ("instance", "target", 0, 0, "rate"), "1" + "0" * 3000),
    "a far change": (of("C5"), ("cases", 0, "case", "changes", 0, 0), "1" + "0" * 3000),
}


@pytest.mark.parametrize("name", HARMFUL)
def test_a_file_made_to_do_harm_ends_soon(name):
    document, path, value = HARMFUL[name]
    assert outcome(sealed(replaced(document, path, value))) in {"INVALID", "REFUSED"}
