r"""Polynomials in ``exp(-theta t)`` that are near a target in L1.

**Polynomials.**  With ``u = exp(-theta t)``, ``q(u) = rho/u`` and a polynomial p without constant
term, ``||rho - p(u)|| = (1/theta) int_0^1 |q(u) - p(u)/u| du``.  Of all polynomials of degree m - 1
the nearest one to q in L1(0, 1) interpolates it at the zeros ``(1 + cos(k pi/(m + 1)))/2`` of
the Chebyshev polynomial of the second kind, if the difference changes its sign there and nowhere
else, as it does for many functions.  The network ``W = -theta diag(1..m)``, ``c = (1..1)`` whose U
holds the coefficients of this p is the candidate; its error is enclosed for itself.

No polynomial is nearer than ``|int_0^inf rho s dt|``, s the sign of the polynomial ``U_m(2u - 1)``:
in u this is ``(1/theta) int q s du``, and s is orthogonal to all polynomials of degree below m.
Where q - p has the signs of s the two are equal.  The times at which s changes are rounded, which
adds at most twice the roundings times ``sup |rho|``.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from verification.enclosure.balls import (
    Ball,
    ball,
    end_points,
    exact_ball,
    pi,
    precision,
    total,
)
from verification.linear_functional import Network
from verification.linear_rnn.pieces import Function

_BITS_A_UNIT = 12


@lru_cache(maxsize=256)
def least_polynomial_error(
    functions: tuple[Function, ...], theta: Fraction, width: int, tallest: float, _bits: int
) -> Ball:
    """Enclose a lower bound of ``||rho - rho_hat||`` for all U and ``W = -theta diag(1..m)``.

    Parameters
    ----------
    functions, theta, width
    tallest : float
        Upper bound of the size of every function.
    """
    times, roundings = [Fraction(0)], [ball(0)]
    for k in range(1, width + 1):
        t = -((1 + (pi() * k / (width + 1)).cos()) / 2).log() / ball(theta)
        times.append(sum(end_points(t), Fraction(0)) / 2)
        roundings.append(abs(t - ball(times[-1])))
    spare = 2 * total(roundings) * exact_ball(tallest)
    bounds = []
    for function in functions:
        at = [total(piece.primitive(t) for piece in function) for t in times] + [ball(0)]
        steps = [(-1) ** k * (b - a) for k, (a, b) in enumerate(pairwise(at))]
        bounds.append((abs(total(steps)) - spare).nonnegative_part())
    return total(bounds)


@lru_cache(maxsize=256)
def polynomial_network(functions: tuple[Function, ...], theta: Fraction, width: int) -> Network:
    """Return the network with ``W = -theta diag(1..m)`` that interpolates rho in u; see above."""
    columns = [_coefficients(function, theta, width) for function in functions]
    zero = Fraction(0)
    return Network(
        w=tuple(
            tuple(-theta * (i + 1) if i == j else zero for j in range(width)) for i in range(width)
        ),
        u=tuple(tuple(column[i] for column in columns) for i in range(width)),
        c=(Fraction(1),) * width,
    )


def _coefficients(function: Function, theta: Fraction, width: int) -> list[Fraction]:
    """Return the coefficients of ``u, .., u^m``, rounded far below their effect."""
    # In units of a power of two near 1/theta, which doubles hold, whatever theta is.
    unit = Fraction(2) ** (theta.denominator.bit_length() - theta.numerator.bit_length())
    times = [
        Fraction(-math.log((1 + math.cos(k * math.pi / (width + 1))) / 2) / float(theta * unit))
        * unit
        for k in range(1, width + 1)
    ]
    # The coefficients are some 6^m times as large as the polynomial.
    with precision(64 + _BITS_A_UNIT * width):
        nodes = [(-ball(theta * t)).exp() for t in times]
        values = [
            total(piece.expansion(t, Fraction(0), 1).coefficients[0] for piece in function) / u
            for t, u in zip(times, nodes, strict=True)
        ]
        # Newton's divided differences, and then Horner's rule on polynomials.
        for k in range(1, width):
            for i in reversed(range(k, width)):
                values[i] = (values[i] - values[i - 1]) / (nodes[i] - nodes[i - k])
        found = [exact_ball(0.0)] * width
        for k in reversed(range(width)):
            shifted = [ball(0), *found[:-1]]
            found = [x - nodes[k] * y for x, y in zip(shifted, found, strict=True)]
            found[0] = found[0] + values[k]
        return [sum(end_points(x), Fraction(0)) / 2 for x in found]
