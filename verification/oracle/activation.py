"""Activations at high precision; derivatives are numerical ones of the function."""

from __future__ import annotations

from fractions import Fraction

import mpmath

from verification.instance import ActivationSpec
from verification.oracle.answer import DIGITS, Answer, Real, at_two_precisions, real

_FUNCTIONS = {
    "tanh": mpmath.tanh,
    "logistic": lambda t: 1 / (1 + mpmath.exp(-t)),
    "erf": mpmath.erf,
    "arctan": mpmath.atan,
    "sin": mpmath.sin,
}
_POLES = {"tanh": 1.5, "logistic": 3.0, "erf": None, "arctan": 1.0, "sin": None}


def value(spec: ActivationSpec, order: int, t: Real) -> Real:
    """Return the derivative of an order at a real or complex number, at mpmath's precision."""
    result = mpmath.mpf(0)
    for term in spec.terms:
        function = _FUNCTIONS[term.of]
        inner = real(term.scale) * t + real(term.shift)
        derivative = mpmath.diff(function, inner, order) if order else function(inner)
        result += real(term.weight) * real(term.scale) ** order * derivative
    return result


def derivative(spec: ActivationSpec, order: int, t: Fraction, *, digits: int = DIGITS) -> Answer:
    """Return the derivative of an order at a rational number."""
    return at_two_precisions(lambda: value(spec, order, real(t)), digits)


def complex_modulus(
    spec: ActivationSpec, order: int, t: Fraction, imag: Fraction, *, digits: int = DIGITS
) -> Answer:
    """Return the modulus of the derivative of an order at a complex number."""

    def modulus() -> Real:
        return abs(value(spec, order, mpmath.mpc(real(t), real(imag))))

    return at_two_precisions(modulus, digits)


def length_scale(spec: ActivationSpec) -> Fraction:
    """Return a length on which the activation looks like a polynomial, for panels."""
    return min(Fraction(_POLES[term.of] or 2) / abs(term.scale) for term in spec.terms)
