"""The lines for a terminal fit it, whatever the names."""

from pathlib import Path

import pytest

from verification.report.terminal import render_terminal
from verification.report.text import clean


def test_lines_fit_and_hold_no_control_character(any_document):
    *lines, last = render_terminal(any_document, Path("out")).splitlines()
    assert last == f"report: {Path('out') / 'index.html'}"
    assert max(map(len, lines)) < 80
    assert clean("\n".join(lines)) == "\n".join(lines)


@pytest.mark.parametrize("words", ["M1 on clock", "mutant half of M1", "ended early"])
def test_trouble_is_told(troubled_document, words):
    assert words in render_terminal(troubled_document, Path("out"))


def test_a_good_run_has_a_line_for_each_claim(document):
    first, m1, e1, *_ = render_terminal(document, Path("out")).splitlines()
    assert first.split() == ["claim", "verdicts", "tightest", "mutants"]
    assert m1.split() == ["M1", "3", "certified", "0.79000", "coin", "1/1"]
    assert e1.startswith("E1 ")
