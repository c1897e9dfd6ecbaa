r"""The least width of a linear network within a relative error of a power law, from both sides.

What is looked at, a near-best sum of exponentials and a place for a lower bound, was found in
doubles: for the exponents and errors of ``power_law_table.json`` beforehand, by `found_entry`, else
when it is asked for.  It is a certificate, not a result: whatever is said of it is computed in
balls, each time.  ``python -m verification.linear_rnn.power_law_width`` makes the file again, in
some minutes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from importlib import resources
from pathlib import Path

from verification.enclosure.balls import (
    PRECISIONS,
    Ball,
    Between,
    ball,
    less,
    less_equal,
    precision,
    working_precision,
)
from verification.errors import InvalidInstance, NotEnclosed
from verification.linear_functional import PowerLaw
from verification.linear_rnn.exponential_sum import ExponentialSum, distance_from_power_law
from verification.linear_rnn.lower_bounds import BangBangPlace, bang_bang_bound
from verification.linear_rnn.pieces import Function, of_parts
from verification.linear_rnn.trace_bound import TracePlace, trace_bounds
from verification.linear_rnn.trapezoidal_rule import TrapezoidalRule, error_bound
from verification.strict_json import Node, format_number, loads
from verification.verdict import Truth

EXPONENTS = tuple(Fraction(text) for text in ("1", "1/2", "1/5", "1/10", "1/20"))
ERRORS = tuple(Fraction(1, 10**k) for k in range(1, 5))

# Beyond these a search would take longer than a verdict may: the rule itself is the witness.
_SEARCHED_WIDTH = 24
_FEW_EVALUATIONS, _MANY_EVALUATIONS = 40, 400
_FEW_CELLS, _MANY_CELLS = 50, 140
_LONGEST_SPAN = 250.0
_BANG_BANG_WIDTH = 9
_FILE = "power_law_table.json"
_DIGITS = 13


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A witness, and a place where a lower bound of all errors is large.

    Parameters
    ----------
    witness : ExponentialSum or TrapezoidalRule
    place : BangBangPlace or TracePlace
    """

    witness: ExponentialSum | TrapezoidalRule
    place: BangBangPlace | TracePlace


def entry(exponent: Fraction, error: Fraction) -> Entry:
    """Return the stored entry, or one found now."""
    stored = _table().get((exponent, error))
    return stored or found_entry(exponent, error, thorough=False)


def is_stored(exponent: Fraction, error: Fraction) -> bool:
    """Tell whether the table has an entry."""
    return (exponent, error) in _table()


def unit_law(exponent: Fraction) -> Function:
    """Return rho_w, whose norm is 1."""
    return of_parts((PowerLaw(coefficient=Fraction(1), exponent=exponent),))


# Rigorous


def witness_error(exponent: Fraction, witness: ExponentialSum | TrapezoidalRule) -> Between:
    """Enclose the error of a sum, or bound that of a rule, which is positive."""
    if isinstance(witness, ExponentialSum):
        return distance_from_power_law(exponent, witness)
    return Between(ball(0), error_bound(witness))


def sufficient_width(exponent: Fraction, error: Fraction) -> int:
    """Return the width of a network whose error is certainly at most `error`.

    Raises
    ------
    NotEnclosed
        Where that of the witness cannot be shown to be so small.
    """
    witness = entry(exponent, error).witness
    reached = witness_error(exponent, witness).upper
    if less_equal(reached, ball(error)) is not Truth.TRUE:
        raise NotEnclosed("the error of a witness is not below what is asked for")
    return witness.count if isinstance(witness, TrapezoidalRule) else witness.width


def necessary_width(exponent: Fraction, error: Fraction, *, early: int = 0) -> int:
    """Return a width below which every network's error certainly exceeds `error`.

    It is one more than the largest width at which the lower bound does; a mutant takes the bound
    of a smaller one.
    """
    if error >= 1:
        return 0
    possible = [
        m
        for m, bound in enumerate(error_bounds(exponent, error))
        if less(ball(error), bound) is Truth.TRUE
    ]
    return max(possible, default=0) + 1 + early


def error_bounds(exponent: Fraction, error: Fraction) -> list[Ball]:
    """Return what the error of every network of width 0, 1, .. exceeds, where it is known."""
    place, function = entry(exponent, error).place, unit_law(exponent)
    bits = working_precision()
    if isinstance(place, TracePlace):
        found = [bound.lower for bound in trace_bounds(function, place, bits)]
    else:
        # Less than nothing is known between.
        found = [ball(0)] * len(place.points)
        found[-1] = bang_bang_bound(function, place)
    # The network that says nothing has the error 1.
    found[0] = ball(1)
    return found


# Found in doubles


