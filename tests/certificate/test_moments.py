"""The checker's moments and laws of sums, against sums over all paths in rationals."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product
from math import prod
from types import SimpleNamespace

import pytest

from verification.certificate.check.claims.moment_claims import second_moments
from verification.certificate.check.claims.moving_claims import (
    _drifting,
    _switched_at_visit,
    covariances,
    summed_variances,
)
from verification.certificate.check.claims.tail_claims import Sums, _means
from verification.certificate.check.markov.chains import Chain
from verification.certificate.check.markov.sums import lattice, law_of_sum
from verification.certificate.check.numbers.balls import bounds, precision
from verification.certificate.check.numbers.bounds import Bounds
from verification.certificate.check.outcome import Budget, Refused

ROWS = (
    ((0, Fraction(1, 3)), (1, Fraction(2, 3))),
    ((0, Fraction(1, 4)), (1, Fraction(1, 4)), (2, Fraction(1, 2))),
    ((0, Fraction(1)),),
)
LAW = (Fraction(3, 7), Fraction(8, 21), Fraction(4, 21))
VALUES = (Fraction(-1, 3), Fraction(2), Fraction(1, 2))
SLOPE = (Fraction(1), Fraction(-1, 5), Fraction(3))


@pytest.fixture
def chain():
    return Chain(SimpleNamespace(rows=ROWS, size=3), LAW, Budget())


def paths_from(start, steps):
    """List all paths of so many states, with their probabilities."""
    rows = [dict(row) for row in ROWS]
    for rest in product(range(3), repeat=steps - 1):
        path = (start, *rest)
        p = prod((rows[i].get(j, 0) for i, j in pairwise(path)), start=Fraction(1))
        if p:
            yield path, p


def mean_square(steps, total):
    return [sum(p * total(path) ** 2 for path, p in paths_from(i, steps)) for i in range(3)]


def contains(found, truth):
    assert found.lower <= truth <= found.upper
    assert found.upper - found.lower < Fraction(1, 2**80)


@pytest.mark.parametrize("steps", [1, 2, 5, 6, 7, 8])
def test_second_moments_are_the_mean_over_all_paths(chain, steps):
    """Up to six steps one by one, more by doubling."""
    with precision(128):
        found = [bounds(x) for x in second_moments(chain, VALUES, steps)]
    truths = mean_square(steps, lambda path: sum(VALUES[i] for i in path))
    for enclosed, truth in zip(found, truths, strict=True):
        contains(enclosed, truth)


@pytest.mark.parametrize("steps", [2, 3, 6])
def test_drifting_sums_have_the_mean_square_over_all_paths(chain, steps):
    with precision(128):
        found = [bounds(x) for x in _drifting(chain, VALUES, SLOPE, steps)]
    truths = mean_square(
        steps,
        lambda path: sum(VALUES[i] + Fraction(k, steps) * SLOPE[i] for k, i in enumerate(path)),
    )
    for enclosed, truth in zip(found, truths, strict=True):
        contains(enclosed, truth)


@pytest.mark.parametrize("state", [0, 1, 2])
@pytest.mark.parametrize("steps", [1, 2, 6])
def test_sums_that_switch_have_the_mean_square_over_all_paths(chain, state, steps):
    def total(path):
        first = path.index(state) if state in path else len(path)
        return sum(VALUES[i] if k < first else -VALUES[i] for k, i in enumerate(path))

    with precision(128):
        found = [bounds(x) for x in _switched_at_visit(chain, VALUES, state, steps)]
    for enclosed, truth in zip(found, mean_square(steps, total), strict=True):
        contains(enclosed, truth)


@pytest.mark.parametrize("steps", [2, 5])
def test_variances_of_moving_solutions_are_summed(chain, steps):
    def variance(values, i):
        mean = sum(p * values[j] for j, p in ROWS[i])
        return sum(p * (values[j] - mean) ** 2 for j, p in ROWS[i])

    def moved(k):
        return [u + Fraction(k, steps) * w for u, w in zip(VALUES, SLOPE, strict=True)]

    truth = sum(max(variance(moved(k), i) for i in range(3)) for k in range(steps))
    even = [Fraction(k, steps) for k in range(steps)]
    contains(summed_variances(chain, VALUES, SLOPE, even, 128), truth)
    assert covariances(chain, VALUES, VALUES) == [variance(VALUES, i) for i in range(3)]


@pytest.mark.parametrize("start", [0, 1, 2])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_the_law_of_a_sum_is_what_all_paths_say(chain, start, steps):
    law = law_of_sum(chain, VALUES, start, steps)
    expected: dict[int, Fraction] = {}
    for path, p in paths_from(start, steps):
        k = (sum(VALUES[i] for i in path) - law.base) / law.unit
        expected[int(k)] = expected.get(int(k), 0) + p
    assert 0 <= law.missing < 2**20
    for k, probability in enumerate(law.probabilities):
        assert 0 <= expected.get(k, 0) - Fraction(probability, 2**96) <= Fraction(2**20, 2**96)
    centre, threshold = Bounds.exactly(Fraction(1)), Bounds.exactly(Fraction(3, 2))
    truth = sum(
        p for path, p in paths_from(start, steps) if abs(sum(VALUES[i] for i in path) - 1) >= 1.5
    )
    contains(law.beyond(centre, threshold), truth)


def test_a_threshold_that_a_sum_may_meet_counts_from_one_side_only(chain):
    law = law_of_sum(chain, VALUES, 1, 2)
    value = 2 + VALUES[2]
    near = Bounds(Fraction(-1, 10**9), Fraction(1, 10**9))
    found = law.beyond(near, Bounds.exactly(value))
    assert Fraction(1, 4) - Fraction(1, 2**70) <= found.lower <= Fraction(1, 4)
    # The path to 1 lies beyond for certain, the path to 2 within the doubt.
    assert Fraction(3, 4) <= found.upper <= Fraction(3, 4) + Fraction(1, 2**70)


def test_means_and_squares_of_oscillations(chain):
    expected, squares = _means(Sums(chain), VALUES, 4)
    for i, found in enumerate(expected):
        contains(found, sum(p * sum(VALUES[j] for j in path) for path, p in paths_from(i, 4)))
    truth = Fraction(0)
    for steps in (1, 2, 3):
        means = [
            sum(p * sum(VALUES[j] for j in path) for path, p in paths_from(i, steps))
            for i in range(3)
        ]
        truth += (max(means) - min(means)) ** 2
    contains(squares, truth)


def test_a_lattice_is_the_coarsest():
    assert lattice(VALUES, Budget()) == (Fraction(-1, 3), Fraction(1, 6), [0, 14, 5])
    assert lattice((Fraction(2),) * 2, Budget()) == (2, 1, [0, 0])


def test_a_long_sum_of_many_values_is_refused_before_any_work(chain):
    fine = (Fraction(0), Fraction(1), Fraction(1, 10**12))
    with pytest.raises(Refused, match="operations"):
        law_of_sum(chain, fine, 0, 400)
