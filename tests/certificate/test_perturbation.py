"""Forged certificates of E6: matrices that are none, laws that are not stationary, no change."""

from __future__ import annotations

import json
from fractions import Fraction
from math import lcm

import pytest
from certificates import made, sealed

from verification.certificate.check.checking import check_text
from verification.certificate.check.outcome import Invalid, Refused

F = Fraction


def vector(*values):
    common = lcm(*(F(x).denominator for x in values))
    return {"denominator": str(common), "numerators": [str(int(x * common)) for x in values]}


def forged(rows, law, name="fair-coin"):
    document = made("E6", name)
    one = document["cases"][0]
    case = one["case"] | {"transition": [vector(*row) for row in rows]}
    case["stationary_law"] = vector(*law)
    return json.dumps(sealed(document | {"cases": [one | {"case": case}]}))


HALF = F(1, 2)


@pytest.mark.parametrize(
    ("rows", "law", "problem"),
    [
        ([[HALF, HALF], [HALF, HALF + F(1, 9)]], [HALF, HALF], "row 1 holds no probabilities"),
        ([[F(3, 2), -HALF], [-HALF, F(3, 2)]], [HALF, HALF], "row 0 holds no probabilities"),
        ([[F(1, 4), F(3, 4)], [HALF, HALF]], [HALF, HALF], "is not a stationary law"),
        ([[F(1, 4), F(3, 4)], [HALF, HALF]], [F(4, 5), F(6, 5)], "is not a stationary law"),
        ([[F(1), F(0)], [F(0), F(1)]], [F(3, 2), -HALF], "is not a stationary law"),
    ],
)
def test_what_is_no_chain_with_its_law_is_found_out(rows, law, problem):
    with pytest.raises(Invalid, match=problem):
        check_text(forged(rows, law))


def test_the_instance_itself_is_no_changed_chain():
    with pytest.raises(Refused, match="another matrix"):
        check_text(forged([[HALF, HALF], [HALF, HALF]], [HALF, HALF]))


def test_what_holds_of_any_two_laws_is_not_certified():
    """A chain that is slow, whose law may move by more than 2, against one that always moves."""
    with pytest.raises(Invalid, match="that of any two laws"):
        check_text(forged([[F(0), F(1)], [F(1), F(0)]], [HALF, HALF], "two-state-sticky"))


def test_a_column_of_another_observable_is_found_out():
    document = made("E6", "fair-coin")
    columns = document["witness"]["solutions"]
    witness = document["witness"] | {"solutions": columns[::-1]}
    with pytest.raises(Invalid, match="the Poisson equation"):
        check_text(json.dumps(sealed(document | {"witness": witness})))
