"""Reading the parts of a recorded document strictly; what is wrong is named by its path."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from decimal import Decimal
from typing import Any, NoReturn

from verification import strict_json
from verification.strict_json import Node, NumberText

MAX_ITEMS = 100_000
MAX_TEXT = 100_000
MAX_DEPTH = 16

_MAX_END_POINT = 100
_MAX_EXPONENT = 10**9


def read_end_points(node: Node) -> dict[str, str]:
    """Read ``{"lower": ..., "upper": ...}``, decimal texts in order."""
    members = node.fields(("lower", "upper"))
    lower, upper = (read_decimal(members[key]) for key in ("lower", "upper"))
    if lower > upper:
        node.fail(f"has lower = {lower} above upper = {upper}, expected an interval")
    return {"lower": str(lower), "upper": str(upper)}


def read_decimal(node: Node) -> Decimal:
    """Read a decimal text, possibly infinite."""
    text = node.value
    if isinstance(text, str) and text in ("Infinity", "-Infinity"):
        return Decimal(text)
    what = "a decimal text such as 0.1, 1E-30 or Infinity, of at most 100 characters"
    if not isinstance(text, str) or len(text) > _MAX_END_POINT:
        node.expected(what)
    mantissa, _, exponent = text.upper().partition("E")
    digits = exponent.removeprefix("-").removeprefix("+")
    if strict_json.parse_number(mantissa) is None or "/" in mantissa:
        node.expected(what)
    if exponent and not (digits.isascii() and digits.isdigit() and int(digits) <= _MAX_EXPONENT):
        node.expected(what)
    return Decimal(text)


def read_text(node: Node) -> str:
    """Read a string of at most `MAX_TEXT` characters."""
    if not isinstance(node.value, str):
        node.expected("a string")
    if len(node.value) > MAX_TEXT:
        node.fail(f"has {len(node.value)} characters, expected at most {MAX_TEXT}")
    return node.value


def read_texts(node: Node) -> list[str]:
    """Read a list of strings."""
    return read_list(node, read_text, MAX_ITEMS, "strings")


def read_list(node: Node, read: Callable[[Node], Any], most: int, of: str) -> list[Any]:
    """Read the elements of a list one by one."""
    return [read(item) for item in node.elements(least=0, most=most, of=of)]


def read_optional(
    members: dict[str, Node], key: str, read: Callable[[Node], Any], default: object = None
) -> Any:  # noqa: ANN401 - whatever `read` returns
    """Read a member; one that is missing or null is the default."""
    if key not in members or members[key].value is None:
        return default
    return read(members[key])


def read_count(node: Node) -> int:
    """Read an integer from 0 to 2**63."""
    return node.integer(0, 2**63)


def read_double(node: Node) -> float:
    """Read a number as the nearest double."""
    if not isinstance(node.value, NumberText):
        node.expected("a number")
    try:
        return float(node.number())
    except OverflowError:
        node.expected("a number within the range of a double")


def read_members(node: Node) -> dict[str, Node]:
    """Return all members of an object, whatever their names; none may be repeated."""
    known = tuple(node.value) if isinstance(node.value, dict) else ()
    return node.fields((), known)


def read_plain_members(node: Node) -> dict[str, Any]:
    """Read an object of any JSON values."""
    return {key: _plain(member, MAX_DEPTH) for key, member in read_members(node).items()}


def _plain(node: Node, depth: int) -> Any:  # noqa: ANN401 - any JSON value
    if depth == 0:
        node.fail(f"is nested too deeply, expected at most {MAX_DEPTH} levels")
    if isinstance(node.value, dict):
        return {key: _plain(member, depth - 1) for key, member in read_members(node).items()}
    if isinstance(node.value, list):
        return read_list(node, lambda item: _plain(item, depth - 1), MAX_ITEMS, "values")
    if isinstance(node.value, NumberText):
        text = node.value.text
        return int(text) if text.removeprefix("-").isdigit() else read_double(node)
    return node.value


def check_distinct(node: Node, items: Sequence[dict[str, Any]], *keys: str) -> None:
    """Fail where two items agree in all of `keys`."""
    seen: dict[tuple[str, ...], int] = {}
    for i, item in enumerate(items):
        name = tuple(item[key] for key in keys)
        if name in seen:
            _fail_at(node, i, f"repeats {', '.join(keys)} of element {seen[name]}")
        seen[name] = i


def check_known(node: Node, i: int, key: str, item: dict[str, Any], known: Collection[str]) -> None:
    """Fail where an item names something that the document does not list."""
    if item[key] not in known:
        _fail_at(node, i, f"names the {key} {_shown(item[key])}, which the report does not list")


def _fail_at(node: Node, i: int, problem: str) -> NoReturn:
    Node(None, f"{node.path}[{i}]").fail(problem)


def _shown(text: str) -> str:
    return Node(text, "").shown()
