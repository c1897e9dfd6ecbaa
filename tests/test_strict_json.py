"""Strict JSON: exact numbers, and every fault one line with a path."""

from __future__ import annotations

import errno
import os
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification import strict_json
from verification.errors import InvalidInstance
from verification.strict_json import (
    MAX_NUMBER_CHARACTERS,
    Node,
    NumberText,
    format_number,
    load,
    loads,
    parse_number,
)

A_NUMBER = 'a number such as 0.1, "0.1" or "1/3" (finite, at most 1000 digits)'


def problem_of(call) -> str:
    with pytest.raises(InvalidInstance) as caught:
        call()
    message = str(caught.value)
    assert message.isprintable()
    return message


# Numbers.


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", Fraction(1, 10)),
        ("1e-3", Fraction(1, 1000)),
        ("1/3", Fraction(1, 3)),
        ("-0", Fraction(0)),
        ("+2", Fraction(2)),
        ("2.", Fraction(2)),
        (".5", Fraction(1, 2)),
        ("-.5E+1", Fraction(-5)),
        ("007", Fraction(7)),
        ("-4/006", Fraction(-2, 3)),
        ("1e999", Fraction(10**999)),
        ("1e-0000999", Fraction(1, 10**999)),
        ("0e1000", Fraction(0)),
        ("0" * MAX_NUMBER_CHARACTERS, Fraction(0)),
    ],
)
def test_a_number_is_what_it_shows(text, value):
    assert parse_number(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *["", ".", "+", "-", "e1", ".e1", "1e", "1e+", "1e1.5", "--1", "1 ", " 1", "1\n", "1_0"],
        *["1/", "/1", "1/0", "1/-2", "1.5/2", "1/2e1", "1,5", "0x1", "nan", "inf", "Infinity"],
        *["\u0661", "\uff11", "0e1001", "0e-1001", "1e1000", "1e-1000"],
        *["1e999999999", "1e0000000001", "9" * 1001, "1/1" + "0" * 1000],
        "0" * (MAX_NUMBER_CHARACTERS + 1),
    ],
)
def test_no_other_text_is_a_number(text):
    assert parse_number(text) is None


@given(
    st.from_regex(
        r"[+-]?([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})([eE][+-]?[0-9]{1,2})?",
        fullmatch=True,
        alphabet="0123456789+-.eE",
    )
)
def test_a_decimal_is_read_as_python_reads_it(text):
    assert parse_number(text) == Fraction(text)


@given(st.text("0123456789+-./eE_ \n", max_size=8))
def test_what_is_read_is_read_as_python_reads_it(text):
    value = parse_number(text)
    assert value is None or value == Fraction(text)


@given(st.fractions())
def test_a_formatted_number_is_read_back(value):
    assert parse_number(format_number(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        *["1e999", "1e-999", "0." + "9" * 999, "9" * 1000, "." + "0" * 500 + "1e-400"],
        *[f"1/{2**3300}", f"{10**999 + 1}/{10**1000 - 1}", f"{10**600}.{'5' * 332}e-3"],
    ],
)
def test_what_is_read_at_the_limits_is_written_and_read_again(text):
    value = parse_number(text)
    assert value is not None
    assert parse_number(format_number(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(0), "0"),
        (Fraction(-12), "-12"),
        (Fraction(1, 10), "0.1"),
        (Fraction(-5, 4), "-1.25"),
        (Fraction(-1, 1024), "-0.0009765625"),
        (Fraction(1, 3), "1/3"),
        (Fraction(-7, 6), "-7/6"),
    ],
)
def test_a_number_is_formatted_as_the_decimal_it_is_else_as_a_fraction(value, text):
    assert format_number(value) == text


