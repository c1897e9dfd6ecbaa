"""The page of a campaign: what comes first, what is told of each claim, and when it is written."""

from __future__ import annotations

import html
import json
import re

import pytest
import toy_campaigns as campaigns
import toy_claims as toys

from verification.campaign import page as pages
from verification.campaign.history import searched_before
from verification.campaign.journal import read_folder
from verification.campaign.page import render_page, renewed_page, sharpest, write_page
from verification.campaign.record import Record, Start
from verification.campaign.regimes import all_cells
from verification.campaign.summary import summarize
from verification.cli import main
from verification.errors import InvalidInstance

MADE = "2026-01-01T00:10:00+00:00"


def written(folder, state):
    claims = state(folder)
    write_page(claims, folder, {"python": "3"}, made=MADE)
    return (folder / "index.html").read_text(encoding="utf-8")


def words(text):
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def section(text, name):
    (found,) = re.findall(rf'<section aria-labelledby="{name}">(.*?)</section>', text, re.DOTALL)
    return found


@pytest.mark.parametrize("name", campaigns.STATES)
def test_the_same_folder_gives_the_same_page(tmp_path, name):
    text = written(tmp_path, campaigns.STATES[name])
    again = render_page(
        campaigns.STATES[name](tmp_path / "again"),
        read_folder(tmp_path),
        tmp_path,
        conditions={"python": "3"},
        texts={
            found.digest: (tmp_path / "instances" / f"{found.digest}.json").read_text()
            for found in read_folder(tmp_path).distinct()
        },
        made=MADE,
    )
    assert text == again


def test_counterexamples_come_first_and_those_that_are_expected_last(tmp_path):
    text = written(tmp_path, campaigns.troubled)
    assert "<h1>Refuted: F1</h1>" in text
    sections = re.findall(r'<section aria-labelledby="([a-z]+)"', text)
    assert sections[0] == "counterexamples"
    told = words(section(text, "counterexamples"))
    assert told.index("F1") < told.index("P1 , disputed: this is expected")
    for found in read_folder(tmp_path).distinct():
        assert f"theorems replay {tmp_path}/instances/{found.digest}.json" in told
        assert f'"refutes {found.claim}"' in told
    assert "not yet as simple as can be" in told


def test_what_was_missed_is_said(tmp_path):
    told = words(section(written(tmp_path, campaigns.troubled), "attention"))
    for expected in (
        "T1 2 turns lost: it slept",
        "V1 no example satisfied: the sky is green",
        "V2 never tried in earnest: 5 vacuous",
        "Z1 never tried: its turn did not come",
        "fault: LookupError, a fault of this project: theorems replay",
        "W1 never tried: there is no strategy",
    ):
        assert expected in told
    sound = words(section(written(tmp_path / "sound", campaigns.sound), "attention"))
    assert sound.endswith("Nothing of this.")


def test_claims_of_no_version_at_hand_are_named(tmp_path):
    campaigns.troubled(tmp_path)
    write_page((toys.TRUE,), tmp_path, {}, made=MADE)
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "F1 is in the journals, but no claim of this version" in words(text)
    assert "F1 (not in this campaign)" in words(section(text, "counterexamples"))


def test_every_cell_of_the_regimes_is_told(tmp_path):
    text = section(written(tmp_path, campaigns.sound), "coverage")
    record = read_folder(tmp_path)
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', text)
    assert [html.unescape(name) for name, _ in rows] == list(all_cells("instance/1"))
    for name, cells in rows:
        counts = [record.tally(claim).cells[html.unescape(name)] for claim in ("T1", "Z1", "R1")]
        found = re.findall(r'<td class="([a-z]+)"><span class="hidden">(\w+)</span>', cells)
        assert [told for _, told in found] == [str(count) if count else "never" for count in counts]
        for (level, _), count in zip(found, counts, strict=True):
            assert (
                level
                == ("unreached", "few", "some", "many")[
                    (count > 0) + (count >= 10) + (count >= 100)
                ]
            )
    assert {"unreached", "few", "some", "many"} <= set(re.findall(r'class="([a-z]+)"', text))


