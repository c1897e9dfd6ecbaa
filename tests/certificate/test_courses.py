"""Trainings and initial outputs as the checker follows them, against plain loops in mpmath."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from types import SimpleNamespace

import mpmath
import pytest

from verification.certificate.check.claims.output_claims import (
    Untrained,
    _mean_square_of_sum,
    _moment,
)
from verification.certificate.check.instances import Atom, Law, Spread, Term, Training
from verification.certificate.check.numbers.balls import ball, bounds, precision
from verification.certificate.check.outcome import Budget
from verification.certificate.check.recurrent import units
from verification.certificate.check.recurrent.training import Course, Network, clip

F = Fraction
TERMS = (
    Term(F(1), F(1), F(1, 5), "tanh"),
    Term(F(1, 2), F(-2), F(0), "logistic"),
)
INSTANCE = SimpleNamespace(
    inputs=((F(1), F(-1, 2)), (F(1, 3), F(2))), targets=(F(1, 2), F(-3)), activation=TERMS
)
NETWORK = Network(
    c=(F(1), F(-2), F(1, 2)),
    w=((F(1), F(0)), (F(-1, 3), F(1)), (F(1, 7), F(1, 7))),
    b=(F(1, 2), F(-1, 4), F(3, 5)),
)
RATES = Training(alpha=F(9), beta=F(3, 4), gamma=F(1, 8), horizon=F(1))
PATH = (0, 1, 1, 0, 1)
DIGITS = 40


def exact(x):
    return mpmath.mpf(x.numerator) / x.denominator


def sigma(u):
    return mpmath.tanh(u + exact(F(1, 5))) + 1 / (1 + mpmath.exp(2 * u)) / 2


def slope(u):
    grown = 1 / (1 + mpmath.exp(2 * u))
    return mpmath.sech(u + exact(F(1, 5))) ** 2 - grown * (1 - grown)


def psi(z):
    bound = mpmath.mpf(3) ** exact(RATES.gamma)
    size = abs(z)
    if size <= bound:
        return z
    t = min((size - bound) / (2 * bound), mpmath.mpf(1))
    return mpmath.sign(z) * (bound + 2 * bound * (t - t**3 + t**4 / 2))


def trained():
    """Return memories, outputs and weights after each step, by the recursion as it is stated."""
    c, b = ([exact(x) for x in values] for values in (NETWORK.c, NETWORK.b))
    w = [[exact(x) for x in row] for row in NETWORK.w]
    rate = exact(RATES.alpha) * mpmath.mpf(3) ** (exact(RATES.beta) - 2)
    hidden, memory = [mpmath.mpf(0)] * 3, mpmath.mpf(0)
    memories, outputs, weights = [memory], [], [(c, w, b)]
    for state in PATH:
        x, y = [exact(z) for z in INSTANCE.inputs[state]], exact(INSTANCE.targets[state])
        u = [mpmath.fdot(row, x) + memory for row in w]
        new = [sigma(z) for z in u]
        output = mpmath.mpf(3) ** -exact(RATES.beta) * mpmath.fdot(c, new)
        error = psi(output) - y
        shared = sum(c[j] * slope(u[j]) for j in range(3)) / 3
        c, w, b = (
            [c[i] - rate * error * new[i] for i in range(3)],
            [
                [w[i][k] - rate * error * c[i] * slope(u[i]) * x[k] for k in range(2)]
                for i in range(3)
            ],
            [b[i] - rate * error * hidden[i] * shared for i in range(3)],
        )
        memory, hidden = mpmath.fdot(b, new) / 3, new
        memories.append(memory)
        outputs.append(output)
        weights.append((c, w, b))
    return memories, outputs, weights


def contains(found, truth):
    found = bounds(found)
    with mpmath.workdps(DIGITS):
        assert exact(found.lower) - mpmath.mpf(10) ** -30 <= truth
        assert truth <= exact(found.upper) + mpmath.mpf(10) ** -30
    assert found.upper - found.lower < F(1, 10**20)


def test_a_training_is_followed():
    with mpmath.workdps(DIGITS), precision(160):
        course = Course(INSTANCE, RATES, NETWORK, Budget())
        assert course.follow(PATH[:2])
        assert course.follow(PATH)
        assert not course.follow((1, 0))
        memories, outputs, weights = trained()
        for k, memory in enumerate(memories):
            contains(course.memories[k], memory)
        for k, output in enumerate(outputs):
            contains(course.outputs[k], output)
            contains(course.clipped[k], psi(output))
        assert max(map(abs, outputs)) > mpmath.mpf(3) ** exact(RATES.gamma), "none is clipped"
        for k, (c, w, b) in enumerate(weights):
            now = course.weights[k]
            for found, truth in ((now.c, c), (now.b, b), *zip(now.w, w, strict=True)):
                for x, y in zip(found, truth, strict=True):
                    contains(x, y)


def test_what_a_training_shows_at_points():
    with mpmath.workdps(DIGITS), precision(160):
        course = Course(INSTANCE, RATES, NETWORK, Budget())
        course.follow(PATH)
        _, _, weights = trained()
        places = [(INSTANCE.inputs[0], F(1, 4)), (INSTANCE.inputs[1], F(-2))]
        (first, v), (second, t) = places
        for k in (0, 3):
            c, w, _ = weights[k]
            x, y = ([exact(z) for z in point] for point in (first, second))
            u = [mpmath.fdot(row, x) + exact(v) for row in w]
            s = [mpmath.fdot(row, y) + exact(t) for row in w]
            scale = mpmath.mpf(3) ** -exact(RATES.beta)
            contains(
                course.output(k, (first, ball(v))), scale * mpmath.fdot(c, [sigma(z) for z in u])
            )
            contains(
                course.kernel(k, (first, ball(v)), (second, ball(t))),
                sum(
                    sigma(a) * sigma(b) + e**2 * slope(a) * slope(b) * mpmath.fdot(x, y)
                    for a, b, e in zip(u, s, c, strict=True)
                )
                / 3,
            )
            old_c, old_w, _ = weights[0]
            contains(
                course.linear_part(k, (first, ball(v))),
                scale
                * sum(
                    (c[i] - old_c[i]) * sigma(u[i])
                    + c[i] * slope(u[i]) * mpmath.fdot(x, [w[i][j] - old_w[i][j] for j in range(2)])
                    for i in range(3)
                ),
            )
        memory = mpmath.mpf(0)
        for state in PATH:
            x = [exact(z) for z in INSTANCE.inputs[state]]
            memory = (
                sum(
                    exact(b) * sigma(mpmath.fdot([exact(z) for z in row], x) + memory)
                    for b, row in zip(NETWORK.b, NETWORK.w, strict=True)
                )
                / 3
            )
        contains(course.frozen_memory(PATH), memory)


@pytest.mark.parametrize("value", ["0", "1/2", "1", "-1", "3/2", "-2", "29/10", "3", "-3", "5"])
def test_the_clip(value):
    z = F(value)
    with precision(96):
        found = bounds(clip(ball(z), ball(1)))
    size = abs(z)
    t = min(max((size - 1) / 2, F(0)), F(1))
    truth = (size if size <= 1 else 1 + 2 * (t - t**3 + t**4 / 2)) * (1 if z >= 0 else -1)
    assert found.lower <= truth <= found.upper
    assert found.upper - found.lower < F(1, 2**60)


ATOMS = (
    Atom(F(1, 4), F(1), (F(1, 2), F(0)), F(1)),
    Atom(F(1, 4), F(-1), (F(1, 2), F(0)), F(-2)),
    Atom(F(1, 2), F(0), (F(1), F(1)), F(1, 3)),
)


@pytest.mark.parametrize("width", [1, 2, 3])
def test_the_mean_square_of_an_untrained_sum_is_that_over_all_draws(width):
    instance = SimpleNamespace(
        inputs=INSTANCE.inputs, activation=TERMS, law=Law(None, None, None, ATOMS)
    )
    known = Untrained(instance, RATES, Budget())
    with mpmath.workdps(DIGITS), precision(160):
        x = [exact(z) for z in INSTANCE.inputs[1]]
        heights = [
            exact(a.c) * sigma(mpmath.fdot([exact(z) for z in a.w], x) + exact(F(1, 3)))
            for a in ATOMS
        ]
        truth = mpmath.mpf(0)
        for drawn in product(range(3), repeat=width):
            chance = mpmath.fprod(exact(ATOMS[i].p) for i in drawn)
            truth += chance * sum(heights[i] for i in drawn) ** 2
        contains(_mean_square_of_sum(known, width, INSTANCE.inputs[1], F(1, 3), 128), truth)
        square = sum(exact(a.p) * h**2 for a, h in zip(ATOMS, heights, strict=True))
        contains(_moment(known, INSTANCE.inputs[1], F(1, 3), 2, 128), square)


def test_draws_of_long_probabilities_are_quick():
    """Their exact products took half a minute, for which hardly an operation was counted."""
    p = F(10**3_998, 10**3_999 + 7)
    atoms = (Atom(p, F(1), (F(1), F(0)), F(1)), Atom(1 - p, F(-1), (F(1), F(0)), F(1)))
    instance = SimpleNamespace(activation=TERMS, law=Law(None, None, None, atoms))
    with mpmath.workdps(DIGITS), precision(160):
        found = _mean_square_of_sum(
            Untrained(instance, RATES, Budget()), 40, (F(1), F(0)), F(1, 3), 128
        )
        height = sigma(exact(F(4, 3)))
        contains(found, height**2 * (40 + 40 * 39 * exact((2 * p - 1) ** 2)))


def test_what_a_law_says_of_one_unit():
    atoms = Law(None, None, None, ATOMS)
    assert units.has_centred_output(atoms)
    assert not units.has_centred_output(Law(None, None, None, ATOMS[1:]))
    assert units.largest_output_weight(SimpleNamespace(law=atoms)) == 1
    assert units.largest_feedback_weight(SimpleNamespace(law=atoms)) == 2
    assert units.occurs(atoms, F(1), (F(1, 2), F(0)), F(1))
    assert not units.occurs(atoms, F(1), (F(1, 2), F(0)), F(-2))
    spread = Law(
        Spread("uniform", (F(-1),), (F(1, 2),)),
        Spread("normal", (F(0),), (F(1),)),
        Spread("constant", (F(3),), ()),
        (),
    )
    assert units.occurs(spread, F(1, 2), (F(100),), F(3))
    assert not units.occurs(spread, F(3, 4), (F(100),), F(3))
    assert not units.occurs(spread, F(0), (F(0),), F(2))
    assert units.moment_of_c(spread.c, 1) == F(-1, 4)
    assert units.moment_of_c(spread.c, 2) == F(1, 4)
    assert units.largest_output_weight(SimpleNamespace(law=spread)) == 1
