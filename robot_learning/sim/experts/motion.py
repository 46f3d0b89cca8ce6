"""How experts move an arm: straight towards a pose, with bounded speed and acceleration.

Everything is a function of the measured joints alone. A position servo that is commanded a
little ahead of the joint moves at (lead / lag), where the lag is damping over stiffness; that
is how a speed is commanded without remembering the last command.
"""

from __future__ import annotations

import numpy as np

from robot_learning.core.profile import Arm
from robot_learning.core.types import FloatArray
from robot_learning.sim.kinematics import ArmKinematics, down_quaternion, tilt_of
from robot_learning.sim.model import SimModel
from robot_learning.sim.servos import JOINT_TRANSMISSIONS

# Shares of the profile's limits that an expert uses.
_SPEED_SHARE = 0.45
_ACCELERATION_SHARE = 0.5
# The lead never exceeds this share of what the velocity limit allows in one 50 Hz period.
_LEAD_SHARE = 0.9
_PERIOD_S = 0.02
# A servo of long lag needs a longer lead for the same speed: enough for this share of the limit.
_SLOW_SPEED_SHARE = 0.32
# Dry friction swallows a lead of friction over stiffness. What is more than this is made up for,
# this many times as fast as the lead grows, so that the joint does not stop short of its target.
_FRICTION_LEAD_RAD, _FRICTION_GAIN = 0.002, 3.0
# In this time the commanded acceleration acts on the measured velocity.
_RESPONSE_S = 0.1
# Largest displacement that one linearised step looks ahead.
_REACH_M, _TURN_RAD = 0.06, 0.4
# Outside of the workspace by this much more than at home, or tilted by this much more, the arm
# goes home first.
_LOST_M, _LOST_RAD = 0.05, 1.0
# Share of the gripper's travel by which the fingers press into what they hold.
_SQUEEZE_SHARE = 0.3
# Fingers that close with less than this share of their speed in the air have met something.
_STALL_SHARE = 0.3
# From this far before contact the gripper's lead grows to the squeeze.
_CONTACT_M = 0.004


def nearest_angle(angle_rad: float, reference_rad: float, period_rad: float) -> float:
    """The angle equivalent to `angle_rad` (mod `period_rad`) that is nearest to a reference.

    Args:
        angle_rad: any one of the equivalent angles.
        reference_rad: angle that the result is nearest to.
        period_rad: difference between two equivalent angles.
    """
    return angle_rad + period_rad * round((reference_rad - angle_rad) / period_rad)


