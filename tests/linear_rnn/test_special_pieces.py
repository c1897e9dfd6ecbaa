"""Random special pieces: primitives, expansions, norms and doubles against other computations."""

from __future__ import annotations

import itertools
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verification.enclosure.balls import ball, end_points, precision, upper_double
from verification.linear_functional import Airy, DampedReciprocal, Gaussian, Switching
from verification.linear_rnn import search
from verification.linear_rnn.norm import expansion, integral, l1_norm
from verification.linear_rnn.pieces import of_parts

F = Fraction


def numbers(least, most):
    return st.fractions(min_value=F(least), max_value=F(most), max_denominator=16)


COEFFICIENTS = numbers(-3, 3).filter(bool)
RECIPROCALS = st.builds(DampedReciprocal, coefficient=COEFFICIENTS, rate=numbers("1/16", 20))
GAUSSIANS = st.builds(
    Gaussian, coefficient=COEFFICIENTS, centre=numbers(0, 12), width=numbers("1/8", 3)
)
AIRYS = st.builds(Airy, coefficient=COEFFICIENTS, scale=numbers("1/4", 4), shift=numbers(-2, 6))
SWITCHINGS = st.builds(
    Switching,
    coefficient=COEFFICIENTS,
    rate=numbers("1/4", 3),
    times=st.sets(numbers("1/16", 6), max_size=6).map(lambda times: tuple(sorted(times))),
)
PARTS = st.one_of(RECIPROCALS, GAUSSIANS, AIRYS, SWITCHINGS)
TARGETS = st.lists(PARTS, min_size=1, max_size=3)


def middle(found) -> float:
    return float(sum(end_points(found)) / 2)


def values(function, t) -> np.ndarray:
    """Values by expansions of order 1, which say nothing of the others."""
    return np.array([middle(expansion(function, F(x), F(0), 1).coefficients[0]) for x in t])


@settings(max_examples=40)
@given(PARTS, numbers(0, 8), numbers("1/16", 2))
def test_primitives_are_primitives(part, start, length):
    """Each is the integral of the one before, by Gauss-Legendre panels between the kinks."""
    function = of_parts([part])
    end = start + length
    inside = [jump for jump in function[0].jumps if start < jump < end]
    cuts = [start, *inside, end]
    nodes, weights = np.polynomial.legendre.leggauss(24)
    with precision(80):
        once = twice = 0.0
        for a, b in itertools.pairwise(cuts):
            for k in range(4):
                half = (b - a) / 8
                points = [a + half * (2 * k + 1 + F(float(x))) for x in nodes]
                once += float(half) * float(weights @ values(function, points))
                below = [middle(function[0].primitive(x)) for x in points]
                twice += float(half) * float(weights @ below)
        found = middle(integral(function, start, end))
        second = middle(function[0].primitive(end, 2) - function[0].primitive(start, 2))
        size = abs(float(part.coefficient)) * (1 + 1 / float(getattr(part, "rate", 1)) ** 2)
    assert found == pytest.approx(once, abs=1e-12 * size)
    assert second == pytest.approx(twice, abs=1e-12 * size)


@settings(max_examples=60)
@given(PARTS, numbers(0, 12), numbers("1/16", 4), st.integers(1, 25), numbers(-1, 1))
def test_expansions_bound_what_they_leave_out(part, start, reach, order, place):
    """At any place between the kinks, far out too, where only a bound of the function is left."""
    function = of_parts([part])
    after = [jump for jump in function[0].jumps if jump > start]
    radius = min([reach, *(jump - start for jump in after)]) / 2
    centre = start + radius
    x = place * radius
    with precision(192):
        found = expansion(function, centre, radius, order)
        truth = expansion(function, centre + x, F(0), 1).coefficients[0]
        about = ball(0)
        for coefficient in reversed(found.coefficients):
            about = about * ball(x) + coefficient
        low, high = end_points(truth - about)
        assert max(abs(low), abs(high)) <= end_points(found.remainder)[1] + F(1, 2**150)


@settings(max_examples=25, deadline=None)
@given(TARGETS)
def test_norms_enclose_a_quadrature_in_doubles(parts):
    function = of_parts(parts)
    with precision(64):
        found = l1_norm(function, bits=30)
        low, high = (float(end_points(x)[0]) for x in (found.lower, found.upper))
        bound = sum(upper_double(piece.tail(F(0))) for piece in function)
    t = np.linspace(0, 1, 20_001)[1:-1]
    # All of [0, inf) in a bounded variable.
    points, weights = 4 * t / (1 - t), 4 / (1 - t) ** 2 / 20_000
    about = float(np.abs(search.value_estimate(function, points)) @ weights)
    assert low == pytest.approx(about, rel=1e-3, abs=1e-3)
    assert low <= high <= low * (1 + 1e-8) + 1e-12
    assert high <= bound * (1 + 1e-9)


