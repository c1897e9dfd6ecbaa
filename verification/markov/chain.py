r"""Exact facts on a Markov chain: its classes, their periods, reversibility, contraction, paths.

A chain on states ``0..n-1`` has the transition matrix P.  State i *leads to* j where
``(P^k)_ij > 0`` for some k >= 0; two states that lead to each other *communicate*, which divides
the states into *communicating classes*.  A class that no transition leaves is *recurrent* (the
chain, once inside, returns to each of its states for ever), the others are *transient*.  A chain
with one class is *irreducible*.  The *period* of a class is the greatest common divisor of the
lengths of its closed paths.  The stationary law is unique exactly where one class is recurrent,
and the chain converges to it from every start exactly where that class has period 1 besides.

The *Dobrushin coefficient* ``delta(P) = max_{i,j} TV(P_i, P_j)``, with
``TV(p, q) = 1/2 sum_k |p_k - q_k|``, is the factor by which one step contracts the distance TV of
any two laws.

All of it is decided in integers and rationals, without recursion and without rounding.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, combinations, count
from math import gcd, lcm

from verification.instance import Chain, Row


@dataclass(frozen=True, kw_only=True)
class CommunicatingClass:
    """States that lead to each other.

    Parameters
    ----------
    states : tuple of int
        In increasing order.
    recurrent : bool
        Whether no transition leaves the class.
    """

    states: tuple[int, ...]
    recurrent: bool


def communicating_classes(chain: Chain) -> tuple[CommunicatingClass, ...]:
    """Return the communicating classes, in the order of their smallest states.

    Notes
    -----
    Tarjan's algorithm; time and memory are linear in the number of positive probabilities.
    """
    components = list(_strong_components(chain))
    label = [0] * chain.n_states
    for number, states in enumerate(components):
        for state in states:
            label[state] = number
    left = {label[i] for i, row in enumerate(chain.rows) for j, _ in row if label[j] != label[i]}
    classes = [
        CommunicatingClass(states=tuple(sorted(states)), recurrent=number not in left)
        for number, states in enumerate(components)
    ]
    return tuple(sorted(classes, key=lambda found: found.states[0]))


def _strong_components(chain: Chain) -> Iterator[list[int]]:
    # Depth first, the stack in place of a recursion that long chains would exhaust.  States are
    # numbered as they are met; earliest[i] is the least number among the states that i is known
    # to lead to and that wait for their component to be complete.
    unmet, complete = -1, chain.n_states
    earliest = [unmet] * chain.n_states
    waiting: list[int] = []
    stack: list[tuple[int, int, Iterator[tuple[int, Fraction]]]] = []
    numbers = count()

    def enter(state: int) -> None:
        earliest[state] = number = next(numbers)
        waiting.append(state)
        stack.append((state, number, iter(chain.rows[state])))

    for root in range(chain.n_states):
        if earliest[root] == unmet:
            enter(root)
        while stack:
            state, number, successors = stack[-1]
            for successor, _ in successors:
                if earliest[successor] == unmet:
                    enter(successor)
                    break
                earliest[state] = min(earliest[state], earliest[successor])
            else:
                stack.pop()
                if earliest[state] < number:
                    parent = stack[-1][0]
                    earliest[parent] = min(earliest[parent], earliest[state])
                    continue
                component = [waiting.pop()]
                while component[-1] != state:
                    component.append(waiting.pop())
                for member in component:
                    earliest[member] = complete
                yield component


def period(chain: Chain, found: CommunicatingClass) -> int:
    """Return the period of a communicating class of the chain.

    Returns
    -------
    int
        0 where the class has no closed path: one transient state that never returns.
    """
    members = set(found.states)
    queue = [found.states[0]]
    depth = {queue[0]: 0}
    divisor = 0
    for i in queue:
        for j, _ in chain.rows[i]:
            if j not in members:
                continue
            if j in depth:
                divisor = gcd(divisor, depth[i] + 1 - depth[j])
            else:
                depth[j] = depth[i] + 1
                queue.append(j)
        if divisor == 1:
            break
    return divisor


def is_reversible(chain: Chain) -> bool:
    """Tell whether an irreducible chain is in detailed balance with its stationary law.

    That is ``pi_i P_ij = pi_j P_ji`` for all i, j.  It determines pi along any path, so that no
    stationary law is needed: pi spreads from state 0, and every transition is checked.

    Raises
    ------
    ValueError
        Where the chain is not irreducible.

    Notes
    -----
    The rationals grow with the length of the paths: meant for chains of some thousand states.
    """
    if len(communicating_classes(chain)) > 1:
        raise ValueError("the chain is not irreducible")
    probabilities = [dict(row) for row in chain.rows]
    queue = [0]
    weight = {0: Fraction(1)}
    for i in queue:
        for j, forward in chain.rows[i]:
            backward = probabilities[j].get(i)
            if backward is None:
                return False
            balanced = weight[i] * forward / backward
            if j not in weight:
                weight[j] = balanced
                queue.append(j)
            elif weight[j] != balanced:
                return False
    return True


def dobrushin_coefficient(chain: Chain) -> Fraction:
    """Return the Dobrushin coefficient ``delta(P) = max_{i,j} TV(P_i, P_j)``.

    Notes
    -----
    Every pair of different rows is compared, through ``TV(p, q) = 1 - sum_k min(p_k, q_k)``,
    until two are found that share no state: some seconds for 300 dense states.
    """
    rows = [_with_common_denominator(row) for row in dict.fromkeys(chain.rows)]
    least = Fraction(1)
    for (first, below_first), (second, below_second) in combinations(rows, 2):
        shared = sum(
            min(share * below_second, second[k] * below_first)
            for k, share in first.items()
            if k in second
        )
        if not shared:
            return Fraction(1)
        least = min(least, Fraction(shared, below_first * below_second))
    return 1 - least


def sample_path(chain: Chain, start: int, length: int, rng: random.Random) -> tuple[int, ...]:
    """Draw a path ``xi_0 = start, xi_1, ..., xi_{length-1}`` with exactly the chain's law.

    Parameters
    ----------
    chain : Chain
    start : int
    length : int
        Number of states in the path, at least 1.
    rng : random.Random
        Its `randrange` is uniform on integers, which is why no rounding enters.
    """
    steps: dict[int, tuple[list[int], tuple[int, ...]]] = {}
    path = [start]
    while len(path) < length:
        state = path[-1]
        if state not in steps:
            shares, _ = _with_common_denominator(chain.rows[state])
            steps[state] = list(accumulate(shares.values())), tuple(shares)
        bounds, successors = steps[state]
        path.append(successors[bisect_right(bounds, rng.randrange(bounds[-1]))])
    return tuple(path)


def _with_common_denominator(row: Row) -> tuple[dict[int, int], int]:
    """Write a row as ``{j: p_j d}`` and d, all of them integers."""
    denominator = lcm(*(p.denominator for _, p in row))
    return {j: p.numerator * (denominator // p.denominator) for j, p in row}, denominator
