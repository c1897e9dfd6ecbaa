"""``python -m verification.certificate.check FILE.json``: the checker without the rest of us."""

from __future__ import annotations

import sys
from pathlib import Path

from verification.certificate.check.outcome import Refused
from verification.certificate.check.rendering import UNSUPPORTED, check_and_render


def main(arguments: list[str]) -> int:
    """Check one file and return the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m verification.certificate.check FILE.json\n")
        return UNSUPPORTED
    try:
        text, code = check_and_render(Path(arguments[0]))
    except Refused as error:
        sys.stderr.write(f"{arguments[0]}: {error}\n")
        return UNSUPPORTED
    sys.stdout.write(text + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
