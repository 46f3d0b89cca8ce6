"""Recording episodes: samples and the time go in, saved episodes come out.

The same object records live (a node feeds it), in lockstep with simulation time, and from
logs; only the times that are passed in differ. It knows nothing of ROS. One thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from robot_learning.core.amounts import amount
from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import unknown_choice
from robot_learning.core.vocabulary import OUTCOMES
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.images import jpeg_problem
from robot_learning.episodes.format.quality import (
    QualityThresholds,
    StreamMonitor,
    quality_report,
)
from robot_learning.episodes.format.sampler import Course, Sample, Sampler, row_tick_ns
from robot_learning.episodes.format.schema import Column, Encoding, EpisodeMetadata, RowFault
from robot_learning.episodes.recording.silence import REFUSAL, silence_text
from robot_learning.episodes.recording.writer import (
    EpisodeWriter,
    WriterEvent,
    WriterSettings,
    blank_value,
    free_disk_bytes,
)
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.index import EpisodeSummary

_MAX_JUMP_S = 10.0
_PACE_S = 0.001
# Stamps that differ by more than this are of another clock rather than late.
_OTHER_CLOCK_S = 3600.0


@dataclass(frozen=True)
class SavedEpisode:
    """What `stop` saved: its index entry and its full quality report."""

    summary: EpisodeSummary
    quality: Mapping[str, Any]


@dataclass(frozen=True)
class RecorderStatus:
    """What the operator sees. Ages are of each stream's newest sample, None before the first."""

    recording: str
    rows: int
    flushed_rows: int
    invalid_rows: int
    queued_rows: int
    queued_bytes: int
    dropping_images: bool
    ages_s: Mapping[str, float | None]
    refused: Mapping[str, str]
    free_bytes: int
    stop_reason: str


