"""Hermite coefficients: the table against mpmath, the sums against closed forms, Bessel."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from verification.enclosure.balls import ball, end_points, precision
from verification.errors import NotEnclosed
from verification.kernel import hermite_rule as module
from verification.kernel.hermite_rule import CRAMER, MAX_HERMITE_NODES, hermite_rule, laguerre

F = Fraction

CASES = [
    (F(141, 100), 32, 2),
    (F(9, 10), 128, 4),
    (F(4), 64, 24),
    (F(16), 32, 0),
    (F(1, 5), 256, 4),
]


def hermite(z, degree):
    """He_k(z) / sqrt(k!) for k = 0 .. degree, by the recurrence, at mpmath's precision."""
    values = [mpmath.mpf(1), mpmath.mpf(z)]
    for k in range(1, degree):
        values.append((z * values[k] - mpmath.sqrt(k) * values[k - 1]) / mpmath.sqrt(k + 1))
    return values[: degree + 1]


def entry(rule, j, k) -> Fraction:
    high, low = rule.table.high[j, k], rule.table.low[j, k]
    return (F(float(high)) + F(float(low))) / 2**rule.scale


@pytest.mark.parametrize(("width", "degree", "growth"), CASES)
def test_table_holds_weighted_polynomials(width, degree, growth):
    rule = hermite_rule(width, degree, growth)
    assert rule.degree == degree
    n_nodes = len(rule.nodes)
    assert n_nodes % 2 == 1
    assert (rule.nodes == -rule.nodes[::-1]).all()
    step = float(rule.nodes[n_nodes // 2 + 1])
    assert (np.diff(rule.nodes) == step).all()
    assert np.abs(rule.table.high).max() <= 1
    assert np.abs(rule.table.low).max() <= 2.0 ** -(rule.bits + 1)
    assert n_nodes * 4**rule.bits <= 2**53
    worst = F(0)
    # The recurrence loses what balls would: a precision far beyond.
    with mpmath.workprec(1500):
        for j in (0, 1, n_nodes // 3, n_nodes // 2, n_nodes // 2 + 2, n_nodes - 4, n_nodes - 1):
            z = mpmath.mpf(float(rule.nodes[j]))
            weight = step * mpmath.npdf(z)
            for k, value in enumerate(hermite(z, degree)):
                exact = F(*(weight * value).as_integer_ratio()) if value else F(0)
                worst = max(worst, abs(entry(rule, j, k) - exact))
                # Cramer's bound, on which the cut rests.
                assert abs(value) <= mpmath.mpf(float(CRAMER)) * mpmath.exp(z * z / 4)
    assert worst * n_nodes <= rule.table_error / 2**rule.scale <= F(1, 2**60)
    assert worst > 0


@pytest.mark.parametrize("frequency", ["0.1", "1", "2.5"])
@pytest.mark.parametrize(("width", "degree", "growth"), CASES)
def test_coefficients_of_a_sine_have_their_closed_form(width, degree, growth, frequency):
    """``E[exp(i t X) h_k(X)] = (i t)^k exp(-t^2/2) / sqrt(k!)``."""
    rule = hermite_rule(width, degree, growth)
    t, shift = F(frequency), F(2, 7)
    with mpmath.workdps(60):
        t_, shift_ = (mpmath.mpf(x.numerator) / x.denominator for x in (t, shift))
        values = [mpmath.sin(t_ * mpmath.mpf(float(z)) + shift_) for z in rule.nodes]
        squared = mpmath.fsum(
            mpmath.mpf(entry(rule, j, 0).numerator) / entry(rule, j, 0).denominator * v * v
            for j, v in enumerate(values)
        )
        exact = (1 - mpmath.exp(-2 * t_ * t_) * mpmath.cos(2 * shift_)) / 2
        strip_bound = mpmath.cosh(t_ * mpmath.mpf(width.numerator) / width.denominator)
        table = mpmath.mpf(rule.table_error.numerator) / rule.table_error.denominator
        table /= 2**rule.scale

        def number(q):
            return mpmath.mpf(q.numerator) / q.denominator

        bound = (
            strip_bound**2 * number(rule.square_analytic_error)
            + number(rule.square_real_error)
            + table
        )
        assert abs(squared - exact) <= bound
        bound = strip_bound * number(rule.analytic_error) + number(rule.real_error) + table
        for k in {0, 1, 2, 7, degree - 1, degree}:
            sum_ = mpmath.fsum(number(entry(rule, j, k)) * v for j, v in enumerate(values))
            phase = mpmath.exp(1j * shift_) * (1j * t_) ** k
            closed = phase.imag * mpmath.exp(-t_ * t_ / 2) / mpmath.sqrt(mpmath.factorial(k))
            assert abs(sum_ - closed) <= bound
        # The rules are what was asked for: 68 bits beyond the growth that they were told of.
        assert number(rule.analytic_error) * 2**growth <= mpmath.mpf(2) ** -64
        assert number(rule.real_error) <= mpmath.mpf(2) ** -64


def coarse_rule(monkeypatch, width, degree, target_bits, growth=0):
    monkeypatch.setattr(module, "_TARGET_BITS", target_bits)
    monkeypatch.setattr(module, "_EXCESS_BITS", 4)
    return module.hermite_rule.__wrapped__(width, degree, growth)


@pytest.mark.parametrize("degree", [8, 40])
@pytest.mark.parametrize("pole", [F(1), F(2)])
def test_error_of_a_coarse_rule_is_the_analytic_one(monkeypatch, pole, degree):
    """Of ``1/(b^2 + z^2)``, with the strip nearly up to its poles, against a fine rule."""
    width = F(9, 10) * pole
    fine = hermite_rule(width, degree, 4)
    rule = coarse_rule(monkeypatch, width, degree, 10)
    b = float(pole)

    def coefficients(of):
        table = of.table.total() / 2.0**of.scale
        values = 1 / (b * b + of.nodes**2)
        return table.T @ values, table[:, 0] @ values**2

    (ours, square), (theirs, its_square) = coefficients(rule), coefficients(fine)
    strip_bound, real_bound = 1 / (b * b - float(width) ** 2), 1 / b**2
    bound = strip_bound * float(rule.analytic_error) + real_bound * float(rule.real_error)
    gaps = np.abs(ours - theirs)
    assert gaps.max() <= bound
    # The smallest strip bound, and the largest polynomial, are 10 each at most; phases cancel.
    assert bound < 10_000 * gaps.max()
    bound = strip_bound**2 * float(rule.square_analytic_error)
    bound += real_bound**2 * float(rule.square_real_error)
    assert abs(square - its_square) <= bound < 10_000 * abs(square - its_square)


def test_error_of_a_short_rule_is_that_of_the_cut(monkeypatch):
    """Of cosines that meet the polynomials' phases at the cut, by their closed form."""
    rule = coarse_rule(monkeypatch, F(16), 60, 10, growth=200)
    table = rule.table.total() / 2.0**rule.scale
    # Bounded by cosh(8 * 16) < exp(128) on the strip, where they are largest.
    assert float(rule.analytic_error) * np.exp(128) < 1e-16
    worst = 0.0
    for t in np.linspace(0, 8, 33):
        values = table[:, ::2].T @ np.cos(t * rule.nodes)
        factorials = np.array([float(mpmath.factorial(k)) for k in range(0, 61, 2)])
        exact = (-1.0) ** np.arange(31) * t ** np.arange(0, 61, 2) * np.exp(-t * t / 2)
        worst = max(worst, np.abs(values - exact / np.sqrt(factorials)).max())
    assert worst <= rule.real_error <= 30 * worst
    # And of the squares of a constant.
    gap = abs(table[:, 0].sum() - 1)
    assert gap <= rule.square_real_error <= 10 * gap


@pytest.mark.parametrize(("width", "degree", "growth"), CASES)
def test_bessels_inequality_holds_and_is_attained(width, degree, growth):
    rule = hermite_rule(width, degree, growth)
    table = rule.table.total() / 2.0**rule.scale
    weights = table[:, 0]
    # Singular values of the weighted table are at most (1 + excess)^(1/2).
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.where(weights[:, None] > 1e-22, table / np.sqrt(weights)[:, None], 0)
    largest = np.linalg.svd(scaled, compute_uv=False).max()
    assert rule.excess < F(1, 2**60)
    assert abs(largest - 1) < 1e-10


@pytest.mark.parametrize("degree", [0, 1, 5, 60, 300])
@pytest.mark.parametrize("x", ["0", "-0.01", "-3", "-40"])
def test_laguerre_polynomials_agree_with_mpmath(degree, x):
    with precision(128):
        low, high = end_points(laguerre(degree, ball(F(x))))
    with mpmath.workdps(60):
        exact = mpmath.laguerre(degree, 0, mpmath.mpf(x))
        assert low <= F(*exact.as_integer_ratio()) * (1 + F(1, 2**120))
        assert high >= F(*exact.as_integer_ratio()) * (1 - F(1, 2**120))
    assert high - low <= high / 2**100


def test_moments_of_shifted_polynomials_are_laguerre_polynomials():
    """``E|h_k(X + ib)|^2 = L_k(-b^2)``, by Gauss-Hermite in exact degrees."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = weights / np.sqrt(2 * np.pi)
    for degree in (1, 4, 9, 16):
        for b in (0.3, 1.0, 2.0):
            z = nodes + 1j * b
            values = [np.ones_like(z), z]
            for k in range(1, degree):
                values.append((z * values[k] - np.sqrt(k) * values[k - 1]) / np.sqrt(k + 1))
            with precision(64):
                exact = float(end_points(laguerre(degree, ball(-(F(b) ** 2))))[0])
            np.testing.assert_allclose(weights @ np.abs(values[degree]) ** 2, exact, rtol=1e-11)


@pytest.mark.parametrize("width", [F(1, 20), F(1, 10**9), F(1, 10**400)])
def test_thin_strips_are_refused(width):
    with pytest.raises(NotEnclosed, match=f"more than {MAX_HERMITE_NODES}"):
        hermite_rule(width, 64, 4)
