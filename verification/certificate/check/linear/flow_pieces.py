r"""Polynomials that follow a flow, piece by piece, and whether it is within a distance.

On each piece of time, in s of [-1, 1], the offset from the start is given by coefficients in
Chebyshev's basis.  How near the flow is to it is shown in
`verification.certificate.check.linear.flows`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from verification.certificate.check.linear.networks import norm_of
from verification.certificate.check.numbers.balls import Ball, ball, between, lower, total
from verification.certificate.check.outcome import Budget
from verification.certificate.check.reading import Node
from verification.certificate.check.targets import Vector, positive

MAX_PIECES = 400
DEGREE = 8
MAX_LENGTH = 400
_PARTS = 200


@dataclass(frozen=True)
class Piece:
    """The offset ``sum_k c_k T_k(s)`` from the start on a piece of time, and a bound mu."""

    length: Fraction
    offsets: tuple[Vector, ...]
    growth: Fraction
    node: Node

    def at_end(self) -> Vector:
        """Return the offset at the end."""
        return tuple(sum(row, Fraction(0)) for row in self.offsets)

    def at_start(self) -> Vector:
        """Return the offset at the start."""
        return tuple(
            sum(((-1) ** k * c for k, c in enumerate(row)), Fraction(0)) for row in self.offsets
        )


@dataclass(frozen=True)
class Followed:
    """A piece, the time at which it starts, and how near the flow is: on it, and at its end."""

    piece: Piece
    start: Fraction
    error: Ball
    last_error: Ball

    @property
    def end(self) -> Fraction:
        """When it ends."""
        return self.start + self.piece.length

    def place(self, time: Fraction) -> Fraction:
        """Return the s of a time."""
        return 2 * (time - self.start) / self.piece.length - 1

    def offset(self, s: Fraction) -> list[Ball]:
        """Return the offset at a point."""
        return [_horner(row, ball(s)) for row in _powers(self.piece)]

    def is_within(self, limit: Ball, until: Fraction, budget: Budget) -> bool:
        """Tell whether the flow is nearer to the start than a limit, up to a point."""
        room = limit - self.error
        crude = norm_of([total([abs(ball(c)) for c in row]) for row in self.piece.offsets])
        if lower(room - crude) > 0:
            return True
        if lower(room) <= 0:
            return False
        rows = _powers(self.piece)
        slopes = [[k * c for k, c in enumerate(row)][1:] for row in rows]
        open_parts, square = [(Fraction(-1), until)], room * room
        for _ in range(_PARTS):
            if not open_parts:
                return True
            budget.spend(60 * len(rows))
            first, last = open_parts.pop()
            part = between(first, last)
            offset = [_horner(row, part) for row in rows]
            if lower(square - total([x * x for x in offset])) > 0:
                continue
            rise = total([x * _horner(row, part) for x, row in zip(offset, slopes, strict=True)])
            if lower(rise) >= 0:
                ends = [_horner(row, ball(last)) for row in rows]
                if lower(square - total([x * x for x in ends])) > 0:
                    continue
                return False
            middle = (first + last) / 2
            open_parts += [(middle, last), (first, middle)]
        return False


def read_pieces(node: Node, size: int, budget: Budget) -> list[Piece]:
    """Read the pieces of a flow."""
    found = []
    for item in node.elements(1, MAX_PIECES):
        members = item.fields(("length", "offsets", "growth"))
        rows = members["offsets"].elements(size, size)
        found.append(
            Piece(
                positive(_short(members["length"], budget)),
                tuple(
                    tuple(_short(x, budget).number() for x in row.elements(DEGREE + 1, DEGREE + 1))
                    for row in rows
                ),
                _short(members["growth"], budget).number(),
                item,
            )
        )
    return found


def _short(node: Node, budget: Budget) -> Node:
    if not isinstance(node.value, str) or len(node.value) > MAX_LENGTH:
        node.refuse(f"a number of at most {MAX_LENGTH} digits")
    # Sums of fractions have as many digits as all of them together.
    budget.spend(10 + len(node.value) ** 2 // 40)
    return node


_CHEBYSHEV = [[1], [0, 1]]
for _ in range(2, DEGREE + 1):
    _last, _before = _CHEBYSHEV[-1], [*_CHEBYSHEV[-2], 0, 0]
    _CHEBYSHEV.append([2 * x - y for x, y in zip([0, *_last], _before, strict=True)])


def _powers(piece: Piece) -> list[list[Ball]]:
    """Return the coefficients of the powers of s."""
    found = []
    for row in piece.offsets:
        sums = [Fraction(0)] * (DEGREE + 1)
        for c, polynomial in zip(row, _CHEBYSHEV, strict=True):
            for k, x in enumerate(polynomial):
                sums[k] += c * x
        found.append([ball(x) for x in sums])
    return found


def _horner(row: Sequence[Ball], s: Ball) -> Ball:
    value = ball(0)
    for c in reversed(row):
        value = value * s + c
    return value
