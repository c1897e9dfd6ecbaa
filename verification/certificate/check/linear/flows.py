r"""Gradient flow, enclosed by polynomials that a certificate brings.

On each piece, in s of [-1, 1], a polynomial p is given by its coefficients in Chebyshev's basis,
and a number mu.  With ``d = p' + grad J(p)``, the distance ``v = |th - p|`` of the flow obeys

    v' <= (mu + C v / 2) v + |d|    where  J''(p) + mu is positive definite on the piece,

and C bounds the third derivatives near it.  Both conditions are on functions that are analytic in
s.  They are evaluated at Chebyshev's points; the coefficients of a function that is at most M on an
ellipse with the foci -1 and 1 and the half axes' sum R are at most ``2 M R^-k``, so that what n
points leave out is at most ``4 M R^-n R / (R - 1)``.  M is found by one evaluation on a box that
contains all of p on the ellipse, and delta more: by Cauchy, C is at most the second derivatives'
bound there over ``delta / 2``, as long as ``v <= delta / 2``.  A determinant without a zero, and
positive pivots at one point, make a matrix positive definite throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil

from verification.certificate.check.linear.flow_pieces import DEGREE, Followed, Piece
from verification.certificate.check.linear.losses import Loss
from verification.certificate.check.linear.networks import norm_of
from verification.certificate.check.numbers.balls import (
    Ball,
    BallMatrix,
    around,
    ball,
    integer_power,
    lower,
    matrix,
    pi,
    total,
    upper,
    working_precision,
)
from verification.certificate.check.numbers.complex_balls import (
    ComplexBall,
    ball_matrix,
    entries,
    size,
)
from verification.certificate.check.outcome import Budget
from verification.certificate.check.reading import Node
from verification.certificate.check.targets import Vector

FLOW_BITS = 192
_MOST_BITS = 4096
_NODES = 32
_GRID = 64
_REACHES = (2**48, 2**32, 2**16, 2**10, 64, 32, 16, 8, 6, 4)
_MARGIN = 16
_LONGEST = 100
_TRIES = 6


def flow_bits(rates: Vector, delay: Fraction) -> int:
    """Return a precision at which what cancels near the start leaves digits of the bump's pull."""
    return min(FLOW_BITS + 2 * ceil(min(rates) * delay), _MOST_BITS)


def follow(loss: Loss, pieces: Sequence[Piece], budget: Budget) -> list[Followed]:
    """Enclose the flow from the start, piece by piece.

    Raises
    ------
    Invalid
        Where a piece is not shown to be near to it.
    """
    found: list[Followed] = []
    for piece in pieces:
        found.append(advanced(loss, piece, found[-1] if found else None, budget))
    return found


def advanced(loss: Loss, piece: Piece, before: Followed | None, budget: Budget) -> Followed:
    """Enclose the flow on the piece that follows another, or on the first."""
    m = loss.units
    bits = working_precision()
    budget.spend(_NODES * (60 * m + 30 * m**2 + 3 * m**3 + 4 * _NODES) + 4 * _GRID * _NODES, bits)
    with_box = _Box(loss, piece)
    tables = _tables(bits)
    rows = [list(column) for column in zip(*piece.offsets, strict=True)]
    coefficients = matrix(rows)
    moved = entries(tables.values * coefficients)
    speeds = entries(tables.slopes * coefficients)
    factor = ball(2 / piece.length)
    defects, determinants = [], []
    mu = ball(piece.growth)
    for offset, speed in zip(moved, speeds, strict=True):
        point = [ball(x) + y for x, y in zip(loss.start, offset, strict=True)]
        slope, bends = loss.derivatives(point)
        defects.append([factor * v + g for v, g in zip(speed, slope, strict=True)])
        determinants.append([determinant(bends, mu, piece.node)])
    sizes = zip(*entries(tables.transform * ball_matrix(defects)), strict=True)
    defect = norm_of(
        [
            total([abs(x) for x in column]) + tail
            for column, tail in zip(sizes, with_box.gradient_tails, strict=True)
        ]
    )
    shapes = tables.transform * ball_matrix(determinants)
    if lower(_least(tables, shapes) - with_box.determinant_tail(mu)) <= 0:
        piece.node.invalid("not shown that growth bounds the second derivatives")
    start, error, at = Fraction(0), ball(0), (Fraction(0),) * (2 * m)
    if before is not None:
        start, error, at = before.end, before.last_error, before.piece.at_end()
    joint = norm_of([ball(x - y) for x, y in zip(piece.at_start(), at, strict=True)])
    return Followed(piece, start, *_errors(piece, error + joint, defect, with_box))


class _Box:
    """What is known of the loss on a box around a piece."""

    def __init__(self, loss: Loss, piece: Piece) -> None:
        centre = [ball(x + row[0]) for x, row in zip(loss.start, piece.offsets, strict=True)]
        least = min(
            x + row[0]
            for x, row in zip(loss.start[loss.units :], piece.offsets[loss.units :], strict=True)
        )
        if least <= 0:
            piece.node.invalid("has a rate that is not positive")
        for reach in _REACHES:
            spreads = [_spread(row, reach) for row in piece.offsets]
            if max(spreads) <= least / 4:
                break
        self.margin = least / _MARGIN
        if max(spreads[loss.units :]) + 2 * self.margin >= least:
            piece.node.invalid("is too long: a rate nearby may not be positive")
        self.reach = reach
        box = [
            ComplexBall(around(x, ball(r)), around(ball(0), ball(r)))
            for x, r in zip(centre, (spread + self.margin for spread in spreads), strict=True)
        ]
        slopes, bends = loss.derivatives(box)
        self._tail = ball(4) / (integer_power(ball(reach), _NODES - 1) * (reach - 1))
        self.gradient_tails = [self._tail * size(x).abs_upper() for x in slopes]
        self._rows = [norm_of([size(x).abs_upper() for x in row]) for row in bends]
        self.third = norm_of(self._rows) * ball(2 / self.margin)
        if not self.third.is_finite() or not all(x.is_finite() for x in self.gradient_tails):
            piece.node.invalid("is too long: the loss is not bounded nearby")

    def determinant_tail(self, mu: Ball) -> Ball:
        """Bound what the points leave out of a determinant, by Hadamard's inequality."""
        found = self._tail
        for row in self._rows:
            found = found * (row + abs(mu))
        return found


