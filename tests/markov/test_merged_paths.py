"""The exact mean of the squared maximum, against all paths and against the enclosures."""

from __future__ import annotations

from fractions import Fraction

import pytest
from enumerated_paths import COIN, CYCLE, KNOWN, ends, mean_over_paths, partial_sums
from hypothesis import given
from hypothesis import strategies as st

from verification.campaign.strategies import chains
from verification.markov import merged_paths
from verification.markov.merged_paths import exact_squared_maximum_mean
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
        found = exact_squared_maximum_mean(
            chain, observable, start=start, steps=steps, centre=centre
        )
        assert found == expected


@given(chain=chains(max_states=4), observable=values, steps=st.integers(1, 6))
def test_the_enclosure_contains_it(chain, observable, steps):
    f, centre = observable[: chain.n_states], Fraction(1, 3)
    exact = exact_squared_maximum_mean(chain, f, start=0, steps=steps, centre=centre)
    assert exact is not None
    low, high = ends(squared_maximum_mean(chain, f, start=0, steps=steps, centre=centre))
    assert low <= exact <= high


def test_a_deterministic_chain_is_followed_for_long():
    # Sums 0, -1, -1, 0, -1, ... : the largest square is 1.
    observable = [Fraction(-1), Fraction(0), Fraction(1)]
    found = exact_squared_maximum_mean(CYCLE, observable, start=0, steps=10_000, centre=Fraction(0))
    assert found == 1


def test_too_many_paths_are_left_to_others(monkeypatch):
    arguments = {"start": 0, "steps": 12, "centre": Fraction(0)}
    observable = [Fraction(-1), Fraction(1)]
    assert exact_squared_maximum_mean(COIN, observable, **arguments) is not None
    monkeypatch.setattr(merged_paths, "MAX_TRANSITIONS", 20)
    assert exact_squared_maximum_mean(COIN, observable, **arguments) is None
