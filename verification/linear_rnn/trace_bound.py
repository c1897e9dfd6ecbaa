r"""A lower bound of ``||rho - rho_hat||`` by the trace norm, for long memories and large widths.

**The bound.**  As in `verification.linear_rnn.lower_bounds`, ``A = int rho(t) M(t) dt`` has rank at
most m for the kernel of a network of width m, whatever the functions e_j in
``M_jk(t) = (e_j * e_k)(t)``.  The trace norm |.|_1, the sum of the singular values, is the dual of
the operator norm, and by Mirsky's theorem a matrix of rank m is at least
``s_{m+1}(A) + s_{m+2}(A) + ..`` away from A.  So

    (s_{m+1}(A) + s_{m+2}(A) + ..) / max_t |M(t)|_1  <=  ||rho - rho_hat||.

**The functions.**  ``e_k = d_k l_k^(-1/2)`` on the cell ``C_k = [x_k, x_{k+1})``, zero elsewhere,
with ``x_0 = 0``, lengths l_k and positive weights d_k; from x_1 on the end points at least double:
``x_{k+1} >= 2 x_k``.  Then a matrix M(t) has few entries, and its trace norm is known:

**Its maximum.**  M is linear in t between the sums of two end points and the norm is convex, so
that the maximum is at some ``t = x_i + x_j``, j <= i.  There ``M_kl = d_k d_l |C_k and (t - C_l)| /
(l_k l_l)^(1/2)`` falls into two blocks, since s >= x_i means t - s <= x_j.

* C_i with the cells below x_j (i < n): these are reflected into C_i, as ``x_j <= x_i <= l_i``.  The
  entries ``d_i d_k (l_k / l_i)^(1/2)`` beside a zero diagonal have the trace norm
  ``2 d_i (S_j / l_i)^(1/2)`` with ``S_j = sum_{k < j} d_k^2 l_k``.
* The cells of [x_j, x_i), j < i, an interval that is reflected into itself.  With h = i - 1, those
  below x_h are reflected into C_h, as ``x_h - x_j <= l_h``, and to ``[x_i - (x_h - x_j), x_i)``,
  which is above x_h, so that they have no entry among themselves.  C_h with itself has
  ``a = d_h^2 (1 - (x_h - x_j) / l_h)``.  The trace norm is
  ``(a^2 + 4 d_h^2 (S_h - S_j) / l_h)^(1/2)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate, pairwise

from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    maximum,
    precision,
    square,
    total,
    working_precision,
)
from verification.enclosure.matrix import Matrix
from verification.linear_rnn.pieces import Function


@dataclass(frozen=True)
class TracePlace:
    """Cells and weights of a trace bound.

    Parameters
    ----------
    ends : tuple of Fraction
        End points ``0 = x_0 < x_1 < .. < x_n``, from x_1 on each at least twice the one before.
    weights : tuple of Fraction
        Positive, one a cell.

    Raises
    ------
    ValueError
        Where they are not so.
    """

    ends: tuple[Fraction, ...]
    weights: tuple[Fraction, ...]

    def __post_init__(self) -> None:
        if len(self.ends) != len(self.weights) + 1 or not self.weights:
            raise ValueError("expected a weight for each cell, and a cell")
        if self.ends[0] or any(b <= 0 or b < 2 * a for a, b in pairwise(self.ends)):
            raise ValueError("expected end points from 0 on, each at least twice the one before")
        if min(self.weights) <= 0:
            raise ValueError("expected positive weights")

    @property
    def lengths(self) -> tuple[Fraction, ...]:
        """The lengths of the cells."""
        return tuple(b - a for a, b in pairwise(self.ends))


def trace_bound(function: Function, place: TracePlace, width: int) -> Between:
    """Enclose the bound for networks of this width."""
    return trace_bounds(function, place, working_precision())[width]


@lru_cache(maxsize=64)
def trace_bounds(function: Function, place: TracePlace, _bits: int) -> list[Between]:
    """Enclose the bounds for the widths 0, 1, .. up to the number of cells, where it is 0."""
    from verification.enclosure.singular import singular_values  # noqa: PLC0415 - loads numpy

    values = singular_values(weighted_matrix(function, place))
    zero = Between(ball(0), ball(0))
    # From the last one on: the tails of the sum.
    tails = [*accumulate(reversed(values), _plus, initial=zero)][::-1]
    most = largest_trace_norm(place)
    return [Between(tail.lower / most, tail.upper / most) for tail in tails]


def weighted_matrix(function: Function, place: TracePlace) -> Matrix:
    """Enclose ``A_jk = int rho(t) (e_j * e_k)(t) dt``, second differences of a second primitive."""
    ends, lengths = place.ends, place.lengths
    # Between cells far apart nearly equal numbers are subtracted.
    spread = ends[-1] / ends[1]
    more = spread.numerator.bit_length() - spread.denominator.bit_length()
    with precision(working_precision() + 2 * more + 16):
        known = [
            [total(piece.primitive(a + b, 2) for piece in function) for b in ends[: i + 1]]
            for i, a in enumerate(ends)
        ]
        scales = [ball(d) / ball(x).sqrt() for d, x in zip(place.weights, lengths, strict=True)]
        size = len(lengths)
        rows = [[ball(0)] * size for _ in range(size)]
        for i in range(size):
            for j in range(i + 1):
                corner = known[i + 1][j] if j < i else known[i + 1][i]
                across = known[i][j + 1] if j < i else corner
                area = known[i + 1][j + 1] - corner - across + known[i][j]
                rows[i][j] = rows[j][i] = area * scales[i] * scales[j]
    return Matrix.of_balls(rows)


def largest_trace_norm(place: TracePlace) -> Ball:
    """Enclose ``max_t |M(t)|_1``."""
    ends, lengths = [ball(x) for x in place.ends], [ball(x) for x in place.lengths]
    weights, count = [ball(d) for d in place.weights], len(place.weights)
    masses = [square(d) * x for d, x in zip(weights, lengths, strict=True)]
    below = [*accumulate(masses, initial=ball(0))]
    norms = []
    for i in range(count + 1):
        for j in range(i + 1):
            norm = ball(0)
            if i < count:
                norm = 2 * weights[i] * (below[j] / lengths[i]).sqrt()
            if j < i:
                h = i - 1
                diagonal = square(weights[h]) * (1 - (ends[h] - ends[j]) / lengths[h])
                beside = 4 * square(weights[h]) * (below[h] - below[j]) / lengths[h]
                norm = norm + (square(diagonal) + beside.nonnegative_part()).sqrt()
            norms.append(norm)
    return maximum(norms)


def _plus(one: Between, other: Between) -> Between:
    return Between(one.lower + other.lower, one.upper + other.upper)
