"""How far outside their workspace boxes the end effectors of a robot would be."""

from __future__ import annotations

from collections.abc import Callable

import mujoco
import numpy as np

from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray
from robot_learning.sim.model import compile_robot


def workspace_excess(profile: RobotProfile) -> Callable[[FloatArray], FloatArray]:
    """A function from joint positions (n,) to the metres (arms,) outside of each arm's box.

    It is 0 inside. One call is one forward kinematics on a model of the robot alone.

    Raises:
        ProfileError: the profile does not fit its MJCF model.
    """
    simulation = compile_robot(profile)
    model = simulation.mj_model
    data = mujoco.MjData(model)
    sites = [model.site(arm.end_effector_name).id for arm in profile.arms]
    low = np.array([arm.workspace.min_m for arm in profile.arms])
    high = np.array([arm.workspace.max_m for arm in profile.arms])
    addresses = simulation.qpos_addresses
    inside = np.zeros(len(profile.arms))
    inside.setflags(write=False)

    def excess(position: FloatArray) -> FloatArray:
        data.qpos[addresses] = position
        mujoco.mj_kinematics(model, data)
        tip_m = data.site_xpos[sites]
        outside_m = np.maximum(np.maximum(low - tip_m, tip_m - high), 0.0)
        if not np.count_nonzero(outside_m):
            return inside
        distance: FloatArray = np.sqrt(np.einsum("ij,ij->i", outside_m, outside_m))
        return distance

    return excess
