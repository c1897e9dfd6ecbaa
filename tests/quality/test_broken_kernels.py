"""One constant of one kernel is off by a millionth: three nets find it, each on its own.

The claim is CERTIFIED all the same, so that nothing in the run itself tells.  What tells is the
comparison with a former run, the independent checker of certificates, and the kernel's own tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASELINE = ROOT / "reports" / "baseline"
SUPPORT = ROOT / "tests" / "support" / "broken"
TESTS_FAILED, PROBLEM = 1, 1


@dataclass(frozen=True, kw_only=True)
class BrokenKernel:
    """One constant, a millionth too large.

    Parameters
    ----------
    module : str
    right, wrong : str
        What stands in the module's source once, and what stands in its place.
    claim, instance : str
        What is decided with it.
    tests : str
        The tests that guard the kernel.
    """

    module: str
    right: str
    wrong: str
    claim: str
    instance: str
    tests: str


MORE = "Fraction(1_000_001, 1_000_000)"
KERNELS = {
    "the supremum of an activation's slope": BrokenKernel(
        module="verification.recurrent.activation",
        right="(Fraction(1), Fraction(1, 4), 1 / (6 * ball(3).sqrt())",
        wrong=f"(Fraction(1), Fraction(1, 4) * {MORE}, 1 / (6 * ball(3).sqrt())",
        claim="M5",
        instance="markov-onegin",
        tests="tests/theorems/test_activation_bounds.py",
    ),
    "the weights of a quadrature rule": BrokenKernel(
        module="verification.enclosure.quadrature",
        right="* ball(step) / (2 * pi()).sqrt()",
        wrong=f"* ball(step * {MORE}) / (2 * pi()).sqrt()",
        claim="M1",
        instance="markov-onegin",
        tests="tests/enclosure/test_quadrature.py",
    ),
    "the Poisson equation": BrokenKernel(
        module="verification.markov.finite",
        right=".solve(Matrix.column(observable)).numbers()",
        wrong=f".solve(Matrix.column(observable).scale({MORE})).numbers()",
        claim="P2",
        instance="markov-onegin",
        tests="tests/markov/test_finite.py",
    ),
    "the norm of a kernel": BrokenKernel(
        module="verification.linear_rnn.norm",
        right="area = abs(integral(function, started, at))",
        wrong=f"area = abs(integral(function, started, at)) * ball({MORE})",
        claim="C1S",
        instance="sharp-two-channels",
        tests="tests/linear_rnn/test_norm.py",
    ),
}


def run(module, *arguments, broken=None):
    environment = dict(os.environ)
    if broken is not None:
        environment["BROKEN_KERNEL"] = json.dumps([broken.module, broken.right, broken.wrong])
        environment["PYTHONPATH"] = os.pathsep.join(
            [str(SUPPORT), *filter(None, [environment.get("PYTHONPATH")])]
        )
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(params=KERNELS)
def broken(request):
    return KERNELS[request.param]


def test_the_baseline_tells(broken, tmp_path):
    decided = ("verify", broken.instance, "--claim", broken.claim, "--quiet", "--jobs", 1)
    done = run("theorems", *decided, "--out", tmp_path, broken=broken)
    assert done.returncode == 0, "the claim holds all the same"
    done = run("theorems", *decided, "--out", tmp_path, "--baseline", BASELINE, broken=broken)
    assert done.returncode == PROBLEM
    assert "disjoint" in done.stdout


def test_a_certificate_tells(broken, tmp_path):
    file = tmp_path / "certificate.json"
    for kernel, said in ((None, "VALID"), (broken, "INVALID")):
        made = ("certify", broken.instance, "--claim", broken.claim, "--out", file)
        assert run("theorems", *made, broken=kernel).returncode == 0
        assert run("theorems", "check", file).stdout.split()[0] == said


def test_its_tests_tell(broken):
    done = run("pytest", "-x", "-q", "-p", "no:cacheprovider", broken.tests, broken=broken)
    assert done.returncode == TESTS_FAILED
    assert " failed" in done.stdout
