"""A robot profile: everything the framework knows about one robot, as plain data.

Read it from a `robot.yaml` with `robot_learning.core.profile_loader.load_profile`. Parts
that have the same form there, or only other keys, say what is valid in the file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta, Struct

from robot_learning.core.decoding import Names, Text
from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.options.numbers import AtLeast1, Positive, ShareAbove0
from robot_learning.core.types import FloatArray

Pixels = Annotated[int, Meta(ge=8)]
ServoId = Annotated[int, Meta(ge=0, le=253)]
Sign = Literal[-1, 1]
Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]


class JointKind(Enum):
    """What a joint moves in, which decides its units."""

    REVOLUTE = "revolute"
    PRISMATIC = "prismatic"

    @property
    def position_unit(self) -> str:
        """The unit as it is written in keys: `rad` or `m`."""
        return "rad" if self is JointKind.REVOLUTE else "m"

    @property
    def effort_unit(self) -> str:
        """The unit as it is written in keys: `nm` or `n`."""
        return "nm" if self is JointKind.REVOLUTE else "n"


@dataclass(frozen=True, slots=True)
class Joint:
    """One actuated joint and its limits, in rad or m, s, and N·m or N.

    A `continuous` joint turns without end: its position limits are infinite.
    """

    name: str
    kind: JointKind
    position_min: float
    position_max: float
    velocity_max: float
    acceleration_max: float
    effort_max: float
    home: float
    continuous: bool = False


@dataclass(frozen=True, slots=True)
class Gripper:
    """The joint that opens and closes a gripper, a member of the joint vector.

    `open` and `closed` are joint values; `clear_width_m` is the free width between the
    fingers when open.
    """

    joint: str
    open: float
    closed: float
    clear_width_m: float


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame on a body or a site of the MJCF model: exactly one of `site`, `body` is set.

    The offset is applied in the frame of that site or body. For an end effector, z points out
    of the gripper (the approach direction) and y is the direction in which the fingers close.
    """

    site: Text | None = None
    body: Text | None = None
    position_m: Vector = (0.0, 0.0, 0.0)
    quaternion_wxyz: Quaternion = (1.0, 0.0, 0.0, 0.0)


class Workspace(Struct, frozen=True, rename={"min_m": "min", "max_m": "max"}):
    """A box in the world frame that the end effector may not leave, corners in metres."""

    min_m: Vector
    max_m: Vector


@dataclass(frozen=True, slots=True)
class Arm:
    """One kinematic chain: its joints from base to tip (without the gripper's)."""

    name: str
    joints: tuple[str, ...]
    end_effector: Frame
    gripper: Gripper | None
    workspace: Workspace

    @property
    def end_effector_name(self) -> str:
        """The name of this arm's end-effector pose in observations and of its MJCF site."""
        return f"{self.name}_end_effector"


