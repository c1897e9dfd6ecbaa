r"""Singular values of symmetric matrices between bounds, by counting pivots.

For a symmetric A and s > 0 the number of eigenvalues above s is the number of positive pivots of
``A - s D`` in the generalised problem ``A x = s D x``, D diagonal and positive (Sylvester's law of
inertia), and of those below -s it is that of negative pivots of ``A + s D``.  So the k-th largest
singular value exceeds a lower bound if the two counts are k at least, and is below an upper bound
if they are less than k.  No eigenvalue is computed.

Of large matrices a certificate brings vectors instead, the columns of a matrix W that are nearly
orthonormal and nearly singular vectors of ``A~ = D^(-1/2) A D^(-1/2)``.  As ``s_k(W^T A~ W) <=
|W|^2 s_k(A~)``, and ``s_(m+1) + s_(m+2) + ..`` is the distance to matrices of rank m in the trace
norm, with ``W^T A~ W = B + E``, B diagonal, it is at least ``(|B_(m+1)| + |B_(m+2)| + .. - |E|_1) /
|W^T W|``, B from the largest entry on; ``|E|_1 <= p^(1/2) |E|`` for p columns, Frobenius.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from verification.certificate.check.numbers.balls import Ball, ball, lower, matrix, total, upper
from verification.certificate.check.numbers.bounds import Bounds
from verification.certificate.check.numbers.complex_balls import ball_matrix, entries
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.reading import Node

Rows = list[list[Ball]]


def read_brackets(node: Node, count: int) -> list[Bounds]:
    """Read lower and upper bounds of singular values, the largest value first."""
    found = []
    for item in node.elements(count, count):
        members = item.fields(("lower", "upper"))
        low, high = members["lower"].number(), members["upper"].number()
        if not 0 <= low <= high or not high:
            item.refuse("0 <= lower <= upper, upper > 0")
        found.append(Bounds(low, high))
    return found


@dataclass(frozen=True)
class Form:
    """The symmetric matrix ``D^(-1/2) A D^(-1/2)``: the rows of A, and D, positive."""

    rows: Rows
    weights: Sequence[Fraction]


def require_singular_value(
    what: str, form: Form, index: int, claimed: Bounds, budget: Budget
) -> None:
    """Show that the singular value of an index, from 1 on, is in bounds.

    Raises
    ------
    Invalid
        Where it is not shown.
    """
    high = count_above(form, claimed.upper, budget)
    if high is None or high >= index:
        raise Invalid(f"{what}: not shown that singular value {index} is as small as stated")
    if claimed.lower > 0:
        low = count_above(form, claimed.lower, budget)
        if low is None or low < index:
            raise Invalid(f"{what}: not shown that singular value {index} is as large as stated")


def count_above(form: Form, level: Fraction, budget: Budget) -> int | None:
    """Return how many singular values are above a level > 0, None where that is not known."""
    above = _inertia(form, -level, budget)
    below = _inertia(form, level, budget)
    return None if above is None or below is None else above[0] + below[1]


def require_least_eigenvalue(form: Form, claimed: Bounds, node: Node, budget: Budget) -> None:
    """Show that the least eigenvalue is in bounds.

    Raises
    ------
    Invalid
        Where it is not shown.
    """
    low = _inertia(form, -claimed.lower, budget)
    high = _inertia(form, -claimed.upper, budget)
    if low is None or low[1] or high is None or not high[1]:
        node.invalid("not shown that the least eigenvalue is there")


def sum_after(
    form: Form, first: int, vectors: Sequence[Sequence[Fraction]], budget: Budget
) -> Fraction:
    """Return a lower bound of the sum of the singular values after the first ones.

    Raises
    ------
    Invalid
        Where all vectors are zero.
    """
    size, count = len(form.rows), len(vectors)
    budget.spend(size**2 * count // 8 + 20 * size * (size + count), 128)
    roots = [1 / ball(x).sqrt() for x in form.weights]
    scaled = ball_matrix(
        [
            [x * p * q for x, q in zip(row, roots, strict=True)]
            for row, p in zip(form.rows, roots, strict=True)
        ]
    )
    across = matrix(vectors)
    along = across.transpose()
    turned = entries(across * scaled * along)
    products = entries(across * along)
    stretched = max(upper(total([abs(x) for x in row])) for row in products)
    if stretched <= 0:
        raise Invalid("vectors that are all zero show nothing of singular values")
    known = sorted((lower(abs(turned[k][k])) for k in range(count)), reverse=True)
    beside = total([x * x for i, row in enumerate(turned) for j, x in enumerate(row) if i != j])
    off = upper((beside * count).sqrt())
    return (sum(known[first:], Fraction(0)) - off) / stretched


def _inertia(form: Form, shift: Fraction, budget: Budget) -> tuple[int, int] | None:
    """Count positive and negative pivots of ``A + shift D``, None where one may be 0."""
    size = len(form.rows)
    budget.spend(size**3 // 3 + size, 128)
    rows = [list(row) for row in form.rows]
    for i, weight in enumerate(form.weights):
        rows[i][i] = rows[i][i] + ball(shift * weight)
    positive = negative = 0
    for k in range(size):
        pivot = rows[k][k]
        if not pivot.is_finite():
            return None
        if lower(pivot) > 0:
            positive += 1
        elif upper(pivot) < 0:
            negative += 1
        else:
            return None
        for i in range(k + 1, size):
            factor = rows[i][k] / pivot
            for j in range(k + 1, i + 1):
                rows[i][j] = rows[i][j] - factor * rows[j][k]
    return positive, negative
