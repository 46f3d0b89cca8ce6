import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from robot_learning.cli.dataset.replay import replay_in_simulation
from robot_learning.control.arbiter import Arbiter
from robot_learning.control.requests import Request
from robot_learning.control.settings import arbiter_settings
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.episodes.format.schema import EpisodeMetadata
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.learning.evaluation.demonstrations import (
    DemonstrationConfig,
    record_demonstrations,
)
from robot_learning.robots.mujoco_robot import MujocoRobot
from robot_learning.runtime.recording import SessionRecording, session_info
from robot_learning.runtime.replay import (
    Recording,
    approach,
    as_recorded,
    between_rows,
    deviation,
    read_recording,
    replay,
    start_options,
)
from robot_learning.runtime.session import Session
from robot_learning.sim.tasks import make_task

FAITHFUL_RAD = 0.002
"""What docs/guides/datasets.md says of a replay of `applied`, whoever recorded it."""


@pytest.fixture
def episode(
    tmp_path: Path, make_robot: Callable[[], MujocoRobot], make_expert_source: Callable
) -> Episode:
    """The expert lifts the cube, from a second reset of its robot."""
    robot = make_robot()
    info = session_info(robot.profile, "lift", 50.0, poses=robot.pose_names)
    folder = DatasetFolder.create_or_open(tmp_path, info)
    with folder.lock():
        settings = WriterSettings(min_free_bytes=0, sync=False)
        recording = SessionRecording(Recorder(folder, settings=settings))
        arbiter = Arbiter(arbiter_settings(robot.profile))
        session = Session(robot, arbiter, policy=make_expert_source(), subscribers=[recording])
        session.reset(0)
        session.step()
        session.reset(4, requests=(Request.ENABLE, Request.HAND_BACK))
        recording.start(EpisodeMetadata())
        assert session.run(1000, until=robot.success)
        saved = recording.stop("success")
    with Episode(folder.episodes_path / saved.summary.name) as opened:
        yield opened


def test_what_was_applied_does_the_same_again(
    episode: Episode, make_robot: Callable[[], MujocoRobot], profile: RobotProfile
) -> None:
    robot = make_robot()
    recording = read_recording(episode, "applied", profile)
    assert recording.left_out == 0
    options = start_options(episode, robot.task.objects, profile)
    told: list[tuple[int, int]] = []
    result = replay(
        recording,
        robot,
        options,
        solved=robot.success,
        progress=lambda done, total: told.append((done, total)),
    )
    # Half of the decisions were not recorded: 50 rows a second, 100 decisions.
    assert result.largest.max() < FAITHFUL_RAD
    assert result.solved
    assert set(result.modes) == {"POLICY"}
    assert result.refused == {}
    assert told[-1][0] == told[-1][1] == sum(result.modes.values())
    assert f"at most {result.largest.max():.4f}" in result.lines()[8]
    # The cube elsewhere: the arm does the same, and misses it.
    options["poses"]["cube"] = options["poses"]["cube"] + np.array([0.05, 0.05, 0, 0, 0, 0, 0])
    missed = replay(recording, robot, options, solved=robot.success)
    assert not missed.solved


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_demonstrations_in_lockstep_do_the_same_again(tmp_path: Path, noise: float) -> None:
    config = DemonstrationConfig("lift", episodes=2, noise=noise)
    record_demonstrations(config, tmp_path / "data")
    for path in sorted((tmp_path / "data/episodes").glob("*.hdf5")):
        result, outcome = replay_in_simulation(path)
        assert result.largest.max() < FAITHFUL_RAD
        assert (result.limited, outcome, result.solved) == (0, "success", True)
        assert set(result.modes) == {"POLICY"}


def test_limits_are_those_of_the_recording(episode: Episode, profile: RobotProfile) -> None:
    assert as_recorded(profile, episode.info) is profile
    env_args = {"env_kwargs": {"control_rate_hz": 50.0}}
    limits = as_recorded(profile, dataclasses.replace(episode.info, env_args=env_args))
    assert limits.control_rate_hz == 50.0
    np.testing.assert_array_equal(limits.velocity_max, profile.velocity_max)
    np.testing.assert_array_equal(limits.acceleration_max, 100.0 * profile.velocity_max)


def test_lines_between_the_rows_of_a_motion_at_its_limit_are_not_limited_again(
    profile: RobotProfile,
) -> None:
    """The wrist rolls to and fro at its acceleration limit; every other decision is a row."""
    roll = profile.joint_names.index("wrist_roll")
    times_s = np.arange(0.0, 0.8, 0.01)
    accelerations = profile.acceleration_max[roll] * np.where(times_s % 0.4 < 0.2, 1.0, -1.0)
    accelerations *= np.where((times_s + 0.1) % 0.4 < 0.2, 1.0, -1.0)
    accelerations[:4] = 0.0
    positions = np.tile(profile.home, (len(times_s), 1))
    positions[:, roll] += np.cumsum(np.cumsum(accelerations) * 0.01) * 0.01
    rows, times_ns = positions[::2], (times_s[::2] * 1e9).round().astype(np.int64)
    recording = Recording(profile.joint_names, times_ns, rows, times_ns, rows, 0)

    def limited(robot_profile: RobotProfile) -> int:
        with MujocoRobot(robot_profile, make_task("lift")) as robot:
            return replay(recording, robot, {"joint_position": rows[0]}, seed=0).limited

    allowed = between_rows(profile, recording)
    np.testing.assert_array_equal(allowed.velocity_max, profile.velocity_max)
    assert limited(profile) > 0
    assert limited(allowed) == 0


def test_deviations_are_found_and_named(episode: Episode, profile: RobotProfile) -> None:
    recording = read_recording(episode, "applied", profile)
    exact = deviation(recording, recording.measured_ns, recording.measured)
    assert exact.largest.max() == 0.0
    strayed = recording.measured.copy()
    strayed[len(strayed) // 2, 2] += 0.25
    result = deviation(recording, recording.measured_ns, strayed)
    np.testing.assert_allclose(result.largest, [0, 0, 0.25, 0, 0, 0, 0], atol=1e-12)
    assert profile.joint_names[2] in result.lines()[8]


def test_another_robot_is_refused_with_both_sides(episode: Episode) -> None:
    with pytest.raises(ConfigurationError, match=r"recorded with the joints .*'bench_arm' has"):
        read_recording(episode, "applied", load_profile("bench_arm"))
    with pytest.raises(ConfigurationError, match="did you mean 'applied'"):
        read_recording(episode, "aplied", load_profile("desk_arm"))


def test_the_way_to_the_beginning_is_slow_and_ends_there(
    episode: Episode, profile: RobotProfile
) -> None:
    recording = read_recording(episode, "applied", profile)
    start = profile.home + 0.5 * (profile.position_max - profile.home)
    times_ns, positions, begin_ns = approach(recording, start, profile, speed=0.2)
    np.testing.assert_array_equal(positions[0], start)
    way = times_ns <= begin_ns
    np.testing.assert_allclose(positions[way][-1], recording.positions[0], atol=1e-12)
    speeds = np.abs(np.diff(positions[way], axis=0)) / np.diff(times_ns[way])[:, None] * 1e9
    assert (speeds <= 0.21 * profile.velocity_max).all()
    assert (np.diff(times_ns) > 0).all()
    np.testing.assert_array_equal(positions[~way], recording.positions[1:])
