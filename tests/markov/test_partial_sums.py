"""Laws of sums along a chain, against enumeration, an exact forward recursion and the binomial."""

from __future__ import annotations

import math
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
    law_of_sum,
    mean_over_paths,
    ring,
)
from hypothesis import given
from hypothesis import strategies as st

from verification.campaign.strategies import chains
from verification.enclosure.balls import Between, ball, exact_ball, interval, precision
from verification.enclosure.doubles import gamma
from verification.errors import NotEnclosed
from verification.markov import partial_sums, transitions
from verification.markov.partial_sums import (
    lattice_of,
    sum_law,
    tail_probability,
)
from verification.markov.transitions import rounded_transitions

F = Fraction
HALF = F(1, 2)
OBSERVABLE = (F(1, 3), F(2, 7), F(-1))

rationals = st.fractions(min_value=-2, max_value=2, max_denominator=6)


@pytest.fixture(autouse=True)
def _bits():
    with precision(128):
        yield


def assert_encloses(side, truth: Fraction, *, steps: int, successors: int) -> None:
    """The truth is inside, and both ends are as near as the proved error says."""
    low, high = ends(side)
    assert low <= truth <= high
    # Each end is off by the error bound twice (once in the number, once in the bound) and by the
    # rounding of a sum and of a 128-bit ball.
    relative = 3 * gamma((steps - 1) * (successors + 1)) + F(1, 2**50)
    assert high - low <= 2 * relative * truth + F(1, 2**1900)


# The lattice.


@given(st.lists(rationals, min_size=1, max_size=6))
def test_a_lattice_holds_the_values_and_is_the_coarsest(values):
    lattice = lattice_of(values)
    assert [lattice.origin + lattice.spacing * m for m in lattice.positions] == values
    assert min(lattice.positions) == 0
    assert lattice.spacing > 0
    # No coarser one: the positions have no common divisor.
    assert math.gcd(*lattice.positions) == (1 if len(set(values)) > 1 else 0)


def test_a_known_lattice():
    lattice = lattice_of([F(1, 2), F(-1, 4), F(2)])
    assert (lattice.origin, lattice.spacing, lattice.positions) == (F(-1, 4), F(3, 4), (1, 0, 3))
    assert lattice.span == 3
    assert lattice_of([F(5, 3)] * 2).positions == (0, 0)


# Tails, against enumeration.


@given(chains(max_states=3), st.data())
def test_tails_are_those_of_all_paths(chain, data):
    size = chain.n_states
    observable = data.draw(st.lists(rationals, min_size=size, max_size=size))
    steps = data.draw(st.integers(1, 6))
    centre, threshold = data.draw(rationals), data.draw(rationals.map(lambda x: 2 * abs(x)))
    successors = max(map(len, chain.rows))
    for start in range(size):
        truth = mean_over_paths(
            chain,
            start,
            steps,
            lambda path: F(abs(sum(observable[i] for i in path) - steps * centre) >= threshold),
        )
        side = tail_probability(
            chain, observable, start=start, steps=steps, threshold=threshold, centre=centre
        )
        assert_encloses(side, truth, steps=steps, successors=successors)


@pytest.mark.parametrize("name", KNOWN)
def test_every_probability_is_that_of_the_exact_recursion(name):
    chain, steps = KNOWN[name], 25
    observable = OBSERVABLE[: chain.n_states]
    law = sum_law(chain, observable, steps)
    lattice = law.lattice
    for start in range(chain.n_states):
        exact = law_of_sum(chain, observable, start, steps)
        for position in range(law.scaled.shape[1]):
            truth = exact.pop(steps * lattice.origin + lattice.spacing * position, F(0))
            side = law.probability(start, position)
            assert_encloses(side, truth, steps=steps, successors=3)
        assert not exact


def test_a_threshold_that_is_attained_counts():
    law = sum_law(COIN, [F(0), F(1)], 10)
    # |heads - 5| >= 3 is heads in {0, 1, 2, 8, 9, 10}, of nine fair tosses after the first.
    at = ends(law.tail(start=0, about=F(5), threshold=F(3)))
    beyond = ends(law.tail(start=0, about=F(5), threshold=F(3) + F(1, 10**30)))
    assert at[0] <= F(1 + 9 + 36 + 9 + 1, 512) <= at[1]
    assert beyond[0] <= F(1 + 9 + 1, 512) <= beyond[1]


@pytest.mark.parametrize("steps", [1, 2, 50, 2000])
@pytest.mark.parametrize("share", [F(1, 10), F(1, 2), F(9, 10), F(1)])
def test_tails_of_the_coin_are_binomial(steps, share):
    threshold = share * steps / 2
    side = tail_probability(
        COIN, [F(0), F(1)], start=1, steps=steps, threshold=threshold, centre=HALF
    )
    ways = sum(
        math.comb(steps - 1, heads - 1)
        for heads in range(1, steps + 1)
        if abs(heads - F(steps, 2)) >= threshold
    )
    assert_encloses(side, F(ways, 2 ** (steps - 1)), steps=steps, successors=2)


def test_a_tail_far_below_the_doubles_keeps_its_digits():
    side = tail_probability(COIN, [F(0), F(1)], start=0, steps=2000, threshold=F(1000), centre=HALF)
    low, high = ends(side)
    # From tails, the one path of two thousand tails.
    truth = F(1, 2**1999)
    assert low <= truth <= high
    assert high - low < truth / 10**11


