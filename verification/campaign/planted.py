"""Bugs planted on purpose: mutants are to be refuted by search alone, without a known instance.

The same turns as in a campaign, one after the other in this process and with nothing on disk, until
one of them refutes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from verification.campaign.sharing import Sharing
from verification.campaign.turns import (
    CHANGED,
    FRESH,
    TURN_SECONDS,
    Example,
    Turn,
    level_of,
    sharper,
    take_turn,
    turn_seed,
)
from verification.claim import AnyClaim, Mutant
from verification.statistics.ledger import RUN_LEVEL

_PARENTS = 8


@dataclass(frozen=True, kw_only=True)
class Hunt:
    """What a search for the refutation of a mutant came to.

    Parameters
    ----------
    refuted : Example or None
    seconds : float
    examples : int
    verdicts : dict
        Number of examples by verdict.
    tightness : float
        The largest of an example that did not refute; -1 where there was none.
    source : str
        Of the refuting turn.
    """

    refuted: Example | None
    seconds: float
    examples: int
    verdicts: dict[str, int]
    tightness: float
    source: str


def hunt(claim: AnyClaim, mutant: Mutant[object, object], *, seconds: float, seed: int) -> Hunt:
    """Search for an instance that refutes a mutant."""
    started = time.monotonic()
    sharing = Sharing((*FRESH[claim.kind], CHANGED))
    numbers: dict[str, int] = {}
    tightest: dict[str, Example] = {}
    verdicts: dict[str, int] = {}
    refuted, source, turns = None, "", 0
    while refuted is None and (left := seconds - (time.monotonic() - started)) > 0:
        source = sharing.begin(TURN_SECONDS, but_not=() if tightest else (CHANGED,))
        number = numbers[source] = numbers.get(source, -1) + 1
        parents = sorted(
            {id(example): example for example in tightest.values()}.values(),
            key=lambda example: -example.tightness,
        )
        # The tightest of all, and of the others some in turn.
        rest = parents[1:]
        turned = rest[number % len(rest) :] + rest[: number % len(rest)] if rest else []
        found = take_turn(
            Turn(
                claim=claim,
                mutant=mutant,
                source=source,
                number=number,
                seed=turn_seed(seed, claim.id, mutant.name, source, number),
                level=level_of(turns, RUN_LEVEL),
                tightest=tuple(e.subject for e in (parents[:1] + turned)[:_PARENTS]),
                records={cell: example.tightness for cell, example in tightest.items()},
            ),
            min(TURN_SECONDS, left),
        )
        turns += 1
        discoveries = 0
        for example in found.kept:
            for cell in example.cells:
                former = tightest.get(cell)
                if former is None or example.tightness > former.tightness:
                    record = None if former is None else former.tightness
                    discoveries += sharper(example.tightness, record)
                    tightest[cell] = example
        for name, count in found.verdicts.items():
            verdicts[name] = verdicts.get(name, 0) + count
        sharing.end(source, seconds=found.charged, discoveries=discoveries)
        refuted = found.refuted
    return Hunt(
        refuted=refuted,
        seconds=time.monotonic() - started,
        examples=sum(verdicts.values()),
        verdicts=verdicts,
        tightness=max((example.tightness for example in tightest.values()), default=-1.0),
        source=source if refuted else "",
    )
