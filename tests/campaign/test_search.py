"""Whose turn it is, and what is done with what comes back."""

from __future__ import annotations

from fractions import Fraction

import pytest
import toy_claims as toys

from verification.campaign import search as searches
from verification.campaign.journal import Journal, read_folder
from verification.campaign.record import Record
from verification.campaign.search import Search
from verification.campaign.turns import CHANGED, Example, Found, Shrinking, Shrunk, Turn
from verification.statistics.ledger import RUN_LEVEL
from verification.verdict import Verdict


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path, seed=1, time="2026-01-01T00:00:00+00:00", revision="abc")
    yield journal
    journal.close()


def begun(journal, folder, claims=(toys.TRUE, toys.SHARED), record=None):
    return Search(
        claims=claims,
        record=record or Record(),
        journal=journal,
        out=folder,
        seed=1,
        revision="abc",
    )


def example(number, tightness=0.5, verdict=Verdict.CERTIFIED, cells=("q: 1",)):
    return Example(
        subject=toys.instance(f"coin {number}"),
        seed=number,
        verdict=verdict,
        tightness=tightness,
        cells=cells,
        side="above" if verdict is Verdict.REFUTED else "",
    )


def refuted(number, cells=("q: 1",)):
    return example(number, verdict=Verdict.REFUTED, cells=cells)


def found(*kept, refutes=None):
    return Found(seconds=1.0, verdicts={"CERTIFIED": 1}, kept=kept, refuted=refutes)


def instances(folder):
    return list((folder / "instances").iterdir())


def test_every_claim_has_a_turn_before_any_has_two(journal, tmp_path):
    search = begun(journal, tmp_path)
    assert [search.next_task().claim.id for _ in range(2)] == ["T1", "Z1"]


def test_each_start_begins_with_another_source(tmp_path):
    sources = []
    for _ in range(3):
        journal = Journal(tmp_path, seed=1, time="2026-01-01T00:00:00+00:00", revision="abc")
        sources.append(begun(journal, tmp_path).next_task().source)
        journal.close()
    assert len(set(sources)) == 3


def test_no_two_turns_draw_alike_and_their_levels_sum_to_less_than_that_of_a_run(journal, tmp_path):
    search = begun(journal, tmp_path)
    tasks = []
    for number in range(200):
        task = search.next_task()
        tasks.append(task)
        search.note(task, found(example(number, number / 200)))
    assert len({task.seed for task in tasks}) == len(tasks)
    assert sum((task.level for task in tasks), Fraction(0)) < RUN_LEVEL / 2
    assert {task.source for task in tasks} > {CHANGED, "any"}


def test_the_starts_in_a_folder_share_the_level_of_one_run(journal, tmp_path):
    second = Journal(tmp_path, seed=1, time="2026-01-01T00:00:00+00:00", revision="abc")
    levels = [begun(place, tmp_path).next_task().level for place in (journal, second)]
    # 1/2 and 1/6 of the level; of two claims each half; of the first turn again half.
    assert levels == [RUN_LEVEL / 8, RUN_LEVEL / 24]
    seeds = [begun(place, tmp_path).next_task().seed for place in (journal, second)]
    assert len(set(seeds)) == 2
    second.close()


def test_nothing_is_changed_before_there_is_something(journal, tmp_path):
    search = begun(journal, tmp_path)
    for _ in range(30):
        task = search.next_task()
        assert task.source != CHANGED
        search.note(task, found())
    search.note(task, found(example(1, 0.25), example(2, 0.75, cells=("q: 0",))))
    changed = None
    while changed is None:
        task = search.next_task()
        changed = task if task.source == CHANGED and task.claim is toys.SHARED else None
        search.note(task, found(example(1, 0.25), example(2, 0.75, cells=("q: 0",))))
    assert [subject.name for subject in changed.tightest[:2]] == ["coin 2", "coin 1"]
    assert changed.records == {"q: 1": 0.25, "q: 0": 0.75}


