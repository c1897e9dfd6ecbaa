"""The oracles against closed forms, so that an agreement with them means something."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import mpmath
import pytest

from verification import gallery
from verification.instance import (
    ActivationSpec,
    Atom,
    AtomicLaw,
    Constant,
    Normal,
    ProductLaw,
    Term,
    Uniform,
)
from verification.oracle import activation, expectation, memory
from verification.oracle.answer import Answer, at_two_precisions, rational, real
from verification.oracle.supremum import absolute_supremum_estimate

F = Fraction


def close(answer: Answer, closed_form) -> bool:
    """An answer is what a closed form gives, up to its own spread."""
    with mpmath.workdps(90):
        return abs(rational(closed_form()) - answer.value) <= answer.spread


def law_of(w, b="1") -> ProductLaw:
    return ProductLaw(c=Constant(value=(F(0),)), w=w, b=Constant(value=(F(b),)))


@pytest.mark.parametrize("text", ["0", "1/3", "-22/7", "1e-30", "-1e30"])
def test_rationals_go_in_and_out(text):
    value = F(text)
    with mpmath.workdps(60):
        assert abs(rational(real(value)) - value) <= abs(value) / 10**55
        assert rational(-real(value)) == -rational(real(value))


def test_what_is_not_a_moderate_number_is_no_answer():
    for value in (mpmath.inf, mpmath.nan, mpmath.mpf(2) ** (10**6)):
        with pytest.raises(ValueError, match="an oracle's answer is"):
            rational(value)
    assert rational(mpmath.mpf(2) ** -(10**6)) == 0
    assert rational(mpmath.mpf(0)) == 0


def test_the_spread_shows_what_depends_on_the_precision():
    steady = at_two_precisions(lambda: mpmath.pi + 0, 30)
    shaky = at_two_precisions(lambda: mpmath.mpf(1) / mpmath.mp.dps, 30)
    assert steady.spread < F(1, 10**29)
    assert shaky.spread > F(1, 100)


DERIVATIVES = {
    "tanh": lambda t: -2 * mpmath.tanh(t) / mpmath.cosh(t) ** 2,
    "logistic": lambda t: -mpmath.tanh(t / 2) / (4 * mpmath.cosh(t / 2) ** 2),
    "erf": lambda t: -4 * t * mpmath.exp(-(t**2)) / mpmath.sqrt(mpmath.pi),
    "arctan": lambda t: -2 * t / (1 + t * t) ** 2,
    "sin": lambda t: -mpmath.sin(t),
}


@pytest.mark.parametrize("family", DERIVATIVES)
def test_second_derivatives_of_a_mixture(family):
    weight, scale, shift, t = F(-2), F(3, 2), F(1, 5), F(-4, 7)
    spec = ActivationSpec(terms=(Term(weight=weight, scale=scale, shift=shift, of=family),))
    answer = activation.derivative(spec, 2, t)
    inner = scale * t + shift
    assert close(answer, lambda: real(weight * scale**2) * DERIVATIVES[family](real(inner)))


POINT = (F(1, 2), F(-3), F(2))
MEAN = (F(1), F(1, 3), F(-1, 5))
CENTRE = F(1, 2) - 1 - F(2, 5)


def test_normal_mean_of_sine():
    law = law_of(Normal(mean=MEAN, std=F(3, 4)), b="-2")
    answer = at_two_precisions(
        lambda: expectation.mean(law, POINT, mpmath.sin, length=F(2), weighted=True)
    )
    variance = F(9, 16) * sum(x * x for x in POINT)
    assert close(answer, lambda: -2 * mpmath.exp(-real(variance) / 2) * mpmath.sin(real(CENTRE)))


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("narrowest", ["1", "1/1000"])
def test_uniform_mean_of_sine(dimension, narrowest):
    """The density of a sum of uniforms, of very different lengths too."""
    halves = (F(1), F(5, 7), F(narrowest))[-dimension:]
    centre, point = MEAN[:dimension], POINT[:dimension]
    law = law_of(
        Uniform(
            low=tuple(c - h for c, h in zip(centre, halves, strict=True)),
            high=tuple(c + h for c, h in zip(centre, halves, strict=True)),
        )
    )
    answer = at_two_precisions(
        lambda: expectation.mean(law, point, mpmath.sin, length=F(2), weighted=False), 30
    )

    def closed_form():
        angle = sum(c * x for c, x in zip(centre, point, strict=True))
        result = mpmath.sin(real(angle))
        for half, x in zip(halves, point, strict=True):
            result *= mpmath.sinc(real(half * x))
        return result

    assert close(answer, closed_form)


ZERO = (F(0), F(0), F(0))


@pytest.mark.parametrize(
    ("w", "point", "value"),
    [
        (Normal(mean=MEAN, std=F(1)), ZERO, 1),
        (Uniform(low=(F(-1),) * 3, high=(F(1),) * 3), ZERO, 1),
        (Constant(value=MEAN), POINT, CENTRE**2 + 1),
    ],
)
def test_degenerate_laws(w, point, value):
    def mean():
        return expectation.mean(law_of(w), point, lambda u: u * u + 1, length=F(1), weighted=False)

    answer = at_two_precisions(mean)
    assert abs(answer.value - value) <= answer.spread


def test_moments_of_b():
    law = dataclasses.replace(
        law_of(Constant(value=(F(1),))), b=Uniform(low=(F(-1),), high=(F(3),))
    )
    absolute, squared = expectation.second_moments(law)
    assert abs(absolute.value - F(5, 4)) <= absolute.spread
    assert abs(squared.value - F(7, 3)) <= squared.spread
    atoms = AtomicLaw(
        atoms=tuple(
            Atom(p=p, c=F(0), w=(F(1),), b=b) for p, b in ((F(1, 4), F(-2)), (F(3, 4), F(1)))
        )
    )
    absolute, squared = expectation.second_moments(atoms)
    assert abs(absolute.value - F(5, 4)) <= absolute.spread
    assert abs(squared.value - F(7, 4)) <= squared.spread


def test_memory_map_of_erf_and_a_normal_weight():
    """E erf(m + s Z) = erf(m / (1 + 2 s^2)^(1/2))."""
    instance = dataclasses.replace(
        gallery.load("markov-onegin"),
        activation=ActivationSpec.named("erf"),
        law=law_of(Normal(mean=(F(1, 2),), std=F(2)), b="3"),
    )
    answer = memory.memory_map(instance, (F(-1, 3),), F(1, 4))
    mean, variance = F(1, 4) - F(1, 6), F(4, 9)
    assert close(answer, lambda: 3 * mpmath.erf(real(mean) / mpmath.sqrt(1 + 2 * real(variance))))


def test_fixed_point_solves_its_equation():
    instance = gallery.load("dependent-b-on-w")
    word = (0, 1, 1)
    answer = memory.fixed_point(instance, word)
    memory_now = answer.value
    for state in word:
        memory_now = memory.memory_map(instance, instance.chain.inputs[state], memory_now).value
    assert abs(memory_now - answer.value) <= 10 * answer.spread


def test_supremum_is_found_from_below():
    found = absolute_supremum_estimate(lambda t: t**3 - t, F(-1), F(1))
    with mpmath.workdps(60):
        exact = rational(2 / (3 * mpmath.sqrt(3)))
    assert exact - F(1, 10**40) <= found <= exact + F(1, 10**48)
    assert absolute_supremum_estimate(mpmath.exp, F(-1), F(2)) <= rational(
        mpmath.exp(2) * (1 + mpmath.mpf(10) ** -10)
    )
    assert absolute_supremum_estimate(lambda t: mpmath.mpf(-3), F(0), F(0)) == 3
