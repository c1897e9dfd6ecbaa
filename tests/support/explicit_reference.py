"""The explicit bound in plain doubles: its first, looser form, and the present one, from formulas.

Suprema over memories are taken on a grid here, or given.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from math import inf, sqrt

import numpy as np

from verification.instance import AtomicLaw, Instance

SUPREMA = {"logistic": (1.0, 1 / 4, 1 / (6 * sqrt(3)), 1 / 8), "tanh": (1.0, 1.0, 4 / 3**1.5, 2.0)}


def sigma(label: str, t, order: int = 0):
    if label == "logistic":
        s = 1 / (1 + np.exp(-t))
        return s if order == 0 else s * (1 - s)
    s = np.tanh(t)
    return s if order == 0 else 1 - s * s


class Setting:
    """Atoms, chain and training constants as arrays and floats, d = 1."""

    def __init__(self, instance: Instance):
        law, chain, training = instance.law, instance.chain, instance.training
        assert isinstance(law, AtomicLaw)
        assert training is not None
        self.label = instance.activation.label
        self.p, self.c, self.b = (
            np.array([float(getattr(a, key)) for a in law.atoms]) for key in ("p", "c", "b")
        )
        self.w = np.array([float(a.w[0]) for a in law.atoms])
        self.x = np.array([float(x[0]) for x in chain.inputs])
        self.y = np.array([float(y) for y in chain.targets])
        size = chain.n_states
        self.chain = np.zeros((size, size))
        for i, row in enumerate(chain.rows):
            for j, chance in row:
                self.chain[i, j] = float(chance)
        self.alpha, self.beta, self.gamma, self.horizon = (
            float(z) for z in dataclasses.astuple(training)
        )
        self.s = SUPREMA[self.label]

    def of(self, state: int, memory: float, order: int = 0):
        return sigma(self.label, self.w * self.x[state] + memory, order)

    def kernel(self, i: int, v: float, j: int, w: float) -> float:
        return float(self.p @ self.unit_kernel(i, v, j, w))

    def unit_kernel(self, i: int, v: float, j: int, w: float):
        steep = self.of(i, v, 1) * self.of(j, w, 1) * self.x[i] * self.x[j]
        return self.of(i, v) * self.of(j, w) + self.c**2 * steep

    def variance(self, values) -> float:
        return float(self.p @ values**2 - (self.p @ values) ** 2)

    def memories(self, count: int = 81):
        vbar = self.s[0] * float(self.p @ abs(self.b))
        return np.linspace(-vbar, vbar, count)

    @cached_property
    def unit_spread(self) -> float:
        grid, states = self.memories(), range(len(self.x))
        return sqrt(max(self.variance(self.b * self.of(i, v)) for i in states for v in grid))

    @cached_property
    def kernel_spread(self) -> float:
        grid, states = self.memories(33), range(len(self.x))
        return sqrt(
            max(
                self.variance(self.unit_kernel(i, v, j, w))
                for i in states
                for j in states
                for v in grid
                for w in grid
            )
        )

    @cached_property
    def sensitivity(self) -> float:
        grid, states = self.memories(), range(len(self.x))
        return max(
            abs(float(self.p @ (self.b * (self.of(i, v) - self.of(j, v)))))
            for i in states
            for j in states
            for v in grid
        )

    @cached_property
    def diagonal(self):
        grid = self.memories()
        return [max(self.kernel(i, v, i, v) for v in grid) for i in range(len(self.x))]

    @cached_property
    def output_spread(self) -> float:
        grid, states = self.memories(), range(len(self.x))
        return sqrt(
            max(float(self.p @ (self.c * self.of(i, v)) ** 2) for i in states for v in grid)
        )

    def forgetting(self) -> float:
        """sum_k delta(P^k) for a chain of two states."""
        return 1 / (1 - abs(self.chain[0] - self.chain[1]).sum() / 2)


def first_form(m: Setting, width: int, gamma: float, state: int, memory: float) -> float:
    """The bound before any of the improvements."""
    s0, s1, s2, _ = m.s
    n, alpha, beta, tau = width, m.alpha, m.beta, m.alpha * m.horizon
    h, c2, cbar, bbar = alpha / n, float(m.p @ m.c**2), abs(m.c).max(), abs(m.b).max()
    r, ybar, mean_b = abs(m.x).max(), abs(m.y).max(), float(m.p @ abs(m.b))
    q, qbar, vbar, kappa1 = s1 * mean_b, s1 * bbar, s0 * mean_b, s1**2 * r**2
    kbar = s0**2 + c2 * kappa1
    if n**gamma < ybar * max(1, sqrt(tau * kbar)):
        return inf
    e8 = 2 * n**gamma + ybar
    shift = n ** (beta - 1) * s0 * tau * e8
    chat = cbar + shift
    b = s0 * (bbar + n ** (beta - 1) * chat * s0 * s1 * tau * e8)
    omega = n ** (beta - 1) * chat * kappa1 * (s0 + cbar * chat * s2 * r**2 / 2) * tau**2 * e8
    theta = 1 - h * (s0**2 + chat**2 * kappa1) - 2 * omega
    if theta <= 0:
        return inf
    g0 = n ** (0.5 - beta) * sqrt(c2) * (s0 + b * s1)
    x = 2 * sqrt(tau) * g0 / theta + ybar * sqrt(tau / theta)
    c_l = 2 * s0 * kappa1 * chat + s0 * kappa1 * (2 * cbar + shift)
    c_l += 2 * cbar**2 * chat * s1**2 * s2 * r**4
    c_v = chat * s1 * (s0**2 + bbar * s1 * r**2) / (1 - qbar)
    slope = s0 * s1 + cbar**2 * s1 * s2 * r**2
    moved = s0 * s1 + cbar * chat * s1 * s2 * r**2
    c_r = chat * (s0 * kappa1 + chat**2 * s1**2 * s2 * r**4 / 2)
    spread = m.unit_spread / (1 - qbar)
    lazy = tau * x**2 * n ** (beta - 1)
    noise = x * sqrt(tau / n)
    total = lazy * (c_l + slope * c_v) + noise * (slope * spread + m.kernel_spread)
    total += alpha * n ** (beta - 2) * c_r * x**2
    own = m.kernel(state, memory, state, memory)
    f = sqrt(own * tau)
    start = n ** (0.5 - beta) * sqrt(c2 * float(m.p @ m.of(state, memory) ** 2))
    b1 = start + f * g0 + (1 + f) * total + f * moved * (lazy * c_v + noise * spread)
    steep = sqrt(s1**2 + c2 * s2**2 * r**2)
    ell = ybar * steep * (1 + sqrt(2 * tau * kbar))
    o_f = 2 * sqrt(kbar) * ybar * (1 + sqrt(tau * kbar / 2))
    d, mixing = m.sensitivity, m.forgetting()
    omega = (o_f + ell * d / (1 - q)) * mixing
    p = max(1 - (m.chain**2).sum(axis=1))
    drift = (2 * sqrt(kbar) + 2 * steep * d / (1 - q)) * mixing + 4 * vbar * steep / (1 - q)
    summed = 2 * h * (omega + 2 * vbar * ell / (1 - q)) + tau * h * ybar * kbar * drift
    summed += 2 * sqrt(h * tau) * sqrt(p / 2) * omega
    b2 = (1 + sqrt(tau * kbar)) * summed + h * tau * kbar**1.5 * ybar / 2
    return b1 + sqrt(own) * b2


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the present form is given: suprema over memories, and the terms of second order."""

    unit_spread: float
    kernel_spread: float
    sensitivity: float
    diagonal: list[float]
    output_spread: float
    second_order: tuple[float, float] | None


