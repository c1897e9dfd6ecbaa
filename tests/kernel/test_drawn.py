"""Drawn kernels: mean squared distances and the variance of a unit against brute force and mpmath.

`mean_squared_distance` is written by the definition, `unit_variance` by moments: each has oracles
of its own here, so that their agreement (claim K4) is not what tests them.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest

from verification import gallery
from verification.enclosure.balls import ball, end_points, precision, symmetric
from verification.enclosure.quadrature import uniform_sum_rule
from verification.errors import NotEnclosed
from verification.instance import (
    ActivationSpec,
    Atom,
    AtomicLaw,
    Constant,
    Instance,
    Normal,
    ProductLaw,
    Uniform,
    Vector,
)
from verification.kernel import drawn, variance
from verification.kernel.drawn import (
    MAX_DRAWS,
    MAX_NODES,
    adds_to_a_cosine,
    draws_one_value,
    mean_squared_distance,
    most_units,
)
from verification.kernel.limiting import Point
from verification.kernel.variance import mean_of_products, unit_variance
from verification.oracle import expectation

F = Fraction
HALF = Constant(value=(F(1, 2),))
SYMMETRIC = Uniform(low=(F(-2),), high=(F(2),))
SIGMA = {
    "tanh": (np.tanh, lambda t: 1 / np.cosh(t) ** 2),
    "logistic": (
        lambda t: 1 / (1 + np.exp(-t)),
        lambda t: 1 / (4 * np.cosh(t / 2) ** 2),
    ),
    "sin": (np.sin, np.cos),
}
MP = {
    "tanh": (mpmath.tanh, lambda t: mpmath.sech(t) ** 2),
    "erf": (mpmath.erf, lambda t: 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-t * t)),
    "sin": (mpmath.sin, mpmath.cos),
    "logistic": (
        lambda t: 1 / (1 + mpmath.exp(-t)),
        lambda t: mpmath.sech(t / 2) ** 2 / 4,
    ),
}


def vector(*entries: str) -> Vector:
    return tuple(F(x) for x in entries)


def at(x: Vector, v: str) -> Point:
    return Point(input=x, memory=F(v))


def mp(value: Fraction) -> mpmath.mpf:
    return mpmath.mpf(value.numerator) / value.denominator


def close(enclosed, truth, *, width: float) -> bool:
    """Two-sided: the enclosure holds the oracle's value, up to its error, and is narrow."""
    low, high = (float(end) for end in end_points(enclosed))
    return low - width <= float(truth) <= high + width and high - low <= width


def atoms(*rows: tuple[str, str, tuple[str, ...]]) -> AtomicLaw:
    return AtomicLaw(atoms=tuple(Atom(p=F(p), c=F(c), w=vector(*w), b=F(1, 2)) for p, c, w in rows))


DEPENDENT = atoms(
    ("0.25", "1", ("0.5", "-1")),
    ("0.25", "-3", ("1", "0.25")),
    ("0.375", "2", ("-2", "0.5")),
    ("0.125", "0", ("-2", "0.5")),
)


def value_of_unit(spec: str, atom: Atom, first: Point, second: Point) -> mpmath.mpf:
    (value, slope), c = MP[spec], mp(atom.c)
    u, t = (
        sum(mp(a * b) for a, b in zip(atom.w, z.input, strict=True)) + mp(F(z.memory))
        for z in (first, second)
    )
    inner = sum(mp(a * b) for a, b in zip(first.input, second.input, strict=True))
    return value(u) * value(t) + c * c * slope(u) * slope(t) * inner


