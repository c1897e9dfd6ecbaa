r"""The constant of T8: how far a network without odd moments is from its linear recursion.

``<.>`` is the mean over the units, of which ``<C> = <C^3> = 0`` given (W, B); ``a = |C|``,
``c_j = <a^j>``, ``g_j = <|B| a^j>``, s_k bounds the k-th derivative of sigma, ``q = s1 g_0 < 1``,
``kappa1 = s1^2 R^2``, ``Kb = s0^2 + kappa1 c_2``, ``eps = N^(beta-1)``, ``A = N^gamma``, ``tau =
n h``; X bounds ``h sum |e_j|`` and x the root of ``h sum e_j^2``; ``eta = eps s0 X``.  With

    nu = s1 R (c_2 + c_1 eta/2),    lhat = s0 s1 + s2 R nu,
    om(m) = kappa1 (m_2 + m_1 eta + m_0 eta^2/4)    for moments m, with a weight a^j from c_j on,
    Q(m) = s1 R [s0 m_0 + s2 R^2 (m_2 + m_1 eta/2)] / 2,
    c_e = s2 R^2 om(c_1..)/2 + s0 kappa1 (c_1 + eta/2),
    theta = 1 - h (s0^2 + kappa1 <(a + eta)^2>) - (2/3) eps c_e X tau,
    w = [s0^2 lhat/2 + s1 R Q(g) + s2 R^2 om(g)/2] / (1 - q),
    kappa = 2 s0 s1 R Q(c) + R^2 (s0 s2 + s1^2) om(c) + kappa1^2 (c_2 + c_1 eta/2) +
            4 s0 s1 s2 R^3 nu + kappa1 s0^2 + 2 s1 s2 R^3 Q(c_2..) +
            R^4 (s1 s3 + s2^2) om(c_2..) + (s0 s1 + c_2 s1 s2 R^2) w,
    rho = h rho_1 X x^2 + h^(3/2) rho_2 x^3,
    rho_1 = s0^2 kappa1 + R^3 s1 (s1^2 + 2 s0 s2) nu
            + s0 s2 kappa1 R^2 (3 c_2 + 3 c_1 eta + eta^2)/2
            + R^6 s1^2 (s1 s3 + 2 s2^2) (c_4 + c_3 eta/2)/2,
    rho_2 = s0 s2 kappa1 R^2 <(a + eta)^2>/2 + s1^3 s3 R^6 <(a + eta)^4>/6

the error is at most ``eps^2 {kappa X^3/3 + rho + (K tau)^(1/2) [(kappa/3 + lhat w) X^3/7^(1/2) +
rho]}``, ``K = K(zeta, zeta)``, where ``A >= ybar max(1, (tau Kb)^(1/2))``, ``h Kb <= 1`` and
``theta > 0``.  X is ``tau (2A + ybar)`` at first, then ``tau ybar / theta^(1/2)``, six times.
"""

from __future__ import annotations

from dataclasses import dataclass

from verification.certificate.check.numbers.balls import Ball, ball, lower, upper
from verification.certificate.check.outcome import require

_ROUNDS = 6


@dataclass(frozen=True)
class Sizes:
    """The numbers of the instance, of the units and of the training that enter."""

    s: tuple[Ball, Ball, Ball, Ball]
    r: Ball
    c: tuple[Ball, ...]
    g: tuple[Ball, ...]
    ybar: Ball
    eps: Ball
    h: Ball
    clip: Ball
    steps: int


@dataclass(frozen=True)
class Changes:
    """What the movement of the units changes, over ``(eps X)^2`` but for nu and lhat.

    `kernel` is kappa at two given points, without its part in w; `memory` is ``(1 - q) w``.
    """

    nu: Ball
    lhat: Ball
    kernel: Ball
    memory: Ball


