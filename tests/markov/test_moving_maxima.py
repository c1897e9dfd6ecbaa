"""Maxima of sums of functions that move: walks, paths, levels and draws against all paths."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import accumulate

import numpy as np
import pytest
from enumerated_paths import COIN, GENERAL, KNOWN, chain_of, ends, mean_over_paths, paths, ring
from hypothesis import given
from hypothesis import strategies as st

from verification.campaign.strategies import chains
from verification.enclosure.balls import ball, interval, precision
from verification.enclosure.doubles import gamma
from verification.errors import NotEnclosed
from verification.markov import merged_paths, path_maximum
from verification.markov.maximum_draws import walk_maximum_draws
from verification.markov.merged_paths import squared_maximum_bounds, walk_maximum_bounds
from verification.markov.path_maximum import squared_maximum_means, walk_maximum_means
from verification.markov.walk import INTEGER_BITS, Walk, coarser, moving_walk, walk

F = Fraction
rationals = st.fractions(min_value=-2, max_value=2, max_denominator=6)
FINE = [F(0), F(1, 3**60), F(5, 7**40)]
"""On a lattice of which no sum fits 64 bits."""


@pytest.fixture(autouse=True)
def _bits():
    with precision(128):
        yield


@pytest.fixture
def fresh():
    """Nothing is kept from before, nor for later: the limits of the module are changed."""
    path_maximum._bounds.cache_clear()
    yield
    path_maximum._bounds.cache_clear()


def turning(size: int, steps: int) -> tuple[list[list[Fraction]], list[Fraction]]:
    """Functions of which no two times agree, and whose states change order; centres."""
    rows = [[F((3 * i * i + 5 * k) % 7 - 3, 2 + k % 3) for i in range(size)] for k in range(steps)]
    return rows, [F(k % 4 - 1, 5) for k in range(steps)]


def squared_maximum(path, rows, centres) -> Fraction:
    moves = (row[i] - c for i, row, c in zip(path, rows, centres, strict=True))
    return max(s * s for s in accumulate(moves, initial=F(0)))


def by_enumeration(chain, start, rows, centres) -> Fraction:
    return mean_over_paths(
        chain, start, len(rows), lambda path: squared_maximum(path, rows, centres)
    )


def off(found: Walk, rows, centres) -> list[Fraction]:
    """By how much the increments are off at each time, at most."""
    return [
        max(
            abs(found.unit * x - (value - centre))
            for x, value in zip(found.row(k), row, strict=True)
        )
        for k, (row, centre) in enumerate(zip(rows, centres, strict=True))
    ]


def assert_shape(found: Walk, steps: int) -> None:
    assert all((x - row[0]) % found.gap == 0 for row in found.rows for x in row)
    assert found.reach(steps) == sum(max(map(abs, found.row(k))) for k in range(steps))
    assert found.span(steps) == sum(max(found.row(k)) - min(found.row(k)) for k in range(steps))
    assert found.reach(steps) < 2**INTEGER_BITS


# Walks


@given(st.data(), st.integers(1, 4), st.integers(1, 6))
def test_a_moving_walk_with_rational_centres_is_exact(data, size, steps):
    rows = [data.draw(st.lists(rationals, min_size=size, max_size=size)) for _ in range(steps)]
    centres = data.draw(st.lists(rationals, min_size=steps, max_size=steps))
    found = moving_walk(rows, centres=centres)
    assert off(found, rows, centres) == [0] * steps
    assert found.error == 0
    assert_shape(found, steps)


def test_a_moving_walk_that_does_not_move_is_a_walk():
    rows, _ = turning(3, 1)
    once, many = walk(rows[0], 9, centre=F(1, 7)), moving_walk(rows * 9, centres=[F(1, 7)] * 9)
    assert many == Walk(unit=once.unit, rows=once.rows * 9, gap=once.gap, error=once.error)
    for steps in (0, 4, 9, 12):
        assert many.reach(steps) == once.reach(steps)
        assert many.span(steps) == once.span(steps)


@pytest.mark.parametrize("radius", [F(0), F(1, 10**6)])
def test_balls_as_centres_are_covered_at_every_time(radius):
    rows, centres = turning(3, 5)
    balls = [interval(ball(c - radius), ball(c + radius)) for c in centres]
    found = moving_walk(rows, centres=balls)
    for sign in (-1, 1):
        assert sum(off(found, rows, [c + sign * radius for c in centres])) <= found.error
    # A unit a step at most for the rounding, and the balls.
    assert 0 < found.error <= 5 * (found.unit + radius) * F(1001, 1000)
    # The lattice of the values is not lost: a position is some 2^50 units.
    assert found.gap > 2**40
    assert_shape(found, 5)


def test_values_of_one_time_on_too_fine_a_lattice_are_rounded():
    rows, centres = [[F(0), F(1), F(2)], FINE, [F(-1), F(0), F(3)]], [F(1, 3), F(0), F(2)]
    found = moving_walk(rows, centres=centres)
    assert 0 < sum(off(found, rows, centres)) <= found.error <= F(3, 2) * found.unit
    assert found.unit <= F(3, 2**57)
    assert_shape(found, 3)


def test_a_moving_walk_made_coarser_is_off_by_what_it_says():
    rows, centres = turning(4, 6)
    fine = moving_walk(rows, centres=centres)
    found = coarser(fine, 6, F(40))
    assert sum(off(found, rows, centres)) <= found.error <= 40 * fine.unit
    assert found.error > 0
    assert_shape(found, 6)


# Means


@given(chains(max_states=3), st.data(), st.integers(1, 5))
def test_both_means_are_those_of_all_paths(chain, data, steps):
    size = chain.n_states
    rows = [data.draw(st.lists(rationals, min_size=size, max_size=size)) for _ in range(steps)]
    centres = data.draw(st.lists(rationals, min_size=steps, max_size=steps))
    walked = moving_walk(rows, centres=centres)
    successors = max(map(len, chain.rows))
    for start, side in enumerate(walk_maximum_means(chain, walked, steps=steps)):
        truth = by_enumeration(chain, start, rows, centres)
        low, high = ends(side)
        assert low <= truth <= high
        relative = 3 * gamma((steps - 1) * (successors + 1) + 3) + F(1, 2**50)
        assert high - low <= 2 * relative * truth + F(1, 2**900)
        exact = walk_maximum_bounds(chain, walked, start=start, steps=steps)
        # Paths of less than 2^-60 are given up.
        assert exact[0] <= truth <= exact[1] <= exact[0] + truth / 2**30 + F(1, 2**30)


@pytest.mark.parametrize("name", KNOWN)
def test_known_chains_exactly(name):
    chain = KNOWN[name]
    rows, centres = turning(chain.n_states, 7)
    walked = moving_walk(rows, centres=centres)
    for start in range(chain.n_states):
        truth = by_enumeration(chain, start, rows, centres)
        assert walk_maximum_bounds(chain, walked, start=start, steps=7) == (truth, truth)


def test_up_and_down_by_hand():
    # 1, 1, 1, then -1, -1, -1, whatever the states: the largest sum is 3 and the last is 0.
    rows = [[F(1)] * 2] * 3 + [[F(-1)] * 2] * 3
    walked = moving_walk(rows, centres=[F(0)] * 6)
    assert walk_maximum_bounds(COIN, walked, start=0, steps=6) == (9, 9)
    low, high = ends(walk_maximum_means(COIN, walked, steps=6)[0])
    assert low <= 9 <= high < F(9001, 1000)
    values = walk_maximum_draws(COIN, walked, start=0, steps=6)(np.random.default_rng(0), 3)
    assert np.abs(values - 0.25).max() <= 1e-15


def test_where_nothing_moves_it_is_the_mean_for_one_function():
    rows, _ = turning(3, 1)
    centre = F(1, 11)
    walked = moving_walk(rows * 20, centres=[centre] * 20)
    still = squared_maximum_means(GENERAL, rows[0], steps=20, centre=centre)
    for start, side in enumerate(walk_maximum_means(GENERAL, walked, steps=20)):
        assert ends(side) == ends(still[start])
        assert walk_maximum_bounds(
            GENERAL, walked, start=start, steps=20
        ) == squared_maximum_bounds(GENERAL, rows[0], start=start, steps=20, centre=centre)


def test_coarse_levels_of_moving_functions_enclose_the_mean(fresh, monkeypatch):
    monkeypatch.setattr(path_maximum, "EXACT_OPERATIONS", 0)
    monkeypatch.setattr(path_maximum, "_LEVELS", (64, 64))
    monkeypatch.setattr(path_maximum, "_BLOCK", 64)
    rows, centres = turning(3, 8)
    sides = walk_maximum_means(GENERAL, moving_walk(rows, centres=centres), steps=8)
    for start, side in enumerate(sides):
        truth = by_enumeration(GENERAL, start, rows, centres)
        low, high = ends(side)
        assert low < truth < high < low + truth / 2


def test_levels_are_dense_where_the_sum_has_been_though_it_returns(fresh, monkeypatch):
    # Up by 2, 99 times by 2 or 3, and down again by as much on average: |S_n| is small, the
    # maximum is the sum halfway.
    truth = F(499, 2) ** 2 + F(99, 4)
    monkeypatch.setattr(path_maximum, "EXACT_OPERATIONS", 0)
    monkeypatch.setattr(path_maximum, "_LEVELS", (64,))
    walked = moving_walk([[F(2), F(3)]] * 100 + [[F(-2), F(-3)]] * 100, centres=[F(0)] * 200)
    low, high = ends(walk_maximum_means(COIN, walked, steps=200)[0])
    assert low <= truth <= high < low + truth / 10


def test_a_sparse_chain_with_functions_that_move():
    chain = ring(40)
    rows, centres = [[F(i * (k + 1) % 3) for i in range(40)] for k in range(9)], [F(4, 5)] * 9
    walked = moving_walk(rows, centres=centres)
    sides = walk_maximum_means(chain, walked, steps=9)
    for start in (0, 38):
        truth = by_enumeration(chain, start, rows, centres)
        low, high = ends(sides[start])
        assert low <= truth <= high <= low + truth / 2**30


def test_unlikely_paths_of_moving_functions_are_given_up_and_counted():
    leak = F(1, 2**70)
    chain = chain_of([[1 - leak, leak], [0, 1]])
    rows = [[F(0), F(k)] for k in range(20)]
    walked = moving_walk(rows, centres=[F(0)] * 20)
    exact = sum(((1 - leak) ** (k - 1) * leak * sum(range(k, 20)) ** 2 for k in range(1, 20)), F(0))
    low, high = walk_maximum_bounds(chain, walked, start=0, steps=20)
    assert low < exact < high
    assert high - low <= leak * 20 * sum(range(20)) ** 2


def test_too_many_paths_or_an_error_are_left_to_others(monkeypatch):
    rows, centres = turning(2, 12)
    walked = moving_walk(rows, centres=centres)
    assert walk_maximum_bounds(COIN, walked, start=0, steps=12) is not None
    monkeypatch.setattr(merged_paths, "MAX_TRANSITIONS", 20)
    assert walk_maximum_bounds(COIN, walked, start=0, steps=12) is None
    with pytest.raises(ValueError, match="error"):
        walk_maximum_bounds(COIN, coarser(walked, 12, F(500)), start=0, steps=12)


def test_too_many_products_of_moving_functions_are_refused():
    rows, centres = turning(3, 3_000)
    with pytest.raises(NotEnclosed, match="products"):
        walk_maximum_means(GENERAL, moving_walk(rows, centres=centres), steps=3_000)


# Draws

COUNT = 20_000
# Hoeffding: each comparison below fails with probability 1e-9 at most.
MARGIN = math.sqrt(math.log(2e9) / (2 * COUNT))


@pytest.mark.parametrize("name", KNOWN)
def test_draws_of_moving_functions_have_the_law_of_all_paths(name):
    chain = KNOWN[name]
    rows, centres = turning(chain.n_states, 5)
    walked = moving_walk(rows, centres=centres)
    for start in range(chain.n_states):
        draws = walk_maximum_draws(chain, walked, start=start, steps=5)
        values = draws(np.random.default_rng(start), COUNT)
        law: dict[Fraction, Fraction] = {}
        for p, path in paths(chain, start, 5):
            value = squared_maximum(path, rows, centres)
            law[value] = law.get(value, F(0)) + p
        levels = sorted(law)
        doubles = np.array([float(level / draws.scale**2) for level in levels])
        nearest = np.abs(values[:, np.newaxis] - doubles).argmin(axis=1)
        assert np.abs(values - doubles[nearest]).max() <= float(draws.bias) + 2.0**-52
        for number, level in enumerate(levels):
            assert abs((nearest == number).mean() - float(law[level])) <= MARGIN


def test_the_bias_of_wide_balls_is_attained():
    # S_4 is 4 - (c_0 + ... + c_3), from 2 to 4; what is drawn has c_k = 1/4, and S_4 = 3 = scale.
    wide = interval(ball(F(0)), ball(F(1, 2)))
    walked = moving_walk([[F(1)]] * 4, centres=[wide] * 4)
    draws = walk_maximum_draws(chain_of([[1]]), walked, start=0, steps=4)
    bias = abs(F(16) / draws.scale**2 - 1)
    assert bias <= draws.bias <= bias * F(1001, 1000)
    low, high = ends(walk_maximum_means(chain_of([[1]]), walked, steps=4)[0])
    assert F(39, 10) < low <= 4
    assert 16 <= high < F(161, 10)
