"""Networks within an error of a target: candidates found in doubles, with enclosed errors.

For a power law they are those of `verification.linear_rnn.power_law_width`, and beyond its table
trapezoidal rules; for other targets near-best networks of growing width.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from verification.deadline import heed_deadline
from verification.enclosure.balls import (
    PRECISIONS,
    Between,
    ball,
    precision,
    upper_double,
    working_precision,
)
from verification.errors import NotEnclosed
from verification.linear_functional import LinearFunctional, Network, Part
from verification.linear_rnn.best_width import single_law
from verification.linear_rnn.distance import distance
from verification.linear_rnn.exponential_sum import ExponentialSum
from verification.linear_rnn.pieces import of_parts
from verification.linear_rnn.power_law_width import entry, is_stored, witness_error
from verification.linear_rnn.trapezoidal_rule import TrapezoidalRule

WIDTHS = (1, 2, 4, 6, 8, 10, 14)
"""Those of the near-best networks that are tried."""

LEAST_ERROR = Fraction(1, 10**6)
"""At this error the search for wider networks ends."""

_BITS = 6


@dataclass(frozen=True, kw_only=True)
class Witness:
    """A network, its width, and an upper bound of its error at the lowest precision."""

    network: Network | ExponentialSum | TrapezoidalRule | None
    width: int
    error: float


def witness(instance: LinearFunctional, error: Fraction) -> Witness | None:
    """Return a network whose error is certainly at most `error`, None where none is known."""
    law = single_law(tuple(of_parts(parts) for parts in instance.target))
    if law is not None:
        size, w = abs(law.law.coefficient), law.law.exponent
        found = law_witness(w, error / size)
        with precision(PRECISIONS[0]):
            upper = upper_double(witness_error(w, found).upper * ball(size))
        if Fraction(upper) > error:
            return None
        width = found.count if isinstance(found, TrapezoidalRule) else found.width
        return Witness(network=found, width=width, error=upper)
    return next(
        (each for each in _candidates(instance.target) if Fraction(each.error) <= error), None
    )


def error_of(instance: LinearFunctional, found: Witness) -> Between:
    """Enclose the error of a witness; of a trapezoidal rule, bound it."""
    law = single_law(tuple(of_parts(parts) for parts in instance.target))
    if law is not None and isinstance(found.network, ExponentialSum | TrapezoidalRule):
        size = ball(abs(law.law.coefficient))
        return witness_error(law.law.exponent, found.network).map(lambda x: x * size)
    if isinstance(found.network, ExponentialSum | TrapezoidalRule):
        raise TypeError("a witness for a power law was taken for one of another target")
    return distance(instance.target, found.network, working_precision(), _BITS)


def law_witness(exponent: Fraction, error: Fraction) -> ExponentialSum | TrapezoidalRule:
    """Return the sum of the table for this error, else the rule."""
    from verification.linear_rnn.power_law_search import rule_of_error  # noqa: PLC0415 - scipy

    if is_stored(exponent, error):
        return entry(exponent, error).witness
    return rule_of_error(exponent, error)


@lru_cache(maxsize=16)
def _candidates(target: tuple[tuple[Part, ...], ...]) -> tuple[Witness, ...]:
    """Return networks of growing width, up to one whose error is below `LEAST_ERROR`."""
    from verification.linear_rnn.near_best import near_best_network  # noqa: PLC0415 - loads scipy

    functions = tuple(of_parts(parts) for parts in target)
    found: list[Witness] = []
    for width in WIDTHS:
        heed_deadline()
        network = near_best_network(functions, width)
        try:
            with precision(PRECISIONS[0]):
                reached = upper_double(distance(target, network, PRECISIONS[0], _BITS).upper)
        except NotEnclosed:
            heed_deadline()
            continue
        found.append(Witness(network=network, width=width, error=reached))
        if Fraction(reached) <= LEAST_ERROR:
            break
    return tuple(found)