@pytest.mark.parametrize("spec", ["tanh", "logistic"])
@pytest.mark.parametrize("units", [1, 2, 3])
def test_a_law_of_atoms_is_summed_over_all_draws_in_order(spec, units):
    first, second = at(vector("1", "0.5"), "0.25"), at(vector("-0.5", "2"), "-1/3")
    with mpmath.workdps(40), precision(128):
        values = [value_of_unit(spec, a, first, second) for a in DEPENDENT.atoms]
        p = [mp(a.p) for a in DEPENDENT.atoms]
        mean = mpmath.fdot(p, values)
        truth = mpmath.mpf(0)
        for drawn in itertools.product(range(len(p)), repeat=units):
            mass = mpmath.fprod(p[k] for k in drawn)
            truth += mass * (mpmath.fsum(values[k] for k in drawn) / units - mean) ** 2
        named = ActivationSpec.named(spec)
        enclosed = mean_squared_distance(named, DEPENDENT, first, second, units)
        low, high = (mp(end) for end in end_points(enclosed))
        assert low - mpmath.mpf(10) ** -36 <= truth <= high + mpmath.mpf(10) ** -36
        assert high - low < mpmath.mpf(10) ** -34
        of_unit = mpmath.fdot(p, [(y - mean) ** 2 for y in values])
        low, high = (mp(end) for end in end_points(unit_variance(named, DEPENDENT, first, second)))
        assert low - mpmath.mpf(10) ** -36 <= of_unit <= high + mpmath.mpf(10) ** -36
        assert high - low < mpmath.mpf(10) ** -33


def grid_of_units(law: ProductLaw, x: Vector, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Values of W.x and weights, by Gauss rules of numpy, for W on the line."""
    if isinstance(law.w, Normal):
        z, weights = np.polynomial.hermite_e.hermegauss(nodes)
        w = float(law.w.mean[0]) + float(law.w.std) * z
    else:
        z, weights = np.polynomial.legendre.leggauss(nodes)
        low, high = float(law.w.low[0]), float(law.w.high[0])
        w = low + (high - low) * (z + 1) / 2
    return float(x[0]) * w, weights / weights.sum()


@pytest.mark.parametrize("units", [1, 2])
@pytest.mark.parametrize("spec", ["tanh", "logistic", "sin"])
@pytest.mark.parametrize(
    "w",
    [
        Normal(mean=(F("0.5"),), std=F("0.25")),
        Uniform(low=(F(-1),), high=(F("0.5"),)),
        Constant(value=(F("0.7"),)),
    ],
    ids=["normal", "uniform", "constant"],
)
@pytest.mark.parametrize(("x", "y"), [("1", "-0.5"), ("0.5", "1.5"), ("0", "1")])
def test_a_product_law_is_integrated_over_all_units(spec, units, w, x, y):
    law = ProductLaw(c=SYMMETRIC, w=w, b=HALF)
    first, second = at(vector(x), "0.25"), at(vector(y), "-0.375")
    if isinstance(w, Constant):
        u, weights = np.array([0.7]), np.ones(1)
    else:
        u, weights = grid_of_units(law, vector("1"), 60)
    value, slope = SIGMA[spec]
    forward = value(u * float(F(x)) + 0.25) * value(u * float(F(y)) - 0.375)
    backward = slope(u * float(F(x)) + 0.25) * slope(u * float(F(y)) - 0.375) * float(F(x) * F(y))
    # C^2 enters up to its square: three nodes are exact.
    c, masses = np.polynomial.legendre.leggauss(3)
    c, masses = 2 * c, masses / 2
    unit = (forward[:, None] + c**2 * backward[:, None]).ravel()
    mass = (weights[:, None] * masses).ravel()
    mean = mass @ unit
    if units == 1:
        truth = mass @ (unit - mean) ** 2
    else:
        truth = mass @ (((unit[:, None] + unit) / 2 - mean) ** 2) @ mass
    named = ActivationSpec.named(spec)
    with precision(64):
        enclosed = mean_squared_distance(named, law, first, second, units)
        assert close(enclosed, truth, width=1e-12)
        of_unit = unit_variance(named, law, first, second)
    assert close(of_unit, mass @ (unit - mean) ** 2, width=1e-12)


@pytest.mark.parametrize("spec", ["erf", "tanh"])
@pytest.mark.parametrize("factor", ["-0.5", "1", "2"])
def test_variance_of_parallel_inputs_agrees_with_mpmath(spec, factor):
    """In three dimensions, where W.x' = t W.x."""
    w = Normal(mean=vector("0.5", "0", "-0.25"), std=F("0.5"))
    law = ProductLaw(c=SYMMETRIC, w=w, b=HALF)
    x, t = vector("1", "-0.5", "0.25"), F(factor)
    first, second = at(x, "0.2"), at(tuple(t * entry for entry in x), "-0.4")
    value, slope = MP[spec]
    inner = mp(t * sum(entry * entry for entry in x))
    moments = [mpmath.mpf(1), mpmath.mpf(4) / 3, mpmath.mpf(16) / 5]
    with mpmath.workdps(30):

        def mean(power: int) -> mpmath.mpf:
            """``E[(f + C^2 g)^power]``."""

            def integrand(u):
                a, b = u + mp(F("0.2")), mp(t) * u - mp(F("0.4"))
                f, g = value(a) * value(b), slope(a) * slope(b) * inner
                return mpmath.fsum(
                    math.comb(power, k) * f ** (power - k) * g**k * moments[k]
                    for k in range(power + 1)
                )

            return expectation.mean(law, x, integrand, length=F(1, 2), weighted=False)

        truth = mean(2) - mean(1) ** 2
        named = ActivationSpec.named(spec)
        with precision(128):
            of_unit = unit_variance(named, law, first, second)
            half = mean_squared_distance(named, law, first, second, 2)
        assert close(of_unit, truth, width=1e-15)
        assert close(half, truth / 2, width=1e-15)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (vector("1", "2"), vector("0.5", "-0.3")),
        (vector("1", "1", "0"), vector("1", "-1", "0")),
        (vector("0.5"), vector("-1")),
    ],
)
def test_variance_for_the_sine_has_its_closed_form(x, y):
    """C = 0: ``sin^2 a sin^2 b = (1 - cos 2a)(1 - cos 2b) / 4`` of normal a and b."""
    law = ProductLaw(c=Constant(value=(F(0),)), w=Normal(mean=(F(0),) * len(x), std=F(1)), b=HALF)
    first, second = at(x, "0.3"), at(y, "-0.7")

    def cosine(p: int, q: int) -> mpmath.mpf:
        """``E cos(p a + q b)``."""
        square = sum(mp((p * s + q * t) ** 2) for s, t in zip(x, y, strict=True))
        return mpmath.exp(-square / 2) * mpmath.cos(mp(p * F("0.3") - q * F("0.7")))

    with mpmath.workdps(40), precision(128):
        both = (cosine(2, 2) + cosine(2, -2)) / 2
        truth = (1 - cosine(2, 0) - cosine(0, 2) + both) / 4
        truth -= ((cosine(1, -1) - cosine(1, 1)) / 2) ** 2
        assert close(
            unit_variance(ActivationSpec.named("sin"), law, first, second), truth, width=1e-16
        )


