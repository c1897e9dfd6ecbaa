r"""The limiting kernel: its size and smoothness, Gram matrices, and networks that are drawn.

**Setting.**  A unit is a draw of (C, W, B).  At two points of input and memory, ``zeta = (x, v)``
and ``zeta' = (x', v')``, x and x' inputs of the chain and v and v' any numbers,

    K(zeta, zeta') = E[sigma(W.x + v) sigma(W.x' + v')
                       + C^2 sigma'(W.x + v) sigma'(W.x' + v') x.x'].

The first part comes from training the output weights C, the second from training W; what training
B adds vanishes in the limit.  R is the largest |x|; s0, s1, s2 are the suprema of |sigma| and of
its derivatives.

**Statements.**
K1.  Where ``E[C^2 F(W)] = E[C^2] E[F(W)]`` for every F (C and W independent, say):
``|K(zeta, zeta')| <= Kbar = sup_u (sigma(u)^2 + E[C^2] R^2 sigma'(u)^2)``.
K2.  A symmetric matrix G, n by n, with ``|G_ij - K(zeta_i, zeta_j)| <= eps`` has no eigenvalue
below ``-n eps``.
K3.  (a) `verification.kernel.features` errs in no entry of a Gram matrix by more than it says.
(b) For normal W with standard deviation s in each coordinate: W.x and W.x' are functions of one
standard normal variable where x and x' are parallel, and else of two, of which the second adds to
W.x' alone.  The trapezoidal rule of step h in each variable errs by at most ``S E`` for one and by
at most ``S E (2 + E)`` for two, where for any a > 0 in whose strips sigma is analytic

    E = 2 exp(a^2 / 2) / (exp(2 pi a / h) - 1),    S = m_0 m'_0 + E[C^2] |x.x'| m_1 m'_1,

m_k the bound of sigma's k-th derivative where the imaginary part is at most ``a s |x|``, and m'_k
where it is at most a times what one unit of either variable adds to W.x'.
K4.  For N drawn units, ``K^N(zeta, zeta') = N^-1 sum_i Y_i``, ``Y = sigma(W.x + v) sigma(W.x' + v')
+ C^2 sigma'(W.x + v) sigma'(W.x' + v') x.x'``: ``E[(K^N - K)^2] = Var(Y) / N``.
K5.  For any law of (C, W): ``|K((x, v), zeta') - K((x, w), zeta')| <= L_K |v - w|``,
``L_K = s0 s1 + E[C^2] s1 s2 R^2``.

**Proof.**  K1: K is the inner product in L2 of the random vectors ``(sigma, C sigma' x)``, so that
``K(zeta, zeta')^2 <= K(zeta, zeta) K(zeta', zeta')`` (Cauchy and Schwarz); and ``K(zeta, zeta)`` is
the mean of ``sigma(U)^2 + E[C^2] |x|^2 sigma'(U)^2``, U = W.x + v, of which Kbar is the supremum.
Without the assumption large C^2 may sit where sigma' is large.
K2: the matrix of K is one of inner products, hence positive semidefinite; G differs from it by a
symmetric matrix with entries of size at most eps, whose norm is at most ``n eps`` (Weyl).
K3 (b): for one variable this is theorem 5.1 of Trefethen and Weideman (SIAM Review 56, 2014) with
``|phi(z + ib)| = phi(z) exp(b^2 / 2)``.  For two, with the means E_i over one variable and their
rules Q_i, ``E_1 E_2 - Q_1 Q_2 = (E_1 - Q_1) E_2 + Q_1 (E_2 - Q_2)``: the first at most ``S E``, the
second ``S E`` times the sum of the weights of Q_1, which is at most ``1 + E`` (the case F = 1).
K4: the Y_i are independent and have mean K.
K5: the derivative in v is ``E[sigma'(.) sigma(.) + C^2 sigma''(.) sigma'(.) x.x']``.

**What the verdicts establish.**  CERTIFIED: the inequality or identity at the points drawn, and
where it is thought to be tightest; not a proof for all points.  K2: also for matrices moved away
from the doubles computed, by a known amount along an eigenvector, or in all entries.  K4: for N up
to 3, and for inputs that one variable carries where W is continuous.

The left sides take A1 and A2 for granted, as those of M1 do: these bound errors of quadrature.  The
enclosure of K for normal W rests on the bound that K3 (b) states, at steps where it is far below
every digit that matters.

Source: the kernel is that of Lam, Sirignano and Spiliopoulos, arXiv 2308.14555, section 2; bounds,
constants and error formulas are this project's.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from verification.claim import AnyClaim, Assumption, Claim, Constant, Mutant, Number, Vacuity
from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    end_points,
    maximum,
    pi,
    shown,
    square,
)
from verification.enclosure.doubles import nearest
from verification.enclosure.eigenvalue import least_eigenvalue
from verification.enclosure.matrix import Matrix
from verification.enclosure.numbers import times
from verification.enclosure.supremum import maximiser_estimate
from verification.errors import NotEnclosed
from verification.instance import (
    SCHEMA,
    AtomicLaw,
    Instance,
    Law,
    Normal,
    ProductLaw,
)
from verification.kernel.computed_gram import computed_gram, gram_in_doubles
from verification.kernel.drawn import (
    adds_to_a_cosine,
    draws_one_value,
    mean_squared_distance,
    most_units,
)
from verification.kernel.limiting import (
    Point,
    backward_part,
    forward_part,
    kernel,
    kernel_bound,
    kernel_slope_bound,
    point,
    squared_input_bound,
)
from verification.kernel.trapezoidal import directions, strip_widths, trapezoidal_kernel
from verification.kernel.variance import mean_of_products, unit_variance
from verification.recurrent.activation import activation
from verification.recurrent.law import (
    centre_of_w,
    dot,
    has_free_square_of_c,
    masses_of_w,
    moment_of_c,
)
from verification.verdict import EvidenceKind, Relation, Truth

_STATES_TRIED = 3
_DRAWN_PAIRS = 3
_GRID_POINTS = 12
_DRAWN_POINTS = 10
_FEW_POINTS = 6
_WIDEST = Fraction(2)
_FAR = Fraction(2**20)
_MOVE = Fraction(1, 256)
_PUSH = Fraction(1, 1024)
_STEPS = (Fraction(2), Fraction(3, 2))
_SMALLEST_STEPS = {True: Fraction(1, 256), False: Fraction(1, 4)}


# Assumptions, vacuities


def has_free_square(instance: Instance) -> Truth:
    """Decide ``E[C^2 F(W)] = E[C^2] E[F(W)]`` for every F, exactly."""
    return Truth.TRUE if has_free_square_of_c(instance.law) else Truth.FALSE


def shown_conditional_square(instance: Instance) -> str:
    """Name a value of W on which the mean of C^2 is farthest from ``E[C^2]``."""
    law = instance.law
    mean = moment_of_c(law, 2)
    if not isinstance(law, AtomicLaw):
        return f"E[C^2] = {shown(mean, 6)}"
    conditional = {w: square_mass / mass for w, (mass, square_mass) in masses_of_w(law).items()}
    w = max(conditional, key=lambda key: abs(conditional[key] - mean))
    where = ", ".join(shown(x, 6) for x in w)
    return f"E[C^2 | W = ({where})] = {shown(conditional[w], 6)} and E[C^2] = {shown(mean, 6)}"


def has_constant_activation(instance: Instance) -> bool:
    """Tell whether sigma is a constant: then so is K."""
    return activation(instance.activation).is_constant()


def has_no_backward_part(instance: Instance) -> bool:
    """Tell whether ``E[C^2] R^2 = 0``: then ``K = E[sigma sigma]``, which s0^2 bounds."""
    return not mean_squared_lever(instance)


def every_unit_is_alike(instance: Instance) -> bool:
    """Tell whether all units have one W.x, and one C^2 unless x = 0, for every input x."""
    return all(draws_one_value(instance.law, x, x) for x in set(instance.chain.inputs))


# Constants


def mean_squared_lever(instance: Instance) -> Fraction:
    """Return ``E[C^2] R^2``."""
    return moment_of_c(instance.law, 2) * squared_input_bound(instance)


# Cases


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two points: states of the chain, and memories."""

    state: int
    memory: Fraction
    other: int
    other_memory: Fraction

    def points(self, instance: Instance) -> tuple[Point, Point]:
        """Return both points."""
        return (
            point(instance, self.state, self.memory),
            point(instance, self.other, self.other_memory),
        )

    def __str__(self) -> str:
        memories = f"v = {shown(self.memory, 6)} and {shown(self.other_memory, 6)}"
        return f"states {self.state} and {self.other}, {memories}"


