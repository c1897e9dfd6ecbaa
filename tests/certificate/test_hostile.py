"""Files that were made to do harm: each is one line, and none takes long."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from certificates import LOPSIDED, made, replaced, sealed

from verification.certificate.check import checking, outcome, reading
from verification.certificate.check.checking import check_file, check_text
from verification.certificate.check.numbers.lattices import largest_common_divisor, work_of_sum
from verification.certificate.check.outcome import Invalid, Refused, Unsupported
from verification.certificate.check.recurrent.memory import projections

GOOD = made("P5", "hidden-state")
SOLUTION = ("cases", 0, "case", "solution", "numerators", 0)
TEXTS = {
    "empty": ("", "not JSON"),
    "no JSON": ("certificate", "not JSON"),
    "a pickle": ("cos\nsystem\n(S'true'\ntR.", "not JSON"),
    "a list": ("[]", "expected an object"),
    "truncated": (json.dumps(GOOD)[:-40], "not JSON"),
    "deep": ("[" * 100_000 + "]" * 100_000, "nested more than 32 deep"),
    "deep objects": ('{"a":' * 10_000, "nested more than 32 deep"),
    "a key twice": ('{"schema": "certificate/1", "schema": "certificate/1"}', "a key twice"),
    "NaN": ('{"schema": NaN}', "contains NaN"),
    "infinite": ('{"schema": -Infinity}', "contains -Infinity"),
    "a huge exponent": ('{"schema": 1e999999999}', "contains 1e999999999"),
    "a decimal point": ('{"schema": 0.5}', r"contains 0\.5"),
    "a huge integer": ('{"schema": ' + "9" * 100_000 + "}", "an integer of 100000 digits"),
    "a surrogate": ('{"schema": "\\ud800"}', "expected an object with"),
    "an open text": ('{"schema": "' + "\\\\" * 10_000, "not JSON"),
}
NUMBERS = {
    "a huge exponent": "1e999999999",
    "many digits": "9" * 5_000,
    "a denominator of 0": "1/0",
    "not a number": "NaN",
    "infinite": "inf",
    "empty": "",
    "other digits": "\u0663",
    "underscores": "1_000",
    "spaces": " 1",
    "a sign twice": "--1",
    "a formula": "2**99999999",
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_is_no_certificate_is_one_line(name):
    text, problem = TEXTS[name]
    with pytest.raises(Refused, match=problem) as found:
        check_text(text)
    assert len(str(found.value)) < 300
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("text", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize(
    "path",
    [SOLUTION, ("instance", "chain", "targets", 0), ("cases", 0, "left", "lower")],
    ids=["witness", "instance", "side"],
)
def test_a_number_that_is_none_is_refused(path, text):
    with pytest.raises(Refused, match=r"^(cases\[0\]|instance)\..*: is .*, expected"):
        check_text(json.dumps(sealed(replaced(GOOD, path, text))))


@pytest.mark.parametrize(
    ("path", "value", "ending"),
    [
        (("cases", 0, "case", "steps"), 10**17, Refused),
        (("cases", 0, "case", "steps"), -1, Refused),
        (("cases", 0, "case", "steps"), True, Refused),
        (("cases",), [], Refused),
        (("cases",), GOOD["cases"] * 1000, Refused),
        (("instance", "chain", "transition"), {"rows": 10**9, "entries": []}, Refused),
        (("instance", "chain", "transition"), {"rows": 400, "entries": []}, Refused),
        (("instance", "schema"), "linear-functional/1", Unsupported),
        (("instance", "name"), "../../etc/passwd\x00", Refused),
        (("instance", "name"), "x" * 10_000, Refused),
        (("claim",), "C1", Unsupported),
        (("claim",), "__import__", Unsupported),
        (("schema",), "certificate/2", Refused),
        (("witness",), {"__class__": "os.system"}, Refused),
        (("witness", "stationary_law"), {"denominator": "0", "numerators": ["0"] * 3}, Invalid),
        (("witness", "stationary_law"), {"denominator": "-1", "numerators": ["0"] * 3}, Invalid),
    ],
)
def test_a_forged_field_is_refused_or_invalid(path, value, ending):
    with pytest.raises(ending):
        check_text(json.dumps(sealed(replaced(GOOD, path, value))))


def test_work_is_limited_whatever_the_file_says(monkeypatch):
    """A chain as large as it may be, whose powers would take minutes."""
    monkeypatch.setattr(checking, "Budget", lambda: outcome.Budget(left=1_000))
    with pytest.raises(Refused, match="asks for more than"):
        check_text(json.dumps(GOOD))


def test_a_case_is_not_counted_twice_in_other_words():
    """0.3 and 3/10 are two texts, and one case."""
    document = made("P4", "rain-tel-aviv")
    case = document["cases"][0]
    again = replaced(case, ("case", "distance"), f"{case['case']['distance']}.0")
    both = sorted([case, again], key=lambda item: json.dumps(item["case"], sort_keys=True))
    with pytest.raises(Invalid, match="in other words"):
        check_text(json.dumps(sealed(document | {"cases": both})))


def test_a_side_of_which_little_is_stated_is_not_shown_as_if_it_were_known():
    """Between 0 and 1E+200, it was shown as 5e+199: on the wrong side of the other one."""
    document = made("C2", "damped-reciprocal")
    document = document | {"cases": document["cases"][:1]}
    wide = {"lower": "0", "upper": "1E+200"}
    (case,) = check_text(json.dumps(sealed(replaced(document, ("cases", 0, "left"), wide)))).cases
    assert case.left == "0 to 1e+200"


def test_a_case_of_0_and_0_says_nothing():
    """Before the first step nothing has moved."""
    document = made("T7Z", "markov-onegin")
    first = document["cases"][0]
    nothing = {"lower": "0", "upper": "0"}
    case = first["case"] | {"path": first["case"]["path"][:1]}
    altered = document | {"cases": [{"case": case, "left": nothing, "right": nothing}]}
    with pytest.raises(Invalid, match="both sides are 0"):
        check_text(json.dumps(sealed(altered)))


def test_a_huge_distance_is_refused_in_words():
    case = ("cases", 0, "case", "distance")
    with pytest.raises(Refused, match="too large or too small"):
        check_text(json.dumps(sealed(replaced(made("P4", "rain-tel-aviv"), case, "9" * 400))))


def test_a_wide_strip_of_a_flat_activation_is_named():
    """Beyond 1e308 no float names a number."""
    document = made("A2", "lopsided")
    flat = {"weight": "1", "of": "tanh", "scale": "1/1" + "0" * 400}
    activation = {"kind": "mixture", "terms": [flat]}
    document = replaced(document, ("instance", "activation"), activation)
    document = replaced(document, ("cases",), document["cases"][:1])
    document = replaced(document, ("cases", 0, "case", "width"), "1" + "0" * 399)
    assert "beyond 1e308" in check_text(json.dumps(sealed(document))).cases[0].what


@pytest.mark.parametrize("step", ["9" * 400, "1/" + "9" * 400])
def test_a_rule_of_a_huge_or_tiny_step_ends_in_words(step):
    document = made("K3", "markov-onegin")
    rule = next(case for case in document["cases"] if case["case"]["of"] == "rule")
    document = document | {"cases": [replaced(rule, ("case", "step"), step)]}
    with pytest.raises((Invalid, Refused), match=r"says nothing|cannot be enclosed"):
        check_text(json.dumps(sealed(document)))


def test_memories_beyond_1e308_apart_are_refused_in_words():
    document = made("P7", LOPSIDED)
    case = next(case for case in document["cases"] if case["case"]["of"] == "memory")
    far = {"denominator": "1", "numerators": ["9" * 400]}
    document = document | {"cases": [replaced(case, ("case", "distance"), far)]}
    with pytest.raises(Invalid, match="memories are not about"):
        check_text(json.dumps(sealed(document)))


def test_a_sum_of_many_values_is_refused():
    """A kilobyte that would ask for gigabytes."""
    document = made("P4", "hidden-state")
    chain = {
        "transition": [["0", "1", "0"], ["0", "0", "1"], ["1", "0", "0"]],
        "inputs": [["1"], ["2"], ["3"]],
        "targets": ["0"] * 3,
        "initial": 0,
    }
    document = replaced(document, ("instance", "chain"), chain)
    law = {"denominator": "3", "numerators": ["1"] * 3}
    document = replaced(document, ("witness", "stationary_law"), law)
    case = {
        "about": "the mean",
        "observable": ["0", "1", "30000000"],
        "start": 0,
        "steps": 2,
        "distance": "3",
    }
    document = replaced(document, ("cases",), document["cases"][:1])
    document = replaced(document, ("cases", 0, "case"), case)
    with pytest.raises(Refused, match="too many values"):
        check_text(json.dumps(sealed(document)))


def test_long_denominators_are_refused_before_they_are_multiplied():
    """Hours of common divisors, of which no operation was counted."""
    numbers = [Fraction(1, 2**13_000 + 2 * k + 1) for k in range(400)]
    with pytest.raises(Refused, match="asks for more than"):
        largest_common_divisor(numbers, outcome.Budget(left=10**6))
    assert work_of_sum(numbers) > outcome.MAX_WORK


def long_vector(first):
    """Return the texts of a vector whose inner products take seconds."""
    return [f"1/{10**3_900 + 2 * k + 1}" for k in range(first, first + 64)]


def test_inner_products_of_long_vectors_are_work():
    vectors = [tuple(map(Fraction, long_vector(0)))]
    with pytest.raises(Refused, match="asks for more than"):
        projections(vectors, vectors[0], outcome.Budget(left=10**6))


def widened(document):
    """Return a certificate about an instance with inputs of many components."""
    law = {"kind": "normal", "mean": ["0"] * 64, "std": "0.001"}
    document = replaced(document, ("instance", "law", "W"), law)
    inputs = [["0.01"] * 64, ["0.02"] * 64]
    return replaced(document, ("instance", "chain", "inputs"), inputs)


@pytest.mark.parametrize("kind", ["entry", "rule"])
def test_points_of_long_vectors_are_refused(kind):
    """Minutes, of which no operation was counted."""
    document = widened(made("K3", "markov-onegin"))
    case = next(case for case in document["cases"] if case["case"]["of"] == kind)
    for k, point in enumerate(("first", "second")):
        case = replaced(case, ("case", point, "input"), long_vector(64 - 64 * k))
    with pytest.raises(Refused, match="asks for more than"):
        check_text(json.dumps(sealed(document | {"cases": [case]})))


def test_units_of_long_vectors_are_refused():
    document = widened(made("O1", "markov-onegin"))
    units = [
        {"p": "1/8", "C": "0.1", "W": long_vector(64 * k), "B": "0.5"} for k in reversed(range(8))
    ]
    first = document["cases"][0]
    case = first | {"case": first["case"] | {"units": units}}
    with pytest.raises(Refused, match="asks for more than"):
        check_text(json.dumps(sealed(document | {"cases": [case]})))


def test_a_chain_of_long_denominators_is_charged_for_its_common_one(monkeypatch):
    """At 400 states of 4000 digits each it took a quarter of an hour, for few operations."""
    size = 50
    entries = []
    for i in range(size):
        denominator = 10**400 + 2 * i + 1
        entries += [[i, (i + 1) % size, f"1/{denominator}"]]
        entries += [[i, i, f"{denominator - 1}/{denominator}"]]
    chain = {
        "transition": {"rows": size, "entries": entries},
        "inputs": [["1"]] * size,
        "targets": ["0"] * size,
        "initial": 0,
    }
    law = {"denominator": str(size), "numerators": ["1"] * size}
    document = replaced(made("P5", "hidden-state"), ("instance", "chain"), chain)
    document = sealed(replaced(document, ("witness", "stationary_law"), law))
    with pytest.raises(Invalid, match="is not a stationary law"):
        check_text(json.dumps(document))
    monkeypatch.setattr(checking, "Budget", lambda: outcome.Budget(left=400_000))
    with pytest.raises(Refused, match="asks for more than"):
        check_text(json.dumps(document))


def test_a_file_is_not_read_beyond_its_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MAX_BYTES", 1_000)
    file = tmp_path / "certificate.json"
    file.write_text(json.dumps(GOOD))
    with pytest.raises(Refused, match="more than 1000 bytes"):
        check_file(file)


@pytest.mark.parametrize("name", ["missing.json", ".", "a\x00b"])
def test_what_is_no_file_is_refused(tmp_path, name):
    with pytest.raises(Refused, match="is no file"):
        check_file(tmp_path / name)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    file = tmp_path / "certificate.json"
    file.write_bytes(b"{\xff}")
    with pytest.raises(Refused, match="byte 1 is not UTF-8"):
        check_file(file)


def test_a_name_cannot_write_to_the_terminal():
    document = sealed(replaced(GOOD, ("instance", "name"), "\x1b[2J"))
    with pytest.raises(Refused, match="control characters"):
        check_text(json.dumps(document))


@pytest.mark.parametrize(
    ("claim_id", "key"), [("T1", "networks"), ("T3", "networks"), ("T8", "units")]
)
def test_networks_that_no_case_names_are_invalid(claim_id, key):
    document = made(claim_id, "markov-onegin")
    check_text(json.dumps(document))
    assert len(document["witness"][key]) > 1
    width = document["cases"][0]["case"]["width"]
    cases = [item for item in document["cases"] if item["case"]["width"] == width]
    with pytest.raises(Invalid, match=rf"witness\.{key}\[\d\]: nothing of the certificate uses it"):
        check_text(json.dumps(sealed(document | {"cases": cases})))


@pytest.mark.parametrize("claim_id", ["E1", "P7"])
def test_a_grid_that_is_not_asked_for_is_invalid(claim_id):
    """Any two states meet after one step: then no law is pushed along a grid."""
    document, other = made(claim_id, "two-state-sticky"), made("E2", "two-state-sticky")
    assert "grid" not in document["witness"]
    witness = document["witness"] | {"grid": other["witness"]["grid"]}
    with pytest.raises(Invalid, match=r"witness\.grid: nothing of the certificate uses it"):
        check_text(json.dumps(sealed(document | {"witness": witness})))


def test_a_law_that_is_not_asked_for_is_invalid():
    document = made("E1", "erf-uniform")
    points = len(document["witness"]["grid"]["numerators"])
    weights = [[1] * points for _ in document["instance"]["chain"]["targets"]]
    with pytest.raises(Invalid, match=r"witness\.weights: nothing of the certificate uses it"):
        check_text(json.dumps(sealed(replaced(document, ("witness", "weights"), weights))))


def test_a_law_without_a_grid_is_invalid():
    document = made("E1", "two-state-sticky")
    weights = {"weights": made("E2", "two-state-sticky")["witness"]["weights"]}
    with pytest.raises(Invalid, match="no law, without a grid"):
        check_text(json.dumps(sealed(document | {"witness": document["witness"] | weights})))
