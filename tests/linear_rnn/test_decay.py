"""Suprema of derivatives, against closed forms, grids and derivatives by mpmath."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from targets import wave

from verification.enclosure.balls import end_points, precision
from verification.errors import NotEnclosed
from verification.linear_functional import (
    Airy,
    Box,
    DampedReciprocal,
    Gaussian,
    PowerLaw,
    Switching,
)
from verification.linear_rnn.decay import (
    _airy_tail,
    decay_constant,
    decays_faster,
    derivatives,
    slowest_rate,
)
from verification.linear_rnn.pieces import of_parts
from verification.linear_rnn.search import value_estimate

F = Fraction


RAMP = (wave(1, 1, 1),)
TURNING = (wave(1, "0.5", 0, 2, "-0.5"), wave("0.25", 2, 1))
LATE_BUMP = Gaussian(coefficient=F(1), centre=F(3), width=F(1))
EARLY_BUMP = Gaussian(coefficient=F(-2), centre=F(-1), width=F(1, 2))
ECHO = Airy(coefficient=F(1), scale=F(9, 4), shift=F(2))
FADING = Airy(coefficient=F(-3), scale=F(1), shift=F(-3))
RECIPROCAL = DampedReciprocal(coefficient=F(-2), rate=F(3))
KINKED = Switching(coefficient=F(1), rate=F(1), times=(F(1, 2), F(2), F(9, 4)))


def ends(found) -> tuple[float, float]:
    return float(end_points(found.lower)[0]), float(end_points(found.upper)[1])


@pytest.mark.parametrize(("order", "truth"), [(1, 4), (2, 16), (3, 48)])
def test_the_constant_of_a_ramp_is_known(order, truth):
    # rho^(k-1) = (-1)^(k-1) (t - k + 1) exp(-t); for beta = 1/2 the supremum is k - 1, at t = 0,
    # from k = 2 on: 2^k (k - 1) = 4, 16, 48; for k = 1 it is 2 (2/e) < 4
    with precision(64):
        found = decay_constant((of_parts(RAMP),), F(1, 2), order, 64)
    low, high = end_points(found.lower)[0], end_points(found.upper)[1]
    assert low <= truth <= high
    assert high - low < F(1, 10**10)


def test_a_supremum_inside_is_found():
    # beta^-1 sup exp(t/2) t exp(-t) = 2 (2/e), at t = 2
    with precision(64):
        found = decay_constant((of_parts(RAMP),), F(1, 2), 0, 64)
    low, high = end_points(found.lower)[0], end_points(found.upper)[1]
    assert float(low) == pytest.approx(4 / np.e, rel=1e-10)
    assert float(high) == pytest.approx(4 / np.e, rel=1e-10)


def test_the_constant_agrees_with_a_grid():
    beta, t = 0.25, np.linspace(0, 80, 400_001)
    (piece,) = of_parts(TURNING)
    largest, slope = 0.0, piece
    for k in (1, 2, 3):
        heights = np.exp(beta * t) * np.abs(value_estimate((slope,), t)) / beta**k
        largest = max(largest, heights.max())
        slope = slope.derivative
    with precision(64):
        found = decay_constant(((piece,),), F(1, 4), 2, 64)
    low, high = (float(x) for x in (end_points(found.lower)[0], end_points(found.upper)[1]))
    assert largest <= high * (1 + 1e-12)
    # Between two points 2e-4 apart a smooth function gains about 1e-7 of itself.
    assert low <= largest * (1 + 1e-6)
    assert high - low <= 1e-9 * high


def test_it_is_the_largest_over_the_channels():
    with precision(64):
        one = decay_constant((of_parts(RAMP),), F(1, 2), 1, 64)
        both = decay_constant((of_parts(RAMP), of_parts((wave(3, 1, 1),))), F(1, 2), 1, 64)
    assert float(sum(end_points(both.upper))) == pytest.approx(
        3 * float(sum(end_points(one.upper)))
    )


def test_slowest_rates():
    assert slowest_rate((of_parts(RAMP), of_parts(TURNING))) == F(1, 2)
    assert slowest_rate((of_parts((PowerLaw(coefficient=F(1), exponent=F(1)),)),)) is None
    assert slowest_rate(((),)) is None


def slopes(function, t, order):
    """Return the derivatives up to an order, of Airy's function those that mpmath has."""
    if isinstance(function, Airy):
        c, scale, shift = (float(x) for x in (function.coefficient, function.scale, function.shift))
        x = scale * (t - shift)
        return [c * scale**k * mpmath.airyai(x, derivative=k) for k in range(order + 1)]
    taylor = mpmath.taylor(function, t, order)
    return [x * mpmath.factorial(k) for k, x in enumerate(taylor)]


