"""M6: sharp, refutable, recognised where it is true of nothing, and true of random instances."""

from __future__ import annotations

import dataclasses
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, event, given, settings

from theorems.finite_width_memory import (
    M6,
    Frozen,
    distance,
    distance_bound,
    frozen_networks,
)
from verification import gallery
from verification.campaign import strategies
from verification.decision import decide
from verification.enclosure.balls import ball, end_points, precision
from verification.instance import AtomicLaw, Instance
from verification.recurrent.finite_memory import is_summable
from verification.recurrent.memory import memory_bound
from verification.recurrent.network import draw_units
from verification.recurrent.unit_spread import spread_of_units, variance_of_units
from verification.statistics.simulation import Simulation
from verification.verdict import Verdict

F = Fraction
FEWER = settings(max_examples=max(10, settings.default.max_examples // 2))


def load(name: str) -> Instance:
    instance = gallery.load(name)
    assert isinstance(instance, Instance)
    return instance


def middle(x) -> float:
    low, high = end_points(x)
    return float((low + high) / 2)


@pytest.mark.parametrize(("width", "length"), [(2, 1), (16, 30), (64, 30)])
def test_it_is_nearly_an_equality_for_short_and_long_words(width, length):
    instance = load("sharp-finite-memory")
    case = Frozen(width=width, word=(0, 1) * (length // 2) or (0,))
    with precision(64):
        left, right = distance(instance, case), distance_bound(instance, case)
        ratio = middle(left) / middle(right.upper)
    assert 0.998 < ratio <= 1


def test_the_gallery_instance_is_certified_and_tight():
    result = decide(M6, load("sharp-finite-memory"))
    assert result.verdict is Verdict.CERTIFIED
    assert result.tightness is not None
    assert result.tightness > 0.9999


@pytest.mark.parametrize("mutant", M6.mutants, ids=lambda mutant: mutant.name)
def test_mutants_are_refuted(mutant):
    for name in mutant.refuted_on:
        assert decide(M6, load(name), mutant=mutant).verdict is Verdict.REFUTED


@pytest.mark.parametrize("name", ["sharp-forgetting", "constant-weights"])
def test_units_that_all_speak_alike_are_vacuous(name):
    result = decide(M6, load(name))
    assert result.verdict is Verdict.VACUOUS
    assert "nothing is random" in result.reason


@pytest.mark.parametrize(
    ("name", "value"), [("sharp-slope", "qbar = 1"), ("expanding", "qbar = 3")]
)
def test_units_that_need_not_contract_are_inapplicable_with_the_value(name, value):
    result = decide(M6, load(name))
    assert result.verdict is Verdict.INAPPLICABLE
    assert value in result.reason


def test_continuous_laws_are_simulated_and_say_what_would_have_shown():
    instance = load("markov-onegin")
    case = frozen_networks(instance, random.Random(1))[0]
    assert isinstance(distance(instance, case), Simulation)
    result = decide(M6, instance)
    assert result.verdict is Verdict.SUPPORTED
    assert result.evidence is not None
    assert result.evidence.samples
    assert "would likely have been refuted" in result.reason


@pytest.mark.parametrize("name", ["rain-tel-aviv", "markov-onegin", "two-dimensional-uniform"])
def test_spread_is_the_largest_deviation_on_a_fine_grid(name):
    instance = load(name)
    rng = np.random.default_rng(2)
    with precision(64):
        spread = spread_of_units(instance)
        reach = F(middle(ball(memory_bound(instance))))
        grid = max(
            middle(variance_of_units(instance, state, ball(reach * F(k, 12))))
            for state in range(instance.chain.n_states)
            for k in range(-12, 13)
        )
        # Where the supremum is at an end of the interval the grid falls short of it.
        assert grid**0.5 <= middle(spread.upper) * (1 + 1e-9)
        assert middle(spread.upper) <= grid**0.5 * 1.01
        assert middle(spread.upper) - middle(spread.lower) <= 1e-12
    # The variance itself, by drawing units.
    units = draw_units(instance.law, 400_000, rng)
    x = np.array([float(q) for q in instance.chain.inputs[0]])
    u = x @ units.input + 0.1
    sigma = {"logistic": lambda t: 1 / (1 + np.exp(-t)), "tanh": np.tanh}[instance.activation.label]
    values = units.feedback * sigma(u)
    with precision(64):
        exact = middle(variance_of_units(instance, 0, ball(F(1, 10))))
    fourth = ((values - values.mean()) ** 4).mean()
    assert abs(values.var() - exact) <= 6 * np.sqrt(fourth / len(values))


@FEWER
@given(strategies.instances(law_kinds=("atoms",), every_unit=True, max_states=4, moderate=True))
def test_no_random_instance_refutes_it(instance):
    assert isinstance(instance.law, AtomicLaw)
    few = AtomicLaw(atoms=instance.law.atoms[:3])
    total = sum((atom.p for atom in few.atoms), F(0))
    atoms = tuple(dataclasses.replace(atom, p=atom.p / total) for atom in few.atoms)
    instance = dataclasses.replace(instance, law=AtomicLaw(atoms=atoms))
    assume(is_summable(instance, 2, (0,)))
    result = decide(M6, instance, precisions=(64, 128))
    event(str(result.verdict))
    assert result.verdict in {Verdict.CERTIFIED, Verdict.VACUOUS, Verdict.INAPPLICABLE}
