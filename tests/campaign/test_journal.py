"""The state on disk: what is written is read, a torn line is dropped, nothing else is believed."""

from __future__ import annotations

import hashlib
import itertools
import json

import pytest
import toy_claims as toys
from hypothesis import given
from hypothesis import strategies as st

from verification.campaign import journal as journals
from verification.campaign.journal import Journal, holds_a_campaign, load_instance, read_folder
from verification.campaign.record import (
    MOST_MOMENTS,
    Counterexample,
    Entry,
    Kept,
    Moment,
    Record,
    Start,
    Tally,
)
from verification.errors import InvalidInstance

DIGEST = "ab" * 32


def begun(folder, seed=3):
    return Journal(folder, seed=seed, time="2026-01-01T00:00:00+00:00", revision="abc")


def turn(claim="T1", kept=(), **more):
    return Entry(
        **{
            "claim": claim,
            "turns": 1,
            "lost": {},
            "seconds": 0.25,
            "verdicts": {"CERTIFIED": 2, "VACUOUS": 1},
            "cells": {"law: atoms": 2},
            "satisfied": (3, 1),
            "kept": tuple(kept),
        }
        | more
    )


def kept(journal, name="coin", tightness=0.5, cells=("law: atoms",)):
    digest, _ = journal.keep("T1", toys.instance(name), 7)
    return Kept(digest=digest, verdict="CERTIFIED", tightness=tightness, cells=cells)


def counterexample(journal, **more):
    digest, length = journal.keep("F1", toys.instance(), 7)
    return Counterexample(
        **{
            "claim": "F1",
            "side": "above",
            "first": digest,
            "digest": digest,
            "cells": ("law: atoms", "q: 1"),
            "time": "2026-01-01T00:00:00+00:00",
            "revision": "abc",
            "steps": 0,
            "length": length,
            "done": False,
        }
        | more
    )


def path_of(folder, number=1):
    return folder / "journals" / f"{number:04}.jsonl"


def line(entry):
    text = json.dumps(entry, separators=(",", ":"))
    return f'{{"sha256":"{hashlib.sha256(text.encode()).hexdigest()}","entry":{text}}}\n'


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path):
    """Return a folder with one journal of three turns and a counterexample."""
    journal = begun(tmp_path)
    journal.note_turn(turn(kept=[kept(journal)]))
    journal.note_turn(turn("T2", lost={"it died": 1}))
    journal.note_counterexample(counterexample(journal))
    journal.note_turn(turn())
    journal.close()
    return tmp_path


def test_an_empty_folder_holds_nothing(tmp_path):
    assert not holds_a_campaign(tmp_path)
    assert read_folder(tmp_path) == Record()


def test_what_is_written_is_read(folder):
    assert holds_a_campaign(folder)
    record = read_folder(folder)
    first = record.tallies["T1"]
    assert (first.turns, first.seconds, first.examples) == (2, 0.5, 6)
    assert first.verdicts == {"CERTIFIED": 4, "VACUOUS": 2}
    assert first.cells == {"law: atoms": 4}
    assert first.satisfied == [6, 2]
    assert first.tightest["law: atoms"].tightness == 0.5
    assert record.tallies["T2"].lost == {"it died": 1}
    (found,) = record.distinct()
    assert found.claim == "F1"
    task = load_instance(folder, first.tightest["law: atoms"].digest, (toys.TRUE,)).task
    assert (task.claim, task.instance, task.seed) == (toys.TRUE, toys.instance(), 7)


