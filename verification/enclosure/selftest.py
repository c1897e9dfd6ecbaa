"""Start-up tests of the arithmetic on which every verdict rests, and the list of what is trusted.

Each check computes something twice: by balls or doubles, and by Python's integers and fractions.
They are examples, not proofs; they catch a broken library, a processor in the wrong rounding mode,
an elementary function outside its assumed error.  A failed *fatal* check means that nothing may be
decided.  The others record known faults of the libraries, which the project avoids.

Polynomials of flint are named in this module only, to show why nothing else uses them.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from flint import __FLINT_VERSION__, __version__, arb, arb_mat, fmpz_poly

from verification.enclosure import balls, rationals, special
from verification.enclosure.balls import (
    Ball,
    ComplexBall,
    ball,
    end_points,
    exact_ball,
    interval,
    power,
    precision,
    total,
    working_precision,
)
from verification.enclosure.doubles import ASSUMED_ULP, ELEMENTARY_RANGE, elementary
from verification.errors import SelfTestFailed


@dataclass(frozen=True)
class Check:
    """One test and its outcome.

    Parameters
    ----------
    name : str
    passed : bool
    fatal : bool
        Whether nothing may be decided where it failed.
    detail : str
        What was compared; where it failed, what was seen.
    """

    name: str
    passed: bool
    fatal: bool
    detail: str


TRUSTED: tuple[str, ...] = (
    (
        "The processor and the C library compute IEEE 754 double precision, rounded to nearest, "
        "with gradual underflow."
    ),
    (
        f"FLINT {__FLINT_VERSION__} through python-flint {__version__}: balls, complex balls and "
        "matrices of balls enclose the exact result of every operation used. Its polynomials and "
        "power series are wrong at some sizes and are not used."
    ),
    (
        "Python's integers, fractions and decimals are exact, and are converted to doubles and "
        "back as documented."
    ),
    (
        "Elementary functions in double precision, of numpy and for erf of scipy, err by at most "
        + ", ".join(f"{count} ulp ({name})" for name, count in ASSUMED_ULP.items())
        + f" at arguments up to {ELEMENTARY_RANGE} in size."
    ),
    ("numpy computes a product of matrices in double precision as sums of products, in any order."),
    (
        "The proofs in the docstrings of the theorems and of the error bounds: people read them, "
        "no proof assistant did."
    ),
    (
        "This project's own code. Not trusted, since none of them certifies: mpmath, simulation, "
        "the search for counterexamples."
    ),
)
"""Every sentence of the base on which CERTIFIED rests."""


def run(*, doubles: bool = True) -> tuple[Check, ...]:
    """Run the start-up tests.

    Parameters
    ----------
    doubles : bool
        Also test the elementary functions of numpy and scipy; False where no bound in double
        precision is used, which saves the time of loading scipy.
    """
    names = tuple(ASSUMED_ULP) if doubles else ()
    return (
        *(check() for check in _CHECKS),
        *(_check_elementary(name) for name in names),
        _check_polynomials(),
        _check_power(),
    )


def require(checks: Iterable[Check]) -> None:
    """Let nothing be decided where a fatal check failed.

    Raises
    ------
    SelfTestFailed
        With one line that names every such check and what was seen.
    """
    failed = [check for check in checks if check.fatal and not check.passed]
    if failed:
        raise SelfTestFailed("; ".join(f"{check.name}: {check.detail}" for check in failed))


def record(checks: Iterable[Check]) -> dict[str, Any]:
    """Return what is trusted and what was tested, as JSON values."""
    return {
        "trusted": list(TRUSTED),
        "self_test": [
            {
                "name": check.name,
                "passed": check.passed,
                "fatal": check.fatal,
                "detail": check.detail,
            }
            for check in checks
        ],
    }


def _fatal(name: str, detail: str, faults: Iterable[str]) -> Check:
    try:
        seen = ", ".join(faults)
    except (ArithmeticError, ValueError) as error:
        # A ball that is not finite where it must be, or an operation that the library refuses.
        seen = f"{type(error).__name__}: {error}"
    return Check(
        name=name, passed=not seen, fatal=True, detail=f"wrong: {seen}" if seen else detail
    )


# Balls against integers.

_BITS = 128
_CONSTANT_BITS = 1100
_SLACK_BITS = 12


_PI_DIGITS = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628")

_CONSTANTS: dict[str, tuple[Callable[[], Ball], Callable[[int], tuple[Fraction, Fraction]]]] = {
    "pi": (balls.pi, rationals.pi_bounds),
    "exp(1)": (lambda: ball(1).exp(), rationals.e_bounds),
    "sqrt(2)": (lambda: ball(2).sqrt(), partial(rationals.root_bounds, Fraction(2))),
    "sqrt(pi)": (lambda: balls.pi().sqrt(), rationals.root_pi_bounds),
}


def _check_constants() -> Check:
    """Compare known constants with integer arithmetic and with stored digits."""

    def faults() -> Iterator[str]:
        for name, (constant, known) in _CONSTANTS.items():
            low, high = known(_CONSTANT_BITS + 100)
            with precision(_CONSTANT_BITS):
                value = constant()
                if not _encloses(value, low, high, _CONSTANT_BITS):
                    yield f"{name} = {value.str(20)}"
        digits = abs(Fraction(_PI_DIGITS) - rationals.pi_bounds(_CONSTANT_BITS)[0])
        if digits > Fraction(1, 10**74):
            yield "the stored digits of pi"

    detail = f"{', '.join(_CONSTANTS)} to {_CONSTANT_BITS} bits, by integer arithmetic"
    return _fatal("constants", detail, faults())


def _contains(x: Ball, low: Fraction, high: Fraction) -> bool:
    if not x.is_finite():
        return False
    below, above = end_points(x)
    return below <= low <= high <= above


def _encloses(x: Ball, low: Fraction, high: Fraction, bits: int) -> bool:
    """Tell whether a ball contains ``[low, high]`` and is narrow for its precision."""
    return _contains(x, low, high) and _is_narrow(x, bits - _SLACK_BITS)


def _is_narrow(x: Ball, bits: int) -> bool:
    low, high = end_points(x)
    return high - low <= max(abs(low), abs(high)) * Fraction(1, 2**bits)


_FUNCTIONS: dict[str, Callable[[Ball], Ball]] = {
    "exp": Ball.exp,
    "expm1": Ball.expm1,
    "tanh": Ball.tanh,
    "sech": Ball.sech,
    "sin": Ball.sin,
    "cos": Ball.cos,
    "tan": Ball.tan,
    "sinh": Ball.sinh,
    "cosh": Ball.cosh,
    "atan": Ball.atan,
    "atanh": Ball.atanh,
    "erf": Ball.erf,
    "erfc": Ball.erfc,
    "erfi": Ball.erfi,
}
_COMPLEX_FUNCTIONS: dict[str, Callable[[ComplexBall], ComplexBall]] = {
    "exp": ComplexBall.exp,
    "tanh": ComplexBall.tanh,
    "sech": ComplexBall.sech,
    "sin": ComplexBall.sin,
    "cos": ComplexBall.cos,
    "atan": ComplexBall.atan,
    "erf": ComplexBall.erf,
}
_POINTS = (6, -5, 1)
_FAR_POINTS = {"exp": -128, "tanh": 24, "sin": 100, "cos": -100, "erf": 40, "erfc": 40, "cosh": 60}
_COMPLEX_POINTS = ((6, 5), (-3, 1))


def _check_functions() -> Check:
    """Compare elementary functions of narrow and of wide balls with power series."""

    def faults() -> Iterator[str]:
        for name, function in _FUNCTIONS.items():
            far = (_FAR_POINTS[name],) if name in _FAR_POINTS else ()
            known = {k: rationals.known_function(name, (k, 0)).real_range() for k in _POINTS + far}
            for k, (low, high) in known.items():
                image = function(ball(Fraction(k, 16)))
                if not _encloses(image, low, high, _BITS):
                    yield f"{name}({k}/16) = {image.str(20)}"
            wide = function(interval(ball(Fraction(-5, 16)), ball(Fraction(6, 16))))
            # A ball that is not finite encloses everything: useless, not wrong.
            if wide.is_finite() and not all(_contains(wide, *known[k]) for k in _POINTS):
                yield f"{name} of a wide ball = {wide.str(20)}"

    with precision(_BITS):
        names = ", ".join(_FUNCTIONS)
        return _fatal("real functions", f"{names}: power series in integers", faults())


def _check_complex_functions() -> Check:
    """Compare complex elementary functions with power series."""

    def faults() -> Iterator[str]:
        for name, function in _COMPLEX_FUNCTIONS.items():
            for point in _COMPLEX_POINTS:
                z = ComplexBall(*(ball(Fraction(part, 16)) for part in point))
                image, known = function(z), rationals.known_function(name, point)
                if not (
                    _encloses(image.real, *known.real_range(), _BITS)
                    and _encloses(image.imag, *known.imag_range(), _BITS)
                ):
                    yield f"{name}(({point[0]} + {point[1]}i)/16)"

    with precision(_BITS):
        names = ", ".join(_COMPLEX_FUNCTIONS)
        return _fatal("complex functions", f"{names}: power series in integers", faults())


_AIRY_DIGITS = tuple(
    Fraction(Decimal(text))
    for text in (
        "0.355028053887817239260063186004183176397979174199177240583327",
        "-0.258819403792806798405183560189203963479091138354934582210002",
    )
)
_EULER_DIGITS = Fraction(Decimal("0.577215664901532860606512090082402431042159335939923598805767"))
_DIGIT_ERROR = Fraction(1, 10**59)
_SERIES_TERMS = 60


def _check_special_functions() -> Check:
    """Compare Airy's function, its integral and E_1, E_2 with power series in rationals."""

    def near(x: Ball, known: Fraction) -> bool:
        low, high = known - _DIGIT_ERROR, known + _DIGIT_ERROR
        return x.is_finite() and _encloses(x, low, high, _BITS)

    def faults() -> Iterator[str]:
        for k in _POINTS:
            x = Fraction(k, 4)
            # Ai'' = x Ai, term by term.
            terms = [*_AIRY_DIGITS, Fraction(0)]
            for n in range(1, _SERIES_TERMS):
                terms.append(terms[n - 1] / ((n + 1) * (n + 2)))
            value = sum((a * x**n for n, a in enumerate(terms)), Fraction(0))
            area = sum((a * x ** (n + 1) / (n + 1) for n, a in enumerate(terms)), Fraction(0))
            if not near(special.airy(ball(x))[0], value):
                yield f"Ai({k}/4)"
            if not near(special.airy_integral(x), Fraction(1, 3) - area):
                yield f"the integral of Ai from {k}/4 on"
        # E_1(1) = -gamma - sum (-1)^n/(n n!), and E_2(1) = exp(-1) - E_1(1).
        series = sum(
            (Fraction((-1) ** n, n * math.factorial(n)) for n in range(1, _SERIES_TERMS)),
            Fraction(0),
        )
        first = -_EULER_DIGITS - series
        inverse = 1 / rationals.e_bounds(_CONSTANT_BITS)[0]
        for order, known in ((1, first), (2, inverse - first)):
            if not near(special.exponential_integral(order, ball(1)), known):
                yield f"E_{order}(1)"

    with precision(_BITS):
        detail = "Ai, its integral, E_1, E_2: power series in rationals from stored constants"
        return _fatal("special functions", detail, faults())


