from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from robot_learning.core.clocks import seconds_to_ns
from robot_learning.core.vocabulary import Source
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.images import encode_jpeg
from robot_learning.episodes.format.schema import (
    Column,
    DatasetInfo,
    Encoding,
    EpisodeMetadata,
    Stream,
)
from robot_learning.episodes.recording.recorder import Recorder, SavedEpisode
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store.folder import DatasetFolder

JOINTS = 3
HEIGHT, WIDTH = 48, 64


def make_info(rate_hz: float = 50.0) -> DatasetInfo:
    """Joints at 500 Hz, two JPEG/raw cameras and depth at 30 Hz, decisions at 50 Hz."""
    joints = Stream(
        "joints",
        500.0,
        0.1,
        (
            Column("obs/joint_position", (JOINTS,), unit="rad"),
            Column("obs/joint_velocity", (JOINTS,)),
        ),
    )
    decision = Stream(
        "decision",
        50.0,
        0.1,
        (
            Column("actions", (JOINTS,)),
            Column("control/source", (), "uint8"),
            Column("control/human", (JOINTS,)),
            Column("control/policy", (JOINTS,)),
            Column("control/applied", (JOINTS,)),
            Column("control/limited", (JOINTS,), "bool"),
            Column("intervention", (), "bool"),
        ),
    )
    image = (HEIGHT, WIDTH, 3)
    cameras = (
        Stream("front", 30.0, 0.2, (Column("images/front", image, "uint8", Encoding.JPEG),)),
        Stream("wrist", 30.0, 0.2, (Column("obs/wrist", image, "uint8"),)),
        Stream(
            "depth",
            30.0,
            0.2,
            (Column("obs/depth", (HEIGHT, WIDTH, 1), "uint16", Encoding.DEPTH),),
        ),
    )
    return DatasetInfo("desk_arm", "lift", rate_hz, (joints, decision, *cameras), ("a", "b", "c"))


def frame(index: int) -> np.ndarray:
    """A smooth picture whose brightness tells its index."""
    pixels = np.full((HEIGHT, WIDTH, 3), index % 25 * 10, np.uint8)
    pixels[:, :, 1] = np.linspace(0, 200, WIDTH, dtype=np.uint8)
    return pixels


def joint_values(time_s: float) -> dict:
    phase = time_s + np.arange(JOINTS)
    return {"obs/joint_position": np.sin(phase), "obs/joint_velocity": np.cos(phase)}


def decision_values(time_s: float, source: Source = Source.HUMAN) -> dict:
    position = np.sin(time_s + np.arange(JOINTS))
    return {
        "actions": position,
        "control/source": np.uint8(source),
        "control/human": position if source is Source.HUMAN else np.full(JOINTS, np.nan),
        "control/policy": position + 0.5,
        "control/applied": position * 0.9,
        "control/limited": np.zeros(JOINTS, bool),
        "intervention": source is Source.HUMAN,
    }


def feed(recorder: Recorder, from_s: float, to_s: float, source: Source = Source.HUMAN) -> None:
    """Simulated streams at their rates from one time up to and including another."""
    for millisecond in range(round(from_s * 1000) + 1, round(to_s * 1000) + 1):
        now_s = millisecond / 1000
        now_ns = seconds_to_ns(now_s)
        if millisecond % 2 == 0:
            recorder.push("joints", now_ns, now_ns, joint_values(now_s))
        if millisecond % 20 == 0:
            recorder.push("decision", now_ns, now_ns, decision_values(now_s, source))
        if millisecond % 33 == 0:
            index = millisecond // 33
            stamp_ns = now_ns - 5_000_000
            jpeg = encode_jpeg(frame(index), 90)
            recorder.push("front", stamp_ns, now_ns, {"images/front": jpeg})
            recorder.push("wrist", stamp_ns, now_ns, {"obs/wrist": frame(index)})
            depth = np.full((HEIGHT, WIDTH, 1), index, np.uint16)
            recorder.push("depth", stamp_ns, now_ns, {"obs/depth": depth})
        recorder.advance(now_ns)


def record(
    folder: DatasetFolder,
    duration_s: float = 1.0,
    outcome: str = "success",
    source: Source = Source.HUMAN,
    **metadata: object,
) -> SavedEpisode:
    """Record one episode; hold the folder's lock."""
    recorder = Recorder(folder, settings=WriterSettings(min_free_bytes=0, sync=False))
    feed(recorder, 0.0, 0.2, source)
    recorder.start(EpisodeMetadata(**metadata), seconds_to_ns(0.2))
    feed(recorder, 0.2, 0.2 + duration_s, source)
    return recorder.stop(outcome)


@pytest.fixture
def info() -> DatasetInfo:
    return make_info()


@pytest.fixture
def folder(tmp_path: Path, info: DatasetInfo) -> DatasetFolder:
    return DatasetFolder.create_or_open(tmp_path / "dataset", info)


@pytest.fixture
def feed_streams() -> Callable[..., None]:
    return feed


@pytest.fixture
def record_episode() -> Callable[..., SavedEpisode]:
    return record


@pytest.fixture(scope="module")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three short episodes of differing length and outcome, and two stored splits."""
    path = tmp_path_factory.mktemp("small") / "dataset"
    folder = DatasetFolder.create_or_open(path, make_info())
    with folder.lock():
        record(folder, 0.4, "success", instruction="pick")
        record(folder, 0.6, "failure", instruction="place")
        record(folder, 0.5, "success", instruction="pick")
    dataset = Dataset(path)
    dataset.save_splits(dataset.split({"train": 0.6, "valid": 0.4}))
    return path