@dataclass(frozen=True, kw_only=True)
class Move:
    """A point whose memory moves by a positive amount, beside another one."""

    start: Pair
    by: Fraction

    def __str__(self) -> str:
        return f"{self.start}, the first moved by {shown(self.by, 6)}"


@dataclass(frozen=True, kw_only=True)
class PushedGram:
    """Points whose computed Gram matrix is moved by ``-push`` times ``sign_i sign_j``."""

    points: tuple[Point, ...]
    signs: tuple[int, ...]
    push: Fraction

    def __str__(self) -> str:
        where = "every entry" if len(set(self.signs)) == 1 else "entries along an eigenvector"
        return f"{len(self.points)} points, {where} lowered by {shown(self.push, 3)}"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of the Gram matrix of many points."""

    points: tuple[Point, ...]
    row: int
    column: int

    def __str__(self) -> str:
        return f"entry ({self.row}, {self.column}) of {len(self.points)} points"


@dataclass(frozen=True, kw_only=True)
class CoarseRule:
    """The trapezoidal rule of a large step for one value of the kernel."""

    pair: Pair
    step: Fraction

    def __str__(self) -> str:
        return f"rule of step {shown(self.step, 6)}, {self.pair}"


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A number of units to draw, and two points."""

    pair: Pair
    units: int

    def __str__(self) -> str:
        return f"N = {self.units}, {self.pair}"


