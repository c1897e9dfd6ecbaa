"""Shrinking: it ends, at an instance of which no simplification refutes."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import pytest
from hypothesis import given, settings

from verification import gallery
from verification.campaign.linear_strategies import (
    linear_functionals,
    single_functionals,
    trained_functionals,
)
from verification.campaign.shrinking import complexity, shrunk, simpler
from verification.campaign.strategies import instances
from verification.instance import AtomicLaw, Constant, Uniform
from verification.linear_functional import BumpTraining, Switching


def never():
    return False


@settings(max_examples=10)
@given(instances() | linear_functionals() | single_functionals() | trained_functionals())
def test_what_is_simpler_is_less_complex_and_valid(subject):
    for candidate in simpler(subject):
        assert complexity(candidate) < complexity(subject)
        assert candidate.schema == subject.schema


def test_down_to_the_simplest_of_all():
    found, done = shrunk(gallery.load("markov-onegin"), lambda _instance: True, never)
    assert done
    assert found.chain.n_states == found.chain.dimension == 1
    assert found.activation.label == "tanh"
    assert found.training is None
    numbers = (*found.chain.inputs[0], *found.chain.targets)
    numbers += tuple(part.value[0] for part in (found.law.c, found.law.w, found.law.b))
    assert set(numbers) == {Fraction(0)}


@pytest.mark.parametrize(
    ("name", "refutes", "check"),
    [
        (
            "random-dense-50",
            lambda i: i.chain.n_states > 3,
            lambda i: i.chain.n_states == 4 and all(len(row) == 1 for row in i.chain.rows),
        ),
        (
            "dependent-b-on-w",
            lambda i: isinstance(i.law, AtomicLaw) and len(i.law.atoms) > 1,
            lambda i: len(i.law.atoms) == 2 and {a.p for a in i.law.atoms} == {Fraction(1, 2)},
        ),
        (
            "mixture-activation",
            lambda i: i.activation.label == "mixture",
            lambda i: len(i.activation.terms) == 1,
        ),
        (
            "markov-onegin",
            lambda i: i.training is not None and i.training.horizon > Fraction(1, 3),
            lambda i: i.training.horizon <= 1 and i.training.alpha == 1,
        ),
        (
            "two-dimensional-uniform",
            lambda i: isinstance(i.law.b, Uniform),
            lambda i: i.chain.dimension == 1 and isinstance(i.law.w, Constant),
        ),
    ],
)
def test_only_what_is_needed_is_left(name, refutes, check):
    found, done = shrunk(gallery.load(name), refutes, never)
    assert done
    assert refutes(found)
    assert check(found)


def test_where_time_runs_out_the_simplest_so_far_is_returned():
    asked = []

    def is_late():
        asked.append(None)
        return len(asked) > 3

    start = gallery.load("markov-onegin")
    found, done = shrunk(start, lambda _instance: True, is_late)
    assert not done
    assert complexity(found) < complexity(start)


def test_what_cannot_be_simpler_stays():
    start = gallery.load("markov-onegin")
    assert shrunk(start, lambda _instance: False, never) == (start, True)


def test_a_linear_functional():
    start = gallery.load("sharp-two-channels")
    found, done = shrunk(start, lambda f: f.channels == 2, never)
    assert done
    assert found.network is None
    assert not any(found.target)
    assert len(found.widths) == 1


def test_a_rate_of_decay():
    start = gallery.load("sharp-switching")
    found, done = shrunk(start, lambda f: f.beta is not None and f.widths[-1] > 3, never)
    assert done
    assert (found.beta, found.widths) == (1, (16,))
    assert shrunk(start, lambda _: True, never)[0].beta is None


def test_a_switching_function_loses_times():
    part = Switching(
        coefficient=Fraction(22, 7), rate=Fraction(3, 5), times=tuple(map(Fraction, (1, 2, 5, 9)))
    )
    start = dataclasses.replace(gallery.load("power-law-one"), target=((part,),))
    found, done = shrunk(
        start, lambda f: len(getattr((*f.target[0], None)[0], "times", ())) > 1, never
    )
    assert done
    (left,) = found.target[0]
    assert left == Switching(coefficient=Fraction(0), rate=Fraction(1), times=left.times)
    assert len(left.times) == 2
    assert left.times[0] == 1


def test_a_training():
    start = gallery.load("plateau-spare-unit")
    found, done = shrunk(
        start, lambda f: f.training is not None and f.training.delays[-1] > 5, never
    )
    assert done
    assert found.training == BumpTraining(
        height=Fraction(0), length=Fraction(1), delays=(Fraction(6),)
    )
    assert not any(found.target)
    assert shrunk(start, lambda f: len(f.target[0]) > 1, never)[0].training is None
