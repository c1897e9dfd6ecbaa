"""Exact facts on chains, each against brute force on small chains and against numpy or scipy."""

from __future__ import annotations

import random
import time
from fractions import Fraction
from itertools import combinations, pairwise, permutations
from math import gcd

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from verification.campaign.strategies import ERGODIC_CHAIN_KINDS, chains
from verification.instance import Chain
from verification.markov.chain import (
    CommunicatingClass,
    communicating_classes,
    dobrushin_coefficient,
    doeblin_lower,
    is_reversible,
    period,
    sample_path,
)

CYCLE = [["0", "1", "0"], ["0", "0", "1"], ["1", "0", "0"]]


def chain_of(matrix) -> Chain:
    rows = tuple(
        tuple((j, Fraction(p)) for j, p in enumerate(row) if Fraction(p)) for row in matrix
    )
    zero = Fraction(0)
    return Chain(rows=rows, inputs=((zero,),) * len(rows), targets=(zero,) * len(rows), initial=0)


def exact_matrix(chain: Chain) -> list[list[Fraction]]:
    return [[dict(row).get(j, Fraction(0)) for j in range(chain.n_states)] for row in chain.rows]


def double_matrix(chain: Chain) -> np.ndarray:
    return np.array(exact_matrix(chain), dtype=float)


def reachable(chain: Chain) -> np.ndarray:
    """Return the matrix of "i leads to j": a boolean power that no longer grows."""
    step = double_matrix(chain) > 0
    found = np.eye(chain.n_states, dtype=bool)
    for _ in range(chain.n_states):
        found = found | (found @ step)
    return found


def irreducible(chain: Chain) -> bool:
    return len(communicating_classes(chain)) == 1


# Classes.


@given(chains())
def test_classes_are_the_states_that_lead_to_each_other(chain):
    leads = reachable(chain)
    found = communicating_classes(chain)
    expected = {
        tuple(int(j) for j in np.flatnonzero(leads[i] & leads[:, i])) for i in range(chain.n_states)
    }
    assert [c.states for c in found] == sorted(expected)
    for c in found:
        leads_out = leads[c.states[0]].sum() > len(c.states)
        assert c.recurrent is not bool(leads_out)


@given(chains(max_states=20))
def test_classes_are_the_strong_components_of_scipy(chain):
    _, labels = connected_components(csr_array(double_matrix(chain)), connection="strong")
    expected = {tuple(int(i) for i in np.flatnonzero(labels == label)) for label in set(labels)}
    found = communicating_classes(chain)
    assert {c.states for c in found} == expected
    assert any(c.recurrent for c in found)


@pytest.mark.parametrize("seed", range(20))
def test_classes_of_a_large_random_graph_are_those_of_scipy(seed):
    # About one successor a state: many components of many sizes.
    rng, n = random.Random(seed), 400
    successors = [
        sorted({rng.randrange(n) for _ in range(rng.choice([1, 1, 2]))}) for _ in range(n)
    ]
    chain = Chain(
        rows=tuple(tuple((j, Fraction(1, len(js))) for j in js) for js in successors),
        inputs=((Fraction(0),),) * n,
        targets=(Fraction(0),) * n,
        initial=0,
    )
    links = [(i, j) for i, js in enumerate(successors) for j in js]
    graph = csr_array((np.ones(len(links)), tuple(zip(*links, strict=True))), shape=(n, n))
    _, labels = connected_components(graph, connection="strong")
    open_labels = {labels[i] for i, j in links if labels[i] != labels[j]}
    expected = [
        CommunicatingClass(
            states=tuple(int(i) for i in np.flatnonzero(labels == label)),
            recurrent=label not in open_labels,
        )
        for label in set(labels)
    ]
    assert list(communicating_classes(chain)) == sorted(expected, key=lambda c: c.states)


def test_a_known_chain_has_known_classes():
    matrix = [
        ["1/2", "1/2", "0", "0", "0"],
        ["1/2", "1/4", "1/4", "0", "0"],
        ["0", "0", "0", "1", "0"],
        ["0", "0", "1", "0", "0"],
        ["1/3", "0", "0", "1/3", "1/3"],
    ]
    assert communicating_classes(chain_of(matrix)) == (
        CommunicatingClass(states=(0, 1), recurrent=False),
        CommunicatingClass(states=(2, 3), recurrent=True),
        CommunicatingClass(states=(4,), recurrent=False),
    )


