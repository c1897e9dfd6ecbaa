r"""Power laws: rules, near-best exponential sums and their zeros in doubles: candidates, no bounds.

**Near-best sums.**  In ``u = log(1 + t)`` the error of the trapezoidal rule oscillates with a
height of about ``exp(-pi^2/h) rho_w``, and ``rho_w dt = w exp(-w u) du``: the nodes that matter
little may lie farther apart.  Equal shares of the error mean ``delta(h)`` proportional to
``exp(-w z)`` at the node z < 0 (its time is about ``exp(-z)``), so that ``pi^2/h`` is about
``L + w z``, and m nodes reach ``L^2 = 2 pi^2 w m``: half as many as with equal steps.  From there
Newton's method moves the logarithms of rates and coefficients to a local minimum of
``int (g^2 + d^2)^(1/2)`` with smaller and smaller d, and at last of the L1 norm itself, whose
gradient and second derivatives are known from the zeros of g.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, qr, solve_triangular
from scipy.optimize import minimize
from scipy.special import gammaln, loggamma

from verification.deadline import heed_deadline
from verification.errors import NotEnclosed
from verification.linear_rnn.exponential_sum import ExponentialSum
from verification.linear_rnn.searching import exactly, finite, searching
from verification.linear_rnn.trapezoidal_rule import TrapezoidalRule

Array: TypeAlias = NDArray[np.float64]

_HARMONICS = np.arange(1, 40)
_STEPS = np.geomspace(0.02, 30, 200)
_SHARES = np.linspace(0.02, 0.98, 25)
_RULE_BITS = 32
_LEAST_ERROR, _LARGEST_ERROR = 1e-12, 0.95
_PER_NODE = 24
_GRID = 12
_SMOOTHINGS = (1.0, 0.3, 0.1, 0.03, 0.01)
_MOST_MOVED = 0.5
_WIDEST = 3.0
_LITTLE = 1e-9
_STIFFNESS = 1e-2
_LEAST_MIXED, _MOST_MIXED = 1e-6, 1e5
_ENOUGH = 1e-10
_DIGITS = 12
_MARGIN = 1e-8


# The trapezoidal rule


@searching("a trapezoidal rule")
def rule_of_width(exponent: Fraction, width: int) -> tuple[TrapezoidalRule, float]:
    """Return the rule with so many nodes, the bound of whose error is about least; the bound."""
    w = float(exponent)
    # From the step and the first node for an error that needs about as many nodes.
    low, high = math.log(_LEAST_ERROR), math.log(_LARGEST_ERROR)
    for _ in range(12):
        middle = (low + high) / 2
        if _count_estimate(w, math.exp(middle))[0] > width:
            low = middle
        else:
            high = middle
    _, step, first = _count_estimate(w, math.exp(high))
    return _best_rule(exponent, width, step, first)


def _best_rule(
    exponent: Fraction, width: int, step: float, first: float
) -> tuple[TrapezoidalRule, float]:
    w = float(exponent)

    def loss(x: Array) -> float:
        heed_deadline()
        return math.log(_bound_estimate(w, math.exp(x[0]), x[1], width))

    found = minimize(
        loss,
        [math.log(step), first],
        method="Nelder-Mead",
        options={"xatol": 1e-7, "fatol": 1e-10, "maxfev": 400},
    )
    scale, start = 2**_RULE_BITS, finite(np.array([math.exp(found.x[0]), found.x[1]]))
    rule = TrapezoidalRule(
        exponent=exponent,
        step=Fraction(round(start[0] * scale), scale),
        first=Fraction(round(start[1] * scale), scale),
        count=width,
    )
    return rule, math.exp(float(found.fun))


@searching("a trapezoidal rule")
def rule_of_error(exponent: Fraction, error: Fraction) -> TrapezoidalRule:
    """Return the rule with fewest nodes, about, the bound of whose error is below `error`."""
    count, step, first = _count_estimate(float(exponent), float(error))
    width = math.ceil(count)
    rule, bound = _best_rule(exponent, width, step, first)
    while bound > error:
        width += 1
        rule, bound = _best_rule(exponent, width, step, first)
    while width > 1:
        other, bound = _best_rule(exponent, width - 1, step, first)
        if bound > error:
            break
        width, rule = width - 1, other
    return rule


def _delta_estimate(w: float, steps: Array) -> Array:
    frequencies = 2j * math.pi * _HARMONICS / steps[..., None]
    result: Array = 2 * np.exp(loggamma(1 + w + frequencies).real - gammaln(1 + w)).sum(axis=-1)
    return result


def _below_estimate(w: float, h: Array, z: Array) -> Array:
    result: Array = w * h * np.exp(w * z - gammaln(1 + w)) / -np.expm1(-w * h)
    return result


def _above_estimate(w: float, h: Array, z: Array) -> Array:
    decrease = w * h - np.exp(z) * np.expm1(h)
    with np.errstate(divide="ignore", invalid="ignore"):
        masses = w * h * np.exp(w * z - np.exp(z) - gammaln(1 + w)) / -np.expm1(decrease)
    return np.where(decrease < 0, masses, np.inf)


def _bound_estimate(w: float, h: float, first: float, width: int) -> float:
    step = np.array(h)
    low, high = np.array(first - h), np.array(first + width * h)
    found = _delta_estimate(w, step) + _below_estimate(w, step, low)
    return max(min(float(found + _above_estimate(w, step, high)), 1e300), 1e-300)


def _count_estimate(w: float, error: float) -> tuple[float, float, float]:
    """Return about the least number of nodes, not rounded, with the step and the first node."""
    steps = _STEPS[_delta_estimate(w, _STEPS) < error]
    if not len(steps):
        raise NotEnclosed("doubles find no trapezoidal rule with so small an error")
    rest = error - _delta_estimate(w, steps)
    h, share = steps[:, None], _SHARES[None, :]
    below = rest[:, None] * (1 - share)
    low = np.log(below * -np.expm1(-w * h) / (w * h)) / w + gammaln(1 + w) / w
    left, right = np.full(low.shape, -60.0), np.full(low.shape, 8.0)
    for _ in range(40):
        middle = (left + right) / 2
        enough = _above_estimate(w, h, middle) <= rest[:, None] * share
        left, right = np.where(enough, left, middle), np.where(enough, middle, right)
    counts = finite((right - low) / h - 1)
    i, j = np.unravel_index(int(np.argmin(counts)), counts.shape)
    return max(1.0, float(counts[i, j])), float(steps[i]), float(low[i, j] + steps[i])


# Zeros


@searching("where a sum of exponentials crosses a power law")
def zeros_estimate(exponent: Fraction, exponentials: ExponentialSum) -> list[Fraction]:
    """Return about the zeros of ``rho_w - f`` in increasing order, as exact numbers."""
    rates = np.array([float(r) for r in exponentials.rates])
    heights = np.array([float(c) for c in exponentials.coefficients])
    return [exactly(t) for t in _zeros(float(exponent), rates, heights)[0]]


def _zeros(w: float, rates: Array, heights: Array) -> tuple[Array, float]:
    """Return the zeros, and the sign before the first."""

    def relative(u: Array) -> Array:
        decays = np.exp(-np.multiply.outer(np.expm1(u), rates))
        result: Array = 1 - (decays @ heights) * np.exp((1 + w) * u) / w
        return result

    knots = np.log1p(1 / np.sort(rates)[::-1])
    last = math.log1p(60 / float(rates.min()))
    early = np.linspace(0, knots[0], 2 * _PER_NODE, endpoint=False)
    ends = np.concatenate([knots, [last]])
    inside = [np.linspace(a, b, _PER_NODE, endpoint=False) for a, b in pairwise(ends)]
    grid = np.concatenate([early, *inside, np.linspace(last, last + 20, 8)])
    with np.errstate(under="ignore"):
        values = relative(grid)
        at = np.nonzero(values[:-1] * values[1:] < 0)[0]
        a, b, fa, fb = grid[at], grid[at + 1], values[at], values[at + 1]
        for k in range(12):
            # The false position, every third time the middle.
            middle = (a + b) / 2 if k % 3 == 2 else (a * fb - b * fa) / (fb - fa)
            found = relative(middle)
            left = fa * found <= 0
            a, fa = np.where(left, a, middle), np.where(left, fa, found)
            b, fb = np.where(left, middle, b), np.where(left, found, fb)
        with np.errstate(invalid="ignore"):
            zeros = (a * fb - b * fa) / (fb - fa)
        zeros = np.where(np.isfinite(zeros), zeros, (a + b) / 2)
    return np.expm1(zeros), float(np.sign(values[0]))


# Near-best sums


@searching("a sum of exponentials that is near a power law")
def least_sum(exponent: Fraction, error: Fraction, most: int) -> ExponentialSum | None:
    """Return a sum of few exponentials whose error is about `error` at most.

    The next narrower one was tried.  None where `most` exponentials are not found to be enough.
    """
    w, aim = float(exponent), float(error) * (1 - _MARGIN)
    found: dict[int, tuple[float, ExponentialSum]] = {}
    low, high, width = 0, most + 1, max(1, min(most, round(0.75 * most)))
    while high - low > 1:
        reached, exponentials = _near_best(exponent, width)
        found[width] = reached, exponentials
        low, high = (low, width) if reached <= aim else (width, high)
        # The error is about exp(-(2 pi^2 w m)^(1/2)): a step by that, kept between the two.
        size = math.sqrt(2 * math.pi**2 * w * width)
        change = max(size + math.log(reached / aim), 0) ** 2 / (2 * math.pi**2 * w) - width
        width += max(1, round(change)) if reached > aim else min(-1, round(change))
        width = min(max(width, low + 1), high - 1)
    return found[high][1] if high in found else None


@searching("a sum of exponentials that is near a power law")
def near_best_sum(exponent: Fraction, width: int) -> ExponentialSum:
    """Return a sum of so many exponentials that is near rho_w in L1.

    All its changes of sign are there where the search ends at a local minimum, as it mostly does.
    """
    return _near_best(exponent, width)[1]


def _near_best(exponent: Fraction, width: int) -> tuple[float, ExponentialSum]:
    """Return a sum and about its error."""
    w = float(exponent)
    stages = [_start(w, width)]
    for smoothing in _SMOOTHINGS:
        stages.append(_smoothly_improved(w, stages[-1], smoothing))
    stages.append(_improved(w, stages[-1]))
    # Of those whose zeros are all there, if any: only their errors can be certified.
    complete = [x for x in stages if _zero_count(w, x) >= 2 * width - 1]
    logs = min(complete or stages, key=lambda x: _l1_norm(w, x))
    order = np.argsort(logs[:width])
    rates, heights = np.exp(logs[:width])[order], np.exp(logs[width:])[order]
    known = _decimals(rates), _decimals(heights)
    if len(set(known[0])) < width or min(map(min, known)) <= 0:
        raise NotEnclosed("doubles find no sum of so many exponentials")
    exponentials = ExponentialSum(rates=known[0], coefficients=known[1])
    return _l1_norm(w, logs), exponentials


def _decimals(values: Array) -> tuple[Fraction, ...]:
    return tuple(Fraction(f"{x:.{_DIGITS - 1}e}") for x in finite(values))


def _start(w: float, width: int) -> Array:
    """Return logarithms of rates, then of coefficients: a rule whose steps grow with the time."""

    def counted(reach: float) -> tuple[Array, Array, Array]:
        # The nodes end where they would lie farther apart than `_WIDEST`.
        lowest = math.pi**2 / _WIDEST - (w + 0.5) * math.log(2 * math.pi / _WIDEST) - reach
        z = np.linspace(min(lowest / w, 0), 1.2 + math.log1p(max(reach, 0) / 6), 2001)
        density = np.ones_like(z)
        for _ in range(30):
            height = reach + np.minimum(w * z, 0) + (w + 0.5) * np.log(2 * math.pi * density)
            density = np.maximum(height / math.pi**2, 1 / _WIDEST)
        count = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(z))])
        return z, density, count

    low, high = -5.0, 200.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if counted(middle)[2][-1] > width else (middle, high)
    z, density, count = counted(low)
    nodes = np.interp(np.arange(width) + 0.5, count, z)
    steps = 1 / np.interp(nodes, z, density)
    heights = math.log(w) - gammaln(1 + w) + (1 + w) * nodes - np.exp(nodes) + np.log(steps)
    return np.concatenate([nodes, heights])


def _zero_count(w: float, logs: Array) -> int:
    m = len(logs) // 2
    return len(_zeros(w, np.exp(logs[:m]), np.exp(logs[m:]))[0])


def _l1_norm(w: float, logs: Array) -> float:
    """Return about ``||rho_w - f||``."""
    rates, heights = np.exp(logs[: len(logs) // 2]), np.exp(logs[len(logs) // 2 :])
    zeros, first = _zeros(w, rates, heights)
    return _alternating(w, rates, heights, zeros, first)


def _alternating(w: float, rates: Array, heights: Array, zeros: Array, first: float) -> float:
    times = np.concatenate([[0.0], zeros])
    primitive = np.exp(-np.multiply.outer(times, rates)) @ (heights / rates) - (1 + times) ** -w
    signs = first * (-1.0) ** np.arange(len(times))
    return float(signs @ np.diff(primitive, append=0))


def _smoothly_improved(w: float, logs: Array, smoothing: float) -> Array:
    """Move towards a minimum of ``int (g^2 + d^2)^(1/2)``, d a share of g's mean height.

    The positive matrix is that of least squares with weights ``(g^2 + d^2)^(-1/2)``, whose steps
    never overshoot.
    """
    m = len(logs) // 2
    knots = np.log1p(1 / np.sort(np.exp(logs[:m]))[::-1])
    last = math.log1p(60 / math.exp(float(logs[:m].min())))
    early = np.linspace(0, knots[0], 4, endpoint=False)
    ends = np.unique(np.concatenate([early, knots, np.linspace(knots[-1], last, 6)]))
    fine = np.interp(np.arange(_GRID * (len(ends) - 1) + 1) / _GRID, np.arange(len(ends)), ends)
    u, du = (fine[1:] + fine[:-1]) / 2, np.diff(fine)
    law, times = w * np.exp(-w * u), np.expm1(u)[:, None]
    height = smoothing * _l1_norm(w, logs) / last

    def terms(x: Array) -> Array:
        with np.errstate(under="ignore"):
            found: Array = np.exp(x[m:] - times * np.exp(x[:m]) + u[:, None])
        return found

    def value(x: Array) -> float:
        return float(np.hypot(law - terms(x).sum(axis=1), height) @ du)

    def derivatives(x: Array) -> _Quadratic:
        each, slopes = terms(x), -times * np.exp(x[:m])
        rest = law - each.sum(axis=1)
        root = np.hypot(rest, height)
        sign = du * rest / root
        first, second = sign @ (each * slopes), sign @ (each * slopes**2)
        return _Quadratic(
            moves=np.hstack([each * slopes, each]),
            weights=du / root,
            shares=(height / root) ** 2,
            curvature=_diagonals(second + first, first, sign @ each),
            gradient=-np.concatenate([first, sign @ each]),
        )

    return _descended(logs, value, derivatives, steps=30)


def _improved(w: float, logs: Array) -> Array:
    """Move towards a local minimum of the L1 norm itself, by Newton's method."""
    m = len(logs) // 2

    def derivatives(x: Array) -> _Quadratic:
        rates, heights = np.exp(x[:m]), np.exp(x[m:])
        zeros, first = _zeros(w, rates, heights)
        times = np.concatenate([[0.0], zeros])
        signs = first * (-1.0) ** np.arange(len(times))
        with np.errstate(under="ignore"):
            decays = np.exp(-np.multiply.outer(times, rates))
        # int sign(g) t^n exp(-r t) dt, n = 0, 1, 2
        powers = [decays, times[:, None] * decays, times[:, None] ** 2 * decays]
        ends = [signs @ (p - np.vstack([p[1:], np.zeros(m)])) for p in powers]
        zeroth = ends[0] / rates
        once = (ends[1] + zeroth) / rates
        twice = (ends[2] + 2 * once) / rates
        along, across = -heights * rates * once, heights * rates**2 * twice
        at = decays[1:]
        slope = -w * (1 + w) * (1 + zeros) ** (-2 - w) + at @ (heights * rates)
        safe = np.maximum(np.abs(slope), 1e-12 * (1 + zeros) ** (-2 - w))
        return _Quadratic(
            moves=np.hstack([-at * heights * rates * zeros[:, None], at * heights]),
            weights=2 / safe,
            shares=np.ones(len(zeros)),
            curvature=_diagonals(along + across, along, heights * zeroth),
            gradient=-np.concatenate([along, heights * zeroth]),
        )

    return _descended(logs, lambda x: _l1_norm(w, x), derivatives, steps=60)


