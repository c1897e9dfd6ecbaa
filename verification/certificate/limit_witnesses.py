"""What certificates of the claims on the limit equation bring: laws of words, times, places.

Times and memories are rounded to a few digits: a claim holds for all of them, and a certificate
says nothing that both sides do not depend on.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from verification.certificate.decimals import few_digits, texts
from verification.enclosure.balls import Ball
from verification.flow.finite_law import AllWords, Data, GivenWords
from verification.instance import AtomicLaw, Instance, Json, Vector
from verification.kernel.limiting import Point, kernel_bound
from verification.strict_json import format_number


def rounded_case(_instance: Instance, case: Any) -> Any:  # noqa: ANN401
    """Return the case with a time of few digits, and a place of a memory of few digits."""
    changes: dict[str, Any] = {"time": few_digits(case.time)}
    if getattr(case, "place", None) is not None:
        changes["place"] = replace(case.place, memory=few_digits(case.place.memory))
    return replace(case, **changes)


def energy_case(_instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write a law of the data, a time, and the units that stand for their law, if any."""
    document: dict[str, Json] = {"law": _law(case.data), "time": format_number(case.time)}
    if case.units is not None:
        document["units"] = _units(case.units)
    return document


def solution_case(instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write also the quantity that both forms are compared in."""
    document = {**energy_case(instance, case), "quantity": case.quantity.name.lower()}
    if case.place is not None:
        document["place"] = _place(instance, case.place)
    return document


def share_of_bound(instance: Instance, case: Any) -> Ball:  # noqa: ANN401
    """Return how far the right side of O4 may be below what certifies it, with Kbar from above.

    It grows with Kbar, by no more than Kbar does.
    """
    subject = instance if case.units is None else replace(instance, law=case.units)
    bound = kernel_bound(subject)
    return bound.lower / bound.upper


def history_case(instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write also how many inputs the shorter memory has seen, and a place."""
    return {
        **energy_case(instance, case),
        "known": case.known,
        "place": _place(instance, case.place),
    }


def normalised(_instance: Instance, case: Any) -> Any:  # noqa: ANN401
    """Leave steps out that do not move d; change all signs where the first force is negative."""
    steps = [step for step in zip(case.places, case.factors, case.forces, strict=True) if step[1]]
    sign = 1 if steps[0][2] > 0 else -1
    return replace(
        case,
        places=tuple(place for place, _, _ in steps),
        factors=tuple(factor for _, factor, _ in steps),
        forces=tuple(sign * force for _, _, force in steps),
    )


def recursion_case(instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write points, factors and forces of a recursion."""
    return {
        "points": [_place(instance, place) for place in case.places],
        "factors": texts(case.factors),
        "forces": texts(case.forces),
    }


def _law(data: Data) -> Json:
    if isinstance(data, AllWords):
        return {"of": "all words", "known": data.known}
    if isinstance(data, GivenWords):
        words = sorted(word[-1 - data.known :] for word in data.words)
        return {"of": "words", "words": [list(word) for word in words]}
    return {"of": "invariant law"}


def _units(law: AtomicLaw) -> Json:
    """Write units in order; of C no sign: only its square matters."""
    units = sorted((atom.w, atom.b, abs(atom.c), atom.p) for atom in law.atoms)
    return [
        {"p": format_number(p), "C": format_number(c), "W": texts(w), "B": format_number(b)}
        for w, b, c, p in units
    ]


def _place(instance: Instance, point: Point) -> Json:
    inputs: tuple[Vector, ...] = instance.chain.inputs
    memory = point.memory
    if not isinstance(memory, Fraction):
        raise TypeError("the memory of a place is a number")
    return {"state": inputs.index(point.input), "memory": format_number(memory)}
