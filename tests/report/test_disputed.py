"""A disputed claim in every format: refuted as expected, or standing where it must not."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from verification.report.document import read_report
from verification.report.files import write_report
from verification.report.html import outcome, render_html
from verification.report.junit import render_junit
from verification.report.markdown import render_markdown
from verification.report.summary import headline, problems, summarize
from verification.verdict import Verdict


@pytest.mark.parametrize("verdict", [Verdict.REFUTED, Verdict.CERTIFIED, Verdict.UNDECIDED])
def test_every_format_says_whether_it_is_as_expected(disputed, verdict):
    document = disputed(verdict)
    fault = verdict is not Verdict.REFUTED
    assert [bool(summary.faults) for summary in summarize(document)] == [False, fault]
    failures = ET.fromstring(render_junit(document)).findall(".//failure")
    assert bool(failures) is fault
    assert (outcome(document) == "Disputed, but not refuted: E1") is fault
    assert ("E1 on coin" in [problem.subject for problem in problems(document)]) is fault
    text = headline(document)
    if not fault:
        assert outcome(document) == "Nothing is refuted but what is disputed"
    if fault:
        assert "1 disputed and NOT REFUTED (E1)" in text
    else:
        assert "nothing refuted but what is disputed (E1)" in text
        # Nothing is set in bold that is as it should be, but for the headline and the claims.
        assert "**1**" not in render_markdown(document)


def test_the_page_shows_the_correction_beside_it(disputed):
    page = render_html(disputed(Verdict.REFUTED))
    assert "A published statement that is refuted here" in page
    assert "Its authors may be right elsewhere." in page


def test_it_survives_writing_and_reading(disputed, tmp_path):
    document = disputed(Verdict.REFUTED)
    write_report(document, tmp_path)
    assert read_report(tmp_path / "report.json") == document


def test_reports_of_earlier_versions_have_no_disputes(disputed, tmp_path):
    document = disputed(Verdict.CERTIFIED)
    for claim in document["claims"]:
        del claim["disputed"]
    (tmp_path / "report.json").write_text(json.dumps(document), encoding="utf-8")
    assert all(x.disputed is None for x in summarize(read_report(tmp_path / "report.json")))
