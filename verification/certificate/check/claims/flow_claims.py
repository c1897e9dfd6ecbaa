r"""How long gradient flow stalls beside a late bump, what it learns meanwhile, and where it stays.

All of them are on the flow itself, which is enclosed by the polynomials that a certificate brings
(`verification.certificate.check.linear.flows`).  With g as in
`verification.certificate.check.claims.training_claims`, for a size rho up to r,

    C7   rho / g(rho) <= T,   C7E   rho^2 / K(rho) <= T,   C7L   J(th0) - J(th(t)) <= r g(r),

T the time at which the flow leaves the ball of radius r and t one before; and, for a rho with
``e . grad L(th0 + e) > g(rho) rho`` where ``|e| = rho``, the flow's largest distance from its start
is at most rho (C7T).  ``K = h^2 l exp(-2sS) (L/(L - s)) sum_{k < n} q^k``,
``q = ((L + s)/(L - s))^2``, ``L = min w* - rho``, for any s of [0, L), and n the number of
exponentials of f and of the target without the bump.

That a flow never leaves a ball of radius e is shown by its second derivatives in the centre, which
are at least lambda, and their change: ``lambda e - C e^2 / 2 > |grad J|``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from verification.certificate.check.claims.training_claims import Plateau, largest_pull
from verification.certificate.check.linear import flows
from verification.certificate.check.linear.flow_pieces import Followed, read_pieces
from verification.certificate.check.linear.flows import flow_bits, follow
from verification.certificate.check.linear.losses import Loss
from verification.certificate.check.linear.networks import norm_of
from verification.certificate.check.linear.traps import Sphere, require_trap
from verification.certificate.check.numbers.balls import (
    Ball,
    around,
    ball,
    bounds,
    integer_power,
    lower,
    precision,
    total,
    upper,
)
from verification.certificate.check.numbers.bounds import Bounds, Shown, Side, brief
from verification.certificate.check.reading import Node
from verification.certificate.check.targets import Vector, not_negative, positive

_SPARE_BITS = 96


@dataclass(frozen=True)
class _Flow:
    loss: Loss
    pieces: list[Followed]


def _delay(known: Plateau, node: Node) -> Fraction:
    delay = node.number()
    if delay not in known.training.delays:
        node.refuse("one of the delays of the training")
    return delay


def _followed(known: Plateau, members: dict[str, Node]) -> _Flow:
    loss = Loss(known.coefficients, known.rates, known.training, _delay(known, members["delay"]))
    pieces = read_pieces(members["pieces"], 2 * len(known.rates), known.budget)
    return _Flow(loss, follow(loss, pieces, known.budget))


def _last_inside(known: Plateau, flow: _Flow, node: Node) -> tuple[Fraction, Followed]:
    """Show that the flow is in the ball up to a time."""
    time, last = positive(node), flow.pieces[-1]
    if time > last.end:
        node.invalid("comes after the pieces of the flow")
    begun = [piece for piece in flow.pieces if piece.start < time]
    for piece in begun:
        until = min(piece.place(time), Fraction(1))
        if not piece.is_within(ball(known.radius), until, known.budget):
            node.invalid("not shown that the flow is in the ball until then")
    return time, begun[-1]


def _escape(known: Plateau, members: dict[str, Node]) -> Bounds:
    """Show when the flow leaves the ball."""
    with precision(flow_bits(known.rates, _delay(known, members["delay"]))):
        flow = _followed(known, members)
        inside, _ = _last_inside(known, flow, members["inside"])
        outside, last = positive(members["outside"]), flow.pieces[-1]
        if not last.start < outside <= last.end:
            members["outside"].invalid("is no time of the last piece")
        distance = norm_of(last.offset(last.place(outside)))
        if lower(distance - last.error - ball(known.radius)) <= 0:
            members["outside"].invalid("not shown that the flow is outside of the ball")
    return Bounds(inside, outside)


def _size(known: Plateau, node: Node) -> Fraction:
    size = positive(node)
    if size > known.radius:
        node.invalid("is more than r")
    return size


def time_of_pull(known: Plateau, case: Node, _claimed: Bounds) -> Shown:
    """``rho / g(rho)`` is at most the time of escape."""
    members = case.fields(("delay", "size", "pieces", "inside", "outside"))
    delay, size = _delay(known, members["delay"]), _size(known, members["size"])

    def left(bits: int) -> Bounds:
        with precision(bits + _SPARE_BITS):
            return bounds(ball(size) / largest_pull(known, delay, size))

    return Shown(f"S = {brief(delay)}", left, _escape(known, members))


def time_of_energy(known: Plateau, case: Node, _claimed: Bounds) -> Shown:
    """``rho^2 / K(rho)`` is at most the time of escape."""
    members = case.fields(("delay", "size", "weight", "pieces", "inside", "outside"))
    delay, size = _delay(known, members["delay"]), _size(known, members["size"])
    weight, least = not_negative(members["weight"]), min(known.rates) - size
    if weight >= least:
        members["weight"].invalid("is at least L")

    def left(bits: int) -> Bounds:
        training, count = known.training, _exponentials(known)
        known.budget.spend(40 + 4 * count, bits)
        with precision(bits + _SPARE_BITS):
            ratio = ball(((least + weight) / (least - weight)) ** 2)
            spread = total([integer_power(ratio, k) for k in range(count)])
            gain = ball(training.height**2 * training.length * least / (least - weight)) * spread
            return bounds(ball(size**2) / gain * ball(2 * weight * delay).exp())

    return Shown(f"S = {brief(delay)}", left, _escape(known, members))


def _exponentials(known: Plateau) -> int:
    """Count the exponentials of f, and those of the target without the bump."""
    sums: dict[Fraction, Fraction] = {}
    for a, w in zip(known.coefficients, known.rates, strict=True):
        sums[w] = sums.get(w, Fraction(0)) + a
    return len(known.rates) + sum(1 for a in sums.values() if a)


def loss_on_the_way(known: Plateau, case: Node, _claimed: Bounds) -> Shown:
    """``J(th0) - J(th(t)) <= r g(r)`` at a time until which the flow is in the ball."""
    members = case.fields(("delay", "pieces", "inside"))
    delay = _delay(known, members["delay"])
    with precision(flow_bits(known.rates, delay)):
        flow = _followed(known, members)
        time, last = _last_inside(known, flow, members["inside"])
        if last is not flow.pieces[-1]:
            members["inside"].invalid("is no time of the last piece")
        left = bounds(_gained(flow.loss, last.offset(last.place(time)), last.error))
    return Shown(f"S = {brief(delay)}", left, _learnable(known, delay))


def _learnable(known: Plateau, delay: Fraction) -> Side:
    def right(bits: int) -> Bounds:
        with precision(bits + _SPARE_BITS):
            return bounds(ball(known.radius) * largest_pull(known, delay, known.radius))

    return right


def _gained(loss: Loss, offset: Sequence[Ball], error: Ball) -> Ball:
    """Enclose what is gained within an error of an offset, by Taylor's formula."""
    point = [ball(x) + y for x, y in zip(loss.start, offset, strict=True)]
    slope, _ = loss.derivatives(point)
    _, bends = loss.derivatives([around(x, error) for x in point])
    steepest = norm_of([x for row in bends for x in row])
    return around(loss.gained(point), error * (norm_of(slope) + steepest * error / 2))


