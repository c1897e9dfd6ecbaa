"""Hypothesis profiles; choose one with ``--hypothesis-profile`` or HYPOTHESIS_PROFILE.

``dev`` draws new examples in every run, ``ci`` the same ones; ``long`` is for a night.
No profile has a deadline: time is measured in benchmarks/, never asserted in a test.
"""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

# As in the runner's workers: the tests run on all cores already.
for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# A shell starts what it puts in the background with Ctrl-C ignored, and children inherit that: the
# tests that interrupt a process would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_COMMON = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("dev", _COMMON, max_examples=50)
settings.register_profile(
    "ci", _COMMON, max_examples=50, derandomize=True, database=None, print_blob=True
)
settings.register_profile("long", _COMMON, max_examples=20_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))
