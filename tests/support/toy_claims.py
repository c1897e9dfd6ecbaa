"""Claims about nothing in particular, which end in every possible way, and instances for them.

A module of its own, because worker processes import it: what a test module defines they could not
find.
"""

from __future__ import annotations

import copy
import os
import re
import signal
import sys
import time
from concurrent.futures import Executor, Future
from fractions import Fraction
from pathlib import Path

from verification import Instance
from verification.claim import Assumption, Claim, Dispute, Mutant, Vacuity
from verification.enclosure.balls import ball
from verification.statistics.simulation import Simulation
from verification.verdict import EvidenceKind, Relation, Truth
from verification.workers import limit_memory

COIN = {
    "schema": "instance/1",
    "name": "coin",
    "chain": {
        "transition": [["1/2", "1/2"], ["1/2", "1/2"]],
        "inputs": [["1"], ["-1"]],
        "targets": ["1", "0"],
        "initial": 0,
    },
    "activation": {"kind": "tanh"},
    "law": {
        "C": {"kind": "constant", "value": "1"},
        "W": {"kind": "constant", "value": ["1"]},
        "B": {"kind": "uniform", "low": "0", "high": "1"},
    },
}
DROWSY = 600
"""Seconds that a claim sleeps which a test must not wait for."""

MARK = "as it was"


def mark() -> str:
    return MARK


def document(name: str = "coin", **changes):
    """Return an instance's document; ``{"chain.initial": 2}`` changes a member."""
    changed = copy.deepcopy(COIN) | {"name": name}
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = changed
        for parent in parents:
            place = place[parent]
        place[last] = value
    return changed


def instance(name: str = "coin", origin: str | None = None) -> Instance:
    more = {} if origin is None else {"origin": origin}
    return Instance.from_json(document(name) | more)


# Cases and sides


def one_case(_instance, _rng):
    return ("the only case",)


def four_cases(_instance, _rng):
    return ("north", "east", "south", "west")


def drawn_cases(_instance, rng):
    return tuple(Fraction(rng.randrange(1, 10**6), 10**6) for _ in range(5))


def the_case(_instance, case):
    return case


def third(_instance, _case):
    return Fraction(1, 3)


def half(_instance, _case):
    return Fraction(1, 2)


def one(_instance, _case):
    return Fraction(1)


def square_root_of_two(_instance, _case):
    return ball(2).sqrt()


def quarters(generator, count):
    """Draw 1 with probability 1/4, else 0."""
    return (generator.random(count) < 0.25).astype(float)


def simulated_quarter(_instance, _case):
    return Simulation(draw=quarters, lower=Fraction(0), upper=Fraction(1))


def fifth(_instance, _case):
    return Fraction(1, 5)


def quarter(_instance, _case):
    return Fraction(1, 4)


def lost_digits(_instance, _case):
    """Return 1/2 with an error that no precision makes small enough."""
    return 10**400 * (3 * ball(Fraction(1, 3)) - 1) + ball(Fraction(1, 2))


def kills_its_worker(asked, _case):
    """Note the attempt in the file that the instance's origin names, if any; die."""
    if asked.origin is not None:
        with Path(asked.origin).open("a", encoding="utf-8") as file:
            file.write(f"{os.getpid()}\n")
    os.kill(os.getpid(), signal.SIGKILL)


def has_a_fault(_instance, _case):
    raise LookupError("a fault\nof two lines")


class Odd(Exception):  # noqa: N818 - what it is
    """An exception that cannot be sent to another process."""

    def __init__(self, first, second):
        super().__init__(f"{first}{second}")


def raises_what_no_process_can_send(_instance, _case):
    raise Odd("an ", "odd fault")


def exits(_instance, _case):
    sys.exit(0)


def hears_an_interrupt(_instance, _case):
    """Return 1 where Ctrl-C would reach this process, else 1/4."""
    reached = signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    return Fraction(1) if reached else Fraction(1, 4)


def number_of_states(asked, _case):
    return Fraction(asked.chain.n_states)


