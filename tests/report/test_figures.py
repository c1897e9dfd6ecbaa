"""Figures: recorded and read without loss, laid out truly, shown in full without a script."""

import copy
import re
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from verification.claim import Drawing
from verification.errors import InvalidInstance
from verification.figure import (
    DOES_NOT_APPLY,
    Axis,
    Drawn,
    Figure,
    Guarantee,
    Kind,
    Point,
    Scale,
    Series,
)
from verification.report.axes import plotted_axis
from verification.report.document import read_report, to_document
from verification.report.figure_document import figure_document
from verification.report.files import json_bytes, write_report
from verification.report.html import render_html
from verification.report.plot import BOTTOM, LEFT, RIGHT, TOP, plot
from verification.report.summary import problems
from verification.verdict import Enclosure

HOSTILE = '"><script>alert(1)</script>{{ 7*7 }}\u202e'


def series(name, points, guarantee=Guarantee.ENCLOSURE, kind=Kind.LINE):
    return Series.of(name, points, guarantee=guarantee, kind=kind)


def figure(*parts, scales=(Scale.LOG, Scale.LOG), title="Errors fall", label="error"):
    return Figure(
        title=title,
        description="How fast they fall.",
        x=Axis(label="width", scale=scales[0]),
        y=Axis(label=label, scale=scales[1]),
        series=parts,
    )


def laid_out(*parts, **more):
    return plot(figure_document(figure(*parts, **more)))


def places(path):
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", path)]


# The document


@pytest.fixture
def run(make_run, make_claim, make_result):
    def make(*drawn, joined=False, names=("coin", "die")):
        drawing = Drawing(name="errors", draw=lambda instance: None, on=names, joined=joined)
        results = tuple(
            make_result("M1", name, drawn=(item,)) for name, item in zip(names, drawn, strict=True)
        )
        return make_run(claims=(make_claim("M1", figures=(drawing,)),), results=results, mutants=())

    return make


def drawn(*points, reason=""):
    shown = figure(series("error", points)) if points else None
    return Drawn(drawing="errors", figure=shown, reason=reason, seconds=0.5)


def test_each_instance_has_an_entry_of_its_own_or_all_have_one(run):
    items = drawn((1, 1)), drawn((2, 0.5))
    apart = to_document(run(*items))["figures"]
    assert [(entry["instances"], entry["seconds"]) for entry in apart] == [
        (["coin"], 0.5),
        (["die"], 0.5),
    ]
    (together,) = to_document(run(*items, joined=True))["figures"]
    assert together["instances"] == ["coin", "die"]
    assert together["figure"]["series"][0]["points"] == [["1", "1"], ["2", "0.5"]]
    assert together["seconds"] == 1


def test_a_missing_figure_is_told_with_its_reason(run):
    items = drawn((1, 1)), drawn(reason="no <time>")
    _, gap = to_document(run(*items))["figures"]
    assert gap["figure"] is None
    assert gap["missing"] == [{"instance": "die", "reason": "no <time>"}]
    joined = to_document(run(*items, joined=True))
    (entry,) = joined["figures"]
    assert entry["instances"] == ["coin"]
    assert entry["missing"] == gap["missing"]
    text = render_html(joined)
    assert text.count("no &lt;time&gt;") == 2, "beside the claim, and among what needs attention"
    assert "no <time>" not in text
    assert "Errors fall" in text


def test_a_missing_figure_needs_attention_unless_the_claim_does_not_apply(run):
    document = to_document(run(drawn(reason="a fault"), drawn(reason=DOES_NOT_APPLY)))
    (problem,) = problems(document)
    assert (problem.subject, problem.claim) == ("figure errors of M1", "M1")
    assert problem.text == "is missing on coin: a fault"


