"""Norms, primitives and expansions against mpmath and closed forms, from both sides."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from targets import wave

from verification.enclosure.balls import ball, enclosure, end_points, precision
from verification.linear_functional import (
    Airy,
    Box,
    DampedReciprocal,
    Gaussian,
    PowerLaw,
    Switching,
)
from verification.linear_rnn.norm import expansion, integral, l1_norm, second_difference
from verification.linear_rnn.pieces import Expansion, QuasiPolynomial, of_parts

F = Fraction


PAIR = [wave(1, 1), wave(-3, 2), wave("2.2", 3)]
WAVE = [wave(1, "0.5", 2, 3, "-0.5"), wave("0.1", "0.2")]
# Of more powers of t than some of the expansions have.
LATE = [wave("1e-3", 2, 6), wave("1e-3", "1.5", 5, 1, "-1e-3")]
LAW = [PowerLaw(coefficient=F(2), exponent=F(1, 5))]
RATIONAL = [PowerLaw(coefficient=F(1), exponent=F(1))]
BOX = [Box(height=F(-2), start=F(1), length=F(1, 3))]
MIXED = [*PAIR, *RATIONAL, *BOX]
RECIPROCAL = [DampedReciprocal(coefficient=F(-2), rate=F(3, 4))]
GAUSSIAN = [Gaussian(coefficient=F(3), centre=F(5, 2), width=F(2, 3))]
AIRY = [Airy(coefficient=F(1), scale=F(9, 4), shift=F(2))]
SWITCHING = [Switching(coefficient=F(3), rate=F(1, 2), times=(F(1), F(4, 3), F(2), F(13)))]
SPECIAL = [*RECIPROCAL, *GAUSSIAN, *AIRY, *SWITCHING]
ALL = {
    "pair": PAIR,
    "wave": WAVE,
    "late": LATE,
    "law": LAW,
    "rational": RATIONAL,
    "box": BOX,
    "mixed": MIXED,
    "reciprocal": RECIPROCAL,
    "gaussian": GAUSSIAN,
    "airy": AIRY,
    "switching": SWITCHING,
    "special": SPECIAL,
}


def mp(value) -> mpmath.mpf:
    return mpmath.mpf(value.numerator) / value.denominator


def value(parts, t):
    """The definition, a second time."""
    result = mpmath.mpf(0)
    for part in parts:
        if isinstance(part, PowerLaw):
            w = mp(part.exponent)
            result += mp(part.coefficient) * w * (1 + t) ** (-1 - w)
        elif isinstance(part, Box):
            if mp(part.start) <= t <= mp(part.start + part.length):
                result += mp(part.height)
        elif isinstance(part, DampedReciprocal):
            result += mp(part.coefficient) * mpmath.exp(-mp(part.rate) * t) / (1 + t)
        elif isinstance(part, Gaussian):
            far = (t - mp(part.centre)) / mp(part.width)
            result += mp(part.coefficient) * mpmath.exp(-far * far / 2)
        elif isinstance(part, Airy):
            x = mp(part.scale) * (t - mp(part.shift))
            result += mp(part.coefficient) * mpmath.airyai(x)
        elif isinstance(part, Switching):
            result -= mp(part.coefficient) * switched(part, t)
        else:
            angle = mp(part.frequency) * t
            along = mp(part.coefficient) * mpmath.cos(angle) + mp(part.sine) * mpmath.sin(angle)
            result += t**part.power * mpmath.exp(-mp(part.rate) * t) * along
    return result


def switched(part, t):
    """``int_t^inf exp(-r s) sign(s) ds``, interval by interval."""
    r, sign, result = mp(part.rate), 1, mpmath.mpf(0)
    ends = [0, *(mp(time) for time in part.times), mpmath.inf]
    for a, b in itertools.pairwise(ends):
        if b > t:
            result += sign * (mpmath.exp(-r * max(a, t)) - mpmath.exp(-r * b)) / r
        sign = -sign
    return result


def contains(ball, truth, width):
    low, high = (mp(end) for end in end_points(ball))
    slack = abs(truth) * mpmath.mpf(10) ** -25 + mpmath.mpf(10) ** -25
    assert low - slack <= truth <= high + slack
    assert high - low <= width * max(1, abs(truth))


def holds(between, truth, relative):
    """Both bounds are right, and not far apart."""
    low, high = enclosure(between.lower).lower, enclosure(between.upper).upper
    assert mpmath.mpf(str(low)) <= truth * (1 + mpmath.mpf(10) ** -20)
    assert truth * (1 - mpmath.mpf(10) ** -20) <= mpmath.mpf(str(high))
    assert float(high) - float(low) <= relative * float(truth)


@pytest.fixture(autouse=True)
def _digits():
    with mpmath.workdps(40):
        yield


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("ends", [(F(0), F(1)), (F(1, 2), F(5)), (F(3), F(40))])
def test_integrals(name, ends):
    parts = ALL[name]
    cuts = sorted(
        {*ends, *(c for c in (F(1), F(4, 3), F(2), F(10), F(13)) if ends[0] < c < ends[1])}
    )
    truth = mpmath.quad(lambda t: value(parts, t), [mp(c) for c in cuts])
    with precision(128):
        contains(integral(of_parts(parts), *ends), truth, 1e-30)


@pytest.mark.parametrize(
    "name", ["pair", "wave", "law", "rational", "reciprocal", "gaussian", "airy", "switching"]
)
def test_second_differences_integrate_twice(name):
    a, b, c, d = F(1, 4), F(1), F(1, 2), F(2)
    # Substituting u = s + t leaves one integral of f times the length of the antidiagonal.
    cuts = [mp(x) for x in sorted({a + c, b + c, a + d, b + d, F(1), F(4, 3), F(2)})]

    def length(u):
        return min(mp(b), u - mp(c)) - max(mp(a), u - mp(d))

    truth = mpmath.quad(lambda u: value(ALL[name], u) * length(u), cuts)
    with precision(128):
        contains(second_difference(of_parts(ALL[name]), (b + d, a + d, b + c, a + c)), truth, 1e-30)


def test_second_differences_of_a_box_cut_a_square():
    # The strip 1 <= s + t <= 4/3 of the unit square has area 1/2 - 2/9.
    with precision(64):
        found = second_difference(of_parts(BOX), (F(2), F(1), F(1), F(0)))
    assert end_points(found)[0] <= -2 * (F(1, 2) - F(2, 9)) <= end_points(found)[1]


@pytest.mark.parametrize("name", [name for name in ALL if name != "box"])
@pytest.mark.parametrize("order", [1, 3, 8, 24])
@pytest.mark.parametrize(("centre", "radius"), [(F(1, 2), F(1, 4)), (F(10), F(2))])
def test_expansions_bound_what_they_leave_out(name, order, centre, radius):
    with precision(128):
        found = expansion(of_parts(ALL[name]), centre, radius, order)
        coefficients = [mp(sum(end_points(c)) / 2) for c in found.coefficients]
        remainder = mp(end_points(found.remainder)[1])
    worst = mpmath.mpf(0)
    for k in range(-10, 11):
        x = mp(radius * k / 10)
        error = abs(value(ALL[name], mp(centre) + x) - mpmath.polyval(coefficients, x, asc=True))
        worst = max(worst, error)
    noise = mpmath.mpf(10) ** -30
    assert worst <= remainder + noise
    # The bound is a triangle inequality over all terms: it may lose their cancellation.
    assert remainder <= 1e4 * worst * order + noise


def test_known_norms():
    with precision(64):
        # int t exp(-t) = 1; int |exp(-t) - 2 exp(-2t)| = 1/2, one sign change at log 2
        holds(l1_norm(of_parts([wave(1, 1, 1)])), mpmath.mpf(1), 1e-12)
        holds(l1_norm(of_parts([wave(1, 1), wave(-2, 2)])), mpmath.mpf(1) / 2, 1e-12)
        # int |cos(w t)| exp(-t) = (1 + w e^(-p/2)/(1 - e^(-p)) 2/2 ..)/(1 + w^2), p = pi/w
        w = mpmath.mpf(7)
        p = mpmath.pi / w
        truth = (1 + 2 * w * mpmath.exp(-p / 2) / (1 - mpmath.exp(-p))) / (1 + w * w)
        holds(l1_norm(of_parts([wave(1, 1, 0, 7)])), truth, 1e-11)
        holds(l1_norm(of_parts(LAW)), mpmath.mpf(2), 1e-12)
        holds(l1_norm(of_parts(BOX)), mpmath.mpf(2) / 3, 1e-12)


@pytest.mark.parametrize("name", ["pair", "wave", "mixed", "switching", "special"])
def test_norms_agree_with_quadrature_between_roots(name):
    parts = ALL[name]
    grid = [mpmath.mpf(k) / 64 for k in range(1, 64 * 60)]
    cuts = [mpmath.mpf(0)]
    for a, b in itertools.pairwise(grid):
        if value(parts, a) * value(parts, b) < 0:
            # At a jump there is no root, and halving ends at the jump.
            root = mpmath.findroot(
                lambda t: value(parts, t), (a, b), solver="bisect", maxsteps=140, verify=False
            )
            cuts.append(root)
    jumps = [mp(jump) for piece in of_parts(parts) for jump in piece.jumps]
    cuts = sorted([*cuts, *jumps])
    with precision(64):
        found = l1_norm(of_parts(parts))
        function = of_parts(parts)
        truth = mpmath.mpf(0)
        for a, b in itertools.pairwise(cuts):
            truth += abs(mpmath.quad(lambda t: value(parts, t), [a, b]))
        last = F(int(cuts[-1] * 2**60), 2**60)
        low, high = end_points(abs(integral(function, last, None)))
        truth += mp(low + high) / 2
    holds(found, truth, 1e-10)


def test_the_norm_of_a_difference_that_cancels():
    close = [wave(1, 1), wave(-1, 1 + F(1, 10**9))]
    truth = mpmath.mpf(1) - 1 / mp(1 + F(1, 10**9))
    with precision(128):
        holds(l1_norm(of_parts(close)), truth, 1e-9)
    with precision(64):
        found = l1_norm(of_parts([wave(1, 1), wave(-1, 1)]))
    assert (found.lower.is_zero(), found.upper.is_zero()) == (True, True)


def test_what_cancels_leaves_no_piece():
    assert of_parts([wave(1, 1, 2), wave(-1, 1, 2)]) == ()
    (left,) = of_parts([wave(1, 1, 2), wave(-1, 1, 2), wave(3, 1)])
    assert isinstance(left, QuasiPolynomial)
    assert left.order == 1
    (several,) = of_parts([wave(1, 1, 2), wave(1, 2), wave(0, 1, 0, 3, 1)])
    assert several.order == 3 + 1 + 2


rationals = st.fractions(min_value=F(-2), max_value=F(2), max_denominator=16)
rates = st.fractions(min_value=F(1, 8), max_value=F(4), max_denominator=8)


@settings(max_examples=25)
@given(st.lists(st.tuples(rationals, rates), min_size=1, max_size=4))
def test_random_sums_of_exponentials_lie_between_sums_on_a_grid(terms):
    """|int| <= ||f|| <= sum |c| / a, and a fine grid's areas approach the norm from below."""
    parts = [wave(c, a) for c, a in terms]
    function = of_parts(parts)
    with precision(64):
        found = l1_norm(function)
        low, high = end_points(found.lower)[0], end_points(found.upper)[1]
        grid = [F(k, 8) for k in range(200)]
        areas = [
            abs(sum(end_points(integral(function, a, b)), F(0)) / 2)
            for a, b in itertools.pairwise(grid)
        ]
    noise = F(1, 10**12)
    assert sum(areas, F(0)) <= high + noise
    assert low <= sum((abs(c) / a for c, a in terms), F(0)) + noise
    assert high - low <= F(1, 10**9) * max(high, F(1, 1000))


