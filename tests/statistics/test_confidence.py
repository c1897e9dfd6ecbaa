"""Confidence limits that hold at every sample size: coverage, power, rounding.

The second opinion is the capital in double precision, from `scipy.special`, of many streams at
once and at every sample size.  Where a test is statistical it fails by chance with probability
10**-6 at most, and its seed is the first that was tried.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.special import betaln
from scipy.stats import binom, norm

from verification.enclosure.balls import ball, end_points, precision
from verification.statistics import confidence
from verification.statistics.confidence import BETS, MeanSequence

LEVEL = Fraction(1, 20)
FALSE_ALARM = 1e-6
STREAMS, STEPS = 1_000, 1_000


def rare(generator, shape):
    return (generator.random(shape) < 0.01).astype(float)


def fair(generator, shape):
    return (generator.random(shape) < 0.5).astype(float)


def uniform(generator, shape):
    return generator.random(shape)


def at_the_ends(generator, shape):
    return generator.beta(0.05, 0.15, shape)


def narrow(generator, shape):
    return 0.75 + 0.01 * generator.random(shape)


def nearly_one(generator, shape):
    return 1 - (generator.random(shape) < 0.02) * generator.random(shape)


MEANS = {
    rare: Fraction(1, 100),
    fair: Fraction(1, 2),
    uniform: Fraction(1, 2),
    at_the_ends: Fraction(1, 4),
    narrow: Fraction(755, 1000),
    nearly_one: Fraction(99, 100),
}


def each_draw():
    return pytest.mark.parametrize("draw", MEANS, ids=lambda draw: draw.__name__)


def log_capital(count, total, squares, mean):
    """Return log(C/2 + E_+/4) and log(C/2 + E_-/4) in double precision."""
    mean = float(mean)
    coins = (
        betaln(total + 0.5, count - total + 0.5)
        - math.log(math.pi)
        - total * math.log(mean)
        - (count - total) * math.log1p(-mean)
    )
    spread = squares - 2 * mean * total + count * mean**2
    bets = 0.5 ** np.arange(1, BETS + 1)
    penalties = -np.log1p(-bets) - bets
    found = []
    for sign in (1, -1):
        gain = sign * (total - count * mean)
        terms = [bet * gain - psi * spread for bet, psi in zip(bets, penalties, strict=True)]
        mixture = np.logaddexp.reduce(terms) - math.log(4 * BETS)
        found.append(np.logaddexp(coins - math.log(2), mixture))
    return found


def excludes(sequence: MeanSequence, mean: Fraction) -> bool:
    return sequence.excludes_up_to(mean) or sequence.mirrored().excludes_up_to(1 - mean)


def after(values, level=LEVEL) -> MeanSequence:
    return MeanSequence(level=level).update(np.asarray(values, dtype=float))


def too_many(failures: int, streams: int, level=LEVEL) -> bool:
    """Tell whether so many failures refute that each has at most the probability `level`."""
    return binom.sf(failures - 1, streams, float(level)) < FALSE_ALARM


# Coverage.


@each_draw()
def test_the_truth_is_excluded_at_any_sample_size_in_no_more_streams_than_allowed(draw):
    values = draw(np.random.default_rng(1), (STREAMS, STEPS))
    count = np.arange(1, STEPS + 1)
    above, below = log_capital(
        count, values.cumsum(axis=1), (values**2).cumsum(axis=1), MEANS[draw]
    )
    excluded = np.maximum(above, below) >= -math.log(LEVEL)
    failures = int(excluded.any(axis=1).sum())
    assert not too_many(failures, STREAMS)


@each_draw()
def test_an_interval_for_one_sample_size_fails_where_it_is_looked_at_again_and_again(draw):
    """The test above can fail: the normal interval at the same level does."""
    values = draw(np.random.default_rng(1), (STREAMS, STEPS))
    count = np.arange(1, STEPS + 1)
    error = np.abs(values.cumsum(axis=1) / count - float(MEANS[draw]))
    half_width = norm.isf(float(LEVEL) / 2) * values.std() / np.sqrt(count)
    # Not before the central limit theorem may be invoked.
    excluded = (error > half_width)[:, 500:]
    failures = int(excluded.any(axis=1).sum())
    assert too_many(failures, STREAMS)
    assert not too_many(int(excluded[:, -1].sum()), STREAMS, 2 * LEVEL)


@each_draw()
def test_the_limits_contain_the_truth_after_every_chunk(draw):
    streams, chunks, size = 120, 20, 40
    values = draw(np.random.default_rng(2), (streams, chunks, size))
    failures = 0
    for stream in values:
        sequences = itertools.accumulate(
            stream,
            lambda sequence, chunk: sequence.update(chunk),
            initial=MeanSequence(level=LEVEL),
        )
        failures += any(excludes(sequence, MEANS[draw]) for sequence in sequences)
    assert not too_many(failures, streams)


@each_draw()
def test_the_capital_is_that_of_the_second_opinion(draw):
    values = draw(np.random.default_rng(3), 3_000)
    mean = MEANS[draw]
    for count in (1, 10, 300, 3_000):
        part = values[:count]
        sequence = after(part)
        second = log_capital(count, part.sum(), (part**2).sum(), mean)
        for own, other, sign in (
            (sequence, second[0], mean),
            (sequence.mirrored(), second[1], 1 - mean),
        ):
            with precision(128):
                capital = own._coins(ball(sign)).exp() / 2 + own._spread(ball(sign)) / 4
                low, high = (float(end) for end in end_points(capital.log()))
            # Binet's remainders, at most 1/(12 x) each, at x >= 1/2.
            remainder = 1 / (6 * (min(part.sum(), count - part.sum()) + 0.5)) + 1 / (3 * count)
            rounding = 1e-12 * count * math.log(count + 1) + 1e-12
            assert low <= other + rounding
            assert high >= other - remainder - rounding
            assert high - low < 1e-9


@pytest.mark.parametrize("mean", [Fraction(1, 50), Fraction(1, 3), Fraction(1, 2)])
@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_the_expected_capital_of_coins_is_at_most_one_and_near_it(mean, count):
    """Exactly, by enumeration: this is what Ville's inequality rests on."""
    expected = {"coins": Fraction(0), "spread": Fraction(0)}
    for ones in range(count + 1):
        weight = math.comb(count, ones) * mean**ones * (1 - mean) ** (count - ones)
        sequence = after([1] * ones + [0] * (count - ones))
        with precision(128):
            coins = end_points(sequence._coins(ball(mean)).exp())
            spread = end_points(sequence._spread(ball(mean)))
        expected["coins"] += weight * coins[1]
        expected["spread"] += weight * spread[1]
    tiny = Fraction(1, 10**9)
    assert expected["coins"] <= 1 + tiny
    assert expected["spread"] <= 1 + tiny
    # Only Binet's remainders are lost of the coins, at most 1/6 at each end.
    assert expected["coins"] >= Fraction(2, 3)
    assert expected["spread"] >= Fraction(1, 2)


