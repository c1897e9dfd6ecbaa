"""Balls: what is enclosed is inside, the enclosure is narrow, and three answers are given."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import mpmath
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from verification.enclosure import balls
from verification.enclosure.balls import (
    PRECISIONS,
    Ball,
    ball,
    binary_exponent,
    enclosure,
    end_points,
    exact_ball,
    fixed_point,
    interval,
    is_finite,
    is_narrow,
    keyed,
    less,
    less_equal,
    lower_double,
    maximum,
    midpoint,
    pi,
    power,
    precision,
    radius,
    sharp_if_even,
    sharp_if_increasing,
    shown,
    sign,
    square,
    symmetric,
    total,
    upper_double,
    working_precision,
)
from verification.errors import NotEnclosed
from verification.verdict import Enclosure, Truth

# name: (function of balls, function of mpmath, least and greatest argument).  In these ranges an
# argument's relative error grows by less than 2**9, taken relative to 1 + |value|; flint adds a few
# units in the last place.
FUNCTIONS = {
    "sqrt": (Ball.sqrt, mpmath.sqrt, 0, 8),
    "exp": (Ball.exp, mpmath.exp, -8, 8),
    "expm1": (Ball.expm1, mpmath.expm1, -8, 8),
    "log": (Ball.log, mpmath.log, Fraction(1, 1000), 8),
    "log1p": (Ball.log1p, mpmath.log1p, Fraction(-99, 100), 8),
    "tanh": (Ball.tanh, mpmath.tanh, -8, 8),
    "sech": (Ball.sech, mpmath.sech, -8, 8),
    "sinh": (Ball.sinh, mpmath.sinh, -8, 8),
    "cosh": (Ball.cosh, mpmath.cosh, -8, 8),
    "sin": (Ball.sin, mpmath.sin, -8, 8),
    "cos": (Ball.cos, mpmath.cos, -8, 8),
    "tan": (Ball.tan, mpmath.tan, Fraction(-3, 2), Fraction(3, 2)),
    "atan": (Ball.atan, mpmath.atan, -8, 8),
    "atanh": (Ball.atanh, mpmath.atanh, Fraction(-99, 100), Fraction(99, 100)),
    "erf": (Ball.erf, mpmath.erf, -8, 8),
    "erfc": (Ball.erfc, mpmath.erfc, -8, 8),
    "erfi": (Ball.erfi, mpmath.erfi, -8, 8),
}
fractions = st.fractions(-(10**6), 10**6, max_denominator=10**6)
dyadics = st.builds(lambda m, e: Fraction(m, 2**e), st.integers(-4096, 4096), st.integers(0, 12))


def from_mpmath(value) -> Fraction:
    sign_bit, mantissa, exponent, _ = value._mpf_
    return (-1) ** sign_bit * Fraction(mantissa) * Fraction(2) ** exponent


def truth(function, x: Fraction) -> Fraction:
    """Evaluate with mpmath at 50 digits, within a relative error of 1e-40 or so."""
    values = []
    for digits in (50, 70):
        with mpmath.workdps(digits):
            values.append(from_mpmath(function(mpmath.mpf(x.numerator) / x.denominator)))
    assert abs(values[0] - values[1]) <= (1 + abs(values[1])) / 10**44
    return values[1]


def assert_encloses(found: Enclosure, value: Fraction, width: Fraction) -> None:
    """Assert that an enclosure contains a number and is no wider than told."""
    assert found.contains(value)
    assert Fraction(found.upper) - Fraction(found.lower) <= width


def hull(one: Fraction, other: Fraction) -> Ball:
    return interval(ball(min(one, other)), ball(max(one, other)))


# Enclosures are outward and narrow.


@given(st.sampled_from(sorted(FUNCTIONS)), st.integers(0, 10**9), st.sampled_from(PRECISIONS[:2]))
def test_a_function_is_enclosed_narrowly(name, share, bits):
    ours, theirs, least, greatest = FUNCTIONS[name]
    x = least + (greatest - least) * Fraction(share, 10**9)
    value = truth(theirs, x)
    with precision(bits):
        assert_encloses(
            enclosure(ours(ball(x))), value, (1 + abs(value)) * Fraction(2) ** (16 - bits)
        )


@given(fractions, fractions, st.sampled_from(PRECISIONS))
def test_arithmetic_is_enclosed_narrowly(x, y, bits):
    with precision(bits):
        results = [
            (ball(x) + ball(y), x + y, abs(x) + abs(y)),
            (ball(x) - ball(y), x - y, abs(x) + abs(y)),
            (ball(x) * ball(y), x * y, abs(x * y)),
            (square(ball(x)), x * x, x * x),
            (power(ball(x), 5), x**5, abs(x**5)),
            (power(ball(x), 0), Fraction(1), Fraction(1)),
            (total([ball(x), ball(y), ball(x)]), 2 * x + y, 2 * abs(x) + abs(y)),
            (abs(ball(x)), abs(x), abs(x)),
        ]
        if y:
            results.append((ball(x) / ball(y), x / y, abs(x / y)))
        for found, value, size in results:
            low, high = end_points(found)
            assert low <= value <= high
            assert_encloses(enclosure(found), value, size * Fraction(2) ** (8 - bits))


@given(fractions, st.sampled_from(PRECISIONS))
@example(Fraction(0), 64)
@example(Fraction(1, 3), 1024)
@example(Fraction(10**300 + 1), 64)
@example(Fraction(1, 3**300), 64)
def test_a_rational_is_enclosed_narrowly(x, bits):
    with precision(bits):
        low, high = end_points(ball(x))
        assert low <= x <= high
        assert high - low <= abs(x) * Fraction(2) ** (2 - bits)
        assert_encloses(enclosure(x), x, abs(x) * Fraction(2) ** (-bits))
        assert_encloses(enclosure(ball(x)), x, abs(x) * Fraction(2) ** (3 - bits))


@given(dyadics, st.integers(-2000, 2000))
def test_what_has_few_bits_is_exact(x, shift):
    x *= Fraction(2) ** shift
    assert end_points(ball(x)) == (x, x)
    assert radius(ball(x)).is_zero()
    assert end_points(midpoint(ball(x))) == (x, x)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_is_exact(x):
    assert end_points(exact_ball(x)) == (Fraction(x), Fraction(x))
    assert upper_double(exact_ball(x)) == lower_double(exact_ball(x)) == x


def test_an_integer_is_exact_however_long():
    assert end_points(ball(10**300 + 1)) == (10**300 + 1, 10**300 + 1)
    assert end_points(ball(-7)) == (-7, -7)


def test_a_ball_enters_as_it_is():
    x = ball(Fraction(1, 3))
    assert ball(x) is x


def test_pi_is_enclosed():
    with mpmath.workdps(60):
        value = from_mpmath(+mpmath.pi)
    for bits in PRECISIONS[:2]:
        with precision(bits):
            assert_encloses(enclosure(pi()), value, Fraction(2) ** (4 - bits))


@given(dyadics, dyadics, st.sampled_from(PRECISIONS))
def test_the_end_points_are_the_ball(x, y, bits):
    with precision(bits):
        found = hull(x, y)
        low, high = end_points(found)
        middle, around = end_points(midpoint(found)), end_points(radius(found))
    assert middle[0] == middle[1] == (low + high) / 2
    assert around[0] == around[1] == (high - low) / 2
    # Outward, and by no more than a radius of 30 bits loses.
    lost = abs(x - y) * Fraction(2) ** -28 + max(abs(x), abs(y)) * Fraction(2) ** (2 - bits)
    assert min(x, y) - lost <= low <= min(x, y)
    assert max(x, y) <= high <= max(x, y) + lost


@given(dyadics, dyadics)
def test_a_symmetric_ball_reaches_as_far_on_either_side(x, y):
    low, high = end_points(symmetric(hull(x, y)))
    largest = max(abs(x), abs(y))
    assert -low == high
    assert largest <= high <= largest * (1 + Fraction(2) ** -27)


def test_numbers_that_are_not_finite_have_no_end_points():
    for unbounded in (Ball.pos_inf(), -Ball.pos_inf(), Ball.nan(), ball(1) / ball(0)):
        assert not is_finite(unbounded)
        with pytest.raises(NotEnclosed, match="not finite"):
            end_points(unbounded)
        assert enclosure(unbounded) == Enclosure(Decimal("-Infinity"), Decimal("Infinity"))
        assert upper_double(unbounded) == math.inf
        assert lower_double(unbounded) == -math.inf


# Very large and very small numbers.


@pytest.mark.parametrize("exponent", [-60_000, -20_000, 20_000, 60_000])
@pytest.mark.parametrize("negative", [False, True])
def test_a_number_of_extreme_size_is_enclosed_narrowly(exponent, negative):
    value = (-1 if negative else 1) * Fraction(10, 7) * Fraction(2) ** exponent
    with precision(64):
        factor = power(ball(2), abs(exponent))
        found = ball(Fraction(10, 7)) * factor if exponent > 0 else ball(Fraction(10, 7)) / factor
        decimals = enclosure(-found if negative else found)
    # Not in the assertion: it would print numbers longer than Python allows.
    narrow = Fraction(decimals.upper) - Fraction(decimals.lower) <= abs(value) / 2**60
    assert decimals.contains(value)
    assert narrow


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("size", [-(10**9), 10**9])
def test_a_number_beyond_all_decimals_is_enclosed_coarsely(size, negative):
    x = ball(size).exp()
    found = enclosure(-x if negative else x)
    sides = sorted((abs(found.lower), abs(found.upper)))
    assert (found.lower < 0) is negative
    # log10(exp(1e9)) = 434,294,481.9...
    if size > 0:
        assert Decimal("1e19000") <= sides[0] <= Decimal("1e434294481")
        assert sides[1] == Decimal("Infinity")
    else:
        assert sides[0] == 0
        assert Decimal("1e-434294481") <= sides[1] <= Decimal("1e-19000")
    if size > 0:
        with pytest.raises(NotEnclosed, match="exponent"):
            end_points(x)
    else:
        low, high = end_points(x)
        assert -Fraction(1, 2**60_000) < low <= 0 < high < Fraction(1, 2**60_000)


@pytest.mark.parametrize("size", [800, 10**6, 10**9, 10**12])
def test_a_number_beyond_all_doubles_is_rounded_outward(size):
    tiny, huge = ball(-size).exp(), ball(size).exp()
    smallest, largest = math.nextafter(0.0, 1.0), math.nextafter(math.inf, 0.0)
    assert (lower_double(tiny), upper_double(tiny)) == (0.0, smallest)
    assert (lower_double(-tiny), upper_double(-tiny)) == (-smallest, 0.0)
    assert (lower_double(huge), upper_double(huge)) == (largest, math.inf)
    assert (lower_double(-huge), upper_double(-huge)) == (-math.inf, -largest)


@given(fractions, st.integers(-1100, 1100), st.sampled_from(PRECISIONS))
def test_doubles_are_rounded_outward_and_nearly_touch(x, shift, bits):
    x *= Fraction(2) ** shift
    with precision(bits):
        low, high = lower_double(ball(x)), upper_double(ball(x))
    assert low == -math.inf or Fraction(low) <= x
    assert high == math.inf or x <= Fraction(high)
    assert high <= math.nextafter(math.nextafter(low, math.inf), math.inf)


# Three answers.


@given(dyadics, dyadics, dyadics, dyadics)
def test_an_order_is_certain_only_where_the_end_points_say_so(a, b, c, d):
    x, y = hull(a, b), hull(c, d)
    (x_low, x_high), (y_low, y_high) = end_points(x), end_points(y)
    strict = Truth.of(certainly=x_high < y_low, possibly=x_low < y_high)
    weak = Truth.of(certainly=x_high <= y_low, possibly=x_low <= y_high)
    # A difference of balls is rounded: it may leave open what the end points decide by a hair.
    assert less(x, y) in {strict, Truth.UNKNOWN}
    assert less_equal(x, y) in {weak, Truth.UNKNOWN}
    hair = Fraction(2) ** -20 * (1 + abs(a - b) + abs(c - d))
    if x_high + hair < y_low or y_high + hair < x_low:
        assert less(x, y) is strict
        assert less_equal(x, y) is weak


@given(dyadics, dyadics)
@example(Fraction(0), Fraction(0))
def test_exact_numbers_are_ordered_exactly(a, b):
    x, y = ball(a), ball(b)
    assert less(x, y) is Truth.of(certainly=a < b, possibly=a < b)
    assert less_equal(x, y) is Truth.of(certainly=a <= b, possibly=a <= b)
    assert sign(x) == (a > 0) - (a < 0)


def test_balls_that_touch_are_ordered_weakly():
    left, right = hull(Fraction(0), Fraction(1)), hull(Fraction(1), Fraction(2))
    assert less_equal(left, right) is not Truth.FALSE
    assert less(left, right) is not Truth.FALSE
    assert less(right, left) is not Truth.TRUE
    assert less_equal(ball(1), ball(1)) is Truth.TRUE
    assert less(ball(1), ball(1)) is Truth.FALSE


def test_equal_numbers_that_are_not_exact_are_not_ordered():
    third = ball(Fraction(1, 3))
    for order in (less, less_equal):
        assert order(third, third) is Truth.UNKNOWN
        assert order(ball(1), third + third + third) is Truth.UNKNOWN


def test_more_precision_decides_more():
    slightly = Fraction(1, 3) + Fraction(1, 2**200)
    found = []
    for bits in PRECISIONS:
        with precision(bits):
            found.append(less(ball(Fraction(1, 3)), ball(slightly)))
    assert found == [Truth.UNKNOWN, Truth.UNKNOWN, Truth.TRUE, Truth.TRUE, Truth.TRUE]


@pytest.mark.parametrize("unbounded", [Ball.pos_inf(), -Ball.pos_inf(), Ball.nan()])
def test_nothing_is_known_of_what_is_not_finite(unbounded):
    for order in (less, less_equal):
        assert order(unbounded, ball(1)) is Truth.UNKNOWN
        assert order(ball(1), unbounded) is Truth.UNKNOWN
        assert order(unbounded, unbounded) is Truth.UNKNOWN
    assert sign(unbounded) is None


def test_the_sign_of_a_ball_around_zero_is_not_known():
    assert sign(hull(Fraction(-1), Fraction(1))) is None
    assert sign(symmetric(ball(Fraction(1, 2**500)))) is None
    assert sign(ball(Fraction(-1, 3**500))) == -1
    assert sign(ball(-(10**9)).exp()) == 1


@given(st.lists(st.tuples(dyadics, dyadics), min_size=1, max_size=5))
def test_the_maximum_is_enclosed(pairs):
    found = end_points(maximum(hull(a, b) for a, b in pairs))
    least = max(min(pair) for pair in pairs)
    greatest = max(max(pair) for pair in pairs)
    assert found[0] <= least
    assert greatest <= found[1]
    lost = Fraction(2) ** -24 * max(1 + abs(a) + abs(b) for a, b in pairs)
    assert least - lost <= found[0]
    assert found[1] <= greatest + lost


def test_the_maximum_with_a_number_that_is_not_finite_is_not_finite():
    for unbounded in (Ball.pos_inf(), Ball.nan()):
        assert not is_finite(maximum([ball(1), unbounded]))
        assert not is_finite(maximum([unbounded, ball(1)]))


# Precision, and what is shown.


def test_precision_is_set_inside_a_block_only():
    before = working_precision()
    with precision(200):
        assert working_precision() == 200
        with precision(300):
            assert working_precision() == 300
        assert working_precision() == 200
    assert working_precision() == before


def test_precision_is_set_back_after_an_exception():
    before = working_precision()
    with pytest.raises(ZeroDivisionError), precision(before + 100):
        _ = 1 / 0
    assert working_precision() == before


@given(st.fractions(-1000, 1000), st.integers(-20, 200))
def test_fixed_point_is_the_nearest_integer_of_the_midpoint(x, bits):
    with precision(64):
        found = ball(x)
        middle, _ = end_points(midpoint(found))
        number = fixed_point(found, bits)
    assert abs(number - middle * Fraction(2) ** bits) <= Fraction(1, 2)


@pytest.mark.parametrize(("x", "number"), [("2**-70000", 0), ("-2**-70000", 0), ("0", 0)])
def test_fixed_point_of_tiny_numbers_is_zero(x, number):
    value = -ball(1) if x.startswith("-") else ball(int(x != "0"))
    for _ in range(7):
        value = value / ball(2**10_000)
    assert fixed_point(value, 100) == number


def test_a_narrow_ball_is_known_by_its_radius():
    assert is_narrow(ball(Fraction(1, 3)))
    assert not is_narrow(hull(Fraction(0), Fraction(1)))
    assert not is_narrow(Ball.nan())
    assert not is_narrow(ball(0) / ball(0))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(0), "0"),
        (Fraction(100), "100"),
        (Fraction(-5, 4), "-1.25"),
        (Fraction(1, 3), "~0.333333333"),
        (Fraction(-1, 3), "~-0.333333333"),
    ],
)
def test_what_is_rounded_is_marked(value, text):
    assert shown(value) == text
    assert shown(ball(value)) == text


@given(fractions)
def test_what_is_shown_is_near(x):
    text = shown(x)
    if text.startswith("~"):
        assert abs(Fraction(text[1:]) - x) <= abs(x) * Fraction(2, 10**8)
    else:
        assert Fraction(text) == x


@given(dyadics, dyadics)
def test_numbers_kept_apart_are_mapped_and_enclosed(a, b):
    assume(a != b)
    kept = balls.Between(ball(min(a, b)), ball(max(a, b)))
    found = enclosure(kept.map(Ball.exp))
    assert found.lower == enclosure(ball(min(a, b)).exp()).lower
    assert found.upper == enclosure(ball(max(a, b)).exp()).upper
    largest = balls.maximum_between([kept, balls.Between(ball(min(a, b)), ball(min(a, b)))])
    assert end_points(largest.upper)[1] == max(a, b)
    assert end_points(largest.lower)[0] == min(a, b)


@given(
    st.integers(-(2**80), 2**80).filter(bool),
    st.one_of(st.integers(-140, 60), st.integers(-1160, -1040), st.integers(-960, -900)),
)
@example(1, -1075)
@example(-1, -1075)
@example(2**53 + 1, 0)
@example(-(2**53) - 1, 0)
@example(2**53 - 1, 971)
def test_bounds_are_the_nearest_doubles_on_either_side(mantissa, exponent):
    exact = mantissa * Fraction(2) ** exponent
    with precision(256):
        low, high = lower_double(ball(exact)), upper_double(ball(exact))
    assert Fraction(low) <= exact <= Fraction(high)
    if Fraction(low) == exact:
        assert low == high
    else:
        assert math.nextafter(low, math.inf) == high
    assert math.copysign(1, low) == math.copysign(1, high) == math.copysign(1, mantissa)


@given(dyadics, dyadics, st.integers(min_value=-20, max_value=-1))
def test_balls_are_told_apart_by_every_bit(x, y, shift):
    a, b = ball(x), ball(y)
    assert (keyed(a) == keyed(b)) is (x == y)
    assert hash(keyed(ball(x))) == hash(keyed(a))
    wide, wider = (a + symmetric(exact_ball(2.0 ** (shift + k))) for k in (0, 1))
    assert len({keyed(a), keyed(wide), keyed(wider)}) == 3
    assert keyed(wide).ball is wide


@pytest.mark.parametrize("unbounded", [Ball.nan(), Ball.pos_inf(), ball(0) / ball(0)])
def test_what_is_not_finite_is_told_apart_from_all_else(unbounded):
    assert keyed(unbounded) != keyed(unbounded)
    assert keyed(unbounded) != keyed(ball(0))


@given(dyadics, dyadics)
def test_hulls_are_sharp_on_wide_balls(a, b):
    low, high = min(a, b) / 64, max(a, b) / 64
    assume(high - low > Fraction(1, 2**8))
    wide = interval(ball(low), ball(high))
    ends = [ball(low).tanh(), ball(high).tanh()]
    assert_is_hull(sharp_if_increasing(Ball.tanh)(wide), ends)
    nearest = Fraction(0) if low <= 0 <= high else min(abs(low), abs(high))
    ends = [ball(x).sech() for x in (nearest, max(abs(low), abs(high)))]
    assert_is_hull(sharp_if_even(Ball.sech)(wide), ends)


def assert_is_hull(found: Ball, ends: list[Ball]) -> None:
    """Check that a ball reaches from one number to the other, and little farther."""
    low, high = end_points(found)
    middles = [sum(end_points(end)) / 2 for end in ends]
    # A radius has 30 bits, and the argument's has as many; each end is known to 2**-50.
    slack, known = Fraction(1, 2**20), Fraction(1, 2**50)
    assert min(middles) - slack <= low <= min(middles) + known
    assert max(middles) - known <= high <= max(middles) + slack


def test_hulls_of_narrow_balls_are_the_curve():
    narrow = interval(ball(1), ball(1 + Fraction(1, 2**12)))
    assert is_narrow(narrow)
    for hull in (sharp_if_increasing, sharp_if_even):
        assert keyed(hull(Ball.tanh)(narrow)) == keyed(narrow.tanh())


@pytest.mark.parametrize(
    ("x", "exponent"),
    [
        (ball(1), 1),
        (ball(Fraction(-7, 8)), 0),
        (ball(0), 0),
        (symmetric(ball(3)), 2),
        (ball(Fraction(10) ** 400), 1329),
        (ball(Fraction(10) ** -400), -1328),
    ],
)
def test_binary_exponents(x, exponent):
    assert binary_exponent(x) == exponent


@pytest.mark.parametrize("x", [exact_ball(math.inf), ball(2**20).exp()])
def test_no_binary_exponent_of_what_is_not_bounded(x):
    with pytest.raises(NotEnclosed):
        binary_exponent(x)