class ArmMotion:
    """Moves one arm and its gripper.

    Call `sense` with the measured joint vectors; then the attributes hold the arm's state, and
    `move` and `grip` write targets into an action.

    Attributes:
        position: (3,) position of the end effector, metres, world frame.
        closing_rad: angle about z of the direction in which the fingers close.
        tilt_rad: angle between the approach direction and straight down.
        width_m: free width between the fingers, 0 without a gripper.
        has_stalled: whether the fingers do not close, or hardly.
        home_closing_rad: `closing_rad` at the home position.
    """

    def __init__(self, simulation: SimModel, arm: Arm) -> None:
        profile = simulation.profile
        self.arm = arm
        self.kinematics = ArmKinematics(simulation, arm)
        self._indices = self.kinematics.indices
        lags_s, swallowed = _servo_lags_s(simulation), _friction_leads(simulation)
        self._lag_s = lags_s[self._indices]
        self._lead_max = np.minimum(
            _SPEED_SHARE * profile.velocity_max * lags_s,
            _LEAD_SHARE * profile.velocity_max * _PERIOD_S,
        )
        self._lead = self._lead_max[self._indices]
        self._slow_lead = (_SLOW_SPEED_SHARE * profile.velocity_max * lags_s)[self._indices]
        self._friction_lead = swallowed[self._indices]
        self._velocity_gain = _ACCELERATION_SHARE * profile.acceleration_max[self._indices]
        self._velocity_gain = self._velocity_gain * _RESPONSE_S
        self._low = np.array(arm.workspace.min_m)
        self._high = np.array(arm.workspace.max_m)
        self.position = np.zeros(3)
        self.closing_rad = 0.0
        self.tilt_rad = 0.0
        self.width_m = 0.0
        self.has_stalled = True
        self._joints = self.kinematics.home
        home, rotation = self.kinematics.forward(self._joints)
        self.home_closing_rad = _closing_angle(rotation)
        self._lost_m = _LOST_M + self._outside_m(home)
        self._lost_rad = _LOST_RAD + tilt_of(rotation)
        self._velocity = np.zeros_like(self._joints)
        self._fingers = 0.0
        if arm.gripper:
            self._gripper = arm.gripper
            self._finger = profile.joint_index(arm.gripper.joint)
            free = float(self._lead_max[self._finger] / lags_s[self._finger])
            self._stalled = _STALL_SHARE * free
            self._per_m = (arm.gripper.open - arm.gripper.closed) / arm.gripper.clear_width_m

    @property
    def clear_width_m(self) -> float:
        """The free width between the open fingers, 0 without a gripper."""
        return self.arm.gripper.clear_width_m if self.arm.gripper else 0.0

    def sense(self, joint_position: FloatArray, joint_velocity: FloatArray) -> None:
        """Take the robot's measured joints, both (n,)."""
        self._joints = joint_position[self._indices]
        self._velocity = joint_velocity[self._indices]
        position, rotation = self.kinematics.forward(self._joints)
        self.position = position.copy()
        self.closing_rad = _closing_angle(rotation)
        self.tilt_rad = tilt_of(rotation)
        if self.arm.gripper:
            self._fingers = float(joint_position[self._finger])
            self.width_m = (self._fingers - self._gripper.closed) / self._per_m
            closing = -np.sign(self._per_m) * float(joint_velocity[self._finger])
            self.has_stalled = bool(closing < self._stalled)

    def move(self, action: FloatArray, position: FloatArray, closing_rad: float) -> None:
        """Go towards `position` (3,), pointing down, fingers closing along `closing_rad`.

        The position is brought into the arm's workspace box. An arm that is far outside of the
        box, or points elsewhere, first moves towards its home position, joint by joint: near
        its own base a straight line may lead nowhere.

        Args:
            action: (n,) joint targets, rad or m; the arm's entries are written.
            position: (3,) where the end effector should go, metres, world frame.
            closing_rad: angle about z along which the fingers should close.
        """
        kinematics = self.kinematics
        if self._is_lost():
            self._lead_home(action)
            return
        twist = np.empty(6)
        target = np.minimum(np.maximum(position, self._low), self._high)
        twist[:3] = _shorten(target - self.position, _REACH_M)
        turn = kinematics.rotation_to(down_quaternion(closing_rad))
        twist[3:] = _shorten(turn, _TURN_RAD)
        self._lead_joints(action, kinematics.joint_step(self._joints, twist))

    def _is_lost(self) -> bool:
        outside_m = self._outside_m(self.position)
        return self.tilt_rad > self._lost_rad or outside_m > self._lost_m

    def _outside_m(self, position: FloatArray) -> float:
        """How far `position` (3,) lies outside of the workspace box, in metres."""
        outside = position - np.minimum(np.maximum(position, self._low), self._high)
        return float(np.sqrt(outside @ outside))

    def _lead_home(self, action: FloatArray) -> None:
        self._lead_joints(action, self.kinematics.home_beside(self._joints) - self._joints)

    def _lead_joints(self, action: FloatArray, lead: FloatArray) -> None:
        """Command the joints ahead of where they are, within speed and acceleration."""
        kinematics = self.kinematics
        # At speed the last command is ahead already, by the lag times the speed.
        ahead = np.maximum(np.sign(lead) * self._velocity * self._lag_s, 0.0)
        longest = np.maximum(self._lead, np.minimum(self._slow_lead, self._lead + ahead))
        # All joints are slowed alike, so that the arm keeps its direction.
        lead = lead / max(1.0, float(np.max(np.abs(lead) / longest)))
        # A lead is a speed times the lag: these are the speeds that the acceleration bound allows.
        slowest = (self._velocity - self._velocity_gain) * self._lag_s
        fastest = (self._velocity + self._velocity_gain) * self._lag_s
        lead = np.minimum(np.maximum(lead, np.minimum(slowest, 0.0)), np.maximum(fastest, 0.0))
        most = self._friction_lead
        lead = lead + np.minimum(np.maximum(_FRICTION_GAIN * lead, -most), most)
        joints = np.minimum(
            np.maximum(self._joints + lead, kinematics.position_min), kinematics.position_max
        )
        action[self._indices] = joints

    def rest(self, action: FloatArray) -> None:
        """Return to the home position and open the gripper."""
        self._lead_home(action)
        self.open(action)

    def open(self, action: FloatArray, width_m: float | None = None) -> None:
        """Bring the fingers to a free width; None: all the way open."""
        if self.arm.gripper is None:
            return
        wanted = self._gripper.clear_width_m if width_m is None else width_m
        most = float(self._lead_max[self._finger])
        step = (wanted - self.width_m) * self._per_m
        self._command_fingers(action, min(most, max(-most, step)))

    def close(self, action: FloatArray, object_width_m: float) -> None:
        """Close the fingers on an object of that width and squeeze it."""
        if self.arm.gripper is None:
            return
        gap_m = self.width_m - object_width_m
        contact = min(1.0, max(0.0, 1.0 - gap_m / _CONTACT_M))
        squeeze_m = _SQUEEZE_SHARE * self._gripper.clear_width_m
        free_m = float(self._lead_max[self._finger]) / abs(self._per_m)
        lead_m = free_m + contact * max(0.0, squeeze_m - free_m)
        self._command_fingers(action, -lead_m * self._per_m)

    def _command_fingers(self, action: FloatArray, lead: float) -> None:
        gripper = self._gripper
        low, high = min(gripper.open, gripper.closed), max(gripper.open, gripper.closed)
        action[self._finger] = min(high, max(low, self._fingers + lead))


