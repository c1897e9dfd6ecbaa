"""The JSON Schema and the reader agree on everything that a schema can state."""

from __future__ import annotations

import copy
import json
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from verification import instance, strict_json
from verification.campaign.strategies import instances
from verification.errors import InvalidInstance
from verification.instance import read_instance

SCHEMA = json.loads(resources.files("verification").joinpath("instance.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
NUMBER_TEXT = Draft202012Validator(
    {"$ref": "#/$defs/number_text", "$defs": SCHEMA["$defs"]},
)

VALID = {
    "schema": "instance/1",
    "name": "valid",
    "origin": "written for this test",
    "chain": {
        "transition": [["0.5", "1/2"], [1, "0"]],
        "inputs": [["1", 2], ["-1", "0.25"]],
        "targets": ["0.5", -0.25],
        "initial": 1,
    },
    "activation": {
        "kind": "mixture",
        "terms": [
            {"weight": "0.5", "scale": 2, "shift": "0.1", "of": "tanh"},
            {"weight": "-1", "of": "sin"},
        ],
    },
    "law": {
        "C": {"kind": "uniform", "low": "-1", "high": "1"},
        "W": {"kind": "normal", "mean": ["0.6", "0"], "std": "1"},
        "B": {"kind": "constant", "value": "1/3"},
    },
    "training": {"alpha": "2", "beta": "0.75", "gamma": "0.1", "horizon": "1"},
}
VARIANTS = {
    "dense": VALID,
    "sparse": VALID
    | {
        "chain": VALID["chain"]
        | {
            "transition": {
                "rows": 2,
                "entries": [[0, "0", 0.5], [0, 1, "1/2"], [1, 0.0, "1e0"], [1, 1, 0]],
            }
        }
    },
    "atoms": VALID
    | {
        "law": {
            "kind": "atoms",
            "atoms": [
                {"p": "1/4", "C": "1", "W": ["0.3", 0], "B": "0.5"},
                {"p": 0.75, "C": "-1", "W": ["0", "1"], "B": -2},
            ],
        }
    },
    "named": VALID
    | {
        "activation": {"kind": "erf"},
        "law": {
            "C": {"kind": "constant", "value": 0},
            "W": {"kind": "uniform", "low": ["-1", "0"], "high": ["1", "1/2"]},
            "B": {"kind": "uniform", "low": "0.2", "high": "0.8"},
        },
    },
    "constant": VALID
    | {"law": VALID["law"] | {"W": {"kind": "constant", "value": ["0.1", "1e-3"]}}},
}


def accepted_by_reader(document) -> bool:
    try:
        read_instance(strict_json.loads(json.dumps(document)))
    except InvalidInstance:
        return False
    return True


def paths(value, at=()):
    """Return the path of every value in a document, the document's own included."""
    found = [at]
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = enumerate(value)
    else:
        members = ()
    for key, member in members:
        found += paths(member, (*at, key))
    return found


def value_at(document, path):
    for key in path:
        document = document[key]
    return document


def replaced(document, path, value):
    if not path:
        return value
    document = copy.deepcopy(document)
    value_at(document, path[:-1])[path[-1]] = value
    return document


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", VARIANTS)
def test_both_accept_a_valid_document(name):
    assert VALIDATOR.is_valid(VARIANTS[name])
    assert accepted_by_reader(VARIANTS[name])


@given(instances())
def test_the_schema_accepts_what_is_written(written):
    document = written.to_json()
    assert list(VALIDATOR.iter_errors(document)) == []


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("wrong", [None, True, {}, [], [[]], {"kind": "none"}, "no number"])
def test_both_refuse_a_value_of_the_wrong_kind(name, wrong):
    document = VARIANTS[name]
    for path in paths(document):
        if path in {("name",), ("origin",)} and wrong == "no number":
            continue  # a text like any other
        corrupt = replaced(document, path, wrong)
        assert not accepted_by_reader(corrupt), path
        assert not VALIDATOR.is_valid(corrupt), path


@pytest.mark.parametrize("name", VARIANTS)
def test_both_agree_on_which_keys_may_be_left_out(name):
    document = VARIANTS[name]
    optional = {("origin",), ("training",)} | {
        ("activation", "terms", 0, key) for key in ("scale", "shift")
    }
    for path in paths(document):
        if not path or not isinstance(path[-1], str):
            continue
        corrupt = copy.deepcopy(document)
        del value_at(corrupt, path[:-1])[path[-1]]
        assert accepted_by_reader(corrupt) == (path in optional), path
        assert VALIDATOR.is_valid(corrupt) == (path in optional), path


@pytest.mark.parametrize("name", VARIANTS)
def test_both_refuse_a_key_too_many(name):
    document = VARIANTS[name]
    for path in paths(document):
        value = value_at(document, path)
        if isinstance(value, dict):
            for key in ("extra", "kind", "terms", "low"):
                if key not in value:
                    corrupt = replaced(document, path, value | {key: "1"})
                    assert not accepted_by_reader(corrupt), (path, key)
                    assert not VALIDATOR.is_valid(corrupt), (path, key)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), "instance/2"),
        (("name",), ""),
        (("name",), "   "),
        (("name",), "a\n"),
        (("name",), "a\tb"),
        (("name",), "\u00a0"),
        (("name",), "a\x85"),
        (("name",), "a" * 121),
        (("origin",), "a" * 2001),
        (("chain", "initial"), -1),
        (("chain", "initial"), 0.5),
        (("chain", "initial"), 2**21),
        (("chain", "transition"), [[]]),
        (("chain", "transition"), {"rows": 0, "entries": [[0, 0, 1]]}),
        (("chain", "transition"), {"rows": 2**21 + 1, "entries": [[0, 0, 1]]}),
        (("chain", "transition"), {"rows": 2, "entries": []}),
        (("chain", "transition"), {"rows": 2, "entries": [[0, 0, 1], [1, 1]]}),
        (("chain", "transition"), {"rows": 2, "entries": [[0, 0, 1], [1, 1, 1, 1]]}),
        (("chain", "transition"), {"rows": 2, "entries": [[0, 0, 1], [-1, 1, 1]]}),
        (("chain", "inputs"), [["0"] * 65] * 2),
        (("activation", "kind"), "relu"),
        (("activation", "terms", 0, "of"), "mixture"),
        (("activation", "terms"), [{"weight": 1, "of": "sin"}] * 65),
        (("law", "C"), {"kind": "normal", "mean": "0", "std": "1"}),
        (("law", "C"), {"kind": "uniform", "low": ["0"], "high": ["1"]}),
        (("law", "W"), {"kind": "constant", "value": "1"}),
        (("law", "W"), {"kind": "normal", "mean": ["0", "0"], "std": ["1", "1"]}),
        (("law",), {"kind": "atoms", "atoms": [{"p": 1, "C": 0, "W": 0, "B": 0}]}),
        (("training", "alpha"), "1e1001"),
        (("training", "alpha"), "1/0"),
        (("training", "alpha"), "1\n"),
        (("training", "alpha"), "0" * 2100 + "1"),
    ],
)
def test_both_refuse_a_document_of_the_wrong_form(path, value):
    corrupt = replaced(VALID, path, value)
    assert not VALIDATOR.is_valid(corrupt)
    assert not accepted_by_reader(corrupt)


