"""Chains, laws and trainings with numbers that doubles do not hold: a reason, and nothing wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theorems import CLAIMS
from verification import gallery
from verification.decision import decide
from verification.errors import InvalidInstance
from verification.instance import SCHEMA, Instance
from verification.verdict import Verdict

# Given up after so many seconds: a reason too.
BUDGET = 0.3
ABOUT_CHAINS = [claim for claim in CLAIMS if claim.kind == SCHEMA]
NAMES = ("markov-onegin", "critical", "mixture-activation")
SIZES = [f"{sign}{m}e{k}" for sign in ("", "-") for m in ("1", "7") for k in (200, 330, 450, -330)]


def places(value, path=()) -> Iterator[tuple]:
    """Yield the paths to the numbers of a document, but for probabilities and choices."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in {"transition", "initial", "kind", "of", "p", "name", "origin", "schema"}:
                yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for k, inner in enumerate(value):
            yield from places(inner, (*path, k))
    else:
        yield path


def changed(name, path, text) -> Instance | None:
    """Return an instance of the gallery with another number, None where it is none."""
    document = deepcopy(gallery.load(name).to_json())
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = text
    try:
        return Instance.from_json(document)
    except InvalidInstance:
        return None


def decided(claim, subject):
    found = decide(claim, subject, deadline=time.monotonic() + BUDGET)
    assert found.verdict is not Verdict.REFUTED or claim.disputed is not None
    assert found.reason


EXTREME = [
    found
    for name in NAMES
    for path in places(gallery.load(name).to_json())
    for text in SIZES
    if (found := changed(name, path, text)) is not None
]


# The same draws each time: to look for others is what a campaign is for.
@given(st.sampled_from(EXTREME), st.sampled_from(ABOUT_CHAINS))
@settings(max_examples=40, derandomize=True, database=None)
def test_an_extreme_instance_is_decided_or_a_reason_is_given(subject, claim):
    decided(claim, subject)


@pytest.mark.parametrize("claim", ABOUT_CHAINS, ids=lambda claim: claim.id)
def test_targets_and_times_beyond_doubles(claim):
    for path, text in (
        (("chain", "targets", 0), "1e330"),
        (("training", "alpha"), "1e-330"),
        (("law", "C", "high"), "1e330"),
    ):
        subject = changed("markov-onegin", path, text)
        assert subject is not None
        decided(claim, subject)
