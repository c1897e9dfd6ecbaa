"""What a claim is: statement, assumptions, both sides, sharp instances, mutants.

A claim is decided *case by case*: it holds on an instance if ``left <= right``, or for an identity
``left = right``, in each case (each state, each word, each pair of functions ...).  The functions
named here are module-level functions, so that a claim can be sent to another process.  Nothing here
knows what an instance contains.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Generic, TypeAlias, TypeVar

from verification.enclosure.balls import Ball, Between
from verification.figure import Figure
from verification.statistics.simulation import Simulation
from verification.verdict import EvidenceKind, Relation, Truth

Inst = TypeVar("Inst")
C = TypeVar("C")

Number: TypeAlias = Fraction | Ball
"""A rational, or a ball at the current working precision."""

Enclosed: TypeAlias = Number | Between
"""A number, or one that is known to lie between two others."""

Side: TypeAlias = Enclosed | Simulation
"""One side of a claim: an enclosed number, or one of which only random draws are known."""


@dataclass(frozen=True, kw_only=True)
class Assumption(Generic[Inst]):
    """A hypothesis of the theorem.

    Parameters
    ----------
    text : str
        What must hold, such as ``q < 1``.
    holds : callable
        Maps an instance to a `Truth` at the current precision.
    offending : callable
        Maps an instance to the value to show where it fails, such as ``q = 1.2``.
    """

    text: str
    holds: Callable[[Inst], Truth]
    offending: Callable[[Inst], str]


@dataclass(frozen=True, kw_only=True)
class Constant(Generic[Inst]):
    """A constant of the theorem, with its symbol, meaning, formula and value on an instance."""

    symbol: str
    meaning: str
    formula: str
    value: Callable[[Inst], Enclosed]

    def __post_init__(self) -> None:
        # The symbol is the header of the constant's row: nobody is told what a blank one heads.
        if not self.symbol.strip():
            raise ValueError(f"a constant has no symbol: {self.meaning}")


@dataclass(frozen=True, kw_only=True)
class Vacuity(Generic[Inst]):
    """A reason for which the claim is true of nothing; `holds` is exact, never a guess."""

    reason: str
    holds: Callable[[Inst], bool]


@dataclass(frozen=True, kw_only=True)
class Mutant(Generic[Inst, C]):
    """The same claim made false on purpose by a plausible error.

    Parameters
    ----------
    name : str
        Short identifier within the claim.
    error : str
        The error, in words.
    refuted_on : tuple of str
        Gallery instances on which it is tried; it must be REFUTED on at least one.
    left, right : callable, optional
        What replaces the claim's own side.
    """

    name: str
    error: str
    refuted_on: tuple[str, ...]
    left: Callable[[Inst, C], Side] | None = None
    right: Callable[[Inst, C], Side] | None = None


@dataclass(frozen=True, kw_only=True)
class Dispute:
    """That a claim is a published statement which this project refutes.

    Parameters
    ----------
    refuted_on : tuple of str
        Gallery instances on which it is REFUTED; any other outcome there is a fault.
    corrected_by : str
        Id of the claim that holds in its place.
    reading : str
        What is wrong with it and what is not, in a paragraph for its authors.
    with_constant : callable, optional
        Given where the statement has a constant that it leaves open: what becomes of it with any
        positive value of the constant.
    constant : Fraction, optional
        The value that was asked for; None where the claim has its own.
    """

    refuted_on: tuple[str, ...]
    corrected_by: str
    reading: str
    with_constant: Callable[[Fraction], Restated] | None = None
    constant: Fraction | None = None


@dataclass(frozen=True, kw_only=True)
class Restated:
    """A disputed claim with a given constant.

    Parameters
    ----------
    claim : Claim
        Of the same id.
    instances : tuple
        On which it is refuted.
    """

    claim: AnyClaim
    instances: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Drawing(Generic[Inst]):
    """How a figure beside the claim is computed.

    Parameters
    ----------
    name : str
        Short identifier within the claim.
    draw : callable
        Maps an instance to a `Figure`, at the current precision; a number that it cannot enclose,
        or any other failure, costs the figure and nothing else.  It runs in the process that has
        just decided the claim on this instance, whose caches it finds filled.
    on : tuple of str
        Gallery instances on which it is drawn.
    suits : callable, optional
        Tells of which other instances it is drawn too.
    joined : bool
        Whether there is one figure for all instances, each of which contributes its points to the
        series of one name; otherwise there is one for each.
    """

    name: str
    draw: Callable[[Inst], Figure]
    on: tuple[str, ...] = ()
    suits: Callable[[Inst], bool] | None = None
    joined: bool = False

    def is_for(self, instance: Any) -> bool:  # noqa: ANN401 - what an instance is, claims know
        """Tell whether it is drawn on an instance."""
        return instance.name in self.on or (self.suits is not None and self.suits(instance))


@dataclass(frozen=True, kw_only=True)
class Claim(Generic[Inst, C]):
    """A statement that a machine decides on a concrete instance.

    Parameters
    ----------
    id : str
        Stable identifier, such as ``M1``.
    theorem : str
        The theorem module it belongs to.
    title, statement : str
        In words; `statement` may use Unicode mathematics.
    formula : str
        The inequality in LaTeX.
    kind : str
        Schema of the instances that it is about, such as ``instance/1``.
    assumptions, constants, vacuities, mutants : tuple
    cases : callable
        ``(instance, rng) -> cases``; `rng` is seeded by run seed, claim and instance, and is
        the only permitted source of randomness.
    left, right : callable
        ``(instance, case) -> side``, by separate code that shares no intermediate result; at
        most one of the two sides of a case is a `Simulation`.
    trivial : callable, optional
        A bound on the left side that holds without the theorem; a case in which the right side
        is no smaller is vacuous.  An identity has none.
    sharp : tuple of str
        Gallery instances on which the claim is nearly an equality.
    uses : tuple of str
        Claims that the proof uses.
    evidence : EvidenceKind
        By what means it is decided; a claim with a side that is a `Simulation` must say so.
    relation : Relation
        Whether it is an inequality or an identity.
    searched : tuple of str
        ``left``, ``right`` or symbols of constants: those numbers that are taken where double
        precision found a good place, or are errors of doubles.  Another processor, or a better
        search, makes them other numbers: runs are not compared by them.
    disputed : Dispute, optional
        Given where the claim is not held to be true: REFUTED is then what is expected.
    proof : str
        The proof in a few lines.
    establishes : str
        What each verdict does and does not establish.
    source : str
        Paper and section, or "this project".
    figures : tuple of Drawing
        What the report draws beside it.
    """

    id: str
    theorem: str
    title: str
    statement: str
    formula: str
    kind: str
    cases: Callable[[Inst, random.Random], Sequence[C]]
    left: Callable[[Inst, C], Side]
    right: Callable[[Inst, C], Side]
    proof: str
    establishes: str
    source: str
    sharp: tuple[str, ...]
    mutants: tuple[Mutant[Inst, C], ...]
    assumptions: tuple[Assumption[Inst], ...] = ()
    constants: tuple[Constant[Inst], ...] = ()
    vacuities: tuple[Vacuity[Inst], ...] = ()
    trivial: Callable[[Inst, C], Enclosed] | None = None
    uses: tuple[str, ...] = ()
    evidence: EvidenceKind = EvidenceKind.BALLS
    relation: Relation = Relation.AT_MOST
    searched: tuple[str, ...] = ()
    disputed: Dispute | None = None
    figures: tuple[Drawing[Inst], ...] = ()

    def __post_init__(self) -> None:
        if self.relation is Relation.EQUAL and self.trivial is not None:
            raise ValueError(f"claim {self.id} is an identity, which no bound makes trivial")

    def mutated(self, mutant: Mutant[Inst, C]) -> Claim[Inst, C]:
        """Return the claim with the mutant's side in place of its own, under the same id."""
        return dataclasses.replace(
            self, left=mutant.left or self.left, right=mutant.right or self.right
        )


AnyClaim: TypeAlias = Claim[Any, Any]
