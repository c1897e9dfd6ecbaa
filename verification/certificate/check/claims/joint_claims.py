"""The Poisson equation of the joint chain of data and memory, and sums along it.

``F(i, v) = a_i + l v``, U solves ``U - Q U = F - mu(F)``, mu the invariant law.  Of ``V = sum_k Q^k
f``, ``f(i, v) = v``, K terms are summed on a grid.  What is left, ``g = Q^K f``, is near a number
c_i for each state: ``sum_k P^k c`` is found by doubling, and the sum of ``Q^k (g - c)`` differs
between states by ``(o + l D / (1 - q)) Delta`` at most, o its oscillation and l its slope, as the
claim's proof has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor

from verification.certificate.check.claims.ergodicity_claims import JointChain
from verification.certificate.check.claims.ergodicity_claims import read_joint as _read_joint
from verification.certificate.check.instances import Instance
from verification.certificate.check.markov.chains import oscillation
from verification.certificate.check.numbers.balls import (
    ball,
    bounds,
    column,
    lower,
    matrix,
    precision,
    upper,
)
from verification.certificate.check.numbers.bounds import Bounds, Shown, brief
from verification.certificate.check.outcome import Budget, Invalid, Refused
from verification.certificate.check.reading import Node
from verification.certificate.check.recurrent.joint_functions import (
    ONE,
    JointFunctions,
    MemorySum,
    Moments,
    cells_within,
    memory_sum,
    moments,
)

MAX_STEPS, MAX_TERMS = 1_000, 2_000
PIECES = 32
_BITS, _COLUMN_BITS = 64, 192
_WORK = 4_000_000
_SMALL, _SMALLER = Fraction(1, 2**22), Fraction(1, 2**72)
_DOUBLINGS = 40


class JointEquation:
    """A joint chain with what is found of its functions.

    Parameters
    ----------
    joint : JointChain
    """

    def __init__(self, joint: JointChain) -> None:
        self.joint = joint
        self.terms = _terms(upper(joint.memory.contraction_factor()))
        self._functions: dict[tuple[Fraction, int], JointFunctions] = {}
        self._sums: dict[Fraction, tuple[JointFunctions, MemorySum]] = {}
        self._moments: dict[int, tuple[JointFunctions, Moments]] = {}
        self._centre: tuple[int, Fraction] | None = None

    def reach(self) -> Fraction:
        """Return a number that is no less than vbar, and hardly more."""
        return upper(self.joint.memory.bound())

    def functions(self, reach: Fraction, steps: int, work: int) -> JointFunctions:
        """Return a grid, as fine as the work allows."""
        chain = self.joint.chain
        key = reach, cells_within(chain, steps, work)
        if key not in self._functions:
            self._functions[key] = JointFunctions(chain, self.joint.memory, *key)
        return self._functions[key]

    def summed(self, reach: Fraction) -> tuple[JointFunctions, MemorySum]:
        """Return the sum of enough terms, and the grid it is on."""
        if reach not in self._sums:
            functions = self.functions(reach, self.terms, _WORK)
            self._sums[reach] = functions, memory_sum(functions, self.terms)
        return self._sums[reach]

    def centre(self) -> tuple[int, Fraction]:
        """Return a multiple of ``2^-64``, times that, near ``mu(v) / R``, and how near it is."""
        if self._centre is None:
            _, found = self.summed(self.reach())
            mean = floor(self.joint.chain.mean(found.left) * ONE)
            off = found.left_error + found.fading + Fraction(1, ONE)
            self._centre = mean, off
        return self._centre

    def moments(self, steps: int) -> tuple[JointFunctions, Moments]:
        """Return the moments of sums of so many terms, and the grid they are on."""
        if steps not in self._moments:
            functions = self.functions(self.reach(), 3 * steps, 2 * _WORK)
            chain = self.joint.chain
            levels = chain.centred(chain.instance.targets)
            self._moments[steps] = functions, moments(functions, self.centre()[0], levels, steps)
        return self._moments[steps]


def _terms(q: Fraction) -> int:
    """Return a number K with ``q^K / (1 - q)`` small."""
    terms, left = 1, 1 / (1 - q)
    while left > _SMALL:
        left, terms = Fraction(floor(left * q * 2**96) + 1, 2**96), terms + 1
        if terms > MAX_TERMS:
            raise Refused(f"the memory fades so slowly that {MAX_TERMS} terms are too few")
    return terms


def read_joint_equation(instance: Instance, witness: Node, budget: Budget) -> JointEquation:
    """Return the joint chain: its stationary law comes as a witness."""
    joint = _read_joint(instance, witness, budget)
    with precision(_BITS):
        return JointEquation(joint)


def joint_equation(equation: JointEquation, case: Node, _claimed: Bounds) -> Shown:
    """Bound how U differs between states or between memories, or a sum's root mean square."""
    of = case.member("of").choice("states", "memory", "sum")
    size = equation.joint.chain.size
    if of == "memory":
        members = case.fields(("of", "slope", "distance"))
        slope = _slope(members["slope"], alone=True)
        (apart,) = members["distance"].vector(1)
        what = f"U between memories {brief(apart)} apart"
        return Shown(what, _between_memories(equation, slope, apart), _fading(equation, slope))
    more = ("steps",) if of == "sum" else ()
    members = case.fields(("of", "observable", "slope", *more))
    levels = members["observable"].numbers(size)
    slope = _slope(members["slope"], alone=not any(levels))
    if of == "states":
        left = _between_states(equation, levels, slope)
        return Shown("U between states", left, _largest_spread(equation, levels, slope))
    steps = members["steps"].integer(1, MAX_STEPS)
    left = _root_mean_square(equation, levels, slope, steps, members["observable"])
    return Shown(f"the sum of n = {steps}", left, _allowed(equation, levels, slope, steps))


