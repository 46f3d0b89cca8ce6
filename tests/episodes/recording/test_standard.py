from dataclasses import replace

import numpy as np
import pytest

from robot_learning.core.profile_loader import load_profile
from robot_learning.core.types import Observation
from robot_learning.core.vocabulary import Source
from robot_learning.episodes.format.schema import DatasetInfo, EpisodeMetadata
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.recording.standard import (
    DECISION,
    JOINTS,
    camera_stream,
    decision_stream,
    decision_values,
    joint_stream,
    joint_values,
    task_stream,
)
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder

HUMAN, POLICY, APPLIED = 1.0, 2.0, 3.0


@pytest.mark.parametrize(
    ("source", "label"), [(Source.HUMAN, HUMAN), (Source.POLICY, POLICY), (Source.NONE, APPLIED)]
)
def test_a_robot_is_recorded_with_the_clean_label(tmp_path, source: Source, label: float) -> None:
    profile = load_profile("desk_arm")
    count = len(profile.joint_names)
    joints = joint_stream(profile, 50.0, ["cube"])
    cameras = [replace(camera_stream(camera), max_age_s=10.0) for camera in profile.cameras[:1]]
    streams = (joints, decision_stream(profile, 50.0), task_stream(50.0), *cameras)
    info = DatasetInfo("desk_arm", "lift", 50.0, streams, profile.joint_names)
    folder = DatasetFolder.create_or_open(tmp_path / "set", info)
    recorder = Recorder(folder, settings=WriterSettings(min_free_bytes=0, sync=False))
    observation = Observation(
        0, np.full(count, 0.1), np.zeros(count), np.zeros(count), {"cube": np.arange(7.0)}
    )
    decision = decision_values(
        source=source,
        human=np.full(count, HUMAN),
        policy=np.full(count, POLICY),
        noise=np.full(count, 0.5),
        requested=np.full(count, 9.0),
        applied=np.full(count, APPLIED),
        limited=np.full(count, 2 | 4),
        intervention=False,
    )
    with folder.lock():
        for tick in range(10):
            now_ns = tick * 20_000_000
            recorder.push(JOINTS, now_ns, now_ns, joint_values(joints, observation))
            recorder.push(DECISION, now_ns, now_ns, decision)
            recorder.push("task", now_ns, now_ns, {"rewards": 0.25})
            for camera in cameras:
                frame = np.zeros(camera.columns[0].shape, np.uint8)
                recorder.push(camera.name, now_ns, now_ns, {camera.columns[0].path: frame})
            if tick == 0:
                recorder.start(EpisodeMetadata(), now_ns)
            recorder.advance(now_ns)
        saved = recorder.stop()
    assert saved.summary.sources == (source.name.lower(),)
    assert saved.quality["clamped_rows"] == saved.quality["smoothed_rows"] == 10
    with Episode(folder.episodes_path / saved.summary.name) as episode:
        assert episode.valid.all()
        np.testing.assert_array_equal(episode.column("actions"), np.full((10, count), label))
        np.testing.assert_array_equal(episode.column("obs/cube")[3], np.arange(7))
        np.testing.assert_array_equal(episode.column("rewards"), np.full(10, 0.25))
        assert episode.column("states").shape == (10, 2 * count)
