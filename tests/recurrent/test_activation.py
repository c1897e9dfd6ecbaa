"""Activations in balls: values against mpmath at 50 digits, and bounds against samples."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verification.campaign import strategies
from verification.enclosure.balls import (
    ComplexBall,
    ball,
    end_points,
    interval,
    keyed,
    less_equal,
    precision,
    symmetric,
)
from verification.instance import FAMILIES, ActivationSpec, Term
from verification.oracle import activation as oracle
from verification.oracle.supremum import absolute_supremum_estimate
from verification.recurrent.activation import activation
from verification.verdict import Truth

FEWER = settings(max_examples=max(10, settings.default.max_examples // 2))
"""Half of the profile's examples."""

NAMED = {family: ActivationSpec.named(family) for family in FAMILIES}
MIXTURES = {
    "odd": "1/2 2 0 tanh, 1/4 -1/2 0 sin",
    "shifted": "-1 1 1/2 logistic, 2 1/3 -1 arctan, 1/5 2 3 erf",
    "steep": "1/10 15 -1/3 tanh, 1 1/100 0 erf",
    "cancelling": "1 1 0 tanh, -2 2 0 logistic, 1 1 1/10 tanh",
}


def mixture(text: str) -> ActivationSpec:
    rows = (part.split() for part in text.split(", "))
    return ActivationSpec(
        terms=tuple(
            Term(weight=Fraction(a), scale=Fraction(b), shift=Fraction(c), of=family)
            for a, b, c, family in rows
        )
    )


SPECS = NAMED | {name: mixture(text) for name, text in MIXTURES.items()}
POINTS = [Fraction(text) for text in ("0", "1/3", "-7/5", "1/1000000", "-4", "9", "-30", "100")]


def covers(x, answer) -> bool:
    """Two-sided: a ball meets an oracle's answer, up to the oracle's own spread."""
    low, high = end_points(x)
    return low - answer.spread <= answer.value <= high + answer.spread


