"""Mehler's series: closed forms lie within the errors, the errors are small, and they can fail."""

from __future__ import annotations

import dataclasses
import itertools
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from verification import gallery
from verification.enclosure.balls import end_points, exact_ball, precision
from verification.errors import InvalidInstance, NotEnclosed
from verification.instance import (
    ActivationSpec,
    Constant,
    Instance,
    Normal,
    ProductLaw,
    Term,
    Uniform,
)
from verification.kernel import mehler
from verification.kernel.features import gram_doubles
from verification.kernel.limiting import Point, kernel
from verification.kernel.mehler import (
    MAX_DEGREE,
    mehler_enclosures,
    mehler_gram,
    mehler_pairs,
)

F = Fraction
PAIRS = 10_000
HALF = Constant(value=(F(1, 2),))
NONE = Constant(value=(F(0),))
ONE = F(1)


def instance(activation, dimension, *, c=HALF, mean=None, std=ONE) -> Instance:
    """An instance with normal W: the standard law, and C = 1/2, unless told otherwise."""
    template = gallery.load("markov-onegin")
    assert isinstance(template, Instance)
    spec = (
        activation if isinstance(activation, ActivationSpec) else ActivationSpec.named(activation)
    )
    law = ProductLaw(c=c, w=Normal(mean=mean or (F(0),) * dimension, std=std), b=HALF)
    zero = (F(0),) * dimension
    chain = dataclasses.replace(template.chain, inputs=(zero,) * template.chain.n_states)
    return Instance(name="x", chain=chain, activation=spec, law=law)


def in_ball(rng, count, dimension, radius=1.0) -> np.ndarray:
    """Points uniform in the ball."""
    points = rng.normal(size=(count, dimension))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return radius * points * rng.uniform(0, 1, (count, 1)) ** (1 / dimension)


def closed_form(name, x, y, v, w) -> tuple[mpmath.mpf, mpmath.mpf]:
    """E[sigma sigma] and E[sigma' sigma'] x.x' for W standard normal; erf without memory."""
    x, y = (tuple(map(mpmath.mpf, point)) for point in (x, y))
    xx, yy, xy = mpmath.fdot(x, x), mpmath.fdot(y, y), mpmath.fdot(x, y)
    if name == "sin":
        v, w = mpmath.mpf(v), mpmath.mpf(w)
        minus = mpmath.exp(xy - (xx + yy) / 2) * mpmath.cos(v - w)
        plus = mpmath.exp(-xy - (xx + yy) / 2) * mpmath.cos(v + w)
        return (minus - plus) / 2, xy * (minus + plus) / 2
    assert v == w == 0
    square = (1 + 2 * xx) * (1 + 2 * yy)
    forward = 2 / mpmath.pi * mpmath.asin(2 * xy / mpmath.sqrt(square))
    return forward, 4 * xy / mpmath.pi / mpmath.sqrt(square - 4 * xy * xy)


def gaps_to_closed_forms(name, points, found) -> list[np.ndarray]:
    """Return the distances of arrays of values from the closed form, each with its E[C^2]."""
    gaps: list[list[float]] = [[] for _ in found]
    with mpmath.workdps(34):
        for i, (x, v, y, w) in enumerate(zip(*(p.tolist() for p in points), strict=True)):
            forward, backward = closed_form(name, x, y, v, w)
            for row, (values, square_of_c) in zip(gaps, found, strict=True):
                row.append(float(abs(forward + square_of_c * backward - float(values[i]))))
    return [np.array(row) for row in gaps]


def gaps_to_closed_form(name, points, values) -> np.ndarray:
    return gaps_to_closed_forms(name, points, [(values, 0.25)])[0]


@pytest.mark.parametrize("dimension", [1, 2, 5, 20])
@pytest.mark.parametrize("name", ["sin", "erf"])
def test_closed_forms_are_within_the_errors_and_the_errors_are_near_them(name, dimension):
    rng = np.random.default_rng(dimension)
    x, y = in_ball(rng, PAIRS, dimension), in_ball(rng, PAIRS, dimension)
    v, w = (rng.uniform(-1, 1, PAIRS) if name == "sin" else np.zeros(PAIRS) for _ in range(2))
    both, forward = instance(name, dimension), instance(name, dimension, c=NONE)
    found = [mehler_enclosures(each, x, v, y, w) for each in (both, forward)]
    gaps = gaps_to_closed_forms(name, (x, v, y, w), [(found[0][0], 0.25), (found[1][0], 0)])
    for (_, errors), gap in zip(found, gaps, strict=True):
        assert (gap <= errors).all()
        assert np.median(errors / np.maximum(gap, 2.0**-70)) < 100
        assert errors.max() < 2.0**-50
    values, error = mehler_pairs(both, x, v, y, w)
    np.testing.assert_array_equal(values, found[0][0])
    assert error == found[0][1].max()


