"""Whether a profile's limits stay within what the robot's model can do."""

from __future__ import annotations

from collections.abc import Iterator

import mujoco

from robot_learning.core.decoding import Mistake
from robot_learning.core.profile import Joint, RobotProfile, SimInterface
from robot_learning.sim.servos import mjcf_joint_name

# How far a profile's limit may lie outside of what the model can do, rad or m.
_TOLERANCE = 2e-3


def limit_mistakes(
    model: mujoco.MjModel, profile: RobotProfile, sim: SimInterface, prefix: str = ""
) -> Iterator[Mistake]:
    """The joints whose limits exceed the range of the MJCF joint; joints that are not there pass.

    Args:
        model: a model with the robot in it.
        profile: the robot.
        sim: how the profile's joints are found in the model.
        prefix: what the names of the robot's elements begin with in the model.
    """
    ids = {model.joint(index).name: index for index in range(model.njnt)}
    for index, joint in enumerate(profile.joints):
        joint_id = ids.get(prefix + mjcf_joint_name(sim, joint.name))
        if joint_id is None or not model.jnt_limited[joint_id]:
            continue
        low, high = model.jnt_range[joint_id]
        if exceeds(joint, low, high):
            key, wanted = limits_of(index, joint)
            text = f"{wanted} exceeds the range [{low:.6g}, {high:.6g}] of '{joint.name}'"
            yield Mistake(key, f"{text} in {sim.mjcf}")


def exceeds(joint: Joint, low: float, high: float) -> bool:
    """Whether a joint may go further than [low, high], rad or m."""
    return joint.position_min < low - _TOLERANCE or joint.position_max > high + _TOLERANCE


def limits_of(index: int, joint: Joint) -> tuple[str, str]:
    """The key that gives the limits of joint number `index`, and the limits, for a person."""
    if joint.continuous:
        return f"joints[{index}].continuous", "turning without end"
    limits = f"[{joint.position_min:g}, {joint.position_max:g}]"
    return f"joints[{index}].position_{joint.kind.position_unit}", limits
