"""Fits a robot's MJCF to its profile: every joint of the profile becomes a position servo.

Works on the uncompiled specification. Actuators that take positions stay as they are;
actuators that take torque (or anything else) are replaced by a servo with the profile's gains.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import mujoco

from robot_learning.core.decoding import Mistake
from robot_learning.core.errors import unknown_choice
from robot_learning.core.profile import (
    Joint,
    JointKind,
    Mimic,
    RobotProfile,
    Servo,
    SimInterface,
)

_JOINT_TYPES = {
    JointKind.REVOLUTE: mujoco.mjtJoint.mjJNT_HINGE,
    JointKind.PRISMATIC: mujoco.mjtJoint.mjJNT_SLIDE,
}
JOINT_TRANSMISSIONS = (mujoco.mjtTrn.mjTRN_JOINT, mujoco.mjtTrn.mjTRN_JOINTINPARENT)
_STATELESS = (mujoco.mjtDyn.mjDYN_NONE, mujoco.mjtDyn.mjDYN_FILTER, mujoco.mjtDyn.mjDYN_FILTEREXACT)


def mjcf_joint_name(sim: SimInterface, joint: str) -> str:
    """The MJCF name of a profile joint."""
    return sim.joints.get(joint, joint)


def prepare_servos(robot: mujoco.MjSpec, profile: RobotProfile, sim: SimInterface) -> list[Mistake]:
    """Check joints and actuators, replace what does not take positions, add mimics.

    Args:
        robot: specification of the robot, which is changed.
        profile: the robot.
        sim: how the profile's joints are found in it.

    Returns:
        Every joint and actuator that is missing, unmapped or of the wrong kind, and the gains
        that are missing, each with its key and what is valid. If there are any, the specification
        is changed only in part.
    """
    fit = _Fit(robot, profile, sim)
    joints = fit.check_joints()
    used = [fit.make_servo(joint) for joint in joints]
    are_held = fit.check_held(used)
    # An actuator that a joint did not find would be told once more as one that nothing drives.
    if are_held and None not in used and len(used) == len(profile.joints):
        fit.check_unmapped(used)
    fit.add_mimics()
    if sim.gravity_compensation and not fit.mistakes:
        fit.compensate_gravity()
    return fit.mistakes


class _Fit:
    """One robot specification being fitted to its profile, with the mistakes that are found."""

    def __init__(self, robot: mujoco.MjSpec, profile: RobotProfile, sim: SimInterface) -> None:
        self.robot, self.profile, self.sim = robot, profile, sim
        self.joints = {joint.name: joint for joint in robot.joints if joint.name}
        self.actuators = {actuator.name: actuator for actuator in robot.actuators if actuator.name}
        self.mistakes: list[Mistake] = []

    def refuse(self, key: str, text: str) -> None:
        self.mistakes.append(Mistake(key, f"{text} (in {self.sim.mjcf})"))

    def check_joints(self) -> list[Joint]:
        """The joints of the profile that the model has, and of their kind."""
        return [
            joint
            for index, joint in enumerate(self.profile.joints)
            if self._check_joint(joint, f"joints[{index}]")
        ]

    def _check_joint(self, joint: Joint, place: str) -> bool:
        name = mjcf_joint_name(self.sim, joint.name)
        if name not in self.joints:
            is_mapped = joint.name in self.sim.joints
            key = f"interfaces.sim.joints.{joint.name}" if is_mapped else f"{place}.name"
            self.refuse(key, unknown_choice("MJCF joint", name, self.joints))
            return False
        if self.joints[name].type != _JOINT_TYPES[joint.kind]:
            found = str(self.joints[name].type).rsplit("_", maxsplit=1)[-1].lower()
            text = f"the MJCF joint '{name}' is a {found} joint, not {joint.kind.value}"
            self.refuse(f"{place}.kind", text)
            return False
        return True

    def actuators_on(self, mjcf_joint: str) -> list[Any]:
        """The actuators whose transmission is that joint."""
        return [
            actuator
            for actuator in self.robot.actuators
            if actuator.trntype in JOINT_TRANSMISSIONS and actuator.target == mjcf_joint
        ]

    def find_actuator(self, joint: Joint) -> Any:
        """The joint's actuator; None where it cannot be known, which is refused."""
        key = f"interfaces.sim.actuators.{joint.name}"
        name = self.sim.actuators.get(joint.name)
        if name is not None:
            if name not in self.actuators:
                self.refuse(key, unknown_choice("actuator", name, self.actuators))
            return self.actuators.get(name)
        mjcf_joint = mjcf_joint_name(self.sim, joint.name)
        found = self.actuators_on(mjcf_joint)
        if len(found) == 1:
            return found[0]
        valid = ", ".join(sorted(self.actuators)) or "(none has a name)"
        if not found and joint.name in self.sim.servos:
            return self.robot.add_actuator(name=f"{joint.name}_servo")
        if not found:
            text = (
                f"no actuator drives the joint '{mjcf_joint}'; name one, or give gains under "
                f"'servos' to add a servo. Valid: {valid}"
            )
        else:
            names = ", ".join(actuator.name or "(no name)" for actuator in found)
            text = f"several actuators drive the joint '{mjcf_joint}' ({names}); name one"
        self.refuse(key, text)
        return None

    def make_servo(self, joint: Joint) -> Any:
        """Make sure that the joint's actuator takes positions; returns it, or None if refused."""
        actuator = self.find_actuator(joint)
        if actuator is None:
            return None
        if not actuator.name:
            actuator.name = f"{joint.name}_servo"
        mjcf_joint = mjcf_joint_name(self.sim, joint.name)
        gains = self.sim.servos.get(joint.name)
        if gains is not None:
            _replace_by_servo(actuator, mjcf_joint, joint, gains)
        elif not _takes_positions(actuator):
            self.refuse(
                f"interfaces.sim.servos.{joint.name}",
                f"the actuator '{actuator.name}' does not take positions (it takes torque or "
                "velocity); give the gains 'stiffness' and 'damping' of a position servo "
                "to replace it",
            )
        elif actuator.trntype in JOINT_TRANSMISSIONS and not _is_limited(actuator):
            force = joint.effort_max / max(abs(actuator.gear[0]), 1e-9)
            actuator.forcerange, actuator.forcelimited = (-force, force), True
        return actuator

    def check_held(self, used: Iterable[Any]) -> bool:
        """Whether the actuators that are to be held are there, and drive no joint."""
        taken = {actuator.name for actuator in used if actuator is not None}
        before = len(self.mistakes)
        for name in self.sim.held_actuators:
            key = f"interfaces.sim.held_actuators.{name}"
            if name not in self.actuators:
                self.refuse(key, unknown_choice("actuator", name, self.actuators))
            elif name in taken:
                self.refuse(key, f"the actuator '{name}' drives a joint of the profile")
        return len(self.mistakes) == before

    def check_unmapped(self, used: Iterable[Any]) -> None:
        """Every actuator is a joint's, a mimic's, or held."""
        taken = {actuator.name for actuator in used}
        left = []
        for actuator in self.robot.actuators:
            follows = actuator.trntype in JOINT_TRANSMISSIONS and actuator.target in self.sim.mimics
            if actuator.name in taken or actuator.name in self.sim.held_actuators:
                continue
            if follows and _takes_positions(actuator):
                continue
            left.append(actuator.name or f"(no name, on '{actuator.target}')")
        if left:
            text = (
                f"no joint of the profile drives the actuators: {', '.join(left)}. Map them under "
                "'actuators', or give each the control to hold under 'held_actuators'"
            )
            self.refuse("interfaces.sim", text)

    def add_mimics(self) -> None:
        """An equality constraint for each mimic joint, where the MJCF has none."""
        for name, mimic in self.sim.mimics.items():
            key = f"interfaces.sim.mimics.{name}"
            leader = mjcf_joint_name(self.sim, mimic.joint)
            if name not in self.joints:
                self.refuse(key, unknown_choice("MJCF joint", name, self.joints))
            elif name == leader:
                self.refuse(key, "a joint cannot follow itself")
            elif leader in self.joints and not self._is_coupled(name, leader):
                self._couple(name, leader, mimic)

    def _couple(self, name: str, leader: str, mimic: Mimic) -> None:
        follower_zero, leader_zero = self.joints[name].ref, self.joints[leader].ref
        constraint = self.robot.add_equality()
        constraint.type = mujoco.mjtEq.mjEQ_JOINT
        constraint.objtype = mujoco.mjtObj.mjOBJ_JOINT
        constraint.name1, constraint.name2 = name, leader
        # MuJoCo's polynomial relates the deviations from the reference positions.
        offset = mimic.offset + mimic.multiplier * leader_zero - follower_zero
        constraint.data[:5] = (offset, mimic.multiplier, 0.0, 0.0, 0.0)

    def _is_coupled(self, one: str, other: str) -> bool:
        return any(
            equality.type == mujoco.mjtEq.mjEQ_JOINT
            and {equality.name1, equality.name2} == {one, other}
            for equality in self.robot.equalities
        )

    def compensate_gravity(self) -> None:
        """Let the servos carry the robot's own weight, and count it as their effort."""
        for body in self.robot.bodies:
            if body.name != "world":
                body.gravcomp = 1.0
        for joint in self.profile.joints:
            self.joints[mjcf_joint_name(self.sim, joint.name)].actgravcomp = True


