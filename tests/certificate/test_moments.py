"""The checker's second moments, in balls, against the sum over all paths in rationals."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product
from math import prod

import pytest

from verification import gallery
from verification.certificate.check.claims.moment_claims import second_moments
from verification.certificate.check.instances import Instance
from verification.certificate.check.markov.chains import Chain
from verification.certificate.check.numbers.balls import bounds, precision
from verification.certificate.check.outcome import Budget
from verification.markov.finite import stationary_law

SUBJECT = gallery.load("rain-tel-aviv")
VALUES = (Fraction(-1, 3), Fraction(2))


def over_all_paths(steps):
    rows = [dict(row) for row in SUBJECT.chain.rows]
    found = []
    for start in range(2):
        paths = [(start, *rest) for rest in product(range(2), repeat=steps - 1)]
        found.append(
            sum(
                prod((rows[i].get(j, 0) for i, j in pairwise(path)), start=1)
                * sum(VALUES[i] for i in path) ** 2
                for path in paths
            )
        )
    return found


@pytest.mark.parametrize("steps", [1, 2, 4, 5, 6, 7, 8, 11])
def test_second_moments_are_the_mean_over_all_paths(steps):
    """Up to four steps one by one, more by doubling."""
    instance = Instance(
        "rain", SUBJECT.chain.rows, SUBJECT.chain.inputs, SUBJECT.chain.targets, 0, (), None
    )
    chain = Chain(instance, tuple(stationary_law(SUBJECT.chain)), Budget())
    with precision(128):
        found = [bounds(x) for x in second_moments(chain, VALUES, steps)]
    for enclosed, truth in zip(found, over_all_paths(steps), strict=True):
        assert enclosed.lower <= truth <= enclosed.upper
        assert enclosed.upper - enclosed.lower < Fraction(1, 2**100)
