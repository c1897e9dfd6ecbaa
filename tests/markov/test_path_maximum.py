"""Mean squares of path maxima, against enumeration, the reflection principle and themselves."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from enumerated_paths import (
    ABSORBING,
    COIN,
    CYCLE,
    GENERAL,
    KNOWN,
    ONE_STATE,
    ends,
    mean_over_paths,
    partial_sums,
    ring,
)
from hypothesis import given
from hypothesis import strategies as st

from verification.campaign.strategies import chains
from verification.enclosure.balls import ball, interval, precision
from verification.enclosure.doubles import gamma
from verification.errors import NotEnclosed
from verification.markov import path_maximum
from verification.markov.path_maximum import (
    squared_maximum_mean,
    squared_maximum_means,
)

F = Fraction
HALF = F(1, 2)
OBSERVABLE = (F(1, 3), F(2, 7), F(-1))
CENTRE = F(1, 11)

rationals = st.fractions(min_value=-2, max_value=2, max_denominator=6)


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


def squared_maximum(path, observable, centre) -> Fraction:
    return max(s * s for s in partial_sums(path, observable, centre))


def by_enumeration(chain, observable, start, steps, centre) -> Fraction:
    return mean_over_paths(
        chain, start, steps, lambda path: squared_maximum(path, observable, centre)
    )


def assert_encloses(side, truth: Fraction, *, steps: int, successors: int) -> None:
    """The truth is inside, and both ends are as near as the proved error says."""
    low, high = ends(side)
    assert low <= truth <= high
    relative = 3 * gamma((max(steps, 1) - 1) * (successors + 1) + 3) + F(1, 2**50)
    assert high - low <= 2 * relative * truth + F(1, 2**900)


def coin_levels(steps: int) -> list[Fraction]:
    """P(max_{k<=n} |W_k| >= a), a = 1, 2, ..., for the walk W of steps -1, 1: reflection."""

    def within(low: int, high: int) -> int:
        """Paths that end strictly between."""
        return sum(
            math.comb(steps, (y + steps) // 2)
            for y in range(max(low + 1, -steps), min(high, steps + 1))
            if (y + steps) % 2 == 0
        )

    levels = []
    for a in range(1, steps + 1):
        reach = steps // (2 * a) + 1
        stays = sum(
            (1 - 2 * (j % 2)) * within(a * (2 * j - 1), a * (2 * j + 1))
            for j in range(-reach, reach + 1)
        )
        levels.append(1 - F(stays, 2**steps))
    return levels


def coin_mean(steps: int) -> Fraction:
    """E[max S_k^2] of the coin, S = W / 2; the first step's sign does not change |W|."""
    return sum((2 * a - 1) * p for a, p in enumerate(coin_levels(steps), 1)) / 4


# Small chains.


@given(chains(max_states=3), st.data())
def test_means_are_those_of_all_paths(chain, data):
    size = chain.n_states
    observable = data.draw(st.lists(rationals, min_size=size, max_size=size))
    steps, centre = data.draw(st.integers(0, 6)), data.draw(rationals)
    sides = squared_maximum_means(chain, observable, steps=steps, centre=centre)
    assert len(sides) == size
    for start, side in enumerate(sides):
        truth = by_enumeration(chain, observable, start, steps, centre)
        assert_encloses(side, truth, steps=steps, successors=max(map(len, chain.rows)))


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("steps", [1, 7])
def test_known_chains(name, steps):
    chain = KNOWN[name]
    observable = OBSERVABLE[: chain.n_states]
    for start in range(chain.n_states):
        side = squared_maximum_mean(chain, observable, start=start, steps=steps, centre=CENTRE)
        truth = by_enumeration(chain, observable, start, steps, CENTRE)
        assert_encloses(side, truth, steps=steps, successors=3)