def test_other_claims_lend_their_tightest_instances(journal, tmp_path):
    search = begun(journal, tmp_path)
    kept = {"T1": example(1, 0.25), "Z1": example(2, 0.75)}
    lent = set()
    for _ in range(60):
        task = search.next_task()
        if task.source == CHANGED:
            assert task.tightest[0].name == kept[task.claim.id].subject.name
            lent |= {(task.claim.id, subject.name) for subject in task.tightest[1:]}
        search.note(task, found(kept[task.claim.id]))
    assert lent == {("T1", "coin 2"), ("Z1", "coin 1")}


def test_only_the_tightest_of_a_cell_stays_on_disk(journal, tmp_path):
    search = begun(journal, tmp_path, claims=(toys.TRUE,))
    for number, tightness in enumerate((0.25, 0.75, 0.5)):
        search.note(search.next_task(), found(example(number, tightness)))
    assert len(instances(tmp_path)) == 1
    record = read_folder(tmp_path)
    assert record.tallies["T1"].tightest["q: 1"].tightness == 0.75
    assert record.tallies["T1"].turns == 3


def test_counterexamples_are_shrunk_first_and_a_claim_has_only_so_many(
    journal, tmp_path, monkeypatch
):
    monkeypatch.setattr(searches, "MOST_COUNTEREXAMPLES", 3)
    search = begun(journal, tmp_path, claims=(toys.FALSE,))
    tasks = [search.next_task() for _ in range(5)]
    assert all(isinstance(task, Turn) for task in tasks)
    for number, task in enumerate(tasks):
        search.note(task, found(refutes=refuted(number, (f"q: {number}",))))
    assert len(read_folder(tmp_path).counterexamples) == 3
    shrinking = [search.next_task() for _ in range(3)]
    assert all(isinstance(task, Shrinking) for task in shrinking)
    assert isinstance(search.next_task(), Turn)


def test_what_is_shrunk_is_written_once_for_all_that_say_the_same(journal, tmp_path):
    search = begun(journal, tmp_path, claims=(toys.FALSE,))
    for number in range(2):
        search.note(search.next_task(), found(refutes=refuted(number)))
        task = search.next_task()
        assert isinstance(task, Shrinking)
        search.note(task, Shrunk(example=refuted(number + 10), done=False))
        again = search.next_task()
        assert again.example.subject.name == f"coin {number + 10}"
        search.note(again, Shrunk(example=refuted(number + 20), done=True))
    assert isinstance(search.next_task(), Turn)
    assert len(list((tmp_path / "counterexamples").iterdir())) == 1
    (shown,) = read_folder(tmp_path).distinct()
    assert shown.done
    assert len(instances(tmp_path)) == 2


def test_a_shrinking_that_was_cut_short_goes_on_after_resuming(journal, tmp_path):
    search = begun(journal, tmp_path, claims=(toys.FALSE,))
    search.note(search.next_task(), found(refutes=refuted(0)))
    search.note(search.next_task(), Shrunk(example=refuted(1), done=False))
    resumed = begun(journal, tmp_path, claims=(toys.FALSE,), record=read_folder(tmp_path))
    task = resumed.next_task()
    assert isinstance(task, Shrinking)
    assert (task.example.subject.name, task.example.seed) == ("coin 1", 1)


def test_what_becomes_no_simpler_is_done(journal, tmp_path):
    search = begun(journal, tmp_path, claims=(toys.FALSE,))
    search.note(search.next_task(), found(refutes=refuted(0)))
    task = search.next_task()
    search.note(task, Shrunk(example=task.example, done=False))
    assert isinstance(search.next_task(), Turn)
    (shown,) = read_folder(tmp_path).distinct()
    assert shown.done


def test_a_lost_turn_is_noted_with_its_reason(journal, tmp_path):
    search = begun(journal, tmp_path, claims=(toys.TRUE,))
    search.note(search.next_task(), Found(seconds=1.0, lost="it died"))
    assert read_folder(tmp_path).tallies["T1"].lost == {"it died": 1}
