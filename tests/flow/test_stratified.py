"""The stratified network against doubles, against a network that has its units, and its mirror."""

from __future__ import annotations

import dataclasses
import random
from fractions import Fraction

import numpy as np
import pytest

from tests.support.stratified import train
from verification import gallery
from verification.enclosure.balls import ball, end_points, precision
from verification.flow.stratified import (
    Course,
    few_mirrored_units,
    linear_outputs,
    mirrored_units,
    reflected_units,
    squared_feature,
    stratified_outputs,
)
from verification.instance import ActivationSpec, Atom, AtomicLaw, Instance, Training
from verification.kernel.limiting import kernel, point
from verification.markov.chain import sample_path
from verification.recurrent.law import has_no_odd_moments_of_c
from verification.recurrent.network import Trainer, Units
from verification.recurrent.network_balls import ball_rates

F = Fraction
TRAINING = Training(alpha=F(3), beta=F(7, 10), gamma=F(1, 10), horizon=F(1))


def load(name: str, activation: str = "logistic", **changes) -> Instance:
    instance = gallery.load(name)
    assert isinstance(instance, Instance)
    named = ActivationSpec.named(activation)
    return dataclasses.replace(instance, activation=named, training=TRAINING, **changes)


def units(dimension: int) -> AtomicLaw:
    """Units of three kinds, all dependent, in eighths."""
    w = [tuple(F(k + j, 3) for j in range(dimension)) for k in (-2, 1, 3)]
    return AtomicLaw(
        atoms=(
            Atom(p=F(1, 2), c=F(-1), w=w[0], b=F(1, 2)),
            Atom(p=F(1, 4), c=F(3, 2), w=w[1], b=F(-1, 4)),
            Atom(p=F(1, 4), c=F(1, 3), w=w[2], b=F(3, 4)),
        )
    )


def course(instance: Instance, law: AtomicLaw, width: int, steps: int) -> Course:
    word = sample_path(instance.chain, instance.chain.initial, steps, random.Random(5))
    places = (point(instance, 0, F(1, 5)), point(instance, instance.chain.n_states - 1, F(-2, 3)))
    return Course(law=law, width=width, word=word, points=places)


def middle(x) -> float:
    low, high = end_points(x)
    return float((low + high) / 2)


@pytest.mark.parametrize("activation", ["tanh", "logistic", "erf", "arctan", "sin"])
@pytest.mark.parametrize("name", ["rain-tel-aviv", "two-dimensional"])
def test_it_agrees_with_a_plain_transcription(name, activation):
    instance = load(name, activation)
    law = units(len(instance.chain.inputs[0]))
    seen_from = course(instance, law, 16, 40)
    with precision(128):
        network, linear = (
            stratified_outputs(instance, seen_from),
            linear_outputs(instance, seen_from),
        )
        ends = [end_points(value) for row in network.outputs + linear.outputs for value in row]
    radius = max(high - low for low, high in ends)
    assert radius < F(1, 2**90)
    for j, place in enumerate(seen_from.points):
        seen = train(instance, law, 16, seen_from.word, place)
        # 40 steps of a few roundings each; the activations of the doubles err by a few ulp.
        np.testing.assert_allclose(
            [middle(row[j]) for row in network.outputs], seen.outputs, rtol=0, atol=1e-12
        )
        np.testing.assert_allclose(
            [middle(row[j]) for row in linear.outputs], seen.linear, rtol=0, atol=1e-12
        )
    np.testing.assert_allclose([middle(v) for v in network.memories], seen.memories, atol=1e-13)
    np.testing.assert_allclose([middle(e) for e in network.errors], seen.errors, atol=1e-12)
    np.testing.assert_allclose(
        [middle(v) for v in linear.memories], seen.frozen_memories, atol=1e-13
    )


def test_it_is_the_network_that_has_each_kind_of_unit_in_its_share():
    instance = load("rain-tel-aviv")
    seen_from = course(instance, units(1), 8, 30)
    with precision(64):
        network = stratified_outputs(instance, seen_from)
    copies = [atom for atom in seen_from.law.atoms for _ in range(int(8 * atom.p))]
    trainer = Trainer(
        instance,
        Units(
            output=np.array([float(a.c) for a in copies]),
            input=np.array([[float(a.w[0]) for a in copies]]),
            feedback=np.array([float(a.b) for a in copies]),
        ),
    )
    trainer.run(np.array(seen_from.word))
    inputs = np.array([[float(x) for x in place.input] for place in seen_from.points])
    memories = np.array([float(place.memory) for place in seen_from.points])
    np.testing.assert_allclose(
        [middle(x) for x in network.outputs[-1]], trainer.output(inputs, memories), atol=1e-12
    )
    assert middle(network.memories[-1]) == pytest.approx(trainer.memory, abs=1e-13)


@pytest.mark.parametrize("name", ["rain-tel-aviv", "two-dimensional"])
def test_eps_and_c_with_both_signs_changed_give_the_same_outputs(name):
    instance = load(name)
    law = units(len(instance.chain.inputs[0]))
    seen_from = course(instance, law, 16, 30)
    mirror = dataclasses.replace(seen_from, law=reflected_units(law))
    with precision(128):
        ours = stratified_outputs(instance, seen_from)
        theirs = stratified_outputs(instance, mirror, reflected=True)
        other = stratified_outputs(instance, seen_from, reflected=True)
        for mine, same in zip(ours.outputs, theirs.outputs, strict=True):
            assert all((a - b).contains(0) for a, b in zip(mine, same, strict=True))
    # One sign alone changes them.
    assert abs(middle(ours.outputs[-1][0]) - middle(other.outputs[-1][0])) > 1e-3


def test_the_linear_recursion_is_that_of_the_kernel():
    """L as a sum of kernels along the path, K from `verification.kernel.limiting`."""
    instance = load("rain-tel-aviv")
    seen_from = course(instance, units(1), 16, 12)
    with precision(128):
        linear = linear_outputs(instance, seen_from)
        step = ball_rates(instance, 16).step
        path = [
            point(instance, state, memory)
            for state, memory in zip(seen_from.word, linear.memories, strict=False)
        ]
        for j, place in enumerate(seen_from.points):
            value = ball(0)
            for error, where in zip(linear.errors, path, strict=True):
                value = value - step * error * kernel(
                    instance.activation, seen_from.law, where, place
                )
            assert (value - linear.outputs[-1][j]).contains(0)
            assert end_points(abs(value))[0] > F(1, 100)
            own = kernel(instance.activation, seen_from.law, place, place)
            assert (own - squared_feature(instance, seen_from.law, place)).contains(0)


def test_mirrored_units_have_no_odd_moments():
    law = units(1)
    assert not has_no_odd_moments_of_c(law)
    assert has_no_odd_moments_of_c(mirrored_units(law))
    drawn = few_mirrored_units(load("markov-onegin"), 4, random.Random(1))
    assert len(drawn.atoms) == 8
    assert has_no_odd_moments_of_c(drawn)
    assert sum(atom.p for atom in drawn.atoms) == 1


def test_the_third_moment_and_the_dependence_on_weights_count():
    skewed = [(F(2, 3), F(-1)), (F(1, 3), F(2))]
    law = AtomicLaw(atoms=tuple(Atom(p=p, c=c, w=(F(1),), b=F(0)) for p, c in skewed))
    assert not has_no_odd_moments_of_c(law)
    apart = AtomicLaw(atoms=tuple(Atom(p=F(1, 2), c=c, w=(c,), b=F(0)) for c in (F(1), F(-1))))
    assert not has_no_odd_moments_of_c(apart)
