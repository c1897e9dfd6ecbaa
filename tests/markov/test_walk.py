"""Partial sums as walks on the integers: exact, or off by no more than they say."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.enclosure.balls import ball, interval, precision
from verification.errors import NotEnclosed
from verification.markov.walk import INTEGER_BITS, coarser, walk

F = Fraction

rationals = st.fractions(min_value=-2, max_value=2, max_denominator=6)


@given(st.lists(rationals, min_size=1, max_size=5), rationals, st.integers(0, 50))
def test_a_walk_with_a_rational_centre_is_exact(observable, centre, steps):
    found = walk(observable, steps, centre=centre)
    assert [found.unit * x for x in found.rows[0]] == [value - centre for value in observable]
    assert found.error == 0
    assert found.unit > 0
    assert all((x - found.rows[0][0]) % found.gap == 0 for x in found.rows[0])


@given(st.lists(rationals, min_size=1, max_size=5), st.integers(1, 10**6), st.booleans())
def test_a_walk_with_a_long_centre_is_exact_within_its_error(observable, steps, as_ball):
    centre = F(3**80, 5**50 * 2**11)
    # About 0.81, and no multiple of anything that fits: a constant function would still be exact.
    observable = [F(0), F(1), *observable]
    with precision(200):
        found = walk(observable, steps, centre=ball(centre) if as_ball else centre)
    error = max(
        abs(found.unit * x - (value - centre))
        for x, value in zip(found.rows[0], observable, strict=True)
    )
    assert found.error > 0
    assert steps * error <= found.error
    # Two units at most: one for the rounding, and a ball 200 bits wide.
    assert found.error <= steps * found.unit
    assert found.reach(steps) < 2**INTEGER_BITS
    assert found.reach(steps) >= 2 ** (INTEGER_BITS - 6)
    assert all((x - found.rows[0][0]) % found.gap == 0 for x in found.rows[0])


FINE = [F(0), F(1), F(1, 3**60), F(5, 7**40), F(-2, 3)]
"""On a lattice of which no sum fits 64 bits."""


@pytest.mark.parametrize("steps", [1, 4, 200, 10**6])
@pytest.mark.parametrize("as_ball", [True, False])
def test_values_on_too_fine_a_lattice_are_rounded(steps, as_ball):
    centre = F(1, 11**30)
    with precision(200):
        found = walk(FINE, steps, centre=ball(centre) if as_ball else centre)
    error = max(
        abs(found.unit * x - (value - centre)) for x, value in zip(found.rows[0], FINE, strict=True)
    )
    assert 0 < steps * error <= found.error
    # Half a unit for the rounding, and a ball 200 bits wide.
    assert found.error <= F(101, 200) * steps * found.unit
    # As fine as fits: the largest |f - c| is about 1.
    assert steps * found.unit <= F(1, 2 ** (INTEGER_BITS - 3 - 2 * steps.bit_length()))
    assert found.reach(steps) < 2**INTEGER_BITS
    assert all((x - found.rows[0][0]) % found.gap == 0 for x in found.rows[0])


@given(
    st.lists(
        st.fractions(min_value=-2, max_value=2, max_denominator=10**30), min_size=2, max_size=6
    ),
    st.fractions(min_value=-4, max_value=4, max_denominator=10**30),
    st.integers(1, 10**6),
)
def test_any_walk_is_off_by_no_more_than_it_says(observable, centre, steps):
    found = walk(observable, steps, centre=centre)
    error = max(
        abs(found.unit * x - (value - centre))
        for x, value in zip(found.rows[0], observable, strict=True)
    )
    assert steps * error <= found.error <= steps * found.unit
    assert found.reach(steps) < 2**INTEGER_BITS
    assert all((x - found.rows[0][0]) % found.gap == 0 for x in found.rows[0])


def test_a_walk_with_too_many_steps_is_refused():
    assert walk(FINE, 2**59 - 1, centre=F(1, 3)).reach(1) <= 2
    with pytest.raises(NotEnclosed, match="64-bit"):
        walk(FINE, 2**60, centre=F(1, 3))


def test_a_wide_ball_is_covered_where_values_are_rounded_too():
    wide = interval(ball(F(1, 4)), ball(F(3, 4)))
    found = walk(FINE, 10, centre=wide)
    for centre in (F(1, 4), F(3, 4)):
        for x, value in zip(found.rows[0], FINE, strict=True):
            assert 10 * abs(found.unit * x - (value - centre)) <= found.error
    assert found.error <= F(5, 2) * F(1001, 1000)


def test_a_wide_ball_is_covered():
    wide = interval(ball(F(1, 4)), ball(F(3, 4)))
    found = walk([F(0), F(1)], 10, centre=wide)
    for centre in (F(1, 4), F(3, 4)):
        for x, value in zip(found.rows[0], (F(0), F(1)), strict=True):
            assert 10 * abs(found.unit * x - (value - centre)) <= found.error
    assert found.error <= F(5, 2) * F(1001, 1000)


@given(
    st.lists(st.fractions(min_value=-2, max_value=2, max_denominator=997), min_size=1, max_size=5),
    rationals,
    st.integers(0, 50),
    st.fractions(min_value=0, max_value=10**6, max_denominator=7),
)
def test_a_coarser_walk_is_off_by_what_it_says(observable, centre, steps, move):
    fine = walk(observable, steps, centre=centre)
    found = coarser(fine, steps, move)
    error = max(
        abs(found.unit * x - (value - centre))
        for x, value in zip(found.rows[0], observable, strict=True)
    )
    assert found.error == steps * error
    # Half a new unit a step, which is at most what was asked for, or nothing.
    assert found.error <= move * fine.unit
    assert found.unit >= min(move / max(steps, 1), 1) * fine.unit
    assert all((x - found.rows[0][0]) % found.gap == 0 for x in found.rows[0])


def test_a_walk_that_is_not_made_coarser_stays():
    fine = walk([F(1, 3), F(2, 7)], 10, centre=F(1, 5))
    assert coarser(fine, 10, F(4)) == fine
