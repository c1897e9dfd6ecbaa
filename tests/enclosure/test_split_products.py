"""Split products against exact rationals: the high parts are exact, the low parts within bounds."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.enclosure.split_products import (
    Split,
    halves,
    inner_products,
    matrix_product,
    product_error,
    split,
    split_bits,
    squares,
    squares_error,
    two_product,
    two_sum,
)

F = Fraction
DOUBLES = st.floats(-(2.0**300), 2.0**300, allow_subnormal=False).filter(
    lambda x: x == 0 or abs(x) > 2.0**-300
)


def exact(values) -> list[Fraction]:
    return [F(float(value)) for value in np.ravel(values)]


@given(DOUBLES, DOUBLES)
def test_sums_and_products_of_two_keep_their_error(a, b):
    one, other = np.array([a]), np.array([b])
    for (result, error), truth in (
        (two_sum(one, other), F(a) + F(b)),
        (two_product(one, other), F(a) * F(b)),
    ):
        assert exact(result)[0] + exact(error)[0] == truth
    assert two_sum(one, other)[0][0] == a + b
    assert two_product(one, other)[0][0] == a * b


@given(DOUBLES)
def test_halves_have_26_bits(a):
    high, low = halves(np.array([a]))
    assert exact(high)[0] + exact(low)[0] == F(a)
    for half in (high[0], low[0]):
        numerator = abs(F(half).numerator)
        assert numerator >> ((numerator & -numerator).bit_length() - 1 if numerator else 0) < 2**26


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=20), st.integers(10, 26))
def test_splitting_and_squaring_lose_nothing_or_little(values, bits):
    array = np.array(values)
    parts = split(array, bits)
    for value, high, low in zip(exact(array), exact(parts.high), exact(parts.low), strict=True):
        assert high + low == value
        assert (high * 2**bits).denominator == 1
        assert abs(low) <= F(1, 2 ** (bits + 1))
    np.testing.assert_array_equal(parts.total(), array)
    squared = squares(parts, bits)
    for value, high, low in zip(exact(array), exact(squared.high), exact(squared.low), strict=True):
        assert (high * 2**bits).denominator == 1
        assert abs(low) <= F(2, 2**bits)
        assert abs(high + low - value * value) <= squares_error(bits)


@pytest.mark.parametrize("value", [1.0000000000000002, -2.0, np.nan, np.inf])
def test_large_values_are_not_split(value):
    with pytest.raises(ValueError, match="between -1 and 1"):
        split(np.array([0.0, value]), 20)


@pytest.mark.parametrize(
    ("count", "bits"), [(1, 26), (2, 26), (3, 25), (4, 25), (5, 25), (8, 25), (9, 24), (512, 22)]
)
def test_bits_are_as_many_as_keep_sums_exact(count, bits):
    assert split_bits(count) == bits
    assert count * 4**bits <= 2**53 < count * 4 ** (bits + 1)
    assert product_error(count, bits) > 0
    with pytest.raises(ValueError, match="not exact"):
        product_error(count, bits + 1)


def all_largest(shape):
    """Every partial sum of the high parts is as large as it can be, and so is every low part."""
    return np.full(shape, 1 - 2.0**-22 + 2.0**-24 - 2.0**-53)


def random(shape):
    return np.random.default_rng(17).uniform(-1, 1, shape)


def spread(shape):
    rng = np.random.default_rng(18)
    return rng.uniform(-1, 1, shape) * 2.0 ** rng.integers(-70, 1, shape)


@pytest.mark.parametrize("make", [all_largest, random, spread])
@pytest.mark.parametrize("count", [1, 3, 195, 512])
def test_products_of_matrices_are_within_their_bound(make, count):
    bits = split_bits(count)
    one, other = make((4, count)), make((count, 3))
    a, b = split(one, bits), split(other, bits)
    product = matrix_product(a, b)
    error = product_error(count, bits)
    plain = one @ other
    worst, plain_worst = F(0), F(0)
    for i in range(4):
        for k in range(3):
            high = sum(map(F.__mul__, exact(a.high[i]), exact(b.high[:, k])), F(0))
            truth = sum(map(F.__mul__, exact(one[i]), exact(other[:, k])), F(0))
            assert F(product.high[i, k]) == high
            worst = max(worst, abs(F(product.high[i, k]) + F(product.low[i, k]) - truth))
            plain_worst = max(plain_worst, abs(F(plain[i, k]) - truth))
    assert worst <= error
    assert error <= F(count**2, 2**70)
    if make is random and count > 100:
        assert worst < plain_worst / 100
    rows = inner_products(a, Split(b.high.T[[0, 1, 2, 0]], b.low.T[[0, 1, 2, 0]]))
    for i, k in enumerate((0, 1, 2, 0)):
        truth = sum(map(F.__mul__, exact(one[i]), exact(other[:, k])), F(0))
        assert abs(F(rows.high[i]) + F(rows.low[i]) - truth) <= error


def test_squares_in_a_product_are_within_their_bound():
    count = 300
    bits = split_bits(count)
    values, weights = random((2, count)), np.abs(spread((count, 1)))
    product = matrix_product(squares(split(values, bits), bits), split(weights, bits))
    mass = sum(exact(weights), F(0))
    for i in range(2):
        truth = sum(
            (x * x * w for x, w in zip(exact(values[i]), exact(weights), strict=True)), F(0)
        )
        error = product_error(count, bits, low=4) + squares_error(bits) * mass
        assert abs(F(product.high[i, 0]) + F(product.low[i, 0]) - truth) <= error


def test_parts_and_transposes_are_those_of_both_halves():
    whole = split(random((3, 4)), 20)
    np.testing.assert_array_equal(whole[1:].total(), whole.total()[1:])
    np.testing.assert_array_equal(whole[:, 0].low, whole.low[:, 0])
    np.testing.assert_array_equal(whole.transposed().high, whole.high.T)
    np.testing.assert_array_equal(whole.transposed().low, whole.low.T)
