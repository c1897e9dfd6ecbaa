"""Random chains, activations and laws: the two laws and the two solutions contain one truth."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from verification.campaign import strategies
from verification.errors import NotEnclosed
from verification.flow.history import history_law
from verification.flow.limit_flow import limit_flow
from verification.flow.node_law import invariant_law
from verification.instance import Instance
from verification.kernel.features import gram_doubles
from verification.markov.finite import has_one_recurrent_class

F = Fraction
FEWER = settings(max_examples=max(10, settings.default.max_examples // 3))


@st.composite
def forgetting_instances(draw) -> Instance:
    """Contracting instances with training constants and one stationary law, of dimension 1."""
    instance = draw(
        strategies.instances(
            contracting=True, training=True, max_states=4, moderate=True, dimension=1
        )
    )
    assume(has_one_recurrent_class(instance.chain))
    return instance


@FEWER
@given(forgetting_instances())
def test_interpolation_and_words_enclose_one_law(instance):
    try:
        law = invariant_law(instance)
    except NotEnclosed:
        event("not interpolated")
        return
    event("interpolated")
    words = history_law(instance, width=1e-6, max_words=2**12)
    assert abs(law.weights.sum() - 1) <= 1e-9
    for shift in (0.0, 1.0):
        one = float(law.weights @ np.cos(law.memories + law.states + shift))
        other = float(words.weights @ np.cos(words.memories + words.states + shift))
        allowed = law.analytic_error * np.cosh(float(law.strip)) + words.spread + words.mass_error
        assert abs(one - other) <= allowed + 1e-13
    # The spread is never far above what the contraction gives for words of this length.
    assert words.spread <= 2 * float(np.abs(words.memories).max() + 2)


@FEWER
@given(forgetting_instances(), st.fractions(0, 4, max_denominator=8))
def test_two_laws_give_one_solution(instance, time):
    points = [(0, F(0)), (instance.chain.n_states - 1, F(1, 3))]
    try:
        one = limit_flow(instance, invariant_law(instance), points)
        first, first_loss = one.output([time]), one.loss([time])
    except NotEnclosed:
        event("not enclosed")
        return
    try:
        other = limit_flow(instance, history_law(instance, width=1e-9, max_words=2**12), points)
        second, second_loss = other.output([time]), other.loss([time])
    except NotEnclosed:
        event("words too coarse")
        return
    event("both")
    apart = np.abs(first.values - second.values).max()
    assert apart <= first.errors[0] + second.errors[0]
    assert abs(first_loss.values[0] - second_loss.values[0]) <= (
        first_loss.errors[0] + second_loss.errors[0]
    )
    # The loss never exceeds the targets' mean square.
    start = one.loss([F(0)])
    assert first_loss.values[0] <= start.values[0] + start.errors[0] + first_loss.errors[0]


@FEWER
@given(
    strategies.instances(max_states=3, moderate=True, dimension=1),
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=2, max_size=4),
)
def test_gram_matrices_are_nearly_positive_whatever_the_law(instance, points):
    inputs = np.array([[x] for x, _ in points])
    memories = np.array([v for _, v in points])
    try:
        matrix, error = gram_doubles(instance, inputs, memories)
    except NotEnclosed:
        event("not enclosed")
        return
    event("enclosed")
    assert np.linalg.eigvalsh(matrix).min() >= -len(points) * (error + 1e-15 * matrix.max())
    assert error <= 1e-9 * (1 + matrix.max())
