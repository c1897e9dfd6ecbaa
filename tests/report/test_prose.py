"""Indices and exponents are set as such, and nothing else becomes markup."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.report.prose import prose
from verification.report.text import clean


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("|v_k − v′_k| ≤ q^k", "|v<sub>k</sub> − v′<sub>k</sub>| ≤ q<sup>k</sup>"),
        ("Φ(x_{ξ_k}, V_{k+1})", "Φ(x<sub>ξ<sub>k</sub></sub>, V<sub>k+1</sub>)"),
        ("S_n^2, |h|^2, 2^-40", "S<sub>n</sub><sup>2</sup>, |h|<sup>2</sup>, 2<sup>-40</sup>"),
        ("at most q_H1", "at most q<sub>H1</sub>"),
        ("E max_{k ≤ N} |G_k|", "E max<sub>k ≤ N</sub> |G<sub>k</sub>|"),
        ("climax_{k} max_steps", "climax_{k} max_steps"),
        ("snake_case, not_enclosed, x_long", "snake_case, not_enclosed, x_long"),
        ("^x _y", "^x _y"),
        ("a_{<b>}", "a<sub>&lt;b&gt;</sub>"),
        ("{{ 7*7 }} & <i>", "{{ 7*7 }} &amp; &lt;i&gt;"),
    ],
)
def test_examples(text, markup):
    assert str(prose(text)) == markup


@given(st.text(st.sampled_from("ab_^{}<>&1-( )|′")) | st.text())
def test_only_two_elements_are_made_and_no_letter_is_lost(text):
    markup = str(prose(text))
    plain = re.sub("</?su[bp]>", "", markup)
    assert "<" not in plain
    for reference, sign in (("&lt;", "<"), ("&gt;", ">"), ("&#39;", "'"), ("&#34;", '"')):
        plain = plain.replace(reference, sign)
    plain = plain.replace("&amp;", "&")
    marks = str.maketrans("", "", "_^{}")
    assert plain.translate(marks) == clean(text).translate(marks)
    for tag in ("sub", "sup"):
        assert markup.count(f"<{tag}>") == markup.count(f"</{tag}>")


def test_a_long_chain_of_scripts_costs_little():
    assert len(prose("a_" + "{a_" * 5_000 + "}" * 5_000)) < 100_000
    assert len(prose("a^" * 20_000)) < 1_000_000
