"""Files that were made to do harm: each is one line, and none takes long."""

from __future__ import annotations

import json

import pytest
from certificates import made, replaced, sealed

from verification.certificate.check import checking, outcome, reading
from verification.certificate.check.checking import check_file, check_text
from verification.certificate.check.outcome import Invalid, Refused, Unsupported

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
