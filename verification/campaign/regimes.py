"""Regimes: in which corner of the space of instances an instance lies.

An instance has one *cell* on each axis, such as ``chain: reversible`` or ``q: from 0.9 to 1``.  A
campaign keeps the tightest instance of each claim and cell, and says which cells no instance
reached.  Axes are taken one by one: of all combinations most are empty, and their number would
bound neither the disk nor what one can read.

All is exact but the strength of the memory: q is taken as ``s1 E|B|`` with the triangle
inequality's s1, which for a mixture may lie above the true one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeAlias

from verification import instance as first_kind
from verification import linear_functional as second_kind
from verification.instance import FAMILIES, ActivationSpec, AtomicLaw, Chain, Instance, Law
from verification.linear_functional import PARTS, Exponential, LinearFunctional, kind_of
from verification.markov.chain import (
    communicating_classes,
    dobrushin_coefficient,
    is_reversible,
    period,
)
from verification.recurrent.law import mean_absolute_b
from verification.recurrent.memory import has_zero_memory
from verification.subject import Subject

Cells: TypeAlias = tuple[str, ...]
"""The cell of an instance on each axis of its kind."""

# The largest slope of each family, rounded up.
SLOPES = {
    "tanh": Fraction(1),
    "logistic": Fraction(1, 4),
    "erf": Fraction(1129, 1000),
    "arctan": Fraction(1),
    "sin": Fraction(1),
}
NEARLY = Fraction(1, 50)
"""Transitions less likely than this, relative to the likeliest of their row, are the leaks of a
nearly periodic or nearly reducible chain."""

_CHAINS = (
    "one state",
    "reducible",
    "periodic",
    "nearly reducible",
    "nearly periodic",
    "reversible",
    "not reversible",
)
_GAPS = ("0", "below 1e-6", "1e-6 to 1e-3", "1e-3 to 0.1", "0.1 to 0.5", "0.5 to 1", "1")
_STRENGTHS = (
    "0",
    "below 0.01",
    "0.01 to 0.1",
    "0.1 to 0.5",
    "0.5 to 0.9",
    "0.9 to 0.999",
    "0.999 to 1",
    "1",
    "above 1",
)
_LAWS = ("constant", "uniform", "normal", "atoms")
_NUMBERS = ("1", "2", "3 or more")
_TRAININGS = ("none", "beta below 0.6", "beta 0.6 to 0.8", "beta 0.8 or more")
_MEMORIES = ("zero", "moves")
_TARGETS = ("zero", *PARTS, "sum")
_BUMPS = ("none", "no network", "spare unit", "no spare unit")
_DELAYS = ("none", "below 1", "1 to 4", "4 to 8", "8 or more")
_NETWORKS = ("none", *(f"width {number}" for number in _NUMBERS))


def cells(subject: Subject) -> Cells:
    """Return the cell of an instance on each axis, such as ``q: 0.5 to 0.9``."""
    return tuple(f"{axis}: {find(subject)}" for axis, (find, _) in _AXES[subject.schema].items())


def all_cells(schema: str) -> Cells:
    """Return the cells of all axes of a kind of instances; of an unknown kind there are none."""
    axes = _AXES.get(schema, {})
    return tuple(f"{axis}: {value}" for axis, (_, values) in axes.items() for value in values)


def described(subject: Subject) -> str:
    """Return a name for an instance that says its kind of chain, activation and law, or target."""
    axes = _AXES[subject.schema]
    return ", ".join(
        axes[axis][0](subject) for axis in ("chain", "activation", "law", "target") if axis in axes
    )


def _chain(subject: Instance) -> str:
    return _kind_of_chain(subject.chain)


@lru_cache(maxsize=256)
def _kind_of_chain(chain: Chain) -> str:
    if chain.n_states == 1:
        return "one state"
    likely = _without_leaks(chain)
    for prefix, looked_at in (("", chain), ("nearly ", likely)):
        recurrent = [found for found in communicating_classes(looked_at) if found.recurrent]
        if len(recurrent) > 1:
            return f"{prefix}reducible"
        if period(looked_at, recurrent[0]) > 1:
            return f"{prefix}periodic"
    # A transient state has no detailed balance to keep.
    irreducible = len(communicating_classes(chain)) == 1
    return "reversible" if irreducible and is_reversible(chain) else "not reversible"


def _without_leaks(chain: Chain) -> Chain:
    """Return the graph of the likely transitions, as a chain whose rows need not sum to 1."""
    rows = tuple(
        tuple((j, p) for j, p in row if p >= NEARLY * max(value for _, value in row))
        for row in chain.rows
    )
    return Chain(rows=rows, inputs=chain.inputs, targets=chain.targets, initial=chain.initial)


def _gap(subject: Instance) -> str:
    return _gap_of(subject.chain)


@lru_cache(maxsize=256)
def _gap_of(chain: Chain) -> str:
    gap = 1 - dobrushin_coefficient(chain)
    if gap in {0, 1}:
        return str(gap)
    bounds = (Fraction(1, 10**6), Fraction(1, 1000), Fraction(1, 10), Fraction(1, 2))
    return _GAPS[1 + sum(gap >= bound for bound in bounds)]


def _family(subject: Instance) -> str:
    return subject.activation.label


def _law(subject: Instance) -> str:
    law: Law = subject.law
    return "atoms" if isinstance(law, AtomicLaw) else type(law.w).__name__.lower()


def _number(count: int) -> str:
    return _NUMBERS[min(count, len(_NUMBERS)) - 1]


def _dimension(subject: Instance) -> str:
    return _number(subject.chain.dimension)


def slope_upper(spec: ActivationSpec) -> Fraction:
    """Return an upper bound of the largest slope of an activation."""
    return sum(
        (abs(term.weight * term.scale) * SLOPES[term.of] for term in spec.terms), Fraction(0)
    )


def _strength(subject: Instance) -> str:
    q = slope_upper(subject.activation) * mean_absolute_b(subject.law)
    if q in {0, 1}:
        return str(q)
    bounds = tuple(Fraction(text) for text in ("0.01", "0.1", "0.5", "0.9", "0.999"))
    return "above 1" if q > 1 else _STRENGTHS[1 + sum(q >= bound for bound in bounds)]


def _memory(subject: Instance) -> str:
    return "zero" if has_zero_memory(subject) else "moves"


def _training(subject: Instance) -> str:
    if subject.training is None:
        return "none"
    return _TRAININGS[1 + sum(subject.training.beta >= Fraction(bound) for bound in ("0.6", "0.8"))]


def _target(subject: LinearFunctional) -> str:
    parts = [part for channel in subject.target for part in channel]
    if not parts:
        return "zero"
    if len(parts) > 1:
        return "sum"
    return kind_of(parts[0])


def _channels(subject: LinearFunctional) -> str:
    return _number(subject.channels)


def _network(subject: LinearFunctional) -> str:
    return "none" if subject.network is None else f"width {_number(subject.network.width)}"


def _bump(subject: LinearFunctional) -> str:
    """Tell whether one of the units in training has nothing to do, or a twin."""
    if subject.training is None:
        return "none"
    parts = [part for channel in subject.target for part in channel]
    units = [p for p in parts if isinstance(p, Exponential) and not (p.power or p.frequency)]
    if subject.channels > 1 or not units or len(units) < len(parts):
        return "no network"
    spare = len({unit.rate for unit in units}) < len(units) or not all(
        unit.coefficient for unit in units
    )
    return "spare unit" if spare else "no spare unit"


def _delay(subject: LinearFunctional) -> str:
    """Return the longest delay, in units of one over the least rate."""
    if subject.training is None:
        return "none"
    rates = [p.rate for ps in subject.target for p in ps if isinstance(p, Exponential)]
    delay = subject.training.delays[-1] * min(rates, default=Fraction(1))
    return _DELAYS[1 + sum(delay >= bound for bound in (1, 4, 8))]


# Each axis: its cell of an instance, and all its cells.
_AXES: dict[str, dict[str, tuple[Callable[[Any], str], Sequence[str]]]] = {
    first_kind.SCHEMA: {
        "chain": (_chain, _CHAINS),
        "1 - delta": (_gap, _GAPS),
        "activation": (_family, (*FAMILIES, "mixture")),
        "law": (_law, _LAWS),
        "dimension": (_dimension, _NUMBERS),
        "q": (_strength, _STRENGTHS),
        "memory": (_memory, _MEMORIES),
        "training": (_training, _TRAININGS),
    },
    second_kind.SCHEMA: {
        "target": (_target, _TARGETS),
        "channels": (_channels, _NUMBERS),
        "network": (_network, _NETWORKS),
        "bump": (_bump, _BUMPS),
        "delay": (_delay, _DELAYS),
    },
}
