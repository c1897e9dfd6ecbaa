"""Rules contain closed forms and are narrow; their error bounds hold where the error is visible."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, comb, log2

import pytest

from verification.enclosure.balls import (
    Ball,
    ball,
    end_points,
    exact_ball,
    less,
    less_equal,
    pi,
    power,
    precision,
    radius,
    sign,
    square,
    total,
    upper_double,
)
from verification.enclosure.quadrature import (
    MAX_NODES,
    Rule,
    gauss_legendre_error,
    normal_rule,
    point_rule,
    uniform_sum_rule,
)
from verification.errors import NotEnclosed
from verification.verdict import Truth

STRIP = Fraction(1)
NORMALS = [
    (Fraction(0), Fraction(1)),
    (Fraction(3, 5), Fraction(1)),
    (Fraction(-2), Fraction(1, 3)),
    (Fraction(20), Fraction(4)),
    (Fraction(1, 7), Fraction(1, 1000)),
    (Fraction(0), Fraction(30)),
    (Fraction(1), Fraction(1, 10**320)),
]
BOXES = [
    [(Fraction(-1), Fraction(1))],
    [(Fraction(1, 3), Fraction(20))],
    [(Fraction(0), Fraction(1, 10**12))],
    [(Fraction(-1), Fraction(1)), (Fraction(-1), Fraction(1))],
    [(Fraction(-2), Fraction(1, 5)), (Fraction(0), Fraction(1, 100)), (Fraction(3), Fraction(10))],
]


def assert_encloses(enclosure: Ball, truth: Ball, bits: int) -> None:
    """Two-sided: the truth is inside, and the radius is no larger than 2**-bits."""
    assert enclosure.contains(truth), f"{enclosure.str(30)} misses {truth.str(30)}"
    assert less(radius(enclosure), ball(Fraction(1, 2**bits))) is Truth.TRUE, enclosure.str(30)


def bits_left(rule: Rule, bits: int) -> int:
    """Bits that remain: each term rounds once, and each node by 2**-bits of its size."""
    largest = max(upper_double(abs(node)) for node in rule.nodes)
    return bits - 4 - ceil(log2(len(rule.nodes) + largest))


def finely(compute):
    """Return a closed form so precisely that a correct enclosure must contain all of it."""
    with precision(1024):
        return compute()


@pytest.mark.parametrize("bits", [64, 128, 320])
@pytest.mark.parametrize(("mean", "deviation"), NORMALS)
def test_normal_mean_of_sine(mean, deviation, bits):
    """E sin(m + s Z) = exp(-s^2/2) sin m."""
    truth = finely(lambda: (-square(ball(deviation)) / 2).exp() * ball(mean).sin())
    with precision(bits):
        rule = normal_rule(ball(mean), ball(deviation), STRIP)
        value = rule.mean(Ball.sin, ball(STRIP).cosh(), ball(1))
        assert_encloses(value, truth, bits_left(rule, bits))


@pytest.mark.parametrize("bits", [64, 200])
@pytest.mark.parametrize(("mean", "deviation"), NORMALS)
def test_normal_mean_of_erf(mean, deviation, bits):
    """E erf(m + s Z) = erf(m / (1 + 2 s^2)^(1/2))."""

    def closed_form() -> Ball:
        return (ball(mean) / (1 + 2 * square(ball(deviation))).sqrt()).erf()

    with precision(bits):
        rule = normal_rule(ball(mean), ball(deviation), STRIP)
        value = rule.mean(Ball.erf, 1 + ball(STRIP).erfi(), ball(1))
        assert_encloses(value, finely(closed_form), bits_left(rule, bits))


@pytest.mark.parametrize("bits", [64, 128, 320])
@pytest.mark.parametrize("box", BOXES)
def test_uniform_mean_of_sine(box, bits):
    """E sin is the imaginary part of the characteristic function, a product."""

    def closed_form() -> Ball:
        angle = ball(sum((low + high for low, high in box), Fraction(0)) / 2)
        result = angle.sin()
        for low, high in box:
            half = ball((high - low) / 2)
            result = result * half.sin() / half
        return result

    with precision(bits):
        rule = uniform_sum_rule(box, STRIP)
        value = rule.mean(Ball.sin, ball(STRIP).cosh(), ball(1))
        assert_encloses(value, finely(closed_form), bits_left(rule, bits))


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (0, 7), (-3, 40)])
def test_uniform_mean_of_functions_with_poles(low, high):
    """Of 1/(1 + t^2) and of tanh, by their antiderivatives arctan and log cosh."""
    ends, strip, length = (Fraction(low), Fraction(high)), Fraction(9, 10), high - low

    def lorentz(t: Ball) -> Ball:
        return 1 / (1 + square(t))

    arctan = finely(lambda: (ball(high).atan() - ball(low).atan()) / length)
    log_cosh = finely(lambda: (ball(high).cosh() / ball(low).cosh()).log() / length)
    with precision(128):
        rule = uniform_sum_rule([ends], strip)
        bound = 1 / (1 - square(ball(strip)))
        assert_encloses(rule.mean(lorentz, bound, ball(1)), arctan, 112)
        bound = ball(strip).tan().max(ball(1))
        assert_encloses(rule.mean(Ball.tanh, bound, ball(1)), log_cosh, 112)


@pytest.mark.parametrize("box", BOXES)
def test_weights_of_a_uniform_sum_have_its_moments(box):
    """The density is a polynomial on each piece: moments of low order are exact."""
    with precision(256):
        rule = uniform_sum_rule(box, STRIP)
        mean = sum((low + high for low, high in box), Fraction(0)) / 2
        variance = sum(((high - low) ** 2 for low, high in box), Fraction(0)) / 12
        centred = [node - ball(mean) for node in rule.nodes]
        for order, moment in ((0, Fraction(1)), (1, Fraction(0)), (2, variance)):
            terms = zip(centred, rule.weights, strict=True)
            value = total(weight * power(node, order) for node, weight in terms)
            assert_encloses(value - ball(moment), ball(0), 200)


def test_point_rule_is_a_sum():
    points, weights = (Fraction(1, 3), Fraction(-2)), (Fraction(1, 4), Fraction(3, 4))
    rule = point_rule(points, weights, STRIP)
    value = rule.mean(lambda t: square(t) + 1, Ball.nan(), Ball.nan())
    assert value.contains(ball(Fraction(1, 4) * Fraction(10, 9) + Fraction(15, 4)))
    assert less(radius(value), ball(Fraction(1, 2**40))) is Truth.TRUE
    assert rule.error(Ball.pos_inf(), Ball.nan()).is_zero()


# The bounds themselves, on rules so coarse that the error is visible.


def visible_error(rule, function, truth: Ball) -> Ball:
    """The error of the sum alone, its bound left out."""
    terms = zip(rule.nodes, rule.weights, strict=True)
    return abs(total(weight * function(node) for node, weight in terms) - truth)


@pytest.mark.parametrize("bits", range(-6, 24, 3))
@pytest.mark.parametrize("strip", [Fraction(1, 2), Fraction(1), Fraction(3)])
def test_trapezoidal_bound_is_valid_on_coarse_rules(strip, bits):
    mean, deviation = Fraction(3, 10), Fraction(1)
    with precision(256):
        rule = normal_rule(ball(mean), ball(deviation), strip, bits=bits)
        cases = [
            (Ball.sin, ball(strip).cosh(), (-ball(Fraction(1, 2))).exp() * ball(mean).sin()),
            (Ball.erf, 1 + ball(strip).erfi(), (ball(mean) / ball(3).sqrt()).erf()),
            (lambda t: ball(1), ball(1), ball(1)),
        ]
        for function, strip_bound, truth in cases:
            error = visible_error(rule, function, truth)
            bound = rule.error(strip_bound, ball(1)).abs_upper()
            assert less_equal(error, bound) is Truth.TRUE


@pytest.mark.parametrize("strip", [Fraction(1, 2), Fraction(1), Fraction(3, 2)])
def test_trapezoidal_bound_is_nearly_attained(strip):
    """By cos(2 pi z / h), which the nodes take for the constant 1."""
    with precision(256):
        rule = normal_rule(ball(0), ball(1), strip, bits=20)
        frequency = 2 * pi() / (rule.nodes[1] - rule.nodes[0])
        truth = (-square(frequency) / 2).exp()
        error = visible_error(rule, lambda t: (frequency * t).cos(), truth)
        bound = rule.error((frequency * ball(strip)).cosh(), ball(1)).abs_upper()
        assert less_equal(error, bound) is Truth.TRUE
        # What is lost: the Gaussian's growth exp(a^2/2), and at most a/32 by the width's grid.
        slack = (ball(strip**2) / 2 + frequency * ball(strip / 32)).exp()
        assert less_equal(bound, slack * error) is Truth.TRUE


def legendre(n: int, x: Ball) -> Ball:
    return total(
        power((x - 1) / 2, n - k) * power((x + 1) / 2, k) * comb(n, k) ** 2 for k in range(n + 1)
    )


@pytest.mark.parametrize("ratio", [Fraction(1, 4), Fraction(1), Fraction(3)])
@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_gauss_legendre_bound_is_nearly_attained(count, ratio):
    """By the square of the Legendre polynomial of the nodes: the rule returns 0."""
    with precision(256):
        truth = ball(Fraction(1, 2 * count + 1))
        # On the ellipse a Legendre polynomial is largest at its right end.
        end = (square(ball(ratio)) + 1).sqrt()
        bound = gauss_legendre_error(ball(ratio), count) * square(legendre(count, end))
        assert less_equal(truth, bound) is Truth.TRUE
        # P_n(end)^2 is about rho^(2n) / (pi n (1 - rho^-2)), which costs 1.4 / (1 - rho^-2)^2.
        rho = ball(ratio) + end
        slack = 3 / square(1 - 1 / square(rho))
        assert less_equal(bound, slack * truth) is Truth.TRUE


@pytest.mark.parametrize("bits", range(-7, 30, 4))
@pytest.mark.parametrize("high", [1, 3, 10])
def test_gauss_legendre_bound_is_valid_on_coarse_rules(high, bits):
    strip = Fraction(9, 10)
    with precision(256):
        rule = uniform_sum_rule([(Fraction(0), Fraction(high))], strip, bits=bits)
        cases = [
            (Ball.sin, ball(strip).cosh(), (1 - ball(high).cos()) / high),
            (
                lambda t: 1 / (1 + square(t)),
                1 / (1 - square(ball(strip))),
                ball(high).atan() / high,
            ),
            (Ball.tanh, ball(strip).tan(), ball(high).cosh().log() / high),
        ]
        for function, strip_bound, truth in cases:
            error = visible_error(rule, function, truth)
            bound = rule.error(strip_bound, ball(1)).abs_upper()
            assert less_equal(error, bound) is Truth.TRUE


@pytest.mark.parametrize("bits", [-7, 1, 9])
def test_bound_of_a_uniform_sum_is_valid_on_coarse_rules(bits):
    box, strip = BOXES[4], Fraction(3, 2)
    with precision(256):
        rule = uniform_sum_rule(box, strip, bits=bits)
        truth = uniform_sum_rule(box, strip).mean(Ball.sin, ball(strip).cosh(), ball(1))
        error = visible_error(rule, Ball.sin, truth)
        bound = rule.error(ball(strip).cosh(), ball(1)).abs_upper()
        assert less_equal(error, bound) is Truth.TRUE


def test_error_falls_below_its_target():
    """The parameters are a heuristic; the rule's own bound says that it works."""
    for bits in (20, 53, 128, 300):
        with precision(512):
            for rule in (
                normal_rule(ball(0), ball(1), STRIP, bits=bits),
                uniform_sum_rule(BOXES[1], STRIP, bits=bits),
            ):
                error = rule.error(ball(1), ball(1)).abs_upper()
                assert less(error, ball(Fraction(1, 2**bits))) is Truth.TRUE
                assert less(ball(Fraction(1, 2 ** (2 * bits + 40))), error) is Truth.TRUE


