"""A real robot of servos on serial buses.

Connecting only reads, and disconnecting leaves the torque as it is: an arm that holds goes on
holding. Only `enable` switches torque on, and only `release` switches it off.
"""

from __future__ import annotations

import time

import numpy as np

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import (
    ConfigurationError,
    RobotConnectionError,
    RobotLearningError,
)
from robot_learning.core.features import Feature, joint_features, pose_feature
from robot_learning.core.profile import BusInterface, RobotProfile
from robot_learning.core.types import Command, FloatArray, Observation
from robot_learning.robots.grip import GripHold, JawState
from robot_learning.robots.robot import Robot, checked_position
from robot_learning.robots.servo_joint import ServoJoint
from robot_learning.robots.servo_set import ServoSet
from robot_learning.servos.calibration import TICK_RAD
from robot_learning.servos.calibration_file import Calibration
from robot_learning.sim.end_effector_poses import EndEffectorPoses

TORQUE_CYCLES = 20
"""Cycles between two looks at the torque: servos that start again have none and say nothing."""
REOPEN_CYCLES = 25
"""Cycles between two attempts to open a port that is gone."""
SQUEEZE_RAD = 0.05
"""How far a gripper's servo is sent beyond where it stands, to hold."""


class ServoRobot(Robot):
    """Arms of servos on one or more buses.

    A call of `advance` is one cycle of all buses; `observe` makes one where the last is older than
    half a control period. Stamps are of the monotonic clock. Efforts are not measured, and images
    come from elsewhere.

    Attributes:
        cameras: cameras of the robot; it has none of its own.
        dropped_frames: number of frames that were lost.
        pose_names: names of the end effectors; empty where the profile has no model for simulation.
    """

    cameras: tuple[()] = ()
    dropped_frames = 0

    def __init__(self, profile: RobotProfile, calibration: Calibration) -> None:
        """Prepare all that needs no servo.

        Args:
            profile: profile of the robot, whose real interface is one of buses.
            calibration: calibration of this one arm, as from `load_calibration`.

        Raises:
            ConfigurationError: The profile has no buses, a servo's model is unknown or is not of
                its bus's protocol, or the profile does not fit its MJCF model.
        """
        self.profile = profile
        joints = _servo_joints(profile, calibration)
        self._servos = ServoSet(_bus_interface(profile).buses, joints)
        limits = np.array([joint.limits for joint in joints])
        self._low, self._high = limits[:, 0], limits[:, 1]
        self._largest_move = profile.velocity_max / profile.control_rate_hz
        self._poses = EndEffectorPoses(profile) if profile.sim else None
        self.pose_names = self._poses.names if self._poses else ()
        self._grips = _grips(profile, joints)
        self._commanded = profile.home.copy()
        self._enabled = False
        # Why what is read cannot be believed; empty where it can.
        self._doubt = ""
        self._was_silent = False
        self._cycle = 0
        self._cycle_ns = 0

    @property
    def observation_features(self) -> tuple[Feature, ...]:
        """Joints, and poses of end effectors."""
        return (*joint_features(self.profile), *(pose_feature(name) for name in self.pose_names))

    @property
    def is_connected(self) -> bool:
        """Whether the ports are ours; a servo may be silent all the same."""
        return self._servos.is_open

    @property
    def is_enabled(self) -> bool:
        """Whether commands move the arm."""
        return self._enabled and not (self._servos.limp or self._doubt or self._servos.silence())

    @property
    def now_ns(self) -> int:
        """The monotonic clock, on which observations are stamped."""
        return time.monotonic_ns()

    @property
    def commanded(self) -> FloatArray:
        """(n,) where the joints are sent, rad or m; where they stand while one has no torque."""
        return np.array(self._commanded)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know of the servos now, a text each; empty where all is well."""
        return tuple(self._servos.remarks())

    def connect(self) -> None:
        """Open the buses and look at the servos; nothing is written.

        Servos that hold go on, and their goals are the present command. Where one has no torque,
        commands move nothing until `enable`.

        Raises:
            RobotConnectionError: A port or servo cannot be reached, or it is connected already.
            ConfigurationError: The servos are not those of the profile, or a joint stands outside
                its calibrated range.
        """
        if self.is_connected:
            raise RobotConnectionError(f"the robot '{self.profile.name}' is connected already")
        self._servos.open()
        try:
            self._commanded = self._servos.look()
        except BaseException:
            self._servos.close()
            raise
        self._enabled, self._doubt = not self._servos.limp, ""
        self._cycle, self._cycle_ns = 0, self.now_ns

    def disconnect(self) -> None:
        """Give the ports back; the servos keep their torque and their goals."""
        self._servos.close()
        self._enabled = False

    def enable(self) -> None:
        """Let commands move the arm; servos without torque get it, and hold where they stand.

        Raises:
            RobotConnectionError: It is not connected, a servo does not answer (no torque was
                switched on then), or one takes no torque.
            ConfigurationError: A joint stands outside its calibrated range.
        """
        servos = self._connected()
        self._commanded = servos.look()
        servos.limit_torque()
        if servos.limp:
            servos.hold_limp()
            self._commanded = servos.look()
        if servos.limp:
            raise RobotConnectionError(
                f"servos take no torque ({'; '.join(self.remarks)}); one that has shut down does "
                "so after its power was off"
            )
        self._enabled, self._doubt = True, ""

    def release(self) -> None:
        """Switch all torque off; what is not supported falls.

        Raises:
            RobotConnectionError: It is not connected, or a port is gone.
        """
        servos = self._connected()
        self._enabled = False
        servos.release()

    def advance(self) -> None:
        """One cycle: read all servos, and look for ports that were gone.

        Raises:
            RobotConnectionError: It is not connected.
        """
        servos = self._connected()
        self._cycle += 1
        servos.read()
        self._cycle_ns = self.now_ns
        if servos.is_unplugged:
            self._doubt = "the adapter was unplugged"
        if self._doubt:
            self._enabled = False
            if self._cycle % REOPEN_CYCLES == 0:
                self._find_again()
            return
        # Whoever was silent may have been without power.
        silent, was_silent = bool(servos.silence()), self._was_silent
        self._was_silent = silent
        is_due = self._cycle % TORQUE_CYCLES == 0 or (was_silent and not silent)
        if is_due and not servos.limp:
            servos.look_at_torque()
        if servos.limp:
            self._enabled = False
            self._commanded = servos.measured()[0]

    def observe(self) -> Observation:
        """What the servos measured last, stamped with the oldest of their samples.

        Raises:
            RobotConnectionError: It is not connected, or a servo has been silent for three cycles
                or more; the text names it, and the cable to look at.
        """
        servos = self._connected()
        if (self.now_ns - self._cycle_ns) * self.profile.control_rate_hz > NS_PER_S / 2:
            self.advance()
        if problem := servos.silence() or self._doubt:
            raise RobotConnectionError(problem)
        position, velocity = servos.measured()
        return Observation(
            stamp_ns=servos.stamp_ns,
            joint_position=position,
            joint_velocity=velocity,
            joint_effort=np.full(len(position), np.nan),
            poses=self._poses.at(position) if self._poses else {},
        )

    def apply(self, command: Command) -> Command:
        """Send the servos to a position, each bounded by its joint's speed and acceleration.

        Returns:
            What they were sent: within the limits of the profile and of the calibration, and no
            further from the last command than a control period allows; a gripper that holds
            something stays. Where the robot is not enabled it is the last command.

        Raises:
            CommandError: Wrong size, NaN or infinity; nothing was sent.
            RobotConnectionError: It is not connected.
        """
        servos = self._connected()
        wanted = checked_position(command, self.profile)
        if not self.is_enabled:
            return Command(command.stamp_ns, self.commanded)
        before, move = self._commanded, self._largest_move
        goal = np.minimum(np.maximum(wanted, before - move), before + move)
        if self._grips:
            self._hold_grips(goal)
        goal = np.minimum(np.maximum(goal, self._low), self._high)
        self._commanded = goal
        servos.send(goal)
        return Command(command.stamp_ns, goal.copy())

    def _hold_grips(self, goal: FloatArray) -> None:
        """Keep the grippers that hold something where they are."""
        position, velocity = self._servos.measured()
        for index, grip in self._grips.items():
            jaw = JawState(
                self._servos.stamp_ns,
                float(position[index]),
                float(velocity[index]),
                self._servos.torque_share(index),
            )
            goal[index] = grip.goal(float(goal[index]), jaw)

    def _find_again(self) -> None:
        """Go on after the adapter was unplugged: a person enables the arm again."""
        self._servos.reopen()
        if self._servos.is_unplugged:
            return
        try:
            self._commanded = self._servos.look()
            self._doubt = ""
        except RobotLearningError as error:
            self._doubt = str(error)

    def _connected(self) -> ServoSet:
        if not self.is_connected:
            raise RobotConnectionError(f"the robot '{self.profile.name}' is not connected")
        return self._servos


def _bus_interface(profile: RobotProfile) -> BusInterface:
    if not isinstance(profile.real, BusInterface):
        raise ConfigurationError(
            f"robot '{profile.name}' has no servo buses; give interfaces.real of its robot.yaml "
            "the kind bus (see hardware/README.md)"
        )
    return profile.real


def _servo_joints(profile: RobotProfile, calibration: Calibration) -> list[ServoJoint]:
    """The joints in the profile's order.

    Raises:
        ConfigurationError: A servo's model is unknown or is not of its bus's protocol, or a joint
            was calibrated where the profile does not let it go.
    """
    real, found = _bus_interface(profile), []
    protocols = {bus.name: bus.protocol for bus in real.buses}
    for joint in profile.joints:
        calibrated, motor = calibration.joints[joint.name], real.motors[joint.name]
        servo = ServoJoint(joint, motor, calibrated.scale(), calibrated.range_ticks)
        if servo.model.protocol.name != protocols[motor.bus]:
            raise ConfigurationError(
                f"{profile.path}: interfaces.real.motors.{joint.name}: a {motor.model} speaks "
                f"{servo.model.protocol.name}, the bus '{motor.bus}' {protocols[motor.bus]}"
            )
        low, high = servo.limits
        if low >= high:
            ends = sorted(servo.scale.position(ticks) for ticks in servo.range_ticks)
            raise ConfigurationError(
                f"{joint.name}: its calibrated range, {ends[0]:.3f} to {ends[1]:.3f}, lies outside "
                f"the profile's limits, {joint.position_min:g} to {joint.position_max:g}; its zero "
                "or its sign is wrong"
            )
        found.append(servo)
    return found


def _grips(profile: RobotProfile, joints: list[ServoJoint]) -> dict[int, GripHold]:
    """The grippers that are to hold what they have closed on, by their places in the vector."""
    found = {}
    for arm in profile.arms:
        if arm.gripper is None:
            continue
        index = profile.joint_index(arm.gripper.joint)
        joint = joints[index]
        if joint.motor.stall_hold_s is not None:
            found[index] = GripHold(
                arm.gripper,
                stall_s=joint.motor.stall_hold_s,
                torque_limit=joint.motor.torque_limit or 1.0,
                squeeze=SQUEEZE_RAD / TICK_RAD * joint.scale.largest_step,
            )
    return found
