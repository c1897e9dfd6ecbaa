"""Every field of a certificate, altered in turn: none of them passes.

First as the file is damaged: the digest finds every alteration.  Then as a forger would do it, who
writes the digest anew: every number, list and witness that the claim rests on is found out by the
mathematics.  What is left to the forger is to certify less, or something else that is true: to
leave out cases (not to double or to reorder them), to rename the instance, to change what the claim
is not about or says to be forgotten, and to lie about the versions.  Of the second kind's witnesses
some can be replaced by others that show the same: bases, and the last digits of inputs, of places,
of networks and of bounds of singular values.  Where such a one is altered, the
checker shows what it showed.
"""

from __future__ import annotations

import json
from functools import lru_cache

import pytest
from certificates import alterations, at, lopsided, made, outcome, paths, sealed

from verification.certificate.check.checking import check_text
from verification.certificate.check.formulas import FORMULAS
from verification.certificate.check.outcome import Invalid, Refused

CHAIN = [("instance", "chain", "transition")]
NETWORK = [("instance", "network")]
TARGET = [("instance", "target")]
SMOOTH = [("instance", "target", 0, 0), ("instance", "target", 0, 1), ("instance", "beta")]
TRAINING = [("instance", "training")]
UNIT = [("instance", "activation"), ("instance", "law", "W"), ("instance", "law", "B")]
SEEN = [("instance", "chain", "inputs"), ("instance", "chain", "targets")]
RATES = [("instance", "training", "alpha"), ("instance", "training", "beta")]
ATOM = ("instance", "law", "atoms", 0)
RESTS_ON = {
    "A1": UNIT[:1],
    "A2": UNIT[:1],
    # Some memory makes up for the mean of W: the supremum does not depend on it.
    "M1": [UNIT[0], ("instance", "law", "W", "std"), UNIT[2]],
    "M2": UNIT,
    "M3": UNIT,
    "M4": UNIT,
    "M5": UNIT,
    "M6": [UNIT[0], (*ATOM, "W"), (*ATOM, "B"), (*ATOM, "p")],
    "E1": [*CHAIN, *UNIT, ("instance", "chain", "inputs")],
    "E2": [*CHAIN, *UNIT, ("instance", "chain", "inputs")],
    "E3": [*CHAIN, *UNIT, ("instance", "chain", "inputs")],
    "E4": CHAIN,
    "E5": CHAIN,
    "E6": CHAIN,
    "P1": CHAIN,
    "P2": CHAIN,
    "P3": CHAIN,
    "P4": CHAIN,
    "P5": CHAIN,
    "P6": CHAIN,
    "P6M": CHAIN,
    "P7": [*CHAIN, *UNIT, *SEEN],
    "K1": [*UNIT[:2], SEEN[0]],
    "K2": UNIT[:2],
    "K3": UNIT[:2],
    "K4": [*UNIT[:2], SEEN[0]],
    "K5": [*UNIT[:2], SEEN[0]],
    "O1": [*CHAIN, *UNIT, *SEEN],
    "O2": [*CHAIN, *UNIT, *SEEN],
    # Its law there is mu_0, all of whose memories are 0.
    "O3": [*CHAIN, *UNIT[:2], *SEEN],
    "O4": [*CHAIN, *UNIT, *SEEN],
    "O5": [*CHAIN, *UNIT, *SEEN],
    "T1": [UNIT[0], *SEEN, *RATES],
    "T2": [UNIT[0], *SEEN, *RATES],
    "T3": [UNIT[0], *SEEN, *RATES],
    "T4": [*UNIT[:2], ("instance", "law", "C"), SEEN[0], RATES[1]],
    "T7": [UNIT[0], *SEEN, *RATES],
    "T7Z": [UNIT[0], *SEEN, *RATES],
    "T8": [UNIT[0], *SEEN, *RATES],
    # Of the targets the sizes matter, not the signs.
    "T5": [*CHAIN, *UNIT, ("instance", "law", "C"), SEEN[0], *TRAINING],
    "T6D": [*UNIT[:2], SEEN[0]],
    "C1": NETWORK,
    "C1S": NETWORK,
    "C6": [*TARGET, *NETWORK],
    "C4": TARGET,
    "C4B": TARGET,
    "C4K": TARGET,
    "C4Q": TARGET,
    "C4T": TARGET,
    "C2": SMOOTH,
    "C2P": SMOOTH,
    "C7G": [*TARGET, *TRAINING],
    "C7": [*TARGET, *TRAINING],
    "C7E": [*TARGET, *TRAINING],
    "C7L": [*TARGET, *TRAINING],
    # The ball's radius is only the most that a trap's may be.
    "C7T": [*TARGET, (*TRAINING[0], "bump"), (*TRAINING[0], "delays")],
    "C3": TARGET,
    "C5": [("instance", "target", 0, 0, "exponent")],
    "C5W": [("instance", "target", 0, 0, "exponent")],
    "C5L": [("instance", "target", 0, 0, "exponent")],
}
"""What of the instance every case of a claim is about (not each case meets every input)."""

