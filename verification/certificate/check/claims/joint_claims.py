"""The Poisson equation of the joint chain of data and memory, and sums along it.

``F(i, v) = a_i + l v``, U solves ``U - Q U = F - mu(F)``, mu the invariant law.  What is found of
functions of the joint chain is in `verification.certificate.check.claims.joint_solutions`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from math import floor
from operator import mul

from verification.certificate.check.claims.chain_claims import named
from verification.certificate.check.claims.ergodicity_claims import read_joint
from verification.certificate.check.claims.joint_solutions import (
    COARSE,
    FINE,
    Followed,
    JointEquation,
)
from verification.certificate.check.instances import Instance
from verification.certificate.check.markov.chains import oscillation
from verification.certificate.check.numbers.balls import (
    Integer,
    ball,
    bounds,
    lower,
    precision,
    upper,
)
from verification.certificate.check.numbers.bounds import Bounds, Shown, brief
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.reading import Node
from verification.certificate.check.recurrent.joint_functions import (
    Rows,
    largest_spread,
    supremum,
)
from verification.certificate.check.recurrent.memory_polynomials import BITS, ONE

MAX_STEPS = 1_000
PIECES = 32
_BITS = 64


def read_joint_equation(instance: Instance, witness: Node, budget: Budget) -> JointEquation:
    """Return the joint chain: its stationary law comes as a witness.

    Raises
    ------
    Invalid
        Where the law is not the chain's only one, the chain is periodic, or ``q < 1`` not shown.
    """
    joint = read_joint(instance, witness, budget)
    joint.chain.coupling_steps()
    return JointEquation(joint)


def joint_equation(equation: JointEquation, case: Node, _claimed: Bounds) -> Shown:
    """Bound how U differs between states or between memories, or a sum's root mean square."""
    of = case.member("of").choice("states", "memory", "sum")
    size = equation.joint.chain.size
    if of == "memory":
        members = case.fields(("of", "slope", "distance"))
        slope = _slope(members["slope"], alone=True)
        (apart,) = members["distance"].vector(1)
        right = _fading(equation, slope)
        left = _shown(equation, right, partial(_between_memories, equation, slope, apart))
        what = f"F = {_multiple_of_v(slope)}: U between memories {brief(apart)} apart"
        return Shown(what, left, right)
    more = ("steps",) if of == "sum" else ()
    members = case.fields(("of", "observable", "slope", *more))
    levels = members["observable"].numbers(size)
    slope = _slope(members["slope"], alone=not any(levels))
    name = f"F = {_multiple_of_v(slope)}"
    if any(levels):
        sign, of_state = "-" if slope < 0 else "+", named(equation.joint.chain.instance, levels)
        name = f"F = f {sign} {_multiple_of_v(slope)}, {of_state}"
    if of == "states":
        what = f"{name}: U between states"
        right = _largest_spread(equation, levels, slope)
        if not equation.joint.sensitivity().upper:
            return Shown(what, _between_unmoved(equation, levels), right)
        left = _shown(equation, right, partial(_between_states, equation, levels, slope))
        return Shown(what, left, right)
    steps = members["steps"].integer(1, MAX_STEPS)
    factor = _multiple(levels, equation.joint.chain.instance.targets, members["observable"])
    right = _allowed(equation, levels, slope, steps)
    left = _shown(equation, right, partial(_root_mean_square, equation, factor, slope, steps))
    return Shown(f"{name}: the sum of n = {steps}", left, right)


def _shown(equation: JointEquation, right: Bounds, left: Callable[[Followed], Bounds]) -> Bounds:
    """Return the left side, with little accuracy if that shows that it is below the right one."""
    found = left(equation.followed(COARSE))
    return found if found.upper <= right.lower else left(equation.followed(FINE))


def _multiple_of_v(slope: Fraction) -> str:
    return "v" if abs(slope) == 1 else f"{brief(abs(slope))} v"


