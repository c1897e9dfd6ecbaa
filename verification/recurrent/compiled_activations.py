r"""Activations compiled by numba: arithmetic that a compiler turns into vectors.

numba's own tanh, erf, ... are calls for one number at a time.  Here nothing branches.  With
``x = n (ln 2)/2 + r``, ``|r| <= (ln 2)/4``, and ``R = r coth r``, a polynomial in r^2,

    exp(2x) = 2^n (R + r)/(R - r),
    tanh x = ((2^n - 1) R + (2^n + 1) r) / ((2^n + 1) R + (2^n - 1) r),

which costs one division; ``1/(1 + exp(-x))`` likewise.  erf is ``x P(x^2)`` for ``|x| < 1`` and
``1 - exp(-x^2) Q`` beyond; arctan is reduced to ``|r| <= tan(pi/8)``, sin and cos to ``pi/4``.

**Errors** (measured in the tests, not proved): values within 3 units in the last place, and
derivatives within 5, that of tanh within 8 units of 2^-53.  What is below 10^-307 may be as large
as that.  Small arguments keep their relative accuracy.  sin beyond 2^45 is left to the library.

Importing this module imports numba (about 0.2 s).
"""

from __future__ import annotations

import math
import os
import sys
from typing import Any


def _prefer_wide_vectors() -> None:
    """Ask the compiler for 512-bit vectors where the processor has them: a fifth faster here."""
    if "numba" in sys.modules or {"NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"} & os.environ.keys():
        return
    from llvmlite import binding  # noqa: PLC0415 - before numba, which reads the environment once

    features = binding.get_host_cpu_features().flatten()
    if "+avx512f" in features.split(","):
        os.environ["NUMBA_CPU_NAME"] = binding.get_host_cpu_name()
        os.environ["NUMBA_CPU_FEATURES"] = f"{features},-prefer-256-bit"


_prefer_wide_vectors()

import numba  # noqa: E402 - after the environment is set
from numba.extending import intrinsic  # noqa: E402

_MAGIC = 6755399441055744.0  # 1.5 * 2^52: adding it rounds to an integer in the low bits
_ONE_BITS = 0x3FF0000000000000
_HALF_LN2 = math.log(2) / 2
_HALF_LN2_HIGH = float.fromhex("0x1.62e42fefa3800p-2")  # times n exact
_HALF_LN2_LOW = float.fromhex("0x1.ef35793c76730p-46")
_PER_HALF_LN2 = 2 / math.log(2)
_FAR = 22.0  # tanh(22) rounds to 1
_STEEP = 354.0  # exp(708) and exp(-708) are doubles of full precision

# pi/2 and what it lacks, by double after double.
_PI_2, _PI_2_REST, _PI_2_LEAST = 1.5707963267948966, 6.123233995736766e-17, -1.4973849048591833e-33
REACH = 2.0**45
"""Reduced by three doubles, larger arguments of sin would lose digits."""

