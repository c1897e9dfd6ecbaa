"""Optimal transport: closed forms, exact optima by enumeration, enclosed arguments, limits."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from verification.enclosure.balls import (
    Between,
    ball,
    end_points,
    exact_ball,
    interval,
    lower_double,
    precision,
    upper_double,
)
from verification.errors import NotEnclosed
from verification.markov import transport
from verification.markov.transport import (
    Proposal,
    exact_plan,
    rational_law,
    transport_between,
    transport_enclosure,
)

F = Fraction
# The lower side is rounded once for each potential, the upper side once for each cost: with sizes
# of at most 1, and 100 points, far below this.
WIDTH = F(1, 10**13)


@pytest.fixture(autouse=True)
def _bits():
    with precision(64):
        yield


def ends(found: Between) -> tuple[Fraction, Fraction]:
    return end_points(found.lower)[0], end_points(found.upper)[1]


def contains(found: Between, value: Fraction, width: Fraction = WIDTH) -> None:
    """Two-sided: the enclosure holds the value and is narrow."""
    low, high = ends(found)
    assert low <= value <= high
    assert high - low <= width


def law(weights: list[int]) -> list[Fraction]:
    return [F(w, sum(weights)) for w in weights]


def variation(p: list[Fraction], q: list[Fraction]) -> Fraction:
    return sum((abs(a - b) for a, b in zip(p, q, strict=True)), F(0)) / 2


def on_the_line(p, x, q, y) -> Fraction:
    """The area between the two distribution functions."""
    points = sorted({*x, *y})
    area = F(0)
    for left, right in itertools.pairwise(points):
        first = sum((a for a, at in zip(p, x, strict=True) if at <= left), F(0))
        second = sum((b for b, at in zip(q, y, strict=True) if at <= left), F(0))
        area += abs(first - second) * (right - left)
    return area


def dual_optimum(p, q, cost) -> Fraction:
    """The largest value of a potential, over the vertices of the dual polytope.

    A vertex with f_0 = 0 holds equalities along a spanning tree of the pairs: all trees are tried.
    """
    n, m = len(p), len(q)
    pairs = list(itertools.product(range(n), range(m)))
    best = None
    for tree in itertools.combinations(pairs, n + m - 1):
        f, g = {0: F(0)}, {}
        for _ in range(n + m):
            for i, j in tree:
                if i in f and j not in g:
                    g[j] = cost[i][j] - f[i]
                elif j in g and i not in f:
                    f[i] = cost[i][j] - g[j]
        if len(f) < n or len(g) < m:
            continue
        if all(f[i] + g[j] <= cost[i][j] for i, j in pairs):
            value = sum(f[i] * p[i] for i in range(n)) + sum(g[j] * q[j] for j in range(m))
            best = value if best is None else max(best, value)
    assert best is not None
    return best


weights = st.lists(st.integers(0, 20), min_size=1, max_size=12).filter(any)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_discrete_metric_gives_the_total_variation(data):
    first = data.draw(weights)
    second = data.draw(st.lists(st.integers(0, 20), min_size=len(first), max_size=len(first)))
    if not any(second):
        second[0] = 1
    p, q = law(first), law(second)
    n = len(p)
    cost = [[F(int(i != j)) for j in range(n)] for i in range(n)]
    contains(transport_enclosure(p, q, cost), variation(p, q))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_on_the_line_it_is_the_area_between_the_distribution_functions(data):
    p, q = law(data.draw(weights)), law(data.draw(weights))
    places = st.fractions(F(0), F(1), max_denominator=1000)
    x = data.draw(st.lists(places, min_size=len(p), max_size=len(p)))
    y = data.draw(st.lists(places, min_size=len(q), max_size=len(q)))
    cost = [[abs(a - b) for b in y] for a in x]
    contains(transport_enclosure(p, q, cost), on_the_line(p, x, q, y))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_cost_gives_the_optimum_over_the_vertices_of_the_dual(data):
    sizes = data.draw(st.sampled_from([(1, 3), (2, 2), (2, 3), (3, 3), (2, 4)]))
    p, q = (
        law(data.draw(st.lists(st.integers(1, 9), min_size=size, max_size=size))) for size in sizes
    )
    costs = st.fractions(F(-1), F(1), max_denominator=50)
    cost = [[data.draw(costs) for _ in q] for _ in p]
    contains(transport_enclosure(p, q, cost), dual_optimum(p, q, cost))


@pytest.mark.parametrize("size", [10, 40, 100])
def test_the_relative_gap_is_small_on_random_instances(size):
    rng = random.Random(size)
    p, q = (law([rng.randint(1, 1000) for _ in range(size)]) for _ in range(2))
    cost = [[F(rng.randint(0, 10**6), 10**6) for _ in q] for _ in p]
    low, high = ends(transport_enclosure(p, q, cost))
    assert 0 < low <= high <= low * (1 + F(1, 10**9))


@pytest.mark.parametrize("scale", [F(1, 10**9), F(10**9)])
def test_small_and_large_costs_are_resolved_as_well(scale):
    p, q = law([3, 1, 5, 2]), law([1, 1, 1])
    x, y = [F(0), F(1, 3), F(1, 2), F(1)], [F(1, 7), F(2, 5), F(9, 10)]
    cost = [[scale * abs(a - b) for b in y] for a in x]
    contains(transport_enclosure(p, q, cost), scale * on_the_line(p, x, q, y), scale * WIDTH)


def test_one_point_each():
    contains(transport_enclosure([F(1)], [F(1)], [[F(2, 3)]]), F(2, 3))


def test_equal_laws_are_at_distance_zero():
    p = law([1, 2, 3])
    cost = [[abs(F(i - j)) for j in range(3)] for i in range(3)]
    contains(transport_enclosure(p, p, cost), F(0))


def test_enclosed_probabilities_widen_the_enclosure_by_no_more_than_they_must():
    """A law known up to 2**-20 in total variation, costs between 0 and 1."""
    p, q = law([1, 2, 3, 4]), law([4, 3, 2, 1])
    cost = [[abs(F(i - j, 3)) for j in range(4)] for i in range(4)]
    error = F(1, 2**22)
    wide = [interval(ball(x - error), ball(x + error)) for x in p]
    low, high = ends(transport_enclosure(wide, q, cost))
    for moved in ([0, 0, 0, 0], [1, -1, 0, 0], [1, 1, -1, -1], [-1, 0, 0, 1], [-1, -1, 1, 1]):
        near = [x + sign * error for x, sign in zip(p, moved, strict=True)]
        value = on_the_line(near, [F(i, 3) for i in range(4)], q, [F(i, 3) for i in range(4)])
        assert low <= value <= high
    assert high - low <= 10 * error


def test_enclosed_costs_widen_the_enclosure_by_their_radius():
    p, q = law([1, 2]), law([2, 1])
    error = F(1, 2**20)
    cost = [
        [interval(ball(c - error), ball(c + error)) for c in row]
        for row in ((F(0), F(1)), (F(1), F(0)))
    ]
    low, high = ends(transport_enclosure(p, q, cost))
    assert low <= F(1, 3) - error
    assert F(1, 3) + error <= high
    assert high - low <= 3 * error


def test_the_form_for_doubles_agrees():
    p, q = law([1, 2]), law([2, 1])
    cost = np.array([[0.0, 1.0], [1.0, 0.0]])
    contains(transport_between(p, q, cost, cost), F(1, 3))


# --- nothing is believed of the linear program ----------------------------------------------


def test_a_bad_proposal_gives_a_wide_enclosure_and_never_a_wrong_one(monkeypatch):
    rng = random.Random(0)
    p, q = law([5, 3, 2]), law([1, 1, 1, 1])
    x, y = [F(0), F(1, 2), F(1)], [F(0), F(1, 4), F(1, 2), F(3, 4)]
    cost = [[abs(a - b) for b in y] for a in x]
    value = on_the_line(p, x, q, y)
    widths = []
    for _ in range(50):
        plan = {
            (rng.randrange(3), rng.randrange(4)): F(rng.randint(0, 64), 64)
            for _ in range(rng.randint(0, 12))
        }
        potential = tuple(rng.uniform(-1, 1) for _ in p)
        bad = Proposal(plan=plan, potential=potential)
        monkeypatch.setattr(transport, "propose", lambda *_, bad=bad: bad)
        low, high = ends(transport_enclosure(p, q, cost))
        assert low <= value <= high
        widths.append(high - low)
    assert max(widths) > F(1, 10)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_every_plan_has_exactly_the_sums_of_its_laws(data):
    p, q = law(data.draw(weights)), law(data.draw(weights))
    pairs = st.tuples(st.integers(0, len(p) - 1), st.integers(0, len(q) - 1))
    masses = st.fractions(F(0), F(1), max_denominator=64)
    plan = exact_plan(data.draw(st.dictionaries(pairs, masses)), p, q)
    assert all(mass > 0 for mass in plan.values())
    for i, want in enumerate(p):
        assert sum((mass for (a, _), mass in plan.items() if a == i), F(0)) == want
    for j, want in enumerate(q):
        assert sum((mass for (_, b), mass in plan.items() if b == j), F(0)) == want


def test_a_plan_along_a_tree_is_settled_by_the_tree():
    p, q = law([1, 1]), law([1, 3])
    plan = exact_plan({(0, 0): F(9), (0, 1): F(9), (1, 1): F(9)}, p, q)
    assert plan == {(0, 0): F(1, 4), (0, 1): F(1, 4), (1, 1): F(1, 2)}


def test_a_rational_law_beside_an_enclosed_one():
    exact = law([1, 2, 4])
    assert rational_law(exact) == tuple(exact)
    near = rational_law([ball(p) for p in exact])
    assert sum(near) == 1
    assert all(abs(a - b) < F(1, 2**60) for a, b in zip(near, exact, strict=True))


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "cost", "problem"),
    [
        ([F(1, 2)], [F(1)], [[F(0)]], "probabilities sum to 1/2"),
        ([F(2), F(-1)], [F(1)], [[F(0)], [F(0)]], "a probability is negative"),
        ([F(1)], [F(1)], [[F(0), F(0)]], "costs are needed for 1 times 1"),
        ([F(1)], [F(1)], [], "costs are needed for 1 times 1"),
        ([], [], [], "at least one of each"),
    ],
)
def test_malformed_arguments_are_refused(first, second, cost, problem):
    with pytest.raises(ValueError, match=problem):
        transport_enclosure(first, second, cost)


def test_too_many_points_and_costs_that_are_not_enclosed_are_not_enclosed():
    many = law([1] * 150)
    zeros = np.zeros((150, 150))
    with pytest.raises(NotEnclosed, match="more than 20000 pairs"):
        transport_between(many, many, zeros, zeros)
    with pytest.raises(NotEnclosed, match="a cost of transport is not enclosed"):
        transport_enclosure([F(1)], [F(1)], [[exact_ball(float("inf"))]])
    with pytest.raises(NotEnclosed, match="too widely"):
        rational_law([interval(ball(-1), ball(0))])


def test_a_program_without_solution_is_not_enclosed(monkeypatch):
    class Nothing:
        x = None
        message = "for a test"

    monkeypatch.setattr(optimize, "linprog", lambda *_, **__: Nothing())
    with pytest.raises(NotEnclosed, match="for a test"):
        transport_enclosure(law([1, 2]), law([2, 1]), [[F(0), F(1)], [F(1), F(0)]])


def test_one_point_needs_no_program(monkeypatch):
    monkeypatch.setattr(optimize, "linprog", None)
    found = transport_enclosure([F(1)], law([1, 2, 0]), [[F(3), F(1), F(9)]])
    contains(found, F(5, 3))


def test_bounds_leave_as_doubles_in_order():
    found = transport_enclosure(law([1, 2]), law([2, 1]), [[F(0), F(1)], [F(1), F(0)]])
    assert lower_double(found.lower) <= upper_double(found.upper)