@given(
    st.lists(st.tuples(st.integers(0, 64), st.integers(1, 9)), min_size=2, max_size=5),
    st.integers(1, 3),
)
@example([(0, 9), (64, 1)], 3)
def test_the_expected_capital_of_any_variable_is_at_most_one(atoms, count):
    values = [Fraction(value, 64) for value, _ in atoms]
    weights = [Fraction(weight, sum(weight for _, weight in atoms)) for _, weight in atoms]
    mean = sum(value * weight for value, weight in zip(values, weights, strict=True))
    expected = Fraction(0)
    for word in itertools.product(range(len(atoms)), repeat=count):
        sequence = after([float(values[i]) for i in word])
        weight = math.prod(weights[i] for i in word)
        if 0 < mean < 1:
            with precision(128):
                capital = sequence._coins(ball(mean)).exp() / 2 + sequence._spread(ball(mean)) / 2
            expected += weight * end_points(capital)[1]
    assert expected <= 1 + Fraction(1, 10**9)


# Power.

POWER_LEVELS = [Fraction(1, 10**6), Fraction(1, 10**9)]
SPREAD = {rare: 0.0099, fair: 0.25, uniform: 1 / 12, narrow: 1e-4 / 12}


@pytest.mark.parametrize("level", POWER_LEVELS, ids=float)
@pytest.mark.parametrize("count", [10**4, 10**6])
@pytest.mark.parametrize("draw", SPREAD, ids=lambda draw: draw.__name__)
def test_the_limits_are_nearly_as_narrow_as_for_one_sample_size_and_known_variance(
    draw, count, level
):
    """At most 5/4 times the leading term of Bernstein's inequality, and 4 log(1/a)/n."""
    values = draw(np.random.default_rng(4), count)
    sequence = after(values, level)
    allowed = 1.25 * math.sqrt(2 * math.log(2 / level) * SPREAD[draw] / count)
    allowed += 4 * math.log(1 / level) / count
    average = values.mean()
    assert float(sequence.upper) - average <= allowed
    assert average - float(sequence.lower) <= allowed


