r"""One step of a validated gradient flow: how far it is from a given polynomial.

**Bounds.**  The flow ``th' = -grad J(th)`` and a polynomial p of the time differ by
``E = |th - p|``, and

    E' <= -lambda E + (C/2) E^2 + |d|,

where ``d = p' + grad J(p)`` is the defect, lambda a lower bound of the eigenvalues of J'' along p,
and C one of ``|D^3 J|`` within E of p, since for v = th - p
``v . (grad J(p + v) - grad J(p)) = v . J''(p) v + int_0^1 (1 - s) D^3 J(p + s v)[v, v, v] ds``.
So ``E(h) <= E(0) exp(k h) + |d|_inf (exp(k h) - 1) / k`` with ``k = -lambda + C B / 2``, as long as
that stays below a B chosen beforehand.  On a step, in the variable s of [-1, 1], d and the
determinant of ``J''(p(s)) + mu`` are analytic; both are interpolated in Chebyshev's points, and
what is left out is bounded on a Bernstein ellipse by one evaluation in complex balls.  If the
determinant has no zero and the matrix is positive definite at one point, it is so on the whole
step, and ``lambda = -mu``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from verification.enclosure.balls import (
    Ball,
    ball,
    complex_ball,
    exact_ball,
    less,
    lower_double,
    maximum,
    pi,
    power,
    root,
    square,
    symmetric,
    total,
    upper_double,
    working_precision,
)
from verification.enclosure.chebyshev import basis_at, chebyshev_points, coefficients_matrix
from verification.enclosure.matrix import Matrix
from verification.enclosure.supremum import absolute_supremum
from verification.errors import NotEnclosed
from verification.linear_rnn.gradient_flow import STAGES, Step, derivatives_estimate
from verification.linear_rnn.plateau import (
    Plateau,
    gradient_and_hessian,
    miss_upper,
    third_derivative_upper,
)
from verification.verdict import Truth

DEGREE = 32
_ELLIPSE = 4
_GRID = 64
_MARGIN = 0.002
_TRIES = 6
_CROSSING_GRID = 401


@dataclass(frozen=True, kw_only=True)
class ValidatedStep:
    """A step with a proved error.

    Parameters
    ----------
    step : Step
    length : Fraction
    error, last_error : Ball
        Bounds of E on the step, and at its end.
    farthest : Ball
        Bound of the distance from the start on the step.
    """

    step: Step
    length: Fraction
    error: Ball
    last_error: Ball
    farthest: Ball

    def offset(self, s: Fraction) -> tuple[Fraction, ...]:
        """Return p(s), exactly."""
        values = []
        for column in self.step.coefficients.T:
            # Clenshaw's recurrence.
            later, latest = Fraction(0), Fraction(0)
            for c in column[:0:-1]:
                latest, later = Fraction(float(c)) + 2 * s * latest - later, latest
            values.append(Fraction(float(column[0])) + s * latest - later)
        return tuple(values)

    def crossing_estimate(self, radius: float) -> tuple[float, float] | None:
        """Return where |p| first reaches a radius, and its derivative there, about.

        The end of the step where it does not: then it is so near that the error may be the rest.
        """
        s = np.linspace(-1, 1, _CROSSING_GRID)
        beyond = np.linalg.norm(self.step.offsets(s), axis=1) >= radius
        if beyond[0]:
            return None
        k = int(np.argmax(beyond)) if beyond.any() else len(s) - 1
        low, high = float(s[k - 1]), float(s[k])
        for _ in range(60):
            middle = (low + high) / 2
            far = float(np.linalg.norm(self.step.offsets(np.array([middle])))) >= radius
            low, high = (low, middle) if far else (middle, high)
        ends = np.linalg.norm(self.step.offsets(np.array([low - 1e-4, low + 1e-4])), axis=1)
        speed = float(ends[1] - ends[0]) / 2e-4
        return (low, speed) if speed > 0 else None

    def stays_within(self, radius: Ball, until: Fraction) -> bool:
        """Tell whether the flow is certainly within a ball around the start up to s = `until`."""
        columns = [[exact_ball(float(c)) for c in column] for column in self.step.coefficients.T]
        room = radius - self.error
        if less(ball(0), room) is not Truth.TRUE:
            return False

        def squared(s: Ball) -> Ball:
            return total(square(_clenshaw(column, s)[0]) for column in columns)

        def slope(s: Ball) -> Ball:
            pairs = [_clenshaw(column, s) for column in columns]
            return 2 * total(value * moved for value, moved in pairs)

        limit = square(room)
        found = absolute_supremum(
            squared, slope, Fraction(-1), until, at_least=lower_double(limit) * (1 - 2.0**-50)
        )
        return less(found.upper, limit) is Truth.TRUE

    def is_beyond(self, radius: Ball, s: Fraction) -> bool:
        """Tell whether the flow is certainly outside a ball around the start at a point."""
        distance = root(total(square(ball(x)) for x in self.offset(s)))
        return less(radius, distance - self.error) is Truth.TRUE


def _clenshaw(coefficients: Sequence[Ball], s: Ball) -> tuple[Ball, Ball]:
    """Enclose ``sum_k c_k T_k(s)`` and its derivative."""
    before, value = ball(1), s
    slope_before, slope = ball(0), ball(1)
    result, moved = coefficients[0] + coefficients[1] * s, coefficients[1]
    for c in coefficients[2:]:
        following = 2 * s * value - before
        slope_following = 2 * value + 2 * s * slope - slope_before
        before, value, slope_before, slope = value, following, slope, slope_following
        result, moved = result + c * value, moved + c * slope
    return result, moved


def validated(plateau: Plateau, step: Step, end: Sequence[Ball], before: Ball) -> ValidatedStep:
    """Bound the error on a step that begins within `before` of where the last one ended.

    Raises
    ------
    NotEnclosed
        Where the step is too long for the bounds.
    """
    length = ball(Fraction(step.length))
    tables = _tables(working_precision())
    rows = [[exact_ball(float(c)) for c in row] for row in step.coefficients]
    coefficients = Matrix.of_balls(rows)
    values = _ball_rows(tables.values @ coefficients)
    slopes = _ball_rows((tables.slopes @ coefficients).scale(2 / length))
    gradients, bends = [], []
    for offset in values:
        slope, bend = gradient_and_hessian(plateau, offset)
        gradients.append(slope)
        bends.append(bend)
    spreads = [
        [
            total(abs(row[k]) * size for row, size in zip(rows[1:], sizes, strict=True))
            for k in range(len(end))
        ]
        for sizes in (tables.on_ellipse, [ball(1)] * STAGES)
    ]
    tails = beyond_the_interpolant(plateau, rows[0], spreads[0])
    defects = [
        [p + g for p, g in zip(slope, gradient_, strict=True)]
        for slope, gradient_ in zip(slopes, gradients, strict=True)
    ]
    sizes = _column_sums(tables.transform @ Matrix.of_balls(defects))
    defect = root(
        total(square(size + tail) for size, tail in zip(sizes, tails.gradient, strict=True))
    )
    growth = _growth_upper(plateau, step, bends, tails)
    joint = root(total(square(a - b) for a, b in zip(values[-1], end, strict=True)))
    started = before + joint
    bound = _error_bound(
        started,
        defect,
        growth,
        length,
        lambda error: steepness(plateau, rows[0], spreads[1], error),
    )
    squares = Matrix.of_balls([[total(square(x) for x in offset)] for offset in values])
    return ValidatedStep(
        step=step,
        length=Fraction(step.length),
        error=bound[0],
        last_error=bound[1],
        farthest=root(extreme_upper(squares)) + bound[0],
    )


@dataclass(frozen=True, kw_only=True)
class Tails:
    """What interpolants on a step leave out: bounds for the gradient and for determinants."""

    gradient: list[Ball]
    rows: list[Ball]
    factor: Ball


def beyond_the_interpolant(
    plateau: Plateau, centre: Sequence[Ball], spread: Sequence[Ball]
) -> Tails:
    """Evaluate gradient and second derivatives once, on all that p reaches on the ellipse."""
    wide = [
        complex_ball(c + symmetric(reach), symmetric(reach))
        for c, reach in zip(centre, spread, strict=True)
    ]
    least = _least_rates(plateau, centre, spread)
    if any(less(ball(0), w) is not Truth.TRUE for w in least):
        raise NotEnclosed("a step of the flow is too long to be validated")
    slope, bend = gradient_and_hessian(plateau, wide)
    factor = 4 / (power(ball(_ELLIPSE), DEGREE) * (_ELLIPSE - 1))
    gradient_tails = [factor * x.abs_upper() for x in slope]
    rows = [root(total(square(x.abs_upper()) for x in row)) for row in bend]
    if not all(x.is_finite() for x in (*gradient_tails, *rows)):
        raise NotEnclosed("a step of the flow is too long to be validated")
    return Tails(gradient=gradient_tails, rows=rows, factor=factor)


def _growth_upper(
    plateau: Plateau, step: Step, bends: Sequence[Sequence[Sequence[Ball]]], tails: Tails
) -> Ball:
    """Return a mu with ``J''(p) + mu`` positive definite on the whole step."""
    points = np.cos(np.pi * np.arange(DEGREE + 1) / DEGREE)
    _, estimates = derivatives_estimate(plateau, step.offsets(points))
    if not np.isfinite(estimates).all():
        raise NotEnclosed("the second derivatives of the loss are beyond the range of doubles")
    try:
        with np.errstate(all="ignore"):
            spectrum = np.linalg.eigvalsh(estimates)
            least, largest = float(spectrum.min()), float(np.abs(spectrum).max())
            spread = float(np.ptp(spectrum[:, 0]))
            slowest = float(_MARGIN / np.float64(step.length))
    except np.linalg.LinAlgError as error:
        raise NotEnclosed("the second derivatives of the loss have no spectrum") from error
    margin = max(slowest, 0.01 * abs(least), 0.05 * spread, 1e-14 * largest)
    if not np.isfinite([least, margin * 4.0**_TRIES]).all():
        raise NotEnclosed("the second derivatives of the loss are beyond the range of doubles")
    for _ in range(_TRIES):
        mu = ball(Fraction(margin - least))
        if is_positive(bends[0], mu):
            determinants = Matrix.of_balls([[_shifted(bend, mu).determinant()] for bend in bends])
            # Hadamard: a determinant is at most the product of the rows' lengths.
            tail = tails.factor
            for row in tails.rows:
                tail = tail * (row + abs(mu))
            lowest = -extreme_upper(determinants.scale(-1))
            if less(tail, lowest) is Truth.TRUE:
                return mu
        margin *= 4
    raise NotEnclosed("the second derivatives of the loss are not bounded on a step of the flow")


def _shifted(rows: Sequence[Sequence[Ball]], mu: Ball) -> Matrix:
    return Matrix.of_balls(
        [[x + mu if i == j else x for j, x in enumerate(row)] for i, row in enumerate(rows)]
    )


def is_positive(rows: Sequence[Sequence[Ball]], mu: Ball) -> bool:
    """Tell whether a symmetric matrix plus a multiple of the identity is positive definite."""
    left = [[x + mu if i == j else x for j, x in enumerate(row)] for i, row in enumerate(rows)]
    for k in range(len(left)):
        if less(ball(0), left[k][k]) is not Truth.TRUE:
            return False
        for i in range(k + 1, len(left)):
            factor = left[i][k] / left[k][k]
            for j in range(k + 1, len(left)):
                left[i][j] = left[i][j] - factor * left[k][j]
    return True


def _least_rates(plateau: Plateau, centre: Sequence[Ball], spread: Sequence[Ball]) -> list[Ball]:
    m = plateau.units
    return [
        ball(w) + y - reach
        for w, y, reach in zip(plateau.rates, centre[m:], spread[m:], strict=True)
    ]


def steepness(
    plateau: Plateau, centre: Sequence[Ball], spread: Sequence[Ball], error: Ball
) -> Ball:
    """Bound the third derivatives within `error` of all offsets within `spread` of a centre."""
    m = plateau.units
    rates = [w - error for w in _least_rates(plateau, centre, spread)]
    if any(less(ball(0), w) is not Truth.TRUE for w in rates):
        raise NotEnclosed("the error of the flow has grown too large")
    sizes = [
        abs(ball(c) + x) + reach + error
        for c, x, reach in zip(plateau.coefficients, centre[:m], spread[:m], strict=True)
    ]
    reach = root(total(square(x) for x in spread)) + error
    return third_derivative_upper(sizes, rates, miss=miss_upper(plateau, centre), reach=reach)


def _error_bound(
    started: Ball, defect: Ball, growth: Ball, length: Ball, steepness: Callable[[Ball], Ball]
) -> tuple[Ball, Ball]:
    """Bound E on a step and at its end; see the module's docstring."""
    guess = exact_ball(upper_double(2 * _grown(started, defect, growth, length)[0]))
    for _ in range(_TRIES):
        rate = growth + steepness(guess) * guess / 2
        worst, last = _grown(started, defect, rate, length)
        if less(worst, guess) is Truth.TRUE or not guess.upper().is_finite():
            break
        guess = 4 * guess
    if less(worst, guess) is not Truth.TRUE:
        raise NotEnclosed("the error of the flow has grown too large")
    return exact_ball(upper_double(worst)), exact_ball(upper_double(last))


