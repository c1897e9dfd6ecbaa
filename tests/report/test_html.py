"""The page: well formed, self-contained, safe, and usable without colour, mouse or script."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from verification.claim import Dispute
from verification.report.document import to_document
from verification.report.html import MAX_PROBLEMS, render_html
from verification.report.summary import GLYPHS
from verification.verdict import Evidence, EvidenceKind, Relation, Verdict

VOID = {"meta", "br", "hr", "img", "link", "input", "col", "wbr"}
ALLOWED = """
    html head meta title style body a header p h1 h2 h3 time nav ul li main section span strong
    div table caption thead tbody tr th td dl dt dd bdi figure figcaption svg path rect text g desc
    article details summary code math semantics annotation mrow mi mn mo mtext mspace mfrac msub
    msup msubsup munder mover munderover msqrt mstyle mpadded sub sup b i
"""


class Page(HTMLParser):
    """A strict reader: every element is closed in order; it collects what the tests ask for."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open = []
        self.elements = []
        self.texts = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"<{tag}> repeats an attribute"
        element = (tag, dict(attrs), [])
        self.elements.append(element)
        for _, _, text in self.open:
            assert text is not None
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), []))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for _, _, text in self.open:
            text.append(data)

    def all(self, tag):
        return [(attrs, "".join(text)) for name, attrs, text in self.elements if name == tag]

    @property
    def ids(self):
        return [attrs["id"] for _, attrs, _ in self.elements if "id" in attrs]


@pytest.fixture
def text(any_document):
    return render_html(any_document)


@pytest.fixture
def page(text):
    return Page(text)


@pytest.fixture
def small(document):
    return Page(render_html(document))


@pytest.fixture
def bad(troubled_document):
    return Page(render_html(troubled_document))


def test_it_is_well_formed_with_known_elements_only(page):
    assert {tag for tag, _, _ in page.elements} <= set(ALLOWED.split())


def test_every_identifier_is_unique_and_every_reference_has_one(page):
    assert len(set(page.ids)) == len(page.ids)
    for _, attrs, _ in page.elements:
        if "href" in attrs:
            assert attrs["href"].startswith("#")
            assert attrs["href"][1:] in page.ids
        if "aria-labelledby" in attrs:
            assert attrs["aria-labelledby"] in page.ids


def test_nothing_is_loaded_and_nothing_runs(page):
    for tag, attrs, _ in page.elements:
        assert tag not in ("script", "link", "img", "iframe", "object", "form", "base")
        for name, value in attrs.items():
            assert not name.startswith("on")
            assert name not in ("src", "srcset", "style", "action", "data", "xlink:href")
            assert name == "content" or "url(" not in (value or "")
    (css,) = [text for _, text in page.all("style")]
    assert "@import" not in css
    assert "url(" not in css


