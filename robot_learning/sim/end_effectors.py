"""How far outside their workspace boxes the end effectors of a robot would be."""

from __future__ import annotations

import mujoco
import numpy as np

from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray
from robot_learning.sim.model import compile_robot


class WorkspaceBoxes:
    """The boxes of a robot's arms; a `robot_learning.control.workspace.Workspace`.

    One call is one forward kinematics on a model of the robot alone.

    Args:
        profile: the robot.

    Raises:
        ProfileError: the profile does not fit its MJCF model.
    """

    def __init__(self, profile: RobotProfile) -> None:
        simulation = compile_robot(profile)
        self._model = model = simulation.mj_model
        self._data = mujoco.MjData(model)
        self._sites = [model.site(arm.end_effector_name).id for arm in profile.arms]
        self._low = np.array([arm.workspace.min_m for arm in profile.arms])
        self._high = np.array([arm.workspace.max_m for arm in profile.arms])
        self._addresses = simulation.qpos_addresses
        self._dofs = simulation.dof_addresses
        self._inside = np.zeros(len(profile.arms))
        self._inside.setflags(write=False)
        self._jacobian = np.zeros((3, model.nv))

    def excess_m(self, position: FloatArray) -> FloatArray:
        """(arms,) metres outside of each arm's box at joint positions (n,); 0 inside."""
        outside_m = self._outside_m(position)
        if not np.count_nonzero(outside_m):
            return self._inside
        distance: FloatArray = np.sqrt(np.einsum("ij,ij->i", outside_m, outside_m))
        return distance

    def gradient(self, position: FloatArray) -> FloatArray:
        """(arms, n) metres a rad or m: how each joint changes each arm's excess; 0 inside."""
        outside_m = self._outside_m(position)
        gradient = np.zeros((len(self._sites), len(position)))
        for row, site in enumerate(self._sites):
            distance_m = np.linalg.norm(outside_m[row])
            if distance_m > 0.0:
                mujoco.mj_comPos(self._model, self._data)
                mujoco.mj_jacSite(self._model, self._data, self._jacobian, None, site)
                gradient[row] = outside_m[row] / distance_m @ self._jacobian[:, self._dofs]
        return gradient

    def _outside_m(self, position: FloatArray) -> FloatArray:
        """(arms, 3) the way from each box to its arm's end effector."""
        self._data.qpos[self._addresses] = position
        mujoco.mj_kinematics(self._model, self._data)
        tip_m = self._data.site_xpos[self._sites]
        outside_m: FloatArray = np.maximum(tip_m - self._high, 0.0)
        outside_m -= np.maximum(self._low - tip_m, 0.0)
        return outside_m
