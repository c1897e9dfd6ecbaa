"""Laws of (state, memory): interpolation and words of past symbols against each other and against
laws that are known."""

from __future__ import annotations

import dataclasses
import itertools
from fractions import Fraction

import numpy as np
import pytest

from verification import gallery
from verification.enclosure.balls import ball, end_points, precision
from verification.errors import InvalidInstance, NotEnclosed
from verification.flow import history
from verification.flow.history import history_law, joint_law
from verification.flow.node_law import invariant_law
from verification.instance import AtomicLaw, Constant, Instance, ProductLaw
from verification.markov.finite import stationary_law
from verification.recurrent.memory import fixed_point, iterate

F = Fraction


def load(name: str) -> Instance:
    instance = gallery.load(name)
    assert isinstance(instance, Instance)
    return instance


INTERPOLATED = [
    "markov-onegin",
    "rain-tel-aviv",
    "dependent-b-on-w",
    "mixture-activation",
    "near-periodic",
    "negative-b",
    "seattle-weather",
    "sharp-arctan",
    "sunspots",
    "two-dimensional",
]


def means(law, function) -> float:
    return float(law.weights @ function(law.states, law.memories))


# Functions of (state, memory), a bound on the real line and one of the slope, a bound on a strip.
FUNCTIONS = {
    "memory": (lambda i, v: v, None),
    "wave": (lambda i, v: np.cos(3 * v + i), lambda s: float(np.cosh(3 * s))),
    "other wave": (lambda i, v: np.sin(v) * (i == 0), lambda s: float(np.cosh(s))),
}


@pytest.mark.parametrize("name", INTERPOLATED)
def test_interpolation_agrees_with_words(name):
    instance = load(name)
    law = invariant_law(instance)
    words = history_law(instance, width=1e-7, max_words=2**16)
    assert law.spread == law.mass_error == 0
    assert law.weights.sum() == pytest.approx(1, abs=1e-13)
    for function, strip_bound in FUNCTIONS.values():
        gap = abs(means(law, function) - means(words, function))
        bound = 1e3 if strip_bound is None else strip_bound(float(law.strip))
        # |slope| <= 3, |function| <= 1 or |v|.
        assert gap <= law.analytic_error * bound + 3 * words.spread + 10 * words.mass_error
    assert law.analytic_error < 1e-10


@pytest.mark.parametrize("name", ["periodic-three", "one-state"])
def test_laws_of_periodic_chains_are_those_of_fixed_points(name):
    instance = load(name)
    n = instance.chain.n_states
    cycle = [0]
    while len(cycle) < n:
        cycle.append(instance.chain.rows[cycle[-1]][0][0])
    law, words = invariant_law(instance), history_law(instance, width=1e-12)
    assert len(words) == n
    for shift, state in enumerate(cycle):
        word = tuple(cycle[(shift + k) % n] for k in range(n))
        with precision(128):
            low, _ = end_points(iterate(instance, word[n:], fixed_point(instance, word)))
        memory = float(low)
        for function in (lambda i, v: np.cos(2 * v), lambda i, v: v**2):
            exact = function(state, memory) / n
            here = means(law, lambda i, v, f=function, s=state: f(i, v) * (i == s))
            strip = float(law.strip)
            assert abs(here - exact) <= law.analytic_error * max(np.cosh(2 * strip), 9 + strip**2)
            there = means(words, lambda i, v, f=function, s=state: f(i, v) * (i == s))
            assert abs(there - exact) <= 4 * words.spread + 4 * words.mass_error


@pytest.mark.parametrize("name", ["markov-onegin", "cyclic-with-noise", "snakes-and-ladders"])
def test_states_have_the_stationary_law(name):
    instance = load(name)
    exact = np.array([float(end_points(ball(p))[0]) for p in stationary_law(instance.chain)])
    for law in (invariant_law(instance), history_law(instance, length=2)):
        marginal = np.zeros(instance.chain.n_states)
        np.add.at(marginal, law.states, law.weights)
        np.testing.assert_allclose(marginal, exact, atol=1e-13)


def test_words_of_one_length_are_all_paths_with_their_probabilities():
    instance = load("rain-tel-aviv")
    law = history_law(instance, length=3)
    pi = stationary_law(instance.chain)
    matrix = [dict(row) for row in instance.chain.rows]
    expected = {}
    for word in itertools.product(range(2), repeat=4):
        mass = F(pi[word[0]])
        for a, b in itertools.pairwise(word):
            mass *= matrix[a].get(b, 0)
        with precision(96):
            memory = end_points(iterate(instance, word[:3], ball(0)))[0]
        expected[round(float(memory), 12), word[3]] = float(mass)
    found = {
        (round(float(v), 12), int(i)): w
        for i, v, w in zip(law.states, law.memories, law.weights, strict=True)
    }
    assert found.keys() == expected.keys()
    for key, mass in expected.items():
        assert found[key] == pytest.approx(mass, rel=1e-13)
    # vbar times the steepest slope, three times: E|B| = 0.4 here, s1 = 1/4.
    assert 0 < law.spread <= 0.4 * 0.1**3


