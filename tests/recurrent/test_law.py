"""Laws: moments and projections against mpmath and closed forms; symmetries change nothing."""

from __future__ import annotations

import dataclasses
import random
from fractions import Fraction

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verification.campaign import strategies
from verification.enclosure.balls import Ball, ball, end_points, precision, square
from verification.instance import (
    Atom,
    AtomicLaw,
    Constant,
    Normal,
    ProductLaw,
    Uniform,
)
from verification.oracle import expectation as oracle
from verification.recurrent.law import (
    bound_b,
    bound_c,
    centre_of_w,
    conditional_atoms,
    conditional_means_of_c,
    dot,
    has_centred_c,
    mean_absolute_b,
    mean_absolute_c,
    mean_absolute_conditional_b,
    mean_b,
    mean_square_of_conditional_b,
    projection,
)

F = Fraction
FEWER = settings(max_examples=max(10, settings.default.max_examples // 2))
"""Half of the profile's examples."""
STRIP = F(9, 10)
ZERO, SYMMETRIC = Constant(value=(F(0),)), Uniform(low=(F(-1),), high=(F(1),))


def product_law(w, b=None) -> ProductLaw:
    return ProductLaw(c=ZERO, w=w, b=b or Uniform(low=(F(-1, 5),), high=(F(4, 5),)))


def atoms(*rows: tuple[str, str, str]) -> AtomicLaw:
    """Rows of p, w (components parted by commas) and b."""
    return AtomicLaw(
        atoms=tuple(
            Atom(p=F(p), c=F(0), w=tuple(F(x) for x in w.split(",")), b=F(b)) for p, w, b in rows
        )
    )


ATOMS = atoms(
    ("1/4", "1,-1", "1/2"), ("1/4", "1,-1", "-2"), ("1/3", "0,3", "0"), ("1/6", "-2,1/7", "5")
)
POINT = (F(-3, 2), F(1, 3))
LAWS = {
    "atoms": ATOMS,
    "constant": product_law(Constant(value=(F(2), F(-1, 3)))),
    "normal": product_law(Normal(mean=(F(1, 2), F(-1)), std=F(3, 4))),
    "uniform": product_law(Uniform(low=(F(-1), F(0)), high=(F(2), F(1, 2)))),
    "flat": product_law(Uniform(low=(F(-1), F(0)), high=(F(2), F(1, 10**6)))),
    "constant B": product_law(Normal(mean=(F(0), F(0)), std=F(1)), Constant(value=(F(-1, 3),))),
}


def covers(x: Ball, answer) -> bool:
    low, high = end_points(x)
    return low - answer.spread <= answer.value <= high + answer.spread


def lorentz(u):
    """1/(1 + u^2), neither odd nor monotone; on the strip at most 1/(1 - 0.81)."""
    return 1 / (1 + u * u)


@pytest.mark.parametrize("name", LAWS)
def test_projection_agrees_with_mpmath_and_is_narrow(name):
    law = LAWS[name]
    for weighted in (False, True):
        answer = oracle.at_two_precisions(
            lambda: oracle.mean(law, POINT, lorentz, length=F(1), weighted=weighted)  # noqa: B023
        )
        with precision(192):
            found = projection(law, POINT, STRIP)
            rule = found.memory_rule if weighted else found.rule
            value = rule.mean(lambda u: 1 / (1 + square(u)), 1 / (1 - ball(STRIP**2)), ball(1))
        assert covers(value, answer), value.str(40)
        low, high = end_points(value)
        assert high - low < F(1, 2**170)


@pytest.mark.parametrize("name", LAWS)
def test_mean_of_pairs_knows_the_conditional_mean(name):
    """E[F(W.x) E[B|W]^2]: with F = 1 a moment that is known exactly."""
    law = LAWS[name]
    with precision(128):
        found = projection(law, POINT, STRIP)
        bound = ball(mean_square_of_conditional_b(law))
        value = found.mean_of_pairs(lambda u, mean: square(mean), bound, bound)
        low, high = end_points(value)
        assert low <= mean_square_of_conditional_b(law) <= high
        assert high - low < F(1, 2**110)
        # The same through the two rules: weights of the one times means are those of the other.
        for weight, mean, joint in zip(
            found.rule.weights, found.conditional_means, found.memory_rule.weights, strict=True
        ):
            assert (weight * mean).overlaps(joint)


@FEWER
@given(st.data())
def test_moments_of_b_agree_with_mpmath(data):
    law = data.draw(strategies.laws(2))
    absolute, squared = oracle.second_moments(law, digits=30)
    assert abs(mean_absolute_b(law) - absolute.value) <= absolute.spread
    assert abs(mean_b(law)) <= mean_absolute_b(law) <= bound_b(law)
    assert mean_b(law) ** 2 <= mean_square_of_conditional_b(law) <= squared.value + squared.spread
    assert abs(mean_b(law)) <= mean_absolute_conditional_b(law) <= mean_absolute_b(law)
    assert mean_absolute_conditional_b(law) ** 2 <= mean_square_of_conditional_b(law)


def test_bounds_and_conditional_means_of_c():
    law = product_law(Constant(value=(F(1),)))
    for c, bound in ((Uniform(low=(F(-3),), high=(F(1),)), 3), (Constant(value=(F(-2),)), 2)):
        assert bound_c(dataclasses.replace(law, c=c)) == bound
    rows = (("1/2", "1", "1"), ("1/4", "-5", "1"), ("1/4", "2", "0"))
    joint = AtomicLaw(atoms=tuple(Atom(p=F(p), c=F(c), w=(F(w),), b=F(1)) for p, c, w in rows))
    assert bound_c(joint) == 5
    # (1/2 - 5/4) / (3/4), and 2 where W = 0.
    assert conditional_means_of_c(joint) == {(F(1),): F(-1), (F(0),): F(2)}


def test_moments_of_b_in_closed_form():
    uniform = product_law(Constant(value=(F(1),)), Uniform(low=(F(-1),), high=(F(3),)))
    assert (mean_b(uniform), mean_absolute_b(uniform), bound_b(uniform)) == (1, F(5, 4), 3)
    negative = product_law(Constant(value=(F(1),)), Uniform(low=(F(-3),), high=(F(-1),)))
    assert (mean_b(negative), mean_absolute_b(negative), bound_b(negative)) == (-2, 2, 3)
    # P(W = (1, -1)) = 1/2 with E[B | W] = -3/4.
    assert mean_b(ATOMS) == F(1, 8) - F(1, 2) + F(5, 6)
    assert mean_absolute_b(ATOMS) == F(1, 8) + F(1, 2) + F(5, 6)
    assert mean_absolute_conditional_b(ATOMS) == F(3, 8) + F(5, 6)
    assert mean_square_of_conditional_b(ATOMS) == F(9, 32) + F(25, 6)


def test_conditional_atoms_merge_units_with_the_same_weight():
    merged = conditional_atoms(ATOMS)
    assert len(merged) == 3
    assert (merged[0].p, merged[0].b) == (F(1, 2), F(-3, 4))
    assert sum(unit.p for unit in merged) == 1


@pytest.mark.parametrize(
    ("w", "centre"),
    [
        (Constant(value=(F(2), F(3))), (2, 3)),
        (Normal(mean=(F(2), F(3)), std=F(1)), (2, 3)),
        (Uniform(low=(F(0), F(-1)), high=(F(4), F(7))), (2, 3)),
    ],
)
def test_centre_of_w(w, centre):
    assert centre_of_w(product_law(w)) == centre


def mean_of_tanh(law, point) -> Ball:
    rule = projection(law, point, STRIP).memory_rule
    return rule.mean(Ball.tanh, ball(STRIP).tan(), ball(1))


def test_permuting_and_splitting_atoms_changes_nothing():
    rows = list(ATOMS.atoms)
    halves = [dataclasses.replace(atom, p=atom.p / 2) for atom in rows for _ in range(2)]
    random.Random(5).shuffle(halves)
    again = AtomicLaw(atoms=tuple(halves))
    assert sorted((u.w, u.p, u.b) for u in conditional_atoms(again)) == sorted(
        (u.w, u.p, u.b) for u in conditional_atoms(ATOMS)
    )
    with precision(128):
        assert mean_of_tanh(ATOMS, POINT).overlaps(mean_of_tanh(again, POINT))


@pytest.mark.parametrize("factor", [F(3), F(-1, 7)])
@pytest.mark.parametrize("name", LAWS)
def test_scaling_weights_and_inputs_inversely_changes_nothing(name, factor):
    law, point = LAWS[name], tuple(x / factor for x in POINT)

    def scaled(values):
        return tuple(factor * value for value in values)

    if isinstance(law, AtomicLaw):
        other = AtomicLaw(atoms=tuple(dataclasses.replace(a, w=scaled(a.w)) for a in law.atoms))
    elif isinstance(law.w, Constant):
        other = dataclasses.replace(law, w=Constant(value=scaled(law.w.value)))
    elif isinstance(law.w, Normal):
        w = Normal(mean=scaled(law.w.mean), std=abs(factor) * law.w.std)
        other = dataclasses.replace(law, w=w)
    else:
        ends = sorted((scaled(law.w.low), scaled(law.w.high)))
        other = dataclasses.replace(law, w=Uniform(low=ends[0], high=ends[1]))
    with precision(128):
        first, second = mean_of_tanh(law, POINT), mean_of_tanh(other, point)
        assert first.overlaps(second)
        low, high = end_points(first - second)
    assert high - low < F(1, 2**100)


def test_coordinates_that_are_zero_play_no_part():
    """A uniform component that the input does not see must not cost nodes, nor fail."""
    wide = product_law(Uniform(low=(F(-1), F(-(10**9))), high=(F(2), F(10**9))))
    narrow = product_law(Uniform(low=(F(-1),), high=(F(2),)))
    with precision(128):
        seen = projection(wide, (F(2), F(0)), STRIP)
        alone = projection(narrow, (F(2),), STRIP)
        assert len(seen.rule.nodes) == len(alone.rule.nodes)
        assert mean_of_tanh(wide, (F(2), F(0))).overlaps(mean_of_tanh(narrow, (F(2),)))
        for law in (wide, LAWS["normal"]):
            still = projection(law, (F(0), F(0)), STRIP)
            assert len(still.rule.nodes) == 1
            assert still.rule.nodes[0].contains(0)


def test_normal_projection_is_the_normal_law_of_the_sum():
    """In any dimension W.x is normal with mean m.x and standard deviation s |x|."""
    law = LAWS["normal"]
    mean, deviation = dot((F(1, 2), F(-1)), POINT), F(3, 4) * F(1)
    squared = dot(POINT, POINT)
    with mpmath.workdps(40):
        scale = mpmath.mpf(deviation.numerator) / deviation.denominator
        scale *= mpmath.sqrt(mpmath.mpf(squared.numerator) / squared.denominator)
        exact = mpmath.exp(-(scale**2) / 2) * mpmath.sin(
            mpmath.mpf(mean.numerator) / mean.denominator
        )
        truth = F(str(exact))
    with precision(192):
        value = projection(law, POINT, STRIP).rule.mean(Ball.sin, ball(STRIP).cosh(), ball(1))
        low, high = end_points(value)
    assert low - F(1, 10**38) <= truth <= high + F(1, 10**38)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize(("low", "high"), [("-1/3", "2"), ("1/2", "3"), ("-5", "-1"), ("0", "1")])
def test_absolute_moments_of_a_uniform_c_are_integrals(order, low, high):
    law = ProductLaw(c=Uniform(low=(F(low),), high=(F(high),)), w=ZERO, b=ZERO)
    low, high = mpmath.mpf(F(low).numerator) / F(low).denominator, mpmath.mpf(int(F(high)))
    cuts = sorted({low, high, min(max(low, mpmath.mpf(0)), high)})
    truth = mpmath.quad(lambda c: abs(c) ** order, cuts) / (high - low)
    found = mean_absolute_c(law, order)
    # A polynomial on each piece: quadrature is exact up to rounding.
    assert abs(mpmath.mpf(found.numerator) / found.denominator - truth) < 1e-13 * truth


def test_absolute_moments_and_means_of_c_of_atoms_and_constants():
    law = AtomicLaw(
        atoms=tuple(
            Atom(p=F(1, 4), c=c, w=(w,), b=F(1))
            for c, w in ((F(-2), F(0)), (F(2), F(0)), (F(-1), F(1)), (F(1), F(1)))
        )
    )
    assert mean_absolute_c(law, 3) == F(9, 2)
    assert has_centred_c(law)
    moved = AtomicLaw(atoms=tuple(dataclasses.replace(a, w=(F(a.c > 0),)) for a in law.atoms))
    assert not has_centred_c(moved)
    point = ProductLaw(c=Constant(value=(F(-3),)), w=ZERO, b=ZERO)
    assert mean_absolute_c(point, 2) == 9
    assert not has_centred_c(point)
    assert has_centred_c(ProductLaw(c=SYMMETRIC, w=ZERO, b=ZERO))
