"""Deciding one claim on one instance.

Assumptions first, then vacuity, then every case at the lowest precision; the cases that are not
decided are tried again at the next one.  What is left at 1024 bits is UNDECIDED, with the reason.
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

from verification.claim import AnyClaim, Claim, Mutant
from verification.enclosure.balls import PRECISIONS, enclosure, precision
from verification.errors import NotEnclosed
from verification.instance import Subject, digest
from verification.verdict import (
    Enclosure,
    Evidence,
    EvidenceKind,
    Truth,
    Verdict,
    compare,
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


@dataclass(frozen=True, kw_only=True)
class _Decided:
    """One case, decided or given up."""

    verdict: Verdict
    case: str
    left: Enclosure | None
    right: Enclosure | None
    bits: int
    exact: bool
    note: str = ""


BUDGET_SPENT = "the time budget was spent"
"""Part of the reason of a result that more time might have decided."""

_WORST_FIRST = (Verdict.REFUTED, Verdict.UNDECIDED, Verdict.CERTIFIED, Verdict.VACUOUS)


def decide(
    claim: AnyClaim,
    instance: Subject,
    *,
    seed: int = 0,
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
        Seeds the cases that are drawn at random; the same seed draws the same cases.
    mutant : Mutant, optional
        Decide this mutant in place of the claim.
    precisions : iterable of int
        Working precisions in bits, tried in order.
    deadline : float, optional
        Value of `time.monotonic` after which no further case or precision is begun.

    Returns
    -------
    Result
        Never raises for a number that could not be enclosed: that is UNDECIDED.
    """
    started = time.perf_counter()
    if instance.schema != claim.kind:
        raise ValueError(f"claim {claim.id} is about {claim.kind}, not {instance.schema}")
    decided = claim if mutant is None else claim.mutated(mutant)
    try:
        result = _decide(decided, instance, seed, tuple(precisions), deadline)
    except NotEnclosed as error:
        # In an assumption or a constant; the cases and their sides say so themselves.
        result = Result(
            claim=claim.id, instance=instance.name, verdict=Verdict.UNDECIDED, reason=str(error)
        )
    return dataclasses.replace(result, seconds=time.perf_counter() - started)


def _decide(
    claim: AnyClaim,
    instance: Subject,
    seed: int,
    precisions: tuple[int, ...],
    deadline: float | None,
) -> Result:
    result = partial(Result, claim=claim.id, instance=instance.name)
    obstacle = _failed_assumption(claim, instance, precisions)
    if obstacle is not None:
        verdict, reason = obstacle
        return result(verdict=verdict, reason=reason)
    constants = _constants(claim, instance, precisions[0])
    for vacuity in claim.vacuities:
        if vacuity.holds(instance):
            return result(verdict=Verdict.VACUOUS, reason=vacuity.reason, constants=constants)
    rng = random.Random(f"{seed}/{claim.id}/{digest(instance)}")
    try:
        cases = _cases(claim, instance, rng, precisions)
    except NotEnclosed as error:
        reason = f"its cases could not be set up: {error}"
        return result(verdict=Verdict.UNDECIDED, reason=reason, constants=constants)
    decided = [_decide_case(claim, instance, case, precisions, deadline) for case in cases]
    if not decided:
        reason = "there is no case to check"
        return result(verdict=Verdict.VACUOUS, reason=reason, constants=constants)
    return _collate(result(verdict=Verdict.UNDECIDED, reason="", constants=constants), decided)


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


