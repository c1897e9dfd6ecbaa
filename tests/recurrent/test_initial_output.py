"""The mean square of the initial output: brute force over all draws, closed forms."""

from __future__ import annotations

import dataclasses
import itertools
from fractions import Fraction

import mpmath
import pytest
from mpmath import mpf

from tests.support.trained import curve, exact
from verification import gallery
from verification.enclosure.balls import end_points, precision
from verification.instance import (
    ActivationSpec,
    Atom,
    AtomicLaw,
    Constant,
    Instance,
    Normal,
    ProductLaw,
    Uniform,
)
from verification.recurrent import initial_output
from verification.recurrent.initial_output import mean_square_of_sum

F = Fraction


def load(name: str) -> Instance:
    instance = gallery.load(name)
    assert isinstance(instance, Instance)
    return instance


def uncentred() -> Instance:
    """Four atoms, two of which agree in (C, W.x); E[C | W] is not 0, so that pairs count."""
    atoms = [("1/2", "1", "1/3", "0.2"), ("1/6", "1", "1/3", "0.7")]
    atoms += [("1/4", "-2", "-1", "0.1"), ("1/12", "3", "0", "0")]
    law = AtomicLaw(atoms=tuple(Atom(p=F(p), c=F(c), w=(F(w),), b=F(b)) for p, c, w, b in atoms))
    return dataclasses.replace(load("rain-tel-aviv"), law=law)


def check(value, truth: mpf) -> None:
    low, high = end_points(value)
    # mpmath works with 40 digits; 128 bits are 38, of which the sums lose a few.
    assert exact(low) - mpf(10) ** -38 <= truth <= exact(high) + mpf(10) ** -38
    assert float(high - low) <= 1e-30 * max(1.0, float(truth))


@pytest.mark.parametrize("few", [True, False], ids=["counts", "multiplied-out"])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_atoms_against_all_sequences_of_units(width, few, monkeypatch):
    if not few:
        monkeypatch.setattr(initial_output, "_MAX_DRAWS", 0)
    instance = uncentred()
    assert isinstance(instance.law, AtomicLaw)
    x, v = instance.chain.inputs[1][0], F(1, 5)
    with mpmath.workdps(40), precision(128):
        sigma = curve(instance.activation, 0)
        truth = mpmath.fsum(
            mpmath.fprod(exact(a.p) for a in drawn)
            * mpmath.fsum(exact(a.c) * sigma(exact(a.w[0] * x + v)) for a in drawn) ** 2
            for drawn in itertools.product(instance.law.atoms, repeat=width)
        )
        check(mean_square_of_sum(instance, width, 1, v), truth)


@pytest.mark.parametrize("width", [1, 2, 7])
def test_normal_weights_and_sine_have_a_closed_form(width):
    law = ProductLaw(
        c=Uniform(low=(F(-1),), high=(F(2),)),
        w=Normal(mean=(F(0),), std=F(1)),
        b=Constant(value=(F(1, 2),)),
    )
    instance = dataclasses.replace(
        load("markov-onegin"), law=law, activation=ActivationSpec.named("sin")
    )
    (x,), v = instance.chain.inputs[0], F(1, 5)
    with mpmath.workdps(40), precision(128):
        # E sin(W x + v) = exp(-x^2/2) sin v, E sin^2(W x + v) = (1 - exp(-2 x^2) cos 2v)/2;
        # E C = 1/2, E C^2 = 1.
        mean = mpmath.exp(-exact(x * x) / 2) * mpmath.sin(exact(v)) / 2
        square = (1 - mpmath.exp(-2 * exact(x * x)) * mpmath.cos(2 * exact(v))) / 2
        truth = width * square + width * (width - 1) * mean**2
        check(mean_square_of_sum(instance, width, 0, v), truth)