_gamma: Callable[[ComplexBall], ComplexBall] = balls.gamma


def _check_gamma() -> Check:
    """Test the gamma function on the lines of real part 1, 3/2 and 3 by its reflection formula.

    ``|Gamma(1 + i y)|^2 = pi y / sinh(pi y)``, ``|Gamma(1/2 + i y)|^2 = pi / cosh(pi y)`` and
    ``Gamma(z + 1) = z Gamma(z)``; at y = 0 the values are 1, ``pi^(1/2)/2`` and 2.
    """

    def squared(real: Fraction, y: Fraction) -> Ball:
        size = abs(_gamma(ComplexBall(ball(real), ball(y))))
        return size * size

    def faults() -> Iterator[str]:
        for y in (Fraction(1, 3), Fraction(-7), Fraction(25)):
            angle = balls.pi() * ball(y)
            whole, half = angle / angle.sinh(), balls.pi() / angle.cosh()
            known = {
                Fraction(1): whole,
                Fraction(3, 2): half * ball(Fraction(1, 4) + y * y),
                Fraction(3): whole * ball((1 + y * y) * (4 + y * y)),
            }
            for real, truth in known.items():
                found = squared(real, y)
                if not (found.overlaps(truth) and _is_narrow(found, _BITS - _SLACK_BITS)):
                    yield f"|gamma({real} + {y}i)|^2 = {found.str(20)}"
        for real, exact in ((Fraction(1), Fraction(1)), (Fraction(3), Fraction(4))):
            if not _encloses(squared(real, Fraction(0)), exact, exact, _BITS - _SLACK_BITS):
                yield f"gamma({real})"
        if not squared(Fraction(3, 2), Fraction(0)).overlaps(balls.pi() / 4):
            yield "gamma(3/2)"

    with precision(_BITS):
        return _fatal("gamma function", "reflection formula on three lines", faults())


