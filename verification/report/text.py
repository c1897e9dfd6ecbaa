"""Text from outside made safe to show, and stable names for anchors and files.

Names of instances come from users.  They may be long, mimic markup, or hold characters that
XML forbids or that reorder the line around them; none of that may reach a page, a log or a path.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence

MAX_SHOWN = 120

_UNSAFE = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters; XML 1.0 forbids most of them
    "\ud800-\udfff\ufffe\uffff"  # lone surrogates and noncharacters: no valid UTF-8, no XML
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # they reorder the text that follows
    "]"
)
_SLUG_LENGTH = 48
_DIGEST_LENGTH = 8


def clean(text: str) -> str:
    """Replace what neither a page nor XML may hold by U+FFFD; line ends and tabs stay."""
    return _UNSAFE.sub("\ufffd", text.replace("\r\n", "\n"))


def brief(text: str, most: int = MAX_SHOWN) -> str:
    """Return cleaned text on one line, of at most `most` characters, and never nothing."""
    line = " ".join(clean(text).split()) or "(blank)"
    return line if len(line) <= most else line[: most - 1] + "…"


def plural(count: int, noun: str) -> str:
    """Return ``1 claim``, ``2 claims``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def several(names: Iterable[str], most: int = 5) -> str:
    """Return ``M1, M2, M3``, or the first few names and how many more there are."""
    distinct = [brief(name, 20) for name in dict.fromkeys(names)]
    more = f" and {len(distinct) - most} more" if len(distinct) > most else ""
    return ", ".join(distinct[:most]) + more


def slug(text: str) -> str:
    """Return lower-case ASCII letters, digits and inner hyphens; possibly nothing at all."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub("[^a-z0-9]+", "-", plain)[:_SLUG_LENGTH].strip("-")


def short_digest(parts: Sequence[str]) -> str:
    """Return a few hexadecimal digits that tell lists of texts apart."""
    hashed = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        hashed.update(len(raw).to_bytes(8, "big") + raw)
    return hashed.hexdigest()[:_DIGEST_LENGTH]


def counterexample_name(claim: str, mutant: str | None, instance: str, digest: str) -> str:
    """Return the name of the file in which a refuted result is kept for replay.

    It is made of the names, as far as they are letters and digits, and a digest of claim, mutant
    and instance that tells it from every other.
    """
    names = [claim, *([] if mutant is None else [mutant]), instance]
    readable = "-".join(filter(None, map(slug, names)))
    known_by = short_digest([claim, "" if mutant is None else f"={mutant}", digest])
    return f"{readable}-{known_by}.json"


class Anchors:
    """Stable, unique identifiers for the parts of one page.

    An identifier is readable where the names allow it.  Names that lose something on the way, or
    meet an identifier that is taken, get a digest of the full names appended.
    """

    def __init__(self) -> None:
        self._names: dict[tuple[str, ...], str] = {}
        self._taken: set[str] = set()

    def __call__(self, *parts: str) -> str:
        """Return the identifier of a part of the page; the same parts give the same one."""
        if parts not in self._names:
            readable = "-".join(slug(part) for part in parts)
            lossless = all(slug(part) == part.lower() for part in parts)
            if not lossless:
                readable = f"{readable}-{short_digest(parts)}"
            while readable in self._taken:
                readable = f"{readable}-{short_digest((readable, *parts))}"
            self._taken.add(readable)
            self._names[parts] = readable
        return self._names[parts]