def _closing_angle(rotation: FloatArray) -> float:
    return float(np.arctan2(rotation[1, 1], rotation[0, 1]))


def _shorten(vector: FloatArray, longest: float) -> FloatArray:
    length = float(np.sqrt(vector @ vector))
    return vector if length <= longest else vector * (longest / length)


def _servo_lags_s(simulation: SimModel) -> FloatArray:
    """(n,) by how many seconds each joint trails a moving target: damping over stiffness."""
    model, lags_s = simulation.mj_model, np.zeros(len(simulation.profile.joints))
    for joint, actuator in np.argwhere(simulation.actuation.scale):
        stiffness, damping = -model.actuator_biasprm[actuator, 1:3]
        if _pulls_at_joint(simulation, actuator):
            own = model.dof_damping[simulation.dof_addresses[joint]]
            damping += own / model.actuator_gear[actuator, 0] ** 2
        lags_s[joint] = max(lags_s[joint], damping / max(stiffness, 1e-9))
    return np.maximum(lags_s, _PERIOD_S)


def _friction_leads(simulation: SimModel) -> FloatArray:
    """(n,) by how much a joint's target has to be ahead before it moves, where that matters."""
    model, leads = simulation.mj_model, np.zeros(len(simulation.profile.joints))
    for joint, actuator in np.argwhere(simulation.actuation.scale):
        if _pulls_at_joint(simulation, actuator):
            stiffness = -model.actuator_biasprm[actuator, 1] * model.actuator_gear[actuator, 0] ** 2
            friction = model.dof_frictionloss[simulation.dof_addresses[joint]]
            leads[joint] = max(leads[joint], friction / max(stiffness, 1e-9))
    return np.maximum(leads - _FRICTION_LEAD_RAD, 0.0)


def _pulls_at_joint(simulation: SimModel, actuator: int) -> bool:
    return int(simulation.mj_model.actuator_trntype[actuator]) in JOINT_TRANSMISSIONS
