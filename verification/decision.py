"""Deciding one claim on one instance.

Assumptions first, then vacuity, then every case at the lowest precision; the cases that are not
decided are tried again at the next one.  What is left at 1024 bits is UNDECIDED, with the reason.
A case with a simulated side is decided by drawing, as soon as the other side is known.
"""

from __future__ import annotations

import dataclasses
import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from math import inf

from verification.case import Decided, Effort, decide_case
from verification.claim import AnyClaim, Claim, Mutant
from verification.deadline import deadline as time_limit
from verification.enclosure.balls import PRECISIONS, enclosure, precision
from verification.errors import NotEnclosed
from verification.figure import Drawn
from verification.statistics.ledger import RUN_LEVEL, Ledger, level_text
from verification.subject import Subject, digest
from verification.verdict import (
    Enclosure,
    Evidence,
    EvidenceKind,
    Relation,
    Truth,
    Verdict,
    ratio_lower,
)


@dataclass(frozen=True, kw_only=True)
class Result:
    """The verdict of one claim on one instance, and what it rests on.

    Parameters
    ----------
    claim, instance : str
        Claim id and instance name.
    verdict : Verdict
    left, right : Enclosure or None
        Both sides in the decisive case: the refuted one, else the undecided one, else the
        tightest one.  None where no case was evaluated.
    case : str or None
        The decisive case, in words.
    tightness : float or None
        Lower bound of left / right in the decisive case.
    evidence : Evidence or None
    cases : dict of str to int
        Number of cases by verdict.
    constants : dict of str to Enclosure
        The theorem's constants on this instance.
    reason : str
        Why, in one sentence.
    seconds : float
    drawn : tuple of Drawn
        The claim's figures on this instance, where they were asked for.
    """

    claim: str
    instance: str
    verdict: Verdict
    reason: str
    left: Enclosure | None = None
    right: Enclosure | None = None
    case: str | None = None
    tightness: float | None = None
    evidence: Evidence | None = None
    cases: dict[str, int] = field(default_factory=dict)
    constants: dict[str, Enclosure] = field(default_factory=dict)
    seconds: float = 0.0
    drawn: tuple[Drawn, ...] = ()


_WORST_FIRST = (
    Verdict.REFUTED,
    Verdict.UNDECIDED,
    Verdict.SUPPORTED,
    Verdict.CERTIFIED,
    Verdict.VACUOUS,
)


def decide(
    claim: AnyClaim,
    instance: Subject,
    *,
    seed: int = 0,
    level: Fraction = RUN_LEVEL,
    mutant: Mutant[object, object] | None = None,
    precisions: Iterable[int] = PRECISIONS,
    deadline: float | None = None,
) -> Result:
    """Decide a claim, or one of its mutants, on an instance.

    Parameters
    ----------
    claim : Claim
    instance : Subject
        Of the kind that the claim is about.
    seed : int
        Seeds all that is drawn at random; the same seed draws the same cases and samples.
    level : Fraction
        Probability with which the verdict may be wrong where sides are simulated; the cases
        share it evenly.
    mutant : Mutant, optional
        Decide this mutant in place of the claim.
    precisions : iterable of int
        Working precisions in bits, tried in order.
    deadline : float, optional
        Value of `time.monotonic` after which no further case or precision is begun, and long
        computations are given up.

    Returns
    -------
    Result
        Never raises for a number that could not be enclosed: that is UNDECIDED.
    """
    if instance.schema != claim.kind:
        raise ValueError(f"claim {claim.id} is about {claim.kind}, not {instance.schema}")
    effort = Effort(
        precisions=tuple(precisions),
        level=level,
        seed=f"{seed}/{claim.id}/{digest(instance)}",
        deadline=deadline,
    )
    with time_limit(deadline):
        return _timed(claim if mutant is None else claim.mutated(mutant), instance, effort)[0]


def decide_with_cases(
    claim: AnyClaim, instance: Subject, *, seed: int = 0
) -> tuple[Result, list[tuple[object, Decided]]]:
    """Decide a claim as `decide` does, and return its cases too, each with what was found."""
    if instance.schema != claim.kind:
        raise ValueError(f"claim {claim.id} is about {claim.kind}, not {instance.schema}")
    effort = Effort(
        precisions=PRECISIONS,
        level=RUN_LEVEL,
        seed=f"{seed}/{claim.id}/{digest(instance)}",
        deadline=None,
    )
    return _timed(claim, instance, effort)