def test_mean_of_products_weighs_with_the_square_of_c():
    first, second = at(vector("1", "0.5"), "0.25"), at(vector("-0.5", "2"), "-1/3")
    value, slope = MP["tanh"]
    with mpmath.workdps(30), precision(64):
        for squared in (False, True):
            truth = mpmath.mpf(0)
            for a in DEPENDENT.atoms:
                u, t = (
                    sum(mp(p * q) for p, q in zip(a.w, z.input, strict=True)) + mp(F(z.memory))
                    for z in (first, second)
                )
                weight = mp(a.p * a.c**2 if squared else a.p)
                truth += weight * value(u) * slope(u) * value(t) * slope(t)
            enclosed = mean_of_products(
                ActivationSpec.named("tanh"), DEPENDENT, first, second, (0, 1), squared=squared
            )
            assert close(enclosed, truth, width=1e-15)


def test_mean_of_products_hands_the_rule_the_bounds_of_both_factors(monkeypatch):
    given = {}

    class Recorder:
        def mean(self, _one, _other, strip_bound, real_bound, *, squared):
            given.update(strip=strip_bound, real=real_bound, squared=squared)

    def recorder(*_, more_bits):
        given["more"] = more_bits
        return Recorder()

    monkeypatch.setattr(variance, "pair_rule", recorder)
    spec, point = ActivationSpec.named("sin"), at(vector("1"), "0")
    with mpmath.workdps(30), precision(64):
        mean_of_products(spec, DEPENDENT, point, point, (0, 1), squared=True)
    # two factors at each of two points, each at most cosh(4) on the strip
    height = mpmath.cosh(4) ** 2
    assert close(given["strip"], height**2, width=1e-9)
    assert close(given["real"], 1, width=1e-15)
    assert given["more"] == math.ceil(2 * math.log2(height))
    assert given["squared"] is True


