"""Strict reading of the columns of a CSV file: every fault is one line that names the line.

The file is UTF-8 (a byte order mark is allowed) and has at most `MAX_FILE_BYTES` bytes and
`MAX_ROWS` rows.  Cells are separated by commas, semicolons or tabs: by the one that the first row
has most of, in a tie by the tab, then by the semicolon.  They may be quoted with ``"``; space
around them is dropped.  The first row is a header unless one of its cells is a number; without a
header the columns are called 1, 2, and so on.  Blank lines at the end are dropped.

A cell is *missing* where it is empty or reads NA, N/A, #N/A, NaN or null, in any case of the
letters; so is every cell of a blank line.
"""

from __future__ import annotations

import csv
import difflib
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from verification.errors import InvalidInstance
from verification.strict_json import MAX_FILE_BYTES, parse_number

MAX_ROWS = 2**22
DELIMITERS = ("\t", ";", ",")
MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null"})

_SHOWN_CHARACTERS = 40
_SHOWN_COLUMNS = 12
_NEW = -1
_LINE_END = b"\n"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table, as the distinct texts in it and where they stand.

    Parameters
    ----------
    name : str
        As the header has it, or the column's number, counted from 1.
    texts : list of str
        The distinct texts, in the order in which they appear.
    lines : list of int
        For each text the first line that has it.
    codes : list of int
        For each row the index of its text.
    """

    name: str
    texts: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Table:
    """The columns that were asked for, all of one length, and how many rows were left out."""

    columns: tuple[Column, ...]
    n_rows: int
    n_skipped: int


def shown(text: str) -> str:
    """Return a text from outside quoted and short enough for one line."""
    return repr(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "...")


def read_table(
    path: Path,
    wanted: Sequence[tuple[str, str | None]],
    *,
    header: bool | None = None,
    skip_missing: bool = False,
) -> Table:
    """Read columns of a CSV file.

    Parameters
    ----------
    path : Path
    wanted : sequence of (str, str or None)
        For each column the option that names it, for messages, and the name; None stands for
        the only column.
    header : bool, optional
        Whether the first row is a header; where None it is one unless it has a number.
    skip_missing : bool
        Whether rows that miss a wanted cell are left out rather than an error.

    Raises
    ------
    InvalidInstance
        With the line, or the option, and what was expected.
    """
    content = _read_bytes(path)
    records = _records(content, _delimiter(content))
    first = next(records, None)
    if first is None:
        raise InvalidInstance("", "has no rows, expected a CSV file")
    line, cells = first
    if not cells or (header is not False and not any(cells)):
        raise InvalidInstance(f"line {line}", "is blank, expected a header or a row")
    if header is None:
        header = not any(parse_number(cell) is not None for cell in cells)
    names = cells if header else [str(i + 1) for i in range(len(cells))]
    places = [_place(names, option, name) for option, name in wanted]
    columns = tuple(Column(name=names[place]) for place in places)
    rows = records if header else itertools.chain([first], records)
    n_rows, n_skipped = _fill(columns, places, len(names), rows, skip_missing=skip_missing)
    return Table(columns=columns, n_rows=n_rows, n_skipped=n_skipped)


def _read_bytes(path: Path) -> bytes:
    """Return the content of a file of UTF-8 text without NUL or blank lines at the end."""
    try:
        if path.is_dir():
            raise InvalidInstance("", "is a folder, expected a CSV file")
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise InvalidInstance("", f"file has more than {MAX_FILE_BYTES} bytes")
        content.decode()
    except UnicodeDecodeError as error:
        where = f"line {content.count(_LINE_END, 0, error.start) + 1}"
        raise InvalidInstance(where, "is not UTF-8, expected a CSV file in UTF-8") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidInstance("", f"cannot be read: {reason}") from error
    if (place := content.find(b"\0")) >= 0:
        where = f"line {content.count(_LINE_END, 0, place) + 1}"
        raise InvalidInstance(where, "contains a NUL character, expected a CSV file in UTF-8")
    # No other white space: a row of empty cells may consist of tabs.
    return content.rstrip(b"\r\n")


def _records(content: bytes, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line and the stripped cells of every row; a blank line has no cells."""
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise InvalidInstance(f"line {reader.line_num}", f"is not CSV: {error}") from error
        if cells is None:
            return
        yield reader.line_num, [cell.strip() for cell in cells]


def _delimiter(content: bytes) -> str:
    def width(delimiter: str) -> int:
        with suppress(InvalidInstance):  # met again by whoever reads the rows
            _, cells = next(_records(content, delimiter), (0, []))
            return len(cells)
        return 0

    widest = max(DELIMITERS, key=width)
    return widest if width(widest) > 1 else ","


def _place(names: Sequence[str], option: str, name: str | None) -> int:
    """Return where the column of that name is; None stands for the only column."""
    known = ", ".join(map(shown, names[:_SHOWN_COLUMNS]))
    if len(names) > _SHOWN_COLUMNS:
        known += f" and {len(names) - _SHOWN_COLUMNS} more"
    if name is None:
        if len(names) > 1:
            raise InvalidInstance(option, f"is required, the columns are {known}")
        return 0
    if name not in names:
        near = difflib.get_close_matches(name[:_SHOWN_CHARACTERS], names, n=1, cutoff=0.0)
        raise InvalidInstance(
            option, f"is {shown(name)}, expected one of {known} (nearest: {shown(near[0])})"
        )
    if names.count(name) > 1:
        raise InvalidInstance(option, f"is {shown(name)}, the name of {names.count(name)} columns")
    return names.index(name)


def _fill(
    columns: Sequence[Column],
    places: Sequence[int],
    width: int,
    rows: Iterable[tuple[int, list[str]]],
    *,
    skip_missing: bool,
) -> tuple[int, int]:
    """Append the rows to the columns; return how many there are, and how many were left out."""
    n_rows = n_skipped = 0
    indices: list[dict[str, int]] = [{} for _ in columns]
    for line, cells in rows:
        if cells and len(cells) != width:
            raise InvalidInstance(f"line {line}", f"has {len(cells)} cells, expected {width}")
        found = [cells[place] if cells else "" for place in places]
        codes = [index.get(text, _NEW) for index, text in zip(indices, found, strict=True)]
        if _NEW in codes:
            missing = [text for text in found if text.casefold() in MISSING]
            if missing and not skip_missing:
                name = shown(columns[found.index(missing[0])].name)
                raise InvalidInstance(
                    f"line {line}",
                    f"{shown(missing[0])} in column {name}, expected a value (--missing skip "
                    "leaves such rows out)",
                )
            if missing:
                n_skipped += 1
                continue
            for i, (column, text) in enumerate(zip(columns, found, strict=True)):
                if codes[i] == _NEW:
                    codes[i] = indices[i][text] = len(column.texts)
                    column.texts.append(text)
                    column.lines.append(line)
        for column, code in zip(columns, codes, strict=True):
            column.codes.append(code)
        n_rows += 1
        if n_rows > MAX_ROWS:
            raise InvalidInstance(f"line {line}", f"is one row too many, expected {MAX_ROWS}")
    return n_rows, n_skipped
