r"""What laziness adds to the error of a sampled network without odd moments of C.

**Setting.**  N units are drawn independently from a law with ``E[C | W, B] = E[C^3 | W, B] = 0``,
``|C| <= cbar``, ``|B| <= bbar``, ``qbar = s1 bbar < 1``, and trained for n steps along a path that
is independent of them; ``h = alpha / N``, ``tau = n h``, ``eps = N^(beta-1)``.  v_k is the memory
of the limit, a function of the path; v_k^N that of the network, v_k^{N,0} that of its units frozen.
K_k^N is the kernel of the network after k steps.  s_Phi bounds the standard deviation of
``B sigma(W.x + v)``, ``shat = s_Phi / (1 - qbar)``.  ``X_k = h sum_{j<k} |e_j|``,
``x^2 = h sum e_j^2``, x4 bounds the norm of x in L4; eta bounds ``eps s0 X_n``.

**Statement.**  What the movement of the units adds to the differences of kernels and memories,

    lazy kernel   E sum_j h |e_j| |K_j^N(zeta_j^N, z) - K_0^N(zeta_j^{N,0}, z)|,
    lazy memory   E [h sum_k X_k^2 (v_k^N - v_k^{N,0})^2]^(1/2) / tau^(1/2),

at any z with an input no larger than R (also one that depends on the path), is at most

    S = eps^2 [kappa + c_v (l_1/2 + l_2)] tau^(3/2) x4^3 / 3 + eps x4^2 tau zbar / (2 N^(1/2))
        + Lbar {eps^2 V tau^(3/2) x4^3 / 3 + eps x4^2 U / N^(1/2)},
    M = eps^2 V tau^(3/2) x4^3 / 2 + eps x4^2 U / N^(1/2).

Let T_k be the sum over ``j < k`` in the lazy kernel, at a point z_k of its own.  In the mean
square over the steps it is smaller: ``E [h sum_{k<n} T_k^2]^(1/2) / tau^(1/2)`` is at most
``S / 3^(1/2)``.

So laziness costs ``N^(2 beta - 2) + N^(beta - 3/2)``, where it costs ``N^(beta - 1)`` in general.

**Constants.**  With moments replaced by powers of cbar (times bbar) `verification.flow.expansion`
gives kappa, the change of the kernel at given points, and w', what a step adds to the memory's
distance, both without odd functions of C_0.  ``ctil = cbar + eta/2``,
``c_v = ctil s1 (s0^2 + bbar s1 R^2) / (1 - qbar)``, ``Lbar = s0 s1 + cbar^2 s1 s2 R^2``, and

    l_1 = 2 cbar s1 R^2 (s0 s2 + s1^2) + 2 cbar^3 s1 s2^2 R^4,
    l_2 = cbar s1 R^2 (3 s0 s2 + s1^2) + cbar^3 s1 (s1 s3 + s2^2) R^4,
    zbar = 4 s0 s1^2 R^2 E[C^2]^(1/2) + 2 s1^2 s2 R^4 E[C^6]^(1/2) + (l_1 + l_2) shat,
    V = [w' + c_v cbar s2 (s0^2 / 2 + (3/2) bbar s1 R^2)] / (1 - qbar),
    U = [s0^2 (s1 E[C^2]^(1/2) + cbar s2 shat) + R^2 (s1^2 E[B^2 C^2]^(1/2)
         + 2 bbar cbar s1 s2 shat)] (tau (tau + h) / 2)^(1/2) / (1 - qbar).

**Proof.**  *Kernel.*  At the network's own point ``zeta_j^N``, ``K_j^N - K_0^N`` is at most
``kappa eps^2 X_j^2`` but for the mean over the units of an odd function of C_0, which is
``-h eps sum_{l<j} e_l H_lj`` with H_lj the mean of

    C sigma'(u_l) x_l.grad A + 2 C sigma(u_l) g + C^3 sigma'(u_l) x_l.grad g,

``u_l = W.x_l + v_l^N``, ``A = sigma(u_j) sigma(u)``, ``g = sigma'(u_j) sigma'(u) x_j.x`` for
``z = (x, v)``, initial weights.  It changes by at most l_1 and l_2 times what v_l^N and v_j^N do;
at the limit's memories it is the mean of N independent variables that are centred given the path,
of second moment at most ``(4 s0 s1^2 R^2 E[C^2]^(1/2) + 2 s1^2 s2 R^4 E[C^6]^(1/2))^2``.  And
``|v_j^N - v_j| <= c_v eps X_j + |v_j^{N,0} - v_j|`` (T2), the last one at most ``shat / N^(1/2)``
in L2 (M6).  So ``|H_lj| <= Z_lj + eps c_v (l_1 X_l + l_2 X_j)`` with ``|Z_lj|`` at most
``zbar / N^(1/2)`` in L2, and

    sum_j h |e_j| sum_{l<j} h |e_l| Z_lj <= (x^2 / 2^(1/2)) (h^2 sum_{l<j} Z_lj^2)^(1/2),

whose mean is at most ``x4^2 (tau / 2) zbar / N^(1/2)``, while ``sum_j h |e_j| X_j^2 <= X_n^3 / 3``
and ``X_n <= tau^(1/2) x``.  From ``zeta_j^{N,0}`` to ``zeta_j^N`` the kernel K_0^N moves by at most
Lbar times the memory.

*Memory.*  ``v_{k+1}^N - v_{k+1}^{N,0}`` is at most qbar times what it was, plus ``eps^2 X^2 w'``,
plus the odd terms ``s0^2 h eps sum_j |e_j| |<C sigma'(u_j)>|``, from B, and
``R^2 h eps sum_j |e_j| |<B C sigma'(u_k) sigma'(u_j)>|``, from W.  Again the memories are replaced
by the limit's, at the price of ``cbar s2`` and of ``bbar cbar s1 s2`` for each of the two; what is
centred is of second moment ``s1^2 E[C^2] / N`` and ``s1^4 E[B^2 C^2] / N``.  Cauchy-Schwarz as
before, and ``(sum_l qbar^(k-1-l) a_l)`` has at most the norm of a in l2 over ``1 - qbar``.  In M,
``h sum_k X_k^6 <= tau^4 x^6 / 4``.  The expectation of ``x^2 Z`` is at most ``x4^2`` times the norm
of Z in L2.

*Mean square.*  On each path T_k is at most ``a (h k)^(3/2)`` with what S has of the order eps^2,
and ``h sum_{k<n} (h k)^3 <= tau^4 / 4``: half of what it is at n.  The rest is eps x^2 times a norm
in l2 of at most ``k^2 / 2`` numbers Z, and ``h sum_{k<n} (h k)^2 / 2 <= tau^3 / 6``: a third of
``tau (tau^2 / 2)``, under the root.

Source: this project.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from verification.enclosure.balls import Ball, ball, power, square
from verification.flow.expansion import Expansion, suprema
from verification.instance import AtomicLaw, Instance, Law
from verification.kernel.limiting import squared_input_bound
from verification.recurrent.law import bound_b, bound_c, mean_square_b, moment_of_c


@dataclass(frozen=True, kw_only=True)
class Training:
    """What is known of a training of n steps at width N; names as in the module's docstring.

    Parameters
    ----------
    width : int
        N.
    step, time, laziness : Ball
        h, tau, eps.
    shift : Ball
        eta, an upper bound.
    energy : Ball
        x4, an upper bound.
    spread : Ball
        s_Phi, an upper bound.
    """

    width: int
    step: Ball
    time: Ball
    laziness: Ball
    shift: Ball
    energy: Ball
    spread: Ball


@dataclass(frozen=True, kw_only=True)
class LazyTerms:
    """Upper bounds of the lazy kernel and of the lazy memory: S and M."""

    kernel: Ball
    memory: Ball


def second_order_terms(instance: Instance, training: Training) -> LazyTerms:
    """Return S and M for a law without odd moments of C and with ``s1 bbar < 1``."""
    law = instance.law
    s0, s1, s2, s3 = suprema(instance)
    radius2 = ball(squared_input_bound(instance))
    cbar, bbar = ball(bound_c(law)), ball(bound_b(law))
    cube = power(cbar, 3)
    expansion = Expansion(
        suprema=(s0, s1, s2, s3),
        radius=radius2.sqrt(),
        moments=tuple(power(cbar, order) for order in range(5)),
        feedback_moments=tuple(bbar * power(cbar, order) for order in range(3)),
        shift=training.shift,
    )
    tau, eps, energy = training.time, training.laziness, training.energy
    rest = 1 - s1 * bbar
    shat = training.spread / rest
    moved = (cbar + training.shift / 2) * s1 * (square(s0) + bbar * s1 * radius2) / rest
    first = 2 * cbar * s1 * radius2 * (s0 * s2 + square(s1))
    first = first + 2 * cube * s1 * square(s2 * radius2)
    second = cbar * s1 * radius2 * (3 * s0 * s2 + square(s1))
    second = second + cube * s1 * (s1 * s3 + square(s2)) * square(radius2)
    c2, c6 = (ball(moment_of_c(law, order)).sqrt() for order in (2, 6))
    odd = 4 * s0 * square(s1) * radius2 * c2 + 2 * square(s1 * radius2) * s2 * c6
    odd = odd + (first + second) * shat
    drift = expansion.memory_source()
    drift = drift + moved * cbar * s2 * (square(s0) + 3 * bbar * s1 * radius2) / 2
    drift = drift / rest
    noise = square(s0) * (s1 * c2 + cbar * s2 * shat)
    through = square(s1) * ball(_mean_square_of_product(law)).sqrt()
    noise = noise + radius2 * (through + 2 * bbar * cbar * s1 * s2 * shat)
    noise = noise * (tau * (tau + training.step) / 2).sqrt() / rest
    sampled = eps * square(energy) / ball(training.width).sqrt()
    lasting = square(eps) * power(energy, 3) * tau * tau.sqrt()
    slope = s0 * s1 + square(cbar) * s1 * s2 * radius2
    change = expansion.kernel_change() + moved * (first / 2 + second)
    return LazyTerms(
        kernel=lasting * (change + slope * drift) / 3 + sampled * (odd * tau / 2 + slope * noise),
        memory=lasting * drift / 2 + sampled * noise,
    )


def _mean_square_of_product(law: Law) -> Fraction:
    """Return ``E[B^2 C^2]``."""
    if isinstance(law, AtomicLaw):
        return sum((atom.p * (atom.b * atom.c) ** 2 for atom in law.atoms), Fraction(0))
    return mean_square_b(law) * moment_of_c(law, 2)
