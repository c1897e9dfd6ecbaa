r"""Networks of finite width against the limit: how far they are from it, and how sure that is.

A network of N units has taken ``[N t]`` steps at time t.  Its output there is compared with the
enclosure of g_t, at every time and point of a prediction:

    E = max over times and points of max(|G - lower end|, |G - upper end|),

rounded up, so that E bounds ``|G - g_t|`` at all of them.  G is what training in double precision
gives.  Between those times nothing was looked at.

**Confidence.**  The networks of one width are independent, and so are their errors.  With
confidence ``1 - p^n`` at least the share p of all networks of that width, so drawn and so trained,
has an error of at most the largest of n (`verification.statistics.tolerance`).  Here the share is
what a fixed confidence of all widths together leaves.

**Loss.**  Along a network's own sequence: the mean of its squared errors e_k^2 over the steps
between two times.  The limit's counterpart, the mean of its loss over that span, lies between the
loss at its end and that at its beginning, for it never grows.

**Centre.**  ``E G_0 = N^(1 - beta) E[C sigma(W.x + v)]`` is 0 for every x and v where
``E[C | W] = 0``; the theory asks for this, and for a C that is independent of W and B.

**Rate.**  The theory has the mean of sup ``|G - g|`` at one point fall as N to the power of minus
``r = min(beta - 1/2, 1 - beta)``, or ``min(beta - 1/2, 2 - 2 beta)`` where C has no odd moments
given W and B (`verification.flow.explicit_bound`), and no faster than ``-(beta - 1/2)``, for
``|G_0|`` alone is of that size.  A fitted slope beside it is a diagnostic and no more.  It means
little where the smallest width has ``N < alpha (s0^2 + chat^2 s1^2 R^2)``, so that a step
overshoots, or ``D_C > cbar``, so that the weights leave their initial range:
``D_C = alpha N^(beta-2) s0 sum |e|`` bounds how far any C moves, |C| is at most ``cbar`` at first
and ``chat = cbar + D_C`` ever after.
R is the largest norm of an input.

Source: this project; the limit is that of Lam, Sirignano and Spiliopoulos (arXiv 2308.14555).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import inf, nextafter

import numpy as np
import numpy.typing as npt

from verification.enclosure.balls import ball, precision
from verification.enclosure.doubles import above
from verification.instance import Instance, Training
from verification.kernel.limiting import squared_input_bound
from verification.prediction.prediction import LimitCurve, Prediction
from verification.prediction.replicas import Plan, require_plan, steps_at, train_all
from verification.recurrent.activation import activation
from verification.recurrent.law import (
    bound_c,
    has_centred_c,
    has_no_odd_moments_of_c,
)
from verification.recurrent.network import Trajectory
from verification.statistics.slope import SlopeEstimate, fit_slope
from verification.statistics.tolerance import content_lower
from verification.verdict import Enclosure

Array = npt.NDArray[np.float64]

LEVEL = Fraction(1, 20)
"""Probability with which anything said of the networks that were not drawn may be wrong."""

_BITS = 80
_HUGE = Fraction(10**300)


@dataclass(frozen=True, kw_only=True)
class Band:
    """A number of several networks: the least, the mean and the greatest."""

    least: float
    mean: float
    greatest: float


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """What the networks of one width have become.

    Parameters
    ----------
    width : int
        N.
    steps : tuple of int, length n_times
        Numbers of steps taken.
    outputs : tuple of tuple of Band, shape (n_times, n_points)
        Of G at the points.
    losses : tuple of Band or None, length n_times - 1
        Of the mean squared error between two times; None where no step lies between them.
    errors : tuple of float
        Of each network; a bound of ``|G - g_t|`` over times and points, infinite where an output
        is no number.
    content : Fraction
        The share of all networks of this width whose error is, with the stated confidence, at most
        the largest of `errors`.
    inside : float
        Share of the times and points at which the limit's enclosure lies between the least and
        the greatest output.
    """

    width: int
    steps: tuple[int, ...]
    outputs: tuple[tuple[Band, ...], ...]
    losses: tuple[Band | None, ...]
    errors: tuple[float, ...]
    content: Fraction
    inside: float

    @property
    def mean_error(self) -> float:
        """The mean of the errors."""
        return float(np.mean(self.errors))

    @property
    def largest_error(self) -> float:
        """The largest of the errors."""
        return max(self.errors)


@dataclass(frozen=True, kw_only=True)
class Networks:
    """Networks of finite width beside the limit.

    Parameters
    ----------
    plan : Plan
    ensembles : tuple of Ensemble
        By width; without the widths of which an interrupt left nothing.
    slope : SlopeEstimate or None
        None where too little is known, or an error is 0.
    rate : Fraction
        The theory's, r > 0.
    interrupted : bool
        Whether networks of the plan are missing.
    notes : tuple of str
        What a reader should know before using the numbers.
    """

    plan: Plan
    ensembles: tuple[Ensemble, ...]
    slope: SlopeEstimate | None
    rate: Fraction
    interrupted: bool
    notes: tuple[str, ...]


def train_networks(
    prediction: Prediction,
    plan: Plan,
    *,
    make_executor: Callable[[], Executor] | None = None,
    jobs: int | None = None,
    on_replica: Callable[[int], None] = lambda _width: None,
) -> Networks:
    """Draw networks, train them and compare them with a prediction.

    Parameters
    ----------
    prediction : Prediction
    plan : Plan
    make_executor : callable, optional
        Makes a `concurrent.futures.Executor`; default: worker processes.  The result does not
        depend on it.
    jobs : int, optional
        Networks under way at a time; default: as many as there are processors.
    on_replica : callable
        Is told the width of each network that is trained.

    Raises
    ------
    InvalidInstance
        Where the plan is out of range, or a network cannot be trained.
    """
    instance, training = prediction.instance, prediction.training
    require_plan(plan, training.horizon)
    trained, interrupted = train_all(
        instance,
        plan,
        prediction.times,
        [(point.state, point.memory) for point in prediction.points],
        make_executor=make_executor,
        jobs=jobs,
        on_replica=on_replica,
    )
    # The level is shared by the widths that were planned: which of them an interrupt leaves is
    # not to matter.
    level = LEVEL / max(len(plan.widths), 1)
    ensembles = tuple(
        _ensemble(prediction, width, trajectories, level)
        for width, trajectories in trained.items()
        if trajectories
    )
    smallest = next(((width, seen) for width, seen in trained.items() if seen), None)
    return Networks(
        plan=plan,
        ensembles=ensembles,
        slope=fit_slope(
            [ensemble.width for ensemble in ensembles],
            [np.array(ensemble.errors) for ensemble in ensembles],
            level=LEVEL,
            seed=plan.seed,
        ),
        rate=_rate(instance, training),
        interrupted=interrupted,
        notes=(
            *_off_centre(instance),
            *_left_out(plan, training),
            *(() if smallest is None else _ladder(instance, training, *smallest)),
        ),
    )


def _ensemble(
    prediction: Prediction, width: int, trajectories: Sequence[Trajectory], level: Fraction
) -> Ensemble:
    steps = steps_at(prediction.times, width)
    seen = np.searchsorted(trajectories[0].steps, steps)
    outputs = np.array([trajectory.outputs[seen] for trajectory in trajectories])
    squares = np.array([trajectory.squared_errors[seen] for trajectory in trajectories])
    lower, upper = _ends(prediction.limit)
    return Ensemble(
        width=width,
        steps=steps,
        outputs=tuple(tuple(map(_band, row)) for row in outputs.transpose(1, 2, 0)),
        losses=tuple(
            _band((squares[:, k + 1] - squares[:, k]) / (after - before))
            if after > before
            else None
            for k, (before, after) in enumerate(pairwise(steps))
        ),
        errors=tuple(_distance(values, lower, upper) for values in outputs),
        content=content_lower(len(trajectories), level),
        inside=_inside(outputs, lower, upper),
    )


def _inside(outputs: Array, lower: Array, upper: Array) -> float:
    """Return the share of enclosures that lie between the least and the greatest output."""
    return float(((outputs.min(axis=0) <= lower) & (upper <= outputs.max(axis=0))).mean())


def _band(values: Array) -> Band:
    with np.errstate(all="ignore"):
        return Band(
            least=float(values.min()), mean=float(values.mean()), greatest=float(values.max())
        )


def _ends(limit: LimitCurve) -> tuple[Array, Array]:
    """Return doubles below and above the outputs' enclosures; shape (n_times, n_points)."""

    def doubles(end: Callable[[Enclosure], float]) -> Array:
        return np.array([[end(bounds) for bounds in row] for row in limit.outputs])

    return (
        doubles(lambda bounds: nextafter(float(bounds.lower), -inf)),
        doubles(lambda bounds: nextafter(float(bounds.upper), inf)),
    )


