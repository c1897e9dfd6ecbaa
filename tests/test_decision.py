"""Deciding toy claims: every verdict but SUPPORTED, precision, seeds, mutants, collation."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification import Instance, verify
from verification.claim import Assumption, Claim, Constant, Mutant, Vacuity
from verification.decision import decide
from verification.enclosure.balls import (
    PRECISIONS,
    Between,
    ball,
    less,
    working_precision,
)
from verification.errors import NotEnclosed
from verification.verdict import SLACK_BITS, Enclosure, EvidenceKind, Truth, Verdict


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


def test_an_equality_is_certified_up_to_the_slack_and_not_beyond():
    slack = Fraction(1, 2**SLACK_BITS)
    assert decide(rational(1, 1), TOY).verdict is Verdict.CERTIFIED
    assert decide(rational(1 + slack, 1), TOY).verdict is Verdict.CERTIFIED
    assert decide(rational(1 + slack * (1 + slack), 1), TOY).verdict is Verdict.REFUTED
    third = claim(lambda *_: 3 * ball(Fraction(1, 3)), lambda *_: 6 * ball(Fraction(1, 6)))
    assert decide(third, TOY).verdict is Verdict.CERTIFIED


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
    found = decide(rational(0, 1), TOY, deadline=0.0)
    assert found.verdict is Verdict.UNDECIDED
    assert found.reason == "not decided in 1 of 1 cases: the time budget was spent"


def test_a_claim_is_not_decided_on_an_instance_of_another_kind():
    with pytest.raises(ValueError, match="claim X1 is about toy/1, not other/1"):
        decide(rational(0, 1), Toy(schema="other/1"))


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
    found = decide(rational(0, 1, assumptions=(holding, holding)), TOY)
    assert found.verdict is Verdict.CERTIFIED


def test_an_assumption_that_is_not_decided_leaves_the_claim_undecided():
    asked = []

    def holds():
        asked.append(working_precision())
        return Truth.UNKNOWN

    found = decide(rational(0, 1, assumptions=(assumption(holds),)), TOY)
    assert found.verdict is Verdict.UNDECIDED
    assert found.reason == "cannot decide whether q < 1: q = 1.2"
    assert asked == list(PRECISIONS)


def test_an_assumption_is_decided_at_the_precision_that_it_needs():
    def nearly_one():
        return less(ball(Fraction(1, 3)), ball(Fraction(1, 3) + Fraction(1, 10**30)))

    found = decide(rational(0, 1, assumptions=(assumption(nearly_one),)), TOY)
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
    found = decide(rational(0, 1, **part), TOY)
    assert found.verdict is Verdict.UNDECIDED
    assert "the series did not converge" in found.reason


def test_a_constant_that_cannot_be_enclosed_is_left_out_and_decides_nothing():
    known = Constant(symbol="one", meaning="", formula="", value=lambda _instance: Fraction(1))
    lost = Constant(symbol="q", meaning="", formula="", value=unenclosed)
    found = decide(rational(0, 1, constants=(lost, known)), TOY)
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

    found = decide(rational(0, 1, cases=cases), TOY)
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
    assert decide(rational(0, 1, vacuities=(full,)), TOY).verdict is Verdict.CERTIFIED


def test_a_claim_without_cases_is_vacuous():
    found = decide(rational(0, 1, cases=()), TOY)
    assert (found.verdict, found.reason) == (Verdict.VACUOUS, "there is no case to check")


def test_a_right_side_no_smaller_than_the_trivial_bound_is_vacuous():
    found = decide(rational(1, 3, trivial=number(Fraction(3))), TOY)
    assert found.verdict is Verdict.VACUOUS
    assert found.reason == (
        "in the only case the right side is no smaller than what holds without the theorem"
    )
    smaller = rational(1, 3, trivial=number(Fraction(3) + Fraction(1, 10**6)))
    assert decide(smaller, TOY).verdict is Verdict.CERTIFIED
    assert decide(rational(4, 3, trivial=number(Fraction(2))), TOY).verdict is Verdict.REFUTED


# Several cases.

CASES = {
    Verdict.REFUTED: (Fraction(2), Fraction(1)),
    Verdict.UNDECIDED: (Between(ball(0), ball(2)), Fraction(1)),
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
    )
    found = decide(several, TOY)
    worst = next(verdict for verdict in CASES if verdict in verdicts)
    assert found.verdict is worst
    assert found.case == worst
    assert found.cases == {verdict: verdicts.count(verdict) for verdict in set(verdicts)}
    n_vacuous = verdicts.count(Verdict.VACUOUS)
    aside = f" ({n_vacuous} of them vacuous)" if n_vacuous else ""
    assert (
        found.reason
        == {
            Verdict.REFUTED: f"fails in {verdicts.count(worst)} of 3 cases, by most in: REFUTED",
            Verdict.UNDECIDED: f"not decided in {verdicts.count(worst)} of 3 cases: "
            "the enclosures still overlap at 1024 bits",
            Verdict.CERTIFIED: f"holds in 3 cases{aside}; tightest: CERTIFIED",
            Verdict.VACUOUS: "in 3 cases the right side is no smaller than what holds without the "
            "theorem",
        }[worst]
    )


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
    found = decide(rational(0, 1, constants=constants), TOY)
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
        rational(0, 1, id="A"),
        rational(0, 1, id="B", kind="other/1"),
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
