"""One browser for all tests of a process, and the pages that they look at."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from chromium import Browser, program
from toy_campaigns import EVIL, STATES
from toy_runs import broad_run, hostile_run, large_run, toy_claim, troubled_run

from theorems.memory_contraction import M1, M4, M5
from verification import gallery
from verification.campaign.page import write_page
from verification.report.claim_pages import ClaimPages
from verification.report.document import Run, to_document
from verification.report.html import render_html
from verification.runner import Task, run_task

NAMES = ("markov-onegin", "sharp-fixed-point", "critical", "zero-memory")


def real_run():
    """Return a run with figures, as `theorems verify` makes one."""
    claims, instances = (M1, M4, M5), tuple(gallery.load(name) for name in NAMES)
    return Run(
        created="2025-11-20T11:03:00+00:00",
        environment={"seed": 0},
        claims=claims,
        instances=instances,
        results=tuple(
            run_task(Task(claim=claim, instance=instance, seed=0, draw=True), None)
            for claim in claims
            for instance in instances
        ),
    )


RUNS = {
    "real": real_run,
    "large": large_run,
    "broad": broad_run,
    "troubled": troubled_run,
    "hostile": hostile_run,
}


CLAIMS = {
    "real": (M1, M4, M5),
    "hostile": tuple(
        replace(
            toy_claim(name, title=EVIL, theorem=EVIL, proof=EVIL, statement=EVIL, source=EVIL),
            mutants=toy_claim("M1").mutants,
        )
        for name in ("M1", EVIL)
    ),
}


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    executable = program()
    if executable is None:
        reason = "no Chromium on this machine: the page is not tried in a browser"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with Browser(executable, tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    """Return what writes the page of a run or a campaign and returns its address."""
    folder = tmp_path_factory.mktemp("pages")
    known = {}

    def of(name):
        if name.endswith("-index"):
            of(name.removesuffix("-index"))
        if name not in known and name.startswith("campaign-"):
            own = folder / name
            claims = STATES[name.removeprefix("campaign-")](own)
            write_page(claims, own, {"python": "3"}, made="2026-01-01T00:10:00+00:00")
            known[name] = (own / "index.html").as_uri()
        if name not in known and name.startswith("claims-"):
            claims = CLAIMS[name.removeprefix("claims-")]
            pages = ClaimPages(claims, origins={"coin": EVIL}, certifiable={"M1"})
            files = pages.write(folder / name)
            known[name] = files[0].as_uri()
            known[f"{name}-index"] = files[-1].as_uri()
        if name not in known:
            path = folder / f"{name}.html"
            path.write_text(render_html(to_document(RUNS[name]())), encoding="utf-8")
            known[name] = path.as_uri()
        return known[name]

    return of


@pytest.fixture
def open_page(browser, address):
    pages = []

    def opened(name, **size):
        page = browser.open(address(name), **size)
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.__exit__()
