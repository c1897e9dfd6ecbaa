r"""What laziness adds to the error of a sampled network where C has no odd moments given (W, B).

At width N, ``E[C | W, B] = E[C^3 | W, B] = 0``, in the names of `recurrent.explicit_bound`, eta a
bound of ``eps s0 h sum |e_j|`` and x4 of the root of ``h sum e_j^2`` in L4.  With kappa and w' of
`recurrent.second_order` for the moments ``cbar^j`` and ``bbar cbar^j``, ``ct = cbar + eta/2``,

    u = ct s1 (s0^2 + bbar s1 R^2) / (1 - qbar),
    l_1 = 2 cbar s1 R^2 (s0 s2 + s1^2) + 2 cbar^3 s1 s2^2 R^4,
    l_2 = cbar s1 R^2 (3 s0 s2 + s1^2) + cbar^3 s1 (s1 s3 + s2^2) R^4:

by so much more, times C_0's odd functions, the kernel depends on the memories of an earlier step
and of this one.  What is centred at the limit's memories deviates by ``N^(-1/2)`` times

    Z = 4 s0 s1^2 R^2 c_2^(1/2) + 2 s1^2 s2 R^4 c_6^(1/2) + (l_1 + l_2) shat

in the kernel, and in a step of the memory, from B and from W, by

    U' = s0^2 (s1 c_2^(1/2) + cbar s2 shat) + R^2 (s1^2 E[B^2 C^2]^(1/2) + 2 bbar cbar s1 s2 shat).

So, with ``V = [w' + u cbar s2 (s0^2 + 3 bbar s1 R^2)/2] / (1 - qbar)`` and ``U = U' (tau (tau + h)
/2)^(1/2) / (1 - qbar)``, the lazy kernel and the lazy memory are at most

    eps^2 tau^(3/2) x4^3 [kappa + u (l_1/2 + l_2) + L V] / 3 + eps x4^2 N^(-1/2) (tau Z/2 + L U),
    eps^2 tau^(3/2) x4^3 V / 2 + eps x4^2 N^(-1/2) U.
"""

from __future__ import annotations

from verification.certificate.check.numbers.balls import Ball, integer_power, root
from verification.certificate.check.recurrent.bound_sizes import Sizes
from verification.certificate.check.recurrent.second_order import changes_of_units


def lazy_terms(
    n: Sizes, *, width: Ball, h: Ball, tau: Ball, eps: Ball, eta: Ball, x4: Ball
) -> tuple[Ball, Ball]:
    """Return bounds of the lazy kernel and of the lazy memory."""
    s0, s1, s2, s3 = n.s
    r2, c, b = n.r2, n.cbar, n.bbar
    rest = 1 - s1 * b
    shat = n.s_phi / rest
    powers = tuple(integer_power(c, j) for j in range(5))
    found = changes_of_units(n.s, r2.sqrt(), powers, tuple(b * x for x in powers[:3]), eta)

    u = (c + eta / 2) * s1 * (s0 * s0 + b * s1 * r2) / rest
    cube = powers[3] * s1 * r2 * r2
    before = 2 * c * s1 * r2 * (s0 * s2 + s1 * s1) + 2 * cube * s2 * s2
    now = c * s1 * r2 * (3 * s0 * s2 + s1 * s1) + cube * (s1 * s3 + s2 * s2)
    centred = 4 * s0 * s1 * s1 * r2 * root(n.c[2]) + 2 * s1 * s1 * s2 * r2 * r2 * root(n.c[6])
    centred = centred + (before + now) * shat

    lasting = (found.memory + u * c * s2 * (s0 * s0 + 3 * b * s1 * r2) / 2) / rest
    through = s0 * s0 * (s1 * root(n.c[2]) + c * s2 * shat)
    through = through + r2 * (s1 * s1 * root(n.square_bc) + 2 * b * c * s1 * s2 * shat)
    through = through * (tau * (tau + h) / 2).sqrt() / rest

    second = eps * eps * tau * tau.sqrt() * integer_power(x4, 3)
    sampled = eps * x4 * x4 / width.sqrt()
    slope = s0 * s1 + c * c * s1 * s2 * r2
    kernel = found.kernel + u * (before / 2 + now) + slope * lasting
    return (
        second * kernel / 3 + sampled * (tau * centred / 2 + slope * through),
        second * lasting / 2 + sampled * through,
    )