def changes_of_units(
    s: tuple[Ball, ...], r: Ball, c: tuple[Ball, ...], g: tuple[Ball, ...], eta: Ball
) -> Changes:
    """Return the changes for ``s_0, .., s_3``, R, ``c_0, .., c_4``, ``g_0, .., g_2`` and eta."""
    s0, s1, s2, s3 = s
    kappa1 = s1 * s1 * r * r

    def om(m: tuple[Ball, ...]) -> Ball:
        return kappa1 * (m[2] + m[1] * eta + m[0] * eta * eta / 4)

    def missed(m: tuple[Ball, ...]) -> Ball:
        return s1 * r * (s0 * m[0] + s2 * r * r * (m[2] + m[1] * eta / 2)) / 2

    half = c[2] + c[1] * eta / 2
    nu = s1 * r * half
    lhat = s0 * s1 + s2 * r * nu
    r3 = r * r * r
    kappa = 2 * s0 * s1 * r * missed(c) + r * r * (s0 * s2 + s1 * s1) * om(c)
    kappa = kappa + kappa1 * kappa1 * half + 4 * s0 * s1 * s2 * r3 * nu + kappa1 * s0 * s0
    kappa = kappa + 2 * s1 * s2 * r3 * missed(c[2:]) + r3 * r * (s1 * s3 + s2 * s2) * om(c[2:])
    memory = s0 * s0 * lhat / 2 + s1 * r * missed(g) + s2 * r * r * om(g) / 2
    return Changes(nu, lhat, kappa, memory)


def bound_of_laziness(n: Sizes, squared_feature: Ball) -> Ball:
    """Return ``eps^2 Gamma`` for the ``K(zeta, zeta)`` of a point.

    Raises
    ------
    Invalid
        Where what it assumes is not shown.
    """
    s0, s1, s2, s3 = n.s
    r, c, g, tau = n.r, n.c, n.g, n.h * n.steps
    kappa1 = s1 * s1 * r * r
    kb = s0 * s0 + kappa1 * c[2]
    q = s1 * g[0]
    require(upper(q) < 1, "q = s1 <|B|> < 1")
    require(upper(n.h * kb) <= 1, "h Kb <= 1")
    most = n.ybar.max(n.ybar * (tau * kb).sqrt())
    require(upper(most) <= lower(n.clip), "N^gamma >= ybar max(1, (tau Kb)^(1/2))")

    reach = tau * (2 * n.clip + n.ybar)
    for _ in range(_ROUNDS):
        eta = n.eps * s0 * reach
        curved = kappa1 * (c[3] + c[2] * eta + c[1] * eta * eta / 4)
        energy_slope = s2 * r * r * curved / 2 + s0 * kappa1 * (c[1] + eta / 2)
        second = c[2] + 2 * c[1] * eta + eta * eta
        theta = 1 - n.h * (s0 * s0 + kappa1 * second)
        theta = theta - 2 * n.eps * energy_slope * reach * tau / 3
        require(lower(theta) > 0, "theta > 0")
        energy = n.ybar * (tau / theta).sqrt()
        reach = reach.min(tau.sqrt() * energy)
    eta = n.eps * s0 * reach
    found = changes_of_units(n.s, r, c, g, eta)
    nu, lhat, w = found.nu, found.lhat, found.memory / (1 - q)
    kappa = found.kernel + (s0 * s1 + c[2] * s1 * s2 * r * r) * w
    r3 = r * r * r
    bent = s0 * s2 * kappa1 * r * r
    rho1 = s0 * s0 * kappa1 + r3 * s1 * (s1 * s1 + 2 * s0 * s2) * nu
    rho1 = rho1 + bent * (3 * c[2] + 3 * c[1] * eta + eta * eta) / 2
    rho1 = rho1 + r3 * r3 * s1 * s1 * (s1 * s3 + 2 * s2 * s2) * (c[4] + c[3] * eta / 2) / 2
    square = eta * eta
    fourth = c[4] + 4 * c[3] * eta + 6 * c[2] * square + 4 * c[1] * square * eta + square * square
    second = c[2] + 2 * c[1] * eta + square
    rho2 = bent * second / 2 + s1 * s1 * s1 * s3 * r3 * r3 * fourth / 6
    rho = n.h * rho1 * reach * energy * energy
    rho = rho + n.h * n.h.sqrt() * rho2 * energy * energy * energy
    cube = reach * reach * reach
    through = (kappa / 3 + lhat * w) * cube / ball(7).sqrt() + rho
    gamma = kappa * cube / 3 + rho + (squared_feature * tau).sqrt() * through
    return n.eps * n.eps * gamma
