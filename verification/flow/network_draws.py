r"""Draws of the largest distance of a trained network's output from a curve.

The curve is the solution of the limit equation at one point, or that of a wrong one, which another
kernel or another law of the data drives.  It is solved at 65 times and interpolated between them:
as ``|g''| <= alpha^2 Kbar^2 ybar``, this errs by at most ``(tau / 64)^2 Kbar^2 ybar / 8``.

Networks are trained in double precision.  What their roundings add up to is not bounded here: it is
taken to move no output by more than `ASSUMED_ROUNDING`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from verification.enclosure.balls import ball, precision, square, working_precision
from verification.enclosure.doubles import above
from verification.flow.driven import Driven, without_gradient
from verification.flow.history import joint_law
from verification.flow.limit_flow import limit_flow
from verification.flow.node_law import NodeLaw
from verification.instance import Instance
from verification.kernel.limiting import kernel_bound
from verification.recurrent.network_replicas import largest_deviation

Array = npt.NDArray[np.float64]

ASSUMED_ROUNDING = Fraction(1, 2**30)
"""How far the roundings of training are assumed to move an output; thousands of steps move it by
some 2**-45."""

_INTERVALS = 64
_BITS = 64


@dataclass(frozen=True, kw_only=True)
class NetworkDraws:
    """Independent draws of ``max_{k <= n} |G_k(zeta) - curve_k|``; make it with `network_draws`.

    Call it with a generator of numpy and a count.

    Parameters
    ----------
    instance : Instance
    width : int
        N.
    state : int
    memory : Fraction
        The point zeta.
    curve : tuple of float, length n + 1
    error : Fraction
        Bound of what the curve errs, and of what training is assumed to.
    """

    instance: Instance
    width: int
    state: int
    memory: Fraction
    curve: tuple[float, ...]
    error: Fraction

    def __call__(self, generator: np.random.Generator, count: int) -> Array:
        """Draw and train networks; shape (count,)."""
        found = largest_deviation(
            self.instance,
            width=self.width,
            seed=int(generator.integers(2**62)),
            replicas=range(count),
            points=[(self.state, self.memory)],
            reference=np.array(self.curve)[:, np.newaxis],
        )
        return found[:, 0]


def network_draws(
    instance: Instance, width: int, state: int, memory: Fraction, driven: Driven = Driven.LIMIT
) -> NetworkDraws:
    """Return a way to draw the largest distance over the whole horizon.

    Raises
    ------
    InvalidInstance
        Where the instance has no training constants.
    NotEnclosed
        Where the limit is not known.
    """
    curve, error = limit_curve(instance, width, state, memory, driven)
    return NetworkDraws(
        instance=instance,
        width=width,
        state=state,
        memory=memory,
        curve=curve,
        error=error + ASSUMED_ROUNDING,
    )


def limit_curve(
    instance: Instance, width: int, state: int, memory: Fraction, driven: Driven = Driven.LIMIT
) -> tuple[tuple[float, ...], Fraction]:
    """Return ``g_{k/N}`` for k from 0 to ``floor(N T)``, and a bound of its error."""
    if instance.training is None:
        raise ValueError(f"instance {instance.name} gives no training constants")
    horizon = instance.training.horizon
    known = _known_times(instance, state, memory, driven, working_precision())
    steps = np.arange(int(width * horizon) + 1) / width
    return tuple(np.interp(steps, known.times, known.values).tolist()), known.error


@dataclass(frozen=True, kw_only=True, eq=False)
class _Known:
    """Times, the curve's values there, and a bound of its error between them."""

    times: Array
    values: Array
    error: Fraction


# Networks of several widths are compared with one curve.
@lru_cache(maxsize=16)
def _known_times(
    instance: Instance, state: int, memory: Fraction, driven: Driven, _bits: int
) -> _Known:
    training = instance.training
    if training is None:
        raise ValueError(f"instance {instance.name} gives no training constants")
    law, subject = joint_law(instance), instance
    if driven is Driven.WITHOUT_GRADIENT:
        subject = without_gradient(instance)
    if driven is Driven.EQUAL_STATES:
        law = with_equal_states(law, instance.chain.n_states)
    horizon = training.horizon
    times = [horizon * k / _INTERVALS for k in range(_INTERVALS + 1)]
    found = limit_flow(subject, law, [(state, memory)]).output(times)
    with precision(_BITS):
        time = ball(training.alpha * horizon / _INTERVALS)
        largest = ball(max(abs(y) for y in instance.chain.targets))
        bend = square(time * kernel_bound(instance).upper) * largest / 8
        error = above(ball(Fraction(float(found.errors.max()))) + bend)
    # Interpolation is rounded a few times; no value exceeds the targets by as much as 2^10 times.
    return _Known(
        times=np.array([float(t) for t in times]),
        values=found.values[:, 0],
        error=error + above(largest) * Fraction(1, 2**40),
    )


def with_equal_states(law: NodeLaw, n_states: int) -> NodeLaw:
    """Return the law with all recurrent states equally frequent, memories as before."""
    masses = np.bincount(law.states, law.weights, n_states)
    divisors = masses * np.count_nonzero(masses)
    # A transient state has no weight to be divided.
    divisors[masses == 0] = 1.0
    return dataclasses.replace(law, weights=law.weights / divisors[law.states])
