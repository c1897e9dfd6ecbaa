r"""Widths that a power law needs.

``rho_w(t) = w (1 + t)^-(1 + w)`` has norm 1.  That more than m units are needed is shown by the
bound of C4B, or of C4T, at width m; the network that says nothing has the error 1.

That m units are enough is shown by ``f(t) = sum_j c_j exp(-r_j t)``, c_j > 0, r_j distinct.  By
Rolle's theorem ``(d/dt + r) g`` has at most one zero less than g; applied twice for each r_j this
leaves of ``g = rho_w - f`` the function ``int_0^inf exp(-t s) prod_j (r_j - s)^2 k(s) ds > 0``, as
``rho_w = int exp(-t s) k(s) ds``, k > 0: g has at most 2m zeros.  A certificate brings points, and
around each the signs of g are opposite at a distance of 2^-26 of it, and fit from point to point:
so each holds an odd number of zeros, and what is between an even one.  With 2m - 1 points there is
no other.  Between the points the norm is known by the primitive of g, beside them by
``g <= rho_w(a) - f(b)`` and ``-g <= f(a) - rho_w(b)`` on ``[a, b]``, where both decrease.

Trapezoidal rules (C5, C5W) are those of `verification.certificate.check.linear.rules`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from verification.certificate.check.claims.form_claims import read_trace_form
from verification.certificate.check.claims.width_claims import (
    MATRIX_BITS,
    bang_bang,
    read_intervals,
)
from verification.certificate.check.linear.kernels import function_of, tail
from verification.certificate.check.linear.norms import NORM_BITS, norms, read_changes
from verification.certificate.check.linear.rules import error_bound, read_rule
from verification.certificate.check.linear.spectra import sum_after
from verification.certificate.check.numbers.balls import (
    Ball,
    ball,
    bounds,
    lower,
    precision,
    total,
    upper,
)
from verification.certificate.check.numbers.bounds import Bounds, Shown, brief
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.reading import Node
from verification.certificate.check.targets import MAX_WIDTH, PowerLaw, Target, Vector, positive

MAX_UNITS = 1_000
MAX_NODES, MAX_PIECES = 100_000, 64
_CONSTANT = Fraction(76, 100)
_SPARE_BITS = 96
_BITS = 256
_BESIDE = Fraction(1, 2**26)
_ZERO = Fraction(0)


@dataclass(frozen=True)
class Law:
    """The power law of norm 1 with the exponent of the target."""

    exponent: Fraction
    budget: Budget


def read_law(target: Target, witness: Node, budget: Budget) -> Law:
    """Verify that the target is one power law."""
    witness.fields(())
    parts = [part for parts in target.channels for part in parts]
    if len(target.channels) != 1 or len(parts) != 1 or not isinstance(parts[0], PowerLaw):
        raise Invalid("assumption: the target is one power law")
    if not parts[0].factor:
        raise Invalid("assumption: the target is not zero")
    return Law(parts[0].w, budget)


def width_of_error(known: Law, case: Node, _claimed: Bounds) -> Shown:
    """Show that more than ``left - 1`` units are needed, and that as many as right are enough."""
    is_rule = case.has("step")
    network = ("step", "first", "count") if is_rule else ("rates", "coefficients", "changes")
    members = case.fields(("error", "place", *network))
    error = positive(members["error"])
    necessary = _necessary(known, members["place"], error)
    if is_rule:
        rule = read_rule(case, members, known.exponent, MAX_NODES)
        with precision(_BITS):
            reached, width = upper(error_bound(rule, case, known.budget)), rule.count
    else:
        exponentials = read_sum(members)
        width = len(exponentials[0])
        reached = distance_of_sum(known, exponentials, members["changes"]).upper
    if reached > error:
        case.invalid("the error of the network is not shown to be so small")
    sides = (Bounds.exactly(Fraction(n)) for n in (necessary, width))
    return Shown(f"eps = {brief(error)}", *sides)


def read_sum(members: dict[str, Node]) -> tuple[Vector, Vector]:
    """Read rates and coefficients of a sum of exponentials."""
    rates = tuple(positive(item) for item in members["rates"].elements(1, MAX_UNITS))
    count = len(rates)
    if len(set(rates)) < count:
        members["rates"].refuse("distinct rates")
    return rates, tuple(positive(x) for x in members["coefficients"].elements(count, count))


def _necessary(known: Law, place: Node, error: Fraction) -> int:
    """Return one more than a width at which every error exceeds the one allowed."""
    function = function_of((PowerLaw(Fraction(1), known.exponent),))
    if place.value == "none":
        return 1 if error < 1 else 0
    if place.has("points"):
        count = len(place.member("points").elements(1, MAX_WIDTH + 1))
        ends, points = read_intervals(place, count)
        known.budget.spend(20 * count**2, MATRIX_BITS)
        with precision(MATRIX_BITS):
            least = lower(bang_bang(function, ends, points))
        if least <= error:
            place.invalid("the bound is not shown to exceed the error")
        return count
    members = place.fields(("ends", "weights", "width", "vectors"))
    form, most = read_trace_form(function, members["ends"], members["weights"], known.budget)
    size = len(form.rows)
    width = members["width"].integer(0, size - 1)
    vectors = [row.numbers(size) for row in members["vectors"].elements(width + 1, size)]
    with precision(MATRIX_BITS):
        rest = sum_after(form, width, vectors, known.budget)
    if rest <= error * most.upper:
        place.invalid("the bound is not shown to exceed the error")
    return width + 1


@dataclass(frozen=True)
class _Point:
    """The law, the sum, the primitive of their difference, and its sign where it is known."""

    law: Ball
    sum: Ball
    primitive: Ball

    @property
    def sign(self) -> int:
        off = self.law - self.sum
        return (lower(off) > 0) - (upper(off) < 0)


def distance_of_sum(known: Law, exponentials: tuple[Vector, Vector], node: Node) -> Bounds:
    """Enclose ``||rho_w - f||``, by the points where its error changes its sign."""
    count = len(exponentials[0])
    changes = tuple(x.number() for x in node.elements(2 * count - 1, 2 * count))
    with precision(_BITS):
        return _distance(known, exponentials, changes, node)


def _distance(
    known: Law, exponentials: tuple[Vector, Vector], changes: Vector, node: Node
) -> Bounds:
    w, (rates, coefficients) = ball(known.exponent), exponentials
    terms = [(ball(c), ball(r), ball(c / r)) for r, c in zip(rates, coefficients, strict=True)]
    known.budget.spend(20 * len(terms) * len(changes), _BITS)

    def look(t: Fraction) -> _Point:
        law = (-w * ball(1 + t).log()).exp()
        decays = [(-(r * ball(t))).exp() for _, r, _ in terms]
        return _Point(
            w * law / ball(1 + t),
            total([c * x for (c, _, _), x in zip(terms, decays, strict=True)]),
            total([m * x for (_, _, m), x in zip(terms, decays, strict=True)]) - law,
        )

    at = look(_ZERO)
    sign, end, inside = at.sign, _ZERO, ball(0)
    if not sign and len(changes) < 2 * len(rates):
        node.invalid("the sign at 0 is not known")
    areas: list[Ball] = []
    for change in changes:
        a, b = change * (1 - _BESIDE), change * (1 + _BESIDE)
        if a <= end:
            node.refuse("increasing points above 0, not too close")
        left, right = look(a), look(b)
        if not left.sign or right.sign != -left.sign or left.sign != (sign or left.sign):
            node.invalid(f"the sign does not change at {brief(change)}, or before")
        most = (left.law - right.sum).max(left.sum - right.law)
        areas += [abs(left.primitive - at.primitive), abs(right.primitive - left.primitive)]
        inside = inside + ball(b - a) * most
        at, sign, end = right, right.sign, b
    if sign != 1:
        node.invalid("a power law exceeds every sum in the end")
    least = total([*areas, abs(at.primitive)])
    most = total([*areas[::2], abs(at.primitive)]) + inside
    return Bounds(bounds(least).lower, bounds(most).upper)


# C5, C5W


def error_of_rule(known: Law, case: Node, _claimed: Bounds) -> Shown:
    """``||rho_w - rho_hat|| <= delta(h)`` and the masses left out."""
    members = case.fields(("step", "first", "count", "changes"))
    rule = read_rule(case, members, known.exponent, MAX_PIECES)
    rest = ((*function_of((PowerLaw(Fraction(1), known.exponent),)), *rule.kernel),)
    changes = read_changes(members["changes"], rest, known.budget)

    def left(bits: int) -> Bounds:
        with precision(bits + _SPARE_BITS):
            return norms(rest, changes, NORM_BITS, known.budget)

    def right(bits: int) -> Bounds:
        with precision(bits + _SPARE_BITS):
            return bounds(error_bound(rule, case, known.budget))

    with precision(_BITS):
        if lower(error_bound(rule, case, known.budget)) >= upper(tail(rest[0], _ZERO)):
            case.invalid("the bound is no smaller than the norms of the law and of the network")
    what = f"{rule.count} nodes from {brief(rule.first)}, step {brief(rule.step)}"
    return Shown(what, left, right)


def nodes_of_rule(known: Law, case: Node, _claimed: Bounds) -> Shown:
    """Show that a rule is within eps, and has ``0.76 (1/w) log(1/eps)^2`` nodes at most."""
    if known.exponent > 1:
        raise Invalid("assumption: w <= 1")
    members = case.fields(("error", "step", "first", "count"))
    error = positive(members["error"])
    if error >= 1:
        members["error"].refuse("an error below 1")
    rule = read_rule(case, members, known.exponent, MAX_NODES)
    with precision(_BITS):
        reached = upper(error_bound(rule, case, known.budget))
    if reached > error:
        case.invalid("the error of the rule is not shown to be so small")

    def right(bits: int) -> Bounds:
        with precision(bits):
            logarithm = ball(1 / error).log()
            return bounds(ball(_CONSTANT / known.exponent) * logarithm * logarithm)

    return Shown(f"eps = {brief(error)}", Bounds.exactly(Fraction(rule.count)), right)
