"""Labels from a device that moves a ghost: the state, the labels, and what stays as it was."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robot_learning.control.arbiter import Arbiter
from robot_learning.control.requests import Request
from robot_learning.control.settings import arbiter_settings
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.format.schema import EpisodeMetadata
from robot_learning.episodes.recording.recorded_rows import RecordedRows
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.learning.evaluation.demonstrations import (
    DemonstrationConfig,
    record_demonstrations,
)
from robot_learning.relabeling.ghost import Ghost, RecordedGhost, SimulatedGhost
from robot_learning.relabeling.journal import Entry
from robot_learning.relabeling.session import Method, RelabelSession, View
from robot_learning.robots.mujoco_robot import MujocoRobot
from robot_learning.runtime.function_source import FunctionSource
from robot_learning.runtime.recording import SessionRecording, session_info
from robot_learning.runtime.session import Session
from robot_learning.sim.experts import make_expert
from robot_learning.sim.observation import observation_dict
from robot_learning.sim.tasks import make_task
from robot_learning.teleop.device import (
    JointTarget,
    OperatorEvent,
    TeleopContext,
    TeleopDevice,
    TeleopInput,
)
from robot_learning.teleop.scripted_operator import OperatorTraits, ScriptedOperator
from robot_learning.teleop.teleop_controller import TeleopController

RATE_HZ = 50.0
SEED = 3


class ListedDevice(TeleopDevice):
    """Says what a list says, poll by poll; then the last of it."""

    def __init__(self, *said: TeleopInput) -> None:
        self.said = list(said)
        self.seen: list[TeleopContext] = []

    def open(self) -> None: ...

    def close(self) -> None: ...

    def describe(self) -> str:
        return "a list"

    def poll(self, now_ns: int, context: TeleopContext) -> TeleopInput:
        self.seen.append(context)
        return self.said.pop(0) if len(self.said) > 1 else self.said[0]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("relabel") / "lift"
    record_demonstrations(DemonstrationConfig("lift", episodes=1, seed=SEED, noise=0.01), path)
    return path


@pytest.fixture
def rows(dataset: Path) -> Iterator[RecordedRows]:
    folder = DatasetFolder(dataset)
    with Episode(folder.episodes_path / folder.episode_names()[0]) as episode:
        yield RecordedRows(episode)


@pytest.fixture(scope="module")
def robot(profile: RobotProfile) -> Iterator[MujocoRobot]:
    with MujocoRobot(replace(profile, control_rate_hz=RATE_HZ), make_task("lift")) as robot:
        yield robot


@pytest.fixture
def make_session(profile: RobotProfile) -> Callable[..., RelabelSession]:
    def make(
        ghost: Ghost, device: TeleopDevice, chosen: slice, method: Method = Method.STEP
    ) -> RelabelSession:
        mask = np.zeros(len(ghost.rows), bool)
        mask[chosen] = True
        return RelabelSession(ghost, device, TeleopController(profile), mask, method, RATE_HZ)

    return make


def walk(session: RelabelSession) -> list[View]:
    views = []
    while not session.done:
        views.append(session.poll(round(len(views) * 1e9 / RATE_HZ)))
        assert len(views) < 500
    return views


def go(target: FloatArray) -> TeleopInput:
    return TeleopInput(0, True, (JointTarget(target),))


def says(event: OperatorEvent) -> TeleopInput:
    return TeleopInput(0, False, events=(event,))


def test_the_state_of_every_row_comes_back_exactly(rows: RecordedRows, robot: MujocoRobot) -> None:
    ghost = SimulatedGhost(rows, robot)
    assert ghost.exact_rows == len(rows)
    applied = rows.episode.column("control/applied")
    # Backwards and from anywhere, and what follows from the state follows from it again.
    for row in range(len(rows) - 2, 0, -17):
        ghost.restore(row)
        before = robot.world.save_state()
        seen = ghost.observe()
        np.testing.assert_array_equal(seen.joint_position, rows.array("joint_position")[row])
        np.testing.assert_array_equal(seen.joint_velocity, rows.array("joint_velocity")[row])
        for name, poses in rows.poses.items():
            np.testing.assert_array_equal(seen.poses[name], poses[row])
        ghost.follow(applied[row])
        after = ghost.observe()
        np.testing.assert_array_equal(after.poses["cube"], rows.poses["cube"][row + 1])
        np.testing.assert_array_equal(after.joint_effort, rows.array("joint_effort")[row + 1])
        ghost.restore(row)
        np.testing.assert_array_equal(robot.world.save_state(), before)


def test_without_the_seed_the_recorded_joints_and_objects_come_back(
    rows: RecordedRows, robot: MujocoRobot, profile: RobotProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = replace(rows.episode.metadata, seed=None)
    monkeypatch.setitem(rows.episode.__dict__, "metadata", metadata)
    ghost = SimulatedGhost(rows, robot)
    assert ghost.exact_rows == 0
    row = len(rows) // 2
    ghost.restore(row)
    seen = ghost.observe()
    recorded = np.clip(
        rows.array("joint_position")[row], profile.position_min, profile.position_max
    )
    np.testing.assert_allclose(seen.joint_position, recorded, atol=1e-12)
    np.testing.assert_array_equal(seen.joint_velocity, rows.array("joint_velocity")[row])
    np.testing.assert_allclose(seen.poses["cube"], rows.poses["cube"][row], atol=1e-12)
    np.testing.assert_array_equal(robot.world.command, ghost.held(row))


def test_by_step_each_label_is_what_the_device_commands_in_that_row(
    rows: RecordedRows,
    robot: MujocoRobot,
    profile: RobotProfile,
    make_session: Callable[..., RelabelSession],
) -> None:
    expert = make_expert("lift", profile, SEED)
    expert.reset(SEED)
    traits = OperatorTraits(reaction_s=0.0, tremor_rad=0.0, speed_fraction=1.0, intervenes=False)
    operator = ScriptedOperator(profile, expert, observation_dict, traits)
    ghost = SimulatedGhost(rows, robot)
    session = make_session(ghost, operator, slice(20, 40))
    # The hand takes hold, and moves from then on.
    operator.poll(-round(1e9 / RATE_HZ), session.context(0))
    views = walk(session)
    labels = session.labels()
    assert np.flatnonzero(labels.mask).tolist() == list(range(20, 40))
    assert (labels.exact, labels.strayed) == (20, 0.0)
    commanded = [view.label for view in views if view.label is not None]
    np.testing.assert_array_equal(labels.actions[20:40], commanded)
    assert np.isnan(labels.actions[~labels.mask]).all()
    # What the expert says of the recorded state, as far as the joints get within a row.
    actions = rows.episode.column("actions")
    furthest = profile.velocity_max / RATE_HZ + 1e-9
    for row in range(20, 40):
        step = np.clip(actions[row] - ghost.held(row), -furthest, furthest)
        assert np.abs(labels.actions[row] - ghost.held(row) - step).max() < 0.01


def test_a_segment_is_demonstrated_from_its_first_row(
    rows: RecordedRows, robot: MujocoRobot, make_session: Callable[..., RelabelSession]
) -> None:
    ghost = SimulatedGhost(rows, robot)
    target = rows.array("joint_position")[30] + 0.05
    device = ListedDevice(go(target))
    session = make_session(ghost, device, slice(30, 50), Method.SEGMENT)
    views = walk(session)
    labels = session.labels()
    assert len(views) == 20 and np.flatnonzero(labels.mask).tolist() == list(range(30, 50))
    np.testing.assert_array_equal(labels.actions[30:50], [view.label for view in views])
    assert labels.exact == 20 and labels.strayed > 0.0
    # The ghost was moved: what the device saw are the states of its own demonstration.
    ghost.restore(30)
    for context, label in zip(device.seen, labels.actions[30:50], strict=True):
        assert context.observation is not None
        np.testing.assert_array_equal(
            context.observation.joint_position, ghost.observe().joint_position
        )
        ghost.follow(label)


def test_what_the_operator_asks_for(
    rows: RecordedRows, make_session: Callable[..., RelabelSession]
) -> None:
    home = rows.array("joint_position")[0]
    still = TeleopInput(0, True)
    said = [
        *(still, go(home), go(home), says(OperatorEvent.HAND_BACK), go(home)),
        *(says(OperatorEvent.FAILURE), says(OperatorEvent.HAND_BACK), still, go(home)),
        says(OperatorEvent.SUCCESS),
    ]
    session = make_session(RecordedGhost(rows), ListedDevice(*said), slice(10, 30))
    views = walk(session)
    assert [view.row for view in views] == [10, 11, 12, 13, 14, 13, 14, 14, 15, 15]
    assert np.flatnonzero(session.labels().mask).tolist() == [10, 11, 14]
    assert not session.discarded
    assert session.labels().exact == 0

    session = make_session(
        RecordedGhost(rows), ListedDevice(go(home), says(OperatorEvent.DISCARD)), slice(10, 30)
    )
    walk(session)
    assert session.discarded

    said = [go(home), go(home), says(OperatorEvent.FAILURE), go(home), says(OperatorEvent.STOP)]
    segment = make_session(RecordedGhost(rows), ListedDevice(*said), slice(10, 30), Method.SEGMENT)
    walk(segment)
    assert np.flatnonzero(segment.labels().mask).tolist() == [10]


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("simulated", [True, False])
def test_what_was_recorded_of_a_session_leads_to_where_it_stood(
    rows: RecordedRows,
    robot: MujocoRobot,
    make_session: Callable[..., RelabelSession],
    method: Method,
    simulated: bool,
) -> None:
    def ghost() -> Ghost:
        return SimulatedGhost(rows, robot) if simulated else RecordedGhost(rows)

    target = rows.array("joint_position")[30] + 0.05
    by_step = method is Method.STEP
    said = [
        *(go(target), go(target), says(OperatorEvent.FAILURE), go(target), go(target)),
        *([says(OperatorEvent.HAND_BACK)] if by_step else []),
        *(go(target), TeleopInput(0, False)),
    ]
    written: list[Entry] = []
    first = make_session(ghost(), ListedDevice(*said), slice(30, 50), method)
    first.record = written.append
    for poll in range(len(said)):
        first.poll(round(poll * 1e9 / RATE_HZ))
    stood = first.ghost.observe()

    second = make_session(ghost(), ListedDevice(TeleopInput(0, False)), slice(30, 50), method)
    second.replay(written)
    assert (second.row, second.labelled) == (first.row, first.labelled)
    before, after = first.labels(), second.labels()
    np.testing.assert_array_equal(after.actions, before.actions)
    assert (after.strayed, after.exact) == (before.strayed, before.exact)
    again = second.ghost.observe()
    np.testing.assert_array_equal(again.joint_position, stood.joint_position)
    for name, pose in stood.poses.items():
        np.testing.assert_array_equal(again.poses[name], pose)
    context, expected = second.context(0), first.context(0)
    assert context.applied is not None and expected.applied is not None
    np.testing.assert_array_equal(context.applied, expected.applied)

    third = make_session(ghost(), ListedDevice(TeleopInput(0, False)), slice(31, 50), method)
    with pytest.raises(DatasetError, match="is about row 30, but row 31 was to be labelled"):
        third.replay(written)


def test_a_recording_without_a_scene_is_shown_as_it_is(
    rows: RecordedRows, make_session: Callable[..., RelabelSession]
) -> None:
    ghost = RecordedGhost(rows)
    ghost.restore(12)
    np.testing.assert_array_equal(ghost.observe().joint_position, rows.array("joint_position")[12])
    device = ListedDevice(go(rows.array("joint_position")[12] + 0.5))
    session = make_session(ghost, device, slice(12, 15), Method.SEGMENT)
    first, *others = walk(session)
    assert first.label is not None and len(others) == 2
    seen = [context.observation for context in device.seen]
    assert seen[1] is not None
    # An ideal follower: it stands where it was commanded.
    np.testing.assert_array_equal(seen[1].joint_position, first.label)


def test_rows_that_cannot_be_shown_are_refused(
    rows: RecordedRows, make_session: Callable[..., RelabelSession]
) -> None:
    device = ListedDevice(TeleopInput(0, False))
    with pytest.raises(ConfigurationError, match="no row was chosen"):
        make_session(RecordedGhost(rows), device, slice(5, 5))
    rows.visible[6] = False
    home = rows.array("joint_position")[0]
    for method in Method:
        session = make_session(RecordedGhost(rows), ListedDevice(go(home)), slice(5, 8), method)
        walk(session)
        assert np.flatnonzero(session.labels().mask).tolist() == [5, 7]


@pytest.mark.parametrize(("rate_hz", "exact"), [(100.0, 1.0), (50.0, 0.0)])
def test_a_session_is_exact_where_every_decision_was_recorded(
    rate_hz: float,
    exact: float,
    tmp_path: Path,
    profile: RobotProfile,
    make_robot: Callable[[], MujocoRobot],
    make_expert_source: Callable[[], FunctionSource],
) -> None:
    robot = make_robot()
    info = session_info(profile, "lift", rate_hz, poses=robot.pose_names)
    folder = DatasetFolder.create_or_open(tmp_path, info)
    with folder.lock():
        settings = WriterSettings(min_free_bytes=0, sync=False)
        recording = SessionRecording(Recorder(folder, settings=settings))
        arbiter = Arbiter(arbiter_settings(profile))
        session = Session(robot, arbiter, policy=make_expert_source(), subscribers=[recording])
        session.reset(SEED, requests=(Request.ENABLE, Request.HAND_BACK))
        recording.start(EpisodeMetadata(seed=SEED))
        session.run(60)
        saved = recording.stop()
    again = MujocoRobot(replace(profile, control_rate_hz=rate_hz), make_task("lift"))
    with Episode(folder.episodes_path / saved.summary.name) as episode, again:
        ghost = SimulatedGhost(RecordedRows(episode), again)
        # The first row is the placement by the seed, whatever came after it.
        assert ghost.exact_rows == max(1, exact * episode.rows)