def test_two_tosses_by_hand():
    # |S| is 1/2 and then 0 or 1.
    for start in (0, 1):
        side = squared_maximum_mean(COIN, [F(0), F(1)], start=start, steps=2, centre=HALF)
        assert_encloses(side, F(5, 8), steps=2, successors=2)


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 60, 200])
def test_the_coin_obeys_the_reflection_principle(steps):
    side = squared_maximum_mean(COIN, [F(0), F(1)], start=0, steps=steps, centre=HALF)
    assert_encloses(side, coin_mean(steps), steps=steps, successors=2)


def test_the_reflection_principle_itself():
    for steps in (1, 4, 9):
        assert coin_mean(steps) == by_enumeration(COIN, [F(0), F(1)], 0, steps, HALF)


# Degenerate cases.


@pytest.mark.parametrize("chain", [COIN, CYCLE, ABSORBING, ONE_STATE])
def test_a_constant_observable_at_its_mean_is_exactly_zero(chain):
    observable = [F(5, 3)] * chain.n_states
    means = squared_maximum_means(chain, observable, steps=9, centre=F(5, 3))
    assert [ends(side) for side in means] == [(0, 0)] * chain.n_states


@pytest.mark.parametrize("value", [F(5), F(-5), F(2, 3)])
def test_a_constant_observable_off_its_mean_drifts(value):
    for side in squared_maximum_means(CYCLE, [value] * 3, steps=9, centre=F(0)):
        assert_encloses(side, (9 * value) ** 2, steps=9, successors=1)


def test_no_steps_is_exactly_zero():
    means = squared_maximum_means(GENERAL, OBSERVABLE, steps=0, centre=F(1))
    assert [ends(side) for side in means] == [(0, 0)] * 3


# Balls, long centres, coarse levels, many blocks, sparse chains.


@pytest.mark.parametrize("steps", [1, 40])
@pytest.mark.parametrize("radius", [F(0), F(1, 10**6)])
def test_a_centre_that_is_a_ball_holds_that_of_every_number_in_it(steps, radius):
    low, high = F(1, 3) - radius, F(1, 3) + radius
    sides = squared_maximum_means(
        GENERAL, OBSERVABLE, steps=steps, centre=interval(ball(low), ball(high))
    )
    for centre in (low, high):
        exact = squared_maximum_means(GENERAL, OBSERVABLE, steps=steps, centre=centre)
        for side, known in zip(sides, exact, strict=True):
            (least, most), (inner_least, inner_most) = ends(side), ends(known)
            assert least <= inner_most
            assert inner_least <= most


def test_a_narrow_ball_gives_a_narrow_answer(fresh, monkeypatch):
    # Every integer of the fine lattice cannot be a level: the width is that of the levels.
    monkeypatch.setattr(path_maximum, "_LEVELS", (4096,))
    side = squared_maximum_mean(COIN, [F(0), F(1)], start=0, steps=50, centre=ball(HALF))
    truth = coin_mean(50)
    low, high = ends(side)
    assert low <= truth <= high
    assert high - low < truth / 100