def _timed(
    claim: AnyClaim, instance: Subject, effort: Effort
) -> tuple[Result, list[tuple[object, Decided]]]:
    started = time.perf_counter()
    cases: list[tuple[object, Decided]] = []
    try:
        result = _decide(claim, instance, effort, cases)
    except NotEnclosed as error:
        # In an assumption or a constant; the cases and their sides say so themselves.
        result = Result(
            claim=claim.id, instance=instance.name, verdict=Verdict.UNDECIDED, reason=str(error)
        )
    return dataclasses.replace(result, seconds=time.perf_counter() - started), cases


def _decide(
    claim: AnyClaim, instance: Subject, effort: Effort, found: list[tuple[object, Decided]]
) -> Result:
    """Decide a claim; its cases are appended to `found`."""
    precisions = effort.precisions
    result = partial(Result, claim=claim.id, instance=instance.name)
    obstacle = _failed_assumption(claim, instance, precisions)
    if obstacle is not None:
        verdict, reason = obstacle
        return result(verdict=verdict, reason=reason)
    constants = _constants(claim, instance, precisions[0])
    for vacuity in claim.vacuities:
        if vacuity.holds(instance):
            return result(verdict=Verdict.VACUOUS, reason=vacuity.reason, constants=constants)
    rng = random.Random(effort.seed)
    try:
        cases = _cases(claim, instance, rng, precisions)
    except NotEnclosed as error:
        reason = f"its cases could not be set up: {error}"
        return result(verdict=Verdict.UNDECIDED, reason=reason, constants=constants)
    each = dataclasses.replace(effort, level=effort.level / max(len(cases), 1))
    found += [(case, decide_case(claim, instance, case, each)) for case in cases]
    decided = [item for _, item in found]
    if not decided:
        reason = "there is no case to check"
        return result(verdict=Verdict.VACUOUS, reason=reason, constants=constants)
    base = result(verdict=Verdict.UNDECIDED, reason="", constants=constants)
    return _collate(base, decided, claim, effort.level)


def _cases(
    claim: AnyClaim, instance: Subject, rng: random.Random, precisions: tuple[int, ...]
) -> Sequence[object]:
    state = rng.getstate()
    for bits in precisions:
        try:
            with precision(bits):
                return claim.cases(instance, rng)
        except NotEnclosed:
            if bits == precisions[-1]:
                raise
            rng.setstate(state)
    raise ValueError("no precision given")


def _failed_assumption(
    claim: AnyClaim, instance: Subject, precisions: tuple[int, ...]
) -> tuple[Verdict, str] | None:
    for assumption in claim.assumptions:
        for bits in precisions:
            with precision(bits):
                truth = assumption.holds(instance)
                if truth is Truth.FALSE:
                    value = assumption.offending(instance)
                    return Verdict.INAPPLICABLE, f"needs {assumption.text}, but {value}"
            if truth is Truth.TRUE:
                break
        else:
            with precision(precisions[-1]):
                value = assumption.offending(instance)
            return Verdict.UNDECIDED, f"cannot decide whether {assumption.text}: {value}"
    return None


def _constants(claim: AnyClaim, instance: Subject, bits: int) -> dict[str, Enclosure]:
    """Enclose the constants for the report; one that cannot be is left out of it."""
    values = {}
    for constant in claim.constants:
        with precision(bits), suppress(NotEnclosed):
            values[constant.symbol] = enclosure(constant.value(instance))
    return values


def _ratio(decided: Decided) -> float | None:
    if decided.left is None or decided.right is None:
        return None
    return ratio_lower(decided.left, decided.right)


def _severity(decided: Decided, relation: Relation) -> float:
    """Order cases of one verdict: the tightest last, beyond all where the right side is 0."""
    ratio = _ratio(decided)
    refuted = decided.verdict is Verdict.REFUTED
    if ratio is None:
        return inf if refuted else -1.0
    if refuted and relation is Relation.EQUAL:
        # An identity fails on either side of 1.
        return max(ratio, 1 / ratio) if ratio > 0 else inf
    return ratio


