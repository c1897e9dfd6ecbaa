"""The checker's own chain arithmetic, against definitions in plain rationals."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from verification.certificate.check.markov.chains import Chain
from verification.certificate.check.numbers.bounds import Bounds, confirm
from verification.certificate.check.outcome import Budget, Invalid


@st.composite
def chains(draw):
    """Return the rows of a chain in which every state reaches state 0, and its size."""
    size = draw(st.integers(1, 5))
    rows = []
    for i in range(size):
        weights = draw(st.lists(st.integers(0, 4), min_size=size, max_size=size))
        weights[max(i - 1, 0)] += 1
        rows.append([Fraction(w, sum(weights)) for w in weights])
    return rows


def solved(matrix, right):
    """Solve a system in rationals by elimination; None where it is singular."""
    rows = [[*row, b] for row, b in zip(matrix, right, strict=True)]
    for k in range(len(rows)):
        pivot = next((i for i in range(k, len(rows)) if rows[i][k]), None)
        if pivot is None:
            return None
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [x / rows[k][k] for x in rows[k]]
        for i, row in enumerate(rows):
            if i != k and row[k]:
                rows[i] = [x - row[k] * y for x, y in zip(row, rows[k], strict=True)]
    return [row[-1] for row in rows]


def stationary(rows):
    size = len(rows)
    system = [[(i == j) - rows[i][j] for i in range(size)] for j in range(size - 1)]
    return tuple(solved([*system, [Fraction(1)] * size], [Fraction(0)] * (size - 1) + [1]))


def product(first, second):
    return [
        [
            sum((a * b for a, b in zip(row, column, strict=True)), Fraction(0))
            for column in zip(*second, strict=True)
        ]
        for row in first
    ]


def coefficient(matrix):
    return max(
        sum((abs(a - b) for a, b in zip(p, q, strict=True)), Fraction(0)) / 2
        for p in matrix
        for q in matrix
    )


def chain_of(rows, law=None):
    sparse = tuple(tuple((j, p) for j, p in enumerate(row) if p) for row in rows)
    instance = SimpleNamespace(rows=sparse, size=len(rows))
    return Chain(instance, law or stationary(rows), Budget())


@given(chains())
def test_the_contraction_of_powers_is_enclosed_tightly(rows):
    chain, power = chain_of(rows), rows
    for steps in range(1, 7):
        found, truth = chain.contraction(steps), coefficient(power)
        assert found.lower <= truth <= found.upper
        assert found.upper - found.lower < Fraction(1, 2**110)
        power = product(power, rows)


def test_a_contraction_is_found_and_charged_once():
    chain = chain_of([[Fraction(1, 2), Fraction(1, 2)], [Fraction(1, 4), Fraction(3, 4)]])
    first, left = chain.contraction(6), chain.budget.left
    assert chain.contraction(6) == first
    assert chain.budget.left == left < Budget().left


@given(chains())
def test_the_coupling_steps_are_the_least(rows):
    chain, power = chain_of(rows), rows
    # Every state reaches 0, and 0 may stay there: at most 2 (n - 1) steps.
    steps = chain.coupling_steps()
    for number in range(1, steps + 1):
        assert (coefficient(power) < 1) is (number == steps)
        power = product(power, rows)


@given(chains(), st.data())
def test_a_solution_is_taken_and_no_other(rows, data):
    chain, size = chain_of(rows), len(rows)
    values = tuple(Fraction(data.draw(st.integers(-5, 5))) for _ in range(size))
    law = chain.law
    mean = sum(p * f for p, f in zip(law, values, strict=True))
    system = [[(i == j) - rows[i][j] + law[j] for j in range(size)] for i in range(size)]
    solution = tuple(solved(system, [f - mean for f in values]))
    chain.require_solution(values, solution)
    state = data.draw(st.integers(0, size - 1))
    shift = Fraction(1, data.draw(st.integers(1, 10**6)))
    other = tuple(u + shift * (i == state) for i, u in enumerate(solution))
    with pytest.raises(Invalid, match="Poisson equation"):
        chain.require_solution(values, other)
    with pytest.raises(Invalid, match="Poisson equation"):
        chain.require_solution(values, tuple(u + shift for u in solution))


@given(chains(), st.data())
def test_another_law_is_not_stationary(rows, data):
    law = stationary(rows)
    other = data.draw(st.permutations(law))
    assume(tuple(other) != law)
    for wrong in (tuple(other), tuple(2 * p for p in law), tuple(-p for p in law)):
        with pytest.raises(Invalid, match="not a stationary law"):
            chain_of(rows, wrong)


def test_two_recurrent_classes_are_not_one():
    one, half = Fraction(1), Fraction(1, 2)
    with pytest.raises(Invalid, match="more than one recurrent class"):
        chain_of([[one, 0 * one], [0 * one, one]], (half, half))


def test_a_periodic_chain_never_couples():
    one, half = Fraction(1), Fraction(1, 2)
    with pytest.raises(Invalid, match="periodic"):
        chain_of([[0 * one, one], [one, 0 * one]], (half, half)).coupling_steps()


def test_hitting_times_are_taken_and_no_others():
    half = Fraction(1, 2)
    chain = chain_of([[half, half], [half, half]])
    chain.require_hitting_times(0, (Fraction(0), Fraction(2)))
    for wrong in ((Fraction(0), Fraction(3)), (Fraction(1), Fraction(2))):
        with pytest.raises(Invalid, match="hitting times"):
            chain.require_hitting_times(0, wrong)
    absorbed = chain_of([[half, half], [0 * half, 2 * half]])
    with pytest.raises(Invalid, match="not recurrent"):
        absorbed.require_hitting_times(0, (Fraction(0), Fraction(0)))


def around(x):
    return Bounds(x - Fraction(1, 10**6), x + Fraction(1, 10**6))


def test_a_violation_is_found_however_well_both_sides_are_stated():
    third, half = Bounds.exactly(Fraction(1, 3)), Bounds.exactly(Fraction(1, 2))
    claimed = around(Fraction(1, 3)), around(Fraction(1, 2))
    confirm("it", (third, half), claimed)
    with pytest.raises(Invalid, match="not shown that left <= right"):
        confirm("it", (half, third), claimed[::-1])
    with pytest.raises(Invalid, match="not shown that left = right"):
        confirm("it", (third, half), claimed, identity=True)
    with pytest.raises(Invalid, match="left side is"):
        confirm("it", (half, half), claimed)
    with pytest.raises(Invalid, match="right side is"):
        confirm("it", (third, third), claimed)


def test_rationals_are_compared_without_slack_and_others_with_a_little():
    half, tiny = Fraction(1, 2), Fraction(1, 2**60)
    above = Bounds.exactly(half + tiny)
    claimed = around(half), around(half)
    with pytest.raises(Invalid, match="not shown that left <= right"):
        confirm("it", (above, Bounds.exactly(half)), claimed)
    confirm("it", (above, lambda _bits: Bounds(half, half + tiny)), claimed)


@given(st.fractions(0, 10**6), st.sampled_from([64, 128]))
def test_roots_are_enclosed_tightly(value, bits):
    found = Bounds.exactly(value).root(bits)
    assert found.lower**2 <= value <= found.upper**2
    assert found.upper - found.lower <= found.upper / 2 ** (bits - 2)
