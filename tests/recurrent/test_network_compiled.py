"""The compiled recursion against the plain one, and its activations against mpmath."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from verification import gallery
from verification.instance import ActivationSpec, Instance, Normal, ProductLaw, Term, Training
from verification.recurrent import network_replicas
from verification.recurrent.network import (
    Trainer,
    Units,
    draw_path,
    draw_units,
    replica_generators,
)
from verification.recurrent.network_replicas import largest_deviation

network_compiled = pytest.importorskip("verification.recurrent.network_compiled")
caching = pytest.importorskip("numba.core.caching")

F = Fraction
FAMILIES = ("tanh", "logistic", "erf", "arctan", "sin")
MIXED = ActivationSpec(
    terms=tuple(
        Term(weight=F(k - 3, 5), scale=F(k + 1, 3), shift=F(1, k + 2), of=family)
        for k, family in enumerate((*FAMILIES, "sin", "tanh"))
    )
)
ALPHA = F(3)
ACTIVATIONS = {family: ActivationSpec.named(family) for family in FAMILIES} | {"mixture": MIXED}


def of_dimension(dimension: int, activation: ActivationSpec, alpha: Fraction = ALPHA) -> Instance:
    """Random inputs and normal W of any dimension, on the chain of 50 states."""
    instance = gallery.load("random-dense-50")
    assert isinstance(instance, Instance)
    assert isinstance(instance.law, ProductLaw)
    chain = instance.chain
    inputs = tuple(
        tuple(F((7 * i * i + 3 * k + i * k) % 11 - 5, 5) for k in range(dimension))
        for i in range(chain.n_states)
    )
    law = dataclasses.replace(
        instance.law, w=Normal(mean=(F(0),) * dimension, std=F(1)), b=instance.law.b
    )
    return dataclasses.replace(
        instance,
        chain=dataclasses.replace(chain, inputs=inputs),
        activation=activation,
        law=law,
        training=Training(alpha=alpha, beta=F(7, 10), gamma=F(1, 10), horizon=F(1)),
    )


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("dimension", [1, 2, 4])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_compiled_training_is_the_same_but_for_roundings(activation, dimension, frozen):
    # One unit; less than a vector; not a multiple of one; more than a block and a page.  Few units
    # learn slowly here: at the full rate they amplify roundings, whoever makes them.
    for width, alpha in ((1, F(1, 5)), (5, F(1, 5)), (301, ALPHA), (2048 + 37, ALPHA)):
        instance = of_dimension(dimension, ACTIVATIONS[activation], alpha)
        for_units, for_path = replica_generators(2, 0, width)
        units = draw_units(instance.law, width, for_units)
        states = draw_path(instance.chain, 40, for_path)
        plain, compiled = (
            Trainer(instance, units, frozen=frozen, compiled=compiled) for compiled in (False, True)
        )
        # Odd and even numbers of steps: the hidden state changes places at every step.
        for start, end in ((0, 0), (0, 7), (7, 8), (8, 40)):
            for trainer in (plain, compiled):
                trainer.run(states[start:end])
        for field in ("output", "input", "feedback"):
            one, other = getattr(plain.units, field), getattr(compiled.units, field)
            # A few ulp for each of 40 steps, in sums of 2000 terms.
            np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(plain._hidden, compiled._hidden, rtol=1e-11, atol=1e-13)
        assert compiled.memory == pytest.approx(plain.memory, rel=1e-11, abs=1e-14)
        assert compiled.absolute_error == pytest.approx(plain.absolute_error, rel=1e-11)
        assert compiled.squared_error == pytest.approx(plain.squared_error, rel=1e-11)
        assert compiled.step == plain.step == 40
        assert (plain.drifts()[0] > 0) == (not frozen)


EXACT = {
    "tanh": (mpmath.tanh, lambda x: 1 - mpmath.tanh(x) ** 2),
    "logistic": (
        lambda x: 1 / (1 + mpmath.exp(-x)),
        lambda x: 1 / (2 + mpmath.exp(x) + mpmath.exp(-x)),
    ),
    "erf": (mpmath.erf, lambda x: 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-x * x)),
    "arctan": (mpmath.atan, lambda x: 1 / (1 + x * x)),
    "sin": (mpmath.sin, mpmath.cos),
}
LEAST = 2.0**-1000
"""Beyond what exp can give, values are small and no more."""


def evaluated(family: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return sigma(x) and sigma'(x): the hidden state of units with W = x, C = 1 and input 1."""
    instance = of_dimension(1, ActivationSpec.named(family))
    instance = dataclasses.replace(
        instance, chain=dataclasses.replace(instance.chain, inputs=((F(1),),) * 50)
    )
    units = Units(output=np.ones(len(x)), input=x[np.newaxis], feedback=np.zeros(len(x)))
    trainer = Trainer(instance, units, frozen=True, compiled=True)
    trainer.run(np.array([0]))
    return trainer._hidden, trainer._through


