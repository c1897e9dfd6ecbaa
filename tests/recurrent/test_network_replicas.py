"""Many replicas: each is what it is alone, and the largest deviation is that of its own steps."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from verification import gallery
from verification.errors import InvalidInstance
from verification.instance import Instance, Training
from verification.recurrent import network, network_replicas
from verification.recurrent.network import (
    Trainer,
    can_compile,
    draw_path,
    draw_units,
    replica_generators,
    train_replica,
    transitions,
)
from verification.recurrent.network_replicas import largest_deviation, train_replicas

F = Fraction
FIELDS = ("steps", "outputs", "memories", "drifts", "absolute_errors", "squared_errors")
POINTS = [(0, F(1, 5)), (1, F(-1, 3))]


def load(name: str) -> Instance:
    instance = gallery.load(name)
    assert isinstance(instance, Instance)
    training = Training(alpha=F(3), beta=F(7, 10), gamma=F(1, 10), horizon=F(1))
    return instance if instance.training else dataclasses.replace(instance, training=training)


@pytest.fixture(params=["numpy", "compiled"])
def way(request, monkeypatch):
    """Have all training take one way, small networks too."""
    if request.param == "compiled":
        pytest.importorskip("numba")
        monkeypatch.setattr(network, "_MANY_UPDATES", 0)
    else:
        monkeypatch.setattr(network_replicas, "can_compile", lambda: False)
    return request.param


def alone(instance: Instance, width: int, seed: int, replica: int, points, reference, way):
    """Look at one network after each of its steps."""
    for_units, for_path = replica_generators(seed, replica, width)
    units = draw_units(instance.law, width, for_units)
    trainer = Trainer(instance, units, compiled=way == "compiled")
    path = draw_path(instance.chain, len(reference) - 1, for_path)
    inputs = np.array([[float(x) for x in instance.chain.inputs[i]] for i, _ in points])
    memories = np.array([float(v) for _, v in points])
    outputs = [trainer.output(inputs, memories)]
    for state in path:
        trainer.run(np.array([state]))
        outputs.append(trainer.output(inputs, memories))
    return np.abs(np.array(outputs) - reference).max(axis=0)


@pytest.mark.parametrize(
    "name", ["markov-onegin", "two-dimensional", "seattle-weather", "mixture-activation"]
)
@pytest.mark.parametrize("width", [1, 37])
def test_the_largest_deviation_is_that_of_all_steps(name, width, way):
    instance = load(name)
    # Far from the outputs at one step only, which moves through the range.
    for peak in (0, 7, 12, None):
        reference = np.zeros((13, 2))
        if peak is not None:
            reference[peak] = 300, -500
        found = largest_deviation(
            instance, width=width, seed=4, replicas=[3, 1], points=POINTS, reference=reference
        )
        for row, replica in zip(found, (3, 1), strict=True):
            expected = alone(instance, width, 4, replica, POINTS, reference, way)
            # A sum of 37 terms below 1 in another order, thirteen times.
            np.testing.assert_allclose(row, expected, rtol=1e-13)
        assert (found > 200).all() == (peak is not None)


def test_deviations_do_not_depend_on_the_company(way):
    instance = load("two-dimensional")
    reference = np.linspace(0, 1, 42).reshape(21, 2)
    numbers = {"width": 50, "seed": 9, "points": POINTS, "reference": reference}
    together = largest_deviation(instance, replicas=range(23), workers=2, **numbers)
    for some in ([0], [22], [5, 6, 7], [11, 2]):
        found = largest_deviation(instance, replicas=some, **numbers)
        np.testing.assert_array_equal(found, together[some])
    nobody = largest_deviation(instance, replicas=[], **numbers)
    assert nobody.shape == (0, 2)
    assert len(np.unique(together)) == together.size


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("width", [1, 60, 515])
def test_replicas_are_the_same_alone_and_together(width, frozen, way):
    instance = load("two-dimensional")
    options = {"checkpoints": [0, 3, 8, 9], "points": POINTS, "frozen": frozen}
    together = train_replicas(
        instance, width=width, seed=2, replicas=range(7), workers=2, **options
    )
    assert len(together) == 7
    for replica, seen in enumerate(together):
        own = train_replica(instance, width=width, seed=2, replica=replica, **options)
        for field in FIELDS:
            np.testing.assert_array_equal(getattr(seen, field), getattr(own, field))
    assert len({seen.outputs[-1, 0] for seen in together}) == 7


@pytest.mark.parametrize(
    "name", ["markov-onegin", "snakes-and-ladders", "random-dense-50", "seattle-weather"]
)
def test_compiled_paths_are_the_same(name):
    pytest.importorskip("numba")
    chain = load(name).chain
    plain, compiled = (
        draw_path(chain, 3000, np.random.default_rng(5), compiled=compiled)
        for compiled in (False, True)
    )
    np.testing.assert_array_equal(plain, compiled)
    law = transitions(chain)
    for before, after in zip(plain[:-1].tolist(), plain[1:].tolist(), strict=True):
        assert after in law.successors[law.starts[before] : law.starts[before + 1]]
    for compiled in (False, True):
        assert len(draw_path(chain, 0, np.random.default_rng(5), compiled=compiled)) == 0
        one = draw_path(chain, 1, np.random.default_rng(5), compiled=compiled)
        assert one.tolist() == [chain.initial]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width: is 0"),
        ({"seed": -1}, "seed: is -1"),
        ({"reference": np.zeros((0, 2))}, "reference: has shape"),
        ({"reference": np.zeros((4, 1))}, "reference: has shape"),
        ({"reference": np.zeros(4)}, "reference: has shape"),
        ({"workers": 0}, "workers: is 0"),
    ],
)
def test_arguments_out_of_range_are_refused(options, message):
    arguments = {
        "width": 8,
        "seed": 0,
        "replicas": [0],
        "points": POINTS,
        "reference": np.zeros((4, 2)),
        **options,
    }
    with pytest.raises(InvalidInstance, match=message):
        largest_deviation(load("markov-onegin"), **arguments)


def test_the_way_depends_on_the_size_of_one_replica(monkeypatch):
    monkeypatch.setattr(network, "_MANY_UPDATES", 64)
    monkeypatch.setattr(network, "_CALLS", 0)
    for wanted, steps, compiled in ((None, 8, True), (None, 7, False), (True, 7, True)):
        assert network.is_compiled(8, steps, wanted) == (compiled and can_compile())
    assert not network.is_compiled(8, 8, False)