def _slope(node: Node, *, alone: bool) -> Fraction:
    slope = node.number()
    if not slope or (alone and slope < 0):
        node.refuse("a slope other than 0, positive where nothing depends on its sign")
    return slope


# The left sides


def _between_memories(equation: JointEquation, slope: Fraction, apart: Fraction) -> Bounds:
    """Return the largest ``|U(i, v) - U(i, w)| / |v - w|``, v and w so far apart."""
    reach, vbar = apart * PIECES / 2, equation.joint.memory.bound()
    with precision(_BITS):
        if not upper(vbar) <= reach <= 2 * lower(vbar):
            raise Invalid("the memories are not about vbar/16 apart")
        functions, found = equation.summed(reach)
        inside = lower(vbar)
    step, cells = functions.cells // PIECES, functions.cells
    # The grid's memories that occur for sure: all, where its reach is vbar.
    outer = next(m for m in range(cells) if reach * abs(2 * m - cells) <= inside * cells)
    around = within = 0
    for row in found.rows:
        steps = [abs(b - a) for a, b in zip(row, row[step:], strict=False)]
        around = max(around, *steps)
        within = max(within, *steps[outer : len(steps) - outer])
    length = Fraction(2, PIECES)
    error = (2 * found.error + found.fading * functions.slope * length) / length
    most = Fraction(around, ONE) / length + error
    most += 2 * functions.between * functions.curvature / length
    least = Fraction(within, ONE) / length - error
    return Bounds(max(least, Fraction(0)), most).times(abs(slope))


def _between_states(equation: JointEquation, levels: Sequence[Fraction], slope: Fraction) -> Bounds:
    """Return ``max_{i,j} sup_v |U(i, v) - U(j, v)|``."""
    if not equation.joint.sensitivity().upper:
        # No input moves the memory: its part of U is one function for all states.
        heights, off = _summed_column(equation, levels)
        spread = oscillation(heights)
        return Bounds(max(spread - 2 * off, Fraction(0)), spread + 2 * off)
    chain, reach = equation.joint.chain, equation.reach()
    with precision(_BITS):
        functions, found = equation.summed(reach)
    scale = abs(slope) * reach
    heights, off = _summed_column(
        equation, [a + slope * reach * c for a, c in zip(levels, found.left, strict=True)]
    )
    factor, whole = floor(slope * reach * ONE), [floor(u * ONE) for u in heights]
    chain.budget.spend(4 * chain.size * functions.cells)
    rows = [[u + (factor * x >> 64) for x in row] for u, row in zip(whole, found.rows, strict=True)]
    seen = Fraction(max(max(at) - min(at) for at in zip(*rows, strict=True)), ONE)
    sensitivity, delta = equation.joint.sensitivity().upper, chain.summed_contraction().upper
    rest = 2 * (found.left_error + found.fading)
    rest += found.fading * functions.slope * sensitivity / reach if reach else 0
    error = 2 * off + scale * (2 * found.error + rest * delta)
    error += 4 * (1 + Fraction(equation.terms)) / ONE
    more = scale * 2 * functions.between * functions.curvature
    return Bounds(
        max(seen - error - _edge(equation) * 2 * abs(slope), Fraction(0)), seen + error + more
    )