def test_the_sharpest_instances_have_replay_lines(tmp_path):
    text = written(tmp_path, campaigns.sound)
    claims = (toys.TRUE, toys.SHARED, toys.SIMULATED)
    for summary in summarize(claims, read_folder(tmp_path)):
        found = sharpest(summary)
        assert [item.tightness for item, _ in found] == sorted(
            (item.tightness for item, _ in found), reverse=True
        )
        assert len(found) == 2
        for item, _ in found:
            assert f"theorems replay {tmp_path}/instances/{item.digest}.json" in words(text)
    assert found[0][1] == ["chain: periodic", "q: 1"]


def test_tightness_over_time_is_drawn_and_listed(tmp_path):
    text = section(written(tmp_path, campaigns.sound), "time")
    assert re.search(r'<path class="line" d="M[0-9.]+ [0-9.]+(H[0-9.]+V[0-9.]+){3}"', text)
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', text)
    cells = {x: re.findall("<td>(.*?)</td>", row) for x, row in rows}
    assert cells["1"] == ["0.125", "0.25", "0.0625"]
    assert cells["4"] == cells["60"] == ["0.5", "1", "0.25"]
    assert "<title" in text
    assert "<desc" in text


def test_pauses_are_left_out_and_what_is_searched_twice_counts_once():
    def start(begin, until):
        return Start(begin=begin, until=until, seed=0, revision="")

    starts = [start(0, 10), start(5, 12), start(6, 8), start(100, 110)]
    for moment, expected in ((-1, 0), (4, 4), (9, 9), (12, 12), (50, 12), (104, 16), (200, 22)):
        assert searched_before(starts, moment) == expected
    assert searched_before([], 5) == 0


def test_an_old_or_empty_campaign_has_a_page(tmp_path):
    text = written(tmp_path, campaigns.empty)
    assert "<h1>Nothing is refuted; never tried in earnest: T1</h1>" in text
    bare = render_page((), Record(), tmp_path, conditions={}, texts={}, made=MADE)
    assert "<h1>Nothing was tried</h1>" in bare


def test_a_page_is_renewed_now_and_then_and_a_fault_ends_nothing(tmp_path, monkeypatch):
    claims = campaigns.sound(tmp_path)
    monkeypatch.setattr(pages, "LEAST_SECONDS", 0.0)
    told = []
    renew = renewed_page(claims, tmp_path, {}, then=told.append)
    renew(Record())
    assert (tmp_path / "index.html").is_file()
    assert told == [Record()]
    (tmp_path / "index.html").unlink()
    (tmp_path / "journals" / "0001.jsonl").write_bytes(b"nonsense\n")
    with pytest.raises(InvalidInstance):
        write_page(claims, tmp_path, {}, made=MADE)
    broken = renewed_page(claims, tmp_path, {}, then=told.append)
    broken(Record())
    assert not (tmp_path / "index.html").exists()
    assert len(told) == 2


def test_a_campaign_writes_its_page_and_report_renders_it_again(tmp_path, capsys):
    arguments = ["campaign", "--budget", "2s", "--jobs", "1", "--quiet", "--json"]
    with pytest.raises(SystemExit) as stop:
        main((toys.TRUE,), [*arguments, "--out", str(tmp_path)])
    assert stop.value.code == 0
    assert json.loads(capsys.readouterr().out)["claims"][0]["examples"] > 0
    path = tmp_path / "index.html"
    assert "<h1>Nothing is refuted</h1>" in path.read_text(encoding="utf-8")
    path.unlink()
    with pytest.raises(SystemExit) as stop:
        main((toys.TRUE,), ["report", str(tmp_path)])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"rendered {path}\n"
    assert "<h1>Nothing is refuted</h1>" in path.read_text(encoding="utf-8")


def test_an_interrupted_campaign_has_its_page(tmp_path, monkeypatch):
    monkeypatch.setattr("verification.campaign.campaign.run_stream", lambda *_, **__: True)
    with pytest.raises(SystemExit) as stop:
        main((toys.TRUE,), ["campaign", "--quiet", "--out", str(tmp_path)])
    assert stop.value.code == 130
    assert (tmp_path / "index.html").is_file()