def test_only_wide_words_are_extended():
    instance = load("sunspots")
    coarse, fine = (history_law(instance, width=width) for width in (1e-2, 1e-4))
    assert len(coarse) < len(fine)
    assert fine.spread <= 1e-4
    assert coarse.spread <= 1e-2
    full = history_law(instance, length=6)
    # The words that matter less are left short: fewer words than of one length give the same.
    assert fine.spread > 0
    assert len(fine) < len(full) or full.spread > fine.spread


def test_a_limit_on_words_is_kept_and_the_spread_says_so():
    instance = load("two-state-sticky")
    law = history_law(instance, width=1e-9, max_words=1_000)
    assert len(law) <= 1_000
    assert law.spread > 1e-3
    assert law.weights.sum() == pytest.approx(1, abs=1e-12)


def test_zero_memory_has_all_mass_at_zero():
    law = invariant_law(load("zero-memory"))
    assert abs(means(law, lambda i, v: v)) <= law.analytic_error * 10
    assert abs(means(law, lambda i, v: v**2)) <= law.analytic_error * 10


def test_no_memory_weight_is_no_obstacle():
    instance = load("markov-onegin")
    assert isinstance(instance.law, ProductLaw)
    law = dataclasses.replace(instance.law, b=Constant(value=(F(0),)))
    found = invariant_law(dataclasses.replace(instance, law=law))
    assert abs(means(found, lambda i, v: np.cos(v)) - 1) <= 10 * found.analytic_error
    words = history_law(dataclasses.replace(instance, law=law), length=1)
    np.testing.assert_array_equal(words.memories, 0)


def test_memories_that_may_not_forget_are_refused():
    with pytest.raises(NotEnclosed, match="q is not certainly below 1"):
        invariant_law(load("critical"))


def slow(name: str = "two-state-sticky") -> Instance:
    """Return an instance with q = 0.99 whose units are all nearly linear."""
    instance = load(name)
    w = dataclasses.replace(instance.law.w, std=F(1, 100))
    law = dataclasses.replace(instance.law, w=w, b=Constant(value=(F(99, 100),)))
    return dataclasses.replace(instance, law=law)


def test_slow_memories_are_refused_with_the_reason_and_enclosed_through_words():
    with pytest.raises(NotEnclosed, match="degree"):
        invariant_law(slow())
    law = joint_law(slow())
    assert law.analytic_error == 0
    assert 0 < law.spread < 2


def test_memories_with_q_near_one_are_known_all_the_same():
    law = invariant_law(load("two-state-sticky"))
    words = history_law(load("two-state-sticky"), max_words=2**14)
    assert law.analytic_error < 1e-9
    apart = abs(means(law, lambda i, v: np.cos(v)) - means(words, lambda i, v: np.cos(v)))
    assert apart <= words.spread


@pytest.mark.parametrize("make", [invariant_law, history_law])
def test_chains_without_one_stationary_law_are_refused(make):
    with pytest.raises(InvalidInstance, match="no unique stationary law"):
        make(load("reducible"))


@pytest.mark.parametrize(
    "options", [{"length": -1}, {"length": 1_000}, {"max_words": 0}, {"max_words": 2**30}]
)
def test_parameters_out_of_range_are_refused(options):
    with pytest.raises(InvalidInstance, match=next(iter(options))):
        history_law(load("markov-onegin"), **options)


def test_atoms_with_dependent_b_change_the_law():
    """The left side knows the joint law: with B shuffled over the atoms the memory differs."""
    instance = load("dependent-b-on-w")
    assert isinstance(instance.law, AtomicLaw)
    atoms = instance.law.atoms
    mean = sum((atom.p * atom.b for atom in atoms), F(0))
    other = AtomicLaw(atoms=tuple(dataclasses.replace(atom, b=mean) for atom in atoms))
    one = means(invariant_law(instance), lambda i, v: v)
    two = means(invariant_law(dataclasses.replace(instance, law=other)), lambda i, v: v)
    assert abs(one - two) > 1e-2


def test_words_of_many_lengths_multiply_what_the_stationary_law_errs(monkeypatch):
    # A symbol that seldom comes saturates the unit: words go back to it, or to the end.
    rare, often = F(1, 100), F(99, 100)
    template = load("markov-onegin")
    chain = dataclasses.replace(
        template.chain, rows=(((0, rare), (1, often)),) * 2, inputs=((F(99),), (F(0),))
    )
    assert isinstance(template.law, ProductLaw)
    law = dataclasses.replace(template.law, w=Constant(value=(F(1),)))
    instance = dataclasses.replace(template, chain=chain, law=law)
    options = {"length": 6, "width": 1e-9}
    exact = history_law(instance, **options)
    assert len(exact) == 2 * 7

    off = 2.0**-10

    def inexact(_chain):
        return np.array([float(rare) + off, float(often) - off]), 2 * F(off)

    monkeypatch.setattr(history, "invariant_state_law", inexact)
    wrong = history_law(instance, **options)
    np.testing.assert_array_equal(wrong.memories, exact.memories)
    missed = np.abs(wrong.weights - exact.weights).sum()
    assert missed > 2 * off + 1e-6
    # One error for each length, and one for words that are missing.
    assert missed <= wrong.mass_error <= 8 * 2 * off + 1e-12
    assert wrong.spread >= exact.spread