@pytest.mark.parametrize("closed", [False, True])
def test_a_chain_of_many_states_is_no_recursion(closed):
    n = 100_000
    line = Chain(
        rows=tuple(
            (((i + 1) % n if closed else min(i + 1, n - 1), Fraction(1)),) for i in range(n)
        ),
        inputs=((Fraction(0),),) * n,
        targets=(Fraction(0),) * n,
        initial=0,
    )
    found = communicating_classes(line)
    if closed:
        assert found == (CommunicatingClass(states=tuple(range(n)), recurrent=True),)
        assert period(line, found[0]) == n
    else:
        assert len(found) == n
        assert [c.states[0] for c in found if c.recurrent] == [n - 1]


# Periods.


@given(chains(max_states=6))
def test_the_period_divides_the_lengths_of_all_closed_paths(chain):
    step = double_matrix(chain) > 0
    for c in communicating_classes(chain):
        inside = step[np.ix_(c.states, c.states)]
        power, lengths = np.eye(len(c.states), dtype=bool), 0
        # A cycle of at most n states, with a way there and back of fewer than n steps each: the
        # lengths up to 3 n of the closed paths at one state have the divisors of all of them.
        for length in range(1, 3 * len(c.states) + 1):
            power = power @ inside
            if power[0, 0]:
                lengths = gcd(lengths, length)
        assert period(chain, c) == lengths


@given(chains(max_states=6))
def test_the_roots_of_unity_of_the_period_are_eigenvalues(chain):
    for c in communicating_classes(chain):
        if c.recurrent:
            inside = double_matrix(chain)[np.ix_(c.states, c.states)]
            found = period(chain, c)
            # Perron and Frobenius.  Two eigenvalues that nearly coincide lose half of the digits.
            roots = np.exp(2j * np.pi * np.arange(found) / found)
            values = np.linalg.eigvals(inside)
            assert max(min(abs(values - root)) for root in roots) < 1e-6


@pytest.mark.parametrize(
    ("matrix", "periods"),
    [
        ([["1"]], [1]),
        (CYCLE, [3]),
        ([["0", "1"], ["1", "0"]], [2]),
        ([["0", "1"], ["1/2", "1/2"]], [1]),
        ([["0", "1", "0"], ["0", "0", "1"], ["1/2", "1/2", "0"]], [1]),
        ([["0", "1"], ["0", "1"]], [0, 1]),
        ([["0", "1/2", "1/2"], ["1", "0", "0"], ["0", "0", "1"]], [2, 1]),
    ],
)
def test_a_known_chain_has_known_periods(matrix, periods):
    chain = chain_of(matrix)
    assert [period(chain, c) for c in communicating_classes(chain)] == periods


# Reversibility.


@given(chains(max_states=5).filter(irreducible))
def test_reversible_is_where_every_cycle_has_equal_products(chain):
    matrix = exact_matrix(chain)
    balanced = True
    for length in range(2, chain.n_states + 1):
        for states in combinations(range(chain.n_states), length):
            for rest in permutations(states[1:]):
                cycle = (states[0], *rest)
                forward = backward = Fraction(1)
                for i, j in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
                    forward, backward = forward * matrix[i][j], backward * matrix[j][i]
                balanced = balanced and forward == backward
    # A transition without return is in no cycle of two with a positive product.
    one_way = any(
        (matrix[i][j] > 0) != (matrix[j][i] > 0) for i, j in combinations(range(chain.n_states), 2)
    )
    assert is_reversible(chain) == (balanced and not one_way)


@given(chains(max_states=6, kinds=["dense", "reversible", "rotating", "history", "periodic"]))
def test_reversible_is_where_the_stationary_flow_is_symmetric(chain):
    matrix = double_matrix(chain)
    n = chain.n_states
    law = np.linalg.lstsq(
        np.vstack([matrix.T - np.eye(n), np.ones((1, n))]), np.append(np.zeros(n), 1), rcond=None
    )[0]
    flow = law[:, None] * matrix
    # Weights are 1 to 16 and there are at most 6 states: what differs, differs by more.
    assert is_reversible(chain) == bool(abs(flow - flow.T).max() < 1e-10)


