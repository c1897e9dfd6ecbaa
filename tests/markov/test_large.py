"""Enclosed laws and Poisson solutions of large chains, against exact rationals and quantecon."""

from __future__ import annotations

import random
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, reject
from hypothesis import strategies as st
from scipy.sparse import block_diag, csr_array, kron

from verification.campaign.strategies import chains
from verification.errors import InvalidInstance, NotEnclosed
from verification.instance import Chain
from verification.markov.chain import communicating_classes
from verification.markov.elimination import eliminated
from verification.markov.hitting import (
    law_error,
    mean_upper,
    poisson_error,
    poisson_residual,
    sum_roundings,
    summed,
    verified_hitting_times,
)
from verification.markov.large import (
    POISSON_TOLERANCE,
    RoundedChain,
    chain_of_counts,
    poisson_enclosure,
    rounded_chain,
    solve,
    stationary_law_enclosure,
)
from verification.markov.rounded import ROUNDOFF
from verification.markov.sweeps import sweeping_matrix
from verification.markov.unrounded import VectorSum, unrounded_law, unrounded_poisson

TRILLION = 10**12


# Exact answers, by elimination in rationals.


def exact(chain: Chain) -> list[list[Fraction]]:
    return [[dict(row).get(j, Fraction(0)) for j in range(chain.n_states)] for row in chain.rows]


def shares(counts) -> list[list[Fraction]]:
    rows = [[int(c) for c in row] for row in np.asarray(counts)]
    return [[Fraction(c, sum(row)) for c in row] for row in rows]


def solved(matrix, right):
    """Solve a regular system of rationals."""
    n = len(matrix)
    rows = [[*row, b] for row, b in zip(matrix, right, strict=True)]
    for k in range(n):
        pivot = next(i for i in range(k, n) if rows[i][k])
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [x / rows[k][k] for x in rows[k]]
        for i in range(n):
            if i != k and rows[i][k]:
                factor = rows[i][k]
                rows[i] = [x - factor * y for x, y in zip(rows[i], rows[k], strict=True)]
    return [row[n] for row in rows]


def exact_law(P):
    """Solve pi (I - P) = 0 with the first column replaced by sum pi = 1."""
    n = len(P)
    matrix = [[Fraction(i == j) - P[j][i] for j in range(n)] for i in range(n)]
    matrix[0] = [Fraction(1)] * n
    # One equation of pi (I - P) = 0 is the sum of the others, whichever it is.
    return solved(matrix, [Fraction(1)] + [Fraction(0)] * (n - 1))


def exact_poisson(P, f):
    """Solve (I - P + 1 pi) u = f - pi(f)."""
    n, pi = len(P), exact_law(P)
    mean = sum(p * x for p, x in zip(pi, f, strict=True))
    matrix = [[Fraction(i == j) - P[i][j] + pi[j] for j in range(n)] for i in range(n)]
    return mean, solved(matrix, [x - mean for x in f])


def exact_hitting_times(P, state):
    others = [i for i in range(len(P)) if i != state]
    times = solved(
        [[Fraction(i == j) - P[i][j] for j in others] for i in others], [Fraction(1)] * len(others)
    )
    times.insert(state, Fraction(0))
    return times


def distance(p, q) -> Fraction:
    return sum((abs(Fraction(float(x)) - y) for x, y in zip(p, q, strict=True)), Fraction(0))


def assert_encloses(found, P, f, *, f_error=0.0):
    law, (poisson,) = found.law, found.poisson
    assert distance(law.law, exact_law(P)) <= Fraction(law.l1_error)
    assert (law.law >= 0).all()
    mean, u = exact_poisson(P, f)
    assert abs(Fraction(poisson.mean) - mean) <= Fraction(poisson.mean_error)
    errors = [Fraction(float(x)) - y for x, y in zip(poisson.values, u, strict=True)]
    assert max(map(abs, errors)) <= Fraction(poisson.sup_error)
    assert max(errors) - min(errors) <= Fraction(poisson.oscillation_error)
    lower, upper = poisson.oscillation_lower, poisson.oscillation_upper
    assert Fraction(lower) <= max(u) - min(u) <= Fraction(upper)
    # What the law may be off by enters the mean of u, which is to be 0.
    shift = law.l1_error * float(np.abs(poisson.values).max())
    assert poisson.sup_error >= poisson.oscillation_error + shift * (1 - 2.0**-20)
    longest = max(exact_hitting_times(P, law.state))
    assert longest <= Fraction(law.longest_hitting_time)
    # The supersolution gains in a step at least this share of what the hitting times gain.
    assert Fraction(law.longest_hitting_time) <= 4 * longest + 1
    size = float(max(max(u) - min(u), *map(abs, f)))
    slack = 4 * f_error * law.longest_hitting_time
    # What underflows is allowed for.
    assert poisson.sup_error <= 2 * POISSON_TOLERANCE * size + slack + 2.0**-800


def observable(n, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, n)


def rationals(values):
    return [Fraction(float(x)) for x in values]


