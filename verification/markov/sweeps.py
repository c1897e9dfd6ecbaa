"""Approximate laws and Poisson solutions of fast chains, by sweeps in single precision.

Corrections solve for a residual: ``d (I - P) = e`` for a law, ``d - P d = rho - c`` for a Poisson
solution.  Where the chain mixes fast the Neumann series ``sum_k e P^k`` converges in some dozen
sweeps, that is products with P, whatever the number of states.  A correction need not be accurate,
since the next residual is taken in double precision, so that the sweeps are made in single
precision at little more than half the cost.  With a damping w below 1, P is replaced by
``(1 - w) I + w P``, which has the same law, is aperiodic, and gives
``(I - P)^-1 = w (I - ((1 - w) I + w P))^-1``.

Nothing here is proved: `verification.markov.hitting` bounds the errors of what comes out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from verification.markov.rounded import Array, RoundedChain

Term: TypeAlias = npt.NDArray[np.float32] | Array

_SINGLE = 2**17
"""From so many entries on sweeps are in single precision; below, calls are what takes time."""

_REDUCTION = {4: 2.0**-18, 8: 2.0**-46}
"""What one correction can reduce a residual by, in numbers of so many bytes."""

_CHECK = 4
_MOST_SWEEPS = 256
_FIRST_LOOK = 8
_SHARE = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Sweeps:
    """Neumann series with a chain's matrix.

    Parameters
    ----------
    chain : RoundedChain
    damping : float
        The share w of P in a sweep.
    patience : int
        After so many sweeps it is extrapolated from the last half of them, a multiple of 8, whether
        the limit will be met.
    limit : int
        After so many sweeps for one correction the chain counts as slow.
    """

    chain: RoundedChain
    damping: float
    patience: int
    limit: int

    @property
    def route(self) -> str:
        """How solutions are found."""
        return "sweeps" if self.damping == 1 else "damped sweeps"

    def start(self) -> Array:
        """Return the law that corrections start from."""
        n_states = self.chain.n_states
        return np.full(n_states, 1 / n_states)

    def correct_law(self, residual: Array, reduction: float) -> tuple[Array, int] | None:
        """Return an estimate of d with ``d (I - P) = e``; None where the chain is slow."""
        return self._series(sweeping_matrix(self.chain).T, residual, reduction, _largest)

    def correct_poisson(self, residual: Array, reduction: float) -> tuple[Array, int] | None:
        """Return an estimate of d with ``d - P d = rho`` up to constants; None where slow."""
        return self._series(sweeping_matrix(self.chain), residual, reduction, _spread)

    def hitting_times(self, law: Array) -> tuple[int, Array, int] | None:
        """Return the likeliest state r with a multiple of about its hitting times; None where slow.

        Notes
        -----
        ``S = sum_{k<K} P^k 1_r`` satisfies ``P S - S = P^K 1_r`` off r, so that ``g = S(r) - S`` is
        a supersolution as soon as r is reached in K steps from everywhere, and a good one when the
        chance of it is nowhere much below pi(r).
        """
        forward = sweeping_matrix(self.chain)
        state = int(law.argmax())
        enough = _SHARE * law[state]
        visits = np.zeros(law.size, dtype=forward.dtype)
        weight = self.damping
        for sweep in range(1, self.limit + 1):
            after = forward @ visits
            after[state] += 1
            if sweep >= _FIRST_LOOK and sweep % 2 == 0:
                gain = after - visits
                gain[state] = 1
                if gain.min() >= enough:
                    wide = visits.astype(np.float64)
                    return state, wide[state] - wide, sweep
            visits = after if weight == 1 else visits + weight * (after - visits)
        return None

    def _series(
        self,
        matrix: Any,  # noqa: ANN401 - any array or sparse array
        residual: Array,
        reduction: float,
        measure: Callable[[Term], float],
    ) -> tuple[Array, int] | None:
        scale = float(np.abs(residual).max())
        if not scale:
            return np.zeros_like(residual), 0
        reduction = max(reduction, _REDUCTION[matrix.dtype.itemsize])
        term = (residual / scale).astype(matrix.dtype)
        total = term.copy()
        sizes = [measure(term)]
        weight = self.damping
        for sweep in range(1, self.limit + 1):
            after = matrix @ term
            term = after if weight == 1 else term + weight * (after - term)
            total += term
            if sweep % _CHECK:
                continue
            sizes.append(measure(term))
            left = sizes[-1] / (reduction * sizes[0])
            if left <= 1:
                return (scale * self.damping) * total.astype(np.float64), sweep
            if sweep >= self.patience:
                window = self.patience // 2
                ratio = sizes[-1] / sizes[-1 - window // _CHECK]
                rest = -log(left) / log(ratio) if ratio < 1 else float(self.limit)
                if sweep + rest * window > self.limit:
                    return None
        return None


def sweeps(chain: RoundedChain) -> tuple[Sweeps, Sweeps]:
    """Return the plain sweeps and the damped ones, for chains that are nearly periodic."""
    if isinstance(chain.matrix, np.ndarray):
        # A sweep costs n^2, a factorisation n^3 at some tenth of the price of an operation.
        patience, limit = 16, 32 + chain.n_states // 24
    else:
        patience, limit = 32, _MOST_SWEEPS
    plain, damped = (
        Sweeps(chain=chain, damping=damping, patience=patience, limit=limit)
        for damping in (1.0, 0.5)
    )
    return plain, damped


def sweeping_matrix(chain: RoundedChain) -> Any:  # noqa: ANN401 - an array or a sparse array
    """Return the matrix, in single precision where it is large.

    It takes the time of a sweep, so that none is kept.
    """
    matrix = chain.matrix
    if chain.n_entries < _SINGLE:
        return matrix
    if isinstance(matrix, np.ndarray):
        return matrix.astype(np.float32)
    from scipy.sparse import csr_array  # noqa: PLC0415 - heavy, and for large chains only

    # Unlike those of `astype`, the indices are shared.
    data = matrix.data.astype(np.float32)
    return csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def _largest(term: Term) -> float:
    return float(np.abs(term).max())


def _spread(term: Term) -> float:
    return float(term.max() - term.min())
