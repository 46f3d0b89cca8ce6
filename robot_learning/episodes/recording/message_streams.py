"""From a graph's messages to the samples of a recorder's streams, live or from a log.

Messages are taken by their fields alone (`robot_learning.messages`), so that those of a running
graph and those read from a bag go through the same code, which also counts the joints' turns
(`core.turns`). A message that cannot be used is counted and named, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from robot_learning.core.amounts import amount
from robot_learning.core.clocks import seconds_to_ns
from robot_learning.core.errors import CommandError, ConfigurationError, MessageError
from robot_learning.core.interpolation import row_at
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.turns import TurnCounter, TurnRules
from robot_learning.core.types import FloatArray, Observation
from robot_learning.episodes.format.compressed_frames import (
    compressed_frame,
    png_depth,
    png_pixels,
)
from robot_learning.episodes.format.image_encodings import image_depth, image_pixels
from robot_learning.episodes.format.intervention import InterventionWatch
from robot_learning.episodes.format.schema import Column, DatasetInfo, Encoding, Stream
from robot_learning.episodes.recording import standard
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.messages.arbiter_state import COLUMNS, TOPIC, ArbiterStateMessage
from robot_learning.messages.joint_order import JointOrder
from robot_learning.messages.observations import ObservationJoin
from robot_learning.messages.stamps import header_stamp_ns
from robot_learning.messages.trajectories import read_trajectory

JOINT_STATE = "sensor_msgs/msg/JointState"
TRAJECTORY = "trajectory_msgs/msg/JointTrajectory"
POSITION_ARRAY = "std_msgs/msg/Float64MultiArray"
IMAGE, COMPRESSED_IMAGE = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
Handler = Callable[[Any, int], None]


class MessageStreams:
    """Takes messages by topic and pushes what they give into a recorder. One thread.

    Attributes:
        handlers: function that takes a message and its receipt (nanoseconds of the recorder's
            clock), by the topic, relative and without its namespace.
        commands: whether the labels are what `joint_command` asked for, in a graph that has
            no arbiter.
    """

    def __init__(
        self,
        recorder: Recorder,
        camera_topics: Mapping[str, str],
        *,
        turns: TurnRules | None = None,
        command_joints: Sequence[str] = (),
    ) -> None:
        """Take what the recorder's dataset records.

        Args:
            recorder: recorder that takes the samples.
            camera_topics: topic of each camera's images, raw or compressed, by the camera's name.
            turns: turns of the robot's joints; None for those of the dataset's robot, if its
                profile is found.
            command_joints: order of a position array on `joint_command`; empty for the robot's own.
        """
        info = recorder.folder.info
        turns = turns or _known_turns(info)
        self._turns = TurnCounter(turns) if turns is not None else None
        self._recorder = recorder
        streams = {stream.name: stream for stream in info.streams}
        self._joints = streams[standard.JOINTS]
        self._array_joints = list(command_joints or info.joint_names)
        self._decision_order = JointOrder(info.joint_names)
        self._joint_names = list(info.joint_names)
        self._interventions = InterventionWatch()
        self._success = False
        poses = pose_names(self._joints)
        self._sensed = ObservationJoin(
            info.joint_names,
            poses,
            self._on_sensed,
            turns=self._turns,
            on_dropped=lambda why: recorder.lack(standard.JOINTS, why),
        )
        self.handlers: dict[str, Handler] = {"joint_states": self.on_joints}
        for name in poses:
            self.handlers[f"poses/{name}"] = partial(self._sensed.take_pose, name)
        self.commands = "control/source" not in {column.path for column in info.columns}
        if self.commands:
            self.handlers["joint_command"] = self.on_command
        else:
            self.handlers[TOPIC] = self.on_state
        if standard.TASK in streams:
            self._task_paths = {column.path for column in streams[standard.TASK].columns}
            self.handlers["task/reward"] = self.on_reward
            self.handlers["task/success"] = self.on_success
        for camera, topic in camera_topics.items():
            column = streams[camera].columns[0]
            handler = self.on_compressed if topic.endswith("/compressed") else self.on_image
            self.handlers[topic] = partial(handler, camera, column)

    def restart(self) -> None:
        """An episode is over: a policy that drove in it is no part of the next one."""
        self._interventions.reset()

    def tell_lack(self) -> None:
        """Tell the recorder what kept a stream from ever having a sample."""
        if lack := self._sensed.lack():
            self._recorder.lack(standard.JOINTS, lack)

    def on_joints(self, message: Any, receive_ns: int) -> None:
        """A JointState of the robot."""
        if self._turns is not None and not self._recorder.recording:
            # An episode begins with the turns nearest to home, whatever was before.
            self._turns.recount()
        names, collector = message.name, self._sensed.collector
        try:
            sample = self._sensed.take_joints(message, receive_ns)
        except CommandError as error:
            self._recorder.refuse(standard.JOINTS, str(error))
            return
        if sample is None:
            if collector.missing:
                self._recorder.lack(standard.JOINTS, collector.lacking(names))
        elif sample.oldest_receive_ns != receive_ns:
            late = collector.overdue(names, receive_ns, self._joints.max_age_s)
            if late:
                self._recorder.lack(standard.JOINTS, late)

    def on_state(self, message: Any, receive_ns: int) -> None:
        """The String of `arbiter/state`."""
        try:
            state = ArbiterStateMessage.from_json(message.data)
        except MessageError as error:
            self._recorder.refuse(standard.DECISION, str(error))
            return
        self.decide(state, receive_ns)

    def decide(self, state: ArbiterStateMessage, receive_ns: int) -> None:
        """A decision of the arbiter, whose joints may stand in another order than the robot's."""
        if state.columns is None:
            text = f"{TOPIC}: has no columns; it comes from an arbiter of an older version"
            self._recorder.refuse(standard.DECISION, text)
            return
        try:
            order = self._decision_order.columns(state.joints)
        except CommandError as error:
            self._recorder.refuse(standard.DECISION, f"{TOPIC}: {error}")
            return
        columns, limited = state.columns, state.limited
        if order is not None:
            columns, limited = columns[:, order], limited[order]
        values = standard.decision_values(
            source=state.source,
            mode=state.mode,
            limited=limited,
            intervention=self._interventions.step(state.source),
            **self._decision_turns(dict(zip(COLUMNS, columns, strict=True))),
        )
        self._recorder.push(standard.DECISION, state.stamp_ns, receive_ns, values)

    def on_command(self, message: Any, receive_ns: int) -> None:
        """A JointTrajectory, or an array of positions, that was sent to the robot.

        A trajectory of several points gives each row what it says for that row's time. It begins
        at its stamp, or with its receipt where it has none.
        """
        try:
            if hasattr(message, "points"):
                command = self._trajectory(message, receive_ns)
            else:
                command = None
                values = self._command_turns(self._positions(message)[np.newaxis])[0]
        except CommandError as error:
            self._recorder.refuse(standard.DECISION, f"joint_command: {error}")
            return
        if command is not None:
            values = command.at(receive_ns)["actions"]
        course = command if command is not None and len(command.times_ns) > 1 else None
        self._recorder.push(standard.DECISION, receive_ns, receive_ns, {"actions": values}, course)

    def _trajectory(self, message: Any, receive_ns: int) -> CommandCourse:
        points = read_trajectory(message, self._joint_names, may_name_others=True)
        begin_ns = header_stamp_ns(message) or receive_ns
        times_ns = tuple(begin_ns + seconds_to_ns(offset_s) for offset_s in points.offsets_s)
        return CommandCourse(times_ns, self._command_turns(points.positions))

    def _positions(self, message: Any) -> FloatArray:
        values = np.asarray(message.data, np.float64)
        names = self._array_joints
        if values.shape != (len(names),) or set(names) != set(self._joint_names):
            raise CommandError(
                f"{amount(values.size, 'number')}; expected one for each of {', '.join(names)}"
            )
        if not np.isfinite(values).all():
            raise CommandError("a position is NaN or infinite")
        return values[[names.index(name) for name in self._joint_names]]

    def on_reward(self, message: Any, receive_ns: int) -> None:
        """A Float64, which carries no stamp."""
        values = {"rewards": np.float64(message.data)}
        if "task/success" in self._task_paths:
            values["task/success"] = np.bool_(self._success)
        self._recorder.push(standard.TASK, receive_ns, receive_ns, values)

    def on_success(self, message: Any, _receive_ns: int) -> None:
        """A Bool."""
        self._success = bool(message.data)

    def on_compressed(self, camera: str, column: Column, message: Any, receive_ns: int) -> None:
        """Take a CompressedImage; JPEG bytes are kept as they are where the column holds JPEG.

        Args:
            camera: name of the camera.
            column: column that the image belongs to.
            message: the CompressedImage.
            receive_ns: time at which the message arrived.
        """
        try:
            value = _uncompressed(column, message)
        except CommandError as error:
            self._recorder.refuse(camera, str(error))
            return
        self._recorder.push(camera, header_stamp_ns(message), receive_ns, {column.path: value})

    def on_image(self, camera: str, column: Column, message: Any, receive_ns: int) -> None:
        """Take an uncompressed Image, of colour or of distances.

        Args:
            camera: name of the camera.
            column: column that the image belongs to.
            message: the Image.
            receive_ns: time at which the message arrived.
        """
        deep = column.encoding is Encoding.DEPTH
        try:
            pixels = image_depth(message) if deep else image_pixels(message)
        except CommandError as error:
            self._recorder.refuse(camera, str(error))
            return
        self._recorder.push(camera, header_stamp_ns(message), receive_ns, {column.path: pixels})

    def _on_sensed(self, observation: Observation, receive_ns: int) -> None:
        values = standard.joint_values(self._joints, observation)
        self._recorder.push(standard.JOINTS, observation.stamp_ns, receive_ns, values)

    def _command_turns(self, commands: FloatArray) -> FloatArray:
        """Commands (k, n) in the turns of the recorded joints: a driver may count others.

        The first is brought beside the joints, each other one beside the one before.
        """
        if self._turns is None or self._turns.position is None:
            return commands
        rules = self._turns.rules
        inside = np.stack([rules.first(command)[0] for command in commands])
        return rules.rows_beside(inside, self._turns.position)

    def _decision_turns(self, columns: dict[str, FloatArray]) -> dict[str, FloatArray]:
        """The columns of a decision, with continuous joints in the turns of the recorded ones.

        The arbiter counts from when it began. All columns are moved as `applied` is, which stays
        close to the measured joints.
        """
        turns = self._turns
        if turns is None or turns.position is None or not turns.rules.any_continuous:
            return columns
        applied = columns["applied"]
        moved = turns.rules.beside(applied, turns.position) - applied
        if moved.any() and np.isfinite(moved).all():
            for name in ("human", "policy", "requested", "applied"):
                columns[name] = columns[name] + moved
        return columns


