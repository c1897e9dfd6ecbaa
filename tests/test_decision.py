"""Deciding toy claims: every verdict, precision, draws, seeds, mutants, collation."""

from __future__ import annotations

import dataclasses
import re
import time
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification import Instance, verify
from verification import case as case_module
from verification.claim import Assumption, Claim, Constant, Mutant, Vacuity
from verification.deadline import BUDGET_SPENT
from verification.decision import decide
from verification.enclosure.balls import (
    PRECISIONS,
    Between,
    ball,
    less,
    working_precision,
)
from verification.errors import NotEnclosed
from verification.statistics.sampling import compare_by_sampling
from verification.statistics.simulation import Simulation
from verification.verdict import SLACK_BITS, Enclosure, EvidenceKind, Relation, Truth, Verdict


@dataclass(frozen=True)
class Toy:
    """An instance that is one rational number."""

    number: Fraction = Fraction(1)
    schema: str = "toy/1"
    name: str = "toy"
    origin: str | None = None

    def to_json(self):
        return {"schema": self.schema, "name": self.name, "number": str(self.number)}


TOY = Toy()


def claim(left, right, *, cases=("the case",), **more) -> Claim:
    """Return a claim whose cases, unless they are drawn, are the given ones."""
    return Claim(
        **{
            "id": "X1",
            "theorem": "toy",
            "title": "A toy",
            "statement": "left is at most right",
            "formula": "l \\le r",
            "kind": "toy/1",
            "cases": cases if callable(cases) else lambda _instance, _rng: cases,
            "left": left,
            "right": right,
            "proof": "none",
            "establishes": "nothing",
            "source": "this test",
            "sharp": (),
            "mutants": (),
        }
        | more
    )


def number(value):
    return lambda _instance, _case: value


def rational(left, right, **more) -> Claim:
    return claim(number(Fraction(left)), number(Fraction(right)), **more)


def cancelled(size: int):
    """Return 1/2 as a difference of balls that loses about `size` decimal digits."""
    return lambda _instance, _case: 10**size * (3 * ball(Fraction(1, 3)) - 1) + ball(Fraction(1, 2))


def unenclosed(*_):
    raise NotEnclosed("the series did not converge")


# One case.


def test_rationals_are_certified():
    found = decide(rational("1/3", "1/2"), TOY)
    assert found.verdict is Verdict.CERTIFIED
    assert found.evidence.kind is EvidenceKind.RATIONALS
    assert found.evidence.precision_bits is None
    assert found.left.contains(Fraction(1, 3))
    assert found.right == Enclosure(Decimal("0.5"), Decimal("0.5"))
    assert Fraction(2, 3) - Fraction(1, 2**50) <= Fraction(found.tightness) <= Fraction(2, 3)
    assert (found.claim, found.instance, found.case) == ("X1", "toy", "the case")
    assert found.reason == "holds in the only case"
    assert found.cases == {"CERTIFIED": 1}
    assert found.seconds > 0


def test_rationals_are_refuted():
    found = decide(rational("1/2", "1/3"), TOY)
    assert found.verdict is Verdict.REFUTED
    assert found.reason == "fails in 1 of 1 cases, by most in: the case"
    assert found.cases == {"REFUTED": 1}


def test_an_equality_of_balls_is_certified_up_to_the_slack_and_not_beyond():
    def near(factor):
        return claim(lambda *_: ball(factor), lambda *_: 6 * ball(Fraction(1, 6)))

    slack = Fraction(1, 2**SLACK_BITS)
    assert decide(near(Fraction(1)), TOY).verdict is Verdict.CERTIFIED
    assert decide(near(1 + slack * Fraction(99, 100)), TOY).verdict is Verdict.CERTIFIED
    assert decide(near(1 + slack * Fraction(101, 100)), TOY).verdict is Verdict.REFUTED


