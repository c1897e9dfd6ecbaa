"""Draws of path maxima: their law is exactly the chain's, or off by no more than the bias says."""

from __future__ import annotations

import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from enumerated_paths import (
    COIN,
    CYCLE,
    GENERAL,
    KNOWN,
    ONE_STATE,
    chain_of,
    ends,
    partial_sums,
    paths,
)
from hypothesis import given
from hypothesis import strategies as st

from verification.campaign.strategies import chains
from verification.enclosure.balls import ball, interval, precision
from verification.enclosure.doubles import gamma
from verification.markov import maximum_draws as module
from verification.markov.maximum_draws import MaximumDraws, maximum_draws
from verification.markov.path_maximum import squared_maximum_mean

F = Fraction
HALF = F(1, 2)
OBSERVABLE = (F(1, 3), F(2, 7), F(-1))
CENTRE = F(1, 11)
COUNT = 20_000
# Hoeffding: each comparison below fails with probability 1e-9 at most.
MARGIN = math.sqrt(math.log(2e9) / (2 * COUNT))

LONG = chain_of([["1/3", F(2, 3) - F(1, 7**30), F(1, 7**30)], [0, "1/2", "1/2"], [1, 0, 0]])
"""Its denominators do not fit 62 bits."""


def drawn_matrix(draws: MaximumDraws, size: int) -> list[dict[int, Fraction]]:
    """Return the transition probabilities that the draws follow, by their thresholds."""
    rows: list[dict[int, Fraction]] = [{} for _ in range(size)]
    before = 0
    for bound, successor in zip(draws.bounds, draws.successors, strict=True):
        if bound > before:
            row = before // draws.denominator
            rows[row][successor] = F(bound - before, draws.denominator)
            # A row's bounds fill its own range of keys, and no other.
            assert bound <= (row + 1) * draws.denominator
        before = bound
    assert before == size * draws.denominator
    return rows


def possible(chain, observable, start, steps, centre) -> dict[Fraction, Fraction]:
    """Return the law of max S_k^2, by enumeration."""
    law: dict[Fraction, Fraction] = {}
    for p, path in paths(chain, start, steps):
        value = max(s * s for s in partial_sums(path, observable, centre))
        law[value] = law.get(value, F(0)) + p
    return law


@given(chains(max_states=6))
def test_the_thresholds_are_exactly_the_chain(chain):
    draws = maximum_draws(chain, range_of(chain), start=0, steps=5, centre=F(0))
    drawn = drawn_matrix(draws, chain.n_states)
    if (math.lcm(*(p.denominator for row in chain.rows for _, p in row)) * chain.n_states) < 2**61:
        assert drawn == [dict(row) for row in chain.rows]
        assert draws.bias == gamma(7)
    else:
        check_rounded(chain, draws)
    assert (draws.denominator * chain.n_states).bit_length() <= 63


def range_of(chain) -> list[Fraction]:
    return [F(i) for i in range(chain.n_states)]


def check_rounded(chain, draws) -> None:
    distances = [
        sum(abs(dict(row).get(j, F(0)) - drawn.get(j, F(0))) for j in range(chain.n_states)) / 2
        for row, drawn in zip(chain.rows, drawn_matrix(draws, chain.n_states), strict=True)
    ]
    bias = draws.bias - gamma(7)
    assert max(distances) * (draws.steps - 1) <= bias
    assert bias <= max(distances) * (draws.steps - 1) + F(1, 2**100)


@given(
    gaps=st.lists(st.integers(0, 2**40) | st.integers(0, 9), min_size=1, max_size=40),
    last=st.integers(1, 2**56),
    seed=st.integers(0, 99),
)
def test_places_of_keys_are_counted(gaps, last, seed):
    bounds = np.cumsum([*gaps, last])
    keys = np.random.default_rng(seed).integers(0, bounds[-1], 200)
    beside = np.concatenate((bounds - 1, bounds, bounds + 1))
    keys = np.concatenate((keys, beside[(beside >= 0) & (beside < bounds[-1])]))
    expected = (bounds <= keys[:, np.newaxis]).sum(axis=1)
    assert (module._search(bounds)(keys) == expected).all()


def test_long_denominators_are_rounded_and_the_bias_says_so():
    draws = maximum_draws(LONG, OBSERVABLE, start=0, steps=1000, centre=F(0))
    check_rounded(LONG, draws)
    assert gamma(7) < draws.bias < F(1, 10**12)
    values = draws(np.random.default_rng(5), 100)
    assert ((values > 0) & (values <= 1)).all()


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("steps", [1, 6])
def test_draws_have_the_law_of_all_paths(name, steps):
    chain = KNOWN[name]
    observable = OBSERVABLE[: chain.n_states]
    for start in range(chain.n_states):
        draws = maximum_draws(chain, observable, start=start, steps=steps, centre=CENTRE)
        values = draws(np.random.default_rng(steps), COUNT)
        assert values.shape == (COUNT,)
        law = possible(chain, observable, start, steps, CENTRE)
        # Every draw is one of the possible values, but for its rounding.
        levels = sorted(law)
        doubles = np.array([float(level / draws.scale**2) for level in levels])
        nearest = np.abs(values[:, np.newaxis] - doubles).argmin(axis=1)
        assert np.abs(values - doubles[nearest]).max() <= float(draws.bias) + 2.0**-52
        # And each is drawn as often as its paths weigh.
        for number, level in enumerate(levels):
            assert abs((nearest == number).mean() - float(law[level])) <= MARGIN


