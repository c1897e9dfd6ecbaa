"""The margins of a claim, and the command that decides its tightest result again."""

import re

import pytest

from verification.report.document import to_document
from verification.report.files import COUNTEREXAMPLES, write_counterexample
from verification.report.html import render_html
from verification.report.margins import LABELS, WIDTH, again, strip
from verification.report.summary import summarize
from verification.verdict import Verdict


@pytest.fixture
def summary(make_run, make_claim, make_result, make_toy):
    def make(*ratios, verdict=Verdict.CERTIFIED):
        toys = tuple(make_toy(name=f"toy-{number}") for number in range(len(ratios)))
        results = tuple(
            make_result("M1", toy.name, verdict, tightness=ratio)
            for toy, ratio in zip(toys, ratios, strict=True)
        )
        run = make_run(claims=(make_claim("M1"),), instances=toys, results=results, mutants=())
        return summarize(to_document(run))[0]

    return make


def marks(shown):
    return [int(place) for place in re.findall(r"M(\d+) 5v10", shown.marks)]


def test_ratios_stand_on_a_log_axis(summary):
    at = {text: place for place, text in LABELS}
    shown = strip(summary(1.0, 1e-2, 1e-4))
    assert marks(shown) == [at["10⁻⁴"], at["10⁻²"], at["1"]]
    assert shown.worst.startswith(f"M{at['1']} ")
    assert shown.text == "left / right in 3 results, 0.0001 to 1"


def test_what_is_beyond_the_axis_stands_at_its_end(summary):
    places = marks(strip(summary(0.0, 1e-300, 1e300)))
    assert len(places) == 2
    assert 0 < places[0] < places[1] < WIDTH


def test_results_on_one_pixel_are_drawn_once(summary):
    assert len(marks(strip(summary(0.5, 0.5000001, 0.4999999)))) == 1


def test_what_tells_nothing_is_not_drawn(summary):
    assert strip(summary(None)) is None
    assert strip(summary(0.5, verdict=Verdict.VACUOUS)) is None


def test_the_tightest_result_is_verified_by_name(document):
    result = document["results"][0]
    assert again(result, document) == "theorems verify coin --claim M1 --seed 7"
    document["environment"]["seed"] = 0
    result["instance"] = "two sides; rm -rf"
    assert again(result, document) == "theorems verify 'two sides; rm -rf' --claim M1"


def test_a_refuted_result_is_replayed_from_its_file(make_run, make_result, tmp_path):
    run = make_run(results=(make_result("M1", "coin", Verdict.REFUTED),))
    document = to_document(run)
    path = write_counterexample(tmp_path, "M1", None, run.instances[0], 7)
    expected = f"theorems replay {COUNTEREXAMPLES}/{path.name}"
    assert again(document["results"][0], document) == expected
    assert expected in render_html(document)