def present_form(m: Setting, width: int, state: int, memory: float, given: Given):
    """The three parts of the bound and x, as the module's docstring has them."""
    s0, s1, s2, _ = m.s
    n, beta, tau, h = width, m.beta, m.alpha * m.horizon, m.alpha / width
    eps, clip = n ** (beta - 1), n**m.gamma
    size = abs(m.c)
    cbar, bbar, ybar = size.max(), abs(m.b).max(), abs(m.y).max()
    mean_b, r2 = float(m.p @ abs(m.b)), abs(m.x).max() ** 2
    c2, c4 = (float(m.p @ size**k) for k in (2, 4))
    kappa1, qbar, q, vbar = s1**2 * r2, s1 * bbar, s1 * mean_b, s0 * mean_b
    shat = given.unit_spread / (1 - qbar)
    e8 = 2 * clip + ybar
    shift = eps * s0 * tau * e8
    b = s0 * (bbar + eps * s0 * s1 * tau * e8 * (cbar + shift / 2))

    def c_e(c):
        return kappa1 * (c + shift / 2) * (s0 + c * (c + shift / 2) * s2 * r2 / 2)

    def c_v(c):
        return s1 * (c + shift / 2) * (s0**2 + bbar * s1 * r2) / (1 - qbar)

    def ell(c):
        flat = 2 * s0 * kappa1 * (c + shift / 2) + s0 * kappa1 * (2 * c + shift)
        return flat + 2 * c**2 * (c + shift / 2) * s1**2 * s2 * r2**2

    slope = s0 * s1 + cbar**2 * s1 * s2 * r2

    def change(c):
        return ell(c) + slope * c_v(c)

    def mean(a):
        return float(m.p @ a(size))

    def dev(a):
        return sqrt(max((a(cbar) - mean(a)) * (mean(a) - a(0.0)), 0.0))

    m4 = (3 * c2**2 + c4 / n) ** 0.25
    z4 = (3 * given.unit_spread**4 + 4 * s0**2 * bbar**2 * given.unit_spread**2 / n) ** 0.25
    z4 /= sqrt(n) * (1 - qbar)

    def g(z):
        near = given.output_spread + (s1 + b * s2) * (sqrt(c2) * eps * c_v(cbar) * z + m4 * z4)
        return n ** (0.5 - beta) * min(sqrt(c2) * (s0 + b * s1), near)

    law = np.linalg.matrix_power(m.chain, 2**12)[0]
    mixing = m.forgetting()
    y2 = min(tau * ybar**2, tau * law @ m.y**2 + h * mixing * np.ptp(m.y**2))
    k_own = h * (s0**2 + kappa1 * (cbar + shift) ** 2)
    weight = eps * tau**2 * e8 / 3
    start = sqrt(y2) + sqrt(tau) * g(tau * e8)
    candidates = [sqrt(tau) * e8]
    for over, a in (
        (start, c_e(cbar)),
        (start + weight * dev(c_e) * sqrt(tau) * e8 / sqrt(n), mean(c_e)),
    ):
        theta = 1 - k_own / 2 - weight * a
        if theta > 0:
            candidates.append(over / theta)
    x = min(candidates)

    def weighted(a):
        sampled = mean(a) * x**2 + dev(a) * sqrt(tau) * e8 * x / sqrt(n)
        return min(a(cbar) * x**2, sampled)

    lazy = [eps * tau * weighted(change) / 2, eps * tau * weighted(change) / 2 / sqrt(3)]
    lazy.append(eps * tau * weighted(c_v) / sqrt(3))
    if given.second_order is not None:
        kernel, moved = given.second_order
        lazy = [min(lazy[0], kernel), min(lazy[1], kernel / sqrt(3)), min(lazy[2], moved)]
    lhat = s0 * s1 + cbar * (cbar + shift / 2) * s1 * s2 * r2
    chat = cbar + shift
    c_r = chat * (s0 * kappa1 + chat**2 * s1**2 * s2 * r2**2 / 2)
    own = m.kernel(state, memory, state, memory)
    f, nu = sqrt(own * tau), x * sqrt(tau / n)
    noise = nu * (slope * shat + given.kernel_spread)
    initial = n ** (0.5 - beta) * sqrt(float(m.p @ (m.c * m.of(state, memory)) ** 2))
    network = lazy[0] + noise + h * eps * c_r * x**2 + f * g(sqrt(tau) * x)
    network += f * (lazy[1] + noise / sqrt(2) + h * eps * c_r * x**2)
    network += f * lhat * (lazy[2] + nu * shat / sqrt(2))
    ymu = min(sqrt(law @ m.y**2), ybar)
    k = np.array(given.diagonal)
    kbar = k.max()
    theta = sqrt(0.4073 * tau) * ymu
    rho = abs(m.y) + np.sqrt(k) * theta
    steep = sqrt(s1**2 + c2 * s2**2 * r2)
    length = steep * (rho.max() + sqrt(kbar) * theta)
    o_f = max(
        sqrt(k[i]) * rho[i] + sqrt(k[j]) * rho[j]
        for i in range(len(k))
        for j in range(len(k))
        if i != j
    )
    omega = (o_f + length * given.sensitivity / (1 - q)) * mixing
    drift = (2 * sqrt(kbar) + 2 * steep * given.sensitivity / (1 - q)) * mixing
    drift = h * ymu * kbar * (drift + 4 * vbar * steep / (1 - q))
    p = max(1 - (m.chain**2).sum(axis=1))
    boundary = h * (omega + 2 * vbar * length / (1 - q))
    recursion = boundary + tau * drift + sqrt(2 * h * tau * p) * omega
    # The force of T6D in the mean square over the steps: of k h, and of (k h)^(1/2).
    squared = boundary + tau * drift / sqrt(3) + sqrt(h * tau * p / 4) * omega
    recursion += sqrt(tau * kbar) * squared + h * tau * kbar**1.5 * ymu / 2
    return initial, network, sqrt(own) * recursion, x
