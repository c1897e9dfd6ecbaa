"""Moments by doubling in doubles, against balls at 256 bits, enumeration and a closed form."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from enumerated_paths import KNOWN, chain_of, mean_over_paths, ring
from hypothesis import given
from hypothesis import strategies as st

from verification.campaign.strategies import chains
from verification.enclosure.balls import ball, end_points, precision, symmetric
from verification.enclosure.doubles import ONE, Rounded
from verification.errors import NotEnclosed
from verification.instance import Chain
from verification.markov import doubled_moments as module
from verification.markov import fluctuation
from verification.markov.doubled_moments import doubled_moments
from verification.markov.fluctuation import moments

F = Fraction

rationals = st.fractions(min_value=-2, max_value=2, max_denominator=6)


@pytest.fixture(autouse=True)
def _bits():
    with precision(128):
        yield


def enclose(found, exact, width) -> None:
    for x, truth in zip(found, exact, strict=True):
        low, high = end_points(x)
        true_low, true_high = end_points(ball(truth))
        assert low <= true_high
        assert true_low <= high
        assert high - low <= width


def random_chain(size: int, successors: int, seed: int) -> Chain:
    rng = random.Random(seed)
    rows = []
    for i in range(size):
        row = [F(0)] * size
        for j in [(i + 1) % size, *rng.sample(range(size), successors - 1)]:
            row[j] += F(1, successors)
        rows.append(row)
    return chain_of(rows)


@given(chains(max_states=3), st.data())
def test_moments_are_those_of_all_paths(chain, data):
    size = chain.n_states
    observable = data.draw(st.lists(rationals, min_size=size, max_size=size))
    steps = data.draw(st.integers(0, 6))
    for order, found in enumerate(doubled_moments(chain, observable, steps), start=1):
        exact = [
            mean_over_paths(
                chain,
                start,
                steps,
                lambda path, order=order: sum((observable[i] for i in path), F(0)) ** order,
            )
            for start in range(size)
        ]
        enclose(found, exact, F(1, 2**38))


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("steps", [0, 1, 2, 3, 63, 64, 1_000])
def test_moments_are_those_in_balls(name, steps):
    chain = KNOWN[name]
    values = [F(1, 3), F(2, 7), F(-1)][: chain.n_states]
    exact = moments(chain, values, steps, centre=F(0))
    mean, square = doubled_moments(chain, values, steps)
    enclose(mean, exact.mean, F(1, 2**30))
    enclose(square, exact.square, F(1, 2**20))


def test_long_sums_of_a_centred_function_are_known_to_many_digits():
    # Eigenvalue 1/2: the variance grows by sigma^2 = 2 <f, u> - <f, f> = 3, f = +-1, u = 2f.
    chain = chain_of([[F(3, 4), F(1, 4)], [F(1, 4), F(3, 4)]])
    steps = 10**6
    mean, square = doubled_moments(chain, [F(1), F(-1)], steps)
    enclose(mean, [2, -2], F(1, 10**6))
    # n + 2 sum_{k<n} (n - k) 2^-k = 3n - 4 + 2^(2 - n).
    enclose(square, [3 * steps - 4] * 2, F(1))


@pytest.mark.parametrize("steps", [65, 1_000])
def test_larger_chains_are_summed_in_doubles_while_the_precision_is_low(steps, monkeypatch):
    chain = random_chain(140, 3, seed=steps)
    observable = [F(i % 11 - 5, 3) for i in range(140)]
    exact = moments(chain, observable, steps, centre=F(1, 7))
    assert max(end_points(x)[1] - end_points(x)[0] for x in exact.square) < F(1, 2**60)
    with precision(64):
        found = moments(chain, observable, steps, centre=F(1, 7))
    scale = max(end_points(x)[1] for x in exact.square)
    enclose(found.square, exact.square, scale / 2**20)
    enclose(found.mean, exact.mean, steps * F(1, 2**30))
    widths = [high - low for low, high in map(end_points, found.square)]
    # What doubles cannot tell; balls at 64 bits would be narrower.
    assert min(widths) > scale / 2**50

    monkeypatch.setattr(fluctuation, "doubled_moments", None)
    with precision(64):
        moments(chain, observable, fluctuation._MANY_STEPS, centre=F(1, 7))
        with pytest.raises(TypeError):
            moments(chain, observable, fluctuation._MANY_STEPS + 1, centre=F(1, 7))


def test_an_uncertain_centre_is_counted():
    chain = ring(7)
    values = [F(i * i % 7) for i in range(7)]
    off = F(1, 1000)
    with precision(64):
        low, high = (
            moments(chain, [v + side * off for v in values], 10, centre=F(2)).square
            for side in (-1, 1)
        )
        found = doubled_moments(
            chain, [ball(value - 2) + symmetric(ball(off)) for value in values], 10
        )[1]
    for x, *truths in zip(found, low, high, strict=True):
        for truth in truths:
            assert end_points(x)[0] <= end_points(ball(truth))[1]
            assert end_points(ball(truth))[0] <= end_points(x)[1]
        # |S| <= 40: 2 |S| n off, and as much again for what its own bound gives away.
        assert end_points(x)[1] - end_points(x)[0] <= 8 * 40 * 10 * off


@pytest.mark.parametrize("seed", range(4))
def test_a_sum_of_products_errs_by_no_more_than_its_bound(seed):
    """Arrays that are off by a known amount, in exact arithmetic."""
    rng = np.random.default_rng(seed)

    def array(*shape):
        exact = rng.integers(-8, 9, size=shape) / 8
        off = rng.integers(-1, 2, size=shape) / 2**20
        norm = np.abs(off).sum(axis=1).max() if len(shape) == 2 else np.abs(off).max()
        found = exact + off
        bounds = Rounded(module._norm(found), F(float(norm)))
        return exact, module._Enclosed(values=found, bounds=bounds)

    (a, got_a), (b, got_b), (x, got_x), (y, got_y) = (
        array(5, 5),
        array(5, 5),
        array(5),
        array(5),
    )
    times = module._Times
    one = module._Enclosed(values=np.eye(5), bounds=ONE)
    for exact, found in (
        (a @ b + b @ a, module._sum_of(times(got_a, got_b), times(got_b, got_a))),
        (
            x + 2 * (a @ y) + b @ x,
            module._sum_of(got_x, times(got_a, got_y, 2), times(got_b, got_x)),
        ),
        (2 * x, module._sum_of(times(one, got_x, 2))),
        (x * y, module._sum_of(times(got_x, got_y))),
        (x[:, np.newaxis] * a, module._sum_of(times(got_x, got_a))),
    ):
        # Sums of a few products of 24-bit numbers are exact in doubles.
        off = np.abs(found.values - exact)
        assert F(float(off.max() if off.ndim == 1 else off.sum(axis=1).max())) <= found.bounds.error
        # Norms of at most 5, off by 5 each at most, in two products of matrices.
        assert found.bounds.error <= F(101, 2**20)
        norms = np.abs(found.values)
        assert F(float(norms.max() if norms.ndim == 1 else norms.sum(axis=1).max())) <= (
            found.bounds.size
        )


def test_a_power_is_a_power_within_its_error():
    chain = random_chain(6, 3, seed=1)
    matrix = [[F(0)] * 6 for _ in range(6)]
    for i, row in enumerate(chain.rows):
        for j, p in row:
            matrix[i][j] = p
    for exponent in range(4):
        found = module._power_of_two(chain, exponent)
        off = max(
            sum(abs(F(float(x)) - truth) for x, truth in zip(got, row, strict=True))
            for got, row in zip(found.values, matrix, strict=True)
        )
        assert off <= found.bounds.error <= F(1, 2**43)
        assert max(sum(F(float(x)) for x in row) for row in found.values) <= found.bounds.size
        matrix = [
            [sum((matrix[i][k] * matrix[k][j] for k in range(6)), F(0)) for j in range(6)]
            for i in range(6)
        ]


def test_what_doubles_cannot_hold_is_refused():
    with pytest.raises(NotEnclosed):
        doubled_moments(ring(5), [F(10) ** 200] * 5, 10)


def test_matrices_are_not_made_for_large_chains():
    with precision(64), pytest.raises(NotEnclosed, match="401 states"):
        moments(ring(401), [F(i % 2) for i in range(401)], 1_000, centre=F(1, 2))
