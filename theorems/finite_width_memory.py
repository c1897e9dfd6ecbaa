r"""The memory of a network of width N follows that of the infinitely wide one.

**Setting.**  N units are drawn independently from the initial law and frozen.  Their memory is
``v^N_{k+1} = Phi^N(x_{i_k}, v^N_k)``, ``Phi^N(x, v) = (1/N) sum_j B^j sigma(W^j.x + v)``, that of
the infinitely wide network ``v_{k+1} = Phi(x_{i_k}, v_k)``, ``Phi = E Phi^N``; both are fed one
sequence of states i_0, i_1, ... and start from the same v_0.

**Assumption.**  ``qbar = s1 bbar < 1``, bbar the largest possible |B|.

**Statement.**
M6.  ``(E|v^N_k - v_k|^2)^(1/2) <= (s_Phi / sqrt N) (1 - qbar^k) / (1 - qbar)``, where
``s_Phi = max_i sup_{|v| <= vbar} sd(B sigma(W.x_i + v))``.

**Proof.**  ``v^N_{k+1} - v_{k+1} = [Phi^N(x, v^N_k) - Phi^N(x, v_k)] + [Phi^N - Phi](x, v_k)``.
The first bracket is at most ``qbar |v^N_k - v_k|`` for every draw; the second is a mean of N
independent variables about its expectation, v_k being a number: its L2 norm is ``sd / sqrt N``
exactly.  Minkowski, and the sum of a geometric series.

A limit memory that is identically zero does not make the claim vacuous: that of N units is not.

**What the verdicts establish.**  CERTIFIED: the inequality for the widths and sequences drawn, the
left side by summing over all draws of the units, grouped by how often each value comes.  SUPPORTED:
a law without few values was simulated, at the error level stated; the normal variates of numpy are
taken for normal.

Source: this project; the quantity is that of Lam, Sirignano and Spiliopoulos, arXiv 2308.14555,
section 4.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from theorems.memory_contraction import VBAR
from verification.claim import (
    AnyClaim,
    Assumption,
    Claim,
    Constant,
    Mutant,
    Number,
    Side,
    Vacuity,
)
from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    less,
    power,
    root,
    shown,
)
from verification.enclosure.numbers import times
from verification.instance import SCHEMA, Instance
from verification.markov.chain import sample_path
from verification.recurrent.activation import activation
from verification.recurrent.finite_memory import is_summable, square_distance, unit_kinds
from verification.recurrent.law import bound_b
from verification.recurrent.memory import memory_bound
from verification.recurrent.unit_spread import spread_of_units
from verification.statistics.simulation import Simulation
from verification.verdict import EvidenceKind, Truth

_WIDTHS = (2, 16, 64)
_LENGTHS = (1, 4, 30)
_DRAWN_WIDTH = 8
_DRAWN_LENGTH = 4


# Assumptions, vacuities


def every_unit_contracts(instance: Instance) -> Truth:
    """Decide ``qbar < 1``, exactly where s1 is rational."""
    q = unit_contraction(instance)
    if isinstance(q, Fraction):
        return Truth.TRUE if q < 1 else Truth.FALSE
    return less(q, ball(1))


def shown_unit_contraction(instance: Instance) -> str:
    """Return the value of qbar for a sentence."""
    return f"qbar = {shown(unit_contraction(instance), 6)}"


def has_one_unit(instance: Instance) -> bool:
    """Tell whether all units speak alike: B sigma(W.x + v) is not random at any input."""
    kinds = unit_kinds(instance.law, list(dict.fromkeys(instance.chain.inputs)))
    return bound_b(instance.law) == 0 or (kinds is not None and len(kinds) == 1)


# Constants


def unit_contraction(instance: Instance) -> Number:
    """Return ``qbar = s1 bbar``, exact where s1 is rational."""
    return times(activation(instance.activation).bound(1), bound_b(instance.law))


# Cases


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """N frozen units, fed a word."""

    width: int
    word: tuple[int, ...]

    def __str__(self) -> str:
        shown_word = ",".join(map(str, self.word[:8])) + (",..." if len(self.word) > 8 else "")
        return f"N = {self.width}, {len(self.word)} steps, word {shown_word}"


def frozen_networks(instance: Instance, rng: random.Random) -> list[Frozen]:
    """Return widths and words: those that can be summed exactly, or one that is drawn."""
    chain = instance.chain
    cases = []
    for length in _LENGTHS:
        word = sample_path(chain, chain.initial, length, rng)
        cases += [
            Frozen(width=width, word=word)
            for width in _WIDTHS
            if is_summable(instance, width, word)
        ]
    if not cases:
        word = sample_path(chain, chain.initial, _DRAWN_LENGTH, rng)
        cases.append(Frozen(width=_DRAWN_WIDTH, word=word))
    return cases


# Left sides, right sides


def distance(instance: Instance, case: Frozen) -> Side:
    """Enclose ``(E|v^N_k - v_k|^2)^(1/2)``, or draw it."""
    if is_summable(instance, case.width, case.word):
        return root(square_distance(instance, case.width, case.word))
    from verification.recurrent.finite_memory_draws import (  # noqa: PLC0415 - loads numpy
        square_distance_draws,
    )

    draws = square_distance_draws(instance, case.width, case.word)
    return Simulation(
        draw=draws,
        lower=Fraction(0),
        upper=draws.largest,
        image=root,
        error=draws.bias,
        chunk=2**13,
    )


def distance_bound(
    instance: Instance, case: Frozen, *, summed: bool = True, rooted: bool = True
) -> Between:
    """Return ``(s_Phi / sqrt N) (1 - qbar^k) / (1 - qbar)``.

    A mutant divides by nothing (`summed`), or by N (`rooted`).
    """
    q = ball(unit_contraction(instance))
    factor = 1 - power(q, len(case.word))
    if summed:
        factor = factor / (1 - q)
    width = ball(case.width)
    factor = factor / (width.sqrt() if rooted else width)
    return spread_of_units(instance).map(lambda spread: spread * factor)


def largest_distance(instance: Instance, _case: Frozen) -> Ball:
    """Return ``s0 bbar + vbar``: what bounds the distance of two memories anyway."""
    s0 = ball(activation(instance.activation).bound(0))
    return s0 * ball(bound_b(instance.law)) + ball(memory_bound(instance))


# The claim

EVERY_UNIT_CONTRACTS = Assumption(
    text="qbar < 1", holds=every_unit_contracts, offending=shown_unit_contraction
)

M6: Claim[Instance, Frozen] = Claim(
    id="M6",
    theorem="finite_width_memory",
    title="The memory of N units follows the limit",
    statement=(
        "With frozen weights and any fixed inputs, (E|v_k^N − v_k|²)^½ ≤ "
        "(s_Φ/√N) (1 − q̄^k)/(1 − q̄)."
    ),
    formula=(
        r"\left(\mathbb{E}|v_k^N - v_k|^2\right)^{1/2} \le "
        r"\frac{s_\Phi}{\sqrt N}\, \frac{1 - \bar q^k}{1 - \bar q}"
    ),
    kind=SCHEMA,
    assumptions=(EVERY_UNIT_CONTRACTS,),
    constants=(
        Constant(
            symbol="qbar",
            meaning="contraction factor of every unit",
            formula=r"\bar q = s_1 \bar b",
            value=unit_contraction,
        ),
        Constant(
            symbol="s_Phi",
            meaning="largest standard deviation of what a unit adds to the memory",
            formula=r"s_\Phi = \max_i \sup_v \mathrm{sd}(B \sigma(W \cdot x_i + v))",
            value=spread_of_units,
        ),
        VBAR,
    ),
    vacuities=(
        Vacuity(
            reason="all units add the same to the memory: nothing is random",
            holds=has_one_unit,
        ),
    ),
    cases=frozen_networks,
    left=distance,
    right=distance_bound,
    trivial=largest_distance,
    proof=(
        "One step: a difference of Φᴺ at two memories, at most q̄ times theirs for every draw, "
        "and a mean of N independent variables about its expectation. Minkowski; sum."
    ),
    establishes=(
        "CERTIFIED: the inequality for the widths and words drawn, all draws of the units summed. "
        "SUPPORTED: a law without few atoms was simulated."
    ),
    source="this project; the quantity is that of Lam, Sirignano and Spiliopoulos, section 4",
    uses=("A1", "A2"),
    evidence=EvidenceKind.SIMULATION,
    sharp=("sharp-finite-memory",),
    mutants=(
        Mutant(
            name="not-summed",
            error="the factor 1/(1 − q̄) dropped",
            refuted_on=("sharp-finite-memory",),
            right=partial(distance_bound, summed=False),
        ),
        Mutant(
            name="one-over-n",
            error="√N replaced by N",
            refuted_on=("sharp-finite-memory",),
            right=partial(distance_bound, rooted=False),
        ),
    ),
)

CLAIMS: tuple[AnyClaim, ...] = (M6,)
