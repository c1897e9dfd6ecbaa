"""Whatever stands in the folder of a campaign: one line, exit code 2, and nothing is touched."""

from __future__ import annotations

import hashlib
import json
import os
import stat

import pytest
import toy_claims as toys

from verification.campaign.journal import (
    LARGEST_JOURNAL,
    Journal,
    read_folder,
    replay_bytes,
)
from verification.campaign.record import Entry, Kept
from verification.cli import main
from verification.enclosure import selftest

CELLS = ("law: atoms",)


def sealed(text):
    """Return a line of a journal that has the checksum that it names."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f'{{"sha256":"{digest}","entry":{text}}}\n'.encode()


def line(entry):
    return sealed(json.dumps(entry, separators=(",", ":")))


@pytest.fixture
def folder(tmp_path):
    """Return the folder of a campaign with two turns and one instance."""
    found = tmp_path / "campaign"
    journal = Journal(found, seed=3, time="2026-01-01T00:00:00+00:00", revision="abc")
    digest, _ = journal.keep("T1", toys.instance(), 7)
    kept = Kept(digest=digest, verdict="CERTIFIED", tightness=0.5, cells=CELLS)
    for _ in range(2):
        journal.note_turn(
            Entry(
                claim="T1",
                turns=1,
                lost={},
                seconds=0.25,
                verdicts={"CERTIFIED": 2},
                cells={CELLS[0]: 2},
                satisfied=(),
                kept=(kept,),
            )
        )
    journal.close()
    return found


def journal_of(folder):
    return folder / "journals" / "0001.jsonl"


def entries(folder):
    return [json.loads(text)["entry"] for text in journal_of(folder).read_text().splitlines()]


def rewritten(change):
    """Return a fault: the last entry is changed, with the right checksum."""

    def spoil(folder):
        entry = entries(folder)[-1]
        change(entry)
        with journal_of(folder).open("ab") as stream:
            stream.write(line(entry))

    return spoil


def text_of(number):
    """Return a fault: a number, as it stands in the file, in place of the seconds."""

    def spoil(folder):
        text = json.dumps(entries(folder)[-1] | {"seconds": 0.25})
        with journal_of(folder).open("ab") as stream:
            stream.write(sealed(text.replace('"seconds": 0.25', f'"seconds": {number}')))

    return spoil


def named_instance(content):
    """Return a fault: a record tightness is held by a file of any content, rightly named."""

    def spoil(folder):
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        digest = hashlib.sha256(raw).hexdigest()
        (folder / "instances" / f"{digest}.json").write_bytes(raw)
        entry = entries(folder)[-1]
        entry["kept"][0] |= {"digest": digest, "tightness": 0.9}
        with journal_of(folder).open("ab") as stream:
            stream.write(line(entry))

    return spoil


def truncate_in_the_middle(folder):
    lines = journal_of(folder).read_bytes().splitlines(keepends=True)
    journal_of(folder).write_bytes(lines[0] + lines[1][: len(lines[1]) // 2] + b"\n" + lines[2])


def lose_the_header(folder):
    lines = journal_of(folder).read_bytes().splitlines(keepends=True)
    journal_of(folder).write_bytes(b"".join(lines[1:]))


def claim_another_schema(folder):
    header, *rest = entries(folder)
    lines = [header | {"schema": "campaign/99"}, *rest]
    journal_of(folder).write_bytes(b"".join(map(line, lines)))


def make_it_vast(folder):
    with journal_of(folder).open("r+b") as stream:
        stream.truncate(LARGEST_JOURNAL + 1)


def make_an_instance_vast(folder):
    (path,) = (folder / "instances").iterdir()
    with path.open("r+b") as stream:
        stream.truncate(10**10)


def use_up_the_names(folder):
    content = journal_of(folder).read_bytes()
    (folder / "journals" / "999999999.jsonl").write_bytes(content)


def journals_elsewhere(folder):
    elsewhere = folder.parent / "elsewhere"
    (folder / "journals").rename(elsewhere)
    (folder / "journals").symlink_to(elsewhere)


def instances_elsewhere(folder):
    elsewhere = folder.parent / "elsewhere"
    (folder / "instances").rename(elsewhere)
    (folder / "instances").symlink_to(elsewhere)


def instances_are_a_file(folder):
    (folder / "instances").rename(folder.parent / "elsewhere")
    (folder / "instances").write_bytes(b"")


def journals_are_a_file(folder):
    (folder / "journals").rename(folder.parent / "elsewhere")
    (folder / "journals").write_bytes(b"")


def a_link_to_a_secret(folder):
    secret = folder.parent / "secret"
    secret.write_text("a secret\n")
    (folder / "journals" / "0002.jsonl").symlink_to(secret)


def a_loop_of_links(folder):
    (folder / "journals" / "0002.jsonl").symlink_to(folder / "journals" / "0002.jsonl")


def a_pipe(folder):
    # Opened, it would wait for a writer for ever.
    os.mkfifo(folder / "journals" / "0002.jsonl")


def a_folder(folder):
    (folder / "journals" / "0002.jsonl").mkdir()


def a_name_of_control_characters(folder):
    (folder / "journals" / "0002\x1b[2J\n.jsonl").write_bytes(b"")


def append(raw):
    def spoil(folder):
        with journal_of(folder).open("ab") as stream:
            stream.write(raw)

    return spoil


DEEP = '{"kind":' + "[" * 100_000 + "]" * 100_000 + "}"
GOOD_INSTANCE = json.loads(replay_bytes("T1", toys.instance(), 7))

FAULTS = {
    # Truncated, or not a journal.
    "a line cut short": (truncate_in_the_middle, "is not a line of a journal"),
    "no header": (lose_the_header, "unknown key"),
    "another schema": (claim_another_schema, "campaign/99"),
    "zeros": (append(b"\0" * 4096 + b"\n"), "is not a line of a journal"),
    "not UTF-8": (append(b"\xff\xfe\x00\n"), "is not a line of a journal"),
    "not UTF-8 behind a checksum": (
        append(
            b'{"sha256":"'
            + hashlib.sha256(b'{"\xff":1}').hexdigest().encode()
            + b'","entry":{"\xff":1}}\n'
        ),
        "is not UTF-8",
    ),
    # Documents made to mislead.
    "a key twice": (append(sealed('{"kind":"turn","kind":"turn"}')), "twice"),
    "deep nesting": (append(sealed(DEEP)), "nest"),
    "a huge integer": (text_of("1" + "0" * 5000), "digits"),
    "a huge exponent": (text_of("1e999999999"), "seconds: is 1e999999999"),
    "NaN": (text_of("NaN"), "NaN"),
    "a word for a number": (text_of('"many"'), "seconds"),
    "a list for an object": (rewritten(lambda e: e.update(verdicts=[])), "verdicts"),
    "true for a count": (rewritten(lambda e: e.update(turns=True)), "turns"),
    "more items than there can be": (
        rewritten(lambda e: e.update(cells={str(k): 1 for k in range(10_001)})),
        "10000",
    ),
    "more assumptions than there can be": (
        rewritten(lambda e: e.update(satisfied=[0] * 10_000)),
        "satisfied",
    ),
    # Names that lead elsewhere.
    "a path for a digest": (
        rewritten(lambda e: e["kept"][0].update(digest="../../../etc/passwd")),
        "64 hexadecimal digits",
    ),
    "a null byte in a digest": (
        rewritten(lambda e: e["kept"][0].update(digest="\0" * 64)),
        "64 hexadecimal digits",
    ),
    "a name of control characters": (a_name_of_control_characters, "is not a journal"),
    "names used up": (use_up_the_names, "999999999"),
    # What is no plain file.
    "a folder for a journal": (a_folder, "is not a plain file"),
    "a link for a journal": (a_link_to_a_secret, "is not a plain file"),
    "a loop of links": (a_loop_of_links, "is not a plain file"),
    "a pipe for a journal": (a_pipe, "is not a plain file"),
    "journals elsewhere": (journals_elsewhere, "is not a folder"),
    "instances elsewhere": (instances_elsewhere, "is not a folder"),
    "journals are a file": (journals_are_a_file, "is not a folder"),
    "instances are a file": (instances_are_a_file, "is not a folder"),
    # Absurd sizes.
    "a vast journal": (make_it_vast, f"more than {LARGEST_JOURNAL} bytes"),
    "a vast instance": (make_an_instance_vast, "bytes"),
    # Instances under the names that their content has.
    "an instance that is empty": (named_instance(b""), "JSON"),
    "an instance that is not UTF-8": (named_instance(b"\xff"), "UTF-8"),
    "an instance of deep nesting": (named_instance(DEEP.encode()), "nest"),
    "an instance of another claim": (
        named_instance(GOOD_INSTANCE | {"claim": "T2"}),
        "T1",
    ),
    "an instance of an unknown claim": (named_instance(GOOD_INSTANCE | {"claim": "X"}), "claim"),
    "an instance whose rows do not sum to 1": (
        named_instance(
            GOOD_INSTANCE | {"instance": toys.document(**{"chain.transition": [["1/2"]]})}
        ),
        "transition",
    ),
}


def state(folder):
    """Return everything below the folder's parent, links not followed."""
    found = {}
    for path in folder.parent.rglob("*"):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            found[path] = path.readlink()
        elif stat.S_ISREG(mode) and path.stat().st_size < LARGEST_JOURNAL:
            found[path] = path.read_bytes()
        else:
            found[path] = stat.S_IFMT(mode), path.stat().st_size if stat.S_ISREG(mode) else None
    return found


@pytest.fixture(scope="module", autouse=True)
def self_test_once():
    """Keep what the self-test of the arithmetic found: it is not what is tested here."""
    found = selftest.run()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selftest, "run", lambda: found)
        yield


@pytest.mark.parametrize(("spoil", "said"), FAULTS.values(), ids=FAULTS)
def test_a_corrupt_or_hostile_folder_is_refused_in_one_line(folder, capsys, spoil, said):
    spoil(folder)
    before = state(folder)
    arguments = ["campaign", "--resume", "--out", str(folder), "--budget", "1s", "--jobs", "1"]
    with pytest.raises(SystemExit) as ended:
        main((toys.TRUE,), arguments)
    assert ended.value.code == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.count("\n") == 1
    assert errors.endswith("\n")
    assert errors.rstrip("\n").isprintable()
    assert len(errors) < 600
    assert str(folder) in errors
    assert said in errors
    assert state(folder) == before


def test_the_folder_that_the_faults_are_made_in_is_sound(folder):
    assert read_folder(folder).tallies["T1"].turns == 2
