"""A Hypothesis strategy for networks that are trained slowly: by small steps, far from saturation.

There a proved bound of what a finite network does lies below what it learns at all, and says
something.  An instance is drawn like any other; W and B are then made small, the activation one
that vanishes at 0, the targets at most 1, which no clip cuts off, and the step so small that a part
of the targets is learned over the horizon.  As in `verification.campaign.strategies` all of it is
decoded from one block of bytes, and the tables are in order, simplest first.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import TypeVar

from hypothesis import strategies as st

from verification.campaign.changes import with_parts
from verification.campaign.regimes import slope_upper
from verification.campaign.strategies import exact, instances
from verification.instance import (
    ActivationSpec,
    AtomicLaw,
    Chain,
    Constant,
    Instance,
    Law,
    Normal,
    Training,
    Uniform,
    Vector,
)
from verification.recurrent.law import moment_of_c

Component = TypeVar("Component", bound=Uniform | Normal | Constant)

_FAMILIES = ("tanh", "sin", "arctan", "erf")
# About the part of the targets that is learned over the horizon.
_LEARNED = exact("1/20 1/10 1/30 1/50")
_BETAS = exact("0.85 0.9 0.8 0.95")
_SHARES = exact("1/10 1/100")
_HORIZONS = exact("4 2 3 8")
_SCALES_OF_W = exact("1/100 1/1000")
_SCALES_OF_B = exact("1/10 1/100 1/20 1/3")
_BYTES = 5
_LARGEST_DENOMINATOR = 10**6


def slow_trainings() -> st.SearchStrategy[Instance]:
    """Generate instances with training constants, ``s1 max|B| < 1``, and C centred.

    Returns
    -------
    SearchStrategy
        Of chains of two or three states, in half of them independent draws, with inputs and
        targets of moderate size, and laws whose integrals are cheap.
    """
    drawn = instances(
        contracting=True,
        every_unit=True,
        centred=True,
        training=True,
        chain_kinds=("dense",),
        law_kinds=("constant", "atoms", "symmetric-atoms", "uniform"),
        dimension=1,
        max_states=3,
        moderate=True,
    )
    return st.tuples(drawn, st.binary(min_size=_BYTES, max_size=_BYTES)).map(_slowed)


def _slowed(parts: tuple[Instance, bytes]) -> Instance:
    instance, block = parts
    halves = [half for byte in block for half in (byte >> 4, byte & 15)]
    beta = _BETAS[halves[0] % 4]
    family = _FAMILIES[halves[1] % 4]
    spec = ActivationSpec.named(family)
    # The size of B was chosen for another activation.
    of_b = _SCALES_OF_B[halves[3] % 4] * slope_upper(instance.activation) / slope_upper(spec)
    law = _with_small_arguments(instance.law, _SCALES_OF_W[halves[2] % 2], of_b)
    chain, horizon = instance.chain, _HORIZONS[halves[6] % 4]
    rows = (chain.rows[0],) * chain.n_states if halves[8] % 2 else chain.rows
    return dataclasses.replace(
        instance,
        chain=dataclasses.replace(chain, rows=rows, targets=_targets(chain, halves[7] % 4)),
        name=f"slow, {family}, {instance.name}",
        activation=spec,
        law=law,
        training=Training(
            alpha=_step(_LEARNED[halves[4] % 4] / horizon, chain, law),
            beta=beta,
            gamma=_SHARES[halves[5] % 2] * (1 - beta),
            horizon=horizon,
        ),
    )


def _targets(chain: Chain, how: int) -> Vector:
    """Return targets of size 1 at most: as drawn, linear in the input, or all the same."""
    if how == 2:
        return (Fraction(1),) * chain.n_states
    values = tuple(x for (x,) in chain.inputs) if how == 1 else chain.targets
    return _times(1 / max(Fraction(1), *map(abs, values)), values)


def _step(rate: Fraction, chain: Chain, law: Law) -> Fraction:
    """Return the alpha for which ``alpha E[C^2] max |x|^2``, about the speed, is given."""
    size = moment_of_c(law, 2) * max(sum(x * x for x in point) for point in chain.inputs)
    return (rate / (size or 1)).limit_denominator(_LARGEST_DENOMINATOR)


def _with_small_arguments(law: Law, of_w: Fraction, of_b: Fraction) -> Law:
    """Return a law with W and B multiplied."""
    if isinstance(law, AtomicLaw):
        return AtomicLaw(
            atoms=tuple(
                dataclasses.replace(atom, w=_times(of_w, atom.w), b=of_b * atom.b)
                for atom in law.atoms
            )
        )
    return dataclasses.replace(law, w=_scaled(law.w, of_w), b=_scaled(law.b, of_b))


def _scaled(component: Component, factor: Fraction) -> Component:
    """Return a component multiplied by a positive factor."""

    def times(name: str) -> Vector:
        return _times(factor, getattr(component, name))

    if isinstance(component, Constant):
        return with_parts(component, value=times("value"))
    if isinstance(component, Normal):
        return with_parts(component, mean=times("mean"), std=factor * component.std)
    return with_parts(component, low=times("low"), high=times("high"))


def _times(factor: Fraction, values: Vector) -> Vector:
    return tuple(factor * x for x in values)
