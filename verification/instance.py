"""Instances: the exact data on which a claim is decided, read from JSON and written to it.

An instance of kind ``instance/1`` is a Markov chain whose states are seen as inputs and carry
targets, an activation, the initial law of one hidden unit, and optionally the training
constants.  All numbers are exact rationals.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from verification import strict_json
from verification.errors import InvalidInstance
from verification.strict_json import Node, format_number

SCHEMA = "instance/1"
FAMILIES = ("tanh", "logistic", "erf", "arctan", "sin")

MAX_DENSE_STATES = 4_096
MAX_SPARSE_STATES = 2**21
MAX_ENTRIES = 2**24
MAX_DIMENSION = 64
MAX_ATOMS = 4_096
MAX_TERMS = 64
MAX_NAME = 120
MAX_ORIGIN = 2_000

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Vector: TypeAlias = tuple[Fraction, ...]
Row: TypeAlias = tuple[tuple[int, Fraction], ...]


@dataclass(frozen=True, kw_only=True)
class Chain:
    """A Markov chain on states ``0..n-1``, each seen as an input and carrying a target.

    Parameters
    ----------
    rows : tuple of tuple of (int, Fraction)
        For each state, its successors in increasing order with their positive probabilities.
    inputs : tuple of tuple of Fraction, shape (n_states, dimension)
    targets : tuple of Fraction, shape (n_states,)
    initial : int
        The state at step 0.
    """

    rows: tuple[Row, ...]
    inputs: tuple[Vector, ...]
    targets: Vector
    initial: int

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        # Chains key the caches of their matrices; hashing every probability each time is slow.
        return hash((self.rows, self.inputs, self.targets, self.initial))

    @property
    def n_states(self) -> int:
        """Number of states."""
        return len(self.rows)

    @property
    def dimension(self) -> int:
        """Dimension of the inputs."""
        return len(self.inputs[0])

    @cached_property
    def input_numbers(self) -> tuple[int, ...]:
        """For each state the number of its input, the distinct inputs numbered as they come."""
        numbers: dict[Vector, int] = {}
        return tuple(numbers.setdefault(x, len(numbers)) for x in self.inputs)

    @cached_property
    def first_states(self) -> tuple[int, ...]:
        """For each distinct input the first state that has it."""
        first: dict[Vector, int] = {}
        for state, x in enumerate(self.inputs):
            first.setdefault(x, state)
        return tuple(first.values())


@dataclass(frozen=True, kw_only=True)
class Term:
    """One term ``weight * of(scale * t + shift)`` of an activation."""

    weight: Fraction
    scale: Fraction
    shift: Fraction
    of: str


@dataclass(frozen=True, kw_only=True)
class ActivationSpec:
    """An activation: a finite sum of terms; a named activation is one term (1, 1, 0)."""

    terms: tuple[Term, ...]

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        # Of numbers only: it travels between processes, in which texts have other hashes.
        return hash(
            tuple(
                (term.weight, term.scale, term.shift, int.from_bytes(term.of.encode()))
                for term in self.terms
            )
        )

    @staticmethod
    def named(family: str) -> ActivationSpec:
        """Return a named activation."""
        return ActivationSpec(
            terms=(Term(weight=Fraction(1), scale=Fraction(1), shift=Fraction(0), of=family),)
        )

    @property
    def label(self) -> str:
        """The family's name, or ``mixture``."""
        named = self == ActivationSpec.named(self.terms[0].of)
        return self.terms[0].of if named else "mixture"


@dataclass(frozen=True, kw_only=True)
class Uniform:
    """Independent uniform components on ``[low_k, high_k]``, ``low_k < high_k``."""

    low: Vector
    high: Vector


@dataclass(frozen=True, kw_only=True)
class Normal:
    """Independent normal components with means `mean` and one standard deviation."""

    mean: Vector
    std: Fraction


@dataclass(frozen=True, kw_only=True)
class Constant:
    """A point mass."""

    value: Vector


@dataclass(frozen=True, kw_only=True)
class ProductLaw:
    """Independent C, W and B; C and B are one-dimensional."""

    c: Uniform | Constant
    w: Uniform | Normal | Constant
    b: Uniform | Constant

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.c, self.w, self.b))


