"""E6: tau and both sides against closed forms, another matrix and brute force."""

from __future__ import annotations

import dataclasses
import pickle
import random
from fractions import Fraction

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theorems import stationary_perturbation as theorem
from theorems.stationary_perturbation import E6, ChangedChain
from verification import gallery
from verification.campaign import strategies
from verification.decision import decide
from verification.enclosure.balls import enclosure, precision
from verification.instance import Chain
from verification.markov import finite
from verification.verdict import Verdict

F = Fraction
CYCLE = [[F(0), F(1), F(0)], [F(0), F(0), F(1)], [F(1), F(0), F(0)]]
THREE = [[F(1, 2), F(1, 3), F(1, 6)], [F(1, 4), F(1, 4), F(1, 2)], [F(1, 5), F(3, 5), F(1, 5)]]
TRANSIENT = [[F(1, 2), F(1, 4), F(1, 4)], [F(0), F(1, 3), F(2, 3)], [F(0), F(3, 4), F(1, 4)]]
RARE = [[F(1) - F(1, 10**6), F(1, 10**6)], [F(1) - F(1, 10**6), F(1, 10**6)]]
MATRICES = {"cycle": CYCLE, "three": THREE, "transient": TRANSIENT, "rare": RARE}


@pytest.fixture(autouse=True)
def _working_precision():
    with precision(64):
        yield


def chain_of(rows):
    n = len(rows)
    return Chain(
        rows=tuple(tuple((j, p) for j, p in enumerate(row) if p) for row in rows),
        inputs=tuple((F(i),) for i in range(n)),
        targets=(F(0),) * n,
        initial=0,
    )


def instance_of(rows):
    return dataclasses.replace(gallery.load("sharp-ergodic"), chain=chain_of(rows))


def tau_from_fundamental_matrix(chain):
    rows = finite.fundamental_matrix(chain).entries()
    return max(
        sum((abs(x - y) for x, y in zip(a, b, strict=True)), F(0)) / 2 for a in rows for b in rows
    )


def norm_by_mpmath(rows, changed):
    """Return ``|pi' - pi|_1`` from powers of ``(I + P) / 2``, at 50 digits."""

    def law(matrix):
        n = len(matrix)
        lazy = mpmath.matrix(n, n)
        for i in range(n):
            for j in range(n):
                p = mpmath.mpf(matrix[i][j].numerator) / matrix[i][j].denominator
                lazy[i, j] = (p + (i == j)) / 2
        for _ in range(14):
            lazy = lazy * lazy
        return [lazy[0, j] for j in range(n)]

    return mpmath.fsum(abs(a - b) for a, b in zip(law(rows), law(changed), strict=True))


@pytest.mark.parametrize("name", MATRICES)
def test_tau_is_that_of_the_fundamental_matrix(name):
    chain = chain_of(MATRICES[name])
    assert theorem.sensitivity_of_law(instance_of(MATRICES[name])) == tau_from_fundamental_matrix(
        chain
    )


@pytest.mark.parametrize(("a", "b"), [(F(1, 3), F(1, 7)), (F(1), F(1)), (F(1, 1000), F(1, 2))])
def test_two_states_in_closed_form(a, b):
    instance = instance_of([[1 - a, a], [b, 1 - b]])
    assert theorem.sensitivity_of_law(instance) == 1 / (a + b)
    c, d = a / 2, b / 3
    case = ChangedChain(name="", chain=chain_of([[1 - c, c], [d, 1 - d]]))
    left, right = abs(c / (c + d) - a / (a + b)) * 2, 2 * max(a - c, b - d) / (a + b)
    assert theorem.distance_of_laws(instance, case) == left
    assert theorem.perturbation_bound(instance, case) == right >= left


@pytest.mark.parametrize("name", MATRICES)
def test_the_left_side_against_powers_at_fifty_digits(name):
    instance = instance_of(MATRICES[name])
    with mpmath.workdps(50):
        for case in theorem.changed_chains(instance, random.Random(3)):
            n = instance.chain.n_states
            changed = [[dict(row).get(j, F(0)) for j in range(n)] for row in case.chain.rows]
            found = theorem.distance_of_laws(instance, case)
            expected = norm_by_mpmath(MATRICES[name], changed)
            assert abs(expected - mpmath.mpf(found.numerator) / found.denominator) < 1e-40