def _edge(equation: JointEquation) -> Fraction:
    """Return by how much a function of slope L differs on the grid and within vbar, at most."""
    with precision(_BITS):
        q, vbar = (
            bounds(x)
            for x in (equation.joint.memory.contraction_factor(), equation.joint.memory.bound())
        )
    return (vbar.upper - vbar.lower) / (1 - q.upper)


def _summed_column(
    equation: JointEquation, values: Sequence[Fraction]
) -> tuple[list[Fraction], Fraction]:
    """Return ``sum_k P^k (z - pi(z))`` up to a constant, and what differences are off by, half."""
    chain = equation.joint.chain
    centred = chain.centred(values)
    delta = chain.summed_contraction().upper
    aim = _SMALLER * oscillation(values)
    with precision(_COLUMN_BITS):
        power, summed = matrix(chain.dense()), column(centred)
        for _ in range(_DOUBLINGS):
            chain.budget.spend(chain.size**3 + chain.size**2)
            summed = summed + power * summed
            power = power * power
            following = [bounds(x) for x in (power * column(centred)).entries()]
            rest = max(x.upper for x in following) - min(x.lower for x in following)
            if rest * delta <= aim:
                break
        found = [bounds(x) for x in summed.entries()]
    off = max(x.upper - x.lower for x in found) + rest * delta
    return [x.lower for x in found], off


def _root_mean_square(
    equation: JointEquation,
    levels: Sequence[Fraction],
    slope: Fraction,
    steps: int,
    node: Node,
) -> Bounds:
    """Return the largest ``E_{(i, v)}[(sum_{k<n} F(zeta_k) - mu(F))^2]^(1/2)``."""
    chain, reach = equation.joint.chain, equation.reach()
    factor = _multiple(levels, chain.instance.targets, node)
    with precision(_BITS):
        functions, found = equation.moments(steps)
        _, off = equation.centre()
    alone = _second_moments(equation, factor, steps)
    # E (a Y + b S)^2, with S in units of the reach.
    b = slope * reach
    first, second = floor(b * b * ONE), floor(2 * factor * b * ONE)
    chain.budget.spend(5 * chain.size * functions.cells)
    low, high = [], []
    for row, product, y in zip(found.square, found.product, alone, strict=True):
        values = [first * s + second * c >> 64 for s, c in zip(row, product, strict=True)]
        low.append(y.lower + Fraction(max(values), ONE))
        high.append(y.upper + Fraction(max(values), ONE))
    size, other = steps * found.highest, steps * found.largest
    error = b * b * found.square_error + 2 * abs(factor * b) * found.product_error
    error += (4 + size * size + size * other) / ONE
    slopes = (b * b * 2 * size + 2 * abs(factor * b) * other) * _edge(equation) / reach
    bend = b * b * (2 * functions.slope**2 + 2 * size * functions.curvature)
    bend += 2 * abs(factor * b) * other * functions.curvature
    # The maximum lies between two points of the grid.
    more = functions.between * bend
    squares = Bounds(
        max(max(low) - error - slopes, Fraction(0)), max(max(high) + error + more, Fraction(0))
    )
    root, slack = squares.root(_BITS), steps * abs(b) * off
    return Bounds(max(root.lower - slack, Fraction(0)), root.upper + slack)


def _multiple(levels: Sequence[Fraction], targets: Sequence[Fraction], node: Node) -> Fraction:
    """Return 1 where the levels are the targets, 0 where they vanish."""
    if not any(levels):
        return Fraction(0)
    if tuple(levels) != tuple(targets):
        node.refuse("the targets, or zeros")
    return Fraction(1)


def _second_moments(equation: JointEquation, factor: Fraction, steps: int) -> list[Bounds]:
    """Return ``E_i[(sum_{k<n} y(xi_k) - pi(y))^2]``."""
    from verification.certificate.check.claims.moment_claims import second_moments  # noqa: PLC0415

    chain = equation.joint.chain
    if not factor:
        return [Bounds.exactly(Fraction(0))] * chain.size
    with precision(_BITS * 2):
        found = second_moments(chain, chain.centred(chain.instance.targets), steps)
        return [bounds(x) for x in found]


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
    rows = equation.joint.chain.instance.rows
    branching = max(1 - sum((p * p for _, p in row), Fraction(0)) for row in rows)
    noise = Bounds.exactly(min(branching, Fraction(1, 2)) * steps / 2).root(2 * _BITS)
    with precision(_BITS):
        vbar = bounds(equation.joint.memory.bound())
    return Bounds(
        omega.lower * (1 + noise.lower) + 2 * vbar.lower * fading.lower,
        omega.upper * (1 + noise.upper) + 2 * vbar.upper * fading.upper,
    )