@lru_cache(maxsize=64)
def found_entry(exponent: Fraction, error: Fraction, *, thorough: bool) -> Entry:
    """Search for an entry; thoroughly, or in about a second."""
    from verification.linear_rnn.power_law_search import (  # noqa: PLC0415 - loads scipy
        least_sum,
        rule_of_error,
    )

    rule = rule_of_error(exponent, error)
    witness: ExponentialSum | TrapezoidalRule = rule
    if thorough or rule.count <= _SEARCHED_WIDTH:
        with suppress(NotEnclosed):
            witness = least_sum(exponent, error, rule.count) or rule
    width = rule.count if isinstance(witness, TrapezoidalRule) else witness.width
    return Entry(witness=witness, place=_found_place(exponent, error, width, thorough=thorough))


def _found_place(
    exponent: Fraction, error: Fraction, width: int, *, thorough: bool
) -> BangBangPlace | TracePlace:
    """Return a place that shows that as large a width as possible is too small."""
    from verification.linear_rnn import search  # noqa: PLC0415 - loads scipy
    from verification.linear_rnn.trace_search import (  # noqa: PLC0415
        largest_impossible_width,
        trace_place,
    )

    function = unit_law(exponent)
    span = min(math.log(100 / error) / float(exponent), _LONGEST_SPAN)
    cells = min(_MANY_CELLS if thorough else _FEW_CELLS, max(width, 6) + math.ceil(span / 2))
    evaluations = _MANY_EVALUATIONS if thorough else _FEW_EVALUATIONS

    def place_for(m: int) -> TracePlace:
        return trace_place(function, m, ((cells, span),), evaluations)

    # Half of the witness's width is about where bounds reach.
    aim = max(1, width // 2)
    place = place_for(aim)
    reached = largest_impossible_width(function, place, float(error))
    for _ in range(4 if thorough else 0):
        other = place_for(reached + 1)
        further = largest_impossible_width(function, other, float(error))
        if further <= reached:
            break
        place, reached = other, further
    best: BangBangPlace | TracePlace = place
    for m in range(max(reached, 0) + 1, min(width, _BANG_BANG_WIDTH + 1)):
        switched = search.bang_bang_place(function, m)
        if switched is None:
            continue
        with precision(PRECISIONS[0]):
            if less(ball(error), bang_bang_bound(function, switched)) is Truth.TRUE:
                best = switched
    return best


# The file


@lru_cache(maxsize=1)
def _table() -> dict[tuple[Fraction, Fraction], Entry]:
    """Return the stored entries by exponent and error.

    Raises
    ------
    NotEnclosed
        Where the file is damaged; it says where.
    """
    try:
        text = resources.files(__package__).joinpath(_FILE).read_text(encoding="utf-8")
        return dict(map(_read_entry, loads(text).elements(least=0, most=100, of="entries")))
    except (InvalidInstance, ValueError, OSError) as error:
        raise NotEnclosed(f"the table of power laws, {_FILE}, is damaged: {error}") from error


def _read_entry(node: Node) -> tuple[tuple[Fraction, Fraction], Entry]:
    members = node.fields(("exponent", "error", "rates", "coefficients", "place"))
    rates = members["rates"].numbers(least=1, most=1000)
    coefficients = members["coefficients"].numbers(least=1, most=1000)
    key = _positive(members["exponent"]), _positive(members["error"])
    try:
        witness = ExponentialSum(rates=rates, coefficients=coefficients)
        return key, Entry(witness=witness, place=_read_place(members["place"]))
    except ValueError as error:
        node.fail(str(error))


def _positive(node: Node) -> Fraction:
    return node.number(lambda x: x > 0, "a positive number")


def _read_place(node: Node) -> BangBangPlace | TracePlace:
    members = node.fields(("ends",), ("points", "weights"))
    ends = members["ends"].numbers(least=1, most=1000)
    if ("points" in members) == ("weights" in members):
        node.fail("lacks the key 'points' or 'weights', expected one of them")
    if "points" in members:
        return BangBangPlace(ends, members["points"].numbers(least=1, most=1000))
    return TracePlace(ends, members["weights"].numbers(least=1, most=1000))


def _document(exponent: Fraction, error: Fraction) -> dict[str, object]:
    """Return what the file says of one entry."""
    found = found_entry(exponent, error, thorough=True)
    if not isinstance(found.witness, ExponentialSum):
        raise NotEnclosed("no sum of exponentials better than the rule was found")
    place: dict[str, object] = {"ends": _texts(found.place.ends)}
    if isinstance(found.place, TracePlace):
        place["weights"] = _texts(found.place.weights)
    else:
        place["points"] = _texts(found.place.points)
    return {
        "exponent": format_number(exponent),
        "error": format_number(error),
        "rates": _texts(found.witness.rates),
        "coefficients": _texts(found.witness.coefficients),
        "place": place,
    }


def _texts(values: Sequence[Fraction]) -> list[str]:
    """Return decimals: of so few digits that doubles show them."""
    return [f"{float(x):.{_DIGITS}g}" for x in values]


if __name__ == "__main__":
    entries = []
    for w in EXPONENTS:
        for eps in ERRORS:
            entries.append(_document(w, eps))
            print(w, eps, flush=True)
    lines = ",\n".join(json.dumps(item) for item in entries)
    Path(__file__).with_name(_FILE).write_text(f"[\n{lines}\n]\n", encoding="utf-8")
