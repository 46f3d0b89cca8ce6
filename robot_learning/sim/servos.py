"""Fits a robot's MJCF to its profile: every joint of the profile becomes a position servo.

Works on the uncompiled specification. Actuators that take positions stay as they are;
actuators that take torque (or anything else) are replaced by a servo with the profile's gains.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import mujoco

from robot_learning.core.errors import ProfileError, unknown_choice
from robot_learning.core.profile import Joint, JointKind, RobotProfile, Servo, SimInterface

_JOINT_TYPES = {
    JointKind.REVOLUTE: mujoco.mjtJoint.mjJNT_HINGE,
    JointKind.PRISMATIC: mujoco.mjtJoint.mjJNT_SLIDE,
}
JOINT_TRANSMISSIONS = (mujoco.mjtTrn.mjTRN_JOINT, mujoco.mjtTrn.mjTRN_JOINTINPARENT)
_STATELESS = (mujoco.mjtDyn.mjDYN_NONE, mujoco.mjtDyn.mjDYN_FILTER, mujoco.mjtDyn.mjDYN_FILTEREXACT)


def mjcf_joint_name(sim: SimInterface, joint: str) -> str:
    """The MJCF name of a profile joint."""
    return sim.joints.get(joint, joint)


def prepare_servos(robot: mujoco.MjSpec, profile: RobotProfile) -> None:
    """Check joints and actuators, replace what does not take positions, add mimics.

    Raises:
        ProfileError: a joint or actuator is missing, unmapped or of the wrong kind, or gains are
            missing; the text names the file, the key and what is valid.
    """
    sim = profile.sim
    if sim is None:
        raise ProfileError(f"{profile.path}: interfaces: there is no 'sim' interface")
    fit = _Fit(robot, profile, sim)
    fit.check_joints()
    used = [fit.make_servo(joint) for joint in profile.joints]
    fit.check_unmapped(used)
    fit.add_mimics()
    if sim.gravity_compensation:
        fit.compensate_gravity()


class _Fit:
    """One robot specification being fitted to its profile."""

    def __init__(self, robot: mujoco.MjSpec, profile: RobotProfile, sim: SimInterface) -> None:
        self.robot, self.profile, self.sim = robot, profile, sim
        self.joints = {joint.name: joint for joint in robot.joints if joint.name}
        self.actuators = {actuator.name: actuator for actuator in robot.actuators if actuator.name}

    def fail(self, key: str, text: str) -> ProfileError:
        where = f"{self.profile.path}: {key}" if key else f"{self.profile.path}"
        return ProfileError(f"{where}: {text} (in {self.sim.mjcf})")

    def check_joints(self) -> None:
        for index, joint in enumerate(self.profile.joints):
            name = mjcf_joint_name(self.sim, joint.name)
            key = (
                f"interfaces.sim.joints.{joint.name}"
                if joint.name in self.sim.joints
                else f"joints[{index}].name"
            )
            if name not in self.joints:
                raise self.fail(key, unknown_choice("MJCF joint", name, self.joints))
            if self.joints[name].type != _JOINT_TYPES[joint.kind]:
                found = str(self.joints[name].type).rsplit("_", maxsplit=1)[-1].lower()
                text = f"the MJCF joint '{name}' is a {found} joint, not {joint.kind.value}"
                raise self.fail(f"joints[{index}].kind", text)

    def actuators_on(self, mjcf_joint: str) -> list[Any]:
        """The actuators whose transmission is that joint."""
        return [
            actuator
            for actuator in self.robot.actuators
            if actuator.trntype in JOINT_TRANSMISSIONS and actuator.target == mjcf_joint
        ]

    def find_actuator(self, joint: Joint) -> Any:
        key = f"interfaces.sim.actuators.{joint.name}"
        name = self.sim.actuators.get(joint.name)
        if name is not None:
            if name not in self.actuators:
                raise self.fail(key, unknown_choice("actuator", name, self.actuators))
            return self.actuators[name]
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
        raise self.fail(key, text)

    def make_servo(self, joint: Joint) -> Any:
        """Make sure that the joint's actuator takes positions; returns it."""
        actuator = self.find_actuator(joint)
        if not actuator.name:
            actuator.name = f"{joint.name}_servo"
        mjcf_joint = mjcf_joint_name(self.sim, joint.name)
        gains = self.sim.servos.get(joint.name)
        if gains is None and not _takes_positions(actuator):
            key = f"interfaces.sim.servos.{joint.name}"
            raise self.fail(
                key,
                f"the actuator '{actuator.name}' does not take positions (it takes torque or "
                "velocity); give the gains 'stiffness' and 'damping' of a position servo "
                "to replace it",
            )
        if gains is not None:
            _replace_by_servo(actuator, mjcf_joint, joint, gains)
        elif actuator.trntype in JOINT_TRANSMISSIONS and not _is_limited(actuator):
            force = joint.effort_max / max(abs(actuator.gear[0]), 1e-9)
            actuator.forcerange, actuator.forcelimited = (-force, force), True
        return actuator

    def check_unmapped(self, used: Iterable[Any]) -> None:
        """Every actuator is a joint's, a mimic's, or held."""
        taken = {actuator.name for actuator in used}
        for name in self.sim.held_actuators:
            key = f"interfaces.sim.held_actuators.{name}"
            if name not in self.actuators:
                raise self.fail(key, unknown_choice("actuator", name, self.actuators))
            if name in taken:
                raise self.fail(key, f"the actuator '{name}' drives a joint of the profile")
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
            raise self.fail("interfaces.sim", text)

    def add_mimics(self) -> None:
        """An equality constraint for each mimic joint, where the MJCF has none."""
        for name, mimic in self.sim.mimics.items():
            key = f"interfaces.sim.mimics.{name}"
            if name not in self.joints:
                raise self.fail(key, unknown_choice("MJCF joint", name, self.joints))
            leader = mjcf_joint_name(self.sim, mimic.joint)
            if name == leader:
                raise self.fail(key, "a joint cannot follow itself")
            if self._is_coupled(name, leader):
                continue
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
