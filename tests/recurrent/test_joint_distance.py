"""Distances of large laws by sorting, against linear programs, closed forms and exact sums."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.enclosure.balls import end_points, precision
from verification.markov.transport import transport_enclosure
from verification.recurrent import joint_distance as module
from verification.recurrent.joint import JointLaw
from verification.recurrent.joint_distance import joint_distance, sorted_distance

F = Fraction
NARROW = F(1, 2**39)
"""More than the roundings: 2 gamma(70) times a total mass of 2 times M + 4 <= 12, on both sides."""

weights = st.fractions(min_value=F(1, 16), max_value=8, max_denominator=16)


@pytest.fixture(autouse=True)
def _bits():
    with precision(64):
        yield


def ends(found) -> tuple[Fraction, Fraction]:
    return end_points(found.lower)[0], end_points(found.upper)[1]


def law_of(points: dict[tuple[int, Fraction], Fraction], n_states: int, **changes) -> JointLaw:
    """Return a law with the given masses of (state, memory), all of which are doubles."""
    memories = sorted({v for _, v in points})
    masses = np.zeros((n_states, len(memories)))
    for (i, v), mass in points.items():
        masses[i, memories.index(v)] = float(mass)
    law = JointLaw(
        memories=np.array([float(v) for v in memories]),
        radii=np.zeros(len(memories)),
        masses=masses,
        mass_error=F(0),
        bound=F(1),
    )
    return dataclasses.replace(law, **changes)


@st.composite
def point_sets(draw, n_states=3):
    """Draw up to eight points with masses in 64ths that sum to 1, memories in eighths."""
    points = draw(
        st.lists(
            st.tuples(st.integers(0, n_states - 1), st.integers(-8, 8).map(lambda k: F(k, 8))),
            min_size=1,
            max_size=8,
            unique=True,
        )
    )
    cuts = sorted(
        draw(
            st.lists(
                st.integers(1, 63), min_size=len(points) - 1, max_size=len(points) - 1, unique=True
            )
        )
    )
    masses = [F(high - low, 64) for low, high in pairwise([0, *cuts, 64])]
    return dict(zip(points, masses, strict=True))


def transport(first, second, weight) -> tuple[Fraction, Fraction]:
    """Enclose W by the linear program between all points."""
    cost = [[(weight if i != j else F(0)) + abs(v - w) for j, w in second] for i, v in first]
    return ends(transport_enclosure(list(first.values()), list(second.values()), cost))


def in_order(first: list[tuple[Fraction, Fraction]], second) -> Fraction:
    """Return what it costs to move mass along the line in order, by two stacks."""
    waiting = [sorted(part, reverse=True) for part in (first, second)]
    cost = F(0)
    while all(waiting):
        (v, p), (w, q) = (stack.pop() for stack in waiting)
        moved = min(p, q)
        cost += moved * abs(v - w)
        if p > moved:
            waiting[0].append((v, p - moved))
        if q > moved:
            waiting[1].append((w, q - moved))
    return cost


def exact_bounds(first, second, weight) -> tuple[Fraction, Fraction]:
    """Return the potential's value and the plan's cost in rationals."""
    states = {i for i, _ in (*first, *second)}
    p, q = (
        {i: sum(m for (k, _), m in law.items() if k == i) for i in states}
        for law in (first, second)
    )
    apart = sum((max(p[i] - q[i], F(0)) for i in states), F(0))
    low = weight * apart + in_order(
        *([(v, m) for (_, v), m in law.items()] for law in (first, second))
    )
    within = F(0)
    left: tuple[list, list] = ([], [])
    for i in states:
        parts = []
        for rest, law, mass in zip(left, (first, second), (p, q), strict=True):
            here = [(v, m) for (k, v), m in law.items() if k == i]
            share = min(p[i], q[i]) / mass[i] if mass[i] else F(0)
            parts.append([(v, share * m) for v, m in here])
            rest.extend((v, (1 - share) * m) for v, m in here if share < 1)
        within += in_order(*parts)
    return low, weight * apart + within + in_order(*left)


@given(point_sets(), point_sets(), weights)
def test_the_bounds_are_those_of_the_potential_and_of_the_plan(first, second, weight):
    low, high = ends(sorted_distance(law_of(first, 3), law_of(second, 3), weight))
    exact_low, exact_high = exact_bounds(first, second, weight)
    assert exact_low - NARROW <= low <= exact_low
    assert exact_high <= high <= exact_high + NARROW


@given(point_sets(), point_sets(), weights)
def test_the_distance_lies_between_the_bounds(first, second, weight):
    low, high = ends(sorted_distance(law_of(first, 3), law_of(second, 3), weight))
    least, most = transport(first, second, weight)
    assert low <= most
    assert least <= high
    # Both memories lie in [-1, 1].
    assert high - low <= 2 + NARROW


@given(point_sets(), point_sets())
def test_what_the_bounds_differ_by_does_not_depend_on_the_weight(first, second):
    widths = []
    for weight in (F(1, 8), F(8)):
        low, high = ends(sorted_distance(law_of(first, 3), law_of(second, 3), weight))
        widths.append(high - low)
    assert abs(widths[0] - widths[1]) <= NARROW


@given(point_sets(n_states=1), point_sets(n_states=1), weights)
def test_bounds_agree_where_no_state_is_common_or_there_is_only_one(first, second, weight):
    on_the_line = in_order(*([(v, m) for (_, v), m in law.items()] for law in (first, second)))
    elsewhere = {(2, v): mass for (_, v), mass in second.items()}
    for other, exact in ((second, on_the_line), (elsewhere, weight + on_the_line)):
        low, high = ends(sorted_distance(law_of(first, 3), law_of(other, 3), weight))
        assert low <= exact <= high <= low + NARROW


@given(point_sets(), weights)
def test_a_law_is_at_no_distance_from_itself(points, weight):
    low, high = ends(sorted_distance(law_of(points, 3), law_of(points, 3), weight))
    assert low == 0
    assert high <= NARROW


def test_one_memory_each_is_the_total_variation_and_the_memories():
    first = {(0, F(1, 4)): F(3, 4), (1, F(1, 4)): F(1, 4)}
    second = {(0, F(-1, 2)): F(1, 8), (2, F(-1, 2)): F(7, 8)}
    low, high = ends(sorted_distance(law_of(first, 3), law_of(second, 3), F(5)))
    exact = 5 * F(7, 8) + F(3, 4)
    assert low <= exact <= high <= low + NARROW


@given(point_sets(), point_sets(), weights, st.data())
def test_mass_that_is_missing_or_miscounted_is_covered(first, second, weight, data):
    given_law = dict(first)
    at = data.draw(st.sampled_from(sorted(given_law)))
    change = data.draw(st.sampled_from([-F(1, 128), F(1, 128)]))
    given_law[at] += change
    low, high = ends(
        sorted_distance(law_of(given_law, 3, mass_error=F(1, 128)), law_of(second, 3), weight)
    )
    least, most = transport(first, second, weight)
    assert low <= most
    assert least <= high
    # Twice the error times (M + 4 vbar), twice its part of the spread, and the change itself.
    assert high - low <= 2 + F(4, 128) * (weight + 6)


@given(point_sets(), point_sets(), weights)
def test_memories_that_are_known_as_intervals_are_covered(first, second, weight):
    law, radius = law_of(first, 3), F(1, 16)
    blurred = dataclasses.replace(law, radii=np.full(len(law), float(radius)))
    low, high = ends(sorted_distance(blurred, law_of(second, 3), weight))
    for side in (-radius, radius):
        moved = {(i, v + side): mass for (i, v), mass in first.items()}
        least, most = transport(moved, second, weight)
        assert low <= most
        assert least <= high
    assert high - low <= 2 + 2 * radius + NARROW


def test_laws_with_too_many_points_for_a_linear_program_are_sorted():
    n_states = 150
    first = {(i, F(i % 17 - 8, 8)): F(1, 256) for i in range(n_states)}
    first[0, F(-1)] += 1 - sum(first.values())
    second = {(n_states - 1 - i, v / 2): mass for (i, v), mass in first.items()}
    laws = [law_of(points, n_states) for points in (first, second)]
    found = joint_distance(*laws, F(3))
    assert ends(found) == ends(sorted_distance(*laws, F(3)))
    exact_low, exact_high = exact_bounds(first, second, F(3))
    assert exact_low - NARROW <= ends(found)[0] <= exact_low
    assert exact_high <= ends(found)[1] <= exact_high + NARROW


def test_laws_with_few_points_are_not_sorted(monkeypatch):
    first = {(0, F(0)): F(1, 2), (0, F(1)): F(1, 4), (1, F(1, 2)): F(1, 4)}
    second = {(0, F(1)): F(1, 2), (1, F(0)): F(1, 2)}
    laws = [law_of(points, 2) for points in (first, second)]
    low, high = ends(joint_distance(*laws, F(1)))
    least, most = transport(first, second, F(1))
    assert low <= most
    assert least <= high <= low + NARROW
    monkeypatch.setattr(module, "MAX_PAIRS", 5)
    wide = ends(joint_distance(*laws, F(1)))
    assert wide[0] <= most
    assert least <= wide[1]
    assert wide[1] - wide[0] > high - low
