"""The checker's functions, norms and pivots, against mpmath, closed forms and numpy."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verification.certificate.check.claims.form_claims import _largest_ky_fan_norm, read_trace_form
from verification.certificate.check.linear.kernels import BoxPiece, PowerLawPiece, Wave
from verification.certificate.check.linear.networks import StableNetwork
from verification.certificate.check.linear.norms import end_of, norm, norms, read_changes
from verification.certificate.check.linear.special_kernels import (
    AiryPiece,
    DampedReciprocalPiece,
    GaussianPiece,
    SwitchingPiece,
)
from verification.certificate.check.linear.spectra import Form, require_singular_value
from verification.certificate.check.numbers.balls import Ball, ball, bounds, precision, total
from verification.certificate.check.numbers.bounds import Bounds
from verification.certificate.check.numbers.series import TERMS
from verification.certificate.check.outcome import MAX_WORK, Budget, Invalid, Refused
from verification.certificate.check.reading import Node
from verification.certificate.check.targets import Network
from verification.certificate.sign_changes import sign_changes

F = Fraction
BITS = 160
DIGITS = 40


def switching(t):
    """Follow the derivative ``+- 3 exp(-t/2)`` backwards from infinity."""
    times = [mpmath.mpf(1) / 2, mpmath.mpf(7) / 4]
    sign, total = (-1) ** sum(x <= t for x in times), mpmath.mpf(0)
    for a, b in pairwise([t, *(x for x in times if x > t), mpmath.inf]):
        total -= sign * 6 * (mpmath.exp(-a / 2) - mpmath.exp(-b / 2))
        sign = -sign
    return total


def mp(x):
    return mpmath.mpf(x.numerator) / x.denominator


PIECES = {
    "exponential": (Wave(F(3, 2), F(0), 0, F(-2), F(0)), lambda t: -2 * mpmath.exp(-1.5 * t)),
    "with a power": (
        Wave(F(3, 2), F(0), 3, F(2), F(0)),
        lambda t: 2 * t**3 * mpmath.exp(-1.5 * t),
    ),
    "wave": (
        Wave(F(3, 4), F(5), 2, F(1), F(-3)),
        lambda t: t**2 * mpmath.exp(-3 * t / 4) * (mpmath.cos(5 * t) - 3 * mpmath.sin(5 * t)),
    ),
    "power law": (
        PowerLawPiece(F(2), F(3, 2)),
        lambda t: 2 * mpmath.mpf(1.5) * (1 + t) ** mpmath.mpf(-2.5),
    ),
    "damped reciprocal": (
        DampedReciprocalPiece(F(3), F(1, 2)),
        lambda t: 3 * mpmath.exp(-t / 2) / (1 + t),
    ),
    "gaussian": (
        GaussianPiece(F(-1), F(2), F(1, 2)),
        lambda t: -mpmath.exp(-((t - 2) ** 2) * 2),
    ),
    "airy": (AiryPiece(F(2), F(9, 4), F(2)), lambda t: 2 * mpmath.airyai(2.25 * (t - 2))),
    "switching": (SwitchingPiece(F(3), F(1, 2), (F(1, 2), F(7, 4))), switching),
    "box": (
        BoxPiece(F(3), F(1, 2), F(7, 4)),
        lambda t: mpmath.mpf(3 if F(1, 2) < t < F(7, 4) else 0),
    ),
}
POINTS = (F(1, 8), F(9, 8), F(5, 2), F(6))


def contains(found: Ball, truth, spread=1e-30):
    """Assert that a ball contains a number known up to a spread, and is narrow."""
    ends = bounds(found)
    assert mp(ends.lower) - spread <= truth <= mp(ends.upper) + spread
    assert ends.upper - ends.lower <= F(1, 2**90) * max(1, abs(ends.upper))


@pytest.mark.parametrize("name", PIECES)
def test_taylor_coefficients_are_derivatives(name):
    piece, function = PIECES[name]
    with precision(BITS), mpmath.workdps(DIGITS):
        for point in POINTS:
            found = piece.taylor(point, 4)
            contains(found[0], function(mp(point)))
            for order in (1, 3):
                truth = mpmath.diff(function, mp(point), order) / mpmath.factorial(order)
                contains(found[order], truth, spread=1e-8)


@pytest.mark.parametrize("reach", [F(1, 64), F(1, 8)])
@pytest.mark.parametrize("name", PIECES)
def test_the_rest_bounds_what_the_polynomial_leaves(name, reach):
    piece, function = PIECES[name]
    with precision(400), mpmath.workdps(100):
        for point in (F(9, 8), F(6)):
            rest = bounds(piece.rest(point, reach)).upper
            series = [bounds(c).lower for c in piece.taylor(point, TERMS)]
            for x in (-reach, reach / 3, reach):
                polynomial = mp(sum(c * x**k for k, c in enumerate(series)))
                assert abs(function(mp(point + x)) - polynomial) <= mp(rest) + mpmath.mpf(10) ** -60
            assert rest < F(1, 10**8)


@pytest.mark.parametrize("name", PIECES)
def test_primitives_are_those_that_vanish_at_infinity(name):
    """``F(b) - F(a)``, and the second difference of the second one, against quadrature."""
    piece, function = PIECES[name]
    a, b, c = F(1, 4), F(3, 2), F(3, 4)

    def area(low, high):
        inside = [mp(x) for x in piece.kinks if low < mp(x) < high]
        return mpmath.quad(function, [low, *inside, high])

    with precision(BITS), mpmath.workdps(DIGITS):
        contains(piece.primitive(b) - piece.primitive(a), area(mp(a), mp(b)))
        assert bounds(abs(piece.primitive(F(40)))).lower <= bounds(piece.tail(F(40))).upper
    with precision(BITS), mpmath.workdps(15):
        known = [piece.primitive(t, 2) for t in (b + c, a + c, b, a)]
        inside = [x - s for x in piece.kinks for s in (0, c) if a < x - s < b]
        truth = mpmath.quad(lambda t: area(t, t + mp(c)), [mp(x) for x in (a, *sorted(inside), b)])
        contains(known[0] - known[1] - known[2] + known[3], truth, spread=1e-12)


@pytest.mark.parametrize("name", PIECES)
def test_tails_bound_what_is_left_and_vanish(name):
    piece, function = PIECES[name]
    with precision(BITS), mpmath.workdps(20):
        for t in (0, 1, 5):
            marks = sorted({t, 2, 4, 8, 16, 40, *map(float, piece.kinks)})
            truth = mpmath.quad(lambda s: abs(function(s)), [x for x in marks if x >= t])
            assert truth <= mp(bounds(piece.tail(F(t))).upper) * 1.0001
        assert bounds(piece.tail(F(100))).upper <= bounds(piece.tail(F(5))).upper / 50


def test_the_kernel_of_a_network_with_shear_and_its_tail():
    """``10 (exp(-t) - exp(-1.2 t))/0.2``: of W alone no such size would follow."""
    rows = ((F(-1), F(10)), (F(0), F(-6, 5)))
    basis = ((F(1), F(-50)), (F(0), F(1)))
    network = Network(rows, ((F(0),), (F(1),)), (F(1), F(0)))
    ((piece,),) = StableNetwork(network, basis, Budget()).kernel()

    def function(t):
        return 50 * (mpmath.exp(-t) - mpmath.exp(-mpmath.mpf(6) / 5 * t))

    with precision(BITS), mpmath.workdps(DIGITS):
        for t in (F(0), F(1, 2), F(5)):
            contains(piece.taylor(t, 2)[0], function(mp(t)))
            contains(-piece.primitive(t), mpmath.quad(function, [mp(t), mp(t) + 10, mpmath.inf]))
            assert bounds(piece.tail(t)).upper >= bounds(-piece.primitive(t)).lower
        rest = bounds(piece.rest(F(1), F(1, 16))).upper
        series = [bounds(c).lower for c in piece.taylor(F(1), TERMS)]
        polynomial = mp(sum(c * F(1, 16) ** k for k, c in enumerate(series)))
        assert abs(function(mp(F(17, 16))) - polynomial) <= mp(rest) < 1e-6


def test_the_integral_of_airys_function_near_and_far():
    piece = AiryPiece(F(1), F(1), F(0))
    with precision(BITS), mpmath.workdps(60):
        for x in (F(-30), F(-3), F(0), F(1, 3), F(9), F(39)):
            truth = mpmath.airyai(mp(x), derivative=-1) - mpmath.mpf(1) / 3
            contains(piece.primitive(x), truth)
        far = bounds(piece.primitive(F(50)))
    assert -F(1, 10**100) < far.lower <= 0 <= far.upper < F(1, 10**100)


FUNCTIONS = {
    "a wave": ("wave",),
    "jumps against a tail": ("box", "exponential"),
    "airy against a bump": ("airy", "gaussian"),
    "long memory": ("power law", "exponential", "exponential"),
    "kinks": ("switching", "damped reciprocal"),
}


def norm_of(pieces, changes, bits=30):
    with precision(BITS):
        return norms((pieces,), (changes,), bits, Budget())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_norms_are_enclosed_between_the_changes_of_sign(name):
    pieces = tuple(PIECES[part][0] for part in FUNCTIONS[name])
    functions = [PIECES[part][1] for part in FUNCTIONS[name]]
    texts = sign_changes(pieces, 30)
    (changes,) = read_changes(Node([texts], "changes"), (pieces,), Budget())
    assert changes
    found = norm_of(pieces, changes)
    marks = sorted(
        {0, 1, 2, 4, 8, 30, *map(float, changes), *(float(x) for p in pieces for x in p.kinks)}
    )
    with mpmath.workdps(20):
        truth = mpmath.quad(lambda t: abs(sum(f(t) for f in functions)), [*marks[:-1], mpmath.inf])
    assert found.lower - F(1, 10**9) <= F(float(truth)) <= found.upper + F(1, 10**9)
    assert found.upper - found.lower <= found.lower / 2**28


def test_what_has_the_other_sign_counts_twice_in_the_upper_bound():
    """``exp(-t) ((t - 1)^2 - w^2)`` is negative for so short a time that no change is missed."""
    w, one = F(1, 32), F(1)
    factors = (1 - w * w, F(-2), one)
    pieces = tuple(Wave(one, F(0), k, c, F(0)) for k, c in enumerate(factors))
    with precision(BITS), mpmath.workdps(DIGITS):
        tolerance = F(1, 400)
        found = norm(pieces, (), tolerance, Budget())
        end = end_of(pieces, tolerance / 4, Budget())
        marks = [0, 1 - mp(w), 1 + mp(w), mp(end)]
        truth = mpmath.quad(lambda t: abs(mpmath.exp(-t) * ((t - 1) ** 2 - mp(w) ** 2)), marks)
        beyond = mp(bounds(total([piece.tail(end) for piece in pieces])).upper)
        dip = mpmath.quad(lambda t: mpmath.exp(-t) * (mp(w) ** 2 - (t - 1) ** 2), marks[1:3])
        assert truth <= mp(found.upper) - beyond <= truth + dip / 2
        # Both bounds hold all the same, and as well as they have to.
        assert mp(found.lower) <= truth
        assert found.upper - found.lower <= tolerance


def test_a_change_of_sign_that_is_left_out_is_found_out(monkeypatch):
    pieces = (PIECES["wave"][0],)
    changes = tuple(map(F, sign_changes(pieces, 30)))
    with pytest.raises(Invalid, match="changes its sign where no change of sign is stated"):
        norm_of(pieces, changes[:4] + changes[5:])
    monkeypatch.setattr("verification.certificate.check.linear.norms.MAX_INTERVALS", 20)
    with pytest.raises(Invalid, match="the signs of a function are not shown by 20"):
        norm_of(pieces, changes)


@pytest.mark.parametrize("text", ["0.5", "0.95", "3/4", "-1", "0", "1e3"])
def test_what_is_no_change_of_sign_is_found_out(text):
    pieces = (PIECES["box"][0], Wave(F(1), F(0), 0, F(-1), F(0)))
    # 3 - exp(-t) between 1/2 and 7/4, -exp(-t) elsewhere.
    assert sign_changes(pieces, 30) == ["0.5000000000000000000", "1.7500000000000000000"]
    with pytest.raises((Invalid, Refused)):
        read_changes(
            Node([[text, "1.75"] if text != "0.5" else ["0.5", "0.95"]], "changes"),
            (pieces,),
            Budget(),
        )


def test_changes_of_many_long_waves_are_work():
    pieces = (Wave(F(1, 10), F(1000), 32, F(0), F(1)),) * 96
    texts = [f"{(k + 1) * math.pi / 1000:.9f}" for k in range(500)]
    # They are changes of sign indeed; showing it takes ten seconds.
    budget = Budget(10**7)
    with pytest.raises(Refused, match="operations"):
        read_changes(Node([texts], "changes"), (pieces,), budget)
    read_changes(Node([texts[:1]], "changes"), (pieces,), Budget())


def test_end_points_of_many_digits_are_work():
    ends = tuple(F(k) + F(1, 10**3000 + k) for k in range(16))
    node = Node([{"at": "0", "values": []}], "largest")
    with pytest.raises(Refused, match="operations"):
        _largest_ky_fan_norm(ends, 1, node, Budget())


def trace_form_of(digits, budget):
    ends = [F(0)] + [F(3**k) + F(1, 10**digits + k) for k in range(24)]
    weights = [1 + F(1, 10**digits + 7 * k) for k in range(24)]
    texts = [[f"{x.numerator}/{x.denominator}" for x in values] for values in (ends, weights)]
    nodes = (Node(values, "place") for values in texts)
    return read_trace_form((PIECES["exponential"][0],), *nodes, budget)


def spent_on(work):
    """Return how much work is charged, and whether no more than that is enough."""
    budget = Budget()
    work(budget)
    spent = MAX_WORK - budget.left
    work(Budget(spent))
    with pytest.raises(Refused, match="operations"):
        work(Budget(spent - 1))
    return spent


def test_end_points_and_weights_of_many_digits_are_work():
    """Hundreds of exact sums, and lengths over squares of weights."""
    few, many = (spent_on(lambda budget, n=n: trace_form_of(n, budget)) for n in (10, 1_000))
    assert many > 10 * few


def test_switching_times_of_many_digits_are_work():
    def switching_at(digits):
        times = tuple(F(k + 1) + F(1, 10**digits + k) for k in range(4))
        return (SwitchingPiece(F(1), F(1, 2), times),)

    changes = tuple(map(F, sign_changes(switching_at(12), 30)))

    def spent(digits):
        return spent_on(lambda budget: norms((switching_at(digits),), (changes,), 12, budget))

    with precision(BITS):
        assert spent(3_000) > 10 * spent(12)
        near, far = (norms((switching_at(n),), (changes,), 12, Budget()) for n in (12, 3_000))
        assert abs(near.upper - far.upper) < F(1, 10**6)


def test_a_rate_of_many_digits_is_work():
    def spent(rate):
        piece = Wave(rate, F(0), 0, F(1), F(0))
        return spent_on(lambda budget: norms(((piece,),), ((),), 12, budget))

    with precision(BITS):
        assert spent(F(1) + F(1, 10**3_000)) > 20 * spent(F(1))


symmetric = st.integers(1, 6).flatmap(
    lambda n: st.lists(st.lists(st.integers(-9, 9), min_size=n, max_size=n), min_size=n, max_size=n)
)


@settings(max_examples=60, deadline=None)
@given(symmetric, st.data())
def test_singular_values_are_counted_as_numpy_counts_them(rows, data):
    size = len(rows)
    matrix = [[F(rows[i][j] + rows[j][i]) for j in range(size)] for i in range(size)]
    weights = tuple(F(data.draw(st.integers(1, 5))) for _ in range(size))
    scale = np.sqrt([float(w) for w in weights])
    values = np.linalg.svd(np.array(matrix, float) / np.outer(scale, scale), compute_uv=False)
    index = data.draw(st.integers(1, size))
    truth = F(float(values[index - 1]))
    unit = F(1, 1000)

    def shows(low, high):
        with precision(256):
            balls = [[ball(x) for x in row] for row in matrix]
            try:
                require_singular_value(
                    "A", Form(balls, weights), index, Bounds(low, high), Budget()
                )
            except Invalid:
                return False
        return True

    assert shows(max(truth - unit / 7, F(0)), truth + unit / 3)
    assert not shows(truth + unit / 3, truth + unit)
    if truth > unit:
        assert not shows(F(0), truth - unit / 3)
