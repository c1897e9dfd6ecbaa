r"""Eigenvalues and eigenvectors of symmetric matrices of balls, with proved errors.

**Formulation.**  M is any symmetric matrix in a given matrix of balls.  Wanted are numbers
``Lambda_j`` and orthonormal vectors ``q_j`` such that ``M' = sum_j Lambda_j q_j q_j^T`` is as near
to M as is known.  Single eigenvectors of M are not enclosed: where eigenvalues are close they are
determined badly, or not at all, while functions of M are determined well.

**Approximation.**  Jacobi's rotations of the midpoints, at the working precision, give a matrix V
(exact numbers) of nearly orthonormal columns, and ``Lambda_j`` is near to ``v_j^T M v_j``.

**Bounds.**  Norms are Frobenius'.  Let ``phi = |V^T V - I| < 1`` and ``rho = |M V - V Lambda|``.
The orthogonal factor ``Q = V (V^T V)^(-1/2)`` of V has ``|V - Q| = |(V^T V)^(1/2) - I| <= phi``,
since ``|sqrt(1 + x) - 1| <= |x|`` for x >= -1.  Hence

    |M - Q Lambda Q^T| = |M Q - Q Lambda| <= rho + phi (|M| + max_j |Lambda_j|) = error.

**Conclusion.**  In order, the eigenvalues of M differ from ``Lambda_j`` by at most `error` (Weyl).
Where f has the Lipschitz constant L between all of them, ``|f(M) - f(M')| <= L error``: with
eigenpairs (a_i, u_i) of M, ``|f(M) - f(M')|^2 = sum_ij |f(a_i) - f(Lambda_j)|^2 (u_i.q_j)^2``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from verification.enclosure.balls import (
    Ball,
    ball,
    end_points,
    less,
    less_equal,
    maximum,
    midpoint,
    root,
    sign,
    square,
    symmetric,
    total,
    working_precision,
)
from verification.enclosure.matrix import Matrix
from verification.errors import NotEnclosed
from verification.verdict import Truth

_SWEEPS = 60


@dataclass(frozen=True, kw_only=True, eq=False)
class Spectrum:
    """The decomposition of a symmetric matrix M; see the module's docstring.

    Parameters
    ----------
    centres : tuple of Ball, shape (size,)
        ``Lambda_j``, exact, in increasing order.
    vectors : tuple of tuple of Ball, shape (size, size)
        ``v_j``, exact, one for each eigenvalue.
    error : Ball
        Bound of ``|M - M'|``.
    defect : Ball
        Bound of ``|V - Q|``.
    """

    centres: tuple[Ball, ...]
    vectors: tuple[tuple[Ball, ...], ...]
    error: Ball
    defect: Ball

    def eigenvalues(self) -> tuple[Ball, ...]:
        """Enclose the eigenvalues of M, in increasing order."""
        return tuple(centre + symmetric(self.error) for centre in self.centres)

    def coefficients(self, vector: Sequence[Ball]) -> tuple[Ball, ...]:
        """Enclose ``q_j . y``."""
        blur = symmetric(self.defect * root(total(square(y) for y in vector)))
        return tuple(
            total(a * y for a, y in zip(column, vector, strict=True)) + blur
            for column in self.vectors
        )

    def form(
        self, function: Callable[[Ball], Ball], lipschitz: Ball, vector: Sequence[Ball]
    ) -> Ball:
        """Enclose ``y^T f(M) y``.

        Parameters
        ----------
        function : callable
            f.
        lipschitz : Ball
            A Lipschitz constant of f between the least and the largest of all `eigenvalues`.
        vector : sequence of Ball, shape (size,)
            y.
        """
        terms = zip(self.centres, self.coefficients(vector), strict=True)
        value = total(function(centre) * square(c) for centre, c in terms)
        return value + symmetric(lipschitz * self.error * total(square(y) for y in vector))


def symmetric_spectrum(matrix: Matrix) -> Spectrum:
    """Decompose a symmetric matrix of balls, shape (size, size).

    Raises
    ------
    NotEnclosed
        Where the matrix is not finite, or no nearly orthonormal columns are found.

    Notes
    -----
    About ``10 size^3`` operations in Python: for a few dozen rows.
    """
    size = matrix.shape[0]
    rows = [[ball(x) for x in row] for row in matrix.entries()]
    if not all(x.is_finite() for row in rows for x in row):
        raise NotEnclosed("a matrix that is not finite has no spectrum")
    columns = _rotated([[midpoint(x) for x in row] for row in rows])
    images = [
        [total(a * x for a, x in zip(row, column, strict=True)) for row in rows]
        for column in columns
    ]
    pairs = [
        (midpoint(total(a * x for a, x in zip(image, column, strict=True))), column, image)
        for image, column in zip(images, columns, strict=True)
    ]
    pairs.sort(key=lambda pair: end_points(pair[0]))
    residual = _norm(
        image[i] - centre * column[i] for centre, column, image in pairs for i in range(size)
    )
    defect = _norm(
        total(a * b for a, b in zip(first, second, strict=True)) - int(i == j)
        for i, (_, first, _) in enumerate(pairs)
        for j, (_, second, _) in enumerate(pairs)
    )
    if less(defect, ball(1)) is not Truth.TRUE:
        raise NotEnclosed("no nearly orthonormal eigenvectors were found at this precision")
    largest = maximum(abs(centre) for centre, _, _ in pairs)
    return Spectrum(
        centres=tuple(centre for centre, _, _ in pairs),
        vectors=tuple(tuple(column) for _, column, _ in pairs),
        error=residual + defect * (_norm(x for row in rows for x in row) + largest),
        defect=defect,
    )


def _norm(entries: Iterable[Ball]) -> Ball:
    """Bound the Frobenius norm."""
    return root(total(square(x) for x in entries))


def _rotated(rows: list[list[Ball]]) -> list[list[Ball]]:
    """Return approximate eigenvectors by Jacobi's rotations; nothing is proved of them."""
    size = len(rows)
    columns = [[ball(int(i == j)) for i in range(size)] for j in range(size)]
    pairs = [(p, q) for p in range(size) for q in range(p + 1, size)]
    negligible = ball(Fraction(1, 4 ** working_precision()))
    for _ in range(_SWEEPS):
        beside = total(square(rows[p][q]) for p, q in pairs)
        whole = total(square(x) for row in rows for x in row)
        if less_equal(beside, negligible * whole) is Truth.TRUE:
            break
        for p, q in pairs:
            if sign(rows[p][q]):
                cosine, sine = _rotation(rows[p][p], rows[q][q], rows[p][q])
                _rotate_rows(rows, p, q, cosine, sine)
                for row in rows:
                    row[p], row[q] = _turned(row[p], row[q], cosine, sine)
                _rotate_rows(columns, p, q, cosine, sine)
    return columns


def _rotation(first: Ball, second: Ball, between: Ball) -> tuple[Ball, Ball]:
    """Return cosine and sine of the smaller angle that makes ``between`` vanish."""
    ratio = (second - first) / (2 * between)
    tangent = 1 / (abs(ratio) + (square(ratio) + 1).sqrt())
    if sign(ratio) == -1:
        tangent = -tangent
    cosine = midpoint(1 / (square(tangent) + 1).sqrt())
    return cosine, midpoint(tangent * cosine)


def _rotate_rows(rows: list[list[Ball]], p: int, q: int, cosine: Ball, sine: Ball) -> None:
    turned = [_turned(x, y, cosine, sine) for x, y in zip(rows[p], rows[q], strict=True)]
    rows[p], rows[q] = [x for x, _ in turned], [y for _, y in turned]


def _turned(x: Ball, y: Ball, cosine: Ball, sine: Ball) -> tuple[Ball, Ball]:
    return midpoint(cosine * x - sine * y), midpoint(sine * x + cosine * y)