NEARLY_DECOMPOSABLE = np.array(
    [
        [TRILLION, TRILLION, 1, 0],
        [TRILLION, 3 * TRILLION, 0, 0],
        [0, 0, TRILLION, 5 * TRILLION],
        [0, 1, TRILLION, TRILLION],
    ]
)
COUNTS = {
    "one state": np.array([[7]]),
    "coin": np.array([[1, 1], [1, 1]]),
    "two states": np.array([[3, 1], [2, 5]]),
    "sticky": np.array([[TRILLION - 1, 1], [1, TRILLION - 1]]),
    "sticky and uneven": np.array([[TRILLION - 1, 1], [1, 2]]),
    "nearly decomposable": NEARLY_DECOMPOSABLE,
    "cycle": np.roll(np.eye(7, dtype=int), 1, axis=1),
    "nearly a cycle": np.roll(10**9 * np.eye(7, dtype=int), 1, axis=1) + np.eye(7, dtype=int),
    "bipartite": np.kron([[0, 1], [1, 0]], [[1, 2, 3], [3, 1, 0], [0, 2, 2]]),
    "absorbing": np.array([[1, 0, 0], [1, 1, 0], [1, 1, 1]]),
    "transient and periodic": np.array([[1, 1, 0, 1], [0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0]]),
    "two absorbed": np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [2, 1, 0, 0]]),
    "drift to one end": np.diag([1] * 7, 1) + np.diag([9] * 7, -1) + np.diag([1] + [0] * 7),
    "hub": np.vstack([np.ones((1, 9), int), np.eye(9, dtype=int)[[0] * 8]]),
}


def sparse(counts) -> csr_array:
    return csr_array(counts)


@pytest.mark.parametrize("form", [np.asarray, sparse], ids=["dense", "sparse"])
@pytest.mark.parametrize("name", COUNTS)
def test_small_chains_are_enclosed(name, form):
    counts = COUNTS[name]
    f = observable(len(counts))
    found = solve(chain_of_counts(form(counts)), [f])
    assert_encloses(found, shares(counts), rationals(f))


@pytest.mark.parametrize("form", [np.asarray, sparse], ids=["dense", "sparse"])
@pytest.mark.parametrize("name", COUNTS)
def test_laws_of_integers_are_as_narrow_as_doubles_allow(name, form):
    counts = COUNTS[name]
    found = stationary_law_enclosure(chain_of_counts(form(counts)), tolerance=2e-13)
    # Summing the law takes at most 64 roundings, each of 24 parts a few.
    assert distance(found.law, exact_law(shares(counts))) <= Fraction(found.l1_error)
    assert found.l1_error <= 2e-13


@given(chains(), st.randoms(use_true_random=False))
def test_any_chain_is_enclosed_or_refused(chain, rng):
    P = exact(chain)
    f = [Fraction(rng.randint(-8, 8), 8) for _ in range(chain.n_states)]
    values = np.array(f, dtype=float)
    recurrent = [c for c in communicating_classes(chain) if c.recurrent]
    if len(recurrent) > 1:
        with pytest.raises(NotEnclosed, match=f"has {len(recurrent)} recurrent classes"):
            solve(rounded_chain(chain), [values])
    else:
        assert_encloses(solved_unless_too_slow(chain, values), P, f)


def solved_unless_too_slow(chain, f, **options):
    """Solve; a chain whose integers are too large may be too slow for doubles, and only such."""
    rounded = rounded_chain(chain)
    try:
        return solve(rounded, [f], **options)
    except NotEnclosed:
        assert rounded.totals is None
        P = exact(chain)
        states = next(c.states for c in communicating_classes(chain) if c.recurrent)
        # Some 20 roundings of the longest time are a step where it is 10^14.
        assert max(max(exact_hitting_times(P, state)) for state in states) > 1e11
        reject()


@given(chains(), st.integers(0, 2**32))
def test_an_inexact_observable_is_allowed_for(chain, seed):
    assume(sum(c.recurrent for c in communicating_classes(chain)) == 1)
    f = observable(chain.n_states, seed)
    rng = random.Random(seed)
    shift = [Fraction(rng.choice([-1, 1]), 2**20) for _ in f]
    (found,) = solved_unless_too_slow(chain, f, observable_error=2.0**-20).poisson
    mean, u = exact_poisson(
        exact(chain), [Fraction(x) + d for x, d in zip(f.tolist(), shift, strict=True)]
    )
    assert abs(Fraction(found.mean) - mean) <= Fraction(found.mean_error)
    errors = [Fraction(float(x)) - y for x, y in zip(found.values, u, strict=True)]
    assert max(map(abs, errors)) <= Fraction(found.sup_error)
    # From the law alone it is 10^-10.
    assert found.mean_error <= 2.0**-20 + 2e-10


# The bounds themselves, at vectors that are far from solutions.


@st.composite
def small_chains(draw):
    n = draw(st.integers(2, 6))
    rows = st.lists(st.integers(0, 9), min_size=n, max_size=n)
    counts = np.array([draw(rows) for _ in range(n)])
    # From every state to state 0, the one whose hitting times are used.
    counts[:, 0] += 1
    return counts


def proved_hitting_times(counts, state=0):
    times = np.array(exact_hitting_times(shares(counts), state), dtype=float)
    return verified_hitting_times(chain_of_counts(counts), state, times)


