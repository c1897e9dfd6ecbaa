"""The rule by which verdicts are given, against exact rationals."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from verification.verdict import (
    SLACK_BITS,
    Enclosure,
    Relation,
    Truth,
    Verdict,
    compare,
    compare_exactly,
    divide,
    ratio_lower,
)

INFINITY = Decimal("Infinity")
SLACK = Fraction(1, 2**SLACK_BITS)


def point(value) -> Enclosure:
    return Enclosure(Decimal(value), Decimal(value))


def decimals(**limits):
    return st.decimals(allow_nan=False, allow_infinity=False, places=6, **limits)


def enclosures(**limits):
    pairs = st.tuples(decimals(**limits), decimals(**limits))
    return pairs.map(lambda pair: Enclosure(min(pair), max(pair)))


# Truth.


@pytest.mark.parametrize("truth", Truth)
def test_a_truth_is_no_condition(truth):
    with pytest.raises(TypeError, match="three values"):
        bool(truth)
    with pytest.raises(TypeError):
        _ = not truth


def test_a_truth_is_known_from_what_is_certain_and_what_is_possible():
    assert Truth.of(certainly=True, possibly=True) is Truth.TRUE
    assert Truth.of(certainly=False, possibly=True) is Truth.UNKNOWN
    assert Truth.of(certainly=False, possibly=False) is Truth.FALSE


def test_a_verdict_is_its_name():
    assert [str(verdict) for verdict in Verdict] == [verdict.name for verdict in Verdict]


# Comparison.


def with_slack(value: Fraction) -> Fraction:
    return value + abs(value) * SLACK


@pytest.mark.parametrize("right", ["1", "-1", "3e200", "-7e-300", "0", "12345.6789"])
def test_the_boundary_itself_is_included_and_nothing_beyond_it(right):
    with localcontext(prec=1000):
        slack = Decimal(2) ** -SLACK_BITS
        boundary = Decimal(right) + abs(Decimal(right)) * slack
        beyond = boundary + Decimal("1e-500")
    assert Fraction(boundary) == with_slack(Fraction(right))
    assert compare(point(boundary), point(right)) is Truth.TRUE
    assert compare(point(beyond), point(right)) is Truth.FALSE
    # Enclosures that reach over the boundary from either side are not decided.
    assert compare(Enclosure(boundary, beyond), point(right)) is Truth.UNKNOWN
    assert compare(point(beyond), Enclosure(Decimal(right), beyond)) is Truth.UNKNOWN


def test_an_equality_is_certified():
    third = Enclosure.of_fraction(Fraction(1, 3))
    assert third.lower < third.upper
    assert compare(third, third) is Truth.TRUE


@given(enclosures(), enclosures())
@example(point(0), point(0))
@example(point("-1"), point("-1.000001"))
def test_the_comparison_is_what_the_extreme_pairs_say(left, right):
    certainly = Fraction(left.upper) <= with_slack(Fraction(right.lower))
    possibly = Fraction(left.lower) <= with_slack(Fraction(right.upper))
    assert compare(left, right) is Truth.of(certainly=certainly, possibly=possibly)


@given(enclosures())
def test_infinite_end_points_are_compared(other):
    line, minus, plus = (
        Enclosure(-INFINITY, INFINITY),
        Enclosure(-INFINITY, other.upper),
        Enclosure(other.lower, INFINITY),
    )
    assert compare(line, other) is Truth.UNKNOWN
    assert compare(other, line) is Truth.UNKNOWN
    assert compare(line, line) is Truth.UNKNOWN
    assert compare(point(-INFINITY), other) is Truth.TRUE
    assert compare(other, point(INFINITY)) is Truth.TRUE
    assert compare(point(INFINITY), other) is Truth.FALSE
    assert compare(other, point(-INFINITY)) is Truth.FALSE
    assert compare(minus, plus) is not Truth.FALSE
    assert compare(plus, minus) is not Truth.TRUE


@given(enclosures(), enclosures(), st.integers(1, 40))
def test_a_wider_enclosure_never_changes_a_decision_to_its_opposite(left, right, digits):
    decided = compare(left, right)
    rounded = compare(left.rounded(digits), right.rounded(digits))
    assert rounded in (decided, Truth.UNKNOWN)


# Identities.


def are_equal(left: Fraction, right: Fraction) -> bool:
    return left <= with_slack(right) and right <= with_slack(left)


@given(enclosures(), enclosures())
@example(point(0), point(0))
@example(point(1), point("1.0000000000005"))
@example(point("-1"), point("-1.0000000000005"))
@example(Enclosure(Decimal(1), Decimal(2)), Enclosure(Decimal(1), Decimal(2)))
def test_an_identity_is_decided_by_the_extreme_pairs(left, right):
    decided = compare(left, right, Relation.EQUAL)
    ends = [
        are_equal(Fraction(one), Fraction(other))
        for one in (left.lower, left.upper)
        for other in (right.lower, right.upper)
    ]
    if decided is Truth.TRUE:
        assert all(ends)
    else:
        # Where it is not established, a pair of end points is unequal.
        assert not all(ends)
    if left.overlaps(right):
        assert decided is not Truth.FALSE
    gap = max(
        Fraction(left.lower) - Fraction(right.upper), Fraction(right.lower) - Fraction(left.upper)
    )
    size = max(abs(Fraction(end)) for each in (left, right) for end in (each.lower, each.upper))
    if gap > size * SLACK:
        assert decided is Truth.FALSE
    assert compare(right, left, Relation.EQUAL) is decided


@pytest.mark.parametrize("value", ["1", "-1", "3e200", "-7e-300", "12345.6789"])
def test_the_slack_of_an_identity_is_what_it_says(value):
    with localcontext(prec=1000):
        near = Decimal(value) * (1 + Decimal(2) ** -(SLACK_BITS + 1))
        far = Decimal(value) * (1 + Decimal(2) ** -(SLACK_BITS - 1))
    for one, other in ((near, value), (value, near)):
        assert compare(point(one), point(other), Relation.EQUAL) is Truth.TRUE
    for one, other in ((far, value), (value, far)):
        assert compare(point(one), point(other), Relation.EQUAL) is Truth.FALSE
    around = Enclosure(min(near, far), max(near, far))
    assert compare(around, point(value), Relation.EQUAL) is Truth.UNKNOWN


@given(enclosures())
def test_an_identity_with_what_is_not_bounded_is_never_established(other):
    half_line = Enclosure(other.lower, INFINITY)
    assert compare(half_line, other, Relation.EQUAL) is Truth.UNKNOWN
    above = Enclosure(other.upper + 1, INFINITY)
    size = max(abs(other.upper), 1)
    if size < 10**6:
        assert compare(above, other, Relation.EQUAL) is Truth.FALSE


def test_what_may_be_zero_equals_nothing_for_certain():
    around = Enclosure(Decimal("-1e-300"), Decimal("1e-300"))
    assert compare(around, point(0), Relation.EQUAL) is Truth.UNKNOWN
    assert compare(point(0), point(0), Relation.EQUAL) is Truth.TRUE


@given(st.fractions(), st.fractions())
@example(Fraction(1), Fraction(1) + Fraction(1, 10**100))
@example(Fraction(1, 3), Fraction(1, 3))
def test_rationals_are_compared_without_slack(left, right):
    assert (compare_exactly(left, right, Relation.AT_MOST) is Truth.TRUE) is (left <= right)
    assert (compare_exactly(left, right, Relation.EQUAL) is Truth.TRUE) is (left == right)


# Enclosures.


@pytest.mark.parametrize(
    ("lower", "upper"), [("1", "0"), ("NaN", "1"), ("0", "NaN"), ("0", "sNaN"), ("0", "-Infinity")]
)
def test_what_is_no_interval_is_refused(lower, upper):
    with pytest.raises(ValueError, match="not an interval"):
        Enclosure(Decimal(lower), Decimal(upper))


@given(st.fractions(), st.integers(1, 60))
@example(Fraction(1, 10**400), 5)
@example(Fraction(-(10**400), 3), 5)
def test_a_rational_is_enclosed_narrowly(value, digits):
    found = Enclosure.of_fraction(value, digits)
    assert found.contains(value)
    assert Fraction(found.lower) <= value <= Fraction(found.upper)
    assert Fraction(found.upper) - Fraction(found.lower) <= abs(value) * Fraction(10, 10**digits)


def test_a_short_decimal_is_enclosed_exactly():
    assert Enclosure.of_fraction(Fraction(-5, 4)) == point("-1.25")
    assert Enclosure.of_fraction(Fraction(0)) == point(0)


@given(
    st.integers(-(10**40), 10**40),
    st.integers(1, 10**40),
    st.integers(1, 50),
    st.sampled_from(["ROUND_FLOOR", "ROUND_CEILING"]),
)
def test_a_quotient_is_rounded_once_and_as_told(numerator, denominator, digits, rounding):
    exact = Fraction(numerator, denominator)
    found = divide(numerator, denominator, digits, rounding)
    assert len(found.as_tuple().digits) <= digits
    error = Fraction(found) - exact if rounding == "ROUND_CEILING" else exact - Fraction(found)
    assert 0 <= error <= abs(exact) * Fraction(10, 10**digits)


@given(enclosures(), st.integers(1, 30))
def test_rounding_an_enclosure_is_outward_and_narrow(exact, digits):
    found = exact.rounded(digits)
    assert found.lower <= exact.lower
    assert found.upper >= exact.upper
    unit = Fraction(10, 10**digits)
    assert Fraction(exact.lower) - Fraction(found.lower) <= abs(Fraction(exact.lower)) * unit
    assert Fraction(found.upper) - Fraction(exact.upper) <= abs(Fraction(exact.upper)) * unit
    assert len(found.lower.as_tuple().digits) <= digits
    assert found.rounded(digits) == found


@given(enclosures())
def test_the_width_is_an_upper_bound_and_narrow(exact):
    width = Fraction(exact.upper) - Fraction(exact.lower)
    assert width <= Fraction(exact.width_upper()) <= width * (1 + Fraction(1, 10**28))


@given(enclosures(), enclosures())
def test_two_enclosures_overlap_where_they_share_a_point(one, other):
    shared = max(one.lower, other.lower)
    both = one.contains(Fraction(shared)) and other.contains(Fraction(shared))
    assert one.overlaps(other) == other.overlaps(one) == both


def test_touching_enclosures_overlap():
    assert Enclosure(Decimal(0), Decimal(1)).overlaps(Enclosure(Decimal(1), Decimal(2)))
    assert not Enclosure(Decimal(0), Decimal(1)).overlaps(Enclosure(Decimal("1.1"), Decimal(2)))


@given(enclosures() | st.just(Enclosure(-INFINITY, INFINITY)))
def test_an_enclosure_is_written_without_loss(exact):
    document = exact.to_json()
    assert set(document) == {"lower", "upper"}
    assert Enclosure.from_json(document) == exact


def test_the_whole_line_contains_everything():
    line = Enclosure(-INFINITY, INFINITY)
    assert line.contains(Fraction(10**400))
    assert line.width_upper() == INFINITY
    assert line.rounded(3) == line


# Tightness.


@given(enclosures(min_value=0), enclosures(min_value=Decimal("0.000001")))
def test_the_tightness_is_a_lower_bound_and_narrow(left, right):
    exact = Fraction(left.lower) / Fraction(right.upper)
    found = ratio_lower(left, right)
    assert exact * (1 - Fraction(1, 2**50)) <= Fraction(found) <= exact


@pytest.mark.parametrize("k", range(1, 30))
def test_the_tightness_of_a_decimal_is_no_more_than_it(k):
    left = Enclosure.of_fraction(Fraction(k, 10))
    assert Fraction(ratio_lower(left, point(1))) <= Fraction(k, 10)


def test_the_tightness_is_exact_where_a_double_is():
    assert ratio_lower(point("0.5"), point("2")) == 0.25
    assert ratio_lower(point(1), point(1)) == 1.0


@pytest.mark.parametrize("right", [point(0), Enclosure(Decimal(-1), Decimal(1)), point(INFINITY)])
def test_there_is_no_tightness_where_the_right_side_may_be_zero_or_infinite(right):
    assert ratio_lower(point(1), right) is None


def test_the_tightness_of_extreme_numbers_stays_a_lower_bound():
    assert ratio_lower(Enclosure(Decimal(-1), Decimal(2)), point(1)) == 0.0
    assert ratio_lower(point("1e-300000"), point("1e300000")) == 0.0
    huge = ratio_lower(point("1e300000"), point("1e-300000"))
    assert huge == float.fromhex("0x1.fffffffffffffp+1023")
