"""Suprema from below: dense samples, refined by golden sections."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import mpmath

from verification.oracle.answer import DIGITS, Real, rational, real

_SAMPLES = 400
_SECTIONS = 120


def absolute_supremum_estimate(
    function: Callable[[Real], Real], lower: Fraction, upper: Fraction, *, digits: int = DIGITS
) -> Fraction:
    """Return the largest ``|f|`` found on an interval: at most the supremum, but for rounding."""
    with mpmath.workdps(digits):
        start, width = real(lower), real(upper - lower)
        grid = [start + width * k / _SAMPLES for k in range(_SAMPLES + 1)]
        heights = [abs(function(t)) for t in grid]
        best = max(range(len(grid)), key=lambda k: heights[k])
        left, right = grid[max(best - 1, 0)], grid[min(best + 1, _SAMPLES)]
        share = (mpmath.sqrt(5) - 1) / 2
        for _ in range(_SECTIONS):
            first, second = right - share * (right - left), left + share * (right - left)
            if abs(function(first)) < abs(function(second)):
                left = first
            else:
                right = second
        return rational(max(heights[best], abs(function((left + right) / 2))))
