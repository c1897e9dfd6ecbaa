"""Linear networks in doubles: candidates of which nothing is promised, and nothing is believed."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm, schur

from verification.instance import Vector
from verification.linear_functional import Network
from verification.linear_rnn.searching import exactly, finite, searching

_WORST_CONDITIONING = 1e6


@searching("the kernel of the network, for its signs,")
def kernel_estimate(network: Network, times: Sequence[float]) -> NDArray[np.float64]:
    """Return the kernel, shape ``(len(times), channels)``."""
    w, u, c = (np.array(x, dtype=np.float64) for x in (network.w, network.u, network.c))
    moved: NDArray[np.float64] = expm(finite(np.multiply.outer(np.array(times), w.T)))
    return finite(moved @ c @ u)


@searching("the largest real part of an eigenvalue")
def spectral_abscissa_estimate(network: Network) -> float:
    """Return about the largest real part of an eigenvalue of W."""
    return float(np.linalg.eigvals(np.array(network.w, dtype=np.float64)).real.max())


@searching("a basis in which the network forgets")
def forgetting_basis(rows: tuple[Vector, ...]) -> list[list[Fraction]]:
    """Return approximate eigenvectors, or where they are no basis scaled Schur vectors.

    Of a complex pair it takes the real and the imaginary part.  In a Schur basis W is triangular;
    scaling the k-th vector by delta^k shrinks what stands above the diagonal, to a quarter of the
    distance of the spectrum from the imaginary axis.
    """
    w = np.array(rows, dtype=np.float64)
    values, vectors = np.linalg.eig(w)
    columns = np.where(values.imag >= 0, vectors.real, vectors.imag)
    if np.linalg.cond(columns) > _WORST_CONDITIONING:
        triangle, columns = schur(finite(w))
        above = np.abs(np.triu(triangle, 1)).sum()
        gap = -values.real.max()
        delta = min(1.0, gap / (4 * above)) if above > 0 and gap > 0 else 1.0
        columns = columns * delta ** np.arange(len(w))
    return [[exactly(x) for x in row] for row in columns]
