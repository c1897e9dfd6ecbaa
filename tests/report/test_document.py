"""The document keeps the contract "report/1", and the reader believes nothing."""

import copy
import json
import sys
from decimal import Decimal

import pytest

from verification.errors import InvalidInstance
from verification.report.document import read_report, to_document
from verification.report.files import write_report
from verification.subject import digest
from verification.verdict import Enclosure, Relation, Verdict

CONTRACT = {
    "document": {
        *("schema", "created", "environment", "claims", "results", "mutants", "summary"),
    },
    "claims": {"id", "title", "source", "uses", "statement"},
    "results": {
        *("claim", "instance", "verdict", "left", "right", "tightness", "evidence"),
        *("confidence", "precision_bits", "samples", "seconds", "reason"),
    },
    "mutants": {"claim", "mutant", "instance", "verdict"},
    "instances": {"name", "schema", "origin", "digest"},
}


def test_every_key_of_the_contract_is_there(troubled_document):
    assert troubled_document["schema"] == "report/1"
    assert CONTRACT["document"] <= set(troubled_document)
    for part in ("claims", "results", "mutants", "instances"):
        assert troubled_document[part]
        for item in troubled_document[part]:
            assert CONTRACT[part] <= set(item)


def test_summary_counts_all_six_verdicts(document, troubled_document):
    assert list(troubled_document["summary"]) == [str(verdict) for verdict in Verdict]
    assert set(troubled_document["summary"].values()) == {1}
    assert document["summary"]["CERTIFIED"] == 6
    assert document["summary"]["REFUTED"] == 0, "mutants are not counted"


def test_a_result_is_written_field_by_field(document):
    assert document["results"][0] == {
        "claim": "M1",
        "instance": "coin",
        "verdict": "CERTIFIED",
        "left": {"lower": "0.4999999999", "upper": "0.5000000001"},
        "right": {"lower": "0.625", "upper": "0.625"},
        "tightness": 0.79,
        "evidence": "balls",
        "confidence": None,
        "precision_bits": 64,
        "samples": None,
        "seconds": 0.25,
        "reason": "holds in 3 cases; tightest: state 1",
        "case": "state 1",
        "cases": {"CERTIFIED": 3},
        "constants": {"q": {"lower": "0.625", "upper": "0.625"}},
    }


def test_simulation_tells_samples_and_confidence(troubled_document):
    simulated = troubled_document["results"][1]
    assert simulated["evidence"] == "simulation"
    assert simulated["samples"] == 10_000
    assert simulated["confidence"] == "1e-6"
    assert simulated["precision_bits"] is None


def test_end_points_are_rounded_outward_to_thirty_digits(make_run, make_result):
    third = Decimal("0." + "3" * 50)
    result = make_result(
        "M1", "coin", left=Enclosure(third.copy_negate(), third), right=Enclosure(third, third)
    )
    written = to_document(make_run(results=(result,)))["results"][0]
    outward = "0." + "3" * 29 + "4"
    assert written["left"] == {"lower": "-" + outward, "upper": outward}
    assert written["right"] == {"lower": "0." + "3" * 30, "upper": outward}


def test_an_unbounded_side_and_an_overflowing_ratio_have_json(make_run, make_result, tmp_path):
    unbounded = Enclosure(Decimal("-Infinity"), Decimal("Infinity"))
    result = make_result("M1", "coin", left=unbounded, tightness=float("inf"))
    document = to_document(make_run(results=(result,)))
    assert document["results"][0]["left"] == {"lower": "-Infinity", "upper": "Infinity"}
    assert document["results"][0]["tightness"] == sys.float_info.max
    write_report(document, tmp_path)
    assert read_report(tmp_path / "report.json") == document


def test_instances_tell_origin_and_digest(document, make_run):
    assert document["instances"][0] == {
        "name": "coin",
        "schema": "toy/1",
        "origin": "two sides",
        "digest": digest(make_run().instances[0]),
    }


def test_claims_tell_what_the_page_shows(document):
    claim = document["claims"][0]
    assert claim["assumptions"] == ["q < 1"]
    assert claim["constants"] == [
        {"symbol": "q", "meaning": "contraction factor", "formula": r"s_1 \mathbb{E}|B|"}
    ]
    assert claim["mutants"] == [
        {"name": "half", "error": "q replaced by q/2", "refuted_on": ["coin"]}
    ]
    assert claim["sharp"] == ["coin"]
    assert document["claims"][1]["uses"] == ["M1"]


def test_the_relation_of_a_claim_is_told(make_run, make_claim, tmp_path):
    claims = (make_claim("M1"), make_claim("E1", relation=Relation.EQUAL))
    document = to_document(make_run(claims=claims))
    assert [claim["relation"] for claim in document["claims"]] == ["≤", "="]
    write_report(document, tmp_path)
    assert read_report(tmp_path / "report.json") == document
    # Earlier reports know of inequalities only.
    for claim in document["claims"]:
        del claim["relation"]
    (tmp_path / "old.json").write_text(json.dumps(document), encoding="utf-8")
    old = read_report(tmp_path / "old.json")
    assert [claim["relation"] for claim in old["claims"]] == ["≤", "≤"]


@pytest.mark.parametrize("part", ["claims", "instances", "results"])
def test_two_of_one_name_are_refused(make_run, part):
    run = make_run()
    twice = getattr(run, part) * 2
    with pytest.raises(ValueError, match=f"two {part} are named"):
        to_document(make_run(**{part: twice}))


