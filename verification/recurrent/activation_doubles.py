"""Activations in double precision, vectorised, with a proved bound of the error.

`evaluate` works in place, on arrays; `evaluation` carries the bounds of its argument through the
same operations.  Each family is written with one elementary function: the logistic function is
``(1 + tanh(t/2)) / 2``, ``tanh' = 1 - tanh^2``, ``erf' = (2/sqrt pi) exp(-t^2)``.  Only absolute
errors are bounded, so that the cancellation in ``1 - tanh^2`` does no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import pi, sqrt
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from verification.enclosure import balls
from verification.enclosure.doubles import (
    ELEMENTARY_RANGE,
    ONE,
    UNDERFLOW,
    UNIT_ROUNDOFF,
    Rounded,
    above,
    elementary,
    elementary_error,
    gamma,
    nearest,
)
from verification.errors import NotEnclosed
from verification.instance import ActivationSpec, Term
from verification.recurrent.activation import FAMILIES

Array: TypeAlias = npt.NDArray[np.float64]

ORDERS = (0, 1)
"""Orders of the derivatives that can be evaluated."""

_ERF_SLOPE = 2 / sqrt(pi)


@dataclass(frozen=True, kw_only=True)
class _DoubleFamily:
    """One family in double precision.

    Parameters
    ----------
    curves : tuple of callable, length 2
        The function and its derivative: they replace an array by their values.
    both : callable
        Replaces a first array by the function's values and a second by the derivative's, both
        at the arguments in the first, by the same operations as `curves`.
    errors : tuple of callable, length 2
        Bounds of their absolute errors at arguments that are doubles.
    """

    curves: tuple[Callable[[Array], object], Callable[[Array], object]]
    both: Callable[[Array, Array], object]
    errors: tuple[Callable[[], Fraction], Callable[[], Fraction]]


def _tanh(t: Array) -> None:
    elementary("tanh")(t, out=t)


def _tanh_error() -> Fraction:
    return elementary_error("tanh")


def _tanh_1(t: Array) -> None:
    _tanh(t)
    np.multiply(t, t, out=t)
    np.subtract(1, t, out=t)


def _tanh_1_error() -> Fraction:
    tanh = Rounded(1 + _tanh_error(), _tanh_error())
    return (ONE + tanh * tanh).error


def _tanh_both(t: Array, slope: Array) -> None:
    _tanh(t)
    np.multiply(t, t, out=slope)
    np.subtract(1, slope, out=slope)


def _logistic(t: Array) -> None:
    np.multiply(t, 0.5, out=t)
    _tanh(t)
    np.add(t, 1, out=t)
    np.multiply(t, 0.5, out=t)


def _logistic_error() -> Fraction:
    # Halving is exact but for underflow, and tanh moves no more than its argument.
    tanh = Rounded(1 + _tanh_error(), _tanh_error() + UNDERFLOW)
    return (ONE + tanh).error / 2 + UNDERFLOW


def _logistic_1(t: Array) -> None:
    np.multiply(t, 0.5, out=t)
    _tanh_1(t)
    np.multiply(t, 0.25, out=t)


def _logistic_both(t: Array, slope: Array) -> None:
    np.multiply(t, 0.5, out=t)
    _tanh_both(t, slope)
    np.multiply(slope, 0.25, out=slope)
    np.add(t, 1, out=t)
    np.multiply(t, 0.5, out=t)


def _logistic_1_error() -> Fraction:
    return (_tanh_1_error() + UNDERFLOW) / 4 + UNDERFLOW


def _erf(t: Array) -> None:
    elementary("erf")(t, out=t)


def _erf_error() -> Fraction:
    return elementary_error("erf")


def _erf_1(t: Array) -> None:
    np.multiply(t, t, out=t)
    np.negative(t, out=t)
    elementary("exp")(t, out=t)
    np.multiply(t, _ERF_SLOPE, out=t)


def _erf_1_error() -> Fraction:
    # The rounded square is s(1 + d): exp moves by at most u max_s s exp(-s(1 - u)) < u/2.
    gauss = Rounded(
        1 + elementary_error("exp"), elementary_error("exp") + UNIT_ROUNDOFF / 2 + UNDERFLOW
    )
    exact = 2 / balls.pi().sqrt()
    slope = Fraction(_ERF_SLOPE)
    return (gauss * Rounded(slope, above(abs(exact - balls.ball(slope))))).error


def _arctan(t: Array) -> None:
    elementary("arctan")(t, out=t)


def _arctan_error() -> Fraction:
    return elementary_error("arctan")


def _arctan_1(t: Array) -> None:
    np.multiply(t, t, out=t)
    np.add(t, 1, out=t)
    np.divide(1, t, out=t)


def _arctan_1_error() -> Fraction:
    # Three roundings of positive numbers, and the value is at most 1.
    return gamma(3) + UNDERFLOW


def _sin(t: Array) -> None:
    elementary("sin")(t, out=t)


def _sin_error() -> Fraction:
    return elementary_error("sin")


def _cos(t: Array) -> None:
    elementary("cos")(t, out=t)


def _cos_error() -> Fraction:
    return elementary_error("cos")


def _separately(
    value: Callable[[Array], object], derivative: Callable[[Array], object]
) -> Callable[[Array, Array], None]:
    def both(t: Array, slope: Array) -> None:
        np.copyto(slope, t)
        value(t)
        derivative(slope)

    return both


_FAMILIES = {
    "tanh": _DoubleFamily(
        curves=(_tanh, _tanh_1), both=_tanh_both, errors=(_tanh_error, _tanh_1_error)
    ),
    "logistic": _DoubleFamily(
        curves=(_logistic, _logistic_1),
        both=_logistic_both,
        errors=(_logistic_error, _logistic_1_error),
    ),
    "erf": _DoubleFamily(
        curves=(_erf, _erf_1), both=_separately(_erf, _erf_1), errors=(_erf_error, _erf_1_error)
    ),
    "arctan": _DoubleFamily(
        curves=(_arctan, _arctan_1),
        both=_separately(_arctan, _arctan_1),
        errors=(_arctan_error, _arctan_1_error),
    ),
    "sin": _DoubleFamily(
        curves=(_sin, _cos), both=_separately(_sin, _cos), errors=(_sin_error, _cos_error)
    ),
}


def evaluate(spec: ActivationSpec, order: int, t: Array) -> Array:
    """Return the derivative of order 0 or 1 at every entry of `t`, which is overwritten."""
    if spec.label != "mixture":
        _FAMILIES[spec.terms[0].of].curves[order](t)
        return t
    result, part = np.zeros_like(t), np.empty_like(t)
    for term in spec.terms:
        np.multiply(t, nearest(term.scale)[0], out=part)
        np.add(part, nearest(term.shift)[0], out=part)
        _FAMILIES[term.of].curves[order](part)
        np.multiply(part, nearest(_factor(term, order))[0], out=part)
        np.add(result, part, out=result)
    return result


def evaluate_both(spec: ActivationSpec, t: Array) -> tuple[Array, Array]:
    """Return the values and the derivatives at every entry of `t`, which is overwritten.

    Both are those of `evaluate`, to the last bit.
    """
    slope = np.empty_like(t)
    evaluator(spec, t.shape)(t, slope)
    return t, slope


def evaluator(spec: ActivationSpec, shape: tuple[int, ...]) -> Callable[[Array, Array], object]:
    """Return a function that replaces an array by the values and another by the derivatives.

    Both are those of `evaluate`, to the last bit.  It keeps its room: nothing is allocated when it
    is called, and no two threads may call it at once.
    """
    if spec.label != "mixture":
        return _FAMILIES[spec.terms[0].of].both
    terms = [
        (
            nearest(term.scale)[0],
            nearest(term.shift)[0],
            _FAMILIES[term.of].both,
            [nearest(_factor(term, order))[0] for order in ORDERS],
        )
        for term in spec.terms
    ]
    argument, *parts = np.empty((3, *shape))

    def mixed(t: Array, slope: Array) -> None:
        np.copyto(argument, t)
        t.fill(0)
        slope.fill(0)
        for scale, shift, both, factors in terms:
            np.multiply(argument, scale, out=parts[0])
            np.add(parts[0], shift, out=parts[0])
            both(*parts)
            for result, part, factor in zip((t, slope), parts, factors, strict=True):
                np.multiply(part, factor, out=part)
                np.add(result, part, out=result)

    return mixed


def evaluation(spec: ActivationSpec, order: int, argument: Rounded, largest: Fraction) -> Rounded:
    """Bound what `evaluate` returns for an array of arguments.

    Parameters
    ----------
    spec : ActivationSpec
    order : int
    argument : Rounded
        Bounds of the arguments, in any norm of that class.
    largest : Fraction
        Bound of every single argument.

    Raises
    ------
    NotEnclosed
        Where an elementary function would be used beyond the range in which it is measured.
    """
    if spec.label != "mixture":
        _check_range(largest)
        return _of_family(spec.terms[0], order, argument)
    result = Rounded(Fraction(0))
    for term in spec.terms:
        scale, shift = nearest(term.scale)[1], nearest(term.shift)[1]
        _check_range((Rounded(largest) * scale + shift).size)
        value = _of_family(term, order, argument * scale + shift)
        result = result + value * nearest(_factor(term, order))[1]
    return result


def _of_family(term: Term, order: int, argument: Rounded) -> Rounded:
    supremum = FAMILIES[term.of].supremum
    return argument.of_function(
        lipschitz=above(supremum(order + 1)),
        size=above(supremum(order)),
        error=_FAMILIES[term.of].errors[order](),
    )


def _factor(term: Term, order: int) -> Fraction:
    return term.weight * term.scale**order


def _check_range(largest: Fraction) -> None:
    if largest > ELEMENTARY_RANGE:
        raise NotEnclosed(
            f"an activation's argument may exceed {ELEMENTARY_RANGE}, where double precision "
            "is not bounded"
        )