def _collate(base: Result, decided: list[Decided], claim: AnyClaim, level: Fraction) -> Result:
    """Combine the cases: the worst verdict, shown on its tightest case."""
    counts = Counter(item.verdict for item in decided)
    verdict = next(verdict for verdict in _WORST_FIRST if counts[verdict])
    shown = [item for item in decided if item.verdict is verdict]
    decisive = max(shown, key=partial(_severity, relation=claim.relation))
    return dataclasses.replace(
        base,
        verdict=verdict,
        reason=_reason(decisive, decided, level),
        left=decisive.left,
        right=decisive.right,
        case=decisive.case,
        tightness=_ratio(decisive),
        evidence=_evidence(decided, claim.evidence, level),
        cases={str(name): counts[name] for name in Verdict if counts[name]},
    )


def _evidence(decided: list[Decided], declared: EvidenceKind, level: Fraction) -> Evidence:
    """Name the weakest evidence of all cases."""
    exact = all(item.exact for item in decided)
    bits = None if exact else max(item.bits for item in decided)
    samples = sum(item.samples or 0 for item in decided)
    if samples:
        return Evidence(
            kind=EvidenceKind.SIMULATION,
            precision_bits=bits,
            samples=samples,
            confidence=level_text(level),
        )
    if exact:
        kind = EvidenceKind.RATIONALS
    elif declared in (EvidenceKind.DOUBLES, EvidenceKind.SIMULATION):
        # Sides that might have been simulated are computed in doubles where they are not.
        kind = EvidenceKind.DOUBLES
    else:
        kind = EvidenceKind.BALLS
    return Evidence(kind=kind, precision_bits=bits)


def _reason(decisive: Decided, decided: list[Decided], level: Fraction) -> str:
    n_cases = len(decided)
    counts = Counter(item.verdict for item in decided)
    verdict = decisive.verdict
    cases = "the only case" if n_cases == 1 else f"{n_cases} cases"
    others = [
        f"{counts[name]} of them {name.lower()}"
        for name in (Verdict.CERTIFIED, Verdict.VACUOUS)
        if counts[name] and name is not verdict
    ]
    aside = f" ({', '.join(others)})" if others else ""
    where = "" if n_cases == 1 else f"; tightest: {decisive.case}"
    if verdict is Verdict.CERTIFIED:
        return f"holds in {cases}{aside}{where}"
    if verdict is Verdict.SUPPORTED:
        supported = [item for item in decided if item.verdict is Verdict.SUPPORTED]
        samples = sum(item.samples or 0 for item in supported)
        return (
            f"agrees with {samples} samples in {cases}{aside}, at error level "
            f"{level_text(level)}; {_detectable(supported)}{where}"
        )
    if verdict is Verdict.REFUTED:
        at = f" at error level {level_text(level)}" if decisive.samples else ""
        return f"fails in {counts[verdict]} of {n_cases} cases{at}, by most in: {decisive.case}"
    if verdict is Verdict.UNDECIDED:
        return f"not decided in {counts[verdict]} of {n_cases} cases: {decisive.note}"
    return (
        f"in {cases} the right side is no smaller than what holds without the theorem, or the left "
        "side is 0"
    )


def _detectable(supported: list[Decided]) -> str:
    """Say how large a violation the samples would have shown, in each of the cases."""
    violations = [item.detectable for item in supported if item.detectable is not None]
    if len(violations) < len(supported):
        return "a right side that may be 0 has no relative violation"
    largest = max(violations)
    if largest == inf:
        return "too few to have shown any violation"
    return (
        f"a left side larger than the right by {largest:.2g} of it would likely have been refuted"
    )


def verify(
    claims: Iterable[AnyClaim] | AnyClaim, instance: Subject, *, seed: int = 0
) -> tuple[Result, ...]:
    """Decide one claim or several on an instance, in this process.

    Claims about another kind of instance are left out.  The claims that are simulated share the
    error level of one run.

    Returns
    -------
    tuple of Result
        One for each claim, in order.
    """
    known = (claims,) if isinstance(claims, Claim) else tuple(claims)
    about = [claim for claim in known if claim.kind == instance.schema]
    simulated = sum(claim.evidence is EvidenceKind.SIMULATION for claim in about)
    share = Ledger(decisions=simulated).share
    return tuple(decide(claim, instance, seed=seed, level=share) for claim in about)
