"""summary.md: problems first, one row a claim, and no markup from names."""

import re

import pytest

from verification.report.document import to_document
from verification.report.markdown import MAX_PROBLEMS, render_markdown
from verification.verdict import Verdict


def test_one_row_a_claim(document):
    text = render_markdown(document)
    assert (
        "| **M1** The memory map contracts | 3 | 0 | 0 | 0 | 0 | 0 | 0.79000 on coin | 1/1 |"
        in text
    )
    assert text.count("\n| **") == 2
    assert "seed 7" in text
    assert text.endswith("\n")


def test_problems_come_before_the_table(troubled_document):
    text = render_markdown(troubled_document)
    assert text.index("M1 on clock") < text.index("| Claim |")
    assert "| **0/1** |" in text, "an unrefuted mutant stands out"


def test_a_table_has_as_many_cells_in_every_row(any_document):
    rows = [line for line in render_markdown(any_document).splitlines() if line.startswith("|")]
    counts = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
    assert len(counts) <= 1


def test_names_bring_no_markup(hostile_document):
    text = render_markdown(hostile_document)
    assert not re.search("<(?!!)", text)
    assert "@" not in text
    assert not re.search(r"(?<!\\)[\[\]`]", text)


@pytest.mark.parametrize("count", [MAX_PROBLEMS, MAX_PROBLEMS + 3])
def test_a_long_list_of_problems_is_cut(make_run, make_toy, make_result, count):
    toys = tuple(make_toy(name=f"toy-{number}") for number in range(count))
    results = tuple(make_result("M1", toy.name, Verdict.REFUTED) for toy in toys)
    text = render_markdown(to_document(make_run(instances=toys, results=results)))
    assert text.count("\n- ✗") == MAX_PROBLEMS
    assert ("and 3 more" in text) is (count > MAX_PROBLEMS)


def test_the_same_document_gives_the_same_text(any_document):
    assert render_markdown(any_document) == render_markdown(any_document)