def _uncompressed(column: Column, message: Any) -> Any:
    """What a column takes of a CompressedImage: JPEG bytes, or the pixels of a PNG image.

    Raises:
        CommandError: it cannot be taken, or is not what the column holds.
    """
    data = bytes(message.data)
    frame = compressed_frame(data, str(message.format))
    deep, (height, width) = column.encoding is Encoding.DEPTH, column.shape[:2]
    if frame.is_depth != deep:
        kinds = ("colour", "depth")
        raise CommandError(
            f"an image of {kinds[frame.is_depth]}, and {kinds[deep]} is recorded of this camera"
        )
    if frame.is_jpeg:
        return data
    if (frame.height_px, frame.width_px) != (height, width):  # before memory is taken for it
        text = f"the image is {frame.width_px}x{frame.height_px}, expected {width}x{height}"
        raise CommandError(text)
    return png_depth(data) if deep else png_pixels(data)


def _known_turns(info: DatasetInfo) -> TurnRules | None:
    """The turns of the dataset's robot; None where it is not known: angles stay as they come."""
    try:
        profile = load_profile(info.robot)
    except ConfigurationError:
        return None
    return TurnRules.of(profile) if profile.joint_names == tuple(info.joint_names) else None


def valid_kinds(topic: str) -> tuple[str, ...]:
    """The message types that can be recorded from one of our topics (without its namespace)."""
    known = {
        "joint_command": (TRAJECTORY, POSITION_ARRAY),
        TOPIC: ("std_msgs/msg/String",),
        "task/reward": ("std_msgs/msg/Float64",),
        "task/success": ("std_msgs/msg/Bool",),
    }
    if topic in known:
        return known[topic]
    if topic.startswith("poses/"):
        return ("geometry_msgs/msg/PoseStamped",)
    if topic == "joint_states" or topic.startswith("arbiter/"):
        return (JOINT_STATE,)
    return (COMPRESSED_IMAGE,) if topic.endswith("/compressed") else (IMAGE,)


@dataclass(frozen=True, slots=True, eq=False)
class CommandCourse:
    """A trajectory that was sent: positions (k, n) at increasing times (k,), in nanoseconds."""

    times_ns: tuple[int, ...]
    positions: FloatArray

    @property
    def until_ns(self) -> int:
        """When its last point is reached."""
        return self.times_ns[-1]

    def at(self, tick_ns: int) -> Mapping[str, Any]:
        """The action at a time: linear between the points, the nearest one outside of them."""
        return {"actions": row_at(self.times_ns, self.positions, tick_ns)}


def pose_names(joints: Stream) -> list[str]:
    """The poses that a stream of `standard.joint_stream` holds."""
    names = [c.path.removeprefix("obs/") for c in joints.columns if c.shape == (7,)]
    return [name for name in names if not name.startswith("joint_") and name != "states"]
