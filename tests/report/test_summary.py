"""What is told first: the sentence, the problems in order, the fate of each mutant."""

from dataclasses import replace

import pytest

from verification.report.document import MutantResult, to_document
from verification.report.summary import (
    GLYPHS,
    MEANINGS,
    MutantStatus,
    headline,
    problems,
    summarize,
)
from verification.verdict import Verdict


def test_every_verdict_has_its_own_glyph_and_a_meaning():
    assert set(GLYPHS) == set(MEANINGS) == set(Verdict)
    assert len(set(GLYPHS.values())) == len(Verdict)


def test_headline_of_a_good_run(document):
    assert headline(document) == (
        "2 claims on 3 instances: 6 of 6 results certified, nothing refuted; "
        "every mutant refuted (2 of 2)."
    )
    assert problems(document) == ()


def test_headline_of_a_bad_run(troubled_document):
    assert headline(troubled_document) == (
        "2 claims on 4 instances: 1 of 6 results certified, 1 supported by simulation, "
        "1 REFUTED (M1), 1 undecided; 0 of 2 mutants refuted, 1 NOT REFUTED, 1 not tried. "
        "The run ended early; 2 results missing."
    )


def test_headline_where_nothing_was_done(make_run):
    idle = make_run(results=(), mutants=(), claims=(), instances=())
    assert headline(to_document(idle)) == (
        "0 claims on 0 instances: nothing was decided; there are no mutants."
    )
    untried = to_document(make_run(mutants=()))
    assert headline(untried).endswith("nothing refuted; the 2 mutants were not tried.")


def test_headline_names_a_few_claims_only(make_run, make_claim, make_result):
    claims = tuple(make_claim(f"C{number}") for number in range(8))
    results = tuple(make_result(claim.id, "coin", Verdict.REFUTED) for claim in claims)
    sentence = headline(to_document(make_run(claims=claims, results=results, mutants=())))
    assert "8 REFUTED (C0, C1, C2, C3, C4 and 3 more)" in sentence


def test_problems_come_gravest_first(troubled_document):
    troubled_document["environment"]["self_test"] = [
        {"name": "balls", "passed": False, "fatal": True, "detail": "2 x 2 = 5"},
        {"name": "series", "passed": False, "fatal": False, "detail": "known"},
    ]
    found = problems(troubled_document)
    assert [problem.subject for problem in found] == [
        "self-test “balls”",
        "M1 on clock",
        "mutant half of M1",
        "the run",
        "E1 on coin",
    ]
    assert found[1].claim == "M1"
    assert found[1].instance == "clock"


def test_tightest_is_the_largest_ratio_of_a_result_that_tests_the_claim(make_run, make_result):
    results = (
        make_result("M1", "coin", Verdict.VACUOUS, tightness=1.0),
        make_result("M1", "die", tightness=0.4),
        make_result("M1", "clock", tightness=0.6),
    )
    tightest = summarize(to_document(make_run(results=results)))[0].tightest
    assert tightest["instance"] == "clock"


def test_a_claim_without_a_ratio_has_no_tightest(make_run, make_result):
    run = make_run(results=(make_result("M1", "coin", tightness=None),))
    assert summarize(to_document(run))[0].tightest is None


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ({}, MutantStatus.NOT_TRIED),
        ({"coin": Verdict.CERTIFIED}, MutantStatus.UNFINISHED),
        ({"coin": Verdict.CERTIFIED, "die": Verdict.UNDECIDED}, MutantStatus.SURVIVED),
        ({"coin": Verdict.CERTIFIED, "die": Verdict.REFUTED}, MutantStatus.REFUTED),
        ({"coin": Verdict.REFUTED}, MutantStatus.REFUTED),
    ],
)
def test_a_mutant_survives_only_where_it_was_tried_in_full(
    make_run, make_claim, make_result, outcomes, status
):
    (mutant,) = make_claim("M1").mutants
    claim = make_claim("M1", mutants=(replace(mutant, refuted_on=("coin", "die")),))
    tried = tuple(
        MutantResult(
            claim="M1", mutant="half", error="half", result=make_result("M1", name, verdict)
        )
        for name, verdict in outcomes.items()
    )
    document = to_document(make_run(claims=(claim,), results=(), mutants=tried))
    assert summarize(document)[0].mutants[0].status is status


def test_only_instances_of_the_claims_kind_are_missing(make_run, make_toy):
    other = make_toy(name="of another kind", schema="other/1")
    run = make_run(instances=(*make_run().instances, other, make_toy(name="late")))
    assert summarize(to_document(run))[0].missing == ("late",)


def test_who_uses_a_claim(document):
    first, second = summarize(document)
    assert first.used_by == ("E1",)
    assert second.used_by == ()


@pytest.mark.parametrize("checks", [None, "passed", [1, "x"], {"name": "x"}])
def test_a_strange_self_test_is_not_shown(document, checks):
    document["environment"]["self_test"] = checks
    assert problems(document) == ()
