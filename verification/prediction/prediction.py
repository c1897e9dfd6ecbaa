r"""What an infinitely wide network becomes when it is trained on a sequence, and when.

The limit equation is solved at few points, one for each of the likeliest states, and at few times.
What is said of its output g_t and of the loss ``||g_t - y||^2`` in L2(mu) is proved.

**Loss.**  It never grows and is never negative: each time's enclosure is also bounded by those of
the times before and after it.

**Spectrum.**  With the eigenpairs (lambda_j, e_j) of the kernel's operator T_K on L2(mu),

    ||g_t - y||^2 = sum_j exp(-2 alpha t lambda_j) <y, e_j>^2 + ||y - proj y||^2,

so that the eigenvalue alone says when a direction is learned: its part of the loss has halved at
``ln 2 / (2 alpha lambda_j)``, and at T the share ``1 - exp(-2 alpha T lambda_j)`` of it is gone.
Both are enclosed, for the eigenvalue is known up to the flow's error, in order.  Only directions
whose eigenvalue exceeds that error are told apart; the others, and what no direction reaches, are
the rest.  How large a part ``<y, e_j>^2 = c_j^2 / lambda_j`` is, c_j the coordinate of
``mu[phi y]``, is an estimate: of near eigenvalues the directions are not known one by one.

Source: this project; the equation is that of Lam, Sirignano and Spiliopoulos (arXiv 2308.14555).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil, log2

import numpy as np

from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    enclosure,
    less,
    precision,
    shown,
)
from verification.enclosure.doubles import above, upward
from verification.errors import InvalidInstance, NotEnclosed
from verification.flow.history import joint_law
from verification.flow.limit_flow import MAX_CLOCK, Curve, LimitFlow, limit_flow
from verification.flow.node_law import NodeLaw, invariant_state_law
from verification.instance import Instance, Training, Vector
from verification.markov.finite import recurrent_classes
from verification.quantity import Doubles
from verification.recurrent.memory import contraction_factor, memory_bound
from verification.strict_json import format_number
from verification.subject import Subject
from verification.verdict import Enclosure, Truth

MAX_POINTS = 8
"""How many states are shown at most."""

DIGITS = 17
"""How many digits the end points have at most."""

_INTERVALS = 32
_MEMORY_DIGITS = 4
_BITS = 80
_MOST_OCTAVES = 31
_COARSE = 1e-3
_HALVINGS = 40
_SMALLEST = Fraction(1, 10**50)


@dataclass(frozen=True, kw_only=True)
class Point:
    """Where the output is wanted: a state and a memory that it typically meets.

    Parameters
    ----------
    state : int
    probability_estimate : float
        The state's stationary probability.
    input : Vector
    memory : Fraction
        Near the mean of the memory while the chain is in the state.
    target : Fraction
    """

    state: int
    probability_estimate: float
    input: Vector
    memory: Fraction
    target: Fraction


@dataclass(frozen=True, kw_only=True)
class LimitCurve:
    """The infinitely wide network over time.

    Parameters
    ----------
    outputs : tuple of tuple of Enclosure, shape (n_times, n_points)
        Of g_t at the points.
    losses : tuple of Enclosure, shape (n_times,)
        Of ``||g_t - y||^2`` in L2(mu).
    """

    outputs: tuple[tuple[Enclosure, ...], ...]
    losses: tuple[Enclosure, ...]


@dataclass(frozen=True, kw_only=True)
class Direction:
    """An eigenfunction of the kernel's operator, and what becomes of the target along it.

    Parameters
    ----------
    eigenvalue, half_time, learned : Enclosure
        The eigenvalue; the time at which the loss along it has halved; the share of it that is
        gone at the horizon.
    part_estimate : float
        Its part of the loss at time 0.
    share_estimate : float or None
        The same as a share of the whole; None where that may be 0.
    """

    eigenvalue: Enclosure
    half_time: Enclosure
    learned: Enclosure
    part_estimate: float
    share_estimate: float | None


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What becomes of the infinitely wide network.

    Parameters
    ----------
    instance : Instance
    training : Training
        That of the instance.
    times : tuple of Fraction
        From 0 to the horizon.
    points : tuple of Point
    limit : LimitCurve
    learned : Enclosure or None
        The share of the loss that is gone at the horizon; None where there is none at time 0.
    directions : tuple of Direction
        The largest eigenvalue first.
    rest : Direction
        All that is not in `directions`, its eigenvalues anywhere between 0 and an upper bound.
    notes : tuple of str
        What a reader should know before using the numbers.
    """

    instance: Instance
    training: Training
    times: tuple[Fraction, ...]
    points: tuple[Point, ...]
    limit: LimitCurve
    learned: Enclosure | None
    directions: tuple[Direction, ...]
    rest: Direction
    notes: tuple[str, ...] = ()


