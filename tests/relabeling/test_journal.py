"""The journal of a labelling session: what is read is what was written, and nothing else."""

import errno
import json
import os
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot_learning.episodes.format.errors import DatasetError, FileAccessError
from robot_learning.relabeling.journal import (
    Entry,
    Kind,
    RelabelJournal,
    SessionHeader,
    fits,
    journal_path,
    read_journal,
    set_aside,
    unfinished,
)

EPISODE = "episode_000007.hdf5"
HEADER = SessionHeader(EPISODE, "abc", 100, 3, "ana", "step", (40, 41, 60))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return journal_path(tmp_path, EPISODE)


@pytest.fixture
def journal(path: Path) -> RelabelJournal:
    journal = RelabelJournal(path, HEADER)
    journal.begin("keyboard")
    return journal


def label(row: int, *action: float) -> Entry:
    return Entry(Kind.LABELLED, row, np.array(action), 0.1 / 3)


def test_every_entry_is_on_the_disk_at_once(journal: RelabelJournal, path: Path) -> None:
    given = [
        *(label(40, 1 / 3, -0.0, 1e-300), Entry(Kind.PASSED, 41)),
        *(Entry(Kind.TAKEN_BACK, 60), Entry(Kind.BEGUN_AGAIN, 40)),
    ]
    for count, entry in enumerate(given, 1):
        journal.add(entry)
        # Not closed: this is what a kill leaves.
        again = read_journal(path)
        assert again.header == HEADER and again.devices == ["keyboard"]
        assert len(again.entries) == count
    for written, read in zip(given, again.entries, strict=True):
        assert (written.kind, written.row, written.strayed) == (read.kind, read.row, read.strayed)
    assert given[0].action is not None and again.entries[0].action is not None
    assert given[0].action.tobytes() == again.entries[0].action.tobytes()
    journal.close()


def test_a_torn_last_line_did_not_happen_and_is_written_over(
    journal: RelabelJournal, path: Path
) -> None:
    journal.add(label(40, 1.0, 2.0, 3.0))
    whole = path.read_bytes()
    journal.add(label(41, 4.0, 5.0, 6.0))
    journal.close()
    entire = path.read_bytes()
    for length in range(len(whole), len(entire)):
        path.write_bytes(entire[:length])
        assert [entry.row for entry in read_journal(path).entries] == [40]
    again = read_journal(path)
    again.begin("gamepad")
    again.add(Entry(Kind.PASSED, 41))
    again.close()
    last = read_journal(path)
    assert [entry.kind for entry in last.entries] == [Kind.LABELLED, Kind.PASSED]
    assert last.devices == ["keyboard", "gamepad"]
    assert path.read_bytes().startswith(whole)


def with_sum(plain: Any) -> bytes:
    return summed(json.dumps(plain).encode())


def summed(text: bytes) -> bytes:
    return b"%08x %b\n" % (zlib.crc32(text), text)


def a_flipped_bit(data: bytes) -> bytes:
    middle = data.index(b"labelled")
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (a_flipped_bit, r"damaged in line 3 \(its checksum is wrong\)"),
        (lambda data: b"", r"damaged in line 1 \(it is empty\)"),
        (lambda data: data + summed(b"[" * 100_000), "damaged in line 4"),
        (lambda data: b"notes of mine\n", r"damaged in line 1 \(its checksum is wrong\)"),
        (lambda data: data.partition(b"\n")[2], "damaged in line 1"),
        (lambda data: data + b"\x00" * 512 + b"\n", "damaged in line 4"),
        (lambda data: with_sum([1]), "no mapping"),
        (lambda data: with_sum({"version": 2}), "version 2, and this package writes 1"),
        (lambda data: with_sum({"version": 1, "episode": "x"}), "the key 'digest' is missing"),
        (lambda data: data + with_sum({"kind": "eaten", "row": 1}), "'eaten' is not a valid Kind"),
        (lambda data: data + with_sum({"kind": "labelled", "row": 1}), "'action' is missing"),
        (
            lambda data: data + with_sum({"kind": "labelled", "row": 1, "action": [1, 2]}),
            r"a label of shape \(2,\), expected 3 numbers",
        ),
    ],
)
def test_what_is_damaged_or_foreign_is_refused_and_stays(
    journal: RelabelJournal, path: Path, damage: Callable[[bytes], bytes], said: str
) -> None:
    journal.add(label(40, 1.0, 2.0, 3.0))
    journal.close()
    data = damage(path.read_bytes())
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=said) as caught:
        read_journal(path)
    assert str(path) in str(caught.value) and "--restart" in str(caught.value)
    assert path.read_bytes() == data


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"digest": "def"}, "made for another recording than episode_000007.hdf5 is now"),
        ({"length": 90}, "another recording"),
        ({"rows": (40, 41)}, "session was interrupted .3 rows from 40 to 60, by step, author ana"),
        ({"rows": ()}, "this is another .0 rows, by step, author ana"),
        ({"author": "bo"}, "continue with the same rows, method and author"),
        ({"method": "segment"}, "this is another .3 rows from 40 to 60, by segment"),
    ],
)
def test_the_journal_of_another_session_is_refused(
    journal: RelabelJournal, wanted: dict[str, Any], said: str
) -> None:
    fits(journal, HEADER)
    fits(journal, replace(HEADER, rows=()), any_rows=True)
    with pytest.raises(DatasetError, match=said):
        fits(journal, replace(HEADER, **wanted))


@pytest.mark.parametrize("rows", [(), (41, 40), (40, 40), (-1, 40), (40, 100)])
def test_rows_that_there_are_not_are_refused(tmp_path: Path, rows: tuple[int, ...]) -> None:
    path = tmp_path / "relabelling" / "episode_000000.jsonl"
    journal = RelabelJournal(path, replace(HEADER, rows=rows))
    journal.begin("keyboard")
    with pytest.raises(DatasetError, match="rows that are none of 100, or not in order"):
        read_journal(path)
    journal.close()


def test_a_full_disk_loses_the_label_at_hand_alone(
    journal: RelabelJournal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.add(label(40, 1.0, 2.0, 3.0))

    def full(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(FileAccessError, match="No space left on device; what was labelled"):
            journal.add(label(41, 1.0, 2.0, 3.0))
    journal.close()
    assert [entry.row for entry in read_journal(path).entries] == [40]


def test_a_disk_that_does_not_take_it_is_told_and_the_file_is_closed(
    journal: RelabelJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []

    def broken(descriptor: int) -> None:
        synced.append(descriptor)
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        with pytest.raises(FileAccessError, match="Input/output error; what was labelled"):
            journal.close()
    (descriptor,) = synced
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    journal.close()


def test_it_is_set_aside_in_the_trash_and_removed_in_the_end(
    tmp_path: Path, journal: RelabelJournal, path: Path
) -> None:
    assert unfinished(tmp_path, EPISODE)
    data = path.read_bytes()
    place = set_aside(tmp_path, EPISODE)
    assert place is not None and place.read_bytes() == data
    assert place.parent == tmp_path / "trash"
    assert not unfinished(tmp_path, EPISODE) and set_aside(tmp_path, EPISODE) is None
    journal.close()
    second = RelabelJournal(path, HEADER)
    second.begin("keyboard")
    assert unfinished(tmp_path, EPISODE)
    second.remove()
    assert not path.parent.exists()
    assert not unfinished(tmp_path, EPISODE)