def test_two_states_are_always_reversible_and_a_rotation_never():
    assert is_reversible(chain_of([["0.9", "0.1"], ["1/3", "2/3"]]))
    assert is_reversible(chain_of([["1"]]))
    assert not is_reversible(chain_of(CYCLE))


def test_reversibility_is_asked_of_irreducible_chains():
    with pytest.raises(ValueError, match="not irreducible"):
        is_reversible(chain_of([["1", "0"], ["0", "1"]]))


# The Dobrushin coefficient.


@given(chains(max_states=6))
def test_the_dobrushin_coefficient_is_the_largest_total_variation(chain):
    matrix = exact_matrix(chain)
    n = chain.n_states
    half_sums = [
        sum(abs(p - q) for p, q in zip(first, second, strict=True)) / 2
        for first in matrix
        for second in matrix
    ]
    events = [
        sum(first[k] - second[k] for k in range(n) if event >> k & 1)
        for first in matrix
        for second in matrix
        for event in range(2**n)
    ]
    assert dobrushin_coefficient(chain) == max(half_sums) == max(events)


@given(chains(max_states=20))
def test_the_dobrushin_coefficient_is_that_of_numpy(chain):
    matrix = double_matrix(chain)
    found = abs(matrix[:, None, :] - matrix[None, :, :]).sum(axis=2).max() / 2
    # 20 states: fewer than 40 roundings of numbers below 2.
    assert float(dobrushin_coefficient(chain)) == pytest.approx(found, rel=0, abs=40 * 2**-52)


@pytest.mark.parametrize(
    ("matrix", "value"),
    [
        ([["1"]], 0),
        ([["1/2", "1/2"], ["1/2", "1/2"]], 0),
        ([["0.9", "0.1"], ["1/3", "2/3"]], Fraction(17, 30)),
        ([["1", "0"], ["0", "1"]], 1),
        (CYCLE, 1),
        ([["1/2", "1/2", "0"], ["0", "1/2", "1/2"], ["1/2", "0", "1/2"]], Fraction(1, 2)),
    ],
)
def test_a_known_chain_has_a_known_dobrushin_coefficient(matrix, value):
    found = dobrushin_coefficient(chain_of(matrix))
    assert found == value
    assert isinstance(found, Fraction)


def dense_chain(n: int, seed: int, denominators: str) -> Chain:
    """Rows of n positive weights: one denominator for all, one a row, or longer than a double."""
    rng, rows = random.Random(seed), []
    for _ in range(n):
        weights = [rng.randint(1, 50) for _ in range(n)]
        if denominators == "long":
            weights = [w * 10**30 + rng.randrange(10**30) for w in weights]
        if denominators == "common":
            weights = [w * 1000 for w in weights]
            weights[rng.randrange(n)] += 60_000 * n - sum(weights)
        rows.append([Fraction(w, sum(weights)) for w in weights])
    return chain_of(rows)


def brute_force(chain: Chain) -> Fraction:
    return max(
        sum(abs(p - q) for p, q in zip(first, second, strict=True)) / 2
        for first, second in combinations(exact_matrix(chain), 2)
    )


@pytest.mark.parametrize("denominators", ["common", "row", "long"])
@pytest.mark.parametrize("seed", range(4))
def test_the_dobrushin_coefficient_of_dense_chains_is_exact(denominators, seed):
    chain = dense_chain(25, seed, denominators)
    assert dobrushin_coefficient(chain) == brute_force(chain)


@pytest.mark.parametrize("denominators", ["common", "row", "long"])
def test_pairs_of_rows_that_doubles_do_not_tell_apart_are_told_apart(denominators, monkeypatch):
    """Rows that differ by 10^-40 only, beside each other; blocks of two rows."""
    monkeypatch.setattr("verification.markov.chain._BLOCK", 16)
    rows = exact_matrix(dense_chain(8, 3, denominators))
    for i, tiny in ((0, Fraction(1, 10**40)), (1, Fraction(3, 10**40))):
        row = list(rows[i])
        up, down = max(range(8), key=row.__getitem__), min(range(8), key=row.__getitem__)
        row[up], row[down] = row[up] + tiny, row[down] - tiny
        rows.append(row)
    chain = chain_of(rows)
    assert dobrushin_coefficient(chain) == brute_force(chain)
    # all rows alike but for 10^-40
    alike = chain_of([rows[0], *rows[1:8], rows[8]])
    assert dobrushin_coefficient(alike) == brute_force(alike)
    two = chain_of([[Fraction(1, 3) + k * tiny, Fraction(2, 3) - k * tiny] for k in (0, 1)])
    assert dobrushin_coefficient(two) == tiny


