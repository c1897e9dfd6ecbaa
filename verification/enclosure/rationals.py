"""Constants and elementary functions by integer arithmetic alone, to test the balls against.

Everything is a power series with rational coefficients, summed in fixed point; nothing is shared
with flint.  Slow and only for a few arguments: the self-test is the one user.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

KNOWN_BITS = 200

Point: TypeAlias = tuple[int, int]
"""Real and imaginary part of a complex number, in sixteenths."""

_GUARD_BITS = 40
_MACHIN_ROUNDING = 2**18


@dataclass(frozen=True)
class Known:
    """A complex number, each of its parts known to within `error`; a real one has no error in 0."""

    real: Fraction
    imag: Fraction
    error: Fraction

    def real_range(self) -> tuple[Fraction, Fraction]:
        """Return bounds of the real part."""
        return self.real - self.error, self.real + self.error

    def imag_range(self) -> tuple[Fraction, Fraction]:
        """Return bounds of the imaginary part."""
        error = self.error if self.imag else 0
        return self.imag - error, self.imag + error


def pi_bounds(bits: int) -> tuple[Fraction, Fraction]:
    """Return rational bounds of pi by Machin's formula ``16 arctan 1/5 - 4 arctan 1/239``."""
    # Fewer than 2**13 terms are summed, each short of the truth by less than one unit.
    working = bits + 20
    scaled = 16 * _arctan_of_inverse(5, working) - 4 * _arctan_of_inverse(239, working)
    return (
        Fraction(scaled - _MACHIN_ROUNDING, 2**working),
        Fraction(scaled + _MACHIN_ROUNDING, 2**working),
    )


def _arctan_of_inverse(n: int, bits: int) -> int:
    """Return ``2**bits arctan(1/n)``, within two units for each term."""
    power, result, k = (1 << bits) // n, 0, 0
    while power:
        result += (-1) ** k * (power // (2 * k + 1))
        power //= n * n
        k += 1
    return result


def e_bounds(bits: int) -> tuple[Fraction, Fraction]:
    """Return rational bounds of e by its series."""
    numerator, factorial, n = 1, 1, 0
    while factorial.bit_length() <= bits + 2:
        n += 1
        numerator, factorial = numerator * n + 1, factorial * n
    return Fraction(numerator, factorial), Fraction(numerator + 2, factorial)


def root_bounds(value: Fraction, bits: int) -> tuple[Fraction, Fraction]:
    """Return rational bounds of a square root."""
    floor = math.isqrt((value.numerator << 2 * bits) // value.denominator)
    return Fraction(floor, 2**bits), Fraction(floor + 1, 2**bits)


def root_pi_bounds(bits: int) -> tuple[Fraction, Fraction]:
    """Return rational bounds of the square root of pi."""
    low, high = pi_bounds(bits + 20)
    return root_bounds(low, bits)[0], root_bounds(high, bits)[1]


def _even(n: int) -> int:
    return 1 - n % 2


def _alternating(n: int) -> int:
    return 1 - n // 2 % 2 * 2


# The coefficient of z**n as numerator and denominator.
_COEFFICIENTS: dict[str, Callable[[int], tuple[int, int]]] = {
    "exp": lambda n: (1, math.factorial(n)),
    "sin": lambda n: (n % 2 * _alternating(n), math.factorial(n)),
    "cos": lambda n: (_even(n) * _alternating(n), math.factorial(n)),
    "sinh": lambda n: (n % 2, math.factorial(n)),
    "cosh": lambda n: (_even(n), math.factorial(n)),
    "atan": lambda n: (n % 2 * _alternating(n), max(n, 1)),
    "atanh": lambda n: (n % 2, max(n, 1)),
    "erf": lambda n: (n % 2 * _alternating(n), math.factorial(n // 2) * max(n, 1)),
    "erfi": lambda n: (n % 2, math.factorial(n // 2) * max(n, 1)),
}
_QUOTIENTS = {"tanh": ("sinh", "cosh"), "tan": ("sin", "cos"), "sech": (None, "cosh")}

FUNCTIONS = (*_COEFFICIENTS, *_QUOTIENTS, "expm1", "erfc")
"""Functions that `known_function` knows; the last two at real arguments."""


def known_function(name: str, z: Point) -> Known:
    """Return a function's value at z, to about `KNOWN_BITS` bits.

    The moduli of z, of the value and of its reciprocal are to be below 2**16, for arctan and
    artanh that of z below 1/2.
    """
    if name in _QUOTIENTS:
        top, bottom = _QUOTIENTS[name]
        one = Known(Fraction(1), Fraction(0), Fraction(0))
        return _quotient(known_function(top, z) if top else one, known_function(bottom, z))
    if name == "expm1":
        value = _series(_COEFFICIENTS["exp"], z)
        return Known(value.real - 1, value.imag, value.error)
    if name == "erfc":
        value = known_function("erf", z)
        return Known(1 - value.real, -value.imag, value.error)
    value = _series(_COEFFICIENTS[name], z)
    if name not in ("erf", "erfi"):
        return value
    factor = 2 / root_pi_bounds(KNOWN_BITS + _GUARD_BITS)[0]
    return Known(value.real * factor, value.imag * factor, 4 * value.error)


def _series(coefficient: Callable[[int], tuple[int, int]], z: Point) -> Known:
    """Sum a power series until a term is negligible and each later one less than half of it."""
    real, imag = z
    unit = 1 << (KNOWN_BITS + _GUARD_BITS)
    # From here on a series whose coefficients fall like reciprocal factorials falls by half.
    first = (abs(real) + abs(imag)) ** 2 // 64
    a, b, scale, n = 1, 0, 1, 0
    sum_real = sum_imag = 0
    while True:
        p, q = coefficient(n)
        sum_real += a * p * unit // (q * scale)
        sum_imag += b * p * unit // (q * scale)
        if p and n > first and (abs(a) + abs(b)) * unit < q * scale:
            break
        a, b = a * real - b * imag, a * imag + b * real
        scale *= 16
        n += 1
    return Known(Fraction(sum_real, unit), Fraction(sum_imag, unit), Fraction(1, 2**KNOWN_BITS))


def _quotient(x: Known, y: Known) -> Known:
    size = y.real**2 + y.imag**2
    real = (x.real * y.real + x.imag * y.imag) / size
    imag = (x.imag * y.real - x.real * y.imag) / size
    # |x/y - x'/y'| <= |x - x'|/|y| + |x/y| |y - y'|/|y'|, all moduli within 2**-16 .. 2**16.
    return Known(real, imag, 2**36 * (x.error + y.error))
