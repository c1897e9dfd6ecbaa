"""The second-order bound of laziness: each step of its proof on trajectories, and the exponents."""

from __future__ import annotations

import dataclasses
import math
import random
from fractions import Fraction

import numpy as np
import pytest

from tests.support.stratified import Seen, train
from verification import gallery
from verification.enclosure.balls import end_points, precision
from verification.errors import NotEnclosed
from verification.flow.second_order import is_admissible, second_order, second_order_bound
from verification.flow.stratified import mirrored_units, reflected_units
from verification.instance import ActivationSpec, Atom, AtomicLaw, Instance, Training
from verification.kernel.limiting import point
from verification.markov.chain import sample_path

F = Fraction
ONE = F(1)
# Suprema of the activations and of three derivatives, as calculus gives them.
SUPREMA = {
    "tanh": (1, 1, 4 / 3**1.5, 2),
    "logistic": (1, 1 / 4, 1 / (6 * 3**0.5), 1 / 8),
    "erf": (1, 2 / math.pi**0.5, (8 / (math.pi * math.e)) ** 0.5, 4 / math.pi**0.5),
    "arctan": (math.pi / 2, 1, 3**1.5 / 8, 2),
    "sin": (1, 1, 1, 1),
}
# A thousand rounding errors of doubles, for comparisons of bounds with sums over 64 steps.
ROUNDING = 1000 * 2.0**-53


def base(name: str = "rain-tel-aviv", activation: str = "logistic", **training) -> Instance:
    instance = gallery.load(name)
    assert isinstance(instance, Instance)
    constants = Training(alpha=F(1), beta=F(3, 4), gamma=F(1, 10), horizon=F(1))
    return dataclasses.replace(
        instance,
        activation=ActivationSpec.named(activation),
        training=dataclasses.replace(constants, **training),
    )


def units(scale: Fraction = ONE, dimension: int = 1) -> AtomicLaw:
    """Units whose B depends on W and on |C|, each with both signs of C."""
    w = [tuple(F(k + j, 3) for j in range(dimension)) for k in (-2, 1, 3)]
    return mirrored_units(
        AtomicLaw(
            atoms=(
                Atom(p=F(1, 2), c=scale, w=w[0], b=F(1, 2)),
                Atom(p=F(1, 4), c=scale * 3 / 2, w=w[1], b=F(-1, 4)),
                Atom(p=F(1, 4), c=scale / 3, w=w[2], b=F(3, 4)),
            )
        )
    )


SETTINGS = [
    ("rain-tel-aviv", "logistic", F(1), 64, F(1)),
    ("rain-tel-aviv", "tanh", F(2), 256, F(1, 2)),
    ("rain-tel-aviv", "arctan", F(1, 3), 256, F(1)),
    ("two-dimensional", "erf", F(1, 4), 1024, F(1, 2)),
    ("two-dimensional", "sin", F(1), 1024, F(1, 2)),
]


def setting(name, activation, scale, width, alpha):
    instance = base(name, activation, alpha=alpha)
    law = units(scale, len(instance.chain.inputs[0]))
    word = sample_path(instance.chain, instance.chain.initial, 64, random.Random(3))
    place = point(instance, instance.chain.n_states - 1, F(1, 5))
    with precision(64):
        found = second_order(instance, law, width, len(word))
        constants = {
            field.name: float(end_points(getattr(found, field.name))[1])
            for field in dataclasses.fields(found)
        }
    return instance, law, word, place, constants, train(instance, law, width, word, place)


