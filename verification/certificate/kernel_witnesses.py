"""What certificates of the claims on the limiting kernel bring: pairs of points."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from typing import Any

from verification.certificate.check.instances import read_instance
from verification.certificate.check.numbers.balls import precision as check_precision
from verification.certificate.check.numbers.balls import upper
from verification.certificate.check.outcome import Budget, Refused
from verification.certificate.check.reading import parse
from verification.certificate.check.recurrent.coarse_rules import CoarseRule
from verification.certificate.decimals import few_digits, texts, vector
from verification.enclosure.balls import ball, end_points, precision
from verification.enclosure.eigenvalue import is_positive_definite, least_eigenvalue
from verification.enclosure.matrix import Matrix
from verification.instance import Instance, Json, ProductLaw
from verification.kernel.computed_gram import computed_gram, gram_in_doubles
from verification.kernel.limiting import Point
from verification.kernel.trapezoidal import strip_widths
from verification.strict_json import format_number

_FARTHEST = Fraction(24)
_EIGENVALUE_BITS, _EIGENVALUE_DIGITS = 128, 12
_HALVINGS = 160


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


def rounded_drawing(instance: Instance, case: Any) -> Any:  # noqa: ANN401
    """Return a drawing with memories of few digits."""
    return replace(case, pair=rounded_pair(instance, case.pair))


def drawing_case(instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write two points and a number of units."""
    return {**pair_case(instance, case.pair), "units": case.units}


def gram_case(instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write points, their matrix as it was moved, and bounds of its least eigenvalue."""
    matrix, error = computed_gram(instance, case.points)
    pushed = matrix - Matrix.exact([[case.push * i * j for j in case.signs] for i in case.signs])
    low, high = _eigenvalue_between(pushed)
    apart = max(abs(low), abs(high), Fraction(1, 10**30)) / 10**_EIGENVALUE_DIGITS
    rows = [row[: i + 1] for i, row in enumerate(pushed.entries())]
    return {
        "points": [_given(point) for point in case.points],
        "matrix": vector([entry for row in rows for entry in row]),
        "error": format_number(error + case.push),
        "eigenvalue": {"lower": _decimal(low - apart, -1), "upper": _decimal(high + apart, 1)},
    }


def _eigenvalue_between(matrix: Matrix) -> tuple[Fraction, Fraction]:
    """Return bounds of the least eigenvalue; that it is not above the upper one is not proved.

    Of a cluster around 0, such as a matrix of low rank has, they are narrowed by pivots.
    """
    with precision(_EIGENVALUE_BITS):
        found = least_eigenvalue(matrix)
        low, high = end_points(found.lower)[0], end_points(found.upper)[1]
    size = matrix.shape[0]
    with precision(2 * _EIGENVALUE_BITS):
        for _ in range(_HALVINGS):
            if high - low <= max(abs(low), abs(high)) / 10**_EIGENVALUE_DIGITS:
                break
            middle = (low + high) / 2
            shifted = matrix - Matrix.identity(size).scale(middle)
            rows = [[ball(x) for x in row] for row in shifted.entries()]
            low, high = (middle, high) if is_positive_definite(rows) else (low, middle)
    return low, high


def entry_case(instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write an entry with its stated error, or a coarse rule with a width of a strip."""
    if hasattr(case, "row"):
        matrix, error = gram_in_doubles(instance, case.points)
        entry = matrix.row(case.row)[case.column]
        if not isinstance(entry, Fraction):
            raise TypeError("a matrix of doubles is exact")
        return {
            "of": "entry",
            "first": _given(case.points[case.row]),
            "second": _given(case.points[case.column]),
            "entry": format_number(entry),
            "error": format_number(error),
        }
    first, second = case.pair.points(instance)
    if not isinstance(instance.law, ProductLaw):
        raise TypeError("a coarse rule is for normal W")
    with precision(_EIGENVALUE_BITS):
        widths = strip_widths(instance.activation, instance.law, first, second, case.step)
    read = read_instance(parse(json.dumps(instance.to_json())), Budget())
    rule = CoarseRule(
        read, (first.input, first.memory), (second.input, second.memory), case.step, Budget()
    )

    def error_at(width: Fraction) -> Fraction:
        try:
            with check_precision(_EIGENVALUE_BITS):
                return upper(rule.error(width))
        except Refused:
            return Fraction(10**300)

    return {
        "of": "rule",
        "first": _given(first),
        "second": _given(second),
        "step": format_number(case.step),
        "width": format_number(min(widths, key=error_at)),
    }


def _given(point: Point) -> dict[str, Json]:
    if not isinstance(point.memory, Fraction):
        raise TypeError("the memory of a point is a number")
    return {
        "input": texts(point.input),
        "memory": format_number(point.memory),
    }


def _decimal(value: Fraction, direction: int) -> str:
    """Write a number to a few digits, rounded down or up."""
    rounding = ROUND_FLOOR if direction < 0 else ROUND_CEILING
    context = Context(prec=_EIGENVALUE_DIGITS + 4, rounding=rounding)
    return f"{context.divide(Decimal(value.numerator), Decimal(value.denominator)):f}"
