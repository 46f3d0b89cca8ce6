"""From a graph's messages to the samples of a recorder's streams, live or from a log.

Messages are taken by their fields alone, so that those of a running graph and those read from
a bag go through the same code, which also counts the joints' turns (`core.turns`). What belongs
together is put together by its stamp: the joints and poses of one control period, the columns of
one decision. A message that cannot be used is counted and named, never guessed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.amounts import amount
from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import CommandError, ConfigurationError
from robot_learning.core.joint_collector import JointCollector
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.turns import TurnCounter, TurnRules
from robot_learning.core.types import FloatArray, Observation
from robot_learning.core.vocabulary import Mode, Source
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

JOINT_STATE = "sensor_msgs/msg/JointState"
TRAJECTORY = "trajectory_msgs/msg/JointTrajectory"
POSITION_ARRAY = "std_msgs/msg/Float64MultiArray"
IMAGE, COMPRESSED_IMAGE = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
DECISION_COLUMNS = ("human", "policy", "noise", "requested", "applied")
_MOST_WAITING = 64
Handler = Callable[[Any, int], None]


class StampJoin:
    """Calls back with the parts of one stamp once all of them have arrived.

    A set that lost a part on its way is forgotten when enough newer ones have come.
    """

    def __init__(
        self,
        parts: Sequence[str],
        on_complete: Callable[[int, int, Mapping[str, Any]], None],
        on_dropped: Callable[[str], None] | None = None,
    ) -> None:
        """`on_complete` is given the stamp, the receipt of the last part, and the parts.

        `on_dropped` is told what was lacking when a set is forgotten.
        """
        self._parts = tuple(parts)
        self._on_complete = on_complete
        self._on_dropped = on_dropped
        self._waiting: dict[int, dict[str, Any]] = {}
        self._heard: dict[str, int] = {}
        self.completed = 0

    def add(self, part: str, stamp_ns: int, receive_ns: int, value: Any) -> None:
        """Take a part."""
        waiting = self._waiting.setdefault(stamp_ns, {})
        waiting[part] = value
        self._heard[part] = self._heard.get(part, 0) + 1
        if len(waiting) == len(self._parts):
            del self._waiting[stamp_ns]
            self.completed += 1
            self._on_complete(stamp_ns, receive_ns, waiting)
        elif len(self._waiting) > _MOST_WAITING:
            dropped = self._waiting.pop(next(iter(self._waiting)))
            if self._on_dropped is not None:
                self._on_dropped(self._lack(dropped))

    def lack(self) -> str:
        """Why no set was ever complete; empty where one was, or nothing was heard."""
        return "" if self.completed or not self._heard else self._lack({})

    def _lack(self, dropped: Mapping[str, Any]) -> str:
        unheard = [part for part in self._parts if part not in self._heard]
        if unheard:
            return f"{', '.join(unheard)} never came"
        missing = [part for part in self._parts if part not in dropped]
        return f"{', '.join(missing)} had no message of an equal stamp"


class JointOrder:
    """Picks joints by name from messages, whose order seldom changes."""

    def __init__(self, joint_names: Sequence[str]) -> None:
        self._wanted = list(joint_names)
        self._seen: list[str] | None = None
        self._indices: list[int] | None = None

    def select(self, names: Sequence[str], values: Any) -> FloatArray:
        """(n,) values in the profile's order.

        Raises:
            CommandError: a joint is missing or the message is ragged.
        """
        if len(names) != len(values):
            raise CommandError(
                f"joint state has {amount(len(names), 'name')} and {amount(len(values), 'value')}"
            )
        if names != self._seen:
            missing = [name for name in self._wanted if name not in names]
            if missing:
                text = f"joint state lacks {', '.join(missing)}; it has {', '.join(names)}"
                raise CommandError(text)
            given = list(names)
            same = given == self._wanted
            self._indices = None if same else [given.index(name) for name in self._wanted]
            self._seen = given
        array = np.frombuffer(values, np.float64) if len(values) else np.empty(0)
        return array if self._indices is None else array[self._indices]

    def select_measured(self, names: Sequence[str], values: Any) -> FloatArray:
        """As `select`; NaN where the robot does not measure it."""
        return self.select(names, values) if len(values) else np.full(len(self._wanted), np.nan)


class MessageStreams:
    """Takes messages by topic and pushes what they give into a recorder. One thread.

    Attributes:
        handlers: topic, relative and without its namespace, -> a function of the message and
            its receipt (nanoseconds of the recorder's clock).
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
            recorder: is given the samples.
            camera_topics: camera -> the topic of its images, raw or compressed.
            turns: of the robot; None for that of the dataset's robot, if its profile is found.
            command_joints: the order of a position array on `joint_command`; the robot's own
                where there is none.
        """
        info = recorder.folder.info
        turns = turns or _known_turns(info)
        self._turns = TurnCounter(turns) if turns is not None else None
        self._recorder = recorder
        streams = {stream.name: stream for stream in info.streams}
        self._joints = streams[standard.JOINTS]
        self._collector = JointCollector(info.joint_names)
        self._command_joints = JointOrder(info.joint_names)
        self._array_joints = list(command_joints or info.joint_names)
        self._column_order = JointOrder(info.joint_names)
        self._joint_names = list(info.joint_names)
        self._interventions = InterventionWatch()
        self._success = False
        poses = pose_names(self._joints)
        sensed, decided = standard.JOINTS, standard.DECISION
        self._sensed = StampJoin(
            ["joints", *poses], self._on_sensed, lambda why: recorder.lack(sensed, why)
        )
        self._decided = StampJoin(
            [*DECISION_COLUMNS, "state"], self._on_decided, lambda why: recorder.lack(decided, why)
        )
        self.handlers: dict[str, Handler] = {"joint_states": self.on_joints}
        for name in poses:
            self.handlers[f"poses/{name}"] = partial(self.on_pose, name)
        self.commands = "control/source" not in {column.path for column in info.columns}
        if self.commands:
            self.handlers["joint_command"] = self.on_command
        else:
            for name in DECISION_COLUMNS:
                self.handlers[f"arbiter/{name}"] = partial(self.on_column, name)
            self.handlers["arbiter/state"] = self.on_state
        if standard.TASK in streams:
            self._task_paths = {column.path for column in streams[standard.TASK].columns}
            self.handlers["task/reward"] = self.on_reward
            self.handlers["task/success"] = self.on_success
        for camera, topic in camera_topics.items():
            column = streams[camera].columns[0]
            handler = self.on_compressed if topic.endswith("/compressed") else self.on_image
            self.handlers[topic] = partial(handler, camera, column)

    def begin_anew(self) -> None:
        """An episode is over: a policy that drove in it is no part of the next one."""
        self._interventions.reset()

    def tell_lack(self) -> None:
        """Tell the recorder what kept a stream from ever having a sample."""
        for stream, join in ((standard.JOINTS, self._sensed), (standard.DECISION, self._decided)):
            if lack := join.lack():
                self._recorder.lack(stream, lack)

    def on_joints(self, message: Any, receive_ns: int) -> None:
        """A JointState of the robot."""
        names = message.name
        try:
            sample = self._collector.take(
                names,
                (message.position, message.velocity, message.effort),
                stamp_ns(message),
                receive_ns,
            )
        except CommandError as error:
            self._recorder.refuse(standard.JOINTS, str(error))
            return
        if sample is None:
            if self._collector.missing:
                self._recorder.lack(standard.JOINTS, self._collector.lacking(names))
            return
        if not np.isfinite(sample.position).all():
            self._recorder.refuse(standard.JOINTS, "a joint position is NaN or infinite")
            return
        position = sample.position
        if self._turns is not None:
            if not self._recorder.recording:
                # An episode begins with the turns nearest to home, whatever was before.
                self._turns.recount()
            position = self._turns.take(position)
        values = (position, sample.velocity, sample.effort)
        self._sensed.add("joints", sample.stamp_ns, receive_ns, values)
        if sample.oldest_receive_ns != receive_ns:
            late = self._collector.overdue(names, receive_ns, self._joints.max_age_s)
            if late:
                self._recorder.lack(standard.JOINTS, late)

    def on_pose(self, name: str, message: Any, receive_ns: int) -> None:
        """A PoseStamped."""
        position, orientation = message.pose.position, message.pose.orientation
        pose = np.array(
            [
                *(position.x, position.y, position.z),
                *(orientation.w, orientation.x, orientation.y, orientation.z),
            ]
        )
        self._sensed.add(name, stamp_ns(message), receive_ns, pose)

    def on_column(self, name: str, message: Any, receive_ns: int) -> None:
        """A JointState of `arbiter/<name>`."""
        try:
            values = self._column_order.select(message.name, message.position)
        except CommandError as error:
            self._recorder.refuse(standard.DECISION, f"arbiter/{name}: {error}")
            return
        self._decided.add(name, stamp_ns(message), receive_ns, values)

    def on_state(self, message: Any, receive_ns: int) -> None:
        """The String of `arbiter/state`."""
        try:
            state = json.loads(message.data)
            stamp = int(state["stamp_ns"])
            mode, source = Mode[state["mode"]], Source[state["source"]]
            limited = np.array(state["limited"], np.uint8)
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            self._recorder.refuse(standard.DECISION, f"arbiter/state: {error!r}")
            return
        self._decided.add("state", stamp, receive_ns, (mode, source, limited))

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
        if not len(message.points):
            raise CommandError("the trajectory has no points")
        begin_ns, order = stamp_ns(message) or receive_ns, self._command_joints
        rows = [order.select(message.joint_names, point.positions) for point in message.points]
        offsets_ns = [duration_ns(point.time_from_start) for point in message.points]
        if len(offsets_ns) > 1 and (np.diff(offsets_ns) <= 0).any():
            raise CommandError("the times of the trajectory's points do not increase")
        positions = np.stack(rows)
        if not np.isfinite(positions).all():
            raise CommandError("the trajectory has a position that is NaN or infinite")
        positions = self._command_turns(positions)
        return CommandCourse(begin_ns + np.array(offsets_ns, np.int64), positions)

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
        """A CompressedImage; JPEG bytes are kept as they are, where the column is of JPEG."""
        try:
            value = _uncompressed(column, message)
        except CommandError as error:
            self._recorder.refuse(camera, str(error))
            return
        self._recorder.push(camera, stamp_ns(message), receive_ns, {column.path: value})

    def on_image(self, camera: str, column: Column, message: Any, receive_ns: int) -> None:
        """An uncompressed Image, of colour or of distances."""
        deep = column.encoding is Encoding.DEPTH
        try:
            pixels = image_depth(message) if deep else image_pixels(message)
        except CommandError as error:
            self._recorder.refuse(camera, str(error))
            return
        self._recorder.push(camera, stamp_ns(message), receive_ns, {column.path: pixels})

    def _on_sensed(self, stamp: int, receive_ns: int, parts: Mapping[str, Any]) -> None:
        poses = {name: part for name, part in parts.items() if name != "joints"}
        position, velocity, effort = parts["joints"]
        observation = Observation(stamp, position, velocity, effort, poses)
        values = standard.joint_values(self._joints, observation)
        self._recorder.push(standard.JOINTS, stamp, receive_ns, values)

    def _on_decided(self, stamp: int, receive_ns: int, parts: Mapping[str, Any]) -> None:
        mode, source, limited = parts["state"]
        turned = self._decision_turns(parts)
        values = standard.decision_values(
            source=source,
            mode=mode,
            limited=limited,
            intervention=self._interventions.step(source),
            **turned,
        )
        self._recorder.push(standard.DECISION, stamp, receive_ns, values)

    def _command_turns(self, commands: FloatArray) -> FloatArray:
        """Commands (k, n) in the turns of the recorded joints: a driver may count others.

        The first is brought beside the joints, each other one beside the one before.
        """
        if self._turns is None or self._turns.position is None:
            return commands
        rules = self._turns.rules
        inside = np.stack([rules.first(command)[0] for command in commands])
        return rules.rows_beside(inside, self._turns.position)

    def _decision_turns(self, parts: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of a decision, with continuous joints in the turns of the recorded ones.

        The arbiter counts from when it began. All columns are moved as `applied` is, which stays
        close to the measured joints.
        """
        columns = {name: parts[name] for name in DECISION_COLUMNS}
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
        "arbiter/state": ("std_msgs/msg/String",),
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


def stamp_ns(message: Any) -> int:
    """The stamp in a message's header."""
    stamp = message.header.stamp
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)


