"""Training of finite networks against a plain transcription and derivatives by mpmath."""

from __future__ import annotations

import dataclasses
import pickle
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from verification import gallery
from verification.errors import InvalidInstance
from verification.instance import SCHEMA, ActivationSpec, AtomicLaw, Instance, Term, Training
from verification.markov.finite import stationary_law
from verification.recurrent.network import (
    Trainer,
    Units,
    can_compile,
    clipped,
    draw_path,
    draw_units,
    rates,
    replica_generators,
    train_replica,
)

F = Fraction
SIGMA = {
    "tanh": (np.tanh, lambda u: 1 / np.cosh(u) ** 2),
    "logistic": (lambda u: 1 / (1 + np.exp(-u)), lambda u: 0.25 / np.cosh(u / 2) ** 2),
    "arctan": (np.arctan, lambda u: 1 / (1 + u**2)),
    "sin": (np.sin, np.cos),
    "erf": (
        np.vectorize(lambda u: float(mpmath.erf(u))),
        lambda u: 2 / np.sqrt(np.pi) * np.exp(-(u**2)),
    ),
}


def load(name: str) -> Instance:
    instance = gallery.load(name)
    assert isinstance(instance, Instance)
    training = Training(alpha=F(3), beta=F(7, 10), gamma=F(1, 10), horizon=F(1))
    return instance if instance.training else dataclasses.replace(instance, training=training)


def with_activation(name: str, activation: str) -> Instance:
    return dataclasses.replace(load(name), activation=ActivationSpec.named(activation))


def transcribed(instance: Instance, units: Units, states, curve):
    """The recursion as it is written on paper, one unit at a time; returns all that it makes."""
    sigma, slope = curve
    training = instance.training
    assert training is not None
    alpha, beta, gamma = float(training.alpha), float(training.beta), float(training.gamma)
    c, w, b = list(units.output), [list(row) for row in units.input.T], list(units.feedback)
    n, hidden, errors, memory = len(c), [0.0] * len(c), [], 0.0
    for state in states:
        x = [float(entry) for entry in instance.chain.inputs[state]]
        y = float(instance.chain.targets[state])
        memory = sum(b[j] * hidden[j] for j in range(n)) / n
        u = [sum(a * q for a, q in zip(w[i], x, strict=True)) + memory for i in range(n)]
        after = [float(sigma(t)) for t in u]
        bend = [float(slope(t)) for t in u]
        p = n**-beta * sum(c[i] * after[i] for i in range(n))
        big = n**gamma
        t = min(max((abs(p) - big) / (2 * big), 0), 1)
        psi = p if abs(p) <= big else np.sign(p) * (big + 2 * big * (t - t**3 + t**4 / 2))
        e = psi - y
        through = sum(c[i] * bend[i] for i in range(n))
        new_c = [c[i] - alpha * n ** (beta - 2) * e * after[i] for i in range(n)]
        for i in range(n):
            for k in range(len(x)):
                w[i][k] -= alpha * n ** (beta - 2) * e * c[i] * bend[i] * x[k]
            b[i] -= alpha * n ** (beta - 3) * e * hidden[i] * through
        c, hidden = new_c, after
        errors.append(e)
    memory = sum(b[j] * hidden[j] for j in range(n)) / n
    return np.array(c), np.array(w).T, np.array(b), memory, errors


