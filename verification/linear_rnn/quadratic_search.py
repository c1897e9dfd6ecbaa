r"""Quadratic forms for large lower bounds, found in doubles: candidates, never bounds.

Maximised is ``1 / max_t |A^(-1/2) M(t) A^(-1/2)|``, which does not depend on the scale of the
functions.  The maximum over t and over eigenvalues is replaced by the 2^k-th root of the sum of
their 2^k-th powers, the trace of a power of matrices, which needs k products each and has a
gradient; a quasi-Newton method does the rest, in coordinates in which A is the unit matrix.  The
start is a bang-bang place, intervals I_a and shifts s_b.  Let
``(int_{I_a} rho(t + s_b) dt)_ab = U S V^T``: with ``phi = V U^T 1_I`` the form is ``V S V^T``, with
``phi = V S^(-1) U^T 1_I`` it is the unit matrix.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from verification.deadline import heed_deadline
from verification.linear_rnn.pieces import Function
from verification.linear_rnn.quadratic_forms import QuadraticPlace, cells, sums
from verification.linear_rnn.search import (
    Array,
    bang_bang_place,
    median_time,
    primitive_estimate,
    rounded,
)
from verification.linear_rnn.searching import finite, searching

PARTS = 3
"""Into how many parts the intervals of the start are cut."""

_BEYOND = (1.5, 2.2, 3.5)
_CLOSEST = 1e-3
_POWERS = (4, 6)
_STEPS = 50
_FLATTEST = 1e-13
_NOTHING = 1e30


@lru_cache(maxsize=256)
@searching("a place for the bound by quadratic forms")
def quadratic_place(functions: tuple[Function, ...], width: int) -> QuadraticPlace | None:
    """Return functions for a large bound, None where doubles find none.

    The shifts are those of the bang-bang place of one channel, whichever has the largest bound; or
    even ones, where no channel has such a place on its own.
    """
    best, found = 0.0, None
    channels = [function for function in dict.fromkeys(functions) if function]
    starts = [(bang_bang_place(function, width), median_time(function)) for function in channels]
    places = [(start.ends, start.points, unit) for start, unit in starts if start is not None]
    if not places:
        for unit in {unit for _, unit in starts}:
            even = tuple(rounded(unit * k / max(1, width)) for k in range(width + 1))
            places.append((even, even, unit))
    for place in places:
        size, improved = _improved(functions, *place)
        if size > best:
            best, found = size, improved
    return found


class _Forms:
    """The forms of all choices of phi, for given knots, shifts and masses.

    Parameters
    ----------
    weights : Array, shape (channels, pieces)
        Integrals of rho between neighbouring sums of a knot and a shift, the last to infinity.
    where : Array of int, shape (pieces, shifts)
        The interval of ``t - s_j``; one more than the last where it is before 0.
    """

    def __init__(
        self,
        functions: tuple[Function, ...],
        knots: tuple[Fraction, ...],
        shifts: tuple[Fraction, ...],
    ) -> None:
        points = np.array([float(point) for point in sums(knots, shifts)])
        primitives = [primitive_estimate(function, points) for function in functions]
        self.weights = np.array([np.diff(p, append=0.0) for p in primitives])
        self.where: NDArray[np.intp] = cells(knots, shifts)
        self.count = len(knots)
        self.where[self.where < 0] = self.count

    def matrices(self, heights: Array, masses: Array) -> tuple[Array, Array]:
        """Return M, shape (channels, pieces, m + 1, m + 1), and A."""
        padded = np.concatenate([heights, np.zeros((*heights.shape[:2], 1))], axis=2)
        products = padded[:, :, self.where].transpose(0, 2, 1, 3) @ masses
        forms = (products + products.swapaxes(-1, -2)) / 2
        return forms, np.tensordot(self.weights, forms, 2)

    def in_unit_coordinates(self, heights: Array, masses: Array) -> tuple[Array, Array] | None:
        """Return the functions in coordinates in which A is the unit matrix, if it is positive."""
        values, vectors = np.linalg.eigh(finite(self.matrices(heights, masses)[1]))
        if not values[0] > _FLATTEST * values[-1]:
            return None
        turn = vectors / np.sqrt(values)
        return np.einsum("cak,ab->cbk", heights, turn), masses @ turn

    def size(self, heights: Array, masses: Array) -> float:
        """Return the bound, in unit coordinates."""
        forms, _ = self.matrices(heights, masses)
        return float(1 / np.abs(np.linalg.eigvalsh(finite(forms))).max())

    def loss(self, flat: Array, masses: Array, k: int) -> tuple[float, Array]:
        """Return the logarithm of the smoothed maximum, and its gradient in the heights."""
        heed_deadline()
        heights = flat.reshape(len(self.weights), masses.shape[1], self.count)
        forms, total = self.matrices(heights, masses)
        if not np.isfinite(total).all():
            return _NOTHING, np.zeros_like(flat)
        values, vectors = np.linalg.eigh(total)
        if not values[0] > _FLATTEST * values[-1]:
            return _NOTHING, np.zeros_like(flat)
        turn = vectors / np.sqrt(values)
        turned = turn.T @ forms @ turn
        scale = float(np.sqrt((turned * turned).sum(axis=(-1, -2)).max()))
        turned /= scale
        power, before = turned, turned
        for _ in range(k - 1):
            power = power @ power
            before = before @ power
        # `before` is the power 2^k - 1.
        trace = float((before * turned).sum())
        of_forms = turn @ (before / (trace * scale)) @ turn.T
        of_total = -turn @ ((before @ turned).sum(axis=(0, 1)) / trace) @ turn.T
        slopes = (of_forms + self.weights[:, :, None, None] * of_total) @ masses.T
        gradient = np.array(
            [
                np.bincount(self.where.ravel(), slopes[c, :, a].ravel(), self.count + 1)[:-1]
                for c in range(slopes.shape[0])
                for a in range(slopes.shape[2])
            ]
        )
        return float(np.log(scale) + np.log(trace) / 2**k), gradient.ravel()


def _improved(
    functions: tuple[Function, ...],
    ends: tuple[Fraction, ...],
    shifts: tuple[Fraction, ...],
    unit: float,
) -> tuple[float, QuadraticPlace | None]:
    """Return the bound and the place that a search from a bang-bang place leads to."""
    knots = _knots(ends, shifts, unit)
    forms = _Forms(functions, knots, shifts)
    best: tuple[float, tuple[Array, Array]] | None = None
    for heights in _starts(functions, ends, shifts, knots):
        found = forms.in_unit_coordinates(heights, np.eye(len(shifts)))
        if found is not None and (best is None or forms.size(*found) > best[0]):
            best = forms.size(*found), found
    if best is None:
        return 0.0, None
    for k in _POWERS:
        heights, masses = best[1]
        moved = minimize(
            forms.loss,
            heights.ravel(),
            args=(masses, k),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": _STEPS, "maxfun": 2 * _STEPS, "maxcor": 20},
        )
        found = forms.in_unit_coordinates(moved.x.reshape(heights.shape), masses)
        if found is not None and (size := forms.size(*found)) > best[0]:
            best = size, found
    heights, masses = finite(best[1][0]), finite(best[1][1])
    place = QuadraticPlace(
        shifts,
        tuple(tuple(map(float, row)) for row in masses),
        knots,
        tuple(tuple(tuple(map(float, row)) for row in rows) for rows in heights),
    )
    return best[0], place


def _starts(
    functions: tuple[Function, ...],
    ends: tuple[Fraction, ...],
    shifts: tuple[Fraction, ...],
    knots: tuple[Fraction, ...],
) -> list[Array]:
    """Return functions whose form is positive in two ways; see the module's docstring."""
    starts = np.array([float(x) for x in ends])
    sums = starts[:, None] + [float(x) for x in shifts]
    inside = np.searchsorted(starts, [float(x) for x in knots], side="right") - 1
    indicators = (inside == np.arange(len(ends))[:, None]).astype(float)
    found: list[list[Array]] = [[], []]
    for function in functions:
        integrals = np.diff(primitive_estimate(function, sums), axis=0, append=0.0)
        left, values, right = np.linalg.svd(finite(integrals))
        polar = right.T @ left.T
        inverse = (right.T / np.maximum(values, 1e-300)) @ left.T
        for heights, turn in zip(found, (polar, inverse), strict=True):
            heights.append(turn @ indicators if function else 0 * indicators)
    return [np.array(heights) for heights in found]


def _knots(
    ends: tuple[Fraction, ...], shifts: tuple[Fraction, ...], unit: float
) -> tuple[Fraction, ...]:
    """Return the ends and points between and beyond them that divide them and the shifts."""
    spare = _CLOSEST * unit
    apart = [shift for shift in shifts if all(abs(shift - end) > spare for end in ends)]
    coarse = sorted([*ends, *apart])
    last = float(coarse[-1]) or unit
    coarse += [rounded(last * factor) for factor in _BEYOND]
    knots = []
    for a, b in pairwise(coarse):
        parts = PARTS if b - a > PARTS * spare else 1
        knots += [a, *(rounded(float(a + (b - a) * Fraction(k, parts))) for k in range(1, parts))]
    return (*knots, coarse[-1])
