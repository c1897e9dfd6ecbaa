"""What a certificate brings for claims on gradient flow beside a late bump: the flow by pieces.

The pieces are those of the solver's flow in doubles, and so are the times; what is shown of them is
computed by the checker.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verification.certificate.check.linear.flow_pieces import MAX_PIECES, Followed, Piece
from verification.certificate.check.linear.flows import (
    advanced,
    flow_bits,
)
from verification.certificate.check.linear.losses import Loss
from verification.certificate.check.linear.networks import norm_of
from verification.certificate.check.numbers import balls
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.reading import Node
from verification.certificate.check.targets import Training
from verification.certificate.decimals import texts
from verification.certificate.linear_witnesses import rounded_text
from verification.deadline import heed_deadline
from verification.errors import NotEnclosed
from verification.instance import Json
from verification.linear_functional import LinearFunctional
from verification.linear_rnn import plateau_search
from verification.linear_rnn.escape import escape
from verification.linear_rnn.gradient_flow import Step, derivatives_estimate, double, steps
from verification.linear_rnn.plateau import Plateau, plateau_at, radius_of, training_of
from verification.linear_rnn.trap import stiffnesses
from verification.strict_json import format_number

_TRIES = 6
_MARGIN = 0.002
_DIGITS = 20
_ROOM = 4
_SETTLED = 3e-10
_NEARLY = 1e-6
_KEPT = 0.98
_STALLED = 0.9
_NOT_FOLLOWED = "the flow is not followed until it leaves the ball"
_NOT_SETTLED = "the flow is not followed until it has settled"


def pull_case(instance: LinearFunctional, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write a size, and the flow until it leaves the ball."""
    plateau, r = plateau_at(instance, case.delay), radius_of(instance)
    size = plateau_search.best_radius(plateau, r)
    return {"size": format_number(size), **_Following(instance, case.delay).escape()}


