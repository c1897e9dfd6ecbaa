"""The checker's stratified network and linear recursion against mpmath; forged units of T8."""

from __future__ import annotations

import json
from fractions import Fraction

import mpmath
import pytest
from certificates import LOPSIDED, made, replaced, sealed

from verification.certificate.check import reading
from verification.certificate.check.checking import check_text
from verification.certificate.check.instances import Training, read_instance
from verification.certificate.check.numbers.balls import bounds, precision
from verification.certificate.check.outcome import Budget, Invalid, Refused
from verification.certificate.check.recurrent.stratified import Both, Units
from verification.certificate.check.recurrent.training import Rates

BITS = 160
WIDTH = 50
PATH = (0, 1, 0, 0, 1, 1)
UNITS = Units(
    p=(Fraction(1, 8), Fraction(1, 8), Fraction(3, 4)),
    c=(Fraction(3), Fraction(-3), Fraction(0)),
    w=((Fraction(1, 2),), (Fraction(1, 2),), (Fraction(-2),)),
    b=(Fraction(3, 4), Fraction(3, 4), Fraction(1, 4)),
)
POINT, MEMORY = (Fraction(-1, 2),), Fraction(3, 8)


def exact(x):
    return mpmath.mpf(x.numerator) / x.denominator


def sigma(u):
    return 1 / (1 + mpmath.exp(-u))


def slope(u):
    return sigma(u) * (1 - sigma(u))


def mean(values):
    return sum(exact(p) * value for p, value in zip(UNITS.p, values, strict=True))


def plain_difference(inputs, targets, alpha, beta):
    """Follow both in mpmath; outputs stay within the clip."""
    c0, b0 = [exact(x) for x in UNITS.c], [exact(x) for x in UNITS.b]
    w0 = [exact(x) for (x,) in UNITS.w]
    c, b, w = list(c0), list(b0), list(w0)
    hidden, frozen, eps, h = [mpmath.mpf(0)] * 3, mpmath.mpf(0), WIDTH ** (beta - 1), alpha / WIDTH
    x0, v0 = exact(POINT[0]), exact(MEMORY)

    # L as a linear function of the features sigma and C sigma' x.
    theta, turned = [mpmath.mpf(0)] * 3, [mpmath.mpf(0)] * 3

    def linear(x, v):
        value = mean(t * sigma(u * x + v) for t, u in zip(theta, w0, strict=True))
        units = zip(turned, c0, w0, strict=True)
        return value + mean(t * a * slope(u * x + v) * x for t, a, u in units)

    def output():
        return mean(a * sigma(u * x0 + v0) for a, u in zip(c, w, strict=True)) / eps

    largest = abs(output() - linear(x0, v0))
    for state in PATH:
        x, y = inputs[state], targets[state]
        memory = mean(s * t for s, t in zip(b, hidden, strict=True))
        after = [sigma(u * x + memory) for u in w]
        back = [a * slope(u * x + memory) for a, u in zip(c, w, strict=True)]
        error = mean(a * s for a, s in zip(c, after, strict=True)) / eps - y
        shared = mean(back)
        c = [a - h * eps * error * s for a, s in zip(c, after, strict=True)]
        w = [u - h * eps * error * t * x for u, t in zip(w, back, strict=True)]
        b = [t - h * eps * error * s * shared for t, s in zip(b, hidden, strict=True)]
        hidden = after
        missed = linear(x, frozen) - y
        for k in range(3):
            theta[k] -= h * missed * sigma(w0[k] * x + frozen)
            turned[k] -= h * missed * c0[k] * slope(w0[k] * x + frozen) * x
        frozen = mean(t * sigma(u * x + frozen) for t, u in zip(b0, w0, strict=True))
        largest = max(largest, abs(output() - linear(x0, v0)))
    return largest


def test_the_difference_of_both_contains_the_truth_tightly():
    document = made("T8", LOPSIDED)["instance"]
    instance = read_instance(reading.parse(json.dumps(document)), Budget())
    training = instance.training
    assert isinstance(training, Training)
    with precision(BITS):
        both = Both(instance, UNITS, Rates(training, WIDTH), PATH, Budget())
        found = bounds(both.largest_difference(POINT, MEMORY))
    with mpmath.workdps(50):
        inputs = [exact(x) for (x,) in instance.inputs]
        targets = [exact(y) for y in instance.targets]
        truth = plain_difference(inputs, targets, exact(training.alpha), exact(training.beta))
        near = Fraction(int(mpmath.nint(truth * mpmath.mpf(10) ** 45)), 10**45)
    off = Fraction(1, 10**43)
    assert found.lower - off <= near <= found.upper + off
    assert 0 < found.upper - found.lower < Fraction(1, 2 ** (BITS - 20))
    assert found.lower > Fraction(1, 10**9)


@pytest.mark.parametrize(
    ("place", "value", "ending", "problem"),
    [
        (("p", 0), "1/7", Invalid, "are no shares"),
        (("C", 0), "5", Invalid, "does not occur in the initial law"),
        (("C", 0), "0.25", Invalid, r"E\[C \| W, B\] = E\[C\^3 \| W, B\] = 0"),
        (("width",), 1, Invalid, "."),
    ],
)
def test_units_that_are_not_what_they_should_be_are_found_out(place, value, ending, problem):
    document = replaced(made("T8", LOPSIDED), ("witness", "units", 0, *place), value)
    with pytest.raises((ending, Refused), match=problem):
        check_text(json.dumps(sealed(document)))


def test_what_the_bound_asks_for_is_verified():
    document = made("T8", LOPSIDED)
    altered = replaced(document, ("instance", "chain", "targets", 0), "9")
    with pytest.raises(Invalid, match=r"assumption: N\^gamma >= ybar .* is not shown"):
        check_text(json.dumps(sealed(altered)))


def test_what_is_assumed_of_the_units_is_assumed_of_their_law():
    document = made("T8", LOPSIDED)
    law = {"kind": "uniform", "low": "0", "high": "1"}
    altered = replaced(document, ("instance", "law", "C"), law)
    with pytest.raises(Invalid, match=r"E\[C \| W, B\] = E\[C\^3 \| W, B\] = 0"):
        check_text(json.dumps(sealed(altered)))
    atoms = [{"p": "1/2", "C": c, "W": ["0.5"], "B": "0.5"} for c in ("1", "2")]
    altered = replaced(document, ("instance", "law"), {"kind": "atoms", "atoms": atoms})
    with pytest.raises(Invalid, match=r"E\[C \| W, B\] = E\[C\^3 \| W, B\] = 0"):
        check_text(json.dumps(sealed(altered)))
    law = {"kind": "uniform", "low": "0", "high": "9"}
    altered = replaced(document, ("instance", "law", "B"), law)
    with pytest.raises(Invalid, match=r"q = s1 E\|B\| < 1 is not shown"):
        check_text(json.dumps(sealed(altered)))


def test_a_path_that_the_chain_does_not_take_is_found_out():
    document = made("T8", LOPSIDED)
    path = document["cases"][0]["case"]["path"]
    altered = replaced(document, ("cases", 0, "case", "path"), [1 - path[0], *path[1:]])
    with pytest.raises(Invalid, match="does not start where the chain does"):
        check_text(json.dumps(sealed(altered)))
