r"""A lower bound of ``||rho - rho_hat||`` from a quadratic form that vanishes for every network.

**Bound.**  Let ``phi_a`` be functions on [0, inf), one family for each channel, and ``psi_b`` sums
of point masses at ``s_0 < .. < s_n``, common to all channels, a, b = 0..m.  With the symmetric
matrices ``M(t) = ((phi_a * psi_b + phi_b * psi_a)(t) / 2)_ab`` of each channel and
``A = sum_i int rho_i(t) M_i(t) dt`` every network of width m has

    ||rho - rho_hat||  >=  lambda_min(A) / max_{i, t} |M_i(t)|.

**Proof.**  ``rho_hat_i(t + s) = v_i(t) . w(s)`` with ``w(s) = exp(W^T s) c`` in R^m.  The m + 1
vectors ``int psi_b(s) w(s) ds`` are linearly dependent: for some unit vector x the measure
``psi_x = sum_b x_b psi_b`` has ``int psi_x(s) rho_hat_i(t + s) ds = 0`` for all t and i.  So
``int rho_hat_i (phi * psi_x) = 0`` for every phi; with ``phi = phi_x`` this reads
``x^T (int rho_hat_i M_i) x = 0``, and ``x^T A x = sum_i int (rho_i - rho_hat_i) x^T M_i x``: the
left side is at least ``lambda_min(A)``, the right side at most ``||rho - rho_hat|| max |M|``.

**Why it is near.**  The error of the best network is orthogonal, weighted by its signs, to the
exponentials of the network *and* to t times them: the signs are of the form ``alpha * psi * psi``.
Bounds by operator norms only use that they are ``alpha * psi``.  With m = 0, ``phi = sign rho`` and
a unit mass at 0 there is equality.

Here phi is constant between knots ``e_0 = 0 < .. < e_N``, on the last interval up to infinity, so
that M is constant between the sums ``e_k + s_j``.  The functions are scaled so that A is nearly the
unit matrix: ``lambda_min(A) >= 1 - |A - 1|`` (Frobenius).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from verification.enclosure.balls import Ball, Between, ball, less, square, total
from verification.enclosure.matrix import Matrix
from verification.enclosure.symmetric import largest_norm, product_error
from verification.errors import NotEnclosed
from verification.linear_rnn.pieces import Function
from verification.verdict import Truth


@dataclass(frozen=True)
class QuadraticPlace:
    """The functions of a quadratic form; see the module's docstring.

    Parameters
    ----------
    shifts : tuple of Fraction, shape (n,)
        ``s_j >= 0``, increasing.
    masses : tuple of tuple of float, shape (n, m + 1)
        ``psi_b = sum_j masses[j][b] delta_{s_j}``.
    knots : tuple of Fraction, shape (N,)
        ``0 = e_0 < e_1 < ..``.
    heights : tuple, shape (channels, m + 1, N)
        The value of ``phi_a`` on ``[e_k, e_{k+1})``, and from the last knot on.

    Raises
    ------
    ValueError
        Where shifts or knots are not so: the bound would be none.
    """

    shifts: tuple[Fraction, ...]
    masses: tuple[tuple[float, ...], ...]
    knots: tuple[Fraction, ...]
    heights: tuple[tuple[tuple[float, ...], ...], ...]

    def __post_init__(self) -> None:
        if not self.shifts or self.shifts[0] < 0 or not _increase(self.shifts):
            raise ValueError("expected shifts that are not negative and increase")
        if not self.knots or self.knots[0] or not _increase(self.knots):
            raise ValueError("expected knots that increase from 0 on")


def _increase(values: tuple[Fraction, ...]) -> bool:
    return all(a < b for a, b in pairwise(values))


def quadratic_bound(
    functions: tuple[Function, ...], place: QuadraticPlace, *, of_entries: bool = False
) -> Between:
    """Enclose ``lambda_min(A) / max |M|``; a mutant takes the largest entry for the norm of M.

    The upper end bounds this number too, but not the distance.

    Raises
    ------
    NotEnclosed
        Where M is too large for doubles, or not shown to differ from 0.
    """
    off = _departure_from_unit(form(functions, place))
    stack, errors = _stack(place)
    if of_entries:
        stack, errors = stack.reshape(-1, 1, 1), np.repeat(errors, stack[0].size)
    norms = largest_norm(stack, errors)
    if less(ball(0), norms.lower) is not Truth.TRUE:
        raise NotEnclosed("a quadratic form that is zero, or nearly")
    return Between(((1 - off) / norms.upper).nonnegative_part(), (1 + off) / norms.lower)


def form(functions: tuple[Function, ...], place: QuadraticPlace) -> Matrix:
    """Enclose A."""
    masses = _exact(place.masses)
    size = len(place.masses[0])
    found = Matrix.constant(size, size, 0).in_balls()
    for function, heights in zip(functions, place.heights, strict=True):
        if function:
            found = found + _exact(heights) @ _integrals(function, place) @ masses
    return (found + found.transpose()).scale(ball(Fraction(1, 2)))


def _integrals(function: Function, place: QuadraticPlace) -> Matrix:
    """Enclose ``int rho(t + s_j) dt`` over the k-th interval, shape (N, n)."""
    primitive = {
        t: total(piece.primitive(t) for piece in function) for t in sums(place.knots, place.shifts)
    }
    ends = [*place.knots[1:], None]
    return Matrix.of_balls(
        [
            [(ball(0) if b is None else primitive[b + s]) - primitive[a + s] for s in place.shifts]
            for a, b in zip(place.knots, ends, strict=True)
        ]
    )


def _exact(rows: tuple[tuple[float, ...], ...]) -> Matrix:
    return Matrix.exact([[Fraction(x) for x in row] for row in rows]).in_balls()


def _departure_from_unit(matrix: Matrix) -> Ball:
    rest = matrix - Matrix.identity(matrix.shape[0]).in_balls()
    return total(square(ball(x)) for x in rest.numbers()).nonnegative_part().sqrt()


def _stack(place: QuadraticPlace) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return M between all sums of a knot and a shift, in doubles, and bounds of the errors."""
    where = cells(place.knots, place.shifts)
    masses = np.array(place.masses)
    matrices, errors = [], []
    for heights in place.heights:
        # Before its shift a function is 0.
        padded = np.concatenate([np.array(heights), np.zeros((len(heights), 1))], axis=1)
        shifted = np.ascontiguousarray(padded[:, where].transpose(1, 0, 2))
        products = shifted @ masses
        matrices.append((products + products.transpose(0, 2, 1)) / 2)
        # The sum, halved, is rounded once more.
        errors.append(product_error(shifted, masses) * 2)
    return np.concatenate(matrices), np.concatenate(errors)


def sums(knots: tuple[Fraction, ...], shifts: tuple[Fraction, ...]) -> list[Fraction]:
    """Return the distinct sums of a knot and a shift, in order."""
    return sorted({e + s for e in knots for s in shifts})


def cells(knots: tuple[Fraction, ...], shifts: tuple[Fraction, ...]) -> NDArray[np.intp]:
    """Return in which interval ``t - s_j`` lies, for t between sums of a knot and a shift.

    Returns
    -------
    shape (number of distinct sums, n)
        -1 where t is before s_j.
    """
    points = sums(knots, shifts)
    at = {point: k for k, point in enumerate(points)}
    starts = [np.array([at[e + s] for e in knots]) for s in shifts]
    every = np.arange(len(points))
    return np.stack([np.searchsorted(x, every, side="right") - 1 for x in starts], axis=1)
