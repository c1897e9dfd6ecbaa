"""The checker's laws on a grid of memories, against all paths, linear programs and the solver."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from itertools import pairwise, product
from math import prod

import numpy as np
import pytest
from certificates import LOPSIDED, instance_named, made
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from verification import gallery
from verification.certificate.check import reading
from verification.certificate.check.claims.ergodicity_claims import read_joint
from verification.certificate.check.instances import read_instance
from verification.certificate.check.markov.chains import Chain
from verification.certificate.check.numbers.balls import ball, bounds, lower, precision
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.recurrent.joint_laws import BITS, Grid, Law
from verification.certificate.check.recurrent.memory import Memory
from verification.certificate.check.recurrent.sensitivity import _Search, input_sensitivity
from verification.markov.finite import stationary_law
from verification.recurrent.law import mean_b

ONE = 1 << BITS
SPACING = Fraction(1, 400)


def parts_of(name):
    subject = instance_named(name)
    instance = read_instance(reading.parse(json.dumps(subject.to_json())), Budget())
    chain = Chain(instance, tuple(stationary_law(subject.chain)), Budget())
    with precision(64):
        return subject, chain, Memory(instance, Budget())


def evenly(memory):
    """Return a grid of equal spacing over all memories."""
    with precision(64):
        reach = int(float(memory.bound().abs_upper()) / SPACING) + 1
    return [k * SPACING for k in range(-reach, reach + 1)]


def memory_map(subject, point, value):
    """Return Phi(x, v) in doubles, by a sum over atoms or a Gauss-Hermite rule."""
    law = subject.law
    if hasattr(law, "atoms"):
        nodes = [(float(atom.w[0] * point[0]), float(atom.p * atom.b)) for atom in law.atoms]
    else:
        roots, weights = np.polynomial.hermite_e.hermegauss(80)
        mean = float(mean_b(law))
        centre, spread = (
            float(sum(m * x for m, x in zip(law.w.mean, point, strict=True))),
            float(law.w.std) * math.hypot(*map(float, point)),
        )
        total = weights.sum()
        nodes = [
            (centre + spread * z, mean * p / total) for z, p in zip(roots, weights, strict=True)
        ]
    return sum(p * activation(subject, node + value) for node, p in nodes)


def activation(subject, t):
    families = {
        "tanh": math.tanh,
        "logistic": lambda u: (1 + math.tanh(u / 2)) / 2,
        "erf": math.erf,
        "arctan": math.atan,
        "sin": math.sin,
    }
    return sum(
        float(term.weight) * families[term.of](float(term.scale) * t + float(term.shift))
        for term in subject.activation.terms
    )


def all_paths(subject, start, memory, steps):
    """Return the law after a number of steps: (state, memory in doubles, probability)."""
    rows = [dict(row) for row in subject.chain.rows]
    found = []
    for rest in product(range(subject.chain.n_states), repeat=steps):
        path = (start, *rest)
        p = prod((rows[i].get(j, Fraction(0)) for i, j in pairwise(path)), start=Fraction(1))
        if p:
            value = float(memory)
            for state in path[:-1]:
                value = memory_map(subject, subject.chain.inputs[state], value)
            found.append((path[-1], value, float(p)))
    return found


def cheapest(first, second, weight):
    """Return the cost of an optimal transport between two laws, by a linear program."""
    costs = [weight * (i != j) + abs(v - w) for i, v, _ in first for j, w, _ in second]
    rows = np.zeros((len(first) + len(second), len(costs)))
    for a, b in product(range(len(first)), range(len(second))):
        rows[[a, len(first) + b], a * len(second) + b] = 1
    masses = [p for _, _, p in (*first, *second)]
    return linprog(costs, A_eq=rows, b_eq=masses, method="highs").fun


@pytest.mark.parametrize("weight", [Fraction(1, 20), Fraction(3)])
@pytest.mark.parametrize("name", ["hidden-state", "rain-tel-aviv", "dependent-b-on-w"])
def test_laws_after_steps_are_as_far_apart_as_all_paths_say(name, weight):
    subject, chain, memory = parts_of(name)
    grid = Grid(chain, memory, evenly(memory))
    starts, laws = ((0, Fraction(1, 8)), (1, Fraction(-1, 9))), []
    with precision(64):
        for state, value in starts:
            law = grid.at([Fraction(i == state) for i in range(chain.size)], value)
            for _ in range(3):
                law = grid.pushed(law)
            laws.append(law)
        found = grid.distance(*laws, weight)
    truth = cheapest(*(all_paths(subject, *start, 3) for start in starts), float(weight))
    assert float(found.lower) - 1e-9 <= truth <= float(found.upper) + 1e-9
    # The start and every step move a memory by half of the spacing at most.
    assert all(0 < law.cost < 3 * SPACING / 2 for law in laws)


def test_the_law_of_a_long_past_is_the_invariant_one():
    """From below and above by laws pushed from both ends of all memories: another algorithm."""
    _, chain, memory = parts_of(LOPSIDED)
    joint = read_joint(
        chain.instance, reading.parse(json.dumps(made("E2", LOPSIDED)["witness"])), Budget()
    )
    law = joint.invariant_law()
    for start in (Fraction(1, 2), Fraction(-1, 2)):
        pushed = joint.law_after(None, start, 40)
        found = joint.laws_grid().distance_of_memories(law, pushed)
        assert found.lower == 0
        assert found.upper < Fraction(1, 100)
    mean = joint.laws_grid().mean_absolute_memory(law)
    truth = joint.laws_grid().mean_absolute_memory(joint.law_after(None, Fraction(0), 40))
    assert max(mean.lower, truth.lower) <= min(mean.upper, truth.upper)
    assert mean.upper - mean.lower < mean.upper / 100
    assert float(memory.bound().abs_upper()) > mean.upper


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_no_witness_makes_a_false_bound(data):
    """Any weights, any grid: what is said of the invariant law is true, if less."""
    _, chain, memory = parts_of("rain-tel-aviv")
    places = data.draw(st.sets(st.integers(-60, 60), min_size=1, max_size=12))
    points = [Fraction(place, 100) for place in sorted(places)]
    weights = [
        data.draw(st.lists(st.integers(0, 9), min_size=len(points), max_size=len(points)))
        for _ in range(chain.size)
    ]
    for row in weights:
        row[0] += 1
    grid, fine = Grid(chain, memory, points), Grid(chain, memory, evenly(memory))
    with precision(64):
        found = grid.mean_absolute_memory(grid.invariant(grid.law(weights)))
        law = fine.at(chain.law, Fraction(0))
        for _ in range(12):
            law = fine.pushed(law)
        truth = fine.mean_absolute_memory(law)
    # After 12 steps a start is forgotten up to q^12 vbar, q = 1/10.
    assert found.lower <= truth.upper + Fraction(1, 10**12)
    assert truth.lower - Fraction(1, 10**12) <= found.upper


masses = st.lists(st.integers(0, 5), min_size=6, max_size=6).filter(any)


@settings(max_examples=60, deadline=None)
@given(masses, masses, st.sampled_from([Fraction(1, 100), Fraction(1, 3), Fraction(2)]))
def test_distances_of_laws_on_a_grid_enclose_the_optimum(first, second, weight):
    _, chain, memory = parts_of("rain-tel-aviv")
    points = [Fraction(-1, 3), Fraction(1, 7), Fraction(2, 5)]
    grid = Grid(chain, memory, points)

    def law(values):
        exact = [value * ONE // sum(values) for value in values]
        exact[values.index(max(values))] += ONE - sum(exact)
        return Law([exact[:3], exact[3:]], Fraction(0), Fraction(0))

    def listed(found):
        return [
            (i, float(v), mass / ONE)
            for i, row in enumerate(found.rows)
            for v, mass in zip(points, row, strict=True)
            if mass
        ]

    one, other = law(first), law(second)
    found = grid.distance(one, other, weight)
    truth = cheapest(listed(one), listed(other), float(weight))
    assert float(found.lower) - 1e-9 <= truth <= float(found.upper) + 1e-9
    here, there = ([sum(row) for row in item.rows] for item in (one, other))
    if sorted(here) == sorted(there) == [0, ONE]:
        assert found.upper - found.lower < Fraction(1, 2**60)
    if all(abs(a - b) < 8 for a, b in zip(here, there, strict=True)) and weight >= 2:
        found = grid.distance_of_memories(one, other)
        assert abs(float(found.upper) - truth) < 1e-9
        assert found.upper - found.lower < Fraction(1, 2**60)


def test_a_grid_that_does_not_increase_is_invalid():
    _, chain, memory = parts_of("rain-tel-aviv")
    with pytest.raises(Invalid, match="does not increase"):
        Grid(chain, memory, [Fraction(1, 2), Fraction(1, 2)])


@pytest.mark.parametrize(
    "name",
    ["markov-onegin", "dependent-b-on-w", "mixture-activation", "two-dimensional", "zero-memory"],
)
def test_the_largest_effect_of_an_input_is_enclosed_tightly(name):
    """From below at 401 memories, between which D cannot hide much."""
    subject, _, memory = parts_of(name)
    with precision(64):
        found = input_sensitivity(memory)
        reach = Fraction(float(memory.bound().abs_lower()))
    values = [
        [memory_map(subject, point, float(reach) * k / 200) for point in set(subject.chain.inputs)]
        for k in range(-200, 201)
    ]
    seen = max(max(row) - min(row) for row in values)
    assert found.upper - found.lower <= found.upper / 2**28
    assert float(seen) <= float(found.upper) * (1 + 1e-12)
    assert float(seen) >= float(found.lower) * 0.9999


def test_equal_inputs_have_no_effect():
    _, _, memory = parts_of("sharp-ergodic")
    with precision(64):
        assert input_sensitivity(memory).upper == 0
    assert gallery.load("sharp-ergodic").chain.n_states == 2


def test_a_grid_of_memories_that_never_occur_is_invalid():
    _, chain, memory = parts_of("rain-tel-aviv")
    with pytest.raises(Invalid, match="never occur"):
        Grid(chain, memory, [Fraction(0), Fraction(5)])


@pytest.mark.parametrize("name", ["markov-onegin", "erf-uniform", "mixture-activation"])
def test_images_that_are_developed_are_those_of_the_map(name):
    _, chain, memory = parts_of(name)
    grid = Grid(chain, memory, evenly(memory))
    fine = Grid(chain, memory, [k * SPACING / 8 for k in range(-800, 800)])
    point = chain.instance.inputs[0]
    with precision(64):
        for some in (grid, fine):
            images = list(some.images(point))
            assert len(images) == len(some.points)
            for place, (low, high) in list(zip(some.points, images, strict=True))[::7]:
                truth = bounds(memory.image(point, ball(Fraction(place, some.unit))))
                assert Fraction(low, some.unit) <= truth.lower
                assert truth.upper <= Fraction(high, some.unit)
                assert Fraction(high - low, some.unit) < Fraction(1, 10**6)


@given(st.integers(0, 63), st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_a_cell_is_bounded_by_what_the_map_may_do_there(k, halvings):
    """Also on cells so wide that the second derivative is what matters."""
    _, chain, memory = parts_of("markov-onegin")
    pair = tuple(dict.fromkeys(chain.instance.inputs))
    width = Fraction(4, 2**halvings)
    low = Fraction(k, 16) - 2
    with precision(64):
        search = _Search(memory)
        search.look(low, low + width, [pair])
        bound = -search.cells[0][0] if search.cells else search.best
        for j in range(17):
            place = ball(low + j * width / 16)
            apart = abs(memory.image(pair[0], place) - memory.image(pair[1], place))
            assert lower(apart) <= bound
