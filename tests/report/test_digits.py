"""A short text never says more than is known."""

import re
from decimal import Context, Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from verification.report.digits import end_points, plain, ratio, short

FINITE = st.decimals(allow_nan=False, allow_infinity=False, places=None).filter(
    lambda value: abs(value.adjusted()) < 400
)
EXACT = Context(prec=2_000)


def _value(text):
    """Return the number that a text shows, and the size of its last digit."""
    match = re.fullmatch(r"(−?)([0-9.]*)(?:×?10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?", text)
    assert match, text
    sign, mantissa, power = match.groups()
    exponent = int((power or "⁰").translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")))
    number = Decimal(mantissa or "1")
    scale = Fraction(10) ** exponent
    value = Fraction(number) * scale * (-1 if sign else 1)
    return value, Fraction(10) ** number.as_tuple().exponent * scale


def _interval(text):
    """Return the interval that a short text claims."""
    if text.startswith("["):
        low, high = text[1:-1].split(", ")
        return _value(low)[0], _value(high)[0]
    if " ± " in text:
        middle, radius = (_value(part)[0] for part in text.split(" ± "))
        return middle - radius, middle + radius
    if "…" in text:
        value, digit = _value(text.replace("…", ""))
        return (value - digit, value) if text.startswith("−") else (value, value + digit)
    value, _ = _value(text)
    return value, value


@given(FINITE, FINITE)
@example(Decimal("0.24999999999999999"), Decimal("0.25000000000000001"))
@example(Decimal("123456.71"), Decimal("123456.79"))
@example(Decimal("-1E-30"), Decimal("1E-30"))
@example(Decimal(0), Decimal("1E-30"))
def test_the_text_contains_the_enclosure(a, b):
    lower, upper = sorted((a, b))
    low, high = _interval(short({"lower": str(lower), "upper": str(upper)}))
    assert low <= Fraction(lower)
    assert Fraction(upper) <= high


@given(FINITE.filter(bool), st.integers(1, 30))
def test_a_narrow_enclosure_gives_a_narrow_text(value, digits):
    width = abs(value).scaleb(-digits)
    upper = EXACT.add(value, width)
    low, high = _interval(short({"lower": str(value), "upper": str(upper)}))
    assert high - low <= max(20 * Fraction(width), abs(Fraction(value)) / 10**7)


@pytest.mark.parametrize(
    ("lower", "upper", "text"),
    [
        ("0.93716123456789", "0.93716123456999", "0.93716123…"),
        ("-0.93716123456999", "-0.93716123456789", "−0.93716123…"),
        ("0.25", "0.25", "0.25"),
        ("0.333333333333333333", "0.333333333333333333", "0.33333333…"),
        ("0.24999999999999999995", "0.25000000000000000005", "0.25 ± 5×10⁻²⁰"),
        ("0.999999", "1.000001", "1 ± 10⁻⁶"),
        ("1000000", "1000000", "1000000"),
        ("1000000.001", "1000000.002", "1000000 ± 0.002"),
        ("123456789012.1", "123456789012.2", "1.2345678…×10¹¹"),
        ("1E-30", "1E-30", "10⁻³⁰"),
        ("1.23456789E-30", "1.23456799E-30", "1.234567…×10⁻³⁰"),
        ("0.3", "0.8049", "[0.3, 0.805]"),
        ("1", "1.00000000003", "1 ± 3×10⁻¹¹"),
        ("0.9999999999", "1", "1 ± 10⁻¹⁰"),
        ("0.69999994321", "0.69999994329", "0.69999994…"),
        ("0", "0", "0"),
        ("-0", "0", "0"),
        ("0E-34", "1E-20", "[0, 10⁻²⁰]"),
        ("-1E-20", "1E-20", "0 ± 10⁻²⁰"),
        ("-Infinity", "Infinity", "not bounded"),
        ("0.1234", "Infinity", "≥ 0.123"),
        ("-Infinity", "0.1234", "≤ 0.124"),
        ("Infinity", "Infinity", "∞"),
        ("1E-300000", "1E+300000", "[10⁻³⁰⁰⁰⁰⁰, 10³⁰⁰⁰⁰⁰]"),
    ],
)
def test_examples(lower, upper, text):
    assert short({"lower": lower, "upper": upper}) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.999996, "0.99999"),
        (1.0007, "1.0007"),
        (1 - 2.0**-50, "1"),
        (1 + 2.0**-39, "1.0000"),
        (0.5, "0.50000"),
        (0.0, "0"),
        (1.5e-9, "1.5000×10⁻⁹"),
        (123456.0, "123450"),
        (1.7976931348623157e308, "1.7976×10³⁰⁸"),
    ],
)
def test_ratios(value, text):
    assert ratio(value) == text


