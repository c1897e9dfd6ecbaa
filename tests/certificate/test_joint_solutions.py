"""What the checker finds of functions of the joint chain, against the solver and closed forms."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from certificates import LOPSIDED, made

from theorems.joint_fluctuation import Affine, invariant_mean
from verification import gallery
from verification.certificate.check import reading
from verification.certificate.check.checking import check_text
from verification.certificate.check.claims.joint_claims import _between_states, read_joint_equation
from verification.certificate.check.claims.joint_solutions import (
    COARSE,
    FINE,
    JointEquation,
    _terms,
)
from verification.certificate.check.instances import read_instance
from verification.certificate.check.outcome import Budget, Invalid, Refused
from verification.certificate.check.recurrent.memory_polynomials import ONE
from verification.certificate.witnesses import WITNESSES
from verification.enclosure.balls import enclosure
from verification.markov import finite

SOME = ("rain-tel-aviv", "negative-b", "near-periodic", "seattle-weather")


def read(name, *targets) -> JointEquation:
    subject = gallery.load(name)
    document = subject.to_json()
    document["chain"]["targets"] = list(targets) or document["chain"]["targets"]
    instance = read_instance(reading.parse(json.dumps(document)), Budget())
    witness = reading.parse(json.dumps(WITNESSES["P7"].shared(subject)))
    return read_joint_equation(instance, witness, Budget())


@pytest.mark.parametrize("name", SOME)
def test_a_summed_column_is_the_poisson_solution_up_to_a_constant(name):
    equation, chain = read(name), gallery.load(name).chain
    values = [Fraction(k * k % 7 - 3, 4) for k in range(chain.n_states)]
    found, off = equation.summed_column(values)
    solution = finite.poisson_solution(chain, values)
    assert off < Fraction(1, 2**60)
    for value, truth in zip(found, solution, strict=True):
        assert abs((value - found[0]) - (truth - solution[0])) <= 2 * off


@pytest.mark.parametrize("name", SOME)
def test_the_centre_is_the_mean_of_the_memory(name):
    """The solver's, found by iterating a function on a grid in doubles."""
    followed, subject = read(name).followed(COARSE), gallery.load(name)
    centre, off = followed.centre()
    zero = (Fraction(0),) * subject.chain.n_states
    case = Affine(label="v", levels=zero, slope=Fraction(1), asked="sum", steps=1)
    mean = enclosure(invariant_mean(subject, case))
    reach = followed.functions.reach
    low, high = (reach * (Fraction(centre, ONE) + sign * off) for sign in (-1, 1))
    assert low <= Fraction(mean.upper)
    assert Fraction(mean.lower) <= high
    assert off < Fraction(1, 2**32)


def test_what_the_series_leaves_out_is_bounded():
    """With fewer terms more is left out: the bounds are wider, and of the same number."""
    equation = read("negative-b")
    rough = equation.followed(COARSE)
    found = []
    for terms in (12, 20, rough.terms):
        rough.terms, rough._sum = terms, None
        found.append(_between_states(equation, [Fraction(0)] * 3, Fraction(1), rough))
    narrow = found[-1]
    for wide in found[:-1]:
        assert wide.lower < narrow.lower <= narrow.upper < wide.upper
    assert narrow.upper - narrow.lower < Fraction(1, 10**7) * narrow.upper


def test_a_finer_accuracy_is_one():
    equation = read("near-periodic")
    levels = [Fraction(k) for k in range(3)]
    coarse, fine = (
        _between_states(equation, levels, Fraction(1), equation.followed(accuracy))
        for accuracy in (COARSE, FINE)
    )
    assert coarse.lower <= fine.lower <= fine.upper <= coarse.upper
    assert fine.upper - fine.lower < (coarse.upper - coarse.lower) / 1_000


def test_targets_of_many_digits_are_charged_by_their_length():
    """Of denominators with nothing in common the mean has the digits of all."""
    spent = []
    for digits in (10, 3_000):
        equation = read("near-periodic", *(f"1/{10**digits + k}" for k in (1, 3, 7)))
        budget = equation.joint.chain.budget
        before = budget.left
        equation.moments_of_targets(5)
        between = budget.left
        equation.summed_column(equation.joint.chain.instance.targets)
        spent.append((before - between, between - budget.left))
        assert equation.centred_targets() is equation.centred_targets()
    for few, many in zip(*spent, strict=True):
        assert many > 10 * few


def test_cases_say_of_which_function_they_are():
    checked = check_text(json.dumps(made("P7", LOPSIDED)))
    said = [case.what for case in checked.cases]
    assert len(set(said)) == len(said)
    for start in ("F = v: U between memories", "F = f + v, f = y: U", "F = f - v, f = y: the sum"):
        assert any(what.startswith(start) for what in said)


def test_a_periodic_chain_has_no_certificate_of_any_case():
    """Nor one of U between memories, of which no bound has the steps to couple."""
    with pytest.raises(Invalid, match="the chain is periodic"):
        read("periodic-three")


def test_a_chain_of_one_state_needs_no_conditioning():
    assert read("one-state").conditioning() == 0


def test_a_memory_that_fades_too_slowly_for_the_series_is_refused():
    assert 11 <= _terms(Fraction(1, 2), Fraction(1, 2**10)) <= 13
    with pytest.raises(Refused, match="3000 terms are too few"):
        _terms(Fraction(999, 1000), Fraction(1, 2**34))