@pytest.mark.parametrize("count", [10**4, 10**5, 10**6])
def test_a_tiny_mean_has_a_tiny_upper_limit(count):
    """After no success the limit is log(1/a)/n, up to a factor of 5/3, at level 10**-8."""
    sequence = after(np.zeros(count), Fraction(1, 10**8))
    assert sequence.lower == 0
    assert 1 <= float(sequence.upper) * count / math.log(10**8) <= 5 / 3


def test_a_mean_of_a_thousandth_is_known_well_before_the_square_root_law_of_fair_coins():
    values = (np.random.default_rng(5).random(30_000) < 1e-3).astype(float)
    sequence = after(values, Fraction(1, 10**8))
    hoeffding = math.sqrt(math.log(2e8) / 2 / 30_000)
    assert float(sequence.upper) < 1e-3 + hoeffding / 7


def test_the_limits_are_those_of_the_bisection():
    """What is excluded is excluded, and hardly more would be."""
    for draw in MEANS:
        sequence = after(draw(np.random.default_rng(6), 2_000))
        for one in (sequence, sequence.mirrored()):
            average = one.total_lower / one.samples
            assert one.excludes_up_to(one.lower)
            assert one.excludes_up_to(one.lower / 2)
            assert not one.excludes_up_to(one.lower + (average - one.lower) / 2**19)
        assert sequence.lower < sequence.total_lower / 2_000 < sequence.upper


@each_draw()
@pytest.mark.parametrize("level", [LEVEL, Fraction(1, 10**9)], ids=float)
def test_the_limits_lie_where_the_second_opinion_reaches_the_level(draw, level):
    count = 2_000
    values = draw(np.random.default_rng(7), count)
    sequence = after(values, level)
    rounding = 1e-12 * count * math.log(count)
    # Binet's remainders, as above.
    remainder = 1 / (6 * (min(values.sum(), count - values.sum()) + 0.5)) + 1 / (3 * count)
    for place, limit in enumerate((sequence.lower, sequence.upper)):
        assert 0 < limit < 1
        at_limit = log_capital(count, values.sum(), (values**2).sum(), limit)[place]
        assert at_limit >= -math.log(level) - rounding
        inside = limit + (Fraction(values.mean()) - limit) / 2**19
        near = log_capital(count, values.sum(), (values**2).sum(), inside)[place]
        assert near <= -math.log(level) + remainder + rounding


# Degenerate draws.


def test_nothing_is_known_before_the_first_draw():
    sequence = MeanSequence(level=LEVEL)
    assert (sequence.lower, sequence.upper, sequence.samples) == (0, 1, 0)
    assert sequence.detectable_estimate(Fraction(1, 2)) is None
    assert not excludes(sequence, Fraction(1, 2))


@pytest.mark.parametrize("value", [0.0, 1.0, 0.5, 5e-324, 1e-200, 1 - 2.0**-53])
@pytest.mark.parametrize("count", [1, 255, 256, 257, 20_000])
def test_draws_that_are_all_alike(value, count):
    sequence = after(np.full(count, value))
    # A subnormal mean may be lost to the rounding of squares, but is never excluded.
    assert sequence.lower <= Fraction(value) <= sequence.upper
    if count > 10_000:
        assert sequence.upper - sequence.lower < Fraction(1, 100)
    assert sequence.lower >= 0
    assert sequence.upper <= 1


@pytest.mark.parametrize("bad", [-1e-300, 1.0000000000000002, math.nan, math.inf, -math.inf])
def test_what_is_no_number_between_0_and_1_is_refused(bad):
    with pytest.raises(ValueError, match=r"values in \[0, 1\]"):
        after([0.5, bad])


def test_an_array_of_two_dimensions_is_refused():
    with pytest.raises(ValueError, match="one dimension"):
        after(np.zeros((2, 2)))


@pytest.mark.parametrize("level", [Fraction(0), Fraction(1), Fraction(-1), Fraction(2)])
def test_a_level_that_is_no_probability_is_refused(level):
    with pytest.raises(ValueError, match="error level"):
        MeanSequence(level=level)


# Rounding.


@given(st.lists(st.floats(0, 1), min_size=1, max_size=700))
@example([1.0] * 700)
@example([2.0**-30, 1.0, 1e-320] * 200)
@example([1.5e-162] * 200)
def test_the_sums_are_enclosed_narrowly(values):
    sequence = after(values)
    exact = sum(map(Fraction, values))
    squares = sum(Fraction(value) ** 2 for value in values)
    tiny = Fraction(1, 2**1000)
    assert sequence.total_lower <= exact <= sequence.total_upper
    assert sequence.total_upper - sequence.total_lower <= exact / 2**42 + tiny
    assert squares <= sequence.squares_upper <= squares * (1 + Fraction(1, 2**42)) + tiny