@pytest.mark.parametrize(
    ("law", "first", "second", "one"),
    [
        (ProductLaw(c=HALF, w=HALF, b=HALF), "1", "2", True),
        (ProductLaw(c=SYMMETRIC, w=HALF, b=HALF), "1", "2", False),
        (ProductLaw(c=SYMMETRIC, w=HALF, b=HALF), "1", "0", True),
        (ProductLaw(c=HALF, w=SYMMETRIC, b=HALF), "1", "0", False),
        (ProductLaw(c=HALF, w=SYMMETRIC, b=HALF), "0", "1", False),
        (ProductLaw(c=SYMMETRIC, w=SYMMETRIC, b=HALF), "0", "0", True),
        (atoms(("0.5", "1", ("1",)), ("0.5", "-1", ("1",))), "1", "2", True),
        (atoms(("0.5", "1", ("1",)), ("0.5", "2", ("1",))), "1", "2", False),
        (atoms(("0.5", "1", ("1",)), ("0.5", "2", ("1",))), "1", "0", True),
        (atoms(("0.5", "1", ("1",)), ("0.5", "1", ("2",))), "0", "0", True),
        (atoms(("0.5", "1", ("1",)), ("0.5", "1", ("2",))), "1", "1", False),
    ],
)
def test_a_drawn_kernel_is_known_to_be_the_limit_where_all_units_agree(law, first, second, one):
    assert draws_one_value(law, vector(first), vector(second)) is one
    if one:
        with precision(64):
            spec = ActivationSpec.named("tanh")
            enclosed = mean_squared_distance(
                spec, law, at(vector(first), "1"), at(vector(second), "2"), 2
            )
        assert close(enclosed, 0.0, width=1e-15)


def test_no_more_units_are_summed_over_than_is_cheap():
    spec, x = ActivationSpec.named("tanh"), vector("1")

    def uniform_atoms(count: int) -> AtomicLaw:
        return atoms(*((f"1/{count}", "1", (str(k),)) for k in range(count)))

    with precision(64):
        assert most_units(spec, uniform_atoms(20), x, x) == 3
        assert most_units(spec, uniform_atoms(60), x, x) == 2
        assert most_units(spec, uniform_atoms(200), x, x) == 1
        assert math.comb(200 + 1, 2) > MAX_DRAWS
        # what counts is how many values W.x takes
        assert most_units(spec, uniform_atoms(200), vector("0"), vector("0")) == 3
        narrow, wide = (
            ProductLaw(c=SYMMETRIC, w=Normal(mean=(F(0),), std=F(s)), b=HALF) for s in (1, 20)
        )
        assert most_units(spec, narrow, x, x) == 2
        assert most_units(spec, wide, x, x) == 1
        assert MAX_NODES < 2 * 20 * 60
        plane = ProductLaw(c=SYMMETRIC, w=Normal(mean=(F(0),) * 2, std=F(1)), b=HALF)
        crossed = vector("1", "0"), vector("1", "1")
        assert most_units(spec, plane, *crossed) == 0
        with pytest.raises(NotEnclosed, match="parallel"):
            mean_squared_distance(spec, plane, at(crossed[0], "0"), at(crossed[1], "0"), 2)
        with pytest.raises(ValueError, match="expected 1 or 2"):
            mean_squared_distance(spec, narrow, at(x, "0"), at(x, "0"), 3)


@pytest.mark.parametrize("units", [1, 2])
@pytest.mark.parametrize("bits", [2, 8])
def test_the_error_of_a_coarse_rule_is_part_of_the_enclosure(monkeypatch, units, bits):
    law = ProductLaw(c=SYMMETRIC, w=Uniform(low=(F(-4),), high=(F(4),)), b=HALF)
    spec, first, second = (
        ActivationSpec.named("tanh"),
        at(vector("1"), "0.25"),
        at(vector("1"), "0"),
    )
    with precision(64):
        truth = end_points(mean_squared_distance(spec, law, first, second, units))

        def coarse(_law, _x, strip):
            rule = uniform_sum_rule([(F(-4), F(4))], strip, bits=bits)
            return SimpleNamespace(rule=rule)

        monkeypatch.setattr(drawn, "projection", coarse)
        low, high = end_points(mean_squared_distance(spec, law, first, second, units))
    middle = (low + high) / 2
    assert low <= truth[0] <= truth[1] <= high
    # it is not the rounding alone that the enclosure allows for
    assert abs(middle - truth[0]) > F(1, 10**12)


