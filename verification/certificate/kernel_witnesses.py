"""What certificates of the claims on the limiting kernel bring: pairs of points."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
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
from verification.instance import Instance, Json, ProductLaw, Vector
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
    """Write two points in the one order in which a checker takes them: K has no order."""
    inputs = instance.chain.inputs
    pair = ((case.state, case.memory), (case.other, case.other_memory))
    first, second = sorted(pair, key=lambda point: (inputs[point[0]], point[1]))
    return {"first": _point(instance, *first), "second": _point(instance, *second)}


def move_case(instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write two points, and by how much the memory of the first moves."""
    start = case.start
    return {
        "first": _point(instance, start.state, start.memory),
        "second": _point(instance, start.other, start.other_memory),
        "by": format_number(case.by),
    }


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
    entries, order = pushed.entries(), _in_order(case.points, range(len(case.points)))
    lower = [entries[i][j] for count, i in enumerate(order, 1) for j in order[:count]]
    return {
        "points": [_given(case.points[i]) for i in order],
        "matrix": vector(lower),
        "error": format_number(error + case.push),
        "eigenvalue": {"lower": _decimal(low - apart, -1), "upper": _decimal(high + apart, 1)},
    }


def _in_order(points: Sequence[Point], numbers: Iterable[int]) -> list[int]:
    """Return numbers of points in the order of their inputs and memories."""

    def place(k: int) -> tuple[Vector, Fraction]:
        return points[k].input, _memory(points[k])

    return sorted(numbers, key=place)


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
        first, second = _in_order(case.points, (case.row, case.column))
        return {
            "of": "entry",
            "first": _given(case.points[first]),
            "second": _given(case.points[second]),
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
    return {"input": texts(point.input), "memory": format_number(_memory(point))}


def _memory(point: Point) -> Fraction:
    if not isinstance(point.memory, Fraction):
        raise TypeError("the memory of a point is a number")
    return point.memory


def _decimal(value: Fraction, direction: int) -> str:
    """Write a number to a few digits, rounded down or up."""
    rounding = ROUND_FLOOR if direction < 0 else ROUND_CEILING
    context = Context(prec=_EIGENVALUE_DIGITS + 4, rounding=rounding)
    return f"{context.divide(Decimal(value.numerator), Decimal(value.denominator)):f}"
