"""Reading rosbag2 files, MCAP or SQLite3, with the library `rosbags`; no ROS is needed.

Only messages that are asked for are deserialised, and by the definitions of ROS itself: what
else is in a bag (definitions that cannot be parsed, empty ones, IDL, services, topics in other
serialisations) cannot stop it. A folder that lost its `metadata.yaml` is read from its files.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import yaml

from robot_learning.core.amounts import amount
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.optional import require

_SUFFIXES = (".mcap", ".db3")
_METADATA = "metadata.yaml"


@dataclass(frozen=True, slots=True)
class LoggedMessage:
    """A message as it was logged: `number` counts those of its topic from 0."""

    topic: str
    number: int
    receive_ns: int
    data: bytes
    kind: str


@dataclass(frozen=True, slots=True)
class LoggedTopic:
    """A topic of a file: its name, its message type, and how many messages there are."""

    name: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class _Record:
    """A message of a file, before its number is known."""

    receive_ns: int
    topic: str
    kind: str
    data: bytes


class _Storage(Protocol):
    """One file of a bag."""

    @property
    def topics(self) -> list[LoggedTopic]:
        """Those in CDR, the only serialisation that is read."""
        ...

    def messages(self, topics: set[str]) -> Iterator[_Record]:
        """Of these topics, in order of time."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class _RosbagsStorage:
    """A file or folder as the library reads it: MCAP, or anything compressed."""

    def __init__(self, path: Path) -> None:
        with _lenient():
            self._reader: Any = require("rosbags.rosbag2", "reading bags").Reader(path)
            self._reader.open()
        self._connections = [
            each for each in self._reader.connections if each.ext.serialization_format == "cdr"
        ]
        self.topics = [
            LoggedTopic(each.topic, each.msgtype, int(each.msgcount)) for each in self._connections
        ]

    def messages(self, topics: set[str]) -> Iterator[_Record]:
        """See `_Storage`."""
        wanted = [each for each in self._connections if each.topic in topics]
        if not wanted:
            return
        for connection, receive_ns, data in self._reader.messages(connections=wanted):
            yield _Record(receive_ns, connection.topic, connection.msgtype, bytes(data))

    def close(self) -> None:
        """See `_Storage`."""
        self._reader.close()


@contextmanager
def _lenient() -> Iterator[None]:
    """Let the library open files with definitions and QoS that it cannot parse.

    It looks at all of them when it opens a file, and none is needed here.
    """
    mcap = require("rosbags.rosbag2.storage_mcap", "reading bags")
    nothing = require("rosbags.interfaces", "reading bags")
    empty = nothing.MessageDefinition(nothing.MessageDefinitionFormat.NONE, "")
    before = mcap.get_msgdef, mcap.get_qos, mcap.read_string
    mcap.get_msgdef, mcap.get_qos = (lambda _schema: empty), (lambda _metadata: [])
    mcap.read_string = lambda file: mcap.read_bytes(file).decode(errors="replace")
    try:
        yield
    finally:
        mcap.get_msgdef, mcap.get_qos, mcap.read_string = before


class _SqliteStorage:
    """A file of SQLite3."""

    def __init__(self, path: Path) -> None:
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise EpisodeError(
                f"{path}: {log.name} holds messages that were not written into it when the "
                f"recording was cut off: `sqlite3 {path} 'PRAGMA wal_checkpoint(TRUNCATE)'` does it"
            )
        self._database = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)
        rows = self._database.execute(
            "SELECT topics.id, name, type, serialization_format, count(messages.id) FROM topics "
            "LEFT JOIN messages ON topics.id = messages.topic_id GROUP BY topics.id"
        )
        self._ids: dict[int, LoggedTopic] = {
            number: LoggedTopic(name, kind, count)
            for number, name, kind, form, count in rows
            if form == "cdr"
        }
        self.topics = list(self._ids.values())

    def messages(self, topics: set[str]) -> Iterator[_Record]:
        """See `_Storage`."""
        wanted = [number for number, topic in self._ids.items() if topic.name in topics]
        if not wanted:
            return
        marks = ",".join("?" * len(wanted))
        rows = self._database.execute(
            "SELECT topic_id, timestamp, data FROM messages "  # noqa: S608 (question marks)
            f"WHERE topic_id IN ({marks}) ORDER BY timestamp, id",
            wanted,
        )
        for number, receive_ns, data in rows:
            topic = self._ids[number]
            yield _Record(receive_ns, topic.name, topic.kind, bytes(data))

    def close(self) -> None:
        """See `_Storage`."""
        self._database.close()