def share_of_states(asked, _case):
    """Return 0.9 for 9 states, 0.8 for 8: nearer to 1 with every state."""
    return Fraction(min(asked.chain.n_states, 9), 10)


def three(_instance, _case):
    return Fraction(3)


def never(_instance):
    return Truth.FALSE


def the_sky(_instance):
    return "it is blue"


def whatever(_instance):
    return True


def naps(_instance, _case):
    time.sleep(0.3)
    return Fraction(1, 3)


def sleeps(_instance, _case):
    time.sleep(DROWSY)
    return Fraction(1, 3)


def claim(name: str, left=third, right=half, *, cases=one_case, **more) -> Claim:
    return Claim(
        **{
            "id": name,
            "theorem": "toy",
            "title": "A toy",
            "statement": "The left side is at most the right side.",
            "formula": r"l \le r",
            "kind": "instance/1",
            "cases": cases,
            "left": left,
            "right": right,
            "proof": "None.",
            "establishes": "Nothing.",
            "source": "these tests",
            "sharp": (),
            "mutants": (),
        }
        | more
    )


TRUE = claim("T1")
FALSE = claim("F1", left=half, right=third)
DISPUTED = claim(
    "P1",
    left=half,
    right=third,
    disputed=Dispute(refuted_on=("coin",), corrected_by="T1", reading="One half is more."),
)
UPHELD = claim(
    "P2", disputed=Dispute(refuted_on=("coin",), corrected_by="T1", reading="One half is more.")
)
UNDECIDABLE = claim("U1", left=lost_digits, right=one)
DRAWN = claim("D1", left=the_case, right=square_root_of_two, cases=drawn_cases)
KILLER = claim("K1", left=kills_its_worker)
FAULTY = claim("X1", left=has_a_fault)
SLOW = claim("S1", left=sleeps)
TESTED = claim(
    "G1",
    mutants=(
        Mutant(name="swapped", error="the sides swapped", refuted_on=("coin",), left=one),
        Mutant(name="doubled", error="left doubled", refuted_on=("die", "coin"), left=one),
    ),
)
UNTESTED = claim(
    "B1", mutants=(Mutant(name="equal", error="none at all", refuted_on=("coin",), left=half),)
)
SIMULATED = claim(
    "R1",
    left=simulated_quarter,
    evidence=EvidenceKind.SIMULATION,
    mutants=(
        Mutant(name="smaller", error="a fifth", refuted_on=("coin", "die"), right=fifth),
        Mutant(name="sharp", error="none at all", refuted_on=("coin",), right=quarter),
    ),
)
IDENTITY = claim("I1", left=third, right=third, relation=Relation.EQUAL)
CROWDED = claim("C9", left=number_of_states, right=three)
"""False of instances with more than three states."""
SHARED = claim("Z1", left=share_of_states, right=one)
UNMET = claim(
    "V1", assumptions=(Assumption(text="the sky is green", holds=never, offending=the_sky),)
)
EMPTY = claim("V2", vacuities=(Vacuity(reason="nothing is said", holds=whatever),))
ELSEWHERE = claim("W1", kind="another/1")
DEAF = claim("H1", left=hears_an_interrupt)
INTERRUPTED = (TRUE, SLOW, claim("S2", left=sleeps))


def takes(megabytes, _seconds):
    """Take some megabytes, with room for a hundred more than are in use."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    used = 1024 * int(re.search(r"VmData:\s+([0-9]+)", status)[1])
    limit_memory(used + 100 * 2**20)
    return len(bytearray(megabytes * 2**20))


def answers(task, _seconds):
    """Answer a word; the words "dies", "sleeps" and "fault" do what they say."""
    if task == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "sleeps":
        time.sleep(DROWSY)
    if task == "fault":
        raise ValueError
    return f"{task}!"


class Inline(Executor):
    """Runs what is submitted at once, in this process."""

    def __init__(self):
        self.submitted = 0

    def submit(self, fn, /, *args, **kwargs):
        self.submitted += 1
        future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future
