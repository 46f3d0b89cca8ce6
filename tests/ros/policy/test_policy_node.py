"""`policy_node` over real DDS: it drives a simulated arm through the real arbiter.

Its policies are real checkpoints with weights set by hand. Where one has to be slow or sick, the
child process wraps the inference; everything else is as users run it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from failed_start import failed_start
from lifecycle_msgs.msg import Transition
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from steering_policy import save_steering
from trajectory_msgs.msg import JointTrajectory

from robot_learning.core.profile_loader import load_profile
from robot_learning.messages.joint_order import JointOrder
from robot_learning.messages.stamps import time_ns
from robot_learning.ros.common import conversions, qos

TIMEOUT_S = 60.0
DELAY_S = 0.3
PROFILE = load_profile("desk_arm")
OFFSET = np.array([0.6, 0.1, -0.1, 0.2, 0.0, 0.3, -0.02])
CHANGED = """
import os, sys, time
import numpy as np
from robot_learning.serving.local_policy import LocalPolicy
infer = LocalPolicy.infer
def changed(self, windows, prefixes):
    time.sleep(float(os.environ["DELAY_S"]))
    actions = infer(self, windows, prefixes)
    if os.path.exists(os.environ["SICK"]):
        actions[:, 2, 0] = np.nan
    return actions