def _grown(started: Ball, defect: Ball, rate: Ball, length: Ball) -> tuple[Ball, Ball]:
    exponent = rate * length
    if upper_double(exponent) > 100:
        raise NotEnclosed("the error of the flow has grown too large")
    # (exp(k h) - 1) / k <= h exp(max(k h, 0)), and <= 1 / |k| where k < 0.
    up = exponent.max(ball(0)).exp()
    gathered = defect * length * up
    if less(rate, ball(0)) is Truth.TRUE:
        gathered = gathered.min(defect / -rate)
    return started * up + gathered, started * exponent.exp() + gathered


@dataclass(frozen=True, kw_only=True)
class _Tables:
    """Chebyshev's polynomials and their derivatives at the points, and the way back."""

    values: Matrix
    slopes: Matrix
    transform: Matrix
    on_grid: Matrix
    on_ellipse: list[Ball]


@lru_cache(maxsize=4)
def _tables(_bits: int) -> _Tables:
    points = chebyshev_points(DEGREE)
    values, slopes = [], []
    for s in points:
        pairs = [
            _clenshaw([ball(int(i == k)) for i in range(STAGES + 1)], s) for k in range(STAGES + 1)
        ]
        values.append([value for value, _ in pairs])
        slopes.append([slope for _, slope in pairs])
    rho = ball(_ELLIPSE)
    return _Tables(
        values=Matrix.of_balls(values),
        slopes=Matrix.of_balls(slopes),
        transform=coefficients_matrix(DEGREE),
        on_grid=Matrix.of_balls([basis_at(pi() * k / _GRID, DEGREE + 1) for k in range(_GRID + 1)]),
        on_ellipse=[(power(rho, k) + 1 / power(rho, k)) / 2 for k in range(1, STAGES + 1)],
    )


def extreme_upper(at_points: Matrix) -> Ball:
    """Bound from above the polynomial with these values at Chebyshev's points, on [-1, 1]."""
    tables = _tables(working_precision())
    coefficients = tables.transform @ at_points
    heights = [ball(x) for x in (tables.on_grid @ coefficients).numbers()]
    # In the angle a polynomial's derivative is at most sum k |c_k|; grid points are pi/n apart.
    slope = total(k * abs(ball(c)) for k, c in enumerate(coefficients.numbers()))
    return maximum(heights) + slope * pi() / (2 * _GRID)


def _column_sums(matrix: Matrix) -> list[Ball]:
    rows = _ball_rows(matrix)
    return [total(abs(row[k]) for row in rows) for k in range(len(rows[0]))]


def _ball_rows(matrix: Matrix) -> list[list[Ball]]:
    return [[ball(x) for x in row] for row in matrix.entries()]