@pytest.mark.parametrize("count", [32, 128])
def test_coarse_levels_enclose_the_mean(fresh, monkeypatch, count):
    steps = 200
    monkeypatch.setattr(path_maximum, "EXACT_OPERATIONS", 0)
    monkeypatch.setattr(path_maximum, "_LEVELS", (count,))
    monkeypatch.setattr(path_maximum, "_DEVIATIONS", 3)
    side = squared_maximum_mean(COIN, [F(0), F(1)], start=0, steps=steps, centre=HALF)
    low, high = (4 * end for end in ends(side))
    levels, truth = coin_levels(steps), 4 * coin_mean(steps)
    assert low <= truth <= high
    # The even levels end at three deviations, in steps of h; the far ones at most double.
    knee = math.ceil(3 * math.sqrt(steps))
    h = -(-knee // count)
    far = knee**2 * levels[knee - 1] + sum(
        (2 * a - 1) * levels[a - 1] for a in range(knee + 1, steps + 1)
    )
    assert steps / knee < 2**path_maximum._FAR_LEVELS
    assert high - low <= 2 * h * math.isqrt(math.ceil(high) + 1) + h * h + 4 * far
    if h > 1:
        assert high - low > F(truth) / 10**6


def test_many_small_blocks_of_levels_change_nothing(fresh, monkeypatch):
    once = [ends(side) for side in squared_maximum_means(
        GENERAL, OBSERVABLE, steps=20, centre=F(0))]  # fmt: skip
    path_maximum._bounds.cache_clear()
    monkeypatch.setattr(path_maximum, "_BLOCK", 1)
    again = squared_maximum_means(GENERAL, OBSERVABLE, steps=20, centre=F(0))
    # Products of other shapes may be summed in another order, within the error of each.
    for (low, high), side in zip(once, again, strict=True):
        least, most = ends(side)
        assert max(low, least) <= min(high, most)
        assert most - least <= 3 * (high - low)


def test_a_sparse_chain():
    chain = ring(40)
    observable = [F(i % 3) for i in range(40)]
    for start in (0, 38):
        side = squared_maximum_mean(chain, observable, start=start, steps=10, centre=F(4, 5))
        truth = by_enumeration(chain, observable, start, 10, F(4, 5))
        assert_encloses(side, truth, steps=10, successors=2)


def test_too_many_products_are_refused():
    with pytest.raises(NotEnclosed, match="products"):
        squared_maximum_mean(COIN, [F(0), F(1)], start=0, steps=10**6, centre=HALF)


def test_a_fine_lattice_is_rounded_and_the_mean_still_enclosed(fresh, monkeypatch):
    monkeypatch.setattr(path_maximum, "EXACT_OPERATIONS", 0)
    monkeypatch.setattr(path_maximum, "_LEVELS", (512, 512))
    observable = (F(1_234, 1_000), F(-777, 1_000), F(1, 997))
    sides = squared_maximum_means(GENERAL, observable, steps=7, centre=F(1, 7))
    for start, side in enumerate(sides):
        truth = by_enumeration(GENERAL, observable, start, 7, F(1, 7))
        low, high = ends(side)
        assert low < truth < high
        # A twentieth of a deviation either way is a fifth of the square; the levels add little.
        assert high - low < truth / 2
        # So much that f was rounded: the levels alone, 512 of them, would be narrower.
        assert high - low > truth / 30


def test_a_wide_ball_encloses_the_means_of_both_its_ends():
    # S_4 is 4 (1 - c), from 2 to 4.
    wide = interval(ball(F(0)), ball(HALF))
    side = squared_maximum_mean(ONE_STATE, [F(1)], start=0, steps=4, centre=wide)
    low, high = ends(side)
    assert F(39, 10) < low <= 4
    assert 16 <= high < F(161, 10)


def test_a_wide_ball_around_a_constant_leaves_it_room_to_drift():
    wide = interval(ball(F(1, 4)), ball(F(3, 4)))
    side = squared_maximum_mean(ONE_STATE, [HALF], start=0, steps=8, centre=wide)
    low, high = ends(side)
    assert low == 0
    assert 4 <= high < F(401, 100)


@pytest.mark.parametrize("steps", [1, 7])
def test_values_on_too_fine_a_lattice_for_integers_are_rounded_and_the_mean_enclosed(steps):
    observable = (F(1_234, 1_000), F(-777, 3**60), F(-1, 7**40))
    sides = squared_maximum_means(GENERAL, observable, steps=steps, centre=F(1, 7))
    for start, side in enumerate(sides):
        truth = by_enumeration(GENERAL, observable, start, steps, F(1, 7))
        low, high = ends(side)
        assert low < truth < high
        # With every integer a level, the maximum M is off by a twentieth of a deviation at most,
        # itself at most that of steps of 1.1: (M + s)^2 - ((M - s)^+)^2 <= 4 s max(M, s).
        slack = 0.05 * 1.1 * steps * 1.01
        assert high - low < 4 * slack * (math.sqrt(truth) + slack)
