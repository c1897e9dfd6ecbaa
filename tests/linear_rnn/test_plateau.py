"""The loss beside a late bump, and its flow: against quadrature, a stiff solver, and by theory."""

from __future__ import annotations

import dataclasses
import itertools
import time
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from verification.deadline import deadline
from verification.enclosure.balls import (
    ball,
    complex_ball,
    end_points,
    lower_double,
    precision,
    symmetric,
    upper_double,
)
from verification.enclosure.chebyshev import coefficients_matrix, lagrange_values
from verification.enclosure.matrix import Matrix
from verification.errors import NotEnclosed
from verification.linear_rnn import validated_step
from verification.linear_rnn.escape import escape, rest_radius
from verification.linear_rnn.gradient_flow import (
    Step,
    derivatives_estimate,
    gradient_estimate,
    steps,
)
from verification.linear_rnn.plateau import (
    Plateau,
    bump_gradient,
    drop,
    gradient,
    gradient_and_hessian,
    miss_upper,
    third_derivative_upper,
)
from verification.linear_rnn.trap import stiffness, stiffnesses, trap_radius
from verification.linear_rnn.validated_step import is_positive, validated

F = Fraction


def plateau(coefficients, rates, delay, *, height="1", length="1"):
    return Plateau(
        coefficients=tuple(map(F, coefficients)),
        rates=tuple(map(F, rates)),
        height=F(height),
        length=F(length),
        delay=F(delay),
    )


FROM_NOTHING = [plateau(["0"], ["1"], s) for s in (2, 4, 6, 8, 10)]
SPARE = [plateau(["1", "0"], ["1", "2"], s) for s in (2, 4, 6, 8, 10)]
THREE = plateau(["1", "-1/2", "0"], ["1", "2", "1"], 2, height="3/2", length="1/2")

NUMBERS = st.sampled_from([F(x) for x in ("0", "1", "-1", "1/2", "-2", "3/10", "0.01")])
RATES = st.sampled_from([F(x) for x in ("1", "1/2", "2", "3/4", "5")])


@st.composite
def plateaus(draw):
    units = draw(st.integers(1, 3))
    return Plateau(
        coefficients=tuple(draw(NUMBERS) for _ in range(units)),
        rates=tuple(draw(RATES) for _ in range(units)),
        height=draw(NUMBERS.filter(bool)),
        length=draw(RATES),
        delay=draw(st.sampled_from([F(1, 2), F(2), F(3), F(6)])),
    )


def offsets(found, numbers):
    """Return an offset in a ball of half the least rate, from numbers in [-1, 1]."""
    scale = min(found.rates) / 2 / 3
    return [scale * x for x in numbers[: 2 * found.units]]


SIX = st.lists(st.integers(-100, 100).map(lambda k: F(k, 100)), min_size=6, max_size=6)


def loss_by_quadrature(found, offset):
    """J, as an integral of a square."""
    number = lambda x: mpmath.mpf(x.numerator) / x.denominator  # noqa: E731
    m = found.units
    a = [number(c + x) for c, x in zip(found.coefficients, offset[:m], strict=True)]
    w = [number(c + y) for c, y in zip(found.rates, offset[m:], strict=True)]
    old = [(number(c), number(v)) for c, v in zip(found.coefficients, found.rates, strict=True)]

    def miss(t, bump):
        value = sum(c * mpmath.exp(-v * t) for c, v in zip(a, w, strict=True))
        return value - sum(c * mpmath.exp(-v * t) for c, v in old) - bump

    start, end = number(found.delay), number(found.delay + found.length)
    height = number(found.height)
    inner = mpmath.quad(lambda t: miss(t, height) ** 2, [start, end])
    outer = mpmath.quad(lambda t: miss(t, 0) ** 2, [0, start])
    return inner + outer + mpmath.quad(lambda t: miss(t, 0) ** 2, [end, end + 10, mpmath.inf])


# The loss and its derivatives


