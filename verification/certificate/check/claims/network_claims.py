"""The claims on the training of a finite network: what it does step by step, in balls.

Notation: r, h, S_k, v_k, p_k, e_k as in `recurrent.training`, ``h = alpha/N``; ``zeta_k = (x_k,
v_k)``, G_k the output as a function of (x, v), K_k the kernel of the units as they are at step k;
``Ebar_k = sum_{j<k} |e_j|``, ``D_C(k) = r s0 Ebar_k`` and ``M_k = sum_{j<k} |e_j| (cbar + D_C(j)) =
Ebar_k (cbar + D_C(k)/2) - r s0 sum_{j<k} e_j^2 / 2``; cbar and bbar are the largest |C| and |B| of
the initial law, R the largest |x|, ``qbar = s1 bbar``.

A certificate brings networks of different widths; a case names one of them, and a path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from verification.certificate.check.instances import (
    Instance,
    Training,
    read_state_of_input,
    require_steps,
)
from verification.certificate.check.numbers.balls import (
    Ball,
    ball,
    bounds,
    largest,
    lower,
    magnitude,
    precision,
    total,
)
from verification.certificate.check.numbers.bounds import Bounds, Shown, Side, brief
from verification.certificate.check.numbers.lattices import work_of_sum
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.reading import Brought, Node
from verification.certificate.check.recurrent.activations import constant
from verification.certificate.check.recurrent.memory import dot
from verification.certificate.check.recurrent.training import (
    Course,
    Network,
    Rates,
    inner,
)
from verification.certificate.check.recurrent.units import (
    largest_output_weight,
    occurs,
    require_unit_contraction,
    unit_contraction,
)

MAX_NETWORKS = 8
MAX_UNITS = 256
MAX_PATH = 1_024
_SPARE_BITS = 80
_BITS = 256

Value: TypeAlias = Callable[[Course], Ball]


@dataclass(frozen=True)
class Trained:
    """An instance with networks of different widths, and their trainings as far as they went."""

    instance: Instance
    training: Training
    networks: dict[int, Brought[Network]]
    courses: dict[tuple[int, int], Course]
    budget: Budget

    def course(self, width: int, path: Sequence[int], bits: int) -> Course:
        """Train a network along a path, at the working precision."""
        found = self.courses.get((width, bits))
        if found is None or not found.follow(path):
            network = self.networks[width].use()
            found = Course(self.instance, self.training, network, self.budget)
            found.follow(path)
            self.courses[width, bits] = found
        return found

    def side(self, width: int, path: Sequence[int], value: Value) -> Side:
        """Return a side that is computed from a training."""

        def at(bits: int) -> Bounds:
            with precision(bits + _SPARE_BITS):
                return bounds(value(self.course(width, path, bits)))

        return at

    def heights(self) -> tuple[Ball, Ball, Ball]:
        """Return s0, s1, s2."""
        terms = self.instance.activation
        return constant(terms, 0), constant(terms, 1), constant(terms, 2)

    def squared_input(self) -> Ball:
        """Return R^2."""
        return ball(self.instance.squared_radius)


# Assumptions


def training_of(instance: Instance) -> Training:
    """Return the training constants, which the claims assume that there are."""
    if instance.training is None:
        raise Invalid("assumption: the instance gives training constants")
    return instance.training


def read_networks(instance: Instance, witness: Node, budget: Budget) -> Trained:
    """Read networks of increasing width, whose units occur in the initial law."""
    training, before = training_of(instance), 0
    networks: dict[int, Brought[Network]] = {}
    nodes = witness.fields(("networks",))["networks"].elements(1, MAX_NETWORKS)
    for node in nodes:
        network = _read_network(node, instance, budget)
        if network.width <= before:
            node.refuse("a network wider than the one before")
        networks[network.width] = Brought(node, network)
        before = network.width
    return Trained(instance, training, networks, {}, budget)


def _read_network(node: Node, instance: Instance, budget: Budget) -> Network:
    members = node.fields(("C", "W", "B"))
    rows = members["W"].elements(1, MAX_UNITS)
    width, dimension = len(rows), len(instance.inputs[0])
    budget.spend(width * (10 * dimension + len(instance.law.atoms)))
    network = Network(
        members["C"].numbers(width),
        tuple(row.numbers(dimension) for row in rows),
        members["B"].numbers(width),
    )
    units = zip(network.c, network.w, network.b, strict=True)
    if not all(occurs(instance.law, *unit) for unit in units):
        node.invalid("has a unit that does not occur in the initial law")
    return network


def read_contracting_networks(instance: Instance, witness: Node, budget: Budget) -> Trained:
    """Read networks; verify that ``qbar = s1 bbar < 1``."""
    known = read_networks(instance, witness, budget)
    with precision(_BITS):
        require_unit_contraction(instance)
    return known


def read_clipped_networks(instance: Instance, witness: Node, budget: Budget) -> Trained:
    """Read networks; verify that ``N^gamma >= max |y|`` for each."""
    known = read_networks(instance, witness, budget)
    largest = max(map(abs, instance.targets))
    with precision(_BITS):
        for width in known.networks:
            if not lower(Rates(known.training, width).clip) >= largest:
                raise Invalid(f"assumption: N^gamma >= max |y| is not shown for N = {width}")
    return known


# Cases


@dataclass(frozen=True)
class _Along:
    """A network and a path."""

    known: Trained
    width: int
    path: tuple[int, ...]

    def shown(self, what: str, left: Value, right: Value) -> Shown:
        return Shown(
            what,
            self.known.side(self.width, self.path, left),
            self.known.side(self.width, self.path, right),
        )


def _along(known: Trained, members: dict[str, Node]) -> _Along:
    """Read which network a case is about, and along which path it is trained."""
    instance, width = known.instance, members["width"].integer(1, MAX_UNITS)
    if width not in known.networks:
        members["width"].refuse("the width of one of the networks")
    return _Along(known, width, read_path(members["path"], instance, MAX_PATH, known.budget))


def read_path(node: Node, instance: Instance, most: int, budget: Budget) -> tuple[int, ...]:
    """Read a path that starts where the chain does, of steps that it takes."""
    path = node.states(most, instance.size)
    budget.spend(10 * len(path))
    if path[0] != instance.initial:
        node.invalid("does not start where the chain does")
    require_steps(node, path, instance)
    return path


def _absolute_errors(course: Course, steps: int) -> Ball:
    """Enclose ``Ebar_k``."""
    return total([abs(error) for error in course.errors[:steps]])


def _weighted_errors(known: Trained, course: Course, steps: int) -> Ball:
    """Enclose ``M_k``."""
    half = course.rates.rate * known.heights()[0] / 2
    whole = _absolute_errors(course, steps)
    squares = total([error * error for error in course.errors[:steps]])
    return whole * (ball(largest_output_weight(known.instance)) + half * whole) - half * squares


# T1


def moved_weight(known: Trained, case: Node, _claimed: Bounds) -> Shown:
    """``|C_k - C_0| <= D_C(k)``, ``|W_k - W_0| <= r s1 R M_k``, ``|B_k - B_0| <= r s0 s1 M_k``."""
    members = case.fields(("width", "path", "weight"))
    along, weight = _along(known, members), members["weight"].choice("C", "W", "B")
    steps = len(along.path)

    def left(course: Course) -> Ball:
        moved = course.moved[steps]
        if weight == "W":
            return largest([inner(row, row) for row in moved.w]).sqrt()
        return largest([magnitude(x) for x in (moved.c if weight == "C" else moved.b)])

    def right(course: Course) -> Ball:
        s0, s1, _ = known.heights()
        if weight == "C":
            return course.rates.rate * s0 * _absolute_errors(course, steps)
        factor = s1 * known.squared_input().sqrt() if weight == "W" else s1 * s0
        return course.rates.rate * factor * _weighted_errors(known, course, steps)

    what = f"|{weight}_k - {weight}_0|, N = {along.width}, k = {steps}"
    return along.shown(what, left, right)


# T2


def memory_beside_frozen(known: Trained, case: Node, _claimed: Bounds) -> Shown:
    """``|v_k - v_k^0| <= (s0 D_B(k) + qbar R D_W(k-1)) (1 + qbar + .. + qbar^(k-1))``."""
    along = _along(known, case.fields(("width", "path")))
    steps = len(along.path)

    def left(course: Course) -> Ball:
        # Of moves by 0 two memories are the same, which balls of them would not show.
        if all(course.memory_is_frozen(k) for k in range(1, steps + 1)):
            return ball(0)
        return magnitude(course.memories[steps] - course.frozen_memory(along.path))

    def right(course: Course) -> Ball:
        s0, s1, _ = known.heights()
        rate, q = course.rates.rate, unit_contraction(known.instance)
        feedback = s0 * rate * s0 * s1 * _weighted_errors(known, course, steps)
        # R D_W has R^2.
        moved = rate * s1 * known.squared_input() * _weighted_errors(known, course, steps - 1)
        series = ball(0)
        for _ in range(steps):
            series = 1 + q * series
        return (feedback + q * moved) * series

    return along.shown(f"N = {along.width}, k = {steps}", left, right)


# T3


def step_of_kernel(known: Trained, case: Node, _claimed: Bounds) -> Shown:
    """``|G_{k+1} - G_k + h e_k K_k| <= alpha^2 N^(beta-3) e_k^2 chat (..)`` at a point.

    ``chat (s0 s1^2 R^2 + chat^2 s1^2 s2 R^4 / 2)``, ``chat = cbar + D_C(k)``; k is the last step.
    """
    members = case.fields(("width", "path", "state", "memory"))
    along, memory = _along(known, members), members["memory"].number()
    instance, steps = known.instance, len(along.path) - 1
    state = read_state_of_input(members["state"], instance)

    here, where = instance.inputs[along.path[steps]], instance.inputs[state]
    known.budget.spend(4 * work_of_sum((*here, *where)))
    crossed = dot(here, where)

    def left(course: Course) -> Ball:
        place = where, ball(memory)
        if not crossed:
            # The output weights move alone, and the output is linear in them.
            return ball(0)
        change = course.output(steps + 1, place) - course.output(steps, place)
        kernel = course.kernel(steps, (here, course.memories[steps]), place)
        return magnitude(change + course.rates.step * course.errors[steps] * kernel)

    def right(course: Course) -> Ball:
        s0, s1, s2 = known.heights()
        rates, steep = course.rates, s1 * s1 * known.squared_input()
        drift = rates.rate * s0 * _absolute_errors(course, steps)
        chat = ball(largest_output_weight(instance)) + drift
        error = course.errors[steps]
        # alpha^2 N^(beta-3) = r h.
        each = s0 * steep + chat * chat * steep * s2 * known.squared_input() / 2
        return rates.rate * rates.step * error * error * chat * each

    what = f"N = {along.width}, k = {steps}, at the input of state {state}, v = {brief(memory)}"
    return along.shown(what, left, right)


# T7, T7Z


def energy(known: Trained, case: Node, _claimed: Bounds) -> Shown:
    """``h sum [psi(p_j)^2 + (1 - kappa_j) e_j^2] <= h sum y_j^2 + 2 h sum |e_j z_j|``."""
    along = _along(known, case.fields(("width", "path")))
    instance, steps = known.instance, len(along.path)

    def left(course: Course) -> Ball:
        found = ball(0)
        for j, state in enumerate(along.path):
            here = instance.inputs[state], course.memories[j]
            share = 1 - course.rates.step * course.kernel(j, here, here)
            clipped, error = course.clipped[j], course.errors[j]
            found = found + clipped * clipped + share * error * error
        return course.rates.step * found

    def right(course: Course) -> Ball:
        squares = ball(sum((instance.targets[state] ** 2 for state in along.path), Fraction(0)))
        crossed = [
            abs(course.errors[j] * _not_linear(instance, course, state, j))
            for j, state in enumerate(along.path)
        ]
        return course.rates.step * (squares + 2 * total(crossed))

    return along.shown(f"N = {along.width}, k = {steps}", left, right)


def _not_linear(instance: Instance, course: Course, state: int, step: int) -> Ball:
    """Enclose ``z_k = p_k - N^-beta sum_i [DeltaC sigma + C_k sigma' x.DeltaW]``."""
    here = instance.inputs[state], course.memories[step]
    return course.outputs[step] - course.linear_part(step, here)


def linearisation(known: Trained, case: Node, _claimed: Bounds) -> Shown:
    """``|z_k - G_0(zeta_k)| <= N^(beta-1) h^2 s1^2 R^2 M_k (s0 Ebar_k + cbar M_k s2 R^2 / 2)``."""
    along = _along(known, case.fields(("width", "path")))
    instance, steps = known.instance, len(along.path) - 1
    state = along.path[steps]

    point = instance.inputs[state]

    def left(course: Course) -> Ball:
        if not any(dot(instance.inputs[before], point) for before in along.path[:steps]):
            # W.x has not moved, and the output is linear in C.
            return ball(0)
        first = course.output(0, (point, course.memories[steps]))
        return magnitude(_not_linear(instance, course, state, steps) - first)

    def right(course: Course) -> Ball:
        s0, s1, s2 = known.heights()
        rates, square = course.rates, known.squared_input()
        weighted = _weighted_errors(known, course, steps)
        bend = ball(largest_output_weight(instance)) * weighted * s2 * square / 2
        each = s0 * _absolute_errors(course, steps) + bend
        scale = rates.power(known.training.beta - 1) * rates.step * rates.step
        return scale * s1 * s1 * square * weighted * each

    return along.shown(f"N = {along.width}, k = {steps}", left, right)
