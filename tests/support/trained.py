"""The training recursion as it is written on paper, in mpmath, one unit at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import mpmath
from mpmath import mpf

from verification.instance import ActivationSpec, AtomicLaw, Instance

SIGMA = {
    "tanh": (mpmath.tanh, lambda u: mpmath.sech(u) ** 2),
    "logistic": (lambda u: 1 / (1 + mpmath.exp(-u)), lambda u: mpmath.sech(u / 2) ** 2 / 4),
    "arctan": (mpmath.atan, lambda u: 1 / (1 + u**2)),
    "sin": (mpmath.sin, mpmath.cos),
    "erf": (mpmath.erf, lambda u: 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-(u**2))),
}


def exact(value: Fraction) -> mpf:
    return mpf(value.numerator) / value.denominator


def curve(spec: ActivationSpec, order: int) -> Callable[[mpf], mpf]:
    """sigma, or its derivative."""

    def value(u: mpf) -> mpf:
        return mpmath.fsum(
            exact(t.weight * t.scale**order)
            * SIGMA[t.of][order](exact(t.scale) * u + exact(t.shift))
            for t in spec.terms
        )

    return value


def clip(z: mpf, bound: mpf) -> mpf:
    """psi, piece by piece."""
    if abs(z) <= bound:
        return z
    if abs(z) >= 3 * bound:
        return 2 * bound * mpmath.sign(z)
    t = (abs(z) - bound) / (2 * bound)
    return mpmath.sign(z) * (bound + 2 * bound * (t - t**3 + t**4 / 2))


@dataclass
class Trained:
    """Everything that a training makes; entry k of a list is that of step k."""

    c: list[list[mpf]] = field(default_factory=list)
    w: list[list[list[mpf]]] = field(default_factory=list)
    b: list[list[mpf]] = field(default_factory=list)
    v: list[mpf] = field(default_factory=list)
    p: list[mpf] = field(default_factory=list)
    psi: list[mpf] = field(default_factory=list)
    e: list[mpf] = field(default_factory=list)


def trained(instance: Instance, units: AtomicLaw, path: Sequence[int]) -> Trained:
    """Train at the working precision of mpmath."""
    training = instance.training
    assert training is not None
    alpha, beta, gamma = (exact(x) for x in (training.alpha, training.beta, training.gamma))
    sigma, slope = curve(instance.activation, 0), curve(instance.activation, 1)
    n = len(units.atoms)
    c = [exact(a.c) for a in units.atoms]
    w = [[exact(q) for q in a.w] for a in units.atoms]
    b = [exact(a.b) for a in units.atoms]
    hidden = [mpf(0)] * n
    out = Trained()
    for state in [*path, None]:
        v = mpmath.fsum(b[j] * hidden[j] for j in range(n)) / n
        for track, now in ((out.c, c), (out.w, w), (out.b, b), (out.v, v)):
            track.append(now)
        if state is None:
            return out
        x = [exact(q) for q in instance.chain.inputs[state]]
        u = [mpmath.fsum(q * t for q, t in zip(w[i], x, strict=True)) + v for i in range(n)]
        after, bend = [sigma(t) for t in u], [slope(t) for t in u]
        p = mpf(n) ** -beta * mpmath.fsum(c[i] * after[i] for i in range(n))
        psi = clip(p, mpf(n) ** gamma)
        e = psi - exact(instance.chain.targets[state])
        rate = alpha * mpf(n) ** (beta - 2) * e
        through = mpmath.fsum(c[i] * bend[i] for i in range(n))
        w = [[w[i][k] - rate * c[i] * bend[i] * x[k] for k in range(len(x))] for i in range(n)]
        b = [b[j] - alpha * mpf(n) ** (beta - 3) * e * hidden[j] * through for j in range(n)]
        c = [c[i] - rate * after[i] for i in range(n)]
        hidden = after
        for track, now in ((out.p, p), (out.psi, psi), (out.e, e)):
            track.append(now)
    return out


def frozen_memories(instance: Instance, units: AtomicLaw, path: Sequence[int]) -> list[mpf]:
    """The memory of units that keep their weights."""
    sigma, v = curve(instance.activation, 0), mpf(0)
    memories = [v]
    for state in path:
        x = instance.chain.inputs[state]
        v = mpmath.fsum(
            exact(a.b) * sigma(exact(sum(q * t for q, t in zip(a.w, x, strict=True))) + v)
            for a in units.atoms
        ) / len(units.atoms)
        memories.append(v)
    return memories


def output(instance: Instance, done: Trained, step: int, x: Sequence[Fraction], v: mpf) -> mpf:
    """G_k(x, v)."""
    assert instance.training is not None
    sigma, n = curve(instance.activation, 0), len(done.c[step])
    scale = mpf(n) ** -exact(instance.training.beta)
    return scale * mpmath.fsum(
        done.c[step][i] * sigma(_dot(done.w[step][i], x) + v) for i in range(n)
    )


def kernel(
    instance: Instance,
    done: Trained,
    step: int,
    first: tuple[Sequence[Fraction], mpf],
    second: tuple[Sequence[Fraction], mpf],
) -> mpf:
    """K_k at two points."""
    sigma, slope = curve(instance.activation, 0), curve(instance.activation, 1)
    (x, v), (y, t) = first, second
    n, product = len(done.c[step]), exact(sum(a * b for a, b in zip(x, y, strict=True)))
    return (
        mpmath.fsum(
            sigma(_dot(w, x) + v) * sigma(_dot(w, y) + t)
            + c**2 * slope(_dot(w, x) + v) * slope(_dot(w, y) + t) * product
            for c, w in zip(done.c[step], done.w[step], strict=True)
        )
        / n
    )


def _dot(w: Sequence[mpf], x: Sequence[Fraction]) -> mpf:
    return mpmath.fsum(q * exact(t) for q, t in zip(w, x, strict=True))
