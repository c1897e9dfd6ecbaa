r"""Columns as sequences of symbols: numbers in quantile states, categories one by one.

**Numbers.**  Every cell is a number, kept exact.  The states are intervals of values: equal values
are always in one state, and otherwise the states are as nearly equal in size as that allows
(`quantile_states`).  A state is seen as the mean of its values, brought to the scale of the
theorems by ``x = (value - centre) / scale``, two short decimals for which ``|x| <= 1``, and
rounded to three decimals, or to more where that is what tells two states apart.

**Categories.**  Each distinct text is a symbol, in alphabetical order.  Two categories are seen as
-1 and 1.  More are seen as the unit vectors: numbers would place some categories nearer to each
other than others, for no reason in the data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count, pairwise

from verification.errors import InvalidInstance
from verification.instance import MAX_DIMENSION, Vector
from verification.sequence.numbers import (
    IDENTITY,
    AffineMap,
    Numbers,
    affine_map,
    exact_numbers,
    first_not_number,
    ratio,
)
from verification.sequence.table import Column, shown
from verification.strict_json import format_number

_INPUT_DECIMALS = 3
_SHOWN_CHARACTERS = 24
_TWO_VALUES = "expected at least two values"


@dataclass(frozen=True, kw_only=True)
class Symbols:
    """A column as a sequence over an alphabet.

    Parameters
    ----------
    sequence : list of int
        The symbol at each row; every symbol of the alphabet occurs.
    labels : tuple of str
        What each symbol stands for.
    inputs : tuple of tuple of Fraction, shape (n_symbols, dimension)
        The input as which each symbol is seen.
    values : Numbers
        The number that a row has where it is a target.
    scaling : AffineMap
        The map from those numbers to targets.
    inputs_text, target_text : str
        How inputs and targets come about, in words.
    notes : tuple of str
        What the user may not expect.
    """

    sequence: list[int]
    labels: tuple[str, ...]
    inputs: tuple[Vector, ...]
    values: Numbers
    scaling: AffineMap
    inputs_text: str
    target_text: str
    notes: tuple[str, ...] = ()


def numeric_symbols(column: Column, n_states: int) -> Symbols:
    """Return a column of numbers as a sequence of quantile states.

    Raises
    ------
    InvalidInstance
        Where a cell is no number, or all of them are equal.
    """
    numbers = exact_numbers(column)
    counts = Counter(numbers.numerators)
    values = sorted(counts)
    if len(values) == 1:
        raise InvalidInstance(
            f"column {shown(column.name)}", f"is {column.texts[0]} throughout, {_TWO_VALUES}"
        )
    states = quantile_states([counts[value] for value in values], n_states)
    ends: dict[int, list[int]] = {}
    for value, state in zip(values, states, strict=True):
        ends.setdefault(state, []).append(value)
    state_of = dict(zip(values, states, strict=True))
    sequence = [state_of[value] for value in numbers.numerators]
    means = numbers.means(sequence, len(ends))
    scaling = affine_map(means[0], means[-1])
    decimals, inputs = _readable([scaling(mean) for mean in means])
    labels = [
        " to ".join(
            _shown_number(Fraction(value, numbers.denominator))
            for value in dict.fromkeys((inside[0], inside[-1]))
        )
        for inside in ends.values()
    ]
    notes = []
    if len(ends) < n_states:
        notes.append(f"{len(ends)} distinct values only: {len(ends)} states, not {n_states}")
    return Symbols(
        sequence=sequence,
        labels=tuple(labels),
        inputs=tuple((value,) for value in inputs),
        values=numbers,
        scaling=scaling,
        inputs_text=f"{scaling} of the mean in the state, rounded to {decimals} decimals",
        target_text=f"{scaling} of the mean of the next value",
        notes=tuple(notes),
    )


def categorical_symbols(column: Column) -> Symbols:
    """Return a column of texts as a sequence of categories.

    Raises
    ------
    InvalidInstance
        Where there is one category only, or more than `MAX_DIMENSION`.
    """
    where, n_symbols = f"column {shown(column.name)}", len(column.texts)
    if n_symbols == 1:
        raise InvalidInstance(where, f"is {shown(column.texts[0])} throughout, {_TWO_VALUES}")
    stranger = first_not_number(column)
    reason = (
        ""
        if stranger is None
        else f"line {column.lines[stranger]} has {shown(column.texts[stranger])}, not a number"
    )
    if n_symbols > MAX_DIMENSION:
        raise InvalidInstance(
            where,
            f"has {n_symbols} categories, expected at most {MAX_DIMENSION}"
            + (f" ({reason})" if reason else ""),
        )
    order = sorted(range(n_symbols), key=column.texts.__getitem__)
    symbol_of = {code: symbol for symbol, code in enumerate(order)}
    sequence = [symbol_of[code] for code in column.codes]
    labels = tuple(column.texts[code] for code in order)
    counts = Counter(sequence)
    commonest = min(range(n_symbols), key=lambda symbol: (-counts[symbol], symbol))
    if n_symbols == 2:
        inputs: tuple[Vector, ...] = ((Fraction(-1),), (Fraction(1),))
        inputs_text = "-1 and 1"
    else:
        inputs = tuple(tuple(Fraction(i == k) for i in range(n_symbols)) for k in range(n_symbols))
        inputs_text = "the unit vectors"
    mixed = reason and any(ratio(text) is not None for text in labels)
    return Symbols(
        sequence=sequence,
        labels=tuple(map(shown, labels)),
        inputs=inputs,
        values=Numbers(numerators=[int(symbol == commonest) for symbol in sequence], denominator=1),
        scaling=IDENTITY,
        inputs_text=inputs_text,
        target_text=f"the probability that {shown(labels[commonest])} is next",
        notes=(f"{where} is taken as categories: {reason}",) if mixed else (),
    )


def quantile_states(counts: Sequence[int], n_states: int) -> list[int]:
    """Divide values in increasing order into states of sizes as equal as ties allow.

    The states are filled in order.  One is full where the next value would take its size farther
    from the mean size of the states that are left, or would leave fewer values than states.

    Parameters
    ----------
    counts : sequence of int
        How often each distinct value occurs, in increasing order of the values.
    n_states : int
        How many states are asked for, at least 1.

    Returns
    -------
    list of int
        The state of each value, not decreasing.  ``min(n_states, len(counts))`` states occur.
        Where every count is 1 their sizes differ by 1 at most.
    """
    states: list[int] = []
    left, size, state = sum(counts), 0, 0
    last = min(n_states, len(counts)) - 1
    for i, times in enumerate(counts):
        # Distances from the mean size left / divisor, times divisor.
        divisor = last - state + 1
        nearer_without = abs((size + times) * divisor - left) > abs(size * divisor - left)
        if size and state < last and (nearer_without or len(counts) - i <= last - state):
            left, size, state = left - size, 0, state + 1
        size += times
        states.append(state)
    return states


def _readable(values: Sequence[Fraction]) -> tuple[int, list[Fraction]]:
    """Round increasing numbers to the same number of decimals, so that they stay distinct."""
    for decimals in count(_INPUT_DECIMALS):
        rounded = [round(value, decimals) for value in values]
        if all(below < above for below, above in pairwise(rounded)):
            return decimals, rounded
    raise AssertionError("distinct numbers never differ")


def _shown_number(value: Fraction) -> str:
    text = format_number(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
