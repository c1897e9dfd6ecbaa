"""The self-test passes here, and each of its checks fails on a library that is wrong."""

from __future__ import annotations

import operator
import platform
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from fractions import Fraction
from math import inf, nextafter

import mpmath
import numpy as np
import pytest

from verification.enclosure import balls, rationals, selftest
from verification.enclosure.balls import Ball, ComplexBall, ball, precision
from verification.enclosure.doubles import ASSUMED_ULP, ELEMENTARY_RANGE
from verification.errors import SelfTestFailed

NAMES = {
    "constants",
    "real functions",
    "complex functions",
    "special functions",
    "Gauss-Legendre rules",
    "matrices of balls",
    "precision",
    "outward rounding",
    "IEEE rounding",
    "gradual underflow",
    "decimal conversion",
    "gamma function",
}
KNOWN_FAULTS = {"integer polynomials", "power of a ball around zero"}


def failed(name: str) -> selftest.Check:
    """Return the check of that name after asserting that it, and only it, failed."""
    checks = {check.name: check for check in selftest.run()}
    wrong = {check.name for check in checks.values() if check.fatal and not check.passed}
    assert wrong == {name}
    return checks[name]


def test_everything_fatal_passes_here():
    checks = selftest.run()
    names = [check.name for check in checks]
    assert len(names) == len(set(names))
    assert set(names) == NAMES | KNOWN_FAULTS | {f"{f} in double precision" for f in ASSUMED_ULP}
    assert {check.name for check in checks if not check.fatal} == KNOWN_FAULTS
    assert [check for check in checks if check.fatal and not check.passed] == []
    selftest.require(checks)


def test_without_doubles_numpy_is_not_measured():
    names = {check.name for check in selftest.run(doubles=False)}
    assert names == NAMES | KNOWN_FAULTS


def test_require_says_in_one_line_what_failed():
    checks = (
        selftest.Check("a", passed=False, fatal=True, detail="3 for 2"),
        selftest.Check("b", passed=True, fatal=True, detail="fine"),
        selftest.Check("c", passed=False, fatal=False, detail="known"),
        selftest.Check("d", passed=False, fatal=True, detail="5 for 4"),
    )
    with pytest.raises(SelfTestFailed, match=r"^a: 3 for 2; d: 5 for 4$"):
        selftest.require(checks)
    selftest.require(checks[1:3])


def test_known_faults_are_recorded_and_let_everything_pass():
    checks = {check.name: check for check in selftest.run(doubles=False)}
    polynomials = checks["integer polynomials"]
    assert polynomials.passed is ("the product is right" in polynomials.detail)
    assert polynomials.passed or "of 31 coefficients are wrong" in polynomials.detail
    power = checks["power of a ball around zero"]
    assert power.passed is ("not finite" not in power.detail)


def test_a_right_polynomial_product_passes(monkeypatch):
    class Polynomial:
        def __init__(self, coefficients):
            self.coefficients = list(coefficients)

        def __mul__(self, other):
            a, b = self.coefficients, other.coefficients
            result = [0] * (len(a) + len(b) - 1)
            for i, x in enumerate(a):
                for j, y in enumerate(b):
                    result[i + j] += x * y
            return Polynomial(result)

        def coeffs(self):
            return self.coefficients

    monkeypatch.setattr(selftest, "fmpz_poly", Polynomial)
    check = {check.name: check for check in selftest.run(doubles=False)}["integer polynomials"]
    assert check.passed
    assert check.detail.startswith("the product is right")


def test_a_wrong_polynomial_product_is_counted(monkeypatch):
    class Wrong:
        def __init__(self, coefficients):
            pass

        def __mul__(self, other):
            return self

        def coeffs(self):
            return [0] * 30

    monkeypatch.setattr(selftest, "fmpz_poly", Wrong)
    check = {check.name: check for check in selftest.run(doubles=False)}["integer polynomials"]
    assert not check.passed
    assert not check.fatal
    assert check.detail.startswith("31 of 31")


