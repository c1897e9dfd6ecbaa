r"""The limit equation in the space of the data: one unknown for each atom, a matrix exponential.

In the rescaled time ``s = alpha t`` the limit equation for a law mu of points and targets is

    d/ds g_s(zeta) = E_mu[K(zeta, zeta') (y - g_s(zeta'))],    g_0 = 0.

For a law with atoms (zeta_a, weight w_a, target y_a) let ``T_ab = K(zeta_a, zeta_b) w_b``.  On the
atoms ``g_s = (I - exp(-s T)) y``, and anywhere

    g_s(zeta) = sum_a K(zeta, zeta_a) w_a c_a(s),    c(s) = int_0^s exp(-r T) y dr,

which is the last column of the exponential of ``((-s T, s y), (0, 0))``.  Nothing is inverted: the
points may coincide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from verification.enclosure.balls import Ball, ball, square, total
from verification.enclosure.matrix import Matrix
from verification.flow.finite_law import FiniteLaw


@dataclass(frozen=True, kw_only=True, eq=False)
class DualSolution:
    """The solution at one time.

    Parameters
    ----------
    law : FiniteLaw
    gram : Matrix, shape (n_points, n_points)
        The kernel at the law's points.
    residuals : tuple of Ball, shape (n_atoms,)
        ``y - g_s`` at the atoms.
    coefficients : tuple of Ball, shape (n_atoms,)
        ``w_a c_a(s)``.
    """

    law: FiniteLaw
    gram: Matrix
    residuals: tuple[Ball, ...]
    coefficients: tuple[Ball, ...]

    def value(self, row: Sequence[Ball]) -> Ball:
        """Enclose ``g_s(zeta)`` from the kernel between zeta and the law's points."""
        return total(
            row[atom.place] * c for atom, c in zip(self.law.atoms, self.coefficients, strict=True)
        )

    def loss(self) -> Ball:
        """Enclose ``|g_s - y|^2`` in L2 of the law."""
        return total(
            ball(atom.weight) * square(r)
            for atom, r in zip(self.law.atoms, self.residuals, strict=True)
        )

    def squared_norm(self) -> Ball:
        """Enclose the squared norm of g_s in the Hilbert space of the kernel."""
        sums = [ball(0)] * len(self.law.points)
        for atom, c in zip(self.law.atoms, self.coefficients, strict=True):
            sums[atom.place] = sums[atom.place] + c
        column = Matrix.of_balls([[x] for x in sums])
        return ball((column.transpose() @ self.gram @ column).numbers()[0])


def dual_solution(law: FiniteLaw, gram: Matrix, time: Fraction) -> DualSolution:
    """Solve the limit equation for a finite law.

    Parameters
    ----------
    law : FiniteLaw
    gram : Matrix, shape (n_points, n_points)
        The kernel at the law's points.
    time : Fraction
        ``s = alpha t``.
    """
    size, entries = len(law.atoms), gram.entries()
    s, zero = ball(time), ball(0)
    rows = [
        [
            *(-s * ball(entries[a.place][b.place]) * ball(b.weight) for b in law.atoms),
            s * ball(a.target),
        ]
        for a in law.atoms
    ]
    flow = Matrix.of_balls([*rows, [zero] * (size + 1)]).exponential()
    targets = Matrix.column([*(atom.target for atom in law.atoms), Fraction(0)])
    residuals = [ball(x) for x in (flow @ targets).numbers()]
    integrals = [ball(flow.row(k)[size]) for k in range(size)]
    return DualSolution(
        law=law,
        gram=gram,
        residuals=tuple(residuals[:size]),
        coefficients=tuple(
            ball(atom.weight) * c for atom, c in zip(law.atoms, integrals, strict=True)
        ),
    )
