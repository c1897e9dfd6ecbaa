"""Laws of words against brute force in mpmath, and the invariant law against its invariance."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import mpmath
import pytest

from tests.support import limit_equation as oracle
from verification import gallery
from verification.enclosure.balls import ball, end_points, precision
from verification.errors import NotEnclosed
from verification.flow import finite_law as module
from verification.flow.finite_law import (
    AllWords,
    GivenWords,
    InvariantLaw,
    count_of_words,
    finite_law,
    has_finite_invariant_law,
    stationary_words,
)
from verification.instance import Chain, Instance
from verification.markov import finite
from verification.recurrent.memory import memory_map

DISCRETE = ["rain-tel-aviv", "dependent-b-on-w", "sharp-l2", "sharp-sobolev", "mutant-m-step"]


@pytest.fixture(autouse=True)
def _digits():
    with precision(128), mpmath.workdps(45):
        yield


def named(name: str) -> Instance:
    subject = gallery.load(name)
    assert isinstance(subject, Instance)
    return subject


def contains(number, value, width=Fraction(1, 10**30)) -> None:
    low, high = end_points(ball(number))
    exact = Fraction(*mpmath.mpf(value).as_integer_ratio())
    slack = Fraction(1, 10**42)
    assert low - slack <= exact <= high + slack
    assert high - low <= width


def moments(law, power: int, of_target: int) -> Fraction:
    """``E[v^power y^of_target]`` by the law's own numbers."""
    value = ball(0)
    for atom in law.atoms:
        point = law.points[atom.place]
        term = ball(atom.weight) * ball(atom.target**of_target)
        for _ in range(power):
            term = term * ball(point.memory)
        value = value + term
    return value


@pytest.mark.parametrize("name", DISCRETE)
@pytest.mark.parametrize("known", [0, 1, 3])
def test_words_are_those_of_brute_force(name, known):
    instance = named(name)
    law = finite_law(instance, AllWords(known=known))
    atoms = oracle.history_atoms(instance, known)
    for power, of_target in ((0, 0), (1, 0), (2, 1), (3, 2), (0, 1)):
        expected = mpmath.fsum(w * point[1] ** power * y**of_target for point, w, y in atoms)
        contains(moments(law, power, of_target), expected)
    assert len(law.places) == len(law.points) == len(set(law.places))


def test_weights_are_exact_and_sum_to_one():
    law = finite_law(named("markov-onegin"), AllWords(known=2))
    assert all(isinstance(atom.weight, Fraction) for atom in law.atoms)
    assert sum(law.masses) == 1
    assert len(law.atoms) == 8


def test_the_law_of_fewer_inputs_is_the_marginal_of_the_longer_one():
    chain = named("hidden-state").chain
    shorter: dict[tuple[int, ...], Fraction] = {}
    for word, weight in stationary_words(chain, 2):
        shorter[word[1:]] = shorter.get(word[1:], Fraction(0)) + weight
    assert shorter == dict(stationary_words(chain, 1))


def test_words_with_the_same_inputs_are_one_point():
    """States 0 and 1 of the hidden state show one input: 4 points, 6 atoms, not 9."""
    instance = named("hidden-state")
    law = finite_law(instance, AllWords(known=1))
    assert (len(law.points), len(law.atoms)) == (4, 6)
    assert len({str(point) for point in law.points}) == 4


def test_variance_within_is_what_no_function_explains():
    instance = named("hidden-state")
    law = finite_law(instance, AllWords(known=0))
    pi = finite.stationary_law(instance.chain)
    targets = instance.chain.targets
    mean = (pi[0] * targets[0] + pi[1] * targets[1]) / (pi[0] + pi[1])
    expected = pi[0] * (targets[0] - mean) ** 2 + pi[1] * (targets[1] - mean) ** 2
    assert law.variance_within == expected > 0
    assert law.mean_targets[0] == mean
    # the mean square splits into that of the means and the variance
    means = sum(m * y * y for m, y in zip(law.masses, law.mean_targets, strict=True))
    assert law.squared_target == means + expected
    assert finite_law(named("rain-tel-aviv"), AllWords(known=1)).variance_within == 0


def test_given_words_have_equal_weights_and_are_cut_at_their_ends():
    instance = named("hidden-state")
    data = GivenWords(words=((0, 2, 1), (0, 2, 0), (1, 2, 1)), known=1)
    law = finite_law(instance, data)
    # (2, 1) twice and (2, 0), of which the inputs are the same
    assert len(law.points) == 1
    assert {(atom.target, atom.weight) for atom in law.atoms} == {
        (Fraction(-1), Fraction(2, 3)),
        (Fraction(1), Fraction(1, 3)),
    }
    expected = memory_map(instance, 2, ball(0))
    assert ball(law.points[0].memory).overlaps(expected)