# Each fatal check fails on a fault of its own kind.


def replace_constant(monkeypatch, name, *, ball=None, bounds=None):
    right = selftest._CONSTANTS[name]
    monkeypatch.setitem(selftest._CONSTANTS, name, (ball or right[0], bounds or right[1]))


def test_a_wrong_constant_is_fatal(monkeypatch):
    replace_constant(monkeypatch, "pi", ball=lambda: balls.pi() + ball(Fraction(1, 2**1090)))
    assert "pi = " in failed("constants").detail


def test_a_useless_constant_is_fatal(monkeypatch):
    replace_constant(monkeypatch, "pi", ball=lambda: balls.interval(ball(3), ball(4)))
    assert "pi = " in failed("constants").detail


@pytest.mark.parametrize(
    ("name", "where"),
    [("exponential_integral", "E_1(1), E_2(1)"), ("airy_integral", "the integral of Ai from 6/4")],
)
def test_a_wrong_special_function_is_fatal(monkeypatch, name, where):
    right = getattr(selftest.special, name)
    tiny = Fraction(1, 2**110)
    monkeypatch.setattr(selftest.special, name, lambda *at: right(*at) + ball(tiny))
    assert where in failed("special functions").detail


def test_a_wrong_airy_function_is_fatal(monkeypatch):
    monkeypatch.setattr(selftest.special, "airy", lambda x: (x, x))
    assert "Ai(1/4)" in failed("special functions").detail


def test_wrong_integer_arithmetic_of_our_own_is_noticed(monkeypatch):

    def shifted(bits):
        return tuple(end + Fraction(1, 2**300) for end in rationals.e_bounds(bits))

    replace_constant(monkeypatch, "exp(1)", bounds=shifted)
    assert "exp(1) = " in failed("constants").detail


@pytest.mark.parametrize("name", selftest._FUNCTIONS)
def test_a_wrong_real_function_is_fatal(monkeypatch, name):
    right = selftest._FUNCTIONS[name]
    monkeypatch.setitem(
        selftest._FUNCTIONS, name, lambda t: right(t) * (1 + ball(Fraction(1, 2**120)))
    )
    assert f"{name}(6/16) = " in failed("real functions").detail


def test_a_function_that_is_wrong_on_wide_balls_only_is_fatal(monkeypatch):
    def at_the_midpoint(t: Ball) -> Ball:
        return t.mid().tanh()

    monkeypatch.setitem(selftest._FUNCTIONS, "tanh", at_the_midpoint)
    assert "tanh of a wide ball" in failed("real functions").detail


def test_a_refused_operation_is_fatal_and_named(monkeypatch):
    def refused(_t):
        raise ZeroDivisionError("not today")

    monkeypatch.setitem(selftest._FUNCTIONS, "exp", refused)
    assert failed("real functions").detail == "wrong: ZeroDivisionError: not today"


@pytest.mark.parametrize("value", [Ball.nan(), Ball.pos_inf()])
def test_a_ball_that_is_not_finite_is_fatal(monkeypatch, value):
    monkeypatch.setitem(selftest._FUNCTIONS, "exp", lambda _t: value)
    assert "exp(6/16) = " in failed("real functions").detail


@pytest.mark.parametrize("part", ["real", "imag"])
@pytest.mark.parametrize("name", selftest._COMPLEX_FUNCTIONS)
def test_a_wrong_complex_function_is_fatal(monkeypatch, name, part):
    right = selftest._COMPLEX_FUNCTIONS[name]
    off = ball(Fraction(1, 2**110))
    shift = ComplexBall(off, ball(0)) if part == "real" else ComplexBall(ball(0), off)
    monkeypatch.setitem(selftest._COMPLEX_FUNCTIONS, name, lambda z: right(z) + shift)
    assert f"{name}((6 + 5i)/16)" in failed("complex functions").detail


