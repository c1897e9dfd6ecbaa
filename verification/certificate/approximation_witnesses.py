"""What a certificate brings for claims on how near linear networks come to a target."""

from __future__ import annotations

from typing import Any

from verification.certificate.check.linear.norms import NORM_BITS
from verification.certificate.law_witnesses import written_rule, written_sum
from verification.certificate.linear_witnesses import written_network
from verification.instance import Json
from verification.linear_functional import LinearFunctional
from verification.linear_rnn.best_width import single_law
from verification.linear_rnn.exponential_sum import ExponentialSum
from verification.linear_rnn.pieces import of_parts
from verification.linear_rnn.trapezoidal_rule import TrapezoidalRule
from verification.strict_json import format_number


def network_case(instance: LinearFunctional, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write a network that is within an error."""
    network = case.found.network
    error: dict[str, Json] = {"error": format_number(case.error)}
    law = single_law(tuple(of_parts(parts) for parts in instance.target))
    if isinstance(network, TrapezoidalRule):
        return error | written_rule(network)
    if law is not None and isinstance(network, ExponentialSum):
        return error | written_sum(law.law.exponent, network)
    return error | written_network(instance, network, NORM_BITS)
