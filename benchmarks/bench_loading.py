"""Loading windows for training: ours beside robomimic's and LeRobot's loaders, in turn.

python benchmarks/bench_loading.py [--repetitions 5]

The peers are run by the interpreters that ROBOT_LEARNING_ROBOMIMIC_PYTHON (robomimic 0.3.0) and
ROBOT_LEARNING_LEROBOT_PYTHON (LeRobot) name; without them their lines are left out.
ROBOT_LEARNING_LEROBOT_BACKEND lists LeRobot's video decoders, separated by commas (`pyav`).
All read the same rows: robomimic our index as it is, LeRobot our export of the same frames.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from bench_episodes import BATCH, CHUNK, HEIGHT, WIDTH, description, record_fast
from harness import Row, Spread, ratio, report

from robot_learning.core.clocks import seconds_to_ns
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.dataset.torch_view import TorchWindows, make_loader
from robot_learning.episodes.dataset.windows import Windows, WindowSpec
from robot_learning.episodes.exports.exporter import export_dataset
from robot_learning.episodes.exports.lerobot import LeRobotExporter
from robot_learning.episodes.format.images import encode_jpeg
from robot_learning.episodes.format.schema import EpisodeMetadata
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store.folder import DatasetFolder

PEERS = Path(__file__).resolve().parent / "peers"
CAMERAS = ("front", "wrist")
IMAGE_CHUNK, IMAGE_WINDOWS, IMAGE_BATCH = 100, 100, 20
JPEG_QUALITY = 90
Once = Callable[[], float]


class Peer:
    """Another loader in another interpreter: each call measures it once."""

    def __init__(self, python: str, script: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [python, str(PEERS / script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        while True:
            line = self._read()
            if line.startswith("ready"):
                break
        self()

    def __call__(self) -> float:
        """Windows a second."""
        if self._process.stdin is None:
            raise RuntimeError("the peer has no pipe")
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return float(self._read())

    def close(self) -> None:
        """End it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()

    def _read(self) -> str:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"the peer ended with {self._process.wait()}; see above")
        return line


def bench_arrays(path: Path, repetitions: int) -> list[Row]:
    """Shuffled batches of low-dimensional windows."""
    folder = DatasetFolder.create_or_open(path, description(()))
    with folder.lock():
        for _ in range(40 - len(folder.episode_names())):
            record_fast(folder, 10.0)
    keys = ("obs/joint_position", "obs/joint_velocity", "obs/joint_effort")
    spec = WindowSpec(keys, observation_steps=CHUNK, action_steps=CHUNK)
    windows = Windows(Dataset(path), spec)

    def ours() -> float:
        start = time.perf_counter()
        count = sum(len(batch["action"]) for batch in make_loader(windows, BATCH))
        return count / (time.perf_counter() - start)

    python = os.environ.get("ROBOT_LEARNING_ROBOMIMIC_PYTHON", "")
    if not python:
        print("robomimic is left out: ROBOT_LEARNING_ROBOMIMIC_PYTHON is not set")
        return compare("windows", ours, {}, repetitions, "")
    plain = ",".join(key.removeprefix("obs/") for key in keys)
    index = str(path / "dataset.hdf5")
    peer = Peer(python, "robomimic_loader.py", index, str(CHUNK), str(BATCH), plain)
    return compare("windows", ours, {"robomimic 0.3.0 cached": peer}, repetitions, ">= 1.5")


def bench_images(path: Path, repetitions: int) -> list[Row]:
    """Random windows of two 640x480 cameras and a chunk of 100 actions."""
    info = replace(description(CAMERAS), rate_hz=30.0)
    folder = DatasetFolder.create_or_open(path / "ours", info)
    with folder.lock():
        for number in range(len(folder.episode_names()), 4):
            record_video(folder, 10.0, number)
    dataset = Dataset(path / "ours")
    keys = ("obs/joint_position", *(f"images/{name}" for name in CAMERAS))
    view = TorchWindows(Windows(dataset, WindowSpec(keys, action_steps=IMAGE_CHUNK)))
    rng = np.random.default_rng(0)

    def ours(*, as_floats: bool = False) -> float:
        chosen = rng.permutation(len(view))[:IMAGE_WINDOWS].tolist()
        start = time.perf_counter()
        for first in range(0, IMAGE_WINDOWS, IMAGE_BATCH):
            batch = view[chosen[first : first + IMAGE_BATCH]]
            for name in CAMERAS if as_floats else ():
                batch[f"images/{name}"].float().div_(255.0)
        return IMAGE_WINDOWS / (time.perf_counter() - start)

    # LeRobot gives floats in [0, 1]; here these are made on the device that trains.
    floats: dict[str, Once] = {"ours, made floats at once": partial(ours, as_floats=True)}

    python = os.environ.get("ROBOT_LEARNING_LEROBOT_PYTHON", "")
    if not python:
        print("LeRobot is left out: ROBOT_LEARNING_LEROBOT_PYTHON is not set")
        return compare("frames", ours, floats, repetitions, "")
    peers = floats
    for codec in ("h264", "av1"):
        if not (path / codec).exists():
            export_dataset(dataset, path / codec, LeRobotExporter(codec=codec))
        for backend in os.environ.get("ROBOT_LEARNING_LEROBOT_BACKEND", "pyav").split(","):
            arguments = (str(path / codec), str(IMAGE_CHUNK), str(IMAGE_WINDOWS), backend)
            peer = Peer(python, "lerobot_loader.py", *arguments)
            peers[f"LeRobot, {codec}, {backend}"] = peer
    name = "windows of two 640x480 frames and a chunk of 100"
    return compare(name, ours, peers, repetitions, ">= 5")