@dataclass(frozen=True, slots=True)
class CameraPose:
    """Where a simulated camera is mounted: on `body` (None: the world), MuJoCo convention.

    The camera looks along its own -z with +y up; `fovy_rad` is the vertical field of view.
    """

    fovy_rad: Positive
    body: Text | None = None
    position_m: Vector = (0.0, 0.0, 0.0)
    quaternion_wxyz: Quaternion = (1.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera of the robot.

    In simulation it is the MJCF camera `mjcf_camera`, or one mounted at `pose`; on a real
    robot its frames come from `topic`. At least one of the three is set.
    """

    name: Text
    width_px: Pixels
    height_px: Pixels
    rate_hz: Positive
    mjcf_camera: Text | None = None
    pose: CameraPose | None = None
    topic: Text | None = None


@dataclass(frozen=True, slots=True)
class Servo:
    """Gains of a joint's position servo: N·m/rad and N·m·s/rad, or N/m and N·s/m."""

    stiffness: Positive
    damping: Positive


@dataclass(frozen=True, slots=True)
class Mimic:
    """A joint that follows a joint of the profile: value = multiplier * joint + offset."""

    joint: Text
    multiplier: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class SimInterface:
    """How the profile's joints are found in an MJCF model.

    Attributes:
        mjcf: path of the model.
        joints: profile joint -> MJCF joint, where the names differ.
        actuators: profile joint -> MJCF actuator, where it is not the one on that joint (such
            as a gripper that is driven through a tendon).
        servos: profile joint -> gains; needed where the actuator takes torque, replaces the
            gains where it takes positions.
        mimics: MJCF joint -> the profile joint that it follows.
        held_actuators: MJCF actuators that no profile joint drives -> the control to hold.
        gravity_compensation: whether the servos carry the arm's own weight, as the firmware
            of most arms does.
    """

    mjcf: Path
    joints: Mapping[str, Text] = field(default_factory=dict)
    actuators: Mapping[str, Text] = field(default_factory=dict)
    servos: Mapping[str, Servo] = field(default_factory=dict)
    mimics: Mapping[str, Mimic] = field(default_factory=dict)
    held_actuators: Mapping[str, float] = field(default_factory=dict)
    gravity_compensation: bool = True


class Ros2ControlInterface(Struct, frozen=True, tag_field="kind", tag="ros2_control"):
    """A real arm under ros2_control: where its controller listens.

    `command_type` is `joint_trajectory` (JointTrajectory) or `position_array`
    (Float64MultiArray, in the order of `joints`).
    """

    command_topic: Text
    command_type: Literal["joint_trajectory", "position_array"]
    joints: Names = ()


@dataclass(frozen=True, slots=True)
class SerialBus:
    """One serial bus of servos: exactly one of `adapter`, `port` is set.

    Attributes:
        name: name of the bus in the profile.
        protocol: protocol that its servos speak.
        baud_rate: bits a second.
        adapter: serial number of the USB adapter; None where the port is named.
        port: path of the serial port; None where the adapter is named.
    """

    name: Text
    protocol: Literal["dynamixel", "feetech"]
    baud_rate: AtLeast1
    adapter: Text | None = None
    port: Text | None = None


@dataclass(frozen=True, slots=True)
class Motor:
    """The servo that moves a joint; where its zero is says the arm's calibration.

    Attributes:
        bus: name of its bus.
        id: id on that bus.
        model: model of servo.
        shadow: id of a second servo on the same joint, which obeys what the first is sent; None
            for none.
        torque_limit: share of the largest torque that it may use; None leaves its own setting.
        stall_hold_s: seconds of closing on something without moving, after which a gripper only
            holds it; None means that it never stops pressing.
    """

    bus: Text
    id: ServoId
    model: Text
    shadow: ServoId | None = None
    torque_limit: ShareAbove0 | None = None
    stall_hold_s: Positive | None = None


class BusInterface(Struct, frozen=True, tag_field="kind", tag="bus"):
    """A real arm of servos on serial buses: one motor a joint, by the joint's name."""

    buses: tuple[SerialBus, ...]
    motors: Mapping[str, Motor]


class LeaderJoint(Struct, frozen=True, rename={"offset": "offset_rad"}):
    """A leader arm's joint and the joint it drives: follower = sign * leader + offset."""

    leader: Text
    follower: Text
    sign: Sign = 1
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class LeaderGripper:
    """A leader's trigger: its values where the follower's gripper is to be open and closed."""

    leader: Text
    open: float
    closed: float


@dataclass(frozen=True, slots=True)
class Leader:
    """A leader arm that drives `arm`.

    Its joint states arrive on `topic`. It may only engage while no joint differs from the
    follower by more than `engage_within_rad` (m for prismatic joints).
    """

    arm: Text
    topic: Text
    joints: tuple[LeaderJoint, ...]
    gripper: LeaderGripper | None = None
    engage_within_rad: Positive = 0.3


@dataclass(frozen=True)
class RobotProfile:
    """One robot. Joint vectors everywhere follow the order of `joints`."""

    name: str
    path: Path
    description: str
    control_rate_hz: float
    joints: tuple[Joint, ...]
    arms: tuple[Arm, ...]
    cameras: tuple[Camera, ...]
    sim: SimInterface | None
    real: Ros2ControlInterface | BusInterface | None
    leaders: tuple[Leader, ...] = ()

    @cached_property
    def joint_names(self) -> tuple[str, ...]:
        """Names in vector order, grippers included."""
        return tuple(joint.name for joint in self.joints)

    @cached_property
    def position_min(self) -> FloatArray:
        """(n,) lower position limits, rad or m."""
        return np.array([joint.position_min for joint in self.joints])

    @cached_property
    def position_max(self) -> FloatArray:
        """(n,) upper position limits, rad or m."""
        return np.array([joint.position_max for joint in self.joints])

    @cached_property
    def position_range(self) -> FloatArray:
        """(n,) from the lower to the upper limit, rad or m; one turn for a continuous joint."""
        ends = [
            math.tau if joint.continuous else joint.position_max - joint.position_min
            for joint in self.joints
        ]
        return np.array(ends)

    @cached_property
    def velocity_max(self) -> FloatArray:
        """(n,) velocity limits, rad/s or m/s."""
        return np.array([joint.velocity_max for joint in self.joints])

    @cached_property
    def acceleration_max(self) -> FloatArray:
        """(n,) acceleration limits, rad/s² or m/s²."""
        return np.array([joint.acceleration_max for joint in self.joints])

    @cached_property
    def effort_max(self) -> FloatArray:
        """(n,) effort limits, N·m or N."""
        return np.array([joint.effort_max for joint in self.joints])

    @cached_property
    def home(self) -> FloatArray:
        """(n,) the resting position, rad or m."""
        return np.array([joint.home for joint in self.joints])

    def joint_index(self, name: str) -> int:
        """Index of a joint in the vector.

        Raises:
            ConfigurationError: when the robot has no such joint; the text lists those it has.
        """
        try:
            return self.joint_names.index(name)
        except ValueError:
            text = unknown_choice(f"joint of robot '{self.name}'", name, self.joint_names)
            raise ConfigurationError(text) from None

    def joint_indices(self, names: tuple[str, ...]) -> list[int]:
        """Indices of several joints in the vector."""
        return [self.joint_index(name) for name in names]

    def arm(self, name: str) -> Arm:
        """The arm of that name.

        Raises:
            ConfigurationError: when the robot has no such arm; the text lists those it has.
        """
        for arm in self.arms:
            if arm.name == name:
                return arm
        names = [arm.name for arm in self.arms]
        raise ConfigurationError(unknown_choice(f"arm of robot '{self.name}'", name, names))
