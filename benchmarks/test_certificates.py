"""Making a certificate and checking it, in turn in the same run: checking must be the cheaper one.

Each claim on every instance of the gallery on which it can be certified, in one process that has
everything loaded; the certificates' sizes and the outcomes stand beside.
"""

from __future__ import annotations

import time

import pytest

from theorems import CLAIMS
from verification import gallery
from verification.certificate.check.checking import check_text
from verification.certificate.check.formulas import FORMULAS
from verification.certificate.writing import NotCertified, certificate, to_bytes
from verification.verdict import Verdict


@pytest.mark.parametrize("claim_id", FORMULAS)
@pytest.mark.benchmark(group="certificates: check / make")
def test_checking_is_cheaper_than_making(benchmark, claim_id):
    claim = next(claim for claim in CLAIMS if claim.id == claim_id)
    spent: dict[str, float] = {"make": 0.0, "check": 0.0}
    valid, left_out, size = 0, [], 0

    def through():
        nonlocal valid, size
        for subject in gallery.load_all(claim.kind):
            started = time.process_time()
            try:
                text = to_bytes(certificate(claim, subject)).decode()
            except NotCertified as error:
                if error.verdict in {None, Verdict.UNDECIDED}:
                    left_out.append(subject.name)
                continue
            made = time.process_time()
            check_text(text)
            spent["make"] += made - started
            spent["check"] += time.process_time() - made
            valid, size = valid + 1, size + len(text)

    benchmark.pedantic(through, rounds=1)
    benchmark.extra_info |= {
        "check / make": spent["check"] / spent["make"],
        "valid": valid,
        "certified, but without a certificate": left_out,
        "bytes": size,
    }
