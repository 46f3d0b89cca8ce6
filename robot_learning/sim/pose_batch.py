"""The poses of many worlds of one scene, computed in one pass with as little Python as there is."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from robot_learning.core.types import FloatArray
from robot_learning.sim.model import SimModel
from robot_learning.sim.world import quaternion_product


class PoseBatch:
    """Reads the named poses of n worlds, bit for bit as `World.pose` does.

    Kinematics take little of a control period, so that they are not worth threads; a Python
    call for each pose of each world would cost more than they do. So each world's frames are
    copied whole, and the poses picked from the copies of all worlds together.
    """

    def __init__(self, simulation: SimModel, count: int, names: Sequence[str]) -> None:
        """Prepare for `count` worlds; `names` are end effectors and objects of the scene."""
        model = self._model = simulation.mj_model
        self._data = mujoco.MjData(model)
        self._body_position = np.empty((count, model.nbody, 3))
        self._body_quaternion = np.empty((count, model.nbody, 4))
        self._site_position = np.empty((count, model.nsite, 3))
        self._bodies = {
            name: model.body(name).id for name in names if name not in simulation.end_effector_names
        }
        self._sites = {
            name: model.site(name).id for name in names if name in simulation.end_effector_names
        }

    def read(
        self, qpos: FloatArray, mocap_position: FloatArray, mocap_quaternion: FloatArray
    ) -> dict[str, FloatArray]:
        """The poses (n, 7) of n worlds, by name.

        Args:
            qpos: (n, nq) joint positions as MuJoCo has them.
            mocap_position: (n, nmocap, 3) positions of the mocap bodies, metres.
            mocap_quaternion: (n, nmocap, 4) orientations of the mocap bodies, w x y z.
        """
        self._place(qpos, mocap_position, mocap_quaternion)
        poses = {}
        for name, body in self._bodies.items():
            position, quaternion = self._body_position[:, body], self._body_quaternion[:, body]
            poses[name] = np.concatenate([position, quaternion], axis=1)
        for name, site in self._sites.items():
            poses[name] = self._read_site(site)
        return poses

    def _place(
        self, qpos: FloatArray, mocap_position: FloatArray, mocap_quaternion: FloatArray
    ) -> None:
        model, data = self._model, self._data
        own_qpos, own_position, own_quaternion = data.qpos, data.mocap_pos, data.mocap_quat
        positions, quaternions, sites = data.xpos, data.xquat, data.site_xpos
        for index, row in enumerate(qpos):
            own_qpos[:] = row
            if model.nmocap:
                own_position[:] = mocap_position[index]
                own_quaternion[:] = mocap_quaternion[index]
            mujoco.mj_kinematics(model, data)
            self._body_position[index] = positions
            self._body_quaternion[index] = quaternions
            self._site_position[index] = sites

    def _read_site(self, site: int) -> FloatArray:
        """Through the body's quaternion: it is continuous, one made from a matrix is not."""
        pose = np.empty((len(self._site_position), 7))
        pose[:, :3] = self._site_position[:, site]
        in_body = self._model.site_quat[site].tolist()
        bodies = self._body_quaternion[:, self._model.site_bodyid[site]]
        pose[:, 3], pose[:, 4], pose[:, 5], pose[:, 6] = quaternion_product(bodies.T, in_body)
        return pose