def predict(
    subject: Subject, *, on_stage: Callable[[str], None] = lambda _stage: None
) -> Prediction:
    """Solve the limit equation of an instance, from time 0 to its horizon.

    Parameters
    ----------
    subject : Subject
        An instance with training constants.
    on_stage : callable
        Is told what is begun.

    Raises
    ------
    InvalidInstance
        Where there are no training constants, no unique stationary law, or q is not below 1; or
        the horizon is too long.
    NotEnclosed
        Where the law of the memory, or the kernel, is not known well enough.
    """
    instance, training = _require(subject)
    on_stage("the law of state and memory")
    law = joint_law(instance)
    points = _points(instance, law)
    on_stage("the limit equation")
    flow = limit_flow(instance, law, [(point.state, point.memory) for point in points])
    times = _times(training, float(flow.eigenvalues.max(initial=0)))
    on_stage(f"the output at {len(times)} times")
    limit = _curve(flow, times) if _has_target(instance) else _nothing(times, points)
    return Prediction(
        instance=instance,
        training=training,
        times=times,
        points=points,
        limit=limit,
        learned=_learned(instance, limit.losses),
        directions=(found := _spectrum(flow, training, limit.losses[0]))[:-1],
        rest=found[-1],
        notes=_notes(instance, law, times, limit),
    )


def _require(subject: Subject) -> tuple[Instance, Training]:
    """Find out before the work what cannot be predicted, and how to mend it."""
    if not isinstance(subject, Instance):
        raise InvalidInstance("schema", f"is {subject.schema}, expected instance/1")
    training = subject.training
    if training is None:
        raise InvalidInstance(
            "training",
            'is missing, expected constants such as {"alpha": "1", "beta": "0.75", '
            '"gamma": "0.1", "horizon": "1"}',
        )
    for name in ("alpha", "horizon"):
        value = getattr(training, name)
        if not _SMALLEST <= value <= 1 / _SMALLEST:
            raise InvalidInstance(
                f"training.{name}", f"is {format_number(value)}, expected 1e-50 to 1e50"
            )
    if training.alpha * training.horizon > MAX_CLOCK:
        longest = format_number(Fraction(int(MAX_CLOCK / training.alpha)))
        raise InvalidInstance(
            "training.horizon",
            f"is {format_number(training.horizon)}, expected at most {longest} "
            f"(alpha horizon at most {MAX_CLOCK})",
        )
    # Fails where there is no unique one.
    invariant_state_law(subject.chain)
    with precision(_BITS):
        q = contraction_factor(subject)
        if less(ball(q), ball(1)) is not Truth.TRUE:
            raise InvalidInstance(
                "law",
                f"has q = s1 E|B| = {shown(q, 6)}, expected q < 1: the memory need not forget how "
                "it began; make B smaller",
            )
    return subject, training


def _points(instance: Instance, law: NodeLaw) -> tuple[Point, ...]:
    """Return the likeliest states in their order, each with its mean memory, rounded."""
    chain = instance.chain
    probabilities, error = invariant_state_law(chain)
    likeliest = np.argsort(-probabilities, kind="stable")[:MAX_POINTS].tolist()
    sums = [
        np.bincount(law.states, weights=values, minlength=chain.n_states)
        for values in (law.weights, law.weights * law.memories)
    ]
    with precision(_BITS):
        bound = upward(above(ball(memory_bound(instance))))
    points = []
    for state in sorted(likeliest):
        if not probabilities[state] > error:
            continue
        # The weights may be negative: of an unlikely state their sum may be nothing but rounding.
        mass, moment = (float(column[state]) for column in sums)
        mean = min(max(moment / mass, -bound), bound) if mass else 0.0
        scale = 10**_MEMORY_DIGITS
        points.append(
            Point(
                state=state,
                probability_estimate=float(probabilities[state]),
                input=chain.inputs[state],
                memory=Fraction(round(mean * scale), scale),
                target=chain.targets[state],
            )
        )
    return tuple(points)