def test_probabilities_below_the_range_of_doubles_are_shared_states():
    """Two pairs of rows share 10^-400 or 2 10^-400: neither is nothing."""
    tiny = Fraction(1, 10**400)
    rows = [
        [1 - 3 * tiny, tiny, 2 * tiny],
        [2 * tiny, 1 - 5 * tiny, 3 * tiny],
        [tiny, tiny, 1 - 2 * tiny],
    ]
    chain = chain_of(rows)
    assert dobrushin_coefficient(chain) == brute_force(chain) < 1


@pytest.mark.parametrize("seed", range(6))
def test_pairs_that_doubles_put_in_a_wrong_order_are_compared_exactly(seed):
    """The rows are turned weights, each moved by some 10^-20: ties, but for 10^-20."""
    rng, n = random.Random(seed), 12
    weights = [Fraction(rng.randint(1, 10**6), 3 * 10**6) for _ in range(n)]
    rows = []
    for turn in range(n):
        row = [weights[(k + turn) % n] / sum(weights) for k in range(n)]
        moved = [Fraction(rng.randrange(10**6), 10**26) for _ in range(n)]
        rows.append([(p + m) / (1 + sum(moved)) for p, m in zip(row, moved, strict=True)])
    chain = chain_of(rows)
    assert dobrushin_coefficient(chain) == brute_force(chain)


def test_shares_that_underflow_are_compared_exactly():
    """Rows 0 and 1 share 0.3 t twice, which rounds to nothing; 2 and 3 share 0.55 t once."""
    t, half = Fraction(1, 2**1074), Fraction(1, 2)
    small, larger = Fraction(3, 10) * t, Fraction(55, 100) * t
    rows = [
        [half - small, half - small, small, small],
        [Fraction(0), Fraction(0), half, half],
        [half - larger, Fraction(0), half, larger],
        [Fraction(0), half, Fraction(0), half],
    ]
    assert dobrushin_coefficient(chain_of(rows)) == 1 - larger == brute_force(chain_of(rows))


@pytest.mark.parametrize("denominators", ["common", "row"])
def test_two_dense_rows_without_a_common_state_are_found(denominators):
    rows = exact_matrix(dense_chain(12, 5, denominators))
    for i, half in ((3, range(6)), (9, range(6, 12))):
        mass = sum(rows[i][k] for k in half)
        rows[i] = [rows[i][k] / mass if k in half else Fraction(0) for k in range(12)]
    assert dobrushin_coefficient(chain_of(rows)) == 1


def test_the_dobrushin_coefficient_of_large_chains_takes_seconds():
    """600 dense states; 200,000 sparse ones; 1,000 among which all pairs are equally far."""
    started = time.process_time()
    found = dobrushin_coefficient(dense_chain(600, 1, "row"))
    assert 0.2 < found < 0.5
    n = 200_000
    ring = Chain(
        rows=tuple(
            tuple(sorted(((i, Fraction(1, 3)), ((i + 1) % n, Fraction(2, 3))))) for i in range(n)
        ),
        inputs=((Fraction(0),),) * n,
        targets=(Fraction(0),) * n,
        initial=0,
    )
    assert dobrushin_coefficient(ring) == 1
    n = 500
    even = chain_of([[Fraction(100 + (i == j), 100 * n + 1) for j in range(n)] for i in range(n)])
    assert dobrushin_coefficient(even) == Fraction(1, 100 * n + 1)
    # Comparing all pairs exactly takes minutes.
    assert time.process_time() - started < 30


def power_of(rows: list[list[Fraction]], steps: int) -> list[list[Fraction]]:
    result = rows
    for _ in range(steps - 1):
        result = [
            [
                sum(p * q for p, q in zip(row, column, strict=True))
                for column in zip(*rows, strict=True)
            ]
            for row in result
        ]
    return result


