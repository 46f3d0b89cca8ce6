import json
import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest

from robot_learning.core.clocks import seconds_to_ns
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import DatasetError, DiskSpaceError, EpisodeError
from robot_learning.episodes.format.images import encode_jpeg
from robot_learning.episodes.format.schema import EpisodeMetadata, RowFault
from robot_learning.episodes.recording import writer as writer_module
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder

SETTINGS = WriterSettings(min_free_bytes=0, sync=False)


@pytest.fixture
def recorder(folder: DatasetFolder, feed_streams) -> Recorder:
    made = Recorder(folder, settings=SETTINGS)
    feed_streams(made, 0.0, 0.2)
    return made


def start(recorder: Recorder, **metadata: object) -> None:
    recorder.start(EpisodeMetadata(**metadata), seconds_to_ns(0.2))


def test_an_episode_holds_what_was_fed(recorder: Recorder, feed_streams) -> None:
    metadata = {
        "instruction": "lift the cube",
        "operator": "ana",
        "round": 2,
        "seed": 7,
        "checkpoint_digest": "abc",
        "noise_covariance": np.eye(3),
        "notes": {"light": "dim"},
    }
    start(recorder, **metadata)
    feed_streams(recorder, 0.2, 1.2)
    saved = recorder.stop("success")
    assert (saved.summary.rows, saved.summary.invalid_rows) == (51, 0)
    assert saved.quality["verdict"] == "good"
    path = recorder.folder.episodes_path / saved.summary.name
    with Episode(path) as episode:
        ticks_ns = episode.column("tick_ns")
        np.testing.assert_array_equal(ticks_ns, 200_000_000 + 20_000_000 * np.arange(51))
        np.testing.assert_array_equal(
            episode.column("obs/joint_position"),
            np.sin(ticks_ns[:, None] / 1e9 + np.arange(3)),
        )
        assert episode.valid.all()
        assert episode.outcome == "success"
        assert episode.metadata.noise_covariance is not None
        for key, value in metadata.items():
            np.testing.assert_array_equal(getattr(episode.metadata, key), value)
        ages_ns = episode.column("streams/front/age_ns")
        stamps_ns = episode.column("streams/front/stamp_ns")
        np.testing.assert_array_equal(ages_ns, ticks_ns - stamps_ns)
        assert ages_ns.min() >= 5_000_000
    with h5py.File(path) as file:
        demo = file["data/demo_0"]
        assert demo.attrs["num_samples"] == 51
        assert json.loads(file["data"].attrs["env_args"])["type"] == 2
        assert demo["dones"][:].tolist() == [0] * 50 + [1]
        assert demo["rewards"].shape == (51,)


def test_jpeg_bytes_pass_through_untouched(recorder: Recorder, feed_streams) -> None:
    start(recorder)
    jpeg = encode_jpeg(np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8), 50)
    padded = jpeg + bytes(3)  # as some camera drivers do
    recorder.push("front", 205_000_000, 206_000_000, {"images/front": padded})
    recorder.advance(220_000_000)
    saved = recorder.stop()
    with Episode(recorder.folder.episodes_path / saved.summary.name) as episode:
        assert bytes(episode.frame_bytes("images/front", 1)) == padded
        assert episode.frame("images/front", 1).shape == (48, 64, 3)


def test_raw_frames_are_encoded_for_a_jpeg_column(recorder: Recorder) -> None:
    start(recorder)
    pixels = np.full((48, 64, 3), 90, np.uint8)
    recorder.push("front", 201_000_000, 201_000_000, {"images/front": pixels})
    recorder.advance(240_000_000)
    saved = recorder.stop()
    with Episode(recorder.folder.episodes_path / saved.summary.name) as episode:
        assert abs(episode.frame("images/front", 2).astype(int) - 90).max() <= 2


def bad_frames() -> list[tuple[object, str]]:
    jpeg = encode_jpeg(np.zeros((48, 64, 3), np.uint8), 90)
    large = encode_jpeg(np.zeros((96, 64, 3), np.uint8), 90)
    return [
        (jpeg[:-20], "cut off"),
        (b"", "0 bytes that are no JPEG image"),
        (b"GIF89a" + jpeg, "no JPEG image"),
        (jpeg[:2] + bytes(100) + b"\xff\xd9", "header is damaged"),
        (large, "the image is 64x96, expected 64x48"),
        (np.zeros((96, 64, 3), np.uint8), "shape (96, 64, 3), expected (48, 64, 3)"),
        (np.zeros((48, 64, 3)), "dtype float64, expected uint8"),
    ]


