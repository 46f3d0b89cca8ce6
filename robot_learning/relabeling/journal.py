"""The journal of a labelling session: a label is on the disk before the next row is shown.

Each episode has one text file, in `relabelling/` of the dataset. Its first line says what the
session is for, every further line records one step, in order; each begins with its CRC-32. A line
is handed to the kernel in one piece, so that a killed process loses nothing, and synced to the disk
twice a second, so that a power failure costs half a second. An incomplete last line is ignored.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from robot_learning.core.amounts import amount
from robot_learning.core.decoding import decode
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.files import fsync, write_atomically
from robot_learning.core.types import FloatArray
from robot_learning.episodes.format.errors import DatasetError, FileAccessError
from robot_learning.episodes.store.trash import free_place

FOLDER_NAME = "relabelling"
_VERSION = 1
_SYNC_PERIOD_S = 0.5
_CRC_DIGITS = 8


class Kind(str, Enum):
    """What was done with a row."""

    LABELLED = "labelled"
    PASSED = "passed over"
    TAKEN_BACK = "taken back"
    BEGUN_AGAIN = "begun again"


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One step while `row` waited for its label.

    Attributes:
        kind: what was done with the row.
        row: number of the row, from 0.
        action: (n,) label, rad or m; None unless the row was labelled.
        strayed: largest distance of a joint of the ghost from the recorded one, rad or m.
    """

    kind: Kind
    row: int
    action: FloatArray | None = None
    strayed: float = 0.0


@dataclass(frozen=True, slots=True)
class SessionHeader:
    """The labelling session that a journal belongs to.

    Attributes:
        episode: file name of the episode.
        digest: digest of the recording, `Episode.recording_digest`.
        length: number of rows of the episode.
        joints: number of elements of a label.
        author: name of the person or expert who labels.
        method: how rows are labelled, `step` or `segment`.
        rows: numbers of the chosen rows, ascending.
    """

    episode: str
    digest: str
    length: int
    joints: int
    author: str
    method: str
    rows: tuple[int, ...]

    def __str__(self) -> str:
        span = f" from {self.rows[0]} to {self.rows[-1]}" if self.rows else ""
        rows = f"{amount(len(self.rows), 'row')}{span}"
        return f"{rows}, by {self.method}, author {self.author}"


class RelabelJournal:
    """A journal on the disk.

    Attributes:
        path: path of the journal's file.
        header: labelling session that the journal belongs to.
        devices: names of the devices used so far, in order.
        entries: steps so far, oldest first.
    """

    def __init__(self, path: Path, header: SessionHeader) -> None:
        """Prepare an empty journal; nothing is written before `begin`."""
        self.path, self.header = path, header
        self.devices: list[str] = []
        self.entries: list[Entry] = []
        self._descriptor = -1
        self._whole_bytes = 0
        self._synced_s = 0.0

    def begin(self, device: str) -> None:
        """Record that `device` labels from now on; a new file begins with what the journal is for.

        Raises:
            FileAccessError: the file cannot be written, so that labels would not be kept.
        """
        try:
            if not self._whole_bytes:
                self.path.parent.mkdir(exist_ok=True)
                fsync(self.path.parent.parent)
                head = _line({"version": _VERSION, **asdict(self.header)})
                write_atomically(self.path, head)
                self._whole_bytes = len(head)
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
            os.ftruncate(self._descriptor, self._whole_bytes)
        except OSError as problem:
            raise self._unwritten(problem) from problem
        self.devices.append(device)
        self._write({"device": device})

    def add(self, entry: Entry) -> None:
        """Record an entry.

        Raises:
            FileAccessError: the file cannot be written; what was written before is kept.
        """
        self.entries.append(entry)
        self._write(_entry_to_plain(entry))

    def close(self) -> None:
        """Sync everything to the disk; the file stays.

        Raises:
            FileAccessError: the file cannot be synced.
        """
        if self._descriptor < 0:
            return
        descriptor, self._descriptor = self._descriptor, -1
        try:
            os.fsync(descriptor)
        except OSError as problem:
            raise self._unwritten(problem) from problem
        finally:
            os.close(descriptor)

    def remove(self) -> None:
        """Delete the file of a finished session, whose labels are in a layer or were discarded."""
        self.close()
        self.path.unlink(missing_ok=True)
        with suppress(OSError):  # other interrupted sessions have their journals there
            self.path.parent.rmdir()

    def _write(self, plain: Mapping[str, Any]) -> None:
        line = _line(plain)
        try:
            written = os.pwrite(self._descriptor, line, self._whole_bytes)
            if written < len(line):
                raise OSError(None, "the disk is full")
            self._whole_bytes += written
            if time.monotonic() - self._synced_s >= _SYNC_PERIOD_S:
                os.fdatasync(self._descriptor)
                self._synced_s = time.monotonic()
        except OSError as problem:
            raise self._unwritten(problem) from problem

    def _unwritten(self, problem: OSError) -> FileAccessError:
        return FileAccessError(
            f"{self.path}: cannot be written: {problem.strerror or problem}; what was labelled "
            "before is kept there"
        )


