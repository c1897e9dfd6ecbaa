"""The time at which a decision is to be given up, for long loops to ask for.

Between its cases and precisions a decision looks at the clock itself; what takes long within one of
them, such as a rule with millions of nodes, calls `heed_deadline` once in a while.  Like the
precision of balls the deadline is one for the whole process.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from verification.errors import NotEnclosed

BUDGET_SPENT = "the time budget was spent"
"""Part of the reason of a result that more time might have decided."""

_deadlines: list[float] = []


@contextmanager
def deadline(at: float | None) -> Iterator[None]:
    """Have `heed_deadline` raise in the block after this value of `time.monotonic`.

    A block inside another one is given up at its own time; None sets none.
    """
    if at is None:
        yield
        return
    _deadlines.append(at)
    try:
        yield
    finally:
        _deadlines.pop()


def heed_deadline() -> None:
    """Give up a long computation for which there is no more time.

    Raises
    ------
    NotEnclosed
        Where the deadline has passed.
    """
    if _deadlines and time.monotonic() > _deadlines[-1]:
        raise NotEnclosed(BUDGET_SPENT)
