"""`recorder_node` over real DDS: what operators ask of it, and streams that misbehave.

Rows are checked against what was published under the stamps that they name, so nothing here
depends on how fast the machine is.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
import rclpy
from recording_graph import PARAMETERS, RecordingGraph, jpeg, small_robot
from std_srvs.srv import Trigger

from robot_learning.core.profile_loader import load_profile
from robot_learning.core.vocabulary import Mode, Source
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.schema import RowFault
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.recovery import verify_dataset
from robot_learning.ros.common.real_time import RealTimeHost
from robot_learning.ros.common.stop import Stop
from robot_learning.ros.recorder_node import RecorderNode


class Recording:
    """A recorder node in a thread, and the graph that it listens to."""

    def __init__(self, graph: RecordingGraph, path: Path, robot: str, domain: int) -> None:
        self.graph, self.path = graph, path
        self._parameters = {"dataset": str(path), "robot": robot, **PARAMETERS}
        self._domain = domain
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start_node(self, **parameters: object) -> None:
        """Start the node, and stop it at the end of the test."""
        arguments = ["--ros-args"]
        for name, value in {**self._parameters, **parameters}.items():
            text = str(value).lower() if isinstance(value, bool) else f"'{value}'"
            arguments += ["-p", f"{name}:={text if isinstance(value, str | bool) else value}"]
        rclpy.init(args=arguments, domain_id=self._domain)
        self._stack.callback(rclpy.try_shutdown)
        stop = Stop()
        host = RealTimeHost(stop)
        node = RecorderNode(host)
        self._stack.callback(node.close)
        thread = threading.Thread(target=host.serve, args=(node,))
        thread.start()
        self._stack.callback(thread.join)
        self._stack.callback(stop.set)

    def ask(self, request: str) -> tuple[bool, str]:
        answer = self.graph.call(Trigger, f"recorder_node/{request}")
        return answer.success, answer.message

    def begin(self) -> None:
        """Start an episode once every stream is heard."""
        granted, text = False, "a stream is silent"
        while not granted:
            # On a machine that stalls a stream may fall silent in between.
            assert "a stream is silent" in text
            self.graph.pump(lambda: self.graph.status.get("silent") == [])
            granted, text = self.ask("start")

    def rows(self, count: int) -> None:
        """Go on for so many rows more."""
        wanted = self.graph.status.get("rows", 0) + count
        self.graph.pump(lambda: self.graph.status["rows"] >= wanted)

    def until_invalid(self) -> None:
        before = self.graph.status["invalid_rows"]
        self.graph.pump(lambda: self.graph.status["invalid_rows"] > before + 1)

    def until_valid(self) -> None:
        def valid() -> bool:
            return self.graph.status["silent"] == []

        self.graph.pump(valid)
        self.rows(3)

    def episode(self, number: int = -1):
        dataset = Dataset(self.path)
        assert verify_dataset(DatasetFolder(self.path)) == []
        return dataset.episode(dataset.episodes[number].name)


@pytest.fixture
def robot(tmp_path):
    return small_robot(tmp_path)


@pytest.fixture
def graph(peer, robot):
    return RecordingGraph(peer, load_profile(robot).joint_names)


@pytest.fixture
def recording(graph, robot, tmp_path, worker_domain):
    with Recording(graph, tmp_path / "set", robot, worker_domain) as one:
        yield one


def assert_rows_are_what_was_sent(episode, graph: RecordingGraph, oldest: int = 0) -> None:
    """Each row holds exactly what was published under the stamps that it names.

    Where a joint fell silent the stamp is that joint's, `oldest`, and others are newer than it.
    """
    n = len(graph.names)
    position = episode.column("obs/joint_position")
    stamps = {
        name: episode.column(f"streams/{name}/stamp_ns")
        for name in ("joint_states", "decision", "front")
    }
    columns = {
        name: episode.column(f"control/{name}")
        for name in ("human", "policy", "noise", "requested", "applied", "limited")
    }
    source, mode = episode.column("control/source"), episode.column("control/mode")
    actions = episode.column("actions")
    for row in range(episode.rows):
        number = graph.sent["joints"][stamps["joint_states"][row]]
        sent = graph.vector(number)
        np.testing.assert_allclose(position[row][oldest:], sent[oldest:])
        assert (position[row][:oldest] >= sent[:oldest] - 1e-9).all()
        number, mode_name, source_name = graph.sent["decision"][stamps["decision"][row]]
        decision = graph.decision(number)
        for name, values in decision.items():
            np.testing.assert_array_equal(columns[name][row], values)
        assert (columns["limited"][row] == [number % 32] * n).all()
        assert mode[row] == Mode[mode_name]
        assert source[row] == Source[source_name]
        label = {"HUMAN": "human", "POLICY": "policy", "NONE": "applied"}[source_name]
        np.testing.assert_array_equal(actions[row], decision[label])
        assert episode.frame_bytes("images/front", row) == graph.sent["front"][stamps["front"][row]]


def test_each_request_has_an_answer_in_each_state(recording, graph):
    graph.on = {"joints", "decision"}
    recording.start_node(
        operator="ada", operator_device="gamepad", instruction="hold still", seed=7
    )
    for request in ("stop", "success", "discard"):
        granted, text = recording.ask(request)
        assert not granted
        assert "no episode" in text
    graph.pump(lambda: graph.status.get("silent") == ["front"])
    granted, text = recording.ask("start")
    assert not granted
    assert "front (nothing received)" in text
    assert "joint_states" not in text
    graph.on.add("front")
    recording.begin()
    granted, text = recording.ask("start")
    assert not granted
    assert "already recording episode_000000.hdf5" in text
    recording.rows(10)
    assert recording.ask("stop")[0]
    assert not recording.ask("stop")[0]
    assert Dataset(recording.path).episodes[0].outcome == "unknown"
    assert Dataset(recording.path).episodes[0].device == "gamepad"
    assert recording.ask("failure") == (True, "episode_000000.hdf5 is marked as failure")
    assert Dataset(recording.path).episodes[0].outcome == "failure"
    recording.begin()
    recording.rows(5)
    assert recording.ask("success")[0]
    recording.begin()
    assert recording.ask("discard") == (True, "discarded episode_000002.hdf5")
    # What was discarded while it ran is gone; what was saved goes to the trash, once.
    assert recording.ask("discard") == (True, "moved episode_000001.hdf5 to the trash")
    assert not recording.ask("discard")[0]
    assert [path.name for path in (recording.path / "trash").iterdir()] == ["episode_000001.hdf5"]
    (summary,) = Dataset(recording.path).episodes
    assert (summary.operator, summary.instruction) == ("ada", "hold still")
    with recording.episode() as episode:
        assert episode.valid.all()
        assert episode.metadata.seed == 7
        assert_rows_are_what_was_sent(episode, graph)
    assert graph.status["saved"] == 1
    assert graph.status["discarded"] == 2
    assert graph.status["free_bytes"] > 0


def test_who_was_in_control_is_recorded(recording, graph):
    graph.mode = graph.source = "POLICY"
    recording.start_node()
    recording.begin()
    for mode, source in (
        ("HUMAN", "HUMAN"),
        ("HOLD", "NONE"),
        ("POLICY", "POLICY"),
        ("FAULT", "NONE"),
    ):
        recording.rows(4)
        graph.mode, graph.source = mode, source
    recording.rows(4)
    assert recording.ask("success")[0]
    with recording.episode() as episode:
        assert_rows_are_what_was_sent(episode, graph)
        source, mode = episode.column("control/source"), episode.column("control/mode")
        assert set(mode.tolist()) == {Mode.POLICY, Mode.HUMAN, Mode.HOLD, Mode.FAULT}
        # The human took over from a policy.
        np.testing.assert_array_equal(episode.column("intervention"), source == Source.HUMAN)
        assert episode.quality["handovers"] >= 4
    # A demonstration of the same session is no intervention.
    graph.mode = graph.source = "HUMAN"
    recording.begin()
    recording.rows(5)
    assert recording.ask("success")[0]
    with recording.episode() as episode:
        assert not episode.column("intervention").any()


def test_a_camera_that_misbehaves_costs_its_rows_and_shifts_none(recording, graph):
    recording.start_node()
    recording.begin()
    recording.rows(5)
    faults = {
        "stops": lambda: graph.on.discard("front"),
        "changes size": lambda: setattr(graph, "frame", lambda n: jpeg(n, 32, 24)),
        "is cut off": lambda: setattr(graph, "frame", lambda n: jpeg(n)[:-20]),
        "is no JPEG": lambda: setattr(graph, "frame", lambda n: b"\x89PNG" + bytes(50)),
        "lives in the future": lambda: setattr(graph, "frame_shift_s", 5.0),
        "lives in the past": lambda: setattr(graph, "frame_shift_s", -2.0),
    }
    refused = []
    for break_it in faults.values():
        break_it()
        recording.until_invalid()
        refused.append(graph.status["refused"].get("front", ""))
        graph.on.add("front")
        graph.frame, graph.frame_shift_s = jpeg, 0.0
        recording.until_valid()
    assert recording.ask("stop")[0]
    for text, reason in zip(
        ("32x24, expected 64x48", "cut off", "no JPEG", "s ahead"), refused[1:5], strict=True
    ):
        assert text in reason
    with recording.episode() as episode:
        invalid = episode.column("invalid")
        assert set(invalid.tolist()) == {0, RowFault.STALE}
        ages_ns = episode.column("streams/front/age_ns")
        np.testing.assert_array_equal(invalid > 0, ages_ns > 0.5e9)
        ticks = episode.column("tick_ns")
        np.testing.assert_array_equal(np.diff(ticks) // 1_000_000, np.full(len(ticks) - 1, 40))
        assert_rows_are_what_was_sent(episode, graph)
        assert episode.quality["verdict"] == "bad"
        assert episode.quality["streams"]["front"]["refused_bad"] > 0
        assert episode.quality["streams"]["front"]["refused_future"] > 0


def test_joint_messages_are_read_by_name_and_never_made_up(recording, graph):
    graph.joint_names = [*reversed(graph.names), "a_wheel"]
    graph.velocity = False
    recording.start_node()
    recording.begin()
    recording.rows(5)
    graph.joint_names = list(graph.names)
    graph.velocity = True
    recording.rows(5)
    graph.joint_names = list(graph.names)[:-1]
    recording.until_invalid()
    assert "lacks gripper" in graph.status["refused"]["joint_states"]
    assert recording.ask("stop")[0]
    granted, text = recording.ask("start")
    assert not granted
    assert "lacks gripper" in text
    with recording.episode() as episode:
        assert_rows_are_what_was_sent(episode, graph, oldest=len(graph.names) - 1)
        velocity = episode.column("obs/joint_velocity")
        assert np.isnan(velocity[0]).all()
        np.testing.assert_array_equal(velocity[-1], episode.column("obs/joint_position")[-1])
        assert np.isnan(episode.column("obs/joint_effort")).all()


def test_an_episode_goes_on_over_the_restart_of_robot_and_arbiter(recording, graph):
    recording.start_node()
    recording.begin()
    recording.rows(5)
    on, graph.on = graph.on, set()
    recording.until_invalid()
    graph.restart()
    graph.on = on
    recording.until_valid()
    assert recording.ask("success")[0]
    with recording.episode() as episode:
        valid = episode.valid
        assert valid[:5].all()
        assert valid[-3:].all()
        assert not valid.all()
        assert_rows_are_what_was_sent(episode, graph)


def test_a_full_disk_ends_the_episode_and_keeps_it(recording, graph, tmp_path):
    mount = tmp_path / "small"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(mount)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        recording.path = mount / "set"
        recording.start_node(dataset=str(recording.path), min_free_mib=4)
        recording.begin()
        recording.rows(5)
        filling = mount / "filling"
        filling.write_bytes(bytes(9 * 2**20))
        graph.pump(lambda: not graph.status["recording"])
        assert "the disk is nearly full" in graph.status["message"]
        granted, text = recording.ask("start")
        assert not granted
        assert "MiB of disk are free" in text
        granted, text = recording.ask("stop")
        assert not granted
        assert "ended by itself" in text
        with recording.episode() as episode:
            assert episode.rows >= 5
            assert "nearly full" in " ".join(episode.quality["reasons"])
        filling.unlink()
        recording.begin()
        assert recording.ask("discard")[0]
    finally:
        recording.__exit__()
        subprocess.run(["umount", str(mount)], check=True)


def test_what_cannot_be_recorded_into_is_one_clear_error(recording, graph, start_node, robot):
    recording.start_node()
    recording.begin()
    recording.rows(3)
    assert recording.ask("success")[0]
    given = {"dataset": str(recording.path), "robot": robot, **PARAMETERS}
    given["simulated"] = "false"
    errors = {
        "is writing to this dataset": start_node("recorder_node", **given),
        "already holds 1 episode; leave out": start_node("recorder_node", **given, resume="false"),
        "the dataset has rate_hz 25.0, the recording 10.0": start_node(
            "recorder_node", **{**given, "rate_hz": 10.0}
        ),
        "unknown camera 'side'": start_node("recorder_node", **given, cameras="[side]"),
    }
    for text, running in errors.items():
        assert running.wait() in (1, 2)
        assert text in running.output
        assert "Traceback" not in running.output
    # None of them disturbed it.
    recording.begin()
    recording.rows(3)
    assert recording.ask("success")[0]
    assert len(Dataset(recording.path)) == 2
