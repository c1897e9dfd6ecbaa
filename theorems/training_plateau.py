r"""The training plateau: gradient flow stalls where the target differs by what comes late.

**Setting.**  That of `theorems.late_bump`: a network ``f(t) = sum_i a_i exp(-w_i t)`` is trained by
gradient flow of ``J = int (f - rho)^2`` from th0, where it equals its target but for a bump rho_0,
of size h on ``[S, S + l]``; within rho of th0 the bump pulls at it by g(rho) at most.

**Statements,** for ``0 < r < min w*``.
C7.   The flow stays within r of th0 up to the time ``max_{0 < rho <= r} rho / g(rho)``: with rho
about 1/S this grows like ``exp(S min w*)``.
C7E.  It does up to ``max_rho rho^2 / K(rho)``, with
``K = h^2 l inf_{0 <= s < L} exp(-2 s S) (L/(L - s)) sum_{k < n} ((L + s)/(L - s))^(2k)``,
``L = min w* - rho`` and n the number of exponentials of f and rho_bar together: like
``exp(2 S min w*)``.
C7L.  While it does, ``J >= h^2 l - r g(r)``: of the loss at the start, hardly anything is learned.

**Proof.**  Let e = th - th0.  ``J(th0) - J = 2 <f - rho_bar, rho_0> - ||f - rho_bar||^2 <= g(|e|)
|e|``: this is C7L.  When ``|e| = rho`` for the first time, at the time tau, ``rho^2 <= tau int
|th'|^2 = tau (J(th0) - J) <= tau g(rho) rho``: C7.  C7E: ``J(th0) - J <= <q, rho_0>^2 / ||q||^2``,
q = f - rho_bar, at most the squared norm of the projection of rho_0 on n exponentials of rates at
least L.  In their orthonormal basis with the transforms
``(2 w_k)^(1/2) / (p + w_k) prod_{j<k} (p - w_j)/(p + w_j)`` the weighted norms are
``||exp(s t) phi_k||^2 <= (L/(L - s)) ((L + s)/(L - s))^(2k)`` (Plancherel on ``Re p = -s``), and
``||exp(-s t) rho_0|| <= exp(-s S) ||rho_0||``.  No step needs convexity.

**How it is checked.**  The flow is followed by collocation in doubles, and how near it is to the
polynomials that come out is proved in balls (`verification.linear_rnn.escape`): the time of escape
is enclosed, or that there is none is proved.  The bounds are computed from primitives of
exponentials, for radii rho that are searched for in doubles; any rho gives a bound.  Nothing is
shared between sides, and both are tested against differences of the loss.

**What the verdicts establish.**  CERTIFIED: for the flow of this set-up, at each of the delays at
which it was not shown to stay.  Where no delay has an escape, there is no case.

Source: the plateau is that of Li, Han, E and Li, *On the Curse of Memory in Recurrent Neural
Networks*, arXiv 2009.07799, section 5 (JMLR 23(42), theorem 10); bounds and proofs are this
project's.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from functools import partial

from theorems.late_bump import (
    ASSUMPTIONS,
    LOSS,
    NO_BUMP,
    PULL,
    SETTING,
    SIZE,
    Delayed,
    pull,
    radius,
    start_loss,
)
from verification.claim import (
    AnyClaim,
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
    shown,
    square,
    symmetric,
    total,
    upper_double,
)
from verification.enclosure.balls import radius as ball_radius
from verification.errors import NotEnclosed
from verification.figure import Axis, Figure, Guarantee, Kind, Scale, Series
from verification.linear_functional import SCHEMA, LinearFunctional
from verification.linear_rnn.plateau import (
    Plateau,
    drop,
    plateau_at,
    rates_of,
    training_of,
)

NOT_FOLLOWED = (
    "the flow cannot be followed from its start: its numbers lead beyond the range of doubles, or "
    "its first step is not proved"
)

_FAR = 3
_DRAWN_DELAYS = 3
_DRAWN_ERROR = 1e-3


# Vacuity


def stays_for_ever(instance: LinearFunctional) -> bool:
    """Tell whether at each of the delays the flow is proved to stay in the ball for ever."""
    return not escapes(instance, random.Random(0))


# Constants


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


def escapes(instance: LinearFunctional, _rng: random.Random) -> Sequence[Delayed]:
    """Return the delays at which the flow was not shown to stay for ever."""
    from verification.linear_rnn.escape import escape  # noqa: PLC0415 - loads numpy

    r = radius(instance)
    return [
        Delayed(delay=delay)
        for delay in training_of(instance).delays
        if not escape(plateau_at(instance, delay), r).stays
    ]


# Left sides


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


# Right sides, and that of a mutant


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

STAYS = Vacuity(
    reason="the flow is proved to stay in the ball for ever, at each of the delays: see C7T",
    holds=stays_for_ever,
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
FOLLOWED = (
    "CERTIFIED: for the gradient flow of this set-up, which is enclosed, at each delay at which it "
    "leaves the ball. Where it is proved to stay for ever, there is no such case."
)
PAPER = "after Li, Han, E and Li (JMLR 23(42), theorem 10); bound and proof are this project's"

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

CLAIMS: tuple[AnyClaim, ...] = (C7, C7E, C7L)
