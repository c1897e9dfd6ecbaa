"""The instance in a certificate, read by code of its own.

A Markov chain whose states have inputs and targets, an activation, the initial law of one unit
(C, W, B), perhaps the constants of a training.  What no formula of the checker uses is read all the
same: a certificate whose instance is not well formed is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise

from verification.certificate.check.numbers.lattices import work_of_sum
from verification.certificate.check.outcome import Budget
from verification.certificate.check.reading import Node

SCHEMA = "instance/1"
FAMILIES = ("tanh", "logistic", "erf", "arctan", "sin")
MAX_STATES = 400
MAX_DIMENSION = 64
MAX_ATOMS = 4_096
MAX_TERMS = 64
_PRODUCTS = 4

Vector = tuple[Fraction, ...]


@dataclass(frozen=True)
class Term:
    """A term ``weight f(scale t + shift)`` of the activation, f of a family."""

    weight: Fraction
    scale: Fraction
    shift: Fraction
    family: str


@dataclass(frozen=True)
class Spread:
    """A law with independent components, one parameter pair each.

    ``uniform``: from `first` to `second`; ``normal``: mean `first`, deviation `second`;
    ``constant``: `first`.
    """

    kind: str
    first: Vector
    second: Vector


@dataclass(frozen=True)
class Atom:
    """A value (C, W, B) of a joint law with its probability."""

    p: Fraction
    c: Fraction
    w: Vector
    b: Fraction


@dataclass(frozen=True)
class Law:
    """Independent C, W and B, or atoms of their joint law (then the three are absent)."""

    c: Spread | None
    w: Spread | None
    b: Spread | None
    atoms: tuple[Atom, ...]


@dataclass(frozen=True)
class Training:
    """Rate, output exponent, clip exponent and horizon of a training."""

    alpha: Fraction
    beta: Fraction
    gamma: Fraction
    horizon: Fraction


@dataclass(frozen=True)
class Instance:
    """What a certificate is about."""

    name: str
    rows: tuple[tuple[tuple[int, Fraction], ...], ...]
    inputs: tuple[Vector, ...]
    targets: Vector
    initial: int
    activation: tuple[Term, ...]
    law: Law
    training: Training | None = None

    @property
    def size(self) -> int:
        """Number of states."""
        return len(self.rows)

    @cached_property
    def squared_radius(self) -> Fraction:
        """The largest ``|x|^2``."""
        return max(sum((x * x for x in point), Fraction(0)) for point in self.inputs)


def first_states(instance: Instance) -> list[int]:
    """Return for each input the first state with it."""
    found = {point: i for i, point in reversed(list(enumerate(instance.inputs)))}
    return sorted(found.values())


def read_state_of_input(node: Node, instance: Instance) -> int:
    """Read a state in the place of its input: the first with this input."""
    state = node.integer(0, instance.size - 1)
    if instance.inputs.index(instance.inputs[state]) != state:
        node.refuse("the first state with its input")
    return state


def require_steps(node: Node, path: Sequence[int], instance: Instance) -> None:
    """Show that the chain takes the steps of a path."""
    possible = [dict(row) for row in instance.rows]
    if any(j not in possible[i] for i, j in pairwise(path)):
        node.invalid("takes a step of probability 0")


def read_instance(node: Node, budget: Budget) -> Instance:
    """Read an instance.

    Raises
    ------
    Refused
        Where it is malformed or too large.
    Invalid
        Where its probabilities are not.
    """
    top = node.fields(("schema", "name", "chain", "activation", "law"), ("origin", "training"))
    top["schema"].choice(SCHEMA)
    if "origin" in top:
        top["origin"].text(2_000)
    chain = top["chain"].fields(("transition", "inputs", "targets", "initial"))
    rows = _read_rows(chain["transition"], budget)
    size = len(rows)
    points = chain["inputs"].elements(size, size)
    dimension = len(points[0].elements(1, MAX_DIMENSION))
    return Instance(
        name=top["name"].text(120),
        rows=rows,
        inputs=tuple(_read_vector(point, dimension, budget) for point in points),
        targets=chain["targets"].numbers(size),
        initial=chain["initial"].integer(0, size - 1),
        activation=_read_activation(top["activation"]),
        law=_read_law(top["law"], dimension, budget),
        training=_read_training(top["training"]) if "training" in top else None,
    )


def _read_rows(node: Node, budget: Budget) -> tuple[tuple[tuple[int, Fraction], ...], ...]:
    if node.has("rows"):
        members = node.fields(("rows", "entries"))
        size = members["rows"].integer(1, MAX_STATES)
        entries: list[dict[int, Fraction]] = [{} for _ in range(size)]
        for item in members["entries"].elements(size, size * size):
            cells = item.elements(3, 3)
            i, j = (cell.integer(0, size - 1) for cell in cells[:2])
            if j in entries[i]:
                item.refuse("every entry once")
            entries[i][j] = cells[2].number()
    else:
        lines = node.elements(1, MAX_STATES)
        size = len(lines)
        entries = [dict(enumerate(line.numbers(size))) for line in lines]
    budget.spend(10 * size * size)
    for i, row in enumerate(entries):
        budget.spend(work_of_sum(row.values()))
        if min(row.values(), default=-1) < 0 or sum(row.values()) != 1:
            node.invalid(f"row {i} holds no probabilities that sum to 1")
    return tuple(tuple((j, p) for j, p in sorted(row.items()) if p) for row in entries)


def _read_vector(node: Node, dimension: int, budget: Budget) -> Vector:
    """Read a vector of which inner products are taken."""
    found = node.numbers(dimension)
    budget.spend(_PRODUCTS * work_of_sum(found))
    return found


def _read_activation(node: Node) -> tuple[Term, ...]:
    kind = node.member("kind").choice(*FAMILIES, "mixture")
    one, zero = Fraction(1), Fraction(0)
    if kind != "mixture":
        node.fields(("kind",))
        return (Term(one, one, zero, kind),)
    terms = []
    for item in node.fields(("kind", "terms"))["terms"].elements(1, MAX_TERMS):
        members = item.fields(("weight", "of"), ("scale", "shift"))
        weight = members["weight"].number()
        scale = members["scale"].number() if "scale" in members else one
        shift = members["shift"].number() if "shift" in members else zero
        if not weight or not scale:
            item.refuse("a weight and a scale other than 0")
        terms.append(Term(weight, scale, shift, members["of"].choice(*FAMILIES)))
    return tuple(terms)


def _read_law(node: Node, dimension: int, budget: Budget) -> Law:
    if node.has("kind"):
        members = node.fields(("kind", "atoms"))
        members["kind"].choice("atoms")
        return read_atoms(members["atoms"], MAX_ATOMS, dimension, budget)
    parts = node.fields(("C", "W", "B"))
    return Law(
        _read_spread(parts["C"], None, ("uniform", "constant")),
        _charged(_read_spread(parts["W"], dimension, ("uniform", "normal", "constant")), budget),
        _read_spread(parts["B"], None, ("uniform", "constant")),
        (),
    )


def read_atoms(node: Node, most: int, dimension: int, budget: Budget) -> Law:
    """Read a law of atoms, so many at most.

    Raises
    ------
    Invalid
        Where their probabilities are not.
    """
    atoms = []
    for item in node.elements(1, most):
        parts = item.fields(("p", "C", "W", "B"))
        p, c, b = (parts[key].number() for key in ("p", "C", "B"))
        atoms.append(Atom(p, c, _read_vector(parts["W"], dimension, budget), b))
    budget.spend(_PRODUCTS * work_of_sum([x for atom in atoms for x in (atom.p, atom.c, atom.b)]))
    if any(atom.p <= 0 for atom in atoms) or sum(atom.p for atom in atoms) != 1:
        node.invalid("the atoms' probabilities are not positive or do not sum to 1")
    return Law(None, None, None, tuple(atoms))


def _charged(spread: Spread, budget: Budget) -> Spread:
    """Charge for the inner products with the vectors of a law of W."""
    for vector in (spread.first, spread.second):
        budget.spend(_PRODUCTS * work_of_sum(vector))
    return spread


def _read_spread(node: Node, dimension: int | None, kinds: tuple[str, ...]) -> Spread:
    def vector(member: Node) -> Vector:
        return (member.number(),) if dimension is None else member.numbers(dimension)

    kind = node.member("kind").choice(*kinds)
    if kind == "constant":
        return Spread(kind, vector(node.fields(("kind", "value"))["value"]), ())
    if kind == "normal":
        members = node.fields(("kind", "mean", "std"))
        deviation = members["std"].number()
        if deviation <= 0:
            members["std"].refuse("a positive number")
        return Spread(kind, vector(members["mean"]), (deviation,))
    members = node.fields(("kind", "low", "high"))
    low, high = vector(members["low"]), vector(members["high"])
    if any(a >= b for a, b in zip(low, high, strict=True)):
        node.refuse("low below high")
    return Spread(kind, low, high)


def _read_training(node: Node) -> Training:
    members = node.fields(("alpha", "beta", "gamma", "horizon"))
    found = Training(**{key: member.number() for key, member in members.items()})
    if not Fraction(1, 2) < found.beta < 1 or not 0 < found.gamma < 1 - found.beta:
        node.refuse("1/2 < beta < 1 and 0 < gamma < 1 - beta")
    if found.alpha <= 0 or found.horizon <= 0:
        node.refuse("a positive rate and horizon")
    return found