@given(st.data())
def test_a_journal_cut_anywhere_is_what_it_said_before(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("cut")
    journal = begun(folder)
    sizes, records = [], []
    for tightness in (0.1, 0.5, 0.3):
        journal.note_turn(turn(kept=[kept(journal, f"coin {tightness}", tightness)]))
        sizes.append(path_of(folder).stat().st_size)
        records.append(read_folder(folder))
    journal.close()
    whole = path_of(folder).read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path_of(folder).write_bytes(whole[:cut])
    complete = sum(size <= cut for size in sizes)
    assert read_folder(folder) == (records[complete - 1] if complete else Record())


def test_the_order_of_the_journals_does_not_matter(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for place, order in ((one, (0.2, 0.7)), (other, (0.7, 0.2))):
        for tightness in order:
            journal = begun(place)
            journal.note_turn(turn(kept=[kept(journal, f"coin {tightness}", tightness)]))
            journal.close()
    assert read_folder(one) == read_folder(other)
    assert sorted(path.name for path in (one / "journals").iterdir()) == [
        "0001.jsonl",
        "0002.jsonl",
    ]


def test_two_processes_never_have_one_journal(tmp_path):
    first, second = begun(tmp_path), begun(tmp_path)
    assert (first.start, second.start) == (1, 2)
    first.note_turn(turn())
    second.note_turn(turn())
    first.note_turn(turn())
    assert read_folder(tmp_path).tallies["T1"].turns == 3
    first.close()
    second.close()


def test_a_journal_that_has_grown_is_replaced_by_what_it_says(tmp_path, monkeypatch):
    monkeypatch.setattr(journals, "MAX_JOURNAL", 4_000)
    other = begun(tmp_path)
    other.note_turn(turn("T2"))
    journal = begun(tmp_path)
    journal.note_counterexample(counterexample(journal))
    for _ in range(200):
        journal.note_turn(turn(kept=[kept(journal)]))
    record = read_folder(tmp_path)
    assert record.tallies["T1"].turns == 200
    assert record.tallies["T1"].examples == 600
    assert record.tallies["T1"].seconds == 50.0
    assert record.tallies["T2"].turns == 1
    assert len(record.counterexamples) == 1
    sizes = [path.stat().st_size for path in (tmp_path / "journals").iterdir()]
    assert len(sizes) == 2
    assert max(sizes) < 5_000
    other.note_turn(turn("T2"))
    assert read_folder(tmp_path).tallies["T2"].turns == 2
    journal.close()
    other.close()


def test_a_journal_and_the_one_it_replaced_are_not_counted_twice(tmp_path, monkeypatch):
    """A kill between the making of the new one and the end of the old one leaves both."""
    journal = begun(tmp_path)
    journal.note_turn(turn())
    old = path_of(tmp_path).read_bytes()
    monkeypatch.setattr(journals, "MAX_JOURNAL", 10)
    journal.note_turn(turn())
    journal.close()
    assert not path_of(tmp_path).exists()
    path_of(tmp_path).write_bytes(old)
    assert read_folder(tmp_path).tallies["T1"].turns == 2


def test_instances_that_nothing_needs_are_removed(tmp_path):
    journal = begun(tmp_path)
    first = kept(journal)
    journal.forget({first.digest})
    journal.close()
    assert list((tmp_path / "instances").iterdir()) == []


def test_of_counterexamples_that_say_the_same_the_simplest_is_shown_as_first_seen(tmp_path):
    journal = begun(tmp_path)
    journal.note_counterexample(counterexample(journal, time="2026-01-02", done=True, length=9))
    later = counterexample(journal, time="2026-01-01", first=DIGEST, done=True, length=10)
    journal.note_counterexample(later)
    journal.close()
    (found,) = read_folder(tmp_path).distinct()
    assert (found.length, found.time) == (9, "2026-01-01")


def test_a_simpler_version_takes_the_place_of_a_counterexample_in_any_order():
    raw = Counterexample(
        claim="F1",
        side="above",
        first=DIGEST,
        digest=DIGEST,
        cells=(),
        time="2026",
        revision="abc",
        steps=0,
        length=20,
        done=False,
    )
    # A simpler instance may well have the longer document.
    simpler = Counterexample(**{**vars(raw), "digest": "cd" * 32, "steps": 1, "length": 30})
    last = Counterexample(**{**vars(simpler), "digest": "ef" * 32, "steps": 2, "done": True})
    for order in itertools.permutations((raw, simpler, last)):
        record = Record()
        for found in order:
            record.add_counterexample(found)
        assert record.distinct() == [last]


GOOD = {
    "kind": "turn",
    "claim": "T1",
    "turns": 1,
    "lost": {},
    "seconds": 0.5,
    "verdicts": {},
    "cells": {},
    "satisfied": [],
    "kept": [],
}
KEPT = {"digest": DIGEST, "verdict": "CERTIFIED", "tightness": 0.5, "cells": []}


def appended(text):
    def spoil(folder):
        with path_of(folder).open("a", encoding="utf-8") as file:
            file.write(text)

    return spoil


def raw_entry(text):
    digest = hashlib.sha256(text.encode()).hexdigest()
    return appended(f'{{"sha256":"{digest}","entry":{text}}}\n')


def entry(**changes):
    return appended(line(GOOD | changes))


def kept_entry(**changes):
    return entry(kept=[KEPT | changes])


def flip_a_byte(folder):
    path = path_of(folder)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def change_a_count(folder):
    path = path_of(folder)
    path.write_bytes(path.read_bytes().replace(b'"turns":1', b'"turns":7'))


def cut_in_the_middle(folder):
    lines = path_of(folder).read_bytes().splitlines(keepends=True)
    lines[1] = lines[1][:40] + b"\n"
    path_of(folder).write_bytes(b"".join(lines))


def another_schema(folder):
    header = json.loads(path_of(folder).read_text().splitlines()[0])["entry"]
    path_of(folder, 2).write_text(line(header | {"schema": "campaign/2"}))


def an_instance_is_changed(folder):
    path = next((folder / "instances").iterdir())
    path.write_text(path.read_text().replace("coin", "nioc"))


def an_instance_is_gone(folder):
    for path in (folder / "instances").iterdir():
        path.unlink()


def an_instance_is_a_link(folder):
    path = next((folder / "instances").iterdir())
    path.rename(folder / "elsewhere.json")
    path.symlink_to(folder / "elsewhere.json")


def a_journal_is_a_folder(folder):
    path_of(folder, 2).mkdir()


def a_journal_is_a_link(folder):
    path_of(folder, 2).symlink_to(path_of(folder))


def a_stray_name(folder):
    (folder / "journals" / "..jsonl .. passwd").write_text("")
    (folder / "journals" / "notes.txt").write_text("")


HOSTILE = {
    "a flipped byte": flip_a_byte,
    "a changed count": change_a_count,
    "a line cut in the middle of the file": cut_in_the_middle,
    "not a line": appended("hello\n"),
    "an empty line": appended("\n"),
    "not UTF-8": lambda folder: path_of(folder).write_bytes(b"\xff\xfe\n"),
    "another schema": another_schema,
    "a duplicate key": raw_entry('{"kind":"turn","kind":"turn"}'),
    "duplicate counts": raw_entry(
        json.dumps(GOOD).replace('"verdicts": {}', '"verdicts": {"A": 1, "A": 2}')
    ),
    "a huge number": entry(turns=10**400),
    "a number too large to count": entry(turns=2**60),
    "a huge tightness": kept_entry(tightness=10**900),
    "NaN": raw_entry(json.dumps(GOOD).replace("0.5", "NaN")),
    "deep nesting": raw_entry('{"kind":' + "[" * 100_000 + "]" * 100_000 + "}"),
    "a path for a digest": kept_entry(digest="../../etc/passwd"),
    "an absolute path for a digest": kept_entry(digest="/etc/passwd"),
    "an instance that is not there": kept_entry(cells=["law: atoms"], tightness=0.9),
    "an unknown kind": entry(kind="program"),
    "an unknown key": entry(code="import os"),
    "a missing key": raw_entry('{"kind":"turn"}'),
    "a negative count": entry(verdicts={"CERTIFIED": -1}),
    "control characters": entry(claim="T1\n\x1b[2J"),
    "a long name": entry(claim="T" * 1000),
    "a second header": appended(line({"kind": "start"})),
    "an instance changed": an_instance_is_changed,
    "an instance gone": an_instance_is_gone,
    "an instance that is a link": an_instance_is_a_link,
    "a journal that is a folder": a_journal_is_a_folder,
    "a journal that is a link": a_journal_is_a_link,
    "a stray name": a_stray_name,
}


@pytest.mark.parametrize("spoil", HOSTILE.values(), ids=HOSTILE)
def test_whatever_is_corrupt_is_said_in_one_line_and_left_alone(folder, spoil):
    spoil(folder)
    before = contents(folder)
    with pytest.raises(InvalidInstance) as error:
        read_folder(folder)
    message = str(error.value)
    assert str(folder) in message
    assert "\n" not in message
    assert len(message) < len(str(folder)) + 400
    assert contents(folder) == before


def test_starts_and_times_are_kept_when_a_journal_is_replaced(tmp_path, monkeypatch):
    journal = Journal(
        tmp_path, seed=3, time="2026-01-01T00:00:00+00:00", revision="abc", claims=("T1",)
    )
    begin = 1767225600.0
    rises = [Moment(time=begin + k, tightness=k / 500) for k in range(200)]
    for moment in rises:
        if moment is rises[150]:
            monkeypatch.setattr("verification.campaign.journal.MAX_JOURNAL", 10)
        journal.note_turn(turn(time=moment.time, history=(moment,)))
    journal.close()
    record = read_folder(tmp_path)
    expected = Start(begin=begin, until=begin + 199, seed=3, revision="abc", claims=("T1",))
    assert record.starts == [expected]
    history = record.tally("T1").history
    assert len(history) == MOST_MOMENTS
    assert set(history) <= set(rises)
    assert (history[0], history[-1]) == (rises[0], rises[-1])


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=MOST_MOMENTS))
def test_what_rose_is_told_in_any_order(pairs):
    moments = [Moment(time=float(time), tightness=float(rise)) for time, rise in pairs]
    tallies = []
    for order in (moments, moments[::-1]):
        tallies.append(Tally())
        for moment in order:
            tallies[-1].add(turn(time=moment.time, history=(moment,)))
    assert tallies[0].history == tallies[1].history
    for moment in moments:
        known = [rise.tightness for rise in tallies[0].history if rise.time <= moment.time]
        assert max(known) >= moment.tightness
    assert set(tallies[0].history) <= set(moments)


def test_a_journal_without_times_is_read(folder):
    (path,) = (folder / "journals").iterdir()
    lines = []
    for text in path.read_bytes().splitlines():
        entry = json.loads(text)["entry"]
        for later in ("time", "history") if entry["kind"] == "turn" else ("claims",):
            entry.pop(later, None)
        lines.append(line(entry).encode())
    before = read_folder(folder)
    path.write_bytes(b"".join(lines))
    assert read_folder(folder) == before
    (start,) = read_folder(folder).starts
    assert start.begin == start.until == 1767225600.0