def extreme_pairs(instance: Instance, rng: random.Random) -> Sequence[Pair]:
    """Return pairs at which K should be largest, saturated ones and random ones."""
    states = _some_states(instance, rng)
    first = states[0]
    lever = ball(mean_squared_lever(instance))
    sigma = activation(instance.activation)
    best = _argument_of_largest(
        instance,
        lambda u: square(sigma.derivative(0, u)) + lever * square(sigma.derivative(1, u)),
    )
    where = best - _middle(instance, first)
    pairs = [
        Pair(state=first, memory=where, other=first, other_memory=other_memory)
        for other_memory in (where, Fraction(0))
    ]
    pairs += [
        Pair(state=first, memory=far, other=states[-1], other_memory=far) for far in (_FAR, -_FAR)
    ]
    pairs.append(Pair(state=first, memory=_FAR, other=first, other_memory=-_FAR))
    return [*pairs, *(_drawn_pair(states, rng) for _ in range(_DRAWN_PAIRS))]


def memory_moves(instance: Instance, rng: random.Random) -> Sequence[Move]:
    """Return moves of a memory where K should be steepest, about 0, and random ones."""
    states = _some_states(instance, rng)
    first, last = states[0], states[-1]
    sigma = activation(instance.activation)
    middle = _middle(instance, first)
    steep, bent = (
        _argument_of_largest(instance, partial(sigma.derivative, order)) - middle
        for order in (1, 2)
    )
    ends = [(first, steep, _FAR), (first, steep, -_FAR), (first, bent, steep), (last, bent, steep)]
    pairs = [
        Pair(state=first, memory=memory - _MOVE / 2, other=other, other_memory=other_memory)
        for other, memory, other_memory in ends
    ]
    pairs += [
        Pair(state=i, memory=-_MOVE / 2, other=j, other_memory=Fraction(0))
        for i, j in ((first, last), (last, first))
    ]
    moves = [Move(start=pair, by=_MOVE) for pair in pairs]
    return moves + [
        Move(start=_drawn_pair(states, rng), by=Fraction(rng.randint(1, 128), 64))
        for _ in range(_DRAWN_PAIRS)
    ]


def pushed_grams(instance: Instance, rng: random.Random) -> Sequence[PushedGram]:
    """Return a grid and random points, each moved as little as matters, and by a known amount."""
    cases = []
    sets = _point_sets(instance, rng)
    if not _has_features(instance, sets[0]):
        sets = (sets[0][:_FEW_POINTS],)
    for points in sets:
        matrix, error = computed_gram(instance, points)
        least, vector = _least_eigenpair_estimate(matrix)
        signs = tuple(1 if x >= 0 else -1 for x in vector)
        # By as much as makes the least eigenvalue negative, where it is positive.
        needed = 2 * max(least, 0.0) / sum(map(abs, vector)) ** 2 + 16 * float(error)
        cases.append(PushedGram(points=points, signs=signs, push=Fraction(needed)))
        cases.append(PushedGram(points=points, signs=(1,) * len(points), push=_PUSH))
    return cases


def entries_and_rules(instance: Instance, rng: random.Random) -> Sequence[Entry | CoarseRule]:
    """Return entries of a computed matrix and, for normal W, coarse rules for one value of K."""
    cases: list[Entry | CoarseRule] = []
    points = _point_sets(instance, rng)[1]
    if _has_features(instance, points):
        pairs = [(row, rng.randrange(len(points))) for row in rng.sample(range(len(points)), 3)]
        cases += [Entry(points=points, row=i, column=j) for i, j in [*pairs, pairs[0][:1] * 2]]
    return cases + _coarse_rules(instance, rng)