def exact_point(x, v) -> Point:
    return Point(input=tuple(F(float(entry)) for entry in x), memory=F(float(v)))


def gap_to_balls(found, x, v, y, w, value) -> float:
    """Return how far the value certainly may be from the kernel, in balls of another rule."""
    with precision(64):
        enclosed = kernel(found.activation, found.law, exact_point(x, v), exact_point(y, w))
        return float(end_points(abs(enclosed - exact_ball(float(value))))[1])


MIXTURE = ActivationSpec(
    terms=(
        Term(weight=F(2, 3), scale=F(3, 2), shift=F(-1, 4), of="tanh"),
        Term(weight=F(-1, 2), scale=F(1), shift=F(1, 3), of="sin"),
        Term(weight=F(5), scale=F(-1, 2), shift=F(0), of="logistic"),
    )
)


@pytest.mark.parametrize("dimension", [1, 3])
@pytest.mark.parametrize("law", ["standard", "shifted"])
@pytest.mark.parametrize(
    "activation",
    ["tanh", "logistic", "erf", "arctan", "sin", pytest.param(MIXTURE, id="mixture")],
)
def test_balls_are_within_the_errors_for_every_activation(activation, law, dimension):
    mean, std = (F(1, 3), F(-2, 7), F(1, 10))[:dimension], F(4, 5)
    found = (
        instance(activation, dimension)
        if law == "standard"
        else instance(
            activation, dimension, c=Uniform(low=(F(-1),), high=(F(2),)), mean=mean, std=std
        )
    )
    rng = np.random.default_rng(11)
    x, y = in_ball(rng, 40, dimension), in_ball(rng, 40, dimension)
    v, w = rng.uniform(-2, 2, 40), rng.uniform(-2, 2, 40)
    values, errors = mehler_enclosures(found, x, v, y, w)
    gaps = [gap_to_balls(found, x[i], v[i], y[i], w[i], values[i]) - errors[i] for i in (0, 13, 39)]
    assert max(gaps) <= 0
    # Sizes of about 1, or of the mixture's 5 squared: a few dozen roundings.
    assert errors.max() < 2.0**-47 * (25 if activation is MIXTURE else 1)


@pytest.mark.parametrize("activation", ["tanh", "sin"])
def test_degenerate_pairs(activation):
    found = instance(activation, 2, mean=(F(0), F(1, 5)))
    x = np.array([0.6, -0.3])
    near = np.nextafter(x, 1)
    pairs = {
        "zero and zero": (0 * x, 0 * x),
        "zero and other": (0 * x, x),
        "same": (x, x),
        "opposite": (x, -x),
        "parallel": (x, 2 * x),
        "next doubles": (x, near),
        "nearly parallel": (x, x + np.array([1e-9, 0])),
        "orthogonal": (x, np.array([0.3, 0.6])),
        "tiny": (1e-160 * x, 1e-170 * x),
        "subnormal": (np.array([5e-324, 0.0]), np.array([1e-310, 1e-320])),
        "tiny and other": (1e-300 * x, x),
        "apart in size": (np.array([1.0, 1e-200]), np.array([1e-200, 1.0])),
    }
    one, other = (np.array([pair[k] for pair in pairs.values()]) for k in (0, 1))
    v, w = np.full(len(pairs), 0.3), np.full(len(pairs), -0.9)
    values, errors = mehler_enclosures(found, one, v, other, w)
    for i, name in enumerate(pairs):
        gap = gap_to_balls(found, one[i], v[i], other[i], w[i], values[i])
        assert gap <= errors[i], name
        assert errors[i] < 2e-15, name