@given(plateaus(), SIX)
@settings(max_examples=8)
def test_the_loss_is_the_integral(found, numbers):
    offset = offsets(found, numbers)
    with mpmath.workdps(30):
        expected = loss_by_quadrature(found, offset)
    with precision(128):
        value = ball(found.energy) - drop(found, [ball(x) for x in offset])
        low, high = map(float, end_points(value))
    assert low == pytest.approx(float(expected), rel=1e-12)
    assert high - low < 1e-30 + 1e-20 * abs(high)


@given(plateaus(), SIX)
@settings(max_examples=15)
def test_the_gradient_and_the_second_derivatives_are_those_of_the_loss(found, numbers):
    offset = offsets(found, numbers)
    step = F(1, 10**8)
    with precision(256):
        slope, bend = gradient_and_hessian(found, [ball(x) for x in offset])
        for k in range(len(offset)):
            moved = []
            for sign in (1, -1):
                beside = [ball(x + sign * step if i == k else x) for i, x in enumerate(offset)]
                moved.append((drop(found, beside), gradient(found, beside)))
            # Central differences err by step^2/6 times a third derivative.
            numeric = (moved[1][0] - moved[0][0]) / ball(2 * step)
            assert upper_double(abs(numeric - slope[k])) < 1e-12
            for i in range(len(offset)):
                numeric = (moved[0][1][i] - moved[1][1][i]) / ball(2 * step)
                assert upper_double(abs(numeric - bend[i][k])) < 1e-11
                assert upper_double(abs(bend[i][k] - bend[k][i])) < 1e-60


@given(plateaus(), SIX)
@settings(max_examples=25)
def test_doubles_agree_with_balls_to_a_relative_accuracy_near_the_start(found, numbers):
    for scale in (F(1), F(1, 10**9)):
        offset = [scale * x for x in offsets(found, numbers)]
        with precision(128):
            slope, bend = gradient_and_hessian(found, [ball(x) for x in offset])
            pull = sum(
                abs(float(end_points(x)[0])) for x in gradient(found, [ball(0)] * len(offset))
            )
            slope = [float(end_points(x)[0]) for x in slope]
            bend = [[float(end_points(x)[0]) for x in row] for row in bend]
        doubles = np.array([[float(x) for x in offset]])
        size = pull + float(np.abs(doubles).max())
        # A few dozen roundings of terms of these sizes; sums of 1/w^3 are at most 3/(1/4)^3.
        assert gradient_estimate(found, doubles)[0] == pytest.approx(slope, abs=1e-12 * size)
        found_slope, found_bend = derivatives_estimate(found, doubles)
        assert found_slope[0] == pytest.approx(slope, abs=1e-12 * size)
        assert found_bend[0] == pytest.approx(np.array(bend), abs=1e-11)


def test_the_bump_s_part_of_the_gradient():
    offset = [F(1, 10), F(-1, 5), F(1, 7), F(0), F(1, 3), F(-1, 4)]
    without = plateau(["1", "-1/2", "0"], ["1", "2", "1"], 2, height="0", length="1/2")
    with precision(128):
        at = [ball(x) for x in offset]
        whole, rest = gradient(THREE, at), gradient(without, at)
        part = bump_gradient(THREE, at)
        for x, y, z in zip(whole, rest, part, strict=True):
            assert upper_double(abs(y - x - z)) < 1e-35


@given(plateaus(), SIX, SIX)
@settings(max_examples=25)
def test_third_derivatives_are_below_their_bound(found, numbers, direction):
    m = found.units
    direction = direction[: 2 * m]
    length = sum(x * x for x in direction)
    assume(length)
    offset = offsets(found, numbers)
    step = F(1, 10**6)
    with precision(256):
        unit = [ball(x) / ball(length).sqrt() for x in direction]

        def along(t):
            at = [ball(x) + t * u for x, u in zip(offset, unit, strict=True)]
            return sum((g * u for g, u in zip(gradient(found, at), unit, strict=True)), ball(0))

        h = ball(step)
        third = (along(h) - 2 * along(ball(0)) + along(-h)) / (h * h)
        bound = third_derivative_upper(
            [abs(ball(c + x)) for c, x in zip(found.coefficients, offset[:m], strict=True)],
            [ball(w + y) for w, y in zip(found.rates, offset[m:], strict=True)],
            miss=miss_upper(found, [ball(x) for x in offset]),
            reach=ball(0),
        )
        assert upper_double(abs(third)) <= upper_double(bound) * (1 + 1e-6) + 1e-6