@pytest.mark.parametrize("which", [0, 1])
def test_wrong_legendre_nodes_or_weights_are_fatal(monkeypatch, which):
    right = selftest._legendre_root

    def off(n, k, weight):
        pair = list(right(n, k, weight))
        pair[which] = pair[which] + ball(Fraction(1, 2**90))
        return tuple(pair)

    monkeypatch.setattr(selftest, "_legendre_root", off)
    said = ("node 0 of 6", "moment 0 of 40")[which]
    assert said in failed("Gauss-Legendre rules").detail


class Matrix:
    """A matrix of balls with one entry off, or whatever is told to go wrong."""

    def __init__(self, matrix, fault):
        self.matrix, self.fault = matrix, fault

    def __mul__(self, other):
        return Matrix(self.matrix * other.matrix, self.fault)

    def solve(self, other):
        if self.fault == "singular":
            raise ZeroDivisionError
        fault = "entry" if self.fault == "solution" else self.fault
        return Matrix(self.matrix.solve(other.matrix), fault)

    def __getitem__(self, index):
        entry = self.matrix[index]
        return entry * (1 + ball(Fraction(1, 2**60))) if self.fault == "entry" else entry


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("entry", "the product of 3 by 3"),
        ("solution", "the solution of a system"),
        ("singular", "is called singular"),
    ],
)
def test_wrong_matrices_are_fatal(monkeypatch, fault, said):
    right = selftest._matrix_of_balls
    monkeypatch.setattr(selftest, "_matrix_of_balls", lambda rows: Matrix(right(rows), fault))
    assert said in failed("matrices of balls").detail


@pytest.mark.parametrize("bits", [53, 90])
def test_a_precision_that_is_ignored_is_fatal(monkeypatch, bits):
    real = precision

    @contextmanager
    def stubborn(_bits):
        with real(bits):
            yield

    monkeypatch.setattr(selftest, "precision", stubborn)
    check = selftest._check_precision()
    assert check.fatal
    assert not check.passed
    assert "128 bits give a radius of about" in check.detail


def test_a_precision_that_is_not_restored_is_fatal(monkeypatch):
    monkeypatch.setattr(selftest, "working_precision", iter(range(100)).__next__)
    assert "not restored" in failed("precision").detail


@pytest.mark.parametrize("name", ["upper_double", "lower_double"])
def test_inward_rounding_to_doubles_is_fatal(monkeypatch, name):
    right = getattr(balls, name)
    inward = -inf if name == "upper_double" else inf
    monkeypatch.setattr(balls, name, lambda x: nextafter(right(x), inward))
    checks = selftest._check_rounding_outward()
    assert checks.fatal
    assert not checks.passed
    assert "the double" in checks.detail


@pytest.mark.parametrize("name", ["upper_double", "lower_double"])
def test_careless_rounding_to_doubles_is_fatal(monkeypatch, name):
    """Two steps outward are safe, and a sign of a fault."""
    right = getattr(balls, name)
    outward = inf if name == "upper_double" else -inf

    def far(x):
        return nextafter(nextafter(right(x), outward), outward)

    monkeypatch.setattr(balls, name, far)
    assert not selftest._check_rounding_outward().passed


def test_inward_decimals_are_fatal(monkeypatch):
    right = balls.enclosure
    monkeypatch.setattr(balls, "enclosure", lambda x: right(x.mid()))
    assert "the decimals of" in failed("outward rounding").detail


@pytest.mark.parametrize(("sign", "wrong"), [("+", operator.sub), ("*", operator.truediv)])
def test_a_wrong_operation_is_fatal(monkeypatch, sign, wrong):
    monkeypatch.setitem(selftest._OPERATIONS, sign, wrong)
    names = {check.name for check in selftest.run() if check.fatal and not check.passed}
    assert "IEEE rounding" in names


