"""Lower bounds against closed forms and quadrature, and against networks that come near."""

from __future__ import annotations

import itertools
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.special import eval_laguerre
from targets import wave

from verification.enclosure.balls import end_points, precision
from verification.enclosure.singular import singular_values
from verification.linear_functional import Box, Network, PowerLaw
from verification.linear_rnn import near_best, search
from verification.linear_rnn.distance import difference
from verification.linear_rnn.lower_bounds import (
    BangBangPlace,
    IndicatorPlace,
    KyFanPlace,
    LaguerrePlace,
    bang_bang_bound,
    bang_bang_matrix,
    compression,
    indicator_matrix,
    ky_fan_bound,
    laguerre_matrix,
    largest_ky_fan_norm,
)
from verification.linear_rnn.network import KernelPiece
from verification.linear_rnn.norm import l1_norm
from verification.linear_rnn.pieces import least_exact_width, of_parts

F = Fraction


RAMP = (wave(1, 1, 1),)
WAVES = (wave(1, "0.5", 1, 2, "-0.5"), wave("0.3", 2))
LAW = (PowerLaw(coefficient=F(1), exponent=F(1)),)
FAR_BOX = (Box(height=F(1), start=F(5), length=F(1, 10)),)


def middle(found) -> float:
    return float(sum(end_points(found)) / 2)


def entries(matrix) -> np.ndarray:
    return np.array([[middle(x) for x in row] for row in matrix.entries()])


def least(found) -> float:
    return float(end_points(found)[0])


def test_the_singular_values_of_a_ramp_are_known():
    # The Hankel operator of t exp(-t) has the singular values (sqrt 2 + 1)/4 and (sqrt 2 - 1)/4.
    (piece,) = of_parts(RAMP)
    with precision(64):
        values = singular_values(laguerre_matrix(piece, F(1), 6))
        assert middle(values[0].lower) == pytest.approx((2**0.5 + 1) / 4, abs=1e-13)
        assert middle(values[1].lower) == pytest.approx((2**0.5 - 1) / 4, abs=1e-13)
        assert float(end_points(values[2].upper)[1]) < 1e-14


@pytest.mark.parametrize("parts", [RAMP, WAVES], ids=["ramp", "waves"])
def test_laguerre_entries_agree_with_quadrature(parts):
    (piece,), p = of_parts(parts), 0.75
    with precision(64):
        found = entries(laguerre_matrix(piece, F(3, 4), 4))

    def basis(i, t):
        return (2 * p) ** 0.5 * np.exp(-p * t) * eval_laguerre(i, 2 * p * t)

    def rho(t):
        return search.value_estimate((piece,), np.array([t]))[0]

    for i, j in ((0, 0), (1, 0), (2, 3)):
        truth = dblquad(
            lambda s, t, i=i, j=j: rho(s + t) * basis(i, t) * basis(j, s), 0, 60, 0, 60, epsabs=1e-7
        )[0]
        assert found[i, j] == pytest.approx(truth, abs=1e-5)


def test_laguerre_entries_stay_sharp_at_high_order():
    (piece,) = of_parts((wave(1, 1, 4), wave(1, 7)))
    with precision(64):
        matrix = laguerre_matrix(piece, F(3), 20)
        assert max(end_points(x)[1] - end_points(x)[0] for x in matrix.numbers()) < F(1, 10**17)


def test_indicator_entries_agree_with_quadrature():
    ends = [F(0), F(1, 2), F(2), F(5)]
    with precision(64):
        found = entries(indicator_matrix(of_parts(LAW), ends))
    for i, j in itertools.product(range(3), repeat=2):
        a, b, c, d = (float(x) for x in (ends[i], ends[i + 1], ends[j], ends[j + 1]))
        # int int (1 + s + t)^-2 = log of a cross ratio
        truth = np.log((1 + a + d) * (1 + b + c) / ((1 + a + c) * (1 + b + d)))
        assert found[i, j] == pytest.approx(truth / np.sqrt((b - a) * (d - c)), abs=1e-14)


def test_compressions_of_one_operator_do_not_exceed_its_norm():
    for place in (LaguerrePlace(F(1), 12), IndicatorPlace((F(0), F(1), F(2), F(4)))):
        with precision(64):
            values = singular_values(compression(of_parts(RAMP), place))
        assert least(values[0].lower) <= (2**0.5 + 1) / 4
        assert least(values[1].lower) <= (2**0.5 - 1) / 4
    with precision(64), pytest.raises(ValueError, match="quasi-polynomials only"):
        compression(of_parts(LAW), LaguerrePlace(F(1), 4))


