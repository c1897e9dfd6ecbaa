"""The numbers of an instance that enter the bound of `recurrent.explicit_bound`, in balls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verification.certificate.check.markov.chains import Chain, oscillation
from verification.certificate.check.numbers.balls import Ball, ball, between
from verification.certificate.check.recurrent.activations import constant
from verification.certificate.check.recurrent.memory import mean_absolute_b
from verification.certificate.check.recurrent.unit_means import (
    absolute_moment,
    mean_square_of_product,
)
from verification.certificate.check.recurrent.unit_suprema import Suprema
from verification.certificate.check.recurrent.units import (
    has_no_odd_moments,
    largest_feedback_weight,
    largest_output_weight,
)

_ORDERS = 7


@dataclass(frozen=True)
class Sizes:
    """What does not depend on the width.

    Parameters
    ----------
    s : tuple of Ball
        ``s_0, .., s_3``.
    r2 : Ball
        ``R^2``.
    c : tuple of Ball
        ``E|C|^j``, j = 0, .., 6.
    cbar, bbar : Ball
        The largest ``|C|`` and ``|B|``.
    mean_b, square_bc : Ball
        ``E|B|`` and ``E[B^2 C^2]``.
    is_even : bool
        Whether ``E[C | W, B] = E[C^3 | W, B] = 0``.
    y : sequence of Ball
        The targets, one a state.
    square_y, swing_y : Ball
        ``pi(y^2)`` and ``osc(y^2)``.
    delta, p : Ball
        Delta, and ``max_i (1 - sum_j P_ij^2)``.
    k : sequence of Ball
        The bounds of ``K((x_i, v), (x_i, v))``, one a state.
    a0, s_phi, d, sd_k : Ball
        The bounds of the other suprema.
    own, start : Ball
        ``K(zeta, zeta)`` and ``E[C^2 sigma^2]`` at the point.
    """

    s: tuple[Ball, ...]
    r2: Ball
    c: tuple[Ball, ...]
    cbar: Ball
    bbar: Ball
    mean_b: Ball
    square_bc: Ball
    is_even: bool
    y: Sequence[Ball]
    square_y: Ball
    swing_y: Ball
    delta: Ball
    p: Ball
    k: Sequence[Ball]
    a0: Ball
    s_phi: Ball
    d: Ball
    sd_k: Ball
    own: Ball
    start: Ball


def sizes(chain: Chain, suprema: Suprema, *, own: Ball, start: Ball) -> Sizes:
    """Return them at the working precision, for numbers that bound the suprema."""
    instance, delta = chain.instance, chain.summed_contraction()
    law, squares = instance.law, [y * y for y in instance.targets]
    chain.budget.spend(_ORDERS * 4 * len(law.atoms) + chain.size * chain.size)
    return Sizes(
        s=tuple(constant(instance.activation, order) for order in range(4)),
        r2=ball(instance.squared_radius),
        c=tuple(absolute_moment(law, order) for order in range(_ORDERS)),
        cbar=ball(largest_output_weight(instance)),
        bbar=ball(largest_feedback_weight(instance)),
        mean_b=ball(mean_absolute_b(instance)),
        square_bc=mean_square_of_product(law),
        is_even=has_no_odd_moments(law, chain.budget),
        y=[ball(y) for y in instance.targets],
        square_y=ball(chain.mean(squares)),
        swing_y=ball(oscillation(squares)),
        delta=between(delta.lower, delta.upper),
        p=ball(chain.branching()),
        k=[ball(k) for k in suprema.kernels],
        a0=ball(suprema.output),
        s_phi=ball(suprema.spread),
        d=ball(suprema.sensitivity),
        sd_k=ball(suprema.deviation),
        own=own,
        start=start,
    )
