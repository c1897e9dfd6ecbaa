"""The claims on the limiting kernel: how large it is, how steep, and matrices of its values."""

from __future__ import annotations

from fractions import Fraction

from verification.certificate.check.claims.limit_claims import read_spot, require_order
from verification.certificate.check.instances import Instance
from verification.certificate.check.linear.spectra import Form, require_least_eigenvalue
from verification.certificate.check.numbers.balls import (
    Ball,
    at_precision,
    ball,
    lower,
    magnitude,
    precision,
    upper,
)
from verification.certificate.check.numbers.bounds import Bounds, Shown, brief
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.reading import Node
from verification.certificate.check.recurrent.activations import constant
from verification.certificate.check.recurrent.coarse_rules import CoarseRule
from verification.certificate.check.recurrent.kernel_bounds import (
    has_free_square,
    kernel_bound,
    mean_square,
)
from verification.certificate.check.recurrent.limit_equation import Spot, Subject
from verification.certificate.check.recurrent.memory import projections

MAX_POINTS = 64
_BOUND_BITS, _SPARE_BITS, _ENTRY_BITS, _FORM_BITS = 128, 32, 80, 128


def read_bounded_kernel(
    instance: Instance, witness: Node, budget: Budget
) -> tuple[Subject, Bounds]:
    """Verify ``E[C^2 F(W)] = E[C^2] E[F(W)]``; return the kernel and Kbar."""
    witness.fields(())
    if not has_free_square(instance):
        raise Invalid("assumption: E[C^2 | W] depends on W")
    if not mean_square(instance) * instance.squared_radius:
        raise Invalid("assumption: E[C^2] R^2 = 0, only E[sigma sigma] is left")
    with precision(_BOUND_BITS):
        return Subject(instance, None, budget), kernel_bound(instance, budget)


# K1


def size_of_kernel(known: tuple[Subject, Bounds], case: Node, _claimed: Bounds) -> Shown:
    """``|K(zeta, zeta')| <= Kbar``."""
    subject, bound = known
    members = case.fields(("first", "second"))
    first, second = (read_spot(members[key], subject.instance) for key in ("first", "second"))
    require_order(case, (first, second))
    return Shown(
        f"v = {brief(first.memory)} and {brief(second.memory)}",
        at_precision(lambda: magnitude(subject.kernel(first, second)), _SPARE_BITS),
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
        apart = subject.kernel(moved, second) - subject.kernel(first, second)
        return magnitude(apart / ball(by))

    def bound() -> Ball:
        s0, s1, s2 = (constant(subject.instance.activation, order) for order in range(3))
        factor = mean_square(subject.instance) * subject.instance.squared_radius
        return s0 * s1 + ball(factor) * s1 * s2

    what = f"v = {brief(first.memory)}, moved by {brief(by)}, and {brief(second.memory)}"
    return Shown(what, at_precision(slope, _SPARE_BITS), at_precision(bound, _SPARE_BITS))


# K2, K3


def _read_point(node: Node, dimension: int) -> Spot:
    members = node.fields(("input", "memory"))
    return Spot(members["input"].numbers(dimension), members["memory"].number())


def least_eigenvalue(subject: Subject, case: Node, _claimed: Bounds) -> Shown:
    """``-lambda_min(G) <= n eps`` of a symmetric G whose entries are within eps of K."""
    members = case.fields(("points", "matrix", "error", "eigenvalue"))
    dimension, error = len(subject.instance.inputs[0]), members["error"].number()
    points = [_read_point(item, dimension) for item in members["points"].elements(1, MAX_POINTS)]
    require_order(members["points"], points)
    size = len(points)
    flat = members["matrix"].vector(size * (size + 1) // 2)
    rows = [list(flat[i * (i + 1) // 2 : i * (i + 1) // 2 + i + 1]) for i in range(size)]
    with precision(_ENTRY_BITS):
        for i, row in enumerate(rows):
            for j, entry in enumerate(row):
                if upper(abs(subject.kernel(points[i], points[j]) - ball(entry))) > error:
                    members["matrix"].invalid(f"entry {i}, {j} is not shown to be near K")
    bracket = members["eigenvalue"].fields(("lower", "upper"))
    low, high = (bracket[end].number() for end in ("lower", "upper"))
    if low > high:
        members["eigenvalue"].refuse("lower <= upper")
    claimed = Bounds(low, high)
    with precision(_FORM_BITS):
        full = [[ball(rows[max(i, j)][min(i, j)]) for j in range(size)] for i in range(size)]
        form = Form(full, [Fraction(1)] * size)
        require_least_eigenvalue(form, claimed, members["eigenvalue"], subject.budget)
    return Shown(
        f"{size} points, entries within {brief(error)} of K",
        Bounds(-claimed.upper, -claimed.lower),
        Bounds.exactly(size * error),
    )


def _size(subject: Subject, first: Spot, second: Spot) -> Ball:
    """Bound K at two points: ``s0^2 + E[C^2] |x.x'| s1^2``."""
    s0, s1 = (constant(subject.instance.activation, order) for order in range(2))
    (product,) = projections([first.input], second.input, subject.budget)
    return s0 * s0 + ball(mean_square(subject.instance) * abs(product)) * s1 * s1


def error_of_entry(subject: Subject, case: Node, _claimed: Bounds) -> Shown:
    """``|G_ij - K_ij| <= eps`` of an entry, or a coarse rule's distance from K and its bound."""
    is_entry = case.member("of").choice("entry", "rule") == "entry"
    more = ("entry", "error") if is_entry else ("step", "width")
    members = case.fields(("of", "first", "second", *more))
    dimension = len(subject.instance.inputs[0])
    first, second = (_read_point(members[key], dimension) for key in ("first", "second"))
    where = f"v = {brief(first.memory)} and {brief(second.memory)}"
    if is_entry:
        require_order(case, (first, second))
        entry, error = members["entry"].number(), members["error"].number()

        def distance() -> Ball:
            return magnitude(subject.kernel(first, second) - ball(entry))

        with precision(_ENTRY_BITS):
            if error >= upper(_size(subject, first, second) + ball(abs(entry))):
                case.invalid("the error is no smaller than both numbers: it says nothing")
        left = at_precision(distance, _SPARE_BITS)
        return Shown(f"an entry, {where}", left, Bounds.exactly(error))
    step, width = members["step"].number(), members["width"].number()
    if width <= 0:
        members["width"].refuse("a number > 0")
    rule = CoarseRule(
        subject.instance,
        (first.input, first.memory),
        (second.input, second.memory),
        step,
        subject.budget,
    )
    with precision(_ENTRY_BITS):
        if lower(rule.error(width)) >= upper(_size(subject, first, second) * (1 + rule.mass())):
            members["width"].invalid("the bound is no smaller than both numbers: it says nothing")
    return Shown(
        f"a rule of step {brief(step)}, {where}",
        at_precision(lambda: magnitude(rule.value() - subject.kernel(first, second)), _SPARE_BITS),
        at_precision(lambda: rule.error(width), _SPARE_BITS),
    )
