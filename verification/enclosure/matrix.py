"""Matrices of exact rationals, and of balls, with one set of operations.

An operation on exact matrices is exact; one that a matrix of balls takes part in gives balls at the
current working precision.  A solution of an exact system is multiplied back before it is returned:
what a verdict rests on is a product of rationals, not the solver.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import arb, arb_mat, fmpq, fmpq_mat

from verification.enclosure.balls import Ball, Number, ball, maximum
from verification.errors import NotEnclosed


@dataclass(frozen=True, eq=False)
class Matrix:
    """A matrix of rationals (exact) or of balls (an enclosure, entry by entry).

    Parameters
    ----------
    values : fmpq_mat or arb_mat
        Use `exact`, `of_balls`, `column`, `constant` or `identity` to make one.
    """

    values: fmpq_mat | arb_mat

    @staticmethod
    def exact(rows: Sequence[Sequence[Fraction]]) -> Matrix:
        """Return a matrix of rationals."""
        flat = [fmpq(x.numerator, x.denominator) for row in rows for x in row]
        return Matrix(fmpq_mat(len(rows), len(rows[0]), flat))

    @staticmethod
    def of_balls(rows: Sequence[Sequence[Ball]]) -> Matrix:
        """Return a matrix of balls."""
        return Matrix(arb_mat(len(rows), len(rows[0]), [x for row in rows for x in row]))

    @staticmethod
    def of_numbers(rows: Sequence[Sequence[Number]]) -> Matrix:
        """Return a matrix, exact where every number is rational."""
        exact = [[x for x in row if isinstance(x, Fraction)] for row in rows]
        if all(len(kept) == len(row) for kept, row in zip(exact, rows, strict=True)):
            return Matrix.exact(exact)
        return Matrix.of_balls([[ball(x) for x in row] for row in rows])

    @staticmethod
    def column(numbers: Sequence[Number]) -> Matrix:
        """Return a column, exact where every number is rational."""
        return Matrix.of_numbers([[x] for x in numbers])

    @staticmethod
    def constant(n_rows: int, n_columns: int, number: Fraction | int) -> Matrix:
        """Return an exact matrix with equal entries."""
        exact = Fraction(number)
        value = fmpq(exact.numerator, exact.denominator)
        return Matrix(fmpq_mat(n_rows, n_columns, [value] * (n_rows * n_columns)))

    @staticmethod
    def identity(size: int) -> Matrix:
        """Return the exact identity."""
        return Matrix(
            fmpq_mat(size, size, [fmpq(int(i == j)) for i in range(size) for j in range(size)])
        )

    @property
    def is_exact(self) -> bool:
        """Whether the entries are rationals."""
        return isinstance(self.values, fmpq_mat)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return self.values.nrows(), self.values.ncols()

    def in_balls(self) -> Matrix:
        """Return the same matrix in balls, at the current precision."""
        return Matrix(self._balls())

    def numbers(self) -> list[Number]:
        """Return the entries, row by row: fractions where exact, else balls."""
        if isinstance(self.values, fmpq_mat):
            return list(_fractions(self.values))
        return list(self.values.entries())

    def balls(self) -> list[Ball]:
        """Return the entries as balls, row by row."""
        return list(self._balls().entries())

    def entries(self) -> list[list[Number]]:
        """Return the rows."""
        flat, (n_rows, n_columns) = self.numbers(), self.shape
        return [flat[i * n_columns : (i + 1) * n_columns] for i in range(n_rows)]

    def row(self, index: int) -> list[Number]:
        """Return one row."""
        values = self.values
        if isinstance(values, fmpq_mat):
            row = [values[index, j] for j in range(values.ncols())]
            return [Fraction(int(x.p), int(x.q)) for x in row]
        return [values[index, j] for j in range(values.ncols())]

    def __add__(self, other: Matrix) -> Matrix:
        a, b = self.values, other.values
        if isinstance(a, fmpq_mat) and isinstance(b, fmpq_mat):
            return Matrix(a + b)
        return Matrix(self._balls() + other._balls())

    def __sub__(self, other: Matrix) -> Matrix:
        a, b = self.values, other.values
        if isinstance(a, fmpq_mat) and isinstance(b, fmpq_mat):
            return Matrix(a - b)
        return Matrix(self._balls() - other._balls())

    def __matmul__(self, other: Matrix) -> Matrix:
        a, b = self.values, other.values
        if isinstance(a, fmpq_mat) and isinstance(b, fmpq_mat):
            return Matrix(a * b)
        return Matrix(self._balls() * other._balls())

    def scale(self, factor: Number | int) -> Matrix:
        """Return the matrix times a number."""
        if isinstance(self.values, fmpq_mat) and isinstance(factor, Fraction | int):
            exact = Fraction(factor)
            return Matrix(self.values * fmpq(exact.numerator, exact.denominator))
        return Matrix(self._balls() * ball(factor))

    def hadamard(self, other: Matrix) -> Matrix:
        """Return the product entry by entry."""
        a, b = self.values, other.values
        if isinstance(a, fmpq_mat) and isinstance(b, fmpq_mat):
            exact = [x * y for x, y in zip(a.entries(), b.entries(), strict=True)]
            return Matrix(fmpq_mat(*self.shape, exact))
        pairs = zip(self._balls().entries(), other._balls().entries(), strict=True)
        return Matrix(arb_mat(*self.shape, [x * y for x, y in pairs]))

    def transpose(self) -> Matrix:
        """Return the transpose."""
        return Matrix(self.values.transpose())

    def power(self, exponent: int) -> Matrix:
        """Return a power of a square matrix, exponent >= 0."""
        result, base = Matrix.identity(self.shape[0]), self
        while exponent:
            if exponent & 1:
                result = result @ base
            exponent >>= 1
            if exponent:
                base = base @ base
        return result

    def solve(self, right: Matrix) -> Matrix:
        """Return X with ``self X = right``, self square.

        Raises
        ------
        ZeroDivisionError
            Where an exact matrix is singular.
        NotEnclosed
            Where a matrix of balls cannot be shown to be regular at this precision.
        """
        a, b = self.values, right.values
        if isinstance(a, fmpq_mat) and isinstance(b, fmpq_mat):
            solution = a.solve(b)
            if a * solution != b:
                raise ArithmeticError("an exact system was solved wrongly")
            return Matrix(solution)
        try:
            return Matrix(self._balls().solve(right._balls()))
        except ZeroDivisionError:
            raise NotEnclosed("a linear system cannot be solved at this precision") from None

    def determinant(self) -> Ball:
        """Enclose the determinant of a square matrix."""
        return self._balls().det()

    def exponential(self) -> Matrix:
        """Enclose ``exp(A) = sum_k A^k / k!`` of a square matrix, in balls."""
        return Matrix(self._balls().exp())

    def total(self) -> Number:
        """Return the sum of the entries."""
        n_rows, n_columns = self.shape
        ones = Matrix.constant
        return (ones(1, n_rows, 1) @ self @ ones(n_columns, 1, 1)).numbers()[0]

    def largest(self) -> Number:
        """Return the largest entry (of balls: an enclosure of it)."""
        values = self.values
        if isinstance(values, fmpq_mat):
            return max(_fractions(values))
        return maximum(values.entries())

    def smallest(self) -> Number:
        """Return the smallest entry (of balls: an enclosure of it)."""
        values = self.values
        if isinstance(values, fmpq_mat):
            return min(_fractions(values))
        return -maximum(-x for x in values.entries())

    def largest_absolute(self) -> Number:
        """Return the largest absolute value of an entry (of balls: an enclosure of it)."""
        values = self.values
        if isinstance(values, fmpq_mat):
            return max(map(abs, _fractions(values)))
        entries = values.entries()
        return maximum([*entries, *(-x for x in entries)])

    def oscillation(self) -> Number:
        """Return the largest entry less the smallest one."""
        high, low = self.largest(), self.smallest()
        if isinstance(high, Fraction) and isinstance(low, Fraction):
            return high - low
        return ball(high) - ball(low)

    def _balls(self) -> arb_mat:
        values = self.values
        if not isinstance(values, fmpq_mat):
            return values
        return arb_mat(*self.shape, [arb(x) for x in values.entries()])


def _fractions(matrix: fmpq_mat) -> list[Fraction]:
    return [Fraction(int(x.p), int(x.q)) for x in matrix.entries()]


def largest(numbers: Sequence[Number]) -> Number:
    """Return the maximum of at least one number, exact where all are rational."""
    rationals = [x for x in numbers if isinstance(x, Fraction)]
    if len(rationals) == len(numbers):
        return max(rationals)
    return maximum(ball(x) for x in numbers)
