"""Equal seeds give equal files, however much of a core there is."""

from __future__ import annotations

import shutil

import numpy as np
from busy_machine import busy_core
from episode_files import assert_equal
from sensor_msgs.msg import CompressedImage
from stepped_graph import hosted

from robot_learning.core.vocabulary import Source
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.messages.stamps import time_ns

CLI = "robot_learning.cli.main"


def test_recordings_with_noise_are_equal_bit_for_bit(record, recording, start, robot, tmp_path):
    places = [tmp_path / name for name in ("first", "second", "busy", "other")]
    given = {"dart": "true", "dart_sigma": 0.01, "episodes": 2, "seed": 3}
    for place in places[:2]:
        assert record(**given, dataset=place).run() == 0
    assert record(**{**given, "seed": 4, "episodes": 1}, dataset=places[3]).run() == 0
    with busy_core():
        values = recording(**given, dataset=places[2])
        one = start(CLI, "record", *(f"{name}:={value}" for name, value in values.items()))
        assert one.wait() == 0, one.output
    for place in places[1:3]:
        assert_equal(places[0], place)
    assert [each.outcome for each in Dataset(places[0]).episodes] == ["success", "success"]
    same, other = (Dataset(place).episode("episode_000000.hdf5") for place in places[2:])
    assert np.abs(same.column("control/noise")).any()
    assert same.rows != other.rows or (same.column("actions") != other.column("actions")).any()


def test_rounds_are_equal_bit_for_bit(stepped, start, robot, checkpoint, tmp_path):
    given = {"robot": robot, "task": "reach", "cameras": "none", "device": "scripted"}
    given |= {"checkpoint": checkpoint, "train_command": "external", "backend": "eager"}
    given |= {"rounds": 1, "episodes_per_round": 1, "inference_ticks": 2, "seed": 5}
    places = [tmp_path / name for name in ("first", "second", "busy")]
    for place in places:
        # Trained elsewhere, and there already.
        shutil.copytree(checkpoint, place / "run/round_1/best")
    values = [{**given, "out": place / "run", "dataset": place / "set"} for place in places]
    for each in values[:2]:
        assert stepped(hosted("dagger", **each)).run() == 0
    with busy_core():
        words = (f"{name}:={value}" for name, value in values[2].items())
        one = start(CLI, "up", "dagger", *words)
        assert one.wait() == 0, one.output
    for place in places[1:]:
        assert_equal(places[0] / "set", place / "set")
    for summary in Dataset(places[0] / "set").episodes:
        source = Dataset(places[0] / "set").episode(summary.name).column("control/source")
        assert {Source.HUMAN, Source.POLICY} <= {Source(value) for value in source}


def test_cameras_are_rendered_in_step(record, tmp_path):
    places = [tmp_path / name for name in ("first", "second")]
    for place in places:
        graph = record(cameras="front", dataset=place)
        heard = graph.listen(CompressedImage, "front/image_raw/compressed")
        assert graph.run() == 0
    assert_equal(*places)
    frames = {time_ns(m.header.stamp): m.data.tobytes() for m in heard}
    (summary,) = Dataset(places[1]).episodes
    assert (summary.invalid_rows, summary.verdict) == (0, "good")
    episode = Dataset(places[1]).episode(summary.name)
    stamps, ticks = episode.column("streams/front/stamp_ns"), episode.column("tick_ns")
    # One every 50 ms of simulated time, on the control periods of 20 ms, whatever rendering takes.
    shown = np.unique(stamps)
    assert set(np.diff(shown)) == {40_000_000, 60_000_000}
    assert abs(np.ptp(shown) / 50_000_000 - len(shown)) < 2
    for row, (stamp_ns, tick_ns) in enumerate(zip(stamps, ticks, strict=True)):
        assert stamp_ns == max(each for each in frames if each <= tick_ns)
        assert episode.frame_bytes("images/front", row) == frames[stamp_ns]
