"""The checker's polynomials in the memory, against all paths of a closed form."""

from __future__ import annotations

import cmath
import json
from fractions import Fraction
from itertools import pairwise, product
from math import cos, pi, prod, tanh

import numpy as np
import pytest
from certificates import LOPSIDED, instance_named

from verification.certificate.check import reading
from verification.certificate.check.instances import read_instance
from verification.certificate.check.markov.chains import Chain
from verification.certificate.check.numbers.balls import Integer, precision
from verification.certificate.check.outcome import Budget, Invalid, Refused
from verification.certificate.check.recurrent.joint_functions import (
    JointFunctions,
    largest_spread,
    memory_sum,
    moments,
    supremum,
)
from verification.certificate.check.recurrent.memory import Memory
from verification.certificate.check.recurrent.memory_polynomials import ONE, ellipses
from verification.markov.finite import stationary_law

W = 0.6
AIM = 40
ROUNDING = 1e-14


def joint(b="0.3", kind="tanh"):
    """Return a chain, and the memory map ``B sigma(W x + v)``."""
    subject = instance_named(LOPSIDED)
    document = subject.to_json()
    document["activation"] = {"kind": kind}
    document["law"]["W"] = {"kind": "constant", "value": [str(W)]}
    document["law"]["B"] = {"kind": "constant", "value": b}
    instance = read_instance(reading.parse(json.dumps(document)), Budget())
    chain = Chain(instance, tuple(stationary_law(subject.chain)), Budget())
    with precision(64):
        return chain, Memory(instance, Budget())


@pytest.fixture(scope="module", params=["0.3", "0.9"])
def functions(request):
    """Return functions of a memory that fades fast, and of one whose polynomials are cut."""
    with precision(64):
        return JointFunctions(*joint(request.param), AIM)


def rate(functions):
    """Return the constant B."""
    return float(functions.chain.instance.law.b.first[0])


def image(functions, state, x):
    """Return the memory that follows one, both in units of R."""
    reach = float(functions.reach)
    return (
        rate(functions)
        * tanh(W * float(functions.chain.instance.inputs[state][0]) + reach * x)
        / reach
    )


def all_paths(functions, state, x, steps):
    """Yield probabilities, states and memories, in units of R, of all paths."""
    rows = [dict(row) for row in functions.chain.instance.rows]
    for rest in product(range(len(rows)), repeat=steps - 1):
        path, memories = (state, *rest), [x]
        for i in path[:-1]:
            memories.append(image(functions, i, memories[-1]))
        yield float(prod(rows[i].get(j, 0) for i, j in pairwise(path))), path, memories


PLACES = [Fraction(n, 8) for n in (-8, -3, 0, 1, 8)]


def at(functions, rows, x):
    """Return the values of a function, by numpy."""
    columns = np.array([[int(a) / ONE for a in row] for row in rows]).T
    return np.polynomial.chebyshev.chebval(float(x), columns)


@pytest.mark.parametrize("b", ["0.3", "0.9"])
def test_the_memory_map_takes_the_first_ellipse_into_the_second(b):
    """And not into one that is smaller by far, for the inputs between."""
    _, memory = joint(b)
    with precision(64):
        pair = ellipses(memory)
    reach, r, s = (float(x) for x in (pair.reach, pair.first, pair.second))
    sums = []
    for angle, t in product(np.linspace(0, 2 * pi, 60), np.linspace(-2, 2, 41)):
        edge = cmath.exp(1j * angle) * r
        z = float(b) * cmath.tanh(t + reach * (edge + 1 / edge) / 2) / reach
        sums.append(abs(z + cmath.sqrt(z - 1) * cmath.sqrt(z + 1)))
    assert r > 1.2
    assert max(sums) < s < 2 * max(sums)