@pytest.mark.parametrize("case", SETTINGS, ids=lambda case: "-".join(map(str, case[:2])))
def test_every_step_of_the_proof_holds_along_a_path(case):
    instance, _, word, place, constants, seen = setting(*case)
    steps, eps, h = len(word), seen.eps, seen.h
    reach, slack = constants["reach"], 1 + ROUNDING
    assert seen.reach(steps) <= reach * slack
    assert h * float(seen.errors @ seen.errors) <= constants["energy"] ** 2 * slack
    assert abs(seen.outputs[0]) <= ROUNDING
    x_at, v_at = np.array([float(x) for x in place.input]), float(place.memory)
    remainder = 0.0
    for k in range(steps + 1):
        so_far = seen.reach(k)
        second = eps**2 * so_far**2
        assert abs(seen.memories[k] - seen.frozen_memories[k]) <= (
            constants["memory_change"] * second * slack + ROUNDING
        )
        # The output's slope in the memory, by a difference.
        sigma, _ = seen.curves
        moved = [
            seen.mean(seen.c[k] * sigma(seen.w[k] @ x_at + v))
            - seen.mean(seen.c[0] * sigma(seen.w[0] @ x_at + v))
            for v in (v_at, v_at + 0.25)
        ]
        assert abs(moved[1] - moved[0]) / eps <= (
            constants["output_slope"] * so_far * 0.25 * slack + ROUNDING / eps
        )
        if k == steps:
            break
        x = seen.inputs[k]
        here, frozen = (x, seen.memories[k]), (x, seen.frozen_memories[k])
        kernel = seen.kernel(k, here, (x_at, v_at))
        assert abs(kernel - seen.kernel(0, frozen, (x_at, v_at))) <= (
            constants["kernel_change"] * second * slack + ROUNDING
        )
        step = seen.outputs[k + 1] - seen.outputs[k] + h * seen.errors[k] * kernel
        remainder += abs(step)
        assert remainder <= eps**2 * constants["remainder"] * slack + k * ROUNDING / eps
    worst = float(np.abs(seen.outputs - seen.linear).max())
    with precision(64):
        bound = second_order_bound(instance, case_law(case), case[3], steps, place)
    assert worst <= float(end_points(bound)[1])
    assert abs(seen.linear).max() <= constants["norm"]


def case_law(case) -> AtomicLaw:
    return units(case[2], len(base(case[0]).chain.inputs[0]))


def expected(seen: Seen, instance: Instance, law: AtomicLaw, steps: int) -> dict[str, float]:
    """The constants again, from the proof, with moments of doubles; X is the final reach."""
    s0, s1, s2, s3 = SUPREMA[instance.activation.label]
    r = max(float(np.linalg.norm([float(x) for x in row])) for row in instance.chain.inputs)
    ybar = max(abs(float(y)) for y in instance.chain.targets)
    training = instance.training
    assert training is not None
    p = np.array([float(a.p) for a in law.atoms])
    a = np.array([abs(float(atom.c)) for atom in law.atoms])
    b = np.array([abs(float(atom.b)) for atom in law.atoms])
    tau, h, eps = steps * seen.h, seen.h, seen.eps
    clip = (eps ** (1 / (float(training.beta) - 1))) ** float(training.gamma)
    reach = tau * (2 * clip + ybar)
    for _ in range(6):
        eta = eps * s0 * reach
        own = h * (s0**2 + (s1 * r) ** 2 * (p @ (a + eta) ** 2))
        # |z| from the mean over units of a |Delta W|^2 and |Delta C| |Delta W|.
        moved = s1 * r * (a + eta / 2)
        c_e = s2 * r**2 / 2 * (p @ (a * moved**2)) + s0 * s1 * r * (p @ moved)
        theta = 1 - own - 2 / 3 * eps * c_e * reach * tau
        energy = math.sqrt(tau / theta) * ybar
        reach = min(reach, math.sqrt(tau) * energy)
    eta = eps * s0 * reach
    moved = s1 * r * (a + eta / 2)
    q_c = s1 * r * moved / 2
    q_w = r * (s0 * s1 + a * s2 * r * moved) / 2
    w = (
        s0 * s0 * (s0 * s1 + p @ (a * s2 * r * moved)) / 2
        + p @ (b * (s1 * r * q_w + s2 * r**2 * moved**2 / 2))
    ) / (1 - s1 * (p @ b))
    kappa = p @ (
        2 * s0 * s1 * r * q_w
        + (2 * s0 * s2 + 2 * s1**2) * r**2 * moved**2 / 2
        + 2 * a * q_c * (s1 * r) ** 2
        + 2 * a * s0 * (2 * s1 * s2 * r**3) * moved
        + s0**2 * (s1 * r) ** 2
        + a**2 * (2 * s1 * s2 * r**3 * q_w + (2 * s1 * s3 + 2 * s2**2) * r**4 * moved**2 / 2)
    )
    kappa += (s0 * s1 + (p @ a**2) * s1 * s2 * r**2) * w
    odd = p @ (
        s0 * s0 * (s1 * r) ** 2
        + a * moved * r**3 * (s1**3 + 2 * s0 * s1 * s2)
        + s2 * s1**2 * r**4 * s0 * (3 * a**2 + 3 * a * eta + eta**2) / 2
        + a**3 * moved * r**5 * (s3 * s1**2 + 2 * s2**2 * s1) / 2
    )
    even = p @ (
        s0 * s2 * s1**2 * r**4 * (a + eta) ** 2 / 2 + s3 * s1**3 * r**6 * (a + eta) ** 4 / 6
    )
    return {
        "reach": reach,
        "energy": energy,
        "theta": theta,
        "memory_change": w,
        "kernel_change": kappa,
        "output_slope": s0 * s1 + p @ (a * s2 * r * moved),
        "remainder": h * odd * reach * energy**2 + even * (math.sqrt(h) * energy) ** 3,
    }


