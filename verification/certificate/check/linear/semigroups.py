r"""The flow ``u' = z - S u``, ``u_0 = 0``, of a symmetric matrix ``S >= 0`` in balls.

With ``E_s = exp(-s S)`` and ``g_s = int_0^s exp(-r S) dr`` its solution is ``u_s = g_s z``, and
``z - S u_s = E_s z``.  Three ways that share nothing:

* *Doubling*: both by their power series at a short time, then ``g_2s = g_s + E_s g_s`` and ``E_2s =
  E_s^2``.  Of a series cut after N terms at a time with ``s |S| <= r <= 1`` at most ``2 r^N / N!``
  is missing, for both (of g times s), in every entry.
* *Series*: that of u_s at once.  With ``|S| <= k`` the terms from N on are at most
  ``s (s k)^N / (N + 1)! exp(s k) |z|``.
* *Rotations*: Jacobi's, in balls, each an orthogonal change of the basis, so that S becomes
  ``L + R`` with L diagonal and ``|R| <= e``.  As S and L have no eigenvalue below -e, and by
  ``exp(-s S) - exp(-s L) = -int_0^s exp(-(s - r) S) R exp(-r L) dr``, ``exp(-s S)`` is
  ``exp(-s L)`` up to ``s e exp(s e)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from verification.certificate.check.numbers.balls import (
    Ball,
    around,
    ball,
    balls_column,
    integer_power,
    largest,
    lower,
    root,
    total,
    upper,
    working_precision,
)
from verification.certificate.check.numbers.complex_balls import ball_matrix, entries
from verification.certificate.check.outcome import Budget, Refused

MAX_DOUBLINGS = 128
MAX_TERMS = 1_000
_MAX_SWEEPS = 40

Rows = Sequence[Sequence[Ball]]
Column = list[Ball]


@dataclass(frozen=True)
class Flow:
    """``E_s z`` and ``g_s z`` at a time s, and z."""

    start: Column
    left: Column
    gained: Column

    def squared_residual(self) -> Ball:
        """Enclose ``|E_s z|^2``."""
        return inner(self.left, self.left)

    def squared_norm(self) -> Ball:
        """Enclose ``u . S u``, where ``S u = z - E_s z``."""
        return inner([z - x for z, x in zip(self.start, self.left, strict=True)], self.gained)


def inner(first: Sequence[Ball], second: Sequence[Ball]) -> Ball:
    """Return the inner product."""
    return total([a * b for a, b in zip(first, second, strict=True)])


def products(first: Rows, second: Rows) -> list[Column]:
    """Return the inner products of all rows of one matrix with all of another."""
    return entries(ball_matrix(first) * ball_matrix(second).transpose())


def doubled_flow(rows: Rows, start: Column, time: Fraction, budget: Budget) -> Flow:
    """Return the flow by doubling.

    Raises
    ------
    Refused
        Where the time is too long.
    """
    size = len(rows)
    steepest = upper(largest_row_sum(rows)) * time
    doublings = max(0, steepest.numerator.bit_length() - steepest.denominator.bit_length() + 2)
    if doublings > MAX_DOUBLINGS:
        raise Refused("a time is too long")
    step = time / 2**doublings
    # r <= 1/2: so many terms make 2 r^N / N! less than a unit of the precision.
    terms, reach = 8 + working_precision() // 5, steepest / 2**doublings
    budget.spend((terms + doublings) * size**3, working_precision())
    scaled = ball_matrix(rows) * -ball(step)
    # (-s S)^k / k! and their sum; the same for g z, where the factors are 1 / (k + 1)!.
    power = sums = ball_matrix([[ball(int(i == j)) for j in range(size)] for i in range(size)])
    term = gained = balls_column(start)
    for k in range(1, terms):
        power, term = scaled * power / k, scaled * term / (k + 1)
        sums, gained = sums + power, gained + term
    missing = 2 * integer_power(ball(reach), terms)
    for k in range(1, terms + 1):
        missing = missing / k
    sums = ball_matrix([[around(x, missing) for x in row] for row in entries(sums)])
    most = missing * total([abs(z) for z in start])
    gained = balls_column([around(x, most) for x in gained.entries()]) * ball(step)
    for _ in range(doublings):
        gained = gained + sums * gained
        sums = sums * sums
    left = sums * balls_column(start)
    return Flow(list(start), left.entries(), gained.entries())


def largest_row_sum(rows: Rows) -> Ball:
    """Return a bound of the norm of a symmetric matrix."""
    return largest([ball(0), *(total([abs(x) for x in row]) for row in rows)])


def series_of_flow(rows: Rows, start: Column, time: Fraction, budget: Budget) -> Column:
    """Return ``u_s`` by its power series.

    Raises
    ------
    Refused
        Where it would need too many terms.
    """
    s, size = ball(time), root(inner(start, start))
    reach = s * largest_row_sum(rows)
    scaled, term = ball_matrix(rows) * -s, balls_column(start) * s
    result, rest = balls_column([ball(0)] * len(start)), s * reach.exp() * size
    unit = Fraction(1, 2 ** working_precision())
    for k in range(1, MAX_TERMS):
        budget.spend(len(rows) ** 2 + len(rows), working_precision())
        result = result + term
        rest = rest * reach / (k + 1)
        if upper(rest) <= unit * upper(s * size):
            return [around(x, rest) for x in result.entries()]
        term = scaled * term / (k + 1)
    raise Refused("a series has too many terms")


@dataclass(frozen=True)
class Rotated:
    """S in another basis: its diagonal, a bound e of the rest, and z in that basis."""

    diagonal: Column
    rest: Ball
    coordinates: Column

    def squared_decay(self, time: Fraction) -> Ball:
        """Enclose ``z . exp(-s S) z`` for ``s = time``."""
        s = ball(time)
        decayed = total(
            [(-(s * x)).exp() * c * c for x, c in zip(self.diagonal, self.coordinates, strict=True)]
        )
        off = s * self.rest * (s * self.rest).exp()
        return around(decayed, off * inner(self.coordinates, self.coordinates))


def rotated(rows: Rows, vector: Column, budget: Budget) -> Rotated:
    """Turn a symmetric matrix S >= 0 until it is nearly diagonal."""
    size, matrix = len(rows), [list(row) for row in rows]
    coordinates = list(vector)
    small = largest_row_sum(rows) * ball(Fraction(1, 2 ** (working_precision() // 2)))
    for _ in range(_MAX_SWEEPS):
        # What a further sweep leaves is of the order of the square.
        is_last = upper(_off_diagonal(matrix)) <= lower(small.abs_lower())
        budget.spend(6 * size**3, working_precision())
        for p in range(size):
            for q in range(p + 1, size):
                _rotate(matrix, coordinates, p, q)
        if is_last:
            break
    diagonal = [matrix[i][i] for i in range(size)]
    return Rotated(diagonal, _off_diagonal(matrix), coordinates)


def _off_diagonal(matrix: Rows) -> Ball:
    parts = [x * x for i, row in enumerate(matrix) for j, x in enumerate(row) if i != j]
    return root(total(parts))


def _rotate(matrix: list[list[Ball]], coordinates: Column, p: int, q: int) -> None:
    """Turn in the plane of two coordinates by an angle that is a number: nothing depends on it."""
    off = matrix[p][q].mid()
    if off.is_zero():
        return
    ratio = ((matrix[q][q] - matrix[p][p]) / (2 * off)).mid()
    larger = abs(ratio) + (1 + ratio * ratio).sqrt()
    tangent = (1 / larger if upper(ratio) >= 0 else -(1 / larger)).mid()
    cosine = 1 / (1 + tangent * tangent).sqrt()
    sine = tangent * cosine
    for row in matrix:
        row[p], row[q] = cosine * row[p] - sine * row[q], sine * row[p] + cosine * row[q]
    for k in range(len(matrix)):
        a, b = matrix[p][k], matrix[q][k]
        matrix[p][k], matrix[q][k] = cosine * a - sine * b, sine * a + cosine * b
    a, b = coordinates[p], coordinates[q]
    coordinates[p], coordinates[q] = cosine * a - sine * b, sine * a + cosine * b


def inverse_form(rows: Rows, vector: Column, budget: Budget) -> Ball | None:
    """Enclose ``z . S^-1 z`` by pivots; None where they are not all shown to be positive."""
    size = len(rows)
    budget.spend(size**3 // 3 + size, working_precision())
    matrix, rest, found = [list(row) for row in rows], list(vector), ball(0)
    for k in range(size):
        pivot = matrix[k][k]
        if not pivot.is_finite() or lower(pivot) <= 0:
            return None
        found = found + rest[k] * rest[k] / pivot
        for i in range(k + 1, size):
            factor = matrix[i][k] / pivot
            rest[i] = rest[i] - factor * rest[k]
            for j in range(k + 1, size):
                matrix[i][j] = matrix[i][j] - factor * matrix[k][j]
    return found
