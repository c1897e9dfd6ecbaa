"""Certificates of how near some networks come: second oracles of the checker's tools; forgeries."""

from __future__ import annotations

from fractions import Fraction

import mpmath
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


FORGERIES = {
    "a node less": lambda: replaced(
        of("C5"), ("cases", 0, "case", "count"), of("C5")["cases"][0]["case"]["count"] - 1
    ),
    "a longer step": lambda: with_factor(of("C5"), ("cases", 0, "case", "step"), 1.001),
    "another first node": lambda: with_factor(of("C5"), ("cases", 0, "case", "first"), 1.001),
    "a larger error": lambda: with_larger_digit(of("C5"), "left"),
    "a larger bound": lambda: with_larger_digit(of("C5"), "right"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_found_out(name):
    assert outcome(sealed(FORGERIES[name]())) == "INVALID"


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
    "a far change": (of("C5"), ("cases", 0, "case", "changes", 0, 0), "1" + "0" * 3000),
}


@pytest.mark.parametrize("name", HARMFUL)
def test_a_file_made_to_do_harm_ends_soon(name):
    document, path, value = HARMFUL[name]
    assert outcome(sealed(replaced(document, path, value))) in {"INVALID", "REFUSED"}