@pytest.mark.parametrize("radius", [3.0, 8.0])
def test_slow_series_say_how_far_they_are(radius):
    """Coefficients of tanh(s g) decrease slowly for large s: the tail is in the error."""
    found = instance("tanh", 2)
    rng = np.random.default_rng(2)
    x = in_ball(rng, 12, 2)
    x *= radius / np.linalg.norm(x, axis=1, keepdims=True)
    y, v, w = np.roll(x, 1, axis=0), np.full(12, 0.5), np.full(12, -0.25)
    y[0] = x[0]
    values, errors = mehler_enclosures(found, x, v, y, w)
    # At an angle the balls need too many nodes for the larger radius.
    for i in (0, 1) if radius < 5 else (0,):
        assert gap_to_balls(found, x[i], v[i], y[i], w[i], values[i]) <= errors[i]
    # The parallel pair is left with its tail; one at an angle has none.
    assert errors[0] > (1e-5 if radius > 5 else 1e-13)
    assert errors.min() < 3e-15 * radius**2
    assert errors[0] < 1


@pytest.mark.parametrize(
    ("radius", "memory", "said"),
    [
        (1e4, 0.0, "more than"),
        (1e10, 0.0, "an input"),
        (0.5, -1e12, "a memory"),
        (0.5, 1e6, "cells"),
    ],
)
def test_what_is_too_large_is_refused(radius, memory, said):
    found = instance("tanh", 1)
    with pytest.raises(NotEnclosed, match=said):
        mehler_gram(found, np.array([[radius]]), np.array([memory]))


@pytest.mark.parametrize(
    ("mean", "std"), [("1e40", "1"), ("1e400", "1"), ("0", "1e300"), ("0", "1e400")]
)
def test_laws_that_are_too_large_are_refused(mean, std):
    found = instance("sin", 1, mean=(F(mean),), std=F(std))
    with pytest.raises(NotEnclosed):
        mehler_gram(found, np.ones((2, 1)), np.zeros(2))


@pytest.mark.parametrize("name", ["rain-tel-aviv", "two-dimensional"])
def test_other_laws_are_refused(name):
    found = gallery.load(name)
    assert isinstance(found, Instance)
    law = found.law
    if isinstance(law, ProductLaw):
        dimension = found.chain.dimension
        law = dataclasses.replace(law, w=Constant(value=(F(1),) * dimension))
    found = dataclasses.replace(found, law=law)
    with pytest.raises(NotEnclosed, match="normal W"):
        mehler_gram(found, np.zeros((1, found.chain.dimension)), np.zeros(1))


@pytest.mark.parametrize(
    ("activation", "dimension", "count"),
    [("tanh", 1, 7), ("logistic", 3, 300), ("sin", 20, 140)],
)
def test_gram_matrix_is_that_of_the_pairs(activation, dimension, count):
    found = instance(activation, dimension, mean=(F(1, 9),) * dimension, std=F(2, 3))
    rng = np.random.default_rng(count)
    inputs, memory = in_ball(rng, count, dimension), rng.uniform(-1, 1, count)
    matrix, error = mehler_gram(found, inputs, memory)
    np.testing.assert_array_equal(matrix, matrix.T)
    i, j = rng.integers(0, count, (2, 200))
    values, errors = mehler_enclosures(found, inputs[i], memory[i], inputs[j], memory[j])
    assert (np.abs(values - matrix[i, j]) <= errors + error).all()
    assert error < 1e-15 * 4
    diagonal = mehler_enclosures(found, inputs, memory, inputs, memory)
    assert (np.abs(diagonal[0] - np.diag(matrix)) <= diagonal[1] + error).all()
    k, m = (int(index[0]) for index in (i, j))
    gap = gap_to_balls(found, inputs[k], memory[k], inputs[m], memory[m], matrix[k, m])
    assert gap <= error


@pytest.mark.parametrize("activation", ["tanh", "erf", "arctan"])
def test_gram_matrix_agrees_with_that_of_the_features(activation):
    found = instance(activation, 1, mean=(F(1, 2),))
    rng = np.random.default_rng(8)
    inputs, memory = rng.uniform(-1, 1, (150, 1)), rng.uniform(-1, 1, 150)
    matrix, error = mehler_gram(found, inputs, memory)
    other, other_error = gram_doubles(found, inputs, memory)
    assert np.abs(matrix - other).max() <= error + other_error
    assert error < other_error / 20


