r"""How far a stratified network without odd moments is from its linear recursion: eps^2.

**Setting.**  `verification.flow.stratified` says what the network and the linear recursion L
are; ``<.>`` is the mean over the units of a finite law with ``E[C | W, B] = E[C^3 | W, B] = 0``,
``a = |C_0|``, ``c_j = <a^j>``, ``g_j = <|B| a^j>``; s_k bounds the k-th derivative of sigma, R the
inputs, ybar the targets; ``q = s1 g_0 < 1``, ``kappa1 = s1^2 R^2``, ``Kb = s0^2 + kappa1 c_2``,
``tau = n h`` for n steps, ``A = N^gamma``.  Assume ``A >= ybar max(1, (tau Kb)^(1/2))``,
``h Kb <= 1`` and ``theta > 0`` below.

**Statement.**  For every zeta with an input of size at most R, and k <= n,

    |G_k - L_k|(zeta) <= eps^2 {kappa X^3/3 + rho + K(zeta, zeta)^(1/2) tau^(1/2)
                                [(kappa/3 + lhat w) X^3 / 7^(1/2) + rho]}

with constants that stay bounded as eps and h tend to 0.

**Proof.**  Write ``X_k = h sum_{j<k} |e_j|``, eta = eps s0 X, X any bound of X_n.

*Parameters.*  ``|Delta C_k| <= eps s0 X_k`` and ``|Delta W_k| <= eps s1 R X_k (a + eta/2)``, as
``sum_j h |e_j| X_j <= X_k^2 / 2``.  To first order ``Delta C_k`` is
``-h eps sum_j e_j sigma(W_0.x_j + v_j)``, which is even in C_0, and ``Delta W_k`` is
``-h eps C_0 sum_j e_j sigma'(W_0.x_j + v_j) x_j``, which is odd; they miss the truth by at most
``eps^2 X_k^2`` times

    Q_C = kappa1 (a + eta/2) / 2,      Q_W = s1 R [s0 + s2 R^2 a (a + eta/2)] / 2.

*No first order.*  The mean of an odd function of C_0, a combination of C_0 and C_0^3, with factors
that depend on (W_0, B_0) vanishes.  So ``G_0 = 0``; ``<C_j sigma'>``, which drives B, is at most
``eps X_j s1 [s0 + s2 R^2 (c_2 + c_1 eta/2)]``; and in the change of the memory and of the kernel
all terms of first order in Delta vanish.  Over eps^2 X_k^2 the mean of ``a^j |Delta W|^2`` is at
most ``omega_j = kappa1 (c_(j+2) + c_(j+1) eta + c_j eta^2/4)``; over eps X_k that of
``a |Delta W|`` is at most ``nu = s1 R (c_2 + c_1 eta/2)``.  With v^0 the memory of frozen weights,
which contracts by q,

    |v_k - v_k^0| <= w eps^2 X_k^2,
    w = {s0^2 s1 [s0 + s2 R^2 (c_2 + c_1 eta/2)] / 2 + s1 R <|B| Q_W>
         + s2 R^2 kappa1 (g_2 + g_1 eta + g_0 eta^2/4) / 2} / (1 - q),

and the kernel of the network between the network's own point and zeta is that of the limit between
the limit's point and zeta, up to ``kappa eps^2 X_k^2``,

    kappa = 2 s0 s1 R <Q_W> + R^2 (s0 s2 + s1^2) omega_0 + 2 kappa1 <a Q_C> + 4 s0 s1 s2 R^3 nu
            + kappa1 s0^2 + 2 s1 s2 R^3 <a^2 Q_W> + R^4 (s1 s3 + s2^2) omega_2
            + (s0 s1 + c_2 s1 s2 R^2) w.

*One step* of G is ``-h e_k`` times the network's kernel, up to a remainder whose terms of second
order in h e_k are odd in C_k: with ``x^2 >= h sum e_j^2`` the remainders add up to at most
``eps^2 rho``, ``rho = h rho_1 X x^2 + h^(3/2) rho_2 x^3``,

    rho_1 = s0^2 kappa1 + R^3 s1 (s1^2 + 2 s0 s2) nu
            + [s0 s2 kappa1 R^2 (3 c_2 + 3 c_1 eta + eta^2) + R^6 s1^2 (s1 s3 + 2 s2^2)
               (c_4 + c_3 eta/2)] / 2,
    rho_2 = s0 s2 kappa1 R^2 <(a + eta)^2> / 2 + s1^3 s3 R^6 <(a + eta)^4> / 6.

*The output moves with the memory* by at most ``lhat X_k`` a unit, ``lhat = s0 s1 + s2 R nu``.

*Comparison.*  So ``G_k - L_k = R_k + d_k . phi``, phi the features of the limiting kernel,
``|R_k| <= eps^2 (kappa X_k^3/3 + rho)`` everywhere, and
``d_{k+1} = d_k - h b_k phi_k (d_k . phi_k - m_k)`` with b_k in [0, 1] (psi increases by at most
what its argument does, and leaves ``L_k(zeta_k)``, at most ``ybar (tau Kb)^(1/2)``, as it is) and
``|m_k| <= |R_k| + eps^2 lhat w X_k^3``.  As ``h Kb <= 1``, ``|d_{k+1}|^2 <= |d_k|^2 + h m_k^2``:
nothing grows exponentially.

*How much error there is.*  ``<|Delta C|^2 + |Delta W|^2> / eps^2`` grows from 0 by
``-2 h e_k (p_k - z_k) + h^2 e_k^2 K_k``, where ``|z_k| <= eps c_e X_k^2``, ``c_e = s2 R^2 kappa1
(c_3 + c_2 eta + c_1 eta^2/4) / 2 + s0 kappa1 (c_1 + eta/2)``.  With ``A >= ybar`` this gives
``theta h sum e_j^2 <= tau ybar^2``,

    theta = 1 - h (s0^2 + kappa1 <(a + eta)^2>) - (2/3) eps c_e X tau,

so that ``X_k <= k h ybar / theta^(1/2)``; used in the sum of m_k^2, whose sixth powers of ``k h``
add up to ``tau^7 / 7``.  X is first ``tau (2 A + ybar)``, then what this gives, several times.

Source: this project; the exponent was first measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from verification.enclosure.balls import (
    Ball,
    ball,
    less,
    less_equal,
    power,
    square,
    working_precision,
)
from verification.errors import NotEnclosed
from verification.flow.expansion import Expansion, suprema
from verification.flow.stratified import squared_feature
from verification.instance import AtomicLaw, Instance
from verification.kernel.limiting import Point, squared_input_bound
from verification.recurrent.network_balls import BallRates, ball_rates
from verification.verdict import Truth

_ROUNDS = 6


@dataclass(frozen=True, kw_only=True)
class SecondOrder:
    """The constants of the bound for one law, width and number of steps; see the module.

    Parameters
    ----------
    laziness, time : Ball
        eps, and tau.
    reach, energy : Ball
        Upper bounds X of ``h sum |e_j|`` and x of ``(h sum e_j^2)^(1/2)``.
    theta : Ball
    kernel_change, memory_change, output_slope, remainder : Ball
        kappa, w, lhat, rho.
    first_reach : Ball
        ``tau (2 A + ybar)``.
    largest_slope : Ball
        ``s0^2 + kappa1 (c_2 + c_1 eta/2)``, eta for the first reach: the network's outputs move by
        at most this times the first reach.
    norm : Ball
        ``ybar (tau Kb)^(1/2)``, a bound of ``|L_k|`` at inputs of size R.
    """

    laziness: Ball
    time: Ball
    reach: Ball
    energy: Ball
    theta: Ball
    kernel_change: Ball
    memory_change: Ball
    output_slope: Ball
    remainder: Ball
    first_reach: Ball
    largest_slope: Ball
    norm: Ball

    def coefficient(self, squared_feature: Ball) -> Ball:
        """Return the bound at a point with this ``K(zeta, zeta)``, over eps^2."""
        cube = power(self.reach, 3)
        direct = self.kernel_change * cube / 3 + self.remainder
        through = (self.kernel_change / 3 + self.output_slope * self.memory_change) * cube
        return direct + (squared_feature * self.time).sqrt() * (
            through / ball(7).sqrt() + self.remainder
        )

    def trivial(self) -> Ball:
        """Return what ``|G_k - L_k|`` cannot exceed anyway."""
        return self.first_reach * self.largest_slope + self.norm


def is_admissible(instance: Instance, law: AtomicLaw, width: int, steps: int) -> bool:
    """Tell whether the bound certainly holds: q < 1, and its three assumptions."""
    try:
        second_order(instance, law, width, steps)
    except NotEnclosed:
        return False
    return True


def second_order(instance: Instance, law: AtomicLaw, width: int, steps: int) -> SecondOrder:
    """Return the constants of the bound; upper bounds, but for `theta`, a lower one.

    Parameters
    ----------
    instance : Instance
        With training constants; its law is not looked at.
    law : AtomicLaw
        The units, with ``E[C | W, B] = E[C^3 | W, B] = 0``.
    width, steps : int
        N and n.

    Raises
    ------
    NotEnclosed
        Where an assumption of the bound does not certainly hold.
    """
    return _second_order(instance, law, width, steps, working_precision())


@lru_cache(maxsize=16)
def _second_order(
    instance: Instance, law: AtomicLaw, width: int, steps: int, _bits: int
) -> SecondOrder:
    return _Constants(instance, law, ball_rates(instance, width), steps).bounds()


def second_order_bound(
    instance: Instance, law: AtomicLaw, width: int, steps: int, place: Point
) -> Ball:
    """Bound ``sup_{k <= n} |G_k - L_k|`` at a point whose input is no larger than the chain's."""
    found = second_order(instance, law, width, steps)
    return square(found.laziness) * found.coefficient(squared_feature(instance, law, place))


