"""The least width of a linear network within an error of a target, between two that are proved."""

from __future__ import annotations

from fractions import Fraction

from verification.deadline import heed_deadline
from verification.enclosure.balls import Ball, ball, less, less_equal, total, working_precision
from verification.errors import NotEnclosed
from verification.linear_functional import LinearFunctional
from verification.linear_rnn.distance import distance
from verification.linear_rnn.lower_bounds import bang_bang_bound
from verification.linear_rnn.pieces import Function, PowerLawPiece, least_exact_width, of_parts
from verification.linear_rnn.power_law_width import necessary_width, sufficient_width
from verification.verdict import Truth

MOST_SEARCHED = 8
"""Beyond this width doubles find no good networks for targets other than power laws."""


def best_width(instance: LinearFunctional, error: Fraction) -> tuple[int, int | None]:
    """Return a necessary and a sufficient width for an error of at most `error`, absolutely.

    No sufficient width up to `MOST_SEARCHED` may be known, unless the target is one power law, or
    the kernel of a network itself.
    """
    functions = tuple(of_parts(parts) for parts in instance.target)
    law = single_law(functions)
    if law is not None:
        relative = error / abs(law.law.coefficient)
        if relative >= 1:
            return 0, 0
        w = law.law.exponent
        return necessary_width(w, relative), sufficient_width(w, relative)
    exact = least_exact_width(instance.target)
    most = MOST_SEARCHED if exact is None else min(exact, MOST_SEARCHED)
    necessary = 0
    for width in range(most + 1):
        if width == exact:
            return necessary, width
        if _is_certainly_within(instance, functions, width, error):
            return necessary, width
        if less(ball(error), lower_bound(functions, width)) is Truth.TRUE:
            necessary = width + 1
    return necessary, exact


def single_law(functions: tuple[Function, ...]) -> PowerLawPiece | None:
    """Return the power law that a target is, None where it is something else."""
    if len(functions) == 1 and len(functions[0]) == 1:
        (piece,) = functions[0]
        if isinstance(piece, PowerLawPiece):
            return piece
    return None


def _is_certainly_within(
    instance: LinearFunctional, functions: tuple[Function, ...], width: int, error: Fraction
) -> bool:
    from verification.linear_rnn.near_best import near_best_network  # noqa: PLC0415 - loads scipy

    network = near_best_network(functions, width)
    try:
        reached = distance(instance.target, network, working_precision()).upper
    except NotEnclosed:
        heed_deadline()
        return False
    return less_equal(reached, ball(error)) is Truth.TRUE


def lower_bound(functions: tuple[Function, ...], width: int) -> Ball:
    """Return the larger of two lower bounds, of switched inputs and of quadratic forms."""
    from verification.linear_rnn import search  # noqa: PLC0415 - loads scipy
    from verification.linear_rnn.quadratic_forms import quadratic_bound  # noqa: PLC0415
    from verification.linear_rnn.quadratic_search import quadratic_place  # noqa: PLC0415

    bounds, best = [], ball(0)
    for function in functions:
        place = search.bang_bang_place(function, width) if function else None
        if place is not None:
            bounds.append(bang_bang_bound(function, place))
    best = total(bounds)
    form = quadratic_place(functions, width)
    if form is not None:
        try:
            best = best.max(quadratic_bound(functions, form).lower)
        except NotEnclosed:
            heed_deadline()
    return best
