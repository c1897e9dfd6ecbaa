"""The file of an instance, laid out for a person: what fits on a line is on one line."""

from __future__ import annotations

import json
from collections.abc import ValuesView

from verification.errors import InvalidInstance
from verification.instance import Instance, Json
from verification.strict_json import MAX_FILE_BYTES

_LINE = 100
_encode = json.JSONEncoder(ensure_ascii=False).encode


def encoded(instance: Instance) -> bytes:
    """Return the content of an instance file; a vector is on one line whatever its length.

    Raises
    ------
    InvalidInstance
        Where the file would be larger than what can be read.
    """
    data = (_laid_out(instance.to_json(), 0, 0) + "\n").encode()
    if len(data) > MAX_FILE_BYTES:
        raise InvalidInstance("--order", f"gives a file of {len(data)} bytes, expected a smaller")
    return data


def _laid_out(value: Json, indent: int, before: int) -> str:
    """Write JSON that starts on a line after `before` characters, in a block so far indented."""
    items = value.values() if isinstance(value, dict) else value
    if not isinstance(items, (list, ValuesView)):
        return _encode(value)
    flat = not any(isinstance(item, (dict, list)) for item in items)
    if indent or flat:
        text = _encode(value)
        if (flat and isinstance(value, list)) or before + len(text) < _LINE:
            return text
    inner = indent + 2
    margin = "\n" + " " * inner
    if isinstance(value, dict):
        heads = [f"{_encode(key)}: " for key in value]
        lines = [
            head + _laid_out(item, inner, inner + len(head))
            for head, item in zip(heads, items, strict=True)
        ]
    else:
        lines = [_laid_out(item, inner, inner) for item in items]
    left, right = "{}" if isinstance(value, dict) else "[]"
    return f"{left}{margin}{f',{margin}'.join(lines)}\n{' ' * indent}{right}"
