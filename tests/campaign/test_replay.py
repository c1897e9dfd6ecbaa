"""Replay files: what a report writes is read back, and nothing else is."""

from __future__ import annotations

import copy
import json

import pytest
import toy_claims as toys
from hypothesis import given
from hypothesis import strategies as st
from toy_claims import DRAWN, FALSE, TESTED, TRUE

from theorems import CLAIMS
from verification import gallery, strict_json
from verification.campaign import replay
from verification.decision import decide
from verification.errors import InvalidInstance
from verification.report.files import REPLAY_SCHEMA, write_counterexample
from verification.runner import run_task

TOYS = (TRUE, FALSE, DRAWN, TESTED)


def asked(**changes):
    return {
        "schema": "replay/1",
        "claim": "G1",
        "mutant": "doubled",
        "seed": 11,
        "instance": toys.document(),
    } | changes


def read(document, claims=TOYS):
    return replay.read(strict_json.loads(json.dumps(document)), claims)


def without_time(result):
    return {name: value for name, value in vars(result).items() if name != "seconds"}


def test_the_report_and_the_replay_mean_one_schema():
    assert replay.SCHEMA == REPLAY_SCHEMA == "replay/1"


def test_claim_mutant_seed_and_instance_are_read():
    found = read(asked())
    assert found.mutant == "doubled"
    assert found.task.claim is TESTED
    assert found.task.mutant is TESTED.mutants[1]
    assert found.task.seed == 11
    assert found.task.instance == toys.instance()


@pytest.mark.parametrize("changes", [{"mutant": None}, {"mutant": ...}])
def test_without_a_mutant_it_is_the_claim(changes):
    document = {key: value for key, value in asked(**changes).items() if value is not ...}
    found = read(document)
    assert (found.mutant, found.task.mutant) == (None, None)


def test_without_a_seed_it_is_0():
    document = asked()
    del document["seed"]
    assert read(document).task.seed == 0


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_seeds(seed):
    assert read(asked(seed=seed)).task.seed == seed
    assert read(asked(seed=str(seed))).task.seed == seed


@pytest.mark.parametrize("mutant", [None, "swapped", "doubled"])
@pytest.mark.parametrize("seed", [0, 2**63 - 1])
def test_what_the_report_writes_is_read(tmp_path, mutant, seed):
    instance = toys.instance("a name with spaces", origin="these tests")
    path = write_counterexample(tmp_path, "G1", mutant, instance, seed)
    found = replay.load(path, TOYS)
    assert found.task.claim.id == "G1"
    assert found.mutant == mutant
    assert found.task.seed == seed
    assert found.task.instance == instance


@pytest.mark.parametrize("name", gallery.names())
def test_every_instance_of_the_gallery_survives(tmp_path, name):
    instance = gallery.load(name)
    claim = next(claim for claim in CLAIMS if claim.kind == instance.schema)
    path = write_counterexample(tmp_path, claim.id, None, instance, 0)
    assert replay.load(path, CLAIMS).task.instance == instance


@pytest.mark.parametrize("seed", [3, 4])
def test_it_is_decided_on_the_same_draws(tmp_path, seed):
    path = write_counterexample(tmp_path, "D1", None, toys.instance(), seed)
    again = run_task(replay.load(path, TOYS).task, None)
    assert without_time(again) == without_time(decide(DRAWN, toys.instance(), seed=seed))
    assert without_time(again) != without_time(decide(DRAWN, toys.instance(), seed=seed + 1))


@pytest.mark.parametrize(
    ("changes", "path", "problem"),
    [
        ({"schema": "replay/2"}, "schema", 'is "replay/2", expected one of replay/1'),
        ({"schema": 1}, "schema", "is 1, expected one of replay/1"),
        ({"claim": "Z1"}, "claim", 'is "Z1", expected one of T1, F1, D1, G1'),
        ({"claim": ["G1"]}, "claim", "is a list of 1, expected one of T1, F1, D1, G1"),
        ({"claim": "T1"}, "mutant", 'is "doubled", expected one of '),
        ({"mutant": "trebled"}, "mutant", 'is "trebled", expected one of swapped, doubled'),
        ({"mutant": ""}, "mutant", 'is "", expected a non-empty string'),
        ({"mutant": ["doubled"]}, "mutant", "is a list of 1, expected a non-empty string"),
        ({"mutant": "x" * 10_000}, "mutant", "has 10000 characters, expected at most 120"),
        ({"seed": 2**63}, "seed", "is 9223372036854775808, expected an integer from 0"),
        ({"seed": None}, "seed", "is null, expected a number"),
        ({"seed": True}, "seed", "is true, expected a number"),
        ({"instance": None}, "instance", "is null, expected an object"),
        ({"instance": {}}, "instance", "is an object, expected an object with schema"),
        ({"instance": {"schema": "other/1"}}, "instance.schema", 'is "other/1", expected one of'),
        (
            {"instance": toys.document(**{"law.B.high": "0"})},
            "instance.law.B.high",
            "is 0, expected more than low = 0",
        ),
        ({"sceed": 1}, "", "has the unknown key \"sceed\", nearest known key: 'seed'"),
    ],
)
def test_what_is_malformed_is_named(changes, path, problem):
    with pytest.raises(InvalidInstance) as refused:
        read(asked(**changes))
    assert refused.value.path == path
    assert refused.value.problem.startswith(problem)


@pytest.mark.parametrize("key", ["schema", "claim", "instance"])
def test_what_is_missing_is_named(key):
    document = asked()
    del document[key]
    with pytest.raises(InvalidInstance, match=f"lacks the key '{key}'"):
        read(document)


def test_an_instance_that_the_claim_is_not_about():
    other = toys.claim("O1", kind="other/1")
    with pytest.raises(InvalidInstance) as refused:
        read(asked(claim="O1", mutant=None), (other,))
    assert refused.value.path == "instance.schema"
    assert "expected other/1, which O1 is about" in refused.value.problem


def places(value, path=()):
    """Yield the path of every value in a document."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


JUNK = st.sampled_from([None, True, -1, 2**64, 0.5, "", "x", "1/0", "1e999999", [], [[]], {}])


@given(st.sampled_from(sorted(places(asked()), key=str)), JUNK)
def test_junk_is_refused_or_read_and_nothing_else(path, junk):
    document = {"": copy.deepcopy(asked())}
    *parents, last = ("", *path)
    place = document
    for key in parents:
        place = place[key]
    place[last] = junk
    try:
        found = read(document[""])
    except InvalidInstance:
        return
    # Read: then it is a valid file, and means what it says.
    assert found.task.claim.id == document[""]["claim"]
    assert found.mutant == document[""]["mutant"]


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InvalidInstance, match="cannot be read: No such file or directory"):
        replay.load(tmp_path / "nowhere.json", TOYS)