def test_rationals_are_compared_exactly():
    tiny = Fraction(1, 10**100)
    assert decide(rational(1, 1), TOY).verdict is Verdict.CERTIFIED
    assert decide(rational("1/3", "1/3"), TOY).verdict is Verdict.CERTIFIED
    assert decide(rational(1 + tiny, 1), TOY).verdict is Verdict.REFUTED
    assert decide(rational(Fraction(1, 3) + tiny, "1/3"), TOY).verdict is Verdict.REFUTED
    third = Fraction(1, 3)
    vacuous = rational("1/3", "1/3", trivial=number(third))
    assert decide(vacuous, TOY).verdict is Verdict.VACUOUS
    sharper = rational("1/3", "1/3", trivial=number(third + tiny))
    assert decide(sharper, TOY).verdict is Verdict.CERTIFIED


# Identities.


def identity(left, right, **more) -> Claim:
    return claim(left, right, relation=Relation.EQUAL, **more)


@pytest.mark.parametrize(
    ("left", "verdict"),
    [
        (Fraction(1, 3), Verdict.CERTIFIED),
        (Fraction(1, 3) + Fraction(1, 10**100), Verdict.REFUTED),
        (Fraction(1, 3) - Fraction(1, 10**100), Verdict.REFUTED),
    ],
)
def test_an_identity_of_rationals_is_exact(left, verdict):
    found = decide(identity(number(left), number(Fraction(1, 3))), TOY)
    assert found.verdict is verdict
    assert found.evidence.kind is EvidenceKind.RATIONALS


@pytest.mark.parametrize("size", [0, 5, 30, 250])
@pytest.mark.parametrize(
    ("right", "verdict"),
    [
        (Fraction(1, 2), Verdict.CERTIFIED),
        (Fraction(1, 2) + Fraction(1, 10**9), Verdict.REFUTED),
        (Fraction(1, 2) - Fraction(1, 10**9), Verdict.REFUTED),
    ],
)
def test_an_identity_of_balls_is_decided_at_the_precision_that_it_needs(size, right, verdict):
    found = decide(identity(cancelled(size), number(right)), TOY)
    assert found.verdict is verdict
    # Both lie within the slack of one another only where they are known as well as that.
    assert Fraction(found.left.width_upper()) < Fraction(1, 10**9)
    if verdict is Verdict.CERTIFIED:
        assert Fraction(found.left.width_upper()) <= Fraction(1, 2**SLACK_BITS)


def test_an_identity_that_no_precision_decides_is_undecided():
    found = decide(identity(cancelled(400), number(Fraction(1, 2))), TOY)
    assert found.verdict is Verdict.UNDECIDED


def test_the_worst_failure_of_an_identity_is_shown_on_either_side():
    lefts = {"above": Fraction(3, 2), "far below": Fraction(1, 9), "right": Fraction(1)}
    several = identity(lambda _instance, case: lefts[case], number(Fraction(1)), cases=tuple(lefts))
    found = decide(several, TOY)
    assert (found.verdict, found.case) == (Verdict.REFUTED, "far below")
    assert found.cases == {"CERTIFIED": 1, "REFUTED": 2}
    assert found.tightness == pytest.approx(1 / 9)


def test_an_identity_has_no_trivial_bound():
    with pytest.raises(ValueError, match="claim X1 is an identity"):
        identity(number(Fraction(1)), number(Fraction(1)), trivial=number(Fraction(2)))


def test_a_mutant_of_an_identity_is_one():
    mutant = Mutant(name="m", error="e", refuted_on=(), left=number(Fraction(1, 2)))
    sound = identity(number(Fraction(1)), number(Fraction(1)))
    assert decide(sound, TOY).verdict is Verdict.CERTIFIED
    assert decide(sound, TOY, mutant=mutant).verdict is Verdict.REFUTED


# Draws.


def coin(generator, count):
    return (generator.random(count) < 0.25).astype(float)


QUARTER = Simulation(draw=coin, lower=Fraction(0), upper=Fraction(1), most=20_000)


def simulated(right, left=QUARTER, **more) -> Claim:
    right = right if isinstance(right, Simulation | Between) else Fraction(right)
    return claim(number(left), number(right), evidence=EvidenceKind.SIMULATION, **more)


