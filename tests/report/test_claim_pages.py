"""Pages of claims: what they say is what the claim says, and their links lead somewhere."""

from __future__ import annotations

import html
import re

import pytest

from theorems import CLAIMS
from verification import gallery
from verification.certificate.check.formulas import FORMULAS
from verification.cli import main
from verification.report.claim_pages import ClaimPages


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("claims")
    origins = {subject.name: subject.origin for subject in gallery.load_all()}
    ClaimPages(CLAIMS, origins=origins, certifiable=FORMULAS).write(out)
    return out


def words(text):
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", text)).split())


def test_there_is_a_page_for_each_claim_and_every_link_leads_somewhere(folder):
    pages = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert len(pages) == len(CLAIMS) + 1
    for name, text in pages.items():
        for link in re.findall(r'href="([^"]*)"', text):
            file, _, part = link.partition("#")
            assert not part or f'id="{part}"' in pages[file or name], (name, link)
            assert file in {"", *pages}, (name, link)
    listed = set(re.findall(r'href="(claim-[^"]*)"', pages["index.html"]))
    assert listed == pages.keys() - {"index.html"}


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_page_says_what_the_claim_says(folder, claim):
    text = (folder / f"claim-{claim.id.lower()}.html").read_text(encoding="utf-8")
    told = words(text)
    plain = words(claim.title)
    assert f"{claim.id} {plain}" in told
    assert claim.source.split(";")[0] in told
    assert "<math" in text
    for mutant in claim.mutants:
        assert mutant.name in told
        for name in mutant.refuted_on:
            assert name in told
            origin = gallery.load(name).origin
            assert origin is None or " ".join(origin.split())[:80] in told
    for other in claim.uses:
        assert f'href="claim-{other.lower()}.html"' in text
    assert f"theorems verify --claim {claim.id}" in told
    assert ("theorems check" in told) is (claim.id in FORMULAS)
    assert text.count("<tr>") >= len(claim.constants) + len(claim.mutants)


def test_the_command_writes_one_page_or_all(tmp_path, capsys):
    for arguments, number in ((["show", "M1", "--html"], 1), (["show", "--html"], len(CLAIMS) + 1)):
        out = tmp_path / str(number)
        with pytest.raises(SystemExit) as stop:
            main(CLAIMS, [*arguments, "--out", str(out)])
        assert stop.value.code == 0
        assert capsys.readouterr().out.startswith(f"wrote {out}")
        assert len(list(out.iterdir())) == number
    alone = (tmp_path / "1" / "claim-m1.html").read_text(encoding="utf-8")
    assert {link[0] for link in re.findall(r'href="([^"]*)"', alone)} == {"#"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show"], "CLAIM: is missing"),
        (["show", "M1", "--html", "--json"], "--html: cannot be given with --json"),
        (["show", "M99", "--html"], "CLAIM: is 'M99', expected one of"),
    ],
)
def test_bad_usage_is_one_line(tmp_path, capsys, arguments, said):
    with pytest.raises(SystemExit) as stop:
        main(CLAIMS, [*arguments, *(["--out", str(tmp_path)] if "--html" in arguments else [])])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert list(tmp_path.iterdir()) == []
