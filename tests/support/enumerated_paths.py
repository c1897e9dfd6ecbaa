"""Small chains, and every path of a small chain with its exact probability: an oracle."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import accumulate

from verification.enclosure.balls import Between, end_points
from verification.instance import Chain

HALF = Fraction(1, 2)


def chain_of(matrix) -> Chain:
    rows = tuple(
        tuple((j, Fraction(p)) for j, p in enumerate(row) if Fraction(p)) for row in matrix
    )
    zero = Fraction(0)
    return Chain(rows=rows, inputs=((zero,),) * len(rows), targets=(zero,) * len(rows), initial=0)


COIN = chain_of([["1/2", "1/2"]] * 2)
STICKY = chain_of([["3/4", "1/4"], ["1/4", "3/4"]])
CYCLE = chain_of([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
ABSORBING = chain_of([["1/3", "1/3", "1/3"], [0, "1/7", "6/7"], [0, 0, 1]])
TWO_CLASSES = chain_of([[1, 0, 0], ["1/5", "2/5", "2/5"], [0, 0, 1]])
GENERAL = chain_of([["1/2", "1/3", "1/6"], [0, "1/5", "4/5"], [1, 0, 0]])
ONE_STATE = chain_of([[1]])

KNOWN = {
    "coin": COIN,
    "sticky": STICKY,
    "cycle": CYCLE,
    "absorbing": ABSORBING,
    "two classes": TWO_CLASSES,
    "general": GENERAL,
    "one state": ONE_STATE,
}


def ring(size: int) -> Chain:
    """A sparse chain: from every state to the next one or the one after, unevenly."""
    rows = []
    for i in range(size):
        row = [Fraction(0)] * size
        row[(i + 1) % size] += Fraction(1 + i % 3, 5)
        row[(i + 2) % size] += 1 - Fraction(1 + i % 3, 5)
        rows.append(row)
    return chain_of(rows)


def paths(chain: Chain, start: int, steps: int) -> Iterator[tuple[Fraction, tuple[int, ...]]]:
    """Yield every path ``xi_0 = start, ..., xi_{steps-1}`` with its probability."""
    if not steps:
        yield Fraction(1), ()
        return
    waiting = [(Fraction(1), (start,))]
    while waiting:
        probability, path = waiting.pop()
        if len(path) == steps:
            yield probability, path
        else:
            waiting += [(probability * p, (*path, j)) for j, p in chain.rows[path[-1]]]


def mean_over_paths(
    chain: Chain, start: int, steps: int, value: Callable[[tuple[int, ...]], Fraction]
) -> Fraction:
    return sum((p * value(path) for p, path in paths(chain, start, steps)), Fraction(0))


def partial_sums(path: tuple[int, ...], observable, centre: Fraction) -> list[Fraction]:
    """Return ``S_0, ..., S_n``."""
    return list(accumulate((observable[i] - centre for i in path), initial=Fraction(0)))


def law_of_sum(chain: Chain, observable, start: int, steps: int) -> dict[Fraction, Fraction]:
    """Return the exact law of ``f(xi_0) + ... + f(xi_{steps-1})``, forward in time."""
    law = {(start, observable[start]): Fraction(1)}
    for _ in range(steps - 1):
        following: dict[tuple[int, Fraction], Fraction] = defaultdict(Fraction)
        for (i, total), probability in law.items():
            for j, p in chain.rows[i]:
                following[j, total + observable[j]] += probability * p
        law = following
    sums: dict[Fraction, Fraction] = defaultdict(Fraction)
    for (_, total), probability in law.items():
        sums[total] += probability
    return sums


def ends(side) -> tuple[Fraction, Fraction]:
    """Return rational end points of a side of a claim."""
    if isinstance(side, Fraction):
        return side, side
    if isinstance(side, Between):
        return end_points(side.lower)[0], end_points(side.upper)[1]
    return end_points(side)