def test_units_of_measure_do_not_matter():
    """``W`` twice as wide and inputs half as long: the same forward part, to the errors."""
    rng = np.random.default_rng(6)
    x, v = in_ball(rng, 60, 4), rng.uniform(-1, 1, 60)
    one = mehler_gram(instance("tanh", 4, c=NONE), x, v)
    other = mehler_gram(instance("tanh", 4, c=NONE, std=F(2)), x / 2, v)
    assert np.abs(one[0] - other[0]).max() <= one[1] + other[1]
    # Rotations, but for their rounding.
    turn, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    turned = mehler_gram(instance("tanh", 4, c=NONE), x @ turn, v)
    assert np.abs(one[0] - turned[0]).max() < 1e-14


def test_no_points_give_nothing():
    found = instance("tanh", 3)
    matrix, error = mehler_gram(found, np.zeros((0, 3)), np.zeros(0))
    assert matrix.shape == (0, 0)
    assert error == 0
    values, errors = mehler_enclosures(
        found, np.zeros((0, 3)), np.zeros(0), np.zeros((0, 3)), np.zeros(0)
    )
    assert values.shape == errors.shape == (0,)


@pytest.mark.parametrize(
    ("inputs", "memory", "field"),
    [
        (np.zeros((2, 2)), np.zeros(2), "inputs"),
        (np.zeros((2, 1)), np.zeros(3), "memory"),
        (np.array([[0.0], [np.nan]]), np.zeros(2), "inputs"),
        (np.zeros((2, 1)), np.array([0.0, np.inf]), "memory"),
        (np.zeros((3, 1)), np.zeros(3), "second_memory"),
    ],
)
def test_malformed_points_are_refused(inputs, memory, field):
    found = instance("tanh", 1)
    with pytest.raises(InvalidInstance, match=field):
        mehler_pairs(found, np.zeros((2, 1)), np.zeros(2), inputs, memory)


# The errors can fail: each fault is seen by the closed form.


def fault_of_the_coefficients(series):
    coefficients = series.coefficients.copy()
    coefficients[2] *= 1 + 2.0**-48
    return dataclasses.replace(series, coefficients=coefficients)


def fault_of_the_tail(series):
    keep = series.degree // 3
    return dataclasses.replace(series, coefficients=series.coefficients[: keep + 1])


FAULTS = {"coefficients": fault_of_the_coefficients, "tail": fault_of_the_tail}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_the_series_are_seen(monkeypatch, fault):
    rng = np.random.default_rng(1)
    x, v = in_ball(rng, 200, 2), rng.uniform(-1, 1, 200)
    right = mehler._series
    monkeypatch.setattr(mehler, "_series", lambda *args: FAULTS[fault](right(*args)))
    values, errors = mehler_enclosures(instance("sin", 2), x, v, x, v)
    gaps = gaps_to_closed_form("sin", (x, v, x, v), values)
    assert (gaps > errors).any()


@pytest.mark.parametrize("name", ["units", "rows", "deviations", "offsets"])
def test_faults_of_the_points_are_seen(monkeypatch, name):
    """A part in 2**47 is more than any point may be off."""
    rng = np.random.default_rng(1)
    x, v = in_ball(rng, 200, 2), rng.uniform(-1, 1, 200)
    y = x + np.array([0.3, -0.1])
    right = mehler._points

    def wrong(*args):
        points = right(*args)
        value = getattr(points, name)
        if isinstance(value, tuple):
            changed = (value[0] * (1 + 2.0**-47), value[1])
        else:
            changed = type(value)(value.high * (1 + 2.0**-47), value.low)
        return dataclasses.replace(points, **{name: changed})

    monkeypatch.setattr(mehler, "_points", wrong)
    values, errors = mehler_enclosures(instance("sin", 2), x, v, y, v)
    gaps = gaps_to_closed_form("sin", (x, v, y, v), values)
    assert (gaps > errors).any()


STATED = 2.0**-20


def stated_fault(name, points):
    """Return the points with an error made in one part, and stated in its bound."""
    stated = F(STATED)
    if name == "offsets":
        offsets = points.offsets[0] + STATED, points.offsets[1]
        changed = {"offsets": offsets, "offset_error": points.offset_error + stated}
    elif name == "deviations":
        deviations = points.deviations[0] * (1 + STATED), points.deviations[1]
        changed = {
            "deviations": deviations,
            "deviation_error": points.deviation_error + stated,
        }
    elif name == "units":
        units = type(points.units)(points.units.high * (1 - STATED / 2), points.units.low)
        changed = {"units": units, "unit_error": points.unit_error + stated}
    else:
        # Rows in the plane are at most 2^(1/2) long.
        rows = type(points.rows)(points.rows.high * (1 - STATED / 4), points.rows.low)
        changed = {"rows": rows, "row_error": points.row_error + stated}
    return dataclasses.replace(points, **changed)