def test_the_bound_of_third_derivatives_is_of_their_size():
    found = plateau(["1"], ["1"], 8)
    step = ball(F(1, 10**6))
    with precision(256):
        # 6 <Df, D^2 f> = -9/4, and the bump adds 2 int_8^9 t^3 exp(-t) dt = .2538.
        ends = [gradient(found, [ball(0), t])[1] for t in (step, ball(0), -step)]
        third = (ends[0] - 2 * ends[1] + ends[2]) / (step * step)
        bound = third_derivative_upper([ball(1)], [ball(1)], miss=ball(1), reach=ball(0))
    assert float(end_points(third)[0]) == pytest.approx(-2.25 + 0.2538, abs=1e-3)
    assert upper_double(abs(third)) < upper_double(bound) < 15


# Gradient flow


def solved(found, radius):
    """The time of escape by scipy's Radau, with an event, in formulas of its own."""
    m = found.units
    stars = [np.array(list(map(float, x))) for x in (found.coefficients, found.rates)]
    start, end = float(found.delay), float(found.delay + found.length)
    nodes, weights = np.polynomial.legendre.leggauss(20)
    t = (start + end) / 2 + (end - start) / 2 * nodes
    weights = weights * (end - start) / 2 * float(found.height)

    def slope(_, state):
        a, w = state[:m], state[m:]
        with_own = 1 / (w[:, None] + w)
        with_old = 1 / (w[:, None] + stars[1])
        decay = np.exp(-w[:, None] * t)
        inner = with_own @ a - with_old @ stars[0] - decay @ weights
        later = with_own**2 @ a - with_old**2 @ stars[0] - (decay * t) @ weights
        return -np.concatenate([2 * inner, -2 * a * later])

    at = np.concatenate(stars)

    def leaves(_, state):
        return np.linalg.norm(state - at) - radius

    leaves.terminal = True
    found = solve_ivp(slope, (0, 1e9), at, method="Radau", rtol=1e-9, atol=1e-13, events=leaves)
    return found.t_events[0][0]


@pytest.mark.parametrize(
    "found", FROM_NOTHING[:3] + SPARE[:4], ids=lambda x: f"{x.units}-{x.delay}"
)
def test_the_time_of_escape_agrees_with_a_stiff_solver(found):
    radius = F(1, 2) if found.units == 1 else F(39, 100)
    proved = escape(found, radius)
    assert float(proved.inside_until) == pytest.approx(solved(found, float(radius)), rel=1e-5)
    assert 0 < (proved.outside_at - proved.inside_until) / proved.outside_at < 1e-7


@pytest.mark.parametrize(
    ("family", "radius", "expected"),
    [
        (FROM_NOTHING, F(1, 2), [5.05, 63.2, 1474, 4.47e4, 1.55e6]),
        (SPARE, F(39, 100), [0.799, 3.44, 36.7, 423, 3.6e4]),
    ],
)
def test_known_times_of_escape(family, radius, expected):
    found = [escape(each, radius) for each in family]
    assert [float(each.inside_until) for each in found] == pytest.approx(expected, rel=2e-3)
    assert all(not each.stays for each in found)
    assert all(lower_double(each.reach.upper) <= radius for each in found)


@pytest.mark.parametrize("delay", [6, 8, 10])
def test_a_network_without_a_spare_unit_is_trapped(delay):
    proved = escape(plateau(["1"], ["1"], delay), F(1, 2))
    assert proved.stays
    assert proved.outside_at is None
    low, high = lower_double(proved.reach.lower), upper_double(proved.reach.upper)
    assert 0 < low < high < low * (1 + 1e-4)
    assert high < 0.2


