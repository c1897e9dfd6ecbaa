"""What a check says: VALID, INVALID or UNSUPPORTED, what was verified, what is trusted."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict
from pathlib import Path

from verification.certificate.check.checking import Checked, check_file
from verification.certificate.check.outcome import Invalid, Unsupported

VALID, INVALID, UNSUPPORTED = 0, 1, 2
"""Exit codes; a file that is no certificate is `UNSUPPORTED` too."""

_WIDTH = 79
_INDENT = 10
_CASES_SHOWN = 12


def check_and_render(path: Path, *, as_json: bool = False) -> tuple[str, int]:
    """Check a file; return what to print, and the exit code.

    Raises
    ------
    Refused
        Where the file is no certificate that can be read within the limits.
    """
    try:
        found = check_file(path)
    except Invalid as error:
        return _ended("INVALID", str(error), as_json=as_json), INVALID
    except Unsupported as error:
        return _ended("UNSUPPORTED", str(error), as_json=as_json), UNSUPPORTED
    if as_json:
        return json.dumps({"outcome": "VALID", **asdict(found)}, indent=2), VALID
    return _rendered(found), VALID


def _ended(outcome: str, reason: str, *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"outcome": outcome, "reason": reason}, indent=2)
    return _part(outcome.lower(), reason).replace(outcome.lower(), outcome, 1)


def _rendered(found: Checked) -> str:
    cases = [
        f"{case.what}: {case.left} {'=' if found.identity else '<='} {case.right}"
        for case in found.cases[:_CASES_SHOWN]
    ]
    if len(found.cases) > _CASES_SHOWN:
        cases.append(f"and {len(found.cases) - _CASES_SHOWN} more")
    count = len(found.cases)
    return "\n".join(
        (
            f"VALID     {found.claim} on {found.instance}",
            _part("says", found.says),
            _part("holds in", f"{count} case{'s' if count > 1 else ''}:", *cases),
            _part("verified", *found.verified),
            _part("trusted", *found.trusted),
            _part("made by", found.made_by),
        )
    )


def _part(name: str, *lines: str) -> str:
    """Set paragraphs beside a name; what comes from the file shows as ASCII, on its own lines."""
    shown = []
    for i, line in enumerate(lines):
        shown.append(
            textwrap.fill(
                line.encode("ascii", "backslashreplace").decode("ascii"),
                _WIDTH,
                initial_indent=f"{name if i == 0 else '':<{_INDENT}}",
                subsequent_indent=" " * (_INDENT + 2),
            )
        )
    return "\n".join(shown)