# Polynomials, the least of their degree, by increasing powers.  Their errors, relative to the
# function unless stated otherwise, are below a seventh of an ulp.
# r coth r - 1 in powers of r^2 from r^2 on, |r| <= (ln 2)/4.
_COTH_SERIES = (
    0.33333333333333204,
    -0.02222222222161266,
    0.0021164020229016765,
    -0.00021163395042218884,
    2.1187295617904737e-05,
)
# sin r / r - 1 from r^2 on and cos r - 1 + r^2/2 from r^4 on, |r| <= pi/4.
_SIN_SERIES = (
    -0.16666666666666632,
    0.008333333333322318,
    -0.00019841269829727167,
    2.7557313662777046e-06,
    -2.5050753382038912e-08,
    1.5896512002961955e-10,
)
_COS_SERIES = (
    0.0416666666666666,
    -0.0013888888888873995,
    2.4801587289397623e-05,
    -2.75573143268296e-07,
    2.0875719669635212e-09,
    -1.1359454532104014e-11,
)
# arctan r / r - 1 from r^2 on, |r| <= tan(pi/8).
_ARCTAN_SERIES = (
    -0.333333333333332,
    0.19999999999954088,
    -0.1428571428024898,
    0.11111110786155805,
    -0.09090897836835918,
    0.07692061642073114,
    -0.06663120421899799,
    0.05848009080693886,
    -0.05039845826734445,
    0.03807831981241141,
    -0.017922269493689098,
)
# erf x / x in powers of x^2, |x| <= 1.
_ERF_SERIES = (
    1.1283791670955126,
    -0.37612638903183515,
    0.11283791670944136,
    -0.02686617064310584,
    0.005223977606081509,
    -0.0008548325927828291,
    0.00012055293538478035,
    -1.4924711650268188e-05,
    1.6447124358084642e-06,
    -1.6206263600235424e-07,
    1.3710781479759915e-08,
    -7.779125330247111e-10,
)
# exp(x^2) erfc x in powers of (x - 5/2)/(x + 5/2), 1 <= x <= 6; the error relative to exp(x^2).
_ERFCX_SERIES = (
    0.2108063640611466,
    -0.37173673394925244,
    0.2517131932068985,
    -0.12503305244713572,
    0.03992254005644944,
    -0.003993685086763914,
    -0.002642289136970211,
    0.0008758975158489117,
    0.00022668668622538197,
    -0.00013661164119208906,
    -5.104597505427109e-05,
)
_LAST_GAUSS = 26.5  # exp(-26.5^2) is a double of full precision
_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)


@intrinsic
def _to_bits(_context: Any, _value: Any) -> Any:
    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(numba.types.int64))

    return numba.types.int64(numba.types.float64), generate


@intrinsic
def _from_bits(_context: Any, _value: Any) -> Any:
    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(numba.types.float64))

    return numba.types.float64(numba.types.int64), generate


@intrinsic
def _fused(_context: Any, _a: Any, _b: Any, _c: Any) -> Any:
    """Return ``a b + c``, rounded once."""
    double = numba.types.float64

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return double(double, double, double), generate


# Python's division checks for zero, which keeps a loop from becoming vectors.  LLVM inlines these
# functions with their own flags; numba's `inline` would give it those of the sums, and the
# rounding by the magic number would be simplified away.
_of_one_unit = numba.njit(fastmath={"contract"}, error_model="numpy", forceinline=True)


@_of_one_unit
def less(a: float, rate: float, b: float) -> float:
    """Return ``a - rate b``."""
    return a - rate * b


@_of_one_unit
def _polynomial(coefficients: tuple[float, ...], x: float) -> float:
    p = coefficients[-1]
    for k in range(len(coefficients) - 2, -1, -1):
        p = p * x + coefficients[k]
    return p


@_of_one_unit
def _power(x: float, to_the_last: bool) -> tuple[float, float, float]:
    """Return ``2^n``, r and ``R - 1`` for ``x = n (ln 2)/2 + r``.

    Where it is not needed to the last digit r errs by n times an eighteenth of 2^-53.
    """
    shifted = x * _PER_HALF_LN2 + _MAGIC
    n = shifted - _MAGIC
    r = (x - n * _HALF_LN2_HIGH) - n * _HALF_LN2_LOW if to_the_last else x - n * _HALF_LN2
    q = r * r
    power: float = _from_bits((_to_bits(shifted) << 52) + _ONE_BITS)
    return power, r, q * _polynomial(_COTH_SERIES, q)


# Each of these returns sigma(x), c sigma(x), c sigma'(x), and 1 where x is out of reach, else 0.


@_of_one_unit
def _tanh_at(x: float, c: float) -> tuple[float, float, float, float]:
    # tanh is flat where n is large.
    power, r, p = _power(min(max(x, -_FAR), _FAR), False)
    less, more = power - 1.0, power + 1.0
    # Small terms first: one rounding at full size above the line and one below.
    s = (less + (more * r + less * p)) / (more + (less * r + more * p))
    cs = c * s
    return s, cs, c - cs * s, 0.0


