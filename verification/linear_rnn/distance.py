"""How far the kernel of a linear network is from a target, in L1."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from verification.deadline import heed_deadline
from verification.enclosure.balls import (
    PRECISIONS,
    Between,
    ball,
    less_equal,
    precision,
    total_between,
)
from verification.enclosure.matrix import Matrix
from verification.errors import NotEnclosed
from verification.instance import Vector
from verification.linear_functional import Network, Part
from verification.linear_rnn.network import exponential_parts, kernel_channel
from verification.linear_rnn.norm import l1_norm
from verification.linear_rnn.pieces import Function, QuasiPolynomial, of_parts
from verification.verdict import Truth


def difference(target: Sequence[Sequence[Part]], network: Network) -> tuple[Function, ...]:
    """Return ``rho - rho_hat``, one function a channel; what cancels exactly is gone."""
    opposite = Network(w=network.w, u=network.u, c=tuple(-x for x in network.c))
    found = []
    for i, parts in enumerate(target):
        u = tuple(row[i] for row in opposite.u)
        of_network = exponential_parts(opposite.w, u, opposite.c)
        if of_network is not None:
            found.append(of_parts([*parts, *of_network]))
        elif _are_opposite(of_parts(parts), opposite, u):
            found.append(())
        else:
            found.append((*of_parts(parts), *kernel_channel(opposite, i)))
    return tuple(found)


@lru_cache(maxsize=256)
def distance(
    target: tuple[tuple[Part, ...], ...],
    network: Network | None,
    at_precision: int,
    bits: int = 16,
    least_precision: int = PRECISIONS[0],
) -> Between:
    """Enclose ``||rho - rho_hat||``, the upper bound to about ``2**-bits`` of it.

    No network is the zero network.  Errors are compared with bounds that leave a few per cent
    between, at the least.  Where `least_precision` suffices for so many bits no more is used.
    """
    if least_precision < at_precision:
        try:
            with precision(least_precision):
                found = distance(target, network, least_precision, bits, least_precision)
                spare = found.lower / 2**bits - (found.upper - found.lower)
                if less_equal(ball(0), spare) is Truth.TRUE:
                    return found
        except NotEnclosed:
            heed_deadline()
    if network is None:
        functions = tuple(of_parts(parts) for parts in target)
    else:
        functions = difference(target, network)
    with precision(at_precision):
        norms = [l1_norm(function, bits=bits) for function in functions]
        return total_between(norms)


def _are_opposite(function: Function, network: Network, u: Vector) -> bool:
    """Tell whether a channel of the kernel and a function add up to zero, exactly.

    Of two kernels of networks of widths m and n the sum solves a linear equation of order m + n: it
    is zero if and only if so many of its derivatives vanish at 0.
    """
    if not function:
        return not any(u) or not any(network.c)
    if len(function) > 1 or not isinstance(function[0], QuasiPolynomial):
        return False
    moves, state = Matrix.exact(network.w).transpose(), Matrix.column(network.c)
    for value in function[0].derivatives_at_zero(function[0].order + network.width):
        if (Matrix.exact([u]) @ state).numbers()[0] != -value:
            return False
        state = moves @ state
    return True