_legendre_root: Callable[[int, int, bool], tuple[Ball, Ball]] = arb.legendre_p_root


def _check_legendre() -> Check:
    """Test Gauss-Legendre nodes by the sign of the polynomial, and weights by exact moments."""
    few, many = 6, 40

    def legendre(n: int, x: Fraction) -> Fraction:
        before, value = Fraction(0), Fraction(1)
        for k in range(n):
            before, value = value, ((2 * k + 1) * x * value - k * before) / (k + 1)
        return value

    def faults() -> Iterator[str]:
        for k in range(few):
            node = _legendre_root(few, k, True)[0]
            if not (
                node.is_finite()
                and math.prod(legendre(few, end) for end in end_points(node)) < 0
                and _is_narrow(node, _BITS - _SLACK_BITS)
            ):
                yield f"node {k} of {few} = {node.str(20)}"
        rule = [_legendre_root(many, k, True) for k in range(many)]
        for degree in (0, 2, 38, 76, 78):
            moment = total(weight * power(node, degree) for node, weight in rule)
            exact = Fraction(2, degree + 1)
            if not _encloses(moment, exact, exact, _BITS - _SLACK_BITS):
                yield f"moment {degree} of {many} nodes = {moment.str(20)}"

    with precision(_BITS):
        return _fatal("Gauss-Legendre rules", "sign changes and exact moments", faults())


