"""The memory map ``Phi(x, v) = E[B sigma(W.x + v)]`` in balls, by rules of the checker's own.

Atoms and constants: the sum.  Normal W: a rule of `verification.certificate.check.recurrent.rules`.
Uniform W: W.x is a sum of independent uniform numbers, the widest of them between a and b.  With
``S' = sigma`` its mean is exact: what is left is the mean of ``(S(b + y + v) - S(a + y + v)) / (b -
a)``, y the sum of the others, by a rule.  On a strip that has the bounds of sigma, as it is a mean
of sigma along the reals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from verification.certificate.check.instances import Instance, Spread, Vector
from verification.certificate.check.numbers.balls import (
    Ball,
    around,
    ball,
    lower,
    total,
    upper,
    working_precision,
)
from verification.certificate.check.numbers.bounds import Bounds
from verification.certificate.check.numbers.lattices import work_of_sum
from verification.certificate.check.outcome import Budget, Invalid, Unsupported, require
from verification.certificate.check.recurrent.activations import (
    antiderivative,
    constant,
    strip_constant,
    weighted_derivatives,
)
from verification.certificate.check.recurrent.rules import (
    NormalRule,
    normal_rule,
    sum_rule,
    uniform_parts,
)

_HALVINGS = 48


def mean_absolute_b(instance: Instance) -> Fraction:
    """Return ``E|B|``."""
    law = instance.law
    if law.b is None:
        return sum((atom.p * abs(atom.b) for atom in law.atoms), Fraction(0))
    if law.b.kind == "constant":
        return abs(law.b.first[0])
    low, high = law.b.first[0], law.b.second[0]
    if low >= 0 or high <= 0:
        return abs(low + high) / 2
    return (low * low + high * high) / (2 * (high - low))


def mean_b(spread: Spread) -> Fraction:
    """Return E B of an independent B."""
    if spread.kind == "constant":
        return spread.first[0]
    return (spread.first[0] + spread.second[0]) / 2


def require_contraction(instance: Instance) -> None:
    """Show that ``q = s1 E|B| < 1``, of an instance whose memories are not asked for.

    Raises
    ------
    Invalid
        Where that is not shown.
    """
    _require_contraction(constant(instance.activation, 1) * ball(mean_absolute_b(instance)))


def _require_contraction(factor: Ball) -> None:
    require(upper(factor) < 1, "q = s1 E|B| < 1")


@dataclass(frozen=True)
class _Rule:
    """``E[B g(W.x)] = sum of weight g(node)``, up to an error that depends on g's order."""

    nodes: tuple[tuple[Ball, Ball], ...]
    errors: tuple[Ball, ...]


