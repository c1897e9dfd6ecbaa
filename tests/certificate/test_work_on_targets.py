"""What certificates on targets ask for is charged: by long numbers, by series that are long."""

from __future__ import annotations

import json
import random
from bisect import bisect_right
from fractions import Fraction

import pytest
from certificates import made, replaced, sealed

from verification.certificate.check.checking import check_text
from verification.certificate.check.claims.quadratic_claims import _passed
from verification.certificate.check.claims.width_claims import charge_matrix
from verification.certificate.check.linear.special_kernels import AiryPiece
from verification.certificate.check.linear.suprema import decay_constant
from verification.certificate.check.numbers.balls import precision
from verification.certificate.check.outcome import MAX_WORK, Budget, Refused
from verification.certificate.check.targets import Exponential

F = Fraction
LONG = F(1, 10**1500 + 3)
PLACE = ("cases", 0, "case", "form")


def constant(beta, rate, budget):
    """Return g of a plain exponential, for a = 1."""
    zero = F(0)
    with precision(256):
        return decay_constant(((Exponential(rate, zero, 0, F(1), zero),),), beta, 1, budget)


def test_a_constant_of_long_numbers_is_found_and_charged_by_their_digits():
    """``sup exp(beta t) exp(-r t)`` is 1, and ``g = r/beta^2`` for ``beta <= r``."""
    short, long = Budget(), Budget()
    constant(F(1), F(2), short)
    found = constant(1 + LONG, 2 + LONG, long)
    truth = (2 + LONG) / (1 + LONG) ** 2
    assert found.lower <= truth <= found.upper
    assert found.upper - found.lower < truth / 2**35
    assert MAX_WORK - long.left > 10 * (MAX_WORK - short.left)


def test_an_airy_function_is_charged_for_the_length_of_its_series():
    """Its integral from -100 on takes some fifty times as long as that from -10 on."""
    spent = []
    for shift in (F(10), F(100)):
        budget = Budget()
        charge_matrix((AiryPiece(F(1), F(1), shift),), (F(0), F(1)), budget)
        spent.append(MAX_WORK - budget.left)
    assert spent[1] > 5 * spent[0]


def test_a_form_of_many_long_numbers_is_refused_at_once():
    """Hours of differences of fractions, of which few operations were counted."""
    document = made("C4Q", "exponential-pair")
    size = len(document["cases"][0]["case"]["form"]["heights"][0])
    shifts = [f"{k}.{10**3000 + 2 * k + 1}" for k in range(64)]
    knots = ["0", *(f"{k}.{10**3000 + 2 * k + 1}" for k in range(1, 256))]
    forged = replaced(document, (*PLACE, "shifts"), shifts)
    forged = replaced(forged, (*PLACE, "masses"), [["1"] * size for _ in shifts])
    forged = replaced(forged, (*PLACE, "knots"), knots)
    forged = replaced(forged, (*PLACE, "heights"), [[["1"] * len(knots)] * size])
    with pytest.raises(Refused, match="asks for more than"):
        check_text(json.dumps(sealed(forged)))


def test_the_cells_of_a_form_are_those_between_all_sums():
    draw = random.Random(5)
    knots = [F(0), *(F(x) for x in sorted(draw.sample(range(1, 30), 7)))]
    shifts = [F(x, 2) for x in sorted(draw.sample(range(60), 5))]
    sums = sorted({e + s for e in knots for s in shifts})
    expected = [[bisect_right(knots, t - s) for s in shifts] for t in sums]
    assert len(sums) < len(knots) * len(shifts)
    assert _passed(tuple(knots), tuple(shifts)) == expected
