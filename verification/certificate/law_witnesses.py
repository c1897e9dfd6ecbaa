"""What a certificate brings for claims on power laws: rules, sums, places of lower bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from verification.certificate.check import targets
from verification.certificate.check.linear import kernels, rules
from verification.certificate.check.linear.norms import NORM_BITS
from verification.certificate.decimals import texts
from verification.certificate.linear_witnesses import BITS, rounded_text
from verification.certificate.sign_changes import sign_changes
from verification.enclosure.balls import Number, ball, double_estimate, end_points, precision
from verification.errors import NotEnclosed
from verification.instance import Json
from verification.linear_functional import LinearFunctional
from verification.linear_rnn.best_width import single_law
from verification.linear_rnn.exponential_sum import ExponentialSum
from verification.linear_rnn.lower_bounds import BangBangPlace
from verification.linear_rnn.pieces import of_parts
from verification.linear_rnn.power_law_width import entry, necessary_width, unit_law
from verification.linear_rnn.trace_bound import TracePlace, largest_trace_norm, weighted_matrix
from verification.linear_rnn.trapezoidal_rule import TrapezoidalRule
from verification.strict_json import format_number

_VECTOR_DECIMALS = 12
_NODE_DECIMALS = 6


def least_width_case(instance: LinearFunctional, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write a place that shows a width to be too small, and a sum that is near enough."""
    law = single_law(tuple(of_parts(parts) for parts in instance.target))
    if law is None:
        raise NotEnclosed("the target is no power law")
    exponent = law.law.exponent
    found = entry(exponent, case.error)
    network = (
        written_sum(exponent, found.witness)
        if isinstance(found.witness, ExponentialSum)
        else written_rule(found.witness)
    )
    return {
        "error": format_number(case.error),
        "place": _least_width_place(exponent, case.error, found.place),
        **network,
    }


def written_sum(exponent: Fraction, found: ExponentialSum) -> dict[str, Json]:
    """Write a sum of exponentials, and where its distance from a power law changes its sign."""
    from verification.linear_rnn.power_law_search import (  # noqa: PLC0415 - loads scipy
        zeros_estimate,
    )

    return {
        "rates": texts(found.rates),
        "coefficients": texts(found.coefficients),
        "changes": [rounded_text(zero) for zero in zeros_estimate(exponent, found)],
    }


def written_rule(rule: TrapezoidalRule) -> dict[str, Json]:
    """Write a trapezoidal rule."""
    return {
        "step": format_number(rule.step),
        "first": format_number(rule.first),
        "count": rule.count,
    }


def _least_width_place(
    exponent: Fraction, error: Fraction, place: BangBangPlace | TracePlace
) -> Json:
    """Write where the largest width is shown to be too small."""
    with precision(BITS):
        width = necessary_width(exponent, error) - 1
        if width <= 0:
            return "none"
        if isinstance(place, BangBangPlace):
            return {"ends": texts(place.ends), "points": texts(place.points)}
        wanted = error * end_points(largest_trace_norm(place))[1]
        rows = weighted_matrix(unit_law(exponent), place).entries()
    return {
        "ends": texts(place.ends),
        "weights": texts(place.weights),
        "width": width,
        "vectors": _singular_vectors(rows, width, float(wanted)),
    }


def _singular_vectors(rows: Sequence[Sequence[Number]], width: int, wanted: float) -> list[Json]:
    """Write as many singular vectors as make the sum of the values after a width large enough."""
    import numpy as np  # noqa: PLC0415 - slow to load

    values, vectors = np.linalg.eigh(
        np.array([[double_estimate(ball(x)) for x in row] for row in rows])
    )
    order = np.argsort(-np.abs(values))
    sums = np.cumsum(np.abs(values[order[width:]]))
    # Halfway to all of it is enough.
    count = width + 1 + int(np.searchsorted(sums, (wanted + sums[-1]) / 2))
    return [
        texts([round(Fraction(float(x)), _VECTOR_DECIMALS) for x in vectors[:, k]])
        for k in order[:count]
    ]


def rounded_rule(_instance: LinearFunctional, case: Any) -> Any:  # noqa: ANN401
    """Return a rule whose numbers are short: what depends on them all is what both sides say."""
    return replace(
        case, step=round(case.step, _NODE_DECIMALS), first=round(case.first, _NODE_DECIMALS)
    )


def rule_error_case(_instance: LinearFunctional, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write a trapezoidal rule, and where its error changes its sign."""
    rule = rules.Rule(case.exponent, case.step, case.first, case.count)
    law = kernels.function_of((targets.PowerLaw(Fraction(1), case.exponent),))
    return {**written_rule(case), "changes": [sign_changes((*law, *rule.kernel), NORM_BITS)]}


def rule_case(instance: LinearFunctional, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write a trapezoidal rule."""
    from verification.linear_rnn.power_law_search import (  # noqa: PLC0415 - loads scipy
        rule_of_error,
    )

    law = single_law(tuple(of_parts(parts) for parts in instance.target))
    if law is None:
        raise NotEnclosed("the target is no power law")
    rule = rule_of_error(law.law.exponent, case.error)
    return {"error": format_number(case.error), **written_rule(rule)}
