"""Hypothesis strategies for linear functionals with memory, and linear networks.

Each draws one block of bytes, decoded half a byte at a time, like those of
`verification.campaign.strategies`: every block is a valid instance, and the tables below are in
order, simplest first.  A network's W is drawn with a negative diagonal that often, but not always,
outweighs the rest of its row, so that stable and unstable networks both occur.  Set-ups of a
training have a target that is a network, often with a spare unit, and a strategy of their own.
"""

from __future__ import annotations

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

_NUMBERS = exact("1 -1 1/2 -1/2 2 -2 0.1 -0.3 1/3 -5/4 3 0.01 10 -15 -0.7 0.9")
_POSITIVE = exact("1 1/2 2 1/10 4 1/3 10 1/100")
_ENTRIES = exact("0 1 -1 1/2 -1/2 2 -2 0.1 -0.3 1/3 -5/4 3 0.01 -5 -0.7 0.9")
# One part alone is a case of its own: a power law, an exponential.
_PARTS = (1, 2, 3, 0, 1, 2, 1, 1)
_WIDTHS = ((0, 1, 2), (1,), (2, 4), (0,), (1, 2, 3, 4), (8,), (3,), (0, 16))
_STARTS = exact("0 1 -1 1/2 -1/2 2 0 0.1 -0.3 1/3 -5/4 3 0.01 -10 0 0.9")
_HEIGHTS = exact("1 -1 1/2 2 0.1 0.01 10 0")
_LENGTHS = exact("1 1/2 2 0.1 1/4 4 0.01 3")
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
