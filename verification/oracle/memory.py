"""The memory map and its fixed points at high precision."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import mpmath

from verification.instance import Instance, Vector
from verification.oracle import activation
from verification.oracle.answer import DIGITS, Answer, Real, at_two_precisions, real
from verification.oracle.expectation import mean

_STEPS = 40


def memory_map(
    instance: Instance,
    point: Vector,
    memory: Fraction,
    *,
    order: int = 0,
    digits: int = DIGITS,
) -> Answer:
    """Return ``Phi(x, v) = E[B sigma(W.x + v)]``, or a derivative in v, for any input x."""
    return at_two_precisions(lambda: _image(instance, point, real(memory), order), digits)


def fixed_point(instance: Instance, word: Sequence[int], *, digits: int = DIGITS) -> Answer:
    """Return the fixed point of ``Phi_{i_p} o ... o Phi_{i_1}``.

    Forty rounds from 0 at 15 digits, then the secant method.
    """
    points = [instance.chain.inputs[state] for state in word]

    def image(memory: Real) -> Real:
        for point in points:
            memory = _image(instance, point, memory, 0)
        return memory

    def compute() -> Real:
        with mpmath.workdps(15):
            start = mpmath.mpf(0)
            for _ in range(_STEPS):
                start, last = image(start), start
                if abs(start - last) < 1e-12:
                    break
        # One secant step needs two points apart.
        return mpmath.findroot(
            lambda v: image(v) - v,
            (start, start + mpmath.mpf(10) ** -6),
            solver="secant",
            tol=0,
            maxsteps=20,
            verify=False,
        )

    return at_two_precisions(compute, digits)


def _image(instance: Instance, point: Vector, memory: Real, order: int) -> Real:
    spec = instance.activation
    return mean(
        instance.law,
        point,
        lambda u: activation.value(spec, order, u + memory),
        length=activation.length_scale(spec),
        weighted=True,
    )
