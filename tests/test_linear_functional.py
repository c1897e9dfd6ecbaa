"""The second kind of instance: read strictly, written exactly, described by its schema."""

from __future__ import annotations

import copy
import json
from fractions import Fraction
from importlib import resources

import pytest
from jsonschema import Draft202012Validator

from verification import gallery, linear_functional, strict_json
from verification.errors import InvalidInstance
from verification.linear_functional import (
    SCHEMA,
    Airy,
    Box,
    BumpTraining,
    DampedReciprocal,
    Exponential,
    Gaussian,
    LinearFunctional,
    Network,
    PowerLaw,
    Switching,
)
from verification.subject import read_subject

DESCRIPTION = json.loads(
    resources.files("verification").joinpath("linear_functional.schema.json").read_text()
)
VALIDATOR = Draft202012Validator(DESCRIPTION)
F = Fraction

VALID = {
    "schema": "linear-functional/1",
    "name": "valid",
    "origin": "written for this test",
    "target": [
        [
            {"kind": "exponential", "coefficient": "1", "rate": "1/3", "power": 2},
            {
                "kind": "exponential",
                "coefficient": 0.1,
                "rate": 1,
                "frequency": "2",
                "sine": "-0.5",
            },
        ],
        [
            {"kind": "power-law", "coefficient": "-1", "exponent": "0.2"},
            {"kind": "box", "height": 1, "start": 0, "length": "0.1"},
        ],
        [
            {"kind": "damped-reciprocal", "coefficient": "2", "rate": "1/2"},
            {"kind": "gaussian", "coefficient": -1, "centre": "5", "width": "0.5"},
            {"kind": "airy", "coefficient": "1", "scale": "2.25", "shift": "-2"},
            {"kind": "switching", "coefficient": "1/3", "rate": 2, "times": ["1/2", 1, "1.5"]},
        ],
    ],
    "widths": [0, 1, "4"],
    "beta": "1/6",
    "network": {"W": [["-1", 0], ["1/2", -2]], "U": [[1, 0, 3], ["0", 2, 1]], "c": ["1", -1]},
    "training": {
        "bump": {"height": "-1", "length": "1/2"},
        "delays": ["1", 2, "5/2"],
        "radius": "0.25",
    },
}


def read(document) -> LinearFunctional:
    found = read_subject(strict_json.loads(json.dumps(document)))
    assert isinstance(found, LinearFunctional)
    return found


def edited(path, value):
    document = copy.deepcopy(VALID)
    at = document
    for key in path[:-1]:
        at = at[key]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return document


def paths(value, at=()):
    found = [at] if at else []
    members = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, member in members:
        found += paths(member, (*at, key))
    return found


def test_every_part_is_read():
    assert read(VALID) == LinearFunctional(
        name="valid",
        origin="written for this test",
        target=(
            (
                Exponential(coefficient=F(1), rate=F(1, 3), power=2),
                Exponential(coefficient=F(1, 10), rate=F(1), frequency=F(2), sine=F(-1, 2)),
            ),
            (
                PowerLaw(coefficient=F(-1), exponent=F(1, 5)),
                Box(height=F(1), start=F(0), length=F(1, 10)),
            ),
            (
                DampedReciprocal(coefficient=F(2), rate=F(1, 2)),
                Gaussian(coefficient=F(-1), centre=F(5), width=F(1, 2)),
                Airy(coefficient=F(1), scale=F(9, 4), shift=F(-2)),
                Switching(coefficient=F(1, 3), rate=F(2), times=(F(1, 2), F(1), F(3, 2))),
            ),
        ),
        widths=(0, 1, 4),
        beta=F(1, 6),
        network=Network(
            w=((F(-1), F(0)), (F(1, 2), F(-2))),
            u=((F(1), F(0), F(3)), (F(0), F(2), F(1))),
            c=(F(1), F(-1)),
        ),
        training=BumpTraining(
            height=F(-1),
            length=F(1, 2),
            delays=(F(1), F(2), F(5, 2)),
            radius=F(1, 4),
        ),
    )
    assert (read(VALID).channels, read(VALID).network.width) == (3, 2)


