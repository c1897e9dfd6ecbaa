"""The mean square distance of the memory of N units, against brute force and by drawing."""

from __future__ import annotations

import dataclasses
import itertools
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from verification import gallery
from verification.enclosure.balls import end_points, precision
from verification.errors import NotEnclosed
from verification.instance import AtomicLaw, Constant, Instance
from verification.recurrent.finite_memory import (
    is_summable,
    square_distance,
    unit_kinds,
)
from verification.recurrent.finite_memory_draws import square_distance_draws
from verification.recurrent.network import draw_units

F = Fraction
SIGMA = {
    "tanh": mpmath.tanh,
    "logistic": lambda t: 1 / (1 + mpmath.exp(-t)),
    "arctan": mpmath.atan,
}


def load(name: str) -> Instance:
    instance = gallery.load(name)
    assert isinstance(instance, Instance)
    return instance


def number(q: Fraction) -> mpmath.mpf:
    return mpmath.mpf(q.numerator) / q.denominator


def brute_force(instance: Instance, width: int, word) -> mpmath.mpf:
    """Sum over all tuples of atoms, one after the other."""
    assert isinstance(instance.law, AtomicLaw)
    sigma = SIGMA[instance.activation.label]

    def step(units, x, v):
        return sum(
            number(share * atom.b)
            * sigma(number(sum(a * b for a, b in zip(atom.w, x, strict=True))) + v)
            for atom, share in units
        )

    limit = mpmath.mpf(0)
    for state in word:
        limit = step([(a, a.p) for a in instance.law.atoms], instance.chain.inputs[state], limit)
    total = mpmath.mpf(0)
    for draw in itertools.product(instance.law.atoms, repeat=width):
        memory, mass = mpmath.mpf(0), F(1)
        for state in word:
            units = [(atom, F(1, width)) for atom in draw]
            memory = step(units, instance.chain.inputs[state], memory)
        for atom in draw:
            mass *= atom.p
        total += number(mass) * (memory - limit) ** 2
    return total


@pytest.mark.parametrize("width", [1, 2, 4])
@pytest.mark.parametrize("word", [(0,), (1, 0, 1)])
@pytest.mark.parametrize("name", ["dependent-b-on-w", "sharp-finite-memory", "zero-memory-atoms"])
def test_all_draws_are_summed(name, width, word):
    instance = load(name)
    with mpmath.workdps(40):
        exact = brute_force(instance, width, word)
        with precision(96):
            low, high = end_points(square_distance(instance, width, word))
        assert number(low) <= exact + mpmath.mpf(10) ** -38
        assert exact <= number(high) + mpmath.mpf(10) ** -38
        assert high - low <= F(1, 10**24)


def test_kinds_merge_what_the_inputs_do_not_tell_apart():
    rain = load("rain-tel-aviv")
    inputs = list(dict.fromkeys(rain.chain.inputs))
    kinds = unit_kinds(rain.law, inputs)
    # 18 atoms, of which three at a time differ in C alone.
    assert kinds is not None
    assert len(kinds) == 6
    assert sum((kind.p for kind in kinds), F(0)) == 1
    assert unit_kinds(load("markov-onegin").law, inputs) is None


@pytest.mark.parametrize("name", ["rain-tel-aviv", "dependent-b-on-w"])
def test_draws_have_the_mean_of_the_exact_sum(name):
    instance = load(name)
    word = (0, 1)
    with precision(96):
        exact = float(end_points(square_distance(instance, 3, word))[0])
    draws = square_distance_draws(instance, 3, word)
    values = draws(np.random.default_rng(5), 40_000)
    assert values.shape == (40_000,)
    assert values.min() >= 0
    assert values.max() <= float(draws.largest)
    # Six standard deviations.
    assert abs(values.mean() - exact) <= 6 * values.std() / 200 + float(draws.bias)
    assert 0 < draws.bias < F(1, 10**12)


def test_draws_are_the_recursion_on_the_units_that_are_drawn():
    """The bias bound covers the roundings: the same units in 40 digits."""
    instance = load("two-dimensional")
    word, width = (0, 2, 1), 5
    draws = square_distance_draws(instance, width, word)
    value = float(draws(np.random.default_rng(8), 1)[0])
    units = draw_units(instance.law, width, np.random.default_rng(8))
    with mpmath.workdps(40):
        memory = mpmath.mpf(0)
        for state in word:
            x = [number(q) for q in instance.chain.inputs[state]]
            memory = (
                sum(
                    mpmath.mpf(units.feedback[j])
                    * mpmath.tanh(
                        sum(mpmath.mpf(units.input[k, j]) * x[k] for k in range(2)) + memory
                    )
                    for j in range(width)
                )
                / width
            )
        exact = (memory - mpmath.mpf(draws.limit)) ** 2
        assert abs(exact - value) <= number(draws.bias)


def test_too_many_draws_are_refused():
    assert not is_summable(load("rain-tel-aviv"), 64, (0, 1))
    with pytest.raises(NotEnclosed, match="too many ways"):
        square_distance(load("rain-tel-aviv"), 64, (0, 1))
    with pytest.raises(NotEnclosed, match="too many ways"):
        square_distance(load("markov-onegin"), 2, (0,))


def test_units_that_need_not_contract_are_not_drawn():
    with pytest.raises(NotEnclosed, match="not certainly below 1"):
        square_distance_draws(load("sharp-slope"), 4, (0,))


def test_constant_units_are_one_kind():
    instance = load("markov-onegin")
    law = dataclasses.replace(instance.law, w=Constant(value=(F(1),)), b=Constant(value=(F(1, 2),)))
    fixed = dataclasses.replace(instance, law=law)
    with precision(64):
        assert square_distance(fixed, 7, (0, 1, 1)).contains(0)