def _decide_case(
    claim: AnyClaim,
    instance: Subject,
    case: object,
    precisions: tuple[int, ...],
    deadline: float | None,
) -> _Decided:
    left = right = None
    note = ""
    bits = precisions[0]
    for bits in precisions:
        if deadline is not None and time.monotonic() > deadline:
            note = BUDGET_SPENT
            break
        try:
            with precision(bits):
                numbers = claim.left(instance, case), claim.right(instance, case)
                left, right = (enclosure(number) for number in numbers)
                truth = compare(left, right)
                trivial = truth is Truth.TRUE and _is_trivial(claim, instance, case, right)
        except NotEnclosed as error:
            note = str(error)
            continue
        note = ""
        if truth is not Truth.UNKNOWN:
            if truth is Truth.FALSE:
                verdict = Verdict.REFUTED
            else:
                verdict = Verdict.VACUOUS if trivial else Verdict.CERTIFIED
            exact = all(isinstance(number, Fraction) for number in numbers)
            return _Decided(
                verdict=verdict, case=str(case), left=left, right=right, bits=bits, exact=exact
            )
    note = note or f"the enclosures still overlap at {bits} bits"
    return _Decided(
        verdict=Verdict.UNDECIDED,
        case=str(case),
        left=left,
        right=right,
        bits=bits,
        exact=False,
        note=note,
    )


def _is_trivial(claim: AnyClaim, instance: Subject, case: object, right: Enclosure) -> bool:
    if claim.trivial is None:
        return False
    return right.lower >= enclosure(claim.trivial(instance, case)).upper


def _ratio(decided: _Decided) -> float | None:
    if decided.left is None or decided.right is None:
        return None
    return ratio_lower(decided.left, decided.right)


def _severity(decided: _Decided) -> float:
    """Order cases of one verdict: the tightest last, beyond all where the right side is 0."""
    ratio = _ratio(decided)
    if ratio is not None:
        return ratio
    return inf if decided.verdict is Verdict.REFUTED else -1.0


def _collate(base: Result, decided: list[_Decided]) -> Result:
    """Combine the cases: the worst verdict, shown on its tightest case."""
    counts = Counter(item.verdict for item in decided)
    verdict = next(verdict for verdict in _WORST_FIRST if counts[verdict])
    decisive = max((item for item in decided if item.verdict is verdict), key=_severity)
    ratio = _ratio(decisive)
    exact = all(item.exact for item in decided)
    return dataclasses.replace(
        base,
        verdict=verdict,
        reason=_reason(verdict, decisive, counts, len(decided)),
        left=decisive.left,
        right=decisive.right,
        case=decisive.case,
        tightness=ratio,
        evidence=Evidence(
            kind=EvidenceKind.RATIONALS if exact else EvidenceKind.BALLS,
            precision_bits=None if exact else max(item.bits for item in decided),
        ),
        cases={str(name): counts[name] for name in Verdict if counts[name]},
    )


def _reason(verdict: Verdict, decisive: _Decided, counts: Counter[Verdict], n_cases: int) -> str:
    cases = "the only case" if n_cases == 1 else f"{n_cases} cases"
    if verdict is Verdict.CERTIFIED:
        vacuous = counts[Verdict.VACUOUS]
        aside = f" ({vacuous} of them vacuous)" if vacuous else ""
        where = "" if n_cases == 1 else f"; tightest: {decisive.case}"
        return f"holds in {cases}{aside}{where}"
    if verdict is Verdict.REFUTED:
        return f"fails in {counts[verdict]} of {n_cases} cases, by most in: {decisive.case}"
    if verdict is Verdict.UNDECIDED:
        return f"not decided in {counts[verdict]} of {n_cases} cases: {decisive.note}"
    return f"in {cases} the right side is no smaller than what holds without the theorem"


def verify(
    claims: Iterable[AnyClaim] | AnyClaim, instance: Subject, *, seed: int = 0
) -> tuple[Result, ...]:
    """Decide one claim or several on an instance, in this process.

    Claims about another kind of instance are left out.

    Returns
    -------
    tuple of Result
        One for each claim, in order.
    """
    known = (claims,) if isinstance(claims, Claim) else tuple(claims)
    return tuple(
        decide(claim, instance, seed=seed) for claim in known if claim.kind == instance.schema
    )
