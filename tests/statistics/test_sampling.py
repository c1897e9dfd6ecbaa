"""Drawing until a comparison is decided: either side, images, ranges, budgets, seeds."""

from __future__ import annotations

import dataclasses
import math
import pickle
import time
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from toy_claims import quarters

from verification.enclosure.balls import enclosure, precision
from verification.errors import NotEnclosed
from verification.statistics import sampling
from verification.statistics.sampling import _Scale, compare_by_sampling
from verification.statistics.simulation import LEAST_CHUNK, Simulation
from verification.verdict import Enclosure, Truth

LEVEL = Fraction(1, 10**6)
COIN = Simulation(draw=quarters, lower=Fraction(0), upper=Fraction(1))


def number(value) -> Enclosure:
    return Enclosure.of_fraction(Fraction(value))


def compared(other, simulation=COIN, *, on_left=True, seed="seed", **more):
    return compare_by_sampling(
        simulation, number(other), on_left=on_left, level=LEVEL, seed=seed, **more
    )


def changed(**changes) -> Simulation:
    return dataclasses.replace(COIN, **changes)


def uniform_shifted(generator, count):
    return 5 + 2 * generator.random(count)


def square_root(mean):
    return mean.sqrt()


# Either side.


@pytest.mark.parametrize(
    ("other", "on_left", "truth"),
    [
        ("1/3", True, Truth.TRUE),
        ("1/5", True, Truth.FALSE),
        ("1/5", False, Truth.TRUE),
        ("1/3", False, Truth.FALSE),
    ],
)
def test_a_difference_is_found_on_either_side(other, on_left, truth):
    found = compared(other, on_left=on_left)
    assert found.truth is truth
    assert found.bounds.contains(Fraction(1, 4))
    assert 0 < found.samples < COIN.most
    assert not found.late
    # It stops soon after it can: half as many draws would not have done.
    fewer = compared(other, changed(most=found.samples // 2), on_left=on_left)
    assert fewer.truth is Truth.UNKNOWN
    assert fewer.samples == found.samples // 2


def test_an_equality_is_never_decided_and_the_draws_come_to_an_end():
    found = compared("1/4", changed(most=10_000))
    assert (found.truth, found.samples, found.late) == (Truth.UNKNOWN, 10_000, False)
    assert found.bounds.contains(Fraction(1, 4))
    assert found.bounds.width_upper() < Decimal("0.06")


def test_the_range_decides_without_a_draw():
    for other, on_left, truth in (
        (2, True, Truth.TRUE),
        (1, True, Truth.TRUE),
        (-1, True, Truth.FALSE),
        (-1, False, Truth.TRUE),
        (2, False, Truth.FALSE),
    ):
        found = compared(other, on_left=on_left)
        assert (found.truth, found.samples, found.detectable) == (truth, 0, None)


# Images, ranges, errors.


def test_a_range_other_than_the_unit_interval():
    simulation = Simulation(draw=uniform_shifted, lower=Fraction(5), upper=Fraction(7))
    assert compared("6.1", simulation).truth is Truth.TRUE
    assert compared("5.9", simulation).truth is Truth.FALSE
    found = compared(6, changed_to(simulation, most=100_000))
    assert found.bounds.contains(Fraction(6))
    assert found.bounds.width_upper() < Decimal("0.05")


def changed_to(simulation, **changes):
    return dataclasses.replace(simulation, **changes)


def test_the_image_of_the_mean_is_compared():
    rooted = changed(image=square_root)
    assert compared("0.52", rooted).truth is Truth.TRUE
    assert compared("0.48", rooted).truth is Truth.FALSE
    assert compared("0.48", rooted, on_left=False).truth is Truth.TRUE
    found = compared("1/2", changed(image=square_root, most=50_000))
    assert found.bounds.contains(Fraction(1, 2))


def test_a_limit_at_the_end_of_the_range_has_an_image():
    nothing = changed(image=square_root, draw=lambda _generator, count: np.zeros(count))
    found = compared("1/2", nothing)
    assert found.truth is Truth.TRUE
    assert found.bounds.lower == 0


def test_an_image_that_cannot_be_enclosed_is_told():
    def lost(_mean):
        raise NotEnclosed("no image")

    with pytest.raises(NotEnclosed, match="no image"):
        compared("1/2", changed(image=lost))


def test_the_error_of_the_draws_widens_the_limits_and_leaves_the_range():
    error = Fraction(1, 100)
    plain, wide = (
        compared("1/4", changed(most=20_000, error=bound)).bounds for bound in (Fraction(0), error)
    )
    assert Fraction(plain.lower) - Fraction(wide.lower) == pytest.approx(error)
    assert Fraction(wide.upper) - Fraction(plain.upper) == pytest.approx(error)
    # What is meant may lie beyond the range of what is drawn, by the error.
    assert compared(1, changed(error=error, most=2_000)).samples > 0


@example(Fraction(-1, 25), Fraction(1, 10**6), [0.0])
@example(Fraction(1, 3), Fraction(1, 3), [1.0])
@given(
    st.fractions(-1000, 1000, max_denominator=10**6),
    st.fractions(Fraction(1, 10**6), 1000, max_denominator=10**6),
    st.lists(st.floats(0, 1), min_size=1, max_size=20),
)
def test_mapping_draws_to_the_unit_interval_and_back_contains_their_mean(lower, width, places):
    simulation = changed(lower=lower, upper=lower + width)
    scale = _Scale.of(simulation)
    values = np.clip(float(lower) + np.array(places) * float(width), scale.low, scale.high)
    unit = scale.unit(values, len(values))
    assert ((unit >= 0) & (unit <= 1)).all()
    mean = sum(map(Fraction, unit.tolist())) / len(places)
    exact = sum(map(Fraction, values.tolist())) / len(places)
    with precision(128):
        found = enclosure(scale.image(mean, mean))
    assert found.contains(exact)
    # Four roundings of 2**-53 to either side, of the doubles around the range.
    span = Fraction(scale.high) - Fraction(scale.low)
    assert Fraction(found.width_upper()) <= span / 2**49 + Fraction(1, 2**100)


def test_a_range_with_end_points_that_are_no_doubles():
    def third(_generator, count):
        return np.full(count, 1 / 3)

    simulation = Simulation(draw=third, lower=Fraction(1, 3), upper=Fraction(2, 3), most=20_000)
    found = compared("0.34", simulation)
    assert found.truth is Truth.TRUE
    assert found.bounds.contains(Fraction(1, 3))
    assert found.bounds.contains(Fraction(1 / 3))


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda _generator, count: np.full(count, 1.0000000000000002), "outside its range"),
        (lambda _generator, count: np.full(count, -5e-324), "outside its range"),
        (lambda _generator, count: np.full(count, math.nan), "outside its range"),
        (lambda _generator, count: np.zeros(count + 1), r"drew float64\(1025,\), not 1024 doubles"),
        (lambda _generator, count: np.zeros((count, 1)), "not 1024 doubles"),
        (lambda _generator, count: np.zeros(count, dtype=int), "drew int64"),
    ],
)
def test_draws_that_break_the_promise_are_refused(draw, message):
    with pytest.raises(ValueError, match=message):
        compared("1/2", changed(draw=draw))


