"""The gallery: named instances that every run verifies.

Each is a JSON file beside this module, called after the name inside it, whose ``origin`` says
where its numbers come from.  Instances named ``sharp-...`` make a claim nearly an equality;
those named ``mutant-...`` refute a claim made false on purpose.
"""

from __future__ import annotations

import difflib
from importlib import resources

from verification import strict_json
from verification.errors import InvalidInstance
from verification.subject import Subject, read_subject

_SUFFIX = ".json"


def names() -> tuple[str, ...]:
    """Return the names of the gallery's instances, sorted."""
    files = (entry.name for entry in resources.files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in files if name.endswith(_SUFFIX)))


def load(name: str) -> Subject:
    """Read one instance of the gallery.

    Raises
    ------
    InvalidInstance
        Where the gallery has no instance of that name (the nearest is named), or where a file
        is malformed or called after another instance.
    """
    known = names()
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
        raise InvalidInstance(
            "", f"the gallery has no instance {name!r}, nearest known name: {nearest[0]!r}"
        )
    text = resources.files(__name__).joinpath(name + _SUFFIX).read_text(encoding="utf-8")
    subject = read_subject(strict_json.loads(text))
    if subject.name != name:
        raise InvalidInstance(
            "name", f"is {subject.name!r}, expected {name!r} as the file {name}{_SUFFIX} is called"
        )
    return subject


def load_all(schema: str | None = None) -> tuple[Subject, ...]:
    """Read every instance of the gallery, or every one of a kind, sorted by name."""
    subjects = (load(name) for name in names())
    return tuple(subject for subject in subjects if schema in {None, subject.schema})


def names_of(schema: str) -> tuple[str, ...]:
    """Return the names of the gallery's instances of a kind, sorted."""
    return tuple(subject.name for subject in load_all(schema))
