"""Training against PyTorch's automatic differentiation; skipped where it is not installed.

One step goes down the gradient of the output at an input, the hidden state before it held fixed,
times the clipped error.  PyTorch is in the `peers` group: it is large and slow to follow new
Pythons.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from verification import gallery
from verification.instance import ActivationSpec, Instance, Term, Training
from verification.recurrent.network import (
    Trainer,
    can_compile,
    draw_path,
    draw_units,
    replica_generators,
)

torch = pytest.importorskip("torch", reason="torch (group peers) is not installed")

F = Fraction
FAMILIES = {
    "tanh": torch.tanh,
    "logistic": torch.sigmoid,
    "erf": torch.erf,
    "arctan": torch.arctan,
    "sin": torch.sin,
}
MIXED = ActivationSpec(
    terms=(
        Term(weight=F(1, 2), scale=F(2), shift=F(1, 10), of="tanh"),
        Term(weight=F(-1), scale=F(1, 3), shift=F(0), of="erf"),
        Term(weight=F(1, 4), scale=F(1), shift=F(-1), of="sin"),
    )
)
ACTIVATIONS = {family: ActivationSpec.named(family) for family in FAMILIES} | {"mixture": MIXED}


def psi(z, bound):
    t = ((z.abs() - bound) / (2 * bound)).clamp(0, 1)
    beyond = torch.sign(z) * (bound + 2 * bound * (t - t**3 + t**4 / 2))
    return torch.where(z.abs() <= bound, z, beyond)


def by_autograd(instance: Instance, units, states):
    """Train, and return C, W, B, the errors and the outputs before they are clipped."""
    training = instance.training
    width = len(units.output)
    alpha, beta, gamma = (float(a) for a in (training.alpha, training.beta, training.gamma))
    c, w, b = (
        torch.tensor(np.array(rows), dtype=torch.float64, requires_grad=True)
        for rows in (units.output, units.input, units.feedback)
    )
    hidden = torch.zeros(width, dtype=torch.float64)
    errors, outputs = [], []
    for state in states:
        x = torch.tensor([float(q) for q in instance.chain.inputs[state]], dtype=torch.float64)
        u = x @ w + (b @ hidden) / width
        new = sum(
            float(term.weight) * FAMILIES[term.of](float(term.scale) * u + float(term.shift))
            for term in instance.activation.terms
        )
        output = width**-beta * (c @ new)
        error = psi(output.detach(), width**gamma) - float(instance.chain.targets[state])
        output.backward(alpha * width ** (2 * beta - 2) * error)
        with torch.no_grad():
            for parameter in (c, w, b):
                parameter.sub_(parameter.grad)
                parameter.grad = None
        hidden = new.detach()
        errors.append(float(error))
        outputs.append(abs(float(output.detach())))
    return c, w, b, errors, outputs


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", ["markov-onegin", "two-dimensional"])
@pytest.mark.parametrize("gamma", [F(1, 10), F(-1)], ids=["", "clipped"])
def test_steps_are_those_of_automatic_differentiation(name, activation, compiled, gamma):
    if compiled and not can_compile():
        pytest.skip("numba is not installed")
    instance = dataclasses.replace(
        gallery.load(name),
        activation=ACTIVATIONS[activation],
        training=Training(alpha=F(3), beta=F(7, 10), gamma=gamma, horizon=F(1)),
    )
    width, steps = 37, 25
    for_units, for_path = replica_generators(6, 0, width)
    units = draw_units(instance.law, width, for_units)
    path = draw_path(instance.chain, steps, for_path)
    trainer = Trainer(instance, units, compiled=compiled)
    trainer.run(path)
    c, w, b, errors, outputs = by_autograd(instance, units, path)
    # 25 steps of a few roundings in sums of 37 terms.
    for found, expected in (
        (trainer.units.output, c),
        (trainer.units.input, w),
        (trainer.units.feedback, b),
    ):
        np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-11, atol=1e-13)
    assert trainer.absolute_error == pytest.approx(sum(map(abs, errors)), rel=1e-11)
    # The clip is 1/37 or 1.43: outputs pass it only where it is small.
    assert (max(outputs) > width ** float(gamma)) == (gamma < 0)