@pytest.mark.parametrize("delay", [2, 4])
def test_it_is_not_where_the_bump_comes_soon(delay):
    proved = escape(plateau(["1"], ["1"], delay), F(1, 2))
    assert not proved.stays
    assert proved.outside_at is not None


@given(plateaus())
@settings(max_examples=6, deadline=None)
def test_what_is_proved_of_random_flows_agrees_with_a_stiff_solver(found):
    radius = min(found.rates) / 2
    proved = escape(found, radius)
    at = np.array([float(c) for c in (*found.coefficients, *found.rates)])
    moment = proved.moments[len(proved.moments) // 2]
    assert upper_double(moment.error) < 1e-4 * radius

    def slope(_, state):
        return -gradient_estimate(found, (state - at)[None])[0]

    solution = solve_ivp(slope, (0, float(moment.time)), at, method="LSODA", rtol=1e-10, atol=1e-13)
    # The solver's own error is some hundred times its tolerance.
    reached = np.array([float(x) for x in moment.offset])
    assert solution.y[:, -1] - at == pytest.approx(reached, abs=1e-5 * float(radius))


def test_a_flow_ends_at_the_deadline():
    with deadline(time.monotonic() - 1), pytest.raises(NotEnclosed, match="budget"):
        escape(plateau(["0"], ["1"], 5), F(1, 2))
    assert escape(plateau(["0"], ["1"], 5), F(1, 2)).outside_at is not None


def test_moments_are_in_order_and_within_the_ball():
    proved = escape(FROM_NOTHING[1], F(1, 2))
    times = [moment.time for moment in proved.moments]
    assert times == sorted(times)
    assert times[0] == 0
    assert times[-1] == proved.inside_until
    for moment in proved.moments:
        assert sum(float(x) ** 2 for x in moment.offset) <= 0.25


def test_the_loss_falls_along_the_moments():
    proved = escape(FROM_NOTHING[0], F(1, 2))
    with precision(128):
        gained = [
            lower_double(drop(FROM_NOTHING[0], [ball(x) for x in moment.offset]))
            for moment in proved.moments
        ]
    assert gained == sorted(gained)


def test_a_polynomial_that_is_not_the_flow_gets_an_error_that_says_so():
    found = FROM_NOTHING[0]
    step = next(steps(found, 0.5))
    with precision(128):
        start = [ball(0), ball(0)]
        right = validated(found, step, start, ball(0))
        wrong = step.coefficients.copy()
        wrong[0] += 1e-6
        wrong[1] += 1e-6
        moved = validated(found, Step(step.start, step.length, wrong), start, ball(0))
        slower = validated(
            found, Step(step.start, 2 * step.length, step.coefficients), start, ball(0)
        )
        assert upper_double(right.error) < 1e-10
        # It starts where it should and ends 2e-6 away in both coordinates.
        assert upper_double(moved.error) > 2.8e-6
        true = solve_ivp(
            lambda _, x: -gradient_estimate(found, x[None])[0],
            (0, 2 * step.length),
            np.zeros(2),
            rtol=1e-10,
            atol=1e-14,
        ).y[:, -1]
        distance = float(np.linalg.norm(step.coefficients.sum(axis=0) - true))
        assert distance > 1e-3
        assert upper_double(slower.error) > distance


def test_an_error_at_the_start_is_carried_along():
    found = FROM_NOTHING[0]
    step = next(steps(found, 0.5))
    with precision(128):
        start = [ball(0), ball(0)]
        alone = validated(found, step, start, ball(0))
        with_error = validated(found, step, start, ball(F(1, 1000)))
        assert upper_double(alone.last_error) < 1e-9
        assert 0.9e-3 < upper_double(with_error.last_error) < 1.2e-3


def test_positive_matrices():
    with precision(64):
        rows = [[ball(1), ball(2)], [ball(2), ball(3)]]
        # Eigenvalues 2 - sqrt 5 and 2 + sqrt 5.
        assert is_positive(rows, ball(F(1, 4)))
        assert not is_positive(rows, ball(F(1, 5)))
        assert not is_positive([[symmetric(ball(1))]], ball(0))


def test_determinants_and_chebyshev_coefficients():
    with precision(64):
        exact = Matrix.exact([[F(1), F(2)], [F(3), F(5)]])
        assert end_points(exact.determinant()) == (F(-1), F(-1))
        # T_2 = 2 x^2 - 1 has the values 1, -1, 1 at 1, 0, -1.
        found = coefficients_matrix(2) @ Matrix.column([F(1), F(-1), F(1)])
        for x, expected in zip(found.numbers(), (0, 0, 1), strict=True):
            assert upper_double(abs(ball(x) - expected)) < 1e-17
        values = lagrange_values([ball(F(1, 2))], 2) @ Matrix.column([F(1), F(-1), F(1)])
        assert values.numbers()[0].contains(ball(F(-1, 2)))


def test_complex_balls_enclose_the_real_gradient():
    with precision(128):
        wide = [complex_ball(symmetric(ball(F(1, 50))), symmetric(ball(F(1, 50))))] * 6
        thin = gradient(THREE, [ball(F(1, 100))] * 6)
        for x, y in zip(gradient(THREE, wide), thin, strict=True):
            assert x.real.contains(y)
            assert x.abs_upper().is_finite()


# Rest


def test_the_flow_rests_in_a_ball_where_the_pull_is_weak_against_the_stiffness():
    found = plateau(["1"], ["1"], 12)
    start = [ball(0), ball(0)]
    with precision(128):
        kept = F(19, 100)
        pull = sum((x * x for x in gradient(found, start)), ball(0)).sqrt()
        least = pull / ball(kept)
        rest = rest_radius(found, start, ball(0), kept)
        assert 1.04 < upper_double(rest / least) < 1.06
        # Large enough for the error, as long as the third derivatives allow it.
        wide = rest_radius(found, start, ball(F(1, 1024)), kept)
        assert lower_double(wide) == upper_double(wide) == 1 / 1024
        assert rest_radius(found, start, ball(F(1, 10)), kept) is None
        # The least eigenvalue is 0.19098.
        assert rest_radius(found, start, ball(0), F(192, 1000)) is None


def test_the_flow_does_not_rest_where_it_is_pulled_away():
    with precision(128):
        start = [ball(0), ball(0)]
        for delay in (2, 3, 4):
            assert rest_radius(plateau(["1"], ["1"], delay), start, ball(0), F(15, 100)) is None


# Traps


def test_the_stiffness_at_the_start():
    found = plateau(["1"], ["1"], 8)
    with precision(64):
        low, high = (float(end_points(x)[0]) for x in stiffnesses(found))
        # ((1, -1/2), (-1/2, 1/2)) has the trace 3/2 and the determinant 1/4.
        assert low == pytest.approx((3 - 5**0.5) / 4, rel=1e-12)
        assert high == pytest.approx((3 + 5**0.5) / 4, rel=1e-12)
        near = lower_double(stiffness(found, F(1, 10**6)))
        # An arc of half-width pi/128 costs (pi/128)^2 times a second derivative below 5.
        assert low - 0.004 < near < low


@given(st.integers(1, 20), st.integers(0, 359))
@settings(max_examples=20)
def test_the_stiffness_is_a_lower_bound_on_the_circle(hundredths, degrees):
    size = F(hundredths, 100)
    for found in (plateau(["1"], ["1"], 8), plateau(["1", "-2"], ["1", "3"], 8)):
        m = found.units
        angle = degrees * np.pi / 180
        direction = np.zeros(2 * m)
        direction[m - 1], direction[m] = np.cos(angle), np.sin(angle)
        without = Plateau(
            coefficients=found.coefficients,
            rates=found.rates,
            height=F(0),
            length=F(1),
            delay=F(1),
        )
        e = float(size) * direction
        inward = float(gradient_estimate(without, e[None])[0] @ e) / float(size) ** 2
        with precision(64):
            assert lower_double(stiffness(found, size)) <= inward + 1e-12


def test_the_stiffness_of_two_units_falls_with_the_distance():
    found = plateau(["1", "-2"], ["1", "3"], 8)
    without = dataclasses.replace(found, height=F(0))
    _, bend = derivatives_estimate(without, np.zeros((1, 4)))
    values, vectors = np.linalg.eigh(bend[0])
    noise = np.random.default_rng(0).normal(size=(20_000, 4))
    for size in (F(1, 20), F(1, 10), F(1, 4)):
        # Directions near the flattest one, and nearer.
        spread = np.geomspace(1e-3, 0.3, len(noise))[:, None]
        directions = vectors[:, 0] + spread * noise
        directions /= np.linalg.norm(directions, axis=1)[:, None]
        offsets_ = float(size) * directions
        inward = (gradient_estimate(without, offsets_) * offsets_).sum(axis=1)
        flattest = float(inward.min()) / float(size) ** 2
        # Flatter than the second derivatives at the start say.
        assert flattest < values[0] * (1 - 1e-3)
        with precision(64):
            assert lower_double(stiffness(found, size)) <= flattest


def test_a_trap_is_found_where_the_pull_is_weak_and_none_with_a_spare_unit():
    def weak(_plateau, size):
        return ball(F(1, 1000)) * ball(1 + size)

    with precision(64):
        found = trap_radius(plateau(["1"], ["1"], 8), F(1, 2), weak, 64)
        # About 0.001 / 0.19 at the least.
        assert 0.0052 < float(found) < 0.0062
        assert trap_radius(plateau(["1"], ["1"], 8), F(1, 1000), weak, 64) is None
        assert trap_radius(plateau(["1", "0"], ["1", "2"], 8), F(1, 2), weak, 64) is None
        assert trap_radius(plateau(["1", "1"], ["1", "1"], 8), F(1, 2), weak, 64) is None
        two = trap_radius(
            plateau(["1", "1"], ["1", "4"], 8), F(1, 2), lambda *_: ball(F(1, 10**9)), 64
        )
        assert two is not None


@pytest.mark.parametrize("delay", [8, 10, 12, 14, 20])
def test_the_radius_of_a_trap_is_never_beyond_the_largest_allowed(delay):
    def steady(_plateau, _size):
        return ball(F(1, 1000))

    with precision(64):
        there = trap_radius(plateau(["1"], ["1"], delay), F(1, 2), steady, 64)
        # So little less that the spare part of the last step decides.
        most = there * (1 - F(1, 2**21))
        found = trap_radius(plateau(["1"], ["1"], delay), most, steady, 64)
        assert found is None or found <= most


@pytest.mark.parametrize("hundredths", [3, 11, 20, 31, 37, 43, 47, 50])
def test_an_escape_is_located_wherever_the_sphere_falls_in_a_step(hundredths):
    found = escape(plateau(["0"], ["1"], 3), F(hundredths, 100))
    assert found.outside_at is not None
    assert 0 < found.outside_at - found.inside_until < found.outside_at * F(1, 10**7)


def test_escapes_from_larger_balls_are_later():
    times = [escape(plateau(["0"], ["1"], 3), F(k, 20)) for k in range(1, 10)]
    for earlier, later in itertools.pairwise(times):
        assert earlier.outside_at < later.inside_until


def test_a_spectrum_beyond_doubles_is_no_bound(monkeypatch):
    found = plateau(["1"], ["1"], "3")
    step = next(steps(found, 0.5))

    def huge(_, points):
        return np.ones((len(points), 2)), np.full((len(points), 2, 2), 1.7e308)

    monkeypatch.setattr(validated_step, "derivatives_estimate", huge)
    with precision(128), pytest.raises(NotEnclosed, match="beyond the range of doubles"):
        validated(found, step, [ball(0)] * 2, ball(0))
