"""Where a robot's end effectors are by its joints alone, for a robot that nobody simulates."""

from __future__ import annotations

import mujoco
import numpy as np

from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray
from robot_learning.sim.model import compile_robot
from robot_learning.sim.world import quaternion_product


class EndEffectorPoses:
    """Forward kinematics of all arms of a robot, on a model of the robot alone.

    Attributes:
        names: names of the poses, one an arm.
    """

    def __init__(self, profile: RobotProfile) -> None:
        """Compile the robot's model.

        Args:
            profile: profile of the robot; needs a `sim` interface.

        Raises:
            ProfileError: The profile does not fit its MJCF model.
        """
        simulation = compile_robot(profile)
        self.names = simulation.end_effector_names
        self._model = model = simulation.mj_model
        self._data = mujoco.MjData(model)
        self._actuation = simulation.actuation
        self._sites = [model.site(name).id for name in self.names]
        self._quaternions = [model.site_quat[site].tolist() for site in self._sites]
        self._bodies = [int(model.site_bodyid[site]) for site in self._sites]

    def at(self, joint_position: FloatArray) -> dict[str, FloatArray]:
        """Each pose (7,) in the world frame, m and unit quaternion wxyz, at joints (n,)."""
        data = self._data
        self._actuation.place_joints(data.qpos, joint_position)
        mujoco.mj_kinematics(self._model, data)
        rows = zip(self.names, self._sites, self._bodies, self._quaternions, strict=True)
        # Through the body's quaternion: one made from a matrix is not continuous.
        return {
            name: np.array(
                [
                    *data.site_xpos[site].tolist(),
                    *quaternion_product(data.xquat[body].tolist(), quaternion),
                ]
            )
            for name, site, body, quaternion in rows
        }
