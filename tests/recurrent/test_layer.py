"""Norms of differences of hidden functions, against brute force over atoms and mpmath."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verification import gallery
from verification.campaign import strategies
from verification.enclosure.balls import Ball, ball, end_points, less_equal, precision
from verification.instance import AtomicLaw
from verification.oracle import activation as sigma
from verification.oracle.answer import at_two_precisions, real
from verification.oracle.expectation import mean
from verification.recurrent.law import conditional_atoms, dot, mean_b
from verification.recurrent.layer import (
    FunctionPair,
    HiddenFunction,
    squared_distance,
    squared_image_distance,
)
from verification.verdict import Truth

F = Fraction
FEWER = settings(max_examples=max(10, settings.default.max_examples // 2))
"""Half of the profile's examples."""
DISCRETE = ("dependent-b-on-w", "mutant-signed-b", "sharp-l2", "sharp-sobolev", "sharp-fixed-point")
CONTINUOUS = ("markov-onegin", "erf-uniform", "two-dimensional-uniform")


def function(constant, slope, shift, conditional) -> HiddenFunction:
    return HiddenFunction(
        constant=F(constant), slope=F(slope), shift=F(shift), conditional=F(conditional)
    )


PAIRS = [
    (function(0, 1, 0, 0), function(0, 0, 0, 0)),
    (function("1/2", "-1/3", 2, 1), function(0, "2/5", "-1", "1/7")),
    (function(0, 0, 0, 1), function(0, 0, 0, "1023/1024")),
]


def covers(x: Ball, answer) -> bool:
    low, high = end_points(x)
    return low - answer.spread <= answer.value <= high + answer.spread


def expectation(instance, point, of_unit):
    """E G(W.x, E[B | W]) by mpmath: over atoms, or one integral with the constant E[B]."""
    law = instance.law
    if isinstance(law, AtomicLaw):
        return mpmath.fsum(
            real(unit.p) * of_unit(real(dot(unit.w, point)), real(unit.b))
            for unit in conditional_atoms(law)
        )
    length = sigma.length_scale(instance.activation) / 2
    conditional = real(mean_b(law))
    return mean(law, point, lambda u: of_unit(u, conditional), length=length, weighted=False)


def values(instance, h: HiddenFunction, u, b, order: int):
    """h, or its derivative along W.x, at W.x = u with E[B | W] = b."""
    slope = real(h.slope) * sigma.value(instance.activation, order, u + real(h.shift))
    return slope if order else slope + real(h.constant) + real(h.conditional) * b


def oracle_distance(instance, pair: FunctionPair, gradient: bool):
    point = instance.chain.inputs[pair.state]
    squared_input = real(dot(point, point))

    def integrand(u, b):
        gaps = [
            values(instance, pair.first, u, b, order) - values(instance, pair.second, u, b, order)
            for order in ((0, 1) if gradient else (0,))
        ]
        return gaps[0] ** 2 + (squared_input * gaps[1] ** 2 if gradient else 0)

    return expectation(instance, point, integrand)


