"""Features in double precision: Gram matrices lie within their proved error of the balls."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from verification import gallery
from verification.enclosure.balls import end_points, exact_ball, precision
from verification.errors import InvalidInstance, NotEnclosed
from verification.instance import (
    SCHEMA,
    ActivationSpec,
    Atom,
    AtomicLaw,
    Constant,
    Instance,
    Normal,
    ProductLaw,
    Uniform,
)
from verification.kernel.features import gram_doubles, kernel_features, kernel_product
from verification.kernel.limiting import Point, kernel
from verification.recurrent.activation_doubles import evaluate, evaluate_both

F = Fraction
FEW_DIMENSIONS = [
    subject.name
    for subject in gallery.load_all(SCHEMA)
    if len(subject.to_json()["chain"]["inputs"][0]) < 3
]


def at(x, v) -> Point:
    return Point(input=tuple(F(float(entry)) for entry in x), memory=F(float(v)))


def largest_gap(instance, inputs, memory, matrix, pairs) -> float:
    gap = 0.0
    with precision(96):
        for a, b in pairs:
            exact = kernel(
                instance.activation,
                instance.law,
                at(inputs[a], memory[a]),
                at(inputs[b], memory[b]),
            )
            gap = max(gap, float(end_points(abs(exact_ball(float(matrix[a, b])) - exact))[1]))
    return gap


def named(activation: str, law, name: str = "markov-onegin") -> Instance:
    template = gallery.load(name)
    assert isinstance(template, Instance)
    return Instance(
        name="x", chain=template.chain, activation=ActivationSpec.named(activation), law=law
    )


@pytest.mark.parametrize("name", FEW_DIMENSIONS)
def test_gram_matrix_is_within_its_error_of_the_balls_and_the_error_is_small(name):
    instance = gallery.load(name)
    assert isinstance(instance, Instance)
    rng = np.random.default_rng(len(name))
    inputs = rng.uniform(-1, 1, (8, instance.chain.dimension))
    memory = rng.uniform(-1, 1, 8)
    matrix, error = gram_doubles(instance, inputs, memory)
    pairs = [(0, 0), (0, 1), (2, 5), (7, 3)]
    gap = largest_gap(instance, inputs, memory, matrix, pairs)
    assert gap <= error
    assert error < 2e-12
    np.testing.assert_array_equal(matrix, matrix.T)


@pytest.mark.parametrize("spread", [1e-3, 1.0, 6.0])
@pytest.mark.parametrize("activation", ["tanh", "logistic", "erf", "arctan", "sin"])
def test_error_covers_inputs_of_every_size(activation, spread):
    law = ProductLaw(
        c=Uniform(low=(F(-2),), high=(F(1),)),
        w=Normal(mean=(F(1, 3),), std=F(4, 5)),
        b=Constant(value=(F(1, 2),)),
    )
    instance = named(activation, law)
    rng = np.random.default_rng(3)
    inputs, memory = rng.normal(0, spread, (5, 1)), rng.normal(0, spread, 5)
    matrix, error = gram_doubles(instance, inputs, memory)
    pairs = [(i, j) for i in range(5) for j in range(i + 1)]
    assert largest_gap(instance, inputs, memory, matrix, pairs) <= error
    # A rounding a feature in the sum, and a few of the arguments, which are up to |x| |W| in size
    # with |W| below 10; the largest squared feature is the scale.
    features = kernel_features(instance, inputs, memory)
    size = 1 + np.abs(inputs).max() ** 2
    roundings = features.values.shape[1] + 32 * (1 + 10 * np.abs(inputs).max())
    assert error < 2 * roundings * 2.0**-53 * size * np.pi**2 / 4


def test_weights_of_atoms_carry_their_own_mean_of_squares():
    atoms = (
        Atom(p=F(1, 3), c=F(2), w=(F(1), F(0)), b=F(0)),
        Atom(p=F(1, 3), c=F(0), w=(F(1), F(0)), b=F(0)),
        Atom(p=F(1, 3), c=F(-1), w=(F(1, 7), F(3)), b=F(0)),
    )
    instance = named("tanh", AtomicLaw(atoms=atoms), "two-dimensional")
    inputs, memory = np.array([[0.5, 1.0], [-1.0, 0.25]]), np.array([0.1, -0.3])
    matrix, error = gram_doubles(instance, inputs, memory)
    assert kernel_features(instance, inputs, memory).values.shape == (2, 6)
    direct = np.zeros((2, 2))
    for atom in atoms:
        u = inputs @ np.array([float(w) for w in atom.w]) + memory
        slope = 1 / np.cosh(u) ** 2
        direct += np.outer(np.tanh(u), np.tanh(u)) / 3
        direct += float(atom.c) ** 2 / 3 * np.outer(slope, slope) * (inputs @ inputs.T)
    np.testing.assert_allclose(matrix, direct, atol=1e-14, rtol=0)
    assert largest_gap(instance, inputs, memory, matrix, [(0, 0), (0, 1), (1, 1)]) <= error < 1e-13


def test_product_with_the_kernel_needs_no_matrix():
    instance = gallery.load("markov-onegin")
    assert isinstance(instance, Instance)
    rng = np.random.default_rng(0)
    inputs, memory = rng.uniform(-1, 1, (900, 1)), rng.uniform(-0.5, 0.5, 900)
    features = kernel_features(instance, inputs, memory)
    vector = rng.normal(size=900)
    values, error = kernel_product(features, vector)
    matrix, entry_error = gram_doubles(instance, inputs, memory)
    # Summed almost exactly, in extended precision or by exact pairs of doubles.
    truth = np.array(
        [
            float(sum((F(a) * F(b) for a, b in zip(row, vector, strict=True)), F(0)))
            for row in matrix[:5]
        ]
    )
    assert np.abs(values[:5] - truth).max() <= error + entry_error * np.abs(vector).sum()
    assert error < 1e-9


@pytest.mark.parametrize("activation", ["tanh", "logistic", "erf", "arctan", "sin"])
def test_both_derivatives_at_once_are_the_same_to_the_last_bit(activation):
    t = np.concatenate([np.linspace(-40, 40, 4001), [0.0, 1e-300, -1e-17]])
    spec = ActivationSpec.named(activation)
    value, slope = evaluate_both(spec, t.copy())
    np.testing.assert_array_equal(value, evaluate(spec, 0, t.copy()))
    np.testing.assert_array_equal(slope, evaluate(spec, 1, t.copy()))


def test_both_derivatives_of_a_mixture_are_the_same_to_the_last_bit():
    instance = gallery.load("mixture-activation")
    assert isinstance(instance, Instance)
    t = np.linspace(-9, 9, 1001)
    value, slope = evaluate_both(instance.activation, t.copy())
    np.testing.assert_array_equal(value, evaluate(instance.activation, 0, t.copy()))
    np.testing.assert_array_equal(slope, evaluate(instance.activation, 1, t.copy()))


@pytest.mark.parametrize(
    ("inputs", "memory", "field"),
    [
        (np.zeros((2, 2)), np.zeros(2), "inputs"),
        (np.zeros((2, 1)), np.zeros(3), "memory"),
        (np.zeros((2, 1), dtype=np.float32), np.zeros(2), "inputs"),
        (np.array([[0.0], [np.nan]]), np.zeros(2), r"inputs\[1,0\]|inputs\[1\]\[0\]"),
        (np.zeros((2, 1)), np.array([0.0, np.inf]), r"memory\[1\]"),
    ],
)
def test_malformed_points_are_refused_with_the_entry(inputs, memory, field):
    instance = gallery.load("markov-onegin")
    assert isinstance(instance, Instance)
    with pytest.raises(InvalidInstance, match=field):
        kernel_features(instance, inputs, memory)


def test_points_beyond_the_measured_range_are_refused():
    instance = gallery.load("markov-onegin")
    assert isinstance(instance, Instance)
    with pytest.raises(NotEnclosed, match="double precision"):
        kernel_features(instance, np.array([[1e200]]), np.zeros(1))


def test_too_many_dimensions_are_refused_with_the_reason():
    instance = gallery.load("seattle-weather")
    assert isinstance(instance, Instance)
    with pytest.raises(NotEnclosed, match="features"):
        kernel_features(instance, np.ones((1, instance.chain.dimension)), np.zeros(1))


def test_no_points_give_an_empty_matrix():
    instance = gallery.load("markov-onegin")
    assert isinstance(instance, Instance)
    matrix, error = gram_doubles(instance, np.zeros((0, 1)), np.zeros(0))
    assert matrix.shape == (0, 0)
    assert error >= 0
