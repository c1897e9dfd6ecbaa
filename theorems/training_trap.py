r"""Where training never reaches what comes late: gradient flow is trapped near its start.

**Setting.**  That of `theorems.late_bump`: a network of exponentials starts at th0, where it equals
its target rho_bar but for a late bump, which pulls at it by g(rho) at most within rho of th0.

**Statement** (C7T).  If ``e . grad L(th0 + e) > g(rho) rho`` for all ``|e| = rho``, L being the
loss against rho_bar alone, gradient flow stays within rho of th0 for ever.

**Proof.**  With ``e = th - th0``, ``(|e|^2)' / 2 = -e . grad J <= |e| g(|e|) - e . grad L``: on the
sphere ``|e| = rho`` the flow points inward.

**How it is checked.**  The flow is followed as in `theorems.training_plateau`, until it is proved
to have settled.  The stiffness, ``e . grad L / rho^2``, is evaluated on the whole circle for one
unit, by the gradient of the loss, which the flow follows too; for more it is the least eigenvalue
of the exact second derivatives at th0 less a bound of third ones, which is used for the flow too.
Nothing else is shared between sides.

**What the verdicts establish.**  CERTIFIED: for all times, at each of the delays at which the
condition was shown for some rho up to r.  Where it was for none, there is no case.

Source: this project.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from theorems.late_bump import ASSUMPTIONS, NO_BUMP, PULL, SETTING, SIZE, Delayed, pull, radius
from verification.claim import (
    AnyClaim,
    Claim,
    Mutant,
)
from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    working_precision,
)
from verification.errors import NotEnclosed
from verification.linear_functional import SCHEMA, LinearFunctional
from verification.linear_rnn.plateau import (
    plateau_at,
    training_of,
)
from verification.linear_rnn.trap import stiffnesses, trap_radius

# Cases


@dataclass(frozen=True, kw_only=True)
class Trap(Delayed):
    """The bump at one delay, and the least rho found for which the condition of C7T was shown."""

    radius: Fraction


def traps(instance: LinearFunctional, _rng: random.Random) -> Sequence[Trap]:
    """Return the delays at which the condition of C7T was shown for some rho up to r."""
    r, bits = radius(instance), working_precision()
    return [
        Trap(delay=delay, radius=found)
        for delay in training_of(instance).delays
        if (found := trap_radius(plateau_at(instance, delay), r, pull, bits)) is not None
    ]


# Left side


def reach_for_ever(instance: LinearFunctional, case: Delayed) -> Between:
    """Enclose the largest distance from the start of all times."""
    from verification.linear_rnn.escape import escape  # noqa: PLC0415 - loads numpy

    found = escape(plateau_at(instance, case.delay), radius(instance))
    if not found.stays:
        raise NotEnclosed("the flow was followed for some time only")
    return found.reach


# Right side, and that of the mutant


def trapping_radius(_instance: LinearFunctional, case: Trap) -> Ball:
    """Return the least rho found for which the condition of C7T was shown."""
    return ball(case.radius)


def trapping_radius_of_the_stiffest(instance: LinearFunctional, case: Trap) -> Ball:
    """Divide the pull by the greatest stiffness at the start in place of the least."""
    plateau = plateau_at(instance, case.delay)
    return pull(plateau, case.radius) / stiffnesses(plateau)[-1]


# The claim

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

CLAIMS: tuple[AnyClaim, ...] = (C7T,)
