"""The conditions of a run, as the report records them."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from verification.instance import Json

_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
"""What BLAS libraries read when numpy is first imported."""

_PACKAGES = ("kernel-limit-theorems", "python-flint", "mpmath", "numpy", "scipy", "hypothesis")
_REVISION = "git revision"


def limit_threads() -> None:
    """Have BLAS use one thread, where numpy is not loaded yet and the user has not said more.

    With one thread the roundings, which the last digits of enclosures show, do not depend on how
    many cores there are.
    """
    for variable in _THREADS:
        os.environ.setdefault(variable, "1")


def environment(*, seed: int, jobs: int) -> dict[str, Json]:
    """Return what `machine` does, the seed and the number of jobs."""
    found = machine()
    return {
        **{key: value for key, value in found.items() if key != _REVISION},
        "seed": seed,
        "jobs": jobs,
        _REVISION: found[_REVISION],
    }


def machine(more: Sequence[str] = ()) -> dict[str, Json]:
    """Return versions, processor, linear algebra library, git revision.

    Parameters
    ----------
    more : sequence of str
        Packages to name besides those that every run uses.
    """
    import numpy as np  # noqa: PLC0415 - only a run needs it

    from verification.enclosure.balls import FLINT_VERSION  # noqa: PLC0415 - loads flint

    blas = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    packages: dict[str, Json] = {name: package_version(name) for name in (*_PACKAGES, *more)}
    return {
        "python": platform.python_version(),
        **packages,
        "FLINT": FLINT_VERSION,
        "system": f"{platform.system()} {platform.machine()}",
        "CPU": _processor(),
        "BLAS": f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip(),
        _REVISION: revision(),
    }


def package_version(name: str) -> str:
    """Return the version of an installed package, or that it is not."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.processor() or "unknown"


def revision() -> str:
    """Return the checkout's commit, marked where files differ from it; empty outside of one."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return "unknown"
    try:
        described = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return described.stdout.strip() or "unknown"