@given(st.floats(0, 1e6))
def test_a_ratio_is_rounded_down(value):
    shown = _value(ratio(value))[0]
    assert shown <= Fraction(Decimal(repr(value))) + Fraction(1, 2**40)
    assert shown >= Fraction(value) * (1 - Fraction(1, 9_000))


def _opened(text):
    """Return the two end points that a text stands for."""
    match = re.fullmatch(r"([^\[]*)\[([^,]*), ([^\]]*)\](.*)", text)
    if match is None:
        return text, text
    before, lower, upper, after = match.groups()
    return before + lower + after, before + upper + after


@pytest.mark.parametrize(
    ("lower", "upper", "text"),
    [
        ("0.93716", "0.93718", "0.9371[6, 8]"),
        ("0.9371", "0.93718", "0.937[1, 18]"),
        ("-1.23451E-7", "-1.23449E-7", "-1.234[51, 49]E-7"),
        ("1.2345E-7", "1.2346E-8", "[1.2345E-7, 1.2346E-8]"),
        ("123456", "123457", "[123456, 123457]"),
        ("12345.1", "12345.25", "12345.[1, 25]"),
        ("0.4999", "0.5001", "[0.4999, 0.5001]"),
        ("-0.12345", "0.12345", "[-0.12345, 0.12345]"),
        ("0.625", "0.625", "0.625"),
        ("1", "Infinity", "[1, Infinity]"),
        (
            "0.38850159360477714846535",
            "0.38850159360477715226007",
            "0.3885015936047771[48465, 52261]",
        ),
        ("-107.46562136317105722039", "5.0992797380458832964822", "[-107.46563, 5.0992798]"),
        ("1.0999999999123", "1.1000000001123", "[1.0999999999123, 1.1000000001123]"),
    ],
)
def test_shared_digits_are_shown_once(lower, upper, text):
    assert end_points({"lower": lower, "upper": upper}) == text


@given(FINITE, FINITE)
@example(Decimal("0.12345"), Decimal("0.123456"))
@example(Decimal("1.0000E+5"), Decimal("1.00001E+5"))
@example(Decimal(0), Decimal("1E-300"))
@example(Decimal("1.0999999999123456"), Decimal("1.1000000001123456"))
@example(Decimal("-1.0999999999123456E-9"), Decimal("-1.1000000001123456E-9"))
def test_end_points_are_widened_by_little(first, second):
    lower, upper = min(first, second), max(first, second)
    shown = [
        Decimal(end) for end in _opened(end_points({"lower": str(lower), "upper": str(upper)}))
    ]
    exact = Fraction(lower), Fraction(upper)
    assert Fraction(shown[0]) <= exact[0]
    assert exact[1] <= Fraction(shown[1])
    width = exact[1] - exact[0]
    assert Fraction(shown[1]) - Fraction(shown[0]) <= width * Fraction(101, 100)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0"),
        ("1000", "1000"),
        ("1e5", "10⁵"),
        ("2e-4", "2×10⁻⁴"),
        ("65536", "65536"),
        ("0.1", "0.1"),
        ("-2.5", "−2.5"),
        ("12345678", "1.234568×10⁷"),
    ],
)
def test_numbers_on_an_axis(value, text):
    assert plain(Decimal(value)) == text
