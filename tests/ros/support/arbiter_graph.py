"""An arbiter and what it talks to as processes, and a peer that listens and asks.

Nothing here is judged by the wall clock: every tick says itself how old each source was.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import rclpy
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterType, ParameterValue
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.messages.arbiter_state import COLUMNS, ArbiterStateMessage
from robot_learning.messages.joint_order import JointOrder
from robot_learning.messages.stamps import time_ns
from robot_learning.messages.trajectories import read_trajectory
from robot_learning.ros.common import qos

ROBOT = "desk_arm"
PERIOD_S = 0.01
PAUSE_NS = 100_000_000
"""Well below the 150 ms after which the arbiter starts again from rest: it reads the clock of its
stamps and its steady clock one after the other, and may be interrupted in between."""

# A teleoperator or a policy in a process of its own: the first joint swings, 0.3 rad at 0.4 Hz.
SOURCE = """
import sys, time
import numpy as np, rclpy
from robot_learning.core.profile_loader import load_profile
from robot_learning.ros.common import conversions, qos
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
# It only ends a test that has failed, also on a machine that is busy with others.
TIMEOUT_S = 120.0


def die_with_parent() -> None:
    """Leave no node behind, even if this process is killed."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


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
        # tick -> what it applied; NaN where it applied nothing
        self.applied: dict[int, np.ndarray] = {}
        self.columns: dict[str, dict[int, np.ndarray]] = {}
        self.sent: list[np.ndarray] = []
        self.arm: np.ndarray | None = None
        self.node.create_subscription(String, "arbiter/state", self._on_state, EVERY_STATE)
        self.node.create_subscription(output, "joint_command", self._on_command, qos.COMMAND)
        self.node.create_subscription(JointState, "joint_states", self._on_joints, qos.STREAM_IN)
        self.clients = {
            name: self.node.create_client(Trigger, f"arbiter_node/{name}")
            for name in ("enable", "take_over", "hand_back", "hold", "stop", "clear_fault")
        }

    def hear_columns(self) -> None:
        """Listen to the topics of the decision's columns too, for those who ask about these."""
        for column in COLUMNS:
            self.columns[column] = {}
            self.node.create_subscription(
                JointState,
                f"arbiter/{column}",
                lambda message, column=column: self._on_column(column, message),
                qos.EVENT,
            )

    def _on_state(self, message: String) -> None:
        self.states.append(json.loads(message.data))
        decided = ArbiterStateMessage.from_json(message.data)
        if decided.columns is not None:
            self.applied[decided.tick] = decided.columns[COLUMNS.index("applied")]

    def _on_column(self, column: str, message: JointState) -> None:
        stamp_ns = time_ns(message.header.stamp)
        self.columns[column][stamp_ns] = np.array(message.position)

    def _on_command(self, message: JointTrajectory | Float64MultiArray) -> None:
        if isinstance(message, Float64MultiArray):
            self.sent.append(np.array(message.data))
            return
        positions = read_trajectory(message, self.profile.joint_names).positions
        self.sent.append(positions[-1])

    def _on_joints(self, message: JointState) -> None:
        self.arm = JointOrder(self.profile.joint_names).positions(message)

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
        return process.wait(timeout=TIMEOUT_S)

    def until(self, condition: Callable[[], object], timeout_s: float = TIMEOUT_S) -> None:
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
        """Velocity and acceleration limits between all ticks that follow each other.

        A listener that lacks the processor misses some; it goes on until it has heard enough.
        """
        for _ in range(100):
            if self._count_smooth() > 50:
                return
            self.ticks(20)
        raise AssertionError(f"too few ticks heard that follow each other: {len(self.applied)}")

    def _count_smooth(self) -> int:
        stamps = {state["tick"]: state["stamp_ns"] for state in self.states}
        rows = {tick: (stamps[tick], row) for tick, row in self.applied.items() if tick in stamps}
        return count_smooth(self.profile, rows)

    def forget(self) -> None:
        self.states = self.states[-1:]
        for rows in (self.applied, *self.columns.values()):
            rows.clear()

    def close(self) -> None:
        for name in list(self.processes):
            with contextlib.suppress(ProcessLookupError):
                self.end(name)
        self.executor.shutdown()
        self.node.destroy_node()


def count_smooth(profile: RobotProfile, rows: Mapping[int, tuple[int, np.ndarray]]) -> int:
    """Assert the velocity and acceleration limits wherever three ticks follow each other.

    Over a pause of the arbiter itself the arm has come to rest, so that it may start from there;
    the stamps tell where that was.

    Args:
        profile: whose limits.
        rows: tick -> its stamp in nanoseconds and what it applied, NaN where nothing.

    Returns:
        how often there were three.
    """
    velocity_max, step = profile.velocity_max, profile.acceleration_max * PERIOD_S
    count = 0
    for tick, (_, first) in rows.items():
        if tick + 1 not in rows or tick + 2 not in rows:
            continue
        (second_ns, second), (third_ns, third) = rows[tick + 1], rows[tick + 2]
        before, after = (second - first) / PERIOD_S, (third - second) / PERIOD_S
        if np.isnan(before).any() or np.isnan(after).any():
            continue
        jump = np.abs(after - before)
        if third_ns - second_ns >= PAUSE_NS:
            jump = np.minimum(jump, np.abs(after))
        assert (np.abs(before) <= velocity_max + 1e-6).all()
        assert (np.abs(after) <= velocity_max + 1e-6).all()
        assert (jump <= step + 1e-6).all(), (tick, jump)
        count += 1
    return count


@contextlib.contextmanager
def running_graph(graph: Graph, *arguments: str, robot: bool = True) -> Iterator[Graph]:
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
    rows = list(graph.applied.values())[-20:]
    return len(rows) == 20 and all((row == rows[0]).all() for row in rows)


def changes(graph: Graph) -> list[list[str]]:
    """Every change of mode since `forget`: before, after, why."""
    return [change for state in graph.states[1:] for change in state["transitions"]]
