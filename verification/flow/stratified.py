r"""The stratified network: one weighted unit for each atom of a finite law, trained without noise.

A network of N units drawn from a law with atoms ``p_a, (C_a, W_a, B_a)`` has about ``p_a N`` units
of each kind.  The *stratified* network has exactly that share of each: with ``<f> = sum_a p_a f_a``
in place of the mean over its units, ``h = alpha / N`` and the *laziness* ``eps = N^(beta-1)``, the
recursion of `verification.recurrent.network` is

    v_k = <B_k S_k>,    S_{k+1} = sigma(W_k.x + v_k),    p_k = <C_k S_{k+1}> / eps,
    e_k = psi(p_k) - y,
    C_{k+1} = C_k - h eps e_k S_{k+1},    W_{k+1} = W_k - h eps e_k C_k sigma' x,
    B_{k+1} = B_k - h eps e_k S_k <C_k sigma'>,

sigma' taken at ``W_k.x + v_k``.  It is deterministic, costs one unit an atom, and means something
for every real eps: eps and C with both signs changed give the same outputs.

The *linear recursion* is what the network follows as eps tends to 0: the limiting kernel of the
finite law, and its memory with frozen weights,

    L_{k+1} = L_k - h (L_k(zeta_k) - y) K(zeta_k, .),    L_0 = 0,    zeta_k = (x, v_k).

Everything here is enclosed at the working precision.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from verification.enclosure.balls import (
    Ball,
    ball,
    square,
    total,
    working_precision,
)
from verification.instance import Atom, AtomicLaw, Instance, Vector
from verification.kernel.limiting import Point
from verification.recurrent.activation import Activation, activation
from verification.recurrent.drawn_units import drawn_units
from verification.recurrent.network_balls import clipped_enclosure, width_power


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast training goes at one width.

    Parameters
    ----------
    step : Fraction
        ``h = alpha / N``.
    laziness : Ball
        ``eps = N^(beta-1)``, positive.
    clip : Ball
        ``A = N^gamma``.
    """

    step: Fraction
    laziness: Ball
    clip: Ball


def pace(instance: Instance, width: int) -> Pace:
    """Return the constants of training at a width, enclosed; the instance must give them."""
    training = instance.training
    if training is None:
        raise ValueError(f"instance {instance.name} gives no training constants")
    return Pace(
        step=training.alpha / width,
        laziness=width_power(width, training.beta - 1),
        clip=width_power(width, training.gamma),
    )


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a recursion gives at each number of steps, the start included.

    Parameters
    ----------
    outputs : tuple of tuple of Ball, shape (n_steps + 1, n_points)
    memories : tuple of Ball, shape (n_steps + 1,)
    errors : tuple of Ball, shape (n_steps,)
        ``e_k``; of the linear recursion ``L_k(zeta_k) - y``.
    """

    outputs: tuple[tuple[Ball, ...], ...]
    memories: tuple[Ball, ...]
    errors: tuple[Ball, ...]


@dataclass(frozen=True, kw_only=True)
class Course:
    """What is trained and where it is looked at.

    Parameters
    ----------
    law : AtomicLaw
        The units.
    width : int
        N, which sets eps and h.
    word : tuple of int
        ``xi_0, xi_1, ...``: one step each.
    points : tuple of Point
        Where the output is wanted.
    """

    law: AtomicLaw
    width: int
    word: tuple[int, ...]
    points: tuple[Point, ...]


def mirrored_units(law: AtomicLaw) -> AtomicLaw:
    """Return the law of ``(+-C, W, B)``, the sign independent and fair."""
    return AtomicLaw(
        atoms=tuple(
            Atom(p=atom.p / 2, c=sign * atom.c, w=atom.w, b=atom.b)
            for atom in law.atoms
            for sign in (1, -1)
        )
    )


def reflected_units(law: AtomicLaw) -> AtomicLaw:
    """Return the law of ``(-C, W, B)``."""
    return AtomicLaw(
        atoms=tuple(Atom(p=atom.p, c=-atom.c, w=atom.w, b=atom.b) for atom in law.atoms)
    )


def few_mirrored_units(instance: Instance, count: int, rng: random.Random) -> AtomicLaw:
    """Draw so many units of the instance's law, each with both signs of C."""
    return mirrored_units(drawn_units(instance.law, count, rng))


def has_no_odd_moments(law: AtomicLaw) -> bool:
    """Tell whether ``E[C | W, B] = E[C^3 | W, B] = 0``, exactly."""
    moments: dict[tuple[Vector, Fraction], tuple[Fraction, Fraction]] = {}
    for atom in law.atoms:
        first, third = moments.get((atom.w, atom.b), (Fraction(0), Fraction(0)))
        moments[atom.w, atom.b] = first + atom.p * atom.c, third + atom.p * atom.c**3
    return not any(first or third for first, third in moments.values())