def test_the_bang_bang_bound_of_a_power_law_at_its_best_place():
    place = BangBangPlace((F(0), F("1.303225")), (F(0), F("2.146269")))
    with precision(64):
        found = bang_bang_bound(of_parts(LAW), place)
        matrix = entries(bang_bang_matrix(of_parts(LAW), place))
    # int_a^b (1 + t + s)^-2 ds = 1/(1 + t + a) - 1/(1 + t + b)
    truth = [[1 / (1 + t) - 1 / (1 + t + 1.303225), 1 / (1 + t + 1.303225)] for t in (0, 2.146269)]
    np.testing.assert_allclose(matrix, truth, atol=1e-15)
    assert middle(found) == pytest.approx(0.131652, abs=5e-7)
    assert middle(found) == pytest.approx(1 / np.abs(np.linalg.inv(truth)).sum(axis=1).max())


def test_the_search_finds_that_place():
    place = search.bang_bang_place(of_parts(LAW), 1)
    with precision(64):
        assert middle(bang_bang_bound(of_parts(LAW), place)) == pytest.approx(0.131652, abs=1e-5)


@pytest.mark.parametrize("parts", [RAMP, LAW], ids=["ramp", "law"])
def test_with_no_unit_the_bang_bang_bound_of_a_positive_kernel_is_its_norm(parts):
    place = search.bang_bang_place(of_parts(parts), 0)
    with precision(64):
        assert middle(bang_bang_bound(of_parts(parts), place)) == pytest.approx(1, abs=1e-15)


def test_no_small_network_comes_near_a_far_box():
    with precision(64):
        for width in (0, 1, 2, 4):
            place = search.bang_bang_place(of_parts(FAR_BOX), width)
            assert middle(bang_bang_bound(of_parts(FAR_BOX), place)) == pytest.approx(0.1)
            ends = search.indicator_ends(of_parts(FAR_BOX), width)
            values = singular_values(indicator_matrix(of_parts(FAR_BOX), ends))
            # s_1 of the box on [0, 5.05]^2 is about 0.1 - 0.05^2/(2 5.05); no bound exceeds 0.1
            assert 0.096 < least(values[width].lower) < 0.1


@pytest.mark.parametrize("count", [1, 3, 5])
def test_ky_fan_norms_of_even_intervals_are_their_number(count):
    # At a sum of two end points M is an antidiagonal of ones, of all lengths up to 5.
    ends = tuple(F(k, 3) for k in range(6))
    with precision(64):
        found = largest_ky_fan_norm(ends, count, 64)
        assert end_points(found.lower)[0] <= count <= end_points(found.upper)[1]
        assert middle(found.upper - found.lower) < 1e-12


@pytest.mark.parametrize("count", [1, 2, 4])
def test_ky_fan_norms_are_the_largest_over_all_times(count):
    ends = (F(0), F(1, 4), F(1), F(3), F(7), F(20))
    with precision(64):
        found = largest_ky_fan_norm(ends, count, 64)
    at = np.array([float(x) for x in ends])
    lengths = np.diff(at)
    largest = 0.0
    knots = sorted({a + b for a in at for b in at})
    for t in [*np.linspace(0, 40, 400), *knots]:
        common = np.minimum(at[1:, None], t - at[:-1]) - np.maximum(at[:-1, None], t - at[1:])
        overlaps = np.maximum(common, 0) / np.sqrt(np.multiply.outer(lengths, lengths))
        largest = max(largest, np.linalg.svd(overlaps)[1][:count].sum())
    assert middle(found.lower) == pytest.approx(largest, rel=1e-12)
    assert middle(found.upper) == pytest.approx(largest, rel=1e-12)


def test_a_ky_fan_bound_is_its_formula():
    place = KyFanPlace((F(0), F(1), F(3), F(8)), 2)
    with precision(64):
        matrix = entries(indicator_matrix(of_parts(LAW), place.ends))
        found = ky_fan_bound(of_parts(LAW), place, 1)
        most = middle(largest_ky_fan_norm(place.ends, 2, 64).lower)
    truth = np.linalg.svd(matrix)[1][1:3].sum() / most
    assert middle(found.lower) == pytest.approx(truth, rel=1e-12)
    assert middle(found.upper) == pytest.approx(truth, rel=1e-12)


def test_bounds_stay_below_the_error_of_any_network():
    """Random networks of width 2, not only near-best ones: none beats the lower bounds."""
    rng = np.random.default_rng(3)
    with precision(64):
        place = search.bang_bang_place(of_parts(LAW), 2)
        bound = middle(bang_bang_bound(of_parts(LAW), place))
        ends = search.indicator_ends(of_parts(LAW), 2)
        hankel = least(singular_values(indicator_matrix(of_parts(LAW), ends))[2].lower)
        errors = []
        for _ in range(12):
            rates, weights = rng.uniform(0.1, 3, 2), rng.uniform(0, 1, 2)
            network = Network(
                w=((F(-rates[0]), F(0)), (F(0), F(-rates[1]))),
                u=((F(weights[0]),), (F(weights[1]),)),
                c=(F(1), F(1)),
            )
            (function,) = difference((LAW,), network)
            errors.append(least(l1_norm(function, bits=20).lower))
    assert 0.01 < hankel < min(errors)
    assert 0.02 < bound < min(errors)


