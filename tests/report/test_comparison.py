"""What got worse between two reports, and what merely changed."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.report.conftest import hostile_run, toy_claim, toy_result, toy_run, troubled_run
from verification.report.comparison import compare_reports
from verification.report.document import to_document
from verification.report.terminal import render_comparison
from verification.verdict import Enclosure, Evidence, EvidenceKind, Verdict


def document(**changes):
    return to_document(toy_run(**changes))


def with_result(index: int, **changes):
    """Return the toy report with one result changed."""
    run = toy_run()
    results = list(run.results)
    results[index] = replace(results[index], **changes)
    return document(results=tuple(results))


def texts(comparison, *, regressions=True):
    found = comparison.regressions if regressions else comparison.others
    return [f"{change.subject} {change.text}" for change in found]


def enclosure(lower: str, upper: str) -> Enclosure:
    return Enclosure(Decimal(lower), Decimal(upper))


@pytest.mark.parametrize("make", [toy_run, troubled_run, hostile_run])
def test_a_report_is_no_worse_than_itself(make):
    same = to_document(make())
    comparison = compare_reports(same, copy.deepcopy(same))
    assert comparison.changes == ()
    assert comparison.results == len(same["results"])
    assert "no regression" in comparison.headline()


ORDER = [
    {Verdict.CERTIFIED},
    {Verdict.SUPPORTED},
    {Verdict.VACUOUS, Verdict.INAPPLICABLE},
    {Verdict.UNDECIDED},
    {Verdict.REFUTED},
]


@pytest.mark.parametrize("before", Verdict)
@pytest.mark.parametrize("after", Verdict)
def test_verdicts_have_an_order(before, after):
    old, new = with_result(0, verdict=before), with_result(0, verdict=after)
    comparison = compare_reports(old, new)
    ranks = [next(k for k, tier in enumerate(ORDER) if v in tier) for v in (before, after)]
    assert bool(comparison.regressions) is (ranks[1] > ranks[0])
    assert bool(comparison.changes) is (before is not after)
    if before is not after:
        assert f"was {before}, is {after}" in comparison.changes[0].text


@pytest.mark.parametrize("side", ["left", "right"])
def test_disjoint_sides_of_one_case_name_both_runs(side):
    old = with_result(2, **{side: enclosure("0.1", "0.2")})
    new = with_result(2, **{side: enclosure("0.3", "0.4")})
    new["created"] = "2026-01-01T00:00:00+00:00"
    new["environment"]["git revision"] = "0123456789abcdef"
    (line,) = texts(compare_reports(old, new))
    assert line.startswith(f"M1 on clock the {side} side of state 1 is [0.1, 0.2] in 2025-11-20")
    assert "[0.3, 0.4] in 2026-01-01T00:00:00+00:00 (0123456789)" in line
    # A bound that was improved is disjoint from the former one, and neither is wrong.
    assert line.endswith("one of the two runs is wrong, or the number has a new definition")


def test_sides_that_touch_are_not_disjoint():
    old = with_result(2, left=enclosure("0.1", "0.2"))
    assert not compare_reports(old, with_result(2, left=enclosure("0.2", "0.3"))).changes
    barely = with_result(2, left=enclosure("0.2000000000000000000000000000001", "0.3"))
    # Reports round outward to 30 digits: what is apart by less is not seen.
    assert not compare_reports(old, barely).changes
    apart = with_result(2, left=enclosure("0.200000000000000000000000000001", "0.3"))
    assert compare_reports(old, apart).regressions


@pytest.mark.parametrize(
    "changes",
    [
        {"case": "state 2"},
        {"evidence": Evidence(kind=EvidenceKind.SIMULATION, samples=10, confidence="1e-6")},
        {"left": None},
    ],
)
def test_sides_of_other_cases_or_simulated_ones_are_not_compared(changes):
    old = with_result(2, left=enclosure("0.1", "0.2"))
    new = with_result(2, **{"left": enclosure("0.3", "0.4"), **changes})
    assert not compare_reports(old, new).regressions


def test_cases_drawn_from_another_seed_are_not_compared():
    old = with_result(2, left=enclosure("0.1", "0.2"))
    new = with_result(2, left=enclosure("0.3", "0.4"))
    assert compare_reports(old, new).regressions
    new["environment"] = {**new["environment"], "seed": 8}
    assert not compare_reports(old, new).regressions


def test_disjoint_constants_are_a_regression_whatever_the_seed():
    new = with_result(2, constants={"q": enclosure("0.7", "0.8"), "p": enclosure("1", "1")})
    new["environment"] = {**new["environment"], "seed": 8}
    (line,) = texts(compare_reports(document(), new))
    assert "constant q is [0.625, 0.625]" in line


def test_another_instance_of_the_same_name_is_said_and_not_compared():
    old = document()
    new = with_result(0, verdict=Verdict.REFUTED)
    new["instances"][0]["digest"] = "0" * 64
    comparison = compare_reports(old, new)
    assert not comparison.regressions
    assert "M1 on coin the instance is another one of that name" in texts(
        comparison, regressions=False
    )
    # A report from before digests says nothing about it.
    new["instances"][0]["digest"] = None
    assert compare_reports(old, new).regressions


def test_what_vanished_is_a_regression_unless_it_was_not_asked_for():
    run = toy_run()
    only = document(claims=run.claims[:1], results=run.results[:3], mutants=run.mutants[:1])
    assert texts(compare_reports(document(), only)) == ["E1 is no longer claimed"]
    assert not compare_reports(document(), only, claims={"M1"}).regressions
    fewer = document(results=run.results[:5])
    assert texts(compare_reports(document(), fewer)) == [
        "E1 on clock was CERTIFIED, and has no result"
    ]
    assert not compare_reports(document(), fewer, instances={"coin", "die"}).regressions


def test_new_claims_are_a_change_only():
    run = toy_run()
    new = document(
        claims=(*run.claims, toy_claim("T1")),
        results=(*run.results, toy_result("T1", "coin")),
    )
    comparison = compare_reports(document(), new)
    assert texts(comparison, regressions=False) == ["T1 is new"]
    assert not comparison.regressions


def test_a_mutant_that_survives_or_is_gone_is_a_regression():
    run = toy_run()
    survivor = replace(run.mutants[0], result=toy_result("M1", "coin", Verdict.CERTIFIED))
    new = document(mutants=(survivor, run.mutants[1]))
    assert texts(compare_reports(document(), new)) == [
        "M1 mutant half was refuted, and is refuted nowhere"
    ]
    gone = document(mutants=run.mutants[1:])
    assert texts(compare_reports(document(), gone)) == [
        "M1 mutant half was refuted, and is no longer tried"
    ]
    assert not compare_reports(document(), gone, claims={"E1"}).regressions
    assert not compare_reports(document(), gone, instances={"coin", "die", "clock"}).regressions


def test_a_claim_is_slow_by_its_share_of_the_common_time():
    run = toy_run()

    def timed(*seconds: float):
        """M1 on three instances, then E1 on three."""
        return document(
            results=tuple(
                replace(result, seconds=time)
                for result, time in zip(run.results, seconds, strict=True)
            )
        )

    old = timed(1, 1, 1, 30, 30, 30)
    # Another machine, ten times slower: nothing changed.
    assert not compare_reports(old, timed(10, 10, 10, 300, 300, 300)).regressions
    (line,) = texts(compare_reports(old, timed(4, 4, 4, 30, 30, 30)))
    assert line == "M1 takes 11.8% of the time, and took 3.2%"
    assert not compare_reports(old, timed(3, 3, 3, 30, 30, 30)).regressions
    # Below a hundredth nothing is slow.
    tiny = timed(0.001, 0.001, 0.001, 30, 30, 30)
    assert not compare_reports(tiny, timed(0.1, 0.1, 0.1, 30, 30, 30)).regressions
    assert not compare_reports(timed(0, 0, 0, 0, 0, 0), old).regressions


def test_a_looser_case_is_said():
    new = with_result(0, tightness=0.5)
    assert texts(compare_reports(document(), new), regressions=False) == [
        "M1 on coin tightness was 0.79, is 0.5"
    ]


def test_regressions_come_first_and_the_text_fits_a_terminal():
    run = toy_run()
    results = [replace(result, tightness=0.1) for result in run.results]
    results[-1] = replace(results[-1], verdict=Verdict.UNDECIDED, reason="no " * 100)
    comparison = compare_reports(document(), document(results=tuple(results)))
    assert [change.regression for change in comparison.changes] == [True] + [False] * 6
    text = render_comparison(comparison)
    assert max(map(len, text.splitlines())) <= 80
    assert text.splitlines()[0] == "regressions:"
    assert "E1 on clock was CERTIFIED, is UNDECIDED" in text
    assert text.rstrip().endswith("1 regression.")
    written = comparison.to_json()
    assert written["regressions"] == 1
    assert json.loads(json.dumps(written)) == written


def test_long_lists_are_cut_and_counted():
    run = toy_run()
    names = [f"X{k}" for k in range(50)]
    many = document(
        claims=tuple(toy_claim(name) for name in names),
        results=tuple(toy_result(name, "coin") for name in names),
        mutants=(),
    )
    text = render_comparison(compare_reports(many, document(claims=run.claims)))
    assert "... and 30 more" in text


def test_numbers_that_a_search_finds_are_not_compared():
    moved = enclosure("7", "8")
    old, new = document(), with_result(0, right=moved, constants={"q": moved})
    found = texts(compare_reports(old, new))
    assert len(found) == 2
    assert all("disjoint" in text for text in found)
    new["claims"][0]["searched"] = ["right"]
    (left,) = texts(compare_reports(old, new))
    assert "constant q" in left
    new["claims"][0]["searched"] = ["right", "q"]
    assert not compare_reports(old, new).regressions