class Memory:
    """The memory map of an instance, at the working precision.

    Raises
    ------
    Unsupported
        Where W is uniform in so many directions that there is no rule.
    Invalid
        Where ``q = s1 E|B| < 1`` is not shown.
    """

    def __init__(self, instance: Instance, budget: Budget) -> None:
        self.instance = instance
        self.budget = budget
        self.fixed_points: set[tuple[tuple[int, ...], str]] = set()
        """Words, with their fixed points as texts, that were verified."""
        self.layers: dict[tuple[Vector, int, bool], object] = {}
        """Rules for norms of functions of the weight, by input, precision and norm."""
        self.speed: Bounds | None = None
        """The supremum in M3, once it is found."""
        self._remembered: dict[tuple[tuple[int, ...], int], Ball] = {}
        self._rules: dict[tuple[Vector, int], _Rule] = {}
        self._exact: dict[Vector, list[Fraction]] = {}
        self._mean_absolute_b = mean_absolute_b(instance)
        self._seen: dict[Vector, object] = {}
        weights = instance.law.w
        if weights is not None and weights.kind == "uniform":
            for point in set(instance.inputs):
                uniform_parts(weights, point)
        _require_contraction(self.contraction_factor())

    def contraction_factor(self) -> Ball:
        """Return ``q = s1 E|B|``."""
        return constant(self.instance.activation, 1) * ball(self._mean_absolute_b)

    def bound(self) -> Ball:
        """Return ``vbar = s0 E|B|``."""
        return constant(self.instance.activation, 0) * ball(self._mean_absolute_b)

    def image(self, point: Vector, memory: Ball, order: int = 0) -> Ball:
        """Enclose ``E[B sigma^(k)(W.x + v)]``, k = 0, 1, 2, for every v in a ball."""
        terms, law = self.instance.activation, self.instance.law
        if law.w is not None and law.w.kind == "uniform" and any(point):
            return self._uniform(point, memory, order)
        rule = self._rule(point)
        self.budget.spend(20 * len(rule.nodes) * len(terms), working_precision())
        value = weighted_derivatives(terms, order, rule.nodes, memory)
        return around(value, rule.errors[order])

    def is_same_map(self, one: Vector, other: Vector) -> bool:
        """Tell whether two inputs have the same map, by the law of W.x and ``E[B | W.x]``."""
        for point in (one, other):
            if point not in self._seen:
                self._seen[point] = self._law_of_projection(point)
        self.budget.spend(4 * len(self.instance.law.atoms))
        return self._seen[one] == self._seen[other]

    def _law_of_projection(self, point: Vector) -> object:
        law = self.instance.law
        if law.w is None or law.b is None:
            means: dict[Fraction, Fraction] = {}
            places = self._projections([atom.w for atom in law.atoms], point)
            self.budget.spend(2 * work_of_sum([x for atom in law.atoms for x in (atom.p, atom.b)]))
            for place, atom in zip(places, law.atoms, strict=True):
                means[place] = means.get(place, Fraction(0)) + atom.p * atom.b
            return {place: mean for place, mean in means.items() if mean}
        if not mean_b(law.b):
            return None
        if law.w.kind == "constant" or not any(point):
            return self._projections([law.w.first], point)
        if law.w.kind == "uniform":
            return sorted(sorted(part) for part in uniform_parts(law.w, point))
        return self._projections([law.w.first, point], point)

    def iterate(self, word: Sequence[int], memory: Ball) -> Ball:
        """Enclose the memory after the inputs of a word."""
        for state in word:
            memory = self.image(self.instance.inputs[state], memory)
        return memory

    def remembered(self, past: tuple[int, ...]) -> Ball:
        """Enclose the memory after a past, whatever came before: any start in ``[-vbar, vbar]``.

        An interval is followed, by its image under the map and by the mean value theorem, each of
        which is the better one at times.
        """
        key = past, working_precision()
        if key not in self._remembered:
            memory, q = around(ball(0), self.bound()), self.contraction_factor()
            for state in past:
                point = self.instance.inputs[state]
                slope = abs(self.image(point, memory, 1))
                shrinking = slope.min(q) if slope.is_finite() else q
                there = around(self.image(point, memory.mid()), memory.rad() * shrinking)
                whole = self.image(point, memory)
                memory = there.intersection(whole) if whole.is_finite() else there
            self._remembered[key] = memory
        return self._remembered[key]

    def _uniform(self, point: Vector, memory: Ball, order: int) -> Ball:
        terms, law = self.instance.activation, self.instance.law
        if law.w is None or law.b is None:
            raise Unsupported("a law of this kind")
        widest, *others = uniform_parts(law.w, point)
        rule = self._rule(point, others)
        self.budget.spend(40 * len(rule.nodes) * len(terms), working_precision())
        low, high = (ball(end) + memory for end in widest)
        if order:
            rise = weighted_derivatives(terms, order - 1, rule.nodes, high)
            rise = rise - weighted_derivatives(terms, order - 1, rule.nodes, low)
        else:
            rise = total(
                [
                    weight * (antiderivative(terms, high + y) - antiderivative(terms, low + y))
                    for y, weight in rule.nodes
                ]
            )
        return around(rise / ball(widest[1] - widest[0]), rule.errors[order])

    def _rule(self, point: Vector, others: Sequence[tuple[Fraction, Fraction]] = ()) -> _Rule:
        key = point, working_precision()
        if key not in self._rules:
            self._rules[key] = self._made_rule(point, others)
        return self._rules[key]

    def _made_rule(self, point: Vector, others: Sequence[tuple[Fraction, Fraction]]) -> _Rule:
        law, terms = self.instance.law, self.instance.activation
        nothing = (ball(0),) * 3
        if law.w is None or law.b is None:
            places = self._projections([atom.w for atom in law.atoms], point)
            nodes = [
                (ball(place), ball(atom.p * atom.b))
                for place, atom in zip(places, law.atoms, strict=True)
            ]
            return _Rule(tuple(nodes), nothing)
        mean = ball(mean_b(law.b))
        if law.w.kind == "constant" or not any(point):
            (centre,) = self._projections([law.w.first], point)
            return _Rule(((ball(centre), mean),), nothing)
        if law.w.kind == "uniform":
            return self._weighted(mean, sum_rule(terms, others, self.budget))
        middle, square = map(ball, self._projections([law.w.first, point], point))
        deviation = ball(law.w.second[0]) * square.sqrt()
        return self._weighted(mean, normal_rule(terms, middle, deviation, self.budget))

    def _projections(self, vectors: Sequence[Vector], point: Vector) -> list[Fraction]:
        """Return inner products with an input, which are the same at every precision."""
        if point not in self._exact:
            self._exact[point] = projections(vectors, point, self.budget)
        return self._exact[point]

    def _weighted(self, mean: Ball, rule: NormalRule) -> _Rule:
        terms, errors = self.instance.activation, []
        for order in range(3):
            height = strip_constant(terms, order, rule.strip)
            error = rule.analytic * height + constant(terms, order) * rule.left_out
            errors.append(abs(mean) * error)
        return _Rule(tuple((node, mean * weight) for node, weight in rule.nodes), tuple(errors))


