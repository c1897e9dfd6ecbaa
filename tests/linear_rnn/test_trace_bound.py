"""Trace bounds: the closed form against singular values, and no network that beats them."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verification import gallery
from verification.enclosure.balls import end_points, lower_double, precision, upper_double
from verification.linear_functional import Exponential, PowerLaw
from verification.linear_rnn import near_best
from verification.linear_rnn.distance import distance
from verification.linear_rnn.lower_bounds import indicator_matrix
from verification.linear_rnn.pieces import of_parts
from verification.linear_rnn.trace_bound import (
    TracePlace,
    largest_trace_norm,
    trace_bound,
    trace_bounds,
    weighted_matrix,
)
from verification.linear_rnn.trace_search import largest_impossible_width, trace_place

F = Fraction
LAW = (PowerLaw(coefficient=F(1), exponent=F(1, 5)),)


def place(ends, weights=None) -> TracePlace:
    weights = weights or [1] * (len(ends) - 1)
    return TracePlace(tuple(map(F, ends)), tuple(map(F, weights)))


def brute_force(where: TracePlace, more=()) -> float:
    """The largest trace norm over all sums of two end points, and other times."""
    ends = np.array([float(x) for x in where.ends])
    weights = np.array([float(x) for x in where.weights])
    lengths, best = np.diff(ends), 0.0
    for t in [*(a + b for a, b in itertools.product(ends, repeat=2)), *more]:
        common = np.minimum(ends[1:, None], t - ends[:-1]) - np.maximum(
            ends[:-1, None], t - ends[1:]
        )
        scale = weights / np.sqrt(lengths)
        matrix = np.maximum(common, 0) * np.multiply.outer(scale, scale)
        best = max(best, np.linalg.svd(matrix, compute_uv=False).sum())
    return best


ratios = st.lists(st.fractions(2, 9, max_denominator=12), min_size=0, max_size=5)
weights = st.lists(st.fractions(F(1, 5), 4, max_denominator=10), min_size=6, max_size=6)


@settings(max_examples=60, deadline=None)
@given(st.fractions(F(1, 8), 5, max_denominator=8), ratios, weights)
def test_the_trace_norm_is_the_largest_one(first, ratios, weights):
    ends = [F(0), first]
    for ratio in ratios:
        ends.append(ends[-1] * ratio)
    where = place(ends, weights[: len(ends) - 1])
    with precision(64):
        found = largest_trace_norm(where)
    low, high = (float(x) for x in end_points(found))
    times = np.linspace(0, 2 * float(ends[-1]), 40)
    assert brute_force(where, times) == pytest.approx(low, rel=1e-11)
    assert high - low <= 1e-15 * high


def test_one_cell_has_the_norm_of_its_weight():
    with precision(64):
        assert end_points(largest_trace_norm(place([0, 3], [2]))) == (4, 4)


@pytest.mark.parametrize("ratio", [3, 4, 6])
def test_geometric_cells_have_a_known_norm(ratio):
    with precision(64):
        found = lower_double(largest_trace_norm(place([0, *(ratio**k for k in range(12))])))
    assert found == pytest.approx(1 + 2 / (ratio * (ratio - 1)) ** 0.5, rel=1e-12)


@pytest.mark.parametrize(
    ("ends", "weights"),
    [
        ([0, 1, "1.9"], [1, 1]),
        ([1, 2], [1]),
        ([0, 1], [0]),
        ([0, 1], [1, 1]),
        ([0], []),
        ([0, 0], [1]),
    ],
)
def test_other_places_are_refused(ends, weights):
    with pytest.raises(ValueError, match="expected"):
        TracePlace(tuple(map(F, ends)), tuple(map(F, weights)))


def test_the_matrix_is_the_indicators_one_with_weights():
    ends, scale = [F(0), F(1, 2), F(2), F(9)], [F(1), F(3), F(1, 2)]
    with precision(64):
        plain = indicator_matrix(of_parts(LAW), ends).entries()
        found = weighted_matrix(of_parts(LAW), place(ends, scale)).entries()
        for i, j in itertools.product(range(3), repeat=2):
            truth = lower_double(plain[i][j]) * float(scale[i] * scale[j])
            assert lower_double(found[i][j]) == pytest.approx(truth, rel=1e-14)


def test_cells_far_apart_lose_no_digits():
    # Between 10^40 and 2.10^40 the law hardly changes over [0, 1].
    where = place([0, 1, *(F(10) ** k for k in range(1, 41)), F(2) * 10**40])
    with precision(64):
        entry = weighted_matrix(of_parts(LAW), where).entries()[0][-1]
        low, high = end_points(entry)
    # int rho over [10^40, 2.10^40] over the root of its length
    truth = (1e40**-0.2 - 2e40**-0.2) / 1e40**0.5
    assert float(low) == pytest.approx(truth, rel=1e-12)
    assert high - low <= high / 2**50


def test_bounds_are_tails_of_one_sum():
    where = place([0, 1, 4, 16], [1, 1, 2])
    with precision(64):
        values = np.linalg.svd(
            np.array(
                [
                    [lower_double(x) for x in row]
                    for row in weighted_matrix(of_parts(LAW), where).entries()
                ]
            )
        )[1]
        most = lower_double(largest_trace_norm(where))
        found = trace_bounds(of_parts(LAW), where, 64)
    assert len(found) == 4
    for m, bound in enumerate(found):
        truth = values[m:].sum() / most
        assert lower_double(bound.lower) == pytest.approx(truth, abs=1e-14)
        assert lower_double(bound.lower) <= upper_double(bound.upper)


@pytest.mark.parametrize("name", ["erlang-four", "damped-wave", "sharp-far-box", "power-law-fifth"])
def test_no_near_best_network_is_below_the_bound(name):
    target = gallery.load(name).target[:1]
    function = of_parts(target[0])
    for width in (0, 1, 2, 3):
        network = near_best.near_best_network((function,), width)
        where = trace_place(function, width, ((width + 3, 4.0),), 40)
        with precision(64):
            bound = lower_double(trace_bound(function, where, width).lower)
            assert bound <= upper_double(distance(target, network, 64).upper)
            # A wave is a network of width 2 itself, a delay one scale of time.
            assert bound > 0 or width >= 2


def test_a_delay_is_as_far_as_its_norm():
    function = of_parts(gallery.load("sharp-far-box").target[0])
    with precision(64):
        assert lower_double(trace_bound(function, place([0, "2.5", "5.1"]), 0).lower) > 0.0999


def test_widths_that_represent_the_target_have_no_bound():
    function = of_parts((Exponential(coefficient=F(1), rate=F(1)),))
    with precision(64):
        bounds = trace_bounds(function, place([0, 1, 3, 8]), 64)
    assert lower_double(bounds[1].lower) <= 1e-15


def test_the_search_beats_the_reference():
    """Widths that bang-bang and Ky Fan bounds exclude: 8 for w = 1/5 within an error of 1 %."""
    function = of_parts(LAW)
    where = trace_place(function, 8, ((30, 50.0),), 150)
    assert largest_impossible_width(function, where, 0.01) >= 7
    with precision(64):
        assert lower_double(trace_bound(function, where, 7).lower) > 0.01
