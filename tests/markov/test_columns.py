"""Rows and columns of large chains against what is known of them, and against the exact ones."""

from __future__ import annotations

from fractions import Fraction

import pytest

from verification.enclosure.balls import ball, end_points, precision
from verification.enclosure.matrix import Matrix
from verification.errors import NotEnclosed
from verification.instance import Chain
from verification.markov import columns, finite

SIZE = 402


def ring(size: int) -> Chain:
    """Return a lazy walk on a ring: doubly stochastic, of eigenvalues (1 + cos(2 pi k/n))/2."""
    quarter, half = Fraction(1, 4), Fraction(1, 2)
    rows = tuple(
        tuple(sorted([((i - 1) % size, quarter), (i, half), ((i + 1) % size, quarter)]))
        for i in range(size)
    )
    zero = (Fraction(0),)
    return Chain(rows=rows, inputs=(zero,) * size, targets=zero * size, initial=0)


def restarting(size: int) -> Chain:
    """Return a cycle that starts again from 0 with probability 1/4."""
    rows = tuple(
        ((0, Fraction(1)),) if i == size - 1 else ((0, Fraction(1, 4)), (i + 1, Fraction(3, 4)))
        for i in range(size)
    )
    zero = (Fraction(0),)
    return Chain(rows=rows, inputs=(zero,) * size, targets=zero * size, initial=0)


THIRDS = tuple(Fraction(i % 3, 3) for i in range(SIZE))


def assert_near(number, exact: Fraction, width: Fraction):
    low, high = end_points(ball(number))
    assert low <= exact <= high
    assert high - low <= width


def test_the_law_and_the_solution_of_a_ring():
    chain = ring(SIZE)
    assert not columns.is_exact(chain)
    for p in columns.stationary_row(chain).numbers():
        assert_near(p, Fraction(1, SIZE), Fraction(1, 10**8))
    # The centred thirds are an eigenvector, of the eigenvalue 1/4.
    for i, u in enumerate(columns.poisson_column(chain, THIRDS).numbers()):
        assert_near(u, Fraction(i % 3 - 1, 3) / Fraction(3, 4), Fraction(1, 10**6))
    assert_near(columns.stationary_mean(chain, THIRDS), Fraction(1, 3), Fraction(1, 10**10))


@pytest.mark.parametrize("make", [ring, restarting])
def test_products_are_those_of_the_definition(make):
    chain = make(SIZE)
    exact = [Fraction(i * i % 17, 3) for i in range(SIZE)]
    column = columns.averaged(chain, Matrix.column(exact))
    row = columns.carried(chain, Matrix.column(exact).transpose())
    carried = [Fraction(0)] * SIZE
    for i, successors in enumerate(chain.rows):
        expected = sum((p * exact[j] for j, p in successors), Fraction(0))
        assert_near(column.numbers()[i], expected, Fraction(1, 10**12))
        for j, p in successors:
            carried[j] += exact[i] * p
    for number, expected in zip(row.numbers(), carried, strict=True):
        assert_near(number, expected, Fraction(1, 10**8))


@pytest.mark.parametrize("size", [5, 90])
def test_small_chains_are_exact_or_balls(size):
    chain = restarting(size)
    exact = Matrix.column([Fraction(i % 3, 3) for i in range(size)])
    product = columns.averaged(chain, exact)
    assert product.numbers() == (finite.transition_matrix(chain) @ exact).numbers()
    with precision(128):
        inexact = columns.averaged(chain, exact.in_balls())
        back = columns.carried(chain, exact.transpose().in_balls())
    for number, expected in zip(inexact.numbers(), product.numbers(), strict=True):
        assert_near(number, expected, Fraction(1, 2**100))
    known = exact.transpose() @ finite.transition_matrix(chain)
    for number, expected in zip(back.numbers(), known.numbers(), strict=True):
        assert_near(number, expected, Fraction(1, 2**100))


def test_contraction_of_a_chain_that_meets_at_once():
    # Two rows share 1/4 at state 0, and nothing else unless they are equal.
    assert columns.summed_contraction(restarting(SIZE)) == 4


def test_contraction_of_a_power_of_a_large_chain():
    # Two copies of a path of two steps: after two steps the shared part is that of the square.
    size = SIZE
    rows = [((0, Fraction(1, 2)), (1, Fraction(1, 2)))]
    rows += [((0, Fraction(1)),)]
    rows += [((1 if i % 2 else 0, Fraction(1)),) for i in range(size - 2)]
    zero = (Fraction(0),)
    chain = Chain(rows=tuple(rows), inputs=(zero,) * size, targets=zero * size, initial=0)
    # Rows of P^2: from those that lead to 0 (1/2, 1/2), from those that lead to 1 (1, 0).
    assert finite.scrambling_index(chain) == 2
    low, high = end_points(ball(columns.summed_contraction(chain)))
    assert low <= 2 / (1 - Fraction(1, 2)) <= high
    assert high - low < Fraction(1, 10**9)


def test_what_is_too_large_is_refused_in_words(monkeypatch):
    monkeypatch.setattr(columns, "LARGE_STATES", SIZE - 1)
    with pytest.raises(NotEnclosed, match=f"{SIZE} states, more than {SIZE - 1}"):
        columns.stationary_row(restarting(SIZE))
    with pytest.raises(ValueError, match="does not converge"):
        columns.summed_contraction(
            Chain(
                rows=tuple((((i + 1) % SIZE, Fraction(1)),) for i in range(SIZE)),
                inputs=((Fraction(0),),) * SIZE,
                targets=(Fraction(0),) * SIZE,
                initial=0,
            )
        )


def test_errors_do_not_grow_with_the_number_of_steps():
    chain = restarting(SIZE)
    start = Matrix.exact([[Fraction(int(i == 0)) for i in range(SIZE)]])
    row, column = start, Matrix.column(THIRDS)
    for _ in range(60):
        row, column = columns.carried(chain, row), columns.averaged(chain, column)
    # Each step adds some 2 gamma(n) of a number of size 1 at most.
    narrow = Fraction(60 * 4 * (SIZE + 8), 2**53)
    # From 0, after k steps: in state j < k with the age law (1/4) (3/4)^j, else not yet restarted.
    for j, number in enumerate(row.numbers()):
        expected = Fraction(3, 4) ** j * (Fraction(1, 4) if j < 60 else int(j == 60))
        assert_near(number, expected, narrow)
    expected = sum(
        (Fraction(3, 4) ** j * (Fraction(1, 4) if j < 60 else 1) * THIRDS[j] for j in range(61)),
        Fraction(0),
    )
    assert_near(column.numbers()[0], expected, narrow)
