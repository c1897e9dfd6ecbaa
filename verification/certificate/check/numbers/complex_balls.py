"""Complex balls, matrix exponentials and special functions of FLINT for the second family's claims.

Beside `verification.certificate.check.numbers.balls` the one place that loads flint.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flint import acb, arb, arb_mat

from verification.certificate.check.numbers.balls import Ball, BallMatrix, ball

ComplexBall = acb


def complex_ball(real: Fraction, imaginary: Fraction) -> ComplexBall:
    """Enclose a complex number with rational parts."""
    return acb(ball(real), ball(imaginary))


def real_part(z: ComplexBall) -> Ball:
    """Return the real part."""
    return z.real


def size(z: ComplexBall) -> Ball:
    """Return the absolute value."""
    return abs(z)


def hull(x: Ball, y: Ball) -> Ball:
    """Return a ball that contains two."""
    return x.union(y)


def airy(x: Ball) -> tuple[Ball, Ball]:
    """Enclose ``Ai(x)`` and ``Ai'(x)``."""
    return x.airy_ai(), x.airy_ai(derivative=1)


def exponential_integral(order: int, x: Ball) -> Ball:
    """Enclose ``E_n(x) = int_1^inf exp(-x s) s^-n ds``, x > 0."""
    return x.expint(arb(order))


def gamma(x: Ball) -> Ball:
    """Enclose the Gamma function of a number > 0."""
    return x.gamma()


def size_of_gamma(real: Ball, imaginary: Ball) -> Ball:
    """Enclose the absolute value of the Gamma function of a complex number."""
    return abs(acb(real, imaginary).gamma())


def matrix_exponential(rows: Sequence[Sequence[Fraction]]) -> BallMatrix:
    """Enclose the exponential of a matrix of exact numbers."""
    return arb_mat([[ball(x) for x in row] for row in rows]).exp()


def solved(matrix: BallMatrix, right: BallMatrix) -> BallMatrix | None:
    """Enclose the solution of a linear system, None where the matrix is not shown to be regular."""
    try:
        return matrix.solve(right)
    except ZeroDivisionError:
        return None


def entries(matrix: BallMatrix) -> list[list[Ball]]:
    """Return the rows of a matrix."""
    return [[matrix[i, j] for j in range(matrix.ncols())] for i in range(matrix.nrows())]


def ball_matrix(rows: Sequence[Sequence[Ball]]) -> BallMatrix:
    """Return balls as a matrix."""
    return arb_mat(rows)
