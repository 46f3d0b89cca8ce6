"""Reading rosbag2 files, MCAP or SQLite3, with the library `rosbags`; no ROS is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from robot_learning.episodes.errors import EpisodeError
from robot_learning.episodes.optional import require


@dataclass(frozen=True, slots=True)
class LoggedMessage:
    """A message as it was logged: `number` counts those of its topic from 0."""

    topic: str
    number: int
    receive_ns: int
    data: bytes
    kind: str


class Bag:
    """One bag, open. A context manager."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            EpisodeError: it is no bag, or damaged.
            DependencyError: `rosbags` is missing.
        """
        highlevel = require("rosbags.highlevel", "reading bags")
        typesys = require("rosbags.typesys", "reading bags")
        self.path = path
        # Bags of older distributions carry no definitions of their messages.
        typestore = typesys.get_typestore(typesys.Stores.LATEST)
        try:
            self._reader: Any = highlevel.AnyReader([path], default_typestore=typestore)
            self._reader.open()
        except Exception as problem:
            raise EpisodeError(f"{path}: no bag that can be read: {problem}") from problem

    def __enter__(self) -> Bag:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._reader.close()

    @property
    def topics(self) -> Mapping[str, str]:
        """Topic -> message type; of a topic with several types the first."""
        return {
            connection.topic: connection.msgtype
            for connection in reversed(self._reader.connections)
        }

    @property
    def start_ns(self) -> int:
        """When the first message was logged."""
        return int(self._reader.start_time)

    def count(self, topics: set[str]) -> int:
        """Messages of these topics."""
        return sum(int(c.msgcount) for c in self._reader.connections if c.topic in topics)

    def messages(self, topics: set[str]) -> Iterator[LoggedMessage]:
        """The messages of these topics in order of time.

        Raises:
            EpisodeError: the bag is damaged; says behind which message.
        """
        connections = [c for c in self._reader.connections if c.topic in topics]
        if not connections:
            return
        numbers = dict.fromkeys(topics, 0)
        last = "its beginning"
        messages = self._reader.messages(connections=connections)
        while True:
            try:
                connection, receive_ns, data = next(messages)
            except StopIteration:
                return
            except Exception as problem:
                raise EpisodeError(f"{self.path}: damaged behind {last}: {problem}") from problem
            topic = connection.topic
            message = LoggedMessage(
                topic, numbers[topic], receive_ns, bytes(data), connection.msgtype
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
            return self._reader.deserialize(message.data, message.kind)
        except Exception as problem:
            text = f"{type(problem).__name__}: {problem}" if str(problem) else repr(problem)
            raise EpisodeError(
                f"{self.path}: {describe(message)} cannot be read ({len(message.data)} bytes of "
                f"{message.kind}): {text}"
            ) from problem


def describe(message: LoggedMessage) -> str:
    """A message's name for people."""
    return f"message {message.number} of {message.topic}"