def test_a_step_is_as_near_as_it_says(functions):
    """Of each basis polynomial, whose composition is known: at and between the roots."""
    size, degree = functions.chain.size, functions.degree
    rows = [dict(row) for row in functions.chain.instance.rows]
    for c in (0, 1, 2, degree // 2, degree):
        basis = [functions.polynomial(*[0] * c, ONE * (j + 1)) for j in range(size)]
        (found,), (error,) = functions.step([basis], [Fraction(size)])
        for x in (*PLACES, *(Fraction(cos(k)) for k in range(9))):
            for i, value in enumerate(at(functions, found, x)):
                weight = sum(float(p) * (j + 1) for j, p in rows[i].items())
                truth = weight * np.cos(c * np.arccos(image(functions, i, float(x))))
                assert abs(value - truth) <= float(error) + ROUNDING
        assert error < (Fraction(1, 2**80) if c == 0 else 2)


@pytest.mark.parametrize("functions", ["0.9"], indirect=True)
def test_what_is_cut_off_is_counted(functions):
    """The degree is less than is known to do beforehand; of less smooth functions that shows."""
    assert functions.degree < 60 < len(functions._weights)
    errors = []
    for c in (1, functions.degree):
        basis = [functions.polynomial(*[0] * c, ONE) for _ in range(functions.chain.size)]
        _, (error,) = functions.step([basis], [Fraction(1)])
        errors.append(error)
    assert errors[0] < Fraction(1, 1 << AIM - 3)
    assert errors[1] > Fraction(1, 1 << AIM - 8)


def test_the_error_of_a_step_is_small_where_a_function_is_smooth(functions):
    smooth = [functions.polynomial(0, ONE) for _ in range(functions.chain.size)]
    _, (error,) = functions.step([smooth], [Fraction(1)])
    assert 0 < error < Fraction(8, 1 << AIM)


@pytest.mark.parametrize("terms", [1, 2, 6])
def test_a_sum_of_memories_is_the_mean_over_all_paths(functions, terms):
    found = memory_sum(functions, terms)
    assert found.error < Fraction(1, 10**9)
    for x in PLACES:
        for state, value in enumerate(at(functions, found.rows, x)):
            paths = all_paths(functions, state, float(x), terms + 1)
            truth = sum(p * sum(memories[:-1]) for p, _, memories in paths)
            assert abs(value - truth) <= float(found.error) + ROUNDING
    for state, value in enumerate(found.left):
        middle = all_paths(functions, state, 0.0, terms + 1)
        left = sum(p * memories[-1] for p, _, memories in middle)
        assert abs(float(value) - left) <= float(found.left_error) + ROUNDING
    assert float(found.fading) == pytest.approx(rate(functions) ** terms)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_moments_are_means_over_all_paths(functions, steps):
    levels, centre = (Fraction(1, 3), Fraction(-2)), Fraction(1, 8)
    found = moments(functions, int(centre * ONE), levels, steps)
    assert max(found.square_error, found.product_error) < Fraction(1, 10**8)
    most = 0.0
    for x in PLACES:
        squares, products = (at(functions, rows, x) for rows in (found.square, found.product))
        for state in range(functions.chain.size):
            square = mixed = 0.0
            for p, path, memories in all_paths(functions, state, float(x), steps):
                total = sum(memory - float(centre) for memory in memories)
                square += p * total * total
                mixed += p * total * sum(float(levels[i]) for i in path)
            assert abs(squares[state] - square) <= float(found.square_error) + ROUNDING
            assert abs(products[state] - mixed) <= float(found.product_error) + ROUNDING
            most = max(most, square)
    assert most <= float(found.largest_square()) < 2 * most


@pytest.mark.parametrize("functions", ["0.3"], indirect=True)
def test_slopes_and_curvatures_are_bounded(functions):
    """By differences of a sum along each path, and not by far more."""
    h, steepest, most = 2.0**-8, 0.0, 0.0
    for state, x in product(range(2), np.linspace(-0.99, 0.99, 57)):
        there = [list(all_paths(functions, state, x + k * h, 6)) for k in (-1, 0, 1)]
        for low, middle, high in zip(*there, strict=True):
            a, b, c = (sum(memories) for _, _, memories in (low, middle, high))
            steepest, most = max(steepest, abs(c - a) / 2 / h), max(most, abs(a + c - 2 * b) / h**2)
    assert 0.8 * float(functions.slope) < steepest <= float(functions.slope)
    assert 0.5 * float(functions.curvature) < most <= float(functions.curvature) + 1e-6


def test_values_and_spreads_are_those_of_the_polynomials(functions):
    rows = [functions.polynomial(ONE, -2 * ONE, ONE // 3), functions.polynomial(0, ONE, 0, ONE)]
    values, error = functions.evaluated(rows)
    assert error < Fraction(1, 10**20)
    spread = largest_spread(rows)
    for x in PLACES:
        found, truth = [value / ONE for value in values(x)], at(functions, rows, x)
        assert found == pytest.approx(truth, abs=1e-15)
        assert abs(found[0] - found[1]) <= spread + 1e-15
    # The second less the first has the coefficients -1, 3, -1/3 and 1: within 4 1/3 of -1.
    assert float(spread) == pytest.approx((-1 + 13 / 3) - (-1 - 13 / 3))


def test_a_supremum_is_between_its_bounds():
    """Of a parabola, within and at the end; and of a constant that is known to be one."""

    def parabola(x):
        return int((1 - (x - Fraction(1, 3)) ** 2) * ONE)

    for reach, truth in ((Fraction(1), Fraction(1)), (Fraction(1, 4), 1 - Fraction(1, 144))):
        found = supremum(parabola, Fraction(2), reach, Fraction(1, 2**30))
        assert found.lower <= truth <= found.upper < truth * (1 + Fraction(1, 2**29))
    asked = []
    found = supremum(lambda x: asked.append(x) or ONE, Fraction(9), 1, Fraction(1, 2**30), 1)
    assert (found.lower, found.upper, len(asked)) == (1, 1, 2)


def test_a_bend_of_many_digits_is_rounded_up():
    """Bounds of cells would have its digits, and so would all that is made of them."""
    bend = 2 + Fraction(1, 3**5_000)
    found = supremum(lambda x: int(x * ONE), bend, Fraction(1), Fraction(1, 2**30))
    assert found.lower == 1 <= found.upper
    assert found.upper.denominator < 2**200


def test_functions_of_hardly_any_coefficients_are_charged_too():
    """A value and a step take their time, of which there may be thousands."""
    with precision(64):
        functions = JointFunctions(*joint("0.0001"), AIM)
    budget, rows = functions.chain.budget, [functions.polynomial(ONE)] * functions.chain.size
    assert functions.degree < 10
    left = budget.left
    functions.evaluated(rows)[0](Fraction(0))
    assert left - budget.left >= 200
    left = budget.left
    moments(functions, 0, (Fraction(1), Fraction(-1)), 10)
    assert left - budget.left >= 10 * 2_000


def test_what_rounds_is_counted():
    """Coefficients below the last place of the grid are no more exact than it says."""
    with precision(64):
        functions = JointFunctions(*joint(), AIM)
    tiny = [[Integer(1)] * (functions.degree + 1) for _ in range(functions.chain.size)]
    _, (error,) = functions.step([tiny], [Fraction(1)])
    assert error > Fraction(functions.degree + 1, ONE)


def test_a_memory_that_is_always_0_has_no_ellipses():
    _, memory = joint("0")
    with pytest.raises(Invalid, match="always 0"), precision(64):
        ellipses(memory)


def test_a_memory_that_fades_too_slowly_is_refused():
    chain, memory = joint("0.99999")
    with pytest.raises(Refused, match="fades so slowly"), precision(64):
        JointFunctions(chain, memory, AIM)


def test_work_is_charged(functions):
    chain, memory = joint()
    chain.budget.left = memory.budget.left = 10**4
    with pytest.raises(Refused, match="operations"), precision(64):
        JointFunctions(chain, memory, AIM)
    functions.chain.budget.left = 100
    rows = [functions.polynomial(0, ONE) for _ in range(functions.chain.size)]
    with pytest.raises(Refused, match="operations"):
        functions.step([rows], [Fraction(1)])
    with pytest.raises(Refused, match="operations"):
        functions.evaluated(rows)[0](Fraction(0))