def drawings(instance: Instance, rng: random.Random) -> Sequence[Drawing]:
    """Return pairs of points and numbers of units for which a mean over all draws is feasible."""
    states = _some_states(instance, rng)
    law, inputs = instance.law, instance.chain.inputs
    cases, refused = [], False
    for state, other in [(i, i) for i in states] + [(states[0], j) for j in states[1:]]:
        # Odd over two powers of 2: no reflection, nor exchange of the points, makes units agree.
        memory, other_memory = (Fraction(2 * rng.randint(-n, n - 1) + 1, 2 * n) for n in (32, 64))
        pair_of_inputs = inputs[state], inputs[other]
        if draws_one_value(law, *pair_of_inputs) or adds_to_a_cosine(
            instance.activation, law, *pair_of_inputs
        ):
            continue
        most = most_units(instance.activation, law, inputs[state], inputs[other])
        refused = refused or not most
        pair = Pair(state=state, memory=memory, other=other, other_memory=other_memory)
        cases += [Drawing(pair=pair, units=units) for units in sorted({min(most, 2), most} - {0})]
    if refused and not cases:
        raise NotEnclosed("a mean over all draws of one unit has too many terms")
    return cases


def _some_states(instance: Instance, rng: random.Random) -> list[int]:
    """Return a state of largest input and up to two more, with distinct inputs."""
    inputs = instance.chain.inputs
    first = {x: state for state, x in reversed(list(enumerate(inputs)))}
    states = sorted(first.values(), key=lambda state: -dot(inputs[state], inputs[state]))
    return [states[0], *rng.sample(states[1:], min(_STATES_TRIED, len(states)) - 1)]


def _drawn_pair(states: Sequence[int], rng: random.Random) -> Pair:
    return Pair(
        state=rng.choice(states),
        memory=Fraction(rng.randint(-128, 128), 64),
        other=rng.choice(states),
        other_memory=Fraction(rng.randint(-128, 128), 64),
    )


def _middle(instance: Instance, state: int) -> Fraction:
    """Return the mean of W.x."""
    law, x = instance.law, instance.chain.inputs[state]
    if isinstance(law, AtomicLaw):
        return sum((atom.p * dot(atom.w, x) for atom in law.atoms), Fraction(0))
    return dot(centre_of_w(law), x)


def _argument_of_largest(instance: Instance, function: Callable[[Ball], Ball]) -> Fraction:
    reach = activation(instance.activation).compact_range()
    return maximiser_estimate(function, -reach, reach)


def _point_sets(instance: Instance, rng: random.Random) -> tuple[tuple[Point, ...], ...]:
    """Return a grid that is symmetric about memory 0, and random points, all of them doubles."""
    states = _some_states(instance, rng)
    count = _GRID_POINTS // len(states)
    grid = [
        (state, _WIDEST * Fraction(2 * k + 1 - count, count - 1))
        for state in states
        for k in range(count)
    ]
    # Batches of one size share their quadrature: the largest input and memory are in both.
    drawn = [(states[0], _WIDEST)] + [
        (rng.randrange(instance.chain.n_states), Fraction(rng.randint(-128, 128), 64))
        for _ in range(_DRAWN_POINTS - 1)
    ]
    return tuple(
        tuple(_rounded_point(instance, state, memory) for state, memory in points)
        for points in (grid, drawn)
    )


def _rounded_point(instance: Instance, state: int, memory: Fraction) -> Point:
    return Point(
        input=tuple(Fraction(nearest(x)[0]) for x in instance.chain.inputs[state]),
        memory=Fraction(nearest(memory)[0]),
    )


def _least_eigenpair_estimate(matrix: Matrix) -> tuple[float, list[float]]:
    import numpy as np  # noqa: PLC0415 - for the choice of cases only

    rows = [[float(x) if isinstance(x, Fraction) else 0.0 for x in row] for row in matrix.entries()]
    values, vectors = np.linalg.eigh(np.array(rows))
    return float(values[0]), [float(x) for x in vectors[:, 0]]


def _coarse_rules(instance: Instance, rng: random.Random) -> list[CoarseRule]:
    law, inputs = instance.law, instance.chain.inputs
    if isinstance(law, AtomicLaw) or not isinstance(law.w, Normal):
        return []
    states = _some_states(instance, rng)
    largest = _argument_of_largest(instance, partial(activation(instance.activation).derivative, 0))
    if not any(inputs[states[0]]):
        return []
    pairs = [
        Pair(
            state=states[0],
            memory=largest - _middle(instance, states[0]),
            other=other,
            other_memory=largest - _middle(instance, other),
        )
        for other in (states[0], states[-1])
    ]
    pairs.append(dataclasses.replace(_drawn_pair(states, rng), state=states[0]))
    cases = []
    for pair in pairs:
        where = directions(law, *pair.points(instance))
        # Strips for Z are as narrow as the deviation of W.x is large.
        scale = max(1, math.ceil(end_points(where.along)[1]))
        cases += [
            CoarseRule(pair=pair, step=step / scale)
            for step in _STEPS
            if step / scale >= _SMALLEST_STEPS[where.parallel]
        ]
    return cases


# Left sides


