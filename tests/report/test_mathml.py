"""Formulas become MathML, and nothing else reaches the page through them."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.report.mathml import looks_like_latex, to_mathml


def _tags(mathml):
    return [element.tag for element in ET.fromstring(mathml).iter()]


def _text(mathml):
    tree = ET.fromstring(mathml)
    return "".join(element.text or "" for element in tree.iter() if element.tag != "annotation")


def test_a_formula_is_typeset():
    mathml = to_mathml(r"\frac{a}{b} \le \sqrt{2}", block=True)
    assert ET.fromstring(mathml).attrib == {"display": "block"}
    assert {"mfrac", "msqrt"} <= set(_tags(mathml))
    assert _text(mathml) == "ab≤2"


def test_the_source_travels_along():
    annotation = ET.fromstring(to_mathml(r"a < b")).find(".//annotation")
    assert annotation.text == "a < b"
    assert annotation.get("encoding") == "application/x-tex"


def test_limits_stand_below_their_operator_in_display_only():
    assert "munder" in _tags(to_mathml(r"\sup_{t} x", block=True))
    assert "msub" in _tags(to_mathml(r"\sup_{t} x"))


def test_bars_are_spaced_as_delimiters():
    tree = ET.fromstring(to_mathml("|x|"))
    bars = [element for element in tree.iter("mo") if element.text == "|"]
    assert [bar.get("lspace") for bar in bars] == ["0", "0"]


def test_a_prime_stands_beside_its_letter():
    assert "msup" not in _tags(to_mathml(r"\sigma'(u)"))
    tree = ET.fromstring(to_mathml("v'_k"))
    (index,) = tree.iter("msub")
    assert ["".join(part.itertext()) for part in index] == ["v′", "k"]


@pytest.mark.parametrize(
    "latex",
    [
        r"\text{<script>alert(1)</script>}",
        r"a < b > c & d",
        r"\href{javascript:alert(1)}{x}",
        r"\color{red;background:url(http://evil.example)}{x}",
        r"\text{&lt;script&gt;}",
        r"\class{x}{y} \style{color:red}{z} \unicode{x3c}",
    ],
)
def test_markup_in_a_formula_stays_text(latex):
    mathml = to_mathml(latex)
    if mathml is None:
        return
    tree = ET.fromstring(mathml)
    names = {element.tag for element in tree.iter()}
    assert not names & {"script", "a", "img", "style", "mglyph", "maction"}
    for element in tree.iter():
        assert not set(element.attrib) & {"href", "src", "style", "class", "id", "onclick"}


@pytest.mark.parametrize(
    "latex",
    ["", "  ", r"\frac{", r"\left(", "{", r"\def\a{\b\b}\a", r"\newcommand{\a}{b}\a", "x" * 5_000],
)
def test_what_cannot_be_typeset_is_none(latex):
    assert to_mathml(latex) is None


PIECES = r"""
    \frac { } ^ _ \left( \right) \left \right x 12 \sum \text{ \begin{matrix} \end{matrix} & \\
    \sqrt [ ] \ \operatorname \limits \genfrac \color \href $ % \hspace \overset ' < > &lt;
    \class \substack \tag \rule \not \big \skew \above \mathbb \displaystyle
"""


@given(st.lists(st.sampled_from(PIECES.split()), max_size=10).map(" ".join) | st.text(max_size=30))
def test_any_text_gives_well_formed_mathml_or_none(latex):
    mathml = to_mathml(latex)
    assert mathml is None or ET.fromstring(mathml).tag == "math"


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        (r"s_1 \mathbb{E}|B|", True),
        ("q_H1", False),
        ("q < 1", False),
        ("sup_u over the line", False),
        ("B is zero", False),
    ],
)
def test_words_are_not_taken_for_formulas(text, latex):
    assert looks_like_latex(text) is latex