def test_figures_that_cannot_be_joined_are_missing_and_cost_nothing_else(run):
    other = replace(drawn((1, 1)), figure=figure(series("error", [(1, 1)]), label="loss"))
    document = to_document(run(drawn((1, 1)), other, joined=True))
    (entry,) = document["figures"]
    assert entry["figure"] is None
    assert [gap["instance"] for gap in entry["missing"]] == ["coin", "die"]
    assert "axes" in entry["missing"][0]["reason"]
    assert len(document["results"]) == 2


def test_end_points_are_rounded_outward(run):
    third = Decimal("0." + "3" * 40)
    point = Point(Decimal(1), Enclosure(third.copy_negate(), third))
    shown = figure(replace(series("error", ()), points=(point,)), scales=(Scale.LOG, Scale.LINEAR))
    ((x, lower, upper),) = figure_document(shown)["series"][0]["points"]
    assert x == "1"
    assert upper == "0." + "3" * 11 + "4"
    assert lower == "-" + upper


def test_what_is_written_is_read_and_old_reports_have_no_figures(run, document, tmp_path):
    whole = to_document(
        run(drawn((1, 1), (4, Enclosure(Decimal(0), Decimal("Infinity")))), drawn())
    )
    write_report(whole, tmp_path)
    assert read_report(tmp_path / "report.json") == whole
    assert render_html(read_report(tmp_path / "report.json")) == render_html(whole)
    del document["figures"]
    (tmp_path / "report.json").write_bytes(json_bytes(document))
    assert read_report(tmp_path / "report.json")["figures"] == []


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (["claim"], "M9", "figures[0]: names the claim"),
        (["figure", "series", 0, "kind"], "pie", 'figures[0].figure.series[0].kind: is "pie"'),
        (["figure", "series", 0, "kind"], "bound", "no bound"),
        (["figure", "series", 0, "points", 0], ["1"], "figures[0].figure.series[0].points[0]"),
        (["figure", "series", 0, "points", 0], ["1", "2", "1"], "not an interval"),
        (["figure", "series", 0, "points", 0], ["NaN", "2"], "a decimal text"),
        (["figure", "series", 0, "points", 0], ["-1", "2"], "x is not positive"),
        (["figure", "series"], [], "no point"),
        (["figure", "x", "scale"], "cubic", "figures[0].figure.x.scale"),
        (["figure", "title"], "", "title"),
    ],
)
def test_a_wrong_figure_is_refused_with_its_path(run, tmp_path, path, value, problem):
    document = copy.deepcopy(to_document(run(drawn((1, 1)), drawn((1, 1)))))
    place = document["figures"][0]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    (tmp_path / "report.json").write_bytes(json_bytes(document))
    with pytest.raises(InvalidInstance, match=re.escape(problem)):
        read_report(tmp_path / "report.json")


# Axes


def ticks(scale, *values, **more):
    axis = plotted_axis(scale, [Decimal(value) for value in values], **more)
    assert all(0 <= tick.place <= 1 for tick in axis.ticks)
    return [tick.text for tick in axis.ticks]


@pytest.mark.parametrize(
    ("scale", "values", "texts"),
    [
        ("linear", ("0", "10"), ["0", "2", "4", "6", "8", "10"]),
        ("linear", ("0.31", "0.37"), ["0.31", "0.32", "0.33", "0.34", "0.35", "0.36", "0.37"]),
        ("linear", ("-1", "1"), ["−1", "−0.5", "0", "0.5", "1"]),
        ("linear", ("5", "5"), ["0", "2", "4", "6", "8", "10"]),
        ("log", ("1e-3", "1e3"), ["0.001", "0.01", "0.1", "1", "10", "100", "1000"]),
        ("log", ("1e-30", "1"), ["10⁻³⁰", "10⁻²⁵", "10⁻²⁰", "10⁻¹⁵", "10⁻¹⁰", "10⁻⁵", "1"]),
        ("log", ("1", "40"), ["1", "2", "5", "10", "20"]),
        ("log", ("1", "1.1"), ["1", "1.02", "1.04", "1.06", "1.08", "1.1"]),
        ("log", ("1e-400", "1e400"), ["10⁻⁴⁰⁰", "10⁻²⁰⁰", "1", "10²⁰⁰", "10⁴⁰⁰"]),
    ],
)
def test_ticks_are_few_round_numbers(scale, values, texts):
    found = ticks(scale, *values)
    assert found == texts