def test_a_simulated_claim_is_supported():
    found = decide(simulated("1/3"), TOY)
    assert found.verdict is Verdict.SUPPORTED
    assert found.evidence.kind is EvidenceKind.SIMULATION
    assert found.evidence.confidence == "1e-6"
    assert found.evidence.samples >= 1_024
    assert found.left.contains(Fraction(1, 4))
    assert found.right.contains(Fraction(1, 3))
    assert found.left.upper <= found.right.lower
    # A lower bound of 3/4: from the lower confidence limit.
    assert 0 < found.tightness < 0.75
    assert found.cases == {"SUPPORTED": 1}
    assert re.fullmatch(
        rf"agrees with {found.evidence.samples} samples in the only case, at error level 1e-6; "
        r"a left side larger than the right by 0\.\d+ of it would likely have been refuted",
        found.reason,
    )


def test_a_simulated_claim_is_refuted():
    found = decide(simulated("1/5"), TOY, level=Fraction(1, 10**9))
    assert found.verdict is Verdict.REFUTED
    assert found.reason == ("fails in 1 of 1 cases at error level 1e-9, by most in: the case")
    assert found.evidence.confidence == "1e-9"
    assert found.left.lower > found.right.upper


def test_a_simulated_claim_that_is_sharp_is_undecided():
    found = decide(simulated("1/4"), TOY)
    assert found.verdict is Verdict.UNDECIDED
    assert found.reason == (
        "not decided in 1 of 1 cases: 20000 samples do not decide it at error level 1e-6"
    )
    assert found.evidence.samples == 20_000


def test_either_side_may_be_simulated():
    found = decide(
        claim(number(Fraction(1, 5)), number(QUARTER), evidence=EvidenceKind.SIMULATION), TOY
    )
    assert found.verdict is Verdict.SUPPORTED
    assert found.right.contains(Fraction(1, 4))
    found = decide(
        claim(number(Fraction(1, 3)), number(QUARTER), evidence=EvidenceKind.SIMULATION), TOY
    )
    assert found.verdict is Verdict.REFUTED


def test_a_smaller_error_level_takes_more_samples():
    few, many = (
        decide(simulated("0.3"), TOY, level=level).evidence.samples
        for level in (Fraction(1, 20), Fraction(1, 10**12))
    )
    assert few < many


@pytest.mark.parametrize(("size", "bits"), [(0, 64), (9, 64), (30, 128), (60, 256)])
def test_the_other_side_is_known_before_the_first_draw(size, bits):
    drawn_at = []

    def draw(generator, count):
        drawn_at.append(working_precision())
        return coin(generator, count)

    noted = dataclasses.replace(QUARTER, draw=draw)
    found = decide(claim(number(noted), cancelled(size), evidence=EvidenceKind.SIMULATION), TOY)
    assert (found.verdict, found.evidence.precision_bits) == (Verdict.SUPPORTED, bits)
    assert set(drawn_at) == {bits}
    assert Fraction(found.right.width_upper()) <= Fraction(1, 10**6)


def test_a_side_that_no_precision_makes_narrow_is_compared_as_it_is():
    found = decide(simulated(Between(ball(Fraction(1, 3)), ball(Fraction(2, 3)))), TOY)
    assert (found.verdict, found.evidence.precision_bits) == (Verdict.SUPPORTED, 128)
    assert found.right.contains(Fraction(1, 3))
    assert found.right.contains(Fraction(2, 3))
    found = decide(simulated(Between(ball(Fraction(1, 5)), ball(Fraction(1, 3)))), TOY)
    assert found.verdict is Verdict.UNDECIDED


def test_a_side_that_cannot_be_enclosed_leaves_a_simulated_claim_undecided():
    found = decide(claim(number(QUARTER), unenclosed, evidence=EvidenceKind.SIMULATION), TOY)
    assert found.verdict is Verdict.UNDECIDED
    assert found.reason == "not decided in 1 of 1 cases: the series did not converge"
    lost = dataclasses.replace(QUARTER, image=unenclosed)
    found = decide(simulated("1/2", left=lost), TOY)
    assert found.reason == "not decided in 1 of 1 cases: the series did not converge"
    assert found.right.contains(Fraction(1, 2))


