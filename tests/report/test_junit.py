"""junit.xml has the structure that CI systems read."""

import re
from xml.etree import ElementTree as ET

import pytest

from verification.report.document import to_document
from verification.report.junit import render_junit
from verification.verdict import Evidence, EvidenceKind, Relation, Verdict

SUITE = {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "id"}


@pytest.fixture
def tree(any_document):
    return ET.fromstring(render_junit(any_document))


@pytest.fixture
def troubled_tree(troubled_document):
    return ET.fromstring(render_junit(troubled_document))


def _outcomes(tree):
    return {
        (suite.get("name").split()[0], case.get("name")): [child.tag for child in case]
        for suite in tree
        for case in suite.iter("testcase")
    }


def test_the_usual_structure(tree):
    assert tree.tag == "testsuites"
    for suite in tree:
        assert suite.tag == "testsuite"
        assert set(suite.attrib) == SUITE
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp"))
        for child in suite:
            assert child.tag in ("testcase", "system-out")
        for case in suite.iter("testcase"):
            assert set(case.attrib) == {"classname", "name", "time"}
            assert all(case.attrib.values())
            assert [child.tag for child in case] in ([], ["failure"], ["error"], ["skipped"])
            for child in case:
                assert child.get("message")
                assert child.tag == "skipped" or child.get("type")


def test_the_counts_are_right(tree):
    for element in (tree, *tree):
        cases = list(element.iter("testcase"))
        assert int(element.get("tests")) == len(cases)
        for key, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(element.get(key)) == sum(case.find(tag) is not None for case in cases)
        total = sum(float(case.get("time")) for case in cases)
        assert float(element.get("time")) == pytest.approx(total, abs=1e-6 * (len(cases) + 1))


def test_suites_are_claims_and_cases_are_instances(any_document, tree):
    named = [suite.get("name") for suite in tree]
    expected = [claim for claim in any_document["claims"] if any_document["instances"]]
    assert len(named) - len({"mutants", "self-test"} & set(named)) == len(expected)


def test_outcomes(troubled_tree):
    assert _outcomes(troubled_tree) == {
        ("self-test", "balls"): [],
        ("self-test", "series"): ["skipped"],
        ("M1", "coin"): [],
        ("M1", "die"): [],
        ("M1", "clock"): ["failure"],
        ("M1", "never reached"): ["error"],
        ("E1", "coin"): ["skipped"],
        ("E1", "die"): ["skipped"],
        ("E1", "clock"): ["skipped"],
        ("E1", "never reached"): ["error"],
        ("mutants", "half"): ["skipped"],
    }
    suite = troubled_tree.find("testsuite[@name='mutants']")
    assert suite.get("failures") == "1"
    assert suite.find("testcase/failure").get("message") == "refuted nowhere: q replaced by q/2"


def test_a_skipped_case_tells_its_verdict_and_reason(troubled_tree):
    messages = [skipped.get("message") for skipped in troubled_tree.iter("skipped")]
    assert any(message.startswith("UNDECIDED: holds in") for message in messages)
    assert any(message.startswith("INAPPLICABLE: ") for message in messages)


def test_a_failure_shows_both_sides(troubled_tree):
    text = troubled_tree.find(".//testcase[@name='clock']/failure").text
    assert "left: 0.5 ± 10⁻¹⁰  [0.4999999999, 0.5000000001]" in text
    assert "right: 0.625" in text
    assert "claimed: left ≤ right" in text
    assert "samples" not in text


def test_a_failed_identity_and_a_failure_by_simulation_say_so(make_run, make_claim, make_result):
    evidence = Evidence(kind=EvidenceKind.SIMULATION, samples=4_096, confidence="2.5e-8")
    refuted = make_result("M1", "coin", Verdict.REFUTED, evidence=evidence)
    claim = make_claim("M1", relation=Relation.EQUAL)
    document = to_document(make_run(claims=(claim,), results=(refuted,), mutants=()))
    text = ET.fromstring(render_junit(document)).find(".//failure").text
    assert "claimed: left = right" in text
    assert "4096 samples, error level 2.5e-8" in text


def test_a_fatal_self_test_is_a_failure(document):
    document["environment"]["self_test"][1]["fatal"] = True
    suite = ET.fromstring(render_junit(document))[0]
    assert suite.get("failures") == "1"


def test_the_same_document_gives_the_same_bytes(any_document):
    assert render_junit(any_document) == render_junit(any_document)
