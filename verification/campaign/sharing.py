"""How time is shared between several searches by what they still discover.

**The rule.**  A search that discovered something d times in its last t seconds discovers, in the
next second, about d/t times: the estimate of Good and Turing of the chance that a further draw
shows what none has shown, with time in place of draws.  Both d and t are forgotten, by half after
`MEMORY_SECONDS` of the search's own time, because what there is to discover runs out.  A part
`EVEN` of the time is shared evenly, the rest in proportion to (d + 1)/(t + PRIOR_SECONDS).

**Why not all of it by discovery.**  What is looked for above all, a counterexample, is discovered
once; that nothing has been found for hours is no reason to look no more.  With n searches each has
at least EVEN/n of the time for ever, so none of them starves, and a search that discovers twice as
much per second has at most twice as much of the rest: one lucky hour captures nothing.

**How.**  By strides, without a draw: each search has a clock that advances by its seconds divided
by its share, and the next turn is that of the clock furthest behind.  In the long run the seconds
are proportional to the shares whatever the lengths of the turns, and any number of workers may
take turns at a time.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

EVEN = 0.5
MEMORY_SECONDS = 60.0
PRIOR_SECONDS = 5.0
SHORTEST_TURN = 1e-3

K = TypeVar("K", bound=Hashable)


@dataclass(kw_only=True)
class _Record:
    discoveries: float = 0.0
    seconds: float = 0.0
    clock: float = 0.0
    under_way: int = 0

    def rate(self) -> float:
        return (self.discoveries + 1) / (self.seconds + PRIOR_SECONDS)


class Sharing(Generic[K]):
    """Whose turn it is, among searches with names; see the module's docstring.

    Parameters
    ----------
    names : iterable
        At least one; the first turns are theirs in this order.
    """

    def __init__(self, names: Iterable[K]) -> None:
        self._records = {name: _Record() for name in names}

    def begin(self, expected_seconds: float, *, but_not: Container[K] = ()) -> K:
        """Return the search whose turn it is, and take note that the turn has begun."""
        shares = self.shares()
        # What is under way counts as done, so that two workers do not take the same turn.
        name = min(
            (item for item in self._records if item not in but_not),
            key=lambda item: (
                self._records[item].clock
                + self._records[item].under_way * expected_seconds / shares[item]
            ),
        )
        self._records[name].under_way += 1
        return name

    def end(self, name: K, *, seconds: float, discoveries: int) -> None:
        """Take note of what a turn took and discovered."""
        share = self.shares()[name]
        record = self._records[name]
        record.under_way -= 1
        spent = max(seconds, SHORTEST_TURN)
        record.clock += spent / share
        kept = 0.5 ** (spent / MEMORY_SECONDS)
        record.discoveries = kept * record.discoveries + discoveries
        record.seconds = kept * record.seconds + spent

    def shares(self) -> dict[K, float]:
        """Return the part of the time that each search is to have; their sum is 1."""
        rates = {name: record.rate() for name, record in self._records.items()}
        total = sum(rates.values())
        return {name: EVEN / len(rates) + (1 - EVEN) * rate / total for name, rate in rates.items()}
