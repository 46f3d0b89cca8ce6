"""Feeding the messages of a bag to a recorder, as a graph would have.

The clock is that of the graph: with `/clock` in the bag it is that one, else the time at which
messages were logged. A message counts as received when the clock showed the time of its logging.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from robot_learning.core.amounts import amount
from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import MessageError
from robot_learning.core.vocabulary import Source
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.imports.bag import Bag, LoggedMessage
from robot_learning.episodes.imports.importer import (
    ImportReport,
    Progress,
    finish_episode,
    imported_metadata,
)
from robot_learning.episodes.recording.message_streams import MessageStreams, valid_kinds
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.messages.arbiter_state import ArbiterStateMessage
from robot_learning.messages.stamps import time_ns

BY = ("whole", "demonstration", "control")
CLOCK, CLOCK_KIND = "/clock", "rosgraph_msgs/msg/Clock"
_STEP_NS = NS_PER_S
_EVERY_MESSAGES = 200


@dataclass(frozen=True)
class ReplaySettings:
    """How a bag is played.

    Attributes:
        topics: the bag's name of a topic -> ours, for each that is recorded.
        by: what becomes an episode, one of `BY`; see `RosbagImporter`.
        skip_broken: leave out messages that cannot be read.
        instruction: the task in words.
    """

    topics: Mapping[str, str]
    by: str
    skip_broken: bool
    instruction: str


class Replay:
    """Plays one bag once."""

    def __init__(
        self,
        bag: Bag,
        recorder: Recorder,
        streams: MessageStreams,
        settings: ReplaySettings,
        report: ImportReport,
    ) -> None:
        self._bag, self._recorder, self._streams = bag, recorder, streams
        self._settings, self._report = settings, report
        self._simulated_time = bag.count({CLOCK}) > 0
        self._now_ns: int | None = None
        # What the rows belong to: the whole bag, a demonstration, a stretch of control. None:
        # to nothing, they are not recorded.
        self._part: int | None = 0 if settings.by == "whole" else None
        self._stretches = 0
        self._started: set[int] = set()
        self._waiting: dict[int, int] = {}
        self._broken: dict[str, list[str]] = {}
        self._unusable: dict[str, int] = {}
        self._success = False

    def run(self, progress: Progress) -> None:
        """Record the episodes of the bag.

        Raises:
            EpisodeError: the bag is damaged, or a message is and broken ones are not skipped.
        """
        topics = {CLOCK, *self._settings.topics}
        total = self._bag.count(topics)
        for number, message in enumerate(self._bag.messages(topics)):
            if not self._is_usable(message):
                continue
            self._take(message)
            if number % _EVERY_MESSAGES == 0:
                self._recorder.keep_pace()
                progress(number, total)
        if self._now_ns is not None:
            self._advance(self._now_ns)
        self._end()
        progress(total, total)
        self._streams.tell_lack()
        self._report.notes += [
            amount(count, f"message for {stream} was", f"messages for {stream} were")
            + f" refused, the last: {why}"
            for stream, (count, why) in self._recorder.refusals.items()
        ]
        self._report.left_out.update(
            {
                f"{self._settings.by} {part}": "never were all streams there: "
                f"{self._recorder.described_silence(now_ns) or 'not all at one time'}"
                for part, now_ns in self._waiting.items()
                if part not in self._started
            }
        )
        self._report.left_out.update(
            {
                f"{amount(len(problems), 'message')} of {topic}": f"the first: {problems[0]}"
                for topic, problems in self._broken.items()
            }
        )

    def _is_usable(self, logged: LoggedMessage) -> bool:
        """Whether a message has a type that its topic can have; else it is counted and named."""
        name = self._settings.topics.get(logged.topic, "")
        valid = valid_kinds(name) if name else (CLOCK_KIND,)
        if logged.kind in valid:
            return True
        what = f"of the type {logged.kind}; {name or 'the clock'} takes {' or '.join(valid)}"
        key = f"{logged.topic}, messages {what}"
        count = self._unusable[key] = self._unusable.get(key, 0) + 1
        self._report.left_out[key] = f"{count} of them"
        return False

    def _take(self, logged: LoggedMessage) -> None:
        try:
            message = self._bag.read(logged)
        except EpisodeError as problem:
            if not self._settings.skip_broken:
                raise EpisodeError(
                    f"{problem}; --skip-broken leaves such messages out"
                ) from problem
            self._broken.setdefault(logged.topic, []).append(str(problem))
            return
        if logged.topic == CLOCK:
            self._set_time(time_ns(message.clock))
            return
        if not self._simulated_time:
            self._set_time(logged.receive_ns)
        if self._now_ns is None:
            return  # before the clock's first message there was no time
        name = self._settings.topics[logged.topic]
        if name == "task/success":
            self._success = bool(message.data)
        elif name == "arbiter/state" and self._settings.by != "whole":
            self._change_part(self._part_of(message.data))
        self._streams.handlers[name](message, self._now_ns)
        self._start_if_ready(logged)

    def _set_time(self, now_ns: int) -> None:
        if self._now_ns is not None and now_ns < self._now_ns:
            self._end()  # a simulation that was reset
        elif self._now_ns is not None:
            # Rows are due only when everything received up to their tick has been taken.
            self._advance(now_ns - 1)
        self._now_ns = now_ns

    def _advance(self, until_ns: int) -> None:
        if not self._recorder.recording:
            return
        now_ns = self._now_ns or 0
        while now_ns < until_ns:
            now_ns = min(now_ns + _STEP_NS, until_ns)
            self._recorder.advance(now_ns)
            self._recorder.keep_pace()
        self._recorder.advance(until_ns)
        if self._recorder.stop_reason:
            raise EpisodeError(f"{self._bag.path}: {self._recorder.stop_reason}")

    def _part_of(self, text: str) -> int | None:
        try:
            state = ArbiterStateMessage.from_json(text)
        except MessageError:
            return self._part  # the streams count and name it
        if self._settings.by == "demonstration":
            return state.episode
        driven = state.source is not Source.NONE
        if driven and self._part is None:
            self._stretches += 1
        return self._stretches if driven else None

    def _change_part(self, part: int | None) -> None:
        if part != self._part:
            self._end()
            self._part = part

    def _start_if_ready(self, logged: LoggedMessage) -> None:
        recorder, now_ns, part = self._recorder, self._now_ns, self._part
        if recorder.recording or part is None or now_ns is None or part in self._started:
            return
        if recorder.silent_streams(now_ns):
            self._waiting[part] = now_ns
            return
        self._started.add(part)
        self._success = self._success and self._settings.by == "whole"
        started = datetime.fromtimestamp(logged.receive_ns / NS_PER_S, timezone.utc)
        clock = "the graph's simulated time" if self._simulated_time else "the graph's clock"
        metadata = imported_metadata(
            self._bag.path,
            self._settings.by if self._settings.by == "whole" else f"{self._settings.by} {part}",
            kind="rosbag2",
            stamps=f"those of the messages, {clock}; receipts are when they were logged",
            instruction=self._settings.instruction,
            started_utc=started.isoformat(timespec="seconds"),
        )
        recorder.start(metadata, now_ns)

    def _end(self) -> None:
        if self._recorder.recording:
            finish_episode(self._recorder, self._report, "success" if self._success else "unknown")
            self._streams.restart()
            self._success = False
