"""How far a stationary law moves with the transition matrix (E6), in rationals.

The claim is about any G with ``(I - P) G = I - 1 pi``.  Here it is the deviation matrix: its column
j is the solution u_j of the Poisson equation ``u - P u = 1_j - pi_j``, ``pi(u) = 0``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from verification.certificate.check.instances import Instance
from verification.certificate.check.markov.chains import Chain, Vector
from verification.certificate.check.numbers.bounds import Bounds, Shown
from verification.certificate.check.outcome import Budget
from verification.certificate.check.reading import Node

_ZERO = Fraction(0)
_LARGEST_DISTANCE = 2


@dataclass(frozen=True)
class Sensitive:
    """A chain, and tau: half the largest distance of two rows of its deviation matrix."""

    chain: Chain
    tau: Fraction


def read_sensitive_chain(instance: Instance, witness: Node, budget: Budget) -> Sensitive:
    """Verify the stationary law and the columns of the deviation matrix."""
    members = witness.fields(("stationary_law", "solutions"))
    size = instance.size
    chain = Chain(instance, members["stationary_law"].vector(size), budget)
    columns = [item.vector(size) for item in members["solutions"].elements(size, size)]
    for j, column in enumerate(columns):
        chain.require_solution(tuple(Fraction(i == j) for i in range(size)), column)
    return Sensitive(chain, _widest(columns, budget) / 2)


def _widest(columns: list[Vector], budget: Budget) -> Fraction:
    """Return the largest distance of two rows of the matrix with these columns."""
    size = len(columns)
    common = 1
    for column in columns:
        common = lcm(common, *(x.denominator for x in column))
        budget.spend(size, common.bit_length())
    whole = [
        [column[i].numerator * (common // column[i].denominator) for column in columns]
        for i in range(size)
    ]
    longest = max(abs(x) for row in whole for x in row).bit_length()
    budget.spend(size**3 // 2, max(longest, common.bit_length()))
    distances = (
        sum(abs(x - y) for x, y in zip(whole[i], whole[k], strict=True))
        for i in range(size)
        for k in range(i)
    )
    return Fraction(max(distances, default=0), common)


def moved_law(context: Sensitive, case: Node, _claimed: Bounds) -> Shown:
    """``|pi' - pi|_1 <= tau max_i sum_j |P'_ij - P_ij|``, pi' a stationary law of P'."""
    chain = context.chain
    size = chain.size
    members = case.fields(("transition", "stationary_law"))
    rows = [line.vector(size) for line in members["transition"].elements(size, size)]
    law = members["stationary_law"].vector(size)
    longest = max(x.denominator for x in (*law, *(p for row in rows for p in row))).bit_length()
    # Sums over a common denominator may be as long as all of theirs together.
    chain.budget.spend(4 * size * size, size * longest)
    for i, row in enumerate(rows):
        if min(row) < 0 or sum(row) != 1:
            members["transition"].invalid(f"row {i} holds no probabilities that sum to 1")
    carried = tuple(
        sum((p * row[j] for p, row in zip(law, rows, strict=True)), _ZERO) for j in range(size)
    )
    if min(law) < 0 or sum(law) != 1 or carried != law:
        members["stationary_law"].invalid("is not a stationary law of the changed chain")
    changes = [_distance(new, tuple(old)) for new, old in zip(rows, chain.dense(), strict=True)]
    if not any(changes):
        members["transition"].refuse("another matrix than the instance's")
    bound = context.tau * max(changes)
    if bound >= _LARGEST_DISTANCE:
        members["transition"].invalid("is so far away that the bound is that of any two laws")
    return Shown(
        f"|P' - P| = {float(max(changes)):.3g}",
        Bounds.exactly(_distance(law, chain.law)),
        Bounds.exactly(bound),
    )


def _distance(first: Vector, second: Vector) -> Fraction:
    return sum((abs(a - b) for a, b in zip(first, second, strict=True)), _ZERO)
