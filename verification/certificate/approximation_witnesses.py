"""What a certificate brings for claims on how near linear networks come to a target."""

from __future__ import annotations

from fractions import Fraction
from math import floor, log10
from typing import Any

from verification.certificate.check import targets
from verification.certificate.check.claims.rate_claims import network_of
from verification.certificate.check.linear.kernels import function_of
from verification.certificate.check.linear.norms import NORM_BITS
from verification.certificate.decimals import texts
from verification.certificate.law_witnesses import written_rule, written_sum
from verification.certificate.linear_witnesses import (
    BITS,
    approximation,
    hankel_places,
    target_of,
    written_network,
)
from verification.certificate.sign_changes import sign_changes
from verification.enclosure.balls import end_points, precision
from verification.instance import Json
from verification.linear_functional import LinearFunctional
from verification.linear_rnn.best_width import single_law
from verification.linear_rnn.decay import slowest_rate
from verification.linear_rnn.distance import distance
from verification.linear_rnn.exponential_sum import ExponentialSum
from verification.linear_rnn.pieces import of_parts
from verification.linear_rnn.smooth import polynomial_network
from verification.linear_rnn.trapezoidal_rule import TrapezoidalRule
from verification.strict_json import format_number

_BITS_A_UNIT = 4
_SPARE_DIGITS = 14
_NOTHING = Fraction(1, 10**24)
_ROUGH_BITS = 6


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


def polynomial_case(instance: LinearFunctional, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write the coefficients of the network of C2, and where its error changes its sign."""
    functions = tuple(of_parts(parts) for parts in instance.target)
    rate = slowest_rate(functions)
    beta = instance.beta or (rate / 2 if rate else Fraction(1))
    theta = beta / (case.order + 1)
    network = polynomial_network(functions, theta, case.width)
    bits = BITS + _BITS_A_UNIT * case.width
    with precision(bits):
        reached = end_points(distance(instance.target, network, bits, _ROUGH_BITS, bits).upper)[1]
    # Masses are off by 10^-14 of the error; where it is nothing but roundings they get exact.
    unit = theta * max(reached, _NOTHING)
    decimals = max(_SPARE_DIGITS - floor(log10(unit)), 0)
    columns = [tuple(round(x, decimals) for x in column) for column in zip(*network.u, strict=True)]
    rests = [
        function_of(targets.combined((*parts, *network_of(theta, column))))
        for parts, column in zip(target_of(instance).channels, columns, strict=True)
    ]
    return {
        "order": case.order,
        "width": case.width,
        "coefficients": [texts(column) for column in columns],
        "changes": [sign_changes(rest, NORM_BITS) for rest in rests],
    }


def quoted_case(instance: LinearFunctional, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write a near-best network, and the functions and the singular value of C2P's lower bound."""
    places = hankel_places(instance, case.width)
    return {"order": case.order, "places": places, **approximation(instance, case.width)}
