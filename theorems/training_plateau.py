r"""The training plateau: gradient flow stalls where the target differs by what comes late.

**Setting.**  A network ``f(t) = sum_i a_i exp(-w_i t)``, th = (a, w), is trained by gradient flow,
``th' = -grad J``, ``J = int_0^inf (f - rho)^2``, on ``rho = rho_bar + rho_0``:
``rho_bar = sum_i a*_i exp(-w*_i t)`` with all ``w*_i > 0`` and the bump rho_0, of size h on
``[S, S + l]`` and zero elsewhere.  It starts at ``th0 = (a*, w*)``, where all but the bump is
learned; ``a*_i = 0`` (a spare unit) and equal rates are allowed.  For ``0 < rho < min w*``

    g(rho) = 2 |h| (sum_i A_i^2 + B_i^2)^(1/2),   A_i = int_S^{S+l} exp(-(w*_i - rho) t) dt,
    B_i = (|a*_i| + rho) int_S^{S+l} t exp(-(w*_i - rho) t) dt.

**Statements,** for ``0 < r < min w*``.
C7G.  ``|grad 2 <f, rho_0>| <= g(r)`` wherever ``|th - th0| <= r``.
C7.   The flow stays within r of th0 up to the time ``max_{0 < rho <= r} rho / g(rho)``: with rho
about 1/S this grows like ``exp(S min w*)``.
C7E.  It does up to ``max_rho rho^2 / K(rho)``, with
``K = h^2 l inf_{0 <= s < L} exp(-2 s S) (L/(L - s)) sum_{k < n} ((L + s)/(L - s))^(2k)``,
``L = min w* - rho`` and n the number of exponentials of f and rho_bar together: like
``exp(2 S min w*)``.
C7L.  While it does, ``J >= h^2 l - r g(r)``: of the loss at the start, hardly anything is learned.
C7T.  (Trap.)  If ``e . grad L(th0 + e) > g(rho) rho`` for all ``|e| = rho``, L being the loss
against rho_bar alone, it stays within rho for ever.

**Proof.**  C7G: on the ball ``w_i >= w*_i - r`` and ``|a_i| <= |a*_i| + r``.  Let e = th - th0.
``J(th0) - J = 2 <f - rho_bar, rho_0> - ||f - rho_bar||^2 <= g(|e|) |e|``: this is C7L.  When
``|e| = rho`` for the first time, at the time tau, ``rho^2 <= tau int |th'|^2 = tau (J(th0) - J)
<= tau g(rho) rho``: C7.  C7E: ``J(th0) - J <= <q, rho_0>^2 / ||q||^2``, q = f - rho_bar, at most
the squared norm of the projection of rho_0 on n exponentials of rates at least L.  In their
orthonormal basis with the transforms ``(2 w_k)^(1/2) / (p + w_k) prod_{j<k} (p - w_j)/(p + w_j)``
the weighted norms are ``||exp(s t) phi_k||^2 <= (L/(L - s)) ((L + s)/(L - s))^(2k)`` (Plancherel on
``Re p = -s``), and ``||exp(-s t) rho_0|| <= exp(-s S) ||rho_0||``.  C7T: ``(|e|^2)' / 2 <= |e| g -
e . grad L``.  No step needs convexity.

**How it is checked.**  The flow is followed by collocation in doubles, and how near it is to the
polynomials that come out is proved in balls (`verification.linear_rnn.escape`): the time of escape
is enclosed, or that there is none is proved.  The bounds are computed from primitives of
exponentials, for radii rho that are searched for in doubles; any rho gives a bound.  The stiffness
of C7T is evaluated on the whole circle for one unit, by the gradient of the loss, which the flow
follows too; for more it is the least eigenvalue of the exact second derivatives at th0 less a bound
of third ones, which is used for the flow too.  Nothing else is shared between sides, and both are
tested against differences of the loss.

**What the verdicts establish.**  CERTIFIED: C7, C7E, C7L: for the flow of this set-up, at each of
the delays at which it was not shown to stay; C7T: at each of those at which the condition was
shown, for all times.  C7G: at the start, at a point of the ball where the pull is about largest,
and at drawn ones.  Where no delay has an escape, or a trap, there is no case.

Source: the plateau is that of Li, Han, E and Li, *On the Curse of Memory in Recurrent Neural
Networks*, arXiv 2009.07799, section 5 (JMLR 23(42), theorem 10); bounds and proofs are this
project's.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import isinf

from verification.claim import (
    AnyClaim,
    Assumption,
    Claim,
    Constant,
    Drawing,
    Mutant,
    Vacuity,
)
from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    exact_ball,
    lower_double,
    power,
    root,
    shown,
    square,
    symmetric,
    total,
    upper_double,
    working_precision,
)
from verification.enclosure.balls import radius as ball_radius
from verification.errors import NotEnclosed
from verification.figure import Axis, Figure, Guarantee, Kind, Scale, Series
from verification.instance import Vector
from verification.linear_functional import SCHEMA, Exponential, LinearFunctional
from verification.linear_rnn.norm import integral
from verification.linear_rnn.pieces import of_parts
from verification.linear_rnn.plateau import (
    MAX_UNITS,
    Plateau,
    bump_gradient,
    drop,
    obstacle,
    plateau_at,
    radius_of,
    rates_of,
    training_of,
)
from verification.linear_rnn.trap import stiffnesses, trap_radius
from verification.verdict import Truth

NOT_FOLLOWED = (
    "the flow cannot be followed from its start: its numbers lead beyond the range of doubles, or "
    "its first step is not proved"
)

_DRAWN = 2
_INSIDE = Fraction(2**40 - 1, 2**40)
_GRID = 2**20
_FAR = 3
_DRAWN_DELAYS = 3
_DRAWN_ERROR = 1e-3


# Assumptions, vacuities


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


def stays_for_ever(instance: LinearFunctional) -> bool:
    """Tell whether at each of the delays the flow is proved to stay in the ball for ever."""
    return not escapes(instance, random.Random(0))


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


def energy_gain(plateau: Plateau, size: Fraction) -> Ball:
    """Enclose ``K(size)``, or a little more: s is searched for in doubles."""
    from verification.linear_rnn import plateau_search  # noqa: PLC0415 - loads numpy

    least = min(plateau.rates) - size
    active: dict[Fraction, Fraction] = {}
    for c, w in zip(plateau.coefficients, plateau.rates, strict=True):
        active[w] = active.get(w, Fraction(0)) + c
    count = plateau.units + sum(c != 0 for c in active.values())
    s = plateau_search.weight(least, plateau.delay, count)
    ratio = square(ball((least + s) / (least - s)))
    spread = total(power(ratio, k) for k in range(count))
    decay = (-ball(2 * s * plateau.delay)).exp()
    return ball(plateau.energy * least / (least - s)) * decay * spread


def start_loss(instance: LinearFunctional) -> Fraction:
    """Return the loss at the start, ``h^2 l``."""
    return training_of(instance).height ** 2 * training_of(instance).length


def first_pull(instance: LinearFunctional) -> Ball:
    """Enclose ``g(r)`` at the first delay."""
    return pull(plateau_at(instance, training_of(instance).delays[0]), radius(instance))


def avoidable(instance: LinearFunctional) -> Ball:
    """Enclose how much lower than on the plateau the loss is at a network found by a search.

    At the last delay; negative where the search found none that is better.
    """
    from verification.linear_rnn import plateau_search  # noqa: PLC0415 - loads scipy

    plateau = plateau_at(instance, training_of(instance).delays[-1])
    better = plateau_search.better_offset(plateau)
    gained = drop(plateau, [ball(x) for x in better])
    return gained - ball(radius(instance)) * pull(plateau, radius(instance))


# Cases


@dataclass(frozen=True, kw_only=True)
class Delayed:
    """The bump at one delay."""

    delay: Fraction

    def __str__(self) -> str:
        return f"S = {shown(self.delay, 6)}"


@dataclass(frozen=True, kw_only=True)
class Trap(Delayed):
    """The bump at one delay, and the least rho found for which the condition of C7T was shown."""

    radius: Fraction


@dataclass(frozen=True, kw_only=True)
class Point:
    """The bump at one delay, and the network at one offset from the start."""

    delay: Fraction
    offset: Vector
    kind: str

    def __str__(self) -> str:
        return f"S = {shown(self.delay, 6)}, {self.kind}"


def escapes(instance: LinearFunctional, _rng: random.Random) -> Sequence[Delayed]:
    """Return the delays at which the flow was not shown to stay for ever."""
    from verification.linear_rnn.escape import escape  # noqa: PLC0415 - loads numpy

    r = radius(instance)
    return [
        Delayed(delay=delay)
        for delay in training_of(instance).delays
        if not escape(plateau_at(instance, delay), r).stays
    ]


def traps(instance: LinearFunctional, _rng: random.Random) -> Sequence[Trap]:
    """Return the delays at which the condition of C7T was shown for some rho up to r."""
    r, bits = radius(instance), working_precision()
    return [
        Trap(delay=delay, radius=found)
        for delay in training_of(instance).delays
        if (found := trap_radius(plateau_at(instance, delay), r, pull, bits)) is not None
    ]


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


# Left sides


def bump_pull(instance: LinearFunctional, case: Point) -> Ball:
    """Enclose the size of the gradient of ``2 <f, rho_0>``."""
    plateau = plateau_at(instance, case.delay)
    return root(total(square(x) for x in bump_gradient(plateau, [ball(x) for x in case.offset])))


def certain_time(instance: LinearFunctional, case: Delayed, *, exponent: int = 1) -> Ball:
    """Enclose ``rho / g(rho)`` for the best rho found; a mutant squares it."""
    from verification.linear_rnn import plateau_search  # noqa: PLC0415 - loads numpy

    plateau, r = plateau_at(instance, case.delay), radius(instance)
    best = plateau_search.best_radius(plateau, r)
    return power(ball(best) / pull(plateau, best), exponent)


def certain_time_by_energy(instance: LinearFunctional, case: Delayed, *, divisor: int = 1) -> Ball:
    """Enclose ``rho^2 / K(rho)`` for the best rho found; a mutant divides K."""
    from verification.linear_rnn import plateau_search  # noqa: PLC0415 - loads numpy

    plateau, r = plateau_at(instance, case.delay), radius(instance)
    best = plateau_search.best_energy_radius(plateau, r)
    return divisor * ball(best * best) / energy_gain(plateau, best)


def learned(instance: LinearFunctional, case: Delayed) -> Ball:
    """Enclose ``J(th0) - J`` at the last time at which the flow is known to be in the ball.

    Raises
    ------
    NotEnclosed
        Where that is the start: nothing would be said of the flow.
    """
    from verification.linear_rnn.escape import escape  # noqa: PLC0415 - loads numpy

    plateau = plateau_at(instance, case.delay)
    last = escape(plateau, radius(instance)).moments[-1]
    if not last.time:
        raise NotEnclosed(NOT_FOLLOWED)
    return drop(plateau, [ball(x) + symmetric(last.error) for x in last.offset])


def reach_for_ever(instance: LinearFunctional, case: Delayed) -> Between:
    """Enclose the largest distance from the start of all times."""
    from verification.linear_rnn.escape import escape  # noqa: PLC0415 - loads numpy

    found = escape(plateau_at(instance, case.delay), radius(instance))
    if not found.stays:
        raise NotEnclosed("the flow was followed for some time only")
    return found.reach


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


def time_of_escape(instance: LinearFunctional, case: Delayed) -> Between:
    """Enclose the time at which the flow leaves the ball.

    Raises
    ------
    NotEnclosed
        Where nothing is known of it.
    """
    from verification.linear_rnn.escape import escape  # noqa: PLC0415 - loads numpy

    found = escape(plateau_at(instance, case.delay), radius(instance))
    if not found.inside_until and found.outside_at is None:
        raise NotEnclosed(NOT_FOLLOWED)
    upper = exact_ball(float("inf")) if found.outside_at is None else ball(found.outside_at)
    return Between(ball(found.inside_until), upper)


def learnable(instance: LinearFunctional, case: Delayed, *, factor: int = 2) -> Ball:
    """Enclose ``r g(r)``; a mutant leaves out the factor 2 in g."""
    r = radius(instance)
    return ball(r) * pull(plateau_at(instance, case.delay), r, factor=factor)


def trapping_radius(_instance: LinearFunctional, case: Trap) -> Ball:
    """Return the least rho found for which the condition of C7T was shown."""
    return ball(case.radius)


def trapping_radius_of_the_stiffest(instance: LinearFunctional, case: Trap) -> Ball:
    """Divide the pull by the greatest stiffness at the start in place of the least."""
    plateau = plateau_at(instance, case.delay)
    return pull(plateau, case.radius) / stiffnesses(plateau)[-1]


# The figures


def escape_figure(instance: LinearFunctional) -> Figure:
    """Draw the time of escape and both bounds of it against the delay."""
    cases = escapes(instance, random.Random(0))
    times = [(case.delay, time_of_escape(instance, case)) for case in cases]
    known = [(delay, time) for delay, time in times if time.upper.is_finite()]
    series = [
        Series.of(
            name,
            [(case.delay, bound(instance, case)) for case in cases],
            guarantee=Guarantee.LOWER,
            kind=Kind.BOUND,
        )
        for name, bound in (
            ("C7: max ρ/g(ρ)", certain_time),
            ("C7E: max ρ²/K(ρ)", certain_time_by_energy),
        )
    ]
    return Figure(
        title="How long gradient flow stalls before a late bump",
        description=(
            "The time at which gradient flow leaves the ball of radius r around its start, against "
            "the delay S of what is left to learn, one over the memory's rate. The true time is "
            "enclosed by a validated flow; the bounds are the theorem's. Delays at which the flow "
            "is proved to stay for ever are left out."
        ),
        x=Axis(label="delay S of the bump"),
        y=Axis(label="time t of gradient flow", scale=Scale.LOG),
        series=(
            Series.of("time of escape", known, guarantee=Guarantee.ENCLOSURE),
            *series,
        ),
    )


def loss_figure(instance: LinearFunctional) -> Figure:
    """Draw the loss along the flow, beyond its escape, at the first delays."""
    from verification.linear_rnn.escape import escape  # noqa: PLC0415 - loads numpy

    start = start_loss(instance)
    far = _FAR * max(rates_of(instance))
    series = []
    for delay in training_of(instance).delays[:_DRAWN_DELAYS]:
        plateau = plateau_at(instance, delay)
        curve = []
        for moment in escape(plateau, far).moments[1:]:
            at = [ball(x) + symmetric(moment.error) for x in moment.offset]
            share = 1 - drop(plateau, at) / ball(start)
            if lower_double(share) > 0 and upper_double(ball_radius(share)) < _DRAWN_ERROR:
                curve.append((moment.time, share))
        series.append(Series.of(f"S = {shown(delay, 4)}", curve, guarantee=Guarantee.ENCLOSURE))
    return Figure(
        title="The loss has a plateau",
        description=(
            "The loss along gradient flow relative to that at the start, J / J(θ₀), enclosed by a "
            "validated flow that is followed until it settles or is no longer known well enough. "
            "It stays where it was for a time that grows exponentially with the delay S of what is "
            "left to learn, and then falls within a short one."
        ),
        x=Axis(label="time t of gradient flow", scale=Scale.LOG),
        y=Axis(label="J / J(θ₀)"),
        series=tuple(series),
    )


# The claims

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
STAYS = Vacuity(
    reason="the flow is proved to stay in the ball for ever, at each of the delays: see C7T",
    holds=stays_for_ever,
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
AVOIDABLE = Constant(
    symbol="avoidable",
    meaning=(
        "how much lower than anywhere on the plateau the loss of a network found by a search is, "
        "at the last delay; negative where none was found"
    ),
    formula="J0 − r g(r) − J(θ₁)",
    value=avoidable,
)
SETTING = (
    "f = Σᵢ aᵢ exp(−wᵢt) is the target at θ₀ = (a*, w*), but for a bump ρ₀ of height h on "
    "[S, S + l], and is trained from there by gradient flow of J = ∫ (f − target)². "
)
FOLLOWED = (
    "CERTIFIED: for the gradient flow of this set-up, which is enclosed, at each delay at which it "
    "leaves the ball. Where it is proved to stay for ever, there is no such case."
)
PAPER = "after Li, Han, E and Li (JMLR 23(42), theorem 10); bound and proof are this project's"

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

C7: Claim[LinearFunctional, Delayed] = Claim(
    id="C7",
    theorem="training_plateau",
    title="Gradient flow stalls for a time exponential in the delay",
    statement=(
        f"{SETTING}It stays within r of θ₀ up to the time max ρ/g(ρ), 0 < ρ ≤ r, with g of C7G."
    ),
    formula=(
        r"\max_{0 < \varrho \le r} \frac{\varrho}{g(\varrho)} \le "
        r"\inf \{t : |\theta(t) - \theta_0| > r\}"
    ),
    kind=SCHEMA,
    assumptions=ASSUMPTIONS,
    vacuities=(NO_BUMP, STAYS),
    constants=(SIZE, PULL),
    cases=escapes,
    left=certain_time,
    right=time_of_escape,
    proof="|e|² ≤ τ ∫|θ′|² = τ (J(θ₀) − J) ≤ τ g(|e|) |e| for e = θ(τ) − θ₀.",
    establishes=FOLLOWED,
    source=PAPER,
    uses=("C7G",),
    searched=("left",),
    sharp=("sharp-plateau",),
    figures=(
        Drawing(
            name="escape",
            draw=escape_figure,
            on=("plateau-from-nothing", "plateau-spare-unit", "plateau-trapped"),
        ),
    ),
    mutants=(
        Mutant(
            name="time-squared",
            error="the time squared",
            refuted_on=("plateau-opposite-units",),
            left=partial(certain_time, exponent=2),
        ),
    ),
)

C7E: Claim[LinearFunctional, Delayed] = Claim(
    id="C7E",
    theorem="training_plateau",
    title="A network that forgets the bump has little to gain from it",
    statement=(
        f"{SETTING}It stays within r of θ₀ up to the time max ρ²/K(ρ), 0 < ρ ≤ r, with "
        "K = h²l inf_s exp(−2sS) (L/(L − s)) Σ_{k<n} ((L + s)/(L − s))^{2k}, L = min w* − ρ, and n "
        "the number of exponentials of f and of the target without the bump."
    ),
    formula=(
        r"\max_{0 < \varrho \le r} \frac{\varrho^2}{K(\varrho)} \le "
        r"\inf \{t : |\theta(t) - \theta_0| > r\}"
    ),
    kind=SCHEMA,
    assumptions=ASSUMPTIONS,
    vacuities=(NO_BUMP, STAYS),
    constants=(SIZE, LOSS),
    cases=escapes,
    left=certain_time_by_energy,
    right=time_of_escape,
    proof=(
        "J(θ₀) − J is at most the squared norm of the projection of ρ₀ on n exponentials with "
        "rates of at least L; in an orthonormal basis of them, weigh with exp(st)."
    ),
    establishes=FOLLOWED,
    source="this project",
    searched=("left",),
    sharp=("sharp-plateau-energy",),
    mutants=(
        Mutant(
            name="half-the-gain",
            error="K divided by 2, as if the loss were half the integral",
            refuted_on=("sharp-plateau-energy",),
            left=partial(certain_time_by_energy, divisor=2),
        ),
    ),
)

C7L: Claim[LinearFunctional, Delayed] = Claim(
    id="C7L",
    theorem="training_plateau",
    title="The loss stays where it was",
    statement=f"{SETTING}While it is within r of θ₀, J(θ₀) − J ≤ r g(r), with g of C7G.",
    formula=r"J(\theta_0) - J(\theta(t)) \le r \, g(r)",
    kind=SCHEMA,
    assumptions=ASSUMPTIONS,
    vacuities=(NO_BUMP, STAYS),
    constants=(SIZE, LOSS, PULL, AVOIDABLE),
    cases=escapes,
    left=learned,
    right=learnable,
    proof="J(θ₀) − J = 2⟨f − ρ̄, ρ₀⟩ − ∥f − ρ̄∥²; the mean value theorem and C7G.",
    establishes=(
        "CERTIFIED: at the last moment at which the flow is known to be in the ball, when J is "
        "least."
    ),
    source="this project",
    uses=("C7G",),
    searched=("left", "avoidable"),
    sharp=("sharp-plateau",),
    figures=(
        Drawing(name="loss", draw=loss_figure, on=("plateau-from-nothing", "plateau-spare-unit")),
    ),
    mutants=(
        Mutant(
            name="half-the-pull",
            error="the factor 2 in g dropped",
            refuted_on=("sharp-plateau",),
            right=partial(learnable, factor=1),
        ),
    ),
)

C7T: Claim[LinearFunctional, Trap] = Claim(
    id="C7T",
    theorem="training_plateau",
    title="Without a spare unit, gradient flow is trapped for ever",
    statement=(
        f"{SETTING}If e·∇L(θ₀ + e) > g(ρ) ρ for all |e| = ρ, with L the loss against the target "
        "without the bump and g of C7G, it stays within ρ of θ₀ for ever."
    ),
    formula=(
        r"\min_{|e| = \varrho} e \cdot \nabla L(\theta_0 + e) > \varrho \, g(\varrho) "
        r"\;\Rightarrow\; \sup_t |\theta(t) - \theta_0| \le \varrho"
    ),
    kind=SCHEMA,
    assumptions=ASSUMPTIONS,
    vacuities=(NO_BUMP,),
    constants=(SIZE, PULL),
    cases=traps,
    left=reach_for_ever,
    right=trapping_radius,
    proof="(|e|²)′/2 = −e·∇J ≤ |e| g(|e|) − e·∇L: on the sphere |e| = ρ the flow points inward.",
    establishes=(
        "CERTIFIED: for all times, at each delay at which the condition was shown for some ρ ≤ r. "
        "Where it was for none, there is no case: with a spare unit there is none."
    ),
    source="this project",
    uses=("C7G",),
    searched=("right",),
    sharp=("sharp-trap",),
    mutants=(
        Mutant(
            name="stiffest-direction",
            error="the greatest stiffness in place of the least",
            refuted_on=("sharp-trap",),
            right=trapping_radius_of_the_stiffest,
        ),
    ),
)

CLAIMS: tuple[AnyClaim, ...] = (C7G, C7, C7E, C7L, C7T)