@pytest.mark.parametrize("dense", [True, False])
def test_the_sparse_and_the_dense_route_give_the_exact_law(dense, monkeypatch):
    chain = ring(40)
    monkeypatch.setattr(transitions, "_SPARSE_ADVANTAGE", 1_000 if dense else 1)
    rounded_transitions.cache_clear()
    partial_sums._sum_law.cache_clear()
    observable = [F(i * i % 7, 3) for i in range(40)]
    law = sum_law(chain, observable, 12)
    assert isinstance(rounded_transitions(chain).matrix, np.ndarray) is dense
    for start in (0, 17, 39):
        exact = law_of_sum(chain, observable, start, 12)
        for total, truth in exact.items():
            position = (total - 12 * law.lattice.origin) / law.lattice.spacing
            assert position.denominator == 1
            assert_encloses(law.probability(start, int(position)), truth, steps=12, successors=2)
    rounded_transitions.cache_clear()
    partial_sums._sum_law.cache_clear()


@pytest.mark.parametrize("name", KNOWN)
def test_the_probabilities_of_a_law_sum_to_one(name):
    chain = KNOWN[name]
    law = sum_law(chain, [F(i) for i in range(chain.n_states)], 300)
    for row in law.scaled:
        total = F(math.fsum(row)) / 2**1000
        assert abs(total - 1) <= law.relative + F(1, 2**52)


# Balls.


def test_a_threshold_that_a_ball_leaves_open_widens_the_answer():
    law = sum_law(COIN, [F(0), F(1)], 4)
    open_threshold = interval(ball(F(1) - F(1, 1000)), ball(F(1) + F(1, 1000)))
    low, high = ends(law.tail(start=0, about=F(2), threshold=open_threshold))
    # From tails: heads 0, 1, 2, 3 in 1, 3, 3, 1 of 8 cases; |heads - 2| is 2, 1, 0, 1.
    assert low <= F(1, 8) <= low + F(1, 2**40)
    assert high - F(1, 2**40) <= F(5, 8) <= high


def test_a_decided_ball_gives_the_narrow_answer():
    law = sum_law(GENERAL, OBSERVABLE, 9)
    exact = law.tail(start=1, about=F(-3), threshold=F(1, 2))
    third = ball(F(1, 3))
    centred = law.tail(start=1, about=-third * 9, threshold=exact_ball(0.5))
    assert ends(exact) == ends(centred)
    assert ends(
        tail_probability(GENERAL, OBSERVABLE, start=1, steps=9, threshold=HALF, centre=-third)
    ) == ends(exact)


# Trivial and degenerate tails.


def test_impossible_and_certain_tails_are_exact():
    law = sum_law(GENERAL, OBSERVABLE, 5)
    assert law.tail(start=0, about=F(0), threshold=F(0)) == 1
    assert law.tail(start=0, about=F(0), threshold=F(-3)) == 1
    assert law.tail(start=0, about=F(0), threshold=F(100)) == 0
    assert law.tail(start=0, about=F(100), threshold=F(1)) == 1
    assert law.tail(start=0, about=F(-100), threshold=F(1)) == 1


@pytest.mark.parametrize("chain", [COIN, CYCLE, ONE_STATE])
def test_a_constant_observable_has_a_point_mass(chain):
    law = sum_law(chain, [F(2, 3)] * chain.n_states, 7)
    assert law.scaled.shape == (chain.n_states, 1)
    assert law.tail(start=0, about=F(14, 3), threshold=F(1, 10**9)) == 0
    assert law.tail(start=0, about=F(14, 3) + 1, threshold=F(1)) == 1


def test_a_periodic_chain_has_a_point_mass():
    # Seven steps from state 1: 1, 2, 0, 1, 2, 0, 1, whose sum is 7 at spacing 1.
    law = sum_law(CYCLE, [F(0), F(1), F(2)], 7)
    assert_encloses(law.probability(1, 7), F(1), steps=7, successors=1)
    low, high = ends(law.tail(start=1, about=F(7), threshold=F(1)))
    assert low == 0
    assert 0 < high < F(1, 2**2000)


# Limits.


def test_too_fine_a_lattice_is_refused():
    with pytest.raises(NotEnclosed, match="lattice of 2000000001 points"):
        sum_law(COIN, [F(0), F(1)], 2 * 10**9)
    with pytest.raises(NotEnclosed, match="lattice"):
        sum_law(GENERAL, [F(0), F(1), F(1, 10**8)], 10)


def test_too_many_products_are_refused():
    with pytest.raises(NotEnclosed, match="products"):
        sum_law(COIN, [F(0), F(1)], 10**7)


def test_a_tiny_probability_is_refused():
    tiny = F(1, 2**1001)
    with pytest.raises(NotEnclosed, match="below"):
        sum_law(chain_of([[1 - tiny, tiny], [0, 1]]), [F(0), F(1)], 3)


def test_an_empty_sum_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        sum_law(COIN, [F(0), F(1)], 0)


def test_all_else_is_known_between_two_balls():
    assert isinstance(sum_law(COIN, [F(0), F(1)], 3).tail(
        start=0, about=F(1), threshold=F(1)), Between)  # fmt: skip


@pytest.mark.parametrize("steps", [2100, 3000])
@pytest.mark.parametrize("inward", range(8))
def test_what_underflows_is_still_enclosed(steps, inward):
    # Scaled probabilities here are a few units of the smallest double, or 0.
    threshold = F(steps, 2) - inward
    side = tail_probability(
        COIN, [F(0), F(1)], start=0, steps=steps, threshold=threshold, centre=HALF
    )
    ways = sum(
        math.comb(steps - 1, heads)
        for heads in range(steps)
        if abs(heads - F(steps, 2)) >= threshold
    )
    low, high = ends(side)
    assert low <= F(ways, 2 ** (steps - 1)) <= high
    # At most so many points, with n d 2**-2074 each.
    assert high - low <= F(ways, 2 ** (steps + 20)) + 3 * 2 * 8 * F(2 * steps, 2**2074)
