"""The limiting kernel in balls against closed forms, and its bounds against a fine grid."""

from __future__ import annotations

import itertools
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from verification import gallery
from verification.enclosure.balls import ball, end_points, keyed, precision
from verification.instance import (
    SCHEMA,
    ActivationSpec,
    Constant,
    Instance,
    Normal,
    ProductLaw,
    Uniform,
    Vector,
)
from verification.kernel import limiting, pair_rules, variance
from verification.kernel.limiting import (
    Point,
    backward_part,
    forward_part,
    gram_matrix,
    kernel,
    kernel_bound,
    kernel_slope_bound,
    point,
)
from verification.recurrent.law import has_free_square_of_c

HALF = Constant(value=(Fraction(1, 2),))
SYMMETRIC = Uniform(low=(Fraction(-1),), high=(Fraction(1),))


def vector(*entries: str) -> Vector:
    return tuple(Fraction(x) for x in entries)


def standard_normal(dimension: int) -> ProductLaw:
    w = Normal(mean=(Fraction(0),) * dimension, std=Fraction(1))
    return ProductLaw(c=SYMMETRIC, w=w, b=HALF)


INPUTS = {
    "line": (vector("1.5"), vector("-0.75")),
    "same": (vector("0.5", "2"), vector("0.5", "2")),
    "parallel": (vector("1", "-2", "3"), vector("-1/3", "2/3", "-1")),
    "plane": (vector("1", "2"), vector("0.5", "-0.3")),
    "orthogonal": (vector("1", "1", "0"), vector("1", "-1", "0")),
    "space": (vector("0.3", "-1", "0.2", "0.7", "0.1"), vector("1", "0.1", "-0.4", "0.2", "2")),
    "zero": (vector("0", "0"), vector("1", "-1")),
}


def number(q: Fraction) -> mpmath.mpf:
    return mpmath.mpf(q.numerator) / q.denominator


def holds(enclosed, truth, *, radius: str) -> bool:
    low, high = end_points(enclosed)
    exact = (
        Fraction(*mpmath.mpf(truth).as_integer_ratio())
        if not isinstance(truth, Fraction)
        else truth
    )
    slack = Fraction(10) ** -45
    return low - slack <= exact <= high + slack and high - low <= Fraction(radius)


