"""Angles of messages: recorded live and imported from a bag they mean the same turns."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.turns import TurnRules
from robot_learning.core.vocabulary import Mode, Source
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.schema import EpisodeMetadata
from robot_learning.episodes.imports.importer import import_dataset
from robot_learning.episodes.imports.rosbag import RosbagImporter
from robot_learning.episodes.recording.message_streams import MessageStreams
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.messages.arbiter_state import COLUMNS, ArbiterStateMessage

rosbag2 = pytest.importorskip("rosbags.rosbag2")
typesys = pytest.importorskip("rosbags.typesys")

STORE = typesys.get_typestore(typesys.Stores.ROS2_JAZZY)
MS, START_NS = 1_000_000, 1_700_000_000 * NS_PER_S
TICKS = 500
PAN, ROLL, GRIP = 0, 5, 6
TURN = 2.0 * math.pi


@pytest.fixture(scope="module")
def profile() -> RobotProfile:
    """A desk arm whose wrist turns without end, and whose base turns by nearly two turns."""
    base = load_profile("desk_arm")
    joints = list(base.joints)
    joints[PAN] = replace(joints[PAN], position_min=-6.2, position_max=6.2)
    joints[ROLL] = replace(
        joints[ROLL], position_min=-math.inf, position_max=math.inf, continuous=True
    )
    return replace(base, joints=tuple(joints), cameras=())


def true_joints(profile: RobotProfile) -> np.ndarray:
    """(TICKS, n): the wrist turns 1.6 times round, the base crosses half a turn."""
    rows = np.tile(profile.home, (TICKS, 1))
    rows[:, PAN] = np.linspace(2.0, 4.5, TICKS)
    rows[:, ROLL] = np.linspace(2.5, 12.5, TICKS)
    rows[:, GRIP] = np.linspace(0.0, 0.03, TICKS)
    return rows


def wrapped(profile: RobotProfile, rows: np.ndarray) -> np.ndarray:
    turning = TurnRules.of(profile).turning
    return np.where(turning, (rows + math.pi) % TURN - math.pi, rows)


@dataclass(frozen=True)
class Logged:
    receive_ns: int
    topic: str
    kind: str
    message: Any


def make(kind: str, **fields: Any) -> Any:
    return STORE.types[kind](**fields)


def graph_messages(profile: RobotProfile, arbiter: bool) -> list[Logged]:
    """A driver that wraps; an arbiter that began when the wrist had turned twice as far."""
    found = []
    truth = true_joints(profile)
    reported = wrapped(profile, truth)
    counted = truth.copy()
    counted[:, ROLL] += 2 * TURN
    for tick in range(TICKS):
        stamp_ns = START_NS + tick * 10 * MS
        time = make(
            "builtin_interfaces/msg/Time", sec=stamp_ns // NS_PER_S, nanosec=stamp_ns % NS_PER_S
        )
        header = make("std_msgs/msg/Header", stamp=time, frame_id="")

        def state(position: np.ndarray, header: Any = header) -> Any:
            names, nothing = list(profile.joint_names), np.zeros(0)
            kind = "sensor_msgs/msg/JointState"
            return make(
                kind, header=header, name=names, position=position, velocity=nothing, effort=nothing
            )

        kind = "sensor_msgs/msg/JointState"
        found.append(Logged(stamp_ns + MS, "/joint_states", kind, state(reported[tick])))
        if not arbiter:
            point = make(
                "trajectory_msgs/msg/JointTrajectoryPoint",
                positions=counted[tick],
                velocities=np.zeros(0),
                accelerations=np.zeros(0),
                effort=np.zeros(0),
                time_from_start=make("builtin_interfaces/msg/Duration", sec=0, nanosec=0),
            )
            kind = "trajectory_msgs/msg/JointTrajectory"
            sent = make(kind, header=header, joint_names=list(profile.joint_names), points=[point])
            found.append(Logged(stamp_ns + 2 * MS, "/joint_command", kind, sent))
            continue
        columns = np.tile(counted[tick], (len(COLUMNS), 1))
        columns[COLUMNS.index("noise")] = 0.0
        columns[COLUMNS.index("policy")] = np.nan
        decision = ArbiterStateMessage(
            stamp_ns=stamp_ns,
            mode=Mode.HUMAN,
            source=Source.HUMAN,
            joints=profile.joint_names,
            columns=columns,
            limited=np.zeros(len(profile.joint_names), np.uint8),
            episode=0,
        )
        text = make("std_msgs/msg/String", data=decision.to_json())
        found.append(Logged(stamp_ns + 2 * MS, "/arbiter/state", "std_msgs/msg/String", text))
    return found


def write_bag(path: Path, messages: Iterable[Logged]) -> Path:
    with rosbag2.Writer(path, version=9, storage_plugin=rosbag2.StoragePlugin.MCAP) as writer:
        connections: dict[str, Any] = {}
        for item in messages:
            if item.topic not in connections:
                connections[item.topic] = writer.add_connection(
                    item.topic, item.kind, typestore=STORE
                )
            data = bytes(STORE.serialize_cdr(item.message, item.kind))
            writer.write(connections[item.topic], item.receive_ns, data)
    return path


def record_live(
    profile: RobotProfile, messages: Iterable[Logged], path: Path, like: Dataset
) -> Dataset:
    """As a node does: it polls, and was there long before the episode began."""
    settings = WriterSettings(min_free_bytes=0, sync=False)
    recorder = Recorder(DatasetFolder.create_or_open(path, like.info), settings=settings)
    streams = MessageStreams(recorder, {}, turns=TurnRules.of(profile))
    first_ns = int(like.array("tick_ns")[0])
    with recorder.folder.lock():
        for item in messages:
            if item.receive_ns > first_ns and not recorder.recording:
                recorder.start(EpisodeMetadata(), first_ns)
            if recorder.recording:
                recorder.advance(item.receive_ns - 1)
            streams.handlers[item.topic.lstrip("/")](item.message, item.receive_ns)
        recorder.advance(item.receive_ns)
        recorder.stop()
    return Dataset(path)


@pytest.fixture(scope="module", params=[True, False], ids=["arbiter", "commands"])
def both(
    request: pytest.FixtureRequest, profile: RobotProfile, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Dataset, Dataset, bool]:
    """The imported and the live recording of the same messages."""
    folder = tmp_path_factory.mktemp("turns")
    messages = graph_messages(profile, request.param)
    bag = write_bag(folder / "bag", messages)
    import_dataset(bag, folder / "imported", RosbagImporter(profile, rate_hz=100.0, task="turn"))
    imported = Dataset(folder / "imported")
    return imported, record_live(profile, messages, folder / "live", imported), request.param


def test_live_and_imported_angles_are_equal(both: tuple[Dataset, Dataset, bool]) -> None:
    imported, live, _ = both
    assert imported.rows == live.rows > TICKS - 20
    for column in imported.info.columns:
        np.testing.assert_array_equal(
            imported.array(column.path), live.array(column.path), err_msg=column.path
        )


def test_recorded_joints_turn_on_from_home(
    both: tuple[Dataset, Dataset, bool], profile: RobotProfile
) -> None:
    imported, _, _ = both
    joints = imported.array("obs/joint_position")
    assert np.abs(np.diff(joints, axis=0)).max() < 0.1
    truth = true_joints(profile)
    assert joints[-1] == pytest.approx(truth[-1], abs=0.1)


def test_actions_are_in_the_turns_of_the_joints(both: tuple[Dataset, Dataset, bool]) -> None:
    imported, _, with_arbiter = both
    joints = imported.array("obs/joint_position")
    paths = ["actions"]
    if with_arbiter:
        paths += ["control/human", "control/requested", "control/applied"]
        assert np.isnan(imported.array("control/policy")).all()
        assert not imported.array("control/noise").any()
    for path in paths:
        assert np.abs(imported.array(path) - joints).max() < 0.1, path


def test_each_episode_begins_with_the_turn_nearest_to_home(
    profile: RobotProfile, both: tuple[Dataset, Dataset, bool], tmp_path: Path
) -> None:
    imported, _, with_arbiter = both
    settings = WriterSettings(min_free_bytes=0, sync=False)
    recorder = Recorder(DatasetFolder.create_or_open(tmp_path, imported.info), settings=settings)
    streams = MessageStreams(recorder, {}, turns=TurnRules.of(profile))
    with recorder.folder.lock():
        for number, item in enumerate(graph_messages(profile, with_arbiter)):
            streams.handlers[item.topic.lstrip("/")](item.message, item.receive_ns)
            if number == int(0.8 * TICKS) * 2:
                recorder.start(EpisodeMetadata(), item.receive_ns)
            recorder.advance(item.receive_ns)
        recorder.stop()
    joints = Dataset(tmp_path).array("obs/joint_position")
    assert abs(joints[0, ROLL]) <= math.pi
    assert np.abs(np.diff(joints[:, ROLL])).max() < 0.1
