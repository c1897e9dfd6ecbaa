"""Certified suprema of one-variable functions by branch and bound.

On a box with centre c the function is enclosed by the mean-value form ``f(c) + f'(box) (box - c)``.
A box on which f' has certainly one sign has its largest |f| at an end point.  The box with the
largest upper bound is split first, until that bound is within the tolerance of the best value seen.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from fractions import Fraction

from verification.deadline import heed_deadline
from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    exact_ball,
    lower_double,
    sign,
    symmetric,
    upper_double,
)

RELATIVE_TOLERANCE = 2.0**-46
ABSOLUTE_TOLERANCE = 2.0**-60
MAX_BOXES = 6_000

_FIRST_BOXES = 8
_FIRST_POINTS = 256
_ZOOM = 8
_ZOOMS = 4


def absolute_supremum(
    function: Callable[[Ball], Ball],
    derivative: Callable[[Ball], Ball],
    lower: Fraction,
    upper: Fraction,
    *,
    at_least: float = 0.0,
) -> Between:
    """Enclose the supremum of ``|f|`` over ``[lower, upper]``.

    Parameters
    ----------
    function, derivative : callable
        Balls to balls; each must enclose its values over the whole argument ball.
    lower, upper : Fraction
        ``lower <= upper``.
    at_least : float
        Stop as soon as the supremum is certainly no larger than this: the enclosure then says
        only that.  For a maximum over several functions.

    Returns
    -------
    Between
        Of relative width about 2**-46, or of absolute width 2**-60 where that is larger, if
        `MAX_BOXES` boxes suffice for it; wider otherwise, and correct in any case.

    Raises
    ------
    NotEnclosed
        Where the deadline has passed.
    """
    best = 0.0
    heap: list[tuple[float, int, Fraction, Fraction]] = []
    made = 0

    seen: dict[Fraction, Ball] = {}

    def look(point: Fraction) -> Ball:
        nonlocal best
        # Neighbours share their end points.
        if point not in seen:
            seen[point] = abs(function(ball(point)))
            best = max(best, lower_double(seen[point]))
        return seen[point]

    settled = max(upper_double(look(lower)), upper_double(look(upper)))

    def push(left: Fraction, right: Fraction) -> None:
        nonlocal made, settled
        made += 1
        centre, half = (left + right) / 2, (right - left) / 2
        slope = derivative(ball(centre) + symmetric(ball(half)))
        if sign(slope) in (-1, 1):
            settled = max(settled, upper_double(look(left)), upper_double(look(right)))
            return
        bound = upper_double(look(centre) + symmetric(abs(slope) * ball(half)))
        heapq.heappush(heap, (-bound, made, left, right))

    if lower < upper:
        width = (upper - lower) / _FIRST_BOXES
        for k in range(_FIRST_BOXES):
            push(lower + k * width, lower + (k + 1) * width)
    while heap:
        bound = -heap[0][0]
        target = max(best * (1 + RELATIVE_TOLERANCE), best + ABSOLUTE_TOLERANCE, at_least)
        if bound <= max(target, settled) or made > MAX_BOXES:
            break
        heed_deadline()
        _, _, left, right = heapq.heappop(heap)
        centre = (left + right) / 2
        push(left, centre)
        push(centre, right)
    top = max(settled, -heap[0][0] if heap else 0.0)
    return Between(ball(Fraction(best)), exact_ball(max(top, best)))


def maximiser_estimate(
    function: Callable[[Ball], Ball], lower: Fraction, upper: Fraction
) -> Fraction:
    """Return a point of ``[lower, upper]`` at which ``|f|`` is about as large as it gets there.

    A grid and a few finer ones around its best point; nothing is promised.
    """
    step = (upper - lower) / _FIRST_POINTS

    def size(point: Fraction) -> float:
        return lower_double(abs(function(ball(point))))

    best = max((lower + k * step for k in range(_FIRST_POINTS + 1)), key=size)
    for _ in range(_ZOOMS):
        step /= _ZOOM
        nearby = (best + k * step for k in range(-_ZOOM, _ZOOM + 1))
        best = max((point for point in nearby if lower <= point <= upper), key=size)
    return best