def energy_case(instance: LinearFunctional, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write a size and a weight, and the flow until it leaves the ball."""
    plateau, r = plateau_at(instance, case.delay), radius_of(instance)
    size = plateau_search.best_energy_radius(plateau, r)
    sums: dict[Fraction, Fraction] = {}
    for a, w in zip(plateau.coefficients, plateau.rates, strict=True):
        sums[w] = sums.get(w, Fraction(0)) + a
    count = plateau.units + sum(a != 0 for a in sums.values())
    weight = plateau_search.weight(min(plateau.rates) - size, case.delay, count)
    return {
        "size": format_number(size),
        "weight": format_number(weight),
        **_Following(instance, case.delay).escape(),
    }


def loss_case(instance: LinearFunctional, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write the flow until shortly before it leaves the ball."""
    return _Following(instance, case.delay).before_escape()


def trap_case(instance: LinearFunctional, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write the radius of a trap, and the flow until it has settled."""
    plateau = plateau_at(instance, case.delay)
    found = {"radius": format_number(case.radius), **_Following(instance, case.delay).settled()}
    if plateau.units > 1:
        with balls.precision(flow_bits(plateau.rates, case.delay)):
            found["curvature"] = _rounded(balls.lower(stiffnesses(plateau)[0]), ROUND_FLOOR)
    return found


class _Following:
    """The flow as the checker encloses it."""

    def __init__(self, instance: LinearFunctional, delay: Fraction) -> None:
        self.plateau: Plateau = plateau_at(instance, delay)
        self.radius = radius_of(instance)
        given = training_of(instance)
        training = Training(given.height, given.length, given.delays, given.radius)
        self.bits = flow_bits(self.plateau.rates, delay)
        with balls.precision(self.bits):
            self.loss = Loss(self.plateau.coefficients, self.plateau.rates, training, delay)
        self.budget = Budget()
        self.delay: dict[str, Json] = {"delay": format_number(delay)}

    def pieces(self) -> Iterator[Followed]:
        """Follow the flow; ends where a piece is not shown to be near to it."""
        found: Followed | None = None
        following = steps(self.plateau, double(self.radius))
        for _ in range(MAX_PIECES):
            heed_deadline()
            step = next(following, None)
            found = None if step is None else self._shown(step, found)
            if found is None:
                return
            yield found

    def _shown(self, step: Step, before: Followed | None) -> Followed | None:
        spectrum = _spectrum(self.plateau, step.offsets(np.cos(np.linspace(0, np.pi, 33))))
        if spectrum is None:
            return None
        least = float(spectrum.min())
        margin = max(
            _MARGIN / step.length,
            0.01 * abs(least),
            0.05 * float(np.ptp(spectrum[:, 0])),
            1e-14 * float(np.abs(spectrum).max()),
        )
        for _ in range(_TRIES):
            piece = Piece(
                _short(step.length),
                tuple(tuple(map(_short, column)) for column in step.coefficients.T),
                _short(float(f"{margin - least:.6e}")),
                Node(None, "a piece of the flow"),
            )
            try:
                return advanced(self.loss, piece, before, self.budget)
            except Invalid:
                margin *= 4
        return None

    def escape(self) -> dict[str, Json]:
        """Write the flow until it is outside of the ball."""
        found, inside, outside = self._crossing()
        return self._written(found) | {
            "inside": _rounded(inside, ROUND_FLOOR),
            "outside": _rounded(outside, ROUND_CEILING),
        }

    def before_escape(self) -> dict[str, Json]:
        """Write the flow until it is no longer known to be in the ball."""
        known = escape(self.plateau, self.radius)
        if known.outside_at is None:
            found, inside = self._until(known.inside_until), known.inside_until
        else:
            found, inside, _ = self._crossing()
        written = _rounded(inside, ROUND_FLOOR)
        kept = [piece for piece in found if piece.start < Fraction(written)]
        return self._written(kept) | {"inside": written}

    def _until(self, time: Fraction) -> list[Followed]:
        with balls.precision(self.bits):
            found: list[Followed] = []
            for piece in self.pieces():
                found.append(piece)
                if piece.end >= time:
                    return found
        raise NotEnclosed(_NOT_FOLLOWED)

    def _crossing(self) -> tuple[list[Followed], Fraction, Fraction]:
        with balls.precision(self.bits):
            found: list[Followed] = []
            inside: Fraction | None = None
            limit = balls.ball(self.radius)
            for piece in self.pieces():
                found.append(piece)
                if inside is None:
                    if piece.is_within(limit, Fraction(1), self.budget):
                        continue
                    inside, outside = _crossing(piece, double(self.radius))
                    if outside <= piece.end:
                        return found, inside, outside
                end = norm_of([balls.ball(x) for x in piece.piece.at_end()])
                if balls.lower(end - piece.last_error - limit) > 0:
                    return found, inside, piece.end
        raise NotEnclosed(_NOT_FOLLOWED)

    def settled(self) -> dict[str, Json]:
        """Write the flow until it has settled, and a ball that it does not leave."""
        with balls.precision(self.bits):
            found: list[Followed] = []
            last = 1.0
            for piece in self.pieces():
                found.append(piece)
                stiffness, pull, size = self._rest(piece)
                left = pull / (stiffness * size) if stiffness * size > 0 else 1.0
                if left <= _SETTLED or (left <= _NEARLY and left > _STALLED * last):
                    return self._written(found) | self._trap(found, stiffness, pull)
                last = left
        raise NotEnclosed(_NOT_SETTLED)

    def _rest(self, followed: Followed) -> tuple[float, float, float]:
        offset = followed.piece.at_end()
        spectrum = _spectrum(self.plateau, np.array([[float(x) for x in offset]]))
        point = [balls.ball(x + y) for x, y in zip(self.loss.start, offset, strict=True)]
        slope = norm_of(self.loss.derivatives(point)[0])
        size = norm_of([balls.ball(x) for x in offset])
        least = 0.0 if spectrum is None else float(spectrum.min())
        return least, float(balls.upper(slope)), float(balls.upper(size))

    def _trap(self, found: list[Followed], stiffness: float, pull: float) -> dict[str, Json]:
        last = found[-1]
        kept = _KEPT * stiffness
        rest = 1.05 * max(float(balls.upper(last.last_error)), pull / kept)
        end = norm_of([balls.ball(x) for x in last.piece.at_end()])
        within = balls.upper(end) + _short(rest)
        s = np.cos(np.linspace(0, np.pi, 65))
        for piece in found:
            columns = np.array([[float(c) for c in row] for row in piece.piece.offsets]).T
            farthest = np.linalg.norm(np.polynomial.chebyshev.chebval(s, columns), axis=0).max()
            reached = Fraction(float(farthest)) + balls.upper(piece.error)
            within = max(within, reached * (1 + Fraction(1, 10**14)))
        return {
            "rest": rounded_text(_short(rest)),
            "stiffness": rounded_text(_short(kept)),
            "within": _rounded(within, ROUND_CEILING),
        }

    def _written(self, found: list[Followed]) -> dict[str, Json]:
        return self.delay | {
            "pieces": [
                {
                    "length": format_number(item.piece.length),
                    "offsets": [texts(row) for row in item.piece.offsets],
                    "growth": format_number(item.piece.growth),
                }
                for item in found
            ]
        }


def _short(value: float) -> Fraction:
    """Return a double to 17 digits."""
    return Fraction(f"{float(value):.16e}")


def _rounded(value: Fraction, rounding: str) -> str:
    context = Context(prec=_DIGITS, rounding=rounding)
    found = context.divide(Decimal(value.numerator), Decimal(value.denominator))
    return format_number(Fraction(found))


def _spectrum(plateau: Plateau, offsets: NDArray[np.float64]) -> NDArray[np.float64] | None:
    _, bends = derivatives_estimate(plateau, offsets)
    if not np.isfinite(bends).all():
        return None
    try:
        with np.errstate(all="ignore"):
            return np.asarray(np.linalg.eigvalsh(bends))
    except np.linalg.LinAlgError:
        return None


def _crossing(followed: Followed, radius: np.float64) -> tuple[Fraction, Fraction]:
    """Return about the times between which a flow leaves a ball on a piece, as is to be shown."""
    columns = np.array([[float(c) for c in row] for row in followed.piece.offsets]).T

    def distance(s: float) -> float:
        return float(np.linalg.norm(np.polynomial.chebyshev.chebval(s, columns)))

    grid = np.linspace(-1, 1, 401)
    beyond = [k for k, s in enumerate(grid) if distance(float(s)) >= radius]
    low, high = (
        (float(grid[max(k - 1, 0)]), float(grid[k]))
        if (k := min(beyond, default=400))
        else (-1.0, -1.0)
    )
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if distance(middle) >= radius else (middle, high)
    speed = (distance(low + 1e-4) - distance(low - 1e-4)) / 2e-4
    if not speed > 0:
        raise NotEnclosed(_NOT_FOLLOWED)
    room = _ROOM * float(balls.upper(followed.error)) / speed + 2.0**-40
    half = followed.piece.length / 2
    crossed = followed.start + (Fraction(low) + 1) * half
    return crossed - Fraction(room) * half, crossed + Fraction(room) * half
