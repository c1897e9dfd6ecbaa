r"""The stratified network: one weighted unit for each atom of a finite law, trained without noise.

A network of N units drawn from a law with atoms ``p_a, (C_a, W_a, B_a)`` has about ``p_a N`` units
of each kind.  The *stratified* network has exactly that share of each: in the recursion of
`verification.recurrent.network_balls` ``<f> = sum_a p_a f_a``.  It is deterministic and costs one
unit an atom; eps and C with both signs changed give the same outputs.

The *linear recursion* is what the network follows as eps tends to 0: the limiting kernel of the
finite law, and its memory with frozen weights,

    L_{k+1} = L_k - h (L_k(zeta_k) - y) K(zeta_k, .),    L_0 = 0,    zeta_k = (x, v_k).

Everything here is enclosed at the working precision.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from verification.enclosure.balls import Ball, ball
from verification.instance import Atom, AtomicLaw, Instance, Vector
from verification.kernel.limiting import Point, point
from verification.recurrent.activation import activation
from verification.recurrent.drawn_units import drawn_units
from verification.recurrent.network_balls import (
    BallUnits,
    BallVector,
    ball_rates,
    ball_vector,
    initial_weights,
    inner,
    mean,
    train_in_balls,
    weighted,
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


def stratified_outputs(instance: Instance, course: Course, *, reflected: bool = False) -> Outputs:
    """Train the stratified network; `reflected`: with -eps in place of eps.

    The instance gives the chain, the activation and the training constants; its law is not looked
    at.
    """
    law = course.law
    trained = train_in_balls(instance, law, course.word, width=course.width, reflected=reflected)
    laziness = ball_rates(instance, course.width).laziness
    if reflected:
        laziness = -laziness
    shares, curve = _shares(law), activation(instance.activation).curve(0)
    places = [(place.input, ball(place.memory)) for place in course.points]
    inputs = dict.fromkeys(place.input for place in course.points)
    outputs = []
    for step in range(len(course.word) + 1):
        weights = trained.weights[step]
        through = weighted(shares, weights.output)
        projections = {x: _projections(weights, x) for x in inputs}
        outputs.append(
            tuple(
                inner(through, tuple([curve(u + v) for u in projections[x]])) / laziness
                for x, v in places
            )
        )
    return Outputs(outputs=tuple(outputs), memories=trained.memories, errors=trained.errors)


def linear_outputs(instance: Instance, course: Course) -> Outputs:
    """Run the linear recursion.

    In features: ``L_k = <theta_k sigma> + <C sigma' x.vartheta_k>``, one weight and one vector of
    weights for each atom.
    """
    law, step = course.law, ball_rates(instance, course.width).step
    shares, units = _shares(law), initial_weights(law)
    features = [_features(instance, units, place) for place in course.points]
    repeated = tuple(p for p in shares for _ in range(len(law.atoms[0].w) + 1))
    weights, memory = (ball(0),) * len(repeated), ball(0)
    outputs = [tuple(mean(repeated, weights, feature) for feature in features)]
    memories, errors = [memory], []
    for state in course.word:
        place = point(instance, state, memory)
        here = _features(instance, units, place)
        error = mean(repeated, weights, here) - ball(instance.chain.targets[state])
        moved = step * error
        weights = tuple(weight - moved * f for weight, f in zip(weights, here, strict=True))
        memory = mean(shares, units.feedback, _values(instance, units, place, 0))
        through = weighted(repeated, weights)
        outputs.append(tuple(inner(through, feature) for feature in features))
        memories.append(memory)
        errors.append(error)
    return Outputs(outputs=tuple(outputs), memories=tuple(memories), errors=tuple(errors))


def squared_feature(instance: Instance, law: AtomicLaw, place: Point) -> Ball:
    """Enclose ``K(zeta, zeta)`` for the units of a finite law."""
    feature = _features(instance, initial_weights(law), place)
    repeated = tuple(p for p in _shares(law) for _ in range(len(law.atoms[0].w) + 1))
    return mean(repeated, feature, feature)


def _shares(law: AtomicLaw) -> BallVector:
    return tuple(ball(atom.p) for atom in law.atoms)


def _values(instance: Instance, units: BallUnits, place: Point, order: int) -> BallVector:
    """Return a derivative of sigma at ``W.x + v``, one for each unit."""
    curve, memory = activation(instance.activation).curve(order), ball(place.memory)
    return tuple([curve(u + memory) for u in _projections(units, place.input)])


def _projections(units: BallUnits, x: Vector) -> list[Ball]:
    """Return W.x for each unit."""
    entries = ball_vector(x)
    return [inner(w, entries) for w in units.input]


def _features(instance: Instance, units: BallUnits, place: Point) -> BallVector:
    """Return sigma and the entries of ``C sigma' x`` for each unit, one unit after the other."""
    values, slopes = (_values(instance, units, place, order) for order in (0, 1))
    x = ball_vector(place.input)
    return tuple(
        feature
        for c, value, slope in zip(units.output, values, slopes, strict=True)
        for feature in (value, *(c * slope * entry for entry in x))
    )