def test_few_values_are_ticks_themselves():
    assert ticks("log", "4", "16", "64", own_ticks=True) == ["4", "16", "64"]
    assert ticks("log", *map(str, range(1, 30)), own_ticks=True) == ["1", "2", "5", "10", "20"]


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("values", [(), ("1",), ("0",), ("-3",), ("-1", "0"), ("Infinity", "1")])
def test_an_axis_can_be_made_of_anything(scale, values):
    axis = plotted_axis(scale, [Decimal(value) for value in values])
    assert axis.low < axis.high
    for value in values:
        assert 0 <= axis.place(Decimal(value)) <= 1


def test_places_are_proportional():
    line = plotted_axis("linear", [Decimal(0), Decimal(10)])
    assert line.place(Decimal(10)) - line.place(Decimal(5)) == pytest.approx(
        line.place(Decimal(5)) - line.place(Decimal(0)), rel=1e-12
    )
    log = plotted_axis("log", [Decimal("1e-6"), Decimal(1)])
    assert log.place(Decimal("1e-3")) == pytest.approx(0.5, abs=1e-12)


# The layout


def test_a_power_law_is_a_straight_line_within_the_sheet():
    (shown,) = laid_out(series("error", [(k, 1 / k) for k in (1, 10, 100)])).series
    (x0, y0), (x1, y1), (x2, y2) = places(shown.line)
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)
    assert y1 - y0 == pytest.approx(y2 - y1, abs=0.11)
    assert LEFT < x0 < x2 < RIGHT
    assert TOP < y0 < y2 < BOTTOM, "larger numbers stand higher"


def test_a_bound_is_drawn_at_the_end_that_matters_and_points_to_the_truth():
    points = [(1, Enclosure(Decimal(1), Decimal(2))), (2, Enclosure(Decimal(4), Decimal(8)))]
    lower, upper = laid_out(
        series("l", points, Guarantee.LOWER, Kind.BOUND),
        series("u", points, Guarantee.UPPER, Kind.BOUND),
    ).series
    assert places(lower.line)[0][1] > places(upper.line)[0][1]
    assert "v-9" in lower.arrows
    assert "v9" in upper.arrows
    assert "bounded" in lower.classes.split()
    assert not lower.marks


def test_a_dashed_bound_lies_over_the_curve_that_it_meets():
    shown = laid_out(
        series("bound", [(1, 1)], Guarantee.LOWER, Kind.BOUND),
        series("curve", [(1, 1)]),
        series("band", [(1, 1)], kind=Kind.BAND),
    )
    assert [item.name for item in shown.by_layer] == ["band", "curve", "bound"]
    assert [item.name for item in shown.series] == ["bound", "curve", "band"]


def test_strokes_tell_what_is_guaranteed():
    certified, estimate = laid_out(
        series("c", [(1, 1)]), series("e", [(1, 1)], Guarantee.ESTIMATE)
    ).series
    assert certified.classes.split() == ["a", "enclosed"]
    assert estimate.classes.split() == ["b", "estimated"]
    assert certified.marks != estimate.marks, "shapes tell series apart without colour"


def test_marks_of_a_curve_do_not_crowd_and_dots_are_all_there():
    points = [(1 + k / 100, 1) for k in range(100)] + [(100, 1)]
    curve, dots = laid_out(series("c", points), series("d", points, kind=Kind.DOTS)).series
    kept = [x for x, _ in places(curve.marks)]
    assert min(b - a for a, b in pairwise(kept)) >= 16
    assert max(b - a for a, b in pairwise(kept[:-1])) < 32
    assert kept[-1] == places(dots.marks)[-1][0]
    assert len(places(dots.marks)) == 101
    assert len(places(curve.line)) == 101


