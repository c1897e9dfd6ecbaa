"""The error bound of one step, against flows that a solver follows to twelve digits."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from verification.enclosure.balls import ball, exact_ball, precision, upper_double
from verification.enclosure.chebyshev import chebyshev_points, lagrange_values
from verification.enclosure.matrix import Matrix
from verification.errors import NotEnclosed
from verification.linear_rnn.gradient_flow import (
    STAGES,
    Step,
    derivatives_estimate,
    gradient_estimate,
    steps,
)
from verification.linear_rnn.plateau import Plateau, gradient_and_hessian
from verification.linear_rnn.validated_step import (
    DEGREE,
    beyond_the_interpolant,
    extreme_upper,
    validated,
)

F = Fraction
S_GRID = np.linspace(-1, 1, 21)
SOLVER = 1e-10
"""The solver interpolates between its steps: a hundred times its tolerance."""


def plateau(coefficients, rates, delay):
    return Plateau(
        coefficients=tuple(map(F, coefficients)),
        rates=tuple(map(F, rates)),
        height=F(1),
        length=F(1),
        delay=F(delay),
    )


def flows(found, start, length):
    """The flow from a start, at the times that belong to `S_GRID`."""
    solution = solve_ivp(
        lambda _, x: -gradient_estimate(found, x[None])[0],
        (0, length),
        start,
        method="DOP853",
        rtol=1e-12,
        atol=1e-15,
        t_eval=(S_GRID + 1) / 2 * length,
    )
    return solution.y.T


def bound(found, step, start, error=0.0):
    """The proved errors of a step that begins within `error` of a start."""
    with precision(128):
        checked = validated(
            found, step, [exact_ball(float(x)) for x in start], exact_ball(float(error))
        )
        return upper_double(checked.error), upper_double(checked.last_error)


def distances(found, step, start):
    """How far the flow from a start is from the polynomial, along the step."""
    gaps = flows(found, start, step.length) - step.offsets(S_GRID)
    return np.linalg.norm(gaps, axis=1)


def middle_step(found, radius, number):
    """One step of the flow on its way."""
    following = steps(found, radius)
    for _ in range(number):
        step = next(following)
    return step


CASES = [
    (plateau(["0"], ["1"], 2), 0.5, 10),
    (plateau(["0"], ["1"], 4), 0.5, 30),
    (plateau(["1", "0"], ["1", "2"], 4), 0.39, 6),
    (plateau(["1"], ["1"], 4), 0.5, 6),
]


@pytest.mark.parametrize(("found", "radius", "number"), CASES)
def test_what_starts_elsewhere_is_found_to_do_so(found, radius, number):
    step = middle_step(found, radius, number)
    start = step.offsets(S_GRID[:1])[0]
    for k in range(len(start)):
        moved = start.copy()
        moved[k] += 1e-3
        far = distances(found, step, moved)
        worst, last = bound(found, step, moved)
        assert far.max() <= worst <= 3 * far.max()
        assert far[-1] <= last


@pytest.mark.parametrize(("found", "radius", "number"), CASES)
def test_an_error_grows_as_that_of_a_flow_beside_it(found, radius, number):
    step = middle_step(found, radius, number)
    # Longer, so that the growth shows.  The polynomial is then found anew, by least squares.
    length = 1.6 * step.length
    start = step.offsets(S_GRID[:1])[0]
    fit = np.polynomial.chebyshev.chebfit(S_GRID, flows(found, start, length), STAGES)
    longer = Step(step.start, length, fit)
    values, vectors = np.linalg.eigh(derivatives_estimate(found, start[None])[1][0])
    size = 1e-4
    worst, last = bound(found, longer, start, size)
    grown = 0.0
    for sign in (1, -1):
        far = distances(found, longer, start + sign * size * vectors[:, 0])
        assert far.max() <= worst
        assert far[-1] <= last
        grown = max(grown, far.max())
    # It is of the size that it has to be: the flow beside it, and what the fit leaves.
    alone = bound(found, longer, start)[0]
    assert worst <= 1.5 * grown + 1.5 * alone
    assert (values[0] > -0.05) or grown > size * np.exp(-values[0] * length / 2)


@pytest.mark.parametrize(("found", "radius", "number"), CASES)
def test_a_defect_is_gathered_over_the_whole_step(found, radius, number):
    step = middle_step(found, radius, number)
    start = step.offsets(S_GRID[:1])[0]
    wrong = step.coefficients.copy()
    # A polynomial that turns away and back: its ends are right.
    wrong[2] += 1e-4
    wrong[0] -= 1e-4
    turned = Step(step.start, step.length, wrong)
    far = distances(found, turned, start)
    worst, last = bound(found, turned, start)
    assert far.max() <= worst
    assert far[-1] <= last
    # Where the step lasts long the flow would have come back.
    stiff = np.abs(derivatives_estimate(found, start[None])[1]).sum()
    assert worst <= 20 * far.max() * (1 + stiff * step.length)


@given(
    st.sampled_from(CASES),
    st.lists(st.integers(-1000, 1000), min_size=45, max_size=45),
    st.sampled_from([1e-2, 1e-4, 1e-7]),
)
@settings(max_examples=40, deadline=None)
def test_any_polynomial_is_as_far_from_the_flow_as_its_bound_says(case, numbers, size):
    found, radius, number = case
    step = middle_step(found, radius, number)
    count = 2 * found.units
    noise = size * np.resize(numbers, (STAGES + 2, count)) / 1000
    noise[1:-1] *= 0.5 ** np.arange(STAGES)[:, None]
    changed = Step(step.start, step.length, step.coefficients + noise[:-1])
    start = step.offsets(S_GRID[:1])[0] + noise[-1]
    far = distances(found, changed, start)
    try:
        worst, last = bound(found, changed, start)
    except NotEnclosed:
        # Where the polynomial is far from any flow nothing need be proved.
        assert size > 1e-3
        return
    assert far.max() <= worst + SOLVER
    assert far[-1] <= last + SOLVER


def test_a_large_error_shrinks_no_faster_than_the_flow_beside_it():
    # At rest where the loss is least; its second derivatives are smaller on one side of there.
    found = plateau(["1"], ["1"], 14)
    rest = np.zeros((STAGES + 1, 2))
    step = Step(0.0, 0.5, rest)
    size = 0.05
    last = bound(found, step, np.zeros(2), size)[1]
    angles = np.arange(0, 360, 10) * np.pi / 180
    starts = size * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    reached = max(distances(found, step, start)[-1] for start in starts)
    least = np.linalg.eigvalsh(derivatives_estimate(found, np.zeros((1, 2)))[1][0])[0]
    # More than second derivatives alone, and the margin of 0.2 %, would tell.
    assert size * np.exp(-least * 0.5 + 0.002) < reached <= last


def test_a_step_on_which_a_rate_may_vanish_is_refused():
    found = plateau(["0"], ["1"], 2)
    wild = np.zeros((STAGES + 1, 2))
    wild[1, 1] = 0.9
    with pytest.raises(NotEnclosed, match="too long to be validated"):
        bound(found, Step(0.0, 1.0, wild), np.zeros(2))
    assert ball(0).is_exact()


def test_a_small_defect_is_gathered_over_a_long_step():
    found = plateau(["0"], ["1"], 6)
    step = middle_step(found, 0.5, 28)
    assert step.length > 20
    start = step.offsets(S_GRID[:1])[0]
    wrong = step.coefficients.copy()
    # It drifts away as slowly as the plateau is left.
    wrong[:2, 1] += 1e-5
    drifted = Step(step.start, step.length, wrong)
    far = distances(found, drifted, start)
    assert far.max() > 1.9e-5
    worst, last = bound(found, drifted, start)
    # The drift moves what the stiff direction settles at; the bound adds that up.
    assert far.max() <= worst <= 10 * far.max()
    assert far[-1] <= last


def test_the_largest_value_of_a_polynomial_between_the_points_that_are_looked_at():
    with precision(128):
        for angle in np.linspace(0.1, 3, 25):
            top = ball(F(float(np.cos(angle))))
            values = [1 - 100 * (s - top) * (s - top) for s in chebyshev_points(DEGREE)]
            found = extreme_upper(Matrix.column(values))
            assert 1 <= upper_double(found) < 16
        flat = extreme_upper(Matrix.column([ball(F(1, 3))] * (DEGREE + 1)))
        assert upper_double(flat) == pytest.approx(1 / 3, rel=1e-15)


def test_what_an_interpolant_leaves_out_is_below_its_bound():
    found = plateau(["0.3", "1"], ["1", "2"], 8)
    with precision(256):
        centre = [ball(F(1, 10)), ball(0), ball(0), ball(F(1, 5))]
        slope = [ball(F(1, 10)), ball(F(1, 20)), ball(F(1, 5)), ball(F(-1, 5))]
        half = ball(F(17, 8))
        tails = beyond_the_interpolant(found, centre, [abs(x) * half for x in slope])

        def along(s):
            at = [c + s * x for c, x in zip(centre, slope, strict=True)]
            return gradient_and_hessian(found, at)

        nodes = [along(s) for s in chebyshev_points(DEGREE)]
        places = [ball(F(k, 17)) for k in range(-16, 17)]
        weights = lagrange_values(places, DEGREE)
        for k, tail in enumerate(tails.gradient):
            between = weights @ Matrix.column([slopes[k] for slopes, _ in nodes])
            missed = [
                upper_double(abs(ball(q) - along(s)[0][k]))
                for q, s in zip(between.numbers(), places, strict=True)
            ]
            assert 0 < max(missed) <= upper_double(tail)
            assert upper_double(tail) < 1e-15
        between = weights @ Matrix.column(
            [Matrix.of_balls(bend).determinant() for _, bend in nodes]
        )
        exact = [Matrix.of_balls(along(s)[1]).determinant() for s in places]
        bound_of_rows = tails.factor
        for row in tails.rows:
            bound_of_rows = bound_of_rows * row
        missed = [
            upper_double(abs(ball(q) - x)) for q, x in zip(between.numbers(), exact, strict=True)
        ]
        assert 0 < max(missed) <= upper_double(bound_of_rows)