@given(st.lists(st.floats(0, 1), min_size=2, max_size=40), st.data())
def test_the_chunks_do_not_matter(values, data):
    cut = data.draw(st.integers(0, len(values)))
    parts = after(values[:cut]).update(np.asarray(values[cut:], dtype=float))
    whole = after(values)
    assert parts.samples == whole.samples
    assert abs(parts.lower - whole.lower) < Fraction(1, 10**4)
    assert abs(parts.upper - whole.upper) < Fraction(1, 10**4)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=300))
def test_the_mirror_is_the_sequence_of_one_minus_the_draws(values):
    mirrored = after(values).mirrored()
    exact = sum(1 - Fraction(value) for value in values)
    squares = sum((1 - Fraction(value)) ** 2 for value in values)
    assert mirrored.total_lower <= exact <= mirrored.total_upper
    assert squares <= mirrored.squares_upper <= squares + Fraction(len(values), 2**40)


def test_the_error_of_a_block_is_the_proved_one():
    """255 roundings: gamma(256) = 256 u/(1 - 256 u), u = 2**-53, and 1/(1 - gamma)."""
    u = Fraction(1, 2**53)
    block = confidence._BLOCK
    assert 1 / (1 - block * u / (1 - block * u)) <= 1 + confidence._SUM_ERROR


# What could have been seen.


def refuted(values, threshold) -> bool:
    return after(values, Fraction(1, 10**6)).excludes_up_to(threshold)


def likely(draw, threshold, streams=200) -> int:
    """Return how many of so many streams exclude the threshold."""
    return sum(refuted(draw(), threshold) for _ in range(streams))


@pytest.mark.parametrize("dispersion", [1.0, 0.02])
def test_the_detectable_mean_is_detected_half_the_time_and_one_much_nearer_is_not(dispersion):
    generator = np.random.default_rng(8)
    count, threshold = 4_000, Fraction(1, 10)

    def draws(mean):
        if dispersion == 1.0:
            return (generator.random(count) < mean).astype(float)
        # A beta variable of mean m and parameters' sum s has the variance m (1 - m)/(s + 1).
        total = 1 / dispersion - 1
        return generator.beta(mean * total, (1 - mean) * total, count)

    found = after(draws(0.08), Fraction(1, 10**6)).detectable_estimate(threshold)
    excess = float(found - threshold)
    assert excess > 0
    streams = 200
    hits = likely(lambda: draws(0.1 + excess), threshold, streams)
    assert binom.cdf(hits, streams, 0.5) > FALSE_ALARM
    near = likely(lambda: draws(0.1 + 0.7 * excess), threshold, streams)
    assert binom.cdf(near, streams, 0.5) < FALSE_ALARM


@pytest.mark.parametrize(("ones", "count"), [(0, 10**4), (300, 10**4), (10**5, 10**5)])
def test_the_detectable_mean_is_the_one_that_its_definition_names(ones, count):
    """Of coins, also of those that only ever fell on one side: the dispersion is 1."""
    threshold, level = Fraction(1, 10), Fraction(1, 10**6)
    coins = after([1] * ones + [0] * (count - ones), level)
    found = float(coins.detectable_estimate(threshold))

    def unlucky(mean):
        total = Fraction(count * mean - math.sqrt(count * mean * (1 - mean)))
        squares = Fraction(mean * (1 - mean)) * count + total**2 / count
        return MeanSequence(
            level=level,
            samples=count,
            total_lower=total,
            total_upper=total,
            squares_upper=squares,
        )

    assert unlucky(found * (1 + 1e-9)).excludes_up_to(threshold)
    assert not unlucky(found - (found - 0.1) / 10**4).excludes_up_to(threshold)


def test_too_few_draws_can_detect_nothing():
    assert after(np.zeros(10), Fraction(1, 10**6)).detectable_estimate(Fraction(9, 10)) is None


def test_more_draws_detect_smaller_violations():
    found = [
        after(np.zeros(10**k), Fraction(1, 10**6)).detectable_estimate(Fraction(1, 100))
        for k in (3, 4, 5, 6)
    ]
    assert sorted(found, reverse=True) == found
    assert Fraction(1, 100) < found[-1] < Fraction(11, 1000)