def test_a_bound_that_holds_anyway_makes_a_simulated_claim_vacuous():
    assert decide(simulated("3/4", trivial=number(Fraction(3, 4))), TOY).verdict is Verdict.VACUOUS
    assert decide(simulated("3/4", trivial=number(Fraction(1))), TOY).verdict is Verdict.SUPPORTED
    # The range of the draws is such a bound.
    found = decide(simulated(1), TOY)
    assert (found.verdict, found.evidence.samples) == (Verdict.VACUOUS, None)


def test_the_time_budget_ends_the_draws():
    endless = dataclasses.replace(QUARTER, most=10**15)
    found = decide(simulated("1/4", left=endless), TOY, deadline=time.monotonic() + 0.3)
    assert found.verdict is Verdict.UNDECIDED
    assert found.reason == f"not decided in 1 of 1 cases: {BUDGET_SPENT}"
    assert found.evidence.samples > 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (claim(number(QUARTER), number(Fraction(1))), "is simulated, but its evidence is balls"),
        (claim(number(QUARTER), number(QUARTER), evidence=EvidenceKind.SIMULATION), "both sides"),
        (
            claim(
                number(QUARTER),
                number(Fraction(1)),
                evidence=EvidenceKind.SIMULATION,
                relation=Relation.EQUAL,
            ),
            "is an identity, which no simulation establishes",
        ),
    ],
)
def test_a_simulation_where_none_may_be_is_a_fault_of_the_claim(wrong, message):
    with pytest.raises(ValueError, match=message):
        decide(wrong, TOY)


def test_the_cases_share_the_error_level(monkeypatch):
    levels = []

    def noted(*arguments, level, **more):
        levels.append(level)
        return compare_by_sampling(*arguments, level=level, **more)

    monkeypatch.setattr(case_module, "compare_by_sampling", noted)
    found = decide(simulated("1/3", cases=("a", "b", "c", "d")), TOY, level=Fraction(1, 100))
    assert levels == [Fraction(1, 400)] * 4
    assert found.reason.startswith(f"agrees with {found.evidence.samples} samples in 4 cases, at")
    assert found.evidence.confidence == "1e-2"
    assert found.evidence.samples >= 4 * 1_024


def test_each_case_instance_and_seed_has_draws_of_its_own():
    sharp = simulated("1/4", cases=("a", "b"))

    def bounds(*arguments, **more):
        return decide(*arguments, **more).left

    mine = bounds(simulated("1/4", cases=("a",)), TOY)
    others = [
        bounds(simulated("1/4", cases=("b",)), TOY),
        bounds(simulated("1/4", cases=("a",)), TOY, seed=1),
        bounds(simulated("1/4", cases=("a",)), Toy(number=Fraction(2))),
        bounds(simulated("1/4", cases=("a",), id="X2"), TOY),
    ]
    assert len({str(each) for each in (mine, *others)}) == 5
    assert bounds(simulated("1/4", cases=("a",)), TOY) == mine
    first, second = (dataclasses.replace(decide(sharp, TOY), seconds=0.0) for _ in range(2))
    assert first == second


def test_claims_decided_together_share_the_error_level():
    claims = (simulated("1/3", id="A"), rational(1, 2, id="B"), simulated("1/3", id="C"))
    found = verify(claims, TOY)
    assert [result.evidence.confidence for result in found] == ["5e-7", None, "5e-7"]
    assert verify(claims[0], TOY)[0].evidence.confidence == "1e-6"


def test_the_reason_says_how_small_a_violation_would_have_been_seen_in_every_case():
    rights = {"1/2": Fraction(1, 2), "1/3": Fraction(1, 3), "4/5": Fraction(4, 5)}

    def size(*cases):
        several = claim(
            number(QUARTER),
            lambda _instance, case: rights[case],
            cases=cases,
            evidence=EvidenceKind.SIMULATION,
        )
        # Each case draws alone as much as among the others.
        level = Fraction(len(cases), 10**7)
        return float(re.search(r"by (\S+) of it", decide(several, TOY, level=level).reason)[1])

    alone = [size(case) for case in rights]
    assert 0 < min(alone) < max(alone) < 2
    assert size(*rights) == max(alone)


