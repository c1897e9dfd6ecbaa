r"""Hermite coefficients by the trapezoidal rule: nodes, weighted polynomials, proved errors.

With ``h_k = He_k / sqrt(k!)``, orthonormal under the standard normal density p, and a function f
that is bounded by R on the real line and analytic and bounded by S where ``|Im z| <= a``, let

    a_k = E[f(X) h_k(X)],     q_k = sum_{|j| <= n} t_jk f(z_j),     t_jk = h p(z_j) h_k(z_j),

for the nodes ``z_j = h j``.  For every degree ``k <= K``:

*The rule.*  On ``Im z = b`` the integrand's absolute value integrates to at most ``S exp(b^2/2)
E|h_k(X + ib)|``.  From ``He_k(x + y) = sum_j C(k, j) y^(k-j) He_j(x)``

    E|h_k(X + ib)|^2 = sum_j C(k, j) b^(2(k-j)) / (k-j)! = L_k(-b^2),

the Laguerre polynomial, which increases in b and in k.  By Trefethen and Weideman (SIAM Review
56, 2014, theorem 5.1) the sum over all integers j errs by at most

    2 S exp(a^2/2) L_K(-a^2)^(1/2) / (exp(2 pi a / h) - 1).

*The cut.*  By Cramer's bound ``|He_k(x)| <= c sqrt(k!) exp(x^2/4)``, ``c <= 1.0865``, the terms
with ``|j| > n`` are at most ``R c (2 pi)^(-1/2) h exp(-z_j^2/4)``, together at most
``R c 2^(1/2) erfc(n h / 2)``: the nodes that are needed do not depend on the degree.

*Squares.*  ``E f^2`` by the rule with weights ``w_j = t_j0`` errs by at most ``2 S^2 exp(a^2/2) /
(exp(2 pi a / h) - 1) + R^2 erfc(n h / sqrt 2)``.

*Bessel's inequality.*  For any numbers f_j at the nodes,

    sum_{k <= K} (sum_j t_jk f_j)^2 <= (1 + excess) sum_j w_j f_j^2,

because the sums ``g_kl = sum_j w_j h_k(z_j) h_l(z_j)`` over all integers j differ from the unit
matrix by at most ``2 exp(b^2/2) L_K(-b^2) / (exp(2 pi b / h) - 1)`` an entry, for any b > 0 (the
same theorem, for an entire integrand), ``K + 1`` times that in norm; and those over ``|j| <= n``
are a smaller matrix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from verification.enclosure.balls import (
    Ball,
    ball,
    fixed_point,
    pi,
    precision,
    radius,
    square,
    total,
)
from verification.enclosure.doubles import above
from verification.enclosure.split_products import Split, split_bits
from verification.errors import NotEnclosed

Array: TypeAlias = npt.NDArray[np.float64]

MAX_HERMITE_NODES = 2048

CRAMER = Fraction(10_865, 10_000)

_WORKING_BITS = 128
_TARGET_BITS = 68
_EXCESS_BITS = 70
_TABLE_BITS = 110
_STEP_GRID = 2**12
LARGEST_WIDTH = Fraction(16)
"""Wider strips make no rule shorter."""

_SMALLEST_WIDTH = Fraction(1, 2**40)


@dataclass(frozen=True, kw_only=True, eq=False)
class HermiteRule:
    """Nodes and weighted polynomials; see the module's docstring.

    Parameters
    ----------
    nodes : Array, shape (n_nodes,)
        Exact.
    table : Split, shape (n_nodes, degree + 1)
        ``2**scale t_jk``, split at ``2**-bits``.
    scale, bits : int
    table_error : Fraction
        For every k the sum over j of the errors of the table's entries.
    analytic_error, real_error : Fraction
        Of a coefficient, times S and R.
    square_analytic_error, square_real_error : Fraction
        Of ``E f^2``, times S^2 and R^2.
    excess : Fraction
    """

    nodes: Array
    table: Split
    scale: int
    bits: int
    table_error: Fraction
    analytic_error: Fraction
    real_error: Fraction
    square_analytic_error: Fraction
    square_real_error: Fraction
    excess: Fraction

    @property
    def degree(self) -> int:
        """The largest degree."""
        return len(self.table.high[0]) - 1


@dataclass(frozen=True, kw_only=True)
class _Parameters:
    """Step h, half-count n, half-width a of the strip, and the b of the excess."""

    step: Fraction
    count: int
    width: Fraction
    excess_width: Fraction


@lru_cache(maxsize=32)
def hermite_rule(width: Fraction, degree: int, growth_bits: int) -> HermiteRule:
    """Return a rule for functions that are analytic and bounded where ``|Im z| <= width``.

    Parameters
    ----------
    width : Fraction
        Larger than 0.
    degree : int
        The largest degree K.
    growth_bits : int
        About ``log2(S / R)``: the rule's error is to be small in spite of it.

    Raises
    ------
    NotEnclosed
        Where it needs more than `MAX_HERMITE_NODES` nodes.
    """
    chosen = _parameters(max(width, _SMALLEST_WIDTH), degree, growth_bits)
    nodes = 2 * chosen.count + 1
    if nodes > MAX_HERMITE_NODES:
        raise NotEnclosed(
            f"a Hermite coefficient needs {nodes} nodes, more than {MAX_HERMITE_NODES}"
        )
    with precision(_WORKING_BITS):
        h, n, a, b = (
            ball(x) for x in (chosen.step, chosen.count, chosen.width, chosen.excess_width)
        )
        growth = (2 * pi() * a / h).expm1()
        analytic = 2 * (square(a) / 2).exp() / growth
        excess = 2 * (square(b) / 2).exp() * laguerre(degree, -square(b))
        excess = (degree + 1) * excess / (2 * pi() * b / h).expm1()
        root = laguerre(degree, -square(a)).sqrt()
        errors = {
            "analytic_error": above(analytic * root),
            "real_error": above(ball(CRAMER) * ball(2).sqrt() * (n * h / 2).erfc()),
            "square_analytic_error": above(analytic),
            "square_real_error": above((n * h / ball(2).sqrt()).erfc()),
            "excess": above(excess),
        }
    bits = split_bits(nodes)
    # By Cramer's bound an entry is at most h c (2 pi)^(-1/2) < 0.4336 h.
    scale = math.floor(-math.log2(0.4336 * float(chosen.step)))
    table, error = _table(chosen, degree, scale, bits)
    return HermiteRule(
        nodes=np.arange(-chosen.count, chosen.count + 1, dtype=np.float64) * float(chosen.step),
        table=table,
        scale=scale,
        bits=bits,
        table_error=error,
        **errors,
    )


def laguerre(degree: int, x: Ball) -> Ball:
    """Enclose ``L_k(x)``, sharply for x <= 0: the terms ``C(k, i) (-x)^i / i!`` are positive."""
    term = result = ball(1)
    for i in range(degree):
        term = -term * x * (degree - i) / (i + 1) ** 2
        result = result + term
    return result


def _parameters(width: Fraction, degree: int, growth_bits: int) -> _Parameters:
    """Choose the parameters; heuristic: the errors are computed from what is chosen.

    ``L_K(-a^2)`` is about ``exp(2 a sqrt K)``.
    """
    root = math.sqrt(degree)
    target = (_TARGET_BITS + max(growth_bits, 0)) * math.log(2)
    a = min(width, LARGEST_WIDTH, Fraction(math.floor(math.sqrt(2 * target) * 64), 64))
    frequency = target / float(a) + float(a) / 2 + root
    # The excess has its best b where the frequency 2 pi / h is 2 sqrt K + b.
    frequency = max(frequency, 2 * root + math.sqrt(2 * _EXCESS_BITS * math.log(2)))
    step = Fraction(2 * math.pi / frequency)
    scale = Fraction(2) ** math.floor(math.log2(step))
    step = Fraction(math.floor(step / scale * _STEP_GRID), _STEP_GRID) * scale
    count = math.ceil(2 * math.sqrt(_TARGET_BITS * math.log(2)) / float(step)) + 1
    b = Fraction(round((2 * math.pi / float(step) - 2 * root) * 64), 64)
    return _Parameters(step=step, count=count, width=a, excess_width=b)


def _table(chosen: _Parameters, degree: int, scale: int, bits: int) -> tuple[Split, Fraction]:
    """Return ``2**scale t_jk`` and a bound of the sum over j of its errors, for every k.

    ``h_{k+1}(z) = (z h_k - sqrt(k) h_{k-1}) / sqrt(k + 1)``.  Balls forget that its terms cancel:
    their radii grow like ``|h_k(iz)|``, about ``exp(z^2/4 + z sqrt k)``: that many bits are lost.
    """
    n, step = chosen.count, chosen.step
    reach = float(n * step)
    lost = (reach * reach / 4 + reach * math.sqrt(degree)) / math.log(2)
    rest = _TABLE_BITS - bits
    half, mask = 1 << (rest - 1), 2.0**-_TABLE_BITS
    high = np.zeros((2 * n + 1, degree + 1))
    low = np.zeros_like(high)
    radii = ball(0)
    with precision(_TABLE_BITS + 32 + math.ceil(lost)):
        roots = [ball(k).sqrt() for k in range(degree + 2)]
        inverses = [ball(1) / root for root in roots[1:]]
        factor = ball(step * Fraction(2) ** scale) / (2 * pi()).sqrt()
        for j in range(n + 1):
            z = ball(step * j)
            before, here = ball(0), factor * (-square(z) / 2).exp()
            column = []
            for k in range(degree + 1):
                column.append(here)
                before, here = here, (z * here - roots[k] * before) * inverses[k]
            radii = radii + total(radius(x) for x in column)
            fixed = [fixed_point(x, _TABLE_BITS) for x in column]
            tops = [(x + half) >> rest for x in fixed]
            high[n + j] = np.array(tops, dtype=np.float64) * 2.0**-bits
            low[n + j] = [
                float(x - (top << rest)) * mask for x, top in zip(fixed, tops, strict=True)
            ]
        # Rounding to fixed point, and the low part to a double of size at most 2**-(bits + 1).
        entry = Fraction(1, 2 ** (_TABLE_BITS + 1)) + Fraction(1, 2 ** (bits + 54))
        error = above(2 * radii) + (2 * n + 1) * entry
    signs = np.where(np.arange(degree + 1) % 2, -1.0, 1.0)
    high[:n], low[:n] = high[:n:-1] * signs, low[:n:-1] * signs
    return Split(high, low), error