@_of_one_unit
def _logistic_at(x: float, c: float) -> tuple[float, float, float, float]:
    power, r, p = _power(min(max(0.5 * x, -_STEEP), _STEEP), True)
    up, down = power + power * (p + r), 1.0 + (p - r)
    inverse = 1.0 / (up + down)
    s = up * inverse
    cs = c * s
    return s, cs, cs * (down * inverse), 0.0


@_of_one_unit
def _erf_at(x: float, c: float) -> tuple[float, float, float, float]:
    size = min(abs(x), _LAST_GAUSS)
    square = size * size
    # What the square lacks: where it is large, hundreds of ulp of the exponential.
    rest = _fused(size, size, -square)
    power, r, p = _power(-0.5 * square, True)
    gauss = power * ((1.0 + (p + r)) / (1.0 + (p - r)))
    gauss -= gauss * rest
    size = min(size, 6.0)  # erf 6 rounds to 1
    tail = 1.0 - gauss * _polynomial(_ERFCX_SERIES, (size - 2.5) / (size + 2.5))
    near = size * _polynomial(_ERF_SERIES, square)
    s = math.copysign(near if size < 1.0 else tail, x)
    return s, c * s, c * (_TWO_OVER_ROOT_PI * gauss), 0.0


@_of_one_unit
def _arctan_at(x: float, c: float) -> tuple[float, float, float, float]:
    size = abs(x)
    near, far = size < math.sqrt(2.0) - 1.0, size > math.sqrt(2.0) + 1.0
    # arctan x = pi/4 + arctan((x - 1)/(x + 1)) = pi/2 - arctan(1/x).
    above = size if near else (-1.0 if far else size - 1.0)
    below = 1.0 if near else (size if far else size + 1.0)
    base = 0.0 if near else (_PI_2 if far else _PI_2 / 2)
    r = above / below
    q = r * r
    angle = base + (r + r * (q * _polynomial(_ARCTAN_SERIES, q)))
    s = angle if x > 0.0 else -angle
    return s, c * s, c / (1.0 + x * x), 0.0


@_of_one_unit
def _sin_at(x: float, c: float) -> tuple[float, float, float, float]:
    x_near = min(max(x, -REACH), REACH)
    shifted = x_near * (1 / _PI_2) + _MAGIC
    n = shifted - _MAGIC
    r = _fused(-n, _PI_2, x_near)
    r = _fused(-n, _PI_2_REST, r)
    r = r - n * _PI_2_LEAST
    q = r * r
    sine = r + r * (q * _polynomial(_SIN_SERIES, q))
    cosine = 1.0 + q * (q * _polynomial(_COS_SERIES, q) - 0.5)
    quarters = _to_bits(shifted)
    turned = (quarters & 1) != 0
    s: float = _from_bits(_to_bits(cosine if turned else sine) ^ ((quarters & 2) << 62))
    d: float = _from_bits(_to_bits(sine if turned else cosine) ^ (((quarters + 1) & 2) << 62))
    return s, c * s, c * d, 0.0 if abs(x) <= REACH else 1.0


@_of_one_unit
def _sin_anywhere(x: float, c: float) -> tuple[float, float, float, float]:
    s = math.sin(x)
    return s, c * s, c * math.cos(x), 0.0


EVALUATED = {
    "tanh": _tanh_at,
    "logistic": _logistic_at,
    "erf": _erf_at,
    "arctan": _arctan_at,
    "sin": _sin_at,
    "sin anywhere": _sin_anywhere,
}
NAMES = (*EVALUATED, "mixture")
"""Activations by their numbers, which compiled functions know as constants."""

TANH, LOGISTIC, ERF, ARCTAN, SIN, ANYWHERE, MIXTURE = range(len(NAMES))
