"""The claim on driven deviations (T6D): a recursion in the features of the kernel."""

from __future__ import annotations

from fractions import Fraction

from verification.certificate.check.claims.limit_claims import read_spot
from verification.certificate.check.numbers.balls import Ball, at_precision, ball, largest, lower
from verification.certificate.check.numbers.bounds import Bounds, Shown, brief
from verification.certificate.check.outcome import Invalid
from verification.certificate.check.reading import Node
from verification.certificate.check.recurrent.limit_equation import Subject

MAX_STEPS = 64
_FEW_BITS = 32


def driven_recursion(known: Subject, case: Node, _claimed: Bounds) -> Shown:
    """``|d_n|^2 <= h sum m_k^2`` for ``d_{k+1} = d_k - h c_k phi_k (d_k . phi_k - m_k)``.

    With ``0 < c_k <= 1`` (where c_k = 0 only the right side changes) and ``h = 1 / max K(zeta_k,
    zeta_k)``.  Followed are the values of ``d . phi`` at all points, and ``|d|^2``: what a step by
    ``a phi_k`` adds is ``2 a d . phi_k + a^2 K(zeta_k, zeta_k)``.
    """
    members = case.fields(("points", "factors", "forces"))
    spots = [read_spot(item, known.instance) for item in members["points"].elements(1, MAX_STEPS)]
    factors, forces = (members[key].numbers(len(spots)) for key in ("factors", "forces"))
    if not all(0 < c <= 1 for c in factors):
        members["factors"].refuse("numbers above 0, at most 1")
    if forces[0] <= 0:
        members["forces"].refuse("a first number > 0: m and -m are one case")

    def longest_step() -> Ball:
        most = largest([known.kernel(spot, spot) for spot in spots])
        if lower(most) <= 0:
            raise Invalid(f"{case.path}: K is not shown to be positive at a point")
        return 1 / most

    def end() -> Ball:
        step, square = longest_step(), ball(0)
        values = [ball(0)] * len(spots)
        for k, (c, m) in enumerate(zip(factors, forces, strict=True)):
            row = [known.kernel(spots[k], spot) for spot in spots]
            move = step * ball(c) * (ball(m) - values[k])
            square = square + move * (2 * values[k] + move * row[k])
            values = [value + move * x for value, x in zip(values, row, strict=True)]
        return square

    total = sum((m * m for m in forces), Fraction(0))
    steps = "a step" if len(spots) == 1 else f"{len(spots)} steps"
    what = f"{steps}, the first at v = {brief(spots[0].memory)}"
    return Shown(
        what,
        at_precision(end, _FEW_BITS),
        at_precision(lambda: longest_step() * ball(total), _FEW_BITS),
    )
