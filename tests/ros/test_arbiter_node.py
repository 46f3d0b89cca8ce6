"""`arbiter_node` over real DDS beside a simulated robot, with sources that are killed and frozen.

Nothing here is judged by the wall clock: every tick says itself how old each source was.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import rclpy
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterType, ParameterValue
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.ros import conversions, qos

ROBOT = "desk_arm"
PERIOD_S = 0.01

# A teleoperator or a policy in a process of its own: the first joint swings, 0.3 rad at 0.4 Hz.
SOURCE = """
import sys, time
import numpy as np, rclpy
from robot_learning.core.profile_loader import load_profile
from robot_learning.ros import conversions, qos
from trajectory_msgs.msg import JointTrajectory
topic, robot, namespace = sys.argv[1:]
profile = load_profile(robot)
rclpy.init()
node = rclpy.create_node("source_of_" + topic, namespace=namespace)
publisher = node.create_publisher(JointTrajectory, topic + "/command", qos.COMMAND)
offsets_s = [0.0] if topic == "teleop" else [0.05 * index for index in range(10)]
sign = 1.0 if topic == "teleop" else -1.0
while True:
    now_ns = node.get_clock().now().nanoseconds
    rows = np.tile(profile.home, (len(offsets_s), 1))
    rows[:, 0] += sign * 0.3 * np.sin(2 * np.pi * 0.4 * (now_ns / 1e9 + np.array(offsets_s)))
    names = profile.joint_names
    publisher.publish(conversions.trajectory_message(names, rows, offsets_s, now_ns))
    time.sleep(0.02)
