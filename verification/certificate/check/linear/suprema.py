r"""How fast a target and its derivatives decay: suprema of ``exp(b t) |f^(j)(t)|`` over t >= 0.

**Where no closed form is known** the supremum is that over ``[0, T]``, T being so late that what
comes after is below a value seen before.  Around a point the function is a polynomial, the product
of Taylor's of ``f^(j)`` and of ``exp(b x)``, and a rest: what follows the first N terms of f is
``x^N`` times an analytic function, so that if it is at most e on a disc of radius R >= 2 r, it is
at most ``e (2 r/R)^N`` on that of radius 2 r, and its j-th derivative at most ``j! r^-j`` times
this on that of radius r (Cauchy).  Intervals are halved until each is seen not to exceed the
largest value known by more than 2^-36 of it.

**What comes after T.**

* Exponentials: ``f^(j) = Re(P_j(t) exp(z t))`` with ``P_(j+1) = P_j' + z P_j``; of each term
  ``t^k exp(-r t)`` is decreasing for t >= k/r.
* Gaussian: by Cauchy on a disc of radius w, ``|f^(j)(t)| <= j! w^-j |c| exp((w^2 - (t - c - w)^2) /
  (2 w^2))``, which times ``exp(b t)`` is decreasing for ``t - c - w >= b w^2``.
* Airy: for x >= 1, ``v = -Ai'/Ai`` lies between ``x^(1/2)`` and ``x + 1``: ``v' = v^2 - x``, so
  that v below ``x^(1/2)`` would fall without end, and Ai grow; and by this
  ``|Ai'(x)| = int_x^inf y Ai(y) dy <= Ai(x) (x^(1/2) + 1/x)``.  With ``Ai'' = x Ai`` follows
  ``|Ai^(j)(x)| <= (x + 1)^j Ai(x)``, j <= 4, which times ``exp(k x)`` is decreasing for
  ``x^(1/2) >= k + j``.

**Closed forms.**  ``(-1)^j f^(j) exp(b t)`` is a sum of decreasing terms for ``f = exp(-r t)/(1 +
t)``, b <= r: the supremum is at 0.  Of functions with ``|f'| = c exp(-r t)`` it is c for j = 1 and
at most c/r for j = 0, where at the last change of f' it is ``(c/r) exp((b - r) t)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

from verification.certificate.check.linear.kernels import Function, function_of, numbers_of, weight
from verification.certificate.check.numbers.balls import (
    Ball,
    ball,
    bounds,
    integer_power,
    lower,
    total,
    upper,
)
from verification.certificate.check.numbers.bounds import Bounds
from verification.certificate.check.numbers.complex_balls import (
    ComplexBall,
    airy,
    complex_ball,
    size,
)
from verification.certificate.check.numbers.series import TERMS
from verification.certificate.check.outcome import Budget, Invalid, longest
from verification.certificate.check.targets import (
    Airy,
    DampedReciprocal,
    Exponential,
    Gaussian,
    Part,
    Switching,
)

MOST_DERIVATIVES = 4
MAX_INTERVALS = 4_000
_CLOSE = 1 + Fraction(1, 2**36)
_MARKS, _DOUBLINGS = 40, 64
_MARK_BITS = 10
_SAMPLES = 32
_WIDER = (1, 16, 256)
_BITS = 256
_ZERO = Fraction(0)
_Tail = Callable[[Fraction], Ball]


def derivatives(channels: tuple[tuple[Part, ...], ...]) -> int:
    """Return how many derivatives are bounded, of those asked for; -1 where the function is not."""
    known = [_derivatives(part) for parts in channels for part in parts]
    return min(known, default=MOST_DERIVATIVES)


def _derivatives(part: Part) -> int:
    if isinstance(part, Switching):
        return 1
    smooth = isinstance(part, (Exponential, DampedReciprocal, Gaussian, Airy))
    return MOST_DERIVATIVES if smooth else -1


def slowest_rate(channels: tuple[tuple[Part, ...], ...]) -> Fraction | None:
    """Return the least rate of a part that decays exponentially, None without any."""
    kinds = (Exponential, DampedReciprocal, Switching)
    rates = [part.rate for parts in channels for part in parts if isinstance(part, kinds)]
    return min(rates, default=None)


def require_decay(channels: tuple[tuple[Part, ...], ...], beta: Fraction) -> None:
    """Show that the suprema are finite.

    Raises
    ------
    Invalid
        Where a rate is not above beta, or equal to it where that is enough.
    """
    for part in (part for parts in channels for part in parts):
        slow = isinstance(part, Exponential) and part.rate <= beta
        if slow or (isinstance(part, (DampedReciprocal, Switching)) and part.rate < beta):
            raise Invalid("assumption: the target decays faster than exp(-beta t)")


def decay_constant(
    channels: tuple[tuple[Part, ...], ...], beta: Fraction, order: int, budget: Budget
) -> Bounds:
    """Enclose ``max_k beta^-k sum sup_t exp(beta t) |f^(k-1)(t)|`` over k = 1..order + 1.

    The sum is over the parts of a channel, all exponentials being one of them; the maximum is over
    the channels too.
    """
    found = [Bounds.exactly(_ZERO)]
    for parts in channels:
        waves = tuple(part for part in parts if isinstance(part, Exponential))
        groups = [(part,) for part in parts if not isinstance(part, Exponential)]
        for k in range(1, order + 2):
            height = Bounds.exactly(_ZERO)
            for group in [waves, *groups] if waves else groups:
                height = height.plus(_supremum(group, beta, k - 1, budget))
            found.append(height.times(1 / beta**k))
    return Bounds(max(x.lower for x in found), max(x.upper for x in found))


def _supremum(parts: tuple[Part, ...], beta: Fraction, order: int, budget: Budget) -> Bounds:
    (first, *_) = parts
    if isinstance(first, DampedReciprocal):
        (piece,) = function_of(parts)
        return bounds(abs(math.factorial(order) * piece.taylor(_ZERO, order + 1)[order]))
    if isinstance(first, Switching):
        height = abs(first.factor) / first.rate ** (1 - order)
        last = first.times[-1] if first.times and not order else _ZERO
        return Bounds(lower(ball(height) * ball((beta - first.rate) * last).exp()), height)
    if isinstance(first, Gaussian):
        start, beyond = _gaussian_tail(first, beta, order)
    elif isinstance(first, Airy):
        start, beyond = _airy_tail(first, beta, order)
    else:
        waves = [part for part in parts if isinstance(part, Exponential)]
        start, beyond = _waves_tail(waves, beta, order)
    return _searched(_Weighted(function_of(parts), beta, order, budget), start, beyond)


# What comes after T


def _waves_tail(waves: list[Exponential], beta: Fraction, order: int) -> tuple[Fraction, _Tail]:
    known = [(wave, _derived(wave, order)) for wave in waves]

    def beyond(t: Fraction) -> Ball:
        return total(
            [
                size(x) * ball(t**k) * ball((beta - wave.rate) * t).exp()
                for wave, polynomial in known
                for k, x in enumerate(polynomial)
            ]
        )

    return max(Fraction(wave.power + 1) / (wave.rate - beta) for wave in waves), beyond


def _derived(wave: Exponential, order: int) -> list[ComplexBall]:
    """Return P_j, the least power first."""
    zero, z = complex_ball(_ZERO, _ZERO), complex_ball(-wave.rate, wave.frequency)
    found = [zero] * wave.power + [complex_ball(wave.cosine, -wave.sine)]
    for _ in range(order):
        found = [z * x + (k + 1) * y for k, (x, y) in enumerate(pairwise([*found, zero]))]
    return found


def _gaussian_tail(part: Gaussian, beta: Fraction, order: int) -> tuple[Fraction, _Tail]:
    w = part.width

    def beyond(t: Fraction) -> Ball:
        off = (t - part.centre - w) / w
        height = ball(math.factorial(order) * abs(part.factor) / w**order)
        return height * ball(beta * t + (1 - off * off) / 2).exp()

    return part.centre + w + beta * w * w + w, beyond


def _airy_tail(part: Airy, beta: Fraction, order: int) -> tuple[Fraction, _Tail]:
    slow = beta / part.scale

    def beyond(t: Fraction) -> Ball:
        x = part.scale * (t - part.shift)
        height = ball(abs(part.factor) * part.scale**order * (x + 1) ** order)
        return height * ball(beta * t).exp() * airy(ball(x))[0]

    return max(part.shift, _ZERO) + max((slow + order) ** 2, Fraction(1)) / part.scale, beyond


# Search


class _Weighted:
    """``exp(b t) f^(j)(t)``."""

    def __init__(self, function: Function, beta: Fraction, order: int, budget: Budget) -> None:
        self.function, self.beta, self.order, self.budget = function, beta, order, budget
        self.bits = max(_BITS, longest([beta, *numbers_of(function)]))

    def value(self, t: Fraction) -> Fraction:
        """Return a lower bound of the absolute value."""
        self.budget.spend(20 * weight(self.function), self.bits)
        series = [piece.taylor(t, self.order + 1)[self.order] for piece in self.function]
        found = math.factorial(self.order) * total(series) * ball(self.beta * t).exp()
        return max(lower(abs(found)), _ZERO)

    def around(self, middle: Fraction, reach: Fraction) -> tuple[list[Ball], Ball] | None:
        """Return terms ``c_n r^n`` around a point, and the rest; None where none is known."""
        self.budget.spend(4 * TERMS * (len(self.function) + TERMS), self.bits)
        missed = self._missed(middle, 2 * reach)
        if missed is None:
            return None
        j, kept = self.order, TERMS - self.order
        taylor = [piece.taylor(middle, TERMS) for piece in self.function]
        series = [total(x) for x in zip(*taylor, strict=True)]
        at, step = ball(reach), ball(self.beta * reach)
        terms = [math.perm(n + j, j) * series[n + j] * integer_power(at, n) for n in range(kept)]
        growth = [integer_power(step, n) / math.factorial(n) for n in range(kept)]
        product = [total([terms[i] * growth[n - i] for i in range(n + 1)]) for n in range(kept)]
        dropped = total(
            [abs(terms[i]) * growth[n] for i in range(kept) for n in range(kept - i, kept)]
        )
        more = integer_power(step, kept) / math.factorial(kept) * step.exp()
        derived = math.factorial(j) * missed / integer_power(at, j) * step.exp()
        rest = dropped + total([abs(x) for x in terms]) * more + derived
        scale = ball(self.beta * middle).exp()
        return [scale * x for x in product], scale * rest

    def _missed(self, middle: Fraction, reach: Fraction) -> Ball | None:
        """Bound what follows the first terms of f on a disc, None where nothing is known."""
        found: Ball | None = None
        for wider in _WIDER:
            rests = [piece.rest(middle, wider * reach) for piece in self.function]
            known = [x for x in rests if x is not None]
            if len(known) == len(rests):
                bound = total(known) / wider**TERMS
                found = bound if found is None else found.min(bound)
        return found


def _searched(function: _Weighted, start: Fraction, beyond: _Tail) -> Bounds:
    """Enclose the supremum; `beyond` bounds it from any point after `start` on."""
    end = _not_before(start)
    best = max(function.value(end * i / _SAMPLES) for i in range(_SAMPLES + 1))
    for _ in range(_DOUBLINGS):
        if upper(beyond(end)) <= best:
            break
        end *= 2
        best = max(best, function.value(end))
    else:
        raise Invalid("a derivative of the target is not bounded in the end")
    marks = [_ZERO, *(end / 2**k for k in reversed(range(_MARKS)))]
    waiting, tried = list(pairwise(marks)), 0
    while waiting:
        a, b = waiting.pop()
        tried += 1
        if tried > MAX_INTERVALS:
            raise Invalid(f"a supremum is not shown by {MAX_INTERVALS} intervals")
        reach = (b - a) / 2
        known = function.around(a + reach, reach)
        if known is not None:
            best = max(best, lower(abs(known[0][0])))
            if _largest(*known) <= best * _CLOSE:
                continue
        waiting += [(a, a + reach), (a + reach, b)]
    return Bounds(best, best * _CLOSE)


def _not_before(t: Fraction) -> Fraction:
    """Return a time that is no earlier, and of few digits: of it many more are made."""
    unit = Fraction(2) ** (t.numerator.bit_length() - t.denominator.bit_length() - _MARK_BITS)
    return unit * math.ceil(t / unit)


def _largest(terms: list[Ball], rest: Ball) -> Fraction:
    """Bound the absolute value by terms ``c_n r^n``, at the ends where they are monotone."""
    first, slope, *others = terms
    if lower(abs(slope) - total([n * abs(x) for n, x in enumerate(others, start=2)])) > 0:
        even, odd = total(terms[::2]), total(terms[1::2])
        return upper(abs(even) + abs(odd) + rest)
    return upper(abs(first) + abs(slope) + total([abs(x) for x in others]) + rest)
