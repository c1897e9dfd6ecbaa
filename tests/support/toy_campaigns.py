"""Made-up states of campaigns: all kinds of trouble, and names that mean no good."""

from __future__ import annotations

import toy_claims as toys

from verification.campaign.journal import Journal
from verification.campaign.record import Counterexample, Entry, Kept, Moment
from verification.campaign.regimes import all_cells

BEGIN = 1767225600.0
REVISION = "0123456789ab"
EVIL = '<script>alert(1)</script> {{ 7*7 }} " onload="x'
CLAIMS = (
    toys.TRUE,
    toys.SHARED,
    toys.FALSE,
    toys.DISPUTED,
    toys.EMPTY,
    toys.UNMET,
    toys.FAULTY,
    toys.ELSEWHERE,
    toys.SIMULATED,
    toys.UNDECIDABLE,
)


def entry(claim, **changes):
    return Entry(
        **{
            "claim": claim.id,
            "turns": 4,
            "lost": {},
            "seconds": 6.5,
            "verdicts": {"CERTIFIED": 120, "VACUOUS": 9},
            "cells": {cell: 3**k % 400 for k, cell in enumerate(all_cells(claim.kind)[::2])},
            "satisfied": (),
            "kept": (),
            "time": BEGIN + 60,
        }
        | changes
    )


def kept(journal, claim, tightness, *cells, name="coin"):
    digest, _ = journal.keep(claim.id, toys.instance(name), 1)
    return Kept(digest=digest, verdict="CERTIFIED", tightness=tightness, cells=cells)


def rises(*tightness):
    return tuple(Moment(time=BEGIN + 2.0**k, tightness=value) for k, value in enumerate(tightness))


def counterexample(journal, claim, *, done=True, revision=REVISION, cells=("q: 1",)):
    digest, length = journal.keep(claim.id, toys.instance(f"refutes {claim.id}"), 1)
    return Counterexample(
        claim=claim.id,
        side="above",
        first=digest,
        digest=digest,
        cells=cells,
        time="2026-01-01T00:00:07+00:00",
        revision=revision,
        steps=3,
        length=length,
        done=done,
    )


def begun(folder, claims=CLAIMS, revision=REVISION):
    return Journal(
        folder,
        seed=7,
        time="2026-01-01T00:00:00+00:00",
        revision=revision,
        claims=tuple(claim.id for claim in claims),
    )


def sound(folder):
    """Fill a folder with a campaign in which nothing is wrong; return its claims."""
    claims = (toys.TRUE, toys.SHARED, toys.SIMULATED)
    journal = begun(folder, claims)
    for claim, tightness in zip(claims, (0.5, 1.0, 0.25), strict=True):
        first = kept(journal, claim, tightness / 2, "law: atoms", name="die")
        best = kept(journal, claim, tightness, "q: 1", "chain: periodic")
        history = rises(tightness / 4, tightness / 2, tightness)
        journal.note_turn(entry(claim, kept=(first, best), history=history))
    journal.close()
    return claims


def troubled(folder):
    """Fill a folder with a campaign in which everything is wrong; return the claims."""
    journal = begun(folder)
    for claim in (toys.FALSE, toys.DISPUTED):
        journal.note_turn(entry(claim, history=rises(0.5, 1e30)))
        journal.note_counterexample(counterexample(journal, claim, done=claim is toys.FALSE))
    journal.note_turn(entry(toys.TRUE, lost={"it slept": 2}, history=rises(0.1, 0.3)))
    journal.note_turn(entry(toys.EMPTY, verdicts={"VACUOUS": 5}, cells={}))
    journal.note_turn(entry(toys.UNMET, verdicts={"INAPPLICABLE": 5}, cells={}, satisfied=(0,)))
    fault = kept(journal, toys.FAULTY, -1.0, "fault: LookupError")
    journal.note_turn(entry(toys.FAULTY, verdicts={"fault": 2}, cells={}, kept=(fault,)))
    journal.close()
    return CLAIMS


def hostile(folder):
    """Fill a folder with a campaign whose every text is malicious; return the claims."""
    evil = toys.claim(EVIL, title=EVIL, statement=EVIL, formula=EVIL, theorem=EVIL[:40])
    claims = (toys.TRUE, evil)
    journal = begun(folder, (*claims, toys.claim("gone" + EVIL)), revision=EVIL)
    digest, length = journal.keep("T1", toys.instance(EVIL), 1)
    best = Kept(digest=digest, verdict=EVIL, tightness=1e299, cells=(EVIL, "q: 1"))
    fault = Kept(digest=digest, verdict=EVIL, tightness=-1.0, cells=("fault: " + EVIL,))
    journal.note_turn(
        entry(
            toys.TRUE,
            verdicts={EVIL: 3, "CERTIFIED": 1},
            lost={EVIL: 2},
            cells={EVIL: 7},
            kept=(best, fault),
            history=rises(0.5, 1e299),
        )
    )
    journal.note_turn(entry(evil, history=rises(-1e299, 0.25)))
    found = counterexample(journal, toys.TRUE, revision=EVIL, cells=(EVIL,))
    journal.note_counterexample(
        Counterexample(
            **{**vars(found), "time": EVIL, "first": digest, "digest": digest, "length": length}
        )
    )
    journal.close()
    return claims


def empty(folder):
    """Fill a folder with a campaign that was ended before its first turn."""
    begun(folder, (toys.TRUE,)).close()
    return (toys.TRUE,)


STATES = {"sound": sound, "troubled": troubled, "hostile": hostile, "empty": empty}