def oracle_image_distance(instance, pair: FunctionPair, gradient: bool):
    point = instance.chain.inputs[pair.state]
    memories = [
        expectation(instance, point, lambda u, b, h=h: b * values(instance, h, u, b, 0))
        for h in (pair.first, pair.second)
    ]

    def integrand(u, _b):
        gaps = [
            sigma.value(instance.activation, order, u + memories[0])
            - sigma.value(instance.activation, order, u + memories[1])
            for order in ((0, 1) if gradient else (0,))
        ]
        return gaps[0] ** 2 + (real(dot(point, point)) * gaps[1] ** 2 if gradient else 0)

    return expectation(instance, point, integrand)


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("functions", PAIRS, ids=str)
@pytest.mark.parametrize("name", DISCRETE)
def test_norms_agree_with_brute_force_over_atoms(name, functions, gradient):
    instance = gallery.load(name)
    for state in range(min(instance.chain.n_states, 2)):
        pair = FunctionPair(state=state, first=functions[0], second=functions[1])
        for ours, oracle in (
            (squared_distance, oracle_distance),
            (squared_image_distance, oracle_image_distance),
        ):
            answer = at_two_precisions(lambda: oracle(instance, pair, gradient))  # noqa: B023
            with precision(192):
                value = ours(instance, pair, gradient=gradient)
            assert covers(value, answer), value.str(40)
            low, high = end_points(value)
            assert high - low < F(1, 2**150)


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_norms_agree_with_mpmath_for_continuous_laws(name, gradient):
    instance = gallery.load(name)
    pair = FunctionPair(state=0, first=PAIRS[1][0], second=PAIRS[1][1])
    for ours, oracle in (
        (squared_distance, oracle_distance),
        (squared_image_distance, oracle_image_distance),
    ):
        answer = at_two_precisions(lambda: oracle(instance, pair, gradient), 15)  # noqa: B023
        with precision(128):
            value = ours(instance, pair, gradient=gradient)
        assert covers(value, answer), value.str(40)
        low, high = end_points(value)
        # Squares of strip bounds cost up to 50 of the 128 bits: that of erf' is 1e7.
        assert high - low < F(1, 2**70)


functions = st.builds(
    HiddenFunction,
    constant=st.fractions(-2, 2, max_denominator=9),
    slope=st.fractions(-2, 2, max_denominator=9),
    shift=st.fractions(-2, 2, max_denominator=9),
    conditional=st.fractions(-2, 2, max_denominator=9),
)


@FEWER
@given(st.data())
def test_norms_are_norms(data):
    """Zero on the diagonal, symmetric, at least the L2 part; unchanged by permuting atoms."""
    instance = data.draw(strategies.instances(law_kinds=["atoms", "symmetric-atoms"]))
    first, second = data.draw(functions), data.draw(functions)
    atoms = AtomicLaw(atoms=tuple(data.draw(st.permutations(instance.law.atoms))))
    other = dataclasses.replace(instance, law=atoms)
    pair, mirrored, same = (
        FunctionPair(state=0, first=f, second=g)
        for f, g in ((first, second), (second, first), (first, first))
    )
    with precision(128):
        for norm in (squared_distance, squared_image_distance):
            with_gradient = norm(instance, pair, gradient=True)
            without = norm(instance, pair, gradient=False)
            assert less_equal(without, with_gradient) is not Truth.FALSE
            assert less_equal(ball(0), without) is not Truth.FALSE
            assert with_gradient.overlaps(norm(instance, mirrored, gradient=True))
            assert with_gradient.overlaps(norm(other, pair, gradient=True))
            assert norm(instance, same, gradient=True).contains(0)


def test_constant_functions_have_the_norm_of_their_difference():
    instance = gallery.load("markov-onegin")
    pair = FunctionPair(state=0, first=function("3/2", 0, 0, 0), second=function(1, 0, 0, 0))
    with precision(128):
        low, high = end_points(squared_distance(instance, pair, gradient=True))
    assert low <= F(1, 4) <= high
    assert high - low < F(1, 2**110)


def test_conditional_means_are_constants_of_a_product_law():
    """There h = E[B | W] is the constant E[B], with no gradient."""
    instance = gallery.load("markov-onegin")
    pair = FunctionPair(state=0, first=function(0, 0, 0, 1), second=function(0, 0, 0, 0))
    with precision(128):
        low, high = end_points(squared_distance(instance, pair, gradient=True))
    assert low <= mean_b(instance.law) ** 2 <= high


def test_pairs_are_shown_in_full():
    pair = FunctionPair(state=3, first=function(1, "1/2", 0, 0), second=function(0, 0, "-2", 1))
    assert str(pair) == "state 3, h(1, 1/2, 0, 0) and h(0, 0, -2, 1)"
