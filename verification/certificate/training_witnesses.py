"""What a certificate brings for the claims on training: the networks, and paths of the data."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from verification.certificate.decimals import few_digits, texts
from verification.errors import NotEnclosed
from verification.instance import Atom, AtomicLaw, Constant, Instance, Json, Uniform, Vector
from verification.strict_json import format_number

_WEIGHTS = {"|C_k - C_0|": "C", "|W_k - W_0|": "W", "|B_k - B_0|": "B"}


def rounded_units(instance: Instance, case: Any) -> Any:  # noqa: ANN401
    """Round the weights of a network's units to few digits, where the initial law allows it."""
    return dataclasses.replace(case, units=_rounded(instance, case.units))


def rounded_course(instance: Instance, case: Any) -> Any:  # noqa: ANN401
    """Round the weights of a stratified network's units."""
    law = _rounded(instance, case.course.law)
    return dataclasses.replace(case, course=dataclasses.replace(case.course, law=law))


def _rounded(instance: Instance, units: AtomicLaw) -> AtomicLaw:
    law = instance.law
    if isinstance(law, AtomicLaw):
        return units

    def rounded(values: Vector, spread: object) -> Vector:
        found = tuple(map(few_digits, values))
        if isinstance(spread, Uniform):
            inside = zip(spread.low, found, values, spread.high, strict=True)
            return tuple(x if low <= x <= high else value for low, x, value, high in inside)
        return values if isinstance(spread, Constant) else found

    def rounded_output(c: Fraction) -> Fraction:
        size = rounded((abs(c),), law.c)[0]
        return size if c > 0 else -size

    return AtomicLaw(
        atoms=tuple(
            Atom(
                p=unit.p,
                c=rounded_output(unit.c),
                w=rounded(unit.w, law.w),
                b=rounded((unit.b,), law.b)[0],
            )
            for unit in units.atoms
        )
    )


def networks(_instance: Instance, cases: Sequence[Any], _finer: int) -> dict[str, Json]:
    """Bring the networks that the cases are about.

    Raises
    ------
    NotEnclosed
        Where two of them have one width.
    """
    found: dict[int, AtomicLaw] = {}
    for case in cases:
        if found.setdefault(case.width, case.units) != case.units:
            raise NotEnclosed("two networks of one width, which a certificate does not tell apart")
    return {"networks": [_network(found[width]) for width in sorted(found)]}


def _network(units: AtomicLaw) -> dict[str, Json]:
    return {
        "C": texts([unit.c for unit in units.atoms]),
        "W": [texts(unit.w) for unit in units.atoms],
        "B": texts([unit.b for unit in units.atoms]),
    }


def weighted_units(_instance: Instance, cases: Sequence[Any], _finer: int) -> dict[str, Json]:
    """Bring the units that the cases of T8 are about, with their shares."""
    found = {case.course.width: case.course.law for case in cases}
    return {
        "units": [
            {"width": width, "p": texts([unit.p for unit in found[width].atoms])}
            | _network(found[width])
            for width in sorted(found)
        ]
    }


def lazy_case(instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write a case of T8."""
    return {
        "width": case.course.width,
        "path": list(case.course.word),
        "state": instance.chain.inputs.index(case.place.input),
        "memory": format_number(case.place.memory),
    }


def _along(case: Any, steps: int) -> dict[str, Json]:  # noqa: ANN401
    return {"width": case.width, "path": list(case.path[:steps])}


def weight_case(_instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write a case of T1."""
    return {**_along(case, case.step), "weight": _WEIGHTS[case.weight]}


def path_case(_instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write the path until a step."""
    return _along(case, case.step)


def step_case(_instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write the path until a step, which is taken too."""
    return _along(case, case.step + 1)


def placed_case(instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write a case of T3."""
    place = case.place
    return {
        **_along(case, case.step + 1),
        "state": instance.chain.inputs.index(place.input),
        "memory": format_number(place.memory),
    }


def drawing_case(_instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write a case of T4."""
    return {"width": case.width, "state": case.state, "memory": format_number(case.memory)}
