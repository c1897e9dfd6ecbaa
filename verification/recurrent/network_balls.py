r"""Training of a finite network in balls: every number of the recursion enclosed.

The recursion is that of `verification.recurrent.network`, for given units and a given path of
states.  In terms of means ``<.>`` over the units, of ``h = alpha / N`` and of the *laziness*
``eps = N^(beta-1)``, it is

    v_k = <B_k S_k>,    S_{k+1} = sigma(W_k.x + v_k),    e_k = psi(<C_k S_{k+1}> / eps) - y,
    C_{k+1} = C_k - h eps e_k S_{k+1},    W_{k+1} = W_k - h eps e_k C_k sigma' x,
    B_{k+1} = B_k - h eps e_k S_k <C_k sigma'>,

which means something for units with unequal shares in the means too, and for every real eps.  The
rates are irrational and enclosed as well, and so is the clip across its pieces.  What a weight has
moved since the start is kept beside the weight: it is exactly 0 where nothing has moved, and no
difference of nearly equal numbers.

Radii grow with the number of steps, like errors in the initial weights would; where they become too
wide for a comparison, a higher working precision makes them narrow again.

Source: Lam, Sirignano and Spiliopoulos (arXiv 2308.14555), section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from operator import add, mul
from typing import TypeAlias

from verification.enclosure.balls import (
    Ball,
    ball,
    interval,
    is_narrow,
    power,
    total,
    working_precision,
)
from verification.errors import InvalidInstance
from verification.instance import AtomicLaw, Instance, Vector
from verification.recurrent.activation import activation

BallVector: TypeAlias = tuple[Ball, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class BallRates:
    """The constants of training at one width.

    Parameters
    ----------
    output_scale : Ball
        ``N^-beta``.
    weight_rate : Ball
        ``alpha N^(beta-2)``.
    clip : Ball
        ``N^gamma``.
    step : Ball
        ``h = alpha / N``.
    laziness : Ball
        ``eps = N^(beta-1)``.
    """

    output_scale: Ball
    weight_rate: Ball
    clip: Ball
    step: Ball
    laziness: Ball


@dataclass(frozen=True, kw_only=True, eq=False)
class BallUnits:
    """Parameters of N hidden units, or what they have moved.

    Parameters
    ----------
    output : tuple of Ball, shape (n_units,)
        C.
    input : tuple of tuple of Ball, shape (n_units, dimension)
        W.
    feedback : tuple of Ball, shape (n_units,)
        B.
    """

    output: BallVector
    input: tuple[BallVector, ...]
    feedback: BallVector


@dataclass(frozen=True, kw_only=True, eq=False)
class BallTrajectory:
    """All of a training of n steps, enclosed.

    Parameters
    ----------
    initial : BallUnits
        The weights at step 0.
    moved : tuple of BallUnits, shape (n + 1,)
        What the weights have moved until step k.
    weights : tuple of BallUnits, shape (n + 1,)
        The weights at step k.
    memories : tuple of Ball, shape (n + 1,)
        ``v_k``.
    predictions, errors : tuple of Ball, shape (n,)
        ``p_k`` and ``e_k = psi(p_k) - y``.
    """

    initial: BallUnits
    moved: tuple[BallUnits, ...]
    weights: tuple[BallUnits, ...]
    memories: BallVector
    predictions: BallVector
    errors: BallVector


def ball_rates(instance: Instance, width: int) -> BallRates:
    """Enclose the constants of training at one width.

    Raises
    ------
    InvalidInstance
        Where the instance has no training constants.
    """
    training = instance.training
    if training is None:
        raise InvalidInstance("training", "is missing, expected alpha, beta, gamma and horizon")
    alpha = ball(training.alpha)
    return BallRates(
        output_scale=width_power(width, -training.beta),
        weight_rate=alpha * width_power(width, training.beta - 2),
        clip=width_power(width, training.gamma),
        step=alpha / width,
        laziness=width_power(width, training.beta - 1),
    )


def width_power(width: int, exponent: Fraction) -> Ball:
    """Enclose ``N^s`` for a rational s."""
    return (ball(exponent) * ball(width).log()).exp()


def clipped_enclosure(output: Ball, bound: Ball) -> Ball:
    """Enclose ``psi(z)`` for ``A = bound > 0``, in whatever pieces of psi the ball z lies."""
    if is_narrow(output):
        return _clipped(output, bound)
    # psi increases.
    return interval(_clipped(output.lower(), bound), _clipped(output.upper(), bound))


def _clipped(output: Ball, bound: Ball) -> Ball:
    """Return z cut to [-A, A], and what psi adds on either side."""
    centre = output.min(bound).max(-bound)
    return centre + 2 * bound * (_beyond(output, bound) - _beyond(-output, bound))


def _beyond(output: Ball, bound: Ball) -> Ball:
    """Enclose ``t - t^3 + t^4/2``, t = ``(z - A)/(2A)`` cut to [0, 1]."""
    t = ((output - bound) / (2 * bound)).max(ball(0)).min(ball(1))
    return t - power(t, 3) + power(t, 4) / 2


def train_in_balls(
    instance: Instance,
    units: AtomicLaw,
    path: Sequence[int],
    *,
    width: int | None = None,
    reflected: bool = False,
) -> BallTrajectory:
    """Train units along a path of states.

    Parameters
    ----------
    instance : Instance
        With training constants; its law does not matter.
    units : AtomicLaw
        The initial weights, one atom a unit, its probability the unit's share in all means: 1/N
        each in a network of N units.
    path : sequence of int, shape (n,)
        The states ``xi_0, .., xi_{n-1}``.
    width : int, optional
        N in h, eps and the clip, where it is not the number of units.
    reflected : bool
        Whether eps is replaced by -eps.

    Returns
    -------
    BallTrajectory
        Enclosures at the current working precision.  The trajectory at hand is kept, so that the
        sides of a claim do not train again.
    """
    n = len(units.atoms) if width is None else width
    return _train(instance, units, tuple(path), n, reflected, working_precision())


@lru_cache(maxsize=8)
def _train(
    instance: Instance,
    units: AtomicLaw,
    path: tuple[int, ...],
    width: int,
    reflected: bool,
    _bits: int,
) -> BallTrajectory:
    sigma, chain = activation(instance.activation), instance.chain
    value, slope = sigma.curve(0), sigma.curve(1)
    constants = ball_rates(instance, width)
    laziness = -constants.laziness if reflected else constants.laziness
    shares = tuple(ball(atom.p) for atom in units.atoms)
    initial = initial_weights(units)
    moved, weights = _zero(initial), initial
    inputs = {state: ball_vector(chain.inputs[state]) for state in path}
    hidden: BallVector = (ball(0),) * len(shares)
    memory = ball(0)
    track, places, memories, predictions, errors = [moved], [initial], [memory], [], []
    for state in path:
        x = inputs[state]
        arguments = [inner(w, x) + memory for w in weights.input]
        following = tuple(map(value, arguments))
        slopes = [c * slope(u) for c, u in zip(weights.output, arguments, strict=True)]
        prediction = mean(shares, weights.output, following) / laziness
        error = clipped_enclosure(prediction, constants.clip) - ball(chain.targets[state])
        rate = constants.step * laziness * error
        pull = tuple(rate * entry for entry in x)
        through = rate * inner(shares, tuple(slopes))
        moved = BallUnits(
            output=tuple(d - rate * s for d, s in zip(moved.output, following, strict=True)),
            input=tuple(
                tuple(d - steep * p for d, p in zip(row, pull, strict=True))
                for row, steep in zip(moved.input, slopes, strict=True)
            ),
            feedback=tuple(d - through * s for d, s in zip(moved.feedback, hidden, strict=True)),
        )
        weights, hidden = _sum(initial, moved), following
        memory = mean(shares, weights.feedback, hidden)
        track.append(moved)
        places.append(weights)
        memories.append(memory)
        predictions.append(prediction)
        errors.append(error)
    return BallTrajectory(
        initial=initial,
        moved=tuple(track),
        weights=tuple(places),
        memories=tuple(memories),
        predictions=tuple(predictions),
        errors=tuple(errors),
    )


def initial_weights(units: AtomicLaw) -> BallUnits:
    """Return the atoms as weights."""
    return BallUnits(
        output=tuple(ball(atom.c) for atom in units.atoms),
        input=tuple(ball_vector(atom.w) for atom in units.atoms),
        feedback=tuple(ball(atom.b) for atom in units.atoms),
    )


def network_output(instance: Instance, weights: BallUnits, point: BallVector, memory: Ball) -> Ball:
    """Enclose ``G(x, v) = N^-beta sum_i C^i sigma(W^i.x + v)``."""
    sigma = activation(instance.activation)
    values = tuple(sigma.derivative(0, inner(w, point) + memory) for w in weights.input)
    scale = ball_rates(instance, len(values)).output_scale
    return scale * inner(weights.output, values)


def network_kernel(
    instance: Instance,
    weights: BallUnits,
    first: tuple[BallVector, Ball],
    second: tuple[BallVector, Ball],
) -> Ball:
    """Enclose the kernel ``K^N`` of N units at two points (x, v).

    It is the mean over the units of ``sigma sigma + C^2 sigma' sigma' x.x'``.
    """
    sigma = activation(instance.activation)
    (x, v), (y, w) = first, second
    product = inner(x, y)
    terms = []
    value, slope = sigma.curve(0), sigma.curve(1)
    alike = first is second
    for c, row in zip(weights.output, weights.input, strict=True):
        u = inner(row, x) + v
        one, steep = value(u), slope(u)
        if alike:
            other, other_steep = one, steep
        else:
            t = inner(row, y) + w
            other, other_steep = value(t), slope(t)
        forward, backward = one * other, steep * other_steep
        terms.append(forward + c * c * backward * product)
    return total(terms) / len(terms)


def ball_vector(values: Vector) -> BallVector:
    """Enclose the entries of a vector."""
    return tuple(ball(value) for value in values)


def inner(first: BallVector, second: BallVector) -> Ball:
    """Enclose an inner product."""
    if len(first) != len(second):
        raise ValueError(f"an inner product of {len(first)} and {len(second)} entries")
    return total(map(mul, first, second))


def mean(shares: BallVector, factors: BallVector, values: BallVector) -> Ball:
    """Enclose the mean over the units of a product."""
    return inner(weighted(shares, factors), values)


def weighted(shares: BallVector, factors: BallVector) -> BallVector:
    """Enclose the products of two vectors, entry by entry."""
    return tuple(p * f for p, f in zip(shares, factors, strict=True))


def _zero(units: BallUnits) -> BallUnits:
    return BallUnits(
        output=(ball(0),) * len(units.output),
        input=tuple((ball(0),) * len(row) for row in units.input),
        feedback=(ball(0),) * len(units.feedback),
    )


def _sum(first: BallUnits, second: BallUnits) -> BallUnits:
    return BallUnits(
        output=tuple(map(add, first.output, second.output)),
        input=tuple(tuple(map(add, *rows)) for rows in zip(first.input, second.input, strict=True)),
        feedback=tuple(map(add, first.feedback, second.feedback)),
    )