def dot(first: Vector, second: Vector) -> Fraction:
    """Return the inner product of two vectors."""
    return sum((a * b for a, b in zip(first, second, strict=True)), Fraction(0))


def projections(vectors: Iterable[Vector], point: Vector, budget: Budget) -> list[Fraction]:
    """Return the inner products of vectors with a point: exact, and charged by their digits."""
    found = []
    for vector in vectors:
        budget.spend(work_of_sum((*vector, *point)))
        found.append(dot(vector, point))
    return found


def largest_slope(memory: Memory, claimed: Bounds, ceiling: Fraction) -> Bounds:
    """Show that ``max_i sup_{|v| <= vbar} |E[B sigma'(W.x_i + v)]|`` is within the bounds stated.

    Cells are halved until the value at the middle and the bound of the derivative keep each below
    the upper bound stated, and below `ceiling`, and one reaches the lower bound.
    """
    reach, highest = upper(memory.bound()), min(claimed.upper, ceiling)
    anywhere = constant(memory.instance.activation, 2) * ball(mean_absolute_b(memory.instance))
    least = Fraction(0)
    for point in dict.fromkeys(memory.instance.inputs):
        cells = [(-reach, reach)]
        while cells:
            low, high = cells.pop()
            centre = (low + high) / 2
            middle, half = ball(centre), ball((high - low) / 2)
            value = abs(memory.image(point, middle, 1))
            least = max(least, lower(value))
            most = upper(value + anywhere * half)
            if most > claimed.lower:
                turning = abs(memory.image(point, around(middle, half), 2))
                # On wide cells a quotient may not be enclosed at all.
                turning = turning.min(anywhere) if turning.is_finite() else anywhere
                most = upper(value + turning * half)
            if most > highest or least < claimed.lower < most:
                if (high - low) * 2**_HALVINGS < reach:
                    raise Invalid("not shown that the supremum is as stated, and at most q")
                cells += [(low, centre), (centre, high)]
    return Bounds(least, max(highest, least))