@dataclass(frozen=True)
class Lazy:
    """``(1 - 1.3 t) exp(-t)``, expanded to a constant with an honest remainder."""

    exact: tuple

    jumps = ()

    def expansion(self, centre, radius, order):
        found = expansion(self.exact, centre, F(0), 1).coefficients
        # |f'| <= 2.3 for t >= 0
        return Expansion([*found, *[ball(0)] * (order - 1)], ball(radius * F(23, 10)))

    def primitive(self, t, times=1):
        return self.exact[0].primitive(t, times)

    def tail(self, start):
        return self.exact[0].tail(start)


def test_a_sign_is_believed_beyond_the_remainder_only():
    parts = of_parts([wave(1, 1), wave("-1.3", 1, 1)])
    with precision(64):
        honest, lazy = (l1_norm(each, bits=10) for each in (parts, (Lazy(parts),)))
        truth = end_points(honest.lower)[0]
        # The remainder does not fade as f does, so that the upper bound is coarse far out.
        assert truth <= end_points(lazy.upper)[1] <= truth * F(11, 10)
        assert end_points(lazy.lower)[0] <= end_points(honest.upper)[1]


@pytest.mark.parametrize("scale", [F(10) ** 350, F(10) ** -350, F(-(10**160))])
def test_what_doubles_do_not_hold_is_scaled(scale):
    scaled = of_parts([wave(scale, 1), wave(-3 * scale, 2), wave(F("2.2") * scale, 3)])
    known, found = l1_norm(of_parts(PAIR)), l1_norm(scaled)
    # Both intervals contain the norm, and neither is wide.
    low, high = end_points(known.lower)[0] * abs(scale), end_points(known.upper)[1] * abs(scale)
    assert end_points(found.lower)[0] <= high
    assert low <= end_points(found.upper)[1] <= high * (1 + F(1, 2**40))
    assert end_points(found.lower)[0] >= low * (1 - F(1, 2**40))
