"""The largest of n draws: exact on laws with few values, and attained by a continuous one."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import prod

import pytest

from verification.statistics.tolerance import content_lower

F = Fraction


@pytest.mark.parametrize("draws", [1, 2, 5, 32, 1000, 100_000])
@pytest.mark.parametrize("level", [F(1, 20), F(1, 80), F(1, 10**6)])
def test_it_is_the_largest_share_in_thousandths(draws, level):
    """Of a continuous law the share below the largest is Beta(n, 1): it is p with level p^n."""
    share = content_lower(draws, level)
    assert (1000 * share).denominator == 1
    assert share**draws <= level
    assert (share + F(1, 1000)) ** draws > level or share == F(999, 1000)


def test_known_values():
    """0.05^(1/32) = 0.9106, and 59 draws are the least for 95 % with confidence 95 %."""
    assert content_lower(32, F(1, 20)) == F(910, 1000)
    assert content_lower(58, F(1, 20)) < F(95, 100) <= content_lower(59, F(1, 20))
    assert content_lower(1, F(1, 20)) == F(5, 100)


@pytest.mark.parametrize(
    "masses", [(F(1, 2), F(1, 2)), (F(9, 10), F(1, 10)), (F(1, 5), F(3, 10), F(1, 2)), (F(1),)]
)
@pytest.mark.parametrize("draws", [1, 2, 4])
@pytest.mark.parametrize("level", [F(1, 20), F(1, 3), F(9, 10)])
def test_it_holds_for_laws_with_few_values(masses, draws, level):
    share = content_lower(draws, level)
    below = list(itertools.accumulate(masses))
    wrong = sum(
        prod(masses[i] for i in drawn)
        for drawn in itertools.product(range(len(masses)), repeat=draws)
        if below[max(drawn)] < share
    )
    assert wrong <= level
