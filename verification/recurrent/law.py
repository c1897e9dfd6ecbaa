"""Initial laws of one hidden unit: exact moments, and expectations of functions of W.x.

Everything that a claim of the first family needs of the law of (C, W, B) is the joint law of the
projection ``U = W.x`` and of the conditional mean ``E[B | W]``, which `projection` returns as a
quadrature rule with a proved error, and a few exact moments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from verification.enclosure.balls import Ball, ball, working_precision
from verification.enclosure.quadrature import (
    Rule,
    normal_rule,
    point_rule,
    uniform_sum_rule,
)
from verification.instance import (
    AtomicLaw,
    Constant,
    Law,
    Normal,
    ProductLaw,
    Uniform,
    Vector,
)


@dataclass(frozen=True, kw_only=True)
class Projection:
    """The joint law of ``W.x`` and ``E[B | W]``.

    Parameters
    ----------
    rule : Rule
        Quadrature for functions of ``W.x``; exact for a law with atoms.
    conditional_means : tuple of Ball
        ``E[B | W]`` at each node.
    memory_rule : Rule
        The same nodes with the weights and errors of ``E[B F(W.x)]``.
    """

    rule: Rule
    conditional_means: tuple[Ball, ...]
    memory_rule: Rule

    def mean_of_pairs(
        self, function: Callable[[Ball, Ball], Ball], strip_bound: Ball, real_bound: Ball
    ) -> Ball:
        """Enclose ``E F(W.x, E[B | W])``; the bounds are those of ``F(., E[B | W])``."""
        result = self.rule.error(strip_bound, real_bound)
        for node, weight, mean in zip(
            self.rule.nodes, self.rule.weights, self.conditional_means, strict=True
        ):
            result = result + weight * function(node, mean)
        return result


def projection(law: Law, point: Vector, strip: Fraction) -> Projection:
    """Return the law of ``W.x`` for functions that are analytic on a strip.

    Parameters
    ----------
    law : ProductLaw or AtomicLaw
    point : tuple of Fraction, shape (dimension,)
        The input x.
    strip : Fraction
        Half-width of a strip in which the functions to be integrated are analytic.
    """
    return _projection(law, point, strip, working_precision())


@lru_cache(maxsize=128)  # of up to 50,000 nodes each
def _projection(law: Law, point: Vector, strip: Fraction, _bits: int) -> Projection:
    if isinstance(law, AtomicLaw):
        units = conditional_atoms(law)
        rule = point_rule([dot(unit.w, point) for unit in units], [unit.p for unit in units], strip)
        means = tuple(ball(unit.b) for unit in units)
        return Projection(
            rule=rule,
            conditional_means=means,
            memory_rule=point_rule(
                [dot(unit.w, point) for unit in units], [unit.p * unit.b for unit in units], strip
            ),
        )
    rule = _product_rule(law.w, point, strip)
    mean = ball(mean_b(law))
    return Projection(
        rule=rule,
        conditional_means=(mean,) * len(rule.nodes),
        memory_rule=Rule(
            nodes=rule.nodes,
            weights=tuple(mean * weight for weight in rule.weights),
            strip=strip,
            analytic_error=abs(mean) * rule.analytic_error,
            real_error=abs(mean) * rule.real_error,
        ),
    )


def _product_rule(law: Uniform | Normal | Constant, point: Vector, strip: Fraction) -> Rule:
    if isinstance(law, Constant):
        return point_rule([dot(law.value, point)], [Fraction(1)], strip)
    if isinstance(law, Normal):
        mean = dot(law.mean, point)
        square = dot(point, point)
        if not square:
            return point_rule([mean], [Fraction(1)], strip)
        return normal_rule(ball(mean), ball(law.std) * ball(square).sqrt(), strip)
    ends = [
        sorted((low * x, high * x))
        for low, high, x in zip(law.low, law.high, point, strict=True)
        if x
    ]
    if not ends:
        return point_rule([Fraction(0)], [Fraction(1)], strip)
    return uniform_sum_rule([(low, high) for low, high in ends], strip)


@dataclass(frozen=True, kw_only=True)
class ConditionalAtom:
    """A value w of W with its probability and ``E[B | W = w]``."""

    w: Vector
    p: Fraction
    b: Fraction


@lru_cache(maxsize=256)
def conditional_atoms(law: AtomicLaw) -> tuple[ConditionalAtom, ...]:
    """Return the distinct values of W with their probabilities and conditional means of B."""
    probability: dict[Vector, Fraction] = {}
    moment: dict[Vector, Fraction] = {}
    for atom in law.atoms:
        probability[atom.w] = probability.get(atom.w, Fraction(0)) + atom.p
        moment[atom.w] = moment.get(atom.w, Fraction(0)) + atom.p * atom.b
    return tuple(ConditionalAtom(w=w, p=p, b=moment[w] / p) for w, p in probability.items())


def dot(first: Vector, second: Vector) -> Fraction:
    """Return the exact inner product of two vectors."""
    return sum((a * b for a, b in zip(first, second, strict=True)), Fraction(0))


def mean_b(law: Law) -> Fraction:
    """Return E[B]."""
    if isinstance(law, AtomicLaw):
        return sum((atom.p * atom.b for atom in law.atoms), Fraction(0))
    return _scalar_moment(law.b, lambda low, high: (low + high) / 2)


def mean_absolute_b(law: Law) -> Fraction:
    """Return E|B|."""
    if isinstance(law, AtomicLaw):
        return sum((atom.p * abs(atom.b) for atom in law.atoms), Fraction(0))

    def absolute(low: Fraction, high: Fraction) -> Fraction:
        if low >= 0 or high <= 0:
            return abs(low + high) / 2
        return (low**2 + high**2) / (2 * (high - low))

    return _scalar_moment(law.b, absolute)


def mean_square_b(law: Law) -> Fraction:
    """Return E[B^2]."""
    if isinstance(law, AtomicLaw):
        return sum((atom.p * atom.b**2 for atom in law.atoms), Fraction(0))
    return _scalar_moment(law.b, lambda low, high: (low * low + low * high + high * high) / 3)


def bound_b(law: Law) -> Fraction:
    """Return the largest possible |B|."""
    if isinstance(law, AtomicLaw):
        return max(abs(atom.b) for atom in law.atoms)
    return _scalar_moment(law.b, lambda low, high: max(abs(low), abs(high)))


def bound_c(law: Law) -> Fraction:
    """Return the largest possible |C|."""
    if isinstance(law, AtomicLaw):
        return max(abs(atom.c) for atom in law.atoms)
    return _scalar_moment(law.c, lambda low, high: max(abs(low), abs(high)))


def conditional_means_of_c(law: AtomicLaw) -> dict[Vector, Fraction]:
    """Return ``E[C | W = w]`` for each distinct value w of W."""
    masses: dict[Vector, tuple[Fraction, Fraction]] = {}
    for atom in law.atoms:
        mass, moment = masses.get(atom.w, (Fraction(0), Fraction(0)))
        masses[atom.w] = mass + atom.p, moment + atom.p * atom.c
    return {w: moment / mass for w, (mass, moment) in masses.items()}


def moment_of_c(law: Law, order: int) -> Fraction:
    """Return ``E[C^order]``."""
    if isinstance(law, AtomicLaw):
        return sum((atom.p * atom.c**order for atom in law.atoms), Fraction(0))
    if isinstance(law.c, Constant):
        return Fraction(law.c.value[0] ** order)
    low, high = law.c.low[0], law.c.high[0]
    return Fraction((high ** (order + 1) - low ** (order + 1)) / ((order + 1) * (high - low)))


def mean_absolute_c(law: Law, order: int) -> Fraction:
    """Return ``E|C|^order``."""
    if isinstance(law, AtomicLaw):
        return sum((atom.p * abs(atom.c) ** order for atom in law.atoms), Fraction(0))

    def absolute(low: Fraction, high: Fraction) -> Fraction:
        if low == high:
            return Fraction(abs(low) ** order)
        # The integral of |c|^order from 0 on, an odd function.
        ends = [c * abs(c) ** order / (order + 1) for c in (low, high)]
        return (ends[1] - ends[0]) / (high - low)

    return _scalar_moment(law.c, absolute)


def has_centred_c(law: Law) -> bool:
    """Tell whether ``E[C | W] = 0``, exactly."""
    if isinstance(law, AtomicLaw):
        return not any(conditional_means_of_c(law).values())
    return moment_of_c(law, 1) == 0


def has_no_odd_moments_of_c(law: Law) -> bool:
    """Tell whether ``E[C | W, B] = E[C^3 | W, B] = 0``, exactly."""
    if not isinstance(law, AtomicLaw):
        return not moment_of_c(law, 1) and not moment_of_c(law, 3)
    moments: dict[tuple[Vector, Fraction], tuple[Fraction, Fraction]] = {}
    for atom in law.atoms:
        first, third = moments.get((atom.w, atom.b), (Fraction(0), Fraction(0)))
        moments[atom.w, atom.b] = first + atom.p * atom.c, third + atom.p * atom.c**3
    return not any(first or third for first, third in moments.values())


def mean_square_of_w(law: Law, k: int, *, with_c: bool = False) -> Fraction:
    """Return ``E[W_k^2]``, or ``E[C^2 W_k^2]``."""
    if isinstance(law, AtomicLaw):
        return sum(
            (atom.p * atom.w[k] ** 2 * (atom.c**2 if with_c else 1) for atom in law.atoms),
            Fraction(0),
        )
    factor = moment_of_c(law, 2) if with_c else Fraction(1)
    if isinstance(law.w, Constant):
        return factor * law.w.value[k] ** 2
    if isinstance(law.w, Normal):
        return factor * (law.w.mean[k] ** 2 + law.w.std**2)
    low, high = law.w.low[k], law.w.high[k]
    return factor * (low * low + low * high + high * high) / 3


@lru_cache(maxsize=256)
def has_free_square_of_c(law: Law) -> bool:
    """Tell whether ``E[C^2 F(W)] = E[C^2] E[F(W)]`` for every F, exactly."""
    if not isinstance(law, AtomicLaw):
        return True
    mean = moment_of_c(law, 2)
    return all(square == mean * mass for mass, square in masses_of_w(law).values())


def masses_of_w(law: AtomicLaw) -> dict[Vector, tuple[Fraction, Fraction]]:
    """Return for each distinct value w of W ``P(W = w)`` and ``E[C^2; W = w]``."""
    masses: dict[Vector, tuple[Fraction, Fraction]] = {}
    for atom in law.atoms:
        mass, square_mass = masses.get(atom.w, (Fraction(0), Fraction(0)))
        masses[atom.w] = mass + atom.p, square_mass + atom.p * atom.c * atom.c
    return masses


def mean_square_of_conditional_b(law: Law) -> Fraction:
    """Return E[E[B | W]^2]."""
    if isinstance(law, AtomicLaw):
        return sum((unit.p * unit.b**2 for unit in conditional_atoms(law)), Fraction(0))
    return mean_b(law) ** 2


def mean_absolute_conditional_b(law: Law) -> Fraction:
    """Return E|E[B | W]|."""
    if isinstance(law, AtomicLaw):
        return sum((unit.p * abs(unit.b) for unit in conditional_atoms(law)), Fraction(0))
    return abs(mean_b(law))


def _scalar_moment(
    law: Uniform | Constant, moment: Callable[[Fraction, Fraction], Fraction]
) -> Fraction:
    if isinstance(law, Constant):
        return moment(law.value[0], law.value[0])
    return moment(law.low[0], law.high[0])


def centre_of_w(law: ProductLaw) -> Vector:
    """Return the point about which W is symmetric."""
    if isinstance(law.w, Constant):
        return law.w.value
    if isinstance(law.w, Normal):
        return law.w.mean
    return tuple((low + high) / 2 for low, high in zip(law.w.low, law.w.high, strict=True))
