r"""B1 + B2: what bounds how far a trained network of width N is from the limit equation, in balls.

It bounds ``E max_{k <= N T} |G_k(zeta) - g_{k/N}(zeta)|``.  Of the initial law ``|C| <= cbar``,
``|B| <= bbar``, ``c_j = E|C|^j``; ``qbar = s1 bbar``, ``q = s1 E|B|``, ``vbar = s0 E|B|``; R and
ybar are the largest input and target, ``kappa1 = s1^2 R^2``.  ``h = alpha/N``, ``tau = alpha T``,
``eps = N^(beta-1)``, ``A = N^gamma``, ``w_N = N^(1/2 - beta)``.

Numbers that bound suprema are given: k_i of ``K((x_i, v), (x_i, v))``, a0 of the root of ``E[C^2
sigma^2]``, s_Phi of that of ``Var(B sigma)``, D of the differences of Phi between inputs, sd_K of
the deviation of one unit's kernel.  Kbar is the largest k_i, ``shat = s_Phi / (1 - qbar)``.

*Errors.*  Each is at most ``E = 2A + ybar``.  C moves by at most ``d = eps s0 tau E``, the memory
is at most ``b = s0 (bbar + eps s0 s1 tau E (cbar + d/2))``.  Of a unit with ``|C_0| = c``: T7Z's
``e(c) = kappa1 (c + d/2) [s0 + c (c + d/2) s2 R^2/2]``, T2's ``u(c) = s1 (c + d/2) (s0^2 + bbar s1
R^2) / (1 - qbar)`` for the memory, and for the kernel at given points, by T1, ``l(c) = s0 kappa1
[2 (c + d/2) + (2 c + d)] + 2 c^2 (c + d/2) s1^2 s2 R^4``.  The mean of such a polynomial f over N
units is within ``dev(f) / N^(1/2)`` of ``E f`` in L2, ``dev(f)^2 = (f(cbar) - E f)(E f - f(0))``.

*Output at first* along the network's own memories, where ``h sum |e_j| <= Z``: with ``m = (3 c_2^2
+ c_4/N)^(1/4)`` and ``z = (3 s_Phi^4 + 4 (s0 bbar s_Phi)^2/N)^(1/4) / (N^(1/2) (1 - qbar))``

    g(Z) = w_N min{c_2^(1/2) (s0 + b s1), a0 + (s1 + b s2) [c_2^(1/2) eps u(cbar) Z + m z]}.

*Energy.*  ``Y^2 = min(tau ybar^2, tau pi(y^2) + h Delta osc(y^2))``; ``omega = eps tau^2 E / 3``,
``t(f) = 1 - h (s0^2 + kappa1 (cbar + d)^2)/2 - omega f``.  ``(h sum e_j^2)^(1/2)`` is in L2 at most
``x = min{S / t(e(cbar)), [S + omega dev(e) tau^(1/2) E / N^(1/2)] / t(E e), tau^(1/2) E}`` with
``S = Y + tau^(1/2) g(tau E)``, and in L4 at most ``x4 = tau^(1/2) [ybar + w_N m (s0 + b s1)] /
t(e(cbar))``; means of f times it by ``J(f) = min{f(cbar) x^2, E f x^2 + dev(f) tau^(1/2) E x /
N^(1/2)}``.

*Laziness.*  With ``L = s0 s1 + cbar^2 s1 s2 R^2``: ``S_1 = eps tau J(l + L u)/2`` and ``M_1 = eps
tau J(u)/3^(1/2)``; where C has no odd moments given (W, B), `recurrent.lazy_terms` has others.

*B1*, ``K = K(zeta, zeta)``, ``f = (K tau)^(1/2)``, ``nu = x (tau/N)^(1/2)``, ``a = nu (L shat +
sd_K)``, ``ch = cbar + d``, ``rem = h eps ch (s0 kappa1 + ch^2 s1^2 s2 R^4/2) x^2``:

    w_N E[C^2 sigma^2]^(1/2) + f g(tau^(1/2) x) + S_ + a + rem + f [S_/3^(1/2) + a/2^(1/2) + rem]
    + f (s0 s1 + cbar (cbar + d/2) s1 s2 R^2) [M_ + nu shat/2^(1/2)].

*B2.*  ``ymu = pi(y^2)^(1/2)``, ``Th = (0.4073 tau)^(1/2) ymu`` (O5), ``r_i = |y_i| + k_i^(1/2)
Th``, L_phi the slope of the features, ``lip = L_phi (max r_i + Kbar^(1/2) Th)``, ``Om = (o + lip D
/ (1 - q)) Delta`` (P7) with the largest sum o of two of the ``k_i^(1/2) r_i``, ``O = Om + 2 vbar
lip / (1 - q)``, ``O' = h ymu Kbar {[2 Kbar^(1/2) + 2 L_phi D/(1 - q)] Delta + 4 vbar L_phi/(1 -
q)}``, ``p = max_i (1 - sum_j P_ij^2)``:

    K^(1/2) {h O + tau O' + (2 h tau p)^(1/2) Om + h tau Kbar^(3/2) ymu/2
             + (tau Kbar)^(1/2) [h O + tau O'/3^(1/2) + (h tau p)^(1/2) Om/2]}.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property

from verification.certificate.check.instances import Training
from verification.certificate.check.numbers.balls import (
    Ball,
    ball,
    integer_power,
    largest,
    lower,
    root,
    total,
    upper,
)
from verification.certificate.check.outcome import require
from verification.certificate.check.recurrent.bound_sizes import Sizes
from verification.certificate.check.recurrent.lazy_terms import lazy_terms
from verification.certificate.check.recurrent.training import Rates

_GROWTH = Fraction("0.4073")
"""At least ``max_s (1 - exp(-s))^2 / s``, as O5 has it."""


class ExplicitBound:
    """B1 + B2 at one width, at the working precision.

    Raises
    ------
    Invalid
        Where what it assumes is not shown.
    """

    def __init__(self, sizes: Sizes, training: Training, width: int) -> None:
        self.n = n = sizes
        rates = Rates(training, width)
        self.width = ball(width)
        self.h, self.tau = rates.step, ball(training.alpha * training.horizon)
        self.eps = rates.power(training.beta - 1)
        self.scale = rates.power(Fraction(1, 2) - training.beta)
        self.root_tau = self.tau.sqrt()
        s0, s1, s2, _ = n.s
        self.ybar, self.kbar = largest([abs(y) for y in n.y]), largest(n.k)
        self.kappa1 = s1 * s1 * n.r2
        self.rest = 1 - s1 * n.bbar
        self.gap = 1 - s1 * n.mean_b
        require(lower(self.rest) > 0, "qbar = s1 bbar < 1")
        require(upper(self.ybar) <= lower(rates.clip), f"N^gamma >= ybar at N = {width}")
        own = self.h * self.kbar
        require(upper(own) <= 1, f"h Kbar <= 1 at N = {width}")
        learnt = self.ybar * (self.tau * self.kbar / (2 - own)).sqrt()
        require(
            upper(learnt) <= lower(rates.clip),
            f"N^gamma >= ybar (tau Kbar/(2 - h Kbar))^(1/2) at N = {width}",
        )
        self.most = 2 * rates.clip + self.ybar
        self.d = self.eps * s0 * self.tau * self.most
        self.b = s0 * (n.bbar + self.d * s1 * (n.cbar + self.d / 2))
        self.shat = n.s_phi / self.rest
        self.slope = s0 * s1 + n.cbar * n.cbar * s1 * s2 * n.r2
        self.m = root(root(3 * n.c[2] * n.c[2] + n.c[4] / self.width))
        self.loss = self.h * (s0 * s0 + self.kappa1 * (n.cbar + self.d) * (n.cbar + self.d)) / 2
        self.omega = self.eps * self.tau * self.tau * self.most / 3
        require(lower(self.thetas[1]) > 0, f"theta > 0 at N = {width}")

    def total(self) -> Ball:
        """Enclose ``B1 + B2``."""
        return self.network() + self.recursion()

    # Polynomials of |C|: a list of coefficients

    def _shifted(self, *factors: Ball) -> list[Ball]:
        """Return ``(c + d/2) (f_0 + f_1 c + f_2 c^2)``."""
        half = self.d / 2
        padded = [*factors, *[ball(0)] * (4 - len(factors))]
        return [half * f + before for f, before in zip(padded, [ball(0), *padded], strict=False)]

    @cached_property
    def energy_slope(self) -> list[Ball]:
        """The polynomial e."""
        s0, _, s2, _ = self.n.s
        bent = s2 * self.n.r2 / 2
        factors = (s0, bent * self.d / 2, bent)
        return [self.kappa1 * x for x in self._shifted(*factors)]

    @cached_property
    def memory_slope(self) -> list[Ball]:
        """The polynomial u."""
        s0, s1, _, _ = self.n.s
        return self._shifted(s1 * (s0 * s0 + self.n.bbar * s1 * self.n.r2) / self.rest)

    def kernel_slope(self) -> list[Ball]:
        """Return the polynomial l."""
        s0, _, s2, _ = self.n.s
        # 2 c + d is twice c + d/2.
        flat = 4 * s0 * self.kappa1
        return self._shifted(flat, ball(0), 2 * self.kappa1 * s2 * self.n.r2)

    def _at_most(self, f: Sequence[Ball]) -> Ball:
        return total([a * integer_power(self.n.cbar, j) for j, a in enumerate(f)])

    def _mean(self, f: Sequence[Ball]) -> Ball:
        return total([a * c for a, c in zip(f, self.n.c, strict=False)])

    def _deviation(self, f: Sequence[Ball]) -> Ball:
        """Return ``dev(f) tau^(1/2) E / N^(1/2)``."""
        mean = self._mean(f)
        spread = root((self._at_most(f) - mean) * (mean - f[0]))
        return spread * self.root_tau * self.most / self.width.sqrt()

    def weighted(self, f: Sequence[Ball]) -> Ball:
        """Return J(f)."""
        square = self.x * self.x
        return (self._at_most(f) * square).min(self._mean(f) * square + self._deviation(f) * self.x)

    # Output at first, energy

    def output(self, reach: Ball) -> Ball:
        """Return g(Z)."""
        n, (s0, s1, s2, _) = self.n, self.n.s
        z = root(root(3 * integer_power(n.s_phi, 4) + self._fourth()))
        z = z / (self.width.sqrt() * self.rest)
        size = root(n.c[2])
        moved = size * self.eps * self._at_most(self.memory_slope) * reach + self.m * z
        anywhere = size * (s0 + self.b * s1)
        return self.scale * anywhere.min(n.a0 + (s1 + self.b * s2) * moved)

    def _fourth(self) -> Ball:
        single = self.n.s[0] * self.n.bbar * self.n.s_phi
        return 4 * single * single / self.width

    @cached_property
    def thetas(self) -> tuple[Ball, Ball]:
        """``t(e(cbar))`` and ``t(E e)``, the larger one."""
        most, mean = self._at_most(self.energy_slope), self._mean(self.energy_slope)
        return 1 - self.loss - self.omega * most, 1 - self.loss - self.omega * mean

    @cached_property
    def x(self) -> Ball:
        """The bound of the errors in L2."""
        return self.by_energy.min(self.root_tau * self.most)

    @cached_property
    def by_energy(self) -> Ball:
        """The smaller of the two bounds that the energy gives."""
        n, tau = self.n, self.tau
        along = tau * n.square_y + self.h * n.delta * n.swing_y
        start = root((tau * self.ybar * self.ybar).min(along))
        start = start + self.root_tau * self.output(tau * self.most)
        found = (start + self.omega * self._deviation(self.energy_slope)) / self.thetas[1]
        return found.min(start / self.thetas[0]) if lower(self.thetas[0]) > 0 else found

    # Laziness

    def lazy(self) -> tuple[Ball, Ball]:
        """Return S and M."""
        change = [
            a + self.slope * b for a, b in zip(self.kernel_slope(), self.memory_slope, strict=True)
        ]
        scale = self.eps * self.tau
        kernel = scale * self.weighted(change) / 2
        memory = scale * self.weighted(self.memory_slope) / ball(3).sqrt()
        if not self.n.is_even or lower(self.thetas[0]) <= 0:
            return kernel, memory
        others = self._without_odd_moments()
        return kernel.min(others[0]), memory.min(others[1])

    def _without_odd_moments(self) -> tuple[Ball, Ball]:
        n, (s0, s1, _, _) = self.n, self.n.s
        initial = self.scale * self.m * (s0 + self.b * s1)
        return lazy_terms(
            n,
            width=self.width,
            h=self.h,
            tau=self.tau,
            eps=self.eps,
            eta=self.d,
            x4=self.root_tau * (self.ybar + initial) / self.thetas[0],
        )

    # B1, B2

    def network(self) -> Ball:
        """Return B1."""
        n, (s0, s1, s2, _) = self.n, self.n.s
        lazy_kernel, lazy_memory = self.lazy()
        nu = self.x * (self.tau / self.width).sqrt()
        noise = nu * (self.slope * self.shat + n.sd_k)
        ch = n.cbar + self.d
        each = s0 * self.kappa1 + ch * ch * self.kappa1 * s2 * n.r2 / 2
        remainder = self.h * self.eps * ch * each * self.x * self.x
        moved = s0 * s1 + n.cbar * (n.cbar + self.d / 2) * s1 * s2 * n.r2
        half = ball(2).sqrt()
        along = lazy_kernel / ball(3).sqrt() + noise / half + remainder
        through = self.output(self.root_tau * self.x) + along
        through = through + moved * (lazy_memory + nu * self.shat / half)
        at_point = self.scale * root(n.start) + lazy_kernel + noise + remainder
        return at_point + root(n.own * self.tau) * through

    def recursion(self) -> Ball:
        """Return B2."""
        n, h, tau = self.n, self.h, self.tau
        s0, s1, s2, _ = n.s
        high, ymu = self.kbar.sqrt(), root(n.square_y)
        theta = (ball(_GROWTH) * tau).sqrt() * ymu
        norms = [root(k) for k in n.k]
        residuals = [abs(y) + norm * theta for y, norm in zip(n.y, norms, strict=True)]
        heights = [norm * residual for norm, residual in zip(norms, residuals, strict=True)]
        steep = (s1 * s1 + n.c[2] * s2 * s2 * n.r2).sqrt()
        lip = steep * (largest(residuals) + high * theta)
        vbar = s0 * n.mean_b
        spread = (largest_pair(heights) + lip * n.d / self.gap) * n.delta
        edge = spread + 2 * vbar * lip / self.gap
        drift = (2 * high + 2 * steep * n.d / self.gap) * n.delta + 4 * vbar * steep / self.gap
        drift = h * ymu * self.kbar * drift
        noise = (h * tau * n.p).sqrt() * spread
        along = h * edge + tau * drift + ball(2).sqrt() * noise
        mean_square = h * edge + tau * drift / ball(3).sqrt() + noise / 2
        steps = h * tau * self.kbar * high * ymu / 2
        return root(n.own) * (along + (tau * self.kbar).sqrt() * mean_square + steps)


def largest_pair(values: Sequence[Ball]) -> Ball:
    """Enclose the largest sum of two of the numbers >= 0; 0 where there is one only."""
    first, second = values[0], ball(0)
    for value in values[1:]:
        first, second = first.max(value), second.max(first.min(value))
    return first + second if len(values) > 1 else ball(0)