def test_bad_frames_never_become_rows(recorder: Recorder, feed_streams) -> None:
    start(recorder)
    for index, (value, text) in enumerate(bad_frames()):
        now_ns = 300_000_000 + index
        assert not recorder.push("front", now_ns, now_ns, {"images/front": value})
        assert text in recorder.status(now_ns).refused["front"]
    recorder.advance(500_000_000)
    saved = recorder.stop()
    assert saved.quality["streams"]["front"]["refused_bad"] == len(bad_frames())
    with Episode(recorder.folder.episodes_path / saved.summary.name) as episode:
        # The camera counts as silent from its last good frame on.
        late = episode.column("streams/front/age_ns") > 200_000_000
        assert late.sum() == 6
        np.testing.assert_array_equal(episode.valid, ~late & episode.valid)
        assert (episode.column("invalid")[late] & RowFault.STALE).all()


def test_a_camera_with_a_clock_from_the_future_goes_stale(recorder: Recorder) -> None:
    start(recorder)
    frame = {"images/front": encode_jpeg(np.zeros((48, 64, 3), np.uint8), 90)}
    assert not recorder.push("front", 9_000_000_000, 210_000_000, frame)
    assert recorder.push("front", 100_000_000, 211_000_000, frame)  # stepped backwards
    recorder.advance(600_000_000)
    quality = recorder.stop().quality
    front = quality["streams"]["front"]
    assert (front["refused_future"], front["out_of_order"]) == (1, 1)
    assert front["late_rows"] > 0
    assert quality["verdict"] == "bad"


def test_a_late_caller_changes_no_row(folder: DatasetFolder, feed_streams) -> None:
    digests = set()
    for step_ns in (1_000_000, 130_000_000):
        recorder = Recorder(folder, settings=SETTINGS)
        feed_streams(recorder, 0.0, 0.2)
        start(recorder)
        advance, recorder_advance = recorder.advance, recorder.advance

        def rarely(now_ns: int, advance=recorder_advance, step_ns: int = step_ns) -> int:
            return advance(now_ns) if now_ns % step_ns == 0 else 0

        recorder.advance = rarely  # type: ignore[method-assign]
        feed_streams(recorder, 0.2, 0.9)
        advance(900_000_000)
        digests.add(recorder.stop().summary.digest)
    assert len(digests) == 1


def test_start_names_a_silent_stream(folder: DatasetFolder, feed_streams) -> None:
    recorder = Recorder(folder, settings=SETTINGS)
    with pytest.raises(EpisodeError, match=r"silent: joints \(nothing received\), decision"):
        recorder.start(EpisodeMetadata(), 0)
    feed_streams(recorder, 0.0, 0.2)
    now_ns = 2_000_000_000
    recorder.push("joints", now_ns, now_ns, {"obs/joint_position": np.zeros(3)})
    with pytest.raises(
        EpisodeError,
        match=r"joints \(silent for 1.8 s; 1 message refused, the last: 'obs/joint_vel",
    ):
        recorder.start(EpisodeMetadata(), now_ns)
    assert "'obs/joint_velocity' is missing" in recorder.status(now_ns).refused["joints"]
    assert not recorder.recording


def test_samples_from_before_the_clock_was_set_back_do_not_count(
    recorder: Recorder, feed_streams
) -> None:
    feed_streams(recorder, 100.0, 100.1)
    with pytest.raises(EpisodeError, match=r"joints \(nothing received\)"):
        recorder.start(EpisodeMetadata(), 0)
    feed_streams(recorder, 0.0, 0.2)
    start(recorder)
    feed_streams(recorder, 0.2, 0.4)
    assert recorder.stop().summary.invalid_rows == 0


def test_the_services_out_of_order(recorder: Recorder, feed_streams) -> None:
    for call in (recorder.stop, recorder.discard):
        with pytest.raises(EpisodeError, match="no episode is being recorded"):
            call()
    start(recorder)
    with pytest.raises(EpisodeError, match=r"already recording episode_000000\.hdf5"):
        start(recorder)
    feed_streams(recorder, 0.2, 0.4)
    with pytest.raises(EpisodeError, match="unknown outcome 'sucess'; did you mean 'success'"):
        recorder.stop("sucess")
    recorder.stop("failure")
    with pytest.raises(EpisodeError, match="no episode is being recorded"):
        recorder.discard()
    assert recorder.folder.episode_names() == ["episode_000000.hdf5"]