def test_the_mean_is_the_enclosed_one():
    draws = maximum_draws(GENERAL, OBSERVABLE, start=1, steps=60, centre=F(-1, 5))
    with precision(64):
        side = squared_maximum_mean(GENERAL, OBSERVABLE, start=1, steps=60, centre=F(-1, 5))
        low, high = (float(end / draws.scale**2) for end in ends(side))
    mean = draws(np.random.default_rng(0), COUNT).mean()
    assert low - MARGIN <= mean <= high + MARGIN


def test_a_path_without_chance_is_drawn_exactly():
    # 0, 1, 2, 0, 1 from state 0: the sums of f - 2 are 0, -2, -3, 0, -2, -3.
    draws = maximum_draws(CYCLE, [F(0), F(1), F(5)], start=0, steps=5, centre=F(2))
    values = draws(np.random.default_rng(0), 10)
    assert draws.scale == 15
    assert np.abs(values * 225 - 9).max() <= 225 * float(draws.bias)
    assert draws.bias == gamma(7)


def test_every_draw_is_at_most_one_and_one_is_attained():
    draws = maximum_draws(ONE_STATE, [F(1, 3)], start=0, steps=7, centre=F(0))
    assert (draws(np.random.default_rng(0), 5) == 1).all()
    assert draws.scale == F(7, 3)


@pytest.mark.parametrize("steps", [0, 4])
def test_draws_of_nothing_are_zero(steps):
    centre = F(0) if steps == 0 else F(2)
    draws = maximum_draws(COIN, [F(2), F(2)], start=1, steps=steps, centre=centre)
    assert (draws(np.random.default_rng(0), 9) == 0).all()
    assert draws.scale > 0


def test_a_centre_that_is_a_ball_adds_to_the_bias():
    radius = F(1, 10**4)
    wide = interval(ball(HALF - radius), ball(HALF + radius))
    draws = maximum_draws(COIN, [F(0), F(1)], start=0, steps=8, centre=wide)
    for centre in (HALF - radius, HALF + radius, HALF):
        law = possible(COIN, [F(0), F(1)], 0, 8, centre)
        exact = sum(value * p for value, p in law.items())
        mean = sum(
            value * p for value, p in possible(COIN, [F(0), F(1)], 0, 8, HALF).items()
        )  # what is drawn, but for the rounding of the centre
        assert abs(exact - mean) / draws.scale**2 <= draws.bias
    # |S^2 - S'^2| <= slack (2 * 4 + slack) where |S| <= 4.
    slack = 8 * radius * F(1001, 1000)
    assert draws.bias <= slack * (8 + slack) / 16 * F(1001, 1000) + gamma(7)
    narrow = maximum_draws(COIN, [F(0), F(1)], start=0, steps=8, centre=ball(HALF))
    assert narrow.bias <= gamma(7) + F(1, 2**40)


def test_the_bias_of_a_wide_ball_is_attained():
    # S_4 is 4 (1 - c), from 2 to 4; what is drawn has c = 1/4, and S_4 = 3 = scale.
    wide = interval(ball(F(0)), ball(HALF))
    draws = maximum_draws(ONE_STATE, [F(1)], start=0, steps=4, centre=wide)
    bias = abs(F(16) / draws.scale**2 - 1)
    assert bias <= draws.bias <= bias * F(1001, 1000)


def test_draws_depend_on_the_generator_alone(monkeypatch):
    draws = maximum_draws(GENERAL, OBSERVABLE, start=0, steps=9, centre=CENTRE)
    first = draws(np.random.default_rng(3), 10_000)
    copy = pickle.loads(pickle.dumps(draws))
    assert copy == draws
    assert (copy(np.random.default_rng(3), 10_000) == first).all()
    assert (draws(np.random.default_rng(4), 10_000) != first).any()
    # Counts that are no multiple of a block.
    monkeypatch.setattr(module, "_BLOCK", 7)
    assert draws(np.random.default_rng(3), 0).shape == (0,)
    assert draws(np.random.default_rng(3), 20).shape == (20,)
    assert len(set(draws(np.random.default_rng(3), 20))) > 1


def test_two_draws_of_one_call_are_independent():
    draws = maximum_draws(COIN, [F(0), F(1)], start=0, steps=2, centre=HALF)
    # 1 with probability 1/2, else 1/4: by pairs, four equally likely outcomes.
    high = draws(np.random.default_rng(8), 2 * COUNT) > 0.5
    for a in (True, False):
        for b in (True, False):
            assert abs(((high[::2] == a) & (high[1::2] == b)).mean() - 0.25) <= MARGIN


@pytest.mark.parametrize("steps", [3, 6])
def test_values_on_too_fine_a_lattice_for_integers_are_drawn_within_the_bias(steps):
    observable = (F(1, 3), F(2, 7) + F(1, 3**60), F(-1, 7**40))
    draws = maximum_draws(GENERAL, observable, start=0, steps=steps, centre=CENTRE)
    # One step moves by half a unit of 2**-57 at most; a square by some times as much.
    assert gamma(7) < draws.bias < gamma(7) + F(1, 2**50)
    values = draws(np.random.default_rng(steps), COUNT)
    law = possible(GENERAL, observable, 0, steps, CENTRE)
    levels = sorted(law)
    doubles = np.array([float(level / draws.scale**2) for level in levels])
    nearest = np.abs(values[:, np.newaxis] - doubles).argmin(axis=1)
    assert np.abs(values - doubles[nearest]).max() <= float(draws.bias) + 2.0**-52
    mean = sum((float(p * level / draws.scale**2) for level, p in law.items()), 0.0)
    assert abs(values.mean() - mean) <= MARGIN