@pytest.mark.parametrize("order", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("name", SPECS)
def test_derivatives_agree_with_mpmath_and_are_narrow(name, order):
    sigma = activation(SPECS[name])
    for point in POINTS:
        answer = oracle.derivative(SPECS[name], order, point)
        with precision(128):
            value = sigma.derivative(order, ball(point))
        assert covers(value, answer), (point, value.str(40))
        low, high = end_points(value)
        # Two dozen operations, at arguments up to 1500.
        assert high - low <= Fraction(2) ** -100


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("name", SPECS)
def test_complex_derivatives_agree_with_mpmath(name, order):
    sigma = activation(SPECS[name])
    imag = sigma.strip_width() * Fraction(4, 5)
    for point in (Fraction(0), Fraction(1, 3), Fraction(-5, 4)):
        answer = oracle.complex_modulus(SPECS[name], order, point, imag)
        with precision(200):
            value = abs(sigma.complex_derivative(order, ComplexBall(ball(point), ball(imag))))
        assert covers(value, answer), (point, value.str(40))
        low, high = end_points(value)
        assert high - low <= Fraction(2) ** -150 * max(high, 1)


@FEWER
@given(
    spec=strategies.activations(),
    centre=st.fractions(-20, 20, max_denominator=50),
    radius=st.sampled_from([Fraction(1, 10**6), Fraction(1, 100), Fraction(1), Fraction(50)]),
    share=st.fractions(-1, 1, max_denominator=20),
    order=st.integers(0, 4),
)
def test_wide_balls_contain_the_values_at_their_points(spec, centre, radius, share, order):
    sigma = activation(spec)
    with precision(128):
        hull = sigma.derivative(order, ball(centre) + symmetric(ball(radius)))
        inside = sigma.derivative(order, ball(centre + share * radius))
        assert hull.is_finite()
        assert hull.overlaps(inside)
        low, high = end_points(hull)
        least, most = end_points(inside)
    assert low <= most
    assert least <= high


@pytest.mark.parametrize("name", NAMED)
def test_enclosures_over_wide_balls_are_not_much_wider_than_the_range(name):
    """The function itself is monotone, but for sine: its enclosure is the range."""
    sigma = activation(NAMED[name])
    with precision(64):
        ends = Fraction(-3), Fraction(11)
        hull = sigma.derivative(0, interval(ball(ends[0]), ball(ends[1])))
        images = [sigma.derivative(0, ball(end)) for end in ends]
    low, high = end_points(hull)
    least, most = end_points(images[0])[0], end_points(images[1])[1]
    if name == "sin":
        least, most = Fraction(-1), Fraction(1)
    assert high - low <= (most - least) * Fraction(11, 10)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize("name", SPECS)
def test_bounds_on_the_line_dominate_and_for_named_ones_are_attained(name, order):
    spec = SPECS[name]
    sigma = activation(spec)
    reach = sigma.compact_range()
    found = absolute_supremum_estimate(
        lambda t: oracle.value(spec, order, t),
        -min(reach, Fraction(40)),
        min(reach, Fraction(40)),
        digits=20,
    )
    with precision(64):
        low, high = end_points(ball(sigma.bound(order)))
    assert found <= high * (1 + Fraction(1, 10**15))
    if name in NAMED:
        # The limit at infinity counts as attained: arctan is 1/40 short of it at 40.
        assert low <= found * (1 + Fraction(1, 40))


@pytest.mark.parametrize("share", [Fraction(1, 10), Fraction(1, 2), Fraction(9, 10), Fraction(1)])
@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("name", SPECS)
def test_strip_bounds_dominate_complex_samples(name, order, share):
    spec = SPECS[name]
    sigma = activation(spec)
    width = share * sigma.strip_width()
    with precision(64):
        high = end_points(sigma.strip_bound(order, ball(width)))[1]
    real = [Fraction(k, 2) for k in range(-6, 7)] + [Fraction(-1, 45), Fraction(2, 3)]
    seen = max(
        oracle.complex_modulus(spec, order, t, imag, digits=15).value
        for t, imag in product(real, (width,))
    )
    assert seen <= high * (1 + Fraction(1, 10**10))
    if name in NAMED and order < 2:
        # Attained on the border above 0, or for the flat ones at infinity.
        assert high <= 4 * seen


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("name", sorted(set(SPECS) - {"sin"}))
def test_tails_dominate_samples_beyond_the_compact_range(name, order):
    spec = SPECS[name]
    sigma = activation(spec)
    reach, width = sigma.compact_range(), sigma.strip_width() / 2
    with precision(64):
        tail, strip = sigma.tail(order), sigma.strip_tail(order, ball(width))
        bounds = [end_points(bound.upper)[1] for bound in (tail, strip)]
        assert less_equal(tail.lower, tail.upper) is not Truth.FALSE
        assert less_equal(strip.lower, strip.upper) is not Truth.FALSE
    for t in (reach, -reach, 2 * reach, -3 * reach, 100 * reach):
        on_line = oracle.complex_modulus(spec, order, t, Fraction(0), digits=15).value
        in_strip = oracle.complex_modulus(spec, order, t, width, digits=15).value
        slack = 1 + Fraction(1, 10**10)
        assert on_line <= bounds[0] * slack
        assert in_strip <= bounds[1] * slack


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize("name", FAMILIES)
def test_family_tails_dominate_from_one_on(name, order):
    for start in (Fraction(1), Fraction(3, 2), Fraction(4)):
        with precision(64):
            family = activation(NAMED[name]).terms[0][1]
            low, high = end_points(family.tail(order, ball(start)))
        seen = [
            abs(oracle.derivative(NAMED[name], order, sign * (start + Fraction(k, 8))).value)
            for k in range(40)
            for sign in (1, -1)
        ]
        assert max(seen) <= high * (1 + Fraction(1, 10**15))
        # The factor that a tail replaces by its largest value is above 1/10 somewhere beyond.
        assert low <= 10 * max(seen)


def test_a_periodic_activation_has_no_tail():
    for name in ("sin", "slow sine"):
        sigma = activation((SPECS | {"slow sine": mixture("2 1/10 3 sin")})[name])
        # A whole period lies in the compact range.
        assert sigma.compact_range() * abs(sigma.terms[0][0].scale) > Fraction(314, 100)
        for bound in (sigma.tail(0), sigma.strip_tail(1, ball(1))):
            assert end_points(bound.lower) == end_points(bound.upper) == (0, 0)


WITH_LIMITS = [name for name, spec in SPECS.items() if all(t.of != "sin" for t in spec.terms)]


@pytest.mark.parametrize("name", WITH_LIMITS)
def test_limits_at_infinity_are_the_lower_end_of_the_tail(name):
    spec, far = SPECS[name], 10**9
    with precision(128):
        low, high = end_points(activation(spec).tail(0).lower)
    seen = max(abs(oracle.derivative(spec, 0, Fraction(end)).value) for end in (-far, far))
    # arctan, of weight 2 and scale 1/3 in one of them, is 6/far from its limit.
    assert abs(seen - low) <= Fraction(7, far)
    assert high - low <= Fraction(1, 2**100)


def test_without_limits_the_tail_has_no_lower_end():
    assert end_points(activation(SPECS["odd"]).tail(0).lower) == (0, 0)


@pytest.mark.parametrize("name", SPECS)
def test_parity(name):
    sigma = activation(SPECS[name])
    odd = name in {"tanh", "erf", "arctan", "sin", "odd"}
    assert sigma.is_odd() is odd
    with precision(128):
        for point in POINTS[1:4]:
            mirrored = sigma.derivative(0, ball(-point)) + sigma.derivative(0, ball(point))
            assert mirrored.contains(0) is odd
            even = sigma.derivative(1, ball(-point)) - sigma.derivative(1, ball(point))
            assert even.contains(0) is (odd or name == "logistic")


@pytest.mark.parametrize("name", SPECS)
def test_the_strip_stays_away_from_the_poles(name):
    sigma = activation(SPECS[name])
    pole, width = sigma.pole(), sigma.strip_width()
    if pole is None:
        assert all(term.of in {"erf", "sin"} for term in SPECS[name].terms)
    else:
        assert 0 < width < pole
        with precision(64):
            assert sigma.strip_bound(2, ball(width)).is_finite()


def test_a_mixture_with_one_plain_term_is_the_named_activation():
    for family, spec in NAMED.items():
        plain = mixture(f"1 1 0 {family}")
        assert plain == spec
        with precision(128):
            twice = activation(mixture(f"1/2 1 0 {family}, 1/2 1 0 {family}"))
            for order in range(5):
                difference = twice.derivative(order, ball(Fraction(2, 3))) - activation(
                    spec
                ).derivative(order, ball(Fraction(2, 3)))
                assert difference.contains(0)


@pytest.mark.parametrize("name", ["tanh", "shifted"])
def test_a_curve_is_as_sharp_as_the_precision_at_which_it_is_asked_for(name):
    sigma, t = activation(SPECS[name]), Fraction(1, 3)
    found = []
    for bits in (64, 256, 64):
        with precision(bits):
            low, high = end_points(sigma.curve(0)(ball(t)))
            assert (low, high) == end_points(sigma.derivative(0, ball(t)))
            assert high - low <= Fraction(1, 2 ** (bits - 6))
        found.append((low, high))
    assert found[0] == found[2]
    assert found[0][0] < found[1][0] <= found[1][1] < found[0][1]


def test_logistic_is_a_shifted_tanh():
    """(1 + tanh(t/2))/2, in all derivatives."""
    constant_free = activation(mixture("1/2 1/2 0 tanh"))
    logistic = activation(NAMED["logistic"])
    with precision(128):
        for order, point in product(range(5), POINTS):
            difference = logistic.derivative(order, ball(point)) - constant_free.derivative(
                order, ball(point)
            )
            assert (difference - (ball(Fraction(1, 2)) if order == 0 else 0)).contains(0)


def _spec(*terms) -> ActivationSpec:
    return ActivationSpec(
        terms=tuple(
            Term(weight=Fraction(w), scale=Fraction(b), shift=Fraction(c), of=of)
            for w, b, c, of in terms
        )
    )


@pytest.mark.parametrize(
    ("spec", "odd", "constant"),
    [
        (_spec((1, 1, 0, "tanh")), True, False),
        (_spec((1, 1, 1, "tanh")), False, False),
        (_spec((1, 1, 1, "tanh"), (1, 1, -1, "tanh")), True, False),
        (_spec((1, 1, 0, "logistic")), False, False),
        (_spec((1, 1, 0, "logistic"), (-1, -1, 0, "logistic")), True, False),
        (_spec((1, 1, 0, "logistic"), (1, -1, 0, "logistic")), False, True),
        (_spec((1, 2, 3, "erf"), (1, -2, -3, "erf")), True, True),
        (_spec((1, 2, 3, "erf"), (1, 2, -3, "erf"), (1, 1, 1, "sin")), False, False),
        (_spec((2, 2, 0, "logistic"), (-1, 1, 0, "tanh")), False, True),
        (_spec((1, 1, 0, "sin"), (-1, 1, 0, "arctan")), True, False),
    ],
)
def test_parity_and_cancellation_are_recognised_exactly(spec, odd, constant):
    sigma = activation(spec)
    assert (sigma.is_odd(), sigma.is_constant()) == (odd, constant)
    with precision(128):
        for t in (Fraction(1, 3), Fraction(7, 2)):
            total = sigma.derivative(0, ball(t)) + sigma.derivative(0, ball(-t))
            assert total.contains(0) is odd
            assert sigma.derivative(1, ball(t)).contains(0) is constant


@pytest.mark.parametrize("order", [0, 1, 2])
def test_the_bound_for_quadrature_is_that_of_its_strip_at_every_precision(order):
    for spec in SPECS.values():
        sigma = activation(spec)
        for bits in (64, 256, 64):
            with precision(bits):
                fresh = sigma.strip_bound(order, ball(sigma.strip_width()))
                assert keyed(sigma.quadrature_bound(order)) == keyed(fresh)