def kernel_size(instance: Instance, pair: Pair) -> Ball:
    """Enclose ``|K(zeta, zeta')|``."""
    return abs(kernel(instance.activation, instance.law, *pair.points(instance)))


def kernel_slope(instance: Instance, move: Move) -> Ball:
    """Enclose ``|K((x, v), zeta') - K((x, w), zeta')| / |v - w|``."""
    first, other = move.start.points(instance)
    moved = Point(input=first.input, memory=move.start.memory + move.by)
    before, after = (
        kernel(instance.activation, instance.law, start, other) for start in (first, moved)
    )
    return abs(after - before) / ball(move.by)


def least_eigenvalue_negated(instance: Instance, case: PushedGram) -> Between:
    """Enclose ``-lambda`` for the least eigenvalue of the computed matrix as it was moved."""
    return _negated_eigenvalue(computed_gram(instance, case.points)[0], case)


def least_eigenvalue_of_difference(instance: Instance, case: PushedGram) -> Between:
    """Enclose the same for the kernel with its backward part subtracted."""
    spec, law = instance.activation, instance.law
    rows: list[list[Ball]] = [[] for _ in case.points]
    for i, first in enumerate(case.points):
        for j, second in enumerate(case.points[: i + 1]):
            parts = forward_part(spec, law, first, second), backward_part(spec, law, first, second)
            rows[i].append(parts[0] - parts[1])
            if j < i:
                rows[j].append(rows[i][-1])
    return _negated_eigenvalue(Matrix.of_balls(rows), case)


def _negated_eigenvalue(matrix: Matrix, case: PushedGram) -> Between:
    pushed = matrix - Matrix.exact([[case.push * i * j for j in case.signs] for i in case.signs])
    least = least_eigenvalue(pushed)
    return Between(-least.upper, -least.lower)


def error_of_entry_or_rule(instance: Instance, case: Entry | CoarseRule) -> Ball:
    """Enclose ``|G_ij - K_ij|``, or the distance of the trapezoidal rule from K."""
    spec, law = instance.activation, instance.law
    if isinstance(case, Entry):
        matrix, _ = gram_in_doubles(instance, case.points)
        exact = kernel(spec, law, case.points[case.row], case.points[case.column])
        return abs(ball(matrix.row(case.row)[case.column]) - exact)
    first, second = case.pair.points(instance)
    coarse = trapezoidal_kernel(spec, _product(law), first, second, case.step)
    return abs(coarse - kernel(spec, law, first, second))


def distance_of_drawn_kernel(instance: Instance, case: Drawing) -> Ball:
    """Enclose ``E[(K^N - K)^2]``, the mean over all draws."""
    points = case.pair.points(instance)
    return mean_squared_distance(instance.activation, instance.law, *points, case.units)


# Right sides, and those of the mutants


def bound_kbar(instance: Instance, _pair: Pair) -> Between:
    """Return Kbar."""
    return kernel_bound(instance)


def larger_of_both_bounds(instance: Instance, _pair: Pair) -> Ball:
    """Return ``max(s0^2, E[C^2] R^2 s1^2)``: the larger part's bound in place of the sum's."""
    sigma = activation(instance.activation)
    parts = square(ball(sigma.bound(0))), square(ball(sigma.bound(1)))
    return maximum((parts[0], ball(mean_squared_lever(instance)) * parts[1]))


def slope_bound(instance: Instance, _move: Move) -> Number:
    """Return L_K."""
    return kernel_slope_bound(instance)


def slope_bound_of_one_part(instance: Instance, _move: Move, *, forward: bool) -> Number:
    """Return ``s0 s1``, or ``E[C^2] s1 s2 R^2``, in place of their sum."""
    s0, s1, s2 = (activation(instance.activation).bound(order) for order in (0, 1, 2))
    return times(s0, s1) if forward else times(times(s1, s2), mean_squared_lever(instance))


def eigenvalue_bound(instance: Instance, case: PushedGram, *, times_n: bool = True) -> Fraction:
    """Return ``n eps``, eps the stated error and the push; a mutant drops n."""
    _, error = computed_gram(instance, case.points)
    return (error + case.push) * (len(case.points) if times_n else 1)


def no_smaller_than_a_billionth(_instance: Instance, _case: PushedGram) -> Fraction:
    """Return ``-1e-9``, in place of ``n eps``."""
    return Fraction(-1, 10**9)


