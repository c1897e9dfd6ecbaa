"""What the initial law says of one unit: its largest weights, moments, and which units occur."""

from __future__ import annotations

from fractions import Fraction

from verification.certificate.check.instances import Instance, Law, Spread, Vector
from verification.certificate.check.numbers.balls import Ball, ball, upper
from verification.certificate.check.numbers.lattices import work_of_sum
from verification.certificate.check.outcome import Budget, require
from verification.certificate.check.recurrent.activations import constant


def largest_output_weight(instance: Instance) -> Fraction:
    """Return cbar, the largest ``|C|``."""
    law = instance.law
    return max(abs(atom.c) for atom in law.atoms) if law.c is None else _largest(law.c)


def largest_feedback_weight(instance: Instance) -> Fraction:
    """Return bbar, the largest ``|B|``."""
    law = instance.law
    return max(abs(atom.b) for atom in law.atoms) if law.b is None else _largest(law.b)


def unit_contraction(instance: Instance) -> Ball:
    """Enclose ``qbar = s1 bbar``, at the working precision."""
    return constant(instance.activation, 1) * ball(largest_feedback_weight(instance))


def require_unit_contraction(instance: Instance) -> None:
    """Show that ``qbar < 1``.

    Raises
    ------
    Invalid
        Where that is not shown.
    """
    require(upper(unit_contraction(instance)) < 1, "qbar = s1 bbar < 1")


def _largest(spread: Spread) -> Fraction:
    return max(map(abs, spread.first + spread.second))


def occurs(law: Law, c: Fraction, w: Vector, b: Fraction) -> bool:
    """Tell whether a unit is in the support of its law."""
    if law.c is None or law.w is None or law.b is None:
        return any((atom.c, atom.w, atom.b) == (c, w, b) for atom in law.atoms)
    return _holds(law.c, (c,)) and _holds(law.w, w) and _holds(law.b, (b,))


def _holds(spread: Spread, values: Vector) -> bool:
    if spread.kind == "normal":
        return True
    if spread.kind == "constant":
        return values == spread.first
    return all(
        low <= value <= high
        for low, value, high in zip(spread.first, values, spread.second, strict=True)
    )


def moment_of_c(spread: Spread, order: int) -> Fraction:
    """Return ``E[C^k]`` of an independent C."""
    low = spread.first[0]
    if not spread.second:
        return low**order
    high = spread.second[0]
    return (high ** (order + 1) - low ** (order + 1)) / ((order + 1) * (high - low))


def has_centred_output(law: Law) -> bool:
    """Tell whether ``E[C | W] = 0``."""
    if law.c is not None:
        return moment_of_c(law.c, 1) == 0
    means: dict[Vector, Fraction] = {}
    for atom in law.atoms:
        means[atom.w] = means.get(atom.w, Fraction(0)) + atom.p * atom.c
    return not any(means.values())


def has_no_odd_moments(law: Law, budget: Budget) -> bool:
    """Tell whether ``E[C | W, B] = E[C^3 | W, B] = 0``."""
    if law.c is not None:
        return not moment_of_c(law.c, 1) and not moment_of_c(law.c, 3)
    for order in (1, 3):
        means: dict[tuple[Vector, Fraction], Fraction] = {}
        for atom in law.atoms:
            budget.spend(4 * order * order * work_of_sum([atom.p, atom.c]))
        budget.spend(order * order * work_of_sum([x for a in law.atoms for x in (a.p, a.c)]))
        for atom in law.atoms:
            key = atom.w, atom.b
            means[key] = means.get(key, Fraction(0)) + atom.p * atom.c**order
        if any(means.values()):
            return False
    return True
