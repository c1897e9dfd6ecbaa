"""Second moments of sums, against enumeration, closed forms and three algorithms for one number."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from enumerated_paths import (
    COIN,
    CYCLE,
    GENERAL,
    KNOWN,
    ONE_STATE,
    STICKY,
    chain_of,
    ends,
    mean_over_paths,
    ring,
)
from hypothesis import given
from hypothesis import strategies as st

from verification.campaign.strategies import chains
from verification.enclosure.balls import ball, precision
from verification.enclosure.matrix import Matrix
from verification.errors import NotEnclosed
from verification.markov import fluctuation
from verification.markov.finite import transition_matrix
from verification.markov.fluctuation import (
    drifting_second_moments,
    moments,
    second_moments,
    second_moments_of_sequence,
)

F = Fraction
HALF = F(1, 2)
OBSERVABLE = (F(1, 3), F(2, 7), F(-1))

rationals = st.fractions(min_value=-2, max_value=2, max_denominator=6)


@pytest.fixture(autouse=True)
def _bits():
    with precision(128):
        yield


def is_exact(numbers) -> bool:
    return all(isinstance(x, Fraction) for x in numbers)


def two_state_moments(a, b, f, centre, steps) -> list[tuple[Fraction, Fraction]]:
    """Return E_i[S_n] and E_i[S_n^2] in closed form: P has the eigenvalues 1 and l = 1 - a - b.

    Only for f centred at its mean, where P^k (f - centre) = l^k (f - centre).
    """
    law, eigenvalue = (b / (a + b), a / (a + b)), 1 - a - b
    assert law[0] * f[0] + law[1] * f[1] == centre
    power, gap = eigenvalue**steps, 1 - eigenvalue
    centred = [value - centre for value in f]
    mean = sum(p * x * x for p, x in zip(law, centred, strict=True))
    found = []
    for x in centred:
        first = x * (1 - power) / gap
        # b_n = sum_k P^k [x^2 (1 + 2 l (1 - l^(n-1-k)) / (1 - l))]
        constant = mean * (
            steps * (1 + 2 * eigenvalue / gap) - 2 * eigenvalue * (1 - power) / gap**2
        )
        varying = (x * x - mean) * (
            (1 + 2 * eigenvalue / gap) * (1 - power) / gap - 2 * steps * power / gap
        )
        found.append((first, constant + varying))
    return found


# One function for all times.


@given(chains(max_states=3), st.data())
def test_moments_are_those_of_all_paths(chain, data):
    size = chain.n_states
    observable = data.draw(st.lists(rationals, min_size=size, max_size=size))
    steps, centre = data.draw(st.integers(0, 6)), data.draw(rationals)
    found = moments(chain, observable, steps, centre=centre)
    assert is_exact(found.mean + found.square)
    assert second_moments(chain, observable, steps, centre=centre) == found.square
    for start in range(size):
        for order, numbers in ((1, found.mean), (2, found.square)):
            truth = mean_over_paths(
                chain,
                start,
                steps,
                lambda path, order=order: (
                    sum((observable[i] - centre for i in path), F(0)) ** order
                ),
            )
            assert numbers[start] == truth


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 8, 13, 31, 32])
def test_doubling_is_exactly_the_recursion(name, steps):
    chain = KNOWN[name]
    matrix = transition_matrix(chain)
    values = Matrix.column(OBSERVABLE[: chain.n_states])
    by_doubling = fluctuation._by_doubling(matrix, values, steps)
    by_recursion = fluctuation._by_recursion(matrix, values, steps)
    for doubled, recurred in zip(by_doubling, by_recursion, strict=True):
        assert doubled.is_exact
        assert doubled.numbers() == recurred.numbers()


@pytest.mark.parametrize("name", KNOWN)
def test_long_exact_sums_are_those_of_the_recursion_in_integers(name, monkeypatch):
    chain, steps = KNOWN[name], 150
    values, centre = OBSERVABLE[: chain.n_states], F(1, 4)
    monkeypatch.setattr(fluctuation, "EXACT_BITS", 10**6)
    expected = fluctuation._exactly(chain, [value - centre for value in values], steps)
    monkeypatch.setattr(fluctuation, "_exactly", None)
    assert moments(chain, values, steps, centre=centre) == expected


@given(chain=chains(max_states=4), data=st.data(), steps=st.integers(0, 40))
def test_the_recursion_in_integers_is_that_in_matrices(chain, data, steps):
    numbers = st.fractions(min_value=-3, max_value=3, max_denominator=9)
    size = chain.n_states
    values = data.draw(st.lists(numbers, min_size=size, max_size=size))
    found = fluctuation._exactly(chain, values, steps)
    matrices = fluctuation._by_recursion(transition_matrix(chain), Matrix.column(values), steps)
    assert [found.mean, found.square] == [tuple(each.numbers()) for each in matrices]


@pytest.mark.parametrize("steps", [1, 2, 50])
@pytest.mark.parametrize(("a", "b"), [(F(1, 4), F(1, 3)), (F(3, 4), F(1, 2)), (F(1), F(1))])
def test_two_states_have_a_closed_form(a, b, steps):
    chain, f = chain_of([[1 - a, a], [b, 1 - b]]), (F(2), F(-1, 3))
    centre = (b * f[0] + a * f[1]) / (a + b)
    found = moments(chain, f, steps, centre=centre)
    closed = two_state_moments(a, b, f, centre, steps)
    assert is_exact(found.square)
    assert list(zip(found.mean, found.square, strict=True)) == closed


@pytest.mark.parametrize("steps", [1, 10, 10**6])
def test_the_coin_has_a_quarter_for_each_step(steps):
    for number in second_moments(COIN, [F(0), F(1)], steps, centre=HALF):
        low, high = ends(number)
        assert low <= F(steps, 4) <= high
        assert high - low <= F(steps, 2**90)


def test_a_million_steps_of_a_sticky_chain():
    # 2**-10**6 is neglected: far below the width that is asked for.
    found = second_moments(STICKY, [F(0), F(1)], 10**6, centre=HALF)
    mean, eigenvalue = F(1, 4), HALF
    truth = mean * (10**6 * (1 + 2 * eigenvalue / HALF) - 2 * eigenvalue / HALF**2)
    for number in found:
        low, high = ends(number)
        assert low - F(1, 2**200) <= truth <= high + F(1, 2**200)
        assert high - low <= truth / 2**85


@pytest.mark.parametrize("name", KNOWN)
def test_balls_contain_the_rationals_and_are_narrow(name, monkeypatch):
    chain, steps = KNOWN[name], 61
    observable = OBSERVABLE[: chain.n_states]
    exact = moments(chain, observable, steps, centre=F(1, 7))
    assert is_exact(exact.square)
    monkeypatch.setattr(fluctuation, "EXACT_BITS", 0)
    for products in (0, 10**9):
        monkeypatch.setattr(fluctuation, "_products_of_doubling", lambda *_, n=products: n)
        found = moments(chain, observable, steps, centre=F(1, 7))
        for number, truth in zip(found.mean + found.square, exact.mean + exact.square, strict=True):
            assert not isinstance(number, Fraction)
            low, high = ends(number)
            assert low <= truth <= high
            # At most 2 for each step and state; every operation errs by 2**-126 or so of that.
            assert high - low <= F(4 * steps**2, 2**110)


def test_a_centre_that_is_a_ball():
    found = second_moments(GENERAL, OBSERVABLE, 20, centre=ball(F(1, 3)))
    exact = second_moments(GENERAL, OBSERVABLE, 20, centre=F(1, 3))
    for number, truth in zip(found, exact, strict=True):
        low, high = ends(number)
        assert low <= truth <= high
        assert high - low <= F(1, 2**100)


def test_absolute_values_are_summed_without_centring():
    # What the sign of f - c times f - c adds up to.
    absolute = [abs(value - F(1, 5)) for value in OBSERVABLE]
    found = second_moments(GENERAL, absolute, 6, centre=F(0))
    for start in range(3):
        truth = mean_over_paths(GENERAL, start, 6, lambda path: sum(absolute[i] for i in path) ** 2)
        assert found[start] == truth


@pytest.mark.parametrize("chain", [COIN, CYCLE, ONE_STATE])
def test_a_constant_observable(chain):
    at_mean = second_moments(chain, [F(2, 3)] * chain.n_states, 10, centre=F(2, 3))
    off_mean = second_moments(chain, [F(2, 3)] * chain.n_states, 10, centre=F(0))
    assert at_mean == (F(0),) * chain.n_states
    assert off_mean == (F(400, 9),) * chain.n_states


def test_a_negative_number_of_steps_is_refused():
    with pytest.raises(ValueError, match="at least 0"):
        second_moments(COIN, [F(0), F(1)], -1, centre=HALF)


def test_many_states_are_refused():
    with pytest.raises(NotEnclosed, match="states"):
        second_moments(ring(500), [F(0)] * 500, 3, centre=F(0))


# A function for each time.


@given(chains(max_states=3), st.data())
def test_sequences_are_those_of_all_paths(chain, data):
    size = chain.n_states
    eighths = st.integers(-16, 16).map(lambda k: F(k, 8))
    steps = data.draw(st.integers(0, 6))
    functions = data.draw(
        st.lists(st.lists(eighths, min_size=size, max_size=size), min_size=steps, max_size=steps)
    )
    doubles = np.array(functions, dtype=float).reshape(steps, size)
    sides = second_moments_of_sequence(chain, doubles, error=F(0))
    assert len(sides) == size
    for start, side in enumerate(sides):
        truth = mean_over_paths(
            chain,
            start,
            steps,
            lambda path: sum((functions[k][i] for k, i in enumerate(path)), F(0)) ** 2,
        )
        low, high = ends(side)
        assert low <= truth <= high
        # |g| <= 2, |a| <= 12, |b| <= 144: some hundred roundings of numbers below 144 a step.
        assert high - low <= F(steps * 144 * 200 + 1, 2**53)


def test_errors_of_the_functions_are_carried():
    rng = np.random.default_rng(2)
    functions, error = rng.normal(size=(30, 3)), F(1, 1000)
    sides = second_moments_of_sequence(GENERAL, functions, error=error)
    for signs in (1, -1, rng.choice([-1, 1], size=(30, 3))):
        moved = second_moments_of_sequence(GENERAL, functions + float(error) * signs, error=F(0))
        for side, inside in zip(sides, moved, strict=True):
            (low, high), (least, most) = ends(side), ends(inside)
            assert low <= most
            assert least <= high
    # Where every function is 0 the worst case is attained: (n error)^2, up to rounding.
    (low, high), *_ = map(ends, second_moments_of_sequence(GENERAL, np.zeros((30, 3)), error=error))
    assert low == 0
    assert (30 * error) ** 2 <= high <= 3 * (30 * error) ** 2


@pytest.mark.parametrize("name", KNOWN)
def test_a_constant_sequence_is_the_stationary_case(name):
    chain, steps = KNOWN[name], 40
    observable = [F(3, 4), F(-1, 2), F(2)][: chain.n_states]
    exact = second_moments(chain, observable, steps, centre=F(0))
    doubles = np.broadcast_to(np.array(observable, dtype=float), (steps, chain.n_states))
    for side, truth in zip(
        second_moments_of_sequence(chain, doubles, error=F(0)), exact, strict=True
    ):
        low, high = ends(side)
        assert low <= truth <= high
        # |g| <= 2, |a| <= 80, |b| <= 6400; alpha <= 40 * 5 * 80 roundings, twice |g| of it a step.
        assert high - low <= F(2 * 40 * (4 * 16_000 + 10 * 6_400 + 5_000), 2**53)


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("steps", [0, 1, 6])
def test_drifting_functions_are_those_of_all_paths(name, steps):
    chain = KNOWN[name]
    observable = OBSERVABLE[: chain.n_states]
    drift = (F(1, 9), F(-2, 3), F(5, 7))[: chain.n_states]
    sides = drifting_second_moments(chain, observable, drift, steps)
    for start, side in enumerate(sides):
        truth = mean_over_paths(
            chain,
            start,
            steps,
            lambda path: (
                sum((observable[i] + F(k, steps) * drift[i] for k, i in enumerate(path)), F(0)) ** 2
            ),
        )
        low, high = ends(side)
        assert low <= truth <= high
        assert high - low <= F(1, 2**38)


def test_drifting_functions_given_as_balls():
    exact = drifting_second_moments(GENERAL, OBSERVABLE, (F(1), F(0), F(-1)), 30)
    in_balls = drifting_second_moments(
        GENERAL, [ball(x) for x in OBSERVABLE], [ball(F(1)), ball(F(0)), ball(F(-1))], 30
    )
    for one, other in zip(exact, in_balls, strict=True):
        (low, high), (least, most) = ends(one), ends(other)
        assert max(low, least) <= min(high, most)
        # Proved: less than 12 |g| |a| n^2 roundings for each of 5 factors, |g| <= 2, |a| <= 60.
        assert most - least <= F(12 * 2 * 60 * 30**2 * 5, 2**53)


def test_three_thousand_drifting_steps_are_those_of_exact_balls():
    steps = 3_000
    drift = (F(1, 9), F(-2, 3), F(5, 7))
    with precision(256):
        matrix = transition_matrix(GENERAL).in_balls()
        first = second = Matrix.constant(3, 1, 0)
        for k in range(steps - 1, -1, -1):
            values = Matrix.column(
                [f + F(k, steps) * h for f, h in zip(OBSERVABLE, drift, strict=True)]
            )
            carried = matrix @ first
            second = values.hadamard(values + carried.scale(2)) + matrix @ second
            first = values + carried
        exact = [ends(x) for x in second.numbers()]
        sides = drifting_second_moments(GENERAL, OBSERVABLE, drift, steps)
        for side, (least, most) in zip(sides, exact, strict=True):
            low, high = ends(side)
            assert low <= least
            assert most <= high
            # Proved: of the order of n^2 roundings times |a| |g|, which is below 1000 * 2 here.
            assert high - low <= 40 * steps**2 * F(2_000, 2**53)


def test_the_sparse_route():
    chain, steps = ring(50), 7
    functions = np.arange(350.0).reshape(7, 50) % 5 - 2
    sides = second_moments_of_sequence(chain, functions, error=F(0))
    for start in (0, 48):
        truth = mean_over_paths(
            chain,
            start,
            steps,
            lambda path: sum(F(functions[k][i]) for k, i in enumerate(path)) ** 2,
        )
        low, high = ends(sides[start])
        assert low <= truth <= high
        assert high - low <= F(1, 2**35)


def test_numbers_beyond_the_doubles_are_refused():
    with pytest.raises(NotEnclosed, match="range"):
        second_moments_of_sequence(COIN, np.full((2, 2), 1e200), error=F(0))