def _diagonals(rates: Array, mixed: Array, heights: Array) -> Array:
    return np.block([[np.diag(rates), np.diag(mixed)], [np.diag(mixed), np.diag(heights)]])


@dataclass(frozen=True, kw_only=True)
class _Quadratic:
    """The gradient and second derivatives, ``moves^T (weights shares) moves - curvature``.

    ``moves^T weights moves`` is positive, and large enough for a step to be safe.
    """

    moves: Array
    weights: Array
    shares: Array
    curvature: Array
    gradient: Array


def _descended(
    logs: Array,
    value: Callable[[Array], float],
    derivatives: Callable[[Array], _Quadratic],
    *,
    steps: int,
) -> Array:
    """Descend by Newton's method, mixed with a positive matrix as far as it needs to be.

    In the coordinates in which the positive matrix is 1, which is never formed: its condition is
    the square of that of the moves.  No logarithm is moved by more than `_MOST_MOVED` at once.
    """
    best, mixed = value(logs), 0.3
    for _ in range(steps):
        heed_deadline()
        found = derivatives(logs)
        weighted = found.moves * np.sqrt(found.weights)[:, None]
        sizes = np.linalg.norm(weighted, axis=0)
        if not sizes.min() > 0:
            break
        # A little of each coordinate: there may be fewer moves than coordinates.
        columns = finite(np.vstack([weighted, np.diag(_LITTLE * sizes)]))
        basis, triangle = qr(columns, mode="economic")
        basis = basis[: len(weighted)]
        once = solve_triangular(triangle, finite(found.curvature), trans="T")
        matrix = basis.T @ (basis * found.shares[:, None])
        matrix -= solve_triangular(triangle, finite(once.T), trans="T")
        matrix = (matrix + matrix.T) / 2
        coordinates = solve_triangular(triangle, np.diag(sizes), trans="T")
        positive = np.eye(len(sizes)) + _STIFFNESS * coordinates @ coordinates.T
        slope = solve_triangular(triangle, finite(found.gradient), trans="T")
        moved: Array | None = None
        while mixed < _MOST_MIXED:
            try:
                factor = cho_factor(finite(matrix + mixed * positive))
            except np.linalg.LinAlgError:
                mixed *= 3
                continue
            step = -solve_triangular(triangle, cho_solve(factor, slope))
            if np.abs(step).max() <= _MOST_MOVED:
                reached = value(logs + step)
                if reached < best:
                    moved = logs + step
                    break
            mixed *= 3
        if moved is None:
            break
        gained, logs, best, mixed = best - reached, moved, reached, max(mixed / 5, _LEAST_MIXED)
        if gained < _ENOUGH * best:
            break
    return logs
