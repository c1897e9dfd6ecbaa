r"""Second moments of sums along a chain: ``E_i[(sum_{k<n} g_k(xi_k))^2]`` from every start i.

**One function g for all times.**  With ``S_n = sum_{k<n} g(xi_k)``, ``a_n(i) = E_i[S_n]`` and
``b_n(i) = E_i[S_n^2]`` the first step of the chain gives

    ``a_n = g + P a_{n-1}``,    ``b_n = g^2 + 2 g (P a_{n-1}) + P b_{n-1}``,

exact where P and g are rational and n is small, else in balls.  Longer sums are split: with
``C_m(i, j) = E_i[S_m; xi_m = j]``, ``S_{m+n} = S_m + S'_n`` where S'_n starts from xi_m, so that

    ``P^{m+n} = P^m P^n``,          ``C_{m+n} = C_m P^n + P^m C_n``,
    ``a_{m+n} = a_m + P^m a_n``,    ``b_{m+n} = b_m + 2 C_m a_n + P^m b_n``:

as many squarings as n has bits: in balls, and for larger chains in doubles, while the working
precision asks for no more (`verification.markov.doubled_moments`).

**A function g_k for each time** needs the recursion from the last time back, in doubles.  Write d
for the largest number of successors, A, B and G for the largest absolute values of all computed
a, b and g, and eps for the error of the given g.  As P is stochastic errors are carried on without
growth, and n steps err by at most (`verification.enclosure.doubles` has gamma)

    in a:   ``alpha = n (eps + gamma(d + 2) A)``,
    in b:   ``n [eps (G + 2X) + (G + eps)(eps + 2 gamma(d + 1) A + 2 alpha)
    + gamma(3)(G (G + 2X) + Y) + gamma(d + 1) B]``,

``X = (1 + gamma(d + 1)) A`` and ``Y = (1 + gamma(d + 1)) B`` bounding the computed P a and P b; to
both, n times `UNDERFLOW`.  Here ``b = g (g + 2 P a) + P b`` passes through three roundings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import lcm
from typing import TYPE_CHECKING, TypeAlias

from verification.enclosure.balls import Between, Number, ball, working_precision
from verification.enclosure.doubles import UNDERFLOW, Rounded, gamma, nearest
from verification.enclosure.matrix import Matrix
from verification.enclosure.numbers import minus
from verification.errors import NotEnclosed
from verification.instance import Chain
from verification.markov.doubled_moments import doubled_moments
from verification.markov.finite import BALL_STATES, transition_matrix
from verification.markov.transitions import rounded_transitions

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array: TypeAlias = npt.NDArray[np.float64]

EXACT_BITS = 4_000
"""Moments are rational where n denominators of P together have at most so many bits."""

_EXACT_STATES = 60
_MANY_STEPS = 64
_BITS_OF_DOUBLES = 64
_PRODUCTS_OF_RATIONALS = 4
"""So many steps in integers cost as much as a product of matrices of rationals with a column."""


@dataclass(frozen=True, kw_only=True)
class Moments:
    """First and second moment of ``S_n`` from every start, each of shape (n_states,)."""

    mean: tuple[Number, ...]
    square: tuple[Number, ...]


def moments(chain: Chain, observable: Sequence[Number], steps: int, *, centre: Number) -> Moments:
    """Return ``E_i[S_n]`` and ``E_i[S_n^2]``, ``S_n = sum_{k<n} (f(xi_k) - c)``, n = steps.

    Parameters
    ----------
    chain : Chain
    observable : sequence of Fraction or Ball, shape (n_states,)
        The function f.
    steps : int
        At least 0; a million is no more than twenty squarings.
    centre : Fraction or Ball
        The number c.

    Returns
    -------
    Moments
        Exact where f and c are rational and the chain and n are small, else balls: at the working
        precision, but for long sums along larger chains at the lowest one, which are as wide as
        doubles make them.

    Raises
    ------
    NotEnclosed
        Where the chain has too many states.
    """
    if steps < 0:
        raise ValueError(f"steps is {steps}, expected at least 0")
    differences = [minus(value, centre) for value in observable]
    if (
        _EXACT_STATES < chain.n_states <= BALL_STATES
        and steps > _MANY_STEPS
        and working_precision() <= _BITS_OF_DOUBLES
    ):
        mean, squared = doubled_moments(chain, differences, steps)
        return Moments(mean=mean, square=squared)
    values = Matrix.column(differences)
    matrix = transition_matrix(chain)
    is_exact = values.is_exact and matrix.is_exact and steps * _height(chain) <= EXACT_BITS
    few = _products_of_doubling(chain.n_states, steps)
    if is_exact and steps <= _PRODUCTS_OF_RATIONALS * few:
        exact = [value for value in differences if isinstance(value, Fraction)]
        return _exactly(chain, exact, steps)
    if not is_exact:
        matrix, values = matrix.in_balls(), values.in_balls()
    split = _by_recursion if not is_exact and steps <= few else _by_doubling
    first, second = split(matrix, values, steps)
    return Moments(mean=tuple(first.numbers()), square=tuple(second.numbers()))


def second_moments(
    chain: Chain, observable: Sequence[Number], steps: int, *, centre: Number
) -> tuple[Number, ...]:
    """Return ``E_i[S_n^2]`` for every start i.  See `moments`."""
    return moments(chain, observable, steps, centre=centre).square


@lru_cache(maxsize=64)
def _height(chain: Chain) -> int:
    """Return the bits that one step adds to a denominator."""
    if chain.n_states > _EXACT_STATES:
        return EXACT_BITS + 1
    return lcm(*(p.denominator for row in chain.rows for _, p in row)).bit_length()


def _products_of_doubling(size: int, steps: int) -> int:
    """Return how many products with a vector cost as much as the squarings."""
    return size * steps.bit_length() // 2


def _exactly(chain: Chain, values: Sequence[Fraction], steps: int) -> Moments:
    """Return the moments by the recursion in integers, which is faster than in rationals.

    ``a_k`` is a multiple of ``1/(e d^k)`` and ``b_k`` of ``1/(e^2 d^k)``, where d and e are common
    denominators of P and of g.
    """
    d = lcm(*(p.denominator for row in chain.rows for _, p in row))
    e = lcm(*(value.denominator for value in values))
    rows = [[(j, int(p * d)) for j, p in row] for row in chain.rows]
    g = [int(value * e) for value in values]
    first, second, whole = [0] * len(g), [0] * len(g), 1
    for _ in range(steps):
        whole *= d
        carried = [sum([weight * first[j] for j, weight in row]) for row in rows]
        second = [
            x * (x * whole + 2 * c) + sum([weight * second[j] for j, weight in row])
            for x, c, row in zip(g, carried, rows, strict=True)
        ]
        first = [x * whole + c for x, c in zip(g, carried, strict=True)]
    return Moments(
        mean=tuple(Fraction(a, e * whole) for a in first),
        square=tuple(Fraction(b, e * e * whole) for b in second),
    )


def _by_recursion(matrix: Matrix, values: Matrix, steps: int) -> tuple[Matrix, Matrix]:
    first = second = Matrix.constant(*values.shape, 0)
    for _ in range(steps):
        carried = matrix @ first
        second = values.hadamard(values + carried.scale(2)) + matrix @ second
        first = values + carried
    return first, second


def _by_doubling(matrix: Matrix, values: Matrix, steps: int) -> tuple[Matrix, Matrix]:
    """Return the moments of S_n, from those of sums whose lengths are powers of two."""
    size = matrix.shape[0]
    ones = Matrix.constant(size, 1, 1)
    first = second = Matrix.constant(size, 1, 0)
    # Of the block of length 2^k: C, a and b.  Of what follows it: `first` and `second`.
    weighted = (values @ ones.transpose()).hadamard(matrix)
    block_first, block_second = values, values.hadamard(values)
    while steps:
        if steps & 1:
            second = block_second + (weighted @ first).scale(2) + matrix @ second
            first = block_first + matrix @ first
        steps >>= 1
        if steps:
            block_second = block_second + (weighted @ block_first).scale(2) + matrix @ block_second
            block_first = block_first + matrix @ block_first
            weighted = weighted @ matrix + matrix @ weighted
            matrix = matrix @ matrix
    return first, second


def second_moments_of_sequence(
    chain: Chain, observables: Array, *, error: Fraction
) -> tuple[Between, ...]:
    """Enclose ``E_i[(sum_{k<n} g_k(xi_k))^2]`` for every start i, in doubles.

    Parameters
    ----------
    chain : Chain
    observables : Array, shape (n, n_states)
        The functions g_k, to within an error; n = 0 is an empty sum.
    error : Fraction
        Bound of the error of every entry.

    Returns
    -------
    tuple of Between, shape (n_states,)
        The width is of the order of ``n^2`` roundings, and grows with the largest |a|: give
        centred functions where the sum is centred.

    Raises
    ------
    NotEnclosed
        Where a probability is too small or a number too large for doubles.
    """
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    transitions = rounded_transitions(chain)
    steps = len(observables)
    # The columns are a and b.
    both = np.zeros((chain.n_states, 2))
    sizes = np.zeros_like(both)
    increment, size_now = np.empty(chain.n_states), np.empty_like(both)
    with np.errstate(over="ignore", invalid="ignore"):
        for values in observables[::-1]:
            both = transitions.matrix @ both
            first, second = both[:, 0], both[:, 1]
            # g (g + 2 P a), then g + P a.
            np.multiply(first, 2.0, out=increment)
            increment += values
            increment *= values
            second += increment
            first += values
            np.maximum(sizes, np.abs(both, out=size_now), out=sizes)
        largest = sizes.max(axis=0)
        size = float(np.abs(observables).max(initial=0.0))
    if not (np.isfinite(largest).all() and np.isfinite(size)):
        raise NotEnclosed("a second moment is beyond the range of double precision")
    bound = _error_bound(
        steps,
        transitions.successors,
        a=Fraction(float(largest[0])),
        b=Fraction(float(largest[1])),
        g=Rounded(Fraction(size), error),
    )
    values = [Fraction(value) for value in both[:, 1].tolist()]
    return tuple(
        Between(ball(max(value - bound, Fraction(0))), ball(value + bound)) for value in values
    )


def _error_bound(steps: int, successors: int, *, a: Fraction, b: Fraction, g: Rounded) -> Fraction:
    """Bound the error of the second moments; the module's docstring derives it."""
    product = gamma(successors + 1)
    carried_a, carried_b = (1 + product) * a, (1 + product) * b
    alpha = steps * (g.error + gamma(successors + 2) * a + UNDERFLOW)
    one_step = (
        g.error * (g.size + 2 * carried_a)
        + (g.size + g.error) * (g.error + 2 * product * a + 2 * alpha)
        + gamma(3) * (g.size * (g.size + 2 * carried_a) + carried_b)
        + product * b
        + UNDERFLOW
    )
    return steps * one_step


def drifting_second_moments(
    chain: Chain,
    observable: Sequence[Number],
    drift: Sequence[Number],
    steps: int,
) -> tuple[Between, ...]:
    """Enclose ``E_i[(sum_{k<n} (f(xi_k) + (k/n) h(xi_k)))^2]``, n = steps, for every start i.

    Parameters
    ----------
    chain : Chain
    observable, drift : sequence of Fraction or Ball, shape (n_states,)
        The functions f and h: subtract their means first where the sum is to be centred.
    steps : int
        At least 0.

    Raises
    ------
    NotEnclosed
        Where a probability is too small or a number too large for doubles.
    """
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    fixed, moving = ([nearest(value) for value in function] for function in (observable, drift))
    values, slopes = (np.array([x for x, _ in function]) for function in (fixed, moving))
    sizes, errors = (
        sum(max(getattr(bounds, name) for _, bounds in function) for function in (fixed, moving))
        for name in ("size", "error")
    )
    times = np.arange(steps) / max(steps, 1)
    # k/n, its product with h and the sum are rounded; k/n <= 1.
    return second_moments_of_sequence(
        chain,
        values + times[:, np.newaxis] * slopes,
        error=errors + gamma(3) * sizes + UNDERFLOW,
    )
