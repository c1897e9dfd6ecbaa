r"""When gradient flow leaves a ball around its start: a validated flow.

**Approximation.**  `verification.linear_rnn.gradient_flow` gives a polynomial p on each step, found
in doubles, of which nothing is believed.

**Bounds.**  `verification.linear_rnn.validated_step` bounds the distance E of the flow from p.

**Conclusion.**  While ``|p - th0| + E < r`` the flow has not left; where ``|p - th0| - E > r`` it
has.  Where J'' has its least eigenvalue above lambda > 0 at the end of a step, and
``lambda e - (C/2) e^2 > |grad J(p)|``, the flow points into the ball of radius e around that end
all along its boundary: once inside, it stays there for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import inf, isfinite

import numpy as np

from verification.deadline import heed_deadline
from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    less,
    precision,
    root,
    square,
    total,
    upper_double,
)
from verification.errors import NotEnclosed
from verification.linear_rnn.gradient_flow import Step, derivatives_estimate, double, steps
from verification.linear_rnn.plateau import Plateau, gradient_and_hessian
from verification.linear_rnn.validated_step import (
    ValidatedStep,
    is_positive,
    steepness,
    validated,
)
from verification.verdict import Truth

MAX_STEPS = 300

_BITS = 128
_LATE_STEPS = 3
_SETTLED = 1e-6
_KEPT = 0.98
_FACTORS = (Fraction(21, 20), Fraction(4))


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Where the flow is at one time: within `error` of `offset`, both exact.

    Parameters
    ----------
    time : Fraction
    offset : tuple of Fraction, shape (2 units,)
    error : Ball
        An upper bound.
    """

    time: Fraction
    offset: tuple[Fraction, ...]
    error: Ball


@dataclass(frozen=True, kw_only=True)
class Escape:
    """What is proved of the flow and of the ball of radius r around its start.

    Parameters
    ----------
    inside_until : Fraction
        The flow is inside up to this time at least.
    outside_at : Fraction or None
        It is outside at this time; None where that was not shown.
    stays : bool
        Whether it is inside for ever.
    reach : Between
        Encloses the largest distance from the start up to `inside_until`, or, where it stays, of
        all times.
    moments : tuple of Moment
        Some of the times up to `inside_until`, in order; the last one is the end of them.
    """

    inside_until: Fraction
    outside_at: Fraction | None
    stays: bool
    reach: Between
    moments: tuple[Moment, ...]


@lru_cache(maxsize=256)
def escape(plateau: Plateau, radius: Fraction) -> Escape:
    """Follow the flow until it certainly leaves a ball, or certainly never does.

    Parameters
    ----------
    plateau : Plateau
    radius : Fraction
        Of the ball, above 0 and below every rate.

    Returns
    -------
    Escape
        Where the error bound grows too large, or after `MAX_STEPS` steps, with what is proved until
        then.
    """
    with precision(_BITS):
        return _Following(plateau, radius).result()


