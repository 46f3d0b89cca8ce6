"""Writes one episode in a background thread and never makes its caller wait.

Backpressure: every tick becomes exactly one row. When more than the bound waits for the
encoders or the disk, the images of further rows are dropped while all their other columns are
kept; those rows are marked invalid and the caller learns of it at once. When even the rows without
images pile up, the recording fails and what was committed is kept.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from robot_learning.core.amounts import amount
from robot_learning.core.files import fsync
from robot_learning.episodes.format.episode_file import EncodedRow, EpisodeFile, write_outcome
from robot_learning.episodes.format.errors import DiskSpaceError, EpisodeError
from robot_learning.episodes.format.images import encode_depth, encode_jpeg
from robot_learning.episodes.format.journaled_file import (
    JournaledFile,
    journal_path,
)
from robot_learning.episodes.format.quality import RowMonitor
from robot_learning.episodes.format.sampler import NEVER_NS, SampledRow
from robot_learning.episodes.format.schema import Column, Encoding, EpisodeMetadata, RowFault
from robot_learning.episodes.store.folder import PARTIAL_SUFFIX, DatasetFolder
from robot_learning.episodes.store.index import EpisodeSummary, add_to_index
from robot_learning.episodes.store.summary import summarise

_log = logging.getLogger(__name__)
_BATCH_ROWS = 32
_CHUNK_CACHE_BYTES = 2**16


@dataclass(frozen=True)
class WriterSettings:
    """How an episode is written.

    Attributes:
        jpeg_quality: JPEG quality of raw frames in JPEG columns, 1 to 100; JPEG frames pass
            through.
        encoder_threads: number of threads that encode raw frames and depth.
        queue_bytes: image bytes that may wait before images are dropped.
        queue_rows: rows that may wait before the recording fails.
        flush_interval_s: time between flushes: what is lost at most when the process is killed.
        min_free_bytes: free disk space below which a recording does not start, and one that runs
            stops.
        sync: whether each flush calls fsync, so that a loss of power costs no more than a kill.
    """

    jpeg_quality: int = 95
    encoder_threads: int = 2
    queue_bytes: int = 128 * 2**20
    queue_rows: int = 5000
    flush_interval_s: float = 0.5
    min_free_bytes: int = 512 * 2**20
    sync: bool = True


@dataclass(frozen=True, slots=True)
class WriterEvent:
    """Something the operator must know while recording.

    `kind` is `frames_dropped`, `caught_up`, `disk_full` or `failed`.
    """

    kind: str
    text: str


@dataclass(slots=True)
class _WaitingRow:
    row: SampledRow
    faults: RowFault
    values: dict[str, Any]
    image_bytes: int


def free_disk_bytes(path: Path) -> int:
    """Bytes that an unprivileged process may still write at `path`."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


