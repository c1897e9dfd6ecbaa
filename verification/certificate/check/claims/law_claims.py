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

**Trapezoidal rules** (C5W).  ``rho_w(t) = (w/Gamma(1+w)) int_R exp((1+w) z - e^z (1+t)) dz``.  The
rule with nodes ``z_j = z_0 + j h``, j any integer, errs by at most ``delta(h) rho_w(t)``, ``delta =
2 sum_{k>=1} |Gamma(1 + w + 2 pi i k/h)| / Gamma(1 + w)`` (Poisson).  For 0 < w <= 1 a term with
``y = 2 pi k/h`` is at most ``|Gamma(2 + i y)| = ((1 + y^2) pi y / sinh(pi y))^(1/2)``, as ``log
|Gamma(x + i y)|`` is convex in x >= 1; these decrease from k to k + 1 by the factor
``(1 + 1/k)^(3/2) exp(-pi^2/h)`` at least.  The nodes left out cost their masses ``b(z) = (w h /
Gamma(1+w)) exp(w z - e^z)``: below, from z on down, ``(w h/Gamma(1+w)) e^(w z)/(1 - e^(-w h))``;
above, from z on up, ``b(z)/(1 - q)`` with ``q = b(z + h)/b(z) < 1``, which decreases.
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
from verification.certificate.check.linear.kernels import function_of
from verification.certificate.check.linear.spectra import count_above
from verification.certificate.check.numbers.balls import (
    Ball,
    ball,
    bounds,
    integer_power,
    lower,
    pi,
    precision,
    total,
    upper,
)
from verification.certificate.check.numbers.bounds import Bounds, Shown, brief
from verification.certificate.check.numbers.complex_balls import gamma, size_of_gamma
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.reading import Node
from verification.certificate.check.targets import MAX_WIDTH, PowerLaw, Target, Vector, positive

MAX_UNITS = 1_000
MAX_NODES = 100_000
MAX_NODE = 10_000
_CONSTANT = Fraction(76, 100)
_LONGEST_STEP = 8
_TERMS = 24
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
    members = case.fields(("error", "place", "rates", "coefficients", "changes"))
    error = positive(members["error"])
    necessary = _necessary(known, members["place"], error)
    rates = tuple(positive(item) for item in members["rates"].elements(1, MAX_UNITS))
    count = len(rates)
    if len(set(rates)) < count:
        members["rates"].refuse("distinct rates")
    coefficients = tuple(positive(x) for x in members["coefficients"].elements(count, count))
    changes = tuple(x.number() for x in members["changes"].elements(2 * count - 1, 2 * count))
    with precision(_BITS):
        reached = _distance(known, (rates, coefficients), changes, members["changes"])
    if reached.upper > error:
        members["coefficients"].invalid("the error of the sum is not shown to be so small")
    sides = (Bounds.exactly(Fraction(n)) for n in (necessary, count))
    return Shown(f"eps = {brief(error)}", *sides)


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
    members = place.fields(("ends", "weights", "width", "levels"))
    form, most = read_trace_form(function, members["ends"], members["weights"], known.budget)
    size = len(form.rows)
    width = members["width"].integer(0, size - 1)
    levels = [positive(item) for item in members["levels"].elements(1, size - width)]
    with precision(MATRIX_BITS):
        for k, level in enumerate(levels, start=width + 1):
            count_found = count_above(form, level, known.budget)
            if count_found is None or count_found < k:
                members["levels"].invalid(f"singular value {k} is not shown to be so large")
    if sum(levels, _ZERO) <= error * most.upper:
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


def _distance(
    known: Law, exponentials: tuple[Vector, Vector], changes: Vector, node: Node
) -> Bounds:
    """Enclose ``||rho_w - f||``."""
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


# C5W


def nodes_of_rule(known: Law, case: Node, _claimed: Bounds) -> Shown:
    """Show that a rule is within eps, and has ``0.76 (1/w) log(1/eps)^2`` nodes at most."""
    if known.exponent > 1:
        raise Invalid("assumption: w <= 1")
    members = case.fields(("error", "step", "first", "count"))
    error, step = positive(members["error"]), positive(members["step"])
    first, count = members["first"].number(), members["count"].integer(1, MAX_NODES)
    if error >= 1 or step > _LONGEST_STEP:
        case.refuse(f"an error below 1, a step of {_LONGEST_STEP} at most")
    if abs(first) > MAX_NODE or first + count * step > MAX_NODE:
        case.refuse(f"nodes between -{MAX_NODE} and {MAX_NODE}")
    with precision(_BITS):
        reached = upper(error_of_rule(known, step, first, count, case))
    if reached > error:
        case.invalid("the error of the rule is not shown to be so small")

    def right(bits: int) -> Bounds:
        with precision(bits):
            logarithm = ball(1 / error).log()
            return bounds(ball(_CONSTANT / known.exponent) * logarithm * logarithm)

    return Shown(f"eps = {brief(error)}", Bounds.exactly(Fraction(count)), right)


def error_of_rule(known: Law, step: Fraction, first: Fraction, count: int, case: Node) -> Ball:
    """Bound the error of a rule by ``delta(h)`` and the masses left out."""
    w, h = ball(known.exponent), ball(step)
    scale = gamma(1 + w)
    unit = w * h / scale
    low, high = ball(first - step), ball(first + count * step)
    below = unit * (w * low).exp() / (1 - (-(w * h)).exp())
    ratio = (w * h - high.exp() * (h.exp() - 1)).exp()
    if upper(ratio) >= 1:
        case.invalid("the masses do not decrease above the rule")
    above = unit * (w * high - high.exp()).exp() / (1 - ratio)
    known.budget.spend(10_000, _BITS)
    terms = [size_of_gamma(1 + w, 2 * k * pi() / h) for k in range(1, _TERMS)]
    y = 2 * _TERMS * pi() / h
    # sinh x = (e^x - e^-x)/2.
    largest = ((1 + y * y) * 2 * pi() * y / ((pi() * y).exp() - (-(pi() * y)).exp())).sqrt()
    shrinking = integer_power(ball(1 + Fraction(1, _TERMS)), 3).sqrt() * (-(pi() * pi() / h)).exp()
    if upper(shrinking) >= 1:
        case.invalid("the step is too long")
    return 2 * (total(terms) + largest / (1 - shrinking)) / scale + below + above