@pytest.mark.parametrize(
    "wrong",
    [
        {"upper": Fraction(0)},
        {"lower": Fraction(2)},
        {"error": Fraction(-1)},
        {"most": 0},
        {"chunk": 0},
    ],
)
def test_a_simulation_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        changed(**wrong)


def test_a_range_beyond_the_doubles_is_refused():
    with pytest.raises(ValueError, match="beyond double precision"):
        compared(1, changed(upper=Fraction(10**400)))


# Chunks, seeds, time.


def test_the_chunks_grow_up_to_the_limit():
    asked = []

    def draw(generator, count):
        asked.append(count)
        return quarters(generator, count)

    compared("1/4", changed(draw=draw, chunk=5_000, most=20_000))
    assert asked == [1_024, 1_024, 2_048, 4_096, 5_000, 5_000, 1_808]
    assert asked[0] == LEAST_CHUNK


def test_the_same_seed_draws_the_same_and_another_seed_another():
    first = compared("0.26", changed(most=5_000))
    assert compared("0.26", changed(most=5_000)) == first
    assert compared("0.26", changed(most=5_000), seed="another") != first


def test_a_spent_time_budget_ends_the_drawing():
    found = compared("1/2", deadline=0.0)
    assert (found.truth, found.samples, found.late) == (Truth.UNKNOWN, 0, True)
    started = time.monotonic()
    found = compared("1/4", changed(most=10**12), deadline=started + 0.3)
    assert found.late
    assert found.samples > 0
    assert time.monotonic() - started < 5


def test_a_simulation_travels_to_another_process():
    assert pickle.loads(pickle.dumps(COIN)) == COIN


# What could have been seen.


def violation(other, *, on_left, found) -> Fraction:
    """Return the true mean at which the violation `found.detectable` lies."""
    factor = 1 + Fraction(found.detectable)
    return Fraction(other) * factor if on_left else Fraction(other) / factor


@pytest.mark.parametrize(("other", "on_left"), [("1/3", True), ("1/5", False)])
def test_the_smallest_detectable_violation_is_one_of_left_over_right(other, on_left):
    found = compared(other, on_left=on_left)
    assert found.truth is Truth.TRUE
    mean = float(violation(other, on_left=on_left, found=found))

    def draw(generator, count):
        return (generator.random(count) < mean).astype(float)

    def refuted(seed):
        simulation = changed(draw=draw, most=found.samples)
        return compared(other, simulation, on_left=on_left, seed=seed).truth is Truth.FALSE

    # With probability 1/2 at least: fewer than 9 of 60 has a probability below 10**-8.
    assert sum(refuted(str(i)) for i in range(60)) >= 9
    assert 0 < found.detectable < 2


def test_no_violation_is_detectable_where_none_is_possible_or_the_draws_are_too_few():
    # The mean is at most 1, and so near to it a thousand draws tell nothing.
    found = compared("999999/1000000", changed(draw=lambda _generator, count: np.zeros(count)))
    assert found.truth is Truth.TRUE
    assert found.detectable == math.inf


def test_a_violation_has_no_ratio_where_the_right_side_is_not_positive():
    below = Simulation(
        draw=lambda _generator, count: np.full(count, -1.0), lower=Fraction(-1), upper=Fraction(1)
    )
    found = compared(0, below)
    assert (found.truth, found.detectable) == (Truth.TRUE, None)


def test_the_limits_of_the_level_are_used(monkeypatch):
    levels = []

    class Noted(sampling.MeanSequence):
        def __post_init__(self):
            levels.append(self.level)

    monkeypatch.setattr(sampling, "MeanSequence", Noted)
    compared("1/3")
    assert set(levels) == {LEVEL}
