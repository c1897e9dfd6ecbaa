"""Training in balls against a transcription in mpmath, doubles, and derivatives by mpmath."""

from __future__ import annotations

import dataclasses
import random
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from tests.support.trained import clip, curve, exact, trained
from tests.support.trained import kernel as written_kernel
from tests.support.trained import output as written_output
from verification import gallery
from verification.enclosure.balls import (
    Ball,
    ball,
    end_points,
    interval,
    power,
    precision,
    upper_double,
)
from verification.errors import InvalidInstance
from verification.instance import AtomicLaw, Instance, Training
from verification.kernel.limiting import Point, kernel
from verification.markov.chain import sample_path
from verification.recurrent.drawn_units import drawn_units
from verification.recurrent.network import Trainer, Units
from verification.recurrent.network_balls import (
    ball_rates,
    ball_vector,
    clipped_enclosure,
    initial_weights,
    network_kernel,
    network_output,
    train_in_balls,
    width_power,
)

F = Fraction
NAMES = [
    *("markov-onegin", "rain-tel-aviv", "two-dimensional", "two-state-sticky", "erf-uniform"),
    *("zero-memory-atoms", "mixture-activation", "sharp-sine"),
]


def load(name: str) -> Instance:
    instance = gallery.load(name)
    assert isinstance(instance, Instance)
    return instance


def hard_driven(instance: Instance) -> Instance:
    """Large rates and targets: outputs reach every piece of the clip."""
    training = Training(alpha=F(7), beta=F(3, 5), gamma=F(1, 20), horizon=F(1))
    targets = tuple(F(5) * (-1) ** k for k in range(instance.chain.n_states))
    chain = dataclasses.replace(instance.chain, targets=targets)
    return dataclasses.replace(instance, training=training, chain=chain)


def drawn(instance: Instance, width: int, steps: int) -> tuple[AtomicLaw, tuple[int, ...]]:
    rng = random.Random(9)
    units = drawn_units(instance.law, width, rng)
    return units, sample_path(instance.chain, instance.chain.initial, steps, rng)


def holds(value: Ball, truth: mpf) -> bool:
    """Tell whether a ball contains a number that mpmath knows to 60 digits and more."""
    low, high = end_points(value)
    # Rounding at 60 digits is far below the ends' distance from the truth, unless the ball is
    # a point: such balls are exact zeros and exact initial weights.
    return exact(low) - mpf(10) ** -55 <= truth <= exact(high) + mpf(10) ** -55


def width_of(value: Ball) -> float:
    low, high = end_points(value)
    return float(high - low)


def all_numbers(balls, written):
    """Pair every number of a trajectory with its transcription."""
    for k in range(len(written.c)):
        weights = balls.weights[k]
        yield from zip(weights.output, written.c[k], strict=True)
        yield from zip(weights.feedback, written.b[k], strict=True)
        for row, other in zip(weights.input, written.w[k], strict=True):
            yield from zip(row, other, strict=True)
    for name, track in (("memories", "v"), ("predictions", "p"), ("errors", "e")):
        yield from zip(getattr(balls, name), getattr(written, track), strict=True)


@pytest.mark.parametrize("change", [lambda i: i, hard_driven], ids=["as-it-is", "hard-driven"])
@pytest.mark.parametrize("name", NAMES)
def test_every_number_of_a_training_is_enclosed_narrowly(name, change):
    instance = change(load(name))
    units, path = drawn(instance, 5, 12)
    with mpmath.workdps(60):
        written = trained(instance, units, path)
        with precision(128):
            balls = train_in_balls(instance, units, path)
            pairs = list(all_numbers(balls, written))
            assert all(holds(value, truth) for value, truth in pairs)
        # Far narrower than the slack of the verdicts, 2**-40, asks for.
        assert max(width_of(value) for value, _ in pairs) < 2**-56


def test_hard_driven_outputs_reach_every_piece_of_the_clip():
    pieces = set()
    for name in NAMES:
        instance = hard_driven(load(name))
        units, path = drawn(instance, 5, 12)
        written = trained(instance, units, path)
        pieces |= {min(int(float(abs(p)) / 5 ** (1 / 20)), 3) for p in written.p}
    assert pieces >= {0, 1, 3}