def test_what_is_written_is_read_again():
    found = read(VALID)
    assert read(found.to_json()) == found
    assert VALIDATOR.is_valid(found.to_json())
    short = edited(("network",), None)
    del short["origin"]
    del short["training"]["radius"]
    assert read(read(short).to_json()) == read(short)
    del short["training"]
    assert read(read(short).to_json()) == read(short)
    assert read(short).training is None


@pytest.mark.parametrize("name", gallery.names_of(SCHEMA))
def test_the_gallery_agrees_with_the_schema_and_shows_its_numbers(name):
    text = resources.files(gallery).joinpath(f"{name}.json").read_text(encoding="utf-8")
    document = json.loads(text)
    assert list(VALIDATOR.iter_errors(document)) == []
    assert read(document).to_json() == document
    assert max(map(len, text.splitlines())) <= 400


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("width",), 1, "has the unknown key \"width\", nearest known key: 'widths'"),
        (("target",), None, "lacks the key 'target', expected schema, name, target, widths"),
        (("target",), [], "target: has 0 elements, expected 1 to 16 channels"),
        (("target", 0), {}, "target[0]: is an object, expected a list of parts"),
        (
            ("target", 0, 0, "kind"),
            "exponentail",
            (
                'target[0][0].kind: is "exponentail", expected one of exponential, power-law, box, '
                "damped-reciprocal, gaussian, airy, switching (did you mean 'exponential'?)"
            ),
        ),
        (
            ("target", 0, 0, "rate"),
            "0",
            'target[0][0].rate: is "0", expected a positive number',
        ),
        (
            ("target", 0, 0, "power"),
            33,
            "target[0][0].power: is 33, expected an integer from 0 to 32",
        ),
        (
            ("target", 0, 1, "frequency"),
            None,
            "target[0][1]: lacks the key 'frequency', expected it beside 'sine'",
        ),
        (
            ("target", 1, 0, "exponent"),
            -1,
            "target[1][0].exponent: is -1, expected a positive number",
        ),
        (("target", 1, 1, "start"), -1, "target[1][1].start: is -1, expected a number that is not"),
        (("target", 1, 1, "length"), 0, "target[1][1].length: is 0, expected a positive number"),
        (("target", 2, 0, "rate"), 0, "target[2][0].rate: is 0, expected a positive number"),
        (("target", 2, 1, "centre"), -1, "target[2][1].centre: is -1, expected a number that is"),
        (("target", 2, 1, "width"), 0, "target[2][1].width: is 0, expected a positive number"),
        (("target", 2, 2, "scale"), -1, "target[2][2].scale: is -1, expected a positive number"),
        (
            ("target", 2, 2, "shift"),
            "45",
            (
                'target[2][2].shift: is "45", expected at most 400/9 in size: '
                "100 over the scale, 9/4"
            ),
        ),
        (("target", 2, 3, "times", 0), 0, "target[2][3].times[0]: is 0, expected above 0"),
        (
            ("target", 2, 3, "times", 1),
            "0.5",
            'target[2][3].times[1]: is "0.5", expected more than the time before it, 1/2',
        ),
        (
            ("target", 2, 3, "times"),
            list(range(1, 66)),
            "target[2][3].times: has 65 elements, expected 0 to 64 times",
        ),
        (("widths",), [], "widths: has 0 elements, expected 1 to 16 widths"),
        (("widths",), [2, 1], "widths[1]: is 1, expected more than the width before it, 2"),
        (("widths",), [33], "widths[0]: is 33, expected an integer from 0 to 32"),
        (("beta",), "-1", 'beta: is "-1", expected a positive number'),
        (("network", "W", 1), ["1"], "network.W[1]: has 1 elements, expected 2 numbers"),
        (("network", "U"), [["1", "0"]], "network.U: has 1 elements, expected 2 rows"),
        (("network", "U", 0), ["1"], "network.U[0]: has 1 elements, expected 3 numbers"),
        (("network", "c"), ["1"], "network.c: has 1 elements, expected 2 numbers"),
        (("training", "delays"), [], "training.delays: has 0 elements, expected 1 to 16 delays"),
        (
            ("training", "delays"),
            ["2", "2"],
            'training.delays[1]: is "2", expected more than the delay before it, 2',
        ),
        (("training", "delays", 0), 0, "training.delays[0]: is 0, expected a positive number"),
        (("training", "radius"), -1, "training.radius: is -1, expected a positive number"),
        (
            ("training", "bump", "length"),
            "0",
            'training.bump.length: is "0", expected a positive number',
        ),
        (
            ("training", "bump", "start"),
            1,
            'training.bump: has the unknown key "start", nearest known key:',
        ),
        (("training", "bump"), None, "training: lacks the key 'bump', expected bump, delays"),
        (("network", "w"), [], "network: has the unknown key \"w\", nearest known key: 'W'"),
    ],
)
def test_a_mistake_is_one_line_that_says_where(path, value, message):
    with pytest.raises(InvalidInstance) as caught:
        read(edited(path, value))
    assert str(caught.value).startswith(message)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("wrong", [True, {}, [], [[]], {"kind": "none"}, "no number"])