@pytest.mark.parametrize("sign", ["+", "-", "*", "/"])
def test_flushing_to_zero_is_fatal(monkeypatch, sign):
    right = selftest._OPERATIONS[sign]

    def flushed(a, b):
        result = np.asarray(right(a, b), dtype=float)
        return np.where(abs(result) < 2.0**-1022, 0.0, result)

    monkeypatch.setitem(selftest._OPERATIONS, sign, flushed)
    check = failed("gradual underflow")
    assert "in Python" in check.detail
    assert "in numpy" in check.detail


def test_a_fused_operation_is_fatal(monkeypatch):
    """Its product keeps the last bit that rounding would have dropped."""

    class Kept(np.ndarray):
        def __sub__(self, other):
            return np.asarray(self) - np.asarray(other) + 2.0**-54

    def product(a, b):
        return a * b if np.ndim(a) == 0 else (a * b).view(Kept)

    monkeypatch.setitem(selftest._OPERATIONS, "*", product)
    assert "numpy fuses" in failed("IEEE rounding").detail


def test_wrong_conversion_of_decimals_is_fatal(monkeypatch):
    monkeypatch.setitem(selftest._DECIMALS, "0.1", "0x1.9999999999999p-4")
    assert "float('0.1')" in failed("decimal conversion").detail


# The processor's modes themselves, in a process of their own.

MODES = {
    "upward": (0x4000, "IEEE rounding"),
    "downward": (0x2000, "IEEE rounding"),
    "toward zero": (0x6000, "IEEE rounding"),
    "flush to zero": (0x8000, "gradual underflow"),
    "denormals are zero": (0x0040, "gradual underflow"),
}