def journal_path(dataset: Path, episode: str) -> Path:
    """Path of the journal of an episode, given by its file name."""
    return dataset / FOLDER_NAME / f"{Path(episode).stem}.jsonl"


def unfinished(dataset: Path, episode: str) -> bool:
    """Whether an episode has an interrupted labelling session."""
    return journal_path(dataset, episode).exists()


def read_journal(path: Path) -> RelabelJournal:
    """The journal of an interrupted session, which is to be continued.

    Raises:
        DatasetError: the file is damaged, or not a journal; it is left as it is.
        FileAccessError: it cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise FileAccessError(f"{path}: cannot be read: {problem.strerror}") from problem
    whole = data[: data.rfind(b"\n") + 1]
    number = 1
    try:
        if not whole:
            raise ValueError("it is empty")
        head, *lines = whole.splitlines()
        journal = RelabelJournal(path, _header(_checked(head)))
        for number, line in enumerate(lines, 2):  # noqa: B007 (named in the error)
            plain = _checked(line)
            if "device" in plain:
                journal.devices.append(str(plain["device"]))
            else:
                journal.entries.append(_entry(plain, journal.header))
    except (ConfigurationError, ValueError, KeyError, TypeError, RecursionError) as problem:
        reason = f"{problem} is missing" if isinstance(problem, KeyError) else problem
        raise DatasetError(
            f"{path}: the journal of a relabelling that was cut off is damaged in line {number} "
            f"({reason}); --restart moves it to the trash and begins again"
        ) from problem
    journal._whole_bytes = len(whole)
    return journal


def set_aside(dataset: Path, episode: str) -> Path | None:
    """Move the journal of an episode to the trash; None where there is none.

    The caller holds the dataset's lock.
    """
    path = journal_path(dataset, episode)
    if not path.exists():
        return None
    place = free_place(dataset, path.name)
    path.rename(place)
    return place


def _line(plain: Mapping[str, Any]) -> bytes:
    text = json.dumps(plain, allow_nan=False).encode()
    return b"%08x %b\n" % (zlib.crc32(text), text)


def _checked(line: bytes) -> dict[str, Any]:
    text = line[_CRC_DIGITS + 1 :]
    if line[: _CRC_DIGITS + 1] != b"%08x " % zlib.crc32(text):
        raise ValueError("its checksum is wrong")
    plain = json.loads(text)
    if not isinstance(plain, dict):
        raise ValueError("no mapping")
    return plain


def _header(plain: dict[str, Any]) -> SessionHeader:
    version = plain.pop("version")
    if version != _VERSION:
        raise ValueError(f"version {version}, and this package writes {_VERSION}")
    header = decode(plain, SessionHeader)
    rows = header.rows
    if not rows or sorted({*rows}) != [*rows] or not 0 <= rows[0] <= rows[-1] < header.length:
        raise ValueError(f"rows that are none of {header.length}, or not in order")
    return header


def _entry_to_plain(entry: Entry) -> dict[str, Any]:
    plain: dict[str, Any] = {"kind": entry.kind.value, "row": entry.row}
    if entry.action is not None:
        plain |= {"action": entry.action.tolist(), "strayed": entry.strayed}
    return plain


def _entry(plain: Mapping[str, Any], header: SessionHeader) -> Entry:
    kind, row = Kind(plain["kind"]), int(plain["row"])
    if kind is not Kind.LABELLED:
        return Entry(kind, row)
    action = np.asarray(plain["action"], np.float64)
    if action.shape != (header.joints,) or not np.isfinite(action).all():
        raise ValueError(
            f"a label of shape {action.shape}, expected {amount(header.joints, 'number')}"
        )
    return Entry(kind, row, action, float(plain["strayed"]))


def fits(journal: RelabelJournal, wanted: SessionHeader, *, any_rows: bool = False) -> None:
    """Refuse to continue a journal in a labelling session other than its own.

    Args:
        journal: journal of the interrupted session.
        wanted: session that is asked for now.
        any_rows: whether no rows were asked for, so that those of the journal are taken.

    Raises:
        DatasetError: the journal belongs to another recording, person, method, or other rows.
    """
    own = journal.header
    if (own.episode, own.digest, own.length, own.joints) != (
        *(wanted.episode, wanted.digest, wanted.length, wanted.joints),
    ):
        raise DatasetError(
            f"{journal.path}: the journal was made for another recording than "
            f"{wanted.episode} is now; --restart moves it to the trash and begins again"
        )
    same_rows = any_rows or own.rows == wanted.rows
    if (own.author, own.method) != (wanted.author, wanted.method) or not same_rows:
        raise DatasetError(
            f"{wanted.episode}: a labelling session was interrupted ({own}), and this is another "
            f"({wanted}); continue with the same rows, method and author, or give --restart, which "
            "moves what was labelled to the trash"
        )