@settings(max_examples=40)
@given(PARTS)
def test_doubles_are_near(part):
    function = of_parts([part])
    times = [F(0), F(1, 7), F(1), F(5, 2), F(6), F(25), F(300)]
    t = np.array([float(x) for x in times])
    with precision(96):
        first = np.array([middle(function[0].primitive(F(x))) for x in t])
        second = np.array([middle(function[0].primitive(F(x), 2)) for x in t])
        exact = values(function, t)
    for estimate, truth in (
        (search.value_estimate(function, t), exact),
        (search.primitive_estimate(function, t), first),
        (search.primitive_estimate(function, t, 2), second),
    ):
        assert np.abs(estimate - truth).max() <= 1e-11 * max(np.abs(truth).max(), 1e-9)


@pytest.mark.parametrize(
    "part",
    [
        DampedReciprocal(coefficient=F(1), rate=F(5000)),
        Gaussian(coefficient=F(1), centre=F(1000), width=F(1, 1000)),
        Gaussian(coefficient=F(1), centre=F(0), width=F(1000)),
        Airy(coefficient=F(1), scale=F(1), shift=F(100)),
        Airy(coefficient=F(1), scale=F(1000), shift=F(-1, 10)),
        Switching(coefficient=F(1), rate=F(1000), times=(F(1, 1000), F(10))),
    ],
    ids=["fast", "far and narrow", "slow", "swinging", "faded", "late"],
)
def test_extreme_pieces_have_norms_in_balls_and_in_doubles(part):
    function = of_parts([part])
    with precision(64):
        found = l1_norm(function)
        low, high = end_points(found.lower)[0], end_points(found.upper)[1]
    assert 0 < low <= high <= low * (1 + F(1, 10**6))
    t, weights = search.quadrature([function])
    about = float(weights @ np.abs(search.value_estimate(function, t)))
    assert about == pytest.approx(float(low), rel=1e-3)
    assert 0 < search.median_time(function) < 1e4


@pytest.mark.parametrize("order", [1, 2, 8, 21, 22, 23, 24, 30])
@pytest.mark.parametrize(
    ("part", "centre", "radius"),
    [
        # As wide as a series is bounded at all: its last known terms are among the largest.
        (Gaussian(coefficient=F(1), centre=F(0), width=F(1)), F(5), F(14, 5)),
        (Airy(coefficient=F(1), scale=F(1), shift=F(0)), F(8), F(6)),
        # Wider: what is left is a bound of the function, which is largest at one end.
        (Gaussian(coefficient=F(1), centre=F(5), width=F(1, 10)), F(49, 20), F(49, 20)),
        (Airy(coefficient=F(1), scale=F(4), shift=F(0)), F(6), F(6)),
    ],
    ids=["wide Gaussian", "wide Ai", "bounded Gaussian", "bounded Ai"],
)
def test_expansions_of_wide_cells_hold_at_their_ends(part, centre, radius, order):
    function = of_parts([part])
    with precision(192):
        found = expansion(function, centre, radius, order)
        for x in (-radius, radius):
            truth = expansion(function, centre + x, F(0), 1).coefficients[0]
            about = ball(0)
            for coefficient in reversed(found.coefficients):
                about = about * ball(x) + coefficient
            low, high = end_points(truth - about)
            assert max(abs(low), abs(high)) <= end_points(found.remainder)[1] + F(1, 2**150)


def test_an_expansion_across_a_kink_is_an_error():
    function = of_parts([Switching(coefficient=F(1), rate=F(1), times=(F(1),))])
    with precision(64), pytest.raises(ValueError, match="across a kink"):
        expansion(function, F(1), F(1, 2), 3)


def test_known_norms():
    with precision(128):
        # e E_1(1); the density of a normal law; 1/3 + int_0^(9/2) |Ai(-y)| dy.
        for part, truth in (
            (DampedReciprocal(coefficient=F(-1), rate=F(1)), mpmath.e * mpmath.e1(1)),
            (
                Gaussian(coefficient=F(2), centre=F(60), width=F(3)),
                6 * mpmath.sqrt(2 * mpmath.pi),
            ),
            (
                Switching(coefficient=F(1), rate=F(1), times=(F(1),)),
                # -exp(-t) before, exp(-t) after 1: |2/e - exp(-t)| on [0, log(e/2)] and beyond.
                mpmath.quad(lambda t: abs(2 / mpmath.e - mpmath.exp(-t)), [0, 1 - mpmath.log(2), 1])
                + mpmath.exp(-1),
            ),
        ):
            found = l1_norm(of_parts([part]))
            low, high = end_points(found.lower)[0], end_points(found.upper)[1]
            assert float(low) == pytest.approx(float(truth), rel=1e-13)
            assert high - low <= low * F(1, 10**12)