"""


# As the node publishes it, but with room to miss nothing while this process is busy.
EVERY_STATE = QoSProfile(
    depth=50,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Leave no node behind, even if this process is killed."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


# A busy machine must not be taken for a dead source where that is not what is tested.
PATIENT = [
    part
    for name, value_s in (
        ("human_timeout_s", 1.0),
        ("policy_timeout_s", 1.5),
        ("measured_timeout_s", 1.5),
        ("measured_fault_s", 5.0),
        ("tracking_rad", 3.0),
    )
    for part in ("-p", f"{name}:={value_s}")
]


class Graph:
    """The nodes under test as processes, and a peer in this one that listens and asks.

    Several graphs live in one domain, each in a namespace of its own.
    """

    def __init__(self, context: Context, namespace: str, output: type = JointTrajectory) -> None:
        self.profile: RobotProfile = load_profile(ROBOT)
        self.nothing = np.full(len(self.profile.joint_names), np.nan)
        self.namespace = namespace
        self.environment = os.environ | {
            "ROS_DOMAIN_ID": str(context.get_domain_id()),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.node = rclpy.create_node("peer", context=context, namespace=namespace)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.states: list[dict] = []
        self.applied: dict[int, np.ndarray] = {}
        self.columns: dict[str, dict[int, np.ndarray]] = {}
        self.sent: list[np.ndarray] = []
        self.arm: np.ndarray | None = None
        self.node.create_subscription(String, "arbiter/state", self._on_state, EVERY_STATE)
        for column in ("human", "policy", "noise", "requested", "applied"):
            self.columns[column] = {}
            self.node.create_subscription(
                JointState,
                f"arbiter/{column}",
                lambda message, column=column: self._on_column(column, message),
                qos.EVENT,
            )
        self.node.create_subscription(output, "joint_command", self._on_command, qos.COMMAND)
        self.node.create_subscription(JointState, "joint_states", self._on_joints, qos.STREAM_IN)
        self.clients = {
            name: self.node.create_client(Trigger, f"arbiter_node/{name}")
            for name in ("enable", "take_over", "hand_back", "hold", "stop", "clear_fault")
        }

    def _on_state(self, message: String) -> None:
        self.states.append(json.loads(message.data))

    def _on_column(self, column: str, message: JointState) -> None:
        stamp_ns = conversions.time_ns(message.header.stamp)
        self.columns[column][stamp_ns] = np.array(message.position)

    def _on_command(self, message: JointTrajectory | Float64MultiArray) -> None:
        if isinstance(message, Float64MultiArray):
            self.sent.append(np.array(message.data))
            return
        _, positions = conversions.parse_trajectory(message, self.profile.joint_names)
        self.sent.append(positions[-1])

    def _on_joints(self, message: JointState) -> None:
        self.arm = conversions.joint_positions(message, self.profile.joint_names)

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a node by its module, or a source of commands."""
        command = ["-m", f"robot_learning.ros.{name}", "--ros-args"]
        command += ["-r", f"__ns:=/{self.namespace}", *arguments]
        if name in ("teleop", "policy"):
            command = ["-c", SOURCE, name, ROBOT, self.namespace]
        self.processes[name] = subprocess.Popen(
            [sys.executable, *command],
            env=self.environment,
            preexec_fn=die_with_parent,  # noqa: PLW1509 (a single system call)
        )
        return self.processes[name]

    def end(self, name: str, number: int = signal.SIGKILL) -> int:
        """End a process with a signal; returns its exit code."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        return process.wait(timeout=20)

    def until(self, condition: Callable[[], object], timeout_s: float = 40.0) -> None:
        """Listen until something is the case; the time-out only ends a test that has failed."""
        end_s = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end_s, self.states[-1:]
            self.executor.spin_once(timeout_sec=0.1)

    def mode(self) -> str:
        return self.states[-1]["mode"] if self.states else ""

    def until_mode(self, mode: str) -> None:
        self.until(lambda: self.mode() == mode)

    def ticks(self, count: int) -> None:
        """Listen for a number of ticks."""
        last = self.states[-1]["tick"] + count
        self.until(lambda: self.states[-1]["tick"] >= last)

    def ask(self, name: str) -> Trigger.Response:
        self.until(self.clients[name].service_is_ready)
        future = self.clients[name].call_async(Trigger.Request())
        self.until(future.done)
        return future.result()

    def parameters(self, **values: object) -> str:
        """Set parameters of the arbiter at once; returns why not, or nothing."""
        client = self.node.create_client(
            SetParametersAtomically, "arbiter_node/set_parameters_atomically"
        )
        self.until(client.service_is_ready)
        request = SetParametersAtomically.Request()
        for name, value in values.items():
            kind, key = {
                bool: (ParameterType.PARAMETER_BOOL, "bool_value"),
                float: (ParameterType.PARAMETER_DOUBLE, "double_value"),
            }[type(value)]
            wrapped = ParameterValue(type=kind, **{key: value})
            request.parameters.append(ParameterMessage(name=name.replace("__", "."), value=wrapped))
        future = client.call_async(request)
        self.until(future.done)
        self.node.destroy_client(client)
        return future.result().result.reason

    def assert_no_jump(self) -> None:
        """Velocity and acceleration limits between all ticks that follow each other."""
        stamps = {state["tick"]: state["stamp_ns"] for state in self.states}
        rows = rows_by_tick(self)
        velocity_max, step = self.profile.velocity_max, self.profile.acceleration_max * PERIOD_S
        checked = 0
        for tick in rows:
            # a machine so busy that the arbiter did not run is a stop of its own
            if stamps.get(tick + 2, math.inf) - stamps[tick] > 100_000_000:
                continue
            three = np.array([rows.get(tick + index, self.nothing) for index in range(3)])
            if np.isfinite(three).all():
                velocity = np.diff(three, axis=0) / PERIOD_S
                assert (np.abs(velocity) <= velocity_max + 1e-6).all()
                assert (np.abs(velocity[1] - velocity[0]) <= step + 1e-6).all()
                checked += 1
        assert checked > 50

    def forget(self) -> None:
        self.states = self.states[-1:]
        for rows in self.columns.values():
            rows.clear()

    def close(self) -> None:
        for name in list(self.processes):
            with contextlib.suppress(ProcessLookupError):
                self.end(name)
        self.executor.shutdown()
        self.node.destroy_node()


def rows_by_tick(graph: Graph) -> dict[int, np.ndarray]:
    stamps = {state["stamp_ns"]: state["tick"] for state in graph.states}
    columns = graph.columns["applied"]
    return {stamps[stamp]: row for stamp, row in columns.items() if stamp in stamps}


@pytest.fixture(scope="module")
def context(worker_domain: int) -> Iterator[Context]:
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    context = Context()
    rclpy.init(context=context, domain_id=worker_domain)
    yield context
    rclpy.shutdown(context=context)


@contextlib.contextmanager
def running(graph: Graph, *arguments: str, robot: bool = True) -> Iterator[Graph]:
    try:
        if robot:
            settings = ("-p", f"robot:={ROBOT}", "-p", "task:=reach", "-p", "cameras:=none")
            graph.start("robot_node", *settings)
        graph.start("arbiter_node", "-p", f"robot:={ROBOT}", *arguments)
        graph.until(lambda: graph.states)
        if robot:
            graph.until(lambda: graph.arm is not None)
        yield graph
    finally:
        graph.close()


@pytest.fixture(scope="module")
def shared(context: Context) -> Iterator[Graph]:
    with running(Graph(context, "shared")) as graph:
        yield graph


@pytest.fixture
def graph(shared: Graph) -> Iterator[Graph]:
    """Enabled and in HOLD, with no source running; a robot and an arbiter."""
    for name in ("teleop", "policy"):
        if name in shared.processes:
            shared.end(name)
    shared.until(lambda: shared.states[-1]["ages_s"]["robot"][0] is not None)
    if shared.mode() == "FAULT":
        shared.until(lambda: shared.ask("clear_fault").success)
    if shared.mode() == "DISABLED":
        shared.until(lambda: shared.ask("enable").success)
    shared.until_mode("HOLD")
    shared.ticks(60)
    shared.forget()
    yield shared


def in_policy(graph: Graph) -> None:
    graph.start("policy")
    graph.until(lambda: graph.states[-1]["ages_s"]["policy"][0] is not None)
    graph.until(lambda: graph.ask("hand_back").success)
    graph.until_mode("POLICY")
    graph.ticks(100)


def in_human(graph: Graph) -> None:
    graph.start("teleop")
    graph.until_mode("HUMAN")
    graph.ticks(100)


def stands(graph: Graph) -> bool:
    """Whether the last ticks applied one and the same position."""
    rows = list(graph.columns["applied"].values())[-20:]
    return len(rows) == 20 and all((row == rows[0]).all() for row in rows)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_teleoperator_that_dies_or_freezes_while_moving_gives_hold(graph, number):
    in_human(graph)
    moving = max(np.abs(np.diff(list(graph.columns["applied"].values()), axis=0)).max(axis=1))
    assert moving > 0.1 * PERIOD_S
    graph.processes["teleop"].send_signal(number)
    graph.until_mode("HOLD")
    graph.until(lambda: stands(graph))
    for state in graph.states:
        if state["mode"] == "HUMAN":
            assert state["ages_s"]["human"][0] <= 0.15
    driven = [index for index, state in enumerate(graph.states) if state["mode"] == "HUMAN"]
    stop = driven[-1] + 1
    assert "no command from the human for" in graph.states[stop]["reasons"][0]
    # at rest as soon as the acceleration limit allows
    longest = round(max(graph.profile.velocity_max / graph.profile.acceleration_max) / PERIOD_S)
    after = graph.states[stop]["tick"] + longest + 1
    graph.until(lambda: max(rows_by_tick(graph), default=0) > after)
    later = [row for tick, row in rows_by_tick(graph).items() if tick >= after]
    assert all((row == later[0]).all() for row in later)
    # and the arm itself stands where it was told to
    graph.until(lambda: np.abs(graph.arm - later[0])[:6].max() < 0.02)
    graph.assert_no_jump()


def test_a_frozen_teleoperator_that_thaws_takes_over_without_a_jump(graph):
    in_human(graph)
    graph.processes["teleop"].send_signal(signal.SIGSTOP)
    graph.until_mode("HOLD")
    graph.ticks(150)
    graph.processes["teleop"].send_signal(signal.SIGCONT)
    graph.until_mode("HUMAN")
    graph.ticks(100)
    graph.assert_no_jump()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_policy_that_dies_or_freezes_while_moving_gives_hold(graph, number):
    in_policy(graph)
    graph.processes["policy"].send_signal(number)
    graph.until_mode("HOLD")
    graph.until(lambda: stands(graph))
    for state in graph.states:
        if state["mode"] == "POLICY":
            assert state["ages_s"]["policy"][0] <= 0.15
    graph.processes["policy"].send_signal(signal.SIGCONT)
    graph.ticks(50)
    # it does not start again by itself
    assert graph.mode() == "HOLD"
    graph.assert_no_jump()


def test_handover_between_two_moving_processes(graph):
    in_policy(graph)
    epoch = graph.states[-1]["policy_epoch"]
    in_human(graph)
    assert graph.states[-1]["policy_epoch"] == epoch + 1
    graph.until(lambda: graph.ask("hand_back").success)
    graph.until_mode("POLICY")
    graph.ticks(80)
    assert graph.ask("take_over").success
    graph.until_mode("HUMAN")
    graph.ticks(80)
    graph.assert_no_jump()


def test_the_columns_of_a_tick_have_equal_stamps(graph):
    in_human(graph)
    stamps = {state["stamp_ns"] for state in graph.states}
    common = stamps.intersection(*(rows.keys() for rows in graph.columns.values()))
    assert len(common) > 50
    columns = graph.columns
    for stamp_ns in common:
        if not np.isnan(columns["human"][stamp_ns]).any():
            requested = columns["human"][stamp_ns] + columns["noise"][stamp_ns]
            np.testing.assert_array_equal(columns["requested"][stamp_ns], requested)


def test_stop_is_latched_over_services(graph):
    in_human(graph)
    assert graph.ask("stop").success
    graph.until_mode("FAULT")
    for name in ("take_over", "hand_back", "hold", "enable"):
        answer = graph.ask(name)
        assert not answer.success
        assert "call clear_fault" in answer.message
    graph.until(lambda: stands(graph) and not graph.states[-1]["publishing"])
    graph.assert_no_jump()
    assert graph.ask("clear_fault").success
    graph.until_mode("DISABLED")
    sent = len(graph.sent)
    graph.ticks(30)
    assert len(graph.sent) == sent


def test_noise_is_switched_by_parameters_and_only_between_episodes(graph):
    assert graph.parameters(noise__sigma=0.02, demonstrating=True) == ""
    in_human(graph)
    graph.until(lambda: graph.states[-1]["noise"])
    reason = graph.parameters(noise__sigma=0.05)
    assert "noise changes only between episodes" in reason
    episode = graph.states[-1]["episode"]
    assert graph.parameters(demonstrating=False) == ""
    graph.until(lambda: graph.states[-1]["episode"] is None)
    assert graph.parameters(noise__sigma=0.05, demonstrating=True) == ""
    graph.until(lambda: graph.states[-1]["episode"] == episode + 1)
    assert graph.parameters(noise__sigma=0.0, demonstrating=False) == ""
    graph.assert_no_jump()


def test_wrong_commands_are_counted_and_named(graph):
    publisher = graph.node.create_publisher(JointTrajectory, "teleop/command", qos.COMMAND)
    graph.until(lambda: publisher.get_subscription_count() > 0)
    names = list(graph.profile.joint_names)
    wrong = conversions.trajectory_message([*names[:-1], "grippe"], graph.profile.home)
    wrong.header.stamp = graph.node.get_clock().now().to_msg()
    publisher.publish(wrong)
    graph.until(lambda: "human/unknown_joint" in graph.states[-1]["refused"])
    assert "did you mean 'gripper'" in graph.states[-1]["last_refusal"]
    assert graph.mode() == "HOLD"
    graph.node.destroy_publisher(publisher)


def test_a_robot_that_dies_and_comes_back_is_not_moved_until_enabled(graph):
    """Last of those that share a graph: the robot is another one afterwards."""
    in_human(graph)
    graph.end("robot_node")
    graph.until_mode("HOLD")
    graph.until_mode("FAULT")
    for state in graph.states:
        if state["mode"] == "HUMAN":
            assert state["ages_s"]["robot"][0] <= 0.15
    graph.assert_no_jump()
    graph.until(lambda: not graph.states[-1]["publishing"])
    graph.arm, sent = None, len(graph.sent)
    settings = ("-p", f"robot:={ROBOT}", "-p", "task:=reach", "-p", "cameras:=none")
    graph.start("robot_node", *settings)
    graph.until(lambda: graph.arm is not None)
    start = graph.arm
    graph.ticks(50)
    # a teleoperator who still sends does not move it either
    assert graph.mode() == "FAULT"
    assert len(graph.sent) == sent
    assert np.abs(graph.arm - start)[:6].max() < 0.01
    assert graph.ask("clear_fault").success
    graph.until(lambda: graph.ask("enable").success)
    graph.until_mode("HUMAN")
    graph.ticks(5)
    graph.forget()
    graph.ticks(80)
    graph.assert_no_jump()
    assert graph.end("arbiter_node", signal.SIGINT) == 0


def changes(graph: Graph) -> list[list[str]]:
    """Every change of mode since `forget`: before, after, why."""
    return [change for state in graph.states[1:] for change in state["transitions"]]


class LockstepPeer:
    """Beats /clock, the arm and both sources in this process, so that time can misbehave."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.now_ns, self.arm = graph, 5_000_000_000, graph.profile.home.copy()
        node = graph.node
        self.clock = node.create_publisher(Clock, "/clock", qos.CLOCK)
        self.joints = node.create_publisher(JointState, "joint_states", qos.STREAM_OUT)
        self.commands = {
            topic: node.create_publisher(JointTrajectory, f"{topic}/command", qos.COMMAND)
            for topic in ("teleop", "policy")
        }
        self.topics: set[str] = set()
        self.step_ns = 10_000_000

    def granted(self, request: str) -> None:
        """Ask until it is granted: a busy machine may have lost a source for a moment."""
        answer = None
        while answer is None or not answer.success:
            future = self.graph.clients[request].call_async(Trigger.Request())
            self.beat(until=future.done)
            answer = future.result()

    def until_held_because(self, reason: str, step_ns: int = 10_000_000, jump_ns: int = 0) -> None:
        """Let time misbehave until that is why the arbiter holds.

        A busy machine may give it another reason first; then the policy is put in control again.
        """
        while True:
            self.step_ns = step_ns
            self.now_ns += jump_ns
            self.beat(until=lambda: self.graph.mode() == "HOLD")
            if reason in self.graph.states[-1]["reasons"][0]:
                return
            self.step_ns = 10_000_000
            self.granted("hand_back")
            self.beat(until=lambda: self.graph.mode() == "POLICY")

    def beat(self, count: int = 1, until: Callable[[], bool] | None = None) -> None:
        """Periods of real time, until a condition or for a number of them."""
        names = self.graph.profile.joint_names
        for _ in itertools.count() if until else range(count):
            if until and until():
                return
            self.now_ns += self.step_ns
            self.clock.publish(conversions.clock_message(self.now_ns))
            if self.graph.sent:
                self.arm = self.graph.sent[-1]
            message = JointState(name=list(names), position=self.arm.tolist())
            message.header.stamp = conversions.time_message(self.now_ns)
            self.joints.publish(message)
            for topic in self.topics:
                target = self.graph.profile.home.copy()
                target[0] += 0.3 * np.sin(time.monotonic())
                rows, times_s = np.tile(target, (2, 1)), (0.0, 1.0)
                if topic == "teleop":
                    rows, times_s = target, (0.0,)
                command = conversions.trajectory_message(names, rows, times_s, self.now_ns)
                self.commands[topic].publish(command)
            end_s = time.monotonic() + PERIOD_S
            while (left_s := end_s - time.monotonic()) > 0.0:
                self.graph.executor.spin_once(timeout_sec=left_s)


