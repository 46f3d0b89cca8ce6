"""`teleop_node` as a process of its own, over real DDS, with Joy messages and real key events."""

from __future__ import annotations

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
import yaml
from failed_start import failed_start
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import JointState, Joy
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.resources import find_robot
from robot_learning.messages.stamps import header_stamp_ns
from robot_learning.messages.trajectories import read_trajectory
from robot_learning.ros.common import qos

DEAD_MAN, TAKE_OVER, HAND_BACK = 4, 2, 6  # of the Xbox map
PERIOD_NS = 20_000_000
TIMEOUT_S = 240.0
"""Only a test that has failed waits so long, however busy the machine is."""


class Peer:
    """The rest of the graph: a robot that obeys, an arbiter's services, a gamepad."""

    def __init__(self, profile: RobotProfile, domain: int) -> None:
        self.profile = profile
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = rclpy.create_node("peer", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.joint_states = self.node.create_publisher(JointState, "joint_states", qos.STREAM_OUT)
        self.leader_states = self.node.create_publisher(
            JointState, "leader/joint_states", qos.STREAM_OUT
        )
        self.joy = self.node.create_publisher(Joy, "joy", 10)
        self.node.create_subscription(
            JointTrajectory, "teleop/command", self._on_command, qos.COMMAND
        )
        self.node.create_subscription(
            String, "teleop/event", lambda message: self.events.append(message.data), qos.EVENT
        )
        for name in ("take_over", "hand_back", "hold"):
            self.node.create_service(
                Trigger,
                f"arbiter_node/{name}",
                lambda _request, response, name=name: self._answer(name, response),
            )
        self.forget()

    def forget(self) -> None:
        """As at the start of a test."""
        self.position = self.profile.home.copy()
        self.commands: list[tuple[float, np.ndarray]] = []
        self.stamps_ns: list[int] = []
        self.events: list[str] = []
        self.calls: list[str] = []
        self.buttons: set[int] = set()
        self.axes = dict[int, float]()
        self.sends_joy = self.robot_speaks = True
        self.leader: np.ndarray | None = None

    def _on_command(self, message: JointTrajectory) -> None:
        positions = read_trajectory(message, self.profile.joint_names).positions
        self.commands.append((time.monotonic(), positions[-1]))
        self.position = positions[-1]
        self.stamps_ns.append(header_stamp_ns(message))

    def _answer(self, name: str, response: Trigger.Response) -> Trigger.Response:
        self.calls.append(name)
        response.success = True
        return response

    def step(self) -> None:
        """10 ms of the graph."""
        stamp = self.node.get_clock().now().to_msg()
        names = list(self.profile.joint_names)
        if self.robot_speaks:
            message = JointState(name=names, position=self.position.tolist())
            message.header.stamp = stamp
            self.joint_states.publish(message)
        if self.leader is not None:
            message = JointState(name=[f"lead_{name}" for name in names])
            message.position = self.leader.tolist()
            self.leader_states.publish(message)
        if self.sends_joy:
            axes = [self.axes.get(index, 0.0) for index in range(8)]
            buttons = [int(index in self.buttons) for index in range(11)]
            self.joy.publish(Joy(axes=axes, buttons=buttons))
        end = time.monotonic() + 0.01
        while (left_s := end - time.monotonic()) > 0.0:
            self.executor.spin_once(timeout_sec=left_s)

    def run(self, seconds: float) -> list[tuple[float, np.ndarray]]:
        """Run on, and return the commands of that time."""
        before = len(self.commands)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.step()
        return self.commands[before:]

    def until(self, reached: Callable[[], object], what: str) -> None:
        end = time.monotonic() + TIMEOUT_S
        while not reached():
            if time.monotonic() > end:
                pytest.fail(f"never: {what}")
            self.step()

    def until_quiet(self) -> None:
        self.until(lambda: not self.run(0.3), "the commands cease")

    def press_dead_man(self) -> bool:
        """Let go and press; whether commands flow. What was held on discovery does not count."""
        self.buttons = set()
        self.run(0.2)
        self.buttons = {DEAD_MAN}
        return bool(self.run(0.3))

    def call(self, service: str) -> None:
        client = self.node.create_client(Trigger, f"teleop_node/{service}")
        self.until(client.service_is_ready, f"the service {service}")
        future = client.call_async(Trigger.Request())
        self.until(future.done, f"an answer of {service}")

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture(scope="module")
def profile() -> RobotProfile:
    return load_profile("desk_arm")


@pytest.fixture(scope="module")
def graph(profile: RobotProfile, worker_domain: int) -> Iterator[Peer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        peer = Peer(profile, worker_domain)
    yield peer
    peer.close()


@pytest.fixture
def peer(graph: Peer) -> Peer:
    graph.forget()
    return graph


def environment(domain: int, **more: str) -> dict[str, str]:
    """The test's graph, no display, and no mark of one test: a node may serve several."""
    left_out = ("DISPLAY", "ROBOT_LEARNING_TEST")
    clean = {name: value for name, value in os.environ.items() if name not in left_out}
    own = {"ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    return {**clean, **own, **more}


@pytest.fixture(scope="module")
def starter(worker_domain: int) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(env: dict[str, str] | None = None, **parameters: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "robot_learning.ros.teleop_node", "--ros-args"]
        for name, value in parameters.items():
            command += ["-p", f"{name}:={value}"]
        process = subprocess.Popen(
            command,
            env=environment(worker_domain, **(env or {})),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def start(starter) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts nodes that end with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: dict[str, str], **parameters: str) -> subprocess.Popen[str]:
        started.append(starter(*arguments, **parameters))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def pad_node(starter) -> subprocess.Popen[str]:
    """One node for all tests of the gamepad; the last of them ends it."""
    return starter(device="gamepad")


@pytest.fixture
def engaged_pad(peer: Peer, pad_node: subprocess.Popen[str]) -> subprocess.Popen[str]:
    """A gamepad with the dead-man button held."""
    peer.until(peer.joy.get_subscription_count, "the node listens to joy")
    # The test before may have ended engaged: its last commands may still be on their way.
    peer.until_quiet()
    peer.forget()
    peer.until(peer.press_dead_man, "a command")
    return pad_node


def test_commands_flow_only_while_the_dead_man_button_is_held(peer: Peer, engaged_pad) -> None:
    assert peer.commands[0][1] == pytest.approx(peer.profile.home), "engaging moves nothing"
    peer.axes = {1: 1.0}
    commands = peer.run(1.0)
    assert len(commands) >= 20, "the heartbeat is 20 Hz or more"
    moved = np.array([position for _, position in commands])
    assert np.abs(moved[-1] - moved[0]).max() > 0.01
    steps = np.abs(np.diff(moved, axis=0))
    assert (steps <= peer.profile.velocity_max * 0.1).all()
    peer.buttons = set()
    peer.until_quiet()


def test_joy_messages_that_cease_end_the_commands(peer: Peer, engaged_pad) -> None:
    peer.sends_joy = False
    peer.until_quiet()
    peer.sends_joy = True
    assert not peer.run(0.5), "the button must be let go first"
    peer.until(peer.press_dead_man, "commands again")


def test_a_silent_robot_is_not_commanded(peer: Peer, engaged_pad) -> None:
    peer.robot_speaks = False
    peer.until_quiet()


def test_operator_events_reach_the_arbiter_and_the_topic(peer: Peer, engaged_pad) -> None:
    peer.buttons = {DEAD_MAN, TAKE_OVER}
    peer.until(lambda: "take_over" in peer.calls, "take_over called")
    peer.buttons = {DEAD_MAN, HAND_BACK}
    peer.until(lambda: "hand_back" in peer.calls, "hand_back called")
    assert peer.events == ["take_over", "hand_back"]
    peer.until_quiet()


def test_who_takes_hold_before_a_silence_was_heard_asks_for_the_arm(
    peer: Peer, engaged_pad
) -> None:
    peer.buttons = {DEAD_MAN, HAND_BACK}
    peer.until(lambda: "hand_back" in peer.calls, "hand_back called")
    peer.buttons = set()
    peer.run(0.05)
    peer.buttons = {DEAD_MAN}
    peer.until(lambda: peer.calls == ["hand_back", "take_over"], "take_over called, once")
    peer.buttons = set()
    peer.until_quiet()
    # Well beyond the 0.3 s within which it asks, which until_quiet only just reaches.
    peer.run(0.3)
    peer.commands.clear()
    peer.buttons = {DEAD_MAN}
    peer.until(lambda: peer.commands, "commands after a silence")
    assert peer.run(0.3) and peer.calls == ["hand_back", "take_over"], "nothing more was asked"


def test_a_press_is_answered_between_two_ticks(peer: Peer, engaged_pad) -> None:
    # A busy machine may answer a press so late that the next tick is no sooner.
    presses, between = 0, 0
    while between < 5 and presses < 500:
        peer.buttons = {DEAD_MAN, TAKE_OVER}
        peer.run(0.05)
        peer.buttons = {DEAD_MAN}
        peer.run(0.05)
        presses += 1
        between = (np.diff(peer.stamps_ns) < 0.6 * PERIOD_NS).sum()
    peer.until(lambda: len(peer.calls) == presses, "each press is heard")
    assert between >= 5
    ticks = (peer.stamps_ns[-1] - peer.stamps_ns[0]) // PERIOD_NS + 2
    assert len(peer.stamps_ns) <= ticks + presses, "and each press once only"


def test_a_suspended_process_lets_go(peer: Peer, engaged_pad) -> None:
    os.kill(engaged_pad.pid, signal.SIGSTOP)
    peer.run(0.5)
    os.kill(engaged_pad.pid, signal.SIGCONT)
    peer.until_quiet()
    peer.until(peer.press_dead_man, "commands again")


def test_sigint_is_a_clean_end(engaged_pad) -> None:
    engaged_pad.send_signal(signal.SIGINT)
    _, errors = engaged_pad.communicate(timeout=60)
    assert engaged_pad.returncode == 0
    assert "Traceback" not in errors


def test_a_leader_arm_refuses_from_afar_and_aligns_when_asked(
    peer: Peer, start, tmp_path: Path
) -> None:
    source = find_robot("desk_arm")
    values = yaml.safe_load(source.read_text(encoding="utf-8"))
    arm = values["arms"][0]
    joints = [{"leader": f"lead_{name}", "follower": name} for name in arm["joints"]]
    values["leaders"] = [{"arm": arm["name"], "topic": "leader/joint_states", "joints": joints}]
    sim = values["interfaces"]["sim"]
    sim["mjcf"] = str(source.parent / sim["mjcf"])
    path = tmp_path / "robot.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    peer.leader = peer.profile.home.copy()
    peer.leader[0] += 0.5
    start(device="leader_arm", robot=str(path))
    peer.until(peer.leader_states.get_subscription_count, "the node listens")
    peer.call("engage")
    assert not peer.run(0.5)
    peer.call("align")
    peer.until(lambda: abs(peer.position[0] - peer.leader[0]) < 0.02, "the follower arrives")
    peer.call("release")
    peer.until_quiet()


def test_a_device_of_ones_own_moves_the_arm(
    peer: Peer, start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])  # `examples` is found where it is started
    process = start(device="examples.custom_device:CircleDevice")

    def moved() -> bool:
        positions = [position for _, position in peer.commands]
        return len(positions) > 1 and bool(np.ptp(positions, axis=0).max() > 0.01)

    peer.until(moved, "motion")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_key_held_in_x_moves_the_arm_and_its_release_stops_it(
    peer: Peer, start, display: str
) -> None:
    process = start({"DISPLAY": display}, device="keyboard")

    def xdotool(*arguments: str) -> None:
        subprocess.run(["xdotool", *arguments], env={**os.environ, "DISPLAY": display}, check=True)

    assert "keyboard" in process.stdout.readline(), "the key map is printed on start"

    def moves() -> bool:
        """Let go and press; whether the arm moves.

        A key held on discovery does not count, nor one held while the robot was silent, which on a
        busy machine it may be.
        """
        xdotool("keyup", "a")
        peer.run(0.2)
        before = peer.position.copy()
        xdotool("keydown", "a")
        peer.run(0.5)
        return bool(np.abs(peer.position - before).max() > 0.05)

    def holds() -> bool:
        """Whether the operator still has the arm once the key is released, and it stands."""
        peer.until(moves, "the arm moves")
        xdotool("keyup", "a")
        peer.run(0.3)
        stopped = peer.position.copy()
        flowing = peer.run(0.3)
        assert peer.position == pytest.approx(stopped)
        return bool(flowing)

    peer.until(holds, "the operator still holds the arm")
    xdotool("key", "space")
    peer.until_quiet()
    assert "hold" in peer.calls


@pytest.mark.parametrize(
    ("parameters", "code", "text"),
    [
        ({"device": "keybord"}, 2, "did you mean 'keyboard'"),
        ({"device": "gamepad", "map": "xbx"}, 2, "did you mean 'xbox'"),
        ({"device": "keyboard"}, 1, "DISPLAY is not set"),
        ({"device": "no_such_devices:Pedal"}, 2, "No module named 'no_such_devices'"),
    ],
)
def test_a_wrong_start_is_one_line(capfd, monkeypatch, parameters, code, text) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    ended, (line,) = failed_start("teleop_node", capfd, **parameters)
    assert ended == code
    assert text in line
