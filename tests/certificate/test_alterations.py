"""Every field of a certificate, altered in turn: none of them passes.

First as the file is damaged: the digest finds every alteration.  Then as a forger would do it, who
writes the digest anew: every number, list and witness that the claim rests on is found out by the
mathematics.  What is left to the forger is to certify less, or something else that is true: to
leave out cases (not to double or to reorder them), to rename the instance, to change what the claim
is not about, and to lie about the versions.
"""

from __future__ import annotations

import json

import pytest
from certificates import alterations, at, made, outcome, paths, sealed

from verification.certificate.check.checking import check_text
from verification.certificate.check.formulas import FORMULAS
from verification.certificate.check.outcome import Invalid, Refused

CHAIN = [("instance", "chain", "transition")]
RESTS_ON = {"E4": CHAIN, "E5": CHAIN, "P1": CHAIN, "P5": CHAIN}
"""What of the instance each claim is about."""

NAME = "hidden-state"


def test_it_is_known_of_every_claim_what_it_rests_on():
    assert RESTS_ON.keys() == FORMULAS.keys()


def some_cases(claim_id):
    """Return a certificate of every third case: every altered one is checked, which adds up."""
    document = made(claim_id, NAME)
    return sealed(document | {"cases": document["cases"][::3]})


@pytest.mark.parametrize("claim_id", FORMULAS)
def test_every_altered_field_is_found(claim_id):
    document = some_cases(claim_id)
    assert outcome(document) == "VALID"
    tried = 0
    for path in paths(document):
        for how, altered in alterations(document, path):
            assert outcome(altered) != "VALID", (path, how)
            tried += 1
    assert tried > 300


@pytest.mark.parametrize("claim_id", FORMULAS)
def test_every_number_is_found_out_under_a_new_digest(claim_id):
    document = some_cases(claim_id)
    inside = [("schema",), ("claim",), ("witness",), ("cases",), *RESTS_ON[claim_id]]
    tried = 0
    for path in paths(document):
        if any(path[: len(place)] == place for place in inside):
            for how, altered in alterations(document, path):
                leaves_cases_out = isinstance(at(document, path[:1]), list) and (
                    (len(path) == 1 and how == "shorter") or (len(path) == 2 and how == "removed")
                )
                if not leaves_cases_out:
                    assert outcome(sealed(altered)) != "VALID", (path, how)
                    tried += 1
    assert tried > 100


@pytest.mark.parametrize("claim_id", FORMULAS)
def test_a_case_left_out_under_a_new_digest_is_not_reported(claim_id):
    document = made(claim_id, NAME)
    fewer = sealed(document | {"cases": document["cases"][1:]})
    whole, part = (check_text(json.dumps(item)) for item in (document, fewer))
    assert part.cases == whole.cases[1:]


def test_what_a_digest_guards_is_named():
    """Versions mean nothing, and a forger may write what he likes there, of the form expected."""
    document = made("P1", NAME)
    document["made_by"]["python"] = "4.0"
    with pytest.raises(Invalid, match="digest: the document was altered"):
        check_text(json.dumps(document))
    assert "python 4.0" in check_text(json.dumps(sealed(document))).made_by
    document["made_by"]["python"] = "4.0\x1b[2J"
    with pytest.raises(Refused, match="control characters"):
        check_text(json.dumps(sealed(document)))