def duration_ns(duration: Any) -> int:
    """A Duration message as nanoseconds."""
    return int(duration.sec) * NS_PER_S + int(duration.nanosec)


@dataclass(frozen=True, slots=True, eq=False)
class CommandCourse:
    """A trajectory that was sent: positions (k, n) at increasing times (k,), in nanoseconds."""

    times_ns: npt.NDArray[np.int64]
    positions: FloatArray

    @property
    def until_ns(self) -> int:
        """When its last point is reached."""
        return int(self.times_ns[-1])

    def at(self, tick_ns: int) -> Mapping[str, Any]:
        """The action at a time: linear between the points, the nearest one outside of them."""
        above = int(np.searchsorted(self.times_ns, tick_ns, "right"))
        if above in (0, len(self.times_ns)):
            return {"actions": self.positions[0 if above == 0 else -1]}
        start_ns, end_ns = self.times_ns[above - 1 : above + 1].tolist()
        share = (tick_ns - start_ns) / (end_ns - start_ns)
        start, end = self.positions[above - 1], self.positions[above]
        return {"actions": start + share * (end - start)}


def pose_names(joints: Stream) -> list[str]:
    """The poses that a stream of `standard.joint_stream` holds."""
    names = [c.path.removeprefix("obs/") for c in joints.columns if c.shape == (7,)]
    return [name for name in names if not name.startswith("joint_") and name != "states"]
