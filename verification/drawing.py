"""Computing the figures of a claim on an instance; a figure that fails costs no result."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from verification.claim import AnyClaim, Drawing
from verification.deadline import BUDGET_SPENT
from verification.deadline import deadline as time_limit
from verification.enclosure.balls import PRECISIONS, precision
from verification.errors import NotEnclosed
from verification.figure import DOES_NOT_APPLY, Drawn, Figure
from verification.subject import Subject


def draw_figures(
    claim: AnyClaim,
    instance: Subject,
    *,
    applicable: bool = True,
    precisions: Iterable[int] = PRECISIONS,
    deadline: float | None = None,
) -> tuple[Drawn, ...]:
    """Compute the figures of a claim that are meant for an instance.

    Parameters
    ----------
    claim, instance
    applicable : bool
        Whether the claim's assumptions hold; nothing is drawn where they do not.
    precisions : iterable of int
        Working precisions in bits; all points of a figure are of the first one that suffices.
    deadline : float, optional
        Value of `time.monotonic` after which no figure is begun, and long computations are given
        up.

    Returns
    -------
    tuple of Drawn
        One for each drawing; never raises.
    """
    effort = tuple(precisions)
    drawn = []
    for drawing in claim.figures:
        started = time.perf_counter()
        figure, reason = None, ""
        try:
            if not drawing.is_for(instance):
                continue
            if applicable:
                figure, reason = _draw(drawing, instance, effort, deadline)
            else:
                reason = DOES_NOT_APPLY
        except Exception as error:
            # Whatever it is, it costs this figure, and not the result that came before it.
            reason = f"internal error: {type(error).__name__}: {error}"
        seconds = time.perf_counter() - started
        drawn.append(Drawn(drawing=drawing.name, figure=figure, reason=reason, seconds=seconds))
    return tuple(drawn)


def _draw(
    drawing: Drawing[Any], instance: Subject, precisions: tuple[int, ...], deadline: float | None
) -> tuple[Figure | None, str]:
    reason = ""
    for bits in precisions:
        if deadline is not None and time.monotonic() > deadline:
            return None, BUDGET_SPENT
        try:
            with time_limit(deadline), precision(bits):
                return drawing.draw(instance), ""
        except NotEnclosed as error:
            reason = str(error)
    return None, reason