def stated_error(
    instance: Instance,
    case: Entry | CoarseRule,
    *,
    variables: int = 2,
    factor: int = 2,
) -> Number:
    """Return eps of a computed matrix, or the bound of a rule's error.

    Mutants take the formula of one variable for two, or drop the 2 of E.
    """
    if isinstance(case, Entry):
        return gram_in_doubles(instance, case.points)[1]
    law = _product(instance.law)
    first, second = case.pair.points(instance)
    where = directions(law, first, second)
    widest = where.along
    aside = maximum((abs(where.shared), where.across))
    sigma = activation(instance.activation)
    lever = ball(moment_of_c(law, 2)) * abs(ball(dot(first.input, second.input)))
    bounds = []
    for width in strip_widths(instance.activation, law, first, second, case.step):
        a = ball(width)
        strip = ball(0)
        for order, scale in ((0, ball(1)), (1, lever)):
            own, others = (sigma.strip_bound(order, a * size) for size in (widest, aside))
            strip = strip + scale * own * others
        one = factor * (square(a) / 2).exp() / (2 * pi() * a / ball(case.step)).expm1()
        both = one * (2 + one) if not where.parallel and variables == 2 else one
        bounds.append(strip * both)
    return -maximum(-bound for bound in bounds)


def variance_over_units(instance: Instance, case: Drawing, *, squared: bool = False) -> Ball:
    """Return ``Var(Y) / N``; a mutant divides by N^2."""
    points = case.pair.points(instance)
    variance = unit_variance(instance.activation, instance.law, *points)
    return variance / case.units ** (2 if squared else 1)


def sample_variance_over_units(instance: Instance, case: Drawing) -> Ball:
    """Return ``Var(Y) / (N - 1)``, and Var(Y) for one unit."""
    points = case.pair.points(instance)
    return unit_variance(instance.activation, instance.law, *points) / max(case.units - 1, 1)


def variance_without_that_of_c(instance: Instance, case: Drawing) -> Ball:
    """Return the same as if C^2 were its mean, for C^2 independent of W."""
    spec, law = instance.activation, instance.law
    points = case.pair.points(instance)
    spread = moment_of_c(law, 4) - moment_of_c(law, 2) ** 2
    steep = square(ball(dot(points[0].input, points[1].input))) * mean_of_products(
        spec, law, *points, (1, 1)
    )
    return variance_over_units(instance, case) - ball(spread) * steep / case.units


# What holds without the theorem


def largest_error(instance: Instance, case: Entry | CoarseRule) -> Ball:
    """Bound the distance of G_ij, or of a rule, from K by their sizes.

    The weights of a rule sum to at most ``1 + h / sqrt(2 pi)``, as phi is monotone on both sides.
    """
    sigma = activation(instance.activation)
    s0, s1 = (square(ball(sigma.bound(order))) for order in (0, 1))
    if isinstance(case, Entry):
        matrix, _ = gram_in_doubles(instance, case.points)
        first, second = case.points[case.row], case.points[case.column]
    else:
        first, second = case.pair.points(instance)
    inner = abs(dot(first.input, second.input))
    height = s0 + ball(moment_of_c(instance.law, 2) * inner) * s1
    if isinstance(case, Entry):
        return height + abs(ball(matrix.row(case.row)[case.column]))
    mass = 1 + ball(case.step) / (2 * pi()).sqrt()
    where = directions(_product(instance.law), first, second)
    return height * (1 + (mass if where.parallel else square(mass)))


def _has_features(instance: Instance, points: tuple[Point, ...]) -> bool:
    try:
        gram_in_doubles(instance, points)
    except NotEnclosed:
        return False
    return True


def _product(law: Law) -> ProductLaw:
    if isinstance(law, AtomicLaw):
        raise TypeError("a law of atoms has no trapezoidal rule")
    return law


# The claims

NO_ACTIVATION = Vacuity(
    reason="the activation's terms cancel: sigma is constant, and so is K",
    holds=has_constant_activation,
)
SOURCE = "Lam, Sirignano and Spiliopoulos (arXiv 2308.14555), section 2; {} of this project"