@pytest.mark.parametrize("case", SETTINGS, ids=lambda case: "-".join(map(str, case[:2])))
def test_the_constants_are_those_of_the_proof(case):
    instance, law, word, _, constants, seen = setting(*case)
    answers = expected(seen, instance, law, len(word))
    for name, answer in answers.items():
        # Upper ends of 64 bits against a few hundred operations of doubles.
        assert constants[name] == pytest.approx(answer, rel=1e-12), name


@pytest.mark.parametrize("beta", [F(3, 5), F(3, 4), F(17, 20), F(19, 20)])
def test_the_error_decays_as_the_square_of_eps(beta):
    """Between two widths at the same h the error, even in eps, scales by (eps/eps')^2."""
    instance = base(beta=beta, alpha=F(2**10))
    word = sample_path(instance.chain, 0, 64, random.Random(3))
    place = point(instance, 1, F(1, 5))
    errors, laziness = [], []
    for width in (2**16, 2**20):
        now = base(beta=beta, alpha=F(width, 64))
        seen = train(now, units(F(1)), width, word, place)
        errors.append(float(np.abs(seen.outputs - seen.linear).max()))
        laziness.append(seen.eps)
    slope = math.log(errors[0] / errors[1]) / math.log(laziness[0] / laziness[1])
    # The next term is of fourth order: it bends the slope by a few times eps^2.
    assert abs(slope - 2) < 4 * laziness[0] ** 2 + 1e-3
    assert instance.training is not None


@pytest.mark.parametrize("beta", [F(3, 5), F(3, 4)])
def test_with_a_third_moment_it_decays_as_eps_only(beta):
    skewed = AtomicLaw(
        atoms=tuple(
            Atom(p=p, c=c, w=(w,), b=F(1, 2))
            for w in (F(-1), F(1, 2))
            for p, c in ((F(1, 3), F(-1)), (F(1, 6), F(2)))
        )
    )
    word = sample_path(base().chain, 0, 64, random.Random(3))
    place = point(base(), 1, F(1, 5))
    errors, laziness = [], []
    for width in (2**24, 2**28):
        seen = train(base(beta=beta, alpha=F(width, 64)), skewed, width, word, place)
        errors.append(float(np.abs(seen.outputs - seen.linear).max()))
        laziness.append(seen.eps)
    slope = math.log(errors[0] / errors[1]) / math.log(laziness[0] / laziness[1])
    # Nearer to the first order than to the second.
    assert abs(slope - 1) < 1 / 4


def test_outputs_are_even_in_eps_where_c_is_symmetric():
    instance = base()
    word = sample_path(instance.chain, 0, 64, random.Random(3))
    place = point(instance, 1, F(1, 5))
    for law, even in ((units(), True), (reflected_units(units()), True)):
        ours, theirs = (train(instance, law, 16, word, place, sign=sign) for sign in (1, -1))
        assert np.allclose(ours.outputs, theirs.outputs, rtol=0, atol=ROUNDING) is even


def test_an_assumption_that_fails_is_named():
    fast, clipped = base(alpha=F(100)), base(gamma=F(1, 1000), alpha=F(40))
    quiet = tuple(y / 1000 for y in fast.chain.targets)
    fast = dataclasses.replace(fast, chain=dataclasses.replace(fast.chain, targets=quiet))
    lazy = base(beta=F(99, 100), alpha=F(8), gamma=F(1, 200))
    low = dataclasses.replace(
        lazy, chain=dataclasses.replace(lazy.chain, targets=(F(1, 4), F(1, 4)))
    )
    for instance, text in ((fast, "h Kb"), (clipped, "A >= ybar"), (low, "theta")):
        assert not is_admissible(instance, units(), 64, 64)
        with precision(64), pytest.raises(NotEnclosed, match=text):
            second_order(instance, units(), 64, 64)


def test_a_memory_that_does_not_contract_is_refused():
    loud = AtomicLaw(
        atoms=tuple(dataclasses.replace(atom, b=atom.b * 10) for atom in units().atoms)
    )
    with precision(64), pytest.raises(NotEnclosed, match="q < 1"):
        second_order(base(), loud, 64, 64)
