"""What laziness adds to a sampled network: against simulation, and the constants again."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest

from tests.support.stratified import Seen, train
from verification import gallery
from verification.enclosure.balls import ball, end_points, precision
from verification.flow.lazy_terms import Training, second_order_terms
from verification.instance import ActivationSpec, Atom, AtomicLaw, Instance
from verification.kernel.limiting import point
from verification.recurrent.network import draw_path, draw_units, replica_generators

F = Fraction
SUPREMA = {"logistic": (1, 1 / 4, 1 / (6 * 3**0.5), 1 / 8), "tanh": (1, 1, 4 / 3**1.5, 2)}


def load(name: str, activation: str = "logistic") -> Instance:
    instance = gallery.load(name)
    assert isinstance(instance, Instance)
    return dataclasses.replace(instance, activation=ActivationSpec.named(activation))


def bounds(instance: Instance, width: int, steps: int, *, shift, energy, spread):
    assert instance.training is not None
    h = float(instance.training.alpha) / width
    eps = float(width) ** (float(instance.training.beta) - 1)
    with precision(64):
        found = second_order_terms(
            instance,
            Training(
                width=width,
                step=ball(F(h)),
                time=ball(F(h * steps)),
                laziness=ball(F(eps)),
                shift=ball(F(shift)),
                energy=ball(F(energy)),
                spread=ball(F(spread)),
            ),
        )
        return tuple(float(end_points(value)[1]) for value in (found.kernel, found.memory))


def expected(instance: Instance, width: int, steps: int, *, shift, energy, spread):
    """The same from the formulas, in doubles, for a product law of unit C and |B| <= bbar."""
    assert instance.training is not None
    s0, s1, s2, s3 = SUPREMA[instance.activation.label]
    law = instance.law
    assert isinstance(law, AtomicLaw)
    p, c, b = (np.array([float(getattr(a, key)) for a in law.atoms]) for key in ("p", "c", "b"))
    cbar, bbar = np.abs(c).max(), np.abs(b).max()
    r = max(float(np.linalg.norm([float(x) for x in row])) for row in instance.chain.inputs)
    h = float(instance.training.alpha) / width
    tau, eps = h * steps, float(width) ** (float(instance.training.beta) - 1)
    shat = spread / (1 - s1 * bbar)
    moved = cbar + shift / 2
    c_v = moved * s1 * (s0**2 + bbar * s1 * r**2) / (1 - s1 * bbar)
    delta_w = s1 * r * moved
    missed = s1 * r * (s0 + s2 * r**2 * cbar * moved) / 2
    kappa = (
        2 * s0 * s1 * r * missed
        + r**2 * (s0 * s2 + s1**2) * delta_w**2
        + 2 * (s1 * r) ** 2 * cbar * s1 * r * delta_w / 2
        + 4 * cbar * s0 * s1 * s2 * r**3 * delta_w
        + (s0 * s1 * r) ** 2
        + cbar**2 * (2 * s1 * s2 * r**3 * missed + r**4 * (s1 * s3 + s2**2) * delta_w**2)
    )
    source = s0**2 * s1 * (s0 + s2 * r**2 * cbar * moved) / 2 + bbar * (
        s1 * r * missed + s2 * r**2 * delta_w**2 / 2
    )
    # Slopes of the three odd terms in v_l and in v_j.
    first = cbar * (s2 * r * 2 * s0 * s1 * r + 2 * s1 * s1**2 * r**2)
    first += cbar**3 * s2 * r * 2 * s1 * s2 * r**3
    second = cbar * (s1 * r * (s0 * s2 + s1**2) * r + 2 * s0 * s2 * s1 * r**2)
    second += cbar**3 * s1 * r * (s1 * s3 + s2**2) * r**3
    rms = [math.sqrt(p @ c**2), math.sqrt(p @ c**6), math.sqrt(p @ (b * c) ** 2)]
    z = rms[0] * (2 + 2) * s0 * s1**2 * r**2 + rms[1] * s1 * r * 2 * s1 * s2 * r**3
    z += (first + second) * shat
    v = source + c_v * (s0**2 * cbar * s2 / 2 + r**2 * bbar * cbar * s1 * s2 * 3 / 2)
    v /= 1 - s1 * bbar
    y = s0**2 * (s1 * rms[0] + cbar * s2 * shat)
    y += r**2 * (s1**2 * rms[2] + 2 * bbar * cbar * s1 * s2 * shat)
    u = y * math.sqrt(tau * (tau + h) / 2) / (1 - s1 * bbar)
    slope = s0 * s1 + cbar**2 * s1 * s2 * r**2
    sampled, cube = eps * energy**2 / math.sqrt(width), eps**2 * tau**1.5 * energy**3
    return (
        cube * (kappa + c_v * (first / 2 + second)) / 3
        + sampled * tau * z / 2
        + slope * (cube * v / 3 + sampled * u),
        cube * v / 2 + sampled * u,
    )


@pytest.mark.parametrize("activation", ["logistic", "tanh"])
@pytest.mark.parametrize("width", [64, 4096])
def test_the_terms_are_those_of_the_statement(activation, width):
    instance = load("rain-tel-aviv", activation)
    known = {"shift": 0.25, "energy": 1.5, "spread": 0.125}
    found = bounds(instance, width, width, **known)
    # Upper ends of 64 bits against a few hundred operations of doubles.
    assert found == pytest.approx(expected(instance, width, width, **known), rel=1e-12)


def test_wide_networks_are_lazy_to_second_order():
    """eps = N^-1/4: terms of eps^2 fall by 4, those of eps N^-1/2 by 8, when N grows by 16."""
    instance = load("rain-tel-aviv")
    known = {"shift": 0.25, "energy": 1.5, "spread": 0.125}
    narrow, wide = (bounds(instance, width, width, **known) for width in (2**16, 2**20))
    for before, after in zip(narrow, wide, strict=True):
        assert 4 < before / after < 8


def limit_memories(instance: Instance, seen: Seen) -> list[float]:
    """The memory of the infinitely wide network along the path."""
    law, (sigma, _) = instance.law, seen.curves
    assert isinstance(law, AtomicLaw)
    p, b = (np.array([float(getattr(a, key)) for a in law.atoms]) for key in ("p", "b"))
    w = np.array([[float(x) for x in a.w] for a in law.atoms])
    memories = [0.0]
    for x in seen.inputs[:-1]:
        memories.append(float((p * b) @ sigma(w @ x + memories[-1])))
    return memories


def mean_square_along(seen: Seen, memories: list[float]) -> float:
    """The sums over ``j < k`` at the limit's k-th point, in the mean square over k."""
    (sigma, slope), total, steps = seen.curves, 0.0, len(memories)
    w0, c0 = seen.w[:1], seen.c[:1]
    for k in range(1, steps):
        x, y, w, c = seen.inputs[:k], seen.inputs[k], seen.w[:k], seen.c[:k]
        product = (x @ y)[:, np.newaxis]

        def kernels(w, c, v, x=x, y=y, product=product, memory=memories[k]):
            here, there = (w * x[:, np.newaxis]).sum(axis=2) + v[:, np.newaxis], w @ y + memory
            terms = sigma(here) * sigma(there) + c**2 * slope(here) * slope(there) * product
            return terms @ seen.p

        now, first = kernels(w, c, seen.memories[:k]), kernels(w0, c0, seen.frozen_memories[:k])
        total += (seen.h * float(np.abs(seen.errors[:k]) @ np.abs(now - first))) ** 2
    return math.sqrt(total / steps)


