"""Both forms of the limit equation against closed forms, mpmath, scipy, and each other."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from scipy import integrate

from tests.support import limit_equation as oracle
from verification import gallery
from verification.enclosure.balls import Ball, ball, end_points, precision, square, total
from verification.enclosure.matrix import Matrix
from verification.enclosure.quadrature import normal_rule, uniform_sum_rule
from verification.errors import NotEnclosed
from verification.flow import feature_form
from verification.flow.dual_form import dual_solution
from verification.flow.feature_form import Features, feature_solution, features
from verification.flow.finite_law import (
    AllWords,
    Atom,
    FiniteLaw,
    InvariantLaw,
    Place,
    finite_law,
)
from verification.flow.history import history_law
from verification.flow.limit_flow import limit_flow
from verification.instance import Constant, Instance, Normal, ProductLaw, Uniform
from verification.kernel.limiting import Point, gram_matrix, kernel

DISCRETE = ["rain-tel-aviv", "dependent-b-on-w", "sharp-l2", "mutant-m-step"]
HALF = Fraction(1, 2)


def named(name: str) -> Instance:
    subject = gallery.load(name)
    assert isinstance(subject, Instance)
    return subject


def contains(number: Ball, value, width: float, slack: float = 1e-40) -> None:
    low, high = end_points(number)
    exact = Fraction(*mpmath.mpf(value).as_integer_ratio())
    assert low - Fraction(slack) <= exact <= high + Fraction(slack)
    assert high - low <= Fraction(width)


def solved(instance, law, time, where):
    """Loss, squared norm and value by the data and by the features."""
    dual = dual_solution(law, gram_matrix(instance, law.points), time)
    row = [kernel(instance.activation, instance.law, where, point) for point in law.points]
    primal = feature_solution(law, features(instance, [*law.points, where]), time)
    return (
        (dual.loss(), dual.squared_norm(), dual.value(row)),
        (primal.loss(), primal.squared_norm(), primal.value(len(law.points))),
    )


@pytest.mark.parametrize("name", DISCRETE)
@pytest.mark.parametrize("time", [Fraction(1, 3), Fraction(4)])
def test_both_forms_agree_with_mpmath(name, time):
    instance = named(name)
    with precision(160), mpmath.workdps(50):
        law = finite_law(instance, AllWords(known=1))
        where = Point(input=instance.chain.inputs[0], memory=Fraction(1, 5))
        atoms = oracle.history_atoms(instance, 1)
        s, place = oracle.real(time), (where.input, oracle.real(Fraction(1, 5)))
        # 24 Gauss-Legendre nodes in time: s^48 (norm of T)^47 / 48! is below 1e-30
        expected = (
            (oracle.loss(instance, atoms, s), 1e-40),
            (oracle.squared_norm(instance, atoms, s), 1e-28),
            (oracle.value(instance, atoms, s, place), 1e-28),
        )
        for found in solved(instance, law, time, where):
            for number, (value, slack) in zip(found, expected, strict=True):
                contains(number, value, 1e-38, slack)


@pytest.mark.parametrize("name", ["one-state", "sharp-fixed-point"])
def test_one_point_has_a_closed_form(name):
    """``g = y (1 - exp(-s k))``, k the kernel there, y the mean target."""
    instance = named(name)
    time = Fraction(3, 2)
    with precision(128), mpmath.workdps(50):
        law = finite_law(instance, InvariantLaw())
        (point,), (mean,) = law.points, law.mean_targets
        k = kernel(instance.activation, instance.law, point, point)
        reached = ball(mean) * (1 - (-ball(time) * k).exp())
        expected = (
            square(ball(mean) - reached) + ball(law.variance_within),
            square(reached) / k,
            reached,
        )
        for found in solved(instance, law, time, point):
            for number, value in zip(found, expected, strict=True):
                assert number.overlaps(value)
                low, high = end_points(number)
                assert high - low < Fraction(1, 10**30)


def test_scipy_follows_the_same_equation():
    instance = named("markov-onegin")
    time = Fraction(5)
    with precision(64):
        law = finite_law(instance, AllWords(known=2))
        gram = gram_matrix(instance, law.points)
        found = dual_solution(law, gram, time)
        matrix = np.array([[float(end_points(ball(x))[0]) for x in row] for row in gram.entries()])
        places = [atom.place for atom in law.atoms]
        weights = np.array([float(atom.weight) for atom in law.atoms])
        targets = np.array([float(atom.target) for atom in law.atoms])
        between = matrix[np.ix_(places, places)] * weights
        result = integrate.solve_ivp(
            lambda _, g: -between @ (g - targets),
            (0, float(time)),
            np.zeros(len(targets)),
            method="DOP853",
            rtol=1e-12,
            atol=1e-13,
        )
        for residual, target, value in zip(found.residuals, targets, result.y[:, -1], strict=True):
            low, high = end_points(residual)
            assert abs(float((low + high) / 2) - (target - value)) < 1e-9
            assert high - low < Fraction(1, 10**14)


def normal(mean: str, std: str) -> Normal:
    return Normal(mean=(Fraction(mean),), std=Fraction(std))


LAWS = {
    "normal": normal("0.5", "1"),
    "wide": normal("-1", "3"),
    "uniform": Uniform(low=(Fraction(-1),), high=(Fraction(2),)),
    "constant": Constant(value=(Fraction(3, 2),)),
}


@pytest.mark.parametrize("w", LAWS.values(), ids=LAWS)
@pytest.mark.parametrize(
    "name", ["hidden-state", "fair-coin", "periodic-three", "mixture-activation"]
)
def test_the_forms_agree_where_weights_have_a_density(name, w):
    instance = named(name)
    assert isinstance(instance.law, ProductLaw)
    instance = dataclasses.replace(instance, law=dataclasses.replace(instance.law, w=w))
    with precision(64):
        law = finite_law(instance, AllWords(known=0))
        known = features(instance, law.points)
        gram = gram_matrix(instance, law.points)
        rows = zip(known.gram().entries(), gram.entries(), strict=True)
        for one, other in rows:
            for a, b in zip(one, other, strict=True):
                assert ball(a).overlaps(ball(b))
                low, high = end_points(ball(a))
                assert high - low < Fraction(1, 10**15)
        where = Point(input=instance.chain.inputs[-1], memory=Fraction(-1, 3))
        for one, other in zip(*solved(instance, law, Fraction(2), where), strict=True):
            assert one.overlaps(other)
            for number in (one, other):
                low, high = end_points(number)
                assert high - low < Fraction(1, 10**13)


def test_long_times_are_cut_into_steps():
    instance = named("rain-tel-aviv")
    with precision(128):
        law = finite_law(instance, AllWords(known=0))
        for one, other in zip(*solved(instance, law, Fraction(300), law.points[0]), strict=True):
            assert one.overlaps(other)
            low, high = end_points(other)
            assert high - low < Fraction(1, 10**20)
        with pytest.raises(NotEnclosed, match="steps"):
            feature_solution(law, features(instance, law.points), Fraction(10**6))


def test_densities_in_two_dimensions_have_no_features():
    instance = named("two-dimensional")
    with pytest.raises(NotEnclosed, match="more than one dimension"):
        features(instance, [Point(input=instance.chain.inputs[0], memory=Fraction(0))])


def test_inputs_that_are_all_zero_need_no_rule():
    instance = named("fair-coin")
    points = [Point(input=(Fraction(0),), memory=Fraction(k, 5)) for k in (1, 2)]
    with precision(64):
        found, expected = features(instance, points), gram_matrix(instance, points)
        for one, other in zip(found.gram().numbers(), expected.numbers(), strict=True):
            assert ball(one).overlaps(ball(other))


# --- from the features' kernel to the kernel -----------------------------------------------


def one_atom(target: int = 1) -> FiniteLaw:
    point = Point(input=(Fraction(1),), memory=Fraction(0))
    return FiniteLaw(
        places=(Place(input=point.input, past=()),),
        points=(point,),
        atoms=(Atom(place=0, weight=Fraction(1), target=Fraction(target)),),
    )


def single_feature(height: Fraction, beside: Fraction, error: Fraction) -> Features:
    """Features at the atom and at another point, for a kernel that is `error` larger."""
    rows = [[ball(height)], [ball(beside)]]
    return Features(matrix=Matrix.of_balls(rows), error=ball(error))


@pytest.mark.parametrize("height", [Fraction(0), Fraction(1, 2), Fraction(2)])
@pytest.mark.parametrize("time", [Fraction(1, 100), Fraction(1), Fraction(8)])
@pytest.mark.parametrize("error", [Fraction(1, 10**6), Fraction(1, 10)])
def test_the_enclosure_holds_for_every_kernel_within_the_error(height, time, error):
    law = one_atom(target=3)
    with precision(128), mpmath.workdps(40):
        found = feature_solution(law, single_feature(height, height, error), time)
        s, y = oracle.real(time), 3
        for sign in (-1, 0, 1):
            k = oracle.real(max(height * height + sign * error, Fraction(0)))
            fraction = s if k == 0 else (1 - mpmath.exp(-s * k)) / k
            for shift in (-1, 1):
                beside = oracle.real(height * height + shift * error)
                contains(found.value(1), y * beside * fraction, 1e9)
            contains(found.loss(), (y * mpmath.exp(-s * k)) ** 2, 1e9)
            contains(found.squared_norm(), k * (y * fraction) ** 2, 1e9)


def test_the_error_bounds_are_nearly_attained():
    """A little time, and a kernel that is 0 and might be eps: equality to first order."""
    time, error = Fraction(1, 1000), Fraction(1, 1000)
    law = one_atom(target=3)
    with precision(128):
        found = feature_solution(law, single_feature(Fraction(0), Fraction(0), error), time)
        true = [9 * (1 - time * error) ** 2, error * (3 * time) ** 2, 3 * error * time]
        sides = [found.loss(), found.squared_norm(), found.value(1)]
        for number, value, outward in zip(sides, true, (0, 1, 1), strict=True):
            end, middle = end_points(number)[outward], sum(end_points(number)) / 2
            assert abs(end - middle) <= abs(value - middle) * Fraction("1.01")
        # with a kernel of height k the second term of the bound of a value
        found = feature_solution(law, single_feature(Fraction(20), Fraction(20), error), time)
        low, high = end_points(found.value(1))
        k = Fraction(400)
        s, first = time, 3 * error * time
        assert (high - low) / 2 == pytest.approx(float(first * (1 + s * k / 2)), rel=1e-3)


def test_the_series_is_cut_with_a_bound_of_the_rest(monkeypatch):
    """Cut early, it is wide and still true."""
    instance = named("rain-tel-aviv")
    with precision(128):
        law = finite_law(instance, AllWords(known=1))
        known = features(instance, law.points)
        sharp = feature_solution(law, known, Fraction(2))
    monkeypatch.setattr(feature_form, "_GUARD_BITS", -100)
    with precision(128):
        blunt = feature_solution(law, known, Fraction(2))
        for one, other in (
            (sharp.loss(), blunt.loss()),
            (sharp.squared_norm(), blunt.squared_norm()),
        ):
            (low, high), (least, most) = end_points(one), end_points(other)
            assert least <= low <= high <= most
            assert most - least > Fraction(1, 10**9)


@pytest.mark.parametrize("name", ["hidden-state", "fair-coin", "cyclic-with-noise"])
def test_a_coarse_rule_is_paid_for(monkeypatch, name):
    """A rule for W with few nodes: wide, and still true."""
    instance = named(name)
    time = Fraction(1)
    with precision(64):
        law = finite_law(instance, AllWords(known=0))
        sharp, _ = solved(instance, law, time, law.points[0])
        expected = gram_matrix(instance, law.points)

    def coarse(w, _sigma, strip):
        if isinstance(w, Normal):
            return normal_rule(ball(w.mean[0]), ball(w.std), strip, bits=4)
        return uniform_sum_rule([(w.low[0], w.high[0])], strip, bits=4)

    monkeypatch.setattr(feature_form, "_rule", coarse)
    with precision(64):
        known = features(instance, law.points)
        apart = []
        for row, other in zip(known.matrix.entries(), expected.entries(), strict=True):
            for second, value in zip(known.matrix.entries(), other, strict=True):
                product = total(ball(a) * ball(b) for a, b in zip(row, second, strict=True))
                apart.append(end_points(abs(product - ball(value)))[1])
        for found, value in zip(known.gram().numbers(), expected.numbers(), strict=True):
            (low, high), (least, most) = end_points(ball(value)), end_points(ball(found))
            assert least <= low <= high <= most
        # there is an error, and its bound holds
        assert Fraction(1, 10**9) < max(apart) <= end_points(known.error)[1] < 1
        _, blunt = solved(instance, law, time, law.points[0])
        for one, other in zip(sharp, blunt, strict=True):
            (low, high), (least, most) = end_points(one), end_points(other)
            assert least <= low <= high <= most


@pytest.mark.parametrize("name", ["hidden-state", "fair-coin", "rain-tel-aviv", "periodic-three"])
def test_the_flow_in_double_precision_agrees(name):
    """Another code for words, kernels and solution: within its proved error."""
    instance = named(name)
    assert instance.training is not None
    words = history_law(instance, length=2)
    exactly = dataclasses.replace(words, spread=0.0, mass_error=0.0)
    last = instance.chain.n_states - 1
    flow = limit_flow(instance, exactly, [(0, Fraction(1, 4)), (last, Fraction(-1, 8))])
    times = [Fraction(1, 2), Fraction(4)]
    outputs, losses = flow.output(times), flow.loss(times)
    with precision(128):
        law = finite_law(instance, AllWords(known=2))
        gram = gram_matrix(instance, law.points)
        for k, time in enumerate(times):
            solution = dual_solution(law, gram, instance.training.alpha * time)
            low, high = end_points(solution.loss())
            assert abs(float(low) - losses.values[k]) <= losses.errors[k] < 1e-8
            for j, (state, memory) in enumerate([(0, Fraction(1, 4)), (last, Fraction(-1, 8))]):
                where = Point(input=instance.chain.inputs[state], memory=memory)
                row = [kernel(instance.activation, instance.law, where, p) for p in law.points]
                low, high = end_points(solution.value(row))
                assert high - low < Fraction(1, 10**25)
                assert abs(float(low) - outputs.values[k, j]) <= outputs.errors[k] < 1e-8
