r"""A column of a CSV file made into an instance.

The states are the last m symbols of the column (`history`), its quantile states or its categories
(`symbols`); a state is seen as its newest symbol; the transition probabilities are the empirical
ones, exact.  The target of a state is the exact mean, over the rows at which the state is visited,
of the next value of the column: of its number, or of the indicator of its commonest category.  With
a target column it is the mean of that column at the same row.  The chain starts in the state of the
first row.

The rest is not in the data.  The activation is logistic, B uniform on [1/2, 3/2] (``q = 1/4``, so
that the memory contracts), C uniform on [-1, 1], W normal with standard deviation 1 and the mean
1/2, or, for unit vectors, with means that are spread over [-1, 1]: equal ones would make the
memory blind to the category.  Whoever wants others edits the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from verification.errors import InvalidInstance
from verification.instance import (
    MAX_ENTRIES,
    MAX_NAME,
    MAX_ORIGIN,
    MAX_SPARSE_STATES,
    ActivationSpec,
    Chain,
    Instance,
    Normal,
    ProductLaw,
    Training,
    Uniform,
)
from verification.markov.chain import communicating_classes, period
from verification.sequence.history import History, circular_history
from verification.sequence.numbers import (
    AffineMap,
    Numbers,
    affine_map,
    exact_numbers,
    first_not_number,
)
from verification.sequence.symbols import Symbols, categorical_symbols, numeric_symbols
from verification.sequence.table import Column, Table, read_table, shown

KINDS = ("numeric", "categorical")
DEFAULT_STATES = 8
MAX_STATES = 1_024
MAX_ORDER = 64

_MAX_LISTED = 600


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user may ask for.

    Parameters
    ----------
    column, target : str, optional
        Names of columns; None stands for the only column, and for the next value.
    states : int, optional
        How many quantile states numbers are divided into, `DEFAULT_STATES` where None.
    order : int
        How many symbols a state remembers.
    kind : str, optional
        One of `KINDS`; where None a column is numeric if every cell is a number.
    header : bool, optional
        Whether the first row is a header; where None it is one unless it has a number.
    skip_missing : bool
        Whether rows that miss a value are left out rather than an error.
    source : str, optional
        Where the data come from, in words.
    """

    column: str | None = None
    target: str | None = None
    states: int | None = None
    order: int = 1
    kind: str | None = None
    header: bool | None = None
    skip_missing: bool = False
    source: str | None = None


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """An instance made from a sequence, and what its maker should know.

    Parameters
    ----------
    instance : Instance
    n_rows : int
        The rows that were used.
    order : int
    notes : tuple of str
        One line each.
    """

    instance: Instance
    n_rows: int
    order: int
    notes: tuple[str, ...]

    def summary(self) -> str:
        """Return one line on the chain."""
        chain = self.instance.chain
        recurrent = [found for found in communicating_classes(chain) if found.recurrent]
        periods = ", ".join(str(period(chain, found)) for found in recurrent)
        return (
            f"{self.instance.name}: {self.n_rows} rows, {chain.n_states} states of order "
            f"{self.order}, {sum(map(len, chain.rows))} transitions, {len(recurrent)} recurrent "
            f"class of period {periods}"
        )


def from_csv(path: Path, name: str, options: Options) -> Conversion:
    """Make an instance from a column of a CSV file.

    Parameters
    ----------
    path : Path
    name : str
        The instance's name, cut to what an instance may have.
    options : Options

    Raises
    ------
    InvalidInstance
        With the line, the column or the option at fault, and what was expected.
    """
    _check_range("--order", options.order, 1, MAX_ORDER)
    if options.states is not None:
        _check_range("--states", options.states, 2, MAX_STATES)
    wanted: list[tuple[str, str | None]] = [("--column", options.column)]
    if options.target is not None:
        wanted.append(("--target", options.target))
    table = read_table(path, wanted, header=options.header, skip_missing=options.skip_missing)
    _check_length(table, options)
    column = table.columns[0]
    symbols = _symbols(column, options)
    history = circular_history(symbols.sequence, len(symbols.inputs), options.order)
    n_states = len(history.codes)
    if n_states > MAX_SPARSE_STATES or n_states * len(symbols.inputs[0]) > MAX_ENTRIES:
        raise InvalidInstance("--order", f"gives {n_states} states, expected a smaller order")
    if options.target is None:
        numbers = symbols.values.shifted()
        scaling, target_text = symbols.scaling, symbols.target_text
    else:
        numbers, scaling, target_text = _target(table.columns[1], history)
    chain = Chain(
        rows=history.rows,
        inputs=tuple(symbols.inputs[history.newest(state)] for state in range(n_states)),
        targets=tuple(numbers.means(history.path, n_states, scaling)),
        initial=history.path[0],
    )
    notes = list(symbols.notes)
    if table.n_skipped:
        notes.append(f"{table.n_skipped} rows with a missing value left out")
    source = f"{options.source}: {path.name}" if options.source else path.name
    origin = _origin(source, table, symbols, history, target_text)
    return Conversion(
        instance=_with_defaults(_printable(name, MAX_NAME), origin, chain),
        n_rows=table.n_rows,
        order=options.order,
        notes=tuple(notes),
    )


