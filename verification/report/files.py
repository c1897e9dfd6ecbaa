"""The files of a report: each is written whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
from fractions import Fraction
from pathlib import Path
from typing import Any

from verification.errors import InvalidInstance
from verification.report.document import Document
from verification.report.html import render_html
from verification.report.junit import render_junit
from verification.report.markdown import render_markdown
from verification.report.text import counterexample_name
from verification.strict_json import format_number
from verification.subject import Subject, digest

REPLAY_SCHEMA = "replay/1"
COUNTEREXAMPLES = "counterexamples"


def write_report(document: Document, out: Path) -> None:
    """Write ``report.json``, ``index.html``, ``junit.xml`` and ``summary.md`` into a folder.

    The data come first, so that a run is on disk before anything is rendered.

    Raises
    ------
    OSError
        Where the folder cannot be made or written; files of a former report stay whole.
    """
    write_atomically(out / "report.json", json_bytes(document))
    write_renderings(document, out)


def write_renderings(document: Document, out: Path) -> None:
    """Write what is rendered from a document: all files of a report but ``report.json``."""
    write_atomically(out / "index.html", render_html(document).encode())
    write_atomically(out / "junit.xml", render_junit(document))
    write_atomically(out / "summary.md", render_markdown(document).encode())


def write_counterexample(
    out: Path,
    claim_id: str,
    mutant: str | None,
    instance: Subject,
    seed: int,
    *,
    constant: Fraction | None = None,
) -> Path:
    """Write a file from which one claim, or mutant, is decided on one instance again.

    Its name is made of the names of the three, as far as they are letters and digits, and a
    digest that tells it from every other; the same three are written to the same file.  The
    constant is that of a disputed claim which was restated.

    Returns
    -------
    Path
        The file, inside ``out/counterexamples``.
    """
    document: dict[str, Any] = {
        "schema": REPLAY_SCHEMA,
        "claim": claim_id,
        "mutant": mutant,
        "seed": seed,
        "instance": instance.to_json(),
    }
    if constant is not None:
        document["constant"] = format_number(constant)
    name = counterexample_name(claim_id, mutant, instance.name, digest(instance))
    path = out / COUNTEREXAMPLES / name
    write_atomically(path, json_bytes(document))
    return path


def require_folder(out: Path) -> None:
    """Find out before the work, and not after it, that a folder cannot be written; make it.

    Raises
    ------
    InvalidInstance
        Where it cannot be made or written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        writable = os.access(out, os.W_OK)
    except OSError as error:
        raise InvalidInstance("--out", f"{out} cannot be made: {error.strerror}") from error
    if not writable:
        raise InvalidInstance("--out", f"{out} cannot be written")


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader, or a crash, meets the old content or the new, never a part.

    Missing folders are made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder: a file can be renamed onto another atomically within one file system.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def json_bytes(document: Document) -> bytes:
    """Return a document as the text of a file."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # A lone surrogate has no UTF-8, but \udXXX is how JSON itself writes it.
    return text.encode(errors="backslashreplace")
