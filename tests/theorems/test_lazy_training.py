"""T8: as sharp as it gets, refutable, recognised where it is true of nothing, true at random."""

from __future__ import annotations

import dataclasses
import random
from fractions import Fraction

import pytest
from hypothesis import assume, event, given, settings

from tests.support.stratified import CURVES, train
from theorems.lazy_training import T8, lazy_bound, lazy_cases, lazy_error, skewed_units
from verification import gallery
from verification.campaign import strategies
from verification.decision import decide
from verification.enclosure.balls import end_points, precision
from verification.instance import ActivationSpec, AtomicLaw, Instance, Term, Uniform
from verification.recurrent.law import has_no_odd_moments_of_c
from verification.verdict import Verdict

F = Fraction
FEWER = settings(max_examples=max(10, settings.default.max_examples // 2))


def load(name: str) -> Instance:
    instance = gallery.load(name)
    assert isinstance(instance, Instance)
    return instance


def test_it_is_within_a_factor_of_four_where_it_says_so():
    result = decide(T8, load("sharp-lazy"))
    assert result.verdict is Verdict.CERTIFIED
    assert result.tightness is not None
    assert 0.25 < result.tightness <= 1


@pytest.mark.parametrize("name", ["rain-tel-aviv", "markov-onegin", "sharp-lazy", "erf-uniform"])
def test_its_left_side_is_the_largest_difference_of_a_plain_transcription(name):
    instance = load(name)
    for case in lazy_cases(instance, random.Random(2)):
        with precision(64):
            low, high = end_points(lazy_error(instance, case))
        seen = train(instance, case.course.law, case.course.width, case.course.word, case.place)
        answer = float(abs(seen.outputs - seen.linear).max())
        # The transcription divides sums of doubles by eps in each of at most 64 steps.
        error = 100 * 2.0**-53 / seen.eps
        assert float(low) - error <= answer <= float(high) + error
        assert float(high - low) <= 1e-15


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("expanding", "q = 1.5"),
        ("critical", "q = 1"),
        ("sharp-finite-memory", "training constants"),
    ],
)
def test_it_says_why_it_does_not_apply(name, reason):
    result = decide(T8, load(name))
    assert result.verdict is Verdict.INAPPLICABLE
    assert reason in result.reason


def test_odd_moments_make_it_inapplicable():
    onegin = load("markov-onegin")
    shifted = dataclasses.replace(onegin.law, c=Uniform(low=(F(-1),), high=(F(2),)))
    result = decide(T8, dataclasses.replace(onegin, law=shifted))
    assert result.verdict is Verdict.INAPPLICABLE
    assert "E[C] = 0.5" in result.reason
    rain = load("rain-tel-aviv")
    assert isinstance(rain.law, AtomicLaw)
    result = decide(T8, dataclasses.replace(rain, law=skewed_units(rain.law)))
    assert result.verdict is Verdict.INAPPLICABLE
    assert "E[C] = 0, E[C³] = " in result.reason
    # Symmetric in the mean over W only.
    atoms = tuple(
        dataclasses.replace(atom, c=F(1) if atom.w[0] > 0 else F(-3)) for atom in rain.law.atoms
    )
    odd = sum(atom.p * atom.c for atom in atoms)
    assert not odd
    result = decide(T8, dataclasses.replace(rain, law=AtomicLaw(atoms=atoms)))
    assert result.verdict is Verdict.INAPPLICABLE


def test_nothing_to_learn_makes_it_vacuous():
    onegin = load("markov-onegin")
    silent = dataclasses.replace(onegin.chain, targets=(F(0), F(0)))
    result = decide(T8, dataclasses.replace(onegin, chain=silent))
    assert result.verdict is Verdict.VACUOUS
    assert "target" in result.reason


@pytest.mark.parametrize(("family", "reason"), [("tanh", "cancel"), ("logistic", "constant")])
def test_an_activation_that_does_not_move_makes_it_vacuous(family, reason):
    one = Term(weight=F(1), scale=F(1), shift=F(0), of=family)
    # tanh(u) + tanh(-u) = 0, and 1 of the logistic function.
    still = ActivationSpec(terms=(one, dataclasses.replace(one, scale=F(-1))))
    result = decide(T8, dataclasses.replace(load("sharp-lazy"), activation=still))
    assert result.verdict is Verdict.VACUOUS
    assert reason in result.reason


def test_a_training_too_fast_for_every_width_leaves_no_case():
    onegin = load("markov-onegin")
    assert onegin.training is not None
    fast = dataclasses.replace(onegin.training, alpha=F(10**12))
    result = decide(T8, dataclasses.replace(onegin, training=fast))
    assert result.verdict is Verdict.VACUOUS


@FEWER
@given(strategies.instances())
def test_no_random_instance_refutes_it(instance):
    result = decide(T8, instance)
    event(str(result.verdict))
    assert result.verdict in {
        Verdict.CERTIFIED,
        Verdict.VACUOUS,
        Verdict.INAPPLICABLE,
    }, result.reason


@FEWER
@given(strategies.instances())
def test_plain_doubles_stay_below_the_bound(instance):
    assume(instance.training is not None)
    assume(instance.activation.label in CURVES)
    for case in lazy_cases(instance, random.Random(0)):
        assume(has_no_odd_moments_of_c(case.course.law))
        with precision(64):
            bound = float(end_points(lazy_bound(instance, case))[1])
        seen = train(instance, case.course.law, case.course.width, case.course.word, case.place)
        error = 1000 * 2.0**-53 / seen.eps * (1 + abs(seen.outputs).max())
        assert float(abs(seen.outputs - seen.linear).max()) <= bound + error