Rows: TypeAlias = Sequence[Sequence[Fraction]]

_matrix_of_balls: Callable[[list[list[Ball]]], arb_mat] = arb_mat


def _check_matrices() -> Check:
    """Compare products and solutions of systems with exact integers and rationals."""

    def faults() -> Iterator[str]:
        for size, bits in ((3, 8), (10, 60), (8, 509)):
            a, b = _integers(size, bits, 1), _integers(size, bits, 2)
            if not _agree(_matrix(a) * _matrix(b), _product(a, b), _BITS - _SLACK_BITS):
                yield f"the product of {size} by {size} matrices of {bits}-bit integers"
        hilbert = [[Fraction(1, i + j + 1) for j in range(8)] for i in range(8)]
        solution = [[Fraction(k - 3, k + 1)] for k in range(8)]
        right = _matrix(_product(hilbert, solution))
        try:
            # Its condition number is 1.5e10, and elimination in balls loses more.
            if not _agree(_matrix(hilbert).solve(right), solution, _BITS // 2):
                yield "the solution of a system with Hilbert's matrix of order 8"
        except ZeroDivisionError:
            yield "Hilbert's matrix of order 8 is called singular"

    with precision(_BITS):
        return _fatal("matrices of balls", "products and a system, by exact rationals", faults())


def _matrix(rows: Rows) -> arb_mat:
    return _matrix_of_balls([[ball(value) for value in row] for row in rows])


def _product(a: Rows, b: Rows) -> list[list[Fraction]]:
    columns = list(zip(*b, strict=True))
    return [
        [sum((x * y for x, y in zip(row, column, strict=True)), Fraction(0)) for column in columns]
        for row in a
    ]


def _agree(matrix: arb_mat, exact: Rows, bits: int) -> bool:
    width = max(abs(value) for row in exact for value in row) * Fraction(1, 2**bits)
    for i, row in enumerate(exact):
        for j, value in enumerate(row):
            if not _contains(matrix[i, j], value, value):
                return False
            low, high = end_points(matrix[i, j])
            if high - low > width:
                return False
    return True


def _integers(size: int, bits: int, seed: int) -> list[list[Fraction]]:
    """Return a matrix of integers of both signs; powers of a number modulo a prime."""
    prime = 2**521 - 1
    state, rows = seed + 2**64, []
    for _ in range(size):
        row = []
        for _ in range(size):
            state = state * state % prime + seed
            row.append(Fraction(state % 2 ** (bits + 1) - 2**bits))
        rows.append(row)
    return rows


def _check_precision() -> Check:
    """Test that the working precision is the one asked for, and is restored."""

    def faults() -> Iterator[str]:
        before = working_precision()
        for bits in balls.PRECISIONS:
            with precision(bits):
                third = ball(1) / 3
                low, high = end_points(third)
                if not 2.0 ** -(bits + 8) <= float(high - low) <= 2.0 ** (4 - bits):
                    yield f"{bits} bits give a radius of about {float(high - low):.3g}"
                if not low < Fraction(1, 3) < high:
                    yield f"1/3 at {bits} bits"
        if working_precision() != before:
            yield "the precision is not restored"

    return _fatal("precision", f"{', '.join(map(str, balls.PRECISIONS))} bits", faults())


def _check_rounding_outward() -> Check:
    """Test that decimals and doubles made of balls lie outside them, and close."""
    samples = [ball(Fraction(p, q)) for p, q in ((1, 3), (-2, 7), (10**30, 3), (-1, 3 * 10**30))]
    samples += [interval(ball(1), ball(2)), balls.pi(), ball(0), exact_ball(5e-324)]
    samples += [ball(Fraction(1, 3 * 2**1080)), ball(Fraction(-(2**1030), 3)), ball(1).exp()]

    def faults() -> Iterator[str]:
        for sample in samples:
            low, high = end_points(sample)
            for value, end, side in (
                (balls.upper_double(sample), high, 1),
                (balls.lower_double(sample), low, -1),
            ):
                inward = math.nextafter(value, -side * math.inf)
                if not side * inward <= side * end <= side * value:
                    yield f"the double {value!r} of {sample.str(20)}"
            bounds = balls.enclosure(sample)
            lower, upper = Fraction(bounds.lower), Fraction(bounds.upper)
            close = (abs(low) + abs(high)) / 2**_BITS
            if not (low - close <= lower <= low <= high <= upper <= high + close):
                yield f"the decimals of {sample.str(20)}"

    with precision(_BITS):
        return _fatal("outward rounding", "to decimals and to doubles", faults())


# Double precision.

Binary: TypeAlias = Callable[[Any, Any], Any]

_OPERATIONS: dict[str, Binary] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_EPS = 2.0**-52
_TINIEST = 2.0**-1074
_ROUNDINGS: tuple[tuple[float, str, float, float], ...] = (
    (1.0, "+", _EPS / 2, 1.0),
    (1.0 + _EPS, "+", _EPS / 2, 1.0 + 2 * _EPS),
    (-1.0, "-", _EPS / 2, -1.0),
    (-1.0 - _EPS, "-", _EPS / 2, -1.0 - 2 * _EPS),
    (1.0, "+", _EPS / 2 + 2.0**-100, 1.0 + _EPS),
    (1.0, "+", _EPS * 0.75, 1.0 + _EPS),
    (1.0, "-", _EPS / 4, 1.0),
    (2.0**53, "+", 1.0, 2.0**53),
    (1.0, "/", 3.0, float.fromhex("0x1.5555555555555p-2")),
    (2.0, "/", 3.0, float.fromhex("0x1.5555555555555p-1")),
    (1.0 + 2.0**-27, "*", 1.0 + 2.0**-27, 1.0 + 2.0**-26),
    (0.1, "+", 0.2, float.fromhex("0x1.3333333333334p-2")),
)
_UNDERFLOWS: tuple[tuple[float, str, float, float], ...] = (
    (2.0**-1022, "/", 2.0, 2.0**-1023),
    (2.0**-537, "*", 2.0**-537, _TINIEST),
    (3 * _TINIEST, "/", 2.0, 2 * _TINIEST),
    (_TINIEST, "/", 2.0, 0.0),
    (_TINIEST, "+", _TINIEST, 2 * _TINIEST),
    (2.0**-1022, "-", _TINIEST, 2.0**-1022 - _TINIEST),
    (_TINIEST, "*", 2.0**1000, 2.0**-74),
)
_LANES = 19


def _check_rounding() -> Check:
    """Test rounding to nearest, ties to even, in Python and in numpy, and separate roundings."""

    def faults() -> Iterator[str]:
        yield from _wrong_operations(_ROUNDINGS)
        x, y = 1.0 + 2.0**-27, 1.0 + 2.0**-26
        for what, a, b in (("Python", x, y), ("numpy", np.full(_LANES, x), np.full(_LANES, y))):
            if np.any(_OPERATIONS["-"](_OPERATIONS["*"](a, a), b)):
                yield f"{what} fuses a product and a sum"
        root = float.fromhex("0x1.6a09e667f3bcdp+0")
        if math.sqrt(2.0) != root or np.any(np.sqrt(np.full(_LANES, 2.0)) != root):
            yield "sqrt(2)"

    return _fatal("IEEE rounding", "to nearest, ties to even, nothing fused", faults())


def _check_underflow() -> Check:
    """Test that small results are not flushed to zero, in Python, numpy and its matrix product."""

    def faults() -> Iterator[str]:
        yield from _wrong_operations(_UNDERFLOWS)
        small = np.full((_LANES, _LANES), 2.0**-537)
        if np.any(small @ small != _LANES * _TINIEST) or np.any(
            small[0] @ small != _LANES * _TINIEST
        ):
            yield "the product of matrices of small numbers"

    return _fatal("gradual underflow", "in Python, numpy and matrix products", faults())


def _wrong_operations(cases: Iterable[tuple[float, str, float, float]]) -> Iterator[str]:
    for a, sign, b, expected in cases:
        # Through functions: the compiler folds constants.
        if _OPERATIONS[sign](a, b) != expected:
            yield f"{a!r} {sign} {b!r} in Python"
        if np.any(_OPERATIONS[sign](np.full(_LANES, a), np.full(_LANES, b)) != expected):
            yield f"{a!r} {sign} {b!r} in numpy"


_DECIMALS = {
    "0.1": "0x1.999999999999ap-4",
    "2.2250738585072011e-308": "0x0.fffffffffffffp-1022",
    "9007199254740993": "0x1p+53",
    "5e-324": "0x0.0000000000001p-1022",
    "1.7976931348623157e308": "0x1.fffffffffffffp+1023",
    "2.4703282292062328e-324": "0x0.0000000000001p-1022",
}


def _check_conversion() -> Check:
    """Test conversions between decimals, rationals and doubles."""

    def faults() -> Iterator[str]:
        for text, exact in _DECIMALS.items():
            value = float.fromhex(exact)
            if float(text) != value:
                yield f"float({text!r})"
            if float(Fraction(text)) != value:
                yield f"float(Fraction({text!r}))"
            if float(repr(value)) != value or Fraction(Decimal(value)) != Fraction(value):
                yield f"the text of {exact}"
        if f"{0.1:.30f}" != "0.100000000000000005551115123126":
            yield "the 30 digits of 0.1"

    return _fatal("decimal conversion", "decimals, rationals and doubles", faults())


_EXACT: dict[str, Callable[[Ball], Ball]] = {
    "tanh": Ball.tanh,
    "exp": Ball.exp,
    "arctan": Ball.atan,
    "sin": Ball.sin,
    "cos": Ball.cos,
    "erf": Ball.erf,
}
_GOLDEN = (5**0.5 - 1) / 2


def points(name: str) -> list[float]:
    """Return the arguments, about 2,400, at which an elementary function is measured.

    Of both signs: spread over the curve and its flat ends, over all orders of magnitude down to
    the smallest double, and up to `ELEMENTARY_RANGE`.
    """
    spread = [((k + 1) * _GOLDEN) % 1.0 for k in range(800)]
    result = [8.0 * s for s in spread] + spread[:400]
    result += [2.0 ** (-1074.0 * s) for s in spread[:300]]
    result += [2.0 ** (-40.0 * s) for s in spread[:300]]
    result += [40.0 * s for s in spread[:300]]
    result += [2.0 ** (4.0 + 26.0 * s) for s in spread[:300]]
    result += [0.0, 0.5, 1.0, 2.0**-1022, 2.0**-1074, float(ELEMENTARY_RANGE)]
    if name == "exp":
        # Only at arguments <= 0 is it used; below -745.2 the result is zero, above -708.4 normal.
        result += [700.0 + 46.0 * s for s in spread[:300]] + [float(ELEMENTARY_RANGE) ** 2]
        return [-x for x in result]
    return [x if k % 2 else -x for k, x in enumerate(result)]


def measured_ulp(name: str) -> tuple[float, float]:
    """Return an upper bound of the largest error at `points`, in ulp, and where it is."""
    arguments = np.array(points(name))
    function = elementary(name)
    # Again at other places in the vector registers, which may run other code.
    runs = [function(arguments).tolist()]
    runs.append(function(arguments[3:]).tolist() + function(arguments[:3]).tolist())
    runs[1] = runs[1][-3:] + runs[1][:-3]
    worst, where = exact_ball(-1.0), math.nan
    with precision(_BITS):
        for x, *values in zip(arguments.tolist(), *runs, strict=True):
            exact = _EXACT[name](exact_ball(x))
            for value in dict.fromkeys(values):
                if not math.isfinite(value):
                    return math.inf, x
                # Of the doubles just below: where a power of two lies between, the smaller unit.
                unit = math.ulp(value * (1 - 2.0**-50))
                error = (abs(exact_ball(value) - exact) / exact_ball(unit)).upper()
                # Two exact numbers: this comparison is certain.
                if not error <= worst:  # type: ignore[operator]
                    worst, where = error, x
        return balls.upper_double(worst), where


def _check_elementary(name: str) -> Check:
    """Measure an elementary function in double precision against balls."""
    worst, where = measured_ulp(name)
    assumed = ASSUMED_ULP[name]
    return Check(
        name=f"{name} in double precision",
        passed=worst <= assumed,
        fatal=True,
        detail=f"{worst:.3f} ulp at {where!r} is the largest error seen at "
        f"{len(points(name)):,} points, {assumed} ulp are assumed",
    )


# Known faults of the libraries, which this project avoids.


def _check_polynomials() -> Check:
    """Multiply two integer polynomials at a size where flint is known to be wrong."""
    a, b = [2**509 - 1] * 16, [-(2**510 - 1)] * 16
    seen = [int(value) for value in (fmpz_poly(a) * fmpz_poly(b)).coeffs()]
    exact = [0] * 31
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            exact[i + j] += x * y
    wrong = sum(1 for x, y in zip(seen, exact, strict=False) if x != y) + abs(len(seen) - 31)
    said = f"{wrong} of 31 coefficients are wrong" if wrong else "the product is right"
    return Check(
        name="integer polynomials",
        passed=not wrong,
        fatal=False,
        detail=f"{said}, 16 coefficients of 509 and 510 bits; polynomials and series are not used",
    )


def _check_power() -> Check:
    """Raise a ball around zero to a power by flint's own operator."""
    power_of: Binary = operator.pow
    seen = power_of(arb(0, 1e-19), 2)
    finite = isinstance(seen, Ball) and seen.is_finite()
    return Check(
        name="power of a ball around zero",
        passed=finite,
        fatal=False,
        detail=f"(0 +/- 1e-19)**2 is {'finite' if finite else 'not finite'}; "
        "powers are products here",
    )


_CHECKS: tuple[Callable[[], Check], ...] = (
    _check_constants,
    _check_functions,
    _check_complex_functions,
    _check_special_functions,
    _check_gamma,
    _check_legendre,
    _check_matrices,
    _check_precision,
    _check_rounding_outward,
    _check_rounding,
    _check_underflow,
    _check_conversion,
)
