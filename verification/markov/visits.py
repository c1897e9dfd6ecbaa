"""A chain that knows whether it has been in a certain state."""

from __future__ import annotations

from functools import lru_cache

from verification.instance import Chain


@lru_cache(maxsize=16)
def remembering_visit(chain: Chain, state: int) -> Chain:
    """Return the chain of ``(xi_k, whether one of xi_0, ..., xi_k is the state)``.

    The pair of i and *no* is the state i, that of i and *yes* is ``n_states + i``; so the path from
    i starts in `first_pair`.  Inputs and targets are those of i.
    """
    size = chain.n_states
    before = tuple(
        tuple(sorted((size + j if j == state else j, p) for j, p in row)) for row in chain.rows
    )
    after = tuple(tuple((size + j, p) for j, p in row) for row in chain.rows)
    return Chain(
        rows=before + after,
        inputs=chain.inputs * 2,
        targets=chain.targets * 2,
        initial=first_pair(chain, state, chain.initial),
    )


def first_pair(chain: Chain, state: int, start: int) -> int:
    """Return where a path from a start begins: in the state itself it has been there."""
    return chain.n_states + start if start == state else start