@dataclass(frozen=True, kw_only=True)
class Atom:
    """One atom of a joint law: probability `p` of ``(C, W, B) = (c, w, b)``."""

    p: Fraction
    c: Fraction
    w: Vector
    b: Fraction


@dataclass(frozen=True, kw_only=True)
class AtomicLaw:
    """A joint law of (C, W, B) with finitely many atoms; its components may depend."""

    atoms: tuple[Atom, ...]
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Laws key the caches of quadrature rules; hashing thousands of rationals is slow.
        object.__setattr__(self, "_hash", hash(self.atoms))

    def __hash__(self) -> int:
        return self._hash


Law: TypeAlias = ProductLaw | AtomicLaw


@dataclass(frozen=True, kw_only=True)
class Training:
    """Constants of the training: rate, output exponent, clip exponent, horizon (time t = k/N)."""

    alpha: Fraction
    beta: Fraction
    gamma: Fraction
    horizon: Fraction


@dataclass(frozen=True, kw_only=True)
class Instance:
    """A chain, an activation, one unit's initial law, and optionally the training constants."""

    name: str
    chain: Chain
    activation: ActivationSpec
    law: Law
    training: Training | None = None
    origin: str | None = None
    schema: str = field(default=SCHEMA, init=False)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        # Without texts and None, whose hashes differ between processes; see `ActivationSpec`.
        return hash((self.chain, self.activation, self.law, self.training or ()))

    def to_json(self) -> dict[str, Json]:
        """Return the document that `Instance.from_json` reads; numbers are exact texts."""
        document: dict[str, Json] = {"schema": SCHEMA, "name": self.name}
        if self.origin is not None:
            document["origin"] = self.origin
        document["chain"] = _chain_document(self.chain)
        document["activation"] = _activation_document(self.activation)
        document["law"] = _law_document(self.law)
        if self.training is not None:
            document["training"] = {
                key: format_number(getattr(self.training, key))
                for key in ("alpha", "beta", "gamma", "horizon")
            }
        return document

    @staticmethod
    def from_json(document: Mapping[str, Json]) -> Instance:
        """Read a document such as `to_json` returns.

        Raises
        ------
        InvalidInstance
            With the path of the field, the value and what was expected.
        """
        return read_instance(strict_json.loads(json.dumps(document)))

    @staticmethod
    def load(path: Path | str) -> Instance:
        """Read an instance file.

        Raises
        ------
        InvalidInstance
            With the path of the field, the value and what was expected.
        """
        return read_instance(strict_json.load(Path(path)))


def read_instance(node: Node) -> Instance:
    """Read an instance of kind ``instance/1``."""
    top = node.fields(("schema", "name", "chain", "activation", "law"), ("origin", "training"))
    top["schema"].choice((SCHEMA,))
    chain = _read_chain(top["chain"])
    return Instance(
        name=top["name"].string(MAX_NAME),
        origin=top["origin"].string(MAX_ORIGIN) if "origin" in top else None,
        chain=chain,
        activation=_read_activation(top["activation"]),
        law=_read_law(top["law"], chain.dimension),
        training=_read_training(top["training"]) if "training" in top else None,
    )


def _read_chain(node: Node) -> Chain:
    members = node.fields(("transition", "inputs", "targets", "initial"))
    rows = _read_transition(members["transition"])
    n_states = len(rows)
    points = members["inputs"].elements(least=n_states, most=n_states, of="inputs, one a state")
    first = points[0].numbers(least=1, most=MAX_DIMENSION)
    inputs = [first, *(p.numbers(least=len(first), most=len(first)) for p in points[1:])]
    return Chain(
        rows=rows,
        inputs=tuple(inputs),
        targets=members["targets"].numbers(least=n_states, most=n_states),
        initial=members["initial"].integer(0, n_states - 1),
    )


