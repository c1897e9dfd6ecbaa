r"""The solution of the limit equation in double precision, at all points and times, with its error.

**Setting.**  In the Hilbert space of the kernel let phi(zeta) be the feature of a point,
``<phi(zeta), phi(zeta')> = K(zeta, zeta')``.  Then ``g_t(zeta) = <phi(zeta), theta_t>`` with

    d/dt theta = -alpha (A theta - b),  A = mu[phi x phi],  b = mu[phi y],  theta_0 = 0,

and ``|theta_t|^2 <= alpha t ybar^2 / 2``, because ``d/dt |theta|^2 = -2 alpha mu[g (g - y)]`` is at
most ``alpha mu[y^2] / 2``.  The law mu is given by nodes zeta_a and signed weights w_a, W the sum
of their sizes, up to the errors that `verification.flow.node_law` states.

**Rows.**  The kernel is known at the nodes, and at the points where g is wanted, up to eps from
inner products of rows L_a of short vectors: the features of `verification.kernel.features`, or a
factor of the Gram matrix where that is smaller.  The linear equation of the rows,
``theta_c' = -alpha (L^T w L theta_c - L^T w y)``, is solved through approximate eigenpairs
(V, Lambda) of ``L^T w L`` and c near ``V^T L^T w y``: ``theta_c = V D(t) c``,
``D = (1 - exp(-alpha t Lambda)) / Lambda``.  What is computed is ``L_zeta . theta_c``.

**Error.**  Let ``z_a(t) = alpha int_0^t (y_a - L_a . theta_c) ds``, so that
``|z_a| <= Z = alpha t (ybar + rho |V| |D c|)``, rho the longest row, and put
``theta~ = sum_a w_a z_a phi(zeta_a)``.  Integrating twice, with E the integral of D,

    L^T w z - theta_c = alpha t (L^T w y - V c) - alpha (L^T w L V - V Lambda) E c,

so for every row ``|<phi, theta~> - L . theta_c|`` is at most
``N = eps W Z + rho alpha (t |L^T w y - V c| + |L^T w L V - V Lambda| |E c|)``.  Hence theta~ solves
its equation up to ``alpha W Kbar^(1/2) N``, and as A is positive semidefinite

    |theta - theta~| <= e = alpha t (dA Theta + db + W Kbar^(1/2) N) / (1 - alpha t dA),

Theta the bound of theta above, dA and db what the law errs on ``<a, phi>^2``, |a| = 1, and on
``y <a, phi>``: with ``L_phi`` and S from the kernel's slope and its bound on the strip

    dA = 2 Kbar^(1/2) L_phi spread + Kbar mass_error + S analytic_error,
    db = ybar (L_phi spread + Kbar^(1/2) mass_error + S^(1/2) analytic_error).

So ``|g_t(zeta) - L_zeta . theta_c| <= Kbar^(1/2) e + N``: nothing grows exponentially in t.

*Loss.*  ``mu[(g - y)^2]`` is ``sum_a w_a (L_a . theta_c - y_a)^2`` up to the law's error on
``(<phi, theta~> - y)^2``, N at the nodes and ``Kbar^(1/2) e`` in L2(mu).

Source: this project; the equation is that of Lam, Sirignano and Spiliopoulos (arXiv 2308.14555).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from verification.enclosure.balls import Ball, ball, precision, root, square
from verification.enclosure.doubles import above, gamma, nearest, sum_upper, upward
from verification.errors import InvalidInstance, NotEnclosed
from verification.flow.node_law import NodeLaw
from verification.instance import Instance
from verification.kernel.features import feature_map, largest_norm
from verification.kernel.gram import has_long_features, kernel_matrix
from verification.kernel.limiting import (
    feature_slope_bound,
    kernel_bound,
    squared_input_bound,
)
from verification.recurrent.activation import activation
from verification.recurrent.law import mean_square_of_w, moment_of_c

Array: TypeAlias = npt.NDArray[np.float64]

MAX_GRAM = 4_000
"""Largest number of nodes and points whose Gram matrix is formed and factored."""

MAX_CLOCK = 2**30
"""Largest alpha t."""

MAX_TARGET = 10**100
"""Largest size of a target."""

_BITS = 80
# Below it ``(alpha t)^2 / 2`` is the smaller bound.
_LEAST_RATE = 2.0**-29
_CHUNK = 2**11
_MOST_FEATURES = 600
_RELATIVE_RANK = 2.0**-56


@dataclass(frozen=True, kw_only=True)
class _Constants:
    """Bounds of the instance, as exact rationals; see the module's docstring."""

    kernel: Fraction
    kernel_root: Fraction
    slope: Fraction
    strip_kernel: Fraction
    strip_root: Fraction
    target: Fraction
    target_error: Fraction

    def of_law(self, law: NodeLaw) -> tuple[Fraction, Fraction]:
        """Return dA and db."""
        spread, mass_error = Fraction(law.spread), Fraction(law.mass_error)
        analytic_error = Fraction(law.analytic_error)
        return (
            2 * self.kernel_root * self.slope * spread
            + self.kernel * mass_error
            + self.strip_kernel * analytic_error,
            self.target
            * (
                self.slope * spread
                + self.kernel_root * mass_error
                + self.strip_root * analytic_error
            ),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Rows:
    """Rows of the nodes, chunk by chunk, those of the points, and what they err.

    Parameters
    ----------
    chunks : callable
        Yields (first node, rows), rows of shape (n, n_columns).
    points : Array, shape (n_points, n_columns)
    error : Fraction
        Bound of ``|K - inner product|``, for two nodes, or a node and a point.
    spectral_error : Fraction
        Bound of what replacing features by rows moves an eigenvalue of A by, for W = 1.
    """

    chunks: Callable[[], Iterator[tuple[int, Array]]]
    points: Array
    error: Fraction
    spectral_error: Fraction


@dataclass(frozen=True, kw_only=True, eq=False)
class _Moments:
    """Sums over the nodes, with bounds of their errors.

    Parameters
    ----------
    matrix : Array, shape (n_columns, n_columns)
        ``L^T w L``.
    vector : Array, shape (n_columns,)
        ``L^T w y``.
    square : float
        ``sum_a w_a y_a^2``.
    matrix_error, vector_error, square_error : Fraction
        In the Frobenius norm, the Euclidean norm, absolute.
    mass : Fraction
        W, the sum of ``|w_a|``.
    longest : Fraction
        Bound of the norm of every row, of nodes and points.
    """

    matrix: Array
    vector: Array
    square: float
    matrix_error: Fraction
    vector_error: Fraction
    square_error: Fraction
    mass: Fraction
    longest: Fraction


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """Numbers over time, each within `errors` of the truth.

    Parameters
    ----------
    values : Array, shape (n_times, ...)
    errors : Array, shape (n_times,)
        Proved.
    """

    values: Array
    errors: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class LimitFlow:
    """The solution of the limit equation; make it with `limit_flow`.

    Parameters
    ----------
    alpha : Fraction
    law : NodeLaw
    eigenvalues : Array, shape (n_columns,)
        Increasing, not negative.
    eigenvalue_error : float
        Proved: the eigenvalues of T_K on L2(mu), in order and filled up with zeros, differ from
        these by at most this.
    coordinates : Array, shape (n_columns,)
        Approximately those of ``mu[phi y]`` along the eigenvectors.
    """

    alpha: Fraction
    law: NodeLaw
    eigenvalues: Array
    eigenvalue_error: float
    coordinates: Array
    _vectors: Array
    _points: Array
    _moments: _Moments
    _constants: _Constants
    _row_error: Fraction
    _length: Fraction
    _residual: Fraction
    _misfit: Fraction

    def output(self, times: Sequence[Fraction]) -> Curve:
        """Return g_t at the points that the flow was made for.

        Parameters
        ----------
        times : sequence of Fraction
            Times t >= 0, in units of N steps.

        Returns
        -------
        Curve
            Values of shape ``(n_times, n_points)``.
        """
        values, errors = [], []
        for time in times:
            step = self._at(time)
            rounding = (
                gamma(len(step.parameters)) * self._moments.longest * (step.size + step.rounding)
            )
            values.append(self._points @ step.parameters)
            errors.append(
                upward(
                    self._constants.kernel_root * step.distance
                    + step.mismatch
                    + self._moments.longest * step.rounding
                    + rounding
                )
            )
        return Curve(values=np.array(values), errors=np.array(errors))

    def loss(self, times: Sequence[Fraction]) -> Curve:
        """Return ``||g_t - y||^2`` in L2(mu); values of shape ``(n_times,)``.

        Parameters
        ----------
        times : sequence of Fraction
            Times t >= 0.
        """
        known, constants, law = self._moments, self._constants, self.law
        values, errors = [], []
        vector, matrix = _norm(known.vector), _norm(known.matrix)
        for time in times:
            step = self._at(time)
            theta, size = step.parameters, step.size + step.rounding
            values.append(
                known.square - 2 * float(known.vector @ theta) + float(theta @ known.matrix @ theta)
            )
            terms = abs(Fraction(known.square)) + 2 * vector * size + matrix * size * size
            computed = (
                known.square_error
                + 2 * known.vector_error * size
                + known.matrix_error * size * size
                # What rounding theta changes, through the gradient and the second order.
                + 2 * (vector + matrix * size) * step.rounding
                + matrix * step.rounding**2
                + gamma(2 * len(theta) + 4) * terms
            )
            # The largest |g~ - y| at a node, on the real line and on the strip.
            at_nodes = known.longest * size + constants.target + constants.target_error
            exact = step.true_size + step.distance
            on_line = constants.kernel_root * exact + constants.target
            on_strip = constants.strip_root * exact + constants.target
            of_law = (
                Fraction(law.spread) * 2 * on_line * constants.slope * exact
                + Fraction(law.mass_error) * on_line**2
                + Fraction(law.analytic_error) * on_strip**2
            )
            off = step.mismatch + constants.target_error
            apart = constants.kernel_root * step.distance
            errors.append(
                upward(
                    computed
                    + of_law
                    + known.mass * off * (2 * at_nodes + off)
                    + apart * (2 * on_line + apart)
                )
            )
        return Curve(values=np.array(values), errors=np.array(errors))

    @cached_property
    def _norms(self) -> tuple[Fraction, Fraction]:
        """Bounds of the norms of the coordinates and of the matrix of eigenvectors."""
        return _norm(self.coordinates), _norm(self._vectors)

    @cached_property
    def _steps(self) -> dict[Fraction, _Step]:
        """What is known of the times that were asked for: output and loss ask for the same."""
        return {}

    def _at(self, time: Fraction) -> _Step:
        if time not in self._steps:
            self._steps[time] = self._step(time)
        return self._steps[time]

    def _step(self, time: Fraction) -> _Step:
        if not 0 <= self.alpha * time <= MAX_CLOCK:
            raise InvalidInstance("time", f"is {time}, expected 0 to {MAX_CLOCK} / alpha")
        constants, known = self._constants, self._moments
        with precision(_BITS):
            gains = [nearest(_gain(self.alpha * time, x)) for x in self.eigenvalues.tolist()]
            true_size = above(root(ball(self.alpha * time / 2))) * constants.target
        scaled = np.array([gain for gain, _ in gains]) * self.coordinates
        drive, frobenius = self._norms
        # A kernel that is zero everywhere has no columns.
        rough = max((bounds.error for _, bounds in gains), default=Fraction(0))
        # 0 <= alpha E <= min((alpha t)^2 / 2, alpha t / lambda), from D <= min(alpha t, 1/lambda).
        clock = self.alpha * time
        rates = np.maximum(self.eigenvalues, _LEAST_RATE)
        twice = np.minimum(float(clock) ** 2 / 2, float(clock) / rates)
        twice_gained = _norm(twice * self.coordinates) * (1 + gamma(8))
        gained = _norm(scaled) * (1 + gamma(2)) + rough * drive
        size = self._length * gained
        mismatch = known.longest * (clock * self._misfit + self._residual * twice_gained)
        moved = clock * (constants.target + constants.target_error + known.longest * size)
        mismatch += self._row_error * known.mass * moved
        second, first = self._constants.of_law(self.law)
        first += constants.kernel_root * known.mass * constants.target_error
        damping = 1 - clock * second
        if damping <= 0:
            raise NotEnclosed("the law of the memory is known too coarsely for so long a time")
        distance = (
            clock
            * (second * true_size + first + known.mass * constants.kernel_root * mismatch)
            / damping
        )
        width = len(scaled)
        rounding = frobenius * (gamma(width + 1) * _norm(scaled) + rough * drive)
        return _Step(
            parameters=self._vectors @ scaled,
            size=above(size),
            rounding=above(rounding),
            true_size=true_size,
            distance=above(distance),
            mismatch=above(mismatch),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Step:
    """theta_c at one time, and bounds.

    Parameters
    ----------
    parameters : Array, shape (n_columns,)
    size, rounding : Fraction
        Of the exact theta_c, and of what the parameters err.
    true_size : Fraction
        Theta.
    distance, mismatch : Fraction
        e and N.
    """

    parameters: Array
    size: Fraction
    rounding: Fraction
    true_size: Fraction
    distance: Fraction
    mismatch: Fraction


def _gain(clock: Fraction, eigenvalue: float) -> Ball:
    """Enclose ``(1 - exp(-alpha t lambda)) / lambda``."""
    rate = Fraction(eigenvalue)
    if not rate * clock:
        return ball(clock)
    return -(-ball(rate * clock)).expm1() / ball(rate)


def _norm(array: Array) -> Fraction:
    """Bound the Euclidean norm of all entries."""
    with precision(_BITS):
        squares = sum_upper((array.ravel() * array.ravel()).tolist())
        return above(root(ball(squares * (1 + gamma(2)) + Fraction(1, 2**1000))))


def limit_flow(
    instance: Instance, law: NodeLaw, points: Sequence[tuple[int, Fraction]]
) -> LimitFlow:
    """Solve the limit equation.

    Parameters
    ----------
    instance : Instance
        With training constants; the horizon plays no part.
    law : NodeLaw
        The joint chain's invariant law; any other law gives the solution for that one.
    points : sequence of (int, Fraction)
        Where g is wanted: states (whose inputs count) and memories.

    Raises
    ------
    InvalidInstance
        Where the instance has no training constants, or a target is beyond `MAX_TARGET`.
    NotEnclosed
        Where the kernel has too many features and the nodes are too many for a Gram matrix.

    Notes
    -----
    Linear in the number of nodes; a few eigenproblems of the number of features.
    """
    if instance.training is None:
        raise InvalidInstance("training", "is missing, expected alpha, beta, gamma and horizon")
    for state, y in enumerate(instance.chain.targets):
        if abs(y) > MAX_TARGET:
            raise InvalidInstance(
                f"chain.targets[{state}]", "is too large, expected at most 1e100 in size"
            )
    for state, _ in points:
        if not 0 <= state < instance.chain.n_states:
            last = instance.chain.n_states - 1
            raise InvalidInstance("state", f"is {state}, expected 0 to {last}")
    constants = _constants(instance, law)
    rows = _rows(instance, law, points, constants)
    known = _moments(instance, law, rows)
    eigenvalues, vectors = np.linalg.eigh(known.matrix)
    eigenvalues = np.maximum(eigenvalues, 0.0)
    coordinates = vectors.T @ known.vector
    width = len(eigenvalues)
    frobenius, matrix = _norm(vectors), _norm(known.matrix)
    with precision(_BITS):
        defect = _norm(vectors.T @ vectors - np.eye(width)) + gamma(width + 1) * frobenius**2
        length = above(root(ball(1 + defect)))
    residual = (
        _norm(known.matrix @ vectors - vectors * eigenvalues)
        + gamma(width + 2) * frobenius * (matrix + Fraction(float(eigenvalues.max(initial=0))))
        + known.matrix_error * length
    )
    misfit = (
        _norm(vectors @ coordinates - known.vector)
        + gamma(width + 1) * (frobenius * _norm(coordinates) + _norm(known.vector))
        + known.vector_error
    )
    second, _ = constants.of_law(law)
    if defect >= Fraction(1, 2):
        raise NotEnclosed("the eigenvectors in double precision are not nearly orthogonal")
    return LimitFlow(
        alpha=instance.training.alpha,
        law=law,
        eigenvalues=eigenvalues,
        # Weyl, for the orthogonal factor of the eigenvectors' polar decomposition.
        eigenvalue_error=upward(
            (residual * length + 3 * defect * matrix) / (1 - defect) ** 2
            + known.mass * rows.spectral_error
            # A little more: the features of the rows are not exactly the kernel's.
            + second * (1 + Fraction(1, 2**20))
        ),
        coordinates=coordinates,
        _vectors=vectors,
        _points=rows.points,
        _moments=known,
        _constants=constants,
        _row_error=rows.error,
        _length=length,
        _residual=residual,
        _misfit=misfit,
    )


def _constants(instance: Instance, law: NodeLaw) -> _Constants:
    sigma = activation(instance.activation)
    factor = moment_of_c(instance.law, 2) * squared_input_bound(instance)
    with precision(_BITS):
        kernel = above(kernel_bound(instance).upper)
        t0, t1 = (sigma.strip_bound(order, ball(law.strip)) for order in (0, 1))
        strip_kernel = above(square(t0) + ball(factor) * square(t1))
        return _Constants(
            kernel=kernel,
            kernel_root=above(root(ball(kernel))),
            slope=above(feature_slope_bound(instance)),
            strip_kernel=strip_kernel,
            strip_root=above(root(ball(strip_kernel))),
            target=max(abs(y) for y in instance.chain.targets),
            target_error=max(nearest(y)[1].error for y in instance.chain.targets),
        )


def _moments(instance: Instance, law: NodeLaw, rows: _Rows) -> _Moments:
    """Return the sums over the nodes: short sums of short sums, so that little is lost."""
    targets = np.array([float(y) for y in instance.chain.targets])[law.states]
    width = rows.points.shape[1]
    matrices, vectors, squares = np.zeros((width, width)), np.zeros(width), 0.0
    longest = Fraction(largest_norm(rows.points))
    n_chunks = 0
    for start, values in rows.chunks():
        part = slice(start, start + len(values))
        weighted = values * law.weights[part, np.newaxis]
        matrices += weighted.T @ values
        vectors += weighted.T @ targets[part]
        squares += float(law.weights[part] @ targets[part] ** 2)
        longest = max(longest, Fraction(largest_norm(values)))
        n_chunks += 1
    mass = sum_upper(np.abs(law.weights).tolist())
    rounding = gamma(min(len(law), _CHUNK) + n_chunks + 4) * mass
    largest = Fraction(float(np.abs(targets).max()))
    symmetric = (matrices + matrices.T) / 2
    return _Moments(
        matrix=symmetric,
        vector=vectors,
        square=squares,
        matrix_error=rounding * longest**2,
        vector_error=rounding * longest * largest,
        square_error=rounding * largest**2,
        mass=mass,
        longest=longest,
    )


def _rows(
    instance: Instance,
    law: NodeLaw,
    points: Sequence[tuple[int, Fraction]],
    constants: _Constants,
) -> _Rows:
    """Choose between features and a factor of the Gram matrix."""
    inputs = np.array([[float(x) for x in point] for point in instance.chain.inputs])
    states = np.array([state for state, _ in points], dtype=np.intp)
    rounded = [nearest(v) for _, v in points]
    wanted = np.array([v for v, _ in rounded])
    # What rounding the inputs and the points' memories moves features by.
    moved = _input_rounding(instance) + constants.slope * max(
        (bounds.error for _, bounds in rounded), default=Fraction(0)
    )
    outside = 2 * (constants.kernel_root + moved) * moved
    n_nodes = len(law)
    if has_long_features(instance):
        return _factored(*_gram(instance, law, inputs, (states, wanted)), outside, len(points))
    memory = max(np.abs(law.memories).max(), np.abs(wanted).max(initial=0))
    known = feature_map(instance, np.abs(inputs).max(axis=0), float(memory))
    if known.n_features > max(_MOST_FEATURES, n_nodes // 4):
        return _factored(*_gram(instance, law, inputs, (states, wanted)), outside, len(points))
    at_points = known.features(inputs[states], wanted)

    def chunks() -> Iterator[tuple[int, Array]]:
        for start in range(0, n_nodes, _CHUNK):
            part = slice(start, start + _CHUNK)
            yield start, known.features(inputs[law.states[part]], law.memories[part]).values

    with precision(_BITS):
        exact = above(root(ball(constants.kernel + Fraction(known.kernel_error))))
    longest = upward(exact + moved + Fraction(known.value_error))
    error = Fraction(dataclasses.replace(at_points, largest=longest).product_error()) + outside
    return _Rows(chunks=chunks, points=at_points.values, error=error, spectral_error=error)


def _gram(
    instance: Instance, law: NodeLaw, inputs: Array, points: tuple[npt.NDArray[np.intp], Array]
) -> tuple[Array, float]:
    """Return the kernel's matrix of the points and then of the nodes, and its error."""
    states, memories = (
        np.concatenate((of_points, of_nodes))
        for of_points, of_nodes in zip(points, (law.states, law.memories), strict=True)
    )
    if len(states) > MAX_GRAM:
        raise NotEnclosed(
            f"the kernel has too many features, and {len(law)} nodes are too many for its matrix "
            f"(at most {MAX_GRAM})"
        )
    return kernel_matrix(instance, inputs[states], memories)


def _factored(gram: Array, entry_error: float, outside: Fraction, n_points: int) -> _Rows:
    """Return rows whose inner products are a Gram matrix up to its rounding errors."""
    eigenvalues, vectors = np.linalg.eigh(gram)
    kept = eigenvalues > _RELATIVE_RANK * eigenvalues.max(initial=0)
    rows = vectors[:, kept] * np.sqrt(eigenvalues[kept])
    longest = Fraction(largest_norm(rows))
    rest = Fraction(float(np.abs(gram - rows @ rows.T).max(initial=0)))
    rounding = rest * (1 + gamma(2)) + gamma(rows.shape[1] + 2) * longest**2
    error = Fraction(entry_error) + rounding + outside
    with precision(_BITS):
        # Powers and Stormer: roots of positive matrices are no farther apart than the root of
        # the matrices' distance, and that is at most n times the largest entry's.
        apart = above(root(ball(error * len(gram))))

    def chunks() -> Iterator[tuple[int, Array]]:
        for start in range(n_points, len(rows), _CHUNK):
            yield start - n_points, rows[start : start + _CHUNK]

    return _Rows(
        chunks=chunks,
        points=rows[:n_points],
        error=error,
        spectral_error=2 * longest * apart + apart**2,
    )


def _input_rounding(instance: Instance) -> Fraction:
    """Bound what rounding the inputs moves the random vector ``(sigma, C sigma' x)`` by, in L2.

    sigma moves by ``s1 |W.dx|``, ``C sigma' x`` by ``s1 |C| |dx| + s2 R |C| |W.dx|``.
    """
    chain, law = instance.chain, instance.law
    sigma = activation(instance.activation)
    moved = [max(nearest(x[k])[1].error for x in chain.inputs) for k in range(chain.dimension)]
    if not any(moved):
        return Fraction(0)
    with precision(_BITS):
        s1, s2 = ball(sigma.bound(1)), ball(sigma.bound(2))
        forward, backward, length = ball(0), ball(0), ball(0)
        for k, by in enumerate(moved):
            forward = forward + ball(by) * ball(mean_square_of_w(law, k)).sqrt()
            backward = backward + ball(by) * ball(mean_square_of_w(law, k, with_c=True)).sqrt()
            length = length + ball(by)
        size = ball(squared_input_bound(instance)).sqrt()
        mean_square = ball(moment_of_c(law, 2)).sqrt()
        return above(s1 * forward + s1 * mean_square * length + s2 * size * backward)
