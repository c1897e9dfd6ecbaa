r"""The campaign's state on disk: journals, one a process, and the instances that they name.

A folder holds

- ``journals/0001.jsonl``, ``0002.jsonl``, ...: each is written by one process, which has made it by
  an exclusive create, and only ever appended to.  A line is one JSON object with the SHA-256 of
  its entry's text, ``{"sha256":"...","entry":{...}}``.  The first entry is a header, each further
  one a turn's outcome or a counterexample.
- ``instances/SHA256.json``: replay files, each called after the digest of its content and written
  before the line that names it.

A process that is killed leaves a line torn at most at the end of its own journal, which reading
drops; nobody appends to that journal again.  Anything else that is not as described is an error of
one line: the folder is left as it is.  Several processes may use one folder at a time, because none
writes another's journal and equal instances are equal files.

A journal that has grown beyond `MAX_JOURNAL` bytes is replaced: what it says, added up, goes into
a new one, whose header names the one that it replaces; it appears whole, by a link, and only then
the old one is removed.  Files of instances that nothing needs any more are removed by the process
that found the better ones.  So what is on disk is bounded by the numbers of claims, of cells, of
counterexamples kept and of starts.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from verification import strict_json
from verification.campaign.record import (
    MOST_MOMENTS,
    Counterexample,
    Entry,
    Kept,
    Moment,
    Record,
    Start,
)
from verification.campaign.replay import Replay, read
from verification.claim import AnyClaim
from verification.errors import InvalidInstance
from verification.instance import MAX_NAME, Json
from verification.report.files import REPLAY_SCHEMA, write_atomically
from verification.strict_json import Node
from verification.subject import Subject

SCHEMA = "campaign/1"
MAX_JOURNAL = 1_000_000
LARGEST_JOURNAL = 64 * MAX_JOURNAL
"""A file beyond this is not one of ours."""

T = TypeVar("T")

_JOURNALS = "journals"
_INSTANCES = "instances"
_NAME = re.compile(r"(?P<number>[0-9]{4,9})\.jsonl")
_LAST_NUMBER = 10**9 - 1
_LINE = re.compile(rb'\{"sha256":"(?P<digest>[0-9a-f]{64})","entry":(?P<entry>\{.*\})\}')
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MAX_COUNT = 2**53
_MAX_ITEMS = 10_000
_SIDES = ("above", "below")
_READINGS = 5


def holds_a_campaign(folder: Path) -> bool:
    """Tell whether a folder has journals."""
    return bool(_journals(folder))


def read_folder(folder: Path) -> Record:
    """Return what all journals of a folder say together.

    Raises
    ------
    InvalidInstance
        Where a file is not as the module's docstring describes it.
    """
    _require_folder(folder / _INSTANCES)
    for reading in range(_READINGS):
        try:
            record = _read_journals(folder)
            # A tightest instance without its file could not be replayed.
            for digest in sorted(record.needed()):
                read_instance_file(folder, digest)
        except FileNotFoundError as error:
            # Another campaign may have replaced a journal or an instance while we read.
            if reading == _READINGS - 1:
                name = Path(str(error.filename)).name
                raise InvalidInstance(
                    str(folder), f"lacks {name}, which a journal names"
                ) from error
        else:
            return record
    raise InvalidInstance(str(folder), "changes faster than it can be read")


def read_instance_file(folder: Path, digest: str) -> bytes:
    """Return a replay file's content, which must have the digest by which it is called.

    Raises
    ------
    FileNotFoundError, InvalidInstance
    """
    path = _instance_path(folder, digest)
    content = _content(path, strict_json.MAX_FILE_BYTES)
    if hashlib.sha256(content).hexdigest() != digest:
        raise InvalidInstance(str(path), "does not have the content that it is called after")
    return content


def load_instance(folder: Path, digest: str, claims: tuple[AnyClaim, ...]) -> Replay:
    """Read the replay file of a digest.

    Raises
    ------
    InvalidInstance
        Where it is malformed, or about a claim that is not among `claims`.
    """
    content = read_instance_file(folder, digest)
    path = _instance_path(folder, digest)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise InvalidInstance(str(path), "is not UTF-8") from error
    return _in_file(path, lambda: read(strict_json.loads(text), claims))


def require_instances(folder: Path, record: Record, claims: tuple[AnyClaim, ...]) -> None:
    """Make sure that whatever a search begins from can be read, before it begins.

    Raises
    ------
    InvalidInstance
        Where a file that the record of one of the claims needs is not about that claim, or holds
        no valid instance.
    """
    for claim in claims:
        digests = {kept.digest for kept in record.tally(claim.id).tightest.values()}
        digests |= {f.digest for f in record.counterexamples.values() if f.claim == claim.id}
        for digest in sorted(digests):
            # Another campaign may have found a better one meanwhile.
            with suppress(FileNotFoundError):
                load_instance(folder, digest, (claim,))


def replay_bytes(claim: str, subject: Subject, seed: int) -> bytes:
    """Return the content of the file from which a claim is decided on an instance again."""
    document: dict[str, Json] = {
        "schema": REPLAY_SCHEMA,
        "claim": claim,
        "seed": seed,
        "instance": subject.to_json(),
    }
    return (json.dumps(document, indent=1) + "\n").encode()


class Journal:
    """The journal that this process writes.

    Parameters
    ----------
    folder : Path
        Is made where it is not there.
    seed : int
    time, revision : str
        When the campaign began (ISO 8601), and of what code.
    claims : tuple of str
        Ids of the claims that it is to try.

    Attributes
    ----------
    start : int
        The number of the journal as it was first made: no two starts in a folder share one.
    """

    def __init__(
        self, folder: Path, *, seed: int, time: str, revision: str, claims: tuple[str, ...] = ()
    ) -> None:
        self._folder = folder
        self._own = Record()
        self._replaced: list[str] = []
        (folder / _JOURNALS).mkdir(parents=True, exist_ok=True)
        (folder / _INSTANCES).mkdir(parents=True, exist_ok=True)
        self._time, self._revision, self._seed, self._claims = time, revision, seed, claims
        self._begin([])
        self.start = int(self._path.stem)

    def keep(self, claim: str, subject: Subject, seed: int) -> tuple[str, int]:
        """Write an instance's replay file; return its digest and its length."""
        content = replay_bytes(claim, subject, seed)
        digest = hashlib.sha256(content).hexdigest()
        path = _instance_path(self._folder, digest)
        if not path.exists():
            write_atomically(path, content)
        return digest, len(content)

    def forget(self, digests: set[str]) -> None:
        """Remove the files of instances that nothing needs any more."""
        for digest in digests:
            _instance_path(self._folder, digest).unlink(missing_ok=True)

    def note_turn(self, entry: Entry) -> None:
        """Append what a turn came to."""
        self._own.add_turn(entry)
        self._append(_turn_document(entry))

    def note_counterexample(self, found: Counterexample) -> None:
        """Append a counterexample, or a simpler version of one."""
        self._own.add_counterexample(found)
        self._append(_counterexample_document(found))

    def close(self) -> None:
        """Write no more."""
        os.close(self._file)

    def _append(self, document: dict[str, Json]) -> None:
        os.write(self._file, _line(document))
        os.fsync(self._file)
        if os.fstat(self._file).st_size > MAX_JOURNAL:
            self._replace()

    def _replace(self) -> None:
        """Go on in a new journal that says in few lines what the old one said."""
        old, file = self._path, self._file
        entries = [_turn_document(tally.entry(claim)) for claim, tally in self._own.tallies.items()]
        entries += map(_counterexample_document, self._own.counterexamples.values())
        self._replaced = [*self._replaced[-1:], old.name]
        self._begin(entries)
        os.close(file)
        old.unlink(missing_ok=True)

    def _begin(self, entries: list[dict[str, Json]]) -> None:
        """Make the next journal, whole from its first moment."""
        folder = self._folder / _JOURNALS
        number = max(_journals(self._folder), default=0)
        header: dict[str, Json] = {
            "kind": "start",
            "schema": SCHEMA,
            "seed": str(self._seed),
            "time": self._time,
            "revision": self._revision,
            "replaces": list(self._replaced),
            "claims": list(self._claims),
        }
        content = b"".join(map(_line, [header, *entries]))
        temporary = folder / f".{secrets.token_hex(8)}.tmp"
        try:
            with temporary.open("xb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            while True:
                number += 1
                if number > _LAST_NUMBER:
                    raise InvalidInstance(
                        str(folder), f"has a journal {number - 1}, and there is no name after it"
                    )
                path = folder / f"{number:04}.jsonl"
                # A link fails where the name is taken: by another campaign, this moment.
                with suppress(FileExistsError):
                    path.hardlink_to(temporary)
                    break
        finally:
            temporary.unlink(missing_ok=True)
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND)


