"""Recording in lockstep, and its parity with sampling the same messages afterwards."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot_learning.control.arbiter import Arbiter
from robot_learning.control.requests import Request
from robot_learning.control.settings import arbiter_settings
from robot_learning.control.state import Decision
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import Observation
from robot_learning.core.vocabulary import Source
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.sampler import Sample, sample_log
from robot_learning.episodes.format.schema import EpisodeMetadata
from robot_learning.episodes.recording.recorder import Recorder, SavedEpisode
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.recovery import verify_dataset
from robot_learning.robots.mujoco_robot import MujocoRobot
from robot_learning.runtime.function_source import FunctionSource
from robot_learning.runtime.recording import SessionRecording, SessionSamples, session_info
from robot_learning.runtime.session import Session, Subscriber

SETTINGS = WriterSettings(min_free_bytes=0, sync=False)


class Messages(Subscriber):
    """Keeps the messages that nodes would publish, by stream."""

    def __init__(self, samples: SessionSamples) -> None:
        self.logs: dict[str, list[Sample]] = {}
        self._samples = samples

    def on_step(self, observation: Observation, decision: Decision) -> None:
        for stream, stamp_ns, values in self._samples.of_step(observation, decision):
            kept: Mapping[str, Any] = {path: np.copy(value) for path, value in values.items()}
            sample = Sample(stamp_ns, observation.stamp_ns, kept)
            self.logs.setdefault(stream, []).append(sample)


def record(
    path: Path,
    robot: MujocoRobot,
    policy: FunctionSource,
    human: FunctionSource | None = None,
    subscribers: tuple[Subscriber, ...] = (),
) -> tuple[DatasetFolder, SavedEpisode]:
    def task_values() -> tuple[float, bool]:
        return robot.reward(), robot.success()

    profile = robot.profile
    info = session_info(profile, "lift", 40.0, poses=robot.pose_names, with_task=True)
    folder = DatasetFolder.create_or_open(path, info)
    messages = [Messages(SessionSamples(info, task_values))]
    with folder.lock():
        recording = SessionRecording(Recorder(folder, settings=SETTINGS), task_values)
        session = Session(
            robot,
            Arbiter(arbiter_settings(profile)),
            policy=policy,
            human=human,
            subscribers=[recording, *messages, *subscribers],
        )
        session.reset(2, requests=(Request.ENABLE, Request.HAND_BACK))
        recording.start(EpisodeMetadata(seed=2))
        session.run(150)
        saved = recording.stop("unknown")
    check_parity(folder, saved, messages[0])
    return folder, saved


def check_parity(folder: DatasetFolder, saved: SavedEpisode, messages: Messages) -> None:
    """What was recorded live is what the sampler gives for the messages."""
    with Episode(folder.episodes_path / saved.summary.name) as episode:
        ticks_ns = episode.column("tick_ns")
        rows = list(sample_log(folder.info.streams, messages.logs, ticks_ns.tolist()))
        compared = 0
        for stream in folder.info.streams:
            ages_ns = [row.age_ns(stream.name) for row in rows]
            np.testing.assert_array_equal(episode.column(f"streams/{stream.name}/age_ns"), ages_ns)
            for column in stream.columns:
                expected = [row.samples[stream.name].values[column.path] for row in rows]
                np.testing.assert_array_equal(episode.column(column.path), np.array(expected))
                compared += 1
        np.testing.assert_array_equal(episode.column("invalid"), [row.faults for row in rows])
        assert compared > 15


def test_lockstep_rows_are_those_of_the_sampler_and_repeat_bit_for_bit(
    tmp_path: Path,
    make_robot: Callable[[], MujocoRobot],
    make_expert_source: Callable[[], FunctionSource],
) -> None:
    folder, saved = record(tmp_path / "a", make_robot(), make_expert_source())
    # 40 rows a second of a robot that is seen a hundred times a second.
    assert saved.summary.rows == 60
    assert saved.summary.invalid_rows == 0
    assert verify_dataset(folder) == []
    _, again = record(tmp_path / "b", make_robot(), make_expert_source())
    assert again.summary.digest == saved.summary.digest


def test_an_intervention_is_marked_and_labelled(
    tmp_path: Path,
    make_robot: Callable[[], MujocoRobot],
    make_expert_source: Callable[[], FunctionSource],
    profile: RobotProfile,
) -> None:
    robot = make_robot()
    wanted = profile.home + 0.05

    def act(observation: Observation) -> np.ndarray | None:
        return wanted if 500_000_000 < observation.stamp_ns <= 800_000_000 else None

    human = FunctionSource(act, profile.joint_names)
    folder, saved = record(tmp_path / "a", robot, make_expert_source(), human)
    with Episode(folder.episodes_path / saved.summary.name) as episode:
        sources, intervention = episode.column("control/source"), episode.column("intervention")
        assert set(sources) == {Source.NONE, Source.HUMAN, Source.POLICY}
        np.testing.assert_array_equal(intervention, sources == Source.HUMAN)
        actions, human_actions = episode.column("actions"), episode.column("control/human")
        np.testing.assert_array_equal(actions[intervention], human_actions[intervention])
        policy = sources == Source.POLICY
        np.testing.assert_array_equal(actions[policy], episode.column("control/policy")[policy])


def test_a_recording_that_needs_what_a_session_lacks_is_refused(
    tmp_path: Path, profile: RobotProfile
) -> None:
    info = session_info(profile, "lift", 50.0, with_task=True)
    folder = DatasetFolder.create_or_open(tmp_path / "a", info)
    with pytest.raises(EpisodeError, match="'task' needs somebody"):
        SessionRecording(Recorder(folder))