@pytest.mark.parametrize("activation", SIGMA)
@pytest.mark.parametrize("name", ["markov-onegin", "two-dimensional", "dependent-b-on-w"])
def test_training_is_the_transcribed_recursion(name, activation):
    instance = with_activation(name, activation)
    for_units, for_path = replica_generators(5, 0, 23)
    units = draw_units(instance.law, 23, for_units)
    states = draw_path(instance.chain, 40, for_path)
    trainer = Trainer(instance, units)
    trainer.run(states[:17])
    trainer.run(states[17:])
    c, w, b, memory, errors = transcribed(instance, units, states, SIGMA[activation])
    np.testing.assert_allclose(trainer.units.output, c, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(trainer.units.input, w, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(trainer.units.feedback, b, rtol=1e-12, atol=1e-13)
    assert trainer.memory == pytest.approx(memory, rel=1e-12)
    assert trainer.absolute_error == pytest.approx(sum(map(abs, errors)), rel=1e-12)
    assert trainer.squared_error == pytest.approx(sum(e * e for e in errors), rel=1e-12)
    drifts = trainer.drifts()
    assert drifts[0] == pytest.approx(np.abs(c - units.output).max(), rel=1e-9)
    assert drifts[1] == pytest.approx(np.linalg.norm(w - units.input, axis=0).max(), rel=1e-9)
    assert drifts[2] == pytest.approx(np.abs(b - units.feedback).max(), rel=1e-9)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("gamma", [F(-1, 2), F(-1)], ids=["smooth", "constant"])
def test_outputs_beyond_the_clip_are_trained_as_they_are_written(gamma, compiled):
    if compiled:
        pytest.importorskip("numba")
    instance = load("two-dimensional")
    training = dataclasses.replace(instance.training, alpha=F(1), gamma=gamma)
    instance = dataclasses.replace(with_activation("two-dimensional", "tanh"), training=training)
    for_units, for_path = replica_generators(5, 0, 23)
    units = draw_units(instance.law, 23, for_units)
    states = draw_path(instance.chain, 40, for_path)
    trainer = Trainer(instance, units, compiled=compiled)
    trainer.run(states)
    c, w, b, memory, errors = transcribed(instance, units, states, SIGMA["tanh"])
    np.testing.assert_allclose(trainer.units.output, c, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(trainer.units.input, w, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(trainer.units.feedback, b, rtol=1e-12, atol=1e-13)
    assert trainer.memory == pytest.approx(memory, rel=1e-12)
    clipped_outputs = np.abs(
        errors + np.array([float(instance.chain.targets[state]) for state in states])
    )
    bound = 23 ** float(gamma)
    # Within a few roundings of a number near 1.
    constant = np.abs(clipped_outputs - 2 * bound) < 1e-14
    smooth = (clipped_outputs > bound) & ~constant
    assert (smooth if gamma == F(-1, 2) else constant).sum() >= 5


def test_large_jobs_are_compiled_and_small_ones_are_not(monkeypatch):
    chosen = []

    class Watched(Trainer):
        def __init__(self, *args, **options):
            chosen.append(options["compiled"])
            super().__init__(*args, **options)

    monkeypatch.setattr("verification.recurrent.network.Trainer", Watched)
    monkeypatch.setattr("verification.recurrent.network._MANY_UPDATES", 64)
    monkeypatch.setattr("verification.recurrent.network._CALLS", 0)
    instance = load("markov-onegin")
    for checkpoints in ([3], [8]):
        train_replica(instance, width=8, seed=0, replica=0, checkpoints=checkpoints)
    train_replica(instance, width=8, seed=0, replica=0, checkpoints=[8], compiled=False)
    assert chosen == [False, can_compile(), False]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", ["markov-onegin", "two-dimensional", "mixture-activation"])
@pytest.mark.parametrize("frozen", [False, True])
def test_going_on_from_a_state_changes_no_bit(name, compiled, frozen):
    if compiled:
        pytest.importorskip("numba")
    instance = load(name)
    for_units, for_path = replica_generators(8, 0, 45)
    units = draw_units(instance.law, 45, for_units)
    path = draw_path(instance.chain, 61, for_path)
    through = Trainer(instance, units, frozen=frozen, compiled=compiled)
    through.run(path)
    stopped = Trainer(instance, units, frozen=frozen, compiled=compiled)
    for start, end in ((0, 0), (0, 1), (1, 20), (20, 21), (21, 61)):
        state = pickle.loads(pickle.dumps(stopped.state()))
        stopped = Trainer.resumed(instance, state, compiled=compiled)
        assert stopped.step == start
        stopped.run(path[start:end])
    one, other = through.state(), stopped.state()
    for units_field in ("units", "initial"):
        for field in ("output", "input", "feedback"):
            np.testing.assert_array_equal(
                getattr(getattr(one, units_field), field),
                getattr(getattr(other, units_field), field),
            )
    np.testing.assert_array_equal(one.hidden, other.hidden)
    for field in ("memory", "absolute_error", "squared_error", "step", "frozen"):
        assert getattr(one, field) == getattr(other, field)
    assert through.drifts() == stopped.drifts()
    assert (through.drifts()[0] == 0) == frozen


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("activation", SIGMA)
def test_a_rate_that_blows_up_leaves_numbers(activation, compiled):
    """psi keeps every error below 2 N^gamma + |y|, whatever C, W and B become."""
    if compiled:
        pytest.importorskip("numba")
    instance = with_activation("two-dimensional", activation)
    training = dataclasses.replace(instance.training, alpha=F(10) ** 30)
    instance = dataclasses.replace(instance, training=training)
    for_units, for_path = replica_generators(8, 0, 20)
    trainer = Trainer(instance, draw_units(instance.law, 20, for_units), compiled=compiled)
    trainer.run(draw_path(instance.chain, 200, for_path))
    numbers = [*trainer.units.output, *trainer.units.input.flat, *trainer.units.feedback]
    assert np.isfinite([*numbers, trainer.memory, trainer.squared_error]).all()
    assert trainer.drifts()[0] > 1e20
    largest = 2 * 20 ** float(training.gamma) + max(abs(float(y)) for y in instance.chain.targets)
    assert 0 < trainer.absolute_error <= 200 * largest


def test_a_mixture_is_trained_like_its_sum():
    instance = load("mixture-activation")
    terms = instance.activation.terms

    def sigma(u):
        return sum(
            float(t.weight) * SIGMA[t.of][0](float(t.scale) * u + float(t.shift)) for t in terms
        )

    def slope(u):
        return sum(
            float(t.weight * t.scale) * SIGMA[t.of][1](float(t.scale) * u + float(t.shift))
            for t in terms
        )

    assert isinstance(terms[0], Term)
    for_units, for_path = replica_generators(1, 2, 11)
    units, states = (
        draw_units(instance.law, 11, for_units),
        draw_path(instance.chain, 25, for_path),
    )
    trainer = Trainer(instance, units)
    trainer.run(states)
    c, w, b, memory, _ = transcribed(instance, units, states, (sigma, slope))
    np.testing.assert_allclose(trainer.units.output, c, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(trainer.units.input, w, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(trainer.units.feedback, b, rtol=1e-11, atol=1e-12)
    assert trainer.memory == pytest.approx(memory, rel=1e-11)


def test_a_step_goes_down_the_gradient_of_the_truncated_loss():
    """alpha N^(2 beta - 2) e times the derivative of p, the hidden state before held fixed."""
    instance = with_activation("two-dimensional", "tanh")
    training = instance.training
    assert training is not None
    width = 4
    for_units, _ = replica_generators(3, 1, width)
    units = draw_units(instance.law, width, for_units)
    trainer = Trainer(instance, units)
    trainer.run(np.array([0, 1]))
    before, hidden = trainer.units.copy(), trainer._hidden.copy()
    state = 2
    x = [float(q) for q in instance.chain.inputs[state]]
    trainer.run(np.array([state]))
    with mpmath.workdps(40):
        scale = mpmath.mpf(width) ** (-mpmath.mpf(float(training.beta)))

        def prediction(*parameters):
            c, w, b = parameters[:4], parameters[4:12], parameters[12:]
            v = sum(b[j] * mpmath.mpf(hidden[j]) for j in range(4)) / 4
            return scale * sum(
                c[i] * mpmath.tanh(w[i] * x[0] + w[4 + i] * x[1] + v) for i in range(4)
            )

        start = [
            mpmath.mpf(float(q))
            for q in (*before.output, *before.input[0], *before.input[1], *before.feedback)
        ]
        bound = width ** float(training.gamma)
        error = clipped(float(prediction(*start)), bound) - float(instance.chain.targets[state])
        rate = float(training.alpha) * width ** (2 * float(training.beta) - 2) * error
        gradient = [
            float(mpmath.diff(prediction, start, tuple(int(i == k) for i in range(16))))
            for k in range(16)
        ]
    after = trainer.units
    now = np.concatenate([after.output, after.input[0], after.input[1], after.feedback])
    moved = now - np.array([float(q) for q in start])
    np.testing.assert_allclose(moved, -rate * np.array(gradient), rtol=1e-9, atol=1e-14)


def test_clip_is_smooth_monotone_and_bounded():
    bound = 1.7
    z = np.linspace(-8, 8, 4001)
    values = np.array([clipped(t, bound) for t in z])
    inside = np.abs(z) <= bound
    np.testing.assert_array_equal(values[inside], z[inside])
    assert np.abs(values).max() <= 2 * bound
    slopes = np.diff(values) / np.diff(z)
    assert slopes.min() >= 0
    assert slopes.max() <= 1 + 1e-9
    # Twice continuously differentiable: second differences change by little.
    assert np.abs(np.diff(slopes, 2)).max() < 1e-4
    np.testing.assert_array_equal(values, [-clipped(-t, bound) for t in z])


@pytest.mark.parametrize("name", gallery.names_of(SCHEMA))
def test_units_have_the_moments_of_the_law(name):
    instance = load(name)
    width = 20_000
    units = draw_units(instance.law, width, np.random.default_rng(7))
    rows = [units.output, *units.input, units.feedback]
    law = instance.law
    for k, row in enumerate(rows):
        if isinstance(law, AtomicLaw):
            values = [((a.c, *a.w, a.b)[k], a.p) for a in law.atoms]
            exact_mean = sum((v * p for v, p in values), F(0))
            exact_square = sum((v * v * p for v, p in values), F(0))
            mean, variance = float(exact_mean), float(exact_square - exact_mean**2)
        else:
            component = law.c if k == 0 else law.b if k == len(rows) - 1 else law.w
            j = 0 if k in (0, len(rows) - 1) else k - 1
            if hasattr(component, "value"):
                mean, variance = float(component.value[j]), 0.0
            elif hasattr(component, "std"):
                mean, variance = float(component.mean[j]), float(component.std) ** 2
            else:
                mean = float(component.low[j] + component.high[j]) / 2
                variance = float(component.high[j] - component.low[j]) ** 2 / 12
        # Six standard deviations: wrong less than once in 10^8 runs.
        assert abs(row.mean() - mean) <= 6 * np.sqrt(variance / width) + 1e-12
        fourth = ((row - mean) ** 4).mean()
        assert abs(row.var() - variance) <= 6 * np.sqrt(fourth / width) + 1e-12


def test_paths_have_the_law_of_the_chain():
    instance = load("markov-onegin")
    path = draw_path(instance.chain, 40_000, np.random.default_rng(11))
    assert path[0] == instance.chain.initial
    share = np.mean(path == 0)
    # delta(P) = 0.535: the variance of the mean is at most 4 (1/4) / (n (1 - delta)^2).
    assert abs(share - float(F(stationary_law(instance.chain)[0]))) < 6 / (np.sqrt(40_000) * 0.46)
    pairs = np.mean(path[1:][path[:-1] == 0] == 1)
    assert abs(pairs - 0.872) < 6 * np.sqrt(0.872 * 0.128 / (0.4 * 40_000))


def test_a_replica_is_determined_by_its_numbers_alone():
    instance = load("markov-onegin")
    points = [(0, F(1, 5))]
    one = train_replica(
        instance, width=64, seed=3, replica=2, checkpoints=[0, 10, 64], points=points
    )
    two = train_replica(instance, width=64, seed=3, replica=2, checkpoints=[64], points=points)
    for field in ("outputs", "memories", "drifts", "absolute_errors", "squared_errors"):
        np.testing.assert_array_equal(getattr(one, field)[-1], getattr(two, field)[-1])
    other = train_replica(instance, width=64, seed=3, replica=3, checkpoints=[64], points=points)
    assert other.outputs[-1, 0] != one.outputs[-1, 0]
    assert one.drifts[0].max() == 0
    assert one.absolute_errors[0] == 0


def test_frozen_units_stay_and_the_memory_runs():
    instance = load("rain-tel-aviv")
    seen = train_replica(
        instance, width=500, seed=0, replica=0, checkpoints=[0, 1, 200], frozen=True
    )
    assert seen.drifts.max() == 0
    assert seen.memories[0] == 0
    assert seen.memories[-1] > 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width: is 0"),
        ({"seed": -1}, "seed: is -1"),
        ({"checkpoints": []}, "checkpoints"),
        ({"checkpoints": [5, 5]}, "checkpoints"),
        ({"checkpoints": [-1]}, "checkpoints"),
    ],
)
def test_arguments_out_of_range_are_refused(options, message):
    arguments = {"width": 8, "seed": 0, "replica": 0, "checkpoints": [4], **options}
    with pytest.raises(InvalidInstance, match=message):
        train_replica(load("markov-onegin"), **arguments)


def test_training_constants_are_asked_for():
    instance = dataclasses.replace(load("markov-onegin"), training=None)
    with pytest.raises(InvalidInstance, match="training"):
        rates(instance, 10)
