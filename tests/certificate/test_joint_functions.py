"""Functions of state and memory on the checker's grid, against all paths of a closed form."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import pairwise, product
from math import prod, tanh

import pytest
from certificates import LOPSIDED_FADING, instance_named

from verification.certificate.check import reading
from verification.certificate.check.instances import read_instance
from verification.certificate.check.markov.chains import Chain
from verification.certificate.check.numbers.balls import precision
from verification.certificate.check.outcome import Budget, Refused
from verification.certificate.check.recurrent.joint_functions import (
    ONE,
    JointFunctions,
    cells_within,
    memory_sum,
    moments,
)
from verification.certificate.check.recurrent.memory import Memory
from verification.markov.finite import stationary_law

B, W = 0.3, 0.6
CELLS = 512


@pytest.fixture(scope="module")
def functions():
    """Return functions on a grid of an instance with the memory map ``B tanh(W x + v)``."""
    subject = instance_named(LOPSIDED_FADING)
    document = subject.to_json()
    document["activation"] = {"kind": "tanh"}
    document["law"]["W"] = {"kind": "constant", "value": [str(W)]}
    document["law"]["B"] = {"kind": "constant", "value": str(B)}
    instance = read_instance(reading.parse(json.dumps(document)), Budget())
    chain = Chain(instance, tuple(stationary_law(subject.chain)), Budget())
    with precision(64):
        return JointFunctions(chain, Memory(instance, Budget()), Fraction(3, 10), CELLS)


def all_paths(functions, state, place, steps):
    """Yield probabilities, states and memories, in units of the reach, of all paths."""
    instance = functions.chain.instance
    rows = [dict(row) for row in instance.rows]
    for rest in product(range(len(rows)), repeat=steps - 1):
        path = (state, *rest)
        memories = [functions.points[place] / ONE]
        for i in path[:-1]:
            memories.append(tanh(W * float(instance.inputs[i][0]) + B * memories[-1]))
        yield float(prod(rows[i].get(j, 0) for i, j in pairwise(path))), path, memories


PLACES = (0, 100, CELLS // 2 + 1, CELLS)


@pytest.mark.parametrize("terms", [1, 2, 6])
def test_a_sum_of_memories_is_the_mean_over_all_paths(functions, terms):
    found = memory_sum(functions, terms)
    assert found.error < Fraction(1, 10**5)
    for state, place in product(range(2), PLACES):
        paths = list(all_paths(functions, state, place, terms + 1))
        truth = sum(p * sum(memories[:-1]) for p, _, memories in paths)
        assert abs(found.rows[state][place] / ONE - truth) <= float(found.error) + 1e-14
        middle = list(all_paths(functions, state, CELLS // 2, terms + 1))
        left = sum(p * memories[-1] for p, _, memories in middle)
        assert abs(float(found.left[state]) - left) <= float(found.left_error) + 1e-14
    assert float(found.fading) == pytest.approx(B**terms)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_moments_are_means_over_all_paths(functions, steps):
    levels, centre = (Fraction(1, 3), Fraction(-2)), Fraction(1, 8)
    found = moments(functions, int(centre * ONE), levels, steps)
    assert max(found.square_error, found.product_error) < Fraction(1, 10**3)
    for state, place in product(range(2), PLACES):
        square = mixed = 0.0
        for p, path, memories in all_paths(functions, state, place, steps):
            total = sum(x - float(centre) for x in memories)
            square += p * total * total
            mixed += p * total * sum(float(levels[i]) for i in path)
        assert abs(found.square[state][place] / ONE - square) <= float(found.square_error) + 1e-14
        assert abs(found.product[state][place] / ONE - mixed) <= float(found.product_error) + 1e-14


def test_slopes_and_curvatures_are_bounded(functions):
    """By differences of a sum along each path, and not by far more."""
    h, steepest, most = 2 / CELLS, 0.0, 0.0
    for state, place in product(range(2), range(1, CELLS, 9)):
        there = [list(all_paths(functions, state, place + k, 6)) for k in (-1, 0, 1)]
        for low, middle, high in zip(*there, strict=True):
            a, b, c = (sum(memories) for _, _, memories in (low, middle, high))
            steepest, most = max(steepest, abs(c - a) / 2 / h), max(most, abs(a + c - 2 * b) / h**2)
    assert 0.8 * float(functions.slope) < steepest <= float(functions.slope)
    assert 0.5 * float(functions.curvature) < most <= float(functions.curvature) + 1e-6


def test_a_chain_of_too_many_states_is_refused(functions):
    assert cells_within(functions.chain, 10, 10**6) == 4_096
    with pytest.raises(Refused, match="for too long"):
        cells_within(functions.chain, 10**4, 10**6)