@pytest.mark.parametrize("name", ["values", "offsets", "deviations", "units", "rows"])
def test_errors_that_the_parts_state_reach_the_result(monkeypatch, name):
    rng = np.random.default_rng(1)
    x, v = in_ball(rng, 200, 2), rng.uniform(-1, 1, 200)
    y = x + np.array([0.1, -0.05])
    if name == "values":
        right_cells = mehler.activation_cells

        def wrong_cells(*args):
            cells = right_cells(*args)
            error = cells.error + F(STATED)
            return dataclasses.replace(cells, leading=cells.leading + STATED, error=error)

        monkeypatch.setattr(mehler, "activation_cells", wrong_cells)
    else:
        right = mehler._points
        monkeypatch.setattr(mehler, "_points", lambda *args: stated_fault(name, right(*args)))
    values, errors = mehler_enclosures(instance("sin", 2), x, v, y, v)
    gaps = gaps_to_closed_form("sin", (x, v, y, v), values)
    assert (gaps <= errors).all()
    assert gaps.max() > STATED / 64
    # At worst the bound of the rows takes all powers of two, lengths and values for the largest.
    assert errors.max() < 2**8 * gaps.max()


def awkward_points(dimension) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(dimension)
    inputs = rng.normal(size=(12, dimension)) * 2.0 ** rng.integers(-40, 10, (12, 1))
    inputs[0] = 0
    inputs[1] *= 2.0 ** rng.integers(-60, 0, dimension)
    inputs[3] = inputs[2] * 3
    return inputs, rng.normal(size=12)


def number(value) -> mpmath.mpf:
    value = F(value)
    return mpmath.mpf(value.numerator) / value.denominator


@pytest.mark.parametrize("dimension", [1, 2, 20, 200])
def test_points_are_within_their_errors(dimension):
    """Deviations, offsets and correlations; and their errors are below a rounding."""
    rng = np.random.default_rng(0)
    mean = tuple(F(int(x), 7) for x in rng.integers(-9, 10, dimension))
    law = Normal(mean=mean, std=F(3, 7))
    inputs, memory = awkward_points(dimension)
    with precision(128):
        points = mehler._points(law, inputs, memory)
    exact = [[F(x) for x in row] for row in inputs.tolist()]
    with mpmath.workdps(60):
        lengths = [mpmath.sqrt(number(sum(x * x for x in row))) for row in exact]
        for i, (row, length) in enumerate(zip(exact, lengths, strict=True)):
            deviation = length * 3 / 7
            ours = number(points.deviations[0][i]) + number(points.deviations[1][i])
            assert abs(ours - deviation) <= number(points.deviation_error) * deviation
            assert deviation <= number(points.deviation)
            assert F(points.deviations[0][i]) * 2**200 % 2**100 == 0
            offset = sum((x * m for x, m in zip(row, mean, strict=True)), F(memory[i]))
            ours = F(points.offsets[0][i]) + F(points.offsets[1][i])
            assert abs(ours - offset) <= points.offset_error
            assert abs(offset) <= points.offset
            assert length <= number(points.longest)
        units = mehler.matrix_product(points.units, points.units.transposed())
        rows = mehler.matrix_product(points.rows, points.rows.transposed())
        for i, j in itertools.product(range(12), repeat=2):
            inner = sum((x * y for x, y in zip(exact[i], exact[j], strict=True)), F(0))
            rho = number(inner) / (lengths[i] * lengths[j]) if i and j else mpmath.mpf(0)
            ours = number(units.high[i, j]) + number(units.low[i, j])
            assert abs(ours - rho) <= number(points.unit_error)
            ours = F(rows.high[i, j]) + F(rows.low[i, j])
            powers = F(points.powers[i]) * F(points.powers[j])
            assert abs(ours * powers - inner) <= points.row_error * powers
    assert points.deviation_error < F(dimension**2, 2**70)
    assert points.unit_error < F(dimension**2, 2**67)
    assert points.offset_error < F(dimension**2, 2**67) * (points.offset + points.longest * 9)


