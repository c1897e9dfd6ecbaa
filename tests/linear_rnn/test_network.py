"""Linear networks against eigenvalues, ODE solvers and closed forms."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from verification.enclosure.balls import ball, end_points, precision
from verification.enclosure.matrix import Matrix
from verification.errors import NotEnclosed
from verification.linear_functional import Network
from verification.linear_rnn.estimates import kernel_estimate
from verification.linear_rnn.network import (
    Input,
    KernelPiece,
    characteristic_polynomial,
    convolution,
    decay,
    is_silent,
    is_stable,
    kernel,
    norm_upper,
    response,
    transposed,
)
from verification.linear_rnn.norm import expansion, integral, l1_norm

F = Fraction


def network(w, u, c) -> Network:
    def exact(rows):
        return tuple(tuple(F(x) for x in row) for row in rows)

    return Network(w=exact(w), u=exact(u), c=tuple(F(x) for x in c))


SHEAR = network([["-1", "10"], ["0", "-1.2"]], [["0"], ["1"]], ["1", "0"])
TURNING = network([["-1", "9"], ["-1", "-1"]], [["1"], ["0"]], ["1", "0.5"])
CHAIN = network([["-1", "1", "0"], ["0", "-1", "1"], ["0", "0", "-1"]], [[0], [0], [1]], [1, 0, 0])
TWO = network([["-1", "0.5"], ["0.25", "-2"]], [["1", "0"], ["2", "-1"]], ["1", "1"])
BLOCKS = network(
    [["-0.5", "2", "0"], ["-2", "-0.5", "0"], ["0", "0", "-3"]],
    [["1"], ["0.5"], ["2"]],
    ["1", "-1", "0.25"],
)
STABLE = {"shear": SHEAR, "turning": TURNING, "chain": CHAIN, "two": TWO, "blocks": BLOCKS}


def doubles(values) -> np.ndarray:
    return np.array(values, dtype=float)


def middle(found) -> float:
    return float(sum(end_points(found)) / 2)


def is_narrow(found, width=1e-12) -> bool:
    low, high = end_points(found)
    return high - low < width


entries = st.integers(min_value=-6, max_value=6).map(lambda k: F(k, 2))


@settings(max_examples=60)
@given(st.integers(1, 4).flatmap(lambda n: st.lists(entries, min_size=n * n, max_size=n * n)))
def test_stability_and_characteristic_polynomial_agree_with_numpy(flat):
    size = round(len(flat) ** 0.5)
    rows = tuple(tuple(flat[i * size : (i + 1) * size]) for i in range(size))
    found = characteristic_polynomial(rows)
    np.testing.assert_allclose(doubles(found), np.poly(doubles(rows)), atol=1e-8)
    some = Network(w=rows, u=((F(1),),) * size, c=(F(1),) * size)
    abscissa = np.linalg.eigvals(doubles(rows)).real.max()
    # Half-integers of this size: an eigenvalue off the axis is much farther from it than this,
    # but for nearly defective ones, which doubles cannot place.
    if abs(abscissa) > 1e-3:
        assert is_stable(some) == (abscissa < 0)


@pytest.mark.parametrize(
    ("w", "stable"),
    [
        ([[0]], False),
        ([[-1, 0], [0, 0]], False),
        ([[0, 1], [-1, 0]], False),
        ([["-1/1000000", 1], [-1, 0]], True),
        ([[0, 1, 0], [0, 0, 1], [-1, -2, -1]], True),  # z^3 + z^2 + 2z + 1
        ([[0, 1, 0], [0, 0, 1], [-2, -2, -1]], False),  # z^3 + z^2 + 2z + 2: roots ± i sqrt 2
        ([[0, 1, 0], [0, 0, 1], ["-2.0000001", -2, -1]], False),
        ([[0, 1, 0], [0, 0, 1], ["-1.9999999", -2, -1]], True),
    ],
)
def test_stability_is_exact_on_the_border(w, stable):
    size = len(w)
    assert is_stable(network(w, [[1]] * size, [1] * size)) is stable


@pytest.mark.parametrize("name", STABLE)
def test_decay_bounds_the_exponential(name):
    some = STABLE[name]
    with precision(64):
        known = decay(some)
    w = doubles(some.w)
    for t in np.linspace(0, 30, 61):
        size = np.linalg.norm(expm(w * t), 2)
        assert size <= float(known.conditioning) * np.exp(-float(known.rate) * t) * (1 + 1e-12)
    # Where W is diagonalisable, the rate is that of the spectrum.
    abscissa = np.linalg.eigvals(w).real.max()
    assert float(known.rate) <= -abscissa + 1e-9
    assert float(known.rate) >= -abscissa * (0.5 if name == "chain" else 1 - 1e-9)
    if name == "shear":
        vectors = np.linalg.eig(w)[1]
        assert float(known.conditioning) <= np.linalg.cond(vectors) * 2


def test_an_unstable_network_has_no_decay():
    with precision(64), pytest.raises(NotEnclosed, match="no rate"):
        decay(network([["0.5", "0"], ["0", "-1"]], [[1], [1]], [1, 1]))


@pytest.mark.parametrize("name", STABLE)
def test_norms_of_matrices_are_bounded(name):
    rows = STABLE[name].w
    with precision(64):
        bound = float(end_points(norm_upper(Matrix.exact(rows)))[1])
    truth = np.linalg.norm(doubles(rows), 2)
    assert truth <= bound * (1 + 1e-12)
    assert bound <= truth * np.sqrt(len(rows)) * (1 + 1e-12)


@pytest.mark.parametrize("name", STABLE)
def test_kernel_agrees_with_its_definition(name):
    some = STABLE[name]
    w, u, c = doubles(some.w), doubles(some.u), doubles(some.c)
    with precision(64):
        for i, function in enumerate(kernel(some)):
            for t in (F(0), F(1, 2), F(3)):
                found = expansion(function, t, F(0), 1).coefficients[0]
                truth = (u.T @ expm(w.T * float(t)) @ c)[i]
                assert middle(found) == pytest.approx(truth, abs=1e-12)
                assert middle(found) == pytest.approx(kernel_estimate(some, [float(t)])[0, i])
                assert is_narrow(found)
            whole = integral(function, F(0), None)
            # int exp(W^T s) c ds = -W^-T c
            assert middle(whole) == pytest.approx((-u.T @ np.linalg.solve(w.T, c))[i], abs=1e-12)
            assert is_narrow(whole)


def test_blocks_become_waves_and_agree_with_the_exponential():
    (function,) = kernel(BLOCKS)
    assert not isinstance(function[0], KernelPiece)
    piece = KernelPiece(BLOCKS.w, tuple(row[0] for row in BLOCKS.u), BLOCKS.c)
    with precision(64):
        for t in (F(0), F(1, 3), F(2)):
            for times in (1, 2):
                one = sum((each.primitive(t, times) for each in function), ball(0))
                other = piece.primitive(t, times)
                assert one.overlaps(other)
                assert is_narrow(one)
                assert is_narrow(other)
        one, other = l1_norm(function), l1_norm((piece,))
        assert middle(one.upper - other.lower) == pytest.approx(0, abs=1e-10)
        assert middle(other.upper - one.lower) == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("name", ["shear", "turning", "chain"])
@pytest.mark.parametrize("order", [1, 4, 12])
def test_expansions_of_kernels_bound_what_they_leave_out(name, order):
    some, centre, radius = STABLE[name], F(2), F(1, 2)
    (function,) = kernel(some)
    with precision(64):
        found = expansion(function, centre, radius, order)
    coefficients = [middle(c) for c in found.coefficients]
    times = float(centre) + np.linspace(-1, 1, 21) * float(radius)
    truth = kernel_estimate(some, list(times))[:, 0]
    error = np.abs(truth - np.polynomial.polynomial.polyval(times - 2, coefficients)).max()
    assert error <= float(end_points(found.remainder)[1]) + 1e-13


def test_the_norm_of_a_shear_is_known():
    # W is triangular: rho(t) = 50 (exp(-t) - exp(-1.2 t)) >= 0, with integral 50 (1 - 1/1.2)
    with precision(64):
        found = l1_norm(kernel(SHEAR)[0])
        assert middle(found.lower) == pytest.approx(50 / 6, rel=1e-11)
        assert middle(found.upper) == pytest.approx(50 / 6, rel=1e-11)
        assert end_points(found.lower)[0] <= F(50, 6) <= end_points(found.upper)[1]


def signal(channels: int) -> Input:
    values = [("0.5", "-1"), ("1", "0.25"), ("-0.75", "0"), ("0", "1")]
    return Input(
        knots=(F(0), F(1, 2), F(5, 4), F(3), F(7, 2)),
        starts=tuple(tuple(F(x) for x in row[:channels]) for row in values),
        ends=tuple(tuple(F(x) for x in row[:channels]) for row in values[::-1]),
    )


@pytest.mark.parametrize("name", STABLE)
def test_responses_agree_with_an_ode_solver_and_with_the_convolution(name):
    some = STABLE[name]
    w, u, c = doubles(some.w), doubles(some.u), doubles(some.c)
    driven = signal(u.shape[1])
    state = np.zeros(len(c))
    for k in range(len(driven.starts)):
        a, b = float(driven.knots[k]), float(driven.knots[k + 1])
        first, last = doubles(driven.starts[k]), doubles(driven.ends[k])

        def slope(t, h, a=a, b=b, first=first, last=last):
            return w @ h + u @ (first + (last - first) * (t - a) / (b - a))

        state = solve_ivp(slope, (a, b), state, rtol=1e-11, atol=1e-13).y[:, -1]
    with precision(64):
        stepped, convolved = response(some, driven), convolution(kernel(some), driven)
        for found in (stepped, convolved):
            assert middle(found) == pytest.approx(float(c @ state), abs=1e-9)
            assert is_narrow(found)
        assert stepped.overlaps(convolved)
        if name in {"shear", "turning", "chain", "two"}:
            other = convolution(kernel(transposed(some)), driven)
            assert not other.overlaps(stepped)


def test_silence_is_exact():
    assert is_silent(network([["-1", "0"], ["1", "-2"]], [["0"], ["1"]], ["1", "0"]))
    assert not is_silent(network([["-1", "1/1000000"], ["1", "-2"]], [["0"], ["1"]], ["1", "0"]))
    assert not is_silent(CHAIN)


def test_a_kernel_with_a_root_at_a_double_eigenvalue():
    # rho(t) = (1 - t) exp(-t): int |rho| = 2/e
    some = network([["-1", "-1"], ["0", "-1"]], [["1"], ["1"]], ["1", "0"])
    with precision(64):
        found = l1_norm(kernel(some)[0])
        low, high = end_points(found.lower)[0], end_points(found.upper)[1]
    truth = 2 / mpmath.e
    assert low <= truth <= high
    assert high - low < 1e-10
