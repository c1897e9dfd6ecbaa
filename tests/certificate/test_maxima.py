"""The checker's mean square of the largest sum, against the mean over all paths in rationals."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate, pairwise, product
from math import prod

import pytest

from verification.certificate.check.markov.maxima import (
    Walk,
    mean_squared_maximum,
    rounded,
)
from verification.certificate.check.numbers.lattices import largest_common_divisor
from verification.certificate.check.outcome import Budget, Refused

ROWS = (
    ((0, Fraction(1, 3)), (1, Fraction(2, 3))),
    ((0, Fraction(1, 4)), (1, Fraction(1, 4)), (2, Fraction(1, 2))),
    ((0, Fraction(1)),),
)
FIRST = (Fraction(-1, 3), Fraction(2), Fraction(1, 2))
SECOND = (Fraction(1, 7), Fraction(-2), Fraction(1, 5))
CLOSE = Fraction(1, 10**9)
WALKS = {
    "one step": [FIRST],
    "a few": [FIRST] * 5,
    "moving": [FIRST, SECOND, FIRST, SECOND, SECOND, FIRST],
    "nothing": [(Fraction(0),) * 3] * 3,
}


def over_all_paths(walk):
    rows = [dict(row) for row in walk.rows]
    truth = Fraction(0)
    for rest in product(range(len(rows)), repeat=len(walk.values) - 1):
        path = (walk.start, *rest)
        p = prod((rows[i].get(j, 0) for i, j in pairwise(path)), start=Fraction(1))
        sums = accumulate(values[i] for values, i in zip(walk.values, path, strict=True))
        truth += p * max(map(abs, sums)) ** 2
    return truth


def mean_square(walk, tolerance, enough=lambda _: True):
    return mean_squared_maximum(walk, Budget(), tolerance, enough)


@pytest.mark.parametrize("start", [0, 1, 2])
@pytest.mark.parametrize("name", WALKS)
def test_the_mean_square_is_that_over_all_paths(name, start):
    walk = Walk(ROWS, WALKS[name], start)
    truth = over_all_paths(walk)
    for tolerance in (Fraction(1, 4), Fraction(1, 32), CLOSE):
        found = mean_square(walk, tolerance)
        assert found.lower <= truth <= found.upper
        assert found.upper - found.lower <= tolerance * found.lower


def test_more_places_are_looked_at_until_the_bound_is_low_enough():
    walk = Walk(ROWS, WALKS["moving"], 1)
    truth = over_all_paths(walk)
    rough = mean_square(walk, Fraction(1, 4))
    fine = mean_square(walk, Fraction(1, 4), lambda upper: upper <= truth * (1 + CLOSE))
    assert rough.upper > truth * (1 + CLOSE) >= fine.upper >= truth


def test_a_coarser_walk_is_as_far_off_as_it_says():
    walk = Walk(ROWS, WALKS["moving"], 0)
    coarse, off = rounded(walk, Fraction(1, 3), Budget())
    assert 0 < off <= Fraction(1, 6) * 6
    apart = over_all_paths(walk), over_all_paths(coarse)
    assert abs(float(apart[0]) ** 0.5 - float(apart[1]) ** 0.5) <= off
    distances = [
        sum(abs(x[i] - y[i]) for x, y, i in zip(walk.values, coarse.values, path, strict=True))
        for path in product(range(3), repeat=6)
    ]
    assert max(distances) <= off
    assert rounded(walk, Fraction(1, 10**6), Budget()) == (walk, 0)


def test_divisors():
    assert largest_common_divisor([Fraction(1, 2), Fraction(-1, 3)], Budget()) == Fraction(1, 6)
    assert largest_common_divisor([Fraction(4), Fraction(6)], Budget()) == 2
    assert largest_common_divisor([Fraction(0)], Budget()) == 1


def test_a_fine_lattice_is_refused_before_any_work():
    fine = (Fraction(0), Fraction(1), Fraction(1, 10**12))
    with pytest.raises(Refused, match="operations"):
        mean_square(Walk(ROWS, [fine] * 400, 0), CLOSE)
