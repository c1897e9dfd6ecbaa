"""Drawing until the confidence limits of a simulated number decide a comparison."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from typing import TYPE_CHECKING

from verification.enclosure.balls import Between, ball, enclosure
from verification.enclosure.doubles import UNDERFLOW, gamma, upward
from verification.statistics.confidence import MeanSequence
from verification.statistics.simulation import LEAST_CHUNK, Simulation
from verification.verdict import Enclosure, Truth, compare, ratio_lower

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SEARCH_STEPS = 60


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """What random draws have decided.

    Parameters
    ----------
    truth : Truth
        Of ``left <= right``, up to the slack and at the error level; UNKNOWN where the draws, or
        the time, came to an end.
    bounds : Enclosure
        Confidence limits of the simulated number; at 0 draws, its certain bounds.
    samples : int
    late : bool
        Whether the time came to an end.
    detectable : float or None
        The smallest violation, as true left / right - 1, that as many draws would have refuted
        with probability 1/2 or more (see `MeanSequence.detectable_estimate`); infinite where no
        violation within the range of the draws is as large; None where right may be 0, or
        nothing was drawn, or the comparison did not come out TRUE.
    """

    truth: Truth
    bounds: Enclosure
    samples: int
    late: bool = False
    detectable: float | None = None


def compare_by_sampling(
    simulation: Simulation,
    other: Enclosure,
    *,
    on_left: bool,
    level: Fraction,
    seed: str,
    deadline: float | None = None,
) -> Sampled:
    """Decide ``left <= right`` where one of the two is known by random draws only.

    The chunks of draws double up to the simulation's own limit; the limits are looked at after
    each.

    Parameters
    ----------
    simulation : Simulation
    other : Enclosure
        The other side, for certain.
    on_left : bool
        Whether the simulated number is the left side.
    level : Fraction
        Probability with which the decision may be wrong.
    seed : str
        The same text gives the same draws.
    deadline : float, optional
        Value of `time.monotonic` after which no further chunk is begun.

    Raises
    ------
    NotEnclosed
        Where the image of a confidence limit cannot be enclosed.
    ValueError
        Where a draw lies outside the range that the simulation promises.
    """
    scale = _Scale.of(simulation)
    generator = _generator(seed)
    sequence = MeanSequence(level=level)
    late = False
    while True:
        bounds = enclosure(scale.image(sequence.lower, sequence.upper))
        truth = compare(bounds, other) if on_left else compare(other, bounds)
        left = simulation.most - sequence.samples
        if truth is not Truth.UNKNOWN or left <= 0:
            break
        if deadline is not None and time.monotonic() > deadline:
            late = True
            break
        count = min(max(sequence.samples, LEAST_CHUNK), simulation.chunk, left)
        sequence = sequence.update(scale.unit(simulation.draw(generator, count), count))
    detectable = None
    if truth is Truth.TRUE and sequence.samples:
        detectable = _detectable(scale, sequence, other, on_left=on_left)
    return Sampled(
        truth=truth,
        bounds=bounds,
        samples=sequence.samples,
        late=late,
        detectable=detectable,
    )


def _generator(seed: str) -> np.random.Generator:
    import numpy  # noqa: PLC0415 - heavy, and needed by few claims

    entropy = int.from_bytes(hashlib.sha256(seed.encode("utf-8", "surrogatepass")).digest())
    return numpy.random.Generator(numpy.random.PCG64(entropy))


@dataclass(frozen=True, kw_only=True)
class _Scale:
    """The way from draws to [0, 1], and from a mean in [0, 1] back to the number that is meant.

    `low` and `high` are the doubles around the simulation's range.
    """

    simulation: Simulation
    low: float
    high: float

    @staticmethod
    def of(simulation: Simulation) -> _Scale:
        low = -upward(-simulation.lower)
        high = upward(simulation.upper)
        if not high - low < inf:
            raise ValueError("the range of a simulation is beyond double precision")
        return _Scale(simulation=simulation, low=low, high=high)

    def unit(self, values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
        """Map draws to [0, 1], each with three roundings."""
        if values.shape != (count,) or values.dtype != "float64":
            raise ValueError(f"a simulation drew {values.dtype}{values.shape}, not {count} doubles")
        if not bool(((values >= self.low) & (values <= self.high)).all()):
            raise ValueError("a simulation drew a value outside its range")
        # Rounding is monotone: the quotients are in [0, 1].
        return (values - self.low) / (self.high - self.low)

    def image(self, lower: Fraction, upper: Fraction) -> Between:
        """Enclose the number that is meant, from bounds of the mean of the mapped draws."""
        # Three roundings change every draw, and hence their mean, by at most this factor.
        rounding = gamma(4)
        low, high = Fraction(self.low), Fraction(self.high)
        least = low + (high - low) * (lower * (1 - rounding) - UNDERFLOW)
        most = low + (high - low) * (upper * (1 + rounding) + UNDERFLOW)
        # No mean lies outside the range of its variable.
        least = max(least, low) - self.simulation.error
        most = min(most, high) + self.simulation.error
        image = self.simulation.image
        return Between(image(ball(least)), image(ball(most)))


def _detectable(
    scale: _Scale, sequence: MeanSequence, other: Enclosure, *, on_left: bool
) -> float | None:
    """Return the smallest detectable violation; see `Sampled`."""
    if other.lower <= 0 or not other.upper.is_finite():
        return None

    def refuted(mean: Fraction) -> bool:
        """Tell whether a limit of so much above 0 (below 1, on the right) would refute."""
        if on_left:
            return compare(enclosure(scale.image(mean, mean)), other) is Truth.FALSE
        return compare(other, enclosure(scale.image(1 - mean, 1 - mean))) is Truth.FALSE

    if not refuted(Fraction(1)):
        return inf
    low, high = Fraction(0), Fraction(1)
    for _ in range(_SEARCH_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if refuted(middle) else (middle, high)
    # Of the draws it takes the number and the dispersion, which their mirror images share.
    found = sequence.detectable_estimate(high)
    if found is None:
        return inf
    mean = found if on_left else 1 - found
    image = enclosure(scale.image(mean, mean))
    ratio = ratio_lower(image, other) if on_left else ratio_lower(other, image)
    return inf if ratio is None else max(ratio - 1, 0.0)