@given(chains(max_states=4), st.integers(1, 4))
def test_doeblin_lower_is_a_sum_of_least_entries_and_a_lower_bound(chain, steps):
    n = chain.n_states
    power = power_of(exact_matrix(chain), steps)
    coefficient = dobrushin_coefficient(chain_of(power))
    for size in range(n + 1):
        for columns in combinations(range(n), size):
            exact = sum((min(row[j] for row in power) for j in columns), Fraction(0))
            found = doeblin_lower(chain, steps, columns)
            assert exact - Fraction(steps * size, 2**192) <= found <= exact <= 1 - coefficient
    if n == 2:
        # of two rows the least entries are what they share
        lost = Fraction(2 * steps, 2**192)
        assert 1 - coefficient - lost <= doeblin_lower(chain, steps, (0, 1)) <= 1 - coefficient


def test_doeblin_lower_of_a_sparse_chain_of_many_states():
    """A walk that returns to 0 with probability 1/10: after m steps at 0 with at least that."""
    n = 50_000
    chain = Chain(
        rows=tuple(
            ((0, Fraction(1)),) if i == n - 1 else ((0, Fraction(1, 10)), (i + 1, Fraction(9, 10)))
            for i in range(n)
        ),
        inputs=((Fraction(0),),) * n,
        targets=(Fraction(0),) * n,
        initial=0,
    )
    found = doeblin_lower(chain, 3, (0, 1, 2))
    exact = Fraction(1, 10) * (1 + Fraction(9, 10) + Fraction(81, 100))
    assert exact - Fraction(9, 2**192) <= found <= exact


@given(chains(max_states=6), st.integers(0, 5), st.booleans())
def test_nothing_hangs_on_the_names_of_the_states(chain, turn, mirror):
    n = chain.n_states
    names = [(turn + (-i if mirror else i)) % n for i in range(n)]
    matrix = exact_matrix(chain)
    renamed = [[Fraction(0)] * n for _ in range(n)]
    for i in range(n):
        for j in range(n):
            renamed[names[i]][names[j]] = matrix[i][j]
    other = chain_of(renamed)
    assert dobrushin_coefficient(other) == dobrushin_coefficient(chain)
    expected = {
        (tuple(sorted(names[i] for i in c.states)), c.recurrent, period(chain, c))
        for c in communicating_classes(chain)
    }
    assert {
        (c.states, c.recurrent, period(other, c)) for c in communicating_classes(other)
    } == expected
    if irreducible(chain):
        assert is_reversible(other) == is_reversible(chain)


@given(chains(kinds=ERGODIC_CHAIN_KINDS))
def test_the_kinds_called_ergodic_are(chain):
    (only,) = communicating_classes(chain)
    assert only.recurrent
    assert period(chain, only) == 1


# Paths.


class Scripted(random.Random):
    """Returns the given number, whatever the range, and records the range."""

    def __init__(self, answer):
        super().__init__(0)
        self.answer, self.asked = answer, []

    def randrange(self, start, stop=None, step=1):
        self.asked.append(start)
        return self.answer


@given(chains())
def test_every_step_has_exactly_its_probability(chain):
    for start, row in enumerate(chain.rows):
        script = Scripted(0)
        sample_path(chain, start, 2, script)
        (outcomes,) = script.asked
        if outcomes > 2_000:
            continue  # a nearly reducible chain: too many outcomes to list
        counts = dict.fromkeys(range(chain.n_states), 0)
        for outcome in range(outcomes):
            _, state = sample_path(chain, start, 2, Scripted(outcome))
            counts[state] += 1
        assert counts == {
            j: outcomes * dict(row).get(j, Fraction(0)) for j in range(chain.n_states)
        }


@given(chains(), st.integers(1, 50), st.integers(0, 100))
def test_a_path_follows_the_chain_and_its_seed(chain, length, seed):
    path = sample_path(chain, chain.initial, length, random.Random(seed))
    assert len(path) == length
    assert path[0] == chain.initial
    for i, j in pairwise(path):
        assert j in dict(chain.rows[i])
    assert path == sample_path(chain, chain.initial, length, random.Random(seed))
    assert path[: length // 2 + 1] == sample_path(
        chain, chain.initial, length // 2 + 1, random.Random(seed)
    )


def test_the_frequencies_of_a_long_path_are_the_stationary_law():
    # The fair chain below visits state 0 as independent coins do: 6 standard deviations.
    chain = chain_of([["1/4", "3/4"], ["1/4", "3/4"]])
    n = 40_000
    visits = sample_path(chain, 0, n + 1, random.Random(1)).count(0) - 1
    assert abs(visits - n / 4) < 6 * (n * 3 / 16) ** 0.5