def errors(family: str, x: np.ndarray) -> tuple[float, float, float]:
    """Return the largest errors: of values and derivatives in ulp, of the latter in 2^-53."""
    worst = [0.0, 0.0]
    absolute = 0.0
    # So many bits that any argument is reduced exactly, and 60 are left.
    with mpmath.workprec(1200 if np.abs(x).max() > 1e20 else 200):
        for t, *found in zip(x.tolist(), *evaluated(family, x), strict=True):
            # 1 - tanh^2 and the like must not vanish in the reference.
            for order, value in enumerate(found):
                exact = EXACT[family][order](mpmath.mpf(t))
                error = abs(mpmath.mpf(value) - exact)
                if error > LEAST:
                    ulp = np.spacing(abs(float(exact)))
                    worst[order] = max(worst[order], float(error / ulp))
                if order == 1:
                    absolute = max(absolute, float(error * 2**53))
    return worst[0], worst[1], absolute


@pytest.mark.parametrize("family", FAMILIES)
def test_activations_are_within_three_units_in_the_last_place(family):
    rng = np.random.default_rng(2308)
    # Every power of two and every reduction; near the ends of the pieces; at 0; far away.
    ends = [1.0, np.sqrt(2) - 1, np.sqrt(2) + 1, 6.0, 22.0, 26.5, *(np.pi / 4 * np.arange(1, 9))]
    ends += [*(np.log(2) / 4 * np.arange(1, 20, 2))]
    near = [t * (1 + k * 2.0**-52) for t in ends for k in range(-3, 4)]
    size = np.concatenate(
        [
            np.linspace(0, 28, 2000),
            rng.uniform(0, 4, 3000),
            np.geomspace(1e-308, 1, 300),
            np.geomspace(28, 1e13, 200),
            near,
            # Numerators of the continued fraction of pi: the sine is small, and the cosine of half.
            [355.0, 245850922.0, 21053343141.0, 1783366216531.0, 8958937768937.0],
            [177.5, 122925461.0, 10526671570.5, 891683108265.5, 4479468884468.5],
            [0.0, 5e-324, 1e-320],
        ]
    )
    value, slope, absolute = errors(family, size * rng.choice([-1.0, 1.0], len(size)))
    assert value <= 3
    if family == "tanh":
        # 1 - s^2: twice three units of s, two roundings.
        assert absolute <= 8
    else:
        assert slope <= 5
    if family != "sin":
        far = np.array([1e15, -1e100, 1e300, -1.7e308])
        assert errors(family, far)[0] <= 1


def test_the_sine_of_numbers_beyond_reach_is_that_of_the_library():
    rng = np.random.default_rng(2308)
    far = np.concatenate([[2.0**45 * (1 + 2**-50), -1.7e308], 10 ** rng.uniform(13, 300, 40)])
    value, slope, _ = errors("sin", np.concatenate([far, [0.5, -3.0]]))
    assert max(value, slope) <= 1


@pytest.mark.parametrize("mixed", [False, True])
def test_training_goes_on_beyond_the_reach_of_the_sine(mixed, monkeypatch):
    """W of size 10^15, inputs 1 and -1: W x is exact, and the sums are those of the plain way."""
    spec = ActivationSpec.named("sin")
    if mixed:
        more = Term(weight=F(1, 2), scale=F(1), shift=F(0), of="tanh")
        spec = ActivationSpec(terms=(*spec.terms, more))
    instance = gallery.load("markov-onegin")
    assert isinstance(instance, Instance)
    assert isinstance(instance.law, ProductLaw)
    assert {abs(x) for (x,) in instance.chain.inputs} == {F(1)}
    law = dataclasses.replace(instance.law, w=Normal(mean=(F(0),), std=F(10) ** 15))
    instance = dataclasses.replace(instance, activation=spec, law=law)
    units = draw_units(law, 50, np.random.default_rng(4))
    for_path = np.random.default_rng(5)
    path = draw_path(instance.chain, 6, for_path)
    plain, compiled = (Trainer(instance, units, compiled=compiled) for compiled in (False, True))
    for trainer in (plain, compiled):
        trainer.run(path)
    np.testing.assert_array_equal(plain.units.input, compiled.units.input)
    np.testing.assert_allclose(plain._hidden, compiled._hidden, rtol=1e-13)
    np.testing.assert_allclose(plain.units.output, compiled.units.output, rtol=1e-13)
    found = []
    for way in (True, False):
        monkeypatch.setattr(network_replicas, "can_compile", lambda way=way: way)
        found.append(
            largest_deviation(
                instance,
                width=50,
                seed=3,
                replicas=[0, 1],
                points=[(0, F(0)), (1, F(0))],
                reference=np.zeros((5, 2)),
            )
        )
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)


def test_without_a_folder_to_write_to_it_is_compiled_all_the_same(monkeypatch):
    def double(x: float) -> float:
        return 2 * x

    kept = network_compiled._kept(double)
    assert kept.stats.cache_path
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    not_kept = network_compiled._kept(double)
    assert not_kept.stats.cache_path is None
    assert not_kept(21.0) == kept(21.0) == 42
