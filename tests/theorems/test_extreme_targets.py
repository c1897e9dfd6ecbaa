"""Targets whose numbers doubles do not hold: decided, or a reason in words, and never wrong."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from targets import wave

from theorems import CLAIMS
from verification.decision import decide
from verification.linear_functional import (
    SCHEMA,
    Airy,
    Box,
    DampedReciprocal,
    Exponential,
    Gaussian,
    LinearFunctional,
    Network,
    PowerLaw,
    Switching,
)
from verification.verdict import Verdict

F = Fraction
ABOUT_TARGETS = [c for c in CLAIMS if c.kind == SCHEMA and not c.id.startswith("C7")]
# Given up after so many seconds: a reason too.
BUDGET = 0.4


def ten(exponent: int) -> Fraction:
    return F(10) ** exponent


EXPONENTS = (0, 1, -1, 3, -3, 12, -12, 40, -40, 154, -170, 200, -200, 308, -308, -323, 330, 450)
SIZES = st.builds(
    lambda mantissa, exponent: mantissa * ten(exponent),
    st.sampled_from([F(1), F(9, 10), F(1, 3), F(7)]),
    st.sampled_from(EXPONENTS),
)
NUMBERS = st.builds(lambda size, sign: size * sign, SIZES, st.sampled_from([1, -1]))
AT_LEAST_ZERO = st.just(F(0)) | SIZES
PARTS = st.one_of(
    st.builds(
        Exponential,
        coefficient=NUMBERS,
        rate=SIZES,
        power=st.sampled_from([0, 1, 2, 32]),
        frequency=AT_LEAST_ZERO,
        sine=st.just(F(0)),
    ),
    st.builds(PowerLaw, coefficient=NUMBERS, exponent=SIZES),
    st.builds(Box, height=NUMBERS, start=AT_LEAST_ZERO, length=SIZES),
    st.builds(DampedReciprocal, coefficient=NUMBERS, rate=SIZES),
    st.builds(Gaussian, coefficient=NUMBERS, centre=AT_LEAST_ZERO, width=SIZES),
    st.builds(
        lambda size, scale, x: Airy(coefficient=size, scale=scale, shift=x / scale),
        NUMBERS,
        SIZES,
        st.sampled_from([F(0), F(3), F(-2), F(90), ten(-200)]),
    ),
    st.builds(
        lambda size, rate, times: Switching(
            coefficient=size, rate=rate, times=tuple(sorted(set(times)))
        ),
        NUMBERS,
        SIZES,
        st.lists(SIZES, max_size=3),
    ),
)


@st.composite
def extreme_functionals(draw) -> LinearFunctional:
    network = None
    if draw(st.booleans()):
        rate, other, entry = draw(SIZES), draw(SIZES), draw(AT_LEAST_ZERO)
        network = Network(
            w=((-rate, entry), (F(0), -other)),
            u=((draw(NUMBERS),), (draw(NUMBERS),)),
            c=(draw(NUMBERS), draw(NUMBERS)),
        )
    return LinearFunctional(
        name="an extreme target",
        target=(tuple(draw(st.lists(PARTS, min_size=1, max_size=2))),),
        widths=draw(st.sampled_from([(1,), (0, 2), (3, 8)])),
        network=network,
        beta=draw(st.none() | SIZES),
    )


def decided(claim, instance):
    found = decide(claim, instance, deadline=time.monotonic() + BUDGET)
    assert found.verdict is not Verdict.REFUTED or claim.disputed is not None
    assert found.reason
    return found


# The same draws each time: to look for others is what a campaign is for.
@given(st.data())
@settings(max_examples=40, derandomize=True, database=None)
def test_an_extreme_target_is_decided_or_a_reason_is_given(data):
    claim = data.draw(st.sampled_from(ABOUT_TARGETS))
    decided(claim, data.draw(extreme_functionals()))


def with_network(w, c):
    network = Network(w=w, u=((F(1),), (F(1),)), c=c)
    target = ((wave(1, 1),),)
    return LinearFunctional(name="an extreme network", target=target, widths=(1,), network=network)


SHEAR = with_network(((F(-1), F(10) ** 308), (F(0), F(-1))), (F(1), F(1)))
FAR_APART = with_network(((F(-1), F(0)), (F(0), F(-1))), (F(1), F(10) ** 200))


@pytest.mark.parametrize(
    ("claim_id", "instance", "verdict"),
    [
        ("C6", SHEAR, Verdict.UNDECIDED),
        ("C1S", SHEAR, Verdict.UNDECIDED),
        ("C1S", FAR_APART, Verdict.CERTIFIED),
    ],
)
def test_extreme_networks(claim_id, instance, verdict):
    """Doubles find no basis for a shear, and products of heights are beyond them."""
    (claim,) = (claim for claim in ABOUT_TARGETS if claim.id == claim_id)
    found = decided(claim, instance)
    assert found.verdict is verdict
    assert "internal error" not in found.reason


EXTREME = {
    "fast": wave(1, ten(400), 1),
    "slow": wave(1, ten(-400)),
    "high": wave(ten(400), 1, 1),
    "law of no memory": PowerLaw(coefficient=F(1), exponent=ten(330)),
    "law of endless memory": PowerLaw(coefficient=F(1), exponent=ten(-330)),
    "far bump": Gaussian(coefficient=F(1), centre=ten(170), width=F(1)),
    "flat reciprocal": DampedReciprocal(coefficient=F(1), rate=ten(-330)),
    "high box": Box(height=ten(320), start=F(0), length=F(1)),
    "swinging": Airy(coefficient=F(1), scale=ten(330), shift=F(0)),
    "switching late": Switching(coefficient=F(1), rate=F(1), times=(ten(330),)),
}


@pytest.mark.parametrize("claim", ABOUT_TARGETS, ids=lambda claim: claim.id)
@pytest.mark.parametrize("part", EXTREME.values(), ids=EXTREME)
def test_known_extremes(part, claim):
    two = (part, wave(1, 2, 1), PowerLaw(coefficient=F(1), exponent=F(3)))
    for parts in ((part,), two):
        decided(
            claim,
            LinearFunctional(
                name="extreme",
                target=(parts,),
                widths=(1,),
                network=Network(w=((-ten(330),),), u=((F(1),),), c=(F(1),)),
            ),
        )
