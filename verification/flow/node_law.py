r"""Laws of (state, memory) as weighted nodes, and the invariant law through interpolation.

**Node laws.**  A `NodeLaw` stands for a law mu of (i, v) by nodes (i_a, v_a) and weights w_a, which
may be negative, with three constants: for every function F on pairs of a state and a memory,

    |mu(F) - sum_a w_a F(i_a, v_a)| <= spread * L + mass_error * S + analytic_error * M,

S and L bounds of F and of its derivative in v on the real line, M a bound of F where
``|Im v| <= strip``, in which it is analytic.

**The invariant law.**  Let J be an interval with ``Phi_i(J)`` in J for every state, h half its
length, E_r the ellipse whose foci are the ends of J and whose half-axes are ``h (r +- 1/r)/2``.
Let Q be the joint chain's kernel, ``Q F(i, v) = sum_j P_ij F(j, Phi_i(v))``, and I interpolation in
v at the n + 1 Chebyshev points of J, one polynomial a state.  Q I takes a measure on the nodes to
another: with ``nu_0 = pi x (the middle of J)`` the weights after m steps are ``nu_0 (Q I)^m``.

*Ellipses.*  Some r2 > r1 > 1 are found such that every Phi_i takes E_{r2} into E_{r1}.  The sum of
a point's distances to the foci tells its ellipse; the images of M points of the border are enclosed
in balls, and between two neighbours a curve leaves its chord by at most ``(2 pi/M)^2/8`` times its
second derivative; E_{r1}, being convex, contains the image of E_{r2} where it contains that of the
border.  A disc of radius d moves a confocal ellipse by at most d along its longer half-axis.

*Interpolation.*  For f analytic and bounded by M in E_{r2} the Chebyshev coefficients are at most
``2 M r2^-k``, and aliasing puts T_k on a T_j with j <= n; hence on E_{r1}
``|f - I f| <= 4 M (r1/r2)^n r1/(r2 - r1)``, and on J the same with r1 = 1.  Call these kappa M and
kappa_J M.

*Error.*  Let ``M = sup |F|`` on E_{r2} and ``f_k = (Q I)^k F``.  On E_{r1} ``|I f_k|`` is at most
``(1 + kappa) sup |f_k|`` over E_{r2}, and Q takes a bound on E_{r1} to the same on E_{r2}; so
``|f_k| <= (1 + kappa)^k M`` on E_{r2}.  As Q contracts the supremum norm on J,
``|Q^m F - (Q I)^m F| <= m kappa_J (1 + kappa)^m M`` on J.  Two memories that are fed the same
inputs come together like q^m, so that ``mu(Q^m F)`` and ``nu_0(Q^m F)`` differ by at most
``q^m 2 h M/s``, s = `strip` (Cauchy's estimate of the slope), for both have pi as the law of the
state, and ``mu(F) = mu(Q^m F)``.  What rounding changes in the weights of a step counts with
``(1 + kappa)^m M (1 + kappa_J)``, and rounding a node with ``M/s``.

Source: this project.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from verification.enclosure.balls import (
    Ball,
    ball,
    complex_ball,
    end_points,
    lower_double,
    pi,
    power,
    precision,
    root,
    square,
    upper_double,
)
from verification.enclosure.chebyshev import chebyshev_points, lagrange_values
from verification.enclosure.doubles import above, gamma, nearest, upward
from verification.errors import NotEnclosed
from verification.instance import Chain, Instance
from verification.markov.finite import (
    require_one_law,
    stationary_law,
)
from verification.recurrent.activation import activation
from verification.recurrent.joint import rounded_transpose
from verification.recurrent.law import mean_absolute_b
from verification.recurrent.memory import (
    complex_memory_map,
    contraction_factor,
    memory_bound,
    memory_map,
)

Array: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]

MAX_EVALUATIONS = 60_000
"""Largest number of evaluations of the memory map in balls, one for each input and node."""

_BITS = 96
_COARSE_BITS = 56
_MAX_DEGREE = 400
_RANGE_POINTS = 32
_SHRINKINGS = 3
_TINY = 2.0**-60
_WIDEST = 2.0**40
_MARGIN = 2.0**-6
_MOST_STEPS = 20_000
_STRIP_SHARES = tuple(Fraction(k, 16) for k in (1, 2, 4, 6, 8, 10, 12))
_GLANCED_INPUTS = 4
_GLANCED_POINTS = 12
_POINTS = (24, 96)
_MOST_TRIED = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class NodeLaw:
    """A law of (state, memory) by weighted nodes; see the module's docstring.

    Parameters
    ----------
    states : Indices, shape (n_nodes,)
    memories, weights : Array, shape (n_nodes,)
    spread, mass_error, analytic_error : float
        Proved bounds.
    strip : Fraction
        The half-width that `analytic_error` refers to.
    """

    states: Indices
    memories: Array
    weights: Array
    spread: float
    mass_error: float
    analytic_error: float
    strip: Fraction

    def __len__(self) -> int:
        return len(self.weights)


@dataclass(frozen=True, kw_only=True)
class _Interval:
    """The interval J of memories."""

    low: Fraction
    high: Fraction

    @property
    def centre(self) -> Fraction:
        return (self.low + self.high) / 2

    @property
    def half(self) -> Fraction:
        return (self.high - self.low) / 2


@dataclass(frozen=True, kw_only=True)
class _Domain:
    """The interval J, the ellipses' strip, the (even) degree n, and what interpolation costs.

    Parameters
    ----------
    growth, error : Fraction
        ``kappa`` and ``kappa_J``.
    """

    interval: _Interval
    strip: Fraction
    degree: int
    growth: Fraction
    error: Fraction


def invariant_law(instance: Instance) -> NodeLaw:
    """Return the joint chain's invariant law.

    Returns
    -------
    NodeLaw
        n + 1 nodes a state; spread and mass_error are 0.

    Raises
    ------
    NotEnclosed
        Where q is not certainly below 1, the memory's interval is so wide (compared with the
        strip of analyticity) or q so near 1 that no moderate degree suffices, or the chain has
        too many different inputs.
    InvalidInstance
        Where the chain has no unique stationary law.

    Notes
    -----
    One evaluation of the memory map in balls for every input and node; then m sparse products.
    """
    return _invariant_law(instance)


@lru_cache(maxsize=8)
def _invariant_law(instance: Instance) -> NodeLaw:
    chain = instance.chain
    with precision(_COARSE_BITS):
        q = above(ball(contraction_factor(instance)))
        if q >= 1:
            raise NotEnclosed("q is not certainly below 1: the memory may not forget")
        first = chain.first_states
        steps = _step_count(q)
        domain = _domain(instance, first, _memory_interval(instance, first, q), steps)
        count = len(first) * (domain.degree + 1)
        if count > MAX_EVALUATIONS:
            raise NotEnclosed(
                f"{len(first)} inputs at {domain.degree + 1} nodes are more than "
                f"{MAX_EVALUATIONS} evaluations of the memory map"
            )
    with precision(_BITS):
        transfer = _transfer(instance, first, domain)
        law, law_error = invariant_state_law(chain)
        centre, half = ball(domain.interval.centre), ball(domain.interval.half)
        points = [nearest(centre + half * t) for t in chebyshev_points(domain.degree)]
    weights, rounding = _pushed(chain, transfer, law, steps)
    total = Fraction(float(np.abs(weights).sum())) * (1 + gamma(weights.size + 2))
    node_error = max(bounds.error for _, bounds in points)
    growth = _power(1 + domain.growth, steps)
    error = growth * (1 + domain.error) * (
        2 * (steps + 1) * domain.error + law_error + rounding
    ) + ((_power(q, steps) * 2 * domain.interval.half + node_error * total) / domain.strip)
    return NodeLaw(
        states=np.repeat(np.arange(chain.n_states), len(points)),
        memories=np.tile(np.array([x for x, _ in points]), chain.n_states),
        weights=weights.ravel(),
        spread=0.0,
        mass_error=0.0,
        analytic_error=upward(error),
        strip=domain.strip,
    )


def invariant_state_law(chain: Chain) -> tuple[Array, Fraction]:
    """Return the chain's stationary law in doubles, and a bound of its error in l1.

    Raises
    ------
    InvalidInstance
        Where there is more than one.
    """
    require_one_law(chain)
    with precision(_BITS):
        rounded = [nearest(p) for p in stationary_law(chain)]
    error = sum((bounds.error for _, bounds in rounded), Fraction(0))
    return np.array([p for p, _ in rounded]), error


def _step_count(q: Fraction) -> int:
    """Return m with q^m tiny; what is proved is computed from the m that is chosen."""
    return min(_MOST_STEPS, 1 + math.ceil(math.log(_TINY) / math.log(max(float(q), _TINY))))


def _power(base: Fraction, exponent: int) -> Fraction:
    """Return a rational no smaller than a power of a rational >= 0, with few digits."""
    with precision(_BITS):
        return above(power(ball(base), exponent))


def _memory_interval(instance: Instance, first: Sequence[int], q: Fraction) -> _Interval:
    """Return an interval that contains what Phi makes of it, for every input.

    The range of Phi over an interval is that over the middles of its cells, widened by q times
    half a cell; what Phi makes of a smaller interval that contains its image is smaller still.
    """
    # Never a point, where the memory is zero for ever.
    bound = max(Fraction(upward(above(ball(memory_bound(instance))))), Fraction(1, 2**20))
    found = _Interval(low=-bound, high=bound)
    for _ in range(_SHRINKINGS):
        cell = found.half / _RANGE_POINTS
        images = [
            end_points(memory_map(instance, state, ball(found.low + (2 * k + 1) * cell)))
            for state in first
            for k in range(_RANGE_POINTS)
        ]
        low = min(low for low, _ in images) - q * cell
        high = max(high for _, high in images) + q * cell
        # Doubles, rounded outward, keep the later arithmetic short.
        smaller = _Interval(
            low=max(found.low, -above(-ball(low))),
            high=min(found.high, above(ball(high))),
        )
        if smaller.half < bound / 2**20:
            break
        found = smaller
    return found


def _domain(instance: Instance, first: Sequence[int], interval: _Interval, steps: int) -> _Domain:
    """Choose the ellipses and the degree; fails where the polynomials would be too long."""
    # The best of a few ellipses by a glance at few inputs and points of the border; then proof.
    some = first[:: max(1, len(first) // _GLANCED_INPUTS)]
    choices: list[tuple[int, int, _Ellipse]] = []
    for ellipse in _ellipses(instance, interval):
        glanced = _image(instance, some, ellipse, _GLANCED_POINTS)
        degree = _degree(_parameter(glanced), ellipse.outer, steps)
        if degree is not None:
            choices.append((degree, len(choices), ellipse))
    for points in _POINTS:
        for _, _, ellipse in sorted(choices)[:_MOST_TRIED]:
            along = _image(instance, first, ellipse, points) + _off_chord(instance, ellipse, points)
            inner = _parameter(along)
            degree = _degree(inner, ellipse.outer, steps)
            if degree is not None:
                return _Domain(
                    interval=interval,
                    strip=ellipse.strip,
                    degree=degree,
                    growth=_interpolation_error(inner, ellipse.outer, degree),
                    error=_interpolation_error(ball(1), ellipse.outer, degree),
                )
    raise NotEnclosed(
        "interpolation in the memory needs too high a degree: the memory's interval is wide, or q "
        "near 1"
    )


@dataclass(frozen=True, kw_only=True)
class _Ellipse:
    """E_{r2}: its half-axes in units of h (``(r +- 1/r)/2``), r2, and a strip that holds it."""

    interval: _Interval
    longer: Ball
    shorter: Ball
    outer: Ball
    strip: Fraction


def _ellipses(instance: Instance, interval: _Interval) -> list[_Ellipse]:
    result = []
    for share in _STRIP_SHARES:
        strip = share * activation(instance.activation).strip_width()
        ratio = strip / interval.half
        if ratio <= _WIDEST:
            shorter = ball(ratio)
            longer = (square(shorter) + 1).sqrt()
            result.append(
                _Ellipse(
                    interval=interval,
                    longer=longer,
                    shorter=shorter,
                    outer=longer + shorter,
                    strip=strip,
                )
            )
    return result


def _image(instance: Instance, first: Sequence[int], ellipse: _Ellipse, points: int) -> Ball:
    """Enclose the longer half-axis of the ellipse around the images of points of the border.

    In units of h; at the ends of `points` arcs of its upper half, for the memory map is real on the
    line.
    """
    half, centre = ball(ellipse.interval.half), ball(ellipse.interval.centre)
    largest = ball(1)
    for state in first:
        for k in range(points + 1):
            angle = pi() * k / points
            along, across = ellipse.longer * angle.cos(), ellipse.shorter * angle.sin()
            z = complex_ball(centre + half * along, half * across)
            w = (complex_memory_map(instance, state, z, ellipse.strip) - centre) / half
            largest = largest.max((abs(w - 1) + abs(w + 1)) / 2)
    return largest


def _off_chord(instance: Instance, ellipse: _Ellipse, points: int) -> Ball:
    """Bound how far the image of the border is from the chords, in units of h."""
    sigma, mean = activation(instance.activation), ball(mean_absolute_b(instance.law))
    half, strip = ball(ellipse.interval.half), ball(ellipse.strip)
    reach = half * ellipse.longer
    bend = mean * (
        sigma.strip_bound(2, strip) * square(reach) + sigma.strip_bound(1, strip) * reach
    )
    return square(pi() / points) / 8 * bend / half


def _parameter(longer: Ball) -> Ball:
    """Return r for an ellipse with this longer half-axis, in units of h."""
    return longer + root(square(longer) - 1)


def _degree(inner: Ball, outer: Ball, steps: int) -> int | None:
    r1, r2 = upper_double(inner), lower_double(outer)
    if not r1 * (1 + _MARGIN) < r2:
        return None
    degree = max(
        2,
        math.ceil(math.log(4 / (_TINY * (r2 - 1))) / math.log(r2)),
        math.ceil(math.log(8 * steps * r1 / (r2 - r1)) / math.log(r2 / r1)),
    )
    # Even: then the middle of the interval is a node.
    degree += degree % 2
    return degree if degree <= _MAX_DEGREE else None


def _interpolation_error(inner: Ball, outer: Ball, degree: int) -> Fraction:
    """Bound ``|f - I f|`` on E_{r1} for f bounded by 1 on E_{r2}."""
    return above(4 * power(inner / outer, degree) * inner / (outer - inner))


def _transfer(instance: Instance, first: Sequence[int], domain: _Domain) -> tuple[Array, Fraction]:
    """Return ``l_s(Phi_i(x_t))`` for every input, and a bound of the rows' errors in l1."""
    interval, degree = domain.interval, domain.degree
    matrices, error = [], Fraction(0)
    points = chebyshev_points(degree)
    for state in first:
        images = []
        for t in points:
            memory = ball(interval.centre) + ball(interval.half) * t
            moved = memory_map(instance, state, memory) - ball(interval.centre)
            images.append(moved / ball(interval.half))
        rows = lagrange_values(images, degree).entries()
        values = [[nearest(value) for value in row] for row in rows]
        error = max(error, *(sum((b.error for _, b in row), Fraction(0)) for row in values))
        matrices.append([[value for value, _ in row] for row in values])
    return np.array(matrices), error


def _pushed(
    chain: Chain, transfer: tuple[Array, Fraction], law: Array, steps: int
) -> tuple[Array, Fraction]:
    """Return the weights after so many steps, and the sum of their roundings in l1."""
    back = rounded_transpose(chain)
    matrices, matrix_error = transfer
    degree = matrices.shape[2] - 1
    weights = np.zeros((chain.n_states, degree + 1))
    # The Lagrange polynomials at the middle of the interval, where a Chebyshev point is.
    weights[:, degree // 2] = law
    lengths = np.abs(matrices).sum(axis=2).max()
    # One for each term of both sums, the probability's rounding, and two to spare.
    per_step = gamma(degree + 1 + int(np.diff(back.indptr).max()) + 3) * Fraction(float(lengths))
    rounding = Fraction(0)
    of_state = matrices[list(chain.input_numbers)]
    for _ in range(steps):
        size = Fraction(float(np.abs(weights).sum())) * (1 + gamma(weights.size + 2))
        rounding += (per_step * (1 + gamma(degree + 3)) + matrix_error) * size
        moved = np.matmul(weights[:, np.newaxis, :], of_state)[:, 0, :]
        weights = back @ moved
    return weights, rounding
