"""How fast the strategies draw, beside `integers()` in the same run: at least 0.4 of its rate.

Each round is one property with `EXAMPLES` examples, from whole instances, from chains, ... and
from `integers()`.  The last benchmark measures instances and integers in pairs, one right after
the other, and records the median of the ratios of their rates as `share_of_integers`.

A property is fastest with one strategy: with several of one kind Hypothesis also tries examples in
which two of them are drawn alike, which costs it more than drawing.
"""

from __future__ import annotations

import time
from statistics import median

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from verification.campaign.strategies import activations, chains, instances, laws

EXAMPLES = 500
PAIRS = 9
STRATEGIES = {
    "integers": st.integers(),
    "instances": instances(),
    "contracting instances": instances(contracting=True),
    "chains": chains(),
    "chains of up to 6 states, and an activation": st.tuples(chains(max_states=6), activations()),
    "activations": activations(),
    "laws": laws(1),
}


def property_of(strategy):
    """Return a property of the drawn values that is always true."""

    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def holds(_value):
        pass

    return holds


def seconds(call) -> float:
    # Of the processor: what else the machine does is no part of the ratio.
    started = time.process_time()
    call()
    return time.process_time() - started


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.benchmark(group="drawing")
def test_drawing(benchmark, name):
    benchmark.extra_info["examples"] = EXAMPLES
    benchmark.pedantic(property_of(STRATEGIES[name]), rounds=7, warmup_rounds=1)


@pytest.mark.benchmark(group="drawing, in pairs")
def test_instances_against_integers(benchmark):
    ours, theirs = property_of(instances()), property_of(st.integers())

    def ratio() -> float:
        return seconds(theirs) / seconds(ours)

    ratio()
    ratios = [ratio() for _ in range(PAIRS if benchmark.enabled else 1)]
    benchmark.extra_info["share_of_integers"] = round(median(ratios), 3)
    benchmark.extra_info["goal"] = 0.4
    benchmark.pedantic(ours, rounds=1)
