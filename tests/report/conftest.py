"""Made-up runs, of which everything in a report is made."""

from __future__ import annotations

from dataclasses import replace

import pytest
from toy_runs import (
    HOSTILE,
    RUNS,
    Toy,
    hostile_run,
    toy_claim,
    toy_result,
    toy_run,
    troubled_run,
)

from verification.claim import Dispute
from verification.report.document import to_document


@pytest.fixture
def make_run():
    return toy_run


@pytest.fixture
def make_claim():
    return toy_claim


@pytest.fixture
def make_result():
    return toy_result


@pytest.fixture
def make_toy():
    return Toy


@pytest.fixture
def troubled():
    return troubled_run()


@pytest.fixture(params=RUNS)
def any_run(request):
    """Each of the runs in turn."""
    return RUNS[request.param]()


@pytest.fixture
def any_document(any_run):
    return to_document(any_run)


@pytest.fixture
def document():
    return to_document(toy_run())


@pytest.fixture
def troubled_document(troubled):
    return to_document(troubled)


@pytest.fixture
def hostile_document():
    return to_document(hostile_run())


@pytest.fixture(params=HOSTILE)
def hostile_name(request):
    return request.param


@pytest.fixture
def disputed():
    """Return what makes a small run whose second claim is disputed, with a verdict on one coin."""

    def run(verdict):
        dispute = Dispute(
            refuted_on=("coin",), corrected_by="M1", reading="Its authors may be right elsewhere."
        )
        claims = (toy_claim("M1"), toy_claim("E1", disputed=dispute))
        small = toy_run(claims=claims)
        results = [
            replace(result, verdict=verdict) if result.claim == "E1" else result
            for result in small.results
            if result.claim == "M1" or result.instance == "coin"
        ]
        return to_document(replace(small, results=tuple(results)))

    return run