def test_ros_time_that_stops_or_steps_back_holds_the_policy_and_not_the_human(context):
    with running(
        Graph(context, "clocked"), *PATIENT, "-p", "use_sim_time:=true", robot=False
    ) as graph:
        peer = LockstepPeer(graph)
        peer.topics = {"policy"}
        peer.beat(until=lambda: graph.states[-1]["ages_s"]["policy"][0] is not None)
        for request in ("enable", "hand_back"):
            peer.granted(request)
        peer.beat(until=lambda: graph.mode() == "POLICY")
        peer.beat(100)
        peer.until_held_because("the ROS clock has stood still for", step_ns=0)
        peer.topics = {"policy", "teleop"}
        peer.beat(until=lambda: graph.mode() == "HUMAN")
        peer.beat(100)
        assert changes(graph)[-1][1] == "HUMAN", changes(graph)
        peer.step_ns = 10_000_000
        peer.beat(20)
        graph.forget()
        peer.now_ns -= 3_000_000_000
        peer.beat(100)
        assert not any("ROS clock" in change[2] for change in changes(graph))
        peer.beat(until=lambda: graph.mode() == "HUMAN")
        peer.granted("hand_back")
        peer.beat(until=lambda: graph.mode() == "POLICY")
        peer.beat(50)
        peer.topics = {"policy"}
        peer.until_held_because("the ROS clock stepped back by", jump_ns=-2_000_000_000)


def test_commands_for_a_forward_position_controller(context):
    graph = Graph(context, "arrays", Float64MultiArray)
    with running(graph, "-p", "output:=position_array", "-p", "autostart:=true", robot=False):
        peer = LockstepPeer(graph)
        peer.now_ns = time.time_ns()
        peer.beat(until=lambda: graph.sent)
        np.testing.assert_allclose(graph.sent[-1], peer.arm)