def test_what_has_moved_is_exact_at_the_start_and_the_sum_of_the_updates_after():
    instance = load("two-dimensional")
    units, path = drawn(instance, 3, 6)
    with precision(64):
        balls = train_in_balls(instance, units, path)
        first, last = balls.moved[0], balls.moved[-1]
        assert all(d.is_zero() for d in (*first.output, *first.feedback, *first.input[1]))
        # S_0 = 0: the first step does not move B.
        assert all(d.is_zero() for d in balls.moved[1].feedback)
        with mpmath.workdps(60):
            written = trained(instance, units, path)
            for i, atom in enumerate(units.atoms):
                assert holds(last.output[i], written.c[-1][i] - exact(atom.c))
                assert holds(last.feedback[i], written.b[-1][i] - exact(atom.b))
                for k in range(2):
                    assert holds(last.input[i][k], written.w[-1][i][k] - exact(atom.w[k]))


@pytest.mark.parametrize("name", NAMES)
def test_doubles_take_the_same_way(name):
    instance = load(name)
    units, path = drawn(instance, 11, 25)
    trainer = Trainer(
        instance,
        Units(
            output=np.array([float(a.c) for a in units.atoms]),
            input=np.array([[float(q) for q in a.w] for a in units.atoms]).T,
            feedback=np.array([float(a.b) for a in units.atoms]),
        ),
    )
    trainer.run(np.array(path))
    with precision(64):
        balls = train_in_balls(instance, units, path)
        last = balls.weights[25]
        rows = [last.output, *zip(*last.input, strict=True), last.feedback, (balls.memories[-1],)]
        expected = np.array([[upper_double(q) for q in row] for row in rows[:-1]])
        memory = upper_double(balls.memories[-1])
        absolute = sum(abs(upper_double(e)) for e in balls.errors)
    # No error bound of the doubles is known: nine of their sixteen digits are looked at.
    found = np.array([trainer.units.output, *trainer.units.input, trainer.units.feedback])
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert trainer.memory == pytest.approx(memory, rel=1e-9, abs=1e-12)
    assert trainer.absolute_error == pytest.approx(absolute, rel=1e-9)


def test_a_step_goes_down_the_gradient_of_the_truncated_loss():
    """alpha N^(2 beta - 2) e times the derivative of p, the hidden state before held fixed."""
    instance = load("two-dimensional")
    training = instance.training
    assert training is not None
    units, path = drawn(instance, 3, 4)
    with mpmath.workdps(60):
        written = trained(instance, units, path)
        sigma = curve(instance.activation, 0)
        x = [[exact(q) for q in instance.chain.inputs[state]] for state in path]
        hidden = [sigma(mpmath.fdot(written.w[2][i], x[2]) + written.v[2]) for i in range(3)]
        scale = mpf(3) ** -exact(training.beta)

        def prediction(*parameters: mpf) -> mpf:
            c, w, b = parameters[:3], parameters[3:9], parameters[9:]
            v = mpmath.fdot(b, hidden) / 3
            return scale * mpmath.fsum(
                c[i] * sigma(w[2 * i] * x[3][0] + w[2 * i + 1] * x[3][1] + v) for i in range(3)
            )

        start = [*written.c[3], *(q for row in written.w[3] for q in row), *written.b[3]]
        rate = exact(training.alpha) * mpf(3) ** (2 * exact(training.beta) - 2)
        down = [
            -rate
            * written.e[3]
            * mpmath.diff(prediction, start, tuple(int(i == k) for i in range(12)))
            for k in range(12)
        ]
        with precision(64):
            balls = train_in_balls(instance, units, path)
            before, after = balls.moved[3], balls.moved[4]
            steps = [
                b - a
                for a, b in zip(
                    (*before.output, *(q for row in before.input for q in row), *before.feedback),
                    (*after.output, *(q for row in after.input for q in row), *after.feedback),
                    strict=True,
                )
            ]
        for step, expected in zip(steps, down, strict=True):
            # mpmath's differences are good to half of its digits.
            low, high = end_points(step)
            assert exact(low) - mpf(10) ** -25 <= expected <= exact(high) + mpf(10) ** -25
            assert width_of(step) < 2**-50
        # One of the inputs has an entry 0, along which W does not move.
        assert sum(abs(step) > mpf(10) ** -8 for step in down) >= 9