REMEMBERED = 6
"""After so many inputs nothing is left of what came before to the digits stated: q = 1/8."""

ANY_WILL_DO = [("witness", "grid"), ("witness", "weights")]
"""A grid of memories and a law there: not what a claim says, but what makes it easy to check."""

EVERY = {
    "M3": 8,
    "P3": 20,
    "P4": 30,
    "P6M": 20,
    "T1": 6,
    "K4": 1,
    "T7Z": 1,
    "T8": 9,
    "M4": 7,
    "M6": 4,
    "M5": 8,
    "E1": 6,
    "O1": 5,
    "O2": 2,
    "O4": 4,
    "O5": 2,
    "T6D": 1,
    "C1S": 4,
    "C3": 6,
}
"""Every so manieth case is altered, or every third: each altered one is checked, which adds up."""

REPLACEABLE = {
    # The last digits of doubles, which no stated error resolves, and of what encloses a number.
    "K2": ("points", "matrix", "error", "eigenvalue"),
    "K3": ("first", "second", "entry", "error", "width"),
    # A network that none of the cases names.
    **dict.fromkeys(("T1", "T2", "T3", "T7", "T7Z"), ("networks",)),
    # The difference may be largest before the last step.
    "T8": ("units", "path"),
    # Of thirty inputs the first are forgotten.
    "M6": ("word",),
    # The mean square of the largest sum is known to one or two digits.
    "P3": ("start",),
    "P6M": ("start",),
    # The last of sixty bits of what bounds suprema.
    "T5": ("bounds",),
    # U is as steep between memories a little farther apart.
    "P7": ("distance",),
    # With two states the values exchanged are those of a constant less f.
    "P4": ("observable",),
    # On every strip that is narrow enough the logistic function is at most 1.
    "A2": ("width",),
    "C1": ("basis",),
    "C1S": ("basis", "input"),
    "C6": ("basis", "rate", "height", "ends"),
    "C4": ("places", "network"),
    "C4B": ("places", "network"),
    "C4K": ("places", "network"),
    "C4Q": ("form", "network"),
    "C4T": ("places", "network"),
    "C2": ("coefficients",),
    "C2P": ("places", "network"),
    "C3": ("network",),
    "C5W": ("step", "first"),
    "C7G": ("offset", "height"),
    "C7": ("size", "pieces", "inside", "outside"),
    "C7E": ("size", "weight", "pieces", "inside", "outside"),
    "C7L": ("pieces", "inside"),
    "C7T": ("radius", "pieces", "stiffness", "rest", "within"),
    "C5L": ("error", "place", "rates", "coefficients", "changes"),
}
"""Members of which another value may show the same."""

EVERY_REPLACEABLE = {
    "K2": 12,
    "K3": 6,
    **dict.fromkeys(("T1", "T2", "T3", "T7", "T7Z"), 150),
    "M6": 3,
    "T8": 40,
    "T5": 4,
    "C3": 8,
    "C4K": 60,
    "C4Q": 8,
    "C4T": 5,
    "C6": 80,
    "C5L": 5,
    "C7": 60,
    "C7E": 60,
    "C7L": 60,
    "C7T": 900,
}
"""Every so manieth field of these is altered: there are hundreds."""


def test_it_is_known_of_every_claim_what_it_rests_on():
    assert RESTS_ON.keys() == FORMULAS.keys()