class _Following:
    """The state of one validated flow."""

    def __init__(self, plateau: Plateau, radius: Fraction) -> None:
        self.plateau = plateau
        self.radius = radius
        self.time = Fraction(0)
        self.end = [ball(0)] * (2 * plateau.units)
        self.error = ball(0)
        self.reach = Between(ball(0), ball(0))
        start = tuple(Fraction(0) for _ in self.end)
        self.moments = [Moment(time=Fraction(0), offset=start, error=ball(0))]

    def result(self) -> Escape:
        following = steps(self.plateau, double(self.radius))
        for _ in range(MAX_STEPS):
            heed_deadline()
            step = next(following, None)
            checked = None if step is None else self._checked(step)
            if checked is None:
                break
            inside = less(checked.farthest, ball(self.radius)) is Truth.TRUE
            if not inside and not checked.stays_within(ball(self.radius), Fraction(1)):
                return self._leaving(checked, following)
            self._advance(checked)
            settled = self._settled()
            if settled is not None:
                self.reach = Between(self.reach.lower, self.reach.upper.max(settled))
                return self._so_far(None, stays=True)
        return self._so_far(None)

    def _so_far(self, outside: Fraction | None, *, stays: bool = False) -> Escape:
        return Escape(
            inside_until=self.time,
            outside_at=outside,
            stays=stays,
            reach=self.reach,
            moments=tuple(self.moments),
        )

    def _checked(self, step: Step) -> ValidatedStep | None:
        try:
            return validated(self.plateau, step, self.end, self.error)
        except NotEnclosed:
            return None

    def _advance(self, checked: ValidatedStep, until: Fraction = Fraction(1)) -> None:
        """Take over a step, or its part up to a point of [-1, 1]."""
        self.time += checked.length * (until + 1) / 2
        self.error = checked.last_error if until == 1 else checked.error
        offset = checked.offset(until)
        self.end = [ball(x) for x in offset]
        self.moments.append(Moment(time=self.time, offset=offset, error=self.error))
        here = root(total(square(x) for x in self.end)) - self.error
        self.reach = Between(
            self.reach.lower.max(here),
            self.reach.upper.max(checked.farthest.min(ball(self.radius))),
        )

    def _leaving(self, checked: ValidatedStep, following: Iterator[Step]) -> Escape:
        """Locate where the flow crosses the sphere, in this step or soon after it."""
        crossing = checked.crossing_estimate(float(double(self.radius)))
        if crossing is None:
            return self._so_far(None)
        at, speed = crossing
        room = 4 * upper_double(checked.error) / speed + 2.0**-40
        if not isfinite(room):
            return self._so_far(None)
        before, after = Fraction(at) - Fraction(room), Fraction(at) + Fraction(room)
        if before <= -1 or not checked.stays_within(ball(self.radius), before):
            return self._so_far(None)
        outside = None
        if after <= 1 and checked.is_beyond(ball(self.radius), after):
            outside = self.time + checked.length * (after + 1) / 2
        begun = self.time
        last = checked
        self._advance(checked, before)
        proved = self._so_far(outside)
        if outside is not None:
            return proved
        late, time = _Following(self.plateau, self.radius), begun
        late.end, late.error = [ball(x) for x in last.offset(Fraction(1))], last.last_error
        for _ in range(_LATE_STEPS):
            time += last.length
            step = next(following, None)
            checked_late = None if step is None else late._checked(step)
            if checked_late is None:
                break
            last = checked_late
            late.end, late.error = [ball(x) for x in last.offset(Fraction(1))], last.last_error
            if last.is_beyond(ball(self.radius), Fraction(1)):
                return self._so_far(time + last.length)
        return proved

    def _settled(self) -> Ball | None:
        """Return a bound of the distance from the start for ever, where the flow has settled."""
        offset = np.array([[float(x) for x in self.moments[-1].offset]])
        slope, bend = derivatives_estimate(self.plateau, offset)
        if not (np.isfinite(slope).all() and np.isfinite(bend).all()):
            return None
        try:
            with np.errstate(all="ignore"):
                stiffness = float(np.linalg.eigvalsh(bend)[0, 0])
                size, pull = float(np.linalg.norm(offset)), float(np.linalg.norm(slope))
        except np.linalg.LinAlgError:
            return None
        # Not a number is no reason to try.
        if not (0 < stiffness < inf and pull <= _SETTLED * stiffness * size):
            return None
        rest = rest_radius(self.plateau, self.end, self.error, Fraction(_KEPT * stiffness))
        if rest is None:
            return None
        farthest = root(total(square(x) for x in self.end)) + rest
        return farthest if less(farthest, ball(self.radius)) is Truth.TRUE else None


def rest_radius(
    plateau: Plateau, offset: Sequence[Ball], error: Ball, stiffness: Fraction
) -> Ball | None:
    """Return the radius of a ball around an offset that the flow does not leave once inside.

    Parameters
    ----------
    plateau : Plateau
    offset : sequence of Ball, shape (2 units,)
    error : Ball
        The ball is at least so large.
    stiffness : Fraction
        A candidate for a lower bound of the eigenvalues of J'' at the offset, > 0.

    Returns
    -------
    Ball or None
        None where the flow was not shown to point inward all along the boundary of any.
    """
    slopes, bends = gradient_and_hessian(plateau, offset)
    kept = ball(stiffness)
    if not is_positive(bends, -kept):
        return None
    pull = root(total(square(x) for x in slopes))
    for factor in _FACTORS:
        radius = error.max(ball(factor) * pull / kept)
        steep = steepness(plateau, offset, [ball(0)] * len(offset), radius)
        if less(pull, radius * (kept - steep * radius / 2)) is Truth.TRUE:
            return radius
    return None