# The clip


@pytest.mark.parametrize("bound", [F(1), F(17, 10), F(1, 3)])
def test_the_clip_is_enclosed_in_each_piece_and_across_its_seams(bound):
    with precision(64), mpmath.workdps(60):
        for k in range(-40, 41):
            z = bound * F(k, 10)
            value = clipped_enclosure(ball(z), ball(bound))
            assert holds(value, clip(exact(z), exact(bound)))
            # Twenty roundings to 64 bits of numbers below 8, on either side.
            assert width_of(value) < 2 * 20 * 2**-61
            # A small ball around it, which straddles a seam at k = 10, 30.
            for reach in (F(1, 2**20), F(1, 4), F(2)):
                wide = clipped_enclosure(interval(ball(z - reach), ball(z + reach)), ball(bound))
                for t in (z - reach, z, z + reach):
                    assert holds(wide, clip(exact(t), exact(bound)))
                # psi's slope is at most 1; the polynomial's parts have slopes up to 6.
                slack = 1 + F(1, 1000) if reach > F(1, 2**11) else 7
                assert width_of(wide) <= 2 * float(reach * slack) + 2**-50


def test_the_clip_of_a_small_output_is_the_output_itself():
    with precision(64):
        z = ball(F(1, 3))
        value = clipped_enclosure(z, width_power(8, F(1, 10)))
        assert (value - z).is_zero() or end_points(value) == end_points(z)


# Output, kernel, rates


def test_output_and_kernel_of_a_trained_network():
    instance = hard_driven(load("two-dimensional"))
    units, path = drawn(instance, 4, 7)
    x, y = instance.chain.inputs[:2]
    v, w = F(1, 3), F(-2)
    with precision(128), mpmath.workdps(60):
        balls, written = train_in_balls(instance, units, path), trained(instance, units, path)
        weights = balls.weights[7]
        value = network_output(instance, weights, ball_vector(x), ball(v))
        assert holds(value, written_output(instance, written, 7, x, exact(v)))
        second = network_kernel(
            instance, weights, (ball_vector(x), ball(v)), (ball_vector(y), ball(w))
        )
        truth = written_kernel(instance, written, 7, (x, exact(v)), (y, exact(w)))
        assert holds(second, truth)
        assert max(width_of(value), width_of(second)) < 2**-64


def test_the_kernel_of_units_is_that_of_their_empirical_law():
    instance = load("markov-onegin")
    units, _ = drawn(instance, 6, 1)
    x, y = instance.chain.inputs
    with precision(64):
        weights = initial_weights(units)
        value = network_kernel(
            instance, weights, (ball_vector(x), ball(F(1, 5))), (ball_vector(y), ball(F(-1, 7)))
        )
        expected = kernel(
            instance.activation,
            units,
            Point(input=x, memory=F(1, 5)),
            Point(input=y, memory=F(-1, 7)),
        )
        difference = end_points(value - expected)
    assert difference[0] <= 0 <= difference[1]
    assert float(difference[1] - difference[0]) < 2**-55


def test_rates_are_powers_of_the_width():
    instance = load("markov-onegin")  # alpha = 2, beta = 3/4, gamma = 1/10
    with precision(128):
        rates = ball_rates(instance, 16)
        for value, truth in (
            (rates.output_scale, F(1, 8)),
            (rates.weight_rate, F(2, 32)),
            (rates.laziness, F(1, 2)),
            (power(rates.clip, 5), F(4)),
            (rates.step, F(1, 8)),
        ):
            low, high = end_points(value)
            assert low <= truth <= high
            assert high - low < F(1, 2**110)


def test_training_constants_are_asked_for():
    instance = dataclasses.replace(load("markov-onegin"), training=None)
    with pytest.raises(InvalidInstance, match="training"):
        ball_rates(instance, 4)