@given(small_chains())
def test_hitting_times_are_bounded_closely(counts):
    hitting = proved_hitting_times(counts)
    truth = exact_hitting_times(shares(counts), 0)
    bounds = [Fraction(float(g)) / Fraction(hitting.floor) for g in hitting.scaled]
    # Doubles next to the truth lose some roundings of numbers up to the longest time.
    loss = 1 + 100 * Fraction(ROUNDOFF) * max(truth)
    for bound, time in zip(bounds, truth, strict=True):
        assert time <= bound <= time * loss
    assert max(truth) <= Fraction(hitting.longest) <= max(truth) * loss * (1 + Fraction(1, 2**23))


@given(small_chains(), st.data())
def test_hitting_times_that_are_too_short_are_noticed(counts, data):
    P = shares(counts)
    truth = exact_hitting_times(P, 0)
    chain = chain_of_counts(counts)
    i = data.draw(st.integers(1, len(P) - 1))
    # Below what one step and the others' times add up to: no multiple of this bounds them.
    assume(P[i][i] < 1)
    short = [*truth]
    rest = sum(p * t for j, (p, t) in enumerate(zip(P[i], truth, strict=True)) if j != i)
    short[i] = Fraction(999, 1000) * rest / (1 - P[i][i])
    if rest:
        with pytest.raises(NotEnclosed, match="exceed what double precision resolves"):
            verified_hitting_times(chain, 0, np.array(short, dtype=float))
    # Somewhat too short: the floor makes up for it.
    short[i] = (truth[i] + short[i]) / 2
    hitting = verified_hitting_times(chain, 0, np.array(short, dtype=float))
    for g, time in zip(hitting.scaled, truth, strict=True):
        assert Fraction(float(g)) / Fraction(hitting.floor) >= time


@given(small_chains(), st.data())
def test_the_law_bound_holds_for_any_vector_and_is_what_is_claimed(counts, data):
    P, n = shares(counts), len(counts)
    p = np.array([data.draw(st.integers(0, 1000)) / 1000 for _ in range(n)])
    assume(p.sum() > 0)
    hitting = proved_hitting_times(counts)
    error = law_error(chain_of_counts(counts), hitting, p)
    assert distance(p, exact_law(P)) <= Fraction(error)
    claimed = law_bound_in_rationals(P, p)
    times = exact_hitting_times(P, 0)
    # 64 roundings for the sum, and n + 6 for each entry of the residual.
    noise = Fraction(ROUNDOFF) * (100 + 40 * max(times)) * sum(rationals(p)) * n
    assert claimed <= Fraction(error) <= claimed * (1 + Fraction(1, 2**22)) + noise


def law_bound_in_rationals(P, p, state=0):
    n, exact_p = len(P), rationals(p)
    e = [sum(exact_p[i] * P[i][j] for i in range(n)) - exact_p[j] for j in range(n)]
    times = exact_hitting_times(P, state)
    above = sum(max(x, 0) * t for x, t in zip(e, times, strict=True))
    below = sum(max(-x, 0) * t for x, t in zip(e, times, strict=True))
    return 2 * max(above, below) + abs(sum(exact_p) - 1)


@pytest.mark.parametrize("form", [np.asarray, sparse], ids=["dense", "sparse"])
@given(small_chains())
def test_the_law_bound_covers_what_rounding_hides(form, counts):
    # Next to the law the residual is all rounding, and long hitting times magnify it.
    counts = counts + 10**9 * np.diag([0] + [1] * (len(counts) - 1))
    P = shares(counts)
    p = np.array(exact_law(P), dtype=float)
    error = law_error(chain_of_counts(form(counts)), proved_hitting_times(counts), p)
    times = max(exact_hitting_times(P, 0))
    assert law_bound_in_rationals(P, p) <= Fraction(error) <= 50 * Fraction(ROUNDOFF) * (times + 10)


def test_sparse_residuals_take_as_many_roundings_as_there_are_terms():
    counts = COUNTS["hub"]
    chain = chain_of_counts(sparse(counts))
    assert chain.row_roundings().tolist() == (counts > 0).sum(axis=1).tolist()
    assert chain.column_roundings().tolist() == (counts > 0).sum(axis=0).tolist()