def _instance_path(folder: Path, digest: str) -> Path:
    if not _DIGEST.fullmatch(digest):
        raise InvalidInstance(str(folder), f"names the instance {digest[:80]!r}, expected a digest")
    return folder / _INSTANCES / f"{digest}.json"


def _journals(folder: Path) -> dict[int, Path]:
    """Return the journals of a folder by number."""
    found: dict[int, Path] = {}
    _require_folder(folder / _JOURNALS)
    try:
        paths = sorted((folder / _JOURNALS).iterdir())
    except FileNotFoundError:
        return found
    except OSError as error:
        raise InvalidInstance(
            str(folder / _JOURNALS), f"cannot be read: {error.strerror}"
        ) from error
    for path in paths:
        match = _NAME.fullmatch(path.name)
        if match is not None:
            found[int(match["number"])] = path
        elif not path.name.startswith("."):
            raise InvalidInstance(str(path), "is not a journal, expected names such as 0001.jsonl")
    return found


def _require_folder(path: Path) -> None:
    """Refuse what is no folder of ours: files elsewhere are neither read, written nor removed."""
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise InvalidInstance(str(path), "is not a folder")


def _content(path: Path, most: int) -> bytes:
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise InvalidInstance(str(path), "is not a plain file")
        with path.open("rb") as stream:
            is_too_large = os.fstat(stream.fileno()).st_size > most
            content = b"" if is_too_large else stream.read(most + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InvalidInstance(str(path), f"cannot be read: {error.strerror}") from error
    if is_too_large or len(content) > most:
        raise InvalidInstance(str(path), f"has more than {most} bytes")
    return content


def _read_journals(folder: Path) -> Record:
    journals: dict[str, list[tuple[str, Node]]] = {}
    starts: dict[str, Start] = {}
    replaced: set[str] = set()
    for path in _journals(folder).values():
        entries = list(_entries(path))
        journals[path.name] = entries
        if entries:
            starts[path.name], names = _read_header(*entries[0])
            replaced |= names
    record = Record()
    for name, entries in journals.items():
        if name not in replaced and entries:
            until = starts[name].begin
            for where, node in entries[1:]:
                time = _in_file(Path(where), lambda node=node: _read_entry(node, record))  # type: ignore[misc]
                until = max(until, time)
            record.starts.append(dataclasses.replace(starts[name], until=until))
    record.starts.sort()
    return record


def _entries(path: Path) -> Iterator[tuple[str, Node]]:
    """Yield each entry of a journal with its place; a torn last line is left out."""
    lines = _content(path, LARGEST_JOURNAL).split(b"\n")
    for number, line in enumerate(lines[:-1], 1):
        where = f"{path}:{number}"
        match = _LINE.fullmatch(line)
        if match is None:
            raise InvalidInstance(where, "is not a line of a journal")
        if hashlib.sha256(match["entry"]).hexdigest() != match["digest"].decode():
            raise InvalidInstance(where, "does not have the checksum that it names")
        try:
            text = match["entry"].decode()
        except UnicodeDecodeError as error:
            raise InvalidInstance(where, "is not UTF-8") from error
        yield where, _in_file(Path(where), lambda text=text: strict_json.loads(text))  # type: ignore[misc]


def _line(document: dict[str, Json]) -> bytes:
    entry = json.dumps(document, separators=(",", ":")).encode()
    digest = hashlib.sha256(entry).hexdigest().encode()
    return b'{"sha256":"' + digest + b'","entry":' + entry + b"}\n"


def _read_header(where: str, node: Node) -> tuple[Start, set[str]]:
    """Return the start, and the names of the journals that this one replaces."""

    def parse() -> tuple[Start, set[str]]:
        required = ("kind", "schema", "seed", "time", "revision", "replaces")
        members = node.fields(required, ("claims",))
        members["kind"].choice(("start",))
        members["schema"].choice((SCHEMA,))
        begin = _read_time(members["time"])
        claims: tuple[str, ...] = ()
        if "claims" in members:
            items = members["claims"].elements(least=0, most=_MAX_ITEMS, of="ids of claims")
            claims = tuple(item.string(MAX_NAME) for item in items)
        start = Start(
            begin=begin,
            until=begin,
            seed=members["seed"].integer(0, 2**63 - 1),
            revision=members["revision"].string(MAX_NAME),
            claims=claims,
        )
        names = members["replaces"].elements(least=0, most=2, of="names of journals")
        return start, {name.string(MAX_NAME) for name in names}

    return _in_file(Path(where), parse)


def _read_time(node: Node) -> float:
    """Return a time in ISO 8601 as seconds since 1970; one without a zone is taken as UTC."""
    try:
        moment = datetime.fromisoformat(node.string(MAX_NAME))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        node.expected("a time such as 2026-01-31T12:00:00+00:00")


def _read_entry(node: Node, record: Record) -> float:
    """Add an entry to the record; return its time, or 0 where it has none."""
    if node.member("kind").choice(("turn", "counterexample")) == "turn":
        entry = _read_turn(node)
        record.add_turn(entry)
        return entry.time
    record.add_counterexample(_read_counterexample(node))
    return 0.0


_TURN = ("kind", "claim", "turns", "lost", "seconds", "verdicts", "cells", "satisfied", "kept")


def _turn_document(entry: Entry) -> dict[str, Json]:
    return {
        "kind": "turn",
        "claim": entry.claim,
        "turns": entry.turns,
        "lost": dict(entry.lost),
        "seconds": round(entry.seconds, 3),
        "verdicts": dict(entry.verdicts),
        "cells": dict(entry.cells),
        "satisfied": list(entry.satisfied),
        "kept": [
            {
                "digest": kept.digest,
                "verdict": kept.verdict,
                "tightness": kept.tightness,
                "cells": list(kept.cells),
            }
            for kept in entry.kept
        ],
        "time": round(entry.time, 1),
        "history": [[round(moment.time, 1), moment.tightness] for moment in entry.history],
    }


def _read_turn(node: Node) -> Entry:
    # Journals of the first releases have no times.
    members = node.fields(_TURN, ("time", "history"))
    history = (
        members["history"].elements(least=0, most=MOST_MOMENTS, of="moments")
        if "history" in members
        else []
    )
    return Entry(
        claim=members["claim"].string(MAX_NAME),
        turns=members["turns"].integer(0, _MAX_COUNT),
        lost=_read_counts(members["lost"]),
        seconds=_double(members["seconds"]),
        verdicts=_read_counts(members["verdicts"]),
        cells=_read_counts(members["cells"]),
        satisfied=tuple(
            item.integer(0, _MAX_COUNT)
            for item in members["satisfied"].elements(least=0, most=MAX_NAME, of="counts")
        ),
        kept=tuple(
            map(_read_kept, members["kept"].elements(least=0, most=_MAX_ITEMS, of="instances"))
        ),
        time=_read_moment(members["time"]) if "time" in members else 0.0,
        history=tuple(map(_read_rise, history)),
    )


def _read_rise(node: Node) -> Moment:
    time, tightness = node.elements(least=2, most=2, of="numbers")
    return Moment(time=_read_moment(time), tightness=_double(tightness))


def _read_moment(node: Node) -> float:
    last = 10**11  # some three thousand years from now
    return float(node.number(lambda x: 0 <= x < last, "seconds since 1970"))


def _read_counts(node: Node) -> dict[str, int]:
    if not isinstance(node.value, dict):
        node.expected("an object of counts")
    names = list(node.value)
    if len(names) > _MAX_ITEMS:
        node.fail(f"has {len(names)} members, expected at most {_MAX_ITEMS}")
    members = node.fields((), names)
    return {name: members[name].integer(0, _MAX_COUNT) for name in names}


def _read_kept(node: Node) -> Kept:
    members = node.fields(("digest", "verdict", "tightness", "cells"))
    return Kept(
        digest=_read_digest(members["digest"]),
        verdict=members["verdict"].string(MAX_NAME),
        tightness=_double(members["tightness"]),
        cells=_read_cells(members["cells"]),
    )


_COUNTEREXAMPLE = (
    "kind",
    "claim",
    "side",
    "first",
    "digest",
    "cells",
    "time",
    "revision",
    "steps",
    "length",
    "done",
)


def _counterexample_document(found: Counterexample) -> dict[str, Json]:
    return {"kind": "counterexample", **vars(found), "cells": list(found.cells)}


def _read_counterexample(node: Node) -> Counterexample:
    members = node.fields(_COUNTEREXAMPLE)
    done = members["done"].value
    if not isinstance(done, bool):
        members["done"].expected("true or false")
    return Counterexample(
        claim=members["claim"].string(MAX_NAME),
        side=members["side"].choice(_SIDES),
        first=_read_digest(members["first"]),
        digest=_read_digest(members["digest"]),
        cells=_read_cells(members["cells"]),
        time=members["time"].string(MAX_NAME),
        revision=members["revision"].string(MAX_NAME),
        steps=members["steps"].integer(0, _MAX_COUNT),
        length=members["length"].integer(0, _MAX_COUNT),
        done=done,
    )


def _read_digest(node: Node) -> str:
    if not isinstance(node.value, str) or not _DIGEST.fullmatch(node.value):
        node.expected("64 hexadecimal digits")
    return node.value


def _read_cells(node: Node) -> tuple[str, ...]:
    items = node.elements(least=0, most=MAX_NAME, of="cells")
    return tuple(item.string(MAX_NAME) for item in items)


def _double(node: Node) -> float:
    value = node.number(lambda x: abs(x) < 10**300, "a number of a sensible size")
    return float(value)


def _in_file(where: Path, read_it: Callable[[], T]) -> T:
    try:
        return read_it()
    except InvalidInstance as error:
        raise InvalidInstance(str(where), str(error)) from error
