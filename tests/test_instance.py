"""Instances: what is read is exact, what is refused is refused in one line with a path."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification import gallery, strict_json
from verification.campaign.strategies import instances
from verification.errors import InvalidInstance
from verification.instance import (
    ActivationSpec,
    Atom,
    AtomicLaw,
    Chain,
    Constant,
    Instance,
    Normal,
    ProductLaw,
    Term,
    Training,
    Uniform,
)
from verification.subject import digest, load_subject, read_subject

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
ATOMS = {
    "kind": "atoms",
    "atoms": [
        {"p": "1/4", "C": "1", "W": ["0.3", "0"], "B": "0.5"},
        {"p": "3/4", "C": "-1", "W": ["0", "1"], "B": "-2"},
    ],
}
A_NUMBER = 'a number such as 0.1, "0.1" or "1/3" (finite, at most 1000 digits)'
REMOVED = object()


def edited(*edits, base=VALID):
    """Return the base document with the values at some paths replaced."""
    document = copy.deepcopy(base)
    for path, value in edits:
        at = document
        for key in path[:-1]:
            at = at[key]
        if value is REMOVED:
            del at[path[-1]]
        else:
            at[path[-1]] = value
    return document


def refusal(text: str) -> str:
    """Return the message with which a file of this content is refused."""
    with pytest.raises(InvalidInstance) as caught:
        read_subject(strict_json.loads(text))
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_every_part_is_read():
    found = Instance.from_json(VALID)
    half, quarter = Fraction(1, 2), Fraction(1, 4)
    assert found == Instance(
        name="valid",
        origin="written for this test",
        chain=Chain(
            rows=(((0, half), (1, half)), ((0, Fraction(1)),)),
            inputs=((Fraction(1), Fraction(2)), (Fraction(-1), quarter)),
            targets=(half, -quarter),
            initial=1,
        ),
        activation=ActivationSpec(
            terms=(
                Term(weight=half, scale=Fraction(2), shift=Fraction(1, 10), of="tanh"),
                Term(weight=Fraction(-1), scale=Fraction(1), shift=Fraction(0), of="sin"),
            )
        ),
        law=ProductLaw(
            c=Uniform(low=(Fraction(-1),), high=(Fraction(1),)),
            w=Normal(mean=(Fraction(3, 5), Fraction(0)), std=Fraction(1)),
            b=Constant(value=(Fraction(1, 3),)),
        ),
        training=Training(
            alpha=Fraction(2), beta=Fraction(3, 4), gamma=Fraction(1, 10), horizon=Fraction(1)
        ),
    )
    assert (found.schema, found.activation.label) == ("instance/1", "mixture")
    assert (found.chain.n_states, found.chain.dimension) == (2, 2)


def test_what_is_optional_may_be_left_out():
    found = Instance.from_json(edited((("origin",), REMOVED), (("training",), REMOVED)))
    assert found == replace(Instance.from_json(VALID), origin=None, training=None)


def test_joint_atoms_are_read():
    assert Instance.from_json(edited((("law",), ATOMS))).law == AtomicLaw(
        atoms=(
            Atom(
                p=Fraction(1, 4),
                c=Fraction(1),
                w=(Fraction(3, 10), Fraction(0)),
                b=Fraction(1, 2),
            ),
            Atom(p=Fraction(3, 4), c=Fraction(-1), w=(Fraction(0), Fraction(1)), b=Fraction(-2)),
        )
    )


def test_a_mixture_of_one_plain_term_is_the_named_activation():
    terms = [{"weight": "1", "of": "erf"}]
    found = Instance.from_json(edited((("activation",), {"kind": "mixture", "terms": terms})))
    assert found.activation == ActivationSpec.named("erf")
    assert found.to_json()["activation"] == {"kind": "erf"}


def test_one_number_may_be_written_in_many_ways():
    first = Instance.from_json(edited((("training", "beta"), "0.75")))
    for text in ("3/4", 0.75, "75e-2", "+.750", "0006/8"):
        other = Instance.from_json(edited((("training", "beta"), text)))
        assert other == first
        assert digest(other) == digest(first)


def test_a_sparse_chain_is_the_dense_chain():
    entries = [[1, "0", 1], [0, 1, "1/2"], [0, 0, 0.5], [1, 1, "0"]]
    sparse = edited((("chain", "transition"), {"rows": 2.0, "entries": entries}))
    assert Instance.from_json(sparse) == Instance.from_json(VALID)
    assert digest(Instance.from_json(sparse)) == digest(Instance.from_json(VALID))


def test_a_mostly_empty_matrix_is_written_sparse():
    n = 5
    ring = [[i, (i + 1) % n, "1"] for i in range(n)]
    found = Instance.from_json(
        edited(
            (("chain", "transition"), {"rows": n, "entries": ring[::-1]}),
            (("chain", "inputs"), [["0", "0"]] * n),
            (("chain", "targets"), ["0"] * n),
        )
    )
    assert found.to_json()["chain"]["transition"] == {"rows": n, "entries": ring}


def test_the_digest_is_that_of_the_canonical_text():
    canonical = (
        '{"activation":{"kind":"mixture","terms":['
        '{"of":"tanh","scale":"2","shift":"0.1","weight":"0.5"},'
        '{"of":"sin","scale":"1","shift":"0","weight":"-1"}]},'
        '"chain":{"initial":1,"inputs":[["1","2"],["-1","0.25"]],"targets":["0.5","-0.25"],'
        '"transition":[["0.5","0.5"],["1","0"]]},'
        '"law":{"B":{"kind":"constant","value":"1/3"},"C":{"high":"1","kind":"uniform","low":"-1"},'
        '"W":{"kind":"normal","mean":["0.6","0"],"std":"1"}},'
        '"name":"valid","origin":"written for this test","schema":"instance/1",'
        '"training":{"alpha":"2","beta":"0.75","gamma":"0.1","horizon":"1"}}'
    )
    found = digest(Instance.from_json(VALID))
    assert found == hashlib.sha256(canonical.encode()).hexdigest()
    assert found == "99631cd65bb56016ae0f189fb6f12dbbc756a683a0bae0710157225f18752a91"
    assert found != digest(Instance.from_json(edited((("name",), "other"))))


@given(instances())
def test_what_is_written_is_read_again(instance):
    document = instance.to_json()
    again = Instance.from_json(document)
    assert again == instance
    assert again.to_json() == document
    assert digest(again) == digest(instance)


@given(instances())
def test_files_dense_and_sparse_are_read_alike(tmp_path_factory, instance):
    document = instance.to_json()
    n = instance.chain.n_states
    rows = [dict(row) for row in instance.chain.rows]
    dense = [[str(row.get(j, 0)) for j in range(n)] for row in rows]
    entries = [[i, j, str(p)] for i, row in enumerate(rows) for j, p in row.items()]
    path = tmp_path_factory.getbasetemp() / "instance.json"
    for transition in (dense, {"rows": n, "entries": entries[::-1]}):
        document["chain"]["transition"] = transition
        path.write_text(json.dumps(document))
        assert Instance.load(path) == instance
        assert load_subject(path) == instance
        assert Instance.load(str(path)) == instance


CHAIN, LAW, TRAINING = ("chain",), ("law",), ("training",)
TERMS = ("activation", "terms")
TRANSITION = (*CHAIN, "transition")
LONG = "9" * 998
SCHEMAS = "instance/1, linear-functional/1"
KINDS = "one of tanh, logistic, erf, arctan, sin, mixture"
B_KIND = 'law.B.kind: is "normal", expected one of uniform, constant'


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        # Keys.
        ([(("nam",), "x")], "has the unknown key \"nam\", nearest known key: 'name'"),
        (
            [((*CHAIN, "transitions"), [])],
            "chain: has the unknown key \"transitions\", nearest known key: 'transition'",
        ),
        (
            [((*TERMS, 1, "shfit"), "0")],
            "activation.terms[1]: has the unknown key \"shfit\", nearest known key: 'shift'",
        ),
        (
            [((*LAW, "b"), {})],
            "law: has the unknown key \"b\", nearest known key: 'B'",
        ),
        (
            [((*TRAINING, "Beta"), "0.8")],
            "training: has the unknown key \"Beta\", nearest known key: 'beta'",
        ),
        (
            [(("law",), REMOVED)],
            "lacks the key 'law', expected schema, name, chain, activation, law",
        ),
        (
            [((*CHAIN, "initial"), REMOVED)],
            "chain: lacks the key 'initial', expected transition, inputs, targets, initial",
        ),
        (
            [((*TRAINING, "gamma"), REMOVED)],
            "training: lacks the key 'gamma', expected alpha, beta, gamma, horizon",
        ),
        # Kinds.
        (
            [(("schema",), "instance/2")],
            f"schema: is \"instance/2\", expected one of {SCHEMAS} (did you mean 'instance/1'?)",
        ),
        ([(("schema",), 1)], "schema: is 1, expected one of instance/1, linear-functional/1"),
        ([(("name",), "")], 'name: is "", expected a non-empty string'),
        ([(("name",), "a" * 121)], "name: has 121 characters, expected at most 120"),
        (
            [(("name",), "a\nb")],
            'name: is "a\\nb", expected a string without control characters',
        ),
        ([(("origin",), None)], "origin: is null, expected a non-empty string"),
        (
            [(("training",), None)],
            "training: is null, expected an object with alpha, beta, gamma, horizon",
        ),
        (
            [(CHAIN, [])],
            "chain: is a list of 0, expected an object with transition, inputs, targets, initial",
        ),
        # The transition matrix.
        ([(TRANSITION, [])], "chain.transition: has 0 elements, expected 1 to 4096 rows"),
        ([(TRANSITION, "1")], 'chain.transition: is "1", expected a list of rows'),
        ([((*TRANSITION, 1), ["1"])], "chain.transition[1]: has 1 elements, expected 2 numbers"),
        ([((*TRANSITION, 0), "1")], 'chain.transition[0]: is "1", expected a list of numbers'),
        ([((*TRANSITION, 0, 1), None)], f"chain.transition[0][1]: is null, expected {A_NUMBER}"),
        ([((*TRANSITION, 0, 1), "0.49")], "chain.transition[0]: row sums to 99/100, expected 1"),
        (
            [((*TRANSITION, 1), ["1.5", "-1/2"])],
            "chain.transition[1][1]: is -0.5, expected a probability",
        ),
        ([((*TRANSITION, 1, 0), "0")], "chain.transition[1]: row sums to 0, expected 1"),
        (
            [((*TRANSITION, 1, 0), "1e999")],
            "chain.transition[1]: row sums to more than 1e308, expected 1",
        ),
        (
            [((*TRANSITION, 1), [f"1/{LONG}", f"1/{LONG}1"])],
            "chain.transition[1]: row sums to about 0, expected 1",
        ),
        (
            [((*TRANSITION, 1), ["0.5", "0.5" + "0" * 80 + "1"])],
            "chain.transition[1]: row sums to about 1, expected 1",
        ),
        (
            [((*TRANSITION, 0, 1), "1e999999999")],
            f'chain.transition[0][1]: is "1e999999999", expected {A_NUMBER}',
        ),
        (
            [((*TRANSITION, 0, 1), "NaN")],
            f'chain.transition[0][1]: is "NaN", expected {A_NUMBER}',
        ),
        # Sparse.
        (
            [(TRANSITION, {"rows": 2})],
            "chain.transition: lacks the key 'entries', expected rows, entries",
        ),
        (
            [(TRANSITION, {"rows": 0, "entries": []})],
            "chain.transition.rows: is 0, expected an integer from 1 to 2097152",
        ),
        (
            [(TRANSITION, {"rows": 1e12, "entries": []})],
            "chain.transition.rows: is 1000000000000.0, expected an integer from 1 to 2097152",
        ),
        (
            [(TRANSITION, {"rows": 1.5, "entries": []})],
            "chain.transition.rows: is 1.5, expected an integer from 1 to 2097152",
        ),
        (
            [(TRANSITION, {"rows": 2, "entries": [[0, 0, 1]]})],
            "chain.transition.entries: has 1 elements, expected 2 to 16777216 entries",
        ),
        (
            [(TRANSITION, {"rows": 2, "entries": [[0, 0, 1], [1, 0]]})],
            "chain.transition.entries[1]: has 2 elements, expected 3 values [i, j, p]",
        ),
        (
            [(TRANSITION, {"rows": 2, "entries": [[0, 0, 1], [1, 2, 1]]})],
            "chain.transition.entries[1][1]: is 2, expected an integer from 0 to 1",
        ),
        (
            [(TRANSITION, {"rows": 2, "entries": [[0, 0, 1], [0, 0, 1]]})],
            "chain.transition.entries[1]: repeats the entry [0, 0], expected it once",
        ),
        (
            [(TRANSITION, {"rows": 2, "entries": [[0, 0, 1], [0, 1, 1]]})],
            "chain.transition (row 0): row sums to 2, expected 1",
        ),
        (
            [(TRANSITION, {"rows": 2, "entries": [[0, 0, 2], [0, 1, -1], [1, 1, 1]]})],
            "chain.transition (row 0)[1]: is -1, expected a probability",
        ),
        # Inputs, targets, start.
        (
            [((*CHAIN, "inputs"), [["1"]])],
            "chain.inputs: has 1 elements, expected 2 inputs, one a state",
        ),
        (
            [((*CHAIN, "inputs", 0), [])],
            "chain.inputs[0]: has 0 elements, expected 1 to 64 numbers",
        ),
        (
            [((*CHAIN, "inputs", 0), ["0"] * 65)],
            "chain.inputs[0]: has 65 elements, expected 1 to 64 numbers",
        ),
        ([((*CHAIN, "inputs", 1), ["1"])], "chain.inputs[1]: has 1 elements, expected 2 numbers"),
        ([((*CHAIN, "inputs", 1), "1")], 'chain.inputs[1]: is "1", expected a list of numbers'),
        ([((*CHAIN, "targets"), ["1"] * 3)], "chain.targets: has 3 elements, expected 2 numbers"),
        ([((*CHAIN, "targets", 1), [1])], f"chain.targets[1]: is a list of 1, expected {A_NUMBER}"),
        ([((*CHAIN, "initial"), 2)], "chain.initial: is 2, expected an integer from 0 to 1"),
        ([((*CHAIN, "initial"), -1)], "chain.initial: is -1, expected an integer from 0 to 1"),
        ([((*CHAIN, "initial"), 0.5)], "chain.initial: is 0.5, expected an integer from 0 to 1"),
        ([((*CHAIN, "initial"), True)], f"chain.initial: is true, expected {A_NUMBER}"),
        # Activation.
        (
            [(("activation", "kind"), "relu")],
            f'activation.kind: is "relu", expected {KINDS}',
        ),
        (
            [(("activation",), {"kind": "arctanh"})],
            f"activation.kind: is \"arctanh\", expected {KINDS} (did you mean 'arctan'?)",
        ),
        ([(("activation",), "tanh")], 'activation: is "tanh", expected an object with kind'),
        (
            [(("activation", "kind"), "tanh")],
            "activation: has the unknown key \"terms\", nearest known key: 'kind'",
        ),
        ([(TERMS, [])], "activation.terms: has 0 elements, expected 1 to 64 terms"),
        (
            [(TERMS, VALID["activation"]["terms"] * 33)],
            "activation.terms: has 66 elements, expected 1 to 64 terms",
        ),
        (
            [((*TERMS, 0, "weight"), "0.0")],
            'activation.terms[0].weight: is "0.0", expected a number other than 0',
        ),
        (
            [((*TERMS, 0, "scale"), 0)],
            "activation.terms[0].scale: is 0, expected a number other than 0",
        ),
        (
            [((*TERMS, 1, "of"), "mixture")],
            f'activation.terms[1].of: is "mixture", expected {KINDS.removesuffix(", mixture")}',
        ),
        # Laws.
        (
            [(("law",), {"kind": "atom"})],
            "law.kind: is \"atom\", expected one of atoms (did you mean 'atoms'?)",
        ),
        (
            [((*LAW, "B", "kind"), "normal")],
            f"{B_KIND} (did you mean 'uniform'?)",
        ),
        ([((*LAW, "W"), [])], "law.W: is a list of 0, expected an object with kind"),
        ([((*LAW, "W", "mean"), "0")], 'law.W.mean: is "0", expected a list of numbers'),
        ([((*LAW, "W", "mean"), ["0"])], "law.W.mean: has 1 elements, expected 2 numbers"),
        (
            [((*LAW, "W", "std"), "0")],
            'law.W.std: is "0", expected a positive number (or kind constant)',
        ),
        ([((*LAW, "W", "std"), ["1", "1"])], f"law.W.std: is a list of 2, expected {A_NUMBER}"),
        ([((*LAW, "C", "high"), "-1")], "law.C.high: is -1, expected more than low = -1"),
        ([((*LAW, "C", "low"), ["-1"])], f"law.C.low: is a list of 1, expected {A_NUMBER}"),
        (
            [((*LAW, "W"), {"kind": "uniform", "low": ["0", "1/3"], "high": ["1", "1/4"]})],
            "law.W.high[1]: is 0.25, expected more than low = 1/3",
        ),
        ([(LAW, {"kind": "atoms"})], "law: lacks the key 'atoms', expected kind, atoms"),
        (
            [(LAW, {"kind": "atoms", "atoms": []})],
            "law.atoms: has 0 elements, expected 1 to 4096 atoms",
        ),
        (
            [(LAW, edited((("atoms", 1, "p"), "1/2"), base=ATOMS))],
            "law.atoms: probabilities sum to 3/4, expected 1",
        ),
        (
            [(LAW, edited((("atoms", 1, "p"), f"1/{LONG}"), base=ATOMS))],
            "law.atoms: probabilities sum to about 0.25, expected 1",
        ),
        (
            [(LAW, edited((("atoms", 0, "p"), "0"), base=ATOMS))],
            'law.atoms[0].p: is "0", expected a probability above 0',
        ),
        (
            [(LAW, edited((("atoms", 0, "p"), "-1/4"), base=ATOMS))],
            'law.atoms[0].p: is "-1/4", expected a probability above 0',
        ),
        (
            [(LAW, edited((("atoms", 1, "W"), ["0", "0", "0"]), base=ATOMS))],
            "law.atoms[1].W: has 3 elements, expected 2 numbers",
        ),
        # Training.
        (
            [((*TRAINING, "beta"), "1/2")],
            'training.beta: is "1/2", expected a number strictly between 1/2 and 1',
        ),
        (
            [((*TRAINING, "beta"), 1)],
            "training.beta: is 1, expected a number strictly between 1/2 and 1",
        ),
        (
            [((*TRAINING, "gamma"), "0.25")],
            'training.gamma: is "0.25", expected a number strictly between 0 and 1 - beta = 0.25',
        ),
        ([((*TRAINING, "alpha"), "0")], 'training.alpha: is "0", expected a positive number'),
        ([((*TRAINING, "horizon"), -1)], "training.horizon: is -1, expected a positive number"),
    ],
)
def test_a_bad_instance_is_refused_in_one_line(edits, message):
    assert refusal(json.dumps(edited(*edits))) == message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '"initial": 1',
            '"initial": 1, "initial": 0',
            'chain: has the key "initial" twice, expected it once',
        ),
        (
            '"kind": "normal"',
            '"kind": "normal", "std": 1',
            'law.W: has the key "std" twice, expected it once',
        ),
        ('"schema"', '"name": "other", "schema"', 'has the key "name" twice, expected it once'),
        ("-0.25", "NaN", "contains NaN, expected finite numbers only"),
        ("-0.25", "-Infinity", "contains -Infinity, expected finite numbers only"),
        ("-0.25", "1e999999999", f"chain.targets[1]: is 1e999999999, expected {A_NUMBER}"),
        ("-0.25", "-" + "9" * 10_000, f"chain.targets[1]: is -{'9' * 59}..., expected {A_NUMBER}"),
        ("-0.25", '"1/0"', f'chain.targets[1]: is "1/0", expected {A_NUMBER}'),
        ("-0.25", "[" * 500 + "]" * 500, f"chain.targets[1]: is a list of 1, expected {A_NUMBER}"),
        ("-0.25", "[" * 100_000, "is nested too deeply, expected an instance file"),
        ("-0.25", "", "line 1, column 187: not JSON: Expecting value"),
        (
            '"valid"',
            '"\\ud800"',
            'name: is "\\ud800", expected a string without control characters',
        ),
    ],
    ids=range(12),
)
def test_a_bad_text_is_refused_in_one_line(old, new, message):
    text = json.dumps(VALID)
    assert text.count(old) == 1
    assert refusal(text.replace(old, new)) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "is a list of 0, expected an object with schema"),
        ("null", "is null, expected an object with schema"),
        ("{}", "is an object, expected an object with schema"),
        (
            '{"schema": "instance"}',
            f"schema: is \"instance\", expected one of {SCHEMAS} (did you mean 'instance/1'?)",
        ),
        (
            '{"schema": "instance/1"}',
            "lacks the key 'name', expected schema, name, chain, activation, law",
        ),
    ],
)
def test_what_is_no_instance_is_refused(text, message):
    assert refusal(text) == message


def test_a_document_of_python_objects_is_read_as_strictly():
    with pytest.raises(InvalidInstance, match=r"^contains NaN, expected finite numbers only$"):
        Instance.from_json(edited(((*CHAIN, "targets", 0), float("nan"))))


@given(instances(max_states=3), st.data())
def test_whatever_is_broken_the_fault_is_one_line(instance, data):
    text = json.dumps(instance.to_json())
    at = data.draw(st.integers(0, len(text)))
    deleted = data.draw(st.integers(0, 12))
    inserted = data.draw(st.text('{}[]",:-/.e0123456789truefalsnNaN \n\\', max_size=4))
    broken = text[:at] + inserted + text[at + deleted :]
    try:
        found = read_subject(strict_json.loads(broken))
    except InvalidInstance as error:
        message = str(error)
    else:
        assert Instance.from_json(found.to_json()) == found
        message = "accepted"
    assert message.isprintable()


def test_the_exception_survives_the_way_between_processes():
    with pytest.raises(InvalidInstance) as caught:
        Instance.from_json(edited((("name",), "")))
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again)) == (InvalidInstance, str(caught.value))
    assert (again.path, again.problem) == ("name", 'is "", expected a non-empty string')


def test_hashes_are_those_of_every_process():
    # They travel with instances to workers, where they key caches.
    program = (
        "from verification import gallery\n"
        "found = gallery.load_all('instance/1')\n"
        "print([(hash(i), hash(i.law), hash(i.activation)) for i in found])"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1


@pytest.mark.parametrize("name", ["mixture-activation", "sharp-convergence", "zero-memory-atoms"])
def test_equal_instances_have_one_hash_and_unequal_ones_differ(name):
    instance = gallery.load(name)
    again = Instance.from_json(instance.to_json())
    assert again == instance
    assert hash(again) == hash(pickle.loads(pickle.dumps(instance))) == hash(instance)
    other = replace(instance, activation=ActivationSpec.named("sin"))
    assert other != instance
    assert hash(other) != hash(instance)
    assert hash(replace(other, law=gallery.load("one-state").law)) != hash(other)