class _Constants:
    """The constants as functions of the reach X; names as in the module's docstring."""

    def __init__(self, instance: Instance, law: AtomicLaw, rates: BallRates, steps: int) -> None:
        self.suprema = suprema(instance)
        self.r = ball(squared_input_bound(instance)).sqrt()
        self.c = tuple(ball(_moment(law, order)) for order in range(5))
        self.g = tuple(ball(_moment(law, order, with_b=True)) for order in range(3))
        self.h, self.eps = rates.step, rates.laziness
        self.tau = self.h * steps
        self.ybar = ball(max(abs(y) for y in instance.chain.targets))
        self.clip = rates.clip

    def bounds(self) -> SecondOrder:
        s0, s1, s2, _ = self.suprema
        q = s1 * self.g[0]
        kb = square(s0) + square(s1 * self.r) * self.c[2]
        norm = self.ybar * (self.tau * kb).sqrt()
        self._require(less(q, ball(1)), "q < 1")
        self._require(less_equal(self.ybar.max(norm), self.clip), "A >= ybar max(1, sqrt(tau Kb))")
        self._require(less_equal(self.h * kb, ball(1)), "h Kb <= 1")
        first = reach = self.tau * (2 * self.clip + self.ybar)
        for _ in range(_ROUNDS):
            expansion = self._expansion(reach)
            own = self.h * (square(s0) + square(s1 * self.r) * expansion.shifted(2))
            theta = 1 - own - 2 * self.eps * expansion.energy_slope() * reach * self.tau / 3
            self._require(less(ball(0), theta), "theta > 0")
            energy = (self.tau / theta).sqrt() * self.ybar
            reach = reach.min(self.tau.sqrt() * energy)
        expansion = self._expansion(reach)
        memory = expansion.memory_source() / (1 - q)
        slope = s0 * s1 + self.c[2] * s1 * s2 * square(self.r)
        small, large = expansion.remainders()
        return SecondOrder(
            laziness=self.eps,
            time=self.tau,
            reach=reach,
            energy=energy,
            theta=theta,
            kernel_change=expansion.kernel_change() + slope * memory,
            memory_change=memory,
            output_slope=expansion.output_slope(),
            remainder=small * self.h * reach * square(energy)
            + large * power(self.h.sqrt() * energy, 3),
            first_reach=first,
            largest_slope=square(s0) + s1 * self.r * self._expansion(first).pull(),
            norm=norm,
        )

    @staticmethod
    def _require(truth: Truth, text: str) -> None:
        if truth is not Truth.TRUE:
            raise NotEnclosed(f"the bound needs {text}")

    def _expansion(self, reach: Ball) -> Expansion:
        return Expansion(
            suprema=self.suprema,
            radius=self.r,
            moments=self.c,
            feedback_moments=self.g,
            shift=self.eps * self.suprema[0] * reach,
        )


def _moment(law: AtomicLaw, order: int, *, with_b: bool = False) -> Fraction:
    """Return ``E|C|^order``, or ``E[|B| |C|^order]``."""
    return sum(
        (atom.p * abs(atom.c) ** order * (abs(atom.b) if with_b else 1) for atom in law.atoms),
        Fraction(0),
    )
