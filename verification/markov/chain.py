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

All of it is decided in integers and rationals, without recursion; where double precision says
which pairs of rows to compare, a bound of its rounding is proved.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate, combinations, count
from math import gcd, lcm

from verification.enclosure.doubles import UNDERFLOW, gamma
from verification.instance import Chain, Row

_DENSE_ENTRIES = 2**24
_EXACT_DOUBLES = 2**53
_BLOCK = 2**16
_FIXED_BITS = 192


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
    """Return the Dobrushin coefficient ``delta(P) = max_{i,j} TV(P_i, P_j)``, exactly.

    Notes
    -----
    ``TV(p, q) = 1 - sum_k min(p_k, q_k)``: wanted are two rows that share least.  What all of them
    share is computed in double precision, which is exact where one denominator serves all rows
    and is at most 2**53; elsewhere the pairs among which the least must be, by a proved bound of
    the rounding, are compared exactly.  Some seconds for 2,000 dense states.
    """
    if _misses_a_row(chain):
        return Fraction(1)
    rows = _distinct_rows(chain)
    common = _denominator(p for row in rows for _, p in row)
    if len(rows) * chain.n_states > _DENSE_ENTRIES:
        pairs: Iterable[tuple[int, int]] = combinations(range(len(rows)), 2)
    elif common <= _EXACT_DOUBLES:
        least, _ = _least_shared(rows, chain.n_states, scale=common)
        return 1 - Fraction(int(least), common)
    else:
        _, pairs = _least_shared(rows, chain.n_states, scale=1)
    written = lru_cache(maxsize=None)(lambda i: _with_common_denominator(rows[i]))
    least_found = Fraction(1)
    for i, j in pairs:
        least_found = min(least_found, _shared(written(i), written(j)))
        if not least_found:
            break
    return 1 - least_found


def _misses_a_row(chain: Chain) -> bool:
    """Tell whether a row certainly shares no state with another, by counting."""
    met = [0] * chain.n_states
    for row in chain.rows:
        for j, _ in row:
            met[j] += 1
    return any(sum(met[j] for j, _ in row) < chain.n_states for row in chain.rows)


def _distinct_rows(chain: Chain) -> list[Row]:
    # Rows that differ in double precision differ; a hash of rationals is slow.
    alike: dict[tuple[tuple[int, float], ...], list[Row]] = {}
    for row in chain.rows:
        alike.setdefault(tuple((j, float(p)) for j, p in row), []).append(row)
    return [row for rows in alike.values() for row in dict.fromkeys(rows)]


def _denominator(numbers: Iterable[Fraction]) -> int:
    """Return the least common denominator, or one larger than `_EXACT_DOUBLES`."""
    found = 1
    for number in numbers:
        if found % number.denominator:
            found = lcm(found, number.denominator)
        if found > _EXACT_DOUBLES:
            break
    return found


def _least_shared(
    rows: Sequence[Row], n_states: int, *, scale: int
) -> tuple[float, list[tuple[int, int]]]:
    """Return about the least ``scale sum_k min(p_k, q_k)`` of two rows, and pairs that attain it.

    Parameters
    ----------
    rows : sequence of Row
    n_states : int
    scale : int
        A common denominator up to 2**53, with which all is exact, or 1.

    Returns
    -------
    least : float
        Of one row `scale`.
    pairs : list of tuple of int
        Among them all that attain the exact least, those that seem to share least first.

    Notes
    -----
    Rounding is monotone: ``min`` of two rounded numbers is their ``min``, rounded.  With g the
    factor `gamma` of the sum's roundings and that one, what two rows share is known up to a part g
    of it: where a pair shares least, it is estimated at most ``(1 + g)/(1 - g) <= 1 + 3 g`` times
    the least estimate, but for underflow.
    """
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    matrix = np.zeros((len(rows), n_states))
    for i, row in enumerate(rows):
        matrix[i, [j for j, _ in row]] = [float(p * scale if scale > 1 else p) for _, p in row]
    # The fourth g and the eight roundings more are for this threshold's own arithmetic.
    allowed, underflow = 1 + 4 * float(gamma(n_states + 8)), float(UNDERFLOW)
    ones, block = np.ones(n_states), max(1, _BLOCK // n_states)
    smaller = np.empty((block, n_states))
    least = float(scale)
    found: list[tuple[float, int, int]] = []
    for i, row_i in enumerate(matrix):
        for start in range(i + 1, len(rows), block):
            others = matrix[start : start + block]
            part = np.minimum(others, row_i, out=smaller[: len(others)])
            shared = part @ ones
            least = min(least, float(shared.min()))
            near = np.flatnonzero(shared <= least * allowed + underflow)
            if not shared.min():
                pair = i, start + int(shared.argmin())
                if {j for j, _ in rows[pair[0]]}.isdisjoint(j for j, _ in rows[pair[1]]):
                    return 0.0, [pair]
            found += [(float(shared[k]), i, start + int(k)) for k in near]
    limit = least * allowed + underflow
    return least, [(i, j) for value, i, j in sorted(found) if value <= limit]


def _shared(first: tuple[dict[int, int], int], second: tuple[dict[int, int], int]) -> Fraction:
    """Return ``sum_k min(p_k, q_k)`` of two rows, each written with a common denominator."""
    (p, below_p), (q, below_q) = first, second
    common = sum(min(share * below_q, q[k] * below_p) for k, share in p.items() if k in q)
    return Fraction(common, below_p * below_q)


def doeblin_lower(chain: Chain, steps: int, columns: Sequence[int]) -> Fraction:
    """Bound ``1 - delta(P^m) >= sum_{j in J} min_i P^m(i, j)`` from below, without a power of P.

    Parameters
    ----------
    chain : Chain
    steps : int
        The number m.
    columns : sequence of int
        The set J, without repetition.

    Returns
    -------
    Fraction
        A lower bound of the sum, hence of ``1 - delta(P^m)``, less than ``m |J| 2**-192`` below
        the sum.

    Notes
    -----
    Any two rows of P^m share at least the least entry of each column (Doeblin's minorization).
    Each column costs m products with the sparse P, in integers over 2**192 that are rounded down:
    a row of P averages what was lost before and loses less than one unit itself.
    """
    rows = [_with_common_denominator(row) for row in chain.rows]
    found = 0
    for column in columns:
        values = [(i == column) << _FIXED_BITS for i in range(chain.n_states)]
        for _ in range(steps):
            values = [
                sum(share * values[j] for j, share in shares.items()) // denominator
                for shares, denominator in rows
            ]
        found += min(values)
    return Fraction(found, 1 << _FIXED_BITS)


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
