"""The exact mean of the squared maximum, against all paths and against the enclosures."""

from __future__ import annotations

from fractions import Fraction
from math import lcm

import pytest
from enumerated_paths import COIN, CYCLE, KNOWN, chain_of, ends, mean_over_paths, partial_sums
from hypothesis import given, settings
from hypothesis import strategies as st

from verification.campaign.strategies import chains
from verification.markov import merged_paths
from verification.markov.merged_paths import squared_maximum_bounds
from verification.markov.path_maximum import squared_maximum_mean

values = st.lists(
    st.fractions(min_value=-2, max_value=2, max_denominator=5), min_size=8, max_size=8
)


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("steps", [0, 1, 2, 5])
def test_it_is_the_mean_over_all_paths(name, steps):
    chain = KNOWN[name]
    observable = [Fraction(i * i - 1, 3) for i in range(chain.n_states)]
    centre = Fraction(2, 7)
    for start in range(chain.n_states):
        expected = mean_over_paths(
            chain,
            start,
            steps,
            lambda path: max(s * s for s in partial_sums(path, observable, centre)),
        )
        found = squared_maximum_bounds(chain, observable, start=start, steps=steps, centre=centre)
        assert found == (expected, expected)


@given(chain=chains(max_states=4), observable=values, steps=st.integers(1, 6))
def test_the_enclosure_contains_it(chain, observable, steps):
    f, centre = observable[: chain.n_states], Fraction(1, 3)
    exact = squared_maximum_bounds(chain, f, start=0, steps=steps, centre=centre)
    assert exact is not None
    assert exact[0] <= exact[1]
    low, high = ends(squared_maximum_mean(chain, f, start=0, steps=steps, centre=centre))
    assert low <= exact[1]
    assert exact[0] <= high


def test_a_deterministic_chain_is_followed_for_long():
    # Sums 0, -1, -1, 0, -1, ... : the largest square is 1.
    observable = [Fraction(-1), Fraction(0), Fraction(1)]
    found = squared_maximum_bounds(CYCLE, observable, start=0, steps=10_000, centre=Fraction(0))
    assert found == (1, 1)


def test_too_many_paths_are_left_to_others(monkeypatch):
    arguments = {"start": 0, "steps": 12, "centre": Fraction(0)}
    observable = [Fraction(-1), Fraction(1)]
    assert squared_maximum_bounds(COIN, observable, **arguments) is not None
    monkeypatch.setattr(merged_paths, "MAX_TRANSITIONS", 20)
    merged_paths._bounds.cache_clear()
    assert squared_maximum_bounds(COIN, observable, **arguments) is None
    merged_paths._bounds.cache_clear()


def test_unlikely_paths_are_given_up_and_counted():
    # From 0 the chain leaves with a probability of 2^-70 a step: then S grows by 1 each step.
    leak = Fraction(1, 2**70)
    chain = chain_of([[1 - leak, leak], [0, 1]])
    observable = [Fraction(0), Fraction(1)]
    low, high = squared_maximum_bounds(chain, observable, start=0, steps=50, centre=Fraction(0))
    exact = sum(((1 - leak) ** (k - 1) * leak * (50 - k) ** 2 for k in range(1, 50)), Fraction(0))
    assert low < exact < high
    assert high - low <= 50**3 * leak


@settings(max_examples=100)
@given(
    chain=chains(max_states=4),
    observable=values,
    steps=st.integers(2, 30),
    most=st.integers(1, 300),
    bits=st.sampled_from([3, 10, 60]),
)
def test_doubles_tell_beforehand_where_there_are_too_many(chain, observable, steps, most, bits):
    shared = lcm(*(p.denominator for row in chain.rows for _, p in row))
    weighted = [[(j, int(p * shared)) for j, p in row] for row in chain.rows]
    parts = lcm(*(value.denominator for value in observable))
    moves = [[int(value * parts) for value in observable[: chain.n_states]]] * steps
    walk = (weighted, moves, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merged_paths, "MAX_TRANSITIONS", most)
        told = merged_paths._are_too_many(*walk, shared=shared, bits=bits)
    here, coarser = (
        merged_paths._followed(*walk, shared=shared, bits=b, most=most) for b in (bits, bits - 1)
    )
    # Between the two lies what has a probability at which rounding decides.
    assert here is None if told else coarser is not None


def test_what_rounding_might_hide_is_not_called_too_many(monkeypatch):
    # The coin's paths of 10 steps have exactly the probability at which they are still followed.
    half = [[(0, 1), (1, 1)], [(0, 1), (1, 1)]]
    moves = [[1, 2 ** (k + 1)] for k in range(12)]
    arguments = {"shared": 2, "bits": 10}
    monkeypatch.setattr(merged_paths, "MAX_TRANSITIONS", 2_500)
    assert merged_paths._followed(half, moves, 0, most=2_500, **arguments) is None
    assert not merged_paths._are_too_many(half, moves, 0, **arguments)
    assert merged_paths._are_too_many(half, moves, 0, shared=2, bits=11)


def test_sums_beyond_the_integers_of_a_processor_are_not_counted_in_doubles():
    moves = [[2**60, -(2**60)]] * 50
    half = [[(0, 1), (1, 1)], [(0, 1), (1, 1)]]
    assert not merged_paths._are_too_many(half, moves, 0, shared=2, bits=60)