@pytest.mark.parametrize("width", [16, 64])
def test_the_terms_bound_what_networks_do(width):
    """Means over replicas, at six standard errors; x4 and the clip as the replicas show them."""
    instance = load("rain-tel-aviv")
    steps, place = width, point(instance, 1, F(1, 5))
    at = (np.array([1.0]), 0.2)
    runs = []
    for replica in range(100):
        for_units, for_path = replica_generators(7, replica, width)
        drawn = draw_units(instance.law, width, for_units)
        law = AtomicLaw(
            atoms=tuple(
                Atom(p=F(1, width), c=F(c), w=(F(w),), b=F(b))
                for c, w, b in zip(drawn.output, drawn.input[0], drawn.feedback, strict=True)
            )
        )
        word = tuple(draw_path(instance.chain, steps, for_path).tolist())
        runs.append(train(instance, law, width, word, place))
    kernels, squares, memories, energies, shifts = [], [], [], [], []
    for seen in runs:
        reach = np.array([seen.reach(k) for k in range(steps)])
        change = [
            abs(
                seen.kernel(k, (seen.inputs[k], seen.memories[k]), at)
                - seen.kernel(0, (seen.inputs[k], seen.frozen_memories[k]), at)
            )
            for k in range(steps)
        ]
        kernels.append(seen.h * float(np.abs(seen.errors) @ np.array(change)))
        squares.append(mean_square_along(seen, limit_memories(instance, seen)))
        apart = seen.memories[:steps] - seen.frozen_memories[:steps]
        memories.append(math.sqrt(float(((reach * apart) ** 2).sum() / steps)))
        energies.append(seen.h * float(seen.errors @ seen.errors))
        shifts.append(seen.eps * seen.reach(steps))
    found = bounds(
        instance,
        width,
        steps,
        shift=max(shifts),
        energy=float(np.mean(np.square(energies))) ** 0.25,
        spread=0.2,
    )
    limits = (found[0], found[0] / math.sqrt(3), found[1])
    for values, bound in zip((kernels, squares, memories), limits, strict=True):
        mean, error = float(np.mean(values)), float(np.std(values)) / 10
        assert mean - 6 * error > 0
        assert mean + 6 * error < bound
        # Not so wide that a lost factor of a hundred would go unseen.
        assert bound < 100 * mean