K1: Claim[Instance, Pair] = Claim(
    id="K1",
    theorem="kernel_limit",
    title="The kernel is bounded",
    statement="|K(ζ, ζ′)| ≤ K̄ for all inputs x, x′ of the chain and all memories v, v′.",
    formula=(
        r"|K(\zeta, \zeta')| \le \bar K = "
        r"\sup_u \left(\sigma(u)^2 + \mathbb{E}[C^2] R^2 \sigma'(u)^2\right)"
    ),
    kind=SCHEMA,
    assumptions=(
        Assumption(
            text="E[C^2 F(W)] = E[C^2] E[F(W)] for every F",
            holds=has_free_square,
            offending=shown_conditional_square,
        ),
    ),
    constants=(
        Constant(
            symbol="Kbar",
            meaning="bound of the kernel",
            formula=r"\bar K = \sup_u (\sigma(u)^2 + \mathbb{E}[C^2] R^2 \sigma'(u)^2)",
            value=kernel_bound,
        ),
    ),
    vacuities=(
        NO_ACTIVATION,
        Vacuity(
            reason="E[C^2] R^2 = 0: only E[sigma sigma] is left, which s0^2 bounds",
            holds=has_no_backward_part,
        ),
    ),
    cases=extreme_pairs,
    left=kernel_size,
    right=bound_kbar,
    proof=(
        "K is an inner product of the random vectors (σ, Cσ′x): Cauchy and Schwarz; and K(ζ, ζ) is "
        "the mean of σ(U)² + E[C²]|x|²σ′(U)², U = W·x + v."
    ),
    establishes=(
        "CERTIFIED: the inequality at the points listed: where the supremum is attained if W is "
        "constant, where all units are saturated, and at random."
    ),
    source=SOURCE.format("constant"),
    uses=("A1", "A2"),
    sharp=("sharp-kernel", "sharp-forgetting"),
    mutants=(
        Mutant(
            name="maximum-for-sum",
            error="the larger of s₀² and E[C²]R²s₁² in place of the supremum of the sum",
            refuted_on=("sharp-kernel",),
            right=larger_of_both_bounds,
        ),
    ),
)

K2: Claim[Instance, PushedGram] = Claim(
    id="K2",
    theorem="kernel_limit",
    title="Gram matrices are positive semidefinite up to their error",
    statement=(
        "A symmetric n × n matrix G whose entries are within ε of K(ζᵢ, ζⱼ) has no eigenvalue "
        "below −nε."
    ),
    formula=(
        r"\max_{i,j} |G_{ij} - K(\zeta_i, \zeta_j)| \le \varepsilon "
        r"\;\Rightarrow\; -\lambda_{\min}(G) \le n \varepsilon"
    ),
    kind=SCHEMA,
    vacuities=(NO_ACTIVATION,),
    cases=pushed_grams,
    left=least_eigenvalue_negated,
    right=eigenvalue_bound,
    proof=(
        "K(ζᵢ, ζⱼ) are inner products in L²; the difference has norm at most nε, and Weyl's "
        "inequality."
    ),
    establishes=(
        "CERTIFIED: the inequality for a grid of points and for random ones; for the matrix that "
        "double precision gives, moved by a known amount along an eigenvector, as little as makes "
        "its least eigenvalue negative, and for one whose entries are all lowered by 1/1024. The "
        "eigenvalue lies between a Rayleigh quotient and a shift at which all pivots are positive."
    ),
    source=SOURCE.format("error bound"),
    uses=("K3",),
    searched=("left", "right"),
    sharp=("sharp-sobolev",),
    mutants=(
        Mutant(
            name="n-dropped",
            error="the entries' error ε in place of nε",
            refuted_on=("sharp-sobolev",),
            right=partial(eigenvalue_bound, times_n=False),
        ),
        Mutant(
            name="strictly-positive",
            error="least eigenvalue at least 10⁻⁹",
            refuted_on=("constant-weights", "sharp-sobolev"),
            right=no_smaller_than_a_billionth,
        ),
        Mutant(
            name="parts-subtracted",
            error="the backward part of K subtracted from the forward part",
            refuted_on=("sharp-sobolev", "rain-tel-aviv"),
            left=least_eigenvalue_of_difference,
        ),
    ),
    evidence=EvidenceKind.DOUBLES,
)

K3: Claim[Instance, Entry | CoarseRule] = Claim(
    id="K3",
    theorem="kernel_limit",
    title="Gram matrices are enclosed, entry by entry",
    statement=(
        "Double precision gives each K(ζᵢ, ζⱼ) up to the error that it states; for normal W the "
        "trapezoidal rule of step h errs by at most S E in one variable and S E (2 + E) in two."
    ),
    formula=(
        r"|G_{ij} - K_{ij}| \le \varepsilon, \qquad |I_h - K| \le S E \;(d = 1), \quad "
        r"S E (2 + E) \;(d = 2), \qquad E = \frac{2 e^{a^2/2}}{e^{2 \pi a / h} - 1}"
    ),
    kind=SCHEMA,
    vacuities=(NO_ACTIVATION,),
    cases=entries_and_rules,
    left=error_of_entry_or_rule,
    right=stated_error,
    trivial=largest_error,
    proof=(
        "Trefethen and Weideman's theorem for one variable; with a rule Q for each of two, "
        "E₁E₂ − Q₁Q₂ = (E₁ − Q₁)E₂ + Q₁(E₂ − Q₂), and Q₁ has weights of sum at most 1 + E."
    ),
    establishes=(
        "CERTIFIED: the error of the entries drawn, against balls, and for normal W the formula at "
        "steps so large that the rule's error shows. That ε holds for every entry is proved in "
        "verification.kernel.features."
    ),
    source=SOURCE.format("error bounds"),
    uses=("A1", "A2"),
    searched=("left",),
    sharp=("sharp-trapezoid",),
    mutants=(
        Mutant(
            name="one-variable-for-two",
            error="S E in place of S E (2 + E) for two variables",
            refuted_on=("sharp-trapezoid",),
            right=partial(stated_error, variables=1),
        ),
        Mutant(
            name="two-dropped",
            error="the factor 2 of E dropped",
            refuted_on=("sharp-trapezoid",),
            right=partial(stated_error, factor=1),
        ),
    ),
    evidence=EvidenceKind.DOUBLES,
)

