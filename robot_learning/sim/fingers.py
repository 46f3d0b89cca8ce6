"""How wide a gripper's fingers really are, measured on its model.

Rays go from the end effector's origin along the direction in which the fingers close, both ways,
to what can touch something. The gripper is held at a value until its linkage has settled.
"""

from __future__ import annotations

import copy

import mujoco
import numpy as np

from robot_learning.core.errors import RobotLearningError
from robot_learning.core.profile import Arm, Gripper
from robot_learning.core.types import FloatArray
from robot_learning.sim.composition import PREFIX
from robot_learning.sim.model import SimModel
from robot_learning.sim.world import World

_SETTLE_S = 0.4
# The rays start at the origin and this far beside it, so that a groove in a pad is not missed.
_BESIDE_M = 0.004
# Fingers further apart than this are none.
_WIDEST_M = 0.3


def finger_width_m(simulation: SimModel, arm: Arm, share_open: float) -> float | None:
    """The free width between an arm's fingers at a share of the way from closed to open.

    None where there is no gripper, or no finger on one of the two sides of the origin.

    Args:
        simulation: the composed scene.
        arm: the arm whose fingers are measured.
        share_open: opening of the gripper, from 0 (closed) to 1 (open).
    """
    if arm.gripper is None:
        return None
    world = World(simulation)
    try:
        hold_gripper(world, arm.gripper, share_open)
    except RobotLearningError:
        return None
    site = world.mj_model.site(arm.end_effector_name).id
    rotation = world.mj_data.site_xmat[site].reshape(3, 3)
    model = _only_what_touches(world.mj_model)
    mujoco.mj_forward(world.mj_model, world.mj_data)
    sides = []
    for direction in (rotation[:, 1], -rotation[:, 1]):
        starts = [
            world.mj_data.site_xpos[site] + along * rotation[:, 0] + up * rotation[:, 2]
            for along, up in ((0, 0), (_BESIDE_M, 0), (-_BESIDE_M, 0), (0, _BESIDE_M))
        ]
        nearest_m = min(_distance_m(model, world.mj_data, start, direction) for start in starts)
        sides.append(nearest_m)
    width_m = sum(sides)
    return width_m if width_m < _WIDEST_M else None


def hold_gripper(world: World, gripper: Gripper, share_open: float) -> None:
    """Put the robot at home and hold its gripper until the linkage has settled.

    Args:
        world: the world; it is reset.
        gripper: the gripper to hold.
        share_open: opening of the gripper, from 0 (closed) to 1 (open).

    Raises:
        RobotLearningError: the simulation diverged.
    """
    position = world.profile.home.copy()
    index = world.profile.joint_index(gripper.joint)
    position[index] = gripper.closed + share_open * (gripper.open - gripper.closed)
    world.reset(position)
    for _ in range(max(1, round(_SETTLE_S / world.control_period_s))):
        world.step()


def _only_what_touches(model: mujoco.MjModel) -> mujoco.MjModel:
    """A copy in which rays pass through all but the robot's colliding geometry."""
    copied = copy.copy(model)
    for geom in range(model.ngeom):
        of_robot = model.body(model.geom_bodyid[geom]).name.startswith(PREFIX)
        touches = bool(model.geom_contype[geom] or model.geom_conaffinity[geom])
        copied.geom_matid[geom] = -1
        copied.geom_rgba[geom, 3] = 1.0 if of_robot and touches else 0.0
    return copied


def _distance_m(
    model: mujoco.MjModel, data: mujoco.MjData, start: FloatArray, direction: FloatArray
) -> float:
    geom = np.full(1, -1, np.int32)
    found_m = mujoco.mj_ray(model, data, start, direction.copy(), None, 1, -1, geom)
    return float(found_m) if geom[0] >= 0 else _WIDEST_M