@pytest.mark.parametrize(
    ("parts", "width", "least_ratio"),
    [(RAMP, 1, 0.4), (WAVES, 2, 0.1), (LAW, 1, 0.4), (LAW, 3, 0.2), (FAR_BOX, 2, 0.999)],
)
def test_near_best_networks_are_near_the_lower_bounds(parts, width, least_ratio):
    functions = (of_parts(parts),)
    network = near_best.near_best_network(functions, width)
    assert network is None or network.width <= width
    with precision(64):
        left = functions if network is None else difference((parts,), network)
        error = l1_norm(left[0], bits=24)
        low, high = end_points(error.lower)[0], end_points(error.upper)[1]
        assert high - low <= high / 10**6
        bound = bang_bang_bound(functions[0], search.bang_bang_place(functions[0], width))
    assert least_ratio * float(high) < middle(bound) <= float(high) * (1 + 1e-12)


def test_a_target_of_that_width_is_found_again():
    target = (wave(1, 1), wave("-0.5", 3), wave("0.25", "0.5", 0, 2))
    network = near_best.near_best_network((of_parts(target),), 4)
    assert network is not None
    with precision(64):
        (function,) = difference((target,), network)
        assert float(end_points(l1_norm(function, bits=20).upper)[1]) < 1e-6


def test_no_unit_no_network():
    assert near_best.near_best_network((of_parts(LAW),), 0) is None
    assert near_best.near_best_network(((),), 3) is None


def test_least_exact_widths():
    assert least_exact_width((RAMP,)) == 2
    assert least_exact_width((WAVES,)) == 5
    assert least_exact_width((RAMP, (wave(1, 1), wave(1, 2)))) == 3
    assert least_exact_width(((wave(1, 1), wave(-1, 1)),)) == 0
    assert least_exact_width((LAW,)) is None


def test_what_a_network_represents_exactly_leaves_nothing():
    chain = Network(w=((F(-1), F(1)), (F(0), F(-1))), u=((F(0),), (F(1),)), c=(F(1), F(0)))
    assert difference((RAMP,), chain) == ((),)
    near = Network(w=chain.w, u=((F(0),), (F(1001, 1000),)), c=chain.c)
    (function,) = difference((RAMP,), near)
    assert any(isinstance(piece, KernelPiece) for piece in function)
    with precision(64):
        found = l1_norm(function, bits=30)
    assert middle(found.lower) == pytest.approx(1e-3, rel=1e-8)
    # Equal value and slope at 0 are not enough for equality.
    other = Network(w=((F(-1), F(1)), (F(0), F(-2))), u=((F(0),), (F(1),)), c=(F(1), F(0)))
    assert difference((RAMP,), other) != ((),)


def test_estimates_agree_with_mpmath():
    t = np.array([0.3, 2.0, 5.05, 7.0])
    for parts in (RAMP, WAVES, LAW, FAR_BOX):
        function = of_parts(parts)
        for times in (1, 2):
            found = search.primitive_estimate(function, t, times)
            with precision(64):
                truth = [
                    sum(middle(piece.primitive(F(float(x)), times)) for piece in function)
                    for x in t
                ]
            np.testing.assert_allclose(found, truth, atol=1e-12)
    ramp = [float(x * mpmath.exp(-x)) for x in t]
    np.testing.assert_allclose(search.value_estimate(of_parts(RAMP), t), ramp, rtol=1e-14)


def test_a_wave_beside_a_power_law_needs_no_fine_cells_where_it_is_over():
    """A law lasts 10^12 times as long: cells of the wave's length all the way would fill memory."""
    functions = (of_parts((*LAW, wave(1, 1, 0, 100))),)
    t, weights = search.quadrature(functions)
    assert len(t) == len(weights) < 10**5
    assert t[-1] > 10**11
    assert near_best.near_best_network(functions, 2) is not None


def test_a_small_box_beside_a_power_law_does_not_overflow():
    """Most of the grid lies where nothing is left to fit."""
    box = Box(height=F(1, 100), start=F(2), length=F(1, 10))
    law = PowerLaw(coefficient=F(1, 2), exponent=F(1, 2))
    functions = (of_parts((law, box)), of_parts((wave(2, "0.1"),)))
    for width in (1, 2):
        network = near_best.near_best_network(functions, width)
        assert network is not None
        assert network.width <= width


@pytest.mark.parametrize(
    ("ends", "points", "expected"),
    [
        ((0, 1), (0, -1), "points that are not negative"),
        ((0, 2, 1), (0, 1, 2), "do not decrease"),
        ((1, 2), (0, 1), "from 0 on"),
        ((0, -1), (0, 1), "do not decrease"),
        ((0, 1), (0,), "as many points"),
        ((), (), "as many points"),
    ],
)
def test_a_place_at_which_there_is_no_bound_is_refused(ends, points, expected):
    """At negative times a power law is larger: the number there would bound nothing."""
    with pytest.raises(ValueError, match=expected):
        BangBangPlace(tuple(map(F, ends)), tuple(map(F, points)))
