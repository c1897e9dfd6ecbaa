"""Certificates of how near some networks come: second oracles of the checker's tools; forgeries."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from certificates import at, lopsided, made, outcome, replaced, sealed

from verification.certificate.check.linear.rules import NodePiece, Rule
from verification.certificate.check.numbers.balls import bounds, precision
from verification.certificate.check.numbers.series import TERMS

F = Fraction


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
    for k, item in enumerate(document["cases"]):
        (changes,) = item["case"]["changes"]
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


FORGERIES = {
    "a node less": lambda: replaced(
        of("C5"), ("cases", 0, "case", "count"), of("C5")["cases"][0]["case"]["count"] - 1
    ),
    "a longer step": lambda: with_factor(of("C5"), ("cases", 0, "case", "step"), 1.001),
    "another first node": lambda: with_factor(of("C5"), ("cases", 0, "case", "first"), 1.001),
    "a larger error": lambda: with_larger_digit(of("C5"), "left"),
    "a larger bound": lambda: with_larger_digit(of("C5"), "right"),
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