@pytest.mark.parametrize("order", [0, 1, 2, 4])
@pytest.mark.parametrize(
    ("part", "beta", "function"),
    [
        (LATE_BUMP, F(1), lambda t: mpmath.exp(-((t - 3) ** 2) / 2)),
        (EARLY_BUMP, F(1, 2), lambda t: -2 * mpmath.exp(-2 * (t + 1) ** 2)),
        (ECHO, F(1), ECHO),
        (FADING, F(2), FADING),
        (RECIPROCAL, F(2), lambda t: -2 * mpmath.exp(-3 * t) / (1 + t)),
    ],
    ids=["late bump", "early bump", "echo", "fading", "reciprocal"],
)
def test_constants_of_other_targets_agree_with_mpmath(part, beta, function, order):
    """The largest value on a grid, of derivatives that mpmath takes of the function itself."""
    with mpmath.workdps(30):
        truth = 0.0
        for n in range(200):
            t = mpmath.mpf(n) / 20
            for k, x in enumerate(slopes(function, t, order)):
                height = abs(x) * mpmath.exp(float(beta) * t)
                truth = max(truth, float(height) / float(beta) ** (k + 1))
    with precision(64):
        low, high = ends(decay_constant((of_parts((part,)),), beta, order, 64))
    assert high - low <= 1e-10 * high
    # Between points 1/20 apart there may be up to a hundredth more.
    assert truth * (1 - 1e-12) <= high <= truth * 1.015


@pytest.mark.parametrize("kappa", [F(0), F(1, 2), F(1)])
@pytest.mark.parametrize(
    "pair", [((F(1),), (F(0),)), ((F(0),), (F(1),)), ((F(0), F(-1)), (F(2), F(1)))]
)
def test_tails_of_airys_function_are_bounded(pair, kappa):
    """From x = 9 on, where x^(1/2) = 3 exceeds kappa + 3/9; and they are not far above."""
    with precision(64):
        bound = float(end_points(_airy_tail(*pair, kappa, F(9)))[1])
    with mpmath.workdps(30):
        values = []
        for k in range(60):
            y = 9 + mpmath.mpf(k) / 10
            a, b = (sum(float(c) * y**n for n, c in enumerate(p)) for p in pair)
            height = a * mpmath.airyai(y) + b * mpmath.airyai(y, derivative=1)
            values.append(float(abs(height) * mpmath.exp(float(kappa) * y)))
    assert max(values) <= bound <= 5 * max(values)


def test_a_reciprocal_has_the_constants_that_are_known():
    # exp(-t)/(1 + t), beta = 1: 1, 2, 5, 16, 65, the sums of 1/i! times k!
    function = of_parts((DampedReciprocal(coefficient=F(1), rate=F(1)),))
    with precision(64):
        found = [ends(decay_constant((function,), F(1), k, 64))[1] for k in range(5)]
    assert found == pytest.approx([1, 2, 5, 16, 65], rel=1e-12)


