"""The conditions of a run, as the report records them."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from verification.instance import Json

_PACKAGES = ("kernel-limit-theorems", "python-flint", "mpmath", "numpy", "scipy", "hypothesis")


def environment(*, seed: int, jobs: int) -> dict[str, Json]:
    """Return versions, processor, linear algebra library, seed, number of jobs, git revision."""
    import numpy as np  # noqa: PLC0415 - only a run needs it

    from verification.enclosure.balls import FLINT_VERSION  # noqa: PLC0415 - loads flint

    blas = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    packages: dict[str, Json] = {name: _version(name) for name in _PACKAGES}
    return {
        "python": platform.python_version(),
        **packages,
        "FLINT": FLINT_VERSION,
        "system": f"{platform.system()} {platform.machine()}",
        "CPU": _processor(),
        "BLAS": f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip(),
        "seed": seed,
        "jobs": jobs,
        "git revision": _revision(),
    }


def _version(name: str) -> str:
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


def _revision() -> str:
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