class _Units:
    """Weighted units in balls, and their sums at an input and a memory."""

    def __init__(self, sigma: Activation, law: AtomicLaw) -> None:
        self._sigma = sigma
        self.p = [ball(atom.p) for atom in law.atoms]
        self.c = [ball(atom.c) for atom in law.atoms]
        self.w = [[ball(entry) for entry in atom.w] for atom in law.atoms]
        self.b = [ball(atom.b) for atom in law.atoms]

    def values(self, x: Sequence[Ball], memory: Ball, order: int) -> list[Ball]:
        """Return a derivative of sigma at ``W.x + v``, one for each unit."""
        return [
            self._sigma.derivative(
                order, total(a * b for a, b in zip(weights, x, strict=True)) + memory
            )
            for weights in self.w
        ]

    def mean(self, factors: Sequence[Ball], values: Sequence[Ball]) -> Ball:
        """Return ``<factors values>``."""
        return total(p * f * v for p, f, v in zip(self.p, factors, values, strict=True))

    def output(self, x: Sequence[Ball], memory: Ball) -> Ball:
        """Return ``<C sigma(W.x + v)>``."""
        return self.mean(self.c, self.values(x, memory, 0))


def stratified_outputs(instance: Instance, course: Course, *, reflected: bool = False) -> Outputs:
    """Train the stratified network; `reflected`: with -eps in place of eps.

    The instance gives the chain, the activation and the training constants; its law is not looked
    at.
    """
    return _stratified_outputs(instance, course, reflected, working_precision())


@lru_cache(maxsize=16)
def _stratified_outputs(
    instance: Instance,
    course: Course,
    reflected: bool,
    _bits: int,
) -> Outputs:
    constants = pace(instance, course.width)
    laziness = -constants.laziness if reflected else constants.laziness
    rate = ball(constants.step) * laziness
    law, word, points = course.law, course.word, course.points
    units = _Units(activation(instance.activation), law)
    places = [([ball(x) for x in where.input], ball(where.memory)) for where in points]
    hidden, memory = [ball(0)] * len(units.p), ball(0)
    outputs = [tuple(units.output(x, v) / laziness for x, v in places)]
    memories, errors = [memory], []
    for state in word:
        x = [ball(entry) for entry in instance.chain.inputs[state]]
        values, slopes = units.values(x, memory, 0), units.values(x, memory, 1)
        error = clipped_enclosure(units.mean(units.c, values) / laziness, constants.clip) - ball(
            instance.chain.targets[state]
        )
        through = units.mean(units.c, slopes)
        moved = rate * error
        for a, (c, value, slope) in enumerate(zip(units.c, values, slopes, strict=True)):
            units.b[a] = units.b[a] - moved * hidden[a] * through
            pull = moved * c * slope
            units.w[a] = [w - pull * entry for w, entry in zip(units.w[a], x, strict=True)]
            units.c[a] = c - moved * value
        hidden, memory = values, units.mean(units.b, values)
        outputs.append(tuple(units.output(where, v) / laziness for where, v in places))
        memories.append(memory)
        errors.append(error)
    return Outputs(outputs=tuple(outputs), memories=tuple(memories), errors=tuple(errors))


def linear_outputs(instance: Instance, course: Course) -> Outputs:
    """Run the linear recursion.

    In features: ``L_k = <theta_k sigma> + <C sigma' x.vartheta_k>``, one weight and one vector of
    weights for each atom.
    """
    return _linear_outputs(instance, course, working_precision())


@lru_cache(maxsize=16)
def _linear_outputs(instance: Instance, course: Course, _bits: int) -> Outputs:
    step = ball(pace(instance, course.width).step)
    law, word, points = course.law, course.word, course.points
    frozen = _Units(activation(instance.activation), law)
    places = [([ball(x) for x in where.input], ball(where.memory)) for where in points]
    features = [_features(frozen, x, v) for x, v in places]
    size = len(features[0]) if features else 0
    weights, memory = [ball(0)] * size, ball(0)
    probabilities = [p for p in frozen.p for _ in range(size // len(frozen.p))]

    def output(feature: Sequence[Ball]) -> Ball:
        return total(
            p * weight * f for p, weight, f in zip(probabilities, weights, feature, strict=True)
        )

    outputs = [tuple(output(feature) for feature in features)]
    memories, errors = [memory], []
    for state in word:
        x = [ball(entry) for entry in instance.chain.inputs[state]]
        here = _features(frozen, x, memory)
        error = output(here) - ball(instance.chain.targets[state])
        moved = step * error
        weights = [weight - moved * f for weight, f in zip(weights, here, strict=True)]
        memory = frozen.mean(frozen.b, frozen.values(x, memory, 0))
        outputs.append(tuple(output(feature) for feature in features))
        memories.append(memory)
        errors.append(error)
    return Outputs(outputs=tuple(outputs), memories=tuple(memories), errors=tuple(errors))


def _features(units: _Units, x: Sequence[Ball], memory: Ball) -> list[Ball]:
    """Return sigma and the entries of ``C sigma' x`` for each unit, one unit after the other."""
    values, slopes = units.values(x, memory, 0), units.values(x, memory, 1)
    return [
        feature
        for c, value, slope in zip(units.c, values, slopes, strict=True)
        for feature in (value, *(c * slope * entry for entry in x))
    ]


def squared_feature(instance: Instance, law: AtomicLaw, place: Point) -> Ball:
    """Enclose ``K(zeta, zeta)`` for the units of a finite law."""
    units = _Units(activation(instance.activation), law)
    x = [ball(entry) for entry in place.input]
    values, slopes = (units.values(x, ball(place.memory), order) for order in (0, 1))
    length = total(square(entry) for entry in x)
    return total(
        p * (square(value) + square(c * slope) * length)
        for p, c, value, slope in zip(units.p, units.c, values, slopes, strict=True)
    )