def _takes_positions(actuator: Any) -> bool:
    """Whether a constant control holds a position: affine bias that pulls back, no own state."""
    return (
        actuator.dyntype in _STATELESS
        and actuator.gaintype == mujoco.mjtGain.mjGAIN_FIXED
        and actuator.biastype == mujoco.mjtBias.mjBIAS_AFFINE
        and actuator.gainprm[0] != 0.0
        and actuator.biasprm[1] < 0.0
    )


def _is_limited(actuator: Any) -> bool:
    low, high = actuator.forcerange
    return bool(low < high)


def _replace_by_servo(actuator: Any, mjcf_joint: str, joint: Joint, gains: Servo) -> None:
    """Turn an actuator of any kind into a PD position servo on the joint itself."""
    actuator.trntype = mujoco.mjtTrn.mjTRN_JOINT
    actuator.target = mjcf_joint
    actuator.gear = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    actuator.dyntype = mujoco.mjtDyn.mjDYN_NONE
    actuator.gaintype = mujoco.mjtGain.mjGAIN_FIXED
    actuator.biastype = mujoco.mjtBias.mjBIAS_AFFINE
    actuator.gainprm[:3] = (gains.stiffness, 0.0, 0.0)
    actuator.biasprm[:3] = (0.0, -gains.stiffness, -gains.damping)
    actuator.ctrllimited = not joint.continuous
    if not joint.continuous:
        actuator.ctrlrange = (joint.position_min, joint.position_max)
    actuator.forcerange, actuator.forcelimited = (-joint.effort_max, joint.effort_max), True
    actuator.actlimited = False
    actuator.inheritrange = 0.0
