r"""The limit equation in the space of features: one unknown for each node of a rule for W.

The kernel is ``K = E[phi . phi]``, ``phi(zeta) = (sigma, C sigma' x)`` at ``W.x + v``.  With nodes
w_j of weights p_j and means c_j of C^2 there, the row of a point zeta in the *feature matrix* is

    (sqrt(p_j) sigma(w_j.x + v))_j, (sqrt(p_j c_j) sigma'(w_j.x + v) x_k)_{j,k},

and ``K~ = F F^T`` is K, exactly where W has finitely many values, else up to the error eps of a
quadrature rule whose weights are positive.  In the rescaled time ``s = alpha t`` the equation
for K~ is ``g_s = F theta_s``,

    theta' = b - A theta,   theta_0 = 0,   A = E_mu[phi phi^T],   b = E_mu[phi y],

solved by its Taylor series.  The series is cut where ``|A| <= trace A = kappa`` bounds the rest: of
``theta(h) - theta_0 = sum_k (-1)^k h^(k+1)/(k+1)! A^k (b - A theta_0)`` the terms from N on are at
most ``h (h kappa)^N / (N+1)! exp(h kappa) |b - A theta_0|``.

*From K~ to K.*  Let r and r~ be the residuals ``y - g`` of the two equations, in L2 of the law, and
e their difference.  Both are at most |y|, and ``e' = -K~ e - (K - K~) r`` with K~ >= 0, so that
``|e_s| <= s eps |y|``.  Hence g at a point differs by at most ``s eps |y| (1 + s k / 2)``, k a
bound of K~ at the points; the loss ``|r|^2`` by ``2 s eps |y|^2``; and ``|theta_s|^2 =
2 int_0^s <r, y - r>`` by ``2 int <e, y - r - r~> <= s^2 eps |y|^2``, for ``y - 2 r`` and
``y - 2 r~`` are at most |y| as well (``|1 - 2 exp(-x)| <= 1``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, log2

from verification.enclosure.balls import (
    Ball,
    ball,
    less_equal,
    maximum,
    midpoint,
    radius,
    root,
    square,
    symmetric,
    total,
    upper_double,
    working_precision,
)
from verification.enclosure.matrix import Matrix
from verification.enclosure.quadrature import Rule, normal_rule, uniform_sum_rule
from verification.errors import NotEnclosed
from verification.flow.finite_law import FiniteLaw
from verification.instance import AtomicLaw, Constant, Instance, Normal, Uniform
from verification.kernel.limiting import Point
from verification.recurrent.activation import Activation, activation
from verification.recurrent.law import masses_of_w, moment_of_c
from verification.verdict import Truth

MAX_FEATURES = 4_096
MAX_STEPS = 64
_STEP = 4.0
_MAX_TERMS = 2_000
_GUARD_BITS = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """Features at some points.

    Parameters
    ----------
    matrix : Matrix, shape (n_points, n_features)
    error : Ball
        Bound of ``|K - K~|`` between any two of the points.
    """

    matrix: Matrix
    error: Ball

    def gram(self) -> Matrix:
        """Enclose K at the points, in balls; shape (n_points, n_points)."""
        product = self.matrix @ self.matrix.transpose()
        blur = symmetric(self.error)
        return Matrix.of_balls([[ball(x) + blur for x in row] for row in product.entries()])


def features(instance: Instance, points: Sequence[Point]) -> Features:
    """Return the features at some points.

    Raises
    ------
    NotEnclosed
        Where W has a density in more than one dimension, or the features are too many.
    """
    sigma = activation(instance.activation)
    law, dimension = instance.law, len(points[0].input)
    error = ball(0)
    nodes: list[tuple[tuple[Ball, ...], Ball, Ball]]
    if isinstance(law, AtomicLaw):
        nodes = _of_atoms(law)
    elif isinstance(law.w, Constant):
        where = tuple(ball(x) for x in law.w.value)
        nodes = [(where, ball(1), ball(moment_of_c(law, 2)))]
    else:
        if dimension > 1:
            raise NotEnclosed("W has a density in more than one dimension: no features are known")
        widest = max(abs(point.input[0]) for point in points)
        mean_square = ball(moment_of_c(law, 2))
        if widest:
            strip = sigma.strip_width()
            rule = _rule(law.w, sigma, strip / widest)
            error = _rule_error(rule, sigma, strip, ball(widest), mean_square)
            nodes = [
                ((w,), p, p * mean_square) for w, p in zip(rule.nodes, rule.weights, strict=True)
            ]
        else:
            nodes = [((ball(0),), ball(1), mean_square)]
    if len(nodes) * (1 + dimension) > MAX_FEATURES:
        raise NotEnclosed(f"there are more than {MAX_FEATURES} features")
    return Features(matrix=_feature_matrix(sigma, nodes, points), error=error)


def _of_atoms(law: AtomicLaw) -> list[tuple[tuple[Ball, ...], Ball, Ball]]:
    return [
        (tuple(ball(x) for x in w), ball(mass), ball(square_mass))
        for w, (mass, square_mass) in masses_of_w(law).items()
    ]


def _rule(law: Normal | Uniform, sigma: Activation, strip: Fraction) -> Rule:
    """Return a rule for W and functions analytic on a strip around the line of its values."""
    # As many bits more as products of the activation's derivatives grow on the strip.
    growth = maximum(
        sigma.strip_bound(order, ball(sigma.strip_width())) / ball(sigma.bound(order))
        for order in (0, 1)
        if sigma.bound(order)
    )
    bits = working_precision() + ceil(2 * log2(max(upper_double(growth), 1.0)))
    if isinstance(law, Normal):
        return normal_rule(ball(law.mean[0]), ball(law.std), strip, bits=bits)
    return uniform_sum_rule([(law.low[0], law.high[0])], strip, bits=bits)


def _rule_error(
    rule: Rule, sigma: Activation, strip: Fraction, widest: Ball, mean_square: Ball
) -> Ball:
    """Bound the error of ``E[sigma sigma + C^2 x x' sigma' sigma']`` between any two points."""
    parts = [
        rule.analytic_error * square(sigma.strip_bound(order, ball(strip)))
        + rule.real_error * square(ball(sigma.bound(order)))
        for order in (0, 1)
    ]
    return parts[0] + mean_square * square(widest) * parts[1]


def _feature_matrix(
    sigma: Activation,
    nodes: Sequence[tuple[tuple[Ball, ...], Ball, Ball]],
    points: Sequence[Point],
) -> Matrix:
    heights = [root(p) for _, p, _ in nodes]
    slopes = [root(c) for _, _, c in nodes]
    rows = []
    for point in points:
        x, v = [ball(entry) for entry in point.input], ball(point.memory)
        inner = [total(a * b for a, b in zip(w, x, strict=True)) + v for w, _, _ in nodes]
        row = [h * sigma.derivative(0, u) for h, u in zip(heights, inner, strict=True)]
        steep = [h * sigma.derivative(1, u) for h, u in zip(slopes, inner, strict=True)]
        for entry in x:
            row += [entry * value for value in steep]
        rows.append(row)
    return Matrix.of_balls(rows)


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureSolution:
    """The solution at one time, for K~, with what bounds its distance from that for K.

    Parameters
    ----------
    law : FiniteLaw
    features : Features
        At the law's points, and perhaps at more after these.
    weights : Matrix, shape (n_features, 1)
        theta.
    time : Fraction
        ``s = alpha t``.
    """

    law: FiniteLaw
    features: Features
    weights: Matrix
    time: Fraction

    def _values(self) -> list[Ball]:
        return [ball(x) for x in (self.features.matrix @ self.weights).numbers()]

    def value(self, index: int) -> Ball:
        """Enclose g_s at one of the points of the features."""
        s = ball(self.time)
        sizes = maximum(
            total(square(ball(x)) for x in row) for row in self.features.matrix.entries()
        )
        error = s * self.features.error * root(ball(self.law.squared_target)) * (1 + s * sizes / 2)
        return self._values()[index] + symmetric(error)

    def loss(self) -> Ball:
        """Enclose ``|g_s - y|^2`` in L2 of the law."""
        values, law = self._values(), self.law
        parts = [
            ball(mass) * square(value - ball(mean))
            for mass, value, mean in zip(
                law.masses, values[: len(law.points)], law.mean_targets, strict=True
            )
        ]
        error = 2 * ball(self.time) * self.features.error * ball(law.squared_target)
        return total(parts) + ball(law.variance_within) + symmetric(error)

    def squared_norm(self) -> Ball:
        """Enclose ``|theta_s|^2`` for the features of K."""
        error = square(ball(self.time)) * self.features.error * ball(self.law.squared_target)
        return total(square(ball(x)) for x in self.weights.numbers()) + symmetric(error)


def feature_solution(law: FiniteLaw, known: Features, time: Fraction) -> FeatureSolution:
    """Solve the limit equation for a finite law.

    Parameters
    ----------
    law : FiniteLaw
    known : Features
        At the law's points, and perhaps at more after these.
    time : Fraction
        ``s = alpha t >= 0``.

    Raises
    ------
    NotEnclosed
        Where ``s kappa`` is beyond the limit on the series.
    """
    count = len(law.points)
    rows = known.matrix.entries()[:count]
    matrix = Matrix.of_balls([[ball(x) for x in row] for row in rows])
    weighted = Matrix.of_balls(
        [[ball(m) * ball(x) for x in row] for m, row in zip(law.masses, rows, strict=True)]
    ).transpose()
    kappa = total(
        ball(m) * total(square(ball(x)) for x in row)
        for m, row in zip(law.masses, rows, strict=True)
    )
    steps = max(1, ceil(upper_double(ball(time) * kappa) / _STEP))
    if steps > MAX_STEPS:
        raise NotEnclosed(f"the series of the limit equation needs more than {MAX_STEPS} steps")
    step, targets = ball(time / steps), Matrix.column(law.mean_targets)
    theta, error = Matrix.constant(matrix.shape[1], 1, 0).in_balls(), ball(0)
    for _ in range(steps):
        start = weighted @ (targets - matrix @ theta)
        entries = [
            ball(x) for x in (theta + _increment(matrix, weighted, start, step, kappa)).numbers()
        ]
        # The flow contracts: an error that is set aside grows no more, one in balls would.
        theta = Matrix.of_balls([[midpoint(x)] for x in entries])
        error = error + root(total(square(radius(x)) for x in entries))
    blur = Matrix.of_balls([[symmetric(error)] for _ in range(theta.shape[0])])
    return FeatureSolution(law=law, features=known, weights=theta + blur, time=time)


def _increment(matrix: Matrix, weighted: Matrix, start: Matrix, step: Ball, kappa: Ball) -> Matrix:
    """Enclose ``theta(h) - theta_0`` by the series whose first term is ``h (b - A theta_0)``."""
    size = root(total(square(ball(x)) for x in start.numbers())).abs_upper()
    reach = step * kappa
    term, result = start.scale(step), Matrix.constant(start.shape[0], 1, 0).in_balls()
    rest = step * size * reach.exp()
    unit = ball(Fraction(2) ** -(working_precision() + _GUARD_BITS))
    for k in range(1, _MAX_TERMS):
        result = result + term
        rest = rest * reach / (k + 1)
        if less_equal(rest, unit * step * size) is Truth.TRUE:
            break
        term = (weighted @ (matrix @ term)).scale(-step / (k + 1))
    else:
        raise NotEnclosed("the series of the limit equation converges too slowly")
    return result + Matrix.of_balls([[symmetric(rest)] for _ in range(start.shape[0])])
