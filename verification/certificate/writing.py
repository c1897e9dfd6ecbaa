"""Making a certificate of a claim that is CERTIFIED on an instance."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
)
from fractions import Fraction
from typing import Any

from verification.certificate.check.checking import SCHEMA
from verification.certificate.check.formula import Formula
from verification.certificate.check.formulas import FORMULAS
from verification.certificate.check.numbers.bounds import LEAST_DIGITS, SLACK, Bounds, stated
from verification.certificate.check.reading import digest, parse
from verification.certificate.derivation import Derivation, NotShown
from verification.certificate.witnesses import WITNESSES
from verification.claim import AnyClaim, Side
from verification.decision import decide_with_cases
from verification.enclosure.balls import (
    FLINT_VERSION,
    PRECISIONS,
    Ball,
    Between,
    enclosure,
    precision,
)
from verification.environment import package_version, revision
from verification.errors import NotEnclosed, VerificationError
from verification.instance import Json
from verification.statistics.simulation import Simulation
from verification.subject import Subject
from verification.verdict import Enclosure, Verdict

_DIGITS = 16
_DIGITS_OF_SUPREMUM = 8
_FEW_PRECISIONS = 2
_FINER = 4


class NotCertified(VerificationError):  # noqa: N818 - an outcome
    """No certificate can be made: the claim is not CERTIFIED there, or has no checker yet.

    Parameters
    ----------
    reason : str
    verdict : Verdict, optional
        What the claim is instead.
    """

    def __init__(self, reason: str, verdict: Verdict | None = None) -> None:
        super().__init__(reason)
        self.verdict = verdict


def certificate(claim: AnyClaim, instance: Subject, *, seed: int = 0) -> dict[str, Json]:
    """Decide a claim on an instance and write down what the verdict rests on.

    Parameters
    ----------
    claim : Claim
        One of `WITNESSES`.
    instance : Subject
        Of the kind that the claim is about.
    seed : int
        Seeds the cases that are drawn, as in `verification.decision.decide`.

    Returns
    -------
    dict
        The document "certificate/1".  It lists the cases that are CERTIFIED, in their order;
        those in which the claim bounds nothing are left out.

    Raises
    ------
    NotCertified
        Where there is nothing to certify, with the reason.
    """
    makers = WITNESSES.get(claim.id)
    if makers is None:
        raise NotCertified(
            f"no certificates of {claim.id} yet: {', '.join(WITNESSES)} are what can be certified"
        )
    result, found = decide_with_cases(claim, instance, seed=seed)
    if result.verdict is not Verdict.CERTIFIED:
        raise NotCertified(
            f"{claim.id} on {instance.name} is {result.verdict}: {result.reason}", result.verdict
        )
    certified = [case for case, decided in found if decided.verdict is Verdict.CERTIFIED]
    try:
        rounded = [makers.rounded(instance, case) for case in certified]
        try:
            witness, cases = _witness_and_cases(claim, instance, rounded, 1)
        except NotShown:
            witness, cases = _witness_and_cases(claim, instance, rounded, _FINER)
    except (NotEnclosed, NotShown) as error:
        raise NotCertified(f"no certificate of {claim.id} on {instance.name}: {error}") from error
    document: dict[str, Json] = {
        "schema": SCHEMA,
        "claim": claim.id,
        "instance": instance.to_json(),
        "witness": witness,
        "cases": cases,
        "made_by": {
            "kernel-limit-theorems": package_version("kernel-limit-theorems"),
            "git revision": revision(),
            "python": platform.python_version(),
            "python-flint": package_version("python-flint"),
            "FLINT": FLINT_VERSION,
            "seed": seed,
        },
    }
    document["digest"] = digest(document)
    return document


def _witness_and_cases(
    claim: AnyClaim, instance: Subject, cases: list[object], finer: int
) -> tuple[dict[str, Json], list[Json]]:
    makers = WITNESSES[claim.id]
    witness = makers.shared(instance) | makers.together(instance, cases, finer)
    return witness, _cases(claim, instance, cases, witness)


def _cases(
    claim: AnyClaim, instance: Subject, cases: list[object], witness: dict[str, Json]
) -> list[Json]:
    """Return the cases in the one order in which a checker takes them, each of them once."""
    makers = WITNESSES[claim.id]
    documents: dict[str, tuple[object, Json]] = {}
    for case in cases:
        written = makers.case(instance, case)
        documents.setdefault(json.dumps(written, sort_keys=True), (case, written))
    derivation = Derivation(claim.id, instance, witness)
    return [
        {"case": written, **_stated_sides(claim, instance, case, written, derivation)}
        for _, (case, written) in sorted(documents.items(), key=lambda item: item[0])
    ]


def _stated_sides(
    claim: AnyClaim, instance: Subject, case: object, written: Json, derivation: Derivation
) -> dict[str, Json]:
    """State both sides, to 16 digits where some precision encloses them so well.

    A claim whose sides are enclosed on a grid is known to few digits, and to the checker not to
    the same ones; others the checker knows better.
    """
    formula, of_right = FORMULAS[claim.id], claim.right
    asked = formula.is_finer or formula.least_digits < LEAST_DIGITS
    left, right = derivation.sides(written) if asked else (None, None)
    share = WITNESSES[claim.id].share_of_right
    if share is not None:
        of_right = _between(claim.right, share)
    sides = {
        "left": _stated_side(claim.left, instance, case, left, formula),
        "right": _stated_side(of_right, instance, case, right, formula),
    }
    if sides["left"] is None and sides["right"] is not None and not formula.identity:
        sides["left"] = _negligible_side(written, sides["right"], derivation)
    for name, text in sides.items():
        if text is None:
            raise NotCertified(
                f"the {name} side is not known to {formula.least_digits} digits in the case: {case}"
            )
    return sides


def _negligible_side(written: Json, right: Json, derivation: Derivation) -> Json:
    """State a left side of which no digit is known as what the comparison's slack hides."""
    slack = SLACK * stated(parse(json.dumps(right)), least_digits=1).lower
    if slack <= 0:
        return None
    exponent = _rounded(Bounds.exactly(slack)).lower.adjusted()
    claimed = Bounds(Fraction(0), Fraction(10) ** exponent)
    if any(derivation.left_is_between(written, claimed, bits) for bits in PRECISIONS):
        return {"lower": "0", "upper": f"1E{exponent:+d}"}
    return None


