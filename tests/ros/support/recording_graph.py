"""A graph for a recorder to listen to: a robot, an arbiter and a camera that can misbehave.

Every value is made from the number of its message, so that a recording can be checked row by
row against what was published under the stamp that the row names.
"""

from __future__ import annotations

import array
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from sensor_msgs.msg import CompressedImage, JointState
from std_msgs.msg import String

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.resources import find_robot
from robot_learning.core.vocabulary import Mode, Source
from robot_learning.episodes.format.images import encode_jpeg
from robot_learning.messages.arbiter_state import COLUMNS, ArbiterStateMessage
from robot_learning.ros.common import conversions, qos

WIDTH, HEIGHT = 64, 48
ASK_AGAIN_S = 3.0
PERIODS_S = {"joints": 0.02, "decision": 0.02, "front": 0.05}
PARAMETERS = {
    "task": "bench",
    "simulated": False,
    "rate_hz": 25.0,
    "joint_rate_hz": 50.0,
    "decision_rate_hz": 50.0,
    "age_floor_s": 0.5,
    "min_free_mib": 1,
    "status_rate_hz": 20.0,
    "quality.rate_error_fraction": 1.0,
}
"""For a recorder of this graph, on a machine that may be slow."""


def small_robot(folder: Path) -> str:
    """The desk arm with one camera of few pixels."""
    source = find_robot("desk_arm")
    profile = yaml.safe_load(source.read_text(encoding="utf-8"))
    profile["interfaces"]["sim"]["mjcf"] = str(source.parent / "desk_arm.xml")
    camera = profile["cameras"][0]
    # Half as often as the arm's own profile: a slow machine keeps up with it, too.
    profile["control_rate_hz"] = 50
    profile["cameras"] = [{**camera, "width_px": WIDTH, "height_px": HEIGHT, "rate_hz": 20}]
    path = folder / "robot.yaml"
    path.write_text(yaml.safe_dump(profile), encoding="utf-8")
    return str(path)


def jpeg(number: int, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """A picture whose bytes tell its number."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[number % height, :, number % 3] = 255
    return encode_jpeg(pixels, 90)


class RecordingGraph:
    """Publishes while `pump` runs. Which streams do, and what, can be changed in between.

    Attributes:
        on: names of the streams that are published.
        sent: stream -> stamp -> what was published under it.
        mode, source: of the decisions.
        joint_names: of joint_states, in this order.
        velocity: whether joint_states carries it.
        frame: number -> JPEG bytes.
        frame_shift_s: added to the camera's stamps.
    """

    def __init__(self, peer: Any, joint_names: tuple[str, ...]) -> None:
        self.peer = peer
        self.names = joint_names
        self.joint_names = list(joint_names)
        self.on = {"joints", "decision", "front"}
        self.sent: dict[str, dict[int, Any]] = {name: {} for name in PERIODS_S}
        self.mode, self.source = "HUMAN", "HUMAN"
        self.velocity = True
        self.frame: Callable[[int], bytes] = jpeg
        self.frame_shift_s = 0.0
        self.status: dict[str, Any] = {}
        self._count = dict.fromkeys(PERIODS_S, 0)
        self._due_s = dict.fromkeys(PERIODS_S, 0.0)
        self._publishers: list[Any] = []
        peer.node.create_subscription(String, "recorder/status", self._on_status, qos.LATCHED)
        self.restart()

    def restart(self) -> None:
        """What happens when the nodes that publish are killed and started again."""
        node = self.peer.node
        for publisher in self._publishers:
            node.destroy_publisher(publisher)
        self._joints = node.create_publisher(JointState, "joint_states", qos.STREAM_OUT)
        self._state = node.create_publisher(String, "arbiter/state", qos.LATCHED)
        self._camera = node.create_publisher(
            CompressedImage, "front/image_raw/compressed", qos.IMAGE_OUT
        )
        self._publishers = [self._joints, self._state, self._camera]

    def pump(self, until: Callable[[], Any] | float, timeout_s: float = 30.0) -> None:
        """Publish for so many seconds, or until the condition holds."""
        start_s = time.monotonic()
        while True:
            now_s = time.monotonic()
            if callable(until):
                if until():
                    return
                assert now_s < start_s + timeout_s, f"never so; {self.status}"
            elif now_s >= start_s + until:
                return
            for name, period_s in PERIODS_S.items():
                if name in self.on and now_s >= self._due_s[name]:
                    self._due_s[name] = now_s + period_s
                    self._publish(name)
            self.peer.executor.spin_once(timeout_sec=0.005)

    def call(self, kind: type, service: str) -> Any:
        """Call a service while everything goes on being published.

        What got no answer is asked again: a server that was killed may be known still.
        """
        client = self.peer.node.create_client(kind, service)
        self.pump(client.service_is_ready)
        futures: list[Any] = []
        ask_s = 0.0

        def answered() -> bool:
            nonlocal ask_s
            if time.monotonic() >= ask_s:
                ask_s = time.monotonic() + ASK_AGAIN_S
                futures.append(client.call_async(kind.Request()))
            return any(future.done() for future in futures)

        self.pump(answered)
        self.peer.node.destroy_client(client)
        return next(future.result() for future in futures if future.done())

    def vector(self, number: int, offset: float = 0.0) -> np.ndarray:
        """What message `number` holds for the joints of the profile."""
        return 0.001 * number + 0.1 * np.arange(len(self.names)) + offset

    def decision(self, number: int) -> dict[str, np.ndarray]:
        """The columns of decision `number`."""
        return {name: self.vector(number, offset) for offset, name in enumerate(COLUMNS)}

    def _publish(self, name: str) -> None:
        number = self._count[name]
        self._count[name] += 1
        now_ns = time.time_ns()
        {"joints": self._joints_out, "decision": self._decision_out, "front": self._camera_out}[
            name
        ](number, now_ns)

    def _joints_out(self, number: int, stamp_ns: int) -> None:
        values = dict(zip(self.names, self.vector(number), strict=True))
        message = JointState(name=self.joint_names)
        message.header.stamp = conversions.time_message(stamp_ns)
        ordered = [values.get(name, 9.0) for name in self.joint_names]
        message.position = array.array("d", ordered)
        message.velocity = array.array("d", ordered if self.velocity else [])
        self.sent["joints"][stamp_ns] = number
        self._joints.publish(message)

    def _decision_out(self, number: int, stamp_ns: int) -> None:
        self.sent["decision"][stamp_ns] = (number, self.mode, self.source)
        columns = self.decision(number)
        state = ArbiterStateMessage(
            stamp_ns=stamp_ns,
            mode=Mode[self.mode],
            source=Source[self.source],
            joints=self.names,
            columns=np.array([columns[name] for name in COLUMNS]),
            limited=np.full(len(self.names), number % 32, np.uint8),
        )
        self._state.publish(String(data=state.to_json()))

    def _camera_out(self, number: int, now_ns: int) -> None:
        stamp_ns = now_ns + round(self.frame_shift_s * NS_PER_S)
        data = self.frame(number)
        self.sent["front"][stamp_ns] = data
        self._camera.publish(conversions.compressed_image_message(data, "front", stamp_ns))

    def _on_status(self, message: String) -> None:
        self.status = json.loads(message.data)
