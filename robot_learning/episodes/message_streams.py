"""From a graph's messages to the samples of a recorder's streams, live or from a log.

Messages are taken by their fields alone, so that those of a running graph and those read from
a bag go through the same code, which also counts the joints' turns (`core.turns`). What belongs
together is put together by its stamp: the joints and poses of one control period, the columns of
one decision. A message that cannot be used is counted and named, never guessed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import CommandError, ConfigurationError, unknown_choice
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.turns import TurnCounter, TurnRules
from robot_learning.core.types import FloatArray, Observation, UInt8Array
from robot_learning.episodes import standard
from robot_learning.episodes.intervention import InterventionWatch
from robot_learning.episodes.recorder import Recorder
from robot_learning.episodes.schema import DatasetInfo, Encoding, Mode, Source, Stream

DECISION_COLUMNS = ("human", "policy", "noise", "requested", "applied")
_MOST_WAITING = 64
Handler = Callable[[Any, int], None]


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

    def select(self, names: Sequence[str], values: Any) -> FloatArray:
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
        turns: TurnRules | None = None,
    ) -> None:
        """Prepare.

        Args:
            recorder: takes the samples.
            camera_topics: camera -> the topic of its images, raw or compressed.
            turns: of the robot; None for that of the dataset's robot, if its profile is found.
        """
        info = recorder.folder.info
        turns = turns or _known_turns(info)
        self._turns = TurnCounter(turns) if turns is not None else None
        self._recorder = recorder
        streams = {stream.name: stream for stream in info.streams}
        self._joints = streams[standard.JOINTS]
        self._joint_order = JointOrder(info.joint_names)
        self._column_order = JointOrder(info.joint_names)
        self._interventions = InterventionWatch()
        self._success = False
        poses = pose_names(self._joints)
        self._sensed = StampJoin(["joints", *poses], self._on_sensed)
        self._decided = StampJoin([*DECISION_COLUMNS, "state"], self._on_decided)
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
            is_jpeg = column.encoding is Encoding.JPEG and topic.endswith("/compressed")
            handler = self.on_jpeg if is_jpeg else self.on_image
            self.handlers[topic] = partial(handler, camera, column.path)

    def begin_anew(self) -> None:
        """An episode is over: a policy that drove in it is no part of the next one."""
        self._interventions.reset()

    def on_joints(self, message: Any, receive_ns: int) -> None:
        """A JointState of the robot."""
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
        if self._turns is not None:
            if not self._recorder.recording:
                # An episode begins with the turns nearest to home, whatever was before.
                self._turns.recount()
            position = self._turns.take(position)
        self._sensed.add("joints", stamp_ns(message), receive_ns, (position, velocity, effort))

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
        """A JointTrajectory that was sent to the robot; it carries no stamp of its own."""
        try:
            if not len(message.points):
                raise CommandError("the trajectory has no points")
            values = self._column_order.select(message.joint_names, message.points[0].positions)
            values = self._command_turns(values)
        except CommandError as error:
            self._recorder.refuse(standard.DECISION, f"joint_command: {error}")
            return
        self._recorder.push(standard.DECISION, receive_ns, receive_ns, {"actions": values})

    def on_reward(self, message: Any, receive_ns: int) -> None:
        """A Float64, which carries no stamp."""
        values = {"rewards": np.float64(message.data)}
        if "task/success" in self._task_paths:
            values["task/success"] = np.bool_(self._success)
        self._recorder.push(standard.TASK, receive_ns, receive_ns, values)

    def on_success(self, message: Any, _receive_ns: int) -> None:
        """A Bool."""
        self._success = bool(message.data)

    def on_jpeg(self, camera: str, path: str, message: Any, receive_ns: int) -> None:
        """A CompressedImage; its JPEG bytes are kept as they are."""
        values = {path: message.data.tobytes()}
        self._recorder.push(camera, stamp_ns(message), receive_ns, values)

    def on_image(self, camera: str, path: str, message: Any, receive_ns: int) -> None:
        """An uncompressed Image."""
        try:
            pixels = image_pixels(message)
        except CommandError as error:
            self._recorder.refuse(camera, str(error))
            return
        self._recorder.push(camera, stamp_ns(message), receive_ns, {path: pixels})

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

    def _command_turns(self, command: FloatArray) -> FloatArray:
        """A command in the turns of the recorded joints: a driver may count others."""
        if self._turns is None or self._turns.position is None:
            return command
        command, _ = self._turns.rules.first(command)
        return self._turns.rules.beside(command, self._turns.position)

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


def _known_turns(info: DatasetInfo) -> TurnRules | None:
    """The turns of the dataset's robot; None where it is not known: angles stay as they come."""
    try:
        profile = load_profile(info.robot)
    except ConfigurationError:
        return None
    return TurnRules.of(profile) if profile.joint_names == tuple(info.joint_names) else None


def stamp_ns(message: Any) -> int:
    """The stamp in a message's header."""
    stamp = message.header.stamp
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)


def pose_names(joints: Stream) -> list[str]:
    """The poses that a stream of `standard.joint_stream` holds."""
    names = [c.path.removeprefix("obs/") for c in joints.columns if c.shape == (7,)]
    return [name for name in names if not name.startswith("joint_") and name != "states"]


def image_pixels(message: Any) -> UInt8Array:
    """(height, width, 3) uint8 RGB of an uncompressed rgb8 or bgr8 image.

    Raises:
        CommandError: another encoding, or data that does not fill the image.
    """
    if message.encoding not in ("rgb8", "bgr8"):
        raise CommandError(unknown_choice("image encoding", message.encoding, ["rgb8", "bgr8"]))
    rows = np.frombuffer(message.data, np.uint8)
    if rows.size != message.height * message.step or message.step < 3 * message.width:
        raise CommandError(
            f"image of {message.width}x{message.height}, step {message.step}, has {rows.size} bytes"
        )
    pixels = rows.reshape(message.height, message.step)[:, : 3 * message.width]
    pixels = pixels.reshape(message.height, message.width, 3)
    return pixels if message.encoding == "rgb8" else pixels[:, :, ::-1]