def test_an_enclosure_that_can_be_seen_has_a_bar_and_a_narrow_one_none():
    wide = Enclosure(Decimal(1), Decimal(100))
    narrow = Enclosure(Decimal(10), Decimal("10.0001"))
    (shown,) = laid_out(series("e", [(1, wide), (2, narrow)])).series
    assert shown.bars.count("M") == 1


def test_a_band_is_closed_and_goes_there_and_back():
    points = [(k, Enclosure(Decimal(k), Decimal(2 * k))) for k in (1, 2, 4)]
    (shown,) = laid_out(series("b", points, kind=Kind.BAND)).series
    assert shown.band.endswith("z")
    assert len(places(shown.band)) == 6
    assert not shown.line


def test_what_has_no_place_on_a_log_axis_breaks_the_line_and_stays_in_the_table():
    points = [(1, 1), (2, 0), (3, 1), (4, Enclosure(Decimal(0), Decimal(1)))]
    shown = laid_out(series("e", points))
    assert shown.series[0].line.count("M") == 2
    assert [row[1] for row in shown.rows] == ["1", "0", "1", "[0, 1]"]
    # The last one is a bar from the foot of the sheet to 1, without a point on it.
    assert shown.series[0].bars.count("M") == 1
    assert f" {BOTTOM}V{places(shown.series[0].line)[0][1]:g}" in shown.series[0].bars
    assert len(places(shown.series[0].marks)) == 2


def test_the_table_has_a_row_for_each_x_and_a_cell_for_each_series():
    shown = laid_out(series("one", [(1, 2), (4, 3)]), series("two", [(4, 5), (8, 6)]))
    assert shown.columns == ("width", "one", "two")
    assert shown.rows == (("1", "2", ""), ("4", "3", "5"), ("8", "", "6"))


def test_the_summary_says_in_words_what_is_seen():
    shown = laid_out(series("best network", [(1, 2), (4, 3)]))
    assert shown.summary == (
        "error (log axis) against width (log axis). "
        "best network, certified enclosure: 2 at 1 to 3 at 4."
    )


# The page


def test_the_page_shows_title_description_key_and_data(run):
    text = render_html(to_document(run(drawn((1, 1), (4, 0.25)), drawn((1, 1)))))
    assert text.count('<svg viewBox="0 0 600 340"') == 2
    assert text.count("Data of the figure") == 2
    for words in ("<title id=", "<desc id=", 'role="img"', "certified enclosure", "How fast"):
        assert words in text
    assert "style=" not in text


def test_a_figure_takes_a_few_kilobytes(run):
    curve = [(k, 1 / k) for k in range(1, 41)]
    parts = series("witness", curve), series("bound", curve, Guarantee.LOWER, Kind.BOUND)
    bare = len(render_html(to_document(run(drawn((1, 1)), drawn()))))
    item = replace(drawn((1, 1)), figure=figure(*parts))
    full = len(render_html(to_document(run(item, drawn()))))
    assert full - bare < 12_000


def test_a_hostile_figure_is_escaped(run):
    hostile = figure(
        series(HOSTILE, [(1, 1)]), title=HOSTILE, label=HOSTILE, scales=(Scale.LINEAR, Scale.LOG)
    )
    item = Drawn(drawing=HOSTILE, figure=hostile, reason=HOSTILE)
    made = run(item, item)
    claim = replace(made.claims[0], figures=(replace(made.claims[0].figures[0], name=HOSTILE),))
    text = render_html(to_document(replace(made, claims=(claim,))))
    assert "<script" not in text
    assert "\u202e" not in text
    assert text.count("{{ 7*7 }}") > 4
