"""The checker's sum over all draws of frozen units, and the largest spread of one, by mpmath."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import product

import mpmath
import pytest
from certificates import made, replaced, sealed

from verification import gallery
from verification.certificate.check import reading
from verification.certificate.check.checking import check_text
from verification.certificate.check.claims import frozen_claims
from verification.certificate.check.claims.frozen_claims import (
    distance_from_limit,
    read_frozen,
)
from verification.certificate.check.instances import read_instance
from verification.certificate.check.numbers.bounds import Bounds, at
from verification.certificate.check.outcome import Budget, Invalid, Refused, Unsupported
from verification.certificate.check.reading import Node

NAME = "dependent-b-on-w"
NOTHING = Bounds(Fraction(0), Fraction(0))
BITS = 128


def document():
    return gallery.load(NAME).to_json()


def known(instance, budget=None):
    read = read_instance(reading.parse(json.dumps(instance)), Budget())
    return read_frozen(read, Node({}, "witness"), budget or Budget())


def atoms():
    return [
        tuple(mpmath.mpf(float(Fraction(x))) for x in (a["p"], a["W"][0], a["B"]))
        for a in document()["law"]["atoms"]
    ]


def inputs(word):
    return [float(Fraction(document()["chain"]["inputs"][state][0])) for state in word]


@pytest.mark.parametrize(("width", "word"), [(1, (0,)), (2, (0, 1, 1)), (3, (1, 0))])
def test_the_distance_is_that_over_every_draw_one_by_one(width, word):
    case = Node({"width": width, "word": list(word)}, "case")
    found = at(distance_from_limit(known(document()), case, NOTHING).left, BITS)
    with mpmath.workdps(40):
        # As decimals: 0.95 is no double.
        exact = [
            tuple(mpmath.mpf(x) for x in (a["p"], a["W"][0], a["B"]))
            for a in document()["law"]["atoms"]
        ]
        limit, square = mpmath.mpf(0), mpmath.mpf(0)
        for x in inputs(word):
            limit = sum(p * b * mpmath.tanh(w * x + limit) for p, w, b in exact)
        for drawn in product(exact, repeat=width):
            memory = mpmath.mpf(0)
            for x in inputs(word):
                memory = sum(b * mpmath.tanh(w * x + memory) for _, w, b in drawn) / width
            square += mpmath.fprod(p for p, _, _ in drawn) * (memory - limit) ** 2
        near = Fraction(int(mpmath.nint(mpmath.sqrt(square) * mpmath.mpf(10) ** 36)), 10**36)
    off = Fraction(1, 10**34)
    assert found.lower - off <= near <= found.upper + off
    assert found.upper - found.lower < Fraction(1, 2**BITS)


def test_the_largest_spread_is_found_to_many_digits():
    """One step of one unit: the bound is s_Phi itself."""
    case = Node({"width": 1, "word": [0]}, "case")
    found = at(distance_from_limit(known(document()), case, NOTHING).right, BITS)

    def spread(x, v):
        values = [(p, b * mpmath.tanh(w * x + v)) for p, w, b in atoms()]
        return sum(p * y * y for p, y in values) - sum(p * y for p, y in values) ** 2

    reach = sum(p * abs(b) for p, _, b in atoms())
    places = [(x, reach * k / 400) for x in inputs((0, 1)) for k in range(-400, 401)]
    largest = mpmath.sqrt(max(spread(x, v) for x, v in places))
    # Between points of the grid V rises by less than sup |V''| (reach/400)^2 / 8 < 1e-5.
    assert found.lower - Fraction(1, 10**9) <= Fraction(float(largest)) + Fraction(1, 10**5)
    assert Fraction(float(largest)) <= found.upper + Fraction(1, 10**9)
    assert found.upper - found.lower < found.lower / 2**30


def test_units_of_too_many_kinds_are_not_summed(monkeypatch):
    monkeypatch.setattr(frozen_claims, "MAX_KINDS", 3)
    with pytest.raises(Unsupported, match="more than 3 kinds of units"):
        check_text(json.dumps(made("M6", NAME)))


def test_all_draws_of_many_units_are_charged():
    case = Node({"width": 64, "word": [0] * 64}, "case")
    with pytest.raises(Refused, match="asks for more than"):
        at(distance_from_limit(known(document(), Budget(left=10**5)), case, NOTHING).left, BITS)


def test_what_m6_assumes_is_verified():
    certified = made("M6", NAME)
    place = ("instance", "law", "atoms", 7, "B")
    with pytest.raises(Invalid, match="qbar = s1 bbar < 1 is not shown"):
        check_text(json.dumps(sealed(replaced(certified, place, "1"))))
    law = gallery.load("markov-onegin").to_json()["law"]
    with pytest.raises(Unsupported, match="a law without atoms"):
        check_text(json.dumps(sealed(replaced(certified, ("instance", "law"), law))))