def test_product_of_marginals_keeps_them_and_makes_them_independent():
    law = finite_law(named("two-state-sticky"), AllWords(known=2))
    product = law.product_of_marginals()
    for power, of_target in ((0, 0), (1, 0), (2, 0), (0, 1), (0, 2)):
        one, other = moments(law, power, of_target), moments(product, power, of_target)
        assert abs(one - other).abs_upper().overlaps(ball(0)) or one.overlaps(other)
    mixed = moments(product, 1, 1)
    assert mixed.overlaps(moments(law, 1, 0) * moments(law, 0, 1))
    assert not mixed.overlaps(moments(law, 1, 1))


FINITE = {
    "one-state": 1,
    "sharp-ergodic": 1,
    "periodic-three": 3,
    "sharp-forgetting": 4,
    "zero-memory": 3,
    "zero-memory-atoms": 2,
    "absorbing": 1,
}


@pytest.mark.parametrize(("name", "places"), FINITE.items())
def test_the_invariant_law_is_invariant(name, places):
    """One step from an atom leads to an atom, with the weights that the chain gives."""
    instance = named(name)
    assert has_finite_invariant_law(instance)
    law = finite_law(instance, InvariantLaw())
    assert len(law.points) == places
    assert sum(law.masses) == 1
    chain = instance.chain
    for state in finite.recurrent_classes(chain)[0].states:
        images = [
            memory_map(instance, state, ball(point.memory))
            for point in law.points
            if point.input == chain.inputs[state]
        ]
        for following, _ in chain.rows[state]:
            reached = [p for p in law.points if p.input == chain.inputs[following]]
            assert any(image.overlaps(ball(p.memory)) for p in reached for image in images)
    for point in law.points:
        low, high = end_points(ball(point.memory))
        assert high - low < Fraction(1, 10**30)


def test_the_invariant_law_is_the_limit_of_long_histories():
    instance = named("sharp-forgetting")
    invariant = finite_law(instance, InvariantLaw())
    long = finite_law(instance, AllWords(known=40))
    for point in invariant.points:
        near = [p for p in long.points if p.input == point.input]
        gaps = [end_points(abs(ball(p.memory) - ball(point.memory)))[1] for p in near]
        assert min(gaps) < Fraction(1, 10**28)


@pytest.mark.parametrize("name", ["fair-coin", "hidden-state", "rain-tel-aviv"])
def test_other_invariant_laws_are_not_said_to_be_finite(name):
    assert not has_finite_invariant_law(named(name))
    with pytest.raises(NotEnclosed, match="not known to have finitely many"):
        finite_law(named(name), InvariantLaw())


def test_words_are_counted_without_being_listed():
    chain = named("hidden-state").chain
    for known in range(3):
        assert count_of_words(chain, known, 10**6) == len(stationary_words(chain, known))
    assert count_of_words(chain, 200, 64) is None
    assert count_of_words(named("random-dense-50").chain, 0, 49) is None
    assert count_of_words(named("random-dense-50").chain, 0, 50) == 50


def test_too_many_words_are_refused():
    assert module.MAX_ATOMS == 64
    with pytest.raises(NotEnclosed, match="more than 64"):
        finite_law(named("fair-coin"), AllWords(known=6))


# --- folding -------------------------------------------------------------------------------


def reflected_chain() -> Instance:
    """Inputs 1, -1, 0 and targets that reflections share, or not."""
    instance = named("fair-coin")
    third = Fraction(1, 3)
    chain = Chain(
        rows=(((0, third), (1, third), (2, third)),) * 3,
        inputs=((Fraction(1),), (Fraction(-1),), (Fraction(0),)),
        targets=(Fraction(1), Fraction(-1, 2), Fraction(5)),
        initial=0,
    )
    return dataclasses.replace(instance, chain=chain)


def test_folding_counts_a_target_at_the_reflection_with_the_other_sign():
    law = finite_law(reflected_chain(), AllWords(known=0)).folded()
    # 0 is its own reflection, and left out; 1/2 is seen at 1 in place of -1/2 at -1
    assert len(law.points) == 1
    assert law.masses == (Fraction(2, 3),)
    assert law.mean_targets == (Fraction(3, 4),)
    assert law.variance_within == Fraction(2, 3) * Fraction(1, 16)


def test_folding_reflects_the_past_as_well():
    law = finite_law(reflected_chain(), AllWords(known=1))
    assert len(law.points) == 9
    folded = law.folded()
    # (0; 0) vanishes, and the other eight are four pairs
    assert len(folded.points) == 4
    for place in folded.places:
        assert place.reflected() not in folded.places