@pytest.mark.parametrize("inputs", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize(("v", "w"), [("0.2", "-1/3"), ("0", "0")])
def test_sine_kernel_has_its_closed_form(inputs, v, w):
    x, y = inputs
    first, second = Point(input=x, memory=Fraction(v)), Point(input=y, memory=Fraction(w))
    spec, law = ActivationSpec.named("sin"), standard_normal(len(x))
    with precision(128), mpmath.workdps(60):
        near = sum((a - b) ** 2 for a, b in zip(x, y, strict=True))
        far = sum((a + b) ** 2 for a, b in zip(x, y, strict=True))
        inner = sum(a * b for a, b in zip(x, y, strict=True))
        minus = mpmath.exp(-number(near) / 2) * mpmath.cos(number(Fraction(v) - Fraction(w)))
        plus = mpmath.exp(-number(far) / 2) * mpmath.cos(number(Fraction(v) + Fraction(w)))
        forward = forward_part(spec, law, first, second)
        assert holds(forward, (minus - plus) / 2, radius="1e-35")
        # with the mean of C^2, a third
        backward = backward_part(spec, law, first, second)
        assert holds(backward, number(inner) / 3 * (minus + plus) / 2, radius="1e-34")


@pytest.mark.parametrize("inputs", INPUTS.values(), ids=INPUTS)
def test_erf_kernel_without_memory_is_an_arcsine(inputs):
    x, y = inputs
    first, second = Point(input=x, memory=Fraction(0)), Point(input=y, memory=Fraction(0))
    spec, law = ActivationSpec.named("erf"), standard_normal(len(x))
    with precision(128), mpmath.workdps(60):
        xx, yy, xy = (
            sum(a * b for a, b in zip(p, q, strict=True)) for p, q in ((x, x), (y, y), (x, y))
        )
        square = number((1 + 2 * xx) * (1 + 2 * yy))
        forward = 2 / mpmath.pi * mpmath.asin(2 * number(xy) / mpmath.sqrt(square))
        backward = 4 / mpmath.pi / mpmath.sqrt(square - 4 * number(xy) ** 2) * number(xy) / 3
        assert holds(forward_part(spec, law, first, second), forward, radius="1e-34")
        assert holds(backward_part(spec, law, first, second), backward, radius="1e-33")


def with_law(law: ProductLaw, spec: ActivationSpec, x: Vector, y: Vector, v: float, w: float):
    """Return K by tensor Gauss-Legendre panels in double precision: nothing is proved of it."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    axes = []
    for low, high in zip(law.w.low, law.w.high, strict=True):
        half = float(high - low) / 2
        axes.append((float(low) + half * (nodes + 1), weights / 2))
    total_forward = total_backward = 0.0
    sigma = {"tanh": np.tanh, "logistic": lambda t: 1 / (1 + np.exp(-t))}[spec.label]
    slope = {"tanh": lambda t: 1 / np.cosh(t) ** 2, "logistic": lambda t: sigma(t) * sigma(-t)}[
        spec.label
    ]
    for where in itertools.product(*(range(40) for _ in axes)):
        mass = np.prod([axis[1][k] for axis, k in zip(axes, where, strict=True)])
        u = sum(float(a) * axis[0][k] for a, axis, k in zip(x, axes, where, strict=True)) + v
        t = sum(float(b) * axis[0][k] for b, axis, k in zip(y, axes, where, strict=True)) + w
        total_forward += mass * sigma(u) * sigma(t)
        total_backward += mass * slope(u) * slope(t)
    return total_forward, total_backward * sum(float(a * b) for a, b in zip(x, y, strict=True)) / 3


@pytest.mark.parametrize("activation", ["tanh", "logistic"])
@pytest.mark.parametrize(
    ("x", "y"),
    [
        (vector("1"), vector("-2")),
        (vector("1", "0.5"), vector("-0.3", "2")),
        (vector("1", "0.5"), vector("2", "1")),
        (vector("0", "0.5"), vector("0.7", "0")),
    ],
)
def test_uniform_weights_agree_with_another_rule(activation, x, y):
    spec = ActivationSpec.named(activation)
    low, high = (Fraction(-1), Fraction(0))[: len(x)], (Fraction(1), Fraction(2))[: len(x)]
    law = ProductLaw(c=SYMMETRIC, w=Uniform(low=low, high=high), b=HALF)
    first, second = Point(input=x, memory=Fraction(1, 4)), Point(input=y, memory=Fraction(-1, 2))
    forward, backward = with_law(law, spec, x, y, 0.25, -0.5)
    with precision(64):
        for enclosed, other in (
            (forward_part(spec, law, first, second), forward),
            (backward_part(spec, law, first, second), backward),
        ):
            low_end, high_end = end_points(enclosed)
            assert abs(float((low_end + high_end) / 2) - other) < 1e-13
            assert high_end - low_end < Fraction("1e-13")


@pytest.mark.parametrize("name", ["rain-tel-aviv", "dependent-b-on-w", "markov-onegin"])
def test_kernel_is_symmetric_and_its_gram_matrix_holds_it(name):
    instance = gallery.load(name)
    assert isinstance(instance, Instance)
    points = [point(instance, 0, Fraction(k, 5)) for k in (-1, 0, 2)]
    points += [point(instance, instance.chain.n_states - 1, Fraction(1, 7))]
    with precision(64):
        matrix = gram_matrix(instance, points).entries()
        for i, j in itertools.product(range(len(points)), repeat=2):
            other = kernel(instance.activation, instance.law, points[i], points[j])
            assert ball(matrix[i][j]).overlaps(other)


@pytest.mark.parametrize("name", gallery.names_of(SCHEMA))
def test_bounds_hold_on_a_grid_and_are_not_wide(name):
    instance = gallery.load(name)
    assert isinstance(instance, Instance)
    with precision(64):
        bound, slope = kernel_bound(instance).upper, ball(kernel_slope_bound(instance))
        states = range(min(instance.chain.n_states, 2))
        points = [point(instance, i, Fraction(v)) for i in states for v in (-2, 0, Fraction(1, 2))]
        largest = Fraction(0)
        for first, second in itertools.product(points, repeat=2):
            value = end_points(abs(kernel(instance.activation, instance.law, first, second)))[0]
            largest = max(largest, value)
            moved = Point(input=first.input, memory=Fraction(first.memory) + Fraction(1, 8))
            other = kernel(instance.activation, instance.law, moved, second)
            value_here = kernel(instance.activation, instance.law, first, second)
            change = end_points(abs(other - value_here))[0]
            assert change <= end_points(slope)[1] / 8
        assert largest <= end_points(bound)[1]


@pytest.mark.parametrize(
    ("spec", "factor"), [("tanh", 4.0), ("logistic", 30.0), ("sin", 0.5), ("arctan", 3.0)]
)
def test_kernel_bound_is_the_supremum_on_a_fine_grid(spec, factor):
    u = np.linspace(-60, 60, 2_000_001)
    value, slope = {
        "tanh": (np.tanh(u), 1 / np.cosh(u) ** 2),
        "logistic": (1 / (1 + np.exp(-u)), 0.25 / np.cosh(u / 2) ** 2),
        "sin": (np.sin(u), np.cos(u)),
        "arctan": (np.arctan(u), 1 / (1 + u**2)),
    }[spec]
    largest = (value**2 + factor * slope**2).max()
    template = gallery.load("markov-onegin")
    assert isinstance(template, Instance)
    root = Fraction(np.sqrt(factor))
    law = ProductLaw(c=Constant(value=(root,)), w=template.law.w, b=HALF)
    instance = Instance(
        name="x", chain=template.chain, activation=ActivationSpec.named(spec), law=law
    )
    with precision(64):
        bound = end_points(kernel_bound(instance).upper)
    # At infinity arctan's supremum is a limit, which the grid misses by 2 (pi/2) / 60.
    assert (
        largest * (1 - 1e-12) <= float(bound[1]) <= largest + (0.06 if spec == "arctan" else 1e-8)
    )


def test_square_of_c_is_seen_to_depend_on_w():
    rain, dependent = gallery.load("rain-tel-aviv"), gallery.load("dependent-b-on-w")
    assert isinstance(rain, Instance)
    assert isinstance(dependent, Instance)
    assert has_free_square_of_c(rain.law)
    atoms = rain.law.atoms
    changed = type(rain.law)(
        atoms=(
            *atoms[:-1],
            type(atoms[-1])(p=atoms[-1].p, c=Fraction(5), w=atoms[-1].w, b=atoms[-1].b),
        )
    )
    assert not has_free_square_of_c(changed)


@pytest.mark.parametrize("name", ["markov-onegin", "two-dimensional", "sharp-kernel"])
def test_values_that_are_kept_change_no_bit(name, monkeypatch):
    instance = gallery.load(name)
    spec, law = instance.activation, instance.law
    places = [point(instance, i % instance.chain.n_states, Fraction(i, 7)) for i in range(3)]
    places.append(point(instance, 0, ball(Fraction(1, 3))))

    def numbers():
        for cached in (
            limiting._mean_at,
            pair_rules._values_on,
            pair_rules._places,
            pair_rules._longer_sums,
        ):
            cached.cache_clear()
        return [
            keyed(function(spec, law, *pair))
            for function in (kernel, variance.unit_variance)
            for pair in itertools.product(places, places)
            for _ in range(2)
        ]

    kept = numbers()
    monkeypatch.setattr(pair_rules, "_LONGEST_KEPT", 0)
    assert kept == numbers()