def test_reading_returns_what_was_written(any_document, tmp_path):
    write_report(any_document, tmp_path)
    assert read_report(tmp_path / "report.json") == any_document


def test_a_report_with_nothing_but_the_contract_is_read(troubled_document, tmp_path):
    bare = {key: troubled_document[key] for key in CONTRACT["document"]}
    for part in ("claims", "results", "mutants"):
        bare[part] = [
            {key: item[key] for key in CONTRACT[part]} for item in troubled_document[part]
        ]
    path = tmp_path / "report.json"
    path.write_text(json.dumps(bare))
    document = read_report(path)
    assert [instance["name"] for instance in document["instances"]] == ["coin", "die", "clock"]
    write_report(document, tmp_path)
    assert read_report(path) == document


def _changed(document, where, value):
    document = copy.deepcopy(document)
    *parents, last = where
    node = document
    for key in parents:
        node = node[key]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    return document


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (["schema"], "report/2", 'schema: is "report/2", expected one of report/1'),
        (["claims"], ..., "lacks the key 'claims'"),
        (["extra"], 1, 'unknown key "extra"'),
        (["created"], "yesterday", 'created: is "yesterday", expected an ISO 8601'),
        (["environment"], [], "environment: is a list of 0, expected an object"),
        (["environment", "x"], [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]], "nested too deeply"),
        (["interrupted"], 3, "interrupted: is 3, expected a string"),
        (["claims", 0, "id"], 1, "claims[0].id: is 1, expected a string"),
        (["claims", 0, "title"], "x" * 100_001, "claims[0].title: has 100001 characters"),
        (["claims", 1, "id"], "M1", "claims[1]: repeats id of element 0"),
        (["claims", 0, "uses"], "M1", 'claims[0].uses: is "M1", expected a list'),
        (["claims", 0, "constants", 0, "symbol"], " ", 'claims[0].constants[0].symbol: is " "'),
        (["claims", 0, "constants", 0, "symbol"], ..., "claims[0].constants[0]: lacks the key"),
        (["claims", 0, "mutants", 0, "refuted_on"], 1, "claims[0].mutants[0].refuted_on: is 1"),
        (["instances", 1, "name"], "coin", "instances[1]: repeats name of element 0"),
        (["results", 0, "verdict"], "FINE", 'results[0].verdict: is "FINE"'),
        (["results", 0, "claim"], "M9", 'results[0]: names the claim "M9"'),
        (["results", 0, "instance"], "no", 'results[0]: names the instance "no"'),
        (["results", 1, "instance"], "coin", "results[1]: repeats claim, instance of element 0"),
        (["results", 0, "left"], 0.5, "results[0].left: is 0.5, expected an object"),
        (["results", 0, "left", "lower"], 0.5, "results[0].left.lower: is 0.5, expected a dec"),
        (["results", 0, "left", "lower"], "1/2", 'results[0].left.lower: is "1/2"'),
        (["results", 0, "left", "lower"], "NaN", 'results[0].left.lower: is "NaN"'),
        (["results", 0, "left", "lower"], "1E99999999999", "results[0].left.lower: is"),
        (["results", 0, "left", "lower"], "1" * 101, "results[0].left.lower: is"),
        (["results", 0, "left", "lower"], "0.6", "results[0].left: has lower = 0.6 above upper"),
        (["results", 0, "tightness"], "0.5", 'results[0].tightness: is "0.5", expected a num'),
        (["results", 0, "tightness"], 10**400, "results[0].tightness: is 1000"),
        (["results", 0, "evidence"], "hope", 'results[0].evidence: is "hope"'),
        (["results", 0, "samples"], -1, "results[0].samples: is -1, expected an integer"),
        (["results", 0, "seconds"], None, "results[0].seconds: is null, expected a number"),
        (["results", 0, "cases"], {"GOOD": 1}, "results[0].cases: has the unknown key"),
        (["results", 0, "constants", "q"], {}, "results[0].constants.q: lacks the key"),
        (["mutants", 0, "claim"], "M9", 'mutants[0]: names the claim "M9"'),
        (["mutants", 0, "verdict"], True, "mutants[0].verdict: is true"),
        (["summary", "REFUTED"], 1, "summary.REFUTED: is 1, expected 0, as the results say"),
        (["summary", "REFUTED"], ..., "summary: lacks the key 'REFUTED'"),
    ],
)
def test_a_malformed_report_is_one_line(document, tmp_path, where, value, message):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(_changed(document, where, value)))
    with pytest.raises(InvalidInstance) as caught:
        read_report(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("[]", "is a list of 0, expected an object with schema"),
        ('{"schema": "report/1", "schema": "report/1"}', "twice"),
        ('{"schema": NaN}', "NaN"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_report_is_one_line(tmp_path, text, message):
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(InvalidInstance, match=message):
        read_report(path)


def test_a_repeated_key_deep_in_the_environment_is_found(document, tmp_path):
    path = tmp_path / "report.json"
    text = json.dumps(document).replace('"python": "3.11.2"', '"python": "a", "python": "b"')
    path.write_text(text)
    with pytest.raises(InvalidInstance, match=r"environment\.versions: has the key .* twice"):
        read_report(path)


def test_a_missing_report_is_one_line(tmp_path):
    with pytest.raises(InvalidInstance, match="cannot be read"):
        read_report(tmp_path / "report.json")