LocalPolicy.infer = changed
LocalPolicy.close = lambda self: open(os.environ["CLOSED"], "w").close()
from robot_learning.ros.policy_node import main
sys.exit(main())
"""
# A busy machine must not be taken for a dead source where that is not what is tested.
PATIENT = ("policy_timeout_s:=0.6", "measured_timeout_s:=1.5", "measured_fault_s:=9.0")
PATIENT += ("tracking_rad:=3.0", "human_timeout_s:=0.5", "policy_hold_s:=0.5", "autostart:=true")


class Graph:
    """Nodes as processes in one domain, and a peer that listens and asks."""

    def __init__(self, domain: int, folder: Path) -> None:
        self.folder = folder
        self.sick = folder / "sick"
        self.closed = folder / "closed"
        self.environment = os.environ | {
            "ROS_DOMAIN_ID": str(domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "OMP_NUM_THREADS": "1",
            "DELAY_S": str(DELAY_S),
            "SICK": str(self.sick),
            "CLOSED": str(self.closed),
        }
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = rclpy.create_node("peer", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.states: list[dict] = []
        self.proposed: list[np.ndarray] = []
        self.chunks: list[JointTrajectory] = []
        self.figures: dict[str, str] = {}
        self.arm = np.full(7, np.nan)
        listen = self.node.create_subscription
        listen(String, "arbiter/state", self._on_state, qos.EVENT)
        listen(JointState, "arbiter/policy", self._on_policy, qos.EVENT)
        listen(JointTrajectory, "policy/command", self.chunks.append, qos.EVENT)
        listen(JointState, "joint_states", self._on_joints, qos.STREAM_IN)
        listen(DiagnosticArray, "diagnostics", self._on_diagnostics, qos.DIAGNOSTICS)
        self.teleop = self.node.create_publisher(JointTrajectory, "teleop/command", qos.COMMAND)

    def start(self, name: str, command: list[str], *parameters: str) -> subprocess.Popen[bytes]:
        arguments = [part for parameter in parameters for part in ("-p", parameter)]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *command, "--ros-args", *arguments],
                env=self.environment,
                stderr=log,
                stdout=log,
            )
        return self.processes[name]

    def start_policy(self, checkpoint: Path) -> None:
        options = ("horizon_s:=2.0", "diagnostics_rate_hz:=5.0", "drive:=true", "device:=cpu")
        self.start("policy", ["-c", CHANGED], f"checkpoint:={checkpoint}", *options)

    def end(self, name: str) -> None:
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait(20)

    def until(self, condition: Callable[[], object]) -> None:
        end_s = time.monotonic() + TIMEOUT_S
        while not condition():
            logs = "".join(path.read_text() for path in self.folder.glob("*.log"))
            assert time.monotonic() < end_s, (self.states[-1:], self.figures, logs[-2000:])
            self.executor.spin_once(timeout_sec=0.1)

    def until_mode(self, mode: str) -> None:
        self.until(lambda: self.states and self.states[-1]["mode"] == mode)

    def forget(self) -> None:
        self.states, self.proposed, self.chunks[:] = self.states[-1:], [], []

    def modes(self) -> set[str]:
        return {state["mode"] for state in self.states}

    def distance(self, target: np.ndarray) -> float:
        return float(np.abs(self.arm - target)[:6].max())

    def ask(self, kind: type, name: str, request: object = None) -> object:
        client = self.node.create_client(kind, name)
        self.until(client.service_is_ready)
        future = client.call_async(request or kind.Request())
        self.until(future.done)
        self.node.destroy_client(client)
        return future.result()

    def reload(self, checkpoint: Path) -> Trigger.Response:
        value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=str(checkpoint))
        request = SetParameters.Request(parameters=[Parameter(name="checkpoint", value=value)])
        assert self.ask(SetParameters, "policy_node/set_parameters", request).results[0].successful
        return self.ask(Trigger, "policy_node/reload")

    def close(self) -> None:
        for name in list(self.processes):
            self.end(name)
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def _on_state(self, message: String) -> None:
        self.states.append(json.loads(message.data))

    def _on_policy(self, message: JointState) -> None:
        self.proposed.append(np.array(message.position))

    def _on_joints(self, message: JointState) -> None:
        self.arm = JointOrder(PROFILE.joint_names).positions(message)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.startswith("policy_node: arm"):
                self.figures = {entry.key: entry.value for entry in status.values}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("checkpoints")
    made = {
        "first": (PROFILE.home + OFFSET, {"action_steps": 100, "executed_steps": 50}),
        # Another target, another window, another chunk.
        "second": (
            PROFILE.home - 0.5 * OFFSET,
            {"action_steps": 80, "executed_steps": 30, "observation_steps": 3},
        ),
    }
    return {
        name: save_steering(folder / name, PROFILE, target, 0.01, **steps)
        for name, (target, steps) in made.items()
    }


@pytest.fixture(scope="module")
def graph(
    worker_domain: int, checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Graph]:
    one = Graph(worker_domain, tmp_path_factory.mktemp("graph"))
    try:
        one.start("robot", ["-m", "robot_learning.ros.robot_node"], "cameras:=[none]")
        one.start("arbiter", ["-m", "robot_learning.ros.arbiter_node"], *PATIENT)
        one.start_policy(checkpoints["first"])
        yield one
    finally:
        one.close()


def test_chunks_of_a_slow_policy_are_executed_by_arbiter_and_robot_without_a_pause(graph):
    graph.until_mode("POLICY")  # which the node asked for itself, as drive:=true says
    graph.forget()
    # It began at home, which may be long ago: joint states and modes come in any order.
    begun = float(np.abs(OFFSET[:6]).max())
    graph.until(lambda: graph.distance(PROFILE.home + OFFSET) < begun - 0.2)
    graph.until(lambda: len({time_ns(c.header.stamp) for c in graph.chunks}) > 3)
    assert graph.modes() == {"POLICY"}
    assert np.isfinite(graph.proposed).all()
    graph.until(lambda: int(graph.figures.get("chunks", 0)) > 3)
    assert graph.figures["starved_ticks"] == "0"
    assert float(graph.figures["inference_p50_ms"]) >= DELAY_S * 1e3
    assert int(graph.figures["skipped_steps"]) > 10
    # What is past when a chunk arrives is not sent.
    first = graph.chunks[0].points[0].time_from_start
    assert time_ns(first) > 0


def test_a_checkpoint_is_exchanged_in_motion_without_a_gap(graph, checkpoints):
    graph.until_mode("POLICY")
    graph.forget()
    response = graph.reload(checkpoints["second"])
    assert response.success and "80 steps" in response.message
    graph.until(graph.closed.exists)
    goal = PROFILE.home - 0.5 * OFFSET
    begun = graph.distance(goal)
    graph.until(lambda: graph.distance(goal) < begun - 0.1)
    assert graph.modes() == {"POLICY"}
    assert np.isfinite(graph.proposed).all()


def test_a_checkpoint_that_does_not_fit_is_refused_and_the_one_before_goes_on(
    graph, checkpoints, tmp_path
):
    graph.until_mode("POLICY")
    graph.forget()
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("checkpoint.json", "model.safetensors"):
        (broken / name).write_bytes((checkpoints["first"] / name).read_bytes()[:-20])
    for path in (tmp_path / "nowhere", broken):
        response = graph.reload(path)
        assert not response.success
        assert "the previous policy continues" in response.message and str(path) in response.message
    request = GetParameters.Request(names=["checkpoint"])
    named = graph.ask(GetParameters, "policy_node/get_parameters", request).values[0].string_value
    assert named == str(checkpoints["second"])
    assert graph.modes() == {"POLICY"}
    assert np.isfinite(graph.proposed).all()


def test_a_takeover_flushes_and_the_policy_goes_on_in_shadow(graph):
    graph.until_mode("POLICY")
    here = graph.arm.copy()

    def drive() -> bool:
        now_ns = graph.node.get_clock().now().nanoseconds
        graph.teleop.publish(
            conversions.trajectory_message(PROFILE.joint_names, here, stamp_ns=now_ns)
        )
        return graph.states[-1]["mode"] == "HUMAN"

    graph.until(drive)
    taken_ns = graph.states[-1]["stamp_ns"]
    graph.forget()

    def proposes() -> bool:
        """A chunk of an observation since the takeover; one from before may still be on its way."""
        return any(time_ns(chunk.header.stamp) >= taken_ns for chunk in graph.chunks)

    graph.until(lambda: drive() and proposes())
    graph.until(lambda: drive() and graph.proposed and np.isfinite(graph.proposed[-1]).all())
    graph.until_mode("HOLD")
    assert graph.ask(Trigger, "arbiter_node/hand_back").success
    graph.until_mode("POLICY")


def test_nan_out_of_the_network_is_refused_and_the_arm_holds(graph):
    graph.until_mode("POLICY")
    graph.forget()
    graph.sick.touch()
    graph.until_mode("HOLD")
    graph.until(lambda: int(graph.figures["refused"]) > 0)
    assert "no command from the policy" in " ".join(graph.states[-1]["reasons"])
    for chunk in graph.chunks:
        assert np.isfinite([point.positions for point in chunk.points]).all()
    graph.sick.unlink()
    graph.until(lambda: np.isfinite(graph.proposed[-1]).all())
    assert graph.states[-1]["mode"] == "HOLD", "it drives again only when a person says so"
    assert graph.ask(Trigger, "policy_node/reset").success
    graph.until(lambda: graph.ask(Trigger, "arbiter_node/hand_back").success)


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL], ids=["frozen", "killed"])
def test_a_policy_that_dies_or_freezes_gives_hold(graph, number):
    graph.until_mode("POLICY")
    graph.processes["policy"].send_signal(number)
    graph.until_mode("HOLD")
    if number == signal.SIGSTOP:
        graph.processes["policy"].send_signal(signal.SIGCONT)
        graph.until(lambda: graph.ask(Trigger, "arbiter_node/hand_back").success)
    else:
        graph.end("policy")


def test_arms_in_namespaces_are_served_in_one_batch_once_active(
    graph, start_node, peer, checkpoints
):
    node = start_node(
        "policy_node",
        autostart="false",
        checkpoint=checkpoints["second"],
        arms="[left, right]",
        max_age_s=2.0,
        policy_max_age_s=0.5,
    )
    chunks = {
        arm: peer.subscribe(JointTrajectory, f"{arm}/policy/command", qos.COMMAND)
        for arm in ("left", "right")
    }
    joints = {
        arm: peer.node.create_publisher(JointState, f"{arm}/joint_states", qos.STREAM_OUT)
        for arm in chunks
    }
    positions = {"left": PROFILE.home, "right": PROFILE.home + OFFSET}
    sent = []

    def feed() -> None:
        sent.append(peer.node.get_clock().now().nanoseconds)
        for arm, publisher in joints.items():
            message = JointState(name=list(PROFILE.joint_names))
            message.header.stamp = conversions.time_message(sent[-1])
            message.position = positions[arm].tolist()
            publisher.publish(message)

    def change(transition: int) -> None:
        assert peer.transition("policy_node", transition)

    change(Transition.TRANSITION_CONFIGURE)
    feed()
    change(Transition.TRANSITION_ACTIVATE)
    assert not chunks["left"] and not chunks["right"], "nothing is proposed before"
    peer.spin_until(lambda: feed() or all(chunks.values()))
    for arm, messages in chunks.items():
        stamp_ns = time_ns(messages[-1].header.stamp)
        assert stamp_ns in sent, "stamped as its observation"
        point = messages[-1].points[0]
        step = round(time_ns(point.time_from_start) / 20_000_000)
        goal = PROFILE.home - 0.5 * OFFSET
        share = 1 - 0.99 ** (step + 1)
        expected = positions[arm] + share * (goal - positions[arm])
        np.testing.assert_allclose(point.positions, expected, atol=1e-5)
    assert node.interrupt() == 0
    assert node.output.count("executes 22 of 30 steps: the arbiter follows no chunk") == 1


def test_what_cannot_be_served_is_one_line(capfd, checkpoints, tmp_path):
    given = {"checkpoint": checkpoints["first"], "robot": "desk_duo"}
    code, (line,) = failed_start("policy_node", capfd, **given)
    assert code == 2 and line.startswith("error: ")
    assert "does not fit robot 'desk_duo': it was trained for robot 'desk_arm'" in line
    code, (line,) = failed_start("policy_node", capfd, checkpoint=tmp_path)
    assert code == 1 and line.startswith("error: ")
    assert "no checkpoint here" in line
