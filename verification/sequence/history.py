r"""The chain of the last m symbols of a sequence, with its empirical probabilities.

A *word* is a run of m successive symbols.  The sequence ``s_0, ..., s_{T-1}`` is read as a circle,
``s_{T+t} = s_t``, so that it has exactly T words ``w_t = (s_{t-m+1}, ..., s_t)``, one a row, and T
transitions ``w_t -> w_{t+1}``.  With n_i the number of t for which w_t is the word i, and n_ij that
of the transitions from i to j,

    P_ij = n_ij / n_i,      pi_i = n_i / T.

*The empirical law pi is the stationary law of P, exactly, and the chain is irreducible.*  Indeed
``(pi P)_j = sum_i n_ij / T``, and every occurrence of j on the circle is entered by one
transition, so that it is ``n_j / T``; and the circle leads from each of its words to each.

Without the closure the last word may have no successor, and the empirical law would be stationary
only up to 1/T.  The price is m transitions, of T, that the data do not contain: those into the
words that end in s_0, ..., s_{m-1}.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from verification.instance import Row


@dataclass(frozen=True, kw_only=True)
class History:
    """The chain of the words of a circular sequence.

    Parameters
    ----------
    n_symbols, order : int
        The words are of `order` symbols from 0 to ``n_symbols - 1``.
    codes : tuple of int
        For each state its word, read as a number in base `n_symbols` with the newest symbol last.
        They increase: the states are the words that occur, in lexicographic order.
    path : list of int
        For each row the state whose word ends there.
    rows : tuple of tuple of (int, Fraction)
        The transition probabilities, as `verification.instance.Chain` has them.
    """

    n_symbols: int
    order: int
    codes: tuple[int, ...]
    path: list[int]
    rows: tuple[Row, ...]

    def word(self, state: int) -> tuple[int, ...]:
        """Return the word of a state, the newest symbol last."""
        symbols, code = [], self.codes[state]
        for _ in range(self.order):
            code, symbol = divmod(code, self.n_symbols)
            symbols.append(symbol)
        return tuple(reversed(symbols))

    def newest(self, state: int) -> int:
        """Return the newest symbol of a state."""
        return self.codes[state] % self.n_symbols


def circular_history(sequence: Sequence[int], n_symbols: int, order: int) -> History:
    """Return the chain of the last `order` symbols of a sequence read as a circle.

    Parameters
    ----------
    sequence : sequence of int, shape (n_rows,)
        Symbols from 0 to ``n_symbols - 1``.
    n_symbols : int
    order : int
        At least 1 and at most n_rows.

    Notes
    -----
    Time and memory are linear in n_rows, up to the sorting of the words.
    """
    codes = _codes(sequence, n_symbols, order)
    distinct = sorted(set(codes))
    state_of = {code: state for state, code in enumerate(distinct)}
    path = [state_of[code] for code in codes]
    visits = Counter(path)
    successors: list[list[tuple[int, int]]] = [[] for _ in distinct]
    for (i, j), times in Counter(zip(path, path[1:] + path[:1], strict=True)).items():
        successors[i].append((j, times))
    # Few different probabilities occur in a long sparse chain.
    share = lru_cache(maxsize=2**16)(Fraction)
    return History(
        n_symbols=n_symbols,
        order=order,
        codes=tuple(distinct),
        path=path,
        rows=tuple(
            tuple((j, share(times, visits[i])) for j, times in sorted(found))
            for i, found in enumerate(successors)
        ),
    )


def _codes(sequence: Sequence[int], n_symbols: int, order: int) -> list[int]:
    """Return for each row its word, written as a number in base `n_symbols`."""
    codes, code, size = [], 0, n_symbols**order
    for symbol in sequence[len(sequence) - order + 1 :]:
        code = code * n_symbols + symbol
    for symbol in sequence:
        code = (code * n_symbols + symbol) % size
        codes.append(code)
    return codes