def _distance(values: Array, lower: Array, upper: Array) -> float:
    """Bound the distance of a network's outputs from the limit; infinite where one is no number."""
    with np.errstate(all="ignore"):
        farthest = float(np.maximum(values - lower, upper - values).max())
    # The difference is rounded once.
    return nextafter(farthest, inf) if farthest < inf else inf


def _left_out(plan: Plan, training: Training) -> tuple[str, ...]:
    if not plan.left_out:
        return ()
    widths = ",".join(map(str, plan.left_out))
    why = (
        "takes no step before the horizon"
        if plan.left_out[-1] * training.horizon < 1
        else "would take long"
    )
    return (f"Width {widths} is left out, for it {why}: --widths {widths} trains it nonetheless.",)


def _rate(instance: Instance, training: Training) -> Fraction:
    """Return r."""
    lazy = 1 - training.beta
    if has_no_odd_moments_of_c(instance.law):
        lazy *= 2
    return min(training.beta - Fraction(1, 2), lazy)


def _off_centre(instance: Instance) -> tuple[str, ...]:
    """Say where the theory's networks are not those of the instance."""
    if has_centred_c(instance.law):
        return ()
    note = (
        "E[C | W] is not 0: the mean of the first output is N^(1 - beta) E[C sigma], which does "
        "not fall with N. Such networks need not approach the limit."
    )
    return (note,)


def _ladder(
    instance: Instance, training: Training, width: int, trajectories: Sequence[Trajectory]
) -> tuple[str, ...]:
    """Say where the smallest width is too small for its errors to tell of the limit."""
    sigma = activation(instance.activation)
    with precision(_BITS):
        s0, s1 = (float(above(ball(sigma.bound(order)))) for order in (0, 1))
    alpha, beta = float(training.alpha), float(training.beta)
    cbar = float(bound_c(instance.law))
    largest = max(float(trajectory.absolute_errors[-1]) for trajectory in trajectories)
    drift = alpha * width ** (beta - 2) * s0 * largest
    square_bound = float(min(squared_input_bound(instance), _HUGE))
    needed = alpha * (s0**2 + ((cbar + drift) * s1) ** 2 * square_bound)
    notes = []
    if not width >= needed:
        notes.append(
            f"N = {width} is below alpha (s0^2 + chat^2 s1^2 R^2) = {needed:.3g}: a step of "
            "training overshoots, and errors at such widths tell little of the rate."
        )
    if not drift <= cbar:
        notes.append(
            f"At N = {width} training moves C by up to D_C = {drift:.3g}, more than |C| was at "
            f"first, {cbar:.3g}: errors at such widths tell little of the rate."
        )
    return tuple(notes)