def _times(training: Training, fastest: float) -> tuple[Fraction, ...]:
    """Return times from 0 to the horizon: evenly, or for long ones so many for each halving.

    `fastest` is an estimate of the largest eigenvalue.
    """
    horizon = training.horizon
    constants = float(training.alpha * horizon) * fastest
    if constants <= _INTERVALS:
        return tuple(horizon * k / _INTERVALS for k in range(_INTERVALS + 1))
    octaves = min(ceil(log2(constants)) + 3, _MOST_OCTAVES)
    each = max(1, _INTERVALS // octaves)
    down = [
        horizon / 2**k * (1 - Fraction(j, 2 * each)) for k in range(octaves) for j in range(each)
    ]
    return (Fraction(0), *reversed(down))


def _curve(flow: LimitFlow, times: Sequence[Fraction]) -> LimitCurve:
    try:
        output, loss = flow.output(times), flow.loss(times)
    except NotEnclosed as error:
        raise NotEnclosed(f"{error}; {_how_long(flow, times[-1])}") from error
    outputs = [
        Doubles(values=values.tolist(), error=float(error)).bounds(DIGITS)
        for values, error in zip(output.values, output.errors, strict=True)
    ]
    # By definition.
    outputs[0] = tuple(Enclosure(Decimal(0), Decimal(0)) for _ in outputs[0])
    return LimitCurve(outputs=tuple(outputs), losses=_decreasing(loss))


def _nothing(times: Sequence[Fraction], points: Sequence[Point]) -> LimitCurve:
    """Return what becomes of a network whose targets are all 0: it stays 0."""
    zero = Enclosure(Decimal(0), Decimal(0))
    return LimitCurve(outputs=((zero,) * len(points),) * len(times), losses=(zero,) * len(times))


def _how_long(flow: LimitFlow, horizon: Fraction) -> str:
    """Return advice: the horizon, halved until the equation can be solved so far."""
    otherwise = ", or a smaller E|B|" if flow.law.spread else ""
    for k in range(1, _HALVINGS):
        shorter = horizon / 2**k
        try:
            flow.output([shorter])
        except NotEnclosed:
            continue
        return f"expected a training.horizon up to about {float(shorter):.2g}{otherwise}"
    return "expected a shorter training.horizon"


def _decreasing(loss: Curve) -> tuple[Enclosure, ...]:
    """Enclose a curve that is not negative and never grows."""
    known = [
        Doubles(values=[value], error=error, least=0.0).bounds(DIGITS)[0]
        for value, error in zip(loss.values.tolist(), loss.errors.tolist(), strict=True)
    ]
    uppers, lowers = [known[0].upper], [known[-1].lower]
    for bounds in known[1:]:
        uppers.append(min(uppers[-1], bounds.upper))
    for bounds in known[-2::-1]:
        lowers.append(max(lowers[-1], bounds.lower))
    return tuple(map(Enclosure, reversed(lowers), uppers))


def _learned(instance: Instance, losses: Sequence[Enclosure]) -> Enclosure | None:
    """Enclose the share of the loss that is gone at the end; None where there is none at first."""
    if not _has_target(instance):
        return None
    first, last = ((Fraction(x.lower), Fraction(x.upper)) for x in (losses[0], losses[-1]))
    if not first[0]:
        return Enclosure(Decimal(0), Decimal(1))
    return Enclosure(
        Enclosure.of_fraction(max(1 - last[1] / first[0], Fraction(0)), DIGITS).lower,
        Enclosure.of_fraction(1 - last[0] / first[1], DIGITS).upper,
    )


def _has_target(instance: Instance) -> bool:
    (recurrent,) = recurrent_classes(instance.chain)
    return any(instance.chain.targets[state] for state in recurrent.states)


def _spectrum(flow: LimitFlow, training: Training, loss: Enclosure) -> tuple[Direction, ...]:
    """Return the directions that can be told apart, and last the rest."""
    eigenvalues = flow.eigenvalues[::-1].tolist()
    error = Fraction(flow.eigenvalue_error)
    whole = float((loss.lower + loss.upper) / 2)
    known = loss.lower > 0
    kept = [
        (x, c * c / x)
        for x, c in zip(eigenvalues, flow.coordinates[::-1].tolist(), strict=True)
        if Fraction(x) > error
    ]
    directions = [
        _direction(
            Fraction(x) - error, Fraction(x) + error, training, part, whole if known else None
        )
        for x, part in kept
    ]
    following = Fraction(eigenvalues[len(kept)]) if len(kept) < len(eigenvalues) else Fraction(0)
    left = max(whole - sum(part for _, part in kept), 0.0)
    return (
        *directions,
        _direction(Fraction(0), following + error, training, left, whole if known else None),
    )


def _direction(
    low: Fraction, high: Fraction, training: Training, part: float, whole: float | None
) -> Direction:
    """Return a direction whose eigenvalue lies between two numbers, both but `low` positive."""
    with precision(_BITS):

        def half_time(rate: Fraction) -> Ball:
            return ball(2).log() / ball(2 * training.alpha * rate)

        def learned(rate: Fraction) -> Ball:
            return -(-ball(2 * training.alpha * training.horizon * rate)).expm1()

        soonest = enclosure(half_time(high)).lower
        latest = enclosure(half_time(low)).upper if low else Decimal("Infinity")
        return Direction(
            eigenvalue=enclosure(Between(ball(low), ball(high))).rounded(DIGITS),
            half_time=Enclosure(soonest, latest).rounded(DIGITS),
            learned=enclosure(Between(learned(low), learned(high))).rounded(DIGITS),
            part_estimate=part,
            share_estimate=None if whole is None else part / whole,
        )


def _notes(
    instance: Instance, law: NodeLaw, times: Sequence[Fraction], limit: LimitCurve
) -> tuple[str, ...]:
    notes = []
    if not _has_target(instance):
        notes.append("Every target that recurs is 0: there is nothing to learn.")
    scale = max(float(max(map(abs, instance.chain.targets))), 1e-300)
    coarse = [
        time
        for time, outputs in zip(times, limit.outputs, strict=True)
        if any(float(x.width_upper()) > _COARSE * scale for x in outputs)
    ]
    if coarse:
        why = (
            "the memory forgets slowly, and its law is known from finitely many words: a smaller "
            "E|B| or a shorter horizon makes them narrow"
            if law.spread
            else "their errors grow with time: a shorter horizon makes them narrow"
        )
        notes.append(f"From t = {float(coarse[0]):.3g} on the enclosures are wide: {why}.")
    return tuple(notes)