@pytest.mark.skipif(
    platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc",
    reason="sets the control register of x86-64 through glibc",
)
@pytest.mark.parametrize("mode", MODES)
def test_a_processor_in_another_mode_is_fatal(mode):
    bits, name = MODES[mode]
    script = f"""
        import ctypes
        from verification.enclosure import selftest
        libm = ctypes.CDLL("libm.so.6")
        environment = (ctypes.c_uint32 * 8)()
        libm.fegetenv(environment)
        normal = environment[7]
        environment[7] |= {bits}
        libm.fesetenv(environment)
        wrong = list(selftest._wrong_operations(selftest._ROUNDINGS))
        small = list(selftest._wrong_operations(selftest._UNDERFLOWS))
        environment[7] = normal
        libm.fesetenv(environment)
        print("IEEE rounding" if wrong else "", "gradual underflow" if small else "")
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    )
    assert name in result.stdout


# Elementary functions in double precision.


@pytest.mark.parametrize("name", ASSUMED_ULP)
def test_an_error_beyond_the_assumed_one_is_fatal(monkeypatch, name):
    right = selftest.elementary(name)
    at = 137 if name != "exp" else 900

    def worse(arguments):
        values = right(arguments)
        where = np.flatnonzero(arguments == np.array(selftest.points(name))[at])
        for _ in range(ASSUMED_ULP[name] + 3):
            values[where] = np.nextafter(values[where], 9.0)
        return values

    def some(wanted):
        return worse if wanted == name else real(wanted)

    real = selftest.elementary
    monkeypatch.setattr(selftest, "elementary", some)
    check = failed(f"{name} in double precision")
    assert f"{ASSUMED_ULP[name]} ulp are assumed" in check.detail
    assert repr(selftest.points(name)[at]) in check.detail


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_fatal(monkeypatch, value):
    def broken(arguments):
        values = np.tanh(arguments)
        values[-1] = value
        return values

    real = selftest.elementary
    monkeypatch.setattr(selftest, "elementary", lambda n: broken if n == "tanh" else real(n))
    assert "inf ulp" in failed("tanh in double precision").detail


def test_an_error_in_some_lanes_only_is_seen(monkeypatch):
    """The second run has every argument at another place of the vector registers."""

    def odd(arguments):
        values = np.sin(arguments)
        values[100:101] += 1e-12
        return values

    real = selftest.elementary
    monkeypatch.setattr(selftest, "elementary", lambda n: odd if n == "sin" else real(n))
    assert not failed("sin in double precision").passed


def test_measured_errors_are_in_units_of_the_exact_value(monkeypatch):
    """Half a unit for a value that is rounded correctly, whatever its size."""

    def rounded(arguments):
        with precision(200):
            exact = [Ball.tanh(balls.exact_ball(x)) for x in arguments.tolist()]
        return np.array([float(sum(balls.end_points(y)) / 2) for y in exact])

    real = selftest.elementary
    monkeypatch.setattr(selftest, "elementary", lambda n: rounded if n == "tanh" else real(n))
    worst, _ = selftest.measured_ulp("tanh")
    assert 0.49 < worst <= 1.0


@pytest.mark.parametrize("name", ASSUMED_ULP)
def test_points_reach_the_hard_places(name):
    points = np.array(selftest.points(name))
    size = np.abs(points)
    assert len(points) >= 2_000
    assert np.isfinite(points).all()
    assert (size == 0).any()
    assert ((size > 0) & (size < 2.0**-1022)).any()
    assert (size == ELEMENTARY_RANGE).any()
    assert np.count_nonzero((size > 2.0**-20) & (size < 20)) > 1_000
    if name == "exp":
        assert (points <= 0).all()
        results = np.exp(points)
        assert np.count_nonzero((results > 0) & (results < 2.0**-1022)) > 50
        assert (results == 0).any()
    else:
        assert np.count_nonzero(points > 0) > 1_000
        assert np.count_nonzero(points < 0) > 1_000


def test_trusted_names_every_assumed_error():
    text = " ".join(selftest.TRUSTED)
    for name, count in ASSUMED_ULP.items():
        assert f"{count} ulp ({name})" in text
    assert all(
        sentence == sentence.strip() and sentence.endswith(".") for sentence in selftest.TRUSTED
    )


# The reference values, against mpmath.


@pytest.mark.parametrize("name", rationals.FUNCTIONS)
@pytest.mark.parametrize("point", [(6, 5), (-3, 1), (7, 0), (0, 0)])
def test_known_functions_agree_with_mpmath(name, point):
    if name in ("expm1", "erfc"):
        point = (point[0], 0)
    with mpmath.workdps(90):
        z = mpmath.mpc(point[0], point[1]) / 16
        exact = getattr(mpmath, name)(z)
        known = rationals.known_function(name, point)
        for value, part in ((exact.real, known.real), (exact.imag, known.imag)):
            assert abs(value - mpmath.mpf(part.numerator) / part.denominator) <= float(known.error)
    assert float(known.error) < 2.0**-150
    low, high = known.real_range()
    assert low <= known.real <= high


@pytest.mark.parametrize("bits", [40, 333])
def test_known_constants_agree_with_mpmath(bits):
    with mpmath.workprec(bits + 60):
        for bounds, exact in (
            (rationals.pi_bounds(bits), mpmath.pi),
            (rationals.e_bounds(bits), mpmath.e),
            (rationals.root_bounds(Fraction(2), bits), mpmath.sqrt(2)),
            (rationals.root_pi_bounds(bits), mpmath.sqrt(mpmath.pi)),
        ):
            low, high = (mpmath.mpf(end.numerator) / end.denominator for end in bounds)
            assert low <= +exact <= high
            assert high - low < mpmath.mpf(2) ** (2 - bits)


@pytest.mark.parametrize("wrong", [lambda z: z.gamma() * 2, lambda z: (z + 1).gamma()])
def test_a_wrong_gamma_function_is_fatal(monkeypatch, wrong):
    assert selftest._check_gamma().passed
    monkeypatch.setattr(selftest, "_gamma", wrong)
    found = selftest._check_gamma()
    assert not found.passed
    assert found.fatal
    assert "gamma(" in found.detail