def _between(
    side: Callable[[Any, Any], Side], share: Callable[[Any, Any], Ball]
) -> Callable[[Any, Any], Side]:
    """Return a side of which an upper bound is known, and how far below it may be."""

    def known(instance: Subject, case: object) -> Side:
        value = side(instance, case)
        if not isinstance(value, Ball):
            return value
        return Between(value * share(instance, case), value)

    return known


def _stated_side(
    side: Callable[[Any, Any], Side],
    instance: Subject,
    case: object,
    checked: Bounds | None,
    formula: Formula,
) -> Json:
    """State one side, as well as a rising precision makes it known."""
    known, best = 0, None
    for bits in PRECISIONS if checked is None else PRECISIONS[:_FEW_PRECISIONS]:
        with precision(bits):
            try:
                digits, text = _stated(side(instance, case), checked, formula)
            except NotEnclosed:
                continue
        if digits <= known and known:
            break
        known, best = digits, text
        if digits >= _DIGITS:
            break
    return best


def _stated(side: Side, checked: Bounds | None, formula: Formula) -> tuple[int, Json]:
    """Return as many digits as an enclosure allows, and the text that states them.

    That is the number rounded to them, give or take a unit of the last: narrower by far than what
    `verification.certificate.check.numbers.bounds.stated` would let pass if either end were moved.
    """
    if isinstance(side, Simulation):
        return 0, None
    bounds = enclosure(side)
    if checked is not None:
        if _is_apart(bounds, checked):
            raise NotCertified(
                "the checker and what certified the claim disagree on a side: one of them is wrong"
            )
        bounds = _rounded(checked) if formula.is_finer else _joined(bounds, checked)
    if bounds.lower == bounds.upper == 0:
        return _DIGITS, {"lower": "0", "upper": "0"}
    if not (bounds.lower.is_finite() and bounds.upper.is_finite()):
        return 0, None
    most = _DIGITS_OF_SUPREMUM if isinstance(side, Between) else _DIGITS
    least = formula.least_digits
    for digits in range(most, least - 1, -1):
        # A digit less than is known: the checker's enclosure may be somewhat wider.
        if _around(bounds, digits + (checked is None)) is not None:
            return (_DIGITS if digits == most else digits), _around(bounds, digits)
    if least == 1 and bounds.lower >= 0:
        return 0, {"lower": "0", "upper": f"1E{bounds.upper.adjusted() + 1:+d}"}
    return 0, None


def _is_apart(bounds: Enclosure, checked: Bounds) -> bool:
    above = bounds.lower.is_finite() and checked.upper < Fraction(bounds.lower)
    return above or (bounds.upper.is_finite() and Fraction(bounds.upper) < checked.lower)


def _joined(bounds: Enclosure, checked: Bounds) -> Enclosure:
    other = _rounded(checked)
    # What is no less than 0 to the checker is so, whatever the other enclosure leaves open.
    least = Decimal(0) if checked.lower == 0 else min(other.lower, bounds.lower)
    return Enclosure(least, max(other.upper, bounds.upper))


def _rounded(checked: Bounds) -> Enclosure:
    down, up = (
        Context(prec=60, rounding=rounding, Emax=MAX_EMAX, Emin=MIN_EMIN)
        for rounding in (ROUND_FLOOR, ROUND_CEILING)
    )
    lower, upper = (
        context.divide(Decimal(end.numerator), Decimal(end.denominator))
        for context, end in ((down, checked.lower), (up, checked.upper))
    )
    return Enclosure(lower, upper)


def _around(bounds: Enclosure, digits: int) -> Json:
    context = Context(prec=digits, rounding=ROUND_HALF_EVEN, Emax=MAX_EMAX, Emin=MIN_EMIN)
    wide = Context(prec=10_000, Emax=MAX_EMAX, Emin=MIN_EMIN)
    middle = context.plus(wide.divide(wide.add(bounds.lower, bounds.upper), Decimal(2)))
    if not middle:
        return None
    # Trailing zeros count: the last digit stands where the precision puts it.
    unit = Decimal((0, (1,), middle.adjusted() - digits + 1))
    middle = wide.quantize(middle, unit)
    lower, upper = wide.subtract(middle, unit), wide.add(middle, unit)
    if lower <= bounds.lower and bounds.upper <= upper:
        return {"lower": str(lower), "upper": str(upper)}
    return None


def to_bytes(document: dict[str, Json]) -> bytes:
    """Return the content of a certificate's file."""
    return (json.dumps(document, indent=1) + "\n").encode("ascii")
