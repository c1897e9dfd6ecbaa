r"""Linear networks come as near as one likes to a target that does not jump.

**Setting.**  That of `theorems.linear_networks`.

**Statement.**
C3.  For every integrable target rho and every eps > 0 there is a linear network with
``||rho - rho_hat|| <= eps``.

**Proof.**  Polynomials without constant term in ``u = exp(-t)`` are the kernels of networks with
``W = -diag(1..m)``, and dense in L1: a bounded function that is orthogonal to all ``exp(-k t)`` is
zero, as its Laplace transform has too many zeros (Lerch).

**How it is checked.**  Left: the error of one network, found in doubles, and enclosed.  Right: eps,
from 1/10 down to 10^-6, as far as a search finds networks; the cases say which were reached, and
with how many units.  Power laws are reached for all of them, by the sums of the table of C5L, and
beyond it by trapezoidal rules, with hundreds of units for long memories.

**What the verdicts establish.**  CERTIFIED: there are networks within the errors listed.  That
there are for all others is proved, not computed.  A target that jumps is INAPPLICABLE: the
statement holds for it too, but the singular values of its Hankel operator decrease like 1/k only
(C4), so that an error of eps takes some 1/eps units; the reason names a width that is certainly not
enough for 1 % of the norm.  A target that is the kernel of a network itself is VACUOUS.

Source: Li, Han, E and Li (arXiv 2009.07799), theorem 7 of the longer version, JMLR 23(42), for
linear functionals; the networks are this project's.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from verification.claim import AnyClaim, Assumption, Claim, Mutant, Vacuity
from verification.deadline import heed_deadline
from verification.enclosure.balls import (
    PRECISIONS,
    Between,
    ball,
    less,
    precision,
    working_precision,
)
from verification.errors import NotEnclosed
from verification.linear_functional import SCHEMA, LinearFunctional
from verification.linear_rnn.best_width import lower_bound, single_law
from verification.linear_rnn.distance import distance
from verification.linear_rnn.exponential_sum import distance_from_power_law
from verification.linear_rnn.pieces import BoxPiece, least_exact_width, of_parts
from verification.linear_rnn.witnesses import Witness, error_of, witness
from verification.verdict import Truth

ERRORS = tuple(Fraction(1, 10**k) for k in range(1, 7))

_TRIED_WIDTHS = (8, 6, 4, 2, 1)
_NORM_BITS = 6


# Assumptions, vacuities


def is_continuous(instance: LinearFunctional) -> Truth:
    """Tell whether no part of the target jumps, exactly."""
    pieces = [piece for parts in instance.target for piece in of_parts(parts)]
    return Truth.FALSE if any(isinstance(piece, BoxPiece) for piece in pieces) else Truth.TRUE


def shown_jumps(instance: LinearFunctional) -> str:
    """Return where it jumps, and a width that is not enough for 1 % of the norm."""
    jumps = {
        jump
        for parts in instance.target
        for piece in of_parts(parts)
        if isinstance(piece, BoxPiece)
        for jump in piece.jumps
    }
    # Not by way of doubles, which do not hold all of them.
    first = [Decimal(jump.numerator) / jump.denominator for jump in sorted(jumps)[:4]]
    where = ", ".join(f"{jump:.6g}" for jump in first)
    width = _width_too_small(instance)
    if width is None:
        return f"jumps at {where}"
    return f"jumps at {where}; no network of width {width} is within 1 % of the norm (C4)"


@lru_cache(maxsize=64)
def _width_too_small(instance: LinearFunctional) -> int | None:
    functions = tuple(of_parts(parts) for parts in instance.target)
    for width in _TRIED_WIDTHS:
        try:
            with precision(PRECISIONS[0]):
                norm = distance(instance.target, None, PRECISIONS[0], _NORM_BITS).upper
                if less(norm / 100, lower_bound(functions, width)) is Truth.TRUE:
                    return width
        except NotEnclosed:
            heed_deadline()
            continue
    return None


def is_a_kernel(instance: LinearFunctional) -> bool:
    """Tell whether the target is the kernel of a network itself, exactly."""
    return least_exact_width(instance.target) is not None


# Cases


@dataclass(frozen=True, kw_only=True)
class Within:
    """An error, and a network that is within it."""

    error: Fraction
    found: Witness

    def __str__(self) -> str:
        return f"eps = {self.error}, with {self.found.width} units"


def errors_reached(instance: LinearFunctional, _rng: random.Random) -> Sequence[Within]:
    """Return the errors that a search reaches."""
    found = [(error, witness(instance, error)) for error in ERRORS]
    return [Within(error=error, found=each) for error, each in found if each is not None]


# Sides


def network_error(instance: LinearFunctional, case: Within) -> Between:
    """Enclose ``||rho - rho_hat||``."""
    return error_of(instance, case.found)


def error_of_half_as_many(instance: LinearFunctional, case: Within) -> Between:
    """Enclose the error of a near-best network with half as many units, in a mutant."""
    functions = tuple(of_parts(parts) for parts in instance.target)
    law, width = single_law(functions), case.found.width // 2
    if law is not None and width:
        from verification.linear_rnn.power_law_search import (  # noqa: PLC0415 - loads scipy
            near_best_sum,
        )

        size, w = ball(abs(law.law.coefficient)), law.law.exponent
        return distance_from_power_law(w, near_best_sum(w, width)).map(lambda x: x * size)
    from verification.linear_rnn.near_best import near_best_network  # noqa: PLC0415

    network = near_best_network(functions, width)
    return distance(instance.target, network, working_precision(), _NORM_BITS)


def allowed(_instance: LinearFunctional, case: Within) -> Fraction:
    """Return eps."""
    return case.error


def norm_of_target(instance: LinearFunctional, _case: Within) -> Between:
    """Enclose ``||rho||``, the error of the network that says nothing."""
    return distance(instance.target, None, working_precision(), _NORM_BITS)


# The claims

CONTINUOUS = Assumption(text="the target does not jump", holds=is_continuous, offending=shown_jumps)
KERNEL = Vacuity(
    reason="the target is the kernel of a network itself: its error is 0", holds=is_a_kernel
)

C3: Claim[LinearFunctional, Within] = Claim(
    id="C3",
    theorem="linear_universality",
    title="Linear networks come as near to a target as one likes",
    statement="For every eps > 0 there is a linear network with ∥ρ − ρ̂∥ ≤ eps.",
    formula=(
        r"\forall \varepsilon > 0 \; \exists \hat\rho : "
        r"\|\rho - \hat\rho\|_{L^1} \le \varepsilon"
    ),
    kind=SCHEMA,
    assumptions=(CONTINUOUS,),
    vacuities=(KERNEL,),
    cases=errors_reached,
    left=network_error,
    right=allowed,
    trivial=norm_of_target,
    proof=(
        "Polynomials without constant term in e^{−t} are kernels of networks, and dense in L¹: a "
        "bounded function orthogonal to every e^{−kt} is zero."
    ),
    establishes=(
        "CERTIFIED: networks within the errors listed, which are those that a search reaches, down "
        "to 10⁻⁶. For all others it is proved, not computed."
    ),
    source="Li, Han, E and Li (arXiv 2009.07799; JMLR 23(42), theorem 7)",
    searched=("left",),
    sharp=("power-law-fifth",),
    mutants=(
        Mutant(
            name="half-as-many-units",
            error="networks with half as many units",
            refuted_on=("power-law-one",),
            left=error_of_half_as_many,
        ),
    ),
)

CLAIMS: tuple[AnyClaim, ...] = (C3,)
