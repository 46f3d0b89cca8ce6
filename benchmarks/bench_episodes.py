"""Recording episodes: CPU share, time to save, and opening a large dataset.

python benchmarks/bench_episodes.py [--seconds 60]

Loading for training is measured by `bench_loading.py`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from harness import Row, Spread, report, take_turns

from robot_learning.core.clocks import NS_PER_S, seconds_to_ns
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.images import encode_jpeg
from robot_learning.episodes.format.schema import (
    Column,
    DatasetInfo,
    Encoding,
    EpisodeMetadata,
    Stream,
)
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.index import write_index

JOINTS, CAMERAS = 14, ("front", "left", "right")
HEIGHT, WIDTH = 480, 640
CHUNK, BATCH = 10, 100


def description(cameras: tuple[str, ...]) -> DatasetInfo:
    """Two 7-joint arms, decisions, and cameras."""
    joint_columns = tuple(
        Column(f"obs/joint_{name}", (JOINTS,)) for name in ("position", "velocity", "effort")
    )
    names = ("human", "policy", "noise", "requested", "applied")
    decisions = (
        Column("actions", (JOINTS,)),
        *(Column(f"control/{name}", (JOINTS,)) for name in names),
        Column("control/limited", (JOINTS,), "uint8"),
        Column("control/source", (), "uint8"),
        Column("intervention", (), "bool"),
    )
    shape = (HEIGHT, WIDTH, 3)
    return DatasetInfo(
        "two_arms",
        "lift",
        50.0,
        (
            Stream("joints", 500.0, 0.1, joint_columns),
            Stream("decision", 50.0, 0.1, decisions),
            *(
                Stream(name, 30.0, 0.2, (Column(f"images/{name}", shape, "uint8", Encoding.JPEG),))
                for name in cameras
            ),
        ),
    )


class Source:
    """Samples of every stream, in order of time."""

    def __init__(self, info: DatasetInfo) -> None:
        rng = np.random.default_rng(0)
        self.info = info
        self._vectors = rng.normal(size=(64, JOINTS))
        smooth = np.linspace(0, 180, WIDTH, dtype=np.uint8)[None, :, None]
        self._frames = [
            encode_jpeg(rng.integers(0, 40, (HEIGHT, WIDTH, 3), np.uint8) + smooth, 80)
            for _ in range(8)
        ]
        self.frame_bytes = float(np.mean([len(frame) for frame in self._frames]))
        self._next = {stream.name: 0 for stream in info.streams}

    def feed(self, recorder: Recorder, until_ns: int) -> None:
        """Push everything that is stamped up to `until_ns`."""
        for stream in self.info.streams:
            while True:
                index = self._next[stream.name]
                stamp_ns = seconds_to_ns(index / stream.rate_hz)
                if stamp_ns > until_ns:
                    break
                recorder.push(stream.name, stamp_ns, stamp_ns, self._values(stream, index))
                self._next[stream.name] = index + 1

    def _values(self, stream: Stream, index: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for number, column in enumerate(stream.columns):
            if column.is_image:
                values[column.path] = self._frames[(index + number) % len(self._frames)]
            elif column.shape:
                values[column.path] = self._vectors[(index + number) % 64].astype(column.dtype)
            else:
                values[column.path] = np.uint8(1)
        return values


def record_fast(folder: DatasetFolder, seconds: float, *, settle: bool = False) -> float:
    """Record an episode as fast as possible; seconds that `stop` took.

    With `settle` all but the last half second is flushed before, as it is in real time.
    """
    recorder = Recorder(folder, settings=WriterSettings(min_free_bytes=0))
    source = Source(folder.info)
    source.feed(recorder, 0)
    recorder.start(EpisodeMetadata(), 0)
    for tick in range(1, round(seconds * 50) + 1):
        now_ns = seconds_to_ns(tick / 50)
        source.feed(recorder, now_ns)
        recorder.advance(now_ns)
        while recorder.status(now_ns).queued_rows > 100:
            time.sleep(0.002)
    # In real time at most one flush interval waits for the disk.
    while settle and recorder.status(0).flushed_rows < seconds * 50 - 25:
        time.sleep(0.01)
    start = time.perf_counter()
    saved = recorder.stop("success")
    with Episode(folder.episodes_path / saved.summary.name) as episode:
        episode.column("actions")
    return time.perf_counter() - start


def bench_recording(path: Path, seconds: float) -> list[Row]:
    """Three cameras, joints at 500 Hz and decisions at 50 Hz, in real time."""
    folder = DatasetFolder.create_or_open(path, description(CAMERAS))
    recorder = Recorder(folder, settings=WriterSettings(min_free_bytes=0))
    source = Source(folder.info)
    process = psutil.Process()
    with folder.lock():
        source.feed(recorder, 0)
        recorder.start(EpisodeMetadata(), 0)
        start_s, cpu_start_s = time.perf_counter(), time.process_time()
        memory: list[float] = []
        while (elapsed_s := time.perf_counter() - start_s) < seconds:
            now_ns = int(elapsed_s * NS_PER_S)
            source.feed(recorder, now_ns)
            recorder.advance(now_ns)
            memory.append(process.memory_info().rss / 2**20)
            time.sleep(0.002)
        cpu = (time.process_time() - cpu_start_s) / (time.perf_counter() - start_s)
        stop_s = time.perf_counter()
        saved = recorder.stop("success")
        stop_s = time.perf_counter() - stop_s
    lost = saved.quality["fault_rows"]["FRAME_LOST"]
    missing = round(seconds * 50) - saved.summary.rows
    growth = float(np.mean(memory[-100:]) - np.mean(memory[len(memory) // 4 :][:100]))
    return [
        Row(f"CPU of one core, {seconds:g} s", Spread.of([cpu]), "share", "<= 0.6"),
        Row("rows lost", Spread.of([lost + max(missing, 0)]), "rows", "<= 0"),
        Row("rows invalid", Spread.of([saved.summary.invalid_rows]), "rows"),
        Row("memory growth after the first quarter", Spread.of([growth]), "MiB"),
        Row("stop to saved", Spread.of([stop_s * 1e3]), "ms", "<= 200"),
    ]


def bench_hours(path: Path, hours: float) -> list[Row]:
    """A long session, simulated as fast as it can be written: minute after minute an episode."""
    folder = DatasetFolder.create_or_open(path, description(CAMERAS[:1]))
    process, memory = psutil.Process(), []
    with folder.lock():
        for _ in range(round(60 * hours)):
            record_fast(folder, 60.0)
            memory.append(process.memory_info().rss / 2**20)
    # What a process needs at first, caches and the allocator's pools, is not a leak.
    later = memory[len(memory) // 4 :]
    slope = float(np.polyfit(np.arange(len(later)), later, 1)[0]) if len(later) > 1 else 0.0
    name = f"session of {hours:g} h, {len(memory)} episodes"
    return [
        Row(f"{name}: memory at its end", Spread.of(memory[-1:]), "MiB"),
        Row(f"{name}: growth after the first quarter", Spread.of([slope * 60]), "MiB/h", "<= 5"),
    ]


def bench_stop(path: Path, repetitions: int) -> list[Row]:
    """How long the operator waits after a short and a long episode, reading it back included."""
    rows = []
    for seconds in (2.0, 120.0):
        folder = DatasetFolder.create_or_open(path / str(seconds), description(CAMERAS))
        with folder.lock():
            times_ms = [record_fast(folder, seconds, settle=True) * 1e3 for _ in range(repetitions)]
        name = f"stop to saved and readable, {seconds:g} s of 3 cameras"
        rows.append(Row(name, Spread.of(times_ms), "ms", "<= 200"))
    return rows


def bench_opening(path: Path, count: int, repetitions: int) -> list[Row]:
    """A dataset of many episodes: one real file under many names."""
    folder = DatasetFolder.create_or_open(path, description(()))
    with folder.lock():
        record_fast(folder, 2.0)
        first = Dataset(path).episodes[0]
        names = [f"episode_{number:06d}.hdf5" for number in range(count)]
        for name in names[1:]:
            os.link(folder.episodes_path / first.name, folder.episodes_path / name)
        write_index(folder, [replace(first, name=name) for name in names])
        opening = take_turns({"open": lambda: len(Dataset(path))}, repetitions)["open"]
        stop_ms = [record_fast(folder, 2.0) * 1e3 for _ in range(3)]
    return [
        Row(f"open {count} episodes", Spread.of(opening), "s", "<= 1.0"),
        Row(f"stop to saved, {count} episodes before", Spread.of(stop_ms), "ms"),
    ]


def main() -> int:
    """Measure, print, write JSON; 1 when a target was missed."""
    parser = argparse.ArgumentParser(description="Recording episodes.")
    parser.add_argument("--seconds", type=float, default=60.0, help="of recording in real time")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--episodes", type=int, default=10_000, help="of the dataset to open")
    parser.add_argument("--hours", type=float, default=1.0, help="of a simulated session")
    parser.add_argument("--folder", type=Path, default=None, help="where to write; on a disk")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as directory:
        root = Path(directory)
        rows = [
            *bench_recording(root / "recording", arguments.seconds),
            *bench_hours(root / "hours", arguments.hours),
            *bench_stop(root / "stop", arguments.repetitions),
            *bench_opening(root / "opening", arguments.episodes, arguments.repetitions),
        ]
        frame_bytes = round(Source(description(CAMERAS)).frame_bytes)
    report("episodes", rows, {"jpeg_bytes": frame_bytes, "seconds": arguments.seconds})
    return 1 if any(row.kept is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