def test_a_switching_function_has_one_derivative():
    functions = (of_parts((KINKED,)),)
    assert derivatives(functions) == 1
    with precision(64):
        low, high = ends(decay_constant(functions, F(1, 2), 1, 64))
        assert low <= 4 <= high <= 4 + 1e-12
        low, high = ends(decay_constant(functions, F(1, 2), 0, 64))
    t = np.linspace(0, 30, 300_001)
    truth = 2 * np.max(np.exp(t / 2) * np.abs(value_estimate(functions[0], t)))
    assert low <= truth * (1 + 1e-6)
    assert truth <= high
    with precision(64), pytest.raises(TypeError):
        decay_constant(functions, F(1, 2), 2, 64)


def test_which_targets_are_smooth_and_which_rates_are_allowed():
    def of(*parts):
        return (of_parts(parts),)

    assert derivatives(of(wave(1, 1), LATE_BUMP, ECHO, RECIPROCAL)) == 4
    assert derivatives(of(wave(1, 1), KINKED)) == 1
    assert derivatives(of(PowerLaw(coefficient=F(1), exponent=F(1)))) == -1
    assert derivatives(of(Box(height=F(1), start=F(0), length=F(1)), wave(1, 1))) == -1
    assert derivatives(((),)) == 4
    # t exp(-t) exceeds every multiple of exp(-t); exp(-3t)/(1 + t) does not exceed exp(-3t).
    assert not decays_faster(of(*RAMP), F(1))
    assert decays_faster(of(*RAMP), F(99, 100))
    assert decays_faster(of(RECIPROCAL), F(3))
    assert not decays_faster(of(RECIPROCAL), F(301, 100))
    assert decays_faster(of(KINKED), F(1))
    assert decays_faster(of(LATE_BUMP, ECHO), F(1000))
    assert slowest_rate(of(LATE_BUMP)) is None
    assert slowest_rate(of(LATE_BUMP, RECIPROCAL, *RAMP)) == 1


def test_of_several_pieces_the_suprema_add_up():
    single = [(of_parts((part,)),) for part in (LATE_BUMP, RECIPROCAL)]
    both = (of_parts((LATE_BUMP, RECIPROCAL)),)
    with precision(64):
        parts = [ends(decay_constant(each, F(1), 0, 64))[1] for each in single]
        assert ends(decay_constant(both, F(1), 0, 64))[1] == pytest.approx(sum(parts), rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(
    centre=st.fractions(-3, 6, max_denominator=8),
    width=st.fractions(F(1, 8), 3, max_denominator=8),
    beta=st.fractions(F(1, 8), 4, max_denominator=8),
    order=st.integers(0, 4),
)
def test_random_bumps_stay_below_their_constant(centre, width, beta, order):
    """Hermite polynomials by numpy, on a grid about where the weighted bump is."""
    bump = Gaussian(coefficient=F(1), centre=centre, width=width)
    with precision(64):
        low, high = ends(decay_constant((of_parts((bump,)),), beta, order, 64))
    middle = float(max(centre + beta * width**2, 0))
    t = np.maximum(middle + float(width) * np.linspace(-8, 8, 16_001), 0)
    z = (t - float(centre)) / float(width)
    largest = 0.0
    for k in range(order + 1):
        hermite = np.polynomial.hermite_e.hermeval(z, [0] * k + [1])
        weighted = np.abs(hermite) * np.exp(float(beta) * t - z * z / 2)
        largest = max(largest, weighted.max() / float(width) ** k / float(beta) ** (k + 1))
    assert largest <= high * (1 + 1e-9)
    # A thousandth of the width between two points.
    assert low <= largest * (1 + 1e-5)


@pytest.mark.parametrize("digits", [13, 20, 30])
def test_slow_airy_functions_are_given_up_or_enclosed_and_take_no_time(digits):
    """There exp(kappa t) Ai(t), kappa = 10^digits, is an overflow at low precision."""
    functions = (of_parts([Airy(coefficient=F(1), scale=F(1, 10**digits), shift=F(0))]),)
    with precision(64), pytest.raises(NotEnclosed, match="tail"):
        decay_constant(functions, F(1), 1, 64)
    with precision(1024):
        found = decay_constant(functions, F(1), 1, 1024)
        # At the start alone.
        assert end_points(found.lower)[0] >= F(355, 1000)
