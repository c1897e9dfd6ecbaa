"""The chain that remembers a visit, against the paths of the chain itself."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

import pytest
from enumerated_paths import KNOWN, paths
from hypothesis import given
from hypothesis import strategies as st

from verification.campaign.strategies import chains
from verification.markov.visits import first_pair, remembering_visit

STEPS = 5


def assert_same_law(chain, state: int, start: int) -> None:
    """Every path with what it remembers, and no other, with the probability of the path."""
    size = chain.n_states
    known: dict[tuple[int, ...], Fraction] = defaultdict(Fraction)
    for p, path in paths(chain, start, STEPS):
        seen = [state in path[: k + 1] for k in range(STEPS)]
        known[tuple(i + size * was for i, was in zip(path, seen, strict=True))] += p
    found: dict[tuple[int, ...], Fraction] = defaultdict(Fraction)
    pairs = remembering_visit(chain, state)
    for p, path in paths(pairs, first_pair(chain, state, start), STEPS):
        found[path] += p
    assert found == known


@pytest.mark.parametrize("name", KNOWN)
def test_known_chains(name):
    chain = KNOWN[name]
    for state in range(chain.n_states):
        for start in range(chain.n_states):
            assert_same_law(chain, state, start)


@given(chains(max_states=4), st.data())
def test_random_chains(chain, data):
    state, start = (data.draw(st.integers(0, chain.n_states - 1)) for _ in range(2))
    assert_same_law(chain, state, start)


def test_it_is_a_chain_that_shows_what_the_first_one_shows():
    chain = KNOWN["general"]
    pairs = remembering_visit(chain, chain.initial)
    assert pairs.initial == chain.n_states + chain.initial
    assert remembering_visit(chain, chain.initial + 1).initial == chain.initial
    assert pairs.targets == chain.targets * 2
    assert pairs.inputs == chain.inputs * 2
    for row in pairs.rows:
        assert sum(p for _, p in row) == 1
        assert [j for j, _ in row] == sorted({j for j, _ in row})
