"""Piecewise polynomials for activations against mpmath: within their error, which is small."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from verification import gallery
from verification.enclosure.balls import end_points, exact_ball, precision
from verification.errors import NotEnclosed
from verification.instance import ActivationSpec, Instance, Term
from verification.recurrent import activation_cells
from verification.recurrent.activation import activation
from verification.recurrent.activation_cells import MAX_CELLS

F = Fraction


def mixture() -> ActivationSpec:
    instance = gallery.load("mixture-activation")
    assert isinstance(instance, Instance)
    return instance.activation


def steep() -> ActivationSpec:
    return ActivationSpec(
        terms=(
            Term(weight=F(-3), scale=F(5, 2), shift=F(1, 3), of="arctan"),
            Term(weight=F(1, 2), scale=F(-1), shift=F(0), of="logistic"),
        )
    )


SPECS = {
    **{name: ActivationSpec.named(name) for name in ("tanh", "logistic", "erf", "arctan", "sin")},
    "mixture": mixture(),
    "steep": steep(),
}

VALUES = {
    "tanh": (mpmath.tanh, lambda t: mpmath.sech(t) ** 2),
    "logistic": (
        lambda t: 1 / (1 + mpmath.exp(-t)),
        lambda t: 1 / (4 * mpmath.cosh(t / 2) ** 2),
    ),
    "erf": (mpmath.erf, lambda t: 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-t * t)),
    "arctan": (mpmath.atan, lambda t: 1 / (1 + t * t)),
    "sin": (mpmath.sin, mpmath.cos),
}


def truth(spec: ActivationSpec, order: int, t: mpmath.mpf) -> mpmath.mpf:
    def number(q: Fraction) -> mpmath.mpf:
        return mpmath.mpf(q.numerator) / q.denominator

    return mpmath.fsum(
        number(term.weight * term.scale**order)
        * VALUES[term.of][order](number(term.scale) * t + number(term.shift))
        for term in spec.terms
    )


def arguments(half: float, reach: float) -> np.ndarray:
    """Random arguments, centres and borders of cells, and their neighbours."""
    rng = np.random.default_rng(3)
    borders = half * np.concatenate((np.arange(-9, 10), rng.integers(-int(reach), int(reach), 30)))
    return np.concatenate(
        (
            rng.uniform(-reach, reach, 120),
            rng.normal(0, 1e-3, 20),
            borders,
            np.nextafter(borders, 100),
            np.nextafter(borders, -100),
            [0.0, reach, -reach, 5e-324],
        )
    )


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("name", SPECS)
def test_values_are_within_their_error_which_is_far_below_a_rounding(name, order):
    spec = SPECS[name]
    reach = 6
    cells = activation_cells.activation_cells(spec, order, F(reach))
    high = arguments(cells.half, reach)
    rng = np.random.default_rng(4)
    # Beside both doubles of a sum: low parts as large as they may be.
    low = cells.half * 2.0**-10 * rng.uniform(-1, 1, len(high))
    low[::3] = 0
    found = cells.evaluate(high.copy(), low.copy(), 22)
    assert (np.rint(found.high * 2.0**22) == found.high * 2.0**22).all()
    assert np.abs(found.low).max() <= 2.0**-23
    assert np.abs(found.total()).max() <= 1
    with mpmath.workdps(40):
        gaps = [
            abs(
                truth(spec, order, mpmath.mpf(a) + mpmath.mpf(b)) / mpmath.mpf(2) ** cells.exponent
                - mpmath.mpf(c)
                - mpmath.mpf(d)
            )
            for a, b, c, d in zip(
                *(x.tolist() for x in (high, low, found.high, found.low)), strict=True
            )
        ]
    worst = max(F(*gap.as_integer_ratio()) if gap else F(0) for gap in gaps)
    assert worst <= cells.error
    # Roundings mostly cancel; a dozen are bounded as if they did not.
    assert cells.error <= 12 * worst
    assert cells.error <= F(1, 2**54)


@pytest.mark.parametrize("name", ["tanh", "arctan"])
def test_coefficients_that_are_left_out_are_in_the_error(monkeypatch, name):
    """With many of them left out they are most of it."""
    spec = SPECS[name]
    monkeypatch.setattr(activation_cells, "_NEGLIGIBLE", 2 ** (activation_cells._FIXED_BITS - 44))
    monkeypatch.setattr(activation_cells, "_cell", activation_cells._cell.__wrapped__)
    cells = activation_cells.activation_cells.__wrapped__(spec, 0, F(2))
    t = np.linspace(-2, 2, 200)
    found = cells.evaluate(t.copy(), np.zeros_like(t), 22)
    with mpmath.workdps(40):
        worst = max(
            abs(truth(spec, 0, mpmath.mpf(u)) / 2**cells.exponent - mpmath.mpf(a) - mpmath.mpf(b))
            for u, a, b in zip(*(x.tolist() for x in (t, found.high, found.low)), strict=True)
        )
    assert F(*worst.as_integer_ratio()) <= cells.error <= 20 * F(*worst.as_integer_ratio())
    assert cells.error > F(1, 2**52)


def test_values_agree_with_the_balls():
    spec = SPECS["mixture"]
    cells = activation_cells.activation_cells(spec, 0, F(3))
    t = np.linspace(-3, 3, 41)
    found = cells.evaluate(t.copy(), np.zeros_like(t), 24)
    with precision(120):
        for u, high, low in zip(t, found.high, found.low, strict=True):
            value = activation(spec).derivative(0, exact_ball(float(u)))
            bottom, top = end_points(value)
            unit = F(2) ** cells.exponent
            ours = (F(float(high)) + F(float(low))) * unit
            assert bottom - cells.error * unit <= ours <= top + cells.error * unit


@pytest.mark.parametrize("bits", [16, 20, 26])
def test_the_split_changes_the_parts_only(bits):
    cells = activation_cells.activation_cells(SPECS["tanh"], 0, F(2))
    t = np.linspace(-2, 2, 101)
    found = cells.evaluate(t.copy(), np.zeros_like(t), bits)
    assert np.abs(found.low).max() <= 2.0 ** -(bits + 1)
    np.testing.assert_allclose(found.total() * 2.0**cells.exponent, np.tanh(t), rtol=0, atol=1e-15)


def test_a_reach_with_too_many_cells_is_refused():
    with pytest.raises(NotEnclosed, match=f"more than {MAX_CELLS} cells"):
        activation_cells.activation_cells(SPECS["tanh"], 0, F(10**4))
