"""Hypothesis strategies for linear functionals with memory, and linear networks.

Each draws one block of bytes, decoded half a byte at a time, like those of
`verification.campaign.strategies`: every block is a valid instance, and the tables below are in
order, simplest first.  A network's W is drawn with a negative diagonal that often, but not always,
outweighs the rest of its row, so that stable and unstable networks both occur.  Set-ups of a
training have a target that is a network, often with a spare unit, and a strategy of their own.  So
have targets of one part with much to follow: waves that turn many times before they are gone, and
derivatives that switch their sign as often as a network has units; a rate of decay is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import accumulate

from hypothesis import strategies as st

from verification.campaign.strategies import exact
from verification.linear_functional import (
    Airy,
    Box,
    BumpTraining,
    DampedReciprocal,
    Exponential,
    Gaussian,
    LinearFunctional,
    Network,
    Part,
    PowerLaw,
    Switching,
)

MAX_CHANNELS = 3
MAX_PARTS = 3
MAX_UNITS = 4
MAX_SWITCHES = 5
MAX_TRAINED = 3
MAX_DELAYS = 2
MAX_FREQUENT_SWITCHES = 24

_NUMBERS = exact("1 -1 1/2 -1/2 2 -2 0.1 -0.3 1/3 -5/4 3 0.01 10 -15 -0.7 0.9")
_POSITIVE = exact("1 1/2 2 1/10 4 1/3 10 1/100")
_ENTRIES = exact("0 1 -1 1/2 -1/2 2 -2 0.1 -0.3 1/3 -5/4 3 0.01 -5 -0.7 0.9")
# One part alone is a case of its own: a power law, an exponential.
_PARTS = (1, 2, 3, 0, 1, 2, 1, 1)
_WIDTHS = ((0, 1, 2), (1,), (2, 4), (0,), (1, 2, 3, 4), (8,), (3,), (0, 16))
_STARTS = exact("0 1 -1 1/2 -1/2 2 0 0.1 -0.3 1/3 -5/4 3 0.01 -10 0 0.9")
_HEIGHTS = exact("1 -1 1/2 2 0.1 0.01 10 0")
_LENGTHS = exact("1 1/2 2 0.1 1/4 4 0.01 3")
_LARGER_WIDTHS = (
    *((2,), (1,), (4,), (8,), (5, 6), (3,), (16,), (12,), (6,), (0, 1, 2), (10,), (9,)),
    *((7,), (24,), (1, 2, 3, 4), (8,)),
)
# In units of the rate: by how much a wave turns while it decays.
_TURNS = exact("5 15 2 30 10 1 50 20")
_GAINS = exact("1 10 3 -2 30 1/2 -10 100")
_SWITCHES = (5, 8, 3, 12, 16, 2, 24, 6)
# A share of the rate at which the target decays.
_BETAS = (None, *exact("1 0.9 1/2 0.99 3/4 0.1"), None)
# In units of one over the least rate.
_DELAYS = exact("2 4 6 1 1/2 8 3 10 0.1 5 12 7/2 0.01 16 9 20")
_SHARES = (None, *exact("1/4 9/10 0.1 0.01 0.001 3/4 1"))


def linear_functionals() -> st.SearchStrategy[LinearFunctional]:
    """Generate targets of up to three channels, in most instances beside a linear network."""
    size = 2 + 8 * MAX_CHANNELS * MAX_PARTS + MAX_UNITS * (MAX_UNITS + MAX_CHANNELS + 2)
    return st.binary(min_size=size, max_size=size).map(_decoded)


def _decoded(block: bytes) -> LinearFunctional:
    digits = iter([digit for byte in block for digit in (byte >> 4, byte & 15)])

    def take() -> int:
        return next(digits, 0)

    channels = (1, 1, 2, 3)[take() % 4]
    target = tuple(tuple(_part(take) for _ in range(_PARTS[take() % 8])) for _ in range(channels))
    return LinearFunctional(
        name="a target and a network",
        target=target,
        widths=_WIDTHS[take() % 8],
        network=_network(take, channels) if take() % 8 < 7 else None,
    )


def single_functionals() -> st.SearchStrategy[LinearFunctional]:
    """Generate targets of one part, mostly with much to follow, in half beside a cascade."""
    size = 6 + MAX_FREQUENT_SWITCHES // 2 + 2 * MAX_UNITS
    return st.binary(min_size=size, max_size=size).map(_decoded_single)


def _decoded_single(block: bytes) -> LinearFunctional:
    digits = iter([digit for byte in block for digit in (byte >> 4, byte & 15)])

    def take() -> int:
        return next(digits, 0)

    widths, share, kind = _LARGER_WIDTHS[take()], _BETAS[take() % 8], take() % 8
    part: Part
    if kind in {3, 4, 5}:
        rate = _POSITIVE[take() % 8]
        number, other = _NUMBERS[take()], _ENTRIES[take()]
        part = Exponential(
            coefficient=number, rate=rate, frequency=_TURNS[take() % 8] * rate, sine=other
        )
    elif kind > 5:
        part = _switching(take)
    else:
        part = _part(take)
    rate = getattr(part, "rate", Fraction(1))
    return LinearFunctional(
        name="one part",
        target=((part,),),
        widths=widths,
        network=_cascade(take) if take() % 2 else None,
        beta=None if share is None else share * rate,
    )


def _cascade(take: Callable[[], int]) -> Network:
    """Decode units that feed one another in turn: far from normal where the gains are large."""
    width, rate = 1 + take() % MAX_UNITS, _POSITIVE[take() % 8]
    gains = [_GAINS[take() % 8] * rate for _ in range(width - 1)]
    return Network(
        w=tuple(
            tuple(
                -rate if i == j else gains[i] if j == i + 1 else Fraction(0) for j in range(width)
            )
            for i in range(width)
        ),
        u=tuple((_ENTRIES[take()],) for _ in range(width)),
        c=tuple(_NUMBERS[take()] for _ in range(width)),
    )


def _switching(take: Callable[[], int]) -> Switching:
    """Decode a target whose derivative switches often: in even steps of time, of what is left."""
    count, rate, number = _SWITCHES[take() % 8], _POSITIVE[take() % 8], _NUMBERS[take()]
    how = take() % 4
    if how == 0:
        # In even steps of exp(-rate t / 2), to a denominator that keeps the file short.
        times = [
            Fraction(round(-2000 * math.log(k / (count + 1))), 1000) / rate
            for k in range(count, 0, -1)
        ]
    elif how == 1:
        step = _POSITIVE[take() % 8] / (2 * rate)
        times = [step * k for k in range(1, count + 1)]
    else:
        times = list(accumulate(_POSITIVE[take() % 8] / (4 * rate) for _ in range(count)))
    return Switching(coefficient=number, rate=rate, times=tuple(times))


def trained_functionals() -> st.SearchStrategy[LinearFunctional]:
    """Generate networks of up to three units, and bumps that come late, to be learned by them."""
    size = 4 + 2 * MAX_TRAINED + MAX_DELAYS
    return st.binary(min_size=size, max_size=size).map(_decoded_training)


def _decoded_training(block: bytes) -> LinearFunctional:
    digits = iter([digit for byte in block for digit in (byte >> 4, byte & 15)])

    def take() -> int:
        return next(digits, 0)

    units = tuple(
        Exponential(coefficient=_STARTS[take()], rate=_POSITIVE[take() % 8])
        for _ in range((1, 2, 1, 3)[take() % 4])
    )
    least = min(unit.rate for unit in units)
    delays = sorted({_DELAYS[take()] / least for _ in range((1, 1, 1, MAX_DELAYS)[take() % 4])})
    share = _SHARES[take() % 8]
    return LinearFunctional(
        name="a network in training",
        target=(units,),
        widths=_WIDTHS[take() % 8],
        training=BumpTraining(
            height=_HEIGHTS[take() % 8],
            length=_LENGTHS[take() % 8] / least,
            delays=tuple(delays),
            radius=None if share is None else share * least,
        ),
    )


def _part(take: Callable[[], int]) -> Part:
    kind, number = take() % 8, _NUMBERS[take()]
    size, other = _POSITIVE[take() % 8], _ENTRIES[take()]
    if kind == 1:
        return PowerLaw(coefficient=number, exponent=size)
    if kind == 2:
        return Box(height=number, start=abs(other), length=size)
    if kind >= 4:
        return _special_part(take, kind, number, size, other)
    frequency = _POSITIVE[take() % 8] if kind == 3 else Fraction(0)
    return Exponential(
        coefficient=number,
        rate=size,
        power=(0, 0, 0, 1, 2, 3, 0, 1)[take() % 8],
        frequency=frequency,
        sine=other if frequency else Fraction(0),
    )


def _special_part(
    take: Callable[[], int], kind: int, number: Fraction, size: Fraction, other: Fraction
) -> Part:
    if kind == 4:
        return DampedReciprocal(coefficient=number, rate=size)
    if kind == 5:
        return Gaussian(coefficient=number, centre=abs(other), width=size)
    if kind == 6:
        return Airy(coefficient=number, scale=size, shift=other)
    times = accumulate(_POSITIVE[take() % 8] for _ in range(take() % MAX_SWITCHES))
    return Switching(coefficient=number, rate=size, times=tuple(times))


def _network(take: Callable[[], int], channels: int) -> Network:
    width = 1 + take() % MAX_UNITS
    rows = []
    for i in range(width):
        row = [_ENTRIES[take()] if i != j else -_POSITIVE[take() % 8] for j in range(width)]
        if take() % 4:
            row[i] -= sum(abs(entry) for j, entry in enumerate(row) if j != i)
        rows.append(tuple(row))
    return Network(
        w=tuple(rows),
        u=tuple(tuple(_ENTRIES[take()] for _ in range(channels)) for _ in range(width)),
        c=tuple(_NUMBERS[take()] for _ in range(width)),
    )