class EpisodeWriter:
    """One episode while it is recorded. `add`, `save` and `discard` belong to one thread."""

    def __init__(
        self,
        folder: DatasetFolder,
        metadata: EpisodeMetadata,
        settings: WriterSettings | None = None,
        on_event: Callable[[WriterEvent], None] | None = None,
    ) -> None:
        """Create the file and start the thread. Hold the folder's lock.

        `on_event` is called from `add` or from the writer's thread and must not block.

        Raises:
            DiskSpaceError: the disk is nearly full.
            EpisodeError: the file cannot be created.
        """
        self.settings = settings or WriterSettings()
        free = free_disk_bytes(folder.path)
        if free < self.settings.min_free_bytes:
            raise DiskSpaceError(
                f"{folder.path}: {free / 2**20:.0f} MiB of disk are free; recording needs "
                f"{self.settings.min_free_bytes / 2**20:.0f} MiB. Free some space first"
            )
        self.monitor = RowMonitor(folder.info)
        self.stop_reason = ""
        self.flushed_rows = 0  # these survive whatever happens to the process
        self._folder = folder
        self._on_event = on_event or (lambda event: None)
        self.path = folder.episodes_path / folder.next_episode_name()
        self.partial_path = self.path.with_name(self.path.name + PARTIAL_SUFFIX)
        self._images = [column for column in folder.info.columns if column.is_image]
        self._arrays = [column for column in folder.info.columns if not column.is_image]
        self._blank = {column.path: blank_value(column) for column in folder.info.columns}
        self._encoded: dict[str, tuple[Any, Any]] = {}
        self._open(metadata)
        self._encoders = ThreadPoolExecutor(self.settings.encoder_threads, "episode-encoder")
        self._queue: deque[_WaitingRow] = deque()
        self._queued_bytes = 0
        self._counter_lock = threading.Lock()
        self._dropping = False
        self._wake = threading.Event()
        self._ending = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="episode-writer", daemon=True)
        self._thread.start()

    @property
    def queued(self) -> tuple[int, int]:
        """Rows and image bytes that wait to be written."""
        return len(self._queue), self._queued_bytes

    @property
    def dropping(self) -> bool:
        """Whether images are being dropped right now."""
        return self._dropping

    def add(self, row: SampledRow) -> RowFault:
        """Take the next row; returns why it is invalid, as far as is known now. Never waits.

        Raises:
            EpisodeError: the recording has failed or was ended; nothing was taken.
        """
        if self.stop_reason or self._closed:
            raise EpisodeError(f"{self.path.name}: {self.stop_reason or 'was ended'}")
        if len(self._queue) >= self.settings.queue_rows:
            waiting = amount(len(self._queue), "row was", "rows were")
            self._fail(f"the disk stopped taking data; {waiting} waiting")
            raise EpisodeError(f"{self.path.name}: {self.stop_reason}")
        values = {}
        for stream in self._folder.info.streams:
            sample = row.samples[stream.name]
            for column in stream.columns:
                path = column.path
                values[path] = self._blank[path] if sample is None else sample.values[path]
        faults, image_bytes = self._take_images(row, values)
        with self._counter_lock:
            self._queued_bytes += image_bytes
        self._queue.append(_WaitingRow(row, faults, values, image_bytes))
        self._wake.set()
        return faults

    def finish(self) -> None:
        """Write what waits and end the thread; `monitor` is final afterwards."""
        self._ending = True
        self._wake.set()
        self._thread.join()
        self._encoders.shutdown(wait=False, cancel_futures=True)

    def save(self, outcome: str, quality: Mapping[str, Any]) -> EpisodeSummary:
        """Complete the episode, make it durable, and add it to the index. After `finish`.

        Raises:
            EpisodeError: the disk failed; the partial file remains for recovery.
        """
        self.finish()
        if self._closed:
            raise EpisodeError(f"{self.path.name}: was ended already")
        self._closed = True
        try:
            if self._journaled.failure is not None:
                raise self._journaled.failure
            digests = self._episode.column_digests()
            write_outcome(self._file, self._episode.rows, outcome, quality, digests)
            summary = summarise(self._file, self.path.name)
            self._file.close()
            self._journaled.commit(sync=self.settings.sync)
            self._journaled.close(remove_journal=True)
            self.partial_path.rename(self.path)
            fsync(self.path.parent)
        except (OSError, RuntimeError) as problem:
            self._abandon()
            raise EpisodeError(
                f"{self.path.name}: could not be saved: {problem}. What was recorded up to the "
                f"last flush is in {self.partial_path.name} and can be repaired"
            ) from problem
        try:
            add_to_index(self._folder, summary)
        except OSError as problem:
            _log.error("%s is saved, but not in the index: %s; repair it", self.path, problem)
        return summary

    def discard(self) -> None:
        """Throw the episode away."""
        self.finish()
        if self._closed:
            raise EpisodeError(f"{self.path.name}: was ended already")
        self._closed = True
        self._abandon()
        self.partial_path.unlink(missing_ok=True)
        journal_path(self.partial_path).unlink(missing_ok=True)

    def _open(self, metadata: EpisodeMetadata) -> None:
        try:
            self._journaled = JournaledFile(self.partial_path, create=True)
            # Rows are only appended: a chunk that is full is not looked at again.
            self._file = h5py.File(self._journaled, "w", rdcc_nbytes=_CHUNK_CACHE_BYTES)
            self._episode = EpisodeFile(self._file, self._folder.info, metadata)
            self._file.flush()
            self._journaled.commit(sync=self.settings.sync)
        except OSError as problem:
            raise EpisodeError(f"{self.partial_path}: cannot be created: {problem}") from problem

    def _take_images(self, row: SampledRow, values: dict[str, Any]) -> tuple[RowFault, int]:
        faults = row.faults
        if not self._images:
            return faults, 0
        if self._queued_bytes > self.settings.queue_bytes:
            self._set_dropping(True)
            for column in self._images:
                values[column.path] = self._blank[column.path]
            return faults | RowFault.FRAME_LOST, 0
        if self._dropping and self._queued_bytes < self.settings.queue_bytes // 2:
            self._set_dropping(False)
        image_bytes = 0
        for column in self._images:
            value = values[column.path]
            image_bytes += len(value) if isinstance(value, bytes) else value.nbytes
            values[column.path] = self._encode(column, value)
        return faults, image_bytes

    def _encode(self, column: Column, value: Any) -> Any:
        """The bytes, the array, or the future of either; a repeated frame is encoded once."""
        if isinstance(value, bytes) or column.encoding is Encoding.ARRAY:
            return value
        last, future = self._encoded.get(column.path, (None, None))
        if last is value:
            return future
        if column.encoding is Encoding.JPEG:
            future = self._encoders.submit(encode_jpeg, value, self.settings.jpeg_quality)
        else:
            future = self._encoders.submit(encode_depth, value)
        self._encoded[column.path] = (value, future)
        return future

    def _set_dropping(self, dropping: bool) -> None:
        if dropping == self._dropping:
            return
        self._dropping = dropping
        if dropping:
            text = "the disk or the encoders fall behind: images are dropped, rows are invalid"
            self._tell(WriterEvent("frames_dropped", text))
        else:
            self._tell(WriterEvent("caught_up", "images are kept again"))

    def _tell(self, event: WriterEvent) -> None:
        try:
            self._on_event(event)
        except Exception:
            # A display that fails must not end the recording.
            _log.exception("the listener of recording events failed")

    def _run(self) -> None:
        next_flush_s = time.monotonic() + self.settings.flush_interval_s
        try:
            while True:
                # Rows are gathered for a while, as a batch costs little more than a row.
                if not self._ending:
                    self._wake.wait(max(0.0, next_flush_s - time.monotonic()))
                    self._wake.clear()
                    if len(self._queue) < _BATCH_ROWS and time.monotonic() < next_flush_s:
                        continue
                ending = self._ending
                while self._queue:
                    self._write_batch()
                if time.monotonic() >= next_flush_s or ending:
                    self._flush()
                    next_flush_s = time.monotonic() + self.settings.flush_interval_s
                if ending and not self._queue:
                    return
        except Exception as problem:
            _log.exception("writing %s failed", self.path.name)
            # Columns may differ in length now: nothing after the last commit may be kept.
            self._journaled.failure = self._journaled.failure or OSError(str(problem))
            self._fail(str(problem))

    def _write_batch(self) -> None:
        batch = [self._queue[index] for index in range(min(len(self._queue), _BATCH_ROWS))]
        self._episode.append([self._encoded_row(waiting) for waiting in batch])
        if self._journaled.failure is not None:
            raise self._journaled.failure
        for waiting in batch:
            self._queue.popleft()
            with self._counter_lock:
                self._queued_bytes -= waiting.image_bytes

    def _encoded_row(self, waiting: _WaitingRow) -> EncodedRow:
        row, faults = waiting.row, waiting.faults
        for column in self._images:
            value = waiting.values[column.path]
            if isinstance(value, Future):
                try:
                    waiting.values[column.path] = value.result()
                except (ValueError, TypeError) as problem:
                    _log.warning("a frame of %s could not be encoded: %s", column.path, problem)
                    waiting.values[column.path] = self._blank[column.path]
                    faults |= RowFault.FRAME_BAD
        self.monitor.row(row, faults, waiting.values)
        return EncodedRow(row.tick_ns, faults, stream_times(row), waiting.values)

    def _flush(self) -> None:
        self._file.flush()
        self._journaled.commit(sync=self.settings.sync)
        self.flushed_rows = self._episode.rows
        free = free_disk_bytes(self._folder.path)
        if free < self.settings.min_free_bytes and not self.stop_reason:
            self.stop_reason = f"the disk is nearly full ({free / 2**20:.0f} MiB free)"
            self._tell(WriterEvent("disk_full", self.stop_reason))

    def _fail(self, reason: str) -> None:
        self.stop_reason = self.stop_reason or reason
        self._tell(WriterEvent("failed", reason))

    def _abandon(self) -> None:
        self._journaled.failure = self._journaled.failure or OSError("abandoned")
        with suppress(OSError, RuntimeError, ValueError):
            self._file.close()
        self._journaled.close(remove_journal=False)


def blank_value(column: Column) -> Any:
    """What a column holds in a row without a value: NaN, zeros, or no bytes."""
    if column.encoding is Encoding.JPEG:
        return b""
    blank = np.full(column.shape, np.nan if column.dtype.startswith("float") else 0, column.dtype)
    return encode_depth(blank) if column.encoding is Encoding.DEPTH else blank


def stream_times(row: SampledRow) -> dict[str, tuple[int, int, int]]:
    """Per stream the stamp, receipt and age of the row's sample, in nanoseconds."""
    times = {}
    for name, sample in row.samples.items():
        if sample is None:
            times[name] = (NEVER_NS, NEVER_NS, NEVER_NS)
        else:
            times[name] = (sample.stamp_ns, sample.receive_ns, row.age_ns(name))
    return times