def test_the_reason_says_where_no_violation_would_have_been_seen():
    hopeless = dataclasses.replace(QUARTER, draw=lambda _generator, count: np.zeros(count))
    near_one = decide(simulated("999999/1000000", left=hopeless), TOY)
    assert near_one.reason.endswith("too few to have shown any violation")
    below = dataclasses.replace(hopeless, lower=Fraction(-1))
    zero = Fraction(0)
    shifted = dataclasses.replace(below, draw=lambda _generator, count: np.full(count, -1.0))
    found = decide(simulated(zero, left=shifted), TOY)
    assert found.verdict is Verdict.SUPPORTED
    assert found.reason.endswith("a right side that may be 0 has no relative violation")


@pytest.mark.parametrize(("size", "bits"), [(5, 64), (30, 128), (60, 256), (120, 512), (250, 1024)])
@pytest.mark.parametrize(
    ("right", "verdict"), [(1, Verdict.CERTIFIED), (Fraction(1, 3), Verdict.REFUTED)]
)
def test_precision_is_raised_as_far_as_needed(size, bits, right, verdict):
    found = decide(claim(cancelled(size), number(Fraction(right))), TOY)
    assert found.verdict is verdict
    assert found.evidence.kind is EvidenceKind.BALLS
    assert found.evidence.precision_bits == bits
    assert found.left.contains(Fraction(1, 2))
    assert Fraction(found.left.width_upper()) < Fraction(1, 6)


def test_what_no_precision_decides_is_undecided():
    found = decide(claim(cancelled(400), number(Fraction(1))), TOY)
    assert found.verdict is Verdict.UNDECIDED
    assert found.reason == (
        "not decided in 1 of 1 cases: the enclosures still overlap at 1024 bits"
    )
    assert found.left.contains(Fraction(1, 2))
    assert found.evidence.precision_bits == PRECISIONS[-1]


def test_the_precisions_may_be_chosen():
    needs_128 = claim(cancelled(30), number(Fraction(1)))
    assert decide(needs_128, TOY, precisions=(64,)).verdict is Verdict.UNDECIDED
    found = decide(needs_128, TOY, precisions=(64, 200))
    assert (found.verdict, found.evidence.precision_bits) == (Verdict.CERTIFIED, 200)


def test_the_precision_outside_is_left_as_it_was():
    before = working_precision()
    decide(claim(cancelled(30), number(Fraction(1))), TOY)
    decide(claim(unenclosed, number(Fraction(1))), TOY)
    assert working_precision() == before


def test_a_side_may_lie_between_two_numbers():
    third = Between(ball(0), ball(Fraction(1, 3)))
    found = decide(claim(number(third), number(Fraction(1, 2))), TOY)
    assert found.verdict is Verdict.CERTIFIED
    assert found.left.lower == 0
    assert found.left.contains(Fraction(1, 3))


def test_a_number_that_cannot_be_enclosed_leaves_its_case_undecided():
    for sides in ((unenclosed, number(Fraction(1))), (number(Fraction(1)), unenclosed)):
        found = decide(claim(*sides), TOY)
        assert found.verdict is Verdict.UNDECIDED
        assert found.reason == "not decided in 1 of 1 cases: the series did not converge"
        assert found.tightness is None


def test_a_spent_time_budget_leaves_a_case_undecided():
    found = decide(rational(1, 2), TOY, deadline=0.0)
    assert found.verdict is Verdict.UNDECIDED
    assert found.reason == "not decided in 1 of 1 cases: the time budget was spent"


def test_a_claim_is_not_decided_on_an_instance_of_another_kind():
    with pytest.raises(ValueError, match="claim X1 is about toy/1, not other/1"):
        decide(rational(1, 2), Toy(schema="other/1"))


# Assumptions.


def assumption(holds) -> Assumption:
    return Assumption(
        text="q < 1", holds=lambda _instance: holds(), offending=lambda _instance: "q = 1.2"
    )


def test_a_failed_assumption_makes_a_claim_inapplicable():
    found = decide(
        rational(
            1,
            0,
            assumptions=(assumption(lambda: Truth.TRUE), assumption(lambda: Truth.FALSE)),
        ),
        TOY,
    )
    assert found.verdict is Verdict.INAPPLICABLE
    assert found.reason == "needs q < 1, but q = 1.2"
    assert (found.left, found.case, found.tightness, found.evidence) == (None, None, None, None)


