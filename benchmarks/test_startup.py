"""How long a user waits for the first line, beside ``import numpy`` in the same run.

Each round is one fresh interpreter.  The last benchmark starts the four in turn, one right after
the other, and records the medians of the ratios of their processor times to that of
``import numpy``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import median

import pytest

ROUNDS = 9
PROGRAMS = {
    "nothing": ("-c", "pass"),
    "import numpy": ("-c", "import numpy"),
    "import verification": ("-c", "import verification"),
    "theorems list": ("-m", "theorems", "list"),
}


def start(name: str) -> None:
    subprocess.run([sys.executable, *PROGRAMS[name]], stdout=subprocess.DEVNULL, check=True)


def seconds(name: str) -> float:
    # Of the processor, in the children: what else the machine does is no part of the ratio.
    before = os.times()
    start(name)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.benchmark(group="start")
def test_start(benchmark, name):
    benchmark.pedantic(start, (name,), rounds=ROUNDS, warmup_rounds=1)


@pytest.mark.benchmark(group="start, as a share of import numpy")
def test_share_of_numpy(benchmark):
    rounds = []

    def measure():
        rounds.append({name: seconds(name) for name in PROGRAMS})

    benchmark.pedantic(measure, rounds=ROUNDS, warmup_rounds=1)
    for name in ("import verification", "theorems list"):
        # A clock tick of a hundredth of a second is the least that can be told apart.
        shares = [taken[name] / max(taken["import numpy"], 0.01) for taken in rounds]
        benchmark.extra_info[f"{name} / import numpy"] = median(shares)
