"""The JSON document and the two tables: what they hold, and that they hold the same."""

from __future__ import annotations

import csv
import dataclasses
import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import jsonschema
import pytest
from predicted import changed, coarse_instance, diverged, predicted

from verification.prediction import document as module
from verification.prediction.document import (
    curve_table,
    networks_table,
    spectrum_table,
    to_document,
)
from verification.subject import digest

SCHEMA = json.loads(
    (Path(module.__file__).parent / "prediction.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.parametrize(
    "instance",
    [
        changed(),
        changed(chain={"targets": ["0", "0"]}),
        changed(training={"horizon": "1/3"}),
        coarse_instance(),
    ],
    ids=["plain", "nothing", "third", "coarse"],
)
def test_the_document_is_of_its_schema(instance):
    document = to_document(predicted(instance), {"python": "3"})
    VALIDATOR.check_schema(SCHEMA)
    VALIDATOR.validate(json.loads(json.dumps(document, allow_nan=False)))
    assert len(document["outputs"]) == len(document["losses"]) == len(document["times"])
    assert {len(values) for values in document["outputs"]} == {len(document["points"])}


@pytest.mark.parametrize("change", [lambda networks: networks, diverged])
def test_the_document_of_networks_is_of_its_schema(rain, networks, change):
    document = to_document(rain, {}, change(networks))
    written = json.loads(json.dumps(document, allow_nan=False))
    VALIDATOR.validate(written)
    for ensemble in written["networks"]["widths"]:
        assert len(ensemble["outputs"]) == len(ensemble["steps"]) == len(written["times"])
        assert len(ensemble["losses"]) == len(written["times"]) - 1


def test_the_document_says_what_the_networks_are(rain, plan, networks):
    found = to_document(rain, {}, networks)["networks"]
    assert (found["seed"], found["replicas"]) == (plan.seed, plan.replicas)
    assert (found["confidence"], found["rate"], found["interrupted"]) == ("0.95", "0.25", False)
    slope = found["slope_estimate"]
    assert slope["lower"] <= slope["value"] <= slope["upper"]
    assert slope["value"] == networks.slope.slope
    for written, ensemble in zip(found["widths"], networks.ensembles, strict=True):
        assert written["width"] == ensemble.width
        assert written["errors"] == list(ensemble.errors)
        assert written["within"]["error"] == max(ensemble.errors)
        assert Fraction(written["within"]["share"]) == ensemble.content
        assert written["outputs"][5][1] == vars(ensemble.outputs[5][1])


def test_what_is_to_be_known_of_the_networks_is_among_the_notes(rain, networks):
    told = dataclasses.replace(networks, notes=("A note.",))
    assert to_document(rain, {}, told)["notes"] == [*rain.notes, "A note."]


def test_the_table_of_the_networks_is_that_of_the_document(rain, networks):
    document = to_document(rain, {}, networks)
    table = rows(networks_table(rain, networks))
    assert len(table) == len(networks.ensembles) * len(rain.times)
    for i, ensemble in enumerate(document["networks"]["widths"]):
        for k, time in enumerate(document["times"]):
            row = table[i * len(rain.times) + k]
            assert (row["width"], row["t"]) == (str(ensemble["width"]), time)
            assert row["steps"] == str(ensemble["steps"][k])
            for part in ("least", "mean", "greatest"):
                for column, point in enumerate(document["points"]):
                    cell = row[f"g_state_{point['state']}_{part}"]
                    assert float(cell) == ensemble["outputs"][k][column][part]
                loss = ensemble["losses"][k - 1] if k else None
                assert row[f"loss_{part}"] == ("" if loss is None else repr(loss[part]))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("networks", "widths", 0, "width"), 0),
        (("networks", "widths", 0, "errors", 0), "inf"),
        (("networks", "widths", 0, "more"), 1),
        (("networks", "confidence"), 0.95),
        (("networks",), []),
        (("schema",), "prediction/2"),
        (("more",), 1),
        (("losses", 0, "lower"), "NaN"),
        (("times", 0), "1e-3"),
        (("points", 0, "state"), -1),
        (("spectrum", "rest", "half_time"), None),
    ],
)
def test_the_schema_refuses_what_is_not_one(rain, networks, path, value):
    document = json.loads(json.dumps(to_document(rain, {}, networks)))
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert not VALIDATOR.is_valid(document)


def test_the_document_says_which_instance_it_is_about(rain):
    document = to_document(rain, {"CPU": "one"})
    assert document["name"] == "rain-atoms"
    assert document["digest"] == digest(rain.instance)
    assert document["environment"] == {"CPU": "one"}
    assert document["training"] == {"alpha": "1", "horizon": "3"}


def test_times_are_exact():
    document = to_document(predicted(changed(training={"horizon": "1/3"})), {})
    assert [Fraction(time) for time in document["times"]] == [Fraction(k, 96) for k in range(33)]


def test_the_curves_are_those_of_the_document(rain):
    document = to_document(rain, {})
    table = rows(curve_table(rain))
    assert [row["t"] for row in table] == document["times"]
    for k, row in enumerate(table):
        assert row["loss_lower"] == document["losses"][k]["lower"]
        assert row["loss_upper"] == document["losses"][k]["upper"]
        for column, point in enumerate(document["points"]):
            for end in ("lower", "upper"):
                cell = row[f"g_state_{point['state']}_{end}"]
                assert cell == document["outputs"][k][column][end]
        assert Decimal(row["g_state_0_lower"]) <= Decimal(row["g_state_0_upper"])


def test_a_time_without_a_decimal_is_the_nearest_double():
    table = rows(curve_table(predicted(changed(training={"horizon": "1/3"}))))
    assert [float(row["t"]) for row in table] == [k / 96 for k in range(33)]


def test_the_spectrum_is_that_of_the_document(rain):
    spectrum = to_document(rain, {})["spectrum"]
    table = rows(spectrum_table(rain))
    assert [row["direction"] for row in table] == [
        *(str(k + 1) for k in range(len(spectrum["directions"]))),
        "rest",
    ]
    for row, direction in zip(table, [*spectrum["directions"], spectrum["rest"]], strict=True):
        for name in ("eigenvalue", "half_time", "learned"):
            for end in ("lower", "upper"):
                assert row[f"{name}_{end}"] == direction[name][end]
        assert float(row["part_estimate"]) == direction["part_estimate"]
        assert float(row["share_estimate"]) == direction["share_estimate"]


def test_the_share_of_nothing_is_empty():
    table = rows(spectrum_table(predicted(changed(chain={"targets": ["0", "0"]}))))
    assert {row["share_estimate"] for row in table} == {""}