def _check_range(option: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InvalidInstance(option, f"is {value}, expected {least} to {most}")


def _check_length(table: Table, options: Options) -> None:
    least = max(2, options.order + 1)
    if table.n_rows < least:
        skipped = f" besides {table.n_skipped} with missing values" if table.n_skipped else ""
        why = f", more than --order {options.order}" if least > 2 else ""
        rows = "1 row" if table.n_rows == 1 else f"{table.n_rows} rows"
        raise InvalidInstance("", f"has {rows}{skipped}, expected at least {least}{why}")


def _symbols(column: Column, options: Options) -> Symbols:
    kind = options.kind
    if kind is None:
        kind = "numeric" if first_not_number(column) is None else "categorical"
    if kind == "numeric":
        return numeric_symbols(column, options.states or DEFAULT_STATES)
    if options.states is not None:
        stranger = first_not_number(column)
        why = (
            ""
            if stranger is None
            else f": line {column.lines[stranger]} has {shown(column.texts[stranger])}"
        )
        raise InvalidInstance("--states", f"is not used by a column of categories{why}")
    return categorical_symbols(column)


def _target(column: Column, history: History) -> tuple[Numbers, AffineMap, str]:
    numbers = exact_numbers(column)
    means = numbers.means(history.path, len(history.codes))
    low, high = min(means), max(means)
    if low == high:
        raise InvalidInstance(
            f"column {shown(column.name)}",
            "has the same mean in every state, expected means that differ",
        )
    scaling = affine_map(low, high)
    text = f"{scaling} of the mean of column {shown(column.name)} in the state"
    return numbers, scaling, text


def _with_defaults(name: str, origin: str, chain: Chain) -> Instance:
    one, d = Fraction(1), chain.dimension
    mean = [one / 2] if d == 1 else [Fraction(2 * k, d - 1) - 1 for k in range(d)]
    return Instance(
        name=name,
        origin=origin,
        chain=chain,
        activation=ActivationSpec.named("logistic"),
        law=ProductLaw(
            c=Uniform(low=(-one,), high=(one,)),
            w=Normal(mean=tuple(mean), std=one),
            b=Uniform(low=(one / 2,), high=(3 * one / 2,)),
        ),
        training=Training(alpha=one, beta=Fraction(3, 4), gamma=one / 10, horizon=one),
    )


def _origin(source: str, table: Table, symbols: Symbols, history: History, target_text: str) -> str:
    skipped = f" ({table.n_skipped} with missing values left out)" if table.n_skipped else ""
    rows = f"{table.n_rows} rows{skipped}"
    circle = "read as a circle, so that the empirical law is the stationary law"
    parts = [
        f"{source}, column {shown(table.columns[0].name)}, {rows}, {circle}",
        f"Symbols, from 0: {_listed(symbols.labels)}",
    ]
    if history.order > 1:
        separator = "" if history.n_symbols <= 10 else "."
        words = (
            separator.join(map(str, history.word(state)))
            for state in range(min(len(history.codes), _MAX_LISTED))
        )
        parts.append(
            f"States, from 0, are the last {history.order} symbols, the newest last: "
            f"{_listed(words)}"
        )
    parts += [
        f"Inputs: {symbols.inputs_text}",
        f"Targets: {target_text}",
        "Law and training are defaults",
    ]
    return _printable(". ".join(parts) + ".", MAX_ORIGIN)


def _listed(texts: Iterable[str]) -> str:
    listed = ", ".join(texts)
    return listed if len(listed) <= _MAX_LISTED else listed[:_MAX_LISTED] + "..."


def _printable(text: str, most: int) -> str:
    clean = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    clean = clean.strip() or "sequence"
    return clean if len(clean) <= most else clean[: most - 3] + "..."
