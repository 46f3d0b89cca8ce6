"""A robot's moving parts in one colour, to be seen through, drawn into a scene beside the robot."""

from __future__ import annotations

import copy

import mujoco
import numpy as np

from robot_learning.core.types import FloatArray
from robot_learning.sim.composition import PREFIX
from robot_learning.sim.model import SimModel
from robot_learning.sim.world import World

_COLOUR_RGBA = (0.0, 0.45, 0.7, 0.45)
_NOT_DRAWN = 5


class Shadow:
    """Where a robot stood, or will stand, beside where it stands."""

    def __init__(self, simulation: SimModel) -> None:
        """Prepare, for the scene of the robot: its model is copied."""
        self._world = World(simulation)
        self._model = copy.copy(self._world.mj_model)
        self._model.geom_matid[:] = -1
        self._model.geom_rgba[:] = _COLOUR_RGBA
        bodies = [self._model.body(int(index)).name for index in self._model.geom_bodyid]
        others = np.array([not name.startswith(PREFIX) for name in bodies], bool)
        self._model.geom_group[others] = _NOT_DRAWN
        self._option, self._perturbation = mujoco.MjvOption(), mujoco.MjvPerturb()
        self._option.geomgroup[_NOT_DRAWN] = 0

    def add_to(self, scene: mujoco.MjvScene, joint_position: FloatArray) -> None:
        """Add its geometry at `joint_position` (n,), rad or m, to what a scene draws.

        Raises:
            CommandError: wrong size, or not finite.
        """
        self._world.set_joint_position(joint_position)
        mujoco.mjv_addGeoms(
            self._model,
            self._world.mj_data,
            self._option,
            self._perturbation,
            mujoco.mjtCatBit.mjCAT_DYNAMIC,
            scene,
        )