class Recorder:
    """Records one episode after the other into one dataset."""

    def __init__(
        self,
        folder: DatasetFolder,
        *,
        settings: WriterSettings | None = None,
        thresholds: QualityThresholds | None = None,
        future_tolerance_s: float = 0.1,
        on_event: Callable[[WriterEvent], None] | None = None,
    ) -> None:
        """Hold the folder's lock for as long as this records."""
        self.folder = folder
        self._settings = settings or WriterSettings()
        self._thresholds = thresholds or QualityThresholds()
        self._future_tolerance_s = future_tolerance_s
        self._on_event = on_event
        self._streams = {stream.name: stream for stream in folder.info.streams}
        self._latest: dict[str, Sample] = {}
        self._refused: dict[str, str] = {}
        self._refused_counts: dict[str, int] = {}
        self._lacking: dict[str, tuple[int, str]] = {}
        self._writer: EpisodeWriter | None = None
        self._sampler = Sampler(folder.info.streams, future_tolerance_s)
        self._monitors: dict[str, StreamMonitor] = {}
        self._start_ns = 0
        self._next_row = 0

    @property
    def recording(self) -> bool:
        """Whether an episode is being recorded."""
        return self._writer is not None

    @property
    def stop_reason(self) -> str:
        """Why the running episode must be stopped now (such as a full disk); normally empty."""
        return self._writer.stop_reason if self._writer else ""

    def push(
        self,
        stream: str,
        stamp_ns: int,
        receive_ns: int,
        values: Mapping[str, Any],
        course: Course | None = None,
    ) -> bool:
        """Take a sample.

        False when it is refused: malformed (a damaged image, a wrong size) or stamped in the
        future. It is counted, and the last reason of each stream is part of the status. Push
        also between episodes. Arrays are kept, not copied: do not change them afterwards.

        Args:
            stream: name of the stream.
            stamp_ns: time at which the values were measured.
            receive_ns: time at which the values arrived.
            values: value of each column of the stream, by its path; with a `course` the first ones
                of it.
            course: trajectory that gives the values of later times too; None for a sample of one
                instant.

        Raises:
            EpisodeError: there is no such stream.
        """
        if stream not in self._streams:
            raise EpisodeError(unknown_choice("stream", stream, self._streams))
        problem = self._problem(stream, values)
        if problem:
            self.refuse(stream, problem)
            return False
        return self._take(stream, Sample(stamp_ns, receive_ns, values, course))

    def push_lost(self, stream: str, stamp_ns: int, receive_ns: int) -> bool:
        """Take a camera's sample whose frame is lost: rows that it belongs to are invalid.

        Args:
            stream: name of the stream.
            stamp_ns: time at which the frame was taken.
            receive_ns: time at which it should have arrived.

        Raises:
            EpisodeError: there is no such stream.
        """
        if stream not in self._streams:
            raise EpisodeError(unknown_choice("stream", stream, self._streams))
        values = {column.path: blank_value(column) for column in self._streams[stream].columns}
        sample = Sample(stamp_ns, receive_ns, values, faults=RowFault.FRAME_LOST)
        return self._take(stream, sample)

    def refuse(self, stream: str, problem: str) -> None:
        """Count a sample that could not even be read; `problem` becomes part of the status."""
        self._count(stream, problem)
        if self.recording:
            self._monitors[stream].refused += 1

    def lack(self, stream: str, what: str) -> None:
        """Note what keeps messages from being a sample; forgotten with the next sample."""
        count, _ = self._lacking.get(stream, (0, ""))
        self._lacking[stream] = (count + 1, what)

    def why_silent(self, stream: str) -> str:
        """Why a stream has no sample or none that is young enough: counts and reasons."""
        reasons = []
        if stream in self._lacking:
            count, what = self._lacking[stream]
            reasons.append(f"{_messages(count)} not enough: {what}")
        if stream in self._refused:
            reasons.append(
                f"{_messages(self._refused_counts[stream])} refused, the last: "
                f"{self._refused[stream]}"
            )
        latest = self._latest.get(stream)
        if latest is not None:
            behind_s = (latest.receive_ns - latest.stamp_ns) / NS_PER_S
            if latest.stamp_ns == 0:
                reasons.append("no time was set in its stamps")
            elif behind_s > self._streams[stream].max_age_s:
                other = " (of another clock? a bag of a simulation needs /clock)"
                far = other if behind_s > _OTHER_CLOCK_S else ""
                reasons.append(f"stamped {behind_s:.3f} s before it was received{far}")
        return "; ".join(reasons)

    def silent_streams(self, now_ns: int) -> dict[str, float | None]:
        """Streams that are over age at `now_ns`, with their age; None: nothing came yet.

        A sample received after `now_ns` is from before the clock was set back, and is no sample.
        """
        ages = {
            name: None if age is not None and self._latest[name].receive_ns > now_ns else age
            for name, age in self._ages_s(now_ns).items()
        }
        return {
            name: age
            for name, age in ages.items()
            if age is None or age > self._streams[name].max_age_s
        }

    def start(self, metadata: EpisodeMetadata, now_ns: int) -> None:
        """Begin an episode; its first row is at `now_ns`.

        Raises:
            EpisodeError: one is being recorded, or a stream is silent; the text names it.
            DiskSpaceError: the disk is nearly full.
        """
        if self._writer is not None:
            raise EpisodeError(f"already recording {self._writer.path.name}; stop it first")
        described = self.described_silence(now_ns)
        if described:
            raise EpisodeError(f"{REFUSAL}{described}")
        self._writer = EpisodeWriter(self.folder, metadata, self._settings, self._on_event)
        self._sampler = Sampler(self.folder.info.streams, self._future_tolerance_s)
        self._monitors = {
            name: StreamMonitor(stream.rate_hz, self._thresholds.gap_periods)
            for name, stream in self._streams.items()
        }
        for name, sample in self._latest.items():
            self._sampler.push(name, sample)
            until_ns = None if sample.course is None else sample.course.until_ns
            self._monitors[name].sample(sample.stamp_ns, until_ns)
        self._start_ns, self._next_row = now_ns, 0

    def advance(self, now_ns: int) -> int:
        """Record every row that is due by `now_ns`; returns how many. Does nothing when idle.

        A late call changes no row: each is sampled as of its own tick.

        Raises:
            EpisodeError: the recording cannot go on (the clock jumped, the disk failed); stop
                it to keep what there is.
        """
        if self._writer is None:
            return 0
        ahead_s = (now_ns - self._tick_ns(self._next_row)) / NS_PER_S
        if abs(ahead_s) > _MAX_JUMP_S:
            raise EpisodeError(f"the clock jumped by {ahead_s:.1f} s while recording")
        rows = 0
        while (tick_ns := self._tick_ns(self._next_row)) <= now_ns:
            row = self._sampler.sample(tick_ns)
            self._writer.add(row)
            self._next_row += 1
            rows += 1
        return rows

    def keep_pace(self) -> None:
        """Wait while too much waits to be written: for a simulation that outruns the disk.

        Live recording never waits; it drops images instead, and says so.
        """
        while self._writer is not None and not self._writer.stop_reason:
            rows, image_bytes = self._writer.queued
            settings = self._settings
            if rows < settings.queue_rows // 8 and image_bytes < settings.queue_bytes // 2:
                return
            time.sleep(_PACE_S)

    def stop(self, outcome: str = "unknown") -> SavedEpisode:
        """End the episode and save it; when this returns it is on the disk and readable.

        Raises:
            EpisodeError: nothing is being recorded, or it has no rows (it is discarded), or
                the disk failed (the partial file remains).
        """
        if outcome not in OUTCOMES:
            raise EpisodeError(unknown_choice("outcome", outcome, OUTCOMES))
        writer = self._end()
        writer.finish()
        if not writer.monitor.rows:
            writer.discard()
            raise EpisodeError(f"{writer.path.name}: no rows were recorded; nothing was saved")
        quality = quality_report(
            self.folder.info,
            writer.monitor,
            self._monitors,
            self._sampler.counts,
            self._thresholds,
        )
        if writer.stop_reason:
            quality["verdict"] = "bad"
            quality["reasons"] = [*quality["reasons"], f"stopped early: {writer.stop_reason}"]
        return SavedEpisode(writer.save(outcome, quality), quality)

    def discard(self) -> None:
        """Throw the running episode away.

        Raises:
            EpisodeError: nothing is being recorded; a saved episode is deleted by other means.
        """
        self._end().discard()

    def status(self, now_ns: int) -> RecorderStatus:
        """The figures for the operator."""
        writer = self._writer
        queued_rows, queued_bytes = writer.queued if writer else (0, 0)
        return RecorderStatus(
            recording=writer.path.name if writer else "",
            rows=self._next_row if writer else 0,
            flushed_rows=writer.flushed_rows if writer else 0,
            invalid_rows=writer.monitor.invalid_rows if writer else 0,
            queued_rows=queued_rows,
            queued_bytes=queued_bytes,
            dropping_images=bool(writer and writer.dropping),
            ages_s=self._ages_s(now_ns),
            refused={
                **self._refused,
                **{stream: what for stream, (_, what) in self._lacking.items()},
            },
            free_bytes=free_disk_bytes(self.folder.path),
            stop_reason=self.stop_reason,
        )

    @property
    def refusals(self) -> Mapping[str, tuple[int, str]]:
        """Stream -> how many of its messages were refused so far, and why the last one was."""
        return {
            stream: (count, self._refused[stream]) for stream, count in self._refused_counts.items()
        }

    def described_silence(self, now_ns: int) -> str:
        """Every silent stream with the reason; empty where none is."""
        silent = self.silent_streams(now_ns)
        return ", ".join(
            silence_text(name, age_s, why=self.why_silent(name)) for name, age_s in silent.items()
        )

    def _take(self, stream: str, sample: Sample) -> bool:
        stamp_ns, course = sample.stamp_ns, sample.course
        taken = (
            self._sampler.push(stream, sample)
            if self.recording
            else not self._sampler.is_future(sample)
        )
        if not taken:
            ahead_s = (stamp_ns - sample.receive_ns) / NS_PER_S
            self._count(stream, f"stamped {ahead_s:.3f} s ahead")
            return False
        self._lacking.pop(stream, None)
        if self.recording:
            self._monitors[stream].sample(stamp_ns, None if course is None else course.until_ns)
        latest = self._latest.get(stream)
        if latest is None or sample.order >= latest.order or not self.recording:
            self._latest[stream] = sample
        return True

    def _count(self, stream: str, problem: str) -> None:
        self._refused[stream] = problem
        self._refused_counts[stream] = self._refused_counts.get(stream, 0) + 1

    def _end(self) -> EpisodeWriter:
        if self._writer is None:
            raise EpisodeError("no episode is being recorded")
        writer, self._writer = self._writer, None
        return writer

    def _tick_ns(self, row: int) -> int:
        return row_tick_ns(self._start_ns, self.folder.info.rate_hz, row)

    def _ages_s(self, now_ns: int) -> dict[str, float | None]:
        return {
            name: (now_ns - self._latest[name].at(now_ns).stamp_ns) / NS_PER_S
            if name in self._latest
            else None
            for name in self._streams
        }

    def _problem(self, stream: str, values: Mapping[str, Any]) -> str:
        for column in self._streams[stream].columns:
            if column.path not in values:
                return f"'{column.path}' is missing"
            problem = _value_problem(column, values[column.path])
            if problem:
                return f"'{column.path}': {problem}"
        return ""


def _messages(count: int) -> str:
    return amount(count, "message")


def _value_problem(column: Column, value: Any) -> str:
    if isinstance(value, bytes):
        if column.encoding is not Encoding.JPEG:
            return "bytes where an array is expected"
        return jpeg_problem(value, column.shape[0], column.shape[1])
    shape = value.shape if isinstance(value, np.ndarray) else np.shape(value)
    if shape != column.shape:
        return f"shape {shape}, expected {column.shape}"
    if len(shape) > 1 and column.is_image and getattr(value, "dtype", None) != column.dtype:
        return f"dtype {getattr(value, 'dtype', None)}, expected {column.dtype}"
    return ""