def test_an_assumption_that_holds_does_no_harm():
    holding = assumption(lambda: Truth.TRUE)
    found = decide(rational(1, 2, assumptions=(holding, holding)), TOY)
    assert found.verdict is Verdict.CERTIFIED


def test_an_assumption_that_is_not_decided_leaves_the_claim_undecided():
    asked = []

    def holds():
        asked.append(working_precision())
        return Truth.UNKNOWN

    found = decide(rational(1, 2, assumptions=(assumption(holds),)), TOY)
    assert found.verdict is Verdict.UNDECIDED
    assert found.reason == "cannot decide whether q < 1: q = 1.2"
    assert asked == list(PRECISIONS)


def test_an_assumption_is_decided_at_the_precision_that_it_needs():
    def nearly_one():
        return less(ball(Fraction(1, 3)), ball(Fraction(1, 3) + Fraction(1, 10**30)))

    found = decide(rational(1, 2, assumptions=(assumption(nearly_one),)), TOY)
    assert found.verdict is Verdict.CERTIFIED


@pytest.mark.parametrize(
    "part",
    [
        {"assumptions": (assumption(unenclosed),)},
        {"cases": unenclosed},
    ],
    ids=lambda part: next(iter(part)),
)
def test_a_number_that_cannot_be_enclosed_anywhere_leaves_the_claim_undecided(part):
    found = decide(rational(1, 2, **part), TOY)
    assert found.verdict is Verdict.UNDECIDED
    assert "the series did not converge" in found.reason


@pytest.mark.parametrize("symbol", ["", " ", "\u00a0\t"])
def test_a_constant_needs_a_symbol(symbol):
    with pytest.raises(ValueError, match="a constant has no symbol: the gap"):
        Constant(symbol=symbol, meaning="the gap", formula="g", value=lambda _instance: Fraction(1))


def test_a_constant_that_cannot_be_enclosed_is_left_out_and_decides_nothing():
    known = Constant(symbol="one", meaning="", formula="", value=lambda _instance: Fraction(1))
    lost = Constant(symbol="q", meaning="", formula="", value=unenclosed)
    found = decide(rational(1, 2, constants=(lost, known)), TOY)
    assert found.verdict is Verdict.CERTIFIED
    assert set(found.constants) == {"one"}


def test_the_refuted_case_with_nothing_on_the_right_is_shown_first():
    sides = {"a": (Fraction(3), Fraction(2)), "b": (Fraction(1), Fraction(0))}
    both = claim(
        lambda _instance, case: sides[case][0],
        lambda _instance, case: sides[case][1],
        cases=lambda _instance, _rng: list(sides),
    )
    found = decide(both, TOY)
    assert (found.verdict, found.case, found.tightness) == (Verdict.REFUTED, "b", None)


def test_cases_are_set_up_at_the_precision_that_they_need():
    drawn = []

    def cases(_instance, rng):
        drawn.append(rng.random())
        if working_precision() < 256:
            raise NotEnclosed("too coarse")
        return ["a", "b"]

    found = decide(rational(1, 2, cases=cases), TOY)
    assert (found.verdict, found.cases) == (Verdict.CERTIFIED, {"CERTIFIED": 2})
    # What was drawn in vain is drawn again.
    assert len(drawn) == 3
    assert len(set(drawn)) == 1


# Vacuity.


def test_a_vacuous_claim_is_not_evaluated():
    empty = Vacuity(reason="the memory is zero", holds=lambda _instance: True)
    full = Vacuity(reason="there is one state", holds=lambda _instance: False)
    found = decide(claim(unenclosed, unenclosed, vacuities=(full, empty)), TOY)
    assert (found.verdict, found.reason) == (Verdict.VACUOUS, "the memory is zero")
    assert decide(rational(1, 2, vacuities=(full,)), TOY).verdict is Verdict.CERTIFIED


def test_a_claim_without_cases_is_vacuous():
    found = decide(rational(1, 2, cases=()), TOY)
    assert (found.verdict, found.reason) == (Verdict.VACUOUS, "there is no case to check")