@pytest.mark.parametrize("n", [2, 5, 70])
def test_dense_residuals_take_few_roundings(n):
    # BLAS may add in any order: what is counted must cover the worst, one after the other.
    chain = chain_of_counts(random_counts(n))
    for roundings in (chain.row_roundings(), chain.column_roundings()):
        block = min(size for size in range(1, n + 1) if size * size >= n)
        assert (roundings >= block + -(-n // block) - 1).all()
        assert (roundings <= 2 * np.sqrt(n) + 3).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_the_law_bound_is_nearly_attained(sign):
    # Two states, the first of which is hardly ever left; below, ratio 1 / (1 + a/b).
    counts = np.array([[10**6 - 1, 1], [1, 1]])
    pi = exact_law(shares(counts))
    shift = Fraction(sign, 2**24)
    p = np.array([float(pi[0] + shift), float(pi[1] - shift)])
    error = Fraction(law_error(chain_of_counts(counts), proved_hitting_times(counts), p))
    truth = distance(p, pi)
    assert truth <= error <= truth * (1 + Fraction(1, 10**5))


@given(small_chains(), st.data())
def test_the_poisson_bound_holds_for_any_vector_and_is_what_is_claimed(counts, data):
    P, n = shares(counts), len(counts)
    numbers = st.integers(-1000, 1000).map(lambda k: k / 1000)
    f, u = (np.array([data.draw(numbers) for _ in range(n)]) for _ in range(2))
    hitting = proved_hitting_times(counts)
    low, high, _ = poisson_residual(chain_of_counts(counts), f, u)
    exact_f, exact_u = rationals(f), rationals(u)
    rho = [exact_f[i] - exact_u[i] + sum(P[i][j] * exact_u[j] for j in range(n)) for i in range(n)]
    noise = Fraction(ROUNDOFF) * 100
    assert Fraction(low) <= min(rho) <= Fraction(low) + noise
    assert Fraction(high) - noise <= max(rho) <= Fraction(high)
    mean, solution = exact_poisson(P, exact_f)
    assert Fraction(low) <= mean <= Fraction(high)
    errors = [x - y for x, y in zip(exact_u, solution, strict=True)]
    error = Fraction(poisson_error(hitting, low, high))
    assert max(errors) - min(errors) <= error
    times = max(exact_hitting_times(P, 0))
    claimed = (max(rho) - min(rho)) * times
    assert error <= (claimed + 2 * noise * times) * (1 + Fraction(1, 2**22))


def test_the_poisson_bound_is_nearly_attained():
    # State 1 returns to 0 after a million steps on average; a residual of 1 there is felt so long.
    counts = np.array([[10**12 - 1, 1], [1, 10**6 - 1]])
    u, f = np.zeros(2), np.array([0.0, 1.0])
    hitting = proved_hitting_times(counts)
    low, high, _ = poisson_residual(chain_of_counts(counts), f, u)
    _, solution = exact_poisson(shares(counts), rationals(f))
    truth = max(solution) - min(solution)
    error = Fraction(poisson_error(hitting, low, high))
    assert truth <= error <= truth * (1 + Fraction(1, 10**5))


@given(st.lists(st.floats(-1e9, 1e9), max_size=400))
def test_sums_pass_through_few_roundings(values):
    numbers = np.array(values, dtype=float)
    truth = sum((Fraction(x) for x in values), Fraction(0))
    size = sum((abs(Fraction(x)) for x in values), Fraction(0))
    bound = sum_roundings(numbers.size) * Fraction(ROUNDOFF) * size
    assert abs(Fraction(summed(numbers)) - truth) <= bound
    assert sum_roundings(10**6) <= 256


# Residuals without rounding.


@pytest.mark.parametrize("form", [np.asarray, sparse], ids=["dense", "sparse"])
@given(small_chains(), st.integers(1, 2**35))
def test_unrounded_bounds_hold_without_corrections(form, counts, factor):
    # With large factors one part has few bits, and several are needed.
    chain = chain_of_counts(form(counts * factor))
    P, n = shares(counts), len(counts)
    hitting = proved_hitting_times(counts)
    pi = exact_law(P)
    p = np.array(pi, dtype=float)
    law, error = unrounded_law(chain, hitting, p, correct=np.zeros_like, tolerance=0.0)
    assert distance(law, pi) <= Fraction(error)
    # p errs by a rounding an entry, and so does its residual, up to a factor of 2.
    assert error <= 8 * ROUNDOFF * (hitting.longest + 40) * n
    f = observable(n)
    mean, solution = exact_poisson(P, rationals(f))
    u = np.array(solution, dtype=float)
    found = unrounded_poisson(chain, hitting, f, u, correct=np.zeros_like, tolerance=0.0)
    assert Fraction(found.low) <= mean <= Fraction(found.high)
    errors = [Fraction(float(x)) - y for x, y in zip(found.values, solution, strict=True)]
    bound = Fraction(poisson_error(hitting, found.low, found.high)) + 2 * Fraction(found.rounding)
    assert max(errors) - min(errors) <= bound
    size = 2 + float(np.abs(u).max())
    assert found.high - found.low <= 32 * ROUNDOFF * size


def test_unrounded_laws_are_normalised():
    counts = COUNTS["two states"]
    pi = exact_law(shares(counts))
    law, error = unrounded_law(
        chain_of_counts(counts),
        proved_hitting_times(counts),
        2 * np.array(pi, dtype=float),
        correct=np.zeros_like,
        tolerance=1e-10,
    )
    assert distance(law, pi) <= Fraction(error) <= Fraction(1, 10**13)


@given(st.lists(st.lists(st.integers(-(2**52), 2**52), min_size=2, max_size=2), min_size=2))
def test_sums_of_vectors_lose_almost_nothing(rows):
    # As parts do: each on a grid finer by 2**40 than the one before.  All but the last cancel.
    terms = [np.ldexp(np.array(row, dtype=float), -40 * k) for k, row in enumerate(rows[:6])]
    terms += [-term for term in terms[:-1]]
    total = VectorSum(last=terms[0])
    for term in terms[1:]:
        total = total.plus(term)
    truth = [sum((Fraction(float(t[i])) for t in terms), Fraction(0)) for i in range(2)]
    for value, noise, exact_value in zip(total.value, total.noise, truth, strict=True):
        assert abs(Fraction(float(value)) - exact_value) <= Fraction(float(noise))
    # Besides the result's own rounding, those of numbers that had been rounded away.
    largest = max(float(np.abs(t).max()) for t in terms)
    assert (total.noise <= 6 * ROUNDOFF * (np.abs(total.value) + 16 * ROUNDOFF * largest)).all()


@given(small_chains(), st.data())
def test_means_are_bounded_from_any_law(counts, data):
    P, n = shares(counts), len(counts)
    pi = exact_law(P)
    p = np.array([data.draw(st.integers(0, 100)) / 100 for _ in range(n)])
    u = np.array([data.draw(st.integers(-100, 100)) / 100 for _ in range(n)])
    away = distance(p, pi)
    bound = mean_upper(p, float(away) * (1 + 2.0**-50), u)
    mean = sum(x * y for x, y in zip(pi, rationals(u), strict=True))
    claimed = abs(sum(x * y for x, y in zip(rationals(p), rationals(u), strict=True)))
    claimed += away * max(map(abs, rationals(u)))
    assert abs(mean) <= Fraction(bound) <= claimed * (1 + Fraction(1, 2**20)) + Fraction(1, 10**12)


def test_unrounded_bounds_notice_wrong_corrections():
    chain = chain_of_counts(NEARLY_DECOMPOSABLE)
    P = shares(NEARLY_DECOMPOSABLE)
    hitting = proved_hitting_times(NEARLY_DECOMPOSABLE)
    rng = np.random.default_rng(0)

    def nonsense(residual):
        return rng.uniform(-1, 1, residual.size)

    p = np.array([0.1, 0.2, 0.3, 0.4])
    law, error = unrounded_law(chain, hitting, p, correct=nonsense, tolerance=1e-10)
    assert distance(law, exact_law(P)) <= Fraction(error)
    assert error > 0.1


def test_a_chain_not_known_by_integers_has_no_unrounded_residual():
    chain = RoundedChain(matrix=np.array([[0.5, 0.5], [0.25, 0.75]]))
    hitting = verified_hitting_times(chain, 0, np.array([0.0, 4.0]))
    assert chain.counts() is None
    assert (
        unrounded_law(chain, hitting, np.array([0.5, 0.5]), correct=np.copy, tolerance=0.0) is None
    )
    assert (
        unrounded_poisson(chain, hitting, np.ones(2), np.ones(2), correct=np.copy, tolerance=0.0)
        is None
    )


# Both routes, and how one is chosen.


def random_counts(n, seed=0):
    return np.random.default_rng(seed).integers(0, 10, (n, n)) + np.eye(n, dtype=int)


@pytest.mark.parametrize("form", [np.asarray, sparse], ids=["dense", "sparse"])
def test_sweeps_and_elimination_agree(form):
    chain = chain_of_counts(form(random_counts(70)))
    law = stationary_law_enclosure(chain)
    assert law.route == "sweeps"
    other = eliminated(chain, 3)
    start = other.start()
    p = start + other.correct_law(chain.predecessors(start) - start, 1.0)[0]
    p /= p.sum()
    hitting = verified_hitting_times(chain, *other.hitting_times(p)[:2])
    assert hitting.state == 3
    assert np.abs(p - law.law).sum() <= law_error(chain, hitting, p) + law.l1_error
    assert law_error(chain, hitting, p) <= 1e-10


def cycle(n):
    return csr_array((np.ones(n, int), (np.arange(n), (np.arange(n) + 1) % n)), shape=(n, n))


def ring(n, most, seed=0):
    """Return the counts of a walk on a ring, with another drift at every state."""
    forward = np.random.default_rng(seed).integers(1, most, n)
    i = np.arange(n)
    places = (np.tile(i, 2), np.concatenate([(i + 1) % n, (i - 1) % n]))
    return csr_array((np.concatenate([forward, most - forward]), places), shape=(n, n))


def scattered(n, degree, seed=0):
    """Return a sum of permutations: the law is uniform."""
    rng = np.random.default_rng(seed)
    columns = np.concatenate([rng.permutation(n) for _ in range(degree)])
    return csr_array((np.ones(n * degree, int), (np.tile(np.arange(n), degree), columns)))


@pytest.mark.parametrize("form", [np.asarray, sparse], ids=["dense", "sparse"])
def test_elimination_keeps_the_digits_of_chains_that_hardly_move(form):
    counts = random_counts(4) + np.diag([10**12] * 4)
    times = eliminated(chain_of_counts(form(counts)), 0).hitting_times(np.full(4, 0.25))[1]
    truth = exact_hitting_times(shares(counts), 0)
    # A diagonal of doubles next to 1 - 10^-12 has four digits; what is summed has all, of which
    # elimination loses few.
    for time, exact_time in zip(times, truth, strict=True):
        assert abs(Fraction(float(time)) - exact_time) <= exact_time / 10**12


def test_a_slow_chain_without_integers_has_no_poisson_solution_of_use():
    # Hitting times of 10^10: the law to 10^-5 still, the solution to nothing.
    chain = RoundedChain(matrix=np.array([[1 - 1e-10, 1e-10], [1e-10, 1 - 1e-10]]))
    assert stationary_law_enclosure(chain, tolerance=1e-4).l1_error > 1e-10
    with pytest.raises(NotEnclosed, match=r"a solution of size .* is proved to .* only"):
        solve(chain, [np.array([0.0, 1.0])], tolerance=1e-4)


def test_a_long_cycle_is_eliminated():
    n = 2000
    found = stationary_law_enclosure(chain_of_counts(cycle(n)))
    assert found.route == "elimination"
    assert np.abs(found.law - 1 / n).sum() <= found.l1_error + n * 2.0**-60
    # With equal weights, and a longest time of n - 1.
    assert n - 1 <= found.longest_hitting_time <= (n - 1) * (1 + 1e-6)


def test_a_fast_periodic_chain_is_swept_with_damping():
    half = scattered(3000, 3)
    swap = csr_array(np.array([[0, 1], [1, 0]]))
    found = stationary_law_enclosure(chain_of_counts(kron(swap, half, format="csr")))
    assert found.route == "damped sweeps"
    assert np.abs(found.law - 1 / 6000).sum() <= found.l1_error + 2.0**-50


def test_a_drifting_ring_is_enclosed_where_doubles_resolve_it():
    # Hitting times near 10^8: sweeps do not converge, elimination loses eight digits.
    n, counts = 300, ring(300, 100)
    chain = chain_of_counts(counts)
    f = observable(n)
    found = solve(chain, [f])
    assert found.law.route == "elimination"
    assert found.law.longest_hitting_time > 1e5
    assert found.law.l1_error <= 1e-10
    P = shares(counts.toarray())
    # The exact law of a ring: tree weights; here by the integers of one path and back.
    law = ring_law(counts.toarray())
    assert sum(law[i] * P[i][j] for i in range(n) for j in (5,) if P[i][j]) == law[5]
    assert distance(found.law.law, law) <= Fraction(found.law.l1_error)


def ring_law(counts):
    """Solve the three-term recurrence of a ring's law in rationals."""
    P = [[Fraction(int(c), int(sum(row))) for c in row] for row in counts]
    n = len(P)
    # law_j = law_{j-1} P_{j-1,j} + law_{j+1} P_{j+1,j}; each law_j is a + b x of unknown x = law_1.
    terms = [(Fraction(1), Fraction(0)), (Fraction(0), Fraction(1))]
    for j in range(1, n - 1):
        back, here = terms[j - 1], terms[j]
        terms.append(
            tuple((h - b * P[j - 1][j]) / P[j + 1][j] for h, b in zip(here, back, strict=True))
        )
    # Balance at state n - 1 determines x.
    into = [
        terms[n - 2][k] * P[n - 2][n - 1] + terms[0][k] * P[0][n - 1] - terms[n - 1][k]
        for k in (0, 1)
    ]
    x = -into[0] / into[1]
    law = [a + b * x for a, b in terms]
    return [value / sum(law) for value in law]


@pytest.mark.parametrize("n", [10_000, 100_000])
def test_a_ring_beyond_double_precision_is_refused_with_the_reason(n):
    with pytest.raises(NotEnclosed, match="exceed what double precision resolves"):
        solve(chain_of_counts(ring(n, 100)), [observable(n)])


def test_a_slow_chain_of_great_fill_is_refused_before_it_is_factorised():
    n = 20_000
    blocks = scattered(n // 2, 3), scattered(n // 2, 3, seed=1)
    counts = (1000 * block_diag(blocks, format="csr")).tolil()
    counts[0, n // 2] = counts[n // 2, 0] = 1
    with pytest.raises(NotEnclosed, match="mixes slowly, and elimination may take"):
        stationary_law_enclosure(chain_of_counts(counts.tocsr()))


def test_a_hub_does_not_make_a_sparse_elimination_dense():
    # A walk on a line that returns to two places from everywhere: two columns are full.
    n = 20_000
    i = np.arange(n)
    rows = np.tile(i, 4)
    steps = [np.minimum(i + 1, n - 1), np.maximum(i - 1, 0)]
    columns = np.concatenate([*steps, np.full(n, n // 4), np.full(n, 3 * n // 4)])
    weights = np.concatenate([np.full(2 * n, 10**6), np.ones(2 * n, int)])
    counts = csr_array((weights, (rows, columns)), shape=(n, n))
    found = stationary_law_enclosure(chain_of_counts(counts))
    assert found.route == "elimination"
    assert found.l1_error <= 1e-10


def test_large_sparse_chains_are_enclosed():
    n = 20_000
    found = solve(chain_of_counts(scattered(n, 4)), [observable(n)])
    assert found.law.route == "sweeps"
    assert np.abs(found.law.law - 1 / n).sum() <= found.law.l1_error + 2.0**-50
    assert found.law.l1_error <= 1e-10
    u, f = found.poisson[0], observable(n)
    # The mean of f under the uniform law, and the equation itself.
    assert abs(u.mean - f.mean()) <= u.mean_error + 1e-12
    assert u.sup_error <= 1e-6


@pytest.mark.parametrize("tolerance", [1e-10, 1e-13])
def test_tighter_tolerances_are_met_by_unrounded_residuals(tolerance):
    n = 20_000
    found = stationary_law_enclosure(chain_of_counts(scattered(n, 4)), tolerance=tolerance)
    assert np.abs(found.law - 1 / n).sum() <= found.l1_error + n * 2.0**-67
    assert found.l1_error <= tolerance


def test_a_tolerance_beyond_doubles_is_refused():
    with pytest.raises(NotEnclosed, match=re.escape("not to 1e-16")):
        stationary_law_enclosure(chain_of_counts(random_counts(10)), tolerance=1e-16)


@pytest.mark.parametrize("form", [np.asarray, sparse], ids=["dense", "sparse"])
@pytest.mark.parametrize("size", [2, 90])
def test_several_recurrent_classes_are_named(form, size):
    counts = np.kron(np.eye(2, dtype=int), np.ones((size, size), int))
    with pytest.raises(NotEnclosed, match=f"2 recurrent classes, .* states 0 and {size}: "):
        solve(chain_of_counts(form(counts)))


@pytest.mark.parametrize("form", [np.asarray, sparse], ids=["dense", "sparse"])
def test_absorbing_states_are_named_after_a_slow_approach(form):
    # Sweeps give up, and elimination meets an empty row.
    counts = np.diag([1, *[10**9] * 8, 1]) + np.roll(np.eye(10, dtype=int), 1, axis=1)
    counts[[0, 9]] = 10**9 * np.eye(10, dtype=int)[[0, 9]]
    with pytest.raises(NotEnclosed, match="2 recurrent classes, such as those of states 0 and 9"):
        stationary_law_enclosure(chain_of_counts(form(counts)))


def test_states_may_be_relabelled():
    counts = random_counts(80, seed=3)
    order = np.random.default_rng(4).permutation(80)
    f = observable(80)
    found = solve(chain_of_counts(counts), [f])
    other = solve(chain_of_counts(counts[np.ix_(order, order)]), [f[order]])
    law_gap = np.abs(found.law.law[order] - other.law.law).sum()
    assert law_gap <= found.law.l1_error + other.law.l1_error + 1e-15
    u, v = found.poisson[0], other.poisson[0]
    assert np.abs(u.values[order] - v.values).max() <= u.sup_error + v.sup_error


def test_laws_are_those_of_quantecon():
    gth = pytest.importorskip("quantecon").markov.gth_solve
    counts = random_counts(150, seed=5)
    found = stationary_law_enclosure(chain_of_counts(counts))
    # Grassmann, Taksar and Heyman: each entry is right up to some n^2 roundings.
    tolerance = 4 * 150**2 * ROUNDOFF
    law = gth(counts / counts.sum(axis=1, keepdims=True))
    assert np.abs(found.law - law).sum() <= found.l1_error + tolerance


def test_several_observables_share_what_is_found():
    chain = chain_of_counts(random_counts(30))
    observables = [observable(30, seed) for seed in range(3)]
    found = solve(chain, observables)
    assert len(found.poisson) == 3
    for f, u in zip(observables, found.poisson, strict=True):
        alone = poisson_enclosure(chain, f)
        assert np.abs(alone.values - u.values).max() <= alone.sup_error + u.sup_error


def test_a_constant_observable_has_the_solution_zero():
    found = poisson_enclosure(chain_of_counts(random_counts(30)), np.full(30, 0.3))
    assert np.abs(found.values).max() <= found.sup_error <= 1e-12
    assert found.oscillation_lower == 0
    assert abs(Fraction(found.mean) - Fraction(0.3)) <= Fraction(found.mean_error)


# What is refused.


@pytest.mark.parametrize(
    ("counts", "problem"),
    [
        (np.array([[1.0, 0.0], [0.0, 1.0]]), "holds float64, expected integers"),
        (np.array([[1, 2]]), r"has shape \(1, 2\), expected \(n, n\)"),
        (np.zeros((0, 0), dtype=int), r"has shape \(0, 0\)"),
        (np.array([[2, -1], [1, 1]]), "has entries from -1 to 2"),
        (np.array([[1, 1], [0, 0]]), r"counts\[1\]: row sums to 0, expected 1 to 2\*\*53 - 1"),
        (np.array([[2**53, 0], [1, 1]]), "has entries from [01] to 9007199254740992"),
        (np.array([[2**52, 2**52], [1, 1]]), r"counts\[0\]: row sums to 9007199254740992"),
    ],
)
@pytest.mark.parametrize("form", [np.asarray, sparse], ids=["dense", "sparse"])
def test_bad_counts_are_refused(counts, problem, form):
    with pytest.raises(InvalidInstance, match=problem):
        chain_of_counts(form(counts))


@pytest.mark.parametrize(
    ("matrix", "problem"),
    [
        (np.array([[0.5, 0.6], [0.5, 0.5]]), r"matrix\[0\]: row sums to 1.1"),
        (np.array([[np.nan, 0.5], [0.5, 0.5]]), "has entries from nan"),
        (np.array([[-0.5, 1.5], [0.5, 0.5]]), "has entries from -0.5 to 1.5"),
        (np.array([[1]]), "holds int64, expected float64"),
        (np.array([1.0]), "has shape"),
        (csr_array(([1.0, 0.0, 1.0], ([0, 0, 1], [0, 1, 1])), shape=(2, 2)), "entries from 0.0"),
    ],
)
def test_bad_matrices_are_refused(matrix, problem):
    with pytest.raises(InvalidInstance, match=problem):
        RoundedChain(matrix=matrix)


@pytest.mark.parametrize(
    ("totals", "problem"),
    [
        (np.array([2.0]), r"totals: has shape \(1,\)"),
        (np.array([2, 2]), "type int64"),
        (np.array([2.0, 0.0]), "holds other numbers"),
        (np.array([2.0, 2.5]), "holds other numbers"),
        (np.array([2.0, np.nan]), "holds other numbers"),
        (np.array([2.0, 2.0**51]), "holds other numbers"),
    ],
)
def test_bad_totals_are_refused(totals, problem):
    with pytest.raises(InvalidInstance, match=problem):
        RoundedChain(matrix=np.full((2, 2), 0.5), totals=totals)


@pytest.mark.parametrize(
    ("f", "error", "problem"),
    [
        (np.zeros(3), 0.0, r"observables\[0\]: has shape \(3,\)"),
        (np.zeros(2, dtype=int), 0.0, "type int64"),
        (np.array([0.0, np.nan]), 0.0, "is not finite"),
        (np.array([0.0, 1e300]), 0.0, "is not finite, or beyond"),
        (np.zeros(2), -1.0, "observable_error: is -1.0"),
        (np.zeros(2), np.nan, "observable_error: is nan"),
    ],
)
def test_bad_observables_are_refused(f, error, problem):
    chain = chain_of_counts(COUNTS["coin"])
    with pytest.raises(InvalidInstance, match=problem):
        poisson_enclosure(chain, f, observable_error=error)


# What is built.


@given(chains())
def test_each_probability_is_rounded_once(chain):
    rounded = rounded_chain(chain)
    matrix = rounded.matrix if isinstance(rounded.matrix, np.ndarray) else rounded.matrix.toarray()
    for row, exact_row in zip(matrix.tolist(), exact(chain), strict=True):
        for value, probability in zip(row, exact_row, strict=True):
            # Python rounds a fraction correctly.
            assert value == float(probability)
            assert (value > 0) is (probability > 0)


@pytest.mark.parametrize("form", [np.asarray, sparse], ids=["dense", "sparse"])
@given(st.lists(st.lists(st.integers(0, 2**48), min_size=4, max_size=4), min_size=4, max_size=4))
def test_counts_are_divided_once_and_had_again(form, rows):
    counts = np.array(rows, dtype=np.int64) + np.eye(4, dtype=np.int64)
    chain = chain_of_counts(form(counts))
    matrix = chain.matrix if isinstance(chain.matrix, np.ndarray) else chain.matrix.toarray()
    assert matrix.tolist() == [[float(p) for p in row] for row in shares(counts)]
    again = chain.counts()
    again = again if isinstance(again, np.ndarray) else again.toarray()
    assert (again == counts).all()


def test_entries_stored_twice_are_added_and_zeros_dropped():
    counts = csr_array((np.array([1, 2, 0, 4]), [1, 1, 0, 0], [0, 3, 4]), shape=(2, 2))
    kept = counts.copy()
    chain = chain_of_counts(counts)
    assert chain.n_entries == 2
    assert chain.matrix.toarray().tolist() == [[0, 1], [1, 0]]
    assert (counts != kept).nnz == 0
    assert counts.nnz == 4


def test_large_totals_are_not_kept():
    chain = chain_of_counts(np.array([[2**51, 1], [1, 1]]))
    assert chain.totals is None
    law = stationary_law_enclosure(chain)
    assert distance(law.law, exact_law(shares([[2**51, 1], [1, 1]]))) <= Fraction(law.l1_error)


def test_few_transitions_are_stored_sparsely():
    n = 100
    rows = tuple((((i + 1) % n, Fraction(1, 3)), (i, Fraction(2, 3))) for i in range(n))
    rows = tuple(tuple(sorted(row)) for row in rows)
    zero = (Fraction(0),)
    chain = Chain(rows=rows, inputs=(zero,) * n, targets=zero * n, initial=0)
    rounded = rounded_chain(chain)
    assert not isinstance(rounded.matrix, np.ndarray)
    assert rounded.n_entries == 200
    assert rounded.totals.tolist() == [3.0] * n
    found = stationary_law_enclosure(rounded)
    assert np.abs(found.law - 1 / n).sum() <= found.l1_error + 2.0**-50


@pytest.mark.parametrize("tiny", [Fraction(1, 10**400), Fraction(1, 2**1060)])
def test_probabilities_below_the_doubles_are_refused(tiny):
    rows = (((0, 1 - tiny), (1, tiny)), ((0, Fraction(1)),))
    zero = (Fraction(0),)
    chain = Chain(rows=rows, inputs=(zero,) * 2, targets=zero * 2, initial=0)
    with pytest.raises(NotEnclosed, match="below the range of double precision"):
        rounded_chain(chain)


def test_sweeps_of_large_chains_are_single_and_share_the_structure():
    chain = chain_of_counts(scattered(50_000, 3))
    single = sweeping_matrix(chain)
    assert np.shares_memory(single.indices, chain.matrix.indices)
    assert single.data.dtype == np.float32
    assert (single.data == chain.matrix.data.astype(np.float32)).all()
    found = stationary_law_enclosure(chain)
    assert np.abs(found.law - 1 / 50_000).sum() <= found.l1_error + 2.0**-50
    small = chain_of_counts(scattered(1000, 3))
    assert sweeping_matrix(small) is small.matrix
