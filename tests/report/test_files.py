"""Files are whole or untouched, and their names are ours."""

import json
import os
import stat
from pathlib import Path

import pytest

from verification.report.document import to_document
from verification.report.files import (
    write_atomically,
    write_counterexample,
    write_renderings,
    write_report,
)

FILES = {"report.json", "index.html", "junit.xml", "summary.md"}


def _contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_report_is_four_files(any_document, tmp_path):
    write_report(any_document, tmp_path / "deep" / "down")
    assert set(_contents(tmp_path / "deep" / "down")) == FILES


def test_the_same_run_gives_the_same_bytes(any_run, tmp_path):
    for name in ("one", "two"):
        write_report(to_document(any_run), tmp_path / name)
    assert _contents(tmp_path / "one") == _contents(tmp_path / "two")


def test_what_is_rendered_again_is_the_same(any_document, tmp_path):
    write_report(any_document, tmp_path)
    before = _contents(tmp_path)
    write_renderings(any_document, tmp_path)
    assert _contents(tmp_path) == before


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    write_atomically(path, b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert _contents(tmp_path) == {"report.json": b"old"}


def test_an_interrupted_rename_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    write_atomically(path, b"old")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert _contents(tmp_path) == {"report.json": b"old"}


def test_the_data_are_on_disk_before_anything_is_rendered(document, tmp_path, monkeypatch):
    def fail(_):
        raise ZeroDivisionError

    monkeypatch.setattr("verification.report.files.render_html", fail)
    with pytest.raises(ZeroDivisionError):
        write_report(document, tmp_path)
    assert set(_contents(tmp_path)) == {"report.json"}


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_a_file_has_the_usual_permissions(tmp_path):
    usual = tmp_path / "usual"
    usual.touch()
    write_atomically(tmp_path / "ours", b"")
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)


def test_an_out_folder_that_is_a_file_is_an_os_error(document, tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(OSError):  # noqa: PT011 - which one depends on the system
        write_report(document, tmp_path / "out")


def test_a_counterexample_can_be_replayed(make_toy, tmp_path):
    path = write_counterexample(tmp_path, "M1", "half-q", make_toy(name="coin"), 7)
    assert path.parent == tmp_path / "counterexamples"
    assert path.name.startswith("m1-half-q-coin-")
    assert json.loads(path.read_text()) == {
        "schema": "replay/1",
        "claim": "M1",
        "mutant": "half-q",
        "seed": 7,
        "instance": {"schema": "toy/1", "name": "coin"},
    }


def test_a_counterexample_to_the_claim_itself_names_no_mutant(make_toy, tmp_path):
    path = write_counterexample(tmp_path, "M1", None, make_toy(name="coin"), 7)
    assert json.loads(path.read_text())["mutant"] is None


def test_a_hostile_name_stays_in_its_folder(hostile_name, make_toy, tmp_path):
    toy = make_toy(name=hostile_name)
    path = write_counterexample(tmp_path, hostile_name, hostile_name, toy, 1)
    assert path.resolve().parent == (tmp_path / "counterexamples").resolve()
    assert len(path.name.encode()) <= 200
    assert json.loads(path.read_text())["instance"]["name"] == hostile_name


def test_counterexamples_of_like_names_stay_apart(make_toy, tmp_path):
    paths = {
        write_counterexample(tmp_path, claim, mutant, make_toy(name=name), 1)
        for claim, mutant, name in (
            ("M1", None, "a b"),
            ("M1", None, "a-b"),
            ("M1", None, "A B"),
            ("M1", "a", "b"),
            ("M1-a", None, "b"),
            ("M1", "", "a b"),
        )
    }
    assert len(paths) == 6


def test_the_same_counterexample_is_written_to_the_same_file(make_toy, tmp_path):
    paths = {write_counterexample(tmp_path, "M1", None, make_toy(name="x"), 1) for _ in range(2)}
    assert len(paths) == 1
