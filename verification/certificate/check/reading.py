"""Strict reading of a certificate: limits before parsing, exact numbers, one line for every fault.

Numbers that mean something are texts, such as ``"0.1"`` or ``"1/3"``; JSON numbers are counts and
states, integers of at most 18 digits.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd
from pathlib import Path
from typing import Generic, NoReturn, TypeVar

from verification.certificate.check.outcome import Invalid, Refused

MAX_BYTES = 32 * 2**20
MAX_DEPTH = 32
MAX_DIGITS = 4_000
MAX_INTEGER_DIGITS = 18
LEAST_DECIMALS, MOST_DECIMALS = 20, 250
"""With so many decimals the fixed points of M4 are written."""
_SHOWN = 60

_Value = TypeVar("_Value")

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]')
_NUMBER = re.compile(r"(-?)(?:([0-9]+)/([0-9]+)|([0-9]+)(?:\.([0-9]+))?)", re.ASCII)


def read_text(path: Path) -> str:
    """Return the text of a file of limited size.

    Raises
    ------
    Refused
        Where it is missing, no file, too large or not UTF-8.
    """
    try:
        if not path.is_file():
            raise Refused("is no file, expected a certificate")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Refused(f"cannot be read: {reason}") from error
    if len(content) > MAX_BYTES:
        raise Refused(f"has more than {MAX_BYTES} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"byte {error.start} is not UTF-8") from error


def parse(text: str) -> Node:
    """Parse JSON: no key twice, no NaN, no decimal point outside of texts, limited depth.

    Raises
    ------
    Refused
        With what is wrong.
    """
    _limit_depth(text)

    def pairs(items: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(items)
        if len(found) < len(items):
            raise Refused("has a key twice in one object, expected it once")
        return found

    def integer(digits: str) -> int:
        if len(digits) > MAX_INTEGER_DIGITS:
            raise Refused(f"contains an integer of {len(digits)} digits, expected a text")
        return int(digits)

    def refuse(token: str) -> NoReturn:
        raise Refused(f"contains {token[:_SHOWN]}, expected integers and texts")

    try:
        value = json.loads(
            text,
            object_pairs_hook=pairs,
            parse_int=integer,
            parse_float=refuse,
            parse_constant=refuse,
        )
    except json.JSONDecodeError as error:
        raise Refused(
            f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}"
        ) from error
    except RecursionError as error:
        raise Refused("is nested too deeply") from error
    return Node(value, "")


def _limit_depth(text: str) -> None:
    depth = 0
    for match in _TOKEN.finditer(text):
        first = match[0][0]
        if first in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise Refused(f"is nested more than {MAX_DEPTH} deep")
        elif first in "]}":
            depth -= 1


def digest(document: Mapping[str, object]) -> str:
    """Return the SHA-256 of a document without its own ``digest``, in hexadecimal digits.

    Keys are sorted and nothing else is left to the writer's taste: equal documents, equal digests.
    """
    rest = {key: value for key, value in document.items() if key != "digest"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def meaning(value: object) -> object:
    """Return what a value means, to be compared: a number may be written in more ways than one."""
    if isinstance(value, dict):
        return frozenset((key, meaning(item)) for key, item in value.items())
    if isinstance(value, list):
        return tuple(map(meaning, value))
    if isinstance(value, str):
        try:
            return Node(value, "").number()
        except Refused:
            return value
    return value


@dataclass(frozen=True)
class Node:
    """A parsed value and the path to it.

    What is not of the form expected is `Refused`; what is well formed and wrong is `Invalid`.

    Parameters
    ----------
    value : object
    path : str
    unused : dict
        The paths of what is `Brought` in the document and not used so far, one for all its nodes.
    """

    value: object
    path: str
    unused: dict[str, None] = field(default_factory=dict, compare=False, repr=False)

    def refuse(self, expected: str) -> NoReturn:
        """Refuse the file: this value is not what is expected."""
        shown = json.dumps(self.value, ensure_ascii=True)
        shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
        raise Refused(f"{self.path or 'the document'}: is {shown}, expected {expected}")

    def invalid(self, problem: str) -> NoReturn:
        """Declare the certificate invalid, because of what is stated here."""
        raise Invalid(f"{self.path}: {problem}")

    def require_all_used(self) -> None:
        """Declare the certificate invalid where something of the document is brought in vain."""
        for path in self.unused:
            raise Invalid(f"{path}: nothing of the certificate uses it")

    def fields(self, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Node]:
        """Return the members of an object: all of `required`, some of `optional`, no other."""
        wanted = f"an object with {', '.join(required)}"
        if not isinstance(self.value, dict) or not set(required) <= self.value.keys():
            self.refuse(wanted)
        if not self.value.keys() <= {*required, *optional}:
            self.refuse(f"{wanted} and nothing else")
        return {key: self.member(key) for key in self.value}

    def has(self, key: str) -> bool:
        """Tell whether this is an object with that key."""
        return isinstance(self.value, dict) and key in self.value

    def member(self, key: str) -> Node:
        """Return one member of an object."""
        if not isinstance(self.value, dict) or key not in self.value:
            self.refuse(f"an object with {key}")
        path = f"{self.path}.{key}" if self.path else key
        return Node(self.value[key], path, self.unused)

    def elements(self, least: int, most: int) -> list[Node]:
        """Return the elements of a list whose length lies between two limits."""
        if not isinstance(self.value, list) or not least <= len(self.value) <= most:
            self.refuse(f"a list of {least} to {most}" if least < most else f"a list of {least}")
        return [Node(item, f"{self.path}[{i}]", self.unused) for i, item in enumerate(self.value)]

    def states(self, most: int, size: int) -> tuple[int, ...]:
        """Return a word of at least one state."""
        return tuple(item.integer(0, size - 1) for item in self.elements(1, most))

    def text(self, most: int) -> str:
        """Return a printable text of limited length."""
        if not isinstance(self.value, str) or not 0 < len(self.value) <= most:
            self.refuse(f"a text of at most {most} characters")
        if not self.value.isprintable():
            self.refuse("a text without control characters")
        return self.value

    def choice(self, *choices: str) -> str:
        """Return one of a few texts."""
        if not isinstance(self.value, str) or self.value not in choices:
            self.refuse(f"one of {', '.join(choices)}")
        return self.value

    def integer(self, least: int, most: int) -> int:
        """Return an integer between two limits."""
        if (
            not isinstance(self.value, int)
            or isinstance(self.value, bool)
            or not least <= self.value <= most
        ):
            self.refuse(f"an integer from {least} to {most}")
        return self.value

    def number(self) -> Fraction:
        """Return an exact number from its text: ``"0.1"`` is 1/10, ``"1/3"`` one third."""
        match = None
        if isinstance(self.value, str) and len(self.value) <= 2 * MAX_DIGITS + 2:
            match = _NUMBER.fullmatch(self.value)
        if match is None or any(len(part or "") > MAX_DIGITS for part in match.groups()):
            self.refuse(
                f'a number as a text, such as "0.1" or "1/3", of at most {MAX_DIGITS} digits'
            )
        sign, numerator, denominator, whole, decimals = match.groups()
        if numerator is not None:
            if not int(denominator):
                self.refuse("a denominator other than 0")
            value = Fraction(int(numerator), int(denominator))
        else:
            decimals = decimals or ""
            if len(whole) + len(decimals) > MAX_DIGITS:
                self.refuse(f"at most {MAX_DIGITS} digits")
            value = Fraction(int(whole + decimals), 10 ** len(decimals))
        if sign and not value:
            self.refuse("0 without a sign")
        return -value if sign else value

    def numbers(self, count: int) -> tuple[Fraction, ...]:
        """Return a list of so many exact numbers."""
        return tuple(item.number() for item in self.elements(count, count))

    def vector(self, count: int) -> tuple[Fraction, ...]:
        """Return a vector of rationals that is written over its least common denominator.

        One number has one such form: no part of it can be changed without changing the vector.
        """
        members = self.fields(("denominator", "numerators"))
        denominator = _integer(members["denominator"])
        numerators = [_integer(item) for item in members["numerators"].elements(count, count)]
        if denominator <= 0 or gcd(denominator, *numerators) != 1:
            self.invalid("is not over its least common denominator")
        return tuple(Fraction(numerator, denominator) for numerator in numerators)


class Brought(Generic[_Value]):
    """A witness that a case is to use: a certificate with one that none uses is invalid.

    Parameters
    ----------
    node : Node
    value : object
        What was read there.
    """

    def __init__(self, node: Node, value: _Value) -> None:
        self._node, self._value = node, value
        node.unused[node.path] = None

    def use(self) -> _Value:
        """Return what was read; it has its use."""
        self._node.unused.pop(self._node.path, None)
        return self._value


def _integer(node: Node) -> int:
    value = node.value
    if (
        not isinstance(value, str)
        or len(value) > MAX_DIGITS
        or not re.fullmatch(r"0|-?[1-9][0-9]*", value, re.ASCII)
    ):
        node.refuse(f"an integer as a text, of at most {MAX_DIGITS} digits")
    return int(value)