@pytest.mark.parametrize("name", [*E6.sharp, "cyclic-with-noise"])
def test_the_same_mass_moved_in_every_row_makes_both_sides_equal(name):
    instance = gallery.load(name)
    equal = [
        case.name
        for case in theorem.changed_chains(instance, random.Random(0))
        if theorem.distance_of_laws(instance, case) == theorem.perturbation_bound(instance, case)
    ]
    assert any("mass moved" in name for name in equal)


@pytest.mark.parametrize("name", MATRICES)
def test_changed_chains_are_others_with_one_law(name):
    instance = instance_of(MATRICES[name])
    for seed in range(10):
        cases = theorem.changed_chains(instance, random.Random(seed))
        assert cases
        assert len({case.name for case in cases}) == len(cases)
        for case in cases:
            assert case.chain.rows != instance.chain.rows
            assert finite.has_one_recurrent_class(case.chain)
            for old, new in zip(instance.chain.rows, case.chain.rows, strict=True):
                assert sum(p for _, p in new) == 1
                assert dict(old).keys() <= dict(new).keys()
                assert all(p > 0 for _, p in new)
            assert max(theorem.row_changes(instance, case)) > 0


def test_an_estimate_counts_the_steps_of_the_sequence():
    instance = instance_of(CYCLE)
    # The sequence goes round: 1000 states, of which the last is left by nothing.
    assert all("estimated" not in case.name for case in theorem.changed_chains(instance, random))
    instance = instance_of(THREE)
    case = theorem.changed_chains(instance, random.Random(0))[-1]
    assert "estimated from 1000 steps" in case.name
    changes = theorem.row_changes(instance, case)
    # Five standard deviations of a frequency among some 300 steps.
    assert 0 < max(changes) < 3 * 5 * 0.5 / 300**0.5


def test_large_chains_are_enclosed_narrowly():
    instance = gallery.load("random-dense-50")
    exact = theorem.sensitivity_of_law(instance)
    in_balls, rows = finite.most_distant_rows(theorem.resolvent(instance.chain).in_balls())
    bounds = enclosure(in_balls)
    assert bounds.lower <= enclosure(exact).upper
    assert bounds.upper >= enclosure(exact).lower
    assert bounds.upper - bounds.lower < 1e-9
    assert rows == finite.most_distant_rows(theorem.resolvent(instance.chain))[1]


def test_verdicts_on_one_state_two_classes_and_a_cycle():
    result = decide(E6, gallery.load("one-state"))
    assert result.verdict is Verdict.VACUOUS
    assert "one state" in result.reason
    result = decide(E6, gallery.load("reducible"))
    assert result.verdict is Verdict.INAPPLICABLE
    assert "2 recurrent classes" in result.reason
    assert decide(E6, instance_of(CYCLE)).verdict is Verdict.CERTIFIED


def test_a_change_that_does_not_move_the_law_is_vacuous():
    # State 1 is absorbing whatever leaves state 0.
    result = decide(E6, instance_of([[F(1, 2), F(1, 2)], [F(0), F(1)]]))
    assert result.verdict is Verdict.CERTIFIED
    assert result.cases["VACUOUS"] > 0


def test_the_claim_travels_and_repeats():
    assert pickle.loads(pickle.dumps(E6)).id == "E6"
    instance = gallery.load("markov-onegin")
    first, second = (
        dataclasses.replace(decide(E6, instance, seed=7), seconds=0.0) for _ in range(2)
    )
    assert first == second


@settings(max_examples=50, deadline=None)
@given(chain=strategies.chains(max_states=6), seed=st.integers(0, 2**32))
def test_it_is_decided_on_every_random_chain(chain, seed):
    instance = dataclasses.replace(
        gallery.load("rain-tel-aviv"),
        chain=dataclasses.replace(chain, inputs=((F(1),),) * chain.n_states),
    )
    applies = finite.has_one_recurrent_class(chain)
    expected = {Verdict.CERTIFIED, Verdict.VACUOUS} if applies else {Verdict.INAPPLICABLE}
    assert decide(E6, instance, seed=seed).verdict in expected
