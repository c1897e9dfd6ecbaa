"""T8: the stratified network of given units beside the recursion that the limiting kernel drives.

A certificate brings the units for each width: kinds with their shares, without odd moments of C; a
case names a width, a path and a point.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from verification.certificate.check.claims.network_claims import read_path, training_of
from verification.certificate.check.instances import Instance, Training, read_state_of_input
from verification.certificate.check.numbers.balls import Ball, ball, bounds, precision
from verification.certificate.check.numbers.bounds import Bounds, Shown, Side, brief
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.reading import Brought, Node
from verification.certificate.check.recurrent.activations import constant
from verification.certificate.check.recurrent.memory import require_contraction
from verification.certificate.check.recurrent.second_order import Sizes, bound_of_laziness
from verification.certificate.check.recurrent.stratified import Both, Units
from verification.certificate.check.recurrent.training import Rates
from verification.certificate.check.recurrent.units import has_no_odd_moments, occurs

MAX_SETS, MAX_UNITS, MAX_PATH, MAX_WIDTH = 8, 64, 256, 2**40
_SPARE_BITS, _BITS = 160, 256


@dataclass(frozen=True)
class Lazy:
    """An instance with units for each width, and their trainings along paths."""

    instance: Instance
    training: Training
    units: dict[int, Brought[Units]]
    budget: Budget
    trained: dict[tuple[int, tuple[int, ...], int], Both] = field(default_factory=dict)

    def both(self, width: int, path: tuple[int, ...], bits: int) -> Both:
        """Return the network and the linear recursion, at the working precision."""
        key = width, path, bits
        if key not in self.trained:
            self.trained.clear()
            rates, units = Rates(self.training, width), self.units[width].use()
            self.trained[key] = Both(self.instance, units, rates, path, self.budget)
        return self.trained[key]


def read_lazy(instance: Instance, witness: Node, budget: Budget) -> Lazy:
    """Read units of increasing widths, which occur up to the sign of C, without odd moments.

    What is assumed of them is so of their law, too.
    """
    if not has_no_odd_moments(instance.law, budget):
        raise Invalid("assumption: E[C | W, B] = E[C^3 | W, B] = 0")
    with precision(_BITS):
        require_contraction(instance)
    found: dict[int, Brought[Units]] = {}
    before = 0
    for node in witness.fields(("units",))["units"].elements(1, MAX_SETS):
        members = node.fields(("width", "p", "C", "W", "B"))
        width = members["width"].integer(1, MAX_WIDTH)
        if width <= before:
            members["width"].refuse("a width larger than the one before")
        found[width] = Brought(node, _read_units(node, members, instance, budget))
        before = width
    return Lazy(instance, training_of(instance), found, budget)


def _read_units(node: Node, members: dict[str, Node], instance: Instance, budget: Budget) -> Units:
    rows = members["W"].elements(1, MAX_UNITS)
    count, dimension = len(rows), len(instance.inputs[0])
    budget.spend(count * (10 * dimension + 2 * len(instance.law.atoms)))
    p, c, b = (members[key].numbers(count) for key in ("p", "C", "B"))
    units = Units(p, c, tuple(row.numbers(dimension) for row in rows), b)
    if min(units.p) <= 0 or sum(units.p) != 1:
        members["p"].invalid("are no shares")
    for each in zip(units.c, units.w, units.b, strict=True):
        if not any(occurs(instance.law, sign * each[0], *each[1:]) for sign in (1, -1)):
            node.invalid("has a unit that does not occur in the initial law, with either sign of C")
    if not has_no_odd_moments(units.law, budget):
        node.invalid("assumption: E[C | W, B] = E[C^3 | W, B] = 0")
    return units


def lazy_error(known: Lazy, case: Node, _claimed: Bounds) -> Shown:
    """``sup_{k <= n} |G_k - L_k| <= eps^2 Gamma`` at a point."""
    members = case.fields(("width", "path", "state", "memory"))
    instance, width = known.instance, members["width"].integer(1, MAX_WIDTH)
    if width not in known.units:
        members["width"].refuse("the width of some of the units")
    path = read_path(members["path"], instance, MAX_PATH, known.budget)
    state = read_state_of_input(members["state"], instance)
    point, memory = instance.inputs[state], members["memory"].number()

    def side(value: Callable[[Both], Ball]) -> Side:
        def at(bits: int) -> Bounds:
            with precision(bits + _SPARE_BITS):
                return bounds(value(known.both(width, path, bits)))

        return at

    left = side(lambda both: both.largest_difference(point, memory))
    right = side(
        lambda both: bound_of_laziness(
            _sizes(known, both, len(path)), both.squared_feature(point, memory)
        )
    )
    what = f"{len(known.units[width].use().p)} kinds of units, N = {width}, {len(path)} steps"
    return Shown(f"{what}, at the input of state {state}, v = {brief(memory)}", left, right)


def _sizes(known: Lazy, both: Both, steps: int) -> Sizes:
    instance, units = known.instance, both.units
    terms = instance.activation
    return Sizes(
        s=(constant(terms, 0), constant(terms, 1), constant(terms, 2), constant(terms, 3)),
        r=ball(instance.squared_radius).sqrt(),
        c=tuple(ball(units.moment(order)) for order in range(5)),
        g=tuple(ball(units.moment(order, with_b=True)) for order in range(3)),
        ybar=ball(max(map(abs, instance.targets))),
        eps=both.eps,
        h=both.rates.step,
        clip=both.rates.clip,
        steps=steps,
    )
