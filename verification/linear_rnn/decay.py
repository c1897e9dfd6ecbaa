r"""How fast targets and their derivatives decay.

**Constant.**  ``g = max_k beta^-k sum_pieces sup_t exp(beta t) |f^(k-1)(t)|`` over k = 1..a + 1, f
being the pieces of rho_i, and over all channels i: for one piece the supremum itself, for several
the sum of theirs, which bounds it.

* Quasi-polynomials with rates above beta: ``exp(beta t) f^(j)`` is one too, with rates less by
  beta; beyond T, where every ``t^k exp(-r t)`` decreases, its terms bound it.
* ``c exp(-r t)/(1 + t)``, r >= beta: every term of ``(-1)^j f^(j) exp(beta t)/c = sum_i C(j, i)
  r^(j-i) i! exp(-(r - beta) t) (1 + t)^(-i-1)`` decreases, so that the supremum is at 0.
* Gaussian, in y, ``t = centre + width (y + b)`` with ``b = beta width``: ``exp(beta t) |f^(j)| =
  |c| width^-j exp(beta centre + b^2/2) |He_j(y + b)| exp(-y^2/2)``, He_j Hermite's polynomial.
  For y^2 >= j each ``y^k exp(-y^2/2)``, k <= j, decreases.
* Airy, in ``x = scale (t - shift)``: ``Ai^(j) = A_j Ai + B_j Ai'`` with ``A_{j+1} = A_j' + x B_j``,
  ``B_{j+1} = A_j + B_j'``.  For x >= X >= 1, ``Ai(x) <= Ai(X) exp(-X^(1/2) (x - X))`` and
  ``|Ai'(x)| <= (x + 1)`` times this: ``v = -Ai'/Ai`` has ``v' = v^2 - x``, so that ``v(x) <=
  x^(1/2)`` somewhere would mean that v falls from there on without end, and Ai would grow in the
  end; and ``|Ai'(x)| = int_x^inf y Ai(y) dy``.
* Switching functions, r >= beta: ``|f'| = c exp(-r t)``, ``|f| <= (c/r) exp(-r t)`` with equality
  from the last time on.  There is no second derivative.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache, partial

from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    maximum,
    maximum_between,
    power,
    total,
    upper_double,
    working_precision,
)
from verification.enclosure.special import airy
from verification.enclosure.supremum import absolute_supremum
from verification.errors import NotEnclosed
from verification.linear_rnn.piece import Function, Piece
from verification.linear_rnn.pieces import Polynomial, QuasiPolynomial, Wave
from verification.linear_rnn.special_pieces import (
    AiryPiece,
    DampedReciprocalPiece,
    GaussianPiece,
    SwitchingPiece,
)

MOST_DERIVATIVES = 4
"""Up to this order derivatives are asked for."""

_NEGLIGIBLE = 2.0**-60
_MOST_DOUBLINGS = 64


def derivatives(functions: tuple[Function, ...]) -> int:
    """Return how many derivatives, of those asked for, are bounded; -1 where the function is not.

    Power laws decay too slowly, boxes jump; both count as -1.
    """
    known = [_derivatives(piece) for function in functions for piece in function]
    return min(known, default=MOST_DERIVATIVES)


def _derivatives(piece: Piece) -> int:
    if isinstance(piece, SwitchingPiece):
        return 1
    smooth = isinstance(piece, (QuasiPolynomial, DampedReciprocalPiece, GaussianPiece, AiryPiece))
    return MOST_DERIVATIVES if smooth else -1


def slowest_rate(functions: tuple[Function, ...]) -> Fraction | None:
    """Return the least rate r of a piece that decays like ``exp(-r t)``, None without any."""
    rates = [rate for function in functions for piece in function for rate in _rates(piece)]
    return min(rates, default=None)


def _rates(piece: Piece) -> list[Fraction]:
    if isinstance(piece, QuasiPolynomial):
        return [wave.rate for wave in piece.waves]
    if isinstance(piece, (DampedReciprocalPiece, SwitchingPiece)):
        return [piece.part.rate]
    return []


def decays_faster(functions: tuple[Function, ...], beta: Fraction) -> bool:
    """Tell whether g is finite: beta is below the rates, or equal to one that allows it."""
    for piece in (piece for function in functions for piece in function):
        allowed = isinstance(piece, (DampedReciprocalPiece, SwitchingPiece))
        if any(rate < beta or (rate == beta and not allowed) for rate in _rates(piece)):
            return False
    return True


@lru_cache(maxsize=256)
def decay_constant(
    functions: tuple[Function, ...], beta: Fraction, order: int, _bits: int
) -> Between:
    """Enclose g for derivatives up to ``rho^(order)``, which must exist and decay faster.

    Raises
    ------
    TypeError
        For a piece whose derivatives are not known.
    """
    found = [Between(ball(0), ball(0))]
    for function in functions:
        for k in range(1, order + 2):
            scale = ball(1 / beta**k)
            heights = [_height((piece,), beta, k - 1, working_precision()) for piece in function]
            upper = total(height.upper for height in heights) * scale
            lower = total(height.lower for height in heights) * scale
            found.append(Between(lower, upper))
    return maximum_between(found)


@lru_cache(maxsize=1024)
def _height(function: Function, beta: Fraction, order: int, bits: int) -> Between:
    """Enclose ``sup_t exp(beta t) |f^(order)(t)|`` for one piece."""
    (piece,) = function
    if isinstance(piece, QuasiPolynomial):
        # It is the same in all units of time, but for a power of the unit.
        unit = piece.unit
        slope = piece.in_units(unit)
        for _ in range(order):
            slope = slope.derivative
        scale = ball(unit ** (order + 1))
        found = _supremum(_slowed(slope, beta / unit), bits)
        return Between(found.lower * scale, found.upper * scale)
    if isinstance(piece, DampedReciprocalPiece):
        c, r = piece.part.coefficient, piece.part.rate
        terms = [
            math.comb(order, i) * r ** (order - i) * math.factorial(i) for i in range(order + 1)
        ]
        height = ball(abs(c) * sum(terms))
        return Between(height, height)
    if isinstance(piece, GaussianPiece):
        return _gaussian_height(piece, beta, order)
    if isinstance(piece, AiryPiece):
        return _airy_height(piece, beta, order)
    if isinstance(piece, SwitchingPiece) and order <= 1:
        return _switching_height(piece, beta, order)
    raise TypeError(f"derivatives of order {order} of {piece} are not known")


def _slowed(piece: QuasiPolynomial, beta: Fraction) -> QuasiPolynomial:
    """Return the function times ``exp(beta t)``."""
    return QuasiPolynomial(
        tuple(
            Wave(
                rate=wave.rate - beta,
                frequency=wave.frequency,
                cosine=wave.cosine,
                sine=wave.sine,
            )
            for wave in piece.waves
        )
    )


@lru_cache(maxsize=256)
def _supremum(piece: QuasiPolynomial, _bits: int) -> Between:
    """Enclose the supremum of the absolute value over t >= 0."""
    end = max(Fraction(len(wave.cosine)) / wave.rate for wave in piece.waves)
    beyond = partial(_beyond, piece)
    return _with_tail(piece.value, piece.derivative.value, Fraction(0), end, beyond)


def _beyond(piece: QuasiPolynomial, start: Fraction) -> Ball:
    """Bound the absolute value from `start` on, where each ``t^k exp(-r t)`` decreases."""
    t = ball(start)
    return total(
        (-ball(wave.rate) * t).exp() * ball(abs(p) + abs(q)) * power(t, k)
        for wave in piece.waves
        for k, (p, q) in enumerate(zip(wave.cosine, wave.sine, strict=True))
    )


def _gaussian_height(piece: GaussianPiece, beta: Fraction, order: int) -> Between:
    part, b = piece.part, beta * piece.part.width
    polynomials = [_shifted(_hermite(j), b) for j in (order, order + 1)]

    def value(y: Ball) -> Ball:
        return _horner(polynomials[0], y) * (-y * y / 2).exp()

    def slope(y: Ball) -> Ball:
        # d/dz He_j exp(-z^2/2) = -He_{j+1} exp(-z^2/2), times exp(b z).
        moved = ball(b) * _horner(polynomials[0], y) - _horner(polynomials[1], y)
        return moved * (-y * y / 2).exp()

    def beyond(y: Fraction) -> Ball:
        at = ball(y)
        sizes = total(ball(abs(x)) * power(at, k) for k, x in enumerate(polynomials[0]))
        return sizes * (-at * at / 2).exp()

    start = -part.centre / part.width - b
    end = max(start, Fraction(0)) + order + 4
    found = _with_tail(value, slope, start, end, beyond)
    scale = ball(abs(part.coefficient) / part.width**order)
    scale = scale * ball(beta * part.centre + b * b / 2).exp()
    return Between(found.lower * scale, found.upper * scale)


def _airy_height(piece: AiryPiece, beta: Fraction, order: int) -> Between:
    part, kappa = piece.part, beta / piece.part.scale
    pairs: list[tuple[Polynomial, Polynomial]] = [((Fraction(1),), (Fraction(0),))]
    for _ in range(order + 1):
        a, b = pairs[-1]
        pairs.append((_sum(_derived(a), (Fraction(0), *b)), _sum(a, _derived(b))))

    def of(j: int, x: Ball) -> Ball:
        height, slope = airy(x)
        return _horner(pairs[j][0], x) * height + _horner(pairs[j][1], x) * slope

    def value(x: Ball) -> Ball:
        return (ball(kappa) * x).exp() * of(order, x)

    def slope(x: Ball) -> Ball:
        return (ball(kappa) * x).exp() * (ball(kappa) * of(order, x) + of(order + 1, x))

    start = -part.scale * part.shift
    end = max(start, Fraction(0)) + 4
    degree = max(map(len, pairs[order]))
    # There the polynomial grows more slowly than exp((X^(1/2) - kappa) x).
    while (kappa + degree / end) ** 2 > end:
        end *= 2
    beyond = partial(_airy_tail, *pairs[order], kappa)
    found = _with_tail(value, slope, start, end, beyond)
    scale = ball(abs(part.coefficient) * part.scale**order) * ball(beta * part.shift).exp()
    return Between(found.lower * scale, found.upper * scale)


def _airy_tail(a: Polynomial, b: Polynomial, kappa: Fraction, x: Fraction) -> Ball:
    """Bound ``exp(kappa y) |A(y) Ai(y) + B(y) Ai'(y)|`` for all y >= x; see the docstring above.

    It needs x >= 1 and ``x^(1/2) >= kappa + (degree + 1)/x``.
    """
    at = ball(x)
    first, second = (total(ball(abs(c)) * power(at, k) for k, c in enumerate(p)) for p in (a, b))
    return (ball(kappa) * at).exp() * airy(at)[0] * (first + (at + 1) * second)


def _switching_height(piece: SwitchingPiece, beta: Fraction, order: int) -> Between:
    size, rate, times = abs(piece.part.coefficient), piece.part.rate, piece.part.times
    if order:
        return Between(ball(size), ball(size))
    # Equality from the last time on; with beta = r it is a constant there.
    last = times[-1] if times else Fraction(0)
    lower = ball(size / rate) * ball((beta - rate) * last).exp()
    return Between(lower, ball(size / rate))


def _with_tail(
    value: Callable[[Ball], Ball],
    slope: Callable[[Ball], Ball],
    start: Fraction,
    end: Fraction,
    beyond: Callable[[Fraction], Ball],
) -> Between:
    """Enclose the supremum from `start` on; `beyond` bounds it from any point after `end`.

    Raises
    ------
    NotEnclosed
        Where no tail is bounded, because balls are too wide.
    """
    seen = maximum([abs(value(ball(start))), abs(value(ball(end)))])
    for _ in range(_MOST_DOUBLINGS):
        if upper_double(beyond(end) - seen) <= 0 or upper_double(beyond(end)) <= _NEGLIGIBLE:
            break
        end *= 2
        seen = maximum([seen, abs(value(ball(end)))])
    else:
        raise NotEnclosed("the tail of a derivative is not bounded at this precision")
    compact = absolute_supremum(value, slope, start, end)
    return maximum_between([compact, Between(ball(0), beyond(end))])


def _hermite(order: int) -> Polynomial:
    """Return the coefficients of Hermite's polynomial He_j, the constant one first."""
    before: Polynomial = (Fraction(0),)
    found: Polynomial = (Fraction(1),)
    for k in range(order):
        shifted = (Fraction(0), *found)
        before, found = found, _sum(shifted, tuple(-k * x for x in before))
    return found


def _shifted(polynomial: Polynomial, by: Fraction) -> Polynomial:
    """Return the coefficients of ``p(y + by)``."""
    size = len(polynomial)
    return tuple(
        sum((polynomial[k] * math.comb(k, i) * by ** (k - i) for k in range(i, size)), Fraction(0))
        for i in range(size)
    )


def _derived(polynomial: Polynomial) -> Polynomial:
    return tuple(k * x for k, x in enumerate(polynomial))[1:]


def _sum(one: Polynomial, other: Polynomial) -> Polynomial:
    size = max(len(one), len(other))
    padded = [p + (Fraction(0),) * (size - len(p)) for p in (one, other)]
    return tuple(x + y for x, y in zip(*padded, strict=True))


def _horner(polynomial: Polynomial, x: Ball) -> Ball:
    result = ball(0)
    for coefficient in reversed(polynomial):
        result = result * x + ball(coefficient)
    return result