def _spread(row: Vector, reach: int) -> Fraction:
    """Bound how far a polynomial moves on the ellipse: ``|T_k| <= (R^k + R^-k) / 2``."""
    return sum(
        (abs(c) * (reach**k + Fraction(1, reach**k)) / 2 for k, c in enumerate(row) if k),
        Fraction(0),
    )


def determinant(rows: Sequence[Sequence[Ball]], mu: Ball, node: Node) -> Ball:
    """Return the determinant of a symmetric matrix plus mu, whose pivots are all positive."""
    left = [[x + mu if i == j else x for j, x in enumerate(row)] for i, row in enumerate(rows)]
    found = ball(1)
    for k in range(len(left)):
        pivot = left[k][k]
        if not pivot.is_finite() or lower(pivot) <= 0:
            node.invalid("not shown that the second derivatives are bounded from below")
        found = found * pivot
        for i in range(k + 1, len(left)):
            factor = left[i][k] / pivot
            for j in range(k + 1, len(left)):
                left[i][j] = left[i][j] - factor * left[k][j]
    return found


def third_derivatives(loss: Loss, offset: Vector, radius: Fraction, node: Node) -> Ball:
    """Bound the third derivatives within a radius of an offset."""
    least = min(x + y for x, y in list(zip(loss.start, offset, strict=True))[loss.units :])
    margin = least / _MARGIN
    if least <= 0 or 2 * radius > margin:
        node.invalid("is too large: a rate nearby may not be positive")
    zero = around(ball(0), ball(margin))
    box = [
        ComplexBall(around(ball(x + y), ball(margin)), zero)
        for x, y in zip(loss.start, offset, strict=True)
    ]
    _, bends = loss.derivatives(box)
    return norm_of([size(x).abs_upper() for row in bends for x in row]) * ball(2 / margin)


def _errors(piece: Piece, started: Ball, defect: Ball, box: _Box) -> tuple[Ball, Ball]:
    """Bound the distance of the flow from the polynomial on a piece, and at its end."""
    guess = 2 * _grown(piece, started, defect, ball(piece.growth))[0].abs_upper()
    for _ in range(_TRIES):
        worst, last = _grown(piece, started, defect, ball(piece.growth) + box.third * guess / 2)
        if lower(guess - worst) > 0:
            break
        guess = 4 * guess
    else:
        piece.node.invalid("not shown to be near to the flow")
    if upper(guess) > box.margin / 2:
        piece.node.invalid("not shown to be near to the flow")
    return worst.abs_upper(), last.abs_upper()


def _grown(piece: Piece, started: Ball, defect: Ball, rate: Ball) -> tuple[Ball, Ball]:
    """Solve ``v' = rate v + defect``, whose solution increases or decreases."""
    exponent = (rate * ball(piece.length)).upper()
    if not exponent.is_finite() or upper(exponent) > _LONGEST:
        piece.node.invalid("not shown to be near to the flow")
    grown = exponent.exp()
    gathered = ball(piece.length) * grown.max(ball(1))
    if not exponent.is_zero():
        gathered = gathered.min((grown - 1) * ball(piece.length) / exponent)
    last = started * grown + defect * gathered
    return last.max(started), last


@dataclass(frozen=True)
class _Tables:
    """Chebyshev's polynomials and derivatives at their points, the way back, and at more points."""

    values: BallMatrix
    slopes: BallMatrix
    transform: BallMatrix
    grid: BallMatrix


@lru_cache(maxsize=4)
def _tables(_bits: int) -> _Tables:
    angles = [pi() * (2 * j + 1) / (2 * _NODES) for j in range(_NODES)]
    cosines = [[(k * angle).cos() for k in range(_NODES)] for angle in angles]
    return _Tables(
        values=ball_matrix([row[: DEGREE + 1] for row in cosines]),
        slopes=ball_matrix(
            [[k * (k * angle).sin() / angle.sin() for k in range(DEGREE + 1)] for angle in angles]
        ),
        transform=ball_matrix(
            [[row[k] * (2 if k else 1) / _NODES for row in cosines] for k in range(_NODES)]
        ),
        grid=ball_matrix(
            [[(pi() * (j * k) / _GRID).cos() for k in range(_NODES)] for j in range(_GRID + 1)]
        ),
    )


def _least(tables: _Tables, coefficients: BallMatrix) -> Ball:
    """Bound a polynomial from below: in the angle it changes by sum k |c_k| at most."""
    least = ball(0)
    for j, (height,) in enumerate(entries(tables.grid * coefficients)):
        least = height if j == 0 else least.min(height)
    slope = total([k * abs(c) for k, (c,) in enumerate(entries(coefficients))])
    return least - slope * pi() / (2 * _GRID)
