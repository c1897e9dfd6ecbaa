"""Matrices of rationals and of balls, against sums and products written out in Fractions."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.enclosure.balls import ball, end_points, precision
from verification.enclosure.matrix import Matrix, largest
from verification.errors import NotEnclosed

# The bits of a ball's radius beyond the precision: what a few hundred operations may lose.
BITS, LOST = 128, 20

numbers = st.fractions(min_value=-3, max_value=3, max_denominator=30)


def squares(size: int):
    return st.lists(st.lists(numbers, min_size=size, max_size=size), min_size=size, max_size=size)


pairs = st.integers(1, 4).flatmap(lambda size: st.tuples(squares(size), squares(size)))


def times(a, b):
    return [
        [
            sum((x * y for x, y in zip(row, c, strict=True)), Fraction(0))
            for c in zip(*b, strict=True)
        ]
        for row in a
    ]


def entrywise(operation, a, b):
    return [[operation(x, y) for x, y in zip(r, s, strict=True)] for r, s in zip(a, b, strict=True)]


OPERATIONS = {
    "sum": (lambda a, b: a + b, lambda a, b: entrywise(Fraction.__add__, a, b)),
    "difference": (lambda a, b: a - b, lambda a, b: entrywise(Fraction.__sub__, a, b)),
    "product": (lambda a, b: a @ b, times),
    "entrywise": (lambda a, b: a.hadamard(b), lambda a, b: entrywise(Fraction.__mul__, a, b)),
    "scaled": (
        lambda a, b: a.scale(b.row(0)[0]),
        lambda a, b: [[x * b[0][0] for x in r] for r in a],
    ),
    "transpose": (lambda a, _: a.transpose(), lambda a, _: [list(r) for r in zip(*a, strict=True)]),
    "cube": (lambda a, _: a.power(3), lambda a, _: times(a, times(a, a))),
}


def assert_encloses(found, expected, *, width=Fraction(2) ** (LOST - BITS)):
    for row, exact_row in zip(found.entries(), expected, strict=True):
        for number, exact in zip(row, exact_row, strict=True):
            low, high = end_points(ball(number))
            assert low <= exact <= high
            assert high - low <= width * max(1, abs(exact))


@pytest.mark.parametrize("name", OPERATIONS)
@given(pair=pairs)
def test_operations_are_exact_on_rationals_and_enclose_in_balls(name, pair):
    operation, expected = OPERATIONS[name]
    a, b = (Matrix.exact(rows) for rows in pair)
    assert operation(a, b).is_exact
    assert operation(a, b).entries() == expected(*pair)
    with precision(BITS):
        for mixed in (operation(a.in_balls(), b), operation(a.in_balls(), b.in_balls())):
            assert not mixed.is_exact
            assert_encloses(mixed, expected(*pair))


@given(pair=pairs)
def test_reductions(pair):
    flat = [x for row in pair[0] for x in row]
    matrix = Matrix.exact(pair[0])
    found = (
        matrix.largest(),
        matrix.smallest(),
        matrix.oscillation(),
        matrix.largest_absolute(),
        matrix.total(),
    )
    expected = (max(flat), min(flat), max(flat) - min(flat), max(map(abs, flat)), sum(flat))
    assert found == expected
    with precision(BITS):
        assert_encloses(Matrix.of_balls([[ball(x) for x in found]]), [expected])
        inexact = matrix.in_balls()
        again = (
            inexact.largest(),
            inexact.smallest(),
            inexact.oscillation(),
            inexact.largest_absolute(),
            inexact.total(),
        )
        assert_encloses(Matrix.of_balls([list(map(ball, again))]), [expected])


def strictly_dominant(rows):
    size = len(rows)
    return [[rows[i][j] + (3 * size + 1) * (i == j) for j in range(size)] for i in range(size)]


@given(pair=pairs)
def test_solutions_solve(pair):
    rows = strictly_dominant(pair[0])
    solution = Matrix.exact(rows).solve(Matrix.exact(pair[1]))
    assert times(rows, solution.entries()) == pair[1]
    with precision(BITS):
        enclosed = Matrix.exact(rows).in_balls().solve(Matrix.exact(pair[1]))
        assert_encloses(enclosed, solution.entries())


def test_a_singular_system_has_no_solution():
    rows = [[Fraction(1), Fraction(2)], [Fraction(2), Fraction(4)]]
    right = Matrix.column([Fraction(1), Fraction(1)])
    with pytest.raises(ZeroDivisionError):
        Matrix.exact(rows).solve(right)
    with pytest.raises(NotEnclosed, match="linear system"):
        Matrix.exact(rows).in_balls().solve(right)


def test_a_solution_is_multiplied_back(monkeypatch):
    wrong = Matrix.column([Fraction(1), Fraction(1)])

    class Liar(type(wrong.values)):
        def solve(self, _right):
            return wrong.values

    system = Matrix(Liar(2, 2, Matrix.identity(2).values.entries()))
    with pytest.raises(ArithmeticError, match="wrongly"):
        system.solve(Matrix.column([Fraction(1), Fraction(2)]))


def test_a_column_is_exact_where_its_numbers_are():
    assert Matrix.column([Fraction(1, 3), Fraction(2)]).entries() == [
        [Fraction(1, 3)],
        [Fraction(2)],
    ]
    assert not Matrix.column([Fraction(1, 3), ball(2)]).is_exact
    assert Matrix.constant(2, 3, Fraction(1, 7)).entries() == [[Fraction(1, 7)] * 3] * 2
    assert Matrix.constant(2, 3, 1).shape == (2, 3)


def test_the_largest_of_numbers_of_both_kinds():
    assert largest([Fraction(1), Fraction(3), Fraction(2)]) == 3
    low, high = end_points(ball(largest([Fraction(1), ball(3)])))
    assert low <= 3 <= high


@given(st.integers(1, 4).flatmap(squares))
def test_exponential_agrees_with_mpmath(rows):
    with precision(BITS), mpmath.workdps(50):
        found = Matrix.exact(rows).exponential()
        entries = [[mpmath.mpf(x.numerator) / x.denominator for x in row] for row in rows]
        expected = mpmath.expm(mpmath.matrix(entries))
        size = exact(mpmath.mnorm(expected, 1)) + 1
        for i, row in enumerate(found.entries()):
            for j, number in enumerate(row):
                low, high = end_points(ball(number))
                slack = size / 10**40
                assert low - slack <= exact(expected[i, j]) <= high + slack
                assert high - low <= size * Fraction(2) ** (LOST - BITS)


def exact(value):
    return Fraction(*mpmath.mpf(value).as_integer_ratio())


def test_exponential_of_a_nilpotent_matrix_is_its_series():
    """The integral that the limit equation takes: ((-a, y), (0, 0)) at time s."""
    rows = [
        [Fraction(0), Fraction(2), Fraction(3)],
        [Fraction(0)] * 2 + [Fraction(5)],
        [Fraction(0)] * 3,
    ]
    with precision(BITS):
        expected = [[1, 2, Fraction(3) + 5], [0, 1, 5], [0, 0, 1]]
        assert_encloses(Matrix.exact(rows).exponential(), expected)