def test_a_right_side_no_smaller_than_the_trivial_bound_is_vacuous():
    found = decide(rational(1, 3, trivial=number(Fraction(3))), TOY)
    assert found.verdict is Verdict.VACUOUS
    assert found.reason == (
        "in the only case the right side is no smaller than what holds without the theorem, or "
        "the left side is 0"
    )
    smaller = rational(1, 3, trivial=number(Fraction(3) + Fraction(1, 10**6)))
    assert decide(smaller, TOY).verdict is Verdict.CERTIFIED
    assert decide(rational(4, 3, trivial=number(Fraction(2))), TOY).verdict is Verdict.REFUTED


# Several cases.

CASES = {
    Verdict.REFUTED: (Fraction(2), Fraction(1)),
    Verdict.UNDECIDED: (Between(ball(0), ball(2)), Fraction(1)),
    Verdict.SUPPORTED: (QUARTER, Fraction(2, 3)),
    Verdict.CERTIFIED: (Fraction(1), Fraction(2)),
    Verdict.VACUOUS: (Fraction(1), Fraction(9)),
}


@pytest.mark.parametrize("verdicts", list(product(CASES, repeat=3)), ids="-".join)
def test_the_verdict_is_the_worst_of_all_cases(verdicts):
    several = claim(
        lambda _instance, case: CASES[case][0],
        lambda _instance, case: CASES[case][1],
        cases=verdicts,
        trivial=number(Fraction(5)),
        evidence=EvidenceKind.SIMULATION,
    )
    found = decide(several, TOY)
    worst = next(verdict for verdict in CASES if verdict in verdicts)
    assert found.verdict is worst
    assert found.case == worst
    assert found.cases == {verdict: verdicts.count(verdict) for verdict in set(verdicts)}
    others = [
        f"{verdicts.count(name)} of them {name.lower()}"
        for name in (Verdict.CERTIFIED, Verdict.VACUOUS)
        if name in verdicts and name is not worst
    ]
    aside = f" ({', '.join(others)})" if others else ""
    start, end = {
        Verdict.REFUTED: (f"fails in {verdicts.count(worst)} of 3 cases, by most in: REFUTED", ""),
        Verdict.UNDECIDED: (
            f"not decided in {verdicts.count(worst)} of 3 cases: ",
            "the enclosures still overlap at 1024 bits",
        ),
        Verdict.SUPPORTED: ("agrees with ", "; tightest: SUPPORTED"),
        Verdict.CERTIFIED: (f"holds in 3 cases{aside}", "; tightest: CERTIFIED"),
        Verdict.VACUOUS: (
            "in 3 cases the right side is no smaller than ",
            "or the left side is 0",
        ),
    }[worst]
    assert found.reason.startswith(start)
    assert found.reason.endswith(end)
    assert worst is not Verdict.SUPPORTED or f" samples in 3 cases{aside}, at " in found.reason
    sampled = Verdict.SUPPORTED in verdicts
    assert (found.evidence.kind is EvidenceKind.SIMULATION) is sampled
    assert (found.evidence.samples is None) is not sampled


@given(st.permutations([Fraction(k, 8) for k in range(1, 8)]))
def test_the_tightest_case_is_shown(lefts):
    found = decide(
        claim(lambda _instance, case: case, number(Fraction(1)), cases=tuple(lefts)), TOY
    )
    assert found.case == "7/8"
    assert found.tightness == 7 / 8
    assert found.reason == "holds in 7 cases; tightest: 7/8"


def test_the_evidence_is_that_of_all_cases():
    mixed = claim(
        lambda instance, case: case if isinstance(case, Fraction) else cancelled(case)(instance, 0),
        number(Fraction(1)),
        cases=(Fraction(1, 2), 5, 30),
    )
    found = decide(mixed, TOY)
    assert found.verdict is Verdict.CERTIFIED
    assert (found.evidence.kind, found.evidence.precision_bits) == (EvidenceKind.BALLS, 128)


# Mutants, constants, seeds.