def test_arguments_are_within_their_rounding():
    law = Normal(mean=(F(1, 3), F(-2)), std=F(3, 7))
    inputs, memory = awkward_points(2)
    with precision(128):
        points = mehler._points(law, inputs, memory)
    rule = mehler.hermite_rule(F(1, 2), 64, 3)
    high, low = mehler._arguments(points, slice(2, 8), rule.nodes)
    assert (np.abs(low) <= 2.0**-26 * (np.abs(high) + 1e3)).all()
    for i, j in itertools.product(range(6), range(0, len(rule.nodes), 5)):
        deviation, offset = (
            F(parts[0][i + 2]) + F(parts[1][i + 2]) for parts in (points.deviations, points.offsets)
        )
        z = F(rule.nodes[j])
        gap = abs(F(high[i, j]) + F(low[i, j]) - deviation * z - offset)
        assert gap <= F(1, 2**76) * (deviation * abs(z) + abs(offset))


@pytest.mark.parametrize("rho", [0.0, -0.3, 0.9, 1.0])
@pytest.mark.parametrize("order", [0, 1])
def test_errors_of_a_series_hold_each_of_their_parts(order, rho):
    """The four sums of the module's docstring, term by term and exactly."""
    found = instance("tanh", 1)
    inputs, memory = np.array([[0.7], [-0.4], [0.9]]), np.array([0.1, -0.5, 0.8])
    with precision(128):
        points = mehler._points(found.law.w, inputs, memory)
        series = mehler._series(found.activation, order, points)
    # Tails that are not lost among the other parts.
    series = dataclasses.replace(series, rests=np.array([0.5, 0.25, 0.125]))
    size = np.full((3, 3), abs(rho))
    errors = mehler._series_errors(
        series, points, lambda values: (values[..., :, None], values[..., None, :]), size
    )
    unit, r = F(1, 2**53), F(abs(rho))
    coefficients = [[F(a) for a in column] for column in series.coefficients.T.tolist()]
    for i, j in itertools.product(range(3), repeat=2):
        terms = [abs(a * b) for a, b in zip(coefficients[i], coefficients[j], strict=True)]
        rounding = sum((2 * k + 4) * unit * x * r**k for k, x in enumerate(terms))
        moved = (unit * r + points.unit_error) * sum(k * x * r**k for k, x in enumerate(terms))
        assert F(series.norms[i]) ** 2 >= sum(a * a for a in coefficients[i])
        tail = r ** (series.degree + 1) * F(series.rests[i]) * F(series.rests[j])
        delta = series.error
        least = rounding + moved + tail + delta * (F(series.norms[i]) + F(series.norms[j]))
        assert F(errors[i, j]) * mehler._SLACK >= least
        if i == j and abs(rho) == 1:
            # Cauchy's inequality is an equality.
            assert F(errors[i, j]) <= least * (1 + F(1, 2**30)) + 2 * delta**2


def test_tails_hold_what_lies_beyond_the_degree():
    """The coefficients of a longer series: their energy is below r^2, and not far below."""
    found = instance("arctan", 1)
    inputs, memory = np.linspace(0.3, 1.5, 5)[:, None], np.linspace(-1, 1, 5)
    with precision(128):
        points = mehler._points(found.law.w, inputs, memory)
        rule = mehler.hermite_rule(F(9, 16), 64, 3)
        long_rule = mehler.hermite_rule(F(9, 16), MAX_DEGREE, 3)
        bound = F(20)
        short, _ = mehler._coefficients(found.activation, 0, points, rule, bound)
        long, _ = mehler._coefficients(found.activation, 0, points, long_rule, bound)
    for i, (rest, longer) in enumerate(zip(short.rests, long.rests, strict=True)):
        energy = np.sum(long.coefficients[short.degree + 1 :, i] ** 2)
        assert energy <= rest**2
        assert rest**2 <= energy * (1 + 1e-6) + longer**2 + 1e-17


def test_all_pairs_of_a_block_are_in_the_matrix():
    """Across the borders of blocks."""
    found = instance("sin", 1)
    count = mehler._BLOCK_POINTS * 2 + 3
    inputs, memory = np.linspace(-1, 1, count)[:, None], np.linspace(0, 1, count)
    matrix, error = mehler_gram(found, inputs, memory)
    for i, j in itertools.product((0, 127, 128, 255, 256, count - 1), repeat=2):
        gap = gaps_to_closed_form(
            "sin",
            (inputs[[i]], memory[[i]], inputs[[j]], memory[[j]]),
            matrix[[i], [j]],
        )
        assert gap[0] <= error