# Files.


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1, column 1: not JSON: Expecting value"),
        (b" \n ", "line 2, column 2: not JSON: Expecting value"),
        (b"\x89PNG\r\n\x1a\n\x00", "byte 0 is not UTF-8, expected a JSON file"),
        ('{"a": 1}'.encode("utf-16"), "byte 0 is not UTF-8, expected a JSON file"),
        (b'{"a": "\xff"}', "byte 7 is not UTF-8, expected a JSON file"),
        ('{"a": 1}'.encode("utf-16-be"), "line 1, column 1: not JSON: Expecting value"),
        (b'{"a": NaN}', "contains NaN, expected finite numbers only"),
        (b'{"a": Infinity}', "contains Infinity, expected finite numbers only"),
        (b'{"a": [-Infinity]}', "contains -Infinity, expected finite numbers only"),
        (b"{} {}", "line 1, column 4: not JSON: Extra data"),
        (b'{"a": 01}', "line 1, column 8: not JSON: Expecting ',' delimiter"),
        (b'{"a": +1}', "line 1, column 7: not JSON: Expecting value"),
        (b'{"a": .5}', "line 1, column 7: not JSON: Expecting value"),
        (b'{"a": "b\n"}', "line 1, column 9: not JSON: Invalid control character at"),
        (b"{'a': 1}", None),
        (b'{"a": 1', "line 1, column 8: not JSON: Expecting ',' delimiter"),
        (b"[" * 100_000, "is nested too deeply, expected an instance file"),
        (b'{"a":' * 100_000, "is nested too deeply, expected an instance file"),
    ],
)
def test_a_file_that_is_not_json_is_one_line(tmp_path, content, message):
    path = tmp_path / "file.json"
    path.write_bytes(content)
    problem = problem_of(lambda: load(path))
    if message is None:  # Python's wording of this one differs between versions
        assert problem.startswith("line 1, column 2: not JSON: ")
    else:
        assert problem == message


def test_a_byte_order_mark_is_read_over(tmp_path):
    path = tmp_path / "file.json"
    path.write_bytes(b"\xef\xbb\xbf[1]")
    assert load(path) == loads("[1]")


def test_what_is_no_readable_file_is_one_line(tmp_path):
    loop = tmp_path / "loop.json"
    loop.symlink_to(loop)
    beyond = tmp_path / "file.json" / "beyond"
    (tmp_path / "file.json").write_text("[]")
    expected = {
        tmp_path: "is a folder, expected a JSON file",
        tmp_path / "absent.json": f"cannot be read: {os.strerror(errno.ENOENT)}",
        loop: f"cannot be read: {os.strerror(errno.ELOOP)}",
        beyond: f"cannot be read: {os.strerror(errno.ENOTDIR)}",
        Path("a\0b"): "cannot be read: embedded null byte",
        tmp_path / ("a" * 300): f"cannot be read: {os.strerror(errno.ENAMETOOLONG)}",
    }
    found = {path: problem_of(lambda path=path: load(path)) for path in expected}
    assert found == expected


def test_a_file_has_a_size_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(strict_json, "MAX_FILE_BYTES", 4)
    path = tmp_path / "file.json"
    path.write_text("[12]")
    assert load(path).value == [NumberText("12")]
    path.write_text("[123]")
    assert problem_of(lambda: load(path)) == "file has more than 4 bytes"


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no /dev/zero on this system")
def test_a_file_without_end_has_the_same_limit(monkeypatch):
    monkeypatch.setattr(strict_json, "MAX_FILE_BYTES", 4)
    assert problem_of(lambda: load(Path("/dev/zero"))) == "file has more than 4 bytes"


def test_a_repeated_key_is_found_at_once_among_many():
    many = ",".join(f'"{i}":1' for i in range(200_000))
    last = loads(f'{{{many},"199999":2}}')
    assert problem_of(lambda: last.fields(("0",))) == 'has the key "199999" twice, expected it once'


