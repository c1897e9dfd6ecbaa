"""Hostile text is made harmless, and names of things stay apart."""

import re
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from verification.report.text import Anchors, brief, clean, plural, several, slug

ANY_TEXT = st.text(st.characters(codec=None, categories=None))


@given(ANY_TEXT)
def test_clean_text_can_be_written_as_xml_and_utf_8(text):
    element = ET.Element("x", name=clean(text))
    element.text = clean(text)
    ET.fromstring(ET.tostring(element, encoding="utf-8"))


@given(ANY_TEXT)
def test_cleaning_twice_changes_nothing(text):
    assert clean(clean(text)) == clean(text)


def test_what_reorders_a_line_is_replaced_and_what_is_read_right_to_left_is_not():
    assert clean("\u202egpj.exe") == "\ufffdgpj.exe"
    assert clean("שלום") == "שלום"
    assert clean("a\r\nb\tc") == "a\nb\tc"


@given(ANY_TEXT, st.integers(1, 50))
def test_brief_text_is_one_line_of_limited_length(text, most):
    line = brief(text, most)
    assert 0 < len(line) <= max(most, len("(blank)"))
    assert "\n" not in line


@given(ANY_TEXT)
def test_a_slug_is_safe_in_a_path_and_in_an_address(text):
    assert re.fullmatch("([a-z0-9]([a-z0-9-]*[a-z0-9])?)?", slug(text))
    assert len(slug(text)) <= 48


@given(st.lists(st.lists(ANY_TEXT, min_size=1, max_size=3).map(tuple), unique=True))
def test_anchors_are_distinct_and_stable(names):
    first, second = Anchors(), Anchors()
    made = [first("part", *parts) for parts in names]
    assert len(set(made)) == len(names)
    assert [first("part", *parts) for parts in names] == made
    assert [second("part", *parts) for parts in names] == made
    assert all(re.fullmatch("[a-z0-9-]+", anchor) for anchor in made)


def test_an_anchor_is_readable_where_the_name_is():
    anchors = Anchors()
    assert anchors("claim", "M1") == "claim-m1"
    assert anchors("result", "M1", "markov-onegin") == "result-m1-markov-onegin"
    assert anchors("claim", "m1").startswith("claim-m1-")


def test_an_anchor_does_not_depend_on_what_came_before_where_the_name_is_lossy():
    anchors = Anchors()
    anchors("instance", "other")
    assert anchors("instance", "a b!") == Anchors()("instance", "a b!")


def test_plural_and_several():
    assert plural(1, "claim") == "1 claim"
    assert plural(0, "claim") == "0 claims"
    assert several(["a", "b", "a"]) == "a, b"
    assert several(list("abcdefg")) == "a, b, c, d, e and 2 more"
