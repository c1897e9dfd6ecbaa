r"""Moments of long sums along a chain by doubling, in double precision with a proved error.

With ``S_n = sum_{k<n} g(xi_k)``, ``a_n(i) = E_i[S_n]``, ``b_n(i) = E_i[S_n^2]`` and
``C_n(i, j) = E_i[S_n; xi_n = j]``, sums of twice the length follow from

    ``P^{2m} = P^m P^m``,           ``C_{2m} = C_m P^m + P^m C_m``,
    ``a_{2m} = a_m + P^m a_m``,     ``b_{2m} = b_m + 2 C_m a_m + P^m b_m``

(`verification.markov.fluctuation`, which does this in balls).  The powers of P serve every g.

**Error.**  Every array has a bound of its norm and of its error: of a vector the largest absolute
value, of a matrix the largest sum of absolute values in a row.  In these norms
``|A B| <= |A| |B|``, and a product of arrays is rounded by at most ``gamma(n) |A| |B|``, n the
number of states: the rules of `verification.enclosure.doubles.Rounded`.  An exact power of P has
the norm 1, so that its error grows like m; the norm of C_m is at most ``E|S_m|``, and is taken from
the array.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from verification.enclosure.balls import Ball, Number, ball, exact_ball, symmetric
from verification.enclosure.doubles import ONE, UNIT_ROUNDOFF, Rounded, above, dot, gamma, nearest
from verification.errors import NotEnclosed
from verification.instance import Chain
from verification.markov.transitions import rounded_transitions

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Enclosed:
    """A vector, or a matrix, in doubles, with a bound of its norm and of its error's norm."""

    values: Array
    bounds: Rounded


def doubled_moments(
    chain: Chain, values: Sequence[Number], steps: int
) -> tuple[tuple[Ball, ...], tuple[Ball, ...]]:
    """Enclose ``E_i[S_n]`` and ``E_i[S_n^2]``, ``S_n = sum_{k<n} g(xi_k)``, n = steps.

    Parameters
    ----------
    chain : Chain
    values : sequence of Fraction or Ball, shape (n_states,)
        The function g.
    steps : int
        At least 0.

    Returns
    -------
    tuple of two tuples of Ball, each of shape (n_states,)
        Enclosures, whatever the working precision no narrower than doubles allow: some
        ``n_states n^(3/2)`` roundings for a centred g.

    Raises
    ------
    NotEnclosed
        Where a probability is too small or a number too large for doubles.
    """
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    zeros = np.zeros(chain.n_states)
    first = second = _Enclosed(values=zeros, bounds=Rounded(Fraction(0)))
    block_first = _rounded(values)
    block_second = _sum_of(_Times(block_first, block_first))
    matrix = _power_of_two(chain, 0)
    weighted = _sum_of(_Times(block_first, matrix))
    bit = 0
    while steps >> bit:
        matrix = _power_of_two(chain, bit)
        if steps >> bit & 1:
            second = _sum_of(
                block_second, _Times(weighted, first, factor=2), _Times(matrix, second)
            )
            first = _sum_of(block_first, _Times(matrix, first))
        bit += 1
        if steps >> bit:
            block_second = _sum_of(
                block_second,
                _Times(weighted, block_first, factor=2),
                _Times(matrix, block_second),
            )
            block_first = _sum_of(block_first, _Times(matrix, block_first))
            weighted = _sum_of(_Times(weighted, matrix), _Times(matrix, weighted))
    return _balls(first), _balls(second)


@lru_cache(maxsize=64)
def _power_of_two(chain: Chain, exponent: int) -> _Enclosed:
    """Return P to the power ``2**exponent``."""
    if exponent:
        half = _power_of_two(chain, exponent - 1)
        found = _sum_of(_Times(half, half))
        # The exact matrix is stochastic.
        return _Enclosed(
            values=found.values, bounds=Rounded(1 + found.bounds.error, found.bounds.error)
        )
    known = rounded_transitions(chain).matrix
    dense = known.toarray() if hasattr(known, "toarray") else known
    return _Enclosed(values=dense, bounds=Rounded(1 + UNIT_ROUNDOFF, UNIT_ROUNDOFF))


@dataclass(frozen=True)
class _Times:
    """A product: of a matrix with an array, or entry by entry where the left is a vector."""

    left: _Enclosed
    right: _Enclosed
    factor: int = 1
    """1 or 2: exact in doubles."""


def _sum_of(*terms: _Enclosed | _Times) -> _Enclosed:
    """Return the sum of arrays and products of arrays."""
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    total: Array | None = None
    bounds: list[tuple[Rounded, Rounded]] = []
    inner = 1
    with np.errstate(over="ignore", invalid="ignore"):
        for term in terms:
            if isinstance(term, _Enclosed):
                values, pair = term.values, (term.bounds, ONE)
            else:
                left, right = term.left.values, term.right.values
                if left.ndim == 2:
                    values, inner = left @ right, max(inner, len(left))
                else:
                    values = (left[:, np.newaxis] if right.ndim == 2 else left) * right
                values = term.factor * values
                scaled = term.right.bounds
                pair = (
                    term.left.bounds,
                    Rounded(term.factor * scaled.size, term.factor * scaled.error),
                )
            bounds.append(pair)
            total = values if total is None else total + values
    if total is None:
        raise ValueError("a sum of nothing has no shape")
    # A product's own roundings, then one for each term that is added.
    found = dot(bounds, roundings=inner + len(bounds))
    error = above(found.error)
    return _Enclosed(values=total, bounds=Rounded(_norm(total), error))


def _norm(values: Array) -> Fraction:
    """Bound the norm of an array of doubles."""
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    sizes = np.abs(values)
    largest = float((sizes.sum(axis=1) if sizes.ndim == 2 else sizes).max())
    if not np.isfinite(largest):
        raise NotEnclosed("a moment is beyond the range of double precision")
    return Fraction(largest) * (1 + 2 * gamma(len(values)))


def _rounded(values: Sequence[Number]) -> _Enclosed:
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    rounded = [nearest(value) for value in values]
    return _Enclosed(
        values=np.array([x for x, _ in rounded]),
        bounds=Rounded(
            max(bounds.size for _, bounds in rounded),
            above(max(bounds.error for _, bounds in rounded)),
        ),
    )


def _balls(vector: _Enclosed) -> tuple[Ball, ...]:
    around = symmetric(ball(vector.bounds.error))
    return tuple(exact_ball(x) + around for x in vector.values.tolist())