def _slope(node: Node, *, alone: bool) -> Fraction:
    slope = node.number()
    if not slope or (alone and slope < 0):
        node.refuse("a slope other than 0, positive where nothing depends on its sign")
    return slope


# The left sides


def _between_memories(
    equation: JointEquation, slope: Fraction, apart: Fraction, followed: Followed
) -> Bounds:
    """Return the largest ``|U(i, v) - U(i, w)| / |v - w|``, v and w so far apart."""
    vbar = equation.joint.memory.bound()
    with precision(_BITS):
        if not upper(vbar) <= apart * PIECES / 2 <= 2 * lower(vbar):
            raise Invalid("the memories are not about vbar/16 apart")
    functions, found = followed.functions, followed.summed()
    length = apart / functions.reach
    half = Fraction(floor(length * 2**_BITS), 2 ** (_BITS + 1))
    values, off = functions.evaluated(found.rows)

    def difference(middle: Fraction) -> int:
        pairs = zip(values(middle - half), values(middle + half), strict=True)
        return max(abs(b - a) for a, b in pairs)

    bend, reach = 2 * functions.curvature, functions.inside - half
    seen = supremum(difference, bend, reach, followed.tolerance)
    error = 2 * (found.error + off) + found.fading * functions.slope * length
    error += functions.slope * Fraction(2, 2**_BITS)
    edge = 2 * functions.slope * functions.beyond
    least = max(seen.lower - error - edge, Fraction(0))
    return Bounds(least / length, (seen.upper + error) / length).times(abs(slope))


def _between_states(
    equation: JointEquation, levels: Sequence[Fraction], slope: Fraction, followed: Followed
) -> Bounds:
    """Return ``max_{i,j} sup_v |U(i, v) - U(j, v)|``."""
    functions, found = followed.functions, followed.summed()
    unit = slope * functions.reach
    heights, off = equation.summed_column(
        [a + unit * c for a, c in zip(levels, found.left, strict=True)]
    )
    rows, rounding = _joined(heights, (unit, found.rows, followed.terms + found.error))
    values, value_error = functions.evaluated(rows)

    def spread_at(place: Fraction) -> int:
        at = values(place)
        return max(at) - min(at)

    bend, most = 2 * abs(unit) * functions.curvature, largest_spread(rows)
    seen = supremum(spread_at, bend, functions.inside, followed.tolerance, most)
    # Of g - c the slope is `fading`, and values differ by twice that, and errors, at most.
    rest = 2 * (found.left_error + found.fading) + 2 * found.fading * functions.slope
    error = 2 * off + abs(unit) * (2 * found.error + rest * equation.conditioning())
    error += 2 * (value_error + rounding)
    edge = 2 * abs(unit) * functions.slope * functions.beyond
    return Bounds(max(seen.lower - error - edge, Fraction(0)), seen.upper + error)


def _between_unmoved(equation: JointEquation, levels: Sequence[Fraction]) -> Bounds:
    """Return the same where no input moves the memory: its part of U is the same for all states."""
    heights, off = equation.summed_column(levels)
    spread = oscillation(heights)
    return Bounds(max(spread - 2 * off, Fraction(0)), spread + 2 * off)


def _joined(
    heights: Sequence[Fraction], *parts: tuple[Fraction, Rows, Fraction]
) -> tuple[Rows, Fraction]:
    """Return numbers plus multiples of functions, of such sizes, and what is off by rounding."""
    factors = [Integer(floor(factor * ONE)) for factor, _, _ in parts]
    rows = []
    for i, height in enumerate(heights):
        columns = zip(*(function[i] for _, function, _ in parts), strict=True)
        row = [sum(map(mul, factors, at), Integer(0)) >> BITS for at in columns]
        rows.append([row[0] + Integer(floor(height * ONE)), *row[1:]])
    return rows, (1 + len(rows[0]) + sum((size for _, _, size in parts), Fraction(0))) / ONE