def test_the_policy_allows_the_one_style_sheet_only(text, page):
    (policy,) = [
        attrs["content"]
        for attrs, _ in page.all("meta")
        if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    css = text.partition("<style>")[2].partition("</style>")[0]
    known_by = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    assert policy.startswith("default-src 'none';")
    assert f"style-src 'sha256-{known_by}'" in policy
    assert "unsafe" not in policy


def test_language_title_headings_and_skip_link(page):
    assert page.all("html")[0][0]["lang"] == "en"
    assert page.all("title")[0][1].endswith("Verification report")
    assert len(page.all("h1")) == 1
    assert len(page.all("main")) == 1
    first_link, _ = page.all("a")[0]
    assert first_link["class"] == "skip"


def test_tables_have_captions_and_scopes_and_can_be_reached(page):
    tables = page.all("table")
    assert len(page.all("caption")) == len(tables)
    for attrs, _ in page.all("th"):
        assert attrs["scope"] in ("row", "col", "colgroup")
    regions = [attrs for attrs, _ in page.all("div") if attrs.get("class") == "scroll"]
    assert len(regions) >= len(tables)
    for attrs in regions:
        assert attrs["tabindex"] == "0"
        assert attrs["role"] == "region"
        assert attrs["aria-labelledby"] in page.ids


def test_the_same_document_gives_the_same_page(any_document, text):
    assert render_html(any_document) == text


def test_hostile_names_are_shown_and_not_obeyed(hostile_document):
    text = render_html(hostile_document)
    page = Page(text)
    assert "<script" not in text.lower()
    assert "alert(1)" in page.all("h3")[0][1]
    assert "{{ 7*7 }}" in page.all("body")[0][1]
    for character in "\x00\x1b\u202e\u202c":
        assert character not in text
    text.encode()
    assert max(len(text) for _, text in page.all("bdi")) <= 400


def test_each_cell_leads_to_its_result(document, small):
    cells = [
        attrs["href"]
        for attrs, text in small.all("a")
        if attrs["href"].startswith("#r-") and text == "certified"
    ]
    assert len(cells) == len(document["results"])
    assert len(set(cells)) == len(cells)


@pytest.mark.parametrize("verdict", Verdict)
def test_a_verdict_is_always_a_word_too(bad, verdict):
    cells = [
        text
        for tag, attrs, text in bad.elements
        if tag in ("td", "span", "li", "b")
        and verdict.lower() in attrs.get("class", "").split()
        and attrs.get("aria-hidden") != "true"
    ]
    assert len(cells) >= 3
    for words in cells:
        assert re.search("[a-z]{4,}", "".join(words))


def test_a_claims_part_tells_everything(small):
    (article, _) = small.all("article")
    text = " ".join(article[1].split())
    for words in (
        "M1 The memory map contracts",
        "For every state i",
        "The mean value theorem.",
        "a counterexample.",
        "B is zero",
        "used by E1",
        "this project",
        "0.79000, the largest left / right seen, on coin",
        "contraction factor",
        "0.625",
        "q replaced by q/2",
        "1 of 1 refuted",
        "holds in 3 cases",
        "ball arithmetic, at most 64 bits",
        "[0.4999999999, 0.5000000001]",
    ):
        assert words in text
    assert len(small.all("math")) >= 4


def test_the_end_of_the_page_tells_the_conditions(small):
    text = " ".join(small.all("main")[0][1].split())
    for words in ("seed", "python-flint", "The compiler.", "10,000 products", "two sides"):
        assert words in text


def test_trouble_is_told_first(bad):
    text = bad.all("main")[0][1]
    assert bad.all("h1")[0][1] == "Refuted: M1"
    assert text.index("What needs attention") < text.index("Verdicts")
    assert "The run ended early" in bad.all("header")[0][1]
    assert "Not run on never reached" in " ".join(text.split())


@pytest.mark.parametrize(
    ("changes", "heading"),
    [
        ({}, "Nothing is refuted"),
        ({"results": ()}, "Nothing was decided"),
        ({"interrupted": "Ctrl-C"}, "Nothing is refuted so far"),
    ],
)
def test_the_heading_says_how_it_went(make_run, changes, heading):
    page = Page(render_html(to_document(make_run(**changes))))
    assert page.all("h1")[0][1] == heading


def test_the_heading_of_an_unrefuted_mutant_and_of_a_failed_self_test(document):
    for mutant in document["mutants"]:
        mutant["verdict"] = "CERTIFIED"
    assert Page(render_html(document)).all("h1")[0][1] == "2 mutants are not refuted"
    document["environment"]["self_test"][0]["passed"] = False
    assert Page(render_html(document)).all("h1")[0][1] == "The self-test failed"


def test_a_long_list_of_problems_is_cut(make_run, make_toy, make_result):
    toys = tuple(make_toy(name=f"toy-{number}") for number in range(MAX_PROBLEMS + 3))
    results = tuple(make_result("M1", toy.name, Verdict.UNDECIDED) for toy in toys)
    text = render_html(to_document(make_run(instances=toys, results=results)))
    assert "… and 3 more, in the table below." in text


def test_each_kind_of_instance_has_a_matrix_of_its_own(make_run, make_claim, make_toy, make_result):
    run = make_run(
        claims=(make_claim("M1"), make_claim("S1", kind="other/1")),
        instances=(make_toy(name="coin"), make_toy(name="sum", schema="other/1")),
        results=(make_result("M1", "coin"), make_result("S1", "sum")),
        mutants=(),
    )
    page = Page(render_html(to_document(run)))
    matrices = [text for attrs, text in page.all("table") if attrs.get("class") == "matrix"]
    assert len(matrices) == 2
    assert "coin" in matrices[0]
    assert "sum" not in matrices[0]


def test_a_formula_that_cannot_be_typeset_is_shown_as_written(document):
    document["claims"][0]["formula"] = r"\left( <b>"
    text = render_html(document)
    assert r"<code>\left( &lt;b&gt;</code>" in text


def test_a_supported_result_says_on_what_it_rests(make_run, make_result):
    evidence = Evidence(
        kind=EvidenceKind.SIMULATION, samples=32_768, confidence="2.5e-8", precision_bits=64
    )
    result = make_result("M1", "coin", Verdict.SUPPORTED, evidence=evidence)
    page = Page(render_html(to_document(make_run(results=(result,)))))
    facts = [text for _, text in page.all("dd")]
    assert "simulation, at most 64 bits, 32768 samples, error level 2.5e-8; 0.250 s" in facts
    assert "supported" in [text for attrs, text in page.all("b") if attrs["class"] == "supported"]


@pytest.mark.parametrize("verdict", Verdict)
def test_the_style_sheet_gives_each_verdict_its_glyph(small, verdict):
    (css,) = [text for _, text in small.all("style")]
    assert f'.{verdict.lower()} {{ --glyph: "{GLYPHS[verdict]}";' in css


def test_the_relation_stands_where_both_sides_do(make_run, make_claim):
    claims = (make_claim("M1"), make_claim("E1", relation=Relation.EQUAL))
    page = Page(render_html(to_document(make_run(claims=claims))))
    captions = [text for _, text in page.all("caption") if text.startswith("Results of")]
    assert [caption.partition(", each")[0] for caption in captions] == [
        "Results of M1, left ≤ right",
        "Results of E1, left = right",
    ]


def test_the_graph_tells_verdicts_by_sign_and_kinds_by_shape(make_run, make_claim, make_result):
    dispute = Dispute(refuted_on=("coin",), corrected_by="M1", reading="Nearly.")
    claims = (
        make_claim("M1"),
        make_claim("S1", uses=("M1",)),
        make_claim("D1", uses=("M1",), disputed=dispute),
        make_claim("N1", uses=("M1",)),
    )
    simulated = Evidence(kind=EvidenceKind.SIMULATION, samples=10, confidence="1e-6")
    results = (
        make_result("M1", "coin"),
        make_result("M1", "die", Verdict.VACUOUS),
        make_result("S1", "coin", Verdict.SUPPORTED, evidence=simulated),
        make_result("S1", "die"),
        make_result("D1", "coin", Verdict.REFUTED),
    )
    text = render_html(to_document(make_run(claims=claims, results=results, mutants=())))
    svg = text[text.index('role="group"') :].partition("</svg>")[0]
    nodes = re.findall(r'class="(\w*)">\s*<(rect|path)([^>]*)/>\s*<text[^>]*>([^<]*)</text>', svg)
    looks = {
        label.split()[0]: (verdict, shape, 'rx="14"' in rest, label.split()[1:])
        for verdict, shape, rest, label in nodes
    }
    assert looks == {
        "M1": ("certified", "rect", False, ["✓"]),
        "S1": ("supported", "rect", True, ["≈"]),
        "D1": ("refuted", "path", False, ["✗"]),
        "N1": ("", "rect", False, []),
    }


def _luminance(colour):
    if len(colour) == 4:
        colour = "#" + "".join(2 * digit for digit in colour[1:])
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one, other):
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_schemes(small, scheme):
    css = small.all("style")[0][1]
    light, dark = (
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", block))
        for block in re.findall(r":root \{([^}]*--link[^}]*)\}", css)
    )
    assert set(light) == set(dark)
    colours = light if scheme == "light" else dark
    pairs = [(f"{verdict}-ink", f"{verdict}-paper") for verdict in map(str.lower, Verdict)]
    pairs += [("ink", "paper"), ("quiet", "paper"), ("link", "paper")]
    pairs += [("ink", "shade"), ("quiet", "shade"), ("link", "shade"), ("ink", "target")]
    pairs += [("quiet", "target"), ("link", "target")]
    for ink, paper in pairs:
        assert _contrast(colours[ink], colours[paper]) >= 4.5, (ink, paper)


def test_a_result_costs_few_bytes(make_run, make_claim, make_toy, make_result):
    """The page of the gallery has thousands of results, and at most 3 MB."""

    def size(count, claims_there):
        toys = tuple(make_toy(name=f"an-instance-of-a-usual-name-{i}") for i in range(count))
        claims = tuple(make_claim(name) for name in ("M1", "M2"))[:claims_there]
        results = tuple(make_result(claim.id, toy.name) for toy in toys for claim in claims)
        run = make_run(claims=claims, instances=toys, results=results, mutants=())
        return len(render_html(to_document(run)).encode())

    # What a second claim costs on each further instance: a cell of the matrix and a row.
    further = [size(60, claims_there) - size(10, claims_there) for claims_there in (1, 2)]
    assert (further[1] - further[0]) / 50 < 700