def test_discard_leaves_nothing(recorder: Recorder, feed_streams) -> None:
    start(recorder)
    feed_streams(recorder, 0.2, 0.4)
    recorder.discard()
    assert list(recorder.folder.episodes_path.iterdir()) == []
    recorder.start(EpisodeMetadata(), 400_000_000)
    recorder.discard()


def test_stop_without_rows_saves_nothing(recorder: Recorder) -> None:
    start(recorder)
    with pytest.raises(EpisodeError, match="no rows were recorded"):
        recorder.stop()
    assert list(recorder.folder.episodes_path.iterdir()) == []


def test_a_clock_that_jumps_ends_the_recording(recorder: Recorder, feed_streams) -> None:
    start(recorder)
    feed_streams(recorder, 0.2, 0.4)
    with pytest.raises(EpisodeError, match="the clock jumped by 3599"):
        recorder.advance(3_600_000_000_000)
    assert recorder.stop().summary.rows == 11


def test_a_slow_disk_drops_images_never_rows(
    folder: DatasetFolder, feed_streams, monkeypatch
) -> None:
    """The disk stands still until the queue is full, then works again."""
    gate, events = threading.Event(), []
    append = writer_module.EpisodeFile.append

    def stuck(self, rows):
        gate.wait(30)
        append(self, rows)

    monkeypatch.setattr(writer_module.EpisodeFile, "append", stuck)
    settings = WriterSettings(min_free_bytes=0, sync=False, queue_bytes=200_000)
    recorder = Recorder(folder, settings=settings, on_event=events.append)
    feed_streams(recorder, 0.0, 0.2)
    start(recorder)
    feed_streams(recorder, 0.2, 1.2)
    assert [event.kind for event in events] == ["frames_dropped"]
    assert recorder.status(0).dropping_images
    gate.set()
    while recorder.status(0).queued_bytes > 0:
        threading.Event().wait(0.01)
    feed_streams(recorder, 1.2, 1.4)
    assert [event.kind for event in events] == ["frames_dropped", "caught_up"]
    saved = recorder.stop("success")
    assert saved.summary.rows == 61
    lost = saved.quality["fault_rows"]["FRAME_LOST"]
    assert 0 < lost < 61
    assert saved.quality["verdict"] == "bad"
    with Episode(folder.episodes_path / saved.summary.name) as episode:
        is_lost = (episode.column("invalid") & RowFault.FRAME_LOST) != 0
        assert is_lost.sum() == lost
        empty = [len(episode.frame_bytes("images/front", row)) == 0 for row in range(61)]
        np.testing.assert_array_equal(empty, is_lost)
        assert not episode.frame("images/front", int(np.flatnonzero(is_lost)[0])).any()
        ticks_s = episode.column("tick_ns") / 1e9
        np.testing.assert_allclose(
            episode.column("obs/joint_position"), np.sin(ticks_s[:, None] + np.arange(3))
        )


def test_a_disk_that_never_comes_back_fails_the_recording(
    folder: DatasetFolder, feed_streams, monkeypatch
) -> None:
    gate, events = threading.Event(), []
    append = writer_module.EpisodeFile.append

    def stuck(self, rows):
        gate.wait(30)
        append(self, rows)

    monkeypatch.setattr(writer_module.EpisodeFile, "append", stuck)
    settings = WriterSettings(min_free_bytes=0, sync=False, queue_rows=20)
    recorder = Recorder(folder, settings=settings, on_event=events.append)
    feed_streams(recorder, 0.0, 0.2)
    start(recorder)
    with pytest.raises(EpisodeError, match="the disk stopped taking data; 20 rows were waiting"):
        feed_streams(recorder, 0.2, 1.2)
    assert events[-1].kind == "failed"
    gate.set()
    saved = recorder.stop("success")
    assert saved.summary.rows == 20
    assert saved.quality["reasons"][-1].startswith("stopped early: the disk stopped")


def test_a_nearly_full_disk_refuses_to_start(folder: DatasetFolder, feed_streams) -> None:
    recorder = Recorder(folder, settings=WriterSettings(min_free_bytes=2**60))
    feed_streams(recorder, 0.0, 0.2)
    with pytest.raises(DiskSpaceError, match=r"MiB of disk are free; recording needs"):
        start(recorder)
    assert not recorder.recording
    assert list(folder.episodes_path.iterdir()) == []


