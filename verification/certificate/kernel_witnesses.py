"""What certificates of the claims on the limiting kernel bring: pairs of points."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from verification.certificate.decimals import few_digits
from verification.instance import Instance, Json
from verification.strict_json import format_number

_FARTHEST = Fraction(24)


def rounded_pair(_instance: Instance, case: Any) -> Any:  # noqa: ANN401
    """Return a pair of points with memories of few digits, and not where all units are saturated.

    There K is as near to 0 or to a constant as makes no number.
    """
    memory, other = (
        few_digits(max(-_FARTHEST, min(_FARTHEST, x))) for x in (case.memory, case.other_memory)
    )
    return replace(case, memory=memory, other_memory=other)


def rounded_move(instance: Instance, case: Any) -> Any:  # noqa: ANN401
    """Return a move of a memory, both memories of few digits."""
    return replace(case, start=rounded_pair(instance, case.start))


def pair_case(instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write two points."""
    return {
        "first": _point(instance, case.state, case.memory),
        "second": _point(instance, case.other, case.other_memory),
    }


def move_case(instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write two points, and by how much the memory of the first moves."""
    return {**pair_case(instance, case.start), "by": format_number(case.by)}


def _point(instance: Instance, state: int, memory: Any) -> dict[str, Json]:  # noqa: ANN401
    inputs = instance.chain.inputs
    return {"state": inputs.index(inputs[state]), "memory": format_number(memory)}