def test_a_mutant_replaces_one_side():
    sound = rational(1, 2)
    larger = Mutant(name="m", error="e", refuted_on=("toy",), left=number(Fraction(3)))
    smaller = Mutant(name="m", error="e", refuted_on=("toy",), right=number(Fraction(1, 2)))
    assert decide(sound, TOY).verdict is Verdict.CERTIFIED
    for mutant, left, right in ((larger, 3, 2), (smaller, 1, Fraction(1, 2))):
        found = decide(sound, TOY, mutant=mutant)
        assert found.verdict is Verdict.REFUTED
        assert found.claim == "X1"
        assert found.left == Enclosure.of_fraction(Fraction(left))
        assert found.right == Enclosure.of_fraction(Fraction(right))


def test_constants_are_enclosed():
    constants = (
        Constant(symbol="q", meaning="", formula="", value=lambda toy: toy.number / 3),
        Constant(symbol="r", meaning="", formula="", value=lambda toy: ball(toy.number).exp()),
    )
    found = decide(rational(1, 2, constants=constants), TOY)
    assert list(found.constants) == ["q", "r"]
    assert found.constants["q"].contains(Fraction(1, 3))
    assert found.constants["r"].contains(Fraction("2.71828182845904523536"))
    assert found.constants["r"].width_upper() < Decimal("1e-17")


def drawn_claim(**more) -> Claim:
    return claim(
        lambda _instance, case: Fraction(case),
        number(Fraction(1)),
        cases=lambda _instance, rng: [rng.random() for _ in range(4)],
        **more,
    )


def test_the_same_seed_draws_the_same_cases():
    def outcome(*arguments, **options):
        return dataclasses.replace(decide(*arguments, **options), seconds=0.0)

    first = outcome(drawn_claim(), TOY)
    assert outcome(drawn_claim(), TOY) == first
    assert outcome(drawn_claim(), TOY, seed=0) == first
    others = [
        outcome(drawn_claim(), TOY, seed=1),
        outcome(drawn_claim(id="X2"), TOY),
        outcome(drawn_claim(), Toy(number=Fraction(2))),
        outcome(drawn_claim(), Toy(name="another")),
    ]
    assert len({first.case, *(other.case for other in others)}) == 5
    # A mutant is tried on the very cases of its claim.
    mutant = Mutant(name="m", error="e", refuted_on=(), right=number(Fraction(2)))
    assert outcome(drawn_claim(), TOY, mutant=mutant).case == first.case


def test_claims_are_decided_together():
    claims = (
        rational(1, 2, id="A"),
        rational(1, 2, id="B", kind="other/1"),
        rational(1, 0, id="C"),
    )
    found = verify(claims, TOY)
    assert [(result.claim, str(result.verdict)) for result in found] == [
        ("A", "CERTIFIED"),
        ("C", "REFUTED"),
    ]
    assert [result.claim for result in verify(claims[0], TOY)] == ["A"]


def test_a_claim_on_a_real_instance_is_decided():
    document = {
        "schema": "instance/1",
        "name": "one state",
        "chain": {"transition": [["1"]], "inputs": [["1"]], "targets": ["0"], "initial": 0},
        "activation": {"kind": "tanh"},
        "law": {
            "C": {"kind": "constant", "value": "1"},
            "W": {"kind": "constant", "value": ["1"]},
            "B": {"kind": "constant", "value": "0.5"},
        },
    }
    real = claim(
        lambda instance, _case: abs(instance.law.b.value[0]), number(Fraction(1)), kind="instance/1"
    )
    (found,) = verify(real, Instance.from_json(document))
    assert (found.verdict, found.tightness) == (Verdict.CERTIFIED, 0.5)


def test_a_left_side_that_is_zero_below_a_positive_right_one_is_vacuous():
    assert decide(rational(0, 1), TOY).verdict is Verdict.VACUOUS
    assert decide(rational(-1, 1), TOY).verdict is Verdict.VACUOUS
    assert "the left side is 0" in decide(rational(0, 1), TOY).reason
    # That something vanishes is a claim; so is an identity, and a number that may not be 0.
    assert decide(rational(0, 0), TOY).verdict is Verdict.CERTIFIED
    same = dataclasses.replace(rational(0, 0), relation=Relation.EQUAL)
    assert decide(same, TOY).verdict is Verdict.CERTIFIED
    assert decide(rational("1/1000000", 1), TOY).verdict is Verdict.CERTIFIED