def _read_transition(node: Node) -> tuple[Row, ...]:
    if isinstance(node.value, dict):
        return _read_sparse(node)
    lines = node.elements(least=1, most=MAX_DENSE_STATES, of="rows")
    rows = []
    for line in lines:
        values = line.numbers(least=len(lines), most=len(lines))
        row = tuple((j, value) for j, value in enumerate(values) if value)
        _check_row(line.path, row)
        rows.append(row)
    return tuple(rows)


def _read_sparse(node: Node) -> tuple[Row, ...]:
    members = node.fields(("rows", "entries"))
    n_states = members["rows"].integer(1, MAX_SPARSE_STATES)
    rows: list[dict[int, Fraction]] = [{} for _ in range(n_states)]
    for entry in members["entries"].elements(least=n_states, most=MAX_ENTRIES, of="entries"):
        cells = entry.elements(least=3, most=3, of="values [i, j, p]")
        i, j = (cell.integer(0, n_states - 1) for cell in cells[:2])
        if j in rows[i]:
            entry.fail(f"repeats the entry [{i}, {j}], expected it once")
        rows[i][j] = cells[2].number()
    result = []
    for i, entries in enumerate(rows):
        row = tuple((j, value) for j, value in sorted(entries.items()) if value)
        _check_row(f"{node.path} (row {i})", row)
        result.append(row)
    return tuple(result)


def _check_row(path: str, row: Row) -> None:
    for j, value in row:
        if value < 0:
            raise InvalidInstance(
                f"{path}[{j}]", f"is {format_number(value)}, expected a probability"
            )
    total = sum((value for _, value in row), Fraction(0))
    if total != 1:
        raise InvalidInstance(path, f"row sums to {_shown_sum(total)}, expected 1")


