"""Stationary laws, Poisson equations and contraction against trees, subsets, series and mpmath."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, product

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from verification import gallery
from verification.campaign.strategies import ERGODIC_CHAIN_KINDS, chains
from verification.enclosure.balls import ball, end_points, precision
from verification.enclosure.matrix import Matrix
from verification.errors import NotEnclosed
from verification.instance import Chain
from verification.markov import finite
from verification.markov.chain import dobrushin_coefficient

ZERO, ONE = Fraction(0), Fraction(1)
DIGITS, DOUBLINGS = 60, 80


def chain_of(matrix) -> Chain:
    rows = tuple(
        tuple((j, Fraction(p)) for j, p in enumerate(row) if Fraction(p)) for row in matrix
    )
    return Chain(rows=rows, inputs=((ZERO,),) * len(rows), targets=(ZERO,) * len(rows), initial=0)


def dense(chain: Chain) -> list[list[Fraction]]:
    return [[dict(row).get(j, ZERO) for j in range(chain.n_states)] for row in chain.rows]


def by_spanning_trees(chain: Chain) -> list[Fraction]:
    """Return the stationary law by the Markov chain tree theorem, from all maps i -> j."""
    matrix, size = dense(chain), chain.n_states
    weight = [ZERO] * size
    for root in range(size):
        others = [i for i in range(size) if i != root]
        for targets in product(range(size), repeat=size - 1):
            step = dict(zip(others, targets, strict=True))
            if all(leads_to(step, i, root, size) for i in others):
                term = ONE
                for i, j in step.items():
                    term *= matrix[i][j]
                weight[root] += term
    return [w / sum(weight) for w in weight]


def leads_to(step, i, root, size):
    for _ in range(size):
        if i == root:
            return True
        i = step[i]
    return i == root


def ring(size: int, forward: Fraction = Fraction(2, 3)) -> Chain:
    """Return a ring with holding at one state only: its scrambling index grows like its square."""
    matrix = [[ZERO] * size for _ in range(size)]
    for i in range(size):
        matrix[i][(i + 1) % size] = ONE
    matrix[0][1 % size] -= 1 - forward
    matrix[0][0] += 1 - forward
    return chain_of(matrix)


small = chains(max_states=4)
ergodic = chains(kinds=ERGODIC_CHAIN_KINDS, max_states=6)
observables = st.lists(
    st.fractions(min_value=-4, max_value=4, max_denominator=8), min_size=6, max_size=6
)


@given(chain=small)
def test_the_stationary_law_is_that_of_the_spanning_trees(chain):
    assume(finite.has_one_recurrent_class(chain))
    assert list(finite.stationary_law(chain)) == by_spanning_trees(chain)


@given(chain=chains(kinds=["reducible"]))
def test_no_law_is_given_where_there_are_several(chain):
    assume(not finite.has_one_recurrent_class(chain))
    with pytest.raises(ValueError, match="recurrent classes"):
        finite.stationary_law(chain)


@given(chain=chains(), values=observables)
def test_the_poisson_solution_solves_and_is_that_of_the_fundamental_matrix(chain, values):
    assume(finite.has_one_recurrent_class(chain))
    f = (values * chain.n_states)[: chain.n_states]
    law, u = finite.stationary_law(chain), finite.poisson_solution(chain, f)
    mean = sum((p * x for p, x in zip(law, f, strict=True)), ZERO)
    for i, row in enumerate(chain.rows):
        assert u[i] - sum((p * u[j] for j, p in row), ZERO) == f[i] - mean
    assert sum((p * x for p, x in zip(law, u, strict=True)), ZERO) == 0
    centred = Matrix.column([x - mean for x in f])
    assert (finite.fundamental_matrix(chain) @ centred).numbers() == list(u)


@given(chain=ergodic, values=observables)
def test_the_poisson_solution_is_the_sum_of_powers(chain, values):
    f = (values * chain.n_states)[: chain.n_states]
    law = finite.stationary_law(chain)
    mean = sum((p * x for p, x in zip(law, f, strict=True)), ZERO)
    with mpmath.workdps(DIGITS):
        power = mpmath.matrix([[mp(p) for p in row] for row in dense(chain)])
        total = mpmath.matrix([mp(x - mean) for x in f])
        # 2^DOUBLINGS terms, more than the reciprocal of any drawn gap; each doubling of the
        # power doubles its rounding error.
        for _ in range(DOUBLINGS):
            total, power = total + power * total, power * power
        tolerance = mpmath.mpf(2) ** (DOUBLINGS + 10) * mpmath.mpf(10) ** -DIGITS
        scale = 1 + max(abs(x) for x in total)
        for x, u in zip(total, finite.poisson_solution(chain, f), strict=True):
            assert abs(x - mp(u)) <= tolerance * scale


def mp(x: Fraction):
    return mpmath.mpf(x.numerator) / x.denominator


@given(chain=chains(max_states=5), steps=st.integers(1, 4))
def test_contraction_of_powers_is_the_largest_difference_on_a_set(chain, steps):
    power = finite.power(chain, steps).entries()
    sets = [s for k in range(chain.n_states + 1) for s in combinations(range(chain.n_states), k)]
    expected = max(
        sum((power[i][k] - power[j][k] for k in chosen), ZERO)
        for chosen in sets
        for i in range(chain.n_states)
        for j in range(chain.n_states)
    )
    assert finite.dobrushin_of_power(chain, steps) == expected
    if steps == 1:
        assert dobrushin_coefficient(chain) == expected


@given(chain=chains())
def test_the_scrambling_index_is_the_first_power_that_contracts(chain):
    index = finite.scrambling_index(chain)
    if index is None:
        assert not finite.is_ergodic(chain)
        assert dobrushin_coefficient(power_chain(chain, 40)) == 1
    else:
        assert finite.dobrushin_of_power(chain, index) < 1
        assert dobrushin_coefficient(power_chain(chain, index)) < 1
        assert index == 1 or dobrushin_coefficient(power_chain(chain, index - 1)) == 1


def power_chain(chain: Chain, steps: int) -> Chain:
    """Return the chain of so many steps, multiplied out in integers where they stay small."""
    zeros_and_ones = np.linalg.matrix_power(np.eye(chain.n_states, dtype=int), 1)
    step = np.array([[int(p > 0) for p in row] for row in dense(chain)])
    for _ in range(steps):
        zeros_and_ones = (zeros_and_ones @ step > 0).astype(int)
    return chain_of([[Fraction(int(x), int(row.sum())) for x in row] for row in zeros_and_ones])


@pytest.mark.parametrize("size", [2, 3, 7, 20])
def test_a_slow_ring(size):
    # From 0 and from 1, a loop at 0 alone has to make up for the whole way around.
    index = finite.scrambling_index(ring(size))
    assert index == scrambling_by_steps(ring(size))
    low, high = end_points(ball(finite.dobrushin_of_power(ring(size), index)))
    assert low < 1
    assert high <= 1
    assert finite.dobrushin_of_power(ring(size), index - 1) == 1


def scrambling_by_steps(chain):
    steps = 1
    while dobrushin_coefficient(power_chain(chain, steps)) == 1:
        steps += 1
    return steps


@given(chain=ergodic)
def test_summed_contraction_bounds_the_sum(chain):
    bound, index = finite.summed_contraction(chain), finite.scrambling_index(chain)
    terms = [finite.dobrushin_of_power(chain, k) for k in range(4 * index)]
    assert sum(terms) <= bound
    # No larger than the bound by the least power, and that of the power which it names.
    last = finite.dobrushin_of_power(chain, index)
    assert bound <= sum(terms[:index]) / (1 - last)
    factor, steps = sum(terms[:index], ZERO), index
    for _ in range(4):
        if last <= Fraction(1, 4):
            break
        factor, steps = factor * (1 + last), 2 * steps
        last = finite.dobrushin_of_power(chain, steps)
    assert bound == factor / (1 - last)


def test_doubling_sharpens_the_sum_where_the_least_power_is_a_bad_one():
    chain = gallery.load("snakes-and-ladders").chain
    index = finite.scrambling_index(chain)
    least = index / (1 - end_points(ball(finite.dobrushin_of_power(chain, index)))[0])
    assert end_points(ball(finite.summed_contraction(chain)))[1] < least / 9


@pytest.mark.parametrize(
    ("matrix", "why"),
    [
        ([["0", "1"], ["1", "0"]], "its recurrent class {0, 1} has period 2"),
        ([["1", "0"], ["0", "1"]], "it has 2 recurrent classes: {0} and {1}"),
    ],
)
def test_what_keeps_a_chain_from_converging(matrix, why):
    chain = chain_of(matrix)
    assert not finite.is_ergodic(chain)
    assert finite.scrambling_index(chain) is None
    assert finite.why_not_ergodic(chain) == why
    with pytest.raises(ValueError, match="does not converge"):
        finite.summed_contraction(chain)


def test_one_state():
    chain = chain_of([["1"]])
    assert finite.stationary_law(chain) == (1,)
    assert finite.poisson_solution(chain, (Fraction(3),)) == (0,)
    assert finite.scrambling_index(chain) == 1
    assert finite.dobrushin_of_power(chain, 0) == 0
    assert finite.summed_contraction(chain) == 0


def test_a_nearly_decomposable_chain_is_exact():
    leak = Fraction(1, 10**12)
    chain = chain_of([[1 - leak, leak], [3 * leak, 1 - 3 * leak]])
    assert finite.stationary_law(chain) == (Fraction(3, 4), Fraction(1, 4))
    u = finite.poisson_solution(chain, (ZERO, ONE))
    assert u[1] - u[0] == 1 / (4 * leak)
    assert finite.summed_contraction(chain) == 1 / (4 * leak)


def random_walk(size: int, bits: int) -> Chain:
    """Return a dense chain whose rows have denominators of about `bits` bits."""
    rng = np.random.default_rng(size)
    matrix = []
    for _ in range(size):
        weights = [int(w) << (bits - 30) | 1 for w in rng.integers(1, 2**30, size)]
        matrix.append([Fraction(w, sum(weights)) for w in weights])
    return chain_of(matrix)


@pytest.mark.parametrize(("size", "bits"), [(70, 80), (30, 900)])
def test_beyond_the_exact_limits_balls_enclose_narrowly(size, bits):
    chain = random_walk(size, bits)
    f = tuple(Fraction(i % 7) for i in range(size))
    with precision(128):
        assert not finite.transition_matrix(chain).is_exact
        law = [end_points(ball(p)) for p in finite.stationary_law(chain)]
        u = [end_points(ball(x)) for x in finite.poisson_solution(chain, f)]
        contraction = end_points(ball(finite.dobrushin_of_power(chain, 1)))
    exact = Matrix.exact(dense(chain))
    pi = Matrix.identity(size).transpose() - exact.transpose()
    rows = [*pi.entries()[:-1], [ONE] * size]
    true_law = Matrix.exact(rows).solve(Matrix.column([ZERO] * (size - 1) + [ONE])).numbers()
    mean = sum((p * x for p, x in zip(true_law, f, strict=True)), ZERO)
    limit = Matrix.exact([true_law] * size)
    system = Matrix.identity(size) - exact + limit
    true_u = system.solve(Matrix.column([x - mean for x in f])).numbers()
    # 128 bits, of which the solver loses some for each factor of ten in the size.
    for (low, high), x in zip([*law, *u], [*true_law, *true_u], strict=True):
        assert low <= x <= high
        assert high - low <= Fraction(1, 2**90)
    assert contraction[0] <= dobrushin_coefficient(chain) <= contraction[1]
    assert contraction[1] - contraction[0] <= Fraction(1, 2**100)


def test_larger_chains_are_refused_in_words():
    size = finite.BALL_STATES + 1
    chain = chain_of(
        [[ONE if j == (i + 1) % size else ZERO for j in range(size)] for i in range(size)]
    )
    with pytest.raises(NotEnclosed, match=f"{size} states"):
        finite.transition_matrix(chain)


@pytest.mark.parametrize("name", ["snakes-and-ladders", "random-dense-50"])
def test_gallery_laws_agree_with_numpy(name):
    chain = gallery.load(name).chain
    matrix = np.array(dense(chain), dtype=float)
    values, vectors = np.linalg.eig(matrix.T)
    vector = vectors[:, np.argmax(values.real)].real
    expected = vector / vector.sum()
    law = [
        float((a + b) / 2) for a, b in (end_points(ball(p)) for p in finite.stationary_law(chain))
    ]
    # An eigenvector in double precision, of matrices whose spectral gap exceeds 0.1.
    assert np.abs(np.array(law) - expected).sum() < 1e-12