def trapped(known: Plateau, case: Node, _claimed: Bounds) -> Shown:
    """Bound the largest distance of all times by rho, if the pull at rho is inward."""
    more = ("curvature",) if len(known.rates) > 1 else ()
    members = case.fields(("delay", "radius", "pieces", "stiffness", "rest", "within", *more))
    delay, size = _delay(known, members["delay"]), _size(known, members["radius"])
    with precision(flow_bits(known.rates, delay)):
        sphere = Sphere(known.coefficients, known.rates, size, known.budget)
        least = largest_pull(known, delay, size) / ball(size)
        require_trap(sphere, least, members["radius"], members.get("curvature"))
        flow = _followed(known, members)
        last = flow.pieces[-1]
        rest, within = positive(members["rest"]), positive(members["within"])
        _require_rest(flow, rest, positive(members["stiffness"]), members["rest"])
        end = norm_of([ball(x) for x in last.piece.at_end()])
        far = [piece.is_within(ball(within), Fraction(1), known.budget) for piece in flow.pieces]
        if not all(far) or upper(end) + rest > within:
            members["within"].invalid("not shown that the flow stays so near")
        left = Bounds(max(lower(end - last.last_error), Fraction(0)), within)
    return Shown(f"S = {brief(delay)}", left, Bounds.exactly(size))


def _require_rest(flow: _Flow, rest: Fraction, stiffness: Fraction, node: Node) -> None:
    """Show that the flow ends in a ball that it never leaves."""
    last, loss = flow.pieces[-1], flow.loss
    end: Vector = last.piece.at_end()
    third = flows.third_derivatives(loss, end, rest, node)
    slope, bends = loss.derivatives([ball(x + y) for x, y in zip(loss.start, end, strict=True)])
    flows.determinant(bends, ball(-stiffness), node)
    room = ball(rest) * (ball(stiffness) - third * ball(rest) / 2) - norm_of(slope)
    if upper(last.last_error) > rest or lower(room) <= 0:
        node.invalid("not shown that the flow stays there")
