"""Strict reading of JSON: numbers stay exact, and every fault is one line with a path.

The standard parser accepts NaN, keeps the last of two equal keys and rounds numbers to doubles.
Here a number keeps its text, so that ``0.1`` is one tenth; a duplicate key, NaN, an absurd
nesting or an absurd number is an `InvalidInstance`.
"""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

from verification.errors import InvalidInstance

MAX_FILE_BYTES = 512 * 2**20
MAX_NUMBER_CHARACTERS = 2_100
MAX_NUMBER_DIGITS = 1_000
MAX_EXPONENT = 1_000
_SHOWN_CHARACTERS = 60

_NUMBER = re.compile(
    r"""(?P<sign>[+-]?)(?:
        (?P<numerator>[0-9]+)/(?P<denominator>[0-9]+)
        | (?P<whole>[0-9]*)(?:\.(?P<decimals>[0-9]*))?(?:[eE](?P<exponent>[+-]?[0-9]{1,9}))?
    )""",
    re.VERBOSE | re.ASCII,
)


_LARGE = 10**MAX_NUMBER_DIGITS


@dataclass(frozen=True)
class NumberText:
    """The text of a JSON number, not yet a value."""

    text: str


class _Duplicate(dict[str, object]):
    """An object with a repeated key, found while parsing; reported once its path is known."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key


def load(source: Path) -> Node:
    """Read one JSON file.

    Raises
    ------
    InvalidInstance
        With an empty path, where the file is missing, too large, not UTF-8 or not JSON.
    """
    try:
        if source.is_dir():
            raise InvalidInstance("", "is a folder, expected a JSON file")
        with source.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise InvalidInstance("", f"file has more than {MAX_FILE_BYTES} bytes")
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInstance(
            "", f"byte {error.start} is not UTF-8, expected a JSON file"
        ) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidInstance("", f"cannot be read: {reason}") from error
    return loads(text)


def loads(text: str) -> Node:
    """Read JSON text; see `load`."""

    def pairs(items: list[tuple[str, object]]) -> dict[str, object]:
        result = dict(items)
        if len(result) < len(items):
            counts = Counter(key for key, _ in items)
            return _Duplicate(next(key for key, count in counts.items() if count > 1))
        return result

    def constant(name: str) -> NoReturn:
        raise InvalidInstance("", f"contains {name}, expected finite numbers only")

    try:
        value = json.loads(
            text,
            object_pairs_hook=pairs,
            parse_float=NumberText,
            parse_int=NumberText,
            parse_constant=constant,
        )
    except json.JSONDecodeError as error:
        raise InvalidInstance(
            "", f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}"
        ) from error
    except RecursionError as error:
        raise InvalidInstance("", "is nested too deeply, expected an instance file") from error
    return Node(value, "")


def parse_number(text: str) -> Fraction | None:
    """Return the exact value of a decimal or a fraction, or None where `text` is neither.

    ``"0.1"`` is 1/10, ``"1e-3"`` is 1/1000, ``"1/3"`` is one third.  Longer texts than
    `MAX_NUMBER_CHARACTERS` and larger exponents than `MAX_EXPONENT` are refused, because their
    values would fill the memory; and values with more than `MAX_NUMBER_DIGITS` digits in the
    numerator or the denominator, so that whatever is read can be written and read again.
    """
    match = _NUMBER.fullmatch(text) if len(text) <= MAX_NUMBER_CHARACTERS else None
    if match is None:
        return None
    sign = -1 if match["sign"] == "-" else 1
    if match["numerator"] is not None:
        denominator = int(match["denominator"])
        if not denominator:
            return None
        return _unless_large(Fraction(sign * int(match["numerator"]), denominator))
    decimals = match["decimals"] or ""
    digits = match["whole"] + decimals
    exponent = int(match["exponent"] or 0)
    if not digits or abs(exponent) > MAX_EXPONENT:
        return None
    shift = exponent - len(decimals)
    return _unless_large(Fraction(sign * int(digits) * 10 ** max(shift, 0), 10 ** max(-shift, 0)))


def _unless_large(value: Fraction) -> Fraction | None:
    return value if max(abs(value.numerator), value.denominator) < _LARGE else None


def format_number(value: Fraction) -> str:
    """Return the shortest exact text: a decimal where one exists, else ``p/q``."""
    denominator = value.denominator
    twos = (denominator & -denominator).bit_length() - 1
    fives, rest = 0, denominator >> twos
    while rest % 5 == 0:
        fives, rest = fives + 1, rest // 5
    places = max(twos, fives)
    if rest != 1 or places > MAX_EXPONENT:
        return f"{value.numerator}/{denominator}"
    digits = str(abs(value.numerator) * 10**places // denominator).rjust(places + 1, "0")
    whole, decimals = digits[: len(digits) - places], digits[len(digits) - places :]
    return ("-" if value < 0 else "") + whole + (f".{decimals}" if decimals else "")


@dataclass(frozen=True)
class Node:
    """A parsed JSON value together with the path by which it was reached."""

    value: object
    path: str

    def fail(self, problem: str) -> NoReturn:
        """Raise `InvalidInstance` at this path."""
        raise InvalidInstance(self.path, problem)

    def expected(self, what: str) -> NoReturn:
        """Raise `InvalidInstance`: the value here is not `what`."""
        self.fail(f"is {self.shown()}, expected {what}")

    def shown(self) -> str:
        """Return the value, short enough for one line."""
        if isinstance(self.value, NumberText):
            text = self.value.text
        elif isinstance(self.value, dict):
            text = "an object"
        elif isinstance(self.value, list):
            text = f"a list of {len(self.value)}"
        else:
            text = json.dumps(self.value)
        return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."

    def has(self, key: str) -> bool:
        """Tell whether this is an object with that key."""
        return isinstance(self.value, dict) and key in self.value

    def fields(self, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Node]:
        """Return the members of an object: all of `required`, some of `optional`, no other."""
        if isinstance(self.value, _Duplicate):
            self.fail(f"has the key {_quoted(self.value.key)} twice, expected it once")
        if not isinstance(self.value, dict):
            self.expected(f"an object with {', '.join(required)}")
        known = [*required, *optional]
        for key in self.value:
            if key not in known:
                lowered = {name.lower(): name for name in known}
                near = difflib.get_close_matches(
                    key[:_SHOWN_CHARACTERS].lower(), lowered, n=1, cutoff=0.0
                )
                nearest = lowered[near[0]]
                self.fail(f"has the unknown key {_quoted(key)}, nearest known key: {nearest!r}")
        for key in required:
            if key not in self.value:
                self.fail(f"lacks the key {key!r}, expected {', '.join(required)}")
        return {key: self.member(key) for key in self.value}

    def member(self, key: str) -> Node:
        """Return one member of an object."""
        if isinstance(self.value, _Duplicate):
            self.fail(f"has the key {_quoted(self.value.key)} twice, expected it once")
        if not isinstance(self.value, dict) or key not in self.value:
            self.expected(f"an object with {key}")
        return Node(self.value[key], f"{self.path}.{key}" if self.path else key)

    def elements(self, *, least: int, most: int, of: str) -> list[Node]:
        """Return the elements of a list whose length lies between `least` and `most`."""
        return [Node(item, f"{self.path}[{i}]") for i, item in self._items(least, most, of)]

    def numbers(self, *, least: int, most: int) -> tuple[Fraction, ...]:
        """Return a list of exact numbers."""
        values = []
        for i, item in self._items(least, most, "numbers"):
            value = _value(item)
            if value is None:
                Node(item, f"{self.path}[{i}]").number()
            else:
                values.append(value)
        return tuple(values)

    def _items(self, least: int, most: int, of: str) -> Iterator[tuple[int, object]]:
        if not isinstance(self.value, list):
            self.expected(f"a list of {of}")
        if not least <= len(self.value) <= most:
            count = str(least) if least == most else f"{least} to {most}"
            self.fail(f"has {len(self.value)} elements, expected {count} {of}")
        return iter(enumerate(self.value))

    def number(
        self, condition: Callable[[Fraction], bool] | None = None, what: str = "a number"
    ) -> Fraction:
        """Return an exact number that satisfies `condition` (`what` says it in words)."""
        value = _value(self.value)
        if value is None:
            self.expected('a number such as 0.1, "0.1" or "1/3" (finite, at most 1000 digits)')
        if condition is not None and not condition(value):
            self.expected(what)
        return value

    def integer(self, least: int, most: int) -> int:
        """Return an integer between `least` and `most`."""
        what = f"an integer from {least} to {most}"
        value = self.number(lambda x: x.denominator == 1 and least <= x <= most, what)
        return int(value)

    def string(self, most: int) -> str:
        """Return a non-empty printable string of at most `most` characters."""
        if not isinstance(self.value, str) or not self.value.strip():
            self.expected("a non-empty string")
        if len(self.value) > most:
            self.fail(f"has {len(self.value)} characters, expected at most {most}")
        if not self.value.isprintable():
            self.expected("a string without control characters")
        return self.value

    def choice(self, choices: Sequence[str]) -> str:
        """Return a string that is one of `choices`."""
        if self.value not in choices:
            if isinstance(self.value, str):
                near = difflib.get_close_matches(self.value[:_SHOWN_CHARACTERS], choices, n=1)
                hint = f" (did you mean {near[0]!r}?)" if near else ""
                self.expected(f"one of {', '.join(choices)}{hint}")
            self.expected(f"one of {', '.join(choices)}")
        return str(self.value)


def _value(item: object) -> Fraction | None:
    if isinstance(item, NumberText):
        return parse_number(item.text)
    return parse_number(item) if isinstance(item, str) else None


def _quoted(key: str) -> str:
    return json.dumps(key if len(key) <= _SHOWN_CHARACTERS else key[:_SHOWN_CHARACTERS] + "...")