def test_fewer_bits_need_fewer_nodes():
    with precision(128):
        for make in (
            lambda bits: normal_rule(ball(0), ball(1), STRIP, bits=bits),
            lambda bits: uniform_sum_rule(BOXES[0], STRIP, bits=bits),
        ):
            counts = [len(make(bits).nodes) for bits in (16, 53, 128)]
            assert counts == sorted(set(counts))


def test_normal_nodes_and_weights_are_symmetric():
    with precision(128):
        rule = normal_rule(ball(0), ball(1), STRIP)
        pairs = list(zip(rule.nodes, rule.weights, strict=True))
        for (node, weight), (mirrored, same) in zip(pairs, reversed(pairs), strict=True):
            assert (node + mirrored).contains(0)
            assert end_points(weight) == end_points(same)
            assert sign(weight) == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: normal_rule(ball(0), ball(10**6), STRIP),
        lambda: normal_rule(ball(0), ball(10**400), STRIP),
        lambda: normal_rule(ball(0), ball(1), Fraction(1, 10**400)),
        lambda: normal_rule(ball(0), ball(1) / ball(0), STRIP),
        lambda: uniform_sum_rule([(Fraction(0), Fraction(10**7))], STRIP),
        lambda: uniform_sum_rule([(Fraction(0), Fraction(10**400))], STRIP),
        lambda: uniform_sum_rule([(Fraction(0), Fraction(1))], Fraction(1, 10**400)),
    ],
)
def test_too_thin_a_strip_is_not_enclosed(make):
    with pytest.raises(NotEnclosed, match=str(MAX_NODES)):
        make()


def test_precisions_do_not_share_a_rule():
    """A rule kept at one precision must not come back, wide, at a higher one."""
    with precision(64):
        normal_rule(ball(0), ball(1), STRIP, bits=64)
        uniform_sum_rule(BOXES[0], STRIP, bits=64)
    with precision(256):
        for rule in (
            normal_rule(ball(0), ball(1), STRIP, bits=64),
            uniform_sum_rule(BOXES[0], STRIP, bits=64),
        ):
            width = radius(rule.weights[len(rule.weights) // 2])
            assert less(width, exact_ball(2.0**-240)) is Truth.TRUE