def _shown_sum(total: Fraction) -> str:
    # A sum of many fractions has too many digits to print, or is too large for a double.
    if max(total.numerator, total.denominator) < 10 ** (MAX_NAME // 2):
        return str(total)
    try:
        return f"about {float(total):.17g}"
    except OverflowError:
        return "more than 1e308"


def _read_activation(node: Node) -> ActivationSpec:
    kind = node.member("kind").choice((*FAMILIES, "mixture"))
    if kind != "mixture":
        node.fields(("kind",))
        return ActivationSpec.named(kind)
    terms = []
    for term in node.fields(("kind", "terms"))["terms"].elements(
        least=1, most=MAX_TERMS, of="terms"
    ):
        members = term.fields(("weight", "of"), ("scale", "shift"))
        terms.append(
            Term(
                weight=members["weight"].number(bool, "a number other than 0"),
                scale=(
                    members["scale"].number(bool, "a number other than 0")
                    if "scale" in members
                    else Fraction(1)
                ),
                shift=members["shift"].number() if "shift" in members else Fraction(0),
                of=members["of"].choice(FAMILIES),
            )
        )
    return ActivationSpec(terms=tuple(terms))


def _read_law(node: Node, dimension: int) -> Law:
    if node.has("kind"):
        node.member("kind").choice(("atoms",))
        atoms = node.fields(("kind", "atoms"))["atoms"]
        return _read_atoms(atoms, dimension)
    members = node.fields(("C", "W", "B"))
    c = _read_component(members["C"], None)
    w = _read_component(members["W"], dimension)
    b = _read_component(members["B"], None)
    if isinstance(c, Normal) or isinstance(b, Normal):
        raise AssertionError("a bounded component was read as normal")
    return ProductLaw(c=c, w=w, b=b)


def _read_component(node: Node, dimension: int | None) -> Uniform | Normal | Constant:
    """Read one component; `dimension` None means a bounded number, not a vector."""
    kinds = ("uniform", "constant") if dimension is None else ("uniform", "normal", "constant")
    kind = node.member("kind").choice(kinds)

    def values(member: Node) -> Vector:
        if dimension is None:
            return (member.number(),)
        return member.numbers(least=dimension, most=dimension)

    if kind == "constant":
        return Constant(value=values(node.fields(("kind", "value"))["value"]))
    if kind == "normal":
        members = node.fields(("kind", "mean", "std"))
        return Normal(
            mean=values(members["mean"]),
            std=members["std"].number(lambda x: x > 0, "a positive number (or kind constant)"),
        )
    members = node.fields(("kind", "low", "high"))
    low, high = values(members["low"]), values(members["high"])
    for k, (below, above) in enumerate(zip(low, high, strict=True)):
        if below >= above:
            where = members["high"].path + ("" if dimension is None else f"[{k}]")
            raise InvalidInstance(
                where,
                f"is {format_number(above)}, expected more than low = {format_number(below)}",
            )
    return Uniform(low=low, high=high)


def _read_atoms(node: Node, dimension: int) -> AtomicLaw:
    atoms = []
    for item in node.elements(least=1, most=MAX_ATOMS, of="atoms"):
        members = item.fields(("p", "C", "W", "B"))
        atoms.append(
            Atom(
                p=members["p"].number(lambda x: 0 < x <= 1, "a probability above 0"),
                c=members["C"].number(),
                w=members["W"].numbers(least=dimension, most=dimension),
                b=members["B"].number(),
            )
        )
    total = sum((atom.p for atom in atoms), Fraction(0))
    if total != 1:
        node.fail(f"probabilities sum to {_shown_sum(total)}, expected 1")
    return AtomicLaw(atoms=tuple(atoms))


def _read_training(node: Node) -> Training:
    members = node.fields(("alpha", "beta", "gamma", "horizon"))
    beta = members["beta"].number(
        lambda x: Fraction(1, 2) < x < 1, "a number strictly between 1/2 and 1"
    )
    room = format_number(1 - beta)
    return Training(
        alpha=members["alpha"].number(lambda x: x > 0, "a positive number"),
        beta=beta,
        gamma=members["gamma"].number(
            lambda x: 0 < x < 1 - beta, f"a number strictly between 0 and 1 - beta = {room}"
        ),
        horizon=members["horizon"].number(lambda x: x > 0, "a positive number"),
    )


def _texts(values: Vector) -> list[Json]:
    return [format_number(value) for value in values]


def _chain_document(chain: Chain) -> dict[str, Json]:
    transition: Json
    if chain.n_states <= MAX_DENSE_STATES and 2 * sum(map(len, chain.rows)) >= chain.n_states**2:
        dense = [dict(row) for row in chain.rows]
        transition = [
            [format_number(row.get(j, Fraction(0))) for j in range(chain.n_states)] for row in dense
        ]
    else:
        transition = {
            "rows": chain.n_states,
            "entries": [
                [i, j, format_number(p)] for i, row in enumerate(chain.rows) for j, p in row
            ],
        }
    return {
        "transition": transition,
        "inputs": [_texts(point) for point in chain.inputs],
        "targets": _texts(chain.targets),
        "initial": chain.initial,
    }


def _activation_document(spec: ActivationSpec) -> dict[str, Json]:
    if spec.label != "mixture":
        return {"kind": spec.label}
    return {
        "kind": "mixture",
        "terms": [
            {
                "weight": format_number(term.weight),
                "scale": format_number(term.scale),
                "shift": format_number(term.shift),
                "of": term.of,
            }
            for term in spec.terms
        ],
    }


def _law_document(law: Law) -> dict[str, Json]:
    if isinstance(law, AtomicLaw):
        return {
            "kind": "atoms",
            "atoms": [
                {
                    "p": format_number(atom.p),
                    "C": format_number(atom.c),
                    "W": _texts(atom.w),
                    "B": format_number(atom.b),
                }
                for atom in law.atoms
            ],
        }
    return {
        "C": _component_document(law.c, scalar=True),
        "W": _component_document(law.w, scalar=False),
        "B": _component_document(law.b, scalar=True),
    }


def _component_document(component: Uniform | Normal | Constant, *, scalar: bool) -> dict[str, Json]:
    def texts(values: Vector) -> Json:
        return format_number(values[0]) if scalar else _texts(values)

    if isinstance(component, Constant):
        return {"kind": "constant", "value": texts(component.value)}
    if isinstance(component, Normal):
        std = format_number(component.std)
        return {"kind": "normal", "mean": texts(component.mean), "std": std}
    return {"kind": "uniform", "low": texts(component.low), "high": texts(component.high)}