@given(st.binary(max_size=40))
def test_whatever_the_bytes_the_fault_is_one_line(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "bytes.json"
    path.write_bytes(content)
    try:
        message = load(path).shown()
    except InvalidInstance as error:
        message = str(error)
    assert message.isprintable()


# Nodes.


def test_a_number_keeps_its_text():
    node = loads('{"a": 0.10, "b": 1e400, "c": 12345678901234567890}')
    assert node.value == {
        "a": NumberText("0.10"),
        "b": NumberText("1e400"),
        "c": NumberText("12345678901234567890"),
    }


def node(text: str) -> Node:
    return Node(loads(text).value, "here")


@pytest.mark.parametrize(
    ("text", "ask", "message"),
    [
        ("[]", lambda x: x.fields(("a", "b")), "is a list of 0, expected an object with a, b"),
        ("null", lambda x: x.fields(("a",)), "is null, expected an object with a"),
        ('{"a": 1}', lambda x: x.fields(("a", "b")), "lacks the key 'b', expected a, b"),
        (
            '{"transitions": 1}',
            lambda x: x.fields(("inputs", "transition")),
            "has the unknown key \"transitions\", nearest known key: 'transition'",
        ),
        (
            '{"qqq": 1}',
            lambda x: x.fields(("inputs",), ("origin",)),
            "has the unknown key \"qqq\", nearest known key: 'origin'",
        ),
        (
            '{"a\\nb": 1}',
            lambda x: x.fields(("ab",)),
            "has the unknown key \"a\\nb\", nearest known key: 'ab'",
        ),
        (
            '{"a": 1, "b": 2, "a": 1}',
            lambda x: x.fields(("a", "b")),
            'has the key "a" twice, expected it once',
        ),
        (
            '{"a": 1, "a": 2}',
            lambda x: x.member("a"),
            'has the key "a" twice, expected it once',
        ),
        ('{"a": 1}', lambda x: x.member("b"), "is an object, expected an object with b"),
        ("1", lambda x: x.member("b"), "is 1, expected an object with b"),
        (
            "{}",
            lambda x: x.elements(least=1, most=2, of="rows"),
            "is an object, expected a list of rows",
        ),
        (
            "[]",
            lambda x: x.elements(least=1, most=2, of="rows"),
            "has 0 elements, expected 1 to 2 rows",
        ),
        ("[1]", lambda x: x.numbers(least=2, most=2), "has 1 elements, expected 2 numbers"),
        ("true", lambda x: x.number(), f"is true, expected {A_NUMBER}"),
        ('"one"', lambda x: x.number(), f'is "one", expected {A_NUMBER}'),
        ("1e999999999", lambda x: x.number(), f"is 1e999999999, expected {A_NUMBER}"),
        ("9" * 1001, lambda x: x.number(), f"is {'9' * 60}..., expected {A_NUMBER}"),
        ("-1", lambda x: x.number(lambda v: v > 0, "a rate"), "is -1, expected a rate"),
        ('"1/2"', lambda x: x.integer(0, 3), 'is "1/2", expected an integer from 0 to 3'),
        ("4", lambda x: x.integer(0, 3), "is 4, expected an integer from 0 to 3"),
        ("1", lambda x: x.string(5), "is 1, expected a non-empty string"),
        ('" "', lambda x: x.string(5), 'is " ", expected a non-empty string'),
        ('"abcdef"', lambda x: x.string(5), "has 6 characters, expected at most 5"),
        (
            '"a\\u2028b"',
            lambda x: x.string(5),
            'is "a\\u2028b", expected a string without control characters',
        ),
        (
            '"tahn"',
            lambda x: x.choice(("tanh", "sin")),
            "is \"tahn\", expected one of tanh, sin (did you mean 'tanh'?)",
        ),
        ('"qq"', lambda x: x.choice(("tanh", "sin")), 'is "qq", expected one of tanh, sin'),
        ("{}", lambda x: x.choice(("tanh",)), "is an object, expected one of tanh"),
    ],
)
def test_a_fault_names_its_path_value_and_condition(text, ask, message):
    assert problem_of(lambda: ask(node(text))) == f"here: {message}"


def test_paths_name_members_and_elements():
    root = loads('{"a": {"b": [[1], ["x"]]}}')
    inner = root.member("a").member("b").elements(least=2, most=2, of="rows")
    assert [child.path for child in inner] == ["a.b[0]", "a.b[1]"]
    assert problem_of(lambda: inner[1].numbers(least=1, most=1)).startswith('a.b[1][0]: is "x", ')


def test_what_is_asked_for_is_returned():
    root = loads('{"a": 1.0, "b": ["1/2", 3], "c": "text", "d": "sin"}')
    members = root.fields(("a", "b"), ("c", "d", "e"))
    assert sorted(members) == ["a", "b", "c", "d"]
    assert members["a"].integer(0, 1) == 1
    assert members["b"].numbers(least=0, most=2) == (Fraction(1, 2), Fraction(3))
    assert members["c"].string(4) == "text"
    assert members["d"].choice(("cos", "sin")) == "sin"
    assert root.has("a")
    assert not root.has("e")
