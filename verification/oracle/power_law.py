"""Power laws and sums of exponentials: the trapezoidal rule's error, and L1 distances."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import mpmath

from verification.oracle.answer import DIGITS, Answer, Real, at_two_precisions, real

_HARMONICS = 200
_SAMPLES = 60


def discretisation_error(exponent: Fraction, step: Fraction, *, digits: int = DIGITS) -> Answer:
    """Return ``2 sum_k |Gamma(1 + w + 2 pi i k/h)| / Gamma(1 + w)``, term by term."""

    def compute() -> Real:
        w, h = real(exponent), real(step)
        terms = (abs(mpmath.gamma(1 + w + 2j * mpmath.pi * k / h)) for k in range(1, _HARMONICS))
        return 2 * mpmath.fsum(terms) / mpmath.gamma(1 + w)

    return at_two_precisions(compute, digits)


def distance(
    exponent: Fraction, terms: Sequence[tuple[Fraction, Fraction]], *, digits: int = DIGITS
) -> Answer:
    """Return ``int |rho_w(t) - sum c exp(-r t)| dt``, pairs (c, r), by quadrature in log(1 + t).

    The line is cut where samples show changes of sign.
    """

    def compute() -> Real:
        w = real(exponent)
        exponentials = [(real(c), real(r)) for c, r in terms]

        def rest(u: Real) -> Real:
            t = mpmath.expm1(u)
            found = mpmath.fsum(c * mpmath.exp(-r * t) for c, r in exponentials)
            return w * mpmath.exp(-w * u) - found * (1 + t)

        slowest = min(r for _, r in exponentials)
        last = mpmath.log1p(mpmath.mpf(20 + 3 * digits) / slowest)
        count = _SAMPLES * (len(exponentials) + 2)
        grid = [last * k / count for k in range(count + 1)]
        cuts = [mpmath.mpf(0)]
        for a, b in pairwise(grid):
            if rest(a) * rest(b) < 0:
                cuts.append(mpmath.findroot(rest, (a, b), solver="anderson"))
        cuts.append(last)
        pieces = []
        for a, b in pairwise(cuts):
            # Panels short enough for the fastest exponential.
            inner = [a] + [x for x in grid[:: _SAMPLES // 6] if a < x < b] + [b]
            pieces.append(abs(mpmath.quad(rest, inner)))
        # Beyond, only the law is left.
        return mpmath.fsum(pieces) + mpmath.exp(-w * last)

    return at_two_precisions(compute, digits)