def test_a_disk_that_gets_full_stops_cleanly(
    folder: DatasetFolder, feed_streams, monkeypatch
) -> None:
    free, events = [2**30], []
    monkeypatch.setattr(writer_module, "free_disk_bytes", lambda path: free[0])
    settings = WriterSettings(min_free_bytes=2**29, sync=False, flush_interval_s=0.01)
    recorder = Recorder(folder, settings=settings, on_event=events.append)
    feed_streams(recorder, 0.0, 0.2)
    start(recorder)
    feed_streams(recorder, 0.2, 0.5)
    free[0] = 2**20
    while not recorder.stop_reason:
        threading.Event().wait(0.01)
    with pytest.raises(EpisodeError, match=r"the disk is nearly full \(1 MiB free\)"):
        feed_streams(recorder, 0.5, 0.6)
    assert [event.kind for event in events] == ["disk_full"]
    saved = recorder.stop("success")
    assert saved.summary.rows == 16
    assert "stopped early: the disk is nearly full" in saved.quality["reasons"][-1]


CHILD_WITH_A_QUOTA = """
import sys
import time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from conftest import feed, make_info
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.format.schema import EpisodeMetadata
from robot_learning.episodes.recording.writer import WriterSettings
folder = DatasetFolder.create_or_open(Path(sys.argv[2]), make_info())
settings = WriterSettings(min_free_bytes=0, flush_interval_s=0.01)
recorder = Recorder(folder, settings=settings)
with folder.lock():
    feed(recorder, 0.0, 0.2)
    recorder.start(EpisodeMetadata(), 200_000_000)
    try:
        for tenth in range(2, 100):
            feed(recorder, tenth / 10, tenth / 10 + 0.1)
            time.sleep(0.02)
    except EpisodeError as error:
        print("ended", error)
    try:
        recorder.stop("success")
    except EpisodeError as error:
        print("unsaved", error)
"""


def limit_file_size() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))


def test_a_write_that_the_system_refuses_keeps_what_was_flushed(tmp_path: Path) -> None:
    """A real refusal: the process may not write files larger than a megabyte."""
    from robot_learning.episodes.store.recovery import repair_dataset, verify_dataset

    here = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", CHILD_WITH_A_QUOTA, str(here), str(tmp_path / "dataset")],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit_file_size,
        env={**os.environ, "PYTHONPATH": str(here.parents[1])},
    )
    assert done.returncode == 0, done.stderr
    assert "File too large" in done.stdout
    assert "can be repaired" in done.stdout
    folder = DatasetFolder(tmp_path / "dataset")
    report = repair_dataset(folder)
    assert report.recovered["episode_000000.hdf5"] > 10
    assert verify_dataset(folder) == []


def test_a_dataset_is_resumed_only_with_what_it_records(
    folder: DatasetFolder, info, record_episode
) -> None:
    from dataclasses import replace

    with folder.lock():
        record_episode(folder, 0.2)
    DatasetFolder.create_or_open(folder.path, info)
    wrong = {
        "robot": (replace(info, robot="bench_arm"), "has robot 'desk_arm', .* 'bench_arm'"),
        "rate": (replace(info, rate_hz=30.0), "has rate_hz 50.0, the recording 30.0"),
        "stream": (
            replace(info, streams=info.streams[:-1]),
            r"streams that this recording lacks: \['depth'\]",
        ),
    }
    for other, text in wrong.values():
        with pytest.raises(DatasetError, match=text):
            DatasetFolder.create_or_open(folder.path, other)


def test_two_recorders_on_one_dataset(folder: DatasetFolder) -> None:
    with folder.lock():
        other = DatasetFolder(folder.path)
        with (
            pytest.raises(DatasetError, match=f"process {os.getpid()} is writing"),
            other.lock(),
        ):
            pass
    with DatasetFolder(folder.path).lock():
        pass


def test_numbers_are_never_used_twice(folder: DatasetFolder, record_episode) -> None:
    with folder.lock():
        record_episode(folder, 0.2)
        record_episode(folder, 0.2)
        (folder.path / "trash").mkdir()
        name = folder.episode_names()[-1]
        (folder.episodes_path / name).rename(folder.path / "trash" / name)
        assert record_episode(folder, 0.2).summary.name == "episode_000002.hdf5"
    assert [s.name for s in Dataset(folder.path).episodes] == [
        "episode_000000.hdf5",
        "episode_000002.hdf5",
    ]