def record_video(folder: DatasetFolder, seconds: float, seed: int) -> None:
    """An episode whose frames look like a camera's: smooth, moving, a little noise."""
    recorder = Recorder(folder, settings=WriterSettings(min_free_bytes=0, sync=False))
    rng = np.random.default_rng(seed)
    scene = smooth_picture(rng, 2 * WIDTH)
    vector = {name: np.zeros(14) for name in ("position", "velocity", "effort")}
    decision = folder.info.streams[1]
    for row in range(round(seconds * 30)):
        now_ns = seconds_to_ns(row / 30)
        joints = {f"obs/joint_{name}": value + row for name, value in vector.items()}
        recorder.push("joints", now_ns, now_ns, joints)
        values = {c.path: np.full(c.shape, row % 2, c.dtype) for c in decision.columns}
        recorder.push("decision", now_ns, now_ns, values)
        for number, camera in enumerate(CAMERAS):
            left = (2 * row + 100 * number) % WIDTH
            noise = rng.integers(-3, 4, (HEIGHT, WIDTH, 1))
            pixels = np.clip(scene[:, left : left + WIDTH] + noise, 0, 255).astype(np.uint8)
            jpeg = encode_jpeg(pixels, JPEG_QUALITY)
            recorder.push(camera, now_ns, now_ns, {f"images/{camera}": jpeg})
        if row == 0:
            recorder.start(EpisodeMetadata(), now_ns)
        recorder.advance(now_ns)
        recorder.keep_pace()
    recorder.stop("success")


def smooth_picture(rng: np.random.Generator, width: int) -> npt.NDArray[np.int16]:
    """(HEIGHT, width, 3) int16 of coloured clouds with sharp-edged boxes on them."""
    coarse = rng.integers(40, 215, (13, width // 40 + 1, 3)).astype(float)
    rows, columns = np.linspace(0, 12, HEIGHT), np.linspace(0, width // 40, width)
    low_row, low_column = rows.astype(int).clip(0, 11), columns.astype(int).clip(0, width // 40 - 1)
    part_row = (rows - low_row)[:, None, None]
    part_column = (columns - low_column)[None, :, None]
    upper = coarse[low_row][:, low_column] * (1 - part_column)
    upper = upper + coarse[low_row][:, low_column + 1] * part_column
    lower = coarse[low_row + 1][:, low_column] * (1 - part_column)
    lower = lower + coarse[low_row + 1][:, low_column + 1] * part_column
    mixed = upper * (1 - part_row) + lower * part_row
    picture: npt.NDArray[np.int16] = mixed.astype(np.int16)
    for _ in range(40):
        top, left = int(rng.integers(0, HEIGHT - 60)), int(rng.integers(0, width - 60))
        picture[top : top + 40, left : left + 50] = rng.integers(0, 255, 3)
    return picture


def compare(
    name: str, ours: Once, peers: dict[str, Once], repetitions: int, bound: str
) -> list[Row]:
    """Ours and each peer in turn; the bound is on our rate as a multiple of the peer's."""
    ours()
    rates: dict[str, list[float]] = {"ours": [], **{peer: [] for peer in peers}}
    for _ in range(repetitions):
        rates["ours"].append(ours())
        for peer, once in peers.items():
            rates[peer].append(once())
    rows = [Row(f"{name}: {who}", Spread.of(found), "1/s") for who, found in rates.items()]
    rows += [
        Row(f"{name}: ours / {peer}", ratio(rates["ours"], rates[peer]), "", bound)
        for peer, once in peers.items()
        if isinstance(once, Peer)
    ]
    for once in peers.values():
        if isinstance(once, Peer):
            once.close()
    return rows


def main() -> int:
    """Measure, print, write JSON; 1 when a target was missed."""
    parser = argparse.ArgumentParser(description="Loading windows for training.")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument(
        "--folder", type=Path, help="keep the recordings there, and use them again in the next run"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        root = arguments.folder or Path(directory)
        rows = [
            *bench_arrays(root / "arrays", arguments.repetitions),
            *bench_images(root / "images", arguments.repetitions),
        ]
    report("loading", rows, {"jpeg_quality": JPEG_QUALITY})
    return 1 if any(row.kept is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
