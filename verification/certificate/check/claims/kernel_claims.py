"""The claims on the limiting kernel: how large it is, how steep, and matrices of its values."""

from __future__ import annotations

from fractions import Fraction

from verification.certificate.check.claims.limit_claims import at_precision, read_spot
from verification.certificate.check.instances import Instance
from verification.certificate.check.numbers.balls import Ball, ball, precision
from verification.certificate.check.numbers.bounds import Bounds, Shown, brief
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.reading import Node
from verification.certificate.check.recurrent.activations import constant
from verification.certificate.check.recurrent.kernel_bounds import (
    has_free_square,
    kernel_bound,
    mean_square,
    squared_radius,
)
from verification.certificate.check.recurrent.limit_equation import Spot, Subject

_BOUND_BITS, _SPARE_BITS = 128, 32


def read_bounded_kernel(
    instance: Instance, witness: Node, budget: Budget
) -> tuple[Subject, Bounds]:
    """Verify ``E[C^2 F(W)] = E[C^2] E[F(W)]``; return the kernel and Kbar."""
    witness.fields(())
    if not has_free_square(instance):
        raise Invalid("assumption: E[C^2 | W] depends on W")
    with precision(_BOUND_BITS):
        return Subject(instance, None, budget), kernel_bound(instance, budget)


# K1


def size_of_kernel(known: tuple[Subject, Bounds], case: Node, _claimed: Bounds) -> Shown:
    """``|K(zeta, zeta')| <= Kbar``."""
    subject, bound = known
    members = case.fields(("first", "second"))
    first, second = (read_spot(members[key], subject.instance) for key in ("first", "second"))
    return Shown(
        f"v = {brief(first.memory)} and {brief(second.memory)}",
        at_precision(lambda: abs(subject.kernel(first, second)), _SPARE_BITS),
        bound,
    )


# K5


def slope_of_kernel(subject: Subject, case: Node, _claimed: Bounds) -> Shown:
    """``|K((x, v), zeta') - K((x, w), zeta')| / |v - w| <= s0 s1 + E[C^2] s1 s2 R^2``."""
    members = case.fields(("first", "second", "by"))
    first, second = (read_spot(members[key], subject.instance) for key in ("first", "second"))
    by = members["by"].number()
    if by <= 0:
        members["by"].refuse("a positive number")
    moved = Spot(first.input, first.memory + by)

    def slope() -> Ball:
        return abs(subject.kernel(moved, second) - subject.kernel(first, second)) / ball(by)

    def bound() -> Ball:
        s0, s1, s2 = (constant(subject.instance.activation, order) for order in range(3))
        factor = mean_square(subject.instance) * squared_radius(subject.instance)
        return s0 * s1 + ball(factor) * s1 * s2

    enclosed = at_precision(slope, _SPARE_BITS)

    def left(bits: int) -> Bounds:
        found = enclosed(bits)
        return Bounds(max(found.lower, Fraction(0)), found.upper)

    what = f"v = {brief(first.memory)}, moved by {brief(by)}, and {brief(second.memory)}"
    return Shown(what, left, at_precision(bound))
