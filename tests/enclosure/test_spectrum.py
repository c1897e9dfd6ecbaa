"""Spectra of symmetric matrices against mpmath at 50 digits and against exact quadratic forms."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.enclosure import spectrum as spectrum_module
from verification.enclosure.balls import Ball, ball, end_points, precision, square, symmetric
from verification.enclosure.matrix import Matrix
from verification.enclosure.spectrum import symmetric_spectrum
from verification.errors import NotEnclosed

BITS, LOST = 128, 24
NARROW = Fraction(2) ** (LOST - BITS)
# mpmath's own error at 50 digits, for matrices of norm below 100
ORACLE = Fraction(1, 10**44)

numbers = st.fractions(min_value=-3, max_value=3, max_denominator=30)


@st.composite
def symmetric_matrices(draw, largest: int = 6):
    """Symmetric rational matrices; of low rank, or with equal eigenvalues, now and then."""
    size = draw(st.integers(1, largest))
    rank = draw(st.integers(1, size))
    columns = draw(
        st.lists(st.lists(numbers, min_size=size, max_size=size), min_size=rank, max_size=rank)
    )
    signs = draw(st.lists(st.sampled_from([-1, 1]), min_size=rank, max_size=rank))
    shift = draw(st.sampled_from([Fraction(0), Fraction(1)]))
    return [
        [
            sum((s * c[i] * c[j] for s, c in zip(signs, columns, strict=True)), Fraction(0))
            + (shift if i == j else 0)
            for j in range(size)
        ]
        for i in range(size)
    ]


def mp(value: Fraction) -> mpmath.mpf:
    return mpmath.mpf(value.numerator) / value.denominator


def exact(value: mpmath.mpf) -> Fraction:
    return Fraction(*mpmath.mpf(value).as_integer_ratio())


def holds(enclosed: Ball, truth: Fraction, *, width: Fraction, slack: Fraction = ORACLE) -> None:
    low, high = end_points(enclosed)
    assert low - slack <= truth <= high + slack
    assert high - low <= width


@given(symmetric_matrices())
def test_eigenvalues_agree_with_mpmath(rows):
    with precision(BITS), mpmath.workdps(50):
        found = symmetric_spectrum(Matrix.exact(rows)).eigenvalues()
        expected = mpmath.eigsy(
            mpmath.matrix([[mp(x) for x in row] for row in rows]), eigvals_only=True
        )
        for enclosed, value in zip(found, sorted(expected), strict=True):
            holds(enclosed, exact(value), width=NARROW * 1000)


@given(symmetric_matrices(), st.data())
def test_quadratic_forms_are_exact_for_polynomials(rows, data):
    """``f(x) = x^2``: the form is a rational, whatever the multiplicities."""
    vector = data.draw(st.lists(numbers, min_size=len(rows), max_size=len(rows)))
    image = [sum((a * y for a, y in zip(row, vector, strict=True)), Fraction(0)) for row in rows]
    expected = sum((x * x for x in image), Fraction(0))
    with precision(BITS):
        spectrum = symmetric_spectrum(Matrix.exact(rows))
        # between -norm and norm the slope of x^2 is at most 2 norm
        norm = ball(sum((abs(x) for row in rows for x in row), Fraction(0)))
        found = spectrum.form(square, 2 * norm + 1, [ball(y) for y in vector])
        holds(found, expected, width=NARROW * 10**6, slack=Fraction(0))


def test_the_exponential_of_a_form_agrees_with_mpmath():
    rows = [[Fraction(abs(i - j) + 1, 7) for j in range(4)] for i in range(4)]
    vector = [Fraction(k, 3) for k in (1, -2, 0, 5)]
    with precision(BITS), mpmath.workdps(50):
        spectrum = symmetric_spectrum(Matrix.exact(rows))
        found = spectrum.form(Ball.exp, ball(20), [ball(y) for y in vector])
        flow = mpmath.expm(mpmath.matrix([[mp(x) for x in row] for row in rows]))
        y = mpmath.matrix([mp(y) for y in vector])
        holds(found, exact((y.T * flow * y)[0]), width=Fraction(1, 10**30))


@pytest.mark.parametrize("size", [1, 3, 8])
def test_equal_eigenvalues_are_no_obstacle(size):
    with precision(64):
        for value in symmetric_spectrum(Matrix.identity(size)).eigenvalues():
            holds(value, Fraction(1), width=Fraction(1, 2**50))
        *zeros, top = symmetric_spectrum(Matrix.constant(size, size, 1)).eigenvalues()
        holds(top, Fraction(size), width=Fraction(1, 2**50))
        for value in zeros:
            holds(value, Fraction(0), width=Fraction(1, 2**50))


def test_the_coefficients_are_the_projections():
    # eigenvalues 1 and 3, eigenvectors (1, -1) and (1, 1) over the root of 2
    rows = [[Fraction(2), Fraction(1)], [Fraction(1), Fraction(2)]]
    with precision(BITS):
        spectrum = symmetric_spectrum(Matrix.exact(rows))
        first, second = spectrum.coefficients([ball(3), ball(1)])
        holds(square(first), Fraction(2), width=NARROW, slack=Fraction(0))
        holds(square(second), Fraction(8), width=NARROW, slack=Fraction(0))


def test_every_matrix_in_a_matrix_of_balls_is_meant():
    """The error covers the corners of the balls, and is little more than their radius."""
    rng = np.random.default_rng(5)
    centre = rng.integers(-8, 9, (4, 4)) / 4
    centre = (centre + centre.T) / 2
    radius = 2.0**-20
    with precision(64):
        blur = symmetric(ball(Fraction(radius)))
        balls = [[ball(Fraction(x)) + blur for x in row] for row in centre.tolist()]
        spectrum = symmetric_spectrum(Matrix.of_balls(balls))
        for _ in range(20):
            corner = radius * rng.choice([-1.0, 1.0], (4, 4))
            corner = np.triu(corner) + np.triu(corner, 1).T
            # LAPACK's error is far below the radius
            values = np.linalg.eigvalsh(centre + corner)
            for enclosed, value in zip(spectrum.eigenvalues(), values, strict=True):
                slack = Fraction(1, 2**45)
                holds(enclosed, Fraction(float(value)), width=Fraction(24 * radius), slack=slack)
        y = rng.standard_normal(4)
        found = spectrum.form(lambda x: x, ball(1), [ball(Fraction(x)) for x in y.tolist()])
        low, high = end_points(found)
        assert low <= y @ (centre + corner) @ y <= high


def test_eigenvalues_below_the_range_of_doubles_keep_their_order():
    tiny = Fraction(1, 2**1200)
    rows = [[2 * tiny, Fraction(0)], [Fraction(0), tiny]]
    with precision(64):
        low, high = symmetric_spectrum(Matrix.exact(rows)).eigenvalues()
        holds(low, tiny, width=tiny / 2**40, slack=Fraction(0))
        holds(high, 2 * tiny, width=tiny / 2**40, slack=Fraction(0))


@pytest.mark.parametrize("spoiled", ["turned", "shrunk"])
def test_bad_eigenvectors_are_paid_for(monkeypatch, spoiled):
    """Columns that are not eigenvectors, or not of length 1: wide, and still true."""
    rotated = spectrum_module._rotated

    def blunt(rows):
        columns = rotated(rows)
        if spoiled == "shrunk":
            return [[x * ball(Fraction(999, 1000)) for x in column] for column in columns]
        (a, b), (c, d) = columns
        part = ball(Fraction(1, 1000))
        return [[a + part * c, b + part * d], [c - part * a, d - part * b]]

    # Of short columns the residual alone is less than the error where one eigenvalue is large.
    beside = Fraction(2 if spoiled == "turned" else 0)
    rows = [[Fraction(5), beside], [beside, Fraction(-1, 100)]]
    vector = [ball(3), ball(-2)]
    with precision(64), mpmath.workdps(30):
        sharp = symmetric_spectrum(Matrix.exact(rows))
        monkeypatch.setattr(spectrum_module, "_rotated", blunt)
        found = symmetric_spectrum(Matrix.exact(rows))
        for one, other in zip(sharp.eigenvalues(), found.eigenvalues(), strict=True):
            assert_within(one, other)
        if spoiled == "shrunk":
            # The orthogonal factor is that of the sharp columns.
            for one, other in zip(
                sharp.coefficients(vector), found.coefficients(vector), strict=True
            ):
                assert_within(one, other)
        for function, slope in ((square, ball(20)), (Ball.exp, ball(1000))):
            forms = [each.form(function, slope, vector) for each in (sharp, found)]
            assert_within(*forms)
            low, high = end_points(forms[1])
            assert high - low > Fraction(1, 1000)


def assert_within(narrow: Ball, wide: Ball) -> None:
    (low, high), (least, most) = end_points(narrow), end_points(wide)
    assert least <= low <= high <= most


def test_columns_that_are_far_from_orthonormal_are_refused(monkeypatch):
    monkeypatch.setattr(spectrum_module, "_rotated", lambda _: [[ball(1), ball(1)]] * 2)
    with precision(64), pytest.raises(NotEnclosed, match="orthonormal"):
        symmetric_spectrum(Matrix.identity(2))


def test_what_is_not_finite_is_refused():
    with precision(64):
        infinite = ball(1) / symmetric(ball(1))
        with pytest.raises(NotEnclosed, match="not finite"):
            symmetric_spectrum(Matrix.of_balls([[infinite]]))
