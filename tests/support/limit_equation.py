"""The limit equation a second time, in mpmath: words, memories, kernels and the solution.

For initial laws with finitely many atoms.  Nothing is shared with the package but the instance.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

import mpmath

from verification.instance import AtomicLaw, Constant, Instance, ProductLaw

SIGMA = {
    "tanh": (mpmath.tanh, lambda t: mpmath.sech(t) ** 2),
    "logistic": (
        lambda t: 1 / (1 + mpmath.exp(-t)),
        lambda t: mpmath.exp(-t) / (1 + mpmath.exp(-t)) ** 2,
    ),
    "sin": (mpmath.sin, mpmath.cos),
    "arctan": (mpmath.atan, lambda t: 1 / (1 + t * t)),
}

Point = tuple[tuple[Fraction, ...], mpmath.mpf]
Atom = tuple[Point, mpmath.mpf, mpmath.mpf]


def real(value: Fraction) -> mpmath.mpf:
    return mpmath.mpf(value.numerator) / value.denominator


def units(instance: Instance) -> list[tuple[mpmath.mpf, mpmath.mpf, list[mpmath.mpf], mpmath.mpf]]:
    """The law as (p, E[C^2], w, b)."""
    law = instance.law
    if isinstance(law, AtomicLaw):
        return [(real(a.p), real(a.c) ** 2, [real(x) for x in a.w], real(a.b)) for a in law.atoms]
    assert isinstance(law, ProductLaw)
    assert isinstance(law.w, Constant)
    assert isinstance(law.b, Constant)
    if isinstance(law.c, Constant):
        square = real(law.c.value[0]) ** 2
    else:
        low, high = law.c.low[0], law.c.high[0]
        square = real((low * low + low * high + high * high) / 3)
    weight = [real(x) for x in law.w.value]
    return [(mpmath.mpf(1), square, weight, real(law.b.value[0]))]


def phi(instance: Instance, x: Sequence[Fraction], v: mpmath.mpf) -> mpmath.mpf:
    sigma = SIGMA[instance.activation.label][0]
    return mpmath.fsum(
        p * b * sigma(mpmath.fdot(w, [real(t) for t in x]) + v) for p, _, w, b in units(instance)
    )


def kernel(instance: Instance, first: Point, second: Point) -> mpmath.mpf:
    sigma, slope = SIGMA[instance.activation.label]
    (x, v), (y, w) = first, second
    inner = real(sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0)))
    result = mpmath.mpf(0)
    for p, square, weight, _ in units(instance):
        u = mpmath.fdot(weight, [real(t) for t in x]) + v
        t = mpmath.fdot(weight, [real(t) for t in y]) + w
        result += p * (sigma(u) * sigma(t) + square * slope(u) * slope(t) * inner)
    return result


def stationary_law(instance: Instance) -> list[mpmath.mpf]:
    n = instance.chain.n_states
    rows = [dict(row) for row in instance.chain.rows]
    system = mpmath.matrix(n, n)
    for j in range(n - 1):
        for i in range(n):
            system[j, i] = real(rows[i].get(j, Fraction(0))) - (i == j)
    for i in range(n):
        system[n - 1, i] = 1
    right = mpmath.matrix([0] * (n - 1) + [1])
    return list(mpmath.lu_solve(system, right))


def history_atoms(instance: Instance, known: int) -> list[Atom]:
    """All words, by brute force: one atom a word, whatever coincides."""
    chain, law = instance.chain, stationary_law(instance)
    rows = [dict(row) for row in chain.rows]
    atoms = []
    for word in itertools.product(range(chain.n_states), repeat=known + 1):
        weight = law[word[0]]
        for i, j in itertools.pairwise(word):
            weight *= real(rows[i].get(j, Fraction(0)))
        if weight:
            atoms.append((word_point(instance, word), weight, real(chain.targets[word[-1]])))
    return atoms


def word_point(instance: Instance, word: Sequence[int], start: int = 0) -> Point:
    memory = mpmath.mpf(start)
    for i in word[:-1]:
        memory = phi(instance, instance.chain.inputs[i], memory)
    return instance.chain.inputs[word[-1]], memory


def operator(instance: Instance, atoms: Sequence[Atom]) -> mpmath.matrix:
    """T: the kernel between the atoms times their weights."""
    n = len(atoms)
    result = mpmath.matrix(n, n)
    for a, (first, _, _) in enumerate(atoms):
        for b, (second, weight, _) in enumerate(atoms):
            result[a, b] = kernel(instance, first, second) * weight
    return result


def residuals(between: mpmath.matrix, atoms: Sequence[Atom], time: mpmath.mpf) -> mpmath.matrix:
    """``y - g`` at the atoms: ``exp(-s T) y``."""
    return mpmath.expm(-time * between) * mpmath.matrix([y for _, _, y in atoms])


def loss(instance: Instance, atoms: Sequence[Atom], time: mpmath.mpf) -> mpmath.mpf:
    left = residuals(operator(instance, atoms), atoms, time)
    return mpmath.fsum(w * left[a] ** 2 for a, (_, w, _) in enumerate(atoms))


def coefficients(instance: Instance, atoms: Sequence[Atom], time: mpmath.mpf) -> list[mpmath.mpf]:
    """``w_a int_0^s (y - g)``, by Gauss-Legendre quadrature in time."""
    between, integrals = operator(instance, atoms), [mpmath.mpf(0)] * len(atoms)
    for node, weight in gauss_legendre(24):
        left = residuals(between, atoms, time * (node + 1) / 2)
        for a, (_, w, _) in enumerate(atoms):
            integrals[a] += w * left[a] * weight * time / 2
    return integrals


def gauss_legendre(count: int) -> list[tuple[mpmath.mpf, mpmath.mpf]]:
    pairs = []
    for k in range(1, count + 1):
        node = mpmath.cos(mpmath.pi * (k - mpmath.mpf(1) / 4) / (count + mpmath.mpf(1) / 2))
        for _ in range(8):
            value, before = mpmath.legendre(count, node), mpmath.legendre(count - 1, node)
            slope = count * (before - node * value) / (1 - node * node)
            node -= value / slope
        pairs.append((node, 2 / ((1 - node * node) * slope * slope)))
    return pairs


def value(instance: Instance, atoms: Sequence[Atom], time: mpmath.mpf, where: Point) -> mpmath.mpf:
    integrals = coefficients(instance, atoms, time)
    return mpmath.fsum(
        kernel(instance, where, point) * c
        for (point, _, _), c in zip(atoms, integrals, strict=True)
    )


def squared_norm(instance: Instance, atoms: Sequence[Atom], time: mpmath.mpf) -> mpmath.mpf:
    c = coefficients(instance, atoms, time)
    return mpmath.fsum(
        c[a] * c[b] * kernel(instance, first, second)
        for a, (first, _, _) in enumerate(atoms)
        for b, (second, _, _) in enumerate(atoms)
    )
