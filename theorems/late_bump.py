r"""What a late bump pulls at a network of exponentials that forgets it.

**Setting.**  A network ``f(t) = sum_i a_i exp(-w_i t)``, th = (a, w), is trained by gradient flow,
``th' = -grad J``, ``J = int_0^inf (f - rho)^2``, on ``rho = rho_bar + rho_0``:
``rho_bar = sum_i a*_i exp(-w*_i t)`` with all ``w*_i > 0`` and the bump rho_0, of size h on
``[S, S + l]`` and zero elsewhere.  It starts at ``th0 = (a*, w*)``, where all but the bump is
learned; ``a*_i = 0`` (a spare unit) and equal rates are allowed.  For ``0 < rho < min w*``

    g(rho) = 2 |h| (sum_i A_i^2 + B_i^2)^(1/2),   A_i = int_S^{S+l} exp(-(w*_i - rho) t) dt,
    B_i = (|a*_i| + rho) int_S^{S+l} t exp(-(w*_i - rho) t) dt.

**Statement** (C7G), for ``0 < r < min w*``: ``|grad 2 <f, rho_0>| <= g(r)`` wherever
``|th - th0| <= r``.

**Proof.**  On the ball ``w_i >= w*_i - r`` and ``|a_i| <= |a*_i| + r``.

**How it is checked.**  g is computed from primitives of exponentials, the gradient by the formulas
that the flow follows too (`verification.linear_rnn.plateau`), tested against differences of the
loss.

**What the verdicts establish.**  CERTIFIED: at the start, at a point of the ball where the pull is
about largest, and at drawn ones.  `theorems.training_plateau` and `theorems.training_trap` say what
follows for the training.

Source: this project's, for the plateau of Li, Han, E and Li, *On the Curse of Memory in Recurrent
Neural Networks*, arXiv 2009.07799, section 5 (JMLR 23(42), theorem 10).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isinf

from verification.claim import (
    AnyClaim,
    Assumption,
    Claim,
    Constant,
    Mutant,
    Vacuity,
)
from verification.enclosure.balls import (
    Ball,
    ball,
    lower_double,
    root,
    shown,
    square,
    total,
)
from verification.errors import NotEnclosed
from verification.instance import Vector
from verification.linear_functional import SCHEMA, Exponential, LinearFunctional
from verification.linear_rnn.norm import integral
from verification.linear_rnn.pieces import of_parts
from verification.linear_rnn.plateau import (
    MAX_UNITS,
    Plateau,
    bump_gradient,
    obstacle,
    plateau_at,
    radius_of,
    rates_of,
    training_of,
)
from verification.verdict import Truth

_DRAWN = 2
_INSIDE = Fraction(2**40 - 1, 2**40)
_GRID = 2**20


# Assumptions, vacuity


def names_a_training(instance: LinearFunctional) -> Truth:
    """Tell whether the instance gives a training."""
    return Truth.FALSE if instance.training is None else Truth.TRUE


def shown_absence(_instance: LinearFunctional) -> str:
    """Return what stands in the place of the training."""
    return "no training"


def starts_as_the_target(instance: LinearFunctional) -> Truth:
    """Tell whether the target is a sum of plain exponentials, of one channel, not too many."""
    return Truth.FALSE if obstacle(instance) else Truth.TRUE


def shown_obstacle(instance: LinearFunctional) -> str:
    """Return why no such network is the target, for a sentence."""
    return obstacle(instance)


def has_positive_rates_on_the_ball(instance: LinearFunctional) -> Truth:
    """Decide ``r < min w*``, exactly."""
    return Truth.TRUE if radius(instance) < min(rates_of(instance)) else Truth.FALSE


def shown_radius(instance: LinearFunctional) -> str:
    """Return both sides of the condition on the radius."""
    return f"r = {shown(radius(instance), 6)}, min w* = {shown(min(rates_of(instance)), 6)}"


def has_no_bump(instance: LinearFunctional) -> bool:
    """Tell whether the bump is zero: then nothing is left to learn."""
    return training_of(instance).height == 0


def radius(instance: LinearFunctional) -> Fraction:
    """Return r, by default half of the least rate."""
    return radius_of(instance)


# Constants


def pull(
    plateau: Plateau,
    size: Fraction,
    *,
    factor: int = 2,
    times: int = 1,
    slower: bool = True,
    grown: bool = True,
) -> Ball:
    """Enclose ``g(size)``; mutants change one of its parts.

    Parameters
    ----------
    plateau : Plateau
    size : Fraction
        Of the ball, below every rate.
    factor, times : int
        The 2 in front, and the power of t in B_i.
    slower, grown : bool
        Whether the rates, and the coefficients, are those of the ball or those of its centre.
    """
    start, end = plateau.delay, plateau.delay + plateau.length
    squares = []
    for c, w in zip(plateau.coefficients, plateau.rates, strict=True):
        rate = w - size if slower else w
        largest = abs(c) + size if grown else abs(c)
        plain = Exponential(coefficient=Fraction(1), rate=rate)
        weighted = Exponential(coefficient=largest, rate=rate, power=times)
        squares += [square(integral(of_parts([part]), start, end)) for part in (plain, weighted)]
    return factor * abs(ball(plateau.height)) * root(total(squares))


def start_loss(instance: LinearFunctional) -> Fraction:
    """Return the loss at the start, ``h^2 l``."""
    return training_of(instance).height ** 2 * training_of(instance).length


def first_pull(instance: LinearFunctional) -> Ball:
    """Enclose ``g(r)`` at the first delay."""
    return pull(plateau_at(instance, training_of(instance).delays[0]), radius(instance))


# Cases


@dataclass(frozen=True, kw_only=True)
class Delayed:
    """The bump at one delay."""

    delay: Fraction

    def __str__(self) -> str:
        return f"S = {shown(self.delay, 6)}"


@dataclass(frozen=True, kw_only=True)
class Point:
    """The bump at one delay, and the network at one offset from the start."""

    delay: Fraction
    offset: Vector
    kind: str

    def __str__(self) -> str:
        return f"S = {shown(self.delay, 6)}, {self.kind}"


def points_of_the_ball(instance: LinearFunctional, rng: random.Random) -> Sequence[Point]:
    """Return the start, the point of the ball where the pull is about largest, and drawn ones."""
    from verification.linear_rnn import plateau_search  # noqa: PLC0415 - loads numpy

    r = radius(instance)
    size = 2 * len(rates_of(instance))
    cases = []
    for delay in training_of(instance).delays:
        worst = plateau_search.strongest_pull(plateau_at(instance, delay), r)
        cases.append(Point(delay=delay, offset=_within(worst, r), kind="where it pulls most"))
        cases.append(Point(delay=delay, offset=(Fraction(0),) * size, kind="the start"))
        for _ in range(_DRAWN):
            drawn = [Fraction(rng.randint(-_GRID, _GRID), _GRID) for _ in range(size)]
            cases.append(Point(delay=delay, offset=_within(drawn, r), kind="a drawn point"))
    return cases


def _within(direction: Sequence[Fraction], size: Fraction) -> Vector:
    """Return the rational point of a sphere, or just inside, in a direction."""
    squared = sum((x * x for x in direction), Fraction(0))
    if not squared:
        return tuple(direction)
    scale = lower_double(ball(size) / ball(squared).sqrt())
    if isinf(scale):
        raise NotEnclosed("a point of the ball is beyond the range of doubles")
    return tuple(Fraction(scale) * _INSIDE * x for x in direction)


# Left side


def bump_pull(instance: LinearFunctional, case: Point) -> Ball:
    """Enclose the size of the gradient of ``2 <f, rho_0>``."""
    plateau = plateau_at(instance, case.delay)
    return root(total(square(x) for x in bump_gradient(plateau, [ball(x) for x in case.offset])))


# Right sides, and those of the mutants


def largest_pull(instance: LinearFunctional, case: Point) -> Ball:
    """Enclose ``g(r)``."""
    return pull(plateau_at(instance, case.delay), radius(instance))


def pull_without_time(instance: LinearFunctional, case: Point) -> Ball:
    """Leave out the t in B_i."""
    return pull(plateau_at(instance, case.delay), radius(instance), times=0)


def pull_at_the_rates(instance: LinearFunctional, case: Point) -> Ball:
    """Leave out the r in the exponents."""
    return pull(plateau_at(instance, case.delay), radius(instance), slower=False)


def pull_at_the_coefficients(instance: LinearFunctional, case: Point) -> Ball:
    """Leave out the r beside the coefficients."""
    return pull(plateau_at(instance, case.delay), radius(instance), grown=False)


def half_the_pull(instance: LinearFunctional, case: Point) -> Ball:
    """Leave out the factor 2."""
    return pull(plateau_at(instance, case.delay), radius(instance), factor=1)


# The claim

GIVEN = Assumption(
    text="the instance gives a training",
    holds=names_a_training,
    offending=shown_absence,
)
PLAIN = Assumption(
    text=f"the target has one channel, of 1 to {MAX_UNITS} plain exponentials",
    holds=starts_as_the_target,
    offending=shown_obstacle,
)
SLOW = Assumption(
    text="r < min w*",
    holds=has_positive_rates_on_the_ball,
    offending=shown_radius,
)
ASSUMPTIONS = (GIVEN, PLAIN, SLOW)
NO_BUMP = Vacuity(
    reason="the bump is zero: there is nothing left to learn",
    holds=has_no_bump,
)
SIZE = Constant(symbol="r", meaning="radius of the ball", formula="r", value=radius)
LOSS = Constant(
    symbol="J0", meaning="loss at the start, the bump's energy", formula="h² l", value=start_loss
)
PULL = Constant(
    symbol="g",
    meaning="bound of the bump's pull in the ball, at the first delay",
    formula="2|h| (Σ Aᵢ² + Bᵢ²)^½",
    value=first_pull,
)
SETTING = (
    "f = Σᵢ aᵢ exp(−wᵢt) is the target at θ₀ = (a*, w*), but for a bump ρ₀ of height h on "
    "[S, S + l], and is trained from there by gradient flow of J = ∫ (f − target)². "
)

C7G: Claim[LinearFunctional, Point] = Claim(
    id="C7G",
    theorem="training_plateau",
    title="A late bump hardly pulls near a network that forgets it",
    statement=(
        f"{SETTING}|∇ 2⟨f, ρ₀⟩| ≤ g(r) wherever |θ − θ₀| ≤ r, with g(r) = 2|h| (Σᵢ Aᵢ² + Bᵢ²)^½, "
        "Aᵢ = ∫ exp(−(w*ᵢ − r)t) dt and Bᵢ = (|a*ᵢ| + r) ∫ t exp(−(w*ᵢ − r)t) dt over the bump."
    ),
    formula=(
        r"|\nabla 2 \langle f, \rho_0 \rangle| \le g(r) = 2 |h| \Big( \sum_i A_i^2 + B_i^2 "
        r"\Big)^{1/2}"
    ),
    kind=SCHEMA,
    assumptions=ASSUMPTIONS,
    vacuities=(NO_BUMP,),
    constants=(SIZE, PULL),
    cases=points_of_the_ball,
    left=bump_pull,
    right=largest_pull,
    proof="On the ball wᵢ ≥ w*ᵢ − r and |aᵢ| ≤ |a*ᵢ| + r.",
    establishes=(
        "CERTIFIED: at the start, where the pull is about largest, and at points drawn from the "
        "ball."
    ),
    source="this project",
    searched=("left",),
    sharp=("sharp-plateau",),
    mutants=(
        Mutant(
            name="time-dropped",
            error="t dropped in Bᵢ",
            refuted_on=("plateau-from-nothing",),
            right=pull_without_time,
        ),
        Mutant(
            name="rates-of-the-start",
            error="r dropped from the exponents",
            refuted_on=("plateau-spare-unit",),
            right=pull_at_the_rates,
        ),
        Mutant(
            name="coefficients-of-the-start",
            error="r dropped beside |a*ᵢ|",
            refuted_on=("plateau-from-nothing",),
            right=pull_at_the_coefficients,
        ),
        Mutant(
            name="half-the-pull",
            error="the factor 2 dropped",
            refuted_on=("sharp-plateau",),
            right=half_the_pull,
        ),
    ),
)

CLAIMS: tuple[AnyClaim, ...] = (C7G,)