@pytest.mark.parametrize(("units", "reach"), [(1, 1), (2, 2)])
def test_a_rule_errs_in_the_mean_of_the_squares_too(monkeypatch, units, reach):
    """By 1 in one variable, and by 1 + 1 in two, the weights summing to 1."""
    errors = iter([ball(0), symmetric(ball(1))])

    class Doubtful:
        nodes, weights, strip = (ball(0), ball(1)), (ball(F(1, 4)), ball(F(3, 4))), F(1)

        def error(self, _strip_bound, _real_bound):
            return next(errors)

    law = ProductLaw(c=SYMMETRIC, w=SYMMETRIC, b=HALF)
    monkeypatch.setattr(drawn, "projection", lambda *_: SimpleNamespace(rule=Doubtful()))
    point = at(vector("1"), "0.25")
    with precision(64):
        spec = ActivationSpec.named("tanh")
        low, high = end_points(mean_squared_distance(spec, law, point, point, units))
    assert abs(high - low - 2 * reach) < F(1, 10**6)


def test_activations_that_grow_fast_off_the_line_are_resolved_at_the_lowest_precision():
    """erf does: its strip is narrowed."""
    for name in ("de-bruijn-history", "sharp-erf", "sunspots"):
        instance = gallery.load(name)
        assert isinstance(instance, Instance)
        x = instance.chain.inputs[0]
        with precision(64):
            enclosed = mean_squared_distance(
                instance.activation, instance.law, at(x, "0.25"), at(x, "-0.5"), 2
            )
            low, high = end_points(enclosed)
        assert high - low < F(1, 2**40) * low


SINE = ActivationSpec.named("sin")


@pytest.mark.parametrize(
    ("spec", "law", "first", "second", "alike"),
    [
        (SINE, atoms(("0.5", "1", ("0",)), ("0.5", "-1", ("1",))), "1", "1", True),
        (SINE, atoms(("0.5", "1", ("0",)), ("0.5", "-1", ("1",))), "1", "-1", True),
        (SINE, atoms(("0.5", "1", ("0",)), ("0.5", "1", ("1",))), "2", "0.5", False),
        (SINE, atoms(("0.5", "1", ("0",)), ("0.5", "2", ("1",))), "1", "1", False),
        (SINE, atoms(("0.5", "1", ("0",)), ("0.5", "1", ("1",))), "2", "2", False),
        (SINE, atoms(("0.5", "0.5", ("0",)), ("0.5", "-0.5", ("1",))), "2", "2", True),
        (ActivationSpec.named("tanh"), atoms(("1", "1", ("0",))), "1", "1", False),
        (SINE, ProductLaw(c=HALF, w=SYMMETRIC, b=HALF), "2", "2", True),
        (SINE, ProductLaw(c=HALF, w=SYMMETRIC, b=HALF), "2", "-2", True),
        (SINE, ProductLaw(c=HALF, w=SYMMETRIC, b=HALF), "1", "4", False),
        (SINE, ProductLaw(c=HALF, w=SYMMETRIC, b=HALF), "1", "1", False),
        (SINE, ProductLaw(c=SYMMETRIC, w=SYMMETRIC, b=HALF), "2", "2", False),
    ],
)
def test_sine_and_cosine_may_add_to_what_no_unit_changes(spec, law, first, second, alike):
    assert adds_to_a_cosine(spec, law, vector(first), vector(second)) is alike
    if isinstance(law, AtomicLaw) and spec is SINE:
        x, y = float(vector(first)[0]), float(vector(second)[0])
        values = [
            math.sin(float(a.w[0]) * x + 0.3) * math.sin(float(a.w[0]) * y - 0.7)
            + float(a.c) ** 2
            * math.cos(float(a.w[0]) * x + 0.3)
            * math.cos(float(a.w[0]) * y - 0.7)
            * x
            * y
            for a in law.atoms
        ]
        assert (max(values) - min(values) < 1e-15) is alike
