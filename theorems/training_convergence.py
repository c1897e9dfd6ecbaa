r"""Training of a finite network: how far it moves, how near its steps are to those of the kernel.

**Setting.**  N units with weights (C, W, B) are trained online along a path of states, by the
recursion of `verification.recurrent.network`.  k counts steps, x_k and y_k are the data of step k,
v_k is the memory, ``zeta_k = (x_k, v_k)``; G_k is the output as a function of (x, v),
``p_k = G_k(zeta_k)`` and ``e_k = psi(p_k) - y_k``.  ``|.|`` is the Euclidean norm.  With
``u = W_k.x + v`` and ``u* = W_k.x* + v*`` for a unit i, write

    r = alpha N^(beta-2),   h = alpha / N,   Ebar_k = sum_{j<k} |e_j|,   Xi_k = h Ebar_k,
    K_k(zeta, zeta*) = (1/N) sum_i [sigma(u) sigma(u*) + C_k^2 sigma'(u) sigma'(u*) x.x*]:

the kernel of the network as it is.  The initial law bounds ``|C_0| <= cbar`` and
``|B_0| <= bbar``; ``R = max |x|``; s0, s1, s2 bound sigma and its derivatives; ``qbar = s1 bbar``.
The errors are those that the training makes; beforehand ``Ebar_k <= k (2 N^gamma + max |y|)``.

**Assumptions.**  The instance gives training constants; in T2 ``qbar < 1``; in T7
``N^gamma >= ybar = max |y|`` (without it T7 is false: outputs that are led beyond the clip and back
another way refute it); in T4 ``E[C | W] = 0``.

**Statements.**  For every network, every path and every step:

T1.  ``|C_k - C_0| <= D_C(k) = r s0 Ebar_k``, ``|W_k - W_0| <= D_W(k) = r s1 R M_k`` and
``|B_k - B_0| <= D_B(k) = r s0 s1 M_k`` with ``M_k = sum_{j<k} |e_j| (cbar + D_C(j))``, which is
``Ebar_k (cbar + D_C(k) / 2) - r s0 sum_{j<k} e_j^2 / 2``.

T2.  ``|v_k - v_k^0| <= (s0 D_B(k) + bbar s1 R D_W(k-1)) (1 - qbar^k) / (1 - qbar)``, where v_k^0 is
the memory of the same units with their weights frozen.

T3.  ``G_{k+1}(zeta) - G_k(zeta) = -h e_k K_k(zeta_k, zeta) + r_k`` for zeta with an input of the
chain and any memory, where, with ``chat = cbar + D_C(k)``,
``|r_k| <= alpha^2 N^(beta-3) e_k^2 chat (s0 s1^2 R^2 + chat^2 s1^2 s2 R^4 / 2)``.

T7.  ``h sum [psi(p_j)^2 + (1 - kappa_j) e_j^2] <= h sum y_j^2 + 2 h sum |e_j z_j|``, sums over
``j < k``, where ``kappa_k = h K_k(zeta_k, zeta_k)`` and, with Delta the movement since step 0,
``z_k = p_k - N^-beta sum_i [DeltaC sigma(u_k) + C_k sigma'(u_k) x_k.DeltaW]``.

T7Z.  ``|z_k - G_0(zeta_k)| <= N^(beta-1) c_e Xi_k^2``, where
``c_e = ctil s1^2 R^2 (s0 + cbar ctil s2 R^2 / 2)``, ``ctil = M_k / Ebar_k <= cbar + D_C(k) / 2``.

And for the units' law:

T4.  ``E[G_0(zeta)^2] = N^(1 - 2 beta) E[C^2 sigma(W.x + v)^2]`` at every point.

**Proof.**  T1: step j moves C by ``r |e_j sigma| <= r s0 |e_j|``, so that
``|C_j| <= cbar + D_C(j)``; it moves W by ``r |e_j C_j sigma'| |x_j| <= r s1 R |e_j| (cbar +
D_C(j))``, and B by ``r |e_j S_j|`` times a mean of ``C_j sigma'`` over the units.  As
``2 sum_{j<k} |e_j| Ebar_j = Ebar_k^2 - sum_{j<k} e_j^2``, C has moved, on average over the steps,
half as far as in the end.

T2: ``v_{k+1} - v_{k+1}^0`` is the mean over the units of
``(B_{k+1} - B_0) S_{k+1} + B_0 [sigma(W_k.x_k + v_k) - sigma(W_0.x_k + v_k^0)]``, at most
``s0 D_B(k+1) + bbar s1 R D_W(k) + qbar |v_k - v_k^0|``; and D_B, D_W increase.

T3: let ``d = (W_{k+1} - W_k).x*``, ``|d| <= r |e_k C_k| s1 R^2``.  In a step a unit's C sigma(u*)
changes by ``(C_{k+1} - C_k) sigma(u*) + C_k sigma'(u*) d``, which add up to the kernel's step; by
``(C_{k+1} - C_k) [sigma(u* + d) - sigma(u*)]``, at most ``r |e_k| s0 s1 |d|``; and by C_k times
Taylor's remainder, at most ``s2 d^2 / 2``.

T7: with ``E_k = N^(1 - 2 beta) sum_i (|DeltaC|^2 + |DeltaW|^2)`` a step is
``E_{k+1} - E_k = -2 h e_k (p_k - z_k) + h kappa_k e_k^2``.  Beyond the clip
``|psi| >= N^gamma >= ybar``, so that e_k and ``p_k - psi(p_k)`` have one sign and
``e_k p_k >= e_k psi(p_k)``; and ``2 e psi = e^2 + psi^2 - y^2``.  Sum, and drop ``E_k >= 0``.

T7Z: let ``u = W_k.x_k + v_k`` and ``d = DeltaW.x_k``, ``|d| <= R D_W(k) = N^(beta-1) ctil s1 R^2
Xi_k``.  The difference is N^-beta times the sum over the units of
``C_0 [sigma(u) - sigma(u - d) - sigma'(u) d] - DeltaC sigma'(u) d``, each at most
``cbar s2 d^2 / 2 + D_C(k) s1 |d|``.

T4: the N terms of G_0 are independent, and centred given W.

**What the verdicts establish.**  CERTIFIED, all but T4: the inequality for the networks and paths
drawn, at the steps listed.  The training is enclosed in balls and both sides are taken from it: the
left side from weights, memories and outputs, the right one from the errors alone (in T7 from e_k
and z_k).  CERTIFIED, T4: the identity at the points and widths listed, the left side summed over
all draws of the units where the law has few atoms, else multiplied out.  That training converges
to the limit equation is not established here: these are the steps of its proof.

Source: the quantities are those of Lam, Sirignano and Spiliopoulos, arXiv 2308.14555; constants and
proofs are this project's.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache, partial
from math import floor
from typing import TypeVar

from theorems.finite_width_memory import EVERY_UNIT_CONTRACTS, unit_contraction
from theorems.memory_contraction import has_constant_activation
from theorems.ode_limit import TRAINING, has_no_activation
from verification.claim import AnyClaim, Assumption, Claim, Constant, Mutant, Vacuity
from verification.enclosure.balls import (
    Ball,
    ball,
    is_narrow,
    less,
    less_equal,
    maximum,
    power,
    root,
    shown,
    square,
    total,
)
from verification.errors import NotEnclosed
from verification.instance import SCHEMA, AtomicLaw, Instance, Training
from verification.kernel.limiting import Point, forward_part, point, squared_input_bound
from verification.markov.chain import sample_path
from verification.recurrent.activation import activation
from verification.recurrent.drawn_units import drawn_units
from verification.recurrent.initial_output import mean_square_of_sum
from verification.recurrent.law import (
    bound_c,
    conditional_means_of_c,
    dot,
    has_centred_c,
    moment_of_c,
)
from verification.recurrent.memory import iterate
from verification.recurrent.network_balls import (
    BallTrajectory,
    BallUnits,
    BallVector,
    ball_rates,
    ball_vector,
    clipped_enclosure,
    inner,
    network_kernel,
    network_output,
    train_in_balls,
    width_power,
)
from verification.verdict import Relation, Truth

_WIDTHS = (2, 32)
_MOST_UPDATES = 1_024
_LEAST_STEPS = 2
_MOST_EXACT = 1_000
_SUM_WIDTHS = (2, 5)
_MOST_STATES = 3
_MEMORY = Fraction(29, 128)
_GRID = 2**10
_TINY = Fraction(1, 2**400)

# Where the second derivative of each family is largest, roughly: T3 is looked at there.
_BENDS = {
    "tanh": Fraction("0.6585"),
    "logistic": Fraction("1.317"),
    "erf": Fraction("0.7071"),
    "arctan": Fraction("0.5774"),
    "sin": Fraction("1.5708"),
}


# Assumptions, vacuities


def training_of(instance: Instance) -> Training:
    """Return the training constants."""
    if instance.training is None:
        raise ValueError(f"instance {instance.name} gives no training constants")
    return instance.training


def largest_target(instance: Instance) -> Fraction:
    """Return ``ybar = max |y|``."""
    return max(map(abs, instance.chain.targets))


def covers_targets(instance: Instance, width: int) -> Truth:
    """Decide ``N^gamma >= ybar``, exactly where gamma has a moderate denominator."""
    gamma, y = training_of(instance).gamma, largest_target(instance)
    if gamma.denominator <= _MOST_EXACT:
        holds = Fraction(width) ** gamma.numerator >= y**gamma.denominator
        return Truth.TRUE if holds else Truth.FALSE
    return less_equal(ball(y), width_power(width, gamma))


def widest_clip_covers_targets(instance: Instance) -> Truth:
    """Decide whether the clip lies beyond the targets at the largest width."""
    return covers_targets(instance, _WIDTHS[-1])


def shown_clip(instance: Instance) -> str:
    """Return the clip at the largest width and ybar for a sentence."""
    clip = width_power(_WIDTHS[-1], training_of(instance).gamma)
    return f"N^gamma = {shown(clip, 6)}, ybar = {shown(largest_target(instance), 6)}"


def output_is_centred(instance: Instance) -> Truth:
    """Decide ``E[C | W] = 0``, exactly."""
    return Truth.TRUE if has_centred_c(instance.law) else Truth.FALSE


def shown_output_mean(instance: Instance) -> str:
    """Return a value of ``E[C | W]`` other than 0 for a sentence."""
    law = instance.law
    if not isinstance(law, AtomicLaw):
        mean = moment_of_c(law, 1)
        return f"E[C] = {shown(mean, 6)}" if mean else ""
    for w, mean in conditional_means_of_c(law).items():
        if mean:
            entries = ", ".join(shown(x, 6) for x in w)
            return f"E[C | W = ({entries})] = {shown(mean, 6)}"
    return ""


def has_no_error(instance: Instance) -> bool:
    """Tell whether every e_k is 0 for an exact reason: C = 0, and all targets are."""
    return bound_c(instance.law) == 0 and largest_target(instance) == 0


def has_no_output(instance: Instance) -> bool:
    """Tell whether C = 0."""
    return bound_c(instance.law) == 0


def has_no_input(instance: Instance) -> bool:
    """Tell whether every input is 0: the output is linear in the weights that it depends on."""
    return squared_input_bound(instance) == 0


# Constants


def output_bound(instance: Instance) -> Fraction:
    """Return cbar, the largest possible |C|."""
    return bound_c(instance.law)


def input_bound(instance: Instance) -> Ball:
    """Enclose ``R = max |x|``."""
    return root(ball(squared_input_bound(instance)))


def bounds_of_activation(instance: Instance) -> tuple[Ball, Ball, Ball]:
    """Return s0, s1, s2."""
    sigma = activation(instance.activation)
    return ball(sigma.bound(0)), ball(sigma.bound(1)), ball(sigma.bound(2))


# Cases


@dataclass(frozen=True, kw_only=True)
class Network:
    """Units and a path along which they are trained; the claim is looked at after `step` steps."""

    units: AtomicLaw
    path: tuple[int, ...]
    step: int

    @property
    def width(self) -> int:
        """N."""
        return len(self.units.atoms)

    def __str__(self) -> str:
        return f"N = {self.width} drawn units, k = {self.step}"


class Weight(StrEnum):
    """What T1 bounds the movement of."""

    OUTPUT = "|C_k - C_0|"
    INPUT = "|W_k - W_0|"
    FEEDBACK = "|B_k - B_0|"


@dataclass(frozen=True, kw_only=True)
class MovedWeight(Network):
    """One of the three weights."""

    weight: Weight

    def __str__(self) -> str:
        return f"{self.weight}, {super().__str__()}"


@dataclass(frozen=True, kw_only=True)
class PlacedStep(Network):
    """The step k and a point zeta with an input of the chain."""

    place: Point

    def __str__(self) -> str:
        return f"{super().__str__()}, at {self.place}"


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """N units that are yet to be drawn, and a point."""

    width: int
    state: int
    memory: Fraction

    def __str__(self) -> str:
        return f"N = {self.width}, state {self.state}, v = {self.memory}"


Case = TypeVar("Case", bound=Network)


def _drawn_networks(
    instance: Instance, widths: Sequence[int], rng: random.Random
) -> Iterator[Network]:
    """Draw units and a path of ``floor(N T)`` steps, or as many as are cheap, for each width."""
    chain, horizon = instance.chain, training_of(instance).horizon
    for width in widths:
        count = min(max(floor(width * horizon), _LEAST_STEPS), _MOST_UPDATES // width)
        units = drawn_units(instance.law, width, rng)
        path = sample_path(chain, chain.initial, count, rng)
        yield Network(units=units, path=path, step=count)


def _bounds_something(
    instance: Instance, case: Case, bound: Callable[[Instance, Case], Ball]
) -> bool:
    """Tell whether the right side is certainly positive, and not tiny.

    Where no error has been made yet, both sides are 0, which balls do not show; where errors are
    of the order of 2^-200, no working precision tells a difference of outputs from 0.

    Raises
    ------
    NotEnclosed
        Where more precision would tell more.
    """
    value = bound(instance, case)
    if not is_narrow(value):
        raise NotEnclosed("the trajectory is not narrow at this precision")
    return less(ball(_TINY), value) is Truth.TRUE


def moved_weights(instance: Instance, rng: random.Random) -> Sequence[MovedWeight]:
    """Return each weight after half of the steps and after all."""
    cases = [
        MovedWeight(units=net.units, path=net.path, step=step, weight=weight)
        for net in _drawn_networks(instance, _WIDTHS, rng)
        for step in (net.step // 2, net.step)
        for weight in Weight
    ]
    return [case for case in cases if _bounds_something(instance, case, moved_bound)]


def moved_memories(instance: Instance, rng: random.Random) -> Sequence[Network]:
    """Return networks after an eighth of the steps, two at least, and after all."""
    # After one step both memories are the same: no weight that they use has moved.  After many
    # the bound may say no more than that memories are bounded.
    cases = [
        dataclasses.replace(net, step=step)
        for net in _drawn_networks(instance, _WIDTHS, rng)
        for step in sorted({max(net.step // 8, 2), net.step})
    ]
    return [case for case in cases if _bounds_something(instance, case, memory_bound)]


def placed_steps(instance: Instance, rng: random.Random) -> Sequence[PlacedStep]:
    """Return the first step and the last, at a bend of sigma and at a memory drawn."""
    chain, cases = instance.chain, []
    for net in _drawn_networks(instance, _WIDTHS, rng):
        for step in (0, net.step - 1):
            state = net.path[step]
            bend = point(instance, state, bend_memory(instance, net.units, state))
            other = point(
                instance, rng.randrange(chain.n_states), Fraction(rng.randrange(9) - 4, 8)
            )
            cases += [
                PlacedStep(units=net.units, path=net.path, step=step, place=place)
                for place in (bend, other)
            ]
    return [case for case in cases if _bounds_something(instance, case, remainder_bound)]


def bend_memory(instance: Instance, units: AtomicLaw, state: int) -> Fraction:
    """Return a memory at which the first unit is where the first term of sigma bends most."""
    term = instance.activation.terms[0]
    argument = (_BENDS[term.of] - term.shift) / term.scale
    memory = argument - dot(units.atoms[0].w, instance.chain.inputs[state])
    return Fraction(round(memory * _GRID), _GRID)


def trained_networks(instance: Instance, rng: random.Random) -> Sequence[Network]:
    """Return networks after all their steps whose clip lies beyond the targets."""
    widths = [n for n in _WIDTHS if covers_targets(instance, n) is Truth.TRUE]
    cases = _drawn_networks(instance, widths, rng)
    return [case for case in cases if _bounds_something(instance, case, energy_bound)]


def linearised_networks(instance: Instance, rng: random.Random) -> Sequence[Network]:
    """Return networks after half of the steps, and before the last."""
    cases = [
        dataclasses.replace(net, step=step)
        for net in _drawn_networks(instance, _WIDTHS, rng)
        for step in sorted({net.step // 2, net.step - 1})
    ]
    return [case for case in cases if _bounds_something(instance, case, linearisation_bound)]


def drawings(instance: Instance, _rng: random.Random) -> Sequence[Drawing]:
    """Return points with some of the inputs, and widths."""
    return [
        Drawing(width=width, state=state, memory=_MEMORY)
        for state in instance.chain.first_states[:_MOST_STATES]
        for width in _SUM_WIDTHS
    ]


# Left sides: from weights, memories and outputs


def _trajectory(instance: Instance, case: Network) -> BallTrajectory:
    return train_in_balls(instance, case.units, case.path)


def moved(instance: Instance, case: MovedWeight) -> Ball:
    """Enclose the largest movement of a weight over the units."""
    found = _trajectory(instance, case).moved[case.step]
    if case.weight is Weight.INPUT:
        return root(maximum(inner(row, row) for row in found.input))
    return maximum(map(abs, found.output if case.weight is Weight.OUTPUT else found.feedback))


def distance_of_memories(instance: Instance, case: Network) -> Ball:
    """Enclose ``|v_k - v_k^0|``; that of the frozen units is iterated by itself."""
    frozen = dataclasses.replace(instance, law=case.units)
    memory = iterate(frozen, case.path[: case.step], ball(0))
    return abs(_trajectory(instance, case).memories[case.step] - memory)


def step_of_output(instance: Instance, case: PlacedStep) -> tuple[Ball, Ball]:
    """Enclose ``G_{k+1} - G_k`` and ``-h e_k K_k`` at a point."""
    path, k = _trajectory(instance, case), case.step
    before, after = path.weights[k], path.weights[k + 1]
    where = ball_vector(case.place.input), ball(case.place.memory)
    change = network_output(instance, after, *where) - network_output(instance, before, *where)
    here = _place(instance, case, path)
    kernel = network_kernel(instance, before, here, where)
    return change, -ball_rates(instance, case.width).step * path.errors[k] * kernel


def _place(instance: Instance, case: Network, path: BallTrajectory) -> tuple[BallVector, Ball]:
    """Return ``zeta_k``."""
    return ball_vector(instance.chain.inputs[case.path[case.step]]), path.memories[case.step]


def remainder(instance: Instance, case: PlacedStep) -> Ball:
    """Enclose ``|r_k|``."""
    change, kernel_step = step_of_output(instance, case)
    return abs(change - kernel_step)


def energy(instance: Instance, case: Network, *, kernel: bool = True) -> Ball:
    """Enclose ``h sum [psi(p_j)^2 + (1 - kappa_j) e_j^2]``; a mutant drops kappa."""
    path, rates = _trajectory(instance, case), ball_rates(instance, case.width)
    terms = []
    for j in range(case.step):
        psi = clipped_enclosure(path.predictions[j], rates.clip)
        weight = ball(1)
        if kernel:
            weight = 1 - rates.step * _own_kernel(instance, path, case.path[j], j)
        terms.append(square(psi) + weight * square(path.errors[j]))
    return rates.step * total(terms)


@lru_cache(maxsize=256)
def _own_kernel(instance: Instance, path: BallTrajectory, state: int, k: int) -> Ball:
    """Enclose ``K^N_k(zeta_k, zeta_k)``."""
    here = ball_vector(instance.chain.inputs[state]), path.memories[k]
    return network_kernel(instance, path.weights[k], here, here)


def initial_part(instance: Instance, case: Network) -> Ball:
    """Enclose z_k: the output less what is linear in the movement of the weights."""
    return _initial_part(instance, _trajectory(instance, case), case.path[case.step], case.step)


# Trainings are kept, so that one training is one object; its precision is its own.
@lru_cache(maxsize=256)
def _initial_part(instance: Instance, path: BallTrajectory, state: int, k: int) -> Ball:
    x, memory = ball_vector(instance.chain.inputs[state]), path.memories[k]
    return path.predictions[k] - _linear_part(instance, path.weights[k], path.moved[k], x, memory)


def _linear_part(
    instance: Instance, weights: BallUnits, change: BallUnits, x: BallVector, memory: Ball
) -> Ball:
    """Enclose ``N^-beta sum_i [DeltaC^i sigma + C_k^i sigma' x.DeltaW^i]``."""
    sigma = activation(instance.activation)
    value, slope = sigma.curve(0), sigma.curve(1)
    terms = []
    for i, row in enumerate(weights.input):
        u = inner(row, x) + memory
        through_w = weights.output[i] * slope(u) * inner(change.input[i], x)
        terms.append(change.output[i] * value(u) + through_w)
    return ball_rates(instance, len(terms)).output_scale * total(terms)


def initial_output(instance: Instance, case: Network) -> Ball:
    """Enclose ``G_0(zeta_k)``."""
    path = _trajectory(instance, case)
    return network_output(instance, path.initial, *_place(instance, case, path))


def linearisation_error(instance: Instance, case: Network) -> Ball:
    """Enclose ``|z_k - G_0(zeta_k)|``."""
    return abs(initial_part(instance, case) - initial_output(instance, case))


def mean_square_output(instance: Instance, case: Drawing) -> Ball:
    """Enclose ``E[G_0(zeta)^2]`` from the mean over all draws."""
    scale = width_power(case.width, -training_of(instance).beta)
    summed = mean_square_of_sum(instance, case.width, case.state, case.memory)
    return square(scale) * summed


# Right sides: from the errors


def absolute_errors(instance: Instance, case: Network, steps: int) -> Ball:
    """Enclose ``Ebar_k``."""
    return total(map(abs, _trajectory(instance, case).errors[:steps]))


def output_drift(instance: Instance, case: Network, steps: int) -> Ball:
    """Return ``D_C(k)``."""
    s0, _, _ = bounds_of_activation(instance)
    rate = ball_rates(instance, case.width).weight_rate
    return rate * s0 * absolute_errors(instance, case, steps)


def weighted_errors(instance: Instance, case: Network, steps: int, *, moves: bool = True) -> Ball:
    """Return ``M_k``; a mutant has cbar for ``cbar + D_C(j)``."""
    s0, _, _ = bounds_of_activation(instance)
    rate = ball_rates(instance, case.width).weight_rate
    drift, found = ball(0), ball(0)
    for error in _trajectory(instance, case).errors[:steps]:
        found = found + abs(error) * (ball(output_bound(instance)) + drift)
        if moves:
            drift = drift + rate * s0 * abs(error)
    return found


def input_drift(instance: Instance, case: Network, steps: int, *, moves: bool = True) -> Ball:
    """Return ``D_W(k)``."""
    _, s1, _ = bounds_of_activation(instance)
    rate = ball_rates(instance, case.width).weight_rate
    return rate * s1 * input_bound(instance) * weighted_errors(instance, case, steps, moves=moves)


def feedback_drift(instance: Instance, case: Network, steps: int, *, moves: bool = True) -> Ball:
    """Return ``D_B(k)``."""
    s0, s1, _ = bounds_of_activation(instance)
    rate = ball_rates(instance, case.width).weight_rate
    return rate * s0 * s1 * weighted_errors(instance, case, steps, moves=moves)


def moved_bound(
    instance: Instance,
    case: MovedWeight,
    *,
    moves: bool = True,
    slope: bool = False,
    own: bool = False,
) -> Ball:
    """Return the bound of T1.

    Mutants let C stay in the bounds of W and B (`moves`), bound the movement of C by s1 in place
    of s0 (`slope`), or that of B by its own part of the output, 1/N of it (`own`).
    """
    if case.weight is Weight.OUTPUT:
        s0, s1, _ = bounds_of_activation(instance)
        drift = output_drift(instance, case, case.step)
        return drift * s1 / s0 if slope else drift
    if case.weight is Weight.INPUT:
        return input_drift(instance, case, case.step, moves=moves)
    drift = feedback_drift(instance, case, case.step, moves=moves)
    return drift / case.width if own else drift


def memory_bound(
    instance: Instance, case: Network, *, summed: bool = True, feedback: bool = True
) -> Ball:
    """Return ``(s0 D_B(k) + bbar s1 R D_W(k-1)) (1 - qbar^k) / (1 - qbar)``.

    Mutants divide by nothing (`summed`), or forget that B moves (`feedback`).
    """
    s0, _, _ = bounds_of_activation(instance)
    q, k = ball(unit_contraction(instance)), case.step
    each = q * input_bound(instance) * input_drift(instance, case, k - 1)
    if feedback:
        each = each + s0 * feedback_drift(instance, case, k)
    grown = each * (1 - power(q, k))
    return grown / (1 - q) if summed else grown


def remainder_bound(instance: Instance, case: Network, *, half: Fraction = Fraction(1, 2)) -> Ball:
    """Return ``alpha^2 N^(beta-3) e_k^2 chat (s0 s1^2 R^2 + chat^2 s1^2 s2 R^4 / 2)``.

    A mutant has another factor in place of 1/2.
    """
    s0, s1, s2 = bounds_of_activation(instance)
    training, k = training_of(instance), case.step
    r2 = ball(squared_input_bound(instance))
    chat = ball(output_bound(instance)) + output_drift(instance, case, k)
    each = s0 * square(s1) * r2 + ball(half) * square(chat) * square(s1) * s2 * square(r2)
    rate = ball(training.alpha**2) * width_power(case.width, training.beta - 3)
    return rate * square(_trajectory(instance, case).errors[k]) * chat * each


def energy_bound(instance: Instance, case: Network, *, initial: int = 2) -> Ball:
    """Return ``h sum y_j^2 + 2 h sum |e_j z_j|``; mutants have 1 or 0 in place of 2."""
    targets = instance.chain.targets
    squares = sum((targets[state] ** 2 for state in case.path[: case.step]), Fraction(0))
    path = _trajectory(instance, case)
    crossed = total(
        abs(path.errors[j] * _initial_part(instance, path, case.path[j], j))
        for j in range(case.step)
    )
    return ball_rates(instance, case.width).step * (ball(squares) + initial * crossed)


def linearisation_bound(
    instance: Instance, case: Network, *, moves: bool = True, output: bool = True
) -> Ball:
    """Return ``N^(beta-1) c_e Xi_k^2``.

    Written with ``ctil Ebar_k = M_k``, it has no quotient.  Mutants let C stay where W is moved
    (`moves`), or forget that it moves (`output`).
    """
    s0, s1, s2 = bounds_of_activation(instance)
    rates, k = ball_rates(instance, case.width), case.step
    r2 = ball(squared_input_bound(instance))
    weighted = weighted_errors(instance, case, k, moves=moves)
    each = ball(output_bound(instance)) * weighted * s2 * r2 / 2
    if output:
        each = each + s0 * absolute_errors(instance, case, k)
    scale = width_power(case.width, training_of(instance).beta - 1)
    return scale * square(rates.step) * square(s1) * r2 * weighted * each


def mean_square_of_a_unit(
    instance: Instance,
    case: Drawing,
    *,
    exponent: tuple[int, int] = (1, -2),
    bounded: bool = False,
) -> Ball:
    """Return ``N^(1 - 2 beta) E[C^2 sigma(W.x + v)^2]``.

    Mutants have another exponent ``a + b beta``, or ``cbar^2`` in place of C^2 (`bounded`).
    """
    law, spec = instance.law, instance.activation
    where = point(instance, case.state, case.memory)
    bound = ball(output_bound(instance) ** 2)
    if isinstance(law, AtomicLaw):
        sigma = activation(spec)
        found = total(
            ball(atom.p)
            * (bound if bounded else ball(atom.c**2))
            * square(sigma.derivative(0, ball(dot(atom.w, where.input) + case.memory)))
            for atom in law.atoms
        )
    else:
        factor = bound if bounded else ball(moment_of_c(law, 2))
        found = factor * forward_part(spec, law, where, where)
    constant, slope = exponent
    return width_power(case.width, constant + slope * training_of(instance).beta) * found


# What holds without the theorems


def both_memories(instance: Instance, case: Network) -> Ball:
    """Return ``s0`` times the mean of |B_k| and that of |B_0|, which bound the two memories."""
    s0, _, _ = bounds_of_activation(instance)
    path = _trajectory(instance, case)
    sizes = (total(map(abs, b)) for b in (path.weights[case.step].feedback, path.initial.feedback))
    return s0 * total(sizes) / case.width


def both_changes(instance: Instance, case: PlacedStep) -> Ball:
    """Return ``|G_{k+1} - G_k| + |h e_k K_k|``."""
    return total(map(abs, step_of_output(instance, case)))


def largest_energy(instance: Instance, case: Network) -> Ball:
    """Return ``h k [4 N^(2 gamma) + (2 N^gamma + ybar)^2]``: psi and e are bounded."""
    rates = ball_rates(instance, case.width)
    error = 2 * rates.clip + ball(largest_target(instance))
    return rates.step * case.step * (4 * square(rates.clip) + square(error))


def both_outputs(instance: Instance, case: Network) -> Ball:
    """Return ``|z_k| + |G_0(zeta_k)|``."""
    return abs(initial_part(instance, case)) + abs(initial_output(instance, case))


# The claims

CLIP = Assumption(
    text="N^gamma >= ybar at the width N = 32 that is trained",
    holds=widest_clip_covers_targets,
    offending=shown_clip,
)
CENTRED_OUTPUT = Assumption(
    text="E[C | W] = 0", holds=output_is_centred, offending=shown_output_mean
)
NOTHING_TO_TRAIN = Vacuity(
    reason="C = 0 and every target is 0: no error is ever made", holds=has_no_error
)
NO_SIGMA = Vacuity(
    reason="the activation's terms cancel: sigma is 0, and no weight moves",
    holds=has_no_activation,
)
FLAT = Vacuity(
    reason="sigma is constant: only the output weights move, and the output is linear in them",
    holds=has_constant_activation,
)
NO_INPUT = Vacuity(
    reason="every input is 0: the output depends on the output weights alone, linearly",
    holds=has_no_input,
)
CBAR = Constant(
    symbol="cbar", meaning="largest output weight", formula=r"\bar c", value=output_bound
)
INPUT_BOUND = Constant(
    symbol="R", meaning="largest input", formula=r"R = \max_i |x_i|", value=input_bound
)
QBAR = Constant(
    symbol="qbar",
    meaning="contraction factor of every unit",
    formula=r"\bar q = s_1 \bar b",
    value=unit_contraction,
)
PAPER = "Lam, Sirignano and Spiliopoulos (arXiv 2308.14555); constants of this project"
OWN = "this project"
EVERY_PATH = (
    "CERTIFIED: the inequality for the networks and paths drawn, at the steps listed; {} "
    "The trajectory is enclosed in balls, and both sides are taken from it."
)

T1: Claim[Instance, MovedWeight] = Claim(
    id="T1",
    theorem="training_convergence",
    title="Weights move little: training is lazy",
    statement=(
        "|C_k − C_0| ≤ D_C(k) = r s₀ Ē_k, |W_k − W_0| ≤ r s₁ R M_k and |B_k − B_0| ≤ r s₀ s₁ M_k, "
        "where r = αN^(β−2), Ē_k = Σ_{j<k} |e_j| and M_k = Σ_{j<k} |e_j| (c̄ + D_C(j)) "
        "≤ Ē_k (c̄ + D_C(k)/2)."
    ),
    formula=(
        r"|C_k - C_0| \le D_C(k) = r s_0 \bar E_k, \quad |W_k - W_0| \le r s_1 R M_k, \quad "
        r"|B_k - B_0| \le r s_0 s_1 M_k, \quad r = \alpha N^{\beta - 2}, \quad "
        r"M_k = \sum_{j < k} |e_j| (\bar c + D_C(j))"
    ),
    kind=SCHEMA,
    assumptions=(TRAINING,),
    constants=(CBAR, INPUT_BOUND),
    vacuities=(NOTHING_TO_TRAIN, NO_SIGMA),
    cases=moved_weights,
    left=moved,
    right=moved_bound,
    proof=(
        "Each step moves C by at most r s₀|e_j|, so that |C_j| ≤ c̄ + D_C(j), and W and B by at "
        "most r s₁R, r s₀s₁ times |e_j| (c̄ + D_C(j)). On average over the steps C has moved half "
        "as far as in the end."
    ),
    establishes=EVERY_PATH.format("left the weight that moved most, right the errors."),
    source=PAPER,
    uses=("A1",),
    sharp=("sharp-moving-weights",),
    mutants=(
        Mutant(
            name="output-weight-stays",
            error="c̄ + D_C(j) replaced by c̄ in the bounds of W and B",
            refuted_on=("sharp-moving-weights",),
            right=partial(moved_bound, moves=False),
        ),
        Mutant(
            name="slope-for-height",
            error="s₀ replaced by s₁ in the bound of C",
            refuted_on=("sharp-moving-weights",),
            right=partial(moved_bound, slope=True),
        ),
        Mutant(
            name="own-share",
            error="the sum over all units in the movement of B replaced by one term",
            refuted_on=("sharp-moving-weights",),
            right=partial(moved_bound, own=True),
        ),
    ),
)

T2: Claim[Instance, Network] = Claim(
    id="T2",
    theorem="training_convergence",
    title="The memory follows that of the frozen network",
    statement=(
        "|v_k − v_k⁰| ≤ (s₀ D_B(k) + b̄ s₁ R D_W(k−1)) (1 − q̄^k)/(1 − q̄), v⁰ the memory of the same "
        "units with their weights frozen, D_B and D_W as in T1."
    ),
    formula=(
        r"|v_k - v_k^0| \le \left(s_0 D_B(k) + \bar b s_1 R\, D_W(k - 1)\right) "
        r"\frac{1 - \bar q^k}{1 - \bar q}"
    ),
    kind=SCHEMA,
    assumptions=(TRAINING, EVERY_UNIT_CONTRACTS),
    constants=(CBAR, INPUT_BOUND, QBAR),
    vacuities=(NOTHING_TO_TRAIN, NO_SIGMA, FLAT),
    cases=moved_memories,
    left=distance_of_memories,
    right=memory_bound,
    trivial=both_memories,
    proof=(
        "A step adds the movement of B, times s₀, and that of σ, at most s₁(R D_W + |v_k − v_k⁰|), "
        "times b̄; sum the geometric series."
    ),
    establishes=EVERY_PATH.format("the frozen memory is iterated by itself."),
    source=PAPER,
    uses=("A1", "T1"),
    sharp=("sharp-drift",),
    mutants=(
        Mutant(
            name="not-summed",
            error="the factor 1/(1 − q̄) dropped",
            refuted_on=("sharp-drift",),
            right=partial(memory_bound, summed=False),
        ),
        Mutant(
            name="feedback-stays",
            error="the movement of B dropped",
            refuted_on=("sharp-moving-weights",),
            right=partial(memory_bound, feedback=False),
        ),
    ),
)

T3: Claim[Instance, PlacedStep] = Claim(
    id="T3",
    theorem="training_convergence",
    title="A step of training is a step of the kernel",
    statement=(
        "G_{k+1}(ζ) − G_k(ζ) = −(α/N) e_k K_k(ζ_k, ζ) + r_k with "
        "|r_k| ≤ α² N^(β−3) e_k² ĉ (s₀s₁²R² + ĉ² s₁²s₂R⁴/2), K_k the network's kernel as it is, "
        "ĉ = c̄ + D_C(k), D_C as in T1."
    ),
    formula=(
        r"\left|G_{k+1}(\zeta) - G_k(\zeta) + \tfrac{\alpha}{N} e_k K_k(\zeta_k, \zeta)\right| "
        r"\le \alpha^2 N^{\beta - 3} e_k^2\, \hat c "
        r"\left(s_0 s_1^2 R^2 + \tfrac12 \hat c^2 s_1^2 s_2 R^4\right)"
    ),
    kind=SCHEMA,
    assumptions=(TRAINING,),
    constants=(CBAR, INPUT_BOUND),
    vacuities=(NOTHING_TO_TRAIN, NO_SIGMA, FLAT, NO_INPUT),
    cases=placed_steps,
    left=remainder,
    right=remainder_bound,
    trivial=both_changes,
    proof=(
        "To first order the change of a unit's Cσ makes the kernel. What is left: the movement of "
        "C times that of σ, and Taylor's remainder of σ."
    ),
    establishes=EVERY_PATH.format(
        "at the current point and where σ bends most; the remainder is a difference of outputs."
    ),
    source=PAPER,
    uses=("A1", "T1"),
    sharp=("sharp-drift",),
    mutants=(
        Mutant(
            name="quarter",
            error="1/2 replaced by 1/4 in Taylor's remainder",
            refuted_on=("sharp-drift",),
            right=partial(remainder_bound, half=Fraction(1, 4)),
        ),
        Mutant(
            name="linear-in-w",
            error="Taylor's remainder dropped",
            refuted_on=("sharp-drift",),
            right=partial(remainder_bound, half=Fraction(0)),
        ),
    ),
)

T4: Claim[Instance, Drawing] = Claim(
    id="T4",
    theorem="training_convergence",
    title="The output before training",
    statement="E[G_0(ζ)²] = N^(1−2β) E[C² σ(W·x + v)²].",
    formula=(
        r"\mathbb{E}[G_0(\zeta)^2] = N^{1 - 2 \beta}\, "
        r"\mathbb{E}\left[C^2 \sigma(W \cdot x + v)^2\right]"
    ),
    kind=SCHEMA,
    assumptions=(TRAINING, CENTRED_OUTPUT),
    constants=(CBAR,),
    vacuities=(
        NO_SIGMA,
        Vacuity(reason="C = 0: there is no output", holds=has_no_output),
    ),
    cases=drawings,
    left=mean_square_output,
    right=mean_square_of_a_unit,
    relation=Relation.EQUAL,
    proof="The N terms of G_0 are independent, and centred given W.",
    establishes=(
        "CERTIFIED: the identity at the points and widths listed; for few atoms left the sum over "
        "all draws of the units, else the square multiplied out; right one unit's mean."
    ),
    source=PAPER,
    uses=("A1", "A2"),
    sharp=("rain-tel-aviv", "markov-onegin"),
    mutants=(
        Mutant(
            name="exponent",
            error="N^(1−2β) replaced by N^(1−β)",
            refuted_on=("rain-tel-aviv", "markov-onegin"),
            right=partial(mean_square_of_a_unit, exponent=(1, -1)),
        ),
        Mutant(
            name="all-pairs",
            error="N^(1−2β) replaced by N^(2−2β), as if no terms cancelled",
            refuted_on=("rain-tel-aviv", "markov-onegin"),
            right=partial(mean_square_of_a_unit, exponent=(2, -2)),
        ),
        Mutant(
            name="bound-for-square",
            error="C² replaced by c̄²",
            refuted_on=("rain-tel-aviv", "markov-onegin"),
            right=partial(mean_square_of_a_unit, bounded=True),
        ),
    ),
)

T7: Claim[Instance, Network] = Claim(
    id="T7",
    theorem="training_convergence",
    title="Energy: the errors of a training are bounded by its targets",
    statement=(
        "Where N^γ ≥ ȳ, h Σ [ψ(p_j)² + (1 − κ_j) e_j²] ≤ h Σ y_j² + 2h Σ |e_j z_j|, with h = α/N, "
        "κ_j = h K_j(ζ_j, ζ_j) and z_j = p_j − N^−β Σ_i [ΔC σ + C_j σ′ x·ΔW], the output less what "
        "is linear in the movement of C and W since the start."
    ),
    formula=(
        r"h \sum_{j < k} \left[\psi(p_j)^2 + (1 - \kappa_j) e_j^2\right] \le "
        r"h \sum_{j < k} y_j^2 + 2 h \sum_{j < k} |e_j z_j|"
    ),
    kind=SCHEMA,
    assumptions=(TRAINING, CLIP),
    constants=(CBAR, INPUT_BOUND),
    vacuities=(NOTHING_TO_TRAIN, NO_SIGMA),
    cases=trained_networks,
    left=energy,
    right=energy_bound,
    trivial=largest_energy,
    proof=(
        "With E_k = N^(1−2β) Σ (|ΔC|² + |ΔW|²) a step is E_{k+1} − E_k = −2h e(p − z) + hκe²; "
        "e p ≥ e ψ(p) beyond the clip, and 2eψ = e² + ψ² − y². Sum, and drop E_k ≥ 0."
    ),
    establishes=EVERY_PATH.format("left outputs and kernels, right errors and the parts z_j."),
    source=OWN,
    sharp=("sharp-energy", "mutant-initial-output"),
    mutants=(
        Mutant(
            name="no-step-size",
            error="κ dropped",
            refuted_on=("sharp-energy",),
            left=partial(energy, kernel=False),
        ),
        Mutant(
            name="initial-output-halved",
            error="2h Σ|e_j z_j| replaced by h Σ|e_j z_j|",
            refuted_on=("mutant-initial-output",),
            right=partial(energy_bound, initial=1),
        ),
        Mutant(
            name="no-initial-output",
            error="2h Σ|e_j z_j| dropped",
            refuted_on=("mutant-initial-output",),
            right=partial(energy_bound, initial=0),
        ),
    ),
)

T7Z: Claim[Instance, Network] = Claim(
    id="T7Z",
    theorem="training_convergence",
    title="What is not linear in the weights' movement is nearly the initial output",
    statement=(
        "|z_k − G_0(ζ_k)| ≤ N^(β−1) c_e Ξ_k² with z_k as in T7, Ξ_k = h Ē_k, "
        "c_e = c̃ s₁²R² (s₀ + c̄ c̃ s₂R²/2) and c̃ = M_k/Ē_k ≤ c̄ + D_C(k)/2, M_k as in T1."
    ),
    formula=(
        r"|z_k - G_0(\zeta_k)| \le N^{\beta - 1} c_e \Xi_k^2, \quad \Xi_k = h \bar E_k, \quad "
        r"c_e = \tilde c\, s_1^2 R^2 \left(s_0 + \tfrac12 \bar c\, \tilde c\, s_2 R^2\right), "
        r"\quad \tilde c = M_k / \bar E_k"
    ),
    kind=SCHEMA,
    assumptions=(TRAINING,),
    constants=(CBAR, INPUT_BOUND),
    vacuities=(NOTHING_TO_TRAIN, NO_SIGMA, FLAT, NO_INPUT),
    cases=linearised_networks,
    left=linearisation_error,
    right=linearisation_bound,
    trivial=both_outputs,
    proof=(
        "The difference is N^−β times a sum over the units of Taylor's remainder of C_0σ, and of "
        "the movement of C times that of σ; T1 bounds both movements."
    ),
    establishes=EVERY_PATH.format("left weights and outputs, right the errors."),
    source=OWN,
    uses=("A1", "T1"),
    sharp=("sharp-moving-weights",),
    mutants=(
        Mutant(
            name="output-weight-stays",
            error="c̃ replaced by c̄",
            refuted_on=("sharp-moving-weights",),
            right=partial(linearisation_bound, moves=False),
        ),
        Mutant(
            name="only-taylor",
            error="s₀ dropped: only Taylor's remainder of σ counted",
            refuted_on=("sharp-moving-weights",),
            right=partial(linearisation_bound, output=False),
        ),
    ),
)

CLAIMS: tuple[AnyClaim, ...] = (T1, T2, T3, T4, T7, T7Z)
