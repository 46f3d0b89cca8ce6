"""From a graph's messages to the samples of a recorder's streams.

What belongs together is put together by its stamp: the joints and poses of one control period,
the columns of one decision. A message that cannot be read is counted and named, never guessed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import CompressedImage, JointState
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Bool, Float64, String

from robot_learning.control.modes import Mode, Source
from robot_learning.core.errors import CommandError
from robot_learning.core.profile import Camera
from robot_learning.core.types import FloatArray, Observation
from robot_learning.episodes import standard
from robot_learning.episodes.recorder import Recorder
from robot_learning.ros import conversions, qos
from robot_learning.ros.arbiter_outputs import COLUMNS
from robot_learning.ros.polled_subscriptions import PolledSubscriptions

_MOST_WAITING = 64


class StampJoin:
    """Calls back with the parts of one stamp once all of them have arrived.

    A set that lost a part on its way is forgotten when enough newer ones have come.
    """

    def __init__(
        self, parts: Sequence[str], on_complete: Callable[[int, int, Mapping[str, Any]], None]
    ) -> None:
        """`on_complete` is given the stamp, the receipt of the last part, and the parts."""
        self._count = len(parts)
        self._on_complete = on_complete
        self._waiting: dict[int, dict[str, Any]] = {}

    def add(self, part: str, stamp_ns: int, receive_ns: int, value: Any) -> None:
        """Take a part."""
        waiting = self._waiting.setdefault(stamp_ns, {})
        waiting[part] = value
        if len(waiting) == self._count:
            del self._waiting[stamp_ns]
            self._on_complete(stamp_ns, receive_ns, waiting)
        elif len(self._waiting) > _MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]


class JointOrder:
    """Picks joints by name from messages, whose order seldom changes."""

    def __init__(self, joint_names: Sequence[str]) -> None:
        self._wanted = list(joint_names)
        self._seen: list[str] | None = None
        self._indices: list[int] | None = None

    def select(self, names: list[str], values: Any) -> FloatArray:
        """(n,) values in the profile's order.

        Raises:
            CommandError: a joint is missing or the message is ragged.
        """
        if len(names) != len(values):
            raise CommandError(f"joint state has {len(names)} names and {len(values)} values")
        if names != self._seen:
            missing = [name for name in self._wanted if name not in names]
            if missing:
                text = f"joint state lacks {', '.join(missing)}; it has {', '.join(names)}"
                raise CommandError(text)
            same = names == self._wanted
            self._indices = None if same else [names.index(name) for name in self._wanted]
            self._seen = names
        array = np.frombuffer(values, np.float64) if len(values) else np.empty(0)
        return array if self._indices is None else array[self._indices]

    def select_measured(self, names: list[str], values: Any) -> FloatArray:
        """As `select`; NaN where the robot does not measure it."""
        return self.select(names, values) if len(values) else np.full(len(self._wanted), np.nan)


class RecorderInputs:
    """Subscribes to what the dataset records and pushes it into the recorder."""

    def __init__(
        self,
        subscriptions: PolledSubscriptions,
        recorder: Recorder,
        cameras: Sequence[Camera],
        transport: str,
    ) -> None:
        info = recorder.folder.info
        self._recorder = recorder
        self._subscriptions = subscriptions
        streams = {stream.name: stream for stream in info.streams}
        self._joints = streams[standard.JOINTS]
        self._joint_order = JointOrder(info.joint_names)
        self._column_order = JointOrder(info.joint_names)
        self._policy_drove = False
        self._success = False
        poses = [c.path.removeprefix("obs/") for c in self._joints.columns if c.shape == (7,)]
        poses = [name for name in poses if not name.startswith("joint_")]
        self._sensed = StampJoin(["joints", *poses], self._on_sensed)
        self._decided = StampJoin([*COLUMNS, "state"], self._on_decided)
        add = subscriptions.add
        add(JointState, "joint_states", qos.RECORD_IN, self._on_joints)
        for name in poses:
            add(PoseStamped, f"poses/{name}", qos.RECORD_IN, partial(self._on_pose, name))
        for name in COLUMNS:
            add(JointState, f"arbiter/{name}", qos.RECORD_IN, partial(self._on_column, name))
        add(String, "arbiter/state", qos.RECORD_IN, self._on_state)
        if standard.TASK in streams:
            add(Float64, "task/reward", qos.RECORD_IN, self._on_reward)
            add(Bool, "task/success", qos.LATCHED, self._on_success)
        for camera in cameras:
            self._subscribe_camera(camera, streams[camera.name].columns[0].path, transport)

    def poll(self, now_ns: int) -> None:
        """Push everything that has arrived by now."""
        self._subscriptions.poll(now_ns)

    def begin_anew(self) -> None:
        """An episode is over: a policy that drove in it is no part of the next one."""
        self._policy_drove = False

    def _subscribe_camera(self, camera: Camera, path: str, transport: str) -> None:
        if transport == "raw":
            topic, kind = camera.topic or f"{camera.name}/image_raw", ImageMessage
            read = partial(self._on_image, camera.name, path)
        else:
            topic, kind = camera.topic or f"{camera.name}/image_raw", CompressedImage
            topic = topic if topic.endswith("/compressed") else f"{topic}/compressed"
            read = partial(self._on_jpeg, camera.name, path)
        self._subscriptions.add(kind, topic, qos.RECORD_IN, read)

    def _on_joints(self, message: JointState, receive_ns: int) -> None:
        names, order = message.name, self._joint_order
        try:
            position = order.select(names, message.position)
            velocity = order.select_measured(names, message.velocity)
            effort = order.select_measured(names, message.effort)
        except CommandError as error:
            self._recorder.refuse(standard.JOINTS, str(error))
            return
        if not np.isfinite(position).all():
            self._recorder.refuse(standard.JOINTS, "a joint position is NaN or infinite")
            return
        stamp_ns = conversions.time_ns(message.header.stamp)
        self._sensed.add("joints", stamp_ns, receive_ns, (position, velocity, effort))

    def _on_pose(self, name: str, message: PoseStamped, receive_ns: int) -> None:
        stamp_ns = conversions.time_ns(message.header.stamp)
        self._sensed.add(name, stamp_ns, receive_ns, conversions.pose_array(message))

    def _on_sensed(self, stamp_ns: int, receive_ns: int, parts: Mapping[str, Any]) -> None:
        poses = {name: part for name, part in parts.items() if name != "joints"}
        position, velocity, effort = parts["joints"]
        observation = Observation(stamp_ns, position, velocity, effort, poses)
        values = standard.joint_values(self._joints, observation)
        self._recorder.push(standard.JOINTS, stamp_ns, receive_ns, values)

    def _on_column(self, name: str, message: JointState, receive_ns: int) -> None:
        try:
            values = self._column_order.select(message.name, message.position)
        except CommandError as error:
            self._recorder.refuse(standard.DECISION, f"arbiter/{name}: {error}")
            return
        self._decided.add(name, conversions.time_ns(message.header.stamp), receive_ns, values)

    def _on_state(self, message: String, receive_ns: int) -> None:
        try:
            state = json.loads(message.data)
            stamp_ns = int(state["stamp_ns"])
            mode, source = Mode[state["mode"]], Source[state["source"]]
            limited = np.array(state["limited"], np.uint8)
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            self._recorder.refuse(standard.DECISION, f"arbiter/state: {error!r}")
            return
        self._decided.add("state", stamp_ns, receive_ns, (mode, source, limited))

    def _on_decided(self, stamp_ns: int, receive_ns: int, parts: Mapping[str, Any]) -> None:
        mode, source, limited = parts["state"]
        self._policy_drove |= source is Source.POLICY
        values = standard.decision_values(
            source=source,
            mode=mode,
            limited=limited,
            intervention=source is Source.HUMAN and self._policy_drove,
            **{name: parts[name] for name in COLUMNS},
        )
        self._recorder.push(standard.DECISION, stamp_ns, receive_ns, values)

    def _on_reward(self, message: Float64, receive_ns: int) -> None:
        values = {"rewards": np.float64(message.data), "task/success": np.bool_(self._success)}
        # The message carries no stamp.
        self._recorder.push(standard.TASK, receive_ns, receive_ns, values)

    def _on_success(self, message: Bool, _receive_ns: int) -> None:
        self._success = bool(message.data)

    def _on_jpeg(self, name: str, path: str, message: CompressedImage, receive_ns: int) -> None:
        stamp_ns = conversions.time_ns(message.header.stamp)
        self._recorder.push(name, stamp_ns, receive_ns, {path: message.data.tobytes()})

    def _on_image(self, name: str, path: str, message: ImageMessage, receive_ns: int) -> None:
        try:
            pixels = conversions.image_pixels(message)
        except CommandError as error:
            self._recorder.refuse(name, str(error))
            return
        stamp_ns = conversions.time_ns(message.header.stamp)
        self._recorder.push(name, stamp_ns, receive_ns, {path: pixels})
