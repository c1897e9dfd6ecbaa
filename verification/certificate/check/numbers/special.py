"""Constants that are zeros of equations, by special functions of FLINT."""

from __future__ import annotations

from verification.certificate.check.numbers.balls import Ball, ball


def growth_constant() -> Ball:
    r"""Enclose ``c = max_s (1 - exp(-s))^2 / s``.

    Its derivative vanishes where ``2 s + 1 = exp(s)``.  With ``w = -(s + 1/2)`` that is ``w exp(w)
    = -exp(-1/2)/2``, which s = 0 solves too: the maximum is on the branch below -1.  There
    ``exp(-s) = 1/(2 s + 1)``, so that ``c = 4 s / (2 s + 1)^2 = -(2 w + 1) / (2 w^2)``.
    """
    w = (-((ball(-1) / 2).exp()) / 2).lambertw(-1)
    return -(2 * w + 1) / (2 * w * w)