def _root_mean_square(
    equation: JointEquation, factor: Fraction, slope: Fraction, steps: int, followed: Followed
) -> Bounds:
    """Return the largest ``E_{(i, v)}[(sum_{k<n} F(zeta_k) - mu(F))^2]^(1/2)``."""
    functions, found = followed.functions, followed.moments(steps)
    alone = [Bounds.exactly(Fraction(0))] * equation.joint.chain.size
    if factor:
        alone = equation.moments_of_targets(steps)
    # E (a Y + b S)^2, with S in units of R.
    b = slope * functions.reach
    size, other = steps * found.highest, steps * found.largest
    first, second = b * b, 2 * factor * b
    rows, rounding = _joined(
        [y.lower for y in alone],
        (first, found.square, size * size + found.square_error),
        (second, found.product, size * other + found.product_error),
    )
    values, error = functions.evaluated(rows)
    # A second derivative of E S^2 is E (2 S'^2 + 2 S S''), and E |S| at most (E S^2)^(1/2).
    mean_size = Bounds.exactly(found.largest_square()).root(_BITS).upper
    mean_other = Bounds.exactly(max(y.upper for y in alone)).root(_BITS).upper
    bend = first * (2 * functions.slope**2 + 2 * mean_size * functions.curvature)
    bend += abs(second) * mean_other * functions.curvature
    seen = supremum(lambda place: max(values(place)), bend, functions.inside, followed.tolerance)
    error += first * found.square_error + abs(second) * found.product_error + rounding
    error += max(y.upper - y.lower for y in alone)
    edge = (first * 2 * size + abs(second) * other) * functions.slope * functions.beyond
    squares = Bounds(max(seen.lower - error - edge, Fraction(0)), seen.upper + error)
    root, slack = squares.root(_BITS), steps * abs(b) * followed.centre()[1]
    return Bounds(max(root.lower - slack, Fraction(0)), root.upper + slack)


def _multiple(levels: Sequence[Fraction], targets: Sequence[Fraction], node: Node) -> Fraction:
    """Return 1 where the levels are the targets, 0 where they vanish."""
    if not any(levels):
        return Fraction(0)
    if tuple(levels) != tuple(targets):
        node.refuse("the targets, or zeros")
    return Fraction(1)


# The right sides


def _fading(equation: JointEquation, slope: Fraction) -> Bounds:
    """Return ``l / (1 - q)``."""
    with precision(_BITS):
        return bounds(ball(abs(slope)) / (1 - equation.joint.memory.contraction_factor()))


def _largest_spread(equation: JointEquation, levels: Sequence[Fraction], slope: Fraction) -> Bounds:
    """Return ``Omega = (o_F + l D / (1 - q)) Delta``."""
    fading, sensitivity = _fading(equation, slope), equation.joint.sensitivity()
    spread, delta = oscillation(levels), equation.joint.chain.summed_contraction()
    return Bounds(
        (spread + fading.lower * sensitivity.lower) * delta.lower,
        (spread + fading.upper * sensitivity.upper) * delta.upper,
    )


def _allowed(
    equation: JointEquation, levels: Sequence[Fraction], slope: Fraction, steps: int
) -> Bounds:
    """Return ``Omega (1 + (n p / 2)^(1/2)) + 2 vbar l / (1 - q)``."""
    omega, fading = _largest_spread(equation, levels, slope), _fading(equation, slope)
    branching = equation.joint.chain.branching()
    noise = Bounds.exactly(min(branching, Fraction(1, 2)) * steps / 2).root(2 * _BITS)
    with precision(_BITS):
        vbar = bounds(equation.joint.memory.bound())
    return Bounds(
        omega.lower * (1 + noise.lower) + 2 * vbar.lower * fading.lower,
        omega.upper * (1 + noise.upper) + 2 * vbar.upper * fading.upper,
    )