def some_cases(claim_id):
    """Return a certificate of some of the cases."""
    document = made(claim_id, lopsided(claim_id))
    return of_cases(document, document["cases"][:: EVERY.get(claim_id, 3)])


def of_cases(document, cases):
    """Return a certificate of other cases, with the networks that these name."""
    witness = document["witness"]
    widths = {item["case"].get("width") for item in cases}
    for key in {"networks", "units"} & witness.keys():
        named = [x for x in witness[key] if x.get("width", len(x["C"])) in widths]
        witness = witness | {key: named}
    return sealed(document | {"cases": cases, "witness": witness})


def some_paths(document):
    """List the paths of all fields, of long vectors and of a flow's pieces some."""
    for path in paths(document):
        is_far = "pieces" in path[:-1] and path[path.index("pieces") + 1] % 10
        is_one = path[:2] in ANY_WILL_DO and isinstance(path[-1], int) and path[-1] % 50
        if not is_far and not is_one:
            yield path


def is_forgotten(document, path):
    """Tell whether a memory, or an input, is so long past that by the claim it hardly matters."""
    if path[-2:] == ("case", "memory"):
        return True
    return "past" in path[:-1] and path[-1] < len(at(document, path[:-1])) - REMEMBERED


@lru_cache(maxsize=4)
def shown_by(text):
    """Return both sides of all cases of a valid certificate."""
    return [(case.left, case.right) for case in check_text(text).cases]


def says_nothing_else(document, altered):
    """Assert that an altered certificate, if it is valid, shows what the first one did."""
    if outcome(altered) == "VALID":
        assert shown_by(json.dumps(document)) == shown_by(json.dumps(altered))


@pytest.mark.parametrize("claim_id", FORMULAS)
def test_every_altered_field_is_found(claim_id):
    document = some_cases(claim_id)
    assert outcome(document) == "VALID"
    tried = 0
    for path in some_paths(document):
        for how, altered in alterations(document, path):
            assert outcome(altered) != "VALID", (path, how)
            tried += 1
    assert tried > 25


@pytest.mark.parametrize("claim_id", FORMULAS)
def test_every_number_is_found_out_under_a_new_digest(claim_id):
    document = some_cases(claim_id)
    inside = [("schema",), ("claim",), ("witness",), ("cases",), *RESTS_ON[claim_id]]
    tried, skipped = 0, EVERY_REPLACEABLE.get(claim_id, 1)
    for number, path in enumerate(paths(document)):
        is_replaceable = bool(set(path) & set(REPLACEABLE.get(claim_id, ())))
        if is_replaceable and number % skipped:
            continue
        is_free = path[:2] in ANY_WILL_DO
        if any(path[: len(place)] == place for place in inside) and not is_free:
            for how, altered in alterations(document, path):
                leaves_cases_out = isinstance(at(document, path[:1]), list) and (
                    (len(path) == 1 and how == "shorter") or (len(path) == 2 and how == "removed")
                )
                if leaves_cases_out or is_forgotten(document, path):
                    continue
                if is_replaceable:
                    says_nothing_else(document, sealed(altered))
                else:
                    assert outcome(sealed(altered)) != "VALID", (path, how)
                    tried += 1
    assert tried > 25


@pytest.mark.parametrize("claim_id", FORMULAS)
def test_a_case_left_out_under_a_new_digest_is_not_reported(claim_id):
    document = made(claim_id, lopsided(claim_id))
    fewer = of_cases(document, document["cases"][:-1] or document["cases"])
    whole, part = (check_text(json.dumps(item)) for item in (document, fewer))
    assert part.cases == (whole.cases[:-1] or whole.cases)


def test_what_a_digest_guards_is_named():
    """Versions mean nothing, and a forger may write what he likes there, of the form expected."""
    document = made("P1", lopsided("P1"))
    document["made_by"]["python"] = "4.0"
    with pytest.raises(Invalid, match="digest: the document was altered"):
        check_text(json.dumps(document))
    assert "python 4.0" in check_text(json.dumps(sealed(document))).made_by
    document["made_by"]["python"] = "4.0\x1b[2J"
    with pytest.raises(Refused, match="control characters"):
        check_text(json.dumps(sealed(document)))
