"""Networks and paths that do not occur, and what the checker assumes: each is found out."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from certificates import LOPSIDED, made, replaced, sealed

from verification.certificate.check import reading
from verification.certificate.check.checking import check_text
from verification.certificate.check.instances import read_instance
from verification.certificate.check.numbers.balls import ball, between, bounds, precision
from verification.certificate.check.outcome import Budget, Invalid, Refused
from verification.certificate.check.recurrent.training import clip
from verification.certificate.check.recurrent.units import occurs

BITS = 128


@pytest.mark.parametrize(("low", "high"), [("1.2", "1.4"), ("-1.3", "-1.1"), ("-2", "3")])
def test_the_clip_of_a_ball_across_its_pieces_holds_all_of_it(low, high):
    bound, ends = Fraction(5, 4), (Fraction(low), Fraction(high))
    with precision(BITS):
        whole = bounds(clip(between(*ends), ball(bound)))
        for k in range(9):
            point = ends[0] + (ends[1] - ends[0]) * k / 8
            part = bounds(clip(ball(point), ball(bound)))
            assert whole.lower <= part.lower
            assert part.upper <= whole.upper
    assert whole.upper - whole.lower <= 2 * max(map(abs, ends)) + Fraction(1, 100)


def _outcome(document):
    return check_text(json.dumps(sealed(document)))


def test_units_that_do_not_occur_are_found_out():
    document = made("T1", LOPSIDED)
    for key in "CB":
        place = ("witness", "networks", 0, key, 0)
        with pytest.raises(Invalid, match="a unit that does not occur in the initial law"):
            _outcome(replaced(document, place, "1.01"))


def test_only_atoms_occur_in_a_law_of_atoms():
    document = made("T1", "zero-memory-atoms")
    law = read_instance(reading.parse(json.dumps(document["instance"])), Budget()).law
    atom = law.atoms[0]
    assert occurs(law, atom.c, atom.w, atom.b)
    assert not occurs(law, atom.c + 1, atom.w, atom.b)


def test_networks_come_by_width_each_once():
    document = made("T2", LOPSIDED)
    networks = document["witness"]["networks"]
    for others in (networks[::-1], [*networks, networks[-1]]):
        with pytest.raises(Refused, match="a network wider than the one before"):
            _outcome(replaced(document, ("witness", "networks"), others))


def test_a_path_that_the_chain_does_not_take_is_invalid():
    document = made("T1", "absorbing")
    instance = read_instance(reading.parse(json.dumps(document["instance"])), Budget())
    place, start = ("cases", 0, "case", "path"), instance.initial
    other = next(i for i in range(instance.size) if i != start)
    never = next(i for i in range(instance.size) if i not in dict(instance.rows[start]))
    with pytest.raises(Invalid, match="does not start where the chain does"):
        _outcome(replaced(document, place, [other]))
    with pytest.raises(Invalid, match="takes a step of probability 0"):
        _outcome(replaced(document, place, [start, never]))


@pytest.mark.parametrize(
    ("claim", "place", "value", "problem"),
    [
        ("T2", ("instance", "law", "B", "high"), "4", "qbar = s1 bbar < 1 is not shown"),
        ("T7", ("instance", "chain", "targets", 0), "1.2", r"N\^gamma >= max \|y\| is not shown"),
        ("T4", ("instance", "law", "C", "high"), "2", r"E\[C \| W\] = 0"),
    ],
)
def test_assumptions_are_verified(claim, place, value, problem):
    with pytest.raises(Invalid, match=f"assumption: .*{problem}"):
        _outcome(replaced(made(claim, LOPSIDED), place, value))


@pytest.mark.parametrize("claim", ["T1", "T4"])
def test_without_training_constants_nothing_is_said(claim):
    document = made(claim, LOPSIDED)
    del document["instance"]["training"]
    with pytest.raises(Invalid, match="assumption: the instance gives training constants"):
        _outcome(document)


def test_what_is_exactly_zero_is_stated_so():
    """No step of the one moves the output at an input that is orthogonal to the step's."""
    lefts = {case["left"]["lower"] for case in made("T3", "seattle-weather")["cases"]}
    assert "0" in lefts
    assert len(lefts) > 1