def test_reader_and_schema_refuse_a_value_of_the_wrong_kind(wrong):
    # Texts like any other, and channels without parts, which are zero.
    allowed = [(("name",), "no number"), (("origin",), "no number")]
    allowed += [(("target", 0), []), (("target", 1), []), (("target", 2), [])]
    allowed += [(("target",), [[]]), (("target", 2, 3, "times"), [])]
    for path in paths(VALID):
        if (path, wrong) in allowed:
            continue
        corrupt = edited(path, wrong)
        with pytest.raises(InvalidInstance):
            read(corrupt)
        assert not VALIDATOR.is_valid(corrupt), path


def test_reader_and_schema_agree_on_what_may_be_left_out():
    optional = {
        ("origin",),
        ("network",),
        ("beta",),
        ("training",),
        ("training", "radius"),
        ("target", 0, 0, "power"),
        ("target", 0, 1, "sine"),
    }
    for path in paths(VALID):
        if isinstance(path[-1], str):
            corrupt = edited(path, None)
            assert VALIDATOR.is_valid(corrupt) == (path in optional), path
            if path in optional:
                read(corrupt)
            else:
                with pytest.raises(InvalidInstance):
                    read(corrupt)


def test_reader_and_schema_have_the_same_limits():
    definitions, top = DESCRIPTION["$defs"], DESCRIPTION["properties"]
    assert [
        top["schema"]["const"],
        top["target"]["maxItems"],
        top["target"]["items"]["maxItems"],
        top["widths"]["maxItems"],
        top["training"]["properties"]["delays"]["maxItems"],
        top["widths"]["items"]["anyOf"][0]["maximum"],
        definitions["rows"]["maxItems"],
        definitions["vector"]["maxItems"],
        definitions["exponential"]["properties"]["power"]["anyOf"][0]["maximum"],
        tuple(definitions["part"]["properties"]["kind"]["enum"]),
        definitions["switching"]["properties"]["times"]["maxItems"],
    ] == [
        SCHEMA,
        linear_functional.MAX_CHANNELS,
        linear_functional.MAX_PARTS,
        linear_functional.MAX_WIDTHS,
        linear_functional.MAX_DELAYS,
        linear_functional.MAX_WIDTH,
        linear_functional.MAX_UNITS,
        max(linear_functional.MAX_UNITS, linear_functional.MAX_CHANNELS),
        linear_functional.MAX_POWER,
        linear_functional.PARTS,
        linear_functional.MAX_SWITCHES,
    ]
