"""Which joint of the profile each of a robot's joints moves with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from robot_learning.core.errors import RobotLearningError
from robot_learning.core.profile import Joint, RobotProfile
from robot_learning.core.types import FloatArray
from robot_learning.sim.fingers import hold_gripper
from robot_learning.sim.linkages import is_in_a_loop
from robot_learning.sim.model import SimModel, compile_robot, home_qpos
from robot_learning.sim.world import World

_OPEN, _CLOSED = 1.0, 0.0
_SCALAR_JOINTS = (mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE)


@dataclass(frozen=True, slots=True)
class Drive:
    """The joint of the profile that a joint moves with.

    The position of the joint is `multiplier * position of the profile's joint + offset`, in rad
    or m. The profile's own joints have multiplier 1 and offset 0.

    Attributes:
        joint: the joint of the profile.
        index: index of that joint in the joint vector.
        multiplier: slope of the line.
        offset: position of the driven joint where the profile's joint is at zero, rad or m.
    """

    joint: Joint
    index: int
    multiplier: float = 1.0
    offset: float = 0.0


def joint_drives(simulation: SimModel) -> dict[int, Drive]:
    """MuJoCo joint id -> its drive.

    The profile's joints; those that are coupled to them; and those of closed linkages, as they
    stand when a gripper is held open and closed. Each moves along a straight line between the
    two ends of the profile's joint. Other joints have none.
    """
    model, profile = simulation.mj_model, simulation.profile
    by_address = {int(model.jnt_qposadr[joint]): joint for joint in range(model.njnt)}
    leaders = {int(address): index for index, address in enumerate(simulation.qpos_addresses)}
    drives = {
        by_address[address]: Drive(profile.joints[index], index)
        for address, index in leaders.items()
    }
    for coupling in simulation.actuation.couplings:
        index = leaders[coupling.follower_address] = leaders[coupling.leader_address]
        joint = by_address[coupling.follower_address]
        drives[joint] = _coupled(simulation, coupling.follower_address, index)
    passive = {
        str(model.joint(joint).name): joint
        for joint in range(model.njnt)
        if joint not in drives and _is_passive(model, joint)
    }
    if passive:
        measured = _measured(profile, tuple(passive))
        drives |= {passive[name]: drive for name, drive in measured.items()}
    return drives


def position_ends(joint: Joint) -> tuple[float, float]:
    """The joint's limits, rad or m; of a continuous joint one turn about its home position."""
    if joint.continuous:
        return joint.home - np.pi, joint.home + np.pi
    return joint.position_min, joint.position_max


def _coupled(simulation: SimModel, address: int, index: int) -> Drive:
    """The drive of a joint that an equation ties to the profile's joint `index`."""
    joint = simulation.profile.joints[index]
    ends, values = position_ends(joint), []
    for end in ends:
        position, qpos = simulation.profile.home.copy(), home_qpos(simulation)
        position[index] = end
        simulation.actuation.place_joints(qpos, position)
        values.append(float(qpos[address]))
    return _line(joint, index, ends, values)


def _line(joint: Joint, index: int, ends: Sequence[float], values: Sequence[float]) -> Drive:
    multiplier = (values[1] - values[0]) / (ends[1] - ends[0])
    return Drive(joint, index, multiplier, values[0] - multiplier * ends[0])


def _is_passive(model: mujoco.MjModel, joint: int) -> bool:
    """Whether only a closed linkage moves the joint."""
    known = int(model.jnt_type[joint]) in _SCALAR_JOINTS and bool(model.joint(joint).name)
    return known and is_in_a_loop(model, int(model.jnt_bodyid[joint]))


def _measured(profile: RobotProfile, names: Sequence[str]) -> dict[str, Drive]:
    """The drives of joints in linkages, each with the gripper that moves it farthest."""
    farthest: dict[str, tuple[float, Drive]] = {}
    for index, ends, opened, closed in _gripper_trials(profile, names):
        for name, first, last in zip(names, opened, closed, strict=True):
            travel = abs(float(last - first))
            if name not in farthest or travel > farthest[name][0]:
                line = _line(profile.joints[index], index, ends, (float(first), float(last)))
                farthest[name] = (travel, line)
    return {name: drive for name, (_travel, drive) in farthest.items()}


def _gripper_trials(
    profile: RobotProfile, names: Sequence[str]
) -> Iterator[tuple[int, tuple[float, float], FloatArray, FloatArray]]:
    """For each gripper: its joint, where that stood open and closed, and the joints `names` then.

    The robot is alone, so that no object is in the way. A gripper whose simulation diverges is
    passed over.
    """
    world = World(compile_robot(profile))
    model, simulation = world.mj_model, world.simulation
    addresses = [int(model.jnt_qposadr[model.joint(name).id]) for name in names]
    for arm in profile.arms:
        if arm.gripper is None:
            continue
        index, rows = profile.joint_index(arm.gripper.joint), []
        try:
            for share in (_OPEN, _CLOSED):
                hold_gripper(world, arm.gripper, share)
                rows.append(world.mj_data.qpos.copy())
        except RobotLearningError:
            continue
        opened, closed = rows
        own = int(simulation.qpos_addresses[index])
        ends = (float(opened[own]), float(closed[own]))
        if ends[0] != ends[1]:
            yield index, ends, opened[addresses], closed[addresses]
