"""Coarse trapezoidal sums: the closed form of Poisson's summation, and plain sums of doubles."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from verification.enclosure.balls import end_points, precision
from verification.instance import (
    ActivationSpec,
    Constant,
    Normal,
    ProductLaw,
    Uniform,
    Vector,
)
from verification.kernel import trapezoidal
from verification.kernel.limiting import Point, kernel
from verification.kernel.trapezoidal import directions, trapezoidal_kernel

F = Fraction
C = Uniform(low=(F(-1),), high=(F(1),))
HALF = Constant(value=(F(1, 2),))


def vector(*entries: str) -> Vector:
    return tuple(F(x) for x in entries)


def law_of(mean: Vector, std: str) -> ProductLaw:
    return ProductLaw(c=C, w=Normal(mean=mean, std=F(std)), b=HALF)


CASES = {
    "line": (law_of(vector("0.5"), "0.75"), vector("1"), vector("-0.5")),
    "same": (law_of(vector("0.5"), "0.75"), vector("1"), vector("1")),
    "parallel": (law_of(vector("0.5", "1"), "0.5"), vector("1", "-1"), vector("0.5", "-0.5")),
    "plane": (law_of(vector("0.5", "1"), "0.5"), vector("1", "-1"), vector("0.5", "0.25")),
    "orthogonal": (law_of(vector("1", "0"), "0.5"), vector("1", "0"), vector("0", "2")),
    "zero": (law_of(vector("1", "0"), "0.5"), vector("1", "0"), vector("0", "0")),
}


def mp(value: Fraction) -> mpmath.mpf:
    return mpmath.mpf(value.numerator) / value.denominator


def dot(a: Vector, b: Vector) -> Fraction:
    return sum((x * y for x, y in zip(a, b, strict=True)), F(0))


@pytest.mark.parametrize(("law", "x", "y"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("step", ["1", "2.5"])
def test_the_sine_has_the_sums_that_poisson_gives(law, x, y, step):
    """``h sum_k phi(k h) exp(i w k h) = sum_j exp(-(w + 2 pi j / h)^2 / 2)``, in each variable."""
    h, v, t = F(step), F("0.3"), F("-0.8")
    with mpmath.workdps(40), precision(128):
        s, size = mp(law.w.std), mp(dot(x, x))
        along, shared = s * mpmath.sqrt(size), s * mp(dot(x, y)) / mpmath.sqrt(size)
        across = s * mpmath.sqrt(abs(mp(dot(y, y)) - mp(dot(x, y)) ** 2 / size))
        parallel = dot(x, y) ** 2 == dot(x, x) * dot(y, y)

        def wave(frequency):
            return mpmath.fsum(
                mpmath.exp(-((frequency + 2 * mpmath.pi * j / mp(h)) ** 2) / 2)
                for j in range(-15, 16)
            )

        def cosine(sign: int):
            """The sum for ``cos((W.x + v) + sign (W.x' + v'))``."""
            phase = mp(dot(law.w.mean, x) + v) + sign * mp(dot(law.w.mean, y) + t)
            other = mpmath.mpf(1) if parallel else wave(across)
            return mpmath.cos(phase) * wave(along + sign * shared) * other

        lever = mp(dot(x, y)) / 3
        truth = (cosine(-1) - cosine(1)) / 2 + lever * (cosine(-1) + cosine(1)) / 2
        enclosed = trapezoidal_kernel(
            ActivationSpec.named("sin"), law, Point(input=x, memory=v), Point(input=y, memory=t), h
        )
        low, high = (mp(end) for end in end_points(enclosed))
        assert low - mpmath.mpf(10) ** -36 <= truth <= high + mpmath.mpf(10) ** -36
        assert high - low < mpmath.mpf(10) ** -30


@pytest.mark.parametrize(("law", "x", "y"), CASES.values(), ids=CASES)
def test_tanh_agrees_with_a_plain_sum(law, x, y):
    h, count = 0.75, 30
    first, second = Point(input=x, memory=F("0.3")), Point(input=y, memory=F("-0.8"))
    with precision(64):
        where = directions(law, first, second)
        along, shared, across = (
            float(end_points(part)[0]) for part in (where.along, where.shared, where.across)
        )
        enclosed = trapezoidal_kernel(ActivationSpec.named("tanh"), law, first, second, F(h))
        low, high = end_points(enclosed)
    z = h * np.arange(-count, count + 1)
    weights = h * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    z2, weights2 = (np.zeros(1), np.ones(1)) if where.parallel else (z, weights)
    u = float(dot(law.w.mean, x)) + 0.3 + along * z[:, None] + 0 * z2
    t = float(dot(law.w.mean, y)) - 0.8 + shared * z[:, None] + across * z2
    lever = float(dot(x, y)) / 3
    values = np.tanh(u) * np.tanh(t) + lever / (np.cosh(u) * np.cosh(t)) ** 2
    assert float(low) - 1e-13 <= weights @ values @ weights2 <= float(high) + 1e-13
    assert high - low < F("1e-13")


@pytest.mark.parametrize(("law", "x", "y"), CASES.values(), ids=CASES)
def test_directions_have_the_covariances_of_the_weights(law, x, y):
    first, second = Point(input=x, memory=F(0)), Point(input=y, memory=F(0))
    with precision(64):
        where = directions(law, first, second)
        for found, wanted in (
            (where.along * where.along, dot(x, x)),
            (where.along * where.shared, dot(x, y)),
            (where.shared * where.shared + where.across * where.across, dot(y, y)),
        ):
            low, high = end_points(found)
            assert low <= law.w.std**2 * wanted <= high
            assert high - low < F("1e-15")
    assert where.parallel is (dot(x, y) ** 2 == dot(x, x) * dot(y, y))


def test_a_fine_step_gives_the_kernel():
    law, x, y = CASES["plane"]
    first, second = Point(input=x, memory=F("0.3")), Point(input=y, memory=F("-0.8"))
    with precision(64):
        for spec in ("tanh", "logistic", "erf"):
            named = ActivationSpec.named(spec)
            fine = trapezoidal_kernel(named, law, first, second, F(1, 4))
            low, high = end_points(fine - kernel(named, law, first, second))
            assert -F("1e-10") < low <= high < F("1e-10")


def test_only_normal_weights_and_inputs_other_than_zero_have_directions():
    law, x, y = CASES["line"]
    zero = Point(input=vector("0"), memory=F(0))
    other = Point(input=x, memory=F(0))
    with pytest.raises(ValueError, match="input other than 0"):
        directions(law, zero, other)
    uniform = ProductLaw(c=C, w=C, b=HALF)
    with pytest.raises(ValueError, match="normal W"):
        directions(uniform, other, Point(input=y, memory=F(0)))


@pytest.mark.parametrize(("law", "x", "y"), CASES.values(), ids=CASES)
def test_what_is_cut_off_the_sum_is_part_of_the_enclosure(monkeypatch, law, x, y):
    first, second = Point(input=x, memory=F(5)), Point(input=y, memory=F(5))
    with precision(64):
        arguments = ActivationSpec.named("tanh"), law, first, second, F(1)
        whole = end_points(trapezoidal_kernel(*arguments))
        # a sum over |k| <= 3
        monkeypatch.setattr(trapezoidal, "working_precision", lambda: -2)
        low, high = end_points(trapezoidal_kernel(*arguments))
    assert low <= whole[0] <= whole[1] <= high
    assert whole[0] - (low + high) / 2 > F(1, 10**4)
    # erfc(3 / sqrt 2) = 0.0027, in one variable or in two
    assert high - low < F(3, 100)
