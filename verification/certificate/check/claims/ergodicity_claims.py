"""The claims on the joint chain of data and memory: how fast its laws approach each other.

``zeta = (xi, v)`` moves from (i, v) to ``(j, Phi(x_i, v))`` with probability P_ij; points are
``d_M((i, v), (j, w)) = M 1{i != j} + |v - w|`` apart, laws the least mean of that over couplings.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TypeVar

from verification.certificate.check.instances import Instance
from verification.certificate.check.markov.chains import Chain
from verification.certificate.check.numbers.balls import (
    ball,
    bounds,
    integer_power,
    lower,
    magnitude,
    precision,
    upper,
)
from verification.certificate.check.numbers.bounds import Bounds, Shown, brief
from verification.certificate.check.outcome import Budget, Invalid, Refused
from verification.certificate.check.reading import Brought, Node
from verification.certificate.check.recurrent.joint_laws import Grid, Law
from verification.certificate.check.recurrent.memory import Memory
from verification.certificate.check.recurrent.sensitivity import input_sensitivity, weighted

MAX_POINTS = 8_192
MAX_WEIGHT = 10**17
MAX_STEPS = 2_000
_BITS = 64

_Member = TypeVar("_Member")


class JointChain:
    """A chain and its memory map, with what the claims on both have in common.

    Parameters
    ----------
    chain : Chain
    memory : Memory
    grid : Brought[Grid] or None
    invariant : Brought[Law] or None
        Near the invariant law mu, by a bound that was shown.
    """

    def __init__(
        self,
        chain: Chain,
        memory: Memory,
        grid: Brought[Grid] | None,
        invariant: Brought[Law] | None,
    ) -> None:
        self.chain = chain
        self.memory = memory
        self.grid = grid
        self.invariant = invariant
        self._sensitivity: Bounds | None = None
        self._dobrushin: Bounds | None = None
        self._paths: dict[tuple[int | None, Fraction], list[Law]] = {}

    def law_after(self, state: int | None, memory: Fraction, steps: int) -> Law:
        """Return the law after so many steps from one memory and state (None: stationary)."""
        grid = self.laws_grid()
        size = self.chain.size
        with precision(_BITS):
            if (state, memory) not in self._paths:
                start = [Fraction(i == state) for i in range(size)]
                first = grid.at(self.chain.law if state is None else start, memory)
                self._paths[state, memory] = [first]
            laws = self._paths[state, memory]
            while len(laws) <= steps:
                laws.append(grid.pushed(laws[-1]))
        return laws[steps]

    def laws_grid(self) -> Grid:
        """Return the grid."""
        return self._required(self.grid)

    def distance(self, first: Law, second: Law, weight: Fraction, *, coupled: bool) -> Bounds:
        """Return bounds of W_M; of laws with one law of the state, if they are `coupled`."""
        grid = self.laws_grid()
        if coupled and weight >= 2 * grid.reach:
            return grid.distance_of_memories(first, second)
        return grid.distance(first, second, weight)

    def invariant_law(self) -> Law:
        """Return a law near mu."""
        return self._required(self.invariant)

    @staticmethod
    def _required(member: Brought[_Member] | None) -> _Member:
        if member is None:
            raise Invalid("witness: brings no grid of memories, or no law on it")
        return member.use()

    def sensitivity(self) -> Bounds:
        """Return bounds of D."""
        if self._sensitivity is None:
            with precision(_BITS):
                self._sensitivity = input_sensitivity(self.memory)
        return self._sensitivity

    def contraction_of_laws(self, sensitivity: Bounds, weight: Fraction, bits: int) -> Bounds:
        """Return ``kappa = max(q^m, delta(P^m) + D_m / M)``.

        Raises
        ------
        Invalid
            Where ``M > D_m / (1 - delta(P^m))`` is not shown.
        """
        steps = self.chain.coupling_steps()
        if self._dobrushin is None:
            self._dobrushin = self.chain.contraction(steps)
        dobrushin = self._dobrushin
        with precision(bits):
            least, most = weighted(self.memory, sensitivity, steps)
            if not upper(most) < weight * (1 - dobrushin.upper):
                raise Invalid("not shown that M > D_m / (1 - delta(P^m))")
            power = bounds(integer_power(self.memory.contraction_factor(), steps))
            return Bounds(
                max(power.lower, dobrushin.lower + lower(least) / weight),
                max(power.upper, dobrushin.upper + upper(most) / weight),
            )

    def require_memory(self, node: Node, value: Fraction) -> None:
        """Show that a memory is one that occurs: within ``[-vbar, vbar]``."""
        with precision(_BITS):
            if abs(value) > lower(self.memory.bound()):
                node.invalid("a memory is not within [-vbar, vbar]")


def read_joint(instance: Instance, witness: Node, budget: Budget) -> JointChain:
    """Return the joint chain: its stationary law comes as a witness, a grid and a law on it may."""
    optional = tuple(key for key in ("grid", "weights") if witness.has(key))
    members = witness.fields(("stationary_law", *optional))
    if "weights" in members and "grid" not in members:
        members["weights"].invalid("is no law, without a grid")
    chain = Chain(instance, members["stationary_law"].vector(instance.size), budget)
    grid = invariant = None
    with precision(_BITS):
        memory = Memory(instance, budget)
        if "grid" in members:
            count = len(members["grid"].member("numerators").elements(1, MAX_POINTS))
            points = Grid(chain, memory, members["grid"].vector(count))
            grid = Brought(members["grid"], points)
            if "weights" in members:
                rows = members["weights"].elements(instance.size, instance.size)
                weights = [
                    [item.integer(0, MAX_WEIGHT) for item in row.elements(count, count)]
                    for row in rows
                ]
                if not all(map(any, weights)):
                    members["weights"].refuse("a positive weight in every state")
                law = points.invariant(points.law(weights))
                invariant = Brought(members["weights"], law)
    return JointChain(chain, memory, grid, invariant)


# E1


def contracting_step(joint: JointChain, case: Node, _claimed: Bounds) -> Shown:
    """``W(zeta Q^m, zeta' Q^m) <= kappa d_M(zeta, zeta')``, m the coupling steps.

    After one step each memory is one number: ``M TV(P_i, P_j) + |Phi(x_i, v) - Phi(x_j, w)|``.
    """
    members = case.fields(("states", "memories", "weight"))
    states = members["states"].elements(2, 2)
    i, j = (state.integer(0, joint.chain.size - 1) for state in states)
    v, w = members["memories"].vector(2)
    weight = members["weight"].number()
    if i > j or (i == j and v <= w) or weight <= 0:
        case.refuse("the smaller state first, of equal ones the larger memory, and M > 0")
    for value in (v, w):
        joint.require_memory(members["memories"], value)
    memory, points = joint.memory, joint.memory.instance.inputs
    steps, distance = joint.chain.coupling_steps(), weight * (i != j) + abs(v - w)
    rows = [dict(memory.instance.rows[state]) for state in (i, j)]
    shared = sum((min(p, rows[1][k]) for k, p in rows[0].items() if k in rows[1]), Fraction(0))

    def apart(bits: int) -> Bounds:
        with precision(bits):
            there = memory.image(points[i], ball(v)), memory.image(points[j], ball(w))
            return bounds(magnitude(there[0] - there[1]))

    def after_one(bits: int) -> Bounds:
        return apart(bits).plus(Bounds.exactly(weight * (1 - shared)))

    def right(bits: int) -> Bounds:
        found = joint.sensitivity()
        if v == w:
            # D is no less than what this case shows of it.
            least = max(found.lower, apart(bits).lower)
            if found.upper < least:
                raise Invalid("the sensitivity to the input is less than what is seen here")
            found = Bounds(least, found.upper)
        return joint.contraction_of_laws(found, weight, bits).times(distance)

    what = f"from ({i}, {brief(v)}) and ({j}, {brief(w)}), M = {brief(weight)}"
    if steps == 1:
        return Shown(what, after_one, right)
    _limit(steps)
    laws = joint.law_after(i, v, steps), joint.law_after(j, w, steps)
    return Shown(what, joint.distance(*laws, weight, coupled=i == j), right)


# E2


def forgetting_in_law(joint: JointChain, case: Node, _claimed: Bounds) -> Shown:
    """``W(mu, mu_m) <= q^m int |v| dmu``, M at least 2 vbar."""
    known = case.fields(("known",))["known"].integer(1, MAX_STEPS)
    law, grid = joint.invariant_law(), joint.laws_grid()
    with precision(_BITS):
        left = grid.distance_of_memories(law, joint.law_after(None, Fraction(0), known))
    mean = grid.mean_absolute_memory(law)

    def right(bits: int) -> Bounds:
        with precision(bits):
            rate = bounds(integer_power(joint.memory.contraction_factor(), known))
        return Bounds(mean.lower * rate.lower, mean.upper * rate.upper)

    return Shown(f"the last {known} inputs known", left, right)


# E3


def convergence(joint: JointChain, case: Node, _claimed: Bounds) -> Shown:
    """``W(zeta Q^(m k), mu) <= kappa^k (M + 2 vbar)``."""
    members = case.fields(("state", "memory", "weight", "rounds"))
    state = members["state"].integer(0, joint.chain.size - 1)
    start, weight = members["memory"].number(), members["weight"].number()
    rounds = members["rounds"].integer(1, MAX_STEPS)
    joint.require_memory(members["memory"], start)
    if weight <= 0:
        members["weight"].refuse("M > 0")
    steps = rounds * joint.chain.coupling_steps()
    _limit(steps)
    with precision(_BITS):
        law = joint.law_after(state, start, steps)
        left = joint.distance(law, joint.invariant_law(), weight, coupled=False)

    def right(bits: int) -> Bounds:
        kappa = joint.contraction_of_laws(joint.sensitivity(), weight, bits)
        with precision(bits):
            widest = bounds(ball(weight) + 2 * joint.memory.bound())
            low, high = (
                bounds(integer_power(ball(rate), rounds)) for rate in (kappa.lower, kappa.upper)
            )
        return Bounds(widest.lower * low.lower, widest.upper * high.upper)

    what = f"k = {rounds} from ({state}, {brief(start)}), M = {brief(weight)}"
    return Shown(what, left, right)


def _limit(steps: int) -> None:
    if steps > MAX_STEPS:
        raise Refused(f"a law would be pushed more than {MAX_STEPS} steps")