@given(st.text("0123456789+-./eE \n", max_size=9))
def test_both_read_the_same_number_texts(text):
    assert NUMBER_TEXT.is_valid(text) == (strict_json.parse_number(text) is not None)


@pytest.mark.parametrize("digits", ["1000", "0001000", "000001000", "0000001000", "1001", "9999"])
def test_both_limit_an_exponent(digits):
    text = f"0e-{digits}"
    assert NUMBER_TEXT.is_valid(text) == (strict_json.parse_number(text) is not None)


def test_both_have_the_same_limits():
    def at(*path):
        return value_at(SCHEMA, path)

    definitions = ("$defs",)
    sparse = (*definitions, "sparse_matrix", "properties")
    assert [
        at("properties", "schema", "const"),
        at("properties", "name", "maxLength"),
        at("properties", "origin", "maxLength"),
        at(*definitions, "family", "enum"),
        at(*definitions, "number_text", "maxLength"),
        at(*definitions, "vector", "maxItems"),
        at(*definitions, "state", "anyOf", 0, "maximum"),
        at(*definitions, "chain", "properties", "inputs", "maxItems"),
        at(*definitions, "chain", "properties", "targets", "maxItems"),
        at(*definitions, "dense_matrix", "maxItems"),
        at(*definitions, "dense_matrix", "items", "maxItems"),
        at(*sparse, "rows", "anyOf", 0, "maximum"),
        at(*sparse, "entries", "maxItems"),
        at(*definitions, "activation", "properties", "kind", "enum"),
        at(*definitions, "activation", "then", "properties", "terms", "maxItems"),
        at(*definitions, "joint_law", "properties", "atoms", "maxItems"),
    ] == [
        instance.SCHEMA,
        instance.MAX_NAME,
        instance.MAX_ORIGIN,
        list(instance.FAMILIES),
        strict_json.MAX_NUMBER_CHARACTERS,
        instance.MAX_DIMENSION,
        instance.MAX_SPARSE_STATES - 1,
        instance.MAX_SPARSE_STATES,
        instance.MAX_SPARSE_STATES,
        instance.MAX_DENSE_STATES,
        instance.MAX_DENSE_STATES,
        instance.MAX_SPARSE_STATES,
        instance.MAX_ENTRIES,
        [*instance.FAMILIES, "mixture"],
        instance.MAX_TERMS,
        instance.MAX_ATOMS,
    ]


def test_the_schema_accepts_the_gallery():
    files = [
        file
        for file in resources.files("verification.gallery").iterdir()
        if file.name.endswith(".json")
    ]
    documents = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    ours = [document for document in documents if document["schema"] == instance.SCHEMA]
    assert ours
    assert [document["name"] for document in ours if not VALIDATOR.is_valid(document)] == []