class Bag:
    """One bag, open. A context manager."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            EpisodeError: it is no bag, or damaged; says how to recover it.
            DependencyError: `rosbags` is missing.
        """
        typesys = require("rosbags.typesys", "reading bags")
        self.path = path
        # The messages that are read have the same definition in every distribution.
        self._typestore: Any = typesys.get_typestore(typesys.Stores.LATEST)
        with ExitStack() as stack:
            self._storages = [
                storage for file in _files(path) if (storage := _open(path, file, stack))
            ]
            self._close = stack.pop_all()

    def __enter__(self) -> Bag:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close.close()

    @property
    def topics(self) -> Mapping[str, str]:
        """Topic -> message type; of a topic with several types the one with most messages."""
        found: dict[str, dict[str, int]] = {}
        for topic in self._all_topics():
            kinds = found.setdefault(topic.name, {})
            kinds[topic.kind] = kinds.get(topic.kind, 0) + topic.count
        return {name: max(kinds, key=lambda kind: kinds[kind]) for name, kinds in found.items()}

    def count(self, topics: set[str]) -> int:
        """Messages of these topics."""
        return sum(topic.count for topic in self._all_topics() if topic.name in topics)

    def messages(self, topics: set[str]) -> Iterator[LoggedMessage]:
        """The messages of these topics in order of time.

        Raises:
            EpisodeError: the bag is damaged; says behind which message.
        """
        numbers = dict.fromkeys(topics, 0)
        last = "its beginning"
        records = heapq.merge(
            *(storage.messages(topics) for storage in self._storages), key=attrgetter("receive_ns")
        )
        while True:
            try:
                record = next(records)
            except StopIteration:
                return
            except Exception as problem:
                raise EpisodeError(
                    f"{self.path}: damaged behind {last}: {_reason(problem)}{_recovery(self.path)}"
                ) from problem
            topic = record.topic
            message = LoggedMessage(
                topic, numbers[topic], record.receive_ns, record.data, record.kind
            )
            numbers[topic] += 1
            last = describe(message)
            yield message

    def read(self, message: LoggedMessage) -> Any:
        """The message itself.

        Raises:
            EpisodeError: it is damaged; names it.
        """
        try:
            return self._typestore.deserialize_cdr(message.data, message.kind)
        except Exception as problem:
            text = f"{type(problem).__name__}: {problem}" if str(problem) else repr(problem)
            raise EpisodeError(
                f"{self.path}: {describe(message)} cannot be read "
                f"({amount(len(message.data), 'byte')} of {message.kind}): {text}"
            ) from problem

    def _all_topics(self) -> Iterator[LoggedTopic]:
        for storage in self._storages:
            yield from storage.topics


def _files(path: Path) -> list[Path]:
    """The files of a bag in their order; the folder itself where they are compressed.

    Raises:
        EpisodeError: there is none, or one is missing.
    """
    if path.is_file():
        return [path]
    there = sorted(
        (file for file in path.iterdir() if file.suffix in _SUFFIXES),
        key=lambda file: (len(file.name), file.name),
    )
    try:
        plain = yaml.safe_load((path / _METADATA).read_text(encoding="utf-8"))
        described = plain["rosbag2_bagfile_information"]
        names = [Path(str(name)).name for name in described["relative_file_paths"]]
        if described.get("compression_mode"):
            return [path]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, yaml.YAMLError):
        names = [file.name for file in there]  # lost or damaged: the files say all that is needed
    missing = [name for name in names if not (path / name).is_file()]
    if missing:
        raise EpisodeError(
            f"{path}: no bag that can be read: {_METADATA} names {', '.join(missing)}, which is "
            f"missing. To do without it, remove {_METADATA}: the files that are there are read then"
        )
    if not names:
        raise EpisodeError(
            f"{path}: no bag that can be read: holds neither {_METADATA} nor a file of "
            f"{' or '.join(_SUFFIXES)}"
        )
    return [path / name for name in names]


def _open(path: Path, file: Path, stack: ExitStack) -> _Storage:
    try:
        storage: _Storage = _SqliteStorage(file) if file.suffix == ".db3" else _RosbagsStorage(file)
    except EpisodeError:
        raise
    except Exception as problem:
        where = "" if file == path else f"{file.name}: "
        raise EpisodeError(
            f"{path}: no bag that can be read: {where}{_reason(problem)}{_recovery(file)}"
        ) from problem
    stack.callback(storage.close)
    return storage


def _reason(problem: Exception) -> str:
    return (str(problem) or type(problem).__name__).rstrip(".")


def _recovery(file: Path) -> str:
    """What brings back what is in a bag that was cut off or damaged."""
    kinds = {file.suffix} if file.is_file() else {each.suffix for each in file.iterdir()}
    if ".mcap" in kinds:
        name = file.name if file.is_file() else "FILE.mcap"
        return (
            f". Where the recording was cut off, `mcap recover {name} -o whole.mcap` (the command "
            "of mcap.dev) brings back what is there; import whole.mcap"
        )
    if ".db3" in kinds:
        name = file.name if file.is_file() else "FILE.db3"
        return (
            f". Where the recording was cut off, `sqlite3 {name} .recover | sqlite3 whole.db3` "
            "brings back what is there; import whole.db3"
        )
    return ""


def describe(message: LoggedMessage) -> str:
    """A message's name for people."""
    return f"message {message.number} of {message.topic}"