K4: Claim[Instance, Drawing] = Claim(
    id="K4",
    theorem="kernel_limit",
    title="The kernel of a drawn network",
    statement=(
        "For N drawn units E[(K^N − K)²] = Var(Y)/N, Y = σσ′ + C²σ̇σ̇′ x·x′ with σ, σ̇ at W·x + v "
        "and σ′, σ̇′ at W·x′ + v′."
    ),
    formula=(
        r"\mathbb{E}\left[(K^N(\zeta, \zeta') - K(\zeta, \zeta'))^2\right] = "
        r"\frac{\mathrm{Var}(Y)}{N}"
    ),
    kind=SCHEMA,
    vacuities=(
        NO_ACTIVATION,
        Vacuity(
            reason="every unit has the same W.x and C^2: K^N = K for every N",
            holds=every_unit_is_alike,
        ),
    ),
    cases=drawings,
    left=distance_of_drawn_kernel,
    right=variance_over_units,
    proof="K^N is the mean of N independent copies of Y, whose mean is K.",
    establishes=(
        "CERTIFIED: the identity for the points drawn and N up to 3: for atoms the sum over all "
        "draws, for continuous W an integral over N ≤ 2 units, x and x′ parallel, C's moments "
        "exact; the right side from integrals over one unit."
    ),
    source=SOURCE.format("variance"),
    uses=("A1", "A2"),
    sharp=("rain-tel-aviv", "markov-onegin"),
    mutants=(
        Mutant(
            name="sample-variance",
            error="1/N replaced by 1/(N − 1)",
            refuted_on=("rain-tel-aviv", "markov-onegin"),
            right=sample_variance_over_units,
        ),
        Mutant(
            name="n-squared",
            error="1/N replaced by 1/N²",
            refuted_on=("rain-tel-aviv", "markov-onegin"),
            right=partial(variance_over_units, squared=True),
        ),
        Mutant(
            name="variance-of-c-dropped",
            error="C² replaced by its mean",
            refuted_on=("rain-tel-aviv", "two-dimensional"),
            right=variance_without_that_of_c,
        ),
    ),
    relation=Relation.EQUAL,
)

K5: Claim[Instance, Move] = Claim(
    id="K5",
    theorem="kernel_limit",
    title="The kernel is Lipschitz in the memory",
    statement=(
        "|K((x, v), ζ′) − K((x, w), ζ′)| ≤ L_K |v − w| for all inputs of the chain and all "
        "memories."
    ),
    formula=(
        r"\frac{|K((x, v), \zeta') - K((x, w), \zeta')|}{|v - w|} \le "
        r"L_K = s_0 s_1 + \mathbb{E}[C^2] s_1 s_2 R^2"
    ),
    kind=SCHEMA,
    constants=(
        Constant(
            symbol="L_K",
            meaning="Lipschitz constant of the kernel in the memory",
            formula=r"L_K = s_0 s_1 + \mathbb{E}[C^2] s_1 s_2 R^2",
            value=kernel_slope_bound,
        ),
    ),
    vacuities=(NO_ACTIVATION,),
    cases=memory_moves,
    left=kernel_slope,
    right=slope_bound,
    proof="∂K/∂v = E[σ̇(·)σ(·) + C²σ̈(·)σ̇(·) x·x′].",
    establishes=(
        "CERTIFIED: the inequality for the moves listed, small ones where the slope should be "
        "large, and random ones of up to 2."
    ),
    source=SOURCE.format("constant"),
    uses=("A1", "A2"),
    sharp=("sharp-kernel-slope",),
    mutants=(
        Mutant(
            name="backward-dropped",
            error="the term E[C²]s₁s₂R² dropped",
            refuted_on=("sharp-kernel-slope",),
            right=partial(slope_bound_of_one_part, forward=True),
        ),
        Mutant(
            name="forward-dropped",
            error="the term s₀s₁ dropped",
            refuted_on=("sharp-kernel-slope",),
            right=partial(slope_bound_of_one_part, forward=False),
        ),
    ),
)

CLAIMS: tuple[AnyClaim, ...] = (K1, K2, K3, K4, K5)
